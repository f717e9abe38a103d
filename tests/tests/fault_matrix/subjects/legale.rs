//! `legale`, by contract 2.2 and 2.3: only `GET` and `POST /token` are repeated, after connect and reset, 429, 502, 503 and 504, and
//! not after silence; a hint to wait is cut to 120 s; after a 401 a password logs in again, once.

use std::time::Duration;

use integration_core::call::Idempotency;
use integration_core::{BoxFuture, Error};
use legale::{
    Client, ClientBuilder, Credential, DocumentId, Environment, NewContact, Source, Upload, idempotency_table,
};
use tokio::io::AsyncReadExt;

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Op, Rules, Site, Subject, doing};

pub struct Legale;

const KEY: &str = "planted-legale-key";
const PASSWORD: &str = "planted-legale-password";
const JSON: Duration = Duration::from_secs(60);
const DOCUMENT: Duration = Duration::from_secs(300);
/// Contract 4.12: a limit that is set, here to little, so that a flood has something to meet.
const LARGEST: u64 = 100 * 1024 * 1024;
const SIZE: u64 = 3 * 1024 * 1024;

fn read() -> Rules {
    Rules {
        deadline: JSON * 7,
        attempt: JSON,
        after_silence: false,
        longest_wait: (Duration::from_secs(120), true),
        ..Rules::read()
    }
}

fn write() -> Rules {
    let read = read();
    Rules { class: Idempotency::Once, tries: 1, connects: 1, lost: Rules::never().lost, ..read }
}

fn document(rules: Rules) -> Rules {
    Rules { deadline: DOCUMENT, attempt: DOCUMENT, ..rules }
}

impl Subject for Legale {
    fn name(&self) -> &'static str {
        "legale"
    }

    fn operations(&self) -> Vec<Op> {
        let is_contact = |seen: &Seen| seen.path() == "/api/v2/contact/5/";
        let is_new_contact = |seen: &Seen| seen.method == "POST" && seen.path() == "/api/v2/contacts/";
        let download = Rules { cap: LARGEST as usize, ..document(read()) };
        let renews = Rules { renews: true, ..write() };
        vec![
            Op::new(Column::Safe, "read a contact", read(), is_contact).brings("5"),
            Op::new(Column::Keyed, "log in", read().login(), |seen| seen.path() == "/api/token").brings("in"),
            Op::new(Column::Once, "create a contact", write(), is_new_contact).brings("5"),
            Op::new(Column::Once, "delete a document", renews, |seen| seen.method == "DELETE")
                .brings("gone")
                .without(&[("empty", "contract 3.8: an empty 2xx is how a deletion ends well")]),
            Op::new(Column::Upload, "create a document", document(write()), |seen| {
                seen.path() == "/api/document/create"
            })
            .brings("g1 3145728"),
            Op::new(Column::Pull, "list documents", read(), |seen| seen.path() == "/api/documents/")
                .paged(1, 2)
                .brings("g1 g2 g3 g4"),
            Op::new(Column::Download, "fetch a signed file", download, |seen| {
                seen.path().starts_with("/api/sign/download/")
            })
            .brings("14")
            .without(&[("cut JSON", "half a file under its own length is a whole one; `ends_as_pdf` tells")]),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[KEY, PASSWORD, "planted-legale-token"]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        Reply::json(match (seen.method.as_str(), seen.path()) {
            (_, "/api/token") => r#"{"token":"planted-legale-token","code":null,"message":""}"#.to_owned(),
            (_, "/api/document/create") => {
                r#"{"data":{"GUID":"g1","sign_status":0},"code":null,"message":""}"#.to_owned()
            }
            ("GET", "/api/documents/") => page(seen),
            (_, path) if path.starts_with("/api/sign/download/") => return Reply::file(b"%PDF-1.7\n%%EOF"),
            _ => r#"{"id":5,"email":"ana@example.com","firstname":"Ana","lastname1":"Rojas"}"#.to_owned(),
        })
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let is_password = matches!(operation, "log in" | "delete a document");
        let credential = if is_password {
            Credential::password("ana@example.com", PASSWORD)
        } else {
            Credential::api_key(KEY)
        };
        let client = Client::builder()
            .environment(Environment::root(&site.url).unwrap())
            .credential(credential)
            .page_size(2)
            .document_limit(LARGEST)
            .allow_contact_by_id(true)
            .clock(site.clock);
        let client = site.limit.into_iter().fold(client, ClientBuilder::timeout).build().unwrap();
        Box::pin(async move {
            if operation == "delete a document" {
                client.check_credentials().await.unwrap();
            }
            doing(move || {
                let client = client.clone();
                async move { act(&client, operation).await }
            })
        })
    }
}

fn page(seen: &Seen) -> String {
    let number: u32 = seen.query("page").and_then(|page| page.parse().ok()).unwrap_or(1);
    let next = if number == 1 { r#""next""# } else { "null" };
    let guid = |at: u32| format!(r#"{{"GUID":"g{}","sign_status":0}}"#, 2 * (number - 1) + at);
    format!(r#"{{"count":4,"next":{next},"previous":null,"results":[{},{}]}}"#, guid(1), guid(2))
}

async fn act(client: &Client, operation: &str) -> Result<String, Error> {
    let guid: DocumentId = "g1".parse().unwrap();
    Ok(match operation {
        "read a contact" => client.contact(&5.into()).await?.id.to_string(),
        "log in" => client.check_credentials().await.map(|()| "in".to_owned())?,
        "create a contact" => {
            client.create_contact(&NewContact::new("ana@example.com", "Ana", "Rojas")).await?.id.to_string()
        }
        "delete a document" => client.delete(&guid).await.map(|()| "gone".to_owned())?,
        "create a document" => {
            let source = Source::opener(SIZE, || async {
                Ok(std::io::Cursor::new(b"%PDF-").chain(tokio::io::repeat(7)).take(SIZE))
            });
            let created = client.create(&Upload::new("a.pdf", "d", source)).await?;
            format!("{} {}", created.document.guid, created.length)
        }
        "list documents" => {
            let all = client.documents().all().await?;
            all.iter().map(|document| document.guid.to_string()).collect::<Vec<_>>().join(" ")
        }
        _ => {
            let download = client.download(&guid).from_sign_download();
            download.to_writer(&mut tokio::io::sink()).await?.length.to_string()
        }
    })
}
