//! Taking a document from "somebody wants it issued" to "in flight, on disk": the decision and the one commit that makes it so.
//!
//! Nothing is locked while deciding. The lane's fence is read first; the commit claims the lane only if the fence is still the
//! same, so nothing that mattered can have changed in between. The usual issue thus costs two commits: this one and the one
//! that writes down what became of it.

use std::time::Duration;

use integration_core::Error;
use integration_store::{Change, Entry, LaneView, Lease, NewEntry, Query, State, Step, StoreErrorKind};

use super::Journal;
use super::desk::Desk;
use super::entry::JournalEntry;
use super::judge::Attempt;
use super::record::Record;
use super::trouble;

/// A document that is to be issued.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) lane: String,
    pub(super) key: String,
    pub(super) body: bytes::Bytes,
    pub(super) record: Record,
    pub(super) wanted: Wanted,
}

/// Who wants it issued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A caller who named the number.
    Named,
    /// A caller for whom the number was allocated: it must not be anybody's, and is free again if nothing was sent.
    Fresh,
    /// `resume`, because it was written down: only as long as it still is, with this text.
    Draft,
}

/// What came of trying to begin.
#[derive(Debug)]
pub(super) enum Start {
    /// It is in flight, under this lease.
    Begun(Box<Begun>),
    /// It was issued before, with the same text.
    Stored(Box<JournalEntry>),
    /// Somebody else has the number, or the draft is none any more.
    Taken,
}

/// A document in flight.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) lease: Lease,
    pub(super) entry: Entry,
    pub(super) record: Record,
    pub(super) attempt: Attempt,
    pub(super) wanted: Wanted,
    /// When it was decided to send, by the monotonic clock.
    pub(super) since: Duration,
    /// Whether its lane may hold a document that found a gap: then the next one must look.
    pub(super) gaps: bool,
}

/// What is to be done about the entry of the key, once nothing in the lane stands against it.
enum Plan {
    Append,
    /// It is prepared with this very text.
    Send(Box<Entry>),
    /// It was refused or set aside, or is prepared with another text.
    Revise(Box<Entry>),
}

impl Journal {
    /// Needs the lane's turn.
    pub(super) async fn begin(&self, job: &Job) -> Result<Start, Error> {
        let desk = &self.0.documents;
        if job.wanted != Wanted::Draft
            && let Some(begun) = self.begin_unseen(job).await?
        {
            return Ok(Start::Begun(Box::new(begun)));
        }
        let mut patience = desk.patience();
        loop {
            let since = desk.clock().elapsed();
            let (holder, fence) = match desk.outbox.lane(&job.lane).await {
                Ok(view) => (self.other_holder(&view), view.fence),
                Err(error) if error.kind() == StoreErrorKind::Unavailable && !patience.is_over() => {
                    patience.wait(&job.lane, "nobody").await?;
                    continue;
                }
                Err(error) => return Err(trouble::before(error)),
            };
            let look = self.look(job, holder.is_some()).await?;
            let plan = match look {
                Look::Answer(start) => return Ok(start),
                Look::Abandoned if holder.is_none() => {
                    let lease = desk.take(&job.lane).await?;
                    desk.give_back(&lease).await;
                    continue;
                }
                Look::Abandoned => None,
                Look::Go { plan, gaps } => Some((plan, gaps)).filter(|_| holder.is_none()),
            };
            if let Some((plan, gaps)) = plan
                && let Some(begun) = self.carry(job, plan, fence, since).await?
            {
                return Ok(Start::Begun(Box::new(Begun { gaps, ..begun })));
            }
            desk.bury(&job.lane, holder.as_deref(), fence).await?;
            patience.wait(&job.lane, holder.as_deref().unwrap_or("a faster one")).await?;
        }
    }

    /// The usual case, without a look: this worker left the lane in order, and the commit fails if anybody has been in it since,
    /// or if the number is known.
    async fn begin_unseen(&self, job: &Job) -> Result<Option<Begun>, Error> {
        let desk = &self.0.documents;
        match desk.take_order(&job.lane) {
            Some(fence) => self.carry(job, Plan::Append, fence, desk.clock().elapsed()).await,
            None => Ok(None),
        }
    }

    fn other_holder(&self, view: &LaneView) -> Option<String> {
        view.held_by.clone().filter(|holder| holder != self.0.documents.worker())
    }

    /// Decides by what is written down; `held`: another worker has the lane, so what is in flight may well be alive.
    async fn look(&self, job: &Job, held: bool) -> Result<Look, Error> {
        let outbox = &self.0.documents.outbox;
        let existing = outbox.find(&job.key).await.map_err(trouble::before)?;
        let decided = existing.as_ref().map(|entry| decided(job, entry)).transpose()?.flatten();
        if let Some(start) = decided {
            return Ok(Look::Answer(start));
        }
        if let Some(entry) = existing.as_ref().filter(|entry| job.repeats(entry)) {
            self.check_paper(entry).await?;
        }
        let open = self.standing_against(&job.lane).await?;
        if open.iter().any(|entry| entry.state == State::InFlight) {
            return Ok(Look::Abandoned);
        }
        // What stands against it is final only while nobody else is working on it.
        if !held {
            self.check_lane(job, &open).await?;
        }
        let gaps = open.iter().any(found_a_gap);
        Ok(Look::Go { plan: plan(job, existing), gaps })
    }

    /// Everything of a series that may keep its other numbers from being sent.
    async fn standing_against(&self, lane: &str) -> Result<Vec<Entry>, Error> {
        let mut query = Query::in_states([State::InFlight, State::Unknown, State::Refused]);
        query.lane = Some(lane.to_owned());
        let mut found = Vec::new();
        // To the last page: an open question may stand behind any number of refusals.
        let mut pages = self.0.documents.outbox.pages(query);
        while let Some(page) = pages.next_page().await.map_err(trouble::before)? {
            found.extend(page);
        }
        Ok(found)
    }

    /// What the rest of the series says against it: an open question, or a number that is missing before it.
    async fn check_lane(&self, job: &Job, open: &[Entry]) -> Result<(), Error> {
        let number = job.record.number().map_or(0, |number| number.value());
        for entry in open.iter().filter(|entry| entry.key != job.key) {
            let other = JournalEntry::read(entry.clone())?;
            if entry.state == State::Unknown {
                return Err(trouble::blocked(&other));
            }
            if let Some(highest) = other.record.gap_after.filter(|highest| number > highest.saturating_add(1))
                && !self.is_filled(&other, highest).await?
            {
                return Err(trouble::gap(&other, highest));
            }
        }
        Ok(())
    }

    /// Whether the number that was missing has been issued since this entry found out.
    async fn is_filled(&self, by: &JournalEntry, highest: u64) -> Result<bool, Error> {
        let key = by.series().key_of(highest.saturating_add(1));
        let missing = self.0.documents.outbox.find(&key).await.map_err(trouble::before)?;
        Ok(missing.is_some_and(|entry| entry.state == State::Done && entry.changed >= by.changed()))
    }

    /// A text that paper covers is not issued a second time by a program that repeats its call (9.5, contingency).
    async fn check_paper(&self, entry: &Entry) -> Result<(), Error> {
        let history = self.0.documents.outbox.history(entry.id).await.map_err(trouble::before)?;
        let entry = JournalEntry::read(entry.clone())?.with_history(&history);
        match entry.paper() {
            Some((paper, _)) => Err(trouble::on_paper(&entry, paper)),
            None => Ok(()),
        }
    }

    async fn carry(
        &self,
        job: &Job,
        plan: Plan,
        fence: i64,
        since: Duration,
    ) -> Result<Option<Begun>, Error> {
        let record = match &plan {
            Plan::Append => job.record.clone(),
            Plan::Send(entry) | Plan::Revise(entry) => job.record.clone().succeeds(&Record::read(entry)?),
        };
        let record = record.sent(Attempt::Plain);
        let desk = &self.0.documents;
        let begun = match plan {
            Plan::Append => {
                let new =
                    NewEntry::new(&job.lane, &job.key, job.body.clone(), record.write()).with_in_flight();
                desk.claim_and_apply(job, fence, Step::new().with_append(new)).await?
            }
            Plan::Send(entry) => {
                let change = Change::new(&entry, State::InFlight, record.write());
                desk.claim_and_apply(job, fence, Step::new().with_change(change)).await?
            }
            Plan::Revise(entry) => desk.revise(job, fence, *entry, &record).await?,
        };
        let (attempt, wanted) = (Attempt::Plain, job.wanted);
        Ok(begun.map(|(lease, entry)| Begun { lease, entry, record, attempt, wanted, since, gaps: false }))
    }
}

enum Look {
    Answer(Start),
    /// Something is in flight in the lane.
    Abandoned,
    Go {
        plan: Plan,
        gaps: bool,
    },
}

impl Job {
    /// Whether somebody else has the number, or the draft was issued, set aside or corrected since it was read.
    fn is_overtaken(&self, entry: &Entry) -> bool {
        let idle = matches!(entry.state, State::Refused | State::Dead);
        match self.wanted {
            Wanted::Named => false,
            Wanted::Fresh => !idle,
            Wanted::Draft => idle || entry.body != self.body,
        }
    }

    /// Whether it is the very text that was set aside or refused under its number.
    fn repeats(&self, entry: &Entry) -> bool {
        let idle = matches!(entry.state, State::Refused | State::Dead);
        self.wanted == Wanted::Named && idle && entry.body == self.body
    }
}

/// What the entry of the key alone decides.
fn decided(job: &Job, entry: &Entry) -> Result<Option<Start>, Error> {
    if job.is_overtaken(entry) {
        return Ok(Some(Start::Taken));
    }
    match entry.state {
        State::Done => {
            let stored = JournalEntry::read(entry.clone())?;
            let same = stored.hash() == job.record.hash;
            if same { Ok(Some(Start::Stored(Box::new(stored)))) } else { Err(trouble::another_text(&stored)) }
        }
        State::Unknown => Err(trouble::open_question(&JournalEntry::read(entry.clone())?)),
        _ => Ok(None),
    }
}

/// What cannot be read is taken for one: the look that follows says what is wrong with it.
fn found_a_gap(entry: &Entry) -> bool {
    Record::read(entry).map_or(true, |record| record.gap_after.is_some())
}

fn plan(job: &Job, existing: Option<Entry>) -> Plan {
    match existing {
        None => Plan::Append,
        Some(entry) if entry.state == State::Prepared && entry.body == job.body => {
            Plan::Send(Box::new(entry))
        }
        Some(entry) => Plan::Revise(Box::new(entry)),
    }
}

impl Desk {
    /// The one commit. `None`: somebody was faster, look again.
    async fn claim_and_apply(
        &self,
        job: &Job,
        fence: i64,
        step: Step,
    ) -> Result<Option<(Lease, Entry)>, Error> {
        let claimed = self.outbox.claim_and_apply(&job.lane, self.worker(), self.lease(), fence, step).await;
        match claimed {
            Ok(claimed) => {
                Ok(claimed.and_then(|(lease, entries)| Some((lease, entries.into_iter().next()?))))
            }
            Err(error) if error.kind() == StoreErrorKind::Conflict => Ok(None),
            Err(error) if error.kind() == StoreErrorKind::Unavailable => self.recover(job, fence).await,
            Err(error) => Err(trouble::before(error)),
        }
    }

    /// The commit's answer was lost. If it took effect, the lane is ours with the next fence, and the entry is in flight
    /// although nothing was sent: the call goes on. This worker's turn in the lane rules out that it is another task's.
    async fn recover(&self, job: &Job, fence: i64) -> Result<Option<(Lease, Entry)>, Error> {
        let mut patience = self.patience();
        let (view, entry) = loop {
            match (self.outbox.lane(&job.lane).await, self.outbox.find(&job.key).await) {
                (Ok(view), Ok(entry)) => break (view, entry),
                (Err(error), _) | (_, Err(error)) if patience.is_over() => {
                    return Err(trouble::before(error));
                }
                _ => patience.wait(&job.lane, "nobody").await?,
            }
        };
        let ours = view.held_by.as_deref() == Some(self.worker()) && view.fence == fence.saturating_add(1);
        let begun = entry.filter(|entry| ours && entry.state == State::InFlight && entry.body == job.body);
        Ok(begun.map(|entry| (Lease::new(self.outbox.name(), &job.lane, self.worker(), view.fence), entry)))
    }

    /// The rare way: a text takes the place of another one, in several steps under one lease.
    async fn revise(
        &self,
        job: &Job,
        fence: i64,
        entry: Entry,
        record: &Record,
    ) -> Result<Option<(Lease, Entry)>, Error> {
        let aside =
            (entry.state == State::Prepared).then(|| Change::new(&entry, State::Dead, entry.data.clone()));
        let first = match &aside {
            Some(change) => change.clone(),
            None => Change::new(&entry, State::Prepared, record.write()).with_body(job.body.clone()),
        };
        let Some((lease, entry)) = self.claim_and_apply(job, fence, Step::new().with_change(first)).await?
        else {
            return Ok(None);
        };
        match self.set_off(&lease, job, entry, record).await {
            Ok(entry) => Ok(Some((lease, entry))),
            Err(error) => {
                self.give_back(&lease).await;
                Err(trouble::before(error))
            }
        }
    }

    async fn set_off(
        &self,
        lease: &Lease,
        job: &Job,
        mut entry: Entry,
        record: &Record,
    ) -> Result<Entry, integration_store::StoreError> {
        if entry.state == State::Dead {
            let change = Change::new(&entry, State::Prepared, record.write()).with_body(job.body.clone());
            entry = self.persist(lease, &job.key, Step::new().with_change(change)).await?;
        }
        let change = Change::new(&entry, State::InFlight, record.write());
        self.persist(lease, &job.key, Step::new().with_change(change)).await
    }
}
