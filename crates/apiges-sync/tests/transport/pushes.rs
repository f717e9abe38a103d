//! Pushes of case files (contract O2, O5, 4.6, W30 to W33).

use apiges_sync::ErrorKind;
use apiges_sync::web::*;

use crate::support::{Acts, LIMITS, client, granted, key, kind, push, refused, seen, view};

pub(crate) async fn a_push_is_judged_by_its_version(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let numbered = |version, number: &str| push(7, version).shows(&one, view(number, None));
    assert_eq!(numbered(4, "M4").outcome(portal).await, (PushOutcome::Applied, 4));
    assert_eq!(numbered(4, "M4").outcome(portal).await, (PushOutcome::Duplicate, 4));
    assert_eq!(refused(numbered(4, "other").send(portal).await), RefusalCode::VersionReuse);
    assert_eq!(numbered(3, "M3").outcome(portal).await, (PushOutcome::Stale, 4));
    assert_eq!(seen(portal, &one).await, [(7, view("M4", None))]);
    assert_eq!(numbered(9, "M9").outcome(portal).await, (PushOutcome::Applied, 9));
    assert_eq!(seen(portal, &one).await, [(7, view("M9", None))]);
    // The order of the lists is no content.
    let [two, three] = granted(portal, ["2", "3"]).await;
    let (a, b) = (view("A", None), view("B", None));
    push(8, 1).shows(&two, a.clone()).shows(&three, b.clone()).send(portal).await.unwrap();
    let turned = push(8, 1).shows(&three, b).shows(&two, a);
    assert_eq!(turned.outcome(portal).await, (PushOutcome::Duplicate, 1));
}

pub(crate) async fn versions_begin_at_1(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let first = push(7, 0).shows(&one, view("M1", None)).send(portal).await;
    assert_eq!(refused(first), RefusalCode::Invalid);
    assert_eq!(seen(portal, &one).await, []);
}

pub(crate) async fn a_tombstone_keeps_older_pushes_away(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let shown = |version| push(7, version).shows(&one, view("M1", None));
    let gone = || push(7, 3).takes(&one, Reason::CaseClosed);
    shown(1).send(portal).await.unwrap();
    assert_eq!(gone().outcome(portal).await, (PushOutcome::Applied, 3));
    assert_eq!(seen(portal, &one).await, []);
    assert_eq!(shown(2).outcome(portal).await, (PushOutcome::Stale, 3));
    assert_eq!(gone().outcome(portal).await, (PushOutcome::Duplicate, 3));
    assert_eq!(refused(shown(3).send(portal).await), RefusalCode::VersionReuse);
    assert_eq!(seen(portal, &one).await, []);
    let case = portal.case(7).await.unwrap().unwrap();
    assert_eq!((case.version, case.grants, case.withdrawn.len()), (3, vec![], 1));
    assert_eq!((&case.withdrawn[0].grant, &case.withdrawn[0].reason), (&one, &Reason::CaseClosed));
    assert_eq!(shown(4).outcome(portal).await, (PushOutcome::Applied, 4));
    assert_eq!(seen(portal, &one).await, [(7, view("M1", None))]);
}

pub(crate) async fn nobody_loses_a_file_without_being_named(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two, three] = granted(portal, ["1", "2", "3"]).await;
    let all = push(7, 1).shows(&one, view("M1", None)).shows(&two, view("M1", None));
    all.shows(&three, view("M1", None)).send(portal).await.unwrap();
    let error = push(7, 2).shows(&two, view("M2", None)).send(portal).await.unwrap_err();
    let refusal = Refusal::of(&error).unwrap();
    assert_eq!(refusal.code, RefusalCode::ImplicitWithdrawal);
    assert_eq!(refusal.unnamed_holders(), Some(vec![one.clone(), three.clone()]));
    assert_eq!(seen(portal, &two).await, [(7, view("M1", None))]);
    // Named in either list, and only who has it still must be.
    let named = push(7, 2).takes(&one, Reason::CaseMoved).takes(&three, Reason::ScopeNarrowed);
    named.shows(&two, view("M2", None)).send(portal).await.unwrap();
    push(7, 3).shows(&two, view("M3", None)).send(portal).await.unwrap();
    assert_eq!(seen(portal, &one).await, []);
    // An older push is not asked whom it names.
    assert_eq!(push(7, 1).outcome(portal).await.0, PushOutcome::Stale);
}

pub(crate) async fn a_suspended_grant_keeps_its_older_projection(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 1).shows(&one, view("M1", None)).shows(&two, view("M1", None)).send(portal).await.unwrap();
    portal.suspend(&one, 1, &key()).await.unwrap();
    assert_eq!(push(7, 2).shows(&two, view("M2", None)).outcome(portal).await.0, PushOutcome::Applied);
    assert_eq!(seen(portal, &one).await, []);
    assert_eq!(portal.digest(&one).await.unwrap().count, 1);
    // Withdrawals do not stop for a suspended grant.
    push(8, 3).shows(&two, view("M8", None)).send(portal).await.unwrap();
    portal.resume(&one, 2, &key()).await.unwrap();
    assert_eq!(seen(portal, &one).await, [(7, view("M1", None))]);
    portal.suspend(&one, 3, &key()).await.unwrap();
    let gone = push(7, 4).shows(&two, view("M2", None)).takes(&one, Reason::CaseMoved);
    gone.send(portal).await.unwrap();
    portal.resume(&one, 4, &key()).await.unwrap();
    assert_eq!(seen(portal, &one).await, []);
}

pub(crate) async fn a_file_moves_in_one_push(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    let moved = push(7, 2).takes(&one, Reason::CaseMoved).shows(&two, view("M1", None)).value();
    let moved = CasePush { cause: Cause::Moved, ..moved };
    portal.push(&moved, &key()).await.unwrap();
    assert_eq!((seen(portal, &one).await, seen(portal, &two).await.len()), (vec![], 1));
}

pub(crate) async fn a_field_that_is_no_longer_shown_is_absent(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 1).shows(&one, view("M1", Some("K-1"))).send(portal).await.unwrap();
    push(7, 2).shows(&one, view("M1", None)).send(portal).await.unwrap();
    assert_eq!(seen(portal, &one).await[0].1.present(), ["numero"]);
}

pub(crate) async fn a_batch_answers_for_each_push(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 5).shows(&one, view("M5", None)).send(portal).await.unwrap();
    let items = vec![
        push(7, 5).shows(&one, view("other", None)).value(),
        push(7, 4).shows(&one, view("M4", None)).value(),
        push(7, 6).value(),
        push(7, 5).shows(&one, view("M5", None)).value(),
        push(8, 1).shows(&one, view("M8", None)).value(),
    ];
    let answer = portal.push_batch(&CaseBatch { items }, &key()).await.unwrap();
    let told: Vec<_> = answer
        .items
        .iter()
        .map(|item| (item.case_id, item.status_code, item.outcome.clone(), item.stored_version))
        .collect();
    let expected = [
        (Some(7), 409, None, None),
        (Some(7), 200, Some(PushOutcome::Stale), Some(5)),
        (Some(7), 409, None, None),
        (Some(7), 200, Some(PushOutcome::Duplicate), Some(5)),
        (Some(8), 200, Some(PushOutcome::Applied), Some(1)),
    ];
    assert_eq!(told, expected);
    let codes: Vec<_> =
        answer.items.iter().filter_map(|item| Some(item.error.as_ref()?.code.clone())).collect();
    assert_eq!(codes, ["version-reuse", "implicit-withdrawal"]);
    assert_eq!(seen(portal, &one).await, [(7, view("M5", None)), (8, view("M8", None))]);
}

pub(crate) async fn a_batch_has_a_limit(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let batch = |items: u64| CaseBatch {
        items: (1..=items).map(|case| push(case, 1).shows(&one, view("M", None)).value()).collect(),
    };
    let over = portal.push_batch(&batch(LIMITS.batch_items + 1), &key()).await;
    assert_eq!(refused(over), RefusalCode::TooLarge);
    assert_eq!(seen(portal, &one).await, []);
    portal.push_batch(&batch(LIMITS.batch_items), &key()).await.unwrap();
    assert_eq!(seen(portal, &one).await.len() as u64, LIMITS.batch_items);
}

pub(crate) async fn a_file_that_was_never_there_is_none(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    assert_eq!(portal.case(7).await.unwrap(), None);
    let nobody = push(7, 1).shows(&client("9"), view("M1", None)).send(portal).await;
    assert_eq!(kind(nobody), ErrorKind::Refused);
    assert_eq!(portal.case(7).await.unwrap(), None);
}
