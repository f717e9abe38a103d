//! From a grant to a file that is seen, changes, and goes.

use apiges_sync::sync::*;
use apiges_sync::web::*;

use super::world::*;

#[tokio::test]
async fn a_grant_a_load_a_saved_file_and_an_exclusion() {
    let world = world();
    for id in 1..=3 {
        world.firm.put(file(id, 7));
    }
    world.firm.edit(3, |file| modality(file, "P"));
    let sync = world.engine();
    let opened = sync.open(&grant(7).show(FieldBox::Clave), "ana").await.unwrap();
    assert_eq!(opened, GrantOutcome::Applied);

    let report = sync.push_contact(&client("7"), &LoadOptions::new()).await.unwrap();
    assert_eq!((report.contacts, report.sent, report.totals.applied), (1, 3, 3));
    let seen = world.portal.sees(&client("7"));
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((seen[&1]["clave"].as_str(), seen[&1].get("referencia")), (Some("K-1"), None));
    world.settle(&sync).await;

    world.firm.edit(1, |file| file.full.numero = Some("N1".into()));
    sync.saved(1, world.now()).await.unwrap();
    let drained = sync.drain().await.unwrap();
    assert_eq!((drained.done, drained.failed), (1, 0));
    assert_eq!(world.portal.sees(&client("7"))[&1]["numero"], "N1");

    let grant = sync.grant(&client("7")).await.unwrap().unwrap();
    sync.revise(&grant.exclude_modality("P"), "ana").await.unwrap();
    world.settle(&sync).await;
    let seen = world.portal.sees(&client("7"));
    assert_eq!(seen.keys().copied().collect::<Vec<_>>(), [1, 2]);
    assert_eq!(world.portal.state().cases[&3].held[&client("7")].reason, Some(Reason::ModalityExcluded));
    assert_eq!(sync.reconcile().await.unwrap().mismatches, []);
}
