//! What can be read back: requests, writes, and the plant as a register has to know it.

use serde::{Deserialize, Serialize};

use super::feature::Feature;
use super::settings::Spot;

/// A request that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query as it was sent; `…` for the login of the older dialect, whose query holds a password.
    pub query: String,
    /// The operation and its feature; none if there is no such route.
    pub spot: Option<Spot>,
    /// Status that was sent; none before the answer, and if none was sent.
    pub status: Option<u16>,
    /// Name of the fault that struck.
    pub fault: Option<String>,
    /// Name of the twist that struck.
    pub twist: Option<String>,
    /// Whether the service did what was asked.
    pub acted: bool,
    /// The `User-Agent` header.
    pub user_agent: Option<String>,
    /// The `Accept` header.
    pub accept: Option<String>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// Body as text; empty for logins.
    pub body: String,
    /// When it was read, seconds since the epoch of the simulator's clock.
    pub at: i64,
}

impl Request {
    /// The first parameter of this name, decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        super::route::parameters(&self.query).into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

/// A write that was accepted: L2 or L3.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Save {
    /// The customer.
    pub fid: u32,
    /// Whether he is new.
    pub created: bool,
    /// CPF or CNPJ as it was sent.
    pub document: String,
    /// The contract.
    pub contract: u32,
    /// Splitter and port on which he is now; none after L3.
    pub seat: Option<(u32, u16)>,
}

/// The elements of one feature in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inventory {
    /// The feature.
    pub feature: Feature,
    /// How many there are.
    pub count: usize,
    /// SHA-256, in lower-case hexadecimal, of every `fid` in ascending order as decimal digits and a line feed.
    pub sha256: String,
}

/// What [`GeoSite::churn`](super::GeoSite::churn) did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Churned {
    /// Elements that were added.
    pub inserted: Vec<u32>,
    /// Elements that were changed, each once.
    pub edited: Vec<u32>,
    /// Elements that went.
    pub deleted: Vec<u32>,
}

/// A customer as another system keeps him.
#[derive(Debug, Clone)]
pub(crate) struct Customer {
    pub(crate) fid: u32,
    pub(crate) document: String,
    pub(crate) name: String,
    pub(crate) contract: u32,
    /// Code of the splitter, and the port.
    pub(crate) seat: Option<(String, u16)>,
    /// Seconds since the epoch.
    pub(crate) changed: u32,
}
