//! Each bad shape is an error that names it, and through the synchronisation deletes nothing (contract 3.7, traps 2 to 4, 7 and 17).

use geosite::Feature;
use geosite::sync::{Kind, Outcome};
use integration_sandbox::geosite::{Endpoint, Feature as At, Twist};
use integration_sandbox::{Fault, Scripted};
use serde_json::json;

use super::{Bench, of};

enum Bad {
    Fault(Fault),
    Twist(Twist),
}

/// What goes wrong, and what the report has to say of it.
fn shapes() -> Vec<(&'static str, Bad, &'static [&'static str])> {
    let json = |body: &str| {
        Bad::Fault(Fault::Answer(Scripted::new(200).header("content-type", "application/json").body(body)))
    };
    vec![
        ("a login page with 200", Bad::Fault(Fault::Html), &["not JSON", "text/html"]),
        ("an empty body", Bad::Fault(Fault::Empty), &["empty"]),
        ("null", Bad::Twist(Twist::Null), &["records"]),
        ("a bare array", Bad::Twist(Twist::BareArray), &["records"]),
        ("another wrapper", Bad::Twist(Twist::Wrapper { key: "dados".into() }), &["records", "dados"]),
        ("no wrapper", json(r#"{"total":0}"#), &["records", "total"]),
        ("an empty object", json("{}"), &["records"]),
        ("half a body", Bad::Fault(Fault::ActThenTruncated), &["ends in the middle"]),
        ("a cut body", Bad::Fault(Fault::ActThenCutBody), &["answer"]),
        ("a total that is too high", Bad::Twist(Twist::Total { by: 3 }), &["ended after"]),
        ("a total that is too low", Bad::Twist(Twist::Total { by: -3 }), &["total"]),
        (
            "a total that is a word",
            Bad::Twist(Twist::TotalText { text: "muitos".into() }),
            &["total", "no number"],
        ),
        ("an empty page before the end", Bad::Twist(Twist::EmptyPage), &["ended after 0 of"]),
        (
            "nothing at all, honestly",
            Bad::Twist(Twist::Body { body: json!({ "total": 0, "records": [] }) }),
            &[],
        ),
        ("a refusal in words", Bad::Twist(Twist::Refusal), &["refused"]),
        ("rows without fid", Bad::Twist(Twist::NoFid), &["ended after 0 of"]),
        ("rows that are none", Bad::Twist(Twist::RowNotObject), &["object"]),
        ("no total", Bad::Twist(Twist::NoTotal), &["total is missing"]),
    ]
}

#[tokio::test]
async fn a_bad_shape_is_named_and_deletes_nothing() {
    let bench = Bench::new(1_500).await;
    assert_eq!(bench.full().await.outcome, Some(Outcome::Ok));
    let before = bench.stored().await;
    assert_eq!(before, bench.there());
    let gone = bench.plant().churn(At::Cto, 1, 0, 0, 2).deleted.len() as u64;
    assert_eq!(gone, 2);
    let mut unnamed = Vec::new();
    for (what, bad, said) in shapes() {
        match bad {
            Bad::Fault(fault) => bench.plant().inject_always((Endpoint::List, At::Cto), fault),
            Bad::Twist(twist) => bench.plant().twist_always((Endpoint::List, At::Cto), twist),
        }
        let run = bench.full().await;
        bench.plant().clear_faults();
        let report = of(&run, Feature::Cto);
        let told = format!("{:?} {:?}", report.error, run.warnings);
        println!("{what}: {:?} {told}", run.outcome);
        assert_ne!(run.outcome, Some(Outcome::Ok), "{what}");
        assert_eq!(run.kinds.get(&Kind::Cto).map_or(0, |kind| kind.removed), 0, "{what}");
        assert_eq!(bench.stored().await, before, "{what}: {told}");
        let unsaid = said.iter().filter(|word| !told.contains(**word));
        unnamed.extend(unsaid.map(|word| format!("{what} is not told by {word:?}: {told}")));
        // The others are not held up by it.
        assert!(of(&run, Feature::Poste).complete, "{what}");
    }
    assert!(unnamed.is_empty(), "{unnamed:#?}");
    let run = bench.full().await;
    assert_eq!((run.outcome, run.kinds[&Kind::Cto].removed), (Some(Outcome::Ok), gone));
    assert_eq!(bench.stored().await, bench.there());
}

/// The same by calls of the client: an error each, never an empty list, box or answer.
#[tokio::test]
async fn a_bad_shape_is_an_error_of_every_call() {
    let bench = Bench::new(300).await;
    let fid = u64::from(bench.plant().fids(At::Cto)[0]);
    let place = geosite::Position::new(-22.7253, -47.6492).unwrap();
    let shapes = || {
        let json = |body: &str| {
            Fault::Answer(Scripted::new(200).header("content-type", "application/json").body(body))
        };
        [
            Fault::Html,
            Fault::Empty,
            Fault::ActThenTruncated,
            json("null"),
            json("17"),
            json(r#"{"dados":[]}"#),
        ]
    };
    for shape in shapes() {
        for endpoint in [
            Endpoint::List,
            Endpoint::Desc,
            Endpoint::Get,
            Endpoint::Boxes,
            Endpoint::Facilities,
            Endpoint::Cable,
        ] {
            bench.plant().inject_always(endpoint, shape.clone());
        }
        let client = bench.client();
        let schema = client.schema(Feature::Cto).await.map(drop);
        let page = client.list(Feature::Cto).columns(["fid"]).all().await.map(drop);
        let get = client.get(Feature::Cto, fid).await.map(drop);
        let boxes = client.feasibility(&place.into(), 300).await.map(drop);
        let near = client.facilities(&place.into(), 300, [Feature::Cto]).await.map(drop);
        let cable = client.has_cable(place, 300).await.map(drop);
        bench.plant().clear_faults();
        for (call, result) in [
            ("schema", schema),
            ("list", page),
            ("get", get),
            ("boxes", boxes),
            ("near", near),
            ("cable", cable),
        ] {
            let error = result.expect_err(&format!("{call}: {shape:?}"));
            assert!(error.to_string().len() > 20, "{call} {shape:?}: {error}");
        }
    }
}
