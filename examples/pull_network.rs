//! Reads the whole network, feature by feature, with a progress bar, and says of each whether that is provably all of it.
//!
//! `pull_network [ELEMENTS]`: how large the network of the embedded sandbox is, 20000 unless it is said. Nothing is written
//! anywhere, and whatever the size, one row is in memory at a time. Exit code 1 if a feature could not be read whole.

use std::process::ExitCode;

use geosite::{Client, Feature, Read, Summary};
use indicatif::{ProgressBar, ProgressStyle};
use integration_examples::{connect_geosite, finish};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let elements = std::env::args().nth(1).map_or(Ok(20_000), |count| count.parse())?;
    let service = connect_geosite(elements).await?;
    let (mut total, mut doubtful) = (0, Vec::new());
    for feature in Feature::ALL {
        let pulled = pull(&service.client, feature).await?;
        println!(
            "{:<20}{} elements, {} without a place, {} unreadable, {}",
            feature.segment(),
            pulled.elements,
            pulled.without_place,
            pulled.summary.checkpoint.failed,
            if pulled.summary.complete { "complete" } else { "NOT COMPLETE" }
        );
        total += pulled.elements;
        if !pulled.summary.complete {
            doubtful.push(feature.segment());
        }
    }
    println!("total               {total} elements");
    if doubtful.is_empty() {
        return Ok(());
    }
    Err(format!("not provably whole, so nothing may be deleted for missing in: {}", doubtful.join(", "))
        .into())
}

/// What came of one feature.
struct Pulled {
    elements: u64,
    without_place: u64,
    summary: Summary,
}

async fn pull(client: &Client, feature: Feature) -> Result<Pulled, Box<dyn std::error::Error>> {
    let bar = progress(feature);
    let mut reading = client.read_all(feature);
    let (mut elements, mut without_place) = (0, 0);
    while let Some(read) = reading.next().await {
        match read? {
            Read::Row(record) => {
                elements += 1;
                without_place += u64::from(record.position.is_none());
            }
            Read::Failed(row) => bar.suspend(|| eprintln!("{feature}: {row}")),
            Read::Page(so_far) => {
                bar.set_length(so_far.total.unwrap_or(so_far.collected));
                bar.set_position(so_far.collected);
            }
            // Somebody is at work in the plant: what was counted is counted again.
            Read::Restarted { .. } => (elements, without_place) = (0, 0),
            _ => {}
        }
    }
    bar.finish_and_clear();
    let summary = reading.summary().ok_or("the reading has not ended")?.clone();
    Ok(Pulled { elements, without_place, summary })
}

/// On standard error, and only if that is a terminal.
fn progress(feature: Feature) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:<20}{bar:40} {pos}/{len} {eta}");
    let bar = ProgressBar::new(0).with_prefix(feature.segment());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
