//! The digest of a grant's files, by which both sides see whether they hold the same (contract 4.6).

use super::canonical::{NotCanonical, canonical};
use super::id::Sha256;
use super::load::BatchItem;
use super::view::View;

/// What one file adds to a digest: small enough to keep for every file of a load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DigestLine {
    case_id: u64,
    version: u64,
    view: Sha256,
}

impl DigestLine {
    /// The line of a file.
    ///
    /// # Errors
    /// [`NotCanonical`] never for a view of this crate, whose numbers are integers.
    pub fn new(case_id: u64, version: u64, view: &View) -> Result<Self, NotCanonical> {
        let view = Sha256::of(canonical(view)?.as_bytes());
        Ok(Self { case_id, version, view })
    }

    /// The line of a file of a load.
    ///
    /// # Errors
    /// As [`DigestLine::new`].
    pub fn of_item(item: &BatchItem) -> Result<Self, NotCanonical> {
        Self::new(item.case_id, item.version, &item.view)
    }

    /// The line of a file of which only the digest of its canonical view is kept.
    #[must_use]
    pub const fn known(case_id: u64, version: u64, view: Sha256) -> Self {
        Self { case_id, version, view }
    }

    /// The file.
    #[must_use]
    pub const fn case_id(&self) -> u64 {
        self.case_id
    }

    /// The digest of its canonical view: equal if and only if the same is seen.
    #[must_use]
    pub const fn view(&self) -> Sha256 {
        self.view
    }
}

/// The digest of files, whatever the order in which their lines come.
///
/// ```
/// use apiges_sync::web::{DigestLine, View, digest};
///
/// let empty = View::default();
/// let lines = [DigestLine::new(3992, 42, &empty)?, DigestLine::new(17, 3, &empty)?];
/// assert_eq!(digest(lines).to_string(), "62ebd2f3b39153aa92f85d182a1f0dc97fc8c878ee6ce6ddc7d1c07d80e73f04");
/// # Ok::<(), apiges_sync::web::NotCanonical>(())
/// ```
#[must_use]
pub fn digest(lines: impl IntoIterator<Item = DigestLine>) -> Sha256 {
    let mut lines: Vec<_> = lines.into_iter().collect();
    lines.sort_unstable();
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    for DigestLine { case_id, version, view } in lines {
        context.update(format!("{case_id}:{version}:{view}\n").as_bytes());
    }
    Sha256::finished(&context.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contracts_vector_in_any_order() {
        let line = |case_id, version| DigestLine::new(case_id, version, &View::default()).unwrap();
        let expected = "62ebd2f3b39153aa92f85d182a1f0dc97fc8c878ee6ce6ddc7d1c07d80e73f04";
        assert_eq!(digest([line(17, 3), line(3992, 42)]).to_string(), expected);
        assert_eq!(digest([line(3992, 42), line(17, 3)]).to_string(), expected);
        assert_ne!(digest([line(17, 4), line(3992, 42)]).to_string(), expected);
    }

    #[test]
    fn rises_by_number_and_not_by_text() {
        let view = View { numero: Some("1".into()), ..View::default() };
        let hash = Sha256::of(br#"{"numero":"1"}"#);
        let text = format!("9:1:{hash}\n10:1:{hash}\n");
        let lines = [10, 9].map(|case_id| DigestLine::new(case_id, 1, &view).unwrap());
        assert_eq!(digest(lines), Sha256::of(text.as_bytes()));
    }

    #[test]
    fn nothing_has_the_digest_of_no_bytes() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(digest([]).to_string(), empty);
    }
}
