//! The duplicate guard, in one step and in two.

use std::time::Duration;

use super::bench::{Bench, LONG, Outcome, SHORT, Seen, checks, ensure};
use crate::inbox::{Claim, Ticket};

checks! {
    remember_is_true_once "a key is remembered once, and each inbox has its own keys"
    remember_is_won_once "of any number of concurrent calls with one key, exactly one gets true"
    remember_runs_out "a key whose time has run out may be handled again, and again by one caller only"
    remember_is_not_prolonged "a refused duplicate does not make a key last longer"
    forget_lets_it_be_handled_again "a forgotten key may be handled again; forgetting a strange one does nothing"
    purge_forgets_what_ran_out "purge forgets exactly what has run out, and counts it"
    claim_is_won_once "of any number of concurrent claims of one key, exactly one gets it, and the others see whose it is"
    claim_is_seen "a claimed key is in progress for everybody else, also for another ticket of its holder; each inbox has its own"
    claim_runs_out "a claim whose lease has run out may be taken over, by one only, and is then lost to the first"
    claim_is_renewed "a claim that is repeated with its own ticket lasts from then"
    done_is_handled "what was done is handled for everybody, also for its own ticket"
    done_runs_out "what was done may be claimed again once its time has run out, and not before"
    done_sticks "what was done counts as handled although the claim was lost, and says that it was; no later release undoes it"
    done_is_not_shortened "what is handled is not forgotten earlier because a second one says so, too"
    release_frees_the_claim "a claim that is given back may be claimed again"
    release_needs_the_ticket "a ticket frees its own claim only, no successor's"
    claims_and_memories_are_one "what is claimed or done is not to be handled by remember, nor the other way round; forget frees all"
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

impl Bench {
    fn ticket(&self, holder: &str) -> Ticket {
        Ticket::new(&*self.name, "k", holder)
    }

    async fn claim_key(&self, ticket: &Ticket, lease: Duration) -> Outcome<Claim> {
        Ok(self.backend.claim_key(ticket, lease).await?)
    }

    async fn claimed(&self, holder: &str, lease: Duration) -> Outcome<Ticket> {
        let ticket = self.ticket(holder);
        match self.claim_key(&ticket, lease).await? {
            Claim::New(got) if got == ticket => Ok(ticket),
            other => Err(Seen(format!("{holder} did not get the key, but {other:?}"))),
        }
    }

    async fn is_handled(&self) -> Outcome {
        let claim = self.claim_key(&self.ticket("asker"), LONG).await?;
        ensure!(claim == Claim::Handled, "a key that was done is {claim:?}");
        Ok(())
    }

    async fn is_held_by(&self, ticket: &Ticket) -> Outcome {
        let claim = self.claim_key(&self.ticket("asker"), LONG).await?;
        let held = matches!(&claim, Claim::InProgress { by, .. } if by == ticket);
        ensure!(held, "a key that {} holds is {claim:?}", ticket.holder);
        Ok(())
    }
}

async fn claims_won(bench: &Bench) -> Outcome<usize> {
    let racer = |bench: Bench, name: String| async move { bench.claim_key(&bench.ticket(&name), LONG).await };
    let claims = bench.race(racer).await?.into_iter().collect::<Outcome<Vec<Claim>>>()?;
    let winner =
        claims.iter().find_map(|claim| if let Claim::New(ticket) = claim { Some(ticket) } else { None });
    for claim in &claims {
        let sees = matches!(claim, Claim::InProgress { by, .. } if Some(by) == winner);
        ensure!(
            sees || matches!(claim, Claim::New(_)),
            "{winner:?} got the key, and a loser was told {claim:?}"
        );
    }
    Ok(claims.iter().filter(|claim| matches!(claim, Claim::New(_))).count())
}

async fn claim_is_won_once(bench: Bench) -> Outcome {
    let won = claims_won(&bench).await?;
    ensure!(won == 1, "{won} callers may handle one callback");
    Ok(())
}

async fn claim_is_seen(bench: Bench) -> Outcome {
    let before = bench.backend.now().await?;
    let ann = bench.claimed("ann", LONG).await?;
    bench.is_held_by(&ann).await?;
    let claim = bench.claim_key(&bench.ticket("ann"), LONG).await?;
    let Claim::InProgress { by, until } = claim else {
        return Err(Seen(format!("ann's second ticket came to {claim:?}")));
    };
    ensure!(by == ann, "{by:?} is not the ticket with which it was claimed");
    let lasts = until.duration_since(before).as_secs();
    // A lease of an hour, give or take what a slow machine needs.
    ensure!((3_590..=3_900).contains(&lasts), "a claim of 3600 s is said to last {lasts} s");
    bench.other("inbox").claimed("bob", LONG).await?;
    let other_key = Ticket::new(&*bench.name, "K", "bob");
    ensure!(matches!(bench.claim_key(&other_key, LONG).await?, Claim::New(_)), "another key was held, too");
    Ok(())
}

async fn claim_runs_out(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", SHORT).await?;
    bench.outlast().await;
    let won = claims_won(&bench).await?;
    ensure!(won == 1, "after its lease {won} callers may handle the callback");
    let again = bench.claim_key(&ann, LONG).await?;
    ensure!(matches!(again, Claim::InProgress { .. }), "a lost claim was renewed: {again:?}");
    Ok(())
}

async fn claim_is_renewed(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", SHORT).await?;
    let again = bench.claim_key(&ann, LONG).await?;
    ensure!(again == Claim::New(ann.clone()), "a repeated claim came to {again:?}");
    bench.outlast().await;
    bench.is_held_by(&ann).await
}

async fn done_is_handled(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", LONG).await?;
    ensure!(bench.backend.done_key(&ann, LONG).await?, "a claim that stood was called lost");
    bench.is_handled().await?;
    let again = bench.claim_key(&ann, LONG).await?;
    ensure!(again == Claim::Handled, "its own ticket came to {again:?}");
    Ok(())
}

async fn done_runs_out(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", SHORT).await?;
    bench.backend.done_key(&ann, LONG).await?;
    bench.outlast().await;
    bench.is_handled().await?;
    let short = Ticket::new(&*bench.name, "short", "ann");
    bench.claim_key(&short, LONG).await?;
    bench.backend.done_key(&short, SHORT).await?;
    bench.outlast().await;
    let again = bench.claim_key(&Ticket::new(&*bench.name, "short", "bob"), LONG).await?;
    ensure!(matches!(again, Claim::New(_)), "what was forgotten came to {again:?}");
    Ok(())
}

async fn done_sticks(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", SHORT).await?;
    bench.outlast().await;
    let bob = bench.claimed("bob", LONG).await?;
    ensure!(!bench.backend.done_key(&ann, LONG).await?, "a claim that was lost was said to stand");
    bench.is_handled().await?;
    bench.backend.release_key(&bob).await?;
    bench.is_handled().await?;
    ensure!(!bench.backend.done_key(&bob, LONG).await?, "a claim of what was done was said to stand");
    let purged = Ticket::new(&*bench.name, "purged", "ann");
    ensure!(!bench.backend.done_key(&purged, LONG).await?, "a claim that is not there was said to stand");
    let claim = bench.claim_key(&purged, LONG).await?;
    ensure!(claim == Claim::Handled, "done without a claim came to {claim:?}");
    Ok(())
}

async fn done_is_not_shortened(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", LONG).await?;
    bench.backend.done_key(&ann, LONG).await?;
    bench.backend.done_key(&ann, SHORT).await?;
    bench.outlast().await;
    bench.is_handled().await
}

async fn release_frees_the_claim(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", LONG).await?;
    bench.backend.release_key(&ann).await?;
    bench.backend.release_key(&ann).await?;
    bench.claimed("bob", LONG).await?;
    Ok(())
}

async fn release_needs_the_ticket(bench: Bench) -> Outcome {
    let first = bench.claimed("ann", LONG).await?;
    bench.backend.release_key(&first).await?;
    let second = bench.claimed("ann", LONG).await?;
    bench.backend.release_key(&first).await?;
    bench.is_held_by(&second).await
}

async fn claims_and_memories_are_one(bench: Bench) -> Outcome {
    let ann = bench.claimed("ann", SHORT).await?;
    bench.backend.claim_key(&ann, LONG).await?;
    ensure!(!bench.remember("k").await?, "what is claimed may be handled by whoever remembers it");
    bench.backend.done_key(&ann, LONG).await?;
    ensure!(!bench.remember("k").await?, "what was done may be handled by whoever remembers it");
    bench.backend.forget(&bench.name, "k").await?;
    ensure!(bench.remember("k").await?, "forget left what was done");
    bench.is_handled().await?;
    bench.backend.forget(&bench.name, "k").await?;
    let bob = bench.claimed("bob", SHORT).await?;
    bench.outlast().await;
    ensure!(bench.remember("k").await?, "a claim that has run out keeps remember away");
    bench.is_handled().await?;
    bench.backend.release_key(&bob).await?;
    bench.is_handled().await
}
