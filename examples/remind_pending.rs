//! Reminds who has not signed: prints what would be sent, to whom and when, over the weeks to come.
//!
//! `remind_pending [FIRST SECOND THIRD]`: two sign one document one after the other, the third one another document. Time is a
//! manual clock that passes at once; with `Runner::new` alone it is the machine's. On the embedded sandbox the signers are played,
//! too: whoever was reminded often enough signs.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use integration_examples::{connect_legale, finish, pdf};
use integration_sandbox::legale::Legale;
use legale::flow::{Flow, SignMethod, Signer};
use legale::jiff::tz::{TimeZone, offset};
use legale::reminder::{
    Action, ActionKind, Book, FlowState, Flows, LocalQuiet, Notifier, Policy, Runner, plan,
};
use legale::status::{Facts, Status};
use legale::{BoxFuture, Client, Clock, DocumentId, Error, ManualClock, Sending, Source, Timestamp, Upload};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_legale().await?;
    let client = &service.client;
    let stand_ins = ["ana@example.com", "luis@example.com", "eva@example.com"];
    let [first, second, third] = service.people(std::env::args().skip(1), stand_ins)?;

    // A Thursday on the sandbox, so that the output is always the same.
    let clock = ManualClock::new();
    let start: Timestamp = match service.sandbox {
        Some(_) => "2026-03-05T12:30:00Z".parse()?,
        None => client.clock().wall(),
    };
    clock.advance(Duration::from_secs(start.as_second().try_into()?));
    // Its full second: nothing is due before the start.
    let start = clock.wall();

    let signer = |email: &str| Signer::outsider(SignMethod::NoSms, email).skip_email();
    let contract = Flow::sequential().signer(signer(&first)).signer(signer(&second)).expires_in_days(21);
    let letter = Flow::parallel().signer(signer(&third)).expires_in_days(6);
    let mut flows = Flows::new();
    for (name, flow) in
        [("Contrato_ClienteX_2025.pdf", contract.build()?), ("Carta_Banco_2025.pdf", letter.build()?)]
    {
        let upload = Upload::new(name, name, Source::bytes(pdf(name)));
        let sent = client.send(&Sending::new(upload, flow.clone())).await?;
        let mut state = FlowState::of(&flow, start);
        let links = sent.started.map(|started| started.links).unwrap_or_default();
        let is_only_one = (links.len(), state.signers.len()) == (1, 1);
        for link in links {
            // A link in the wrong hands is a wrong signature: only what is certain is kept.
            let is_his = |email: &str| is_only_one || link.email.as_deref() == Some(email);
            if let Some(signer) = state.signers.iter_mut().find(|signer| is_his(&signer.email)) {
                signer.link = Some(link.url.into());
            }
        }
        println!("started         {name} at {start}: {}", sent.guid);
        flows.insert(sent.guid, state);
    }

    // Business days and hours where the signers are.
    let zone = TimeZone::get("America/Santiago").unwrap_or_else(|_| TimeZone::fixed(offset(-3)));
    let mut policy = Policy::default();
    policy.local = Some(LocalQuiet::business(zone, 9, 18));
    policy.max_per_signer = 3;
    for (guid, flow) in &flows {
        let next =
            plan(start, &policy, flow).next_wake.map_or_else(|| "never".into(), |wake| wake.to_string());
        eprintln!("{guid}: first reminder {next}");
    }

    let book = Arc::new(Memory {
        client: client.clone(),
        sandbox: service.sandbox.as_ref().map(|sandbox| sandbox.legale().clone()),
        clock: clock.clone(),
        flows: Mutex::new(flows),
    });
    let runner = Runner::new(policy, book.clone(), book.clone())?
        .clock(Arc::new(clock))
        .longest_pause(Duration::from_secs(6 * 3600));
    // Ends when nothing will be due any more.
    runner.run().await?;
    for (guid, flow) in &*book.lock() {
        println!("at the end      {guid}: {}", flow.status);
    }
    Ok(())
}

/// The flows and what was sent; in earnest a database. It prints messages, where a program would mail them.
struct Memory {
    client: Client,
    sandbox: Option<Legale>,
    clock: ManualClock,
    flows: Mutex<Flows>,
}

impl Memory {
    fn lock(&self) -> std::sync::MutexGuard<'_, Flows> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The signer does what he was reminded of, as the sandbox plays him; in earnest a callback of his tells it.
    fn signs(&self, legale: &Legale, document: &DocumentId, index: usize) {
        if let Err(refused) = legale.sign(document.as_str(), index + 1) {
            eprintln!("signer {}: {refused}", index + 1);
            return;
        }
        let now = self.clock.wall();
        if let Some(flow) = self.lock().get_mut(document) {
            if let Some(signer) = flow.signers.get_mut(index) {
                signer.is_done = true;
                println!("{now}  {} signs", signer.email);
            }
            if let Some(next) = flow.signers.get_mut(index + 1) {
                next.turn_began = Some(now);
            }
        }
    }
}

impl Book for Memory {
    /// As they stand now: the service is asked.
    fn flows(&self) -> BoxFuture<'_, Result<Flows, Error>> {
        Box::pin(async move {
            let open = |flow: &FlowState| !flow.status.is_final();
            let asked: Vec<DocumentId> =
                self.lock().iter().filter(|(_, flow)| open(flow)).map(|(guid, _)| guid.clone()).collect();
            for guid in asked {
                let sign_status = self.client.sign_status(&guid).await?;
                if let Some(flow) = self.lock().get_mut(&guid) {
                    flow.status = status(sign_status, flow, self.clock.wall());
                }
            }
            Ok(self.lock().clone())
        })
    }

    fn claim<'a>(
        &'a self,
        document: &'a DocumentId,
        action: &'a Action,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        if let Some(flow) = self.lock().get_mut(document) {
            flow.record(action, at);
        }
        Box::pin(std::future::ready(Ok(true)))
    }

    /// Never called here, since printing does not fail.
    fn release<'a>(&'a self, _: &'a DocumentId, _: &'a Action) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

fn status(sign_status: legale::status::SignStatus, flow: &FlowState, now: Timestamp) -> Status {
    let mut facts = Facts::new(sign_status);
    if let Some(start) = flow.started_at {
        facts = facts.started(start);
    }
    if let Some(days) = flow.expiration_days {
        facts = facts.expires_after_days(days);
    }
    facts.status(now)
}

impl Notifier for Memory {
    fn notify<'a>(
        &'a self,
        document: &'a DocumentId,
        action: &'a Action,
    ) -> BoxFuture<'a, Result<(), Error>> {
        let kind = match action.kind {
            ActionKind::First => "first reminder".to_owned(),
            ActionKind::Repeat => format!("reminder {}", action.attempt),
            ActionKind::ExpiryWarning { days } => format!("expires in {days} day"),
            _ => "reminder".to_owned(),
        };
        let link = if action.link.is_some() { "with link" } else { "without link" };
        println!("{}  to {}: {kind}, {link}", self.clock.wall(), action.signer);
        // Ana signs when reminded twice, Luis at once, and Eva never.
        let is_enough = matches!(
            (action.signer.as_str(), action.attempt),
            ("ana@example.com", 2) | ("luis@example.com", 1)
        );
        if let Some(legale) = self.sandbox.as_ref().filter(|_| is_enough) {
            self.signs(legale, document, action.index);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}
