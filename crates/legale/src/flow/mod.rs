//! Who signs, in which order, how: a flow that is checked wholly before anything leaves (contract 4.1 to 4.4).
//!
//! ```
//! use legale::flow::{Flow, Placement, SignMethod, Signer};
//!
//! let flow = Flow::sequential()
//!     .signer(Signer::approver("legal@example.com"))
//!     .signer(Signer::outsider(SignMethod::Sms, "ana@example.com")
//!         .phone("+56 9 1234 5678")
//!         .at(Placement::anchor("FirmaAna")))
//!     .expires_in_days(10)
//!     .share_with("archivo@example.com", "Archivo")
//!     .build()?;
//! assert_eq!(flow.signers().len(), 2);
//! assert!(flow.warnings().is_empty());
//! # Ok::<(), legale::Error>(())
//! ```
//!
//! # Rules
//!
//! Every problem is reported at once, by the wire path of its field (`signer_list[1].phone`). Errors stop the flow, warnings are
//! kept in it. All of these rules are this crate's (assumed); the table of pairs was observed.
//!
//! | rule | severity | what it asks for |
//! |---|---|---|
//! | `SIGNERS` | error | at least one signer |
//! | `PAIR` | error | one of the 15 pairs of `sign_flow` and `sign_method` |
//! | `OPEN` | error | no value that was only read from an answer, such as `bit4id`; `unchecked` forces one |
//! | `REQUIRED` | error | what the method needs: phone, names, RUT, the three tablet fields |
//! | `EMAIL` | error | exactly one `@`, something on both sides, no blanks |
//! | `PHONE` | error | 8 to 15 digits after an optional `+` and separators |
//! | `EXPIRATION` | error | at least one day |
//! | `RUT` | error for `fea`, else a warning | a RUT, its check character right for `fea` |
//! | `IDENTITY` | error | video, selfie and identity document only with `sms` and `no_sms` |
//! | `TABLET` | error | device, fingerprint and identity card only with `tablet_sign` |
//! | `BOX` | error | five values, none negative, not inverted, pages from 1 |
//! | `ANCHOR` | error | one line, not empty |
//! | `LEVEL` | error | no signer below a demanded [`Level`]; approvers are exempt |
//! | `CALLBACK` | error | an absolute `http` or `https` URL |
//! | `GROUPS` | error | one order for all, see [`Groups`] |
//! | `SAME-EMAIL`, `SAME-ANCHOR` | warning | the same e-mail, the same word twice |
//! | `ONLY-APPROVERS` | warning | at least one who signs |
//! | `BOX-RATIO` | warning | a box between 2.7 and 3.3 times as wide as high |
//! | `ANCHOR-LENGTH` | warning | at most 63 characters, the limit of V2 |
//! | `PORTAL-SUBJECT` | warning | a document with a subject where somebody signs in the portal |

mod body;
mod builder;
mod check;
mod groups;
mod pair;
mod placement;
mod signer;

use integration_core::tax::id::Rut;
use integration_core::{Fault, Secret, open_enum};
use jiff::Timestamp;
use serde_json::Value;

pub use builder::FlowBuilder;
pub(crate) use check::is_email;
pub use groups::{Groups, MixedGroups};
pub use pair::{Level, SignFlow, SignMethod};
pub use placement::{Placement, SignBox};
pub use signer::Signer;

open_enum! {
    /// `flow_type`: in which order the signers come.
    #[doc(alias("flow_type", "orden"))]
    guarded Order {
        /// `priority`: the next signer only after the one before has finished, in the order of the list (assumed; the vendor
        /// advises it for critical papers).
        #[doc(alias = "priority")]
        Sequential = "priority",
        /// `simultaneously`: all at once.
        #[doc(alias = "simultaneously")]
        Parallel = "simultaneously",
    }
}

/// A flow that may be started: every rule of this module holds.
#[derive(Debug, Clone)]
#[doc(alias("flujo de firma", "signer_list"))]
pub struct Flow {
    pub(crate) order: Order,
    pub(crate) signers: Vec<Signer>,
    pub(crate) expiration_days: Option<u32>,
    pub(crate) share_signed_document: Option<bool>,
    pub(crate) shared: Vec<Copied>,
    pub(crate) warnings: Vec<Fault>,
}

/// Who else gets the signed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) email: String,
    pub(crate) name: String,
}

/// A contact that must be right at the service before the flow is started: `fea` takes names and RUT from there (trap 21).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ContactNeed {
    /// The signer's e-mail, by which the contact is found without case.
    pub email: String,
    /// First name.
    pub firstname: String,
    /// First last name.
    pub lastname1: String,
    /// Second last name.
    pub lastname2: Option<String>,
    /// Phone.
    pub phone: Option<String>,
    /// The RUT, its check character verified.
    pub rut: Rut,
}

impl Flow {
    /// Starts a flow in which each signer comes after the one before (`priority`).
    pub fn sequential() -> FlowBuilder {
        FlowBuilder::new(Order::Sequential)
    }

    /// Starts a flow in which all sign at once (`simultaneously`).
    pub fn parallel() -> FlowBuilder {
        FlowBuilder::new(Order::Parallel)
    }

    /// Starts a flow of either order.
    pub fn builder(order: Order) -> FlowBuilder {
        FlowBuilder::new(order)
    }

    /// In which order they come.
    #[must_use]
    pub const fn order(&self) -> &Order {
        &self.order
    }

    /// Who takes part, in order.
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// How many days of 24 hours the links live, if that was said.
    #[must_use]
    pub const fn expiration_days(&self) -> Option<u32> {
        self.expiration_days
    }

    /// What is odd about it and was let through.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// When the links of a flow started at `start` run out, if their life was said (the exact instant is assumed).
    #[must_use]
    pub fn deadline(&self, start: Timestamp) -> Option<Timestamp> {
        crate::status::deadline(start, self.expiration_days?)
    }

    /// Whether the account itself signs, which takes the right to sign besides the right to edit (contract 3.1, call 7).
    #[must_use]
    pub fn signs_itself(&self) -> bool {
        self.signers.iter().any(|signer| signer.flow == SignFlow::Me)
    }

    /// The contacts to bring in order before the start: one for each signer by `fea`.
    pub fn contacts(&self) -> impl Iterator<Item = ContactNeed> + '_ {
        self.signers.iter().filter(|signer| signer.method == SignMethod::Fea).filter_map(need)
    }

    /// The body of POST `/sign/start/{GUID}` (contract 3.5).
    /// What must not be shown of it: the addresses to which signers' steps are reported.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret> + '_ {
        self.signers.iter().filter_map(|signer| signer.callback.clone())
    }

    pub(crate) fn to_body(&self) -> Value {
        body::of(self)
    }

    /// The same, to look at without sending anything. It holds sign and callback addresses: treat it like the flow itself.
    #[must_use]
    pub fn dry_run(&self) -> Value {
        self.to_body()
    }
}

fn need(signer: &Signer) -> Option<ContactNeed> {
    Some(ContactNeed {
        email: signer.email.clone(),
        firstname: signer.firstname.clone()?,
        lastname1: signer.lastname1.clone()?,
        lastname2: signer.lastname2.clone(),
        phone: signer.phone.clone(),
        rut: signer.rut.as_deref()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests;
