//! Which invoices are listed (contract 3.5 and 4.7).
//!
//! The rule enforced here: `period` is always sent, since a service that is not told hides everything older than twelve months (trap 1).

use integration_core::{Error, Faults};
use jiff::civil::Date;

use super::invoice::Income;
use crate::desk::{Ask, check_page_size};
use crate::kinds::InvoiceKind;

/// The time that a list covers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
#[doc(alias("periodo", "período"))]
pub enum Period {
    /// Everything; the default of this crate, not of the service.
    #[default]
    All,
    /// The last twelve months: what the service gives whoever does not ask.
    Last12Months,
    /// This month.
    ThisMonth,
    /// The last thirty days.
    Last30Days,
    /// Last month.
    LastMonth,
    /// This year.
    ThisYear,
    /// Last year.
    LastYear,
    /// From one day to another, both included; the first is not after the second.
    Between(Date, Date),
}

impl Period {
    const fn wire(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Last12Months => "last_12_months",
            Self::ThisMonth => "this_month",
            Self::Last30Days => "last_30_days",
            Self::LastMonth => "last_month",
            Self::ThisYear => "this_year",
            Self::LastYear => "last_year",
            Self::Between(..) => "more",
        }
    }
}

/// Which date the period is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SearchDate {
    /// `issue_date`, the service's default.
    #[doc(alias = "issue_date")]
    Issue,
    /// `paid_date`
    #[doc(alias = "paid_date")]
    Paid,
    /// `transaction_date`
    #[doc(alias = "transaction_date")]
    Transaction,
}

impl SearchDate {
    const fn wire(self) -> &'static str {
        match self {
            Self::Issue => "issue_date",
            Self::Paid => "paid_date",
            Self::Transaction => "transaction_date",
        }
    }
}

/// What a list of invoices is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum InvoiceOrder {
    Number,
    UpdatedAt,
    PriceNet,
    PriceGross,
    PriceTax,
    IssueDate,
    PaymentTo,
    PaidDate,
    TransactionDate,
    BuyerName,
    BuyerTaxNo,
    SellerName,
    Oid,
}

impl InvoiceOrder {
    const fn wire(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::UpdatedAt => "updated_at",
            Self::PriceNet => "price_net",
            Self::PriceGross => "price_gross",
            Self::PriceTax => "price_tax",
            Self::IssueDate => "issue_date",
            Self::PaymentTo => "payment_to",
            Self::PaidDate => "paid_date",
            Self::TransactionDate => "transaction_date",
            Self::BuyerName => "buyer_name",
            Self::BuyerTaxNo => "buyer_tax_no",
            Self::SellerName => "seller_name",
            Self::Oid => "oid",
        }
    }
}

/// Which invoices, in which order. Everything of every time unless said otherwise.
///
/// There is no "updated since": order by [`InvoiceOrder::UpdatedAt`] descending and stop where it is old enough.
///
/// ```
/// use jiff::civil::date;
/// use sugester::bitfactura::{InvoiceOrder, InvoiceQuery, Period};
///
/// let query = InvoiceQuery::new()
///     .period(Period::Between(date(2024, 1, 1), date(2024, 3, 31)))
///     .client(17)
///     .with_positions()
///     .descending(InvoiceOrder::UpdatedAt);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct InvoiceQuery {
    period: Period,
    per_page: Option<u32>,
    first: u32,
    rest: Vec<(&'static str, String)>,
}

impl InvoiceQuery {
    /// Everything.
    pub fn new() -> Self {
        Self { first: 1, ..Self::default() }
    }

    /// `period`; [`Period::All`] unless set.
    pub fn period(mut self, period: Period) -> Self {
        self.period = period;
        self
    }

    fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        if name != "kinds[]" {
            self.rest.retain(|(known, _)| *known != name);
        }
        self.rest.push((name, value.to_string()));
        self
    }

    /// `search_date_type` (documented for sister brands).
    #[doc(alias = "search_date_type")]
    pub fn search_date(self, date: SearchDate) -> Self {
        self.with("search_date_type", date.wire())
    }

    /// `income`: costs, or sales, which is what the service gives whoever does not ask.
    pub fn income(self, income: Income) -> Self {
        self.with("income", if income == Income::Sale { "yes" } else { "no" })
    }

    /// `client_id`
    #[doc(alias = "client_id")]
    pub fn client(self, id: u64) -> Self {
        self.with("client_id", id)
    }

    /// `include_positions=true`
    pub fn with_positions(self) -> Self {
        self.with("include_positions", true)
    }

    /// `number` (documented for sister brands).
    pub fn number(self, number: impl Into<String>) -> Self {
        self.with("number", number.into())
    }

    /// `kind` (documented for sister brands).
    pub fn kind(self, kind: &InvoiceKind) -> Self {
        self.with("kind", kind)
    }

    /// `kinds[]` (documented for sister brands); adds to those given before.
    pub fn kinds<'k>(self, kinds: impl IntoIterator<Item = &'k InvoiceKind>) -> Self {
        kinds.into_iter().fold(self, |query, kind| query.with("kinds[]", kind))
    }

    /// `invoice_ids` (documented for sister brands).
    #[doc(alias = "invoice_ids")]
    pub fn ids(self, ids: impl IntoIterator<Item = u64>) -> Self {
        let ids: Vec<_> = ids.into_iter().map(|id| id.to_string()).collect();
        self.with("invoice_ids", ids.join(","))
    }

    /// `from_invoice_id` (documented for sister brands).
    #[doc(alias = "from_invoice_id")]
    pub fn made_from(self, id: u64) -> Self {
        self.with("from_invoice_id", id)
    }

    /// `oid` (observed). Whether the service compares exactly is unknown: compare again, or use
    /// [`Client::invoices_by_oid`](super::Client::invoices_by_oid).
    pub fn oid(self, oid: impl Into<String>) -> Self {
        self.with("oid", oid.into())
    }

    /// `department_id` (observed).
    #[doc(alias = "department_id")]
    pub fn department(self, id: u64) -> Self {
        self.with("department_id", id)
    }

    /// `additional_fields[invoice]` (documented for sister brands).
    pub fn additional_fields(self, names: &[&str]) -> Self {
        self.with("additional_fields[invoice]", names.join(","))
    }

    /// `fields[invoice]` (documented for sister brands); `id` is always asked for.
    pub fn only_fields(self, names: &[&str]) -> Self {
        let names: Vec<_> =
            std::iter::once("id").chain(names.iter().copied().filter(|name| *name != "id")).collect();
        self.with("fields[invoice]", names.join(","))
    }

    /// `order` (documented for sister brands).
    #[doc(alias = "order")]
    pub fn ascending(self, order: InvoiceOrder) -> Self {
        self.with("order", order.wire())
    }

    /// `order` with `.desc` (documented for sister brands).
    #[doc(alias = "order")]
    pub fn descending(self, order: InvoiceOrder) -> Self {
        self.with("order", format!("{}.desc", order.wire()))
    }

    /// `per_page`, 1 to 100; the client's unless set.
    pub fn per_page(mut self, invoices: u32) -> Self {
        self.per_page = Some(invoices);
        self
    }

    /// Starts at this page; 1 unless set.
    pub fn starting_at(mut self, page: u32) -> Self {
        self.first = page;
        self
    }

    pub(super) fn first(&self) -> u32 {
        self.first.max(1)
    }

    pub(super) fn page_size(&self, default: u32) -> u32 {
        self.per_page.unwrap_or(default)
    }

    pub(super) fn check(&self, operation: &'static str) -> Result<(), Error> {
        let mut faults = Faults::new();
        if let Period::Between(from, to) = &self.period
            && from > to
        {
            let fault = integration_core::Fault::error("PERIOD", "date_from");
            faults.push(fault.with_expected(format!("a day not after {to}")).with_actual(from.to_string()));
        }
        if let Some(Err(error)) = self.per_page.map(check_page_size) {
            error.faults().iter().for_each(|fault| faults.push(fault.clone()));
        }
        faults.into_result(operation).map(drop)
    }

    pub(super) fn ask(&self, ask: Ask) -> Ask {
        let ask = ask.query("period", self.period.wire());
        let ask = match &self.period {
            Period::Between(from, to) => ask.query("date_from", from).query("date_to", to),
            _ => ask,
        };
        self.rest.iter().fold(ask, |ask, (name, value)| ask.query(*name, value))
    }
}
