use std::sync::Mutex;

use integration_core::clock::ManualClock;
use integration_store::Memory;
use tokio::sync::Notify;

use super::*;
use crate::schedule::RunMode;

/// Tuesday, 2026-11-24, 12:00 UTC, which is 09:00 in Brasília.
const TUESDAY: u64 = 1_795_521_600;

fn clock() -> ManualClock {
    let clock = ManualClock::new();
    clock.advance(Duration::from_secs(TUESDAY));
    clock
}

fn store(clock: &ManualClock) -> Store {
    Store::from_backend(Memory::with_clock(Arc::new(clock.clone())))
}

fn runner(store: &Store, clock: &ManualClock) -> Runner {
    Runner::new(store, "provider", Schedule::brasilia().unwrap(), Arc::new(clock.clone()))
}

fn hours(hours: u64) -> Duration {
    Duration::from_secs(hours * 3600)
}

async fn ran(runner: &Runner) -> Option<Order> {
    match runner.tick(|_| async { Ending::Succeeded { full: false } }).await.unwrap() {
        Tick::Ran(order, _) => Some(order),
        _ => None,
    }
}

#[tokio::test]
async fn it_waits_until_four_and_runs_each_date_once() {
    let (clock, runs) = (clock(), Mutex::new(Vec::new()));
    assert_eq!(clock.wall().to_string(), "2026-11-24T12:00:00Z");
    let runner = runner(&store(&clock), &clock);
    let enough = Notify::new();
    let run = |order: Order| {
        let mut runs = runs.lock().unwrap();
        runs.push((order.date.to_string(), order.mode, clock.wall().to_string()));
        if runs.len() == 5 {
            enough.notify_one();
        }
        async { Ending::Succeeded { full: true } }
    };
    runner.run_until(run, enough.notified()).await;
    let runs = runs.into_inner().unwrap();
    let expected = [
        ("2026-11-25", RunMode::Incremental, "2026-11-25T07:00:00Z"),
        ("2026-11-26", RunMode::Incremental, "2026-11-26T07:00:00Z"),
        ("2026-11-27", RunMode::Incremental, "2026-11-27T07:00:00Z"),
        ("2026-11-28", RunMode::Full, "2026-11-28T07:00:00Z"),
        ("2026-11-29", RunMode::Full, "2026-11-29T07:00:00Z"),
    ];
    let expected = expected.map(|(date, mode, at)| (date.to_owned(), mode, at.to_owned()));
    assert_eq!(runs, expected);
}

#[tokio::test]
async fn of_many_machines_exactly_one_runs() {
    let clock = clock();
    let store = store(&clock);
    let machines: Vec<Runner> = (0..8).map(|_| runner(&store, &clock)).collect();
    for machine in &machines {
        assert!(ran(machine).await.is_none());
    }
    clock.advance(hours(24));
    let runs = Arc::new(Mutex::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for machine in machines {
        let runs = Arc::clone(&runs);
        tasks.spawn(async move {
            let run = |_| async {
                tokio::task::yield_now().await;
                *runs.lock().unwrap() += 1;
                Ending::Succeeded { full: false }
            };
            // A machine that finds it taken asks again, until nothing is due any more.
            while !matches!(machine.tick(run).await.unwrap(), Tick::Waiting { .. }) {
                tokio::task::yield_now().await;
            }
        });
    }
    tasks.join_all().await;
    assert_eq!(*runs.lock().unwrap(), 1);
}

#[tokio::test]
async fn a_manual_run_at_03_59_does_not_cancel_04_00() {
    let clock = clock();
    let store = store(&clock);
    let runner = runner(&store, &clock);
    assert!(ran(&runner).await.is_none());
    clock.advance(hours(18) + Duration::from_secs(59 * 60)); // Wednesday, 03:59 in Brasília
    let manual = async {
        clock.advance(Duration::from_secs(60));
        // 04:00 has come, and waits.
        assert_eq!(runner.tick(|_| async { Ending::Failed }).await.unwrap(), Tick::Busy);
        let refused = runner.run_now(async { Ending::Failed }).await.unwrap_err();
        assert!(matches!(refused, ScheduleError::RunInProgress { .. }) && refused.is_retryable());
        Ending::Succeeded { full: false }
    };
    assert_eq!(runner.run_now(manual).await.unwrap(), Ending::Succeeded { full: false });
    let order = ran(&runner).await.expect("the run of 04:00 was waiting");
    assert_eq!(order.planned_at.to_string(), "2026-11-25T07:00:00Z");
    assert!(ran(&runner).await.is_none());
}

#[tokio::test]
async fn missed_runs_are_caught_up_once_and_a_manual_full_run_pays_the_weekend() {
    let clock = clock();
    let store = store(&clock);
    assert!(ran(&runner(&store, &clock)).await.is_none());
    clock.advance(hours(24 * 7)); // down for a week
    let late = runner(&store, &clock);
    late.run_now(async { Ending::Succeeded { full: true } }).await.unwrap();
    let order = ran(&late).await.unwrap();
    assert_eq!((order.catch_up, order.mode), (true, RunMode::Incremental));
    assert_eq!(order.date.to_string(), "2026-12-01");
    assert!(ran(&late).await.is_none());
}

#[tokio::test]
async fn a_run_whose_machine_went_down_is_taken_over_when_its_lease_is_out() {
    let clock = clock();
    let store = store(&clock);
    let (first, second) = (runner(&store, &clock), runner(&store, &clock));
    assert!(ran(&first).await.is_none());
    clock.advance(hours(24));
    // Down in the middle: the future is polled once, then forgotten with its lease.
    let mut hung = Box::pin(first.tick(|_| std::future::pending::<Ending>()));
    let pending = std::future::poll_fn(|context| Poll::Ready(hung.as_mut().poll(context).is_pending()));
    assert!(pending.await);
    drop(hung);
    assert_eq!(second.tick(|_| async { Ending::Failed }).await.unwrap(), Tick::Busy);
    clock.advance(DEFAULT_LEASE + Duration::from_secs(1));
    let order = ran(&second).await.expect("the lease is out");
    assert!(order.catch_up && order.mode == RunMode::Full, "no full run has ever succeeded");
}

#[tokio::test]
async fn a_long_run_keeps_its_lease_and_a_lost_lease_stops_it() {
    let clock = clock();
    let store = store(&clock);
    let (first, second) = (runner(&store, &clock), runner(&store, &clock));
    let slow = async {
        for _ in 0..100 {
            clock.advance(DEFAULT_LEASE / 3);
            tokio::task::yield_now().await;
            assert!(second.run_now(async { Ending::Failed }).await.is_err());
        }
        Ending::Succeeded { full: false }
    };
    assert_eq!(first.run_now(slow).await.unwrap(), Ending::Succeeded { full: false });

    let robbed = async {
        clock.advance(DEFAULT_LEASE + Duration::from_secs(1));
        let taken =
            store.outbox("geosite/runs").claim(LaneChoice::Named("provider"), "thief", hours(1)).await;
        assert!(taken.unwrap().is_some());
        tokio::task::yield_now().await;
        std::future::pending::<Ending>().await
    };
    let lost = first.run_now(robbed).await.unwrap_err();
    assert!(
        matches!(&lost, ScheduleError::Store(error) if error.kind() == StoreErrorKind::LeaseLost),
        "{lost}"
    );
}
