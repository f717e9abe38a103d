//! Blobs and the documents that they become, in two steps (contract 4.8 B3, W50 to W62).

use std::cmp::Ordering;
use std::time::Duration;

use bytes::Bytes;

use super::super::{
    Blob, ContactRef, DocumentLink, DocumentPlace, LinkAnswer, LinkOutcome, LinkedDocument, LinkedDocuments,
    Reason, RefusalCode, Sha256, UnlinkAnswer, UnlinkOutcome, ViewerDocument,
};
use super::denial::Denial;
use super::portal::Portal;

/// How long a blob that nothing refers to is kept.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug)]
pub(super) struct StoredBlob {
    at: Duration,
    bytes: u64,
}

/// A document, or what is left of one: its last version.
#[derive(Debug)]
pub(super) struct Document {
    version: u64,
    link: Option<DocumentLink>,
}

impl Document {
    pub(super) fn grants_mut(&mut self) -> impl Iterator<Item = &mut ContactRef> {
        self.link.iter_mut().filter_map(|link| link.grants.as_mut()).flatten()
    }
}

impl Portal {
    /// Drops the blobs to which nothing has referred for a day (B3).
    fn sweep(&mut self, now: Duration) {
        let links = self.documents.values().filter_map(|document| document.link.as_ref());
        let views = self.cases.values().flat_map(|case| case.held.values().filter_map(|held| held.view()));
        let pictures = views.filter_map(|view| view.grafico.as_ref());
        let used: std::collections::BTreeSet<Sha256> =
            links.map(|link| link.sha256).chain(pictures.map(|picture| picture.sha256)).collect();
        self.blobs.retain(|sha256, blob| now.saturating_sub(blob.at) < KEPT || used.contains(sha256));
    }

    /// W50
    pub(super) fn has_blob(&mut self, sha256: Sha256, now: Duration) -> bool {
        self.sweep(now);
        self.blobs.contains_key(&sha256)
    }

    /// Whether a blob of this size is taken at all.
    pub(super) fn takes(&self, bytes: u64) -> Result<(), Denial> {
        let limit = self.limits.blob_bytes;
        if bytes > limit { Err(Denial::too_large(limit)) } else { Ok(()) }
    }

    /// W51
    pub(super) fn put_blob(&mut self, blob: &Blob, content: &Bytes, now: Duration) -> Result<(), Denial> {
        self.takes(content.len() as u64)?;
        if Sha256::of(content) != blob.sha256 {
            return Err(Denial::unprocessable(RefusalCode::Digest));
        }
        let bytes = content.len() as u64;
        self.blobs.entry(blob.sha256).or_insert(StoredBlob { at: now, bytes });
        Ok(())
    }

    /// W60
    pub(super) fn link(
        &mut self,
        place: &DocumentPlace,
        link: &DocumentLink,
        now: Duration,
    ) -> Result<LinkAnswer, Denial> {
        self.sweep(now);
        if link.version == 0 {
            return Err(Denial::invalid("version"));
        }
        if !self.cases.contains_key(&place.case) {
            return Err(Denial::conflict(RefusalCode::CaseUnknown));
        }
        if self.hidden.contains(place) {
            return Err(Denial::unprocessable(RefusalCode::Hidden));
        }
        self.judge_link(place, link).map(|outcome| LinkAnswer { outcome })
    }

    fn judge_link(&mut self, place: &DocumentPlace, link: &DocumentLink) -> Result<LinkOutcome, Denial> {
        let known = self.documents.get(place);
        let stored = known.map_or(0, |document| document.version);
        match link.version.cmp(&stored) {
            Ordering::Less => Ok(LinkOutcome::Stale),
            Ordering::Equal if known.and_then(|known| known.link.as_ref()) == Some(link) => {
                Ok(LinkOutcome::Duplicate)
            }
            // What is left of a document keeps its own version away too.
            Ordering::Equal if known.is_some_and(|known| known.link.is_none()) => Ok(LinkOutcome::Stale),
            Ordering::Equal => Err(Denial::version_reuse(stored)),
            Ordering::Greater if !self.has_whole(link) => Err(Denial::conflict(RefusalCode::BlobMissing)),
            Ordering::Greater => {
                let document = Document { version: link.version, link: Some(link.clone()) };
                self.documents.insert(place.clone(), document);
                Ok(LinkOutcome::Linked)
            }
        }
    }

    fn has_whole(&self, link: &DocumentLink) -> bool {
        self.blobs.get(&link.sha256).is_some_and(|blob| blob.bytes == link.bytes)
    }

    /// W61
    pub(super) fn links(&self, case: u64, annotation: &str) -> LinkedDocuments {
        let there = self.documents.iter().filter(|(place, _)| place.case == case);
        let there = there.filter(|(place, _)| place.annotation == annotation);
        let items = there.filter_map(|(place, document)| {
            Some(LinkedDocument { document_id: place.document.clone(), link: document.link.clone()? })
        });
        LinkedDocuments { items: items.collect() }
    }

    /// The documents of a case for a viewer whose grants these are.
    pub(super) fn documents_seen(&self, case: u64, grants: &[ContactRef]) -> Vec<ViewerDocument> {
        let own = self.documents.iter().filter(|(place, _)| place.case == case);
        let shown = own.filter_map(|(place, document)| Some((place, document.link.clone()?)));
        let open = shown.filter(|(_, link)| {
            link.grants.as_ref().is_none_or(|listed| listed.iter().any(|grant| grants.contains(grant)))
        });
        let document = |(place, link): (&DocumentPlace, DocumentLink)| ViewerDocument {
            annotation_id: place.annotation.clone(),
            document: LinkedDocument { document_id: place.document.clone(), link },
        };
        open.map(document).collect()
    }

    /// W62: a version that was issued for this. One that comes late is `stale` (O5).
    pub(super) fn unlink(
        &mut self,
        place: &DocumentPlace,
        version: u64,
        reason: &Reason,
    ) -> Result<UnlinkAnswer, Denial> {
        if version == 0 || !Reason::LISTED.contains(reason) {
            return Err(Denial::invalid("version and reason"));
        }
        let known = self.documents.get(place);
        let stored = known.map_or(0, |document| document.version);
        let is_there = known.is_some_and(|document| document.link.is_some());
        let outcome = match version.cmp(&stored) {
            // Not `already`: something newer may be there to see.
            Ordering::Less => return Ok(UnlinkAnswer { outcome: UnlinkOutcome::from_wire("stale") }),
            Ordering::Equal if is_there => return Err(Denial::version_reuse(stored)),
            _ if is_there => UnlinkOutcome::Withdrawn,
            _ => UnlinkOutcome::Already,
        };
        self.documents.insert(place.clone(), Document { version, link: None });
        Ok(UnlinkAnswer { outcome })
    }

    /// The digests of documents of a case, by their ids.
    pub(super) fn attached(&self, case: u64, documents: &[String]) -> Result<Vec<Sha256>, Denial> {
        let digest = |id: &String| {
            let mut all = self.documents.iter().filter(|(place, _)| place.case == case);
            all.find_map(|(place, document)| {
                let link = document.link.as_ref().filter(|_| place.document == *id)?;
                Some(link.sha256)
            })
        };
        let digests: Option<Vec<Sha256>> = documents.iter().map(digest).collect();
        digests.ok_or_else(|| Denial::refused("attachments"))
    }
}
