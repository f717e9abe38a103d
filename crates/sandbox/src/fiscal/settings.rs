//! What a test can choose about the simulated printing house: its endpoints, issuers and deployed behaviour.

use serde::{Deserialize, Serialize};

use crate::json::Json;

/// An operation of the printing house.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /facturacion`
    Issue,
    /// `POST /anulacion`
    Annul,
    /// `POST /email`
    Email,
    /// `POST /facturacion/numerointerno`, a probe: 404 until it is enabled.
    NextNumber,
    /// `POST /facturacion/status`, a probe: 404 until it is enabled.
    Status,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 5] = [Self::Issue, Self::Annul, Self::Email, Self::NextNumber, Self::Status];

    /// Its path, without a trailing slash.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Issue => "/facturacion",
            Self::Annul => "/anulacion",
            Self::Email => "/email",
            Self::NextNumber => "/facturacion/numerointerno",
            Self::Status => "/facturacion/status",
        }
    }

    /// The endpoint that is routed, given whether the probes are deployed.
    pub(super) fn routed(method: &http::Method, path: &str, probes: bool) -> Option<Self> {
        let endpoint = Self::ALL.into_iter().find(|endpoint| endpoint.path() == path)?;
        (method == http::Method::POST && (probes || !endpoint.is_probe())).then_some(endpoint)
    }

    fn is_probe(self) -> bool {
        matches!(self, Self::NextNumber | Self::Status)
    }
}

/// A company that issues documents through the printing house.
///
/// ```
/// use integration_sandbox::fiscal::Issuer;
///
/// let issuer = Issuer::new("V-12345678-1").validar_interno(0).control_numbers_left(3);
/// ```
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    pub(super) rif: String,
    #[serde(default = "one")]
    pub(super) validar_interno: u32,
    #[serde(default = "yes")]
    pub(super) mail: bool,
    #[serde(default)]
    pub(super) control_numbers_left: Option<u64>,
}

fn one() -> u32 {
    1
}

fn yes() -> bool {
    true
}

impl Issuer {
    /// An issuer whose internal numbers are enforced, with mail enabled and control numbers without end.
    #[must_use]
    pub fn new(rif: impl Into<String>) -> Self {
        Self { rif: rif.into(), validar_interno: one(), mail: yes(), control_numbers_left: None }
    }

    /// Level in the token's claim; above 0, internal numbers are enforced (codes 7, 8 and 9).
    #[must_use]
    pub fn validar_interno(mut self, level: u32) -> Self {
        self.validar_interno = level;
        self
    }

    /// Whether `sendmail` has an effect for this issuer.
    #[must_use]
    pub fn mail(mut self, enabled: bool) -> Self {
        self.mail = enabled;
        self
    }

    /// How many control numbers it may still draw; at 0, issuing is rejected with code 12.
    #[must_use]
    pub fn control_numbers_left(mut self, left: u64) -> Self {
        self.control_numbers_left = Some(left);
        self
    }
}

/// Which spelling of the two disputed keys is deployed (contract, section 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Spelling {
    /// `tasacambio` and `baseigtf`, as the public snapshot of the backend reads them.
    #[default]
    Observed,
    /// `tasadecambio` and `baseigft`, as the manual writes them.
    Documented,
    /// The observed key if it is there, else the manual's.
    Both,
}

impl Spelling {
    pub(super) fn exchange_rate(self, body: &Json) -> &Json {
        self.pick(body, "tasacambio", "tasadecambio")
    }

    pub(super) fn igtf_base(self, body: &Json) -> &Json {
        self.pick(body, "baseigtf", "baseigft")
    }

    fn pick<'a>(self, body: &'a Json, observed: &str, documented: &str) -> &'a Json {
        match self {
            Self::Observed => body.get(observed),
            Self::Documented => body.get(documented),
            Self::Both if body.get(observed).is_missing() => body.get(documented),
            Self::Both => body.get(observed),
        }
    }
}

/// Behaviour that the contract leaves open, or that deployments differ in.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
/// use integration_sandbox::{Sandbox, fiscal::Spelling};
///
/// let sandbox = Sandbox::start().await?;
/// sandbox.fiscal().configure(|settings| settings.spelling = Spelling::Documented);
/// assert!(!sandbox.fiscal().settings().probes);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Which spelling of the disputed keys is read. Default [`Spelling::Observed`].
    pub spelling: Spelling,
    /// Whether a rejection after the control number was drawn (codes 4 of an item, 7, 8, 9, 14) uses it up.
    /// Default `true` (assumed): a refused duplicate leaves a gap in the control numbers.
    ///
    /// The contract's order of checks (section 5) draws the number before it looks whether the internal number is taken.
    /// Whether a rejection gives it back is an open question (section 11, 17), and a rollback may happen on another connection
    /// than the draw (section 9). Control numbers must be unique (section 8); nothing says that they have no gaps. Internal
    /// numbers have none: a rejected one stays free.
    pub burn_numbers: bool,
    /// Whether a rejection after the insert (codes 4 of an item, 14) leaves the document behind, as a rollback
    /// on another pooled connection does. Default `false`.
    pub leaky_rollback: bool,
    /// Whether the probes of section 9.3 are deployed. Default `false`.
    pub probes: bool,
    /// Bodies above this many bytes get a bare 413. Default 10 MiB.
    pub body_limit: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            spelling: Spelling::Observed,
            burn_numbers: true,
            leaky_rollback: false,
            probes: false,
            body_limit: 10 * 1024 * 1024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_posts_to_deployed_paths_are_routed() {
        let post = http::Method::POST;
        assert_eq!(Endpoint::routed(&post, "/facturacion", false), Some(Endpoint::Issue));
        assert_eq!(Endpoint::routed(&post, "/facturacion/", false), None);
        assert_eq!(Endpoint::routed(&http::Method::GET, "/facturacion", false), None);
        assert_eq!(Endpoint::routed(&post, "/facturacion/status", false), None);
        assert_eq!(Endpoint::routed(&post, "/facturacion/status", true), Some(Endpoint::Status));
    }

    #[test]
    fn the_deployed_spelling_decides_which_key_is_read() {
        let body = Json::parse(br#"{"tasacambio":1,"tasadecambio":2,"baseigft":3}"#).unwrap();
        assert_eq!(Spelling::Observed.exchange_rate(&body).num(), 1.0);
        assert_eq!(Spelling::Documented.exchange_rate(&body).num(), 2.0);
        assert_eq!(Spelling::Both.exchange_rate(&body).num(), 1.0);
        assert!(Spelling::Observed.igtf_base(&body).is_missing());
        assert_eq!(Spelling::Both.igtf_base(&body).num(), 3.0);
    }
}
