//! The log of requests.

use serde::Serialize;

/// Where a request carried its token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TokenPlace {
    /// Beside the wrapper in the JSON body.
    Body,
    /// In the query.
    Query,
    /// `Authorization: Bearer`
    Header,
}

/// A request that reached the service. Tokens are masked.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// The query as it was sent.
    pub query: String,
    /// The operation by its name in the control API; none if there is no such path.
    pub endpoint: Option<String>,
    /// Status that was written; none if the connection ended without one, or the answer is still to come.
    pub status: Option<u16>,
    /// Name of the rule that refused it, such as `token_place`.
    pub rule: Option<String>,
    /// Name of the fault that struck, see [`Fault::name`](crate::Fault::name).
    pub fault: Option<String>,
    /// Whether it changed anything.
    pub acted: bool,
    /// Where the token was.
    pub token_in: Option<TokenPlace>,
    /// Fields of the record that the contract does not know, or that cannot be written.
    pub ignored: Vec<String>,
    /// The first 4 KiB of the body.
    pub body: String,
    /// When it was read.
    pub received_at: String,
}
