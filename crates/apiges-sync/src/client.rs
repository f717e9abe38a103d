//! The client of layer A: where the installation is, who calls, in which language, and the one way in which a call is made.
//!
//! The rules enforced here (contract 2.1): there is no default address; what only reads may be repeated, everything else never by
//! itself, except once after a new login; plain http leaves this machine only where the code says so.
//!
//! **Row 2.1 against promise 7.** The vendor documents `http://<domain>:<port>`, and the contract lets plain http to another host pass
//! with a warning. The workspace promises plain http to this machine only. Both hold as decision 0008 has it: [`Environment::at`] and the
//! environment variables take https or this machine; [`Environment::private_network`], said in code, also takes private addresses and
//! hosts that are named one by one, and warns; a public host is never reached by plain http; [`ClientBuilder::require_tls`] refuses
//! whatever leaves this machine unencrypted.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};
use integration_core::call::{
    BaseUrl, Call, Caller, CallerBuilder, Env, Idempotency, Operation, RetryPolicy, Session, Timeouts,
};
use integration_core::clock::Clock;
use integration_core::{Answer, Error, Fault, Secret};
use serde::Serialize;

use crate::assumptions::Assumptions;
use crate::auth::{self, PasswordLogin};
use crate::error::{Problem, Route};
use crate::language::{Lang, UnknownLanguage};
use crate::record::{Data, FieldError, Record};
use crate::search::{Found, Search};
use crate::wire::Received;

/// Contract 2.1.
const TIMEOUTS: Timeouts = Timeouts::new(Duration::from_secs(10), Duration::from_secs(60));
/// Contract 2.1: retried 3 times, so four requests.
const REQUESTS: u32 = 4;
/// A search has no pages that are known, so its answer is as large as what matches (assumed).
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Where an installation is. There is no default (contract 2.1).
///
/// ```
/// use apiges_sync::Environment;
///
/// assert!(Environment::at("https://gestor.bufete.example:8443").is_ok());
/// assert!(Environment::at("http://192.168.1.20:8080").is_err());
/// assert!(Environment::private_network("http://192.168.1.20:8080", &[]).is_ok());
/// assert!(Environment::private_network("http://gestor.local:8071", &["gestor.local"]).is_ok());
/// assert!(Environment::private_network("http://93.184.216.34:8080", &[]).is_err()); // a public host
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment(BaseUrl);

impl Environment {
    /// The installation at this root: https, or plain http to this machine.
    ///
    /// # Errors
    /// As [`BaseUrl::parse`]: not for plain http to another machine, nor for user info, a query or a fragment in the address.
    pub fn at(root: &str) -> Result<Self, Error> {
        BaseUrl::parse(root).map(Self)
    }

    /// An installation within the firm's own network that offers no https: plain http is allowed to literal private addresses and to
    /// the hosts in `named`, exact names. **Whoever shares that network reads and changes everything that is sent, password
    /// included.** Building the client warns.
    ///
    /// # Errors
    /// As [`BaseUrl::parse_insecure_private`]: never for plain http to a public host.
    pub fn private_network(root: &str, named: &[&str]) -> Result<Self, Error> {
        BaseUrl::parse_insecure_private(root, named).map(Self)
    }
}

impl From<BaseUrl> for Environment {
    fn from(base: BaseUrl) -> Self {
        Self(base)
    }
}

/// A typed client of an installation's REST API; cheap to clone, and clones share connections, login and limits.
#[derive(Debug, Clone)]
pub struct Client {
    parts: Arc<Parts>,
    language: Option<Lang>,
}

#[derive(Debug)]
struct Parts {
    caller: Caller,
    credentials: Arc<Session<PasswordLogin>>,
    assumptions: Assumptions,
}

/// Sets a [`Client`] up.
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    environment: Option<Environment>,
    /// Hidden as the password is: who works at a firm is nobody's to read in a log.
    username: Secret,
    password: Option<Secret>,
    language: Option<Lang>,
    require_tls: bool,
    assumptions: Assumptions,
    caller: CallerBuilder,
}

impl ClientBuilder {
    integration_core::caller_setters!(caller);

    /// Says where the installation is; needed.
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

    /// The language of descriptions in every call that names no other; unless set, the header is not sent and the service answers in
    /// Spanish.
    pub fn language(mut self, language: Lang) -> Self {
        self.language = Some(language);
        self
    }

    /// Refuses plain http to any other machine, whatever [`environment`](Self::environment) allows.
    pub fn require_tls(mut self, on: bool) -> Self {
        self.require_tls = on;
        self
    }

    /// Replaces the contract's assumptions by those of the installation at hand.
    pub fn assumptions(mut self, assumptions: Assumptions) -> Self {
        self.assumptions = assumptions;
        self
    }

    /// Names the program to the service.
    pub fn user_agent(mut self, name: &'static str) -> Self {
        self.caller = self.caller.user_agent(name);
        self
    }

    /// Builds the client; nothing is sent. Plain http to another machine is told as a warning of `tracing`.
    ///
    /// # Errors
    /// A validation error with everything that is missing or cannot work, or a configuration error if this machine's TLS cannot be
    /// set up.
    pub fn build(self) -> Result<Client, Error> {
        let faults = self.faults();
        let (Some(Environment(base)), Some(password), true) =
            (self.environment, self.password, faults.is_empty())
        else {
            let error = Error::validation("configure", faults);
            return Err(error.with_hint("nothing was sent; set what is named"));
        };
        warn_of_plain(&base);
        let anonymous = self.caller.base(base).build()?;
        let clock = anonymous.clock().clone();
        let login = PasswordLogin {
            caller: anonymous.clone(),
            username: self.username,
            password,
            assumptions: self.assumptions.clone(),
        };
        let session = Session::new(login, clock, self.assumptions.renewal_margin);
        let credentials = Arc::new(session.pause_after_failure(self.assumptions.login_pause));
        let caller = anonymous.with_credentials(credentials.clone());
        let parts = Parts { caller, credentials, assumptions: self.assumptions };
        Ok(Client { parts: Arc::new(parts), language: self.language })
    }

    fn faults(&self) -> Vec<Fault> {
        let wrong = |wrong: bool, path: &'static str, what: &'static str| {
            wrong.then(|| Fault::error("CONFIG", path).with_expected(what).with_hint("set it on the builder"))
        };
        let no_password = self.password.as_ref().is_none_or(Secret::is_empty);
        let plain = self.environment.as_ref().is_some_and(|Environment(base)| leaves_plain(base));
        let own = [
            wrong(
                self.environment.is_none(),
                "environment",
                "the root of the installation, which has no default",
            ),
            wrong(self.require_tls && plain, "environment", "https, since TLS is required"),
            wrong(self.username.reveal().trim().is_empty(), "username", "a user name"),
            wrong(no_password, "password", "a password"),
        ];
        own.into_iter().flatten().chain(self.assumptions.faults()).collect()
    }
}

/// Whether what is sent there leaves this machine unencrypted.
pub(crate) fn leaves_plain(base: &BaseUrl) -> bool {
    base.is_plain() && !base.is_loopback()
}

/// Trap 4.
fn warn_of_plain(base: &BaseUrl) {
    if leaves_plain(base) {
        let host = base.host();
        tracing::warn!(
            host,
            "plain http within the network: whoever shares it reads and changes everything, password included"
        );
    }
}

/// A call of this service, before it is made.
#[derive(Debug)]
pub(crate) struct Ask {
    operation: Operation,
    call: Call,
}

impl Ask {
    pub(crate) fn new(operation: Operation) -> Self {
        Self { call: Call::new(operation.clone()), operation }
    }

    pub(crate) fn id(mut self, name: &'static str, id: u64) -> Self {
        self.call = self.call.param(name, id);
        self
    }

    /// # Errors
    /// If the body is no JSON object.
    pub(crate) fn json(mut self, body: &(impl Serialize + ?Sized)) -> Result<Self, Error> {
        self.call = self.call.json(body_of(self.operation.name, body)?);
        Ok(self)
    }

    /// What the contract says of repeating: reading may be, everything else never by itself, however safe the core would know it to be.
    fn call(self, language: Option<Lang>) -> Call {
        // Requests and answers hold clients' data, and errors hold none (R5).
        let call = self.call.with_private_answer();
        let call = match language {
            Some(language) => call.header(header::ACCEPT_LANGUAGE, language.code()),
            None => call,
        };
        if self.operation.idempotency == Idempotency::Safe { call } else { call.retry(RetryPolicy::never()) }
    }
}

/// # Errors
/// A validation error if it is no JSON object.
pub(crate) fn body_of(operation: &'static str, body: &(impl Serialize + ?Sized)) -> Result<Vec<u8>, Error> {
    let written = serde_json::to_vec(body).ok().filter(|bytes| bytes.first() == Some(&b'{'));
    written.ok_or_else(|| {
        let fault = Fault::error("BODY", "body").with_expected("a JSON object");
        Error::validation(operation, vec![fault]).with_hint("nothing was sent")
    })
}

impl Client {
    /// Starts setting up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            environment: None,
            username: Secret::new(""),
            password: None,
            language: None,
            require_tls: false,
            assumptions: Assumptions::default(),
            caller: CallerBuilder::default()
                .timeouts(TIMEOUTS)
                .retry(RetryPolicy::new().with_max_attempts(REQUESTS))
                .body_limit(BODY_LIMIT)
                .user_agent(concat!("apiges-sync/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// A client from the environment: `APIGES_BASE_URL` (https, or plain http to this machine), `APIGES_USERNAME`, `APIGES_PASSWORD`,
    /// and optionally `APIGES_TIMEOUT` and `APIGES_CONNECT_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::builder_from_env()?.build()
    }

    /// As [`from_env`](Self::from_env), to be set up further: language, assumptions, limits.
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
    /// use apiges_sync::Client;
    ///
    /// let client = Client::builder_from_lookup(|name| match name {
    ///     "APIGES_BASE_URL" => Some("http://127.0.0.1:7807".into()),
    ///     "APIGES_USERNAME" => Some("web".into()),
    ///     "APIGES_PASSWORD" => Some("the user's password".into()),
    ///     _ => None,
    /// })?
    /// .build()?;
    /// # Ok::<(), apiges_sync::Error>(())
    /// ```
    pub fn builder_from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<ClientBuilder, Error> {
        Self::builder_from(Env::from_lookup(lookup), Environment::at)
    }

    /// As [`builder_from_lookup`](Self::builder_from_lookup) for an installation without https in the firm's own network: the address
    /// may be one of [`Environment::private_network`], whose warning applies. It is said here, in code, that this is wanted; no
    /// variable can.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    ///
    /// ```no_run
    /// use apiges_sync::Client;
    ///
    /// let variables = |name: &str| std::env::var(name).ok();
    /// let client = Client::builder_in_private_network(variables, &["gestor.local"])?.build()?;
    /// # Ok::<(), apiges_sync::Error>(())
    /// ```
    pub fn builder_in_private_network(
        lookup: impl Fn(&str) -> Option<String>,
        named: &[&str],
    ) -> Result<ClientBuilder, Error> {
        Self::builder_from(Env::from_lookup(lookup), |text| Environment::private_network(text, named))
    }

    fn builder_from(
        mut env: Env<'_>,
        read: impl Fn(&str) -> Result<Environment, Error>,
    ) -> Result<ClientBuilder, Error> {
        let root = env.required("APIGES_BASE_URL", "the root of the installation, such as https://host:8443");
        let environment = read(&root).map_err(|error| {
            if !root.is_empty() {
                env.fault(
                    Fault::error("ENV", "APIGES_BASE_URL")
                        .with_hint(error.message().unwrap_or_default().to_owned()),
                );
            }
        });
        let username = env.required("APIGES_USERNAME", "the user that Grupo 10 handed out");
        let password = env.required_secret("APIGES_PASSWORD", "the password of that user");
        let (total, connect) = (env.seconds("APIGES_TIMEOUT"), env.seconds("APIGES_CONNECT_TIMEOUT"));
        env.finish()?;
        let builder = Self::builder().credentials(username, password);
        let builder = total.into_iter().fold(builder, ClientBuilder::timeout);
        let builder = connect.into_iter().fold(builder, ClientBuilder::connect_timeout);
        Ok(ClientBuilder { environment: environment.ok(), ..builder })
    }

    /// The same client with descriptions in another language: per call, since this costs nothing.
    ///
    /// ```
    /// # fn run(client: apiges_sync::Client) {
    /// use apiges_sync::Lang;
    ///
    /// let french = client.in_language(Lang::Fr);
    /// # }
    /// ```
    #[must_use]
    pub fn in_language(&self, language: Lang) -> Self {
        Self { parts: self.parts.clone(), language: Some(language) }
    }

    /// As [`in_language`](Self::in_language) for a code from elsewhere, such as a viewer's choice.
    ///
    /// # Errors
    /// A validation error for a language that the service does not offer; nothing is sent.
    pub fn in_language_code(&self, code: &str) -> Result<Self, Error> {
        let language = code.parse::<Lang>().map_err(|unknown: UnknownLanguage| {
            let fault = Fault::error("LANG", "accept-language").with_expected(unknown.to_string());
            Error::validation("choose a language", vec![fault]).with_hint("nothing was sent")
        })?;
        Ok(self.in_language(language))
    }

    /// Its language, if one was set.
    #[must_use]
    pub const fn language(&self) -> Option<Lang> {
        self.language
    }

    /// The client's source of time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.parts.caller.clock()
    }

    /// What it assumes.
    #[must_use]
    pub fn assumptions(&self) -> &Assumptions {
        &self.parts.assumptions
    }

    pub(crate) fn base(&self) -> &BaseUrl {
        self.parts.caller.base()
    }

    /// Logs in (`GET /login`, contract 2.1), unless that was done and is still good. Calls do that by themselves; this tells early
    /// whether user and password work.
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed): one more login does no harm.
    ///
    /// # Errors
    /// What the login met: [`ErrorClass::AuthRejected`](crate::ErrorClass::AuthRejected),
    /// [`ErrorClass::AuthShape`](crate::ErrorClass::AuthShape) if there is no token where one is expected.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// client.log_in().await?; // not needed: every call does it
    /// # Ok(()) });
    /// ```
    pub async fn log_in(&self) -> Result<(), Error> {
        self.parts.caller.authorize(&*self.parts.credentials).await.map(drop)
    }

    /// Makes a call and reads its answer.
    pub(crate) async fn ask<T>(
        &self,
        ask: Ask,
        read: impl Fn(&Received) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        let call = ask.call(self.language);
        let route = Route::by(&call);
        let judge = |answer: &Answer| route.judge(answer, &read);
        Ok(self.parts.caller.call(&call, judge).await?.value)
    }

    /// Sends an object; what comes back the contract does not tell.
    pub(crate) async fn write(&self, ask: Ask, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.ask(ask.json(body)?, |received| Ok(received.data())).await
    }

    pub(crate) async fn search<T>(
        &self,
        operation: Operation,
        search: &Search,
        read: impl Fn(Record) -> Result<T, FieldError>,
    ) -> Result<Found<T>, Error> {
        let body = search.body(operation.name, &self.assumptions().search_body)?;
        let ask = Ask { call: Call::new(operation.clone()).json(body), operation };
        Ok(Found::new(self.ask(ask, |received| received.rows(&read)).await?, self.assumptions()))
    }

    /// Any route of the installation (contract 3.3): for the blocks that are named without routes, such as Modificaciones. The envelope
    /// is read as for every other call; what it holds is the caller's to read, and may be nothing.
    ///
    /// `path` begins with a slash, is plain text (not percent-encoded), has at most eight segments and may carry a query
    /// (`/modificaciones?desde=01/02/2026`). `GET`, and `POST` to a path that ends in `/search`, may be repeated; everything else
    /// never is by itself.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) for `GET` and for `POST` to a path that ends in `/search`, else
    /// [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error for a path that cannot be sent as it is, or a body that is no JSON object; what the call met.
    ///
    /// ```no_run
    /// # async fn run(client: apiges_sync::Client) -> Result<(), apiges_sync::Error> {
    /// use http::Method;
    ///
    /// let article = client.raw(Method::GET, "/articulos/5", None).await?;
    /// println!("{:?}", article.record());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<Data, Error> {
        let ask = raw_ask(method, path)?;
        let ask = match body {
            Some(body) => ask.json(body)?,
            None => ask,
        };
        self.ask(ask, |received| Ok(received.data())).await
    }
}

const RAW: &str = "call a route";
/// One segment each, so that nothing in a path is taken for a separator.
const SEGMENTS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];
const TEMPLATES: [&str; 8] = [
    "/{a}",
    "/{a}/{b}",
    "/{a}/{b}/{c}",
    "/{a}/{b}/{c}/{d}",
    "/{a}/{b}/{c}/{d}/{e}",
    "/{a}/{b}/{c}/{d}/{e}/{f}",
    "/{a}/{b}/{c}/{d}/{e}/{f}/{g}",
    "/{a}/{b}/{c}/{d}/{e}/{f}/{g}/{h}",
];

fn raw_ask(method: Method, path: &str) -> Result<Ask, Error> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // A path may name somebody, so it is not repeated (R5).
    let fault = |expected: &'static str| {
        let fault = Fault::error("PATH", "path").with_expected(expected);
        Error::validation(RAW, vec![fault]).with_hint("nothing was sent")
    };
    let rest = path.strip_prefix('/').ok_or_else(|| fault("a path that begins with a slash"))?;
    if rest.contains(['#', '%', '\\']) {
        return Err(fault("plain text, not percent-encoded"));
    }
    let segments: Vec<&str> = rest.split('/').collect();
    let template = TEMPLATES.get(segments.len().saturating_sub(1));
    let template = *template.ok_or_else(|| fault("at most eight segments"))?;
    let search = method == Method::POST && segments.last() == Some(&"search");
    let reads = search || method == Method::GET || method == Method::HEAD;
    let idempotency = if reads { Idempotency::Safe } else { Idempotency::Once };
    let mut ask = Ask::new(Operation::new(RAW, method, template, idempotency));
    for (name, segment) in SEGMENTS.into_iter().zip(segments) {
        ask.call = ask.call.param(name, segment);
    }
    for (name, value) in query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        ask.call = ask.call.query(name, value);
    }
    Ok(ask)
}

/// Every operation of both layers and whether it may be repeated after it may have been applied. The catalogues are one row;
/// [`Client::raw`] has none, since what may be repeated there depends on the method.
///
/// ```
/// use apiges_sync::Idempotency;
///
/// let row = apiges_sync::idempotency_table().iter().find(|row| row.0 == "search contacts");
/// assert_eq!(row.unwrap().1, Idempotency::Safe);
/// ```
#[must_use]
pub fn idempotency_table() -> &'static [(&'static str, Idempotency)] {
    static TABLE: std::sync::LazyLock<Vec<(&'static str, Idempotency)>> = std::sync::LazyLock::new(|| {
        let rest = operations().into_iter().map(|operation| (operation.name, operation.idempotency));
        let mut table: Vec<_> = rest.chain(crate::web::IDEMPOTENCY.iter().copied()).collect();
        // Catalogues differ in nothing but their path.
        table.dedup();
        table
    });
    &TABLE
}

fn operations() -> Vec<Operation> {
    let catalogues = crate::catalogue::Catalogue::ALL.map(crate::catalogue::Catalogue::operation);
    let mut all = vec![auth::LOG_IN];
    all.extend(crate::contact::OPERATIONS);
    all.extend(crate::case_file::OPERATIONS);
    all.extend(crate::invoice::OPERATIONS);
    all.extend(catalogues);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::assumptions::LoginStyle;

    fn paths(result: Result<impl Sized, Error>) -> Vec<String> {
        match result {
            Ok(_) => Vec::new(),
            Err(error) => error.faults().iter().map(|fault| fault.path().to_owned()).collect(),
        }
    }

    fn lookup<'v>(variables: &'v [(&str, &str)]) -> impl Fn(&str) -> Option<String> + 'v {
        |name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    const WHOLE: [(&str, &str); 3] = [
        ("APIGES_BASE_URL", "http://127.0.0.1:1/"),
        ("APIGES_USERNAME", "u"),
        ("APIGES_PASSWORD", "sentinel"),
    ];

    #[test]
    fn the_environment_tells_all_faults_at_once() {
        let build = |variables: &[(&str, &str)]| {
            paths(Client::builder_from_lookup(lookup(variables)).and_then(ClientBuilder::build))
        };
        assert_eq!(build(&[]), ["APIGES_BASE_URL", "APIGES_USERNAME", "APIGES_PASSWORD"]);
        assert!(build(&WHOLE).is_empty());
        for bad in [
            "http://example.com",
            "http://192.168.1.20:8080",
            "https://u:p@example.com",
            "https://example.com/?a=b",
            "gestor",
        ] {
            assert_eq!(build(&[("APIGES_BASE_URL", bad), WHOLE[1], WHOLE[2]]), ["APIGES_BASE_URL"], "{bad}");
        }
        let times = [WHOLE[0], WHOLE[1], WHOLE[2], ("APIGES_TIMEOUT", "0"), ("APIGES_CONNECT_TIMEOUT", "x")];
        assert_eq!(build(&times), ["APIGES_TIMEOUT", "APIGES_CONNECT_TIMEOUT"]);
        let good = [WHOLE[0], WHOLE[1], WHOLE[2], ("APIGES_TIMEOUT", "2.5"), ("APIGES_CONNECT_TIMEOUT", "1")];
        let client = Client::builder_from_lookup(lookup(&good)).unwrap().build().unwrap();
        let timeouts = client.parts.caller.timeouts();
        assert_eq!((timeouts.total().as_millis(), timeouts.connect().as_secs()), (2500, 1));
    }

    /// Trap 4: promise 7 and decision 0008.
    #[test]
    fn plain_http_goes_nowhere_unless_code_says_so() {
        let private = [("APIGES_BASE_URL", "http://192.168.1.20:8080"), WHOLE[1], WHOLE[2]];
        let named = [("APIGES_BASE_URL", "http://gestor.local:8071"), WHOLE[1], WHOLE[2]];
        let public = [("APIGES_BASE_URL", "http://93.184.216.34:8080"), WHOLE[1], WHOLE[2]];
        let build = |variables: &[(&str, &str)], hosts: &[&str]| {
            paths(Client::builder_in_private_network(lookup(variables), hosts).and_then(ClientBuilder::build))
        };
        assert!(build(&private, &[]).is_empty() && build(&named, &["gestor.local"]).is_empty());
        assert_eq!(build(&named, &[]), ["APIGES_BASE_URL"]);
        assert_eq!(build(&public, &[]), ["APIGES_BASE_URL"]);
        let strict = Client::builder_in_private_network(lookup(&private), &[]).unwrap().require_tls(true);
        assert_eq!(paths(strict.build()), ["environment"]);
        let loopback = Client::builder_from_lookup(lookup(&WHOLE)).unwrap().require_tls(true);
        assert!(loopback.build().is_ok());
    }

    #[test]
    fn what_is_missing_is_told_when_the_client_is_built() {
        assert_eq!(paths(Client::builder().build()), ["environment", "username", "password"]);
        let mut assumptions = Assumptions::default();
        assumptions.search_body.field.clear();
        assumptions.token_life = Duration::ZERO;
        assumptions.login_style = LoginStyle::Headers { user: "a b".into(), password: "A B".into() };
        let builder =
            Client::builder().environment(Environment::at("https://h").unwrap()).credentials("u", "p");
        assert_eq!(
            paths(builder.assumptions(assumptions).build()),
            ["search_body.field", "token_life", "login_style.user", "login_style.password"]
        );
    }

    /// Contract 2.1, last row: GET and `POST …/search`, and nothing else.
    #[test]
    fn only_what_reads_is_safe() {
        let all = operations();
        assert_eq!(all.len(), 1 + 9 + 23 + 8 + 33);
        for operation in all {
            let reads = operation.method == Method::GET
                || (operation.method == Method::POST && operation.path.ends_with("/search"));
            assert_eq!(operation.idempotency == Idempotency::Safe, reads, "{}", operation.path);
        }
    }

    #[test]
    fn a_raw_path_stays_what_it_is() {
        for bad in ["", "articulos", "/a%2Fb", "/a#b", "/a\\b", "/1/2/3/4/5/6/7/8/9"] {
            let error = raw_ask(Method::GET, bad).unwrap_err();
            assert!(error.is_not_sent() && error.is_validation(), "{bad}");
        }
        let idempotency = |method: Method, path: &str| raw_ask(method, path).unwrap().operation.idempotency;
        assert_eq!(idempotency(Method::GET, "/modificaciones?desde=01/02/2026"), Idempotency::Safe);
        assert_eq!(idempotency(Method::POST, "/articulos/search"), Idempotency::Safe);
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(idempotency(method, "/articulos/5"), Idempotency::Once);
        }
    }

    #[test]
    fn a_body_is_an_object() {
        for bad in [serde_json::json!([1]), serde_json::json!(null), serde_json::json!("x")] {
            assert_eq!(paths(body_of("create", &bad)), ["body"]);
        }
        assert_eq!(body_of("create", &serde_json::json!({"a": 1})).unwrap(), b"{\"a\":1}");
    }

    #[test]
    fn no_password_is_printed() {
        let builder = Client::builder_from_lookup(lookup(&WHOLE)).unwrap();
        let shown = format!("{builder:?}{:?}", builder.clone().build().unwrap());
        assert!(!shown.contains("sentinel"), "{shown}");
    }
}
