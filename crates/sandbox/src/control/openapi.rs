//! Serves the OpenAPI documents, with `servers` set to where the simulators are listening.
//!
//! Everything else in a document goes out byte for byte: its examples hold amounts whose scale a parser would drop.

use std::collections::BTreeMap;

use http::Method;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Control;
use crate::answer::{Answer, JSON};
use crate::openapi::DOCUMENTS;

const ROOT: &str = "/_sandbox/openapi/";

/// The answer to a request below [`ROOT`]; none for anything that is not there.
pub(super) fn answer(control: &Control, method: &Method, path: &str) -> Option<Answer> {
    let rest = path.strip_prefix(ROOT).filter(|_| method == Method::GET)?;
    if rest.is_empty() {
        return Some(Answer::json(200, &list(control)));
    }
    let (_, text) = DOCUMENTS.iter().find(|(name, _)| rest.strip_suffix(".json") == Some(name))?;
    let served = at(text, base_url(control, rest.trim_end_matches(".json")))?;
    Some(Answer::new(200, JSON, served))
}

fn list(control: &Control) -> Value {
    let row =
        |name: &str| json!({ "document": format!("{ROOT}{name}.json"), "server": base_url(control, name) });
    DOCUMENTS
        .iter()
        .map(|(name, _)| ((*name).to_owned(), row(name)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn base_url<'a>(control: &'a Control, name: &str) -> &'a str {
    match name {
        "fiscal-printer" => control.fiscal.base_url(),
        "legale" => control.legale.base_url(),
        "sugester" => control.sugester.base_url(),
        "bitfactura" => control.bitfactura.base_url(),
        "geosite" => control.geosite.base_url(),
        "hubsoft" => control.hubsoft.base_url(),
        "apiges" => control.apiges.base_url(),
        _ => control.websync.base_url(),
    }
}

/// The document with this one server.
fn at(text: &str, base_url: &str) -> Option<String> {
    let mut parts: BTreeMap<&str, &RawValue> = serde_json::from_str(text).ok()?;
    let servers =
        serde_json::value::to_raw_value(&json!([{ "url": base_url, "description": "this sandbox" }])).ok()?;
    parts.insert("servers", &servers);
    serde_json::to_string(&parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_servers_change() {
        let served =
            at(r#"{"x":{"total": 45.320},"servers":[{"url":"https://elsewhere"}]}"#, "http://127.0.0.1:1");
        let expected = r#"{"servers":[{"description":"this sandbox","url":"http://127.0.0.1:1"}],"x":{"total": 45.320}}"#;
        assert_eq!(served.as_deref(), Some(expected));
    }

    #[test]
    fn every_document_can_be_served() {
        for (name, text) in DOCUMENTS {
            assert!(
                at(text, "http://127.0.0.1:1").is_some_and(|served| served.contains("127.0.0.1:1")),
                "{name}"
            );
        }
    }
}
