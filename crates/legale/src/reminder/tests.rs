use jiff::civil::date;
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Monday 2 March 2026, 10:00 UTC.
fn flow(order: Order) -> FlowState {
    let state = FlowState::new(order, Status::InProgress).started_at(at("2026-03-02T10:00:00Z"));
    state.signer(SignerState::new("a@b")).signer(SignerState::new("c@d"))
}

/// Plans, delivers at once, goes to the next wake, and so on: what a perfect runner would send.
fn simulate(
    policy: &Policy,
    flow: &FlowState,
    from: Timestamp,
    steps: usize,
) -> Vec<(Timestamp, usize, ActionKind)> {
    let (mut flow, mut now, mut sent) = (flow.clone(), from, Vec::new());
    for _ in 0..steps {
        let plan = plan(now, policy, &flow);
        for action in &plan.actions {
            flow.record(action, now);
            sent.push((now, action.index, action.kind));
        }
        match plan.next_wake {
            Some(wake) => now = wake,
            None => break,
        }
    }
    sent
}

fn times(policy: &Policy, flow: &FlowState) -> Vec<(String, ActionKind)> {
    let sent = simulate(policy, flow, at("2026-03-02T10:00:00Z"), 100);
    sent.into_iter().map(|(time, _, kind)| (time.to_string(), kind)).collect()
}

/// A service's clock that is a little ahead must not silence the reminders for good.
#[test]
fn a_flow_that_starts_in_a_moment_is_looked_at_again_then() {
    let plan = plan(at("2026-03-02T09:59:59.5Z"), &Policy::default(), &flow(Order::Sequential));
    assert_eq!((plan.actions.len(), plan.next_wake), (0, Some(at("2026-03-02T10:00:00Z"))));
}

/// Contract 4.8, the defaults: first after 2 days, then every 3, at 13:00 UTC, five in all.
#[test]
fn the_default_policy() {
    use ActionKind::*;
    let expected = [
        ("2026-03-04T13:00:00Z", First),
        ("2026-03-07T13:00:00Z", Repeat),
        ("2026-03-10T13:00:00Z", Repeat),
        ("2026-03-13T13:00:00Z", Repeat),
        ("2026-03-16T13:00:00Z", Repeat),
    ];
    let sent = times(&Policy::default(), &flow(Order::Sequential));
    assert_eq!(sent, expected.map(|(time, kind)| (time.to_owned(), kind)));
    assert_eq!(times(&Policy::default(), &flow(Order::Parallel)).len(), 10);
}

/// Started on 2 March at 10:00 with 7 days: the deadline is 9 March at 10:00, one day before is the 8th at 10:00, sent at 13:00.
#[test]
fn a_warning_comes_outside_the_maximum_and_beats_the_regular_one() {
    use ActionKind::*;
    let policy = Policy { max_per_signer: 1, ..Policy::default() };
    let sent = times(&policy, &flow(Order::Sequential).expires_after_days(7));
    let warned = ("2026-03-08T13:00:00Z".to_owned(), ExpiryWarning { days: 1 });
    assert_eq!(sent, [("2026-03-04T13:00:00Z".to_owned(), First), warned]);

    // 6 days: the mark is on the 7th, on which the second regular one would have been due.
    let sent = times(&Policy::default(), &flow(Order::Sequential).expires_after_days(6));
    let warned = ("2026-03-07T13:00:00Z".to_owned(), ExpiryWarning { days: 1 });
    assert_eq!(sent, [("2026-03-04T13:00:00Z".to_owned(), First), warned]);
}

#[test]
fn a_warning_that_would_come_at_the_deadline_or_later_is_dropped() {
    // One day, started at 10:00: the mark is at 10:00 of the first day, sent at 13:00, the deadline is the next day.
    let short = flow(Order::Sequential).expires_after_days(1);
    assert_eq!(times(&Policy::default(), &short).len(), 1);
    let quiet = Quiet::default().weekday(Weekday::Monday).weekday(Weekday::Tuesday);
    let policy = Policy { quiet, ..Policy::default() };
    assert_eq!(times(&policy, &short), []);
    // A mark before the start is no warning of anything.
    let policy = Policy { expiry_warn_days: [9].into(), ..Policy::default() };
    assert_eq!(times(&policy, &short), []);
}

#[test]
fn in_a_sequence_only_the_first_who_is_not_done() {
    let mut state = flow(Order::Sequential);
    let now = at("2026-03-20T13:00:00Z");
    assert_eq!(plan(now, &Policy::default(), &state).actions[0].signer, "a@b");
    state.signers[0].is_done = true;
    let after = plan(now, &Policy::default(), &state);
    assert_eq!((after.actions.len(), after.actions[0].signer.as_str()), (1, "c@d"));
    state.signers[1].turn_began = Some(at("2026-03-19T13:00:00Z"));
    let waits = plan(now, &Policy::default(), &state);
    assert_eq!((waits.actions.len(), waits.next_wake), (0, Some(at("2026-03-21T13:00:00Z"))));
    assert_eq!(plan(now, &Policy::default(), &flow(Order::Parallel)).actions.len(), 2);
}

#[test]
fn missed_slots_collapse_into_one() {
    let now = at("2026-06-01T08:30:00Z");
    let first = plan(now, &Policy::default(), &flow(Order::Sequential));
    assert_eq!(first.actions.len(), 1);
    assert_eq!((first.actions[0].kind, first.actions[0].attempt), (ActionKind::First, 1));
    assert_eq!(first.actions[0].due_at, at("2026-03-04T13:00:00Z"));
    assert_eq!(first.next_wake, Some(at("2026-06-04T13:00:00Z")));
    // Marks 5, 3 and 1 are all past: one warning, the most urgent, and the others are settled by it.
    let policy = Policy { expiry_warn_days: [1, 3, 5].into(), max_per_signer: 0, ..Policy::default() };
    let state = flow(Order::Sequential).expires_after_days(10);
    let late = simulate(&policy, &state, at("2026-03-11T20:00:00Z"), 9);
    assert_eq!(late, [(at("2026-03-11T20:00:00Z"), 0, ActionKind::ExpiryWarning { days: 1 })]);
}

#[test]
fn never_rows() {
    let now = at("2026-03-20T13:00:00Z");
    let base = || flow(Order::Parallel);
    let with = |status: Status| FlowState { status, ..base() };
    let none = [
        with(Status::Signed),
        with(Status::Rejected { comment: None }),
        with(Status::Deleted),
        with(Status::Terminated),
        with(Status::LinkExpired),
        with(Status::Uploaded),
        base().paused(),
        base().expires_after_days(18),
        FlowState { started_at: None, ..base() },
    ];
    for state in none {
        let plan = plan(now, &Policy::default(), &state);
        assert!(plan.actions.is_empty() && plan.next_wake.is_none(), "{state:?}");
    }
    let later = FlowState { started_at: Some(at("2026-03-21T00:00:00Z")), ..base() };
    assert!(plan(now, &Policy::default(), &later).actions.is_empty(), "not started yet");
    let vendor = Policy { vendor_reminders_on: true, ..Policy::default() };
    assert!(plan(now, &vendor, &base()).actions.is_empty());
    assert_eq!(plan(now, &Policy::default(), &base()).actions.len(), 2);
}

#[test]
fn quiet_windows_wrap_midnight_and_weekdays_are_skipped() {
    // 13:00 lies in 12:30 to 06:15 of the next day; Thursday and Friday are quiet altogether.
    let quiet = Quiet::default().window(Window::minutes(750, 375)).weekday(jiff::civil::Weekday::Thursday);
    let policy = Policy { quiet: quiet.weekday(jiff::civil::Weekday::Friday), ..Policy::default() };
    let sent = times(&policy, &flow(Order::Sequential));
    assert_eq!(sent[0].0, "2026-03-07T06:15:00Z");
    let always = Policy { quiet: Quiet::default().window(Window::hours(0, 24)), ..Policy::default() };
    assert_eq!(times(&always, &flow(Order::Sequential)), []);
}

/// Santiago is UTC-3 in March 2026 and UTC-4 from 5 April on.
#[test]
fn business_hours_in_a_zone_follow_its_clocks() {
    let zone = TimeZone::posix("<-04>4<-03>,M9.1.6/24,M4.1.6/24").unwrap();
    let local = LocalQuiet::business(zone, 14, 18).holiday(date(2026, 3, 4));
    let policy = Policy { local: Some(local), max_per_signer: 20, ..Policy::default() };
    let sent = times(&policy, &flow(Order::Sequential));
    // The 4th is a holiday: the next day at 14:00 local, 17:00 UTC. Then three days on it is a Sunday: Monday.
    assert_eq!(sent[0].0, "2026-03-05T17:00:00Z");
    assert_eq!(sent[1].0, "2026-03-09T17:00:00Z");
    let winter: Vec<_> = sent.iter().filter(|(time, _)| time.as_str() > "2026-04-06").collect();
    assert!(!winter.is_empty() && winter.iter().all(|(time, _)| time.ends_with("T18:00:00Z")), "{winter:?}");
}

#[test]
fn the_link_goes_along_and_is_not_printed() {
    let mut state = flow(Order::Sequential);
    state.signers[0].link = Some("https://sign.legale.io/session/sentinel".into());
    let plan = plan(at("2026-03-20T13:00:00Z"), &Policy::default(), &state);
    assert!(plan.actions[0].link.as_ref().unwrap().reveal().ends_with("sentinel"));
    assert!(!format!("{plan:?}{state:?}").contains("sentinel"));
}

#[test]
fn a_policy_is_checked_whole() {
    let policy = Policy {
        first_after_days: 0,
        every_days: 0,
        send_hour_utc: 24,
        expiry_warn_days: [0].into(),
        ..Policy::default()
    };
    assert_eq!(policy.check().unwrap_err().faults().len(), 4);
    assert!(Policy::default().check().is_ok());
}

prop_compose! {
    fn windows()(list in proptest::collection::vec((0u16..1440, 0u16..1440), 0..3)) -> Vec<Window> {
        list.into_iter().map(|(from, to)| Window::minutes(from, to)).collect()
    }
}

prop_compose! {
    fn policies()(
        first in 1u32..6, every in 1u32..6, hour in 0u8..24, windows in windows(), local in windows(), max in 0u32..6,
        marks in proptest::collection::btree_set(1u32..8, 0..4), sunday in any::<bool>(), zoned in any::<bool>(),
    ) -> Policy {
        let quiet = Quiet { windows, weekdays: if sunday { vec![Weekday::Sunday] } else { vec![] } };
        let zone = TimeZone::posix("<-04>4<-03>,M9.1.6/24,M4.1.6/24").unwrap();
        let local = zoned.then(|| LocalQuiet::new(zone, Quiet { windows: local, weekdays: vec![Weekday::Saturday] }));
        Policy { first_after_days: first, every_days: every, send_hour_utc: hour, quiet, local, max_per_signer: max,
            expiry_warn_days: marks, vendor_reminders_on: false }
    }
}

prop_compose! {
    fn flows()(parallel in any::<bool>(), start in 1_772_000_000i64..1_790_000_000, days in proptest::option::of(1u32..30))
        -> FlowState {
        let order = if parallel { Order::Parallel } else { Order::Sequential };
        let mut state = flow(order).started_at(Timestamp::from_second(start).unwrap());
        state.expiration_days = days;
        state
    }
}

proptest! {
    #[test]
    fn the_promises_hold_for_any_policy(policy in policies(), state in flows(), delay in 0i64..3_000_000) {
        let start = later(state.started_at.unwrap(), delay);
        let sent = simulate(&policy, &state, start, 200);
        prop_assert_eq!(&sent, &simulate(&policy, &state, start, 200), "same input, same output");
        for signer in 0..2 {
            let own: Vec<_> = sent.iter().filter(|(_, index, _)| *index == signer).collect();
            let regular = own.iter().filter(|(_, _, kind)| !matches!(kind, ActionKind::ExpiryWarning { .. }));
            prop_assert!(regular.count() <= policy.max_per_signer as usize);
            let days: BTreeSet<_> = own.iter().map(|(time, _, _)| time.as_second().div_euclid(86_400)).collect();
            prop_assert_eq!(days.len(), own.len(), "at most one a day");
            let marks: BTreeSet<_> = own.iter().filter_map(|(_, _, kind)| match kind {
                ActionKind::ExpiryWarning { days } => Some(*days), _ => None }).collect();
            prop_assert!(marks.iter().all(|mark| policy.expiry_warn_days.contains(mark)));
        }
        for (time, _, _) in &sent {
            prop_assert!(!quiet::is_quiet(*time, &policy));
            prop_assert!(state.deadline().is_none_or(|deadline| *time < deadline));
        }
    }

    #[test]
    fn the_next_wake_is_the_next_instant_at_which_something_changes(
        policy in policies(), state in flows(), delay in 0i64..3_000_000, share in 0.0f64..1.0,
    ) {
        let now = later(state.started_at.unwrap(), delay);
        let mut state = state;
        let first = plan(now, &policy, &state);
        first.actions.iter().for_each(|action| state.record(action, now));
        let end = first.next_wake.unwrap_or_else(|| later(now, 40 * 86_400));
        let gap = (end.as_second() - now.as_second() - 1).max(0);
        let between = later(now, (gap as f64 * share) as i64);
        if between > now && between < end {
            let middle = plan(between, &policy, &state);
            prop_assert!(middle.actions.is_empty(), "{} {:?}", between, middle);
            prop_assert_eq!(middle.next_wake, first.next_wake);
        }
        if let Some(wake) = first.next_wake {
            prop_assert!(!plan(wake, &policy, &state).actions.is_empty());
        }
    }
}
