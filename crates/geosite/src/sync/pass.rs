//! One shelf is read, compared with what is stored, and stored (contract 4.4, 4.8–4.10).
//!
//! A whole reading walks through the plant and through the register side by side, both in ascending order of `fid`: it costs one
//! walk and the memory of a few pages, however many elements there are. The rules enforced here: unchanged is not written;
//! what is missing is only remembered until the lists have proved that they were whole; a page is stored with its checkpoint.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::cursor;
use super::doubt::{Doubtful, NAMED_ROWS, UnreadRow};
use super::element::{Digest, Element};
use super::engine::PlantSync;
use super::error::SyncError;
use super::guard::{Authority, Finding};
use super::kind::{Kind, Shelf};
use super::links::Notice;
use super::merge::{Merged, Step};
use super::plant::From;
use super::register::{Candidate, Finish, Known, Page, Reason};
use super::report::{Conflict, Event, FeatureReport};
use super::run::{Pass, Progress, to_json};
use super::selection::Selection;
use super::settings::Cancel;
use super::sink::Sink;
use crate::feature::Feature;

/// How many stored elements are looked at together.
const STORED_PAGE: usize = 8_192;

/// What does not change while a shelf is read.
pub(super) struct Context<'c> {
    pub(super) sync: &'c PlantSync,
    pub(super) sink: &'c Sink<'c>,
    pub(super) pass: &'c Pass,
    pub(super) selection: &'c Selection,
    pub(super) authority: Option<Authority>,
    pub(super) stamp: Timestamp,
    pub(super) cancel: &'c Cancel,
    /// Stopped when another shelf of the run has failed.
    pub(super) halt: &'c Cancel,
    /// Whoever keeps links is told by one shelf at a time: what one has read of the register must not be older than what another
    /// has told already.
    pub(super) telling: &'c Mutex<()>,
}

impl Context<'_> {
    pub(super) fn is_stopped(&self) -> bool {
        self.cancel.is_stopped() || self.halt.is_stopped()
    }
}

/// How a shelf's reading ended.
pub(super) enum End {
    Done,
    Cancelled,
}

/// A shelf that is being read.
struct Reading<'c> {
    context: &'c Context<'c>,
    progress: Progress,
    lists: Merged<'c>,
    /// What the features' reports said when the lists were opened.
    before: Vec<Before>,
    stored: Walk<'c>,
    page: Page,
    notices: Vec<Notice>,
    /// Received, and not yet compared: an incremental reading asks for what is stored by the page.
    waiting: Vec<Element>,
    /// Splitters in this page whose links must be looked at before it is stored.
    doubtful: Vec<i64>,
    /// Customers in this page who may have left the port that is stored.
    moved: Vec<i64>,
    /// Rows dealt with since the last page was stored.
    rows: usize,
}

/// What a feature's report said of the pages before.
struct Before {
    pages: u64,
    failed: u64,
    unread: Vec<UnreadRow>,
}

/// Reads a shelf to its end.
pub(super) async fn read(
    context: &Context<'_>,
    progress: &mut Progress,
    begin: bool,
) -> Result<End, SyncError> {
    let mut begin = begin;
    // Killed before the total was told, a list cannot be proved whole from where it was.
    if progress.after.is_some() && progress.is_unproved() {
        progress.begin_again(true);
        begin = true;
    }
    loop {
        let mut reading = Reading::open(context, progress.clone(), begin);
        let ended = reading.run().await;
        *progress = reading.progress;
        match ended? {
            Some(end) => return Ok(end),
            None => {
                context.sync.tell(Event::Restarted { shelf: context.pass.shelf }).await;
                progress.begin_again(!context.sink.is_dry());
                begin = true;
            }
        }
    }
}

impl<'c> Reading<'c> {
    fn open(context: &'c Context<'c>, progress: Progress, begin: bool) -> Self {
        let from = |place: usize| {
            let report = progress.features.get(place).filter(|report| report.error.is_none())?;
            let read = report.read + report.failed;
            Some(From::new(progress.after, read, progress.totals.get(place).copied().flatten()))
        };
        let from: Vec<Option<From>> = (0..context.pass.sources.len()).map(from).collect();
        let lists = Merged::open(context.sync.plant(), context.pass, &from);
        let before = progress.features.iter().map(Before::of).collect();
        let mut page = Page::new(context.pass.shelf);
        page.begin = begin;
        let stored =
            Walk { context, next: VecDeque::new(), after: progress.after, ended: !context.pass.whole };
        let (notices, waiting) = (Vec::new(), Vec::new());
        let (doubtful, moved) = (Vec::new(), Vec::new());
        Self { context, progress, lists, before, stored, page, notices, waiting, doubtful, moved, rows: 0 }
    }

    /// `None`: a list changed under the reader, and all are to be begun again.
    async fn run(&mut self) -> Result<Option<End>, SyncError> {
        loop {
            if self.rows >= self.context.sync.settings().page_size {
                self.commit().await?;
            }
            if self.context.is_stopped() {
                self.commit().await?;
                return Ok(Some(End::Cancelled));
            }
            match self.lists.next().await {
                Step::Row(element, met) => self.row(*element, &met).await?,
                Step::Drift(place, why) if self.may_begin_again(place) => {
                    tracing::debug!(%why, "the list changed under the reader");
                    return Ok(None);
                }
                Step::Drift(place, why) => self.lists.give_up(place, format!("PageDrift: {why}")),
                Step::End => return self.finish().await.map(Some),
            }
        }
    }

    fn may_begin_again(&mut self, place: usize) -> bool {
        let most = self.context.sync.settings().restarts;
        let Some(report) = self.progress.features.get_mut(place) else { return false };
        let may = report.restarts < most;
        report.restarts += u64::from(may);
        may
    }

    async fn row(&mut self, mut element: Element, met: &[usize]) -> Result<(), SyncError> {
        if self.context.pass.whole {
            self.missing_below(element.fid).await?;
        }
        self.lists.pass(met);
        for place in met {
            if let Some(report) = self.progress.features.get_mut(*place) {
                report.read += 1;
            }
        }
        self.rows += 1;
        self.progress.after = Some(element.fid);
        if element.designed {
            self.leave_out(&element);
            return Ok(());
        }
        self.note_doubts(&mut element);
        self.progress.kind(element.kind).read += 1;
        if self.context.pass.whole {
            let known = self.stored.take(element.fid);
            self.compare(element, known);
        } else {
            self.waiting.push(element);
        }
        Ok(())
    }

    /// What is only designed is not there (`existing_only`). It does not count as received either, so that a status column which is
    /// read wrongly looks to the guard like an empty network.
    fn leave_out(&mut self, element: &Element) {
        self.progress.kind(element.kind).designed += 1;
        if let Some(known) = self.stored.take(element.fid) {
            self.missing(known);
        }
    }

    fn note_doubts(&mut self, element: &mut Element) {
        let (kind, fid) = (element.kind, element.fid);
        let doubts = std::mem::take(&mut element.doubts);
        if !self.context.selection.keeps(kind) {
            return;
        }
        self.progress.kind(kind).without_place += u64::from(element.latitude_e7.is_none());
        for doubt in doubts {
            self.progress.doubt(Doubtful::new(kind, fid, doubt));
        }
    }

    /// Whatever is stored below a `fid` and was not received is missing.
    async fn missing_below(&mut self, fid: i64) -> Result<(), SyncError> {
        while let Some(known) = self.stored.peek().await?.filter(|known| known.fid < fid) {
            self.stored.take(known.fid);
            self.missing(known);
            let full = self.rows >= self.context.sync.settings().page_size;
            if full && !self.lists.has_unread_ahead() {
                self.commit().await?;
            }
        }
        Ok(())
    }

    fn missing(&mut self, known: Known) {
        self.progress.after = Some(known.fid);
        if known.live {
            self.rows += 1;
            self.progress.kind(known.kind).stored += 1;
            self.candidate(known, Reason::Missing);
        }
    }

    /// Only of a feature that is read, since nobody asked for the others; and remembered only while its list may still prove whole.
    fn candidate(&mut self, known: Known, reason: Reason) {
        let feature = known.kind.feature();
        let place = self.context.pass.sources.iter().position(|source| source.feature == feature);
        let Some(list) = place.and_then(|place| self.lists.progress().nth(place)) else { return };
        if list.is_clean() {
            self.page.candidates.push(Candidate::new(known.fid, known.kind, reason));
        }
        self.progress.kind(known.kind).missing += 1;
    }

    fn compare(&mut self, element: Element, known: Option<Known>) {
        if let Some(known) = known.filter(|known| known.live && self.context.pass.whole) {
            self.progress.kind(known.kind).stored += 1;
        }
        if known.is_some_and(|known| known.live && self.is_lesser(&element, known)) {
            self.progress.kind(element.kind).unchanged += 1;
            return;
        }
        let live = known.filter(|known| known.live);
        if !self.context.selection.keeps(element.kind) {
            let Some(known) = live else { return };
            self.unwanted(known);
        }
        let digest = element.digest();
        match known {
            Some(known) if known.live && known.digest == digest => self.unchanged(&element),
            known => self.write(element, digest, known),
        }
    }

    /// Whether a box is stored by a more specific kind that this reading says nothing against.
    fn is_lesser(&self, element: &Element, known: Known) -> bool {
        let seen_whole = |feature: Feature| {
            let place = self.context.pass.sources.iter().position(|source| source.feature == feature);
            let progress = place.and_then(|place| self.lists.progress().nth(place));
            self.context.pass.whole && progress.is_some_and(super::merge::Progress::is_clean)
        };
        known.kind.rank() > element.kind.rank()
            && self.context.selection.has(known.kind)
            && !seen_whole(known.kind.feature())
    }

    /// A distribution splitter that is stored although its kind is not chosen: it goes like what is missing, unless customers
    /// are linked to it.
    fn unwanted(&mut self, known: Known) {
        if self.context.pass.whole {
            self.candidate(known, Reason::Deselected);
        }
        self.doubtful.push(known.fid);
    }

    fn unchanged(&mut self, element: &Element) {
        let whole = self.context.pass.whole;
        let report = self.progress.kind(element.kind);
        report.unchanged += 1;
        report.overlap_hits += u64::from(!whole);
    }

    fn write(&mut self, element: Element, digest: Digest, known: Option<Known>) {
        let missed = u64::from(self.was_missed(&element));
        let report = self.progress.kind(element.kind);
        report.drift += missed;
        match known {
            None => report.added += 1,
            Some(known) if known.live => report.changed += 1,
            Some(_) => report.restored += 1,
        }
        if known.is_some_and(|known| known.kind == Kind::SplitterAtendimento && element.kind != known.kind) {
            self.doubtful.push(element.fid);
        }
        if element.kind == Kind::Cliente && known.is_some_and(|known| known.live) {
            self.moved.push(element.fid);
        }
        self.notices.extend(notice(&element, known));
        self.page.upserts.push((element, digest));
    }

    /// Whether incremental runs should have brought this change: it is older than what the last one had covered.
    fn was_missed(&self, element: &Element) -> bool {
        let source = self.context.pass.sources.iter().find(|source| source.feature == element.kind.feature());
        let since = source.and_then(|source| source.since).filter(|_| self.context.pass.whole);
        since.is_some_and(|since| element.changed_at.is_none_or(|changed| changed < since))
    }

    async fn commit(&mut self) -> Result<(), SyncError> {
        self.settle().await?;
        let page = self.take_page()?;
        let context = self.context;
        context.sink.commit_page(context.sync.term(), page).await?;
        self.tell_page().await
    }

    async fn tell_page(&mut self) -> Result<(), SyncError> {
        let (read, total) = (self.progress.read(), self.progress.total());
        self.context.sync.tell(Event::Page { shelf: self.context.pass.shelf, read, total }).await;
        let notices = std::mem::take(&mut self.notices);
        if notices.is_empty() || self.context.sink.is_dry() {
            return Ok(());
        }
        let _turn = self.context.telling.lock().await;
        self.context.sync.links().told(&notices).await
    }

    /// Settles what the page still needs to know.
    async fn settle(&mut self) -> Result<(), SyncError> {
        self.compare_waiting().await?;
        self.settle_doubts().await?;
        self.settle_identities().await?;
        self.settle_seats().await?;
        self.note_lists();
        Ok(())
    }

    fn take_page(&mut self) -> Result<Page, SyncError> {
        self.rows = 0;
        let shelf = self.context.pass.shelf;
        let mut page = std::mem::replace(&mut self.page, Page::new(shelf));
        page.checkpoint = to_json(&self.progress)?;
        Ok(page)
    }

    async fn compare_waiting(&mut self) -> Result<(), SyncError> {
        let waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let fids: Vec<i64> = waiting.iter().map(|element| element.fid).collect();
        let sync = self.context.sync;
        let known = sync.register().known_of(sync.name(), self.context.pass.shelf, &fids).await?;
        let known: BTreeMap<i64, Known> = known.into_iter().map(|known| (known.fid, known)).collect();
        for element in waiting {
            let known = known.get(&element.fid).copied();
            self.compare(element, known);
        }
        Ok(())
    }

    /// A splitter that customers are linked to is neither deleted for its role nor changed in silence.
    async fn settle_doubts(&mut self) -> Result<(), SyncError> {
        let mut doubtful = std::mem::take(&mut self.doubtful);
        doubtful.sort_unstable();
        doubtful.dedup();
        if doubtful.is_empty() {
            return Ok(());
        }
        for fid in self.context.sync.links().linked(&doubtful).await? {
            self.keep_linked(fid);
        }
        Ok(())
    }

    fn keep_linked(&mut self, fid: i64) {
        let of_role = |one: &Candidate| one.fid == fid && one.reason == Reason::Deselected;
        if let Some(place) = self.page.candidates.iter().position(of_role) {
            let candidate = self.page.candidates.swap_remove(place);
            let report = self.progress.kind(candidate.kind);
            report.missing = report.missing.saturating_sub(1);
        }
        let written = self.page.upserts.iter_mut().find(|(element, _)| element.fid == fid);
        let role = written.and_then(|(element, _)| {
            element.flag = Some(ROLE_CHANGED.to_owned());
            element.role.clone()
        });
        self.progress.conflict(Conflict::RoleChanged { fid, role });
    }

    /// A contract that is stored with another document is not overwritten (contract C3).
    async fn settle_identities(&mut self) -> Result<(), SyncError> {
        let contracts = self.page.upserts.iter().filter_map(|(element, _)| element.contract.clone());
        let contracts: Vec<String> = contracts.collect();
        if self.context.pass.shelf != Shelf::Cliente || contracts.is_empty() {
            return Ok(());
        }
        let sync = self.context.sync;
        let mut held: BTreeMap<String, (Option<String>, i64)> = BTreeMap::new();
        for (contract, document, fid) in sync.register().holders(sync.name(), &contracts).await? {
            held.insert(contract, (document, fid));
        }
        for (element, digest) in std::mem::take(&mut self.page.upserts) {
            self.settle_identity(element, digest, &mut held);
        }
        Ok(())
    }

    fn settle_identity(
        &mut self,
        element: Element,
        digest: Digest,
        held: &mut BTreeMap<String, (Option<String>, i64)>,
    ) {
        let contract = element.contract.clone().unwrap_or_default();
        let own = (element.document.clone(), element.fid);
        let holder =
            if contract.is_empty() { own } else { held.entry(contract.clone()).or_insert(own).clone() };
        let (document, held_by) = holder;
        if document != element.document {
            self.progress.conflict(Conflict::Identity { fid: element.fid, contract, held_by });
        }
        if document == element.document || held_by != element.fid {
            self.page.upserts.push((element, digest));
        } else {
            let report = self.progress.kind(element.kind);
            report.changed = report.changed.saturating_sub(1);
        }
    }

    /// Where a customer sat before is known only as long as it is stored.
    async fn settle_seats(&mut self) -> Result<(), SyncError> {
        let sync = self.context.sync;
        for fid in std::mem::take(&mut self.moved) {
            let stored = sync.register().get(sync.name(), Shelf::Cliente, fid).await?;
            let left = stored.and_then(|stored| stored.element.parent.zip(stored.element.port));
            let written = self.page.upserts.iter().find(|(element, _)| element.fid == fid);
            let (Some((splitter, port)), Some((element, _))) = (left, written) else { continue };
            if element.parent.zip(element.port) != left {
                self.notices.push(Notice::SeatLeft { splitter, port });
            }
        }
        Ok(())
    }

    /// Takes over into the report how far each list has come.
    fn note_lists(&mut self) {
        let lists = self.lists.progress().zip(&self.before);
        let reports = self.progress.features.iter_mut().zip(&mut self.progress.totals);
        for ((list, before), (report, total)) in lists.zip(reports) {
            report.pages = before.pages + list.pages;
            report.failed = before.failed + list.failed;
            report.unread = before.with(&list.unread);
            report.complete = list.complete && report.failed == 0;
            report.error = report.error.take().or_else(|| list.error.clone());
            *total = list.total;
        }
    }

    async fn finish(&mut self) -> Result<End, SyncError> {
        if self.context.pass.whole {
            self.missing_below(i64::MAX).await?;
        }
        self.lists.pass_all();
        self.settle().await?;
        let (remove, keep) = self.judge();
        self.tell_blocked(&keep).await;
        let cursors = self.cursors();
        self.progress.done = true;
        let page = self.take_page()?;
        let finish = Finish { page, remove, keep, cursors };
        let context = self.context;
        let removed = context.sink.finish_kind(context.sync.term(), finish).await?;
        for candidate in removed {
            self.progress.kind(candidate.kind).removed += 1;
            self.notices.push(Notice::Removed { shelf: context.pass.shelf, fid: candidate.fid });
        }
        self.tell_page().await?;
        let complete = self.progress.features.iter().all(|report| report.complete);
        context.sync.tell(Event::Finished { shelf: context.pass.shelf, complete }).await;
        Ok(End::Done)
    }

    /// Which kinds' candidates are deleted, and which are held back.
    fn judge(&mut self) -> (Vec<Kind>, Vec<Kind>) {
        let mut judged = (Vec::new(), Vec::new());
        let kinds: Vec<Kind> =
            self.progress.kinds.keys().copied().filter(|kind| self.is_proved(*kind)).collect();
        for kind in kinds {
            let context = self.context;
            let report = self.progress.kind(kind);
            let (stored, received, missing) = (report.stored, report.read, report.missing);
            let finding = Finding { kind, stored, received, missing };
            report.guard = context.sync.settings().guard.judge(finding, context.authority);
            if report.guard.is_blocked() {
                judged.1.push(kind);
            } else {
                judged.0.push(kind);
            }
        }
        judged
    }

    async fn tell_blocked(&mut self, kinds: &[Kind]) {
        for kind in kinds.iter().copied() {
            let count = self.progress.kind(kind).missing;
            self.context.sync.tell(Event::Blocked { kind, count }).await;
        }
    }

    /// Whether what was not received of a kind is provably not there. A box may be listed by `caixaEmenda` as well, so that
    /// list must have been whole too.
    fn is_proved(&self, kind: Kind) -> bool {
        let complete = |feature: Feature| {
            self.progress.features.iter().any(|report| report.feature == feature && report.complete)
        };
        let read = |feature: Feature| self.progress.features.iter().any(|report| report.feature == feature);
        let elsewhere = kind.shelf() == Shelf::Box && read(Feature::CaixaEmenda);
        self.context.pass.whole && complete(kind.feature()) && (!elsewhere || complete(Feature::CaixaEmenda))
    }

    fn cursors(&mut self) -> Vec<(Feature, Timestamp)> {
        let stamp = self.context.stamp;
        let mut moved = Vec::new();
        for report in self.progress.features.iter_mut().filter(|report| report.complete) {
            match cursor::next(report.cursor_before, stamp) {
                Some(next) => {
                    report.cursor_after = Some(next);
                    moved.push((report.feature, next));
                }
                None => report.cursor_after = report.cursor_before,
            }
        }
        moved
    }
}

impl Before {
    fn of(report: &FeatureReport) -> Self {
        Self { pages: report.pages, failed: report.failed, unread: report.unread.clone() }
    }

    /// The rows that could not be read, those of the pages before first.
    fn with(&self, unread: &[UnreadRow]) -> Vec<UnreadRow> {
        let new = unread.iter().cloned().map(|mut row| {
            row.page += self.pages;
            row
        });
        self.unread.iter().cloned().chain(new).take(NAMED_ROWS).collect()
    }
}

pub(super) const ROLE_CHANGED: &str = "role_changed";

/// What whoever keeps links should know of a written element.
pub(super) fn notice(element: &Element, known: Option<Known>) -> Option<Notice> {
    let (kind, fid) = (element.kind, element.fid);
    match (known, kind.shelf()) {
        (Some(known), _) if !known.live => Some(Notice::Restored { kind, fid }),
        (Some(_), Shelf::Splitter) => Some(Notice::SplitterChanged { kind, fid }),
        (_, Shelf::Cliente) => Some(Notice::CustomerChanged { fid }),
        _ => None,
    }
}

/// The stored elements of a shelf, one after the other.
struct Walk<'c> {
    context: &'c Context<'c>,
    next: VecDeque<Known>,
    after: Option<i64>,
    ended: bool,
}

impl Walk<'_> {
    async fn peek(&mut self) -> Result<Option<Known>, SyncError> {
        if self.next.is_empty() && !self.ended {
            let sync = self.context.sync;
            let known =
                sync.register().known(sync.name(), self.context.pass.shelf, self.after, STORED_PAGE).await?;
            self.ended = known.len() < STORED_PAGE;
            self.after = known.last().map(|known| known.fid).or(self.after);
            self.next = known.into();
        }
        Ok(self.next.front().copied())
    }

    /// The element of this number, if it is the next; [`peek`](Self::peek) was asked before.
    fn take(&mut self, fid: i64) -> Option<Known> {
        if self.next.front()?.fid == fid { self.next.pop_front() } else { None }
    }
}
