//! Documents of case files, by the entry of the annotations book that holds them (contract 3.6, 4.8, W60-W62).

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use super::case::word;
use super::contact::ContactRef;
use super::id::Sha256;
use super::number;
use crate::CalendarDate;
use integration_core::open_enum;

open_enum! {
    /// What became of a link.
    LinkOutcome {
        /// The document is visible.
        Linked = "linked",
        /// It was, in the same form.
        Duplicate = "duplicate",
        /// Something newer is there.
        Stale = "stale",
    }
}

open_enum! {
    /// What became of an unlinking.
    UnlinkOutcome {
        /// The document is gone.
        Withdrawn = "withdrawn",
        /// It was gone already.
        Already = "already",
    }
}

/// Body of W60. `Debug` shows neither title nor file name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentLink {
    /// Rises with every change of the link; the first is 1.
    #[serde(deserialize_with = "number::read")]
    pub version: u64,
    /// SHA-256 of the bytes, under which the blob is stored.
    pub sha256: Sha256,
    /// The size in bytes.
    #[serde(deserialize_with = "number::read")]
    pub bytes: u64,
    /// The media type.
    pub media_type: String,
    /// The base name under which it is offered.
    pub file_name: String,
    /// What it is, for people.
    pub title: String,
    /// Its day.
    pub date: CalendarDate,
    /// The grants that see it; nothing: all who hold the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Vec<ContactRef>>,
}

impl fmt::Debug for DocumentLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DocumentLink")
            .field("version", &self.version)
            .field("sha256", &self.sha256)
            .field("bytes", &self.bytes)
            .field("media_type", &self.media_type)
            .field("date", &self.date)
            .field("grants", &self.grants)
            .finish_non_exhaustive()
    }
}

/// Answer of W60. Read as an object with `outcome` or as the word alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LinkAnswer {
    /// What became of it.
    pub outcome: LinkOutcome,
}

impl<'de> Deserialize<'de> for LinkAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer).map(|word| Self { outcome: LinkOutcome::from_wire(&word) })
    }
}

/// Answer of W61.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkedDocuments {
    /// The links of the entry.
    pub items: Vec<LinkedDocument>,
}

/// A link that is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LinkedDocument {
    /// Which document.
    #[serde(deserialize_with = "number::text")]
    pub document_id: String,
    /// Its link.
    #[serde(flatten)]
    pub link: DocumentLink,
}

/// Answer of W62. Read as an object with `outcome` or as the word alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnlinkAnswer {
    /// What became of it.
    pub outcome: UnlinkOutcome,
}

impl<'de> Deserialize<'de> for UnlinkAnswer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        word(deserializer).map(|word| Self { outcome: UnlinkOutcome::from_wire(&word) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_link_has_the_contracts_form_and_prints_no_name() {
        let wire = json!({"version": 1, "sha256": "0".repeat(64), "bytes": 9, "mediaType": "application/pdf",
            "fileName": "canario.pdf", "title": "Canario", "date": "02/03/2026"});
        let link: DocumentLink = serde_json::from_value(wire.clone()).unwrap();
        assert_eq!(serde_json::to_value(&link).unwrap(), wire);
        assert!(!format!("{link:?}").to_lowercase().contains("canario"));
        let mut listed = wire;
        listed["documentId"] = json!(7);
        listed["grants"] = json!([{"kind": "C", "code": "1"}]);
        let listed: LinkedDocument = serde_json::from_value(listed).unwrap();
        assert_eq!((listed.document_id.as_str(), listed.link.grants.unwrap().len()), ("7", 1));
    }

    #[test]
    fn outcomes_are_read_in_both_forms() {
        let read = |value| serde_json::from_value::<LinkAnswer>(value).unwrap().outcome;
        assert_eq!(read(json!("linked")), LinkOutcome::Linked);
        assert_eq!(read(json!({"outcome": "stale"})), LinkOutcome::Stale);
        let gone: UnlinkAnswer = serde_json::from_value(json!("already")).unwrap();
        assert_eq!(gone.outcome, UnlinkOutcome::Already);
    }
}
