//! Receives callbacks: a real HTTP server that believes a callback only if its URL has the secret and the service says the same.
//!
//! `callback_receiver`: on the embedded sandbox, which plays the signer and posts the callback; two forgeries are tried first.
//! `callback_receiver PUBLIC_URL PORT EMAIL`: elsewhere. `PUBLIC_URL` is where the service reaches this machine's `PORT` on
//! loopback: a reverse proxy, a tunnel.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use integration_examples::{connect_legale, finish, pdf};
use integration_sandbox::legale::Legale;
use legale::flow::{Flow, SignMethod, Signer};
use legale::status::SignStatus;
use legale::webhook::{
    CallbackToken, Delivery, FolderSink, Handler, MemorySecrets, Receiver, Refused, SecretPlace, router,
};
use legale::{BoxFuture, DocumentId, Error, Sending, Source, Upload};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_legale().await?;
    let client = &service.client;
    let mut arguments = std::env::args().skip(1);
    let (public, port) = (arguments.next(), arguments.next().map_or(Ok(0), |port| port.parse::<u16>())?);
    let [signer] = service.people(arguments, ["ana@example.com"])?;

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let origin = match public {
        Some(url) => url,
        None => format!("http://{}", listener.local_addr()?),
    };
    let folder = std::env::temp_dir().join(format!("callbacks-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;

    // Strategy a with c, the default of the crate: a secret in the URL of each document, and asking the service.
    let secrets = Arc::new(MemorySecrets::new());
    let (believed, mut inbox) = unbounded_channel();
    let receiver = Receiver::builder()
        .url_secrets(secrets.clone(), SecretPlace::Path)
        .refetch(Arc::new(client.clone()))
        .sink(Arc::new(FolderSink::new(&folder)))
        .handler(Arc::new(Inbox(believed)))
        // The sender is told nothing; we are.
        .observer(Arc::new(|refused: &Refused<'_>| println!("refused         {refused}")))
        .build()?;
    let app =
        axum::Router::new().nest("/legale", router(receiver)).layer(axum::middleware::map_response(answered));
    tokio::spawn(async move { axum::serve(listener, app).await });
    eprintln!("listening at {origin}");

    // In earnest keep the token beside the order, or derive it (`DerivedSecrets`).
    let token = CallbackToken::generate("contract-17")?;
    secrets.insert(&token);
    let url = token.put_into(format!("{origin}/legale/document").parse()?, &SecretPlace::Path);
    let flow = Flow::sequential().signer(Signer::outsider(SignMethod::NoSms, &signer)).build()?;
    let upload = Upload::new("Contrato_ClienteX_2025.pdf", "Contrato 17", Source::bytes(pdf("Contrato 17")));
    let sent = client.send(&Sending::new(upload.callback_url(url.as_str()), flow)).await?;
    secrets.bind(token.reference(), sent.guid.clone());
    println!("document        {} ({})", sent.guid, token.reference());

    let mut patience = Duration::from_secs(3600);
    if let Some(sandbox) = &service.sandbox {
        let legale = sandbox.legale();
        forge(legale, &sent.guid, &format!("{origin}/legale/document"), url.as_str()).await?;
        if !inbox.is_empty() {
            return Err("a forgery was believed".into());
        }
        println!("the signer      signs");
        legale.sign(sent.guid.as_str(), 1)?;
        patience = Duration::from_secs(20);
    }
    let clock = client.clock();
    let received = tokio::select! {
        status = inbox.recv() => status,
        () = clock.timer(patience) => None,
    };
    std::fs::remove_dir_all(&folder)?;
    match received {
        Some(SignStatus::Signed) => Ok(()),
        Some(other) => Err(format!("not signed: {other:?}").into()),
        None => Err("no callback within the limit: polling is the backstop".into()),
    }
}

/// What the receiver answered; nothing else is told to whoever posts.
async fn answered(response: axum::response::Response) -> axum::response::Response {
    let why = match response.status().as_u16() {
        200 => "accepted, handled before, or to be looked at again",
        400 => "refused: no callback",
        401 => "refused, and nothing was read",
        413 => "refused: too large",
        500 => "failed here: it counts as new when it comes again",
        _ => "no such address",
    };
    println!("answered {}    {why}", response.status().as_u16());
    response
}

/// What is done with a callback that was proven. Called once for each.
struct Inbox(UnboundedSender<SignStatus>);

impl Handler for Inbox {
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
        let callback = &delivery.callback;
        let said = delivery.detail.as_ref().map(|detail| format!("{:?}", detail.sign_status));
        let claim = callback.sign_status.map_or_else(String::new, |status| format!("{status:?}"));
        println!("believed        {:?} {claim}", callback.kind);
        println!(
            "because         the URL has the secret of {}",
            delivery.reference.as_deref().unwrap_or("?")
        );
        println!("because         the service, when asked, says {}", said.as_deref().unwrap_or("nothing"));
        match &delivery.file {
            Some(file) => println!("file            {} bytes, sha-256 {}", file.length, file.sha256),
            None if delivery.needs_download() => println!("file            to be fetched from the service"),
            None => println!("file            none"),
        }
        if let Some(status) = callback.sign_status.filter(|status| status.is_final()) {
            // Nobody waits any more: nothing to tell.
            let _ = self.0.send(status);
        }
        Box::pin(std::future::ready(Ok(())))
    }

    fn poll_again(&self, document: DocumentId) -> BoxFuture<'_, ()> {
        println!("not believed    the service does not say that of {document}: to be looked at again");
        Box::pin(std::future::ready(()))
    }
}

/// On the sandbox: a forger who does not know the URL, and one who does.
async fn forge(
    legale: &Legale,
    guid: &DocumentId,
    bare: &str,
    url: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    let lie = serde_json::json!({ "GUID": guid.as_str(), "sign_status": 1, "comment": null });
    println!("forgery 1       says 'signed' without the secret");
    legale.post_callback(bare, &[], lie.clone());
    legale.wait_for_callbacks(1).await;
    println!("forgery 2       says 'signed' and knows the URL");
    legale.post_callback(url, &[], lie);
    legale.wait_for_callbacks(2).await;
    let answers: Vec<Option<u16>> = legale
        .callbacks()
        .iter()
        .flat_map(|callback| &callback.attempts)
        .map(|attempt| attempt.status)
        .collect();
    if answers != [Some(401), Some(200)] {
        return Err(format!("the forgeries were answered with {answers:?}").into());
    }
    Ok(())
}
