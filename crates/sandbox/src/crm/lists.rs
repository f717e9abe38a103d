//! How a list is sorted.

use std::cmp::Ordering;

use super::Order;
use super::money::Decimal;
use super::rows::Row;
use crate::fault::bits;

/// The order that a request asks for, or the one that the service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sort {
    Standing(Order),
    Changed {
        descending: bool,
    },
    /// By number where both are numbers, else by text.
    Field {
        name: String,
        descending: bool,
    },
}

impl Sort {
    /// These rows in order; equal ones by id.
    pub(crate) fn sorted<'a>(&self, rows: impl Iterator<Item = &'a Row>) -> Vec<&'a Row> {
        let mut rows: Vec<&Row> = rows.collect();
        match self {
            Self::Standing(Order::IdAscending) => rows.sort_by_key(|row| row.id),
            Self::Standing(Order::IdDescending) => rows.sort_by_key(|row| std::cmp::Reverse(row.id)),
            Self::Standing(Order::Scattered) => rows.sort_by_cached_key(|row| bits(&mut row.id.clone())),
            Self::Standing(Order::ChangeDescending) => in_time(&mut rows, true),
            Self::Changed { descending } => in_time(&mut rows, *descending),
            Self::Field { name, descending } => by_field(&mut rows, name, *descending),
        }
        rows
    }
}

fn in_time(rows: &mut [&Row], descending: bool) {
    rows.sort_by_key(|row| (row.changed, row.id));
    if descending {
        rows.reverse();
    }
}

fn by_field(rows: &mut Vec<&Row>, name: &str, descending: bool) {
    let mut keyed: Vec<(Option<Decimal>, String, &Row)> =
        rows.iter().map(|row| (Decimal::read(row.get(name)), row.text(name), *row)).collect();
    keyed.sort_by(|one, other| compared(one, other).then(one.2.id.cmp(&other.2.id)));
    if descending {
        keyed.reverse();
    }
    *rows = keyed.into_iter().map(|(_, _, row)| row).collect();
}

/// Numbers before texts, so that the order is total.
fn compared(one: &(Option<Decimal>, String, &Row), other: &(Option<Decimal>, String, &Row)) -> Ordering {
    match (one.0, other.0) {
        (Some(one), Some(other)) => one.cmp(&other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => one.1.cmp(&other.1),
    }
}
