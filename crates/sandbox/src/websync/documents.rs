//! Blobs and the documents that refer to them (rows W50 to W62, section 4.8).

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::portal::{Done, Portal};
use super::refusal::Refusal;
use super::wire::{ContactRef, DocumentLink, Reason, is_hex64, sha256};
use crate::clock::Moment;

/// How long a blob is kept that nothing refers to (B3).
const UNLINKED: Duration = Duration::from_secs(24 * 60 * 60);

/// A stored file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Blob {
    #[serde(with = "crate::kept::packed")]
    pub(super) bytes: Bytes,
    pub(super) media_type: String,
    stored: Moment,
}

/// A document of a case, or the tombstone of one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Document {
    pub(super) link: DocumentLink,
    pub(super) gone: Option<Reason>,
}

pub(super) type DocumentKey = (i64, String, String);

impl Portal {
    /// Drops blobs that nobody linked in time.
    pub(super) fn drop_unlinked(&mut self, now: Moment) {
        let old = |blob: &Blob| blob.stored.plus(UNLINKED) <= now;
        if !self.blobs.values().any(old) {
            return;
        }
        let linked = self.linked();
        self.blobs.retain(|digest, blob| linked.contains(digest) || !old(blob));
    }

    /// Digests that a document or a picture refers to.
    fn linked(&self) -> BTreeSet<String> {
        let documents =
            self.documents.values().filter(|own| own.gone.is_none()).map(|own| own.link.sha256.clone());
        documents.chain(self.pictures()).collect()
    }

    fn pictures(&self) -> impl Iterator<Item = String> + '_ {
        let views = self.cases.values().flat_map(|case| case.held.values().map(|held| &held.view));
        views.filter_map(|view| view.get("grafico")?.get("sha256")?.as_str().map(str::to_owned))
    }

    /// Pictures that a view refers to and that were never stored (O9).
    pub(super) fn missing_pictures(&self) -> BTreeSet<String> {
        self.pictures().filter(|digest| !self.blobs.contains_key(digest)).collect()
    }

    /// W50
    pub(super) fn has_blob(&self, digest: &str) -> bool {
        self.blobs.contains_key(digest)
    }

    /// W51
    pub(super) fn store_blob(&mut self, digest: &str, media_type: &str, bytes: Bytes, now: Moment) -> Done {
        if !is_hex64(digest) || sha256(&bytes) != digest {
            return Err(Refusal::unprocessable("digest", Value::Null));
        }
        let data = json!({ "sha256": digest, "bytes": bytes.len() });
        if self.has_blob(digest) {
            return Ok((200, data));
        }
        let blob = Blob { bytes, media_type: media_type.to_owned(), stored: now };
        self.blobs.insert(digest.to_owned(), blob);
        Ok((201, data))
    }

    /// W60
    pub(super) fn link(&mut self, key: DocumentKey, link: DocumentLink) -> Done {
        checked(&link)?;
        if !self.cases.contains_key(&key.0) {
            return Err(Refusal::conflict("case-unknown", Value::Null));
        }
        // Before anything else: what is hidden now is not told to be linked (B2).
        if self.hidden.contains(&key) {
            return Err(Refusal::unprocessable("hidden", Value::Null));
        }
        let known = self.documents.get(&key);
        let stored = known.map_or(0, |known| known.link.version);
        let outcome =
            |outcome: &str, version: u64| Ok((200, json!({ "outcome": outcome, "storedVersion": version })));
        if link.version < stored {
            return outcome("stale", stored);
        }
        if let Some(known) = known.filter(|_| link.version == stored) {
            return match known.gone {
                None if known.link == link => outcome("duplicate", stored),
                Some(_) => outcome("stale", stored),
                None => Err(Refusal::conflict("version-reuse", json!({ "storedVersion": stored }))),
            };
        }
        let blob = self.blobs.get(&link.sha256);
        if blob.is_none_or(|blob| blob.bytes.len() as u64 != link.bytes) {
            return Err(Refusal::conflict("blob-missing", json!({ "sha256": link.sha256 })));
        }
        let version = link.version;
        self.documents.insert(key, Document { link, gone: None });
        outcome("linked", version)
    }

    /// W61
    pub(super) fn links(&self, case: i64, annotation: &str) -> Done {
        let own = |(key, document): &(&DocumentKey, &Document)| {
            key.0 == case && key.1 == annotation && document.gone.is_none()
        };
        let items: Vec<Value> =
            self.documents.iter().filter(own).map(|(key, document)| shown(key, document)).collect();
        Ok((200, json!({ "items": items, "next": null })))
    }

    /// W62
    pub(super) fn unlink(&mut self, key: DocumentKey, version: u64, reason: Reason) -> Done {
        let outcome = |outcome: &str| Ok((200, json!({ "outcome": outcome })));
        let Some(known) = self.documents.get_mut(&key) else {
            // The tombstone keeps an older link away.
            let link = tombstone(version);
            self.documents.insert(key, Document { link, gone: Some(reason) });
            return outcome("already");
        };
        let stored = known.link.version;
        if version < stored {
            return outcome("stale");
        }
        if known.gone.is_some() {
            known.link.version = version;
            return outcome("already");
        }
        if version == stored {
            return Err(Refusal::conflict("version-reuse", json!({ "storedVersion": stored })));
        }
        *known = Document { link: tombstone(version), gone: Some(reason) };
        outcome("withdrawn")
    }

    /// Documents of a case for a viewer with these grants, all of which show him the case.
    pub(super) fn documents_seen(&self, case: i64, grants: &[&ContactRef]) -> Vec<Value> {
        let range =
            (case, String::new(), String::new())..(case.saturating_add(1), String::new(), String::new());
        let open = |document: &Document| {
            let own = document.link.grants.as_ref();
            document.gone.is_none() && own.is_none_or(|own| own.iter().any(|grant| grants.contains(&grant)))
        };
        let own = self.documents.range(range).filter(|(_, document)| open(document));
        own.map(|(key, document)| shown(key, document)).collect()
    }

    /// Digest of a document of a case, for the evidence of what it was attached to.
    pub(super) fn document_digest(&self, case: i64, document: &str) -> Option<String> {
        let own =
            self.documents.iter().find(|(key, own)| key.0 == case && key.2 == document && own.gone.is_none());
        own.map(|(_, own)| own.link.sha256.clone())
    }
}

fn tombstone(version: u64) -> DocumentLink {
    DocumentLink {
        version,
        sha256: String::new(),
        bytes: 0,
        media_type: String::new(),
        file_name: String::new(),
        title: String::new(),
        date: String::new(),
        grants: None,
    }
}

/// The link with the numbers of its path.
fn shown(key: &DocumentKey, document: &Document) -> Value {
    let mut link = json!(document.link);
    if let Some(fields) = link.as_object_mut() {
        fields.insert("annotationId".to_owned(), id(&key.1));
        fields.insert("documentId".to_owned(), id(&key.2));
    }
    link
}

/// Numbers as numbers, everything else as text, such as what begins with a zero.
fn id(text: &str) -> Value {
    let number = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    number.map_or_else(|| json!(text), |number| json!(number))
}

fn checked(link: &DocumentLink) -> Result<(), Refusal> {
    let folder = link.file_name.contains(['/', '\\']) || link.file_name.is_empty();
    for (wrong, name) in [
        (link.version == 0, "version"),
        (!is_hex64(&link.sha256), "sha256"),
        (folder, "fileName"),
        (link.media_type.is_empty(), "mediaType"),
    ] {
        if wrong {
            return Err(Refusal::invalid(name));
        }
    }
    Ok(())
}
