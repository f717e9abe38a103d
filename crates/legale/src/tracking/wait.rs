//! Waits for the end of one flow by asking, within limits. Dropping the future ends the waiting; it changes nothing.

use std::time::Duration;

use integration_core::clock::Clock;
use integration_core::{Error, ErrorKind, Outcome};

use crate::id::DocumentId;
use crate::seen::{Refetch, Seen};
use crate::status::{Facts, Status};

const OPERATION: &str = "wait until final";

/// How long to wait and how often to ask. The pause doubles from the first to the longest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaitLimits {
    total: Duration,
    first_pause: Duration,
    longest_pause: Duration,
}

impl WaitLimits {
    /// At most `total`, asking after 5 s first and every 5 minutes at last.
    #[must_use]
    pub const fn new(total: Duration) -> Self {
        Self { total, first_pause: Duration::from_secs(5), longest_pause: Duration::from_secs(300) }
    }

    /// Other pauses; none is shorter than a second.
    #[must_use]
    pub fn pauses(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first.max(Duration::from_secs(1));
        self.longest_pause = longest.max(self.first_pause);
        self
    }
}

/// Asks until the document is signed, rejected or gone.
///
/// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.11).
///
/// # Errors
/// [`ErrorKind::Timeout`] when the limit passed; [`ErrorKind::NotFound`] if it was never there; [`ErrorKind::Forbidden`] if its
/// detail is refused (then only the list tells of it, see [`poll`](super::poll)); any failure to ask that will not pass by itself. A
/// failure that may pass is tried again within the limit. Nothing of this changes the document.
///
/// ```
/// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
/// # setup::run(async |kit| {
/// # let (guid, flow, client) = (kit.guid().await, kit.flow(), kit.client);
/// # client.start(&guid, &flow).await?;
/// # kit.sandbox.legale().sign(guid.as_str(), 1)?;
/// use std::time::Duration;
///
/// use legale::tracking::{WaitLimits, wait_until_final};
///
/// let limits = WaitLimits::new(Duration::from_secs(3600));
/// let status = wait_until_final(&client, &guid, limits, &**client.clock()).await?;
/// println!("{status}");
/// # Ok(()) });
/// ```
pub async fn wait_until_final(
    refetch: &dyn Refetch,
    document: &DocumentId,
    limits: WaitLimits,
    clock: &dyn Clock,
) -> Result<Status, Error> {
    let end = clock.elapsed().saturating_add(limits.total);
    let mut pause = limits.first_pause;
    let mut was_there = false;
    let mut last = None;
    loop {
        let mut asked_to_wait = Duration::ZERO;
        match refetch.look(document).await {
            Ok(seen) => {
                if let Some(status) = judge(seen, was_there, clock)? {
                    return Ok(status);
                }
                was_there = true;
            }
            Err(error) if may_pass(&error) => {
                asked_to_wait = error.retry_after().unwrap_or_default();
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
        let next = pause.max(asked_to_wait);
        if clock.elapsed().saturating_add(next) >= end {
            return Err(timed_out(last));
        }
        clock.sleep(next).await;
        pause = pause.saturating_mul(2).min(limits.longest_pause);
    }
}

/// The final state, if it is one.
fn judge(seen: Seen, was_there: bool, clock: &dyn Clock) -> Result<Option<Status>, Error> {
    match seen {
        Seen::Found(detail) => {
            let status = Facts::new(detail.sign_status).comment(detail.comment).status(clock.wall());
            Ok(Some(status).filter(Status::is_final))
        }
        Seen::NotFound if was_there => Ok(Some(Status::Deleted)),
        Seen::NotFound => {
            Err(error(ErrorKind::NotFound).with_hint("check the GUID; the sandbox may have been wiped"))
        }
        Seen::Denied { code } => {
            Err(error(ErrorKind::Forbidden).with_code(code).with_hint("poll the list: its detail is refused"))
        }
    }
}

fn may_pass(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Connect
            | ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::RateLimited
            | ErrorKind::UnexpectedStatus
    )
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, OPERATION).with_outcome(Outcome::ReadOnly)
}

fn timed_out(last: Option<Error>) -> Error {
    let error = error(ErrorKind::Timeout).with_message("not final within the limit");
    let error = error.with_hint("wait longer, or follow it by callbacks and polling");
    match last {
        Some(last) => error.with_source(last),
        None => error,
    }
}
