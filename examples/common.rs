//! What the example programs share: a client, on the embedded sandbox unless the environment names another service.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use apiges_sync::sync::{RestCases, SharedGroups, WebSync, WebSyncBuilder};
use apiges_sync::web::{ContactKind, ContactRef, HttpTransport, Viewer, ViewerFile, WebSyncTransport};
use apiges_sync::{Clock as _, SystemClock};
use fiscal_printer::{Client, Document, Error};
use integration_sandbox::Sandbox;
use integration_store::{Store, StoreError};
use sugester::sync::{Done, Event, Report, Stopped};
use sugester::{BaseUrl, bitfactura};

/// A client and, if the program runs on it, the sandbox; the sandbox stops when this is dropped.
pub struct Service {
    /// The client to use.
    pub client: Client,
    /// The embedded sandbox, unless `FISCAL_PRINTER_BASE_URL` names another service.
    pub sandbox: Option<Sandbox>,
}

/// Connects to the service of `FISCAL_PRINTER_BASE_URL` and `FISCAL_PRINTER_TOKEN`, or to a sandbox started for this run.
pub async fn connect() -> Result<Service, Box<dyn std::error::Error>> {
    if std::env::var("FISCAL_PRINTER_BASE_URL").is_ok_and(|url| !url.trim().is_empty()) {
        return Ok(Service { client: Client::from_env()?, sandbox: None });
    }
    let sandbox = Sandbox::start().await?;
    let fiscal = sandbox.fiscal();
    eprintln!("no FISCAL_PRINTER_BASE_URL: using an embedded sandbox at {}", fiscal.base_url());
    let client = Client::from_lookup(|name| match name {
        "FISCAL_PRINTER_BASE_URL" => Some(fiscal.base_url().to_owned()),
        "FISCAL_PRINTER_TOKEN" => Some(fiscal.token().to_owned()),
        other => std::env::var(other).ok(),
    })?;
    Ok(Service { client, sandbox: Some(sandbox) })
}

/// A client of Legale and, if the program runs on it, the sandbox; the sandbox stops when this is dropped.
pub struct LegaleService {
    /// The client to use.
    pub client: legale::Client,
    /// The embedded sandbox, unless `LEGALE_BASE_URL` names another service.
    pub sandbox: Option<Sandbox>,
}

/// Connects to the service of `LEGALE_BASE_URL` with the credentials of the environment, or to a sandbox started for this run.
pub async fn connect_legale() -> Result<LegaleService, Box<dyn std::error::Error>> {
    if std::env::var("LEGALE_BASE_URL").is_ok_and(|url| !url.trim().is_empty()) {
        return Ok(LegaleService { client: legale::Client::from_env()?, sandbox: None });
    }
    let sandbox = Sandbox::start().await?;
    let service = sandbox.legale();
    eprintln!("no LEGALE_BASE_URL: using an embedded sandbox at {}", service.base_url());
    let client = legale::Client::from_lookup(|name| match name {
        "LEGALE_BASE_URL" => Some(service.base_url().to_owned()),
        "LEGALE_API_KEY" => Some(service.api_key().to_owned()),
        // One credential, never two at once.
        "LEGALE_EMAIL" | "LEGALE_PASSWORD" => None,
        other => std::env::var(other).ok(),
    })?;
    Ok(LegaleService { client, sandbox: Some(sandbox) })
}

impl LegaleService {
    /// The e-mail addresses given as arguments; on the sandbox, where no mail goes out, these stand in for them.
    pub fn people<const N: usize>(
        &self,
        mut given: impl Iterator<Item = String>,
        stand_ins: [&str; N],
    ) -> Result<[String; N], Box<dyn std::error::Error>> {
        let mut people = stand_ins.map(str::to_owned);
        for person in &mut people {
            match given.next() {
                Some(email) => *person = email,
                None if self.sandbox.is_some() => {}
                None => return Err(format!("name {N} e-mail addresses: {}", stand_ins.join(" ")).into()),
            }
        }
        Ok(people)
    }

    /// How long to wait for people: a minute on the sandbox, an hour elsewhere.
    pub fn patience(&self) -> legale::tracking::WaitLimits {
        let (total, pause) = if self.sandbox.is_some() { (60, 1) } else { (3600, 15) };
        let pause = Duration::from_secs(pause);
        legale::tracking::WaitLimits::new(Duration::from_secs(total)).pauses(pause, pause)
    }
}

/// Clients of Sugester and BitFactura and, if the program runs on it, the sandbox; the sandbox stops when this is dropped.
pub struct BothSystems {
    /// The CRM.
    pub crm: sugester::Client,
    /// The invoicing.
    pub billing: bitfactura::Client,
    /// The embedded sandbox, unless the environment names another service.
    pub sandbox: Option<Sandbox>,
}

/// Connects to the services of `SUGESTER_BASE_URL` and `BITFACTURA_BASE_URL` with the tokens of the environment, or, if neither is
/// set, to a sandbox started for this run.
pub async fn connect_both() -> Result<BothSystems, Box<dyn std::error::Error>> {
    if is_set("SUGESTER_BASE_URL") || is_set("BITFACTURA_BASE_URL") {
        let (crm, billing) = (sugester::Client::from_env()?, bitfactura::Client::from_env()?);
        return Ok(BothSystems { crm, billing, sandbox: None });
    }
    let sandbox = embedded("SUGESTER_BASE_URL and no BITFACTURA_BASE_URL").await?;
    let (crm, billing) = (crm_of(&sandbox)?, billing_of(&sandbox)?);
    Ok(BothSystems { crm, billing, sandbox: Some(sandbox) })
}

/// Sugester alone, as [`connect_both`].
pub async fn connect_crm() -> Result<(sugester::Client, Option<Sandbox>), Box<dyn std::error::Error>> {
    if is_set("SUGESTER_BASE_URL") {
        return Ok((sugester::Client::from_env()?, None));
    }
    let sandbox = embedded("SUGESTER_BASE_URL").await?;
    Ok((crm_of(&sandbox)?, Some(sandbox)))
}

/// BitFactura alone, as [`connect_both`].
pub async fn connect_billing() -> Result<(bitfactura::Client, Option<Sandbox>), Box<dyn std::error::Error>> {
    if is_set("BITFACTURA_BASE_URL") {
        return Ok((bitfactura::Client::from_env()?, None));
    }
    let sandbox = embedded("BITFACTURA_BASE_URL").await?;
    Ok((billing_of(&sandbox)?, Some(sandbox)))
}

fn is_set(name: &str) -> bool {
    std::env::var(name).is_ok_and(|value| !value.trim().is_empty())
}

async fn embedded(missing: &str) -> Result<Sandbox, integration_sandbox::Error> {
    let sandbox = Sandbox::start().await?;
    eprintln!("no {missing}: using an embedded sandbox, {}", sandbox.control_url());
    Ok(sandbox)
}

fn crm_of(sandbox: &Sandbox) -> Result<sugester::Client, Error> {
    let service = sandbox.sugester();
    // A loopback address names no account, so it is said whose it is.
    sugester::Client::builder()
        .base_url(BaseUrl::parse(service.base_url())?)
        .account(service.account().parse()?)
        .token(service.token().parse()?)
        .build()
}

fn billing_of(sandbox: &Sandbox) -> Result<bitfactura::Client, Error> {
    let service = sandbox.bitfactura();
    bitfactura::Client::builder()
        .base_url(BaseUrl::parse(service.base_url())?)
        .account(service.account().parse()?)
        .token(service.token().parse()?)
        .build()
}

/// Prints what a run of the synchronisation came to, one line for each kind, and what a person should see.
pub fn print_report(run: &str, report: &Report) {
    let counts = [
        ("created", report.created),
        ("updated", report.updated),
        ("linked", report.linked),
        ("unchanged", report.unchanged),
        ("skipped", report.skipped),
        ("conflicts", report.conflicts),
        ("failed", report.failed),
        ("paused", report.paused),
        ("tombstones", report.tombstones),
        ("resolved", report.resolved),
    ];
    let shown = counts.iter().filter(|(_, count)| *count > 0).map(|(name, count)| format!("{name} {count}"));
    let shown = shown.collect::<Vec<_>>().join(", ");
    println!("{run:<16}{}", if shown.is_empty() { "nothing to do" } else { &shown });
    for (why, count) in &report.skipped_because {
        println!("skipped {count:<8}{why}");
    }
    for event in &report.notable {
        match event {
            Event::Settled { record, done: Done::Failed { reason, .. } } => {
                println!("failed          {record}: {reason}")
            }
            Event::Settled { record, done } => println!("look at         {record}: {done:?}"),
            Event::Conflict { bitfactura, sugester, conflict } => {
                let said = &conflict.dispute;
                println!(
                    "conflict        {} of clients {bitfactura} and {sugester}: BitFactura {:?}, Sugester {:?}; kept: {:?}",
                    said.field, said.bitfactura, said.sugester, conflict.winner
                );
            }
            Event::Resolved { key, was_applied } => {
                println!(
                    "resolved        {key}: {}",
                    if *was_applied { "it was applied" } else { "it was not applied" }
                );
            }
            _ => {}
        }
    }
}

/// Prints the addresses that a start brought. Whoever has one can sign: in earnest they go to the signers and into no log.
pub fn print_links(started: &legale::Started) {
    for (link, number) in started.links.iter().zip(1..) {
        match &link.email {
            Some(email) => println!("sign link       {email} {}", link.url),
            // A plain list: that it is in the order of the signers is not documented.
            None => println!("sign link {number}     {}", link.url),
        }
    }
}

/// A client of GeoSite and, if the program runs on it, the sandbox; the sandbox stops when this is dropped.
pub struct GeositeService {
    /// The client to use.
    pub client: geosite::Client,
    /// The embedded sandbox, unless `GEOSITE_BASE_URL` names another service.
    pub sandbox: Option<Sandbox>,
}

/// Connects to the service of `GEOSITE_BASE_URL` with the credentials of the environment, or to a sandbox started for this run, with
/// a generated network of so many elements. Its client could write links back; only `link_customer` ever does.
pub async fn connect_geosite(elements: usize) -> Result<GeositeService, Box<dyn std::error::Error>> {
    if std::env::var("GEOSITE_BASE_URL").is_ok_and(|url| !url.trim().is_empty()) {
        // Which column tells the last change is not public: unless it is set in `Assumptions`, every run reads everything.
        let mut assumptions = geosite::Assumptions::default();
        assumptions.write_back = geosite::WriteBack::Http;
        let client = geosite::Client::builder_from_env()?.assumptions(assumptions).build()?;
        return Ok(GeositeService { client, sandbox: None });
    }
    let sandbox = Sandbox::start().await?;
    let service = sandbox.geosite();
    service.generate(integration_sandbox::geosite::Network::new(elements));
    eprintln!("no GEOSITE_BASE_URL: using an embedded sandbox at {}", service.base_url());
    let mut assumptions = geosite::Assumptions::default();
    assumptions.change_column = Some("dataAlteracao".into());
    assumptions.write_back = geosite::WriteBack::Http;
    let builder = geosite::Client::builder_from_lookup(|name| match name {
        "GEOSITE_BASE_URL" => Some(service.base_url().to_owned()),
        "GEOSITE_USERNAME" => Some(service.username().to_owned()),
        "GEOSITE_PASSWORD" => Some(service.password().to_owned()),
        other => std::env::var(other).ok(),
    })?;
    Ok(GeositeService { client: builder.assumptions(assumptions).build()?, sandbox: Some(sandbox) })
}

impl GeositeService {
    /// The register of a URL such as `sqlite:register.db` or `postgres://…`; on the sandbox, whose network is gone with the
    /// program, memory will do.
    pub async fn register(
        &self,
        url: Option<&str>,
    ) -> Result<std::sync::Arc<dyn geosite::sync::Register>, Box<dyn std::error::Error>> {
        Ok(match url {
            Some(url) if url.starts_with("postgres") => {
                std::sync::Arc::new(geosite::sync::PostgresRegister::open(url).await?)
            }
            Some(url) => std::sync::Arc::new(geosite::sync::SqliteRegister::open(url).await?),
            None if self.sandbox.is_some() => std::sync::Arc::new(geosite::sync::MemoryRegister::new()),
            None => return Err("name the register, such as sqlite:register.db".into()),
        })
    }
}

/// Prints what a run of the synchronisation did, one line for each kind it read.
pub fn print_run(run: &geosite::sync::Run) {
    let outcome = run.outcome.map_or("not ended", geosite::sync::Outcome::name);
    println!("run {:<12}{}, {}, began {}: {outcome}", run.run_id, run.mode, run.trigger, run.started_at);
    for (kind, report) in &run.kinds {
        println!(
            "{:<22}read {}, added {}, changed {}, unchanged {}, removed {}, restored {}",
            kind.name(),
            report.read,
            report.added,
            report.changed,
            report.unchanged,
            report.removed,
            report.restored
        );
        if report.guard.is_blocked() {
            println!("held back       {kind}: {} are missing: override_guard lets them go", report.missing);
        }
    }
    for feature in &run.features {
        if let Some(error) = &feature.error {
            println!("not read        {}: {error}", feature.feature);
        }
    }
    for row in run.features.iter().flat_map(|feature| &feature.unread).take(10) {
        let name = row.name.as_deref().unwrap_or("without a name");
        println!(
            "not readable    {}, page {}, row {}: {name}: {}",
            row.feature, row.page, row.position, row.why
        );
    }
    for one in run.doubts.iter().take(10) {
        println!("doubtful        {} {}: {}", one.kind, one.fid, one.doubt);
    }
    for conflict in &run.conflicts {
        println!("conflict        {conflict:?}");
    }
    for warning in &run.warnings {
        eprintln!("warning: {warning}");
    }
}

/// Both layers of `apiges-sync`, and what an engine needs beside them; the sandbox stops when this is dropped.
pub struct WebOffice {
    /// The firm's program, by its REST API.
    pub client: apiges_sync::Client,
    /// The portal, by our HTTP mapping.
    pub portal: HttpTransport,
    /// Who is in which group; the firm's program does not tell.
    pub groups: SharedGroups,
    /// What survives a restart.
    pub store: Store,
    /// The embedded sandbox, unless the environment names other services.
    pub sandbox: Option<Sandbox>,
}

/// Connects to the services of `APIGES_BASE_URL` and `APIGES_WEB_BASE_URL` with the credentials of the environment, or, if neither is
/// set, to a sandbox started for this run, with a made-up firm of so many contacts and case files.
pub async fn connect_apiges(contacts: u32, files: u32) -> Result<WebOffice, Box<dyn std::error::Error>> {
    if is_set("APIGES_BASE_URL") || is_set("APIGES_WEB_BASE_URL") {
        let (client, portal) = (apiges_sync::Client::from_env()?, HttpTransport::from_env()?);
        let (groups, store) = (SharedGroups::default(), open_store().await?);
        return Ok(WebOffice { client, portal, groups, store, sandbox: None });
    }
    let sandbox = embedded("APIGES_BASE_URL and no APIGES_WEB_BASE_URL").await?;
    sandbox.apiges().seed(integration_sandbox::apiges::Seed::new(contacts, files).seed(7));
    let (client, portal) = (firm_of(&sandbox)?, portal_of(&sandbox)?);
    // A sandbox forgets, so what is known of it is kept no longer.
    let (groups, store) = (SharedGroups::default(), Store::open("memory:").await?);
    Ok(WebOffice { client, portal, groups, store, sandbox: Some(sandbox) })
}

fn firm_of(sandbox: &Sandbox) -> Result<apiges_sync::Client, Error> {
    let service = sandbox.apiges();
    let mut assumptions = apiges_sync::Assumptions::default();
    // True of the sandbox, unknown of the vendor: only a complete search may withdraw what it does not name.
    assumptions.searches_are_complete = true;
    apiges_sync::Client::builder()
        .environment(apiges_sync::Environment::at(service.base_url())?)
        .credentials(service.username(), service.password())
        .assumptions(assumptions)
        .build()
}

fn portal_of(sandbox: &Sandbox) -> Result<HttpTransport, Error> {
    let portal = sandbox.websync();
    HttpTransport::builder()
        .base_url(portal.base_url())?
        .tenant(portal.tenant())
        .credential(portal.token())
        .build()
}

impl WebOffice {
    /// An engine, to be set up further; every one that is built remembers the same.
    pub fn engine(&self) -> WebSyncBuilder {
        WebSync::builder()
            .store(&self.store)
            .transport(self.portal.clone())
            .cases(RestCases::new(self.client.clone()))
            .groups(self.groups.clone())
    }

    /// The portal, for documents and messages.
    pub fn shared_portal(&self) -> Arc<dyn WebSyncTransport> {
        Arc::new(self.portal.clone())
    }

    /// The contact of `KIND/CODE`, such as `C/0001`, with its numeric id; on the sandbox client 0001 if none is named.
    pub async fn contact(
        &self,
        named: Option<&str>,
    ) -> Result<(ContactRef, u64), Box<dyn std::error::Error>> {
        let stand_in = self.sandbox.as_ref().map(|_| "C/0001");
        let named = named.or(stand_in).ok_or("name a contact, such as C/0001")?;
        let (kind, code) = named.split_once('/').ok_or("a contact is KIND/CODE, such as C/0001")?;
        let contact = ContactRef::new(ContactKind::from(kind), code)?;
        let search = apiges_sync::Search::all().equal("codigo", [code]);
        let found = self.client.search_contacts(&search).await?;
        // The same code may exist under two kinds.
        let own = found.rows.iter().find(|row| row.kind.as_ref().is_some_and(|own| own.code == kind));
        Ok((contact, own.ok_or_else(|| format!("there is no contact {named}"))?.id))
    }

    /// What a contact sees on the portal now; nothing without a grant.
    pub async fn seen(&self, contact: &ContactRef) -> Result<Vec<ViewerFile>, Error> {
        self.seen_by(&Viewer::Contact(contact.clone())).await
    }

    /// As [`seen`](Self::seen), of any viewer.
    pub async fn seen_by(&self, viewer: &Viewer) -> Result<Vec<ViewerFile>, Error> {
        match self.portal.view(viewer).await {
            Ok(files) => Ok(files.items),
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// On the sandbox: that the portal shows exactly what its own evaluation of the firm allows.
    pub fn compare(&self) -> Result<(), Box<dyn std::error::Error>> {
        let Some(sandbox) = &self.sandbox else { return Ok(()) };
        let (differences, excesses) =
            (sandbox.websync().differences(sandbox.apiges()), sandbox.websync().excesses());
        println!("compared        {} differences from what is allowed", differences.len());
        match (differences.first(), excesses.first()) {
            (None, None) => Ok(()),
            (difference, excess) => {
                Err(format!("the portal shows {difference:?}, was sent {excess:?}").into())
            }
        }
    }
}

/// Works off everything that is to be done; fails if something was set aside.
pub async fn settle(sync: &WebSync) -> Result<(), Box<dyn std::error::Error>> {
    loop {
        sync.drain().await?;
        if let Some(dead) = sync.dead().await?.first() {
            return Err(
                format!("set aside after {} tries: {} ({:?})", dead.tries, dead.what, dead.error).into()
            );
        }
        if sync.numbers().await?.pending == 0 {
            return Ok(());
        }
        SystemClock::new().sleep(Duration::from_millis(200)).await;
    }
}

/// Prints what somebody sees of some files, one a line.
pub fn print_seen(who: &str, files: &[ViewerFile]) {
    println!("{who:<16}sees {} files", files.len());
    for file in files.iter().take(8) {
        let view = &file.view;
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        println!(
            "  {:<14}{:<3}{:<16}expires {:<12}referencia {:<20}clave {}",
            text(&view.numero),
            view.modalidad.as_ref().map_or("-", |modality| modality.codigo.as_str()),
            text(&view.denominacion),
            view.fecha_vencimiento.map_or_else(|| "-".to_owned(), |day| day.to_string()),
            text(&view.referencia),
            text(&view.clave)
        );
    }
    if files.len() > 8 {
        println!("  and {} more", files.len() - 8);
    }
}

/// A PDF of one page that says `text` (ASCII, no brackets).
pub fn pdf(text: &str) -> Vec<u8> {
    let stream = format!("BT /F1 14 Tf 60 760 Td ({text}) Tj ET");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{stream}\nendstream", stream.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
    ];
    let (mut file, mut table) = (String::from("%PDF-1.4\n"), String::from("0000000000 65535 f \n"));
    for (object, number) in objects.iter().zip(1..) {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{number} 0 obj\n{object}\nendobj\n"));
    }
    let (start, size) = (file.len(), objects.len() + 1);
    file.push_str(&format!(
        "xref\n0 {size}\n{table}trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n"
    ));
    file.into_bytes()
}

/// Opens the store of `INTEGRATION_STORE_URL`, or a file in the working folder, and says where it is.
pub async fn open_store() -> Result<Store, StoreError> {
    let store = Store::from_env().await?;
    eprintln!("store: {}", store.url());
    Ok(store)
}

/// Reads and checks a document: the file given as argument, or `examples/data/<default>`.
pub fn document(argument: Option<String>, default: &str) -> Result<Document, Box<dyn std::error::Error>> {
    let path = argument.unwrap_or_else(|| data(default));
    let json = std::fs::read(&path).map_err(|error| format!("{path}: {error}"))?;
    Ok(Document::from_json(&json)?.build()?)
}

/// The path of a file beside the examples.
pub fn data(name: &str) -> String {
    format!("{}/data/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Prints every total that goes out, one a line.
pub fn print_totals(document: &Document) {
    let totals = document.totals();
    println!("subtotal        {}", totals.subtotal);
    println!("exempt          {}", totals.exempt);
    println!("general base    {} at {} %: {}", totals.general.base, totals.general.rate, totals.general.tax);
    println!("reduced base    {} at {} %: {}", totals.reduced.base, totals.reduced.rate, totals.reduced.tax);
    if let Some(luxury) = totals.luxury {
        println!("luxury base     {} at {} %: {}", luxury.base, luxury.rate, luxury.tax);
    }
    println!("IGTF base       {} at {} %: {}", totals.igtf.base, totals.igtf.rate, totals.igtf.tax);
    println!("total           {}", totals.total);
    for warning in document.warnings() {
        eprintln!("warning: {warning}");
    }
}

/// Success, or the failure with all it says: exit code 3 when it may have happened all the same, else 1.
pub fn finish(result: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let sending = error.downcast_ref::<legale::SendError>();
    if let Some(guid) = sending.and_then(legale::SendError::document) {
        eprintln!("document {guid} was created and stays at the service");
    }
    let stopped = error.downcast_ref::<Stopped>();
    if let Some(stopped) = stopped {
        print_report("until then", &stopped.report);
    }
    let cause = sending.map(legale::SendError::error).or_else(|| stopped.map(|stopped| &stopped.error));
    match cause.or_else(|| error.downcast_ref::<Error>()) {
        Some(error) => {
            eprintln!("error: {}", error.report());
            ExitCode::from(if error.is_outcome_unknown() { 3 } else { 1 })
        }
        None => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
