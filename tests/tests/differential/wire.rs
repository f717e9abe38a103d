//! JSON in wire form whose number tokens are written, not computed: a tree that tests can change anywhere.

use std::fmt::Write as _;

/// A JSON value; `Raw` goes out as it stands.
#[derive(Debug, Clone, PartialEq)]
pub enum Wire {
    Raw(String),
    Text(String),
    List(Vec<Wire>),
    Object(Vec<(String, Wire)>),
}

impl Wire {
    pub fn raw(token: impl ToString) -> Self {
        Self::Raw(token.to_string())
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The value at a path such as `cuerpofactura[2].monto`.
    pub fn at(&mut self, path: &str) -> Option<&mut Wire> {
        path.split(['.', '[']).try_fold(self, |value, step| match (value, step.strip_suffix(']')) {
            (Self::List(items), Some(index)) => items.get_mut(index.parse::<usize>().ok()?),
            (Self::Object(fields), None) => {
                fields.iter_mut().find(|(key, _)| key == step).map(|(_, value)| value)
            }
            _ => None,
        })
    }

    /// Replaces what is there, or adds a field to an object.
    pub fn set(&mut self, path: &str, value: Wire) {
        match self.at(path) {
            Some(place) => *place = value,
            None => {
                let (object, key) = self.parent(path);
                object.push((key, value));
            }
        }
    }

    pub fn remove(&mut self, path: &str) {
        let (object, key) = self.parent(path);
        object.retain(|(name, _)| *name != key);
    }

    /// The object that holds the value at `path`, and its key there; `None` for elements of lists.
    pub fn parent_of(&mut self, path: &str) -> Option<(&mut Vec<(String, Wire)>, String)> {
        (!path.ends_with(']')).then(|| self.parent(path))
    }

    fn parent(&mut self, path: &str) -> (&mut Vec<(String, Wire)>, String) {
        let (parent, key) = match path.rsplit_once('.') {
            Some((parent, key)) => (self.at(parent).expect("the parent is there"), key),
            None => (self, path),
        };
        match parent {
            Self::Object(fields) => (fields, key.to_owned()),
            other => panic!("{other:?} has no field {key}"),
        }
    }

    /// Paths of all values, objects and lists themselves included.
    pub fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.walk("", &mut paths);
        paths
    }

    fn walk(&self, prefix: &str, paths: &mut Vec<String>) {
        if !prefix.is_empty() {
            paths.push(prefix.to_owned());
        }
        match self {
            Self::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.walk(&format!("{prefix}[{index}]"), paths);
                }
            }
            Self::Object(fields) => {
                let dot = if prefix.is_empty() { "" } else { "." };
                for (key, value) in fields {
                    value.walk(&format!("{prefix}{dot}{key}"), paths);
                }
            }
            Self::Raw(_) | Self::Text(_) => {}
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Raw(token) => out.push_str(token),
            Self::Text(text) => quote(text, out),
            Self::List(items) => {
                let mut separator = "[";
                for item in items {
                    out.push_str(separator);
                    item.write(out);
                    separator = ",";
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Self::Object(fields) => {
                let mut separator = "{";
                for (key, value) in fields {
                    out.push_str(separator);
                    quote(key, out);
                    out.push(':');
                    value.write(out);
                    separator = ",";
                }
                out.push_str(if fields.is_empty() { "{}" } else { "}" });
            }
        }
    }
}

impl std::fmt::Display for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = String::new();
        self.write(&mut out);
        f.write_str(&out)
    }
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
