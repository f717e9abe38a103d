//! How values are kept in rows, the same in both engines: states as numbers, moments as microseconds, and a checksum over what
//! must not change by itself.

use std::time::Duration;

use crc::{CRC_64_XZ, Crc, Table};
use jiff::Timestamp;

use crate::entry::State;
use crate::error::{StoreError, StoreErrorKind};

static CRC: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_XZ);

/// Numbers that are stored; never to be changed. 2 also stands in the schema and in `list`.
pub(crate) fn state_code(state: State) -> i64 {
    match state {
        State::Prepared => 0,
        State::InFlight => 1,
        State::Done => 2,
        State::Refused => 3,
        State::Unknown => 4,
        State::Dead => 5,
    }
}

pub(crate) fn state_of(code: i64) -> Result<State, StoreError> {
    let found = State::ALL.into_iter().find(|state| state_code(*state) == code);
    found.ok_or_else(|| corrupt(format!("a state is stored as {code}, which stands for none")))
}

pub(crate) fn moment(micros: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_microsecond(micros)
        .map_err(|_| corrupt(format!("a moment is stored as {micros}, out of range")))
}

/// Stored moments are whole microseconds: a bound between two of them is the upper one.
pub(crate) fn ceil_micros(bound: Timestamp) -> i64 {
    let micros =
        bound.as_nanosecond().div_euclid(1_000) + i128::from(bound.as_nanosecond().rem_euclid(1_000) > 0);
    i64::try_from(micros).unwrap_or(i64::MAX)
}

/// Long enough for ever, short enough to be added to any moment.
pub(crate) fn ttl_micros(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_micros()).unwrap_or(i64::MAX).min(i64::MAX / 4)
}

/// The first text after all that start with `prefix`, in the order of bytes; `None` if there is no such text.
pub(crate) fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Stepping over the surrogates, which are no characters.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

/// A checksum over parts with their lengths, so that nothing can move from one part to the next.
pub(crate) fn seal(parts: &[&[u8]]) -> i64 {
    let mut digest = CRC.digest();
    for part in parts {
        digest.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        digest.update(part);
    }
    digest.finalize().cast_signed()
}

pub(crate) fn check(computed: i64, stored: i64, what: impl FnOnce() -> String) -> Result<(), StoreError> {
    if computed == stored {
        return Ok(());
    }
    let message = format!(
        "{} does not match its checksum; restore the store from a copy before anything is sent",
        what()
    );
    Err(corrupt(message))
}

pub(crate) fn corrupt(message: String) -> StoreError {
    StoreError::new(StoreErrorKind::Corrupt, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_text_begins() {
        assert_eq!(after_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(after_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(after_prefix(""), None);
    }

    #[test]
    fn bounds_are_rounded_up() {
        let bound = |nanos| ceil_micros(Timestamp::from_nanosecond(nanos).unwrap());
        assert_eq!([bound(1_000), bound(1_001), bound(-1_001), bound(-1_000)], [1, 2, -1, -1]);
    }

    #[test]
    fn nothing_moves_between_sealed_parts() {
        assert_ne!(seal(&[b"ab", b"c"]), seal(&[b"a", b"bc"]));
    }
}
