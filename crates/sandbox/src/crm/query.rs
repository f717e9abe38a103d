//! The query of a request, decoded.

use crate::legale::decoded;

/// Names and values in the order in which they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn read(text: &str) -> Self {
        let plain = |text: &str| decoded(&text.replace('+', " "));
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(key, value)| (plain(key), plain(value)))
                .collect(),
        )
    }

    /// The value, unless it is empty.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let named = self.0.iter().find(|(name, value)| name == key && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    pub(crate) fn all<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(name, _)| name == key);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    pub(crate) fn number<T: std::str::FromStr>(&self, key: &str) -> Option<T> {
        self.get(key)?.parse().ok()
    }

    /// `true`, `1` or `yes`.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| ["true", "1", "yes"].contains(&value))
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn values_are_decoded_and_empty_ones_are_absent() {
        let query =
            Query::read("api_token=s%2Facme&name=a+b%2Bc&kinds[]=vat&kinds%5B%5D=final&page=&per_page=7");
        assert_eq!(query.get("api_token"), Some("s/acme"));
        assert_eq!(query.get("name"), Some("a b+c"));
        assert_eq!(query.all("kinds[]").collect::<Vec<_>>(), ["vat", "final"]);
        assert_eq!(query.get("page"), None);
        assert_eq!(query.number::<usize>("per_page"), Some(7));
    }
}
