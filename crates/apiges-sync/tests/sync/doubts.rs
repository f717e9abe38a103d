//! What is left when something breaks off, hangs, changes under the hand or is held back: nothing stays in doubt, nothing waits for it, and
//! nothing is set aside for it (contract 4.4, 4.5 O6, O7, O9, section 6 Y1).

use std::sync::Arc;
use std::time::Duration;

use apiges_sync::Lang;
use apiges_sync::grant::{HolderRole, Rules, WebGrant};
use apiges_sync::sync::*;
use apiges_sync::web::*;
use tokio::sync::Notify;

use super::portal::Fault;
use super::world::*;

fn seven() -> ContactRef {
    client("7")
}

/// Files of client 7, which is opened and loaded.
async fn opened(ids: impl IntoIterator<Item = u64>, grant: WebGrant) -> (World, WebSync) {
    let world = world();
    ids.into_iter().for_each(|id| world.firm.put(file(id, 7)));
    let sync = world.engine();
    sync.open(&grant, "ana").await.unwrap();
    world.settle(&sync).await;
    world.portal.forget_log();
    (world, sync)
}

async fn save(world: &World, sync: &WebSync, id: u64, text: &str) {
    world.firm.edit(id, |file| file.full.numero = Some(text.to_owned()));
    sync.saved(id, world.now()).await.unwrap();
}

async fn some_time() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

/// What a test waits for in real time comes at once, or never.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(5), work)
        .await
        .expect("it waits for something that does not come")
}

fn seen(world: &World, contact: &ContactRef) -> Vec<u64> {
    world.portal.sees(contact).into_keys().collect()
}

fn two_members(world: &World) {
    world.groups.change(|groups| {
        [7, 8].into_iter().for_each(|id| groups.join(id, client(&id.to_string()), "G"));
    });
}

#[tokio::test]
async fn a_load_that_broke_off_beside_a_push_leaves_no_doubt() {
    let (world, sync) = opened([1], grant(7)).await;
    save(&world, &sync, 1, "A").await;
    let told = Arc::new(Notify::new());
    world.portal.state().after = Some(("W30", Arc::clone(&told)));
    let pushing = sync.clone();
    let push = tokio::spawn(async move { pushing.drain().await });
    some_time().await;
    assert_eq!(world.portal.rows(), ["W30"], "the push is on its way");
    // The load issues a later version of the same file, and nobody calls again.
    world.portal.fail("W23", Fault::Unreached);
    assert!(sync.push_contact(&seven(), &LoadOptions::new()).await.is_err());
    told.notify_one();
    world.portal.state().after = None;
    push.await.unwrap().unwrap();
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn what_a_load_read_after_a_push_that_overtook_it_is_pushed() {
    let (world, sync) = opened([1], grant(7)).await;
    // The load has begun, and has not read the file yet.
    let told = Arc::new(Notify::new());
    world.portal.state().before = Some(("W24", Arc::clone(&told)));
    let loading = sync.clone();
    let load = tokio::spawn(async move { loading.push_contact(&seven(), &LoadOptions::new()).await });
    some_time().await;
    save(&world, &sync, 1, "A").await;
    sync.drain().await.unwrap();
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
    // Nobody reports this one, and the load reads it.
    world.firm.edit(1, |file| file.full.numero = Some("B".into()));
    world.portal.state().before = None;
    told.notify_one();
    assert_eq!(load.await.unwrap().unwrap().totals.stale, 1);
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "B");
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn what_an_older_load_brings_after_a_later_one_is_pushed() {
    let (world, sync) = opened([1, 2], grant(7)).await;
    world.portal.fail("W22", Fault::Unreached);
    world.firm.edit(1, |file| file.full.numero = Some("A".into()));
    assert!(sync.initial_load(&LoadOptions::new()).await.is_err());
    // The sequence goes on, and a later load commits.
    save(&world, &sync, 2, "C").await;
    sync.drain().await.unwrap();
    world.firm.edit(1, |file| file.full.numero = Some("B".into()));
    sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    world.firm.edit(1, |file| file.full.numero = Some("D".into()));
    // The first one is taken up where it was, and reads what nobody reports.
    assert!(sync.initial_load(&LoadOptions::new()).await.unwrap().totals.stale > 0);
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "D");
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn a_load_whose_answer_was_lost_and_that_nobody_calls_again_leaves_no_doubt() {
    let (world, sync) = opened([1, 2], grant(7)).await;
    world.firm.edit(1, |file| file.full.numero = Some("A".into()));
    world.portal.fail("W23", Fault::LostAnswer);
    assert!(sync.initial_load(&LoadOptions::new()).await.is_err());
    drop(sync);
    let sync = world.engine();
    world.settle(&sync).await;
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "A");
    // It is called again all the same.
    let report = sync.initial_load(&LoadOptions::new()).await.unwrap();
    assert_eq!((report.contacts, report.sent), (1, 2));
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn a_scan_finds_what_a_load_sent_and_nobody_reported_to_be_as_before() {
    let (world, sync) = opened([1], grant(7)).await;
    sync.scan().await.unwrap();
    world.settle(&sync).await;
    world.firm.edit(1, |file| file.full.numero = Some("for a moment".into()));
    sync.push_contact(&seven(), &LoadOptions::new()).await.unwrap();
    world.firm.edit(1, |file| file.full.numero = Some("M1".into()));
    assert_eq!(sync.scan().await.unwrap().changed, 1);
    world.settle(&sync).await;
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "M1");
    assert_eq!(sync.scan().await.unwrap().changed, 0);
}

#[tokio::test]
async fn a_picture_that_changes_between_two_languages_is_at_the_portal_before_the_views() {
    let (world, sync) = opened([1], grant(7)).await;
    two_members(&world);
    sync.open(&grant(8).group("G").lang(Lang::En), "ana").await.unwrap();
    world.firm.graphic(1, b"one");
    sync.graphic_saved(1, world.now()).await.unwrap();
    world.settle(&sync).await;
    world.firm.0.lock().unwrap().next_picture = Some((1, Lang::En, b"two".to_vec()));
    save(&world, &sync, 1, "A").await;
    // The portal in memory panics at a view whose picture it does not have.
    world.settle(&sync).await;
    sync.graphic_saved(1, world.now()).await.unwrap();
    world.settle(&sync).await;
    for contact in [seven(), client("8")] {
        assert_eq!(world.portal.sees(&contact)[&1]["grafico"]["sha256"], Sha256::of(b"two").to_string());
    }
    assert_eq!(sync.dead().await.unwrap(), []);
}

#[tokio::test]
async fn a_picture_that_the_portal_dropped_goes_up_again() {
    let (world, sync) = opened([1], grant(7)).await;
    world.firm.graphic(1, b"one");
    sync.graphic_saved(1, world.now()).await.unwrap();
    world.settle(&sync).await;
    world.firm.edit(1, |file| file.full.grafico = None);
    sync.graphic_saved(1, world.now()).await.unwrap();
    world.settle(&sync).await;
    // A day later (B3).
    world.portal.state().blobs.clear();
    world.firm.graphic(1, b"one");
    sync.graphic_saved(1, world.now()).await.unwrap();
    world.settle(&sync).await;
    assert_eq!(world.portal.state().blobs.len(), 1);
    sync.revoke(&seven(), "ana").await.unwrap();
    world.settle(&sync).await;
    world.portal.state().blobs.clear();
    sync.open(&grant(7), "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!((seen(&world, &seven()), world.portal.state().blobs.len()), (vec![1], 1));
}

#[tokio::test]
async fn while_a_grant_cannot_be_shut_nothing_is_said_of_its_files() {
    for shut in ["suspend", "revoke"] {
        let (world, sync) = opened([1], grant(7)).await;
        two_members(&world);
        sync.open(&grant(8).group("G"), "ana").await.unwrap();
        world.settle(&sync).await;
        world.portal.fail_times(if shut == "suspend" { "W13" } else { "W14" }, Fault::Unreached, 3);
        let outcome = match shut {
            "suspend" => sync.suspend(&seven(), "ana").await,
            _ => sync.revoke(&seven(), "ana").await,
        };
        assert_eq!(outcome.unwrap(), GrantOutcome::Queued);
        save(&world, &sync, 1, "A").await;
        world.settle(&sync).await;
        let numbers = sync.numbers().await.unwrap();
        assert_eq!((numbers.implicit, numbers.dead, seen(&world, &seven())), (0, 0, vec![]), "{shut}");
        assert_eq!(world.portal.sees(&client("8"))[&1]["numero"], "A");
    }
}

#[tokio::test]
async fn a_load_of_somebody_whose_grant_goes_before_it_is_opened_is_no_failure() {
    let (world, sync) = opened([1], grant(7)).await;
    let told = Arc::new(Notify::new());
    world.portal.state().before = Some(("W24", Arc::clone(&told)));
    let loading = sync.clone();
    let load = tokio::spawn(async move { loading.push_contact(&seven(), &LoadOptions::new()).await });
    some_time().await;
    sync.revoke(&seven(), "ana").await.unwrap();
    world.portal.state().before = None;
    told.notify_one();
    assert_eq!(load.await.unwrap().unwrap(), LoadReport::default());
    world.settle(&sync).await;
    assert_eq!((seen(&world, &seven()), sync.dead().await.unwrap()), (vec![], vec![]));
}

#[tokio::test]
async fn a_load_that_the_guard_holds_back_looks_at_what_is_absent() {
    let (world, sync) = opened(1..=60, grant(7)).await;
    world.firm.0.lock().unwrap().files.retain(|id, _| *id > 21);
    let wider = sync.grant(&seven()).await.unwrap().unwrap().show(FieldBox::Clave);
    sync.revise(&wider, "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(sync.dead().await.unwrap(), []);
    assert_eq!(seen(&world, &seven()), (22..=60).collect::<Vec<_>>());
    assert!(world.portal.sees(&seven()).values().all(|view| view.get("clave").is_some()));
    let state = world.portal.state();
    assert!((1..=21).all(|id| state.cases[&id].held[&seven()].reason == Some(Reason::CaseRemoved)));
}

#[tokio::test]
async fn a_list_that_contradicts_the_files_takes_nothing_and_is_set_aside_for_a_person() {
    let (world, sync) = opened(1..=60, grant(7)).await;
    world.firm.0.lock().unwrap().unlisted = (1..=21).collect();
    let wider = sync.grant(&seven()).await.unwrap().unwrap().closed_cases(ClosedCases::Keep);
    sync.revise(&wider, "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(seen(&world, &seven()).len(), 60);
    let dead: Vec<String> = sync.dead().await.unwrap().into_iter().map(|entry| entry.what).collect();
    assert_eq!(dead, ["load/C/7"]);
    assert_eq!(sync.reconcile().await.unwrap().mismatches, [], "what it had sent is settled by pushes");
}

#[tokio::test]
async fn a_file_that_hangs_holds_up_no_change_of_a_grant() {
    let (world, sync) = opened([1], grant(7)).await;
    world.firm.put(file(2, 8));
    sync.open(&grant(8), "ana").await.unwrap();
    world.settle(&sync).await;
    let told = Arc::new(Notify::new());
    // One hangs in the firm's system, one at the portal.
    for at_portal in [false, true] {
        if at_portal {
            world.portal.state().before = Some(("W30", Arc::clone(&told)));
        } else {
            world.firm.0.lock().unwrap().silent = Some(1);
        }
        let running = sync.clone();
        let work = tokio::spawn(async move { running.run(std::future::pending()).await });
        save(&world, &sync, 1, &format!("A{at_portal}")).await;
        some_time().await;
        world.portal.state().before = None;
        let own = sync.grant(&client("8")).await.unwrap().unwrap();
        let other = if at_portal { own.hide(&FieldBox::Clave) } else { own.show(FieldBox::Clave) };
        assert_eq!(soon(sync.revise(&other, "ana")).await.unwrap(), GrantOutcome::Applied);
        save(&world, &sync, 2, &format!("B{at_portal}")).await;
        some_time().await;
        assert_eq!(world.portal.sees(&client("8"))[&2]["numero"], format!("B{at_portal}"));
        // Its turn ends.
        world.clock.advance(Duration::from_secs(121));
        some_time().await;
        assert_eq!(sync.numbers().await.unwrap().put_off, 1 + u64::from(at_portal));
        work.abort();
        drop(work.await);
        world.firm.0.lock().unwrap().silent = None;
        world.settle(&sync).await;
    }
    assert_eq!(world.portal.sees(&seven())[&1]["numero"], "Atrue");
}

#[tokio::test]
async fn what_keeps_changing_is_never_set_aside() {
    let (world, sync) = opened([1], grant(7)).await;
    world.firm.graphic(1, b"one");
    world.firm.0.lock().unwrap().fleeting = true;
    sync.graphic_saved(1, world.now()).await.unwrap();
    for _ in 0..20 {
        assert_eq!(sync.drain().await.unwrap().failed, 1);
        world.clock.advance(Duration::from_secs(301));
    }
    assert_eq!(sync.dead().await.unwrap(), []);
    world.firm.0.lock().unwrap().fleeting = false;
    world.settle(&sync).await;
    assert_eq!(world.portal.state().blobs.len(), 1);
}

#[tokio::test]
async fn a_kind_with_a_slash_is_another_contact() {
    let mut world = world();
    let kind = |name: &str| ContactKind::from_wire(name);
    let rules = Rules::default().with_holder(kind("X"), HolderRole::Client);
    world.settings.rules = rules.with_holder(kind("X/Y"), HolderRole::Client);
    world.firm.put(file(1, 7));
    world.firm.put(file(2, 8));
    let (one, two) = (ContactRef::new(kind("X/Y"), "1").unwrap(), ContactRef::new(kind("X"), "Y/1").unwrap());
    let sync = world.engine();
    for (contact, id) in [(&one, 7), (&two, 8)] {
        let grant = WebGrant::new(contact.clone(), id).activated().unwrap();
        sync.open(&grant, "ana").await.unwrap();
    }
    let sync = world.engine();
    world.settle(&sync).await;
    assert_eq!(sync.grants().await.unwrap().len(), 2);
    assert_eq!((seen(&world, &one), seen(&world, &two)), (vec![1], vec![2]));
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}

#[tokio::test]
async fn a_report_tells_of_what_was_committed_before_the_load_broke_off() {
    let world = world();
    for id in 1..=6 {
        world.firm.put(file(id, 7 + id % 3));
    }
    let sync = world.engine();
    for id in 7..=9 {
        sync.open(&grant(id), "ana").await.unwrap();
    }
    world.portal.fail("W23", Fault::Passes);
    world.portal.fail("W23", Fault::Unreached);
    assert!(sync.initial_load(&LoadOptions::new()).await.is_err());
    let report = world.engine().initial_load(&LoadOptions::new()).await.unwrap();
    assert_eq!((report.contacts, report.sent, report.totals.applied), (3, 6, 6));
}

#[tokio::test]
async fn opening_and_the_initial_load_send_a_contact_once() {
    let world = world();
    (1..=3).for_each(|id| world.firm.put(file(id, 7)));
    let sync = world.engine();
    sync.open(&grant(7), "ana").await.unwrap();
    sync.initial_load(&LoadOptions::new()).await.unwrap();
    world.settle(&sync).await;
    assert_eq!(world.portal.bodies("W22").len(), 1);
    // What was shut and is opened again is another matter (N2).
    sync.suspend(&seven(), "ana").await.unwrap();
    sync.resume(&seven(), "ana").await.unwrap();
    world.settle(&sync).await;
    assert_eq!(world.portal.bodies("W22").len(), 2);
}

#[tokio::test]
async fn a_store_with_one_connection_is_enough() {
    let (world, _) = opened(1..=30, grant(7)).await;
    let sync = world.engine_over_one_connection();
    for round in 0..3 {
        for id in 1..=30 {
            save(&world, &sync, id, &format!("{round}")).await;
        }
        soon(sync.drain()).await.unwrap();
    }
    assert!(world.portal.sees(&seven()).values().all(|view| view["numero"] == "2"));
}
