//! What stands beside a list in the objects that lead to it: how many there are, whether the call succeeded.
//!
//! The rule enforced here: it is kept up to a limit in bytes, names included; beyond that it is noted that something was left out.

use std::fmt;

use serde_json::value::RawValue;

use super::fields::{Scalar, Token};

/// The fields of the objects around a list, other than the list itself, each named by its path (`total`, `data.total`).
///
/// It is whole once the list has ended. Its `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Beside {
    limit: usize,
    used: usize,
    names: Vec<String>,
    /// By the place of the name.
    values: Vec<(usize, Box<RawValue>)>,
    /// The value that is being read.
    open: Vec<u8>,
    open_fits: bool,
    cut: bool,
}

impl Beside {
    pub(crate) fn up_to(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Every name that was met, in order; those on the way to the list are among them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The value of a field as it is written; of several with this name the last. Nothing for one that is absent, leads to the list,
    /// or did not fit.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        let named = |place: &usize| self.names.get(*place).is_some_and(|known| known == name);
        self.values.iter().rev().find(|(place, _)| named(place)).map(|(_, value)| &**value)
    }

    /// What a field is; absent is [`Scalar::Null`].
    #[must_use]
    pub fn scalar(&self, name: &str) -> Scalar<'_> {
        let named = |place: &usize| self.names.get(*place).is_some_and(|known| known == name);
        let found = self.values.iter().rev().find(|(place, _)| named(place));
        found.map_or(Scalar::Null, |(_, value)| value.scalar())
    }

    /// Whether something did not fit.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    fn take_room(&mut self, bytes: usize) -> bool {
        let fits = bytes <= self.limit.saturating_sub(self.used);
        self.cut |= !fits;
        self.used = self.used.saturating_add(if fits { bytes } else { 0 });
        fits
    }

    pub(crate) fn begin(&mut self, above: &[String], name: &str) {
        self.open.clear();
        let path = above.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        self.open_fits = self.take_room(path.len());
        if self.open_fits {
            self.names.push(path);
        }
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        if self.open_fits && self.take_room(value.len()) {
            self.open.extend_from_slice(value);
            return;
        }
        self.used = self.used.saturating_sub(self.open.len());
        self.open.clear();
        self.open_fits = false;
    }

    /// # Errors
    /// If what was read is no JSON.
    pub(crate) fn end(&mut self) -> Result<(), ()> {
        if self.open_fits {
            let value = serde_json::from_slice(&self.open).map_err(|_| ())?;
            self.values.push((self.names.len().saturating_sub(1), value));
        }
        Ok(())
    }
}

impl fmt::Debug for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beside").field("names", &self.names).field("cut", &self.cut).finish_non_exhaustive()
    }
}
