//! One table over all clients: every credential and every personal field is a sentinel, the service repeats the whole request in
//! every place of every answer. Nothing that is printed, kept by an error, or traced holds a credential; no value and no trace holds what
//! is known of a person. An error repeats the service's own message and keeps its answer (promise 6), so that both may, except where the
//! contract wants more: in `apiges-sync` no error holds any data of a client (R5), the service's text is told without it.

use integration_core::BoxFuture;
use serde_json::json;

use super::capture;
use super::echo::{Echo, Login, Shape};
use super::printed::{Printed, none_of};
use super::sentinels::*;

const STATUSES: [u16; 13] = [200, 201, 302, 400, 401, 403, 404, 409, 422, 429, 500, 502, 503];

/// One client: what its login is answered, what it is made of and asked for, and the sentinels that reach the service.
struct Row {
    name: &'static str,
    login: fn() -> Option<Login>,
    provoke: fn(String) -> BoxFuture<'static, Printed>,
    sent: &'static [&'static str],
    /// Whether errors hold nothing personal either.
    private: bool,
}

const TABLE: [Row; 9] = [
    Row {
        name: "fiscal-printer",
        login: || None,
        provoke: fiscal_printer,
        sent: &[TOKEN, PERSON, EMAIL],
        private: false,
    },
    Row {
        name: "legale by key",
        login: || None,
        provoke: legale_by_key,
        sent: &[TOKEN, CALLBACK_KEY],
        private: false,
    },
    Row {
        name: "legale by password",
        login: || None,
        provoke: legale_by_password,
        sent: &[PASSWORD],
        private: false,
    },
    Row {
        name: "sugester",
        login: || None,
        provoke: sugester,
        sent: &["S3NT1NEL-account", PERSON],
        private: false,
    },
    Row {
        name: "bitfactura",
        login: || None,
        provoke: bitfactura,
        sent: &["S3NT1NEL-account", PERSON],
        private: false,
    },
    Row { name: "geosite's login", login: || None, provoke: geosite, sent: &[PASSWORD], private: false },
    Row {
        name: "geosite",
        login: || Some(("/generatetoken", token())),
        provoke: geosite,
        sent: &[TOKEN, PASSWORD],
        private: false,
    },
    Row {
        name: "apiges-sync",
        login: || Some(("/login", data())),
        provoke: apiges,
        sent: &[TOKEN, REFERENCE, CLAVE, PERSON, EMAIL, PHONE],
        private: true,
    },
    Row {
        name: "apiges-sync's web",
        login: || None,
        provoke: apiges_web,
        sent: &[TOKEN, PAIR_TAG, CLAVE, WORDS],
        private: true,
    },
];

fn token() -> String {
    json!({ "token": TOKEN, "refreshToken": TOKEN, "access_token": TOKEN, "expires_in": 999_999 }).to_string()
}

fn data() -> String {
    json!({"statusCode": 200, "message": "OK", "data": {"token": TOKEN}}).to_string()
}

#[tokio::test]
async fn a_service_that_repeats_the_request_gets_nothing_printed() {
    let (log, _guard) = capture();
    for row in &TABLE {
        let mut asked = String::new();
        for (status, shape) in STATUSES.iter().flat_map(|status| Shape::ALL.map(|shape| (*status, shape))) {
            let echo = Echo::start(status, shape, (row.login)()).await;
            let printed = (row.provoke)(echo.url.clone()).await;
            let what = format!("{} after {status} {shape:?}", row.name);
            printed.holds_none_of(&what, &CREDENTIALS);
            none_of(&what, &printed.values, &PERSONAL);
            if row.private {
                printed.holds_none_of(&what, &PERSONAL);
            }
            asked.push_str(&echo.asked());
        }
        for sentinel in row.sent {
            assert!(asked.contains(sentinel), "{} sends {sentinel}, so that it can be repeated", row.name);
        }
    }
    let log = log.text();
    assert!(log.lines().count() > 500, "something was captured");
    none_of("the log", &log, &CREDENTIALS);
    none_of("the log", &log, &PERSONAL);
}

fn quick() -> integration_core::call::RetryPolicy {
    integration_core::call::RetryPolicy::never()
}

fn fiscal_printer(url: String) -> BoxFuture<'static, Printed> {
    use fiscal_printer::{Buyer, Client, Document, Environment, Line, Mail};
    Box::pin(async move {
        let mut printed = Printed::default();
        let builder =
            Client::builder().environment(Environment::custom(&url).unwrap()).token(TOKEN).retry(quick());
        printed.value(&builder);
        let client = builder.build().unwrap();
        let buyer = Buyer::new(PERSON, "V-12345678").email(EMAIL).address("Calle 1").phone("584121234567");
        let invoice =
            Document::invoice("J-12345678-4", 1).buyer(buyer).line(Line::new("A2", "Dos", "20.00", 1));
        printed.value(&client);
        printed.result(client.issue(&invoice.build().unwrap()).await.map(drop));
        let number = "00-00000001".parse().unwrap();
        printed.result(client.annul(&number, PERSON).await.map(drop));
        printed.result(client.mail(&Mail::new(number, EMAIL)).await.map(drop));
        printed
    })
}

fn legale_by_key(url: String) -> BoxFuture<'static, Printed> {
    legale(url, legale::Credential::api_key(TOKEN))
}

fn legale_by_password(url: String) -> BoxFuture<'static, Printed> {
    legale(url, legale::Credential::password(USER, PASSWORD))
}

fn legale(url: String, credential: legale::Credential) -> BoxFuture<'static, Printed> {
    use legale::{Client, DocumentId, Environment, Source, Upload};
    Box::pin(async move {
        let mut printed = Printed::default();
        printed.value(&credential);
        let builder = Client::builder()
            .environment(Environment::root(&url).unwrap())
            .credential(credential)
            .retry(quick());
        printed.value(&builder);
        let client = builder.build().unwrap();
        printed.value(&client);
        let upload =
            Upload::new("Contrato_X_2025.pdf", "Contrato", Source::bytes(&b"%PDF-1.7 a\n%%EOF\n"[..]))
                .folder("Contratos/X");
        let upload = upload.callback_url(CALLBACK_URL).callback_key(CALLBACK_KEY);
        printed.value(&upload);
        printed.result(client.create(&upload).await.map(drop));
        let document: DocumentId = "g-1".parse().unwrap();
        printed.result(client.detail(&document).await.map(drop));
        printed.result(client.check_credentials().await.map(drop));
        printed
    })
}

fn sugester(url: String) -> BoxFuture<'static, Printed> {
    use sugester::crm::{ListQuery, NewClient};
    use sugester::{BaseUrl, Client};
    Box::pin(async move {
        let mut printed = Printed::default();
        let builder =
            Client::builder().base_url(BaseUrl::parse(&url).unwrap()).token(ACCOUNT_TOKEN.parse().unwrap());
        let builder = builder.retry(quick());
        printed.value(&builder);
        let client = builder.build().unwrap();
        printed.value(&client);
        printed.result(client.create_client(&NewClient::company(PERSON)).await.map(drop));
        printed.result(client.client(7).await.map(drop));
        printed.result(client.clients(&ListQuery::new()).unwrap().all().await.map(drop));
        printed
    })
}

fn bitfactura(url: String) -> BoxFuture<'static, Printed> {
    use sugester::BaseUrl;
    use sugester::bitfactura::{Client, NewClient};
    Box::pin(async move {
        let mut printed = Printed::default();
        let builder =
            Client::builder().base_url(BaseUrl::parse(&url).unwrap()).token(ACCOUNT_TOKEN.parse().unwrap());
        let builder = builder.retry(quick());
        printed.value(&builder);
        let client = builder.build().unwrap();
        printed.value(&client);
        printed.result(client.create_client(&NewClient::company(PERSON)).await.map(drop));
        printed.result(client.invoice(7).await.map(drop));
        printed
    })
}

fn geosite(url: String) -> BoxFuture<'static, Printed> {
    use geosite::{Client, Environment, Feature};
    Box::pin(async move {
        let mut printed = Printed::default();
        let builder =
            Client::builder().environment(Environment::at(&url).unwrap()).credentials(USER, PASSWORD);
        let builder = builder.retry(quick());
        printed.value(&builder);
        let client = builder.build().unwrap();
        printed.value(&client);
        printed.result(client.log_in().await);
        printed.result(client.schema(Feature::Cto).await.map(drop));
        printed.result(client.get(Feature::Cto, 7_u64).await.map(drop));
        printed.value(&client);
        printed
    })
}

fn apiges(url: String) -> BoxFuture<'static, Printed> {
    use apiges_sync::{Assumptions, Client, Environment, LoginStyle, ManualClock, Search};
    Box::pin(async move {
        let mut printed = Printed::default();
        let query = LoginStyle::Query { user: "user".into(), password: "password".into() };
        let headers = LoginStyle::Headers { user: "x-user".into(), password: "x-password".into() };
        for style in [LoginStyle::BasicHeader, query, headers] {
            let mut assumptions = Assumptions::default();
            assumptions.login_style = style;
            let builder =
                Client::builder().environment(Environment::at(&url).unwrap()).credentials(USER, PASSWORD);
            let builder = builder.assumptions(assumptions).clock(ManualClock::new()).retry(quick());
            printed.value(&builder);
            let client = builder.build().unwrap();
            printed.result(client.log_in().await);
            let search = Search::all().equal("referenciaCliente", [REFERENCE]);
            printed.value(&(&client, &search));
            printed.result(client.search_case_files(&search).await.map(drop));
            printed.result(client.case_file(3992).await.map(drop));
            printed.result(client.contact(4879).await.map(drop));
            let contact = json!({"nombre": PERSON, "email": EMAIL, "telefono": PHONE});
            printed.result(client.get_or_create_contact(&contact).await.map(drop));
            let file = json!({"referenciaCliente": REFERENCE, "clave": CLAVE});
            printed.result(client.change_case_file(3992, &file).await.map(drop));
        }
        printed
    })
}

fn apiges_web(url: String) -> BoxFuture<'static, Printed> {
    use apiges_sync::grant::{PairTag, UnionKey};
    use apiges_sync::web::{
        CasePush, ContactRef, HttpTransport, IdempotencyKey, Message, UnionRequest, Viewer,
        WebSyncTransport as _,
    };
    Box::pin(async move {
        let mut printed = Printed::default();
        let builder =
            HttpTransport::builder().base_url(&url).unwrap().tenant("demo").credential(TOKEN).retry(quick());
        printed.value(&builder);
        let portal = builder.build().unwrap();
        let union_key = UnionKey::from_hex(HEX_KEY.into()).unwrap();
        let joined = union_key.tag(CLAVE, &PASSWORD.into()).unwrap();
        let (tag, key) = (PairTag::from_hex(PAIR_TAG).unwrap(), IdempotencyKey::stored("k-1"));
        let contact = ContactRef::client("4879").unwrap();
        printed.value(&(&portal, &union_key, &joined, &tag));
        let union = UnionRequest { pair_tag: tag.clone(), joining: contact.clone() };
        let message: Message = read(json!({"messageId": "m-1", "author": {"role": "firm", "ref": "u1"},
            "sentAt": "2026-03-02T10:15:04.120Z", "lang": "es", "body": WORDS, "attachments": []}));
        let push: CasePush = read(json!({"caseId": 3992, "version": 42, "sequence": 1,
            "savedAt": "2026-03-02T10:15:04.120Z", "cause": "saved", "withdrawals": [], "projections": [
                {"grant": {"kind": "C", "code": "4879"}, "holder": {"kind": "C", "code": "4879"},
                 "view": {"clave": CLAVE, "referencia": REFERENCE,
                    "descripciones": [{"tipo": {"codigo": "D", "descripcion": WORDS}, "descripcion": PERSON}]}}]}));
        let viewer = Viewer::Union(tag);
        let descriptions = &push.projections[0].view.descripciones;
        printed.value(&(&union, &message, &push, &viewer, descriptions));
        printed.result(portal.view(&viewer).await.map(drop));
        printed.result(portal.preview_union(&union, &key).await.map(drop));
        printed.result(portal.post_message(3992, &message, &key).await.map(drop));
        printed.result(portal.push(&push, &key).await.map(drop));
        printed.result(portal.grant(&contact).await.map(drop));
        printed
    })
}

fn read<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}
