//! Logging in: the styles and tokens of section 2.1.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::settings::{LoginStyle, Settings, TokenPlace};
use crate::chance;
use crate::clock::Moment;
use crate::geosite::parameters;
use crate::stage::Call;

const SECRET: &[u8] = b"only the sandbox signs with this";

/// Accounts, live tokens, and how often somebody logged in.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Desk {
    accounts: BTreeMap<String, String>,
    tokens: HashMap<String, Moment>,
    pub(super) logins: usize,
    pub(super) refused: usize,
}

impl Desk {
    pub(super) fn add_account(&mut self, user: &str, password: &str) {
        self.accounts.insert(user.to_owned(), password.to_owned());
    }

    /// A token for good credentials in the style that is in force.
    pub(super) fn log_in<S>(&mut self, call: &Call<'_, S>, settings: &Settings) -> Option<String> {
        let shown = credentials(call, settings);
        let good = shown.filter(|(user, password)| self.accounts.get(user) == Some(password));
        let Some((user, _)) = good else {
            self.refused += 1;
            return None;
        };
        self.logins += 1;
        let end = call.now.plus(Duration::from_secs(settings.token_life));
        let token = signed(&user, call.now, settings.token_says_end.then_some(end));
        self.tokens.insert(token.clone(), end);
        Some(token)
    }

    /// Whether an `Authorization` header opens the door.
    pub(super) fn admits(&self, header: Option<&str>, now: Moment) -> bool {
        let token = header.and_then(|header| header.strip_prefix("Bearer "));
        token.and_then(|token| self.tokens.get(token)).is_some_and(|end| now < *end)
    }

    pub(super) fn revoke(&mut self, header: Option<&str>) {
        if let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) {
            self.tokens.remove(token);
        }
    }

    pub(super) fn revoke_all(&mut self) {
        self.tokens.clear();
    }
}

fn credentials<S>(call: &Call<'_, S>, settings: &Settings) -> Option<(String, String)> {
    let (user, password) = (settings.user_name.as_str(), settings.password_name.as_str());
    match settings.login_style {
        LoginStyle::BasicHeader => {
            let encoded = call.header("authorization")?.strip_prefix("Basic ")?;
            let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))
        }
        LoginStyle::Headers => Some((call.header(user)?.to_owned(), call.header(password)?.to_owned())),
        LoginStyle::Query => {
            let given = parameters(call.query);
            let value =
                |name: &str| given.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            Some((value(user)?, value(password)?))
        }
    }
}

/// A JWT; its `jti` makes two logins of one second differ.
fn signed(user: &str, now: Moment, end: Option<Moment>) -> String {
    let mut claims = json!({ "sub": user, "iat": now.epoch(), "jti": chance::hex(8) });
    if let (Some(end), Some(fields)) = (end, claims.as_object_mut()) {
        fields.insert("exp".to_owned(), json!(end.epoch()));
    }
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&json!({ "alg": "HS256", "typ": "JWT" })), part(&claims));
    let signature = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET), text.as_bytes());
    format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// `data` of the answer.
pub(super) fn placed(token: &str, place: TokenPlace) -> Value {
    match place {
        TokenPlace::Token => json!({ "token": token }),
        TokenPlace::Data => json!(token),
        TokenPlace::AccessToken => json!({ "accessToken": token }),
        TokenPlace::AccessTokenSnake => json!({ "access_token": token }),
        TokenPlace::BearerToken => json!({ "token": format!("Bearer {token}") }),
        TokenPlace::Elsewhere => json!({ "jwt": token }),
    }
}
