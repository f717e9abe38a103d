//! What a test can choose about the portal: rows, limits, roles.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! rows {
    ($($name:ident $about:literal,)*) => {
        /// A row of section 3.7, in JSON by its number.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum Row {
            $(#[doc = $about] $name,)*
        }

        impl Row {
            /// Every row.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

rows! {
    W01 "`GET /health`",
    W10 "`GET /grants`",
    W11 "`GET /grants/{kind}/{code}`",
    W12 "`PUT /grants/{kind}/{code}`",
    W13 "`POST /grants/{kind}/{code}/suspend`, `/resume`",
    W14 "`DELETE /grants/{kind}/{code}`",
    W15 "`POST /grants/{kind}/{code}/rename`",
    W16 "`POST /unions/preview`",
    W17 "`GET /grants/{kind}/{code}/digest`",
    W20 "`POST /loads`",
    W21 "`POST /contacts/{kind}/{code}/loads`",
    W22 "`PUT /loads/{loadId}/contacts/{kind}/{code}/batches/{n}`",
    W23 "`POST /loads/{loadId}/contacts/{kind}/{code}/commit`",
    W24 "`GET /loads/{loadId}`",
    W25 "`POST /loads/{loadId}/close`, `/abort`",
    W30 "`PUT /cases/{caseId}`",
    W31 "`POST /cases/batch`",
    W32 "`GET /cases/{caseId}`",
    W33 "`GET /view`",
    W40 "`POST /withdrawals`",
    W41 "`GET /withdrawals`",
    W50 "`HEAD /blobs/{sha256}`",
    W51 "`PUT /blobs/{sha256}`",
    W60 "`PUT /cases/{caseId}/annotations/{annotationId}/documents/{documentId}`",
    W61 "`GET /cases/{caseId}/annotations/{annotationId}/documents`",
    W62 "`DELETE` of the path of W60",
    W70 "`POST /cases/{caseId}/messages`",
    W71 "`GET /cases/{caseId}/messages`",
    W72 "`POST /messages/{messageId}/receipts`",
    W73 "`GET /messages/{messageId}/receipts`",
    W74 "`GET /events`",
    W75 "`GET /cases/{caseId}/evidence`",
}

impl Row {
    /// Whether an `Idempotency-Key` is needed: every write except W51 (section 2.2).
    pub(super) fn needs_key(self) -> bool {
        matches!(
            self,
            Self::W12
                | Self::W13
                | Self::W14
                | Self::W15
                | Self::W16
                | Self::W20
                | Self::W21
                | Self::W22
                | Self::W23
                | Self::W25
                | Self::W30
                | Self::W31
                | Self::W40
                | Self::W60
                | Self::W62
                | Self::W70
                | Self::W72
        )
    }
}

/// Choices in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Largest blob in bytes (W01, W51).
    pub blob_bytes: usize,
    /// Most items of W31.
    pub batch_items: usize,
    /// Largest JSON body in bytes.
    pub body_bytes: usize,
    /// Items of a page when `limit` is not given.
    pub page_items: usize,
    /// Whether every request is answered 403.
    pub forbidden: bool,
    /// Whether documents of outside folders may be shown (B2), for the comparison only.
    pub external_documents: bool,
    /// The field of a file in which a kind of contact holds it (N4), for the comparison only.
    pub holder_fields: BTreeMap<String, String>,
    /// Seconds that the `Date` header is ahead of the simulator's clock; negative is behind.
    pub date_offset: i64,
}

impl Default for Settings {
    fn default() -> Self {
        let roles = [("C", "idCliente"), ("I", "idIntermediario"), ("A", "idAgente")];
        Self {
            blob_bytes: 50 * 1024 * 1024,
            batch_items: 100,
            body_bytes: 8 * 1024 * 1024,
            page_items: 100,
            forbidden: false,
            external_documents: false,
            holder_fields: roles.map(|(kind, field)| (kind.to_owned(), field.to_owned())).into(),
            date_offset: 0,
        }
    }
}
