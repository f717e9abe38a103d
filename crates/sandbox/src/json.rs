//! Request bodies as the services read them: JSON whose number tokens stay text until they are asked for.
//!
//! `serde_json`'s own floats may be one unit in the last place off, and an amount check that is right only
//! up to that unit would be wrong on exactly the half-cent ties it exists for. So numbers are kept as written
//! and turned into doubles by `str::parse`, which rounds correctly.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// Nesting beyond this is refused: reading recurses, and the stack is finite.
const MAX_DEPTH: usize = 32;

/// A JSON value, or its absence (reading a key that is not there is not an error for these services).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Json {
    Absent,
    Null,
    Bool(bool),
    /// The token exactly as it was sent.
    Number(String),
    Text(String),
    Array(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

static ABSENT: Json = Json::Absent;

impl Json {
    /// Reads one JSON text.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        read(serde_json::from_slice(bytes)?, MAX_DEPTH)
    }

    /// An object without keys: what a body that is not announced as JSON reads as.
    pub(crate) fn empty() -> Self {
        Self::Object(BTreeMap::new())
    }

    /// The value under `key`, [`Json::Absent`] if there is none.
    pub(crate) fn get(&self, key: &str) -> &Json {
        match self {
            Self::Object(fields) => fields.get(key).unwrap_or(&ABSENT),
            _ => &ABSENT,
        }
    }

    /// The elements of an array; nothing for anything else.
    pub(crate) fn items(&self) -> &[Json] {
        match self {
            Self::Array(items) => items,
            _ => &[],
        }
    }

    /// `null` or not there.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Absent | Self::Null)
    }

    /// Missing, empty text, zero or `false`: what the observed backend takes for "not given".
    pub(crate) fn is_falsy(&self) -> bool {
        match self {
            Self::Absent | Self::Null | Self::Bool(false) => true,
            Self::Text(text) => text.is_empty(),
            Self::Number(_) => self.num() == 0.0,
            _ => false,
        }
    }

    /// A text, only if it was sent as one.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The characters of a text or of a number token; empty for anything else.
    pub(crate) fn spelled(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            _ => "",
        }
    }

    /// `num` of the contract: a number or numeric text as a double, anything else NaN.
    pub(crate) fn num(&self) -> f64 {
        match self {
            Self::Number(token) => token.parse().unwrap_or(f64::NAN),
            Self::Text(text) => numeric(text.trim()),
            _ => f64::NAN,
        }
    }

    /// A double, only if it was sent as a JSON number: the strict comparison that numeric text slips past.
    pub(crate) fn strict_num(&self) -> f64 {
        match self {
            Self::Number(_) => self.num(),
            _ => f64::NAN,
        }
    }
}

/// Rust's parser also takes "inf" and "nan", which are no amounts.
fn numeric(text: &str) -> f64 {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if plain { text.parse().unwrap_or(f64::NAN) } else { f64::NAN }
}

fn read(raw: &RawValue, depth: usize) -> Result<Json, serde_json::Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(serde::de::Error::custom("nested too deeply"));
    };
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => Json::Object(read_object(text, depth)?),
        Some(b'[') => Json::Array(read_array(text, depth)?),
        Some(b'"') => Json::Text(serde_json::from_str(text)?),
        Some(b't' | b'f') => Json::Bool(serde_json::from_str(text)?),
        Some(b'n') => Json::Null,
        _ => Json::Number(text.to_owned()),
    })
}

fn read_object(text: &str, depth: usize) -> Result<BTreeMap<String, Json>, serde_json::Error> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
    fields.into_iter().map(|(key, raw)| Ok((key, read(raw, depth)?))).collect()
}

fn read_array(text: &str, depth: usize) -> Result<Vec<Json>, serde_json::Error> {
    let items: Vec<&RawValue> = serde_json::from_str(text)?;
    items.into_iter().map(|raw| read(raw, depth)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Json {
        Json::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn number_tokens_stay_as_written() {
        let body = json(r#" {"total": 100.10, "list": [1e2, -0.50]} "#);
        assert_eq!(body.get("total").spelled(), "100.10");
        assert_eq!(body.get("list").items()[1].spelled(), "-0.50");
        assert_eq!(body.get("list").items()[0].num(), 100.0);
    }

    #[test]
    fn num_takes_numbers_and_numeric_text_only() {
        assert_eq!(json("\"3.20\"").num(), 3.2);
        for odd in ["\"\"", "\"inf\"", "\"nan\"", "\"1,5\"", "null", "true", "[]"] {
            assert!(json(odd).num().is_nan(), "{odd}");
        }
        assert!(Json::Absent.num().is_nan());
        assert!(json("\"2\"").strict_num().is_nan());
    }

    #[test]
    fn falsy_is_what_was_not_given() {
        for falsy in ["null", "\"\"", "0", "0.00", "false"] {
            assert!(json(falsy).is_falsy(), "{falsy}");
        }
        for given in ["\"0\"", "1", "[]", "{}", "true"] {
            assert!(!json(given).is_falsy(), "{given}");
        }
    }

    #[test]
    fn escapes_in_keys_and_texts_are_read_and_the_last_duplicate_wins() {
        let body = json(r#"{"\u0061":"x\n","b":1,"b":2}"#);
        assert_eq!(body.get("a").as_text(), Some("x\n"));
        assert_eq!(body.get("b").num(), 2.0);
    }

    #[test]
    fn deep_nesting_is_an_error_not_a_stack_overflow() {
        let deep = "[".repeat(100_000) + &"]".repeat(100_000);
        assert!(Json::parse(deep.as_bytes()).is_err());
        assert!(Json::parse(b"{").is_err());
        assert!(Json::parse(b"\xff").is_err());
        assert!(Json::parse(b"").is_err());
    }
}
