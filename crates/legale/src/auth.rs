//! Logging in (contract 2.2): one of e-mail and password, a token, or an API key, and exactly one header.
//!
//! The rules enforced here: a token is renewed early, counted from the receipt of its answer on the client's clock; however many
//! calls wait, one login is in flight; a 401 drops the token and the call is replayed once; 403 never does.

use std::fmt;
use std::time::Duration;

use http::HeaderName;
use integration_core::call::{
    Authorization, Bearer, Call, Caller, Credentials, Idempotency, Login, Operation, Ticket, Verdict,
};
use integration_core::{Answer, BoxFuture, Error, ErrorKind, Secret};
use serde::Serialize;
use serde_json::Value;

use crate::error::Judge;
use crate::wire::{Fields, Unreadable};

pub(crate) const LOG_IN: Operation = Operation::post("log in", "/token", Idempotency::Keyed);

/// A token lives five hours (documented).
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(5 * 3600);

/// Renewed when less than this remains (assumed).
pub(crate) const MARGIN: Duration = Duration::from_secs(15 * 60);

const KEY_HEADER: HeaderName = HeaderName::from_static("legale-api-key");

/// Who calls. One of three, never two at once.
///
/// ```
/// use legale::Credential;
///
/// let credential = Credential::password("ana@example.com", "open sesame");
/// assert!(!format!("{credential:?}").contains("sesame"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
#[doc(alias("credencial", "api key", "token"))]
pub enum Credential {
    /// E-mail and password: logs in by itself, renews early and after a 401.
    Password {
        /// The account's e-mail address.
        email: String,
        /// Its password.
        password: Secret,
    },
    /// A token from elsewhere: never renewed, a 401 is an error.
    Token(Secret),
    /// A key made in the web application by an account with role admin; valid until revoked.
    ApiKey(Secret),
}

/// Of which kind it is; the address is a person's.
impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password { .. } => "Password([redacted])",
            Self::Token(_) => "Token([redacted])",
            Self::ApiKey(_) => "ApiKey([redacted])",
        })
    }
}

impl Credential {
    /// E-mail and password.
    pub fn password(email: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self::Password { email: email.into(), password: password.into() }
    }

    /// A token that was got elsewhere.
    pub fn token(token: impl Into<Secret>) -> Self {
        Self::Token(token.into())
    }

    /// An API key.
    pub fn api_key(key: impl Into<Secret>) -> Self {
        Self::ApiKey(key.into())
    }

    /// What is wrong with it before anything is sent.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let complaint = match self {
            Self::Password { email, password } if email.trim().is_empty() || password.is_empty() => {
                Some("e-mail or password is empty")
            }
            Self::Token(token) => Authorization::bearer(token.clone()).is_err().then_some(UNUSABLE),
            Self::ApiKey(key) => keyed(key).is_err().then_some(UNUSABLE),
            Self::Password { .. } => None,
        };
        complaint.map_or(Ok(()), |text| {
            Err(Error::configuration(text, "give e-mail and password, a token, or a key"))
        })
    }
}

const UNUSABLE: &str = "the token or key is empty or cannot stand in a header";

/// A fixed key in its own header.
#[derive(Debug, Clone)]
pub(crate) struct ApiKey(pub(crate) Secret);

impl Credentials for ApiKey {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(std::future::ready(keyed(&self.0)))
    }
}

fn keyed(key: &Secret) -> Result<Authorization, Error> {
    Authorization::in_header(KEY_HEADER, key.reveal(), key.clone())
}

/// A fixed token.
pub(crate) fn bearer(token: Secret) -> Bearer {
    Bearer::new(token)
}

/// Logs in with e-mail and password.
pub(crate) struct PasswordLogin {
    /// Without credentials of its own.
    pub(crate) caller: Caller,
    pub(crate) email: String,
    pub(crate) password: Secret,
    pub(crate) life: Duration,
    pub(crate) language: &'static str,
}

#[derive(Serialize)]
struct Request<'r> {
    email: &'r str,
    password: &'r str,
}

impl fmt::Debug for PasswordLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordLogin").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl Login for PasswordLogin {
    fn log_in<'a>(&'a self, _: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>> {
        Box::pin(self.ask())
    }
}

impl PasswordLogin {
    async fn ask(&self) -> Result<Ticket, Error> {
        let request = Request { email: &self.email, password: self.password.reveal() };
        let body = serde_json::to_vec(&request)
            .map_err(|_| Error::configuration("e-mail and password cannot be written", "check both"))?;
        let call = Call::new(LOG_IN)
            .json(body)
            .header(http::header::ACCEPT_LANGUAGE, self.language)
            .with_secret(self.password.clone())
            .with_secret_answer();
        let clock = self.caller.clock().clone();
        let judge = Judge { operation: &LOG_IN, clock: &*clock, may_be_empty: false };
        let answered = self.caller.call(&call, |answer| verdict(judge, answer)).await?;
        // Whatever a later answer repeats of the login is not shown either.
        let authorization = Authorization::bearer(answered.value)?.with_secret(self.password.clone());
        Ok(Ticket::new(authorization, self.life))
    }
}

/// Whatever the service does not answer with a token is a failed login (contract 2.2, 3.2).
fn verdict(judge: Judge<'_>, answer: &Answer) -> Verdict<Secret> {
    match judge.whole(answer, token) {
        Verdict::Unauthorized(error) => Verdict::Refuse(error),
        Verdict::Doubt { error, .. }
            if answer.status().is_success() && error.find_source::<Unreadable>().is_some() =>
        {
            let failed = judge.error(ErrorKind::Authentication, answer);
            Verdict::Refuse(failed.with_message("the login was answered without a token"))
        }
        verdict => verdict,
    }
}

/// The token stands in the answer itself (documented) or, should that change, in `data`.
fn token(data: Value) -> Result<Secret, Unreadable> {
    let token = Fields::of(data, "the answer")?.required("token")?;
    if token.trim().is_empty() {
        return Err(Unreadable::new("token", "a token"));
    }
    Ok(Secret::new(token.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_that_cannot_work_are_named_at_once() {
        assert!(Credential::password("", "x").check().is_err());
        assert!(Credential::password("a@b", "").check().is_err());
        assert!(Credential::token("a b").check().is_err());
        assert!(Credential::api_key("").check().is_err());
        assert!(Credential::api_key("key").check().is_ok());
    }

    #[test]
    fn nothing_secret_is_printed() {
        for credential in [
            Credential::password("a@b", "sentinel"),
            Credential::token("sentinel"),
            Credential::api_key("sentinel"),
        ] {
            assert!(!format!("{credential:?} {credential:#?}").contains("sentinel"));
        }
    }
}
