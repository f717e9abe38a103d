//! Blobs and documents (contract 4.8, W50 to W62).

use std::time::Duration;

use apiges_sync::ErrorKind;
use apiges_sync::web::*;
use serde_json::json;

use crate::support::{Acts, LIMITS, granted, key, push, read, refused, seen, view};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn place(case: u64, document: &str) -> DocumentPlace {
    DocumentPlace { case, annotation: "5".to_owned(), document: document.to_owned() }
}

fn link_to(version: u64, blob: &Blob) -> DocumentLink {
    read(json!({
        "version": version, "sha256": blob.sha256, "bytes": blob.bytes, "mediaType": blob.media_type,
        "fileName": "carta.pdf", "title": "Carta", "date": "02/03/2026",
    }))
}

fn pdf(text: &str) -> Blob {
    Blob::bytes("application/pdf", text.to_owned())
}

/// Stores a blob and pushes file 7.
async fn prepared(portal: &dyn WebSyncTransport, text: &str) -> Blob {
    let [one] = granted(portal, ["1"]).await;
    push(7, 1).shows(&one, view("M1", None)).send(portal).await.unwrap();
    let blob = pdf(text);
    portal.put_blob(&blob).await.unwrap();
    blob
}

async fn link(portal: &dyn WebSyncTransport, place: &DocumentPlace, link: &DocumentLink) -> LinkOutcome {
    portal.link(place, link, &key()).await.unwrap().outcome
}

async fn unlink(portal: &dyn WebSyncTransport, place: &DocumentPlace, version: u64) -> UnlinkOutcome {
    portal.unlink(place, version, &Reason::DocumentHidden, &key()).await.unwrap().outcome
}

pub(crate) async fn a_blob_is_stored_under_its_own_digest(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let blob = pdf("%PDF-1.7");
    assert!(!portal.has_blob(blob.sha256).await.unwrap());
    portal.put_blob(&blob).await.unwrap();
    assert!(portal.has_blob(blob.sha256).await.unwrap());
    portal.put_blob(&blob).await.unwrap();
    let wrong = Blob { sha256: Sha256::of(b"other"), ..blob };
    assert_eq!(refused(portal.put_blob(&wrong).await), RefusalCode::Digest);
    assert!(!portal.has_blob(wrong.sha256).await.unwrap());
}

pub(crate) async fn a_blob_has_a_limit(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let of = |bytes: u64| pdf(&"x".repeat(bytes as usize));
    portal.put_blob(&of(LIMITS.blob_bytes)).await.unwrap();
    let over = of(LIMITS.blob_bytes + 1);
    let error = portal.put_blob(&over).await.unwrap_err();
    assert_eq!((error.kind(), error.status().unwrap().as_u16()), (ErrorKind::Refused, 413));
    assert!(!portal.has_blob(over.sha256).await.unwrap());
}

pub(crate) async fn a_blob_that_nobody_links_goes_after_a_day(
    portal: &dyn WebSyncTransport,
    acts: &dyn Acts,
) {
    let linked = prepared(portal, "linked").await;
    let (alone, picture) = (pdf("alone"), Blob::bytes("image/png", "picture"));
    for blob in [&alone, &picture] {
        portal.put_blob(blob).await.unwrap();
    }
    link(portal, &place(7, "1"), &link_to(1, &linked)).await;
    let one = crate::support::client("1");
    let grafico =
        Graphic { sha256: picture.sha256, media_type: "image/png".to_owned(), bytes: picture.bytes };
    let shown = View { grafico: Some(grafico), ..view("M1", None) };
    push(7, 2).shows(&one, shown.clone()).send(portal).await.unwrap();
    acts.advance(DAY - Duration::from_secs(60));
    assert!(portal.has_blob(alone.sha256).await.unwrap());
    acts.advance(Duration::from_secs(61));
    assert!(!portal.has_blob(alone.sha256).await.unwrap());
    assert!(portal.has_blob(linked.sha256).await.unwrap());
    assert!(portal.has_blob(picture.sha256).await.unwrap());
    assert_eq!(seen(portal, &one).await, [(7, shown)]);
}

pub(crate) async fn a_document_needs_its_blob_and_its_file(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let blob = prepared(portal, "carta").await;
    let missing = portal.link(&place(7, "1"), &link_to(1, &pdf("never stored")), &key()).await;
    assert_eq!(refused(missing), RefusalCode::BlobMissing);
    let unknown = portal.link(&place(8, "1"), &link_to(1, &blob), &key()).await;
    assert_eq!(refused(unknown), RefusalCode::CaseUnknown);
    assert_eq!(portal.links(7, "5").await.unwrap().items, []);
    // What was missing is brought, and the same is sent again: one document.
    portal.put_blob(&pdf("never stored")).await.unwrap();
    assert_eq!(link(portal, &place(7, "1"), &link_to(1, &pdf("never stored"))).await, LinkOutcome::Linked);
    assert_eq!(portal.links(7, "5").await.unwrap().items.len(), 1);
}

pub(crate) async fn a_hidden_document_is_refused(portal: &dyn WebSyncTransport, acts: &dyn Acts) {
    let blob = prepared(portal, "carta").await;
    acts.hide(&place(7, "1"));
    let hidden = portal.link(&place(7, "1"), &link_to(1, &blob), &key()).await;
    assert_eq!(refused(hidden), RefusalCode::Hidden);
    assert_eq!(portal.links(7, "5").await.unwrap().items, []);
    assert_eq!(link(portal, &place(7, "2"), &link_to(1, &blob)).await, LinkOutcome::Linked);
}

pub(crate) async fn a_link_is_judged_by_its_version(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let blob = prepared(portal, "carta").await;
    let here = place(7, "d 1/ñ");
    let second = DocumentLink { grants: Some(vec![crate::support::client("1")]), ..link_to(2, &blob) };
    assert_eq!(link(portal, &here, &second).await, LinkOutcome::Linked);
    assert_eq!(link(portal, &here, &second).await, LinkOutcome::Duplicate);
    assert_eq!(link(portal, &here, &link_to(1, &blob)).await, LinkOutcome::Stale);
    let other = DocumentLink { title: "Otra".to_owned(), ..second.clone() };
    assert_eq!(refused(portal.link(&here, &other, &key()).await), RefusalCode::VersionReuse);
    let elsewhere = DocumentPlace { annotation: "6".to_owned(), ..here.clone() };
    link(portal, &elsewhere, &link_to(1, &blob)).await;
    link(portal, &place(7, "007"), &link_to(1, &blob)).await;
    let items = portal.links(7, "5").await.unwrap().items;
    let zeros = LinkedDocument { document_id: "007".to_owned(), link: link_to(1, &blob) };
    assert_eq!(items, [zeros, LinkedDocument { document_id: "d 1/ñ".to_owned(), link: second }]);
    let third = DocumentLink { version: 3, ..other };
    assert_eq!(link(portal, &here, &third).await, LinkOutcome::Linked);
    assert_eq!(portal.links(7, "5").await.unwrap().items[1].link, third);
}

pub(crate) async fn a_withdrawn_document_stays_away(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let blob = prepared(portal, "carta").await;
    let here = place(7, "1");
    link(portal, &here, &link_to(1, &blob)).await;
    assert_eq!(unlink(portal, &here, 3).await, UnlinkOutcome::Withdrawn);
    assert_eq!(unlink(portal, &here, 3).await, UnlinkOutcome::Already);
    assert_eq!(unlink(portal, &here, 4).await, UnlinkOutcome::Already);
    assert_eq!(portal.links(7, "5").await.unwrap().items, []);
    assert_eq!(link(portal, &here, &link_to(2, &blob)).await, LinkOutcome::Stale);
    assert_eq!(link(portal, &here, &link_to(4, &blob)).await, LinkOutcome::Stale);
    assert_eq!(portal.links(7, "5").await.unwrap().items, []);
    assert_eq!(link(portal, &here, &link_to(5, &blob)).await, LinkOutcome::Linked);
    // A withdrawal that comes late does not take away what is newer.
    assert_eq!(unlink(portal, &here, 4).await.as_str(), "stale");
    let reuse = portal.unlink(&here, 5, &Reason::DocumentRemoved, &key()).await;
    assert_eq!(refused(reuse), RefusalCode::VersionReuse);
    assert_eq!(portal.links(7, "5").await.unwrap().items.len(), 1);
    // One that overtakes its link keeps it away.
    assert_eq!(unlink(portal, &place(7, "2"), 2).await, UnlinkOutcome::Already);
    assert_eq!(link(portal, &place(7, "2"), &link_to(1, &blob)).await, LinkOutcome::Stale);
}

/// B2: hidden goes before what the version says; and W62 has a version of its own.
pub(crate) async fn what_is_hidden_now_is_not_said_to_be_linked(
    portal: &dyn WebSyncTransport,
    acts: &dyn Acts,
) {
    let blob = prepared(portal, "carta").await;
    let here = place(7, "1");
    assert_eq!(link(portal, &here, &link_to(2, &blob)).await, LinkOutcome::Linked);
    acts.hide(&here);
    for version in [1, 2, 3] {
        assert_eq!(refused(portal.link(&here, &link_to(version, &blob), &key()).await), RefusalCode::Hidden);
    }
    let unnumbered = portal.unlink(&here, 0, &Reason::DocumentHidden, &key()).await;
    assert_eq!(refused(unnumbered), RefusalCode::Invalid);
    assert_eq!(unlink(portal, &here, 3).await, UnlinkOutcome::Withdrawn);
}

/// W33, 3.6: without `grants` a document is for all who hold the case.
pub(crate) async fn a_viewer_sees_the_documents_that_are_for_it(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 1).shows(&one, view("M1", None)).shows(&two, view("M1", None)).send(portal).await.unwrap();
    let blob = pdf("carta");
    portal.put_blob(&blob).await.unwrap();
    let own = DocumentLink { grants: Some(vec![one.clone()]), ..link_to(1, &blob) };
    link(portal, &place(7, "1"), &own).await;
    link(portal, &place(7, "2"), &link_to(1, &blob)).await;
    link(portal, &place(7, "3"), &link_to(1, &blob)).await;
    unlink(portal, &place(7, "3"), 2).await;
    let shown = async |contact: &ContactRef| {
        let [file] = portal.view(&Viewer::Contact(contact.clone())).await.unwrap().items.try_into().unwrap();
        assert_eq!((file.grants, file.holder), (vec![contact.clone()], Some(contact.clone())));
        file.documents
    };
    let document = |id: &str, link: DocumentLink| ViewerDocument {
        annotation_id: "5".to_owned(),
        document: LinkedDocument { document_id: id.to_owned(), link },
    };
    assert_eq!(shown(&one).await, [document("1", own), document("2", link_to(1, &blob))]);
    assert_eq!(shown(&two).await, [document("2", link_to(1, &blob))]);
}
