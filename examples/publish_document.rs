//! Publishes a document of a case file in two steps, refuses what is hidden, and withdraws what is hidden later.
//!
//! `publish_document CASE ANNOTATION DOCUMENT FILE` publishes one document of another service's annotations book, with the bytes of
//! `FILE`: no route of the firm's program gives them. Without arguments, on the embedded sandbox: a letter, and three that do not go up.

use std::process::ExitCode;
use std::sync::Arc;

use apiges_sync::documents::{BookFields, Documents, NewDocument, Published, RestAnnotations, Settings};
use apiges_sync::grant::WebGrant;
use apiges_sync::web::{DocumentPlace, WebSyncTransport};
use apiges_sync::{Body, ErrorExt, Problem};
use integration_examples::{WebOffice, connect_apiges, finish, pdf, settle};
use integration_sandbox::Sandbox;
use integration_sandbox::apiges::Document;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let office = connect_apiges(1, 3).await?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match (arguments.as_slice(), &office.sandbox) {
        ([], Some(sandbox)) => letter(&office, sandbox).await,
        ([case, annotation, document, file], _) => {
            let documents = documents(&office, std::fs::read(file)?)?;
            print(&documents.publish(&NewDocument::new(case.parse()?, annotation, document)).await?);
            Ok(())
        }
        _ => Err("publish_document CASE ANNOTATION DOCUMENT FILE".into()),
    }
}

/// The books by the REST API, the bytes from elsewhere.
fn documents(office: &WebOffice, bytes: Vec<u8>) -> Result<Documents, Failure> {
    let contents = move |_: DocumentPlace| -> apiges_sync::BoxFuture<'static, _> {
        let body = Body::bytes(bytes.clone());
        Box::pin(async move { Ok(body) })
    };
    let books = RestAnnotations::new(office.client.clone(), BookFields::default(), contents);
    Ok(Documents::new(office.shared_portal(), &office.store, Arc::new(books), Settings::default())?)
}

fn print(published: &Published) {
    println!("stored          {} bytes, {}", published.bytes, short(&published.sha256.to_string()));
    println!("                {}", if published.uploaded { "sent now" } else { "the portal had them" });
    let before = if published.was_there { ", as it was before" } else { "" };
    println!("linked          {}, version {}{before}", published.place, published.version);
}

fn short(digest: &str) -> &str {
    digest.get(..16).unwrap_or(digest)
}

async fn letter(office: &WebOffice, sandbox: &Sandbox) -> Result<(), Failure> {
    let (contact, id) = office.contact(None).await?;
    let sync = office.engine().build()?;
    sync.open(&WebGrant::new(contact.clone(), id).activated()?, "ana").await?;
    settle(&sync).await?;
    let case = office.seen(&contact).await?.first().map(|file| file.case_id).ok_or("no file is seen")?;

    let (firm, file) = (sandbox.apiges(), i64::try_from(case)?);
    let note = firm.add_annotation(file, "Certificate of registration")?;
    let certificate = || Document::new(r"C:\letters\certificate.pdf", "application/pdf", pdf("Granted"));
    let add = |document| firm.add_document(file, note, document);
    let shown = add(certificate())?;
    let withheld = [
        ("marked hidden", add(certificate().hidden(Some(true)))?),
        ("without a flag", add(certificate().hidden(None))?),
        ("outside folder", add(certificate().external())?),
    ];

    let documents = documents(office, pdf("Granted"))?;
    let new = |document: u32| NewDocument::new(case, note.to_string(), document.to_string());
    print(&documents.publish(&new(shown).title("Certificate of registration")).await?);
    // Whatever broke in between: repeated, it is there once.
    print(&documents.publish(&new(shown).title("Certificate of registration")).await?);
    for (what, document) in withheld {
        match documents.publish(&new(document)).await {
            Err(error) => println!("{what:<16}{}", refusal(&error)?),
            Ok(_) => return Err(format!("{what}: it went up").into()),
        }
    }
    println!("at the portal   {} documents", linked(office, case, note).await?);

    firm.hide_document(file, note, shown, Some(true))?;
    for (place, reason) in documents.recheck(case).await?.withdrawn {
        println!("withdrawn       {place}: {reason}");
    }
    let left = linked(office, case, note).await?;
    println!("at the portal   {left} documents");
    if left == 0 { Ok(()) } else { Err("a hidden document is shown".into()) }
}

/// A rule of the crate held it back; any other failure is one.
fn refusal(error: &apiges_sync::Error) -> Result<String, Failure> {
    match error.problem() {
        Some(Problem::Refused { reason }) => Ok(format!("refused: {reason}")),
        _ => Err(error.report().to_string().into()),
    }
}

async fn linked(office: &WebOffice, case: u64, note: u32) -> Result<usize, Failure> {
    Ok(office.portal.links(case, &note.to_string()).await?.items.len())
}
