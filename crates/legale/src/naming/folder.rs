//! Folders `Area/Type/Party`, compared by whole segments.

use std::fmt;
use std::str::FromStr;

use integration_core::{Error, Fault, Faults};

/// A folder as it is sent: no leading or trailing `/`, no segment that is empty, `.`, `..` or holds a `\` or a control
/// character.
///
/// Answers put `root/` before it. That is dropped when comparing and never sent (contract 4.10).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "carpeta")]
pub struct Folder(String);

impl Folder {
    /// A folder to send.
    ///
    /// # Errors
    /// A validation error that lists every segment that is not allowed.
    ///
    /// ```
    /// use legale::naming::Folder;
    ///
    /// assert!(Folder::new("Legal/Contratos").is_ok());
    /// for wrong in ["", "/Legal", "Legal/", "Legal//X", "Legal/../X", "root/Legal", "Legal\\X"] {
    ///     assert!(Folder::new(wrong).is_err(), "{wrong}");
    /// }
    /// ```
    pub fn new(path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        let mut faults = Faults::new();
        if path == "root" || path.starts_with("root/") {
            let fault = Fault::error("FOLDER", "folder").with_actual(&path);
            faults.push(fault.with_hint("root/ stands in answers only; `Folder::from_answer` drops it"));
        }
        for (index, segment) in path.split('/').enumerate() {
            if is_bad(segment) {
                let fault = Fault::error("FOLDER", format!("folder[{index}]")).with_actual(segment);
                faults.push(
                    fault.with_hint("no empty segment, no . or .., no backslash, no control character"),
                );
            }
        }
        faults.into_result("name a folder")?;
        Ok(Self(path))
    }

    /// A folder of an answer, its `root/` dropped; nothing for the root itself and for what is no folder.
    ///
    /// ```
    /// use legale::naming::Folder;
    ///
    /// assert_eq!(Folder::from_answer("root/Legal").map(|folder| folder.to_string()).as_deref(), Some("Legal"));
    /// assert_eq!(Folder::from_answer("root/"), None);
    /// ```
    #[must_use]
    pub fn from_answer(path: &str) -> Option<Self> {
        let path = path.strip_prefix("root/").unwrap_or(path);
        Self::new(path.trim_matches('/')).ok()
    }

    /// The path as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `path`, as the caller or an answer writes it, is this folder or lies in it, by whole segments: `Legal` does not
    /// cover `LegalOps`.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        let Some(other) = Self::from_answer(path) else { return false };
        let mut segments = other.0.split('/');
        self.0.split('/').all(|own| segments.next() == Some(own))
    }
}

fn is_bad(segment: &str) -> bool {
    matches!(segment, "" | "." | "..") || segment.chars().any(|c| c == '\\' || c.is_control())
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Folder {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn folders_cover_by_whole_segments() {
        let legal = Folder::new("Legal").unwrap();
        for inside in ["Legal", "root/Legal", "Legal/X", "root/Legal/X/Y", "Legal/"] {
            assert!(legal.covers(inside), "{inside}");
        }
        for outside in ["LegalOps", "root/LegalOps", "", "root", "root/", "X/Legal", "legal", "Legal/../X"] {
            assert!(!legal.covers(outside), "{outside}");
        }
    }

    proptest! {
        #[test]
        fn a_folder_covers_what_is_added_to_it_and_nothing_that_is_longer_in_a_segment(
            segments in proptest::collection::vec("[A-Za-z]{1,6}", 1..4), more in "[A-Za-z]{1,6}",
        ) {
            prop_assume!(segments[0] != "root");
            let folder = Folder::new(segments.join("/")).unwrap();
            let (inside, longer) = (format!("{folder}/{more}"), format!("{folder}{more}"));
            prop_assert!(folder.covers(&inside));
            prop_assert!(!folder.covers(&longer));
            prop_assert!(!Folder::new(inside).unwrap().covers(folder.as_str()));
        }
    }
}
