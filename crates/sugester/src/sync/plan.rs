//! What to write for one pair of linked clients: three-way compare field by field (contract 4.2, 4.3).
//!
//! The rules enforced here: what changed on one side is copied; what changed on both to different values is a conflict; an empty
//! value clears the other side only if the snapshot shows that it was not empty, so never in a first synchronisation; only changed
//! fields are written, and `company` with them (trap 14); `skip_webhooks` is sent with every write and never read.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::carried::{CarriedClient, normal, sent};
use super::conflict::{Conflict, ConflictRule, Dispute, Winner};
use super::mapping::{Direction, FieldRule, Mapping, Side};

/// Two records of one client, and what both said when they were last synchronised.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'p> {
    bitfactura: &'p CarriedClient,
    sugester: &'p CarriedClient,
    snapshot: Option<&'p Snapshot>,
    bitfactura_updated_at: Option<Timestamp>,
    sugester_updated_at: Option<Timestamp>,
}

impl<'p> Pair<'p> {
    /// A pair that was never synchronised, without times.
    #[must_use]
    pub const fn new(bitfactura: &'p CarriedClient, sugester: &'p CarriedClient) -> Self {
        Self { bitfactura, sugester, snapshot: None, bitfactura_updated_at: None, sugester_updated_at: None }
    }

    /// The same with what the last synchronisation left.
    #[must_use]
    pub const fn since(self, snapshot: Option<&'p Snapshot>) -> Self {
        Self { snapshot, ..self }
    }

    /// The same with the `updated_at` of both records.
    #[must_use]
    pub const fn updated_at(self, bitfactura: Option<Timestamp>, sugester: Option<Timestamp>) -> Self {
        Self { bitfactura_updated_at: bitfactura, sugester_updated_at: sugester, ..self }
    }

    const fn on(&self, side: Side) -> &'p CarriedClient {
        match side {
            Side::BitFactura => self.bitfactura,
            Side::Sugester => self.sugester,
        }
    }
}

/// Stands for what is not known any more. No value of a service: it differs from all of them, also from nothing.
const FORGOTTEN: &str = "\u{fffd}?";

/// What both sides said after a synchronisation, in normal form, empty fields included; a field that is not in it was never
/// synchronised. Meant to be stored with the link.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Snapshot(BTreeMap<String, String>);

// The runs that keep snapshots come with the store.
#[cfg_attr(not(feature = "store"), allow(dead_code))]
impl Snapshot {
    /// What was said about a field, by its name in BitFactura.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(String::as_str)
    }

    /// Takes over what `after` says of the fields that `mapping` writes to `side` under the names of `written`.
    pub(super) fn confirm(&mut self, mapping: &Mapping, side: Side, written: &Write, after: &Self) {
        for rule in mapping.fields().iter().filter(|rule| written.0.contains_key(rule.name_in(side))) {
            let field = rule.bitfactura();
            self.0.extend(after.0.get(field).map(|text| (field.to_owned(), text.clone())));
        }
    }

    /// What both said when one was made out of the other. `company` is left out: it is sent even where the source does not say it.
    pub(super) fn of_creation(mapping: &Mapping, sent: &CarriedClient) -> Self {
        let rules = mapping.fields().iter().filter(|rule| !is_company(rule));
        Self(rules.map(|rule| (rule.bitfactura().to_owned(), sent.normal(rule.bitfactura()))).collect())
    }

    /// What both said last is not known any more: if they differ now, it is a conflict.
    pub(super) fn forget(&mut self, field: &str) {
        self.0.insert(field.to_owned(), FORGOTTEN.to_owned());
    }

    /// Takes over what a side says of one field, in normal form.
    pub(super) fn remember(&mut self, field: &str, text: String) {
        self.0.insert(field.to_owned(), text);
    }
}

/// Fields to write to one side, by their wire names there.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Write(BTreeMap<String, Value>);

impl Write {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Wire names with values; `null` clears.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The content of the wrapper `client`, with `skip_webhooks` (contract 4.3).
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let asked = ("skip_webhooks".to_owned(), Value::Bool(true));
        self.0.clone().into_iter().chain([asked]).collect()
    }
}

/// What to do for one pair.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PairPlan {
    /// Fields that BitFactura is written.
    pub to_bitfactura: Write,
    /// Fields that Sugester is written.
    pub to_sugester: Write,
    /// Every field that differs after a change on both sides, with both values.
    pub conflicts: Vec<Conflict>,
    /// What to remember once all writes have succeeded. Not before: a snapshot of what was not written would turn the next run's
    /// copy into its opposite.
    pub snapshot: Snapshot,
}

impl PairPlan {
    /// Whether nothing is written.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.to_bitfactura.is_empty() && self.to_sugester.is_empty()
    }

    /// What a side is written.
    #[must_use]
    pub const fn to(&self, side: Side) -> &Write {
        match side {
            Side::BitFactura => &self.to_bitfactura,
            Side::Sugester => &self.to_sugester,
        }
    }

    fn to_mut(&mut self, side: Side) -> &mut Write {
        match side {
            Side::BitFactura => &mut self.to_bitfactura,
            Side::Sugester => &mut self.to_sugester,
        }
    }
}

/// What to write so that two linked records say the same.
///
/// ```
/// use serde_json::json;
/// use sugester::sync::{CarriedClient, ConflictPolicy, Mapping, Pair, Side, plan};
///
/// let mapping = Mapping::default();
/// let there = |phone: &str| json!({"id": 9, "name": "Acme", "phone": phone});
/// let read = |side, record| CarriedClient::read(&mapping, side, &record);
/// let bitfactura = read(Side::BitFactura, json!({"id": 1, "name": "Acme", "phone": "1"}))?;
///
/// // At first sight the phones conflict, and nothing tells which is newer:
/// let sugester = read(Side::Sugester, there("2"))?;
/// let first = plan(&mapping, Pair::new(&bitfactura, &sugester), &ConflictPolicy::default());
/// assert_eq!(first.to_sugester.iter().collect::<Vec<_>>(), [("phone", &json!("1"))]);
/// assert_eq!(first.conflicts.len(), 1);
///
/// // Once both were equal, an edit on one side is no conflict:
/// let edited = read(Side::Sugester, there("3"))?;
/// let pair = Pair::new(&bitfactura, &edited).since(Some(&first.snapshot));
/// let second = plan(&mapping, pair, &ConflictPolicy::default());
/// assert_eq!(second.to_bitfactura.iter().collect::<Vec<_>>(), [("phone", &json!("3"))]);
/// assert!(second.conflicts.is_empty() && second.to_sugester.is_empty());
/// # Ok::<(), sugester::value::Unreadable>(())
/// ```
#[must_use]
pub fn plan(mapping: &Mapping, pair: Pair<'_>, policy: &dyn ConflictRule) -> PairPlan {
    let mut plan = PairPlan::default();
    for rule in mapping.fields() {
        let decided = decide(rule, &pair, policy);
        if let Some(side) = decided.write_to {
            write(&mut plan, rule, side, &pair);
        }
        plan.snapshot.0.extend(decided.remember.map(|text| (rule.bitfactura().to_owned(), text)));
        plan.conflicts.extend(decided.conflict);
    }
    for side in [Side::BitFactura, Side::Sugester] {
        send_company(&mut plan, mapping, side, &pair);
    }
    plan
}

/// What to write for a client that the other side does not have yet: what the source holds, as far as it is carried that way, and
/// `company`, which is `true` where the source does not say (contract 4.2, trap 14; that default is this crate's).
#[must_use]
pub fn plan_new(mapping: &Mapping, source: &CarriedClient, to: Side) -> PairPlan {
    let nothing = CarriedClient::default();
    let pair = match to {
        Side::BitFactura => Pair::new(&nothing, source),
        Side::Sugester => Pair::new(source, &nothing),
    };
    // Nothing can conflict with nothing.
    let mut plan = plan(mapping, pair, &super::ConflictPolicy::ReportOnly);
    for rule in mapping.fields().iter().filter(|rule| is_company(rule)) {
        let written = &mut plan.to_mut(to).0;
        written.entry(rule.name_in(to).to_owned()).or_insert(Value::Bool(true));
    }
    plan
}

#[derive(Default)]
struct Decided {
    write_to: Option<Side>,
    conflict: Option<Conflict>,
    remember: Option<String>,
}

/// What a field says on each side and said at last, in normal form.
struct Said {
    bitfactura: String,
    sugester: String,
    last: Option<String>,
}

impl Said {
    fn on(&self, side: Side) -> &str {
        match side {
            Side::BitFactura => &self.bitfactura,
            Side::Sugester => &self.sugester,
        }
    }

    /// Whether a side says something else than at the last synchronisation; before the first, whether it says anything.
    fn changed_on(&self, side: Side) -> bool {
        self.on(side) != self.last.as_deref().unwrap_or_default()
    }
}

fn decide(rule: &FieldRule, pair: &Pair<'_>, policy: &dyn ConflictRule) -> Decided {
    let field = rule.bitfactura();
    let last = pair.snapshot.and_then(|snapshot| snapshot.get(field)).map(|text| normal(rule.form(), text));
    let said =
        Said { bitfactura: pair.bitfactura.normal(field), sugester: pair.sugester.normal(field), last };
    match rule.direction() {
        _ if said.bitfactura == said.sugester => copied(said.bitfactura, None),
        Direction::Both => decide_both(rule, pair, said, policy),
        Direction::ToSugester => decide_one_way(rule, pair, said, Side::BitFactura, policy),
        Direction::ToBitFactura => decide_one_way(rule, pair, said, Side::Sugester, policy),
    }
}

fn decide_both(rule: &FieldRule, pair: &Pair<'_>, said: Said, policy: &dyn ConflictRule) -> Decided {
    match (said.changed_on(Side::BitFactura), said.changed_on(Side::Sugester)) {
        (true, false) => copied(said.bitfactura, Some(Side::Sugester)),
        (false, _) => copied(said.sugester, Some(Side::BitFactura)),
        (true, true) => {
            let dispute = dispute(rule, pair, &said);
            let winner = policy.winner(&dispute);
            settled(dispute, winner, said)
        }
    }
}

/// The source has authority, but does not clear what it never had, and a rule that writes neither side is obeyed.
fn decide_one_way(
    rule: &FieldRule,
    pair: &Pair<'_>,
    said: Said,
    source: Side,
    policy: &dyn ConflictRule,
) -> Decided {
    let target = source.other();
    let source_had_nothing = said.last.as_deref().unwrap_or_default().is_empty();
    if said.on(source).is_empty() && source_had_nothing {
        return copied(String::new(), None);
    }
    if !said.changed_on(target) {
        return copied(said.on(source).to_owned(), Some(target));
    }
    let dispute = dispute(rule, pair, &said);
    let winner = match policy.winner(&dispute) {
        Winner::Neither => Winner::Neither,
        Winner::Side(_) => Winner::Side(source),
    };
    settled(dispute, winner, said)
}

fn copied(text: String, write_to: Option<Side>) -> Decided {
    Decided { write_to, remember: Some(text), conflict: None }
}

/// What nobody has won is remembered as it was, so that the next run reports it again.
fn settled(dispute: Dispute, winner: Winner, said: Said) -> Decided {
    let conflict = Some(Conflict { dispute, winner });
    match winner {
        Winner::Neither => Decided { write_to: None, remember: said.last, conflict },
        Winner::Side(side) => Decided { conflict, ..copied(said.on(side).to_owned(), Some(side.other())) },
    }
}

fn dispute(rule: &FieldRule, pair: &Pair<'_>, said: &Said) -> Dispute {
    let value = |side| pair.on(side).get(rule.bitfactura()).map(str::to_owned);
    Dispute {
        field: rule.bitfactura().to_owned(),
        bitfactura: value(Side::BitFactura),
        sugester: value(Side::Sugester),
        last_synced: said.last.clone().filter(|last| last != FORGOTTEN),
        bitfactura_updated_at: pair.bitfactura_updated_at,
        sugester_updated_at: pair.sugester_updated_at,
    }
}

fn write(plan: &mut PairPlan, rule: &FieldRule, to: Side, pair: &Pair<'_>) {
    let text = pair.on(to.other()).get(rule.bitfactura()).unwrap_or_default();
    plan.to_mut(to).0.insert(rule.name_in(to).to_owned(), sent(rule.form(), text));
}

fn is_company(rule: &FieldRule) -> bool {
    rule.bitfactura() == "company"
}

/// The default of a missing `company` differs between the brands, so that every write says it (trap 14).
fn send_company(plan: &mut PairPlan, mapping: &Mapping, side: Side, pair: &Pair<'_>) {
    if plan.to(side).is_empty() {
        return;
    }
    for rule in mapping.fields().iter().filter(|rule| is_company(rule)) {
        let Some(text) = pair.on(side).get(rule.bitfactura()) else { continue };
        let name = rule.name_in(side).to_owned();
        plan.to_mut(side).0.entry(name).or_insert_with(|| sent(rule.form(), text));
    }
}

#[cfg(test)]
mod tests;
