//! The client of one BitFactura account (contract 2).

use integration_core::Error;
use integration_core::call::{CallerBuilder, Env};

use crate::desk::{self, AuthMode, Desk, Plan, plan_setters};
use crate::token::AccountName;

const DOMAIN: &str = "bitfactura.com";
const PREFIX: &str = "BITFACTURA";

/// A client of one account. Cheap to clone; clones share connections, limits and retry budget.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) desk: Desk,
}

/// Sets a [`Client`] up.
///
/// ```
/// use sugester::bitfactura::Client;
///
/// // https://acme.bitfactura.com; other brands by `domain`, any address by `base_url`.
/// let client = Client::builder().account("acme".parse()?).token("q7Pw/acme".parse()?).build()?;
/// let sister = Client::builder().account("acme".parse()?).domain("fakturownia.pl").token("q7Pw".parse()?).build()?;
/// // The token of another account goes nowhere:
/// assert!(Client::builder().account("acme".parse()?).token("q7Pw/other".parse()?).build().is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    plan: Plan,
    caller: CallerBuilder,
}

impl ClientBuilder {
    plan_setters!();
    integration_core::caller_setters!(caller);

    /// Where the token goes; in query and body unless set. That this brand takes the header is assumed (contract 2.2).
    pub fn auth_mode(mut self, mode: AuthMode) -> Self {
        self.plan.mode = mode;
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// A configuration error without an address or a token, for a token with the prefix of another account than the address names
    /// ([`LinkTokenError`](crate::LinkTokenError) is its source), or if this machine's TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        Ok(Client { desk: self.plan.open(self.caller, "")? })
    }
}

impl Client {
    /// Starts setting up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder { plan: Plan::new(DOMAIN), caller: desk::caller_defaults() }
    }

    /// A client from the environment: `BITFACTURA_BASE_URL` (the root of the account), `BITFACTURA_API_TOKEN`, and optionally
    /// `BITFACTURA_TIMEOUT` and `BITFACTURA_CONNECT_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used; as [`ClientBuilder::build`].
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with the variables taken from `lookup`: a configuration file, a test.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use sugester::bitfactura::Client;
    ///
    /// let client = Client::from_lookup(|name| match name {
    ///     "BITFACTURA_BASE_URL" => Some("http://127.0.0.1:7803".into()),
    ///     "BITFACTURA_API_TOKEN" => Some("q7Pw/acme".into()),
    ///     _ => None,
    /// })?;
    /// # Ok::<(), sugester::Error>(())
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut env = Env::from_lookup(lookup);
        let mut builder = Self::builder();
        let settings = builder.plan.from_env(&mut env, PREFIX);
        env.finish()?;
        builder.caller = builder.caller.settings(&settings);
        builder.build()
    }

    /// The same client, every call of which ends within `limit`, attempts and pauses included; a single attempt may take all of it. It
    /// shares connections and limits with this one. Unless set, an attempt has 30 s (contract 2.4).
    #[must_use]
    pub fn with_timeout(&self, limit: std::time::Duration) -> Self {
        Self { desk: self.desk.with_timeout(limit) }
    }

    /// The account, if the address or the builder names it.
    #[must_use]
    pub fn account(&self) -> Option<&AccountName> {
        self.desk.account()
    }

    /// The root of the account's address.
    #[must_use]
    pub fn base_url(&self) -> &integration_core::call::BaseUrl {
        self.desk.root()
    }

    /// The token: what the synchronisation checks before any request.
    #[must_use]
    pub fn token(&self) -> &crate::ApiToken {
        self.desk.token()
    }

    /// The client's source of time.
    #[must_use]
    pub fn clock(&self) -> &std::sync::Arc<dyn integration_core::clock::Clock> {
        self.desk.caller().clock()
    }
}
