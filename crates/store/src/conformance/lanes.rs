//! Leases: who holds a lane, for how long, and which lane comes next.

use std::collections::BTreeSet;

use super::bench::{Bench, LONG, Outcome, RACERS, SHORT, checks, ensure, refused};
use crate::entry::{Lease, State};
use crate::error::StoreErrorKind::LeaseLost;

checks! {
    a_lane_has_one_holder "of any number of claims of a free lane, one gets it"
    a_held_lane_is_refused "a lane that somebody else holds is not given away; other lanes are free"
    a_lease_runs_out "a lane whose lease has run out is free"
    every_claim_raises_the_fence "every claim raises the fence: after a release, after it ran out, and by its holder"
    a_claim_makes_in_flight_unknown "a claim turns what was in flight in the lane into Unknown, each with a line, and nothing else"
    renew_lasts_from_now "renew makes a lease last the given time from now"
    renew_revives_what_merely_ran_out "a lease that merely ran out is renewed"
    renew_refuses_what_was_taken "renewing a lease that was taken is LeaseLost, and leaves the successor's as it is"
    release_frees_the_lane "a lane that was given back is free"
    release_of_a_lost_lease_does_nothing "releasing a lease that was taken does not free the successor's"
    any_ready_takes_the_longest_waiting "AnyReady gives the lane that waited longest since it became ready or was last claimed"
    any_ready_skips_the_blocked "AnyReady skips lanes with an Unknown entry, until it is resolved"
    any_ready_skips_the_idle_and_the_held "AnyReady skips lanes that are held, and lanes with nothing to do"
    any_ready_finds_the_abandoned "AnyReady finds a lane whose worker is gone, and turns what it had in flight into Unknown"
    any_ready_gives_each_lane_once "of any number of workers asking for any lane, no two get the same, and none goes without while there is one"
}

async fn a_lane_has_one_holder(bench: Bench) -> Outcome {
    for round in 0..5 {
        let lane = format!("lane {round}");
        let claims = bench
            .race(|bench, worker| {
                let lane = lane.clone();
                async move { bench.try_claim(&lane, &worker, LONG).await }
            })
            .await?;
        let claims = claims.into_iter().collect::<Outcome<Vec<_>>>()?;
        let won: Vec<Lease> = claims.into_iter().flatten().collect();
        ensure!(won.len() == 1, "{} workers hold {lane:?}: {won:?}", won.len());
    }
    Ok(())
}

async fn a_held_lane_is_refused(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let as_told = lease.outbox == bench.name && lease.lane == "a" && lease.worker == "ann";
    ensure!(as_told, "the lease is {lease:?}");
    let second = bench.try_claim("a", "ben", LONG).await?;
    ensure!(second.is_none(), "a held lane was given away: {second:?}");
    bench.claim("b", "ben", LONG).await.map(drop)
}

async fn a_lease_runs_out(bench: Bench) -> Outcome {
    bench.claim("a", "ann", SHORT).await?;
    bench.outlast().await;
    bench.claim("a", "ben", LONG).await?;
    let third = bench.try_claim("a", "ann", LONG).await?;
    ensure!(third.is_none(), "the successor's lane was given away: {third:?}");
    Ok(())
}

async fn every_claim_raises_the_fence(bench: Bench) -> Outcome {
    let first = bench.claim("a", "ann", LONG).await?;
    let again = bench.claim("a", "ann", LONG).await?;
    bench.backend.release(&again).await?;
    let next = bench.claim("a", "ben", SHORT).await?;
    bench.outlast().await;
    let last = bench.claim("a", "eve", LONG).await?;
    let fences = [first.fence, again.fence, next.fence, last.fence];
    ensure!(fences.is_sorted_by(|a, b| a < b), "the fences are {fences:?}");
    Ok(())
}

async fn a_claim_makes_in_flight_unknown(bench: Bench) -> Outcome {
    for (lane, worker) in [("taken", "ben"), ("claimed again", "ann")] {
        let old = bench.claim(lane, "ann", SHORT).await?;
        let mut before = Vec::new();
        for state in State::ALL {
            before.push(bench.entry_in(&old, &format!("{lane} {}", state.name()), state).await?);
        }
        bench.outlast().await;
        bench.claim(lane, worker, LONG).await?;
        for entry in before {
            if entry.state != State::InFlight {
                let lines = if matches!(entry.state, State::Prepared) {
                    1
                } else if entry.state == State::Dead {
                    2
                } else {
                    3
                };
                bench.unchanged(&entry, lines).await?;
                continue;
            }
            let now = bench.find(&entry.key).await?;
            ensure!(now.state == State::Unknown, "what was in flight is {:?}", now.state);
            ensure!(
                now.version > entry.version && now.data == entry.data && now.body == entry.body,
                "it became {now:?}"
            );
            bench.unchanged(&now, 3).await?;
            let history = bench.backend.history(&bench.name, entry.id).await?;
            let line = history.last().map(|line| (line.state, line.worker.as_str(), line.testimony));
            ensure!(line == Some((State::Unknown, worker, false)), "the line is {line:?}");
        }
    }
    Ok(())
}

async fn renew_lasts_from_now(bench: Bench) -> Outcome {
    let longer = bench.claim("longer", "ann", SHORT).await?;
    bench.backend.renew(&longer, LONG).await?;
    let shorter = bench.claim("shorter", "ann", LONG).await?;
    bench.backend.renew(&shorter, SHORT).await?;
    bench.outlast().await;
    let held = bench.try_claim("longer", "ben", LONG).await?;
    ensure!(held.is_none(), "a renewed lease ran out at its first time: {held:?}");
    bench.claim("shorter", "ben", LONG).await.map(drop)
}

async fn renew_revives_what_merely_ran_out(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", SHORT).await?;
    bench.outlast().await;
    bench.backend.renew(&lease, LONG).await?;
    let second = bench.try_claim("a", "ben", LONG).await?;
    ensure!(second.is_none(), "a revived lease did not hold: {second:?}");
    Ok(())
}

async fn renew_refuses_what_was_taken(bench: Bench) -> Outcome {
    for (lane, successor) in [("taken", "ben"), ("claimed again", "ann")] {
        let old = bench.claim(lane, "ann", SHORT).await?;
        bench.outlast().await;
        let lease = bench.claim(lane, successor, SHORT).await?;
        refused(bench.backend.renew(&old, LONG), LeaseLost, "renewing a lost lease").await?;
        bench.backend.renew(&lease, SHORT).await?;
        refused(bench.backend.renew(&old, LONG), LeaseLost, "renewing a lost lease").await?;
        bench.outlast().await;
        bench.claim(lane, "eve", LONG).await?;
    }
    Ok(())
}

async fn release_frees_the_lane(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    bench.backend.release(&lease).await?;
    bench.claim("a", "ben", LONG).await.map(drop)
}

async fn release_of_a_lost_lease_does_nothing(bench: Bench) -> Outcome {
    for (lane, successor) in [("taken", "ben"), ("claimed again", "ann")] {
        let old = bench.claim(lane, "ann", SHORT).await?;
        bench.outlast().await;
        bench.claim(lane, successor, LONG).await?;
        bench.backend.release(&old).await?;
        let third = bench.try_claim(lane, "eve", LONG).await?;
        ensure!(third.is_none(), "the successor's lane was freed by the old worker");
    }
    Ok(())
}

/// Which lanes AnyReady gives, until it gives none.
async fn all_ready(bench: &Bench, worker: &str) -> Outcome<Vec<Lease>> {
    let mut leases: Vec<Lease> = Vec::new();
    while let Some(lease) = bench.claim_any(worker).await? {
        ensure!(leases.iter().all(|other| other.lane != lease.lane), "lane {:?} was given twice", lease.lane);
        leases.push(lease);
    }
    Ok(leases)
}

fn lanes(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.lane.as_str()).collect()
}

async fn any_ready_takes_the_longest_waiting(bench: Bench) -> Outcome {
    ensure!(bench.claim_any("ann").await?.is_none(), "an empty outbox has a ready lane");
    // Named against the alphabet, so that no accidental order looks right.
    for (lane, key) in [("c", "1"), ("b", "2"), ("c", "3"), ("a", "4")] {
        bench.append(lane, key).await?;
    }
    let first = all_ready(&bench, "ann").await?;
    ensure!(lanes(&first) == ["c", "b", "a"], "the lanes came as {:?}", lanes(&first));
    for lease in first.iter().rev() {
        bench.backend.release(lease).await?;
    }
    let mut turns = Vec::new();
    for _ in 0..6 {
        let Some(lease) = bench.claim_any("ben").await? else { break };
        bench.backend.release(&lease).await?;
        turns.push(lease.lane);
    }
    ensure!(turns == ["c", "b", "a", "c", "b", "a"], "released lanes came again as {turns:?}");
    Ok(())
}

async fn any_ready_skips_the_blocked(bench: Bench) -> Outcome {
    let lease = bench.claim("blocked", "ann", LONG).await?;
    let unknown = bench.entry_in(&lease, "k1", State::Unknown).await?;
    bench.append("blocked", "k2").await?;
    bench.backend.release(&lease).await?;
    bench.append("free", "k3").await?;
    let ready = all_ready(&bench, "ben").await?;
    ensure!(lanes(&ready) == ["free"], "AnyReady gave {:?}", lanes(&ready));
    let lease = bench.claim("blocked", "ann", LONG).await?;
    bench.go(&lease, &unknown, State::Done).await?;
    bench.backend.release(&lease).await?;
    let ready = all_ready(&bench, "ben").await?;
    ensure!(lanes(&ready) == ["blocked"], "after it was resolved AnyReady gave {:?}", lanes(&ready));
    Ok(())
}

async fn any_ready_skips_the_idle_and_the_held(bench: Bench) -> Outcome {
    for state in [State::Done, State::Refused, State::Dead] {
        let lease = bench.claim(state.name(), "ann", LONG).await?;
        bench.entry_in(&lease, state.name(), state).await?;
        bench.backend.release(&lease).await?;
    }
    bench.append("held", "k").await?;
    let held = bench.claim("held", "ann", LONG).await?;
    let ready = all_ready(&bench, "ben").await?;
    ensure!(ready.is_empty(), "AnyReady gave {:?}", lanes(&ready));
    bench.backend.release(&held).await?;
    let lease = bench.claim("refused", "ann", LONG).await?;
    let entry = bench.find("refused").await?;
    bench.go(&lease, &entry, State::Prepared).await?;
    bench.backend.release(&lease).await?;
    let ready = all_ready(&bench, "ben").await?;
    ensure!(lanes(&ready) == ["held", "refused"], "AnyReady gave {:?}", lanes(&ready));
    Ok(())
}

async fn any_ready_finds_the_abandoned(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", SHORT).await?;
    bench.entry_in(&lease, "k", State::InFlight).await?;
    bench.outlast().await;
    let found = bench.claim_any("ben").await?;
    ensure!(found.as_ref().is_some_and(|lease| lease.lane == "a"), "AnyReady gave {found:?}");
    let state = bench.find("k").await?.state;
    ensure!(state == State::Unknown, "what was in flight is {state:?}");
    Ok(())
}

async fn any_ready_gives_each_lane_once(bench: Bench) -> Outcome {
    for number in 0..RACERS {
        bench.append(&format!("lane {number}"), &format!("k{number}")).await?;
    }
    let claims = bench.race(|bench, worker| async move { bench.claim_any(&worker).await }).await?;
    let claims = claims.into_iter().collect::<Outcome<Vec<_>>>()?;
    let lanes: BTreeSet<String> = claims.into_iter().flatten().map(|lease| lease.lane).collect();
    ensure!(lanes.len() == RACERS, "{RACERS} workers got {} of {RACERS} lanes", lanes.len());
    let more = bench.claim_any("late").await?;
    ensure!(more.is_none(), "a lane was given twice: {more:?}");
    Ok(())
}
