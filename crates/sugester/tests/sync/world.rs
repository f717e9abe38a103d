//! Two systems in memory that behave as badly as the contract lets them, and the people who edit them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::Duration;

use integration_core::clock::{Clock as _, ManualClock};
use integration_core::{Error, ErrorKind, Outcome, Secret};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use sugester::sync::RecordRef;
use sugester::sync::ports::{
    Asked, Billing, ClientRecord, Content, Crm, DealRecord, InvoiceRecord, Listed, Listing, NewDeal,
    Receiver, WebhookRow,
};

pub(crate) type Record = Map<String, Value>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Table {
    Bills,
    Crm,
    Invoices,
    Deals,
}

/// What somebody did by hand to a field.
#[derive(Debug, Clone)]
pub(crate) struct Edit {
    pub(crate) table: Table,
    pub(crate) serial: String,
    pub(crate) field: String,
    pub(crate) value: String,
    /// What stood there before.
    pub(crate) showed: String,
    /// What the other system showed at that moment.
    pub(crate) other_showed: Option<String>,
    /// How often the field had been written by the synchronisation, on either side.
    pub(crate) mirrored: u64,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) tables: BTreeMap<Table, BTreeMap<u64, Record>>,
    /// What was removed by hand.
    pub(crate) removed: BTreeMap<Table, BTreeMap<u64, Record>>,
    pub(crate) edits: Vec<Edit>,
    /// Field by serial that a mirrored write overwrote in the instant after it had been read: nobody can see that.
    pub(crate) races: BTreeSet<(String, String)>,
    /// When a record was last read by id, and each field last edited by hand, counted in steps.
    read_at: BTreeMap<(Table, u64), u64>,
    edited_at: BTreeMap<(Table, u64, String), u64>,
    /// Clients of BitFactura whose creation was not answered. What they hold is all that they can be recognised by, so nobody edits them
    /// until they are linked: the contract has no better mark (4.9).
    unanswered: BTreeSet<u64>,
    mirrored: BTreeMap<(String, String), u64>,
    late: Vec<(Table, Option<u64>, Record, u64)>,
    pub(crate) writes: u64,
    hints: Vec<RecordRef>,
    next_id: u64,
    serial: u64,
    step: u64,
    chance: u64,
    is_quiet: bool,
}

#[derive(Clone)]
pub(crate) struct World {
    state: Arc<Mutex<State>>,
    clock: ManualClock,
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

const FIELDS: [&str; 7] = ["name", "phone", "city", "email", "discount", "note", "tax_no"];
const PAGE: usize = 3;

fn value_of(field: &str, number: u64) -> String {
    let values = match field {
        "email" => ["a@x.cl", "A@X.cl", "b@x.cl", "c@x.cl", ""],
        "discount" => ["5", "5.00", "7.5", "12", ""],
        "name" => ["Acme", "Acme ", "Beta", "Gamma", "Delta"],
        _ => ["1", " 1", "2", "3", ""],
    };
    values[usize::try_from(number % 5).unwrap()].to_owned()
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let state =
            State { chance: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1, next_id: 10, ..State::default() };
        let clock = ManualClock::new();
        clock.advance(Duration::from_secs(1_000_000));
        Self { state: Arc::new(Mutex::new(state)), clock }
    }

    /// Nobody edits, nothing is lost.
    pub(crate) fn quiet(seed: u64) -> Self {
        let world = Self::new(seed);
        world.calm();
        world
    }

    pub(crate) fn calm(&self) {
        self.lock().is_quiet = true;
    }

    pub(crate) fn clock(&self) -> ManualClock {
        self.clock.clone()
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(crate) fn below(&self, most: u64) -> u64 {
        let mut state = self.lock();
        for shift in [13_i32, -7, 17] {
            let chance = state.chance;
            state.chance ^= if shift > 0 { chance << shift } else { chance >> -shift };
        }
        (state.chance >> 11) % most
    }

    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn writes(&self) -> u64 {
        self.lock().writes
    }

    /// Hints of what changed: some are lost, some come twice, all out of order.
    pub(crate) fn hints(&self) -> Vec<RecordRef> {
        let mut hints = std::mem::take(&mut self.lock().hints);
        hints.retain(|_| self.chance(70));
        let twice: Vec<_> = hints.iter().copied().filter(|_| self.chance(30)).collect();
        hints.extend(twice);
        hints.reverse();
        hints
    }

    fn now(&self) -> String {
        self.clock.wall().to_string()
    }

    pub(crate) fn add_bitfactura(&self, fields: &[(&str, &str)]) -> u64 {
        self.add(Table::Bills, fields)
    }

    pub(crate) fn add_sugester(&self, fields: &[(&str, &str)]) -> u64 {
        self.add(Table::Crm, fields)
    }

    /// Adds a client by hand, with a serial number that nobody ever edits.
    fn add(&self, table: Table, fields: &[(&str, &str)]) -> u64 {
        let mut record: Record =
            fields.iter().map(|(name, text)| ((*name).to_owned(), json!(text))).collect();
        let serial = {
            let mut state = self.lock();
            state.serial += 1;
            format!("S{}", state.serial)
        };
        record.insert("register_number".to_owned(), json!(serial));
        self.insert(table, record)
    }

    fn insert(&self, table: Table, mut record: Record) -> u64 {
        let now = self.now();
        let mut state = self.lock();
        state.next_id += 1;
        let id = state.next_id;
        record.insert("id".to_owned(), json!(id));
        record.insert("created_at".to_owned(), json!(now));
        record.insert("updated_at".to_owned(), json!(now));
        record.remove("skip_webhooks");
        state.tables.entry(table).or_default().insert(id, record);
        id
    }

    fn any(&self, table: Table) -> Option<u64> {
        let ids: Vec<u64> = self.lock().tables.get(&table).into_iter().flatten().map(|(id, _)| *id).collect();
        if ids.is_empty() { None } else { Some(ids[usize::try_from(self.below(ids.len() as u64)).unwrap()]) }
    }

    /// Somebody does something by hand.
    pub(crate) fn edit(&self) {
        self.clock.advance(Duration::from_millis(self.below(4_000)));
        match self.below(20) {
            0..=1 => self.somebody_new(Table::Bills),
            2 => self.somebody_new(Table::Crm),
            3..=4 => self.new_invoice(),
            5..=6 => self.edit_invoice(),
            7 if self.chance(40) => self.remove(),
            8..=12 => self.edit_client(Table::Bills),
            _ => self.edit_client(Table::Crm),
        }
    }

    fn somebody_new(&self, table: Table) {
        let fields: Vec<(String, String)> =
            FIELDS.iter().map(|field| ((*field).to_owned(), value_of(field, self.below(5)))).collect();
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let id = self.add(table, &fields);
        self.hint(table, id);
    }

    fn hint(&self, table: Table, id: u64) {
        let record = match table {
            Table::Bills => RecordRef::BitFacturaClient(id),
            Table::Crm => RecordRef::SugesterClient(id),
            Table::Invoices => RecordRef::Invoice(id),
            Table::Deals => return,
        };
        self.lock().hints.push(record);
    }

    fn edit_client(&self, table: Table) {
        let Some(id) = self.any(table) else { return };
        if self.is_unanswered(table, id) {
            return;
        }
        let field = FIELDS[usize::try_from(self.below(FIELDS.len() as u64)).unwrap()];
        let value = value_of(field, self.below(5));
        let now = self.now();
        let mut state = self.lock();
        let step = state.step;
        let serial = text(&state.tables[&table][&id], "register_number");
        let showed = text(&state.tables[&table][&id], field);
        let other = if table == Table::Bills { Table::Crm } else { Table::Bills };
        let twin = state
            .tables
            .get(&other)
            .into_iter()
            .flatten()
            .find(|(_, twin)| text(twin, "register_number") == serial);
        let other_showed = twin.map(|(_, twin)| text(twin, field));
        let mirrored = state.mirrored.get(&(serial.clone(), field.to_owned())).copied().unwrap_or_default();
        let field_name = field.to_owned();
        state.edits.push(Edit {
            table,
            serial,
            field: field_name,
            value: value.clone(),
            showed,
            other_showed,
            mirrored,
        });
        state.edited_at.insert((table, id, field.to_owned()), step);
        let record = state.tables.get_mut(&table).unwrap().get_mut(&id).unwrap();
        record.insert(field.to_owned(), json!(value));
        record.insert("updated_at".to_owned(), json!(now));
        drop(state);
        self.hint(table, id);
    }

    fn new_invoice(&self) {
        let Some(client) = self.any(Table::Bills) else { return };
        let number = self.below(1_000);
        let record = json!({"number": format!("F/{number}"), "kind": "vat", "status": "issued", "income": "1",
            "issue_date": "2024-11-08", "price_gross": format!("{}.50", self.below(90)), "paid": "0.0",
            "client_id": client, "view_url": format!("https://x.example/f/{number}"), "currency": "CLP",
            "buyer_name": "B", "positions": [{"name": format!("P{number}")}]});
        let Value::Object(record) = record else { return };
        let id = self.insert(Table::Invoices, record);
        self.hint(Table::Invoices, id);
    }

    fn edit_invoice(&self) {
        let Some(id) = self.any(Table::Invoices) else { return };
        let (field, value) = match self.below(4) {
            0 => ("cancelled", json!(true)),
            1 => ("status", json!("paid")),
            2 => ("description", json!(format!("d{}", self.below(9)))),
            _ => ("price_gross", json!(format!("{}.25", self.below(90)))),
        };
        let now = self.now();
        let mut state = self.lock();
        let record = state.tables.get_mut(&Table::Invoices).unwrap().get_mut(&id).unwrap();
        record.insert(field.to_owned(), value);
        record.insert("updated_at".to_owned(), json!(now));
        drop(state);
        self.hint(Table::Invoices, id);
    }

    fn remove(&self) {
        let table = [Table::Bills, Table::Crm, Table::Deals, Table::Invoices]
            [usize::try_from(self.below(4)).unwrap()];
        let Some(id) = self.any(table) else { return };
        let mut state = self.lock();
        let record = state.tables.get_mut(&table).unwrap().remove(&id).unwrap();
        state.removed.entry(table).or_default().insert(id, record);
        drop(state);
        self.hint(table, id);
    }

    /// What was lost on the way and arrives after all.
    pub(crate) fn late_writes(&self) {
        let late = std::mem::take(&mut self.lock().late);
        for (table, id, fields, read) in late {
            // What it was decided on is what had been read before it was sent.
            if let Some(id) = id {
                self.lock().read_at.insert((table, id), read);
            }
            self.unanswered(table, id, fields);
        }
    }

    fn unanswered(&self, table: Table, id: Option<u64>, fields: Record) {
        let made = self.apply(table, id, fields);
        if id.is_none() && table == Table::Bills {
            self.lock().unanswered.extend(made);
        }
    }

    fn is_unanswered(&self, table: Table, id: u64) -> bool {
        let state = self.lock();
        let names = |client: &Record| {
            client.get("external_ids").is_some_and(|ids| ids["bitfactura"] == json!(id.to_string()))
        };
        table == Table::Bills
            && state.unanswered.contains(&id)
            && !state.tables.get(&Table::Crm).into_iter().flatten().any(|(_, client)| names(client))
    }

    fn apply(&self, table: Table, id: Option<u64>, fields: Record) -> Option<u64> {
        self.lock().writes += 1;
        match id {
            None if table == Table::Deals => Some(self.insert_deal(fields)),
            None => Some(self.insert(table, fields)),
            Some(id) => self.overwrite(table, id, fields).then_some(id),
        }
    }

    /// A client inside a deal is made, or found by its external ids.
    fn insert_deal(&self, mut fields: Record) -> u64 {
        if let Some(Value::Object(client)) = fields.remove("client") {
            let wanted = client.get("external_ids").cloned();
            let found = self
                .lock()
                .tables
                .get(&Table::Crm)
                .into_iter()
                .flatten()
                .find(|(_, known)| wanted.is_some() && known.get("external_ids") == wanted.as_ref())
                .map(|(id, _)| *id);
            let id = found.unwrap_or_else(|| self.insert(Table::Crm, client));
            fields.insert("client_id".to_owned(), json!(id));
        }
        self.insert(Table::Deals, fields)
    }

    fn overwrite(&self, table: Table, id: u64, fields: Record) -> bool {
        let now = self.now();
        let mut state = self.lock();
        let read = state.read_at.get(&(table, id)).copied().unwrap_or_default();
        let Some(record) = state.tables.get(&table).and_then(|records| records.get(&id)).cloned() else {
            return false;
        };
        for name in fields.keys() {
            let serial = text(&record, "register_number");
            *state.mirrored.entry((serial, name.clone())).or_default() += 1;
            let edited = state.edited_at.get(&(table, id, name.clone())).copied().unwrap_or_default();
            if edited > 0 && edited >= read && record.get(name) != fields.get(name) {
                let serial = text(&record, "register_number");
                state.races.insert((serial, name.clone()));
            }
        }
        let record = state.tables.get_mut(&table).unwrap().get_mut(&id).unwrap();
        record.extend(fields);
        record.remove("skip_webhooks");
        record.insert("updated_at".to_owned(), json!(now));
        true
    }

    /// Time passes, people edit, and the caller can be dropped.
    async fn step(&self) {
        self.clock.advance(Duration::from_millis(200));
        self.lock().step += 1;
        if !self.lock().is_quiet && self.chance(8) {
            self.edit();
        }
        Once(false).await;
    }

    async fn read(&self, table: Table, id: u64) -> Result<Option<Box<RawValue>>, Error> {
        self.step().await;
        self.may_fail_to_read()?;
        let found = self.read_now(table, id);
        Once(false).await;
        Ok(found)
    }

    fn read_now(&self, table: Table, id: u64) -> Option<Box<RawValue>> {
        let mut state = self.lock();
        // What is edited from here on is edited after the read.
        state.step += 1;
        let step = state.step;
        state.read_at.insert((table, id), step);
        state.tables.get(&table).and_then(|records| records.get(&id)).map(raw)
    }

    fn may_fail_to_read(&self) -> Result<(), Error> {
        let fails = !self.lock().is_quiet && self.chance(2);
        let error = || Error::new(ErrorKind::Interrupted, "read").with_outcome(Outcome::ReadOnly);
        if fails { Err(error()) } else { Ok(()) }
    }

    async fn write(&self, table: Table, id: Option<u64>, content: &RawValue) -> Result<u64, Error> {
        let fields: Record = serde_json::from_str(content.get()).unwrap();
        assert_eq!(fields.get("skip_webhooks"), Some(&json!(true)), "{fields:?}");
        self.step().await;
        let luck = if self.lock().is_quiet { 99 } else { self.below(100) };
        let lost = || Error::new(ErrorKind::Interrupted, "write");
        match luck {
            0..=4 => {
                self.unanswered(table, id, fields);
                Err(lost())
            }
            5..=7 => Err(lost()),
            8..=9 => {
                let read =
                    id.and_then(|id| self.lock().read_at.get(&(table, id)).copied()).unwrap_or_default();
                self.lock().late.push((table, id, fields, read));
                Err(lost())
            }
            10..=11 => Err(Error::new(ErrorKind::Refused, "write").with_outcome(Outcome::Refused)),
            12 => Err(Error::new(ErrorKind::Connect, "write").with_outcome(Outcome::NotSent)),
            _ => {
                let made = self.apply(table, id, fields);
                self.step().await;
                made.ok_or_else(|| Error::new(ErrorKind::NotFound, "write").with_outcome(Outcome::Refused))
            }
        }
    }

    fn page(&self, table: Table, newest_first: bool, page: usize) -> Vec<Box<RawValue>> {
        let state = self.lock();
        let mut records: Vec<&Record> =
            state.tables.get(&table).into_iter().flatten().map(|(_, record)| record).collect();
        if newest_first {
            records
                .sort_by_key(|record| std::cmp::Reverse((text(record, "updated_at"), record["id"].as_u64())));
        }
        records.into_iter().skip(page * PAGE).take(PAGE).map(raw).collect()
    }

    fn list<T: 'static>(&self, table: Table, newest_first: bool, read: fn(Box<RawValue>) -> T) -> Listed<T> {
        Box::new(List { world: self.clone(), table, newest_first, page: 0, seen: BTreeSet::new(), read })
    }
}

struct List<T> {
    world: World,
    table: Table,
    newest_first: bool,
    page: usize,
    seen: BTreeSet<u64>,
    read: fn(Box<RawValue>) -> T,
}

impl<T> Listing<T> for List<T> {
    fn next_page(&mut self) -> Asked<'_, Option<Vec<T>>> {
        Box::pin(async {
            self.world.step().await;
            self.world.may_fail_to_read()?;
            let found = self.world.page(self.table, self.newest_first, self.page);
            self.page += 1;
            let id = |record: &RawValue| {
                serde_json::from_str::<Record>(record.get()).unwrap()["id"].as_u64().unwrap()
            };
            let fresh: Vec<_> = found.into_iter().filter(|record| self.seen.insert(id(record))).collect();
            let page = (!fresh.is_empty()).then(|| fresh.into_iter().map(self.read).collect());
            Ok(page)
        })
    }
}

/// Pending once: a place where the caller can be dropped.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        context.waker().wake_by_ref();
        if std::mem::replace(&mut self.0, true) { Poll::Ready(()) } else { Poll::Pending }
    }
}

fn raw(record: &Record) -> Box<RawValue> {
    serde_json::value::to_raw_value(record).unwrap()
}

pub(crate) fn text(record: &Record, field: &str) -> String {
    match record.get(field) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn client(record: Box<RawValue>) -> ClientRecord {
    ClientRecord::read(record).unwrap()
}

fn deal(record: Box<RawValue>) -> DealRecord {
    DealRecord::read(record).unwrap()
}

fn invoice(record: Box<RawValue>) -> InvoiceRecord {
    InvoiceRecord::read(record).unwrap()
}

impl Crm for World {
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }

    fn clients(&self) -> Listed<ClientRecord> {
        self.list(Table::Crm, false, client)
    }

    fn client(&self, id: u64) -> Asked<'_, Option<ClientRecord>> {
        Box::pin(async move { Ok(self.read(Table::Crm, id).await?.map(client)) })
    }

    fn create_client(&self, content: Content) -> Asked<'_, u64> {
        Box::pin(async move { self.write(Table::Crm, None, &content).await })
    }

    fn update_client(&self, id: u64, content: Content) -> Asked<'_, ()> {
        Box::pin(async move { self.write(Table::Crm, Some(id), &content).await.map(drop) })
    }

    fn push_client(&self, envelope: Record) -> Asked<'_, ()> {
        let client = serde_json::value::to_raw_value(&envelope["client"]).unwrap();
        Box::pin(async move { self.write(Table::Crm, None, &client).await.map(drop) })
    }

    fn receiver(&self) -> Receiver {
        Receiver { url: "https://x.example/receiver".to_owned(), token: Secret::new("t/x".to_owned()) }
    }

    fn deals(&self) -> Listed<DealRecord> {
        self.list(Table::Deals, false, deal)
    }

    fn deal(&self, id: u64) -> Asked<'_, Option<DealRecord>> {
        Box::pin(async move { Ok(self.read(Table::Deals, id).await?.map(deal)) })
    }

    fn create_deal(&self, content: Content) -> Asked<'_, NewDeal> {
        Box::pin(async move {
            let id = self.write(Table::Deals, None, &content).await?;
            Ok(NewDeal { id, client_id: None })
        })
    }

    fn update_deal(&self, id: u64, content: Content) -> Asked<'_, ()> {
        Box::pin(async move { self.write(Table::Deals, Some(id), &content).await.map(drop) })
    }
}

impl Billing for World {
    fn clients(&self) -> Listed<ClientRecord> {
        self.list(Table::Bills, true, client)
    }

    fn client(&self, id: u64) -> Asked<'_, Option<ClientRecord>> {
        Box::pin(async move { Ok(self.read(Table::Bills, id).await?.map(client)) })
    }

    fn create_client(&self, content: Content) -> Asked<'_, u64> {
        Box::pin(async move { self.write(Table::Bills, None, &content).await })
    }

    fn update_client(&self, id: u64, content: Content) -> Asked<'_, ()> {
        Box::pin(async move { self.write(Table::Bills, Some(id), &content).await.map(drop) })
    }

    fn invoices(&self) -> Listed<InvoiceRecord> {
        self.list(Table::Invoices, true, invoice)
    }

    fn invoice(&self, id: u64) -> Asked<'_, Option<InvoiceRecord>> {
        Box::pin(async move { Ok(self.read(Table::Invoices, id).await?.map(invoice)) })
    }

    fn webhooks(&self) -> Asked<'_, Vec<WebhookRow>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn create_webhook(&self, _: &str, _: Receiver) -> Asked<'_, u64> {
        Box::pin(async { Ok(1) })
    }
}
