//! What a server's words may keep in an error (contract R1 beside R5): its text is shown, and nothing of it that was in the request.
//!
//! A server that repeats a request repeats it whole, in parts, cut off, in capitals or encoded for an address. So texts are compared
//! without regard to case and to signs between words, and what is found in the request is masked: words of four characters and more, runs
//! of six, and short values that hold a digit or a sign, such as `K-7`. What a server knows of somebody else's accord is its own affair.

use std::collections::HashSet;

use integration_core::call::Call;
use percent_encoding::percent_decode_str;
use serde_json::Value;

const MASK: &str = "[redacted]";
/// The most of a server's text that an error keeps, in characters.
const LONGEST: usize = 400;
/// In a larger request nothing is looked for: nothing of the text is kept then.
const LARGEST: usize = 256 * 1024;
/// A word of so many characters that is in the request was repeated.
const WORD: usize = 4;
/// So was a run of so many, words or not.
const RUN: usize = 6;

/// What one call sent, folded, each part on a line of its own.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Whether it is too much to be searched.
    too_large: bool,
    lines: String,
    /// Short parts that count only where they stand alone.
    short: HashSet<String>,
}

impl Sent {
    pub(crate) fn by(call: &Call) -> Self {
        let body = call.body_bytes().map(AsRef::as_ref).unwrap_or_default();
        if body.len() > LARGEST {
            return Self { too_large: true, ..Self::default() };
        }
        let mut parts: Vec<String> = call.sent().map(str::to_owned).collect();
        match serde_json::from_slice::<Value>(body) {
            Ok(value) => add(&value, &mut parts),
            Err(_) => parts.push(String::from_utf8_lossy(body).into_owned()),
        }
        Self::of(&parts)
    }

    fn of(parts: &[String]) -> Self {
        let (mut lines, mut short) = (String::from("\n"), HashSet::new());
        for part in parts {
            let folded: String = folded(part).into_iter().map(|(c, _)| c).collect();
            let folded = folded.trim();
            if !folded.is_empty() {
                lines.push_str(folded);
                lines.push('\n');
            }
            let telling = folded.chars().any(|c| c.is_numeric() || c == ' ');
            if telling && (2..RUN).contains(&folded.chars().count()) {
                short.insert(folded.to_owned());
            }
        }
        Self { too_large: false, lines, short }
    }

    /// A server's text without what was sent, on one line and not longer than an error keeps.
    pub(crate) fn scrub(&self, text: &str) -> String {
        if self.too_large {
            return MASK.to_owned();
        }
        let text = percent_decode_str(text).decode_utf8_lossy();
        let cut: Vec<char> =
            text.chars().take(LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
        let mut masked = vec![false; cut.len()];
        let folded = folded_chars(&cut);
        for (start, end) in self.found(&folded) {
            if let (Some((_, from)), Some((_, to))) = (folded.get(start), folded.get(end.saturating_sub(1))) {
                masked.get_mut(*from..=*to).unwrap_or_default().fill(true);
            }
        }
        let whole = text.chars().nth(LONGEST).is_none();
        written(&cut, &masked) + if whole { "" } else { "…" }
    }

    /// A name of the server's own, such as a key or a code: as it came if it is plain and was not sent.
    pub(crate) fn name(&self, name: &str) -> String {
        let plain = name.len() <= 40
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        if plain && self.scrub(name) == name { name.to_owned() } else { MASK.to_owned() }
    }

    /// A media type, as far as it is one and was not sent.
    pub(crate) fn media_type(&self, text: &str) -> String {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-+./".contains(&byte);
        let is_one = text.len() <= 80 && text.bytes().all(plain) && self.scrub(text) == text;
        if is_one { text.to_owned() } else { MASK.to_owned() }
    }

    /// Ranges of the folded text that are in the request.
    fn found(&self, folded: &[(char, usize)]) -> Vec<(usize, usize)> {
        let text = |(start, end): (usize, usize)| -> String {
            folded.get(start..end).unwrap_or_default().iter().map(|(c, _)| *c).collect()
        };
        let words = words(folded);
        let long =
            |&(start, end): &(usize, usize)| end - start >= WORD && self.lines.contains(&text((start, end)));
        let runs = (0..folded.len().saturating_sub(RUN - 1)).map(|start| (start, start + RUN));
        let run = |&range: &(usize, usize)| self.lines.contains(&text(range));
        let alone = words.iter().enumerate().flat_map(|(first, (start, _))| {
            words.iter().skip(first).take(RUN).map(move |(_, end)| (*start, *end))
        });
        let short =
            |&(start, end): &(usize, usize)| end - start < RUN && self.short.contains(&text((start, end)));
        let mut found: Vec<(usize, usize)> = words.iter().copied().filter(long).collect();
        found.extend(runs.filter(run));
        found.extend(alone.filter(short));
        found
    }
}

fn add(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => parts.push(number.to_string()),
        Value::String(text) => parts.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| add(item, parts)),
        Value::Object(fields) => fields.values().for_each(|item| add(item, parts)),
    }
}

/// Small letters and digits, with one blank for whatever stands between words, and where each was.
fn folded_chars(text: &[char]) -> Vec<(char, usize)> {
    let mut folded: Vec<(char, usize)> = Vec::with_capacity(text.len());
    for (place, c) in text.iter().enumerate() {
        let plain = if c.is_alphanumeric() { c.to_lowercase().next().unwrap_or(*c) } else { ' ' };
        if plain != ' ' || folded.last().is_some_and(|(last, _)| *last != ' ') {
            folded.push((plain, place));
        }
    }
    folded
}

fn folded(text: &str) -> Vec<(char, usize)> {
    folded_chars(&text.chars().collect::<Vec<_>>())
}

/// First and behind-last place of each word.
fn words(folded: &[(char, usize)]) -> Vec<(usize, usize)> {
    let (mut words, mut start) = (Vec::new(), None);
    for (place, (c, _)) in folded.iter().enumerate() {
        match (start, *c == ' ') {
            (None, false) => start = Some(place),
            (Some(from), true) => {
                words.push((from, place));
                start = None;
            }
            _ => {}
        }
    }
    words.extend(start.map(|from| (from, folded.len())));
    words
}

fn written(text: &[char], masked: &[bool]) -> String {
    let (mut out, mut within) = (String::new(), false);
    for (c, masked) in text.iter().zip(masked) {
        match (*masked, within) {
            (true, false) => out.push_str(MASK),
            (true, true) => {}
            (false, _) => out.push(*c),
        }
        within = *masked;
    }
    out
}

#[cfg(test)]
mod tests {
    use integration_core::call::{Idempotency, Operation};
    use proptest::prelude::*;

    use super::*;

    fn scrubbed(parts: &[&str], text: &str) -> String {
        Sent::of(&parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>()).scrub(text)
    }

    #[test]
    fn what_was_sent_is_masked_and_the_rest_is_told() {
        for (parts, text, expected) in [
            (&["3992"][..], "El expediente 3992 no existe", "El expediente [redacted] no existe"),
            (&["K-7"], "La clave K-7 ya existe", "La clave [redacted] ya existe"),
            (&["K-7"], "K_7, k7: KK-77", "[redacted], k7: KK-77"),
            (&["Zurriaga"], "ZURRIAGA? zurri: Zurriagas", "[redacted]? [redacted]: [redacted]s"),
            (&["Eva y Ada de Oz"], "es eva%20y%20Ada+de", "es [redacted]"),
            (&["00/17"], "code 00%2F17, 00 and 17", "code [redacted], 00 and 17"),
            (&["es", "C", "de"], "es de C", "es de C"),
            (&[], "Faltan datos", "Faltan datos"),
            (&["x"], "a\nb\u{0}c", "a b c"),
        ] {
            assert_eq!(scrubbed(parts, text), expected, "{text}");
        }
        assert_eq!(scrubbed(&["none"], &"a ".repeat(300)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn a_name_is_plain_and_its_own() {
        let sent = Sent::of(&["Zurriaga".to_owned()]);
        assert_eq!(sent.name("version-conflict"), "version-conflict");
        for bad in ["zurriaga", "x-Zurriaga", "two words", "ñ", &"x".repeat(41)] {
            assert_eq!(sent.name(bad), MASK, "{bad}");
        }
    }

    #[test]
    fn of_a_request_that_is_too_large_nothing_is_told() {
        let call = Call::new(Operation::post("push", "/", Idempotency::Once)).json("x".repeat(LARGEST + 1));
        assert_eq!(Sent::by(&call).scrub("anything"), MASK);
        let call = Call::new(Operation::post("push", "/", Idempotency::Once)).json("x".repeat(LARGEST));
        assert_eq!(Sent::by(&call).scrub("anything"), "anything");
    }

    proptest! {
        #[test]
        fn no_part_of_six_letters_survives(part in "[A-Za-zñé]{6,20}", before in "\\PC{0,20}", after in "\\PC{0,20}") {
            let text = scrubbed(&[&part], &format!("{before} {part} {after}"));
            prop_assert!(!text.to_lowercase().contains(&part.to_lowercase()), "{}", text);
        }

        #[test]
        fn no_input_panics(parts in prop::collection::vec("\\PC{0,12}", 0..4), text in any::<String>()) {
            let sent = Sent::of(&parts);
            let _ = (sent.scrub(&text), sent.name(&text));
        }
    }
}
