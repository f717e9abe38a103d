//! The transport over hyper, over real sockets, by the same suite.
#![cfg(feature = "hyper")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use integration_core::call::{Answer, BaseUrl, Call, Connections, Idempotency, Operation, Verdict};
use integration_core::{ErrorKind, Outcome};

#[path = "support/sockets.rs"]
mod suite;

fn connections(connect: Duration) -> Connections {
    Connections::hyper(connect)
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

/// Serves one request on every connection with these bytes, each followed by a word that it has happened. It runs on a thread of its
/// own, so that the runtime need not turn for it, and hears nothing of what the socket has to tell.
fn serve(answers: &'static [&'static str], closes: bool) -> (BaseUrl, Receiver<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (happened, told) = channel();
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for (number, answer) in answers.iter().enumerate() {
            let (mut socket, _) = listener.accept().unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"{\"amount\":1.10}") {
                let mut piece = [0; 1024];
                let length = socket.read(&mut piece).unwrap();
                read.extend_from_slice(&piece[..length]);
            }
            socket.write_all(OK.as_bytes()).unwrap();
            socket.write_all(answer.as_bytes()).unwrap();
            if !closes {
                open.push(socket);
            }
            happened.send(number).unwrap();
        }
    });
    (base, told)
}

/// Neither call gives the runtime a turn to hear of it: only the kernel can be asked.
#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_costs_nobody_his_call() {
    let (base, told) = serve(&["", "", ""], true);
    let caller = suite::builder(base).build().unwrap();
    for number in 0..3 {
        let answer = suite::act(&caller, Idempotency::Once).await.unwrap();
        assert_eq!((answer.text().as_ref(), told.recv().unwrap()), ("{}", number));
    }
}

#[tokio::test]
async fn an_answer_that_came_between_two_calls_is_nobodys() {
    const STRAY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nstray";
    let (base, told) = serve(&[STRAY, STRAY, STRAY], false);
    let caller = suite::builder(base).build().unwrap();
    for number in 0..3 {
        let answer = suite::act(&caller, Idempotency::Once).await.unwrap();
        assert_eq!((answer.text().as_ref(), told.recv().unwrap()), ("{}", number));
    }
}

/// A request without a body has not left either before there is a connection that is secured.
#[tokio::test]
async fn what_waits_for_a_handshake_has_not_left_without_a_body_either() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = BaseUrl::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    let call = Call::new(Operation::post("act", "/act", Idempotency::Once));
    let judge = |_: &Answer| Verdict::Accept(());
    let error = suite::hasty(base).call(&call, judge).await.unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Outcome::NotSent), "{error}");
}
