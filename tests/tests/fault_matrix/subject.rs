//! What a client brings to the matrix: its operations, how the service answers them, and its table of idempotency. A client is added
//! with one file in `subjects/` and one line in `subjects/mod.rs`.

use std::sync::Arc;
use std::time::Duration;

use integration_core::call::Idempotency;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};

use super::clock::Virtual;
use super::server::{Reply, Seen};

/// The column of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Safe,
    Keyed,
    Once,
    Upload,
    Pull,
    Download,
}

impl Column {
    pub const fn title(self) -> &'static str {
        match self {
            Self::Safe => "safe read",
            Self::Keyed => "keyed write",
            Self::Once => "unkeyed write",
            Self::Upload => "upload",
            Self::Pull => "paged pull",
            Self::Download => "streamed download",
        }
    }
}

/// What the contract says of an operation. Nothing here is taken from the client.
#[derive(Debug, Clone)]
pub struct Rules {
    pub class: Idempotency,
    /// Requests per call, at most, after a failure that may have been applied or a status that may pass.
    pub tries: usize,
    /// The same where nothing left.
    pub connects: u32,
    /// Statuses that may pass.
    pub passing: &'static [u16],
    /// Whether a request that got no answer in time is made again.
    pub after_silence: bool,
    /// What the outcome is when the answer is lost.
    pub lost: Outcome,
    /// Of a whole call.
    pub deadline: Duration,
    /// Of one exchange.
    pub attempt: Duration,
    /// How long an answer that is handed on as it comes may bring nothing; such an answer is asked for again.
    pub stall: Option<Duration>,
    /// The longest wait that is obeyed, and whether a longer one is cut down to it.
    pub longest_wait: (Duration, bool),
    /// Bytes of an answer.
    pub cap: usize,
    /// 429: the outcome.
    pub too_many: Outcome,
    /// Whether a 401 is met with a renewed credential.
    pub renews: bool,
    /// What a refused credential is.
    pub refused: Outcome,
}

const MINUTE: Duration = Duration::from_secs(60);

impl Rules {
    /// A read that is repeated as the matrix has it, one MiB at most, a minute.
    pub fn read() -> Self {
        Self {
            class: Idempotency::Safe,
            tries: 3,
            connects: 3,
            passing: &[429, 502, 503, 504],
            after_silence: true,
            lost: Outcome::ReadOnly,
            deadline: MINUTE,
            attempt: MINUTE,
            stall: None,
            longest_wait: (MINUTE, false),
            cap: 1024 * 1024,
            too_many: Outcome::Refused,
            renews: false,
            refused: Outcome::Refused,
        }
    }

    /// A write that is never repeated by itself, whatever befell it.
    pub fn never() -> Self {
        Self { class: Idempotency::Once, tries: 1, connects: 1, lost: Outcome::Unknown, ..Self::read() }
    }

    /// A login on the way to another call, of which nothing was sent.
    pub fn login(self) -> Self {
        let (lost, too_many, refused) = (Outcome::NotSent, Outcome::NotSent, Outcome::NotSent);
        Self { class: Idempotency::Keyed, lost, too_many, refused, renews: false, ..self }
    }
}

/// Where the contract of one client says something else than the matrix.
#[derive(Debug, Clone)]
pub struct Exception {
    /// The beginning of the fault's name.
    pub fault: &'static str,
    pub kind: ErrorKind,
    pub outcome: Outcome,
    pub because: &'static str,
}

/// One operation in one column.
#[derive(Clone)]
pub struct Op {
    pub column: Column,
    /// Its name in the client's table of idempotency.
    pub name: &'static str,
    pub rules: Rules,
    /// The requests that the faults are for.
    pub meets: fn(&Seen) -> bool,
    /// So many such requests are answered before the fault.
    pub after: usize,
    /// So many such requests a healthy call makes.
    pub healthy: usize,
    /// Other requests of the same call that come first.
    pub helpers: usize,
    /// The `Idempotency-Key` of every request, if there is one to be.
    pub key: Option<&'static str>,
    /// What a call that ends well brings, to the letter: a part of it would be a partial value.
    pub brings: &'static str,
    pub exceptions: &'static [Exception],
    /// Faults that cannot be met or mean something else here, with the reason.
    pub without: &'static [(&'static str, &'static str)],
}

impl Op {
    pub fn new(column: Column, name: &'static str, rules: Rules, meets: fn(&Seen) -> bool) -> Self {
        Self {
            column,
            name,
            rules,
            meets,
            after: 0,
            healthy: 1,
            helpers: 0,
            key: None,
            brings: "1",
            exceptions: &[],
            without: &[],
        }
    }

    pub fn brings(self, brings: &'static str) -> Self {
        Self { brings, ..self }
    }

    pub fn keyed(self, key: &'static str) -> Self {
        Self { key: Some(key), ..self }
    }

    /// The fault comes after `after` of `healthy` requests.
    pub fn paged(self, after: usize, healthy: usize) -> Self {
        Self { after, healthy, ..self }
    }

    pub fn except(self, exceptions: &'static [Exception]) -> Self {
        Self { exceptions, ..self }
    }

    pub fn without(self, without: &'static [(&'static str, &'static str)]) -> Self {
        Self { without, ..self }
    }
}

/// Where a client is to go, and by which clock.
#[derive(Clone)]
pub struct Site {
    pub url: String,
    pub clock: Virtual,
    /// Of a whole call, in place of the client's own: for what is measured in real time.
    pub limit: Option<Duration>,
}

/// The same call, as often as wanted, by the same client.
pub type Doing = Arc<dyn Fn() -> BoxFuture<'static, Result<String, Error>> + Send + Sync>;

pub trait Subject: Send + Sync {
    fn name(&self) -> &'static str;

    fn operations(&self) -> Vec<Op>;

    fn table(&self) -> &'static [(&'static str, Idempotency)];

    /// Columns that the client has nothing for, with the reason.
    fn lacks(&self) -> &'static [(Column, &'static str)] {
        &[]
    }

    /// What no other host may hear.
    fn secrets(&self) -> &'static [&'static str];

    /// The healthy service.
    fn answer(&self, seen: &Seen) -> Reply;

    /// A fresh client that has done whatever comes before the operation.
    fn ready(&self, operation: &'static str, column: Column, site: Site) -> BoxFuture<'_, Doing>;
}

/// For the subjects: a call from a closure.
pub fn doing<F>(call: impl Fn() -> F + Send + Sync + 'static) -> Doing
where
    F: Future<Output = Result<String, Error>> + Send + 'static,
{
    Arc::new(move || Box::pin(call()))
}
