//! How a service puts what it says: every choice that the contract leaves to it (3.2 to 3.9), made from a seed.
//!
//! A choice is made anew for each name and key, so that one answer mixes forms; the same seed always makes the same choices. What was
//! chosen is noted, since a form that no seed ever chose was not tried.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use jiff::{Timestamp, tz};
use serde_json::{Map, Value, json};

/// Per choice: of how many, and which ones were made.
#[derive(Debug, Default)]
pub struct Spoken(Mutex<BTreeMap<&'static str, (usize, BTreeSet<usize>)>>);

impl Spoken {
    /// The choices that were never made.
    pub fn unspoken(&self) -> Vec<String> {
        let spoken = self.0.lock().unwrap();
        let missing = |(name, (of, made)): (&&'static str, &(usize, BTreeSet<usize>))| {
            (0..*of).filter(|at| !made.contains(at)).map(|at| format!("{name} {at}")).collect::<Vec<_>>()
        };
        spoken.iter().flat_map(missing).collect()
    }

    pub fn choices(&self) -> usize {
        self.0.lock().unwrap().values().map(|(of, _)| of).sum()
    }
}

/// FNV-1a with a finish, the same on every machine and for every compiler.
fn mixed(seed: u64, text: &str) -> u64 {
    let start = (0xcbf2_9ce4_8422_2325 ^ seed).wrapping_mul(0x0100_0000_01b3);
    let hash = text.bytes().fold(start, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 33)
}

#[derive(Debug)]
pub struct Tongue {
    seed: u64,
    spoken: Arc<Spoken>,
}

impl Tongue {
    pub fn new(seed: u64, spoken: &Arc<Spoken>) -> Self {
        Self { seed, spoken: spoken.clone() }
    }

    /// One of `of` ways to put `key`.
    pub fn pick_at(&self, what: &'static str, key: &str, of: usize) -> usize {
        let chosen = usize::try_from(mixed(self.seed, &format!("{what}\0{key}")) % of as u64).unwrap();
        let mut spoken = self.spoken.0.lock().unwrap();
        let (known, made) = spoken.entry(what).or_default();
        *known = of;
        made.insert(chosen);
        chosen
    }

    pub fn pick(&self, what: &'static str, of: usize) -> usize {
        self.pick_at(what, "", of)
    }

    /// 3.9, envelope. A code of success is no text where there is no data, since that would be a failure.
    pub fn wrap(&self, place: &str, data: Value) -> Value {
        let nothing = data.is_null();
        match self.pick_at("envelope", place, 8) {
            0 | 1 => data,
            2 => json!({"data": data, "code": null, "message": ""}),
            3 => json!({"data": data, "code": null}),
            4 => json!({"data": data, "message": null}),
            5 => json!({"data": data, "code": "", "message": "listo", "otra": {"data": 1}}),
            6 if !nothing => json!({"data": data, "code": "OK", "message": "ok"}),
            _ => json!({"code": 0, "data": data, "message": "ok", "success": true}),
        }
    }

    /// 3.9, scalars: a number, or a text.
    pub fn number(&self, key: &str, number: i64) -> Value {
        match self.pick_at("number", key, 2) {
            0 => json!(number),
            _ => json!(number.to_string()),
        }
    }

    pub fn boolean(&self, key: &str, truth: bool) -> Value {
        match self.pick_at("boolean", key, 5) {
            0 => json!(truth),
            1 => json!(i32::from(truth)),
            2 => json!(truth.to_string()),
            3 => json!(i32::from(truth).to_string()),
            _ => json!(if truth { "True" } else { "False" }),
        }
    }

    /// The same second in every permitted form: with 0 to 9 decimals, with a zone or in UTC.
    pub fn time(&self, key: &str, at: Timestamp) -> Value {
        let utc = at.to_zoned(tz::TimeZone::UTC);
        let santiago = at.to_zoned(tz::TimeZone::fixed(tz::offset(-3)));
        let text = match self.pick_at("time", key, 8) {
            0 => utc.strftime("%Y-%m-%dT%H:%M:%S.158662Z"),
            1 => utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
            2 => utc.strftime("%Y-%m-%dT%H:%M:%S.1Z"),
            3 => utc.strftime("%Y-%m-%dT%H:%M:%S.123456789Z"),
            4 => utc.strftime("%Y-%m-%dT%H:%M:%S.158+00:00"),
            5 => santiago.strftime("%Y-%m-%dT%H:%M:%S-03:00"),
            6 => utc.strftime("%Y-%m-%dT%H:%M:%S.158662"),
            _ => utc.strftime("%Y-%m-%d %H:%M:%S"),
        };
        json!(text.to_string())
    }

    /// A scalar that is not there.
    pub fn nothing(&self, object: &mut Map<String, Value>, key: &str) {
        if self.pick_at("nothing", key, 2) == 0 {
            object.insert(key.to_owned(), Value::Null);
        }
    }

    pub fn optional(&self, object: &mut Map<String, Value>, key: &str, value: Option<Value>) {
        match value {
            Some(value) => _ = object.insert(key.to_owned(), value),
            None => self.nothing(object, key),
        }
    }

    /// A list; an empty one may be null or missing.
    pub fn list(&self, object: &mut Map<String, Value>, key: &str, items: Vec<Value>) {
        match self.pick_at("empty list", key, 3) {
            1 if items.is_empty() => _ = object.insert(key.to_owned(), Value::Null),
            2 if items.is_empty() => {}
            _ => _ = object.insert(key.to_owned(), items.into()),
        }
    }

    pub fn guid_key(&self, place: &str) -> &'static str {
        ["GUID", "guid"][self.pick_at("guid key", place, 2)]
    }

    /// Opaque text (trap 2).
    pub fn guid(&self, number: usize) -> String {
        match self.pick("guid", 4) {
            0 => format!("7d4f1c9c-0e5a-4f4b-8b8f-{number:012}"),
            1 => format!("{number}"),
            2 => format!("ñ/{number} %2F?x=1&..#a+b;:@"),
            _ => format!("d41d8cd98f00b204e9800998ecf8427e_{number}=="),
        }
    }

    /// Keys that no contract knows, in every object.
    pub fn extra(&self, object: &mut Map<String, Value>) {
        match self.pick("unknown keys", 3) {
            0 => {}
            1 => _ = object.insert("nuevo".into(), json!({"data": [], "code": "X", "GUID": 7})),
            _ => _ = object.insert("errors".into(), Value::Null),
        }
    }

    /// 4.12: what the decoder accepts.
    pub fn base64(&self, key: &str, bytes: &[u8]) -> String {
        let text = super::base64::encode(bytes);
        match self.pick_at("base64", key, 4) {
            0 => text,
            1 => text.trim_end_matches('=').to_owned(),
            2 => format!("data:application/pdf;base64,{text}"),
            _ => text.as_bytes().chunks(19).map(|row| String::from_utf8_lossy(row) + "\r\n").collect(),
        }
    }

    /// 3.8 and 3.9: a refusal with a code.
    pub fn refusal(&self, code: &str) -> (u16, Value) {
        let text = "no se puede";
        match self.pick_at("refusal", code, 9) {
            0 => (400, json!({"code": code, "message": text})),
            1 => (400, json!({"code": code, "message": "", "data": null, "detail": text})),
            2 => (400, json!({"code": code, "details": {"GUID": [text]}})),
            3 => (400, json!({"code": code, "errors": [text], "message": null})),
            4 => (400, json!({"code": code, "error": text, "data": {}})),
            5 => (200, json!({"code": code, "message": text, "data": null})),
            6 => (200, json!({"code": code, "message": text})),
            7 => (200, json!({"success": false, "code": code, "message": text, "data": []})),
            _ => (201, json!({"success": "false", "code": code, "debug": text})),
        }
    }
}
