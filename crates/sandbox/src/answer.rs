//! Answers, and how a fault spoils them: what is written on the socket instead, and how the connection ends.

use http::{HeaderName, StatusCode};

use crate::fault::{Ending, Scripted};
use crate::payload::Payload;

/// What a service says when nothing is wrong with the wire.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// Headers beside the content type.
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) body: Payload,
}

pub(crate) const JSON: &str = "application/json; charset=utf-8";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(crate) const HTML: &str = "text/html; charset=utf-8";

impl Answer {
    pub(crate) fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, JSON, body.to_string())
    }

    pub(crate) fn text(status: u16, body: impl Into<Payload>) -> Self {
        Self::new(status, TEXT, body)
    }

    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Payload>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What the connection does with a request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Answers, and stays open for the next request.
    Answer(Answer),
    /// Writes these bytes by hand, then ends.
    Cut(Cut),
    /// Stays silent until the client goes away.
    Silence,
    /// A page of the sandbox itself.
    Live(http::Response<axum::body::Body>),
}

/// The last that a connection does.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) bytes: Vec<u8>,
    /// Written after the bytes.
    pub(crate) body: Payload,
    /// Spaces written after the body (a large body that nobody has to hold).
    pub(crate) padding: u64,
    pub(crate) end: End,
}

impl Cut {
    fn then(end: End) -> Self {
        Self { bytes: Vec::new(), body: Payload::default(), padding: 0, end }
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// RST: the peer's kernel throws away what it has not read yet.
    Reset,
    /// FIN.
    Close,
    /// Silence until the peer ends it.
    Hold,
}

impl Outcome {
    pub(crate) fn reset() -> Self {
        Self::Cut(Cut::then(End::Reset))
    }

    fn close(cut: Cut) -> Self {
        Self::Cut(Cut { end: End::Close, ..cut })
    }

    /// The status that the client can read, if any.
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) => Some(answer.status),
            Self::Cut(cut) => status_of(&cut.bytes),
            Self::Silence => None,
            Self::Live(response) => Some(response.status().as_u16()),
        }
    }
}

/// Reads the status back from written bytes, so that the log says what was sent, not what was meant.
fn status_of(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.get(9..12)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Turns the honest answer into what this ending makes of it.
///
/// `Late` and `Held` have been waited for by the caller and leave the answer as it is.
pub(crate) fn spoil(ending: Ending, honest: Answer) -> Outcome {
    match ending {
        Ending::Honest | Ending::Late(_) | Ending::Held => Outcome::Answer(honest),
        Ending::Reset => Outcome::reset(),
        Ending::Close => Outcome::Cut(Cut::then(End::Close)),
        Ending::Hang => Outcome::Silence,
        Ending::CutLength => Outcome::close(half_of_length(&honest)),
        Ending::Stall => Outcome::Cut(Cut { end: End::Hold, ..half_of_length(&honest) }),
        Ending::CutChunked => Outcome::close(half_of_chunks(&honest)),
        Ending::ShortLength => Outcome::close(short_length(&honest)),
        Ending::Truncated => Outcome::Answer(Answer { body: honest.body.first_half(), ..honest }),
        Ending::Oversized(bytes) => oversized(&honest, bytes),
        Ending::Scripted(scripted) => Outcome::close(scripted_bytes(&scripted)),
    }
}

fn head(status: u16, headers: &[(&str, &str)]) -> Vec<u8> {
    let reason =
        StatusCode::from_u16(status).ok().and_then(|known| known.canonical_reason()).unwrap_or("Odd");
    let mut text = format!("HTTP/1.1 {status} {reason}\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("connection: close\r\n\r\n");
    text.into_bytes()
}

/// The head of an honest answer that announces this length, and no body yet.
fn announced(honest: &Answer, length: u64) -> Cut {
    let length = length.to_string();
    let headers = [("content-type", honest.content_type), ("content-length", &length)];
    Cut { bytes: head(honest.status, &headers), ..Cut::then(End::Close) }
}

/// The head of an honest answer, and then silence.
pub(crate) fn stalled_head(honest: &Answer) -> Outcome {
    Outcome::Cut(Cut { end: End::Hold, ..announced(honest, honest.body.len().max(1)) })
}

fn half_of_length(honest: &Answer) -> Cut {
    // At least one byte is always missing, even from an empty answer.
    Cut { body: honest.body.first_half(), ..announced(honest, honest.body.len().max(1)) }
}

/// The whole body after half of its length was announced.
fn short_length(honest: &Answer) -> Cut {
    Cut { body: honest.body.clone(), ..announced(honest, honest.body.len() / 2) }
}

fn half_of_chunks(honest: &Answer) -> Cut {
    let headers = [("content-type", honest.content_type), ("transfer-encoding", "chunked")];
    let mut bytes = head(honest.status, &headers);
    let half = honest.body.first_half();
    // A chunk of length zero would be the regular end of the body. Its line end is missing as well.
    if half.len() > 0 {
        bytes.extend_from_slice(format!("{:x}\r\n", half.len()).as_bytes());
    }
    Cut { bytes, body: half, ..Cut::then(End::Close) }
}

/// The honest body followed by spaces: still valid JSON, so only a limit on the size protects the client.
fn oversized(honest: &Answer, length: u64) -> Outcome {
    let body = honest.body.len();
    let head = announced(&Answer { status: 200, ..honest.clone() }, length.max(body));
    Outcome::close(Cut { body: honest.body.clone(), padding: length.saturating_sub(body), ..head })
}

fn scripted_bytes(scripted: &Scripted) -> Cut {
    let length = scripted.body.len().to_string();
    let mut headers: Vec<(&str, &str)> =
        scripted.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let framed = |name: &str| {
        name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("transfer-encoding")
    };
    if !headers.iter().any(|(name, _)| framed(name)) {
        headers.push(("content-length", &length));
    }
    let bytes = head(scripted.status, &headers);
    Cut { bytes, body: scripted.body.clone().into(), ..Cut::then(End::Close) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ending: Ending) -> String {
        match spoil(ending, Answer::text(200, "abcdefgh")) {
            Outcome::Cut(cut) => String::from_utf8([cut.bytes, cut.body.to_vec()].concat()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cut_body_announces_more_than_it_sends() {
        let sent = written(Ending::CutLength);
        assert!(sent.contains("content-length: 8\r\n"));
        assert!(sent.ends_with("\r\n\r\nabcd"));
    }

    #[test]
    fn a_cut_chunked_body_lacks_its_last_chunk() {
        let sent = written(Ending::CutChunked);
        assert!(sent.contains("transfer-encoding: chunked\r\n"));
        assert!(sent.ends_with("\r\n\r\n4\r\nabcd"));
    }

    #[test]
    fn a_short_length_announces_less_than_it_sends() {
        let sent = written(Ending::ShortLength);
        assert!(sent.contains("content-length: 4\r\n") && sent.ends_with("\r\n\r\nabcdefgh"));
    }

    #[test]
    fn a_scripted_answer_goes_out_as_it_is() {
        let odd = Scripted::new(429).header("Retry-After", "soon").body("no");
        let sent = written(Ending::Scripted(odd));
        assert_eq!(
            sent,
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: soon\r\ncontent-length: 2\r\n\
             connection: close\r\n\r\nno"
        );
    }

    #[test]
    fn the_log_reads_the_status_that_was_written() {
        assert_eq!(spoil(Ending::CutLength, Answer::text(202, "x")).status(), Some(202));
        assert_eq!(spoil(Ending::Reset, Answer::text(200, "x")).status(), None);
        assert_eq!(spoil(Ending::Oversized(9), Answer::text(202, "x")).status(), Some(200));
    }
}
