//! Counts in the state of the sandbox what must be true at rest. Written from the contract, with no code of the engine.

use std::collections::{BTreeMap, BTreeSet};

use integration_sandbox::bitfactura::Request;
use serde_json::Value;

use super::editor::{Edit, Editor, FIELDS, Side};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Count {
    pub(crate) clients: usize,
    pub(crate) deals: usize,
    pub(crate) edits: usize,
    /// Edits that a write overwrote which had been decided before: the one loss that the engine announces.
    pub(crate) races: usize,
    pub(crate) doubled_clients: usize,
    pub(crate) doubled_deals: usize,
    pub(crate) deletions: usize,
    pub(crate) unequal: usize,
    pub(crate) unreported: usize,
    pub(crate) faults: Vec<String>,
}

/// All that was read back.
pub(crate) struct State {
    pub(crate) bills: Vec<Value>,
    pub(crate) crm: Vec<Value>,
    pub(crate) invoices: Vec<Value>,
    pub(crate) deals: Vec<Value>,
    /// How many clients and deals were ever made: BitFactura, Sugester, deals.
    pub(crate) made: [usize; 3],
    pub(crate) asked_of_bills: Vec<Request>,
    pub(crate) asked_of_crm: Vec<Request>,
    /// Client of BitFactura and field.
    pub(crate) conflicts: BTreeSet<(u64, String)>,
}

pub(crate) fn text(record: &Value, field: &str) -> String {
    match &record[field] {
        Value::String(text) => text.trim().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub(crate) fn id(record: &Value) -> u64 {
    record["id"].as_u64().unwrap()
}

/// The id that a record of Sugester names.
pub(crate) fn named(record: &Value) -> String {
    text(&record["external_ids"], "bitfactura")
}

fn by_serial(records: &[Value]) -> BTreeMap<String, Vec<&Value>> {
    let mut found: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for record in records {
        found.entry(text(record, "register_number")).or_default().push(record);
    }
    found
}

pub(crate) fn count(state: &State, editor: &Editor) -> Count {
    let mut count = Count { edits: editor.edits.len(), ..Count::default() };
    clients(state, editor, &mut count);
    deals(state, &mut count);
    let deletes = |asked: &[Request]| asked.iter().filter(|request| request.method == "DELETE").count();
    count.deletions += deletes(&state.asked_of_bills) + deletes(&state.asked_of_crm);
    count
}

fn clients(state: &State, editor: &Editor, count: &mut Count) {
    let (here, there) = (by_serial(&state.bills), by_serial(&state.crm));
    let removed = |side| editor.removed.iter().filter(|removed| removed.side == side).count();
    let ever = [(&here, Side::BitFactura), (&there, Side::Sugester)];
    for ((found, side), made) in ever.into_iter().zip(state.made) {
        let was_removed: BTreeSet<&str> = editor
            .removed
            .iter()
            .filter(|removed| removed.side == side)
            .map(|removed| removed.serial.as_str())
            .collect();
        for (serial, records) in found {
            let copies = records.len() + usize::from(was_removed.contains(serial.as_str()));
            if copies > 1 || serial.is_empty() {
                count.doubled_clients += 1;
                count.faults.push(format!("{serial:?} is {copies} times in {side:?}"));
            }
        }
        let standing: usize = found.values().map(Vec::len).sum();
        if standing + removed(side) != made {
            count.deletions += made.abs_diff(standing + removed(side));
            count.faults.push(format!("{side:?}: {made} were made, {standing} stand"));
        }
    }
    for removed in &editor.removed {
        let other = if removed.side == Side::BitFactura { &there } else { &here };
        if !other.contains_key(&removed.serial) {
            count.deletions += 1;
            count.faults.push(format!(
                "{} was removed in {:?} and is gone on the other side",
                removed.serial, removed.side
            ));
        }
    }
    let gone: BTreeSet<&str> = editor.removed.iter().map(|removed| removed.serial.as_str()).collect();
    for serial in editor.serials.iter().filter(|serial| !gone.contains(serial.as_str())) {
        count.clients += 1;
        match (here.get(serial), there.get(serial)) {
            (Some(left), Some(right)) => pair(state, editor, serial, (left[0], right[0]), count),
            _ => {
                count.unequal += 1;
                count.faults.push(format!("{serial} is not on both sides"));
            }
        }
    }
}

fn pair(state: &State, editor: &Editor, serial: &str, (bill, crm): (&Value, &Value), count: &mut Count) {
    if named(crm) != id(bill).to_string() {
        count.unequal += 1;
        count.faults.push(format!("{serial}: Sugester names {:?}, not {}", named(crm), id(bill)));
    }
    for field in FIELDS.iter().copied().chain(["name", "tax_no", "register_number", "company"]) {
        if text(bill, field) != text(crm, field) {
            count.unequal += 1;
            count.faults.push(format!(
                "{serial}.{field}: {:?} and {:?}",
                text(bill, field),
                text(crm, field)
            ));
        }
    }
    for field in FIELDS {
        if state.conflicts.contains(&(id(bill), field.to_owned())) {
            continue;
        }
        let edits: Vec<&Edit> = editor.edits_of(serial, field).collect();
        for side in [Side::BitFactura, Side::Sugester] {
            let (record, asked) = match side {
                Side::BitFactura => (bill, &state.asked_of_bills),
                Side::Sugester => (crm, &state.asked_of_crm),
            };
            match lost(&edits, side, &text(bill, field)) {
                Some(edit) if was_decided_before(edit, id(record), asked) => count.races += 1,
                Some(edit) => {
                    count.unreported += 1;
                    count
                        .faults
                        .push(format!("{serial}.{field}: {edit:?} was lost to {:?}", text(bill, field)));
                }
                None => {}
            }
        }
    }
}

/// The last edit of a side, if it is neither in force nor was seen by whoever edited the other side later. Values are never used twice.
fn lost<'e>(edits: &[&'e Edit], side: Side, at_rest: &str) -> Option<&'e Edit> {
    let at = edits.iter().rposition(|edit| edit.side == side)?;
    let edit = edits[at];
    let was_seen =
        edits[at + 1..].iter().any(|later| later.other_showed.as_deref() == Some(edit.value.as_str()));
    (edit.value != at_rest && !was_seen).then_some(edit)
}

/// Whether the first write of the field after an edit was decided on what was read before it.
fn was_decided_before(edit: &Edit, id: u64, asked: &[Request]) -> bool {
    let path = format!("/clients/{id}.json");
    let own: Vec<&Request> = asked.iter().filter(|request| request.path.ends_with(&path)).collect();
    let is_later = |request: &Request| request.received_at.parse::<jiff::Timestamp>().unwrap() > edit.began;
    let field = format!("\"{}\"", edit.field);
    let write = own.iter().position(|request| {
        request.method == "PUT" && is_later(request) && request.body.contains(&field) && request.acted
    });
    let Some(write) = write else { return false };
    let read = own[..write].iter().rfind(|request| request.method == "GET");
    read.is_none_or(|read| read.received_at.parse::<jiff::Timestamp>().unwrap() <= edit.ended)
}

fn deals(state: &State, count: &mut Count) {
    let mut of: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    state.deals.iter().for_each(|deal| of.entry(named(deal)).or_default().push(deal));
    let crm: BTreeMap<String, u64> = state.crm.iter().map(|client| (named(client), id(client))).collect();
    if state.deals.len() != state.made[2] {
        count.deletions += 1;
        count.faults.push(format!("{} deals were made, {} stand", state.made[2], state.deals.len()));
    }
    for invoice in &state.invoices {
        count.deals += 1;
        let own = of.get(&id(invoice).to_string()).map(Vec::as_slice).unwrap_or_default();
        match own {
            [deal] => deal_of(invoice, deal, &crm, count),
            _ => {
                count.doubled_deals += usize::from(own.len() > 1);
                count.unequal += usize::from(own.is_empty());
                count.faults.push(format!("invoice {} has {} deals", id(invoice), own.len()));
            }
        }
    }
    if state.deals.len() != state.invoices.len() {
        count.faults.push(format!("{} deals, {} invoices", state.deals.len(), state.invoices.len()));
    }
}

fn deal_of(invoice: &Value, deal: &Value, crm: &BTreeMap<String, u64>, count: &mut Count) {
    let cancelled = invoice["cancelled"].as_bool() == Some(true) || text(invoice, "cancelled") == "1";
    let status = if cancelled { "cancelled".to_owned() } else { text(invoice, "status") };
    let cents = |record: &Value, field: &str| {
        let text = text(record, field);
        let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
        format!("{whole}.{part:0<2}")
    };
    let client = crm.get(&text(invoice, "client_id")).map(u64::to_string).unwrap_or_default();
    let expected = [
        ("status", status),
        ("invoice_no", text(invoice, "number")),
        ("description", text(invoice, "description")),
        ("client_id", client),
    ];
    let wrong = expected.into_iter().find(|(field, value)| text(deal, field) != *value);
    if wrong.is_some()
        || cents(deal, "price") != cents(invoice, "price_gross")
        || text(deal, "url").is_empty()
    {
        count.unequal += 1;
        count.faults.push(format!("invoice {invoice} and its deal {deal} differ: {wrong:?}"));
    }
}
