//! What it costs to build clients, beside setting up one `reqwest::Client` with the same TLS: `cargo bench -p integration-benches
//! --bench building`.
//!
//! Nearly all of it is reading the machine's root certificates and setting up what makes connections. Clients that share `Connections`
//! pay for that once a kind: kept connections, and fresh ones for whoever sends every request on a connection of its own (the fiscal
//! printer); the certificates are read once. Clients that share nothing each pay for themselves.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use integration_benches::{instructions, is_asked_for, median};
use integration_core::call::{BaseUrl, Connections};
use integration_core::clock::{Clock as _, SystemClock};
use rustls_platform_verifier::BuilderVerifierExt as _;

/// By this argument the program does one thing so often, for callgrind to count.
const COUNT: &str = "--count";
const FEW: usize = 2;
const MANY: usize = 6;
const ROUNDS: usize = 31;

const ROOT: &str = "https://service.example.com";
const WHATS: [(&str, &str); 5] = [
    ("kept", "3 clients that keep connections, sharing them"),
    ("shared", "4 clients, one of them with fresh connections, sharing them"),
    ("more", "4 more, on connections that are set up"),
    ("one", "1 client by itself"),
    ("own", "4 clients, each by itself"),
];

fn floor() {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.unwrap().with_platform_verifier().unwrap().with_no_client_auth();
    let builder = reqwest::Client::builder().tls_backend_preconfigured(tls).http1_only();
    drop(black_box(builder.build().unwrap()));
}

fn legale(connections: Option<&Connections>) {
    let builder = legale::Client::builder().environment(legale::Environment::root(ROOT).unwrap());
    let builder = builder.credential(legale::Credential::api_key("key"));
    let builder = connections.into_iter().fold(builder, legale::ClientBuilder::connections);
    drop(black_box(builder.build().unwrap()));
}

fn sugester(connections: Option<&Connections>) {
    let token = sugester::ApiToken::parse("0123456789abcdef0123456789abcdef/acme").unwrap();
    let builder = sugester::Client::builder().base_url(BaseUrl::parse(ROOT).unwrap());
    let builder = builder.account("acme".parse().unwrap()).token(token);
    let builder = connections.into_iter().fold(builder, sugester::ClientBuilder::connections);
    drop(black_box(builder.build().unwrap()));
}

fn geosite(connections: Option<&Connections>) {
    let builder = geosite::Client::builder().environment(geosite::Environment::at(ROOT).unwrap());
    let builder = builder.credentials("ana", "s3cret-s3cret");
    let builder = connections.into_iter().fold(builder, geosite::ClientBuilder::connections);
    drop(black_box(builder.build().unwrap()));
}

fn fiscal(connections: Option<&Connections>) {
    let builder = fiscal_printer::Client::builder().token("token").rif("J-12345678-4");
    let builder = builder.environment(fiscal_printer::Environment::custom(ROOT).unwrap());
    let builder = connections.into_iter().fold(builder, fiscal_printer::ClientBuilder::connections);
    drop(black_box(builder.build().unwrap()));
}

fn four(connections: Option<&Connections>) {
    [legale, sugester, geosite, fiscal].into_iter().for_each(|build| build(connections));
}

fn work(what: &str, set_up: &Connections) {
    let shared = Connections::new(Duration::from_secs(10));
    match what {
        "floor" => floor(),
        "kept" => [legale, sugester, geosite].into_iter().for_each(|build| build(Some(&shared))),
        "shared" => four(Some(&shared)),
        "more" => four(Some(set_up)),
        "one" => legale(None),
        _ => four(None),
    }
}

fn set_up() -> Connections {
    let connections = Connections::new(Duration::from_secs(10));
    four(Some(&connections));
    connections
}

fn timed(what: &str, connections: &Connections) -> f64 {
    let clock = SystemClock::new();
    work(what, connections);
    clock.elapsed().as_secs_f64() * 1e3
}

fn counted(what: &str) -> Option<f64> {
    let all = |count: usize| instructions(&[COUNT, what, &count.to_string()]);
    Some((all(MANY)? - all(FEW)?) / (MANY - FEW) as f64)
}

fn figures() {
    let connections = set_up();
    println!(
        "| built | one reqwest::Client, ms | ms | ratio | ratio of instructions |\n|---|---|---|---|---|"
    );
    let floor = counted("floor");
    for (what, name) in WHATS {
        let (mut floors, mut all) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            floors.push(timed("floor", &connections));
            all.push(timed(what, &connections));
        }
        let ratio = median(all.iter().zip(&floors).map(|(ours, floor)| ours / floor).collect());
        let ours = floor.and_then(|floor| Some(format!("{:.2}", counted(what)? / floor)));
        let (floors, all, ours) = (median(floors), median(all), ours.unwrap_or_else(|| "no valgrind".into()));
        println!("| {name} | {floors:.2} | {all:.2} | {ratio:.2} | {ours} |");
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [COUNT, what, count] => {
            let connections = set_up();
            (0..count.parse().unwrap()).for_each(|_| work(what, &connections));
        }
        _ if is_asked_for() => figures(),
        _ => println!("skipped: run it by `cargo bench`"),
    }
}
