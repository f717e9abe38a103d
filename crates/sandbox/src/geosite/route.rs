//! From a method and a path to an operation, and from a query to its parameters.

use super::feature::Feature;
use super::settings::{Endpoint, Spot};

/// Everything is below this path.
pub(super) const ROOT: &str = "/geosite-telecom-api";

/// The operation of a request.
pub(super) fn route(method: &str, path: &str, legacy: bool) -> Option<Spot> {
    let rest = path.strip_prefix(ROOT)?.strip_prefix('/')?;
    let mut segments = rest.split('/');
    let (first, second, end) = (segments.next()?, segments.next()?, segments.next());
    if end.is_some() {
        return None;
    }
    let fixed = match (method, first, second) {
        ("POST", "auth", "generatetoken") => Some(Endpoint::Login),
        ("POST", "auth", "refresh") => Some(Endpoint::Refresh),
        ("POST", "auth", "token") if legacy => Some(Endpoint::LegacyLogin),
        ("GET", "viabilidade", "caixas") => Some(Endpoint::Boxes),
        ("GET", "viabilidade", "facilidade") => Some(Endpoint::Facilities),
        ("POST", "rede", "existe-lance-cabo") => Some(Endpoint::Cable),
        _ => None,
    };
    fixed.map(Spot::from).or_else(|| Some(of_feature(method, Feature::named(first)?, second)?.into()))
}

fn of_feature(method: &str, feature: Feature, service: &str) -> Option<(Endpoint, Feature)> {
    let endpoint = match (method, service) {
        ("GET", "desc") => Endpoint::Desc,
        ("GET", "get") => Endpoint::Get,
        ("GET", "list") => Endpoint::List,
        ("POST", "save") if feature == Feature::Cliente => Endpoint::Save,
        _ => return None,
    };
    Some((endpoint, feature))
}

/// The decoded parameters in order; `+` is a blank.
pub(crate) fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| crate::legale::decoded(&text.replace('+', " "));
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (decoded(k), decoded(v)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_the_contract() {
        let spot = |method, path| route(method, &format!("{ROOT}{path}"), false).map(|spot| spot.to_string());
        for (method, path, wanted) in [
            ("POST", "/auth/generatetoken", Some("login")),
            ("POST", "/auth/refresh", Some("refresh")),
            ("GET", "/caixaEmenda/desc", Some("desc/caixaEmenda")),
            ("GET", "/caixaemenda/desc", None),
            ("GET", "/cliente/list", Some("list/cliente")),
            ("POST", "/cliente/save", Some("save/cliente")),
            ("POST", "/cto/save", None),
            ("POST", "/cto/delete", None),
            ("GET", "/viabilidade/caixas", Some("boxes")),
            ("POST", "/rede/existe-lance-cabo", Some("cable")),
            ("POST", "/auth/token", None),
            ("GET", "/cto/list/1", None),
        ] {
            assert_eq!(spot(method, path).as_deref(), wanted, "{method} {path}");
        }
        assert!(route("POST", &format!("{ROOT}/auth/token"), true).is_some());
        assert!(route("GET", "/cto/list", false).is_none());
    }

    #[test]
    fn parameters_are_decoded() {
        let read = parameters("filter=nome%3D%27Ana+D%27%27%C3%81vila%27&limit=5&x");
        let wanted = [("filter", "nome='Ana D''Ávila'"), ("limit", "5"), ("x", "")];
        assert_eq!(read, wanted.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
