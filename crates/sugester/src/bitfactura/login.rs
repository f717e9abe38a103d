//! Logging in with user name and password, to learn account and token (contract 2.3).

use std::fmt;

use integration_core::body::fields::Unreadable;
use integration_core::call::{BaseUrl, Call, CallerBuilder, Idempotency, Operation, RetryPolicy};
use integration_core::{Error, Fault, Faults, Secret};
use serde::Serialize;

use crate::desk;
use crate::error::Judge;
use crate::token::ApiToken;
use crate::value::Fields;

pub(crate) const LOG_IN: Operation = Operation::post("log in", "/login.json", Idempotency::Keyed);

const HOST: &str = "https://app.bitfactura.com";

/// A login under way. The check of equal logins ([`check_multipass`](crate::check_multipass)) takes its answer.
///
/// ```no_run
/// use sugester::bitfactura::Login;
///
/// # async fn run() -> Result<(), sugester::Error> {
/// let account = Login::new("ana@example.com", "the password").integration_token("given by the vendor").send().await?;
/// println!("{:?}", account.prefix);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until `send`"]
#[doc(alias("inicio de sesion", "login.json"))]
pub struct Login {
    login: String,
    password: Secret,
    integration_token: Option<Secret>,
    host: Option<BaseUrl>,
    caller: CallerBuilder,
}

/// What a login tells.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoggedIn {
    /// `login`
    pub login: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// `prefix`: the account's name.
    pub prefix: Option<String>,
    /// `url`
    pub url: Option<String>,
    /// `first_name`
    pub first_name: Option<String>,
    /// `last_name`
    pub last_name: Option<String>,
    /// `api_token`, if the user has made one.
    pub api_token: Option<ApiToken>,
}

impl Login {
    /// User name or e-mail, and password.
    pub fn new(login: impl Into<String>, password: impl Into<Secret>) -> Self {
        let caller = desk::caller_defaults();
        Self { login: login.into(), password: password.into(), integration_token: None, host: None, caller }
    }

    /// The token that the vendor gives to partners: the service asks for it (contract 2.3), so a login without it is refused.
    pub fn integration_token(mut self, token: impl Into<Secret>) -> Self {
        self.integration_token = Some(token.into());
        self
    }

    /// Another host than `https://app.bitfactura.com`: of another brand, of a simulator.
    pub fn host(mut self, host: BaseUrl) -> Self {
        self.host = Some(host);
        self
    }

    integration_core::caller_setters!(caller);

    /// Logs in; sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 2.3).
    ///
    /// # Errors
    /// A validation error without login or password; a refusal for a wrong password; what the way there and back met. No error shows the password or a token.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.sandbox.bitfactura();
    /// # let (login, password, host) = (billing.login(), billing.password(), sugester::BaseUrl::parse(billing.base_url())?);
    /// use sugester::bitfactura::Login;
    ///
    /// let login = Login::new(login, password).integration_token("given to partners").host(host);
    /// let account = login.send().await?;
    /// println!("{account:?}"); // without the token
    /// # Ok(()) });
    /// ```
    pub async fn send(self) -> Result<LoggedIn, Error> {
        self.check()?;
        let host = self.host.map_or_else(|| BaseUrl::parse(HOST), Ok)?;
        let caller = self.caller.base(host).build()?;
        let body = Body {
            login: &self.login,
            password: self.password.reveal(),
            integration_token: self.integration_token.as_ref().map(Secret::reveal),
        };
        let call =
            Call::new(LOG_IN).json(crate::wire::token(&body).get().to_owned()).retry(RetryPolicy::never());
        let secrets = std::iter::once(self.password.clone()).chain(self.integration_token.clone());
        let call = secrets.fold(call.with_secret_answer(), Call::with_secret);
        let clock = caller.clock().clone();
        let judge = Judge { operation: &LOG_IN, clock: &*clock, may_be_empty: false };
        let read = |token| Fields::of(token, "account").and_then(read);
        Ok(caller.call(&call, |answer| judge.whole(answer, read)).await?.value)
    }
}

impl Login {
    fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        for (path, is_blank) in
            [("login", self.login.trim().is_empty()), ("password", self.password.is_empty())]
        {
            if is_blank {
                faults.push(Fault::error("REQUIRED", path).with_expected("a text that is not blank"));
            }
        }
        faults.into_result(LOG_IN.name).map(drop)
    }
}

#[derive(Serialize)]
struct Body<'b> {
    login: &'b str,
    password: &'b str,
    #[serde(skip_serializing_if = "Option::is_none")]
    integration_token: Option<&'b str>,
}

fn read(mut fields: Fields) -> Result<LoggedIn, Unreadable> {
    let login = fields.text("login")?;
    if login.is_none() && fields.get("prefix").is_none() {
        return Err(Unreadable::new("login", "there"));
    }
    let token = fields.text("api_token")?.filter(|text| !text.is_empty());
    let token = token.map(|text| ApiToken::parse(&text)).transpose();
    Ok(LoggedIn {
        login,
        email: fields.text("email")?,
        prefix: fields.text("prefix")?,
        url: fields.text("url")?,
        first_name: fields.text("first_name")?,
        last_name: fields.text("last_name")?,
        api_token: token.map_err(|_| Unreadable::new("api_token", "a token"))?,
    })
}

impl fmt::Display for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &Option<String>| text.clone().unwrap_or_default();
        write!(f, "{} in {}", shown(&self.login), shown(&self.prefix))
    }
}
