//! Logging in (contract 2.2): A1, then A2 with the refresh token, and one exact header for everything else.
//!
//! The rules enforced here: `Digicade-Rest-API:` and the token without a blank; the refresh call carries the **refresh** token; the
//! password travels in a body and in no URL, unless the older dialect was asked for, where the core redacts it everywhere.

use std::time::Duration;

use http::header;
use integration_core::call::{Authorization, Call, Caller, Idempotency, Login, Operation, Ticket, Verdict};
use integration_core::{Answer, BoxFuture, Error, Secret};
use serde::Serialize;
use serde_json::Value;

use crate::error::{ErrorExt, Problem, Route};

pub(crate) const LOG_IN: Operation = Operation::post("log in", "/auth/generatetoken", Idempotency::Keyed);
pub(crate) const REFRESH: Operation =
    Operation::post("refresh the login", "/auth/refresh", Idempotency::Keyed);
pub(crate) const LEGACY: Operation =
    Operation::post("log in by the older dialect", "/auth/token", Idempotency::Keyed);

/// Documented: 30 minutes.
pub(crate) const TOKEN_LIFE: Duration = Duration::from_secs(30 * 60);
/// Documented: 30 days.
pub(crate) const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Observed: renewed five minutes before the end.
pub(crate) const MARGIN: Duration = Duration::from_secs(5 * 60);
const CREDENTIALS: &str =
    "check user name and password (GEOSITE_USERNAME, GEOSITE_PASSWORD) with whoever handed out the `api_url`";
/// Assumed: a refused login blocks further ones for so long.
pub(crate) const PAUSE: Duration = Duration::from_secs(30);

/// Logs in with user and password.
#[derive(Debug)]
pub(crate) struct PasswordLogin {
    /// Without credentials of its own.
    pub(crate) caller: Caller,
    pub(crate) username: Secret,
    pub(crate) password: Secret,
    /// A4 instead of A1 to A3.
    pub(crate) legacy: bool,
}

#[derive(Serialize)]
struct Request<'r> {
    username: &'r str,
    password: &'r str,
}

/// What an answer brought.
struct Granted {
    token: Secret,
    refresh: Option<Secret>,
}

impl Login for PasswordLogin {
    fn log_in<'a>(&'a self, previous: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>> {
        Box::pin(async move {
            match previous.and_then(Ticket::refresh) {
                Some(refresh) => self.refresh(refresh).await,
                None if self.legacy => self.legacy().await,
                None => self.password().await,
            }
        })
    }
}

impl PasswordLogin {
    async fn password(&self) -> Result<Ticket, Error> {
        let request = Request { username: self.username.reveal(), password: self.password.reveal() };
        let body = serde_json::to_vec(&request)
            .map_err(|_| Error::configuration("user and password cannot be written", "check both"))?;
        self.ticket(self.ask(Call::new(LOG_IN).json(body).with_secret(self.password.clone())).await?)
    }

    async fn refresh(&self, refresh: &Secret) -> Result<Ticket, Error> {
        self.ticket(self.ask(Call::new(REFRESH).authorized(authorization(refresh.clone())?)).await?)
    }

    async fn legacy(&self) -> Result<Ticket, Error> {
        let user = Authorization::in_query("username", self.username.clone())?;
        let both = user.and(Authorization::in_query("password", self.password.clone())?);
        let granted = self.ask(Call::new(LEGACY).authorized(both)).await?;
        let authorization = Authorization::bearer(granted.token)?.with_secret(self.password.clone());
        Ok(Ticket::new(authorization, TOKEN_LIFE))
    }

    /// Whatever a later answer repeats of the login is not shown either.
    fn ticket(&self, granted: Granted) -> Result<Ticket, Error> {
        let authorization = authorization(granted.token)?.with_secret(self.password.clone());
        let ticket = Ticket::new(authorization, TOKEN_LIFE);
        Ok(match granted.refresh {
            Some(refresh) => ticket.with_refresh(refresh, REFRESH_LIFE),
            None => ticket,
        })
    }

    async fn ask(&self, call: Call) -> Result<Granted, Error> {
        let route = Route { operation: call.name(), text: format!("POST {}", path(call.name())) };
        let clock = self.caller.clock().clone();
        let judge = |answer: &Answer| verdict(&route, route.whole(answer, &*clock, |value| granted(&value)));
        Ok(self.caller.call(&call.with_secret_answer(), judge).await?.value)
    }
}

fn path(name: &str) -> &'static str {
    let known = [LOG_IN, REFRESH, LEGACY];
    known.iter().find(|operation| operation.name == name).map_or("/auth", |operation| operation.path)
}

/// A login that is refused is not tried again, and whatever 2xx holds no token is a failed login.
fn verdict(route: &Route, verdict: Verdict<Granted>) -> Verdict<Granted> {
    match verdict {
        Verdict::Unauthorized(error) => Verdict::Refuse(error.with_hint(CREDENTIALS)),
        Verdict::Refuse(error) if matches!(error.problem(), Some(Problem::ApiRefused { .. })) => {
            Verdict::Refuse(error.with_hint(CREDENTIALS))
        }
        Verdict::Doubt { error, .. }
            if matches!(
                error.problem(),
                Some(
                    Problem::LoginShape
                        | Problem::UnexpectedShape { .. }
                        | Problem::UnexpectedContentType { .. }
                )
            ) =>
        {
            Verdict::Refuse(route.error(Problem::LoginShape))
        }
        verdict => verdict,
    }
}

fn granted(value: &Value) -> Result<Granted, Problem> {
    let text =
        |name: &str| value.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let token = text("token").ok_or(Problem::LoginShape)?;
    Ok(Granted { token: Secret::new(token), refresh: text("refreshToken").map(Secret::new) })
}

/// A3: no blank after the colon, and not `Bearer`.
fn authorization(token: Secret) -> Result<Authorization, Error> {
    let value = format!("Digicade-Rest-API:{}", token.reveal());
    Authorization::in_header(header::AUTHORIZATION, &value, token)
}
