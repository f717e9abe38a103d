//! An identifier exactly as somebody else gave it.
//!
//! The rule enforced here (contract `legale` 5): no answer may fail to decode because of its identifier. What does not
//! even have the shape is kept as text.
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

use super::{Identifier, lenient};

/// An identifier of an answer: read leniently, or kept as the text it was.
///
/// Reads any JSON string and any whole number (which becomes text); a decimal number, `true`, a list or an object is
/// an error, since then the answer as a whole has another shape. Writes the wire text or the kept text. `Debug` shows
/// at most the last two characters.
///
/// ```
/// use integration_core::tax::id::{Given, Rut};
///
/// let given: Vec<Given<Rut>> = serde_json::from_str(r#"["11.222.333-k", "pendiente"]"#)?;
/// assert!(matches!(&given[..], [Given::Read(_), Given::Other(text)] if text == "pendiente"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Given<T> {
    /// It has the shape; the check digit may be wrong (ask `verify()`).
    Read(T),
    /// It does not: the text as received.
    Other(String),
}

impl<T: Identifier> Given<T> {
    /// Reads `text`; never fails.
    #[must_use]
    pub fn new(text: &str) -> Self {
        T::parse_lenient(text).map_or_else(|_| Self::Other(text.to_owned()), Self::Read)
    }

    /// The identifier, if the text had its shape.
    #[must_use]
    pub fn read(&self) -> Option<&T> {
        match self {
            Self::Read(id) => Some(id),
            Self::Other(_) => None,
        }
    }
}

impl<T: Identifier> fmt::Debug for Given<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(id) => fmt::Debug::fmt(id, f),
            Self::Other(text) => write!(f, "Other({} bytes)", text.len()),
        }
    }
}

impl<T: Identifier> Serialize for Given<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(id) => lenient::serialize(id, serializer),
            Self::Other(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de, T: Identifier> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyText(std::marker::PhantomData))
    }
}

struct AnyText<T>(std::marker::PhantomData<T>);

impl<T: Identifier> Visitor<'_> for AnyText<T> {
    type Value = Given<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} as text", T::KIND)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Given<T>, E> {
        Ok(Given::new(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Given<T>, E> {
        Ok(Given::Other(number.to_string())) // not read: leading zeros may be gone
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Given<T>, E> {
        Ok(Given::Other(number.to_string()))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Given<T>, E> {
        Err(E::custom(format_args!("invalid {}: a decimal number", T::KIND)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tax::id::Rut;

    #[test]
    fn any_text_is_kept_and_written_back() {
        for text in ["\"\"", "\"\\u0000\"", "\"x-y\"", "\"12345678-5\""] {
            let given: Given<Rut> = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&given).unwrap(), text);
        }
        assert_eq!(
            serde_json::from_str::<Given<Rut>>("123456785").unwrap(),
            Given::Other("123456785".into())
        );
        assert!(serde_json::from_str::<Given<Rut>>("1.5").is_err());
        assert!(serde_json::from_str::<Given<Rut>>("{}").is_err());
    }

    #[test]
    fn debug_hides_what_was_kept() {
        let hidden = format!("{:?} {:?}", Given::<Rut>::new("12.345.678"), Given::<Rut>::new("12.345.678-5"));
        assert_eq!(hidden, "Other(10 bytes) Rut(..85)");
    }
}
