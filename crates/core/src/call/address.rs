//! From a path template and its values to an address.
//!
//! The rule enforced here: a value never changes which path is asked. It is percent-encoded whole, and what encoding does not
//! tame (nothing, `.` and `..`, which any server or proxy may resolve) is refused before anything is sent.

use http::Uri;
use url::Url;

use super::auth::Authorization;
use super::operation::Call;
use super::settings::BaseUrl;
use crate::secret::percent_encoded;
use crate::{Error, Fault};

/// Where a call goes, without the secrets that an authorization may add to the query.
#[derive(Debug)]
pub(crate) struct Address {
    url: String,
    queried: bool,
}

impl Address {
    /// # Errors
    /// A validation error that names every parameter and header that cannot be used.
    pub(crate) fn of(call: &Call, base: &BaseUrl) -> Result<Self, Error> {
        let mut faults = call.faults.clone();
        let path = path(call, &mut faults);
        if !faults.is_empty() {
            let hint = "nothing was sent; correct what is named above";
            return Err(Error::validation(call.name(), faults).with_hint(hint));
        }
        let mut address = Self { url: base.join(&path).into(), queried: false };
        for (name, value) in &call.queries {
            address.push(name, value);
        }
        Ok(address)
    }

    fn push(&mut self, name: &str, value: &str) {
        self.url.push(if self.queried { '&' } else { '?' });
        self.queried = true;
        self.url.push_str(&percent_encoded(name));
        self.url.push('=');
        self.url.push_str(&percent_encoded(value));
    }

    /// The address as one that others can be relative to.
    pub(crate) fn url(&self) -> Result<Url, url::ParseError> {
        Url::parse(&self.url)
    }

    /// The address of one attempt.
    ///
    /// # Errors
    /// A configuration error if it cannot be a request's address, most likely since it is too long. The cause is not
    /// kept: it could show what must not be shown.
    pub(crate) fn uri(&self, authorization: Option<&Authorization>) -> Result<Uri, Error> {
        let mut full = Self { url: self.url.clone(), queried: self.queried };
        for (name, secret) in authorization.into_iter().flat_map(Authorization::queries) {
            full.push(name, secret.reveal());
        }
        full.url.parse().map_err(|_| {
            Error::configuration(
                "the request's address cannot be built",
                "check the length of its parameters",
            )
        })
    }
}

/// The template with its values; every fault is noted.
fn path(call: &Call, faults: &mut Vec<Fault>) -> String {
    let mut path = String::new();
    let mut used = Vec::new();
    let mut rest = call.operation.path;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        used.push(name);
        match call.params.iter().find(|(given, _)| *given == name) {
            Some((_, value)) => path.push_str(&segment(name, value, faults)),
            None => faults.push(fault(name, "a value").with_hint("the path needs this parameter")),
        }
        rest = after;
    }
    path.push_str(rest);
    superfluous(call, &used, faults);
    path
}

fn segment(name: &str, value: &str, faults: &mut Vec<Fault>) -> String {
    if matches!(value, "" | "." | "..") {
        let expected = "a value that is not empty, `.` or `..`";
        faults
            .push(fault(name, expected).with_actual(value).with_hint("it would change which path is asked"));
    }
    percent_encoded(value)
}

/// A value that goes nowhere is a slip of whoever wrote the call, and may have been meant to limit it.
fn superfluous(call: &Call, used: &[&str], faults: &mut Vec<Fault>) {
    for (index, (name, _)) in call.params.iter().enumerate() {
        let again = call.params.iter().take(index).any(|(earlier, _)| earlier == name);
        if again || !used.contains(name) {
            let hint = if again { "it was given twice" } else { "the path has no such parameter" };
            faults.push(fault(name, "a parameter of the path, once").with_hint(hint));
        }
    }
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
