//! The duplicate guard.

use super::bench::{Bench, LONG, Outcome, SHORT, checks, ensure};

checks! {
    remember_is_true_once "a key is remembered once, and each inbox has its own keys"
    remember_is_won_once "of any number of concurrent calls with one key, exactly one gets true"
    remember_runs_out "a key whose time has run out may be handled again, and again by one caller only"
    remember_is_not_prolonged "a refused duplicate does not make a key last longer"
    forget_lets_it_be_handled_again "a forgotten key may be handled again; forgetting a strange one does nothing"
    purge_forgets_what_ran_out "purge forgets exactly what has run out, and counts it"
}

impl Bench {
    async fn remember(&self, key: &str) -> Outcome<bool> {
        Ok(self.backend.remember(&self.name, key, LONG).await?)
    }
}

async fn remember_is_true_once(bench: Bench) -> Outcome {
    ensure!(bench.remember("k").await?, "a new key was called a duplicate");
    ensure!(!bench.remember("k").await?, "a duplicate was let through");
    ensure!(bench.remember("K").await?, "another key was called a duplicate");
    ensure!(bench.other("inbox").remember("k").await?, "another inbox's key was called a duplicate");
    Ok(())
}

async fn won(bench: &Bench) -> Outcome<usize> {
    let answers = bench.race(|bench, _| async move { bench.remember("k").await }).await?;
    let answers = answers.into_iter().collect::<Outcome<Vec<bool>>>()?;
    Ok(answers.into_iter().filter(|first| *first).count())
}

async fn remember_is_won_once(bench: Bench) -> Outcome {
    let won = won(&bench).await?;
    ensure!(won == 1, "{won} callers may handle one callback");
    Ok(())
}

async fn remember_runs_out(bench: Bench) -> Outcome {
    bench.backend.remember(&bench.name, "k", SHORT).await?;
    bench.outlast().await;
    let won = won(&bench).await?;
    ensure!(won == 1, "after its time {won} callers may handle the callback");
    Ok(())
}

async fn remember_is_not_prolonged(bench: Bench) -> Outcome {
    let begun = bench.clock.elapsed();
    bench.backend.remember(&bench.name, "k", SHORT).await?;
    let again = bench.remember("k").await?;
    if bench.clock.elapsed().saturating_sub(begun) >= SHORT {
        return Ok(()); // Too slow a machine to tell.
    }
    ensure!(!again, "a duplicate was let through");
    bench.outlast().await;
    ensure!(bench.remember("k").await?, "a duplicate prolonged the key");
    Ok(())
}

async fn forget_lets_it_be_handled_again(bench: Bench) -> Outcome {
    bench.backend.forget(&bench.name, "strange").await?;
    bench.remember("k").await?;
    bench.remember("other").await?;
    bench.backend.forget(&bench.name, "k").await?;
    ensure!(bench.remember("k").await?, "a forgotten key was called a duplicate");
    ensure!(!bench.remember("other").await?, "another key was forgotten with it");
    Ok(())
}

async fn purge_forgets_what_ran_out(bench: Bench) -> Outcome {
    let elsewhere = bench.other("inbox");
    elsewhere.backend.remember(&elsewhere.name, "short", SHORT).await?;
    for key in ["short 1", "short 2"] {
        bench.backend.remember(&bench.name, key, SHORT).await?;
    }
    bench.remember("long").await?;
    bench.outlast().await;
    let purged = bench.backend.purge(&bench.name).await?;
    ensure!(purged == 2, "{purged} keys were purged instead of 2");
    ensure!(!bench.remember("long").await?, "a key that had not run out was purged");
    let again = bench.backend.purge(&bench.name).await?;
    ensure!(again == 0, "{again} keys were purged a second time");
    ensure!(elsewhere.backend.purge(&elsewhere.name).await? == 1, "another inbox was purged too");
    Ok(())
}
