//! `external_ids`: the map that links a record to those of other systems (contract 4.6 last row, and 5).
//!
//! The rules enforced here: keys are compared without case, ids as text; the documented style `APP_client_id`,
//! `APP_invoice_id` is read too; writing one id leaves all other keys as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use integration_core::{Error, Fault};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The key under which ids of BitFactura stand in `external_ids`: `bitfactura` unless set (assumed, contract 4.6).
///
/// ```
/// use sugester::value::AppKey;
///
/// assert_eq!(AppKey::default().as_str(), "bitfactura");
/// assert!("".parse::<AppKey>().is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AppKey(String);

impl AppKey {
    /// The key as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn names(&self, key: &str, linked: Linked) -> bool {
        let key = key.to_lowercase();
        key.strip_prefix(&self.0.to_lowercase())
            .is_some_and(|rest| rest.is_empty() || rest == linked.suffix())
    }
}

impl Default for AppKey {
    fn default() -> Self {
        Self("bitfactura".to_owned())
    }
}

impl fmt::Display for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AppKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.trim().is_empty() || text.trim() != text || text.chars().any(char::is_control) {
            let fault = Fault::error("APP_KEY", "external_ids")
                .with_actual(text)
                .with_hint("a key of external_ids is a text without blanks around it");
            return Err(Error::validation("read a key of external_ids", vec![fault]));
        }
        Ok(Self(text.to_owned()))
    }
}

/// What kind of record an id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Linked {
    /// A client.
    Client,
    /// An invoice, which a deal links to.
    Invoice,
}

impl Linked {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Client => "_client_id",
            Self::Invoice => "_invoice_id",
        }
    }
}

/// Ids of one record in other systems, by the key of each system. Not the same as `external_id`, which is one text.
///
/// ```
/// use sugester::value::{AppKey, ExternalIds, Linked};
///
/// let app = AppKey::default();
/// let ids: ExternalIds = serde_json::from_str(r#"{"BitFactura_client_id":17,"shop":"x-1"}"#)?;
/// assert_eq!(ids.ids(&app, Linked::Client), ["17"]);
/// let ids = ids.with_text(&app, Linked::Client, 18);
/// assert_eq!(serde_json::to_string(&ids)?, r#"{"bitfactura":"18","shop":"x-1"}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ExternalIds(BTreeMap<String, Value>);

impl ExternalIds {
    /// The map with one id as text, as REST calls carry it.
    #[must_use]
    pub fn of(app: &AppKey, linked: Linked, id: u64) -> Self {
        Self::default().with_text(app, linked, id)
    }

    /// The different ids of this record under the key, as text and in order. More than one means that the key stands in several
    /// spellings that disagree: a link that nobody may follow by guessing.
    #[must_use]
    pub fn ids(&self, app: &AppKey, linked: Linked) -> Vec<String> {
        let under_key = self.0.iter().filter(|(key, _)| app.names(key, linked));
        let ids: BTreeSet<String> = under_key.filter_map(|(_, value)| id_text(value)).collect();
        ids.into_iter().collect()
    }

    /// Whether the record is linked to `id`, and to that alone.
    #[must_use]
    pub fn links_to(&self, app: &AppKey, linked: Linked, id: u64) -> bool {
        self.ids(app, linked) == [id.to_string()]
    }

    /// The same with this id as text, as REST calls carry it. Every spelling of the key is replaced, all other keys stay.
    #[must_use]
    pub fn with_text(self, app: &AppKey, linked: Linked, id: u64) -> Self {
        self.with(app, linked, Value::from(id.to_string()))
    }

    /// The same with this id as number, as the sync receiver is sent it (contract 4.4).
    #[must_use]
    pub fn with_number(self, app: &AppKey, linked: Linked, id: u64) -> Self {
        self.with(app, linked, Value::from(id))
    }

    fn with(mut self, app: &AppKey, linked: Linked, id: Value) -> Self {
        self.0.retain(|key, _| !app.names(key, linked));
        self.0.insert(app.0.clone(), id);
        self
    }

    /// The id of any other system as text, by its exact key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<String> {
        self.0.get(key).and_then(id_text)
    }

    /// All keys with their values as they came.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, Value)> for ExternalIds {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(entries: I) -> Self {
        Self(entries.into_iter().collect())
    }
}

/// Text or number; blanks, `null` and the rest name nothing.
fn id_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

impl<'de> Deserialize<'de> for ExternalIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Null => Ok(Self::default()),
            // An empty map, as languages write it that do not tell maps from lists.
            Value::Array(items) if items.is_empty() => Ok(Self::default()),
            Value::Object(entries) => Ok(entries.into_iter().collect()),
            _ => Err(D::Error::custom("external_ids is not a map")),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(value: Value) -> ExternalIds {
        serde_json::from_value(value).unwrap()
    }

    fn ids(value: Value, linked: Linked) -> Vec<String> {
        read(value).ids(&AppKey::default(), linked)
    }

    #[test]
    fn keys_have_no_case_and_two_styles() {
        for key in ["bitfactura", "BitFactura", "BITFACTURA_client_id", "bitfactura_Client_ID"] {
            assert_eq!(ids(json!({key: "17"}), Linked::Client), ["17"], "{key}");
        }
        assert_eq!(ids(json!({"bitfactura_invoice_id": 21}), Linked::Invoice), ["21"]);
        for key in ["bitfactura_invoice_id", "bitfactura2", "xbitfactura", "bitfactura_", "myapp"] {
            assert!(ids(json!({key: "17"}), Linked::Client).is_empty(), "{key}");
        }
    }

    #[test]
    fn ids_are_compared_as_text() {
        assert_eq!(ids(json!({"bitfactura": 17, "BitFactura": " 17 "}), Linked::Client), ["17"]);
        assert_eq!(ids(json!({"bitfactura": 17, "BitFactura": "18"}), Linked::Client), ["17", "18"]);
        assert_eq!(ids(json!({"bitfactura": "017"}), Linked::Client), ["017"]);
        for empty in [json!(null), json!(""), json!(" "), json!({}), json!(true)] {
            assert!(ids(json!({"bitfactura": empty}), Linked::Client).is_empty());
        }
    }

    #[test]
    fn writing_keeps_the_other_keys_and_leaves_one_spelling() {
        let app = AppKey::default();
        let before = json!({"shop": {"a": [1]}, "BITFACTURA": 1, "bitfactura_client_id": "2", "old": null,
            "bitfactura_invoice_id": 9});
        let text = serde_json::to_value(read(before.clone()).with_text(&app, Linked::Client, 7)).unwrap();
        assert_eq!(
            text,
            json!({"shop": {"a": [1]}, "bitfactura": "7", "old": null, "bitfactura_invoice_id": 9})
        );
        let number = read(before).with_number(&app, Linked::Client, 7);
        assert_eq!(serde_json::to_value(&number).unwrap()["bitfactura"], json!(7));
        assert!(number.links_to(&app, Linked::Client, 7) && !number.links_to(&app, Linked::Client, 8));
    }

    #[test]
    fn keys_of_another_app_can_be_chosen() {
        let app: AppKey = "myapp".parse().unwrap();
        let ids = read(json!({"myapp_client_id": "17"}));
        assert_eq!(ids.ids(&app, Linked::Client), ["17"]);
        for bad in ["", " ", " a", "a\n"] {
            assert!(bad.parse::<AppKey>().is_err());
        }
    }

    proptest! {
        #[test]
        fn an_id_that_was_written_is_read_and_the_rest_is_unchanged(
            id in 1_u64..,
            others in prop::collection::btree_map("[a-zA-Z_]{0,20}", any::<u32>(), 0..5),
        ) {
            let app = AppKey::default();
            let before: ExternalIds = others.iter().map(|(key, id)| (key.clone(), Value::from(*id))).collect();
            let after = before.with_text(&app, Linked::Client, id);
            prop_assert!(after.links_to(&app, Linked::Client, id));
            for (key, id) in others.iter().filter(|(key, _)| !key.to_lowercase().starts_with("bitfactura")) {
                prop_assert_eq!(after.get(key), Some(id.to_string()));
            }
        }
    }
}
