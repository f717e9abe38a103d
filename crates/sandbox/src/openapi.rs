//! The OpenAPI 3.1 documents of the simulated services, written by hand from the contracts, one per base URL.
//!
//! Each property says by `x-mark` how sure it is (`documented`, `observed`, `assumed`) and by `x-contract` where it
//! comes from. They are part of this crate, so that the program serves them wherever it runs.

/// Name of each service and its document, as JSON text.
///
/// ```
/// let documents = integration_sandbox::openapi::DOCUMENTS;
/// let (name, text) = documents[0];
/// assert_eq!(name, "fiscal-printer");
/// assert!(text.contains(r#""openapi": "3.1.0""#));
/// ```
pub const DOCUMENTS: [(&str, &str); 8] = [
    ("fiscal-printer", include_str!("../openapi/fiscal-printer.json")),
    ("legale", include_str!("../openapi/legale.json")),
    ("sugester", include_str!("../openapi/sugester.json")),
    ("bitfactura", include_str!("../openapi/bitfactura.json")),
    ("geosite", include_str!("../openapi/geosite.json")),
    ("hubsoft", include_str!("../openapi/hubsoft.json")),
    ("apiges", include_str!("../openapi/apiges.json")),
    ("websync", include_str!("../openapi/websync.json")),
];

#[cfg(test)]
mod tests;
