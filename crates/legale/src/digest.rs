//! SHA-256 in hexadecimal.

use ring::digest::{self, SHA256};

/// SHA-256 of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    array(&digest::digest(&SHA256, bytes))
}

/// A digest as an array; SHA-256 always has 32 bytes.
pub(crate) fn array(digest: &digest::Digest) -> [u8; 32] {
    digest.as_ref().try_into().unwrap_or([0; 32])
}

/// Lower case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

/// The 32 bytes behind 64 hexadecimal digits of either case.
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, d| (sum << 4) | d)).collect();
    if digits.len() == 64 { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180-4, the example "abc".
    #[test]
    fn digests_are_written_and_read_in_hexadecimal() {
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hex(&sha256(b"abc")), text);
        assert_eq!(unhex(&text.to_uppercase()), Some(sha256(b"abc")));
        for bad in ["", "ba", text.trim_start_matches('b'), &format!("{text}0"), &text.replace('b', "g")] {
            assert_eq!(unhex(bad), None);
        }
    }
}
