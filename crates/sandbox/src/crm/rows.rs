//! Tables of records: sparse fields, indexes, times of change. Every look-up and every page of the standing orders
//! costs what it returns, not what the table holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lists::Sort;
use super::{Order, Query, Wire};
use crate::clock::Moment;

/// Fields of a record that have a value.
pub(crate) type Fields = Map<String, Value>;

/// One record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) fields: Fields,
    pub(crate) created: Moment,
    pub(crate) changed: Moment,
    /// What the table's `mark` says of the fields: kept, since every row of a list is asked.
    pub(crate) marked: bool,
}

impl Row {
    pub(crate) fn get(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    /// A text or number as text; empty for anything else.
    pub(crate) fn text(&self, name: &str) -> String {
        text(self.get(name))
    }
}

/// A text or number as text; empty for anything else.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// Entry of an index, such as `email=ana@example.com`: lower case, without outer blanks.
pub(crate) fn key(field: &str, value: &str) -> String {
    format!("{field}={}", value.trim().to_lowercase())
}

/// Tax numbers are compared without blanks, dots, hyphens and slashes (contract section 5).
pub(crate) fn tax_key(value: &str) -> String {
    let plain: String =
        value.chars().filter(|sign| !sign.is_whitespace() && !".-/".contains(*sign)).collect();
    key("tax_no", &plain)
}

/// Entries for these fields, as far as they have a value.
pub(crate) fn keys_of(fields: &Fields, names: &[&str]) -> Vec<String> {
    let filled = names.iter().map(|name| (name, fields.get(*name).map(text).unwrap_or_default()));
    filled.filter(|(_, value)| !value.trim().is_empty()).map(|(name, value)| key(name, &value)).collect()
}

/// Entries of a client: what it is looked for by.
pub(crate) fn client_keys(fields: &Fields) -> Vec<String> {
    let mut keys = keys_of(fields, &["name", "email", "shortcut", "external_id"]);
    let tax_no = fields.get("tax_no").map(text).filter(|tax_no| !tax_no.trim().is_empty());
    keys.extend(tax_no.map(|tax_no| tax_key(&tax_no)));
    keys.extend(external_keys(fields));
    keys
}

/// Entries for `external_ids`; the application's name is compared without case, its id as text.
pub(crate) fn external_keys(fields: &Fields) -> Vec<String> {
    let pairs = fields.get("external_ids").and_then(Value::as_object).into_iter().flatten();
    pairs.map(|(app, id)| key("external_ids", &format!("{app}={}", text(id)))).collect()
}

/// A table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rows {
    rows: BTreeMap<u64, Row>,
    gone: BTreeMap<u64, Row>,
    #[serde(skip)]
    index: BTreeMap<String, BTreeSet<u64>>,
    #[serde(skip)]
    by_change: BTreeSet<(Moment, u64)>,
    /// Next number to try behind a shortcut that is taken.
    suffixes: BTreeMap<String, u64>,
    next: u64,
    created: usize,
    #[serde(skip, default = "no_keys")]
    keys: fn(&Fields) -> Vec<String>,
    #[serde(skip, default = "no_mark")]
    mark: fn(&Fields) -> bool,
}

/// Stands in until [`Rows::like`] says what a table is looked for by.
fn no_keys() -> fn(&Fields) -> Vec<String> {
    |_| Vec::new()
}

fn no_mark() -> fn(&Fields) -> bool {
    |_| false
}

impl Rows {
    /// An empty table whose ids begin after `before`.
    pub(crate) fn new(before: u64, keys: fn(&Fields) -> Vec<String>) -> Self {
        Self {
            rows: BTreeMap::new(),
            gone: BTreeMap::new(),
            index: BTreeMap::new(),
            by_change: BTreeSet::new(),
            suffixes: BTreeMap::new(),
            next: before.saturating_add(1),
            created: 0,
            keys,
            mark: |_| false,
        }
    }

    /// The same, with a mark that is worked out at every change.
    pub(crate) fn marking(self, mark: fn(&Fields) -> bool) -> Self {
        Self { mark, ..self }
    }

    /// A table that was read back, with the indexes of the one whose place it takes.
    pub(crate) fn like(mut self, other: &Self) -> Self {
        (self.keys, self.mark) = (other.keys, other.mark);
        for row in std::mem::take(&mut self.rows).into_values() {
            self.enter(&row);
            self.rows.insert(row.id, row);
        }
        self
    }

    pub(crate) fn insert(&mut self, fields: Fields, now: Moment) -> u64 {
        let id = self.next;
        self.next = id.saturating_add(1);
        self.created = self.created.saturating_add(1);
        let marked = (self.mark)(&fields);
        let row = Row { id, fields, created: now, changed: now, marked };
        self.enter(&row);
        self.rows.insert(id, row);
        id
    }

    fn enter(&mut self, row: &Row) {
        self.by_change.insert((row.changed, row.id));
        for key in (self.keys)(&row.fields) {
            self.index.entry(key).or_default().insert(row.id);
        }
    }

    fn leave(&mut self, row: &Row) {
        self.by_change.remove(&(row.changed, row.id));
        for key in (self.keys)(&row.fields) {
            if let Some(ids) = self.index.get_mut(&key) {
                ids.remove(&row.id);
                if ids.is_empty() {
                    self.index.remove(&key);
                }
            }
        }
    }

    /// Changes a record; its time of change moves by a millisecond at least, even while the clock is stopped.
    pub(crate) fn change(&mut self, id: u64, now: Moment, change: impl FnOnce(&mut Fields)) -> bool {
        let Some(mut row) = self.rows.remove(&id) else { return false };
        self.leave(&row);
        change(&mut row.fields);
        row.marked = (self.mark)(&row.fields);
        row.changed = now.max(row.changed.plus(Duration::from_millis(1)));
        self.enter(&row);
        self.rows.insert(id, row);
        true
    }

    /// Changes a record that nobody has seen yet: its time stays.
    pub(crate) fn amend(&mut self, id: u64, change: impl FnOnce(&mut Fields)) {
        if let Some(mut row) = self.rows.remove(&id) {
            self.leave(&row);
            change(&mut row.fields);
            row.marked = (self.mark)(&row.fields);
            self.enter(&row);
            self.rows.insert(id, row);
        }
    }

    pub(crate) fn remove(&mut self, id: u64, now: Moment) -> Option<&Row> {
        let mut row = self.rows.remove(&id)?;
        self.leave(&row);
        row.changed = now.max(row.changed.plus(Duration::from_millis(1)));
        row.fields.insert("deleted".into(), Value::Bool(true));
        self.gone.insert(id, row);
        self.gone.get(&id)
    }

    pub(crate) fn get(&self, id: u64) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// A record that was removed.
    pub(crate) fn gone(&self, id: u64) -> Option<&Row> {
        self.gone.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Row> {
        self.rows.values()
    }

    /// How many records were ever added.
    pub(crate) fn created(&self) -> usize {
        self.created
    }

    /// Ids of the records with this entry, the lowest first.
    pub(crate) fn with(&self, key: &str) -> impl Iterator<Item = u64> {
        self.index.get(key).into_iter().flatten().copied()
    }

    /// Ids of the records with an entry that begins so.
    pub(crate) fn beginning(&self, key: &str) -> BTreeSet<u64> {
        let entries = self.index.range(key.to_owned()..).take_while(|(entry, _)| entry.starts_with(key));
        entries.flat_map(|(_, ids)| ids).copied().collect()
    }

    /// The shortcut, with ` (1)`, ` (2)`, … if another record has it.
    pub(crate) fn free_shortcut(&mut self, wanted: &str, of: Option<u64>) -> String {
        let taken = |text: &str| self.with(&key("shortcut", text)).any(|id| Some(id) != of);
        if !taken(wanted) {
            return wanted.to_owned();
        }
        let base = key("shortcut", wanted);
        let mut number = self.suffixes.get(&base).copied().unwrap_or(1);
        while taken(&format!("{wanted} ({number})")) {
            number = number.saturating_add(1);
        }
        self.suffixes.insert(base, number);
        format!("{wanted} ({number})")
    }

    /// The page that the query asks for, of the records that are kept.
    pub(crate) fn page(
        &self,
        query: &Query,
        wire: &Wire,
        among: Option<&BTreeSet<u64>>,
        sort: &Sort,
        keep: impl Fn(&Row) -> bool,
    ) -> Vec<&Row> {
        let size = wire.page_size.size(query.number("per_page"));
        let page = if wire.ignores_page { 1 } else { query.number::<usize>("page").unwrap_or(1).max(1) };
        let skipped = page.saturating_sub(1).saturating_mul(size);
        let cut = |rows: &mut dyn Iterator<Item = &'_ Row>| -> Vec<u64> {
            rows.filter(|row| keep(row)).skip(skipped).take(size).map(|row| row.id).collect()
        };
        let ids = match (among, sort) {
            (None, Sort::Standing(Order::IdDescending)) => cut(&mut self.rows.values().rev()),
            (None, Sort::Standing(Order::IdAscending)) => cut(&mut self.rows.values()),
            (None, Sort::Standing(Order::ChangeDescending) | Sort::Changed { descending: true }) => {
                cut(&mut self.by_change.iter().rev().filter_map(|(_, id)| self.get(*id)))
            }
            (None, Sort::Changed { descending: false }) => {
                cut(&mut self.by_change.iter().filter_map(|(_, id)| self.get(*id)))
            }
            (None, sort) => cut(&mut sort.sorted(self.rows.values()).into_iter()),
            (Some(ids), sort) => cut(&mut sort.sorted(ids.iter().filter_map(|id| self.get(*id))).into_iter()),
        };
        ids.into_iter().filter_map(|id| self.get(id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(value: &Value) -> Fields {
        value.as_object().unwrap().clone()
    }

    fn three() -> Rows {
        let mut rows = Rows::new(10, client_keys);
        for name in ["Uno", "Dos", "Tres"] {
            let external = json!({ "APP": name.len() });
            rows.insert(
                fields(&json!({ "name": name, "tax_no": "1.2-3", "external_ids": external })),
                now(0),
            );
        }
        rows
    }

    fn now(seconds: i64) -> Moment {
        Moment::from_epoch(1_000 + seconds)
    }

    fn page(rows: &Rows, query: &str, wire: &Wire) -> Vec<u64> {
        let sort = Sort::Standing(wire.order);
        rows.page(&Query::read(query), wire, None, &sort, |_| true).iter().map(|row| row.id).collect()
    }

    #[test]
    fn a_change_moves_the_time_and_the_index() {
        let mut rows = three();
        assert_eq!(rows.with(&tax_key("123")).collect::<Vec<_>>(), [11, 12, 13]);
        assert!(rows.change(11, now(0), |fields| drop(fields.insert("tax_no".into(), json!("9")))));
        assert!(rows.get(11).unwrap().changed > now(0));
        assert_eq!(rows.with(&tax_key("123")).collect::<Vec<_>>(), [12, 13]);
        assert_eq!(rows.with("external_ids=app=4").collect::<Vec<_>>(), [13]);
        assert!(rows.remove(13, now(9)).is_some() && rows.get(13).is_none());
        assert_eq!(rows.with("external_ids=app=4").count(), 0);
        assert_eq!(rows.created(), 3);
    }

    #[test]
    fn a_taken_shortcut_gets_a_number() {
        let mut rows = three();
        for expected in ["ACME", "ACME (1)", "ACME (2)"] {
            let shortcut = rows.free_shortcut("ACME", None);
            assert_eq!(shortcut, expected);
            rows.insert(fields(&json!({ "shortcut": shortcut })), now(1));
        }
        assert_eq!(rows.free_shortcut("acme", Some(14)), "acme");
    }

    #[test]
    fn every_order_pages_through_all_once() {
        let mut rows = three();
        rows.change(12, now(5), |_| ());
        let mut wire = Wire::default();
        let all = |wire: &Wire| {
            (1..=3)
                .flat_map(|number| page(&rows, &format!("per_page=1&page={number}"), wire))
                .collect::<Vec<_>>()
        };
        assert_eq!(all(&wire), [13, 12, 11]);
        wire.order = Order::IdAscending;
        assert_eq!(all(&wire), [11, 12, 13]);
        wire.order = Order::ChangeDescending;
        assert_eq!(all(&wire), [12, 13, 11]);
        wire.order = Order::Scattered;
        let mut scattered = all(&wire);
        scattered.sort_unstable();
        assert_eq!(scattered, [11, 12, 13]);
        wire.ignores_page = true;
        assert_eq!(page(&rows, "per_page=2&page=9", &wire).len(), 2);
    }
}
