//! The suite bites: a wrapper around the backend in memory breaks one guarantee at a time, and the suite must notice each.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use integration_core::BoxFuture;
use integration_core::clock::ManualClock;
use integration_store::{
    Backend, Change, Checkpoint, Claim, Commit, Entry, Event, LaneChoice, LaneView, Lease, Line, Memory,
    NewEntry, Pending, Query, Standing, State, Step, StoreErrorKind, Ticket, Tip, conformance,
};

/// One broken guarantee, and a check that must notice it (others may, too).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mutation {
    Sound,
    FenceNotChecked,
    FenceNotRaised,
    ReleasedLeaseWrites,
    ClaimIgnoresHolder,
    ClaimNeverExpires,
    ClaimLeavesInFlight,
    ClaimWithoutHistory,
    AppendOverwrites,
    AppendAlwaysNew,
    AppendPartly,
    AppendIgnoresOutbox,
    WriteIgnoresVersion,
    WritePartly,
    WriteReachesOtherLanes,
    UnknownMayBePrepared,
    DeadIsFinal,
    BodyAlwaysAllowed,
    BodyDropped,
    TestimonyChangesState,
    TestimonyUnmarked,
    RenewIgnoresLoss,
    RenewDoesNothing,
    RenewRefusesExpired,
    ReleaseFreesSuccessor,
    ReleaseDoesNothing,
    AnyReadyGivesBlocked,
    AnyReadyGivesIdle,
    AnyReadyByName,
    ListBackwards,
    ListIgnoresLimit,
    ListIgnoresAfter,
    ListIgnoresStates,
    PrefixAsPattern,
    HistoryLosesLines,
    HistoryBackwards,
    RememberAlways,
    RememberForEver,
    RememberProlongs,
    ForgetDoesNothing,
    PurgeForgetsAll,
    ClaimKeyAlways,
    ClaimKeyOfOneHolder,
    ClaimKeyIgnoresInbox,
    ClaimKeyHidesHolder,
    ClaimKeyEndsLater,
    ClaimKeyNeverExpires,
    ClaimKeyRevivesLost,
    ClaimKeyNotRenewed,
    ClaimKeyIgnoresMemory,
    DoneKeepsClaim,
    DoneForgets,
    DoneForEver,
    DoneKeptTooShort,
    DoneNeedsTheClaim,
    DoneSaysHeld,
    DoneSaysLost,
    DoneShortens,
    ReleaseKeyUndoesDone,
    ReleaseKeyDoesNothing,
    ReleaseKeyFreesAll,
    RememberIgnoresClaims,
    CommitWithoutRecords,
    CommitIgnoresVersion,
    ConflictStillWritesRecords,
    RecordsUnordered,
    RecordsIgnoreLimit,
    StepPartly,
    StepForgetsRelease,
    StepIgnoresFence,
    StepTakesKnownKey,
    FlightWithoutLine,
    AppendFlies,
    LookClaims,
    LookSeesNobody,
    SeenFenceIgnored,
    SeenHolderIgnored,
    SeenGivesUpInFlight,
    SeenClaimStays,
    SeenClaimedByAll,
    SeenFenceKept,
    StepInTheWrongOrder,
    StepUnqueued,
    KeysAscending,
    KeyPagesRepeat,
    LanesRepeated,
    NowIsAhead,
    LanesIgnoreStates,
    ChainWithoutTestimony,
    ChainUnlinked,
    ChainOfOthers,
    ChainForked,
    ChainOfOneOutbox,
    TipBehind,
    TipsIgnoreLimit,
    StandingStale,
}

use Mutation::*;

const EACH: &[(Mutation, &str)] = &[
    (FenceNotChecked, "fence_refuses_the_old_worker"),
    (FenceNotRaised, "every_claim_raises_the_fence"),
    (ReleasedLeaseWrites, "a_released_lease_is_lost"),
    (ClaimIgnoresHolder, "a_lane_has_one_holder"),
    (ClaimNeverExpires, "a_lease_runs_out"),
    (ClaimLeavesInFlight, "a_claim_makes_in_flight_unknown"),
    (ClaimWithoutHistory, "a_claim_makes_in_flight_unknown"),
    (AppendOverwrites, "append_gives_back_what_is_there"),
    (AppendAlwaysNew, "append_is_idempotent_in_a_race"),
    (AppendPartly, "append_is_all_or_none"),
    (AppendIgnoresOutbox, "outboxes_are_strangers"),
    (WriteIgnoresVersion, "write_names_a_version"),
    (WritePartly, "write_is_all_or_none"),
    (WriteReachesOtherLanes, "write_stays_in_its_lane"),
    (UnknownMayBePrepared, "write_follows_the_table"),
    (DeadIsFinal, "write_follows_the_table"),
    (BodyAlwaysAllowed, "bodies_never_change_while_open"),
    (BodyDropped, "bodies_never_change_while_open"),
    (TestimonyChangesState, "testimony_changes_nothing"),
    (TestimonyUnmarked, "testimony_changes_nothing"),
    (RenewIgnoresLoss, "renew_refuses_what_was_taken"),
    (RenewDoesNothing, "renew_lasts_from_now"),
    (RenewRefusesExpired, "renew_revives_what_merely_ran_out"),
    (ReleaseFreesSuccessor, "release_of_a_lost_lease_does_nothing"),
    (ReleaseDoesNothing, "release_frees_the_lane"),
    (AnyReadyGivesBlocked, "any_ready_skips_the_blocked"),
    (AnyReadyGivesIdle, "any_ready_skips_the_idle_and_the_held"),
    (AnyReadyByName, "any_ready_takes_the_longest_waiting"),
    (ListBackwards, "list_is_in_order_of_id"),
    (ListIgnoresLimit, "list_pages"),
    (ListIgnoresAfter, "list_pages"),
    (ListIgnoresStates, "list_filters"),
    (PrefixAsPattern, "list_filters"),
    (HistoryLosesLines, "history_keeps_every_line"),
    (HistoryBackwards, "history_keeps_every_line"),
    (RememberAlways, "remember_is_true_once"),
    (RememberForEver, "remember_runs_out"),
    (RememberProlongs, "remember_is_not_prolonged"),
    (ForgetDoesNothing, "forget_lets_it_be_handled_again"),
    (PurgeForgetsAll, "purge_forgets_what_ran_out"),
    (ClaimKeyAlways, "claim_is_won_once"),
    (ClaimKeyOfOneHolder, "claim_is_seen"),
    (ClaimKeyIgnoresInbox, "claim_is_seen"),
    (ClaimKeyHidesHolder, "claim_is_won_once"),
    (ClaimKeyEndsLater, "claim_is_seen"),
    (ClaimKeyNeverExpires, "claim_runs_out"),
    (ClaimKeyRevivesLost, "claim_runs_out"),
    (ClaimKeyNotRenewed, "claim_is_renewed"),
    (ClaimKeyIgnoresMemory, "claims_and_memories_are_one"),
    (DoneKeepsClaim, "done_is_handled"),
    (DoneForgets, "done_is_handled"),
    (DoneForEver, "done_runs_out"),
    (DoneKeptTooShort, "done_runs_out"),
    (DoneNeedsTheClaim, "done_sticks"),
    (DoneSaysHeld, "done_sticks"),
    (DoneSaysLost, "done_is_handled"),
    (DoneShortens, "done_is_not_shortened"),
    (ReleaseKeyUndoesDone, "done_sticks"),
    (ReleaseKeyDoesNothing, "release_frees_the_claim"),
    (ReleaseKeyFreesAll, "release_needs_the_ticket"),
    (RememberIgnoresClaims, "claims_and_memories_are_one"),
    (CommitWithoutRecords, "commit_moves_cursor_and_records"),
    (CommitIgnoresVersion, "commit_names_a_version"),
    (ConflictStillWritesRecords, "commit_names_a_version"),
    (RecordsUnordered, "records_are_in_order"),
    (RecordsIgnoreLimit, "records_are_in_order"),
    (StepPartly, "step_is_all_or_none"),
    (StepForgetsRelease, "step_gives_the_lane_back"),
    (StepIgnoresFence, "step_checks_the_fence"),
    (StepTakesKnownKey, "step_refuses_a_known_key"),
    (FlightWithoutLine, "step_goes_straight_into_flight"),
    (AppendFlies, "append_never_flies"),
    (LookClaims, "lane_is_seen_without_a_claim"),
    (LookSeesNobody, "lane_is_seen_without_a_claim"),
    (SeenFenceIgnored, "seen_fence_must_stand"),
    (SeenHolderIgnored, "seen_lane_must_be_free"),
    (SeenGivesUpInFlight, "seen_lane_must_be_settled"),
    (SeenClaimStays, "claim_with_a_step_is_all_or_none"),
    (SeenClaimedByAll, "seen_lane_is_claimed_once"),
    (SeenFenceKept, "seen_lane_is_claimed_with_a_step"),
    (StepInTheWrongOrder, "step_appends_and_changes"),
    (StepUnqueued, "step_keeps_the_queue"),
    (KeysAscending, "list_by_key"),
    (KeyPagesRepeat, "list_by_key"),
    (LanesRepeated, "lanes_by_states"),
    (NowIsAhead, "one_clock_for_all_times"),
    (LanesIgnoreStates, "lanes_by_states"),
    (ChainWithoutTestimony, "chain_holds_every_line"),
    (ChainUnlinked, "chain_holds_every_line"),
    (ChainOfOthers, "chain_is_the_history"),
    (ChainForked, "chain_holds_in_a_race"),
    (ChainOfOneOutbox, "chains_are_strangers"),
    (TipBehind, "chain_ends_at_the_tip"),
    (TipsIgnoreLimit, "chain_is_paged"),
    (StandingStale, "entries_stand_as_their_last_lines"),
];

/// Longer than anything a check calls long.
const AGE: Duration = Duration::from_secs(1_000_000);

/// The backend in memory, with one thing wrong.
#[derive(Debug)]
struct Mutant {
    inner: Memory,
    mutation: Mutation,
    known: Mutex<Known>,
}

/// What a mutant remembers to do its mischief.
#[derive(Debug, Default)]
struct Known {
    newest: HashMap<(String, String), Lease>,
    bodies: HashMap<(String, i64), Bytes>,
    in_flight: Vec<(String, i64)>,
    keys: HashMap<(String, String), Vec<String>>,
    lanes: Vec<(String, String)>,
    tickets: Vec<i64>,
}

impl Mutant {
    fn is(&self, mutation: Mutation) -> bool {
        self.mutation == mutation
    }

    /// The outbox that this mutant takes for the one named.
    fn outbox<'o>(&self, outbox: &'o str) -> &'o str {
        if self.is(AppendIgnoresOutbox) { outbox.strip_suffix(" other").unwrap_or(outbox) } else { outbox }
    }

    /// The lane's newest lease, whoever holds it.
    fn newest(&self, lease: &Lease) -> Lease {
        let known = self.known.lock().unwrap();
        known.newest.get(&(lease.outbox.clone(), lease.lane.clone())).unwrap_or(lease).clone()
    }

    fn note(&self, lease: &Lease) {
        let key = (lease.outbox.clone(), lease.lane.clone());
        self.known.lock().unwrap().newest.insert(key, lease.clone());
    }

    /// An entry as this mutant shows it.
    fn shown(&self, outbox: &str, mut entry: Entry) -> Entry {
        let known = self.known.lock().unwrap();
        if let Some(body) = known.bodies.get(&(outbox.to_owned(), entry.id)) {
            entry.body = body.clone();
        }
        if entry.state == State::Unknown && known.in_flight.contains(&(outbox.to_owned(), entry.id)) {
            entry.state = State::InFlight;
        }
        entry
    }

    async fn in_flight(&self, outbox: &str, lane: &str) -> Vec<Entry> {
        let mut query = Query::in_states([State::InFlight]);
        query.lane = Some(lane.to_owned());
        self.inner.list(outbox, query).await.unwrap()
    }

    /// A lane that a sound AnyReady would not give: the first that has an entry in one of these states.
    async fn lane_with(&self, outbox: &str, states: &[State]) -> Option<String> {
        let entries = self.inner.list(outbox, Query::in_states(states)).await.unwrap();
        entries.into_iter().map(|entry| entry.lane).next()
    }

    async fn choose(&self, outbox: &str) -> Option<String> {
        match self.mutation {
            AnyReadyGivesBlocked => self.lane_with(outbox, &[State::Unknown]).await,
            AnyReadyGivesIdle => self.lane_with(outbox, &[State::Done, State::Refused, State::Dead]).await,
            AnyReadyByName => {
                let entries = self.inner.list(outbox, Query::in_states([State::Prepared])).await.unwrap();
                let mut lanes: Vec<String> = entries.into_iter().map(|entry| entry.lane).collect();
                lanes.sort();
                let known = self.known.lock().unwrap();
                lanes.into_iter().find(|lane| !known.newest.contains_key(&(outbox.to_owned(), lane.clone())))
            }
            _ => None,
        }
    }

    async fn mutant_write(
        &self,
        lease: &Lease,
        mut changes: Vec<Change>,
    ) -> Result<Vec<Entry>, integration_store::StoreError> {
        let mut lease = lease.clone();
        if self.is(FenceNotChecked) || self.is(FenceNotRaised) {
            lease = self.newest(&lease);
        }
        if self.is(WriteReachesOtherLanes) {
            for change in &changes {
                let entries = self.inner.list(&lease.outbox, Query::default()).await?;
                let lane = entries.into_iter().find(|entry| entry.id == change.entry).map(|entry| entry.lane);
                if let Some(lane) = lane.filter(|lane| *lane != lease.lane) {
                    lease = self
                        .inner
                        .claim(&lease.outbox, LaneChoice::Named(&lane), &lease.worker, AGE)
                        .await?
                        .unwrap();
                }
            }
        }
        for change in &mut changes {
            self.spoil(&lease, change).await?;
        }
        if self.is(WritePartly) {
            let mut written = Vec::new();
            for change in changes {
                written.extend(Backend::write(&self.inner, &lease, vec![change]).await?);
            }
            return Ok(written);
        }
        let written = Backend::write(&self.inner, &lease, changes).await?;
        Ok(written.into_iter().map(|entry| self.shown(&lease.outbox, entry)).collect())
    }

    async fn mutant_apply(
        &self,
        lease: &Lease,
        mut step: Step,
    ) -> Result<Vec<Entry>, integration_store::StoreError> {
        let newest = self.newest(lease);
        let lease = if self.is(StepIgnoresFence) { &newest } else { lease };
        match self.mutation {
            StepForgetsRelease => step.release = false,
            StepTakesKnownKey => {
                let mut fresh = Vec::new();
                for new in step.append {
                    if self.inner.find(&lease.outbox, &new.key).await?.is_none() {
                        fresh.push(new);
                    }
                }
                step.append = fresh;
            }
            StepPartly => {
                let mut outcome = Vec::new();
                for new in step.append {
                    outcome.extend(self.inner.apply(lease, Step::new().with_append(new)).await?);
                }
                for change in step.changes {
                    outcome.extend(self.inner.apply(lease, Step::new().with_change(change)).await?);
                }
                return Ok(outcome);
            }
            _ => {}
        }
        let flies = step.append.iter().any(|new| new.in_flight);
        let mut outcome = self.inner.apply(lease, step).await?;
        match self.mutation {
            StepInTheWrongOrder => outcome.reverse(),
            FlightWithoutLine if flies => {
                let flying = outcome.iter().map(|entry| (lease.outbox.clone(), entry.id));
                self.known.lock().unwrap().in_flight.extend(flying);
            }
            _ => {}
        }
        Ok(outcome)
    }

    async fn spoil(&self, lease: &Lease, change: &mut Change) -> Result<(), integration_store::StoreError> {
        let entries = self.inner.list(&lease.outbox, Query::default()).await?;
        let Some(entry) = entries.into_iter().find(|entry| entry.id == change.entry) else { return Ok(()) };
        match self.mutation {
            WriteIgnoresVersion => change.version = entry.version,
            UnknownMayBePrepared if entry.state == State::Unknown && change.state == State::Prepared => {
                let step = Change { state: State::InFlight, ..change.clone() };
                Backend::write(&self.inner, lease, vec![step]).await?;
                change.version += 1;
            }
            DeadIsFinal if entry.state == State::Dead => change.version = -1,
            BodyAlwaysAllowed if entry.state.is_open() || change.state != State::Prepared => {
                if let Some(body) = change.body.take() {
                    self.known.lock().unwrap().bodies.insert((lease.outbox.clone(), entry.id), body);
                }
            }
            BodyDropped => change.body = change.body.take().map(|_| entry.body),
            _ => {}
        }
        Ok(())
    }
}

impl Mutant {
    /// The ticket as this mutant takes it.
    fn ticket(&self, ticket: &Ticket) -> Ticket {
        let mut ticket = ticket.clone();
        if self.is(ClaimKeyIgnoresInbox) {
            ticket.inbox = ticket.inbox.trim_end_matches(" inbox").to_owned();
        }
        ticket
    }

    /// How a key stands for somebody who does not want it.
    async fn standing(&self, ticket: &Ticket) -> Result<Claim, integration_store::StoreError> {
        let asker = Ticket::new(&*ticket.inbox, &*ticket.key, "asker");
        let claim = self.inner.claim_key(&asker, Duration::ZERO).await?;
        self.inner.release_key(&asker).await?;
        Ok(claim)
    }

    async fn mutant_claim_key(
        &self,
        given: &Ticket,
        lease: Duration,
    ) -> Result<Claim, integration_store::StoreError> {
        let ticket = self.ticket(given);
        let seen = self.known.lock().unwrap().tickets.contains(&ticket.token);
        if self.is(ClaimKeyNotRenewed) && seen {
            return Ok(Claim::New(given.clone()));
        }
        let lease = if self.is(ClaimKeyNeverExpires) { AGE } else { lease };
        let claim = self.inner.claim_key(&ticket, lease).await?;
        let memories = self.known.lock().unwrap().lanes.clone();
        Ok(match (claim, self.mutation) {
            (Claim::New(_), _) => {
                self.known.lock().unwrap().tickets.push(ticket.token);
                Claim::New(given.clone())
            }
            (Claim::InProgress { .. }, ClaimKeyAlways) => Claim::New(given.clone()),
            (Claim::InProgress { .. }, ClaimKeyRevivesLost) if seen => Claim::New(given.clone()),
            (Claim::InProgress { by, .. }, ClaimKeyOfOneHolder) if by.holder == given.holder => {
                Claim::New(given.clone())
            }
            (Claim::InProgress { until, .. }, ClaimKeyHidesHolder) => {
                Claim::InProgress { by: given.clone(), until }
            }
            (Claim::InProgress { by, until }, ClaimKeyEndsLater) => {
                Claim::InProgress { by, until: until + jiff::SignedDuration::from_hours(1) }
            }
            (Claim::Handled, ClaimKeyIgnoresMemory)
                if memories.contains(&(ticket.inbox.clone(), ticket.key.clone())) =>
            {
                Claim::New(given.clone())
            }
            (claim, _) => claim,
        })
    }

    async fn mutant_done_key(
        &self,
        ticket: &Ticket,
        keep: Duration,
    ) -> Result<bool, integration_store::StoreError> {
        match self.mutation {
            DoneKeepsClaim => Ok(matches!(self.inner.claim_key(ticket, keep).await?, Claim::New(_))),
            DoneForgets => {
                let held = self.inner.done_key(ticket, keep).await?;
                self.inner.forget(&ticket.inbox, &ticket.key).await?;
                Ok(held)
            }
            DoneForEver => self.inner.done_key(ticket, AGE).await,
            DoneKeptTooShort => self.inner.done_key(ticket, Duration::from_millis(1)).await,
            DoneNeedsTheClaim => match self.inner.claim_key(ticket, keep).await? {
                Claim::InProgress { .. } => Ok(false),
                _ => self.inner.done_key(ticket, keep).await,
            },
            DoneSaysHeld => self.inner.done_key(ticket, keep).await.map(|_| true),
            DoneSaysLost => self.inner.done_key(ticket, keep).await.map(|_| false),
            DoneShortens => {
                let held = self.inner.done_key(ticket, keep).await?;
                self.inner.forget(&ticket.inbox, &ticket.key).await?;
                self.inner.done_key(ticket, keep).await?;
                Ok(held)
            }
            _ => self.inner.done_key(ticket, keep).await,
        }
    }

    async fn mutant_release_key(&self, ticket: &Ticket) -> Result<(), integration_store::StoreError> {
        match (self.mutation, self.standing(ticket).await?) {
            (ReleaseKeyDoesNothing, _) => Ok(()),
            (ReleaseKeyUndoesDone, Claim::Handled) | (ReleaseKeyFreesAll, Claim::InProgress { .. }) => {
                self.inner.forget(&ticket.inbox, &ticket.key).await
            }
            _ => self.inner.release_key(ticket).await,
        }
    }
}

impl Backend for Mutant {
    fn append<'a>(
        &'a self,
        outbox: &'a str,
        worker: &'a str,
        entries: Vec<NewEntry>,
    ) -> Pending<'a, Vec<(Entry, bool)>> {
        Box::pin(async move {
            let outbox = self.outbox(outbox);
            let entries: Vec<NewEntry> = entries
                .into_iter()
                .map(|mut new| {
                    new.in_flight &= !self.is(AppendFlies);
                    new
                })
                .collect();
            if self.is(AppendPartly) {
                let mut appended = Vec::new();
                for new in entries {
                    appended.extend(self.inner.append(outbox, worker, vec![new]).await?);
                }
                return Ok(appended);
            }
            let mut appended = self.inner.append(outbox, worker, entries.clone()).await?;
            for ((entry, fresh), new) in appended.iter_mut().zip(&entries) {
                if self.is(AppendOverwrites) && !*fresh {
                    let key = (outbox.to_owned(), entry.id);
                    self.known.lock().unwrap().bodies.insert(key, new.body.clone());
                    entry.body = new.body.clone();
                }
                *fresh |= self.is(AppendAlwaysNew);
            }
            Ok(appended)
        })
    }

    fn claim<'a>(
        &'a self,
        outbox: &'a str,
        lane: LaneChoice<'a>,
        worker: &'a str,
        ttl: Duration,
    ) -> Pending<'a, Option<Lease>> {
        Box::pin(async move {
            if self.is(StepUnqueued) && lane == LaneChoice::AnyReady {
                let unqueued = self.known.lock().unwrap().lanes.iter().any(|(of, _)| of == outbox);
                if unqueued {
                    return Ok(None);
                }
            }
            let chosen = if lane == LaneChoice::AnyReady { self.choose(outbox).await } else { None };
            let lane = chosen.as_deref().map_or(lane, LaneChoice::Named);
            let ttl = if self.is(ClaimNeverExpires) { AGE } else { ttl };
            if let LaneChoice::Named(name) = lane {
                if self.is(ClaimLeavesInFlight) {
                    let ids = self
                        .in_flight(outbox, name)
                        .await
                        .into_iter()
                        .map(|entry| (outbox.to_owned(), entry.id));
                    let ids: Vec<_> = ids.collect();
                    self.known.lock().unwrap().in_flight.extend(ids);
                }
                if self.is(ClaimIgnoresHolder) {
                    let _ = self.inner.release(&self.newest(&Lease::new(outbox, name, worker, 0))).await;
                }
            }
            let lease = self.inner.claim(outbox, lane, worker, ttl).await?;
            if let Some(lease) = &lease {
                self.note(lease);
            }
            Ok(lease.map(|lease| {
                if self.is(FenceNotRaised) {
                    Lease::new(lease.outbox, lease.lane, lease.worker, 1)
                } else {
                    lease
                }
            }))
        })
    }

    fn renew<'a>(&'a self, lease: &'a Lease, ttl: Duration) -> Pending<'a, ()> {
        Box::pin(async move {
            match self.mutation {
                RenewDoesNothing => Ok(()),
                RenewIgnoresLoss | FenceNotRaised => self.inner.renew(&self.newest(lease), ttl).await,
                RenewRefusesExpired => {
                    let taken = self
                        .inner
                        .claim(&lease.outbox, LaneChoice::Named(&lease.lane), "somebody", ttl)
                        .await?;
                    taken.map_or(Ok(()), |_| {
                        Err(integration_store::StoreError::new(StoreErrorKind::LeaseLost, "ran out"))
                    })?;
                    self.inner.renew(lease, ttl).await
                }
                _ => self.inner.renew(lease, ttl).await,
            }
        })
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> Pending<'a, ()> {
        Box::pin(async move {
            match self.mutation {
                ReleaseDoesNothing => Ok(()),
                // Free in the end, but the giver keeps its rights.
                ReleasedLeaseWrites => self.inner.renew(lease, Duration::ZERO).await.or(Ok(())),
                ReleaseFreesSuccessor | FenceNotRaised => self.inner.release(&self.newest(lease)).await,
                _ => self.inner.release(lease).await,
            }
        })
    }

    fn write<'a>(&'a self, lease: &'a Lease, changes: Vec<Change>) -> Pending<'a, Vec<Entry>> {
        Box::pin(self.mutant_write(lease, changes))
    }

    fn apply<'a>(&'a self, lease: &'a Lease, step: Step) -> Pending<'a, Vec<Entry>> {
        Box::pin(self.mutant_apply(lease, step))
    }

    fn claim_and_apply<'a>(
        &'a self,
        outbox: &'a str,
        lane: &'a str,
        worker: &'a str,
        ttl: Duration,
        seen_fence: i64,
        step: Step,
    ) -> Pending<'a, Option<(Lease, Vec<Entry>)>> {
        Box::pin(async move {
            let named = LaneChoice::Named(lane);
            let stands = self.inner.lane(outbox, lane).await?;
            let seen = match self.mutation {
                SeenFenceIgnored => stands.fence,
                SeenClaimedByAll if seen_fence == 0 => {
                    self.inner.release(&self.newest(&Lease::new(outbox, lane, worker, 0))).await?;
                    stands.fence
                }
                _ => seen_fence,
            };
            if self.is(SeenHolderIgnored) {
                self.inner.release(&self.newest(&Lease::new(outbox, lane, worker, 0))).await?;
            }
            if self.is(SeenGivesUpInFlight) && !self.in_flight(outbox, lane).await.is_empty() {
                let Some(lease) = self.inner.claim(outbox, named, worker, ttl).await? else {
                    return Ok(None);
                };
                let entries = self.inner.apply(&lease, step).await?;
                return Ok(Some((lease, entries)));
            }
            let prepared = step.append.iter().any(|new| !new.in_flight);
            if self.is(StepUnqueued) && prepared {
                self.known.lock().unwrap().lanes.push((outbox.to_owned(), lane.to_owned()));
            }
            let taken = self.inner.claim_and_apply(outbox, lane, worker, ttl, seen, step).await;
            if self.is(SeenClaimStays) && taken.is_err() {
                self.inner.claim(outbox, named, worker, ttl).await?;
            }
            let mut taken = taken?;
            if let Some((lease, _)) = &mut taken {
                self.note(lease);
                if self.is(SeenFenceKept) {
                    lease.fence = seen_fence;
                }
            }
            Ok(taken)
        })
    }

    fn lane<'a>(&'a self, outbox: &'a str, lane: &'a str) -> Pending<'a, LaneView> {
        Box::pin(async move {
            if self.is(LookClaims) {
                let named = LaneChoice::Named(lane);
                if let Some(lease) = self.inner.claim(outbox, named, "looker", Duration::ZERO).await? {
                    self.inner.release(&lease).await?;
                }
            }
            let mut view = self.inner.lane(outbox, lane).await?;
            if self.is(LookSeesNobody) {
                view.held_by = None;
            }
            if self.is(TipBehind) {
                view.tip.lines -= 1;
            }
            Ok(view)
        })
    }

    fn now(&self) -> Pending<'_, jiff::Timestamp> {
        Box::pin(async move {
            let now = self.inner.now().await?;
            let hour = jiff::SignedDuration::from_hours(1);
            if self.is(NowIsAhead) { Ok(now + hour) } else { Ok(now) }
        })
    }

    fn lanes<'a>(&'a self, outbox: &'a str, mut states: Vec<State>) -> Pending<'a, Vec<String>> {
        Box::pin(async move {
            if self.is(LanesIgnoreStates) {
                states.clear();
            }
            let mut lanes = self.inner.lanes(outbox, states).await?;
            if self.is(LanesRepeated) {
                lanes.extend(lanes.clone());
            }
            Ok(lanes)
        })
    }

    fn tips<'a>(
        &'a self,
        outbox: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Tip)>> {
        let limit = if self.is(TipsIgnoreLimit) { usize::MAX } else { limit };
        self.inner.tips(outbox, after, limit)
    }

    fn lines<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Line>> {
        Box::pin(async move {
            let of = if self.is(ChainOfOneOutbox) { outbox.trim_end_matches(" outbox") } else { outbox };
            let mut lines = self.inner.lines(of, after, limit).await?;
            match self.mutation {
                ChainWithoutTestimony => lines.retain(|line| !line.event.testimony),
                ChainUnlinked => lines.iter_mut().for_each(|line| line.event.link = Default::default()),
                ChainOfOthers => lines.iter_mut().for_each(|line| line.event.worker.push('!')),
                ChainForked => lines.iter_mut().skip(1).for_each(|line| line.event.line = 2),
                _ => {}
            }
            Ok(lines)
        })
    }

    fn standings<'a>(&'a self, outbox: &'a str, after: i64, limit: usize) -> Pending<'a, Vec<Standing>> {
        Box::pin(async move {
            let mut standings = self.inner.standings(outbox, after, limit).await?;
            if self.is(StandingStale) {
                standings.iter_mut().for_each(|standing| standing.last = None);
            }
            Ok(standings)
        })
    }

    fn testify<'a>(&'a self, outbox: &'a str, worker: &'a str, entry: i64, data: Bytes) -> Pending<'a, ()> {
        Box::pin(async move {
            self.inner.testify(outbox, worker, entry, data).await?;
            if self.is(TestimonyChangesState) {
                let key = (outbox.to_owned(), entry);
                self.known.lock().unwrap().bodies.insert(key, "testified".into());
            }
            Ok(())
        })
    }

    fn find<'a>(&'a self, outbox: &'a str, key: &'a str) -> Pending<'a, Option<Entry>> {
        Box::pin(async move {
            let outbox = self.outbox(outbox);
            Ok(self.inner.find(outbox, key).await?.map(|entry| self.shown(outbox, entry)))
        })
    }

    fn list<'a>(&'a self, outbox: &'a str, mut query: Query) -> Pending<'a, Vec<Entry>> {
        Box::pin(async move {
            let outbox = self.outbox(outbox);
            let prefix = query.key_prefix.clone();
            match self.mutation {
                ListIgnoresLimit => query.limit = 0,
                ListIgnoresAfter => query.after = 0,
                ListIgnoresStates => query.states.clear(),
                PrefixAsPattern => query.key_prefix = None,
                KeysAscending => query.order = integration_store::Order::Written,
                KeyPagesRepeat => query.key_before = None,
                _ => {}
            }
            let mut listed = self.inner.list(outbox, query).await?;
            if self.is(PrefixAsPattern) {
                let prefix = prefix.unwrap_or_default();
                let like = |key: &str| prefix.chars().zip(key.chars()).all(|(p, k)| p == '_' || p == k);
                listed.retain(|entry| like(&entry.key));
            }
            if self.is(ListBackwards) {
                listed.reverse();
            }
            Ok(listed.into_iter().map(|entry| self.shown(outbox, entry)).collect())
        })
    }

    fn history<'a>(&'a self, outbox: &'a str, entry: i64) -> Pending<'a, Vec<Event>> {
        Box::pin(async move {
            let outbox = self.outbox(outbox);
            let mut lines = self.inner.history(outbox, entry).await?;
            match self.mutation {
                HistoryLosesLines if lines.len() > 3 => drop(lines.remove(1)),
                HistoryBackwards => lines.reverse(),
                FlightWithoutLine => {
                    let known = self.known.lock().unwrap();
                    if known.in_flight.contains(&(outbox.to_owned(), entry)) {
                        lines.remove(0);
                    }
                }
                ClaimWithoutHistory => {
                    let asked = lines.last().is_some_and(|last| {
                        last.state == State::Unknown && &*last.data == b"data of taken in_flight"
                    });
                    if asked {
                        lines.pop();
                    }
                }
                TestimonyUnmarked => lines.iter_mut().for_each(|line| line.testimony = false),
                _ => {}
            }
            Ok(lines)
        })
    }

    fn claim_key<'a>(&'a self, ticket: &'a Ticket, lease: Duration) -> Pending<'a, Claim> {
        Box::pin(self.mutant_claim_key(ticket, lease))
    }

    fn done_key<'a>(&'a self, ticket: &'a Ticket, keep: Duration) -> Pending<'a, bool> {
        Box::pin(async move { self.mutant_done_key(&self.ticket(ticket), keep).await })
    }

    fn release_key<'a>(&'a self, ticket: &'a Ticket) -> Pending<'a, ()> {
        Box::pin(async move { self.mutant_release_key(&self.ticket(ticket)).await })
    }

    fn remember<'a>(&'a self, inbox: &'a str, key: &'a str, ttl: Duration) -> Pending<'a, bool> {
        Box::pin(async move {
            if self.is(RememberIgnoresClaims) {
                let ticket = Ticket::new(inbox, key, "asker");
                if matches!(self.standing(&ticket).await?, Claim::InProgress { .. }) {
                    return Ok(true);
                }
            }
            self.known.lock().unwrap().lanes.push((inbox.to_owned(), key.to_owned()));
            let ttl = if self.is(RememberForEver) { AGE } else { ttl };
            let first = self.inner.remember(inbox, key, ttl).await?;
            if self.is(RememberProlongs) && !first {
                self.inner.forget(inbox, key).await?;
                self.inner.remember(inbox, key, ttl).await?;
            }
            Ok(first || self.is(RememberAlways))
        })
    }

    fn forget<'a>(&'a self, inbox: &'a str, key: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            if self.is(ForgetDoesNothing) { Ok(()) } else { self.inner.forget(inbox, key).await }
        })
    }

    fn purge<'a>(&'a self, inbox: &'a str) -> Pending<'a, u64> {
        Box::pin(async move {
            if self.is(PurgeForgetsAll) {
                let remembered = self.known.lock().unwrap().lanes.clone();
                let purged = self.inner.purge(inbox).await?;
                for (_, key) in remembered.iter().filter(|(of, _)| of == inbox) {
                    self.inner.forget(inbox, key).await?;
                }
                return Ok(purged);
            }
            self.inner.purge(inbox).await
        })
    }

    fn checkpoint<'a>(&'a self, name: &'a str) -> Pending<'a, Option<Checkpoint>> {
        self.inner.checkpoint(name)
    }

    fn commit<'a>(&'a self, name: &'a str, mut commit: Commit) -> Pending<'a, Checkpoint> {
        Box::pin(async move {
            let stands = self.inner.checkpoint(name).await?.map_or(0, |found| found.version);
            match self.mutation {
                CommitWithoutRecords => commit.records.clear(),
                CommitIgnoresVersion => commit.version = stands,
                ConflictStillWritesRecords if commit.version != stands => {
                    let keys = commit.records.iter().map(|record| record.collection.clone()).collect();
                    self.known.lock().unwrap().keys.insert((name.to_owned(), "wrong".into()), keys);
                }
                _ => {}
            }
            self.inner.commit(name, commit).await
        })
    }

    fn records<'a>(
        &'a self,
        name: &'a str,
        collection: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Pending<'a, Vec<(String, Bytes)>> {
        Box::pin(async move {
            let limit = if self.is(RecordsIgnoreLimit) { usize::MAX } else { limit };
            let mut records = self.inner.records(name, collection, after, limit).await?;
            if self.is(RecordsUnordered) {
                records.sort_by_key(|(key, _)| key.to_lowercase());
            }
            if self.known.lock().unwrap().keys.contains_key(&(name.to_owned(), "wrong".into())) {
                records.push(("wrong".into(), "wrong".into()));
            }
            Ok(records)
        })
    }
}

async fn broken_by(mutation: Mutation) -> Vec<conformance::Failure> {
    let clock = Arc::new(ManualClock::new());
    let shared = Arc::clone(&clock);
    let make = move || {
        let inner = Memory::with_clock(Arc::clone(&shared) as _);
        let mutant: Arc<dyn Backend> = Arc::new(Mutant { inner, mutation, known: Mutex::default() });
        Box::pin(std::future::ready(mutant)) as BoxFuture<'static, _>
    };
    conformance::run_on_clock(make, clock).await.failures
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_wrapper_itself_breaks_nothing() {
    assert_eq!(broken_by(Sound).await, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_broken_guarantee_is_noticed() {
    let mut missed = Vec::new();
    for (mutation, check) in EACH {
        let broken = broken_by(*mutation).await;
        let names: Vec<&str> = broken.iter().map(|failure| failure.check).collect();
        println!("{mutation:?}: {names:?}");
        if !names.contains(check) {
            missed.push(format!("{mutation:?} was not noticed by {check}, but by {names:?}"));
        }
    }
    assert!(missed.is_empty(), "{missed:#?}");
}
