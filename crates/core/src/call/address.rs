//! From a path template and its values to an address.
//!
//! The rule enforced here: a value never changes which path is asked. It is percent-encoded whole, and what encoding does not
//! tame (nothing, `.` and `..`, which any server or proxy may resolve) is refused before anything is sent.

use http::Uri;
use url::Url;

use super::auth::Authorization;
use super::operation::Call;
use super::settings::BaseUrl;
use crate::secret::escaped;
use crate::{Error, Fault};

/// Where a call goes, without the secrets that an authorization may add to the query.
#[derive(Debug)]
pub(crate) struct Address {
    uri: Uri,
    queried: bool,
}

impl Address {
    /// # Errors
    /// A validation error that names every parameter and header that cannot be used; a configuration error if it cannot be a
    /// request's address, most likely since it is too long.
    pub(crate) fn of(call: &Call, base: &BaseUrl) -> Result<Self, Error> {
        let mut faults = call.faults.clone();
        let mut url = path(call, base, &mut faults);
        if !faults.is_empty() {
            let hint = "nothing was sent; correct what is named above";
            return Err(Error::validation(call.name(), faults).with_hint(hint));
        }
        let mut queried = false;
        for (name, value) in &call.queries {
            push(&mut url, &mut queried, name, value);
        }
        Ok(Self { uri: parsed(url)?, queried })
    }

    /// The address as one that others can be relative to.
    pub(crate) fn url(&self) -> Result<Url, url::ParseError> {
        Url::parse(&self.uri.to_string())
    }

    /// The address of one attempt.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub(crate) fn uri(&self, authorization: Option<&Authorization>) -> Result<Uri, Error> {
        let mut queries = authorization.into_iter().flat_map(Authorization::queries).peekable();
        if queries.peek().is_none() {
            return Ok(self.uri.clone());
        }
        let (mut url, mut queried) = (self.uri.to_string(), self.queried);
        for (name, secret) in queries {
            push(&mut url, &mut queried, name, secret.reveal());
        }
        parsed(url)
    }
}

fn push(url: &mut String, queried: &mut bool, name: &str, value: &str) {
    url.push(if *queried { '&' } else { '?' });
    *queried = true;
    url.extend(escaped(name));
    url.push('=');
    url.extend(escaped(value));
}

/// The cause is not kept: it could show what must not be shown.
fn parsed(url: String) -> Result<Uri, Error> {
    Uri::try_from(url).map_err(|_| {
        Error::configuration("the request's address cannot be built", "check the length of its parameters")
    })
}

/// The base and the template with its values; every fault is noted.
fn path(call: &Call, base: &BaseUrl, faults: &mut Vec<Fault>) -> String {
    let prefix = base.prefix();
    let mut url = String::with_capacity(length(call, prefix));
    url.push_str(prefix);
    let mut rest = call.operation.path;
    let mut used = 0_usize;
    while let Some((before, after)) = cut(rest, b'{') {
        url.push_str(before);
        let (name, after) = cut(after, b'}').unwrap_or((after, ""));
        match call.params.iter().find(|(given, _)| *given == name) {
            Some((_, value)) => {
                used = used.saturating_add(1);
                segment(&mut url, name, value, faults);
            }
            None => faults.push(fault(name, "a value").with_hint("the path needs this parameter")),
        }
        rest = after;
    }
    url.push_str(rest);
    // A single one that was used is not superfluous, and most calls have no more.
    if used != call.params.len() || used > 1 {
        superfluous(call, faults);
    }
    let path = url.get(prefix.len()..).unwrap_or_default();
    if is_plain(call.operation.path, path) { url } else { base.join(path).into() }
}

/// As `str::split_once`, which takes its time to set up.
fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let place = memchr::memchr(at, text.as_bytes())?;
    Some((text.get(..place)?, text.get(place.checked_add(1)?..)?))
}

/// Enough for the address unless much of it is escaped.
fn length(call: &Call, prefix: &str) -> usize {
    let params = call.params.iter().map(|(_, value)| value.len());
    let queries = call.queries.iter().map(|(name, value)| name.len() + value.len() + 2);
    prefix.len() + call.operation.path.len() + params.chain(queries).sum::<usize>()
}

/// Whether the path is one that joining it to a base would not alter: values are escaped, so it is for the template to tell, and
/// for segments of dots.
fn is_plain(template: &str, path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~{}".contains(&byte);
    template.starts_with('/')
        && template.bytes().all(plain)
        && (memchr::memchr(b'.', path.as_bytes()).is_none()
            || !path.split('/').any(|segment| matches!(segment, "." | "..")))
}

fn segment(url: &mut String, name: &str, value: &str, faults: &mut Vec<Fault>) {
    if matches!(value, "" | "." | "..") {
        let expected = "a value that is not empty, `.` or `..`";
        faults
            .push(fault(name, expected).with_actual(value).with_hint("it would change which path is asked"));
    }
    url.extend(escaped(value));
}

/// A value that goes nowhere is a slip of whoever wrote the call, and may have been meant to limit it.
fn superfluous(call: &Call, faults: &mut Vec<Fault>) {
    for (index, (name, _)) in call.params.iter().enumerate() {
        let again = call.params.iter().take(index).any(|(earlier, _)| earlier == name);
        if again || !asks_for(call.operation.path, name) {
            let hint = if again { "it was given twice" } else { "the path has no such parameter" };
            faults.push(fault(name, "a parameter of the path, once").with_hint(hint));
        }
    }
}

/// Whether the template has the parameter, read as the path is.
fn asks_for(template: &str, name: &str) -> bool {
    let parameter = |piece: &str| piece.split_once('}').map_or(piece, |(name, _)| name) == name;
    template.split('{').skip(1).any(parameter)
}

fn fault(name: &str, expected: &'static str) -> Fault {
    Fault::error("PARAM", name).with_expected(expected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::call::Operation;

    const FILE: Operation = Operation::get("read a file", "/clients/{client}/files/{file}.json");

    fn base() -> BaseUrl {
        BaseUrl::parse("https://service.example.com/app").unwrap()
    }

    fn uri(call: &Call) -> Result<String, Error> {
        Address::of(call, &base())?.uri(None).map(|uri| uri.to_string())
    }

    fn faulty(call: &Call) -> Vec<String> {
        let error = uri(call).unwrap_err();
        assert!(error.is_not_sent() && error.is_validation());
        error.faults().iter().map(|fault| fault.path().to_owned()).collect()
    }

    #[test]
    fn values_become_one_segment_each() {
        let call = Call::new(FILE).param("client", "a/b ?#%2e&ñ").param("file", 7).query("q", "x y&z=/+");
        assert_eq!(
            uri(&call).unwrap(),
            "https://service.example.com/app/clients/a%2Fb%20%3F%23%252e%26%C3%B1/files/7.json?q=x%20y%26z%3D%2F%2B"
        );
    }

    #[test]
    fn what_would_change_the_path_is_refused_by_name() {
        for bad in ["", ".", ".."] {
            assert_eq!(faulty(&Call::new(FILE).param("client", bad).param("file", 1)), ["client"]);
        }
        assert_eq!(faulty(&Call::new(FILE).param("client", "")), ["client", "file"]);
        assert_eq!(faulty(&Call::new(FILE).param("client", 1).param("file", 2).param("other", 3)), ["other"]);
        assert_eq!(faulty(&Call::new(FILE).param("client", 1).param("file", 2).param("file", 3)), ["file"]);
        let header = http::header::ACCEPT_LANGUAGE;
        assert_eq!(
            faulty(&Call::new(FILE).header(header, "e\ns").param("client", 1).param("file", 2)),
            ["accept-language"]
        );
    }

    #[test]
    fn an_address_that_cannot_be_built_is_an_error_without_its_content() {
        let long = "sentinel".repeat(20_000);
        let error = uri(&Call::new(FILE).param("client", long).param("file", 1)).unwrap_err();
        assert!(!format!("{error} {error:?} {error:#?}").contains("sentinel"));
        assert!(error.is_not_sent());
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_segment(value in ".{0,40}") {
            let call = Call::new(FILE).param("client", &value).param("file", "f");
            if let Ok(uri) = uri(&call) {
                prop_assert_eq!(uri.split('/').count(), "https://h/app/clients/x/files/f.json".split('/').count());
                prop_assert!(!uri.contains(['?', '#']));
                prop_assert!(uri.ends_with("/files/f.json"));
            }
        }
    }
}
