//! Who a contact is on the wire: kind and code, both text (contract 3.6, section 5, S13).

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize, de};

use integration_core::open_enum;

/// Everything but the unreserved characters of RFC 3986, so that a code is one segment and no more.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

open_enum! {
    /// The kind of a contact. Only `C` is documented; the letters of intermediary and agent are **assumed**, and a firm's own kinds
    /// are [`ContactKind::Other`].
    #[doc(alias = "tipo de contacto")]
    ContactKind {
        /// A client, `C`.
        #[doc(alias = "C")]
        Client = "C",
        /// An intermediary, `I` (assumed).
        #[doc(alias("I", "intermediario"))]
        Intermediary = "I",
        /// An agent, `A` (assumed).
        #[doc(alias("A", "agente"))]
        Agent = "A",
    }
}

/// A contact: client 1 and intermediary 1 are two contacts. A code is text: leading zeros stay.
///
/// ```
/// use apiges_sync::web::{ContactKind, ContactRef};
///
/// let contact = ContactRef::new(ContactKind::Client, "0048/79")?;
/// assert_eq!(contact.to_string(), "C/0048/79");
/// assert_eq!(contact.path(), "C/0048%2F79");
/// # Ok::<(), apiges_sync::web::BadContact>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ContactRef {
    kind: ContactKind,
    code: String,
}

/// A kind or a code that names nobody or that no path can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("kind and code of a contact are not empty, are not '.' or '..', and hold no control characters")]
pub struct BadContact;

impl ContactRef {
    /// The contact of a kind with a code.
    ///
    /// # Errors
    /// [`BadContact`] if kind or code is empty or blank, is `.` or `..` (which a path swallows), or holds a control character.
    pub fn new(kind: ContactKind, code: impl Into<String>) -> Result<Self, BadContact> {
        let code = code.into();
        if is_name(kind.as_str()) && is_name(&code) { Ok(Self { kind, code }) } else { Err(BadContact) }
    }

    /// A client.
    ///
    /// # Errors
    /// As [`ContactRef::new`].
    pub fn client(code: impl Into<String>) -> Result<Self, BadContact> {
        Self::new(ContactKind::Client, code)
    }

    /// The kind.
    #[must_use]
    pub const fn kind(&self) -> &ContactKind {
        &self.kind
    }

    /// The code, as it is written.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.code
    }

    /// `{kind}/{code}`, of which no other contact has the same: a kind may hold anything, so that what would end it is escaped. Of the
    /// kinds that are known nothing is.
    pub(crate) fn key(&self) -> String {
        let kind = self.kind.as_str().replace('%', "%25").replace('/', "%2F");
        format!("{kind}/{}", self.code)
    }

    /// `{kind}/{code}` as two path segments, percent-encoded.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}/{}", encoded(self.kind.as_str()), encoded(&self.code))
    }
}

fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && !matches!(text, "." | "..") && !text.chars().any(char::is_control)
}

fn encoded(text: &str) -> impl fmt::Display + '_ {
    utf8_percent_encode(text, RESERVED)
}

impl fmt::Display for ContactRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.code)
    }
}

impl<'de> Deserialize<'de> for ContactRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Wire {
            kind: ContactKind,
            code: String,
        }
        let Wire { kind, code } = Wire::deserialize(deserializer)?;
        Self::new(kind, code).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_and_writes_the_contracts_form() {
        let contact: ContactRef = serde_json::from_value(json!({"kind": "C", "code": "4879"})).unwrap();
        assert_eq!((contact.to_string().as_str(), contact.path().as_str()), ("C/4879", "C/4879"));
        assert_eq!(serde_json::to_string(&contact).unwrap(), r#"{"kind":"C","code":"4879"}"#);
    }

    #[test]
    fn same_code_of_two_kinds_is_two_contacts_and_zeros_count() {
        let contact = |kind, code| ContactRef::new(kind, code).unwrap();
        assert_ne!(contact(ContactKind::Client, "1"), contact(ContactKind::Intermediary, "1"));
        assert_ne!(contact(ContactKind::Client, "1"), contact(ContactKind::Client, "001"));
        assert_eq!(contact(ContactKind::from_wire("Z9"), "1").kind(), &ContactKind::from_wire("Z9"));
    }

    #[test]
    fn two_contacts_never_have_one_key() {
        let key = |kind, code| ContactRef::new(ContactKind::from_wire(kind), code).unwrap().key();
        let keys = [key("C", "1"), key("C", "0/1"), key("C/0", "1"), key("C%2F0", "1")];
        assert_eq!(keys, ["C/1", "C/0/1", "C%2F0/1", "C%252F0/1"]);
    }

    #[test]
    fn a_code_never_changes_the_path() {
        for (code, path) in
            [("a/b", "C/a%2Fb"), ("ñ ?#", "C/%C3%B1%20%3F%23"), ("%2e", "C/%252e"), ("..x", "C/..x")]
        {
            assert_eq!(ContactRef::client(code).unwrap().path(), path);
        }
        for bad in ["", " ", ".", "..", "a\nb", "\0"] {
            assert_eq!(ContactRef::client(bad), Err(BadContact), "{bad:?}");
        }
        assert!(serde_json::from_value::<ContactRef>(json!({"kind": "C", "code": 4879})).is_err());
    }
}
