//! Sends a contract to two people who sign one after the other, waits for the end, fetches the signed file and keeps evidence.
//!
//! `sign_in_order [FIRST SECOND COPY]`: the e-mail addresses of both signers, and of who else gets the result. Without
//! `LEGALE_BASE_URL` it runs on an embedded sandbox, which plays the signers, too.

use std::process::ExitCode;
use std::time::Duration;

use integration_examples::{connect_legale, finish, pdf, print_links};
use integration_sandbox::legale::StepRefused;
use legale::flow::{Flow, Placement, SignMethod, Signer};
use legale::naming::FileName;
use legale::status::Status;
use legale::tracking::{
    Entry, Event, EvidenceLog, Observation, Source, Tracker, poll, verify, wait_until_final,
};
use legale::{Clock, DocumentId, Sending, SystemClock, Upload};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_legale().await?;
    let client = &service.client;
    let stand_ins = ["ana@example.com", "luis@example.com", "archivo@example.com"];
    let [first, second, copy] = service.people(std::env::args().skip(1), stand_ins)?;

    // Checked wholly before anything leaves; `skip_email` brings the link to us instead of mailing it.
    let flow = Flow::sequential()
        .signer(Signer::outsider(SignMethod::NoSms, &first).skip_email().at(Placement::anchor("Firma1")))
        .signer(Signer::outsider(SignMethod::NoSms, &second).skip_email().at(Placement::anchor("Firma2")))
        .expires_in_days(10)
        .share_with(&copy, "Archivo")
        .build()?;
    let name = FileName::new("pdf").part("Contrato").part("ClienteX").year(2025).build()?;
    let file = legale::Source::bytes(pdf("Contrato de arriendo: Firma1 Firma2"));
    let upload = Upload::new(name, "Contrato de arriendo", file).folder("Legal/Contratos/ClienteX");
    let sent =
        client.send_observed(&Sending::new(upload, flow.clone()), |step| eprintln!("step: {step:?}")).await?;
    let guid = sent.guid;
    println!("document        {guid}");
    println!("order           {}", flow.order());

    let (path, keep) = evidence_file();
    let mut evidence = EvidenceLog::open(&path).await?;
    let tracker = Tracker::new();
    let now = client.clock().wall();
    let created = tracker.observe(&guid, now, Source::Caller, Observation::Created);
    let digest = sent.created.as_ref().map(|created| created.sha256.as_str());
    keep_events(&mut evidence, &created, digest).await?;
    let emails = flow.signers().iter().map(Signer::email);
    let start = Observation::started(flow.order().clone(), flow.expiration_days(), emails);
    keep_events(&mut evidence, &tracker.observe(&guid, now, Source::Caller, start), None).await?;

    // None if the answer was lost and the flow was found running.
    if let Some(started) = &sent.started {
        print_links(started);
    }
    for pending in tracker.pending(now) {
        println!("next to sign    {}", pending.next_signers.join(", "));
    }
    let players = service.sandbox.as_ref().map(|sandbox| play(sandbox.legale().clone(), guid.clone()));
    let players = players.transpose()?;

    let status = wait_until_final(client, &guid, service.patience(), &**client.clock()).await?;
    println!("status          {status}");
    if let Some(players) = players {
        players.await??;
    }
    let report = poll(&tracker, client, client.clock().wall()).await?;
    keep_events(&mut evidence, &report.events, None).await?;
    if status != Status::Signed {
        return Err(format!("the contract was not signed: {status}").into());
    }

    let mut signed = Vec::new();
    let fetched = client.download(&guid).to_writer(&mut signed).await?;
    println!("length          {}", fetched.length);
    println!("sha-256         {}", fetched.sha256);
    let downloaded = Observation::Downloaded { sha256: fetched.sha256 };
    let events = tracker.observe(&guid, client.clock().wall(), Source::Caller, downloaded);
    keep_events(&mut evidence, &events, None).await?;

    drop(evidence);
    // Every line is bound to the one before; the last hash is worth keeping elsewhere.
    let verified = verify(tokio::io::BufReader::new(tokio::fs::File::open(&path).await?)).await?;
    println!("evidence        {} lines in order, head {}", verified.lines, verified.head);
    if !keep {
        std::fs::remove_file(&path)?;
    }
    Ok(())
}

/// `LEGALE_EVIDENCE`, or a file that is removed at the end.
fn evidence_file() -> (std::path::PathBuf, bool) {
    match std::env::var_os("LEGALE_EVIDENCE") {
        Some(path) => (path.into(), true),
        None => (std::env::temp_dir().join(format!("evidence-{}.jsonl", std::process::id())), false),
    }
}

async fn keep_events(
    log: &mut EvidenceLog,
    events: &[Event],
    digest: Option<&str>,
) -> Result<(), legale::Error> {
    for event in events {
        println!("event           {} ({})", event.kind.name(), event.source);
        let mut entry = Entry::from(event);
        if let Some(digest) = digest {
            entry = entry.sha256(digest);
        }
        log.append(entry).await?;
    }
    Ok(())
}

/// The signers, on the sandbox: the second one tries first.
fn play(
    legale: integration_sandbox::legale::Legale,
    guid: DocumentId,
) -> Result<tokio::task::JoinHandle<Result<(), StepRefused>>, &'static str> {
    let refused = legale.sign(guid.as_str(), 2).err().ok_or("the second could sign first")?;
    println!("second tries    {refused}");
    Ok(tokio::spawn(async move {
        for number in [1, 2] {
            SystemClock::new().sleep(Duration::from_millis(300)).await;
            legale.open(guid.as_str(), number)?;
            legale.sign(guid.as_str(), number)?;
            eprintln!("signer {number} has signed");
        }
        Ok(())
    }))
}
