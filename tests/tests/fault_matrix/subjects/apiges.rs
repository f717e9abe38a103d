//! `apiges-sync`, layer A, by contract 2.1: `GET` and `POST …/search` are retried 3 times after transport failure, 429 and 502 to 504;
//! other `POST` and `PUT` never by themselves; after a 401 one login and the same request once more. Three retries are four requests,
//! where row 9 of the matrix has three at most: contracts win on retry rules. An exchange may take all of a call's 60 s.

use integration_core::call::Idempotency;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};

use apiges_sync::{Client, ClientBuilder, Environment, Search, idempotency_table};

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Exception, Op, Rules, Site, Subject, doing};

pub struct Apiges;

const PASSWORD: &str = "planted-apiges-password";
/// `ana:` and the password, by coreutils.
const BASIC: &str = "YW5hOnBsYW50ZWQtYXBpZ2VzLXBhc3N3b3Jk";
const TOKEN: &str = "planted-apiges-token";
/// The contract has no limit of an answer: one that is set here, so that a flood has something to meet.
const LARGEST: usize = 4 * 1024 * 1024;

fn read() -> Rules {
    Rules { tries: 4, connects: 4, cap: LARGEST, renews: true, ..Rules::read() }
}

fn write() -> Rules {
    Rules { class: Idempotency::Once, tries: 1, connects: 1, lost: Rules::never().lost, ..read() }
}

/// It is a `GET`.
fn login() -> Rules {
    Rules { class: Idempotency::Safe, ..read().login() }
}

const LOGIN: &[Exception] = &[no_token("malformed"), no_token("cut JSON"), no_token("empty")];

const fn no_token(fault: &'static str) -> Exception {
    let because = "contract R5 has `Auth{Shape}` for a login that brings no token; 2.1 calls the same `UnexpectedShape`";
    Exception { fault, kind: ErrorKind::Authentication, outcome: Outcome::NotSent, because }
}

impl Subject for Apiges {
    fn name(&self) -> &'static str {
        "apiges-sync (REST)"
    }

    fn operations(&self) -> Vec<Op> {
        let is_new = |seen: &Seen| seen.method == "POST" && seen.path() == "/expedientes";
        vec![
            Op::new(Column::Safe, "read a case file", read(), |seen| seen.path() == "/expedientes/3992")
                .brings("3992"),
            Op::new(Column::Safe, "search case files", read(), |seen| seen.path() == "/expedientes/search")
                .brings("17 3992"),
            Op::new(Column::Safe, "log in", login(), |seen| seen.path() == "/login")
                .brings("in")
                .except(LOGIN),
            Op::new(Column::Once, "create a case file", write(), is_new).brings("3992"),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn lacks(&self) -> &'static [(Column, &'static str)] {
        &[
            (Column::Keyed, "contract 2.1: no write of layer A has a key"),
            (Column::Upload, "contract 3.2 and 3.3: layer A takes no files"),
            (Column::Pull, "contract 3.3: paging of searches is unknown, so that a search is one request"),
        ]
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[PASSWORD, BASIC, TOKEN]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        let data = match seen.path() {
            "/login" => format!(r#"{{"token":"{TOKEN}"}}"#),
            "/expedientes/search" => r#"[{"id":17},{"id":3992}]"#.to_owned(),
            // As text (R4), so that the answer of another call is well formed and another one.
            _ => r#"{"id":"3992"}"#.to_owned(),
        };
        Reply::json(format!(r#"{{"statusCode":200,"message":"OK","data":{data}}}"#))
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let client = Client::builder()
            .environment(Environment::at(&site.url).unwrap())
            .credentials("ana", PASSWORD)
            .body_limit(LARGEST)
            .clock(site.clock);
        let client = site.limit.into_iter().fold(client, ClientBuilder::timeout).build().unwrap();
        Box::pin(async move {
            if operation != "log in" {
                client.log_in().await.unwrap();
            }
            doing(move || {
                let client = client.clone();
                async move { act(&client, operation).await }
            })
        })
    }
}

async fn act(client: &Client, operation: &str) -> Result<String, Error> {
    Ok(match operation {
        "read a case file" => client.case_file(3992).await?.id.to_string(),
        "search case files" => {
            let found = client.search_case_files(&Search::all().equal("idCliente", [4879])).await?;
            assert!(found.unreadable.is_empty(), "half of an answer");
            found.rows.iter().map(|file| file.id.to_string()).collect::<Vec<_>>().join(" ")
        }
        "log in" => client.log_in().await.map(|()| "in".to_owned())?,
        _ => {
            let created = client.create_case_file(&serde_json::json!({"numero": "M1234567"})).await?;
            let created: serde_json::Value = serde_json::from_str(created.json()).unwrap();
            created["id"].as_str().unwrap_or_default().to_owned()
        }
    })
}
