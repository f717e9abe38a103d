//! Serves the simulators on fixed ports, for programs in any language: `sandbox [--port N]`.
//!
//! Standard output carries plain lines that can be pasted into a shell.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use integration_sandbox::{Error, Sandbox};

const DEFAULT_PORT: u16 = 7800;
const USAGE: &str = "usage: sandbox [--port N]   (control API on N, then fiscal printer, legale, Sugester, BitFactura, GeoSite, HubSoft, Apiges, its portal; \
                     default 7800)";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Wish {
    Serve(u16),
    Help,
    Unclear,
}

fn wish(arguments: &[String]) -> Wish {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        [] => Wish::Serve(DEFAULT_PORT),
        ["--help" | "-h"] => Wish::Help,
        ["--port", port] => match port.parse::<u16>() {
            // The next eight ports have to exist too.
            Ok(port) if (1..u16::MAX - 7).contains(&port) => Wish::Serve(port),
            _ => Wish::Unclear,
        },
        _ => Wish::Unclear,
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match wish(&arguments) {
        Wish::Serve(port) => serve(port).await,
        Wish::Help => {
            say(io::stdout(), USAGE);
            ExitCode::SUCCESS
        }
        Wish::Unclear => {
            say(io::stderr(), USAGE);
            ExitCode::from(2)
        }
    }
}

/// Writes a line; unlike `println!`, it survives a reader that went away.
fn say(mut out: impl Write, text: impl Display) {
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

async fn serve(port: u16) -> ExitCode {
    let outcome = start(port).await;
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(io::stderr(), format!("sandbox: {error}"));
            say(io::stderr(), "another sandbox may be running; choose other ports with --port N");
            ExitCode::FAILURE
        }
    }
}

async fn start(port: u16) -> Result<(), Error> {
    let builder = Sandbox::builder()
        .control_port(port)
        .fiscal_port(port.saturating_add(1))
        .legale_port(port.saturating_add(2))
        .sugester_port(port.saturating_add(3))
        .bitfactura_port(port.saturating_add(4))
        .geosite_port(port.saturating_add(5))
        .hubsoft_port(port.saturating_add(6))
        .apiges_port(port.saturating_add(7))
        .websync_port(port.saturating_add(8));
    let sandbox = builder.start().await?;
    say(io::stdout(), welcome(&sandbox));
    // Without signals there is no Ctrl-C to wait for, and the process is ended some other way.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
    Ok(())
}

fn welcome(sandbox: &Sandbox) -> String {
    let parts = [
        welcome_fiscal(sandbox),
        welcome_legale(sandbox),
        welcome_crm(sandbox),
        welcome_geosite(sandbox),
        welcome_apiges(sandbox),
    ];
    format!("{}\n\nCtrl-C stops.", parts.join("\n\n"))
}

fn welcome_crm(sandbox: &Sandbox) -> String {
    let (crm, invoicing, control) = (sandbox.sugester(), sandbox.bitfactura(), sandbox.control_url());
    let (base, token, other, other_token) =
        (crm.base_url(), crm.token(), invoicing.base_url(), invoicing.token());
    let escaped = token.replace('/', "%2F");
    format!(
        "sugester:       {base}   (below /app)\n\
         bitfactura:     {other}\n\
         \n\
         export SUGESTER_BASE_URL={base}\n\
         export SUGESTER_API_TOKEN={token}\n\
         export BITFACTURA_BASE_URL={other}\n\
         export BITFACTURA_API_TOKEN={other_token}\n\
         \n\
         # fill BitFactura, add a client to Sugester, list those\n\
         curl -s {control}/_sandbox/bitfactura/seed -d '{{\"clients\":100,\"invoices\":300,\"seed\":7}}'\n\
         curl -s {base}/app/clients.json -H 'Content-Type: application/json' \
         -d '{{\"api_token\":\"{token}\",\"client\":{{\"name\":\"Comercial Ejemplo\"}}}}'\n\
         curl -s '{base}/app/clients.json?api_token={escaped}'"
    )
}

fn welcome_geosite(sandbox: &Sandbox) -> String {
    let geosite = sandbox.geosite();
    let (base, control) = (geosite.base_url(), sandbox.control_url());
    let (username, password) = (geosite.username(), geosite.password());
    format!(
        "geosite:        {base}\n\
         \n\
         export GEOSITE_BASE_URL={base}\n\
         export GEOSITE_USERNAME={username} GEOSITE_PASSWORD={password}\n\
         \n\
         # log in (the token goes into the header  Authorization: Digicade-Rest-API:TOKEN)\n\
         curl -s {base}/auth/generatetoken -H 'Content-Type: application/json' \
         -d '{{\"username\":\"{username}\",\"password\":\"{password}\"}}'\n\
         \n\
         # a network of a hundred thousand elements; counts, digests and what was asked\n\
         curl -s {control}/_sandbox/geosite/network -d '{{\"elements\":100000,\"seed\":7}}'\n\
         curl -s {control}/_sandbox/geosite/state\n\
         \n\
         hubsoft:        {}   (the same customers; credentials in {control}/_sandbox/hubsoft/state)",
        sandbox.hubsoft().base_url()
    )
}

fn welcome_apiges(sandbox: &Sandbox) -> String {
    let (apiges, portal, control) = (sandbox.apiges(), sandbox.websync(), sandbox.control_url());
    let (base, web) = (apiges.base_url(), portal.base_url());
    let (username, password) = (apiges.username(), apiges.password());
    let (tenant, token) = (portal.tenant(), portal.token());
    format!(
        "apiges:         {base}\n\
         websync:        {web}   (below /websync/v1/{tenant}; this project's own protocol)\n\
         \n\
         export APIGES_BASE_URL={base}\n\
         export APIGES_USERNAME={username} APIGES_PASSWORD={password}\n\
         export APIGES_WEB_BASE_URL={web} APIGES_WEB_TENANT={tenant}\n\
         export APIGES_WEB_TOKEN={token}\n\
         \n\
         # log in, see a file, change it as a person in the program would\n\
         curl -s -u {username}:{password} {base}/login\n\
         curl -s {control}/_sandbox/apiges/files/100001\n\
         curl -s {control}/_sandbox/apiges/files/100001 -d '{{\"referencia\":\"R-7\"}}'\n\
         \n\
         # what a viewer sees, and where the portal differs from what it should show\n\
         curl -s {control}/_sandbox/websync/view/C/0001\n\
         curl -s {control}/_sandbox/websync/differences"
    )
}

fn welcome_legale(sandbox: &Sandbox) -> String {
    let legale = sandbox.legale();
    let (base, control) = (legale.base_url(), sandbox.control_url());
    let (key, email, password) = (legale.api_key(), legale.email(), legale.password());
    format!(
        "legale:         {base}   (V1 below /api, V2 below /api/v2)\n\
         \n\
         export LEGALE_BASE_URL={base}\n\
         export LEGALE_API_KEY={key}   # or both of the next two\n\
         # export LEGALE_EMAIL={email} LEGALE_PASSWORD={password}\n\
         \n\
         # create a document, and see it\n\
         curl -s {base}/api/document/create -H 'Legale-Api-Key: {key}' -H 'Content-Type: application/json' \
         -d '{{\"file_name\":\"Contrato_ClienteX_2025.pdf\",\"description\":\"Contrato\",\"file\":\"JVBERi0xLjQK\"}}'\n\
         curl -s {control}/_sandbox/legale/state\n\
         \n\
         # once a flow is started: signer 1 signs\n\
         curl -s -X POST {control}/_sandbox/legale/documents/GUID/signers/1/sign"
    )
}

fn welcome_fiscal(sandbox: &Sandbox) -> String {
    let fiscal = sandbox.fiscal();
    let (base, token, control) = (fiscal.base_url(), fiscal.token(), sandbox.control_url());
    let body = sample_invoice(fiscal.rif());
    format!(
        "fiscal printer: {base}\n\
         page:           {control}/\n\
         control API:    {control}/_sandbox/\n\
         \n\
         export FISCAL_PRINTER_BASE_URL={base}\n\
         export FISCAL_PRINTER_TOKEN={token}\n\
         \n\
         # issue an invoice (the internal number counts up from here)\n\
         curl -s {base}/facturacion -H \"Authorization: Bearer {token}\" \
         -H 'Content-Type: application/json' -d '{body}'\n\
         \n\
         # let the next document be issued and its answer be lost\n\
         curl -s {control}/_sandbox/fiscal/faults -d '{{\"endpoint\":\"issue\",\"fault\":\"act_then_reset\"}}'\n\
         \n\
         # what really happened; all faults and settings; back to the beginning\n\
         curl -s {control}/_sandbox/fiscal/state\n\
         curl -s {control}/_sandbox/\n\
         curl -s -X POST {control}/_sandbox/reset"
    )
}

/// An invoice that passes every check of a fresh sandbox.
fn sample_invoice(rif: &str) -> String {
    let fields = [
        format!(r#""rif":"{rif}""#),
        r#""nombrecliente":"Comercial Ejemplo","rifcedulacliente":"V-12345678","idtipocedulacliente":1"#.into(),
        r#""emailcliente":"compras@example.com","direccioncliente":"Calle 1","telefonocliente":"584121234567""#.into(),
        r#""idtipodocumento":1,"numerointerno":"00000001","tasacambio":0,"tipomoneda":1"#.into(),
        r#""subtotal":20.00,"exento":0,"tasag":16,"baseg":20.00,"impuestog":3.20"#.into(),
        r#""tasar":8,"baser":0,"impuestor":0,"tasaigtf":3,"baseigtf":0,"impuestoigtf":0,"total":23.20"#.into(),
        r#""sendmail":0,"cuerpofactura":[{"codigo":"A1","descripcion":"Uno","comentario":"","precio":20.00"#.into(),
        r#""cantidad":1,"tasa":16,"impuesto":3.20,"descuento":0,"exento":false,"monto":20.00}]"#.into(),
        r#""formasdepago":[{"forma":"Efectivo","valor":23.20}]"#.into(),
    ];
    format!("{{{}}}", fields.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wished(arguments: &[&str]) -> Wish {
        wish(&arguments.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_command_line_is_read_without_guessing() {
        assert_eq!(wished(&[]), Wish::Serve(7800));
        assert_eq!(wished(&["--port", "9000"]), Wish::Serve(9000));
        assert_eq!(wished(&["--port", "65527"]), Wish::Serve(65527));
        assert_eq!(wished(&["-h"]), Wish::Help);
        for odd in [&["--port"][..], &["--port", "0"], &["--port", "65528"], &["--port", "x"], &["9000"]] {
            assert_eq!(wished(odd), Wish::Unclear, "{odd:?}");
        }
    }
}
