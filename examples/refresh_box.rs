//! Brings one box and its splitters up to date, at any time of the day, without touching any cursor.
//!
//! `refresh_box [FID REGISTER]`: the box, and where the register is kept (`sqlite:FILE`, `postgres://…`). Without arguments, on the
//! embedded sandbox: a technician renames a box and takes a splitter out of it.

use std::process::ExitCode;
use std::sync::Arc;

use geosite::sync::{PlantSync, Project, Request, Selection, Settings, Shelf};
use integration_examples::{GeositeService, connect_geosite, finish, print_run};
use integration_sandbox::geosite::{Feature, GeoSite};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_geosite(2_000).await?;
    let mut arguments = std::env::args().skip(1);
    let (fid, url) = (arguments.next(), arguments.next());
    let sync = synchronisation(&service, url.as_deref()).await?;
    let fid: i64 = match (&service.sandbox, fid) {
        (_, Some(fid)) => fid.parse()?,
        (Some(sandbox), None) => {
            sync.run(Request::full()).await?;
            change(sandbox.geosite())?
        }
        (None, None) => {
            return Err("name the box and the register: refresh_box FID sqlite:register.db".into());
        }
    };
    let cursors = sync.register().cursors(&sync.settings().integration).await?;
    let run = sync.refresh_box(fid).await?;
    print_run(&run);
    show(&sync, fid).await?;
    if sync.register().cursors(&sync.settings().integration).await? != cursors {
        return Err("a cursor was moved".into());
    }
    println!("cursors         as they were");
    Ok(())
}

async fn synchronisation(
    service: &GeositeService,
    url: Option<&str>,
) -> Result<PlantSync, Box<dyn std::error::Error>> {
    let settings = Settings::new("provider-1", "worker-1").assuming(service.client.assumptions());
    let register = service.register(url).await?;
    let builder = PlantSync::builder(Arc::new(service.client.clone()), register, settings);
    Ok(builder.open(&Project::create("Fibre network"), &Selection::everything()).await?)
}

/// What happens in the street: the first terminal box that has a splitter gets another name and loses the splitter.
fn change(plant: &GeoSite) -> Result<i64, Box<dyn std::error::Error>> {
    for splitter in plant.fids(Feature::Splitter) {
        let element = plant.element(Feature::Splitter, splitter);
        let parent = element.as_ref().and_then(|element| element.get("fidCaixaEmenda")?.as_u64());
        let Some(parent) = parent.and_then(|fid| u32::try_from(fid).ok()) else { continue };
        if plant.element(Feature::Cto, parent).is_some() {
            plant.edit(Feature::Cto, parent, json!({ "nome": "CTO da praça nova" }))?;
            plant.delete(Feature::Splitter, splitter);
            return Ok(parent.into());
        }
    }
    Err("there is no terminal box with a splitter".into())
}

async fn show(sync: &PlantSync, fid: i64) -> Result<(), Box<dyn std::error::Error>> {
    let name = &sync.settings().integration;
    match sync.register().get(name, Shelf::Box, fid).await? {
        Some(stored) if stored.tombstone.is_none() => {
            println!("box {fid:<12}{}", stored.element.name.as_deref().unwrap_or("without a name"));
        }
        Some(_) => println!("box {fid:<12}is gone from the plant"),
        None => println!("box {fid:<12}is not there, and never was"),
    }
    let splitters = sync.register().children(name, Shelf::Splitter, fid).await?;
    println!("splitters       {}", splitters.len());
    Ok(())
}
