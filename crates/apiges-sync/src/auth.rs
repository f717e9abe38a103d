//! Logging in (contract 2.1): `GET /login` brings a token, which every other call carries as `Bearer`.
//!
//! The rules enforced here: the credentials stand in no address unless that was asked for; a token's own end (`exp`) is read to renew in
//! time and is trusted for nothing else; whatever holds no token is a failed login.

use std::time::Duration;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderName;
use integration_core::body::fields::{Fields, Token};
use integration_core::call::{Authorization, Call, Caller, Login, Operation, Ticket, Verdict};
use integration_core::{BoxFuture, Error, Secret};
use serde_json::value::RawValue;

use crate::assumptions::{Assumptions, LoginStyle};
use crate::error::{AuthProblem, ErrorClass, ErrorExt, Problem, Route};
use crate::record::Data;
use crate::wire::Received;

pub(crate) const LOG_IN: Operation = Operation::get("log in", "/login");

/// Under which names an object holds the token (assumed).
const TOKENS: [&str; 3] = ["token", "accessToken", "access_token"];

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Logs in with user and password.
#[derive(Debug)]
pub(crate) struct PasswordLogin {
    /// Without credentials of its own.
    pub(crate) caller: Caller,
    pub(crate) username: Secret,
    pub(crate) password: Secret,
    pub(crate) assumptions: Assumptions,
}

impl Login for PasswordLogin {
    /// There is no refresh: every login is a new one.
    fn log_in<'a>(&'a self, _previous: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>> {
        Box::pin(async move {
            let token = self.token().await?;
            let life = self.life(&token);
            Ok(Ticket::new(Authorization::bearer(token)?, life))
        })
    }
}

impl PasswordLogin {
    async fn token(&self) -> Result<Secret, Error> {
        let call = self.request()?.with_secret(self.password.clone()).with_secret(self.username.clone());
        let call = call.with_private_answer();
        let route = Route::by(&call);
        let judge = |answer: &integration_core::Answer| verdict(route.judge(answer, token));
        Ok(self.caller.call(&call, judge).await?.value)
    }

    fn request(&self) -> Result<Call, Error> {
        let call = Call::new(LOG_IN);
        Ok(match &self.assumptions.login_style {
            LoginStyle::BasicHeader => {
                call.authorized(Authorization::basic(self.username.reveal(), self.password.clone())?)
            }
            LoginStyle::Headers { user, password } => {
                let secret = self.password.clone();
                let given = Authorization::in_header(header(password)?, self.password.reveal(), secret)?;
                call.header(header(user)?, self.username.reveal()).authorized(given)
            }
            LoginStyle::Query { user, password } => {
                let given = Authorization::in_query(user, self.username.clone())?;
                call.authorized(given.and(Authorization::in_query(password, self.password.clone())?))
            }
        })
    }

    /// How long a token counts as good; it is renewed the margin earlier.
    fn life(&self, token: &Secret) -> Duration {
        let (margin, now) = (self.assumptions.renewal_margin, self.caller.clock().wall().as_second());
        let told = Claims::of(token.reveal()).and_then(|claims| claims.life(now, margin));
        told.unwrap_or_else(|| self.assumptions.token_life.saturating_add(margin))
    }
}

fn header(name: &str) -> Result<HeaderName, Error> {
    // Checked when the client was built.
    name.parse().map_err(|_| Error::configuration("a header of the login has no usable name", "change it"))
}

/// A success that is JSON and holds no token is a login that failed, not an answer in doubt.
fn verdict(verdict: Verdict<Secret>) -> Verdict<Secret> {
    match verdict {
        Verdict::Doubt { error, .. }
            if matches!(error.class(), ErrorClass::UnexpectedShape | ErrorClass::AuthShape) =>
        {
            Verdict::Refuse(Problem::Auth(AuthProblem::Shape).error(LOG_IN.name))
        }
        verdict => verdict,
    }
}

fn token(received: &Received) -> Result<Secret, Problem> {
    let data = received.due()?;
    let found = text_in(data).or_else(|| {
        let record = data.record()?;
        TOKENS.iter().find_map(|name| text_in(&record.get(name)?))
    });
    let token = found.as_deref().map(bare).filter(|token| is_token(token));
    token.map(Secret::new).ok_or(Problem::Auth(AuthProblem::Shape))
}

/// A JSON text; a number is no token.
fn text_in(data: &Data) -> Option<String> {
    serde_json::from_str(data.json()).ok()
}

fn bare(token: &str) -> &str {
    let token = token.trim();
    match token.split_at_checked(7) {
        Some((word, rest)) if word.eq_ignore_ascii_case("bearer ") => rest.trim_start(),
        // The word alone, whose blank was trimmed.
        None if token.eq_ignore_ascii_case("bearer") => "",
        _ => token,
    }
}

/// What can stand in a header, as core asks it.
fn is_token(token: &str) -> bool {
    !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())
}

/// What a JWT says of its time, in seconds since 1970. Anybody may write that: it decides when to renew and nothing else.
struct Claims {
    exp: i64,
    iat: Option<i64>,
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let (_, rest) = token.split_once('.')?;
        let (payload, _) = rest.split_once('.')?;
        let claims = Fields::<Box<RawValue>>::parse(&BASE64.decode(payload).ok()?)?;
        let seconds = |name: &str| i64::try_from(claims.get(name)?.scalar().decimal()?.trunc()).ok();
        Some(Self { exp: seconds("exp")?, iat: seconds("iat") })
    }

    /// A token that is nearly over when it is handed out tells that one of the clocks is wrong; renewing it by that clock would log in
    /// for every call. Its own span counts then, and nothing if that is too short as well.
    fn life(&self, now: i64, margin: Duration) -> Option<Duration> {
        let since = |start: i64| u64::try_from(self.exp.checked_sub(start)?).ok().map(Duration::from_secs);
        let usable = |life: &Duration| *life > margin;
        since(now).filter(usable).or_else(|| since(self.iat?).filter(usable))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Header and payload by hand: `{"alg":"none"}` and `claims` in base64url without padding, and a signature nobody looks at.
    fn jwt(claims: &str) -> String {
        format!("eyJhbGciOiJub25lIn0.{}.sig", BASE64.encode(claims).trim_end_matches('='))
    }

    fn life(token: &str, now: i64) -> Option<u64> {
        Claims::of(token)?.life(now, Duration::from_secs(300)).map(|life| life.as_secs())
    }

    #[test]
    fn the_end_of_a_token_is_read() {
        // {"exp":4000} written down independently: base64url of the nine characters and braces.
        assert_eq!(life("x.eyJleHAiOjQwMDB9.y", 1000), Some(3000));
        assert_eq!(life(&jwt(r#"{"exp":4000.9,"sub":"u"}"#), 0), Some(4000));
        assert_eq!(life(&jwt(r#"{"exp":"4000"}"#), 0), Some(4000));
        for none in ["opaque", "a.b.c", "a.b", "", &jwt("[]"), &jwt("{}"), &jwt(r#"{"exp":"soon"}"#)] {
            assert_eq!(life(none, 0), None, "{none}");
        }
    }

    #[test]
    fn a_wrong_clock_does_not_log_in_for_every_call() {
        assert_eq!(life(&jwt(r#"{"exp":1200}"#), 1000), None);
        assert_eq!(life(&jwt(r#"{"exp":1200,"iat":200}"#), 1000), Some(1000));
        assert_eq!(life(&jwt(r#"{"exp":1200,"iat":1100}"#), 5000), None);
        assert_eq!(life(&jwt(r#"{"exp":-9223372036854775808,"iat":9223372036854775807}"#), 5000), None);
    }

    #[test]
    fn a_leading_bearer_is_dropped() {
        for text in ["abc", "Bearer abc", "bearer abc", " Bearer  abc "] {
            assert_eq!(bare(text), "abc");
        }
        assert_eq!([bare("Bearerabc"), bare("Bearer "), bare("Bearer")], ["Bearerabc", "", ""]);
        assert!(!is_token("two words") && !is_token("") && !is_token("ñ"));
    }

    proptest! {
        #[test]
        fn no_token_panics(token in "\\PC{0,60}", now in any::<i64>()) {
            let _ = life(&token, now);
            let _ = bare(&token);
        }
    }
}
