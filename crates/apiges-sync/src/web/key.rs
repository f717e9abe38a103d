//! Idempotency keys: what is sent again goes out under the key of the first time (contract O4, Y8).

use std::fmt;

use integration_core::Error;
use serde::{Deserialize, Serialize};

use super::contact::ContactRef;
use super::id::{BatchId, LoadId, MessageId, ReceiptId, Sha256, uuid};

/// The value of `Idempotency-Key`.
///
/// ```
/// use apiges_sync::web::IdempotencyKey;
///
/// let key = IdempotencyKey::case("demo", 3992, 42);
/// assert_eq!(key.as_str(), "589b1309c38fe443a34c5433b23a79133cf5b129c046275151a22d560c65f964");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Of W30: a version of a file.
    #[must_use]
    pub fn case(tenant: &str, case_id: u64, version: u64) -> Self {
        Self::of(tenant, "case", &case_id, version)
    }

    /// Of W12 to W15: a version of a grant.
    #[must_use]
    pub fn grant(tenant: &str, contact: &ContactRef, version: u64) -> Self {
        Self::of(tenant, "grant", &contact.key(), version)
    }

    /// Of W22: a batch of a contact of a load.
    #[must_use]
    pub fn batch(tenant: &str, load: &LoadId, contact: &ContactRef, number: u64) -> Self {
        Self::of(tenant, "batch", &format_args!("{load}/{}", contact.key()), number)
    }

    /// Of W23: the commit of a contact of a load.
    #[must_use]
    pub fn commit(tenant: &str, load: &LoadId, contact: &ContactRef) -> Self {
        Self::of(tenant, "commit", &format_args!("{load}/{}", contact.key()), 0)
    }

    /// Of W60 and W62: a version of a document's link.
    #[must_use]
    pub fn document(tenant: &str, case_id: u64, annotation: &str, document: &str, version: u64) -> Self {
        Self::of(tenant, "document", &format_args!("{case_id}/{annotation}/{document}"), version)
    }

    /// Of W70.
    #[must_use]
    pub fn message(tenant: &str, message: &MessageId) -> Self {
        Self::of(tenant, "message", message, 0)
    }

    /// Of W72.
    #[must_use]
    pub fn receipt(tenant: &str, receipt: &ReceiptId) -> Self {
        Self::of(tenant, "receipt", receipt, 0)
    }

    /// Of W40.
    #[must_use]
    pub fn withdrawals(tenant: &str, batch: &BatchId) -> Self {
        Self::of(tenant, "withdrawals", batch, 0)
    }

    /// Of W20 and W21.
    #[must_use]
    pub fn load(tenant: &str, load: &LoadId) -> Self {
        Self::of(tenant, "load", load, 0)
    }

    /// Of every other write: a new random one, to be stored with the entry before it is sent.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn generate() -> Result<Self, Error> {
        uuid().map(Self)
    }

    /// One that was stored.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn of(tenant: &str, what: &str, id: &dyn fmt::Display, version: u64) -> Self {
        Self(Sha256::of(format!("{tenant}\0{what}\0{id}\0{version}").as_bytes()).to_string())
    }

    /// As it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_vector() {
        let expected = "589b1309c38fe443a34c5433b23a79133cf5b129c046275151a22d560c65f964";
        assert_eq!(IdempotencyKey::case("demo", 3992, 42).as_str(), expected);
    }

    #[test]
    fn each_kind_is_made_of_its_own_parts() {
        let hash = |text: &str| Sha256::of(text.replace('|', "\0").as_bytes()).to_string();
        let (load, contact) = (LoadId::new("l"), ContactRef::client("0048").unwrap());
        for (key, text) in [
            (IdempotencyKey::grant("t", &contact, 3), "t|grant|C/0048|3"),
            (IdempotencyKey::batch("t", &load, &contact, 2), "t|batch|l/C/0048|2"),
            (IdempotencyKey::commit("t", &load, &contact), "t|commit|l/C/0048|0"),
            (IdempotencyKey::document("t", 1, "a", "d", 4), "t|document|1/a/d|4"),
            (IdempotencyKey::message("t", &MessageId::new("m")), "t|message|m|0"),
            (IdempotencyKey::receipt("t", &ReceiptId::new("r")), "t|receipt|r|0"),
            (IdempotencyKey::withdrawals("t", &BatchId::new("b")), "t|withdrawals|b|0"),
            (IdempotencyKey::load("t", &load), "t|load|l|0"),
        ] {
            assert_eq!(key.as_str(), hash(text), "{text}");
        }
        assert_ne!(IdempotencyKey::generate().unwrap(), IdempotencyKey::generate().unwrap());
    }
}
