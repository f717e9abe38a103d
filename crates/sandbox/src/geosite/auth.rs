//! Logging in, tokens and their lives (contract section 2.2).
//!
//! The rule: a header counts byte by byte. `Digicade-Rest-API:` and the token with nothing between them, or `Bearer`
//! for a token of the older dialect.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::settings::Settings;
use crate::chance;
use crate::clock::Moment;

const SCHEME: &str = "Digicade-Rest-API:";
const BEARER: &str = "Bearer ";

/// How somebody tried to get a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LoginKind {
    /// A1, with user name and password.
    Password,
    /// A2, with a refresh token.
    Refresh,
    /// A4, with the password in the URL.
    Legacy,
}

/// An attempt to get a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Login {
    /// How.
    pub kind: LoginKind,
    /// Whether a token was given out.
    pub accepted: bool,
    /// When, as seconds since the epoch of the simulator's clock.
    pub at: i64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Session {
    until: Moment,
    legacy: bool,
}

/// What an accepted login gives out.
#[derive(Debug, Clone)]
pub(super) struct Granted {
    pub(super) token: String,
    pub(super) refresh: Option<String>,
}

/// Accounts and live tokens.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Desk {
    accounts: HashMap<String, String>,
    tokens: HashMap<String, Session>,
    refresh: HashMap<String, Moment>,
    pub(super) logins: Vec<Login>,
}

impl Desk {
    pub(super) fn add_account(&mut self, username: &str, password: &str) {
        self.accounts.insert(username.to_owned(), password.to_owned());
    }

    fn log(&mut self, kind: LoginKind, accepted: bool, now: Moment) {
        self.logins.push(Login { kind, accepted, at: now.epoch() });
    }

    /// A1 and A4.
    pub(super) fn log_in(
        &mut self,
        kind: LoginKind,
        (username, password): (&str, &str),
        settings: &Settings,
        now: Moment,
    ) -> Option<Granted> {
        let accepted = self.accounts.get(username).is_some_and(|known| known == password);
        self.log(kind, accepted, now);
        accepted.then(|| {
            let token = self.grant(kind == LoginKind::Legacy, settings, now);
            let refresh = (kind == LoginKind::Password).then(|| self.grant_refresh(settings, now));
            Granted { token, refresh }
        })
    }

    /// A2: the refresh token stays good, whether or not a new one is given out.
    pub(super) fn refresh(
        &mut self,
        header: Option<&str>,
        settings: &Settings,
        now: Moment,
    ) -> Option<Granted> {
        let shown = header.and_then(|header| header.strip_prefix(SCHEME)).unwrap_or_default();
        let accepted = self.refresh.get(shown).is_some_and(|until| now < *until);
        self.log(LoginKind::Refresh, accepted, now);
        accepted.then(|| {
            let token = self.grant(false, settings, now);
            let refresh = settings.renews_refresh_token.then(|| self.grant_refresh(settings, now));
            Granted { token, refresh }
        })
    }

    fn grant(&mut self, legacy: bool, settings: &Settings, now: Moment) -> String {
        let token = chance::hex(24);
        let until = now.plus(Duration::from_secs(settings.token_life));
        self.tokens.insert(token.clone(), Session { until, legacy });
        token
    }

    fn grant_refresh(&mut self, settings: &Settings, now: Moment) -> String {
        let refresh = chance::hex(32);
        self.refresh.insert(refresh.clone(), now.plus(Duration::from_secs(settings.refresh_life)));
        refresh
    }

    /// The token in a header of the right form.
    fn shown(header: &str) -> Option<(&str, bool)> {
        let own = header.strip_prefix(SCHEME).map(|token| (token, false));
        own.or_else(|| header.strip_prefix(BEARER).map(|token| (token, true)))
    }

    /// Whether a header opens the door (A3).
    pub(super) fn admits(&self, header: Option<&str>, settings: &Settings, now: Moment) -> bool {
        let Some((token, legacy)) = header.and_then(Self::shown) else { return false };
        let live = |session: &Session| session.legacy == legacy && now < session.until;
        (settings.legacy_auth || !legacy) && self.tokens.get(token).is_some_and(live)
    }

    /// The token of this header ends now.
    pub(super) fn revoke(&mut self, header: Option<&str>) {
        if let Some((token, _)) = header.and_then(Self::shown) {
            self.tokens.remove(token);
        }
    }

    pub(super) fn revoke_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(super) fn revoke_refresh_tokens(&mut self) {
        self.refresh.clear();
    }
}
