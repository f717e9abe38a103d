//! Filters (contract 3.2): built from typed parts, so that no value can become a condition.
//!
//! The rules enforced here: a column's name comes from `desc`, spelled as it is there; text stands in single quotes with inner quotes
//! doubled; nothing else is ever put together from strings. The grammar is assumed. Text of the caller's own goes through
//! [`Filter::raw_filter`] alone, where it has to be one whole condition.

use std::fmt::Write as _;

use jiff::Timestamp;

use crate::error::Problem;
use crate::schema::Schema;
use crate::time::LocalTimes;

/// The longest query string in bytes (assumed).
pub(crate) const QUERY_LIMIT: usize = 6000;

const DEPTH: usize = 32;

/// A value in a filter.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// Quoted, inner quotes doubled.
    Text(String),
    /// Bare.
    Integer(i64),
    /// Bare; has to be finite.
    Real(f64),
    /// An instant, written as local time in the configured form and zone, quoted.
    Time(Timestamp),
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Literal {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Literal {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<u32> for Literal {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i32> for Literal {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<f64> for Literal {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<Timestamp> for Literal {
    fn from(at: Timestamp) -> Self {
        Self::Time(at)
    }
}

/// A condition on rows.
///
/// ```
/// use geosite::Filter;
///
/// let box_of_center = Filter::eq("bairro", "Centro d'Água").and(Filter::ge("capacidade", 16));
/// let either = box_of_center.or(Filter::is_in("codigo", ["CTO-1", "CTO-2"]));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Filter(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Compare(String, &'static str, Literal),
    In(String, Vec<Literal>),
    Null(String, bool),
    Both(&'static str, Vec<Filter>),
    Raw(String),
}

macro_rules! comparisons {
    ($($name:ident $op:literal $what:literal)*) => {$(
        #[doc = concat!("The column ", $what, " the value.")]
        pub fn $name(column: impl Into<String>, value: impl Into<Literal>) -> Self {
            Self(Node::Compare(column.into(), $op, value.into()))
        }
    )*};
}

impl Filter {
    comparisons! {
        eq "=" "equals"
        ne "<>" "differs from"
        lt "<" "is less than"
        le "<=" "is at most"
        gt ">" "is greater than"
        ge ">=" "is at least"
    }

    /// The column is one of the values; there has to be one.
    pub fn is_in<L: Into<Literal>>(column: impl Into<String>, values: impl IntoIterator<Item = L>) -> Self {
        Self(Node::In(column.into(), values.into_iter().map(Into::into).collect()))
    }

    /// The column is empty.
    pub fn is_null(column: impl Into<String>) -> Self {
        Self(Node::Null(column.into(), true))
    }

    /// The column is not empty.
    pub fn is_not_null(column: impl Into<String>) -> Self {
        Self(Node::Null(column.into(), false))
    }

    /// Both hold.
    pub fn and(self, other: Self) -> Self {
        self.joined("AND", other)
    }

    /// At least one holds.
    pub fn or(self, other: Self) -> Self {
        self.joined("OR", other)
    }

    /// A condition in the service's own words, sent as it is: **whoever writes it answers for what is in it.** Never put a value of
    /// somebody else's into it.
    ///
    /// It has to be one whole condition: quotes and parentheses are closed within it, and it holds neither `;` nor a comment.
    pub fn raw_filter(text: impl Into<String>) -> Self {
        Self(Node::Raw(text.into()))
    }

    fn joined(self, word: &'static str, other: Self) -> Self {
        let mut parts = match self.0 {
            Node::Both(known, parts) if known == word => parts,
            node => vec![Self(node)],
        };
        parts.push(other);
        Self(Node::Both(word, parts))
    }

    /// Every column that it names.
    pub(crate) fn columns(&self) -> Vec<&str> {
        match &self.0 {
            Node::Compare(column, ..) | Node::In(column, _) | Node::Null(column, _) => vec![column],
            Node::Both(_, parts) => parts.iter().flat_map(Self::columns).collect(),
            Node::Raw(_) => Vec::new(),
        }
    }

    /// The text of it for a feature's columns.
    pub(crate) fn render(&self, schema: &Schema, times: &LocalTimes, route: &str) -> Result<String, Problem> {
        let mut text = String::new();
        Writer { schema, times, route }.write(self, &mut text, 0)?;
        Ok(text)
    }
}

struct Writer<'w> {
    schema: &'w Schema,
    times: &'w LocalTimes,
    route: &'w str,
}

impl Writer<'_> {
    fn write(&self, filter: &Filter, out: &mut String, depth: usize) -> Result<(), Problem> {
        if depth > DEPTH {
            return Err(invalid(format!("it nests deeper than {DEPTH}")));
        }
        match &filter.0 {
            Node::Compare(column, op, value) => {
                let (column, value) = (self.column(column)?, self.literal(value)?);
                // Writing to a string cannot fail.
                _ = write!(out, "{column} {op} {value}");
            }
            Node::In(column, values) => self.one_of(column, values, out)?,
            Node::Null(column, null) => {
                let test = if *null { "IS NULL" } else { "IS NOT NULL" };
                _ = write!(out, "{} {test}", self.column(column)?);
            }
            Node::Both(word, parts) => self.both(word, parts, out, depth)?,
            Node::Raw(text) => {
                whole_condition(text)?;
                out.push_str(text.trim());
            }
        }
        Ok(())
    }

    fn both(&self, word: &str, parts: &[Filter], out: &mut String, depth: usize) -> Result<(), Problem> {
        for (place, part) in parts.iter().enumerate() {
            if place > 0 {
                _ = write!(out, " {word} ");
            }
            let simple = !matches!(part.0, Node::Both(..) | Node::Raw(_));
            if !simple {
                out.push('(');
            }
            self.write(part, out, depth.saturating_add(1))?;
            if !simple {
                out.push(')');
            }
        }
        Ok(())
    }

    fn one_of(&self, column: &str, values: &[Literal], out: &mut String) -> Result<(), Problem> {
        if values.is_empty() {
            return Err(invalid(format!("`{column}` is to be one of no values")));
        }
        let values = values.iter().map(|value| self.literal(value)).collect::<Result<Vec<_>, _>>()?;
        _ = write!(out, "{} IN ({})", self.column(column)?, values.join(", "));
        Ok(())
    }

    fn column(&self, name: &str) -> Result<&str, Problem> {
        let name = self.schema.resolve(name, self.route)?;
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        if name.chars().all(plain) && !name.starts_with(|c: char| c.is_numeric()) {
            return Ok(name);
        }
        // What `desc` says is not ours either.
        Err(invalid(format!("`{name}` cannot stand in a filter")))
    }

    fn literal(&self, value: &Literal) -> Result<String, Problem> {
        match value {
            Literal::Text(text) if text.chars().any(char::is_control) => {
                Err(invalid("a text holds control characters"))
            }
            Literal::Text(text) => Ok(quoted(text)),
            Literal::Integer(number) => Ok(number.to_string()),
            Literal::Real(number) if number.is_finite() => Ok(number.to_string()),
            Literal::Real(_) => Err(invalid("a number is not finite")),
            Literal::Time(at) => Ok(quoted(&self.times.write(*at))),
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn invalid(reason: impl Into<String>) -> Problem {
    Problem::FilterInvalid { reason: reason.into() }
}

/// Whether the text stays within parentheses that are put around it.
fn whole_condition(text: &str) -> Result<(), Problem> {
    let (mut open, mut quoted, mut before) = (0_u32, false, ' ');
    for c in text.chars() {
        match c {
            c if c.is_control() => return Err(invalid("raw text holds control characters")),
            '\'' => quoted = !quoted,
            _ if quoted => {}
            ';' => return Err(invalid("raw text holds `;`")),
            '-' if before == '-' => return Err(invalid("raw text holds a comment")),
            '*' if before == '/' => return Err(invalid("raw text holds a comment")),
            '(' => open = open.saturating_add(1),
            ')' if open == 0 => return Err(invalid("raw text closes a parenthesis that it did not open")),
            ')' => open = open.saturating_sub(1),
            _ => {}
        }
        before = if quoted { ' ' } else { c };
    }
    match (text.trim().is_empty(), quoted, open) {
        (true, ..) => Err(invalid("raw text is empty")),
        (_, true, _) => Err(invalid("raw text leaves a quote open")),
        (_, _, 1..) => Err(invalid("raw text leaves a parenthesis open")),
        _ => Ok(()),
    }
}

/// How long a query string is once it is percent-encoded.
pub(crate) fn query_length(pairs: &[(&'static str, String)]) -> usize {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let encoded = |text: &str| text.bytes().map(|byte| if plain(byte) { 1_usize } else { 3 }).sum::<usize>();
    pairs.iter().map(|(name, value)| encoded(name).saturating_add(encoded(value)).saturating_add(2)).sum()
}

#[cfg(test)]
mod tests;
