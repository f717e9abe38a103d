//! The client: environment, credential, settings, and the one way in which a call is made.
//!
//! The rules enforced here: a `GET` may be repeated and may follow three redirects within its host; everything else is sent once,
//! follows none, and is only replayed after a 401 (contract 2.3).

use std::sync::Arc;
use std::time::Duration;

use http::{Method, header};
use integration_core::call::{
    BaseUrl, Call, Caller, CallerBuilder, Credentials, Env, Idempotency, Link, Operation, RetryPolicy,
    Session, Timeouts,
};
use integration_core::clock::Clock;
use integration_core::{Error, ErrorKind, Fault};
use serde::Serialize;
use serde_json::Value;

use crate::auth::{self, ApiKey, Credential, PasswordLogin};
use crate::document::Bounds;
use crate::error::Judge;
use crate::wire::Unreadable;

/// Contract 2.3: connecting 10 s, a JSON exchange 60 s. The whole call has time for three attempts and two hints of 120 s.
const TIMEOUTS: Timeouts =
    Timeouts::new(Duration::from_secs(10), Duration::from_secs(420)).with_attempt(JSON);
const JSON: Duration = Duration::from_secs(60);
const DOCUMENT: Duration = Duration::from_secs(300);
/// Contract 2.3: after connect and reset, 429, 502, 503, 504; silence is not among them. Hints up to 120 s.
const RETRIES: RetryPolicy =
    RetryPolicy::new().with_max_hint(Duration::from_secs(120)).with_repeat_after_timeout(false);
const MAX_REDIRECTS: u32 = 3;
const MIB: u64 = 1024 * 1024;

/// Which service a client talks to. There is no default: signatures made in production are real (contract 2.1).
///
/// ```
/// use legale::Environment;
///
/// let local = Environment::root("http://127.0.0.1:7801")?; // V1 below /api, V2 below /api/v2, files below /media
/// assert!(Environment::root("http://legale.example.com").is_err()); // plain http to this machine only
/// # Ok::<(), legale::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
// There is one per client; boxes would only make it awkward to write.
#[allow(clippy::large_enum_variant)]
pub enum Environment {
    /// `api.legale.io`: real signatures.
    Production,
    /// `dev.api.legale.io`: no legal effect; data may vanish without notice. That V2 is served there is assumed.
    Sandbox,
    /// Other addresses: a gateway, a simulator.
    Custom {
        /// The base of V1.
        api: BaseUrl,
        /// The base of V2.
        v2: BaseUrl,
        /// The base of files.
        media: BaseUrl,
    },
}

impl Environment {
    /// The service below one host root: V1 at `{root}/api`, V2 at `{root}/api/v2`, files at `{root}/media`.
    ///
    /// # Errors
    /// A configuration error if it is no https URL, or plain http to another machine.
    pub fn root(url: &str) -> Result<Self, Error> {
        Self::below(&BaseUrl::parse(url)?)
    }

    fn below(root: &BaseUrl) -> Result<Self, Error> {
        let at = |path: &str| BaseUrl::parse(root.join(path).as_str());
        Ok(Self::Custom { api: at("/api")?, v2: at("/api/v2")?, media: at("/media")? })
    }

    fn bases(&self) -> Result<[BaseUrl; 3], Error> {
        match self {
            Self::Production => Self::root("https://api.legale.io")?.bases(),
            Self::Sandbox => Self::root("https://dev.api.legale.io")?.bases(),
            Self::Custom { api, v2, media } => Ok([api.clone(), v2.clone(), media.clone()]),
        }
    }
}

/// The language of the service's error texts, sent as `Accept-Language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Language {
    /// `en`
    English,
    /// `es`, the default (assumed).
    #[default]
    Spanish,
    /// `pt`
    Portuguese,
}

impl Language {
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::Portuguese => "pt",
        }
    }
}

/// What the contract marks as assumed, as settings.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    pub(crate) language: Language,
    pub(crate) attachments_key: &'static str,
    pub(crate) document_limit: u64,
    pub(crate) document_timeout: Option<Duration>,
    pub(crate) replaces: bool,
    pub(crate) contact_by_id: bool,
    pub(crate) page_size: u32,
    pub(crate) status_path: &'static str,
    pub(crate) download_path: &'static str,
}

/// A client of one account. Cheap to clone; clones share connections, session and retry budget. No call leaves a trace that
/// another one could see.
///
/// ```no_run
/// use legale::{Client, Upload};
///
/// # async fn run() -> Result<(), legale::Error> {
/// let client = Client::from_env()?; // LEGALE_BASE_URL, and LEGALE_API_KEY or LEGALE_EMAIL + LEGALE_PASSWORD
/// let created = client.create(&Upload::path("Contrato_ClienteX_2025.pdf", "Contrato de arriendo")).await?;
/// println!("{} {}", created.document.guid, created.sha256);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    v1: Caller,
    v2: Caller,
    media: BaseUrl,
    rules: Rules,
}

/// Sets a [`Client`] up.
///
/// ```
/// use legale::{Client, Credential, Environment, Language};
///
/// let client = Client::builder()
///     .environment(Environment::root("http://127.0.0.1:7801")?)
///     .credential(Credential::api_key("the account's key"))
///     .language(Language::English)
///     .build()?;
/// # Ok::<(), legale::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct ClientBuilder {
    environment: Option<Environment>,
    credential: Option<Credential>,
    margin: Duration,
    life: Duration,
    rules: Rules,
    caller: CallerBuilder,
}

impl ClientBuilder {
    /// Chooses the service; needed.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Says who calls; needed. The last one given is used, never two at once.
    pub fn credential(mut self, credential: Credential) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Chooses the language of error texts; Spanish unless set (assumed).
    pub fn language(mut self, language: Language) -> Self {
        self.rules.language = language;
        self
    }

    integration_core::caller_setters!(caller);

    /// Limits calls that carry a document; 300 s unless set, or the limit of all calls if that was set.
    pub fn document_timeout(mut self, total: Duration) -> Self {
        self.rules.document_timeout = Some(total);
        self
    }

    /// Renews a token when less than this remains of its life; 15 minutes unless set (assumed).
    pub fn renewal_margin(mut self, margin: Duration) -> Self {
        self.margin = margin;
        self
    }

    /// How long a token lives; five hours unless set (documented).
    pub fn token_life(mut self, life: Duration) -> Self {
        self.life = life;
        self
    }

    /// The key under which attachments are sent: `attached_file` unless set. The vendor's sample has `attach_file_list`
    /// (assumed, contract 3.3, trap 6).
    pub fn attachments_key(mut self, key: &'static str) -> Self {
        self.rules.attachments_key = key;
        self
    }

    /// The largest document in bytes, up and down; 100 MiB unless set (assumed, contract 4.12).
    pub fn document_limit(mut self, bytes: u64) -> Self {
        self.rules.document_limit = bytes;
        self
    }

    /// Allows [`Upload::replacing`](crate::Upload::replacing). The vendor reserves it for one product ("G2L").
    pub fn allow_replacing(mut self, on: bool) -> Self {
        self.rules.replaces = on;
        self
    }

    /// Allows to read and delete one contact, calls that exist by analogy only (assumed, contract 3.1 row 15).
    pub fn allow_contact_by_id(mut self, on: bool) -> Self {
        self.rules.contact_by_id = on;
        self
    }

    /// How many items a page has; 50 unless set, at least 1 (assumed). Always sent, since the service otherwise sends everything.
    pub fn page_size(mut self, items: u32) -> Self {
        self.rules.page_size = items.max(1);
        self
    }

    /// The path of a document's status below V1, with `{GUID}`; `/sign/status/{GUID}` unless set (assumed).
    pub fn sign_status_path(mut self, template: &'static str) -> Self {
        self.rules.status_path = template;
        self
    }

    /// The path of a signed file below V1, with `{GUID}`; `/sign/download/{GUID}` unless set (assumed).
    pub fn sign_download_path(mut self, template: &'static str) -> Self {
        self.rules.download_path = template;
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// A configuration error without environment or usable credential, or if this machine's TLS cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let missing = |what| Error::configuration(what, "call it on the builder, or use `Client::from_env`");
        let environment = self.environment.ok_or_else(|| missing("the client has no `environment`"))?;
        let credential = self.credential.ok_or_else(|| missing("the client has no `credential`"))?;
        credential.check()?;
        let [api, v2, media] = environment.bases()?;
        let anonymous = self.caller.base(api).build()?;
        let language = self.rules.language.tag();
        let credentials = credentials(credential, &anonymous, (self.life, self.margin), language);
        let v1 = anonymous.with_credentials(credentials);
        Ok(Client(Arc::new(Parts { v2: v1.at(v2), v1, media, rules: self.rules })))
    }
}

fn credentials(
    credential: Credential,
    caller: &Caller,
    (life, margin): (Duration, Duration),
    language: &'static str,
) -> Arc<dyn Credentials> {
    match credential {
        Credential::Token(token) => Arc::new(auth::bearer(token)),
        Credential::ApiKey(key) => Arc::new(ApiKey(key)),
        Credential::Password { email, password } => {
            let clock = caller.clock().clone();
            let login = PasswordLogin { caller: caller.clone(), email, password, life, language };
            Arc::new(Session::new(login, clock, margin))
        }
    }
}

/// Which of the service's two interfaces.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Api {
    V1,
    V2,
}

/// A call of this service, before it is made.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) operation: Operation,
    pub(crate) call: Call,
    api: Api,
    may_be_empty: bool,
    carries_document: bool,
}

impl Ask {
    pub(crate) fn v1(operation: Operation) -> Self {
        Self::new(Api::V1, operation)
    }

    pub(crate) fn v2(operation: Operation) -> Self {
        Self::new(Api::V2, operation)
    }

    fn new(api: Api, operation: Operation) -> Self {
        let call = Call::new(operation.clone());
        Self { operation, call, api, may_be_empty: false, carries_document: false }
    }

    /// A call to an address from an answer; credentials go along only to the host of the API.
    pub(crate) fn at(operation: Operation, link: &Link) -> Self {
        let call = link.call(operation.clone());
        Self { call, ..Self::new(Api::V1, operation) }
    }

    /// The same call at another of the configured addresses.
    pub(crate) fn to(mut self, base: &BaseUrl) -> Self {
        self.call = self.call.to(base.clone());
        self
    }

    pub(crate) fn param(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.call = self.call.param(name, value);
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.call = self.call.query(name, value);
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, Error> {
        let body = serde_json::to_vec(body).map_err(|cause| {
            let error = Error::new(ErrorKind::Validation, self.operation.name);
            error.with_message("the request cannot be written as JSON").with_source(cause)
        })?;
        self.call = self.call.json(body);
        Ok(self)
    }

    pub(crate) fn map(mut self, change: impl FnOnce(Call) -> Call) -> Self {
        self.call = change(self.call);
        self
    }

    pub(crate) fn may_be_empty(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    pub(crate) fn carries_document(mut self) -> Self {
        self.carries_document = true;
        self
    }
}

impl Client {
    /// The client's source of time, for what goes along with it: waiting, tracking, reminding.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.0.v1.clock()
    }

    /// Starts setting up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            environment: None,
            credential: None,
            margin: auth::MARGIN,
            life: auth::TOKEN_LIFE,
            rules: Rules {
                language: Language::Spanish,
                attachments_key: "attached_file",
                document_limit: 100 * MIB,
                document_timeout: None,
                replaces: false,
                contact_by_id: false,
                page_size: 50,
                status_path: "/sign/status/{GUID}",
                download_path: "/sign/download/{GUID}",
            },
            caller: CallerBuilder::default()
                .timeouts(TIMEOUTS)
                .retry(RETRIES)
                .user_agent(concat!("legale/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// A client from the environment: `LEGALE_BASE_URL` (the host root, such as `https://dev.api.legale.io`), `LEGALE_API_KEY`
    /// or `LEGALE_EMAIL` and `LEGALE_PASSWORD`, and optionally `LEGALE_TIMEOUT` and `LEGALE_CONNECT_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with the variables taken from `lookup`: a configuration file, a test.
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    ///
    /// ```
    /// use legale::Client;
    ///
    /// let client = Client::from_lookup(|name| match name {
    ///     "LEGALE_BASE_URL" => Some("http://127.0.0.1:7801".into()),
    ///     "LEGALE_API_KEY" => Some("the account's key".into()),
    ///     _ => None,
    /// })?;
    /// # Ok::<(), legale::Error>(())
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        builder_from(lookup)?.build()
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.0.rules
    }

    pub(crate) fn media(&self) -> &BaseUrl {
        &self.0.media
    }

    pub(crate) fn caller(&self, api: Api) -> &Caller {
        match api {
            Api::V1 => &self.0.v1,
            Api::V2 => &self.0.v2,
        }
    }

    /// Makes a call and reads the data of its answer.
    pub(crate) async fn ask<T>(
        &self,
        ask: Ask,
        read: impl Fn(Value) -> Result<T, Unreadable>,
    ) -> Result<T, Error> {
        let caller = self.caller(ask.api);
        let clock = caller.clock().clone();
        let judge = Judge { operation: &ask.operation, clock: &*clock, may_be_empty: ask.may_be_empty };
        let call = self.dressed(&ask, ask.call.clone());
        Ok(caller.call(&call, |answer| judge.whole(answer, &read)).await?.value)
    }

    /// What every call has: its language, its limits, and whether it may be repeated.
    pub(crate) fn dressed(&self, ask: &Ask, call: Call) -> Call {
        let call = call.header(header::ACCEPT_LANGUAGE, self.rules().language.tag());
        let call = call.follow_redirects(MAX_REDIRECTS);
        let call = if ask.carries_document { self.document_limits(call) } else { call };
        if ask.operation.method == Method::GET { call } else { call.retry(RetryPolicy::never()) }
    }

    pub(crate) fn document_limits(&self, call: Call) -> Call {
        call.timeouts(Timeouts::new(self.0.v1.timeouts().connect(), self.document_time()))
    }

    /// The limit of a whole call that carries a document.
    fn document_time(&self) -> Duration {
        let total = self.0.v1.timeouts().total();
        let set = (total != TIMEOUTS.total()).then_some(total);
        self.rules().document_timeout.or(set).unwrap_or(DOCUMENT)
    }

    /// What a file has to keep to that is to be sent, beginning now.
    pub(crate) fn bounds(&self) -> Bounds<'_> {
        Bounds::new(self.rules().document_limit, &**self.clock(), self.document_time())
    }
}

fn builder_from(lookup: impl Fn(&str) -> Option<String>) -> Result<ClientBuilder, Error> {
    let mut env = Env::from_lookup(lookup);
    let settings = env.settings("LEGALE");
    if settings.base_url.is_none() && env.optional("LEGALE_BASE_URL").is_none() {
        _ = env.required("LEGALE_BASE_URL", "the host root, such as https://dev.api.legale.io");
    }
    let credential = credential_from(&mut env);
    env.finish()?;
    let mut builder = Client::builder().credential(credential);
    if let Some(root) = &settings.base_url {
        builder = builder.environment(Environment::below(root)?);
    }
    builder.caller = builder.caller.settings(&settings);
    Ok(builder)
}

fn credential_from(env: &mut Env<'_>) -> Credential {
    let key = env.optional_secret("LEGALE_API_KEY");
    let (email, password) = (env.optional("LEGALE_EMAIL"), env.optional_secret("LEGALE_PASSWORD"));
    if key.is_none() && email.is_none() && password.is_none() {
        let hint = "set LEGALE_API_KEY, or both of LEGALE_EMAIL and LEGALE_PASSWORD";
        env.fault(Fault::error("ENV", "LEGALE_API_KEY").with_expected("a credential").with_hint(hint));
        return Credential::api_key("");
    }
    let Some(key) = key else {
        let email =
            env.required("LEGALE_EMAIL", "the account's e-mail address, unless LEGALE_API_KEY is set");
        let password =
            env.required_secret("LEGALE_PASSWORD", "the account's password, unless LEGALE_API_KEY is set");
        return Credential::Password { email, password };
    };
    if email.is_some() || password.is_some() {
        let hint = "set LEGALE_API_KEY, or LEGALE_EMAIL and LEGALE_PASSWORD, not both";
        env.fault(Fault::error("ENV", "LEGALE_API_KEY").with_hint(hint));
    }
    Credential::ApiKey(key)
}

/// Every operation and whether it may be repeated after it may have been applied. Those of the client's settings (paths of status
/// and signed file) are among them.
///
/// ```
/// use legale::Idempotency;
///
/// let creating = legale::idempotency_table().iter().find(|row| row.0 == "create a document").unwrap();
/// assert_eq!(creating.1, Idempotency::Once);
/// ```
#[must_use]
pub fn idempotency_table() -> &'static [(&'static str, Idempotency)] {
    static TABLE: std::sync::LazyLock<Vec<(&'static str, Idempotency)>> = std::sync::LazyLock::new(|| {
        #[allow(unused_mut)]
        let mut rows = crate::operations().to_vec();
        #[cfg(feature = "legacy")]
        rows.extend(crate::legacy::OPERATIONS);
        rows.iter().map(|operation| (operation.name, operation.idempotency)).collect()
    });
    &TABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faulty(variables: &[(&str, &str)]) -> Vec<String> {
        let lookup = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match Client::from_lookup(lookup) {
            Ok(_) => Vec::new(),
            Err(error) => error.faults().iter().map(|fault| fault.path().to_owned()).collect(),
        }
    }

    #[test]
    fn the_environment_tells_all_faults_at_once() {
        assert_eq!(faulty(&[]), ["LEGALE_BASE_URL", "LEGALE_API_KEY"]);
        let url = ("LEGALE_BASE_URL", "http://127.0.0.1:1");
        assert_eq!(faulty(&[url, ("LEGALE_EMAIL", "a@b")]), ["LEGALE_PASSWORD"]);
        assert_eq!(faulty(&[url, ("LEGALE_API_KEY", "k"), ("LEGALE_EMAIL", "a@b")]), ["LEGALE_API_KEY"]);
        assert_eq!(
            faulty(&[("LEGALE_BASE_URL", "http://example.com"), ("LEGALE_TIMEOUT", "-1")]),
            ["LEGALE_BASE_URL", "LEGALE_TIMEOUT", "LEGALE_API_KEY"]
        );
        assert_eq!(faulty(&[url, ("LEGALE_PASSWORD", "p")]), ["LEGALE_EMAIL"]);
        assert!(faulty(&[url, ("LEGALE_API_KEY", "k")]).is_empty());
        assert!(faulty(&[url, ("LEGALE_EMAIL", "a@b"), ("LEGALE_PASSWORD", "p")]).is_empty());
    }

    #[test]
    fn without_any_credential_both_ways_are_named() {
        let error = Client::from_lookup(|_| None).unwrap_err().to_string();
        let hint = "set LEGALE_API_KEY, or both of LEGALE_EMAIL and LEGALE_PASSWORD";
        assert!(error.contains(hint), "{error}");
    }

    #[test]
    fn the_hosts_are_the_documented_ones() {
        let shown = |environment: Environment| environment.bases().unwrap().map(|base| base.to_string());
        assert_eq!(
            shown(Environment::Production),
            ["https://api.legale.io/api", "https://api.legale.io/api/v2", "https://api.legale.io/media"]
        );
        assert_eq!(
            shown(Environment::Sandbox),
            [
                "https://dev.api.legale.io/api",
                "https://dev.api.legale.io/api/v2",
                "https://dev.api.legale.io/media"
            ]
        );
    }

    #[test]
    fn nothing_is_chosen_by_default() {
        assert!(Client::builder().credential(Credential::api_key("k")).build().is_err());
        assert!(Client::builder().environment(Environment::Sandbox).build().is_err());
    }

    #[test]
    fn whatever_is_not_a_get_is_done_once() {
        for operation in crate::operations() {
            let expected = match operation.name {
                "log in" => Idempotency::Keyed,
                _ if operation.method == Method::GET => Idempotency::Safe,
                _ => Idempotency::Once,
            };
            assert_eq!(operation.idempotency, expected, "{}", operation.name);
        }
    }
}
