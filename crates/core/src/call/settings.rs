//! Where a service is and how long it may take, from code or from environment variables.

use std::fmt;
use std::time::Duration;

use url::{Host, Url};

use crate::secret::printable_url;
use crate::{Error, Fault};

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
        let url = Url::parse(text.trim()).map_err(|cause| {
            Error::configuration("the base URL cannot be read", URL_HINT).with_source(cause)
        })?;
        match Self::complaint(&url) {
            Some(complaint) => Err(Error::configuration(complaint, URL_HINT)),
            None => Ok(Self(url)),
        }
    }

    fn complaint(url: &Url) -> Option<&'static str> {
        let plain = url.scheme() == "http";
        if !plain && url.scheme() != "https" {
            return Some("the base URL is neither https nor http");
        }
        if plain && !is_loopback(url) {
            return Some("plain http is allowed to this machine only; use https");
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

const URL_HINT: &str = "give a base URL like https://host or, on this machine, http://127.0.0.1:7801";

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// For making a connection, TLS included.
    pub connect: Duration,
    /// For one attempt, from connecting to the last byte of the answer.
    pub attempt: Duration,
    /// For the whole call: waiting for its turn, all attempts and the pauses between them.
    pub total: Duration,
}

impl Timeouts {
    /// Limits for a call that is normally one attempt: the attempt may take all the time of the call.
    #[must_use]
    pub const fn new(connect: Duration, total: Duration) -> Self {
        Self { connect, attempt: total, total }
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
        let mut faults = Vec::new();
        let value = |suffix: &str| {
            let name = format!("{prefix}_{suffix}");
            lookup(&name).filter(|text| !text.trim().is_empty()).map(|text| (name, text))
        };
        let base_url = value("BASE_URL").and_then(|(name, text)| {
            BaseUrl::parse(&text).map_err(|error| faults.push(url_fault(name, &error))).ok()
        });
        let total_timeout = value("TIMEOUT").and_then(|pair| seconds(pair, &mut faults));
        let connect_timeout = value("CONNECT_TIMEOUT").and_then(|pair| seconds(pair, &mut faults));
        let settings = Self { base_url, total_timeout, connect_timeout };
        if faults.is_empty() { Ok(settings) } else { Err(Error::validation("read the environment", faults)) }
    }

    /// `defaults` with what the environment says.
    #[must_use]
    pub fn timeouts(&self, defaults: Timeouts) -> Timeouts {
        let connect = self.connect_timeout.unwrap_or(defaults.connect);
        match self.total_timeout {
            Some(total) => Timeouts { connect, attempt: total, total },
            None => Timeouts { connect, ..defaults },
        }
    }
}

fn url_fault(name: String, error: &Error) -> Fault {
    Fault::error("ENV", name).hint(format!("{}; {URL_HINT}", error.message().unwrap_or_default()))
}

fn seconds((name, text): (String, String), faults: &mut Vec<Fault>) -> Option<Duration> {
    let parsed = text.trim().parse::<f64>().ok().and_then(|value| Duration::try_from_secs_f64(value).ok());
    let usable = parsed.filter(|limit| !limit.is_zero() && *limit <= Duration::from_secs(86_400));
    if usable.is_none() {
        faults.push(Fault::error("ENV", name).expected("seconds above 0, at most 86400").actual(text));
    }
    usable
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
