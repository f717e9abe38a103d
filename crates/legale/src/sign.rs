//! Starting a flow, approving by URL, and asking for a status (contract 3.1 rows 7 to 9, 3.5).

use std::fmt;

use integration_core::call::{Call, Idempotency, Link, Operation};
use integration_core::{Error, ErrorKind, Outcome, Secret};
use serde_json::Value;

use crate::client::{Ask, Client};
use crate::document::Detail;
use crate::flow::Flow;
use crate::id::DocumentId;
use crate::status::SignStatus;
use crate::wire::{Unreadable, integer};

pub(crate) const START: Operation = Operation::post("start a flow", "/sign/start/{GUID}", Idempotency::Once);
pub(crate) const APPROVE: Operation = Operation::post("approve", "", Idempotency::Once);
/// Its path is a setting: [`ClientBuilder::sign_status_path`](crate::ClientBuilder::sign_status_path).
pub(crate) const STATUS: Operation = Operation::get("read a status", "");

/// An address at which somebody signs or approves. Whoever has it can act, so `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignLink {
    /// Whose it is, if the answer says so.
    pub email: Option<String>,
    /// The address.
    pub url: String,
}

impl fmt::Debug for SignLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignLink").field("email", &self.email).finish_non_exhaustive()
    }
}

/// A started flow.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "sign_urls")]
pub struct Started {
    /// The addresses that the answer holds: of remote signers with `skip_email`, and of `approve_api`. The success body is not
    /// documented, so every shape that was seen or is likely is read (assumed).
    pub links: Vec<SignLink>,
    /// The data of the answer as it came.
    pub raw: Value,
}

impl Started {
    pub(crate) fn read(data: Value) -> Result<Self, Unreadable> {
        Ok(Self { links: links(&data), raw: data })
    }
}

impl fmt::Debug for Started {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").field("links", &self.links).finish_non_exhaustive()
    }
}

/// A list of texts, a list of objects with `url`, `sign_url` or `link`, a map from e-mail to address, or nothing.
pub(crate) fn links(data: &Value) -> Vec<SignLink> {
    match data {
        Value::Array(items) => items.iter().flat_map(link).collect(),
        Value::Object(fields) if fields.keys().any(|key| key.contains('@')) => {
            let of = |(email, url): (&String, &Value)| {
                address(url).map(|url| SignLink { email: Some(email.clone()), url })
            };
            fields.iter().filter_map(of).collect()
        }
        Value::Object(fields) => {
            let lists = ["links", "sign_urls", "urls"].iter().filter_map(|key| fields.get(*key));
            let nested: Vec<SignLink> = lists.flat_map(links).collect();
            if nested.is_empty() { link(data) } else { nested }
        }
        other => link(other),
    }
}

fn link(item: &Value) -> Vec<SignLink> {
    if let Some(url) = address(item) {
        return vec![SignLink { email: None, url }];
    }
    let Some(fields) = item.as_object() else { return Vec::new() };
    let email = fields.get("email").and_then(Value::as_str).map(str::to_owned);
    let url = ["url", "sign_url", "link"].iter().find_map(|key| fields.get(*key).and_then(address));
    url.map(|url| SignLink { email, url }).into_iter().collect()
}

fn address(value: &Value) -> Option<String> {
    value.as_str().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

impl Client {
    /// Starts a flow (contract 3.1 row 7). Sent **once**: a lost answer is an unknown outcome, settled by
    /// [`find_started`](Self::find_started).
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As every call. If the service refuses, the document stays as it is.
    ///
    /// ```no_run
    /// # async fn run(client: legale::Client, guid: legale::DocumentId, flow: legale::flow::Flow) -> Result<(), legale::Error> {
    /// let started = client.start(&guid, &flow).await?;
    /// for link in &started.links {
    ///     println!("send {} to {:?}", link.url, link.email);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("iniciar firma", "sign/start"))]
    pub async fn start(&self, guid: &DocumentId, flow: &Flow) -> Result<Started, Error> {
        let ask = Ask::v1(START).param("GUID", guid).json(&flow.to_body())?;
        let ask = ask.map(|call| flow.secrets().fold(call, Call::with_secret));
        self.ask(ask, Started::read).await
    }

    /// Whether a lost start took effect: what the document's `sign_list` says, compared with `emails`, the signers that were asked for
    /// (contract 4.5). Detail has no status per signer, so e-mail addresses are all there is to compare, without case.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`detail`](Self::detail); [`ErrorKind::Conflict`] if the document has **other** signers.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, flow, client) = (kit.guid().await, kit.flow(), kit.client);
    /// assert!(!client.find_started(&guid, &["ana@example.com"]).await?);
    /// client.start(&guid, &flow).await?;
    /// assert!(client.find_started(&guid, &["ana@example.com"]).await?);
    /// # Ok(()) });
    /// ```
    pub async fn find_started(&self, guid: &DocumentId, emails: &[&str]) -> Result<bool, Error> {
        let detail = self.detail(guid).await?;
        started_by(&detail, emails)
    }

    /// Approves at an address that the start of a flow gave for `approve_api` (contract 3.1 row 9, observed). Credentials go along
    /// only if it is at the host of the API.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error if it is no usable address; else as every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (started, client) = (kit.client.start(&kit.guid().await, &kit.flow()).await?, kit.client);
    /// let link = started.links.first().ok_or("no link")?;
    /// client.approve(&link.url).await?;
    /// # Ok(()) });
    /// ```
    #[doc(alias("aprobar", "approve_api"))]
    pub async fn approve(&self, url: &str) -> Result<(), Error> {
        let link = Link::parse(url).map_err(|error| {
            let invalid = Error::validation(APPROVE.name, Vec::new());
            invalid
                .with_message(error.message().unwrap_or_default())
                .with_hint("pass the address as the start gave it")
        })?;
        // The address is what proves the right to approve.
        let ask = Ask::at(APPROVE, &link).may_be_empty();
        let ask = ask.map(|call| call.json("{}").with_secret(Secret::new(url.trim())));
        self.ask(ask, |_| Ok(())).await
    }

    /// A document's `sign_status`: at the path of statuses, which is assumed to exist, else from the detail (contract 3.1 row 8).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (guid, flow, client) = (kit.guid().await, kit.flow(), kit.client);
    /// # client.start(&guid, &flow).await?;
    /// use legale::status::SignStatus;
    ///
    /// # kit.sandbox.legale().sign(guid.as_str(), 1)?;
    /// assert_eq!(client.sign_status(&guid).await?, SignStatus::Signed);
    /// # Ok(()) });
    /// ```
    #[doc(alias("estado", "sign/status"))]
    pub async fn sign_status(&self, guid: &DocumentId) -> Result<SignStatus, Error> {
        let operation = Operation::get(STATUS.name, self.rules().status_path);
        match self.ask(Ask::v1(operation).param("GUID", guid), |data| status(&data)).await {
            Err(error) if error.is_not_found() || error.kind() == ErrorKind::UnexpectedAnswer => {
                Ok(self.detail(guid).await?.document.sign_status)
            }
            result => result,
        }
    }
}

fn status(data: &Value) -> Result<SignStatus, Unreadable> {
    let number = data.get("sign_status").or_else(|| data.get("status")).unwrap_or(data);
    integer(number).map(SignStatus::from_code).ok_or_else(|| Unreadable::new("sign_status", "a whole number"))
}

pub(crate) fn started_by(detail: &Detail, emails: &[&str]) -> Result<bool, Error> {
    let fold = |text: &str| text.trim().to_lowercase();
    let mut present: Vec<String> =
        detail.sign_list.iter().filter_map(|entry| entry.email.as_deref()).map(fold).collect();
    let mut wanted: Vec<String> = emails.iter().map(|email| fold(email)).collect();
    present.sort_unstable();
    wanted.sort_unstable();
    if detail.sign_list.is_empty() {
        return Ok(false);
    }
    if present == wanted {
        return Ok(true);
    }
    Err(Error::new(ErrorKind::Conflict, "look for a started flow")
        .with_outcome(Outcome::ReadOnly)
        .with_message("the document has other signers than were asked for")
        .with_hint("somebody else has started a flow; look at the document before anything else"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Contract 3.5, last row.
    #[test]
    fn links_are_read_in_every_shape() {
        let with = |email: Option<&str>| {
            vec![SignLink { email: email.map(str::to_owned), url: "https://s/1".into() }]
        };
        let url = "https://s/1";
        for (data, email) in [
            (json!([url]), None),
            (json!([{"url": url}]), None),
            (json!([{"sign_url": url, "email": "a@b"}]), Some("a@b")),
            (json!([{"link": url, "email": "a@b"}]), Some("a@b")),
            (json!({"a@b": url}), Some("a@b")),
            (json!(url), None),
            (json!({"url": url}), None),
            (json!({"sign_urls": [url], "GUID": "x"}), None),
        ] {
            assert_eq!(links(&data), with(email), "{data}");
        }
        for nothing in [json!(null), json!([]), json!({}), json!([{}]), json!([""]), json!(7)] {
            assert!(links(&nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn a_start_is_found_by_its_signers() {
        let detail = |emails: &[&str]| {
            let list: Vec<Value> =
                emails.iter().map(|email| json!({"signer_info": {"email": email}})).collect();
            Detail::read(json!({"GUID": "a", "sign_status": 0, "sign_list": list})).unwrap()
        };
        assert!(!started_by(&detail(&[]), &["a@b"]).unwrap());
        assert!(started_by(&detail(&["B@c", "a@b"]), &["a@b", "b@C "]).unwrap());
        assert!(started_by(&detail(&["a@b"]), &["a@b", "a@b"]).is_err());
        assert!(started_by(&detail(&["x@y"]), &["a@b"]).is_err());
    }

    #[test]
    fn links_are_not_printed() {
        let started = Started::read(json!(["https://s/sentinel"])).unwrap();
        assert!(!format!("{started:?}").contains("sentinel"));
    }
}
