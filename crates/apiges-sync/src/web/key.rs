//! Keys of idempotency: one write, one key, whoever repeats it and whenever (contract 4.5, O4).

use std::fmt;

use integration_core::Error;

use super::contact::ContactRef;
use super::id::{BatchId, LoadId, MessageId, ReceiptId, Sha256, uuid};

/// What makes the portal answer a repeated write with its first answer. It tells nothing about what is written.
///
/// ```
/// use apiges_sync::web::IdempotencyKey;
///
/// let key = IdempotencyKey::case("demo", 3992, 42);
/// assert_eq!(key.as_str(), "589b1309c38fe443a34c5433b23a79133cf5b129c046275151a22d560c65f964");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    fn derived(tenant: &str, what: &str, id: &str, version: u64) -> Self {
        let version = version.to_string();
        let parts = [tenant, what, id, &version].join("\0");
        Self(Sha256::of(parts.as_bytes()).to_string())
    }

    /// Of a push of a case file (W30).
    #[must_use]
    pub fn case(tenant: &str, case: u64, version: u64) -> Self {
        Self::derived(tenant, "case", &case.to_string(), version)
    }

    /// Of a change of a grant to a version (W12).
    #[must_use]
    pub fn grant(tenant: &str, contact: &ContactRef, version: u64) -> Self {
        Self::derived(tenant, "grant", &contact.to_string(), version)
    }

    /// Of a batch of a load (W22).
    #[must_use]
    pub fn batch(tenant: &str, load: &LoadId, contact: &ContactRef, n: u64) -> Self {
        Self::derived(tenant, "batch", &format!("{load}/{contact}"), n)
    }

    /// Of the commit of a contact's load (W23).
    #[must_use]
    pub fn commit(tenant: &str, load: &LoadId, contact: &ContactRef) -> Self {
        Self::derived(tenant, "commit", &format!("{load}/{contact}"), 0)
    }

    /// Of a load (W20, W21).
    #[must_use]
    pub fn load(tenant: &str, load: &LoadId) -> Self {
        Self::derived(tenant, "load", load.as_str(), 0)
    }

    /// Of a document's link in a version (W60).
    #[must_use]
    pub fn document(tenant: &str, place: &super::DocumentPlace, version: u64) -> Self {
        let id = format!("{}/{}/{}", place.case, place.annotation, place.document);
        Self::derived(tenant, "document", &id, version)
    }

    /// Of a message (W70).
    #[must_use]
    pub fn message(tenant: &str, message: &MessageId) -> Self {
        Self::derived(tenant, "message", message.as_str(), 0)
    }

    /// Of a receipt (W72).
    #[must_use]
    pub fn receipt(tenant: &str, receipt: &ReceiptId) -> Self {
        Self::derived(tenant, "receipt", receipt.as_str(), 0)
    }

    /// Of a batch of withdrawals (W40).
    #[must_use]
    pub fn withdrawals(tenant: &str, batch: &BatchId) -> Self {
        Self::derived(tenant, "withdrawals", batch.as_str(), 0)
    }

    /// Of every other write: random, and stored with what is to be written before it is sent.
    ///
    /// # Errors
    /// If the operating system gives no randomness.
    pub fn generate() -> Result<Self, Error> {
        uuid().map(Self)
    }

    /// One that was stored.
    #[must_use]
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
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
    fn the_contracts_vector_of_a_case() {
        let expected = "589b1309c38fe443a34c5433b23a79133cf5b129c046275151a22d560c65f964";
        assert_eq!(IdempotencyKey::case("demo", 3992, 42).as_str(), expected);
    }

    // Computed outside this crate: SHA-256 of "demo\0grant\0C/4879\03" and so on.
    #[test]
    fn the_other_kinds_follow_the_same_rule() {
        let contact = ContactRef::client("4879").unwrap();
        let load = LoadId::new("l-1");
        let keys = [
            IdempotencyKey::grant("demo", &contact, 3),
            IdempotencyKey::batch("demo", &load, &contact, 2),
            IdempotencyKey::commit("demo", &load, &contact),
            IdempotencyKey::message("demo", &MessageId::new("m-1")),
        ];
        assert_eq!(keys.map(|key| key.0), [GRANT, BATCH, COMMIT, MESSAGE]);
    }

    const GRANT: &str = "1f1b0aea2e906df0b134c4e8772cd67ec1cfc09f04ec93552fd4b98b46afbf96";
    const BATCH: &str = "d1d75b53c87c2ec5317062a42e82a5c18b2ad9cc8de2d42b319df05faaa782d7";
    const COMMIT: &str = "bccd477633b0f24c1cea6bc420b94a7f7eed902ec61f9d0804df212c7d834106";
    const MESSAGE: &str = "792b5988a63b46dfb6654eeb64a4eb176393f7774e0aa1fda23e0ad8b5fd45b8";
}
