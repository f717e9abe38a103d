//! Bytes of a document on their way up: measured piece by piece, never held (contract B3, B4).

use std::future::poll_fn;

use integration_core::call::{Body, TransportError};
use integration_core::{Error, ErrorKind, Outcome};
use ring::digest::{Context, SHA256};

use super::PUBLISH;
use crate::web::{Blob, Sha256};

/// Reads the document once for its digest and size; stops at the first piece beyond `most` bytes.
pub(super) async fn measured(body: Body, media_type: String, most: u64) -> Result<Blob, Error> {
    let (mut hash, mut bytes) = (Context::new(&SHA256), 0u64);
    let mut stream = body.open().await.map_err(unreadable)?;
    while let Some(piece) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
        let piece = piece.map_err(unreadable)?;
        bytes = bytes.saturating_add(piece.len() as u64);
        if bytes > most {
            return Err(too_large(None, most));
        }
        hash.update(&piece);
    }
    let sha256 = Sha256::finished(&hash.finish());
    Ok(Blob { sha256, bytes, media_type, body: announced(body, bytes) })
}

/// The same body, with its length announced.
fn announced(body: Body, bytes: u64) -> Body {
    if body.length().is_some() {
        return body;
    }
    Body::stream(Some(bytes), move || {
        let body = body.clone();
        async move { body.open().await }
    })
}

fn unreadable(cause: TransportError) -> Error {
    Error::new(ErrorKind::Store, PUBLISH)
        .with_outcome(Outcome::NotSent)
        .with_message("the document cannot be read")
        .with_hint("look at the cause, then repeat")
        .with_source(cause)
}

/// `bytes` is nothing if reading stopped before the end.
pub(super) fn too_large(bytes: Option<u64>, most: u64) -> Error {
    let has = bytes.map_or_else(|| "more".to_owned(), |bytes| bytes.to_string());
    Error::new(ErrorKind::TooLarge, PUBLISH)
        .with_outcome(Outcome::NotSent)
        .with_message(format!("the document has {has} bytes, at most {most} go up"))
        .with_hint("make it smaller, or have the limit raised")
}
