//! What a sending consists of, as digests, so that a key of the journal that comes again with other content is noticed.
//!
//! Left out are the reference and the addresses for callbacks: a program may make them anew each time, and the journal keeps those
//! that went out.

use std::collections::BTreeMap;
use std::future::poll_fn;

use integration_core::call::TransportError;
use integration_core::{Error, ErrorKind, Faults, Outcome};
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::digest::{hex, sha256};
use crate::document::{Prepared, Source, Upload};
use crate::send::Sending;

/// Which digest this is. Another way to make it takes another name here: only digests that were made alike are compared.
const FORM: &str = "2";

/// The digests of one sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    fields: String,
    /// Nothing of a file that can be read only once.
    file: Option<String>,
    attachments: Vec<Option<String>>,
}

impl Content {
    /// Reads every file to its end, unless it can be read only once.
    pub(crate) async fn of(client: &Client, send: &Sending) -> Result<Self, Error> {
        let upload = send.upload();
        let file = file_digest(client, &upload.source).await?;
        let mut attachments = Vec::new();
        for (_, source) in upload.attachments() {
            attachments.push(file_digest(client, source).await?);
        }
        let fields =
            json!({ "upload": upload_fields(upload), "flow": without_callbacks(send.flow().to_body()) });
        Ok(Self { fields: format!("{FORM}:{}", hex(&sha256(sorted(&fields).as_bytes()))), file, attachments })
    }

    /// Adds the digests to what is written down.
    pub(crate) fn write(&self, body: &mut Map<String, Value>) {
        body.insert("content".into(), self.fields.as_str().into());
        if let Some(file) = &self.file {
            body.insert("sha256".into(), file.as_str().into());
        }
        if !self.attachments.is_empty() {
            body.insert("attachments".into(), self.attachments.clone().into());
        }
    }
}

/// Whether two texts that were written down are of other content. What one of them does not tell counts as the same.
pub(crate) fn differs(stored: &[u8], wanted: &[u8]) -> bool {
    let read = |text: &[u8]| serde_json::from_slice::<Value>(text).unwrap_or_default();
    let (stored, wanted) = (read(stored), read(wanted));
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let pair = |key: &str| text(&stored, key).zip(text(&wanted, key));
    let alike = |(left, right): &(String, String)| left.split(':').next() == right.split(':').next();
    pair("content").filter(alike).is_some_and(|(left, right)| left != right)
        || pair("sha256").is_some_and(|(left, right)| left != right)
        || attachments(&stored).iter().zip(attachments(&wanted)).any(|(left, right)| others(left, right))
}

fn attachments(written: &Value) -> &[Value] {
    written.get("attachments").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Of attachments that can be read only once there is no digest.
fn others(left: &Value, right: &Value) -> bool {
    left.is_string() && right.is_string() && left != right
}

fn upload_fields(upload: &Upload) -> Value {
    let attached: Vec<&str> = upload.attachments().iter().map(|(name, _)| name.as_str()).collect();
    json!({ "fields": upload.lasting_fields(), "attached": attached })
}

fn without_callbacks(mut flow: Value) -> Value {
    let signers = flow.get_mut("signer_list").and_then(Value::as_array_mut);
    for signer in signers.into_iter().flatten().filter_map(Value::as_object_mut) {
        signer.remove("sign_status_callback_url");
    }
    flow
}

/// One text of a value, whatever order another crate's features make `serde_json` keep.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<&String, String> =
                fields.iter().map(|(key, value)| (key, sorted(value))).collect();
            format!("{fields:?}")
        }
        Value::Array(items) => format!("{:?}", items.iter().map(sorted).collect::<Vec<_>>()),
        plain => plain.to_string(),
    }
}

async fn file_digest(client: &Client, source: &Source) -> Result<Option<String>, Error> {
    if source.is_once() {
        return Ok(None);
    }
    let bounds = client.bounds();
    // What is wrong with the file has been told by now.
    let prepared = source.prepare(("file", ""), bounds, &mut Faults::new()).await?;
    bounds.within(read_through(prepared)).await?
}

async fn read_through(prepared: Prepared) -> Result<Option<String>, Error> {
    let digest = prepared.file.digest();
    let mut body = prepared.file.into_body("", "").open().await.map_err(unread)?;
    while let Some(piece) = poll_fn(|context| body.as_mut().poll_next(context)).await {
        piece.map_err(unread)?;
    }
    Ok(digest.hex())
}

fn unread(cause: TransportError) -> Error {
    Error::new(ErrorKind::Store, "send")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("the file cannot be read: {cause}"))
        .with_hint("check the file and the right to read it; nothing was sent")
        .with_source(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_tell_is_compared() {
        let text = |value: Value| value.to_string().into_bytes();
        let old = text(json!({ "token": "t" }));
        let one =
            text(json!({ "token": "t", "content": "1:a", "sha256": "f", "attachments": [null, "w", "z"] }));
        for (other, expected) in [
            (json!({ "token": "u", "content": "1:a", "sha256": "f" }), false),
            (json!({ "content": "1:b", "sha256": "f" }), true),
            (json!({ "content": "1:a", "sha256": "g" }), true),
            (json!({ "content": "1:a" }), false),
            (json!({ "content": "2:b" }), false),
            (json!({ "content": "1:a", "attachments": ["x", null, "z"] }), false),
            (json!({ "content": "1:a", "attachments": ["y", "w", "z"] }), false),
            (json!({ "content": "1:a", "attachments": [null, "w", "y"] }), true),
            (json!({}), false),
        ] {
            assert_eq!(differs(&one, &text(other.clone())), expected, "{other}");
        }
        assert!(!differs(&old, &one) && !differs(b"", &one));
    }

    #[test]
    fn the_order_of_fields_does_not_count_and_that_of_items_does() {
        assert_eq!(
            sorted(&json!({ "b": [1, "x"], "a": null })),
            sorted(&json!({ "a": null, "b": [1, "x"] }))
        );
        assert_ne!(sorted(&json!([1, 2])), sorted(&json!([2, 1])));
        assert_ne!(sorted(&json!(["a\", \"b"])), sorted(&json!(["a", "b"])));
    }
}
