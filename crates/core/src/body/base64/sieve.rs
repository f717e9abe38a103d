//! Takes strings out of a JSON answer while it arrives, so that an answer with a file of any size needs no memory for it.
//!
//! Strings under the names that are asked for are left out of what is kept and stand there as `true`; the one that is wanted is
//! handed on, its JSON escapes undone. Everything else is kept, up to a limit. The sieve only finds the strings: whether the rest
//! is JSON is for its reader to say.

use memchr::memchr2;

/// What is kept is larger than the limit, or nested deeper than any answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the answer is larger than the client's limit, even without its files")]
pub(super) struct Overflow;

/// Which strings are taken out.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Handed on where it stands at the top or below one of the parents; left out elsewhere.
    pub(super) wanted: &'static str,
    pub(super) parents: Vec<&'static str>,
    pub(super) left_out: Vec<&'static str>,
}

impl Names {
    fn is_taken_out(&self, name: &[u8]) -> bool {
        self.is_wanted(name) || self.left_out.iter().any(|left_out| left_out.as_bytes() == name)
    }

    fn is_wanted(&self, name: &[u8]) -> bool {
        self.wanted.as_bytes() == name
    }

    fn is_parent(&self, name: &[u8]) -> bool {
        self.parents.iter().any(|parent| parent.as_bytes() == name)
    }
}

const MAX_DEPTH: usize = 64;

#[derive(Debug)]
enum Frame {
    Object { key: Vec<u8>, expects_key: bool },
    Array,
}

/// What a string that is being read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Key,
    Kept,
    LeftOut,
    HandedOn,
}

#[derive(Debug)]
enum Place {
    Between,
    In(Text),
    Escape(Text),
    /// How many of the four digits were read, and their value.
    Unicode(Text, u8, u32),
}

#[derive(Debug)]
pub(super) struct Sieve {
    names: Names,
    frames: Vec<Frame>,
    place: Place,
    kept: Vec<u8>,
    limit: usize,
    key: Vec<u8>,
    /// Characters of the string that is being left out or handed on.
    length: u64,
    pub(super) handed_on: u64,
}

impl Sieve {
    pub(super) fn new(names: Names, limit: usize) -> Self {
        let (frames, kept, key) = (Vec::new(), Vec::new(), Vec::new());
        Self { names, frames, place: Place::Between, kept, limit, key, length: 0, handed_on: 0 }
    }

    /// What was kept.
    pub(super) fn into_kept(self) -> Vec<u8> {
        self.kept
    }

    /// Reads on; the characters of the wanted string go to `out`.
    pub(super) fn read(&mut self, mut bytes: &[u8], out: &mut impl FnMut(&[u8])) -> Result<(), Overflow> {
        while let Some((first, rest)) = bytes.split_first() {
            if let Place::In(text @ (Text::LeftOut | Text::HandedOn)) = self.place {
                // The long part: nothing but characters up to a quote or a backslash.
                let run = memchr2(b'"', b'\\', bytes).unwrap_or(bytes.len());
                if run > 0 {
                    let (plain, rest) = bytes.split_at(run);
                    self.pass(text, plain, out);
                    bytes = rest;
                    continue;
                }
            }
            self.step(*first, out)?;
            bytes = rest;
        }
        Ok(())
    }

    fn pass(&mut self, text: Text, plain: &[u8], out: &mut impl FnMut(&[u8])) {
        self.length = self.length.saturating_add(plain.len() as u64);
        if text == Text::HandedOn {
            self.handed_on = self.handed_on.saturating_add(plain.len() as u64);
            out(plain);
        }
    }

    fn step(&mut self, byte: u8, out: &mut impl FnMut(&[u8])) -> Result<(), Overflow> {
        match self.place {
            Place::Between => self.between(byte),
            Place::In(text) => self.within(text, byte, out),
            Place::Escape(text) => self.escaped(text, byte, out),
            Place::Unicode(text, count, value) => self.unicode(text, (count, value), byte, out),
        }
    }

    fn keep(&mut self, byte: u8) -> Result<(), Overflow> {
        if self.kept.len() >= self.limit {
            return Err(Overflow);
        }
        self.kept.push(byte);
        Ok(())
    }

    fn between(&mut self, byte: u8) -> Result<(), Overflow> {
        match byte {
            b'{' => self.frames.push(Frame::Object { key: Vec::new(), expects_key: true }),
            b'[' => self.frames.push(Frame::Array),
            b'}' | b']' => _ = self.frames.pop(),
            b',' => self.expect_key(true),
            b':' => self.expect_key(false),
            b'"' => return self.begin(),
            _ => {}
        }
        if self.frames.len() > MAX_DEPTH {
            return Err(Overflow);
        }
        self.keep(byte)
    }

    fn expect_key(&mut self, expects: bool) {
        if let Some(Frame::Object { expects_key, .. }) = self.frames.last_mut() {
            *expects_key = expects;
        }
    }

    fn begin(&mut self) -> Result<(), Overflow> {
        let text = self.kind();
        self.place = Place::In(text);
        self.length = 0;
        match text {
            Text::Key => {
                self.key.clear();
                self.keep(b'"')
            }
            Text::Kept => self.keep(b'"'),
            Text::LeftOut | Text::HandedOn => Ok(()),
        }
    }

    fn kind(&self) -> Text {
        match self.frames.last() {
            Some(Frame::Object { expects_key: true, .. }) => Text::Key,
            Some(Frame::Object { key, .. }) if self.names.is_wanted(key) && self.is_in_place() => {
                Text::HandedOn
            }
            Some(Frame::Object { key, .. }) if self.names.is_taken_out(key) => Text::LeftOut,
            _ => Text::Kept,
        }
    }

    /// Whether this object is where the wanted string belongs: the answer itself, or what stands below a parent's name.
    fn is_in_place(&self) -> bool {
        match self.frames.as_slice() {
            [_] => true,
            [Frame::Object { key, .. }, _] => self.names.is_parent(key),
            _ => false,
        }
    }

    fn within(&mut self, text: Text, byte: u8, out: &mut impl FnMut(&[u8])) -> Result<(), Overflow> {
        match byte {
            b'"' => return self.end(text),
            b'\\' => self.place = Place::Escape(text),
            _ => {}
        }
        match text {
            Text::Key => {
                self.key.push(byte);
                self.keep(byte)
            }
            Text::Kept => self.keep(byte),
            Text::LeftOut | Text::HandedOn => {
                if byte != b'\\' {
                    self.pass(text, &[byte], out);
                }
                Ok(())
            }
        }
    }

    fn end(&mut self, text: Text) -> Result<(), Overflow> {
        self.place = Place::Between;
        match text {
            Text::Key => {
                let name = std::mem::take(&mut self.key);
                if let Some(Frame::Object { key, .. }) = self.frames.last_mut() {
                    *key = name;
                }
                self.keep(b'"')
            }
            Text::Kept => self.keep(b'"'),
            Text::LeftOut | Text::HandedOn => {
                let left: &[u8] = if self.length == 0 { b"\"\"" } else { b"true" };
                left.iter().try_for_each(|byte| self.keep(*byte))
            }
        }
    }

    fn escaped(&mut self, text: Text, byte: u8, out: &mut impl FnMut(&[u8])) -> Result<(), Overflow> {
        self.place = if byte == b'u' { Place::Unicode(text, 0, 0) } else { Place::In(text) };
        if matches!(text, Text::Key | Text::Kept) {
            return self.keep(byte);
        }
        let plain = match byte {
            b'n' | b'r' | b't' | b'b' | b'f' => b' ',
            b'/' => b'/',
            // No base64, whether JSON has such an escape or not: the rest does not show that it was there.
            _ => b'?',
        };
        if byte != b'u' {
            self.pass(text, &[plain], out);
        }
        Ok(())
    }

    fn unicode(
        &mut self,
        text: Text,
        (count, value): (u8, u32),
        byte: u8,
        out: &mut impl FnMut(&[u8]),
    ) -> Result<(), Overflow> {
        // A digit that is none leads to a sign that is no base64, and to an error of its reader.
        let digit = char::from(byte).to_digit(16).unwrap_or(u32::MAX);
        let value = value.saturating_mul(16).saturating_add(digit);
        let count = count.saturating_add(1);
        self.place = if count == 4 { Place::In(text) } else { Place::Unicode(text, count, value) };
        if matches!(text, Text::Key | Text::Kept) {
            return self.keep(byte);
        }
        if count == 4 {
            self.pass(text, &[u8::try_from(value).unwrap_or(b'?')], out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn names() -> Names {
        Names { wanted: "base64", parents: vec!["data"], left_out: vec!["file"] }
    }

    fn sieved(json: &str, step: usize) -> (Value, String) {
        let (mut sieve, mut out) = (Sieve::new(names(), 1 << 16), Vec::new());
        for piece in json.as_bytes().chunks(step) {
            sieve.read(piece, &mut |text| out.extend_from_slice(text)).unwrap();
        }
        assert_eq!(sieve.handed_on, out.len() as u64);
        (serde_json::from_slice(&sieve.into_kept()).unwrap(), String::from_utf8(out).unwrap())
    }

    #[test]
    fn files_are_taken_out_and_the_documents_own_is_handed_on() {
        let whole = r#"{"data":{"GUID":"a\"b","base64":"JVBE\/i0\n\u002bA==","attached_file":[{"file":"QUJD","base64":""}],
            "note":"base64"},"code":null,"message":"file"}"#;
        let expected = json!({"data": {"GUID": "a\"b", "base64": true, "attached_file": [{"file": true, "base64": ""}],
            "note": "base64"}, "code": null, "message": "file"});
        for step in [1, 2, 3, 7, 1000] {
            assert_eq!(sieved(whole, step), (expected.clone(), "JVBE/i0 +A==".to_owned()), "{step}");
        }
        assert_eq!(sieved(r#"{"base64":"AB"}"#, 3).1, "AB");
        assert_eq!(sieved(r#"[{"x":{"base64":"AB"}}]"#, 3).1, "");
    }

    #[test]
    fn what_is_kept_is_bounded_and_so_is_depth() {
        let mut sieve = Sieve::new(names(), 10);
        assert_eq!(sieve.read(br#"{"a":"0123456789"}"#, &mut |_: &[u8]| ()), Err(Overflow));
        let mut sieve = Sieve::new(names(), 1000);
        assert_eq!(sieve.read(&[b'['; 100], &mut |_: &[u8]| ()), Err(Overflow));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Sieve::new(names(), 100).read(&bytes, &mut |_: &[u8]| ());
        }

        #[test]
        fn other_json_passes_unchanged(text in ".{0,60}", number in any::<i32>()) {
            let value = json!({"a": [text, {"b": number}], "c": null});
            prop_assert_eq!(sieved(&value.to_string(), 5).0, value);
        }
    }
}
