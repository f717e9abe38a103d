//! Which operation a request means: paths exactly as the contract writes them, slash by slash.
//!
//! A path that differs from a known one only by its last slash is redirected, which drops the body of a POST:
//! the trap that the contract warns of.

use super::settings::{Endpoint, Settings};

/// One request line, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Known(Target),
    /// The same path with or without its last slash is known.
    Slash(String),
    /// The path is known, the method is not.
    Method,
    Unknown,
}

/// An operation and what its path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) endpoint: Endpoint,
    /// GUID, id or the rest of a media path, percent-decoded.
    pub(super) name: String,
    /// Which of the three products of the older API.
    pub(super) product: Option<Product>,
    pub(super) query: Query,
}

/// A product of the older API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Product {
    Inbox,
    EmailPin,
    OneShot,
}

/// `page` and `page_size` as they were sent, and whatever else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn read(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(key, value)| (decoded(key), decoded(value)))
                .collect(),
        )
    }
}

/// `%XX` decoded; what is no escape stays as it is.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        match (first, escape(after)) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escape(after: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(after.get(..2)?).ok()?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Everything but the unreserved characters as `%XX`: a name as one segment of a path.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// Method, pattern, operation. `{}` is one segment, `*` the rest.
const TABLE: &[(&str, &str, Endpoint, Option<Product>)] = &[
    ("POST", "/api/token", Endpoint::Login, None),
    ("GET", "/api/documents/", Endpoint::List, None),
    ("GET", "/api/document/get/{}", Endpoint::Detail, None),
    ("POST", "/api/document/create", Endpoint::Create, None),
    ("DELETE", "/api/document/delete/{}", Endpoint::Delete, None),
    ("GET", "/media/*", Endpoint::Media, None),
    ("POST", "/api/sign/start/{}", Endpoint::Start, None),
    ("GET", "/api/sign/status/{}", Endpoint::SignStatus, None),
    ("GET", "/api/sign/download/{}", Endpoint::SignDownload, None),
    ("POST", "/api/sign/approve/{}", Endpoint::Approve, None),
    ("GET", "/api/folder", Endpoint::Folders, None),
    ("DELETE", "/api/folder/{}", Endpoint::DeleteFolder, None),
    ("POST", "/api/template/{}", Endpoint::Template, None),
    ("POST", "/api/migrate/document/", Endpoint::Migrate, None),
    ("GET", "/api/v2/contacts/", Endpoint::Contacts, None),
    ("POST", "/api/v2/contacts/", Endpoint::CreateContact, None),
    ("PUT", "/api/v2/contact/{}/", Endpoint::UpdateContact, None),
    ("GET", "/api/v2/contact/{}/", Endpoint::GetContact, None),
    ("DELETE", "/api/v2/contact/{}/", Endpoint::DeleteContact, None),
    ("GET", "/api/v2/smart-documents/", Endpoint::SmartDocuments, None),
    ("POST", "/api/v2/smart-document/{}/workflow/", Endpoint::Workflow, None),
    ("POST", "/api/legale/legaleDocument", Endpoint::LegacySend, Some(Product::Inbox)),
    ("GET", "/api/legale/legaleDocInfo/{}", Endpoint::LegacyStatus, Some(Product::Inbox)),
    ("POST", "/api/emailPin/sendDocument", Endpoint::LegacySend, Some(Product::EmailPin)),
    ("GET", "/api/emailPin/getDocument/{}", Endpoint::LegacyStatus, Some(Product::EmailPin)),
    ("POST", "/api/oneshot/sendDocument", Endpoint::LegacySend, Some(Product::OneShot)),
    ("GET", "/api/oneshot/getDocument/{}", Endpoint::LegacyStatus, Some(Product::OneShot)),
    ("GET", "/session/{}", Endpoint::SignerPage, None),
];

/// What the path names, if it has the pattern's form.
fn matched(pattern: &str, path: &str) -> Option<String> {
    if let Some(prefix) = pattern.strip_suffix('*') {
        return path.strip_prefix(prefix).filter(|rest| !rest.is_empty()).map(decoded);
    }
    let Some((before, after)) = pattern.split_once("{}") else {
        return (pattern == path).then(String::new);
    };
    let name = path.strip_prefix(before)?.strip_suffix(after)?;
    // An empty name is another path, and a slash in a name has to be escaped.
    (!name.is_empty() && !name.contains('/')).then(|| decoded(name))
}

fn is_deployed(endpoint: Endpoint, settings: &Settings) -> bool {
    match endpoint {
        Endpoint::GetContact | Endpoint::DeleteContact => settings.contact_by_id,
        Endpoint::SignStatus | Endpoint::SignDownload => settings.sign_pages,
        _ => true,
    }
}

/// Understands one request line.
pub(super) fn route(method: &str, path: &str, query: &str, settings: &Settings) -> Route {
    let mut known = false;
    for (wanted, pattern, endpoint, product) in TABLE {
        let Some(name) = matched(pattern, path).filter(|_| is_deployed(*endpoint, settings)) else {
            continue;
        };
        known = true;
        if *wanted == method {
            let (endpoint, product) = (*endpoint, *product);
            return Route::Known(Target { endpoint, name, product, query: Query::read(query) });
        }
    }
    match other_slash(path).filter(|_| settings.slash_redirect && !known) {
        Some(other) => Route::Slash(if query.is_empty() { other } else { format!("{other}?{query}") }),
        None if known => Route::Method,
        None => Route::Unknown,
    }
}

/// The path with its last slash taken or added, if that one is known.
fn other_slash(path: &str) -> Option<String> {
    let other = path.strip_suffix('/').map_or_else(|| format!("{path}/"), ToOwned::to_owned);
    TABLE.iter().any(|(_, pattern, ..)| matched(pattern, &other).is_some()).then_some(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(method: &str, path: &str) -> Option<(Endpoint, String)> {
        match route(method, path, "", &Settings::default()) {
            Route::Known(target) => Some((target.endpoint, target.name)),
            _ => None,
        }
    }

    #[test]
    fn names_are_one_segment_and_decoded() {
        assert_eq!(endpoint("GET", "/api/document/get/a%20b%2Fc"), Some((Endpoint::Detail, "a b/c".into())));
        assert_eq!(endpoint("GET", "/api/document/get/a/b"), None);
        assert_eq!(endpoint("GET", "/api/document/get/"), None);
        assert_eq!(
            endpoint("GET", "/media/documents/x.pdf"),
            Some((Endpoint::Media, "documents/x.pdf".into()))
        );
        assert_eq!(encoded("a b/c"), "a%20b%2Fc");
        assert_eq!(decoded("100%+%zz%C3%B1"), "100%+%zzñ");
    }

    #[test]
    fn the_last_slash_matters_and_is_redirected() {
        let settings = Settings::default();
        let slash = |path: &str| route("POST", path, "a=1", &settings);
        assert_eq!(slash("/api/v2/contacts"), Route::Slash("/api/v2/contacts/?a=1".into()));
        assert_eq!(slash("/api/document/create/"), Route::Slash("/api/document/create?a=1".into()));
        assert_eq!(slash("/api/documents/"), Route::Method);
        let strict = Settings { slash_redirect: false, ..Settings::default() };
        assert_eq!(route("POST", "/api/v2/contacts", "", &strict), Route::Unknown);
    }

    #[test]
    fn what_is_not_deployed_is_unknown() {
        assert_eq!(endpoint("GET", "/api/v2/contact/1/"), None);
        assert!(endpoint("PUT", "/api/v2/contact/1/").is_some());
        let all = Settings { contact_by_id: true, ..Settings::default() };
        assert!(matches!(route("GET", "/api/v2/contact/1/", "", &all), Route::Known(_)));
        assert_eq!(endpoint("GET", "/api/v1/document/all"), None);
    }
}
