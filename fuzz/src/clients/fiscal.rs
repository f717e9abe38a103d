//! The fiscal printing house: `success` decides, not the status (contract 4).

use fiscal_printer::{Buyer, Client, ControlNumber, Document, Environment, Line, Mail, RetryPolicy};
use integration_core::clock::ManualClock;

use super::super::scripted::{Due, Made, SENTINEL, Script, block_on};
use super::{Call, NONE, call, calls};

pub fn client(script: Script) -> Client {
    let environment = Environment::custom("https://fiscal.example.com").unwrap();
    let builder =
        Client::builder().environment(environment).token(SENTINEL).rif("J-12345678-4").transport(script);
    builder.clock(ManualClock::new()).retry(RetryPolicy::never()).build().unwrap()
}

pub fn invoice() -> Document {
    let buyer = Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("584121234567");
    let date = jiff::civil::date(2026, 11, 22);
    let line = Line::new("A2", "Dos", "20.00", 1);
    Document::invoice("J-12345678-4", 42).dated(date).buyer(buyer).line(line).build().unwrap()
}

fn number() -> ControlNumber {
    "00-00000042".parse().unwrap()
}

const CALLS: &[Call] = calls! {
    client;
    Object |client| client.issue(&invoice()).await.inspect(|issued| {
        assert!(!issued.control_text().is_empty(), "issued without a control number");
    }), |_| 1;
    Object |client| client.annul(&number(), "error").await, |_| 1;
    Object |client| client.mail(&Mail::new(number(), "a@example.com")).await, |_| 1;
};

pub fn answers(data: &[u8]) {
    call(data, CALLS, NONE);
}
