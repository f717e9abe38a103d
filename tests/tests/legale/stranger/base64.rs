//! Standard base64 with padding, written by hand: what the tests expect must not come from what they test (RFC 4648, section 4).

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group =
            chunk.iter().enumerate().fold(0u32, |sum, (at, byte)| sum | u32::from(*byte) << (16 - 8 * at));
        for digit in 0..4 {
            let digit_is_there = digit <= chunk.len();
            let sign = char::from(DIGITS[(group >> (18 - 6 * digit)) as usize & 63]);
            text.push(if digit_is_there { sign } else { '=' });
        }
    }
    text
}

/// Only the one form that may be sent: padded, no line breaks, no prefix (contract 3.3).
pub fn decode(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let bare = text.trim_end_matches('=');
    let mut bytes = Vec::new();
    for chunk in bare.as_bytes().chunks(4) {
        let mut group = 0u32;
        for (at, sign) in chunk.iter().enumerate() {
            let value = DIGITS.iter().position(|digit| digit == sign)?;
            group |= u32::try_from(value).ok()? << (18 - 6 * at);
        }
        bytes.extend(group.to_be_bytes().iter().skip(1).take(chunk.len() - 1));
    }
    (encode(&bytes) == text).then_some(bytes)
}

#[test]
fn base64_follows_the_vectors_of_the_rfc() {
    for (plain, coded) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(encode(plain.as_bytes()), coded);
        assert_eq!(decode(coded).unwrap(), plain.as_bytes());
    }
    for bad in ["Zg", "Zg=", "Z===", "Zm9v\n", "Zh==", "Zm-v"] {
        assert_eq!(decode(bad), None, "{bad}");
    }
}
