//! The rules of contract 4.2 to 4.7 one by one, and what never leaves (section 7: load, outbox, withdraw, privacy).

use std::sync::Mutex;
use std::time::Duration;

use apiges_sync::ErrorKind;
use apiges_sync::sync::*;
use apiges_sync::web::*;
use serde_json::Value;

use super::portal::Fault;
use super::world::*;

/// A firm with files of client 7, which is opened and loaded.
async fn opened(ids: impl IntoIterator<Item = u64>, grant: apiges_sync::grant::WebGrant) -> (World, WebSync) {
    let world = world();
    ids.into_iter().for_each(|id| world.firm.put(file(id, 7)));
    let sync = world.engine();
    sync.open(&grant, "ana").await.unwrap();
    world.settle(&sync).await;
    world.portal.forget_log();
    (world, sync)
}

fn seven() -> ContactRef {
    client("7")
}

fn seen(world: &World) -> Vec<u64> {
    world.portal.sees(&seven()).into_keys().collect()
}

fn reason(world: &World, case: u64) -> Option<Reason> {
    world.portal.state().cases[&case].held[&seven()].reason.clone()
}

async fn save(world: &World, sync: &WebSync, id: u64, text: &str) {
    world.firm.edit(id, |file| file.full.numero = Some(text.to_owned()));
    sync.saved(id, world.now()).await.unwrap();
}

#[tokio::test]
async fn marks_of_one_case_go_as_one_with_the_earliest_time() {
    let (world, sync) = opened([1], grant(7)).await;
    let first = world.now();
    for (number, text) in ["A", "B", "C"].into_iter().enumerate() {
        save(&world, &sync, 1, text).await;
        world.clock.advance(Duration::from_secs(number as u64 + 1));
    }
    let drained = sync.drain().await.unwrap();
    assert_eq!(drained.done, 1);
    let pushes = world.portal.bodies("W30");
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0]["projections"][0]["view"]["numero"], "C");
    assert_eq!(pushes[0]["savedAt"], Instant::from(first).to_string());
    let numbers = sync.numbers().await.unwrap();
    assert_eq!((numbers.p50, numbers.p99, numbers.pending), (Some(Duration::from_secs(6)), numbers.p50, 0));
}

#[tokio::test]
async fn what_did_not_change_is_not_sent() {
    let (world, sync) = opened([1], grant(7)).await;
    sync.saved(1, world.now()).await.unwrap();
    world.firm.edit(1, |file| file.full.clave = Some("another, behind an empty box".into()));
    sync.saved(1, world.now()).await.unwrap();
    sync.drain().await.unwrap();
    assert_eq!(world.portal.rows(), Vec::<&str>::new());
}

#[tokio::test]
async fn many_cases_at_once_and_one_case_never_twice() {
    let (world, sync) = opened(1..=30, grant(7)).await;
    for round in 0..3 {
        for id in 1..=30 {
            save(&world, &sync, id, &format!("{round}")).await;
        }
    }
    world.settle(&sync).await;
    let state = world.portal.state();
    assert_eq!((state.most_under_way, state.case_overlaps), (8, 0));
}

#[tokio::test]
async fn a_lost_answer_is_repeated_with_the_same_key_and_bytes() {
    let (world, sync) = opened([1], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    world.portal.fail("W30", Fault::LostAnswer);
    assert_eq!(sync.drain().await.unwrap().failed, 1);
    // Another program, at another time, with nothing in memory.
    world.clock.advance(Duration::from_secs(100));
    let sync = world.engine();
    world.settle(&sync).await;
    let pushes = world.portal.bodies("W30");
    assert_eq!(pushes.len(), 2);
    assert_eq!(pushes[0], pushes[1]);
    assert_eq!(world.portal.state().replayed, 1);
}

#[tokio::test]
async fn after_a_lost_answer_what_changed_goes_under_a_newer_version() {
    let (world, sync) = opened([1], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    world.portal.fail("W30", Fault::LostAnswer);
    sync.drain().await.unwrap();
    world.firm.edit(1, |file| file.full.numero = Some("B".into()));
    world.settle(&sync).await;
    let versions: Vec<u64> =
        world.portal.bodies("W30").iter().map(|push| push["version"].as_u64().unwrap()).collect();
    assert_eq!(versions, [2, 3]);
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "B");
}

#[tokio::test]
async fn twelve_failures_make_it_dead_and_hold_up_nobody() {
    let (world, sync) = opened([1, 2], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    world.portal.fail_times("W30", Fault::Down, 12);
    for _ in 0..12 {
        assert_eq!(sync.drain().await.unwrap().failed, 1);
        assert_eq!(sync.drain().await.unwrap(), Drained::default(), "its pause is not over");
        world.clock.advance(Duration::from_secs(301));
    }
    let dead = sync.dead().await.unwrap();
    assert_eq!((dead.len(), dead[0].tries, dead[0].error.as_deref()), (1, 12, Some("UnexpectedStatus")));
    save(&world, &sync, 2, "B").await;
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&2]["numero"], "B");
    assert!(sync.replay(dead[0].id).await.unwrap());
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
    assert_eq!(sync.dead().await.unwrap(), []);
    assert!(!sync.replay(dead[0].id).await.unwrap());
}

#[tokio::test]
async fn pauses_double() {
    let (world, sync) = opened([1], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    world.portal.fail_times("W30", Fault::Down, 3);
    for pause in [1, 2, 4] {
        assert_eq!(sync.drain().await.unwrap().failed, 1);
        world.clock.advance(Duration::from_secs(pause - 1));
        assert_eq!(sync.drain().await.unwrap(), Drained::default(), "{pause}");
        world.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(sync.drain().await.unwrap().done, 1);
}

#[tokio::test]
async fn a_refusal_is_dead_at_once_and_a_newer_push_supersedes_it() {
    let (world, sync) = opened([1], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    world.portal.fail("W30", Fault::Refused);
    sync.drain().await.unwrap();
    assert_eq!(sync.dead().await.unwrap().len(), 1);
    save(&world, &sync, 1, "B").await;
    sync.drain().await.unwrap();
    assert_eq!(sync.dead().await.unwrap(), []);
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "B");
}

#[tokio::test]
async fn a_credential_that_is_not_accepted_kills_nothing() {
    let (world, sync) = opened([1], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    world.portal.fail_times("W30", Fault::Unauthorized, 20);
    world.settle(&sync).await;
    assert_eq!(sync.dead().await.unwrap(), []);
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
}

#[tokio::test]
async fn restrictions_go_ahead_of_ordinary_pushes() {
    let (mut world, sync) = opened(1..=4, grant(7).show(FieldBox::Clave)).await;
    world.settings.parallel = 1;
    drop(sync);
    let sync = world.engine();
    for id in 1..=3 {
        save(&world, &sync, id, "A").await;
    }
    world.firm.edit(4, |file| modality(file, "P"));
    let grant = sync.grant(&seven()).await.unwrap().unwrap();
    sync.revise(&grant.exclude_modality("P"), "ana").await.unwrap();
    sync.drain().await.unwrap();
    let rows = world.portal.rows();
    assert_eq!(rows[0], "W12", "{rows:?}");
    let pushed: Vec<Value> = world.portal.bodies("W30");
    let causes: Vec<&str> = pushed.iter().map(|push| push["cause"].as_str().unwrap()).collect();
    assert_eq!(causes[3], "grant", "the file that only the change concerns: {causes:?}");
    assert_eq!((seen(&world), reason(&world, 4)), (vec![1, 2, 3], Some(Reason::ModalityExcluded)));
}

#[tokio::test]
async fn a_restriction_overtakes_what_waited_before_it() {
    let (mut world, sync) = opened(1..=4, grant(7).show(FieldBox::Clave)).await;
    world.settings.parallel = 1;
    drop(sync);
    let sync = world.engine();
    // File 9 is new and waits first.
    world.firm.put(file(9, 7));
    sync.saved(9, world.now()).await.unwrap();
    let grant = sync.grant(&seven()).await.unwrap().unwrap();
    sync.revise(&grant.hide(&FieldBox::Clave), "ana").await.unwrap();
    sync.drain().await.unwrap();
    let order: Vec<u64> =
        world.portal.bodies("W30").iter().map(|push| push["caseId"].as_u64().unwrap()).collect();
    assert_eq!(order, [1, 2, 3, 4, 9]);
    assert!(world.portal.sees(&seven()).values().all(|view| view.get("clave").is_none()));
}

#[tokio::test]
async fn while_a_restriction_waits_nothing_goes_out_that_it_forbids() {
    let (world, sync) = opened([1], grant(7).show(FieldBox::Clave)).await;
    world.portal.fail_times("W12", Fault::Unreached, 2);
    let grant = sync.grant(&seven()).await.unwrap().unwrap();
    let outcome = sync.revise(&grant.hide(&FieldBox::Clave), "ana").await.unwrap();
    assert_eq!(outcome, GrantOutcome::Queued);
    save(&world, &sync, 1, "A").await;
    sync.drain().await.unwrap();
    let view = &world.portal.sees(&seven())[&1];
    assert_eq!((view["numero"].as_str(), view.get("clave")), (Some("A"), None));
}

#[tokio::test]
async fn everything_of_4_6() {
    let (world, sync) = opened(1..=5, grant(7)).await;
    world.firm.edit(1, close);
    world.firm.edit(2, |file| file.client = Some(8));
    world.firm.0.lock().unwrap().files.remove(&3);
    for id in 1..=3 {
        sync.saved(id, world.now()).await.unwrap();
    }
    world.settle(&sync).await;
    assert_eq!(seen(&world), [4, 5]);
    let reasons = [1, 2, 3].map(|id| reason(&world, id).unwrap());
    assert_eq!(reasons, [Reason::CaseClosed, Reason::CaseMoved, Reason::CaseRemoved]);
    let causes: Vec<Value> = world.portal.bodies("W30").iter().map(|push| push["cause"].clone()).collect();
    assert!(causes.contains(&"moved".into()) && causes.contains(&"closed".into()), "{causes:?}");
    world.firm.edit(1, reopen);
    sync.saved(1, world.now()).await.unwrap();
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1, 4, 5]);
    sync.revoke(&seven(), "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!((seen(&world), reason(&world, 4)), (vec![], Some(Reason::GrantRevoked)));
    // A tombstone is passed by a higher version only (Y5), and the grant's versions go on.
    sync.open(&grant(7), "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1, 4, 5]);
}

#[tokio::test]
async fn a_moved_file_is_one_push() {
    let (world, sync) = opened([1], grant(7)).await;
    sync.open(&grant(8), "ana").await.unwrap();
    world.settle(&sync).await;
    world.portal.forget_log();
    world.firm.edit(1, |file| file.client = Some(8));
    sync.saved(1, world.now()).await.unwrap();
    sync.drain().await.unwrap();
    let pushes = world.portal.bodies("W30");
    assert_eq!(pushes.len(), 1);
    assert_eq!(pushes[0]["projections"][0]["grant"]["code"], "8");
    assert_eq!(pushes[0]["withdrawals"][0]["reason"], "case-moved");
}

#[tokio::test]
async fn a_member_that_leaves_takes_its_files_along() {
    let (world, sync) = opened([1], grant(7).group("G")).await;
    world.firm.put(file(2, 8));
    world.groups.change(|groups| {
        groups.join(7, seven(), "G");
        groups.join(8, client("8"), "G");
    });
    sync.membership_changed(&client("8"), 8).await.unwrap();
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1, 2]);
    world.groups.change(|groups| groups.leave(8, "G"));
    sync.membership_changed(&client("8"), 8).await.unwrap();
    world.settle(&sync).await;
    assert_eq!((seen(&world), reason(&world, 2)), (vec![1], Some(Reason::ScopeNarrowed)));
}

#[tokio::test]
async fn a_narrowed_scope_is_withdrawn_without_asking_the_firm() {
    let (world, sync) = opened([1], grant(7)).await;
    world.firm.put(file(2, 8));
    world.groups.change(|groups| {
        groups.join(7, seven(), "G");
        groups.join(8, client("8"), "G");
    });
    let wide = sync.grant(&seven()).await.unwrap().unwrap().group("G");
    sync.revise(&wide, "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1, 2]);
    let narrow = sync.grant(&seven()).await.unwrap().unwrap().own();
    sync.revise(&narrow, "ana").await.unwrap();
    world.firm.0.lock().unwrap().failures = 1000;
    sync.drain().await.unwrap();
    assert_eq!(seen(&world), [1]);
    assert_eq!(world.portal.bodies("W40").len(), 1);
}

#[tokio::test]
async fn suspended_keeps_its_data_and_gets_none_until_it_is_resumed() {
    let (world, sync) = opened([1, 2], grant(7)).await;
    sync.suspend(&seven(), "ana").await.unwrap();
    save(&world, &sync, 1, "A").await;
    world.firm.edit(2, close);
    sync.saved(2, world.now()).await.unwrap();
    world.settle(&sync).await;
    {
        let state = world.portal.state();
        let view = state.cases[&1].held[&seven()].view.as_ref().unwrap();
        assert_eq!(view.numero.as_deref(), Some("M1"), "pushes stop");
        assert!(state.cases[&2].held[&seven()].view.is_none(), "withdrawals do not");
    }
    sync.resume(&seven(), "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
}

#[tokio::test]
async fn a_box_unticked_while_suspended_is_not_shown_by_resuming() {
    let (world, sync) = opened([1], grant(7).show(FieldBox::Clave)).await;
    sync.suspend(&seven(), "ana").await.unwrap();
    let grant = sync.grant(&seven()).await.unwrap().unwrap().hide(&FieldBox::Clave);
    sync.revise(&grant, "ana").await.unwrap();
    world.settle(&sync).await;
    sync.resume(&seven(), "ana").await.unwrap();
    assert!(
        world.portal.sees(&seven()).values().all(|view| view.get("clave").is_none()),
        "before anything is pushed"
    );
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1]);
}

#[tokio::test]
async fn a_renamed_code_keeps_one_grant_and_its_data() {
    let (world, sync) = opened([1, 2], grant(7)).await;
    sync.rename(&seven(), "007", "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&client("007")).len(), 2);
    assert_eq!((sync.grant(&seven()).await.unwrap(), sync.grants().await.unwrap().len()), (None, 1));
    save(&world, &sync, 1, "A").await;
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&client("007"))[&1]["numero"], "A");
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
    assert_eq!(sync.numbers().await.unwrap().implicit, 0);
}

#[tokio::test]
async fn every_change_is_audited_with_its_author() {
    let (world, sync) = opened([], grant(7)).await;
    sync.suspend(&seven(), "berta").await.unwrap();
    world.settle(&sync).await;
    sync.revoke(&seven(), "carla").await.unwrap();
    let audit = sync.audit(0).await.unwrap();
    let who: Vec<&str> = audit.iter().map(|(_, entry)| entry.by()).collect();
    assert_eq!(who, ["ana", "berta", "carla"]);
    assert_eq!(sync.open(&grant(8), " ").await.unwrap_err().faults().len(), 1);
}

#[tokio::test]
async fn a_grant_that_changed_at_the_portal_is_not_overwritten() {
    let (world, sync) = opened([1], grant(7)).await;
    let own = sync.grant(&seven()).await.unwrap().unwrap();
    world.portal.state().grants.get_mut(&seven()).unwrap().version = 5;
    let error = sync.revise(&own.clone().show(FieldBox::Clave), "ana").await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().code, RefusalCode::VersionConflict);
    let again = sync.revise(&own.show(FieldBox::Clave), "ana").await.unwrap_err();
    assert_eq!((again.kind(), again.is_not_sent()), (ErrorKind::Conflict, true));
    let fresh = sync.grant(&seven()).await.unwrap().unwrap();
    assert!(sync.revise(&fresh.show(FieldBox::Clave), "ana").await.is_ok());
}

#[tokio::test]
async fn a_broken_load_goes_on_behind_its_last_batch() {
    let mut world = world();
    world.settings.batch_items = 2;
    (1..=7).for_each(|id| world.firm.put(file(id, 7)));
    let sync = world.engine();
    sync.open(&grant(7), "ana").await.unwrap();
    world.portal.fail("W22", Fault::Down);
    assert!(sync.push_contact(&seven(), &LoadOptions::new()).await.is_err());
    // Batches 1 and 2 are accepted; the answer of the second is lost.
    world.portal.state().faults.clear();
    let first = sync.clone();
    world.portal.fail("W23", Fault::Unreached);
    assert!(first.push_contact(&seven(), &LoadOptions::new()).await.is_err());
    assert_eq!(seen(&world), Vec::<u64>::new(), "nothing is visible before the commit");
    let sync = world.engine();
    let report = sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    assert_eq!((report.sent, report.totals.applied), (7, 7));
    let batches = world.portal.bodies("W22");
    let numbers: Vec<u64> = batches.iter().map(|batch| batch[2].as_u64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(batches.iter().all(|batch| batch[0] == batches[0][0]), "one load");
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn an_incomplete_load_withdraws_nothing() {
    let (world, sync) = opened(1..=3, grant(7)).await;
    {
        let mut files = world.firm.0.lock().unwrap();
        files.incomplete = true;
        files.unlisted = vec![3];
    }
    let report = sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    assert_eq!((report.totals.withdrawn, report.totals.unchanged), (0, 2));
    assert_eq!(seen(&world), [1, 2, 3]);
    world.firm.0.lock().unwrap().incomplete = false;
    let report = sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    assert_eq!(report.totals.withdrawn, 1);
    assert_eq!((seen(&world), reason(&world, 3)), (vec![1, 2], Some(Reason::AbsentFromLoad)));
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn the_guard_wants_the_exact_number() {
    let (world, sync) = opened(1..=60, grant(7)).await;
    world.firm.0.lock().unwrap().files.retain(|id, _| *id > 21);
    let error = sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap_err();
    assert_eq!(Refusal::of(&error).unwrap().would_withdraw(), Some(21));
    assert_eq!(seen(&world).len(), 60);
    let wrong = LoadOptions::new().allow_withdrawals(seven(), 22);
    assert!(sync.push_contact(&seven(), &wrong).await.is_err());
    let right = LoadOptions::new().allow_withdrawals(seven(), 21);
    assert_eq!(sync.push_contact(&seven(), &right).await.unwrap().totals.withdrawn, 21);
    assert_eq!(seen(&world).len(), 39);
    assert_eq!(world.portal.bodies("W21").len(), 1, "the same load");
}

#[tokio::test]
async fn a_change_during_a_load_survives_the_commit() {
    let (world, sync) = opened(1..=3, grant(7)).await;
    world.firm.edit(1, |file| file.full.numero = Some("from the load".into()));
    world.portal.fail("W23", Fault::Unreached);
    assert!(sync.push_contact(&seven(), &LoadOptions::new()).await.is_err());
    save(&world, &sync, 1, "pushed later").await;
    world.firm.edit(2, close);
    sync.saved(2, world.now()).await.unwrap();
    world.settle(&sync).await;
    sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "pushed later");
    assert_eq!(seen(&world), [1, 3]);
}

#[tokio::test]
async fn a_load_that_a_changed_grant_overtook_shows_nothing_too_much() {
    let world = world();
    world.firm.put(file(1, 7));
    let sync = world.engine();
    sync.open(&grant(7).show(FieldBox::Clave), "ana").await.unwrap();
    world.portal.fail("W23", Fault::Unreached);
    assert!(sync.push_contact(&seven(), &LoadOptions::new()).await.is_err());
    let own = sync.grant(&seven()).await.unwrap().unwrap();
    sync.revise(&own.hide(&FieldBox::Clave), "ana").await.unwrap();
    sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    assert_eq!(world.portal.sees(&seven())[&1].get("clave"), None);
}

#[tokio::test]
async fn a_contact_without_files_is_loaded_too() {
    let (_, sync) = opened([], grant(7)).await;
    let report = sync.initial_load(&LoadOptions::new()).await.unwrap();
    assert_eq!((report.contacts, report.sent), (1, 0));
}

#[tokio::test]
async fn an_initial_load_sends_everything_of_all_and_goes_on_where_it_broke() {
    let world = world();
    for id in 1..=6 {
        world.firm.put(file(id, 7 + id % 3));
    }
    let sync = world.engine();
    for id in 7..=9 {
        sync.open(&grant(id), "ana").await.unwrap();
    }
    world.portal.fail("W23", Fault::LostAnswer);
    assert!(sync.initial_load(&LoadOptions::new()).await.is_err());
    let sync = world.engine();
    let report = sync.initial_load(&LoadOptions::new()).await.unwrap();
    assert_eq!((report.contacts, report.sent), (3, 6));
    assert_eq!(world.portal.bodies("W20").len(), 1);
    assert_eq!([7, 8, 9].map(|id: u64| world.portal.sees(&client(&id.to_string())).len()), [2, 2, 2]);
    assert_eq!(sync.reconcile().await.unwrap().compared, 0, "what follows from opening is not drawn yet");
    world.settle(&sync).await;
    let found = sync.reconcile().await.unwrap();
    assert_eq!((found.compared, found.mismatches), (3, vec![]));
}

#[tokio::test]
async fn what_the_portal_lost_or_made_up_is_found_and_mended() {
    let (world, sync) = opened(1..=3, grant(7)).await;
    world.firm.put(file(4, 8));
    {
        let mut state = world.portal.state();
        state.cases.get_mut(&1).unwrap().held.remove(&seven());
        let made_up = state.cases[&2].held[&seven()].clone();
        state.cases.entry(4).or_default().held.insert(seven(), made_up);
    }
    let found = sync.reconcile().await.unwrap();
    assert_eq!(found.mismatches, [seven()]);
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1, 2, 3]);
    assert_eq!(sync.numbers().await.unwrap().mismatches, 1);
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn a_ledger_that_is_behind_learns_from_the_portal() {
    let (world, sync) = opened([1, 2, 3], grant(7)).await;
    sync.open(&grant(8), "ana").await.unwrap();
    world.settle(&sync).await;
    {
        let mut state = world.portal.state();
        state.cases.get_mut(&1).unwrap().version = 40;
        let case = state.cases.get_mut(&2).unwrap();
        (case.version, case.pushed) = (2, Some((2, 1, "other".into())));
        let held = state.cases[&3].held[&seven()].clone();
        state.cases.get_mut(&3).unwrap().held.insert(client("8"), held);
    }
    for id in 1..=3 {
        save(&world, &sync, id, "A").await;
    }
    world.settle(&sync).await;
    assert!(world.portal.sees(&seven()).values().all(|view| view["numero"] == "A"));
    assert_eq!(world.portal.sees(&client("8")).len(), 0, "deny wins");
    let numbers = sync.numbers().await.unwrap();
    assert_eq!((numbers.stale, numbers.reused, numbers.implicit), (1, 1, 1));
}

#[tokio::test]
async fn a_graphic_goes_up_once_and_before_what_refers_to_it() {
    let (world, sync) = opened([1], grant(7)).await;
    world.firm.graphic(1, b"picture");
    sync.graphic_saved(1, world.now()).await.unwrap();
    sync.drain().await.unwrap();
    save(&world, &sync, 1, "A").await;
    sync.drain().await.unwrap();
    assert_eq!(world.portal.rows(), ["W51", "W30", "W30"]);
    assert_eq!(world.portal.bodies("W30")[0]["cause"], "graphic");
}

#[tokio::test]
async fn a_scan_finds_what_nobody_reported() {
    let (world, sync) = opened([1, 2, 3], grant(7)).await;
    assert_eq!(sync.scan().await.unwrap().changed, 3);
    world.settle(&sync).await;
    assert_eq!(sync.scan().await.unwrap().changed, 0);
    world.firm.edit(1, |file| file.full.numero = Some("A".into()));
    world.firm.0.lock().unwrap().files.remove(&2);
    world.firm.edit(3, |file| file.client = Some(8));
    let scanned = sync.scan().await.unwrap();
    assert_eq!((scanned.looked_at, scanned.changed), (3, 3));
    world.settle(&sync).await;
    assert_eq!(seen(&world), [1]);
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
}

#[derive(Debug, Default)]
struct Journal {
    asked: Mutex<Vec<Instant>>,
    page: Mutex<ChangePage>,
}

impl ChangeSource for Journal {
    fn since(&self, from: Instant) -> Asked<'_, ChangePage> {
        self.asked.lock().unwrap().push(from);
        let page = self.page.lock().unwrap().clone();
        Box::pin(async move { Ok(page) })
    }
}

#[tokio::test]
async fn the_cursor_of_a_journal_moves_after_a_complete_reading_only() {
    let (world, sync) = opened([1], grant(7)).await;
    let journal = Journal::default();
    let set = |complete, seconds: u64| {
        let changes = vec![ReportedChange { case: 1, saved_at: world.now().into() }];
        let clock = world.now() + Duration::from_secs(seconds);
        *journal.page.lock().unwrap() = ChangePage { changes, server_clock: Some(clock.into()), complete };
        Instant::from(clock - Duration::from_secs(15 * 60))
    };
    let bound = set(true, 0);
    assert!(sync.follow(&journal).await.unwrap().full, "no cursor: everything is looked at (Y7)");
    world.clock.advance(Duration::from_secs(100));
    set(false, 0);
    assert_eq!(sync.follow(&journal).await.unwrap().changed, 1);
    world.clock.advance(Duration::from_secs(100));
    let later = set(true, 0);
    sync.follow(&journal).await.unwrap();
    world.clock.advance(Duration::from_secs(100));
    sync.follow(&journal).await.unwrap();
    let asked = journal.asked.lock().unwrap().clone();
    assert_eq!(asked[1..], [bound, bound, later], "the overlap moves the question and never the cursor");
}

#[tokio::test]
async fn what_is_masked_is_nowhere() {
    let world = world();
    let canaries = ["canary-r1", "canary-r2", "canary-r3", "canary-k"];
    for id in 1..=3 {
        let mut file = file(id, 7);
        let full = &mut file.full;
        let [one, two, three, key] = canaries.map(|text| Some(text.to_owned()));
        (full.referencia, full.referencia2, full.referencia3, full.clave) = (one, two, three, key);
        world.firm.put(file);
    }
    let sync = world.engine();
    sync.open(&grant(7), "ana").await.unwrap();
    sync.initial_load(&LoadOptions::new()).await.unwrap();
    world.portal.fail("W30", Fault::Refused);
    world.portal.fail("W30", Fault::LostAnswer);
    for id in 1..=3 {
        save(&world, &sync, id, "A").await;
    }
    sync.drain().await.unwrap();
    sync.scan().await.unwrap();
    let shown = format!("{:?}{:?}{:?}", sync, sync.dead().await.unwrap(), sync.numbers().await.unwrap());
    let all = format!("{}{shown}{:?}", world.dump().await, world.portal.state().log);
    let all = all + &String::from_utf8_lossy(&serde_json::to_vec(&world.portal.bodies("W30")).unwrap());
    assert!(all.contains("holds") && all.contains("W22"), "the dump shows what there is");
    assert!(!all.contains("canary"));
    // What is seen is at the portal and not in the store either.
    assert!(!world.dump().await.contains("Marca Nacional"));
}

#[tokio::test]
async fn bad_input_is_told_at_once_and_sends_nothing() {
    let error =
        WebSync::builder().settings(Settings { parallel: 0, ..Settings::default() }).build().unwrap_err();
    assert_eq!(error.faults().len(), 5);
    let (world, sync) = opened([], grant(7)).await;
    assert_eq!(sync.open(&grant(7), "ana").await.unwrap_err().kind(), ErrorKind::Conflict);
    assert!(sync.rename(&seven(), "..", "ana").await.unwrap_err().is_validation());
    assert_eq!(sync.suspend(&client("9"), "ana").await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(world.portal.rows(), Vec::<&str>::new());
}

#[tokio::test]
async fn run_works_until_it_is_told_to_stop() {
    let (world, sync) = opened([1], grant(7)).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let running = sync.clone();
    let work = tokio::spawn(async move {
        let until = async { drop(stopped.await) };
        running.run(until).await
    });
    save(&world, &sync, 1, "A").await;
    while world.portal.sees(&seven())[&1]["numero"] != "A" {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    work.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_file_that_hangs_delays_no_other() {
    let (world, sync) = opened([1, 2], grant(7)).await;
    world.firm.0.lock().unwrap().silent = Some(1);
    let running = sync.clone();
    let work = tokio::spawn(async move { running.run(std::future::pending()).await });
    save(&world, &sync, 1, "A").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    save(&world, &sync, 2, "B").await;
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.portal.sees(&seven())[&2]["numero"], "B");
    work.abort();
}

#[tokio::test]
async fn a_lane_that_a_killed_program_left_is_found_while_another_hangs() {
    let (world, _) = opened([1, 2], grant(7)).await;
    let fuse = super::fuse::Fuse::default();
    let doomed = world.engine_with(&fuse);
    save(&world, &doomed, 2, "B").await;
    world.firm.0.lock().unwrap().silent = Some(2);
    // It takes the lane, and is killed while it asks for the file.
    let drained = tokio::time::timeout(Duration::from_millis(50), doomed.drain()).await;
    assert!(drained.is_err());
    world.firm.0.lock().unwrap().silent = Some(1);
    let sync = world.engine();
    let running = sync.clone();
    save(&world, &sync, 1, "A").await;
    let work = tokio::spawn(async move { running.run(std::future::pending()).await });
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    world.clock.advance(Duration::from_secs(31));
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.portal.sees(&seven())[&2]["numero"], "B");
    work.abort();
}

#[tokio::test]
async fn whoever_may_have_a_file_is_known_before_it_is_sent() {
    let (world, sync) = opened([1], grant(7)).await;
    world.firm.put(file(2, 7));
    world.portal.fail("W30", Fault::LostAnswer);
    sync.saved(2, world.now()).await.unwrap();
    assert_eq!(sync.drain().await.unwrap().failed, 1);
    world.firm.edit(2, close);
    sync.saved(2, world.now()).await.unwrap();
    world.settle(&sync).await;
    assert_eq!((seen(&world), sync.numbers().await.unwrap().implicit), (vec![1], 0));
}

/// Has client 8 leave the group as soon as a batch was accepted.
#[derive(Debug)]
struct Leaving(SharedGroups, u64);

impl Observer for Leaving {
    fn heard(&self, event: &SyncEvent) {
        if matches!(event, SyncEvent::Batch { number, .. } if *number == self.1) {
            self.0.change(|groups| groups.leave(8, "G"));
        }
    }
}

#[tokio::test]
async fn a_load_in_the_middle_of_which_a_member_left_shows_nothing_too_much() {
    for batch in 1..=2 {
        let mut world = world();
        world.settings.batch_items = 1;
        world.firm.put(file(1, 8));
        world.firm.put(file(2, 7));
        world
            .groups
            .change(|groups| [7, 8].into_iter().for_each(|id| groups.join(id, client(&id.to_string()), "G")));
        let sync = world.engine_heard_by(Leaving(world.groups.clone(), batch));
        sync.open(&grant(7).group("G"), "ana").await.unwrap();
        sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
        assert_eq!(seen(&world), [2], "after batch {batch}");
    }
}
