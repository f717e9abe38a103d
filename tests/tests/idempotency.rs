//! Promise 1: whether an operation may be repeated is a fact of it, written down once and read here.

use std::collections::BTreeSet;

use integration_core::call::Idempotency;

/// Contract 9.2, last paragraph: issuing is never repeated; annulling may be; mailing twice mails twice, so it is opt-in.
const EXPECTED: [(&str, Idempotency); 3] =
    [("issue", Idempotency::Once), ("annul", Idempotency::Keyed), ("mail", Idempotency::Once)];

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
