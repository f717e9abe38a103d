//! Which documents of a case file are at the portal, and the version of each (contract B3, B5, O4, Y5).
//!
//! A version is used for one content only and rises with each change and each withdrawal, so it is written down **before** it is sent:
//! a crash finds it again and repeats under the same version and key. Neither title nor name of a document is written down.

use std::collections::BTreeMap;

use integration_core::Error;
use serde::{Deserialize, Serialize};

use super::PUBLISH;
use crate::shelf::{Shelf, Writes, wide};
use crate::web::{DocumentPlace, Reason, Sha256};

const CASES: &str = "cases";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    /// On its way: perhaps there.
    Linking,
    Linked,
    /// On its way out: perhaps there still.
    Withdrawing(Reason),
    Withdrawn,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Known {
    annotation: String,
    document: String,
    pub(super) version: u64,
    /// Digest of what the link of this version says.
    content: Option<Sha256>,
    pub(super) standing: Standing,
}

impl Known {
    pub(super) fn place(&self, case: u64) -> DocumentPlace {
        DocumentPlace { case, annotation: self.annotation.clone(), document: self.document.clone() }
    }

    pub(super) fn may_be_seen(&self) -> bool {
        self.standing != Standing::Withdrawn
    }
}

#[derive(Debug, Clone)]
pub(super) struct Ledger(Shelf);

impl Ledger {
    pub(super) fn new(store: &integration_store::Store, tenant: &str) -> Self {
        Self(Shelf::new(store, format!("apiges/{tenant}/documents"), PUBLISH))
    }

    pub(super) async fn of_case(&self, case: u64) -> Result<BTreeMap<String, Known>, Error> {
        self.0.all(&collection(case)).await
    }

    pub(super) async fn known(&self, place: &DocumentPlace) -> Result<Option<Known>, Error> {
        Ok(self.of_case(place.case).await?.remove(&key(place)?))
    }

    /// Case files that have or had documents at the portal, after one of them.
    pub(super) async fn cases(&self, after: Option<u64>, limit: usize) -> Result<Vec<u64>, Error> {
        let found = self.0.some::<u64>(CASES, after.map(wide).as_deref(), limit).await?;
        Ok(found.into_iter().map(|(_, case)| case).collect())
    }

    /// The version under which a link of this content goes out: the one of last time if it says the same, else the next that is
    /// above `floor` too. What the portal showed of a document that is `new` here counts only while it is: somebody else may have
    /// published the same meanwhile.
    pub(super) async fn linking(
        &self,
        place: &DocumentPlace,
        content: Sha256,
        (new, floor): (u64, u64),
    ) -> Result<u64, Error> {
        self.change(place, |known| {
            let floor = if known.is_none() { new.max(floor) } else { floor };
            let again = known.filter(|known| {
                matches!(known.standing, Standing::Linking | Standing::Linked)
                    && known.content == Some(content)
                    && known.version > floor
            });
            again.is_none().then(|| entry(place, above(known, floor), Some(content), Standing::Linking))
        })
        .await
    }

    /// The version under which a document is withdrawn.
    pub(super) async fn withdrawing(
        &self,
        place: &DocumentPlace,
        reason: &Reason,
        floor: u64,
    ) -> Result<u64, Error> {
        self.change(place, |known| {
            let again = known
                .filter(|known| matches!(known.standing, Standing::Withdrawing(_)) && known.version > floor);
            let standing = || Standing::Withdrawing(reason.clone());
            again.is_none().then(|| entry(place, above(known, floor), None, standing()))
        })
        .await
    }

    /// Takes over what the portal shows and the ledger does not know; whether it did not.
    pub(super) async fn adopt(&self, place: &DocumentPlace, version: u64) -> Result<bool, Error> {
        let unknown = |known: Option<&Known>| {
            let new = known.is_none_or(|known| known.version < version);
            new.then(|| entry(place, version, None, Standing::Linked))
        };
        let before = self.known(place).await?.map(|known| known.version);
        self.change(place, unknown).await.map(|after| before != Some(after))
    }

    /// Writes down that a version has arrived; not if a later one is under way meanwhile.
    pub(super) async fn settle(
        &self,
        place: &DocumentPlace,
        version: u64,
        standing: Standing,
    ) -> Result<(), Error> {
        let settled = |known: Option<&Known>| {
            let own = known.filter(|known| known.version == version && known.standing != standing)?;
            Some(Known { standing: standing.clone(), ..own.clone() })
        };
        self.change(place, settled).await.map(drop)
    }

    /// Gives the version that stands afterwards.
    async fn change(
        &self,
        place: &DocumentPlace,
        decide: impl Fn(Option<&Known>) -> Option<Known>,
    ) -> Result<u64, Error> {
        let key = key(place)?;
        let decide = |known: &BTreeMap<String, Known>, writes: &mut Writes| {
            let before = known.get(&key);
            let Some(after) = decide(before) else { return Ok(before.map_or(0, |known| known.version)) };
            writes.put(collection(place.case), key.clone(), &after)?;
            writes.put(CASES, wide(place.case), &place.case)?;
            Ok(after.version)
        };
        self.0.change(&collection(place.case), decide).await
    }
}

fn entry(place: &DocumentPlace, version: u64, content: Option<Sha256>, standing: Standing) -> Known {
    let (annotation, document) = (place.annotation.clone(), place.document.clone());
    Known { annotation, document, version, content, standing }
}

fn above(known: Option<&Known>, floor: u64) -> u64 {
    known.map_or(0, |known| known.version).max(floor).saturating_add(1)
}

fn collection(case: u64) -> String {
    format!("case/{case}")
}

/// Not joined by a plain character: each of the two may hold it.
fn key(place: &DocumentPlace) -> Result<String, Error> {
    let key = serde_json::to_string(&(&place.annotation, &place.document));
    key.map_err(|cause| Error::configuration(cause.to_string(), "report this as a defect"))
}
