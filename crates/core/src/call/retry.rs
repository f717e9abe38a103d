//! Whether a failed attempt is repeated: a pure decision without I/O or clock.
//!
//! It is safe to try again only when nothing left, when the service said that it did not act, or when the operation is
//! [`Idempotency::Safe`] or [`Idempotency::Keyed`]. Everything else is an unknown outcome, which no retry may touch.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use super::operation::Idempotency;

/// How often and how long to try.
///
/// ```
/// use std::time::Duration;
/// use integration_core::call::RetryPolicy;
///
/// const PATIENT: RetryPolicy = RetryPolicy::new().with_max_attempts(5).with_max_hint(Duration::from_secs(120));
/// assert_eq!(PATIENT.max_attempts(), 5);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    max_attempts: u32,
    base: Duration,
    cap: Duration,
    max_hint: Duration,
    after_timeout: bool,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self::new()
    }
}

impl RetryPolicy {
    /// Three requests, pauses from 250 ms up to 10 s, a `Retry-After` of up to a minute.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_attempts: 3,
            base: Duration::from_millis(250),
            cap: Duration::from_secs(10),
            max_hint: Duration::from_secs(60),
            after_timeout: true,
        }
    }

    /// One request per call, and one more only if the service refused the credentials and they could be renewed.
    #[must_use]
    pub const fn never() -> Self {
        Self::new().with_max_attempts(1)
    }

    /// Requests per call at most, the first included; 1 switches retries off. The one repeat with renewed credentials is
    /// no retry and may come on top.
    #[must_use]
    pub const fn with_max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// The longest first pause; it doubles with every attempt, and the real pause is drawn between zero and it.
    #[must_use]
    pub const fn with_base(self, base: Duration) -> Self {
        Self { base, ..self }
    }

    /// The longest pause of our own choosing.
    #[must_use]
    pub const fn with_cap(self, cap: Duration) -> Self {
        Self { cap, ..self }
    }

    /// The longest `Retry-After` that is obeyed; beyond it the call ends at once and the error carries the value.
    #[must_use]
    pub const fn with_max_hint(self, max_hint: Duration) -> Self {
        Self { max_hint, ..self }
    }

    /// Whether a request that left and got no whole answer in time is made again, where it may be; it is unless set. Without it a
    /// service that keeps silent costs the time of one attempt, not of three.
    ///
    /// ```
    /// use integration_core::call::RetryPolicy;
    ///
    /// const IMPATIENT: RetryPolicy = RetryPolicy::new().with_repeat_after_timeout(false);
    /// assert!(!IMPATIENT.repeats_after_timeout());
    /// ```
    #[must_use]
    pub const fn with_repeat_after_timeout(self, on: bool) -> Self {
        Self { after_timeout: on, ..self }
    }

    /// Whether a request that left and got no whole answer in time is made again.
    #[must_use]
    pub const fn repeats_after_timeout(&self) -> bool {
        self.after_timeout
    }

    /// Requests per call at most.
    #[must_use]
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }
}

/// What one attempt met, as far as repeating is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Failure {
    /// Nothing left. `transient`: the next attempt may fare better (a refused connection), or not (a bad certificate).
    NotSent {
        /// Whether the next attempt may fare better.
        transient: bool,
    },
    /// The service said that it did not act and may be asked again.
    NotApplied,
    /// The service may have acted. `transient`: the cause may pass (a reset, a 503).
    Unknown {
        /// Whether the next attempt may fare better.
        transient: bool,
    },
    /// The service refused, or answered for good.
    Final,
}

/// Everything the decision depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Situation {
    /// Whether the operation may be repeated after it may have been applied.
    pub idempotency: Idempotency,
    /// What the last attempt met.
    pub failure: Failure,
    /// Requests made so far, at least 1.
    pub attempts: u32,
    /// Time left until the call's deadline.
    pub remaining: Duration,
    /// How long the service asked to wait.
    pub retry_after: Option<Duration>,
    /// A draw between 0 (included) and 1 (excluded).
    pub random: f64,
}

impl Situation {
    /// A first attempt that failed, with a minute left and no hint.
    #[must_use]
    pub fn after_first(idempotency: Idempotency, failure: Failure) -> Self {
        let remaining = Duration::from_secs(60);
        Self { idempotency, failure, attempts: 1, remaining, retry_after: None, random: 0.0 }
    }
}

/// What to do after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Wait this long and try again.
    Retry(Duration),
    /// Stop. The text says why, where another attempt was possible in principle.
    Stop(Option<&'static str>),
}

/// Decides whether to try again.
///
/// ```
/// use integration_core::call::Idempotency;
/// use integration_core::call::retry::{Decision, Failure, RetryPolicy, Situation, decide};
///
/// let lost = Failure::Unknown { transient: true };
/// let policy = RetryPolicy::default();
/// assert!(matches!(decide(&policy, &Situation::after_first(Idempotency::Keyed, lost)), Decision::Retry(_)));
/// assert!(matches!(decide(&policy, &Situation::after_first(Idempotency::Once, lost)), Decision::Stop(_)));
/// ```
#[must_use]
pub fn decide(policy: &RetryPolicy, situation: &Situation) -> Decision {
    if let Some(stop) = forbidden(situation) {
        return stop;
    }
    if situation.attempts >= policy.max_attempts {
        return Decision::Stop(Some("no attempts left"));
    }
    if situation.retry_after.is_some_and(|hint| hint > policy.max_hint) {
        return Decision::Stop(Some("the service asks to wait longer than this client does"));
    }
    let wait = pause(policy, situation);
    if wait >= situation.remaining {
        return Decision::Stop(Some("the deadline comes before the next attempt"));
    }
    Decision::Retry(wait)
}

/// The rule that protects from doing it twice.
fn forbidden(situation: &Situation) -> Option<Decision> {
    match (situation.failure, situation.idempotency) {
        (Failure::Final | Failure::NotSent { transient: false }, _) => Some(Decision::Stop(None)),
        (Failure::NotSent { transient: true } | Failure::NotApplied, _) => None,
        (Failure::Unknown { .. }, Idempotency::Once) => {
            Some(Decision::Stop(Some("not repeated, since a repeat could do it twice")))
        }
        (Failure::Unknown { transient: false }, _) => Some(Decision::Stop(None)),
        (Failure::Unknown { transient: true }, _) => None,
    }
}

fn pause(policy: &RetryPolicy, situation: &Situation) -> Duration {
    let doublings = situation.attempts.saturating_sub(1).min(16);
    let ceiling = policy.base.saturating_mul(1 << doublings).min(policy.cap);
    match situation.retry_after {
        // The hint is a floor; the spread above it keeps a crowd from coming back in the same instant.
        Some(hint) => hint.saturating_add(share(ceiling.min(Duration::from_secs(1)), situation.random)),
        None => share(ceiling, situation.random),
    }
}

/// `Duration::mul_f64` would panic where a clock draws NaN, or a policy names the longest of all durations.
fn share(whole: Duration, part: f64) -> Duration {
    Duration::try_from_secs_f64(whole.as_secs_f64() * part.clamp(0.0, 1.0)).unwrap_or(whole)
}

/// Reads a `Retry-After` value: whole seconds or an HTTP date. Anything else is no hint.
///
/// ```
/// use std::time::Duration;
/// use integration_core::call::retry::parse_retry_after;
/// use jiff::Timestamp;
///
/// let now: Timestamp = "2026-11-22T08:00:00Z".parse()?;
/// assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
/// assert_eq!(parse_retry_after("Sun, 22 Nov 2026 08:00:30 GMT", now), Some(Duration::from_secs(30)));
/// assert_eq!(parse_retry_after("-1", now), None);
/// # Ok::<(), jiff::Error>(())
/// ```
#[must_use]
pub fn parse_retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(value).ok()?;
    // A date in the past asks for no wait.
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

const RETRY_COST: i64 = 10;
const DEPOSIT: i64 = 1;
const BUDGET: i64 = 20 * RETRY_COST;

/// Keeps a crowd of failing calls from multiplying the load on a service that is down.
///
/// Twenty retries are free; beyond them each call earns a tenth of one, so that a thousand concurrent calls against a
/// dead service make at most 1,120 requests. Shared by all clones of a client.
#[derive(Debug)]
pub struct RetryBudget(AtomicI64);

impl Default for RetryBudget {
    fn default() -> Self {
        Self(AtomicI64::new(BUDGET))
    }
}

impl RetryBudget {
    /// A call was made.
    pub fn deposit(&self) {
        self.update(|balance| Some(balance.saturating_add(DEPOSIT).min(BUDGET)));
    }

    /// Takes the price of one retry, if it is there.
    #[must_use]
    pub fn withdraw(&self) -> bool {
        self.update(|balance| balance.checked_sub(RETRY_COST).filter(|left| *left >= 0))
    }

    fn update(&self, change: impl FnMut(i64) -> Option<i64>) -> bool {
        self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: Failure = Failure::Unknown { transient: true };
    const ODD: Failure = Failure::Unknown { transient: false };
    const UNSENT: Failure = Failure::NotSent { transient: true };
    const BAD_CERTIFICATE: Failure = Failure::NotSent { transient: false };

    #[test]
    fn what_may_be_repeated() {
        use Idempotency::{Keyed, Once, Safe};
        let table = [
            (Safe, UNSENT, true),
            (Keyed, UNSENT, true),
            (Once, UNSENT, true),
            (Safe, BAD_CERTIFICATE, false),
            (Keyed, BAD_CERTIFICATE, false),
            (Once, BAD_CERTIFICATE, false),
            (Safe, Failure::NotApplied, true),
            (Keyed, Failure::NotApplied, true),
            (Once, Failure::NotApplied, true),
            (Safe, LOST, true),
            (Keyed, LOST, true),
            (Once, LOST, false),
            (Safe, ODD, false),
            (Keyed, ODD, false),
            (Once, ODD, false),
            (Safe, Failure::Final, false),
            (Keyed, Failure::Final, false),
            (Once, Failure::Final, false),
        ];
        for (idempotency, failure, expected) in table {
            let decision = decide(&RetryPolicy::default(), &Situation::after_first(idempotency, failure));
            let retried = matches!(decision, Decision::Retry(_));
            assert_eq!(retried, expected, "{idempotency:?} {failure:?}");
        }
    }

    fn situation() -> Situation {
        Situation::after_first(Idempotency::Safe, UNSENT)
    }

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn stops_at_the_limits_and_says_which() {
        let policy = RetryPolicy::default();
        let cases = [
            (Situation { attempts: 3, ..situation() }, "no attempts left"),
            (Situation { retry_after: Some(seconds(99_999)), ..situation() }, "asks to wait longer"),
            (
                Situation { retry_after: Some(seconds(5)), remaining: seconds(5), ..situation() },
                "the deadline",
            ),
            (Situation { remaining: Duration::ZERO, ..situation() }, "the deadline"),
        ];
        for (situation, reason) in cases {
            let Decision::Stop(Some(said)) = decide(&policy, &situation) else { panic!("{situation:?}") };
            assert!(said.contains(reason), "{said}");
        }
    }

    #[test]
    fn waits_between_the_hint_and_a_second_more() {
        for hint in [0, 1, 2, 59] {
            for random in [0.0, 0.5, 0.999] {
                let asked = Situation { retry_after: Some(seconds(hint)), random, ..situation() };
                let Decision::Retry(wait) = decide(&RetryPolicy::default(), &asked) else { panic!() };
                assert!(wait >= seconds(hint) && wait <= seconds(hint + 1), "{hint} {wait:?}");
            }
        }
    }

    #[test]
    fn own_pauses_double_up_to_the_cap() {
        let policy = RetryPolicy::new().with_max_attempts(100);
        let longest = |attempts| {
            let Decision::Retry(wait) = decide(&policy, &Situation { attempts, random: 1.0, ..situation() })
            else {
                panic!()
            };
            wait
        };
        assert_eq!(longest(1), Duration::from_millis(250));
        assert_eq!(longest(2), Duration::from_millis(500));
        assert_eq!(longest(7), seconds(10));
        assert_eq!(longest(99), seconds(10));
    }

    #[test]
    fn odd_chance_and_endless_policies_do_not_panic() {
        let endless = RetryPolicy::new().with_base(Duration::MAX).with_cap(Duration::MAX);
        for random in [f64::NAN, f64::INFINITY, -1.0, 1.0] {
            for policy in [&endless, &RetryPolicy::default()] {
                let _ = decide(policy, &Situation { random, ..situation() });
            }
        }
    }

    #[test]
    fn reads_every_form_of_retry_after() {
        let now: Timestamp = "1994-11-06T08:49:00Z".parse().unwrap();
        let table = [
            ("0", Some(0)),
            ("2", Some(2)),
            (" 99999 ", Some(99_999)),
            ("99999999999999999999999", Some(u64::MAX)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(37)),
            ("Sun, 06 Nov 1994 08:48:00 GMT", Some(0)),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("²", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse_retry_after(value, now), expected.map(seconds), "{value}");
        }
    }

    #[test]
    fn a_crowd_against_a_dead_service_stays_within_the_budget() {
        let budget = RetryBudget::default();
        let retries: u32 = (0..1000)
            .map(|_| {
                budget.deposit();
                (0..2).map(|_| u32::from(budget.withdraw())).sum::<u32>()
            })
            .sum();
        assert!((100..=120).contains(&retries), "{retries}");
    }
}
