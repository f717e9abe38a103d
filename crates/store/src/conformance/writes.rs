//! Who may change an entry, and how.

use bytes::Bytes;

use super::bench::{Bench, LONG, Outcome, SHORT, change, checks, ensure, refused};
use crate::entry::{Change, Entry, Lease, State};
use crate::error::StoreErrorKind::{Conflict, LeaseLost, NotFound};

checks! {
    write_follows_the_table "an entry goes from one state to another exactly where State::may_become says so"
    write_gives_the_new_entry "write gives the changed entry back, with its data, a higher version, and a line in its history"
    write_names_a_version "a change that was decided on another version is a Conflict and changes nothing"
    write_is_won_once "of any number of changes decided on one version, one is made"
    write_is_all_or_none "write makes all of its changes or none"
    write_stays_in_its_lane "a lease does not reach the entries of another lane"
    write_needs_an_entry "a change of no entry is NotFound"
    bodies_never_change_while_open "new bytes are allowed only from Refused or Dead to Prepared"
    fence_refuses_the_old_worker "a change with an older fence is LeaseLost and changes nothing, however the lane was taken"
    fence_is_compared_with_the_change "no change comes between a claim and its fence"
    a_forged_fence_is_refused "only the lane's newest fence, and its holder, may write"
    a_lease_that_ran_out_still_writes "a lease that merely ran out may write until the lane is taken"
    a_released_lease_is_lost "a lease that was given back may neither write nor be renewed"
}

async fn write_follows_the_table(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    for from in State::ALL {
        for to in State::ALL {
            let entry = bench.entry_in(&lease, &format!("{} {}", from.name(), to.name()), from).await?;
            let lines = bench.backend.history(&bench.name, entry.id).await?.len();
            let write = bench.backend.write(&lease, vec![change(&entry, to)]);
            if from.may_become(to) {
                let written = write.await?;
                ensure!(
                    written.iter().all(|entry| entry.state == to),
                    "{from:?} to {to:?} became {written:?}"
                );
            } else {
                refused(write, Conflict, &format!("{from:?} to {to:?}")).await?;
                bench.unchanged(&entry, lines).await?;
            }
        }
    }
    Ok(())
}

async fn write_gives_the_new_entry(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    let sending = Change { data: "attempt 1".into(), ..change(&entry, State::InFlight) };
    let written = bench.backend.write(&lease, vec![sending]).await?;
    let [changed] = written.as_slice() else {
        return Err(super::bench::Seen(format!("one change gave {written:?}")));
    };
    let kept = Entry {
        state: State::InFlight,
        data: "attempt 1".into(),
        version: changed.version,
        changed: changed.changed,
        ..entry.clone()
    };
    ensure!(*changed == kept && changed.version > entry.version, "{entry:?} became {changed:?}");
    bench.unchanged(changed, 2).await?;
    let history = bench.backend.history(&bench.name, entry.id).await?;
    let line = history.last().map(|line| (line.worker.as_str(), line.state, line.testimony, &*line.data));
    ensure!(line == Some(("ann", State::InFlight, false, b"attempt 1")), "the line is {line:?}");
    Ok(())
}

async fn write_names_a_version(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    for version in [entry.version - 1, entry.version + 1, i64::MAX] {
        let stale = Change { version, ..change(&entry, State::InFlight) };
        refused(bench.backend.write(&lease, vec![stale]), Conflict, "a change of another version").await?;
        bench.unchanged(&entry, 1).await?;
    }
    Ok(())
}

async fn write_is_won_once(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    let change = change(&entry, State::InFlight);
    let writes = bench
        .race(|bench, _| {
            let (lease, change) = (lease.clone(), change.clone());
            async move { bench.backend.write(&lease, vec![change]).await }
        })
        .await?;
    let won = writes.iter().filter(|write| write.is_ok()).count();
    ensure!(won == 1, "{won} changes of one version were made");
    let other = writes.iter().filter_map(|write| write.as_ref().err()).find(|error| error.kind() != Conflict);
    ensure!(other.is_none(), "a loser was told {other:?}");
    Ok(())
}

async fn write_is_all_or_none(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let (first, second) = (bench.append("a", "k1").await?, bench.append("a", "k2").await?);
    let bad = vec![change(&first, State::InFlight), change(&second, State::Done)];
    refused(bench.backend.write(&lease, bad), Conflict, "a forbidden second change").await?;
    bench.unchanged(&first, 1).await?;
    bench.unchanged(&second, 1).await?;
    let good = vec![change(&first, State::InFlight), change(&second, State::Dead)];
    let written = bench.backend.write(&lease, good).await?;
    let states: Vec<State> = written.iter().map(|entry| entry.state).collect();
    ensure!(states == [State::InFlight, State::Dead], "two changes gave {states:?}");
    Ok(())
}

async fn write_stays_in_its_lane(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let other = bench.append("b", "k").await?;
    let write = bench.backend.write(&lease, vec![change(&other, State::InFlight)]);
    refused(write, Conflict, "a change of another lane's entry").await?;
    bench.unchanged(&other, 1).await
}

async fn write_needs_an_entry(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    let nobody = Change { entry: i64::MAX, ..change(&entry, State::InFlight) };
    refused(bench.backend.write(&lease, vec![nobody]), NotFound, "a change of no entry").await
}

async fn bodies_never_change_while_open(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    for (from, to) in State::ALL.into_iter().flat_map(|from| State::ALL.map(|to| (from, to))) {
        if !from.may_become(to) {
            continue;
        }
        let entry = bench.entry_in(&lease, &format!("{} {}", from.name(), to.name()), from).await?;
        let lines = bench.backend.history(&bench.name, entry.id).await?.len();
        let revision = Change { body: Some("revised".into()), ..change(&entry, to) };
        let write = bench.backend.write(&lease, vec![revision]);
        if matches!(from, State::Refused | State::Dead) && to == State::Prepared {
            write.await?;
            let revised = bench.find(&entry.key).await?;
            ensure!(revised.body == "revised", "the revised bytes are {:?}", revised.body);
        } else {
            refused(write, Conflict, &format!("a body from {from:?} to {to:?}")).await?;
            bench.unchanged(&entry, lines).await?;
        }
    }
    let replayed = bench.entry_in(&lease, "replayed", State::Dead).await?;
    let again = bench.go(&lease, &replayed, State::Prepared).await?;
    ensure!(again.body == replayed.body, "a replay without a body changed the bytes to {:?}", again.body);
    Ok(())
}

async fn fence_refuses_the_old_worker(bench: Bench) -> Outcome {
    for (lane, successor) in [("taken", "ben"), ("claimed again", "ann")] {
        let old = bench.claim(lane, "ann", SHORT).await?;
        let entry = bench.append(lane, lane).await?;
        bench.outlast().await;
        let lease = bench.claim(lane, successor, LONG).await?;
        ensure!(lease.fence > old.fence, "the fence went from {} to {}", old.fence, lease.fence);
        let write = bench.backend.write(&old, vec![change(&entry, State::InFlight)]);
        refused(write, LeaseLost, "a change with the older fence").await?;
        bench.unchanged(&entry, 1).await?;
        bench.go(&lease, &entry, State::InFlight).await?;
    }
    Ok(())
}

/// A worker takes an entry into flight while another claims the lane. Either the claim came first, and the worker was refused;
/// or it came second, and found the entry in flight. An entry in flight under the new fence is the double send itself.
async fn fence_is_compared_with_the_change(bench: Bench) -> Outcome {
    for round in 0..10 {
        let lane = format!("lane {round}");
        let old = bench.claim(&lane, "ann", SHORT).await?;
        let entry = bench.append(&lane, &lane).await?;
        bench.outlast().await;
        let write = {
            let (bench, entry) = (bench.clone(), entry.clone());
            tokio::spawn(
                async move { bench.backend.write(&old, vec![change(&entry, State::InFlight)]).await },
            )
        };
        let (taken, write) = (bench.claim(&lane, "ben", LONG).await, write.await);
        taken?;
        let written = write.map_err(|error| super::bench::Seen(error.to_string()))?.is_ok();
        let state = bench.find(&lane).await?.state;
        let expected = if written { State::Unknown } else { State::Prepared };
        ensure!(
            state == expected,
            "the old worker's change {}, and the entry is {state:?}",
            if written { "was made" } else { "was refused" }
        );
    }
    Ok(())
}

async fn a_forged_fence_is_refused(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    let forgeries = [
        Lease { fence: lease.fence + 1, ..lease.clone() },
        Lease { fence: lease.fence - 1, ..lease.clone() },
        Lease { worker: "ben".into(), ..lease.clone() },
        Lease { lane: "never claimed".into(), ..lease.clone() },
    ];
    for forged in forgeries {
        let write = bench.backend.write(&forged, vec![change(&entry, State::InFlight)]);
        refused(write, LeaseLost, &format!("{forged:?}")).await?;
    }
    bench.unchanged(&entry, 1).await
}

async fn a_lease_that_ran_out_still_writes(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", SHORT).await?;
    let entry = bench.append("a", "k").await?;
    bench.outlast().await;
    bench.go(&lease, &entry, State::InFlight).await.map(drop)
}

async fn a_released_lease_is_lost(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    bench.backend.release(&lease).await?;
    let write =
        bench.backend.write(&lease, vec![Change { data: Bytes::new(), ..change(&entry, State::InFlight) }]);
    refused(write, LeaseLost, "a change after the lane was given back").await?;
    refused(bench.backend.renew(&lease, LONG), LeaseLost, "renewing a lease that was given back").await?;
    bench.unchanged(&entry, 1).await
}
