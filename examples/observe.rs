//! What a program can see of its calls: spans over OpenTelemetry, and an observer that counts, both on standard output.
//!
//! One line for each span as it ends, with the names of the OpenTelemetry HTTP client conventions, and a table of what the observer
//! was told. Without `GEOSITE_BASE_URL` it runs on the embedded sandbox, which answers one request with 503. A program of its own puts an
//! exporter of its choice (OTLP, for most) in the place of [`Lines`]; the rest stays as it is.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use geosite::{CallObserver, Client, ClientBuilder, Feature, Observation};
use integration_examples::finish;
use integration_sandbox::geosite::{Endpoint, Network};
use integration_sandbox::{Fault, Sandbox};
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;

/// Prints each span on one line.
#[derive(Debug)]
struct Lines;

impl SpanExporter for Lines {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        for span in batch {
            // The others are the exporter's own, such as where in the source the span began.
            let ours =
                |key: &str| ["http.", "url.", "server.", "error."].iter().any(|start| key.starts_with(start));
            let told = span.attributes.iter().filter(|one| ours(one.key.as_str()));
            let told: Vec<String> = told.map(|one| format!("{}={}", one.key, one.value)).collect();
            println!("span  {:?} {:<22}{}", span.span_kind, span.name, told.join(" "));
            for event in span.events.iter() {
                println!("event {}: {}", span.name, event.name);
            }
        }
        Ok(())
    }
}

/// Calls, failures, requests and time, by operation.
#[derive(Debug, Default)]
struct Metrics(Mutex<BTreeMap<&'static str, Row>>);

#[derive(Debug, Default)]
struct Row {
    calls: u32,
    failures: u32,
    requests: u32,
    waiting: Duration,
}

impl CallObserver for Metrics {
    fn observe(&self, call: &Observation<'_>) {
        let mut rows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let row = rows.entry(call.operation).or_default();
        row.calls += 1;
        row.failures += u32::from(call.error.is_some());
        row.requests += call.attempts;
        row.waiting += call.waiting;
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let provider = SdkTracerProvider::builder().with_simple_exporter(Lines).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("observe"));
    // Below this speak the libraries that carry the bytes.
    let subscriber = tracing_subscriber::registry().with(LevelFilter::INFO).with(layer);
    let code = match tracing::subscriber::set_global_default(subscriber) {
        Ok(()) => finish(run().await),
        Err(error) => finish(Err(error.into())),
    };
    // Whatever a batching exporter still holds goes out now.
    let _ = provider.shutdown();
    code
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let metrics = Arc::new(Metrics::default());
    let (builder, sandbox) = service().await?;
    let client = builder.observer(metrics.clone()).build()?;
    client.log_in().await?;
    client.schema(Feature::Cto).await?;
    if let Some(sandbox) = &sandbox {
        sandbox.geosite().inject(Endpoint::Desc, Fault::unavailable("0"));
    }
    client.schema(Feature::Poste).await?;
    for (operation, row) in metrics.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        let Row { calls, failures, requests, waiting } = row;
        println!(
            "metric {operation}: calls={calls} failures={failures} requests={requests} waiting={waiting:?}"
        );
    }
    Ok(())
}

/// The service of the environment, or a sandbox for this run.
async fn service() -> Result<(ClientBuilder, Option<Sandbox>), Box<dyn std::error::Error>> {
    if std::env::var("GEOSITE_BASE_URL").is_ok_and(|url| !url.trim().is_empty()) {
        return Ok((Client::builder_from_env()?, None));
    }
    let sandbox = Sandbox::start().await?;
    let plant = sandbox.geosite();
    plant.generate(Network::new(50));
    eprintln!("no GEOSITE_BASE_URL: using an embedded sandbox at {}", plant.base_url());
    let builder = Client::builder_from_lookup(|name| match name {
        "GEOSITE_BASE_URL" => Some(plant.base_url().to_owned()),
        "GEOSITE_USERNAME" => Some(plant.username().to_owned()),
        "GEOSITE_PASSWORD" => Some(plant.password().to_owned()),
        other => std::env::var(other).ok(),
    })?;
    Ok((builder, Some(sandbox)))
}
