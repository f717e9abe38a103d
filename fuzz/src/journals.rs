//! Files and records that somebody may have written over: an error, or the same data; never a silent difference.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use fiscal_printer::Client;
use fiscal_printer::journal::{Journal, Search};
use integration_core::clock::ManualClock;
use integration_store::{
    Change, Entry, Event, LaneChoice, Memory, NewEntry, Query, Sqlite, State, Step, Store, StoreError,
    VerifyError,
};
use legale::tracking::EvidenceLog;

use super::clients::fiscal::{client, invoice};
use super::input::Input;
use super::scripted::{Script, block_on, print};

/// What a journal says.
#[derive(Debug, PartialEq)]
struct Said {
    entries: Vec<Entry>,
    history: Vec<Event>,
    tips: String,
}

#[derive(Debug)]
enum Broken {
    Store(#[allow(dead_code)] StoreError),
    Verify(#[allow(dead_code)] VerifyError),
}

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn open(file: &Path) -> Result<Store, StoreError> {
    let url = format!("sqlite:{}", file.display());
    Ok(Store::from_backend(Sqlite::open_with_clock(&url, Arc::new(ManualClock::new())).await?))
}

/// Two lanes, entries in several states, one of them given up.
async fn write(file: &Path) -> Result<(), StoreError> {
    let store = open(file).await?;
    let outbox = store.outbox("calls");
    let ttl = std::time::Duration::from_secs(60);
    for (lane, key) in [("a", "a/1"), ("a", "a/2"), ("b", "b/1")] {
        let entry = NewEntry::new(lane, key, format!("{{\"body\":\"{key}\"}}"), "data");
        outbox.append("writer", vec![entry]).await?;
    }
    let Some(lease) = outbox.claim(LaneChoice::Named("a"), "writer", ttl).await? else { return Ok(()) };
    for (key, states) in [("a/1", [State::InFlight, State::Done]), ("a/2", [State::InFlight, State::Unknown])]
    {
        for state in states {
            let Some(entry) = outbox.find(key).await? else { return Ok(()) };
            outbox
                .apply(&lease, Step::new().with_change(Change::new(&entry, state, format!("{state:?}"))))
                .await?;
        }
    }
    outbox.release(&lease).await
}

async fn say(file: &Path) -> Result<Said, Broken> {
    let store = open(file).await?;
    let outbox = store.outbox("calls");
    let chain = outbox.verify().await.map_err(Broken::Verify)?;
    let entries = outbox.list(Query::default()).await?;
    let mut history = Vec::new();
    for entry in &entries {
        assert_eq!(outbox.find(&entry.key).await?.as_ref(), Some(entry), "an entry is not found by its key");
        history.extend(outbox.history(entry.id).await?);
    }
    Ok(Said { entries, history, tips: format!("{:?}", chain.tips) })
}

/// A journal as it was written, and what it says.
fn written() -> &'static (Vec<u8>, Said) {
    static WRITTEN: OnceLock<(Vec<u8>, Said)> = OnceLock::new();
    WRITTEN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("journal.db");
        block_on(write(&file)).unwrap();
        let said = block_on(say(&file)).unwrap();
        let whole = folder.path().join("whole.db");
        block_on(copy(&file, &whole)).unwrap();
        let bytes = std::fs::read(&whole).unwrap();
        (bytes, said)
    })
}

/// Into one file, with nothing left in a log of changes.
async fn copy(file: &Path, to: &Path) -> Result<(), sqlx::Error> {
    use sqlx::Connection as _;

    let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite:{}", file.display())).await?;
    sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await?;
    connection.close().await
}

/// Changes to the file, four bytes each: where (three), and what is added to the byte there. A `T` in front cuts the file off there.
pub fn file(data: &[u8]) {
    let (bytes, said) = written();
    let mut bytes = bytes.clone();
    for change in data.chunks_exact(4).take(16) {
        let place = usize::from(change[0]) << 16 | usize::from(change[1]) << 8 | usize::from(change[2]);
        let place = place % bytes.len().max(1);
        match change[3] {
            b'T' => bytes.truncate(place.max(1)),
            added => bytes[place] = bytes[place].wrapping_add(added),
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.db");
    std::fs::write(&file, &bytes).unwrap();
    if let Ok(found) = block_on(say(&file)) {
        assert_eq!(&found, said, "a journal says something else, and nobody notices");
    }
}

const OUTBOX: &str = "fiscal-documents";
const ENVIRONMENT: &str = "test";
const LANES: &[&str] = &["test|J-12345678-4|01", "test|J-12345678-4|99", "test||01", "test", "|||", ""];

/// Lane and state, then the record of an entry, as whoever can write the store may leave it.
pub fn records(data: &[u8]) {
    let mut input = Input(data);
    let lane = *input.choose(LANES);
    let states: &[&[State]] = &[
        &[],
        &[State::InFlight],
        &[State::InFlight, State::Done],
        &[State::InFlight, State::Refused],
        &[State::InFlight, State::Unknown],
    ];
    let states = *input.choose(states);
    let body = if input.byte() % 2 == 0 {
        invoice().to_json(&Default::default()).into_bytes()
    } else {
        b"x".to_vec()
    };
    let record = input.until(0).to_vec();
    let testimony = input.0.to_vec();
    block_on(async {
        let clock = ManualClock::new();
        let store = Store::from_backend(Memory::with_clock(Arc::new(clock.clone())));
        let outbox = store.outbox(OUTBOX);
        let key = format!("{lane}|0000000042");
        if outbox.append("writer", vec![NewEntry::new(lane, &key, body, record.clone())]).await.is_err() {
            return;
        }
        if let Ok(Some(lease)) =
            outbox.claim(LaneChoice::Named(lane), "writer", std::time::Duration::from_secs(1)).await
        {
            for state in states {
                let Ok(Some(entry)) = outbox.find(&key).await else { return };
                _ = outbox.write(&lease, vec![Change::new(&entry, *state, record.clone())]).await;
            }
            _ = outbox.release(&lease).await;
        }
        if let Ok(Some(entry)) = outbox.find(&key).await {
            _ = outbox.testify("other", entry.id, testimony).await;
        }
        let journal = Journal::builder(offline(), &store).environment(ENVIRONMENT).build().unwrap();
        let found = journal.search(Search::new()).all().await;
        match &found {
            Ok(entries) => {
                entries.iter().for_each(|entry| assert!(!format!("{entry:?}{}", entry.number()).is_empty()))
            }
            Err(error) => drop(print(error)),
        }
        for format in [0, 1] {
            let mut out = Vec::new();
            let exported = match format {
                0 => journal.export_csv(Search::new(), &mut out).await,
                _ => journal.export_json(Search::new(), &mut out).await,
            };
            if let (Ok(entries), Ok(count)) = (&found, exported) {
                assert_eq!(count, entries.len() as u64, "an export leaves something out");
                assert!(
                    format == 0 || serde_json::from_slice::<serde::de::IgnoredAny>(&out).is_ok(),
                    "an export is no JSON"
                );
            }
        }
        for made in [
            journal.open_questions().await.map(|open| format!("{open:?}")),
            journal.resume().await.map(|resumed| format!("{resumed:?}")),
            journal.verify().await.map(|chain| format!("{chain:?}")),
            journal.issue(&invoice()).await.map(|entry| format!("{entry:?}")),
        ] {
            if let Err(error) = made {
                print(&error);
            }
        }
    });
}

/// Nothing can be connected to: whatever a journal wants to send does not leave.
fn offline() -> Client {
    client(Script::new(Vec::new(), |_| None))
}

/// A log of three lines, and whatever was made of it; a hash for the chance of an honest end is not left to it.
pub fn evidence(data: &[u8]) {
    static WRITTEN: OnceLock<Vec<u8>> = OnceLock::new();
    let written = WRITTEN.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evidence.jsonl");
        block_on(async {
            let mut log = EvidenceLog::open(&path).await.unwrap();
            for event in ["created", "started", "signed"] {
                let at = "2026-11-22T08:00:00Z".parse().unwrap();
                log.append(legale::tracking::Entry::new(at, "d41d8cd98f", event)).await.unwrap();
            }
        });
        std::fs::read(&path).unwrap()
    });
    // `R`: raw bytes. Otherwise changes of three bytes: where (two), and what is added; `T` cuts off.
    let bytes = match data.split_first() {
        Some((b'R', raw)) => raw.to_vec(),
        _ => {
            let mut bytes = written.clone();
            for change in data.chunks_exact(3).take(8) {
                let place = (usize::from(change[0]) << 8 | usize::from(change[1])) % bytes.len().max(1);
                match change[2] {
                    b'T' => bytes.truncate(place.max(1)),
                    added => bytes[place] = bytes[place].wrapping_add(added),
                }
            }
            bytes
        }
    };
    match block_on(legale::tracking::verify(&bytes[..])) {
        Ok(verified) => {
            let whole = bytes.len() - usize::try_from(verified.torn).unwrap();
            let is_part = written.starts_with(&bytes[..whole]) || data.first() == Some(&b'R');
            assert!(is_part, "another log is verified: {:?}", String::from_utf8_lossy(&bytes));
        }
        Err(error) => drop(print(&error)),
    }
}
