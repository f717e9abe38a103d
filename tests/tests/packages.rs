//! What a registry asks of a crate, and what its readers do: metadata, licences, a README whose program is that of the crate's page.
//!
//! `.ci/packages` packs them; this reads the manifests as cargo does.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The categories of crates.io that the workspace uses; a word that is none is dropped there with a warning.
const CATEGORIES: [&str; 7] = [
    "api-bindings",
    "asynchronous",
    "database",
    "development-tools::testing",
    "finance",
    "science::geo",
    "simulation",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn manifests() -> Vec<Value> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--offline", "--locked", "--no-deps", "--format-version", "1"]);
    let said = cargo.current_dir(root()).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let all: Value = serde_json::from_slice(&said.stdout).unwrap();
    all["packages"].as_array().unwrap().clone()
}

fn is_published(manifest: &Value) -> bool {
    manifest["publish"].is_null()
}

fn published() -> Vec<Value> {
    manifests().into_iter().filter(is_published).collect()
}

fn name(manifest: &Value) -> &str {
    manifest["name"].as_str().unwrap()
}

fn folder(manifest: &Value) -> PathBuf {
    Path::new(manifest["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

#[test]
fn what_lies_in_crates_is_published_and_nothing_else() {
    for manifest in manifests() {
        let is_crate = folder(&manifest).parent().unwrap().ends_with("crates");
        assert_eq!(is_published(&manifest), is_crate, "{}", name(&manifest));
    }
    assert_eq!(published().len(), 8);
}

#[test]
fn every_published_crate_says_what_a_registry_asks() {
    for manifest in published() {
        let name = name(&manifest);
        let description = manifest["description"].as_str().unwrap_or_default();
        assert!((20..=200).contains(&description.len()), "{name}: description");
        assert_eq!(manifest["license"], "MIT OR Apache-2.0", "{name}");
        assert_eq!(manifest["rust_version"], "1.88", "{name}");
        assert_eq!(manifest["readme"], "README.md", "{name}");
        assert_eq!(manifest["metadata"]["docs"]["rs"]["all-features"], true, "{name}");
        let keywords = texts(&manifest["keywords"]);
        assert!((1..=5).contains(&keywords.len()), "{name}: keywords");
        for word in keywords {
            let is_plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            assert!(word.len() <= 20 && is_plain, "{name}: the keyword {word}");
        }
        let categories = texts(&manifest["categories"]);
        assert!((1..=5).contains(&categories.len()), "{name}: categories");
        assert!(categories.iter().all(|word| CATEGORIES.contains(word)), "{name}: {categories:?}");
    }
}

#[test]
fn every_published_crate_stands_on_published_ones() {
    let published: Vec<Value> = published();
    for manifest in &published {
        for dependency in manifest["dependencies"].as_array().unwrap() {
            let (on, is_dev) = (dependency["name"].as_str().unwrap(), dependency["kind"] == "dev");
            if dependency["path"].is_null() || is_dev && dependency["req"] == "*" {
                continue; // from the registry, or left out of the package by cargo
            }
            assert!(published.iter().any(|other| name(other) == on), "{} needs {on}", name(manifest));
            assert_ne!(dependency["req"], "*", "{} names no version of {on}", name(manifest));
        }
    }
}

#[test]
fn every_package_holds_both_licences() {
    for manifest in published() {
        for licence in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let own = std::fs::read_to_string(folder(&manifest).join(licence)).unwrap();
            assert_eq!(own, std::fs::read_to_string(root().join(licence)).unwrap(), "{}", name(&manifest));
        }
    }
}

/// The lines of the first block of code, without the marks of rustdoc and without indentation.
fn program(lines: impl Iterator<Item = String>) -> Vec<String> {
    let block = lines.skip_while(|line| !line.starts_with("```")).skip(1);
    let block = block.take_while(|line| !line.starts_with("```"));
    let shown = block.map(|line| line.strip_prefix("# ").unwrap_or(&line).trim().to_owned());
    shown.filter(|line| !line.is_empty()).collect()
}

#[test]
fn the_readme_of_a_client_begins_with_the_program_of_its_page() {
    for manifest in published().iter().filter(|manifest| !name(manifest).starts_with("integration-")) {
        let (page, readme) = (folder(manifest).join("src/lib.rs"), folder(manifest).join("README.md"));
        let page = std::fs::read_to_string(page).unwrap();
        let said = page.lines().filter_map(|line| line.strip_prefix("//!"));
        let page = program(said.map(|line| line.strip_prefix(' ').unwrap_or(line).to_owned()));
        let readme = program(std::fs::read_to_string(readme).unwrap().lines().map(str::to_owned));
        assert!(page.len() > 5, "{}", name(manifest));
        assert_eq!(readme, page, "{}", name(manifest));
    }
}
