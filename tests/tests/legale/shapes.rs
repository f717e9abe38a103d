//! The other answer shapes that the contract permits (3.5, 3.9): whatever the service chooses, the result is the same.

use integration_sandbox::legale::{
    Bools, DocumentUrl, Envelope, ErrorShape, GuidStyle, LinksShape, ListShape, LoginAnswer, NextLink,
    Numbers, Order, PastEnd, Settings, Times,
};
use legale::{DocumentId, NewContact, Source, Upload, When};

use super::{Bench, FILE};

type Change = Box<dyn Fn(&mut Settings)>;

/// What a caller sees, without what differs from run to run.
#[derive(Debug, PartialEq)]
struct Seen {
    listed: usize,
    names: Vec<Option<String>>,
    signers: Vec<Option<String>>,
    attachments: Vec<(Option<String>, Vec<u8>)>,
    folder: Option<String>,
    status: [i64; 2],
    comment: Option<String>,
    flags: [Option<bool>; 2],
    role: Option<i64>,
    sha256_is_right: bool,
    contact: (Option<String>, Option<bool>, Option<String>),
    contacts: usize,
    folders: usize,
    not_found: bool,
}

async fn seen(bench: &Bench, fails: bool) -> (Seen, Vec<(Option<String>, bool)>, Vec<When>) {
    let client = bench.builder().page_size(2).build().unwrap();
    for number in 0..4 {
        let file = Source::bytes(FILE);
        client.create(&Upload::new("Otro.pdf", format!("otro {number}"), file)).await.unwrap();
    }
    let with = super::upload().attach("Anexo.csv", Source::bytes("a;b"));
    let sending = legale::Sending::new(with, sending_flow());
    let sent = client.send(&sending).await.unwrap();
    let guid = sent.guid.clone();
    let links: Vec<_> = sent.started.unwrap().links.into_iter().collect();
    let there: Vec<_> =
        bench.document(&guid).signers.iter().filter_map(|signer| signer.link.clone()).collect();
    let links = links.into_iter().map(|link| (link.email, there.contains(&link.url))).collect();
    let before = client.sign_status(&guid).await.unwrap().code();
    bench.legale().sign(guid.as_str(), 1).unwrap();
    bench.legale().sign(guid.as_str(), 2).unwrap();
    let after = client.sign_status(&guid).await.unwrap().code();
    let detail = client.detail(&guid).await.unwrap();
    let documents = client.documents().all().await.unwrap();
    let fetched = client.download(&guid).to_writer(&mut Vec::new()).await.unwrap();
    let contact = NewContact::new("ana@example.com", "Ana", "Rojas").rut("12.345.678-5".parse().unwrap());
    client.ensure_contact(&contact).await.unwrap();
    let contact = client.ensure_contact(&contact).await.unwrap();
    let missing: DocumentId = "no-such-guid".parse().unwrap();
    let mut names: Vec<_> = documents.iter().map(|document| document.description.clone()).collect();
    names.iter_mut().flatten().for_each(|name| name.truncate(6));
    names.sort_unstable();
    let contents = |file: &legale::Attachment| {
        (file.file_name.clone(), file.content.as_ref().unwrap().decode().unwrap())
    };
    let seen = Seen {
        listed: documents.len(),
        names,
        signers: detail.sign_list.iter().map(|entry| entry.email.clone()).collect(),
        attachments: detail.attachments.iter().map(contents).collect(),
        folder: detail.folder.clone(),
        status: [before, after],
        comment: detail.document.comment.clone().filter(|text| !text.is_empty()),
        flags: [detail.delete_after_callback, detail.is_skip_notification],
        role: detail.owner.as_ref().and_then(|owner| owner.role),
        sha256_is_right: bench.document(&guid).signed_file.unwrap().sha256 == fetched.sha256,
        contact: (contact.email.clone(), contact.is_user, contact.rut().map(|rut| rut.to_string())),
        contacts: client.contacts().all().await.unwrap().len(),
        folders: client.folders().await.unwrap().len(),
        not_found: fails || client.detail(&missing).await.unwrap_err().is_not_found(),
    };
    assert_eq!(bench.done(), (5, 1));
    let times = detail.document.created_at.into_iter().chain(detail.document.updated_at).collect();
    (seen, links, times)
}

fn sending_flow() -> legale::flow::Flow {
    super::two(legale::flow::Flow::sequential())
}

fn changes() -> Vec<(String, Change)> {
    let mut all: Vec<(String, Change)> = Vec::new();
    macro_rules! each {
        ($kind:ident, $field:ident) => {
            for choice in $kind::ALL {
                all.push((format!("{choice:?}"), Box::new(move |settings| settings.$field = *choice)));
            }
        };
    }
    each!(Envelope, envelope);
    each!(ListShape, list_shape);
    each!(LinksShape, links_shape);
    each!(Numbers, numbers);
    each!(Bools, bools);
    each!(Times, times);
    each!(DocumentUrl, document_url);
    each!(GuidStyle, guid_style);
    each!(Order, order);
    each!(PastEnd, past_end);
    each!(NextLink, next_link);
    all.push(("older login".into(), Box::new(|settings| settings.login_answer = LoginAnswer::Older)));
    all.push(("null results".into(), Box::new(|settings| settings.null_results = true)));
    all.push(("null lists".into(), Box::new(|settings| settings.null_lists = true)));
    all.push(("lower case guid".into(), Box::new(|settings| settings.lower_case_guid = true)));
    all.push(("unknown keys".into(), Box::new(|settings| settings.unknown_keys = true)));
    all.push(("empty success".into(), Box::new(|settings| settings.empty_success = true)));
    all.push(("not inline".into(), Box::new(|settings| settings.inline_files = false)));
    all.push(("bit4id".into(), Box::new(|settings| settings.bit4id = true)));
    all.push(("small pages".into(), Box::new(|settings| settings.page_cap = 1)));
    all.push(("no sign pages".into(), Box::new(|settings| settings.sign_pages = false)));
    all.push(("files need a login".into(), Box::new(|settings| settings.media_needs_credentials = true)));
    for key in ["attached_file_list", "attached_files", "attached_file", "attach_file_list"] {
        for content in ["file", "base64"] {
            all.push((
                format!("{key} {content}"),
                Box::new(move |settings| {
                    settings.attachments_key_out = key.into();
                    settings.attachment_content_key = content.into();
                }),
            ));
        }
    }
    all.push((
        "all at once".into(),
        Box::new(|settings| {
            settings.envelope = Envelope::Wrapped;
            settings.numbers = Numbers::Text;
            settings.bools = Bools::Text;
            settings.times = Times::Spaced;
            settings.guid_style = GuidStyle::Hostile;
            settings.links_shape = LinksShape::Map;
            settings.document_url = DocumentUrl::Relative;
            settings.next_link = NextLink::Elsewhere;
            settings.lower_case_guid = true;
            settings.null_lists = true;
            settings.unknown_keys = true;
        }),
    ));
    all
}

#[tokio::test]
async fn every_permitted_shape_gives_the_same_result() {
    let (expected, links, _) = seen(&Bench::new().await, false).await;
    assert_eq!((expected.listed, expected.status, expected.contacts), (5, [0, 1], 1));
    assert!(expected.sha256_is_right && expected.not_found && expected.signers.len() == 2);
    assert_eq!(expected.attachments, [(Some("Anexo.csv".to_owned()), b"a;b".to_vec())]);
    assert!(links.iter().all(|(_, is_right)| *is_right) && links.len() == 2);
    for (name, change) in changes() {
        let bench = Bench::new().await;
        bench.legale().configure(|settings| change(settings));
        let settings = bench.legale().settings();
        let (found, links, times) = seen(&bench, false).await;
        assert_eq!(found, expected, "{name}");
        let emails: Vec<_> = links.iter().map(|(email, _)| email.as_deref()).collect();
        match settings.links_shape {
            LinksShape::Nothing => assert!(links.is_empty()),
            LinksShape::Strings => assert_eq!(emails, [None, None]),
            _ => assert_eq!(emails, [Some(super::ANA), Some(super::BEA)], "{name}"),
        }
        assert!(links.iter().all(|(_, is_right)| *is_right), "{name}");
        let readable = settings.times != Times::Unreadable;
        assert!(
            times.len() == 2 && times.iter().all(|time| time.timestamp().is_some() == readable),
            "{name}"
        );
    }
}

/// "Not found" is decided by the code, in whatever shape the refusal comes (contract 3.8, 3.9, trap 4).
#[tokio::test]
async fn a_refusal_is_understood_in_every_shape() {
    for shape in ErrorShape::ALL {
        let bench = Bench::new().await;
        bench.legale().configure(|settings| settings.error_shape = *shape);
        let missing: DocumentId = "no-such-guid".parse().unwrap();
        let client = bench.client();
        for error in [client.detail(&missing).await.unwrap_err(), client.delete(&missing).await.unwrap_err()]
        {
            assert!(!error.to_string().is_empty() && !error.is_outcome_unknown(), "{shape:?}: {error}");
            assert!(error.is_not_found() || *shape == ErrorShape::Html, "{shape:?}: {error}");
        }
    }
}

#[tokio::test]
async fn a_login_without_a_token_is_no_login() {
    for answer in [LoginAnswer::EmptyToken, LoginAnswer::NoToken] {
        let bench = Bench::new().await;
        bench.legale().configure(|settings| settings.login_answer = answer);
        let error = bench.client().check_credentials().await.unwrap_err();
        assert_eq!(error.kind(), legale::ErrorKind::Authentication, "{answer:?}");
    }
    for status in [400, 401, 403] {
        let bench = Bench::new().await;
        bench.legale().configure(|settings| settings.login_failure_status = status);
        let wrong = legale::Credential::password(bench.legale().email(), "wrong");
        let client = bench.builder().credential(wrong).build().unwrap();
        assert_eq!(client.check_credentials().await.unwrap_err().kind(), legale::ErrorKind::Authentication);
        assert_eq!(bench.legale().logins().len(), 1, "{status}");
    }
}
