//! Flows walked through to their end by signers at the service.

use integration_sandbox::legale::StepRefused;
use legale::flow::{Flow, Order, Signer};
use legale::status::{SignStatus, Status};
use legale::tracking::{WaitLimits, wait_until_final};
use legale::{Client, DocumentId, ErrorKind, FetchedFrom, Sending};

use super::{ANA, BEA, Bench, FILE, outsider, sending, two, upload};

/// The file of the service, in memory and on disk, with the digest that the service has.
async fn fetched(bench: &Bench, client: &Client, guid: &DocumentId) {
    let (folder, mut file) = (tempfile::tempdir().unwrap(), Vec::new());
    let there = bench.legale().signed_file(guid.as_str()).unwrap();
    let signed = bench.document(guid).signed_file.unwrap();
    let written = client.download(guid).to_writer(&mut file).await.unwrap();
    assert!(file == there && file.starts_with(FILE));
    assert_eq!((written.sha256.as_str(), written.length), (signed.sha256.as_str(), signed.bytes));
    let saved = client.download(guid).to_folder(folder.path()).await.unwrap();
    let path = saved.path.unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), there);
    assert!(path.file_name().unwrap().to_string_lossy().contains(guid.as_str()));
    // Not a second time over it, and nothing is left of the attempt.
    assert_eq!(client.download(guid).to_file(&path).await.unwrap_err().kind(), ErrorKind::Store);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let page = client.download(guid).from_sign_download().to_writer(&mut Vec::new()).await.unwrap();
    assert_eq!((page.from, page.sha256), (FetchedFrom::SignDownload, signed.sha256));
}

#[tokio::test]
async fn in_sequence_only_the_next_one_may_sign() {
    let bench = Bench::new().await;
    let (client, legale) = (bench.client(), bench.legale());
    let flow = Flow::sequential()
        .signer(Signer::approver("legal@example.com"))
        .signer(outsider(ANA))
        .signer(outsider(BEA))
        .expires_in_days(10)
        .build()
        .unwrap();
    let sent = client.send(&Sending::new(upload(), flow).reference("order-0001")).await.unwrap();
    let guid = sent.guid.as_str();
    assert_eq!(bench.document(&sent.guid).flow_type.as_deref(), Some("priority"));
    assert_eq!(legale.sign(guid, 2), Err(StepRefused::NotHisTurn));
    for number in 1..=3 {
        assert_eq!(client.sign_status(&sent.guid).await.unwrap(), SignStatus::NotSigned);
        legale.open(guid, number).unwrap();
        legale.sign(guid, number).unwrap();
    }
    let limits = WaitLimits::new(std::time::Duration::from_secs(60));
    let status = wait_until_final(&client, &sent.guid, limits, &**client.clock()).await.unwrap();
    assert_eq!(status, Status::Signed);
    fetched(&bench, &client, &sent.guid).await;
    client.delete(&sent.guid).await.unwrap();
    assert!(client.detail(&sent.guid).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn in_parallel_anybody_may_sign_first() {
    let bench = Bench::new().await;
    let client = bench.client();
    let flow = two(Flow::parallel());
    assert_eq!(*flow.order(), Order::Parallel);
    let sent = client.send(&Sending::new(upload(), flow)).await.unwrap();
    let document = bench.document(&sent.guid);
    assert_eq!(document.flow_type.as_deref(), Some("simultaneously"));
    let links = sent.started.unwrap().links;
    let there: Vec<_> = document.signers.iter().filter_map(|signer| signer.link.clone()).collect();
    assert_eq!(links.iter().map(|link| link.url.clone()).collect::<Vec<_>>(), there);
    bench.legale().sign(sent.guid.as_str(), 2).unwrap();
    assert_eq!(client.sign_status(&sent.guid).await.unwrap(), SignStatus::NotSigned);
    bench.legale().sign(sent.guid.as_str(), 1).unwrap();
    assert_eq!(client.sign_status(&sent.guid).await.unwrap(), SignStatus::Signed);
    fetched(&bench, &client, &sent.guid).await;
}

#[tokio::test]
async fn a_rejection_tells_why() {
    let bench = Bench::new().await;
    let client = bench.client();
    let guid = client.send(&sending()).await.unwrap().guid;
    bench.legale().reject(guid.as_str(), 1, "no es mi nombre \u{1f58b}").unwrap();
    let detail = client.detail(&guid).await.unwrap();
    assert_eq!(detail.document.sign_status, SignStatus::Rejected);
    assert_eq!(detail.document.comment.as_deref(), Some("no es mi nombre \u{1f58b}"));
    let limits = WaitLimits::new(std::time::Duration::from_secs(60));
    let status = wait_until_final(&client, &guid, limits, &**client.clock()).await.unwrap();
    assert_eq!(status, Status::Rejected { comment: Some("no es mi nombre \u{1f58b}".into()) });
    assert!(bench.legale().signed_file(guid.as_str()).is_none());
}

#[tokio::test]
async fn an_approval_by_api_goes_to_the_address_of_the_start() {
    let bench = Bench::new().await;
    let client = bench.client();
    let flow = Flow::sequential().signer(Signer::approving_api("legal@example.com")).signer(outsider(ANA));
    let sent = client.send(&Sending::new(upload(), flow.build().unwrap())).await.unwrap();
    let approver = bench.document(&sent.guid).signers[0].link.clone().unwrap();
    let links = sent.started.unwrap().links;
    assert!(links.iter().any(|link| link.url == approver));
    client.approve(&approver).await.unwrap();
    // Once is enough: the service refuses a second one.
    assert!(client.approve(&approver).await.is_err());
    bench.legale().sign(sent.guid.as_str(), 2).unwrap();
    assert_eq!(client.sign_status(&sent.guid).await.unwrap(), SignStatus::Signed);
}

/// 1,000 callers, one expired token: one login more (contract 2.2).
#[tokio::test]
async fn an_expired_session_is_renewed_once_for_all() {
    let bench = Bench::new().await;
    let client = bench.client();
    bench.legale().stop_clock();
    client.check_credentials().await.unwrap();
    bench.legale().advance_clock(std::time::Duration::from_secs(5 * 3600 + 1));
    let calls: Vec<_> = (0..1000)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { client.check_credentials().await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(bench.legale().logins().len(), 2);
}
