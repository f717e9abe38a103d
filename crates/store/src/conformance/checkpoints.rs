//! Cursors that move with their records.

use bytes::Bytes;

use super::bench::{Bench, Outcome, RACERS, checks, ensure, refused};
use crate::checkpoint::{Commit, Record};
use crate::error::StoreErrorKind::Conflict;

checks! {
    commit_moves_cursor_and_records "a commit moves the cursor and makes its records' changes, in order"
    commit_names_a_version "a commit on another version is a Conflict, and neither cursor nor records move"
    commit_is_won_once "of any number of commits on one version, one is made, with its records alone"
    commit_is_seen_whole "nobody sees records without their cursor"
    records_are_in_order "records are listed in ascending order of key by bytes, after the given key, up to the limit"
    checkpoints_are_strangers "checkpoints and collections of different names know nothing of each other"
}

fn put(collection: &str, key: &str, value: &str) -> Record {
    Record { collection: collection.into(), key: key.into(), value: Some(Bytes::from(value.to_owned())) }
}

fn delete(collection: &str, key: &str) -> Record {
    Record { collection: collection.into(), key: key.into(), value: None }
}

impl Bench {
    async fn commit(&self, version: i64, cursor: &'static str, records: Vec<Record>) -> Outcome<i64> {
        let made =
            self.backend.commit(&self.name, Commit { version, cursor: cursor.into(), records }).await?;
        ensure!(made.cursor == cursor, "the cursor became {:?}", made.cursor);
        let now = self.backend.checkpoint(&self.name).await?;
        ensure!(now.as_ref() == Some(&made), "committed {made:?} and found {now:?}");
        Ok(made.version)
    }

    async fn values(&self, collection: &str) -> Outcome<Vec<(String, Bytes)>> {
        Ok(self.backend.records(&self.name, collection, None, 100).await?)
    }

    async fn holds(&self, collection: &str, expected: &[(&str, &'static str)]) -> Outcome {
        let expected: Vec<(String, Bytes)> = expected
            .iter()
            .map(|(key, value)| ((*key).to_owned(), Bytes::from_static(value.as_bytes())))
            .collect();
        let found = self.values(collection).await?;
        ensure!(found == expected, "{collection} holds {found:?} instead of {expected:?}");
        Ok(())
    }
}

async fn commit_moves_cursor_and_records(bench: Bench) -> Outcome {
    let none = bench.backend.checkpoint(&bench.name).await?;
    ensure!(none.is_none(), "before the first commit there is {none:?}");
    let first =
        bench.commit(0, "one", vec![put("c", "a", "1"), put("c", "b", "1"), put("c", "x", "1")]).await?;
    ensure!(first == 1, "the first version is {first}");
    let page = vec![
        put("c", "a", "2"),
        delete("c", "b"),
        delete("c", "never"),
        put("c", "x", "2"),
        delete("c", "x"),
    ];
    let second = bench.commit(1, "two", page).await?;
    ensure!(second == 2, "the second version is {second}");
    bench.holds("c", &[("a", "2")]).await?;
    bench.commit(2, "", Vec::new()).await.map(drop)
}

async fn commit_names_a_version(bench: Bench) -> Outcome {
    let page = |version| Commit {
        version,
        cursor: "wrong".into(),
        records: vec![put("c", "a", "wrong"), delete("c", "b")],
    };
    for version in [1, -1] {
        refused(
            bench.backend.commit(&bench.name, page(version)),
            Conflict,
            "a commit on a version that never was",
        )
        .await?;
        ensure!(bench.backend.checkpoint(&bench.name).await?.is_none(), "a refused commit made a checkpoint");
    }
    bench.commit(0, "one", vec![put("c", "b", "1")]).await?;
    bench.commit(1, "two", Vec::new()).await?;
    for version in [0, 1, 3] {
        refused(bench.backend.commit(&bench.name, page(version)), Conflict, "a commit on another version")
            .await?;
    }
    let stands = bench.backend.checkpoint(&bench.name).await?.map(|found| (found.cursor, found.version));
    ensure!(stands == Some(("two".into(), 2)), "a refused commit left {stands:?}");
    bench.holds("c", &[("b", "1")]).await
}

async fn commit_is_won_once(bench: Bench) -> Outcome {
    for version in 0..3 {
        let commits = bench
            .race(move |bench, worker| async move {
                let collection = format!("c{version}");
                let commit = Commit {
                    version,
                    cursor: worker.clone().into(),
                    records: vec![put(&collection, &worker, "1")],
                };
                bench.backend.commit(&bench.name, commit).await
            })
            .await?;
        let won = commits.iter().filter(|commit| commit.is_ok()).count();
        ensure!(won == 1, "{won} of {RACERS} commits on version {version} were made");
        let other =
            commits.iter().filter_map(|commit| commit.as_ref().err()).find(|error| error.kind() != Conflict);
        ensure!(other.is_none(), "a loser was told {other:?}");
        let kept = bench.values(&format!("c{version}")).await?;
        let cursor = bench.backend.checkpoint(&bench.name).await?.map(|found| found.cursor);
        let own = kept.iter().map(|(key, _)| Bytes::from(key.clone())).collect::<Vec<_>>();
        ensure!(
            Some(own.as_slice()) == cursor.as_ref().map(std::slice::from_ref),
            "cursor {cursor:?} came with {kept:?}"
        );
    }
    Ok(())
}

/// Each page puts its number under two keys. Read one after the other, cursor first, the records can only be newer than the
/// cursor, and the second key only newer than the first.
async fn commit_is_seen_whole(bench: Bench) -> Outcome {
    let writer = {
        let bench = bench.clone();
        tokio::spawn(async move {
            for version in 0..10_i64 {
                let number = version.to_string();
                let records = vec![put("c", "a", &number), put("c", "b", &number)];
                bench.backend.commit(&bench.name, Commit { version, cursor: number.into(), records }).await?;
            }
            Outcome::Ok(())
        })
    };
    while !writer.is_finished() {
        let cursor = bench.backend.checkpoint(&bench.name).await?.map_or(0, |found| found.version);
        let values: Vec<Bytes> = bench.values("c").await?.into_iter().map(|(_, value)| value).collect();
        let [a, b] = values.as_slice() else {
            ensure!(values.is_empty() && cursor == 0, "at version {cursor} the records are {values:?}");
            continue;
        };
        let number = String::from_utf8_lossy(a).parse::<i64>().unwrap_or(-1);
        ensure!(a == b, "two records of one page were seen apart: {a:?} and {b:?}");
        ensure!(number >= cursor - 1, "version {cursor} was seen before its records: {number}");
        tokio::task::yield_now().await;
    }
    Ok(())
}

async fn records_are_in_order(bench: Bench) -> Outcome {
    let keys = ["", "A", "B", "a", "a ", "aa", "b", "z", "ä", "ñ", "鍵"];
    let page = keys.iter().rev().map(|key| put("c", key, key)).collect();
    bench.commit(0, "one", page).await?;
    for limit in [0, 1, 4, keys.len(), usize::MAX] {
        let found = bench.backend.records(&bench.name, "c", None, limit).await?;
        let found: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        let expected: Vec<&str> = keys.iter().take(limit).copied().collect();
        ensure!(found == expected, "the first {limit} records are {found:?}");
    }
    for (position, after) in keys.iter().enumerate() {
        let found = bench.backend.records(&bench.name, "c", Some(after), 2).await?;
        let found: Vec<&str> = found.iter().map(|(key, _)| key.as_str()).collect();
        let expected: Vec<&str> = keys.iter().skip(position + 1).take(2).copied().collect();
        ensure!(found == expected, "after {after:?} come {found:?}");
    }
    Ok(())
}

async fn checkpoints_are_strangers(bench: Bench) -> Outcome {
    let other = bench.other("checkpoint");
    bench.commit(0, "here", vec![put("c", "a", "1"), put("d", "a", "2")]).await?;
    other.commit(0, "there", vec![delete("c", "a"), put("c", "b", "3")]).await?;
    bench.holds("c", &[("a", "1")]).await?;
    bench.holds("d", &[("a", "2")]).await?;
    other.holds("c", &[("b", "3")]).await
}
