//! The hash chain of each lane.

use std::collections::BTreeMap;

use super::bench::{Bench, LONG, Outcome, RACERS, SHORT, change, checks, ensure, new};
use crate::chain::Tip;
use crate::entry::{LaneChoice, Query, State, Step};
use crate::verify;

checks! {
    chain_holds_every_line "each line of a lane carries the hash of the one before: also testimony and what a claim gave up"
    chain_is_the_history "the lines of the chain are those of the entries' histories"
    chain_holds_in_a_race "lines that many write at once to one lane form one chain"
    chain_ends_at_the_tip "the lane's tip counts its lines and is the link of the last one"
    chains_are_strangers "lanes and outboxes have chains of their own"
    chain_is_paged "lines, tips and standings go on after the given one, in order, up to the limit"
    entries_stand_as_their_last_lines "an entry is what the last line of its history says"
}

impl Bench {
    /// Every way to write a line, in two lanes.
    async fn write_lines(&self) -> Outcome<usize> {
        let lease = self.claim("a", "ann", SHORT).await?;
        let lost = self.entry_in(&lease, "lost", State::InFlight).await?;
        self.outlast().await;
        let lease = self.claim("a", "ben", LONG).await?;
        self.backend.testify(&self.name, "ann", lost.id, "it was refused".into()).await?;
        let lost = self.find("lost").await?;
        self.go(&lease, &lost, State::Refused).await?;
        let step = Step::new().with_append(new("a", "flying").with_in_flight()).with_append(new("a", "next"));
        self.backend.apply(&lease, step.with_release()).await?;
        self.append("b", "k1").await?;
        self.append("b", "k2").await?;
        self.append("b", "k1").await?;
        // Three and a testimony and an end; two and one; two, for a key that was there writes none.
        Ok(5 + 3 + 2)
    }

    async fn verify(&self) -> Outcome<verify::Chain> {
        let verified = verify::verify(self.backend.as_ref(), &self.name, |_| {}).await;
        verified.map_err(|error| super::bench::Seen(error.to_string()))
    }
}

async fn chain_holds_every_line(bench: Bench) -> Outcome {
    let written = bench.write_lines().await?;
    let lines = bench.backend.lines(&bench.name, 0, 100).await?;
    ensure!(lines.len() == written, "{written} lines were written, and {} are there", lines.len());
    let mut tips: BTreeMap<&str, Tip> = BTreeMap::new();
    for line in &lines {
        let tip = tips.entry(&line.lane).or_default();
        let mut event = line.event.clone();
        tip.chain(&bench.name, &line.lane, &line.key, &mut event);
        ensure!(event == line.event, "{:?} should be {event:?}", line.event);
    }
    bench.verify().await.map(drop)
}

async fn chain_is_the_history(bench: Bench) -> Outcome {
    bench.write_lines().await?;
    let lines = bench.backend.lines(&bench.name, 0, 100).await?;
    for entry in bench.backend.list(&bench.name, Query::default()).await? {
        let history = bench.backend.history(&bench.name, entry.id).await?;
        let chained: Vec<_> =
            lines.iter().filter(|line| line.key == entry.key).map(|line| line.event.clone()).collect();
        ensure!(
            history == chained,
            "the history of {:?} is {history:?}, and its chain {chained:?}",
            entry.key
        );
    }
    Ok(())
}

async fn chain_holds_in_a_race(bench: Bench) -> Outcome {
    let entry = bench.append("a", "k").await?;
    let outcomes = bench
        .race(move |bench, worker| {
            let entry = entry.id;
            async move {
                bench.append("a", &worker).await?;
                bench.backend.testify(&bench.name, &worker, entry, "seen".into()).await?;
                let lease = bench.backend.claim(&bench.name, LaneChoice::Named("a"), "all", LONG).await?;
                ensure!(lease.is_some(), "the lane is its worker's own, and it did not get it");
                Ok(())
            }
        })
        .await?;
    outcomes.into_iter().collect::<Outcome<()>>()?;
    let chain = bench.verify().await?;
    let expected = 1 + 2 * RACERS as u64;
    ensure!(chain.lines == expected, "{expected} lines were written, and {} are chained", chain.lines);
    Ok(())
}

async fn chain_ends_at_the_tip(bench: Bench) -> Outcome {
    bench.write_lines().await?;
    let chain = bench.verify().await?;
    ensure!(chain.lanes == 2, "{} lanes are chained instead of 2", chain.lanes);
    for lane in ["a", "b", "nobody"] {
        let tip = bench.backend.lane(&bench.name, lane).await?.tip;
        let verified = chain.tips.get(lane).copied().unwrap_or_default();
        ensure!(tip == verified, "the tip of lane {lane} is {tip:?}, and its chain ends at {verified:?}");
    }
    let lease = bench.claim("c", "ann", LONG).await?;
    let before = bench.backend.lane(&bench.name, "c").await?.tip;
    ensure!(before == Tip::default(), "a lane without lines has {before:?}");
    let entry = bench.entry_in(&lease, "k", State::InFlight).await?;
    let middle = bench.backend.lane(&bench.name, "c").await?.tip;
    bench.backend.write(&lease, vec![change(&entry, State::Done)]).await?;
    let after = bench.backend.lane(&bench.name, "c").await?.tip;
    ensure!(
        (middle.lines, after.lines) == (2, 3) && middle.link != after.link,
        "{middle:?} became {after:?}"
    );
    Ok(())
}

async fn chains_are_strangers(bench: Bench) -> Outcome {
    let other = bench.other("outbox");
    for bench in [&bench, &other] {
        bench.append("a", "k").await?;
        bench.append("b", "l").await?;
    }
    for bench in [&bench, &other] {
        let chain = bench.verify().await?;
        ensure!((chain.lanes, chain.lines) == (2, 2), "{chain:?} instead of 2 lanes of one line");
    }
    let links: Vec<_> = bench.verify().await?.tips.into_values().map(|tip| tip.link).collect();
    let others: Vec<_> = other.verify().await?.tips.into_values().map(|tip| tip.link).collect();
    ensure!(links != others, "two outboxes have the same links");
    Ok(())
}

async fn chain_is_paged(bench: Bench) -> Outcome {
    let written = bench.write_lines().await?;
    let all = bench.backend.lines(&bench.name, 0, usize::MAX).await?;
    ensure!(all.len() == written, "{} lines instead of {written}", all.len());
    for limit in [1, 3, written] {
        let mut paged = Vec::new();
        while paged.len() < written {
            let after = paged.last().map_or(0, |line: &crate::entry::Line| line.event.id);
            let page = bench.backend.lines(&bench.name, after, limit).await?;
            ensure!(!page.is_empty() && page.len() <= limit, "a page of {limit} holds {}", page.len());
            paged.extend(page);
        }
        ensure!(paged == all, "pages of {limit} gave other lines");
    }
    let first = bench.backend.tips(&bench.name, None, 1).await?;
    let rest = bench.backend.tips(&bench.name, Some("a"), 9).await?;
    let names: Vec<_> = first.iter().chain(&rest).map(|(lane, _)| lane.as_str()).collect();
    ensure!(first.len() == 1 && names == ["a", "b"], "the pages of tips gave {names:?}");
    let standings = bench.backend.standings(&bench.name, 0, 100).await?;
    let after = standings.first().map_or(0, |first| first.entry.id);
    let rest = bench.backend.standings(&bench.name, after, 2).await?;
    let expected: Vec<_> = standings.iter().skip(1).take(2).cloned().collect();
    ensure!(standings.len() == 5 && rest == expected, "the pages of standings gave {rest:?}");
    Ok(())
}

async fn entries_stand_as_their_last_lines(bench: Bench) -> Outcome {
    bench.write_lines().await?;
    for standing in bench.backend.standings(&bench.name, 0, 100).await? {
        let found = bench.find(&standing.entry.key).await?;
        ensure!(found == standing.entry, "{found:?} is given as {:?}", standing.entry);
        let mut lines = bench.backend.history(&bench.name, found.id).await?;
        lines.retain(|line| !line.testimony);
        ensure!(
            standing.changes == found.version,
            "version {} has {} lines",
            found.version,
            standing.changes
        );
        let last = lines.pop();
        ensure!(standing.last == last, "the last line is {last:?}, given is {:?}", standing.last);
    }
    Ok(())
}
