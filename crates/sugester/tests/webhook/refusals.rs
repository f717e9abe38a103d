//! Who is let in, and what is answered.

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_core::Stream;
use http::request::Parts;
use sugester::webhook::{
    Disposition, Heard, Hint, HintQueue, HintSink, MemoryHints, Receiver, Refusal, Refused, Route,
};
use sugester::{BoxFuture, Error, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{IN_PATH, SECRET, receiver, serve};

fn head(path: &str) -> Parts {
    http::Request::post(path).body(()).unwrap().into_parts().0
}

fn body(token: &str) -> Bytes {
    serde_json::json!({"api_token": token, "client": {"id": 17}}).to_string().into()
}

async fn status(receiver: &Receiver, path: &str, body: impl Into<Bytes>) -> u16 {
    receiver.receive_bytes(Route::Client, &head(path), body.into()).await.status().as_u16()
}

fn right_path() -> String {
    format!("/client/{IN_PATH}")
}

#[tokio::test]
async fn only_the_right_token_is_let_in() {
    let hints = Arc::new(MemoryHints::default());
    let receiver = receiver(hints.clone());
    let (shorter, longer) = (SECRET.trim_end_matches('s'), format!("{SECRET} "));
    assert_ne!(shorter, SECRET);
    for wrong in ["", " ", "x", SECRET.trim_start_matches('p'), shorter, &longer, IN_PATH] {
        assert_eq!(status(&receiver, &right_path(), body(wrong)).await, 401, "{wrong:?}");
    }
    for odd in
        ["{}", r#"{"api_token":null}"#, r#"{"api_token":[]}"#, r#"{"api_token":{}}"#, r#"{"api_token":0}"#]
    {
        assert_eq!(status(&receiver, &right_path(), odd).await, 401, "{odd}");
    }
    assert!(hints.waiting(0, 9).await.unwrap().is_empty());
    assert_eq!(status(&receiver, &right_path(), body(SECRET)).await, 200);
    assert_eq!(hints.waiting(0, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn each_route_has_its_own_secrets_and_none_without() {
    let hints = Arc::new(MemoryHints::default());
    let receiver = Receiver::builder()
        .route(Route::Client, "old")
        .route(Route::Client, "new")
        .route(Route::Invoice, "invoices")
        .sink(hints)
        .build()
        .unwrap();
    let post = async |route: Route, token: &str| {
        receiver.receive_bytes(route, &head("/"), body(token)).await.status().as_u16()
    };
    for (route, token, expected) in [
        (Route::Client, "old", 200),
        (Route::Client, "new", 200),
        (Route::Client, "invoices", 401),
        (Route::Invoice, "invoices", 200),
        (Route::Invoice, "new", 401),
        (Route::Product, "new", 401),
        (Route::Product, "", 401),
        (Route::Open, "", 401),
    ] {
        assert_eq!(post(route, token).await, expected, "{route} {token}");
    }
}

#[test]
fn a_receiver_that_proves_nothing_cannot_be_built() {
    let hints = || Arc::new(MemoryHints::default());
    let builder = || Receiver::builder().sink(hints());
    assert!(builder().build().is_err(), "no route");
    for empty in ["", " ", "\t\n"] {
        assert!(builder().route(Route::Client, empty).build().is_err(), "{empty:?}");
        assert!(builder().route(Route::Client, "good").route(Route::Client, empty).build().is_err());
        assert!(builder().route(Route::Client, "good").path_secret(empty).build().is_err());
    }
    for unfit in ["qwertz", "a/b4567890123456789012", "a%2F567890123456789012", "ñ3456789012345678901234"] {
        let error = builder().route(Route::Client, "good").path_secret(unfit).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(!format!("{error} {error:?}").contains(unfit));
    }
    assert!(Receiver::builder().route(Route::Client, "good").build().is_err(), "no sink");
}

/// Counts how often it is asked for a chunk.
struct Counted(Arc<AtomicUsize>);

impl Stream for Counted {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(Bytes::from(vec![b' '; 64 * 1024]))))
    }
}

#[tokio::test]
async fn a_wrong_path_is_refused_before_the_body_is_read() {
    let receiver = receiver(Arc::new(MemoryHints::default()));
    for path in ["/client", "/client/", "/", &format!("/client/{IN_PATH}x"), &format!("/{IN_PATH}/client")] {
        let asked = Arc::new(AtomicUsize::new(0));
        let reply = receiver.receive(Route::Client, &head(path), Counted(asked.clone())).await;
        assert_eq!((reply.status().as_u16(), asked.load(Ordering::SeqCst)), (401, 0), "{path}");
    }
}

#[tokio::test]
async fn what_is_too_large_is_read_no_further_than_1_mib() {
    let receiver = receiver(Arc::new(MemoryHints::default()));
    let asked = Arc::new(AtomicUsize::new(0));
    let reply = receiver.receive(Route::Client, &head(&right_path()), Counted(asked.clone())).await;
    // 16 chunks of 64 KiB are 1 MiB; the one beyond is refused.
    assert_eq!((reply.status().as_u16(), asked.load(Ordering::SeqCst)), (413, 17));
    let padded = |length: usize| {
        let mut body = body(SECRET).to_vec();
        body.resize(length, b' ');
        Bytes::from(body)
    };
    assert_eq!(status(&receiver, &right_path(), padded(1024 * 1024)).await, 200);
    assert_eq!(status(&receiver, &right_path(), padded(1024 * 1024 + 1)).await, 413);
}

#[tokio::test]
async fn what_is_no_object_is_400() {
    let receiver = receiver(Arc::new(MemoryHints::default()));
    let nested = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    for bad in ["", "null", "[]", "\"ok\"", "<html>", "{", "{\"a\":}", "{} {}", "\u{feff}{}", &nested] {
        assert_eq!(status(&receiver, &right_path(), bad.to_owned()).await, 400, "{bad:.20}");
    }
    let deep = format!(r#"{{"api_token":"{SECRET}","client":{{"id":17,"x":{nested}}}}}"#);
    assert_ne!(status(&receiver, &right_path(), deep).await, 500);
}

#[derive(Debug)]
struct Broken;

impl HintSink for Broken {
    fn keep(&self, _: Hint) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(std::future::ready(Err(Error::new(ErrorKind::Store, "keep a hint"))))
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_500_and_the_observer_is_told_why() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&told);
    let receiver = Receiver::builder()
        .every_route(SECRET)
        .sink(Arc::new(Broken))
        .observer(Arc::new(move |refused: &Refused<'_>| note.lock().unwrap().push(refused.to_string())))
        .build()
        .unwrap();
    assert_eq!(status(&receiver, "/client", body(SECRET)).await, 500);
    assert_eq!(status(&receiver, "/client", body("x")).await, 401);
    assert_eq!(status(&receiver, "/client", "[]").await, 400);
    let told = told.lock().unwrap();
    assert!(told[0].starts_with("client: 500: keep a hint"), "{told:?}");
    assert_eq!(
        told[1..],
        ["client: 401: api_token is missing or wrong", "client: 400: the body is no JSON object"]
    );
}

#[tokio::test]
async fn what_does_not_fit_its_route_is_accepted_and_reported() {
    let hints = Arc::new(MemoryHints::default());
    let receiver = receiver(hints.clone());
    for route in [Route::Client, Route::Invoice, Route::Product, Route::Open] {
        let text = format!(r#"{{"api_token":"{SECRET}","product":{{"id":5,"price":19.90}}}}"#);
        let reply = receiver.receive_bytes(route, &head(&right_path()), text.into()).await;
        assert_eq!(reply.status(), 200);
        let Disposition::Unknown(unknown) = reply.disposition() else { panic!("{reply:?}") };
        assert_eq!((unknown.route, unknown.raw.get("product")), (route, Some(r#"{"id":5,"price":19.90}"#)));
        assert!(unknown.raw.get("api_token").is_none());
    }
    let waiting = hints.waiting(0, 9).await.unwrap();
    assert!(waiting.len() == 4 && waiting.iter().all(|waiting| matches!(waiting.heard, Heard::Unknown(_))));
    let slow = Refusal::TooSlow;
    assert_eq!(slow.status(), 400);
}

#[tokio::test]
async fn the_router_serves_every_route_and_nothing_else() {
    let hints = Arc::new(MemoryHints::default());
    let url = serve(receiver(hints.clone())).await;
    let address = url.strip_prefix("http://").unwrap().strip_suffix("/hooks").unwrap().to_owned();
    let send = async |method: &str, path: &str, body: Bytes| {
        let mut stream = tokio::net::TcpStream::connect(&address).await.unwrap();
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
        let mut answer = String::new();
        // A refusal may come before the body was read.
        let _ = stream.read_to_string(&mut answer).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, "", "not a word to the sender");
        head.split(' ').nth(1).unwrap().to_owned()
    };
    for route in Route::ALL {
        assert_eq!(send("POST", &format!("/hooks/{route}/{IN_PATH}"), body(SECRET)).await, "200");
        assert_eq!(send("POST", &format!("/hooks/{route}"), body(SECRET)).await, "401");
        assert_eq!(send("GET", &format!("/hooks/{route}/{IN_PATH}"), Bytes::new()).await, "405");
    }
    for elsewhere in ["/hooks", "/hooks/order", "/client", "/hooks/client/a/b"] {
        assert_eq!(send("POST", elsewhere, body(SECRET)).await, "404", "{elsewhere}");
    }
    assert_eq!(hints.waiting(0, 9).await.unwrap().len(), 4);
}
