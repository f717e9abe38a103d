//! Starts five flows from one smart document in one request, and tells what became of each.
//!
//! `bulk_from_template [TEMPLATE_ID EMAIL EMAIL EMAIL EMAIL EMAIL]`. On the embedded sandbox, which plays the signers,
//! `bulk_from_template refused` has one item refused: the others run, and the program ends with 1.

use std::process::ExitCode;

use integration_examples::{connect_legale, finish};
use legale::flow::SignMethod;
use legale::{TemplateId, TemplateItem, TemplateSigner};

const PEOPLE: [(&str, &str, &str, &str); 5] = [
    ("Ana", "Rojas", "Analista", "ana@example.com"),
    ("Luis", "Soto", "Chofer", "luis@example.com"),
    ("Eva", "Vidal", "Contadora", "eva@example.com"),
    ("Hugo", "Mena", "Bodeguero", "hugo@example.com"),
    ("Rosa", "Pinto", "Vendedora", "rosa@example.com"),
];

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let service = connect_legale().await?;
    let client = &service.client;
    let mut arguments = std::env::args().skip(1).peekable();
    let sandbox = service.sandbox.as_ref().map(|sandbox| sandbox.legale());
    let is_refused = sandbox.is_some() && arguments.next_if(|word| word == "refused").is_some();
    let template: TemplateId = match (arguments.next(), sandbox) {
        (Some(id), _) => id.parse()?,
        (None, Some(legale)) => {
            // Whether a batch with a bad item starts the good ones is not documented: here it does.
            legale.configure(|settings| settings.template_partial = is_refused);
            legale.add_smart_document("Anexo de contrato", &["nombre", "cargo"]).to_string().parse()?
        }
        (None, None) => return Err("name the smart document: its id, then five e-mail addresses".into()),
    };
    let emails = service.people(arguments, PEOPLE.map(|person| person.3))?;

    let mut pages = client.smart_documents();
    while let Some(page) = pages.next_page().await? {
        for document in page.items.iter().filter(|document| document.id == template) {
            let variables: Vec<&str> =
                document.items.iter().filter_map(|item| item.name.as_deref()).collect();
            let name = document.name.as_deref().unwrap_or("?");
            println!("smart document  {} {name}: {}", document.id.as_str(), variables.join(", "));
        }
    }

    let items = PEOPLE.iter().zip(&emails).zip(0..).map(|(((first, last, position, _), email), number)| {
        // An advanced signature needs a contact with a RUT, which the third one does not have.
        let method = if is_refused && number == 2 { SignMethod::Fea } else { SignMethod::NoSms };
        TemplateItem::new()
            .variable(1, format!("{first} {last}"))
            .variable(2, *position)
            .file_name(format!("Anexo_{first}-{last}_2025.pdf"))
            .folder("RRHH/Anexos")
            .signer(TemplateSigner::new(method, email).name(*first, *last))
    });
    let items: Vec<TemplateItem> = items.collect();
    // One request, sent once: if its answer is lost, look at the list of documents before anything else.
    let batch = client.start_batch(&template, &items).await?;
    if batch.items.is_empty() {
        return Err(format!("started, but the answer tells nothing of the items: {}", batch.raw).into());
    }

    let mut refused = 0;
    for (outcome, email) in batch.items.iter().zip(&emails) {
        match (outcome.guid(), outcome.refusal()) {
            (_, Some(why)) => {
                refused += 1;
                println!("refused         {email}: {why}");
            }
            (Some(guid), None) => {
                if let Some(legale) = sandbox {
                    legale.sign(guid.as_str(), 1)?;
                }
                println!("started         {email}: {guid}, {:?}", client.sign_status(&guid).await?);
            }
            (None, None) => println!("started         {email}: {}", outcome.raw()),
        }
    }
    println!("items           {} started, {refused} refused", items.len() - refused);
    if refused > 0 { Err("not every item was started".into()) } else { Ok(()) }
}
