//! What may stand in a public signature, and what every public type can do.
//!
//! Foreign types are a promise about somebody else's versions (DESIGN section 6, decision 0025); each row below is one that the
//! workspace is willing to keep.

use crate::listing::Listing;

/// Crates of which every public item may be named.
const OPEN: [&str; 11] = [
    "std",
    "core",
    "alloc",
    "http",
    "url",
    "bytes",
    "rust_decimal",
    "jiff",
    "futures_core",
    // The workspace's own: of one version with the client, and re-exported by it.
    "integration_core",
    "integration_store",
];

/// Single items of other crates, for one of ours or for every one (`*`).
const SINGLE: [(&str, &str, &str); 14] = [
    // Traits that a user's own type has, or that is read from and written to: they are never made by us.
    ("*", "serde_core", "Deserialize"),
    ("*", "serde_core", "DeserializeOwned"),
    ("*", "serde_core", "Deserializer"),
    ("*", "serde_core", "Serialize"),
    ("*", "serde_core", "Serializer"),
    ("*", "tokio", "AsyncBufRead"),
    ("*", "tokio", "AsyncRead"),
    ("*", "tokio", "AsyncWrite"),
    // JSON that a service leaves open: kept as it came.
    ("*", "serde_json", "Map"),
    ("*", "serde_json", "RawValue"),
    ("*", "serde_json", "Value"),
    // The feature `axum` is about nothing else.
    ("legale", "axum", "Router"),
    ("sugester", "axum", "Router"),
    // What a half-written file is written through.
    ("integration-core", "tokio", "File"),
];

/// Types that one task works with at a time, since they hold a future or a stream: `Send`, and asked through `&mut`.
const ONE_TASK: [&str; 9] = [
    "fiscal_printer::Batch",
    "geosite::ReadAll",
    "geosite::ReadMany",
    "geosite::Rows",
    "geosite::sync::Running",
    "integration_core::body::page::Pages",
    "integration_core::body::webhook::Chunks",
    "integration_core::call::AnswerStream",
    "integration_core::call::Streamed",
];

/// Types that are used up where they are made: the view of a configuration borrows its caller's function.
const ON_THE_SPOT: [&str; 1] = ["integration_core::call::Env"];

/// Traits that nobody else may have, by a bound that nobody else can name.
const SEALED: [&str; 1] = ["integration_core::tax::id::sealed::Sealed"];

/// What a crate's listing breaks.
pub fn broken(name: &str, listing: &Listing) -> Vec<String> {
    let foreign = listing.foreign.iter().filter(|((from, path), _)| !allowed(name, from, path));
    let foreign = foreign.map(|((_, path), place)| format!("{place} names {path}, which is on no list"));
    let hidden = listing.hidden.iter().filter(|(path, _)| !SEALED.contains(&path.as_str()));
    let hidden = hidden.map(|(path, place)| format!("{place} names {path}, which nobody can name"));
    let lacking = listing.granted.iter().filter_map(|(path, granted)| {
        let lacking: Vec<&str> = due(path).iter().copied().filter(|name| !granted.contains(*name)).collect();
        (!lacking.is_empty()).then(|| format!("{path} is not {}", lacking.join(" and ")))
    });
    foreign.chain(hidden).chain(lacking).collect()
}

fn due(path: &str) -> &'static [&'static str] {
    match path {
        _ if ON_THE_SPOT.contains(&path) => &[],
        _ if ONE_TASK.contains(&path) => &["Send"],
        _ => &["Send", "Sync"],
    }
}

fn allowed(name: &str, from: &str, path: &str) -> bool {
    let single = |(of, start, item): &(&str, &str, &str)| {
        (*of == "*" || *of == name) && from == *start && path.rsplit("::").next() == Some(*item)
    };
    OPEN.contains(&from) || SINGLE.iter().any(single) || to_be_mended(name, from, path)
}

/// Shows what a portal sent in its text; an error of ours would not.
fn to_be_mended(name: &str, from: &str, path: &str) -> bool {
    name == "apiges-sync" && from == "serde_json" && path.ends_with("::Error")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crate_doc::CrateDoc;

    /// A crate with one public type of its own that is `Send` alone, and whose one method takes a type of `reqwest`.
    pub(crate) const CRATE: &str = r#"{"root":0,"format_version":57,
        "external_crates":{"5":{"name":"reqwest"},"1":{"name":"core"}},
        "paths":{"0":{"crate_id":0,"path":["demo"],"kind":"module"},
            "10":{"crate_id":0,"path":["demo","Thing"],"kind":"struct"},
            "50":{"crate_id":5,"path":["reqwest","client","Client"],"kind":"struct"},
            "60":{"crate_id":1,"path":["core","marker","Send"],"kind":"trait"}},
        "index":{
        "0":{"name":"demo","visibility":"public","attrs":[],"inner":{"module":{"items":[1,2]}}},
        "1":{"name":null,"visibility":"public","attrs":[],"inner":{"use":{"name":"Thing","id":10,"is_glob":false}}},
        "2":{"name":"hidden","visibility":"crate","attrs":[],"inner":{"module":{"items":[10]}}},
        "10":{"name":"Thing","visibility":"public","attrs":["non_exhaustive"],"inner":{"struct":{
            "kind":{"plain":{"fields":[],"has_stripped_fields":true}},
            "generics":{"params":[],"where_predicates":[]},"impls":[11,12]}}},
        "11":{"name":null,"visibility":"default","attrs":[],"inner":{"impl":{"is_synthetic":true,"is_negative":false,
            "blanket_impl":null,"trait":{"path":"Send","id":60,"args":null},"items":[],
            "generics":{"params":[],"where_predicates":[]},"for":{"resolved_path":{"path":"Thing","id":10,"args":null}}}}},
        "12":{"name":null,"visibility":"default","attrs":[],"inner":{"impl":{"is_synthetic":false,"is_negative":false,
            "blanket_impl":null,"trait":null,"items":[13,14],
            "generics":{"params":[],"where_predicates":[]},"for":{"resolved_path":{"path":"Thing","id":10,"args":null}}}}},
        "13":{"name":"of","visibility":"public","attrs":[],"inner":{"function":{
            "sig":{"inputs":[["client",{"resolved_path":{"path":"Client","id":50,"args":null}}]],
                "output":{"generic":"Self"}},
            "generics":{"params":[],"where_predicates":[]},"header":{"is_async":true},"has_body":true}}},
        "14":{"name":"secretly","visibility":"crate","attrs":[],"inner":{"function":{
            "sig":{"inputs":[],"output":null},
            "generics":{"params":[],"where_predicates":[]},"header":{},"has_body":true}}}}}"#;

    fn listing() -> Listing {
        Listing::of(&CrateDoc::read(CRATE).unwrap())
    }

    #[test]
    fn what_can_be_named_is_listed() {
        let lines: Vec<String> = listing().lines.into_iter().collect();
        let expected = [
            "demo::Thing: non_exhaustive struct { .. }",
            "demo::Thing::of: async fn(client: reqwest::Client) -> Self",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_foreign_type_and_a_lost_sync_are_told() {
        let expected =
            ["demo::Thing names reqwest::client::Client, which is on no list", "demo::Thing is not Sync"];
        assert_eq!(broken("demo", &listing()), expected);
    }
}
