//! The control API of the simulated GeoSite, below `/_sandbox/geosite/`.

use std::time::Duration;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::{
    Outcomes, Wrong, failed, object, read_fault, read_known, take_name, take_when, when_help, wrong,
};
use crate::fault::Fault;
use crate::geosite::{
    Change, Column, Drift, Edge, Endpoint, Feature, GeoSite, Network, Refused, Settings, Source, Spot, Twist,
};

/// Serves one call; `path` begins with `/_sandbox/geosite/`.
pub(super) async fn dispatch(geosite: &GeoSite, method: &str, path: &str, body: &Bytes) -> Outcomes {
    let segments: Vec<&str> = path.trim_matches('/').split('/').skip(2).collect();
    match (method, segments.as_slice()) {
        ("GET", [] | [""]) => Ok(help()),
        ("GET", ["state"]) => Ok(geosite.snapshot()),
        ("GET", ["elements", feature]) => Ok(json!({ "fids": geosite.fids(named(feature)?) })),
        ("GET", ["columns", feature]) => Ok(json!({ "columns": geosite.columns(named(feature)?) })),
        ("POST", ["network"]) => generate(geosite, object(body)?),
        ("POST", ["elements", feature]) => insert(geosite, named(feature)?, object(body)?),
        ("POST", ["churn", feature]) => churn(geosite, named(feature)?, &object(body)?),
        ("POST", ["count", feature]) => set_count(geosite, named(feature)?, &object(body)?),
        (_, ["elements", feature, fid]) => one_element(geosite, method, named(feature)?, fid, body),
        ("POST", ["columns", feature]) => add_column(geosite, named(feature)?, object(body)?),
        (_, ["columns", feature, name]) => one_column(geosite, method, named(feature)?, name, body),
        ("POST", ["addresses"]) => set_address(geosite, &object(body)?),
        ("POST", ["drifts"]) => add_drift(geosite, object(body)?),
        ("POST", ["faults"]) => add_fault(geosite, object(body)?).await,
        ("POST", ["twists"]) => add_twist(geosite, object(body)?),
        ("DELETE", ["faults"]) => clear_faults(geosite).await,
        ("POST", ["release"]) => {
            geosite.release_held();
            done()
        }
        ("POST", ["settings"]) => change_settings(geosite, object(body)?),
        ("POST", ["clock"]) => set_clock(geosite, &object(body)?),
        ("POST", ["accounts"]) => add_account(geosite, &object(body)?),
        ("POST", ["tokens", "revoke"]) => {
            geosite.revoke_tokens();
            done()
        }
        ("POST", ["refresh-tokens", "revoke"]) => {
            geosite.revoke_refresh_tokens();
            done()
        }
        _ => Err(Wrong { status: 404, error: format!("there is no {method} {path}"), allowed: routes() }),
    }
}

fn done() -> Outcomes {
    Ok(json!({ "ok": true }))
}

fn named(segment: &str) -> Result<Feature, Wrong> {
    Feature::named(segment).ok_or_else(|| wrong(format!("{segment} is no feature"), json!(Feature::ALL)))
}

fn read<T: DeserializeOwned>(input: Map<String, Value>, example: Value) -> Result<T, Wrong> {
    serde_json::from_value(input.into()).map_err(|error| wrong(error.to_string(), example))
}

/// 404 for what is not there, 409 for what is there already, 400 for the rest.
fn refusal(refused: &Refused) -> Wrong {
    let status = match refused {
        Refused::Absent(_) => 404,
        Refused::Taken(_) => 409,
        _ => 400,
    };
    Wrong { status, error: refused.to_string(), allowed: routes() }
}

fn generate(geosite: &GeoSite, input: Map<String, Value>) -> Outcomes {
    let network: Network = read(input, json!(Network::new(1000)))?;
    geosite.generate(network);
    Ok(json!({ "ok": true, "network": network, "inventory": geosite.inventory() }))
}

fn insert(geosite: &GeoSite, feature: Feature, input: Map<String, Value>) -> Outcomes {
    let fid = geosite.insert(feature, input.into()).map_err(|refused| refusal(&refused))?;
    Ok(json!({ "ok": true, "fid": fid }))
}

fn one_element(geosite: &GeoSite, method: &str, feature: Feature, fid: &str, body: &Bytes) -> Outcomes {
    let fid: u32 = fid.parse().map_err(|_| refusal(&Refused::Fid))?;
    match method {
        "GET" => geosite.element(feature, fid).ok_or_else(|| refusal(&Refused::Absent(fid))),
        "POST" => edit(geosite, feature, fid, object(body)?),
        "DELETE" if geosite.delete(feature, fid) => done(),
        "DELETE" => Err(refusal(&Refused::Absent(fid))),
        other => Err(Wrong { status: 404, error: format!("there is no {other}"), allowed: routes() }),
    }
}

/// `_quietly` leaves the change column alone: no column begins so.
fn edit(geosite: &GeoSite, feature: Feature, fid: u32, mut input: Map<String, Value>) -> Outcomes {
    let quietly = input.remove("_quietly") == Some(json!(true));
    let edited = if quietly {
        geosite.edit_quietly(feature, fid, input.into())
    } else {
        geosite.edit(feature, fid, input.into())
    };
    edited.map_err(|refused| refusal(&refused)).and_then(|()| done())
}

fn whole(input: &Map<String, Value>, key: &str) -> Result<usize, Wrong> {
    let number = input.get(key).map_or(Some(0), Value::as_u64);
    let number = number.and_then(|number| usize::try_from(number).ok());
    number.ok_or_else(|| wrong(format!("{key}: a whole number is needed"), routes()))
}

fn churn(geosite: &GeoSite, feature: Feature, input: &Map<String, Value>) -> Outcomes {
    let seed = input.get("seed").and_then(Value::as_u64).unwrap_or(1);
    let (inserts, edits, deletes) =
        (whole(input, "inserts")?, whole(input, "edits")?, whole(input, "deletes")?);
    Ok(json!(geosite.churn(feature, seed, inserts, edits, deletes)))
}

fn set_count(geosite: &GeoSite, feature: Feature, input: &Map<String, Value>) -> Outcomes {
    geosite.set_count(feature, whole(input, "count")?);
    Ok(json!({ "ok": true, "count": geosite.count(feature) }))
}

fn add_column(geosite: &GeoSite, feature: Feature, input: Map<String, Value>) -> Outcomes {
    geosite.add_column(feature, read(input, column_help())?);
    Ok(json!({ "ok": true, "columns": geosite.columns(feature) }))
}

fn one_column(geosite: &GeoSite, method: &str, feature: Feature, name: &str, body: &Bytes) -> Outcomes {
    let name = crate::legale::decoded(name);
    let found = match method {
        "POST" => geosite.rename_column(feature, &name, text(&object(body)?, "name")?),
        "DELETE" => geosite.drop_column(feature, &name),
        other => return Err(Wrong { status: 404, error: format!("there is no {other}"), allowed: routes() }),
    };
    let columns = json!(geosite.columns(feature));
    if found {
        Ok(json!({ "ok": true, "columns": columns }))
    } else {
        Err(Wrong { status: 404, error: format!("there is no column {name}"), allowed: columns })
    }
}

fn text<'a>(input: &'a Map<String, Value>, key: &str) -> Result<&'a str, Wrong> {
    input.get(key).and_then(Value::as_str).ok_or_else(|| wrong(format!("{key}: a text is needed"), routes()))
}

fn set_address(geosite: &GeoSite, input: &Map<String, Value>) -> Outcomes {
    let number = |key: &str| {
        let number = input.get(key).and_then(Value::as_f64);
        number.ok_or_else(|| wrong(format!("{key}: a number is needed"), routes()))
    };
    geosite.set_address(text(input, "endereco")?, number("latitude")?, number("longitude")?);
    done()
}

fn add_account(geosite: &GeoSite, input: &Map<String, Value>) -> Outcomes {
    geosite.add_account(text(input, "username")?, text(input, "password")?);
    done()
}

fn add_drift(geosite: &GeoSite, input: Map<String, Value>) -> Outcomes {
    let drift: Drift = read(input, json!(drift_help()))?;
    geosite.drift(drift);
    Ok(json!({ "ok": true, "drift": drift }))
}

async fn add_fault(geosite: &GeoSite, mut input: Map<String, Value>) -> Outcomes {
    if input.get("fault").and_then(Value::as_str) == Some("refuse_connections") {
        geosite.refuse_connections().await.map_err(|error| failed(&error))?;
        return Ok(json!({ "ok": true, "until": "DELETE /_sandbox/geosite/faults" }));
    }
    let spot: Spot = take_name(&mut input, "endpoint", spots())?;
    let when = take_when(&mut input)?;
    let fault = read_fault(&input)?;
    geosite.plan(spot, fault.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": spot, "fault": fault, "when": when }))
}

fn add_twist(geosite: &GeoSite, mut input: Map<String, Value>) -> Outcomes {
    let spot: Spot = take_name(&mut input, "endpoint", spots())?;
    let when = take_when(&mut input)?;
    let twist: Twist = read_known("twist", &input, &json!(Twist::examples()))?;
    geosite.plan_twist(spot, twist.clone(), when.clone());
    Ok(json!({ "ok": true, "endpoint": spot, "twist": twist, "when": when }))
}

pub(super) async fn clear_faults(geosite: &GeoSite) -> Outcomes {
    geosite.clear_faults();
    geosite.accept_connections().await.map_err(|error| failed(&error))?;
    done()
}

fn change_settings(geosite: &GeoSite, input: Map<String, Value>) -> Outcomes {
    let mut merged = json!(geosite.settings());
    if let Value::Object(fields) = &mut merged {
        fields.extend(input);
    }
    let settings: Settings = serde_json::from_value(merged)
        .map_err(|error| wrong(error.to_string(), json!(Settings::default())))?;
    geosite.configure(|current| *current = settings.clone());
    Ok(json!({ "ok": true, "settings": settings }))
}

/// `{"set": seconds since the epoch}`, `{"advance_seconds": N}`, `{"stop": true}`, `{"run": true}`
fn set_clock(geosite: &GeoSite, input: &Map<String, Value>) -> Outcomes {
    let mut understood = false;
    if let Some(seconds) = input.get("set").and_then(Value::as_i64) {
        geosite.set_clock(seconds);
        understood = true;
    }
    if input.get("stop") == Some(&json!(true)) {
        geosite.stop_clock();
        understood = true;
    }
    if let Some(seconds) = input.get("advance_seconds").and_then(Value::as_u64) {
        geosite.advance_clock(Duration::from_secs(seconds));
        understood = true;
    }
    if input.get("run") == Some(&json!(true)) {
        geosite.run_clock();
        understood = true;
    }
    if understood { done() } else { Err(wrong("clock: cannot be read", clock_help())) }
}

fn spots() -> Value {
    json!({ "endpoints": Endpoint::ALL, "of one feature": "list/cto" })
}

fn clock_help() -> Value {
    json!([{ "set": 1_700_452_800 }, { "advance_seconds": 1800 }, { "stop": true }, { "run": true }])
}

fn column_help() -> Value {
    json!([
        Column::new("statusProjeto").alias("Status").value("Implantado"),
        Column::new("LOGRADOURO").source(Source::Street),
    ])
}

fn drift_help() -> [Drift; 3] {
    [
        Drift::new(Feature::Cto, 2, Change::Delete(Edge::Front)).times(3),
        Drift::new(Feature::Splitter, 1, Change::Insert(Edge::Back)),
        Drift::new(Feature::Cliente, 1, Change::Reorder(1)),
    ]
}

fn routes() -> Value {
    json!({
        "GET /_sandbox/geosite/": "this page",
        "GET /_sandbox/geosite/state": "counts and digests, logins, saves, requests, faults, twists, drifts, settings",
        "POST /_sandbox/geosite/network": "generates a network in the place of everything mapped",
        "GET /_sandbox/geosite/elements/{feature}": "every fid",
        "POST /_sandbox/geosite/elements/{feature}": "adds an element with the values given by column",
        "GET /_sandbox/geosite/elements/{feature}/{fid}": "every value by column",
        "POST /_sandbox/geosite/elements/{feature}/{fid}": "changes values; \"_quietly\": true leaves the change column alone",
        "DELETE /_sandbox/geosite/elements/{feature}/{fid}": "takes it away",
        "POST /_sandbox/geosite/churn/{feature}": { "seed": 1, "inserts": 2, "edits": 3, "deletes": 1 },
        "POST /_sandbox/geosite/count/{feature}": { "count": 2000 },
        "GET /_sandbox/geosite/columns/{feature}": "names in order",
        "POST /_sandbox/geosite/columns/{feature}": "adds a column",
        "POST /_sandbox/geosite/columns/{feature}/{name}": "renames it: {name}",
        "DELETE /_sandbox/geosite/columns/{feature}/{name}": "drops it",
        "POST /_sandbox/geosite/addresses": { "endereco": "13400-000", "latitude": -22.72, "longitude": -47.64 },
        "POST /_sandbox/geosite/drifts": "a change between pages",
        "POST /_sandbox/geosite/faults": "an endpoint, a fault with its parameters, and when it strikes",
        "POST /_sandbox/geosite/twists": "an endpoint, a twist with its parameters, and when it strikes",
        "DELETE /_sandbox/geosite/faults": "forgets faults, twists and drifts, releases what is held, accepts connections",
        "POST /_sandbox/geosite/release": "lets go what is held",
        "POST /_sandbox/geosite/clock": clock_help(),
        "POST /_sandbox/geosite/tokens/revoke": "ends every token",
        "POST /_sandbox/geosite/refresh-tokens/revoke": "ends every refresh token",
        "POST /_sandbox/geosite/accounts": "adds {username, password}",
        "POST /_sandbox/geosite/settings": "changes the settings that are given",
    })
}

fn help() -> Value {
    json!({
        "routes": routes(),
        "features": Feature::ALL,
        "endpoints": spots(),
        "faults": Fault::examples(),
        "fault_without_endpoint": { "fault": "refuse_connections" },
        "twists": Twist::examples(),
        "drifts": drift_help(),
        "columns": column_help(),
        "network": Network::new(1_000_000),
        "when": when_help(),
        "settings": Settings::default(),
        "example": { "endpoint": "list/cto", "fault": "retry_later", "status": 429, "retry_after": "2", "times": 2 },
    })
}
