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

/// Contract 2.1 of `apiges-sync`, last row, and the routes of 3.2 and 3.3: whatever is neither `GET` nor `POST …/search` is sent once.
const APIGES_ONCE: [&str; 17] = [
    // contacts
    "get or create a contact",
    "add a holder to a contact",
    "add an address to a contact",
    "change an address of a contact",
    // case files
    "create a case file",
    "add an act to a case file",
    "add a task to a case file",
    "add an amount to a task",
    "add a holder to a case file",
    "change a case file",
    "change a task",
    "change an amount of a task",
    // received invoices
    "create a received invoice",
    "add a case file to an invoice line",
    "change a received invoice",
    "delete an invoice line",
    "delete the issued expenses of an invoice line",
];

/// The same: `GET` and `POST …/search`. The catalogues are one row.
const APIGES_SAFE: [&str; 25] = [
    "log in",
    "read a contact",
    "list a contact's actions",
    "list a contact's addresses",
    "list a contact's holders",
    "search contacts",
    "read a case file",
    "list the acts of a case file",
    "read an act",
    "list the notes of a case file",
    "read the specific data of a case file",
    "list the graphics of a case file",
    "list the priorities of a case file",
    "list the situations of a case file",
    "list the tasks of a case file",
    "read a task",
    "list the amounts of a task",
    "list the holders of a case file",
    "search case files",
    "search acts",
    "search tasks",
    "read a received invoice",
    "list the lines of a received invoice",
    "list the case files of an invoice line",
    "read a catalogue",
];

/// Contract 2.2 and 3.8: every write may be repeated, W51 under the digest of its bytes and all others under their key; rows of 3.7.
const WEBSYNC_KEYED: [&str; 20] = [
    "change a grant",             // W12
    "suspend a grant",            // W13
    "resume a grant",             // W13
    "revoke a grant",             // W14
    "rename a contact's grant",   // W15
    "preview a union",            // W16
    "open a load",                // W20
    "open a load of one contact", // W21
    "send a batch of a load",     // W22
    "commit a contact's load",    // W23
    "close a load",               // W25
    "abort a load",               // W25
    "push a case file",           // W30
    "push case files",            // W31
    "withdraw case files",        // W40
    "store a blob",               // W51
    "link a document",            // W60
    "withdraw a document",        // W62
    "post a message",             // W70
    "post a receipt",             // W72
];

/// The rows of 3.7 that ask: `GET`, and `HEAD` of W50.
const WEBSYNC_SAFE: [&str; 14] = [
    "ask the portal for its health", // W01
    "list grants",                   // W10
    "read a grant",                  // W11
    "ask for a grant's digest",      // W17
    "read a load",                   // W24
    "read how a case file stands",   // W32
    "read what a viewer sees",       // W33
    "list withdrawals",              // W41
    "ask whether a blob is stored",  // W50
    "list documents",                // W61
    "list messages",                 // W71
    "list receipts",                 // W73
    "follow events",                 // W74
    "export evidence",               // W75
];

#[test]
fn every_operation_of_apiges_sync_says_whether_it_may_be_repeated() {
    let table = apiges_sync::idempotency_table();
    let of = |class: Idempotency| -> BTreeSet<&str> {
        table.iter().filter(|row| row.1 == class).map(|row| row.0).collect()
    };
    assert_eq!(of(Idempotency::Once), APIGES_ONCE.into());
    assert_eq!(of(Idempotency::Keyed), WEBSYNC_KEYED.into());
    assert_eq!(of(Idempotency::Safe), APIGES_SAFE.into_iter().chain(WEBSYNC_SAFE).collect());
    let rows = APIGES_ONCE.len() + WEBSYNC_KEYED.len() + APIGES_SAFE.len() + WEBSYNC_SAFE.len();
    assert_eq!(table.len(), rows, "names of their own");
}

fn shown((name, idempotency): &(&'static str, Idempotency)) -> String {
    format!("{name}: {idempotency:?}")
}
