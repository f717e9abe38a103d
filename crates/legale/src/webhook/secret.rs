//! Strategies by which a callback proves where it comes from (contract 4.6 a, b, d). The service signs nothing, so each of them
//! is built on what the caller put into a URL, a document or a relay of its own.

use std::collections::HashMap;
use std::fmt::{self, Debug};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use http::request::Parts;
use integration_core::body::webhook::{SharedSecret, same_digest};
use integration_core::{BoxFuture, Error, Secret};
use jiff::Timestamp;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use url::Url;

use crate::digest;
use crate::id::DocumentId;

/// 128 bits in base64: the least that a secret in a URL must hold.
const SHORTEST: usize = 22;
const LONGEST_REFERENCE: usize = 64;

/// What makes the callback URL of one document unguessable: a reference of the caller's and 256 random bits.
///
/// In a URL it reads `reference.secret`, as last segment of the path or as a parameter.
///
/// ```
/// use legale::webhook::{CallbackToken, SecretPlace};
///
/// let token = CallbackToken::generate("contract-17")?;
/// let url = token.put_into("https://me.example/legale/document".parse()?, &SecretPlace::Path);
/// assert!(url.as_str().starts_with("https://me.example/legale/document/contract-17."));
/// assert!(!format!("{token:?}").contains(token.secret().reveal()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct CallbackToken {
    reference: String,
    secret: SharedSecret,
}

/// Where the token stands in the callback URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretPlace {
    /// The last segment of the path.
    Path,
    /// A parameter of the query.
    Query(String),
}

impl CallbackToken {
    /// A token with a fresh secret. `reference` names the document for the caller: 1 to 64 letters, digits, `-` and `_`.
    ///
    /// # Errors
    /// A configuration error for another reference, or if the machine gives no random numbers.
    pub fn generate(reference: &str) -> Result<Self, Error> {
        let mut bits = [0u8; 32];
        let random = SystemRandom::new().fill(&mut bits);
        random.map_err(|_| {
            Error::configuration("the machine gives no random numbers", "see its random source")
        })?;
        Self::from_parts(reference, URL_SAFE_NO_PAD.encode(bits))
    }

    /// A token that was kept somewhere. The secret has at least 22 letters, digits, `-` and `_`, which is 128 bits if they are
    /// random.
    ///
    /// # Errors
    /// A configuration error for another reference or secret.
    pub fn from_parts(reference: &str, secret: impl Into<Secret>) -> Result<Self, Error> {
        let secret = secret.into();
        let is_plain =
            |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !(1..=LONGEST_REFERENCE).contains(&reference.len()) || !is_plain(reference) {
            let hint = "1 to 64 ASCII letters, digits, - and _";
            return Err(Error::configuration("the reference of a callback token does not fit a URL", hint));
        }
        if secret.reveal().len() < SHORTEST || !is_plain(secret.reveal()) {
            let hint = "at least 22 random ASCII letters, digits, - and _ (128 bits)";
            return Err(Error::configuration(
                "the secret of a callback token is too short or no plain text",
                hint,
            ));
        }
        Ok(Self { reference: reference.to_owned(), secret: SharedSecret::new(secret)? })
    }

    /// The caller's name for the document.
    #[must_use]
    pub fn reference(&self) -> &str {
        &self.reference
    }

    /// The secret part, to be kept.
    #[must_use]
    pub const fn secret(&self) -> &Secret {
        self.secret.as_secret()
    }

    /// `url` with the token in its place.
    #[must_use]
    pub fn put_into(&self, url: Url, place: &SecretPlace) -> Url {
        let mut url = url;
        let token = format!("{}.{}", self.reference, self.secret.reveal());
        match place {
            SecretPlace::Path => {
                // Fails only for URLs without a path, which are no callback URLs.
                if let Ok(mut path) = url.path_segments_mut() {
                    path.pop_if_empty().push(&token);
                }
            }
            SecretPlace::Query(name) => drop(url.query_pairs_mut().append_pair(name, &token)),
        }
        url
    }
}

impl SecretPlace {
    /// Reference and secret of a request.
    pub(super) fn find(&self, parts: &Parts) -> Option<(String, Secret)> {
        let token = match self {
            Self::Path => parts.uri.path().rsplit('/').next()?.to_owned(),
            Self::Query(name) => {
                let pairs = url::form_urlencoded::parse(parts.uri.query()?.as_bytes());
                pairs.into_iter().find(|(key, _)| key == name)?.1.into_owned()
            }
        };
        let (reference, secret) = token.split_once('.')?;
        Some((reference.to_owned(), Secret::new(secret)))
    }
}

/// What is known of a callback URL.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Expected {
    /// Its secret, which cannot be empty.
    pub secret: SharedSecret,
    /// The document it was made for, once its GUID is known: a callback about another one is then refused.
    pub document: Option<DocumentId>,
    /// Whether the service deletes the document once the callback went out (`delete_after_callback`): then a document that is
    /// gone does not make the callback untrue.
    pub deleted_after_callback: bool,
}

impl Expected {
    /// A secret of which nothing else is known.
    ///
    /// # Errors
    /// A configuration error for an empty secret, which would let everybody in.
    pub fn new(secret: impl Into<Secret>) -> Result<Self, Error> {
        SharedSecret::new(secret).map(Self::of)
    }

    const fn of(secret: SharedSecret) -> Self {
        Self { secret, document: None, deleted_after_callback: false }
    }
}

/// Knows the secrets of callback URLs (strategy a).
pub trait UrlSecrets: Debug + Send + Sync {
    /// What belongs to `reference`; nothing if there is no such URL.
    ///
    /// # Errors
    /// A failure to look it up, which is answered with 500 and not with 401.
    fn expected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Option<Expected>, Error>>;
}

/// Secrets kept in memory.
#[derive(Default)]
pub struct MemorySecrets(Mutex<HashMap<String, Expected>>);

impl MemorySecrets {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a token.
    pub fn insert(&self, token: &CallbackToken) {
        let expected = Expected::of(token.secret.clone());
        self.lock().insert(token.reference.clone(), expected);
    }

    /// Says for which document a token was made, which is known once it was created.
    pub fn bind(&self, reference: &str, document: DocumentId) {
        if let Some(expected) = self.lock().get_mut(reference) {
            expected.document = Some(document);
        }
    }

    /// Says that the service deletes the document of a token after the callback.
    pub fn deleted_after_callback(&self, reference: &str) {
        if let Some(expected) = self.lock().get_mut(reference) {
            expected.deleted_after_callback = true;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Expected>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Debug for MemorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySecrets").field("count", &self.lock().len()).finish()
    }
}

impl UrlSecrets for MemorySecrets {
    fn expected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Option<Expected>, Error>> {
        let found = self.lock().get(reference).cloned();
        Box::pin(std::future::ready(Ok(found)))
    }
}

/// Secrets that need no memory: each is the HMAC-SHA256 of its reference under one master secret.
#[derive(Debug, Clone)]
pub struct DerivedSecrets(Secret);

impl DerivedSecrets {
    /// Under a master secret of at least 22 characters.
    ///
    /// # Errors
    /// A configuration error for a shorter one.
    pub fn new(master: impl Into<Secret>) -> Result<Self, Error> {
        let master = master.into();
        if master.reveal().len() < SHORTEST {
            let hint = "at least 22 random characters (128 bits)";
            return Err(Error::configuration("the master secret of callback URLs is too short", hint));
        }
        Ok(Self(master))
    }

    /// The token of a reference, always the same.
    ///
    /// # Errors
    /// As [`CallbackToken::from_parts`].
    pub fn token(&self, reference: &str) -> Result<CallbackToken, Error> {
        CallbackToken::from_parts(reference, self.derive(reference))
    }

    fn derive(&self, reference: &str) -> Secret {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.reveal().as_bytes());
        Secret::new(URL_SAFE_NO_PAD.encode(hmac::sign(&key, reference.as_bytes())))
    }
}

impl UrlSecrets for DerivedSecrets {
    fn expected<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<Option<Expected>, Error>> {
        Box::pin(std::future::ready(Expected::new(self.derive(reference)).map(Some)))
    }
}

/// Where the `callback_key` comes back (strategy b). How the service sends it is not known, so the place is a setting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyPlace {
    /// In a header, which is checked before the body is read.
    Header(HeaderName),
    /// In a key of the body's object.
    Body(String),
}

/// Strategy b: a key that the service, or something before it, sends along.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) expected: SharedSecret,
    pub(super) place: KeyPlace,
}

impl Key {
    pub(super) fn in_header(&self, parts: &Parts) -> Option<bool> {
        let KeyPlace::Header(name) = &self.place else { return None };
        let given = parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Some(self.expected.is(given))
    }

    /// Takes the key out of the body, so that it turns up in no log of it.
    pub(super) fn in_body(&self, fields: &mut serde_json::Map<String, serde_json::Value>) -> Option<bool> {
        let KeyPlace::Body(name) = &self.place else { return None };
        let given = fields.remove(name).map_or_else(|| Secret::new(""), key_of);
        Some(self.expected.is(given.reveal()))
    }
}

/// Only texts and numbers can be keys.
fn key_of(value: serde_json::Value) -> Secret {
    match value {
        serde_json::Value::String(text) => Secret::new(text),
        serde_json::Value::Number(number) => Secret::new(number.to_string()),
        _ => Secret::new(""),
    }
}

/// Strategy d: a relay of the caller's that adds an HMAC-SHA256 over `timestamp.body`.
///
/// The time stamp is in seconds since 1970, the signature in hexadecimal; names of the headers and the window are settings.
///
/// ```
/// use legale::webhook::Relay;
///
/// let relay = Relay::new("a secret shared with the relay")?;
/// let signature = relay.sign(1_772_000_000, br#"{"GUID":"g"}"#);
/// assert_eq!(signature.len(), 64);
/// # Ok::<(), legale::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Relay {
    secret: Secret,
    timestamp_header: HeaderName,
    signature_header: HeaderName,
    window: Duration,
}

impl Relay {
    /// With a secret of at least 22 characters, the headers `x-relay-timestamp` and `x-relay-signature`, and a window of 5
    /// minutes.
    ///
    /// # Errors
    /// A configuration error for a shorter secret.
    pub fn new(secret: impl Into<Secret>) -> Result<Self, Error> {
        let secret = secret.into();
        if secret.reveal().len() < SHORTEST {
            let hint = "at least 22 random characters (128 bits)";
            return Err(Error::configuration("the secret of the relay is too short", hint));
        }
        Ok(Self {
            secret,
            timestamp_header: HeaderName::from_static("x-relay-timestamp"),
            signature_header: HeaderName::from_static("x-relay-signature"),
            window: Duration::from_secs(300),
        })
    }

    /// Other names of the two headers.
    #[must_use]
    pub fn headers(mut self, timestamp: HeaderName, signature: HeaderName) -> Self {
        self.timestamp_header = timestamp;
        self.signature_header = signature;
        self
    }

    /// Another window, before and after the receiver's clock.
    #[must_use]
    pub const fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// The signature that the relay sends, for tests and for relays written with this crate.
    #[must_use]
    pub fn sign(&self, timestamp: i64, body: &[u8]) -> String {
        let mut context = self.context(&timestamp.to_string());
        context.update(body);
        digest::hex(context.sign().as_ref())
    }

    /// Checks the time stamp before the body is read; nothing if it is missing, no number or outside the window.
    pub(super) fn begin(&self, parts: &Parts, now: Timestamp) -> Option<RelayCheck> {
        let header = |name: &HeaderName| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let timestamp = header(&self.timestamp_header)?;
        let age = now.as_second().saturating_sub(timestamp.parse::<i64>().ok()?);
        let signature = digest::unhex(header(&self.signature_header)?)?;
        let is_fresh = age.unsigned_abs() <= self.window.as_secs();
        is_fresh.then(|| RelayCheck { context: self.context(timestamp), signature })
    }

    /// The time stamp is signed as it is written.
    fn context(&self, timestamp: &str) -> hmac::Context {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.reveal().as_bytes());
        let mut context = hmac::Context::with_key(&key);
        context.update(timestamp.as_bytes());
        context.update(b".");
        context
    }
}

/// A signature under verification.
pub(super) struct RelayCheck {
    context: hmac::Context,
    signature: [u8; 32],
}

impl RelayCheck {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
    }

    pub(super) fn verify(self) -> bool {
        let tag: Option<[u8; 32]> = self.context.sign().as_ref().try_into().ok();
        tag.is_some_and(|tag| same_digest(&tag, &self.signature))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> Parts {
        http::Request::builder().uri(uri).body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_token_is_found_where_it_was_put() {
        let token = CallbackToken::generate("r-1").unwrap();
        assert!(token.secret().reveal().len() >= 43, "256 bits");
        let others = CallbackToken::generate("r-1").unwrap();
        assert!(!token.secret().matches(others.secret().reveal()));
        for place in [SecretPlace::Path, SecretPlace::Query("key".into())] {
            let url = token.put_into("https://h/a/?x=1".parse().unwrap(), &place);
            let target = format!("{}?{}", url.path(), url.query().unwrap());
            let (reference, secret) = place.find(&parts(&target)).unwrap();
            assert_eq!(reference, "r-1");
            assert!(token.secret().matches(secret.reveal()));
        }
        assert!(SecretPlace::Path.find(&parts("/a/b")).is_none());
        assert!(SecretPlace::Query("key".into()).find(&parts("/a?other=b.c")).is_none());
    }

    #[test]
    fn weak_secrets_are_refused() {
        assert!(CallbackToken::from_parts("r", "x".repeat(21)).is_err());
        assert!(CallbackToken::from_parts("r", format!("{}.", "x".repeat(30))).is_err());
        assert!(CallbackToken::from_parts("a/b", "x".repeat(30)).is_err());
        assert!(DerivedSecrets::new("short").is_err());
        assert!(Relay::new("short").is_err());
    }

    /// RFC 4231 has no such vector; this one was computed with OpenSSL:
    /// `printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef012345`
    #[test]
    fn the_relay_signs_timestamp_dot_body() {
        let relay = Relay::new("0123456789abcdef012345").unwrap();
        assert_eq!(
            relay.sign(1_700_000_000, b"{}"),
            "ce4490528d987579680075f71d4b132520c7f882b66c528876ce7d0c3ab33eaf"
        );
    }

    #[test]
    fn derived_tokens_are_the_same_again_and_differ_by_reference() {
        let secrets = DerivedSecrets::new("0123456789abcdef012345").unwrap();
        let first = secrets.token("a").unwrap();
        assert!(first.secret().matches(secrets.token("a").unwrap().secret().reveal()));
        assert!(!first.secret().matches(secrets.token("b").unwrap().secret().reveal()));
    }
}
