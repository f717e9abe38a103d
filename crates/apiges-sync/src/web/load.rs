//! Loads: everything of all contacts, or of one, in batches that can be resumed (contract 4.4, W01, W20-W25).

use serde::{Deserialize, Serialize};

use super::contact::ContactRef;
use super::id::{LoadId, Sha256};
use super::number;
use super::view::View;
use integration_core::open_enum;

/// Answer of W01.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The version of the mapping that the portal speaks; this crate speaks 1.
    #[serde(deserialize_with = "number::read")]
    pub protocol: u64,
    /// The tenant to which the credential belongs.
    pub tenant: String,
    /// What the portal takes.
    pub limits: Limits,
}

/// What the portal takes in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The largest blob, in bytes; 50 MiB if the portal does not say (contract B4).
    #[serde(default = "default_blob_bytes", deserialize_with = "number::read")]
    pub blob_bytes: u64,
    /// The most items of a batch.
    #[serde(deserialize_with = "number::read")]
    pub batch_items: u64,
    /// The largest body, in bytes.
    #[serde(deserialize_with = "number::read")]
    pub body_bytes: u64,
}

const fn default_blob_bytes() -> u64 {
    50 << 20
}

open_enum! {
    /// What a load covers.
    LoadScope {
        /// All contacts that it lists.
        All = "all",
    }
}

/// Body of W20.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenLoad {
    /// Names the load, so that it can be resumed.
    pub load_id: LoadId,
    /// What it covers.
    pub scope: LoadScope,
    /// Whose grants are loaded.
    pub contacts: Vec<ContactRef>,
    /// The tenant's sequence at the start: what was pushed later is neither withdrawn nor overwritten.
    #[serde(deserialize_with = "number::read")]
    pub base_sequence: u64,
}

/// Body of W21: a load of one contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenSingleLoad {
    /// Names the load, so that it can be resumed.
    pub load_id: LoadId,
    /// The tenant's sequence at the start.
    #[serde(deserialize_with = "number::read")]
    pub base_sequence: u64,
}

/// Answer of W20, W21 and W24: how far a load is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// Which load.
    pub load_id: LoadId,
    /// How far each contact is.
    pub contacts: Vec<LoadContact>,
}

/// How far a contact of a load is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadContact {
    /// Whose grant.
    pub contact: ContactRef,
    /// The last batch that was accepted; 0 before the first. A broken load goes on behind it.
    #[serde(deserialize_with = "number::read")]
    pub last_batch: u64,
    /// Whether it is committed, and so visible.
    pub committed: bool,
}

/// Body of W22; its number stands in the path and rises from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The files.
    pub items: Vec<BatchItem>,
    /// The digest of the items (4.6).
    pub digest: Sha256,
}

/// A file of a load.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BatchItem {
    /// The file.
    #[serde(deserialize_with = "number::read")]
    pub case_id: u64,
    /// Its version.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// Whose file.
    pub holder: ContactRef,
    /// What is seen.
    pub view: View,
}

/// Answer of W22.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchAccepted {
    /// How many items.
    #[serde(deserialize_with = "number::read")]
    pub accepted: u64,
}

/// Body of W23.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Commit {
    /// How many batches were sent.
    #[serde(deserialize_with = "number::read")]
    pub batches: u64,
    /// How many files they held.
    #[serde(deserialize_with = "number::read")]
    pub count: u64,
    /// The digest of all of them (4.6).
    pub digest: Sha256,
    /// Whether these provably are all files of the grant; only then is anything withdrawn (Y4).
    pub complete: bool,
    /// The exact number of withdrawals that a person has agreed to; 0 otherwise.
    #[serde(deserialize_with = "number::read")]
    pub allow_withdrawals: u64,
}

/// Answer of W23 and W25.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitTotals {
    /// Files that are visible as sent from now on.
    #[serde(deserialize_with = "number::read")]
    pub applied: u64,
    /// Files that were there in the same form.
    #[serde(deserialize_with = "number::read")]
    pub unchanged: u64,
    /// Files of which something newer was there.
    #[serde(deserialize_with = "number::read")]
    pub stale: u64,
    /// Files that are gone.
    #[serde(deserialize_with = "number::read")]
    pub withdrawn: u64,
}

/// Details of 409 `guard` of W23.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuardDetails {
    /// How many files the commit would have withdrawn: the number that a person has to agree to.
    #[serde(deserialize_with = "number::read")]
    pub would_withdraw: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn round_trips<T: Serialize + serde::de::DeserializeOwned>(wire: &Value) {
        let read: T = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(&serde_json::to_value(read).unwrap(), wire);
    }

    #[test]
    fn bodies_and_answers_have_the_contracts_form() {
        let (client, hex) = (json!({"kind": "C", "code": "4879"}), "0".repeat(64));
        round_trips::<Health>(&json!({"protocol": 1, "tenant": "demo",
            "limits": {"blobBytes": 52428800, "batchItems": 100, "bodyBytes": 1000}}));
        round_trips::<OpenLoad>(
            &json!({"loadId": "l", "scope": "all", "contacts": [client], "baseSequence": 9}),
        );
        round_trips::<OpenSingleLoad>(&json!({"loadId": "l", "baseSequence": 9}));
        round_trips::<Load>(
            &json!({"loadId": "l", "contacts": [{"contact": client, "lastBatch": 2, "committed": false}]}),
        );
        round_trips::<Batch>(
            &json!({"items": [{"caseId": 1, "version": 2, "holder": client, "view": {}}], "digest": hex}),
        );
        round_trips::<BatchAccepted>(&json!({"accepted": 3}));
        round_trips::<Commit>(
            &json!({"batches": 1, "count": 2, "digest": hex, "complete": true, "allowWithdrawals": 21}),
        );
        round_trips::<CommitTotals>(&json!({"applied": 1, "unchanged": 2, "stale": 3, "withdrawn": 4}));
        round_trips::<GuardDetails>(&json!({"wouldWithdraw": 21}));
        // A number that is not there is not 0.
        for missing in ["applied", "unchanged", "stale", "withdrawn"] {
            let mut totals = json!({"applied": 1, "unchanged": 2, "stale": 3, "withdrawn": 4});
            totals.as_object_mut().unwrap().remove(missing);
            assert!(serde_json::from_value::<CommitTotals>(totals).is_err(), "{missing}");
        }
    }
}
