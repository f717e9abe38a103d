//! Searches (contract P4, 3.3): conditions by `EQ`, `BT` and whatever else `GET /filtros` names.
//!
//! The rules enforced here: a condition that cannot be right is refused before sending; an answer tells whether it is known to be all
//! there is, which it is not unless the caller's configuration says so (trap 25); a row that cannot be read hides no other.

use std::borrow::Cow;
use std::fmt;

use integration_core::{Error, Fault};
use serde_json::{Map, Value};

use crate::assumptions::{Assumptions, SearchBody};
use crate::client::body_of;
use crate::date::CalendarDate;
use crate::pair::Comparison;
use crate::record::{FieldError, Record};

/// A value that a field is compared with. It travels as text, as the contract's example has it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Term {
    /// A code or a text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A day, which travels as `dd/mm/yyyy`.
    Date(CalendarDate),
}

impl Term {
    fn wire(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Number(number) => Cow::Owned(number.to_string()),
            Self::Date(date) => Cow::Owned(date.to_string()),
        }
    }

    /// Whether the two can only stand the other way round. Of texts nobody knows how the service orders them.
    fn is_after(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => one > other,
            (Self::Date(one), Self::Date(other)) => one > other,
            _ => false,
        }
    }
}

impl From<&str> for Term {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Term {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Term {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<CalendarDate> for Term {
    fn from(date: CalendarDate) -> Self {
        Self::Date(date)
    }
}

#[derive(Clone, PartialEq, Eq)]
struct Condition {
    field: String,
    comparison: Comparison,
    values: Vec<Term>,
}

#[derive(Clone)]
enum Asked {
    Conditions(Vec<Condition>),
    Raw(Value),
}

/// What to search for; conditions add up. Field names are the wire names of contract 3.4.
///
/// **The form of the body is assumed** ([`SearchBody`]); [`raw`](Self::raw) sends another one.
///
/// ```
/// use apiges_sync::{CalendarDate, Search};
///
/// let (from, to): (CalendarDate, CalendarDate) = ("01/01/2026".parse()?, "31/12/2026".parse()?);
/// let search = Search::all().equal("modalidad", ["M", "N"]).between("fechaVencimiento", from, to);
/// # Ok::<(), apiges_sync::BadDate>(())
/// ```
#[derive(Clone)]
#[must_use]
#[doc(alias("filtros", "busqueda", "búsqueda"))]
pub struct Search(Asked);

/// Fields and comparisons; what is searched for is somebody's reference, most likely.
impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Asked::Raw(_) => f.write_str("Search(raw)"),
            Asked::Conditions(conditions) => {
                let shown = conditions.iter().map(|one| (&one.field, one.comparison.as_str()));
                f.write_str("Search")?;
                f.debug_list().entries(shown).finish()
            }
        }
    }
}

impl Search {
    /// Everything, until conditions are added.
    pub fn all() -> Self {
        Self(Asked::Conditions(Vec::new()))
    }

    /// By a body of the caller's own, sent as it is; conditions can no longer be added to it.
    pub fn raw(body: Value) -> Self {
        Self(Asked::Raw(body))
    }

    /// `EQ`: the field equals one of these values.
    #[doc(alias = "EQ")]
    pub fn equal<T: Into<Term>>(self, field: impl Into<String>, values: impl IntoIterator<Item = T>) -> Self {
        self.compared(field, Comparison::Equal, values)
    }

    /// `BT`: the field lies between these two, of the same kind.
    #[doc(alias = "BT")]
    pub fn between<T: Into<Term>>(self, field: impl Into<String>, from: T, to: T) -> Self {
        self.compared(field, Comparison::Between, [from, to])
    }

    /// By any comparison that `GET /filtros` names.
    pub fn compared<T: Into<Term>>(
        mut self,
        field: impl Into<String>,
        comparison: impl Into<Comparison>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        let condition = Condition { field: field.into(), comparison: comparison.into(), values };
        match &mut self.0 {
            Asked::Conditions(conditions) => conditions.push(condition),
            // Told as a fault when it is sent: a condition that is dropped in silence would find too much.
            Asked::Raw(body) => *body = Value::Null,
        }
        self
    }

    /// # Errors
    /// A validation error with every condition that cannot be right.
    pub(crate) fn body(&self, operation: &'static str, names: &SearchBody) -> Result<Vec<u8>, Error> {
        match &self.0 {
            Asked::Raw(body) => body_of(operation, body),
            Asked::Conditions(conditions) => {
                let faults: Vec<_> =
                    conditions.iter().enumerate().flat_map(|(place, one)| one.faults(place)).collect();
                if !faults.is_empty() {
                    return Err(Error::validation(operation, faults).with_hint("nothing was sent"));
                }
                let filters = conditions.iter().map(|condition| condition.wire(names)).collect();
                body_of(operation, &Map::from_iter([(names.filters.clone(), Value::Array(filters))]))
            }
        }
    }
}

impl Condition {
    fn faults(&self, place: usize) -> Vec<Fault> {
        let fault = |part: &str, expected: &'static str| {
            Fault::error("P4", format!("conditions[{place}].{part}")).with_expected(expected)
        };
        let mut faults = Vec::new();
        if self.field.trim().is_empty() {
            faults.push(fault("field", "the wire name of a field"));
        }
        if self.comparison.as_str().is_empty() {
            faults.push(fault("comparison", "a code of GET /filtros"));
        }
        let backwards = |values: &[Term]| matches!(values, [from, to] if from.is_after(to));
        match (&self.comparison, self.values.as_slice()) {
            (_, []) => faults.push(fault("values", "at least one value")),
            (Comparison::Between, values) if values.len() != 2 => {
                faults.push(fault("values", "two values, from and to"));
            }
            (Comparison::Between, values) if backwards(values) => {
                faults.push(fault("values", "the lower value first"));
            }
            _ => {}
        }
        faults
    }

    fn wire(&self, names: &SearchBody) -> Value {
        let values = self.values.iter().map(|value| Value::String(value.wire().into_owned())).collect();
        Value::Object(Map::from_iter([
            (names.field.clone(), Value::String(self.field.clone())),
            (names.comparison.clone(), Value::String(self.comparison.as_str().to_owned())),
            (names.values.clone(), Value::Array(values)),
        ]))
    }
}

/// Whether what was found is all there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Completeness {
    /// Nobody knows: nothing follows from what is not there.
    Unknown,
    /// All of it, as the caller's configuration says, and every row could be read.
    Complete,
}

/// A row that could not be read (contract R4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("row {place}: {error}")]
#[non_exhaustive]
pub struct RowError {
    /// Its place, from 0.
    pub place: usize,
    /// Its `id`, if that could be read.
    pub id: Option<u64>,
    /// What is wrong with it.
    #[source]
    pub error: FieldError,
    /// The row as it came.
    pub row: Record,
}

impl RowError {
    pub(crate) fn new(place: usize, row: Record, error: FieldError) -> Self {
        Self { place, id: row.id("id").ok().flatten(), error, row }
    }
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found<T> {
    /// The rows that could be read.
    pub rows: Vec<T>,
    /// Those that could not.
    pub unreadable: Vec<RowError>,
    declared: bool,
}

impl<T> Found<T> {
    pub(crate) fn new((rows, unreadable): (Vec<T>, Vec<RowError>), assumptions: &Assumptions) -> Self {
        Self { rows, unreadable, declared: assumptions.searches_are_complete }
    }

    /// Whether this is all there is: only if [`Assumptions::searches_are_complete`] was set and no row was unreadable.
    #[must_use]
    pub fn completeness(&self) -> Completeness {
        if self.declared && self.unreadable.is_empty() {
            Completeness::Complete
        } else {
            Completeness::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(search: &Search) -> String {
        String::from_utf8(search.body("search", &Assumptions::default().search_body).unwrap()).unwrap()
    }

    fn faulty(search: &Search) -> Vec<String> {
        let error = search.body("search", &Assumptions::default().search_body).unwrap_err();
        assert!(error.is_not_sent());
        error.faults().iter().map(|fault| fault.path().to_owned()).collect()
    }

    fn day(text: &str) -> CalendarDate {
        text.parse().unwrap()
    }

    #[test]
    fn the_body_is_the_one_of_the_contract() {
        // Contract 3.3; the order of keys is not a matter of JSON, but of a test that compares texts.
        let expected: Value =
            serde_json::from_str(r#"{"filtros":[{"campo":"codigo","filtro":"EQ","valores":["4879"]}]}"#)
                .unwrap();
        let read = |search: &Search| serde_json::from_str::<Value>(&sent(search)).unwrap();
        assert_eq!(read(&Search::all().equal("codigo", ["4879"])), expected);
        let dates = Search::all().between("fechaVencimiento", day("01/02/2026"), day("31/12/2026"));
        assert_eq!(read(&dates)["filtros"][0]["valores"], serde_json::json!(["01/02/2026", "31/12/2026"]));
        assert_eq!(sent(&Search::all()), r#"{"filtros":[]}"#);
        let other = Search::all().compared("id", "GE", [3992]);
        assert_eq!(read(&other)["filtros"][0]["filtro"], "GE");
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let search = Search::all()
            .equal("", Vec::<String>::new())
            .between("fecha", day("02/01/2026"), day("01/01/2026"))
            .compared("id", Comparison::Between, [1])
            .between("id", 2, 1)
            .compared("id", "", [1]);
        assert_eq!(
            faulty(&search),
            [
                "conditions[0].field",
                "conditions[0].values",
                "conditions[1].values",
                "conditions[2].values",
                "conditions[3].values",
                "conditions[4].comparison",
            ]
        );
        // Texts have the service's order, and 9 may well lie before 10 there.
        assert!(sent(&Search::all().between("codigo", "9", "10")).contains("\"10\""));
    }

    #[test]
    fn what_is_searched_for_is_not_printed() {
        let search = Search::all().equal("clave", ["sentinel"]);
        assert_eq!(format!("{search:?}"), r#"Search[("clave", "EQ")]"#);
        assert_eq!(format!("{:?}", Search::raw(serde_json::json!({"clave": "sentinel"}))), "Search(raw)");
    }

    #[test]
    fn a_raw_body_takes_no_conditions() {
        assert_eq!(sent(&Search::raw(serde_json::json!({"q": 1}))), r#"{"q":1}"#);
        assert_eq!(faulty(&Search::raw(serde_json::json!({"q": 1})).equal("a", ["b"])), ["body"]);
    }

    #[test]
    fn completeness_is_unknown_unless_declared_and_whole() {
        let mut assumptions = Assumptions::default();
        let row = || Record::parse(r#"{"id":"7"}"#).unwrap();
        let whole = |assumptions: &Assumptions| Found::new((vec![1], Vec::new()), assumptions).completeness();
        assert_eq!(whole(&assumptions), Completeness::Unknown);
        assumptions.searches_are_complete = true;
        assert_eq!(whole(&assumptions), Completeness::Complete);
        let bad = RowError::new(3, row(), FieldError::new("fecha", "a date"));
        assert_eq!(bad.id, Some(7));
        assert_eq!(Found::new((vec![1], vec![bad]), &assumptions).completeness(), Completeness::Unknown);
    }
}
