//! Lists the public surface of the published crates and compares it with `docs/api`: nothing is added, changed or lost unseen.
//!
//! `.ci/public-surface` makes the JSON and runs this. Also checked on that JSON: foreign types in public signatures are on the list of
//! `promises.rs`, every type that a signature names can be named, every public type is `Send` and `Sync`, and the page of every operation
//! says what `operations.rs` asks for; `wire_names.rs` keeps the page of the service's names.

mod crate_doc;
mod listing;
mod operations;
mod promises;
mod types;
mod walk;
mod wire_names;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use crate_doc::CrateDoc;
use listing::Listing;
use operations::{CLIENTS, Operations};
use wire_names::WireNames;

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (update, rest): (Vec<&String>, Vec<&String>) = arguments.iter().partition(|word| *word == "--update");
    let [docs, lists, crates @ ..] = rest.as_slice() else {
        eprintln!("public-surface [--update] FOLDER_OF_JSON FOLDER_OF_LISTS CRATE...");
        return ExitCode::FAILURE;
    };
    let mut well = true;
    for name in crates {
        well &=
            check(Path::new(docs), Path::new(lists), name, !update.is_empty()).unwrap_or_else(|failure| {
                println!("{name}: {failure}");
                false
            });
    }
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn check(docs: &Path, lists: &Path, name: &str, update: bool) -> Result<bool, Failure> {
    let json = docs.join(format!("{}.json", name.replace('-', "_")));
    let doc =
        CrateDoc::read(&fs::read_to_string(&json).map_err(|cause| format!("{}: {cause}", json.display()))?)?;
    let listing = Listing::of(&doc);
    let broken = promises::broken(name, &listing);
    for line in &broken {
        println!("{name}: {line}");
    }
    let list = lists.join(format!("{name}.txt"));
    if update {
        fs::create_dir_all(lists)?;
        fs::write(&list, written(&listing.lines))?;
    }
    let kept = fs::read_to_string(&list).unwrap_or_default();
    let same = compared(name, &kept, &listing.lines);
    println!("{name}: {} lines, rustdoc's format {}", listing.lines.len(), doc.format());
    let (taught, named) = (taught(name, &doc), named(name, &doc, update)?);
    Ok(broken.is_empty() && same && taught && named)
}

/// The page stands beside the crate, so that it is packed with it.
fn named(name: &str, doc: &CrateDoc, update: bool) -> Result<bool, Failure> {
    if !CLIENTS.contains(&name) {
        return Ok(true);
    }
    let (names, page) = (WireNames::of(doc), Path::new("crates").join(name).join("doc/wire-names.md"));
    for line in &names.unnamed {
        println!("{name}: {line}");
    }
    for word in names.unfound(name) {
        println!("{name}: nothing has the `#[doc(alias)]` {word:?}");
    }
    if update {
        fs::write(&page, names.page())?;
    }
    let same = fs::read_to_string(&page).unwrap_or_default() == names.page();
    if !same {
        println!("{name}: {} is not as the aliases say: .ci/public-surface --update", page.display());
    }
    Ok(same && names.unnamed.is_empty() && names.unfound(name).is_empty())
}

fn taught(name: &str, doc: &CrateDoc) -> bool {
    let Some(operations) = Operations::of(name, doc) else { return true };
    for line in &operations.silent {
        println!("{name}: {line}");
    }
    println!("{name}: {} of {} operations have an example", operations.examples, operations.all);
    operations.is_enough()
}

fn written(lines: &BTreeSet<String>) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn compared(name: &str, kept: &str, lines: &BTreeSet<String>) -> bool {
    let kept: BTreeSet<&str> = kept.lines().collect();
    let now: BTreeSet<&str> = lines.iter().map(String::as_str).collect();
    for gone in kept.difference(&now) {
        println!("{name}: - {gone}");
    }
    for new in now.difference(&kept) {
        println!("{name}: + {new}");
    }
    if kept != now {
        println!(
            "{name}: the surface is not as docs/api says; if that is meant: .ci/public-surface --update"
        );
    }
    kept == now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_is_new_differs() {
        let lines = BTreeSet::from(["a: fn()".to_owned(), "b: fn()".to_owned()]);
        assert!(compared("demo", &written(&lines), &lines));
        assert!(!compared("demo", "a: fn()\n", &lines));
        assert!(!compared("demo", "a: fn()\nb: fn()\nc: fn()\n", &lines));
    }
}
