//! Tokens: where they come from, and what can be read in them without a key (contract section 2).
//!
//! The vendor hands out one JWT per issuer RIF. There is no login, no refresh and no expiry, so a token is swapped while the
//! program runs. Its payload is read **without verifying it** (only the vendor has the key) and used as a hint: a RIF that does
//! not match is refused before anything is sent.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use integration_core::call::{Authorization, Credentials};
use integration_core::{BoxFuture, Error, Secret};
use serde_json::Value;

/// Gives the token for the next call.
///
/// ```
/// use fiscal_printer::{BoxFuture, Error, Secret, TokenProvider};
///
/// #[derive(Debug)]
/// struct FromVault;
///
/// impl TokenProvider for FromVault {
///     fn token(&self) -> BoxFuture<'_, Result<Secret, Error>> {
///         Box::pin(async { Ok(Secret::new("the vault's answer")) })
///     }
/// }
/// ```
#[doc(alias = "jwt")]
pub trait TokenProvider: fmt::Debug + Send + Sync + 'static {
    /// The token, asked for once per call; hold it in memory if getting it is slow.
    ///
    /// # Errors
    /// Whatever keeps it from being had; the call then ends as not sent.
    fn token(&self) -> BoxFuture<'_, Result<Secret, Error>>;
}

/// A token that can be replaced while the program runs; clones share it.
///
/// ```
/// use fiscal_printer::SwappableToken;
///
/// let token = SwappableToken::new("the first one");
/// let handle = token.clone();
/// handle.swap("the next one");
/// ```
#[derive(Debug, Clone)]
pub struct SwappableToken(Arc<RwLock<Secret>>);

impl SwappableToken {
    /// Starts with this token.
    pub fn new(token: impl Into<Secret>) -> Self {
        Self(Arc::new(RwLock::new(token.into())))
    }

    /// Uses `token` from the next call on; calls under way keep theirs.
    pub fn swap(&self, token: impl Into<Secret>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = token.into();
    }
}

impl TokenProvider for SwappableToken {
    fn token(&self) -> BoxFuture<'_, Result<Secret, Error>> {
        let token = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        Box::pin(std::future::ready(Ok(token)))
    }
}

/// Lets core authorise a call with a provider's token.
#[derive(Debug, Clone)]
pub(crate) struct ProviderCredentials(pub(crate) Arc<dyn TokenProvider>);

impl Credentials for ProviderCredentials {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        Box::pin(async move { Authorization::bearer(self.0.token().await?) })
    }
}

/// A token longer than this is no JWT of the vendor's.
const TOKEN_LIMIT: usize = 16 * 1024;

/// What a token says about itself, unverified.
///
/// ```
/// use fiscal_printer::{Secret, TokenHint};
///
/// // {"user":{"rif":"J-12345678-4","validarinterno":"1"},"iat":1764000000}
/// let payload = "eyJ1c2VyIjp7InJpZiI6IkotMTIzNDU2NzgtNCIsInZhbGlkYXJpbnRlcm5vIjoiMSJ9LCJpYXQiOjE3NjQwMDAwMDB9";
/// let hint = TokenHint::read(&Secret::new(format!("e30.{payload}.c2ln"))).expect("it is a JWT");
/// assert_eq!(hint.rif(), Some("J-12345678-4"));
/// assert_eq!(hint.enforces_numbers(), Some(true));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenHint {
    rif: Option<String>,
    validar_interno: Option<i64>,
    issued_at: Option<i64>,
}

impl TokenHint {
    /// Reads a token's payload; `None` if it cannot be decoded.
    #[must_use]
    pub fn read(token: &Secret) -> Option<Self> {
        let mut parts = token.reveal().split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || payload.len() > TOKEN_LIMIT {
            return None;
        }
        let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
        let payload: Value = serde_json::from_slice(&payload).ok()?;
        let user = payload.get("user")?;
        Some(Self {
            rif: user.get("rif").and_then(Value::as_str).map(str::to_owned),
            validar_interno: user.get("validarinterno").and_then(whole_number),
            issued_at: payload.get("iat").and_then(whole_number),
        })
    }

    /// The issuer's RIF exactly as the service compares it.
    #[must_use]
    pub fn rif(&self) -> Option<&str> {
        self.rif.as_deref()
    }

    /// Whether the service enforces internal numbers (unique and consecutive), which is what protects a document from being
    /// issued twice. `None` if the token does not say.
    #[must_use]
    pub fn enforces_numbers(&self) -> Option<bool> {
        self.validar_interno.map(|level| level > 0)
    }

    /// When the token was made, in seconds since 1970.
    #[must_use]
    pub fn issued_at(&self) -> Option<i64> {
        self.issued_at
    }
}

/// A number, or a number in quotes: the vendor's samples have both.
fn whole_number(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token(payload: &str) -> Secret {
        Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn numbers_come_with_and_without_quotes() {
        for (payload, expected) in [
            (r#"{"user":{"validarinterno":1}}"#, Some(true)),
            (r#"{"user":{"validarinterno":"0"}}"#, Some(false)),
            (r#"{"user":{"validarinterno":"x"}}"#, None),
            (r#"{"user":{}}"#, None),
        ] {
            assert_eq!(TokenHint::read(&token(payload)).unwrap().enforces_numbers(), expected, "{payload}");
        }
    }

    #[test]
    fn what_is_no_jwt_gives_no_hint() {
        for bad in ["", "abc", "a.b", "a.b.c", "a.b.c.d", "e30.e30.x", "e30.!!!.x"] {
            assert_eq!(TokenHint::read(&Secret::new(bad)), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_token_panics(text in ".*") {
            let _ = TokenHint::read(&Secret::new(text));
        }

        #[test]
        fn no_payload_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = TokenHint::read(&Secret::new(format!("a.{}.b", URL_SAFE_NO_PAD.encode(bytes))));
        }
    }
}
