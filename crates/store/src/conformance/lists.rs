//! Lists and pages.

use std::time::Duration;

use super::bench::{Bench, LONG, Outcome, checks, ensure, new};
use crate::entry::{Entry, NewEntry, Query, State};

checks! {
    list_is_in_order_of_id "entries are listed in ascending order of id, whatever changed last"
    list_filters "a query's filters hold, each alone and together"
    list_filters_by_date "created_from is included, created_before is not"
    list_by_key "newest_keys_first lists in descending order of key by bytes, filtered and in pages"
    one_clock_for_all_times "now is told by the clock by which entries are dated, to a second or two"
    lanes_by_states "the lanes that hold entries in given states are each named once, in order"
    list_pages "a page holds at most the limit, goes on after the given id, and pages miss and repeat nothing"
    list_stops_at_a_thousand "a limit of 0 stands for 1,000, which is also the most"
    pages_miss_nothing_that_is_appended_meanwhile "who pages through an outbox while others append misses no entry"
}

async fn list_is_in_order_of_id(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    for key in ["k3", "k1", "k2"] {
        bench.append("a", key).await?;
    }
    let entry = bench.find("k3").await?;
    bench.go(&lease, &entry, State::InFlight).await?;
    for query in [Query::default(), Query::open(), Query::of_lane("a")] {
        let keys = bench.keys(query.clone()).await?;
        ensure!(keys == ["k3", "k1", "k2"], "{query:?} gave {keys:?}");
    }
    Ok(())
}

async fn list_filters(bench: Bench) -> Outcome {
    let (a, b) = (bench.claim("a", "ann", LONG).await?, bench.claim("b", "ann", LONG).await?);
    for state in State::ALL {
        bench.entry_in(&a, &format!("x_{}", state.name()), state).await?;
        bench.entry_in(&b, &format!("xy{}", state.name()), state).await?;
    }
    let everything = bench.backend.list(&bench.name, Query::default()).await?;
    ensure!(everything.len() == 12, "{} entries instead of 12", everything.len());
    let mut queries = vec![Query::open(), Query::of_lane("b"), Query::of_lane("nobody")];
    queries.extend(State::ALL.map(|state| Query::in_states([state])));
    queries.push(Query::in_states([State::Done, State::Prepared, State::Done]));
    queries.push(Query { lane: Some("a".into()), ..Query::open() });
    for prefix in ["x", "x_", "xy", "xyd", "y", "", "x%"] {
        queries.push(Query { key_prefix: Some(prefix.into()), ..Query::default() });
        queries.push(Query { key_prefix: Some(prefix.into()), lane: Some("b".into()), ..Query::open() });
    }
    for query in queries {
        let expected: Vec<&Entry> = everything.iter().filter(|entry| query.matches(entry)).collect();
        let listed = bench.backend.list(&bench.name, query.clone()).await?;
        ensure!(listed.iter().collect::<Vec<_>>() == expected, "{query:?} gave {listed:?}");
    }
    Ok(())
}

async fn list_filters_by_date(bench: Bench) -> Outcome {
    let first = bench.append("a", "k1").await?;
    let then = bench.clock.wall();
    while bench.clock.wall() <= then {
        bench.clock.sleep(Duration::from_millis(2)).await;
    }
    bench.append("a", "k2").await?;
    let (from, before) = (Some(first.created), Some(first.created));
    let keys = bench.keys(Query { created_from: from, ..Query::default() }).await?;
    ensure!(keys == ["k1", "k2"], "from the first moment on there are {keys:?}");
    let keys = bench.keys(Query { created_before: before, ..Query::default() }).await?;
    ensure!(keys.is_empty(), "before the first moment there are {keys:?}");
    let later = first.created.saturating_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(first.created);
    let keys = bench.keys(Query { created_before: Some(later), ..Query::default() }).await?;
    ensure!(keys == ["k1"], "up to just after the first moment there are {keys:?}");
    Ok(())
}

async fn list_by_key(bench: Bench) -> Outcome {
    let (a, b) = (bench.claim("a", "ann", LONG).await?, bench.claim("b", "ann", LONG).await?);
    for (number, key) in ["k07", "k10", "k09", "K99", "k08"].into_iter().enumerate() {
        bench.entry_in(&a, key, if number % 2 == 0 { State::Done } else { State::Prepared }).await?;
    }
    bench.entry_in(&b, "k99", State::Prepared).await?;
    let lane = || Query::of_lane("a").newest_keys_first();
    let cases = [
        (lane(), &["k10", "k09", "k08", "k07", "K99"][..]),
        (lane().with_limit(1), &["k10"]),
        (lane().with_states([State::Done]), &["k09", "k08", "k07"]),
        (lane().with_states([State::Done, State::Prepared]).with_limit(2), &["k10", "k09"]),
        (lane().with_key_prefix("k0"), &["k09", "k08", "k07"]),
        (Query::default().newest_keys_first().with_limit(2), &["k99", "k10"]),
        (Query::of_lane("nobody").newest_keys_first(), &[]),
    ];
    for (query, expected) in cases {
        let keys = bench.keys(query.clone()).await?;
        ensure!(keys == expected, "{query:?} gave {keys:?} instead of {expected:?}");
    }
    let (mut query, mut paged) = (Some(lane().with_limit(2)), Vec::new());
    while let Some(asked) = query.take() {
        let page = bench.backend.list(&bench.name, asked.clone()).await?;
        ensure!(paged.len() <= 5, "the pages have no end");
        paged.extend(page.iter().map(|entry| entry.key.clone()));
        query = asked.next(&page);
    }
    ensure!(paged == ["k10", "k09", "k08", "k07", "K99"], "the pages gave {paged:?}");
    Ok(())
}

async fn one_clock_for_all_times(bench: Bench) -> Outcome {
    let before = bench.backend.now().await?;
    let lease = bench.claim("clock", "ann", LONG).await?;
    let entry = bench.entry_in(&lease, "clock", State::Done).await?;
    let after = bench.backend.now().await?;
    let (created, changed) = (entry.created, entry.changed);
    let little = jiff::SignedDuration::from_secs(2);
    ensure!(
        before - little <= created && changed <= after + little,
        "asked at {before} and {after}, and an entry written in between was created at {created} and changed at {changed}"
    );
    Ok(())
}

async fn lanes_by_states(bench: Bench) -> Outcome {
    for (lane, states) in [
        ("z", &[State::Prepared, State::Done][..]),
        ("m", &[State::Done, State::Done]),
        ("A", &[State::Unknown]),
        ("d", &[State::Dead, State::Refused, State::InFlight]),
    ] {
        let lease = bench.claim(lane, "ann", LONG).await?;
        for (number, state) in states.iter().enumerate() {
            bench.entry_in(&lease, &format!("{lane} {number}"), *state).await?;
        }
    }
    bench.claim("empty", "ann", LONG).await?;
    let cases = [
        (&[][..], &["A", "d", "m", "z"][..]),
        (&[State::Done], &["m", "z"]),
        (&[State::Unknown, State::Prepared], &["A", "z"]),
        (&[State::Prepared, State::InFlight, State::Unknown], &["A", "d", "z"]),
        (&[State::Dead, State::Refused, State::Dead], &["d"]),
    ];
    for (states, expected) in cases {
        let lanes = bench.backend.lanes(&bench.name, states.to_vec()).await?;
        ensure!(lanes == expected, "lanes with {states:?} are {lanes:?} instead of {expected:?}");
    }
    let strangers = bench.other("outbox").backend.lanes("nobody's", Vec::new()).await?;
    ensure!(strangers.is_empty(), "an outbox that nobody knows has {strangers:?}");
    Ok(())
}

async fn list_pages(bench: Bench) -> Outcome {
    let news =
        (0..10).map(|number| new(if number % 2 == 0 { "a" } else { "b" }, &format!("k{number}"))).collect();
    bench.backend.append(&bench.name, "ann", news).await?;
    let all = bench.keys(Query::open()).await?;
    for limit in [1, 3, 5, 10, 11] {
        let mut query = Some(Query { limit, ..Query::open() });
        let mut paged = Vec::new();
        while let Some(asked) = query.take() {
            let page = bench.backend.list(&bench.name, asked.clone()).await?;
            ensure!(page.len() <= limit, "a page of at most {limit} held {}", page.len());
            ensure!(paged.len() <= all.len(), "the pages have no end");
            paged.extend(page.iter().map(|entry| entry.key.clone()));
            query = asked.next(&page);
        }
        ensure!(paged == all, "pages of {limit} gave {paged:?}");
    }
    Ok(())
}

async fn list_stops_at_a_thousand(bench: Bench) -> Outcome {
    let small = |number| NewEntry { body: "".into(), data: "".into(), ..new("a", &format!("k{number}")) };
    bench.backend.append(&bench.name, "ann", (0..1_001).map(small).collect()).await?;
    for limit in [0, 1_000, 1_001, usize::MAX] {
        let page = bench.keys(Query { limit, ..Query::default() }).await?;
        ensure!(page.len() == 1_000, "a limit of {limit} gave {}", page.len());
    }
    Ok(())
}

async fn pages_miss_nothing_that_is_appended_meanwhile(bench: Bench) -> Outcome {
    const EACH: usize = 10;
    let appended = {
        let bench = bench.clone();
        tokio::spawn(async move {
            let append = |bench: Bench, worker: String| async move {
                for number in 0..EACH {
                    bench.append(&worker, &format!("{worker} {number}")).await?;
                }
                Outcome::Ok(())
            };
            bench.race(append).await?.into_iter().collect::<Outcome<()>>()
        })
    };
    let (mut after, mut seen) = (0, Vec::new());
    loop {
        let last_round = appended.is_finished();
        let page = bench.backend.list(&bench.name, Query { after, ..Query::default() }).await?;
        after = page.last().map_or(after, |entry| entry.id);
        seen.extend(page.into_iter().map(|entry| entry.id));
        if last_round {
            break;
        }
        tokio::task::yield_now().await;
    }
    appended.await.map_err(|error| super::bench::Seen(error.to_string()))??;
    let all: Vec<i64> =
        bench.backend.list(&bench.name, Query::default()).await?.iter().map(|entry| entry.id).collect();
    ensure!(seen == all, "{} of {} entries were seen by who paged meanwhile", seen.len(), all.len());
    Ok(())
}
