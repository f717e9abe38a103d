//! The records of Sugester and what can be done with them (contract sections 3.1 to 3.3 and 4.4).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::fields::{is_order, is_writable, shown};
use super::route;
use super::settings::{Endpoint, ExternalIds, ReceiverAnswer, Settings, Table, TryUpdateBy};
use crate::answer::{Answer, JSON};
use crate::chance;
use crate::clock::Moment;
use crate::crm::desk::{Call, Done, Nothing, System, Target, found, overwrite, sift};
use crate::crm::lists::Sort;
use crate::crm::refusal::{Refusal, invalid, not_found};
use crate::crm::rows::{Fields, Row, Rows, client_keys, external_keys, key, keys_of, tax_key, text};
use crate::crm::{DeleteAnswer, Wire, people, write};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Office {
    #[serde(skip)]
    base_url: String,
    settings: Settings,
    clients: Rows,
    contacts: Rows,
    deals: Rows,
    posts: Rows,
    contact_lists: Rows,
    statuses: Rows,
    accounts: Rows,
}

fn deal_keys(fields: &Fields) -> Vec<String> {
    let mut keys = external_keys(fields);
    keys.extend(keys_of(fields, &["client_id"]));
    keys
}

/// Whether a status name or an account's prefix is there already is found by index.
fn named_keys(fields: &Fields) -> Vec<String> {
    keys_of(fields, &["name", "prefix", "client_id"])
}

impl System for Office {
    type Endpoint = Endpoint;
    type Table = Table;
    type Settings = Settings;
    type Letter = Nothing;

    const ENDPOINTS: &'static [Endpoint] = Endpoint::ALL;
    const TABLES: &'static [Table] = Table::ALL;

    fn new(base_url: &str) -> Self {
        Self {
            base_url: base_url.to_owned(),
            settings: Settings::default(),
            clients: Rows::new(500_000, client_keys),
            contacts: Rows::new(600_000, named_keys),
            deals: Rows::new(700_000, deal_keys),
            posts: Rows::new(800_000, named_keys),
            contact_lists: Rows::new(1_000, named_keys),
            statuses: Rows::new(2_000, named_keys),
            accounts: Rows::new(3_000, named_keys),
        }
    }

    fn route(method: &str, path: &str) -> Option<Target<Endpoint>> {
        route::route(method, path)
    }

    fn is_public(_: Endpoint) -> bool {
        false
    }

    fn act(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        match call.target.endpoint {
            Endpoint::Clients => Ok(self.list(call, Table::Clients, |_| true)),
            Endpoint::Contacts => Ok(self.list(call, Table::Contacts, |_| true)),
            Endpoint::Deals => Ok(self.list(call, Table::Deals, |_| true)),
            Endpoint::Helpdesk => Ok(self.list(call, Table::Posts, |row| !is_task(row))),
            Endpoint::Tasks => Ok(self.list(call, Table::Posts, is_task)),
            Endpoint::Statuses => Ok(self.statuses(call)),
            Endpoint::Client => self.show(call, Table::Clients),
            Endpoint::Contact => self.show(call, Table::Contacts),
            Endpoint::Deal => self.show(call, Table::Deals),
            Endpoint::Post => self.show(call, Table::Posts),
            Endpoint::ContactList => self.show(call, Table::ContactLists),
            Endpoint::Status => self.show(call, Table::Statuses),
            Endpoint::CreateClient => self.create(call, Table::Clients),
            Endpoint::CreateContact => self.create(call, Table::Contacts),
            Endpoint::CreateDeal => self.create(call, Table::Deals),
            Endpoint::CreatePost => self.create(call, Table::Posts),
            Endpoint::CreateContactList => self.create(call, Table::ContactLists),
            Endpoint::CreateStatus => self.create(call, Table::Statuses),
            Endpoint::UpdateClient => self.update(call, Table::Clients),
            Endpoint::UpdateContact => self.update(call, Table::Contacts),
            Endpoint::UpdateDeal => self.update(call, Table::Deals),
            Endpoint::UpdateContactList => self.update(call, Table::ContactLists),
            Endpoint::DeleteClient => self.delete(call, Table::Clients),
            Endpoint::DeleteContact => self.delete(call, Table::Contacts),
            Endpoint::DeleteDeal => self.delete(call, Table::Deals),
            Endpoint::CreateAccount => self.create_account(call),
            Endpoint::ExternalUpdate => self.external_update(call),
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
            Table::Contacts => &self.contacts,
            Table::Deals => &self.deals,
            Table::Posts => &self.posts,
            Table::ContactLists => &self.contact_lists,
            Table::Statuses => &self.statuses,
            Table::Accounts => &self.accounts,
        }
    }

    fn add(&mut self, table: Table, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        match table {
            Table::Clients => self.add_client(fields, now),
            Table::Deals => self.add_deal(fields, now),
            Table::Posts => self.add_post(fields, now),
            Table::Statuses => self.add_status(fields, now),
            table => Ok(self.store(table, fields, now)),
        }
    }

    fn edit(&mut self, table: Table, id: u64, fields: &Fields, now: Moment) -> Result<(), Refusal> {
        found(self.rows(table), id)?;
        let (mut given, _) = sift(fields, |name| is_writable(table, name), &self.settings.wire);
        if table == Table::Clients {
            self.refuse_duplicate(&given, Some(id))?;
            if let Some(wanted) = given.get("shortcut").and_then(Value::as_str).map(ToOwned::to_owned) {
                given.insert("shortcut".into(), json!(self.clients.free_shortcut(&wanted, Some(id))));
            }
        }
        if table == Table::Deals {
            self.link_client(&mut given, now)?;
        }
        if self.settings.external_ids == ExternalIds::Merged {
            self.keep_external_ids(table, id, &mut given);
        }
        given.retain(|name, _| !is_order(table, name));
        self.rows_mut(table).change(id, now, |fields| overwrite(fields, given));
        Ok(())
    }

    fn remove(&mut self, table: Table, id: u64, now: Moment) -> Result<(), Refusal> {
        self.rows_mut(table).remove(id, now).map(|_| ()).ok_or_else(not_found)
    }

    fn letters(&mut self) -> Vec<Nothing> {
        Vec::new()
    }

    fn clear_faults(&mut self) {}

    fn like(self, fresh: Self) -> Self {
        Self {
            clients: self.clients.like(&fresh.clients),
            contacts: self.contacts.like(&fresh.contacts),
            deals: self.deals.like(&fresh.deals),
            posts: self.posts.like(&fresh.posts),
            contact_lists: self.contact_lists.like(&fresh.contact_lists),
            statuses: self.statuses.like(&fresh.statuses),
            accounts: self.accounts.like(&fresh.accounts),
            base_url: fresh.base_url,
            ..self
        }
    }

    fn plans(&mut self, _show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {}

    fn more(&self) -> Value {
        json!({})
    }
}

fn is_task(row: &Row) -> bool {
    row.get("task_kind") == "task"
}

/// The wrapper and the plural name.
fn names(table: Table) -> (&'static str, &'static str) {
    match table {
        Table::Clients => ("client", "clients"),
        Table::Contacts => ("contact", "contacts"),
        Table::Deals => ("deal", "deals"),
        Table::Posts => ("post", "posts"),
        Table::ContactLists => ("contact_list", "contact_lists"),
        Table::Statuses => ("status", "statuses"),
        Table::Accounts => ("account", "accounts"),
    }
}

/// Filters that are served if filters are.
const FILTERS: [&str; 5] = ["client_id", "name", "email", "tax_no", "external_id"];

impl Office {
    fn rows_mut(&mut self, table: Table) -> &mut Rows {
        match table {
            Table::Clients => &mut self.clients,
            Table::Contacts => &mut self.contacts,
            Table::Deals => &mut self.deals,
            Table::Posts => &mut self.posts,
            Table::ContactLists => &mut self.contact_lists,
            Table::Statuses => &mut self.statuses,
            Table::Accounts => &mut self.accounts,
        }
    }

    pub(super) fn seed(&mut self, clients: u64, seed: u64, now: Moment) {
        for number in 1..=clients {
            let mut fields = people::client(seed, number);
            let shortcut =
                self.clients.free_shortcut(&text(fields.get("name").unwrap_or(&Value::Null)), None);
            fields.insert("shortcut".into(), json!(shortcut));
            fields.insert("token".into(), json!(format!("{seed:x}sg{number:x}")));
            let age = clients.saturating_sub(number).saturating_add(1).saturating_mul(60);
            self.clients.insert(fields, now.minus(Duration::from_secs(age)));
        }
    }

    fn text_of(&self, table: Table, row: &Row) -> String {
        let position = [("position", json!(row.id))];
        let more: &[(&str, Value)] = if table == Table::Clients { &position } else { &[] };
        write::record(row, &shown(table), more, &self.settings.wire)
    }

    fn list(&self, call: &Call<'_, Endpoint>, table: Table, keep: impl Fn(&Row) -> bool) -> Done {
        let wire = &self.settings.wire;
        let asked: Vec<(&str, String)> = FILTERS
            .iter()
            .filter(|_| self.settings.filters)
            .filter_map(|name| Some((*name, call.query.get(name)?.to_lowercase())))
            .collect();
        let wanted = |row: &Row| {
            keep(row) && asked.iter().all(|(name, value)| row.text(name).to_lowercase() == *value)
        };
        let rows = self.rows(table).page(call.query, wire, None, &Sort::Standing(wire.order), wanted);
        let texts: Vec<String> = rows.into_iter().map(|row| self.text_of(table, row)).collect();
        Done::read(Answer::new(200, JSON, write::list(&texts, names(table).1, wire)))
    }

    /// The kind is the one filter that is seen in use.
    fn statuses(&self, call: &Call<'_, Endpoint>) -> Done {
        let kind = call.query.get("kind");
        self.list(call, Table::Statuses, |row| kind.is_none_or(|kind| row.get("kind") == kind))
    }

    fn show(&self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        Ok(Done::read(self.answer(200, table, found(self.rows(table), call.target.id)?)))
    }

    fn answer(&self, status: u16, table: Table, row: &Row) -> Answer {
        let text = write::wrapped(self.text_of(table, row), names(table).0, &self.settings.wire);
        Answer::new(status, JSON, text)
    }

    fn create(&mut self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        let fields = call.fields(names(table).0)?;
        let ignored = sift(&fields, |name| is_writable(table, name), &self.settings.wire).1;
        let id = match self.to_update(table, &fields) {
            Some(id) => self.edit(table, id, &fields, call.now).map(|()| id)?,
            None => self.add(table, &fields, call.now)?,
        };
        let answer = self.answer(201, table, found(self.rows(table), id)?);
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    fn update(&mut self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        found(self.rows(table), call.target.id)?;
        let fields = call.fields(names(table).0)?;
        let ignored = sift(&fields, |name| is_writable(table, name), &self.settings.wire).1;
        self.edit(table, call.target.id, &fields, call.now)?;
        let answer = self.answer(200, table, found(self.rows(table), call.target.id)?);
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    fn delete(&mut self, call: &Call<'_, Endpoint>, table: Table) -> Result<Done, Refusal> {
        let last = self.answer(200, table, found(self.rows(table), call.target.id)?);
        self.remove(table, call.target.id, call.now)?;
        Ok(Done::wrote(match self.settings.wire.delete_answer {
            DeleteAnswer::Ok => Answer::json(200, &json!("ok")),
            DeleteAnswer::Empty => Answer::new(200, JSON, ""),
            DeleteAnswer::Null => Answer::json(200, &Value::Null),
            DeleteAnswer::Record => last,
        }))
    }

    /// The client that `try_update` means.
    fn to_update(&self, table: Table, fields: &Fields) -> Option<u64> {
        if table != Table::Clients || fields.get("try_update") != Some(&json!(true)) {
            return None;
        }
        let value = |name: &str| fields.get(name).map(text).filter(|text| !text.trim().is_empty());
        match self.settings.try_update_by {
            TryUpdateBy::ExternalIds => self.by_external_ids(fields),
            TryUpdateBy::TaxNo => self.clients.with(&tax_key(&value("tax_no")?)).next(),
            TryUpdateBy::Email => self.clients.with(&key("email", &value("email")?)).next(),
            TryUpdateBy::Name => self.clients.with(&key("name", &value("name")?)).next(),
        }
    }

    fn by_external_ids(&self, fields: &Fields) -> Option<u64> {
        external_keys(fields).iter().find_map(|key| self.clients.with(key).next())
    }

    fn refuse_duplicate(&self, fields: &Fields, of: Option<u64>) -> Result<(), Refusal> {
        let tax_no = fields.get("tax_no").map(text).filter(|tax_no| !tax_no.trim().is_empty());
        let taken = |tax_no: String| self.clients.with(&tax_key(&tax_no)).any(|id| Some(id) != of);
        match tax_no.is_some_and(taken) && self.settings.wire.refuses_duplicate_tax_no {
            true => Err(invalid("duplicate_tax_no", "tax_no", "has already been taken")),
            false => Ok(()),
        }
    }

    /// Stores what can be written.
    fn store(&mut self, table: Table, fields: &Fields, now: Moment) -> u64 {
        let (mut kept, _) = sift(fields, |name| is_writable(table, name), &self.settings.wire);
        kept.retain(|name, value| !value.is_null() && !is_order(table, name));
        self.rows_mut(table).insert(kept, now)
    }

    fn add_client(&mut self, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        self.refuse_duplicate(fields, None)?;
        let value = |name: &str| fields.get(name).map(text).filter(|text| !text.is_empty());
        let wanted = value("shortcut").or_else(|| value("name")).or_else(|| value("last_name"));
        let mut fields = fields.clone();
        if let Some(wanted) = wanted {
            fields.insert("shortcut".into(), json!(self.clients.free_shortcut(&wanted, None)));
        }
        let id = self.store(Table::Clients, &fields, now);
        // A token can only be read, so it is not among what a client may write.
        let secret = chance::hex(8);
        self.clients.amend(id, |fields| drop(fields.insert("token".into(), json!(secret))));
        Ok(id)
    }

    fn add_deal(&mut self, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        let mut fields = fields.clone();
        self.link_client(&mut fields, now)?;
        Ok(self.store(Table::Deals, &fields, now))
    }

    /// A nested client is found by its `external_ids` or made; a given `client_id` goes before it.
    fn link_client(&mut self, deal: &mut Fields, now: Moment) -> Result<(), Refusal> {
        if let Some(given) = deal.get("client_id").filter(|id| !id.is_null()) {
            let id = text(given).parse().unwrap_or(0);
            if self.clients.get(id).is_none() {
                return Err(invalid("client_id", "client_id", "does not exist"));
            }
            deal.insert("client_id".into(), json!(id));
            return Ok(());
        }
        let Some(nested) = deal.get("client").and_then(Value::as_object).cloned() else { return Ok(()) };
        let id = match self.by_external_ids(&nested) {
            Some(id) => id,
            None => self.add_client(&nested, now)?,
        };
        deal.insert("client_id".into(), json!(id));
        Ok(())
    }

    fn add_post(&mut self, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        let parent = fields.get("post_id").filter(|id| !id.is_null()).map(text);
        if let Some(parent) = parent.map(|id| id.parse().unwrap_or(0)) {
            let comments = found(&self.posts, parent)?.get("comments_cache").as_u64().unwrap_or(0);
            self.posts.change(parent, now, |post| {
                post.insert("comments_cache".into(), json!(comments.saturating_add(1)));
            });
        } else if fields.get("task_kind") == Some(&json!("comment")) {
            return Err(invalid("post_id", "post_id", "can't be blank"));
        }
        Ok(self.store(Table::Posts, fields, now))
    }

    fn add_status(&mut self, fields: &Fields, now: Moment) -> Result<u64, Refusal> {
        let name = fields.get("name").map(text).unwrap_or_default();
        if name.trim().is_empty() {
            return Err(invalid("name", "name", "can't be blank"));
        }
        if self.statuses.with(&key("name", &name)).next().is_some() {
            return Err(invalid("status_name", "name", "has already been taken"));
        }
        Ok(self.store(Table::Statuses, fields, now))
    }

    /// A prefix that is taken gets a number.
    fn create_account(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        let (mut account, user) = (call.fields("account")?, call.fields("user")?);
        let wanted = account.get("prefix").map(text).filter(|prefix| !prefix.is_empty());
        let wanted = wanted.ok_or_else(|| invalid("prefix", "prefix", "can't be blank"))?;
        let taken = |prefix: &str| self.accounts.with(&key("prefix", prefix)).next().is_some();
        let mut prefix = wanted.clone();
        for number in 1..u32::MAX {
            if !taken(&prefix) && prefix != crate::crm::desk::ACCOUNT {
                break;
            }
            prefix = format!("{wanted}{number}");
        }
        account.insert("prefix".into(), json!(prefix));
        let id = self.store(Table::Accounts, &account, call.now);
        Ok(Done::wrote(Answer::json(
            201,
            &json!({
                "id": id, "prefix": prefix, "url": self.base_url, "login": user.get("login"),
                "email": user.get("email"), "api_token": format!("{}/{prefix}", chance::hex(16)),
            }),
        )))
    }

    /// Updates the client with one of the `external_ids`, or makes it; nothing is ever deleted here.
    fn external_update(&mut self, call: &Call<'_, Endpoint>) -> Result<Done, Refusal> {
        if self.settings.no_receiver {
            return Err(not_found());
        }
        let mut fields = call.fields("client")?;
        let ignored = sift(&fields, |name| is_writable(Table::Clients, name), &self.settings.wire).1;
        if external_keys(&fields).is_empty() {
            return Err(invalid("external_ids", "external_ids", "can't be blank"));
        }
        let id = match self.by_external_ids(&fields) {
            Some(id) => {
                self.keep_external_ids(Table::Clients, id, &mut fields);
                self.edit(Table::Clients, id, &fields, call.now).map(|()| id)?
            }
            None => self.add_client(&fields, call.now)?,
        };
        let answer = match self.settings.receiver_answer {
            ReceiverAnswer::Record => self.answer(200, Table::Clients, found(&self.clients, id)?),
            ReceiverAnswer::Empty => Answer::new(200, JSON, ""),
            ReceiverAnswer::Ok => Answer::json(200, &json!("ok")),
            ReceiverAnswer::Success => Answer::json(200, &json!({ "code": "success", "message": "ok" })),
        };
        Ok(Done { ignored, ..Done::wrote(answer) })
    }

    /// Adds the stored ids that are not given anew.
    fn keep_external_ids(&self, table: Table, id: u64, given: &mut Fields) {
        let stored = self.rows(table).get(id).and_then(|row| row.get("external_ids").as_object());
        if let (Some(stored), Some(Value::Object(ids))) = (stored, given.get_mut("external_ids")) {
            for (app, id) in stored {
                ids.entry(app.clone()).or_insert_with(|| id.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fields::known;
    use super::*;

    #[test]
    fn every_name_of_a_table_can_be_written() {
        for table in Table::ALL {
            assert!(known(*table).iter().all(|name| is_writable(*table, name)));
        }
    }
}
