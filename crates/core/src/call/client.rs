//! The loop around one call: lane, deadline, attempts, judgement, renewal, retry.
//!
//! A service client holds one [`Caller`] and gives it, per operation, a [`Call`] and a judge: a function that says what
//! an answer means. Everything that is the same for every service happens here, once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, header};
use tracing::{Instrument, Span, field};

use super::answer::Answer;
use super::auth::{Authorization, Credentials};
use super::operation::{Call, Idempotency};
use super::reqwest_transport::{Connections, ReqwestTransport};
use super::retry::{Decision, Failure, RetryBudget, RetryPolicy, Situation, decide, parse_retry_after};
use super::settings::{BaseUrl, Timeouts};
use super::transport::{BodyStream, SendMark, Transport, TransportError};
use crate::clock::{Clock, SystemClock};
use crate::{Error, ErrorKind, Outcome};

/// What an answer means, as the service's judge sees it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Verdict {
    /// Done as asked.
    Accept,
    /// The service did not act, for good.
    Refuse(Error),
    /// The service did not act because of the credentials: they are renewed once, if they can be.
    Unauthorized(Error),
    /// The service did not act and may be asked again.
    NotApplied(Error),
    /// The service may have acted. `transient`: the cause may pass.
    Doubt {
        /// What the caller is told.
        error: Error,
        /// Whether the cause may pass.
        transient: bool,
    },
}

/// A service's transport, address, credentials, limits and retry rules; cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    base: BaseUrl,
    credentials: Option<Arc<dyn Credentials>>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    budget: RetryBudget,
    body_limit: usize,
    user_agent: HeaderValue,
}

/// Sets a [`Caller`] up.
#[derive(Debug)]
#[must_use]
pub struct CallerBuilder {
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    base: BaseUrl,
    credentials: Option<Arc<dyn Credentials>>,
    timeouts: Timeouts,
    retry: RetryPolicy,
    body_limit: usize,
    connections: Connections,
    user_agent: &'static str,
}

const MIB: usize = 1024 * 1024;

impl CallerBuilder {
    /// Uses another transport than the built-in one.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Uses another source of time and chance.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Authorises every attempt.
    pub fn credentials(mut self, credentials: Arc<dyn Credentials>) -> Self {
        self.credentials = Some(credentials);
        self
    }

    /// Sets the time limits.
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.timeouts = timeouts;
        self
    }

    /// Sets how often and how long to try.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Reads at most this many bytes of an answer; 1 MiB unless set.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Makes a new connection for every request, for services where a lost request costs more than a handshake.
    pub fn fresh_connections(mut self) -> Self {
        self.connections = Connections::Fresh;
        self
    }

    /// Names the program to the service.
    pub fn user_agent(mut self, name: &'static str) -> Self {
        self.user_agent = name;
        self
    }

    /// Builds the caller.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`] if the built-in transport cannot be set up on this machine, or the user agent
    /// cannot stand in a header.
    pub fn build(self) -> Result<Caller, Error> {
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(ReqwestTransport::new(&self.base, self.timeouts.connect, self.connections)?),
        };
        let user_agent = HeaderValue::from_str(self.user_agent).map_err(|cause| {
            Error::configuration("the user agent cannot stand in a header", "use visible ASCII")
                .with_source(cause)
        })?;
        Ok(Caller(Arc::new(Parts {
            transport,
            clock: self.clock,
            base: self.base,
            credentials: self.credentials,
            timeouts: self.timeouts,
            retry: self.retry,
            budget: RetryBudget::default(),
            body_limit: self.body_limit,
            user_agent,
        })))
    }
}

impl Caller {
    /// Starts setting up a caller for the service at `base`.
    pub fn builder(base: BaseUrl) -> CallerBuilder {
        CallerBuilder {
            transport: None,
            clock: Arc::new(SystemClock::new()),
            base,
            credentials: None,
            timeouts: Timeouts::new(Duration::from_secs(10), Duration::from_secs(60)),
            retry: RetryPolicy::default(),
            body_limit: MIB,
            connections: Connections::Kept,
            user_agent: concat!("integration-sdk/", env!("CARGO_PKG_VERSION")),
        }
    }

    /// Where the service is.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.0.base
    }

    /// The source of time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// The time limits.
    #[must_use]
    pub fn timeouts(&self) -> Timeouts {
        self.0.timeouts
    }

    /// Asks `credentials` for an authorization, within the limit of a whole call.
    ///
    /// For services whose local checks need the credential before anything is sent; the result goes into
    /// [`Call::authorized`].
    ///
    /// # Errors
    /// What the credentials met, or [`ErrorKind::Credentials`] when they did not come in time.
    pub async fn authorize(&self, credentials: &dyn Credentials) -> Result<Authorization, Error> {
        credential(within(&*self.0.clock, self.0.timeouts.total, credentials.authorize()).await)
    }

    /// Makes the call and returns the answer that `judge` accepted.
    ///
    /// # Errors
    /// What the judge said, or what the way there and back met. [`Error::outcome`] covers **all** attempts: if an
    /// earlier one may have been applied, a later "not sent" does not undo that.
    pub async fn call(&self, call: &Call, judge: impl Fn(&Answer) -> Verdict) -> Result<Answer, Error> {
        let span = self.span(call);
        let result = Run::new(&self.0, call).run(&judge).instrument(span.clone()).await;
        if let Err(error) = &result {
            span.record("error.type", field::debug(error.kind()));
        }
        result.map_err(|error| error.with_operation(call.operation.name))
    }

    fn span(&self, call: &Call) -> Span {
        tracing::info_span!(
            "call",
            otel.name = call.operation.name,
            "http.request.method" = call.operation.method.as_str(),
            "url.template" = call.operation.path,
            "server.address" = self.0.base.host(),
            "server.port" = self.0.base.port(),
            "http.response.status_code" = field::Empty,
            "http.request.resend_count" = field::Empty,
            "error.type" = field::Empty,
        )
    }
}

/// What one attempt ended in, when it did not end well.
struct Failed {
    error: Error,
    failure: Failure,
    rejected: Option<Authorization>,
}

impl Failed {
    fn new(error: Error, failure: Failure) -> Self {
        Self { error, failure, rejected: None }
    }
}

/// One call under way.
struct Run<'c> {
    parts: &'c Parts,
    call: &'c Call,
    deadline: Duration,
    attempts: u32,
    renewed: bool,
    /// An attempt that may have been applied; nothing that comes later takes it back.
    doubt: bool,
    /// The request of the attempt that is being made.
    under_way: Option<SendMark>,
    finished: bool,
}

impl<'c> Run<'c> {
    fn new(parts: &'c Parts, call: &'c Call) -> Self {
        let deadline = parts.clock.elapsed().saturating_add(parts.timeouts.total);
        Self {
            parts,
            call,
            deadline,
            attempts: 0,
            renewed: false,
            doubt: false,
            under_way: None,
            finished: false,
        }
    }

    async fn run(mut self, judge: &impl Fn(&Answer) -> Verdict) -> Result<Answer, Error> {
        let result = self.settle(judge).await;
        self.finished = true;
        result
    }

    async fn settle(&mut self, judge: &impl Fn(&Answer) -> Verdict) -> Result<Answer, Error> {
        let _permit = self.permit().await?;
        self.parts.budget.deposit();
        loop {
            let failed = match self.attempt(judge).await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            // A call that only reads leaves nothing behind that later attempts would have to answer for.
            self.doubt |=
                matches!(failed.failure, Failure::Unknown { .. }) && self.lost() == Outcome::Unknown;
            if self.renews(&failed).await {
                continue;
            }
            match self.decide(&failed) {
                Decision::Retry(wait) => self.pause(wait).await,
                Decision::Stop(because) => return Err(self.give_up(failed.error, because)),
            }
        }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.parts.clock.elapsed())
    }

    async fn permit(&self) -> Result<Option<tokio::sync::OwnedSemaphorePermit>, Error> {
        let Some(lane) = self.call.lane.clone() else { return Ok(None) };
        let permit = self.within(self.remaining(), lane.0.acquire_owned()).await;
        match permit {
            Some(Ok(permit)) => Ok(Some(permit)),
            _ => Err(Error::new(ErrorKind::Timeout, self.call.operation.name)
                .with_outcome(Outcome::NotSent)
                .with_message("the call waited for its turn behind others until its deadline")
                .with_hint("repeat it, allow more time, or send fewer calls at once")),
        }
    }

    async fn attempt(&mut self, judge: &impl Fn(&Answer) -> Verdict) -> Result<Answer, Failed> {
        let authorization = self.authorize().await.map_err(|error| Failed::new(error, Failure::Final))?;
        let limit = self.parts.timeouts.attempt.min(self.remaining());
        if limit.is_zero() {
            return Err(self.too_late());
        }
        let mark = SendMark::default();
        let request = self.request(authorization.as_ref(), &mark);
        self.attempts = self.attempts.saturating_add(1);
        self.under_way = Some(mark.clone());
        let exchanged = self.within(limit, exchange(self.parts, request)).await;
        self.under_way = None;
        let answer = match exchanged {
            None => return Err(self.timed_out(limit, &mark)),
            Some(Err(error)) => return Err(self.broken(error, &mark)),
            Some(Ok(answer)) => mask(answer, authorization.as_ref()),
        };
        Span::current().record("http.response.status_code", answer.status().as_u16());
        self.judge(answer, judge, authorization)
    }

    async fn authorize(&self) -> Result<Option<Authorization>, Error> {
        if let Some(given) = &self.call.authorization {
            return Ok(Some(given.clone()));
        }
        let Some(credentials) = &self.parts.credentials else { return Ok(None) };
        credential(self.within(self.remaining(), credentials.authorize()).await).map(Some)
    }

    /// Built anew for every attempt, so that a renewed credential is used.
    fn request(&self, authorization: Option<&Authorization>, mark: &SendMark) -> Request<Bytes> {
        let mut request = Request::new(self.call.body.clone());
        *request.method_mut() = self.call.operation.method.clone();
        // A URL that the url crate holds is always a URI that the http crate reads.
        *request.uri_mut() =
            self.parts.base.join(self.call.operation.path).as_str().parse().unwrap_or_default();
        *request.headers_mut() = self.call.headers.clone();
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, self.parts.user_agent.clone());
        if let Some(authorization) = authorization {
            authorization.apply(headers);
        }
        request.extensions_mut().insert(mark.clone());
        request
    }

    /// The time was used up in the lane, by the credentials or in a pause. Sending now would only cast the outcome in
    /// doubt, since nobody would wait for the answer.
    fn too_late(&self) -> Failed {
        let error = Error::new(ErrorKind::Timeout, self.call.operation.name)
            .with_outcome(Outcome::NotSent)
            .with_message("the time was over before the request could be sent")
            .with_hint("repeat it, allow more time, or send fewer calls at once");
        Failed::new(error, Failure::NotSent { transient: false })
    }

    fn timed_out(&self, limit: Duration, mark: &SendMark) -> Failed {
        let error = Error::new(ErrorKind::Timeout, self.call.operation.name).with_outcome(Outcome::NotSent);
        let seconds = limit.as_secs_f64();
        if mark.bar() {
            let error = error
                .with_message(format!("no connection to {} within {seconds} s", self.parts.base))
                .with_hint("check the base URL and the network, then repeat");
            return Failed::new(error, Failure::NotSent { transient: true });
        }
        let error = error
            .with_message(format!("no complete answer from {} within {seconds} s", self.parts.base))
            .with_outcome(self.lost())
            .with_hint(self.lost_hint());
        Failed::new(error, Failure::Unknown { transient: true })
    }

    fn broken(&self, cause: TransportError, mark: &SendMark) -> Failed {
        let kind = cause.kind();
        let unsent = cause.is_before_sending() || mark.bar();
        let message = format!("{cause}: {}", self.parts.base);
        let error =
            Error::new(kind, self.call.operation.name).with_outcome(Outcome::NotSent).with_message(message);
        let error = error.with_source(cause);
        if unsent {
            let error = error.with_hint(unsent_hint(kind));
            return Failed::new(error, Failure::NotSent { transient: kind != ErrorKind::Tls });
        }
        let error = error.with_outcome(self.lost()).with_hint(self.lost_hint());
        Failed::new(error, Failure::Unknown { transient: true })
    }

    fn lost(&self) -> Outcome {
        match self.call.operation.idempotency {
            Idempotency::Safe => Outcome::ReadOnly,
            Idempotency::Keyed | Idempotency::Once => Outcome::Unknown,
        }
    }

    fn lost_hint(&self) -> &'static str {
        match self.call.operation.idempotency {
            Idempotency::Safe => "repeat it when the network is well again",
            Idempotency::Keyed => "repeat the identical call: that does not apply it a second time",
            Idempotency::Once => {
                "ask the service whether it was applied, then decide; never repeat it blindly"
            }
        }
    }

    fn judge(
        &self,
        answer: Answer,
        judge: &impl Fn(&Answer) -> Verdict,
        authorization: Option<Authorization>,
    ) -> Result<Answer, Failed> {
        let secret = authorization.as_ref().map(|given| given.secret().clone());
        let mut rejected = None;
        let (error, failure) = match judge(&answer) {
            Verdict::Accept if answer.is_complete() => return Ok(answer),
            Verdict::Accept => (self.cut(), Failure::Unknown { transient: false }),
            Verdict::Refuse(error) => (error.with_outcome(Outcome::Refused), Failure::Final),
            Verdict::Unauthorized(error) => {
                rejected = authorization;
                (error.with_outcome(Outcome::Refused), Failure::Final)
            }
            Verdict::NotApplied(error) => (error.with_outcome(Outcome::Refused), Failure::NotApplied),
            Verdict::Doubt { error, transient } => {
                (error.with_outcome(self.lost()), Failure::Unknown { transient })
            }
        };
        // A judge that found a wait in the body knows more than the header.
        let wait = error.retry_after().or_else(|| retry_after(&answer, &*self.parts.clock));
        let error = match &secret {
            Some(secret) => error.redacted(secret),
            None => error,
        };
        let error = error.with_retry_after(wait).with_answer(answer);
        Err(Failed { error, failure, rejected })
    }

    /// A judge that accepts half an answer has not looked: what is missing may be what matters.
    fn cut(&self) -> Error {
        Error::new(ErrorKind::TooLarge, self.call.operation.name)
            .with_message("the answer is larger than the client's limit")
            .with_outcome(self.lost())
            .with_hint(self.lost_hint())
    }

    async fn renews(&mut self, failed: &Failed) -> bool {
        let (Some(credentials), Some(rejected)) = (&self.parts.credentials, &failed.rejected) else {
            return false;
        };
        if self.renewed {
            return false;
        }
        self.renewed = true;
        let renewed = self.within(self.remaining(), credentials.renew(rejected)).await.unwrap_or(false);
        // A call that brought its own authorization would only send the refused one again.
        renewed && self.call.authorization.is_none()
    }

    fn decide(&self, failed: &Failed) -> Decision {
        let situation = Situation {
            idempotency: self.call.operation.idempotency,
            failure: failed.failure,
            attempts: self.attempts,
            remaining: self.remaining(),
            retry_after: failed.error.retry_after(),
            random: self.parts.clock.random(),
        };
        match decide(&self.parts.retry, &situation) {
            Decision::Retry(_) if !self.parts.budget.withdraw() => {
                Decision::Stop(Some("too many calls are failing at once to add more"))
            }
            decision => decision,
        }
    }

    async fn pause(&self, wait: Duration) {
        tracing::info!(attempt = self.attempts, wait_ms = wait.as_millis(), "trying again");
        Span::current().record("http.request.resend_count", self.attempts);
        self.parts.clock.sleep(wait).await;
    }

    fn give_up(&self, error: Error, because: Option<&'static str>) -> Error {
        let harmless = self.call.operation.idempotency != Idempotency::Once;
        let error = error.with_attempts(self.attempts, because).with_harmless_repeat(harmless);
        if self.doubt && error.outcome() != Outcome::Unknown {
            let hint = format!("an earlier attempt was lost; {}", self.lost_hint());
            return error.with_outcome(Outcome::Unknown).with_hint(hint);
        }
        error
    }

    async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        within(&*self.parts.clock, limit, work).await
    }
}

/// Leaves a trace when the caller drops the future of a call that may have been applied, be it while a request is under
/// way or in the pause after one that was lost.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        let may_have_left = self.under_way.take().is_some_and(|mark| !mark.bar());
        let unknown = self.doubt || (may_have_left && self.lost() == Outcome::Unknown);
        if unknown && !self.finished {
            let operation = self.call.operation.name;
            tracing::warn!(operation, "the call was dropped under way: its outcome is unknown");
        }
    }
}

async fn within<T>(clock: &dyn Clock, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut timer = clock.timer(limit);
    let mut work = pin!(work);
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending => timer.as_mut().poll(context).map(|()| None),
    })
    .await
}

/// A login may end in a refusal or in doubt, but that is the login: of the call itself nothing was sent.
fn credential(asked: Option<Result<Authorization, Error>>) -> Result<Authorization, Error> {
    let given = asked.unwrap_or_else(|| Err(late_credentials()));
    given.map_err(|error| error.with_outcome(Outcome::NotSent))
}

fn late_credentials() -> Error {
    Error::new(ErrorKind::Credentials, "authorize")
        .with_message("the credentials did not come in time")
        .with_hint("look at the token provider or the login; nothing was sent")
}

fn unsent_hint(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Tls => "check host name, certificate and this machine's date and root certificates",
        _ => "check the base URL and the network, then repeat",
    }
}

fn retry_after(answer: &Answer, clock: &dyn Clock) -> Option<Duration> {
    let value = answer.headers().get(header::RETRY_AFTER)?.to_str().ok()?;
    parse_retry_after(value, clock.wall())
}

async fn exchange(parts: &Parts, request: Request<Bytes>) -> Result<Answer, TransportError> {
    let (head, body) = parts.transport.send(request).await?.into_parts();
    let (body, complete) = read(body, parts.body_limit).await?;
    let answer = Answer::new(head.status, head.headers, body);
    Ok(if complete { answer } else { answer.cut_at_limit() })
}

/// Reads up to `limit` bytes; the flag tells whether that was all.
async fn read(mut body: BodyStream, limit: usize) -> Result<(Bytes, bool), TransportError> {
    let mut read = BytesMut::new();
    while let Some(chunk) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        let chunk = chunk?;
        let room = limit.saturating_sub(read.len());
        if chunk.len() > room {
            read.extend_from_slice(chunk.get(..room).unwrap_or_default());
            return Ok((read.freeze(), false));
        }
        read.extend_from_slice(&chunk);
    }
    Ok((read.freeze(), true))
}

/// Masks the call's own secret wherever the service repeats it.
fn mask(answer: Answer, authorization: Option<&Authorization>) -> Answer {
    let Some(secret) = authorization.map(Authorization::secret) else { return answer };
    answer.masked(secret)
}
