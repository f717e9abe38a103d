use jiff::civil::{date, time};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn brasilia() -> Schedule {
    Schedule::brasilia().unwrap()
}

/// Before everything, watching all the time.
const LONG_AGO: Timestamp = Timestamp::UNIX_EPOCH;

fn ran(taken: Date) -> History {
    History { taken: Some(taken), ..History::starting(LONG_AGO) }
}

fn run(next: Next) -> Order {
    match next {
        Next::Run(order) => order,
        Next::Wait { until } => panic!("nothing is due before {until}"),
    }
}

#[test]
fn table_5_3() {
    let four = brasilia();
    assert_eq!(four.planned(date(2026, 11, 22)), Some(at("2026-11-22T07:00:00Z")));
    assert_eq!(four.planned(date(2019, 1, 15)), Some(at("2019-01-15T06:00:00Z")));
    let in_gap = brasilia().with_time(time(0, 30, 0, 0));
    assert_eq!(in_gap.planned(date(2018, 11, 4)), Some(at("2018-11-04T03:00:00Z")));
    let twice = brasilia().with_time(time(23, 30, 0, 0));
    assert_eq!(twice.planned(date(2019, 2, 16)), Some(at("2019-02-17T01:30:00Z")));
}

#[test]
fn the_weekend_is_that_of_the_local_date() {
    let late = brasilia().with_time(time(23, 30, 0, 0));
    let friday = at("2026-11-21T02:30:00Z"); // Saturday in UTC
    assert!(!late.is_full_run_day(friday));
    let order = run(late.next(&ran(date(2026, 11, 19)), LONG_AGO, friday));
    assert_eq!((order.date, order.mode), (date(2026, 11, 20), RunMode::Incremental));
    let order = run(late.next(&ran(date(2026, 11, 20)), LONG_AGO, at("2026-11-22T02:30:00Z")));
    assert_eq!((order.date, order.mode), (date(2026, 11, 21), RunMode::Full));
}

#[test]
fn a_weekday_is_incremental_and_the_days_are_a_setting() {
    let monday = at("2026-11-23T07:00:00Z");
    let order = run(brasilia().next(&ran(date(2026, 11, 22)), LONG_AGO, monday));
    assert_eq!((order.mode, order.catch_up), (RunMode::Incremental, false));
    let mondays = brasilia().with_full_run_days([Weekday::Monday]);
    assert_eq!(run(mondays.next(&ran(date(2026, 11, 22)), LONG_AGO, monday)).mode, RunMode::Full);
}

#[test]
fn once_per_local_date_even_if_the_hour_comes_twice_or_the_clock_goes_back() {
    let twice = brasilia().with_time(time(23, 30, 0, 0));
    let history = ran(date(2019, 2, 16));
    let second_time = at("2019-02-17T02:30:00Z");
    assert_eq!(twice.next(&history, LONG_AGO, second_time), Next::Wait { until: at("2019-02-18T02:30:00Z") });
    let set_back = at("2026-11-22T06:59:00Z");
    let next = brasilia().next(&ran(date(2026, 11, 22)), LONG_AGO, set_back);
    assert_eq!(next, Next::Wait { until: at("2026-11-22T07:00:00Z") });
}

#[test]
fn a_clock_that_was_far_ahead_does_not_silence_the_schedule() {
    let order = run(brasilia().next(&ran(date(2036, 1, 1)), LONG_AGO, at("2026-11-23T07:00:00Z")));
    assert_eq!(order.date, date(2026, 11, 23));
}

#[test]
fn nothing_was_missed_before_the_first_start() {
    let noon = at("2026-11-25T15:00:00Z");
    let next = brasilia().next(&History::starting(noon), noon, noon);
    assert_eq!(next, Next::Wait { until: at("2026-11-26T07:00:00Z") });
}

#[test]
fn of_many_missed_runs_one_is_caught_up() {
    let wednesday = at("2026-11-25T15:00:00Z");
    let history = History { full_success: Some(at("2026-11-15T07:00:00Z")), ..ran(date(2026, 11, 15)) };
    let order = run(brasilia().next(&history, wednesday, wednesday));
    assert_eq!((order.date, order.catch_up), (date(2026, 11, 25), true));
    let after = history.begun(&order).ended();
    assert!(matches!(brasilia().next(&after, wednesday, wednesday), Next::Wait { .. }));
}

#[test]
fn a_catch_up_is_full_if_no_full_run_has_succeeded_since_the_last_weekend_began() {
    let wednesday = at("2026-11-25T15:00:00Z");
    let mode = |success: Option<&str>| {
        let history = History { full_success: success.map(at), ..ran(date(2026, 11, 24)) };
        run(brasilia().next(&history, wednesday, wednesday)).mode
    };
    // The last weekend began on Saturday, 2026-11-21 00:00 -03:00.
    assert_eq!(mode(None), RunMode::Full);
    assert_eq!(mode(Some("2026-11-21T02:59:59Z")), RunMode::Full);
    assert_eq!(mode(Some("2026-11-21T03:00:00Z")), RunMode::Incremental);
    assert_eq!(mode(Some("2026-11-22T07:00:00Z")), RunMode::Incremental);
}

#[test]
fn a_catch_up_at_the_weekend_is_a_weekend_run() {
    let sunday = at("2026-11-22T15:00:00Z");
    let history = History { full_success: Some(at("2026-11-21T07:00:00Z")), ..ran(date(2026, 11, 21)) };
    let order = run(brasilia().next(&history, sunday, sunday));
    assert_eq!((order.mode, order.catch_up), (RunMode::Full, true));
}

#[test]
fn a_run_that_never_ended_is_made_up_for() {
    let begun = History { unfinished: true, ..ran(date(2026, 11, 25)) };
    let later = at("2026-11-25T08:00:00Z");
    let order = run(brasilia().next(&begun, later, later));
    assert_eq!((order.date, order.catch_up), (date(2026, 11, 25), true));
    assert!(matches!(brasilia().next(&begun.ended(), later, later), Next::Wait { .. }));
}

#[test]
fn a_date_that_the_zone_skipped_has_no_run() {
    let samoa = Schedule::in_zone("Pacific/Apia").unwrap();
    assert_eq!(samoa.planned(date(2011, 12, 30)), None);
    assert!(samoa.planned(date(2011, 12, 31)).is_some());
}

#[test]
fn an_unknown_zone_is_a_fault_of_the_configuration() {
    let error = Schedule::in_zone("America/Atlantis").unwrap_err();
    assert_eq!(error.kind(), integration_core::ErrorKind::Configuration);
}

proptest! {
    /// Watched through any fortnight of the years with and without summer time, in steps of any size below a day, every
    /// local date gets one run and no more.
    #[test]
    fn every_date_once(start in 1_500_000_000i64..1_900_000_000, steps in prop::collection::vec(60i64..80_000, 1..60), hour in 0i8..24) {
        let schedule = brasilia().with_time(time(hour, 30, 0, 0));
        let first = Timestamp::from_second(start).unwrap();
        let mut history = History::starting(first);
        let (mut now, mut dates) = (first, Vec::new());
        for step in steps {
            now = Timestamp::from_second(now.as_second() + step).unwrap();
            while let Next::Run(order) = schedule.next(&history, first, now) {
                prop_assert!(order.planned_at <= now && !order.catch_up);
                dates.push(order.date);
                history = history.begun(&order).ended();
            }
            let Next::Wait { until } = schedule.next(&history, first, now) else { unreachable!() };
            prop_assert!(until > now);
        }
        prop_assert!(dates.windows(2).all(|pair| pair[0] < pair[1]));
        let days = (now.as_second() - first.as_second()) / 86_400;
        prop_assert!(dates.len() as i64 >= days - 1, "{} runs in {days} days", dates.len());
    }
}
