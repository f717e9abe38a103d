//! Legale itself: its state, who may ask what, and which operation does what.
//!
//! Everything here is synchronous and happens under one lock, so that an action is either wholly done or not at
//! all, whatever becomes of the connection that asked for it. Callbacks are only written here, into an outbox.

use std::collections::HashMap;

use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::accounts::{Accounts, LEGACY_TOKEN};
use super::folders::Folder;
use super::letters::Letter;
use super::papers::Paper;
use super::records::{Contact, Login, Mail};
use super::refusal::{Reason, Refusal};
use super::reply::Reply;
use super::route::Target;
use super::rules;
use super::settings::{Endpoint, LoginAnswer, Settings};
use super::templates::Template;
use crate::clock::Moment;
use crate::json::Json;
use crate::sieve::Sieved;

/// One request, read.
#[derive(Debug)]
pub(super) struct Call<'a> {
    pub(super) target: &'a Target,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Sieved,
    pub(super) moment: Moment,
}

/// What came of a request: the honest reply, and whether anything changed.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) reply: Reply,
    pub(super) acted: bool,
}

pub(super) type Outcome = Result<Done, Refusal>;

pub(super) fn read(reply: Reply) -> Outcome {
    Ok(Done { reply, acted: false })
}

pub(super) fn acted(reply: Reply) -> Outcome {
    Ok(Done { reply, acted: true })
}

/// State of Legale.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Office {
    #[serde(skip)]
    pub(super) base_url: String,
    pub(super) settings: Settings,
    pub(super) accounts: Accounts,
    pub(super) logins: Vec<Login>,
    pub(super) papers: Vec<Paper>,
    pub(super) by_guid: HashMap<String, usize>,
    pub(super) folders: Vec<Folder>,
    pub(super) contacts: Vec<Contact>,
    pub(super) templates: Vec<Template>,
    pub(super) mails: Vec<Mail>,
    /// Callbacks that nobody has posted yet.
    #[serde(skip)]
    pub(super) outbox: Vec<Letter>,
    /// Seconds since 1970 of the latest request: file URLs live from here.
    pub(super) latest: i64,
    last_id: u64,
}

impl Office {
    pub(super) fn new(base_url: String) -> Self {
        Self {
            base_url,
            settings: Settings::default(),
            accounts: Accounts::new(),
            logins: Vec::new(),
            papers: Vec::new(),
            by_guid: HashMap::new(),
            folders: Vec::new(),
            contacts: Vec::new(),
            templates: Template::first_ones(),
            mails: Vec::new(),
            outbox: Vec::new(),
            latest: 0,
            last_id: 1000,
        }
    }

    /// The next number for anything that has one.
    pub(super) fn next_id(&mut self) -> u64 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    /// Credentials first, then the form of the body, then the operation.
    pub(super) fn act(&mut self, call: &Call<'_>) -> Outcome {
        self.latest = call.moment.epoch();
        let caller = self.caller(call)?;
        match call.target.endpoint {
            Endpoint::Login => self.log_in(call),
            Endpoint::List => self.list(call),
            Endpoint::Detail => self.detail(call, &caller),
            Endpoint::Create => self.create(call, &caller),
            Endpoint::Delete => self.delete(call, &caller),
            Endpoint::Media => self.media(call),
            Endpoint::Start => self.start(call, &caller),
            Endpoint::SignStatus => self.sign_status(call, &caller),
            Endpoint::SignDownload => self.sign_download(call, &caller),
            Endpoint::Approve => self.approve(call),
            Endpoint::Folders => self.list_folders(),
            Endpoint::DeleteFolder => self.delete_folder(call),
            Endpoint::Template => self.start_template(call, &caller),
            Endpoint::Migrate => self.migrate(call, &caller),
            Endpoint::Contacts => self.list_contacts(call, &caller),
            Endpoint::CreateContact => self.create_contact(call, &caller),
            Endpoint::UpdateContact => self.update_contact(call, &caller),
            Endpoint::GetContact => self.get_contact(call, &caller),
            Endpoint::DeleteContact => self.delete_contact(call, &caller),
            Endpoint::SmartDocuments => self.list_templates(call),
            Endpoint::Workflow => self.start_workflow(call, &caller),
            Endpoint::LegacySend => self.legacy_send(call),
            Endpoint::LegacyStatus => self.legacy_status(call),
            Endpoint::SignerPage => self.signer_page(call),
        }
    }

    /// E-mail of the caller; empty where none is asked for.
    fn caller(&self, call: &Call<'_>) -> Result<String, Refusal> {
        let endpoint = call.target.endpoint;
        if endpoint.is_legacy() {
            let shown = call.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
            let good = shown.and_then(|shown| shown.strip_prefix("Bearer ")) == Some(LEGACY_TOKEN);
            return if good { Ok(String::new()) } else { Err(Reason::Unauthenticated.into()) };
        }
        let open = match endpoint {
            Endpoint::Login | Endpoint::SignerPage => true,
            Endpoint::Media => !self.settings.media_needs_credentials,
            Endpoint::Approve => !self.settings.approval_needs_credentials,
            _ => false,
        };
        if open {
            Ok(String::new())
        } else {
            self.accounts.authenticate(call.headers, call.moment, &self.settings)
        }
    }

    fn log_in(&mut self, call: &Call<'_>) -> Outcome {
        let body = object(call)?;
        let (email, password) = (body.get("email").spelled(), body.get("password").spelled());
        let life = self.settings.token_life_seconds;
        let token = self.accounts.log_in(email, password, call.moment, life);
        let at = call.moment.iso_micros();
        self.logins.push(Login { email: email.to_owned(), accepted: token.is_some(), at });
        let Some(token) = token else {
            return Err(Refusal::from(Reason::WrongPassword).with_status(self.settings.login_failure_status));
        };
        acted(Reply::exactly(
            200,
            match self.settings.login_answer {
                LoginAnswer::Token => json!({ "token": token }),
                LoginAnswer::Older => json!({ "token": token, "code": null, "message": "" }),
                LoginAnswer::EmptyToken => json!({ "token": "", "code": null, "message": "" }),
                LoginAnswer::NoToken => json!({ "code": null, "message": "" }),
            },
        ))
    }

    /// Whether this signer may use `fea`: the account's owner is taken for identified.
    pub(super) fn fea_ready(&self, caller: &str, email: &str, me: bool) -> bool {
        let complete = |contact: &Contact| {
            contact.owner == caller
                && contact.email.eq_ignore_ascii_case(email)
                && !contact.firstname.is_empty()
                && !contact.lastname1.is_empty()
                && contact.rut.as_deref().is_some_and(super::rut::is_valid)
        };
        me || !self.settings.fea_needs_contact || self.contacts.iter().any(complete)
    }

    pub(super) fn mail(&mut self, to: &str, guid: &str, reason: &str, link: Option<String>) {
        self.mails.push(Mail { to: to.to_owned(), guid: guid.to_owned(), reason: reason.to_owned(), link });
    }
}

/// The body, which has to be announced as JSON and be an object.
pub(super) fn object(call: &Call<'_>) -> Result<Json, Refusal> {
    let announced = call.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = announced.split(';').next().unwrap_or("").trim();
    if !media_type.eq_ignore_ascii_case("application/json") {
        return Err(Reason::MediaType.into());
    }
    let json = call.body.json().map_err(|_| Refusal::from(Reason::Malformed))?;
    if matches!(json, Json::Object(_)) { Ok(json) } else { Err(Reason::Malformed.into()) }
}

/// A text that has to be there.
pub(super) fn required(body: &Json, key: &'static str) -> Result<String, Refusal> {
    rules::optional(body, key).ok_or_else(|| super::refusal::invalid("required", key, "is required"))
}
