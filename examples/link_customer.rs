//! Links a customer to a port: proposed, confirmed, and only then told to GeoSite.
//!
//! `link_customer SPLITTER PORT DOCUMENT CONTRACT NAME REGISTER [--write]` links at another service than the sandbox: without
//! `--write` it stops before the confirmation and shows what GeoSite would be told. The links are kept in the store of
//! `INTEGRATION_STORE_URL`. Without arguments, on the embedded sandbox: two sellers want the same port, one of them gets it.

use std::process::ExitCode;
use std::sync::Arc;

use geosite::link::{
    HttpLinkReader, HttpLinkWriter, LinkError, Links, Port, RegisterPlant, Subscriber, Told,
};
use geosite::sync::{Kind, PlantSync, Project, Register, Request, Selection, Settings, Shelf};
use geosite::{CustomerKey, SystemClock};
use integration_examples::{GeositeService, connect_geosite, finish, open_store};
use integration_store::Store;

const INTEGRATION: &str = "provider-1";
type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let service = connect_geosite(2_000).await?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match (arguments.as_slice(), &service.sandbox) {
        ([], Some(_)) => two_sellers(&service).await,
        ([splitter, port, document, contract, name, register, write @ ..], _) => {
            let port = Port::new(splitter.parse()?, port.parse()?);
            let customer = Subscriber::new(CustomerKey::new(document, contract.parse()?)?, name.as_str());
            let links = links(&open_store().await?, service.register(Some(register)).await?);
            one_link(&service, &links, port, customer, write == ["--write"]).await
        }
        _ => Err("link_customer SPLITTER PORT DOCUMENT CONTRACT NAME REGISTER [--write]".into()),
    }
}

/// Links on what the register holds; write-back is off unless it is asked for.
fn links(store: &Store, register: Arc<dyn Register>) -> Links {
    let plant = RegisterPlant::new(register, INTEGRATION);
    Links::new(store, INTEGRATION, Arc::new(plant), Arc::new(SystemClock::new())).with_write_back()
}

async fn two_sellers(service: &GeositeService) -> Result<(), Failure> {
    let register = service.register(None).await?;
    let settings = Settings::new(INTEGRATION, "worker-1").assuming(service.client.assumptions());
    let builder = PlantSync::builder(Arc::new(service.client.clone()), Arc::clone(&register), settings);
    let sync = builder.open(&Project::create("Fibre network"), &Selection::everything()).await?;
    sync.run(Request::full()).await?;
    let port = free_port(&*register).await?;
    let links = links(&Store::open("memory:").await?, register);

    let ana = Subscriber::new(CustomerKey::new("12.ABC.345/01DE-35", 900_001)?, "Ana Souza ME");
    let rui = Subscriber::new(CustomerKey::new("529.982.247-25", 900_002)?, "Rui Lima");
    let kept = links.propose(port, ana).await?;
    println!("reserved        {port} until {}", kept.until);
    match links.propose(port, rui).await {
        Err(LinkError::PortTaken { by, .. }) => println!("port taken      by contract {}", by.contract),
        other => return Err(format!("one port, two holders: {other:?}").into()),
    }
    let saves = || service.sandbox.as_ref().map_or(0, |sandbox| sandbox.geosite().saves().len());
    println!("told so far     {} customers: nothing goes out before the confirmation", saves());

    let link = links.confirm(&kept).await?;
    println!("linked          {}", link.port);
    deliver(service, &links, &link).await?;
    if saves() == 1 { Ok(()) } else { Err(format!("GeoSite was told {} times", saves()).into()) }
}

async fn one_link(
    service: &GeositeService,
    links: &Links,
    port: Port,
    customer: Subscriber,
    write: bool,
) -> Result<(), Failure> {
    let kept = links.propose(port, customer).await?;
    println!("reserved        {port} until {}", kept.until);
    if !write {
        links.cancel(&kept).await?;
        println!("given back      add --write to confirm it and to tell GeoSite");
        return Ok(());
    }
    let link = links.confirm(&kept).await?;
    println!("linked          {}", link.port);
    deliver(service, links, &link).await
}

/// One round of the courier; in earnest one a minute, which also takes up what had failed.
async fn deliver(service: &GeositeService, links: &Links, link: &geosite::link::Link) -> Result<(), Failure> {
    for planned in links.courier().plan(&HttpLinkReader::new(&service.client)).await? {
        println!("to be told      {}: {:?}", planned.link.port, planned.step);
    }
    links.courier().deliver(&HttpLinkWriter::new(&service.client)?).await?;
    match links.write_back(link).await? {
        Told::Acknowledged { fid } => {
            println!(
                "acknowledged    as customer {}",
                fid.map_or_else(|| "?".to_owned(), |fid| fid.to_string())
            );
            Ok(())
        }
        other => Err(format!("the link stands here; GeoSite has not acknowledged it: {other:?}").into()),
    }
}

/// The first port of a service splitter on which the plant shows nobody.
async fn free_port(register: &dyn Register) -> Result<Port, Failure> {
    for stored in register.list(INTEGRATION, Kind::SplitterAtendimento, None, 500).await? {
        let splitter = stored.element;
        let seated = register.children(INTEGRATION, Shelf::Cliente, splitter.fid).await?;
        let taken = |port: &i64| seated.iter().any(|customer| customer.element.port == Some(*port));
        if let Some(port) = (1..=splitter.ports.unwrap_or(0)).find(|port| !taken(port)) {
            return Ok(Port::new(splitter.fid.try_into()?, port.try_into()?));
        }
    }
    Err("no service splitter has a free port".into())
}
