//! Base64 as it arrives: the standard alphabet in pieces of any size.
//!
//! The rule enforced here: blanks are ignored, missing padding and a `data:...;base64,` prefix are accepted, everything else is an
//! error and never a file that is almost the right one.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::GeneralPurposeConfig;

use super::{Standard, standard};

static ENGINE: LazyLock<Standard> = LazyLock::new(|| {
    standard(GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone))
});

/// The longest prefix that is looked for.
const PREFIX_LIMIT: usize = 256;

/// The text is no base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is not in base64")]
pub struct NotBase64;

/// Decodes piece by piece; holds no more than a prefix or a group of four characters.
///
/// ```
/// use integration_core::body::base64::Decoder;
///
/// let (mut decoder, mut bytes) = (Decoder::default(), Vec::new());
/// for piece in ["data:application/pdf;base64,aGV", "sb\r\nG", "8"] {
///     decoder.read(piece.as_bytes(), &mut bytes)?;
/// }
/// decoder.finish(&mut bytes)?;
/// assert_eq!(bytes, b"hello");
/// # Ok::<(), integration_core::body::base64::NotBase64>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    /// Characters that do not make a whole group yet.
    pending: Vec<u8>,
    begun: bool,
    padding: u8,
}

impl Decoder {
    /// Decodes what `text` completes and adds it to `out`.
    ///
    /// # Errors
    /// [`NotBase64`] as soon as it shows.
    pub fn read(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
        let mut text = text;
        while !self.begun {
            let (start, rest) = text.split_at(text.len().min(PREFIX_LIMIT));
            if start.is_empty() {
                return Ok(());
            }
            self.pending.extend(start.iter().filter(|byte| !byte.is_ascii_whitespace()));
            self.begin()?;
            text = rest;
        }
        let rest = self.bulk(text, out)?;
        self.absorb(rest)?;
        self.groups(out)
    }

    /// The fast way for text without blanks and padding: all of its whole groups at once, straight into `out`. What it leaves
    /// is returned: a few characters, or all of them where something else stands among them.
    fn bulk<'t>(&mut self, text: &'t [u8], out: &mut Vec<u8>) -> Result<&'t [u8], NotBase64> {
        if self.padding > 0 {
            return Ok(text);
        }
        let missing = (4 - self.pending.len() % 4) % 4;
        let Some((head, tail)) = text.split_at_checked(missing) else { return Ok(text) };
        let (whole, rest) = tail.split_at(tail.len() - tail.len() % 4);
        self.absorb(head)?;
        if self.padding > 0 || !self.pending.len().is_multiple_of(4) {
            return Ok(tail);
        }
        self.groups(out)?;
        let begun = out.len();
        out.resize(begun.saturating_add(whole.len() / 4 * 3), 0);
        let room = out.get_mut(begun..).unwrap_or_default();
        if ENGINE.decode_slice(whole, room).is_ok() {
            return Ok(rest);
        }
        out.truncate(begun);
        Ok(tail)
    }

    /// Decodes the groups that are whole.
    fn groups(&mut self, out: &mut Vec<u8>) -> Result<(), NotBase64> {
        let whole = self.pending.len() - self.pending.len() % 4;
        let groups = self.pending.get(..whole).unwrap_or_default();
        ENGINE.decode_vec(groups, out).map_err(|_| NotBase64)?;
        self.pending.drain(..whole);
        Ok(())
    }

    fn absorb(&mut self, text: &[u8]) -> Result<(), NotBase64> {
        for byte in text.iter().filter(|byte| !byte.is_ascii_whitespace()) {
            match byte {
                b'=' => self.padding = self.padding.saturating_add(1),
                _ if self.padding > 0 => return Err(NotBase64),
                _ => self.pending.push(*byte),
            }
        }
        if self.padding > 2 { Err(NotBase64) } else { Ok(()) }
    }

    /// Drops the prefix, once it is all there.
    fn begin(&mut self) -> Result<(), NotBase64> {
        if b"data:".starts_with(&self.pending) {
            return Ok(());
        }
        let mut text = std::mem::take(&mut self.pending);
        if text.starts_with(b"data:") {
            let Some(comma) = text.iter().position(|byte| *byte == b',') else {
                let endless = text.len() > PREFIX_LIMIT;
                self.pending = text;
                return if endless { Err(NotBase64) } else { Ok(()) };
            };
            let rest = text.split_off(comma);
            if !text.ends_with(b";base64") {
                return Err(NotBase64);
            }
            text = rest.into_iter().skip(1).collect();
        }
        self.begun = true;
        self.absorb(&text)
    }

    /// Decodes what is left.
    ///
    /// # Errors
    /// [`NotBase64`] if the last group is none, or its padding does not fit.
    pub fn finish(self, out: &mut Vec<u8>) -> Result<(), NotBase64> {
        if self.pending.starts_with(b"data:") {
            return Err(NotBase64);
        }
        let padding_fits = match self.pending.len() % 4 {
            0 => self.padding == 0,
            2 => matches!(self.padding, 0 | 2),
            3 => matches!(self.padding, 0 | 1),
            _ => false,
        };
        if !padding_fits {
            return Err(NotBase64);
        }
        ENGINE.decode_vec(&self.pending, out).map_err(|_| NotBase64)
    }
}

/// Decodes a whole text.
///
/// # Errors
/// [`NotBase64`] as [`Decoder`].
pub fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
    let (mut decoder, mut out) = (Decoder::default(), Vec::new());
    decoder.read(text.as_bytes(), &mut out)?;
    decoder.finish(&mut out)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_permitted_form_is_read_and_no_other() {
        for good in [
            "aGVsbG8=",
            "aGVsbG8",
            " aG Vs\r\nbG8= ",
            "data:application/pdf;base64,aGVsbG8=",
            "data:;base64,aGVsbG8",
        ] {
            assert_eq!(decode(good).unwrap(), b"hello", "{good}");
        }
        assert_eq!(decode("").unwrap(), b"");
        assert_eq!(decode("data").unwrap(), general_purpose::STANDARD.decode("data").unwrap());
        for bad in [
            "aGVsbG8==",
            "aGVsbG8=a",
            "a-_b",
            "aGVsb",
            "aGVs====",
            "data:x,aGVs",
            "data:",
            "rejected: no",
            "=",
            "==",
        ] {
            assert!(decode(bad).is_err(), "{bad}");
        }
    }

    fn in_pieces(text: &[u8], sizes: &[usize]) -> Result<Vec<u8>, NotBase64> {
        let (mut decoder, mut out, mut rest) = (Decoder::default(), Vec::new(), text);
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            decoder.read(piece, &mut out)?;
            rest = after;
        }
        decoder.finish(&mut out)?;
        Ok(out)
    }

    /// By the letter of RFC 4648, table 1: an arithmetic that shares nothing with the decoder.
    fn by_hand(text: &[u8]) -> Option<Vec<u8>> {
        const TABLE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
        for sign in text.iter().filter(|sign| **sign != b'=') {
            bits = (bits << 6) | u32::try_from(TABLE.iter().position(|known| known == sign)?).ok()?;
            count += 6;
            if count >= 8 {
                count -= 8;
                out.push(((bits >> count) & 0xff) as u8);
            }
        }
        Some(out)
    }

    /// Lengths around those that wide instructions take at once (32 and 64 characters), at every distance from the beginning and the
    /// end, whole and cut in two anywhere.
    #[test]
    fn every_length_and_every_cut_around_the_wide_blocks_is_right() {
        for length in (0..=200).chain([383, 384, 385, 1535, 1536, 1537]) {
            let bytes: Vec<u8> = (0..length).map(|index: usize| (index * 167 + length) as u8).collect();
            let text = general_purpose::STANDARD.encode(&bytes);
            assert_eq!(by_hand(text.as_bytes()).unwrap(), bytes);
            assert_eq!(decode(&text).unwrap(), bytes, "{length}");
            assert_eq!(decode(text.trim_end_matches('=')).unwrap(), bytes, "{length}");
            for cut in 0..text.len() {
                let sizes = [cut.max(1), usize::MAX];
                assert_eq!(in_pieces(text.as_bytes(), &sizes).unwrap(), bytes, "{length} at {cut}");
            }
        }
    }

    /// A sign that is none, in every place of a text of several wide blocks: none of them is taken for another, and what is not ASCII
    /// neither.
    #[test]
    fn a_wrong_sign_is_found_wherever_it_is() {
        let text = general_purpose::STANDARD.encode((0..=254).collect::<Vec<u8>>()).into_bytes();
        assert_eq!(text.len(), 340);
        for place in 0..text.len() {
            for sign in [b'-', b'_', b'*', b',', b'.', b':', b'@', b'[', b'`', b'{', 0, 0x7f, 0x80, 0xff] {
                let mut spoiled = text.clone();
                spoiled[place] = sign;
                for sizes in [&[340][..], &[64], &[100, 7]] {
                    assert!(in_pieces(&spoiled, sizes).is_err(), "{sign} at {place} in {sizes:?}");
                }
            }
            let mut padded = text.clone();
            padded[place] = b'=';
            assert!(place == 339 || in_pieces(&padded, &[340]).is_err(), "padding at {place}");
        }
    }

    /// The bits that padding leaves over have to be zero, or two texts would be one file.
    #[test]
    fn bits_left_over_are_no_base64() {
        for (good, bad) in [("YQ==", "YR=="), ("YWI=", "YWJ=")] {
            let before = "QUJD".repeat(40);
            assert!(decode(&format!("{before}{good}")).is_ok());
            assert!(decode(&format!("{before}{bad}")).is_err());
            assert!(decode(&format!("{before}{}", bad.trim_end_matches('='))).is_err());
        }
    }

    proptest! {
        #[test]
        fn pieces_decode_as_the_whole(
            bytes in proptest::collection::vec(any::<u8>(), 0..3000),
            sizes in proptest::collection::vec(prop_oneof![1usize..8, 1usize..100, 60usize..70, 100usize..2000], 1..8),
            line in prop_oneof![Just(0usize), 1usize..130],
            prefix in prop_oneof![Just(""), Just("data:a/b;base64,"), Just(" \r\n")],
            is_padded in any::<bool>(),
        ) {
            let encoded = general_purpose::STANDARD.encode(&bytes);
            let encoded = if is_padded { &encoded } else { encoded.trim_end_matches('=') };
            prop_assert_eq!(by_hand(encoded.as_bytes()).unwrap(), bytes.clone());
            let lines: Vec<&[u8]> = encoded.as_bytes().chunks(if line == 0 { usize::MAX } else { line }).collect();
            let text = [prefix.as_bytes(), &lines.join(&b"\r\n"[..])].concat();
            prop_assert_eq!(in_pieces(&text, &sizes), Ok(bytes));
        }

        /// Whatever the wide way makes of a text, it is what the letter says or an error.
        #[test]
        fn no_text_is_read_as_another(
            text in proptest::collection::vec(prop_oneof![9 => prop::sample::select(&b"ABYZabyz0189+/"[..]), 1 => any::<u8>()], 0..400),
            size in 1usize..400,
        ) {
            if let Ok(read) = in_pieces(&text, &[size]) {
                let plain: Vec<u8> = text.into_iter().filter(|sign| !sign.is_ascii_whitespace()).collect();
                prop_assert_eq!(by_hand(&plain), Some(read));
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,100}") {
            let _ = decode(&text);
        }
    }
}
