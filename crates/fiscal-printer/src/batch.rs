//! Documents issued one after another, in order, stopping where the outcome is not certain (contract 9.5).

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use integration_core::{BoxFuture, Error};

use crate::client::Client;
use crate::document::Document;
use crate::issue::Issued;

/// One result of a [`Batch`], with how far it is.
#[derive(Debug)]
#[non_exhaustive]
pub struct BatchItem {
    /// The document, counted from 0.
    pub index: usize,
    /// How many documents the batch has.
    pub total: usize,
    /// The document itself, so that a failed one can be shown, corrected or kept.
    pub document: Document,
    /// What became of it.
    pub result: Result<Issued, Error>,
}

/// A list of documents under way: a `Stream` of [`BatchItem`]s, also usable by [`next`](Self::next) alone.
///
/// Numbers are consecutive, so one document is under way at a time, and the batch **stops** after the first result that is
/// not an issued document: after an unknown outcome always, after a refusal or a document that was not sent unless
/// [`continue_past_refusals`](Self::continue_past_refusals) was asked for. What was not tried is still there:
/// [`into_remaining`](Self::into_remaining).
///
/// Dropping a batch while [`next`](Self::next) is being awaited drops a call under way: its outcome is unknown. To stop in
/// good order, let `next` finish and do not call it again.
///
/// ```no_run
/// # async fn run(client: fiscal_printer::Client, documents: Vec<fiscal_printer::Document>) {
/// let mut batch = client.issue_all(documents);
/// while let Some(item) = batch.next().await {
///     match item.result {
///         Ok(issued) => println!("{} {}", item.document.number(), issued.control_text()),
///         Err(error) => eprintln!("{} of {}: {error}", item.index + 1, item.total),
///     }
/// }
/// println!("{} not tried", batch.into_remaining().len());
/// # }
/// ```
#[must_use = "a batch issues nothing until it is polled"]
pub struct Batch {
    client: Client,
    queue: VecDeque<Document>,
    total: usize,
    past_refusals: bool,
    stopped: bool,
    current: Option<BoxFuture<'static, (Document, Result<Issued, Error>)>>,
}

impl Batch {
    pub(crate) fn new(client: Client, queue: VecDeque<Document>) -> Self {
        let total = queue.len();
        Self { client, queue, total, past_refusals: false, stopped: false, current: None }
    }

    /// Goes on after documents that were refused or not sent. An unknown outcome still stops the batch, since later numbers
    /// would be refused or leave a gap.
    pub fn continue_past_refusals(mut self) -> Self {
        self.past_refusals = true;
        self
    }

    /// The next result; `None` when all are done or the batch has stopped.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) for each document (contract 9.2); dropping the batch between two stops in good
    /// order.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (documents, client) = ([kit.invoice(1), kit.invoice(2)], kit.client);
    /// let mut batch = client.issue_all(documents);
    /// while let Some(item) = batch.next().await {
    ///     println!("{item:?}");
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn next(&mut self) -> Option<BatchItem> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// How many documents have not been tried yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.queue.len()
    }

    /// The documents that were not tried.
    #[must_use]
    pub fn into_remaining(self) -> Vec<Document> {
        self.queue.into()
    }

    fn start_next(&mut self) -> bool {
        let Some(document) = self.queue.pop_front() else { return false };
        let client = self.client.clone();
        self.current = Some(Box::pin(async move {
            let result = client.issue(&document).await;
            (document, result)
        }));
        true
    }

    fn stops_at(&self, result: &Result<Issued, Error>) -> bool {
        match result {
            Ok(_) => false,
            Err(error) => error.is_outcome_unknown() || !self.past_refusals,
        }
    }
}

impl Stream for Batch {
    type Item = BatchItem;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<BatchItem>> {
        if self.current.is_none() && (self.stopped || !self.start_next()) {
            return Poll::Ready(None);
        }
        let Some(current) = &mut self.current else { return Poll::Ready(None) };
        let (document, result) = std::task::ready!(current.as_mut().poll(context));
        self.current = None;
        self.stopped = self.stops_at(&result);
        let index = self.total.saturating_sub(self.queue.len()).saturating_sub(1);
        Poll::Ready(Some(BatchItem { index, total: self.total, document, result }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, Some(self.queue.len().saturating_add(usize::from(self.current.is_some()))))
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("total", &self.total)
            .field("remaining", &self.queue.len())
            .field("stopped", &self.stopped)
            .finish_non_exhaustive()
    }
}
