//! The client: environment, credentials, settings, and the one way in which a call is made.
//!
//! The rules enforced here (contract 2.1 to 2.3): there is no default address; what is missing is told when the client is built; at
//! most four calls are in flight; a call that only reads may be repeated.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use integration_core::call::{
    BaseUrl, Call, Caller, CallerBuilder, Env, Idempotency, Lane, Operation, RetryPolicy, Session, Timeouts,
};
use integration_core::clock::Clock;
use integration_core::{Answer, Error, Fault, Secret};
use jiff::Timestamp;
use serde_json::Value;

use crate::assumptions::Assumptions;
use crate::auth::{self, PasswordLogin};
use crate::error::{Problem, Route};
use crate::feature::{Feature, fold};
use crate::filter::{QUERY_LIMIT, query_length};
use crate::record::{Reader, Record};
use crate::schema::Schema;
use crate::time::LocalTimes;

/// Contract 2.3: connecting 10 s, one exchange 30 s, all tries of a call 60 s.
const TIMEOUTS: Timeouts =
    Timeouts::new(Duration::from_secs(10), Duration::from_secs(60)).with_attempt(Duration::from_secs(30));
/// One exchange about feasibility.
pub(crate) const FEASIBILITY: Duration = Duration::from_secs(15);
/// A page that brings nothing for so long has stalled (assumed).
const STALL: Duration = Duration::from_secs(15);
const IN_FLIGHT: usize = 4;
/// Pages of 500 rows have 128 KiB for each (assumed).
const PAGE_LIMIT: u64 = 64 * 1024 * 1024;
/// Observed: a description is good for an hour.
const SCHEMA_LIFE: Duration = Duration::from_secs(3600);

const DESCRIBE: Operation = Operation::get("describe a feature", "/{feature}/desc");

/// Which service a client talks to. There is no default (contract 2.1).
///
/// ```
/// use geosite::Environment;
///
/// let provider = Environment::at("https://mapas.provedor.example/geosite-telecom-api/")?;
/// assert!(Environment::at("http://mapas.provedor.example").is_err()); // plain http to this machine only
/// # Ok::<(), geosite::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Environment {
    /// The vendor's own host, `telecom.digicade.com.br` (documented).
    Hosted,
    /// The `api_url` that was handed out with user and password.
    At(BaseUrl),
}

impl Environment {
    /// The service at this `api_url`: https, or plain http to this machine.
    ///
    /// For plain http within a company's network see [`BaseUrl::parse_insecure_private`], whose result goes into
    /// [`Environment::At`].
    ///
    /// # Errors
    /// As [`BaseUrl::parse`]: not for user info, a query or a fragment in the address.
    pub fn at(api_url: &str) -> Result<Self, Error> {
        let hint = "give the `api_url` as it was handed out, such as https://host/geosite-telecom-api";
        BaseUrl::parse(api_url).map(Self::At).map_err(|error| error.with_hint(hint))
    }

    fn base(self) -> Result<BaseUrl, Error> {
        match self {
            Self::Hosted => BaseUrl::parse("https://telecom.digicade.com.br/geosite-telecom-api"),
            Self::At(base) => Ok(base),
        }
    }
}

/// A typed client of GeoSite that can only read; cheap to clone, and clones share connections, login and limits.
#[derive(Debug, Clone)]
pub struct Client(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    caller: Caller,
    credentials: Arc<Session<PasswordLogin>>,
    lane: Lane,
    stall: Duration,
    page_limit: u64,
    assumptions: Assumptions,
    times: Arc<LocalTimes>,
    /// One of each feature.
    readers: Vec<Arc<Reader>>,
    schemas: Mutex<HashMap<Feature, (Duration, Arc<Schema>)>>,
}

/// Sets a [`Client`] up.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    environment: Option<Environment>,
    /// Hidden as the password is: it is a person's, as often as not.
    username: Secret,
    password: Option<Secret>,
    legacy: bool,
    in_flight: usize,
    gap: Duration,
    stall: Duration,
    page_limit: u64,
    assumptions: Assumptions,
    caller: CallerBuilder,
}

impl ClientBuilder {
    integration_core::caller_setters!(caller);

    /// Says which service; needed.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Says who calls; needed.
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.username = Secret::new(username);
        self.password = Some(password.into());
        self
    }

    /// Replaces the contract's assumptions by those of the installation at hand.
    pub fn assumptions(mut self, assumptions: Assumptions) -> Self {
        self.assumptions = assumptions;
        self
    }

    /// Logs in by the older dialect, which puts **user and password into the address** and uses `Bearer` (observed; off unless set).
    /// The address is redacted in everything that this crate prints, but servers and proxies on the way log it.
    pub fn legacy_auth(mut self, on: bool) -> Self {
        self.legacy = on;
        self
    }

    /// How many calls are under way at once; 4 unless set, at least 1 (assumed).
    pub fn calls_in_flight(mut self, calls: usize) -> Self {
        self.in_flight = calls.max(1);
        self
    }

    /// Starts at most so many calls in so much time, evenly spread; off unless set, since no limit is published. Waiting for its moment
    /// counts into a call's [`timeout`](Self::timeout): one whose moment comes later ends as not sent.
    pub fn rate_limit(mut self, calls: u32, per: Duration) -> Self {
        self.gap = per.checked_div(calls).unwrap_or_default();
        self
    }

    /// How long a list may bring nothing before it counts as stalled; 15 s unless set (assumed).
    pub fn stall_timeout(mut self, pause: Duration) -> Self {
        self.stall = pause;
        self
    }

    /// How many bytes one page of a list may have; 64 MiB unless set (assumed). A page is decoded as it comes and never held, so this
    /// ends a body that does not end by itself. A list that asks for more than a thousand rows at a time has 64 KiB for each.
    pub fn page_limit(mut self, bytes: u64) -> Self {
        self.page_limit = bytes;
        self
    }

    /// Names the program to the service.
    pub fn user_agent(mut self, name: &'static str) -> Self {
        self.caller = self.caller.user_agent(name);
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// A validation error with everything that is missing or cannot work, or a configuration error if this machine's TLS cannot be
    /// set up.
    pub fn build(self) -> Result<Client, Error> {
        let mut faults = self.missing();
        let times = self.assumptions.times().map_err(|error| faults.extend(error.faults().iter().cloned()));
        let (Some(environment), Some(password), Ok(times), true) =
            (self.environment, self.password, times, faults.is_empty())
        else {
            return Err(
                Error::validation("configure", faults).with_hint("nothing was sent; set what is named")
            );
        };
        let anonymous = self.caller.base(environment.base()?).build()?;
        let clock = anonymous.clock().clone();
        let login = PasswordLogin {
            caller: anonymous.clone(),
            username: self.username,
            password,
            legacy: self.legacy,
        };
        let session = Session::new(login, clock, auth::MARGIN).pause_after_failure(auth::PAUSE);
        let credentials = Arc::new(session);
        let times = Arc::new(times);
        let reader = |feature| Arc::new(Reader::new(feature, &self.assumptions, times.clone()));
        let readers = Feature::ALL.into_iter().map(reader).collect();
        Ok(Client(Arc::new(Parts {
            caller: anonymous.with_credentials(credentials.clone()),
            credentials,
            lane: Lane::new(self.in_flight).with_gap(self.gap),
            stall: self.stall,
            page_limit: self.page_limit,
            assumptions: self.assumptions,
            times,
            readers,
            schemas: Mutex::default(),
        })))
    }

    fn missing(&self) -> Vec<Fault> {
        let empty = |missing: bool, path: &'static str, what: &'static str| {
            missing
                .then(|| Fault::error("CONFIG", path).with_expected(what).with_hint("set it on the builder"))
        };
        let no_password = self.password.as_ref().is_none_or(Secret::is_empty);
        [
            empty(self.environment.is_none(), "environment", "the api_url, which has no default"),
            empty(self.username.reveal().trim().is_empty(), "username", "a user name"),
            empty(no_password, "password", "a password"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A call of this service, before it is made.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) operation: Operation,
    feature: Option<Feature>,
    queries: Vec<(&'static str, String)>,
    body: Option<Vec<u8>>,
    attempt: Option<Duration>,
    hidden: Vec<Secret>,
}

impl Ask {
    pub(crate) fn new(operation: Operation) -> Self {
        Self { operation, feature: None, queries: Vec::new(), body: None, attempt: None, hidden: Vec::new() }
    }

    pub(crate) fn of(operation: Operation, feature: Feature) -> Self {
        Self { feature: Some(feature), ..Self::new(operation) }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.queries.push((name, value.to_string()));
        self
    }

    pub(crate) fn json(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Masks these in errors, for services repeat what they were sent.
    pub(crate) fn hiding(mut self, secrets: impl IntoIterator<Item = Secret>) -> Self {
        self.hidden.extend(secrets);
        self
    }

    /// Limits one exchange.
    pub(crate) fn attempt(mut self, limit: Duration) -> Self {
        self.attempt = Some(limit);
        self
    }

    /// Method and path, as errors name it.
    pub(crate) fn route(&self) -> Route {
        let path = self.operation.path.replace("{feature}", self.feature.map_or("", Feature::segment));
        Route { operation: self.operation.name, text: format!("{} {path}", self.operation.method) }
    }

    /// # Errors
    /// If the query string is longer than the contract allows.
    pub(crate) fn call(self, client: &Client) -> Result<Call, Error> {
        let length = query_length(&self.queries);
        if length > QUERY_LIMIT {
            let reason = format!("the query has {length} bytes of {QUERY_LIMIT}");
            return Err(self.route().error(Problem::FilterInvalid { reason }));
        }
        // Contract 2.3: a save is never repeated by itself, not even where nothing left; who wants it looks first.
        let is_once = self.operation.idempotency == Idempotency::Once;
        let mut call = Call::new(self.operation).in_lane(&client.0.lane).idle_timeout(client.0.stall);
        if is_once {
            call = call.retry(RetryPolicy::never());
        }
        if let Some(feature) = self.feature {
            call = call.param("feature", feature.segment());
        }
        call = self.hidden.into_iter().fold(call, Call::with_secret);
        call = self.queries.into_iter().fold(call, |call, (name, value)| call.query(name, value));
        if let Some(body) = self.body {
            call = call.json(body);
        }
        let timeouts = client.0.caller.timeouts();
        let limit = self.attempt.map(|limit| limit.min(timeouts.attempt()));
        Ok(match limit {
            Some(limit) => call.timeouts(timeouts.with_attempt(limit)),
            None => call,
        })
    }
}

impl Client {
    /// Starts setting up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            environment: None,
            username: Secret::new(""),
            password: None,
            legacy: false,
            in_flight: IN_FLIGHT,
            gap: Duration::ZERO,
            stall: STALL,
            page_limit: PAGE_LIMIT,
            assumptions: Assumptions::default(),
            caller: CallerBuilder::default()
                .timeouts(TIMEOUTS)
                .retry(RetryPolicy::new())
                .user_agent(concat!("geosite/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// A client from the environment: `GEOSITE_BASE_URL` (the `api_url`), `GEOSITE_USERNAME`, `GEOSITE_PASSWORD`, and optionally
    /// `GEOSITE_TIMEOUT` and `GEOSITE_CONNECT_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder_from_env()?.build()
    }

    /// As [`from_env`](Self::from_env), to be set up further: assumptions, limits.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn builder_from_env() -> Result<ClientBuilder, Error> {
        Self::builder_from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`builder_from_env`](Self::builder_from_env), with the variables taken from `lookup`: a configuration file, a test.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    ///
    /// ```
    /// use geosite::Client;
    ///
    /// let client = Client::builder_from_lookup(|name| match name {
    ///     "GEOSITE_BASE_URL" => Some("http://127.0.0.1:7805/geosite-telecom-api".into()),
    ///     "GEOSITE_USERNAME" => Some("hubsoft".into()),
    ///     "GEOSITE_PASSWORD" => Some("the account's password".into()),
    ///     _ => None,
    /// })?
    /// .build()?;
    /// # Ok::<(), geosite::Error>(())
    /// ```
    pub fn builder_from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<ClientBuilder, Error> {
        let mut env = Env::from_lookup(lookup);
        let settings = env.settings("GEOSITE");
        if settings.base_url.is_none() && env.optional("GEOSITE_BASE_URL").is_none() {
            _ = env.required("GEOSITE_BASE_URL", "the api_url, such as https://host/geosite-telecom-api");
        }
        let username = env.required("GEOSITE_USERNAME", "the user name that came with the api_url");
        let password = env.required_secret("GEOSITE_PASSWORD", "the password that came with the api_url");
        env.finish()?;
        let mut builder = Self::builder().credentials(username, password);
        builder.environment = settings.base_url.clone().map(Environment::At);
        builder.caller = builder.caller.settings(&settings);
        Ok(builder)
    }

    /// The client's source of time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.0.caller.clock()
    }

    /// What it assumes.
    #[must_use]
    pub fn assumptions(&self) -> &Assumptions {
        &self.0.assumptions
    }

    pub(crate) fn times(&self) -> &Arc<LocalTimes> {
        &self.0.times
    }

    pub(crate) fn page_limit(&self) -> u64 {
        self.0.page_limit
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.0.caller
    }

    pub(crate) fn reader(&self, feature: Feature) -> Arc<Reader> {
        let known = self.0.readers.iter().find(|reader| reader.feature() == feature).cloned();
        known.unwrap_or_else(|| Arc::new(Reader::new(feature, &self.0.assumptions, self.0.times.clone())))
    }

    /// The columns that the configuration names for a feature.
    pub(crate) fn configured(&self, feature: Feature) -> Vec<String> {
        crate::record::configured(feature, &self.0.assumptions)
    }

    /// Logs in, unless that was done and is still good.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 2.2).
    ///
    /// # Errors
    /// What the login met.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// client.log_in().await?; // not needed: every call does it
    /// # Ok(()) });
    /// ```
    pub async fn log_in(&self) -> Result<(), Error> {
        self.0.caller.authorize(&*self.0.credentials).await.map(|_| ())
    }

    /// Makes a call and reads its answer.
    pub(crate) async fn ask<T>(
        &self,
        ask: Ask,
        read: impl Fn(Value, &Route) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        let route = ask.route();
        let call = ask.call(self)?;
        let clock = self.clock().clone();
        let judge = |answer: &Answer| route.whole(answer, &*clock, |value| read(value, &route));
        Ok(self.0.caller.call(&call, judge).await?.value)
    }

    /// The columns of a feature (F1), as they were read within the last hour.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2).
    ///
    /// # Errors
    /// What the call met, or [`Problem::UnexpectedShape`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let schema = client.schema(Feature::Cto).await?;
    /// println!("{schema:?}");
    /// # Ok(()) });
    /// ```
    #[doc(alias("desc", "colunas"))]
    pub async fn schema(&self, feature: Feature) -> Result<Arc<Schema>, Error> {
        let now = self.clock().elapsed();
        let known = self.schemas().get(&feature).cloned();
        match known {
            Some((read, schema)) if now.saturating_sub(read) < SCHEMA_LIFE => Ok(schema),
            _ => self.read_schema(feature).await,
        }
    }

    /// Whether an element is built, as far as anybody can tell: what has no status is not taken for a design.
    pub(crate) fn is_existing(&self, record: &Record) -> bool {
        let assumptions = self.assumptions();
        let existing = |status: &str| {
            assumptions.status_existing_values.iter().any(|value| fold(value.trim()) == fold(status.trim()))
        };
        !assumptions.existing_only() || record.status.as_deref().is_none_or(existing)
    }

    /// The columns of a feature as they are now.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2).
    ///
    /// # Errors
    /// As [`schema`](Self::schema).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::Feature;
    ///
    /// let schema = client.read_schema(Feature::Cto).await?; // asks, however fresh the kept one is
    /// println!("{schema:?}");
    /// # Ok(()) });
    /// ```
    pub async fn read_schema(&self, feature: Feature) -> Result<Arc<Schema>, Error> {
        let read = |value: Value, route: &Route| Schema::read(feature, &value, route);
        let schema = Arc::new(self.ask(Ask::of(DESCRIBE, feature), read).await?);
        let now = self.clock().elapsed();
        self.schemas().insert(feature, (now, schema.clone()));
        Ok(schema)
    }

    fn schemas(&self) -> std::sync::MutexGuard<'_, HashMap<Feature, (Duration, Arc<Schema>)>> {
        // What is kept is whole at any moment.
        self.0.schemas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `Date` of an answer.
pub(crate) fn date_of(answer: &Answer) -> Option<Timestamp> {
    let text = answer.headers().get(http::header::DATE)?.to_str().ok()?;
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}

/// Every operation and whether it may be repeated after it may have been applied.
///
/// ```
/// use geosite::Idempotency;
///
/// let once = geosite::idempotency_table().iter().filter(|row| row.1 == Idempotency::Once);
/// assert!(once.count() <= 1); // the write-back of a link, with the feature `store`; everything else reads
/// ```
#[must_use]
pub fn idempotency_table() -> &'static [(&'static str, Idempotency)] {
    static TABLE: std::sync::LazyLock<Vec<(&'static str, Idempotency)>> = std::sync::LazyLock::new(|| {
        let rows = operations();
        rows.iter().map(|operation| (operation.name, operation.idempotency)).collect()
    });
    &TABLE
}

fn operations() -> Vec<Operation> {
    #[allow(unused_mut)]
    let mut rows = vec![
        auth::LOG_IN,
        auth::REFRESH,
        auth::LEGACY,
        DESCRIBE,
        crate::list::LIST,
        crate::list::GET,
        crate::feasibility::BOXES,
        crate::feasibility::FACILITIES,
        crate::feasibility::CABLE,
    ];
    #[cfg(feature = "hubsoft")]
    rows.extend(crate::hubsoft::OPERATIONS);
    #[cfg(feature = "store")]
    rows.push(crate::link::SAVE);
    rows
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn faulty(variables: &[(&str, &str)]) -> Vec<String> {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match Client::builder_from_lookup(lookup).and_then(ClientBuilder::build) {
            Ok(_) => Vec::new(),
            Err(error) => error.faults().iter().map(|fault| fault.path().to_owned()).collect(),
        }
    }

    #[test]
    fn the_environment_tells_all_faults_at_once() {
        assert_eq!(faulty(&[]), ["GEOSITE_BASE_URL", "GEOSITE_USERNAME", "GEOSITE_PASSWORD"]);
        let whole = [
            ("GEOSITE_BASE_URL", "http://127.0.0.1:1/geosite-telecom-api/"),
            ("GEOSITE_USERNAME", "u"),
            ("GEOSITE_PASSWORD", "p"),
        ];
        assert!(faulty(&whole).is_empty());
        for (bad, expected) in [
            ("http://example.com", "GEOSITE_BASE_URL"),
            ("https://u:p@example.com", "GEOSITE_BASE_URL"),
            ("https://example.com/?a=b", "GEOSITE_BASE_URL"),
            ("https://example.com/#a", "GEOSITE_BASE_URL"),
        ] {
            assert_eq!(faulty(&[("GEOSITE_BASE_URL", bad), whole[1], whole[2]]), [expected], "{bad}");
        }
    }

    /// Trap 5.
    #[test]
    fn what_is_missing_is_told_when_the_client_is_built() {
        let paths = |builder: ClientBuilder| -> Vec<String> {
            builder.build().unwrap_err().faults().iter().map(|fault| fault.path().to_owned()).collect()
        };
        assert_eq!(paths(Client::builder()), ["environment", "username", "password"]);
        assert_eq!(
            paths(Client::builder().environment(Environment::Hosted).credentials("u", "")),
            ["password"]
        );
        let mut assumptions = Assumptions::default();
        (assumptions.page_size, assumptions.change_zone) = (0, "Mars/Phobos".into());
        let builder = Client::builder().environment(Environment::Hosted).credentials("u", "p");
        assert_eq!(paths(builder.assumptions(assumptions)), ["page_size", "change_zone"]);
    }

    #[test]
    fn the_hosted_address_is_the_documented_one() {
        let base = Environment::Hosted.base().unwrap();
        assert_eq!(
            base.join("/cto/list").as_str(),
            "https://telecom.digicade.com.br/geosite-telecom-api/cto/list"
        );
        let slash = Environment::at("https://h/x/").unwrap().base().unwrap();
        assert_eq!(slash.join("/cto/list").as_str(), "https://h/x/cto/list");
    }

    #[test]
    fn no_operation_but_the_write_back_changes_anything() {
        let (saves, reads): (Vec<_>, Vec<_>) =
            operations().into_iter().partition(|operation| operation.idempotency == Idempotency::Once);
        let saves: Vec<_> = saves.iter().map(|save| (save.name, save.path)).collect();
        let write_back: &[_] =
            if cfg!(feature = "store") { &[("save a customer", "/cliente/save")] } else { &[] };
        assert_eq!(saves, write_back);
        for operation in reads {
            let login = operation.path.starts_with("/auth/") || operation.path.starts_with("/oauth/");
            let expected = if login { Idempotency::Keyed } else { Idempotency::Safe };
            assert_eq!(operation.idempotency, expected, "{}", operation.name);
            assert!(operation.method == Method::GET || operation.method == Method::POST);
            assert!(!operation.path.contains("save") && !operation.path.contains("delete"));
        }
    }
}
