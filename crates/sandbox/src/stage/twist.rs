//! Misbehaviour that a fault of the wire cannot play, because it needs the honest answer or an odd order of acting
//! (contract section 3.9).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::answer::{Answer, JSON};
use crate::fault::millis;

/// One way to go wrong on a good connection.
///
/// Unless it says otherwise, the service acts as it should and the answer is twisted. A twist that does not suit an
/// answer leaves it as it is; refusals are twisted only by those that replace the whole answer.
///
/// ```
/// use integration_sandbox::apiges::Twist;
///
/// assert_eq!(serde_json::to_value(Twist::DropItem { at: 1 }).unwrap()["twist"], "drop_item");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "twist", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Twist {
    /// 200 with this instead.
    Body {
        /// The whole answer.
        body: Value,
    },
    /// HTTP 200 around an envelope that says otherwise (R1, R3); the service does not act.
    InnerStatus {
        /// The inner `statusCode`.
        status: u16,
    },
    /// As [`InnerStatus`](Self::InnerStatus), after the service acted.
    ActThenInnerStatus {
        /// The inner `statusCode`.
        status: u16,
    },
    /// A success whose `data` is null.
    NullData,
    /// `data` without the envelope.
    NoEnvelope,
    /// A list where an object is due, and the reverse.
    OtherShape,
    /// Every item of a list twice.
    DuplicateItems,
    /// The items of a list in the opposite order.
    ReverseItems,
    /// A list without one of its items.
    DropItem {
        /// Which one, from 0.
        at: usize,
    },
    /// The request is acted upon twice, as a network that repeats it has it; the second answer is sent.
    ActTwice,
    /// The request is acted upon once the test releases it, after others that came later.
    HoldBeforeActing,
    /// The body is read with a pause after each piece.
    SlowUpload {
        /// The pause; in JSON `delay_ms`, milliseconds.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// The headers of the answer, and then silence on an open connection.
    Stall,
}

impl Twist {
    /// The name used by the control API and in the list of requests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Body { .. } => "body",
            Self::InnerStatus { .. } => "inner_status",
            Self::ActThenInnerStatus { .. } => "act_then_inner_status",
            Self::NullData => "null_data",
            Self::NoEnvelope => "no_envelope",
            Self::OtherShape => "other_shape",
            Self::DuplicateItems => "duplicate_items",
            Self::ReverseItems => "reverse_items",
            Self::DropItem { .. } => "drop_item",
            Self::ActTwice => "act_twice",
            Self::HoldBeforeActing => "hold_before_acting",
            Self::SlowUpload { .. } => "slow_upload",
            Self::Stall => "stall",
        }
    }

    /// One of each, for the control API's help.
    pub(crate) fn examples() -> Vec<Self> {
        vec![
            Self::Body { body: json!({ "error": "Internal Server Error" }) },
            Self::InnerStatus { status: 500 },
            Self::ActThenInnerStatus { status: 500 },
            Self::NullData,
            Self::NoEnvelope,
            Self::OtherShape,
            Self::DuplicateItems,
            Self::ReverseItems,
            Self::DropItem { at: 0 },
            Self::ActTwice,
            Self::HoldBeforeActing,
            Self::SlowUpload { delay: Duration::from_millis(200) },
            Self::Stall,
        ]
    }

    /// Whether the service must not act.
    pub(super) fn forbids(&self) -> bool {
        matches!(self, Self::InnerStatus { .. })
    }

    /// What is sent in the place of the honest answer.
    pub(super) fn turn(&self, honest: &Answer) -> Answer {
        match self {
            Self::Body { body } => Answer::json(200, body),
            Self::InnerStatus { status } | Self::ActThenInnerStatus { status } => {
                let text = "Error interno simulado";
                Answer::json(200, &json!({ "statusCode": status, "message": text, "data": null }))
            }
            _ if honest.status >= 300 || honest.content_type != JSON => honest.clone(),
            _ => self.reshape(honest),
        }
    }

    fn reshape(&self, honest: &Answer) -> Answer {
        let Ok(mut body) = serde_json::from_slice::<Value>(&honest.body.to_vec()) else {
            return honest.clone();
        };
        match self {
            Self::NullData => put(&mut body, Value::Null),
            Self::NoEnvelope => body = body.get("data").cloned().unwrap_or_default(),
            Self::OtherShape => {
                let data = body.get("data").cloned().unwrap_or_default();
                put(&mut body, other_shape(data));
            }
            Self::DuplicateItems => change(&mut body, &|items| {
                *items = items.iter().flat_map(|item| [item.clone(), item.clone()]).collect();
            }),
            Self::ReverseItems => change(&mut body, &|items| items.reverse()),
            Self::DropItem { at } => change(&mut body, &|items| {
                if *at < items.len() {
                    items.remove(*at);
                }
            }),
            _ => return honest.clone(),
        }
        Answer { body: body.to_string().into(), ..honest.clone() }
    }
}

fn put(body: &mut Value, data: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert("data".to_owned(), data);
    }
}

fn other_shape(data: Value) -> Value {
    match data {
        Value::Array(items) => items.into_iter().next().unwrap_or_else(|| json!({})),
        other => json!([other]),
    }
}

/// The list of an answer: `data` itself, or what stands in it under one of the names that lists have.
fn change(body: &mut Value, how: &dyn Fn(&mut Vec<Value>)) {
    let Some(data) = body.get_mut("data") else { return };
    if let Value::Array(items) = data {
        return how(items);
    }
    for name in ["items", "records", "cases"] {
        if let Some(Value::Array(items)) = data.get_mut(name) {
            return how(items);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_read_back_from_its_json_under_its_own_name() {
        for twist in Twist::examples() {
            let json = serde_json::to_value(&twist).unwrap();
            assert_eq!(json["twist"], twist.name());
            assert_eq!(serde_json::from_value::<Twist>(json).unwrap(), twist);
        }
    }

    fn turned(twist: &Twist, data: &Value) -> Value {
        let honest = Answer::json(200, &json!({ "statusCode": 200, "message": "OK", "data": data }));
        serde_json::from_slice(&twist.turn(&honest).body.to_vec()).unwrap()
    }

    #[test]
    fn lists_are_found_with_and_without_a_name() {
        assert_eq!(turned(&Twist::ReverseItems, &json!([1, 2]))["data"], json!([2, 1]));
        assert_eq!(
            turned(&Twist::DropItem { at: 1 }, &json!({ "items": [1, 2] }))["data"]["items"],
            json!([1])
        );
        assert_eq!(turned(&Twist::DuplicateItems, &json!([1]))["data"], json!([1, 1]));
        assert_eq!(turned(&Twist::OtherShape, &json!([7]))["data"], 7);
        assert_eq!(turned(&Twist::OtherShape, &json!({}))["data"], json!([{}]));
        assert_eq!(turned(&Twist::NoEnvelope, &json!([7])), json!([7]));
    }

    #[test]
    fn a_refusal_stays_what_it_is() {
        let refusal = Answer::json(409, &json!({ "data": null }));
        assert_eq!(Twist::NoEnvelope.turn(&refusal).status, 409);
        assert_eq!(Twist::NullData.turn(&refusal).body.to_vec(), refusal.body.to_vec());
    }
}
