//! `sugester`, the CRM, by contract 2.4: only `GET` is repeated, after connect and reset, 429 and 502 to 504, and not after silence; a
//! hint to wait is cut to 120 s; nothing else is ever repeated.

use std::time::Duration;

use integration_core::call::Idempotency;
use integration_core::{BoxFuture, Error};
use sugester::crm::{ListQuery, NewClient};
use sugester::{BaseUrl, Client, ClientBuilder, idempotency_table};

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Op, Rules, Site, Subject, doing};

pub struct Sugester;

pub(super) const TOKEN: &str = "planted/crm-token/acme";
/// As it stands in a query.
pub(super) const ENCODED: &str = "planted%2Fcrm-token%2Facme";

pub(super) fn read() -> Rules {
    let exchange = Duration::from_secs(30);
    Rules {
        deadline: exchange * 11,
        attempt: exchange,
        after_silence: false,
        longest_wait: (Duration::from_secs(120), true),
        cap: 16 * 1024 * 1024,
        ..Rules::read()
    }
}

pub(super) fn write() -> Rules {
    Rules { class: Idempotency::Once, tries: 1, connects: 1, lost: Rules::never().lost, ..read() }
}

impl Subject for Sugester {
    fn name(&self) -> &'static str {
        "sugester (CRM)"
    }

    fn operations(&self) -> Vec<Op> {
        let create = |seen: &Seen| seen.method == "POST";
        vec![
            Op::new(Column::Safe, "read a client of Sugester", read(), |seen| {
                seen.path() == "/app/clients/7.json"
            })
            .brings("7"),
            Op::new(Column::Once, "create a client of Sugester", write(), create).brings("7"),
            Op::new(Column::Pull, "list clients of Sugester", read(), |seen| {
                seen.path() == "/app/clients.json"
            })
            .paged(1, 3)
            .brings("1 2 3 4"),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[TOKEN, ENCODED]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        match (seen.method.as_str(), seen.path()) {
            ("GET", "/app/clients.json") => Reply::json(page(seen)),
            _ => Reply::json(r#"{"id":7,"name":"Acme SpA"}"#),
        }
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let client = Client::builder()
            .base_url(BaseUrl::parse(&site.url).unwrap())
            .token(TOKEN.parse().unwrap())
            .per_page(2)
            .clock(site.clock);
        let client = site.limit.into_iter().fold(client, ClientBuilder::timeout).build().unwrap();
        Box::pin(async move {
            doing(move || {
                let client = client.clone();
                async move { act(&client, operation).await }
            })
        })
    }
}

/// Two pages of two, and an empty one: how a list ends that does not say how long it is.
pub(super) fn page(seen: &Seen) -> String {
    match seen.query("page").as_deref() {
        Some("1") => r#"[{"id":1,"name":"A"},{"id":2,"name":"B"}]"#,
        Some("2") => r#"[{"id":3,"name":"C"},{"id":4,"name":"D"}]"#,
        _ => "[]",
    }
    .to_owned()
}

async fn act(client: &Client, operation: &str) -> Result<String, Error> {
    Ok(match operation {
        "read a client of Sugester" => client.client(7).await?.id.to_string(),
        "create a client of Sugester" => {
            client.create_client(&NewClient::company("Acme SpA")).await?.id.to_string()
        }
        _ => {
            let all = client.clients(&ListQuery::new())?.all().await?;
            all.iter().map(|client| client.id.to_string()).collect::<Vec<_>>().join(" ")
        }
    })
}
