//! Grants (contract 4.2, W10 to W15, W17).

use std::collections::BTreeSet;

use apiges_sync::ErrorKind;
use apiges_sync::web::*;

use crate::support::{Acts, PAGE, client, grant_of, granted, key, kind, push, refused, seen, view};

pub(crate) async fn a_grant_is_created_once(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let one = client("00/48 ñ");
    assert_eq!(portal.grant(&one).await.unwrap(), None);
    let stored = portal.put_grant(&grant_of(&one), Expected::Absent, &key()).await.unwrap();
    assert_eq!(stored, Grant { version: 1, ..grant_of(&one) });
    assert_eq!(portal.grant(&one).await.unwrap(), Some(stored));
    let again = portal.put_grant(&grant_of(&one), Expected::Absent, &key()).await;
    assert_eq!(refused(again), RefusalCode::VersionConflict);
}

pub(crate) async fn a_grant_changes_at_its_version_only(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let scope = Scope::Group { group: "G7".to_owned() };
    let show = BTreeSet::from([FieldBox::Clave, FieldBox::Referencia2]);
    let excluded_modalities = BTreeSet::from(["P".to_owned()]);
    // The version of the body is not looked at.
    let wanted = Grant { scope, show, excluded_modalities, version: 77, ..grant_of(&one) };
    let changed = portal.put_grant(&wanted, Expected::Version(1), &key()).await.unwrap();
    assert_eq!(changed, Grant { version: 2, ..wanted.clone() });
    for expected in [Expected::Version(1), Expected::Version(3), Expected::Absent] {
        let late = portal.put_grant(&grant_of(&one), expected, &key()).await;
        assert_eq!(refused(late), RefusalCode::VersionConflict, "{expected:?}");
    }
    assert_eq!(portal.grant(&one).await.unwrap(), Some(changed));
    // One that is not there stands at no version.
    let absent = portal.put_grant(&grant_of(&client("9")), Expected::Version(1), &key()).await;
    assert_eq!(refused(absent), RefusalCode::VersionConflict);
}

pub(crate) async fn the_same_code_of_two_kinds_is_two_grants(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let twin = ContactRef::new(ContactKind::Intermediary, "1").unwrap();
    assert_eq!(portal.grant(&twin).await.unwrap(), None);
    portal.put_grant(&grant_of(&twin), Expected::Absent, &key()).await.unwrap();
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    assert_eq!(seen(portal, &one).await.len(), 1);
    assert_eq!(seen(portal, &twin).await, []);
}

pub(crate) async fn a_suspended_grant_sees_nothing_and_loses_nothing(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    let before = portal.digest(&one).await.unwrap();
    let suspended = portal.suspend(&one, 1, &key()).await.unwrap();
    assert_eq!((suspended.state, suspended.version), (GrantState::Suspended, 2));
    assert_eq!(seen(portal, &one).await, []);
    assert_eq!(portal.digest(&one).await.unwrap(), before);
    assert_eq!(portal.case(7).await.unwrap().unwrap().grants, std::slice::from_ref(&one));
    let resumed = portal.resume(&one, 2, &key()).await.unwrap();
    assert_eq!((resumed.state, resumed.version), (GrantState::Active, 3));
    assert_eq!(seen(portal, &one).await, [(7, view("M1", None))]);
}

pub(crate) async fn suspending_needs_the_version_and_the_grant(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    assert_eq!(refused(portal.suspend(&one, 2, &key()).await), RefusalCode::VersionConflict);
    assert_eq!(refused(portal.resume(&one, 2, &key()).await), RefusalCode::VersionConflict);
    assert_eq!(refused(portal.suspend(&client("9"), 1, &key()).await), RefusalCode::NotFound);
    assert_eq!(refused(portal.resume(&client("9"), 1, &key()).await), RefusalCode::NotFound);
    assert_eq!(portal.grant(&one).await.unwrap().unwrap().version, 1);
}

pub(crate) async fn a_revoked_grant_is_denied_at_once(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 1).shows(&one, view("M1", None)).shows(&two, view("M1", None)).send(portal).await.unwrap();
    push(8, 2).shows(&one, view("M2", None)).send(portal).await.unwrap();
    push(8, 3).takes(&one, Reason::CaseClosed).send(portal).await.unwrap();
    assert_eq!(refused(portal.revoke(&one, 2, &key()).await), RefusalCode::VersionConflict);
    assert_eq!(portal.revoke(&one, 1, &key()).await.unwrap().withdrawn, 1);
    assert_eq!(portal.grant(&one).await.unwrap(), None);
    assert_eq!(refused(portal.revoke(&one, 1, &key()).await), RefusalCode::NotFound);
    assert_eq!(refused(portal.digest(&one).await), RefusalCode::NotFound);
    assert_eq!(refused(portal.view(&Viewer::Contact(one.clone())).await), RefusalCode::NotFound);
    let case = portal.case(7).await.unwrap().unwrap();
    assert_eq!((case.grants, case.withdrawn.len()), (vec![two.clone()], 1));
    assert_eq!((&case.withdrawn[0].grant, &case.withdrawn[0].reason), (&one, &Reason::GrantRevoked));
    assert_eq!(seen(portal, &two).await.len(), 1);
}

/// Keys are made of versions (O4): a version that came twice would have a grant answered by an older one.
pub(crate) async fn a_revoked_grant_never_gives_a_version_again(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 5).shows(&one, view("M1", None)).send(portal).await.unwrap();
    portal.revoke(&one, 1, &key()).await.unwrap();
    let back = portal.put_grant(&grant_of(&one), Expected::Absent, &key()).await.unwrap();
    assert!(back.version > 1, "{}", back.version);
    assert_eq!(seen(portal, &one).await, []);
    assert_eq!(push(7, 5).shows(&one, view("M1", None)).outcome(portal).await.0, PushOutcome::Duplicate);
    assert_eq!(seen(portal, &one).await, []);
    push(7, 6).shows(&one, view("M1", None)).send(portal).await.unwrap();
    assert_eq!(seen(portal, &one).await.len(), 1);
}

pub(crate) async fn a_renamed_contact_keeps_everything(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    let before = portal.digest(&one).await.unwrap();
    let rename = Rename { new_code: "0001".to_owned(), contact_id: 1 };
    let renamed = portal.rename(&one, &rename, &key()).await.unwrap();
    let new = client("0001");
    assert_eq!(renamed.contact, new);
    assert!(renamed.version > 1);
    assert_eq!(portal.grant(&one).await.unwrap(), None);
    assert_eq!(portal.grant(&new).await.unwrap(), Some(renamed));
    assert_eq!(portal.digest(&new).await.unwrap(), before);
    assert_eq!(seen(portal, &new).await, [(7, view("M1", None))]);
    assert_eq!(portal.case(7).await.unwrap().unwrap().grants, std::slice::from_ref(&new));
    // The next push names it by its new code, and forgets nobody.
    assert_eq!(push(7, 2).shows(&new, view("M2", None)).outcome(portal).await.0, PushOutcome::Applied);
}

pub(crate) async fn a_rename_needs_a_free_code_and_the_same_contact(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let to = |code: &str, contact_id| Rename { new_code: code.to_owned(), contact_id };
    assert_eq!(kind(portal.rename(&one, &to("2", 1), &key()).await), ErrorKind::Conflict);
    assert_eq!(kind(portal.rename(&one, &to("3", 9), &key()).await), ErrorKind::Refused);
    assert_eq!(refused(portal.rename(&client("9"), &to("3", 1), &key()).await), RefusalCode::NotFound);
    assert_eq!(refused(portal.rename(&one, &to("", 1), &key()).await), RefusalCode::Invalid);
    for contact in [one, two] {
        assert_eq!(portal.grant(&contact).await.unwrap().unwrap().version, 1);
    }
}

pub(crate) async fn grants_come_in_pages(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    granted(portal, ["1", "2", "3", "4", "5", "6"]).await;
    let codes = |page: &GrantPage| -> Vec<String> {
        page.items.iter().map(|grant| grant.contact.code().to_owned()).collect()
    };
    let usual = portal.grants(Part::default()).await.unwrap();
    assert_eq!((usual.items.len(), usual.next.is_some()), (PAGE, true));
    let (mut all, mut part) = (Vec::new(), Part::default().limit(2));
    loop {
        let page = portal.grants(part).await.unwrap();
        assert_eq!(page.items.len(), 2);
        all.extend(codes(&page));
        match page.next {
            Some(next) => part = Part::after(next).limit(2),
            None => break,
        }
    }
    all.sort();
    assert_eq!(all, ["1", "2", "3", "4", "5", "6"]);
    let whole = portal.grants(Part::default().limit(6)).await.unwrap();
    assert_eq!((whole.items.len(), whole.next), (6, None));
    assert_eq!(refused(portal.grants(Part::default().limit(0)).await), RefusalCode::Invalid);
}

pub(crate) async fn a_digest_is_that_of_what_is_held(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let line = |case, version, view: &View| DigestLine::new(case, version, view).unwrap();
    let empty = portal.digest(&one).await.unwrap();
    assert_eq!((empty.count, empty.digest), (0, digest([])));
    let (a, b) = (view("ñ \"1\"", Some("K-1")), view("M2", None));
    push(3992, 42).shows(&one, a.clone()).shows(&two, b.clone()).send(portal).await.unwrap();
    push(17, 43).shows(&one, b.clone()).send(portal).await.unwrap();
    push(18, 44).shows(&one, b.clone()).send(portal).await.unwrap();
    push(18, 45).takes(&one, Reason::CaseClosed).send(portal).await.unwrap();
    let held = portal.digest(&one).await.unwrap();
    assert_eq!((held.count, held.digest), (2, digest([line(17, 43, &b), line(3992, 42, &a)])));
    assert_eq!(portal.digest(&two).await.unwrap().digest, digest([line(3992, 42, &b)]));
    assert_eq!(refused(portal.digest(&client("9")).await), RefusalCode::NotFound);
}

/// A group without a name would unite everybody who has none.
pub(crate) async fn a_group_has_a_name(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let one = client("1");
    for group in ["", " "] {
        let grant = Grant { scope: Scope::Group { group: group.to_owned() }, ..grant_of(&one) };
        assert_eq!(refused(portal.put_grant(&grant, Expected::Absent, &key()).await), RefusalCode::Invalid);
    }
    assert_eq!(portal.grant(&one).await.unwrap(), None);
}
