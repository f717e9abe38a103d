//! Hints that outlive the process, on a store.
//!
//! The rule enforced here: a hint is committed before it is answered, under a number that the commit itself gives, so that forgetting one
//! that was dealt with can never hit one that came later.

use std::fmt;

use bytes::Bytes;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use integration_store::{Checkpoints, Commit, Record, StoreError, StoreErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{Mutex, Notify};

use super::hint::{Heard, Hint, Unknown};
use super::queue::{HintQueue, HintSink, Waiting};
use super::route::Route;
use crate::value::Extra;
use crate::wire::token;

const COLLECTION: &str = "hints";
/// Others who write at the same time each get one commit through; more in a row is no race any more.
const ATTEMPTS: usize = 32;

/// Hints in a checkpoint of a store, in the order of their arrival. Nobody else may use that checkpoint; receivers and workers of
/// several processes may share it.
///
/// A hint is a kind, an id and a digest. A body that does not fit its route is kept whole but for the secret, until it is handled.
///
/// ```
/// use sugester::webhook::{Hint, HintQueue, HintSink, StoredHints, Subject};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = integration_store::Store::open("memory:").await?; // in earnest `sqlite:…` or `postgres://…`
/// let hints = StoredHints::new(store.checkpoints("bitfactura-hints"));
/// hints.keep(Hint::new(Subject::Client, 17)).await?;
/// assert_eq!(hints.waiting(0, 100).await?.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).unwrap();
/// ```
pub struct StoredHints {
    checkpoints: Checkpoints,
    /// The version that was seen last: one commit at a time here, and none that is bound to fail.
    version: Mutex<Option<i64>>,
    arrived: Notify,
}

/// The name alone: some stores print all that they hold, and unknown bodies may hold anything.
impl fmt::Debug for StoredHints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredHints").field("name", &self.checkpoints.name()).finish_non_exhaustive()
    }
}

impl StoredHints {
    /// Hints in this checkpoint.
    #[must_use]
    pub fn new(checkpoints: Checkpoints) -> Self {
        Self { checkpoints, version: Mutex::new(None), arrived: Notify::new() }
    }

    async fn put(&self, heard: Heard) -> Result<(), Error> {
        let value = written(&heard);
        self.commit("keep a hint", |number| {
            vec![Record { collection: COLLECTION.to_owned(), key: key(number), value: Some(value.clone()) }]
        })
        .await?;
        self.arrived.notify_one();
        Ok(())
    }

    /// Commits what `records` makes of the number that the commit will have.
    async fn commit(
        &self,
        operation: &'static str,
        records: impl Fn(u64) -> Vec<Record>,
    ) -> Result<(), Error> {
        let mut seen = self.version.lock().await;
        for _ in 0..ATTEMPTS {
            let version = match *seen {
                Some(version) => version,
                None => self.look().await.map_err(|error| failed(operation, error))?,
            };
            let number = u64::try_from(version).unwrap_or_default().saturating_add(1);
            let commit = Commit { version, cursor: Bytes::new(), records: records(number) };
            // Unknown until the commit is through: it may be dropped half way.
            *seen = None;
            match self.checkpoints.commit(commit).await {
                Ok(made) => {
                    *seen = Some(made.version);
                    return Ok(());
                }
                Err(error) if error.kind() == StoreErrorKind::Conflict => {}
                Err(error) => return Err(failed(operation, error)),
            }
        }
        Err(Error::new(ErrorKind::Store, operation)
            .with_outcome(Outcome::NotSent)
            .with_message("others wrote at the same time, again and again")
            .with_hint("see who else uses this checkpoint; what was not kept is found by polling"))
    }

    async fn look(&self) -> Result<i64, StoreError> {
        Ok(self.checkpoints.get().await?.map_or(0, |found| found.version))
    }
}

/// Of equal length, so that the order of the texts is that of the numbers.
fn key(number: u64) -> String {
    format!("{number:020}")
}

fn failed(operation: &'static str, error: StoreError) -> Error {
    Error::new(ErrorKind::Store, operation)
        .with_outcome(Outcome::NotSent)
        .with_hint("see the store; what was not kept is found by polling")
        .with_source(error)
}

/// A hint or an unknown body as it stands in the store.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written {
    Hint(Hint),
    Unknown { route: String, raw: Box<RawValue>, digest: String },
}

fn written(heard: &Heard) -> Bytes {
    let written = match heard {
        Heard::Hint(hint) => Written::Hint(hint.clone()),
        Heard::Unknown(Unknown { route, raw, digest }) => {
            Written::Unknown { route: route.name().to_owned(), raw: token(raw), digest: digest.clone() }
        }
    };
    serde_json::to_vec(&written).unwrap_or_default().into()
}

fn read(number: &str, value: &[u8]) -> Option<Waiting> {
    let heard = match serde_json::from_slice(value).ok()? {
        Written::Hint(hint) => Heard::Hint(hint),
        Written::Unknown { route, raw, digest } => {
            let raw = Extra::parse(raw.get())?;
            Heard::Unknown(Unknown { route: Route::named(&route)?, raw, digest })
        }
    };
    Some(Waiting::new(number.parse().ok()?, heard))
}

fn unreadable(number: &str) -> Error {
    Error::new(ErrorKind::Store, "read hints")
        .with_outcome(Outcome::ReadOnly)
        .with_message(format!("what waits as {number} cannot be read"))
        .with_hint("the checkpoint is used by something else, or was written by a newer version")
}

impl HintSink for StoredHints {
    fn keep(&self, hint: Hint) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.put(Heard::Hint(hint)))
    }

    fn keep_unknown(&self, unknown: Unknown) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.put(Heard::Unknown(unknown)))
    }
}

impl HintQueue for StoredHints {
    fn waiting(&self, after: u64, limit: usize) -> BoxFuture<'_, Result<Vec<Waiting>, Error>> {
        Box::pin(async move {
            let found = self.checkpoints.records(COLLECTION, Some(&key(after)), limit).await;
            let found = found.map_err(|error| failed("read hints", error))?;
            let read =
                |(number, value): &(String, Bytes)| read(number, value).ok_or_else(|| unreadable(number));
            found.iter().map(read).collect()
        })
    }

    fn finish(&self, numbers: Vec<u64>) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if numbers.is_empty() {
                return Ok(());
            }
            let gone =
                |number: &u64| Record { collection: COLLECTION.to_owned(), key: key(*number), value: None };
            self.commit("finish hints", |_| numbers.iter().map(gone).collect()).await
        })
    }

    fn arrival(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.arrived.notified())
    }
}

#[cfg(test)]
mod tests {
    use integration_store::Store;

    use super::*;
    use crate::webhook::Subject;

    fn numbers(waiting: &[Waiting]) -> Vec<u64> {
        waiting.iter().map(|waiting| waiting.number).collect()
    }

    #[tokio::test]
    async fn what_is_kept_by_many_is_whole_and_in_order() {
        let store = Store::open("memory:").await.unwrap();
        let [one, other] = [(); 2].map(|()| StoredHints::new(store.checkpoints("hints")));
        for id in 1..=20 {
            let sink = if id % 2 == 0 { &one } else { &other };
            sink.keep(Hint::new(Subject::Client, id)).await.unwrap();
        }
        let waiting = one.waiting(0, 100).await.unwrap();
        let ids: Vec<_> = waiting.iter().map(|waiting| waiting.heard.to_string()).collect();
        assert_eq!(ids, (1..=20).map(|id| format!("client {id}")).collect::<Vec<_>>());
        other.finish(numbers(&waiting[..19])).await.unwrap();
        one.keep(Hint::new(Subject::Client, 1)).await.unwrap();
        let rest = other.waiting(0, 100).await.unwrap();
        assert_eq!(rest.iter().map(|w| w.heard.to_string()).collect::<Vec<_>>(), ["client 20", "client 1"]);
        assert!(rest[1].number > waiting[19].number, "no number is given twice");
    }

    #[tokio::test]
    async fn an_unknown_body_comes_back_token_for_token() {
        let store = Store::open("memory:").await.unwrap();
        let hints = StoredHints::new(store.checkpoints("hints"));
        let raw = Extra::parse(r#"{"product":{"price":19.90}}"#).unwrap();
        let unknown = Unknown { route: Route::Product, raw, digest: "ab".into() };
        hints.keep_unknown(unknown.clone()).await.unwrap();
        assert_eq!(hints.waiting(0, 1).await.unwrap()[0].heard, Heard::Unknown(unknown));
    }

    #[tokio::test]
    async fn what_is_not_ours_is_an_error() {
        let store = Store::open("memory:").await.unwrap();
        let record = Record { collection: COLLECTION.to_owned(), key: key(1), value: Some("[]".into()) };
        let commit = Commit { version: 0, cursor: Bytes::new(), records: vec![record] };
        store.checkpoints("hints").commit(commit).await.unwrap();
        assert!(StoredHints::new(store.checkpoints("hints")).waiting(0, 9).await.is_err());
    }
}
