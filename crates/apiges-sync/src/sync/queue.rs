//! What is still to be done, in the store's outbox (contract O1, O3, O6, O7).
//!
//! An entry is a **mark**: a file, a contact or a grant that has to be looked at, with no data of a file in it. Marks of one lane wait
//! together and are worked off together; a lane is one worker's at a time. What may have left already is not the mark's business but the
//! ledger's, so a mark that failed is simply `Prepared` again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use integration_core::{Error, ErrorKind};
use integration_store::{
    Change, Entry, LaneChoice, Lease, NewEntry, Outbox, Query, State, Step, Store, StoreErrorKind,
    worker_name,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ledger::{bytes_of, key_of, pad, read, stored};
use super::push::Moving;
use super::settings::Settings;
use crate::Clock;
use crate::web::{Cause, ContactRef, Instant, Refusal, uuid};

/// What a mark points at; its name is its lane's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Job {
    /// A grant's change is to be sent, or its consequences drawn.
    Grant(ContactRef),
    /// A contact joined or left a group.
    Member(ContactRef, u64),
    /// A file is to be brought in step.
    Case(u64),
    /// All files of a contact are to be sent: the single push (S8).
    Load(ContactRef),
}

impl Job {
    pub(crate) fn lane(&self) -> String {
        match self {
            Self::Grant(contact) => format!("grant/{}", key_of(contact)),
            Self::Member(contact, _) => format!("member/{}", key_of(contact)),
            Self::Case(id) => format!("case/{}", pad(*id)),
            Self::Load(contact) => format!("load/{}", key_of(contact)),
        }
    }
}

/// How soon a mark's turn is; lower is sooner (O7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Rank {
    /// Changes of grants and memberships.
    Grant,
    /// Files that somebody may no longer see, or no longer see wholly.
    Restriction,
    /// Everything else.
    Ordinary,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Mark {
    pub(crate) job: Job,
    pub(crate) rank: Rank,
    pub(crate) cause: Cause,
    pub(crate) saved_at: Instant,
}

/// What became of a mark so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tries {
    #[serde(default)]
    pub(crate) tries: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next_at: Option<Instant>,
    /// Kind and code of the failure: its words might repeat what was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

/// Something that was set aside after too many tries, or because it can never succeed as it is (O6). It holds up nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadEntry {
    /// For [`WebSync::replay`](super::WebSync::replay).
    pub id: i64,
    /// What it is about, such as `case/00000000000000003992`.
    pub what: String,
    /// When the change was saved.
    pub saved_at: Instant,
    /// How often it was tried.
    pub tries: u32,
    /// Kind and code of the last failure.
    pub error: Option<String>,
}

/// A lane that is taken, with its marks in flight.
#[derive(Debug)]
pub(crate) struct Taken {
    lease: Lease,
    entries: Vec<Entry>,
    pub(crate) job: Job,
    pub(crate) causes: Vec<Cause>,
    pub(crate) saved_at: Instant,
    pub(crate) tries: u32,
}

/// When a lane's turn is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Turn {
    rank: Rank,
    first: i64,
    due: Option<Instant>,
}

/// The lanes with something open, as far as they were read.
#[derive(Debug, Default)]
pub(crate) struct Schedule {
    lanes: BTreeMap<String, Turn>,
    read_to: i64,
}

impl Schedule {
    fn note(&mut self, entry: &Entry) -> Result<(), Error> {
        let (mark, tries): (Mark, Tries) = (read(&entry.body)?, tries_of(entry)?);
        let turn = Turn { rank: mark.rank, first: entry.id, due: tries.next_at };
        self.lanes
            .entry(entry.lane.clone())
            .and_modify(|own| {
                own.rank = own.rank.min(turn.rank);
                own.first = own.first.min(turn.first);
                own.due = own.due.max(turn.due);
            })
            .or_insert(turn);
        self.read_to = self.read_to.max(entry.id);
        Ok(())
    }

    /// The lane whose turn it is, among those that are not `busy`.
    pub(crate) fn next(&self, now: Timestamp, busy: &[&str]) -> Option<String> {
        let due = |turn: &Turn| turn.due.is_none_or(|due| due.timestamp() <= now);
        let free = self.lanes.iter().filter(|(lane, turn)| due(turn) && !busy.contains(&lane.as_str()));
        free.min_by_key(|(_, turn)| (turn.rank, turn.first)).map(|(lane, _)| lane.clone())
    }

    pub(crate) fn forget(&mut self, lane: &str) {
        self.lanes.remove(lane);
    }
}

/// The outbox of a tenant.
#[derive(Debug)]
pub(crate) struct Queue {
    outbox: Outbox,
    worker: String,
    clock: Arc<dyn Clock>,
    /// Wakes whoever works it off.
    pub(crate) added: tokio::sync::Notify,
}

impl Queue {
    pub(crate) fn new(store: &Store, tenant: &str, clock: Arc<dyn Clock>) -> Self {
        let outbox = store.outbox(format!("apiges/{tenant}"));
        Self { outbox, worker: worker_name("apiges-sync"), clock, added: tokio::sync::Notify::new() }
    }

    /// Writes marks down: durable when it returns.
    pub(crate) async fn add(&self, marks: impl IntoIterator<Item = Mark>) -> Result<(), Error> {
        let entries: Result<Vec<NewEntry>, Error> = marks.into_iter().map(|mark| entry_of(&mark)).collect();
        let mut entries = entries?;
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(MARKS_AT_ONCE));
            self.outbox.append(&self.worker, std::mem::replace(&mut entries, rest)).await.map_err(stored)?;
        }
        self.added.notify_one();
        Ok(())
    }

    /// Every open lane, read anew.
    pub(crate) async fn schedule(&self) -> Result<Schedule, Error> {
        let mut schedule = Schedule::default();
        self.read_on(&mut schedule).await?;
        Ok(schedule)
    }

    /// Adds what came since.
    pub(crate) async fn read_on(&self, schedule: &mut Schedule) -> Result<(), Error> {
        let mut query = Query::open();
        query.after = schedule.read_to;
        let mut pages = self.outbox.pages(query);
        while let Some(page) = pages.next_page().await.map_err(stored)? {
            page.iter().try_for_each(|entry| schedule.note(entry))?;
        }
        Ok(())
    }

    /// Puts a lane back if it still holds something.
    pub(crate) async fn read_lane(&self, schedule: &mut Schedule, lane: &str) -> Result<(), Error> {
        schedule.forget(lane);
        let to = schedule.read_to;
        let entries = self.outbox.list(Query::open().with_lane(lane)).await.map_err(stored)?;
        entries.iter().try_for_each(|entry| schedule.note(entry))?;
        // What lies between was not read.
        schedule.read_to = to;
        Ok(())
    }

    /// Takes a lane with all its marks into flight; nothing if it is another's, or empty.
    pub(crate) async fn take(&self, lane: &str, settings: &Settings) -> Result<Option<Taken>, Error> {
        let claimed = self.outbox.claim(LaneChoice::Named(lane), &self.worker, settings.lease).await;
        let Some(lease) = claimed.map_err(stored)? else { return Ok(None) };
        let entries = self.outbox.list(Query::open().with_lane(lane)).await.map_err(stored)?;
        let flying =
            entries.iter().map(|entry| Change::new(entry, State::InFlight, entry.data.clone())).collect();
        let entries = match self.outbox.write(&lease, flying).await {
            Ok(entries) => entries,
            Err(error) if is_lost(&error) => return Ok(None),
            Err(error) => return Err(stored(error)),
        };
        match joined(lease.clone(), entries)? {
            Some(taken) => Ok(Some(taken)),
            None => self.outbox.release(&lease).await.map(|()| None).map_err(stored),
        }
    }

    /// It is done; what had been set aside of the lane is done with it (O6).
    pub(crate) async fn done(&self, taken: Taken) -> Result<(), Error> {
        let dead = Query::of_lane(taken.lease.lane.clone()).with_states([State::Dead]);
        let dead = self.outbox.list(dead).await.map_err(stored)?;
        let mut changes = changes(&taken.entries, State::Done, &Tries::default())?;
        for entry in &dead {
            changes.extend(through(entry, &[State::Prepared, State::InFlight, State::Done]));
        }
        self.end(&taken, changes).await
    }

    /// It failed: it is tried again later, or set aside. Tells which, with the pause.
    pub(crate) async fn failed(
        &self,
        taken: Taken,
        error: &Error,
        settings: &Settings,
    ) -> Result<Option<Duration>, Error> {
        let count = taken.tries.saturating_add(u32::from(is_a_try(error)));
        let pause =
            settings.pause(count.max(1), self.clock.random()).max(error.retry_after().unwrap_or_default());
        let dead = is_final(error) || count >= settings.tries;
        let next_at = (!dead).then(|| later(self.clock.wall(), pause));
        let tries = Tries { tries: count, next_at, error: Some(words(error)) };
        let mut all = changes(&taken.entries, State::Prepared, &tries)?;
        if dead {
            let put = taken.entries.iter().zip(&all).map(|(entry, back)| Change {
                version: entry.version.saturating_add(1),
                state: State::Dead,
                ..back.clone()
            });
            let put: Vec<Change> = put.collect();
            all.extend(put);
        }
        self.end(&taken, all).await?;
        Ok((!dead).then_some(pause))
    }

    async fn end(&self, taken: &Taken, changes: Vec<Change>) -> Result<(), Error> {
        let step = Step::new().with_changes(changes).with_release();
        match self.outbox.apply(&taken.lease, step).await {
            // Another worker has it, and looks at the file itself.
            Err(error) if is_lost(&error) => Ok(()),
            ended => ended.map(drop).map_err(stored),
        }
    }

    pub(crate) async fn has_open(&self, job: &Job) -> Result<bool, Error> {
        let query = Query::open().with_lane(job.lane()).with_limit(1);
        Ok(!self.outbox.list(query).await.map_err(stored)?.is_empty())
    }

    pub(crate) async fn count(&self, states: &[State]) -> Result<usize, Error> {
        let mut pages = self.outbox.pages(Query::in_states(states));
        let mut count = 0;
        while let Some(page) = pages.next_page().await.map_err(stored)? {
            count += page.len();
        }
        Ok(count)
    }

    pub(crate) async fn dead(&self) -> Result<Vec<DeadEntry>, Error> {
        let mut pages = self.outbox.pages(Query::in_states([State::Dead]));
        let mut dead = Vec::new();
        while let Some(page) = pages.next_page().await.map_err(stored)? {
            for entry in page {
                let (mark, tries): (Mark, Tries) = (read(&entry.body)?, tries_of(&entry)?);
                let (saved_at, error) = (mark.saved_at, tries.error);
                dead.push(DeadEntry { id: entry.id, what: entry.lane, saved_at, tries: tries.tries, error });
            }
        }
        Ok(dead)
    }

    /// Tries a dead entry again, from the start; `false` if there is none of this id, or if it is under way.
    pub(crate) async fn replay(&self, id: i64, settings: &Settings) -> Result<bool, Error> {
        let mut query = Query::in_states([State::Dead]).with_limit(1);
        query.after = id.saturating_sub(1);
        let found = self.outbox.list(query).await.map_err(stored)?;
        let Some(entry) = found.into_iter().find(|entry| entry.id == id) else { return Ok(false) };
        let claimed = self.outbox.claim(LaneChoice::Named(&entry.lane), &self.worker, settings.lease).await;
        let Some(lease) = claimed.map_err(stored)? else { return Ok(false) };
        self.outbox.replay(&lease, &entry, bytes_of(&Tries::default())?).await.map_err(stored)?;
        self.outbox.release(&lease).await.map_err(stored)?;
        self.added.notify_one();
        Ok(true)
    }
}

/// Many rows of one commit are well; all files of a firm in one are not.
const MARKS_AT_ONCE: usize = 500;

fn entry_of(mark: &Mark) -> Result<NewEntry, Error> {
    Ok(NewEntry::new(mark.job.lane(), uuid()?, bytes_of(mark)?, bytes_of(&Tries::default())?))
}

fn tries_of(entry: &Entry) -> Result<Tries, Error> {
    read(&entry.data)
}

/// Marks of one lane as one: earliest time, all causes (O3).
fn joined(lease: Lease, entries: Vec<Entry>) -> Result<Option<Taken>, Error> {
    let mut marks = Vec::new();
    let mut tries = 0;
    for entry in &entries {
        marks.push(read::<Mark>(&entry.body)?);
        tries = tries_of(entry)?.tries.max(tries);
    }
    let Some(first) = marks.first() else { return Ok(None) };
    let (job, saved_at) =
        (first.job.clone(), marks.iter().map(|mark| mark.saved_at).min().unwrap_or(first.saved_at));
    let causes = marks.into_iter().map(|mark| mark.cause).collect();
    Ok(Some(Taken { lease, entries, job, causes, saved_at, tries }))
}

fn changes(entries: &[Entry], state: State, tries: &Tries) -> Result<Vec<Change>, Error> {
    let data = bytes_of(tries)?;
    Ok(entries.iter().map(|entry| Change::new(entry, state, data.clone())).collect())
}

fn through<'a>(entry: &'a Entry, states: &'a [State]) -> impl Iterator<Item = Change> + 'a {
    (entry.version..)
        .zip(states)
        .map(|(version, state)| Change { version, ..Change::new(entry, *state, entry.data.clone()) })
}

fn is_lost(error: &integration_store::StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::LeaseLost | StoreErrorKind::Conflict)
}

fn later(now: Timestamp, pause: Duration) -> Instant {
    let pause = SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX);
    // Rounded up: an instant on the wire has milliseconds, and a pause is not to end before it is over.
    let pause = pause.saturating_add(SignedDuration::from_micros(999));
    now.checked_add(pause).unwrap_or(Timestamp::MAX).into()
}

/// Whether it says something of the entry: not if nobody is let in, if something else goes first, or if it is overtaken all the time.
fn is_a_try(error: &Error) -> bool {
    let waits = matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Blocked);
    !waits && error.find_source::<Moving>().is_none()
}

/// Whether trying again cannot help: it is wrong, not unlucky.
fn is_final(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Validation
            | ErrorKind::Configuration
            | ErrorKind::Refused
            | ErrorKind::NotFound
            | ErrorKind::TooLarge
            | ErrorKind::Conflict
    )
}

fn words(error: &Error) -> String {
    let code = Refusal::of(error).map(|refusal| refusal.code.as_str().to_owned());
    match code {
        Some(code) => format!("{:?} {code}", error.kind()),
        None => format!("{:?}", error.kind()),
    }
}
