//! Posts over HTTP to receivers on this machine, and to nobody else.

use std::net::IpAddr;

use http::Uri;
use http_body_util::{BodyExt, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::payload::Streamed;

/// Most of an answer that is read.
const ANSWER_LIMIT: usize = 4096;

pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Sends one request over a fresh connection; answers status and the beginning of the body.
pub(crate) async fn exchange(
    stream: TcpStream,
    request: http::Request<Streamed>,
) -> Result<(u16, String), String> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    let talk = async {
        let response = sender.send_request(request).await.map_err(text)?;
        let status = response.status().as_u16();
        // An answer that is too long or cut was an answer all the same.
        let body = Limited::new(response.into_body(), ANSWER_LIMIT).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::pin!(talk, connection);
    tokio::select! {
        biased;
        answered = &mut talk => answered,
        // The connection may end in the same moment as the answer is ready.
        _ = &mut connection => talk.await,
    }
}

/// Only plain HTTP, and only to this machine: a callback URL in a test must not reach anybody else.
pub(crate) async fn connect(uri: &Uri) -> Result<TcpStream, String> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    if uri.scheme_str() != Some("http") {
        return Err("not posted: the sandbox posts to http URLs only".into());
    }
    let addresses = tokio::net::lookup_host((host, uri.port_u16().unwrap_or(80))).await.map_err(text)?;
    let here: Vec<_> = addresses.filter(|address| IpAddr::is_loopback(&address.ip())).collect();
    if here.is_empty() {
        return Err("not posted: the sandbox posts to this machine only".into());
    }
    TcpStream::connect(here.as_slice()).await.map_err(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_else_is_reached() {
        for url in ["https://127.0.0.1/x", "http://192.0.2.1/x", "ftp://127.0.0.1/x"] {
            let error = connect(&Uri::try_from(url).unwrap()).await.unwrap_err();
            assert!(error.starts_with("not posted"), "{url}: {error}");
        }
    }
}
