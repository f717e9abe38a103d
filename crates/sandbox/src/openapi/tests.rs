//! Each document is whole: every property, parameter and operation is marked, every reference leads somewhere.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const MARKS: [&str; 3] = ["documented", "observed", "assumed"];

fn parsed() -> Vec<(&'static str, Value)> {
    DOCUMENTS.iter().map(|(name, text)| (*name, serde_json::from_str(text).expect(name))).collect()
}

/// Calls `look` with every object below `value` and the pointer to it.
fn walk<'v>(value: &'v Value, pointer: &str, look: &mut dyn FnMut(&str, &'v serde_json::Map<String, Value>)) {
    match value {
        Value::Object(fields) => {
            look(pointer, fields);
            for (key, field) in fields {
                walk(field, &format!("{pointer}/{key}"), look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, pointer, look)),
        _ => {}
    }
}

fn is_marked(value: &Value) -> bool {
    let marked = value["x-mark"].as_str().is_some_and(|mark| MARKS.contains(&mark));
    marked && value["x-contract"].as_str().is_some_and(|contract| contract.contains(".md §"))
}

fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (format!("{method} {path}"), operation))
    })
}

#[test]
fn every_document_says_which_openapi_it_is() {
    for (name, document) in parsed() {
        assert_eq!(document["openapi"], "3.1.0", "{name}");
        assert!(document["servers"][0]["url"].is_string(), "{name}");
    }
}

#[test]
fn every_property_is_marked() {
    for (name, document) in parsed() {
        let mut seen = 0;
        walk(&document["components"]["schemas"], "", &mut |pointer, fields| {
            // A schema may have a property of that name: only an object of schemas is meant.
            let Some(Value::Object(properties)) =
                fields.get("properties").filter(|_| !pointer.ends_with("/properties"))
            else {
                return;
            };
            for (property, schema) in properties {
                seen += 1;
                assert!(is_marked(schema), "{name}{pointer}/{property}");
            }
        });
        assert!(seen > 30, "{name}: {seen}");
    }
}

#[test]
fn every_operation_parameter_and_answer_is_marked() {
    for (name, document) in parsed() {
        for (place, operation) in operations(&document) {
            assert!(is_marked(operation), "{name}: {place}");
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(is_marked(parameter), "{name}: {place}: {}", parameter["name"]);
            }
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let mark = answer["x-mark"].as_str().unwrap_or_default();
                assert!(MARKS.contains(&mark), "{name}: {place}: {status}");
            }
        }
    }
}

#[test]
fn operation_names_stand_for_one_operation_each() {
    for (name, document) in parsed() {
        let mut seen = BTreeSet::new();
        for (place, operation) in operations(&document) {
            assert!(seen.insert(operation["operationId"].as_str().unwrap()), "{name}: {place}");
        }
    }
}

#[test]
fn every_reference_leads_to_a_schema_and_every_schema_is_used() {
    for (name, document) in parsed() {
        let schemas: BTreeSet<&str> =
            document["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut used = BTreeSet::new();
        walk(&document, "", &mut |_, fields| {
            let reference = fields.get("$ref").and_then(Value::as_str);
            used.extend(reference.and_then(|reference| reference.strip_prefix("#/components/schemas/")));
        });
        assert_eq!(used, schemas, "{name}");
    }
}
