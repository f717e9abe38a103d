//! Fiscal documents: put together, computed or verified, and sealed.
//!
//! A [`Document`] exists only if it passed every local rule, so that what is sent can be refused for reasons that only the
//! service knows (numbers, tokens), not for its amounts.

mod builder;
mod extras;
mod fields;
mod header;
mod json;
mod kind;
mod line;
mod numeric;
mod party;
mod resolve;
pub mod server;
mod settled;
mod totals;
mod write;

pub use builder::DocumentBuilder;
pub use extras::ExtraValue;
pub use header::HeaderAmount;
pub use kind::{Currency, DocumentType};
pub use line::{Line, Payment};
pub use numeric::Numeric;
pub use party::{Buyer, IdentityKind};
pub use totals::{TaxGroup, Totals};

pub(crate) use fields::{MAIL_ADDRESS, REMARK};
pub(crate) use party::CHECK_DIGIT;
pub(crate) use settled::At;

use integration_core::tax::id::Rif;
use integration_core::{Error, Fault, Faults};
use rust_decimal::Decimal;

use crate::number::{ControlNumber, InternalNumber};
use crate::profile::WireProfile;
use builder::{Draft, Related};
use resolve::Resolved;

/// A checked fiscal document, ready to be issued.
///
/// ```
/// use fiscal_printer::{Buyer, ControlNumber, Document, Line};
///
/// let invoice: ControlNumber = "00-00000042".parse()?;
/// let note = Document::credit_note("J-12345678-4", 7, invoice)
///     .buyer(Buyer::new("Comercial Ejemplo", "J-12345678-4").address("Calle 1").phone("584121234567"))
///     .remark("Devolución de mercancía")
///     .line(Line::new("A2", "Dos", "20.00", 1))
///     .build()?;
/// assert_eq!(note.totals().total.to_string(), "23.20");
/// assert!(note.to_json(&Default::default()).contains(r#""relacionado":"00-00000042""#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// An internal number is not a control number:
///
/// ```compile_fail
/// # use fiscal_printer::{Document, InternalNumber};
/// Document::credit_note("J-12345678-4", 7, InternalNumber::from(42));
/// ```
#[derive(Debug, Clone)]
#[doc(alias("documento", "factura"))]
pub struct Document {
    resolved: Resolved,
    warnings: Vec<Fault>,
}

impl Document {
    /// Starts an invoice (type 1) of the issuer `rif` with the issuer's own number.
    ///
    /// The RIF may be written with or without hyphens, dots and spaces; it goes out as `J-12345678-4`, or in the token's own
    /// spelling if that is the one given here.
    #[doc(alias = "factura")]
    pub fn invoice(rif: impl Into<String>, number: impl Into<InternalNumber>) -> DocumentBuilder {
        plain(DocumentType::Invoice, rif, number)
    }

    /// Starts a debit note (type 2) on `invoice`.
    #[doc(alias("nota de debito", "nota de débito"))]
    pub fn debit_note(
        rif: impl Into<String>,
        number: impl Into<InternalNumber>,
        invoice: ControlNumber,
    ) -> DocumentBuilder {
        note(DocumentType::DebitNote, rif, number, Related::Invoice(invoice))
    }

    /// Starts a credit note (type 3) on `invoice`.
    #[doc(alias("nota de credito", "nota de crédito"))]
    pub fn credit_note(
        rif: impl Into<String>,
        number: impl Into<InternalNumber>,
        invoice: ControlNumber,
    ) -> DocumentBuilder {
        note(DocumentType::CreditNote, rif, number, Related::Invoice(invoice))
    }

    /// Starts a debit note on an invoice from before the digital system (`regimenanterior`, observed only): free text of
    /// at most 12 characters, and a remark is required.
    #[doc(alias = "regimenanterior")]
    pub fn debit_note_on_previous_regime(
        rif: impl Into<String>,
        number: impl Into<InternalNumber>,
        invoice: impl Into<String>,
    ) -> DocumentBuilder {
        note(DocumentType::DebitNote, rif, number, Related::PreviousRegime(invoice.into()))
    }

    /// Starts a credit note on an invoice from before the digital system, as
    /// [`debit_note_on_previous_regime`](Self::debit_note_on_previous_regime).
    #[doc(alias = "regimenanterior")]
    pub fn credit_note_on_previous_regime(
        rif: impl Into<String>,
        number: impl Into<InternalNumber>,
        invoice: impl Into<String>,
    ) -> DocumentBuilder {
        note(DocumentType::CreditNote, rif, number, Related::PreviousRegime(invoice.into()))
    }

    /// Starts a dispatch guide (type 4; see [`DocumentType`] for the doubt about its number).
    ///
    /// By law (PA SNAT/2024/000102 art. 10, secondary source) a guide shows no amounts, while the observed service refuses every
    /// document whose `subtotal` is not above zero: a guide without amounts is built with a warning (I13).
    #[doc(alias("guia de despacho", "guía de despacho"))]
    pub fn dispatch_guide(rif: impl Into<String>, number: impl Into<InternalNumber>) -> DocumentBuilder {
        plain(DocumentType::DispatchGuide, rif, number)
    }

    /// Starts a delivery note (type 5; see [`DocumentType`] for the doubt about its number, and
    /// [`dispatch_guide`](Self::dispatch_guide) for amounts).
    #[doc(alias = "nota de entrega")]
    pub fn delivery_note(rif: impl Into<String>, number: impl Into<InternalNumber>) -> DocumentBuilder {
        plain(DocumentType::DeliveryNote, rif, number)
    }

    /// Reads a document from JSON in wire names (contract section 3), of any of the five kinds.
    ///
    /// Amounts that stand in it are verified, those that are missing are computed: the same reader serves a bare list of
    /// lines and a complete request; what [`to_json`](Self::to_json) writes is read back as the same document. Numbers may be JSON numbers or numbers in quotes and are read exactly. A payment
    /// may carry `"foreign_currency": true`, which is ours and not sent. Keys that are not known become extras and are
    /// reported as warnings.
    ///
    /// # Errors
    /// A validation error if the text is no JSON object or larger than 8 MiB. Everything else (wrong types, nulls, missing
    /// fields, more than 10 000 items or payments) is kept and reported together with all other faults by
    /// [`DocumentBuilder::build`].
    ///
    /// ```
    /// use fiscal_printer::Document;
    ///
    /// let document = Document::from_json(br#"{
    ///     "rif": "J-12345678-4", "idtipodocumento": 1, "numerointerno": "00000042", "tipomoneda": 1,
    ///     "nombrecliente": "Comercial Ejemplo", "rifcedulacliente": "V-12345678", "idtipocedulacliente": 1,
    ///     "emailcliente": "compras@example.com", "direccioncliente": "Calle 1", "telefonocliente": "584121234567",
    ///     "cuerpofactura": [{"codigo": "A2", "descripcion": "Dos", "precio": 20.00, "cantidad": 1, "tasa": 16}]
    /// }"#)?.build()?;
    /// assert_eq!(document.totals().total.to_string(), "23.20");
    /// # Ok::<(), fiscal_printer::Error>(())
    /// ```
    pub fn from_json(json: &[u8]) -> Result<DocumentBuilder, Error> {
        json::read(json)
    }

    /// What kind it is.
    #[must_use]
    #[doc(alias = "idtipodocumento")]
    pub fn kind(&self) -> DocumentType {
        self.resolved.kind
    }

    /// The issuer.
    #[must_use]
    #[doc(alias("rif", "emisor"))]
    pub fn issuer(&self) -> &Rif {
        &self.resolved.issuer
    }

    /// The issuer as the caller wrote it, before it was made canonical.
    pub(crate) fn issuer_as_given(&self) -> &str {
        &self.resolved.draft.issuer
    }

    /// The issuer's own number.
    #[must_use]
    #[doc(alias = "numerointerno")]
    pub fn number(&self) -> &InternalNumber {
        &self.resolved.number
    }

    /// The control number of the invoice that a note refers to; `None` too for an invoice from before the digital system.
    #[must_use]
    #[doc(alias = "relacionado")]
    pub fn related(&self) -> Option<&ControlNumber> {
        match &self.resolved.draft.related {
            Related::Invoice(number) => Some(number),
            Related::Nothing | Related::Reported | Related::PreviousRegime(_) => None,
        }
    }

    /// All totals.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.resolved.totals
    }

    /// The buyer's e-mail addresses, as they were given.
    #[doc(alias = "emailcliente")]
    pub fn emails(&self) -> impl Iterator<Item = &str> {
        self.resolved.draft.buyer.emails.iter().map(String::as_str)
    }

    /// What is worth knowing but does not stop the document.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// What the observed service's arithmetic would refuse (contract 6.2); empty if it accepts every amount.
    #[must_use]
    pub fn server_disagreements(&self) -> Vec<server::Disagreement> {
        resolve::server_disagreements(&self.resolved)
    }

    /// The currency of all amounts.
    #[must_use]
    #[doc(alias("tipomoneda", "moneda"))]
    pub fn currency(&self) -> Currency {
        self.resolved.draft.currency
    }

    /// Bolívars for one unit of [`currency`](Self::currency), with four decimals; 0 where none was given.
    #[must_use]
    #[doc(alias("tasadecambio", "tasa de cambio"))]
    pub fn exchange_rate(&self) -> Decimal {
        self.resolved.exchange_rate
    }

    /// What the observed service stores in bolívars for a document in dollars or euros (contract 6.2, S5): each amount x the
    /// exchange rate, rounded to four decimals on its own, so that the columns need not add up. Empty for a document in bolívars.
    ///
    /// ```
    /// use fiscal_printer::{Buyer, Currency, Document, HeaderAmount, Line};
    ///
    /// let document = Document::invoice("J-12345678-4", 42)
    ///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
    ///     .line(Line::new("A2", "Dos", "20.00", 1))
    ///     .currency(Currency::Dollar, "236.1234")
    ///     .build()?;
    /// let stored = document.bolivar_columns();
    /// assert!(stored.iter().any(|(name, amount)| {
    ///     *name == HeaderAmount::Total && amount.to_string() == "5478.0629"
    /// }));
    /// # Ok::<(), fiscal_printer::Error>(())
    /// ```
    #[must_use]
    pub fn bolivar_columns(&self) -> Vec<(HeaderAmount, Decimal)> {
        if self.currency() == Currency::Bolivar {
            return Vec::new();
        }
        let amounts = HeaderAmount::ALL.into_iter().filter(|name| !name.is_rate());
        let stored = |name| server::bolivars(self.totals().get(name)?, self.exchange_rate());
        amounts.filter_map(|name| Some((name, stored(name)?))).collect()
    }

    /// The request body, exactly as it would be sent under `profile` to an issuer whose token names the canonical RIF.
    #[must_use]
    pub fn to_json(&self, profile: &WireProfile) -> String {
        self.to_json_as(profile, &self.resolved.issuer.to_string())
    }

    /// Whether it asks to be mailed when it is issued.
    #[cfg(feature = "journal")]
    pub(crate) fn mails_at_issue(&self) -> bool {
        self.resolved.draft.mail_at_issue
    }

    /// Whether the document can be written under `profile`: the payments array may not take the name of a field or an extra.
    pub(crate) fn check_profile(&self, profile: &WireProfile, faults: &mut Faults) {
        let key = profile.payments_key.as_str();
        if key.is_empty() || (write::HEADER_KEYS.contains(&key) && key != write::PAYMENTS) {
            let fault =
                Fault::error("R42", write::PAYMENTS).with_expected("a name of its own").with_actual(key);
            faults.push(fault.with_hint("`WireProfile::payments_key` is empty or the name of another field"));
        }
        self.resolved.draft.extras.check(At::HEADER, &[key], faults);
    }

    /// As [`to_json`](Self::to_json), with the spelling of the RIF that the token has.
    pub(crate) fn to_json_as(&self, profile: &WireProfile, rif: &str) -> String {
        write::request(&self.resolved, profile, rif)
    }
}

fn plain(kind: DocumentType, rif: impl Into<String>, number: impl Into<InternalNumber>) -> DocumentBuilder {
    note(kind, rif, number, Related::Nothing)
}

fn note(
    kind: DocumentType,
    rif: impl Into<String>,
    number: impl Into<InternalNumber>,
    related: Related,
) -> DocumentBuilder {
    DocumentBuilder(Draft::new(Some(kind), rif.into(), Some(number.into()), related))
}

/// Addresses of a mail as one field.
pub(crate) fn joined_emails(addresses: &[String], faults: &mut Faults) -> String {
    fields::emails(addresses, MAIL_ADDRESS, faults)
}
