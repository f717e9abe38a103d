//! Two programs over one store, for one tenant: one sends, the other stands by (contract O3, O6, O7).

use std::sync::Arc;
use std::time::Duration;

use apiges_sync::ErrorKind;
use apiges_sync::sync::*;
use apiges_sync::web::*;
use tokio::sync::Notify;

use super::fuse::Fuse;
use super::world::*;

async fn some_time() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

async fn opened() -> (World, WebSync, WebSync) {
    let world = world();
    world.firm.put(file(1, 7));
    let (one, two) = (world.engine(), world.engine());
    one.open(&grant(7).show(FieldBox::Clave), "ana").await.unwrap();
    world.settle(&one).await;
    world.portal.forget_log();
    (world, one, two)
}

#[tokio::test]
async fn a_grant_does_not_change_while_another_programs_push_is_on_its_way() {
    let (world, one, two) = opened().await;
    let told = Arc::new(Notify::new());
    world.portal.state().before = Some(("W30", Arc::clone(&told)));
    world.firm.edit(1, |file| file.full.numero = Some("A".into()));
    one.saved(1, world.now()).await.unwrap();
    let running = one.clone();
    let work = tokio::spawn(async move { running.run(std::future::pending()).await });
    some_time().await;
    // It carries the key, and has not arrived.
    let own = two.grant(&client("7")).await.unwrap().unwrap();
    let outcome = two.revise(&own.hide(&FieldBox::Clave), "berta").await.unwrap();
    some_time().await;
    world.portal.state().before = None;
    told.notify_one();
    world.clock.advance(Duration::from_secs(2));
    some_time().await;
    assert_eq!(world.portal.state().excesses, Vec::<String>::new());
    assert_eq!(outcome, GrantOutcome::Queued);
    let view = &world.portal.sees(&client("7"))[&1];
    assert_eq!((view["numero"].as_str(), view.get("clave")), (Some("A"), None));
    let audit = one.audit(0).await.unwrap();
    assert_eq!(audit.last().unwrap().1.by(), "berta");
    work.abort();
}

#[tokio::test]
async fn what_another_program_is_at_is_refused_and_what_is_reported_is_not() {
    let (world, one, two) = opened().await;
    let running = one.clone();
    let work = tokio::spawn(async move { running.run(std::future::pending()).await });
    some_time().await;
    let none = LoadOptions::new();
    let refusals = [
        two.drain().await.unwrap_err(),
        two.initial_load(&none).await.unwrap_err(),
        two.push_contact(&client("7"), &none).await.unwrap_err(),
        two.reconcile().await.unwrap_err(),
    ];
    assert!(refusals.iter().all(|error| error.kind() == ErrorKind::Blocked && error.is_not_sent()));
    assert_eq!(world.portal.rows(), Vec::<&str>::new());
    world.firm.edit(1, |file| file.full.numero = Some("A".into()));
    two.saved(1, world.now()).await.unwrap();
    world.clock.advance(Duration::from_secs(2));
    some_time().await;
    assert_eq!(world.portal.sees(&client("7"))[&1]["numero"], "A");
    work.abort();
}

#[tokio::test]
async fn an_engine_that_was_dropped_at_work_holds_up_no_other_of_the_same_program() {
    let (world, one, two) = opened().await;
    world.portal.state().before = Some(("W24", Arc::default()));
    let none = LoadOptions::new();
    let load = tokio::time::timeout(Duration::from_millis(20), one.initial_load(&none));
    assert!(load.await.is_err(), "it is dropped in the middle");
    world.portal.state().before = None;
    assert_eq!(two.initial_load(&none).await.unwrap().contacts, 1);
}

#[tokio::test]
async fn one_stands_by_and_takes_over() {
    for ends_well in [true, false] {
        let (world, _, two) = opened().await;
        let fuse = Fuse::default();
        let one = world.engine_with(&fuse);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let first = tokio::spawn(async move {
            one.run(async {
                drop(stopped.await);
            })
            .await
        });
        some_time().await;
        let running = two.clone();
        let second = tokio::spawn(async move { running.run(std::future::pending()).await });
        some_time().await;
        let wait = if ends_well {
            stop.send(()).unwrap();
            first.await.unwrap().unwrap();
            2
        } else {
            // It gives nothing back.
            fuse.blow();
            29
        };
        world.firm.edit(1, |file| file.full.numero = Some("A".into()));
        two.saved(1, world.now()).await.unwrap();
        world.clock.advance(Duration::from_secs(wait));
        some_time().await;
        let sees = || world.portal.sees(&client("7"))[&1]["numero"].clone();
        assert_eq!(sees() == "A", ends_well);
        world.clock.advance(Duration::from_secs(2));
        some_time().await;
        assert_eq!(sees(), "A");
        second.abort();
    }
}
