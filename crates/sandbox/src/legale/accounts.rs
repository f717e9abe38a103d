//! Who may call: accounts, API keys, and sessions that live five hours and cannot be renewed.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::refusal::{Reason, Refusal};
use super::settings::Settings;
use crate::chance;
use crate::clock::Moment;

/// Credentials of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Account {
    /// E-mail to log in with.
    pub email: String,
    /// Password to log in with.
    pub password: String,
    /// Value of the header `Legale-Api-Key`; valid until revoked.
    pub api_key: String,
}

impl Account {
    /// The account that is there from the start. Fixed, so that what one run printed works in the next.
    pub(super) fn first() -> Self {
        Self {
            email: "firmas@example.com".into(),
            password: "sandbox-password".into(),
            api_key: "sandbox-api-key-0001".into(),
        }
    }
}

/// Bearer token of the older API, whose source is not public. Fixed, as the account is.
pub(super) const LEGACY_TOKEN: &str = "sandbox-legacy-token";

#[derive(Debug, Serialize, Deserialize)]
struct Session {
    email: String,
    until: Moment,
}

/// What a request shows, before it is looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Shown {
    Nothing,
    Bearer(String),
    Key(String),
    Both(String),
    Unreadable,
}

impl Shown {
    fn read(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("").to_owned());
        let bearer = |header: &str| header.strip_prefix("Bearer ").map(ToOwned::to_owned);
        match (text(AUTHORIZATION.as_str()), text("legale-api-key")) {
            (None, None) => Self::Nothing,
            (None, Some(key)) => Self::Key(key),
            (Some(header), None) => bearer(&header).map_or(Self::Unreadable, Self::Bearer),
            (Some(_), Some(key)) => Self::Both(key),
        }
    }
}

/// Every account and session.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Accounts {
    pub(super) accounts: Vec<Account>,
    sessions: HashMap<String, Session>,
    revoked_keys: Vec<String>,
}

impl Accounts {
    pub(super) fn new() -> Self {
        Self { accounts: vec![Account::first()], ..Self::default() }
    }

    /// A new session for these credentials, if they are right.
    pub(super) fn log_in(&mut self, email: &str, password: &str, now: Moment, life: u64) -> Option<String> {
        let account =
            self.accounts.iter().find(|account| account.email.eq_ignore_ascii_case(email.trim()))?;
        (account.password == password).then_some(())?;
        let email = account.email.clone();
        Some(self.open(email, now, life))
    }

    fn open(&mut self, email: String, now: Moment, life: u64) -> String {
        let until = now.plus(Duration::from_secs(life));
        let token = token(&email, until);
        self.sessions.insert(token.clone(), Session { email, until });
        token
    }

    /// E-mail of the caller.
    pub(super) fn authenticate(
        &self,
        headers: &HeaderMap,
        now: Moment,
        settings: &Settings,
    ) -> Result<String, Refusal> {
        let found = match Shown::read(headers) {
            Shown::Bearer(token) => self.bearer(&token, now),
            Shown::Key(key) => self.key(&key),
            Shown::Both(key) if settings.accept_both_credentials => self.key(&key),
            Shown::Both(_) | Shown::Nothing | Shown::Unreadable => None,
        };
        found.ok_or_else(|| Reason::Unauthenticated.into())
    }

    fn bearer(&self, token: &str, now: Moment) -> Option<String> {
        self.sessions.get(token).filter(|session| now < session.until).map(|session| session.email.clone())
    }

    fn key(&self, key: &str) -> Option<String> {
        let account = self.accounts.iter().find(|account| account.api_key == key)?;
        (!self.revoked_keys.iter().any(|revoked| revoked == key)).then(|| account.email.clone())
    }

    /// Ends every session.
    pub(super) fn revoke_sessions(&mut self) {
        self.sessions.clear();
    }

    pub(super) fn revoke_key(&mut self, key: &str) {
        self.revoked_keys.push(key.to_owned());
    }

    /// Ends what this request shows.
    pub(super) fn revoke_shown(&mut self, headers: &HeaderMap) {
        match Shown::read(headers) {
            Shown::Bearer(token) => drop(self.sessions.remove(&token)),
            Shown::Key(key) | Shown::Both(key) => self.revoke_key(&key),
            Shown::Nothing | Shown::Unreadable => {}
        }
    }

    /// Sessions that are still good.
    pub(super) fn live(&self, now: Moment) -> usize {
        self.sessions.values().filter(|session| now < session.until).count()
    }
}

/// Looks like the JWT that it is on the real service; its meaning is kept here, not in it.
fn token(email: &str, until: Moment) -> String {
    let encode = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(json!({ "alg": "HS256", "typ": "JWT" }));
    let claims = encode(json!({ "email": email, "exp": until.epoch(), "jti": chance::hex(8) }));
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(chance::hex(16)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_session_ends_after_its_life_to_the_second() {
        let mut accounts = Accounts::new();
        let (settings, start) = (Settings::default(), Moment::from_epoch(0));
        assert!(accounts.log_in("firmas@example.com", "wrong", start, 10).is_none());
        let token = accounts.log_in(" Firmas@Example.com", "sandbox-password", start, 10).unwrap();
        let shown = headers(&[("authorization", &format!("Bearer {token}"))]);
        let at = |second| accounts.authenticate(&shown, Moment::from_epoch(second), &settings).is_ok();
        assert!(at(9) && !at(10));
        assert_eq!((accounts.live(start), token.split('.').count()), (1, 3));
    }

    #[test]
    fn exactly_one_credential_in_exactly_its_form() {
        let accounts = Accounts::new();
        let key = ("legale-api-key", "sandbox-api-key-0001");
        let mut settings = Settings::default();
        let allowed = |settings: &Settings, pairs: &[(&'static str, &str)]| {
            accounts.authenticate(&headers(pairs), Moment::from_epoch(0), settings).is_ok()
        };
        assert!(allowed(&settings, &[key]));
        for bad in [
            &[][..],
            &[("legale-api-key", "x")],
            &[("authorization", "Bearer sandbox-api-key-0001")],
            &[("authorization", "sandbox-api-key-0001")],
            &[key, ("authorization", "Bearer x")],
        ] {
            assert!(!allowed(&settings, bad), "{bad:?}");
        }
        settings.accept_both_credentials = true;
        assert!(allowed(&settings, &[key, ("authorization", "Bearer x")]));
    }

    #[test]
    fn a_revoked_key_is_gone() {
        let mut accounts = Accounts::new();
        let shown = headers(&[("legale-api-key", "sandbox-api-key-0001")]);
        accounts.revoke_shown(&shown);
        assert!(accounts.authenticate(&shown, Moment::from_epoch(0), &Settings::default()).is_err());
    }
}
