//! Evidence of a case's messages and receipts: a chain of hashes that shows any later change (contract X5 to X7).
//!
//! A chain proves that nothing *inside* it was changed. That nothing was cut off its end only the head shows that was kept from the
//! last export: give it to [`Evidence::verify`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use integration_core::{Error, ErrorKind, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::web::{Instant, Message, NotCanonical, Receipt, Sha256, canonical};

/// The end of a chain, to be kept until the next export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Head {
    /// How many records there are.
    pub seq: u64,
    /// The hash of the last one, or that of the beginning.
    pub hash: Sha256,
}

/// Why evidence is not what it says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Integrity {
    /// A record does not follow from what stands before it.
    #[error("record {seq} does not match its hash")]
    Hash {
        /// Its place.
        seq: u64,
    },
    /// A record is missing, doubled or out of order.
    #[error("record {expected} is missing or out of order")]
    Sequence {
        /// Whose turn it was.
        expected: u64,
    },
    /// A record has keys or values that records do not have.
    #[error("record {seq} is not of the form of a record")]
    Form {
        /// Its place.
        seq: u64,
    },
    /// The last record is not the head.
    #[error("the head is not the hash of the last record")]
    Head,
    /// The body of a message is missing or is not the one that was recorded.
    #[error("the body of the message in record {seq} is missing or was changed")]
    Body {
        /// The place of its record.
        seq: u64,
    },
    /// There is a body that no record vouches for.
    #[error("a body belongs to no record")]
    StrayBody,
    /// It does not go on from the head that was kept.
    #[error("it does not extend the head kept at record {seq}")]
    NotAnExtension {
        /// The place of that head.
        seq: u64,
    },
}

impl From<Integrity> for Error {
    fn from(fault: Integrity) -> Self {
        Self::new(ErrorKind::UnexpectedAnswer, "verify evidence")
            .with_outcome(Outcome::ReadOnly)
            .with_code("Integrity")
            .with_message(fault.to_string())
            .with_hint("keep both exports and ask who runs the portal; the older head is the one to trust")
            .with_source(fault)
    }
}

/// A record with its hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// SHA-256 of the hash before it and its own canonical JSON.
    pub hash: Sha256,
    /// Its keys as they came: re-writing one would break the chain.
    #[serde(flatten)]
    pub keys: Map<String, Value>,
}

impl Record {
    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(Value::as_str)
    }

    fn seq(&self) -> Option<u64> {
        self.keys.get("seq").and_then(Value::as_u64)
    }

    fn is_message(&self) -> bool {
        self.text("type") == Some("message")
    }

    /// Whether it has all the keys that its type needs and none that records do not have (X6).
    fn is_well_formed(&self) -> bool {
        let texts: &[&str] = match self.text("type") {
            Some("message") => &["actor", "at", "bodySha256", "id", "type"],
            Some("receipt") => &["actor", "at", "event", "id", "messageId", "type"],
            _ => return false,
        };
        let optional: &[&str] = if self.is_message() { &["attachments", "replaces"] } else { &[] };
        let known =
            |key: &String| key == "seq" || texts.contains(&key.as_str()) || optional.contains(&key.as_str());
        texts.iter().all(|key| self.text(key).is_some()) && self.keys.keys().all(known)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("seq", &self.seq()).field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// The records of a case: answer of W75, and what a portal keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// In the order of `seq`, from 1.
    pub records: Vec<Record>,
    /// The hash of the last record, or that of the beginning.
    pub head: Sha256,
}

impl Chain {
    /// The chain of a case without records.
    #[must_use]
    pub fn new(tenant: &str, case_id: u64) -> Self {
        Self { records: Vec::new(), head: beginning(tenant, case_id) }
    }

    /// Adds a message, with the digests of the blobs that it carries.
    ///
    /// # Errors
    /// [`NotCanonical`] never: its record holds texts and one integer.
    pub fn add_message(&mut self, message: &Message, attachments: &[Sha256]) -> Result<Head, NotCanonical> {
        let mut keys = Map::new();
        keys.insert("actor".into(), json!(message.author.to_string()));
        keys.insert("at".into(), json!(message.sent_at));
        keys.insert("bodySha256".into(), json!(Sha256::of(message.body.as_bytes())));
        keys.insert("id".into(), json!(message.message_id));
        keys.insert("type".into(), json!("message"));
        let sorted: BTreeSet<String> = attachments.iter().map(Sha256::to_string).collect();
        if !sorted.is_empty() {
            keys.insert("attachments".into(), json!(sorted));
        }
        if let Some(replaces) = &message.replaces {
            keys.insert("replaces".into(), json!(replaces));
        }
        self.add(keys)
    }

    /// Adds a receipt.
    ///
    /// # Errors
    /// [`NotCanonical`] never: its record holds texts and one integer.
    pub fn add_receipt(&mut self, receipt: &Receipt) -> Result<Head, NotCanonical> {
        let mut keys = Map::new();
        keys.insert("actor".into(), json!(receipt.actor));
        keys.insert("at".into(), json!(receipt.at));
        keys.insert("event".into(), json!(receipt.event));
        keys.insert("id".into(), json!(receipt.receipt_id));
        keys.insert("messageId".into(), json!(receipt.message_id));
        keys.insert("type".into(), json!("receipt"));
        self.add(keys)
    }

    fn add(&mut self, mut keys: Map<String, Value>) -> Result<Head, NotCanonical> {
        keys.insert("seq".into(), json!(self.seq() + 1));
        let hash = next(&self.head, &keys)?;
        self.records.push(Record { hash, keys });
        self.head = hash;
        Ok(self.end())
    }

    /// How many records there are.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.records.len() as u64
    }

    /// Its end, as it says itself.
    #[must_use]
    pub fn end(&self) -> Head {
        Head { seq: self.seq(), hash: self.head }
    }

    /// Checks every record, the head, and that the chain goes on from the head that was kept, if any.
    ///
    /// # Errors
    /// The first [`Integrity`] fault.
    pub fn verify(&self, tenant: &str, case_id: u64, kept: Option<&Head>) -> Result<Head, Integrity> {
        let mut hashes = vec![beginning(tenant, case_id)];
        for (record, seq) in self.records.iter().zip(1u64..) {
            hashes.push(checked(record, seq, hashes.last())?);
        }
        if hashes.last() != Some(&self.head) {
            return Err(Integrity::Head);
        }
        match kept {
            Some(kept) if !goes_on_from(&hashes, kept) => Err(Integrity::NotAnExtension { seq: kept.seq }),
            _ => Ok(self.end()),
        }
    }
}

fn checked(record: &Record, seq: u64, before: Option<&Sha256>) -> Result<Sha256, Integrity> {
    if record.seq() != Some(seq) {
        return Err(Integrity::Sequence { expected: seq });
    }
    if !record.is_well_formed() {
        return Err(Integrity::Form { seq });
    }
    let hash = before.and_then(|before| next(before, &record.keys).ok());
    hash.filter(|hash| *hash == record.hash).ok_or(Integrity::Hash { seq })
}

fn goes_on_from(hashes: &[Sha256], kept: &Head) -> bool {
    usize::try_from(kept.seq).ok().and_then(|seq| hashes.get(seq)) == Some(&kept.hash)
}

/// h0 of a case.
fn beginning(tenant: &str, case_id: u64) -> Sha256 {
    Sha256::of(format!("apiges-sync/evidence/v1\0{tenant}\0{case_id}").as_bytes())
}

fn next(before: &Sha256, keys: &Map<String, Value>) -> Result<Sha256, NotCanonical> {
    Ok(Sha256::of_parts(&[before.as_bytes(), canonical(keys)?.as_bytes()]))
}

/// An export that stands for itself: bodies, records, head, tenant, case and time (X7). `Debug` shows no body.
///
/// ```
/// use std::collections::BTreeMap;
/// use apiges_sync::evidence::{Chain, Evidence};
/// use apiges_sync::web::Message;
///
/// let message: Message = serde_json::from_value(serde_json::json!({
///     "messageId": "m-1", "author": {"role": "firm", "ref": "u1"}, "sentAt": "2026-03-02T10:15:04.120Z",
///     "lang": "es", "body": "Hola", "attachments": [],
/// }))?;
/// let mut chain = Chain::new("demo", 3992);
/// let head = chain.add_message(&message, &[])?;
/// assert_eq!(head.hash.to_string(), "b52b5abf7d8d2f21f3a4901740793113e67ff322c6aacd232f16dc02121a3c13");
///
/// let bodies = BTreeMap::from([("m-1".to_owned(), "Hola".to_owned())]);
/// let mut evidence = Evidence::new("demo", 3992, message.sent_at, bodies, chain);
/// assert_eq!(evidence.verify(None)?, head);
/// evidence.bodies.insert("m-1".into(), "hola".into());
/// assert!(evidence.verify(None).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Whose portal.
    pub tenant: String,
    /// Which case.
    pub case_id: u64,
    /// When it was exported.
    pub at: Instant,
    /// What each message says, by its id.
    pub bodies: BTreeMap<String, String>,
    /// The records and their head.
    #[serde(flatten)]
    pub chain: Chain,
}

impl Evidence {
    /// An export of a chain with the bodies of its messages.
    pub fn new(
        tenant: impl Into<String>,
        case_id: u64,
        at: Instant,
        bodies: BTreeMap<String, String>,
        chain: Chain,
    ) -> Self {
        Self { tenant: tenant.into(), case_id, at, bodies, chain }
    }

    /// Checks the chain as [`Chain::verify`] does, and that every message has the body that was recorded.
    ///
    /// # Errors
    /// The first [`Integrity`] fault.
    pub fn verify(&self, kept: Option<&Head>) -> Result<Head, Integrity> {
        let head = self.chain.verify(&self.tenant, self.case_id, kept)?;
        let messages = || self.chain.records.iter().filter(|record| record.is_message());
        for record in messages() {
            self.check_body(record)?;
        }
        let recorded: BTreeSet<&str> = messages().filter_map(|record| record.text("id")).collect();
        let stray = self.bodies.keys().any(|id| !recorded.contains(id.as_str()));
        if stray { Err(Integrity::StrayBody) } else { Ok(head) }
    }

    fn check_body(&self, record: &Record) -> Result<(), Integrity> {
        let body = record.text("id").and_then(|id| self.bodies.get(id));
        let digest = body.map(|body| Sha256::of(body.as_bytes()).to_string());
        let same = digest.is_some() && digest.as_deref() == record.text("bodySha256");
        if same { Ok(()) } else { Err(Integrity::Body { seq: record.seq().unwrap_or_default() }) }
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence")
            .field("tenant", &self.tenant)
            .field("case_id", &self.case_id)
            .field("at", &self.at)
            .field("records", &self.chain.records.len())
            .field("head", &self.chain.head)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const H0: &str = "fce0b75df40e20baa06d9118090359a2c432f59bf2ac4a0f0caa861fe4db1e14";
    const H1: &str = "b52b5abf7d8d2f21f3a4901740793113e67ff322c6aacd232f16dc02121a3c13";
    const H2: &str = "0b8afc951c3bc584370233f787b5ad827a0cc05c7b313481c6911bad85f1e8f3";

    /// The contract's export, written by hand.
    fn wire() -> Value {
        json!({
            "tenant": "demo", "caseId": 3992, "at": "2026-03-03T00:00:00.000Z", "bodies": {"m-1": "Hola"}, "head": H2,
            "records": [
                {"actor": "firm:u1", "at": "2026-03-02T10:15:04.120Z", "id": "m-1", "seq": 1, "type": "message", "hash": H1,
                 "bodySha256": "e633f4fc79badea1dc5db970cf397c8248bac47cc3acf9915ba60b5d76b0e88f"},
                {"actor": "viewer:C/4879", "at": "2026-03-02T10:15:09.000Z", "event": "read", "id": "r-1",
                 "messageId": "m-1", "seq": 2, "type": "receipt", "hash": H2}
            ]
        })
    }

    fn export(wire: Value) -> Evidence {
        serde_json::from_value(wire).unwrap()
    }

    fn built(count: u64) -> Evidence {
        let (mut chain, mut bodies) = (Chain::new("demo", 3992), BTreeMap::new());
        for n in 1..=count {
            let message = json!({"messageId": format!("m-{n}"), "author": {"role": "firm", "ref": "u1"}, "lang": "es",
                "sentAt": "2026-03-02T10:15:04.120Z", "body": format!("body {n}"), "attachments": []});
            chain.add_message(&serde_json::from_value(message).unwrap(), &[]).unwrap();
            bodies.insert(format!("m-{n}"), format!("body {n}"));
        }
        Evidence::new("demo", 3992, "2026-03-03T00:00:00Z".parse().unwrap(), bodies, chain)
    }

    #[test]
    fn the_contracts_vectors_verify_and_are_built() {
        assert_eq!(beginning("demo", 3992).to_string(), H0);
        let evidence = export(wire());
        assert_eq!(evidence.verify(None).unwrap(), Head { seq: 2, hash: H2.parse().unwrap() });
        assert_eq!(serde_json::to_value(&evidence).unwrap(), wire());
        let mut chain = Chain::new("demo", 3992);
        let message = json!({"messageId": "m-1", "author": {"role": "firm", "ref": "u1"}, "lang": "es",
            "sentAt": "2026-03-02T10:15:04.120Z", "body": "Hola"});
        let receipt = json!({"receiptId": "r-1", "messageId": "m-1", "event": "read", "at": "2026-03-02T10:15:09.000Z",
            "actor": "viewer:C/4879"});
        assert_eq!(
            chain.add_message(&serde_json::from_value(message).unwrap(), &[]).unwrap().hash.to_string(),
            H1
        );
        assert_eq!(
            chain.add_receipt(&serde_json::from_value(receipt).unwrap()).unwrap().hash.to_string(),
            H2
        );
        assert_eq!(chain, evidence.chain);
    }

    #[test]
    fn an_export_must_go_on_from_the_head_that_was_kept() {
        let evidence = export(wire());
        let kept = |seq, hash: &str| Head { seq, hash: hash.parse().unwrap() };
        for good in [kept(0, H0), kept(1, H1), kept(2, H2)] {
            assert!(evidence.verify(Some(&good)).is_ok());
        }
        for bad in [kept(1, H2), kept(2, H1), kept(3, H2), kept(u64::MAX, H2)] {
            assert_eq!(evidence.verify(Some(&bad)), Err(Integrity::NotAnExtension { seq: bad.seq }));
        }
        let mut shortened = wire();
        shortened["records"].as_array_mut().unwrap().pop();
        shortened["head"] = json!(H1);
        assert!(export(shortened.clone()).verify(None).is_ok(), "nothing in it is wrong");
        assert_eq!(export(shortened).verify(Some(&kept(2, H2))), Err(Integrity::NotAnExtension { seq: 2 }));
    }

    #[test]
    fn what_is_missing_or_too_much_is_seen() {
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut wire = wire();
            change(&mut wire);
            export(wire).verify(None)
        };
        assert_eq!(changed(&|w| w["head"] = json!(H1)), Err(Integrity::Head));
        assert_eq!(changed(&|w| w["tenant"] = json!("other")), Err(Integrity::Hash { seq: 1 }));
        assert_eq!(changed(&|w| w["caseId"] = json!(3993)), Err(Integrity::Hash { seq: 1 }));
        assert_eq!(changed(&|w| w["bodies"] = json!({})), Err(Integrity::Body { seq: 1 }));
        assert_eq!(changed(&|w| w["bodies"]["m-2"] = json!("x")), Err(Integrity::StrayBody));
        assert_eq!(changed(&|w| w["records"][1]["note"] = json!("x")), Err(Integrity::Form { seq: 2 }));
        assert_eq!(changed(&|w| w["records"][1]["type"] = json!("other")), Err(Integrity::Form { seq: 2 }));
        assert_eq!(
            changed(&|w| w["records"][1]["seq"] = json!(2.0)),
            Err(Integrity::Sequence { expected: 2 })
        );
    }

    #[test]
    fn attachments_are_sorted_and_a_correction_says_what_it_replaces() {
        let message = json!({"messageId": "m-2", "author": {"role": "firm", "ref": "u1"}, "lang": "es", "body": "",
            "sentAt": "2026-03-02T10:15:04.120Z", "replaces": "m-1"});
        let (one, two) = (Sha256::from_bytes([1; 32]), Sha256::from_bytes([2; 32]));
        let mut chain = Chain::new("demo", 1);
        chain.add_message(&serde_json::from_value(message).unwrap(), &[two, one]).unwrap();
        let keys = &chain.records[0].keys;
        assert_eq!(keys["attachments"], json!([one.to_string(), two.to_string()]));
        assert_eq!(keys["replaces"], json!("m-1"));
        assert!(chain.verify("demo", 1, None).is_ok());
    }

    #[test]
    fn integrity_is_an_error_that_says_so() {
        let error = Error::from(Integrity::Hash { seq: 3 });
        assert_eq!(error.service_code(), Some("Integrity"));
        assert_eq!(crate::ErrorExt::class(&error), crate::ErrorClass::Integrity);
        assert!(error.to_string().contains("record 3"));
    }

    proptest! {
        #[test]
        fn one_changed_byte_is_seen(position in any::<prop::sample::Index>(), flip in 1u8..128) {
            let good = serde_json::to_string(&built(3)).unwrap();
            let mut bytes = good.clone().into_bytes();
            let at = position.index(bytes.len());
            bytes[at] ^= flip;
            let read = serde_json::from_slice::<Evidence>(&bytes);
            // The time of the export is no part of what is proven.
            let time = good.find(r#""at":"2026-03-03"#).unwrap();
            let proven = !(time..time + 32).contains(&at);
            if let Ok(evidence) = read && proven && evidence != built(3) {
                prop_assert!(evidence.verify(None).is_err(), "{}", String::from_utf8_lossy(&bytes));
            }
        }

        #[test]
        fn a_missing_record_is_seen(count in 1u64..8, missing in any::<prop::sample::Index>()) {
            let mut evidence = built(count);
            evidence.chain.records.remove(missing.index(evidence.chain.records.len()));
            prop_assert!(evidence.verify(None).is_err());
        }
    }
}
