//! Administrator pairs: equal pairs make one union, empty ones never do, and nobody can read them back (contract N6).
//!
//! Code and key go into the tag each with its length before it, so that `AB` + `C` is not `A` + `BC`.

use std::fmt;

use integration_core::Secret;
use ring::hmac;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::web::{BadHex, Sha256};

/// The tenant's key under which pairs become tags; never printed, never sent.
#[derive(Debug, Clone)]
pub struct UnionKey(Secret);

/// An administrator pair whose code or key is empty: it would unite everybody who has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("empty-pair: code and key of an administrator pair must both be given")]
pub struct EmptyPair;

impl UnionKey {
    /// A key of 32 bytes, given as 64 hex digits.
    ///
    /// # Errors
    /// [`BadHex`] if it is anything else.
    pub fn from_hex(hex: Secret) -> Result<Self, BadHex> {
        crate::web::hex_bytes(hex.reveal()).map(|_| Self(hex))
    }

    /// What a pair comes to under this key.
    ///
    /// ```
    /// use apiges_sync::{Secret, grant::UnionKey};
    ///
    /// let key = UnionKey::from_hex(Secret::new("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))?;
    /// let tag = key.tag("AB", &Secret::new("C"))?;
    /// assert!(!tag.matches(&key.tag("A", &Secret::new("BC"))?));
    /// assert!(key.tag("AB", &Secret::new("")).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`EmptyPair`] if code or key is empty or blank.
    pub fn tag(&self, code: &str, key: &Secret) -> Result<PairTag, EmptyPair> {
        if code.trim().is_empty() || key.reveal().trim().is_empty() {
            return Err(EmptyPair);
        }
        let mut context = hmac::Context::with_key(&self.hmac_key());
        for part in [code.as_bytes(), key.reveal().as_bytes()] {
            context.update(&length(part));
            context.update(part);
        }
        // An HMAC of SHA-256 has 32 bytes always; a default here would unite everybody.
        context.sign().as_ref().try_into().map(PairTag).map_err(|_| EmptyPair)
    }

    fn hmac_key(&self) -> hmac::Key {
        // Checked when the key was made.
        let bytes = crate::web::hex_bytes(self.0.reveal()).unwrap_or_default();
        hmac::Key::new(hmac::HMAC_SHA256, &bytes)
    }
}

fn length(part: &[u8]) -> [u8; 4] {
    u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes()
}

/// What an administrator pair comes to: equal pairs, equal tags. `Debug` does not show it, since it opens a union's view (W33).
#[derive(Clone)]
pub struct PairTag([u8; 32]);

impl PairTag {
    /// Whether two tags are of one pair, in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        let difference = self.0.iter().zip(&other.0).fold(0u8, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(difference) == 0
    }

    /// As it travels: 64 lower-case hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        Sha256::from_bytes(self.0).to_string()
    }

    /// A tag as it travels.
    ///
    /// # Errors
    /// [`BadHex`] if it is not 64 hex digits.
    pub fn from_hex(hex: &str) -> Result<Self, BadHex> {
        crate::web::hex_bytes(hex).map(Self)
    }
}

impl PartialEq for PairTag {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other)
    }
}

impl Eq for PairTag {}

impl fmt::Debug for PairTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairTag([redacted])")
    }
}

impl Serialize for PairTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_hex())
    }
}

impl<'de> Deserialize<'de> for PairTag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_hex(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> UnionKey {
        let hex: String = (0u8..32).map(|byte| format!("{byte:02x}")).collect();
        UnionKey::from_hex(Secret::new(hex)).unwrap()
    }

    fn tag(code: &str, pair_key: &str) -> PairTag {
        key().tag(code, &Secret::new(pair_key)).unwrap()
    }

    #[test]
    fn the_contracts_vectors() {
        assert_eq!(
            tag("AB", "C").to_hex(),
            "d1d222df28b35898a4e0a641e40aa83e24301221ffeab969c95df4f48fa88ec2"
        );
        assert_eq!(
            tag("A", "BC").to_hex(),
            "cef9b0f153600de31bd934afa6d75d526c72adf4df3725b08a0d5861af7c11f0"
        );
    }

    #[test]
    fn half_a_pair_is_none() {
        for (code, pair_key) in [("", ""), ("", "C"), ("AB", ""), (" ", "C"), ("AB", "\t")] {
            assert_eq!(key().tag(code, &Secret::new(pair_key)), Err(EmptyPair));
        }
    }

    #[test]
    fn one_bit_anywhere_is_another_pair() {
        let one = tag("AB", "C");
        assert!(one.matches(&one.clone()));
        for bit in 0..256 {
            let mut bytes = one.0;
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!one.matches(&PairTag(bytes)), "bit {bit}");
        }
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let shown = format!("{:?} {:?}", key(), tag("AB", "C"));
        assert!(!shown.contains("0001") && !shown.contains("d1d2"), "{shown}");
        for bad in ["", "00", &"0".repeat(63), &"g".repeat(64)] {
            assert!(UnionKey::from_hex(Secret::new(bad)).is_err());
        }
    }
}
