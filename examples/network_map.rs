//! The network as one HTML file with a map, and as GeoJSON: boxes by kind, coloured by their free ports, and the cables between them.
//!
//! `network_map [FILE.html]`: beside the page, which needs nothing else to be looked at, it writes FILE.geojson.

use std::collections::HashMap;
use std::fs::File;
use std::io::BufWriter;
use std::process::ExitCode;

use geosite::picture::{Bounds, Element, GeoJson, Map};
use geosite::{Client, Feature, Fid, Read, Record, SplitterRole};
use integration_examples::{connect_geosite, finish};
use integration_sandbox::geosite::{Column, Feature as At, GeoSite};
use serde_json::json;

/// What lies beneath comes first.
const SHOWN: [Feature; 9] = [
    Feature::LanceCabo,
    Feature::Poste,
    Feature::Cliente,
    Feature::CaixaEmenda,
    Feature::Cto,
    Feature::TerminadorOptico,
    Feature::Cah,
    Feature::Hub,
    Feature::Estacao,
];

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let page = std::env::args().nth(1).unwrap_or_else(|| "network_map.html".to_owned());
    let service = connect_geosite(5_000).await?;
    if let Some(sandbox) = &service.sandbox {
        draw_cables(sandbox.geosite())?;
    }
    let client = &service.client;
    let mut elements = Vec::new();
    for feature in SHOWN {
        elements.extend(read(client, feature).await?);
    }
    let ports = ports_of_boxes(&read(client, Feature::Splitter).await?, &elements);

    let mut bounds = Bounds::new();
    elements.iter().for_each(|record| bounds.cover(&Element::of(record)));
    let mut map = Map::new(BufWriter::new(File::create(&page)?), "Fibre network", bounds)?;
    let beside = format!("{}.geojson", page.strip_suffix(".html").unwrap_or(&page));
    let mut json = GeoJson::new(BufWriter::new(File::create(&beside)?))?;
    for record in &elements {
        let (all, free) = ports.get(&record.fid).copied().unzip();
        let element = Element::of(record).with_ports(all, free);
        map.add(&element)?;
        json.add(&element)?;
    }
    map.finish()?;
    json.finish()?;
    println!("map             {page}");
    println!("geojson         {beside}");
    println!("drawn           {} elements", elements.len());
    Ok(())
}

/// Many installations keep the course of a cable in a column of its own; the sandbox has one only if it is given one.
fn draw_cables(plant: &GeoSite) -> Result<(), Box<dyn std::error::Error>> {
    const HALF: (f64, f64) = (0.000_052, 0.000_187); // 20 m along the streets of the generated town
    plant.add_column(At::LanceCabo, Column::new("geometry"));
    for fid in plant.fids(At::LanceCabo) {
        let cable = plant.element(At::LanceCabo, fid).unwrap_or_default();
        let (Some(north), Some(east)) = (cable["latitude"].as_f64(), cable["longitude"].as_f64()) else {
            continue;
        };
        let (from, to) = ((north - HALF.0, east - HALF.1), (north + HALF.0, east + HALF.1));
        let line = format!("LINESTRING ({} {}, {} {})", from.1, from.0, to.1, to.0);
        plant.edit_quietly(At::LanceCabo, fid, json!({ "geometry": line }))?;
    }
    Ok(())
}

/// A whole feature; a row that cannot be read is told and left out of the picture.
async fn read(client: &Client, feature: Feature) -> Result<Vec<Record>, geosite::Error> {
    let mut records = Vec::new();
    let mut reading = client.read_all(feature);
    while let Some(read) = reading.next().await {
        match read? {
            Read::Row(record) => records.push(record),
            Read::Failed(row) => eprintln!("{feature}: {row}"),
            // What was read before moved while it was being read.
            Read::Restarted { .. } => records.clear(),
            _ => {}
        }
    }
    Ok(records)
}

/// All and free ports of each box whose service splitters all say how many they have.
fn ports_of_boxes(splitters: &[Record], elements: &[Record]) -> HashMap<Fid, (u64, u64)> {
    let mut taken: HashMap<Fid, u64> = HashMap::new();
    for customer in elements.iter().filter_map(Record::customer) {
        if let (Some(splitter), Some(_)) = (customer.splitter, customer.port) {
            *taken.entry(splitter).or_default() += 1;
        }
    }
    let mut boxes: HashMap<Fid, Option<(u64, u64)>> = HashMap::new();
    for (fid, splitter) in splitters.iter().filter_map(|record| Some((record.fid, record.splitter()?))) {
        let (Some(parent), SplitterRole::Service) = (splitter.parent, &splitter.role) else { continue };
        let occupied = taken.get(&fid).copied().unwrap_or(0);
        let here = splitter.ports.map(|ports| (u64::from(ports), u64::from(ports).saturating_sub(occupied)));
        let sum = boxes.entry(parent).or_insert(Some((0, 0)));
        *sum = sum.zip(here).map(|((all, free), (more, open))| (all + more, free + open));
    }
    boxes.into_iter().filter_map(|(fid, ports)| Some((fid, ports?))).collect()
}
