//! The printing house itself: issuers, documents and mails, and what each endpoint does to them.
//!
//! Everything here is synchronous and happens under one lock, so that an action is either wholly done or not
//! at all, whatever becomes of the connection that asked for it.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::checks::{self, Case, Check};
use super::ledger::{Key, Ledger};
use super::records::{Document, DocumentState, Mail};
use super::reply::{self, Reply};
use super::settings::{Endpoint, Issuer, Settings};
use super::token::{self, Claims};
use crate::clock::Moment;
use crate::json::Json;

/// One request, read.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) authorization: Option<&'a str>,
    pub(super) json: Json,
    pub(super) body: &'a Bytes,
    pub(super) base_url: &'a str,
    pub(super) moment: Moment,
}

/// What came of a request: the honest reply, and whether anything changed.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) reply: Reply,
    pub(super) acted: bool,
}

impl From<Reply> for Done {
    fn from(reply: Reply) -> Self {
        Self { reply, acted: false }
    }
}

/// State of the printing house.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct House {
    pub(super) ledgers: BTreeMap<String, Ledger>,
    pub(super) documents: Vec<Document>,
    pub(super) mails: Vec<Mail>,
    pub(super) settings: Settings,
}

impl House {
    pub(super) fn add_issuer(&mut self, issuer: Issuer) {
        self.ledgers.insert(issuer.rif.clone(), Ledger::new(issuer));
    }

    pub(super) fn act(&mut self, call: &Call<'_>) -> Done {
        let outcome = match call.endpoint {
            Endpoint::Issue => self.issue(call),
            Endpoint::Annul => self.annul(call),
            Endpoint::Email => self.email(call),
            Endpoint::NextNumber => self.next_number(call),
            Endpoint::Status => self.status(call),
        };
        outcome.unwrap_or_else(Done::from)
    }

    /// The token check that all but `/email` share: 401, then code 1, then code 3.
    fn authorise(&self, call: &Call<'_>) -> Result<Claims, Reply> {
        let header = call.authorization.filter(|header| !header.is_empty()).ok_or(Reply::NoHeader)?;
        let claims = token::verify(header).ok_or_else(|| rejected(1, "El token no es valido"))?;
        let same = call.json.get("rif").as_text() == Some(&claims.rif);
        if same && self.ledgers.contains_key(&claims.rif) {
            Ok(claims)
        } else {
            Err(rejected(3, "El rif no corresponde al token"))
        }
    }

    fn issue(&mut self, call: &Call<'_>) -> Result<Done, Reply> {
        let claims = self.authorise(call)?;
        let Self { ledgers, documents, mails, settings } = self;
        let ledger = ledgers.get_mut(&claims.rif).ok_or(Reply::Crash)?;
        let pass = |ledger: &Ledger, checks: &[Check]| {
            Case { body: &call.json, enforced: claims.enforces_internal, ledger, settings }.pass(checks)
        };

        pass(ledger, checks::BEFORE_NUMBER)?;
        let control_number = ledger.draw();
        pass(ledger, checks::BEFORE_INSERT).inspect_err(|_| give_back(ledger, settings))?;
        // The insert and its rollback cannot be seen from outside: the check runs first, then the insert.
        if let Err(fault) = pass(ledger, checks::BEFORE_COMMIT) {
            let leaks = settings.leaky_rollback;
            if leaks {
                insert(ledger, documents, call, &control_number);
            } else {
                give_back(ledger, settings);
            }
            return Ok(Done { reply: fault, acted: leaks });
        }
        insert(ledger, documents, call, &control_number);

        let rendered = pass(ledger, checks::AFTER_COMMIT);
        if rendered.is_ok() && ledger.issuer.mail && call.json.get("sendmail").num() == 1.0 {
            mails.extend(mail(call, &control_number, "emailcliente"));
        }
        let data = || reply::issued(&control_number, &claims.rif, call.base_url, call.moment);
        Ok(Done { reply: rendered.map_or_else(|fault| fault, |()| Reply::Done(data())), acted: true })
    }

    fn annul(&mut self, call: &Call<'_>) -> Result<Done, Reply> {
        let claims = self.authorise(call)?;
        let number = call.json.get("numerodocumento");
        if number.is_missing() {
            return Err(Reply::Exception("cannot read the length of numerodocumento"));
        }
        if number.as_text().is_some_and(|text| text.chars().count() < 11) {
            return Err(rejected(2, "El numero de documento no es valido"));
        }
        let document = self
            .document_mut(&claims.rif, number.spelled())
            .ok_or_else(|| rejected(3, "El documento no existe"))?;
        document.state = DocumentState::Annulled;
        document.remark = call.json.get("observacion").spelled().to_owned();
        Ok(Done { reply: Reply::Done(reply::mail_message()), acted: true })
    }

    /// No token is looked at; a number that is not there crashes the handler.
    fn email(&mut self, call: &Call<'_>) -> Result<Done, Reply> {
        let rif = call.json.get("rif").spelled();
        let number = call.json.get("numerodocumento").spelled();
        self.document_mut(rif, number).ok_or(Reply::Crash)?;
        let mail = mail(call, number, "email");
        let acted = mail.is_some();
        self.mails.extend(mail);
        Ok(Done { reply: Reply::Done(reply::mail_message()), acted })
    }

    fn next_number(&mut self, call: &Call<'_>) -> Result<Done, Reply> {
        let claims = self.authorise(call)?;
        let kind = Key::type_of(&call.json).ok_or(Reply::Exception("idtipodocumento is not an integer"))?;
        let highest = self.ledgers.get(&claims.rif).and_then(|ledger| ledger.highest_internal(kind));
        let next = highest.unwrap_or(0).saturating_add(1);
        Ok(Reply::Done(json!({ "numerointerno": format!("{next:08}") })).into())
    }

    fn status(&mut self, call: &Call<'_>) -> Result<Done, Reply> {
        let claims = self.authorise(call)?;
        let kind = call.json.get("tipo").num();
        let internal = call.json.get("numerointerno").spelled();
        let asked = |document: &&Document| {
            document.rif == claims.rif
                && f64::from(document.document_type) == kind
                && document.internal_number == internal
        };
        let found: Vec<_> = self.documents.iter().filter(asked).map(status_row).collect();
        Ok(Reply::Done(json!(found)).into())
    }

    fn document_mut(&mut self, rif: &str, control_number: &str) -> Option<&mut Document> {
        let place = self.ledgers.get(rif)?.place_of(control_number)?;
        self.documents.get_mut(place)
    }
}

fn rejected(code: u32, message: &str) -> Reply {
    Reply::Rejected(code, message.to_owned())
}

fn give_back(ledger: &mut Ledger, settings: &Settings) {
    if !settings.burn_numbers {
        ledger.undraw();
    }
}

fn insert(ledger: &mut Ledger, documents: &mut Vec<Document>, call: &Call<'_>, control_number: &str) {
    // `before_insert` has refused a body without a key.
    let Some(key) = Key::read(&call.json) else { return };
    documents.push(Document {
        rif: ledger.issuer.rif.clone(),
        control_number: control_number.to_owned(),
        document_type: key.kind,
        internal_number: key.internal.clone(),
        state: DocumentState::Issued,
        remark: call.json.get("observacion").spelled().to_owned(),
        total: call.json.get("total").spelled().to_owned(),
        body: call.body.clone(),
        issued_at: call.moment.date_time(),
    });
    ledger.record(control_number.to_owned(), key, documents.len().saturating_sub(1));
}

/// The mail that a body asks for; none if it names nobody.
fn mail(call: &Call<'_>, control_number: &str, key: &str) -> Option<Mail> {
    let named = call.json.get(key).spelled().split('|').map(str::trim);
    let recipients: Vec<String> = named.filter(|address| !address.is_empty()).map(Into::into).collect();
    (!recipients.is_empty()).then(|| Mail {
        rif: call.json.get("rif").spelled().to_owned(),
        control_number: control_number.to_owned(),
        recipients,
        sent_by: call.endpoint,
    })
}

fn status_row(document: &Document) -> serde_json::Value {
    json!({
        "numerodocumento": document.control_number,
        "numerointerno": document.internal_number,
        "fecha": document.issued_at,
        "documento": type_name(document.document_type),
        "idtipodocumento": document.document_type,
    })
}

/// Names as the observed backend prints them: 4 and 5 differ from the manual's.
fn type_name(kind: u32) -> &'static str {
    match kind {
        1 => "FACTURA",
        2 => "NOTA DE DEBITO",
        3 => "NOTA DE CREDITO",
        4 => "ORDEN DE ENTREGA",
        5 => "GUIA DE DESPACHO",
        _ => "DOCUMENTO",
    }
}

#[cfg(test)]
mod tests;
