//! Whether a place can be served: each kind of answer, and the failure that is none of them.
//!
//! `feasibility [ADDRESS [METRES]]`: asks for one address. Without arguments, on the embedded sandbox: five places with five
//! different answers. What a customer may be told is `public_view()`; names, distances and counts are for staff.

use std::process::ExitCode;

use geosite::{Client, Feasibility, NearBox, Place, Position};
use integration_examples::{connect_geosite, finish};
use integration_sandbox::Fault;
use integration_sandbox::geosite::{Endpoint, Feature, GeoSite, PortFigures, Refused};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_geosite(0).await?;
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), &service.sandbox) {
        (Some(address), _) => {
            let metres = arguments.next().map_or(Ok(300), |metres| metres.parse())?;
            println!("{}", told(&service.client.feasibility(&Place::Address(address), metres).await?));
            Ok(())
        }
        (None, Some(sandbox)) => every_kind(&service.client, sandbox.geosite()).await,
        (None, None) => Err("name an address: feasibility ADDRESS [METRES]".into()),
    }
}

async fn every_kind(client: &Client, plant: &GeoSite) -> Result<(), Box<dyn std::error::Error>> {
    let [free, full, nowhere] = [at(-22.70)?, at(-22.72)?, at(-22.90)?];
    terminal_box(plant, free, 8, 3)?;
    terminal_box(plant, full, 1, 1)?;
    let mut seen = Vec::new();
    for (case, place) in [("free port", free), ("full box", full), ("far away", nowhere)] {
        seen.push(ask(client, case, place).await?);
    }
    plant.configure(|settings| settings.ports = PortFigures::Unknown);
    seen.push(ask(client, "no figures", free).await?);
    if seen != ["Available", "AllFull", "NoNetwork", "PortsUnknown"] {
        return Err(format!("unexpected answers: {seen:?}").into());
    }
    // A login page, and a success: it does not mean that there is no network.
    plant.inject(Endpoint::Boxes, Fault::Html);
    match client.feasibility(&Place::At(free), 300).await {
        Ok(_) => Err("a login page is no answer".into()),
        Err(error) => {
            println!("{:<16}could not ask: {error}", "login page");
            Ok(())
        }
    }
}

async fn ask(client: &Client, case: &str, place: Position) -> Result<&'static str, geosite::Error> {
    let answer = client.feasibility(&Place::At(place), 300).await?;
    println!("{case:<16}{}; the customer hears {:?}", told(&answer), answer.public_view());
    Ok(match answer {
        Feasibility::Available { .. } => "Available",
        Feasibility::AllFull { .. } => "AllFull",
        Feasibility::PortsUnknown { .. } => "PortsUnknown",
        Feasibility::NoNetwork { .. } => "NoNetwork",
        _ => "another answer",
    })
}

/// One line for staff.
fn told(answer: &Feasibility) -> String {
    match answer {
        Feasibility::Available { nearest, others, .. } => {
            format!("yes: {}, and {} more boxes near", described(nearest), others.len())
        }
        Feasibility::AllFull { boxes } => {
            format!("network, but no free port in {} boxes: extend it", boxes.len())
        }
        Feasibility::PortsUnknown { boxes } => {
            format!("{} boxes, and nobody knows their ports: go and look", boxes.len())
        }
        Feasibility::NoNetwork { radius } => {
            format!("no box within {radius} m; the address or the radius may be wrong")
        }
        other => format!("{:?}", other.public_view()),
    }
}

fn described(near: &NearBox) -> String {
    let code = near.code.as_deref().or(near.type_code.as_deref()).unwrap_or("a box without a code");
    match near.distance {
        Some(metres) => format!("{code} at {metres:.0} m, free ports {:?}", near.free),
        None => format!("{code}, free ports {:?}", near.free),
    }
}

fn at(latitude: f64) -> Result<Position, geosite::BadCoordinate> {
    Position::new(latitude, -47.65)
}

/// A terminal box with one service splitter, and so many customers on its ports.
fn terminal_box(plant: &GeoSite, place: Position, ports: u32, customers: u32) -> Result<(), Refused> {
    let (latitude, longitude) = (place.latitude.degrees(), place.longitude.degrees());
    let values = json!({ "latitude": latitude, "longitude": longitude, "capacidade": ports });
    let fid = plant.insert(Feature::Cto, values)?;
    let values = json!({ "tipo": "Atendimento", "fidCaixaEmenda": fid, "qtdPortas": ports });
    let splitter = plant.insert(Feature::Splitter, values)?;
    for port in 1..=customers {
        let values =
            json!({ "documento": "52998224725", "contrato": port, "fidSplitter": splitter, "porta": port });
        plant.insert(Feature::Cliente, values)?;
    }
    Ok(())
}
