//! The loop around one call: lane, deadline, attempts, judgement, renewal, retry.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, header};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

use super::address::Address;
use super::answer::Answer;
use super::auth::{Authorization, Credentials};
use super::body::Body;
use super::client::{Caller, Shared};
use super::observer::{End, Watch};
use super::operation::{Call, Idempotency};
use super::retry::{Decision, Failure, RetryPolicy, Situation, decide};
use super::settings::{BaseUrl, Timeouts};
use super::transport::{BodyStream, OwnConnection, SendMark, TransportError, TransportErrorKind};
use super::verdict::Verdict;
use crate::clock::within;
use crate::secret::Secrets;
use crate::{Error, ErrorKind, Outcome};

/// What a call that ended well brought.
pub(crate) struct Done<T> {
    pub(crate) value: T,
    /// Only its head, if there is a body to stream.
    pub(crate) answer: Answer,
    pub(crate) body: Option<BodyStream>,
    /// Given back when the last of the call is done, which includes a streamed body.
    pub(crate) permit: Option<OwnedSemaphorePermit>,
    pub(crate) deadline: Duration,
    pub(crate) secrets: Secrets,
}

/// What one exchange brought.
enum Arrived<T> {
    Whole(Answer),
    Head(Answer, T, BodyStream),
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
pub(crate) struct Run<'c> {
    shared: &'c Shared,
    call: &'c Call,
    base: &'c BaseUrl,
    credentials: Option<&'c Arc<dyn Credentials>>,
    /// The limit of a body that is to be streamed; nothing: the body is read whole.
    streams: Option<u64>,
    timeouts: Timeouts,
    deadline: Duration,
    attempts: u32,
    renewed: bool,
    /// An attempt that may have been applied; nothing that comes later takes it back.
    doubt: bool,
    /// The request of the attempt that is being made.
    under_way: Option<SendMark>,
    finished: bool,
    watch: Watch<'c>,
    span: &'c Span,
}

impl<'c> Run<'c> {
    /// A call that is over by `deadline`, be it that of the call it goes on with.
    pub(crate) fn new(
        caller: &'c Caller,
        call: &'c Call,
        base: &'c BaseUrl,
        streams: Option<u64>,
        deadline: Duration,
        span: &'c Span,
    ) -> Self {
        // Another origin gets credentials only from who names them for it.
        let credentials = caller.credentials.as_ref().filter(|_| base.has_origin_of(&caller.base));
        Self {
            shared: &caller.shared,
            call,
            base,
            credentials,
            streams,
            timeouts: timeouts(call, caller),
            deadline,
            attempts: 0,
            renewed: false,
            doubt: false,
            under_way: None,
            finished: false,
            watch: Watch::of(&caller.shared),
            span,
        }
    }

    /// When a call that begins now has to be over.
    pub(crate) fn deadline(caller: &Caller, call: &Call) -> Duration {
        caller.shared.clock.elapsed().saturating_add(timeouts(call, caller).total())
    }

    pub(crate) async fn run<T>(mut self, judge: &impl Fn(&Answer) -> Verdict<T>) -> Result<Done<T>, Error> {
        let result = self.settle(judge).await;
        self.finished = true;
        let end = match &result {
            Ok(done) => End::Well(done.answer.status().as_u16()),
            Err(error) => End::Badly(error),
        };
        self.note(&end);
        self.watch.over(self.call, self.base, self.attempts, &end);
        result
    }

    /// Once, at the end: exporters keep every value that a field was ever given.
    fn note(&self, end: &End<'_>) {
        if let Some(status) = end.status() {
            self.span.record("http.response.status_code", status);
        }
        if self.attempts > 1 {
            self.span.record("http.request.resend_count", self.attempts.saturating_sub(1));
        }
    }

    async fn settle<T>(&mut self, judge: &impl Fn(&Answer) -> Verdict<T>) -> Result<Done<T>, Error> {
        let address = Address::of(self.call, self.base)?;
        let queued = self.watch.now();
        let permit = self.permit().await;
        if self.call.lane.is_some() {
            self.watch.waited(queued);
        }
        let permit = permit?;
        self.shared.budget.deposit();
        loop {
            let failed = match self.attempt(&address, judge).await {
                Ok(done) => return Ok(Done { permit, ..done }),
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
        self.deadline.saturating_sub(self.shared.clock.elapsed())
    }

    async fn permit(&self) -> Result<Option<OwnedSemaphorePermit>, Error> {
        let Some(lane) = self.call.lane.clone() else { return Ok(None) };
        let permit = self.within(self.remaining(), lane.places.clone().acquire_owned()).await;
        let Some(Ok(permit)) = permit else { return Err(self.waited_too_long()) };
        let Some(wait) = lane.wait(self.shared.clock.elapsed(), self.remaining()) else {
            return Err(self.waited_too_long());
        };
        if !wait.is_zero() {
            self.shared.clock.sleep(wait).await;
        }
        Ok(Some(permit))
    }

    fn waited_too_long(&self) -> Error {
        Error::new(ErrorKind::Timeout, self.call.operation.name)
            .with_outcome(Outcome::NotSent)
            .with_message("the call waited for its turn behind others until its deadline")
            .with_hint("repeat it, allow more time, or send fewer calls at once")
    }

    async fn attempt<T>(
        &mut self,
        address: &Address,
        judge: &impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Done<T>, Failed> {
        let authorization = self.authorize().await.map_err(|error| Failed::new(error, Failure::Final))?;
        let authorization = authorization.as_ref();
        let result = self.exchanged(address, authorization, judge).await;
        result
            .map_err(|failed| Failed { error: failed.error.without(&self.secrets(authorization)), ..failed })
    }

    /// Everything that no error of this attempt may show; collected once there is something to hide it from.
    fn secrets(&self, authorization: Option<&Authorization>) -> Secrets {
        let carried = authorization.into_iter().flat_map(Authorization::secrets);
        Secrets::new(carried.chain(&self.call.secrets).cloned().collect())
    }

    async fn exchanged<T>(
        &mut self,
        address: &Address,
        authorization: Option<&Authorization>,
        judge: &impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Done<T>, Failed> {
        let limit = self.timeouts.attempt().min(self.remaining());
        if limit.is_zero() {
            return Err(self.too_late());
        }
        let mark = SendMark::default();
        let request = self.request(address, authorization, &mark)?;
        self.attempts = self.attempts.saturating_add(1);
        self.under_way = Some(mark.clone());
        let exchanged = {
            // Pinned where it is made: it is large, and whoever takes it by value copies it.
            let exchange = pin!(self.exchange(request, judge));
            self.within(limit, exchange).await
        };
        self.under_way = None;
        match exchanged {
            None => Err(self.timed_out(limit, &mark)),
            Some(Err(error)) => Err(self.broken(error, &mark)),
            Some(Ok(Arrived::Whole(answer))) => self.judge(answer, judge, authorization),
            Some(Ok(Arrived::Head(head, value, body))) => {
                let secrets = self.secrets(authorization);
                Ok(Done { secrets, body: Some(body), ..self.done(value, head) })
            }
        }
    }

    fn done<T>(&self, value: T, answer: Answer) -> Done<T> {
        let (deadline, secrets) = (self.deadline, Secrets::default());
        Done { value, answer, body: None, permit: None, deadline, secrets }
    }

    async fn exchange<T>(
        &self,
        request: Request<Body>,
        judge: &impl Fn(&Answer) -> Verdict<T>,
    ) -> Result<Arrived<T>, TransportError> {
        let (head, body) = self.shared.transport.send(request).await?.into_parts();
        if self.streams.is_some() && head.status.is_success() {
            let answer = Answer::head(head.status, head.headers.clone());
            if let Verdict::Accept(value) = judge(&answer) {
                return Ok(Arrived::Head(answer, value, body));
            }
        }
        let limit = self.call.limits.body.unwrap_or(self.shared.body_limit);
        let (body, complete) = read(body, limit).await?;
        let answer = Answer::new(head.status, head.headers, body);
        Ok(Arrived::Whole(if complete { answer } else { answer.cut_at_limit() }))
    }

    async fn authorize(&self) -> Result<Option<Authorization>, Error> {
        if let Some(given) = &self.call.authorization {
            return Ok(Some(given.clone()));
        }
        let Some(credentials) = self.credentials else { return Ok(None) };
        if let Some(at_hand) = credentials.at_hand() {
            return Ok(Some(at_hand));
        }
        credential(self.within(self.remaining(), credentials.authorize()).await).map(Some)
    }

    /// Built anew for every attempt, so that a renewed credential is used and a streamed body is opened again.
    fn request(
        &self,
        address: &Address,
        authorization: Option<&Authorization>,
        mark: &SendMark,
    ) -> Result<Request<Body>, Failed> {
        let uri = address.uri(authorization).map_err(|error| Failed::new(error, Failure::Final))?;
        let mut request = Request::new(self.call.body.marked(mark));
        *request.method_mut() = self.call.operation.method.clone();
        *request.uri_mut() = uri;
        if self.call.operation.idempotency == Idempotency::Once {
            request.extensions_mut().insert(OwnConnection);
        }
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, self.shared.user_agent.clone());
        // What the call says wins, above all over `accept`.
        for (name, value) in &self.call.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Some(authorization) = authorization {
            authorization.apply(headers);
        }
        Ok(request)
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
                .with_message(format!("nothing could be sent to {} within {seconds} s", self.base.origin()))
                .with_hint("check the base URL and the network, then repeat");
            return Failed::new(error, Failure::NotSent { transient: true });
        }
        let error = error
            .with_message(format!("no complete answer from {} within {seconds} s", self.base.origin()))
            .with_outcome(self.lost())
            .with_hint(self.lost_hint());
        Failed::new(error, Failure::Unknown { transient: self.policy().repeats_after_timeout() })
    }

    fn broken(&self, cause: TransportError, mark: &SendMark) -> Failed {
        let kind = cause.kind();
        let unsent = cause.is_before_sending() || mark.bar();
        // Our own body is what failed, and it will fail again.
        let transient = !matches!(kind, TransportErrorKind::Tls | TransportErrorKind::Body);
        let message = format!("{cause}: {}", self.base.origin());
        let error = Error::new(kind.error_kind(), self.call.operation.name).with_outcome(Outcome::NotSent);
        let error = error.with_message(message).with_source(cause);
        if unsent {
            return Failed::new(error.with_hint(unsent_hint(kind)), Failure::NotSent { transient });
        }
        let error = error.with_outcome(self.lost()).with_hint(self.lost_hint());
        Failed::new(error, Failure::Unknown { transient })
    }

    fn lost(&self) -> Outcome {
        lost(self.call)
    }

    fn lost_hint(&self) -> &'static str {
        lost_hint(self.call)
    }

    /// The class of a verdict is taken from the answer as it came; its error is taken from the masked answer, so that
    /// neither its texts nor a typed cause hold what the service repeated of the call's secrets.
    fn judge<T>(
        &self,
        answer: Answer,
        judge: &impl Fn(&Answer) -> Verdict<T>,
        authorization: Option<&Authorization>,
    ) -> Result<Done<T>, Failed> {
        let answer =
            if self.call.masked_success { answer.masked(&self.secrets(authorization)) } else { answer };
        let verdict = judge(&answer);
        let (outcome, failure) = self.class(&verdict);
        let rejected = authorization.filter(|_| matches!(verdict, Verdict::Unauthorized(_))).cloned();
        let error = match verdict {
            Verdict::Accept(value) if answer.is_complete() && self.streams.is_none() => {
                return Ok(self.done(value, answer));
            }
            Verdict::Accept(_) => None,
            refused => refused.into_error(),
        };
        // A judge that found a wait in the body knows more than the header.
        let said = error.as_ref().and_then(Error::retry_after);
        let wait = said.or_else(|| answer.retry_after(self.shared.clock.wall()));
        let (answer, error) = self.masked(&answer, error, judge, &self.secrets(authorization));
        let error = error.unwrap_or_else(|| self.not_believed(&answer));
        let secret = self.call.secret_answer && answer.status().is_success();
        let answer = if secret { answer.without_body() } else { answer };
        let answer = if self.call.private { answer.head_only(self.call.sent()) } else { answer };
        let error = error.with_outcome(outcome).with_retry_after(wait).with_answer(answer);
        Err(Failed { error, failure, rejected })
    }

    /// The answer without secrets, and what the judge says of it.
    fn masked<T>(
        &self,
        answer: &Answer,
        error: Option<Error>,
        judge: &impl Fn(&Answer) -> Verdict<T>,
        secrets: &Secrets,
    ) -> (Answer, Option<Error>) {
        let masked = answer.clone().masked(secrets);
        if masked == *answer || error.is_none() {
            return (masked, error);
        }
        let again = judge(&masked).into_error();
        // Masking can only make an answer less acceptable; a judge that disagrees leaves its first word, which is redacted
        // with all its causes before anybody sees it.
        (masked, again.or(error))
    }

    fn class<T>(&self, verdict: &Verdict<T>) -> (Outcome, Failure) {
        match verdict {
            Verdict::Refuse(_) | Verdict::Unauthorized(_) => (Outcome::Refused, Failure::Final),
            Verdict::NotApplied(_) => (Outcome::Refused, Failure::NotApplied),
            Verdict::Doubt { transient, .. } => (self.lost(), Failure::Unknown { transient: *transient }),
            Verdict::Accept(_) => (self.lost(), Failure::Unknown { transient: false }),
        }
    }

    /// A judge that accepts half an answer has not looked: what is missing may be what matters. Nor is one believed that
    /// accepts the body of an answer whose head was not worth streaming.
    fn not_believed(&self, answer: &Answer) -> Error {
        let (kind, message) = if answer.is_complete() {
            (ErrorKind::UnexpectedAnswer, "the answer is not the file or list that was asked for")
        } else {
            (ErrorKind::TooLarge, "the answer is larger than the client's limit")
        };
        Error::new(kind, self.call.operation.name).with_message(message).with_hint(self.lost_hint())
    }

    async fn renews(&mut self, failed: &Failed) -> bool {
        let (Some(credentials), Some(rejected)) = (self.credentials, &failed.rejected) else {
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
            random: self.shared.clock.random(),
        };
        match decide(self.policy(), &situation) {
            Decision::Retry(_) if !self.shared.budget.withdraw() => {
                Decision::Stop(Some("too many calls are failing at once to add more"))
            }
            decision => decision,
        }
    }

    fn policy(&self) -> &RetryPolicy {
        self.call.limits.retry.as_ref().unwrap_or(&self.shared.retry)
    }

    async fn pause(&mut self, wait: Duration) {
        tracing::info!(attempt = self.attempts, wait_ms = wait.as_millis(), "trying again");
        let paused = self.watch.now();
        self.shared.clock.sleep(wait).await;
        self.watch.waited(paused);
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

    pub(crate) async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        within(&*self.shared.clock, limit, work).await
    }
}

/// Leaves a trace when the caller drops the future of a call that may have been applied, be it while a request is under
/// way or in the pause after one that was lost.
impl Drop for Run<'_> {
    fn drop(&mut self) {
        let left = self.under_way.take().map(|mark| !mark.bar());
        if self.finished {
            return;
        }
        // What is dropped is not polled, and nobody else enters the span for it.
        let _entered = self.span.enter();
        let unknown = self.doubt || (left == Some(true) && self.lost() == Outcome::Unknown);
        let outcome = match left {
            _ if unknown => Outcome::Unknown,
            Some(false) => Outcome::NotSent,
            None if self.attempts == 0 => Outcome::NotSent,
            _ if self.lost() == Outcome::ReadOnly => Outcome::ReadOnly,
            // In a pause after the service said that it had not acted.
            _ => Outcome::Refused,
        };
        self.watch.over(self.call, self.base, self.attempts, &End::Dropped(outcome));
        if unknown {
            let operation = self.call.operation.name;
            tracing::warn!(operation, "the call was dropped under way: its outcome is unknown");
        }
    }
}

/// A login may end in a refusal or in doubt, but that is the login: of the call itself nothing was sent.
pub(crate) fn credential(asked: Option<Result<Authorization, Error>>) -> Result<Authorization, Error> {
    let given = asked.unwrap_or_else(|| Err(late_credentials()));
    given.map_err(|error| error.with_outcome(Outcome::NotSent))
}

fn late_credentials() -> Error {
    Error::new(ErrorKind::Credentials, "authorize")
        .with_message("the credentials did not come in time")
        .with_hint("look at the token provider or the login; nothing was sent")
}

fn timeouts(call: &Call, caller: &Caller) -> Timeouts {
    let timeouts = call.limits.timeouts.unwrap_or(caller.shared.timeouts);
    timeouts.with_total(call.limits.total.unwrap_or(timeouts.total()))
}

/// What a call ends in that may have been applied.
pub(crate) fn lost(call: &Call) -> Outcome {
    match call.operation.idempotency {
        Idempotency::Safe => Outcome::ReadOnly,
        Idempotency::Keyed | Idempotency::Once => Outcome::Unknown,
    }
}

pub(crate) fn lost_hint(call: &Call) -> &'static str {
    match call.operation.idempotency {
        Idempotency::Safe => "repeat it when the network is well again",
        Idempotency::Keyed => "repeat the identical call: that does not apply it a second time",
        Idempotency::Once => "ask the service whether it was applied, then decide; never repeat it blindly",
    }
}

fn unsent_hint(kind: TransportErrorKind) -> &'static str {
    match kind {
        TransportErrorKind::Tls => {
            "check host name, certificate and this machine's date and root certificates"
        }
        TransportErrorKind::Body => "check what the request was to carry: it could not be opened or read",
        _ => "check the base URL and the network, then repeat",
    }
}

/// Reads up to `limit` bytes; the flag tells whether that was all.
async fn read(mut body: BodyStream, limit: usize) -> Result<(Bytes, bool), TransportError> {
    let mut next = async || poll_fn(|context| body.as_mut().poll_next(context)).await.transpose();
    let Some(first) = next().await? else { return Ok((Bytes::new(), true)) };
    if first.len() > limit {
        return Ok((first.slice(..limit), false));
    }
    // Most answers arrive at once, and need no place to be put together in.
    let Some(mut chunk) = next().await? else { return Ok((first, true)) };
    let mut read = BytesMut::from(first);
    loop {
        let room = limit.saturating_sub(read.len());
        if chunk.len() > room {
            read.extend_from_slice(chunk.get(..room).unwrap_or_default());
            return Ok((read.freeze(), false));
        }
        read.extend_from_slice(&chunk);
        match next().await? {
            Some(more) => chunk = more,
            None => return Ok((read.freeze(), true)),
        }
    }
}
