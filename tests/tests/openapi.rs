//! The OpenAPI documents against the clients: every operation of a client, and every path that one is written with,
//! is in a document of its services, with the same word on repeating it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use integration_sandbox::openapi::DOCUMENTS;
use serde_json::Value;

/// A client and the documents of its services.
const CLIENTS: [(&str, &[&str]); 5] = [
    ("fiscal-printer", &["fiscal-printer"]),
    ("legale", &["legale"]),
    ("sugester", &["sugester", "bitfactura"]),
    ("geosite", &["geosite", "hubsoft"]),
    ("apiges-sync", &["apiges", "websync"]),
];

/// Names and idempotency of a client's operations.
fn table(client: &str) -> Vec<(&'static str, String)> {
    macro_rules! rows {
        ($($name:literal => $table:expr),+) => {
            match client {
                $($name => $table.iter().map(|row| (row.0, format!("{:?}", row.1).to_lowercase())).collect(),)+
                other => panic!("{other} has no table"),
            }
        };
    }
    rows! {
        "fiscal-printer" => fiscal_printer::idempotency_table(),
        "legale" => legale::idempotency_table(),
        "sugester" => sugester::idempotency_table(),
        "geosite" => geosite::idempotency_table(),
        "apiges-sync" => apiges_sync::idempotency_table()
    }
}

fn documents(names: &[&str]) -> Vec<Value> {
    let wanted = DOCUMENTS.iter().filter(|(name, _)| names.contains(name));
    wanted.map(|(name, text)| serde_json::from_str(text).expect(name)).collect()
}

fn operations(document: &Value) -> impl Iterator<Item = &Value> {
    document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
}

/// What the documents say of repeating each operation, by the client's name of it.
fn described(documents: &[Value]) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for operation in documents.iter().flat_map(operations) {
        let repeated = operation["x-idempotency"].as_str().unwrap_or("unsaid");
        let named = operation["x-operations"].as_array().map_or(&[][..], Vec::as_slice);
        let names = named.iter().chain([&operation["operationId"]]);
        found.extend(names.filter_map(Value::as_str).map(|name| (name, repeated)));
    }
    found
}

/// `/a/{b}` as `/a/{}`: what a part is called differs.
fn without_names(path: &str) -> String {
    let parts = path.split('/').map(|part| match (part.find('{'), part.find('}')) {
        (Some(start), Some(end)) => format!("{}{{}}{}", &part[..start], &part[end + 1..]),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|file| file.extension().is_some_and(|kind| kind == "rs"));
    own.chain(folders.iter().flat_map(|folder| sources(folder))).collect()
}

/// The path literals in what declares operations, tests left out.
fn declared(source: &str) -> Vec<String> {
    let code = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let starts = ["Operation::get(", "Operation::post(", "Operation::new(", "Self::new(\"", "operations! {"];
    let mut found = Vec::new();
    for start in starts {
        let end = if start.ends_with('{') { "\n}" } else { ";" };
        for part in code.split(start).skip(1) {
            let part = part.split(end).next().unwrap_or_default();
            // The inside of a macro: its uses are what declares.
            if part.contains('$') {
                continue;
            }
            let part = if start.ends_with('"') { format!("\"{part}") } else { part.to_owned() };
            found.extend(
                part.split('"').skip(1).step_by(2).filter(|text| text.starts_with('/')).map(Into::into),
            );
        }
    }
    found
}

#[test]
fn every_operation_of_a_client_is_described() {
    for (client, names) in CLIENTS {
        let documents = documents(names);
        let described = described(&documents);
        let table = table(client);
        assert!(!table.is_empty(), "{client}");
        for (name, idempotency) in table {
            assert_eq!(described.get(name), Some(&idempotency.as_str()), "{client}: {name}");
        }
    }
}

#[test]
fn every_path_of_a_client_is_described() {
    for (client, names) in CLIENTS {
        let documents = documents(names);
        let known: Vec<String> = documents
            .iter()
            .flat_map(|document| {
                document["paths"].as_object().unwrap().keys().map(|path| without_names(path))
            })
            .collect();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(client).join("src");
        let paths: Vec<String> =
            sources(&folder).iter().flat_map(|file| declared(&fs::read_to_string(file).unwrap())).collect();
        assert!(paths.len() > 4, "{client}: {paths:?}");
        for path in paths {
            let wanted = without_names(&path);
            assert!(known.iter().any(|known| known.ends_with(&wanted)), "{client}: {path}");
        }
    }
}

#[test]
fn paths_are_found_where_operations_are_declared() {
    let source = "const A: Operation = Operation::new(\n    \"a\",\n    M::PUT,\n    \"/a/{id}\",\n);\nlet b = \"/b\";\n\
                  #[cfg(test)]\nmod tests { Operation::get(\"c\", \"/c\"); }";
    assert_eq!(declared(source), ["/a/{id}"]);
    assert_eq!(without_names("/a/{id}.json/{x}"), "/a/{}.json/{}");
}
