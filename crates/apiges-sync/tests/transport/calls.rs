//! What holds for every call: limits, keys, lost answers, the credential (contract 2.2, O4, Y8, W01).

use std::time::Duration;

use apiges_sync::ErrorKind;
use apiges_sync::web::*;

use crate::support::{Acts, LIMITS, granted, key, push, refused, seen, view};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) async fn health_names_protocol_tenant_and_limits(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let health = portal.health().await.unwrap();
    assert_eq!((health.protocol, health.tenant.as_str()), (1, "demo"));
    assert_eq!((health.limits, portal.tenant()), (LIMITS, "demo"));
}

pub(crate) async fn a_key_that_comes_again_is_answered_as_the_first_time(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one] = granted(portal, ["1"]).await;
    let (body, same) = (push(7, 1).shows(&one, view("M1", None)).value(), key());
    assert_eq!(portal.push(&body, &same).await.unwrap().outcome, PushOutcome::Applied);
    assert_eq!(portal.push(&body, &same).await.unwrap().outcome, PushOutcome::Applied);
    assert_eq!(portal.push(&body, &key()).await.unwrap().outcome, PushOutcome::Duplicate);
    // The answer of the first time, even if something newer is there by now.
    push(7, 2).shows(&one, view("M2", None)).send(portal).await.unwrap();
    let again = portal.push(&body, &same).await.unwrap();
    assert_eq!((again.outcome, again.stored_version), (PushOutcome::Applied, 1));
    assert_eq!(seen(portal, &one).await, [(7, view("M2", None))]);
}

pub(crate) async fn a_key_that_says_something_else_is_a_mismatch(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one] = granted(portal, ["1"]).await;
    let same = key();
    portal.push(&push(7, 1).shows(&one, view("M1", None)).value(), &same).await.unwrap();
    let other = push(7, 1).shows(&one, view("M2", None)).value();
    assert_eq!(refused(portal.push(&other, &same).await), RefusalCode::IdempotencyMismatch);
    assert_eq!(refused(portal.suspend(&one, 1, &same).await), RefusalCode::IdempotencyMismatch);
    assert_eq!(seen(portal, &one).await, [(7, view("M1", None))]);
}

pub(crate) async fn a_key_is_good_for_24_hours(portal: &dyn WebSyncTransport, acts: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let (body, same) = (push(7, 1).shows(&one, view("M1", None)).value(), key());
    portal.push(&body, &same).await.unwrap();
    acts.advance(DAY - Duration::from_secs(60));
    assert_eq!(portal.push(&body, &same).await.unwrap().outcome, PushOutcome::Applied);
    acts.advance(Duration::from_secs(61));
    assert_eq!(portal.push(&body, &same).await.unwrap().outcome, PushOutcome::Duplicate);
}

pub(crate) async fn a_refusal_is_not_remembered(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    let same = key();
    let forgetful = push(7, 2).shows(&two, view("M1", None)).value();
    assert_eq!(refused(portal.push(&forgetful, &same).await), RefusalCode::ImplicitWithdrawal);
    let whole = push(7, 2).shows(&one, view("M1", None)).shows(&two, view("M1", None)).value();
    assert_eq!(portal.push(&whole, &same).await.unwrap().outcome, PushOutcome::Applied);
}

/// One transport repeats by itself, the other leaves it to its caller: both under the same key.
pub(crate) async fn a_lost_answer_is_had_again_and_nothing_is_done_twice(
    portal: &dyn WebSyncTransport,
    acts: &dyn Acts,
) {
    let [one] = granted(portal, ["1"]).await;
    acts.lose_the_answer_of_the_next_push();
    let (body, same) = (push(7, 1).shows(&one, view("M1", None)).value(), key());
    let answer = match portal.push(&body, &same).await {
        Ok(answer) => answer,
        Err(error) => {
            assert!(error.is_outcome_unknown(), "{error}");
            portal.push(&body, &same).await.unwrap()
        }
    };
    // Not `duplicate`: what is had again is the answer that was lost.
    assert_eq!(answer.outcome, PushOutcome::Applied);
    assert_eq!(seen(portal, &one).await, [(7, view("M1", None))]);
}

pub(crate) async fn a_wrong_credential_is_not_accepted(portal: &dyn WebSyncTransport, acts: &dyn Acts) {
    acts.refuse_the_next_call_with(401);
    assert_eq!(portal.health().await.unwrap_err().kind(), ErrorKind::Authentication);
}

pub(crate) async fn a_credential_without_rights_is_forbidden(portal: &dyn WebSyncTransport, acts: &dyn Acts) {
    acts.refuse_the_next_call_with(403);
    assert_eq!(portal.health().await.unwrap_err().kind(), ErrorKind::Forbidden);
}
