//! Canonical JSON, so that two programs hash the same bytes (contract X5): UTF-8, keys sorted by code point, no blanks, only needed
//! escapes, integers only.

use serde::Serialize;
use serde_json::{Map, Number, Value};

/// A value that has no canonical form: it holds a fraction, or cannot be written as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no canonical JSON: a number that is no integer, or a value that JSON cannot write")]
pub struct NotCanonical;

/// The canonical JSON of a value.
///
/// ```
/// use apiges_sync::web::canonical;
///
/// let value = serde_json::json!({"b": [1, "ñ\n"], "a": null});
/// assert_eq!(canonical(&value)?, r#"{"a":null,"b":[1,"ñ\n"]}"#);
/// assert!(canonical(&serde_json::json!(1.0)).is_err());
/// # Ok::<(), apiges_sync::web::NotCanonical>(())
/// ```
///
/// # Errors
/// [`NotCanonical`] if it holds a number that is no integer or has a key that is no text.
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<String, NotCanonical> {
    let mut text = String::new();
    write(&serde_json::to_value(value).map_err(|_| NotCanonical)?, &mut text)?;
    Ok(text)
}

fn write(value: &Value, text: &mut String) -> Result<(), NotCanonical> {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(true) => text.push_str("true"),
        Value::Bool(false) => text.push_str("false"),
        Value::Number(number) => write_integer(number, text)?,
        Value::String(string) => write_string(string, text),
        Value::Array(elements) => write_array(elements, text)?,
        Value::Object(members) => write_object(members, text)?,
    }
    Ok(())
}

fn write_integer(number: &Number, text: &mut String) -> Result<(), NotCanonical> {
    if number.is_f64() {
        return Err(NotCanonical);
    }
    text.push_str(&number.to_string());
    Ok(())
}

fn write_array(elements: &[Value], text: &mut String) -> Result<(), NotCanonical> {
    text.push('[');
    for (index, element) in elements.iter().enumerate() {
        separate(index, text);
        write(element, text)?;
    }
    text.push(']');
    Ok(())
}

fn write_object(members: &Map<String, Value>, text: &mut String) -> Result<(), NotCanonical> {
    // Sorted here and not by the map: another crate of the program may ask serde_json to keep the order of insertion.
    let mut sorted: Vec<_> = members.iter().collect();
    sorted.sort_unstable_by_key(|(key, _)| *key);
    text.push('{');
    for (index, (key, value)) in sorted.into_iter().enumerate() {
        separate(index, text);
        write_string(key, text);
        text.push(':');
        write(value, text)?;
    }
    text.push('}');
    Ok(())
}

fn separate(index: usize, text: &mut String) {
    if index > 0 {
        text.push(',');
    }
}

fn write_string(string: &str, text: &mut String) {
    text.push('"');
    for c in string.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            c if c < ' ' => text.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn sorts_by_code_point_and_escapes_only_what_it_must() {
        let value = json!({"é": 1, "z": -2, "Z": u64::MAX, "a/b": "\u{1}\u{7f}é\u{2028}/\"\\"});
        let expected =
            "{\"Z\":18446744073709551615,\"a/b\":\"\\u0001\u{7f}é\u{2028}/\\\"\\\\\",\"z\":-2,\"é\":1}";
        assert_eq!(canonical(&value).unwrap(), expected);
        assert_eq!(canonical(&json!([{}, [], true, false, null])).unwrap(), "[{},[],true,false,null]");
    }

    #[test]
    fn fractions_have_no_form() {
        for bad in [json!(1.5), json!({"a": [1e3]}), json!(-0.0)] {
            assert_eq!(canonical(&bad), Err(NotCanonical), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn texts_survive(text in any::<String>()) {
            let written = canonical(&text).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
