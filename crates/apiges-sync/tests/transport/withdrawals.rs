//! Withdrawals by list (contract 4.6, O5, W40, W41).

use apiges_sync::web::*;

use crate::support::{Acts, PAGE, granted, key, push, seen, view};

/// Withdraws one file from one grant.
async fn withdraw(
    portal: &dyn WebSyncTransport,
    grant: &ContactRef,
    case_id: u64,
    version: u64,
) -> WithdrawalOutcome {
    let item = WithdrawalItem { case_id, version, grant: grant.clone(), reason: Reason::ModalityExcluded };
    let batch = WithdrawalBatch { batch_id: BatchId::generate().unwrap(), items: vec![item] };
    let answer = portal.withdraw(&batch, &key()).await.unwrap();
    assert_eq!(answer.items.len(), 1);
    answer.items[0].outcome.clone()
}

pub(crate) async fn a_withdrawal_is_judged_by_the_version_of_the_grant(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 5).shows(&one, view("M", None)).shows(&two, view("M", None)).send(portal).await.unwrap();
    assert_eq!(withdraw(portal, &one, 7, 4).await, WithdrawalOutcome::Stale);
    let reused = withdraw(portal, &one, 7, 5).await;
    assert_eq!(reused.as_str(), RefusalCode::VersionReuse.as_str());
    assert_eq!(seen(portal, &one).await.len(), 1);
    assert_eq!(withdraw(portal, &one, 7, 6).await, WithdrawalOutcome::Withdrawn);
    assert_eq!(withdraw(portal, &one, 7, 6).await, WithdrawalOutcome::Already);
    assert_eq!(withdraw(portal, &one, 7, 5).await, WithdrawalOutcome::Stale);
    assert_eq!(withdraw(portal, &one, 7, 8).await, WithdrawalOutcome::Already);
    assert_eq!((seen(portal, &one).await, seen(portal, &two).await.len()), (vec![], 1));
    let case = portal.case(7).await.unwrap().unwrap();
    assert_eq!((case.grants, &case.withdrawn[0].reason), (vec![two.clone()], &Reason::ModalityExcluded));
    // Per grant, not per file: the other one still stands at 5.
    assert_eq!(withdraw(portal, &two, 7, 6).await, WithdrawalOutcome::Withdrawn);
}

pub(crate) async fn a_withdrawal_raises_the_version_of_the_file(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 5).shows(&one, view("M", None)).shows(&two, view("M", None)).send(portal).await.unwrap();
    withdraw(portal, &one, 7, 7).await;
    assert_eq!(portal.case(7).await.unwrap().unwrap().version, 7);
    let shown = |version| push(7, version).shows(&one, view("N", None)).shows(&two, view("N", None));
    assert_eq!(shown(6).outcome(portal).await, (PushOutcome::Stale, 7));
    assert_eq!(seen(portal, &one).await, []);
    let reuse = shown(7).send(portal).await;
    assert_eq!(crate::support::refused(reuse), RefusalCode::VersionReuse);
    assert_eq!(shown(8).outcome(portal).await, (PushOutcome::Applied, 8));
    assert_eq!(seen(portal, &one).await.len(), 1);
}

pub(crate) async fn what_was_never_there_leaves_a_tombstone(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    assert_eq!(withdraw(portal, &one, 7, 3).await, WithdrawalOutcome::Already);
    let late = push(7, 2).shows(&one, view("M", None));
    assert_eq!(late.outcome(portal).await, (PushOutcome::Stale, 3));
    assert_eq!(seen(portal, &one).await, []);
}

pub(crate) async fn withdrawals_are_kept_for_audit_in_pages(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    for case in 1..=5 {
        push(case, 1).shows(&one, view("M", None)).send(portal).await.unwrap();
    }
    push(1, 2).takes(&one, Reason::CaseClosed).send(portal).await.unwrap();
    withdraw(portal, &one, 2, 2).await;
    withdraw(portal, &one, 2, 3).await;
    portal.revoke(&one, 1, &key()).await.unwrap();
    let first = portal.withdrawals(Part::default()).await.unwrap();
    assert_eq!(first.items.len(), PAGE);
    let rest = portal.withdrawals(Part::after(first.next.unwrap())).await.unwrap();
    assert_eq!(rest.next, None);
    let all = [first.items, rest.items].concat();
    let told: Vec<_> =
        all.iter().map(|record| (record.case_id, record.version, record.reason.as_str())).collect();
    let expected = [
        (1, 2, "case-closed"),
        (2, 2, "modality-excluded"),
        (3, 1, "grant-revoked"),
        (4, 1, "grant-revoked"),
        (5, 1, "grant-revoked"),
    ];
    assert_eq!(told, expected);
    assert!(all.iter().all(|record| record.grant == one && record.at.is_some()));
    let few = portal.withdrawals(Part::after("1").limit(2)).await;
    assert!(few.is_ok_and(|page| page.items.len() == 2 && page.next.is_some()));
}

/// O5: the first version is 1. A list that cannot be read does nothing of it.
pub(crate) async fn a_withdrawal_without_a_version_is_refused_whole(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 1).shows(&one, view("M", None)).send(portal).await.unwrap();
    let item = |case_id, version| WithdrawalItem {
        case_id,
        version,
        grant: one.clone(),
        reason: Reason::CaseClosed,
    };
    let batch = WithdrawalBatch { batch_id: BatchId::new("b-1"), items: vec![item(7, 2), item(8, 0)] };
    assert_eq!(crate::support::refused(portal.withdraw(&batch, &key()).await), RefusalCode::Invalid);
    assert_eq!(seen(portal, &one).await.len(), 1);
    assert_eq!(portal.case(8).await.unwrap(), None);
}
