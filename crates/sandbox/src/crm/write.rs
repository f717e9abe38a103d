//! Records and lists as JSON text, written without building a tree: pages of many fields stay cheap.

use serde_json::Value;

use super::rows::Row;
use super::{ListShape, RecordShape, Wire};

/// One record. `known` fields without a value are `null` (or left out), `more` replaces stored ones.
pub(crate) fn record(row: &Row, known: &[&str], more: &[(&str, Value)], wire: &Wire) -> String {
    selected(row, known, more, wire, |_| true)
}

/// The same with only those fields that are `wanted`; the id always is.
pub(crate) fn selected(
    row: &Row,
    known: &[&str],
    more: &[(&str, Value)],
    wire: &Wire,
    wanted: impl Fn(&str) -> bool,
) -> String {
    let mut out = Object::new(wire);
    out.put("id", &Value::from(row.id));
    let time = |moment: crate::clock::Moment| {
        Value::String(moment.zoned(wire.time_offset_hours, wire.time_fraction_digits))
    };
    for (name, moment) in [("created_at", row.created), ("updated_at", row.changed)] {
        if wanted(name) {
            out.put(name, &time(moment));
        }
    }
    let replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
    let own = ["id", "created_at", "updated_at"];
    for (name, value) in more.iter().filter(|(name, _)| wanted(name)) {
        out.put(name, value);
    }
    for (name, value) in row.fields.iter().filter(|(name, _)| wanted(name) && !replaced(name)) {
        out.put(name, value);
    }
    for name in known.iter().filter(|name| wanted(name) && !replaced(name) && !own.contains(name)) {
        if !row.fields.contains_key(*name) {
            out.put(name, &Value::Null);
        }
    }
    out.end()
}

/// One record in the form that records have.
pub(crate) fn wrapped(record: String, name: &str, wire: &Wire) -> String {
    match wire.record_shape {
        RecordShape::Bare => record,
        RecordShape::Wrapped => format!("{{\"{name}\":{record}}}"),
    }
}

/// Records in the form that lists have.
pub(crate) fn list(records: &[String], plural: &str, wire: &Wire) -> String {
    let array = format!("[{}]", records.join(","));
    match wire.list_shape {
        ListShape::NullWhenEmpty if records.is_empty() => "null".into(),
        ListShape::Bare | ListShape::NullWhenEmpty => array,
        ListShape::Data => format!("{{\"data\":{array}}}"),
        ListShape::Results => format!("{{\"results\":{array}}}"),
        ListShape::Plural => format!("{{\"{plural}\":{array}}}"),
    }
}

struct Object<'a> {
    out: String,
    wire: &'a Wire,
}

impl<'a> Object<'a> {
    fn new(wire: &'a Wire) -> Self {
        Self { out: String::from("{"), wire }
    }

    fn put(&mut self, name: &str, value: &Value) {
        if value.is_null() && self.wire.omits_nulls {
            return;
        }
        if self.out.len() > 1 {
            self.out.push(',');
        }
        self.out.push_str(&Value::from(name).to_string());
        self.out.push(':');
        let scalar = value.is_boolean() || value.is_u64() || value.is_i64();
        if scalar && self.wire.scalars_as_text {
            self.out.push_str(&format!("\"{value}\""));
        } else {
            self.out.push_str(&value.to_string());
        }
    }

    fn end(mut self) -> String {
        self.out.push('}');
        self.out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::clock::Moment;

    #[test]
    fn fields_come_once_and_unknown_values_as_null() {
        let moment = Moment::from_epoch(1_736_902_805);
        let fields = json!({ "name": "A \"b\"", "token": "t" }).as_object().unwrap().clone();
        let row = Row { id: 7, fields, created: moment, changed: moment, marked: false };
        let mut wire = Wire { time_fraction_digits: 0, ..Wire::default() };
        let text = record(&row, &["id", "name", "fax"], &[("token", json!("x"))], &wire);
        assert_eq!(
            text,
            r#"{"id":7,"created_at":"2025-01-15T02:00:05+01:00","updated_at":"2025-01-15T02:00:05+01:00","token":"x","name":"A \"b\"","fax":null}"#
        );
        (wire.omits_nulls, wire.scalars_as_text) = (true, true);
        let text = selected(&row, &["fax"], &[], &wire, |name| name == "name" || name == "fax");
        assert_eq!(text, r#"{"id":"7","name":"A \"b\""}"#);
        wire.list_shape = ListShape::Plural;
        assert_eq!(list(&["1".into(), "2".into()], "clients", &wire), r#"{"clients":[1,2]}"#);
    }
}
