//! Refusals in an answer (contract 3.7 and 3.9), found by pure functions over its JSON.
//!
//! The rules enforced here: an object without an `id` that says `error` is a refusal although the status is 200; an object with
//! an `id` is a record whatever its `status` or `code` says (traps 5 and 6); what services repeat of a token or a password is
//! removed before anybody sees it (trap 7).

mod redact;

use serde_json::{Map, Value};

pub use redact::{redact, redacted_excerpt};

/// How many fields, and how many texts of each, a refusal keeps: an answer may repeat one without end.
const MOST: usize = 100;

/// What a refusal says about one field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldError {
    /// The field in wire names, nested ones as `positions[0].name`.
    pub field: String,
    /// What is wrong with it, without the leading `- `.
    pub messages: Vec<String>,
}

/// A refusal as the service worded it, redacted.
///
/// ```
/// use serde_json::json;
/// use sugester::refusal::Refusal;
///
/// let said = json!({"code": "error", "message": {"oid": ["- has already been taken"]}});
/// let refusal = Refusal::in_success(&said).unwrap();
/// assert_eq!(refusal.fields()[0].messages, ["has already been taken"]);
/// assert_eq!(refusal.to_string(), "oid: has already been taken");
/// // An invoice has a status too:
/// assert!(Refusal::in_success(&json!({"id": 7, "status": "error"})).is_none());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refusal {
    code: Option<String>,
    messages: Vec<String>,
    fields: Vec<FieldError>,
}

impl Refusal {
    /// The refusal inside an answer with a 2xx status, if it is one: an object **without `id`** whose `code` or `status` is
    /// exactly `error`, or whose `error` or `errors` says something.
    #[must_use]
    pub fn in_success(answer: &Value) -> Option<Self> {
        let fields = answer.as_object()?;
        let has_id = fields.get("id").is_some_and(|id| !id.is_null());
        let says_error =
            ["code", "status"].iter().any(|key| fields.get(*key).is_some_and(|said| said == "error"))
                || ["error", "errors"].iter().any(|key| fields.get(*key).is_some_and(says_something));
        (says_error && !has_id).then(|| Self::read(answer))
    }

    /// What the JSON of a refusal says, for an answer that is known to be one by its status. Whatever its shape, this succeeds;
    /// it may find nothing.
    #[must_use]
    pub fn read(answer: &Value) -> Self {
        let mut refusal = Self::default();
        match answer {
            Value::Object(fields) => refusal.read_object(fields),
            other => refusal.collect("", other),
        }
        refusal
    }

    fn read_object(&mut self, fields: &Map<String, Value>) {
        self.code =
            ["code", "status"].iter().find_map(|key| word(fields.get(*key)?)).map(|code| redact(&code));
        for key in ["message", "error", "errors"] {
            if let Some(said) = fields.get(key) {
                self.collect("", said);
            }
        }
    }

    /// Texts below `path`, however deep they are nested.
    fn collect(&mut self, path: &str, said: &Value) {
        match said {
            Value::Object(fields) => {
                fields.iter().for_each(|(key, said)| self.collect(&joined(path, key), said));
            }
            Value::Array(items) => self.collect_items(path, items),
            scalar => self.push(path, word(scalar)),
        }
    }

    /// A list of texts belongs to its field; objects in it are told apart by their place.
    fn collect_items(&mut self, path: &str, items: &[Value]) {
        for (place, item) in items.iter().enumerate() {
            match item {
                Value::Object(_) if !path.is_empty() => self.collect(&format!("{path}[{place}]"), item),
                _ => self.collect(path, item),
            }
        }
    }

    fn push(&mut self, path: &str, text: Option<String>) {
        let Some(text) = text.map(|text| redact(text.trim_start_matches("- ").trim())) else { return };
        if path.is_empty() {
            return keep(&mut self.messages, text);
        }
        let is_full = self.fields.len() >= MOST;
        // Whatever was sent may be repeated as a name too.
        let field = redact(path);
        match self.fields.iter_mut().find(|error| error.field == field) {
            Some(error) => keep(&mut error.messages, text),
            None if is_full => {}
            None => self.fields.push(FieldError { field, messages: vec![text] }),
        }
    }

    /// The service's word for it: `code`, else `status`.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What it says about no field in particular.
    #[must_use]
    pub fn messages(&self) -> &[String] {
        &self.messages
    }

    /// What it says field by field.
    #[must_use]
    pub fn fields(&self) -> &[FieldError] {
        &self.fields
    }

    /// Whether it names this field, in a key or in a text, in any case: services begin their sentences with a capital. Any refusal with status 422 that names `oid` is taken for a used `oid`
    /// until the look-up has shown it (contract 4.9).
    #[must_use]
    pub fn names(&self, field: &str) -> bool {
        let is_word = |text: &str| {
            text.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word.eq_ignore_ascii_case(field))
        };
        self.fields
            .iter()
            .any(|error| is_word(&error.field) || error.messages.iter().any(|text| is_word(text)))
            || self.messages.iter().any(|text| is_word(text))
    }

    /// Whether it is the refusal to switch between both systems, see [`check_multipass`](crate::check_multipass).
    #[must_use]
    pub fn is_multipass_failure(&self) -> bool {
        is_multipass_failure(&self.to_string())
    }
}

/// One line: general texts, then field by field.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let by_field =
            self.fields.iter().map(|error| format!("{}: {}", error.field, error.messages.join(", ")));
        let all: Vec<String> = self.messages.iter().cloned().chain(by_field).collect();
        f.write_str(&all.join("; "))
    }
}

/// Whether a text of any answer tells that switching between the systems failed (contract 3.7): mostly because the logins differ.
///
/// ```
/// assert!(sugester::refusal::is_multipass_failure("<h1>MULTIPASS login failed</h1>"));
/// ```
#[must_use]
pub fn is_multipass_failure(text: &str) -> bool {
    text.to_ascii_lowercase().contains("multipass login failed")
}

fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn keep(texts: &mut Vec<String>, text: String) {
    if texts.len() < MOST && !texts.contains(&text) {
        texts.push(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn fields(refusal: &Refusal) -> Vec<(String, Vec<String>)> {
        refusal.fields().iter().map(|error| (error.field.clone(), error.messages.clone())).collect()
    }

    #[test]
    fn errors_inside_success_are_found() {
        for answer in [
            json!({"code": "error", "message": "no"}),
            json!({"status": "error", "message": "no"}),
            json!({"error": "no"}),
            json!({"errors": {"name": ["no"]}}),
            json!({"errors": ["no"]}),
            json!({"id": null, "code": "error"}),
            json!({"error": true}),
        ] {
            assert!(Refusal::in_success(&answer).is_some(), "{answer}");
        }
    }

    #[test]
    fn records_and_successes_are_no_errors() {
        for answer in [
            json!({"id": 1, "status": "error"}),
            json!({"id": "1", "code": "error", "errors": ["x"]}),
            json!({"code": "success", "message": "sent"}),
            json!({"status": "issued"}),
            json!({"code": "Error"}),
            json!({"error": "", "errors": []}),
            json!({"error": null, "errors": {}}),
            json!({"error": false}),
            json!([{"code": "error"}]),
            json!("ok"),
            json!("error"),
            json!(null),
        ] {
            assert!(Refusal::in_success(&answer).is_none(), "{answer}");
        }
    }

    #[test]
    fn messages_of_every_shape_are_flattened() {
        let said = json!({"code": "error", "message": {
            "name": ["- can't be blank", "- is too short"],
            "tax_no": "- is invalid",
            "positions": [{"name": ["- x"]}, {"name": ["- y"]}],
            "buyer": {"email": ["z"]},
        }});
        let refusal = Refusal::read(&said);
        assert_eq!(refusal.code(), Some("error"));
        let one = |field: &str, text: &str| (field.to_owned(), vec![text.to_owned()]);
        let expected = vec![
            one("buyer.email", "z"),
            ("name".to_owned(), vec!["can't be blank".to_owned(), "is too short".to_owned()]),
            one("positions[0].name", "x"),
            one("positions[1].name", "y"),
            one("tax_no", "is invalid"),
        ];
        assert_eq!(fields(&refusal), expected);
    }

    #[test]
    fn texts_and_lists_may_stand_under_three_names() {
        let texts = |answer| Refusal::read(&answer).messages().to_vec();
        assert_eq!(texts(json!({"message": "Not found"})), ["Not found"]);
        assert_eq!(texts(json!({"error": ["- a", "b", "a"]})), ["a", "b"]);
        assert_eq!(texts(json!({"errors": [["a"], 5, null]})), ["a", "5"]);
        assert_eq!(texts(json!("just text")), ["just text"]);
        assert!(texts(json!({"message": {}})).is_empty());
    }

    #[test]
    fn an_endless_refusal_is_shortened() {
        let texts: Vec<String> = (0..10_000).map(|n| format!("{n}")).collect();
        let by_field: Map<String, Value> = texts.iter().map(|n| (n.clone(), json!(["x"]))).collect();
        let refusal = Refusal::read(&json!({"error": texts, "errors": by_field}));
        assert_eq!((refusal.messages().len(), refusal.fields().len()), (100, 100));
    }

    #[test]
    fn a_used_oid_is_named_by_key_or_text() {
        let names = |answer| Refusal::read(&answer).names("oid");
        assert!(names(json!({"message": {"oid": ["x"]}})));
        assert!(names(json!({"message": "oid: has been taken"})));
        assert!(names(json!({"message": {"base": ["the oid 7 exists"]}})));
        assert!(names(json!({"message": ["- Oid has already been taken"]})));
        assert!(names(json!({"message": {"invoice.oid": ["has already been taken"]}})));
        assert!(!names(json!({"message": "avoid paranoid voids"})));
    }

    #[test]
    fn the_multipass_failure_is_known_in_any_case() {
        assert!(Refusal::read(&json!({"error": "Multipass Login FAILED for x"})).is_multipass_failure());
        assert!(!Refusal::read(&json!({"error": "login failed"})).is_multipass_failure());
    }

    #[test]
    fn a_repeated_token_is_gone() {
        let refusal = Refusal::read(&json!({
            "code": "see ?api_token=PLANTED",
            "message": {"base": ["GET /clients.json?api_token=PLANTED%2Facme&page=1"]},
            "error": "password: PLANTED",
            "errors": {"?api_token=PLANTED%252Facme": ["x"]},
        }));
        assert!(!format!("{refusal:?} {refusal}").contains("PLANTED"));
        assert!(refusal.to_string().contains("page=1"));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "(error|[a-z -]{0,9})".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            let key = "(id|code|status|error|errors|message|[a-z]{1,4})";
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(key, inner, 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_has_an_id_is_a_record(answer in any_json(), id in 1_u64..) {
            let _ = Refusal::in_success(&answer);
            if let Value::Object(mut fields) = answer {
                fields.insert("id".to_owned(), id.into());
                prop_assert_eq!(Refusal::in_success(&Value::Object(fields)), None);
            }
        }
    }
}
