//! One element as a register holds it, and the digest that tells a changed one from an unchanged one (contract 4.9, Y3).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::doubt::Doubt;
use super::kind::Kind;

/// Sixteen bytes of the SHA-256 of an element's content.
pub type Digest = [u8; 16];

/// An element of the plant. What has no field of its own is kept in [`extra`](Self::extra). Its `Debug` shows numbers and no
/// texts, which are customers' data in some kinds.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Element {
    /// What it is.
    pub kind: Kind,
    /// Its number at GeoSite.
    pub fid: i64,
    /// `codigo`.
    #[doc(alias = "codigo")]
    pub code: Option<String>,
    /// `nome`.
    #[doc(alias = "nome")]
    pub name: Option<String>,
    /// Degrees north in ten-millionths (about a centimetre).
    pub latitude_e7: Option<i64>,
    /// Degrees east in ten-millionths.
    pub longitude_e7: Option<i64>,
    /// Of a splitter its box, of a customer the splitter.
    pub parent: Option<i64>,
    /// A splitter's role as it came.
    pub role: Option<String>,
    /// How many customer ports it has, where that is known.
    pub ports: Option<i64>,
    /// How many of them are free, where the plant says so.
    pub free_ports: Option<i64>,
    /// A customer's document, normalised.
    pub document: Option<String>,
    /// A customer's contract.
    pub contract: Option<String>,
    /// The port that a customer sits on.
    pub port: Option<i64>,
    /// The value of the change column, if there is one.
    pub changed_at: Option<Timestamp>,
    /// Every other column, a JSON object.
    pub extra: String,
    /// Why somebody should look at it: a service splitter that changed its role under links.
    pub flag: Option<String>,
    /// Only drawn and not built, as the status column says: it is read, counted and not stored (`existing_only`).
    #[serde(skip)]
    pub designed: bool,
    /// What the plant finds doubtful about it: told in the run's report, and not stored.
    #[serde(skip)]
    pub doubts: Vec<Doubt>,
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, fid, parent, ports, free_ports, port, changed_at, .. } = self;
        f.debug_struct("Element")
            .field("kind", kind)
            .field("fid", fid)
            .field("parent", parent)
            .field("ports", ports)
            .field("free_ports", free_ports)
            .field("port", port)
            .field("changed_at", changed_at)
            .finish_non_exhaustive()
    }
}

impl Element {
    /// An element of which nothing else is known yet.
    #[must_use]
    pub fn new(kind: Kind, fid: i64) -> Self {
        Self {
            kind,
            fid,
            code: None,
            name: None,
            latitude_e7: None,
            longitude_e7: None,
            parent: None,
            role: None,
            ports: None,
            free_ports: None,
            document: None,
            contract: None,
            port: None,
            changed_at: None,
            extra: "{}".to_owned(),
            flag: None,
            designed: false,
            doubts: Vec::new(),
        }
    }

    /// What its content comes to; two elements of one digest are the same. The flag is ours and does not count, nor
    /// does what is not stored.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let texts = [&self.code, &self.name, &self.role, &self.document, &self.contract];
        let length = texts.into_iter().flatten().map(String::len).sum::<usize>();
        let mut content = Content(Vec::with_capacity(length + self.extra.len() + FRAME));
        content.text(Some(self.kind.name()));
        for text in texts {
            content.text(text.as_deref());
        }
        let changed = self.changed_at.map(Timestamp::as_microsecond);
        let numbers =
            [self.latitude_e7, self.longitude_e7, self.parent, self.ports, self.free_ports, self.port];
        for number in numbers.into_iter().chain([changed]) {
            content.number(number);
        }
        content.text(Some(&self.extra));
        content.finish()
    }
}

/// What lengths, numbers and the kind's name take at most.
const FRAME: usize = 192;

/// Gathered first, since many small steps cost more than the digest itself.
struct Content(Vec<u8>);

impl Content {
    /// Each part with its length, so that no two contents run together.
    fn text(&mut self, text: Option<&str>) {
        self.number(text.and_then(|text| i64::try_from(text.len()).ok()));
        self.0.extend_from_slice(text.unwrap_or_default().as_bytes());
    }

    fn number(&mut self, number: Option<i64>) {
        let mut bytes = [u8::from(number.is_some()); 9];
        if let Some((_, value)) = bytes.split_first_mut() {
            value.copy_from_slice(&number.unwrap_or_default().to_le_bytes());
        }
        self.0.extend_from_slice(&bytes);
    }

    fn finish(self) -> Digest {
        let mut digest = Digest::default();
        let whole = ring::digest::digest(&ring::digest::SHA256, &self.0);
        for (to, from) in digest.iter_mut().zip(whole.as_ref()) {
            *to = *from;
        }
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_but_the_flag_counts() {
        let plain = Element::new(Kind::Cto, 7);
        let text = || Some("1".to_owned());
        let others = [
            Element { kind: Kind::Hub, ..plain.clone() },
            Element { code: text(), ..plain.clone() },
            Element { name: text(), ..plain.clone() },
            Element { role: text(), ..plain.clone() },
            Element { document: text(), ..plain.clone() },
            Element { contract: text(), ..plain.clone() },
            Element { latitude_e7: Some(1), ..plain.clone() },
            Element { longitude_e7: Some(1), ..plain.clone() },
            Element { parent: Some(1), ..plain.clone() },
            Element { ports: Some(0), ..plain.clone() },
            Element { free_ports: Some(0), ..plain.clone() },
            Element { port: Some(0), ..plain.clone() },
            Element { changed_at: Some(Timestamp::UNIX_EPOCH), ..plain.clone() },
            Element { extra: "{\"a\":1}".to_owned(), ..plain.clone() },
            plain.clone(),
        ];
        let digests: std::collections::BTreeSet<_> = others.iter().map(Element::digest).collect();
        assert_eq!(digests.len(), others.len());
        assert_eq!(Element { flag: text(), ..plain.clone() }.digest(), plain.digest());
    }
}
