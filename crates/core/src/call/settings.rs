//! Where a service is and how long it may take, from code or from environment variables.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use url::{Host, Url};

use crate::secret::printable_url;
use crate::{Error, Fault, Faults, Secret};

/// The address below which a service's paths lie. `https`, or plain `http` to this very machine.
///
/// ```
/// use integration_core::call::BaseUrl;
///
/// let base = BaseUrl::parse("https://gateway.example.com/smart/")?;
/// assert_eq!(base.join("/facturacion").as_str(), "https://gateway.example.com/smart/facturacion");
/// assert!(BaseUrl::parse("http://gateway.example.com").is_err());
/// assert!(BaseUrl::parse("http://127.0.0.1:7801").is_ok());
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads and checks an address.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](crate::ErrorKind::Configuration) if it is no URL, is plain `http` to another
    /// machine, or carries credentials, a query or a fragment.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Self::parse_if(text, is_loopback)
    }

    /// As [`parse`](Self::parse), and plain `http` is allowed to a literal private, link-local or loopback address, and
    /// to the hosts in `named` (exact names, as `gestor.local`).
    ///
    /// **Everything that is sent there can be read and changed by whoever shares the network: user name, password, token,
    /// customers' data.** For services that exist only inside a company's network and offer no `https`. It is said in
    /// code, by whoever answers for that network; no environment variable leads here (decision 0008).
    ///
    /// # Errors
    /// As [`parse`](Self::parse); plain `http` to any other host is refused.
    ///
    /// ```
    /// use integration_core::call::BaseUrl;
    ///
    /// assert!(BaseUrl::parse_insecure_private("http://192.168.1.20:8080", &[]).is_ok());
    /// assert!(BaseUrl::parse_insecure_private("http://gestor.local:8071", &["gestor.local"]).is_ok());
    /// assert!(BaseUrl::parse_insecure_private("http://gestor.local:8071", &[]).is_err());
    /// assert!(BaseUrl::parse_insecure_private("http://8.8.8.8", &[]).is_err());
    /// ```
    pub fn parse_insecure_private(text: &str, named: &[&str]) -> Result<Self, Error> {
        Self::parse_if(text, |url| is_private(url) || is_named(url, named))
    }

    fn parse_if(text: &str, plain_is_allowed: impl Fn(&Url) -> bool) -> Result<Self, Error> {
        // The reader's own message says what is wrong and shows nothing of the text, which may hold a password.
        let url = Url::parse(text.trim()).map_err(|cause| {
            Error::configuration("the base URL cannot be read", URL_HINT).with_source(cause)
        })?;
        match Self::complaint(&url, plain_is_allowed) {
            Some(complaint) => Err(Error::configuration(complaint, URL_HINT)),
            None => Ok(Self(url)),
        }
    }

    fn complaint(url: &Url, plain_is_allowed: impl Fn(&Url) -> bool) -> Option<&'static str> {
        let plain = url.scheme() == "http";
        if !plain && url.scheme() != "https" {
            return Some("the base URL is neither https nor http");
        }
        if plain && !plain_is_allowed(url) {
            return Some("plain http is not allowed to this host; use https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Some("the base URL carries credentials; pass them as a token");
        }
        (url.query().is_some() || url.fragment().is_some())
            .then_some("the base URL carries a query or a fragment")
    }

    /// The address of `path`, which starts with a slash; a path prefix of the base is kept.
    #[must_use]
    pub fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path().trim_end_matches('/')));
        url
    }

    /// Whether it is this very machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Whether what is sent there goes unencrypted.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.0.scheme() == "http"
    }

    /// Whether no proxy stands before it: this machine, and plain `http` within the network.
    pub(crate) fn is_near(&self) -> bool {
        Self::is_near_url(&self.0)
    }

    /// The same of a request's address.
    pub(crate) fn is_near_url(url: &Url) -> bool {
        url.scheme() == "http" || is_loopback(url)
    }

    /// The same of a request's address as requests have it.
    #[cfg(feature = "hyper")]
    pub(crate) fn is_near_uri(uri: &http::Uri) -> bool {
        let host = uri.host().and_then(|host| Host::parse(host).ok());
        uri.scheme_str() == Some("http") || is_loopback_host(host.as_ref())
    }

    /// It as text, without a slash at its end.
    pub(crate) fn prefix(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Whether credentials for the one are credentials for the other: scheme, host and port are the same.
    #[must_use]
    pub fn has_origin_of(&self, other: &Self) -> bool {
        // All there is to the origin of such an address; `Url::origin` would copy it.
        let origin = |url: &Self| (url.0.port_or_known_default(), url.0.scheme() == "http");
        origin(self) == origin(other) && self.0.host() == other.0.host()
    }

    /// Scheme, host and port, for messages: the path may be that of an address out of an answer, which is nobody's to read.
    pub(crate) fn origin(&self) -> String {
        self.0.origin().ascii_serialization()
    }

    /// The host, for spans and messages.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or_default()
    }
}

const URL_HINT: &str = "give a base URL like https://host or, on this machine, http://127.0.0.1:PORT";

fn is_loopback(url: &Url) -> bool {
    is_loopback_host(url.host().as_ref())
}

fn is_loopback_host<S: AsRef<str>>(host: Option<&Host<S>>) -> bool {
    match host {
        Some(Host::Domain(name)) => name.as_ref().eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A literal address that no router of the internet forwards. A name says nothing: whoever answers for it decides.
fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private_v4(address),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(mapped) => is_private_v4(mapped),
            None => address.is_unique_local() || address.is_unicast_link_local() || address.is_loopback(),
        },
        _ => is_loopback(url),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    address.is_private() || address.is_link_local() || address.is_loopback()
}

fn is_named(url: &Url, named: &[&str]) -> bool {
    url.host_str().is_some_and(|host| named.iter().any(|name| host.eq_ignore_ascii_case(name)))
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(printable_url(&self.0).trim_end_matches('/'))
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BaseUrl({self})")
    }
}

/// The time limits of a client. Every one of them is always on.
///
/// ```
/// use std::time::Duration;
/// use integration_core::call::Timeouts;
///
/// const LIMITS: Timeouts = Timeouts::new(Duration::from_secs(10), Duration::from_secs(60))
///     .with_attempt(Duration::from_secs(20));
/// assert_eq!(LIMITS.with_total(Duration::from_secs(90)).attempt(), Duration::from_secs(20));
/// assert_eq!(LIMITS.with_total(Duration::from_secs(5)).attempt(), Duration::from_secs(5));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    connect: Duration,
    /// Nothing: all the time of the call.
    attempt: Option<Duration>,
    total: Duration,
}

impl Timeouts {
    /// Limits for a call that is normally one attempt: the attempt may take all the time of the call.
    #[must_use]
    pub const fn new(connect: Duration, total: Duration) -> Self {
        Self { connect, attempt: None, total }
    }

    /// Limits making a connection, TLS included.
    #[must_use]
    pub const fn with_connect(self, connect: Duration) -> Self {
        Self { connect, ..self }
    }

    /// Limits one attempt, from connecting to the last byte of the answer.
    #[must_use]
    pub const fn with_attempt(self, attempt: Duration) -> Self {
        Self { attempt: Some(attempt), ..self }
    }

    /// Limits the whole call: waiting for its turn, all attempts and the pauses between them. An attempt that was
    /// deliberately made shorter stays so.
    #[must_use]
    pub const fn with_total(self, total: Duration) -> Self {
        Self { total, ..self }
    }

    /// The limit for making a connection.
    #[must_use]
    pub const fn connect(&self) -> Duration {
        self.connect
    }

    /// The limit of one attempt; never longer than the whole call's.
    #[must_use]
    pub fn attempt(&self) -> Duration {
        self.attempt.map_or(self.total, |attempt| attempt.min(self.total))
    }

    /// The limit of the whole call.
    #[must_use]
    pub const fn total(&self) -> Duration {
        self.total
    }
}

/// What every client reads from the environment: `<PREFIX>_BASE_URL`, `<PREFIX>_TIMEOUT` and
/// `<PREFIX>_CONNECT_TIMEOUT` (seconds, decimals allowed), and its secrets by name.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Settings {
    /// The base URL, if set.
    pub base_url: Option<BaseUrl>,
    /// The limit of a whole call, if set.
    pub total_timeout: Option<Duration>,
    /// The limit for making a connection, if set.
    pub connect_timeout: Option<Duration>,
}

impl Settings {
    /// Reads the variables of `prefix` from the process.
    ///
    /// # Errors
    /// As [`from_lookup`](Self::from_lookup).
    pub fn from_env(prefix: &str) -> Result<Self, Error> {
        Self::from_lookup(prefix, |name| std::env::var(name).ok())
    }

    /// Reads the variables of `prefix` through `lookup`; empty values count as not set.
    ///
    /// # Errors
    /// A validation error that names every variable that cannot be used.
    pub fn from_lookup(prefix: &str, lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let mut env = Env::from_lookup(lookup);
        let settings = env.settings(prefix);
        env.finish().map(|()| settings)
    }

    /// `defaults` with what the environment says.
    #[must_use]
    pub fn timeouts(&self, defaults: Timeouts) -> Timeouts {
        let connect = self.connect_timeout.unwrap_or(defaults.connect());
        defaults.with_connect(connect).with_total(self.total_timeout.unwrap_or(defaults.total()))
    }
}

type Lookup<'l> = dyn Fn(&str) -> Option<String> + 'l;

/// Reads environment variables and notes every fault, so that whoever sets a program up mends all of them at once.
///
/// A value that is missing or cannot be used is noted and stands as empty, until [`finish`](Self::finish) tells. Values of
/// secrets are never repeated.
///
/// ```
/// use integration_core::call::Env;
///
/// let mut env = Env::from_lookup(|name| (name == "X_EMAIL").then(|| "ana@example.com".to_owned()));
/// let email = env.required("X_EMAIL", "the account's e-mail address");
/// let password = env.required_secret("X_PASSWORD", "the account's password");
/// let error = env.finish().unwrap_err();
/// assert_eq!(error.faults()[0].path(), "X_PASSWORD");
/// # let _ = (email, password);
/// ```
#[must_use = "`finish` tells what is missing"]
pub struct Env<'l> {
    lookup: Box<Lookup<'l>>,
    faults: Faults,
}

impl Env<'static> {
    /// The variables of the process.
    pub fn process() -> Self {
        Self::from_lookup(|name| std::env::var(name).ok())
    }
}

impl<'l> Env<'l> {
    /// Variables from elsewhere: a configuration file, a test.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String> + 'l) -> Self {
        Self { lookup: Box::new(lookup), faults: Faults::new() }
    }

    /// A variable's value without blanks around it, if it is set and not empty.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// A variable that must be set; `what` says what belongs there.
    pub fn required(&mut self, name: &str, what: &'static str) -> String {
        let value = self.optional(name);
        if value.is_none() {
            let hint = format!("set the environment variable {name}");
            self.fault(Fault::error("ENV", name).with_expected(what).with_hint(hint));
        }
        value.unwrap_or_default()
    }

    /// A secret, if it is set. Only its line end is dropped, since a password may begin or end with a blank.
    #[must_use]
    pub fn optional_secret(&self, name: &str) -> Option<Secret> {
        let value = (self.lookup)(name)?;
        let value = value.trim_end_matches(['\r', '\n']);
        (!value.trim().is_empty()).then(|| Secret::new(value))
    }

    /// A secret that must be set; `what` says what belongs there.
    pub fn required_secret(&mut self, name: &str, what: &'static str) -> Secret {
        match self.optional_secret(name) {
            Some(secret) => secret,
            None => Secret::new(self.required(name, what)),
        }
    }

    /// The variables that every client has: see [`Settings`].
    pub fn settings(&mut self, prefix: &str) -> Settings {
        Settings {
            base_url: self.base_url(&format!("{prefix}_BASE_URL")),
            total_timeout: self.seconds(&format!("{prefix}_TIMEOUT")),
            connect_timeout: self.seconds(&format!("{prefix}_CONNECT_TIMEOUT")),
        }
    }

    /// An address, if it is set; plain `http` only to this machine.
    pub fn base_url(&mut self, name: &str) -> Option<BaseUrl> {
        let text = self.optional(name)?;
        BaseUrl::parse(&text).map_err(|error| self.fault(url_fault(name, &error))).ok()
    }

    /// A time in seconds, decimals allowed, if it is set.
    pub fn seconds(&mut self, name: &str) -> Option<Duration> {
        let text = self.optional(name)?;
        let usable = usable_seconds(&text);
        if usable.is_none() {
            let fault = Fault::error("ENV", name).with_expected("seconds above 0, at most 86400");
            self.fault(fault.with_actual(text));
        }
        usable
    }

    /// Notes a fault that only the client can see, such as two variables that exclude each other.
    pub fn fault(&mut self, fault: Fault) {
        self.faults.push(fault);
    }

    /// Tells everything that was noted.
    ///
    /// # Errors
    /// A validation error that names every variable that is missing or cannot be used.
    pub fn finish(self) -> Result<(), Error> {
        self.faults.into_result("read the environment").map(drop)
    }
}

impl fmt::Debug for Env<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Env").field("faults", &self.faults).finish_non_exhaustive()
    }
}

fn url_fault(name: &str, error: &Error) -> Fault {
    Fault::error("ENV", name).with_hint(format!("{}; {URL_HINT}", error.message().unwrap_or_default()))
}

fn usable_seconds(text: &str) -> Option<Duration> {
    let parsed = text.parse::<f64>().ok().and_then(|value| Duration::try_from_secs_f64(value).ok());
    parsed.filter(|limit| !limit.is_zero() && *limit <= Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_addresses_that_would_leak_or_mislead() {
        for bad in [
            "",
            "bck.example.com",
            "ftp://example.com",
            "http://example.com",
            "http://127.0.0.1.example.com",
            "https://user:pass@example.com",
            "https://token@example.com",
            "https://example.com/?token=x",
            "https://example.com/#x",
        ] {
            let error = BaseUrl::parse(bad).unwrap_err();
            assert!(!error.to_string().contains("pass@"), "{error}");
        }
    }

    #[test]
    fn plain_http_reaches_loopback_in_all_its_spellings() {
        for good in ["http://localhost:1", "http://127.0.0.1", "http://127.9.9.9:80/x", "http://[::1]:8080"] {
            assert!(BaseUrl::parse(good).unwrap().is_loopback());
        }
    }

    #[test]
    fn plain_http_goes_to_private_addresses_only_where_that_was_said() {
        let private = [
            "http://10.0.0.1",
            "http://172.16.0.1:8071",
            "http://192.168.1.2",
            "http://169.254.1.1",
            "http://[fd00::1]:8080",
            "http://[fe80::1]",
            "http://[::ffff:192.168.1.2]",
        ];
        for url in private {
            assert!(BaseUrl::parse(url).is_err(), "{url}");
            assert!(BaseUrl::parse_insecure_private(url, &[]).unwrap().is_plain(), "{url}");
        }
        for url in [
            "http://172.32.0.1",
            "http://8.8.8.8",
            "http://192.168.1.2.example.com",
            "http://[2001:db8::1]",
            "http://[::ffff:8.8.8.8]",
            "http://gestor.local.example.com",
            "http://user:pass@192.168.1.2",
            "ftp://192.168.1.2",
        ] {
            assert!(BaseUrl::parse_insecure_private(url, &["gestor.local"]).is_err(), "{url}");
        }
        assert!(BaseUrl::parse_insecure_private("http://GESTOR.local", &["Gestor.Local"]).is_ok());
    }

    #[test]
    fn the_environment_alone_never_allows_plain_http() {
        let error = Settings::from_lookup("X", |_| Some("http://192.168.1.2".to_owned())).unwrap_err();
        assert_eq!(error.faults()[0].path(), "X_BASE_URL");
    }

    #[test]
    fn the_environment_does_not_lengthen_a_shorter_attempt() {
        let defaults = Timeouts::new(Duration::from_secs(1), Duration::from_secs(60));
        let short = defaults.with_attempt(Duration::from_secs(20));
        let env = |seconds: &'static str| {
            Settings::from_lookup("X", move |name| (name == "X_TIMEOUT").then(|| seconds.to_owned())).unwrap()
        };
        assert_eq!(env("90").timeouts(short).attempt(), Duration::from_secs(20));
        assert_eq!(env("5").timeouts(short).attempt(), Duration::from_secs(5));
        assert_eq!(env("90").timeouts(defaults).attempt(), Duration::from_secs(90));
    }

    #[test]
    fn secrets_keep_their_blanks_and_are_not_repeated() {
        let mut env = Env::from_lookup(|_| Some(" pass word \n".to_owned()));
        assert_eq!(env.required_secret("X", "a password").reveal(), " pass word ");
        assert!(env.finish().is_ok());
        let mut env = Env::from_lookup(|_| Some("  ".to_owned()));
        assert!(env.required_secret("X", "a password").is_empty());
        assert!(env.finish().is_err());
    }

    #[test]
    fn every_bad_variable_is_named_at_once() {
        let lookup = |name: &str| match name {
            "X_BASE_URL" => Some("http://far.example.com".to_owned()),
            "X_TIMEOUT" => Some("-3".to_owned()),
            "X_CONNECT_TIMEOUT" => Some("NaN".to_owned()),
            _ => None,
        };
        let error = Settings::from_lookup("X", lookup).unwrap_err();
        let paths: Vec<_> = error.faults().iter().map(Fault::path).collect();
        assert_eq!(paths, ["X_BASE_URL", "X_TIMEOUT", "X_CONNECT_TIMEOUT"]);
    }

    #[test]
    fn decimals_are_allowed_and_empty_is_unset() {
        let lookup = |name: &str| Some(if name == "X_TIMEOUT" { "0.25".to_owned() } else { String::new() });
        let settings = Settings::from_lookup("X", lookup).unwrap();
        assert_eq!(settings.total_timeout, Some(Duration::from_millis(250)));
        assert!(settings.base_url.is_none() && settings.connect_timeout.is_none());
    }
}
