//! Puts a flow together; every rule is checked at once when it is built.

use integration_core::{Error, Faults};

use super::pair::Level;
use super::signer::Signer;
use super::{Copied, Flow, Order, check};

/// Everything a caller said about a flow, unchecked. Setters never fail; [`build`](Self::build) reports every problem at once.
///
/// ```
/// use legale::flow::{Flow, SignMethod, Signer};
///
/// let error = Flow::parallel()
///     .signer(Signer::outsider(SignMethod::Sms, "ana@example.com"))
///     .signer(Signer::user(SignMethod::Fea, "luis example.com"))
///     .build()
///     .unwrap_err();
/// let paths: Vec<_> = error.faults().iter().map(|fault| fault.path()).collect();
/// assert_eq!(paths, ["signer_list[0].phone", "signer_list[1].sign_method", "signer_list[1].email"]);
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct FlowBuilder {
    pub(super) order: Order,
    pub(super) signers: Vec<Signer>,
    pub(super) expiration_days: Option<u32>,
    pub(super) share_signed_document: Option<bool>,
    pub(super) shared: Vec<Copied>,
    pub(super) min_level: Option<Level>,
    pub(super) document_subject: Option<String>,
}

impl FlowBuilder {
    pub(super) const fn new(order: Order) -> Self {
        Self {
            order,
            signers: Vec::new(),
            expiration_days: None,
            share_signed_document: None,
            shared: Vec::new(),
            min_level: None,
            document_subject: None,
        }
    }

    /// Adds a participant; in a sequential flow he comes after those added before.
    pub fn signer(mut self, signer: Signer) -> Self {
        self.signers.push(signer);
        self
    }

    /// Adds participants in their order.
    pub fn signers(mut self, signers: impl IntoIterator<Item = Signer>) -> Self {
        self.signers.extend(signers);
        self
    }

    /// How many days of 24 hours the links live, at least 1. Unless set, the service decides.
    #[doc(alias("expiration", "vencimiento"))]
    pub const fn expires_in_days(mut self, days: u32) -> Self {
        self.expiration_days = Some(days);
        self
    }

    /// Whether the signed file is mailed to all signers at the end. Unless set, the service decides (it documents no).
    pub const fn share_with_signers(mut self, is_shared: bool) -> Self {
        self.share_signed_document = Some(is_shared);
        self
    }

    /// Who else gets the signed file.
    #[doc(alias("shared_list", "compartir"))]
    pub fn share_with(mut self, email: impl Into<String>, name: impl Into<String>) -> Self {
        self.shared.push(Copied { email: email.into(), name: name.into() });
        self
    }

    /// The least that each signature must be worth (Chile); approvers are exempt.
    pub const fn min_level(mut self, level: Level) -> Self {
        self.min_level = Some(level);
        self
    }

    /// The subject of the document, under which it is found in the signing portal. It is not sent with the flow: it only
    /// settles the warning `PORTAL-SUBJECT`.
    pub fn document_subject(mut self, subject: impl Into<String>) -> Self {
        self.document_subject = Some(subject.into());
        self
    }

    /// Everything that is wrong or odd, without building; the order is that of the fields.
    #[must_use]
    pub fn check(&self) -> Faults {
        check::all(self)
    }

    /// The flow, if nothing is wrong with it.
    ///
    /// # Errors
    /// A validation error that lists every problem with the index of its signer, warnings included.
    pub fn build(self) -> Result<Flow, Error> {
        let warnings = self.check().into_result("build a flow")?;
        Ok(Flow {
            order: self.order,
            signers: self.signers,
            expiration_days: self.expiration_days,
            share_signed_document: self.share_signed_document,
            shared: self.shared,
            warnings,
        })
    }
}
