//! Who is served on the control port: programs and browsers that were pointed at this machine.
//!
//! Two ways in which a page from elsewhere could drive the sandbox are shut: a name that was made to point at
//! loopback (the `Host` must be loopback's own), and a form or script of another origin.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method};

use crate::answer::Answer;

/// The refusal, if this request is not to be served.
pub(super) fn refused(method: &Method, headers: &HeaderMap) -> Option<Answer> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let host = text(HOST.as_str()).unwrap_or_default();
    if !is_loopback(host) {
        return Some(Answer::text(421, "the sandbox answers to localhost, 127.0.0.1 and [::1] only\n"));
    }
    let reads = method == Method::GET || method == Method::HEAD;
    let own_fetch = matches!(text("sec-fetch-site"), None | Some("same-origin" | "none"));
    let own_origin = text(ORIGIN.as_str()).is_none_or(|origin| origin.strip_prefix("http://") == Some(host));
    let foreign = !(reads || own_fetch && own_origin);
    foreign.then(|| Answer::text(403, "only the sandbox's own pages may change it\n"))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(method: &Method, headers: &[(&'static str, &str)]) -> Option<u16> {
        let headers =
            headers.iter().map(|(name, value)| ((*name).try_into().unwrap(), value.parse().unwrap()));
        refused(method, &headers.collect()).map(|answer| answer.status)
    }

    #[test]
    fn only_loopback_names_are_served() {
        for own in ["localhost", "LOCALHOST:7800", "127.0.0.1:7800", "[::1]", "[::1]:1"] {
            assert_eq!(status(&Method::GET, &[("host", own)]), None, "{own}");
        }
        for other in
            ["", "evil.example", "127.0.0.1.evil.example:7800", "localhost.evil.example", "localhost:x"]
        {
            assert_eq!(status(&Method::GET, &[("host", other)]), Some(421), "{other}");
        }
        assert_eq!(status(&Method::GET, &[]), Some(421));
    }

    #[test]
    fn a_change_comes_from_here_or_from_a_program() {
        let host = ("host", "127.0.0.1:7800");
        for own in [
            &[host][..],
            &[host, ("origin", "http://127.0.0.1:7800")],
            &[host, ("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:7800")],
            &[host, ("sec-fetch-site", "none")],
        ] {
            assert_eq!(status(&Method::POST, own), None, "{own:?}");
        }
        for other in [
            &[host, ("origin", "http://evil.example")][..],
            &[host, ("origin", "null")],
            &[host, ("origin", "http://127.0.0.1:9999")],
            &[host, ("origin", "https://127.0.0.1:7800")],
            &[host, ("sec-fetch-site", "cross-site")],
            &[host, ("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:7800")],
        ] {
            assert_eq!(status(&Method::POST, other), Some(403), "{other:?}");
            assert_eq!(status(&Method::DELETE, other), Some(403), "{other:?}");
            assert_eq!(status(&Method::GET, other), None, "{other:?}");
        }
    }
}
