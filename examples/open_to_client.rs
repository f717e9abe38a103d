//! Opens a client's case files on the web, with two boxes ticked; then a modality is excluded, then the grant is revoked.
//!
//! `open_to_client [KIND/CODE]`: the contact, client 0001 of the embedded sandbox unless it is said. What it opens it shuts again, so at
//! the end the portal is as it was before; a contact that has a grant already is left alone.

use std::process::ExitCode;

use apiges_sync::grant::WebGrant;
use apiges_sync::sync::{LoadOptions, WebSync};
use apiges_sync::web::{ContactRef, FieldBox};
use integration_examples::{WebOffice, connect_apiges, finish, print_seen, settle};

type Failure = Box<dyn std::error::Error>;
const WHO: &str = "ana";

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let office = connect_apiges(20, 200).await?;
    let (contact, id) = office.contact(std::env::args().nth(1).as_deref()).await?;
    let sync = office.engine().build()?;

    // Deny by default: Referencia 3 and Clave are not ticked, so they are sent to nobody.
    let grant = WebGrant::new(contact.clone(), id).show(FieldBox::Referencia1).show(FieldBox::Referencia2);
    sync.open(&grant.activated()?, WHO).await?;
    let report = sync.push_contact(&contact, &LoadOptions::new()).await?;
    println!("loaded          {} files, {} new", report.sent, report.totals.applied);
    settle(&sync).await?;
    let seen = office.seen(&contact).await?;
    print_seen(&contact.to_string(), &seen);
    office.compare()?;

    let modality = seen.iter().find_map(|file| file.view.modalidad.clone());
    let modality = modality.ok_or("the contact holds no file")?;
    let grant = sync.grant(&contact).await?.ok_or("the grant is gone")?;
    sync.revise(&grant.exclude_modality(&modality.codigo), WHO).await?;
    settle(&sync).await?;
    println!("excluded        {} ({})", modality.codigo, modality.descripcion.unwrap_or_default());
    let fewer = office.seen(&contact).await?;
    print_seen(&contact.to_string(), &fewer);
    office.compare()?;

    sync.revoke(&contact, WHO).await?;
    settle(&sync).await?;
    println!("revoked");
    let none = office.seen(&contact).await?;
    print_seen(&contact.to_string(), &none);
    office.compare()?;
    print_audit(&sync, &contact).await?;
    never_sent(&office)?;
    if fewer.len() < seen.len() && none.is_empty() {
        return Ok(());
    }
    Err(format!("seen {}, then {}, then {}", seen.len(), fewer.len(), none.len()).into())
}

async fn print_audit(sync: &WebSync, contact: &ContactRef) -> Result<(), Failure> {
    for (number, entry) in sync.audit(0).await? {
        if entry.contact() == Some(contact) {
            println!("audit {number:<10}{} by {}: {:?}", entry.at(), entry.by(), entry.change());
        }
    }
    Ok(())
}

/// Counted at the portal's door: what was not ticked was in no request.
fn never_sent(office: &WebOffice) -> Result<(), Failure> {
    let Some(sandbox) = &office.sandbox else { return Ok(()) };
    let (firm, mut looked) = (sandbox.apiges(), 0);
    for id in firm.file_ids() {
        let file = firm.file(id, Default::default()).unwrap_or_default();
        for field in ["clave", "referencia3", "referencia4"] {
            let Some(secret) = file[field].as_str() else { continue };
            looked += 1;
            if sandbox.websync().recorded_contains(secret) {
                return Err(format!("{field} of file {id} was sent").into());
            }
        }
    }
    println!("never sent      any of {looked} keys and references that no box opens");
    Ok(())
}
