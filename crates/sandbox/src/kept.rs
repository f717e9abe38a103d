//! The state of the simulators as one JSON value that can be put back, in this sandbox or in another one.
//!
//! What is kept is what answers depend on: records, sessions, numbers, settings, planned faults, the clock. What only
//! tests count (requests, connections) is not, nor is what is under way: letters, held answers.

use std::collections::BTreeMap;
use std::hash::Hash;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Value, json};

/// Puts a state that was read in the place of the present one.
pub(crate) type Placing<'a> = Box<dyn FnOnce() + Send + 'a>;

/// A service whose state can be taken out and put back.
pub(crate) trait Kept: Sync {
    /// The state; an error names what has no form in JSON.
    fn export(&self) -> Result<Value, String>;

    /// Reads a state. Nothing changes before the returned work is done, which cannot fail.
    fn import(&self, state: Value) -> Result<Placing<'_>, String>;
}

/// What the file says of itself.
const FORMAT: &str = "integration-sandbox state";
const VERSION: u64 = 1;

/// All states in one value.
pub(crate) fn export(services: &[(&'static str, &dyn Kept)]) -> Result<Value, String> {
    let mut states = serde_json::Map::new();
    for (name, service) in services {
        let state = service.export().map_err(|what| format!("{name}: {what}"))?;
        states.insert((*name).to_owned(), state);
    }
    Ok(json!({ "format": FORMAT, "version": VERSION, "services": states }))
}

/// Puts all states back, or none: everything is read before anything is changed.
pub(crate) fn import(services: &[(&'static str, &dyn Kept)], mut file: Value) -> Result<(), String> {
    if file.get("format") != Some(&json!(FORMAT)) || file.get("version") != Some(&json!(VERSION)) {
        return Err(format!("not a state of the sandbox: format \"{FORMAT}\", version {VERSION} are needed"));
    }
    let mut placings = Vec::new();
    for (name, service) in services {
        let state = file.pointer_mut(&format!("/services/{name}")).map(Value::take);
        let state = state.ok_or_else(|| format!("services.{name} is missing"))?;
        placings.push(service.import(state).map_err(|what| format!("services.{name}.{what}"))?);
    }
    placings.into_iter().for_each(|place| place());
    Ok(())
}

/// One part of a state.
pub(crate) fn part(value: &impl Serialize) -> Result<Value, String> {
    serde_json::to_value(value).map_err(|error| error.to_string())
}

/// Reads one part of a state.
pub(crate) fn take<T: DeserializeOwned>(state: &mut Value, name: &str) -> Result<T, String> {
    let part = state.get_mut(name).map(Value::take).ok_or_else(|| format!("{name} is missing"))?;
    serde_json::from_value(part).map_err(|error| format!("{name}: {error}"))
}

/// Maps whose keys are no texts, as lists of pairs.
pub(crate) mod pairs {
    use super::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<'a, M, K, V, S>(map: &'a M, out: S) -> Result<S::Ok, S::Error>
    where
        &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        K: Serialize + 'a,
        V: Serialize + 'a,
        S: Serializer,
    {
        out.collect_seq(map)
    }

    pub(crate) fn deserialize<'de, M, K, V, D>(input: D) -> Result<M, D::Error>
    where
        M: IntoIterator<Item = (K, V)> + FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(input)?.into_iter().collect())
    }
}

/// Bytes in base64, also inside lists and maps.
pub(crate) mod packed {
    use super::{Deserialize, Deserializer, Packed, Serialize, Serializer, Value};
    use serde::de::Error as _;

    pub(crate) fn serialize<T: Packed, S: Serializer>(value: &T, out: S) -> Result<S::Ok, S::Error> {
        value.pack().serialize(out)
    }

    pub(crate) fn deserialize<'de, T: Packed, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
        T::unpack(Value::deserialize(input)?).map_err(D::Error::custom)
    }
}

/// Something with bytes in it.
pub(crate) trait Packed: Sized {
    fn pack(&self) -> Value;
    fn unpack(value: Value) -> Result<Self, String>;
}

impl Packed for Bytes {
    fn pack(&self) -> Value {
        STANDARD.encode(self).into()
    }

    fn unpack(value: Value) -> Result<Self, String> {
        let text = value.as_str().ok_or("bytes in base64 are needed")?;
        Ok(STANDARD.decode(text).map_err(|error| error.to_string())?.into())
    }
}

impl<T: Packed> Packed for (String, T) {
    fn pack(&self) -> Value {
        json!([self.0, self.1.pack()])
    }

    fn unpack(value: Value) -> Result<Self, String> {
        let (name, packed) = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok((name, T::unpack(packed)?))
    }
}

impl<T: Packed> Packed for Vec<T> {
    fn pack(&self) -> Value {
        self.iter().map(T::pack).collect()
    }

    fn unpack(value: Value) -> Result<Self, String> {
        let Value::Array(items) = value else { return Err("a list is needed".to_owned()) };
        items.into_iter().map(T::unpack).collect()
    }
}

impl<K: Serialize + DeserializeOwned + Ord + Hash, T: Packed> Packed for BTreeMap<K, T> {
    fn pack(&self) -> Value {
        self.iter().map(|(key, value)| json!([key, value.pack()])).collect()
    }

    fn unpack(value: Value) -> Result<Self, String> {
        let pairs: Vec<(K, Value)> = serde_json::from_value(value).map_err(|error| error.to_string())?;
        pairs.into_iter().map(|(key, value)| Ok((key, T::unpack(value)?))).collect()
    }
}

/// Bytes that are text, as text: what the control API shows of them can be read back.
pub(crate) fn text_bytes<'de, D: Deserializer<'de>>(input: D) -> Result<Bytes, D::Error> {
    Ok(String::deserialize(input)?.into())
}

/// Days as `YYYY-MM-DD`.
pub(crate) mod day {
    use super::{Deserialize, Deserializer, Serialize, Serializer};
    use jiff::civil::Date;
    use serde::de::Error as _;

    pub(crate) fn serialize<S: Serializer>(day: &Option<Date>, out: S) -> Result<S::Ok, S::Error> {
        day.map(|day| day.to_string()).serialize(out)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<Date>, D::Error> {
        let text = Option::<String>::deserialize(input)?;
        text.map(|text| text.parse().map_err(D::Error::custom)).transpose()
    }
}

/// A text that is one of a type's own.
pub(crate) fn parsed<'de, T, D>(input: D) -> Result<T, D::Error>
where
    T: std::str::FromStr<Err: std::fmt::Display>,
    D: Deserializer<'de>,
{
    String::deserialize(input)?.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sample {
        #[serde(with = "pairs")]
        by_place: BTreeMap<(i64, String), u8>,
        #[serde(with = "packed")]
        files: BTreeMap<u64, Vec<(String, Bytes)>>,
        #[serde(with = "day")]
        day: Option<jiff::civil::Date>,
    }

    #[test]
    fn what_json_has_no_form_for_comes_back() {
        let sample = Sample {
            by_place: [((1, "a".to_owned()), 2), ((-1, String::new()), 3)].into(),
            files: [(7, vec![("x".to_owned(), Bytes::from_static(b"\xff\0"))])].into(),
            day: Some(jiff::civil::date(2026, 2, 28)),
        };
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample);
    }

    struct Number(std::sync::Mutex<u8>);

    impl Kept for Number {
        fn export(&self) -> Result<Value, String> {
            Ok(json!({ "number": *self.0.lock().unwrap() }))
        }

        fn import(&self, mut state: Value) -> Result<Placing<'_>, String> {
            let number = take(&mut state, "number")?;
            Ok(Box::new(move || *self.0.lock().unwrap() = number))
        }
    }

    #[test]
    fn a_file_that_is_wrong_anywhere_changes_nothing() {
        let (one, other) = (Number(1.into()), Number(2.into()));
        let services: [(&'static str, &dyn Kept); 2] = [("one", &one), ("other", &other)];
        let file = export(&services).unwrap();
        *one.0.lock().unwrap() = 9;
        let mut broken = file.clone();
        broken["services"]["other"]["number"] = json!("two");
        let error = import(&services, broken).unwrap_err();
        assert!(error.starts_with("services.other.number: "), "{error}");
        assert!(import(&services, json!({})).is_err());
        assert_eq!(*one.0.lock().unwrap(), 9);
        import(&services, file).unwrap();
        assert_eq!((*one.0.lock().unwrap(), *other.0.lock().unwrap()), (1, 2));
    }
}
