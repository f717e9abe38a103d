//! Writing down, finding, testifying.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::bench::{Bench, LONG, Outcome, RACERS, Seen, change, checks, ensure, new, refused};
use crate::entry::{Entry, NewEntry, Query, State};
use crate::error::StoreErrorKind::{Conflict, NotFound};

checks! {
    append_prepares_in_order "append writes entries down as Prepared, in order, with ascending ids and one line of history"
    append_gives_back_what_is_there "a key that is there already is left as it is and given back as it stands"
    append_finds_a_key_twice_in_one_call "a key is unique in the outbox, also within one append"
    append_is_all_or_none "append writes all of its entries or none"
    append_is_seen_whole "nobody sees a part of an append"
    append_is_idempotent_in_a_race "of any number of appends of one key, one is new, and all get the same entry"
    outboxes_are_strangers "outboxes of different names know nothing of each other"
    bytes_are_kept "keys, bodies and data come back byte for byte"
    names_with_nul_are_refused "text that no database can hold is refused before anything is touched"
    testimony_changes_nothing "testimony adds a line to the history and changes nothing else, and needs no lease"
    history_keeps_every_line "history has one line for each change, oldest first"
}

async fn append_prepares_in_order(bench: Bench) -> Outcome {
    let news = vec![new("a", "k1"), new("b", "k2"), new("a", "k3")];
    let appended = bench.backend.append(&bench.name, "ann", news.clone()).await?;
    ensure!(appended.len() == 3, "{} entries instead of 3", appended.len());
    ensure!(
        appended.iter().map(|(entry, _)| entry.id).is_sorted_by(|a, b| a < b),
        "ids do not ascend: {appended:?}"
    );
    for ((entry, fresh), new) in appended.iter().zip(&news) {
        let as_told = entry.lane == new.lane
            && entry.key == new.key
            && entry.body == new.body
            && entry.data == new.data;
        ensure!(as_told, "{new:?} was written down as {entry:?}");
        ensure!(*fresh, "a new entry was called known");
        ensure!(entry.state == State::Prepared && entry.created == entry.changed, "not as new: {entry:?}");
        bench.unchanged(entry, 1).await?;
        first_line(&bench, entry).await?;
    }
    let later = bench.append("a", "k4").await?;
    ensure!(
        appended.iter().all(|(entry, _)| entry.id < later.id),
        "a later entry has the lower id {}",
        later.id
    );
    Ok(())
}

async fn first_line(bench: &Bench, entry: &Entry) -> Outcome {
    let history = bench.backend.history(&bench.name, entry.id).await?;
    let right = history.iter().all(|line| {
        (line.worker.as_str(), line.state, line.testimony, line.entry)
            == ("ann", State::Prepared, false, entry.id)
            && line.data == entry.data
            && line.at == entry.created
    });
    ensure!(right, "its first line is {history:?}");
    Ok(())
}

async fn append_gives_back_what_is_there(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    for state in State::ALL {
        let key = state.name();
        let entry = bench.entry_in(&lease, key, state).await?;
        let lines = bench.backend.history(&bench.name, entry.id).await?.len();
        let other = NewEntry::new("b", key, "other", "other");
        let again = bench.backend.append(&bench.name, "ben", vec![other]).await?;
        ensure!(again == [(entry.clone(), false)], "{entry:?} came back as {again:?}");
        bench.unchanged(&entry, lines).await?;
    }
    Ok(())
}

async fn append_finds_a_key_twice_in_one_call(bench: Bench) -> Outcome {
    let twice = NewEntry { body: "second".into(), ..new("a", "k") };
    let appended = bench.backend.append(&bench.name, "ann", vec![new("a", "k"), twice]).await?;
    let flags: Vec<bool> = appended.iter().map(|(_, fresh)| *fresh).collect();
    ensure!(flags == [true, false], "the flags are {flags:?}");
    let bodies: BTreeSet<&Bytes> = appended.iter().map(|(entry, _)| &entry.body).collect();
    ensure!(bodies.len() == 1, "the second bytes were kept: {bodies:?}");
    ensure!(bench.keys(Query::default()).await?.len() == 1, "two entries have one key");
    Ok(())
}

async fn append_is_all_or_none(bench: Bench) -> Outcome {
    let bad = vec![new("a", "k1"), new("a", "k\0"), new("a", "k3")];
    refused(bench.backend.append(&bench.name, "ann", bad), Conflict, "a key with a NUL").await?;
    let left = bench.keys(Query::default()).await?;
    ensure!(left.is_empty(), "a refused append left {left:?}");
    Ok(())
}

async fn append_is_seen_whole(bench: Bench) -> Outcome {
    const SIZE: usize = 20;
    let writer = {
        let bench = bench.clone();
        tokio::spawn(async move {
            for round in 0..5 {
                let news = (0..SIZE).map(|number| new("a", &format!("{round} {number}"))).collect();
                bench.backend.append(&bench.name, "ann", news).await?;
            }
            Outcome::Ok(())
        })
    };
    while !writer.is_finished() {
        let seen = bench.keys(Query::default()).await?.len();
        ensure!(seen % SIZE == 0, "{seen} entries were seen of appends of {SIZE}");
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn append_is_idempotent_in_a_race(bench: Bench) -> Outcome {
    let keys = ["k1", "k2", "k3"];
    let answers = bench
        .race(move |bench, worker| async move {
            let news = keys.iter().map(|key| new("a", key)).collect();
            bench.backend.append(&bench.name, &worker, news).await
        })
        .await?;
    let answers = answers.into_iter().collect::<Result<Vec<_>, _>>()?;
    for (position, key) in keys.iter().enumerate() {
        let of_key: Vec<&(Entry, bool)> = answers.iter().filter_map(|answer| answer.get(position)).collect();
        let fresh = of_key.iter().filter(|(_, fresh)| *fresh).count();
        let ids: BTreeSet<i64> = of_key.iter().map(|(entry, _)| entry.id).collect();
        ensure!(of_key.len() == RACERS, "{} answers for {key}", of_key.len());
        ensure!(fresh == 1 && ids.len() == 1, "{key}: {fresh} were told it was new, with ids {ids:?}");
    }
    ensure!(bench.keys(Query::default()).await? == keys, "the outbox holds more or less than {keys:?}");
    Ok(())
}

async fn outboxes_are_strangers(bench: Bench) -> Outcome {
    let other = bench.other("other");
    let here = bench.append("a", "k").await?;
    let appended = other.backend.append(&other.name, "ann", vec![new("a", "k")]).await?;
    let [(there, true)] = appended.as_slice() else {
        return Err(Seen(format!("a key of another outbox was taken for this one's: {appended:?}")));
    };
    bench.claim("a", "ann", LONG).await?;
    other.claim("a", "ben", LONG).await?;
    bench.unchanged(&here, 1).await?;
    ensure!(
        other.keys(Query::default()).await? == ["k"],
        "the other outbox does not hold its own entry alone"
    );
    if here.id != there.id {
        refused(bench.backend.history(&bench.name, there.id), NotFound, "another outbox's history").await?;
        let lease = bench.claim("a", "ann", LONG).await?;
        let write = bench.backend.write(&lease, vec![change(there, State::InFlight)]);
        refused(write, NotFound, "a change of another outbox's entry").await?;
    }
    Ok(())
}

async fn bytes_are_kept(bench: Bench) -> Outcome {
    let every: Bytes = (0..=u8::MAX).collect();
    let keys = ["", " ", "ñ/ключ/鍵/😀", "'; --", "%_\\", "K", "k"];
    for key in keys {
        let entry = NewEntry::new(key, key, every.clone(), Bytes::new());
        bench.backend.append(&bench.name, key, vec![entry]).await?;
        let found = bench.find(key).await?;
        ensure!(found.lane == key && found.key == key, "{key:?} came back as {found:?}");
        ensure!(found.body == every && found.data.is_empty(), "bytes came back as {found:?}");
    }
    ensure!(bench.keys(Query::default()).await? == keys, "keys were taken for each other");
    Ok(())
}

async fn names_with_nul_are_refused(bench: Bench) -> Outcome {
    let backend = &bench.backend;
    refused(backend.append(&bench.name, "ann", vec![new("a\0", "k")]), Conflict, "a lane with a NUL").await?;
    refused(backend.append("a\0", "ann", vec![new("a", "k")]), Conflict, "an outbox with a NUL").await?;
    refused(backend.remember(&bench.name, "k\0", LONG), Conflict, "an inbox key with a NUL").await
}

async fn testimony_changes_nothing(bench: Bench) -> Outcome {
    let lease = bench.claim("a", "ann", LONG).await?;
    for state in State::ALL {
        let entry = bench.entry_in(&lease, state.name(), state).await?;
        let lines = bench.backend.history(&bench.name, entry.id).await?.len();
        bench.backend.testify(&bench.name, "paused", entry.id, "it was done".into()).await?;
        bench.unchanged(&entry, lines + 1).await?;
        let history = bench.backend.history(&bench.name, entry.id).await?;
        let line = history.last().map(|line| (line.testimony, line.state, line.worker.as_str(), &*line.data));
        ensure!(line == Some((true, state, "paused", b"it was done")), "the line is {line:?}");
    }
    let nobody = bench.backend.testify(&bench.name, "paused", i64::MAX, Bytes::new());
    refused(nobody, NotFound, "testimony on no entry").await
}

async fn history_keeps_every_line(bench: Bench) -> Outcome {
    use State::{Done, InFlight, Prepared, Refused, Unknown};
    let lease = bench.claim("a", "ann", LONG).await?;
    let way = [InFlight, Prepared, InFlight, Unknown, InFlight, Refused, Prepared, InFlight, Done];
    let mut entry = bench.append("a", "k").await?;
    for state in way {
        let before = entry.clone();
        entry = bench.go(&lease, &entry, state).await?;
        ensure!(entry.version > before.version, "the version did not grow: {entry:?}");
    }
    let history = bench.backend.history(&bench.name, entry.id).await?;
    let states: Vec<State> = history.iter().map(|line| line.state).collect();
    let mut expected = vec![Prepared];
    expected.extend(way);
    ensure!(states == expected, "the history tells {states:?}");
    ensure!(
        history.iter().map(|line| line.id).is_sorted_by(|a, b| a < b),
        "its ids do not ascend: {history:?}"
    );
    refused(bench.backend.history(&bench.name, i64::MAX), NotFound, "the history of no entry").await
}
