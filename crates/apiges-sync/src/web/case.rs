//! Pushes of case files, withdrawals, and what the portal says about them (contract 3.6, W30-W41).

use serde::{Deserialize, Deserializer, Serialize, de};

use super::contact::ContactRef;
use super::document::LinkedDocument;
use super::id::{BatchId, Instant};
use super::number;
use super::view::View;
use integration_core::open_enum;

open_enum! {
    /// Why a file is pushed.
    Cause {
        /// It was saved.
        Saved = "saved",
        /// Its graphic changed.
        Graphic = "graphic",
        /// A grant changed.
        Grant = "grant",
        /// It moved to another holder.
        Moved = "moved",
        /// It was closed.
        Closed = "closed",
        /// A load found it.
        Load = "load",
    }
}

open_enum! {
    /// Why something is taken away again.
    Reason {
        /// The grant is no more.
        GrantRevoked = "grant-revoked",
        /// The grant reaches fewer files, or a member left its group.
        ScopeNarrowed = "scope-narrowed",
        /// The modality is excluded.
        ModalityExcluded = "modality-excluded",
        /// The file was closed.
        CaseClosed = "case-closed",
        /// The file has another holder.
        CaseMoved = "case-moved",
        /// The file is no more.
        CaseRemoved = "case-removed",
        /// The document was marked hidden.
        DocumentHidden = "document-hidden",
        /// The document is no more.
        DocumentRemoved = "document-removed",
        /// A complete load did not hold it.
        AbsentFromLoad = "absent-from-load",
    }
}

open_enum! {
    /// What became of a push (O5). `stale` is a success: what the portal holds is newer.
    PushOutcome {
        /// It replaced what was there.
        Applied = "applied",
        /// The same was there already.
        Duplicate = "duplicate",
        /// Something newer was there already.
        Stale = "stale",
    }
}

open_enum! {
    /// What became of a withdrawal.
    WithdrawalOutcome {
        /// It is gone.
        Withdrawn = "withdrawn",
        /// It was gone already.
        Already = "already",
        /// Something newer is there.
        Stale = "stale",
    }
}

/// What one grant's viewer sees of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// Whose grant.
    pub grant: ContactRef,
    /// Whose file.
    pub holder: ContactRef,
    /// What is seen.
    pub view: View,
}

/// One grant loses a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// Whose grant.
    pub grant: ContactRef,
    /// Why.
    pub reason: Reason,
}

/// Body of W30: everything that is seen of a file from this version on (O2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CasePush {
    /// The file.
    #[serde(deserialize_with = "number::read")]
    pub case_id: u64,
    /// Rises with every push of this file; the first is 1.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// Rises with every push of the tenant.
    #[serde(deserialize_with = "number::read")]
    pub sequence: u64,
    /// When the change was saved, for the measured delay (O8).
    pub saved_at: Instant,
    /// Why it is pushed.
    pub cause: Cause,
    /// Who sees what.
    pub projections: Vec<Projection>,
    /// Who no longer sees it.
    pub withdrawals: Vec<Withdrawal>,
}

/// Answer of W30.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushAnswer {
    /// What became of it.
    pub outcome: PushOutcome,
    /// The version that is there now.
    #[serde(deserialize_with = "number::read")]
    pub stored_version: u64,
}

/// Body of W31: at most [`Limits::batch_items`](super::Limits::batch_items) pushes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseBatch {
    /// The pushes; one bad item does not stop the others.
    pub items: Vec<CasePush>,
}

/// Answer of W31.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseBatchAnswer {
    /// One answer for each push, in their order.
    pub items: Vec<ItemAnswer>,
}

/// What became of one push of a batch. Judge by `status_code`: the envelope's says nothing about the items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemAnswer {
    /// The file, if the portal names it.
    #[serde(default, deserialize_with = "number::read_option", skip_serializing_if = "Option::is_none")]
    pub case_id: Option<u64>,
    /// As the HTTP status would be for this push alone.
    #[serde(deserialize_with = "number::read")]
    pub status_code: u64,
    /// What became of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<PushOutcome>,
    /// The version that is there now.
    #[serde(default, deserialize_with = "number::read_option", skip_serializing_if = "Option::is_none")]
    pub stored_version: Option<u64>,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

/// The error of one item. Read as an object or as its code alone.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct ItemError {
    /// The code of 3.7 and 3.8.
    pub code: String,
    /// What belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

// Details may repeat what was sent.
impl std::fmt::Debug for ItemError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ItemError").field("code", &self.code).finish_non_exhaustive()
    }
}

impl<'de> Deserialize<'de> for ItemError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Code(String),
            Whole { code: String, details: Option<serde_json::Value> },
        }
        Ok(match Wire::deserialize(deserializer)? {
            Wire::Code(code) => Self { code, details: None },
            Wire::Whole { code, details } => Self { code, details },
        })
    }
}

/// Answer of W32: what is known of a file, for audits. `version` 0 says that it was never pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredCase {
    /// The version that is there now, a tombstone's too.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// The grants that hold it.
    pub grants: Vec<ContactRef>,
    /// The grants that held it.
    pub withdrawn: Vec<StoredWithdrawal>,
}

/// A grant that held a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredWithdrawal {
    /// Whose grant.
    pub grant: ContactRef,
    /// The version of the tombstone.
    #[serde(default, deserialize_with = "number::read_option", skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Why.
    pub reason: Reason,
}

/// Answer of W33: what a viewer sees now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerFiles {
    /// The files, each once.
    #[serde(rename = "cases", alias = "items")]
    #[doc(alias = "cases")]
    pub items: Vec<ViewerFile>,
}

/// A file that a viewer sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewerFile {
    /// The file.
    #[serde(deserialize_with = "number::read")]
    pub case_id: u64,
    /// Its version, if the portal says it.
    #[serde(default, deserialize_with = "number::read_option", skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Whose file, if the portal says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holder: Option<ContactRef>,
    /// What is seen.
    pub view: View,
    /// The viewer's grants that show it: one, or several in a union.
    #[serde(default)]
    pub grants: Vec<ContactRef>,
    /// The documents of the file that the viewer sees.
    #[serde(default)]
    pub documents: Vec<ViewerDocument>,
}

/// A document that a viewer sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ViewerDocument {
    /// The entry of the annotations book.
    #[serde(deserialize_with = "number::text")]
    pub annotation_id: String,
    /// The document and its link.
    #[serde(flatten)]
    pub document: LinkedDocument,
}

/// Body of W40.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalBatch {
    /// Names the batch, so that it can be repeated.
    pub batch_id: BatchId,
    /// What is withdrawn.
    pub items: Vec<WithdrawalItem>,
}

/// One file is taken from one grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalItem {
    /// The file.
    #[serde(deserialize_with = "number::read")]
    pub case_id: u64,
    /// A version that was issued for this: a withdrawal raises it as a push does (O5).
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// Whose grant.
    pub grant: ContactRef,
    /// Why.
    pub reason: Reason,
}

/// Answer of W40.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawalBatchAnswer {
    /// One answer for each item, in their order.
    pub items: Vec<WithdrawalAnswer>,
}

/// What became of one withdrawal. Read as an object with `outcome` or as the word alone; an item that was refused has the code of its
/// error as outcome ([`WithdrawalOutcome::Other`], such as `version-reuse`), and is not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WithdrawalAnswer {
    /// What became of it.
    pub outcome: WithdrawalOutcome,
}

impl<'de> Deserialize<'de> for WithdrawalAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Wire {
            Word(String),
            Refused { error: ItemError },
            Whole { outcome: String },
        }
        let (Wire::Word(word)
        | Wire::Whole { outcome: word }
        | Wire::Refused { error: ItemError { code: word, .. } }) = Wire::deserialize(deserializer)?;
        Ok(Self { outcome: WithdrawalOutcome::from_wire(&word) })
    }
}

/// `outcome` of an object, or a text that stands for it: the contract names the words and not where they stand.
pub(super) fn word<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Wire {
        Word(String),
        Whole { outcome: String },
    }
    match Wire::deserialize(deserializer) {
        Ok(Wire::Word(word) | Wire::Whole { outcome: word }) => Ok(word),
        Err(_) => Err(de::Error::custom("neither an outcome nor an object with one")),
    }
}

/// Answer of W41: the withdrawals that were made, for audits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WithdrawalPage {
    /// The withdrawals of this page.
    pub items: Vec<WithdrawalRecord>,
    /// Where the next page begins; nothing at the end.
    #[serde(default, deserialize_with = "number::text_option")]
    pub next: Option<String>,
}

/// A withdrawal that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WithdrawalRecord {
    /// The file.
    #[serde(deserialize_with = "number::read")]
    pub case_id: u64,
    /// The version of the tombstone.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// Whose grant.
    pub grant: ContactRef,
    /// Why.
    pub reason: Reason,
    /// When, if the portal says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Instant>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_push_has_the_contracts_form() {
        let wire = json!({
            "caseId": 3992, "version": 42, "sequence": 90131, "savedAt": "2026-03-02T10:15:04.120Z", "cause": "moved",
            "projections": [{"grant": {"kind": "C", "code": "4879"}, "holder": {"kind": "C", "code": "12"},
                             "view": {"numero": "M1"}}],
            "withdrawals": [{"grant": {"kind": "C", "code": "1"}, "reason": "case-moved"}]
        });
        let push: CasePush = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(
            (push.cause.clone(), push.withdrawals[0].reason.clone()),
            (Cause::Moved, Reason::CaseMoved)
        );
        assert_eq!(serde_json::to_value(&push).unwrap(), wire);
    }

    #[test]
    fn unknown_words_are_kept() {
        let answer: PushAnswer =
            serde_json::from_value(json!({"outcome": "parked", "storedVersion": "7"})).unwrap();
        assert_eq!((answer.outcome, answer.stored_version), (PushOutcome::from_wire("parked"), 7));
    }

    #[test]
    fn items_are_read_in_both_forms() {
        let items = json!({"items": [
            {"caseId": 1, "statusCode": 200, "outcome": "applied", "storedVersion": 2},
            {"statusCode": 409, "error": {"code": "version-reuse", "details": {"x": 1}}},
            {"statusCode": 409, "error": "version-reuse"},
        ]});
        let answer: CaseBatchAnswer = serde_json::from_value(items).unwrap();
        let codes: Vec<_> =
            answer.items.iter().map(|item| item.error.as_ref().map(|e| e.code.as_str())).collect();
        assert_eq!(codes, [None, Some("version-reuse"), Some("version-reuse")]);
        let read =
            |value| serde_json::from_value::<WithdrawalAnswer>(value).map(|answer| answer.outcome).ok();
        assert_eq!(read(json!("already")), Some(WithdrawalOutcome::Already));
        assert_eq!(read(json!({"outcome": "stale", "caseId": 1})), Some(WithdrawalOutcome::Stale));
        assert_eq!(read(json!({"caseId": 1})), None);
        let refused = read(
            json!({"caseId": 1, "statusCode": 409, "error": {"code": "version-reuse", "details": null}}),
        );
        assert_eq!(refused, Some(WithdrawalOutcome::from_wire("version-reuse")));
    }
}
