//! Sentinels in every secret that `legale` holds: in nothing that is printed, and in nothing that is traced.

use integration_sandbox::legale::Endpoint;
use integration_sandbox::{Fault, Scripted};
use legale::flow::Flow;
use legale::webhook::{CallbackToken, DerivedSecrets, Relay};
use legale::{
    Credential, DocumentId, Error, Reference, Secret, Sending, TemplateItem, TemplateSigner, Workflow,
};

use super::{Bench, outsider, upload};
use crate::leaks::capture;
use crate::leaks::printed::Printed;

const KEY: &str = "S3NT1NEL-api-key-0123456789abcdef";
const TOKEN: &str = "S3NT1NEL.token.0123456789abcdefgh";
const PASSWORD: &str = "S3NT1NEL-password-0123456789abcd";
const CALLBACK_URL: &str = "http://127.0.0.1:1/cb/S3NT1NEL-callback-0123456789abcdef";
const CALLBACK_KEY: &str = "S3NT1NEL-callback-key-0123456789";
const STATUS_URL: &str = "http://127.0.0.1:1/st/S3NT1NEL-status-0123456789abcdef00";
const MARK: &str = "S3NT1NEL";

fn flow() -> Flow {
    Flow::sequential().signer(outsider(super::ANA).status_callback(STATUS_URL)).build().unwrap()
}

fn sending() -> Sending {
    Sending::new(upload().callback_url(CALLBACK_URL).callback_key(CALLBACK_KEY), flow())
}

/// A service that repeats whatever it was told, in every place of an answer.
fn echoes() -> Vec<Fault> {
    let all = [KEY, TOKEN, PASSWORD, CALLBACK_URL, CALLBACK_KEY, STATUS_URL].join(" ");
    let message = format!(r#"{{"data":null,"code":"E","message":"{all}","detail":"{all}"}}"#);
    let mut faults = Vec::new();
    for status in [200, 302, 400, 401, 403, 404, 409, 429, 500, 502, 503] {
        for body in [all.clone(), message.clone(), format!("<html>{all}</html>")] {
            let answer = Scripted::new(status)
                .header("content-type", "application/json")
                .header("x-request-id", all.clone())
                .header("retry-after", "0")
                .header("location", format!("http://127.0.0.1:1/{KEY}?t={TOKEN}"))
                .body(body);
            faults.push(Fault::Answer(answer));
        }
    }
    faults
}

#[tokio::test]
async fn what_the_service_repeats_is_not_shown() {
    let (log, _guard) = capture();
    let bench = Bench::new().await;
    let guid: DocumentId = "g-1".parse().unwrap();
    let signer = TemplateSigner::new(legale::flow::SignMethod::NoSms, super::ANA)
        .name("Ana", "Rojas")
        .anchor("Firma")
        .status_callback(STATUS_URL);
    let item =
        TemplateItem::new().signer(signer.clone()).callback_url(CALLBACK_URL).callback_key(CALLBACK_KEY);
    let workflow = Workflow::new().signer(signer).callback_url(CALLBACK_URL).callback_key(CALLBACK_KEY);
    for fault in echoes() {
        // Each credential knows its own secret; the service cannot repeat what it was never sent.
        let echo = |secret: &str| match &fault {
            Fault::Answer(answer) => {
                let text = format!("{answer:?}");
                assert!(text.contains(secret));
                only(answer, &[secret, CALLBACK_URL, CALLBACK_KEY])
            }
            _ => unreachable!("scripted"),
        };
        for credential in [Credential::api_key(KEY), Credential::token(TOKEN)] {
            let secret = if matches!(credential, Credential::ApiKey(_)) { KEY } else { TOKEN };
            let client = bench.builder().credential(credential).build().unwrap();
            let mut printed = Printed::default();
            bench.legale().inject_always(Endpoint::Create, echo(secret));
            bench.legale().inject_always(Endpoint::List, Fault::Answer(Scripted::new(500).body(secret)));
            printed.value(&(&client, &sending()));
            printed
                .result(client.create(&upload().callback_url(CALLBACK_URL).callback_key(CALLBACK_KEY)).await);
            printed.result(client.send(&sending()).await.map_err(Error::from));
            bench.legale().clear_faults();
            let mine = Fault::Answer(scripted(&fault, &[secret, STATUS_URL]));
            bench.legale().inject_always(Endpoint::Start, mine);
            printed.result(client.start(&guid, &flow()).await);
            let mine = Fault::Answer(scripted(&fault, &[secret, STATUS_URL, CALLBACK_URL, CALLBACK_KEY]));
            bench.legale().inject_always(Endpoint::Template, mine.clone());
            bench.legale().inject_always(Endpoint::Workflow, mine);
            printed.result(client.start_batch(&7.into(), std::slice::from_ref(&item)).await);
            printed.result(client.start_workflow(&7.into(), &workflow).await);
            let mine = Fault::Answer(scripted(&fault, &[secret]));
            bench.legale().inject_always(Endpoint::Detail, mine.clone());
            bench.legale().inject_always(Endpoint::Media, mine);
            printed.result(client.detail(&guid).await);
            printed.result(client.download(&guid).to_writer(&mut Vec::new()).await);
            bench.legale().clear_faults();
            printed.holds_none_of(&format!("{fault:?}"), &[MARK]);
        }
        let client = bench.builder().credential(Credential::password("a@b.cl", PASSWORD)).build().unwrap();
        bench.legale().inject_always(Endpoint::Login, Fault::Answer(scripted(&fault, &[PASSWORD])));
        let mut printed = Printed::default();
        printed.value(&client);
        printed.result(client.check_credentials().await);
        bench.legale().clear_faults();
        printed.holds_none_of(&format!("login {fault:?}"), &[MARK]);
    }
    let text = log.text();
    assert!(text.lines().count() > 100, "something was captured");
    assert!(!text.contains(MARK), "the log shows a secret");
}

/// The answer with these secrets alone.
fn scripted(fault: &Fault, secrets: &[&str]) -> Scripted {
    let Fault::Answer(answer) = fault else { unreachable!("scripted") };
    match only(answer, secrets) {
        Fault::Answer(answer) => answer,
        _ => unreachable!("scripted"),
    }
}

fn only(answer: &Scripted, secrets: &[&str]) -> Fault {
    let mut text = serde_json::to_string(answer).unwrap();
    for known in [KEY, TOKEN, PASSWORD, CALLBACK_URL, CALLBACK_KEY, STATUS_URL] {
        if !secrets.contains(&known) {
            text = text.replace(known, "other");
        }
    }
    Fault::Answer(serde_json::from_str(&text).unwrap())
}

/// A token that the client gets by logging in, in answers that are half right.
#[tokio::test]
async fn a_token_in_a_login_that_cannot_be_read_is_not_shown() {
    let bench = Bench::new().await;
    for body in [
        format!(r#"{{"token":"{TOKEN}""#),
        format!(r#"{{"token":["{TOKEN}"]}}"#),
        format!(r#"{{"token":{{"access":"{TOKEN}"}}}}"#),
        format!(r#"{{"success":false,"token":"{TOKEN}"}}"#),
        format!(r#"{{"token":"{TOKEN}\n"}}"#),
        format!("token={TOKEN}"),
    ] {
        let answer = Scripted::new(200).header("content-type", "application/json").body(body.as_str());
        bench.legale().inject(Endpoint::Login, Fault::Answer(answer));
        let mut printed = Printed::default();
        printed.result(bench.client().check_credentials().await);
        bench.legale().clear_faults();
        printed.holds_none_of(&body, &[MARK]);
    }
}

#[tokio::test]
async fn no_type_that_holds_a_secret_prints_it() {
    let bench = Bench::new().await;
    let mut printed = Printed::default();
    let token = CallbackToken::from_parts("order-1", CALLBACK_KEY).unwrap();
    printed.value(&token);
    printed.value(&DerivedSecrets::new(CALLBACK_KEY).unwrap());
    printed.value(&Relay::new(CALLBACK_KEY).unwrap());
    printed.value(&Reference::CallbackUrl(Secret::new(CALLBACK_URL)));
    printed.value(&(sending(), flow(), flow().signers()));
    for credential in
        [Credential::api_key(KEY), Credential::token(TOKEN), Credential::password("a@b", PASSWORD)]
    {
        printed.value(&credential);
        let builder = bench.builder().credential(credential);
        printed.value(&builder);
        printed.value(&builder.build().unwrap());
    }
    let client = bench.client();
    let sent = client.send(&sending()).await.unwrap();
    printed.value(&sent);
    printed.value(&client.detail(&sent.guid).await.unwrap());
    printed.value(&client.documents().all().await.unwrap());
    for url in
        [format!("https://{KEY}@h.cl"), format!("https://u:{KEY}@h.cl"), format!("https://h.cl/?t={KEY}")]
    {
        printed.result(legale::Environment::root(&url));
        printed.result(client.approve(&url).await);
    }
    printed.holds_none_of("types", &[MARK]);
    let link = bench.document(&sent.guid).signers[0].link.clone().unwrap();
    assert!(!printed.values.contains(&link), "whoever has a sign URL can sign");
}
