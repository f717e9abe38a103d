//! The rows of section 3.7 over HTTP: addresses, credentials, protocol, idempotency keys (section 2.2), envelope.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use http::HeaderName;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::loads::LoadScope;
use super::portal::{Done, Portal};
use super::refusal::Refusal;
use super::settings::Row;
use super::view;
use super::wire::{CasePush, ContactRef, DocumentLink, GrantState, Message, Reason, Receipt, sha256};
use crate::answer::Answer;
use crate::clock::Moment;
use crate::geosite::parameters;
use crate::legale::decoded;
use crate::stage::{self, Acted};

pub(super) type Call<'a> = stage::Call<'a, Row>;

/// How long an answer is remembered under its key.
const MEMORY: Duration = Duration::from_secs(24 * 60 * 60);

/// The portal with its door.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Office {
    pub(super) portal: Portal,
    pub(super) token: String,
    remembered: HashMap<String, Remembered>,
    /// How often the write under a key was carried out.
    pub(super) executions: BTreeMap<String, u32>,
    /// How often an answer was given again.
    pub(super) replays: usize,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Remembered {
    fingerprint: String,
    status: u16,
    data: Value,
    until: Moment,
}

impl stage::Office for Office {
    type Spot = Row;

    fn route(&self, method: &str, path: &str) -> Option<Row> {
        let (_, segments) = split(path)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        row(method, &segments)
    }

    fn act(&mut self, call: &Call<'_>) -> Acted {
        let (outcome, replayed) = match self.admitted(call) {
            Ok(()) => self.once(call),
            Err(refusal) => (Err(refusal), false),
        };
        let acted = outcome.is_ok() && !replayed;
        let answer = envelope(outcome);
        let header = HeaderName::from_static("idempotent-replay");
        Acted { answer: if replayed { answer.with_header(header, "true") } else { answer }, acted }
    }

    fn revoke(&mut self, _: Option<&str>) -> bool {
        false
    }

    fn unauthorized(&self) -> Answer {
        envelope(Err(Refusal::unauthorized()))
    }

    fn unknown(&self) -> Answer {
        envelope(Err(Refusal::not_found()))
    }

    fn too_large(&self, spot: Row) -> Answer {
        envelope(Err(Refusal::too_large(self.body_limit(spot))))
    }

    fn body_limit(&self, spot: Row) -> usize {
        let settings = &self.portal.settings;
        if spot == Row::W51 { settings.blob_bytes } else { settings.body_bytes }
    }

    fn date_offset(&self) -> i64 {
        self.portal.settings.date_offset
    }

    fn is_secret(&self, _: Row) -> bool {
        false
    }
}

/// Tenant and decoded segments below `{ws}`.
fn split(path: &str) -> Option<(String, Vec<String>)> {
    let mut segments = path.strip_prefix("/websync/v1/")?.split('/').map(decoded);
    let tenant = segments.next()?;
    Some((tenant, segments.collect()))
}

fn row(method: &str, segments: &[&str]) -> Option<Row> {
    Some(match (method, segments) {
        ("GET", ["health"]) => Row::W01,
        ("GET", ["grants"]) => Row::W10,
        ("GET", ["grants", _, _]) => Row::W11,
        ("PUT", ["grants", _, _]) => Row::W12,
        ("POST", ["grants", _, _, "suspend" | "resume"]) => Row::W13,
        ("DELETE", ["grants", _, _]) => Row::W14,
        ("POST", ["grants", _, _, "rename"]) => Row::W15,
        ("POST", ["unions", "preview"]) => Row::W16,
        ("GET", ["grants", _, _, "digest"]) => Row::W17,
        ("POST", ["loads"]) => Row::W20,
        ("POST", ["contacts", _, _, "loads"]) => Row::W21,
        ("PUT", ["loads", _, "contacts", _, _, "batches", _]) => Row::W22,
        ("POST", ["loads", _, "contacts", _, _, "commit"]) => Row::W23,
        ("GET", ["loads", _]) => Row::W24,
        ("POST", ["loads", _, "close" | "abort"]) => Row::W25,
        ("POST", ["cases", "batch"]) => Row::W31,
        ("PUT", ["cases", _]) => Row::W30,
        ("GET", ["cases", _]) => Row::W32,
        ("GET", ["view"]) => Row::W33,
        ("POST", ["withdrawals"]) => Row::W40,
        ("GET", ["withdrawals"]) => Row::W41,
        ("HEAD", ["blobs", _]) => Row::W50,
        ("PUT", ["blobs", _]) => Row::W51,
        ("PUT", ["cases", _, "annotations", _, "documents", _]) => Row::W60,
        ("GET", ["cases", _, "annotations", _, "documents"]) => Row::W61,
        ("DELETE", ["cases", _, "annotations", _, "documents", _]) => Row::W62,
        ("POST", ["cases", _, "messages"]) => Row::W70,
        ("GET", ["cases", _, "messages"]) => Row::W71,
        ("POST", ["messages", _, "receipts"]) => Row::W72,
        ("GET", ["messages", _, "receipts"]) => Row::W73,
        ("GET", ["events"]) => Row::W74,
        ("GET", ["cases", _, "evidence"]) => Row::W75,
        _ => return None,
    })
}

fn envelope(outcome: Done) -> Answer {
    match outcome {
        Ok((status, data)) => {
            Answer::json(status, &json!({ "statusCode": status, "message": "OK", "data": data }))
        }
        Err(refusal) => {
            let status = refusal.status;
            let body = json!({ "statusCode": status, "message": refusal.code, "data": null, "error": refusal.error() });
            Answer::json(status, &body)
        }
    }
}

impl Office {
    fn admitted(&self, call: &Call<'_>) -> Result<(), Refusal> {
        let bearer = call.header("authorization").and_then(|header| header.strip_prefix("Bearer "));
        let (tenant, _) = split(call.path).ok_or_else(Refusal::not_found)?;
        if bearer != Some(self.token.as_str()) {
            return Err(Refusal::unauthorized());
        }
        if self.portal.settings.forbidden {
            return Err(Refusal::forbidden());
        }
        if tenant != self.portal.tenant {
            return Err(Refusal::not_found());
        }
        if call.header("x-websync-protocol") != Some("1") {
            return Err(Refusal::invalid("X-Websync-Protocol"));
        }
        Ok(())
    }

    /// Carries a write out once per key, and tells whether the answer is a remembered one.
    fn once(&mut self, call: &Call<'_>) -> (Done, bool) {
        self.portal.drop_unlinked(call.now);
        if !call.spot.needs_key() {
            return (self.dispatch(call), false);
        }
        let key = match call.header("idempotency-key") {
            Some(key) if !key.is_empty() => key.to_owned(),
            _ => return (Err(Refusal::invalid("Idempotency-Key")), false),
        };
        let fingerprint = fingerprint(call);
        self.remembered.retain(|_, remembered| call.now < remembered.until);
        if let Some(known) = self.remembered.get(&key) {
            if known.fingerprint != fingerprint {
                return (Err(Refusal::conflict("idempotency-mismatch", Value::Null)), false);
            }
            self.replays += 1;
            return (Ok((known.status, known.data.clone())), true);
        }
        let outcome = self.dispatch(call);
        if let Ok((status, data)) = &outcome {
            *self.executions.entry(key.clone()).or_default() += 1;
            let (status, data, until) = (*status, data.clone(), call.now.plus(MEMORY));
            self.remembered.insert(key, Remembered { fingerprint, status, data, until });
        }
        (outcome, false)
    }

    fn dispatch(&mut self, call: &Call<'_>) -> Done {
        let (_, segments) = split(call.path).ok_or_else(Refusal::not_found)?;
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match call.spot {
            Row::W01 => Ok((200, self.health())),
            Row::W10 | Row::W11 | Row::W12 | Row::W13 | Row::W14 | Row::W15 | Row::W16 | Row::W17 => {
                self.grants(call, &segments)
            }
            Row::W20 | Row::W21 | Row::W22 | Row::W23 | Row::W24 | Row::W25 => self.loads(call, &segments),
            Row::W30 | Row::W31 | Row::W32 | Row::W33 | Row::W40 | Row::W41 => self.cases(call, &segments),
            Row::W50 | Row::W51 | Row::W60 | Row::W61 | Row::W62 => self.documents(call, &segments),
            _ => self.messages(call, &segments),
        }
    }

    fn health(&self) -> Value {
        let settings = &self.portal.settings;
        json!({
            "protocol": 1,
            "tenant": self.portal.tenant,
            "limits": {
                "blobBytes": settings.blob_bytes,
                "batchItems": settings.batch_items,
                "bodyBytes": settings.body_bytes,
            },
        })
    }

    fn grants(&mut self, call: &Call<'_>, segments: &[&str]) -> Done {
        let contact = contact_at(segments, 1);
        let portal = &mut self.portal;
        match call.spot {
            Row::W10 => {
                let after = parameter(call, "after");
                portal.list_grants(after.as_deref(), limit(call, portal.settings.page_items)?)
            }
            Row::W11 => Ok((200, json!(portal.grant(&contact?)?))),
            Row::W12 => portal.put_grant(&contact?, read(call)?, expected_version(call)?),
            Row::W13 => {
                let state = if segments.last() == Some(&"suspend") {
                    GrantState::Suspended
                } else {
                    GrantState::Active
                };
                portal.set_state(&contact?, number(&read(call)?, "version")?, state)
            }
            Row::W14 => portal.revoke(&contact?, numeric(call, "version")?, &instant(call.now)),
            Row::W15 => {
                let body: Value = read(call)?;
                let id = body.get("contactId").and_then(Value::as_i64);
                let id = id.ok_or_else(|| Refusal::invalid("contactId"))?;
                portal.rename(&contact?, text(&body, "newCode")?, id)
            }
            Row::W16 => {
                let body: Value = read(call)?;
                let joining = body.get("joining").cloned().unwrap_or_default();
                let joining = serde_json::from_value(joining).map_err(|_| Refusal::invalid("joining"))?;
                portal.preview(text(&body, "pairTag")?, joining)
            }
            _ => portal.digest(&contact?),
        }
    }

    fn loads(&mut self, call: &Call<'_>, segments: &[&str]) -> Done {
        let portal = &mut self.portal;
        let id = segments.get(1).copied().unwrap_or_default();
        match call.spot {
            Row::W20 => {
                let opening: super::loads::Opening = read(call)?;
                if opening.scope.as_deref() != Some("all") {
                    return Err(Refusal::invalid("scope"));
                }
                portal.open_load(opening, LoadScope::All)
            }
            Row::W21 => portal.open_load(read(call)?, LoadScope::One(contact_at(segments, 1)?)),
            Row::W22 => {
                let number =
                    segments.last().and_then(|number| number.parse().ok()).filter(|number| *number > 0);
                let number = number.ok_or_else(|| Refusal::invalid("n"))?;
                let batch = read::<super::loads::Batch>(call)?.checked()?;
                portal.take_batch(id, &contact_at(segments, 3)?, number, batch)
            }
            Row::W23 => {
                let commit = read::<super::loads::Commit>(call)?.checked()?;
                portal.commit(id, &contact_at(segments, 3)?, &commit, &instant(call.now))
            }
            Row::W24 => portal.load_state(id),
            _ => portal.end_load(id, segments.last() == Some(&"close")),
        }
    }

    fn cases(&mut self, call: &Call<'_>, segments: &[&str]) -> Done {
        let now = instant(call.now);
        let portal = &mut self.portal;
        match call.spot {
            Row::W30 => {
                let push: CasePush = read(call)?;
                if case_at(segments)? != push.case_id {
                    return Err(Refusal::invalid("caseId"));
                }
                portal.push(&push, &now)
            }
            Row::W31 => self.batch(&read(call)?, &now),
            Row::W32 => portal.case(case_at(segments)?),
            Row::W33 => portal.view(&view::viewer(&parameters(call.query))?),
            Row::W40 => withdrawn(portal, read(call)?, &now),
            _ => portal.list_withdrawals(cursor(call)?, limit(call, portal.settings.page_items)?),
        }
    }

    /// W31: one bad item does not stop the others.
    fn batch(&mut self, body: &Value, now: &str) -> Done {
        let items = body.get("items").and_then(Value::as_array).ok_or_else(|| Refusal::invalid("items"))?;
        if items.len() > self.portal.settings.batch_items {
            return Err(Refusal::too_large(self.portal.settings.batch_items));
        }
        let results: Vec<Value> = items.iter().map(|item| self.batch_item(item, now)).collect();
        Ok((200, json!({ "items": results })))
    }

    fn batch_item(&mut self, item: &Value, now: &str) -> Value {
        let read = serde_json::from_value(item.clone()).map_err(|error| Refusal::invalid(error.to_string()));
        let done = read.and_then(|push: CasePush| self.portal.push(&push, now));
        let mut result = match done {
            Ok((status, Value::Object(mut data))) => {
                data.insert("statusCode".to_owned(), json!(status));
                data
            }
            Ok(_) => serde_json::Map::new(),
            Err(refusal) => {
                [("statusCode".to_owned(), json!(refusal.status)), ("error".to_owned(), refusal.error())]
                    .into_iter()
                    .collect()
            }
        };
        result.insert("caseId".to_owned(), item.get("caseId").cloned().unwrap_or_default());
        Value::Object(result)
    }

    fn documents(&mut self, call: &Call<'_>, segments: &[&str]) -> Done {
        let digest = segments.get(1).copied().unwrap_or_default();
        let portal = &mut self.portal;
        match call.spot {
            Row::W50 if portal.has_blob(digest) => Ok((200, Value::Null)),
            Row::W50 => Err(Refusal::not_found()),
            Row::W51 => {
                let media_type = call.header("content-type").unwrap_or_default();
                if call.header("content-length").is_none() || media_type.is_empty() {
                    return Err(Refusal::invalid("Content-Length and Content-Type"));
                }
                portal.store_blob(digest, media_type, call.body.clone(), call.now)
            }
            Row::W60 => portal.link(document_at(segments)?, read::<DocumentLink>(call)?),
            Row::W61 => portal.links(case_at(segments)?, segments.get(3).copied().unwrap_or_default()),
            _ => {
                let reason = parameter(call, "reason").ok_or_else(|| Refusal::invalid("reason"))?;
                let reason: Reason =
                    serde_json::from_value(json!(reason)).map_err(|_| Refusal::invalid("reason"))?;
                let version = numeric(call, "version").ok().filter(|version| *version > 0);
                let version = version.ok_or_else(|| Refusal::invalid("version: the first is 1"))?;
                portal.unlink(document_at(segments)?, version, reason)
            }
        }
    }

    fn messages(&mut self, call: &Call<'_>, segments: &[&str]) -> Done {
        let portal = &mut self.portal;
        let message = segments.get(1).copied().unwrap_or_default();
        match call.spot {
            Row::W70 => portal.post_message(case_at(segments)?, read::<Message>(call)?),
            Row::W71 => portal.list_messages(
                case_at(segments)?,
                cursor(call)?,
                limit(call, portal.settings.page_items)?,
            ),
            Row::W72 => portal.receive(message, read::<Receipt>(call)?),
            Row::W73 => portal.receipts(message),
            Row::W74 => portal.list_events(cursor(call)?, limit(call, portal.settings.page_items)?),
            _ => portal.evidence(case_at(segments)?),
        }
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Withdrawals {
    batch_id: String,
    items: Vec<WithdrawalItem>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct WithdrawalItem {
    case_id: i64,
    version: u64,
    grant: ContactRef,
    reason: Reason,
}

/// W40
fn withdrawn(portal: &mut Portal, body: Withdrawals, now: &str) -> Done {
    if body.items.iter().any(|item| item.version == 0) {
        return Err(Refusal::invalid("version: the first is 1"));
    }
    let items: Vec<Value> = body
        .items
        .into_iter()
        .map(|item| {
            let done = portal.withdraw_item(&item.grant, item.case_id, item.version, item.reason, now);
            let mut result = json!({ "caseId": item.case_id, "grant": item.grant });
            if let Some(fields) = result.as_object_mut() {
                match done {
                    Ok(outcome) => fields.insert("outcome".to_owned(), json!(outcome)),
                    Err(code) => fields.insert("error".to_owned(), json!({ "code": code, "details": null })),
                };
                fields.insert("statusCode".to_owned(), json!(if done.is_ok() { 200 } else { 409 }));
            }
            result
        })
        .collect();
    Ok((200, json!({ "batchId": body.batch_id, "items": items })))
}

/// What has to be the same when a key comes again.
fn fingerprint(call: &Call<'_>) -> String {
    let condition = |name: &str| call.header(name).unwrap_or_default().to_owned();
    let head = format!(
        "{} {}?{} {} {}\n",
        call.method,
        call.path,
        call.query,
        condition("if-match"),
        condition("if-none-match")
    );
    sha256(&[head.as_bytes(), call.body].concat())
}

fn read<T: DeserializeOwned>(call: &Call<'_>) -> Result<T, Refusal> {
    serde_json::from_slice(call.body).map_err(|error| Refusal::invalid(error.to_string()))
}

fn contact_at(segments: &[&str], at: usize) -> Result<ContactRef, Refusal> {
    match segments.get(at..at + 2) {
        Some([kind, code]) if !kind.is_empty() && !code.is_empty() => Ok(ContactRef::new(kind, code)),
        _ => Err(Refusal::invalid("contact")),
    }
}

fn case_at(segments: &[&str]) -> Result<i64, Refusal> {
    let case = segments.get(1).and_then(|case| case.parse().ok());
    case.ok_or_else(|| Refusal::invalid("caseId"))
}

fn document_at(segments: &[&str]) -> Result<super::documents::DocumentKey, Refusal> {
    match (segments.get(3), segments.get(5)) {
        (Some(annotation), Some(document)) if !annotation.is_empty() && !document.is_empty() => {
            Ok((case_at(segments)?, (*annotation).to_owned(), (*document).to_owned()))
        }
        _ => Err(Refusal::invalid("documentId")),
    }
}

fn parameter(call: &Call<'_>, name: &str) -> Option<String> {
    parameters(call.query)
        .into_iter()
        .find(|(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value)
}

fn numeric(call: &Call<'_>, name: &str) -> Result<u64, Refusal> {
    parameter(call, name).and_then(|text| text.parse().ok()).ok_or_else(|| Refusal::invalid(name))
}

/// `?after=` as a place; nothing is the beginning.
fn cursor(call: &Call<'_>) -> Result<usize, Refusal> {
    parameter(call, "after").map_or(Ok(0), |text| text.parse().map_err(|_| Refusal::invalid("after")))
}

fn limit(call: &Call<'_>, usual: usize) -> Result<usize, Refusal> {
    let given = parameter(call, "limit").map(|text| text.parse().ok().filter(|limit| *limit > 0));
    given.map_or(Ok(usual), |limit| limit.ok_or_else(|| Refusal::invalid("limit")))
}

/// `If-None-Match: *` is none, `If-Match: "{version}"` is that version.
fn expected_version(call: &Call<'_>) -> Result<Option<u64>, Refusal> {
    match (call.header("if-none-match"), call.header("if-match")) {
        (Some("*"), None) => Ok(None),
        (None, Some(tag)) => {
            let version = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')?.parse().ok());
            version.map(Some).ok_or_else(|| Refusal::invalid("If-Match"))
        }
        _ => Err(Refusal::invalid("either If-None-Match or If-Match")),
    }
}

fn number(body: &Value, name: &str) -> Result<u64, Refusal> {
    body.get(name).and_then(Value::as_u64).ok_or_else(|| Refusal::invalid(name))
}

fn text<'a>(body: &'a Value, name: &str) -> Result<&'a str, Refusal> {
    body.get(name).and_then(Value::as_str).ok_or_else(|| Refusal::invalid(name))
}

/// RFC 3339 in UTC with milliseconds.
pub(super) fn instant(now: Moment) -> String {
    now.utc("%Y-%m-%dT%H:%M:%S%.3fZ")
}
