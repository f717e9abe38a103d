//! One typed call of each client beside raw reqwest and serde_json doing the same, over kept connections to a server in another
//! process: `cargo bench -p integration-benches --bench calls`, with `-- NAME` one of them.
//!
//! Four figures, each of both sides: instructions (callgrind's, so only where `valgrind` is installed: what 600 calls need more than
//! 200), allocations with those that grow, the processor's time (where the system tells), and calls per second with 64 under way.
//! Times are medians of rounds in turns. Ours is measured over both built-in transports: reqwest, the default, and hyper. And what
//! the core adds over a transport that answers at once.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::alloc::System;
use std::future::poll_fn;
use std::io::{BufRead as _, BufReader, Write as _};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fiscal_printer::ControlNumber;
use futures_core::Stream;
use http::{HeaderMap, HeaderValue, header};
use integration_benches::{is_asked_for, median, time};
use integration_core::call::{
    BaseUrl, Bearer, Body, BodyStream, Call, Caller, Connections, Operation, Transport, TransportError,
    Verdict,
};
use integration_core::{Answer, BoxFuture};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The arguments by which this program serves, or makes calls for callgrind to count.
const SERVE: &str = "--serve";
const COUNT: &str = "--count";

const ROUNDS: usize = 9;
const IN_TURN: usize = 400;
const AT_ONCE: usize = 64;
const EACH: usize = 32;
/// The difference of the two is what calls cost, whatever the beginning and the end of a program do.
const FEW: usize = 200;
const MANY: usize = 600;

const CONNECT: Duration = Duration::from_secs(10);

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

const CORE: &str = r#"{"id":"7f3a","email":"compras@example.com","firstname":"Ana","lastname1":"Rojas","lastname2":"Soto","phone":"+56 9 1234 5678","is_user":true,"created_at":"2025-10-19T16:05:44Z"#;
const LEGALE: &str = r#"{"data":{"id":"7f3a","email":"compras@example.com","firstname":"Ana","lastname1":"Rojas","lastname2":"Soto","company_email":"ventas@example.com","phone":"+56 9 1234 5678","country_code":"CL","rut":"12345678-5","is_user":true,"is_external":false,"created_at":"2025-10-19T16:05:44Z","updated_at":"2025-10-19T16:05:44Z"},"code":"","message":""#;
const SUGESTER: &str = r#"{"id":17,"name":"Comercial Ejemplo","first_name":"Ana","last_name":"Rojas","email":"compras@example.com","phone":"123456789","tax_no":"5252445767","street":"Calle 1","city":"Santiago","post_code":"00-950","country":"PL","created_at":"2021-10-19T16:05:44Z","updated_at":"2021-10-19T16:05:44Z","note":""#;
const GEOSITE: &str = r#"{"fid":17,"nome":"CTO-017","status":"EXISTENTE","latitude":-23.5505,"longitude":-46.6333,"bairro":"Centro","cidade":"Campinas","portas":16,"portas_livres":4,"modelo":"CTO 1x16","dataAlteracao":"2025-10-19 16:05:44","observacao":""#;
const FISCAL: &str = r#"{"success":true,"data":{"numerodocumento":"00-00000001","mensaje":""#;
const LOGIN: &str =
    r#"{"token":"0123456789abcdef0123456789abcdef","refreshToken":"fedcba9876543210fedcba9876543210"}"#;

/// Filled up to 1 KB by its last text.
fn padded(text: &str, end: &str) -> String {
    let room = 1024 - text.len() - end.len();
    let filler = "Lorem ipsum dolor sit amet, consectetur adipiscing elit. ".chars().cycle().take(room);
    format!("{text}{}{end}", filler.collect::<String>())
}

fn body_for(path: &str) -> String {
    match path {
        path if path.starts_with("/core") => padded(&format!("{CORE}\",\"note\":\""), "\"}"),
        path if path.starts_with("/api") => padded(LEGALE, "\"}"),
        path if path.starts_with("/app") => padded(SUGESTER, "\"}"),
        path if path.starts_with("/auth") => LOGIN.to_owned(),
        path if path.starts_with("/cto") => padded(GEOSITE, "\"}"),
        _ => padded(FISCAL, "\"}}"),
    }
}

// ---- what the floor reads ------------------------------------------------------------------------------------------------------

#[derive(Deserialize)]
#[allow(dead_code)]
struct Contact {
    id: String,
    email: String,
    firstname: String,
    lastname1: String,
    lastname2: String,
    company_email: Option<String>,
    phone: String,
    country_code: Option<String>,
    rut: Option<String>,
    is_user: bool,
    is_external: Option<bool>,
    created_at: String,
    updated_at: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Enveloped<T> {
    data: T,
    code: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Customer {
    id: u64,
    name: String,
    first_name: String,
    last_name: String,
    email: String,
    phone: String,
    tax_no: String,
    street: String,
    city: String,
    post_code: String,
    country: String,
    created_at: String,
    updated_at: String,
    note: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
#[serde(rename_all = "camelCase")]
struct Box16 {
    fid: u64,
    nome: String,
    status: String,
    latitude: f64,
    longitude: f64,
    bairro: String,
    cidade: String,
    portas: u32,
    #[serde(rename = "portas_livres")]
    portas_livres: u32,
    modelo: String,
    data_alteracao: String,
    observacao: String,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Annulled {
    success: bool,
    data: Receipt,
}

#[derive(Deserialize)]
#[allow(dead_code)]
struct Receipt {
    numerodocumento: String,
    mensaje: String,
}

#[derive(Serialize)]
struct Annulment<'a> {
    numerodocumento: &'a str,
    observacion: &'a str,
    rif: &'a str,
}

// ---- both sides ----------------------------------------------------------------------------------------------------------------

const READ: Operation = Operation::get("read a contact", "/core/contacts/{id}");

/// A call of ours.
#[derive(Clone)]
enum Ours {
    Core(Caller),
    Legale(legale::Client, legale::ContactId),
    Sugester(sugester::Client),
    Geosite(geosite::Client),
    Fiscal(fiscal_printer::Client, ControlNumber),
}

const NAMES: [&str; 5] = ["core", "legale", "sugester", "geosite", "fiscal-printer"];

impl Ours {
    fn of(name: &str, root: &str, connections: &Connections) -> Self {
        match name {
            "core" => {
                let caller = Caller::builder(BaseUrl::parse(root).unwrap()).connections(connections);
                Self::Core(caller.credentials(Arc::new(Bearer::new(TOKEN))).build().unwrap())
            }
            "legale" => {
                let builder = legale::Client::builder().allow_contact_by_id(true).connections(connections);
                let builder = builder.environment(legale::Environment::root(root).unwrap());
                let client = builder.credential(legale::Credential::Token(TOKEN.into())).build().unwrap();
                Self::Legale(client, "7f3a".parse().unwrap())
            }
            "sugester" => {
                let token = sugester::ApiToken::parse(&format!("{TOKEN}/acme")).unwrap();
                let builder = sugester::Client::builder().base_url(BaseUrl::parse(root).unwrap());
                let builder = builder.connections(connections);
                let builder = builder.account("acme".parse().unwrap()).calls_at_once(AT_ONCE);
                Self::Sugester(builder.token(token).build().unwrap())
            }
            "geosite" => {
                let builder = geosite::Client::builder().environment(geosite::Environment::at(root).unwrap());
                let builder = builder.connections(connections);
                Self::Geosite(
                    builder.credentials("ana", "s3cret-s3cret").calls_in_flight(AT_ONCE).build().unwrap(),
                )
            }
            _ => {
                let environment = fiscal_printer::Environment::custom(root).unwrap();
                let builder =
                    fiscal_printer::Client::builder().environment(environment).connections(connections);
                let client = builder.token(TOKEN).rif("J-12345678-4").build().unwrap();
                Self::Fiscal(client, "00-00000001".parse().unwrap())
            }
        }
    }

    async fn call(&self) {
        match self {
            Self::Core(caller) => {
                let call = Call::new(READ).param("id", "7f3a");
                let judge = |answer: &Answer| Verdict::<Contact>::from_json(answer, |error| error);
                caller.call(&call, judge).await.map(drop).unwrap();
            }
            Self::Legale(client, id) => client.contact(id).await.map(drop).unwrap(),
            Self::Sugester(client) => client.client(17).await.map(drop).unwrap(),
            Self::Geosite(client) => {
                assert!(client.get(geosite::Feature::Cto, 17_u64).await.unwrap().is_some());
            }
            Self::Fiscal(client, number) => {
                client.annul(number, "Precio equivocado").await.map(drop).unwrap();
            }
        }
    }
}

/// The same with reqwest alone.
#[derive(Clone)]
struct Floor {
    name: String,
    root: String,
    client: reqwest::Client,
}

impl Floor {
    fn of(name: &str, root: &str) -> Self {
        let builder = reqwest::Client::builder().tls_backend_preconfigured(tls());
        // An annulment is sent over a connection of its own.
        let builder = if name == "fiscal-printer" { builder.pool_max_idle_per_host(0) } else { builder };
        Self { name: name.to_owned(), root: root.to_owned(), client: builder.build().unwrap() }
    }

    async fn call(&self) {
        let Self { root, client, .. } = self;
        match self.name.as_str() {
            "core" => {
                let request = client.get(format!("{root}/core/contacts/{}", "7f3a")).bearer_auth(TOKEN);
                read::<Contact>(request).await;
            }
            "legale" => {
                let request = client.get(format!("{root}/api/v2/contacts/{}", "7f3a")).bearer_auth(TOKEN);
                read::<Enveloped<Contact>>(request.header(header::ACCEPT_LANGUAGE, "es")).await;
            }
            "sugester" => {
                let address = format!("{root}/app/clients/{}.json?api_token={TOKEN}%2Facme", 17);
                read::<Customer>(client.get(address)).await;
            }
            "geosite" => {
                let request = client.get(format!("{root}/cto/get?fid={}", 17));
                let token = format!("Digicade-Rest-API:{TOKEN}");
                read::<Box16>(request.header(header::AUTHORIZATION, token)).await;
            }
            _ => {
                let body = Annulment {
                    numerodocumento: "00-00000001",
                    observacion: "Precio equivocado",
                    rif: "J-12345678-4",
                };
                let request = client.post(format!("{root}/anulacion")).bearer_auth(TOKEN);
                let request = request.header(header::CONTENT_TYPE, "application/json");
                read::<Annulled>(request.body(serde_json::to_vec(&body).unwrap())).await;
            }
        }
    }
}

async fn read<T: for<'de> Deserialize<'de>>(request: reqwest::RequestBuilder) {
    let answer = request.send().await.unwrap();
    assert!(answer.status().is_success());
    let body = answer.bytes().await.unwrap();
    drop(std::hint::black_box(serde_json::from_slice::<T>(&body).unwrap()));
}

fn tls() -> rustls::ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.unwrap().with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

#[derive(Clone)]
enum Side {
    Ours(Box<Ours>),
    Floor(Floor),
    /// The core over a transport that answers at once.
    Over(Caller),
    /// That transport alone: what the core adds is what it costs beyond.
    Under(Arc<dyn Transport>),
}

impl Side {
    fn of(side: &str, name: &str, root: &str) -> Self {
        match side {
            "ours" => Self::Ours(Box::new(Ours::of(name, root, &Connections::new(CONNECT)))),
            "hyper" => Self::Ours(Box::new(Ours::of(name, root, &Connections::hyper(CONNECT)))),
            "floor" => Self::Floor(Floor::of(name, root)),
            "over" => {
                let caller = Caller::builder(BaseUrl::parse("https://service.example.com").unwrap());
                let caller = caller.credentials(Arc::new(Bearer::new(TOKEN)));
                Self::Over(caller.transport(Arc::new(AtOnce::new())).build().unwrap())
            }
            _ => Self::Under(Arc::new(AtOnce::new())),
        }
    }

    async fn call(&self) {
        match self {
            Self::Ours(ours) => ours.call().await,
            Self::Floor(floor) => floor.call().await,
            Self::Over(caller) => {
                let call = Call::new(READ).param("id", "7f3a");
                let judge = |answer: &Answer| Verdict::<Contact>::from_json(answer, |error| error);
                caller.call(&call, judge).await.map(drop).unwrap();
            }
            Self::Under(transport) => under(&**transport).await,
        }
    }

    async fn calls(&self, count: usize) {
        for _ in 0..count {
            self.call().await;
        }
    }

    async fn at_once(&self) {
        let lane = |_| {
            let side = self.clone();
            tokio::spawn(async move { side.calls(EACH).await })
        };
        let lanes: Vec<_> = (0..AT_ONCE).map(lane).collect();
        for lane in lanes {
            lane.await.unwrap();
        }
    }
}

/// What somebody writes who has nothing but a transport.
async fn under(transport: &dyn Transport) {
    let request = http::Request::get(format!("https://service.example.com/core/contacts/{}", "7f3a"));
    let request = request.header(header::ACCEPT, HeaderValue::from_static("application/json"));
    let request = request.header(header::USER_AGENT, HeaderValue::from_static("integration-sdk/0.1.0"));
    let request = request.header(header::AUTHORIZATION, format!("Bearer {TOKEN}"));
    let answer = transport.send(request.body(Body::default()).unwrap()).await.unwrap();
    assert!(answer.status().is_success());
    let mut body = answer.into_body();
    let mut whole = Vec::new();
    while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        whole.extend_from_slice(&piece.unwrap());
    }
    drop(std::hint::black_box(serde_json::from_slice::<Contact>(&whole).unwrap()));
}

#[derive(Debug)]
struct AtOnce {
    headers: HeaderMap,
    body: Bytes,
}

impl AtOnce {
    fn new() -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Self { headers, body: body_for("/core").into() }
    }
}

impl Transport for AtOnce {
    fn send(
        &self,
        request: http::Request<Body>,
    ) -> BoxFuture<'_, Result<http::Response<BodyStream>, TransportError>> {
        drop(request);
        let body: BodyStream = Box::pin(Once(Some(self.body.clone())));
        let mut response = http::Response::new(body);
        response.headers_mut().clone_from(&self.headers);
        Box::pin(std::future::ready(Ok(response)))
    }
}

struct Once(Option<Bytes>);

impl Stream for Once {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.take().map(Ok))
    }
}

// ---- the server ----------------------------------------------------------------------------------------------------------------

/// A server in a process of its own; it ends with its input.
struct Served {
    child: Child,
    root: String,
}

impl Served {
    fn start() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let mut child = command.arg(SERVE).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut root = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut root).unwrap();
        Self { child, root: root.trim().to_owned() }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

async fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    std::io::stdout().write_all(format!("http://{}\n", listener.local_addr().unwrap()).as_bytes()).unwrap();
    tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            tokio::spawn(answer_all(socket));
        }
    });
    let ended = || std::io::stdin().read_line(&mut String::new());
    tokio::task::spawn_blocking(ended).await.unwrap().unwrap();
}

async fn answer_all(mut socket: TcpStream) {
    socket.set_nodelay(true).unwrap();
    let mut read = Vec::new();
    loop {
        let Some(end) = whole_request(&read) else {
            if socket.read_buf(&mut read).await.unwrap_or(0) == 0 {
                return;
            }
            continue;
        };
        let line = String::from_utf8_lossy(&read[..end]);
        let body = body_for(line.split(' ').nth(1).unwrap());
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {length}\r\n\
             server: nginx\r\ndate: Sun, 22 Nov 2026 13:30:00 GMT\r\nx-request-id: 0123456789abcdef\r\n\r\n{body}"
        );
        read.drain(..end);
        if socket.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Where the first request ends, if all of it is there.
fn whole_request(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let lines = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let length = lines.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let end = head + length.unwrap_or(0_usize);
    (read.len() >= end).then_some(end)
}

// ---- the figures ---------------------------------------------------------------------------------------------------------------

/// What a call costs: of one side.
#[derive(Default)]
struct Cost {
    instructions: Option<f64>,
    allocations: f64,
    processor: Vec<f64>,
    rates: Vec<f64>,
}

fn processor() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn per_call(calls: usize, all: f64) -> f64 {
    all / f64::from(u32::try_from(calls).unwrap())
}

async fn allocations(side: &Side) -> f64 {
    side.calls(20).await;
    let region = Region::new(HEAP);
    side.calls(FEW).await;
    let change = region.change();
    let all = u32::try_from(change.allocations + change.reallocations).unwrap();
    per_call(FEW, f64::from(all))
}

async fn round(side: &Side, cost: &mut Cost) {
    side.calls(20).await;
    let began = processor();
    side.calls(IN_TURN).await;
    if let (Some(began), Some(ended)) = (began, processor()) {
        cost.processor.push(per_call(IN_TURN, (ended - began).as_secs_f64() * 1e6));
    }
    let (took, ()) = time(side.at_once()).await;
    cost.rates.push(1.0 / per_call(AT_ONCE * EACH, took.as_secs_f64()));
}

/// What callgrind counts of a process that makes so many calls.
fn counted(side: &str, name: &str, root: &str, calls: usize) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = command.args([COUNT, side, name, root, &calls.to_string()]).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok())
}

fn instructions(side: &str, name: &str, root: &str) -> Option<f64> {
    let (few, many) = (counted(side, name, root, FEW)?, counted(side, name, root, MANY)?);
    Some(per_call(MANY - FEW, many - few))
}

async fn costs(name: &str, root: &str, sides: &[&str]) -> Vec<Cost> {
    let mut costs: Vec<Cost> = sides.iter().map(|_| Cost::default()).collect();
    let all: Vec<Side> = sides.iter().map(|side| Side::of(side, name, root)).collect();
    for (side, cost) in all.iter().zip(&mut costs) {
        cost.allocations = allocations(side).await;
    }
    for _ in 0..ROUNDS {
        for (side, cost) in all.iter().zip(&mut costs) {
            round(side, cost).await;
        }
    }
    for (side, cost) in sides.iter().zip(&mut costs) {
        cost.instructions = instructions(side, name, root);
    }
    costs
}

fn line(what: &str, floor: f64, ours: f64, ratio: f64) {
    println!("| {what} | {floor:.1} | {ours:.1} | {ratio:.2} |");
}

fn ratios(ours: &[f64], floor: &[f64]) -> f64 {
    median(ours.iter().zip(floor).map(|(ours, floor)| ours / floor).collect())
}

fn print(name: &str, floor: &Cost, ours: &Cost) {
    if let (Some(floor), Some(ours)) = (floor.instructions, ours.instructions) {
        line(&format!("{name}, instructions"), floor, ours, ours / floor);
    }
    line(
        &format!("{name}, allocations"),
        floor.allocations,
        ours.allocations,
        ours.allocations / floor.allocations,
    );
    let medians = |of: fn(&Cost) -> &Vec<f64>| (median(of(floor).clone()), median(of(ours).clone()));
    let (under, over) = medians(|cost| &cost.processor);
    // The system counts it only now and then, and not at all of work that never waits.
    if under > 0.0 && over > 0.0 {
        line(&format!("{name}, processor, µs"), under, over, ratios(&ours.processor, &floor.processor));
    }
    let (under, over) = medians(|cost| &cost.rates);
    line(
        &format!("{name}, calls per second, {AT_ONCE} at once"),
        under,
        over,
        ratios(&ours.rates, &floor.rates),
    );
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [SERVE] => runtime().block_on(serve()),
        [COUNT, side, name, root, calls] => {
            runtime().block_on(Side::of(side, name, root).calls(calls.parse().unwrap()));
        }
        arguments if is_asked_for() => {
            let asked = |name: &str| {
                arguments.iter().find(|argument| !argument.starts_with("--")).is_none_or(|only| *only == name)
            };
            println!("| one call | floor | ours | ratio |\n|---|---|---|---|");
            let served = Served::start();
            let runtime = runtime();
            for name in NAMES.into_iter().filter(|name| asked(name)) {
                let costs = runtime.block_on(costs(name, &served.root, &["floor", "ours", "hyper"]));
                print(name, &costs[0], &costs[1]);
                print(&format!("{name} over hyper"), &costs[0], &costs[2]);
            }
            if asked("over") {
                let costs = runtime.block_on(costs("", "", &["under", "over"]));
                print("the core over its transport", &costs[0], &costs[1]);
            }
        }
        _ => println!("skipped: run it by `cargo bench`"),
    }
}
