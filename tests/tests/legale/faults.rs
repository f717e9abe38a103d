//! Faults between the client and the service: counted at the service, nothing is done twice; at the client, nothing is reported
//! done that was not.

use integration_sandbox::legale::Endpoint;
use integration_sandbox::{Fault, Scripted};
use legale::status::SignStatus;
use legale::{Client, DocumentId, Outcome, Reference, Secret, Sending, Source, Step, Upload};

use super::{Bench, FILE, sending, two, upload};

/// What may befall a request that does something.
fn faults() -> Vec<Fault> {
    vec![
        Fault::ResetBeforeBody,
        Fault::ResetBeforeActing,
        Fault::CloseBeforeActing,
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::act_then_status(500),
        Fault::act_then_html(502),
        Fault::act_then_status(503),
        Fault::act_then_status(504),
        Fault::ActThenCutBody,
        Fault::ActThenCutChunked,
        Fault::ActThenShortLength,
        Fault::ActThenTruncated,
        Fault::ActThenEmpty,
        Fault::ActThenOversized { bytes: 40_000_000 },
        Fault::ActThenAnswer(Scripted::new(200).header("content-type", "text/html").body("<html>ok</html>")),
        Fault::Html,
        Fault::Empty,
        Fault::ErrorInside { code: "ERROR_SOMETHING".into() },
        Fault::unavailable("1"),
        Fault::too_many_requests("1"),
        Fault::RevokeCredential,
        Fault::redirect("/api/document/create/"),
    ]
}

#[tokio::test]
async fn whatever_befalls_creating_or_starting_nothing_is_done_twice() {
    for endpoint in [Endpoint::Create, Endpoint::Start] {
        for fault in faults() {
            let what = format!("{endpoint:?} {fault:?}");
            let bench = Bench::new().await;
            bench.legale().inject(endpoint, fault.clone());
            let result = bench.client().send(&sending()).await;
            let (documents, starts) = bench.done();
            assert!(documents <= 1 && starts <= 1, "{what}: {documents} documents, {starts} starts");
            match result {
                Ok(sent) => {
                    assert_eq!((documents, starts), (1, 1), "{what}: reported done");
                    assert_eq!(bench.document(&sent.guid).file.bytes, FILE.len() as u64, "{what}");
                }
                Err(error) => {
                    assert_eq!(starts, 0, "{what}: {error}");
                    assert_eq!(error.document().is_some(), documents == 1, "{what}: {error}");
                }
            }
        }
    }
}

/// A fault that stays: the client gives up, with at most one document and one start, and says that it does not know.
#[tokio::test]
async fn what_stays_lost_is_unknown_and_done_once() {
    for fault in [Fault::ActThenReset, Fault::act_then_status(500), Fault::ActThenCutBody] {
        for endpoint in [Endpoint::Create, Endpoint::Start] {
            let bench = Bench::new().await;
            bench.legale().inject_always(endpoint, fault.clone());
            bench.legale().inject_always(Endpoint::List, Fault::Html);
            bench.legale().inject_always(Endpoint::Detail, Fault::act_then_status(500));
            let error = bench.client().send(&sending()).await.unwrap_err();
            assert!(error.error().is_outcome_unknown(), "{endpoint:?} {fault:?}: {error}");
            let (documents, starts) = bench.done();
            assert_eq!((documents, starts), (1, u32::from(endpoint == Endpoint::Start)), "{fault:?}");
        }
    }
}

#[tokio::test]
async fn a_lost_creation_is_found_by_its_callback_url_or_by_its_reference() {
    let by_url = || upload().callback_url("http://127.0.0.1:1/cb/4f1c9c0e5a9f4b0b8f7d2f6a3c1e9b57");
    let flow = || two(legale::flow::Flow::parallel());
    for sending in [
        Sending::new(upload(), flow()).reference("order-0042"),
        Sending::new(by_url(), flow()),
        Sending::new(by_url(), flow()).reference("order-0043"),
    ] {
        let bench = Bench::new().await;
        let client = bench.builder().page_size(2).build().unwrap();
        for number in 0..5 {
            client
                .create(&Upload::new("O.pdf", format!("otro {number}"), Source::bytes(FILE)))
                .await
                .unwrap();
        }
        bench.legale().inject(Endpoint::Create, Fault::ActThenReset);
        let steps = std::sync::Mutex::new(Vec::new());
        let sent =
            client.send_observed(&sending, |step| steps.lock().unwrap().push(step.clone())).await.unwrap();
        assert_eq!(bench.done(), (6, 1));
        assert!(sent.created.is_none() && sent.started.is_some());
        let guid = sent.guid.clone();
        assert_eq!(
            *steps.lock().unwrap(),
            [Step::Checked, Step::CreateLost, Step::CreateFound(guid.clone()), Step::Started(guid)]
        );
    }
}

/// A bare list as long as was asked for says nothing of what comes after it.
#[tokio::test]
async fn a_lost_creation_is_found_behind_the_first_page_of_a_bare_list() {
    use integration_sandbox::legale::{ListShape, Order};
    for order in Order::ALL {
        let bench = Bench::new().await;
        bench
            .legale()
            .configure(|settings| (settings.list_shape, settings.order) = (ListShape::Array, *order));
        let client = bench.builder().page_size(2).build().unwrap();
        for number in 0..5 {
            client
                .create(&Upload::new("O.pdf", format!("otro {number}"), Source::bytes(FILE)))
                .await
                .unwrap();
        }
        bench.legale().inject(Endpoint::Create, Fault::ActThenReset);
        client.send(&sending()).await.unwrap();
        assert_eq!(bench.done(), (6, 1), "{order:?}");
    }
}

#[tokio::test]
async fn two_documents_of_one_reference_are_not_chosen_from() {
    let bench = Bench::new().await;
    let client = bench.client();
    for _ in 0..2 {
        client.create(&upload().callback_url("http://127.0.0.1:1/cb/the-same")).await.unwrap();
    }
    let reference = Reference::CallbackUrl(Secret::new("http://127.0.0.1:1/cb/the-same"));
    assert!(client.find_created(&reference).await.is_err());
}

/// An answer that says nothing must not be taken for "there are no documents": the document would be created twice.
#[tokio::test]
async fn a_list_that_says_nothing_does_not_prove_that_a_document_is_missing() {
    for body in [
        "null",
        r#"{"data":null,"code":null,"message":""}"#,
        r#"{"data":{},"code":null,"message":""}"#,
        "{}",
        r#"{"count":1,"next":null,"previous":null,"results":null}"#,
        r#"{"count":3,"next":null,"previous":null,"results":[]}"#,
        "true",
        "",
        "<html>",
    ] {
        let bench = Bench::new().await;
        bench.legale().inject(Endpoint::Create, Fault::ActThenReset);
        let answer = Scripted::new(200).header("content-type", "application/json").body(body);
        bench.legale().inject_always(Endpoint::List, Fault::Answer(answer));
        let error = bench.client().send(&sending()).await.unwrap_err();
        assert!(error.error().is_outcome_unknown(), "{body}: {error}");
        assert_eq!(bench.done(), (1, 0), "{body}");
    }
}

/// What can be read once cannot be sent again; that it may have been sent is not forgotten over it.
#[tokio::test]
async fn a_reader_whose_sending_was_lost_is_not_called_unsent() {
    let bench = Bench::new().await;
    bench.legale().inject(Endpoint::Create, Fault::ResetBeforeActing);
    let file = Source::reader(FILE.len() as u64, FILE);
    let once = Upload::new("Contrato_X_2025.pdf", "Contrato", file);
    let sending = Sending::new(once, two(legale::flow::Flow::sequential()));
    let error = bench.client().send(&sending).await.unwrap_err();
    assert_ne!(error.error().outcome(), Outcome::NotSent, "{error}");
    assert_eq!(bench.done(), (0, 0));
}

#[tokio::test]
async fn a_session_that_ends_in_mid_flow_costs_one_login_and_one_replay() {
    for endpoint in [Endpoint::Create, Endpoint::Start, Endpoint::Detail, Endpoint::Media] {
        let bench = Bench::new().await;
        bench.legale().configure(|settings| settings.media_needs_credentials = true);
        bench.legale().inject(endpoint, Fault::RevokeCredential);
        let client = bench.client();
        let sent = client.send(&sending()).await.unwrap();
        client.download(&sent.guid).to_writer(&mut Vec::new()).await.unwrap();
        assert_eq!(bench.legale().logins().len(), 2, "{endpoint:?}");
        assert_eq!(bench.done(), (1, 1));
        let answered = bench.legale().requests();
        let refused = answered.iter().filter(|request| request.status == Some(401)).count();
        assert_eq!(refused, 1, "{endpoint:?}");
    }
}

#[tokio::test]
async fn a_second_401_is_final() {
    let bench = Bench::new().await;
    bench.legale().inject_always(Endpoint::Create, Fault::RevokeCredential);
    let error = bench.client().send(&sending()).await.unwrap_err();
    assert_eq!(error.error().kind(), legale::ErrorKind::Authentication);
    let creates =
        bench.legale().requests().iter().filter(|one| one.endpoint == Some(Endpoint::Create)).count();
    assert_eq!((creates, bench.legale().logins().len(), bench.done().0), (2, 2, 0));
}

async fn signed(bench: &Bench) -> (Client, DocumentId) {
    let client = bench.client();
    let guid = client.send(&sending()).await.unwrap().guid;
    bench.legale().sign(guid.as_str(), 1).unwrap();
    bench.legale().sign(guid.as_str(), 2).unwrap();
    assert_eq!(client.sign_status(&guid).await.unwrap(), SignStatus::Signed);
    (client, guid)
}

/// A file that came whole is saved; of any other nothing is left.
#[tokio::test]
async fn a_download_is_whole_or_not_there() {
    let page = |body: &str| Fault::Answer(Scripted::new(200).header("content-type", "text/html").body(body));
    for fault in [
        Fault::ResetBeforeActing,
        Fault::ActThenReset,
        Fault::ActThenCutBody,
        Fault::ActThenCutChunked,
        Fault::Html,
        Fault::Empty,
        Fault::act_then_html(502),
        page("<html>%PDF-</html>"),
        page("%PD"),
        page(" %PDF-1.7"),
    ] {
        let bench = Bench::new().await;
        bench.legale().configure(|settings| settings.inline_files = false);
        let (client, guid) = signed(&bench).await;
        bench.legale().inject_always(Endpoint::Media, fault.clone());
        let folder = tempfile::tempdir().unwrap();
        let result = client.download(&guid).to_folder(folder.path()).await;
        assert!(result.is_err(), "{fault:?}: {result:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "{fault:?}");
        bench.legale().clear_faults();
        let path = client.download(&guid).to_folder(folder.path()).await.unwrap().path.unwrap();
        assert_eq!(std::fs::read(path).unwrap(), bench.legale().signed_file(guid.as_str()).unwrap());
    }
}

/// A login page in place of the file: the detail has the file, too.
#[tokio::test]
async fn a_page_in_place_of_the_file_is_passed_over() {
    let bench = Bench::new().await;
    let (client, guid) = signed(&bench).await;
    bench.legale().inject_always(Endpoint::Media, Fault::Html);
    let mut file = Vec::new();
    let fetched = client.download(&guid).to_writer(&mut file).await.unwrap();
    assert_eq!(fetched.from, legale::FetchedFrom::Detail);
    assert_eq!(file, bench.legale().signed_file(guid.as_str()).unwrap());
}

/// Whole by HTTP, and yet half a PDF: no length gives that away, only that a PDF ends in `%%EOF`.
#[tokio::test]
async fn a_truncated_pdf_is_told_from_a_whole_one() {
    let bench = Bench::new().await;
    let (client, guid) = signed(&bench).await;
    let whole = client.download(&guid).to_writer(&mut Vec::new()).await.unwrap();
    assert!(whole.ends_as_pdf);
    bench.legale().inject(Endpoint::Media, Fault::ActThenTruncated);
    let half = client.download(&guid).to_writer(&mut Vec::new()).await.unwrap();
    assert!(half.length < whole.length && !half.ends_as_pdf);
}

/// Two downloads to one place at once: neither takes away what the other one writes.
#[tokio::test]
async fn downloads_to_one_place_do_not_disturb_each_other() {
    let bench = Bench::new().await;
    let (client, guid) = signed(&bench).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("signed.pdf");
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let (client, guid, path) = (client.clone(), guid.clone(), path.clone());
            tokio::spawn(async move { client.download(&guid).to_file(&path).await.is_ok() })
        })
        .collect();
    let mut saved = 0;
    for task in tasks {
        saved += usize::from(task.await.unwrap());
    }
    assert_eq!(saved, 1);
    assert_eq!(std::fs::read(&path).unwrap(), bench.legale().signed_file(guid.as_str()).unwrap());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
