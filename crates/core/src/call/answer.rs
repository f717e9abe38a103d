//! What came back: status, headers and a bounded body, whatever the service meant by it.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::retry::parse_retry_after;
use crate::secret::{Secrets, redact};
use crate::{Error, ErrorKind, Secret};

/// The names under which gateways and services give a request its id, in order of preference.
const REQUEST_ID_HEADERS: [&str; 4] = ["x-request-id", "request-id", "x-correlation-id", "cf-ray"];

/// A raw answer. Its `Debug` shows no body, since bodies hold customers' data.
///
/// ```
/// use integration_core::Answer;
///
/// let answer = Answer::new(http::StatusCode::OK, http::HeaderMap::new(), "{}");
/// assert_eq!(answer.text(), "{}");
/// assert_eq!(format!("{answer:?}"), "Answer { status: 200, content_type: None, bytes: 2, complete: true }");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    complete: bool,
    head: bool,
}

impl Answer {
    /// An answer that was read to its end.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>) -> Self {
        Self { status, headers, body: body.into(), complete: true, head: false }
    }

    /// Marks that the body went on beyond the client's limit.
    #[must_use]
    pub fn cut_at_limit(mut self) -> Self {
        self.complete = false;
        self
    }

    /// A head whose body has not been read yet.
    pub(crate) fn head(status: StatusCode, headers: HeaderMap) -> Self {
        Self { status, headers, body: Bytes::new(), complete: true, head: true }
    }

    /// The same answer without its body, which holds a secret that nobody knows yet.
    pub(crate) fn without_body(self) -> Self {
        Self { body: Bytes::new(), ..self }
    }

    /// The same answer without its body, and of its headers only the media type and the id of the request, where they repeat nothing
    /// of what was `sent`.
    pub(crate) fn head_only<'s>(self, sent: impl Iterator<Item = &'s str>) -> Self {
        let words = sent.flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let words: Vec<String> = words.filter(|word| word.len() >= REPEATED).map(str::to_lowercase).collect();
        let own = |text: &str| {
            let text = text.to_lowercase();
            !words.iter().any(|word| text.contains(word.as_str()))
        };
        let mut headers = HeaderMap::new();
        let media_type = self.media_type().map(str::trim).filter(|text| is_media_type(text) && own(text));
        if let Some(value) = media_type.and_then(|text| HeaderValue::from_str(text).ok()) {
            headers.insert(header::CONTENT_TYPE, value);
        }
        for name in REQUEST_ID_HEADERS {
            let id = self.headers.get(name).filter(|id| id.to_str().is_ok_and(|id| is_id(id) && own(id)));
            id.cloned().into_iter().for_each(|id| drop(headers.insert(name, id)));
        }
        Self { headers, body: Bytes::new(), ..self }
    }

    /// The same answer with all of `secrets` masked in its body and headers.
    pub(crate) fn masked(mut self, secrets: &Secrets) -> Self {
        let came = self.body.clone();
        for secret in secrets.iter() {
            self = self.without(secret);
        }
        // Only a backslash can hide something from a search of the raw text.
        if self.body.contains(&b'\\')
            && let Some(masked) = masked_escapes(&self.body, secrets)
        {
            self.body = masked;
        }
        // What was no text does not become one by being masked: whoever judges it has to see that.
        if std::str::from_utf8(&came).is_err() && std::str::from_utf8(&self.body).is_ok() {
            self.body = [&self.body[..], NO_UTF8].concat().into();
        }
        self
    }

    fn without(mut self, secret: &Secret) -> Self {
        let spellings = secret.spellings();
        if let Cow::Owned(masked) = redact(&spellings, &lossy(&self.body)) {
            self.body = masked.into();
        }
        if !self.complete {
            // The limit may have cut an echoed secret in two; its beginning tells as much as the whole.
            self.body.truncate(self.body.len().saturating_sub(secret.begun_at_end_of(&self.body)));
        }
        for value in self.headers.values_mut() {
            // Lossy, since a header may hold the secret next to bytes that are no ASCII.
            let masked = match redact(&spellings, &lossy(value.as_bytes())) {
                Cow::Owned(masked) => HeaderValue::from_bytes(masked.as_bytes()).ok(),
                Cow::Borrowed(_) => None,
            };
            if let Some(masked) = masked {
                *value = masked;
            }
        }
        self
    }

    /// Whether a secret can be read in it.
    pub(crate) fn shows(&self, secrets: &Secrets) -> bool {
        let header = |value: &HeaderValue| secrets.any_in(&String::from_utf8_lossy(value.as_bytes()));
        secrets.any_in(&self.text()) || self.headers.values().any(header)
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::UnexpectedAnswer`] naming the path of the field that is not as expected, or
    /// [`ErrorKind::TooLarge`] if the body was cut at the client's limit. The error repeats nothing of the body.
    ///
    /// ```
    /// use integration_core::Answer;
    ///
    /// #[derive(Debug, serde::Deserialize)]
    /// struct Page { items: Vec<u32> }
    ///
    /// let answer = Answer::new(http::StatusCode::OK, http::HeaderMap::new(), r#"{"items":[1,"Ana"]}"#);
    /// let error = answer.json::<Page>().unwrap_err();
    /// assert_eq!(error.message(), Some("`items[1]` is not as expected (line 1, column 17)"));
    /// ```
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Error> {
        if !self.complete {
            return Err(Error::new(ErrorKind::TooLarge, "read the answer")
                .with_message("the answer is larger than the client's limit"));
        }
        from_json(&self.body).map_err(|message| {
            Error::new(ErrorKind::UnexpectedAnswer, "read the answer")
                .with_message(message)
                .with_hint("compare the answer with the service's documentation; it may have changed")
        })
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body, up to the client's limit: byte for byte as it came, unless the answer stands in an error, where the
    /// secrets of the call are masked.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as text; bytes that are not UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        lossy(&self.body)
    }

    /// Whether the body is whole, not cut at the client's limit.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Whether this is only the head of a streamed answer, whose body has not been read.
    #[must_use]
    pub fn is_head(&self) -> bool {
        self.head
    }

    /// The declared content type.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.headers.get(header::CONTENT_TYPE)?.to_str().ok()
    }

    /// The declared content type without its parameters, which are the service's free text.
    fn media_type(&self) -> Option<&str> {
        self.content_type()?.split(';').next()
    }

    /// How long the service asks to wait before the next request, by its `Retry-After` in seconds or as a date; `now` is the
    /// wall clock's time. Nothing if there is none that can be read. What a client obeys at most is its own affair.
    ///
    /// ```
    /// use std::time::Duration;
    /// use http::{HeaderMap, StatusCode, header::RETRY_AFTER};
    /// use integration_core::Answer;
    ///
    /// let headers = HeaderMap::from_iter([(RETRY_AFTER, "900".parse()?)]);
    /// let answer = Answer::new(StatusCode::TOO_MANY_REQUESTS, headers, "");
    /// let wait = answer.retry_after(jiff::Timestamp::UNIX_EPOCH).map(|wait| wait.min(Duration::from_secs(120)));
    /// assert_eq!(wait, Some(Duration::from_secs(120)));
    /// # Ok::<(), http::header::InvalidHeaderValue>(())
    /// ```
    #[must_use]
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        parse_retry_after(self.headers.get(header::RETRY_AFTER)?.to_str().ok()?, now)
    }

    /// The id of the request at the service or its gateway. What does not look like one is none: a service that repeats what it was
    /// sent would put a customer's data there, and ids are printed.
    #[must_use]
    pub fn request_id(&self) -> Option<&str> {
        let said = |name: &&str| self.headers.get(*name)?.to_str().ok().filter(|text| is_id(text));
        REQUEST_ID_HEADERS.iter().find_map(said)
    }
}

/// A byte that stands nowhere in UTF-8.
const NO_UTF8: &[u8] = b"\xFF";

/// From this length on a word that turns up again was repeated.
const REPEATED: usize = 4;

fn is_media_type(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-+./_".contains(&byte);
    text.len() <= 80 && text.contains('/') && text.bytes().all(plain)
}

/// As `String::from_utf8_lossy`, which is slow in finding out that nothing has to be replaced, as nearly always.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:=/+".contains(&byte);
    (1..=128).contains(&text.len()) && text.bytes().all(plain)
}

/// A body in which decoding would bring a secret to light (`\\u0073ecret`), written anew without it.
fn masked_escapes(body: &[u8], secrets: &Secrets) -> Option<Bytes> {
    if let Ok(mut value) = serde_json::from_slice::<Value>(body) {
        return mask_value(&mut value, secrets).then(|| value.to_string().into());
    }
    let text = unescaped(&String::from_utf8_lossy(body));
    secrets.any_in(&text).then(|| secrets.redact(&text).into())
}

/// Text that is no JSON, or only the beginning of it, as a reader of its escapes would see it.
fn unescaped(text: &str) -> String {
    let mut pieces = text.split('\\');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match escaped_char(piece) {
            Some((c, rest)) => plain.extend(std::iter::once(c).chain(rest.chars())),
            None => plain.push_str(piece),
        }
    }
    plain
}

/// The character that `uXXXX` stands for, and what follows it.
fn escaped_char(piece: &str) -> Option<(char, &str)> {
    let (digits, rest) = piece.strip_prefix('u')?.split_at_checked(4)?;
    Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, rest))
}

/// Depth is bounded by the reader that made the value. `true` if anything was masked.
fn mask_value(value: &mut Value, secrets: &Secrets) -> bool {
    match value {
        Value::String(text) => mask_text(text, secrets),
        Value::Array(items) => items.iter_mut().fold(false, |any, item| mask_value(item, secrets) | any),
        Value::Object(fields) => mask_fields(fields, secrets),
        _ => false,
    }
}

fn mask_text(text: &mut String, secrets: &Secrets) -> bool {
    let shows = secrets.any_in(text);
    if shows {
        *text = secrets.redact(text);
    }
    shows
}

fn mask_fields(fields: &mut Map<String, Value>, secrets: &Secrets) -> bool {
    let mut masked = false;
    for (mut name, mut value) in std::mem::take(fields) {
        masked |= mask_text(&mut name, secrets) | mask_value(&mut value, secrets);
        fields.insert(name, value);
    }
    masked
}

/// Decodes, or says where it does not fit in words that hold nothing of the text.
pub(crate) fn from_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, String> {
    // Texts of fields that nobody reads are not looked at, and what is no UTF-8 is no JSON.
    let text = std::str::from_utf8(text).map_err(|_| "it is not JSON (no UTF-8)".to_owned())?;
    // Keeping track of the path costs an allocation for every key, so only what went wrong is read that way.
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| described(&path(error.path()), error.inner()))?;
    deserializer.end().map_err(|error| described("the answer", &error))?;
    Ok(value)
}

fn described(path: &str, error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    match (error.classify(), missing(error)) {
        (Category::Data, Some(field)) => format!("{path} lacks the field `{field}`"),
        (Category::Data, None) => format!("{path} is not as expected (line {line}, column {column})"),
        (Category::Eof, _) => format!("the JSON ends in the middle, in {path}"),
        _ => format!("it is not JSON (line {line}, column {column})"),
    }
}

/// The name in serde's own words, which come from the type; a text of any other form could come from the body.
fn missing(error: &serde_json::Error) -> Option<String> {
    let text = error.to_string();
    let (name, _) = text.strip_prefix("missing field `")?.split_once('`')?;
    is_plain(name).then(|| name.to_owned())
}

/// The path without what may be data: the keys of a map come from the body as its values do.
fn path(path: &serde_path_to_error::Path) -> String {
    let mut shown = String::new();
    for segment in path.iter() {
        let dot = if shown.is_empty() { "" } else { "." };
        match segment {
            Segment::Seq { index } => shown.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } if is_plain(key) => {
                shown.push_str(&format!("{dot}{key}"));
            }
            _ => shown.push_str(&format!("{dot}?")),
        }
    }
    if shown.is_empty() { "the answer".to_owned() } else { format!("`{shown}`") }
}

/// A name as programs have it.
fn is_plain(name: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b'-';
    !name.is_empty()
        && name.len() <= 40
        && name.bytes().all(|byte| word(byte) || byte.is_ascii_digit())
        && name.bytes().filter(u8::is_ascii_digit).count() <= 2
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status.as_u16())
            .field("content_type", &self.media_type())
            .field("bytes", &self.body.len())
            .field("complete", &self.complete)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_looks_like_one() {
        let told = |id: &'static str| {
            let headers =
                HeaderMap::from_iter([("x-request-id".parse().unwrap(), HeaderValue::from_static(id))]);
            Answer::new(StatusCode::OK, headers, "").request_id().map(str::to_owned)
        };
        for id in ["7d2c-GRU", "Root=1-67891233-abcdef012345678912345678", "a:b/c+d_e.f"] {
            assert_eq!(told(id).as_deref(), Some(id));
        }
        for other in ["", "Ana Maria", "ana@example.com", "{\"name\":1}"] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    #[test]
    fn what_is_no_utf8_is_no_json_even_where_nobody_reads() {
        #[derive(Debug, serde::Deserialize)]
        struct Id {
            #[allow(dead_code)]
            id: u8,
        }
        let answer = |body: &'static [u8]| Answer::new(StatusCode::OK, HeaderMap::new(), body).json::<Id>();
        assert!(answer(b"{\"id\":1,\"x\":\"a\"}").is_ok());
        assert_eq!(
            answer(b"{\"id\":1,\"x\":\"\xff\"}").unwrap_err().message(),
            Some("it is not JSON (no UTF-8)")
        );
    }

    #[test]
    fn masks_a_secret_beside_bytes_that_are_no_ascii() {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_bytes(b"t\xf6ken sentinel-value").unwrap();
        headers.insert(header::WWW_AUTHENTICATE, value);
        let secrets = Secrets::new(vec![Secret::new("sentinel-value")]);
        let answer = Answer::new(StatusCode::OK, headers, b"\xff sentinel-value".to_vec()).masked(&secrets);
        assert!(!format!("{:?}{}", answer.headers(), answer.text()).contains("sentinel"));
    }

    /// What was no JSON, since it was no text, would else be JSON after it was masked, and be believed.
    #[test]
    fn what_was_no_text_is_none_after_it_was_masked() {
        let secrets = Secrets::new(vec![Secret::new("sentinel-value")]);
        for body in [&b"{\"a\":\"sentinel-value\xC3\"}"[..], b"{\"a\":\"\\u0073entinel-value\xC3\"}"] {
            let answer = Answer::new(StatusCode::OK, HeaderMap::new(), body.to_vec()).masked(&secrets);
            assert!(!answer.text().contains("sentinel"), "{}", answer.text());
            assert!(std::str::from_utf8(answer.body()).is_err());
            assert!(answer.json::<serde_json::Value>().is_err());
        }
    }

    #[test]
    fn masks_what_only_decoding_shows_in_names_and_values() {
        let secrets = Secrets::new(vec![Secret::new("sentinel-value")]);
        let body = r#"{"a":[{"\u0073entinel-value":1}],"b":"x \u0073entinel-value","c":1.50}"#;
        let answer = Answer::new(StatusCode::OK, HeaderMap::new(), body).masked(&secrets);
        assert_eq!(answer.text(), r#"{"a":[{"[redacted]":1}],"b":"x [redacted]","c":1.5}"#);
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Page {
        data: Vec<Item>,
        #[serde(default)]
        by_name: std::collections::BTreeMap<String, u8>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[allow(dead_code)]
    struct Item {
        total: u8,
    }

    #[test]
    fn a_wrong_field_is_named_by_its_path_and_the_body_is_not_repeated() {
        let table = [
            (r#"{"data":[{"total":1},{"total":"Ana, expected Ana"}]}"#, "`data[1].total` is not as expected"),
            (r#"{"data":[{}]}"#, "`data[0]` lacks the field `total`"),
            ("{}", "the answer lacks the field `data`"),
            (r#"{"data":[],"by_name":{"Ana Ana":"Ana"}}"#, "`by_name.?` is not as expected"),
            (r#"{"data":[],"by_name":{"V12345678":"Ana"}}"#, "`by_name.?` is not as expected"),
            (r#"{"data":[{"total":1"#, "the JSON ends in the middle"),
            ("<html>Ana</html>", "it is not JSON (line 1, column 1)"),
            (r#"{"data":[]} Ana"#, "it is not JSON"),
            ("", "the JSON ends in the middle, in the answer"),
        ];
        for (body, message) in table {
            let answer = Answer::new(StatusCode::OK, HeaderMap::new(), body);
            let error = answer.json::<Page>().unwrap_err();
            assert!(error.message().unwrap().starts_with(message), "{body}: {error}");
            let shown = format!("{error} {error:?} {error:#?}");
            assert!(!shown.contains("Ana") && !shown.contains("12345678"), "{shown}");
        }
    }

    #[test]
    fn half_a_body_is_not_decoded() {
        let answer = Answer::new(StatusCode::OK, HeaderMap::new(), "1").cut_at_limit();
        assert_eq!(answer.json::<u8>().unwrap_err().kind(), ErrorKind::TooLarge);
    }

    #[test]
    fn finds_the_request_id_by_preference() {
        let mut headers = HeaderMap::new();
        headers.insert("cf-ray", "ray".parse().unwrap());
        headers.insert("x-request-id", "id".parse().unwrap());
        let answer = Answer::new(StatusCode::OK, headers, "");
        assert_eq!(answer.request_id(), Some("id"));
    }
}
