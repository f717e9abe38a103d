//! What a service client holds: transport, address, credentials, limits, and the ways to make a call.
//!
//! A service client gives its [`Caller`], per operation, a [`Call`] and a judge: a function that says what an answer means.
//! Everything that is the same for every service happens behind it, once.

use std::borrow::Cow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;
use tokio::io::AsyncWrite;
use tracing::{Instrument, Span, field};

use super::answer::Answer;
use super::auth::{Authorization, Credentials};
use super::builder::CallerBuilder;
use super::observer::CallObserver;
use super::operation::Call;
use super::redirect;
use super::retry::{RetryBudget, RetryPolicy};
use super::run::{Done, Run, credential};
use super::settings::{BaseUrl, Timeouts};
use super::streamed::{Downloaded, Streamed};
use super::transport::Transport;
use super::verdict::Verdict;
use crate::Error;
use crate::clock::{Clock, within};

/// A service's transport, address, credentials, limits and retry rules; cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(crate) shared: Arc<Shared>,
    pub(crate) base: BaseUrl,
    pub(crate) credentials: Option<Arc<dyn Credentials>>,
}

/// What callers for several addresses or users of one service have in common.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) timeouts: Timeouts,
    pub(crate) retry: RetryPolicy,
    pub(crate) budget: RetryBudget,
    pub(crate) body_limit: usize,
    pub(crate) user_agent: HeaderValue,
    pub(crate) observer: Option<Arc<dyn CallObserver>>,
}

/// What a judge made of an answer, and the answer as it came.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Answered<T> {
    /// What the judge accepted.
    pub value: T,
    /// The raw answer, unaltered.
    pub answer: Answer,
}

impl Caller {
    /// Starts setting up a caller for the service at `base`.
    pub fn builder(base: BaseUrl) -> CallerBuilder {
        CallerBuilder::default().base(base)
    }

    /// A caller with other credentials that shares connections, clock and retry budget.
    #[must_use]
    pub fn with_credentials(&self, credentials: Arc<dyn Credentials>) -> Self {
        Self { credentials: Some(credentials), ..self.clone() }
    }

    /// A caller without credentials that shares connections, clock and retry budget: for logins.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { credentials: None, ..self.clone() }
    }

    /// A caller for another address of the same service, **with the same credentials**, that shares connections, clock and
    /// retry budget.
    #[must_use]
    pub fn at(&self, base: BaseUrl) -> Self {
        Self { base, ..self.clone() }
    }

    /// Where the service is.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// The source of time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// The time limits.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.shared.timeouts
    }

    /// Asks `credentials` for an authorization, within the limit of a whole call.
    ///
    /// For services whose local checks need the credential before anything is sent; the result goes into
    /// [`Call::authorized`].
    ///
    /// # Errors
    /// What the credentials met, or [`ErrorKind::Credentials`](crate::ErrorKind::Credentials) when they did not come in
    /// time.
    pub async fn authorize(&self, credentials: &dyn Credentials) -> Result<Authorization, Error> {
        if let Some(at_hand) = credentials.at_hand() {
            return Ok(at_hand);
        }
        let limit = self.shared.timeouts.total();
        credential(within(&*self.shared.clock, limit, credentials.authorize()).await)
    }

    /// Makes the call and returns what `judge` accepted, with the answer.
    ///
    /// # Errors
    /// What the judge said, or what the way there and back met. [`Error::outcome`] covers **all** attempts: if an
    /// earlier one may have been applied, a later "not sent" does not undo that. The answer in the error has the call's
    /// secrets masked.
    pub async fn call<T>(
        &self,
        call: &Call,
        judge: impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Answered<T>, Error> {
        let Done { value, answer, .. } = self.make(call, None, &judge).await?;
        Ok(Answered { value, answer })
    }

    /// Makes the call and returns the head that `judge` accepted, with a body of at most `limit` bytes still to be read.
    ///
    /// The judge is first given the head alone ([`Answer::is_head`]) of a 2xx. If it does not accept that, or the status is
    /// no 2xx, the body is read up to the call's limit for answers and judged as usual; the call then fails, and a judge that
    /// accepts at that point is not believed.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn open<T>(
        &self,
        call: &Call,
        limit: u64,
        judge: impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Streamed<T>, Error> {
        let done = self.make(call, Some(limit), &judge).await?;
        Streamed::of(self, call, limit, done)
    }

    /// Makes the call and writes the body of the answer, at most `limit` bytes, to `writer` as it arrives.
    ///
    /// `judge` sees the head of the answer, as in [`open`](Self::open); of an answer that is refused not a byte is written.
    /// A body that stalls, breaks off or goes beyond the limit ends in an error **after** bytes were written: write to
    /// a temporary place and move it when this returns. The writer is flushed, not shut down. A file that must be a PDF
    /// is asked for with [`open`](Self::open) and [`Streamed::take_into`].
    ///
    /// # Errors
    /// As [`call`](Self::call); [`ErrorKind::Store`](crate::ErrorKind::Store) if the writer fails.
    ///
    /// ```no_run
    /// use integration_core::call::{Call, Caller, Operation, Verdict};
    ///
    /// const FILE: Operation = Operation::get("fetch a file", "/media/{id}");
    ///
    /// # async fn run(caller: Caller, mut file: Vec<u8>) -> Result<(), integration_core::Error> {
    /// let call = Call::new(FILE).param("id", "7f3a");
    /// let done = caller.download(&call, 100 << 20, Verdict::success, &mut file).await?;
    /// println!("{} bytes, SHA-256 {}", done.length, done.sha256);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn download<T>(
        &self,
        call: &Call,
        limit: u64,
        judge: impl Fn(&Answer) -> Verdict<T>,
        writer: &mut (impl AsyncWrite + Unpin + ?Sized),
    ) -> Result<Downloaded<T>, Error> {
        self.open(call, limit, judge).await?.write_to(writer).await
    }

    async fn make<T>(
        &self,
        call: &Call,
        streams: Option<u64>,
        judge: &impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Done<T>, Error> {
        let mut call = Cow::Borrowed(call);
        // One for all hops: who sets a limit for a call does not want it once more for every redirect.
        let deadline = Run::deadline(self, &call);
        let mut hops = 0_u32;
        loop {
            match self.make_one(&call, streams, deadline, judge).await {
                Err(error) => call = Cow::Owned(redirect::followed(&call, self.target(&call), error, hops)?),
                done => return done,
            }
            hops = hops.saturating_add(1);
        }
    }

    fn target<'c>(&'c self, call: &'c Call) -> &'c BaseUrl {
        call.base.as_ref().unwrap_or(&self.base)
    }

    async fn make_one<T>(
        &self,
        call: &Call,
        streams: Option<u64>,
        deadline: Duration,
        judge: &impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Done<T>, Error> {
        let base = self.target(call);
        let span = span(call, base);
        let result = {
            // Pinned where it is made: it is large, and whoever takes it by value copies it.
            let run = pin!(Run::new(self, call, base, streams, deadline, &span).run(judge));
            run.instrument(span.clone()).await
        };
        if let Err(error) = &result {
            span.record("error.type", field::debug(error.kind()));
            span.record("otel.status_code", "ERROR");
        }
        result.map_err(|error| error.with_operation(call.operation.name))
    }
}

fn span(call: &Call, base: &BaseUrl) -> Span {
    tracing::info_span!(
        "call",
        otel.name = call.operation.name,
        otel.kind = "client",
        "http.request.method" = call.operation.method.as_str(),
        "url.template" = call.operation.path,
        "server.address" = base.host(),
        "server.port" = base.port(),
        "http.response.status_code" = field::Empty,
        "http.request.resend_count" = field::Empty,
        "error.type" = field::Empty,
        otel.status_code = field::Empty,
    )
}
