//! One participant of a flow, as the caller describes it; nothing is checked before the flow is built.

use integration_core::Secret;

use super::pair::{SignFlow, SignMethod};
use super::placement::Placement;

/// One participant of a flow: role, method, and what they need (contract 3.5, 4.3).
///
/// | constructor | `sign_flow` | needs beside the e-mail |
/// |---|---|---|
/// | [`Signer::me`] | `me` | as the method: phone for `sms`, names and RUT for `fea` |
/// | [`Signer::outsider`] | `other` | the same |
/// | [`Signer::user`] | `legale` | – |
/// | [`Signer::approver`], [`Signer::approving_user`], [`Signer::approving_api`] | `approve` | – |
/// | [`Signer::tablet`] | `tablet` | device, fingerprint, identity card |
/// | [`Signer::portal`] | `signing_portal` | a document with a subject |
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias("firmante", "signer_list"))]
pub struct Signer {
    pub(crate) flow: SignFlow,
    pub(crate) method: SignMethod,
    pub(crate) email: String,
    pub(crate) firstname: Option<String>,
    pub(crate) lastname1: Option<String>,
    pub(crate) lastname2: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) rut: Option<String>,
    pub(crate) device_id: Option<String>,
    pub(crate) is_fingerprint: Option<bool>,
    pub(crate) is_nid: Option<bool>,
    pub(crate) video_validation: bool,
    pub(crate) selfie_validation: bool,
    pub(crate) id_validation: bool,
    pub(crate) placement: Placement,
    pub(crate) skip_email: Option<bool>,
    pub(crate) callback: Option<Secret>,
}

impl Signer {
    /// Anybody in any role with any method; a pair outside the table of 4.2 is refused when the flow is built, unless one of
    /// its two values was made by `unchecked`.
    pub fn new(flow: SignFlow, method: SignMethod, email: impl Into<String>) -> Self {
        Self {
            flow,
            method,
            email: email.into(),
            firstname: None,
            lastname1: None,
            lastname2: None,
            phone: None,
            rut: None,
            device_id: None,
            is_fingerprint: None,
            is_nid: None,
            video_validation: false,
            selfie_validation: false,
            id_validation: false,
            placement: Placement::Unset,
            skip_email: None,
            callback: None,
        }
    }

    /// The account of the API itself. Starting such a flow takes the right to sign (contract 3.1, call 7).
    pub fn me(method: SignMethod, email: impl Into<String>) -> Self {
        Self::new(SignFlow::Me, method, email)
    }

    /// An outsider, by link.
    pub fn outsider(method: SignMethod, email: impl Into<String>) -> Self {
        Self::new(SignFlow::Outsider, method, email)
    }

    /// Another user of the service, in his inbox.
    pub fn user(method: SignMethod, email: impl Into<String>) -> Self {
        Self::new(SignFlow::User, method, email)
    }

    /// An outsider who approves.
    #[doc(alias = "aprobador")]
    pub fn approver(email: impl Into<String>) -> Self {
        Self::new(SignFlow::Approver, SignMethod::Approve, email)
    }

    /// A user of the service who approves.
    pub fn approving_user(email: impl Into<String>) -> Self {
        Self::new(SignFlow::Approver, SignMethod::ApproveUser, email)
    }

    /// A program that approves by a POST to the URL which the answer of the start holds.
    pub fn approving_api(email: impl Into<String>) -> Self {
        Self::new(SignFlow::Approver, SignMethod::ApproveApi, email)
    }

    /// Whoever signs on a device; whether with fingerprint, and with identity card, must be said.
    pub fn tablet(
        email: impl Into<String>,
        device_id: impl Into<String>,
        is_fingerprint: bool,
        is_nid: bool,
    ) -> Self {
        let mut signer = Self::new(SignFlow::Tablet, SignMethod::TabletSign, email);
        signer.device_id = Some(device_id.into());
        signer.is_fingerprint = Some(is_fingerprint);
        signer.is_nid = Some(is_nid);
        signer
    }

    /// Whoever finds the document in the public portal by its subject.
    pub fn portal(email: impl Into<String>) -> Self {
        Self::new(SignFlow::Portal, SignMethod::SigningPortal, email)
    }

    /// First and first last name; both are needed for `fea`.
    pub fn name(mut self, firstname: impl Into<String>, lastname1: impl Into<String>) -> Self {
        self.firstname = Some(firstname.into());
        self.lastname1 = Some(lastname1.into());
        self
    }

    /// Second last name.
    pub fn second_last_name(mut self, lastname2: impl Into<String>) -> Self {
        self.lastname2 = Some(lastname2.into());
        self
    }

    /// Phone: 8 to 15 digits, an optional `+` before them, blanks, dots, hyphens and brackets between. Needed for `sms`.
    pub fn phone(mut self, phone: impl Into<String>) -> Self {
        self.phone = Some(phone.into());
        self
    }

    /// RUT, needed for `fea` and read strictly there. The start of a flow has no field for it (trap 21): it goes into the
    /// signer's contact first, see [`Flow::contacts`](super::Flow::contacts).
    pub fn rut(mut self, rut: impl Into<String>) -> Self {
        self.rut = Some(rut.into());
        self
    }

    /// The device to sign on, for [`Signer::new`] with `tablet_sign`.
    pub fn device(mut self, device_id: impl Into<String>) -> Self {
        self.device_id = Some(device_id.into());
        self
    }

    /// Whether a fingerprint is taken on the device.
    pub const fn fingerprint(mut self, is_taken: bool) -> Self {
        self.is_fingerprint = Some(is_taken);
        self
    }

    /// Whether the identity card is read on the device (`is_NID`).
    pub const fn identity_card(mut self, is_read: bool) -> Self {
        self.is_nid = Some(is_read);
        self
    }

    /// Asks for a video; only with `sms` and `no_sms`.
    pub const fn video_check(mut self) -> Self {
        self.video_validation = true;
        self
    }

    /// Asks for a selfie; only with `sms` and `no_sms`.
    pub const fn selfie_check(mut self) -> Self {
        self.selfie_validation = true;
        self
    }

    /// Asks for the identity document; only with `sms` and `no_sms`.
    pub const fn id_check(mut self) -> Self {
        self.id_validation = true;
        self
    }

    /// Where the signature is printed.
    pub fn at(mut self, placement: Placement) -> Self {
        self.placement = placement;
        self
    }

    /// No mail from the service: the sign URL comes in the answer and the caller hands it on.
    pub const fn skip_email(mut self) -> Self {
        self.skip_email = Some(true);
        self
    }

    /// Where the service posts each step of this signer. It may carry a secret, so it is never printed.
    pub fn status_callback(mut self, url: impl Into<String>) -> Self {
        self.callback = Some(Secret::new(url));
        self
    }

    /// His e-mail.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// His role.
    #[must_use]
    pub const fn sign_flow(&self) -> &SignFlow {
        &self.flow
    }

    /// How he signs.
    #[must_use]
    pub const fn sign_method(&self) -> &SignMethod {
        &self.method
    }

    /// Whether role or method was forced by `unchecked`.
    pub(crate) fn is_unchecked(&self) -> bool {
        matches!(&self.flow, SignFlow::Other(value) if value.is_sendable())
            || matches!(&self.method, SignMethod::Other(value) if value.is_sendable())
    }
}
