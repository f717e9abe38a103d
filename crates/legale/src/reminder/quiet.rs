//! Instants at which a message may go out: the first free one from an instant on.
//!
//! Every rule that forbids an instant also says until when it does, so that the search jumps. After each jump all rules are asked
//! again, which keeps it right where the clocks of a zone are changed.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};

use super::{LocalQuiet, Policy, Quiet, Window, later};

/// Beyond this nothing is free: every day of the week is quiet, or the quiet times cover the whole day.
const HORIZON: i64 = 400 * 86_400;
const DAY_MINUTES: i64 = 1440;

/// The first instant from `at` on at which nothing is quiet.
pub(super) fn first_free(at: Timestamp, policy: &Policy) -> Option<Timestamp> {
    let limit = later(at, HORIZON);
    let mut candidate = at;
    while let Some(until) = quiet_until(candidate, policy) {
        // Where clocks are set back, an end can lie before its beginning: then it goes on by minutes.
        candidate = until.max(later(minute(candidate), 60));
        if candidate >= limit {
            return None;
        }
    }
    Some(candidate)
}

/// Whether nothing may go out at `at`.
pub(super) fn is_quiet(at: Timestamp, policy: &Policy) -> bool {
    quiet_until(at, policy).is_some()
}

/// The next full send hour, `at` itself included.
pub(super) fn next_send_hour(at: Timestamp, policy: &Policy) -> Timestamp {
    let hour = i64::from(policy.send_hour_utc.min(23)) * 3600;
    // Up to the next second, so that nothing is due before its time.
    let seconds = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    let wait = (hour - seconds.rem_euclid(86_400)).rem_euclid(86_400);
    Timestamp::from_second(seconds.saturating_add(wait)).unwrap_or(Timestamp::MAX)
}

/// The number of the day in UTC.
pub(super) fn utc_day(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// Midnight of a day in UTC.
pub(super) fn day_start(day: i64) -> Timestamp {
    Timestamp::from_second(day.saturating_mul(86_400)).unwrap_or(Timestamp::MAX)
}

fn minute(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

fn quiet_until(at: Timestamp, policy: &Policy) -> Option<Timestamp> {
    let utc = || within(at, Offset::UTC.to_datetime(at), &TimeZone::UTC, &policy.quiet);
    let local = || policy.local.as_ref().and_then(|local| locally(at, local));
    utc().or_else(local)
}

fn locally(at: Timestamp, local: &LocalQuiet) -> Option<Timestamp> {
    let time = local.zone.to_datetime(at);
    if local.holidays.contains(&time.date()) {
        return Some(next_midnight(time, &local.zone));
    }
    within(at, time, &local.zone, &local.quiet)
}

fn within(at: Timestamp, time: DateTime, zone: &TimeZone, quiet: &Quiet) -> Option<Timestamp> {
    if quiet.weekdays.contains(&time.weekday()) {
        return Some(next_midnight(time, zone));
    }
    let now = i64::from(time.hour()) * 60 + i64::from(time.minute());
    let left = quiet.windows.iter().find_map(|window| minutes_left(*window, now))?;
    // The end on the clock of the zone, not so many minutes later: clocks may be changed in between.
    let start = time.date().at(time.hour(), time.minute(), 0, 0);
    let end = start.checked_add(jiff::SignedDuration::from_mins(left)).ok();
    Some(end.and_then(|end| instant(end, zone)).unwrap_or_else(|| later(minute(at), left * 60)))
}

/// How many minutes of the window are left at this minute of the day, if it is in it.
fn minutes_left(window: Window, now: i64) -> Option<i64> {
    let (from, to) = (i64::from(window.from), i64::from(window.to));
    let is_in = if from <= to { (from..to).contains(&now) } else { now >= from || now < to };
    let left = (to - now).rem_euclid(DAY_MINUTES);
    is_in.then_some(if left == 0 { DAY_MINUTES } else { left })
}

fn next_midnight(time: DateTime, zone: &TimeZone) -> Timestamp {
    let midnight = time.date().tomorrow().ok().map(|date| date.at(0, 0, 0, 0));
    midnight.and_then(|midnight| instant(midnight, zone)).unwrap_or(Timestamp::MAX)
}

/// The earlier of two readings, where a clock shows a time twice or never.
fn instant(time: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    zone.to_ambiguous_timestamp(time).earlier().ok()
}
