//! `geosite`, by contract 2.2, 2.3 and 3.6: reads and logins are repeated after connect failure, silence, 429 and 502 to 504, three
//! tries in all within 60 s; `cliente/save` is never repeated by itself; a 401 renews the login once.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use geosite::link::{
    Confirmed, DetachPolicy, Found, HttpLinkWriter, Links, Plant, Port, PortLinkReader, PortLinkWriter,
    Released, SplitterFacts, Subscriber, WriteBackError,
};
use geosite::{
    Assumptions, Client, ClientBuilder, CustomerKey, Environment, Feature, Read, WriteBack, idempotency_table,
};
use integration_core::call::Idempotency;
use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use integration_store::Store;
use jiff::SignedDuration;

use super::super::server::{Reply, Seen};
use super::super::subject::{Column, Doing, Exception, Op, Rules, Site, Subject, doing};

pub struct GeoSite;

const PASSWORD: &str = "planted-geosite-password";
const TOKEN: &str = "planted-geosite-token";

fn read() -> Rules {
    Rules { attempt: Duration::from_secs(30), renews: true, ..Rules::read() }
}

/// A page is handed on row by row; 15 s without a byte are a stall.
fn list() -> Rules {
    Rules { stall: Some(Duration::from_secs(15)), ..read() }
}

fn save() -> Rules {
    Rules { class: Idempotency::Once, tries: 1, connects: 1, lost: Rules::never().lost, ..read() }
}

/// 3.7: there is no kind for it but "unexpected shape".
const fn shape(outcome: Outcome) -> Exception {
    let because = "contract 6: `UnexpectedShape` is what there is for an answer that is too large";
    Exception { fault: "512 MiB", kind: ErrorKind::UnexpectedAnswer, outcome, because }
}

const LOGIN: &[Exception] = &[
    no_token("malformed"),
    no_token("cut JSON"),
    no_token("empty"),
    no_token("HTML"),
    no_token("another type"),
    no_token("gzip"),
    no_token("encoding"),
    no_token("512 MiB"),
];

const fn no_token(fault: &'static str) -> Exception {
    let because = "contract 2.2: 200 without a token is `Auth::Shape`";
    Exception { fault, kind: ErrorKind::Authentication, outcome: Outcome::NotSent, because }
}

const READ: &[Exception] = &[shape(Outcome::ReadOnly)];
const SAVE: &[Exception] = &[shape(Outcome::Unknown)];

impl Subject for GeoSite {
    fn name(&self) -> &'static str {
        "geosite"
    }

    fn operations(&self) -> Vec<Op> {
        vec![
            Op::new(Column::Safe, "read an element", read(), |seen| seen.path() == "/cto/get")
                .brings("1")
                .except(READ),
            Op::new(Column::Keyed, "log in", read().login(), |seen| seen.path() == "/auth/generatetoken")
                .brings("in")
                .except(LOGIN),
            Op {
                // L1: whether the customer is there.
                helpers: 1,
                ..Op::new(Column::Once, "save a customer", save(), |seen| seen.path() == "/cliente/save")
                    .brings("1")
                    .except(SAVE)
                    .without(&[("nobody listens", "the look-up that comes before a save meets it")])
            },
            Op::new(Column::Pull, "list elements", list(), |seen| seen.path() == "/cto/list")
                .paged(1, 4)
                .brings("1 2 3 4")
                .without(&[(
                    "512 MiB",
                    "a page is handed on row by row and kept nowhere: its limit is 1 TiB",
                )]),
        ]
    }

    fn table(&self) -> &'static [(&'static str, Idempotency)] {
        idempotency_table()
    }

    fn secrets(&self) -> &'static [&'static str] {
        &[PASSWORD, TOKEN]
    }

    fn answer(&self, seen: &Seen) -> Reply {
        Reply::json(match seen.path() {
            "/auth/generatetoken" | "/auth/refresh" => {
                format!(r#"{{"token":"{TOKEN}","refreshToken":"planted-geosite-refresh"}}"#)
            }
            "/cto/list" => page(seen),
            "/cliente/list" => r#"{"total":0,"records":[]}"#.to_owned(),
            "/cliente/save" | "/cto/get" => r#"{"fid":1,"nome":"A"}"#.to_owned(),
            _ => r#"{"columns":["fid","nome","latitude","longitude","documento","contrato","fidSplitter","porta"]}"#
                .to_owned(),
        })
    }

    fn ready(&self, operation: &'static str, _: Column, site: Site) -> BoxFuture<'_, Doing> {
        let mut assumptions = Assumptions::default();
        assumptions.write_back = WriteBack::Http;
        let client = Client::builder()
            .environment(Environment::at(&site.url).unwrap())
            .credentials("ana", PASSWORD)
            .assumptions(assumptions)
            .clock(site.clock.clone());
        let client = site.limit.into_iter().fold(client, ClientBuilder::timeout).build().unwrap();
        Box::pin(async move {
            if operation != "log in" {
                client.schema(Feature::Cto).await.unwrap();
                client.schema(Feature::Cliente).await.unwrap();
            }
            let links = if operation == "save a customer" { Some(links(&site).await) } else { None };
            doing(move || {
                let (client, links) = (client.clone(), links.clone());
                async move {
                    match links {
                        Some(links) => save_one(&client, &links).await,
                        None => act(&client, operation).await,
                    }
                }
            })
        })
    }
}

/// Two pages of two by the keyset, a look beyond the last, and the read that confirms the number.
fn page(seen: &Seen) -> String {
    let filter = seen.query("filter").unwrap_or_default();
    let last: u32 = filter.rsplit(' ').next().and_then(|last| last.parse().ok()).unwrap_or(0);
    let limit: u32 = seen.query("limit").and_then(|limit| limit.parse().ok()).unwrap_or(2);
    let rows: Vec<_> =
        (last + 1..=4).take(limit as usize).map(|fid| format!(r#"{{"fid":{fid},"nome":"N"}}"#)).collect();
    format!(r#"{{"total":{},"records":[{}]}}"#, 4 - last.min(4), rows.join(","))
}

async fn act(client: &Client, operation: &str) -> Result<String, Error> {
    match operation {
        "log in" => client.log_in().await.map(|()| "in".to_owned()),
        "read an element" => Ok(client
            .get(Feature::Cto, 1_u32)
            .await?
            .map(|record| record.fid.0.to_string())
            .unwrap_or_default()),
        _ => {
            let (mut reading, mut fids) = (client.read_all(Feature::Cto).page_size(2), Vec::new());
            while let Some(read) = reading.next().await {
                match read? {
                    Read::Row(record) => fids.push(record.fid.0.to_string()),
                    Read::Page(_) => {}
                    other => fids.push(format!("{other:?}")),
                }
            }
            Ok(fids.join(" "))
        }
    }
}

/// A register of service splitters with eight ports each, on which nobody was seen.
#[derive(Debug)]
struct Empty;

impl Plant for Empty {
    fn splitter(&self, _: u64) -> BoxFuture<'_, Result<Option<SplitterFacts>, Error>> {
        Box::pin(std::future::ready(Ok(Some(SplitterFacts::service(Some(8))))))
    }

    fn customers_on(&self, _: Port) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn customers_of(&self, _: u64) -> BoxFuture<'_, Result<Vec<CustomerKey>, Error>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

async fn links(site: &Site) -> Links {
    let store = Store::open("memory:").await.unwrap();
    let links = Links::new(&store, "p", Arc::new(Empty), Arc::new(site.clock.clone())).with_write_back();
    let customer = Subscriber::new(CustomerKey::new("12.ABC.345/01DE-35", 7).unwrap(), "Ana");
    let kept = links.propose(Port::new(1, 3), customer).await.unwrap();
    links.confirm(&kept).await.unwrap();
    links
}

/// What a save itself ended in; the courier makes a note of it and goes on.
#[derive(Debug)]
struct Spy(HttpLinkWriter, Mutex<Option<Result<String, Error>>>);

impl PortLinkReader for Spy {
    fn find<'a>(&'a self, key: &'a CustomerKey) -> BoxFuture<'a, Result<Option<Found>, WriteBackError>> {
        self.0.find(key)
    }
}

impl PortLinkWriter for Spy {
    fn save<'a>(&'a self, link: &'a Confirmed) -> BoxFuture<'a, Result<u64, WriteBackError>> {
        Box::pin(async move {
            let saved = self.0.save(link).await;
            *self.1.lock().unwrap() = Some(match &saved {
                Ok(fid) => Ok(fid.to_string()),
                Err(WriteBackError::Call(error)) => Err(error.clone()),
                Err(other) => Ok(other.to_string()),
            });
            saved
        })
    }

    fn remove<'a>(
        &'a self,
        link: &'a Released,
        policy: DetachPolicy,
    ) -> BoxFuture<'a, Result<(), WriteBackError>> {
        self.0.remove(link, policy)
    }
}

async fn save_one(client: &Client, links: &Links) -> Result<String, Error> {
    let spy = Spy(HttpLinkWriter::new(client).expect("the assumptions say so"), Mutex::default());
    let courier = links.courier().clone().with_settling(SignedDuration::ZERO);
    courier.deliver(&spy).await.unwrap();
    spy.1.into_inner().unwrap().expect("it came to a save")
}
