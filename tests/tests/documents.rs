//! What is promised of the Markdown files: no dead link, every decision numbered once and listed, every guide a doctest that the
//! README names, and translations of the README that say as much as the README.
//!
//! The commands of the first page are what newcomers copy, so a translation keeps every block of code word for word.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What a page consists of, for comparing two pages of one content in two languages.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    /// Levels, in order.
    headings: Vec<usize>,
    /// The words after `#`, in order.
    titles: Vec<String>,
    /// Fenced blocks with their first line.
    blocks: Vec<String>,
    links: Vec<String>,
    /// Cells of each row of a table.
    rows: Vec<usize>,
    bullets: usize,
    /// What stands in backticks outside blocks, sorted: names, variables and commands, whatever the order of a language's words.
    names: Vec<String>,
}

impl Page {
    fn read(text: &str) -> Self {
        let mut page = Self::default();
        let mut block: Option<String> = None;
        for line in text.lines() {
            let fence = line.trim_start().starts_with("```");
            match (&mut block, fence) {
                (None, true) => block = Some(format!("{line}\n")),
                (Some(open), false) => {
                    open.push_str(line);
                    open.push('\n');
                }
                (Some(_), true) => page.blocks.extend(block.take()),
                (None, false) => page.take_line(line),
            }
        }
        assert!(block.is_none(), "a block of code is not closed");
        page.names.sort();
        page
    }

    /// The links, those within the page by the position of their heading: its name is another in another language.
    fn targets(&self) -> Vec<String> {
        let position = |name: &str| self.titles.iter().position(|title| anchor(title) == name);
        let target = |link: &String| match link.strip_prefix('#') {
            Some(name) => format!("heading {:?}", position(name)),
            None => link.clone(),
        };
        self.links.iter().map(target).collect()
    }

    fn take_line(&mut self, line: &str) {
        let level = line.chars().take_while(|character| *character == '#').count();
        if level > 0 && line[level..].starts_with(' ') {
            self.headings.push(level);
            self.titles.push(line[level..].trim().to_owned());
        }
        if line.starts_with('|') {
            self.rows.push(line.matches('|').count() - 1);
        }
        self.bullets += usize::from(line.starts_with("* "));
        self.links.extend(links(line));
        self.names.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
    }
}

/// Targets of `](target)` outside backticks.
fn links(line: &str) -> Vec<String> {
    let plain: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
    let targets = plain.split("](").skip(1);
    targets.filter_map(|rest| rest.split(')').next()).map(|target| target.trim().to_owned()).collect()
}

/// Every Markdown file of the repository, from its root.
fn markdown() -> Vec<PathBuf> {
    let mut found = Vec::new();
    gather(&root(), &mut found);
    found.sort();
    found
}

fn gather(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let is_ours = !name.starts_with('.') && name != "target" && name != "node_modules";
        if is_ours && path.is_dir() && !path.is_symlink() {
            gather(&path, found);
        } else if is_ours && name.ends_with(".md") {
            found.push(path.strip_prefix(root()).unwrap().to_owned());
        }
    }
}

/// How a heading is called in an address, as the forges make it.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|character| character.is_alphanumeric() || " -_".contains(*character));
    kept.collect::<String>().trim().to_lowercase().replace(' ', "-")
}

/// Why a link from `page` leads nowhere, if it does.
fn trouble(page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    // Names in Rust, of pages that rustdoc includes: it denies those that lead nowhere.
    if target.contains("crate::") {
        return None;
    }
    let (path, fragment) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() { page.to_owned() } else { page.parent().unwrap().join(path) };
    if climbs_out(&file) {
        return Some("leaves the repository".to_owned());
    }
    if !root().join(&file).exists() {
        return Some("is not there".to_owned());
    }
    if fragment.is_empty() || file.extension().is_none_or(|kind| kind != "md") {
        return None;
    }
    let known: BTreeSet<String> = Page::read(&read(&file)).titles.iter().map(|title| anchor(title)).collect();
    (!known.contains(fragment)).then(|| format!("has no heading #{fragment}"))
}

fn climbs_out(path: &Path) -> bool {
    let mut depth = 0_i32;
    path.components().any(|part| {
        depth += match part {
            Component::ParentDir => -1,
            Component::Normal(_) => 1,
            _ => 0,
        };
        depth < 0
    })
}

#[test]
fn every_relative_link_leads_to_something() {
    let mut dead = Vec::new();
    let mut seen = 0;
    for page in markdown() {
        for target in Page::read(&read(&page)).links {
            seen += 1;
            dead.extend(trouble(&page, &target).map(|why| format!("{}: {target} {why}", page.display())));
        }
    }
    assert!(seen > 50, "only {seen} links were found: the search for them does not work");
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn a_dead_link_is_told() {
    let page = Path::new("docs/errors.md");
    for (target, is_dead) in [
        ("retries.md", false),
        ("../README.md#a-first-program", false),
        ("https://example.com/nothing", false),
        ("retired.md", true),
        ("../README.md#no-such-heading", true),
        ("#no-such-heading", true),
        ("../../elsewhere.md", true),
    ] {
        assert_eq!(trouble(page, target).is_some(), is_dead, "{target}");
    }
    assert_eq!(links("see [a](b.md), `[c](d.md)` and [e](f.md#g)"), ["b.md", "f.md#g"]);
}

/// Number and file name of each decision.
fn decisions() -> Vec<(u32, String)> {
    let folder = fs::read_dir(root().join("docs/decisions")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut found: Vec<_> = names
        .filter(|name| name != "README.md")
        .map(|name| (name.split('-').next().unwrap().parse().unwrap(), name))
        .collect();
    found.sort();
    found
}

#[test]
fn decisions_are_numbered_once_each_and_listed() {
    let found = decisions();
    let numbers: Vec<u32> = found.iter().map(|(number, _)| *number).collect();
    assert_eq!(
        numbers,
        (1..=found.len().try_into().unwrap()).collect::<Vec<u32>>(),
        "a gap or a number used twice"
    );
    let index = read("docs/decisions/README.md");
    let listed = Page::read(&index).links;
    for (number, name) in &found {
        let first = read(format!("docs/decisions/{name}")).lines().next().unwrap_or_default().to_owned();
        let title = first.strip_prefix(&format!("# {number}. "));
        let title = title.unwrap_or_else(|| panic!("{name} begins with {first:?}"));
        assert_eq!(listed.iter().filter(|target| *target == name).count(), 1, "{name} in the index");
        assert!(
            index.contains(&format!("[{title}]({name})")),
            "the index calls {name} otherwise than {title:?}"
        );
    }
}

/// Pages of `docs/` that are no guide but a record of figures, made by a program or for the maintainers.
const RECORDS: [&str; 3] = ["docs/fault-matrix.md", "docs/performance.md", "docs/releasing.md"];

#[test]
fn every_guide_is_a_doctest_and_the_readme_names_it() {
    let (doctests, readme) = (read("tests/src/lib.rs"), Page::read(&read("README.md")));
    let guides = markdown();
    let guides = guides.iter().filter(|page| page.parent() == Some(Path::new("docs")));
    for guide in guides.map(|page| page.display().to_string()) {
        let is_record = RECORDS.contains(&guide.as_str());
        assert!(is_record || doctests.contains(&format!("{guide:?}")), "{guide} is not compiled");
        assert!(
            guide == "docs/releasing.md" || readme.links.contains(&guide),
            "the README does not name {guide}"
        );
    }
}

#[test]
fn translations_say_as_much_as_the_readme() {
    let english = Page::read(&read("README.md"));
    for name in ["README.es.md", "README.pt.md"] {
        let other = Page::read(&read(name));
        let advice = format!("{name} is another page than README.md: translate what was changed there");
        assert_eq!(
            other.headings, english.headings,
            "headings: {advice}\n{:#?}\n{:#?}",
            english.titles, other.titles
        );
        assert_eq!(other.blocks, english.blocks, "blocks of code: {advice}");
        assert_eq!(other.targets(), english.targets(), "links: {advice}");
        assert_eq!(other.rows, english.rows, "tables: {advice}");
        assert_eq!(other.bullets, english.bullets, "lists: {advice}");
        assert_eq!(other.names, english.names, "names in backticks: {advice}");
        let same = english.titles.iter().zip(&other.titles).filter(|(left, right)| left == right).count();
        assert!(same <= 3, "{name} is not translated: {:?}", other.titles);
    }
}
