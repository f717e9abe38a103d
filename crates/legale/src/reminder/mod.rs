//! Reminders for signers who have not signed: a planner that is a pure function, and a runner over it (contract 4.8, assumed).
//!
//! The service has reminders as settings of an account only, and no call to remind. So [`plan`] says, from a policy and what is
//! known of a flow, what to send now and when to look again; the caller brings the way to send ([`Notifier`]).
//!
//! ```
//! use legale::flow::Order;
//! use legale::reminder::{FlowState, Policy, SignerState, plan};
//! use legale::status::Status;
//!
//! let started: jiff::Timestamp = "2026-03-02T10:00:00Z".parse()?;
//! let flow = FlowState::new(Order::Sequential, Status::InProgress)
//!     .started_at(started)
//!     .signer(SignerState::new("ana@example.com"))
//!     .signer(SignerState::new("luis@example.com"));
//! let before = plan("2026-03-03T10:00:00Z".parse()?, &Policy::default(), &flow);
//! assert!(before.actions.is_empty());
//! let wake = before.next_wake.expect("two days after the start, at 13:00 UTC");
//! assert_eq!(wake.to_string(), "2026-03-04T13:00:00Z");
//! let due = plan(wake, &Policy::default(), &flow);
//! assert_eq!(due.actions[0].signer, "ana@example.com", "Luis' turn has not come");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What the contract leaves open is decided so: business days and quiet hours in a zone stand beside the UTC fields, and an
//! instant is free only if all of them say so; a warning whose mark lies before the start of the flow is left out; warnings are
//! counted by their marks and not by `sent_count`; a regular reminder that would go out on the day of a warning waits for it.

mod plan;
mod quiet;
mod runner;

use std::collections::{BTreeMap, BTreeSet};

use integration_core::{Error, Fault, Faults, Secret};
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::flow::{Flow, Order};
use crate::status::Status;

pub use plan::plan;
pub use runner::{Book, Notifier, Observer, Runner, Silent};

/// When reminders go out.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "recordatorio")]
pub struct Policy {
    /// Days of 24 hours after the signer's turn began (unknown: the start of the flow) until the first; default 2, at least 1.
    pub first_after_days: u32,
    /// Days after the last one; default 3, at least 1.
    pub every_days: u32,
    /// Due instants move forward to the next such hour in UTC; default 13.
    pub send_hour_utc: u8,
    /// When nothing goes out, in UTC; default never.
    pub quiet: Quiet,
    /// When nothing goes out, on the clocks of a zone; default none.
    pub local: Option<LocalQuiet>,
    /// How many regular reminders a signer gets at most; default 5.
    pub max_per_signer: u32,
    /// Days before the deadline at which one more goes out as a warning, outside the maximum; default 1.
    pub expiry_warn_days: BTreeSet<u32>,
    /// The service reminds by itself: nothing goes out (trap 28). Default false.
    pub vendor_reminders_on: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            first_after_days: 2,
            every_days: 3,
            send_hour_utc: 13,
            quiet: Quiet::default(),
            local: None,
            max_per_signer: 5,
            expiry_warn_days: BTreeSet::from([1]),
            vendor_reminders_on: false,
        }
    }
}

impl Policy {
    /// Whether it makes sense. [`plan`] takes a 0 for 1 and any hour beyond 23 for 23, so that a slip never sends more.
    ///
    /// # Errors
    /// A validation error that lists every field out of range.
    pub fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        for (field, days) in [("first_after_days", self.first_after_days), ("every_days", self.every_days)] {
            if days == 0 {
                faults.push(Fault::error("REMINDER", field).with_expected("at least 1").with_actual("0"));
            }
        }
        if self.send_hour_utc > 23 {
            let fault = Fault::error("REMINDER", "send_hour_utc").with_expected("0 to 23");
            faults.push(fault.with_actual(self.send_hour_utc.to_string()));
        }
        if self.expiry_warn_days.contains(&0) {
            let fault = Fault::error("REMINDER", "expiry_warn_days").with_expected("at least 1");
            faults.push(fault.with_actual("0"));
        }
        faults.into_result("plan reminders").map(drop)
    }
}

/// Part of a day in minutes after midnight, the end excluded. It may wrap midnight: 22:00 to 07:00 is `1320..420`. Two equal
/// minutes are no time at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    pub(crate) from: u16,
    pub(crate) to: u16,
}

impl Window {
    /// From one minute of the day to another; minutes beyond 1439 are taken for midnight.
    ///
    /// ```
    /// use legale::reminder::Window;
    ///
    /// assert_eq!(Window::hours(22, 7), Window::minutes(1320, 420));
    /// ```
    #[must_use]
    pub const fn minutes(from: u16, to: u16) -> Self {
        Self { from: from % 1440, to: if to == 1440 { 1440 } else { to % 1440 } }
    }

    /// From one full hour to another; `hours(0, 24)` is the whole day.
    #[must_use]
    pub const fn hours(from: u8, to: u8) -> Self {
        Self::minutes(from as u16 * 60, to as u16 * 60)
    }
}

/// When nothing goes out: parts of every day, and whole days of the week.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quiet {
    pub(crate) windows: Vec<Window>,
    pub(crate) weekdays: Vec<Weekday>,
}

impl Quiet {
    /// Nothing goes out in this part of any day.
    #[must_use]
    pub fn window(mut self, window: Window) -> Self {
        self.windows.push(window);
        self
    }

    /// Nothing goes out on this day of the week.
    #[must_use]
    pub fn weekday(mut self, weekday: Weekday) -> Self {
        self.weekdays.push(weekday);
        self
    }

    /// Nothing goes out on Saturdays and Sundays.
    #[must_use]
    pub fn weekends(self) -> Self {
        self.weekday(Weekday::Saturday).weekday(Weekday::Sunday)
    }
}

/// The same on the clocks of a zone, and holidays.
#[derive(Debug, Clone, PartialEq)]
pub struct LocalQuiet {
    pub(crate) zone: TimeZone,
    pub(crate) quiet: Quiet,
    pub(crate) holidays: BTreeSet<Date>,
}

impl LocalQuiet {
    /// Quiet times in `zone`.
    #[must_use]
    pub const fn new(zone: TimeZone, quiet: Quiet) -> Self {
        Self { zone, quiet, holidays: BTreeSet::new() }
    }

    /// Business days: Monday to Friday in `zone`, and only within these hours.
    #[must_use]
    pub fn business(zone: TimeZone, from_hour: u8, to_hour: u8) -> Self {
        Self::new(zone, Quiet::default().weekends().window(Window::hours(to_hour, from_hour)))
    }

    /// Nothing goes out on this day.
    #[must_use]
    pub fn holiday(mut self, date: Date) -> Self {
        self.holidays.insert(date);
        self
    }
}

/// What is known of one signer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignerState {
    /// His e-mail.
    pub email: String,
    /// Whether he is known to be done. The service does not tell it (3.4), so this comes from signer callbacks or the caller.
    pub is_done: bool,
    /// When his turn began, if known.
    pub turn_began: Option<Timestamp>,
    /// When the last reminder or warning was sent.
    pub last_sent_at: Option<Timestamp>,
    /// How many regular reminders were sent.
    pub sent_count: u32,
    /// The marks (days before the deadline) of the warnings sent.
    pub warned: BTreeSet<u32>,
    /// His sign URL, if known; whoever has it can sign.
    pub link: Option<Secret>,
}

impl SignerState {
    /// A signer who was never reminded.
    pub fn new(email: impl Into<String>) -> Self {
        Self {
            email: email.into(),
            is_done: false,
            turn_began: None,
            last_sent_at: None,
            sent_count: 0,
            warned: BTreeSet::new(),
            link: None,
        }
    }

    /// He is known to have signed, approved or rejected.
    #[must_use]
    pub const fn done(mut self) -> Self {
        self.is_done = true;
        self
    }

    /// His turn began.
    #[must_use]
    pub const fn turn_began(mut self, at: Timestamp) -> Self {
        self.turn_began = Some(at);
        self
    }

    /// His sign URL, from an answer to a start with `skip_email` or from a launch callback.
    #[must_use]
    pub fn link(mut self, link: impl Into<Secret>) -> Self {
        self.link = Some(link.into());
        self
    }

    /// What is known after `action` was delivered.
    pub fn record(&mut self, action: &Action, at: Timestamp) {
        self.last_sent_at = Some(at);
        match action.kind {
            ActionKind::ExpiryWarning { days } => drop(self.warned.insert(days)),
            ActionKind::First | ActionKind::Repeat => self.sent_count = self.sent_count.saturating_add(1),
        }
    }
}

/// What is known of a flow.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlowState {
    /// In which order they sign.
    pub order: Order,
    /// Where the document stands.
    pub status: Status,
    /// When the flow was started.
    pub started_at: Option<Timestamp>,
    /// How many days of 24 hours the links live.
    pub expiration_days: Option<u32>,
    /// Whether it is paused (the web application can do that).
    pub is_paused: bool,
    /// The signers in their order.
    pub signers: Vec<SignerState>,
}

impl FlowState {
    /// A flow of nobody, not started.
    #[must_use]
    pub const fn new(order: Order, status: Status) -> Self {
        Self { order, status, started_at: None, expiration_days: None, is_paused: false, signers: Vec::new() }
    }

    /// A flow of this crate that was started now.
    #[must_use]
    pub fn of(flow: &Flow, started_at: Timestamp) -> Self {
        let mut state = Self::new(flow.order().clone(), Status::InProgress).started_at(started_at);
        state.expiration_days = flow.expiration_days();
        state.signers = flow.signers().iter().map(|signer| SignerState::new(signer.email())).collect();
        state
    }

    /// It was started.
    #[must_use]
    pub const fn started_at(mut self, at: Timestamp) -> Self {
        self.started_at = Some(at);
        self
    }

    /// Its links live so many days.
    #[must_use]
    pub const fn expires_after_days(mut self, days: u32) -> Self {
        self.expiration_days = Some(days);
        self
    }

    /// It is paused.
    #[must_use]
    pub const fn paused(mut self) -> Self {
        self.is_paused = true;
        self
    }

    /// Adds a signer after those before.
    #[must_use]
    pub fn signer(mut self, signer: SignerState) -> Self {
        self.signers.push(signer);
        self
    }

    /// When the links run out.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        crate::status::deadline(self.started_at?, self.expiration_days?)
    }

    /// What is known after `action` was delivered.
    pub fn record(&mut self, action: &Action, at: Timestamp) {
        if let Some(signer) = self.signers.get_mut(action.index) {
            signer.record(action, at);
        }
    }
}

/// Why a message goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ActionKind {
    /// The first regular reminder.
    First,
    /// A later one.
    Repeat,
    /// The links run out in about so many days.
    ExpiryWarning {
        /// The mark of the policy that it belongs to.
        days: u32,
    },
}

/// One message to send now.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Action {
    /// To whom: his e-mail.
    pub signer: String,
    /// His place in the flow, from 0.
    pub index: usize,
    /// Why.
    pub kind: ActionKind,
    /// The how manieth: `sent_count` + 1.
    pub attempt: u32,
    /// Since when it is due.
    pub due_at: Timestamp,
    /// The URL to sign at, if known; whoever has it can sign.
    pub link: Option<Secret>,
}

/// What to do, and when to look again.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Plan {
    /// What is due now, in the order of the signers.
    pub actions: Vec<Action>,
    /// The next instant at which something is due, if these actions are delivered now and nothing else is heard; nothing if
    /// there is none.
    pub next_wake: Option<Timestamp>,
}

/// So many seconds later, at most the last instant there is.
fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX)
}

/// The signers of several documents.
pub type Flows = BTreeMap<crate::id::DocumentId, FlowState>;

#[cfg(test)]
mod tests;
