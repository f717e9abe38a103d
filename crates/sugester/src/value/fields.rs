//! A record read field by field; what nobody took is kept token for token (contract 3.9).
//!
//! Held as tokens and not as [`serde_json::Value`], so that amounts and unknown numbers stay digit for digit.

use std::collections::BTreeMap;
use std::fmt;

use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Day, ExternalIds, Moment, Scalar, Unreadable};

type Tokens = BTreeMap<String, Box<RawValue>>;

/// Never kept and never shown (contract trap 21).
const NEVER_KEPT: [&str; 3] = ["password", "password_hash", "password_salt"];

/// The fields of one record; taking one removes it.
///
/// ```
/// use sugester::value::Fields;
///
/// let mut fields = Fields::parse(r#"{"id":"17","price":339.99,"paid":"yes","colour":"red"}"#)?;
/// assert_eq!(fields.id("id")?, Some(17));
/// assert_eq!(fields.decimal("price")?.unwrap().to_string(), "339.99");
/// assert_eq!(fields.boolean("paid"), Some(true));
/// assert_eq!(fields.extra().get("colour"), Some(r#""red""#));
/// # Ok::<(), sugester::value::Unreadable>(())
/// ```
pub struct Fields(Tokens);

impl Fields {
    /// The fields of a JSON object.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for everything else, also for `null` and HTML.
    pub fn parse(json: &str) -> Result<Self, Unreadable> {
        serde_json::from_str(json).map(Self).map_err(|_| Unreadable::new("an object"))
    }

    /// Whether the record has this field, be it `null`.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Takes the JSON of a field; `null` is the same as absent.
    pub fn take(&mut self, key: &str) -> Option<Box<RawValue>> {
        self.0.remove(key).filter(|token| token.get() != "null")
    }

    /// Takes a scalar.
    pub fn scalar(&mut self, key: &str) -> Scalar {
        self.take(key).map_or(Scalar::Null, |token| Scalar::from_token(token.get()))
    }

    /// Takes a text, or another scalar as text.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for lists and objects.
    pub fn text(&mut self, key: &str) -> Result<Option<String>, Unreadable> {
        self.scalar(key).text().map_err(|error| error.at(key))
    }

    /// Takes a decimal.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for what is none: an amount is not lost silently.
    pub fn decimal(&mut self, key: &str) -> Result<Option<Decimal>, Unreadable> {
        self.scalar(key).decimal().map_err(|error| error.at(key))
    }

    /// Takes the id of a record.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for what is none.
    pub fn id(&mut self, key: &str) -> Result<Option<u64>, Unreadable> {
        self.scalar(key).id().map_err(|error| error.at(key))
    }

    /// Takes a date.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for lists and objects.
    pub fn day(&mut self, key: &str) -> Result<Option<Day>, Unreadable> {
        self.scalar(key).day().map_err(|error| error.at(key))
    }

    /// Takes a time.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for lists and objects.
    pub fn moment(&mut self, key: &str) -> Result<Option<Moment>, Unreadable> {
        self.scalar(key).moment().map_err(|error| error.at(key))
    }

    /// Takes a whole number; another value stays among the unknown fields.
    pub fn integer(&mut self, key: &str) -> Option<i64> {
        self.take_if(key, Scalar::integer)
    }

    /// Takes yes or no; another value stays among the unknown fields.
    pub fn boolean(&mut self, key: &str) -> Option<bool> {
        self.take_if(key, Scalar::boolean)
    }

    /// Takes the map `external_ids`; absent, `null` and an empty list are an empty map.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for everything else.
    pub fn external_ids(&mut self) -> Result<ExternalIds, Unreadable> {
        let Some(token) = self.take("external_ids") else { return Ok(ExternalIds::default()) };
        serde_json::from_str(token.get()).map_err(|_| Unreadable::new("a map of ids").at("external_ids"))
    }

    /// What nobody took, without what must not be kept.
    #[must_use]
    pub fn extra(mut self) -> Extra {
        self.0.retain(|key, _| !NEVER_KEPT.contains(&key.as_str()));
        Extra(self.0)
    }

    fn take_if<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Scalar) -> Result<Option<T>, Unreadable>,
    ) -> Option<T> {
        let found = read(&Scalar::from_token(self.0.get(key)?.get())).ok()?;
        self.0.remove(key);
        found
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Fields of a record that this crate has no name for, token for token. Printing shows the names alone.
///
/// ```
/// use sugester::value::Fields;
///
/// let extra = Fields::parse(r#"{"rate":0.10,"password_hash":"x"}"#)?.extra();
/// assert_eq!(serde_json::to_string(&extra).unwrap(), r#"{"rate":0.10}"#);
/// assert_eq!(format!("{extra:?}"), r#"{"rate"}"#);
/// # Ok::<(), sugester::value::Unreadable>(())
/// ```
#[derive(Clone, Default)]
pub struct Extra(Tokens);

impl Extra {
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
    pub fn scalar(&self, key: &str) -> Option<Scalar> {
        self.get(key).map(Scalar::from_token)
    }

    /// All names with their JSON, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, token)| (key.as_str(), token.get()))
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

    #[test]
    fn only_objects_are_records() {
        for body in ["null", "[]", "\"ok\"", "", "<html>", "{", "1"] {
            assert!(Fields::parse(body).is_err(), "{body}");
        }
    }

    #[test]
    fn what_does_not_fit_is_kept_or_an_error_that_names_the_field() {
        let mut fields = Fields::parse(r#"{"a":"x","b":"x","c":"x","d":{},"e":[],"f":null,"g":""}"#).unwrap();
        assert_eq!((fields.integer("a"), fields.boolean("b"), fields.integer("g")), (None, None, None));
        assert_eq!(fields.decimal("c").unwrap_err().field(), "c");
        assert_eq!(fields.text("d").unwrap_err().to_string(), "`d` is not a text");
        assert!(fields.day("e").is_err());
        assert_eq!(fields.moment("f"), Ok(None));
        let extra = fields.extra();
        assert_eq!(extra.iter().collect::<Vec<_>>(), [("a", "\"x\""), ("b", "\"x\"")]);
    }

    #[test]
    fn password_digests_are_neither_kept_nor_shown() {
        let body =
            r#"{"password_hash":"planted","password_salt":"planted","password":"planted","x":"planted"}"#;
        let fields = Fields::parse(body).unwrap();
        assert!(!format!("{fields:?}").contains("planted"));
        let extra = fields.extra();
        assert_eq!((extra.len(), format!("{extra:?}")), (1, r#"{"x"}"#.to_owned()));
    }

    #[test]
    fn the_map_of_ids_may_be_missing_but_not_of_another_shape() {
        let read = |body| Fields::parse(body).unwrap().external_ids();
        for empty in ["{}", r#"{"external_ids":null}"#, r#"{"external_ids":{}}"#, r#"{"external_ids":[]}"#] {
            assert_eq!(read(empty), Ok(ExternalIds::default()), "{empty}");
        }
        for bad in [r#"{"external_ids":"x"}"#, r#"{"external_ids":[1]}"#] {
            assert_eq!(read(bad).unwrap_err().field(), "external_ids");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_record_or_refused(text in any::<String>()) {
            let _ = Fields::parse(&text);
        }

        #[test]
        fn unknown_fields_go_back_as_they_came(key in "[a-z]{1,8}", number in "[1-9][0-9]{0,30}\\.[0-9]{1,20}") {
            let body = format!("{{\"{key}\":{number}}}");
            prop_assert_eq!(serde_json::to_string(&Fields::parse(&body).unwrap().extra()).unwrap(), body);
        }
    }
}
