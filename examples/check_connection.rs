//! Whether Sugester and BitFactura can be kept in step, and what to do if not: nothing is written anywhere.
//!
//! `check_connection [SUGESTER_LOGIN [BITFACTURA_LOGIN]]`: the logins of one person, who wants to switch between both; no API tells that
//! of Sugester. On the embedded sandbox the check is also run against everything that can be wrong.

use std::process::ExitCode;

use integration_examples::{BothSystems, connect_both, finish};
use integration_sandbox::Sandbox;
use sugester::bitfactura::{self, Login};
use sugester::connection::{ConnectionCheck, ConnectionReport};
use sugester::{BaseUrl, Client, Error, Severity, setup};

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    finish(run().await)
}

async fn run() -> Result<(), Failure> {
    let systems = connect_both().await?;
    let mut arguments = std::env::args().skip(1);
    let mut check = ConnectionCheck::new(&systems.crm, &systems.billing);
    if let Some(sugester) = arguments.next() {
        let bitfactura = arguments.next().unwrap_or_else(|| sugester.clone());
        check = check.sugester_login(sugester).bitfactura_login(bitfactura);
    } else if let Some(sandbox) = &systems.sandbox {
        check = check.sugester_login(sandbox.bitfactura().login()).log_in(login(sandbox)?);
    }
    let report = check.run().await;
    print(&report);
    if let Some(account) = systems.crm.account() {
        for step in setup::checklist(account).iter().filter(|step| !step.check().is_automatic()) {
            println!("by hand         {step}");
        }
    }
    if !report.is_ready() {
        return Err("not ready: see the findings".into());
    }
    println!("ready           yes");
    if let Some(sandbox) = &systems.sandbox {
        troubles(sandbox, &systems).await?;
    }
    Ok(())
}

/// In earnest the host of the login is `app.bitfactura.com`, which is the default.
fn login(sandbox: &Sandbox) -> Result<Login, Error> {
    let service = sandbox.bitfactura();
    let login = Login::new(service.login(), service.password()).integration_token("given to partners");
    Ok(login.host(BaseUrl::parse(service.base_url())?))
}

fn print(report: &ConnectionReport) {
    for part in report.sound() {
        println!("sound           {part:?}");
    }
    for part in report.skipped() {
        println!("not looked at   {part:?}");
    }
    for finding in report.findings() {
        let word = if finding.severity() == Severity::Error { "error" } else { "warning" };
        println!("{word:<16}{finding}");
        println!("what to do      {}", finding.advice());
    }
}

/// On the sandbox: what each trouble looks like. Each has to be found.
async fn troubles(sandbox: &Sandbox, systems: &BothSystems) -> Result<(), Failure> {
    let (crm, billing) = (&systems.crm, &systems.billing);
    let account = sandbox.sugester().account();
    let other_kind = crm_with(sandbox, "a-token-without-a-prefix")?;
    trouble("a token of another kind", ConnectionCheck::new(&other_kind, billing)).await?;
    let revoked = crm_with(sandbox, &format!("revoked-secret/{account}"))?;
    trouble("a token that was revoked", ConnectionCheck::new(&revoked, billing)).await?;
    let differing = ConnectionCheck::new(crm, billing).sugester_login("ana").log_in(login(sandbox)?);
    trouble("logins that differ", differing).await?;

    sandbox.sugester().configure(|settings| settings.wire.no_account = true);
    trouble("an account that is not there", ConnectionCheck::new(crm, billing)).await?;
    sandbox.bitfactura().refuse_connections().await?;
    let hasty = bitfactura::Client::builder()
        .base_url(billing.base_url().clone())
        .token(billing.token().clone())
        .retry(sugester::RetryPolicy::never())
        .build()?;
    trouble("a host that is dead", ConnectionCheck::new(crm, &hasty)).await?;

    // The token of another account is noticed before there is a client to send it.
    let error = crm_with(sandbox, "q7Pw/another-account").err().ok_or("it was taken")?;
    println!("\ntrouble         a token of another account");
    println!("error           {}", error.report());
    Ok(())
}

fn crm_with(sandbox: &Sandbox, token: &str) -> Result<Client, Error> {
    Client::builder()
        .base_url(BaseUrl::parse(sandbox.sugester().base_url())?)
        .account(sandbox.sugester().account().parse()?)
        .token(token.parse()?)
        .build()
}

async fn trouble(name: &str, check: ConnectionCheck<'_>) -> Result<(), Failure> {
    println!("\ntrouble         {name}");
    let report = check.run().await;
    print(&report);
    if report.is_ready() {
        return Err(format!("{name} was not found").into());
    }
    Ok(())
}
