//! What rustdoc says of every operation of the clients: whether it may be repeated, where the contract has it, how it fails, and how it is
//! called.
//!
//! An operation is a public function that is asynchronous, or that gives one of [`LAZY`], which ask when they are awaited.

use serde_json::Value;

use crate::crate_doc::CrateDoc;
use crate::walk::{Place, places};

/// Crates of clients; the others hold no operations of a service.
pub const CLIENTS: [&str; 5] = ["fiscal-printer", "legale", "sugester", "geosite", "apiges-sync"];

/// What is asked for by awaiting it.
const LAZY: [&str; 8] = ["Batch", "Download", "File", "List", "Pages", "ReadAll", "ReadMany", "Running"];

/// How many of a hundred operations have an example of their own.
const EXAMPLES: usize = 90;

/// The operations of one crate and what is missing.
#[derive(Default)]
pub struct Operations {
    pub all: usize,
    pub examples: usize,
    /// One line for each operation that lacks something, with what it lacks.
    pub silent: Vec<String>,
}

impl Operations {
    /// `None` for a crate that is no client.
    pub fn of(name: &str, doc: &CrateDoc) -> Option<Self> {
        if !CLIENTS.contains(&name) {
            return None;
        }
        let mut found = Self::default();
        for place in places(doc).iter().filter(|place| place.kind == "function") {
            found.function(place);
        }
        Some(found)
    }

    /// Whether enough have an example, and all have the rest.
    pub fn is_enough(&self) -> bool {
        self.silent.is_empty() && self.examples * 100 >= self.all * EXAMPLES
    }

    fn function(&mut self, place: &Place) {
        let output = &place.inner["sig"]["output"];
        if place.inner["header"]["is_async"] != true && !is_lazy(output) {
            return;
        }
        let said = place.item["docs"].as_str().unwrap_or_default();
        self.all += 1;
        self.examples += usize::from(has_example(said));
        let missing = missing(said, output);
        if !missing.is_empty() {
            self.silent.push(format!("{} does not say {}", place.path, missing.join(", ")));
        }
    }
}

fn missing(said: &str, output: &Value) -> Vec<&'static str> {
    // One that hands a call on says whose.
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let has_section = said.contains("contract ") || said.starts_with("[`Client::");
    let has_errors = last_name(output) != Some("Result") || said.contains("# Errors");
    let parts = [
        (said.contains("Idempotency: "), "whether it may be repeated (`Idempotency: …`)"),
        (has_section, "its section of the contract"),
        (has_errors, "how it fails (`# Errors`)"),
    ];
    parts.into_iter().filter(|(there, _)| !there).map(|(_, what)| what).collect()
}

fn has_example(said: &str) -> bool {
    said.lines().any(|line| {
        line.strip_prefix("```").is_some_and(|word| matches!(word, "" | "no_run" | "rust" | "should_panic"))
    })
}

fn is_lazy(output: &Value) -> bool {
    let name = last_name(output);
    name.is_some_and(|name| LAZY.contains(&name))
        || name == Some("Result")
            && is_lazy(&output["resolved_path"]["args"]["angle_bracketed"]["args"][0]["type"])
}

fn last_name(ty: &Value) -> Option<&str> {
    ty["resolved_path"]["path"].as_str()?.rsplit("::").next()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result_of(name: &str) -> Value {
        let ty = json!({ "type": { "resolved_path": { "path": name } } });
        json!({ "resolved_path": { "path": "Result", "args": { "angle_bracketed": { "args": [ty] } } } })
    }

    #[test]
    fn a_list_that_is_read_later_is_an_operation_and_a_value_is_not() {
        assert!(is_lazy(&result_of("body::page::Pages")));
        assert!(!is_lazy(&result_of("Document")));
        assert!(!is_lazy(&Value::Null));
    }

    #[test]
    fn every_part_is_asked_for() {
        let whole = "Reads (contract 3.1).\n\nIdempotency: `Safe`.\n\n# Errors\nAll.";
        assert!(missing(whole, &result_of("Document")).is_empty());
        assert_eq!(missing("Reads.", &result_of("Document")).len(), 3);
        assert_eq!(missing("[`Client::read`].\n\nIdempotency: `Safe`.", &Value::Null), [""; 0]);
    }

    #[test]
    fn an_example_is_code_that_is_compiled() {
        assert!(has_example("a\n```\nlet a = 1;\n```"));
        assert!(has_example("```no_run\nlet a = 1;\n```"));
        assert!(!has_example("```text\na\n"));
    }

    #[test]
    fn ninety_of_a_hundred_are_enough() {
        let of = |examples| Operations { all: 10, examples, silent: Vec::new() }.is_enough();
        assert!(of(9) && !of(8));
    }
}
