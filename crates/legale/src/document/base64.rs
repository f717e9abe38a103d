//! Base64 as it arrives (contract 4.12): standard alphabet; blanks are ignored, missing padding and a `data:...;base64,` prefix are
//! accepted, everything else is an error.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// The longest prefix that is looked for.
const PREFIX_LIMIT: usize = 256;

/// The text is no base64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the file is not in base64")]
pub(crate) struct NotBase64;

/// Decodes piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    /// Characters that do not make a whole group yet.
    pending: Vec<u8>,
    begun: bool,
    padding: u8,
}

impl Decoder {
    /// Decodes what `text` completes and adds it to `out`.
    pub(crate) fn read(&mut self, text: &[u8], out: &mut Vec<u8>) -> Result<(), NotBase64> {
        if self.begun {
            self.absorb(text)?;
        } else {
            self.pending.extend(text.iter().filter(|byte| !byte.is_ascii_whitespace()));
            if !self.begin()? {
                return Ok(());
            }
        }
        let whole = self.pending.len() - self.pending.len() % 4;
        let rest = self.pending.split_off(whole);
        ENGINE.decode_vec(&self.pending, out).map_err(|_| NotBase64)?;
        self.pending = rest;
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

    /// Drops the prefix; `false` while it may still be coming.
    fn begin(&mut self) -> Result<bool, NotBase64> {
        if b"data:".starts_with(&self.pending) {
            return Ok(false);
        }
        let mut text = std::mem::take(&mut self.pending);
        if text.starts_with(b"data:") {
            let Some(comma) = text.iter().position(|byte| *byte == b',') else {
                let endless = text.len() > PREFIX_LIMIT;
                self.pending = text;
                return if endless { Err(NotBase64) } else { Ok(false) };
            };
            let rest = text.split_off(comma);
            if !text.ends_with(b";base64") {
                return Err(NotBase64);
            }
            text = rest.into_iter().skip(1).collect();
        }
        self.begun = true;
        self.absorb(&text)?;
        Ok(true)
    }

    /// Decodes what is left.
    pub(crate) fn finish(self, out: &mut Vec<u8>) -> Result<(), NotBase64> {
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
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, NotBase64> {
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

    proptest! {
        #[test]
        fn pieces_decode_as_the_whole(bytes in proptest::collection::vec(any::<u8>(), 0..300), step in 1usize..40) {
            let text = format!("data:a/b;base64,{}", general_purpose::STANDARD.encode(&bytes));
            let (mut decoder, mut out) = (Decoder::default(), Vec::new());
            for piece in text.as_bytes().chunks(step) {
                decoder.read(piece, &mut out).unwrap();
            }
            decoder.finish(&mut out).unwrap();
            prop_assert_eq!(out, bytes);
        }

        #[test]
        fn no_text_panics(text in ".{0,100}") {
            let _ = decode(&text);
        }
    }
}
