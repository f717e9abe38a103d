//! Samples that the page sends to a simulator over its own port, as a program would.

use std::time::Duration;

use http::{Method, header};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::clock;

/// How long the page waits for an answer that a fault may keep back for ever.
const PATIENCE: Duration = Duration::from_secs(2);

/// Sends a sample. What comes of it stands in the list of requests, so nothing is answered here.
pub(super) async fn post(base_url: &str, path: &str, token: &str, body: String) {
    let sending = async {
        if let Err(error) = send(base_url, path, token, body).await {
            tracing::debug!(%error, path, "a sample got no answer");
        }
    };
    clock::within(PATIENCE, sending).await;
}

async fn send(
    base_url: &str,
    path: &str,
    token: &str,
    body: String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let host = base_url.trim_start_matches("http://");
    let stream = TokioIo::new(TcpStream::connect(host).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let request = http::Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "sandbox-page")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .body(Full::new(bytes::Bytes::from(body)))?;
    let answered = async {
        sender.send_request(request).await.map(drop)?;
        drop(sender);
        Ok::<(), hyper::Error>(())
    };
    let (answered, _) = tokio::join!(answered, connection);
    Ok(answered?)
}

/// The example of the contract (section 3.5) under this internal number.
pub(super) fn invoice(rif: &str, number: u64) -> String {
    let customer = r#""nombrecliente":"Comercial Ejemplo","rifcedulacliente":"V-12345678","idtipocedulacliente":1,"emailcliente":"compras@example.com","direccioncliente":"Calle 1","telefonocliente":"584121234567""#;
    let head = format!(
        r#""idtipodocumento":1,"numerointerno":"{number:08}","tasadecambio":0,"tasacambio":0,"tipomoneda":1"#
    );
    let sums = r#""subtotal":40.00,"exento":10.00,"tasag":16.00,"baseg":20.00,"impuestog":3.20,"tasar":8.00,"baser":10.00,"impuestor":0.80,"tasaigtf":3.00,"baseigft":44.00,"baseigtf":44.00,"impuestoigtf":1.32,"total":45.32,"sendmail":0"#;
    let items = r#"{"codigo":"A1","descripcion":"Uno","comentario":"","precio":10.00,"cantidad":1,"tasa":8,"impuesto":0.80,"descuento":0.00,"exento":false,"monto":10.00},{"codigo":"A2","descripcion":"Dos","comentario":"","precio":20.00,"cantidad":1,"tasa":16,"impuesto":3.20,"descuento":0.00,"exento":false,"monto":20.00},{"codigo":"A3","descripcion":"Tres","comentario":"","precio":5.00,"cantidad":2,"tasa":0,"impuesto":0.00,"descuento":0.00,"exento":true,"monto":10.00}"#;
    let payments = r#"{"forma":"Efectivo USD","valor":44.00},{"forma":"Efectivo","valor":1.32}"#;
    format!(
        r#"{{"rif":"{rif}",{customer},{head},{sums},"cuerpofactura":[{items}],"formasdepago":[{payments}]}}"#
    )
}
