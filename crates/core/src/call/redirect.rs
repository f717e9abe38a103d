//! Addresses that come in answers, and redirects among them.
//!
//! The rules enforced here: an address is `https`, or plain `http` to this machine, and carries no credentials of its own; a redirect
//! is followed only if the call asked for it and is a `GET`, only within scheme, host and port, and only so many times; its address
//! may be relative to the one that was asked, as HTTP has it. Credentials go
//! along as to any other address: to the origin of the client's base and nowhere else.

use std::fmt;

use http::{Method, header};
use url::Url;

use super::address::Address;
use super::operation::{Call, Idempotency, Operation};
use super::settings::BaseUrl;
use crate::Error;
use crate::secret::MASK;

/// An address from an answer, taken apart for a call.
///
/// Its `Debug` shows scheme, host and port: path and query are as often as not what lets whoever has them in.
///
/// ```
/// use integration_core::call::{Link, Operation};
///
/// let link = Link::parse("https://media.example.com/media/7/?size=large")?;
/// assert_eq!(link.base().host(), "media.example.com");
/// let call = link.call(Operation::get("fetch a file", "")); // asks for /media/7/?size=large
/// assert!(Link::parse("http://media.example.com/media/7").is_err()); // plain http to this machine only
/// # Ok::<(), integration_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Link {
    base: BaseUrl,
    /// Whether the path ends in a slash, which a base does not keep.
    slash: bool,
    queries: Vec<(String, String)>,
}

impl Link {
    /// Reads an absolute address.
    ///
    /// # Errors
    /// A configuration error if it is no URL that a client may call.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text.trim())
            .map_err(|_| Error::configuration("the address is no URL", "pass it as the service gave it"))?;
        Self::of(&url)
    }

    /// Takes an absolute address apart.
    ///
    /// # Errors
    /// A configuration error if it is no URL that a client may call.
    pub fn of(url: &Url) -> Result<Self, Error> {
        let slash = url.path().len() > 1 && url.path().ends_with('/');
        let queries = url.query_pairs().into_owned().collect();
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        Ok(Self { base: BaseUrl::parse(bare.as_str())?, slash, queries })
    }

    /// The address without its query.
    #[must_use]
    pub fn base(&self) -> &BaseUrl {
        &self.base
    }

    /// A call of the address; the operation's path is replaced.
    pub fn call(&self, operation: Operation) -> Call {
        let path = if self.slash { "/" } else { "" };
        let call = Call::new(Operation { path, ..operation }).to(self.base.clone());
        self.queries.iter().fold(call, |call, (name, value)| call.query(name.clone(), value))
    }

    /// The target of a redirect from the address `asked`, if it stays at its scheme, host and port.
    fn from(asked: &Url, location: &str) -> Result<Self, &'static str> {
        if location.is_empty() {
            // By the letter the address that was asked, which would only say the same again.
            return Err("it names no address");
        }
        let url = asked.join(location).map_err(|_| "its address cannot be read")?;
        let link = Self::of(&url).map_err(|_| "its address is not allowed")?;
        if url.origin() == asked.origin() {
            Ok(link)
        } else {
            Err("it leads to another scheme, host or port")
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("origin", &self.base.origin()).finish_non_exhaustive()
    }
}

/// A redirect that was not followed although redirects are, as the source of an error: of a call that is no `GET`, to another host,
/// without a usable address, or one too many in a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("a redirect (HTTP {status}) that is not followed: {reason}")]
pub struct UnexpectedRedirect {
    /// The HTTP status.
    pub status: u16,
    /// Why it was not followed.
    pub reason: &'static str,
}

/// The call to make instead, if `error` is a redirect that `call` follows; otherwise the error. What the judge says about redirects stands
/// unless the call asked for them to be followed.
pub(crate) fn followed(call: &Call, base: &BaseUrl, error: Error, hops: u32) -> Result<Call, Error> {
    let redirect = error.answer().filter(|answer| answer.status().is_redirection());
    let Some(answer) = redirect.filter(|_| call.limits.redirects > 0) else { return Err(error) };
    let status = answer.status().as_u16();
    let location = answer.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let target = match location {
        _ if call.operation.method != Method::GET => Err("only a GET follows redirects"),
        // It would be forgotten that the call may have been applied.
        _ if call.operation.idempotency != Idempotency::Safe => {
            Err("only a call that reads follows redirects")
        }
        _ if hops >= call.limits.redirects => Err("it is one more in a row than is followed"),
        None => Err("it names no address"),
        Some(location) => match asked(call, base) {
            Some(asked) => Link::from(&asked, location),
            None => Err("its address cannot be read"),
        },
    };
    match target {
        Ok(link) => Ok(moved(call, &link)),
        Err(reason) => {
            let cause = UnexpectedRedirect { status, reason };
            Err(error.with_message(cause.to_string()).with_source(cause))
        }
    }
}

/// The address that was asked, without what an authorization adds to it.
fn asked(call: &Call, base: &BaseUrl) -> Option<Url> {
    Address::of(call, base).ok()?.url().ok()
}

/// The same call at another address: headers, limits, lane and secrets stay, path and query are the address's.
fn moved(call: &Call, link: &Link) -> Call {
    let Call { operation, mut queries, base, .. } = link.call(call.operation.clone());
    // Servers that move a call often repeat its query. What was a secret is masked by now, and comes anew with the authorization.
    queries.retain(|(_, value)| value != MASK);
    Call { operation, queries, base, params: Vec::new(), ..call.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_within_scheme_host_and_port() {
        for good in ["https://api.example.com/other/", "/media/x?y=1", "https://api.example.com:443/x"] {
            assert!(Link::from(&listed(), good).is_ok(), "{good}");
        }
        for bad in [
            "http://api.example.com/x",
            "https://evil.example.com/x",
            "//evil.example.com/x",
            "\\\\evil.example.com/x",
            "/\\evil.example.com/x",
            "",
            "data:text/plain,x",
            "https://",
            "https://api.example.com:8443/x",
            "https://user:pass@api.example.com/x",
            "ftp://api.example.com/",
        ] {
            assert!(Link::from(&listed(), bad).is_err(), "{bad}");
        }
    }

    fn listed() -> Url {
        Url::parse("https://api.example.com/api/list/all?page=1&size=2").unwrap()
    }

    /// RFC 3986, 5.2 and 5.4: against the address that was asked, not against the base.
    #[test]
    fn a_relative_address_is_one_from_the_address_that_was_asked() {
        for (location, expected) in [
            ("x", "https://api.example.com/api/list/x"),
            ("./x/", "https://api.example.com/api/list/x/"),
            ("../x?y=1", "https://api.example.com/api/x?y=1"),
            ("../../../../x", "https://api.example.com/x"),
            ("?page=2", "https://api.example.com/api/list/all?page=2"),
            ("#top", "https://api.example.com/api/list/all?page=1&size=2"),
            ("//api.example.com/x", "https://api.example.com/x"),
            (".", "https://api.example.com/api/list/"),
        ] {
            let link = Link::from(&listed(), location).unwrap();
            let call = link.call(Operation::get("go on", ""));
            let uri = Address::of(&call, link.base()).unwrap().uri(None).unwrap();
            assert_eq!(uri.to_string(), expected, "{location}");
        }
    }

    /// Links that are signed are credentials.
    #[test]
    fn neither_a_link_nor_a_call_of_it_shows_path_or_query() {
        let link = Link::parse("https://h.example.com:8443/sentinel/7?key=sentinel&sentinel=1").unwrap();
        let call = link.call(Operation::get("fetch a file", ""));
        let shown = format!("{link:?} {link:#?} {call:?} {call:#?}");
        assert!(shown.contains("https://h.example.com:8443") && !shown.contains("sentinel"), "{shown}");
    }

    #[test]
    fn a_final_slash_and_the_query_are_kept() {
        let link = Link::parse("https://h.example.com/a/b/?x=1%202#f").unwrap();
        assert!(link.slash);
        assert_eq!(link.queries, [("x".to_owned(), "1 2".to_owned())]);
        assert!(!Link::parse("https://h.example.com/").unwrap().slash);
    }
}
