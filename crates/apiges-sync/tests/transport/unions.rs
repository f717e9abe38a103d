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
    let empty = portal.view(&Viewer::Union(tag("ab"))).await;
    assert!(empty.is_err() || empty.unwrap().items.is_empty());
    assert_eq!(preview(portal, &tag("ab"), &client("9")).await.members, [client("9")]);
}
