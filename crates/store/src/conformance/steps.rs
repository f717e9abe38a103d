//! Steps: several things in one commit, and the look before.

use std::time::Duration;

use bytes::Bytes;

use super::bench::{Bench, LONG, Outcome, RACERS, SHORT, Seen, change, checks, ensure, new, refused};
use crate::entry::{Change, Entry, LaneChoice, LaneView, Lease, NewEntry, State, Step};
use crate::error::StoreErrorKind::{Conflict, LeaseLost, NotFound};

checks! {
    step_appends_and_changes "a step gives back what it wrote down, then what it changed, each with its lines of history"
    step_goes_straight_into_flight "an entry that goes straight into flight has both lines and comes back as version 2"
    step_is_all_or_none "a step of which one part is refused changes nothing"
    step_refuses_a_known_key "a key that is there already, twice in the step, or of another lane is a Conflict"
    step_checks_the_fence "a step with a lease that is not the newest is refused with LeaseLost"
    step_gives_the_lane_back "a step with release gives the lane back"
    step_keeps_the_queue "a lane is ready after a step that wrote down, and is not after one that settled"
    append_never_flies "without a lease nothing goes into flight"
    lane_is_seen_without_a_claim "a look at a lane tells fence and holder, and changes neither"
    seen_lane_is_claimed_with_a_step "who saw a lane free claims it and makes a step at once, with a raised fence"
    seen_fence_must_stand "a claim with a step is refused if the fence is not the one seen, and changes nothing"
    seen_lane_must_be_free "a claim with a step is refused while another worker's lease runs, and changes nothing"
    seen_lane_must_be_settled "a claim with a step is refused while something is in flight or unknown, and changes nothing"
    claim_with_a_step_is_all_or_none "a claim whose step fails is no claim"
    seen_lane_is_claimed_once "of any number of claims with one seen fence, one succeeds"
}

fn flying(lane: &str, key: &str) -> NewEntry {
    new(lane, key).with_in_flight()
}

fn one(new: NewEntry) -> Step {
    Step::new().with_append(new)
}

impl Bench {
    async fn view(&self, lane: &str) -> Outcome<LaneView> {
        Ok(self.backend.lane(&self.name, lane).await?)
    }

    async fn step(&self, lease: &Lease, step: Step) -> Outcome<Vec<Entry>> {
        Ok(self.backend.apply(lease, step).await?)
    }

    async fn try_begin(
        &self,
        lane: &str,
        worker: &str,
        ttl: Duration,
        seen: i64,
        step: Step,
    ) -> Outcome<Option<(Lease, Vec<Entry>)>> {
        Ok(self.backend.claim_and_apply(&self.name, lane, worker, ttl, seen, step).await?)
    }

    async fn begin(
        &self,
        lane: &str,
        worker: &str,
        ttl: Duration,
        step: Step,
    ) -> Outcome<(Lease, Vec<Entry>)> {
        let seen = self.view(lane).await?.fence;
        let begun = self.try_begin(lane, worker, ttl, seen, step).await?;
        begun.ok_or_else(|| Seen(format!("lane {lane:?} stood as it was seen, and {worker} did not get it")))
    }

    async fn states(&self, key: &str) -> Outcome<Vec<State>> {
        let entry = self.find(key).await?;
        let lines = self.backend.history(&self.name, entry.id).await?;
        Ok(lines.iter().map(|line| line.state).collect())
    }

    async fn absent(&self, key: &str) -> Outcome {
        let found = self.backend.find(&self.name, key).await?;
        ensure!(found.is_none(), "a refused step wrote {key:?} down");
        Ok(())
    }

    /// Nothing of a refused claim with a step is there.
    async fn untouched(&self, lane: &str, before: &LaneView) -> Outcome {
        let now = self.view(lane).await?;
        ensure!(now == *before, "a refused claim with a step made {now:?} of {before:?}");
        self.absent("refused").await
    }
}

async fn step_appends_and_changes(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let old = bench.append("a", "old").await?;
    let step = one(new("a", "k1")).with_append(flying("a", "k2"));
    let step = step.with_change(change(&old, State::InFlight));
    let step = step.with_change(Change { version: old.version + 1, ..change(&old, State::Done) });
    let outcome = bench.step(&lease, step).await?;
    let seen: Vec<_> = outcome.iter().map(|entry| (entry.key.as_str(), entry.state, entry.version)).collect();
    let expected = [
        ("k1", State::Prepared, 1),
        ("k2", State::InFlight, 2),
        ("old", State::InFlight, 2),
        ("old", State::Done, 3),
    ];
    ensure!(seen == expected, "the step gave back {seen:?}");
    for entry in outcome.iter().filter(|entry| entry.state != State::InFlight || entry.key == "k2") {
        let stands = bench.find(&entry.key).await?;
        ensure!(stands == *entry, "the step gave back {entry:?}, and {stands:?} stands");
    }
    let lines = bench.states("old").await?;
    ensure!(lines == [State::Prepared, State::InFlight, State::Done], "its history is {lines:?}");
    let nothing = bench.step(&lease, Step::new()).await?;
    ensure!(nothing.is_empty(), "an empty step gave back {nothing:?}");
    Ok(())
}

async fn step_goes_straight_into_flight(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.step(&lease, one(flying("a", "k"))).await?.pop();
    let entry = entry.ok_or_else(|| Seen("the step gave nothing back".to_owned()))?;
    ensure!(entry.state == State::InFlight && entry.version == 2, "it came back as {entry:?}");
    ensure!(entry.body == "body of k" && entry.data == "data of k", "it came back as {entry:?}");
    let lines = bench.backend.history(&bench.name, entry.id).await?;
    let states: Vec<_> = lines.iter().map(|line| (line.state, line.worker.as_str())).collect();
    ensure!(states == [(State::Prepared, "ann"), (State::InFlight, "ann")], "its history is {states:?}");
    bench.unchanged(&entry, 2).await?;
    bench.claim("a", "ann", LONG).await?;
    let state = bench.find("k").await?.state;
    ensure!(state == State::Unknown, "given up in flight, it is {state:?}");
    Ok(())
}

async fn step_is_all_or_none(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.append("a", "k").await?;
    let view = bench.view("a").await?;
    let good = one(flying("a", "refused")).with_change(change(&entry, State::InFlight)).with_release();
    let stale = Change { version: 7, ..change(&entry, State::Done) };
    let nobody = Change { entry: i64::MAX, ..change(&entry, State::InFlight) };
    refused(bench.backend.apply(&lease, good.clone().with_change(stale)), Conflict, "a stale change").await?;
    refused(bench.backend.apply(&lease, good.clone().with_change(nobody)), NotFound, "a change of nothing")
        .await?;
    let again = good.with_append(new("a", "k"));
    refused(bench.backend.apply(&lease, again), Conflict, "a step with a known key").await?;
    bench.untouched("a", &view).await?;
    bench.unchanged(&entry, 1).await
}

async fn step_refuses_a_known_key(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let known = bench.append("b", "k").await?;
    for (new, what) in [(new("a", "k"), "a known key"), (flying("a", "k"), "a known key in flight")] {
        refused(bench.backend.apply(&lease, one(new)), Conflict, what).await?;
    }
    let twice = one(new("a", "refused")).with_append(flying("a", "refused"));
    refused(bench.backend.apply(&lease, twice), Conflict, "a key that is there twice").await?;
    refused(bench.backend.apply(&lease, one(new("b", "refused"))), Conflict, "an entry of another lane")
        .await?;
    bench.absent("refused").await?;
    bench.unchanged(&known, 1).await
}

async fn step_checks_the_fence(bench: Bench) -> Outcome {
    let old = bench.claim("a", "ann", SHORT).await?;
    bench.outlast().await;
    let lease = bench.claim("a", "ben", LONG).await?;
    let forged = Lease { fence: lease.fence + 1, ..lease.clone() };
    for wrong in [&old, &forged, &Lease { worker: "ann".into(), ..lease.clone() }] {
        for step in [one(flying("a", "refused")), Step::new().with_release(), Step::new()] {
            refused(bench.backend.apply(wrong, step), LeaseLost, "a step with a lease that was lost").await?;
        }
    }
    bench.absent("refused").await?;
    bench.step(&lease, one(flying("a", "k"))).await.map(drop)
}

async fn step_gives_the_lane_back(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    let entry = bench.step(&lease, one(flying("a", "k"))).await?.pop();
    let entry = entry.ok_or_else(|| Seen("the step gave nothing back".to_owned()))?;
    ensure!(bench.view("a").await?.is_held(), "a step without release gave the lane back");
    bench.step(&lease, Step::new().with_change(change(&entry, State::Done)).with_release()).await?;
    let view = bench.view("a").await?;
    ensure!(!view.is_held(), "after a step with release the lane is held: {view:?}");
    refused(bench.backend.apply(&lease, Step::new()), LeaseLost, "a step after the lane was given back")
        .await?;
    bench.claim("a", "ben", LONG).await.map(drop)
}

async fn step_keeps_the_queue(bench: Bench) -> Outcome {
    let (lease, mut entries) = bench.begin("a", "ann", SHORT, one(flying("a", "k"))).await?;
    bench.outlast().await;
    let taken = bench.claim_any("ben").await?;
    ensure!(taken.as_ref().is_some_and(|taken| taken.lane == "a"), "a lane in flight gave {taken:?}");
    ensure!(bench.find("k").await?.state == State::Unknown, "what was in flight is not unknown");
    let _ = (lease, entries.pop());
    let (lease, entries) = bench.begin("b", "ann", LONG, one(flying("b", "kb"))).await?;
    let done = entries.iter().map(|entry| change(entry, State::Done));
    bench.step(&lease, Step::new().with_changes(done).with_release()).await?;
    let none = bench.claim_any("eve").await?;
    ensure!(none.is_none(), "a lane in which nothing is to be done was given: {none:?}");
    bench.begin("c", "ann", LONG, one(new("c", "kc")).with_release()).await?;
    let ready = bench.claim_any("eve").await?;
    ensure!(
        ready.as_ref().is_some_and(|ready| ready.lane == "c"),
        "a lane with a prepared entry gave {ready:?}"
    );
    Ok(())
}

async fn append_never_flies(bench: Bench) -> Outcome {
    bench.claim("a", "ann", LONG).await?;
    let entries = vec![new("a", "refused"), flying("a", "k")];
    let append = bench.backend.append(&bench.name, "ann", entries);
    refused(append, Conflict, "an append straight into flight").await?;
    bench.absent("refused").await
}

async fn lane_is_seen_without_a_claim(bench: Bench) -> Outcome {
    let view = bench.view("a").await?;
    ensure!(view == LaneView::default(), "a lane that nobody knows is {view:?}");
    let lease = bench.claim("a", "ann", LONG).await?;
    for _ in 0..2 {
        let view = bench.view("a").await?;
        ensure!(view.fence == lease.fence, "the fence is {}, and {} was seen", lease.fence, view.fence);
        ensure!(view.held_by.as_deref() == Some("ann"), "ann holds the lane, and {view:?} was seen");
    }
    bench.step(&lease, Step::new()).await?;
    bench.backend.renew(&lease, SHORT).await?;
    bench.outlast().await;
    let view = bench.view("a").await?;
    ensure!(!view.is_held() && view.fence == lease.fence, "the lease ran out, and {view:?} was seen");
    let lease = bench.claim("a", "ben", LONG).await?;
    bench.backend.release(&lease).await?;
    let view = bench.view("a").await?;
    ensure!(!view.is_held() && view.fence == lease.fence, "the lane was given back, and {view:?} was seen");
    let stranger = bench.other("outbox").view("a").await?;
    ensure!(stranger == LaneView::default(), "the lane of another outbox is {stranger:?}");
    Ok(())
}

async fn seen_lane_is_claimed_with_a_step(bench: Bench) -> Outcome {
    let (lease, entries) = bench.begin("a", "ann", LONG, one(flying("a", "k1"))).await?;
    ensure!(lease.fence == 1 && lease.lane == "a" && lease.worker == "ann", "the lease is {lease:?}");
    let entry = entries.into_iter().next().ok_or_else(|| Seen("nothing came back".to_owned()))?;
    ensure!(entry.state == State::InFlight && bench.find("k1").await? == entry, "it came back as {entry:?}");
    let refused_claim = bench.try_claim("a", "ben", LONG).await?;
    ensure!(refused_claim.is_none(), "a lane that was claimed with a step was given to another");
    bench.go(&lease, &entry, State::Done).await?;
    let (again, _) = bench.begin("a", "ann", SHORT, one(new("a", "k2"))).await?;
    ensure!(again.fence == lease.fence + 1, "the fence went from {} to {}", lease.fence, again.fence);
    refused(bench.backend.apply(&lease, Step::new()), LeaseLost, "a step with the older fence").await?;
    bench.outlast().await;
    let (last, _) = bench.begin("a", "ben", LONG, Step::new().with_release()).await?;
    ensure!(last.fence == again.fence + 1, "the fence went from {} to {}", again.fence, last.fence);
    let view = bench.view("a").await?;
    ensure!(view.fence == last.fence && !view.is_held(), "claimed and given back at once, it is {view:?}");
    Ok(())
}

async fn seen_fence_must_stand(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    bench.backend.release(&lease).await?;
    let before = bench.view("a").await?;
    for seen in [before.fence - 1, before.fence + 1, i64::MAX, -1] {
        let taken = bench.try_begin("a", "ben", LONG, seen, one(flying("a", "refused"))).await?;
        ensure!(taken.is_none(), "the fence is {}, {seen} was seen, and {taken:?} was given", before.fence);
    }
    bench.untouched("a", &before).await?;
    let unknown = bench.try_begin("b", "ben", LONG, 1, one(flying("b", "refused"))).await?;
    ensure!(unknown.is_none(), "a lane that nobody knows was claimed with fence 1");
    bench.untouched("b", &LaneView::default()).await
}

async fn seen_lane_must_be_free(bench: Bench) -> Outcome {
    bench.claim("a", "ann", LONG).await?;
    let before = bench.view("a").await?;
    let taken = bench.try_begin("a", "ben", LONG, before.fence, one(flying("a", "refused"))).await?;
    ensure!(taken.is_none(), "ann holds the lane, and ben got {taken:?}");
    bench.untouched("a", &before).await
}

async fn seen_lane_must_be_settled(bench: Bench) -> Outcome {
    for (lane, state) in [("flying", State::InFlight), ("lost", State::Unknown)] {
        let lease = bench.claim(lane, "ann", LONG).await?;
        let entry = bench.entry_in(&lease, lane, state).await?;
        bench.backend.renew(&lease, SHORT).await?;
        bench.outlast().await;
        let before = bench.view(lane).await?;
        let lines = bench.backend.history(&bench.name, entry.id).await?.len();
        for worker in ["ann", "ben"] {
            let taken =
                bench.try_begin(lane, worker, LONG, before.fence, one(flying(lane, "refused"))).await?;
            ensure!(taken.is_none(), "an entry is {state:?}, and {worker} got {taken:?}");
        }
        bench.untouched(lane, &before).await?;
        bench.unchanged(&entry, lines).await?;
    }
    let lease = bench.claim("settled", "ann", LONG).await?;
    for state in [State::Prepared, State::Done, State::Refused, State::Dead] {
        bench.entry_in(&lease, &format!("settled {}", state.name()), state).await?;
    }
    bench.begin("settled", "ann", LONG, one(flying("settled", "k"))).await.map(drop)
}

async fn claim_with_a_step_is_all_or_none(bench: Bench) -> Outcome {
    let entry = bench.append("a", "k").await?;
    let before = bench.view("a").await?;
    let bad = Change { version: 7, data: Bytes::new(), ..change(&entry, State::InFlight) };
    let steps = [
        (one(flying("a", "refused")).with_change(bad), "a stale change"),
        (one(new("a", "refused")).with_append(new("a", "k")), "a known key"),
        (one(new("b", "refused")), "an entry of another lane"),
    ];
    for (step, what) in steps {
        let claim = bench.backend.claim_and_apply(&bench.name, "a", "ann", LONG, before.fence, step);
        refused(claim, Conflict, what).await?;
        bench.untouched("a", &before).await?;
    }
    let ready = bench.backend.claim(&bench.name, LaneChoice::AnyReady, "ben", LONG).await?;
    ensure!(ready.is_some(), "after a claim that failed the lane is not ready any more");
    Ok(())
}

async fn seen_lane_is_claimed_once(bench: Bench) -> Outcome {
    for round in 0..5 {
        let lane = format!("lane {round}");
        let claims = bench
            .race(move |bench, worker| {
                let lane = lane.clone();
                async move {
                    // Prepared and given back at once: nothing but the fence tells the second from the first.
                    let step = one(new(&lane, &format!("{lane} {worker}"))).with_release();
                    bench.try_begin(&lane, &worker, LONG, 0, step).await
                }
            })
            .await?;
        let mut won = 0;
        for claim in claims {
            won += usize::from(claim?.is_some());
        }
        ensure!(won == 1, "{won} of {RACERS} claims of one seen lane succeeded");
    }
    let written = bench.keys(crate::entry::Query::default()).await?;
    ensure!(written.len() == 5, "5 claims succeeded, and {} entries were written down", written.len());
    Ok(())
}
