//! Objects of the service whose fields the contract does not list, or not all of them: kept exactly as they came, with typed readers.
//!
//! The rules enforced here (contract 3.2, R4): nothing unknown is lost; a number may come as text and stays exact; a field that is not
//! what it should be is an error that names it and repeats nothing; `Debug` shows names and no client's data.

use std::collections::BTreeMap;
use std::fmt;

use integration_core::body::fields::{Fields, Scalar, Token};
use rust_decimal::Decimal;
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::date::CalendarDate;
use crate::pair::Pair;

/// A field that is not what it should be. It repeats nothing of its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` is not {expected}")]
pub struct FieldError {
    field: String,
    expected: &'static str,
    date: bool,
}

impl FieldError {
    pub(crate) fn new(field: impl Into<String>, expected: &'static str) -> Self {
        Self { field: field.into(), expected, date: false }
    }

    fn of_date(field: &str) -> Self {
        Self { field: field.to_owned(), expected: "a date of the form dd/mm/yyyy", date: true }
    }

    /// The same within an element or object, whose name stands before the field's.
    pub(crate) fn within(self, outer: impl fmt::Display) -> Self {
        Self { field: format!("{outer}.{}", self.field), ..self }
    }

    /// The field's wire name, or the path to it.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }

    /// Whether it is a date that is none.
    #[must_use]
    pub const fn is_date(&self) -> bool {
        self.date
    }
}

/// One object as it came, every field of it, under its wire name.
///
/// A reader answers nothing for a field that is absent or `null`, and an error for one of another shape.
///
/// ```
/// use apiges_sync::Record;
///
/// let row = Record::parse(r#"{"importe":"1210.50","fecha":"20/06/2025","oculto":0,"libre":null}"#).unwrap();
/// assert_eq!(row.decimal("importe")?.unwrap().to_string(), "1210.50");
/// assert_eq!(row.date("fecha")?.unwrap().to_string(), "20/06/2025");
/// assert_eq!((row.boolean("oculto")?, row.text("libre")?), (Some(false), None));
/// assert!(row.date("importe").is_err());
/// assert_eq!(format!("{row:?}"), r#"Record["fecha", "importe", "libre", "oculto"]"#);
/// # Ok::<(), apiges_sync::FieldError>(())
/// ```
#[derive(Clone, Default)]
pub struct Record(BTreeMap<String, Box<RawValue>>);

impl Record {
    /// An object from its text; nothing if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Fields::parse(text.as_bytes()).map(|fields| Self(fields.rest()))
    }

    /// The names of its fields, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether it has no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A field's JSON, character by character.
    #[must_use]
    pub fn json(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get())
    }

    /// A field as it is, `null` included.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Data> {
        self.0.get(name).cloned().map(Data)
    }

    /// The whole of it as a value; fractions become doubles there, so amounts are read with [`decimal`](Self::decimal).
    ///
    /// # Errors
    /// If something in it is nested deeper than 128 levels.
    pub fn to_value(&self) -> Result<Value, FieldError> {
        let whole: Option<serde_json::Map<_, _>> =
            self.0.iter().map(|(name, raw)| Some((name.clone(), value_of(raw)?))).collect();
        whole.map(Value::Object).ok_or_else(too_deep)
    }

    fn scalar(&self, name: &str) -> Scalar<'_> {
        self.0.get(name).map_or(Scalar::Null, Token::scalar)
    }

    /// A text, or another scalar as text.
    ///
    /// # Errors
    /// If it is a list or an object.
    pub fn text(&self, name: &str) -> Result<Option<String>, FieldError> {
        match self.scalar(name) {
            Scalar::Null => Ok(None),
            scalar => scalar.text().map(Some).ok_or_else(|| FieldError::new(name, "a text")),
        }
    }

    /// What `read` makes of a scalar that says something.
    fn some<'s, T>(
        &'s self,
        name: &str,
        expected: &'static str,
        read: impl Fn(&Scalar<'s>) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        let scalar = self.scalar(name);
        if scalar.is_blank() {
            return Ok(None);
        }
        read(&scalar).map(Some).ok_or_else(|| FieldError::new(name, expected))
    }

    /// A whole number, also as text; an empty text is absent.
    ///
    /// # Errors
    /// If it is something else.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, FieldError> {
        self.some(name, "a whole number", Scalar::integer)
    }

    /// The number of a record, from 0, also as text; an empty text is absent.
    ///
    /// # Errors
    /// If it is something else.
    pub fn id(&self, name: &str) -> Result<Option<u64>, FieldError> {
        self.some(name, "the number of a record", |scalar| u64::try_from(scalar.integer()?).ok())
    }

    /// A decimal, exactly, also as text, where a comma is the point if it is the only separator (trap 7); an empty text is absent.
    ///
    /// # Errors
    /// If it is no decimal that can be held exactly.
    pub fn decimal(&self, name: &str) -> Result<Option<Decimal>, FieldError> {
        self.some(name, "a decimal", Scalar::decimal)
    }

    /// `true`, `1`, `"yes"` and their opposites; an empty text is absent.
    ///
    /// # Errors
    /// If it is something else.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, FieldError> {
        self.some(name, "a truth", Scalar::boolean)
    }

    /// A date, strictly `dd/mm/yyyy`; `null` and the empty text are absent (contract 5).
    ///
    /// # Errors
    /// If it is anything else; it is never guessed.
    pub fn date(&self, name: &str) -> Result<Option<CalendarDate>, FieldError> {
        match self.scalar(name) {
            Scalar::Null => Ok(None),
            Scalar::Text(text) if text.is_empty() => Ok(None),
            Scalar::Text(text) => text.parse().map(Some).map_err(|_| FieldError::of_date(name)),
            _ => Err(FieldError::of_date(name)),
        }
    }

    /// A pair `codigo`, `descripcion`; one whose two halves say nothing is absent.
    ///
    /// # Errors
    /// If it is no object, or has no code.
    pub fn pair<C: for<'c> From<&'c str>>(&self, name: &str) -> Result<Option<Pair<C>>, FieldError> {
        match self.record(name)? {
            None => Ok(None),
            Some(record) => Pair::of(&record).map_err(|error| error.within(name)),
        }
    }

    /// An object within.
    ///
    /// # Errors
    /// If it is something else.
    pub fn record(&self, name: &str) -> Result<Option<Self>, FieldError> {
        match self.present(name) {
            None => Ok(None),
            Some(data) => data.record().map(Some).ok_or_else(|| FieldError::new(name, "an object")),
        }
    }

    /// A list within; absent and `null` are no list, which is not the same as an empty one.
    ///
    /// # Errors
    /// If it is something else.
    pub fn list(&self, name: &str) -> Result<Option<Vec<Data>>, FieldError> {
        match self.present(name) {
            None => Ok(None),
            Some(data) => data.list().map(Some).ok_or_else(|| FieldError::new(name, "a list")),
        }
    }

    fn present(&self, name: &str) -> Option<Data> {
        self.get(name).filter(|data| !data.is_null())
    }

    /// The same without the fields that have been read.
    pub(crate) fn without(mut self, known: &[&str]) -> Self {
        self.0.retain(|name, _| !known.contains(&name.as_str()));
        self
    }
}

/// Names only: fields hold clients' data.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Record")?;
        f.debug_list().entries(self.0.keys()).finish()
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len()
            && self.0.iter().all(|(name, raw)| other.json(name).is_some_and(|json| json == raw.get()))
    }
}

impl Eq for Record {}

/// As it came, number for number.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// `data` of an answer whose shape the contract does not tell: an object, a list, a scalar or nothing.
///
/// ```
/// use apiges_sync::Data;
///
/// let created = Data::parse(r#"{"id":"17"}"#).unwrap();
/// assert_eq!(created.id(), Some(17));
/// assert!(created.list().is_none() && created.record().is_some());
/// ```
#[derive(Clone)]
pub struct Data(Box<RawValue>);

impl Data {
    /// Any JSON from its text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok().map(Self)
    }

    pub(crate) fn of(raw: Box<RawValue>) -> Self {
        Self(raw)
    }

    pub(crate) fn null() -> Self {
        Self(RawValue::NULL.to_owned())
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.0.scalar() == Scalar::Null
    }

    /// The JSON, character by character.
    #[must_use]
    pub fn json(&self) -> &str {
        self.0.get()
    }

    /// The object, if it is one.
    #[must_use]
    pub fn record(&self) -> Option<Record> {
        Record::parse(self.0.get())
    }

    /// The elements, if it is a list.
    #[must_use]
    pub fn list(&self) -> Option<Vec<Self>> {
        Some(self.0.clone().into_list()?.into_iter().map(Self).collect())
    }

    /// The text, if it is a scalar that is not `null`.
    #[must_use]
    pub fn text(&self) -> Option<String> {
        self.0.scalar().text()
    }

    /// The number of a record: a whole number, also as text, or the `id` of an object.
    #[must_use]
    pub fn id(&self) -> Option<u64> {
        let own = self.0.scalar().integer().and_then(|id| u64::try_from(id).ok());
        own.or_else(|| self.record()?.id("id").ok()?)
    }

    /// The whole of it as a value; fractions become doubles there.
    ///
    /// # Errors
    /// If it is nested deeper than 128 levels.
    pub fn to_value(&self) -> Result<Value, FieldError> {
        value_of(&self.0).ok_or_else(too_deep)
    }
}

fn value_of(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

fn too_deep() -> FieldError {
    FieldError::new("data", "nested at most 128 levels deep")
}

/// Its size only.
impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Data({} bytes)", self.0.get().len())
    }
}

impl PartialEq for Data {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for Data {}

impl Serialize for Data {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn record(text: &str) -> Record {
        Record::parse(text).unwrap()
    }

    #[test]
    fn scalars_are_read_as_number_and_as_text() {
        let row = record(
            r#"{"a":7,"b":"7","c":"","d":" ","e":null,"f":-1,"g":1.5,"h":"21,00","i":"1234567890123456.78","j":[],"k":"x"}"#,
        );
        assert_eq!((row.id("a"), row.id("b"), row.integer("f")), (Ok(Some(7)), Ok(Some(7)), Ok(Some(-1))));
        for absent in ["c", "d", "e", "none"] {
            assert_eq!(
                (row.id(absent), row.decimal(absent), row.boolean(absent)),
                (Ok(None), Ok(None), Ok(None))
            );
        }
        let exact = |name| row.decimal(name).unwrap().unwrap().to_string();
        assert_eq!([exact("g"), exact("h"), exact("i")], ["1.5", "21.00", "1234567890123456.78"]);
        for bad in ["f", "g", "j", "k"] {
            assert!(row.id(bad).is_err(), "{bad}");
        }
        assert!(row.decimal("k").is_err() && row.boolean("a").is_err() && row.text("j").is_err());
    }

    /// Trap 27, contract 5.
    #[test]
    fn dates_are_strict_and_named() {
        let row = record(
            r#"{"ok":"20/06/2025","n":null,"e":"","a":"31/02/2025","b":"1/2/2025","c":"2025-02-01","d":20062025,"s":" "}"#,
        );
        assert_eq!(row.date("ok").unwrap().unwrap().to_string(), "20/06/2025");
        assert_eq!((row.date("n"), row.date("e"), row.date("none")), (Ok(None), Ok(None), Ok(None)));
        for bad in ["a", "b", "c", "d", "s"] {
            let error = row.date(bad).unwrap_err();
            assert!(error.is_date() && error.field() == bad);
        }
    }

    #[test]
    fn nothing_that_holds_data_is_printed() {
        let row = record(r#"{"clave":"sentinel","in":{"x":"sentinel"}}"#);
        let shown = format!("{row:?}{:?}{:?}", row.get("clave"), row.list("clave").unwrap_err());
        assert!(!shown.contains("sentinel") && shown.contains("clave"), "{shown}");
    }

    #[test]
    fn a_missing_list_is_not_an_empty_one() {
        let row = record(r#"{"a":[],"b":null,"c":{}}"#);
        assert_eq!((row.list("a").unwrap(), row.list("b").unwrap()), (Some(Vec::new()), None));
        assert!(row.list("c").is_err() && row.record("a").is_err());
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let row = record(&deep);
        assert!(row.to_value().is_err() && row.list("a").unwrap().is_some());
    }

    proptest! {
        #[test]
        fn what_came_goes_back_as_it_came(number in "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,12})?", text in any::<String>()) {
            let whole = format!(r#"{{"n":{number},"t":{}}}"#, serde_json::to_string(&text).unwrap());
            let row = record(&whole);
            prop_assert_eq!(serde_json::to_string(&row).unwrap(), whole);
            prop_assert_eq!(row.text("t").unwrap().unwrap(), text);
        }

        #[test]
        fn no_input_panics(text in "\\PC{0,40}") {
            if let Some(row) = Record::parse(&text) {
                let _ = (row.to_value(), row.names().count());
            }
            let _ = Data::parse(&text).map(|data| (data.id(), data.list(), data.to_value()));
        }
    }
}
