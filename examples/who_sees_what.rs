//! Who sees what, and why: a table of a viewer's files, with the step of the contract that hides each field.
//!
//! `who_sees_what KIND/CODE [CASE…]` judges a contact's files, or those that are named, by the grants of another service's portal, and
//! compares with what the portal shows. Groups are not in the firm's program, so there files of others in its group count as not held.
//! Without arguments, on the embedded sandbox: a client with a group, and the administrator of a union of all.

use std::collections::BTreeMap;
use std::process::ExitCode;

use apiges_sync::Secret;
use apiges_sync::grant::{CaseField, Rules, UnionKey, WebGrant};
use apiges_sync::sync::{CaseSource, RestCases, WebSync};
use apiges_sync::visible::{CaseFacts, Explanation, Grants, Viewer, explain, visible};
use apiges_sync::web::{self, ContactRef, FieldBox, Part, WebSyncTransport};
use integration_examples::{WebOffice, connect_apiges, finish, settle};
use integration_sandbox::{Sandbox, websync};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let office = connect_apiges(0, 0).await?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match (arguments.split_first(), &office.sandbox) {
        (None, Some(sandbox)) => office_of_three(&office, sandbox).await,
        (Some((contact, cases)), _) => {
            let (contact, id) = office.contact(Some(contact)).await?;
            let named: Result<Vec<u64>, _> = cases.iter().map(|case| case.parse()).collect();
            let cases = if cases.is_empty() { held_by(&office, &contact, id).await? } else { named? };
            table(&office, &Viewer::Contact(contact), &cases).await
        }
        _ => Err("who_sees_what KIND/CODE [CASE…]".into()),
    }
}

async fn held_by(office: &WebOffice, contact: &ContactRef, id: u64) -> Result<Vec<u64>, Failure> {
    let role = Rules::default().role(contact.kind()).ok_or("contacts of this kind hold no files")?;
    Ok(RestCases::new(office.client.clone()).held_by(role, id).await?.ids)
}

/// Clients 1 and 2 are in a group; all three are a union under one administrator.
async fn office_of_three(office: &WebOffice, sandbox: &Sandbox) -> Result<(), Failure> {
    let firm = sandbox.apiges();
    let add = |code: &str| firm.add_contact(&json!({ "tipo": "C", "codigo": code }));
    let (one, two, three) = (add("1")?, add("2")?, add("3")?);
    for (holder, number, more) in [
        (one, "A-1", json!({})),
        (one, "A-2", json!({ "estado": "B" })),
        (two, "B-1", json!({})),
        (two, "B-2", json!({ "modalidad": "P" })),
        (three, "C-1", json!({})),
    ] {
        firm.add_file(&file(holder, number, more))?;
    }
    let sync = office.engine().build()?;
    let (first, second, third) =
        (ContactRef::client("1")?, ContactRef::client("2")?, ContactRef::client("3")?);
    group(office, sandbox, &[(one, &first), (two, &second)])?;

    let grant =
        |contact: &ContactRef, id: i64| Ok::<_, Failure>(WebGrant::new(contact.clone(), u64::try_from(id)?));
    // Client 2 does not show Clave, and no patents: that holds for its group as well.
    let own = grant(&second, two)?.show(FieldBox::Referencia1).show(FieldBox::Referencia2);
    unite(&sync, own.exclude_modality("P"), &second).await?;
    let wide = grant(&first, one)?.group("G").show(FieldBox::Referencia1).show(FieldBox::Clave);
    unite(&sync, wide, &first).await?;
    let tag = unite(&sync, grant(&third, three)?.show(FieldBox::Clave), &third).await?;
    settle(&sync).await?;

    let cases: Vec<u64> = firm.file_ids().into_iter().map(u64::try_from).collect::<Result<_, _>>()?;
    table(office, &Viewer::Contact(first), &cases).await?;
    table(office, &Viewer::Administrator(tag), &cases).await?;
    office.compare()
}

fn file(holder: i64, number: &str, more: Value) -> Value {
    let mut file = json!({ "idCliente": holder, "numero": number, "modalidad": "M", "denominacion": "SOL" });
    for field in ["referencia", "referencia2", "referencia3", "clave"] {
        file[field] = json!(format!("{field} of {number}"));
    }
    for (field, value) in more.as_object().into_iter().flatten() {
        file[field] = value.clone();
    }
    file
}

/// The firm's program does not tell groups: the engine is told, and the sandbox, for its own evaluation.
fn group(office: &WebOffice, sandbox: &Sandbox, members: &[(i64, &ContactRef)]) -> Result<(), Failure> {
    for (id, contact) in members {
        let id = u64::try_from(*id)?;
        office.groups.change(|groups| groups.join(id, (*contact).clone(), "G"));
    }
    let names = members.iter().map(|(_, contact)| websync::ContactRef::new("C", contact.code()));
    sandbox.websync().set_group("G", &names.collect::<Vec<_>>());
    Ok(())
}

/// Opens a grant with an administrator pair: the members of its union are shown first.
async fn unite(
    sync: &WebSync,
    grant: WebGrant,
    contact: &ContactRef,
) -> Result<apiges_sync::grant::PairTag, Failure> {
    // In earnest the union key is one secret of the tenant, and code and key are what the firm typed.
    let key =
        UnionKey::from_hex(Secret::from("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))?;
    let grant = grant.administrator(&key, "holding", &Secret::from("typed by the firm"));
    let tag = grant.pair_tag().ok_or("an empty pair")?.clone();
    let preview = sync.preview_union(&tag, contact).await?;
    let members: Vec<String> = preview.members.iter().map(ToString::to_string).collect();
    println!("union           {contact} joining makes {}", members.join(", "));
    sync.open(&grant.confirmed(preview.preview_id).activated()?, "ana").await?;
    Ok(tag)
}

/// One line a file: seen or not, each boxed field, and why.
async fn table(office: &WebOffice, viewer: &Viewer, cases: &[u64]) -> Result<(), Failure> {
    let (who, entry) = match viewer {
        Viewer::Contact(contact) => (contact.to_string(), web::Viewer::Contact(contact.clone())),
        Viewer::Administrator(tag) => ("administrator".to_owned(), web::Viewer::Union(tag.clone())),
    };
    println!("\n{who}");
    println!(
        "{:<10}{:<8}{:<12}{:<12}{:<12}{:<12}why",
        "file", "number", "referencia", "referencia2", "referencia3", "clave"
    );
    let grants = grants(office).await?;
    let (groups, rules) = (office.groups.now(), Rules::default());
    let shown = office.seen_by(&entry).await?;
    let source = RestCases::new(office.client.clone());
    for case in cases {
        let facts =
            source.case(*case, lang(viewer, &grants)).await?.ok_or_else(|| format!("no file {case}"))?;
        let explanation = explain(viewer, &facts, &grants, &groups, &rules);
        print(&facts, &explanation);
        let allowed = visible(viewer, &facts, &grants, &groups, &rules).ok();
        let there = shown.iter().find(|file| file.case_id == *case).map(|file| &file.view);
        if allowed.as_ref() != there {
            return Err(format!("the portal shows file {case} otherwise").into());
        }
    }
    println!("the portal shows exactly this");
    Ok(())
}

async fn grants(office: &WebOffice) -> Result<Grants, Failure> {
    let (mut all, mut part) = (Grants::new(), Part::default());
    loop {
        let page = office.portal.grants(part).await?;
        page.items.into_iter().for_each(|grant| all.insert(grant));
        let Some(next) = page.next else { return Ok(all) };
        part = Part::after(next);
    }
}

/// In which language the viewer reads.
fn lang(viewer: &Viewer, grants: &Grants) -> apiges_sync::Lang {
    match viewer {
        Viewer::Contact(contact) => grants.get(contact).map(|grant| grant.lang).unwrap_or_default(),
        Viewer::Administrator(_) => Default::default(),
    }
}

fn print(facts: &CaseFacts, explanation: &Explanation) {
    let fields = CaseField::ALL.map(|field| match explanation.shown() {
        None => "-".to_owned(),
        Some(shown) if shown.contains(&field) => "shown".to_owned(),
        Some(_) => {
            let step = explanation.hidden_by(field).first().map_or(0, |(step, ..)| *step);
            format!("step {step}")
        }
    });
    let line: String = fields.iter().map(|field| format!("{field:<12}")).collect();
    let number = facts.full.numero.as_deref().unwrap_or("-");
    println!("{:<10}{number:<8}{line}{}", facts.case_id, why(explanation));
}

/// Of a file that is not seen: what each grant says. Of one that is seen: by whose grant which fields are hidden.
fn why(explanation: &Explanation) -> String {
    if explanation.shown().is_none() {
        return explanation.to_string().replace('\n', "; ");
    }
    let mut reasons: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for field in CaseField::ALL {
        for (_, contact, mask) in explanation.hidden_by(field) {
            reasons.entry(format!("{contact}: {mask}")).or_default().push(field.as_str());
        }
    }
    let reasons = reasons.into_iter().map(|(reason, fields)| format!("{reason} ({})", fields.join(", ")));
    reasons.collect::<Vec<_>>().join("; ")
}
