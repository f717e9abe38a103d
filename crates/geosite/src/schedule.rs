//! When the next run is due, and how much it reads (contract 4.6, rules T1 to T5; 5.3).
//!
//! A pure function of zone, clock and history: the hour is kept by the zone's name, never by an offset, for a decree can bring
//! summer time back. The `Runner` beside it (feature `store`) turns the answer into runs, one machine at a time.

#[cfg(feature = "store")]
mod runner;

use integration_core::Error;
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize};

use crate::assumptions::Assumptions;

#[cfg(feature = "store")]
pub use runner::{Ending, Runner, ScheduleError, Tick};

/// Where HubSoft's clock hangs, wherever the provider is.
pub const ZONE: &str = "America/Sao_Paulo";

/// No zone skips or repeats more than a day at a time, so three days reach the neighbouring slots from any moment.
const REACH: usize = 3;

/// How much a run reads (contract 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunMode {
    /// What has changed since the run before.
    Incremental,
    /// Everything selected, compared with what is stored.
    Full,
}

/// Every day at one hour of one zone; on some days of the week everything is compared.
///
/// The zone, the days and the hour's behaviour at gaps are assumptions of the contract (T2, T3); the daily 04:00 Brasília
/// time is documented (T1).
///
/// ```
/// use geosite::schedule::{History, Next, RunMode, Schedule};
///
/// let schedule = Schedule::brasilia()?;
/// let saturday: jiff::Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
/// let history = History::starting(saturday);
/// let Next::Wait { until } = schedule.next(&history, saturday, saturday) else { unreachable!() };
/// assert_eq!(until.to_string(), "2026-11-22T07:00:00Z");
///
/// let Next::Run(order) = schedule.next(&history, saturday, until) else { unreachable!() };
/// assert_eq!((order.mode, order.catch_up), (RunMode::Full, false));
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "agendamento")]
pub struct Schedule {
    zone: TimeZone,
    at: Time,
    full_run_days: Vec<Weekday>,
}

/// A run that is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Order {
    /// The local date whose run it is.
    pub date: Date,
    /// When it was planned for.
    pub planned_at: Timestamp,
    /// How much it reads.
    pub mode: RunMode,
    /// Whether it makes up for runs that were missed while nobody was there (T5).
    pub catch_up: bool,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Next {
    /// A run is due.
    Run(Order),
    /// Nothing is due before this moment.
    Wait {
        /// When the next run is planned.
        until: Timestamp,
    },
}

/// What the schedule remembers of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct History {
    /// When the integration was first watched: no run planned before it was ever missed.
    pub since: Timestamp,
    /// The last local date whose scheduled run was begun.
    pub taken: Option<Date>,
    /// Whether that run never ended: its machine went down under it.
    pub unfinished: bool,
    /// When the last full run that succeeded began, whoever asked for it.
    pub full_success: Option<Timestamp>,
}

impl History {
    /// Nothing has happened before `since`.
    #[must_use]
    pub fn starting(since: Timestamp) -> Self {
        Self { since, taken: None, unfinished: false, full_success: None }
    }

    /// After the run of an order was begun.
    #[must_use]
    pub fn begun(self, order: &Order) -> Self {
        Self { taken: Some(order.date), unfinished: true, ..self }
    }

    /// After the run that was begun has ended, however it ended.
    #[must_use]
    pub fn ended(self) -> Self {
        Self { unfinished: false, ..self }
    }

    /// After a full run, begun at that moment, has succeeded.
    #[must_use]
    pub fn full_succeeded(self, began: Timestamp) -> Self {
        Self { full_success: self.full_success.max(Some(began)), ..self }
    }
}

impl Schedule {
    /// Daily at 04:00 Brasília time, in full on Saturdays and Sundays.
    ///
    /// # Errors
    ///
    /// Configuration, if this machine has no time zone data.
    pub fn brasilia() -> Result<Self, Error> {
        Self::in_zone(ZONE)
    }

    /// The same hours by the clock of another zone, named as in the IANA database.
    ///
    /// # Errors
    ///
    /// Configuration, if this machine does not know the zone.
    pub fn in_zone(name: &str) -> Result<Self, Error> {
        let zone = TimeZone::get(name).map_err(|cause| {
            Error::configuration(
                format!("the time zone {name:?} is not known here"),
                "install the machine's time zone data (tzdata), or name a zone of the IANA database",
            )
            .with_source(cause)
        })?;
        Ok(Self {
            zone,
            at: Time::constant(4, 0, 0, 0),
            full_run_days: vec![Weekday::Saturday, Weekday::Sunday],
        })
    }

    /// Full runs on the days of these assumptions.
    ///
    /// ```
    /// use geosite::{Assumptions, schedule::Schedule};
    ///
    /// let schedule = Schedule::brasilia()?.assuming(&Assumptions::default()); // Saturday and Sunday
    /// # let _ = schedule;
    /// # Ok::<(), integration_core::Error>(())
    /// ```
    #[must_use]
    pub fn assuming(mut self, assumptions: &Assumptions) -> Self {
        self.full_run_days.clone_from(&assumptions.full_run_days);
        self
    }

    /// Another hour.
    #[must_use]
    pub fn with_time(mut self, at: Time) -> Self {
        self.at = at;
        self
    }

    /// Other days for the full compare; without any, only a person asks for one.
    #[must_use]
    pub fn with_full_run_days(mut self, days: impl IntoIterator<Item = Weekday>) -> Self {
        self.full_run_days = days.into_iter().collect();
        self
    }

    /// When the run of a local date is planned; `None` for a date that the zone skipped.
    ///
    /// An hour that does not exist gives the first moment after the gap, one that is there twice its first (T2).
    #[must_use]
    pub fn planned(&self, date: Date) -> Option<Timestamp> {
        self.first_moment(date.to_datetime(self.at)).filter(|planned| self.date(*planned) == date)
    }

    /// Whether the local date of a moment is one for the full compare (T3).
    #[must_use]
    pub fn is_full_run_day(&self, moment: Timestamp) -> bool {
        self.is_full(self.date(moment))
    }

    /// What is to be done `now`, by whoever has been watching since `watching`.
    ///
    /// Of several missed runs only the last is due, once (T5). A run begun but never ended is due again: its machine went down.
    #[must_use]
    pub fn next(&self, history: &History, watching: Timestamp, now: Timestamp) -> Next {
        match self.due(history, now) {
            Some((date, planned_at)) => {
                let catch_up = planned_at < watching || history.taken == Some(date);
                let mode = self.mode(history, planned_at, catch_up, now);
                Next::Run(Order { date, planned_at, mode, catch_up })
            }
            None => Next::Wait { until: self.next_planned(now) },
        }
    }

    fn due(&self, history: &History, now: Timestamp) -> Option<(Date, Timestamp)> {
        let (date, planned) = self.last_planned(now).filter(|(_, planned)| *planned > history.since)?;
        let due = match self.taken(history, now) {
            Some(taken) if taken == date => history.unfinished,
            Some(taken) => taken < date,
            None => true,
        };
        due.then_some((date, planned))
    }

    /// A clock that was far ahead once must not silence the schedule until that day comes.
    fn taken(&self, history: &History, now: Timestamp) -> Option<Date> {
        let tomorrow = self.date(now).tomorrow().unwrap_or(Date::MAX);
        history.taken.filter(|taken| *taken <= tomorrow)
    }

    fn mode(&self, history: &History, planned: Timestamp, catch_up: bool, now: Timestamp) -> RunMode {
        let full = if catch_up {
            self.is_full_run_day(now) || self.owes_full(history, now)
        } else {
            self.is_full_run_day(planned)
        };
        if full { RunMode::Full } else { RunMode::Incremental }
    }

    /// Whether no full run has succeeded since the last weekend began.
    fn owes_full(&self, history: &History, now: Timestamp) -> bool {
        let began = self.weekend_began(self.date(now));
        began.is_some_and(|began| history.full_success.is_none_or(|success| success < began))
    }

    /// The first moment of the last unbroken run of full days that had begun by `date`.
    fn weekend_began(&self, date: Date) -> Option<Timestamp> {
        let mut days = back(date, 14).skip_while(|day| !self.is_full(*day));
        let first = days.by_ref().take_while(|day| self.is_full(*day)).last()?;
        self.first_moment(first.to_datetime(Time::midnight()))
    }

    fn last_planned(&self, now: Timestamp) -> Option<(Date, Timestamp)> {
        let slots = back(self.date(now), REACH).filter_map(|date| Some((date, self.planned(date)?)));
        slots.into_iter().find(|(_, planned)| *planned <= now)
    }

    fn next_planned(&self, now: Timestamp) -> Timestamp {
        let dates = std::iter::successors(Some(self.date(now)), |date| date.tomorrow().ok()).take(REACH);
        dates.filter_map(|date| self.planned(date)).find(|planned| *planned > now).unwrap_or(Timestamp::MAX)
    }

    fn is_full(&self, date: Date) -> bool {
        self.full_run_days.contains(&date.weekday())
    }

    fn date(&self, moment: Timestamp) -> Date {
        self.zone.to_datetime(moment).date()
    }

    fn first_moment(&self, local: DateTime) -> Option<Timestamp> {
        match self.zone.to_ambiguous_timestamp(local).offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(local).ok(),
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(local).ok(),
            // Read with the later offset, the missing hour lies before the change of offset, which is the moment sought.
            AmbiguousOffset::Gap { after, .. } => {
                let before_change = after.to_timestamp(local).ok()?;
                self.zone.following(before_change).next().map(|change| change.timestamp())
            }
        }
    }
}

/// A date and those before it.
fn back(date: Date, days: usize) -> impl Iterator<Item = Date> {
    std::iter::successors(Some(date), |date| date.yesterday().ok()).take(days)
}

#[cfg(test)]
mod tests;
