//! Walks the hash chains of an outbox and says where the first one breaks.
//!
//! The lanes' tips are read first: every line that they count was committed before, so the walk through the lines, which
//! others may be adding to, must meet all of them. Lines after a noted tip are left for the next time.

use std::collections::BTreeMap;
use std::fmt;

use crate::backend::Backend;
use crate::chain::{Digest, Tip};
use crate::entry::{Event, Line, Standing};
use crate::error::StoreError;

const PAGE: usize = 500;

/// What was verified.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Chain {
    /// How many lanes have a history.
    pub lanes: u64,
    /// How many lines were verified.
    pub lines: u64,
    /// The lanes' tips as they were verified, to be compared with tips that were noted outside.
    pub tips: BTreeMap<String, Tip>,
}

/// What is wrong with a line or an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The line's link does not fit its content and the link before it.
    Altered,
    /// There is no such line.
    Missing,
    /// The line stands elsewhere in its lane.
    Reordered,
    /// The lane's tip counts more lines than there are.
    Truncated,
    /// The lane's tip is not the link of its last line, or counts fewer lines than there are.
    TipDiffers,
    /// The entry's state or version is not what its history says.
    EntryState,
    /// The entry's data are not those of its last line.
    EntryData,
    /// The entry's bytes to be sent are not those of its last line.
    EntryBody,
    /// The entry was changed at another moment than its last line says.
    EntryTime,
}

/// The first place where an outbox is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Broken {
    /// The lane.
    pub lane: String,
    /// The line's position in the history of its lane, from 1.
    pub line: i64,
    /// The line's id, if there is one.
    pub event: Option<i64>,
    /// The key of its entry, if it is known.
    pub key: Option<String>,
    /// What is wrong.
    pub fault: Fault,
}

/// Why an outbox could not be verified.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// It is not what was written.
    #[error("the history is broken: {0}")]
    Broken(Broken),
    /// It could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VerifyError {
    /// The broken place, if that is what it is.
    #[must_use]
    pub fn broken(&self) -> Option<&Broken> {
        match self {
            Self::Broken(broken) => Some(broken),
            Self::Store(_) => None,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Altered => "was altered",
            Self::Missing => "is missing",
            Self::Reordered => "stands elsewhere",
            Self::Truncated => "is missing, and so is what followed: the history was cut off",
            Self::TipDiffers => "is not the one that the lane's tip names",
            Self::EntryState => "does not say the state and version in which its entry stands",
            Self::EntryData => "does not hold the data of its entry",
            Self::EntryBody => "is not about the bytes that its entry holds",
            Self::EntryTime => "was not written when its entry was changed",
        })
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of lane {:?}", self.line, self.lane)?;
        if let Some(event) = self.event {
            write!(f, " (event {event})")?;
        }
        if let Some(key) = &self.key {
            write!(f, " of entry {key:?}")?;
        }
        write!(f, " {}", self.fault)
    }
}

/// How far the walk has come in a lane.
#[derive(Debug, Default)]
struct Walk {
    noted: Tip,
    reached: Tip,
}

impl Walk {
    fn is_over(&self) -> bool {
        self.reached.lines >= self.noted.lines
    }

    /// `Err` with what is wrong with the line.
    fn step(&mut self, outbox: &str, line: &Line) -> Result<(), Fault> {
        let next = self.reached.lines.saturating_add(1);
        if line.event.line != next {
            return Err(if line.event.line > next { Fault::Missing } else { Fault::Reordered });
        }
        let mut event: Event = line.event.clone();
        self.reached.chain(outbox, &line.lane, &line.key, &mut event);
        if event.link != line.event.link {
            return Err(Fault::Altered);
        }
        if self.is_over() && self.reached.link != self.noted.link {
            return Err(Fault::TipDiffers);
        }
        Ok(())
    }
}

struct Verifier<'a> {
    backend: &'a dyn Backend,
    outbox: &'a str,
    walks: BTreeMap<String, Walk>,
    lines: u64,
}

pub(crate) async fn verify(
    backend: &dyn Backend,
    outbox: &str,
    progress: impl FnMut(u64) + Send,
) -> Result<Chain, VerifyError> {
    let mut verifier = Verifier { backend, outbox, walks: BTreeMap::new(), lines: 0 };
    verifier.note_tips().await?;
    verifier.walk(progress).await?;
    verifier.look_for_cut_off()?;
    verifier.compare_entries().await?;
    backend.check().await?;
    let tips: BTreeMap<_, _> = verifier.walks.into_iter().map(|(lane, walk)| (lane, walk.reached)).collect();
    Ok(Chain { lanes: u64::try_from(tips.len()).unwrap_or(u64::MAX), lines: verifier.lines, tips })
}

impl Verifier<'_> {
    async fn note_tips(&mut self) -> Result<(), VerifyError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.backend.tips(self.outbox, after.as_deref(), PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (lane, noted) in page {
                self.walks.insert(lane, Walk { noted, reached: Tip::default() });
            }
        }
    }

    async fn walk(&mut self, mut progress: impl FnMut(u64) + Send) -> Result<(), VerifyError> {
        let mut after = 0;
        loop {
            let page = self.backend.lines(self.outbox, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.event.id;
            for line in &page {
                self.meet(line).await?;
            }
            progress(self.lines);
        }
    }

    async fn meet(&mut self, line: &Line) -> Result<(), VerifyError> {
        let Some(walk) = self.walks.get_mut(&line.lane) else { return self.meet_stranger(line).await };
        if walk.is_over() {
            // Written since the tips were noted, or behind the tip's back.
            return if line.event.line > walk.noted.lines {
                self.meet_newer(line).await
            } else {
                Err(at(line, Fault::Reordered))
            };
        }
        match walk.step(self.outbox, line) {
            Ok(()) => {
                self.lines += 1;
                Ok(())
            }
            Err(Fault::Missing) => {
                let missing = walk.reached.lines.saturating_add(1);
                self.missing(line, missing).await
            }
            Err(fault) => Err(at(line, fault)),
        }
    }

    /// A lane without a tip: one that began after the tips were noted has one now.
    async fn meet_stranger(&self, line: &Line) -> Result<(), VerifyError> {
        self.meet_newer(line).await
    }

    async fn meet_newer(&self, line: &Line) -> Result<(), VerifyError> {
        let tip = self.backend.lane(self.outbox, &line.lane).await?.tip;
        if tip.lines >= line.event.line { Ok(()) } else { Err(at(line, Fault::TipDiffers)) }
    }

    /// A line is not where it should be: is it further on, or nowhere?
    async fn missing(&self, met: &Line, missing: i64) -> Result<(), VerifyError> {
        let mut after = met.event.id;
        loop {
            let page = self.backend.lines(self.outbox, after, PAGE).await?;
            let found = page.iter().find(|line| line.lane == met.lane && line.event.line == missing);
            if let Some(line) = found {
                return Err(at(line, Fault::Reordered));
            }
            let Some(last) = page.last() else {
                let lane = met.lane.clone();
                let broken = Broken { lane, line: missing, event: None, key: None, fault: Fault::Missing };
                return Err(VerifyError::Broken(broken));
            };
            after = last.event.id;
        }
    }

    fn look_for_cut_off(&self) -> Result<(), VerifyError> {
        let cut = self.walks.iter().find(|(_, walk)| !walk.is_over());
        cut.map_or(Ok(()), |(lane, walk)| {
            let line = walk.reached.lines.saturating_add(1);
            let lane = lane.clone();
            Err(VerifyError::Broken(Broken { lane, line, event: None, key: None, fault: Fault::Truncated }))
        })
    }

    async fn compare_entries(&self) -> Result<(), VerifyError> {
        let mut after = 0;
        loop {
            let page = self.backend.standings(self.outbox, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.entry.id;
            page.iter().try_for_each(compare)?;
        }
    }
}

fn at(line: &Line, fault: Fault) -> VerifyError {
    VerifyError::Broken(Broken {
        lane: line.lane.clone(),
        line: line.event.line,
        event: Some(line.event.id),
        key: Some(line.key.clone()),
        fault,
    })
}

/// An entry must equal the last line of its history.
fn compare(standing: &Standing) -> Result<(), VerifyError> {
    let Standing { entry, last, changes } = standing;
    let line = last.as_ref().map_or(0, |last| last.line);
    let broken = |fault| {
        let (lane, key) = (entry.lane.clone(), Some(entry.key.clone()));
        VerifyError::Broken(Broken { lane, line, event: last.as_ref().map(|last| last.id), key, fault })
    };
    let Some(last) = last else { return Err(broken(Fault::Missing)) };
    match () {
        () if last.state != entry.state || *changes != entry.version => Err(broken(Fault::EntryState)),
        () if last.data != entry.data => Err(broken(Fault::EntryData)),
        () if last.body != Digest::of(&entry.body) => Err(broken(Fault::EntryBody)),
        () if last.at != entry.changed => Err(broken(Fault::EntryTime)),
        () => Ok(()),
    }
}
