//! Every operation has a row: each name that stands in the source of a client is in the client's `idempotency_table`, the tables are
//! compared with the contracts by hand in `idempotency.rs`, and the rows of the matrix have the class of the table. The least clever way
//! that cannot rot: the sources are read as text, so that nobody has to remember to add anything. That an operation has a class at all
//! is the compiler's affair: it is an argument of every constructor.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::subject::Subject;
use super::subjects;

/// The crates that are no clients: the machinery, the store, and the service's side.
const NO_CLIENTS: [&str; 3] = ["core", "sandbox", "store"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            sources(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

/// The literal names of operations in a file, comments and tests left out.
fn names(text: &str) -> BTreeSet<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = lines.concat();
    let after = code.split("Operation::").skip(1);
    after.filter_map(first_literal).chain(listed(&lines)).map(str::to_owned).collect()
}

/// Operations whose name is not written down where they are made: nobody could look it up. One that has the name of another is it
/// under another path, and what begins with `$` stands in a macro.
fn unnamed(text: &str) -> Vec<String> {
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = lines.concat();
    let made = code.split("Operation::").skip(1);
    let arguments =
        made.filter_map(|code| ["get(", "post(", "new("].iter().find_map(|call| code.strip_prefix(call)));
    let is_hidden = |argument: &&str| {
        let argument = argument.trim_start();
        let constant =
            argument.split(|c: char| !c.is_ascii_uppercase() && c != '_').next().unwrap_or_default();
        let is_another = !constant.is_empty() && argument[constant.len()..].starts_with(".name,");
        // The way to routes that have no function: what it may do is told by the method.
        let is_raw = constant == "RAW" && argument.starts_with("RAW, method, template, idempotency)");
        !argument.starts_with(['"', '$']) && !is_another && !is_raw
    };
    let renamed = code.contains("Operation as ").then(|| "Operation under another name".to_owned());
    arguments.filter(is_hidden).map(|argument| argument.chars().take(40).collect()).chain(renamed).collect()
}

/// The last text of each line within `operations! {` and `}`, where a client declares many at once.
fn listed<'t>(lines: &[&'t str]) -> impl Iterator<Item = &'t str> {
    let block = lines.iter().skip_while(|line| **line != "operations! {").skip(1);
    block.take_while(|line| **line != "}").filter_map(|line| line.rsplit('"').nth(1))
}

/// The text in `get("text"`, `post( "text"`, `new("text"`.
fn first_literal(code: &str) -> Option<&str> {
    let arguments = ["get(", "post(", "new("].iter().find_map(|call| code.strip_prefix(call))?;
    arguments.trim_start().strip_prefix('"')?.split('"').next()
}

fn client(name: &str) -> BTreeSet<String> {
    let mut files = Vec::new();
    sources(&crates().join(name).join("src"), &mut files);
    files.iter().flat_map(|file| names(&fs::read_to_string(file).unwrap())).collect()
}

/// The crate of a subject: one crate may hold several.
fn crate_of(subject: &dyn Subject) -> &'static str {
    subject.name().split(' ').next().unwrap_or_default()
}

#[test]
fn names_are_found_however_they_are_broken_into_lines() {
    let text = "const A: Operation = Operation::get(\"a b\", \"/a\");\n/// Operation::get(\"doc\")\nOperation::new(\n    \"c\",\n";
    let tests = "#[cfg(test)]\nOperation::get(\"test\", \"\")";
    let block = "\noperations! {\n    D = GET Safe \"/d\" \"d e\",\n    // F = GET Safe \"/f\" \"f\",\n}\n\"no name\"\n";
    let found = names(&format!("{text}{block}{tests}"));
    assert_eq!(found, ["a b", "c", "d e"].map(str::to_owned).into());
}

#[test]
fn every_operation_says_its_name_where_it_is_made() {
    let hidden = "Operation::get(\"a\", \"/\")\nOperation::new(\n    NAME, x)\nOperation::get(STATUS.name, x)\nOperation::post($name, x)";
    assert_eq!(unnamed(hidden), ["    NAME, x)".trim_end().to_owned()]);
    assert_eq!(unnamed("use a::Operation as Op;"), ["Operation under another name"]);
    for subject in subjects::all() {
        let mut files = Vec::new();
        sources(&crates().join(crate_of(subject)).join("src"), &mut files);
        for file in files {
            let found = unnamed(&fs::read_to_string(&file).unwrap());
            assert_eq!(found, Vec::<String>::new(), "{}", file.display());
        }
    }
}

#[test]
fn every_client_of_the_workspace_is_in_the_matrix() {
    let folders =
        fs::read_dir(crates()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let clients: BTreeSet<_> = folders.filter(|name| !NO_CLIENTS.contains(&name.as_str())).collect();
    let in_matrix: BTreeSet<_> =
        subjects::all().iter().map(|subject| crate_of(*subject).to_owned()).collect();
    assert_eq!(clients, in_matrix, "add a file in `fault_matrix/subjects`");
}

#[test]
fn every_operation_in_a_source_is_in_the_table_of_its_client() {
    for subject in subjects::all() {
        let table: BTreeSet<_> = subject.table().iter().map(|row| row.0.to_owned()).collect();
        assert_eq!(client(crate_of(subject)), table, "{}", subject.name());
        assert_eq!(table.len(), subject.table().len(), "{}: names of their own", subject.name());
    }
}

#[test]
fn the_rows_of_the_matrix_have_the_class_of_the_table() {
    for subject in subjects::all() {
        for op in subject.operations() {
            let row = subject.table().iter().find(|row| row.0 == op.name);
            assert_eq!(row.map(|row| row.1), Some(op.rules.class), "{}: {}", subject.name(), op.name);
        }
    }
}
