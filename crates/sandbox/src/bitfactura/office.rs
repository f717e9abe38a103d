//! The records of BitFactura: clients, webhook rows, account and the resources that are stored as they come
//! (contract sections 2.3, 3.4 and 3.6). Invoices are in their own file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fields::{CLIENT, CLIENT_READ_ONLY, is_client_field, is_invoice_field, is_order};
use super::invoices::is_cost;
use super::route::{self, RESOURCES};
use super::settings::{Deleted, Endpoint, Filter, Settings, Table};
use super::webhooks::{Letter, Webhook, WebhookFault};
use super::{LOGIN, Mail, PASSWORD};
use crate::answer::{Answer, JSON};
use crate::chance;
use crate::clock::Moment;
use crate::crm::desk::{ACCOUNT, Call, Done, System, Target, found, overwrite, sift};
use crate::crm::lists::Sort;
use crate::crm::refusal::{Refusal, failed, invalid, not_found, refused};
use crate::crm::rows::{Fields, Row, Rows, client_keys, key, keys_of, tax_key, text};
use crate::crm::{DeleteAnswer, Query, Wire, people, write};
use crate::fault::Plan;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Office {
    #[serde(skip)]
    pub(super) base_url: String,
    pub(super) settings: Settings,
    pub(super) clients: Rows,
    pub(super) invoices: Rows,
    pub(super) webhooks: Rows,
    /// In the order of [`RESOURCES`].
    resources: Vec<Rows>,
    #[serde(skip)]
    pub(super) letters: Vec<Letter>,
    pub(super) sent: Vec<Webhook>,
    /// For one kind, or for all.
    pub(super) webhook_faults: Plan<Option<String>, WebhookFault>,
    /// Failures in a row, by webhook row.
    pub(super) failures: BTreeMap<u64, u32>,
    pub(super) mails: Vec<Mail>,
    /// How often the PDF of an invoice is still not ready.
    pub(super) pdf_waits: BTreeMap<u64, u32>,
    /// Uploaded by form, by key.
    #[serde(with = "crate::kept::packed")]
    pub(super) uploads: BTreeMap<String, Bytes>,
    /// Keys that were given out for an invoice.
    pub(super) upload_keys: BTreeMap<u64, String>,
    #[serde(with = "crate::kept::packed")]
    pub(super) attachments: BTreeMap<u64, Vec<(String, Bytes)>>,
    /// Last automatic number by kind and month.
    pub(super) numbers: BTreeMap<String, u64>,
    pub(super) last_position: u64,
}

fn invoice_keys(fields: &Fields) -> Vec<String> {
    keys_of(fields, &["oid", "number", "client_id", "from_invoice_id", "token"])
}

fn webhook_keys(fields: &Fields) -> Vec<String> {
    keys_of(fields, &["kind"])
}

/// `true`, `1`, or one of these as text.
pub(super) fn is_true(value: &Value) -> bool {
    *value == Value::Bool(true) || ["1", "true", "yes"].contains(&text(value).as_str())
}

impl System for Office {
    type Endpoint = Endpoint;
    type Table = Table;
    type Settings = Settings;
    type Letter = Letter;

    const ENDPOINTS: &'static [Endpoint] = Endpoint::ALL;
    const TABLES: &'static [Table] = Table::ALL;

    fn new(base_url: &str) -> Self {
        let resources = (1..=RESOURCES.len() as u64).map(|number| Rows::new(number * 10_000, |_| Vec::new()));
        Self {
            base_url: base_url.to_owned(),
            settings: Settings::default(),
            clients: Rows::new(100_000, client_keys),
            invoices: Rows::new(200_000, invoice_keys).marking(is_cost),
            webhooks: Rows::new(400, webhook_keys),
            resources: resources.collect(),
            letters: Vec::new(),
            sent: Vec::new(),
            webhook_faults: Plan::default(),
            failures: BTreeMap::new(),
            mails: Vec::new(),
            pdf_waits: BTreeMap::new(),
            uploads: BTreeMap::new(),
            upload_keys: BTreeMap::new(),
            attachments: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last_position: 0,
        }
    }

    fn route(method: &str, path: &str) -> Option<Target<Endpoint>> {
        route::route(method, path)
    }

    fn is_public(endpoint: Endpoint) -> bool {
        matches!(endpoint, Endpoint::PublicView | Endpoint::PublicPdf | Endpoint::Upload | Endpoint::Login)
            || endpoint == Endpoint::CreateAccount
    }

    fn act(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        match call.target.endpoint {
            Endpoint::Clients => Ok(self.list_clients(call)),
            Endpoint::Client => self.show_client(call),
            Endpoint::CreateClient => self.create_client(call),
            Endpoint::UpdateClient => self.update_client(call),
            Endpoint::DeleteClient => self.delete(call, Table::Clients),
            Endpoint::Invoices => Ok(self.list_invoices(call)),
            Endpoint::Invoice => self.show_invoice(call),
            Endpoint::CreateInvoice => self.create_invoice(call),
            Endpoint::UpdateInvoice => self.update_invoice(call),
            Endpoint::DeleteInvoice => self.delete(call, Table::Invoices),
            Endpoint::Pdf => self.pdf(call),
            Endpoint::ChangeStatus => self.change_status(call),
            Endpoint::SendByEmail => self.send_by_email(call),
            Endpoint::Cancel => self.cancel(call),
            Endpoint::AttachmentsZip => self.attachments_zip(call),
            Endpoint::AttachmentCredentials => self.attachment_credentials(call),
            Endpoint::Upload => self.upload(call),
            Endpoint::AddAttachment => self.add_attachment(call),
            Endpoint::PublicView => self.public_view(call),
            Endpoint::PublicPdf => self.public_pdf(call),
            Endpoint::Webhooks => Ok(self.list(call, Table::Webhooks)),
            Endpoint::Webhook => self.show(call, Table::Webhooks),
            Endpoint::CreateWebhook => self.create(call, Table::Webhooks),
            Endpoint::UpdateWebhook => self.update(call, Table::Webhooks),
            Endpoint::DeleteWebhook => self.delete(call, Table::Webhooks),
            Endpoint::Resources => Ok(self.list(call, self.resource(call)?)),
            Endpoint::Resource => self.show(call, self.resource(call)?),
            Endpoint::CreateResource => self.create(call, self.resource(call)?),
            Endpoint::UpdateResource => self.update(call, self.resource(call)?),
            Endpoint::DeleteResource => self.delete(call, self.resource(call)?),
            Endpoint::Account => Ok(Done::read(Answer::json(200, &self.account()))),
            Endpoint::CreateAccount => self.create_account(call),
            Endpoint::ChangeAccount => Ok(Done::wrote(success("done"))),
            Endpoint::Login => self.login(call),
        }
    }

    fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    fn wire(&self) -> &Wire {
        &self.settings.wire
    }

    fn rows(&self, table: Table) -> &Rows {
        match table {
            Table::Clients => &self.clients,
            Table::Invoices => &self.invoices,
            table => self.resources.get(place(table)).unwrap_or(&self.webhooks),
        }
    }

    fn add(&mut self, table: Table, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        match table {
            Table::Clients => self.add_client(fields, now, false),
            Table::Invoices => self.add_invoice(fields, now, false),
            Table::Webhooks => self.add_webhook(fields, now),
            table => self.add_resource(table, fields, now),
        }
    }

    fn edit(&mut self, table: Table, id: u64, fields: &Fields, now: Moment) -> Result<(), Refusal> {
        match table {
            Table::Clients => self.edit_client(id, fields, now, false),
            Table::Invoices => self.edit_invoice(id, fields, now, false),
            table => self.edit_resource(table, id, fields, now),
        }
    }

    fn remove(&mut self, table: Table, id: u64, now: Moment) -> Result<(), Refusal> {
        self.remove_quietly(table, id, now, false)
    }

    fn letters(&mut self) -> Vec<Letter> {
        std::mem::take(&mut self.letters)
    }

    fn like(self, fresh: Self) -> Self {
        let resources = self.resources.into_iter().zip(&fresh.resources);
        Self {
            clients: self.clients.like(&fresh.clients),
            invoices: self.invoices.like(&fresh.invoices),
            webhooks: self.webhooks.like(&fresh.webhooks),
            resources: resources.map(|(rows, fresh)| rows.like(fresh)).collect(),
            base_url: fresh.base_url,
            ..self
        }
    }

    fn clear_faults(&mut self) {
        self.webhook_faults.clear();
    }

    fn plans(&mut self, show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {
        show("webhook-faults", &mut self.webhook_faults);
    }

    fn more(&self) -> Value {
        let attachments: Map<String, Value> = self
            .attachments
            .iter()
            .map(|(id, files)| (id.to_string(), files.iter().map(|(name, _)| json!(name)).collect()))
            .collect();
        json!({
            "webhooks": self.sent, "webhook_faults": self.webhook_faults, "mails": self.mails,
            "attachments": attachments,
        })
    }
}

/// Place of a table among the resources; webhooks have none.
fn place(table: Table) -> usize {
    RESOURCES.iter().position(|(_, _, other)| *other == table).unwrap_or(usize::MAX)
}

/// The wrapper and the plural name.
fn names(table: Table) -> (&'static str, &'static str) {
    match table {
        Table::Clients => ("client", "clients"),
        Table::Invoices => ("invoice", "invoices"),
        table => RESOURCES
            .iter()
            .find(|(_, _, other)| *other == table)
            .map_or(("webhook", "webhooks"), |(path, wrapper, _)| (*wrapper, *path)),
    }
}

pub(super) fn success(message: &str) -> Answer {
    Answer::json(200, &json!({ "code": "success", "message": message }))
}

/// The order that a list asks for.
pub(super) fn sort(query: &Query, wire: &Wire, known: &[&str]) -> Sort {
    let Some(asked) = query.get("order") else { return Sort::Standing(wire.order) };
    let (name, descending) = asked.strip_suffix(".desc").map_or((asked, false), |name| (name, true));
    match name {
        "updated_at" => Sort::Changed { descending },
        name if known.contains(&name) => Sort::Field { name: name.to_owned(), descending },
        _ => Sort::Standing(wire.order),
    }
}

/// What all of these filters leave; none if there is no filter.
pub(super) fn common(sets: impl IntoIterator<Item = Option<BTreeSet<u64>>>) -> Option<BTreeSet<u64>> {
    sets.into_iter().flatten().reduce(|one, other| one.intersection(&other).copied().collect())
}

/// What a filter of the query finds by the index.
pub(super) fn filtered(rows: &Rows, entry: Option<String>, filter: Filter) -> Option<BTreeSet<u64>> {
    let entry = entry?;
    match filter {
        Filter::Exact => Some(rows.with(&entry).collect()),
        Filter::Prefix => Some(rows.beginning(&entry)),
        Filter::Ignored => None,
    }
}

impl Office {
    /// Whether a write asks for no webhooks, in the record or beside it.
    pub(super) fn is_quiet(&self, call: &Call<'_, Endpoint>, fields: &Fields) -> bool {
        let asked = [fields.get("skip_webhooks"), call.body.get("skip_webhooks")];
        self.settings.honours_skip_webhooks && asked.into_iter().flatten().any(is_true)
    }

    fn rows_mut(&mut self, table: Table) -> &mut Rows {
        match table {
            Table::Clients => &mut self.clients,
            Table::Invoices => &mut self.invoices,
            table => self.resources.get_mut(place(table)).unwrap_or(&mut self.webhooks),
        }
    }

    fn resource(&self, call: &Call<'_, Endpoint>) -> Result<Table, Refusal> {
        let found = RESOURCES.iter().find(|(path, ..)| *path == call.target.name);
        found.map(|(_, _, table)| *table).ok_or_else(not_found)
    }

    fn deletion(&self, last: Answer) -> Answer {
        match self.settings.wire.delete_answer {
            DeleteAnswer::Ok => Answer::json(200, &json!("ok")),
            DeleteAnswer::Empty => Answer::new(200, JSON, ""),
            DeleteAnswer::Null => Answer::json(200, &Value::Null),
            DeleteAnswer::Record => last,
        }
    }

    fn delete(&mut self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        let last = self.plain(200, table, found(self.rows(table), call.target.id)?);
        let quiet = self.settings.honours_skip_webhooks && call.query.is_set("skip_webhooks");
        self.remove_quietly(table, call.target.id, call.now, quiet)?;
        Ok(Done::wrote(self.deletion(last)))
    }

    fn remove_quietly(&mut self, table: Table, id: u64, now: Moment, quiet: bool) -> Result<(), Refusal> {
        let row = self.rows_mut(table).remove(id, now).cloned().ok_or_else(not_found)?;
        if quiet {
            return Ok(());
        }
        match table {
            Table::Clients => self.fire("client:destroy", id, &self.client_event(&row)),
            Table::Invoices => self.fire_invoice("invoice:destroy", &row),
            Table::Products => self.fire("product:destroy", id, &product_event(&row)),
            _ => {}
        }
        Ok(())
    }

    /// A record that was deleted, if such are still shown.
    pub(super) fn marked<'a>(&self, rows: &'a Rows, id: u64) -> Option<&'a Row> {
        rows.gone(id).filter(|_| self.settings.deleted == Deleted::Marked)
    }

    // Clients.

    fn client_text(&self, row: &Row, with: &[&str]) -> String {
        let mut more = vec![
            ("password_hash", json!(format!("$2a$10$hash{}", row.id))),
            ("password_salt", json!(format!("$2a$10$salt{}", row.id))),
        ];
        if with.contains(&"balance") {
            more.push(("balance", json!("0.00")));
        }
        let known: Vec<&str> = CLIENT.iter().chain(CLIENT_READ_ONLY).copied().collect();
        let tags = with.contains(&"tag_list");
        write::selected(row, &known, &more, &self.settings.wire, |name| name != "tag_list" || tags)
    }

    fn client_answer(&self, status: u16, row: &Row) -> Answer {
        let text = self.client_text(row, &["balance", "tag_list"]);
        Answer::new(status, JSON, write::wrapped(text, "client", &self.settings.wire))
    }

    fn list_clients(&self, call: &Call<'_, Endpoint>) -> Done {
        let (query, wire, rows) = (call.query, &self.settings.wire, &self.clients);
        let entry = |name: &str| query.get(name).map(|value| key(name, value));
        let exact = |name: &str| filtered(rows, entry(name), Filter::Exact);
        let among = common([
            filtered(rows, entry("name"), self.settings.name_filter),
            filtered(rows, query.get("tax_no").map(tax_key), self.settings.tax_no_filter),
            exact("email"),
            exact("shortcut"),
            exact("external_id"),
        ]);
        let sort = sort(query, wire, &["name"]);
        let rows = rows.page(query, wire, among.as_ref(), &sort, |_| true);
        let with: &[&str] = if query.is_set("with_tags") { &["tag_list"] } else { &[] };
        let texts: Vec<String> = rows.into_iter().map(|row| self.client_text(row, with)).collect();
        Done::read(Answer::new(200, JSON, write::list(&texts, "clients", wire)))
    }

    fn show_client(&self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let id = call.target.id;
        let row = self.clients.get(id).or_else(|| self.marked(&self.clients, id)).ok_or_else(not_found)?;
        Ok(Done::read(self.client_answer(200, row)))
    }

    fn create_client(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let fields = call.fields("client")?;
        let ignored = sift(&fields, is_client_field, &self.settings.wire).1;
        let id = self.add_client(&fields, call.now, self.is_quiet(call, &fields))?;
        let answer = self.client_answer(201, found(&self.clients, id)?);
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    fn update_client(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        found(&self.clients, call.target.id)?;
        let fields = call.fields("client")?;
        let ignored = sift(&fields, is_client_field, &self.settings.wire).1;
        self.edit_client(call.target.id, &fields, call.now, self.is_quiet(call, &fields))?;
        let answer = self.client_answer(200, found(&self.clients, call.target.id)?);
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    pub(super) fn add_client(&mut self, fields: &Fields, now: Moment, quiet: bool) -> Result<u64, Refusal> {
        let mut kept = self.client_fields(fields, None)?;
        let company = kept.get("company").map_or(self.settings.company_by_default, is_true);
        kept.insert("company".into(), json!(company));
        let name = named(&kept, company)?;
        kept.insert("name".into(), json!(name));
        let wanted = kept.get("shortcut").map(text).filter(|text| !text.is_empty()).unwrap_or(name);
        kept.insert("shortcut".into(), json!(self.clients.free_shortcut(&wanted, None)));
        kept.entry("kind").or_insert_with(|| json!("buyer"));
        kept.insert("token".into(), json!(chance::hex(8)));
        kept.retain(|_, value| !value.is_null());
        let id = self.clients.insert(kept, now);
        self.fire_client("client:create", id, quiet);
        Ok(id)
    }

    pub(super) fn edit_client(
        &mut self,
        id: u64,
        fields: &Fields,
        now: Moment,
        quiet: bool,
    ) -> Result<(), Refusal> {
        let mut kept = self.client_fields(fields, Some(id))?;
        let mut after = found(&self.clients, id)?.fields.clone();
        if let Some(company) = kept.get("company").map(is_true) {
            kept.insert("company".into(), json!(company));
        }
        if let Some(wanted) = kept.get("shortcut").map(text).filter(|text| !text.is_empty()) {
            kept.insert("shortcut".into(), json!(self.clients.free_shortcut(&wanted, Some(id))));
        }
        overwrite(&mut after, kept);
        named(&after, after.get("company").is_some_and(is_true))?;
        self.clients.change(id, now, |fields| *fields = after);
        self.fire_client("client:update", id, quiet);
        Ok(())
    }

    /// What can be written of a client, if its tax number may be.
    fn client_fields(&self, fields: &Fields, of: Option<u64>) -> Result<Fields, Refusal> {
        let (mut kept, _) = sift(fields, is_client_field, &self.settings.wire);
        kept.retain(|name, _| !is_order(name));
        let tax_no = kept.get("tax_no").map(text).filter(|tax_no| !tax_no.trim().is_empty());
        let taken = |tax_no: String| self.clients.with(&tax_key(&tax_no)).any(|id| Some(id) != of);
        if self.settings.wire.refuses_duplicate_tax_no && tax_no.is_some_and(taken) {
            return Err(invalid("duplicate_tax_no", "tax_no", "has already been taken"));
        }
        Ok(kept)
    }

    fn fire_client(&mut self, kind: &str, id: u64, quiet: bool) {
        let event = self.clients.get(id).filter(|_| !quiet).map(|row| self.client_event(row));
        if let Some(event) = event {
            self.fire(kind, id, &event);
        }
    }

    // Webhook rows and resources.

    fn plain(&self, status: u16, table: Table, row: &Row) -> Answer {
        let wire = &self.settings.wire;
        Answer::new(status, JSON, write::wrapped(self.plain_text(table, row), names(table).0, wire))
    }

    fn plain_text(&self, table: Table, row: &Row) -> String {
        let account = [("account_id", json!(1))];
        let more: &[(&str, Value)] = if table == Table::Webhooks { &account } else { &[] };
        write::record(row, &[], more, &self.settings.wire)
    }

    fn list(&self, call: &Call<'_, Endpoint>, table: Table) -> Done {
        let wire = &self.settings.wire;
        let sort = sort(call.query, wire, &[]);
        let rows = self.rows(table).page(call.query, wire, None, &sort, |_| true);
        let texts: Vec<String> = rows.into_iter().map(|row| self.plain_text(table, row)).collect();
        Done::read(Answer::new(200, JSON, write::list(&texts, names(table).1, wire)))
    }

    fn show(&self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        Ok(Done::read(self.plain(200, table, found(self.rows(table), call.target.id)?)))
    }

    fn create(&mut self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        let fields = call.fields(names(table).0)?;
        let id = self.add(table, &fields, call.now)?;
        Ok(Done::wrote(self.plain(201, table, found(self.rows(table), id)?)))
    }

    fn update(&mut self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        found(self.rows(table), call.target.id)?;
        let fields = call.fields(names(table).0)?;
        self.edit_resource(table, call.target.id, &fields, call.now)?;
        Ok(Done::wrote(self.plain(200, table, found(self.rows(table), call.target.id)?)))
    }

    fn add_webhook(&mut self, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        for name in ["kind", "url"] {
            if fields.get(name).map(text).unwrap_or_default().is_empty() {
                return Err(invalid("webhook", name, "can't be blank"));
            }
        }
        let (mut kept, _) =
            sift(fields, |name| ["kind", "url", "api_token", "active"].contains(&name), &self.settings.wire);
        let active = kept.get("active").is_none_or(is_true);
        kept.insert("active".into(), json!(active));
        let is_sync = kept.get("kind").is_some_and(|kind| kind == "client:sync");
        let id = self.webhooks.insert(kept, now);
        if is_sync && active && self.settings.sync_fires {
            self.fire_sync(id);
        }
        Ok(id)
    }

    fn add_resource(&mut self, table: Table, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        let mut kept = fields.clone();
        if table == Table::Products && kept.get("name").map(text).unwrap_or_default().is_empty() {
            return Err(invalid("product", "name", "can't be blank"));
        }
        ["id", "created_at", "updated_at"].iter().for_each(|own| drop(kept.remove(*own)));
        kept.retain(|name, value| !value.is_null() && !is_order(name));
        let id = self.rows_mut(table).insert(kept, now);
        self.fire_product("product:create", table, id);
        Ok(id)
    }

    fn edit_resource(&mut self, table: Table, id: u64, fields: &Fields, now: Moment) -> Result<(), Refusal> {
        let mut given = fields.clone();
        ["id", "created_at", "updated_at"].iter().for_each(|own| drop(given.remove(*own)));
        given.retain(|name, _| !is_order(name));
        if table == Table::Webhooks {
            // Switched on again, a row begins to count its failures anew.
            self.failures.remove(&id);
        }
        let changed = self.rows_mut(table).change(id, now, |fields| overwrite(fields, given));
        self.fire_product("product:update", table, id);
        if changed { Ok(()) } else { Err(not_found()) }
    }

    fn fire_product(&mut self, kind: &str, table: Table, id: u64) {
        let event = self.rows(table).get(id).filter(|_| table == Table::Products).map(product_event);
        if let Some(event) = event {
            self.fire(kind, id, &event);
        }
    }

    // Account.

    fn account(&self) -> Value {
        json!({
            "id": 1, "prefix": ACCOUNT, "url": self.base_url, "login": LOGIN, "email": LOGIN, "lang": "es",
        })
    }

    /// The wish for a prefix that is taken is granted with a number.
    fn create_account(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let account = call.fields("account")?;
        let wish = account.get("prefix").map(text).filter(|prefix| !prefix.is_empty());
        let wish = wish.ok_or_else(|| invalid("prefix", "prefix", "can't be blank"))?;
        let prefix = if wish == ACCOUNT { format!("{wish}1") } else { wish };
        let login = call.body.get("user").and_then(|user| user.get("login")).cloned().unwrap_or_default();
        Ok(Done::wrote(Answer::json(
            201,
            &json!({
                "prefix": prefix, "api_token": format!("{}/{prefix}", chance::hex(16)), "url": self.base_url,
                "login": login, "email": login,
            }),
        )))
    }

    fn login(&self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        if self.settings.multipass_fails {
            return Err(failed("multipass", "Multipass login failed"));
        }
        let given = |name: &str| call.body.get(name).and_then(Value::as_str).unwrap_or_default();
        if given("login") != LOGIN || given("password") != PASSWORD {
            return Err(refused(401, "login", "Wrong login or password"));
        }
        let mut answer = json!({
            "login": LOGIN, "email": LOGIN, "prefix": ACCOUNT, "url": self.base_url, "first_name": "Ana",
            "last_name": "Rojas",
        });
        if let Some(fields) = answer.as_object_mut().filter(|_| self.settings.login_shows_token) {
            fields.insert("api_token".into(), json!(format!("{}/{ACCOUNT}", "made-by-the-user")));
        }
        Ok(Done::read(Answer::json(200, &answer)))
    }

    // Seeds.

    pub(super) fn seed(&mut self, clients: u64, invoices: u64, seed: u64, now: Moment) {
        let count = clients.saturating_add(invoices);
        let then =
            |number: u64| now.minus(Duration::from_secs(count.saturating_sub(number).saturating_mul(60)));
        let mut ids = Vec::new();
        for number in 1..=clients {
            let mut fields = people::client(seed, number);
            let name = text(fields.get("name").unwrap_or(&Value::Null));
            fields.insert("shortcut".into(), json!(self.clients.free_shortcut(&name, None)));
            fields.insert("token".into(), json!(format!("{seed:x}c{number:x}")));
            ids.push(self.clients.insert(fields, then(number)));
        }
        if ids.is_empty() {
            ids = self.clients.iter().map(|row| row.id).collect();
        }
        // Positions that are added later must not get the id of a seeded one.
        self.last_position = self.last_position.max(invoices);
        for number in 1..=invoices {
            let mut dice = people::Dice::of(seed ^ 0x1F83_D9AB, number);
            let buyer = self.clients.get(dice.one_of(&ids));
            let fields = self.seeded_invoice(number, &mut dice, buyer, seed, now);
            self.invoices.insert(fields, then(clients.saturating_add(number)));
        }
    }

    /// Names that an invoice may have, so that a wrong one is told.
    pub(super) fn unknown_of_invoice(&self, fields: &Fields) -> (Fields, Vec<String>) {
        sift(fields, is_invoice_field, &self.settings.wire)
    }
}

/// The name, or what stands for it: `last_name` when it is no company.
fn named(fields: &Fields, company: bool) -> Result<String, Refusal> {
    let value = |name: &str| fields.get(name).map(text).unwrap_or_default().trim().to_owned();
    let (name, first, last) = (value("name"), value("first_name"), value("last_name"));
    if !name.is_empty() {
        return Ok(name);
    }
    if company || last.is_empty() {
        return Err(invalid("client_name", "name", "can't be blank"));
    }
    Ok(format!("{first} {last}").trim().to_owned())
}

/// The shape of product events is unknown; the record stands for it.
fn product_event(row: &Row) -> Map<String, Value> {
    let mut product = row.fields.clone();
    product.insert("id".into(), json!(row.id));
    product.insert("skip_webhooks".into(), json!(true));
    Map::from_iter([("product".to_owned(), Value::Object(product))])
}

/// The products, for positions that name one.
pub(super) fn products(office: &Office) -> &Rows {
    office.rows(Table::Products)
}
