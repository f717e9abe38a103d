//! Finds the elements of a list in JSON that arrives in pieces, byte by byte and without recursion.
//!
//! It checks the structure of what it walks through; what is inside an element is checked by whoever decodes it.

use std::fmt;

/// A name on the way to the list longer than this is none that anybody asked for.
const NAME_LIMIT: usize = 1024;

/// Why a text is not one with the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    NotJson,
    Truncated,
    Trailing,
    NoList(String),
    Twice(String),
    TooDeep(usize),
    ElementTooLarge(usize),
}

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
#[derive(Debug)]
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
    Skipped(Inside),
    AfterField,
    ElementOrEnd,
    BeforeElement,
    Element(Inside),
    AfterElement,
    End,
}

/// What a byte did.
enum Step {
    Taken,
    /// It belongs to what comes next.
    Again,
    Found,
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
    element: Vec<u8>,
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
            element: Vec::new(),
        }
    }

    /// Reads `bytes` up to the end of the next element; how many were used, and the element.
    pub(crate) fn scan(&mut self, bytes: &[u8]) -> (usize, Result<Option<Vec<u8>>, Broken>) {
        for (index, byte) in bytes.iter().enumerate() {
            let step = loop {
                match self.step(*byte) {
                    Ok(Step::Again) => {}
                    other => break other,
                }
            };
            let used = index.saturating_add(1);
            match step {
                Ok(Step::Found) => return (self.used(used), Ok(Some(std::mem::take(&mut self.element)))),
                Ok(_) => {}
                Err(broken) => return (used, Err(broken)),
            }
        }
        (bytes.len(), Ok(None))
    }

    /// A number or word ends only at the byte after it, which is read again.
    fn used(&self, used: usize) -> usize {
        let ended_before = matches!(self.at, At::AfterElement) && self.element_ended_before();
        used.saturating_sub(usize::from(ended_before))
    }

    fn element_ended_before(&self) -> bool {
        !matches!(self.element.last(), Some(b'"' | b'}' | b']'))
    }

    /// # Errors
    /// If this is not the end of the text.
    pub(crate) fn end(&self) -> Result<(), Broken> {
        if matches!(self.at, At::End) { Ok(()) } else { Err(Broken::Truncated) }
    }

    fn no_list(&self) -> Broken {
        Broken::NoList(self.path.join("."))
    }

    fn step(&mut self, byte: u8) -> Result<Step, Broken> {
        match &mut self.at {
            At::InName { .. } => return self.in_name(byte),
            At::Skipped(_) => return self.in_skipped(byte),
            At::Element(_) => return self.in_element(byte),
            _ if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') => return Ok(Step::Taken),
            At::BeforeSkipped => {
                self.at = At::Skipped(Inside::default());
                return Ok(Step::Again);
            }
            _ => {}
        }
        self.at = self.between(byte)?;
        Ok(if matches!(self.at, At::Element(_)) { Step::Again } else { Step::Taken })
    }

    /// A byte that is no blank, outside names and values.
    fn between(&mut self, byte: u8) -> Result<At, Broken> {
        match (&self.at, byte) {
            (At::Value, _) => self.on_the_way(byte),
            (At::NameOrEnd | At::AfterField, b'}') => self.close(),
            (At::NameOrEnd | At::Name, b'"') => {
                self.name.clear();
                Ok(At::InName { escaped: false })
            }
            (At::AfterField, b',') => Ok(At::Name),
            (At::Colon, b':') => self.named(),
            (At::ElementOrEnd | At::AfterElement, b']') => Ok(self.after_value()),
            (At::AfterElement, b',') => Ok(At::BeforeElement),
            (At::ElementOrEnd | At::BeforeElement, b',' | b']') => Err(Broken::NotJson),
            (At::ElementOrEnd | At::BeforeElement, _) => Ok(At::Element(Inside::default())),
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

    fn in_name(&mut self, byte: u8) -> Result<Step, Broken> {
        let At::InName { escaped } = &mut self.at else { return Err(Broken::NotJson) };
        match byte {
            b'"' if !*escaped => self.at = At::Colon,
            _ if self.name.len() >= NAME_LIMIT => return Err(Broken::NotJson),
            _ => {
                *escaped = byte == b'\\' && !*escaped;
                self.name.push(byte);
            }
        }
        Ok(Step::Taken)
    }

    /// After a name and its colon: whether its value lies on the way.
    fn named(&mut self) -> Result<At, Broken> {
        let quoted = [b"\"".as_slice(), &self.name, b"\""].concat();
        let name: String = serde_json::from_slice(&quoted).map_err(|_| Broken::NotJson)?;
        if self.path.get(self.level.saturating_sub(1)) != Some(&name) {
            return Ok(At::BeforeSkipped);
        }
        match self.seen.last_mut() {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(Broken::Twice(self.path.join("."))),
        }
        Ok(At::Value)
    }

    fn in_skipped(&mut self, byte: u8) -> Result<Step, Broken> {
        let At::Skipped(inside) = &mut self.at else { return Err(Broken::NotJson) };
        let progress = inside.push(byte, self.depth_limit)?;
        if progress != Progress::Inside {
            self.at = At::AfterField;
        }
        Ok(if progress == Progress::EndedBefore { Step::Again } else { Step::Taken })
    }

    fn in_element(&mut self, byte: u8) -> Result<Step, Broken> {
        let At::Element(inside) = &mut self.at else { return Err(Broken::NotJson) };
        let progress = inside.push(byte, self.depth_limit)?;
        if progress != Progress::EndedBefore {
            if self.element.len() >= self.element_limit {
                return Err(Broken::ElementTooLarge(self.element_limit));
            }
            self.element.push(byte);
        }
        if progress == Progress::Inside {
            return Ok(Step::Taken);
        }
        self.at = At::AfterElement;
        Ok(Step::Found)
    }
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
    fn push(&mut self, byte: u8, depth_limit: usize) -> Result<Progress, Broken> {
        if self.text {
            return self.in_text(byte);
        }
        if self.bare && matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}') {
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
