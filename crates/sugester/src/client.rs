//! The client of one Sugester account (contract 2).
//!
//! The rules enforced here: paths lie below `/app` of the account's host, and nothing that is set can lead to another host; the token of
//! another account goes nowhere.

use integration_core::Error;
use integration_core::Fault;
use integration_core::call::{BaseUrl, CallerBuilder, Env};

use crate::desk::{self, AuthMode, Desk, Plan, plan_setters};
use crate::token::AccountName;

const DOMAIN: &str = "sugester.pl";
const PREFIX: &str = "SUGESTER";
const BELOW: &str = "/app";
/// Known from one source, so a setting (trap 27).
const RECEIVER: &str = "/app/clients/external_update.json";

/// A client of one account. Cheap to clone; clones share connections, limits and retry budget.
///
/// Its operations stand in the files of [`crm`](crate::crm): clients, contacts, deals, posts and comments, recipient lists, statuses, the
/// partner's accounts, and the receiver of the synchronisation.
///
/// ```no_run
/// use sugester::Client;
/// use sugester::crm::ListQuery;
///
/// # async fn run() -> Result<(), sugester::Error> {
/// let client = Client::from_env()?; // SUGESTER_BASE_URL, SUGESTER_API_TOKEN
/// client.check_connection().await?;
/// let mut pages = client.clients(&ListQuery::new())?;
/// while let Some(page) = pages.next_page().await? {
///     println!("{} clients", page.items.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) desk: Desk,
    receiver_path: String,
}

/// Sets a [`Client`] up.
///
/// ```
/// use sugester::Client;
///
/// // https://acme.sugester.pl/app; another domain by `domain`, any address by `base_url`.
/// let client = Client::builder().account("acme".parse()?).token("q7Pw/acme".parse()?).build()?;
/// assert_eq!(client.base_url().to_string(), "https://acme.sugester.pl");
/// // The token of another account goes nowhere:
/// assert!(Client::builder().account("acme".parse()?).token("q7Pw/other".parse()?).build().is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    plan: Plan,
    caller: CallerBuilder,
    receiver_path: String,
}

impl ClientBuilder {
    plan_setters!();
    integration_core::caller_setters!(caller);

    /// Where the token goes; in query and body unless set. Nothing documents the header for Sugester (contract 2.2).
    pub fn auth_mode(mut self, mode: AuthMode) -> Self {
        self.plan.mode = mode;
        self
    }

    /// The path of the receiver of the synchronisation below the root; `/app/clients/external_update.json` unless set. It is known from
    /// one source (trap 27).
    pub fn receiver_path(mut self, path: impl Into<String>) -> Self {
        self.receiver_path = path.into();
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// A configuration error without an address or a token, for an address that names `/app` already, for a token with the prefix of
    /// another account than the address names ([`LinkTokenError`](crate::LinkTokenError) is its source), or if this machine's TLS cannot
    /// be set up; a validation error for a receiver's path that is none.
    pub fn build(self) -> Result<Client, Error> {
        check_path(&self.receiver_path)?;
        Ok(Client { desk: self.plan.open(self.caller, BELOW)?, receiver_path: self.receiver_path })
    }
}

/// A path that any server resolves as it is written.
fn check_path(path: &str) -> Result<(), Error> {
    let is_plain = |segment: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(allowed)
    };
    if path.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_plain)) {
        return Ok(());
    }
    let fault = Fault::error("RECEIVER", "receiver_path").with_actual(path);
    let fault = fault.with_expected("a path that starts with a slash, of letters, digits, - _ . and ~");
    Err(Error::validation("configure", vec![fault]))
}

impl Client {
    /// Starts setting up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            plan: Plan::new(DOMAIN),
            caller: desk::caller_defaults(),
            receiver_path: RECEIVER.to_owned(),
        }
    }

    /// A client from the environment: `SUGESTER_BASE_URL` (the root of the account, before `/app`), `SUGESTER_API_TOKEN`, and optionally
    /// `SUGESTER_TIMEOUT` and `SUGESTER_CONNECT_TIMEOUT` (seconds).
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
    /// use sugester::Client;
    ///
    /// let client = Client::from_lookup(|name| match name {
    ///     "SUGESTER_BASE_URL" => Some("http://127.0.0.1:7803".into()),
    ///     "SUGESTER_API_TOKEN" => Some("q7Pw/acme".into()),
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
        Self { desk: self.desk.with_timeout(limit), receiver_path: self.receiver_path.clone() }
    }

    /// The account, if the address or the builder names it.
    #[must_use]
    pub fn account(&self) -> Option<&AccountName> {
        self.desk.account()
    }

    /// The root of the account's address, before `/app`.
    #[must_use]
    pub fn base_url(&self) -> &BaseUrl {
        self.desk.root()
    }

    /// The token: what the synchronisation checks before any request.
    #[must_use]
    pub fn token(&self) -> &crate::ApiToken {
        self.desk.token()
    }

    /// Where BitFactura's row `client:sync` has to point: the receiver of this account.
    ///
    /// ```
    /// let client = sugester::Client::builder().account("acme".parse()?).token("q7Pw/acme".parse()?).build()?;
    /// assert_eq!(client.receiver_url(), "https://acme.sugester.pl/app/clients/external_update.json");
    /// # Ok::<(), sugester::Error>(())
    /// ```
    #[must_use]
    pub fn receiver_url(&self) -> String {
        self.desk.root().join(&self.receiver_path).into()
    }

    pub(crate) fn receiver_path(&self) -> &str {
        &self.receiver_path
    }

    /// The client's source of time.
    #[must_use]
    pub fn clock(&self) -> &std::sync::Arc<dyn integration_core::clock::Clock> {
        self.desk.caller().clock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receivers_path_cannot_leave_the_host() {
        for good in [RECEIVER, "/app/deals/external_update.json", "/x"] {
            assert!(check_path(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "/",
            "x",
            "//evil.example",
            "/../x",
            "/a/./b",
            "/a?b",
            "/a#b",
            "/a/",
            "@evil.example/x",
            "/%2e/x",
        ] {
            assert!(check_path(bad).unwrap_err().is_not_sent(), "{bad}");
        }
    }
}
