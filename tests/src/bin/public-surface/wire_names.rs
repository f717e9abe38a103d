//! The page of each client that leads from the service's names to those of the crate, made of the crate's own `#[doc(alias)]`.
//!
//! Such an alias is a name on the wire, or a word of the vendor's manual or of the trade in Spanish or Portuguese. rustdoc's search finds
//! them, and the page `wire_names` lists them; that its links lead somewhere is checked when the documentation is built.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::crate_doc::CrateDoc;
use crate::walk::{Place, places};

/// What newcomers were seen to look for, with accents and without.
const LOOKED_FOR: [(&str, &[&str]); 5] = [
    ("fiscal-printer", &["anulacion", "anulación", "factura", "nota de credito", "nota de crédito"]),
    ("legale", &["firmante", "documento", "recordatorio"]),
    ("sugester", &["cliente", "factura", "asunto"]),
    ("geosite", &["viabilidade", "porta", "cliente"]),
    ("apiges-sync", &["expediente", "cliente", "factura recibida"]),
];

/// The names of one crate.
pub struct WireNames {
    rows: BTreeMap<String, BTreeSet<String>>,
    /// Fields and variants that are written under another name which is no alias.
    pub unnamed: Vec<String>,
}

impl WireNames {
    pub fn of(doc: &CrateDoc) -> Self {
        let (mut rows, mut unnamed) = (BTreeMap::<String, BTreeSet<String>>::new(), Vec::new());
        for place in places(doc) {
            let aliases = quoted(place.item, "#[doc(alias = \"");
            let own = place.path.rsplit("::").next().unwrap_or_default().to_owned();
            for name in quoted(place.item, "rename = \"") {
                if plain(&name) != plain(&own) && !aliases.contains(&name) {
                    unnamed
                        .push(format!("{} is written as `{name}`, which is no `#[doc(alias)]`", place.path));
                }
            }
            for alias in aliases {
                rows.entry(alias).or_default().insert(link(&place));
            }
        }
        Self { rows, unnamed }
    }

    /// Words that people look for in this crate and do not find.
    pub fn unfound(&self, name: &str) -> Vec<&'static str> {
        let of_crate = LOOKED_FOR.iter().filter(|(other, _)| *other == name).flat_map(|(_, words)| *words);
        of_crate.copied().filter(|word| !self.rows.contains_key(*word)).collect()
    }

    /// The page, in Markdown.
    pub fn page(&self) -> String {
        let mut page = String::from("| there | here |\n|---|---|\n");
        let mut rows: Vec<(&String, &BTreeSet<String>)> = self.rows.iter().collect();
        rows.sort_by_key(|(name, _)| name.to_lowercase());
        for (name, links) in rows {
            let links: Vec<&str> = links.iter().map(String::as_str).collect();
            page.push_str(&format!("| `{name}` | {} |\n", links.join(", ")));
        }
        page
    }
}

/// What stands between such a beginning and the next quotation mark, in the attributes of an item.
fn quoted(item: &Value, beginning: &str) -> Vec<String> {
    let attributes = item["attrs"].as_array().into_iter().flatten().filter_map(|attr| attr["other"].as_str());
    let after = attributes.filter_map(|attr| attr.split_once(beginning)?.1.split_once('"'));
    after.map(|(name, _)| name.to_owned()).collect()
}

/// Names that the search takes for one: case and underscores do not count.
fn plain(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn link(place: &Place) -> String {
    let path = place.path.split_once("::").map_or("", |(_, path)| path);
    let kind = match place.kind {
        "struct_field" => "field",
        "function" if place.is_member => "method",
        "function" => "fn",
        "assoc_const" | "constant" => "const",
        "type_alias" => "type",
        other => other,
    };
    format!("[`{path}`]({kind}@crate::{path})")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(attrs: &[&str]) -> Value {
        let attrs: Vec<Value> = attrs.iter().map(|attr| json!({ "other": attr })).collect();
        json!({ "attrs": attrs })
    }

    #[test]
    fn aliases_are_read_from_attributes() {
        let item =
            item(&["#[doc(alias = \"nota de crédito\")]", "#[serde(rename = \"tipo\")]", "#[must_use]"]);
        assert_eq!(quoted(&item, "#[doc(alias = \""), ["nota de crédito"]);
        assert_eq!(quoted(&item, "rename = \""), ["tipo"]);
    }

    #[test]
    fn a_link_says_of_what_kind_its_target_is() {
        let (item, inner) = (Value::Null, Value::Null);
        let place = Place {
            path: "demo::Line::price".into(),
            kind: "struct_field",
            item: &item,
            inner: &inner,
            is_member: true,
        };
        assert_eq!(link(&place), "[`Line::price`](field@crate::Line::price)");
    }

    #[test]
    fn the_search_finds_another_case_without_an_alias() {
        assert_eq!(plain("holderId"), plain("holder_id"));
        assert_ne!(plain("tipo"), plain("kind"));
    }
}
