//! GeoSite and HubSoft: lists that arrive row by row, columns that the service names, figures as texts (contract 3.2 to 3.5).

use geosite::hubsoft::{Account, By, HubSoft, Listing};
use geosite::{
    BaseUrl, Client, ClientBuilder, Course, Environment, Feature, ManualClock, Place, Position, Read,
    RetryPolicy,
};
use http::Request;
use integration_core::Error;
use integration_core::call::Body;

use super::super::scripted::{Due, Made, Reply, SENTINEL, Script, block_on};
use super::{Call, call, calls, gathered};

fn builder(script: Script) -> ClientBuilder {
    let environment = Environment::at("https://geo.example.com/api/").unwrap();
    let builder = Client::builder().environment(environment).credentials("ana", SENTINEL).transport(script);
    builder.clock(ManualClock::new()).retry(RetryPolicy::never())
}

pub fn client(script: Script) -> Client {
    builder(script).build().unwrap()
}

fn account() -> Account {
    Account {
        client_id: "12".into(),
        client_secret: SENTINEL.into(),
        username: "api@example.com".into(),
        password: SENTINEL.into(),
    }
}

fn hub(script: Script) -> HubSoft {
    let builder = HubSoft::builder(BaseUrl::parse("https://hub.example.com").unwrap(), account());
    builder.transport(script).clock(ManualClock::new()).retry(RetryPolicy::never()).build().unwrap()
}

pub const LOGIN: Call = (Due::Nothing, |script| {
    let client = builder(script).build().unwrap();
    block_on(async { Made::of(client.log_in().await, |()| 0) })
});

pub const LEGACY_LOGIN: Call = (Due::Nothing, |script| {
    let client = builder(script).legacy_auth(true).build().unwrap();
    block_on(async { Made::of(client.log_in().await, |()| 0) })
});

pub const HUBSOFT_LOGIN: Call = (Due::Nothing, |script| {
    let hub = hub(script);
    block_on(async { Made::of(hub.search(By::Name, "x").await, Vec::len) })
});

/// Logins and descriptions are as they should be.
pub fn aside(request: &Request<Body>) -> Option<Reply> {
    let path = request.uri().path();
    if path.contains("/auth/") {
        return Some(Reply::json(r#"{"token":"t-1","refreshToken":"r-1"}"#));
    }
    if path.ends_with("/oauth/token") {
        return Some(Reply::json(r#"{"access_token":"b-1","token_type":"Bearer","expires_in":2592000}"#));
    }
    path.ends_with("/desc").then(|| Reply::json(COLUMNS))
}

const COLUMNS: &str = r#"{"columns":["fid","Nome","latitude","longitude","geometria","tipo","fidCaixaEmenda","qtdPortas","documento","contrato","fidSplitter","porta","obs"]}"#;

async fn all(client: &Client, feature: Feature) -> Result<(Vec<String>, String), Error> {
    let mut reading = client.read_all(feature).all_columns().page_size(3);
    let (mut records, mut rest) = (Vec::new(), String::new());
    while let Some(read) = reading.next().await {
        match read {
            Ok(Read::Row(record)) => {
                let course = record.course();
                let course = course.as_ref().map(Course::places);
                records.push(format!(
                    "{record:?}{:?}{:?}{course:?}",
                    record.kind(),
                    record.customer().and_then(geosite::Customer::key)
                ));
            }
            Ok(Read::Restarted { .. }) => records.clear(),
            Ok(other) => rest.push_str(&format!("{other:?}")),
            Err(error) if !records.is_empty() && error.kind() == integration_core::ErrorKind::Connect => {
                break;
            }
            Err(error) => return Err(error),
        }
    }
    Ok((records, rest))
}

fn place() -> Position {
    Position::new(-22.73, -47.65).unwrap()
}

const CALLS: &[Call] = calls! {
    client;
    List |client| client.list(Feature::Cto).columns(["fid", "nome", "latitude", "longitude"]).all().await, |page| page.records.len();
    List |client| all(&client, Feature::Cto).await, |(records, _)| records.len();
    List |client| all(&client, Feature::Cliente).await, |(records, _)| records.len();
    List |client| all(&client, Feature::Splitter).await, |(records, _)| records.len();
    List |client| all(&client, Feature::LanceCabo).await, |(records, _)| records.len();
    Object |client| client.get(Feature::Cto, 7_u64).await, |found| usize::from(found.is_some());
    Json |client| client.feasibility(&Place::At(place()), 200).await, |_| 0;
    Json |client| client.facilities(&Place::At(place()), 200, [Feature::Cto]).await, |_| 0;
    Json |client| client.has_cable(place(), 200).await, |_| 0;
};

const HUBSOFT: &[Call] = calls! {
    hub;
    List |hub| hub.search(By::CpfCnpj, "12.ABC.345/01DE-35").await, Vec::len;
    List |hub| gathered(Ok(hub.customers(Listing::default(), 50))).await, Vec::len;
    List |hub| hub.optical_boxes().await, Vec::len;
};

/// What describes a feature, from the input.
const DESCRIPTIONS: &[Call] = calls! {
    client;
    List |client| client.schema(Feature::Cto).await, |schema| schema.columns().len();
};

fn login_alone(request: &Request<Body>) -> Option<Reply> {
    aside(request).filter(|_| !request.uri().path().ends_with("/desc"))
}

pub fn answers(data: &[u8]) {
    match data.split_first() {
        Some((b'D', rest)) => call(rest, DESCRIPTIONS, login_alone),
        _ => call(data, CALLS, aside),
    }
}

pub fn hubsoft(data: &[u8]) {
    call(data, HUBSOFT, aside);
}
