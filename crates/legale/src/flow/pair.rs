//! Who signs how: the fifteen pairs that the service takes, out of six times eleven (contract 4.2, 4.3).

use integration_core::open_enum;

open_enum! {
    /// `sign_flow`: in which role somebody takes part, and how the service reaches him.
    #[doc(alias("sign_flow"))]
    guarded SignFlow {
        /// `me`: the account of the API itself.
        Me = "me",
        /// `other`: an outsider, by link.
        #[doc(alias = "other")]
        Outsider = "other",
        /// `legale`: another user of the service, in his inbox.
        #[doc(alias = "legale")]
        User = "legale",
        /// `approve`: a validator, who adds no signature.
        #[doc(alias = "approve")]
        Approver = "approve",
        /// `tablet`: a mobile device.
        Tablet = "tablet",
        /// `signing_portal`: whoever finds the document in the public portal.
        #[doc(alias = "signing_portal")]
        Portal = "signing_portal",
    }
}

open_enum! {
    /// `sign_method`: how the signature, or the approval, is given.
    #[doc(alias("sign_method", "metodo de firma", "método de firma", "firma electronica", "firma electrónica"))]
    guarded SignMethod {
        /// `certification`: a certificate kept in the cloud.
        Certification = "certification",
        /// `local_certificate`: an own certificate on Windows 10.
        LocalCertificate = "local_certificate",
        /// `sms`: a simple signature with a one-time code sent to the phone.
        Sms = "sms",
        /// `no_sms`: a simple signature by link.
        NoSms = "no_sms",
        /// `fea`: an advanced signature (Chile, Law 19.799).
        Fea = "fea",
        /// `no_certification`: the signer picks any method but the certificate.
        NoCertification = "no_certification",
        /// `approve`: an outsider approves.
        Approve = "approve",
        /// `approve_legale`: a user of the service approves.
        #[doc(alias = "approve_legale")]
        ApproveUser = "approve_legale",
        /// `approve_api`: a later POST to a URL of the answer approves.
        ApproveApi = "approve_api",
        /// `tablet_sign`: signed on a device.
        TabletSign = "tablet_sign",
        /// `signing_portal`: signed in the public portal.
        SigningPortal = "signing_portal",
    }
}

/// How much a signature is worth in Chile; the order is the one that `min_level` goes by (assumed).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Level {
    /// No signature at all: approvals, and methods that are not known.
    None,
    /// A simple signature.
    Simple,
    /// With a certificate.
    Certificate,
    /// Advanced, Law 19.799.
    Advanced,
}

impl Level {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Simple => "simple",
            Self::Certificate => "certificate",
            Self::Advanced => "advanced",
        }
    }
}

impl SignFlow {
    /// The methods that go with this role; none for a role that is not listed.
    ///
    /// ```
    /// use legale::flow::{SignFlow, SignMethod};
    ///
    /// assert_eq!(SignFlow::User.methods(), [SignMethod::Certification, SignMethod::NoCertification]);
    /// assert_eq!(SignFlow::LISTED.iter().map(|flow| flow.methods().len()).sum::<usize>(), 15);
    /// ```
    #[must_use]
    pub const fn methods(&self) -> &'static [SignMethod] {
        use SignMethod as M;
        match self {
            Self::Me => &[M::Certification, M::LocalCertificate, M::Sms, M::NoSms, M::Fea],
            Self::Outsider => &[M::Sms, M::NoSms, M::Fea],
            Self::User => &[M::Certification, M::NoCertification],
            Self::Approver => &[M::Approve, M::ApproveUser, M::ApproveApi],
            Self::Tablet => &[M::TabletSign],
            Self::Portal => &[M::SigningPortal],
            Self::Other(_) => &[],
        }
    }

    /// Whether the service takes this role with `method`.
    #[must_use]
    pub fn allows(&self, method: &SignMethod) -> bool {
        self.methods().contains(method)
    }
}

impl SignMethod {
    /// What the signature is worth.
    #[must_use]
    pub const fn level(&self) -> Level {
        match self {
            Self::Fea => Level::Advanced,
            Self::Certification | Self::LocalCertificate => Level::Certificate,
            Self::Sms | Self::NoSms | Self::TabletSign | Self::SigningPortal | Self::NoCertification => {
                Level::Simple
            }
            Self::Approve | Self::ApproveUser | Self::ApproveApi | Self::Other(_) => Level::None,
        }
    }

    /// Whether it approves and does not sign.
    #[must_use]
    pub const fn is_approval(&self) -> bool {
        matches!(self, Self::Approve | Self::ApproveUser | Self::ApproveApi)
    }

    /// Whether selfie, video and identity document can be asked for with it.
    #[must_use]
    pub const fn allows_identity_checks(&self) -> bool {
        matches!(self, Self::Sms | Self::NoSms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of 4.2, copied by hand from the contract.
    const ALLOWED: [(&str, &[&str]); 6] = [
        ("me", &["certification", "local_certificate", "sms", "no_sms", "fea"]),
        ("other", &["sms", "no_sms", "fea"]),
        ("legale", &["certification", "no_certification"]),
        ("approve", &["approve", "approve_legale", "approve_api"]),
        ("tablet", &["tablet_sign"]),
        ("signing_portal", &["signing_portal"]),
    ];

    #[test]
    fn fifteen_pairs_of_sixty_six_are_allowed() {
        let mut allowed = 0;
        for flow in SignFlow::LISTED {
            let row = ALLOWED.iter().find(|(name, _)| *name == flow.as_str()).unwrap().1;
            for method in SignMethod::LISTED {
                assert_eq!(flow.allows(method), row.contains(&method.as_str()), "{flow} {method}");
                allowed += usize::from(flow.allows(method));
            }
        }
        assert_eq!((SignFlow::LISTED.len(), SignMethod::LISTED.len(), allowed), (6, 11, 15));
    }

    /// Contract 4.3, third column.
    #[test]
    fn every_method_has_its_level() {
        let table = [
            (Level::Simple, &["no_sms", "sms", "tablet_sign", "signing_portal", "no_certification"][..]),
            (Level::Advanced, &["fea"]),
            (Level::Certificate, &["certification", "local_certificate"]),
            (Level::None, &["approve", "approve_legale", "approve_api", "bit4id"]),
        ];
        for (level, methods) in table {
            for method in methods {
                assert_eq!(SignMethod::from_wire(method).level(), level, "{method}");
            }
        }
        assert!(Level::None < Level::Simple && Level::Simple < Level::Certificate);
        assert!(Level::Certificate < Level::Advanced);
    }

    #[test]
    fn values_of_answers_are_kept_but_not_sendable() {
        let SignMethod::Other(read) = SignMethod::from_wire("bit4id") else { panic!("not listed") };
        assert!(!read.is_sendable());
        let SignMethod::Other(given) = SignMethod::unchecked("bit4id") else { panic!("not listed") };
        assert!(given.is_sendable());
        assert_eq!(read, given);
        assert_eq!(SignMethod::unchecked("fea"), SignMethod::Fea);
    }
}
