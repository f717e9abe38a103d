//! What must be true at rest. Written from the contract, and with no code of the engine: not its normal form, not its digests.

use std::collections::BTreeMap;

use super::world::{Edit, Record, State, Table, World, text};

const CARRIED: [&str; 7] = ["name", "phone", "city", "email", "discount", "note", "tax_no"];

/// Contract 4.3: trimmed, e-mail in lower case, decimals without trailing zeros.
fn same(field: &str, left: &str, right: &str) -> bool {
    let (left, right) = (left.trim(), right.trim());
    match field {
        "email" => left.eq_ignore_ascii_case(right),
        "discount" if !left.is_empty() && !right.is_empty() => {
            let thousandths = |text: &str| (text.parse::<f64>().unwrap() * 1_000.0).round();
            thousandths(left).to_bits() == thousandths(right).to_bits()
        }
        _ => left == right,
    }
}

fn of(state: &State, table: Table) -> Vec<(u64, &Record)> {
    state.tables.get(&table).into_iter().flatten().map(|(id, record)| (*id, record)).collect()
}

fn gone(state: &State, table: Table) -> Vec<(u64, &Record)> {
    state.removed.get(&table).into_iter().flatten().map(|(id, record)| (*id, record)).collect()
}

fn by_serial<'s>(records: &[(u64, &'s Record)]) -> BTreeMap<String, Vec<(u64, &'s Record)>> {
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (id, record) in records {
        found.entry(text(record, "register_number")).or_default().push((*id, *record));
    }
    found
}

fn named(record: &Record) -> String {
    record
        .get("external_ids")
        .and_then(|ids| ids.get("bitfactura"))
        .and_then(|id| id.as_str())
        .unwrap_or_default()
        .to_owned()
}

pub(crate) fn judge(world: &World, conflicts: &[(u64, String)]) -> Vec<String> {
    let state = world.lock();
    let mut faults = clients(&state, conflicts);
    faults.extend(deals(&state));
    faults
}

fn clients(state: &State, conflicts: &[(u64, String)]) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut bills, mut crm) = (of(state, Table::Bills), of(state, Table::Crm));
    let (here, there) = (by_serial(&bills), by_serial(&crm));
    bills.extend(gone(state, Table::Bills));
    crm.extend(gone(state, Table::Crm));
    let (ever_here, ever_there) = (by_serial(&bills), by_serial(&crm));
    for (side, ever) in [("BitFactura", &ever_here), ("Sugester", &ever_there)] {
        for (serial, records) in
            ever.iter().filter(|(serial, records)| !serial.is_empty() && records.len() > 1)
        {
            faults.push(format!("{serial} is {} times in {side}", records.len()));
        }
    }
    let serials = here.keys().chain(there.keys()).filter(|serial| !serial.is_empty());
    for serial in serials {
        match (here.get(serial), there.get(serial)) {
            (Some(left), Some(right)) => faults.extend(pair(state, serial, left[0], right[0], conflicts)),
            (Some(_), None) if !ever_there.contains_key(serial) => {
                faults.push(format!("{serial} is not in Sugester"));
            }
            (None, Some(_)) if !ever_here.contains_key(serial) => {
                faults.push(format!("{serial} is not in BitFactura"));
            }
            _ => {}
        }
    }
    faults
}

fn pair(
    state: &State,
    serial: &str,
    (bill_id, bill): (u64, &Record),
    (_, crm): (u64, &Record),
    conflicts: &[(u64, String)],
) -> Vec<String> {
    let mut faults = Vec::new();
    if named(crm) != bill_id.to_string() {
        faults.push(format!("{serial}: Sugester names {:?}, not {bill_id}", named(crm)));
    }
    for field in CARRIED {
        let (left, right) = (text(bill, field), text(crm, field));
        if !same(field, &left, &right) {
            faults.push(format!("{serial}.{field}: {left:?} and {right:?}"));
        }
        let is_reported = conflicts.iter().any(|(id, name)| *id == bill_id && name == field)
            || state.races.contains(&(serial.to_owned(), field.to_owned()));
        if !is_reported {
            faults.extend(lost_edit(state, serial, field, &left));
        }
    }
    faults
}

/// The last edit of either side is in force, or whoever edited later on the other side had seen it.
fn lost_edit(state: &State, serial: &str, field: &str, at_rest: &str) -> Option<String> {
    let edits: Vec<&Edit> = state
        .edits
        .iter()
        .filter(|edit| {
            edit.serial == serial && edit.field == field && !same(field, &edit.value, &edit.showed)
        })
        .collect();
    [Table::Bills, Table::Crm].into_iter().find_map(|table| {
        let at = edits.iter().rposition(|edit| edit.table == table)?;
        let edit = edits.get(at)?;
        // Back to what stood there before, with no mirrored write of the field in between: nobody can see that there was an edit.
        let alike = |before: &&&Edit| before.table != table || before.mirrored == edit.mirrored;
        let mut run = edits.iter().take(at + 1).rev().take_while(|before| alike(before));
        if run.any(|before| before.table == table && same(field, &before.showed, &edit.value)) {
            return None;
        }
        let was_seen = edits.iter().skip(at + 1).any(|later| {
            later.table != table
                && later.other_showed.as_ref().is_some_and(|shown| same(field, shown, &edit.value))
        });
        (!same(field, &edit.value, at_rest) && !was_seen).then(|| {
            format!("{serial}.{field}: {:?} of {table:?} was lost to {at_rest:?}: {edits:?}", edit.value)
        })
    })
}

fn deals(state: &State) -> Vec<String> {
    let mut faults = Vec::new();
    let deals = of(state, Table::Deals);
    let removed = gone(state, Table::Deals);
    for (id, invoice) in of(state, Table::Invoices) {
        let own = |records: &[(u64, &Record)]| {
            records.iter().filter(|(_, deal)| named(deal) == id.to_string()).count()
        };
        let (now, before) = (own(&deals), own(&removed));
        if now + before != 1 {
            faults.push(format!("invoice {id} has {now} deals, and {before} were removed"));
        }
        if let Some((_, deal)) = deals.iter().find(|(_, deal)| named(deal) == id.to_string()) {
            faults.extend(deal_faults(id, invoice, deal));
        }
    }
    for (id, _) in gone(state, Table::Invoices) {
        let count = deals.iter().chain(&removed).filter(|(_, deal)| named(deal) == id.to_string()).count();
        if count > 1 {
            faults.push(format!("removed invoice {id} has {count} deals"));
        }
    }
    faults
}

fn deal_faults(id: u64, invoice: &Record, deal: &Record) -> Option<String> {
    let status = if invoice.get("cancelled").is_some_and(|truth| truth == true) {
        "cancelled".to_owned()
    } else {
        text(invoice, "status")
    };
    let price = |record: &Record, field| text(record, field).parse::<f64>().unwrap_or(-1.0);
    let is_right = text(deal, "status") == status
        && text(deal, "url") == text(invoice, "view_url")
        && text(deal, "invoice_no") == text(invoice, "number")
        && text(deal, "description") == text(invoice, "description")
        && (price(deal, "price") - price(invoice, "price_gross")).abs() < 0.001;
    (!is_right).then(|| format!("invoice {id} is {invoice:?} and its deal {deal:?}"))
}
