//! What is true about amounts and taxpayers, whichever service is asked.
//!
//! * [`money`]: exact decimal arithmetic that neither rounds silently nor panics nor touches a float
//!   (contract `fiscal-printer`, section 6).
//! * [`id`]: taxpayer and identity numbers of Venezuela, Chile and Brazil: read, check, normalise, print
//!   (contracts `fiscal-printer` 7, `legale` 5, `geosite` 5).
//!
//! Nothing here performs I/O. Every reader takes any text at all (ten megabytes, emoji, control characters) and
//! answers with a value or with a short error; none panics.

pub mod id;
pub mod money;

/// Characters an [`excerpt`] may hold before its closing dots.
const EXCERPT_LIMIT: usize = 40;

/// The beginning of foreign text, safe to print: ASCII only, control characters escaped, never longer than
/// [`EXCERPT_LIMIT`] and three dots. Escaping comes before cutting, because one emoji becomes nine characters.
pub(crate) fn excerpt(text: &str) -> String {
    let mut escaped = text.chars().flat_map(char::escape_default);
    let mut shown: String = escaped.by_ref().take(EXCERPT_LIMIT).collect();
    if escaped.next().is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::excerpt;

    #[test]
    fn an_excerpt_is_short_and_printable_whatever_comes_in() {
        assert_eq!(excerpt("12,50"), "12,50");
        assert_eq!(excerpt("a\nb\0\u{1f600}"), "a\\nb\\u{0}\\u{1f600}");
        let long = excerpt(&"\u{10ffff}".repeat(3_000_000));
        assert_eq!(long.len(), 43);
        assert!(long.is_ascii());
    }
}
