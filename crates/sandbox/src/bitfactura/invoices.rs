//! Invoices: lists with their hidden window, numbers, buyers, totals, PDF, mail, attachments (contract section 3.5).

use serde_json::{Value, json};

use super::fields::{AFTER_CREATE, BUYER, invoice, is_order};
use super::files;
use super::office::{Office, common, filtered, is_true, sort, success};
use super::period::Period;
use super::positions::{merged, totals};
use super::settings::{Endpoint, Filter, NotReady, PdfAnswer, Settings, ViewUrl};
use super::{MAX_ADDRESSES, Mail};
use crate::answer::{Answer, HTML, JSON};
use crate::chance;
use crate::clock::Moment;
use crate::crm::desk::{Call, Done, found, overwrite};
use crate::crm::money::Decimal;
use crate::crm::people::Dice;
use crate::crm::refusal::{Refusal, failed, invalid, not_found, refused};
use crate::crm::rows::{Fields, Row, key, tax_key, text};
use crate::crm::write;
use crate::legale::small_pdf;

const PDF: &str = "application/pdf";
const STATUSES: [&str; 5] = ["issued", "sent", "paid", "partial", "rejected"];
const SORTED_BY: &[&str] = &[
    "number",
    "price_net",
    "price_gross",
    "price_tax",
    "issue_date",
    "payment_to",
    "paid_date",
    "transaction_date",
    "buyer_name",
    "buyer_tax_no",
    "seller_name",
    "oid",
];

/// The status says so, or at least the gross price is paid.
pub(super) fn is_paid(row: &Row) -> bool {
    let amount = |name: &str| Decimal::read(row.get(name)).unwrap_or(Decimal::ZERO);
    row.get("status") == "paid"
        || (amount("price_gross").is_positive() && amount("paid") >= amount("price_gross"))
}

/// `income` says so. Costs are listed apart and fire nothing.
pub(super) fn is_cost(fields: &Fields) -> bool {
    let income = fields.get("income");
    income == Some(&Value::Bool(false))
        || ["0", "no", "false"].contains(&income.map(text).unwrap_or_default().as_str())
}

/// `view_url`
fn view_url(base_url: &str, settings: &Settings, row: &Row) -> Value {
    let number = row.text("number").replace('/', "%2F");
    let below = |host: &str| json!(format!("{host}/f/{number}/{}", row.text("token")));
    match settings.view_url {
        ViewUrl::Own => below(base_url),
        ViewUrl::OtherDomain => below("https://view.example.net"),
        ViewUrl::Absent | ViewUrl::NoToken => Value::Null,
    }
}

/// The link that a webhook carries.
pub(super) fn public_url(base_url: &str, settings: &Settings, row: &Row) -> Value {
    match settings.view_url {
        ViewUrl::Absent => json!(format!("{base_url}/invoice/{}", row.text("token"))),
        _ => view_url(base_url, settings, row),
    }
}

impl Office {
    fn invoice_text(&self, row: &Row, wanted: impl Fn(&str) -> bool) -> String {
        let token = match self.settings.view_url {
            ViewUrl::NoToken => Value::Null,
            _ => row.get("token").clone(),
        };
        let more = [
            ("view_url", view_url(&self.base_url, &self.settings, row)),
            ("payment_url", Value::Null),
            ("token", token),
        ];
        write::selected(row, &invoice(), &more, &self.settings.wire, wanted)
    }

    fn invoice_answer(&self, status: u16, row: &Row, wanted: impl Fn(&str) -> bool) -> Answer {
        let text = self.invoice_text(row, wanted);
        Answer::new(status, JSON, write::wrapped(text, "invoice", &self.settings.wire))
    }

    pub(super) fn list_invoices(&self, call: &Call<'_, Endpoint>) -> Done {
        let (query, wire, rows) = (call.query, &self.settings.wire, &self.invoices);
        let exact = |name: &str| filtered(rows, query.get(name).map(|value| key(name, value)), Filter::Exact);
        let ids = query
            .get("invoice_ids")
            .map(|ids| ids.split(',').filter_map(|id| id.trim().parse().ok()).collect());
        let oid = query.get("oid").map(|oid| key("oid", oid));
        let among = common([
            ids,
            exact("number"),
            exact("client_id"),
            exact("from_invoice_id"),
            filtered(rows, oid, self.settings.oid_filter),
        ]);
        let today = call.now.day(wire.time_offset_hours);
        let period = Period::of(query, today, self.settings.lists_all_periods);
        let dated = match query.get("search_date_type") {
            Some("paid_date") => "paid_date",
            Some("transaction_date") => "sell_date",
            _ => "issue_date",
        };
        let costs = query.get("income").is_some_and(|income| ["no", "0"].contains(&income));
        let kinds: Vec<&str> = query.all("kind").chain(query.all("kinds[]")).collect();
        let department = query.get("department_id");
        let keep = |row: &Row| {
            row.marked == costs
                && (period.is_open() || period.holds(row.get(dated).as_str().unwrap_or_default()))
                && (kinds.is_empty() || kinds.iter().any(|kind| row.get("kind") == *kind))
                && department.is_none_or(|department| row.text("department_id") == department)
        };
        let sort = sort(query, wire, SORTED_BY);
        let rows = rows.page(query, wire, among.as_ref(), &sort, keep);
        let positions = query.is_set("include_positions");
        let chosen: Option<Vec<&str>> = query.get("fields[invoice]").map(|names| names.split(',').collect());
        let wanted = |name: &str| {
            (name != "positions" || positions) && chosen.as_ref().is_none_or(|chosen| chosen.contains(&name))
        };
        let texts: Vec<String> = rows.into_iter().map(|row| self.invoice_text(row, wanted)).collect();
        Done::read(Answer::new(200, JSON, write::list(&texts, "invoices", wire)))
    }

    pub(super) fn show_invoice(&self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let id = call.target.id;
        let row = self.invoices.get(id).or_else(|| self.marked(&self.invoices, id)).ok_or_else(not_found)?;
        Ok(Done::read(self.invoice_answer(200, row, |_| true)))
    }

    pub(super) fn create_invoice(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let fields = call.fields("invoice")?;
        let ignored = self.unknown_of_invoice(&fields).1;
        let id = self.add_invoice(&fields, call.now, self.is_quiet(call, &fields))?;
        let whole = self.settings.whole_create_answer;
        let wanted = |name: &str| whole || AFTER_CREATE.contains(&name);
        let answer = self.invoice_answer(201, found(&self.invoices, id)?, wanted);
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    pub(super) fn update_invoice(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        found(&self.invoices, call.target.id)?;
        let fields = call.fields("invoice")?;
        let ignored = self.unknown_of_invoice(&fields).1;
        self.edit_invoice(call.target.id, &fields, call.now, self.is_quiet(call, &fields))?;
        let answer = self.invoice_answer(200, found(&self.invoices, call.target.id)?, |_| true);
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    pub(super) fn add_invoice(&mut self, given: &Fields, now: Moment, quiet: bool) -> Result<u64, Refusal> {
        self.refuse_oid(given, None)?;
        let mut fields = self.unknown_of_invoice(given).0;
        let positions = self.positions(&[], &fields)?;
        self.with_buyer(&mut fields, now, quiet)?;
        self.with_defaults(&mut fields, now);
        fields.extend(totals(&positions).map(|(name, value)| (name.to_owned(), value)));
        fields.insert("positions".into(), json!(positions));
        fields.insert("token".into(), json!(chance::hex(10)));
        fields.retain(|name, value| !value.is_null() && !is_order(name));
        paid_by_status(&mut fields, now.day(self.settings.wire.time_offset_hours));
        let id = self.invoices.insert(fields, now);
        if self.settings.pdf_not_ready_times > 0 {
            self.pdf_waits.insert(id, self.settings.pdf_not_ready_times);
        }
        self.fire_invoice_id("invoice:create", id, quiet);
        Ok(id)
    }

    pub(super) fn edit_invoice(
        &mut self,
        id: u64,
        given: &Fields,
        now: Moment,
        quiet: bool,
    ) -> Result<(), Refusal> {
        let mut after = found(&self.invoices, id)?.fields.clone();
        self.refuse_oid(given, Some(id))?;
        let mut fields = self.unknown_of_invoice(given).0;
        let stored = after.get("positions").and_then(Value::as_array).cloned().unwrap_or_default();
        let positions = self.positions(&stored, &fields)?;
        if fields.contains_key("client_id") {
            self.with_buyer(&mut fields, now, quiet)?;
        }
        fields.retain(|name, _| !is_order(name));
        fields.extend(totals(&positions).map(|(name, value)| (name.to_owned(), value)));
        fields.insert("positions".into(), json!(positions));
        overwrite(&mut after, fields);
        paid_by_status(&mut after, now.day(self.settings.wire.time_offset_hours));
        self.invoices.change(id, now, |fields| *fields = after);
        self.fire_invoice_id("invoice:update", id, quiet);
        Ok(())
    }

    fn positions(&mut self, stored: &[Value], fields: &Fields) -> Result<Vec<Value>, Refusal> {
        let given = match fields.get("positions") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(given)) => given.clone(),
            // Some clients send an object whose keys count the positions.
            Some(Value::Object(given)) => given.values().cloned().collect(),
            Some(_) => return Err(invalid("positions", "positions", "is invalid")),
        };
        let mut last = self.last_position;
        let products = super::office::products(self);
        let product = |id: u64| products.get(id).map(|row| row.fields.clone());
        let positions = merged(stored, &given, &mut last, product)?;
        self.last_position = last;
        Ok(positions)
    }

    /// `oid_unique` with an `oid` that another invoice has; compared byte for byte.
    fn refuse_oid(&self, given: &Fields, of: Option<u64>) -> Result<(), Refusal> {
        let oid = given.get("oid").map(text).filter(|oid| !oid.is_empty());
        let Some(oid) = oid.filter(|_| given.get("oid_unique").is_some_and(is_true)) else { return Ok(()) };
        let same = |id: &u64| self.invoices.get(*id).is_some_and(|row| row.text("oid") == oid);
        match self.invoices.with(&key("oid", &oid)).filter(|id| Some(*id) != of).any(|id| same(&id)) {
            true => Err(invalid("oid", "oid", "has already been taken")),
            false => Ok(()),
        }
    }

    /// A client that is named, found or made; its fields are the buyer's where the invoice does not say.
    fn with_buyer(&mut self, fields: &mut Fields, now: Moment, quiet: bool) -> Result<(), Refusal> {
        let buyer: Fields = BUYER
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), fields.get(&format!("buyer_{name}"))?.clone())))
            .filter(|(_, value)| !value.is_null() && *value != "")
            .collect();
        let named = fields.get("client_id").map(text).filter(|id| !id.is_empty());
        let known = match named.as_deref() {
            Some("-1") => None,
            Some(id) => Some(self.known_client(id)?),
            None => self.matching_client(&buyer),
        };
        let overrides = fields.get("buyer_override").is_some_and(is_true) && !buyer.is_empty();
        let id = match known {
            Some(id) if overrides => self.edit_client(id, &buyer, now, quiet).map(|()| id)?,
            Some(id) => id,
            None => self.made_client(&buyer, now, quiet)?,
        };
        fields.insert("client_id".into(), json!(id));
        let client = found(&self.clients, id)?;
        for name in BUYER.iter().filter(|name| **name != "note") {
            let value = client.get(name);
            if !value.is_null() {
                fields.entry(format!("buyer_{name}")).or_insert_with(|| value.clone());
            }
        }
        Ok(())
    }

    fn known_client(&self, id: &str) -> Result<u64, Refusal> {
        let known = id.parse().ok().filter(|id| self.clients.get(*id).is_some());
        known.ok_or_else(|| invalid("client_id", "client_id", "does not exist"))
    }

    /// By name, tax number or e-mail, whichever matches first.
    fn matching_client(&self, buyer: &Fields) -> Option<u64> {
        let value = |name: &str| buyer.get(name).map(text);
        let entries = [
            value("name").map(|name| key("name", &name)),
            value("tax_no").map(|tax_no| tax_key(&tax_no)),
            value("email").map(|email| key("email", &email)),
        ];
        entries.into_iter().flatten().find_map(|entry| self.clients.with(&entry).next())
    }

    fn made_client(&mut self, buyer: &Fields, now: Moment, quiet: bool) -> Result<u64, Refusal> {
        if !buyer.contains_key("name") && !buyer.contains_key("last_name") {
            return Err(invalid("buyer_name", "buyer_name", "can't be blank"));
        }
        self.add_client(buyer, now, quiet)
    }

    fn with_defaults(&mut self, fields: &mut Fields, now: Moment) {
        let day = now.day(self.settings.wire.time_offset_hours);
        fields.retain(|_, value| !value.is_null() && *value != "");
        let mut default = |name: &str, value: Value| {
            fields.entry(name).or_insert(value);
        };
        default("kind", json!("vat"));
        default("income", json!("1"));
        default("issue_date", json!(day.to_string()));
        default("sell_date", json!(day.to_string()));
        default("status", json!("issued"));
        default("currency", json!("EUR"));
        default("payment_type", json!("transfer"));
        default("paid", json!("0.00"));
        default("lang", json!("es"));
        default("cancelled", json!(false));
        default("test", json!(false));
        default("from_api", json!(true));
        if let Some(days) = fields.get("payment_to_kind").map(text).and_then(|days| days.parse::<i64>().ok())
        {
            let issued = fields.get("issue_date").and_then(Value::as_str).and_then(|date| date.parse().ok());
            let issued: jiff::civil::Date = issued.unwrap_or(day);
            let due =
                issued.checked_add(jiff::Span::new().try_days(days).unwrap_or_default()).unwrap_or(issued);
            fields.entry("payment_to").or_insert_with(|| json!(due.to_string()));
        }
        if !fields.contains_key("number") {
            let number = self.next_number(&text(fields.get("kind").unwrap_or(&Value::Null)), day);
            fields.insert("number".into(), json!(number));
        }
    }

    /// `1/11/2026`; every kind counts for itself in every month.
    fn next_number(&mut self, kind: &str, day: jiff::civil::Date) -> String {
        let month = format!("{:02}/{}", day.month(), day.year());
        let count = self.numbers.entry(format!("{kind} {month}")).or_insert(0);
        *count = count.saturating_add(1);
        let prefix = if kind == "vat" { String::new() } else { kind.to_uppercase() };
        format!("{prefix}{count}/{month}")
    }

    pub(super) fn fire_invoice(&mut self, kind: &str, row: &Row) {
        if !row.marked {
            let event = self.invoice_event(row);
            self.fire(kind, row.id, &event);
        }
    }

    fn fire_invoice_id(&mut self, kind: &str, id: u64, quiet: bool) {
        if let Some(row) = self.invoices.get(id).filter(|_| !quiet).cloned() {
            self.fire_invoice(kind, &row);
        }
    }

    // What is done with an invoice.

    pub(super) fn change_status(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        found(&self.invoices, call.target.id)?;
        let status = call.query.get("status").or_else(|| call.body.get("status").and_then(Value::as_str));
        let status = status.filter(|status| STATUSES.contains(status));
        let status = status.ok_or_else(|| invalid("status", "status", "is not included in the list"))?;
        let fields = Fields::from_iter([("status".to_owned(), json!(status))]);
        self.edit_invoice(call.target.id, &fields, call.now, false)?;
        Ok(Done::wrote(success("Status changed")))
    }

    pub(super) fn cancel(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let named = ["cancel_invoice_id", "invoice_id", "id"];
        let id = named.iter().find_map(|name| call.body.get(*name)).map(text).unwrap_or_default();
        let id = id.parse().map_err(|_| invalid("cancel", "cancel_invoice_id", "can't be blank"))?;
        found(&self.invoices, id)?;
        self.invoices.change(id, call.now, |fields| drop(fields.insert("cancelled".into(), json!(true))));
        self.fire_invoice_id("invoice:update", id, false);
        Ok(Done::wrote(success("Invoice cancelled")))
    }

    /// At most five addresses; without any, and without one of the buyer, the action fails inside 200.
    pub(super) fn send_by_email(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let row = found(&self.invoices, call.target.id)?;
        let given = call.query.get("email_to").map(ToOwned::to_owned);
        let given = given.or_else(|| {
            call.body.get("email_to").map(|to| match to {
                Value::Array(list) => list.iter().map(text).collect::<Vec<_>>().join(","),
                to => text(to),
            })
        });
        let to = given.filter(|to| !to.is_empty()).unwrap_or_else(|| row.text("buyer_email"));
        let to: Vec<String> =
            to.split(',').map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect();
        if to.is_empty() {
            return Err(failed("no_address", "No e-mail address"));
        }
        if to.len() > MAX_ADDRESSES {
            return Err(invalid("email_to", "email_to", "has too many addresses"));
        }
        self.mails.push(Mail { invoice: row.id, to });
        self.invoices.change(call.target.id, call.now, |fields| {
            fields.insert("email_status".into(), json!("sent"));
            if fields.get("status") == Some(&json!("issued")) {
                fields.insert("status".into(), json!("sent"));
            }
        });
        Ok(Done::wrote(success("Invoice sent")))
    }

    pub(super) fn pdf(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let row = found(&self.invoices, call.target.id)?.clone();
        if let Some(left) = self.pdf_waits.get_mut(&row.id).filter(|left| **left > 0) {
            *left = left.saturating_sub(1);
            return self.not_ready(&row);
        }
        if self.settings.pdf_answer == PdfAnswer::Redirect {
            return Ok(Done::read(redirect(&format!("{}/invoice/{}.pdf", self.base_url, row.text("token")))));
        }
        Ok(Done::read(document(&row, call.query.get("print_option").unwrap_or("original"))))
    }

    fn not_ready(&self, row: &Row) -> Result<Done, Refusal> {
        Ok(Done::read(match self.settings.pdf_not_ready {
            NotReady::Unprocessable => return Err(refused(422, "pdf_not_ready", "PDF is being generated")),
            NotReady::Html => Answer::new(200, HTML, "<!doctype html><html><body>Generando…</body></html>"),
            NotReady::Redirect => redirect(&format!("{}/invoices/{}", self.base_url, row.id)),
        }))
    }

    fn public(&self, call: &Call<'_, Endpoint>) -> Result<&Row, Refusal> {
        let id = self.invoices.with(&key("token", &call.target.name)).next();
        id.and_then(|id| self.invoices.get(id)).ok_or_else(not_found)
    }

    pub(super) fn public_view(&self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let number = self.public(call)?.text("number").replace('<', "&lt;");
        Ok(Done::read(Answer::new(200, HTML, format!("<!doctype html><html><body>{number}</body></html>"))))
    }

    pub(super) fn public_pdf(&self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        Ok(Done::read(document(self.public(call)?, "original")))
    }

    // Attachments.

    pub(super) fn attachments_zip(&self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        found(&self.invoices, call.target.id)?;
        let files = self.attachments.get(&call.target.id).map_or(&[][..], Vec::as_slice);
        Ok(Done::read(Answer::new(200, "application/zip", files::zip(files))))
    }

    pub(super) fn attachment_credentials(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        found(&self.invoices, call.target.id)?;
        let key = chance::hex(8);
        self.upload_keys.insert(call.target.id, key.clone());
        Ok(Done::wrote(Answer::json(
            200,
            &json!({
                "url": format!("{}/uploads/{key}", self.base_url), "key": key, "acl": "private",
                "AWSAccessKeyId": "SANDBOX", "policy": "e30=", "signature": "c2FuZGJveA==",
                "success_action_status": "201",
            }),
        )))
    }

    /// The form's `file`; its key is in the URL, as the credentials gave it.
    pub(super) fn upload(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let name = &call.target.name;
        if !self.upload_keys.values().any(|key| key == name) {
            return Err(refused(403, "upload_key", "unknown key"));
        }
        let kind = call.headers.get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let file = files::form_field(call.raw, kind.unwrap_or_default(), "file");
        let file = file.ok_or_else(|| invalid("upload", "file", "is missing"))?;
        self.uploads.insert(name.clone(), file);
        Ok(Done::wrote(Answer::text(201, "")))
    }

    pub(super) fn add_attachment(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        found(&self.invoices, call.target.id)?;
        let name =
            call.query.get("file_name").ok_or_else(|| invalid("file_name", "file_name", "can't be blank"))?;
        let uploaded = self.upload_keys.get(&call.target.id).and_then(|key| self.uploads.remove(key));
        let uploaded = uploaded.ok_or_else(|| failed("no_upload", "There is no uploaded file"))?;
        self.attachments.entry(call.target.id).or_default().push((name.to_owned(), uploaded));
        Ok(Done::wrote(success("Attachment added")))
    }

    /// An invoice of the last three years for one of the clients.
    pub(super) fn seeded_invoice(
        &self,
        number: u64,
        dice: &mut Dice,
        buyer: Option<&Row>,
        seed: u64,
        now: Moment,
    ) -> Fields {
        let today = now.day(self.settings.wire.time_offset_hours);
        let age = i64::try_from(dice.below(1_095)).unwrap_or(0);
        let day = today.checked_sub(jiff::Span::new().try_days(age).unwrap_or_default()).unwrap_or(today);
        let net = Decimal::of_cents(i128::from(dice.below(500_000).saturating_add(100)));
        let tax = net.times(Decimal::of_cents(21));
        let gross = net.plus(tax.rounded());
        let is_paid = dice.below(2) == 0;
        let of = |name: &str| buyer.map(|buyer| buyer.get(name).clone()).unwrap_or_default();
        let position = json!({
            "id": number, "name": format!("Servicio {}", dice.below(50)), "quantity": "1.0", "tax": "21",
            "price_net": net.json(), "price_tax": tax.json(), "price_gross": gross.json(),
            "total_price_net": net.json(), "total_price_tax": tax.json(), "total_price_gross": gross.json(),
        });
        let pairs = [
            ("number", json!(format!("S{number}/{}", day.year()))),
            ("kind", json!("vat")),
            ("income", json!("1")),
            ("issue_date", json!(day.to_string())),
            ("sell_date", json!(day.to_string())),
            ("status", json!(if is_paid { "paid" } else { "issued" })),
            ("currency", json!("EUR")),
            ("client_id", json!(buyer.map(|buyer| buyer.id))),
            ("buyer_name", of("name")),
            ("buyer_tax_no", of("tax_no")),
            ("buyer_email", of("email")),
            ("paid", if is_paid { gross.json() } else { json!("0.00") }),
            ("price_net", net.json()),
            ("price_tax", tax.json()),
            ("price_gross", gross.json()),
            ("cancelled", json!(false)),
            ("test", json!(false)),
            ("token", json!(format!("{seed:x}i{number:x}"))),
            ("positions", json!([position])),
        ];
        pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn redirect(location: &str) -> Answer {
    Answer::text(302, "moved").with_header(http::header::LOCATION, location)
}

fn document(row: &Row, print_option: &str) -> Answer {
    let total = format!("{} {}", row.text("price_gross"), row.text("currency"));
    Answer::new(200, PDF, small_pdf(&format!("Factura {} ({print_option}) {total}", row.text("number"))))
}

/// What is marked as paid without an amount is paid in full today.
fn paid_by_status(fields: &mut Fields, today: jiff::civil::Date) {
    let unpaid = fields.get("paid").and_then(Decimal::read).is_none_or(|paid| !paid.is_positive());
    if fields.get("status") == Some(&json!("paid")) && unpaid {
        let gross = fields.get("price_gross").cloned().unwrap_or_default();
        fields.insert("paid".into(), gross);
        fields.insert("paid_date".into(), json!(today.to_string()));
    }
}
