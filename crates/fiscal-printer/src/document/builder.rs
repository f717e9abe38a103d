//! Puts a document together; every rule is checked at once when it is built.

use std::collections::{BTreeMap, BTreeSet};

use integration_core::clock::{Clock, SystemClock};
use integration_core::{Error, Faults, Severity};
use jiff::civil::Date;
use jiff::tz::Offset;

use super::extras::{ExtraValue, Extras};
use super::header::HeaderAmount;
use super::kind::{Currency, DocumentType};
use super::line::{Line, Payment};
use super::numeric::Numeric;
use super::party::{Buyer, CHECK_DIGIT};
use super::server::RoundingPolicy;
use super::{Document, resolve};
use crate::number::{ControlNumber, InternalNumber};
use crate::rates::Rates;

/// What a note refers to, `relacionado`.
#[derive(Debug, Clone)]
pub(crate) enum Related {
    Nothing,
    Invoice(ControlNumber),
    /// An invoice from before the digital system (`regimenanterior` = 1): free text.
    PreviousRegime(String),
    /// A text that is no control number, as the reader of the draft reported.
    Reported,
}

/// Everything a caller said about a document, unchecked.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// `None` where a JSON draft does not tell it, as its reader reported.
    pub(crate) kind: Option<DocumentType>,
    pub(crate) issuer: String,
    pub(crate) number: Option<InternalNumber>,
    pub(crate) related: Related,
    pub(crate) buyer: Buyer,
    pub(crate) currency: Currency,
    pub(crate) exchange_rate: Option<Numeric>,
    /// `None` in the place of an element that is no object, as the reader of the draft reported.
    pub(crate) lines: Vec<Option<Line>>,
    pub(crate) payments: Vec<Option<Payment>>,
    pub(crate) claims: BTreeMap<HeaderAmount, Numeric>,
    pub(crate) all_claims_required: bool,
    pub(crate) luxury: bool,
    pub(crate) mail_at_issue: bool,
    pub(crate) tracking_id: Option<String>,
    pub(crate) branch: Option<String>,
    pub(crate) branch_address: Option<String>,
    pub(crate) remark: Option<String>,
    pub(crate) due_date: Option<String>,
    pub(crate) extras: Extras,
    pub(crate) rates: Option<Rates>,
    pub(crate) date: Option<Date>,
    pub(crate) rounding: RoundingPolicy,
    pub(crate) raised: BTreeSet<&'static str>,
    /// What reading the draft already found.
    pub(crate) found: Findings,
}

/// What the reader of a JSON draft found.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    pub(crate) faults: Faults,
    /// The fields that could not be read: that they are missing, too, is not reported again.
    pub(crate) unreadable: BTreeSet<String>,
}

impl Draft {
    pub(crate) fn new(
        kind: Option<DocumentType>,
        issuer: String,
        number: Option<InternalNumber>,
        related: Related,
    ) -> Self {
        Self {
            kind,
            issuer,
            number,
            related,
            buyer: Buyer::new("", ""),
            currency: Currency::Bolivar,
            exchange_rate: None,
            lines: Vec::new(),
            payments: Vec::new(),
            claims: BTreeMap::new(),
            all_claims_required: false,
            luxury: false,
            mail_at_issue: false,
            tracking_id: None,
            branch: None,
            branch_address: None,
            remark: None,
            due_date: None,
            extras: Extras::default(),
            rates: None,
            date: None,
            rounding: RoundingPolicy::Fiscal,
            raised: BTreeSet::new(),
            found: Findings::default(),
        }
    }

    pub(crate) fn rates_in_force(&self) -> Result<Rates, Error> {
        match self.rates {
            Some(rates) => Ok(rates),
            None => Rates::in_force(self.date.unwrap_or_else(today)),
        }
    }
}

/// Venezuela keeps UTC-4 all year (assumed, contract 4.1).
fn today() -> Date {
    Offset::constant(-4).to_datetime(SystemClock::new().wall()).date()
}

/// Builds a [`Document`]. Setters never fail; [`build`](Self::build) reports every fault at once.
///
/// ```
/// use fiscal_printer::{Buyer, Document, Line, Payment};
///
/// let document = Document::invoice("J-12345678-4", 42)
///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678")
///         .email("compras@example.com").address("Calle 1").phone("0412-1234567"))
///     .line(Line::new("A1", "Uno", "10.00", 1).reduced())
///     .line(Line::new("A2", "Dos", "20.00", 1))
///     .line(Line::new("A3", "Tres", "5.00", 2).exempt())
///     .payment(Payment::in_foreign_currency("Efectivo USD", "44.00"))
///     .payment(Payment::new("Efectivo", "1.32"))
///     .build()?;
/// assert_eq!(document.totals().total.to_string(), "45.32");
/// # Ok::<(), fiscal_printer::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct DocumentBuilder(pub(crate) Draft);

impl DocumentBuilder {
    /// Names the buyer.
    pub fn buyer(mut self, buyer: Buyer) -> Self {
        self.0.buyer = buyer;
        self
    }

    /// Adds an item.
    #[doc(alias = "cuerpofactura")]
    pub fn line(mut self, line: Line) -> Self {
        self.0.lines.push(Some(line));
        self
    }

    /// Adds items.
    pub fn lines(mut self, lines: impl IntoIterator<Item = Line>) -> Self {
        self.0.lines.extend(lines.into_iter().map(Some));
        self
    }

    /// Adds a payment. The IGTF base follows from those in foreign currency.
    #[doc(alias = "formasdepago")]
    pub fn payment(mut self, payment: Payment) -> Self {
        self.0.payments.push(Some(payment));
        self
    }

    /// Prices the document in a foreign currency: all amounts are in it. `exchange_rate` is bolívars for one unit, above zero
    /// with at most four decimals (I16): the BCV rate of the day of the taxable event, rounded half-up to four decimals once.
    /// Notes take their invoice's rate in practice.
    #[doc(alias("tipomoneda", "tasadecambio"))]
    pub fn currency(mut self, currency: Currency, exchange_rate: impl Into<Numeric>) -> Self {
        self.0.currency = currency;
        self.0.exchange_rate = Some(exchange_rate.into());
        self
    }

    /// Shows the day's exchange rate on a document in bolívars; 0 goes out unless set.
    #[doc(alias = "tasadecambio")]
    pub fn exchange_rate(mut self, rate: impl Into<Numeric>) -> Self {
        self.0.exchange_rate = Some(rate.into());
        self
    }

    /// Sets the IGTF base by hand, where it does not follow from the payments: an amount with at most two decimals, at most
    /// `subtotal` + VAT (I10).
    #[doc(alias("baseigft", "baseigtf"))]
    pub fn igtf_base(self, base: impl Into<Numeric>) -> Self {
        self.claim(HeaderAmount::IgtfBase, base)
    }

    /// Brings an amount computed elsewhere, in the document's currency with at most two decimals, or a rate in percent: it is
    /// verified (I6 to I12, I19) and sent as it is, or reported.
    ///
    /// ```
    /// use fiscal_printer::{Buyer, Document, HeaderAmount, Line};
    ///
    /// let error = Document::invoice("J-12345678-4", 42)
    ///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
    ///     .line(Line::new("A2", "Dos", "20.00", 1))
    ///     .claim(HeaderAmount::Total, "23.21")
    ///     .build()
    ///     .unwrap_err();
    /// let fault = error.faults().iter().find(|fault| fault.rule() == "I12").expect("the total is wrong");
    /// assert_eq!((fault.path(), fault.expected(), fault.actual()), ("total", "23.20", "23.21"));
    /// ```
    pub fn claim(mut self, amount: HeaderAmount, value: impl Into<Numeric>) -> Self {
        self.0.claims.insert(amount, value.into());
        self
    }

    /// Verifies only: every amount that the manual requires must be brought, with [`claim`](Self::claim), with
    /// [`Line::amount`] and [`Line::tax`], or in JSON; none is computed for the caller.
    pub fn verify_only(mut self) -> Self {
        self.0.all_claims_required = true;
        self
    }

    /// Allows lines at the luxury rate. Only the observed service has the group (`tasaa`, `basea`, `impuestoa`).
    #[doc(alias = "tasaa")]
    pub fn luxury_rate(mut self) -> Self {
        self.0.luxury = true;
        self
    }

    /// Asks the service to mail the document when it is issued (`sendmail` 1). Mailing it in a step of its own is better:
    /// a failing mail then cannot blur whether the document was issued.
    #[doc(alias = "sendmail")]
    pub fn mail_at_issue(mut self) -> Self {
        self.0.mail_at_issue = true;
        self
    }

    /// Sets `trackingid`, at most 50 characters. The service stores it and promises nothing.
    #[doc(alias = "trackingid")]
    pub fn tracking_id(mut self, id: impl Into<String>) -> Self {
        self.0.tracking_id = Some(id.into());
        self
    }

    /// Names the issuer's branch (`sucursal`, at most 10 characters, and `direccionsucursal`, at most 500).
    #[doc(alias("sucursal", "direccionsucursal"))]
    pub fn branch(mut self, id: impl Into<String>, address: impl Into<String>) -> Self {
        self.0.branch = Some(id.into());
        self.0.branch_address = Some(address.into());
        self
    }

    /// Adds a general remark (`observacion`, at most 200 characters). The law asks for the reason on notes.
    #[doc(alias("observacion", "observación"))]
    pub fn remark(mut self, text: impl Into<String>) -> Self {
        self.0.remark = Some(text.into());
        self
    }

    /// Sets the due date (`fechavence`, observed only; its form is not documented).
    #[doc(alias("fechavence", "vencimiento"))]
    pub fn due_date(mut self, text: impl Into<String>) -> Self {
        self.0.due_date = Some(text.into());
        self
    }

    /// Adds a header field that this crate does not know.
    pub fn extra(mut self, key: impl Into<String>, value: impl Into<ExtraValue>) -> Self {
        self.0.extras.push(key, value.into());
        self
    }

    /// Uses these tax rates instead of the built-in table's for today.
    pub fn rates(mut self, rates: Rates) -> Self {
        self.0.rates = Some(rates);
        self
    }

    /// Uses the built-in table's rates for this day; notes take the rates of their invoice.
    pub fn dated(mut self, date: Date) -> Self {
        self.0.date = Some(date);
        self
    }

    /// Chooses which cent wins where the service's arithmetic differs.
    pub fn rounding(mut self, policy: RoundingPolicy) -> Self {
        self.0.rounding = policy;
        self
    }

    /// Makes wrong check digits of identity numbers an error or a warning; a warning unless set, and an error when the
    /// document is sent to production.
    pub fn check_digit(mut self, severity: Severity) -> Self {
        if severity == Severity::Error {
            return self.raise(CHECK_DIGIT);
        }
        self.0.raised.remove(CHECK_DIGIT);
        self
    }

    /// Turns the warnings of a rule into errors, for example `I14` where every sale must be paid, or `S1`, `S3` and `S4` where
    /// nothing may go out that the observed service would refuse.
    pub fn raise(mut self, rule: &'static str) -> Self {
        self.0.raised.insert(rule);
        self
    }

    /// Takes over what a note has in common with its invoice: buyer, currency and rate.
    #[cfg(feature = "journal")]
    pub(crate) fn with_parties_of(mut self, invoice: Self) -> Self {
        let Draft { buyer, currency, exchange_rate, .. } = invoice.0;
        self.0.buyer = buyer;
        self.0.currency = currency;
        self.0.exchange_rate = exchange_rate;
        self
    }

    /// Checks everything and seals the document.
    ///
    /// # Errors
    /// A validation error whose [`faults`](Error::faults) list **every** broken rule (contract 3.1-3.3 rows as `R1` to
    /// `R43`, identities as `I1` to `I19`), each with its field in wire names, both values and a hint, and the warnings beside
    /// them. Nothing is sent.
    pub fn build(self) -> Result<Document, Error> {
        resolve::document(self.0)
    }
}
