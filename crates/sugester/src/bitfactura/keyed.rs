//! What a creation with a key came to (contract 4.9).

/// A record that is there once, whether this call made it or found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keyed<T> {
    /// The service answered that it made it.
    Created(T),
    /// It was found by its key: made by this call, whose answer was lost, or by an earlier one.
    Found(T),
}

impl<T> Keyed<T> {
    /// The record.
    #[must_use]
    pub fn into_inner(self) -> T {
        match self {
            Self::Created(record) | Self::Found(record) => record,
        }
    }

    /// Whether it was looked up rather than answered.
    #[must_use]
    pub const fn was_found(&self) -> bool {
        matches!(self, Self::Found(_))
    }
}
