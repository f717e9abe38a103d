//! Secrets that cannot be printed by accident.
//!
//! No `Debug`, `Display`, error or log of the workspace shows the content of a [`Secret`]; reading it takes the word
//! [`Secret::reveal`], which is easy to find in a review. Its memory is wiped when the last clone is dropped.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use zeroize::Zeroizing;

pub(crate) const MASK: &str = "[redacted]";
const SHORTEST: usize = 4;

/// Everything but the unreserved characters of RFC 3986, so that a value is one segment or one parameter and no more.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` as one path segment or one query value of a URL.
pub(crate) fn percent_encoded(text: &str) -> String {
    escaped(text).collect()
}

/// The same in pieces.
pub(crate) fn escaped(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, RESERVED)
}

/// The same with the digits of every escape in lower case, as some servers write them.
fn lower_hex(encoded: &str) -> String {
    let mut digits = 0u8;
    let lower = |c: char| {
        let escaped = digits > 0;
        digits = if c == '%' { 2 } else { digits.saturating_sub(1) };
        if escaped { c.to_ascii_lowercase() } else { c }
    };
    encoded.chars().map(lower).collect()
}

/// A token, password or key. Cheap to clone: all clones are the same memory.
///
/// ```
/// use integration_core::Secret;
///
/// let token = Secret::new("eyJhbGciOi");
/// assert_eq!(format!("{token:?}"), "Secret([redacted])");
/// assert_eq!(token.redact("bad token eyJhbGciOi"), "bad token [redacted]");
/// ```
#[derive(Clone)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Arc::new(Zeroizing::new(text.into())))
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with every occurrence of this secret masked, plain or escaped as JSON and URLs write it: services repeat
    /// tokens in their messages.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        redact(&self.spellings(), text)
    }

    /// Whether `text` shows this secret in any spelling.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.0.len() >= SHORTEST && self.spellings().iter().any(|spelling| text.contains(spelling.as_str()))
    }

    /// How many bytes at the end of `bytes` are the beginning of this secret, in any spelling.
    pub(crate) fn begun_at_end_of(&self, bytes: &[u8]) -> usize {
        let begun = |spelling: &Zeroizing<String>| begun_at_end_of(spelling.as_bytes(), bytes);
        self.spellings().iter().map(begun).max().unwrap_or_default()
    }

    /// The ways in which common serialisers write it: PHP escapes the slash, .NET and Go some signs by number.
    pub(crate) fn spellings(&self) -> Vec<Zeroizing<String>> {
        let mut spellings = vec![Zeroizing::clone(&self.0)];
        // Most tokens hold nothing that anybody escapes.
        if self.0.bytes().any(|byte| !byte.is_ascii_alphanumeric() && !b"-_.".contains(&byte)) {
            spellings.push(self.spelt(|c| matches!(c, '/' | '"' | '\\').then(|| format!("\\{c}"))));
            spellings.push(self.spelt(|c| matches!(c, '"' | '\\').then(|| format!("\\{c}"))));
            for signs in ["+\"&'<>`\\", "&<>"] {
                spellings.push(self.spelt(|c| signs.contains(c).then(|| format!("\\u{:04X}", u32::from(c)))));
                spellings.push(self.spelt(|c| signs.contains(c).then(|| format!("\\u{:04x}", u32::from(c)))));
            }
            spellings.push(Zeroizing::new(url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()));
            spellings.push(Zeroizing::new(percent_encoded(&self.0)));
            spellings.push(Zeroizing::new(lower_hex(&percent_encoded(&self.0))));
            // An address within an address, and within a page.
            spellings.push(Zeroizing::new(percent_encoded(&percent_encoded(&self.0))));
            spellings.push(self.spelt(|c| (!c.is_alphanumeric()).then(|| format!("&#x{:X};", u32::from(c)))));
            spellings.push(self.spelt(|c| (c == '/').then(|| "&#x2F;".to_owned())));
            // As `{:?}` prints it within a text.
            spellings.push(Zeroizing::new(self.0.escape_debug().collect()));
        }
        spellings
    }

    fn spelt(&self, escape: impl Fn(char) -> Option<String>) -> Zeroizing<String> {
        Zeroizing::new(self.0.chars().map(|c| escape(c).unwrap_or_else(|| c.to_string())).collect())
    }

    /// Compares in a time that does not depend on where the texts differ.
    #[must_use]
    pub fn matches(&self, other: &str) -> bool {
        let (left, right) = (self.0.as_bytes(), other.as_bytes());
        let difference = left.iter().zip(right).fold(0u8, |sum, (a, b)| sum | (a ^ b));
        left.len() == right.len() && std::hint::black_box(difference) == 0
    }
}

/// `text` with every one of a secret's [spellings](Secret::spellings) masked.
pub(crate) fn redact<'t>(spellings: &[Zeroizing<String>], text: &'t str) -> Cow<'t, str> {
    let mut shown = Cow::Borrowed(text);
    // A secret of a few characters would mask innocent text everywhere and protects nothing. It comes first among its spellings.
    if spellings.first().is_none_or(|secret| secret.len() < SHORTEST) {
        return shown;
    }
    for spelling in spellings.iter().filter(|spelling| text.contains(spelling.as_str())) {
        shown = Cow::Owned(shown.replace(spelling.as_str(), MASK));
    }
    shown
}

fn begun_at_end_of(secret: &[u8], bytes: &[u8]) -> usize {
    let longest = secret.len().min(bytes.len());
    let begun = |length: &usize| secret.get(..*length).is_some_and(|start| bytes.ends_with(start));
    (1..=longest).rev().find(begun).unwrap_or_default()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({MASK})")
    }
}

/// All secrets of one call: what must not turn up in any error of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Secrets(Vec<Secret>);

impl Secrets {
    pub(crate) fn new(secrets: Vec<Secret>) -> Self {
        // Longest first: a short one inside a long one would leave the rest of the long one standing.
        let mut secrets = secrets;
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.0.len()));
        Self(secrets)
    }

    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Secret> {
        self.0.iter()
    }

    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| secret.redact(&text).into_owned())
    }

    pub(crate) fn any_in(&self, text: &str) -> bool {
        self.0.iter().any(|secret| secret.is_in(text))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

/// A URL as it may be shown: scheme, host, port and path, without credentials, query or fragment.
///
/// ```
/// let url = "https://user:pass@example.com/a?token=x".parse::<url::Url>()?;
/// assert_eq!(integration_core::secret::printable_url(&url), "https://example.com/a");
/// # Ok::<(), url::ParseError>(())
/// ```
#[must_use]
pub fn printable_url(url: &url::Url) -> String {
    let mut shown = url.clone();
    shown.set_query(None);
    shown.set_fragment(None);
    // Both fail only for URLs that cannot carry credentials in the first place.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    shown.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        let secret = Secret::new("sentinel-value");
        assert!(!format!("{secret:?}{secret:#?}").contains("sentinel"));
    }

    #[test]
    fn compares_by_content() {
        let secret = Secret::new("abcd");
        assert!(secret.matches("abcd"));
        assert!(!secret.matches("abce"));
        assert!(!secret.matches("abc"));
        assert!(!secret.matches("abcde"));
    }

    #[test]
    fn is_masked_however_a_serialiser_escapes_it() {
        let secret = Secret::new("a/b+c=d\"e");
        for escaped in [
            "a/b+c=d\"e",
            r#"a\/b+c=d\"e"#,
            r#"a/b+c=d\"e"#,
            r"a/b\u002Bc=d\u0022e",
            r"a/b\u002bc=d\u0022e",
            "a%2Fb%2Bc%3Dd%22e",
            "a%2fb%2bc%3dd%22e",
        ] {
            assert_eq!(secret.redact(&format!("<{escaped}>")), "<[redacted]>", "{escaped}");
        }
    }

    #[test]
    fn a_blank_in_a_url_is_masked_in_both_spellings() {
        let secret = Secret::new("pass word");
        for shown in ["pass%20word", "pass+word", "pass word"] {
            assert_eq!(secret.redact(shown), "[redacted]");
        }
    }

    #[test]
    fn an_address_within_an_address_or_a_page_is_masked() {
        let secret = Secret::new("secret/acme");
        for shown in ["secret%252Facme", "secret&#x2F;acme", "secret%2Facme", r"secret\/acme"] {
            assert_eq!(secret.redact(shown), "[redacted]", "{shown}");
        }
    }

    #[test]
    fn a_secret_inside_another_leaves_nothing_of_it() {
        let secrets = Secrets::new(vec![Secret::new("abcd"), Secret::new("abcdefgh")]);
        assert_eq!(secrets.redact("abcdefgh abcd"), "[redacted] [redacted]");
    }

    #[test]
    fn the_beginning_of_a_secret_is_found_in_every_spelling() {
        let secret = Secret::new("a/b+c");
        for (text, begun) in [("x a/b", 3), ("x a%2Fb", 5), (r"x a\/b", 4), ("x", 0), ("", 0)] {
            assert_eq!(secret.begun_at_end_of(text.as_bytes()), begun, "{text}");
        }
    }

    #[test]
    fn short_secrets_do_not_mask_everything() {
        assert_eq!(Secret::new("").redact("text"), "text");
        assert_eq!(Secret::new("e").redact("text"), "text");
    }
}
