//! The hash chain over the history of a lane: each line carries the hash of the one before, and the lane keeps the newest.
//!
//! It proves that the lines of a lane are the ones that were written, in their order, each unaltered, none missing in between
//! or at the end. It does not prove who wrote them: whoever can write the database can also compute every link and the lane's
//! tip anew. Against that only a [`Tip`] helps that was noted outside the database, where such a person cannot reach.

use std::fmt;

use ring::digest::{Context, SHA256, digest};

use crate::entry::{Event, State};

/// A SHA-256, printed in hexadecimal.
///
/// ```
/// use integration_store::Digest;
///
/// assert_eq!(Digest::of(b"").to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_slice(digest(&SHA256, bytes).as_ref()).unwrap_or_default()
    }

    /// A hash that was kept as bytes; `None` if there are not 32 of them.
    #[must_use]
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The newest line of a lane's history: how many there are, and the last one's link. Noted elsewhere, it proves later that the
/// lane's history up to then is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Tip {
    /// How many lines the lane has.
    pub lines: i64,
    /// The link of the last one; 32 zero bytes before the first.
    pub link: Digest,
}

impl Tip {
    /// As it was noted.
    #[must_use]
    pub const fn new(lines: i64, link: Digest) -> Self {
        Self { lines, link }
    }

    /// Chains a line to the lane: sets its [`line`](Event::line) and [`link`](Event::link), and moves on to it. For backends,
    /// so that all of them chain alike.
    pub fn chain(&mut self, outbox: &str, lane: &str, key: &str, event: &mut Event) {
        self.lines = self.lines.saturating_add(1);
        self.link = link(self.link, outbox, lane, key, event);
        event.line = self.lines;
        event.link = self.link;
    }
}

/// SHA-256 over the previous link and these parts, each after its length (eight bytes, big-endian): outbox, lane, key, the
/// state's name, `1` for testimony or `0`, the worker, the moment in microseconds since 1970 in decimal, the data, the hash of
/// the body.
fn link(previous: Digest, outbox: &str, lane: &str, key: &str, event: &Event) -> Digest {
    let micros = event.at.as_microsecond().to_string();
    let testimony: &[u8] = if event.testimony { b"1" } else { b"0" };
    let parts: [&[u8]; 9] = [
        outbox.as_bytes(),
        lane.as_bytes(),
        key.as_bytes(),
        State::name(event.state).as_bytes(),
        testimony,
        event.worker.as_bytes(),
        micros.as_bytes(),
        &event.data,
        event.body.as_bytes(),
    ];
    let mut context = Context::new(&SHA256);
    context.update(previous.as_bytes());
    for part in parts {
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part);
    }
    Digest::from_slice(context.finish().as_ref()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::entry::{Entry, NewEntry};

    fn line() -> Event {
        let at = Timestamp::from_microsecond(1_700_000_000_000_000).unwrap();
        Event::of(1, &Entry::prepared(1, NewEntry::new("lane", "key", "body", "data"), at), "ann")
    }

    /// The encoding is stored: it must never change.
    #[test]
    fn the_encoding_stands() {
        let mut tip = Tip::default();
        let mut event = line();
        tip.chain("outbox", "lane", "key", &mut event);
        let expected = {
            let mut bytes = vec![0_u8; 32];
            let body = Digest::of(b"body");
            for part in [
                &b"outbox"[..],
                b"lane",
                b"key",
                b"prepared",
                b"0",
                b"ann",
                b"1700000000000000",
                b"data",
                body.as_bytes(),
            ] {
                bytes.extend((part.len() as u64).to_be_bytes());
                bytes.extend(part);
            }
            Digest::of(&bytes)
        };
        assert_eq!((event.line, event.link, tip), (1, expected, Tip::new(1, expected)));
    }

    #[test]
    fn every_part_counts() {
        let first = link(Digest::default(), "o", "l", "k", &line());
        let others = [
            link(Digest::of(b""), "o", "l", "k", &line()),
            link(Digest::default(), "ol", "", "k", &line()),
            link(Digest::default(), "o", "l", "K", &line()),
            link(Digest::default(), "o", "l", "k", &Event { state: State::Done, ..line() }),
            link(Digest::default(), "o", "l", "k", &Event { testimony: true, ..line() }),
            link(Digest::default(), "o", "l", "k", &Event { worker: "ben".into(), ..line() }),
            link(Digest::default(), "o", "l", "k", &Event { at: Timestamp::UNIX_EPOCH, ..line() }),
            link(Digest::default(), "o", "l", "k", &Event { data: "Data".into(), ..line() }),
            link(Digest::default(), "o", "l", "k", &Event { body: Digest::of(b"Body"), ..line() }),
        ];
        assert!(others.iter().all(|other| *other != first));
    }
}
