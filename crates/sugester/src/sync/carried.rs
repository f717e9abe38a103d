//! The carried fields of a client, their normal form and its digest (contract 4.3).
//!
//! Normal form: trimmed text, `null` and absent are the empty text, decimals without trailing zeros, e-mails in lower case, yes and
//! no as `true` and `false`, kind `both` as `buyer`.

use std::collections::BTreeMap;
use std::fmt;

use integration_core::body::fields::Token;
use ring::digest::{SHA256, digest};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::mapping::{FieldRule, Form, Mapping, Side};
use crate::value::{Scalar, Unreadable};

/// The carried fields of one client as one side has them, by their name in BitFactura.
///
/// ```
/// use serde_json::json;
/// use sugester::sync::{CarriedClient, Mapping, Side};
///
/// let mapping = Mapping::default();
/// let read = |side, record| CarriedClient::read(&mapping, side, &record);
/// let here = read(Side::BitFactura, json!({"id": 1, "name": "Acme ", "email": "A@x.cl", "discount": "5.00"}))?;
/// let there = read(Side::Sugester, json!({"id": 9, "name": "Acme", "email": "a@x.cl", "discount": 5, "fax": null}))?;
/// assert_eq!(here.normalised(), there.normalised());
/// assert_eq!(here.digest(), there.digest());
/// # Ok::<(), sugester::value::Unreadable>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CarriedClient(BTreeMap<String, Carried>);

/// A value as it came, with its form.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Carried {
    form: Form,
    text: String,
}

impl CarriedClient {
    /// The carried fields of a record; absent ones are empty.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], if the record is no object, or a carried field is a list or an object.
    pub fn read(mapping: &Mapping, side: Side, record: &Value) -> Result<Self, Unreadable> {
        let record = record.as_object().ok_or_else(|| Unreadable::new("record", "an object"))?;
        Self::of(mapping, side, record)
    }

    /// The carried fields of a record's fields.
    ///
    /// # Errors
    ///
    /// [`Unreadable`], if a carried field is a list or an object.
    pub fn of(mapping: &Mapping, side: Side, record: &Map<String, Value>) -> Result<Self, Unreadable> {
        mapping.fields().iter().map(|rule| read_field(rule, side, record)).collect::<Result<_, _>>().map(Self)
    }

    /// The value of a field as it came, without blanks around it; `None` if it is empty.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&str> {
        self.0.get(field).map(|value| value.text.trim()).filter(|text| !text.is_empty())
    }

    /// A field in normal form; the empty text if there is none.
    #[must_use]
    pub fn normal(&self, field: &str) -> String {
        self.0.get(field).map(|value| normal(value.form, &value.text)).unwrap_or_default()
    }

    /// Sets a field, or empties it.
    pub fn set(&mut self, rule: &FieldRule, text: Option<&str>) {
        let text = text.unwrap_or_default().to_owned();
        self.0.insert(rule.bitfactura().to_owned(), Carried { form: rule.form(), text });
    }

    /// What is compared.
    #[must_use]
    pub fn normalised(&self) -> Normalised {
        let normal = |(field, value): (&String, &Carried)| (field.clone(), normal(value.form, &value.text));
        Normalised(self.0.iter().map(normal).filter(|(_, text)| !text.is_empty()).collect())
    }

    /// The digest of what is compared: an event or a read with the digest of the last write is its echo.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.normalised().digest()
    }
}

fn read_field(
    rule: &FieldRule,
    side: Side,
    record: &Map<String, Value>,
) -> Result<(String, Carried), Unreadable> {
    let name = rule.name_in(side);
    let scalar = record.get(name).map_or(Scalar::Null, Token::scalar);
    if scalar == Scalar::Compound {
        return Err(Unreadable::new(name, "a text, a number or yes and no"));
    }
    let text = scalar.text().unwrap_or_default();
    Ok((rule.bitfactura().to_owned(), Carried { form: rule.form(), text }))
}

/// The normal form of a value.
pub(super) fn normal(form: Form, text: &str) -> String {
    let text = text.trim();
    let scalar = Scalar::Text(text.into());
    let formed = match form {
        Form::Text => None,
        Form::Email => Some(text.to_lowercase()),
        Form::Decimal => scalar.decimal().map(|value| value.normalize().to_string()),
        Form::YesNo => scalar.boolean().map(|truth| truth.to_string()),
        Form::ClientKind => (text == "both").then(|| "buyer".to_owned()),
    };
    formed.unwrap_or_else(|| text.to_owned())
}

/// A value as it is sent: decimals as text with a point, yes and no as JSON knows them, nothing as `null`.
pub(super) fn sent(form: Form, text: &str) -> Value {
    let text = text.trim();
    let scalar = Scalar::Text(text.into());
    match form {
        _ if text.is_empty() => Value::Null,
        Form::Decimal => {
            scalar.decimal().map(|value| value.to_string()).unwrap_or_else(|| text.to_owned()).into()
        }
        Form::YesNo => scalar.boolean().map_or_else(|| text.into(), Value::from),
        Form::ClientKind => normal(form, text).into(),
        Form::Text | Form::Email => text.into(),
    }
}

/// The fields that hold something, each in normal form, by their name in BitFactura.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Normalised(BTreeMap<String, String>);

impl Normalised {
    /// A field; the empty text if there is none.
    #[must_use]
    pub fn get(&self, field: &str) -> &str {
        self.0.get(field).map(String::as_str).unwrap_or_default()
    }

    /// Field by field, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(field, text)| (field.as_str(), text.as_str()))
    }

    /// SHA-256 of the bytes of [`Normalised::to_bytes`].
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest(digest(&SHA256, &self.to_bytes()).as_ref().try_into().unwrap_or([0; 32]))
    }

    /// The byte form that is digested, version 1: the line `sugester-carried/1`, then for each field that holds something, in the
    /// order of the bytes of their names, `length(name):name,length(value):value` and a line feed, lengths in bytes and in decimal,
    /// texts in UTF-8. Another form gets another number in the first line.
    ///
    /// ```
    /// use serde_json::json;
    /// use sugester::sync::{CarriedClient, Mapping, Side};
    ///
    /// let record = json!({"name": "Añil", "city": " "});
    /// let client = CarriedClient::read(&Mapping::default(), Side::BitFactura, &record)?;
    /// assert_eq!(client.normalised().to_bytes(), "sugester-carried/1\n4:name,5:Añil\n".as_bytes());
    /// # Ok::<(), sugester::value::Unreadable>(())
    /// ```
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let line = |(field, text): (&str, &str)| format!("{}:{field},{}:{text}\n", field.len(), text.len());
        std::iter::once("sugester-carried/1\n".to_owned())
            .chain(self.iter().map(line))
            .collect::<String>()
            .into_bytes()
    }
}

/// SHA-256 over carried fields in normal form; printed and stored as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl std::str::FromStr for Digest {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let wrong = || Unreadable::new("digest", "64 hexadecimal digits");
        let digits: Vec<u8> = text
            .chars()
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let bytes: Vec<u8> =
            digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, d| (sum << 4) | d)).collect();
        let whole = bytes.try_into().ok().filter(|_| digits.len() == 64);
        whole.map(Self).ok_or_else(wrong)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(record: &Value) -> CarriedClient {
        CarriedClient::read(&Mapping::default(), Side::BitFactura, record).unwrap()
    }

    #[test]
    fn the_normal_form_is_that_of_the_contract() {
        for (form, text, expected) in [
            (Form::Text, " a b\n", "a b"),
            (Form::Text, "5.00", "5.00"),
            (Form::Email, " Ana@X.CL,B@x.cl ", "ana@x.cl,b@x.cl"),
            (Form::Decimal, "5.00", "5"),
            (Form::Decimal, "5,50", "5.5"),
            (Form::Decimal, "0.000", "0"),
            (Form::Decimal, "100", "100"),
            (Form::Decimal, " ten ", "ten"),
            (Form::YesNo, "1", "true"),
            (Form::YesNo, "No", "false"),
            (Form::YesNo, "perhaps", "perhaps"),
            (Form::ClientKind, "both", "buyer"),
            (Form::ClientKind, "seller", "seller"),
        ] {
            assert_eq!(normal(form, text), expected, "{form:?} {text:?}");
        }
    }

    #[test]
    fn only_carried_fields_count_and_nothing_is_the_empty_text() {
        let bare = read(&json!({"name": "a"}));
        let full = read(
            &json!({"id": 1, "name": " a", "city": "", "fax": null, "updated_at": "x", "shortcut": "s"}),
        );
        assert_eq!(bare.digest(), full.digest());
        assert_ne!(bare.digest(), read(&json!({"name": "b"})).digest());
        assert_ne!(bare.digest(), read(&json!({"city": "a"})).digest());
    }

    /// SHA-256 of the bytes `sugester-carried/1\n4:name,4:Acme\n`, by another program.
    #[test]
    fn the_digest_is_stable() {
        assert_eq!(
            read(&json!({"name": "Acme"})).digest().to_string(),
            "4d58c8c5c1adb088ffd0c679a68135413120b31220360aee24d11511429ffda7"
        );
    }

    #[test]
    fn no_text_of_one_field_looks_like_two_fields() {
        let one = read(&json!({"city": "x\n4:name,1:y"})).normalised();
        let two = read(&json!({"city": "x", "name": "y"})).normalised();
        assert_ne!(one.to_bytes(), two.to_bytes());
        assert_eq!(one.to_bytes(), b"sugester-carried/1\n4:city,12:x\n4:name,1:y\n");
    }

    #[test]
    fn values_are_sent_as_the_services_read_them() {
        assert_eq!(sent(Form::Decimal, "5,50"), json!("5.50"));
        assert_eq!(sent(Form::YesNo, "0"), json!(false));
        assert_eq!(sent(Form::ClientKind, "both"), json!("buyer"));
        assert_eq!(sent(Form::Email, " A@x.cl"), json!("A@x.cl"));
        assert_eq!(sent(Form::Text, " "), Value::Null);
    }

    #[test]
    fn a_nested_value_is_an_error_that_names_its_field() {
        let error =
            CarriedClient::read(&Mapping::default(), Side::Sugester, &json!({"note": []})).unwrap_err();
        assert_eq!(error.field, "note");
        assert!(CarriedClient::read(&Mapping::default(), Side::Sugester, &Value::Null).is_err());
    }

    #[test]
    fn digests_are_read_back() {
        let digest = read(&json!({})).digest();
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for bad in ["", "ab", &"g".repeat(64), &"0".repeat(63), &"0".repeat(65)] {
            assert!(bad.parse::<Digest>().is_err());
        }
    }

    fn any_form() -> impl Strategy<Value = Form> {
        prop::sample::select(vec![Form::Text, Form::Email, Form::Decimal, Form::YesNo, Form::ClientKind])
    }

    fn any_record() -> impl Strategy<Value = Value> {
        let value = prop_oneof![
            "[a-c A-C,.0-9]{0,4}".prop_map(Value::from),
            Just(Value::Null),
            any::<bool>().prop_map(Value::from)
        ];
        let key = "(name|email|discount|company|kind|city|id)";
        prop::collection::btree_map(key, value, 0..7)
            .prop_map(|entries| Value::Object(entries.into_iter().collect()))
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(form in any_form(), text in any::<String>()) {
            let once = normal(form, &text);
            prop_assert_eq!(normal(form, &once), once);
        }

        #[test]
        fn what_is_sent_means_what_was_read(form in any_form(), text in "[ a-zA-Z0-9,.-]{0,12}") {
            let back = sent(form, &text).scalar().text().unwrap_or_default();
            prop_assert_eq!(normal(form, &back), normal(form, &text));
        }

        #[test]
        fn digests_are_equal_exactly_where_normal_forms_are(left in any_record(), right in any_record()) {
            let (left, right) = (read(&left), read(&right));
            prop_assert_eq!(left.digest() == right.digest(), left.normalised() == right.normalised());
            prop_assert_eq!(left.normalised().to_bytes() == right.normalised().to_bytes(), left.normalised() == right.normalised());
        }
    }
}
