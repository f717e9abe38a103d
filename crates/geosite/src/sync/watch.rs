//! A run as a stream of its events (contract 4.11; issue: events to the caller as a stream).
//!
//! The rule enforced here: the run goes on only while the stream is polled, and waits when its events are not taken, so that
//! neither memory nor the plant runs ahead of the caller. Dropping it is what a kill is: the next run goes on at the last stored
//! page.

use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use integration_core::BoxFuture;
use tokio::sync::mpsc;

use super::error::{SyncError, SyncErrorKind};
use super::kind::Shelf;
use super::report::{Event, Run};

/// So many events wait for the caller at most.
pub(super) const WAITING: usize = 64;

/// A run under way: a `Stream` of its events, also usable by [`next`](Self::next) alone. Made by
/// [`PlantSync::watch`](super::PlantSync::watch).
///
/// Nothing is spawned: the run goes on while the stream is polled, and stands still while nobody does; whoever pauses longer than
/// [`Settings::lease`](super::Settings::lease) between two events may lose the run to another worker. **Dropping it before its end
/// stops the run as a kill would**: what was stored stays, and the next run goes on at the last page. To end a run in good order
/// stop it by its [`Cancel`](super::Cancel) and read the stream to its end.
///
/// ```
/// # use std::sync::Arc;
/// # use geosite::sync::{Event, PlantSync, Request, SyncError, Tally};
/// # async fn run(sync: PlantSync) -> Result<(), SyncError> {
/// let mut running = sync.watch(Request::full());
/// let mut tally = Tally::default();
/// while let Some(event) = running.next().await {
///     tally.heed(&event);
///     println!("{} of {:?}", tally.read(), tally.total());
/// }
/// let run = running.finish().await?;
/// println!("{:?}", run.outcome);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing runs until it is polled"]
pub struct Running {
    run: Option<BoxFuture<'static, Result<Run, SyncError>>>,
    events: mpsc::Receiver<Event>,
    ended: Option<Result<Run, SyncError>>,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("ended", &self.run.is_none()).finish_non_exhaustive()
    }
}

impl Running {
    pub(super) fn new(
        run: BoxFuture<'static, Result<Run, SyncError>>,
        events: mpsc::Receiver<Event>,
    ) -> Self {
        Self { run: Some(run), events, ended: None }
    }

    /// The next event; nothing once the run has ended.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at GeoSite (contract 4.11).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// use geosite::sync::Request;
    ///
    /// let mut running = sync.watch(Request::full());
    /// println!("{:?}", running.next().await);
    /// # Ok(()) });
    /// ```
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Lets the run come to its end, whatever events are left, and gives what became of it.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) at GeoSite (contract 4.11).
    ///
    /// # Errors
    ///
    /// As [`PlantSync::run`](super::PlantSync::run).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let sync = kit.sync().await;
    /// use geosite::sync::Request;
    ///
    /// let run = sync.watch(Request::full()).finish().await?;
    /// println!("{:?}", run.outcome);
    /// # Ok(()) });
    /// ```
    pub async fn finish(mut self) -> Result<Run, SyncError> {
        while self.next().await.is_some() {}
        let unended = || Err(SyncError::new(SyncErrorKind::Store, "the run has not ended"));
        self.ended.take().unwrap_or_else(unended)
    }
}

impl Stream for Running {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Poll::Ready(Some(event)) = self.events.poll_recv(context) {
                return Poll::Ready(Some(event));
            }
            let Some(run) = &mut self.run else { return Poll::Ready(None) };
            match run.as_mut().poll(context) {
                Poll::Ready(ended) => (self.ended, self.run) = (Some(ended), None),
                // What it has told just now, and otherwise whoever wakes the run wakes the caller.
                Poll::Pending => match self.events.poll_recv(context) {
                    Poll::Ready(Some(event)) => return Poll::Ready(Some(event)),
                    _ => return Poll::Pending,
                },
            }
        }
    }
}

/// Adds up the events of a run for one progress bar over all that it reads.
///
/// ```
/// use geosite::sync::{Event, Shelf, Tally};
///
/// let mut tally = Tally::default();
/// tally.heed(&Event::Page { shelf: Shelf::Box, read: 500, total: Some(2_000) });
/// assert_eq!((tally.read(), tally.total()), (500, Some(2_000)));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Shelf, (u64, Option<u64>)>);

impl Tally {
    /// Takes an event in.
    pub fn heed(&mut self, event: &Event) {
        match event {
            Event::Started { shelves, .. } => {
                self.0 = shelves.iter().map(|shelf| (*shelf, (0, None))).collect();
            }
            Event::Page { shelf, read, total } => _ = self.0.insert(*shelf, (*read, *total)),
            // Whatever was expected, no more will come.
            Event::Finished { shelf, .. } => {
                let one = self.0.entry(*shelf).or_default();
                one.1 = Some(one.0);
            }
            _ => {}
        }
    }

    /// Rows received so far; fewer than before when a list was begun again.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.0.values().map(|(read, _)| read).sum()
    }

    /// How many there will be; nothing until every list has told.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        self.0.values().map(|(_, total)| *total).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::report::Mode;

    #[test]
    fn a_total_is_known_once_every_list_has_told_its_own() {
        let mut tally = Tally::default();
        let shelves = vec![Shelf::Splitter, Shelf::Box];
        tally.heed(&Event::Started { run: 1, mode: Mode::Full, resumed: false, shelves });
        tally.heed(&Event::Page { shelf: Shelf::Box, read: 9, total: Some(20) });
        assert_eq!((tally.read(), tally.total()), (9, None));
        tally.heed(&Event::Page { shelf: Shelf::Splitter, read: 3, total: None });
        assert_eq!((tally.read(), tally.total()), (12, None));
        tally.heed(&Event::Finished { shelf: Shelf::Splitter, complete: false });
        assert_eq!((tally.read(), tally.total()), (12, Some(23)));
    }
}
