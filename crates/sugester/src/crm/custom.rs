//! A client's custom fields: `string1` to `datetime10`, seventy in all (contract 3.2).
//!
//! The rules enforced here: there are ten of each kind; a value of another kind is refused before anything is sent; decimals stay digit
//! for digit, since a record keeps these fields as tokens.

use std::fmt;
use std::str::FromStr;

use integration_core::body::fields::Scalar;
use integration_core::{Error, Fault};
use jiff::Timestamp;
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::clients::{ClientFields, ClientRecord};
use crate::value::{Day, Moment};
use crate::wire::Field;

const MOST: u8 = 10;

/// What a custom field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CustomKind {
    /// `string`: a short text.
    String,
    /// `integer`
    Integer,
    /// `decimal`
    Decimal,
    /// `checkbox`: a truth.
    Checkbox,
    /// `date`
    Date,
    /// `text`: a long text.
    Text,
    /// `datetime`
    DateTime,
}

impl CustomKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::String, Self::Integer, Self::Decimal, Self::Checkbox, Self::Date, Self::Text, Self::DateTime];

    const fn stem(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Checkbox => "checkbox",
            Self::Date => "date",
            Self::Text => "text",
            Self::DateTime => "datetime",
        }
    }
}

/// The name of a custom field.
///
/// ```
/// use sugester::crm::{CustomField, CustomKind};
///
/// let region = CustomField::new(CustomKind::String, 3)?;
/// assert_eq!(region.to_string(), "string3");
/// assert_eq!("string3".parse::<CustomField>()?, region);
/// assert!(CustomField::new(CustomKind::String, 11).is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CustomField {
    kind: CustomKind,
    number: u8,
}

impl CustomField {
    /// The field of this kind and number, 1 to 10.
    ///
    /// # Errors
    /// A validation error for another number.
    pub fn new(kind: CustomKind, number: u8) -> Result<Self, Error> {
        if (1..=MOST).contains(&number) {
            return Ok(Self { kind, number });
        }
        let fault =
            Fault::error("CUSTOM", kind.stem()).with_expected("1 to 10").with_actual(number.to_string());
        Err(Error::validation("name a custom field", vec![fault]))
    }

    /// What it holds.
    #[must_use]
    pub const fn kind(self) -> CustomKind {
        self.kind
    }

    /// All seventy.
    pub fn all() -> impl Iterator<Item = Self> {
        CustomKind::ALL.into_iter().flat_map(|kind| (1..=MOST).map(move |number| Self { kind, number }))
    }
}

impl fmt::Display for CustomField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.stem(), self.number)
    }
}

impl FromStr for CustomField {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::all().find(|field| field.to_string() == name).ok_or_else(|| {
            let fault = Fault::error("CUSTOM", "name").with_actual(name);
            let fault = fault
                .with_expected("string, integer, decimal, checkbox, date, text or datetime, and 1 to 10");
            Error::validation("name a custom field", vec![fault])
        })
    }
}

/// A value of a custom field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CustomValue {
    /// For `string` and `text`.
    Text(String),
    /// For `integer`.
    Integer(i64),
    /// For `decimal`; sent as text with a point.
    Decimal(Decimal),
    /// For `checkbox`.
    Checked(bool),
    /// For `date`.
    Date(Day),
    /// For `datetime`.
    DateTime(Moment),
}

impl CustomValue {
    const fn fits(&self, kind: CustomKind) -> bool {
        matches!(
            (self, kind),
            (Self::Text(_), CustomKind::String | CustomKind::Text)
                | (Self::Integer(_), CustomKind::Integer)
                | (Self::Decimal(_), CustomKind::Decimal)
                | (Self::Checked(_), CustomKind::Checkbox)
                | (Self::Date(_), CustomKind::Date)
                | (Self::DateTime(_), CustomKind::DateTime)
        )
    }

    fn token(&self) -> Box<RawValue> {
        match self {
            Self::Text(value) => value.token(),
            Self::Integer(value) => value.token(),
            Self::Decimal(value) => value.token(),
            Self::Checked(value) => value.token(),
            Self::Date(value) => value.token(),
            Self::DateTime(value) => value.token(),
        }
    }
}

macro_rules! custom_values {
    ($($from:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$from> for CustomValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )+};
}

custom_values!(
    &str => Text,
    String => Text,
    i64 => Integer,
    Decimal => Decimal,
    bool => Checked,
    Date => Date,
    Timestamp => DateTime,
);

impl ClientFields {
    /// Sets a custom field.
    ///
    /// # Errors
    /// A validation error for a value of another kind than the field's.
    ///
    /// ```
    /// use sugester::crm::{ClientFields, CustomField, CustomKind};
    ///
    /// let region = CustomField::new(CustomKind::String, 3)?;
    /// let change = ClientFields::default().with_custom(region, "Araucanía")?;
    /// assert!(change.with_custom(region, true).is_err());
    /// # Ok::<(), sugester::Error>(())
    /// ```
    pub fn with_custom(mut self, field: CustomField, value: impl Into<CustomValue>) -> Result<Self, Error> {
        let value = value.into();
        if !value.fits(field.kind) {
            let fault = Fault::error("CUSTOM", format!("client.{field}"));
            let fault = fault.with_expected(format!("a value of the kind {}", field.kind.stem()));
            return Err(Error::validation("set a custom field", vec![fault]));
        }
        self.extra.insert(field.to_string(), value.token());
        Ok(self)
    }

    /// Clears a custom field.
    #[must_use]
    pub fn without_custom(mut self, field: CustomField) -> Self {
        self.extra.insert(field.to_string(), RawValue::NULL.to_owned());
        self
    }
}

impl ClientRecord {
    /// A custom field in any spelling that the contract permits; `None` if the record does not have it. Its decimals are exact.
    #[must_use]
    pub fn custom(&self, field: CustomField) -> Option<Scalar<'_>> {
        self.extra.scalar(&field.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Change;

    #[test]
    fn there_are_ten_of_each_of_seven_kinds() {
        let names: Vec<String> = CustomField::all().map(|field| field.to_string()).collect();
        assert_eq!((names.len(), names[0].as_str(), names[69].as_str()), (70, "string1", "datetime10"));
        for name in &names {
            assert_eq!(name.parse::<CustomField>().unwrap().to_string(), *name);
        }
        for bad in ["string0", "string11", "string", "string01", "colour1", "String1", ""] {
            assert!(bad.parse::<CustomField>().is_err(), "{bad}");
        }
        assert!(CustomField::new(CustomKind::Date, 0).is_err());
    }

    #[test]
    fn each_kind_takes_its_own_values_and_no_others() {
        let values: [CustomValue; 6] = [
            "a".into(),
            7_i64.into(),
            Decimal::new(150, 2).into(),
            true.into(),
            jiff::civil::date(2024, 5, 31).into(),
            Timestamp::UNIX_EPOCH.into(),
        ];
        let takes = |kind| -> Vec<usize> {
            let field = CustomField::new(kind, 1).unwrap();
            let fits =
                |value: &CustomValue| ClientFields::default().with_custom(field, value.clone()).is_ok();
            (0..6).filter(|at| fits(&values[*at])).collect()
        };
        let taken: Vec<_> = CustomKind::ALL.into_iter().map(takes).collect();
        assert_eq!(taken, [vec![0], vec![1], vec![2], vec![3], vec![4], vec![0], vec![5]]);
    }

    #[test]
    fn values_go_out_as_the_contract_writes_them() {
        let field = |name: &str| name.parse::<CustomField>().unwrap();
        let fields = ClientFields::default()
            .with_custom(field("decimal1"), Decimal::new(150, 2))
            .and_then(|fields| fields.with_custom(field("date2"), jiff::civil::date(2024, 5, 31)))
            .and_then(|fields| fields.with_custom(field("checkbox3"), false))
            .map(|fields| fields.without_custom(field("text4")))
            .unwrap();
        let sent = serde_json::to_string(&fields.tokens()).unwrap();
        assert_eq!(sent, r#"{"checkbox3":false,"date2":"2024-05-31","decimal1":"1.50","text4":null}"#);
    }
}
