//! What really happened at the printing house, for tests to count.

use bytes::Bytes;
use serde::{Deserialize, Serialize, Serializer};

use super::settings::Endpoint;

/// A document that exists at the printing house.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// RIF of its issuer.
    pub rif: String,
    /// Control number, such as `00-00000001`.
    pub control_number: String,
    /// `idtipodocumento`: 1 invoice, 2 debit note, 3 credit note, 4 and 5 as the manual numbers them.
    pub document_type: u32,
    /// `numerointerno` exactly as it was sent.
    pub internal_number: String,
    /// Issued, or annulled since.
    pub state: DocumentState,
    /// `observacion`; annulment replaces it.
    pub remark: String,
    /// `total` as the token that was sent.
    pub total: String,
    /// The exact bytes of the request that issued it.
    #[serde(serialize_with = "as_text", deserialize_with = "crate::kept::text_bytes")]
    pub body: Bytes,
    /// When, `YYYY-MM-DD HH:mm:ss` at UTC-4.
    pub issued_at: String,
}

/// Whether a document still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DocumentState {
    /// As it was issued.
    Issued,
    /// Annulled by `/anulacion`.
    Annulled,
}

/// A mail that the printing house accepted for sending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mail {
    /// RIF of the issuer.
    pub rif: String,
    /// Control number of the document.
    pub control_number: String,
    /// Addresses, split at vertical bars.
    pub recipients: Vec<String>,
    /// [`Endpoint::Issue`] for `sendmail`, [`Endpoint::Email`] for `/email`.
    pub sent_by: Endpoint,
}

/// A request that reached the printing house.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Status that was written; none if the connection ended without one, or the answer is still to come.
    pub status: Option<u16>,
    /// Error code of the honest answer, whether or not a fault kept it from the client.
    pub code: Option<u32>,
    /// Name of the fault that struck, see [`Fault::name`](crate::Fault::name).
    pub fault: Option<String>,
    /// Whether it changed anything: a document was committed or annulled, a mail was accepted.
    pub acted: bool,
    /// The exact bytes of the body; empty if a fault struck before it was read.
    #[serde(serialize_with = "as_text")]
    pub body: Bytes,
    /// When it was read, `YYYY-MM-DD HH:mm:ss` at UTC-4.
    pub received_at: String,
}

/// Bodies are JSON in practice, and JSON has no bytes: odd ones are shown with replacement characters.
fn as_text<S: Serializer>(bytes: &Bytes, out: S) -> Result<S::Ok, S::Error> {
    out.serialize_str(&String::from_utf8_lossy(bytes))
}
