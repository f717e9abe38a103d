//! Addresses that come in answers: file URLs, approval URLs, redirects.
//!
//! The rule enforced here: an address is `https`, or plain `http` to this machine, and carries no credentials of its own; ours
//! go along only if it is the host of the API, which the core decides by origin.

use integration_core::Error;
use integration_core::call::{BaseUrl, Call};
use url::Url;

/// An address, taken apart for a call.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    pub(crate) base: BaseUrl,
    /// Whether the path ends in a slash, which a base does not keep.
    pub(crate) slash: bool,
    queries: Vec<(String, String)>,
}

impl Link {
    pub(crate) fn of(url: &Url) -> Result<Self, Error> {
        let slash = url.path().len() > 1 && url.path().ends_with('/');
        let queries = url.query_pairs().into_owned().collect();
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        Ok(Self { base: BaseUrl::parse(bare.as_str())?, slash, queries })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text.trim())
            .map_err(|_| Error::configuration("the address is no URL", "pass it as the service gave it"))?;
        Self::of(&url)
    }

    /// A redirect's target, if it stays at the scheme, host and port of `base`.
    pub(crate) fn within(location: &str, base: &BaseUrl) -> Result<Self, &'static str> {
        let url = match Url::parse(location) {
            Ok(url) => url,
            Err(_) if location.starts_with('/') => {
                base.join("/").join(location).map_err(|_| "its address cannot be read")?
            }
            Err(_) => return Err("its address is neither absolute nor a path from the root"),
        };
        let link = Self::of(&url).map_err(|_| "its address is not allowed")?;
        if link.base.has_origin_of(base) { Ok(link) } else { Err("it leads to another scheme, host or port") }
    }

    /// The call, sent there. Its operation's path is a slash if the address ends in one, else empty.
    pub(crate) fn apply(&self, call: Call) -> Call {
        let call = call.to(self.base.clone());
        self.queries.iter().fold(call, |call, (name, value)| call.query(name.clone(), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_stay_within_scheme_host_and_port() {
        let base = BaseUrl::parse("https://api.legale.io/api").unwrap();
        for good in ["https://api.legale.io/other/", "/media/x?y=1", "https://api.legale.io:443/x"] {
            assert!(Link::within(good, &base).is_ok(), "{good}");
        }
        for bad in [
            "http://api.legale.io/x",
            "https://evil.example.com/x",
            "//evil.example.com/x",
            "x",
            "",
            "https://api.legale.io:8443/x",
            "https://user:pass@api.legale.io/x",
            "ftp://api.legale.io/",
        ] {
            assert!(Link::within(bad, &base).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_final_slash_and_the_query_are_kept() {
        let link = Link::parse("https://h.example.com/a/b/?x=1%202#f").unwrap();
        assert!(link.slash);
        assert_eq!(link.queries, [("x".to_owned(), "1 2".to_owned())]);
        assert!(!Link::parse("https://h.example.com/").unwrap().slash);
    }
}
