//! `POST /anulacion` and `POST /email`: what is done to a document after it was issued (contract 4.2).

use integration_core::call::{Idempotency, Operation};
use integration_core::{Answer, Fault, Faults};

use crate::document::{At, MAIL_ADDRESS, REMARK, joined_emails};
use crate::error::Accepted;
use crate::number::ControlNumber;

/// `Keyed`: annulling an annulled document changes nothing more, so a lost call is repeated (observed).
pub(crate) const ANNUL: Operation = Operation::post("annul", "/anulacion", Idempotency::Keyed);

/// `Once`: a repeat may send a second mail, so the caller opts in to it.
pub(crate) const MAIL: Operation = Operation::post("mail", "/email", Idempotency::Once);

/// A mail of an issued document to one or more addresses.
///
/// ```
/// use fiscal_printer::{ControlNumber, Mail};
///
/// let number: ControlNumber = "00-00000042".parse()?;
/// let mail = Mail::new(number, "compras@example.com").and("archivo@example.com").repeatable();
/// # Ok::<(), fiscal_printer::NumberError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Mail {
    pub(crate) control_number: ControlNumber,
    addresses: Vec<String>,
    repeatable: bool,
}

impl Mail {
    /// Mails the document to `address`.
    pub fn new(control_number: ControlNumber, address: impl Into<String>) -> Self {
        Self { control_number, addresses: vec![address.into()], repeatable: false }
    }

    /// Adds an address; several are joined by a vertical bar (observed, not documented).
    pub fn and(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// Lets the client repeat the call when its outcome is unknown, accepting that the mail may then arrive twice.
    pub fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// The addresses.
    #[cfg(feature = "journal")]
    pub(crate) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    #[cfg(feature = "journal")]
    pub(crate) fn is_repeatable(&self) -> bool {
        self.repeatable
    }

    pub(crate) fn idempotency(&self) -> Idempotency {
        if self.repeatable { Idempotency::Keyed } else { MAIL.idempotency }
    }

    /// The `email` field. An empty one is refused here: the service would answer success and send nothing.
    pub(crate) fn field(&self, faults: &mut Faults) -> String {
        let joined = joined_emails(&self.addresses, faults);
        if self.addresses.iter().any(|address| address.trim().is_empty()) {
            let fault = Fault::error("MAIL", "email").with_expected("an e-mail address").with_actual("");
            faults.push(
                fault.with_hint(
                    "one of the addresses is empty: the service would send nothing and say success",
                ),
            );
        }
        if !MAIL_ADDRESS.fits(&joined) {
            let fault =
                Fault::warning("MAIL", "email").with_expected("at most 100 characters").with_actual(&joined);
            faults.push(fault.with_hint(
                "the manual gives `emailcliente` that limit and this field none; send several mails",
            ));
        }
        joined
    }
}

/// Checks the reason of an annulment.
pub(crate) fn check_reason(reason: &str, faults: &mut Faults) {
    REMARK.required(At::HEADER, reason, faults);
}

/// What the service says to an annulment or a mail.
///
/// A mail was accepted, not delivered: the observed service sends it after the answer. The message of an annulment speaks of
/// mail too; infer nothing from it.
#[derive(Debug, Clone)]
pub struct Receipt {
    message: Option<String>,
    warnings: Vec<Fault>,
    answer: Answer,
}

impl Receipt {
    pub(crate) fn read(Accepted { envelope, answer }: Accepted, mut warnings: Vec<Fault>) -> Self {
        let message = envelope.text_or("mensaje", "message", &mut warnings).map(str::to_owned);
        Self { message, warnings, answer }
    }

    /// The service's message.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What is worth knowing about the request and about the answer.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// The raw answer.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }
}
