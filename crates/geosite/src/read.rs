//! A whole feature, row by row, and whether what was read is provably all of it (contract 4.8, G1 to G6).
//!
//! The rules enforced here: pages follow the last `fid`; a short page is not the end, the total is; totals and numbers that do not
//! add up are drift, and reading begins again, three times at most; without a usable total nothing is ever complete. A page that
//! breaks off is taken up after the last row that came, so that none is lost or doubled.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use jiff::Timestamp;

use crate::assumptions::Paging;
use crate::client::Client;
use crate::error::{Drift, Problem};
use crate::feature::Feature;
use crate::filter::Filter;
use crate::list::{List, Page, Rows, Total, refuses_filter};
use crate::record::{Fid, Record, RowError, is_geometry};
use crate::schema::Selection;

/// G4.
const RESTARTS: u32 = 3;
/// A page that breaks off is asked for so often in all (contract 2.3).
const TRIES: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(250);

/// What reading brings, one after the other.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
// A row is what nearly all of them are.
#[allow(clippy::large_enum_variant)]
pub enum Read {
    /// An element.
    Row(Record),
    /// A row that cannot be read. The snapshot is not complete then.
    Failed(RowError),
    /// A page has ended and added up: what to commit up to here.
    Page(Checkpoint),
    /// Rows have moved, and reading begins again from the first: forget what came since the beginning, or take it in twice.
    Restarted {
        /// The how-many-th time.
        restart: u32,
        /// What did not add up.
        drift: Drift,
    },
}

/// How far a feature has been read: enough to go on after a crash, with the same filter.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// Pages since the beginning.
    pub pages: u32,
    /// Rows since the beginning, those that could not be read included.
    pub collected: u64,
    /// Those that could not be read.
    pub failed: u64,
    /// The last number.
    pub last: Option<Fid>,
    /// How many rows there were at the beginning.
    pub total: Option<u64>,
    /// A page came without a usable total.
    pub without_total: bool,
    /// By `start` instead of the last number.
    pub by_offset: bool,
    /// How often reading has begun again.
    pub restarts: u32,
    /// What the service's clock said at the first page.
    pub date: Option<Timestamp>,
}

/// What is known once reading has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Whether everything that there is was provably read: every page added up, a last look gave the same total, and every row could
    /// be read. Only then may anything be deleted for being missing.
    pub complete: bool,
    /// The rest.
    pub checkpoint: Checkpoint,
    /// Columns that were wanted and are not there.
    pub missing: Vec<String>,
}

/// Which columns are read.
#[derive(Debug, Clone)]
enum Wanted {
    Understood(Vec<String>),
    All,
    These(Vec<String>),
}

/// A feature that is being read: a `Stream` of [`Read`], also usable by [`next`](Self::next) alone. Memory holds one row.
///
/// While a page is being read it takes one of the client's places for calls. It has to come within the time of a call, 60 s unless
/// set, without what the reader takes for itself between two rows: a page that did not, or whose connection the server gave up
/// meanwhile, is taken up after its last row, three times at most. Whoever needs long for a row takes a smaller
/// [`page_size`](Self::page_size).
///
/// ```no_run
/// # async fn run(client: geosite::Client) -> Result<(), geosite::Error> {
/// use geosite::{Feature, Read};
///
/// let mut boxes = client.read_all(Feature::Cto);
/// while let Some(read) = boxes.next().await {
///     match read? {
///         Read::Row(record) => println!("{} {:?}", record.fid, record.position),
///         Read::Restarted { .. } => println!("people are at work: from the beginning"),
///         _ => {}
///     }
/// }
/// assert!(boxes.summary().is_some_and(|summary| summary.complete));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is read until it is polled"]
pub struct ReadAll {
    client: Client,
    feature: Feature,
    wanted: Wanted,
    also: Vec<String>,
    filter: Option<Filter>,
    paging: Paging,
    page_size: u32,
    progress: Checkpoint,
    chosen: Option<Selection>,
    page: PageState,
    step: Step,
    summary: Option<Summary>,
}

/// What is known of the page that is being read.
#[derive(Debug, Default)]
struct PageState {
    /// Rows before it.
    before: u64,
    rows: u64,
    /// Rows after the last one that has a number; they will come again.
    unnumbered: u64,
    /// How often in a row it has broken off.
    broken: u32,
    /// Since when no row of it has come.
    since: Duration,
}

type Opened = (Selection, Rows);

enum Step {
    Next,
    Opening(BoxFuture<'static, Result<Opened, Error>>),
    Reading(Box<Rows>),
    Pausing(BoxFuture<'static, ()>),
    /// Whether there is a row beyond the last, and a look at the whole.
    Confirming(BoxFuture<'static, Result<(bool, Page), Error>>),
    Ended,
}

impl Client {
    /// Reads a whole feature: every column that this crate understands and the installation has.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.8).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::{Feature, Read};
    ///
    /// let mut boxes = client.read_all(Feature::Cto);
    /// while let Some(read) = boxes.next().await {
    ///     if let Read::Row(element) = read? {
    ///         println!("{} {:?}", element.fid, element.position);
    ///     }
    /// }
    /// assert!(boxes.summary().is_some_and(|summary| summary.complete));
    /// # Ok(()) });
    /// ```
    pub fn read_all(&self, feature: Feature) -> ReadAll {
        let assumptions = self.assumptions();
        let understood = self.reader(feature).wanted().map(str::to_owned).collect();
        ReadAll {
            client: self.clone(),
            feature,
            wanted: Wanted::Understood(understood),
            also: Vec::new(),
            filter: None,
            paging: assumptions.paging,
            page_size: assumptions.page_size,
            progress: Checkpoint::default(),
            chosen: None,
            page: PageState::default(),
            step: Step::Next,
            summary: None,
        }
    }

    /// Reads several features, so many of them at the same time.
    ///
    /// Each item names its feature; an error of one ends that one alone.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.8).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::{Feature, Read};
    ///
    /// let mut all = client.read_many([Feature::Cto, Feature::Splitter], 2);
    /// while let Some((feature, read)) = all.next().await {
    ///     if let Read::Row(element) = read? {
    ///         println!("{feature:?} {}", element.fid);
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub fn read_many(&self, features: impl IntoIterator<Item = Feature>, at_once: usize) -> ReadMany {
        let waiting = features.into_iter().map(|feature| self.read_all(feature)).collect();
        ReadMany { waiting, running: Vec::new(), at_once: at_once.max(1), turn: 0, summaries: Vec::new() }
    }
}

impl ReadAll {
    /// Reads only these columns, and `fid`; those that are missing are reported.
    pub fn columns<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.wanted = Wanted::These(names.into_iter().map(Into::into).collect());
        self
    }

    /// Reads every column that there is; configured ones that are missing are reported.
    pub fn all_columns(mut self) -> Self {
        self.wanted = Wanted::All;
        self
    }

    /// Reads these columns too.
    pub fn also<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.also.extend(names.into_iter().map(Into::into));
        self
    }

    /// Reads only rows for which this holds: "whole" then means all of those.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Asks for so many rows at a time; the service may send fewer.
    pub fn page_size(mut self, rows: u32) -> Self {
        self.page_size = rows.max(1);
        self
    }

    /// Pages in this way.
    pub fn paging(mut self, paging: Paging) -> Self {
        self.paging = paging;
        self
    }

    /// Goes on where an earlier reading, of the same feature with the same filter, got to.
    pub fn resume(mut self, checkpoint: Checkpoint) -> Self {
        self.page = PageState { before: checkpoint.collected, ..PageState::default() };
        self.progress = checkpoint;
        self
    }

    /// Which feature it is.
    #[must_use]
    pub const fn feature(&self) -> Feature {
        self.feature
    }

    /// What became of it; nothing before it has ended without an error.
    #[must_use]
    pub const fn summary(&self) -> Option<&Summary> {
        self.summary.as_ref()
    }

    /// How far it has come.
    #[must_use]
    pub const fn progress(&self) -> &Checkpoint {
        &self.progress
    }

    /// The next of it; `None` at the end, after which there is a [`summary`](Self::summary).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.8).
    ///
    /// # Errors
    /// Within the result: [`Problem::PageDrift`], [`Problem::Incomplete`], and as [`List::open`] and [`Rows::next`]. Nothing comes
    /// after an error.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let mut boxes = client.read_all(Feature::Cto);
    /// while let Some(read) = boxes.next().await {
    ///     read?;
    /// }
    /// println!("{:?}", boxes.summary());
    /// # Ok(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Result<Read, Error>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Lets go of a page that is being read, and of its place for calls: what follows the last row is asked for anew.
    pub(crate) fn let_go(&mut self) {
        if matches!(self.step, Step::Reading(_)) {
            self.forget_unnumbered();
            self.step = Step::Next;
        }
    }

    fn by_offset(&self) -> bool {
        self.progress.by_offset || self.paging == Paging::Offset
    }

    /// The list without columns and limit.
    fn base(&self) -> List {
        let list = self.client.list(self.feature);
        match &self.filter {
            Some(filter) => list.filter(filter.clone()),
            None => list,
        }
    }

    /// The next page as it is to be asked for.
    fn list(&self) -> List {
        let list = self.base().sorter(["fid"]).limit(self.page_size);
        match self.progress.last {
            _ if self.by_offset() => match self.progress.collected {
                0 => list,
                start => list.start(start),
            },
            Some(last) => list.filter(Filter::gt("fid", i64::try_from(last.0).unwrap_or(i64::MAX))),
            None => list,
        }
    }

    fn open(&mut self) -> Step {
        self.page.before = self.progress.collected;
        (self.page.rows, self.page.unnumbered) = (0, 0);
        if self.page.broken == 0 {
            self.page.since = self.client.clock().elapsed();
        }
        let (client, feature, list) = (self.client.clone(), self.feature, self.list());
        let (wanted, also, chosen) = (self.wanted.clone(), self.also.clone(), self.chosen.clone());
        Step::Opening(Box::pin(async move {
            if let Some(chosen) = chosen {
                let rows = list.columns(chosen.columns.clone()).open().await?;
                return Ok((chosen, rows));
            }
            let chosen = choose(&client, feature, &wanted, &also, false).await?;
            match list.clone().columns(chosen.columns.clone()).open().await {
                // The kept description was old: the installation has other columns now.
                Err(error) if matches!(error.find_source(), Some(Problem::ColumnUnknown { .. })) => {
                    let chosen = choose(&client, feature, &wanted, &also, true).await?;
                    let rows = list.columns(chosen.columns.clone()).open().await?;
                    Ok((chosen, rows))
                }
                opened => Ok((chosen, opened?)),
            }
        }))
    }

    fn opened(&mut self, opened: Result<Opened, Error>) -> Result<Step, Error> {
        match opened {
            Ok((chosen, rows)) => {
                self.chosen = Some(chosen);
                self.progress.date = self.progress.date.or_else(|| rows.date());
                Ok(Step::Reading(Box::new(rows)))
            }
            // G1: the keyset part is the only thing that is new since the last page was answered.
            Err(error) if self.progress.last.is_some() && !self.by_offset() && refuses_filter(&error) => {
                self.progress.by_offset = true;
                Ok(Step::Next)
            }
            Err(error) => Err(error),
        }
    }

    /// Takes a row in; a number that does not rise is drift.
    fn row(&mut self, row: Result<Record, RowError>) -> Result<Read, Drift> {
        let fid = match &row {
            Ok(record) => Some(record.fid),
            Err(error) => error.fid,
        };
        if let (Some(last), Some(fid)) = (self.progress.last, fid)
            && fid <= last
        {
            return Err(Drift::NotRising { after: last.0, found: fid.0 });
        }
        self.progress.last = fid.or(self.progress.last);
        self.progress.collected = self.progress.collected.saturating_add(1);
        self.page.rows = self.page.rows.saturating_add(1);
        self.page.unnumbered = if fid.is_some() { 0 } else { self.page.unnumbered.saturating_add(1) };
        self.progress.failed = self.progress.failed.saturating_add(u64::from(row.is_err()));
        Ok(row.map_or_else(Read::Failed, Read::Row))
    }

    /// A page that broke off is taken up after the last row; nothing if it is not to be.
    fn broken(&mut self, error: &Error) -> Option<Step> {
        let may_pass =
            matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Timeout | ErrorKind::Connect);
        self.page.broken = self.page.broken.saturating_add(1);
        if !may_pass || self.page.broken >= TRIES || self.has_used_up_its_time() {
            return None;
        }
        self.forget_unnumbered();
        let clock = self.client.clock();
        let most = BACKOFF.saturating_mul(1 << self.page.broken.saturating_sub(1).min(5));
        let wait =
            Duration::try_from_secs_f64(most.as_secs_f64() * clock.random().clamp(0.0, 1.0)).unwrap_or(most);
        Some(Step::Pausing(clock.sleep(wait)))
    }

    /// Rows without a number after the last one that has one will come again with the next page.
    /// Contract 2.3: all tries together have the time of a call, unless rows have come since.
    fn has_used_up_its_time(&mut self) -> bool {
        let now = self.client.clock().elapsed();
        if self.page.rows > 0 {
            self.page.since = now;
        }
        now.saturating_sub(self.page.since) >= self.client.caller().timeouts().total()
    }

    fn forget_unnumbered(&mut self) {
        if self.by_offset() {
            return;
        }
        let again = std::mem::take(&mut self.page.unnumbered);
        self.progress.collected = self.progress.collected.saturating_sub(again);
        self.progress.failed = self.progress.failed.saturating_sub(again);
        self.page.rows = self.page.rows.saturating_sub(again);
    }

    /// G2, G3 and G5 at the end of a page: whether there are more.
    fn page_ended(&mut self, total: Total) -> Result<Step, Stop> {
        self.progress.pages = self.progress.pages.saturating_add(1);
        self.page.broken = 0;
        self.check_total(total)?;
        let collected = self.progress.collected;
        match self.progress.total {
            Some(total) if collected > total => Err(Stop::Drift(Drift::TooMany { total, collected })),
            Some(total) if collected == total => Ok(self.confirm()),
            Some(total) if self.page.rows == 0 => Err(self.incomplete(total)),
            None if self.page.rows == 0 => Ok(self.end(false)),
            known => self.more(known),
        }
    }

    fn more(&mut self, total: Option<u64>) -> Result<Step, Stop> {
        let rows = self.page.rows;
        self.forget_unnumbered();
        // Only rows without a number came: the next page would be the same one.
        if rows > 0 && self.page.rows == 0 && !self.by_offset() {
            return Err(self.incomplete(total.unwrap_or_default()));
        }
        Ok(Step::Next)
    }

    fn check_total(&mut self, said: Total) -> Result<(), Stop> {
        let Total::Of(found) = said else {
            self.progress.without_total = true;
            return Ok(());
        };
        let found_whole = if self.by_offset() { found } else { found.saturating_add(self.page.before) };
        match self.progress.total {
            None if self.progress.pages > 1 && self.progress.without_total => Ok(()),
            None => {
                self.progress.total = Some(found_whole);
                Ok(())
            }
            Some(first) if first == found_whole => Ok(()),
            Some(expected) => Err(Stop::Drift(Drift::Total { expected, found: found_whole })),
        }
    }

    fn incomplete(&self, total: u64) -> Stop {
        let route = format!("GET /{}/list", self.feature);
        Stop::Error(
            Problem::Incomplete { route, collected: self.progress.collected, total }.error("read a feature"),
        )
    }

    /// G3: a last look without the keyset part. Before it one beyond the last row, since a total that is always too small would
    /// otherwise make a part look like the whole.
    fn confirm(&self) -> Step {
        let whole = self.base().columns(["fid"]).limit(1);
        let (last, collected) = (self.progress.last, self.progress.collected);
        let by_start = self.base().columns(["fid"]).sorter(["fid"]).limit(1).start(collected);
        let beyond = if self.by_offset() { by_start.clone() } else { self.list().columns(["fid"]).limit(1) };
        Step::Confirming(Box::pin(async move {
            let more = match last {
                None => false,
                last => match beyond.all().await {
                    Err(error) if refuses_filter(&error) => has_beyond(last, &by_start.all().await?),
                    looked => has_beyond(last, &looked?),
                },
            };
            Ok((more, whole.all().await?))
        }))
    }

    fn confirmed(&mut self, more: bool, whole: &Page) -> Result<Step, Stop> {
        let more = more || (self.progress.last.is_none() && !whole.records.is_empty());
        match (self.progress.total, whole.total) {
            (Some(expected), Total::Of(found)) if expected != found => {
                Err(Stop::Drift(Drift::Total { expected, found }))
            }
            (Some(total), _) if more => {
                let collected = self.progress.collected.saturating_add(1);
                Err(Stop::Drift(Drift::TooMany { total, collected }))
            }
            (Some(_), Total::Of(_)) => Ok(self.end(true)),
            _ => {
                self.progress.without_total = true;
                Ok(self.end(false))
            }
        }
    }

    fn end(&mut self, confirmed: bool) -> Step {
        let complete = confirmed && self.progress.failed == 0 && !self.progress.without_total;
        let missing = self.chosen.as_ref().map(|chosen| chosen.missing.clone()).unwrap_or_default();
        self.summary = Some(Summary { complete, checkpoint: self.progress.clone(), missing });
        Step::Ended
    }

    /// G4.
    fn drifted(&mut self, drift: Drift) -> Result<Read, Error> {
        let restarts = self.progress.restarts;
        if restarts >= RESTARTS {
            let route = format!("GET /{}/list", self.feature);
            return Err(Problem::PageDrift { route, restarts, drift }.error("read a feature"));
        }
        let restart = restarts.saturating_add(1);
        tracing::info!(feature = self.feature.segment(), restart, %drift, "rows moved while they were read");
        let date = self.progress.date;
        self.progress = Checkpoint { restarts: restart, date, ..Checkpoint::default() };
        self.page = PageState::default();
        self.step = Step::Next;
        Ok(Read::Restarted { restart, drift })
    }

    fn stop(&mut self, stop: Stop) -> Result<Read, Error> {
        match stop {
            Stop::Drift(drift) => self.drifted(drift),
            Stop::Error(error) => Err(error),
        }
    }

    /// One step; nothing if there is another one to be made at once.
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Read, Stop>>> {
        let step = match &mut self.step {
            Step::Next => Ok(self.open()),
            Step::Opening(opening) => {
                let opened = ready!(opening.as_mut().poll(context));
                self.opened(opened).map_err(Stop::Error)
            }
            Step::Pausing(pausing) => {
                ready!(pausing.as_mut().poll(context));
                Ok(Step::Next)
            }
            Step::Confirming(confirming) => {
                let looked = ready!(confirming.as_mut().poll(context));
                looked.map_err(Stop::Error).and_then(|(more, whole)| self.confirmed(more, &whole))
            }
            Step::Reading(rows) => {
                let row = ready!(Pin::new(&mut **rows).poll_next(context));
                return Poll::Ready(self.rowed(row));
            }
            Step::Ended => Ok(Step::Ended),
        };
        Poll::Ready(self.stepped(step))
    }

    fn stepped(&mut self, step: Result<Step, Stop>) -> Option<Result<Read, Stop>> {
        match step {
            Ok(step) => {
                self.step = step;
                None
            }
            Err(stop) => Some(Err(stop)),
        }
    }

    fn rowed(&mut self, row: Option<Result<Result<Record, RowError>, Error>>) -> Option<Result<Read, Stop>> {
        match row {
            Some(Ok(row)) => Some(self.row(row).map_err(Stop::Drift)),
            Some(Err(error)) => match self.broken(&error) {
                Some(pause) => self.stepped(Ok(pause)),
                None => Some(Err(Stop::Error(error))),
            },
            None => {
                let total = match &self.step {
                    Step::Reading(rows) => rows.total(),
                    _ => Total::Missing,
                };
                let step = self.page_ended(total);
                self.stepped(step).or_else(|| Some(Ok(Read::Page(self.progress.clone()))))
            }
        }
    }
}

/// Whether a page holds a row after the last one. A service that does not understand `start` sends one that was read.
fn has_beyond(last: Option<Fid>, page: &Page) -> bool {
    let unnumbered = page.failed.iter().any(|row| row.fid.is_none());
    unnumbered || page.records.iter().any(|record| Some(record.fid) > last)
}

/// Why reading does not simply go on.
enum Stop {
    Drift(Drift),
    Error(Error),
}

impl Stream for ReadAll {
    type Item = Result<Read, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            if matches!(this.step, Step::Ended) {
                return Poll::Ready(None);
            }
            let Some(item) = ready!(this.poll_step(context)) else { continue };
            let item = item.or_else(|stop| this.stop(stop));
            if item.is_err() {
                this.step = Step::Ended;
            }
            return Poll::Ready(Some(item));
        }
    }
}

impl fmt::Debug for ReadAll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadAll")
            .field("feature", &self.feature)
            .field("progress", &self.progress)
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

/// What is asked for: of what is wanted, what there is. Without `fid` nothing can be read (R6).
async fn choose(
    client: &Client,
    feature: Feature,
    wanted: &Wanted,
    also: &[String],
    anew: bool,
) -> Result<Selection, Error> {
    let schema = if anew { client.read_schema(feature).await? } else { client.schema(feature).await? };
    let all = || schema.columns().iter().map(|column| column.name.clone());
    let mut names = vec!["fid".to_owned()];
    match wanted {
        Wanted::All => names.extend(all()),
        Wanted::These(these) => names.extend(these.iter().cloned()),
        Wanted::Understood(understood) => {
            names.extend(understood.iter().filter(|name| schema.has(name)).cloned());
            names.extend(all().find(|name| is_geometry(name)));
        }
    }
    names.extend(also.iter().cloned());
    let mut selection = schema.select(&names);
    if !matches!(wanted, Wanted::These(_)) {
        selection.missing.extend(client.configured(feature).into_iter().filter(|name| !schema.has(name)));
    }
    let route = format!("GET /{feature}/list");
    if let Some(column) = selection.ambiguous.first() {
        let column = column.clone();
        return Err(Problem::AmbiguousColumn { route, column }.error("read a feature"));
    }
    if selection.missing.iter().any(|name| name == "fid") {
        let columns = vec!["fid".to_owned()];
        return Err(Problem::ColumnUnknown { route, columns }
            .error("read a feature")
            .with_outcome(Outcome::NotSent));
    }
    Ok(selection)
}

/// Several features that are being read, so many at the same time: a `Stream`, also usable by [`next`](Self::next) alone.
#[must_use = "nothing is read until it is polled"]
pub struct ReadMany {
    waiting: VecDeque<ReadAll>,
    running: Vec<ReadAll>,
    at_once: usize,
    /// Who is asked first, so that nobody starves.
    turn: usize,
    summaries: Vec<(Feature, Summary)>,
}

impl ReadMany {
    /// The next of any feature; `None` once all have ended.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.8).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let mut all = client.read_many([Feature::Cto, Feature::Splitter], 2);
    /// while let Some((feature, read)) = all.next().await {
    ///     if let Err(error) = read {
    ///         println!("{feature:?}: {error}"); // the others go on
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn next(&mut self) -> Option<(Feature, Result<Read, Error>)> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// What became of those that have ended without an error, in the order in which they did.
    #[must_use]
    pub fn summaries(&self) -> &[(Feature, Summary)] {
        &self.summaries
    }

    fn start(&mut self) {
        while self.running.len() < self.at_once {
            let Some(next) = self.waiting.pop_front() else { return };
            self.running.push(next);
        }
    }

    /// Asks the one at this place; nothing if it has ended and another has taken the place.
    fn poll_one(
        &mut self,
        place: usize,
        context: &mut Context<'_>,
    ) -> Poll<Option<(Feature, Result<Read, Error>)>> {
        let Some(reading) = self.running.get_mut(place) else { return Poll::Pending };
        match ready!(Pin::new(&mut *reading).poll_next(context)) {
            Some(item) => Poll::Ready(Some((reading.feature, item))),
            None => {
                let ended = self.running.swap_remove(place);
                self.summaries.extend(ended.summary.map(|summary| (ended.feature, summary)));
                Poll::Ready(None)
            }
        }
    }
}

impl Stream for ReadMany {
    type Item = (Feature, Result<Read, Error>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        'again: loop {
            this.start();
            let count = this.running.len();
            if count == 0 {
                return Poll::Ready(None);
            }
            for offset in 0..count {
                let place = this.turn.wrapping_add(offset).checked_rem(count).unwrap_or_default();
                match this.poll_one(place, context) {
                    Poll::Pending => {}
                    Poll::Ready(None) => continue 'again,
                    Poll::Ready(item) => {
                        this.turn = place.wrapping_add(1);
                        return Poll::Ready(item);
                    }
                }
            }
            return Poll::Pending;
        }
    }
}

impl fmt::Debug for ReadMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadMany")
            .field("waiting", &self.waiting.len())
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}
