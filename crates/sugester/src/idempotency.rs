//! Every operation with whether it may be repeated (promise 1 of the design).

use std::sync::LazyLock;

use integration_core::call::{Idempotency, Operation};

fn every_operation() -> impl Iterator<Item = Operation> {
    let both = crate::crm::operations().into_iter().chain(crate::bitfactura::operations());
    #[cfg(feature = "store")]
    let both = both.chain(crate::sync::operations());
    both
}

/// Every operation of both services and whether it may be repeated after it may have been applied.
///
/// ```
/// use sugester::Idempotency;
///
/// let creating = sugester::idempotency_table().iter().find(|row| row.0 == "create an invoice").unwrap();
/// assert_eq!(creating.1, Idempotency::Once);
/// ```
#[must_use]
pub fn idempotency_table() -> &'static [(&'static str, Idempotency)] {
    static TABLE: LazyLock<Vec<(&'static str, Idempotency)>> = LazyLock::new(|| {
        every_operation().map(|operation| (operation.name, operation.idempotency)).collect()
    });
    &TABLE
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    #[test]
    fn whatever_is_not_a_get_is_done_once() {
        for operation in every_operation() {
            let expected = match operation.name {
                // A second login changes nothing; a second upload writes the same bytes to the same place.
                "log in" | "upload an attachment" => Idempotency::Keyed,
                _ if operation.method == Method::GET => Idempotency::Safe,
                _ => Idempotency::Once,
            };
            assert_eq!(operation.idempotency, expected, "{}", operation.name);
        }
    }

    #[test]
    fn names_stand_for_one_operation_each() {
        let mut names: Vec<_> = idempotency_table().iter().map(|row| row.0).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
