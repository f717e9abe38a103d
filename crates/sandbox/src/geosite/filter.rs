//! The filter grammar of contract section 3.2: read, bound to columns, and judged row by row.
//!
//! ```text
//! expression = conjunction { OR conjunction }
//! conjunction = term { AND term }
//! term = "(" expression ")" | column test
//! test = ("=" | "<>" | "<" | "<=" | ">" | ">=") literal | IN "(" literal { "," literal } ")" | IS [NOT] NULL
//! ```
//!
//! A comparison with null holds never, as in SQL.

use std::cmp::Ordering;

use serde_json::Value;

use super::cell::Cell;
use super::schema::{Described, Key, Kind, Schema};
use super::times::Times;

/// Nesting beyond this is refused: reading recurses, and the stack is finite.
const MAX_DEPTH: usize = 32;

/// Why a filter cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// The column is not there.
    Column(String),
    /// Anything else, in words.
    Grammar(String),
}

fn grammar(text: impl Into<String>) -> Fault {
    Fault::Grammar(text.into())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Op {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A literal in every reading that it has.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Literal {
    pub(super) text: String,
    pub(super) number: Option<f64>,
    pub(super) time: Option<i64>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Test {
    Compare(Op, Literal),
    In(Vec<Literal>),
    Null(bool),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    Test(Key, Test),
    And(Vec<Filter>),
    Or(Vec<Filter>),
}

impl Filter {
    /// What all have to hold, if this is a conjunction.
    pub(super) fn conjuncts(self) -> Vec<Filter> {
        match self {
            Self::And(parts) => parts.into_iter().flat_map(Self::conjuncts).collect(),
            other => vec![other],
        }
    }

    pub(super) fn holds<'a>(&self, cell: &impl Fn(Key) -> Cell<'a>) -> bool {
        match self {
            Self::Test(key, test) => holds(&cell(*key), test),
            Self::And(parts) => parts.iter().all(|part| part.holds(cell)),
            Self::Or(parts) => parts.iter().any(|part| part.holds(cell)),
        }
    }
}

fn holds(cell: &Cell<'_>, test: &Test) -> bool {
    match test {
        Test::Null(wanted) => matches!(cell, Cell::Null | Cell::Set(Value::Null)) == *wanted,
        Test::Compare(op, literal) => compare(cell, literal).is_some_and(|order| op.holds(order)),
        Test::In(literals) => literals.iter().any(|literal| compare(cell, literal) == Some(Ordering::Equal)),
    }
}

/// None if the two cannot be compared, which holds for null and anything.
fn compare(cell: &Cell<'_>, literal: &Literal) -> Option<Ordering> {
    let number = |number: f64| literal.number.and_then(|other| number.partial_cmp(&other));
    match cell {
        Cell::Null | Cell::Set(Value::Null) => None,
        Cell::Integer(integer) => number(*integer as f64),
        Cell::Degrees(degrees) => number(f64::from(*degrees) / 1e7),
        Cell::Time(seconds) => literal.time.map(|time| i64::from(*seconds).cmp(&time)),
        Cell::Text(text) => Some(text.as_str().cmp(literal.text.as_str())),
        Cell::Set(Value::String(text)) => Some(text.as_str().cmp(literal.text.as_str())),
        Cell::Set(Value::Number(set)) => number(set.as_f64()?),
        Cell::Set(other) => Some(other.to_string().as_str().cmp(literal.text.as_str())),
    }
}

/// Orders two cells of one column; what is not there comes first.
pub(super) fn order(one: &Cell<'_>, other: &Cell<'_>) -> Ordering {
    let rank = |cell: &Cell<'_>| -> (u8, f64, String) {
        match cell {
            Cell::Null | Cell::Set(Value::Null) => (0, 0.0, String::new()),
            Cell::Integer(integer) => (1, *integer as f64, String::new()),
            Cell::Degrees(degrees) => (1, f64::from(*degrees) / 1e7, String::new()),
            Cell::Time(seconds) => (1, f64::from(*seconds), String::new()),
            Cell::Set(Value::Number(set)) => (1, set.as_f64().unwrap_or(0.0), String::new()),
            Cell::Text(text) => (2, 0.0, text.clone()),
            Cell::Set(Value::String(text)) => (2, 0.0, text.clone()),
            Cell::Set(other) => (2, 0.0, other.to_string()),
        }
    };
    let ((kind, number, text), (other_kind, other_number, other_text)) = (rank(one), rank(other));
    kind.cmp(&other_kind).then(number.total_cmp(&other_number)).then(text.cmp(&other_text))
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Number(String),
    Sign(&'static str),
}

const SIGNS: [&str; 9] = ["<>", "<=", ">=", "=", "<", ">", "(", ")", ","];

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, after) = token(first, rest)?;
        tokens.push(token);
        rest = after.trim_start();
    }
    Ok(tokens)
}

fn token(first: char, rest: &str) -> Result<(Token, &str), Fault> {
    if first == '\'' {
        return quoted(rest);
    }
    if let Some((sign, after)) = SIGNS.iter().find_map(|sign| Some((*sign, rest.strip_prefix(sign)?))) {
        return Ok((Token::Sign(sign), after));
    }
    let part = |wanted: fn(char) -> bool| rest.split_at(rest.find(|one| !wanted(one)).unwrap_or(rest.len()));
    if first.is_ascii_digit() || first == '-' {
        let (number, after) = part(|one| one.is_ascii_digit() || one == '-' || one == '.');
        let plain = number.parse::<f64>().is_ok();
        return plain.then(|| (Token::Number(number.to_owned()), after)).ok_or_else(|| grammar(number));
    }
    if first.is_alphabetic() || first == '_' {
        let (word, after) = part(|one| one.is_alphanumeric() || one == '_');
        return Ok((Token::Word(word.to_owned()), after));
    }
    Err(grammar(format!("unexpected {first}")))
}

/// A text in single quotes; a doubled quote is one.
fn quoted(rest: &str) -> Result<(Token, &str), Fault> {
    let mut text = String::new();
    let mut left = rest.strip_prefix('\'').unwrap_or(rest);
    loop {
        let (part, after) = left.split_once('\'').ok_or_else(|| grammar("a quote is not closed"))?;
        text.push_str(part);
        match after.strip_prefix('\'') {
            Some(more) => {
                text.push('\'');
                left = more;
            }
            None => return Ok((Token::Text(text), after)),
        }
    }
}

struct Reader<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    schema: &'a Schema,
    times: &'a Times,
}

/// Reads a filter for the columns of a feature.
pub(super) fn read(text: &str, schema: &Schema, times: &Times) -> Result<Filter, Fault> {
    let tokens = tokens(text)?.into_iter().peekable();
    let mut reader = Reader { tokens, schema, times };
    let filter = reader.expression(MAX_DEPTH)?;
    match reader.tokens.next() {
        None => Ok(filter),
        Some(token) => Err(grammar(format!("unexpected {token:?}"))),
    }
}

impl Reader<'_> {
    fn expression(&mut self, depth: usize) -> Result<Filter, Fault> {
        let mut parts = vec![self.conjunction(depth)?];
        while self.keyword("OR") {
            parts.push(self.conjunction(depth)?);
        }
        Ok(single(parts).unwrap_or_else(Filter::Or))
    }

    fn conjunction(&mut self, depth: usize) -> Result<Filter, Fault> {
        let mut parts = vec![self.term(depth)?];
        while self.keyword("AND") {
            parts.push(self.term(depth)?);
        }
        Ok(single(parts).unwrap_or_else(Filter::And))
    }

    fn term(&mut self, depth: usize) -> Result<Filter, Fault> {
        if self.sign("(") {
            let depth = depth.checked_sub(1).ok_or_else(|| grammar("nested too deeply"))?;
            let inner = self.expression(depth)?;
            return self.expect(")").map(|()| inner);
        }
        let Some(Token::Word(name)) = self.tokens.next() else { return Err(grammar("a column is missing")) };
        let column = self.schema.find(&name).cloned().ok_or(Fault::Column(name))?;
        let test = self.test(&column)?;
        Ok(Filter::Test(column.key, test))
    }

    fn test(&mut self, column: &Described) -> Result<Test, Fault> {
        if self.keyword("IS") {
            let wanted = !self.keyword("NOT");
            return self
                .keyword("NULL")
                .then_some(Test::Null(wanted))
                .ok_or_else(|| grammar("NULL is missing"));
        }
        if self.keyword("IN") {
            self.expect("(")?;
            let mut literals = vec![self.literal(column)?];
            while self.sign(",") {
                literals.push(self.literal(column)?);
            }
            return self.expect(")").map(|()| Test::In(literals));
        }
        let op = match self.tokens.next() {
            Some(Token::Sign("=")) => Op::Equal,
            Some(Token::Sign("<>")) => Op::Unequal,
            Some(Token::Sign("<")) => Op::Less,
            Some(Token::Sign("<=")) => Op::LessOrEqual,
            Some(Token::Sign(">")) => Op::Greater,
            Some(Token::Sign(">=")) => Op::GreaterOrEqual,
            _ => return Err(grammar(format!("no test of {}", column.name))),
        };
        self.literal(column).map(|literal| Test::Compare(op, literal))
    }

    fn literal(&mut self, column: &Described) -> Result<Literal, Fault> {
        let text = match self.tokens.next() {
            Some(Token::Text(text) | Token::Number(text)) => text,
            _ => return Err(grammar(format!("no literal for {}", column.name))),
        };
        let (number, time) = (text.trim().parse().ok(), self.times.read(&text));
        let fits = match column.key.kind() {
            Kind::Number => number.is_some(),
            Kind::Time => time.is_some(),
            Kind::Text | Kind::Any => true,
        };
        if fits {
            Ok(Literal { text, number, time })
        } else {
            Err(grammar(format!("{text:?} is no value of {}", column.name)))
        }
    }

    fn keyword(&mut self, wanted: &str) -> bool {
        let is = |token: &Token| matches!(token, Token::Word(word) if word.eq_ignore_ascii_case(wanted));
        self.tokens.next_if(is).is_some()
    }

    fn sign(&mut self, wanted: &'static str) -> bool {
        self.tokens.next_if_eq(&Token::Sign(wanted)).is_some()
    }

    fn expect(&mut self, wanted: &'static str) -> Result<(), Fault> {
        self.sign(wanted).then_some(()).ok_or_else(|| grammar(format!("{wanted} is missing")))
    }
}

/// The only part, or all of them back.
fn single(mut parts: Vec<Filter>) -> Result<Filter, Vec<Filter>> {
    match parts.len() {
        1 => parts.pop().ok_or(parts),
        _ => Err(parts),
    }
}

#[cfg(test)]
mod tests;
