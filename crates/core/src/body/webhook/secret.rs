//! Comparisons that tell nothing by the time they take, and secrets that cannot be empty.

use ring::digest::{SHA256, digest};

use crate::{Error, Secret};

/// Compares two digests in a time that does not depend on where they differ.
#[must_use]
pub fn same_digest(left: &[u8; 32], right: &[u8; 32]) -> bool {
    let difference = left.iter().zip(right).fold(0u8, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// Compares two texts through their SHA-256, which are of one length whatever the texts are: the time tells neither where they
/// differ nor how long the expected one is.
#[must_use]
pub fn same_text(expected: &str, given: &str) -> bool {
    same_digest(&sha256(expected), &sha256(given))
}

/// SHA-256 always has 32 bytes.
fn sha256(text: &str) -> [u8; 32] {
    digest(&SHA256, text.as_bytes()).as_ref().try_into().unwrap_or([0; 32])
}

/// A secret that the sender of webhooks has to know. There is none that is empty: it would let everybody in.
///
/// ```
/// use integration_core::body::webhook::SharedSecret;
///
/// let secret = SharedSecret::new("correct horse")?;
/// assert!(secret.is("correct horse") && !secret.is("") && !secret.is("correct"));
/// assert!(SharedSecret::new("").is_err() && SharedSecret::new(" \t").is_err());
/// assert_eq!(format!("{secret:?}"), "SharedSecret(Secret([redacted]))");
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct SharedSecret(Secret);

impl SharedSecret {
    /// A secret of which something can be seen.
    ///
    /// # Errors
    /// A configuration error if it is empty or nothing but white space.
    pub fn new(secret: impl Into<Secret>) -> Result<Self, Error> {
        let secret = secret.into();
        if secret.reveal().trim().is_empty() {
            let hint = "an empty secret proves nothing: take at least 22 random characters (128 bits)";
            return Err(Error::configuration("the secret of a webhook is empty", hint));
        }
        Ok(Self(secret))
    }

    /// As [`new`](Self::new), for a secret that also has at least `shortest` bytes.
    ///
    /// # Errors
    /// A configuration error if it is empty or shorter.
    pub fn at_least(shortest: usize, secret: impl Into<Secret>) -> Result<Self, Error> {
        let secret = Self::new(secret)?;
        if secret.reveal().len() < shortest {
            let hint = format!("take at least {shortest} random characters");
            return Err(Error::configuration("the secret of a webhook is too short", hint));
        }
        Ok(secret)
    }

    /// Whether `given` is this secret, in a time that tells nothing about it.
    #[must_use]
    pub fn is(&self, given: &str) -> bool {
        same_text(self.0.reveal(), given)
    }

    /// The secret itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        self.0.reveal()
    }

    /// As a plain secret, to be kept.
    #[must_use]
    pub const fn as_secret(&self) -> &Secret {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_very_same_is_the_same() {
        let secret = SharedSecret::new("secret").unwrap();
        assert!(secret.is("secret"));
        for other in ["", "secre", "secret ", "Secret", "secretsecret", "\0"] {
            assert!(!secret.is(other), "{other:?}");
        }
        assert!(same_text("", "") && !same_text("", "a"));
        let mut digest = [7; 32];
        assert!(same_digest(&digest, &[7; 32]));
        for place in 0..32 {
            digest[place] ^= 128;
            assert!(!same_digest(&digest, &[7; 32]), "{place}");
            digest[place] ^= 128;
        }
    }

    #[test]
    fn nothing_is_no_secret() {
        for nothing in ["", " ", "\n\t "] {
            assert!(SharedSecret::new(nothing).unwrap_err().to_string().contains("empty"));
        }
        assert!(SharedSecret::at_least(22, "x".repeat(21)).is_err());
        assert_eq!(SharedSecret::at_least(22, "x".repeat(22)).unwrap().reveal().len(), 22);
    }
}
