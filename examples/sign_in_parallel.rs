//! Has a document approved, and then signed by three people at once.
//!
//! One flow of Legale is either one by one or all at once, so this is two flows: the second takes the file that came out of the
//! first. The approver is a program, which approves at a URL.
//!
//! `sign_in_parallel [EMAIL EMAIL EMAIL EMAIL]`: approver and three signers. On the embedded sandbox, which plays the signers,
//! `sign_in_parallel reject` has one of them reject.

use std::process::ExitCode;
use std::time::Duration;

use integration_examples::{LegaleService, connect_legale, finish, pdf, print_links};
use legale::flow::{Flow, FlowBuilder, Groups, MixedGroups, SignMethod, Signer};
use legale::status::Status;
use legale::tracking::wait_until_final;
use legale::{Clock, DocumentId, Sending, Sent, Source, SystemClock, Upload};

const NAME: &str = "Acuerdo_Socios_2025.pdf";

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_legale().await?;
    let mut arguments = std::env::args().skip(1).peekable();
    let is_rejected = service.sandbox.is_some() && arguments.next_if(|word| word == "reject").is_some();
    let stand_ins = ["legal@example.com", "ana@example.com", "luis@example.com", "eva@example.com"];
    let [approver, signers @ ..] = service.people(arguments, stand_ins)?;

    let groups = Groups::new()
        .group([Signer::approving_api(&approver)])
        .group(signers.each_ref().map(|email| Signer::outsider(SignMethod::NoSms, email).skip_email()));
    let (approval, signing) = parted(groups)?;

    let approved = approve(&service, approval).await?;
    let name = legale::naming::next_version(NAME)?;
    let upload = Upload::new(name, "Acuerdo de socios, aprobado", Source::bytes(approved));
    let sent = send(&service, upload, signing.expires_in_days(5).build()?).await?;
    if let Some(started) = &sent.started {
        print_links(started);
    }

    let players = service
        .sandbox
        .as_ref()
        .map(|sandbox| tokio::spawn(play(sandbox.legale().clone(), sent.guid.clone(), is_rejected)));
    let status = wait(&service, &sent.guid).await?;
    if let Some(players) = players {
        players.await??;
    }
    match status {
        Status::Signed if !is_rejected => {
            let mut file = Vec::new();
            let fetched = service.client.download(&sent.guid).to_writer(&mut file).await?;
            println!("length          {}", fetched.length);
            println!("sha-256         {}", fetched.sha256);
            Ok(())
        }
        Status::Rejected { comment } => {
            println!("reason          {}", comment.as_deref().unwrap_or("none given"));
            if is_rejected { Ok(()) } else { Err("rejected".into()) }
        }
        other => Err(format!("ended otherwise: {other}").into()),
    }
}

/// The crate says why these groups are no single flow, and which flows would do.
fn parted(groups: Groups) -> Result<(FlowBuilder, FlowBuilder), Box<dyn std::error::Error>> {
    let error = groups.build().err().ok_or("these groups are one flow after all")?;
    let mixed: &MixedGroups = error.find_source().ok_or_else(|| error.to_string())?;
    println!("not one flow    {mixed}");
    match mixed.proposal() {
        [approval, signing] => Ok((approval.clone(), signing.clone())),
        others => Err(format!("{} flows proposed", others.len()).into()),
    }
}

/// Sends the draft to be approved, approves it, and gives the file that came out.
async fn approve(service: &LegaleService, flow: FlowBuilder) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let flow = flow.build()?;
    for warning in flow.warnings() {
        eprintln!("warning: {warning}");
    }
    let approvers: Vec<String> = flow.signers().iter().map(|signer| signer.email().to_owned()).collect();
    let upload = Upload::new(NAME, "Acuerdo de socios", Source::bytes(pdf("Acuerdo de socios")));
    let sent = send(service, upload, flow).await?;
    for link in sent.started.iter().flat_map(|started| &started.links) {
        service.client.approve(&link.url).await?;
        println!("approved        as {}", approvers.join(", "));
    }
    if wait(service, &sent.guid).await? != Status::Signed {
        return Err("not approved".into());
    }
    let mut file = Vec::new();
    service.client.download(&sent.guid).to_writer(&mut file).await?;
    Ok(file)
}

async fn send(service: &LegaleService, upload: Upload, flow: Flow) -> Result<Sent, legale::SendError> {
    let order = flow.order().clone();
    let sent = service.client.send(&Sending::new(upload, flow)).await?;
    println!("document        {} ({order})", sent.guid);
    Ok(sent)
}

async fn wait(service: &LegaleService, guid: &DocumentId) -> Result<Status, legale::Error> {
    let client = &service.client;
    let status = wait_until_final(client, guid, service.patience(), &**client.clock()).await?;
    println!("status          {status}");
    Ok(status)
}

/// The signers, on the sandbox, in no particular order.
async fn play(
    legale: integration_sandbox::legale::Legale,
    guid: DocumentId,
    is_rejected: bool,
) -> Result<(), integration_sandbox::legale::StepRefused> {
    for number in [3, 1, 2] {
        SystemClock::new().sleep(Duration::from_millis(200)).await;
        legale.open(guid.as_str(), number)?;
        if is_rejected && number == 1 {
            eprintln!("signer {number} rejects");
            return legale.reject(guid.as_str(), number, "La cuota no es la acordada");
        }
        legale.sign(guid.as_str(), number)?;
        eprintln!("signer {number} has signed");
    }
    Ok(())
}
