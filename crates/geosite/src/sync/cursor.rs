//! From when on a run asks, and where its cursor goes (contract 4.7, Y2).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the moment of a run comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StampSource {
    /// The server's `Date`.
    Server,
    /// This machine's clock, less the allowance for its being wrong.
    OwnClock,
}

/// The moment of a run's start: by the server's `Date`, else by our clock less `skew`.
pub(crate) fn stamp(server: Option<Timestamp>, own: Timestamp, skew: Duration) -> (Timestamp, StampSource) {
    match server {
        Some(server) => (server, StampSource::Server),
        None => (earlier(own, skew), StampSource::OwnClock),
    }
}

/// The closed lower bound of a query. The overlap shifts only this, never the stored cursor.
pub(crate) fn bound(cursor: Timestamp, overlap: Duration) -> Timestamp {
    earlier(cursor, overlap)
}

/// The cursor after a complete reading; `None` if the clock went back, and the stored one stays.
pub(crate) fn next(cursor: Option<Timestamp>, stamp: Timestamp) -> Option<Timestamp> {
    Some(stamp).filter(|stamp| cursor.is_none_or(|cursor| *stamp >= cursor))
}

pub(crate) fn earlier(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.checked_sub(by).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVERLAP: Duration = Duration::from_secs(15 * 60);

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Contract 4.7: a cursor of 20/11/2023 01:00 local (04:00Z) gives a bound of 00:45 local.
    #[test]
    fn the_contracts_bound() {
        assert_eq!(bound(at("2023-11-20T04:00:00Z"), OVERLAP), at("2023-11-20T03:45:00Z"));
    }

    #[test]
    fn the_servers_clock_comes_first() {
        let own = at("2026-11-22T07:00:00Z");
        let skew = Duration::from_secs(120);
        assert_eq!(
            stamp(Some(at("2026-11-22T07:03:00Z")), own, skew),
            (at("2026-11-22T07:03:00Z"), StampSource::Server)
        );
        assert_eq!(stamp(None, own, skew), (at("2026-11-22T06:58:00Z"), StampSource::OwnClock));
    }

    #[test]
    fn a_clock_that_went_back_moves_no_cursor() {
        let (early, late) = (at("2026-11-22T07:00:00Z"), at("2026-11-22T07:00:01Z"));
        assert_eq!(next(None, early), Some(early));
        assert_eq!(next(Some(early), late), Some(late));
        assert_eq!(next(Some(early), early), Some(early));
        assert_eq!(next(Some(late), early), None);
    }

    #[test]
    fn no_moment_is_too_early_to_count_from() {
        assert_eq!(earlier(Timestamp::MIN, OVERLAP), Timestamp::MIN);
        assert_eq!(earlier(Timestamp::MAX, Duration::MAX), Timestamp::MIN);
    }
}
