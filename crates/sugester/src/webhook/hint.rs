//! What is kept of a webhook until it is dealt with: which record to read again, and nothing that the body says of it (contract 4.6).

use std::fmt;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::route::Route;
use crate::value::Extra;

/// What kind of record a webhook is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Subject {
    /// A client of BitFactura.
    Client,
    /// An invoice of BitFactura.
    Invoice,
}

impl Subject {
    /// `client` or `invoice`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Invoice => "invoice",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A record of BitFactura that is to be read again. Serialises as `{"subject", "id", "is_deleted", "digest"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hint {
    /// What kind of record.
    pub subject: Subject,
    /// Its id in BitFactura.
    pub id: u64,
    /// Whether the body says `deleted: true`: a tombstone, unless reading the record again shows it alive.
    pub is_deleted: bool,
    /// SHA-256 of the body without the secret, in lower case hexadecimal: equal for a webhook that was sent twice.
    pub digest: String,
}

impl Hint {
    /// A hint of one's own making, such as that of a person who wants a record looked at.
    #[must_use]
    pub fn new(subject: Subject, id: u64) -> Self {
        Self { subject, id, is_deleted: false, digest: String::new() }
    }
}

/// `client 17`
impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.subject, self.id)
    }
}

/// A body that does not fit its route, from whoever knows the route's secret. Printing it shows the names of its fields alone.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Unknown {
    /// The route it came to.
    pub route: Route,
    /// The body's fields without `api_token`, token for token. Nothing of it was proven by reading it again.
    pub raw: Extra,
    /// As [`Hint::digest`].
    pub digest: String,
}

/// What was heard, and is to be dealt with.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Heard {
    /// A record is to be read again.
    Hint(Hint),
    /// A body does not fit its route.
    Unknown(Unknown),
}

/// The names alone: no value of a body.
impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hint(hint) => hint.fmt(f),
            Self::Unknown(unknown) => write!(f, "unknown body for {}", unknown.route),
        }
    }
}

/// SHA-256 of anything's JSON, in lower case hexadecimal. Maps are written by name, so equal values have equal digests.
pub(super) fn digest_of(value: &impl Serialize) -> String {
    let json = serde_json::to_vec(value).unwrap_or_default();
    let sum = digest(&SHA256, &json);
    let hex = |byte: &u8| [byte >> 4, byte & 15].map(|half| char::from_digit(half.into(), 16).unwrap_or('0'));
    sum.as_ref().iter().flat_map(hex).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_json() {
        // printf '{}' | sha256sum
        let known = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        assert_eq!(digest_of(&serde_json::json!({})), known);
    }

    #[test]
    fn a_hint_goes_through_json_and_an_unknown_body_prints_no_value() {
        let hint = Hint { is_deleted: true, digest: "ab".into(), ..Hint::new(Subject::Invoice, 21) };
        let json = r#"{"subject":"invoice","id":21,"is_deleted":true,"digest":"ab"}"#;
        assert_eq!(serde_json::to_string(&hint).unwrap(), json);
        assert_eq!(serde_json::from_str::<Hint>(json).unwrap(), hint);
        let raw = Extra::parse(r#"{"product":{"name":"planted"}}"#).unwrap();
        let heard = Heard::Unknown(Unknown { route: Route::Product, raw, digest: String::new() });
        assert!(!format!("{heard} {heard:?}").contains("planted"));
    }
}
