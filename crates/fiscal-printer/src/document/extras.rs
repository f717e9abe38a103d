//! Fields that this crate does not know: kept in order and written as they were given (contract section 3.4).
//!
//! The manual's numbering has a gap, and the service may grow; a field can be added without a release of this crate. An
//! extra may not shadow a field that the crate writes itself.

use std::collections::BTreeSet;

use integration_core::body::wire::number_token;
use integration_core::{Fault, Faults};
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::settled::At;

/// The value of an extra field.
///
/// ```
/// use fiscal_printer::ExtraValue;
///
/// let serial: ExtraValue = "A".into();
/// let button: ExtraValue = 1.into();
/// let list = ExtraValue::json("[1, 2]");
/// ```
#[derive(Debug, Clone)]
pub struct ExtraValue(Result<Box<RawValue>, String>);

impl ExtraValue {
    /// Any JSON, written as it is. Text that is not JSON becomes a fault when the document is checked.
    pub fn json(text: impl Into<String>) -> Self {
        let text = text.into();
        Self(RawValue::from_string(text).map_err(|error| error.to_string()))
    }

    fn quoted(text: &str) -> Self {
        Self(serde_json::value::to_raw_value(text).map_err(|error| error.to_string()))
    }

    pub(crate) fn raw(&self) -> Option<&RawValue> {
        self.0.as_deref().ok()
    }
}

impl From<Box<RawValue>> for ExtraValue {
    fn from(raw: Box<RawValue>) -> Self {
        Self(Ok(raw))
    }
}

impl From<&str> for ExtraValue {
    fn from(text: &str) -> Self {
        Self::quoted(text)
    }
}

impl From<String> for ExtraValue {
    fn from(text: String) -> Self {
        Self::quoted(&text)
    }
}

impl From<i64> for ExtraValue {
    fn from(value: i64) -> Self {
        Self::json(value.to_string())
    }
}

impl From<bool> for ExtraValue {
    fn from(value: bool) -> Self {
        Self::json(value.to_string())
    }
}

impl From<Decimal> for ExtraValue {
    fn from(value: Decimal) -> Self {
        Self::json(number_token(value))
    }
}

/// Extra fields in the order given.
#[derive(Debug, Clone, Default)]
pub(crate) struct Extras(Vec<(String, ExtraValue)>);

impl Extras {
    pub(crate) fn push(&mut self, key: impl Into<String>, value: ExtraValue) {
        self.0.push((key.into(), value));
    }

    /// Those that can be written.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().filter_map(|(key, value)| Some((key.as_str(), value.raw()?)))
    }

    /// Reports extras that cannot be written: bad JSON, a typed key, a key twice.
    pub(crate) fn check(&self, at: At, typed: &[&str], faults: &mut Faults) {
        if self.0.is_empty() {
            return;
        }
        let mut seen = BTreeSet::new();
        for (key, value) in &self.0 {
            let path = || format!("{at}{key}", key = shown(key));
            if let Err(complaint) = &value.0 {
                faults.push(Fault::error("EXTRA", path()).with_expected("JSON").with_hint(complaint.clone()));
            }
            if typed.contains(&key.as_str()) {
                let hint = "this crate writes the field itself: an extra may not take its name";
                faults.push(Fault::error("EXTRA", path()).with_hint(hint));
            }
            if is_never_sent(key) {
                let hint = "the service does not read the field, and it is never sent: leave it out";
                faults.push(Fault::error("EXTRA", path()).with_hint(hint));
            }
            if !seen.insert(key) {
                faults.push(Fault::error("EXTRA", path()).with_hint("the same extra is given twice"));
            }
        }
    }
}

/// Sent by one public client and read by nobody (contract section 3.4).
pub(crate) fn is_never_sent(key: &str) -> bool {
    key == "fecha_emision"
}

fn shown(key: &str) -> String {
    let quoted = integration_core::fault::excerpt(key);
    quoted.trim_matches('"').to_owned()
}
