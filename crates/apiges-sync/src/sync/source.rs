//! Where changes come from when nobody reports them (contract 4.7, section 6).
//!
//! The rules enforced here: a run is stamped with its start, by the server's clock or our own less the skew; it asks from the cursor less an
//! overlap, closed below; the cursor moves after everything was written down and never back, and only after a complete reading (Y2, Y3); a
//! cursor that is lost or doubtful leads to a full look (Y7); a file that a list does not name is looked at, and nothing follows from its
//! absence (Y4).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use integration_core::Error;
use jiff::{SignedDuration, Timestamp};

use super::engine::{Engine, WebSync};
use super::ledger::Book;
use super::ports::Asked;
use super::push::{Facts, no_form};
use super::queue::{Job, Mark, Rank};
use crate::web::{Cause, Instant, Sha256, canonical};

/// How far a reader of changes looks back behind its cursor.
const OVERLAP: Duration = Duration::from_secs(15 * 60);
/// By how much our own clock may be ahead of the server's.
const SKEW: Duration = Duration::from_secs(2 * 60);
/// How many files a scan reads between two commits.
const SCANNED_AT_ONCE: usize = 100;

/// A change that a reader found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportedChange {
    /// The file.
    pub case: u64,
    /// When it was saved, as far as the reader knows.
    pub saved_at: Instant,
}

/// What a reader found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangePage {
    /// The changes, in any order; a file may be named more than once.
    pub changes: Vec<ReportedChange>,
    /// The server's clock when the reading began, if it can be read.
    pub server_clock: Option<Instant>,
    /// Whether these are all since the moment that was asked for.
    pub complete: bool,
}

/// A journal of changes: the slot for the vendor's block Modificaciones, whose fields are not public and not invented here.
///
/// Without one, report changes by [`WebSync::saved`], and let [`WebSync::scan`] find what that missed.
pub trait ChangeSource: fmt::Debug + Send + Sync {
    /// Everything that was saved at `from` or later.
    fn since(&self, from: Instant) -> Asked<'_, ChangePage>;
}

/// What a reading of changes came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scanned {
    /// How many files were looked at, or changes read.
    pub looked_at: u64,
    /// How many were written down as changed.
    pub changed: u64,
    /// Whether everything was looked at because there was no cursor to go by (Y7).
    pub full: bool,
}

impl WebSync {
    /// Takes in what a journal reports since the last time. The first time, or with a cursor that cannot be right, everything is looked at
    /// by a [`scan`](Self::scan) in place of it.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.7).
    ///
    /// # Errors
    /// What the calls met; the cursor stays then.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// # let journal = Quiet;
    /// # #[derive(Debug)] struct Quiet;
    /// # impl apiges_sync::sync::ChangeSource for Quiet {
    /// #     fn since(&self, _: apiges_sync::web::Instant) -> apiges_sync::sync::Asked<'_, apiges_sync::sync::ChangePage> { Box::pin(async { Ok(apiges_sync::sync::ChangePage::default()) }) }
    /// # }
    /// let seen = sync.follow(&journal).await?; // your `ChangeSource`
    /// println!("{} of {} changed", seen.changed, seen.looked_at);
    /// # Ok(()) });
    /// ```
    pub async fn follow(&self, source: &dyn ChangeSource) -> Result<Scanned, Error> {
        let engine = &self.0;
        let own = engine.clock.wall();
        let cursor = engine.ledger.look(&[]).await?.head.scanned;
        let page = source.since(earlier(cursor.map_or(own, Instant::timestamp), OVERLAP)).await?;
        let stamp = page.server_clock.unwrap_or_else(|| earlier(own, SKEW));
        // A cursor ahead of the clock was set by another clock.
        if cursor.is_none_or(|cursor| cursor > Instant::from(own).max(stamp)) {
            let scanned = self.scan().await?;
            engine.cursor_moved(stamp).await?;
            return Ok(Scanned { full: true, ..scanned });
        }
        let marks = page.changes.iter().map(|change| saved(change.case, change.saved_at));
        engine.queue.add(marks).await?;
        if page.complete {
            engine.cursor_moved(cursor.map_or(stamp, |cursor| cursor.max(stamp))).await?;
        }
        let count = page.changes.len() as u64;
        Ok(Scanned { looked_at: count, changed: count, full: false })
    }

    /// Looks at every file that a grant reaches or has, and writes down those that are not as they were at the last scan, or that somebody
    /// has otherwise than he should.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.7).
    ///
    /// # Errors
    /// What the calls met. What was written down until then stays.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let office = kit.office().await.opened().await;
    /// # let (case, contact, sync) = (office.seen().await, office.contact.clone(), office.sync.clone());
    /// let seen = sync.scan().await?;
    /// println!("{} of {} changed", seen.changed, seen.looked_at);
    /// # Ok(()) });
    /// ```
    pub async fn scan(&self) -> Result<Scanned, Error> {
        let cases = self.0.cases_in_reach().await?;
        let known = self.0.ledger.scanned().await?;
        let mut scanned = Scanned::default();
        for ids in cases.chunks(SCANNED_AT_ONCE) {
            let mut changed = Vec::new();
            for id in ids {
                let (digest, as_held) = self.0.looked_at(*id).await?;
                if known.get(id) != digest.as_ref() || !as_held {
                    changed.push(Found { id: *id, digest, as_held });
                }
            }
            scanned.looked_at += ids.len() as u64;
            scanned.changed += changed.len() as u64;
            self.0.scan_noted(&changed).await?;
        }
        Ok(scanned)
    }
}

impl Engine {
    async fn cursor_moved(&self, to: Instant) -> Result<(), Error> {
        let set = |book: &mut Book| {
            book.head.scanned = Some(to);
            Ok(())
        };
        self.ledger.change(&[], set).await
    }

    /// First the marks, then what was seen: a program that is killed in between looks at these files once more (Y1, Y3).
    ///
    /// Of what everybody has already as he should nothing is to be done, however new it is to the scan.
    async fn scan_noted(&self, changed: &[Found]) -> Result<(), Error> {
        let now = self.now();
        let due = changed.iter().filter(|found| !found.as_held);
        self.queue.add(due.map(|found| saved(found.id, now))).await?;
        let note = |book: &mut Book| {
            changed.iter().try_for_each(|found| book.put_scanned(found.id, found.digest.as_ref()))
        };
        self.ledger.change(&[], note).await
    }

    /// Every file that is in a list of somebody's whose files a grant opens, that a grant has, or that was seen before.
    async fn cases_in_reach(&self) -> Result<Vec<u64>, Error> {
        let book = self.ledger.look(&[]).await?;
        let groups = self.groups.membership().await?;
        let mut cases: BTreeSet<u64> = self.ledger.scanned().await?.into_keys().collect();
        for grant in book.grants.values().filter_map(|row| row.grant.as_ref()) {
            cases.extend(self.files_of(grant, &groups).await?.ids);
            cases.extend(self.ledger.held(&grant.contact).await?.into_iter().map(|(id, _)| id));
        }
        Ok(cases.into_iter().collect())
    }

    /// The digest of everything that anybody may see of a file, in every language that somebody reads it in; nothing if there is no such
    /// file. And whether everybody has what he should by the ledger: a file that was sent while it was otherwise, and is again as it was at
    /// the last scan, is told by that alone.
    async fn looked_at(&self, id: u64) -> Result<(Option<Sha256>, bool), Error> {
        let looked = self.ledger.look(&[id]).await?;
        let (grants, groups) = (looked.effective_grants(), self.groups.membership().await?);
        let facts = self.facts(id, &grants, &groups).await?;
        let row = looked.cases.get(&id).cloned().unwrap_or_default();
        let verdict = self.verdict(&row, facts.as_ref(), &grants, &groups, &[Cause::Saved])?;
        Ok((digest_of(facts)?, verdict.is_held_already(&row)))
    }
}

/// A file that is not as it was, or not everywhere as it should be.
#[derive(Debug)]
struct Found {
    id: u64,
    digest: Option<Sha256>,
    as_held: bool,
}

fn digest_of(facts: Facts) -> Result<Option<Sha256>, Error> {
    let Some(facts) = facts else { return Ok(None) };
    let content: Vec<_> =
        facts.values().map(|facts| (facts.client, facts.intermediary, facts.agent, &facts.full)).collect();
    canonical(&content).map(|text| Some(Sha256::of(text.as_bytes()))).map_err(|_| no_form())
}

fn saved(case: u64, saved_at: Instant) -> Mark {
    Mark { job: Job::Case(case), rank: Rank::Ordinary, cause: Cause::Saved, saved_at }
}

fn earlier(moment: Timestamp, by: Duration) -> Instant {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_sub(by).unwrap_or(Timestamp::MIN).into()
}
