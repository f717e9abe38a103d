//! Tags and own fields, packed without loss into `note`, one of the few texts that the service keeps for a document.

use std::collections::BTreeMap;
use std::fmt;

use integration_core::{Error, Fault};

/// Own fields of a document, by name. The service has `document_type`, `note` and `date` only, and gives them back in callbacks
/// but neither in lists nor in detail (trap 13).
///
/// Packed, it reads `key=value; key=value`, with `\` before a `\`, `;` or `=` that belongs to a key or a value.
///
/// ```
/// use legale::naming::Metadata;
///
/// let metadata = Metadata::new().with("area", "legal; chile").with("tag", "a=b");
/// assert_eq!(metadata.pack(), r"area=legal\; chile; tag=a\=b");
/// assert_eq!(metadata.pack().parse::<Metadata>()?, metadata);
/// # Ok::<(), legale::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a field; one of the same name is replaced.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(key.into(), value.into());
        self
    }

    /// The value of a field.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// All fields in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// The text for `note`.
    #[must_use]
    pub fn pack(&self) -> String {
        let fields: Vec<_> =
            self.0.iter().map(|(key, value)| format!("{}={}", escaped(key), escaped(value))).collect();
        fields.join("; ")
    }
}

impl fmt::Display for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pack())
    }
}

impl std::str::FromStr for Metadata {
    type Err = Error;

    /// Reads a packed text; a note that was written by hand is usually none.
    fn from_str(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Ok(Self::new());
        }
        let mut fields = BTreeMap::new();
        for field in split(text, ';').ok_or_else(|| not_packed(text))? {
            // One blank after the separator belongs to it, and none before the first field.
            let field = if fields.is_empty() { field } else { field.strip_prefix(' ').unwrap_or(field) };
            let halves = split(field, '=').filter(|halves| halves.len() == 2);
            let mut halves = halves.ok_or_else(|| not_packed(text))?.into_iter().map(unescaped);
            if let (Some(key), Some(value)) = (halves.next(), halves.next())
                && fields.insert(key, value).is_some()
            {
                return Err(not_packed(text));
            }
        }
        Ok(Self(fields))
    }
}

fn not_packed(text: &str) -> Error {
    let fault = Fault::error("NOTE", "note").with_expected("key=value; key=value").with_actual(text);
    Error::validation("read metadata", vec![fault])
}

fn escaped(text: &str) -> String {
    let escape = |c: char| matches!(c, '\\' | ';' | '=').then_some('\\').into_iter().chain([c]);
    text.chars().flat_map(escape).collect()
}

fn unescaped(text: &str) -> String {
    let mut is_escaped = false;
    let keep = |c: &char| {
        is_escaped = *c == '\\' && !is_escaped;
        !is_escaped
    };
    text.chars().filter(keep).collect()
}

/// Splits at the separators that are not escaped; nothing if the text ends in the middle of an escape.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let mut is_escaped = false;
    let at_separator = |c: char| {
        let is_plain = !is_escaped;
        is_escaped = c == '\\' && is_plain;
        c == separator && is_plain
    };
    let pieces: Vec<&str> = text.split(at_separator).collect();
    let slashes = text.chars().rev().take_while(|c| *c == '\\').count();
    slashes.is_multiple_of(2).then_some(pieces)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_was_not_packed_is_an_error_and_not_a_guess() {
        for text in ["by hand", "a=b=c", "a=b;", "a=b; a=c", "a=b\\", "a\\=b"] {
            assert!(text.parse::<Metadata>().is_err(), "{text}");
        }
        assert_eq!("a=b;c=d".parse::<Metadata>().unwrap(), Metadata::new().with("a", "b").with("c", "d"));
    }

    proptest! {
        #[test]
        fn any_fields_are_read_back(fields in proptest::collection::btree_map(any::<String>(), any::<String>(), 0..5)) {
            let metadata = Metadata(fields);
            prop_assert_eq!(metadata.pack().parse::<Metadata>().unwrap(), metadata);
        }

        #[test]
        fn fields_of_nothing_but_signs_are_read_back(
            fields in proptest::collection::btree_map("[\\\\;= a]{0,6}", "[\\\\;= a]{0,6}", 0..5),
        ) {
            let metadata = Metadata(fields);
            prop_assert_eq!(metadata.pack().parse::<Metadata>().unwrap(), metadata);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in any::<String>()) {
            let _ = text.parse::<Metadata>();
        }
    }
}
