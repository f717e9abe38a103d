//! The fault matrix for the calls of `geosite`: reads are repeated within limits, the one write is not, and a pull that was
//! disturbed deletes nothing.

use std::sync::Arc;

use geosite::link::{HttpLinkWriter, Links, Port, RegisterPlant, Subscriber, Told};
use geosite::sync::{Kind, Outcome, Register, Shelf};
use geosite::{Client, CustomerKey, Error, ErrorKind, Feature, ManualClock, Position};
use integration_sandbox::geosite::{Endpoint, Feature as At, GeoSite, Spot};
use integration_sandbox::{Fault, Scripted};
use integration_store::Store;
use jiff::SignedDuration;

use super::{Bench, NAME};

/// Rows 2 to 5, 8 and 9 of the matrix: over after one time.
fn passing() -> Vec<Fault> {
    vec![
        Fault::ResetOnAccept,
        Fault::ResetBeforeBody,
        Fault::ResetBeforeActing,
        Fault::CloseBeforeActing,
        Fault::ActThenReset,
        Fault::ActThenClose,
        Fault::act_then_status(502),
        Fault::act_then_html(503),
        Fault::act_then_status(504),
        Fault::ActThenCutBody,
        Fault::ActThenCutChunked,
        Fault::too_many_requests("0"),
        Fault::unavailable("1"),
        Fault::RevokeCredential,
    ]
}

const READS: [Endpoint; 6] =
    [Endpoint::Desc, Endpoint::List, Endpoint::Get, Endpoint::Boxes, Endpoint::Facilities, Endpoint::Cable];

/// One call of the operation.
async fn read(client: &Client, endpoint: Endpoint, fid: u32) -> Result<(), Error> {
    let place = Position::new(-22.7253, -47.6492).unwrap();
    match endpoint {
        Endpoint::Desc => client.read_schema(Feature::Cto).await.map(drop),
        Endpoint::List => client.list(Feature::Cto).columns(["fid"]).all().await.map(drop),
        Endpoint::Get => client.get(Feature::Cto, fid).await.map(drop),
        Endpoint::Boxes => client.feasibility(&place.into(), 300).await.map(drop),
        Endpoint::Facilities => client.facilities(&place.into(), 300, [Feature::Cto]).await.map(drop),
        Endpoint::Cable => client.has_cable(place, 300).await.map(drop),
        other => unreachable!("{other:?} is no read"),
    }
}

async fn whole(client: &Client) -> Result<(), Error> {
    let mut reading = client.read_all(Feature::Cto);
    while let Some(read) = reading.next().await {
        read?;
    }
    assert!(reading.summary().is_some_and(|summary| summary.complete));
    Ok(())
}

fn asked(plant: &GeoSite, endpoint: Endpoint) -> usize {
    let name = Spot::from(endpoint).to_string();
    let is_it = |spot: &Spot| spot.to_string().split('/').next() == Some(&name);
    plant.requests().iter().filter(|request| request.spot.as_ref().is_some_and(is_it)).count()
}

#[tokio::test]
async fn a_read_survives_what_passes() {
    let bench = Bench::new(300).await;
    let fid = bench.plant().fids(At::Cto)[0];
    for endpoint in READS {
        for fault in passing() {
            let client = bench.client();
            // Logged in and described before, so that the fault meets the call.
            client.schema(Feature::Cto).await.unwrap();
            bench.plant().inject(endpoint, fault.clone());
            // A list that breaks off is gone on with by whoever reads the whole of it.
            let result = match endpoint {
                Endpoint::List => whole(&client).await,
                other => read(&client, other, fid).await,
            };
            bench.plant().clear_faults();
            assert!(result.is_ok(), "{endpoint:?} {fault:?}: {result:?}");
        }
    }
}

#[tokio::test]
async fn a_read_gives_up_on_what_stays_and_says_what_it_was() {
    use ErrorKind::{
        Authentication, Connect, Interrupted, RateLimited, TooLarge, UnexpectedAnswer, UnexpectedStatus,
    };
    let bench = Bench::new(300).await;
    let fid = bench.plant().fids(At::Cto)[0];
    let stays: [(Fault, &[ErrorKind]); 11] = [
        (Fault::ResetBeforeActing, &[Interrupted, Connect]),
        (Fault::ActThenClose, &[Interrupted, Connect]),
        (Fault::ActThenCutBody, &[Interrupted, Connect]),
        (Fault::act_then_status(500), &[UnexpectedStatus]),
        (Fault::act_then_status(503), &[UnexpectedStatus]),
        (Fault::too_many_requests("0"), &[RateLimited]),
        (Fault::too_many_requests("99999"), &[RateLimited]),
        (Fault::Html, &[UnexpectedAnswer]),
        (Fault::Empty, &[UnexpectedAnswer]),
        (Fault::ActThenOversized { bytes: 80_000_000 }, &[TooLarge, UnexpectedAnswer]),
        (Fault::Answer(Scripted::new(401)), &[Authentication]),
    ];
    for endpoint in READS {
        for (fault, kinds) in &stays {
            let client = bench.client();
            client.schema(Feature::Cto).await.unwrap();
            let before = asked(bench.plant(), endpoint);
            bench.plant().inject_always(endpoint, fault.clone());
            let result = read(&client, endpoint, fid).await;
            bench.plant().clear_faults();
            let error = result.expect_err(&format!("{endpoint:?} {fault:?}"));
            let tries = asked(bench.plant(), endpoint) - before;
            assert!(kinds.contains(&error.kind()), "{endpoint:?} {fault:?}: {:?} {error}", error.kind());
            assert!((1..=3).contains(&tries), "{endpoint:?} {fault:?}: {tries} requests");
        }
    }
}

#[tokio::test]
async fn nobody_listening_is_told_as_that() {
    let bench = Bench::new(300).await;
    bench.plant().refuse_connections().await.unwrap();
    for endpoint in READS {
        let error = read(&bench.client(), endpoint, 7).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{endpoint:?}: {error}");
        assert!(error.is_not_sent(), "{endpoint:?}: {error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let bench = Bench::new(300).await;
    let client = bench.client();
    client.schema(Feature::Cto).await.unwrap();
    for endpoint in READS {
        bench.plant().inject_always(endpoint, Fault::redirect("/geosite-telecom-api/elsewhere"));
        let before = bench.plant().requests().len();
        let error = read(&client, endpoint, 7).await.unwrap_err();
        bench.plant().clear_faults();
        let paths: Vec<String> =
            bench.plant().requests().drain(before..).map(|request| request.path).collect();
        assert!(!paths.iter().any(|path| path.contains("elsewhere")), "{endpoint:?}: {paths:?} {error}");
    }
}

/// Matrix row 20: a page fails, at any place of the pull; nothing is deleted, and the next run makes register and plant equal.
#[tokio::test]
async fn a_disturbed_pull_deletes_nothing() {
    let bench = Bench::new(1_500).await;
    bench.full().await;
    let mut disturbed = 0;
    let faults = [
        Fault::act_then_status(500),
        Fault::Html,
        Fault::ActThenTruncated,
        Fault::ActThenCutBody,
        Fault::Answer(Scripted::new(403)),
    ];
    for (round, fault) in faults.into_iter().enumerate() {
        let before = bench.stored().await;
        let gone = bench.plant().churn(At::Cto, round as u64, 1, 1, 2).deleted;
        // From the second page on.
        bench.plant().inject((Endpoint::List, At::Cto), Fault::RevokeCredential);
        bench.plant().inject_times((Endpoint::List, At::Cto), fault.clone(), 9);
        let run = bench.full().await;
        bench.plant().clear_faults();
        disturbed += u64::from(run.outcome == Some(Outcome::Partial));
        let kept = bench.stored().await;
        assert!(before.iter().all(|fid| kept.contains(fid)), "{fault:?}: a disturbed pull deleted");
        let run = bench.full().await;
        assert_eq!(run.outcome, Some(Outcome::Ok), "{fault:?}");
        assert_eq!(run.kinds[&Kind::Cto].removed, gone.len() as u64, "{fault:?}");
        assert_eq!(bench.stored().await, bench.there(), "{fault:?}");
    }
    assert_eq!(disturbed, 5, "each fault disturbed its pull");
}

/// What may befall a write.
fn befalling() -> Vec<Fault> {
    let mut all = passing();
    all.extend([
        Fault::act_then_status(500),
        Fault::act_then_html(502),
        Fault::ActThenShortLength,
        Fault::ActThenTruncated,
        Fault::ActThenEmpty,
        Fault::ActThenOversized { bytes: 40_000_000 },
        Fault::Html,
        Fault::Empty,
        Fault::redirect("/geosite-telecom-api/cliente/save"),
    ]);
    all
}

/// Contract 3.6: the one write. However its answer is lost, there is one customer in the end, and it is acknowledged.
#[tokio::test]
async fn whatever_befalls_a_write_back_one_customer_is_there() {
    for fault in befalling() {
        let bench = Bench::new(400).await;
        bench.full().await;
        let port = free_port(&bench).await;
        let (store, client) = (Store::open("memory:").await.unwrap(), bench.client());
        let plant = RegisterPlant::new(bench.register.clone(), NAME);
        let clock = Arc::new(ManualClock::new());
        let links = Links::new(&store, NAME, Arc::new(plant), clock).with_write_back();
        let customers = bench.plant().count(At::Cliente);
        let ana = Subscriber::new(CustomerKey::new("12.ABC.345/01DE-35", 900_001).unwrap(), "Ana");
        let kept = links.propose(port, ana).await.unwrap();
        let link = links.confirm(&kept).await.unwrap();
        bench.plant().inject(Endpoint::Save, fault.clone());
        let courier = links.courier().clone().with_settling(SignedDuration::ZERO);
        let mut told = Told::Queued;
        for _ in 0..4 {
            courier.deliver(&HttpLinkWriter::new(&client).unwrap()).await.unwrap();
            told = links.write_back(&link).await.unwrap();
            if matches!(told, Told::Rejected { .. }) {
                assert!(links.courier().retry(&link).await.unwrap(), "{fault:?}");
            }
        }
        let saves = bench.plant().saves();
        assert_eq!(bench.plant().count(At::Cliente), customers + 1, "{fault:?}: {told:?}");
        assert_eq!(saves.iter().filter(|save| save.created).count(), 1, "{fault:?}");
        assert!(matches!(told, Told::Acknowledged { .. }), "{fault:?}: {told:?}");
    }
}

async fn free_port(bench: &Bench) -> Port {
    for stored in bench.register.list(NAME, Kind::SplitterAtendimento, None, 500).await.unwrap() {
        let seated = bench.register.children(NAME, Shelf::Cliente, stored.element.fid).await.unwrap();
        let taken = |port: &i64| seated.iter().any(|customer| customer.element.port == Some(*port));
        if let Some(port) = (1..=stored.element.ports.unwrap()).find(|port| !taken(port)) {
            return Port::new(stored.element.fid as u64, port as u32);
        }
    }
    panic!("no free port")
}
