//! One value of one row, and how it is written as JSON.

use serde_json::Value;

use super::settings::{Absent, Numbers};
use super::times::Times;

/// A value before it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cell<'a> {
    Null,
    Integer(i64),
    /// Ten-millionths.
    Degrees(i32),
    Text(String),
    /// Seconds since the epoch.
    Time(u32),
    /// As a test set it.
    Set(&'a Value),
}

/// How cells are written.
#[derive(Debug, Clone)]
pub(super) struct Pen {
    pub(super) numbers: Numbers,
    pub(super) absent: Absent,
    pub(super) times: Times,
}

impl Pen {
    /// Writes the value; `false` if the column is left out.
    pub(super) fn write(&self, name: &str, cell: &Cell<'_>, out: &mut Vec<u8>) -> bool {
        let start = out.len();
        quoted(name, out);
        out.push(b':');
        match cell {
            Cell::Null | Cell::Set(Value::Null) => match self.absent {
                Absent::Null => out.extend_from_slice(b"null"),
                Absent::EmptyText => out.extend_from_slice(b"\"\""),
                Absent::LeftOut => {
                    out.truncate(start);
                    return false;
                }
            },
            Cell::Integer(number) => self.number(&number.to_string(), out),
            Cell::Degrees(degrees) => self.number(&decimal(*degrees), out),
            Cell::Text(text) => quoted(text, out),
            Cell::Time(seconds) => quoted(&self.times.text(*seconds), out),
            Cell::Set(value) => out.extend_from_slice(value.to_string().as_bytes()),
        }
        true
    }

    fn number(&self, token: &str, out: &mut Vec<u8>) {
        match self.numbers {
            Numbers::Number => out.extend_from_slice(token.as_bytes()),
            Numbers::Text => quoted(token, out),
        }
    }

    /// The value as JSON, for people and for tests.
    pub(super) fn json(&self, cell: &Cell<'_>) -> Value {
        let mut out = vec![b'{'];
        if !self.write("v", cell, &mut out) {
            return Value::Null;
        }
        out.push(b'}');
        let read: Option<Value> = serde_json::from_slice(&out).ok();
        read.and_then(|value| value.get("v").cloned()).unwrap_or_default()
    }
}

/// Degrees as a decimal token, without rounding through a float.
pub(super) fn decimal(ten_millionths: i32) -> String {
    let sign = if ten_millionths < 0 { "-" } else { "" };
    let size = ten_millionths.unsigned_abs();
    format!("{sign}{}.{:07}", size / 10_000_000, size % 10_000_000)
}

/// A JSON text.
pub(super) fn quoted(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::{decimal, quoted};

    #[test]
    fn texts_and_degrees_are_json() {
        for text in ["", "a\"b\\c", "Distribuição", "\n\t\u{1}", "日本"] {
            let mut out = Vec::new();
            quoted(text, &mut out);
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
        assert_eq!(decimal(-227_253_000), "-22.7253000");
        assert_eq!(decimal(-5), "-0.0000005");
        assert_eq!(decimal(i32::MAX), "214.7483647");
    }
}
