//! Credentials: applied to every attempt anew, and renewed once when the service refuses them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::{BoxFuture, Error, ErrorKind, Secret};

/// What one attempt carries to prove who is calling: headers, query parameters, and the secrets in them, which no error of
/// the call will show.
///
/// Cheap to clone, since every attempt has one.
#[derive(Clone)]
pub struct Authorization(Arc<Parts>);

#[derive(Clone)]
struct Parts {
    headers: Vec<(HeaderName, HeaderValue)>,
    queries: Vec<(String, Secret)>,
    secret: Secret,
    /// Other secrets, and other forms of the first.
    others: Vec<Secret>,
}

impl Authorization {
    fn of(headers: Vec<(HeaderName, HeaderValue)>, queries: Vec<(String, Secret)>, secret: Secret) -> Self {
        Self(Arc::new(Parts { headers, queries, secret, others: Vec::new() }))
    }

    /// `Authorization: Bearer <token>`.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the token is empty or cannot stand in a header (blanks, line breaks, non-ASCII).
    pub fn bearer(token: Secret) -> Result<Self, Error> {
        if !token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(unusable("the token holds blanks, line breaks or non-ASCII"));
        }
        let value = format!("Bearer {}", token.reveal());
        Self::in_header(header::AUTHORIZATION, &value, token)
    }

    /// `Authorization: Basic <user and password>` (RFC 7617, UTF-8). The password and its encoded form are secrets.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the password is empty, the user name holds a colon, or either holds a control
    /// character.
    ///
    /// ```
    /// use integration_core::Secret;
    /// use integration_core::call::Authorization;
    ///
    /// assert!(Authorization::basic("ana", Secret::new("open sesame")).is_ok());
    /// assert!(Authorization::basic("a:b", Secret::new("open sesame")).is_err());
    /// ```
    pub fn basic(user: &str, password: Secret) -> Result<Self, Error> {
        if user.contains(':') || user.chars().chain(password.reveal().chars()).any(char::is_control) {
            return Err(unusable(
                "the user name holds a colon, or user name or password a control character",
            ));
        }
        let pair = Zeroizing::new(format!("{user}:{}", password.reveal()));
        let encoded = Secret::new(STANDARD.encode(pair.as_bytes()));
        let value = Zeroizing::new(format!("Basic {}", encoded.reveal()));
        let encoded = Secret::new(encoded.reveal().trim_end_matches('='));
        Ok(Self::in_header(header::AUTHORIZATION, &value, password)?.with_secret(encoded))
    }

    /// `value` in the header `name`; `secret` is the part of it that must not be shown.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the secret is empty, or the value cannot stand in a header as it is (line breaks,
    /// non-ASCII, blanks at either end).
    pub fn in_header(name: HeaderName, value: &str, secret: Secret) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(unusable("the secret is empty"));
        }
        // A server drops blanks around a value, and would see another secret.
        let whole = value.trim() == value && !value.contains('\t');
        let value = HeaderValue::from_str(value).ok().filter(|_| whole);
        let Some(mut value) = value else {
            return Err(unusable("the secret holds line breaks, non-ASCII, or blanks at an end"));
        };
        value.set_sensitive(true);
        Ok(Self::of(vec![(name, value)], Vec::new(), secret))
    }

    /// `secret` as the query parameter `name`, percent-encoded. For services that leave no other way: addresses end up in
    /// the logs of every server on the way.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] if the secret is empty.
    pub fn in_query(name: impl Into<String>, secret: Secret) -> Result<Self, Error> {
        if secret.is_empty() {
            return Err(unusable("the secret is empty"));
        }
        let queries = vec![(name.into(), secret.clone())];
        Ok(Self::of(Vec::new(), queries, secret))
    }

    /// Both: a service that wants user and password in two headers, or a token in a header and another in the query.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        let (parts, other) = (Arc::make_mut(&mut self.0), Arc::unwrap_or_clone(other.0));
        parts.headers.extend(other.headers);
        parts.queries.extend(other.queries);
        parts.others.push(other.secret);
        parts.others.extend(other.others);
        self
    }

    /// Names another form of the secret, or another secret that travels with it, so that it is not shown either.
    #[must_use]
    pub fn with_secret(mut self, secret: Secret) -> Self {
        Arc::make_mut(&mut self.0).others.push(secret);
        self
    }

    pub(crate) fn apply(&self, headers: &mut http::HeaderMap) {
        for (name, value) in &self.0.headers {
            headers.insert(name.clone(), value.clone());
        }
    }

    pub(crate) fn queries(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.0.queries.iter().map(|(name, secret)| (name.as_str(), secret))
    }

    /// The secret of it: the token, the password.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0.secret
    }

    /// Every secret of it.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.0.secret).chain(&self.0.others)
    }
}

fn unusable(message: &'static str) -> Error {
    Error::new(ErrorKind::Credentials, "authorize").with_message(message).with_hint(
        "pass the secret exactly as the service handed it out, on one line, without quotes or `Bearer`",
    )
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.0.headers.iter().map(|(name, _)| name).collect();
        let queries: Vec<_> = self.queries().map(|(name, _)| name).collect();
        f.debug_struct("Authorization")
            .field("headers", &headers)
            .field("query", &queries)
            .field("secret", &self.0.secret)
            .finish_non_exhaustive()
    }
}

/// Where authorizations come from.
pub trait Credentials: fmt::Debug + Send + Sync + 'static {
    /// The authorization for the next attempt.
    ///
    /// # Errors
    /// [`ErrorKind::Credentials`] or what a login met; the call then ends as not sent.
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>>;

    /// The authorization, if it is there without asking anybody: what [`authorize`](Self::authorize) would answer at once.
    fn at_hand(&self) -> Option<Authorization> {
        None
    }

    /// Called once per call when the service refused `rejected`; `true` if another attempt is worthwhile.
    fn renew(&self, rejected: &Authorization) -> BoxFuture<'_, bool> {
        let _ = rejected;
        Box::pin(std::future::ready(false))
    }
}

/// A fixed bearer token.
#[derive(Debug, Clone)]
pub struct Bearer {
    token: Secret,
    /// Made at the first call that can use it.
    made: OnceLock<Authorization>,
}

impl Bearer {
    /// Uses this token for every call.
    #[must_use]
    pub fn new(token: impl Into<Secret>) -> Self {
        Self { token: token.into(), made: OnceLock::new() }
    }
}

impl Credentials for Bearer {
    fn authorize(&self) -> BoxFuture<'_, Result<Authorization, Error>> {
        let made = Authorization::bearer(self.token.clone());
        Box::pin(std::future::ready(made.map(|made| self.made.get_or_init(|| made).clone())))
    }

    fn at_hand(&self) -> Option<Authorization> {
        self.made.get().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_would_break_the_header_are_refused_without_being_shown() {
        for bad in ["", "two words", "line\nbreak", "tab\there", "ñandú-token"] {
            let error = Authorization::bearer(Secret::new(bad)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Credentials);
            assert!(bad.is_empty() || !format!("{error} {error:?}").contains(bad));
        }
    }

    fn header_of(authorization: &Authorization) -> String {
        let mut headers = http::HeaderMap::new();
        authorization.apply(&mut headers);
        headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    /// The vectors of RFC 7617, sections 2 and 2.1.
    #[test]
    fn basic_follows_the_rfc() {
        for (user, password, encoded) in [
            ("Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("test", "123\u{a3}", "dGVzdDoxMjPCow=="),
        ] {
            let authorization = Authorization::basic(user, Secret::new(password)).unwrap();
            assert_eq!(header_of(&authorization), format!("authorization: Basic {encoded}"));
            let secrets: Vec<_> = authorization.secrets().map(Secret::reveal).collect();
            assert_eq!(secrets, [password, encoded.trim_end_matches('=')]);
        }
        assert!(Authorization::basic("ana", Secret::new("")).is_err());
        assert!(Authorization::basic("ana", Secret::new("a\nb")).is_err());
    }

    #[test]
    fn a_header_may_hold_blanks_inside_and_none_outside() {
        let own = |value: &str| {
            Authorization::in_header(HeaderName::from_static("x-key"), value, Secret::new("pass word"))
        };
        assert_eq!(header_of(&own("Own:pass word").unwrap()), "x-key: Own:pass word");
        for bad in ["Own:pass word ", " Own", "Own:pass\tword", "Own:\r\n"] {
            assert!(own(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn no_form_prints_its_secrets() {
        let first = Authorization::in_query("api_token", Secret::new("sentinel/1")).unwrap();
        let both = first.and(Authorization::basic("ana", Secret::new("sentinel-2")).unwrap());
        let shown = format!("{both:?}{both:#?}");
        assert!(!shown.contains("sentinel") && shown.contains("api_token"), "{shown}");
        assert_eq!(both.secrets().count(), 3);
    }
}
