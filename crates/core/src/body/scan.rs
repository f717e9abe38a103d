//! Finds the elements of a list in JSON that arrives in pieces, without recursion, and keeps what stands beside the list.
//!
//! It checks the structure of what it walks through; what is inside an element is checked by whoever decodes it. Within texts and
//! within brackets it runs from one byte that matters to the next.

use std::fmt;

use super::beside::Beside;

/// A name on the way to the list longer than this is none that anybody asked for.
const NAME_LIMIT: usize = 1024;

/// Why a text is not one with the list that was asked for: the cause behind the error of
/// [`Elements`](super::stream::Elements).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Broken {
    /// It is not JSON.
    NotJson,
    /// It ends too early.
    Truncated,
    /// It goes on after its end.
    Trailing,
    /// It is JSON, and there is no list at this path.
    NoList(String),
    /// What leads to this path is there twice.
    Twice(String),
    /// It nests deeper than this.
    TooDeep(usize),
    /// An element has more bytes than this.
    ElementTooLarge(usize),
}

impl std::error::Error for Broken {}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("the answer is not JSON"),
            Self::Truncated => {
                f.write_str("the answer ends in the middle of the list or of what surrounds it")
            }
            Self::Trailing => f.write_str("the answer goes on after its end"),
            Self::NoList(path) if path.is_empty() => {
                f.write_str("the answer has no list: it is something else")
            }
            Self::NoList(path) => write!(f, "the answer has no list at `{path}`"),
            Self::Twice(path) => write!(f, "what leads to `{path}` is there twice"),
            Self::TooDeep(limit) => write!(f, "the answer nests deeper than {limit}"),
            Self::ElementTooLarge(limit) => write!(f, "an element of the list is larger than {limit} bytes"),
        }
    }
}

/// Where the scanner is. `level` counts the open objects on the way to the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before a value that lies on the way.
    Value,
    NameOrEnd,
    Name,
    InName {
        escaped: bool,
    },
    Colon,
    BeforeSkipped,
    Skipped,
    AfterField,
    ElementOrEnd,
    BeforeElement,
    Element,
    AfterElement,
    End,
}

/// What the scanner stopped at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The end of the bytes.
    Nothing,
    /// The first byte of an element, which is the next to be read.
    Start,
    /// The end of an element that [`Scanner::element`] now holds.
    Element,
}

#[derive(Debug)]
pub(crate) struct Scanner {
    path: Vec<String>,
    pub(crate) element_limit: usize,
    pub(crate) depth_limit: usize,
    at: At,
    level: usize,
    /// For every open object, whether its name on the way was there.
    seen: Vec<bool>,
    name: Vec<u8>,
    /// The value that is being walked through.
    inside: Inside,
    element: Vec<u8>,
    pub(crate) beside: Beside,
}

impl Scanner {
    pub(crate) fn new(path: &str, element_limit: usize, depth_limit: usize) -> Self {
        let path = path.split('.').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Self {
            path,
            element_limit,
            depth_limit,
            at: At::Value,
            level: 0,
            seen: Vec::new(),
            name: Vec::new(),
            inside: Inside::default(),
            element: Vec::new(),
            beside: Beside::default(),
        }
    }

    /// Reads `bytes` up to the beginning or the end of the next element; how many were used, and what was found.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> (usize, Result<Found, Broken>) {
        if let (At::AfterElement, Some(b",{" | b",[" | b",\"")) = (self.at, bytes.first_chunk()) {
            // By far the most frequent case.
            return (1, Ok(self.begin_element()));
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let found = self.advance(&mut rest);
            if found != Ok(Found::Nothing) {
                return (bytes.len().saturating_sub(rest.len()), found);
            }
        }
        (bytes.len(), Ok(Found::Nothing))
    }

    fn begin_element(&mut self) -> Found {
        self.at = At::Element;
        self.inside.restart();
        self.element.clear();
        Found::Start
    }

    /// The element that was found.
    pub(crate) fn element(&self) -> &[u8] {
        &self.element
    }

    /// Says that the element which starts here was taken by somebody else.
    pub(crate) fn taken(&mut self) {
        self.at = At::AfterElement;
    }

    /// # Errors
    /// If this is not the end of the text.
    pub(crate) fn end(&self) -> Result<(), Broken> {
        if self.at == At::End { Ok(()) } else { Err(Broken::Truncated) }
    }

    fn no_list(&self) -> Broken {
        Broken::NoList(self.path.join("."))
    }

    fn advance(&mut self, rest: &mut &[u8]) -> Result<Found, Broken> {
        match self.at {
            At::Element => return self.collect(rest),
            At::Skipped => self.skip(rest)?,
            _ => return self.step(rest),
        }
        Ok(Found::Nothing)
    }

    /// One byte outside values, or none if a value begins with it.
    fn step(&mut self, rest: &mut &[u8]) -> Result<Found, Broken> {
        let Some((byte, after)) = rest.split_first() else { return Ok(Found::Nothing) };
        let in_name = matches!(self.at, At::InName { .. });
        if !in_name && is_blank(*byte) {
            *rest = after;
            return Ok(Found::Nothing);
        }
        self.at = if in_name { self.in_name(*byte)? } else { self.between(*byte)? };
        if self.at == At::Element {
            return Ok(self.begin_element());
        }
        if self.at == At::Skipped {
            self.inside.restart();
            return Ok(Found::Nothing);
        }
        *rest = after;
        Ok(Found::Nothing)
    }

    /// A byte that is no blank, outside names and values.
    fn between(&mut self, byte: u8) -> Result<At, Broken> {
        match (self.at, byte) {
            (At::Value, _) => self.on_the_way(byte),
            (At::NameOrEnd | At::AfterField, b'}') => self.close(),
            (At::NameOrEnd | At::Name, b'"') => {
                self.name.clear();
                Ok(At::InName { escaped: false })
            }
            (At::AfterField, b',') => Ok(At::Name),
            (At::Colon, b':') => self.named(),
            (At::BeforeSkipped, _) => Ok(At::Skipped),
            (At::ElementOrEnd | At::AfterElement, b']') => Ok(self.after_value()),
            (At::AfterElement, b',') => Ok(At::BeforeElement),
            (At::ElementOrEnd | At::BeforeElement, b',' | b']') => Err(Broken::NotJson),
            (At::ElementOrEnd | At::BeforeElement, _) => Ok(At::Element),
            (At::End, _) => Err(Broken::Trailing),
            _ => Err(Broken::NotJson),
        }
    }

    fn on_the_way(&mut self, byte: u8) -> Result<At, Broken> {
        let here = self.level == self.path.len();
        match byte {
            b'[' if here => Ok(At::ElementOrEnd),
            b'{' if !here => {
                self.level = self.level.saturating_add(1);
                self.seen.push(false);
                Ok(At::NameOrEnd)
            }
            // Nothing in JSON begins with it: a page for people, most likely.
            _ if self.level == 0 && !begins_json(byte) => Err(Broken::NotJson),
            _ => Err(self.no_list()),
        }
    }

    fn close(&mut self) -> Result<At, Broken> {
        if self.seen.pop() != Some(true) {
            return Err(self.no_list());
        }
        self.level = self.level.saturating_sub(1);
        Ok(self.after_value())
    }

    fn after_value(&self) -> At {
        if self.level == 0 { At::End } else { At::AfterField }
    }

    fn in_name(&mut self, byte: u8) -> Result<At, Broken> {
        let At::InName { escaped } = self.at else { return Err(Broken::NotJson) };
        if byte == b'"' && !escaped {
            return Ok(At::Colon);
        }
        if self.name.len() >= NAME_LIMIT {
            return Err(Broken::NotJson);
        }
        self.name.push(byte);
        Ok(At::InName { escaped: byte == b'\\' && !escaped })
    }

    /// After a name and its colon: whether its value lies on the way.
    fn named(&mut self) -> Result<At, Broken> {
        let quoted = [b"\"".as_slice(), &self.name, b"\""].concat();
        let name: String = serde_json::from_slice(&quoted).map_err(|_| Broken::NotJson)?;
        let above = self.level.saturating_sub(1);
        self.beside.begin(self.path.get(..above).unwrap_or_default(), &name);
        if self.path.get(above) != Some(&name) {
            return Ok(At::BeforeSkipped);
        }
        match self.seen.last_mut() {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(Broken::Twice(self.path.join("."))),
        }
        Ok(At::Value)
    }

    fn skip(&mut self, rest: &mut &[u8]) -> Result<(), Broken> {
        let (value, ended) = self.inside.walk(rest, self.depth_limit)?;
        self.beside.push(value);
        if ended {
            self.beside.end().map_err(|()| Broken::NotJson)?;
            self.at = At::AfterField;
        }
        Ok(())
    }

    fn collect(&mut self, rest: &mut &[u8]) -> Result<Found, Broken> {
        let (value, ended) = self.inside.walk(rest, self.depth_limit)?;
        if value.len() > self.element_limit.saturating_sub(self.element.len()) {
            return Err(Broken::ElementTooLarge(self.element_limit));
        }
        self.element.extend_from_slice(value);
        if !ended {
            return Ok(Found::Nothing);
        }
        self.at = At::AfterElement;
        Ok(Found::Element)
    }
}

pub(crate) const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn begins_json(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

/// Whether a value of so many bytes provably nests no deeper than `limit`: it has no more brackets than that.
pub(crate) fn nests_within(value: &[u8], limit: usize) -> bool {
    value.len() / 2 <= limit || openings(value) <= limit
}

/// `[` and `{` differ in one bit. Counted in small steps, which the compiler turns into vector instructions.
fn openings(value: &[u8]) -> usize {
    let of = |piece: &[u8]| piece.iter().map(|byte| u8::from(byte | 0x20 == b'{')).sum::<u8>();
    value.chunks(128).map(|piece| usize::from(of(piece))).sum()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    Inside,
    /// With this byte.
    Ended,
    /// With the byte before this one.
    EndedBefore,
}

/// How far one value has been read.
#[derive(Debug, Default)]
struct Inside {
    /// The brackets that are to come.
    closing: Vec<u8>,
    text: bool,
    escaped: bool,
    /// A number or a word outside all brackets.
    bare: bool,
}

impl Inside {
    /// Before another value; what was allocated is kept.
    fn restart(&mut self) {
        self.closing.clear();
        (self.text, self.escaped, self.bare) = (false, false, false);
    }

    /// Takes from `rest` what belongs to the value, and tells whether that ended it.
    fn walk<'b>(&mut self, rest: &mut &'b [u8], depth_limit: usize) -> Result<(&'b [u8], bool), Broken> {
        let bytes = *rest;
        let (used, ended) = self.end_in(bytes, depth_limit)?;
        let (value, after) = bytes.split_at_checked(used).unwrap_or((bytes, &[]));
        *rest = after;
        Ok((value, ended))
    }

    fn end_in(&mut self, bytes: &[u8], depth_limit: usize) -> Result<(usize, bool), Broken> {
        let mut used = 0_usize;
        loop {
            used = used.saturating_add(self.plain(bytes.get(used..).unwrap_or_default()));
            let Some(byte) = bytes.get(used) else { return Ok((bytes.len(), false)) };
            match self.push(*byte, depth_limit)? {
                Progress::EndedBefore => return Ok((used, true)),
                Progress::Ended => return Ok((used.saturating_add(1), true)),
                Progress::Inside => used = used.saturating_add(1),
            }
        }
    }

    /// How many bytes from here on change nothing.
    fn plain(&self, bytes: &[u8]) -> usize {
        let end = match self {
            Self { escaped: true, .. } => Some(0),
            Self { text: true, .. } => bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=31)),
            Self { closing, .. } if closing.is_empty() => Some(0),
            _ => bytes.iter().position(|byte| matches!(byte, b'"' | b'{' | b'}' | b'[' | b']')),
        };
        end.unwrap_or(bytes.len())
    }

    fn push(&mut self, byte: u8, depth_limit: usize) -> Result<Progress, Broken> {
        if self.text {
            return self.in_text(byte);
        }
        if self.bare && (is_blank(byte) || matches!(byte, b',' | b']' | b'}')) {
            return Ok(Progress::EndedBefore);
        }
        match byte {
            b'"' if !self.bare => self.text = true,
            b'{' | b'[' if !self.bare => return self.open(byte, depth_limit),
            b'}' | b']' => return self.close(byte),
            _ if !self.closing.is_empty() => {}
            b'+' | b'-' | b'.' | b'0'..=b'9' | b'a'..=b'z' | b'E' => self.bare = true,
            _ => return Err(Broken::NotJson),
        }
        Ok(Progress::Inside)
    }

    fn in_text(&mut self, byte: u8) -> Result<Progress, Broken> {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => {
                self.text = false;
                return Ok(self.progress());
            }
            0..=31 => return Err(Broken::NotJson),
            _ => {}
        }
        Ok(Progress::Inside)
    }

    fn open(&mut self, byte: u8, depth_limit: usize) -> Result<Progress, Broken> {
        if self.closing.len() >= depth_limit {
            return Err(Broken::TooDeep(depth_limit));
        }
        self.closing.push(if byte == b'{' { b'}' } else { b']' });
        Ok(Progress::Inside)
    }

    fn close(&mut self, byte: u8) -> Result<Progress, Broken> {
        if self.closing.pop() != Some(byte) {
            return Err(Broken::NotJson);
        }
        Ok(self.progress())
    }

    fn progress(&self) -> Progress {
        if self.closing.is_empty() { Progress::Ended } else { Progress::Inside }
    }
}
