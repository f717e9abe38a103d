//! What webhooks say has changed, kept until a run has taken it over (contract 4.6: the body is a hint).
//!
//! The rule enforced here: a hint is forgotten only if no other of the same record came since it was taken, so that none is lost
//! however often, late or out of order they come.

use integration_core::{BoxFuture, Error};
use integration_store::{Checkpoints, Commit, Record, StoreErrorKind};

use super::book::{PAGE, failed};
use super::engine::Synchroniser;
use super::report::RecordRef;
use super::run::{HINT, hint_key};
use crate::webhook::{Hint, HintSink, Subject};

/// A receiver of webhooks hands what it heard to the synchronisation, which takes it over at its next run.
impl HintSink for Synchroniser {
    fn keep(&self, hint: Hint) -> BoxFuture<'_, Result<(), Error>> {
        let record = match hint.subject {
            Subject::Client => RecordRef::BitFacturaClient(hint.id),
            Subject::Invoice => RecordRef::Invoice(hint.id),
        };
        Box::pin(self.hint(record))
    }
}

#[derive(Debug, Clone)]
pub(super) struct Hints(pub(super) Checkpoints);

/// How often a commit is tried against others that write hints at the same time.
const MOST_TRIES: u32 = 64;

impl Hints {
    pub(super) async fn add(&self, record: RecordRef) -> Result<(), Error> {
        let (key, mut tries) = (hint_key(record), 0);
        loop {
            let version = self.version().await?;
            let value = Some(version.to_string().into());
            let record = Record { collection: HINT.to_owned(), key: key.clone(), value };
            if self.committed(version, vec![record], &mut tries).await? {
                return Ok(());
            }
        }
    }

    pub(super) async fn page(&self, after: Option<&str>) -> Result<Vec<(String, String)>, Error> {
        let found = self.0.records(HINT, after, PAGE).await.map_err(failed)?;
        Ok(found
            .into_iter()
            .map(|(key, value)| (key, String::from_utf8_lossy(&value).into_owned()))
            .collect())
    }

    /// Forgets hints that stand as they were taken.
    pub(super) async fn forget(&self, taken: &[(String, String)]) -> Result<(), Error> {
        let mut tries = 0;
        while !taken.is_empty() {
            let version = self.version().await?;
            let records = self.standing(taken).await?;
            if self.committed(version, records, &mut tries).await? {
                break;
            }
        }
        Ok(())
    }

    /// The removal of those that stand as they were taken.
    async fn standing(&self, taken: &[(String, String)]) -> Result<Vec<Record>, Error> {
        let Some((first, _)) = taken.first() else { return Ok(Vec::new()) };
        // From just before the first on: keys have one length, and a shorter one sorts before all that begin with it.
        let before = first.get(..first.len().saturating_sub(1)).unwrap_or_default();
        let mut now = std::collections::BTreeMap::new();
        let mut after = Some(before.to_owned());
        while let Some(from) = after {
            let page = self.page(Some(&from)).await?;
            let last = page.last().map(|(key, _)| key.clone());
            now.extend(page);
            after = last.filter(|last| taken.last().is_some_and(|(key, _)| last < key));
        }
        let stands = taken.iter().filter(|(key, value)| now.get(key) == Some(value));
        let gone = |(key, _): &(String, String)| Record {
            collection: HINT.to_owned(),
            key: key.clone(),
            value: None,
        };
        Ok(stands.map(gone).collect())
    }

    async fn version(&self) -> Result<i64, Error> {
        Ok(self.0.get().await.map_err(failed)?.map_or(0, |found| found.version))
    }

    /// Commits, unless somebody has come in between since `version`. No closure decides what: a future that holds an async one cannot
    /// be sent to another thread, and a receiver of webhooks has to.
    async fn committed(&self, version: i64, records: Vec<Record>, tries: &mut u32) -> Result<bool, Error> {
        *tries += 1;
        match self.0.commit(Commit { version, cursor: bytes::Bytes::new(), records }).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == StoreErrorKind::Conflict && *tries < MOST_TRIES => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }
}
