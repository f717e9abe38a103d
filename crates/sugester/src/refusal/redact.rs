//! Secrets that a service repeats, found by the name they stand under, in whatever a text is written: a query, JSON, a hash of
//! Ruby, HTML, each plain or escaped. Masking too much is harmless, too little is not.
//!
//! The client knows its own token and masks it wherever it stands; this catches those of others, such as the `integration_token`
//! of a partner, or the token of another account.

use std::ops::Range;

/// What stands for a secret.
const MASK: &str = "****";

/// The longest body that an error keeps (contract 3.7).
const EXCERPT: usize = 4096;

/// Whose values are masked (contract 2.2 and trap 21).
const NAMES: [&str; 6] =
    ["api_token", "password", "integration_token", "password_hash", "password_salt", "password_confirmation"];

/// How deep an escape may be wrapped in escapes: `%2526` is two deep.
const DEEPEST: usize = 4;

/// The same text with the values of `api_token`, `password`, `integration_token` and the digests of passwords masked.
///
/// ```
/// use sugester::refusal::redact;
///
/// assert_eq!(redact("/clients.json?api_token=x%2Fy&page=2"), "/clients.json?api_token=****&page=2");
/// assert_eq!(redact(r#"{"api_token":"x/y","page":2}"#), r#"{"api_token":"****","page":2}"#);
/// assert_eq!(redact("back=%3Fapi_token%3Dx%252Fy%26page%3D2"), "back=%3Fapi_token%3D****%26page%3D2");
/// ```
#[must_use]
pub fn redact(text: &str) -> String {
    let marks = read(text);
    let mut shown = String::with_capacity(text.len());
    let mut place = 0;
    while let Some(mark) = marks.get(place) {
        let Some(value) = value_after(&marks, place) else {
            shown.push_str(mark.source(text));
            place += 1;
            continue;
        };
        marks
            .get(place..value.start)
            .into_iter()
            .flatten()
            .for_each(|mark| shown.push_str(mark.source(text)));
        shown.push_str(MASK);
        place = value.end;
    }
    shown
}

/// The first 4 KiB of a body, masked first, so that nothing is cut in the middle of a secret.
///
/// ```
/// let body = format!("{}password=x", "a".repeat(5000));
/// assert_eq!(sugester::refusal::redacted_excerpt(&body).len(), 4096);
/// ```
#[must_use]
pub fn redacted_excerpt(body: &str) -> String {
    let mut shown = redact(body);
    let end =
        (0..=EXCERPT.min(shown.len())).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or_default();
    shown.truncate(end);
    shown
}

/// One character as it is meant, with where it stands and how often it was escaped.
#[derive(Clone, Copy)]
struct Mark {
    meant: char,
    depth: usize,
    start: usize,
    end: usize,
}

impl Mark {
    fn source<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

fn read(text: &str) -> Vec<Mark> {
    let mut marks = Vec::with_capacity(text.len());
    let mut start = 0;
    while let Some((meant, length, depth)) =
        text.get(start..).and_then(|rest| escaped(rest).or_else(|| plain(rest)))
    {
        marks.push(Mark { meant, depth, start, end: start + length });
        start += length;
    }
    marks
}

fn plain(rest: &str) -> Option<(char, usize, usize)> {
    rest.chars().next().map(|c| (c, c.len_utf8(), 0))
}

/// A character behind an escape: `%XX` (again and again), `\u00XX`, or a name of HTML.
fn escaped(rest: &str) -> Option<(char, usize, usize)> {
    const NAMED: [(&str, char); 7] = [
        ("&quot;", '"'),
        ("&#34;", '"'),
        ("&#39;", '\''),
        ("&amp;", '&'),
        ("&gt;", '>'),
        ("&lt;", '<'),
        ("&#x2F;", '/'),
    ];
    let named = NAMED.iter().find(|(name, _)| rest.starts_with(name)).map(|(name, c)| (*c, name.len(), 1));
    let unicode = || Some((hex(rest.strip_prefix("\\u00")?)?, 6, 1));
    named.or_else(unicode).or_else(|| percent(rest))
}

/// `%41` is `A`, and so is `%2541`, one deeper.
fn percent(rest: &str) -> Option<(char, usize, usize)> {
    let mut digits = rest.strip_prefix('%')?;
    let mut depth = 1;
    while let Some(inner) = digits.strip_prefix("25").filter(|inner| depth < DEEPEST && hex(inner).is_some())
    {
        digits = inner;
        depth += 1;
    }
    Some((hex(digits)?, 1 + 2 * depth, depth))
}

/// The ASCII character of two hexadecimal digits.
fn hex(digits: &str) -> Option<char> {
    let digits = digits.get(..2).filter(|two| two.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u8::from_str_radix(digits, 16).ok().filter(u8::is_ascii).map(char::from)
}

/// Where the value stands whose name begins at `place`.
fn value_after(marks: &[Mark], place: usize) -> Option<Range<usize>> {
    let behind_name = place + name_length(marks.get(place..)?)?;
    let is_filler = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\' | ']');
    let separator = skip(marks, behind_name, is_filler);
    let depth = marks.get(separator).filter(|mark| matches!(mark.meant, ':' | '='))?.depth;
    let opening = skip(marks, separator + 1, |c| c.is_whitespace() || c == '>');
    let quote = skip(marks, opening, |c| c == '\\');
    let is_quoted = marks.get(quote).is_some_and(|mark| matches!(mark.meant, '"' | '\''));
    let is_nested = marks.get(quote).is_some_and(|mark| matches!(mark.meant, '[' | '{'));
    Some(match (is_quoted, is_nested) {
        (true, _) => quote + 1..closing_quote(marks, quote, quote - opening),
        // Where a list ends is not worth finding out.
        (_, true) => quote..marks.len(),
        _ => opening..end_of_word(marks, opening, depth),
    })
}

/// The length of the name that stands here, if one of [`NAMES`] does and is not the beginning of another.
fn name_length(marks: &[Mark]) -> Option<usize> {
    let stands = |name: &&&str| {
        let same = |(mark, c): (&Mark, char)| mark.meant.to_ascii_lowercase() == c;
        marks.len() >= name.len() && marks.iter().zip(name.chars()).all(same)
    };
    let length = NAMES.iter().filter(stands).map(|name| name.len()).max()?;
    let goes_on = marks.get(length).is_some_and(|mark| mark.meant.is_alphanumeric() || mark.meant == '_');
    (!goes_on).then_some(length)
}

fn skip(marks: &[Mark], from: usize, skipped: impl Fn(char) -> bool) -> usize {
    from + marks.get(from..).unwrap_or_default().iter().take_while(|mark| skipped(mark.meant)).count()
}

/// The quote that ends what `opening` opens: escaped no deeper than it, and behind no more backslashes.
fn closing_quote(marks: &[Mark], opening: usize, most_backslashes: usize) -> usize {
    let Some(open) = marks.get(opening) else { return marks.len() };
    let mut backslashes = 0;
    for (place, mark) in marks.iter().enumerate().skip(opening + 1) {
        if mark.meant == open.meant && mark.depth <= open.depth && backslashes <= most_backslashes {
            return place - backslashes;
        }
        backslashes = if mark.meant == '\\' { backslashes + 1 } else { 0 };
    }
    marks.len()
}

/// Blanks, quotes, `&` and the signs of HTML end a word, if they are escaped no deeper than what came before it.
fn end_of_word(marks: &[Mark], from: usize, depth: usize) -> usize {
    let ends = |mark: &Mark| {
        mark.depth <= depth
            && (mark.meant.is_whitespace() || matches!(mark.meant, '&' | '"' | '\'' | '<' | '>'))
    };
    let length = marks.get(from..).unwrap_or_default().iter().take_while(|mark| !ends(mark)).count();
    from + length
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_masked_in_every_dress() {
        for (text, shown) in [
            ("api_token=SECRET", "api_token=****"),
            (
                "https://a.b/c.json?x=1&API_TOKEN=SECRET%2Facme&y=2 ok",
                "https://a.b/c.json?x=1&API_TOKEN=****&y=2 ok",
            ),
            (r#"{"api_token": "SECRET"}"#, r#"{"api_token": "****"}"#),
            (r#"{"password":"SEC\"RET x","a":1}"#, r#"{"password":"****","a":1}"#),
            (r#""{\"api_token\":\"SECRET\",\"a\":1}""#, r#""{\"api_token\":\"****\",\"a\":1}""#),
            (r#"{"api_token"=>"SECRET", "a"=>1}"#, r#"{"api_token"=>"****", "a"=>1}"#),
            ("{:password=>'SECRET'}", "{:password=>'****'}"),
            ("client[api_token]=SECRET&a=1", "client[api_token]=****&a=1"),
            ("client%5Bapi_token%5D=SECRET&a=1", "client%5Bapi_token%5D=****&a=1"),
            ("api%5Ftoken=SECRET&a=1", "api%5Ftoken=****&a=1"),
            ("to=%3Fapi_token%3DSECRET%26a%3D1", "to=%3Fapi_token%3D****%26a%3D1"),
            ("to=%253Fapi_token%253DSECRET%2526a", "to=%253Fapi_token%253D****%2526a"),
            ("api_token=SEC%26RET&a", "api_token=****&a"),
            ("&quot;api_token&quot;:&quot;SECRET&quot;,a", "&quot;api_token&quot;:&quot;****&quot;,a"),
            ("<a href='?api_token=SECRET&amp;page=2'>", "<a href='?api_token=****'>"),
            ("integration_token: SECRET\nnext", "integration_token: ****\nnext"),
            (
                r#"{"password_hash":"SECRET","password_salt":"SECRET"}"#,
                r#"{"password_hash":"****","password_salt":"****"}"#,
            ),
            (r#"{"api_token":["SECRET"]}"#, r#"{"api_token":****"#),
            (r#"{"api_token":"SECRET"#, r#"{"api_token":"****"#),
            ("password%22%3A%22SECRET", "password%22%3A%22****"),
            (r#"{\u0022api_token\u0022:\u0022SECRET\u0022}"#, r#"{\u0022api_token\u0022:\u0022****\u0022}"#),
        ] {
            assert_eq!(redact(text), shown);
        }
    }

    #[test]
    fn other_texts_stay() {
        for text in [
            "",
            "your password is wrong",
            "api_tokens=5",
            "100% of %2 and %zz &quot; %25",
            "the api_token",
            "token=visible",
            "ñ%C3%B1 \u{1f600}",
        ] {
            assert_eq!(redact(text), text);
        }
    }

    #[test]
    fn a_body_is_masked_before_it_is_cut() {
        let body = format!("{}api_token=SECRET", "ñ".repeat(2040));
        assert!(!redacted_excerpt(&body).contains("SEC"));
        assert_eq!(redacted_excerpt(&"ñ".repeat(4000)).len(), 4096);
        assert_eq!(redacted_excerpt(&format!("a{}", "ñ".repeat(4000))).len(), 4095);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in any::<String>()) {
            let once = redact(&text);
            prop_assert_eq!(redact(&once), once);
        }

        #[test]
        fn a_planted_secret_is_never_shown(
            before in "[a-z?&={}\"' %:]{0,12}",
            name in "(api_token|password|integration_token|API_TOKEN)",
            encoded in 0_u8..4,
            behind in "[a-z&\"' ]{0,12}",
            dress in 0_usize..4,
        ) {
            let text = ["=@", "\":\"@\"", "\\\":\\\"@\\\"", "'=>'@'"][dress].replace('@', "PLANTED/KEY");
            let mut whole = format!("{name}{text}");
            for _ in 0..encoded {
                whole = url::form_urlencoded::byte_serialize(whole.as_bytes()).collect();
            }
            let shown = redact(&format!("{before}{whole}{behind}"));
            prop_assert!(!shown.contains("PLANTED"), "{}", shown);
        }
    }
}
