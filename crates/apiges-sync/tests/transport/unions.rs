//! Administrator pairs and the unions that they make (contract 4.2 N6, N7, 4.3 step 6, W16, W33).

use apiges_sync::grant::PairTag;
use apiges_sync::web::*;

use crate::support::{Acts, client, files, grant_of, granted, key, push, refused, seen, view};

fn tag(hex: &str) -> PairTag {
    PairTag::from_hex(&hex.repeat(32)).unwrap()
}

async fn preview(portal: &dyn WebSyncTransport, tag: &PairTag, joining: &ContactRef) -> UnionPreview {
    let request = UnionRequest { pair_tag: tag.clone(), joining: joining.clone() };
    portal.preview_union(&request, &key()).await.unwrap()
}

fn paired(contact: &ContactRef, tag: &PairTag, preview_id: &PreviewId) -> Grant {
    let admin = Some(AdminPair { pair_tag: tag.clone(), preview_id: preview_id.clone() });
    Grant { admin, ..grant_of(contact) }
}

/// Joins after a preview; gives the members that were shown.
async fn join(portal: &dyn WebSyncTransport, tag: &PairTag, contact: &ContactRef) -> Vec<ContactRef> {
    let UnionPreview { members, preview_id } = preview(portal, tag, contact).await;
    let current = portal.grant(contact).await.unwrap().unwrap().version;
    let grant = paired(contact, tag, &preview_id);
    portal.put_grant(&grant, Expected::Version(current), &key()).await.unwrap();
    members
}

pub(crate) async fn a_pair_takes_effect_only_after_its_preview(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let unseen = paired(&one, &tag("ab"), &PreviewId::new("p-1"));
    let put = portal.put_grant(&unseen, Expected::Version(1), &key()).await;
    assert_eq!(refused(put), RefusalCode::PreviewMissing);
    assert_eq!(portal.grant(&one).await.unwrap().unwrap().admin, None);
    assert_eq!(join(portal, &tag("ab"), &one).await, std::slice::from_ref(&one));
    assert_eq!(join(portal, &tag("ab"), &two).await, [one.clone(), two]);
    // What is not about the pair needs no new preview.
    let kept = portal.grant(&one).await.unwrap().unwrap();
    let changed = Grant { closed_cases: ClosedCases::Keep, ..kept.clone() };
    portal.put_grant(&changed, Expected::Version(kept.version), &key()).await.unwrap();
}

pub(crate) async fn a_preview_is_good_for_what_it_showed_only(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let shown = preview(portal, &tag("ab"), &one).await;
    for wrong in [paired(&two, &tag("ab"), &shown.preview_id), paired(&one, &tag("cd"), &shown.preview_id)] {
        let put = portal.put_grant(&wrong, Expected::Version(1), &key()).await;
        assert_eq!(refused(put), RefusalCode::PreviewMissing);
    }
    // Another member has come: nobody was shown the union as it would be.
    join(portal, &tag("ab"), &two).await;
    let late = paired(&one, &tag("ab"), &shown.preview_id);
    let put = portal.put_grant(&late, Expected::Version(1), &key()).await;
    assert_eq!(refused(put), RefusalCode::PreviewMissing);
}

pub(crate) async fn a_union_sees_only_the_fields_that_all_show(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two, three] = granted(portal, ["1", "2", "3"]).await;
    for contact in [&one, &two] {
        join(portal, &tag("ab"), contact).await;
    }
    let with_reference = |number, clave| View { referencia: Some("R".to_owned()), ..view(number, clave) };
    // Not only what has a box: a name that one of them does not show is not shown.
    let named = View { denominacion: Some("CANARIO".to_owned()), ..with_reference("M1", Some("K")) };
    let shared = push(7, 1).shows(&one, named.clone()).shows(&two, view("M1", Some("K")));
    shared.shows(&three, view("M1", None)).send(portal).await.unwrap();
    push(8, 2).shows(&one, with_reference("M2", Some("K"))).send(portal).await.unwrap();
    push(9, 3).shows(&three, view("M3", None)).send(portal).await.unwrap();
    let union = || Viewer::Union(tag("ab"));
    let both = [(7, view("M1", Some("K"))), (8, with_reference("M2", Some("K")))];
    assert_eq!(files(portal, union()).await, both);
    // By its own access a contact sees its own, and no union.
    assert_eq!(seen(portal, &two).await, [(7, view("M1", Some("K")))]);
    let version = portal.grant(&two).await.unwrap().unwrap().version;
    portal.suspend(&two, version, &key()).await.unwrap();
    let alone = [(7, named), (8, with_reference("M2", Some("K")))];
    assert_eq!(files(portal, union()).await, alone);
}

pub(crate) async fn a_changed_pair_leaves_the_union_at_once(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    for contact in [&one, &two] {
        join(portal, &tag("ab"), contact).await;
    }
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    push(8, 2).shows(&two, view("M2", None)).send(portal).await.unwrap();
    assert_eq!(files(portal, Viewer::Union(tag("ab"))).await.len(), 2);
    assert_eq!(join(portal, &tag("cd"), &one).await, std::slice::from_ref(&one));
    assert_eq!(files(portal, Viewer::Union(tag("ab"))).await, [(8, view("M2", None))]);
    assert_eq!(files(portal, Viewer::Union(tag("cd"))).await, [(7, view("M1", None))]);
    // No withdrawal: the contact's own access is as before.
    assert_eq!(seen(portal, &one).await, [(7, view("M1", None))]);
    let version = portal.grant(&two).await.unwrap().unwrap().version;
    portal.put_grant(&grant_of(&two), Expected::Version(version), &key()).await.unwrap();
    assert_eq!(files(portal, Viewer::Union(tag("ab"))).await, []);
    assert_eq!(preview(portal, &tag("ab"), &client("9")).await.members, [client("9")]);
}

/// N7: each time that a pair takes effect, somebody was shown its union.
pub(crate) async fn a_preview_counts_once(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let shown = preview(portal, &tag("ab"), &one).await;
    let joined = paired(&one, &tag("ab"), &shown.preview_id);
    portal.put_grant(&joined, Expected::Version(1), &key()).await.unwrap();
    portal.put_grant(&grant_of(&one), Expected::Version(2), &key()).await.unwrap();
    let again = portal.put_grant(&joined, Expected::Version(3), &key()).await;
    assert_eq!(refused(again), RefusalCode::PreviewMissing);
    // A preview that was not used up by a refusal is still good.
    let shown = preview(portal, &tag("ab"), &one).await;
    let joined = paired(&one, &tag("ab"), &shown.preview_id);
    assert_eq!(
        refused(portal.put_grant(&joined, Expected::Version(1), &key()).await),
        RefusalCode::VersionConflict
    );
    portal.put_grant(&joined, Expected::Version(3), &key()).await.unwrap();
}

/// By kind and code, whatever was pushed last, so that its language is one for all files.
pub(crate) async fn a_union_sees_the_values_of_its_first_grant(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let agent = ContactRef::new(ContactKind::Agent, "9").unwrap();
    portal.put_grant(&grant_of(&agent), Expected::Absent, &key()).await.unwrap();
    let [one] = granted(portal, ["1"]).await;
    for contact in [&one, &agent] {
        join(portal, &tag("ab"), contact).await;
    }
    push(7, 1)
        .shows(&agent, view("of the agent", None))
        .shows(&one, view("old", None))
        .send(portal)
        .await
        .unwrap();
    let load: OpenSingleLoad = crate::support::read(serde_json::json!({"loadId": "l-1", "baseSequence": 1}));
    portal.open_single_load(&one, &load, &key()).await.unwrap();
    let item = BatchItem { case_id: 7, version: 2, holder: one.clone(), view: view("newer", None) };
    let digest = digest([DigestLine::of_item(&item).unwrap()]);
    portal.put_batch(&load.load_id, &one, 1, &Batch { items: vec![item], digest }, &key()).await.unwrap();
    let commit = Commit { batches: 1, count: 1, digest, complete: true, allow_withdrawals: 0 };
    portal.commit(&load.load_id, &one, &commit, &key()).await.unwrap();
    let [file] = portal.view(&Viewer::Union(tag("ab"))).await.unwrap().items.try_into().unwrap();
    assert_eq!(
        (file.view, file.version, file.holder),
        (view("of the agent", None), Some(1), Some(agent.clone()))
    );
    assert_eq!(file.grants, [agent, one.clone()]);
    assert_eq!(seen(portal, &one).await, [(7, view("newer", None))]);
}

/// Step 1 of 4.3.
pub(crate) async fn a_union_of_nobody_sees_nothing(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    assert_eq!(files(portal, Viewer::Union(tag("ab"))).await, []);
    assert_eq!(files(portal, Viewer::Union(tag("00"))).await, []);
}
