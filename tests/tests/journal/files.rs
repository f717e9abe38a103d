//! A journal in an SQLite file: after a restart, of a newer version, and tampered with behind its back.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use integration_store::StoreErrorKind;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::*;

/// A folder of its own that goes with the test.
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("journal-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("journal.db")
    }

    pub(super) async fn open(&self) -> Result<Store, integration_store::StoreError> {
        Store::open(&format!("sqlite://{}", self.file().display())).await
    }

    /// Everything that lies in the folder, also what was not yet moved into the main file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
    }

    async fn run(&self, sql: &str) {
        let mut connection = SqliteConnectOptions::new().filename(self.file()).connect().await.unwrap();
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) async fn bench_in(folder: &Folder) -> Bench {
    let bench = bench().await;
    let store = folder.open().await.unwrap();
    let client = client_on(bench.fiscal(), bench.fiscal().token(), &bench.clock);
    let journal = Journal::builder(client, &store).build().unwrap();
    Bench { store, journal, ..bench }
}

#[tokio::test]
async fn what_was_issued_or_lost_is_known_after_a_restart() {
    let folder = Folder::new();
    let bench = bench_in(&folder).await;
    bench.journal.issue(&invoice(1)).await.unwrap();
    bench.lose_acted(2).await;
    let Bench { sandbox, clock, .. } = bench;
    let store = folder.open().await.unwrap();
    let client = client_on(sandbox.fiscal(), sandbox.fiscal().token(), &clock);
    let journal = Journal::builder(client, &store).build().unwrap();
    let bench = Bench { sandbox, clock, store, journal };
    assert_eq!(bench.journal.issue(&invoice(1)).await.unwrap().control_text(), Some("00-00000001"));
    assert_eq!(bench.journal.issue(&invoice(2)).await.unwrap_err().outcome(), Outcome::Unknown);
    assert_eq!(bench.issues().len(), 2);
    assert_eq!(bench.resolve_settled(2).await.state(), DocumentState::Issued);
    assert_eq!(bench.fiscal().documents().len(), 2);
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_before_anything_is_sent() {
    let folder = Folder::new();
    drop(bench_in(&folder).await);
    folder.run("PRAGMA user_version = 9999").await;
    let error = folder.open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Schema, "{error}");
}

#[tokio::test]
async fn tampering_with_the_file_is_found() {
    for sql in [
        "UPDATE integration_events SET data = CAST(replace(CAST(data AS TEXT), '23.20', '13.20') AS BLOB) WHERE id = 2",
        "UPDATE integration_events SET worker = 'somebody' WHERE id = 1",
        "UPDATE integration_events SET at = at - 86400000 WHERE id = 3",
        "DELETE FROM integration_events WHERE id = (SELECT max(id) FROM integration_events)",
        "UPDATE integration_entries SET state = (SELECT state FROM integration_entries WHERE id = 2) WHERE id = 1",
        "UPDATE integration_entries SET body = CAST(replace(CAST(body AS TEXT), '23.20', '13.20') AS BLOB) WHERE id = 1",
    ] {
        let folder = Folder::new();
        let bench = bench_in(&folder).await;
        bench.journal.issue(&invoice(1)).await.unwrap();
        bench.refuse(2, "");
        bench.journal.issue(&invoice(2)).await.unwrap_err();
        let report = bench.journal.verify().await.unwrap();
        assert_eq!((report.series, report.lines), (1, 6));
        folder.run(sql).await;
        let error = bench.journal.verify().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Store, "{sql}: {error}");
        assert!(error.to_string().contains(RIF), "names the line: {error}");
    }
}

/// 9.3: "bytes and hash must match".
#[tokio::test]
async fn bytes_that_were_altered_are_not_sent() {
    for lost in [true, false] {
        let bench = bench().await;
        if lost {
            bench.lose_unacted(1).await;
        } else {
            bench.journal.prepare(&invoice(1)).await.unwrap();
        }
        let entry = bench.stored(1).await;
        let altered =
            String::from_utf8(entry.data.to_vec()).unwrap().replace(bench.entry(1).await.hash(), "00");
        replace_data(&bench, &entry, altered).await;
        bench.clock.advance(DELAY);
        let sent = bench.issues().len();
        let _ = bench.journal.resume().await;
        let _ = bench.journal.resolve(&bench.series(), &number(1)).await;
        assert_eq!(bench.issues().len(), sent, "lost: {lost}");
    }
}

/// What stands beside the bytes is changed, through moves that the store allows.
async fn replace_data(bench: &Bench, entry: &Entry, data: String) {
    let lane = entry.lane.clone();
    let choice = integration_store::LaneChoice::Named(&lane);
    let outbox = bench.outbox();
    let lease = outbox.claim(choice, "editor", Duration::from_secs(10)).await.unwrap().unwrap();
    let path = match entry.state {
        State::Unknown => [State::InFlight, State::Unknown],
        _ => [State::Dead, State::Prepared],
    };
    let mut entry = entry.clone();
    for state in path {
        let change = integration_store::Change::new(&entry, state, data.clone());
        entry = outbox.write(&lease, vec![change]).await.unwrap().remove(0);
    }
    outbox.release(&lease).await.unwrap();
}
