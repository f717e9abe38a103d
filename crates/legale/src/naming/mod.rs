//! Names, folders, versions and metadata that people can rely on (contract 4.10).
//!
//! The uniform name `Type_Party_Year.ext` and the hierarchy `Area/Type/Party` come from the user guide (documented); the checks
//! are this crate's (assumed). Nothing here renames a file by itself.
//!
//! ```
//! use legale::naming::{FileName, Folder, lint, next_version};
//!
//! let name = FileName::new("pdf").part("Contrato").part("Cliente X").year(2025).build()?;
//! assert_eq!(name, "Contrato_Cliente-X_2025.pdf");
//! assert!(lint(&name).is_empty());
//! assert_eq!(next_version(&name)?, "Contrato_Cliente-X_2025_v2.pdf");
//! assert!(Folder::new("Legal/Contratos/ClienteX")?.covers("root/Legal/Contratos/ClienteX/2025"));
//! # Ok::<(), legale::Error>(())
//! ```

mod folder;
mod metadata;

use integration_core::{Error, Fault, Faults};

pub use folder::Folder;
pub use metadata::Metadata;

/// What common file systems hold.
const LONGEST: usize = 255;
const YEARS: std::ops::RangeInclusive<u16> = 1900..=2999;
const DROPPED: &str = "/\\:*?\"<>|";

/// Builds a name: parts joined by `_`, in the order in which they are added.
///
/// Within a part blanks and `_` become `-`; `/ \ : * ? " < >`, the pipe and control characters are dropped; letters of any script
/// stay. The extension becomes lower case.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct FileName {
    parts: Vec<Part>,
    extension: String,
}

#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Year(u16),
}

impl FileName {
    /// A name with this extension, with or without its dot, and no part yet.
    pub fn new(extension: impl Into<String>) -> Self {
        Self { parts: Vec::new(), extension: extension.into() }
    }

    /// Adds a part, such as the type of the document or the party.
    pub fn part(mut self, text: impl Into<String>) -> Self {
        self.parts.push(Part::Text(text.into()));
        self
    }

    /// Adds a year, 1900 to 2999.
    pub fn year(mut self, year: u16) -> Self {
        self.parts.push(Part::Year(year));
        self
    }

    /// The name.
    ///
    /// # Errors
    /// A validation error with every part that is empty (also once cleaned), a year out of range, an extension that is empty or
    /// not plain letters and digits, and a name of more than 255 bytes.
    pub fn build(self) -> Result<String, Error> {
        let mut faults = Faults::new();
        if self.parts.is_empty() {
            faults.push(Fault::error("NAME", "file_name").with_hint("add at least one part"));
        }
        let texts: Vec<_> =
            self.parts.iter().enumerate().map(|(index, part)| part.clean(index, &mut faults)).collect();
        let extension = self.extension.trim_start_matches('.').to_lowercase();
        if extension.is_empty() || !extension.chars().all(char::is_alphanumeric) {
            let fault = Fault::error("NAME", "extension").with_expected("letters and digits");
            faults.push(fault.with_actual(&self.extension));
        }
        let name = format!("{}.{extension}", texts.join("_"));
        too_long(&name, &mut faults);
        faults.into_result("build a file name")?;
        Ok(name)
    }
}

impl Part {
    fn clean(&self, index: usize, faults: &mut Faults) -> String {
        let path = format!("file_name.part[{index}]");
        match self {
            Self::Text(text) => {
                let clean = cleaned(text);
                if clean.is_empty() {
                    let fault = Fault::error("NAME", path).with_actual(text);
                    faults.push(fault.with_hint("nothing is left of it once it is cleaned"));
                }
                clean
            }
            Self::Year(year) => {
                if !YEARS.contains(year) {
                    let fault = Fault::error("NAME", path).with_expected("a year from 1900 to 2999");
                    faults.push(fault.with_actual(year.to_string()));
                }
                year.to_string()
            }
        }
    }
}

fn cleaned(text: &str) -> String {
    let kept = text.trim().chars().filter(|c| !DROPPED.contains(*c) && !c.is_control());
    kept.map(|c| if c.is_whitespace() || c == '_' { '-' } else { c }).collect()
}

fn too_long(name: &str, faults: &mut Faults) {
    if name.len() > LONGEST {
        let fault = Fault::error("NAME", "file_name").with_expected("at most 255 bytes");
        faults.push(fault.with_actual(name.len().to_string()));
    }
}

/// What is wrong with a name by the guide's rule, as warnings: no extension (`EXTENSION`), blanks (`BLANKS`), no year (`YEAR`),
/// fewer than three parts (`PARTS`). It never renames.
///
/// ```
/// let found = legale::naming::lint("contrato final");
/// let rules: Vec<_> = found.iter().map(|fault| fault.rule()).collect();
/// assert_eq!(rules, ["EXTENSION", "BLANKS", "YEAR", "PARTS"]);
/// ```
#[must_use]
pub fn lint(name: &str) -> Vec<Fault> {
    let (stem, extension) = split(name);
    let stem = unversioned(stem).0;
    let is_year = |part: &str| part.len() == 4 && part.parse().is_ok_and(|year| YEARS.contains(&year));
    let parts: Vec<&str> = stem.split('_').filter(|part| !part.is_empty()).collect();
    let findings = [
        ("EXTENSION", extension.is_none(), "end it in an extension, such as .pdf"),
        ("BLANKS", name.chars().any(char::is_whitespace), "write - for blanks"),
        ("YEAR", !parts.iter().any(|part| is_year(part)), "name the year, as in Contrato_ClienteX_2025.pdf"),
        ("PARTS", parts.len() < 3, "join at least type, party and year by _"),
    ];
    let warning = |rule, hint| Fault::warning(rule, "file_name").with_actual(name).with_hint(hint);
    findings
        .into_iter()
        .filter(|(_, is_found, _)| *is_found)
        .map(|(rule, _, hint)| warning(rule, hint))
        .collect()
}

/// The version that a name tells: 2 for `…_v2.pdf`, 1 where there is none.
///
/// ```
/// assert_eq!(legale::naming::version("Contrato_X_2025_v12.pdf"), 12);
/// assert_eq!(legale::naming::version("Contrato_X_2025.pdf"), 1);
/// ```
#[must_use]
pub fn version(name: &str) -> u32 {
    unversioned(split(name).0).1
}

/// The name of the next version. Versions are new uploads, never an overwrite of the one before.
///
/// # Errors
/// A validation error if the name would have more than 255 bytes, is empty or ends in a dot, or if the number is the last there is.
pub fn next_version(name: &str) -> Result<String, Error> {
    let (stem, extension) = split(name);
    let (stem, version) = unversioned(stem);
    let mut faults = Faults::new();
    let Some(next) = version.checked_add(1) else {
        faults.push(
            Fault::error("NAME", "file_name").with_actual(name).with_hint("no version comes after this"),
        );
        return faults.into_result("name a version").map(|_| String::new());
    };
    let extension = extension.map(|extension| format!(".{extension}")).unwrap_or_default();
    let following = format!("{stem}_v{next}{extension}");
    too_long(&following, &mut faults);
    // After these the number would be read as an extension, or as all there is of the name.
    if name.is_empty() || name.ends_with('.') {
        let hint = "name it first: a stem, a dot and an extension";
        faults.push(Fault::error("NAME", "file_name").with_actual(name).with_hint(hint));
    }
    faults.into_result("name a version")?;
    Ok(following)
}

/// The name before its last dot, and what comes after it.
fn split(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => (stem, Some(extension)),
        _ => (name, None),
    }
}

/// The stem without `_v2` and the like, and the number.
fn unversioned(stem: &str) -> (&str, u32) {
    let found = stem.rsplit_once("_v").and_then(|(stem, digits)| {
        let is_plain = !digits.starts_with(['0', '+']) && !stem.is_empty();
        let number: u32 = digits.parse().ok()?;
        (is_plain && number >= 2).then_some((stem, number))
    });
    found.unwrap_or((stem, 1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_built_by_the_rule() {
        let build = |parts: &[&str], extension: &str| {
            parts.iter().fold(FileName::new(extension), |name, part| name.part(*part)).build()
        };
        assert_eq!(
            build(&["Contrato", "Año Ñandú_Ltda.", "契約"], ".PDF").unwrap(),
            "Contrato_Año-Ñandú-Ltda._契約.pdf"
        );
        assert_eq!(build(&["a/b\\c:d*e?f\"g<h>i|j\n"], "pdf").unwrap(), "abcdefghij.pdf");
        assert_eq!(build(&["a", " /?"], "p df").unwrap_err().faults().len(), 2);
        assert!(build(&[], "pdf").is_err() && build(&["a"], "").is_err());
        assert!(build(&[&"ñ".repeat(126)], "pdf").is_err());
        assert!(build(&[&"ñ".repeat(125)], "pdf").is_ok());
        for (year, is_right) in [(1899, false), (1900, true), (2999, true), (3000, false)] {
            assert_eq!(FileName::new("pdf").part("a").year(year).build().is_ok(), is_right);
        }
    }

    #[test]
    fn the_linter_says_what_is_wrong() {
        let rules = |name: &str| lint(name).iter().map(Fault::rule).collect::<Vec<_>>();
        assert_eq!(rules("Contrato_ClienteX_2025.pdf"), [""; 0]);
        assert_eq!(rules("Contrato_ClienteX_2025_v3.pdf"), [""; 0]);
        assert_eq!(rules("Contrato_ClienteX_2025"), ["EXTENSION"]);
        assert_eq!(rules("Contrato_Cliente X_2025.pdf"), ["BLANKS"]);
        assert_eq!(rules("Contrato_ClienteX_25.pdf"), ["YEAR"]);
        assert_eq!(rules("Contrato_2025.pdf"), ["PARTS"]);
        assert_eq!(rules("Contrato_2025_v2.pdf"), ["PARTS"]);
        assert!(lint("").iter().all(|fault| fault.severity() == integration_core::Severity::Warning));
    }

    #[test]
    fn versions_go_before_the_extension() {
        let table = [
            ("a.pdf", "a_v2.pdf"),
            ("a_v2.pdf", "a_v3.pdf"),
            ("a_v9.tar.gz", "a_v9.tar_v2.gz"),
            ("a_v1.pdf", "a_v1_v2.pdf"),
            ("a_v02.pdf", "a_v02_v2.pdf"),
            ("a", "a_v2"),
            (".pdf", ".pdf_v2"),
        ];
        for (name, next) in table {
            assert_eq!(next_version(name).unwrap(), next);
        }
        assert!(next_version(&format!("a_v{}.pdf", u32::MAX)).is_err());
        assert!(next_version(&"a".repeat(255)).is_err());
        for unnamed in ["", "a.", "a_v2."] {
            assert!(next_version(unnamed).is_err(), "{unnamed:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_built_can_be_saved_and_passes_the_linter(first in "\\PC{1,40}", second in any::<String>(), year in 1900u16..3000) {
            if let Ok(name) = FileName::new("pdf").part(first).part(second).year(year).build() {
                prop_assert!(name.len() <= 255 && !name.chars().any(|c| DROPPED.contains(c) || c.is_control()));
                prop_assert_eq!(lint(&name), Vec::new());
                prop_assert_eq!(version(&next_version(&name).unwrap_or_else(|_| "a_v2".into())), 2);
            }
        }

        #[test]
        fn any_name_is_linted_and_versioned_without_a_panic(name in any::<String>()) {
            let _ = (lint(&name), version(&name), next_version(&name));
        }
    }
}
