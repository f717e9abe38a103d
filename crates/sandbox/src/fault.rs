//! Misbehaviour on demand, the same for every simulated service: what can go wrong, and when it does.
//!
//! The one question that matters to a client is whether the service acted before it misbehaved, so every
//! fault that acts first has `ActThen` in its name.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

/// One way to misbehave.
///
/// Faults named `ActThen…` let the service do its work (which may still end in a rejection) and spoil only
/// the answer; all others leave the service's state untouched.
///
/// ```
/// use integration_sandbox::Fault;
///
/// assert!(Fault::ActThenReset.acts());
/// assert!(!Fault::too_many_requests("2").acts());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// TCP reset as soon as the connection is accepted, before a byte is read.
    ///
    /// Takes the next connection whatever it was meant for: its endpoint is not known yet.
    ResetOnAccept,
    /// TCP reset once the request's headers are read, before its body is.
    ResetBeforeBody,
    /// TCP reset once the whole request is read.
    ResetBeforeActing,
    /// The connection ends (FIN) without an answer once the whole request is read.
    CloseBeforeActing,
    /// The request is read and never answered.
    Hang,
    /// The service acts, then resets the connection.
    ActThenReset,
    /// The service acts, then ends the connection (FIN) without an answer.
    ActThenClose,
    /// The service acts and never answers.
    ActThenHang,
    /// The service acts, then answers 400 with a text beginning with `Error`.
    ActThenErrorText,
    /// The service acts, then answers this status with a page or a plain text.
    ActThenStatus {
        /// HTTP status.
        status: u16,
        /// Whether the body is HTML, as a gateway writes it.
        #[serde(default)]
        html: bool,
    },
    /// The service acts and announces its whole answer by `Content-Length`, but sends half and ends the connection.
    ActThenCutBody,
    /// The service acts and sends half of its answer in chunked coding, without the last chunk.
    ActThenCutChunked,
    /// The service acts, sends half of its answer, and then nothing more on an open connection.
    ActThenStall,
    /// The service acts, and answers as it should after a delay.
    ActThenLate {
        /// How long the answer waits; in JSON `delay_ms`, milliseconds.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// The service acts, and answers as it should once the test releases it: a late answer without a clock.
    ActThenHold,
    /// The service acts, then answers 200 with a body of this many bytes.
    ActThenOversized {
        /// Length of the body.
        bytes: u64,
    },
    /// The service acts, announces half of its answer by `Content-Length`, and sends the whole.
    ActThenShortLength,
    /// The service acts and sends half of its answer as if it were the whole: right length, cut content.
    ActThenTruncated,
    /// The service acts, then answers 200 with an empty body.
    ActThenEmpty,
    /// The service acts, then answers 200 with an envelope that holds an error.
    ActThenErrorInside {
        /// The error's code.
        code: String,
    },
    /// The service acts, then answers this instead of its own answer.
    ActThenAnswer(Scripted),
    /// A refusal that says when to come back.
    RetryLater {
        /// HTTP status, usually 429 or 503.
        status: u16,
        /// Text of the `Retry-After` header, sent as it is.
        retry_after: String,
    },
    /// 200 with an HTML login page.
    Html,
    /// 200 with an empty body.
    Empty,
    /// 200 with a JSON object that lacks the service's mark of success.
    NoSuccess,
    /// 200 with an envelope that holds an error: `{"data":null,"success":false,"code":…,"message":…}`.
    ErrorInside {
        /// The error's code.
        code: String,
    },
    /// The session or key of this request ends before it is looked at, for good; then the request is served,
    /// which ends in 401. A service without sessions answers a bare 401.
    RevokeCredential,
    /// A redirect.
    Redirect {
        /// HTTP status, 301 to 308.
        status: u16,
        /// Text of the `Location` header, sent as it is.
        location: String,
    },
    /// Exactly this answer.
    Answer(Scripted),
}

impl Fault {
    /// Acts, then answers this status with a plain text.
    #[must_use]
    pub fn act_then_status(status: u16) -> Self {
        Self::ActThenStatus { status, html: false }
    }

    /// Acts, then answers this status with an HTML page, as a gateway in front of the service would.
    #[must_use]
    pub fn act_then_html(status: u16) -> Self {
        Self::ActThenStatus { status, html: true }
    }

    /// Acts, then answers as it should after `delay`.
    #[must_use]
    pub fn act_then_late(delay: Duration) -> Self {
        Self::ActThenLate { delay }
    }

    /// 429 with this `Retry-After`, without acting.
    #[must_use]
    pub fn too_many_requests(retry_after: impl Into<String>) -> Self {
        Self::RetryLater { status: 429, retry_after: retry_after.into() }
    }

    /// 503 with this `Retry-After`, without acting.
    #[must_use]
    pub fn unavailable(retry_after: impl Into<String>) -> Self {
        Self::RetryLater { status: 503, retry_after: retry_after.into() }
    }

    /// 307 to this location, without acting.
    #[must_use]
    pub fn redirect(location: impl Into<String>) -> Self {
        Self::Redirect { status: 307, location: location.into() }
    }

    /// Whether the service does its work before it misbehaves.
    #[must_use]
    pub fn acts(&self) -> bool {
        self.name().starts_with("act_then")
    }

    /// The name used by the control API and in the list of requests, such as `act_then_reset`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ResetOnAccept => "reset_on_accept",
            Self::ResetBeforeBody => "reset_before_body",
            Self::ResetBeforeActing => "reset_before_acting",
            Self::CloseBeforeActing => "close_before_acting",
            Self::Hang => "hang",
            Self::ActThenReset => "act_then_reset",
            Self::ActThenClose => "act_then_close",
            Self::ActThenHang => "act_then_hang",
            Self::ActThenErrorText => "act_then_error_text",
            Self::ActThenStatus { .. } => "act_then_status",
            Self::ActThenCutBody => "act_then_cut_body",
            Self::ActThenCutChunked => "act_then_cut_chunked",
            Self::ActThenStall => "act_then_stall",
            Self::ActThenLate { .. } => "act_then_late",
            Self::ActThenHold => "act_then_hold",
            Self::ActThenOversized { .. } => "act_then_oversized",
            Self::ActThenShortLength => "act_then_short_length",
            Self::ActThenTruncated => "act_then_truncated",
            Self::ActThenEmpty => "act_then_empty",
            Self::ActThenErrorInside { .. } => "act_then_error_inside",
            Self::ActThenAnswer(_) => "act_then_answer",
            Self::RetryLater { .. } => "retry_later",
            Self::Html => "html",
            Self::Empty => "empty",
            Self::NoSuccess => "no_success",
            Self::ErrorInside { .. } => "error_inside",
            Self::RevokeCredential => "revoke_credential",
            Self::Redirect { .. } => "redirect",
            Self::Answer(_) => "answer",
        }
    }

    /// One of each, for the control API's help.
    pub(crate) fn examples() -> Vec<Self> {
        vec![
            Self::ResetOnAccept,
            Self::ResetBeforeBody,
            Self::ResetBeforeActing,
            Self::CloseBeforeActing,
            Self::Hang,
            Self::ActThenReset,
            Self::ActThenClose,
            Self::ActThenHang,
            Self::ActThenErrorText,
            Self::act_then_html(502),
            Self::ActThenCutBody,
            Self::ActThenCutChunked,
            Self::ActThenStall,
            Self::act_then_late(Duration::from_millis(500)),
            Self::ActThenHold,
            Self::ActThenOversized { bytes: 2_097_152 },
            Self::ActThenShortLength,
            Self::ActThenTruncated,
            Self::ActThenEmpty,
            Self::ActThenErrorInside { code: "ERROR_SOMETHING".into() },
            Self::ActThenAnswer(Scripted::new(200).body("{}")),
            Self::too_many_requests("2"),
            Self::Html,
            Self::Empty,
            Self::NoSuccess,
            Self::ErrorInside { code: "ERROR_SOMETHING".into() },
            Self::RevokeCredential,
            Self::redirect("http://127.0.0.1:1/elsewhere"),
            Self::Answer(Scripted::new(418).header("x-odd", "yes").body("short and stout")),
        ]
    }

    /// What becomes of the answer.
    pub(crate) fn ending(self) -> Ending {
        match self {
            Self::ResetOnAccept | Self::ResetBeforeBody | Self::ResetBeforeActing | Self::ActThenReset => {
                Ending::Reset
            }
            Self::CloseBeforeActing | Self::ActThenClose => Ending::Close,
            Self::Hang | Self::ActThenHang => Ending::Hang,
            Self::ActThenCutBody => Ending::CutLength,
            Self::ActThenCutChunked => Ending::CutChunked,
            Self::ActThenStall => Ending::Stall,
            Self::ActThenLate { delay } => Ending::Late(delay),
            Self::ActThenHold => Ending::Held,
            Self::ActThenOversized { bytes } => Ending::Oversized(bytes),
            Self::ActThenShortLength => Ending::ShortLength,
            Self::ActThenTruncated => Ending::Truncated,
            answered => Ending::Scripted(answered.scripted()),
        }
    }

    fn scripted(self) -> Scripted {
        match self {
            Self::ActThenErrorText => text(400, "Error: something failed after the work was done"),
            Self::ActThenStatus { status, html: true } => html(status, "<h1>Bad Gateway</h1>"),
            Self::ActThenStatus { status, html: false } => text(status, "upstream error"),
            Self::RetryLater { status, retry_after } => {
                text(status, "come back later").header("retry-after", retry_after)
            }
            Self::Redirect { status, location } => text(status, "moved").header("location", location),
            Self::Html => html(200, "<form>Sign in</form>"),
            Self::NoSuccess => {
                Scripted::new(200).header("content-type", "application/json").body(r#"{"data":{}}"#)
            }
            Self::ErrorInside { code } | Self::ActThenErrorInside { code } => {
                let body =
                    json!({ "data": null, "success": false, "code": code, "message": "something failed" });
                Scripted::new(200).header("content-type", "application/json").body(body.to_string())
            }
            Self::RevokeCredential => text(401, "Unauthorized"),
            Self::Answer(answer) | Self::ActThenAnswer(answer) => answer,
            _ => Scripted::new(200),
        }
    }
}

fn text(status: u16, body: &str) -> Scripted {
    Scripted::new(status).header("content-type", "text/plain; charset=utf-8").body(body)
}

fn html(status: u16, body: &str) -> Scripted {
    Scripted::new(status)
        .header("content-type", "text/html; charset=utf-8")
        .body(format!("<!doctype html><html><body>{body}</body></html>"))
}

/// What becomes of the answer, told to the code that writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    Honest,
    Late(Duration),
    Held,
    Reset,
    Close,
    Hang,
    CutLength,
    CutChunked,
    Stall,
    ShortLength,
    Truncated,
    Oversized(u64),
    Scripted(Scripted),
}

/// An answer written by the test. Nothing in it is checked: it goes out as it is, then the connection ends.
///
/// ```
/// use integration_sandbox::{Fault, Scripted};
///
/// let proxy = Scripted::new(200).header("content-type", "text/html").body("<h1>Log in</h1>");
/// let fault = Fault::Answer(proxy);
/// assert!(!fault.acts());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scripted {
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) body: String,
}

impl Scripted {
    /// An answer with this status, no headers of its own and an empty body.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { status, headers: BTreeMap::new(), body: String::new() }
    }

    /// Sets a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into().to_ascii_lowercase(), value.into());
        self
    }

    /// Sets the body. `Content-Length` follows unless a header of that name is set.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }
}

/// When an injected fault strikes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum When {
    Times(u32),
    Always,
    Random { probability: f64, seed: u64 },
}

impl When {
    /// Whether it strikes now; uses up one turn.
    fn strikes(&mut self) -> bool {
        match self {
            Self::Always => true,
            Self::Times(left) => left.checked_sub(1).map(|rest| *left = rest).is_some(),
            Self::Random { probability, seed } => draw(seed) < *probability,
        }
    }

    fn is_spent(&self) -> bool {
        matches!(self, Self::Times(0))
    }
}

impl fmt::Display for When {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(1) => out.write_str("once"),
            Self::Times(times) => write!(out, "{times} times"),
            Self::Always => out.write_str("always"),
            Self::Random { probability, .. } => write!(out, "with probability {probability}"),
        }
    }
}

/// Numbers for planned faults, so that one of them can be pointed at while others come and go.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn next_id() -> u64 {
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// SplitMix64, whose whole state is the seed: a run is replayed by giving the seed again.
fn draw(seed: &mut u64) -> f64 {
    (bits(seed) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The next 64 bits of SplitMix64.
pub(crate) fn bits(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *seed;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// The injected faults of one service, in the order of injection.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Plan<E, F = Fault>(Vec<Entry<E, F>>);

/// A planned fault as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Names it among those of its plan, as long as it is there.
    pub(crate) id: u64,
    /// The operation.
    pub(crate) spot: String,
    /// The fault with its parameters.
    pub(crate) fault: serde_json::Value,
    /// When it strikes, in words.
    pub(crate) when: String,
}

/// A plan, whatever its faults are.
pub(crate) trait Listed {
    /// What is planned, in the order of injection.
    fn listed(&self) -> Vec<Planned>;
    /// Forgets one.
    fn remove(&mut self, id: u64);
}

/// A service that can be told to misbehave.
pub(crate) trait Troubled: Sync {
    /// Shows each plan under the name of its route in the control API, such as `faults`.
    fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn Listed));
    /// Whether connections are let in.
    fn is_open(&self) -> bool;
}

impl<E: Serialize, F: Serialize> Listed for Plan<E, F> {
    fn listed(&self) -> Vec<Planned> {
        self.0.iter().map(Entry::listed).collect()
    }

    fn remove(&mut self, id: u64) {
        self.0.retain(|entry| entry.id != id);
    }
}

impl<E: Serialize, F: Serialize> Entry<E, F> {
    fn listed(&self) -> Planned {
        let spot = json!(self.endpoint);
        Planned {
            id: self.id,
            spot: spot.as_str().map_or_else(|| "any".to_owned(), str::to_owned),
            fault: json!(self.fault),
            when: self.when.to_string(),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry<E, F> {
    #[serde(skip, default = "next_id")]
    id: u64,
    endpoint: E,
    #[serde(flatten)]
    fault: F,
    when: When,
}

impl<E, F> Default for Plan<E, F> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<E: PartialEq, F: Clone> Plan<E, F> {
    pub(crate) fn add(&mut self, endpoint: E, fault: F, when: When) {
        self.0.push(Entry { id: next_id(), endpoint, fault, when });
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault that strikes what happens at `endpoint`, if a fault is not about connections.
    pub(crate) fn next(&mut self, endpoint: &E) -> Option<F> {
        self.first(|entry| entry.endpoint == *endpoint)
    }

    fn first(&mut self, concerns: impl Fn(&Entry<E, F>) -> bool) -> Option<F> {
        let mut concerned = self.0.iter_mut().filter(|entry| concerns(entry));
        let fault = concerned.find_map(|entry| entry.when.strikes().then(|| entry.fault.clone()));
        self.0.retain(|entry| !entry.when.is_spent());
        fault
    }
}

impl<E: PartialEq> Plan<E> {
    /// The fault that strikes this request: the first in order that is due.
    pub(crate) fn take(&mut self, endpoint: &E) -> Option<Fault> {
        self.first(|entry| entry.endpoint == *endpoint && entry.fault != Fault::ResetOnAccept)
    }

    /// Whether the connection that was just accepted is to be reset.
    pub(crate) fn resets_connection(&mut self) -> bool {
        self.first(|entry| entry.fault == Fault::ResetOnAccept).is_some()
    }
}

/// Durations as whole milliseconds.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(delay: &Duration, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_u64(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Duration, D::Error> {
        u64::deserialize(input).map(Duration::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_read_back_from_its_json_under_its_own_name() {
        for fault in Fault::examples() {
            let json = serde_json::to_value(&fault).unwrap();
            assert_eq!(json["fault"], fault.name());
            assert_eq!(serde_json::from_value::<Fault>(json).unwrap(), fault);
        }
    }

    #[test]
    fn times_run_out_and_the_next_in_line_follows() {
        let mut plan = Plan::default();
        plan.add('a', Fault::ActThenReset, When::Times(2));
        plan.add('a', Fault::Html, When::Times(1));
        plan.add('b', Fault::Empty, When::Always);
        let taken: Vec<_> = (0..4).map(|_| plan.take(&'a').map(|fault| fault.name())).collect();
        assert_eq!(taken, [Some("act_then_reset"), Some("act_then_reset"), Some("html"), None]);
        assert!((0..9).all(|_| plan.take(&'b') == Some(Fault::Empty)));
    }

    #[test]
    fn one_of_several_can_be_forgotten() {
        let mut plan = Plan::default();
        plan.add("a", Fault::Hang, When::Always);
        plan.add("a", Fault::Html, When::Times(2));
        let listed = plan.listed();
        let told = |one: &Planned| (one.spot.clone(), one.fault["fault"].clone(), one.when.clone());
        assert_eq!(told(&listed[0]), ("a".to_owned(), "hang".into(), "always".to_owned()));
        assert_eq!(told(&listed[1]), ("a".to_owned(), "html".into(), "2 times".to_owned()));
        plan.remove(listed[0].id);
        assert_eq!(plan.take(&"a"), Some(Fault::Html));
        assert_eq!(plan.listed()[0].when, "once");
    }

    #[test]
    fn zero_times_never_strikes() {
        let mut plan = Plan::default();
        plan.add((), Fault::Hang, When::Times(0));
        assert_eq!(plan.take(&()), None);
    }

    #[test]
    fn a_seed_replays_the_same_run_at_about_the_asked_rate() {
        let run = || {
            let mut plan = Plan::default();
            plan.add((), Fault::Hang, When::Random { probability: 0.25, seed: 7 });
            (0..4000).map(|_| plan.take(&()).is_some()).collect::<Vec<_>>()
        };
        let struck = run().into_iter().filter(|hit| *hit).count();
        assert!((900..1100).contains(&struck), "{struck}");
        assert_eq!(run(), run());
    }

    #[test]
    fn a_reset_on_accept_waits_for_a_connection() {
        let mut plan = Plan::default();
        plan.add((), Fault::ResetOnAccept, When::Times(1));
        assert_eq!(plan.take(&()), None);
        assert!(plan.resets_connection());
        assert!(!plan.resets_connection());
    }
}
