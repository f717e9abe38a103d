//! A thread between firm and viewer: message, receipts, an answer, and evidence in which one changed byte is found.
//!
//! `messages CASE TEXT` posts to a case file of another service, takes in what viewers did there, and prints the verified evidence as JSON
//! on standard output's last line. Without arguments, on the embedded sandbox, the viewer is played.

use std::process::ExitCode;
use std::sync::Arc;

use apiges_sync::SystemClock;
use apiges_sync::evidence::{Evidence, Head};
use apiges_sync::grant::WebGrant;
use apiges_sync::messages::{Done, Messages};
use apiges_sync::thread::Received;
use apiges_sync::web::{ContactRef, MessageId, ReceiptEvent};
use integration_examples::{WebOffice, connect_apiges, finish, settle};
use integration_sandbox::websync::{ContactRef as Viewer, ReceiptEvent as Event, WebSync};

type Failure = Box<dyn std::error::Error>;
const USER: &str = "u1";

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let office = connect_apiges(1, 3).await?;
    let messages = Messages::new(office.shared_portal(), &office.store, Arc::new(SystemClock::new()));
    // What was on its way when an earlier run ended.
    messages.resume().await?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match (arguments.as_slice(), &office.sandbox) {
        ([], Some(sandbox)) => {
            let (contact, id) = office.contact(None).await?;
            let case = open(&office, &contact, id).await?;
            conversation(&messages, sandbox.websync(), case, &contact).await
        }
        ([case, text], _) => {
            let case = case.parse()?;
            post(&messages, case, text).await?;
            take_in(&messages).await?;
            let evidence = messages.export(case).await?;
            println!("{}", serde_json::to_string(&evidence)?);
            Ok(())
        }
        _ => Err("messages CASE TEXT".into()),
    }
}

/// A contact that sees a file: only such a viewer takes part in its thread.
async fn open(office: &WebOffice, contact: &ContactRef, id: u64) -> Result<u64, Failure> {
    let sync = office.engine().build()?;
    sync.open(&WebGrant::new(contact.clone(), id).activated()?, "ana").await?;
    settle(&sync).await?;
    Ok(office.seen(contact).await?.first().map(|file| file.case_id).ok_or("no file is seen")?)
}

async fn conversation(
    messages: &Messages,
    portal: &WebSync,
    case: u64,
    contact: &ContactRef,
) -> Result<(), Failure> {
    let first = post(messages, case, "Su marca ha sido concedida.").await?;
    let viewer = Viewer::new(contact.kind().as_str(), contact.code());
    // Late and out of order, as the network has it: the state only moves forward.
    for event in [Event::Read, Event::Delivered, Event::Acknowledged] {
        portal.viewer_receives(first.as_str(), &viewer, event).ok_or("the viewer does not see the file")?;
    }
    let answer = portal.viewer_writes(i64::try_from(case)?, &viewer, "Muchas gracias.");
    let answer = MessageId::new(answer.ok_or("the viewer does not see the file")?);
    take_in(messages).await?;
    let read = messages.receipt(USER, &answer, ReceiptEvent::Read)?;
    messages.report(case, &read).await?;
    println!(
        "the state       the first {}, the answer {}",
        messages.state(case, &first).await?.ok_or("it is not known")?,
        messages.state(case, &answer).await?.ok_or("it is not known")?
    );

    let evidence = messages.export(case).await?;
    let head = evidence.verify(None)?;
    println!("evidence        {} records verified, head {}", head.seq, head.hash);
    tamper(&evidence, &head)
}

async fn post(messages: &Messages, case: u64, text: &str) -> Result<MessageId, Failure> {
    let message = messages.compose(USER, "es", text)?;
    let stored = messages.post(case, &message).await?;
    println!("posted          message {}, record {}", message.message_id, stored.seq);
    Ok(message.message_id)
}

async fn take_in(messages: &Messages) -> Result<(), Failure> {
    loop {
        let page = messages.take_in(None).await?;
        for (case, done) in page.new {
            match done {
                Done::Wrote(message) => {
                    println!("{:<16}wrote on case {case}: {}", message.author.to_string(), message.body)
                }
                Done::Received(receipt, state) => {
                    let (event, message) = (receipt.event.as_str(), receipt.message_id);
                    println!("{:<16}{event:<13}{message}: {}", receipt.actor, became(&state));
                }
            }
        }
        if !page.more {
            return Ok(());
        }
    }
}

fn became(received: &Received) -> String {
    match received {
        Received::Raised(state) => format!("it is {state} now"),
        Received::Kept(state) => format!("it stays {state}"),
        other => format!("{other:?}"),
    }
}

/// Of an export as it lies in a file, one byte is changed at a time; and its end is cut off.
fn tamper(evidence: &Evidence, head: &Head) -> Result<(), Failure> {
    let export = serde_json::to_string(evidence)?;
    for (old, new) in
        [("concedida", "concedidA"), ("\"event\":\"read\"", "\"event\":\"reab\""), ("viewer:C", "viewer:D")]
    {
        let changed = export.replacen(old, new, 1);
        let found = serde_json::from_str::<Evidence>(&changed)?.verify(None);
        match found {
            Err(fault) if changed != export => println!("one byte        {old} to {new}: {fault}"),
            _ => return Err(format!("{old} to {new} was not found").into()),
        }
    }
    let mut cut = evidence.clone();
    cut.chain.records.pop();
    cut.chain.head = cut.chain.records.last().map(|record| record.hash).ok_or("there is one record only")?;
    cut.verify(None)?;
    // In itself it is whole: only the head that was kept tells.
    match cut.verify(Some(head)) {
        Err(fault) => println!("the end cut off {fault}"),
        Ok(_) => return Err("the cut was not found".into()),
    }
    Ok(())
}
