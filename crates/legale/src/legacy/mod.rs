//! The older API at `firma.legale.cl`: three families with one signer per call and no order (contract 3.7).
//!
//! The rules enforced here: a failure inside HTTP 200 is a failure; the field `document` is the signed file when the status says
//! signed and the reject reason when it says rejected, which is **never** decoded (trap 18). The token is the caller's: where it comes
//! from is not public.

use std::fmt;

use integration_core::body::base64::Base64File;
use integration_core::call::{
    BaseUrl, Bearer, Call, Caller, CallerBuilder, Idempotency, Operation, RetryPolicy, Verdict,
};
use integration_core::{Answer, Error, ErrorKind, Fault, Faults, Outcome, Secret};
use serde_json::{Map, Value};

use crate::document::{Bounds, Source, check_text};
use crate::error::Judge;
use crate::id::DocumentId;
use crate::status::Status;
use crate::wire::{Fields, Unreadable, When, guid};

const SEND_INBOX: Operation =
    Operation::post("send to an inbox", "/api/legale/legaleDocument", Idempotency::Once);
const SEND_EMAIL_PIN: Operation =
    Operation::post("send with a PIN", "/api/emailPin/sendDocument", Idempotency::Once);
const SEND_ONE_SHOT: Operation =
    Operation::post("send by SMS", "/api/oneshot/sendDocument", Idempotency::Once);
const READ_INBOX: Operation = Operation::get("read an inbox document", "/api/legale/legaleDocInfo/{GUID}");
const READ_EMAIL_PIN: Operation = Operation::get("read a PIN document", "/api/emailPin/getDocument/{GUID}");
const READ_ONE_SHOT: Operation = Operation::get("read an SMS document", "/api/oneshot/getDocument/{GUID}");

/// The operations of this API, for the table of idempotencies.
pub(crate) const OPERATIONS: [Operation; 6] =
    [SEND_INBOX, SEND_EMAIL_PIN, SEND_ONE_SHOT, READ_INBOX, READ_EMAIL_PIN, READ_ONE_SHOT];

/// The largest document in bytes.
const LIMIT: usize = 100 * 1024 * 1024;

/// How the signer is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// A user's inbox: `/api/legale/…`
    Inbox,
    /// A PIN by mail: `/api/emailPin/…`
    EmailPin,
    /// A PIN by SMS: `/api/oneshot/…`; the path of its status is assumed.
    OneShot,
}

impl Family {
    const fn operations(self) -> (Operation, Operation) {
        match self {
            Self::Inbox => (SEND_INBOX, READ_INBOX),
            Self::EmailPin => (SEND_EMAIL_PIN, READ_EMAIL_PIN),
            Self::OneShot => (SEND_ONE_SHOT, READ_ONE_SHOT),
        }
    }

    /// The fields that must be there beside `document`.
    const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Inbox => &["subject", "description", "ID", "user", "FileName"],
            Self::EmailPin => &[
                "subject",
                "description",
                "ID",
                "signerID",
                "signerEmail",
                "signerFirstname",
                "signerLastname1",
                "signerLastname2",
            ],
            Self::OneShot => &[
                "subject",
                "description",
                "ID",
                "signerID",
                "signerEmail",
                "signerFirstname",
                "signerLastname1",
                "signerLastname2",
                "signerPhone",
                "signerCountry",
            ],
        }
    }

    const fn optional(self) -> &'static [&'static str] {
        match self {
            Self::Inbox => &[
                "callbackURL",
                "deleteAfterSign",
                "skipNotification",
                "anchor",
                "skipAnchor",
                "attached1",
                "attached2",
                "attached3",
            ],
            Self::EmailPin => {
                &["callbackURL", "deleteAfterSign", "skipNotification", "skipEmail", "emailCopy", "signIndex"]
            }
            Self::OneShot => &[
                "callbackURL",
                "deleteAfterSign",
                "skipNotification",
                "anchor",
                "posX",
                "posY",
                "PosX1",
                "PosY1",
                "pageNo",
            ],
        }
    }
}

/// A document for one signer. Fields keep their wire names, which differ from family to family even in case.
///
/// ```
/// use legale::Source;
/// use legale::legacy::{Family, LegacyDocument};
///
/// let document = LegacyDocument::new(Family::Inbox, Source::bytes("%PDF-1.7 ..."))
///     .text("subject", "Arriendo")
///     .text("description", "Contrato de arriendo")
///     .text("ID", "12345678-5")
///     .text("user", "ana@example.com")
///     .text("FileName", "Contrato.pdf")
///     .flag("skipNotification", true);
/// ```
#[derive(Clone)]
#[must_use]
pub struct LegacyDocument {
    family: Family,
    source: Source,
    fields: Map<String, Value>,
}

impl LegacyDocument {
    /// A document of a family, still without its fields.
    pub fn new(family: Family, source: Source) -> Self {
        Self { family, source, fields: Map::new() }
    }

    /// Sets a text field by its wire name.
    pub fn text(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.insert(name.to_owned(), Value::String(value.into()));
        self
    }

    /// Sets a switch by its wire name.
    pub fn flag(mut self, name: &str, on: bool) -> Self {
        self.fields.insert(name.to_owned(), on.into());
        self
    }

    /// Sets a number by its wire name.
    pub fn number(mut self, name: &str, value: i64) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    fn check(&self, faults: &mut Faults) {
        for name in self.family.required() {
            let text = self.fields.get(*name).and_then(Value::as_str).unwrap_or_default();
            check_text(name, text, None, faults);
        }
        for name in self.fields.keys() {
            let known = self.family.required().contains(&name.as_str())
                || self.family.optional().contains(&name.as_str());
            if !known {
                faults.push(
                    Fault::error("FIELD", name.as_str())
                        .with_hint("this family has no such field; mind the case"),
                );
            }
        }
        let country = self.fields.get("signerCountry").and_then(Value::as_str);
        if let Some(country) =
            country.filter(|text| text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()))
        {
            faults.push(
                Fault::error("COUNTRY", "signerCountry").with_expected("two letters").with_actual(country),
            );
        }
    }

    fn name(&self) -> &str {
        self.fields.get("FileName").and_then(Value::as_str).unwrap_or("document.pdf")
    }
}

impl fmt::Debug for LegacyDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.fields.keys().collect();
        f.debug_struct("LegacyDocument")
            .field("family", &self.family)
            .field("fields", &names)
            .finish_non_exhaustive()
    }
}

/// A document that was sent.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct LegacySent {
    /// `GUID`
    pub guid: DocumentId,
    /// Everything else of the answer; with `skipEmail` the signer's address is here.
    pub extra: Map<String, Value>,
}

impl fmt::Debug for LegacySent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacySent").field("guid", &self.guid).finish_non_exhaustive()
    }
}

/// Where a document stands.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct LegacyStatus {
    /// `status`. Rejected carries the reason, which the service writes in `document`.
    pub status: Status,
    /// `status` as it came; `Singing` is the vendor's spelling of signing.
    #[doc(alias = "status")]
    pub text: String,
    /// The signed file, if the status is signed.
    pub signed_file: Option<Vec<u8>>,
    /// When it was last changed, and other fields that the contract does not know.
    pub extra: Map<String, Value>,
    /// `updated_at`, should there be one.
    pub updated_at: Option<When>,
}

impl fmt::Debug for LegacyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.signed_file.as_ref().map(Vec::len);
        f.debug_struct("LegacyStatus")
            .field("status", &self.status)
            .field("signed_bytes", &length)
            .finish_non_exhaustive()
    }
}

fn sent(data: Value) -> Result<LegacySent, Unreadable> {
    let mut fields = Fields::of(data, "the answer")?;
    let guid = guid(&mut fields)?;
    Ok(LegacySent { guid, extra: fields.extra() })
}

fn status(data: Value) -> Result<LegacyStatus, Unreadable> {
    let mut fields = Fields::of(data, "the answer")?;
    let text = fields.required("status")?;
    let document = fields.text("document")?.filter(|text| !text.is_empty());
    let status = Status::from_legacy(&text, document.clone().filter(|_| text == "Rejected"));
    let signed_file = match (&status, document) {
        (Status::Signed, Some(document)) => {
            let decoded = integration_core::body::base64::decode(&document)
                .ok()
                .filter(|bytes| bytes.starts_with(b"%PDF-"));
            Some(decoded.ok_or_else(|| Unreadable::new("document", "a PDF in base64"))?)
        }
        _ => None,
    };
    let updated_at = fields.time("updated_at")?;
    Ok(LegacyStatus { status, text, signed_file, updated_at, extra: fields.extra() })
}

/// A client of the older API. Cheap to clone.
///
/// ```no_run
/// use legale::Secret;
/// use legale::legacy::{Family, LegacyClient};
///
/// # async fn run() -> Result<(), legale::Error> {
/// let client = LegacyClient::new("https://firma.legale.cl", "the token")?;
/// let status = client.status(Family::Inbox, &"d41d8cd98f".parse()?).await?;
/// println!("{}", status.status);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "firma.legale.cl")]
pub struct LegacyClient {
    caller: Caller,
    limit: u64,
}

impl LegacyClient {
    /// A client of the service at `base`; that production is `https://firma.legale.cl` is assumed, so it is said. Documents go up and
    /// down as a whole answer here, up to 100 MiB.
    ///
    /// # Errors
    /// A configuration error if the address or the token cannot be used.
    pub fn new(base: &str, token: impl Into<Secret>) -> Result<Self, Error> {
        Self::with(Self::settings(), base, token)
    }

    /// The settings of [`new`](Self::new): 300 s for a whole call, answers of up to 100 MiB in base64. Change what is to be different
    /// and hand it to [`with`](Self::with).
    pub fn settings() -> CallerBuilder {
        let builder = CallerBuilder::default().total_timeout(std::time::Duration::from_secs(300));
        builder.body_limit(LIMIT / 3 * 4 + 65536)
    }

    /// As [`new`](Self::new), with another source of time, transport or limits; all of `builder` counts, so start from
    /// [`settings`](Self::settings).
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with(builder: CallerBuilder, base: &str, token: impl Into<Secret>) -> Result<Self, Error> {
        let token = std::sync::Arc::new(Bearer::new(token));
        let caller = builder.base(BaseUrl::parse(base)?).credentials(token).build()?;
        Ok(Self { caller, limit: LIMIT as u64 })
    }

    /// Sends a document to its one signer. Sent **once**; there is no list to look a lost one up in.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.7).
    ///
    /// # Errors
    /// A validation error with every fault; else as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # use legale::{Source, legacy::{Family, LegacyClient, LegacyDocument}};
    /// # let client = LegacyClient::new(kit.sandbox.legale().base_url(), kit.sandbox.legale().legacy_token())?;
    /// let document = LegacyDocument::new(Family::Inbox, Source::bytes("%PDF-1.7 ..."))
    ///     .text("subject", "Arriendo")
    ///     .text("description", "Contrato de arriendo")
    ///     .text("ID", "12345678-5")
    ///     .text("user", "ana@example.com")
    ///     .text("FileName", "Contrato.pdf");
    /// println!("{}", client.send(&document).await?.guid);
    /// # Ok(()) });
    /// ```
    pub async fn send(&self, document: &LegacyDocument) -> Result<LegacySent, Error> {
        let (operation, _) = document.family.operations();
        let mut faults = Faults::new();
        document.check(&mut faults);
        let bounds = Bounds::new(self.limit, &**self.caller.clock(), self.caller.timeouts().total());
        let prepared = document.source.prepare(("document", document.name()), bounds, &mut faults).await?;
        faults.into_result(operation.name)?;
        let file: Base64File = prepared.file;
        let body = file.into_field(&document.fields, "document")?;
        let call = Call::new(operation.clone()).body("application/json", body).retry(RetryPolicy::never());
        let call = call.total_timeout(bounds.remaining());
        self.ask(&operation, &call, sent).await
    }

    /// Asks where a document stands.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.7).
    ///
    /// # Errors
    /// [`ErrorKind::Refused`] with the service's `debug` text, also when it comes with HTTP 200; else as every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # use legale::legacy::{Family, LegacyClient};
    /// # let client = LegacyClient::new(kit.sandbox.legale().base_url(), kit.sandbox.legale().legacy_token())?;
    /// let status = client.status(Family::EmailPin, &"d41d8cd98f".parse()?).await?;
    /// println!("{}", status.status);
    /// # Ok(()) });
    /// ```
    pub async fn status(&self, family: Family, guid: &DocumentId) -> Result<LegacyStatus, Error> {
        let (_, operation) = family.operations();
        let call = Call::new(operation.clone()).param("GUID", guid);
        self.ask(&operation, &call, status).await
    }

    async fn ask<T>(
        &self,
        operation: &Operation,
        call: &Call,
        read: impl Fn(Value) -> Result<T, Unreadable>,
    ) -> Result<T, Error> {
        let clock = self.caller.clock().clone();
        let judge = Judge { operation, clock: &*clock, may_be_empty: false };
        let answered =
            self.caller.call(call, |answer: &Answer| -> Verdict<T> { judge.whole(answer, &read) }).await;
        Ok(answered.map_err(said)?.value)
    }
}

/// `Invalid GUID` is how this API says that there is no such document.
fn said(error: Error) -> Error {
    if error.message() != Some("Invalid GUID") {
        return error;
    }
    Error::new(ErrorKind::NotFound, error.operation().to_owned())
        .with_outcome(if error.outcome() == Outcome::Unknown { Outcome::Unknown } else { Outcome::Refused })
        .with_message("Invalid GUID")
        .with_hint("check the GUID and the family")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reject_reason_is_never_decoded() {
        // Valid base64 on purpose.
        let rejected =
            status(json!({"success": true, "status": "Rejected", "document": "aGVsbG8="})).unwrap();
        assert_eq!(rejected.status, Status::Rejected { comment: Some("aGVsbG8=".into()) });
        assert_eq!(rejected.signed_file, None);
        let signed = status(json!({"status": "Signed", "document": "JVBERi0xLjc="})).unwrap();
        assert_eq!(signed.signed_file.unwrap(), b"%PDF-1.7");
        assert!(status(json!({"status": "Signed", "document": "aGVsbG8="})).is_err());
        assert_eq!(status(json!({"status": "Singing", "document": ""})).unwrap().status, Status::InProgress);
    }

    #[test]
    fn every_family_knows_its_fields() {
        let faults = |family| {
            let mut faults = Faults::new();
            LegacyDocument::new(family, Source::bytes("x")).text("posX", "1").check(&mut faults);
            faults.into_vec().iter().map(|fault| fault.path().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(faults(Family::Inbox), ["subject", "description", "ID", "user", "FileName", "posX"]);
        assert_eq!(faults(Family::EmailPin).len(), 9);
        assert_eq!(faults(Family::OneShot).len(), 10);
    }
}
