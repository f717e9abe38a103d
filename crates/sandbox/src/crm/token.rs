//! Tokens: where they have to stand, and which are good (contract section 2.2).

use http::HeaderMap;
use serde_json::Value;

use super::{Query, TokenPlace, Wire};

/// The token of a request.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) text: String,
    pub(crate) place: TokenPlace,
}

/// Finds the token: a header first, then the body, then the query.
pub(crate) fn shown(headers: &HeaderMap, body: &Value, query: &Query) -> Option<Shown> {
    let bearer = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
    let in_body = body.get("api_token").and_then(Value::as_str);
    let found = |text: &str, place| Shown { text: text.to_owned(), place };
    bearer
        .map(|text| found(text, TokenPlace::Header))
        .or_else(|| in_body.map(|text| found(text, TokenPlace::Body)))
        .or_else(|| query.get("api_token").map(|text| found(text, TokenPlace::Query)))
}

/// Name of the rule that refuses it, if one does.
pub(crate) fn refused(
    shown: Option<&Shown>,
    good: &[String],
    wire: &Wire,
    belongs_in_body: bool,
) -> Option<&'static str> {
    let Some(shown) = shown else { return Some("token_missing") };
    if !good.contains(&shown.text) {
        return Some(if is_other_prefix(&shown.text, good) { "token_prefix" } else { "token" });
    }
    let at_home = match shown.place {
        TokenPlace::Header => wire.bearer,
        TokenPlace::Body => belongs_in_body || wire.token_anywhere,
        TokenPlace::Query => !belongs_in_body || wire.token_anywhere,
    };
    (!at_home).then_some("token_place")
}

/// The right secret with no prefix, or with that of another account.
fn is_other_prefix(text: &str, good: &[String]) -> bool {
    let secret =
        |token: &str| token.rsplit_once('/').map_or(token.to_owned(), |(secret, _)| secret.to_owned());
    good.iter().any(|token| secret(token) == secret(text))
}

/// The text with every spelling of the token masked.
pub(crate) fn masked(text: &str, token: Option<&Shown>) -> String {
    match token.map(|shown| shown.text.as_str()).filter(|token| !token.is_empty()) {
        Some(token) => {
            let escaped = token.replace('/', "%2F");
            text.replace(token, "****").replace(&escaped, "****").replace(&token.replace('/', "%2f"), "****")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(text: &str, place: TokenPlace, in_body: bool) -> Option<&'static str> {
        let shown = Shown { text: text.into(), place };
        refused(Some(&shown), &["se/cret/acme".into()], &Wire::default(), in_body)
    }

    #[test]
    fn the_whole_text_has_to_stand_in_its_place() {
        assert_eq!(rule("se/cret/acme", TokenPlace::Body, true), None);
        assert_eq!(rule("se/cret/acme", TokenPlace::Query, false), None);
        assert_eq!(rule("se/cret/acme", TokenPlace::Query, true), Some("token_place"));
        assert_eq!(rule("se/cret/acme", TokenPlace::Header, false), Some("token_place"));
        assert_eq!(rule("se/cret/other", TokenPlace::Body, true), Some("token_prefix"));
        assert_eq!(rule("wrong/acme", TokenPlace::Body, true), Some("token"));
        assert_eq!(refused(None, &[], &Wire::default(), true), Some("token_missing"));
    }

    #[test]
    fn logs_do_not_show_it() {
        let shown = Shown { text: "s/acme".into(), place: TokenPlace::Query };
        assert_eq!(masked("a=s%2Facme&b=s/acme", Some(&shown)), "a=****&b=****");
    }
}
