//! The deal (*Asunto*) of an invoice (contract 4.5).
//!
//! The rules enforced here: no deal without a link to its invoice; the price is exact; an invoice that has a deal changes that deal and
//! never makes a second one; nothing is removed, a cancelled invoice only sets the deal's status.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use integration_core::body::fields::Token;
use integration_core::body::wire;
use integration_core::{Error, Fault, Faults};
use rust_decimal::Decimal;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use url::Url;

use crate::kinds::{InvoiceKind, InvoiceStatus};
use crate::value::{AppKey, ExternalIds, Linked, Scalar};

/// What an invoice says about its deal. `Debug` leaves out the addresses, which open the invoice for everybody.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvoiceFacts {
    /// Its id in BitFactura.
    pub id: u64,
    /// `number`.
    pub number: Option<String>,
    /// `kind`.
    pub kind: Option<InvoiceKind>,
    /// `status`.
    pub status: Option<InvoiceStatus>,
    /// `income`: whether it is a sale and no cost.
    pub income: Option<bool>,
    /// `test`.
    pub test: Option<bool>,
    /// `cancelled`.
    pub cancelled: Option<bool>,
    /// `deleted`.
    pub deleted: Option<bool>,
    /// `issue_date` as it came.
    pub issue_date: Option<String>,
    /// `currency`.
    pub currency: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `price_gross`.
    pub price_gross: Option<Decimal>,
    /// `paid`, an amount.
    pub paid: Option<Decimal>,
    /// `view_url`.
    pub view_url: Option<String>,
    /// `token`, which opens the public view.
    pub token: Option<String>,
    /// `name` of the first position.
    pub first_position: Option<String>,
}

impl InvoiceFacts {
    /// Whether it is paid: its status says so, or `paid` reaches `price_gross` above zero (assumed).
    #[must_use]
    pub fn is_paid(&self) -> bool {
        let reached = |(paid, gross): (Decimal, Decimal)| gross > Decimal::ZERO && paid >= gross;
        self.status == Some(InvoiceStatus::Paid) || self.paid.zip(self.price_gross).is_some_and(reached)
    }
}

impl fmt::Debug for InvoiceFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("InvoiceFacts");
        shown.field("id", &self.id).field("number", &self.number).field("kind", &self.kind);
        shown.field("status", &self.status).field("price_gross", &self.price_gross).finish_non_exhaustive()
    }
}

/// The client of an invoice that is not linked to one of Sugester.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BuyerFacts {
    /// Its id in BitFactura, if the invoice names one.
    pub id: Option<u64>,
    /// `buyer_name`.
    #[doc(alias = "buyer_name")]
    pub name: Option<String>,
    /// `buyer_tax_no`.
    #[doc(alias = "buyer_tax_no")]
    pub tax_no: Option<String>,
    /// `buyer_first_name`.
    #[doc(alias = "buyer_first_name")]
    pub first_name: Option<String>,
    /// `buyer_last_name`.
    #[doc(alias = "buyer_last_name")]
    pub last_name: Option<String>,
    /// `buyer_email`.
    #[doc(alias = "buyer_email")]
    pub email: Option<String>,
}

/// Whose deal it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DealLink {
    /// The client of Sugester with this id.
    Client(u64),
    /// A client that Sugester is to find or make: sent inside the deal.
    Buyer(BuyerFacts),
    /// Nobody's: the client was deleted in Sugester, and is not made there again. A deal that exists keeps the one it has.
    Nobody,
}

/// Why an invoice gets no deal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCarried {
    /// It is a cost.
    #[error("it is a cost")]
    Cost,
    /// It does not say whether it is a sale or a cost.
    #[error("it does not say whether it is a sale or a cost")]
    IncomeUnknown,
    /// It is a test.
    #[error("it is a test")]
    Test,
    /// It was deleted.
    #[error("it was deleted")]
    Deleted,
    /// Its kind is switched off.
    #[error("documents of kind `{0}` get no deal")]
    Kind(InvoiceKind),
}

/// Which documents get deals, and how deals point back at them.
///
/// The default is that of the contract (assumed): sales that are no tests, of every kind but `estimate`, `client_order`, `kp`, `kw`
/// and `accounting_note`.
///
/// ```
/// use sugester::kinds::InvoiceKind;
/// use sugester::sync::{DealSettings, InvoiceFacts, NotCarried};
///
/// let mut invoice = InvoiceFacts::default();
/// invoice.income = Some(true);
/// invoice.kind = Some(InvoiceKind::Estimate);
/// assert_eq!(DealSettings::default().carries(&invoice), Err(NotCarried::Kind(InvoiceKind::Estimate)));
/// assert_eq!(DealSettings::default().without_kinds([]).carries(&invoice), Ok(()));
/// ```
#[derive(Debug, Clone)]
pub struct DealSettings {
    app: AppKey,
    base: Option<Url>,
    excluded: BTreeSet<InvoiceKind>,
    costs: bool,
    tests: bool,
}

impl Default for DealSettings {
    fn default() -> Self {
        use InvoiceKind::{AccountingNote, ClientOrder, Estimate, Kp, Kw};
        let excluded = [Estimate, ClientOrder, Kp, Kw, AccountingNote].into();
        Self { app: AppKey::default(), base: None, excluded, costs: false, tests: false }
    }
}

impl DealSettings {
    /// The key of `external_ids`.
    #[must_use]
    pub fn app(self, app: AppKey) -> Self {
        Self { app, ..self }
    }

    /// The root of the account, `https://ACCOUNT.bitfactura.com`, for links of invoices that bring none.
    #[must_use]
    pub fn base(self, base: Url) -> Self {
        Self { base: Some(base), ..self }
    }

    /// The kinds that get no deal, in place of the default.
    #[must_use]
    pub fn without_kinds(self, kinds: impl IntoIterator<Item = InvoiceKind>) -> Self {
        Self { excluded: kinds.into_iter().collect(), ..self }
    }

    /// Whether costs get deals.
    #[must_use]
    pub fn costs(self, costs: bool) -> Self {
        Self { costs, ..self }
    }

    /// Whether tests get deals.
    #[must_use]
    pub fn tests(self, tests: bool) -> Self {
        Self { tests, ..self }
    }

    /// Whether an invoice gets a deal.
    ///
    /// # Errors
    ///
    /// Why not. A deal that exists is kept in step nevertheless, and never removed.
    pub fn carries(&self, invoice: &InvoiceFacts) -> Result<(), NotCarried> {
        let excluded = invoice.kind.as_ref().filter(|kind| self.excluded.contains(kind));
        match invoice.income {
            None if !self.costs => Err(NotCarried::IncomeUnknown),
            Some(false) if !self.costs => Err(NotCarried::Cost),
            _ if invoice.deleted == Some(true) => Err(NotCarried::Deleted),
            _ if invoice.test == Some(true) && !self.tests => Err(NotCarried::Test),
            _ => excluded.map_or(Ok(()), |kind| Err(NotCarried::Kind(kind.clone()))),
        }
    }

    /// `view_url`, else the public view of the account.
    fn link_of(&self, invoice: &InvoiceFacts) -> Option<String> {
        let built = || {
            let token = said(invoice.token.as_ref())?;
            let mut url = self.base.clone()?;
            url.path_segments_mut().ok()?.pop_if_empty().extend(["invoice", &token]);
            Some(url.to_string())
        };
        said(invoice.view_url.as_ref()).or_else(built)
    }
}

fn said(text: Option<&String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// A value of a deal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DealValue {
    /// A text.
    Text(String),
    /// Yes or no.
    YesNo(bool),
    /// An amount, sent as a number (contract 3.9).
    Price(Decimal),
}

impl Serialize for DealValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::YesNo(truth) => serializer.serialize_bool(*truth),
            Self::Price(price) => wire::exact::serialize(price, serializer),
        }
    }
}

impl DealValue {
    /// Whether a record says the same.
    #[allow(clippy::borrowed_box)]
    fn is_in(&self, found: Option<&Box<RawValue>>) -> bool {
        let scalar = found.map_or(Scalar::Null, Token::scalar);
        match self {
            Self::Text(text) => scalar.text().unwrap_or_default().trim() == text.trim(),
            Self::YesNo(truth) => scalar.boolean() == Some(*truth),
            Self::Price(price) => scalar.decimal() == Some(*price),
        }
    }
}

/// The content of the wrapper `deal` for one invoice, to create it or to change it. Serialises to that content, with
/// `skip_webhooks`; `Debug` leaves out the link, which opens the invoice for everybody.
///
/// ```
/// use sugester::sync::{DealLink, DealSettings, InvoiceFacts, deal_of};
///
/// let mut invoice = InvoiceFacts::default();
/// (invoice.id, invoice.number) = (21, Some("2024/7".into()));
/// invoice.price_gross = Some("119.00".parse().unwrap());
/// invoice.view_url = Some("https://acme.bitfactura.com/f/7/T".into());
/// let deal = deal_of(&invoice, DealLink::Client(9), &DealSettings::default())?;
/// let json = serde_json::to_string(&deal).unwrap();
/// assert!(json.contains(r#""name":"2024/7","paid":false,"price":119.00,"#));
/// assert!(json.contains(r#""client_id":9,"external_ids":{"bitfactura":"21"},"skip_webhooks":true"#));
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[doc(alias("asunto", "oportunidad"))]
pub struct Deal {
    fields: BTreeMap<&'static str, DealValue>,
    link: Option<DealLink>,
    external_ids: Option<ExternalIds>,
    app: AppKey,
    invoice: u64,
}

impl Deal {
    /// A field by its wire name.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&DealValue> {
        self.fields.get(field)
    }

    /// The wire names of the fields that are written, besides the links.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &DealValue)> {
        self.fields.iter().map(|(name, value)| (*name, value))
    }

    /// What of this a deal that exists does not say yet, for a `PUT`; `None` if it says everything. Fields that the invoice leaves
    /// empty stay as they are, and so does the client unless a linked one is known.
    ///
    /// `existing` is the deal as it was read, token for token, so that amounts are compared exactly.
    #[must_use]
    pub fn changes(&self, existing: &BTreeMap<String, Box<RawValue>>) -> Option<Self> {
        let differs = |(name, value): &(&&'static str, &DealValue)| !value.is_in(existing.get(**name));
        let fields = self.fields.iter().filter(differs).map(|(name, value)| (*name, value.clone())).collect();
        let external_ids = self.missing_link(existing.get("external_ids"));
        let link = self.link.clone().filter(|link| !is_in_force(link, existing.get("client_id")));
        let changes = Self { fields, link, external_ids, ..self.clone() };
        let is_empty = changes.fields.is_empty() && changes.link.is_none() && changes.external_ids.is_none();
        (!is_empty).then_some(changes)
    }

    /// The map of a deal with the invoice's id added, if it is not there; other keys are kept.
    #[allow(clippy::borrowed_box)]
    fn missing_link(&self, found: Option<&Box<RawValue>>) -> Option<ExternalIds> {
        let found: ExternalIds =
            found.and_then(|ids| serde_json::from_str(ids.get()).ok()).unwrap_or_default();
        let is_linked = found.links_to(&self.app, Linked::Invoice, self.invoice);
        (!is_linked).then(|| found.with_text(&self.app, Linked::Invoice, self.invoice))
    }
}

/// A nested client would be made once more: it goes into new deals alone.
#[allow(clippy::borrowed_box)]
fn is_in_force(link: &DealLink, client_id: Option<&Box<RawValue>>) -> bool {
    match link {
        DealLink::Buyer(_) | DealLink::Nobody => true,
        DealLink::Client(id) => client_id.and_then(|found| found.scalar().id()) == Some(*id),
    }
}

impl fmt::Debug for Deal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: BTreeMap<_, _> = self.fields.iter().filter(|(name, _)| **name != "url").collect();
        f.debug_struct("Deal").field("invoice", &self.invoice).field("fields", &shown).finish_non_exhaustive()
    }
}

impl Serialize for Deal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut deal = serializer.serialize_map(None)?;
        self.fields.iter().try_for_each(|(name, value)| deal.serialize_entry(name, value))?;
        match &self.link {
            Some(DealLink::Client(id)) => deal.serialize_entry("client_id", id)?,
            Some(DealLink::Buyer(buyer)) => deal.serialize_entry("client", &nested(buyer, &self.app))?,
            Some(DealLink::Nobody) | None => {}
        }
        if let Some(ids) = &self.external_ids {
            deal.serialize_entry("external_ids", ids)?;
        }
        deal.serialize_entry("skip_webhooks", &true)?;
        deal.end()
    }
}

/// The client inside a deal.
fn nested(buyer: &BuyerFacts, app: &AppKey) -> Map<String, Value> {
    let texts = [
        ("name", &buyer.name),
        ("tax_no", &buyer.tax_no),
        ("first_name", &buyer.first_name),
        ("last_name", &buyer.last_name),
        ("email", &buyer.email),
    ];
    let texts =
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), said(text.as_ref())?.into())));
    let ids =
        buyer.id.map(|id| Value::Object([(app.to_string(), id.to_string().into())].into_iter().collect()));
    let ids = ids.map(|ids| ("external_ids".to_owned(), ids));
    texts.chain(ids).chain([("skip_webhooks".to_owned(), true.into())]).collect()
}

/// The deal of an invoice. Ask [`DealSettings::carries`] first whether it gets one.
///
/// # Errors
///
/// A validation error with every fault, if the invoice leads to no link, no name or no price: such a deal is not made (contract 4.5).
pub fn deal_of(invoice: &InvoiceFacts, link: DealLink, settings: &DealSettings) -> Result<Deal, Error> {
    let name = said(invoice.first_position.as_ref()).or_else(|| said(invoice.number.as_ref()));
    let url = settings.link_of(invoice);
    let mut faults = Faults::new();
    faults.extend(missing(name.is_none(), "positions[0].name", "an invoice has a position or a number"));
    faults.extend(missing(
        url.is_none(),
        "view_url",
        "set the root of the account, so that token makes a link",
    ));
    faults.extend(missing(
        invoice.price_gross.is_none(),
        "price_gross",
        "read the whole invoice, not a part of it",
    ));
    faults.into_result("make the deal of an invoice")?;
    let fields = texts_of(invoice, name, url).into_iter().chain(others_of(invoice)).collect();
    let external_ids = Some(ExternalIds::of(&settings.app, Linked::Invoice, invoice.id));
    Ok(Deal { fields, link: Some(link), external_ids, app: settings.app.clone(), invoice: invoice.id })
}

fn missing(is_missing: bool, path: &'static str, hint: &'static str) -> Option<Fault> {
    is_missing.then(|| Fault::error("DEAL", path).with_hint(hint))
}

fn texts_of(
    invoice: &InvoiceFacts,
    name: Option<String>,
    url: Option<String>,
) -> Vec<(&'static str, DealValue)> {
    let status = invoice.status.as_ref().map(ToString::to_string);
    let status = if invoice.cancelled == Some(true) { Some("cancelled".to_owned()) } else { status };
    let texts = [
        ("name", name),
        ("url", url),
        ("date", said(invoice.issue_date.as_ref())),
        ("invoice_no", said(invoice.number.as_ref())),
        ("kind", invoice.kind.as_ref().map(ToString::to_string)),
        ("status", status),
        ("currency", said(invoice.currency.as_ref())),
        ("description", said(invoice.description.as_ref())),
    ];
    texts.into_iter().filter_map(|(field, text)| Some((field, DealValue::Text(text?)))).collect()
}

fn others_of(invoice: &InvoiceFacts) -> Vec<(&'static str, DealValue)> {
    let price = invoice.price_gross.map(|price| ("price", DealValue::Price(price)));
    [("paid", DealValue::YesNo(invoice.is_paid()))].into_iter().chain(price).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn invoice() -> InvoiceFacts {
        InvoiceFacts {
            id: 21,
            number: Some("2024/7".to_owned()),
            kind: Some(InvoiceKind::Vat),
            status: Some(InvoiceStatus::Issued),
            income: Some(true),
            issue_date: Some("2024-11-08".to_owned()),
            currency: Some("CLP".to_owned()),
            description: Some(" ".to_owned()),
            price_gross: Some(Decimal::new(11_900, 2)),
            view_url: Some("https://x.example/f/7/T".to_owned()),
            token: Some("T/1".to_owned()),
            first_position: Some("Chair".to_owned()),
            ..InvoiceFacts::default()
        }
    }

    fn made(invoice: &InvoiceFacts) -> Deal {
        deal_of(invoice, DealLink::Client(9), &DealSettings::default()).unwrap()
    }

    fn tokens(record: &Value) -> BTreeMap<String, Box<RawValue>> {
        serde_json::from_str(&record.to_string()).unwrap()
    }

    fn json_of(deal: &Deal) -> Value {
        serde_json::from_str(&serde_json::to_string(deal).unwrap()).unwrap()
    }

    #[test]
    fn every_field_comes_from_where_the_contract_says() {
        let expected = json!({
            "name": "Chair", "price": 119.0, "url": "https://x.example/f/7/T", "date": "2024-11-08",
            "invoice_no": "2024/7", "kind": "vat", "status": "issued", "currency": "CLP", "paid": false,
            "external_ids": {"bitfactura": "21"}, "client_id": 9, "skip_webhooks": true,
        });
        assert_eq!(json_of(&made(&invoice())), expected);
        assert!(serde_json::to_string(&made(&invoice())).unwrap().contains(r#""price":119.00"#));
    }

    #[test]
    fn an_unlinked_buyer_goes_inside() {
        let buyer = BuyerFacts {
            id: Some(4),
            name: Some("Ana".to_owned()),
            email: Some("a@x.cl".to_owned()),
            ..BuyerFacts::default()
        };
        let deal = deal_of(&invoice(), DealLink::Buyer(buyer), &DealSettings::default()).unwrap();
        let expected = json!({
            "name": "Ana", "email": "a@x.cl", "external_ids": {"bitfactura": "4"}, "skip_webhooks": true,
        });
        assert_eq!(json_of(&deal)["client"], expected);
        assert_eq!(json_of(&deal).get("client_id"), None);
    }

    #[test]
    fn the_link_is_view_url_else_made_of_the_token_else_there_is_no_deal() {
        let base: Url = "https://acme.bitfactura.com".parse().unwrap();
        let without = InvoiceFacts { view_url: Some(" ".to_owned()), ..invoice() };
        let deal = deal_of(&without, DealLink::Client(9), &DealSettings::default().base(base)).unwrap();
        let url = DealValue::Text("https://acme.bitfactura.com/invoice/T%2F1".to_owned());
        assert_eq!(deal.get("url"), Some(&url));
        let bare = InvoiceFacts { id: 1, ..InvoiceFacts::default() };
        let error = deal_of(&bare, DealLink::Client(9), &DealSettings::default()).unwrap_err();
        let paths: Vec<_> = error.faults().iter().map(Fault::path).collect();
        assert_eq!(paths, ["positions[0].name", "view_url", "price_gross"]);
    }

    #[test]
    fn the_name_falls_back_to_the_number() {
        let unnamed = InvoiceFacts { first_position: Some(String::new()), ..invoice() };
        assert_eq!(made(&unnamed).get("name"), Some(&DealValue::Text("2024/7".to_owned())));
    }

    #[test]
    fn paid_is_a_status_or_an_amount() {
        let amounts = |paid: i64, gross: i64| InvoiceFacts {
            paid: Some(Decimal::new(paid, 2)),
            price_gross: Some(Decimal::new(gross, 2)),
            ..invoice()
        };
        assert!(amounts(100, 100).is_paid() && amounts(101, 100).is_paid());
        assert!(!amounts(99, 100).is_paid() && !amounts(0, 0).is_paid() && !amounts(0, -100).is_paid());
        assert!(!InvoiceFacts { paid: None, ..invoice() }.is_paid());
        assert!(InvoiceFacts { status: Some(InvoiceStatus::Paid), ..InvoiceFacts::default() }.is_paid());
    }

    #[test]
    fn a_cancelled_invoice_sets_the_status_alone() {
        let before = json_of(&made(&invoice()));
        let cancelled = made(&InvoiceFacts { cancelled: Some(true), ..invoice() });
        let changes = cancelled.changes(&tokens(&before)).unwrap();
        assert_eq!(json_of(&changes), json!({"status": "cancelled", "skip_webhooks": true}));
    }

    #[test]
    fn what_a_deal_says_already_is_not_written_again() {
        let existing = json!({
            "id": 5, "name": "Chair ", "price": "119.0", "url": "https://x.example/f/7/T", "date": "2024-11-08",
            "invoice_no": "2024/7", "kind": "vat", "status": "issued", "currency": "CLP", "paid": "0",
            "description": "written by a person", "client_id": "9",
            "external_ids": {"BitFactura_invoice_id": 21, "shop": 3},
        });
        assert_eq!(made(&invoice()).changes(&tokens(&existing)), None);
    }

    #[test]
    fn a_lost_link_is_added_to_the_other_keys() {
        let mut existing = json_of(&made(&invoice()));
        existing["external_ids"] = json!({"shop": 3});
        let changes = made(&invoice()).changes(&tokens(&existing)).unwrap();
        let expected = json!({"external_ids": {"bitfactura": "21", "shop": 3}, "skip_webhooks": true});
        assert_eq!(json_of(&changes), expected);
    }

    #[test]
    fn documents_are_chosen() {
        let judged = |change: fn(&mut InvoiceFacts)| {
            let mut invoice = invoice();
            change(&mut invoice);
            DealSettings::default().carries(&invoice)
        };
        assert_eq!(judged(|_| {}), Ok(()));
        assert_eq!(judged(|invoice| invoice.income = Some(false)), Err(NotCarried::Cost));
        assert_eq!(judged(|invoice| invoice.income = None), Err(NotCarried::IncomeUnknown));
        assert_eq!(judged(|invoice| invoice.test = Some(true)), Err(NotCarried::Test));
        assert_eq!(judged(|invoice| invoice.deleted = Some(true)), Err(NotCarried::Deleted));
        for kind in ["estimate", "client_order", "kp", "kw", "accounting_note"] {
            let excluded = InvoiceFacts { kind: Some(kind.into()), ..invoice() };
            assert_eq!(DealSettings::default().carries(&excluded), Err(NotCarried::Kind(kind.into())));
        }
        for kind in ["vat", "proforma", "receipt", "correction", "from_the_future"] {
            let carried = InvoiceFacts { kind: Some(kind.into()), ..invoice() };
            assert_eq!(DealSettings::default().carries(&carried), Ok(()));
        }
        let open = DealSettings::default().costs(true).tests(true);
        let cost = InvoiceFacts { income: Some(false), test: Some(true), ..invoice() };
        assert_eq!(open.carries(&cost), Ok(()));
    }

    #[test]
    fn what_opens_the_invoice_is_not_printed() {
        let planted = InvoiceFacts {
            view_url: Some("https://x/PLANTED".to_owned()),
            token: Some("PLANTED".to_owned()),
            ..invoice()
        };
        assert!(!format!("{planted:?} {:?}", made(&planted)).contains("PLANTED"));
    }

    proptest! {
        #[test]
        fn a_deal_that_was_written_needs_no_change(
            mantissa in -99_999_999_i64..99_999_999,
            scale in 0_u32..5,
            texts in [prop::option::of("[a-z ]{0,4}"), prop::option::of("[a-z ]{0,4}"), prop::option::of("[a-z ]{0,4}")],
            cancelled in any::<bool>(),
        ) {
            let [currency, description, issue_date] = texts;
            let price_gross = Some(Decimal::new(mantissa, scale));
            let invoice = InvoiceFacts {
                price_gross, currency, description, issue_date, cancelled: Some(cancelled), ..invoice()
            };
            let deal = made(&invoice);
            let written = json_of(&deal);
            prop_assert_eq!(deal.changes(&tokens(&written)), None);
        }
    }
}
