//! What the records of both services have beyond the core's lenient fields: dates, links to other systems, and what nobody took, kept
//! token for token (contract 3.9).
//!
//! Held as tokens and not as [`serde_json::Value`], so that amounts and unknown numbers stay digit for digit.

use std::collections::BTreeMap;
use std::fmt;

use integration_core::body::fields::{self, Scalar, Token, Unreadable};
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Day, ExternalIds, Moment};

/// The JSON of fields, by name.
pub(crate) type Tokens = BTreeMap<String, Box<RawValue>>;

/// The fields of one record.
pub(crate) type Fields = fields::Fields<Box<RawValue>>;

/// Never kept and never shown (contract trap 21).
const NEVER_KEPT: [&str; 3] = ["password", "password_hash", "password_salt"];

/// Takes a date; blanks are none.
pub(crate) fn day(fields: &mut Fields, key: &str) -> Result<Option<Day>, Unreadable> {
    Ok(fields.text(key)?.filter(|text| !text.trim().is_empty()).map(Day::read))
}

/// Takes a time; blanks are none.
pub(crate) fn moment(fields: &mut Fields, key: &str) -> Result<Option<Moment>, Unreadable> {
    Ok(fields.text(key)?.filter(|text| !text.trim().is_empty()).map(Moment::read))
}

/// Takes a map of ids; absent, `null` and an empty list are an empty map.
pub(crate) fn external_ids(fields: &mut Fields, key: &str) -> Result<ExternalIds, Unreadable> {
    let Some(token) = fields.take(key) else { return Ok(ExternalIds::default()) };
    serde_json::from_str(token.get()).map_err(|_| Unreadable::new(key, "a map of ids"))
}

/// What nobody took, without what must not be kept.
pub(crate) fn extra(fields: Fields) -> Extra {
    let mut tokens = fields.rest();
    tokens.retain(|key, _| !NEVER_KEPT.contains(&key.as_str()));
    Extra(tokens)
}

/// Fields of a record that this crate has no name for, token for token. Printing shows the names alone.
///
/// ```
/// use sugester::value::Extra;
///
/// let extra = Extra::parse(r#"{"rate":0.10,"password_hash":"x"}"#).unwrap();
/// assert_eq!(extra.scalar("rate").unwrap().decimal().unwrap().to_string(), "0.10");
/// assert_eq!(serde_json::to_string(&extra)?, r#"{"rate":0.10}"#);
/// assert_eq!(format!("{extra:?}"), r#"{"rate"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Extra(Tokens);

impl Extra {
    /// The fields of a JSON object, without digests of passwords; nothing if it is none.
    #[must_use]
    pub fn parse(json: &str) -> Option<Self> {
        Fields::parse(json.as_bytes()).map(extra)
    }

    /// The JSON of a field.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(|token| token.get())
    }

    /// A field as a value, its decimals as doubles.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Value> {
        serde_json::from_str(self.get(key)?).ok()
    }

    /// A field as a scalar.
    #[must_use]
    pub fn scalar(&self, key: &str) -> Option<Scalar<'_>> {
        self.0.get(key).map(Token::scalar)
    }

    /// All names with their JSON, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, token)| (key.as_str(), token.get()))
    }

    /// Sets a field to be sent.
    pub(crate) fn insert(&mut self, key: String, token: Box<RawValue>) {
        self.0.insert(key, token);
    }

    /// All names with their tokens.
    pub(crate) fn tokens(&self) -> impl Iterator<Item = (&str, &Box<RawValue>)> {
        self.0.iter().map(|(key, token)| (key.as_str(), token))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl PartialEq for Extra {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Extra {}

impl fmt::Debug for Extra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Serialize for Extra {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(body: &str) -> Fields {
        Fields::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn only_objects_are_records() {
        for body in ["null", "[]", "\"ok\"", "", "<html>", "{", "1"] {
            assert!(Extra::parse(body).is_none(), "{body}");
        }
    }

    #[test]
    fn what_does_not_fit_is_kept_or_an_error_that_names_the_field() {
        let mut fields = read(r#"{"a":"x","b":"x","e":[],"f":null,"g":" "}"#);
        assert_eq!((fields.integer("a"), fields.boolean("b")), (None, None));
        assert_eq!(day(&mut fields, "e").unwrap_err().field, "e");
        assert_eq!((moment(&mut fields, "f"), day(&mut fields, "g")), (Ok(None), Ok(None)));
        let extra = extra(fields);
        assert_eq!(extra.iter().collect::<Vec<_>>(), [("a", "\"x\""), ("b", "\"x\"")]);
    }

    #[test]
    fn password_digests_are_neither_kept_nor_shown() {
        let body =
            r#"{"password_hash":"planted","password_salt":"planted","password":"planted","x":"planted"}"#;
        let extra = Extra::parse(body).unwrap();
        assert_eq!((extra.len(), format!("{extra:?}")), (1, r#"{"x"}"#.to_owned()));
    }

    #[test]
    fn the_map_of_ids_may_be_missing_but_not_of_another_shape() {
        let ids = |body| external_ids(&mut read(body), "external_ids");
        for empty in ["{}", r#"{"external_ids":null}"#, r#"{"external_ids":{}}"#, r#"{"external_ids":[]}"#] {
            assert_eq!(ids(empty), Ok(ExternalIds::default()), "{empty}");
        }
        for bad in [r#"{"external_ids":"x"}"#, r#"{"external_ids":[1]}"#] {
            assert_eq!(ids(bad).unwrap_err().field, "external_ids");
        }
    }

    proptest! {
        #[test]
        fn unknown_fields_go_back_as_they_came(key in "[a-z]{1,8}", number in "[1-9][0-9]{0,30}\\.[0-9]{1,20}") {
            let body = format!("{{\"{key}\":{number}}}");
            prop_assert_eq!(serde_json::to_string(&Extra::parse(&body).unwrap()).unwrap(), body);
        }
    }
}
