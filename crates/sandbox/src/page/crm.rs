//! Sugester and BitFactura side by side: who is in both, what differs, and which invoice has its deal.
//!
//! Records are paired as the contract's section 4.2 has it, as far as both systems say it themselves: by
//! `external_ids` first, and by tax number where exactly one candidate is free (there only if that is switched on,
//! which is why it is marked). Compared are the carried fields in normal form (4.3), of deals those of 4.5.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};

use super::{Frame, Shared, View, back_to, show, trouble};
use crate::control::Control;
use crate::crm::money::Decimal;
use crate::{bitfactura, sugester};

pub(super) const VIEW: View = View { path: "/crm", name: "Sugester", routes };

/// How many rows of a kind are shown, those that differ first.
const SHOWN: usize = 100;
/// Under which key Sugester's `external_ids` holds ids of BitFactura, unless a program chose another (section 4.2).
const APP_KEY: &str = "bitfactura";

fn routes() -> Router<Shared> {
    Router::new().route("/crm", get(page)).route("/crm/examples", post(examples))
}

type Record = Map<String, Value>;

/// How a field is compared (section 4.3, "Normalised").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    Email,
    Decimal,
    YesNo,
    /// `both` is sent as `buyer` (section 4.2).
    Kind,
}

/// The carried fields (section 4.2).
const CARRIED: [(&str, Form); 24] = [
    ("name", Form::Text),
    ("tax_no", Form::Text),
    ("register_number", Form::Text),
    ("company", Form::YesNo),
    ("kind", Form::Kind),
    ("first_name", Form::Text),
    ("last_name", Form::Text),
    ("street", Form::Text),
    ("street_no", Form::Text),
    ("post_code", Form::Text),
    ("city", Form::Text),
    ("country", Form::Text),
    ("email", Form::Email),
    ("phone", Form::Text),
    ("mobile_phone", Form::Text),
    ("www", Form::Text),
    ("fax", Form::Text),
    ("note", Form::Text),
    ("bank", Form::Text),
    ("bank_account", Form::Text),
    ("discount", Form::Decimal),
    ("payment_to_kind", Form::Text),
    ("use_delivery_address", Form::YesNo),
    ("delivery_address", Form::Text),
];

/// Field of a deal, field of the invoice that it is made of (section 4.5).
const DEAL: [(&str, &str, Form); 6] = [
    ("price", "price_gross", Form::Decimal),
    ("date", "issue_date", Form::Text),
    ("invoice_no", "number", Form::Text),
    ("kind", "kind", Form::Text),
    ("currency", "currency", Form::Text),
    ("description", "description", Form::Text),
];

/// Documents that get no deal (section 4.5, default of the setting).
const WITHOUT_DEAL: [&str; 5] = ["estimate", "client_order", "kp", "kw", "accounting_note"];

fn text(record: &Record, field: &str) -> String {
    match record.get(field) {
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Bool(truth)) => truth.to_string(),
        _ => String::new(),
    }
}

fn id(record: &Record) -> u64 {
    record.get("id").and_then(Value::as_u64).unwrap_or_default()
}

/// Whether two values are the same in normal form (section 4.3).
fn same(form: Form, one: &str, other: &str) -> bool {
    let number = |text: &str| Decimal::read(&json!(text)).filter(|_| form == Form::Decimal);
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => normal(form, one) == normal(form, other),
    }
}

fn normal(form: Form, text: &str) -> String {
    match (form, text) {
        (Form::Email, text) => text.to_lowercase(),
        (Form::YesNo, "1") => "true".to_owned(),
        (Form::YesNo, "0") => "false".to_owned(),
        (Form::Kind, "both") => "buyer".to_owned(),
        (_, text) => text.to_owned(),
    }
}

/// Letters and digits only, upper-case (section 4.2).
fn comparable(tax_no: &str) -> String {
    tax_no.chars().flat_map(char::to_uppercase).filter(|sign| sign.is_alphanumeric()).collect()
}

/// The id of BitFactura that a record of Sugester is linked to.
fn linked(record: &Record) -> Option<u64> {
    match record.get("external_ids")?.get(APP_KEY)? {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_u64(),
        _ => None,
    }
}

/// A field that the two systems do not have alike.
struct Difference {
    field: &'static str,
    books: String,
    crm: String,
}

impl Difference {
    /// Nothing if both say the same.
    fn of(field: &'static str, form: Form, books: String, crm: String) -> Option<Self> {
        (!same(form, &books, &crm)).then_some(Self { field, books, crm })
    }
}

/// One side of a row.
struct Side {
    id: u64,
    name: String,
    details: Vec<String>,
}

impl Side {
    fn client(record: &Record) -> Self {
        let details = ["tax_no", "email", "city"].map(|field| text(record, field));
        Self { id: id(record), name: text(record, "name"), details: filled(details) }
    }

    fn invoice(record: &Record) -> Self {
        let price = format!("{} {}", text(record, "price_gross"), text(record, "currency"));
        let details = [text(record, "buyer_name"), price, text(record, "status"), text(record, "issue_date")];
        Self { id: id(record), name: text(record, "number"), details: filled(details) }
    }

    fn deal(record: &Record) -> Self {
        let price = format!("{} {}", text(record, "price"), text(record, "currency"));
        let paid = if text(record, "paid") == "true" { "paid" } else { "" };
        let status = [text(record, "status"), paid.to_owned()].join(" ");
        let details = [text(record, "invoice_no"), price, status.trim().to_owned(), text(record, "date")];
        Self { id: id(record), name: text(record, "name"), details: filled(details) }
    }
}

fn filled<const N: usize>(texts: [String; N]) -> Vec<String> {
    texts.into_iter().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()).collect()
}

/// What is in BitFactura beside what is in Sugester.
struct Row {
    books: Option<Side>,
    crm: Option<Side>,
    differences: Vec<Difference>,
    note: &'static str,
    /// Whether it is no difference that one side is empty.
    expected: bool,
}

impl Row {
    fn differs(&self) -> bool {
        let told = self.is_alone() || !self.note.is_empty();
        !self.differences.is_empty() || (told && !self.expected)
    }

    fn is_alone(&self) -> bool {
        self.books.is_none() || self.crm.is_none()
    }
}

/// Rows of one kind, and their sums.
struct Sheet {
    rows: Vec<Row>,
    all: usize,
    differ: usize,
}

impl Sheet {
    /// Those that differ first; what cannot be shown is counted all the same.
    fn new(mut rows: Vec<Row>) -> Self {
        rows.sort_by_key(|row| !row.differs());
        let differ = rows.iter().filter(|row| row.differs()).count();
        let all = rows.len();
        rows.truncate(SHOWN);
        Self { rows, all, differ }
    }
}

const NAMED_TWICE: &str = "several records of Sugester name this one";
const BY_TAX_NO: &str = "not linked; the tax number is the same";

/// Whom each client of BitFactura is in Sugester.
fn clients(books: &[Record], crm: &[Record]) -> Vec<Row> {
    let mut left: BTreeMap<u64, &Record> = crm.iter().map(|client| (id(client), client)).collect();
    let mut rows = Vec::new();
    let mut alone = Vec::new();
    for client in books {
        let named: Vec<&Record> = crm.iter().filter(|other| linked(other) == Some(id(client))).collect();
        named.iter().for_each(|other| {
            left.remove(&id(other));
        });
        if named.is_empty() {
            alone.push(client);
        }
        let note = if named.len() > 1 { NAMED_TWICE } else { "" };
        rows.extend(named.into_iter().map(|other| pair(client, other, note)));
    }
    let by_number = |clients: &mut dyn Iterator<Item = &Record>, wanted: &str| {
        clients.filter(|client| comparable(&text(client, "tax_no")) == wanted).map(id).collect::<Vec<_>>()
    };
    for client in &alone {
        let wanted = comparable(&text(client, "tax_no"));
        let free = by_number(&mut left.values().copied().filter(|other| linked(other).is_none()), &wanted);
        let rivals = by_number(&mut alone.iter().copied(), &wanted).len();
        let found = match free.as_slice() {
            [one] if rivals == 1 && !wanted.is_empty() => left.remove(one),
            _ => None,
        };
        rows.push(match found {
            Some(other) => pair(client, other, BY_TAX_NO),
            None => Row {
                books: Some(Side::client(client)),
                crm: None,
                differences: Vec::new(),
                note: "",
                expected: false,
            },
        });
    }
    rows.extend(left.into_values().map(|client| crm_only(Side::client(client), client)));
    rows
}

fn crm_only(side: Side, record: &Record) -> Row {
    let note = if linked(record).is_some() { "linked to a record that BitFactura does not have" } else { "" };
    Row { books: None, crm: Some(side), differences: Vec::new(), note, expected: false }
}

fn pair(books: &Record, crm: &Record, note: &'static str) -> Row {
    let differences = CARRIED
        .iter()
        .filter_map(|(field, form)| Difference::of(field, *form, text(books, field), text(crm, field)));
    Row {
        differences: differences.collect(),
        books: Some(Side::client(books)),
        crm: Some(Side::client(crm)),
        note,
        expected: false,
    }
}

/// Each invoice with its deal.
fn invoices(books: &[Record], crm: &[Record], clients: &[Record]) -> Vec<Row> {
    let mut used = BTreeSet::new();
    let mut rows = Vec::new();
    for invoice in books {
        let deals: Vec<&Record> = crm.iter().filter(|deal| linked(deal) == Some(id(invoice))).collect();
        used.extend(deals.iter().map(|deal| id(deal)));
        let without = without_deal(invoice);
        if deals.is_empty() {
            let (books, note) = (Some(Side::invoice(invoice)), without.unwrap_or_default());
            rows.push(Row { books, crm: None, differences: Vec::new(), note, expected: without.is_some() });
        }
        let note = if deals.len() > 1 { NAMED_TWICE } else { "" };
        rows.extend(deals.into_iter().map(|deal| Row {
            books: Some(Side::invoice(invoice)),
            crm: Some(Side::deal(deal)),
            differences: deal_differences(invoice, deal, clients),
            note,
            expected: false,
        }));
    }
    let left = crm.iter().filter(|deal| !used.contains(&id(deal)));
    rows.extend(left.map(|deal| {
        let row = crm_only(Side::deal(deal), deal);
        // A deal that nobody made of an invoice is a deal like any other.
        Row { expected: linked(deal).is_none(), ..row }
    }));
    rows
}

/// Why an invoice is to have no deal, if so.
fn without_deal(invoice: &Record) -> Option<&'static str> {
    let yes = |field: &str| matches!(text(invoice, field).as_str(), "true" | "1");
    if !yes("income") {
        Some("a cost gets no deal")
    } else if yes("test") {
        Some("a test gets no deal")
    } else if WITHOUT_DEAL.contains(&text(invoice, "kind").as_str()) {
        Some("this kind gets no deal")
    } else {
        None
    }
}

fn deal_differences(invoice: &Record, deal: &Record, clients: &[Record]) -> Vec<Difference> {
    let first = |field: &str| {
        let position = invoice.get("positions")?.as_array()?.first()?.as_object()?;
        Some(text(position, field)).filter(|text| !text.is_empty())
    };
    let name = first("name").unwrap_or_else(|| text(invoice, "number"));
    let status =
        if text(invoice, "cancelled") == "true" { "cancelled".to_owned() } else { text(invoice, "status") };
    let mut found = vec![
        Difference::of("name", Form::Text, name, text(deal, "name")),
        Difference::of("status", Form::Text, status, text(deal, "status")),
        Difference::of("paid", Form::YesNo, is_paid(invoice).to_string(), text(deal, "paid")),
        client_difference(invoice, deal, clients),
    ];
    found.extend(DEAL.iter().map(|(field, source, form)| {
        // What the invoice leaves empty stays as it is in the deal.
        let books = Some(text(invoice, source)).filter(|books| !books.is_empty())?;
        Difference::of(field, *form, books, text(deal, field))
    }));
    found.into_iter().flatten().collect()
}

/// `status` is `paid`, or `paid` reaches `price_gross` above zero (section 4.5).
fn is_paid(invoice: &Record) -> bool {
    let amount = |field: &str| Decimal::read(&json!(text(invoice, field)));
    let reached = amount("paid").zip(amount("price_gross"));
    let reached = reached.is_some_and(|(paid, gross)| gross.is_positive() && paid >= gross);
    text(invoice, "status") == "paid" || reached
}

/// The deal belongs to the client that is linked to the invoice's buyer.
fn client_difference(invoice: &Record, deal: &Record, clients: &[Record]) -> Option<Difference> {
    let buyer: u64 = text(invoice, "client_id").parse().ok()?;
    let wanted = clients.iter().find(|client| linked(client) == Some(buyer)).map(id)?;
    Difference::of("client_id", Form::Text, wanted.to_string(), text(deal, "client_id"))
}

#[derive(Template)]
#[template(path = "crm.html")]
struct Page {
    frame: Frame,
    clients: Sheet,
    invoices: Sheet,
}

fn records(values: Vec<Value>) -> Vec<Record> {
    values
        .into_iter()
        .filter_map(|value| if let Value::Object(record) = value { Some(record) } else { None })
        .collect()
}

async fn page(State(control): State<Shared>) -> Response {
    let crm = records(control.sugester.records(sugester::Table::Clients));
    let deals = records(control.sugester.records(sugester::Table::Deals));
    let books = records(control.bitfactura.records(bitfactura::Table::Clients));
    let bills = records(control.bitfactura.records(bitfactura::Table::Invoices));
    show(&Page {
        frame: Frame::of(VIEW),
        clients: Sheet::new(clients(&books, &crm)),
        invoices: Sheet::new(invoices(&bills, &deals, &crm)),
    })
}

/// The same people in both systems, some linked, one moved, some on one side only; two invoices with deals.
async fn examples(State(control): State<Shared>) -> Response {
    match put_in(&control) {
        Ok(()) => back_to("/crm"),
        Err(what) => trouble(VIEW, &what),
    }
}

fn put_in(control: &Control) -> Result<(), String> {
    let (crm, books) = (&control.sugester, &control.bitfactura);
    let known = books.created(bitfactura::Table::Clients) as u64;
    // Another seed each time, so that nobody comes twice.
    let seed = 7 + known;
    let (there, here) = (books.records(bitfactura::Table::Clients), crm.records(sugester::Table::Clients));
    books.seed(6, 4, seed);
    crm.seed(5, seed);
    let new_books = books.records(bitfactura::Table::Clients).split_off(there.len());
    let new_crm = crm.records(sugester::Table::Clients).split_off(here.len());
    let linked = new_books.iter().zip(&new_crm).take(3);
    let number = |value: &Value| value.get("id").and_then(Value::as_u64).unwrap_or_default();
    for (books, client) in linked {
        let ids = json!({ "external_ids": { (APP_KEY): number(books).to_string() } });
        crm.edit(sugester::Table::Clients, number(client), &ids)?;
    }
    if let Some(moved) = new_crm.first() {
        crm.edit(
            sugester::Table::Clients,
            number(moved),
            &json!({ "city": "Talca", "phone": "+56 2 2345 6789" }),
        )?;
    }
    crm.add(sugester::Table::Clients, &json!({ "name": "Panadería Soto", "email": "soto@example.com" }))?;
    let bills = books.records(bitfactura::Table::Invoices);
    let crm_clients = records(crm.records(sugester::Table::Clients));
    for (place, bill) in records(bills).iter().rev().take(2).enumerate() {
        let mut deal = deal_of(bill, &crm_clients);
        if place == 1 {
            deal.insert("price".to_owned(), json!("1.00"));
        }
        crm.add(sugester::Table::Deals, &Value::Object(deal))?;
    }
    Ok(())
}

/// The deal of an invoice (section 4.5).
fn deal_of(invoice: &Record, clients: &[Record]) -> Record {
    let mut deal = Record::new();
    for wanted in deal_differences(invoice, &Record::new(), clients) {
        let value = match wanted.field {
            "paid" => json!(wanted.books == "true"),
            "client_id" => json!(wanted.books.parse::<u64>().unwrap_or_default()),
            _ => json!(wanted.books),
        };
        deal.insert(wanted.field.to_owned(), value);
    }
    deal.insert("external_ids".to_owned(), json!({ (APP_KEY): id(invoice).to_string() }));
    deal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ids, the fields that differ, the note.
    type Shape = (Option<u64>, Option<u64>, Vec<&'static str>, &'static str);

    fn record(value: Value) -> Record {
        serde_json::from_value(value).unwrap()
    }

    fn shape(rows: &[Row]) -> Vec<Shape> {
        let ids = |side: &Option<Side>| side.as_ref().map(|side| side.id);
        let fields = |row: &Row| row.differences.iter().map(|one| one.field).collect();
        rows.iter().map(|row| (ids(&row.books), ids(&row.crm), fields(row), row.note)).collect()
    }

    #[test]
    fn numbers_texts_and_mails_are_compared_in_normal_form() {
        for (form, one, other) in [
            (Form::Decimal, "5.00", "5"),
            (Form::Decimal, "59,50", "59.5"),
            (Form::Decimal, "0", "0.00"),
            (Form::Email, "Ana@X.cl", "ana@x.cl"),
            (Form::YesNo, "1", "true"),
            (Form::Kind, "both", "buyer"),
            (Form::Text, "A", "A"),
        ] {
            assert!(same(form, one, other) && same(form, other, one), "{one} {other}");
        }
        for (form, one, other) in [
            (Form::Decimal, "5.01", "5"),
            (Form::Decimal, "", "0"),
            (Form::Decimal, "100", "1"),
            (Form::Text, "5.0", "5"),
            (Form::Text, "Ana", "ana"),
            (Form::Kind, "seller", "buyer"),
        ] {
            assert!(!same(form, one, other) && !same(form, other, one), "{one} {other}");
        }
        assert_eq!(comparable(" 12.667.869-k"), "12667869K");
    }

    #[test]
    fn a_link_comes_before_a_tax_number_and_two_candidates_are_none() {
        let books = [
            record(json!({ "id": 1, "name": "Uno", "tax_no": "1-9", "city": "Lima" })),
            record(json!({ "id": 2, "name": "Dos", "tax_no": "2.2" })),
            record(json!({ "id": 3, "name": "Tres", "tax_no": "3" })),
        ];
        let crm = [
            record(json!({ "id": 11, "name": "Uno ", "tax_no": "9", "external_ids": { "bitfactura": "1" } })),
            record(json!({ "id": 12, "name": "Dos", "tax_no": "22" })),
            record(json!({ "id": 13, "name": "Tres", "tax_no": "3" })),
            record(json!({ "id": 14, "name": "Tres B", "tax_no": "3" })),
            record(json!({ "id": 15, "name": "Cuatro", "tax_no": "1-9", "external_ids": { "other": "1" } })),
        ];
        let rows = clients(&books, &crm);
        assert_eq!(
            shape(&rows),
            [
                (Some(1), Some(11), vec!["tax_no", "city"], ""),
                (Some(2), Some(12), vec!["tax_no"], BY_TAX_NO),
                (Some(3), None, vec![], ""),
                (None, Some(13), vec![], ""),
                (None, Some(14), vec![], ""),
                (None, Some(15), vec![], ""),
            ]
        );
        assert!(rows.iter().all(Row::differs));
    }

    #[test]
    fn one_invoice_with_two_deals_is_told() {
        let deal =
            json!({ "external_ids": { "bitfactura": 21 }, "paid": false, "name": "F1", "price": "10" });
        let mut deals = [record(deal.clone()), record(deal)];
        for (deal, id) in deals.iter_mut().zip([5, 6]) {
            deal.insert("id".to_owned(), json!(id));
        }
        let bill = record(json!({ "id": 21, "number": "F1", "income": "1", "price_gross": "10.00" }));
        let rows = invoices(&[bill], &deals, &[]);
        let differences = vec!["invoice_no"];
        assert_eq!(
            shape(&rows),
            [
                (Some(21), Some(5), differences.clone(), NAMED_TWICE),
                (Some(21), Some(6), differences, NAMED_TWICE),
            ]
        );
    }

    #[test]
    fn a_deal_made_of_an_invoice_does_not_differ_and_costs_need_none() {
        let clients = [record(json!({ "id": 9, "external_ids": { "bitfactura": "4" } }))];
        let bill = record(json!({
            "id": 21, "number": "2024/7", "income": "1", "kind": "vat", "status": "issued", "client_id": 4,
            "price_gross": "119.00", "paid": "119.0", "currency": "EUR", "issue_date": "2024-01-02",
            "positions": [{ "name": "Servicio" }],
        }));
        let mut deal = deal_of(&bill, &clients);
        deal.insert("id".to_owned(), json!(5));
        assert_eq!(
            (&deal["name"], &deal["paid"], &deal["client_id"]),
            (&json!("Servicio"), &json!(true), &json!(9))
        );
        let rows = invoices(std::slice::from_ref(&bill), &[deal], &clients);
        assert!(!rows[0].differs(), "{:?}", shape(&rows));
        let cost = record(json!({ "id": 22, "income": "0" }));
        let rows = invoices(&[cost, bill], &[], &clients);
        assert!(rows[0].expected && rows[1].differs() && !rows[1].expected);
    }
}
