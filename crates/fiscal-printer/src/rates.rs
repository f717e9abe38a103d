//! Tax rates as data with validity dates, never constants in code (contract section 8).

use std::sync::LazyLock;

use integration_core::Error;
use integration_core::body::wire;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;

/// The percentages in force on a day.
///
/// The built-in table comes from secondary sources (contract section 8, as of 2026-11); give your own where your adviser
/// knows better.
///
/// ```
/// use fiscal_printer::{Decimal, Rates};
///
/// let rates = Rates::in_force(jiff::civil::date(2026, 11, 22))?;
/// assert_eq!((rates.general, rates.reduced, rates.igtf), (16.into(), 8.into(), 3.into()));
///
/// let lowered = Rates { general: Decimal::from(15), ..rates };
/// assert_eq!(lowered.general, 15.into());
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[doc(alias("alicuotas", "tasas"))]
pub struct Rates {
    /// General VAT rate, `tasag`.
    pub general: Decimal,
    /// Reduced VAT rate, `tasar`.
    pub reduced: Decimal,
    /// Luxury VAT rate as it stands on the line, `tasaa`: the general rate and its surcharge together.
    pub luxury: Decimal,
    /// IGTF rate, `tasaigtf`.
    pub igtf: Decimal,
}

#[derive(Deserialize)]
struct Row {
    valid_from: String,
    #[serde(with = "wire::exact_lenient")]
    general: Decimal,
    #[serde(with = "wire::exact_lenient")]
    reduced: Decimal,
    #[serde(with = "wire::exact_lenient")]
    luxury: Decimal,
    #[serde(with = "wire::exact_lenient")]
    igtf: Decimal,
}

/// Ascending by date. A test proves that the embedded file can be read; were it not, every date would be refused.
static TABLE: LazyLock<Vec<Row>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../data/rates.json")).unwrap_or_default());

impl Rates {
    /// The rates of the built-in table that were in force on `date`.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](integration_core::ErrorKind::Configuration) for days before the table begins.
    pub fn in_force(date: Date) -> Result<Self, Error> {
        // ISO dates sort as text.
        let day = date.to_string();
        let row = TABLE.iter().rev().find(|row| row.valid_from <= day);
        let rates = row.map(|row| Self {
            general: row.general,
            reduced: row.reduced,
            luxury: row.luxury,
            igtf: row.igtf,
        });
        rates.ok_or_else(|| {
            Error::configuration(
                format!("no tax rates are known for {date}"),
                "pass the rates of that day yourself",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn the_table_can_be_read_and_ascends() {
        assert!(!TABLE.is_empty());
        assert!(TABLE.iter().all(|row| row.valid_from.parse::<Date>().is_ok()));
        assert!(TABLE.windows(2).all(|pair| pair[0].valid_from < pair[1].valid_from));
    }

    #[test]
    fn days_before_the_table_are_refused() {
        assert!(Rates::in_force(date(2019, 12, 26)).is_ok());
        assert!(Rates::in_force(date(2019, 12, 25)).is_err());
    }
}
