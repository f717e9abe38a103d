//! Every row of the contract's table 9.2, provoked at the service: what the error says, and what really happened.

mod codes;
mod follow_ups;
mod issue;
mod local;
mod statuses;

use std::time::Duration;

use fiscal_printer::{Client, Error, ErrorKind, Outcome};
use integration_core::clock::ManualClock;
use integration_sandbox::fiscal::Fiscal;
use integration_sandbox::{Fault, Scripted};

use crate::support::builder;

/// A client whose time stands still: pauses pass at once, limits strike when the test says so.
fn timeless(fiscal: &Fiscal) -> (Client, ManualClock) {
    let clock = ManualClock::new();
    let client = builder(fiscal).clock(clock.clone()).build().expect("the client has all it needs");
    (client, clock)
}

/// Longer than any limit of a client here.
const AGES: Duration = Duration::from_secs(61);

/// Whether a fault keeps the answer back for good, so that only a time limit ends the call.
fn keeps_silent(fault: &Fault) -> bool {
    matches!(fault, Fault::Hang | Fault::ActThenHang | Fault::ActThenStall | Fault::ActThenHold)
}

/// Runs a call that meets `fault`; where the fault keeps silent, lets the limit strike once the service has read the request.
pub async fn meet<T>(
    fiscal: &Fiscal,
    clock: &ManualClock,
    fault: &Fault,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let already = fiscal.requests().len();
    let strike = async {
        if keeps_silent(fault) {
            fiscal.wait_for_requests(already + 1).await;
            clock.advance(AGES);
        }
    };
    tokio::join!(call, strike).0
}

/// A fault and what the table makes of it.
pub struct Row {
    pub fault: Fault,
    pub kind: ErrorKind,
    pub outcome: Outcome,
    pub status: Option<u16>,
}

fn row(fault: Fault, kind: ErrorKind, outcome: Outcome, status: Option<u16>) -> Row {
    Row { fault, kind, outcome, status }
}

/// One row for each fault that the sandbox knows and that ends in exactly one way, with the classes of table 9.2.
///
/// [`Fault::ResetOnAccept`] is left out: whether the reset comes before or after the first byte left is the kernel's affair.
pub fn rows() -> Vec<Row> {
    use ErrorKind::{Interrupted, RateLimited, Timeout, TooLarge, UnexpectedAnswer, UnexpectedStatus};
    use Outcome::Unknown;
    let mut rows = vec![
        // "reset or close before the full answer": Unknown.
        row(Fault::ResetBeforeBody, Interrupted, Unknown, None),
        row(Fault::ResetBeforeActing, Interrupted, Unknown, None),
        row(Fault::CloseBeforeActing, Interrupted, Unknown, None),
        row(Fault::ActThenReset, Interrupted, Unknown, None),
        row(Fault::ActThenClose, Interrupted, Unknown, None),
        row(Fault::ActThenCutBody, Interrupted, Unknown, None),
        row(Fault::ActThenCutChunked, Interrupted, Unknown, None),
        // "total timeout after connecting": Unknown.
        row(Fault::Hang, Timeout, Unknown, None),
        row(Fault::ActThenHang, Timeout, Unknown, None),
        row(Fault::ActThenStall, Timeout, Unknown, None),
        row(Fault::ActThenHold, Timeout, Unknown, None),
        // "400 whatever its text", "any 5xx, gateway errors included", 429: Unknown.
        row(Fault::ActThenErrorText, UnexpectedStatus, Unknown, Some(400)),
        row(Fault::act_then_status(500), UnexpectedStatus, Unknown, Some(500)),
        row(Fault::act_then_html(502), UnexpectedStatus, Unknown, Some(502)),
        row(Fault::act_then_html(503), UnexpectedStatus, Unknown, Some(503)),
        row(Fault::act_then_html(504), UnexpectedStatus, Unknown, Some(504)),
        row(Fault::act_then_status(403), UnexpectedStatus, Unknown, Some(403)),
        row(Fault::act_then_status(409), UnexpectedStatus, Unknown, Some(409)),
        row(Fault::too_many_requests("0"), RateLimited, Unknown, Some(429)),
        row(Fault::unavailable("0"), UnexpectedStatus, Unknown, Some(503)),
        // "2xx with an empty, truncated, oversized, non-JSON body or one without `success`": Unknown.
        row(Fault::ActThenEmpty, UnexpectedAnswer, Unknown, Some(200)),
        row(Fault::ActThenOversized { bytes: 2 * 1024 * 1024 }, TooLarge, Unknown, Some(200)),
        row(Fault::Html, UnexpectedAnswer, Unknown, Some(200)),
        row(Fault::Empty, UnexpectedAnswer, Unknown, Some(200)),
        row(Fault::NoSuccess, UnexpectedAnswer, Unknown, Some(200)),
        row(Fault::ActThenAnswer(Scripted::new(200).body("{}")), UnexpectedAnswer, Unknown, Some(200)),
    ];
    // "3xx (never followed)": Unknown.
    rows.extend([301, 302, 303, 307, 308].map(|status| {
        let location = "http://127.0.0.1:1/facturacion".to_owned();
        row(Fault::Redirect { status, location }, UnexpectedStatus, Unknown, Some(status))
    }));
    rows
}
