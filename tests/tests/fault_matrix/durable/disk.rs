//! Row 24: what is left of a journal when the machine stops, the disk lies, fails or is full, and when bits change.
//!
//! A child process (this very test binary) works on a store through `shim.c`, which writes down every write and every sync of the
//! files in their order. A power cut is then any prefix of that record, with what was not synced lost in whole or in part. What the
//! child was told to be done by then must be there, done, and the history must verify. A sync that fails drops what it was to write
//! out, as Linux does.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use integration_store::{Change, Entry, NewEntry, Outbox, Query, State, Step, Store, StoreError};

use super::super::clock::Dice;
use super::super::kept::Told;

const FOLDER: &str = "FAULT_MATRIX_DISK";
const STORE: &str = "the store on SQLite";
/// How often the child opens the store; what it does each time.
const ROUNDS: usize = 3;
const ALONE: usize = 5;
const TOGETHER: usize = 6;
const LEASE: Duration = Duration::from_secs(3_600);

/// In memory where the machine has that: nothing of this wants a disk.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let memory = Path::new("/dev/shm");
        let root = if memory.is_dir() { memory } else { Path::new(env!("CARGO_TARGET_TMPDIR")) };
        let name = format!("fault-matrix-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    pub fn url(&self) -> String {
        url_in(&self.0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn url_in(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("store.db").display())
}

/// The shim, compiled with the C compiler that SQLite was compiled with.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let name = format!("fault-matrix-shim-{}.so", std::process::id());
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fault_matrix/durable/shim.c");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let done =
            Command::new(compiler).args(["-O1", "-shared", "-fPIC", "-o"]).arg(&library).arg(source).status();
        assert!(done.is_ok_and(|status| status.success()), "the shim needs a C compiler, as SQLite does");
        library
    })
}

// ----------------------------------------------------------------------------------------------------------------- the child

/// Not a test of its own: journalled calls, one by one and many at once; says of each what became of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let folder = PathBuf::from(folder);
    let mut acks = fs::File::options().append(true).create(true).open(folder.join("acks")).unwrap();
    for round in 0..ROUNDS {
        let store = match Store::open(&url_in(&folder)).await {
            Ok(store) => store,
            Err(error) => {
                writeln!(acks, "failed open {:?}", error.kind()).unwrap();
                continue;
            }
        };
        for call in 0..ALONE {
            tell(&mut acks, call_one(&store.outbox("o"), "a", &format!("a-{round}-{call}")).await);
        }
        let mut together = tokio::task::JoinSet::new();
        for call in 0..TOGETHER {
            let outbox = store.outbox("o");
            let (lane, key) = (format!("lane {call}"), format!("t-{round}-{call}"));
            together.spawn(async move { call_one(&outbox, &lane, &key).await });
        }
        while let Some(done) = together.join_next().await {
            tell(&mut acks, done.unwrap());
        }
    }
}

/// One line, one write: it says what was known at its place in the record.
fn tell(acks: &mut fs::File, told: String) {
    acks.write_all(told.as_bytes()).unwrap();
}

async fn call_one(outbox: &Outbox, lane: &str, key: &str) -> String {
    match begin(outbox, lane, key).await {
        Err(error) => format!("failed begin {key} {:?}\n", error.kind()),
        Ok(None) => format!("failed begin {key} Taken\n"),
        Ok(Some((lease, entry))) => {
            let done = Change {
                entry: entry.id,
                version: entry.version,
                state: State::Done,
                data: "ok".into(),
                body: None,
            };
            match outbox.apply(&lease, Step::new().with_change(done).with_release()).await {
                Ok(_) => format!("done {key}\n"),
                Err(error) => format!("failed end {key} {:?}\n", error.kind()),
            }
        }
    }
}

async fn begin(
    outbox: &Outbox,
    lane: &str,
    key: &str,
) -> Result<Option<(integration_store::Lease, Entry)>, StoreError> {
    // What an earlier failure left in flight is found by a claim and answered, as a journal does.
    if let Some(left) = outbox.list(Query::open().with_lane(lane)).await?.into_iter().next() {
        let lease = outbox.claim(integration_store::LaneChoice::Named(lane), "w", LEASE).await?;
        if let (Some(lease), Some(open)) = (lease, outbox.find(&left.key).await?) {
            let refused = Change {
                entry: open.id,
                version: open.version,
                state: State::Refused,
                data: "".into(),
                body: None,
            };
            outbox.apply(&lease, Step::new().with_change(refused).with_release()).await?;
        }
    }
    let seen = outbox.lane(lane).await?;
    let new = NewEntry::new(lane, key, format!("body of {key}"), "").with_in_flight();
    let begun = outbox.claim_and_apply(lane, "w", LEASE, seen.fence, Step::new().with_append(new)).await?;
    Ok(begun.map(|(lease, mut entries)| (lease, entries.remove(0))))
}

// ---------------------------------------------------------------------------------------------------------------- the record

#[derive(Debug, Clone)]
enum Record {
    Write {
        file: String,
        at: usize,
        bytes: Vec<u8>,
    },
    Sync {
        file: String,
    },
    Cut {
        file: String,
        size: usize,
    },
    Gone {
        file: String,
    },
    /// A sync that failed: what it was to write out never will be.
    Failed {
        file: String,
    },
}

fn records(mut log: &[u8]) -> Vec<Record> {
    let mut records = Vec::new();
    while let Some(end) = log.iter().position(|byte| *byte == b'\n') {
        let line = String::from_utf8(log[..end].to_vec()).unwrap();
        log = &log[end + 1..];
        let words: Vec<&str> = line.split(' ').collect();
        let file = words[1].to_owned();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        records.push(match words[0] {
            "W" => {
                let (bytes, rest) = log.split_at(number(3));
                log = rest;
                Record::Write { file, at: number(2), bytes: bytes.to_vec() }
            }
            "S" => Record::Sync { file },
            "T" => Record::Cut { file, size: number(2) },
            "U" => Record::Gone { file },
            _ => Record::Failed { file },
        });
    }
    records
}

/// What a child did, and what it said of it.
struct Worked {
    records: Vec<Record>,
    folder: Folder,
}

fn work(settings: &[(&str, String)]) -> Worked {
    let folder = Folder::new();
    let log = folder.0.with_extension("log");
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["fault_matrix::durable::disk::child", "--exact", "--nocapture"]);
    command
        .env(FOLDER, &folder.0)
        .env("SHIM_FOLDER", &folder.0)
        .env("SHIM_LOG", &log)
        .env("LD_PRELOAD", shim());
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    let output = command.output().unwrap();
    assert!(output.status.success(), "the child failed: {}", String::from_utf8_lossy(&output.stderr));
    let records = records(&fs::read(&log).unwrap());
    fs::remove_file(&log).unwrap();
    assert!(!records.is_empty(), "the shim saw nothing");
    Worked { records, folder }
}

type Files = BTreeMap<String, Vec<u8>>;

/// What is on the disk, and what is still on its way there.
#[derive(Default)]
struct Disk {
    there: Files,
    under_way: BTreeMap<String, Vec<Record>>,
    acks: String,
}

impl Disk {
    fn after(records: &[Record]) -> Self {
        let mut disk = Self::default();
        records.iter().for_each(|record| disk.take(record));
        disk
    }

    fn take(&mut self, record: &Record) {
        match record {
            Record::Write { file, bytes, .. } if file == "acks" => {
                self.acks.push_str(std::str::from_utf8(bytes).unwrap());
            }
            Record::Sync { file } if file == "." => self.names(),
            Record::Sync { file } => self.write_out(file),
            Record::Failed { file } => drop(self.under_way.remove(file)),
            Record::Write { file, .. } | Record::Cut { file, .. } | Record::Gone { file } => {
                let under_way = self.under_way.entry(file.clone()).or_default();
                // Another file of that name: names are kept in order by every file system that keeps a journal.
                if matches!(under_way.last(), Some(Record::Gone { .. })) {
                    under_way.clear();
                    self.there.remove(file);
                }
                under_way.push(record.clone());
            }
        }
    }

    fn write_out(&mut self, file: &str) {
        for record in self.under_way.remove(file).unwrap_or_default() {
            apply(&mut self.there, &record);
        }
    }

    /// The folder is synced: what was removed is gone.
    fn names(&mut self) {
        let gone = |records: &Vec<Record>| matches!(records.last(), Some(Record::Gone { .. }));
        let files: Vec<String> = self
            .under_way
            .iter()
            .filter(|(_, records)| gone(records))
            .map(|(file, _)| file.clone())
            .collect();
        files.iter().for_each(|file| self.write_out(file));
    }

    /// The power goes: of what was under way, nothing, all, some, or the first with a torn last one is there.
    fn cut(mut self, dice: &mut Dice) -> (Files, String) {
        let how = dice.next() % 4;
        for (_, records) in std::mem::take(&mut self.under_way) {
            let first = (dice.next() % (records.len() as u64 + 1)) as usize;
            for (at, record) in records.into_iter().enumerate() {
                match how {
                    0 => {}
                    1 => apply(&mut self.there, &record),
                    2 if dice.next().is_multiple_of(2) => apply(&mut self.there, &record),
                    3 if at < first => apply(&mut self.there, &record),
                    3 if at == first => apply(&mut self.there, &torn(record, dice)),
                    _ => {}
                }
            }
        }
        (self.there, self.acks)
    }
}

/// As many whole sectors as the disk had time for.
fn torn(record: Record, dice: &mut Dice) -> Record {
    let Record::Write { file, at, mut bytes } = record else { return record };
    let sectors = bytes.len() as u64 / 512 + 1;
    bytes.truncate((dice.next() % sectors) as usize * 512);
    Record::Write { file, at, bytes }
}

fn apply(files: &mut Files, record: &Record) {
    match record {
        Record::Write { file, at, bytes } => {
            let content = files.entry(file.clone()).or_default();
            content.resize(content.len().max(at + bytes.len()), 0);
            content[*at..at + bytes.len()].copy_from_slice(bytes);
        }
        Record::Cut { file, size } => files.entry(file.clone()).or_default().resize(*size, 0),
        Record::Gone { file } => drop(files.remove(file)),
        Record::Sync { .. } | Record::Failed { .. } => {}
    }
}

fn acked(acks: &str) -> Vec<&str> {
    acks.lines().filter_map(|line| line.strip_prefix("done ")).collect()
}

// ---------------------------------------------------------------------------------------------------------------- the verdict

fn place(files: &Files) -> Folder {
    let folder = Folder::new();
    for (name, bytes) in files {
        fs::write(folder.0.join(name), bytes).unwrap();
    }
    folder
}

/// What is there: every entry as it is listed and as it is found by its key, with its history.
type Said = Vec<(String, State, Vec<u8>, Vec<u8>, usize)>;

async fn say(folder: &Folder) -> Result<Said, String> {
    let text = |error: StoreError| error.to_string();
    let outbox = Store::open(&folder.url()).await.map_err(text)?.outbox("o");
    outbox.verify().await.map_err(|error| error.to_string())?;
    let mut said = Vec::new();
    for entry in outbox.list(Query::default().with_limit(1_000)).await.map_err(text)? {
        let is_found = outbox.find(&entry.key).await.map_err(text)?.as_ref() == Some(&entry);
        // What is listed and not found would be sent again.
        let lines = if is_found { outbox.history(entry.id).await.map_err(text)?.len() } else { usize::MAX };
        said.push((entry.key, entry.state, entry.body.to_vec(), entry.data.to_vec(), lines));
    }
    said.sort_by(|one, other| one.0.cmp(&other.0));
    Ok(said)
}

/// What of the acknowledged calls is not there as it must be.
async fn lost(files: &Files, acks: &str) -> Vec<String> {
    let said = match say(&place(files)).await {
        Ok(said) => said,
        Err(error) => return vec![error],
    };
    let is_there = |key: &str| {
        said.iter().any(|(known, state, body, data, lines)| {
            let whole =
                (body.as_slice(), data.as_slice(), *lines) == (format!("body of {key}").as_bytes(), b"ok", 3);
            known == key && *state == State::Done && whole
        })
    };
    acked(acks).into_iter().filter(|key| !is_there(key)).map(|key| format!("{key} is lost")).collect()
}

fn told(op: &'static str, fault: &str, figures: String, wrong: Vec<String>) -> Told {
    Told { subject: STORE, op, row: 24, fault: fault.to_owned(), figures, wrong }
}

/// So many cuts of a record, each at a place of its own; how many of them lost something, and what.
async fn cuts(records: &[Record], times: usize, dice: &mut Dice) -> (usize, Vec<String>) {
    let (mut harmed, mut wrong) = (0, Vec::new());
    for time in 0..times {
        // Evenly over the record, so that every sync has cuts before and after it.
        let step = records.len() as u64 / times as u64 + 1;
        let at = (time * records.len() / times) as u64 + dice.next() % step;
        let (files, acks) = Disk::after(&records[..records.len().min(at as usize)]).cut(dice);
        let lost = lost(&files, &acks).await;
        harmed += usize::from(!lost.is_empty());
        wrong.extend(lost.into_iter().map(|lost| format!("cut at {at} of {}: {lost}", records.len())));
    }
    (harmed, wrong)
}

/// Lost unsynced writes: power cuts at any place. The same on a disk that lies must lose something, or the test could not fail.
pub async fn power_cuts(times: usize, seed: u64) -> Vec<Told> {
    let mut dice = Dice(seed);
    let honest = work(&[]);
    let syncs = honest.records.iter().filter(|record| matches!(record, Record::Sync { .. })).count();
    let acks = acked(&Disk::after(&honest.records).acks).len();
    let (harmed, mut wrong) = cuts(&honest.records, times, &mut dice).await;
    if acks != ROUNDS * (ALONE + TOGETHER) {
        wrong.push(format!("{acks} calls were acknowledged of {}", ROUNDS * (ALONE + TOGETHER)));
    }
    let figures = format!(
        "{times} power cuts over {syncs} syncs and {acks} acknowledged calls, {harmed} lost anything"
    );
    let honest =
        told("journalled calls", "power cuts: unsynced writes lost, reordered, torn", figures, wrong);
    let lying = work(&[("SHIM_LIES", "1".to_owned())]);
    let (harmed, _) = cuts(&lying.records, times, &mut dice).await;
    let wrong = (harmed == 0).then(|| "a disk that lies lost nothing: the test is too kind".to_owned());
    let figures = format!("{times} power cuts, {harmed} lost something, as they must");
    vec![
        honest,
        told(
            "journalled calls",
            "control: the same on a disk that lies about syncs",
            figures,
            Vec::from_iter(wrong),
        ),
    ]
}

/// The log of changes ends anywhere, or in garbage, also where it was synced: what is left of it is a state that was, whole and verified,
/// or an error says that the file is damaged.
pub async fn torn_tails(times: usize, seed: u64) -> Told {
    let mut dice = Dice(seed);
    let records = work(&[]).records;
    let (mut wrong, mut torn, mut damaged) = (Vec::new(), 0, 0);
    for _ in 0..times {
        let at = dice.next() as usize % records.len();
        let mut disk = Disk::after(&records[..at]);
        let files: Vec<String> = disk.under_way.keys().cloned().collect();
        files.iter().for_each(|file| disk.write_out(file));
        let Some(log) = disk.there.get_mut("store.db-wal").filter(|log| !log.is_empty()) else { continue };
        let end = dice.next() as usize % log.len();
        match dice.next() % 2 {
            0 => log.truncate(end),
            _ => log[end..].iter_mut().for_each(|byte| *byte = dice.next() as u8),
        }
        torn += 1;
        match say(&place(&disk.there)).await {
            Err(error) if error.contains("damaged") => damaged += 1,
            Err(error) => wrong.push(format!("torn at {end}: {error}")),
            Ok(said) if said.iter().any(|entry| entry.4 == usize::MAX) => {
                wrong.push(format!("torn at {end}: what is listed is not found"));
            }
            Ok(_) => {}
        }
    }
    let figures =
        format!("{torn} logs torn: {damaged} told as damaged, the others opened, listed and verified");
    told("journalled calls", "torn tail: cut anywhere, or garbage from there", figures, wrong)
}

/// One bit of the closed file changes: it is an error, or nothing that is told changes.
pub async fn bit_flips(times: usize, seed: u64) -> Told {
    let mut dice = Dice(seed);
    let worked = work(&[]);
    // Closed in good order, with nothing left in the log of changes.
    let whole = worked.folder.0.join("whole.db");
    compact(&worked.folder, &whole).await;
    let bytes = fs::read(&whole).unwrap();
    let at_rest = |bytes: Vec<u8>| Files::from([("store.db".to_owned(), bytes)]);
    let before = say(&place(&at_rest(bytes.clone()))).await.unwrap();
    let (mut noticed, mut wrong) = (0, Vec::new());
    for _ in 0..times {
        let (place_of, bit) = (dice.next() as usize % bytes.len(), dice.next() % 8);
        let mut flipped = bytes.clone();
        flipped[place_of] ^= 1 << bit;
        match say(&place(&at_rest(flipped))).await {
            Err(_) => noticed += 1,
            Ok(said) if said == before => {}
            Ok(_) => wrong.push(format!("bit {bit} of byte {place_of}: the journal says something else")),
        }
    }
    let quiet = times - noticed - wrong.len();
    let figures = format!(
        "{times} flips: {noticed} told as an error, {quiet} where nothing is told, {} unnoticed",
        wrong.len()
    );
    told("a file at rest", "bit flips", figures, wrong)
}

async fn compact(folder: &Folder, to: &Path) {
    use sqlx::Connection as _;

    let mut connection = sqlx::SqliteConnection::connect(&folder.url()).await.unwrap();
    sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// The disk is full for some writes: the call fails as not writable and leaves nothing, and what was acknowledged is there.
pub async fn full_disk(times: usize, seed: u64) -> Told {
    let mut dice = Dice(seed);
    let writes = work(&[])
        .records
        .iter()
        .filter(|record| matches!(record, Record::Write { file, .. } if file != "acks"))
        .count();
    let (mut wrong, mut failed, mut after) = (Vec::new(), 0, 0);
    for time in 0..times {
        let at = 1 + (time * writes / times) as u64 + dice.next() % (writes as u64 / times as u64 + 1);
        let worked = work(&[
            ("SHIM_ENOSPC", at.to_string()),
            ("SHIM_ENOSPC_TIMES", (1 + dice.next() % 6).to_string()),
        ]);
        let disk = Disk::after(&worked.records);
        // Before anybody opens them: who closes a store removes its log a little later.
        let files = worked.folder.files();
        let said = say(&worked.folder).await;
        for line in disk.acks.lines().filter(|line| line.starts_with("failed")) {
            failed += 1;
            if !line.ends_with("NotWritable") {
                wrong.push(format!("full at write {at}: {line}"));
            }
            let begun = line.strip_prefix("failed begin ").and_then(|rest| rest.split(' ').next());
            if let (Some(key), Ok(said)) = (begun, &said)
                && said.iter().any(|entry| entry.0 == key)
            {
                wrong.push(format!("full at write {at}: {line}, and it is there"));
            }
        }
        after += acked(disk.acks.split_once("failed").map_or("", |(_, after)| after)).len();
        wrong.extend(
            lost(&files, &disk.acks).await.into_iter().map(|lost| format!("full at write {at}: {lost}")),
        );
    }
    if failed == 0 || after == 0 {
        wrong.push(format!("{failed} calls failed, {after} went well after one that failed: too kind"));
    }
    let figures = format!(
        "{times} full disks, {failed} calls told so, {after} acknowledged after there was space again"
    );
    told("journalled calls", "ENOSPC", figures, wrong)
}

impl Folder {
    /// The store's files as they lie there.
    fn files(&self) -> Files {
        let files = fs::read_dir(&self.0).unwrap().map(|file| file.unwrap().path());
        let named = files
            .map(|file| (file.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&file).unwrap()));
        named.filter(|(name, _)| name.starts_with("store.db") && !name.ends_with("-shm")).collect()
    }
}

/// A sync fails: that handle writes nothing more, and a power cut at any place afterwards loses nothing acknowledged, also what was
/// acknowledged after the store was opened again.
pub async fn failed_syncs(times: usize, seed: u64) -> Told {
    let mut dice = Dice(seed);
    let syncs = work(&[])
        .records
        .iter()
        .filter(|record| matches!(record, Record::Sync { file } if file.starts_with("store.db")))
        .count();
    let (mut wrong, mut told_of, mut cut) = (Vec::new(), 0, 0);
    for time in 0..times {
        let at = 1 + (time * syncs / times) as u64 + dice.next() % (syncs as u64 / times as u64 + 1);
        let worked = work(&[("SHIM_EIO", at.to_string())]);
        let acks = Disk::after(&worked.records).acks;
        told_of += usize::from(acks.contains("failed"));
        wrong.extend(goes_on(&acks).map(|line| format!("sync {at} failed, and then: {line}")));
        const CUTS: usize = 4;
        let failure = worked.records.iter().position(|record| matches!(record, Record::Failed { .. }));
        for _ in 0..CUTS {
            let Some(failure) = failure else { break };
            cut += 1;
            let end = failure + dice.next() as usize % (worked.records.len() - failure) + 1;
            let (files, acks) = Disk::after(&worked.records[..end]).cut(&mut dice);
            wrong.extend(
                lost(&files, &acks)
                    .await
                    .into_iter()
                    .map(|lost| format!("sync {at} failed, cut at {end}: {lost}")),
            );
        }
    }
    if told_of == 0 {
        wrong.push("no call was told of a sync that failed: too kind".to_owned());
    }
    let figures =
        format!("{times} failed syncs, {told_of} of them under a call, {cut} power cuts afterwards");
    told("journalled calls", "EIO on fsync, then power cuts", figures, wrong)
}

/// What was acknowledged after a call by itself had failed, by the same handle, which was to stop. Of calls that were made together
/// nobody knows which was told first.
fn goes_on(acks: &str) -> impl Iterator<Item = String> + '_ {
    (0..ROUNDS).flat_map(move |round| {
        let of_round = move |line: &&str| line.contains(&format!("-{round}-"));
        let failed =
            acks.lines().filter(of_round).position(|line| line.starts_with("failed") && line.contains(" a-"));
        let after = acks.lines().filter(of_round).skip(failed.unwrap_or(usize::MAX));
        after.filter(|line| line.starts_with("done")).map(str::to_owned).collect::<Vec<_>>()
    })
}

/// All of row 24, in a share of the size.
pub async fn all(times: usize, seed: u64) -> Vec<Told> {
    let mut told = power_cuts(times, seed).await;
    told.push(torn_tails(times, seed).await);
    told.push(bit_flips(times, seed).await);
    told.push(full_disk(times / 10 + 5, seed).await);
    told.push(failed_syncs(times / 10 + 5, seed).await);
    told
}
