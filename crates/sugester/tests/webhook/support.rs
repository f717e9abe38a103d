//! A receiver on a socket, a handler that keeps what it gets, a service that says what a test tells it to.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use integration_sandbox::Sandbox;
use sugester::bitfactura::{Client, ClientRecord, Invoice, NewWebhook};
use sugester::kinds::WebhookKind;
use sugester::webhook::{Confirmed, Event, Handler, HintSink, Receiver, Reread, Route, router};
use sugester::{BaseUrl, BoxFuture, Error, ErrorKind};
use tokio::net::TcpListener;

/// What every route's rows repeat.
pub(crate) const SECRET: &str = "pl4nted-s3cret-of-the-rows";
/// What stands in the path.
pub(crate) const IN_PATH: &str = "pl4nted-s3cret-of-the-path";

pub(crate) fn receiver(sink: Arc<dyn HintSink>) -> Receiver {
    Receiver::builder().every_route(SECRET).path_secret(IN_PATH).sink(sink).build().unwrap()
}

/// Serves until the test's runtime ends; answers the root of its URLs.
pub(crate) async fn serve(receiver: Receiver) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let app = axum::Router::new().nest("/hooks", router(receiver));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

pub(crate) fn client(sandbox: &Sandbox) -> Client {
    let service = sandbox.bitfactura();
    let base = BaseUrl::parse(service.base_url()).unwrap();
    let retry = sugester::RetryPolicy::new().with_max_attempts(1);
    Client::builder().base_url(base).token(service.token().parse().unwrap()).retry(retry).build().unwrap()
}

/// Registers a row for every listed kind that an event of the sandbox has.
pub(crate) async fn register(client: &Client, url: &str) {
    for kind in WebhookKind::LISTED.iter().filter(|kind| **kind != WebhookKind::ClientSync) {
        let url = format!("{url}/{}/{IN_PATH}", Route::of(kind));
        client.create_webhook(&NewWebhook::new(kind.clone(), url, SECRET)).await.unwrap();
    }
}

/// Keeps what it handles, one line each.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) lines: Mutex<Vec<String>>,
    pub(crate) confirmed: Mutex<Vec<Confirmed>>,
    pub(crate) fails: AtomicBool,
    pub(crate) hangs: AtomicBool,
    pub(crate) failures: Mutex<Vec<String>>,
}

impl Kept {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}

pub(crate) fn line(event: &Event) -> String {
    match event {
        Event::Client(client) => format!("client {} {}", client.id, client.city.as_deref().unwrap_or("-")),
        Event::Invoice(invoice) => format!("invoice {}", invoice.id),
        Event::Gone(subject, id) => format!("{subject} {id} is gone"),
        Event::Unknown(unknown) => format!("unknown for {}", unknown.route),
        _ => "another event".to_owned(),
    }
}

impl Handler for Kept {
    fn handle(&self, confirmed: Confirmed) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.fails.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Store, "handle"));
            }
            tokio::task::yield_now().await;
            self.lines.lock().unwrap().push(line(&confirmed.event));
            self.confirmed.lock().unwrap().push(confirmed);
            Ok(())
        })
    }

    fn failed(&self, heard: &sugester::webhook::Heard, _: &Error) {
        self.failures.lock().unwrap().push(heard.to_string());
    }
}

/// Clients by id with their city; nobody else is there. No invoices.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) cities: Mutex<BTreeMap<u64, String>>,
    pub(crate) reads: AtomicUsize,
    pub(crate) is_down: AtomicBool,
}

impl Service {
    pub(crate) fn says(&self, id: u64, city: &str) {
        self.cities.lock().unwrap().insert(id, city.to_owned());
    }
}

impl Reread for Service {
    fn client(&self, id: u64) -> BoxFuture<'_, Result<Option<ClientRecord>, Error>> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let city = self.cities.lock().unwrap().get(&id).cloned();
        let mut record = ClientRecord::default();
        (record.id, record.city) = (id, city.clone());
        let down = self.is_down.load(Ordering::SeqCst);
        let answer =
            if down { Err(Error::new(ErrorKind::Connect, "read")) } else { Ok(city.map(|_| record)) };
        Box::pin(std::future::ready(answer))
    }

    fn invoice(&self, _: u64) -> BoxFuture<'_, Result<Option<Invoice>, Error>> {
        Box::pin(std::future::ready(Ok(None)))
    }
}
