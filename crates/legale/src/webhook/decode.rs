//! Base64 as it arrives: the standard alphabet in pieces of any size; blanks, missing padding and a `data:…;base64,` prefix are
//! accepted, everything else is an error (contract 4.12).

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// The longest prefix before the comma that is still taken for one.
const PREFIX_LIMIT: usize = 256;

/// What the text is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotBase64;

#[derive(Debug, PartialEq, Eq)]
enum Start {
    /// Fewer than five characters came.
    Unknown,
    /// Within `data:…,`; how long it is so far.
    Prefix(usize),
    Past,
}

/// Decodes piece by piece; holds no more than a piece.
#[derive(Debug)]
pub(super) struct Decoder {
    start: Start,
    /// Characters that do not make a group of four yet.
    pending: Vec<u8>,
    padding: usize,
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { start: Start::Unknown, pending: Vec::new(), padding: 0 }
    }

    /// The bytes of the groups that `text` completes.
    pub(super) fn feed(&mut self, text: &[u8]) -> Result<Vec<u8>, NotBase64> {
        let mut text = text;
        if self.start != Start::Past {
            text = self.begin(text)?;
        }
        self.collect(text)?;
        if self.start == Start::Unknown { Ok(Vec::new()) } else { self.groups() }
    }

    /// The bytes of the last, incomplete group.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, NotBase64> {
        if matches!(self.start, Start::Prefix(_)) {
            return Err(NotBase64);
        }
        let mut bytes = self.groups()?;
        let rest = self.pending.len();
        if self.padding > 0 && (rest + self.padding) != 4 {
            return Err(NotBase64);
        }
        bytes.extend(STANDARD_NO_PAD.decode(&self.pending).map_err(|_| NotBase64)?);
        Ok(bytes)
    }

    /// Decides whether there is a prefix, and skips it; what comes after it is returned.
    fn begin<'t>(&mut self, text: &'t [u8]) -> Result<&'t [u8], NotBase64> {
        let mut rest = text;
        while let Some((first, after)) = rest.split_first() {
            match &mut self.start {
                Start::Past => return Ok(rest),
                Start::Prefix(_) if *first == b',' => self.start = Start::Past,
                Start::Prefix(length) if *length >= PREFIX_LIMIT => return Err(NotBase64),
                Start::Prefix(length) => *length = length.saturating_add(1),
                Start::Unknown if first.is_ascii_whitespace() => {}
                Start::Unknown if self.pending == b"data" && *first == b':' => {
                    self.pending.clear();
                    self.start = Start::Prefix(5);
                }
                Start::Unknown if self.pending.len() >= 4 || !first.is_ascii_alphabetic() => {
                    self.start = Start::Past;
                    return Ok(rest);
                }
                Start::Unknown => self.pending.push(*first),
            }
            rest = after;
        }
        Ok(rest)
    }

    fn collect(&mut self, text: &[u8]) -> Result<(), NotBase64> {
        self.pending.reserve(text.len());
        for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
            match (byte, self.padding) {
                (b'=', 0 | 1) => self.padding = self.padding.saturating_add(1),
                (b'=', _) | (_, 1..) => return Err(NotBase64),
                (_, 0) => self.pending.push(*byte),
            }
        }
        Ok(())
    }

    fn groups(&mut self) -> Result<Vec<u8>, NotBase64> {
        let whole = self.pending.len() / 4 * 4;
        let rest = self.pending.split_off(whole);
        let groups = std::mem::replace(&mut self.pending, rest);
        STANDARD_NO_PAD.decode(groups).map_err(|_| NotBase64)
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Result<Vec<u8>, NotBase64> {
        let mut decoder = Decoder::new();
        let mut bytes = Vec::new();
        for piece in pieces {
            bytes.extend(decoder.feed(piece)?);
        }
        bytes.extend(decoder.finish()?);
        Ok(bytes)
    }

    /// RFC 4648, section 10, and the tolerated forms of the contract.
    #[test]
    fn the_vectors_of_the_standard_and_the_tolerated_forms() {
        let table: [(&str, &[u8]); 12] = [
            ("", b""),
            ("Zg==", b"f"),
            ("Zm8=", b"fo"),
            ("Zm9v", b"foo"),
            ("Zm9vYg==", b"foob"),
            ("Zm9vYmE=", b"fooba"),
            ("Zm9vYmFy", b"foobar"),
            ("Zm9vYmE", b"fooba"),
            (" Zm9v\r\nYm Fy\t", b"foobar"),
            ("data:application/pdf;base64,Zm9v", b"foo"),
            ("data", b"\x75\xab\x5a"),
            ("dataZm9v", b"\x75\xab\x5afoo"),
        ];
        for (text, expected) in table {
            assert_eq!(decoded(&[text.as_bytes()]).as_deref(), Ok(expected), "{text}");
            let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            assert_eq!(decoded(&bytes).as_deref(), Ok(expected), "{text} byte by byte");
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        for text in ["Z", "Zg=", "Zg===", "Zm9v=", "Zg==Zg==", "Zm9-", "Zm_v", "data:x", "=", "Zm\u{e9}v"] {
            assert_eq!(decoded(&[text.as_bytes()]), Err(NotBase64), "{text}");
        }
        let endless = format!("data:{}", "x".repeat(100_000));
        assert_eq!(decoded(&[endless.as_bytes()]), Err(NotBase64));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_read_back(bytes in any::<Vec<u8>>(), size in 1usize..50) {
            let text = STANDARD.encode(&bytes);
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            prop_assert_eq!(decoded(&pieces), Ok(bytes));
        }

        #[test]
        fn any_text_is_judged_the_same_in_any_pieces(text in any::<Vec<u8>>(), size in 1usize..20) {
            let pieces: Vec<&[u8]> = text.chunks(size).collect();
            prop_assert_eq!(decoded(&pieces), decoded(&[&text]));
        }
    }
}
