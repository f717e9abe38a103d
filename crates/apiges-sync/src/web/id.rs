//! What names and dates things on the wire: own ids, SHA-256 values and instants (contract 2.2, 3.6).

use std::fmt;
use std::str::FromStr;

use integration_core::{Error, ErrorKind};
use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! own_id {
    ($($(#[$meta:meta])* $name:ident,)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A new random one: a UUID of version 4.
            ///
            /// # Errors
            /// If the operating system gives no randomness.
            pub fn generate() -> Result<Self, Error> {
                uuid().map(Self)
            }

            /// One that exists already.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// As it travels.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+};
}

own_id! {
    /// Names a load, so that a broken one is resumed under the same name.
    LoadId,
    /// Names a batch of withdrawals.
    BatchId,
    /// Names a message.
    MessageId,
    /// Names a receipt.
    ReceiptId,
    /// Names what was shown before a pair takes effect (N7).
    PreviewId,
}

/// A random UUID of version 4.
pub(crate) fn uuid() -> Result<String, Error> {
    let mut bytes = [0u8; 16];
    SystemRandom::new().fill(&mut bytes).map_err(|_| {
        Error::new(ErrorKind::Configuration, "generate an id")
            .with_hint("the operating system gave no randomness")
    })?;
    let random = u128::from_be_bytes(bytes);
    let versioned = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{versioned:032x}");
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    Ok(parts.join("-"))
}

/// A SHA-256 value, 64 lower-case hex digits on the wire.
///
/// ```
/// use apiges_sync::web::Sha256;
///
/// let digest = Sha256::of(b"Hola");
/// assert_eq!(digest.to_string(), "e633f4fc79badea1dc5db970cf397c8248bac47cc3acf9915ba60b5d76b0e88f");
/// assert_eq!(digest.to_string().parse(), Ok(digest));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// A text that is not 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not 64 hex digits")]
pub struct BadHex;

impl Sha256 {
    /// The digest of bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_parts(&[bytes])
    }

    /// The digest of parts, one after the other.
    #[must_use]
    pub fn of_parts(parts: &[&[u8]]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        parts.iter().for_each(|part| context.update(part));
        Self::finished(&context.finish())
    }

    pub(crate) fn finished(digest: &ring::digest::Digest) -> Self {
        // SHA-256 has 32 bytes always; a shorter digest would be another algorithm.
        Self(digest.as_ref().try_into().unwrap_or_default())
    }

    /// A digest known already.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}

impl FromStr for Sha256 {
    type Err = BadHex;

    fn from_str(text: &str) -> Result<Self, BadHex> {
        hex_bytes(text).map(Self)
    }
}

/// The 32 bytes that 64 hex digits stand for.
pub(crate) fn hex_bytes(text: &str) -> Result<[u8; 32], BadHex> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let value = |pair: &[u8; 2]| Some(16 * hex_digit(pair[0])? + hex_digit(pair[1])?);
    let bytes: Option<Vec<u8>> = pairs.iter().map(value).collect();
    let bytes = bytes.filter(|_| rest.is_empty()).ok_or(BadHex)?;
    bytes.try_into().map_err(|_| BadHex)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A moment as it travels: RFC 3339, UTC, three digits of a second. Finer parts are cut off when it is made.
///
/// ```
/// use apiges_sync::web::Instant;
///
/// let at: Instant = "2026-03-02T10:15:04.1209Z".parse()?;
/// assert_eq!(at.to_string(), "2026-03-02T10:15:04.120Z");
/// # Ok::<(), apiges_sync::jiff::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(Timestamp);

impl Instant {
    /// The moment as a value to calculate with.
    #[must_use]
    pub const fn timestamp(self) -> Timestamp {
        self.0
    }
}

impl From<Timestamp> for Instant {
    fn from(at: Timestamp) -> Self {
        let whole = at.as_nanosecond().div_euclid(1_000_000) * 1_000_000;
        Self(Timestamp::from_nanosecond(whole).unwrap_or(at))
    }
}

impl FromStr for Instant {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        text.parse::<Timestamp>().map(Self::from)
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_version_4_uuids_and_differ() {
        let (one, two) = (uuid().unwrap(), uuid().unwrap());
        assert_ne!(one, two);
        for id in [one, two] {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            assert_eq!(id.as_bytes()[14], b'4');
            assert!(b"89ab".contains(&id.as_bytes()[19]), "{id}");
        }
    }

    #[test]
    fn hex_is_64_digits() {
        let digest = "e633f4fc79badea1dc5db970cf397c8248bac47cc3acf9915ba60b5d76b0e88f";
        assert_eq!(digest.parse::<Sha256>().unwrap().to_string(), digest);
        for bad in [
            "",
            "e6",
            &digest.replacen('e', "", 1),
            &format!("{digest}00"),
            &digest.replace('e', "g"),
            &digest.replace('e', "é"),
        ] {
            assert_eq!(bad.parse::<Sha256>(), Err(BadHex), "{bad}");
        }
    }

    #[test]
    fn an_instant_has_three_digits_and_utc() {
        for (read, written) in [
            ("2026-03-02T10:15:09Z", "2026-03-02T10:15:09.000Z"),
            ("2026-03-02T11:15:04.12+01:00", "2026-03-02T10:15:04.120Z"),
            ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(read.parse::<Instant>().unwrap().to_string(), written);
        }
        assert!("02/03/2026".parse::<Instant>().is_err());
    }
}
