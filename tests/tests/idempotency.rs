//! Promise 1: whether an operation may be repeated is a fact of it, written down once and read here.

use std::collections::BTreeSet;

use integration_core::call::Idempotency;

/// Contract 9.2, last paragraph: issuing is never repeated; annulling may be; mailing twice mails twice, so it is opt-in. 9.3: a probe
/// asks.
const EXPECTED: [(&str, Idempotency); 5] = [
    ("issue", Idempotency::Once),
    ("annul", Idempotency::Keyed),
    ("mail", Idempotency::Once),
    ("status probe", Idempotency::Safe),
    ("next-number probe", Idempotency::Safe),
];

#[test]
fn every_operation_of_the_fiscal_printer_says_whether_it_may_be_repeated() {
    assert_eq!(fiscal_printer::idempotency_table(), EXPECTED);
}

#[test]
fn operations_have_names_of_their_own() {
    let table = fiscal_printer::idempotency_table();
    let names: BTreeSet<&str> = table.iter().map(|(name, _)| *name).collect();
    assert_eq!(names.len(), table.len());
}

/// Contract 2.3 of `geosite`: everything may be repeated but `cliente/save`, which makes a second customer.
const GEOSITE: [(&str, Idempotency); 14] = [
    ("log in", Idempotency::Keyed),
    ("refresh the login", Idempotency::Keyed),
    ("log in by the older dialect", Idempotency::Keyed),
    ("describe a feature", Idempotency::Safe),
    ("list elements", Idempotency::Safe),
    ("read an element", Idempotency::Safe),
    ("ask for boxes near a place", Idempotency::Safe),
    ("ask for elements near a place", Idempotency::Safe),
    ("ask for a cable near a place", Idempotency::Safe),
    ("log in to HubSoft", Idempotency::Keyed),
    ("look for customers in HubSoft", Idempotency::Safe),
    ("list customers of HubSoft", Idempotency::Safe),
    ("list boxes of HubSoft", Idempotency::Safe),
    ("save a customer", Idempotency::Once),
];

#[test]
fn every_operation_of_geosite_says_whether_it_may_be_repeated() {
    let (table, expected): (BTreeSet<_>, BTreeSet<_>) =
        (geosite::idempotency_table().iter().map(shown).collect(), GEOSITE.iter().map(shown).collect());
    assert_eq!(table, expected);
    assert_eq!(geosite::idempotency_table().len(), GEOSITE.len(), "names of their own");
}

/// Contract 2.3: only `GET` and logging in may be repeated; whatever creates, starts, approves, changes or deletes is sent once.
const LEGALE: [(&str, Idempotency); 27] = [
    ("log in", Idempotency::Keyed),
    ("list documents", Idempotency::Safe),
    ("read a document", Idempotency::Safe),
    ("create a document", Idempotency::Once),
    ("delete a document", Idempotency::Once),
    ("fetch a file", Idempotency::Safe),
    ("start a flow", Idempotency::Once),
    ("approve", Idempotency::Once),
    ("read a status", Idempotency::Safe),
    ("fetch a signed file", Idempotency::Safe),
    ("list folders", Idempotency::Safe),
    ("delete a folder", Idempotency::Once),
    ("start a template batch", Idempotency::Once),
    ("list smart documents", Idempotency::Safe),
    ("start a smart document", Idempotency::Once),
    ("migrate a document", Idempotency::Once),
    ("list contacts", Idempotency::Safe),
    ("create a contact", Idempotency::Once),
    ("update a contact", Idempotency::Once),
    ("read a contact", Idempotency::Safe),
    ("delete a contact", Idempotency::Once),
    ("send to an inbox", Idempotency::Once),
    ("send with a PIN", Idempotency::Once),
    ("send by SMS", Idempotency::Once),
    ("read an inbox document", Idempotency::Safe),
    ("read a PIN document", Idempotency::Safe),
    ("read an SMS document", Idempotency::Safe),
];

#[test]
fn every_operation_of_legale_says_whether_it_may_be_repeated() {
    let (table, expected): (BTreeSet<_>, BTreeSet<_>) =
        (legale::idempotency_table().iter().map(shown).collect(), LEGALE.iter().map(shown).collect());
    assert_eq!(table, expected);
    assert_eq!(legale::idempotency_table().len(), LEGALE.len(), "names of their own");
}

/// Contract 2.4: only `GET` may be repeated; POST, PUT, PATCH and DELETE never (contract 3.1 and 3.4 to 3.6, row by row).
const SUGESTER_WRITES: [&str; 42] = [
    // 3.1 and 4.4
    "create a client of Sugester",
    "update a client of Sugester",
    "delete a client of Sugester",
    "create a contact",
    "update a contact",
    "delete a contact",
    "create a deal",
    "update a deal",
    "delete a deal",
    "create a post",
    "comment on a post",
    "create a recipient list",
    "update a recipient list",
    "create a status",
    "create an account of Sugester",
    "push a client to the receiver",
    // 3.4
    "create a client of BitFactura",
    "update a client of BitFactura",
    "delete a client of BitFactura",
    // 3.5
    "create an invoice",
    "update an invoice",
    "delete an invoice",
    "change the status of an invoice",
    "mail an invoice",
    "cancel an invoice",
    "add an attachment",
    // 3.6
    "create a webhook",
    "update a webhook",
    "delete a webhook",
    "create a record",
    "update a record",
    "delete a record",
    "create an account",
    "add a user",
    "delete the account",
    "unlink the account",
    // 4.2 and 4.5
    "create a client that the other side has",
    "update a client as the other side says",
    "create the deal of an invoice",
    "update the deal of an invoice",
    // A second login changes nothing; a second upload writes the same bytes to the same place.
    "log in",
    "upload an attachment",
];

#[test]
fn every_operation_of_sugester_says_whether_it_may_be_repeated() {
    let table = sugester::idempotency_table();
    let reads = ["list", "read", "find", "fetch", "check", "prepare"];
    for (name, idempotency) in table {
        let verb = name.split(' ').next().unwrap();
        let expected = match *name {
            "log in" | "upload an attachment" => Idempotency::Keyed,
            _ if reads.contains(&verb) => Idempotency::Safe,
            _ => Idempotency::Once,
        };
        assert_eq!(*idempotency, expected, "{name}");
    }
    let writes: BTreeSet<&str> =
        table.iter().filter(|row| row.1 != Idempotency::Safe).map(|row| row.0).collect();
    assert_eq!(writes, BTreeSet::from(SUGESTER_WRITES));
    let names: BTreeSet<&str> = table.iter().map(|row| row.0).collect();
    assert_eq!(names.len(), table.len(), "names of their own");
}

fn shown((name, idempotency): &(&'static str, Idempotency)) -> String {
    format!("{name}: {idempotency:?}")
}
