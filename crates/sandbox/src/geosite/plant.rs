//! The plant itself: elements by feature, the indexes that keep reading cheap, and every way to change them.
//!
//! The rule: each change goes through [`Plant::put`] or [`Plant::take`], so that no index can be forgotten.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::cell::Cell;
use super::feature::{Each, Feature};
use super::names::Names;
use super::network::{self, Network};
use super::query::Matched;
use super::records::Customer;
use super::schema::{Key, Schema, Source};
use super::shelf::{NOWHERE, Role, Row, Shelf};
use super::times::Times;

/// The elements of one feature.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Table {
    pub(super) rows: Shelf,
    /// Last change and `fid`: an incremental read must not look at what did not change.
    pub(super) by_change: BTreeSet<(u32, u32)>,
    /// Values that a test set and that no row can hold.
    set: HashMap<u32, BTreeMap<Key, Value>>,
    pub(super) schema: Schema,
    last_serial: u32,
    /// Counts changes of rows.
    pub(super) version: u64,
}

impl Table {
    fn new(feature: Feature, rows: &[Row]) -> Self {
        let mut changes: Vec<(u32, u32)> = rows.iter().map(|row| (row.changed, row.fid)).collect();
        // A tree is filled from a sorted list without looking for places.
        changes.sort_unstable();
        Self {
            rows: Shelf::filled(rows),
            by_change: changes.into_iter().collect(),
            set: HashMap::new(),
            schema: Schema::of(feature),
            last_serial: u32::try_from(rows.len()).unwrap_or(u32::MAX),
            version: 0,
        }
    }

    fn set_value(&self, fid: u32, key: Key) -> Option<&Value> {
        self.set.get(&fid)?.get(&key)
    }
}

/// Everything that is mapped.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Plant {
    tables: Each<Table>,
    names: Names,
    pub(super) next_fid: u32,
    next_contract: u32,
    /// Splitter, port, customer.
    seats: BTreeSet<(u32, u16, u32)>,
    /// Box, splitter.
    children: BTreeSet<(u32, u32)>,
    /// Contract, customer.
    pub(super) contracts: BTreeSet<(u32, u32)>,
    /// Worked out again when it is asked for.
    #[serde(skip)]
    pub(super) matched: Vec<Matched>,
}

/// Why a change cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// No such element.
    #[error("there is no element {0}")]
    Absent(u32),
    /// An element of this `fid` is there already, of whatever feature.
    #[error("the fid {0} is taken")]
    Taken(u32),
    /// The feature has no such column.
    #[error("there is no column {0}")]
    NoColumn(String),
    /// The `fid` of an element cannot be changed, and is a whole number from 1 to 4294967295.
    #[error("fid: a number from 1, which stays as it is")]
    Fid,
}

impl Plant {
    pub(super) fn new(network: Network) -> Self {
        let made = network::generate(network);
        let customers = made.rows.of(Feature::Cliente);
        let splitters = made.rows.of(Feature::Splitter);
        Self {
            tables: Each::made(|feature| Table::new(feature, made.rows.of(feature))),
            names: Names { seed: network.seed },
            next_fid: made.next_fid,
            next_contract: made.next_contract,
            seats: customers.iter().filter_map(seat).collect(),
            children: splitters.iter().filter_map(child).collect(),
            contracts: customers.iter().filter_map(contract).collect(),
            matched: Vec::new(),
        }
    }

    pub(super) fn table(&self, feature: Feature) -> &Table {
        self.tables.of(feature)
    }

    pub(super) fn schema_mut(&mut self, feature: Feature) -> &mut Schema {
        // What was matched knows columns by their keys, but a new column may bear an old name.
        self.matched.clear();
        &mut self.tables.of_mut(feature).schema
    }

    pub(super) fn get(&self, feature: Feature, fid: u32) -> Option<&Row> {
        self.table(feature).rows.get(fid)
    }

    /// The feature and the row of an element, looked for everywhere.
    pub(super) fn find(&self, fid: u32) -> Option<(Feature, &Row)> {
        Feature::ALL.into_iter().find_map(|feature| Some((feature, self.get(feature, fid)?)))
    }

    /// A value of a row.
    pub(super) fn cell<'a>(&'a self, feature: Feature, row: &Row, key: Key) -> Cell<'a> {
        match (self.table(feature).set_value(row.fid, key), key) {
            (Some(value), _) => Cell::Set(value),
            (None, Key::Known(source)) => self.made(feature, row, source),
            (None, Key::Added(_)) => self.added(feature, key),
        }
    }

    fn added(&self, feature: Feature, key: Key) -> Cell<'_> {
        let mut columns = self.table(feature).schema.columns.iter();
        columns.find(|column| column.key == key).map_or(Cell::Null, |column| Cell::Set(&column.value))
    }

    fn made(&self, feature: Feature, row: &Row, source: Source) -> Cell<'static> {
        let some = |number: u32| if number == 0 { Cell::Null } else { Cell::Integer(number.into()) };
        let degrees = |degrees| if degrees == NOWHERE { Cell::Null } else { Cell::Degrees(degrees) };
        match source {
            Source::Fid => Cell::Integer(row.fid.into()),
            Source::Code => Cell::Text(Names::code(feature, row)),
            Source::Name => Cell::Text(self.names.name(feature, row)),
            Source::Street => Cell::Text(self.names.street(row)),
            Source::Latitude => degrees(row.latitude),
            Source::Longitude => degrees(row.longitude),
            Source::Geometry => point(row).map_or(Cell::Null, Cell::Text),
            Source::Changed => Cell::Time(row.changed),
            Source::Role => role(row.role),
            Source::Box | Source::Splitter => some(row.parent),
            Source::Ports | Source::Capacity => some(row.capacity.into()),
            Source::BoxType => some(feature.box_type().into()),
            Source::Document => Cell::Text(self.names.document(row.serial)),
            Source::Contract => some(row.contract),
            Source::Port => some(row.port.into()),
        }
    }

    /// A text of a row, whether made or set.
    pub(super) fn text(&self, feature: Feature, row: &Row, source: Source) -> String {
        match self.cell(feature, row, Key::Known(source)) {
            Cell::Text(text) => text,
            Cell::Set(Value::String(text)) => text.clone(),
            Cell::Set(other) if !other.is_null() => other.to_string(),
            _ => String::new(),
        }
    }

    /// Puts a row in the place of what had its `fid`.
    fn put(&mut self, feature: Feature, row: Row) {
        self.unindex(feature, row.fid);
        let table = self.tables.of_mut(feature);
        match table.rows.get_mut(row.fid) {
            Some(place) => *place = row,
            None => {
                table.rows.insert(row);
            }
        }
        table.by_change.insert((row.changed, row.fid));
        table.version += 1;
        match feature {
            Feature::Cliente => {
                self.seats.extend(seat(&row));
                self.contracts.extend(contract(&row));
            }
            Feature::Splitter => self.children.extend(child(&row)),
            _ => {}
        }
    }

    /// Takes an element away with all that was known of it.
    fn take(&mut self, feature: Feature, fid: u32) -> bool {
        self.unindex(feature, fid);
        let table = self.tables.of_mut(feature);
        table.set.remove(&fid);
        table.version += 1;
        table.rows.remove(fid).is_some()
    }

    fn unindex(&mut self, feature: Feature, fid: u32) {
        let table = self.tables.of_mut(feature);
        let Some(row) = table.rows.get(fid).copied() else { return };
        table.by_change.remove(&(row.changed, fid));
        match feature {
            Feature::Cliente => {
                seat(&row).map(|seat| self.seats.remove(&seat));
                contract(&row).map(|contract| self.contracts.remove(&contract));
            }
            Feature::Splitter => {
                child(&row).map(|child| self.children.remove(&child));
            }
            _ => {}
        }
    }

    /// Adds an element with these values, by column name; returns its `fid`.
    pub(super) fn insert(
        &mut self,
        feature: Feature,
        mut values: Map<String, Value>,
        now: u32,
        times: &Times,
    ) -> Result<u32, Refused> {
        let named = values.keys().find(|name| self.is_fid(feature, name)).cloned();
        let given = named.and_then(|name| values.remove(&name));
        let fid =
            given.map_or(Ok(self.next_fid), |fid| whole(&fid).filter(|fid| *fid > 0).ok_or(Refused::Fid))?;
        if self.find(fid).is_some() {
            return Err(Refused::Taken(fid));
        }
        let table = self.tables.of_mut(feature);
        let mut row = Row::new(fid);
        row.serial = table.last_serial.saturating_add(1);
        row.changed = now;
        let set = self.apply(feature, &mut row, values, times)?;
        if feature == Feature::Cliente
            && row.contract == 0
            && !set.contains_key(&Key::Known(Source::Contract))
        {
            row.contract = self.next_contract;
            self.next_contract = self.next_contract.saturating_add(1);
        }
        self.next_fid = self.next_fid.max(fid.saturating_add(1));
        self.tables.of_mut(feature).last_serial = row.serial;
        self.keep(feature, fid, set);
        self.put(feature, row);
        Ok(fid)
    }

    /// Changes values by column name. The time of the change is `now`, or stays where there is none, unless it is
    /// one of the values.
    pub(super) fn edit(
        &mut self,
        feature: Feature,
        fid: u32,
        values: Map<String, Value>,
        now: Option<u32>,
        times: &Times,
    ) -> Result<(), Refused> {
        let mut row = self.get(feature, fid).copied().ok_or(Refused::Absent(fid))?;
        if values.keys().any(|name| self.is_fid(feature, name)) {
            return Err(Refused::Fid);
        }
        row.changed = now.unwrap_or(row.changed);
        let set = self.apply(feature, &mut row, values, times)?;
        self.keep(feature, fid, set);
        self.put(feature, row);
        Ok(())
    }

    pub(super) fn delete(&mut self, feature: Feature, fid: u32) -> bool {
        self.get(feature, fid).is_some() && self.take(feature, fid)
    }

    fn is_fid(&self, feature: Feature, name: &str) -> bool {
        let column = self.table(feature).schema.find(name);
        column.map_or(name == "fid", |column| column.key == Key::Known(Source::Fid))
    }

    /// Sets what the row can hold, and returns the rest; null there means that nothing is set any more.
    fn apply(
        &self,
        feature: Feature,
        row: &mut Row,
        values: Map<String, Value>,
        times: &Times,
    ) -> Result<BTreeMap<Key, Option<Value>>, Refused> {
        let mut set = BTreeMap::new();
        for (name, value) in values {
            let key = self.key(feature, &name).ok_or(Refused::NoColumn(name))?;
            let held = hold(row, key, &value, times);
            set.insert(key, (!held).then_some(value));
        }
        Ok(set)
    }

    /// The column of this name, or the source that the contract calls so: what a test says does not change when
    /// an installation's column does.
    fn key(&self, feature: Feature, name: &str) -> Option<Key> {
        let own = self.table(feature).schema.find(name).map(|column| column.key);
        own.or_else(|| Schema::of(feature).find(name).map(|column| column.key))
    }

    fn keep(&mut self, feature: Feature, fid: u32, set: BTreeMap<Key, Option<Value>>) {
        if set.is_empty() {
            return;
        }
        let kept = self.tables.of_mut(feature).set.entry(fid).or_default();
        for (key, value) in set {
            match value {
                Some(value) => kept.insert(key, value),
                None => kept.remove(&key),
            };
        }
    }

    pub(super) fn customer(&self, row: &Row) -> Customer {
        let text = |source| self.text(Feature::Cliente, row, source);
        let splitter = self.get(Feature::Splitter, row.parent).filter(|_| row.port > 0);
        let code = splitter.map(|splitter| self.text(Feature::Splitter, splitter, Source::Code));
        Customer {
            fid: row.fid,
            document: text(Source::Document),
            name: text(Source::Name),
            contract: row.contract,
            seat: code.map(|code| (code, row.port)),
            changed: row.changed,
        }
    }

    /// Customers on a port.
    pub(super) fn holders(&self, splitter: u32, port: u16) -> impl Iterator<Item = u32> {
        self.seats.range((splitter, port, 0)..=(splitter, port, u32::MAX)).map(|(_, _, customer)| *customer)
    }

    /// How many ports of a splitter are taken.
    pub(super) fn taken(&self, splitter: u32) -> usize {
        let seats = self.seats.range((splitter, 0, 0)..=(splitter, u16::MAX, u32::MAX));
        seats.map(|(_, port, _)| port).collect::<BTreeSet<_>>().len()
    }

    /// The splitters of a box.
    pub(super) fn splitters(&self, parent: u32) -> impl Iterator<Item = &Row> {
        let inside = self.children.range((parent, 0)..=(parent, u32::MAX));
        inside.filter_map(|(_, splitter)| self.get(Feature::Splitter, *splitter))
    }
}

fn seat(row: &Row) -> Option<(u32, u16, u32)> {
    (row.parent > 0 && row.port > 0).then_some((row.parent, row.port, row.fid))
}

fn child(row: &Row) -> Option<(u32, u32)> {
    (row.parent > 0).then_some((row.parent, row.fid))
}

fn contract(row: &Row) -> Option<(u32, u32)> {
    (row.contract > 0).then_some((row.contract, row.fid))
}

fn role(role: Role) -> Cell<'static> {
    match role {
        Role::None => Cell::Null,
        Role::Service => Cell::Text("Atendimento".to_owned()),
        Role::Distribution => Cell::Text("Distribuição".to_owned()),
    }
}

/// `POINT (lon lat)`
pub(super) fn point(row: &Row) -> Option<String> {
    row.place()?;
    Some(format!("POINT ({} {})", super::cell::decimal(row.longitude), super::cell::decimal(row.latitude)))
}

/// A whole number, or a text of one.
pub(super) fn whole<T: std::str::FromStr>(value: &Value) -> Option<T> {
    match value {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Puts a value into the row where it fits; `false` where it has to be kept beside.
fn hold(row: &mut Row, key: Key, value: &Value, times: &Times) -> bool {
    let Key::Known(source) = key else { return false };
    match source {
        Source::Latitude => hold_degrees(&mut row.latitude, value, 90.0),
        Source::Longitude => hold_degrees(&mut row.longitude, value, 180.0),
        Source::Changed => hold_time(&mut row.changed, value, times),
        Source::Role => hold_role(&mut row.role, value),
        Source::Box | Source::Splitter => hold_number(&mut row.parent, value),
        Source::Contract => hold_number(&mut row.contract, value),
        Source::Ports | Source::Capacity => hold_number(&mut row.capacity, value),
        Source::Port => hold_number(&mut row.port, value),
        // Texts are made, and null has to hide the made one.
        _ => false,
    }
}

/// Takes a whole number. A text of one is taken too and kept as the text it is; anything else empties the place.
fn hold_number<T: Default + std::str::FromStr>(place: &mut T, value: &Value) -> bool {
    let number = whole(value);
    let held = (number.is_some() && value.is_number()) || value.is_null();
    *place = number.unwrap_or_default();
    held
}

fn hold_degrees(place: &mut i32, value: &Value, limit: f64) -> bool {
    let read = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok());
    let degrees = read.filter(|degrees| degrees.abs() <= limit);
    *place = degrees.map_or(NOWHERE, |degrees| (degrees * 1e7).round() as i32);
    (degrees.is_some() && value.is_number()) || value.is_null()
}

fn hold_time(place: &mut u32, value: &Value, times: &Times) -> bool {
    let read = value.as_str().and_then(|text| u32::try_from(times.read(text)?).ok());
    *place = read.unwrap_or(*place);
    read.is_some()
}

fn hold_role(place: &mut Role, value: &Value) -> bool {
    *place = match value.as_str() {
        Some("Atendimento") => Role::Service,
        Some("Distribuição") => Role::Distribution,
        _ => Role::None,
    };
    *place != Role::None || value.is_null()
}
