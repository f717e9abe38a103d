//! Misbehaviour that a fault of the wire cannot play, because it needs the honest answer (contract section 3.9).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One way to answer wrongly with a good connection. The service acts as it should; the answer is twisted.
///
/// A twist that does not suit an operation leaves its answer as it is; refusals are never twisted.
///
/// ```
/// use integration_sandbox::geosite::Twist;
///
/// assert_eq!(serde_json::to_value(Twist::Cap { rows: 3 }).unwrap()["twist"], "cap");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "twist", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Twist {
    /// 200 with this instead (inner failures of rule R3, shapes of rule R4).
    Body {
        /// The whole answer.
        body: Value,
    },
    /// 200 `{"success":"false","mensagem":…}`
    Refusal,
    /// 200 `null`
    Null,
    /// The list under another name.
    Wrapper {
        /// The name.
        key: String,
    },
    /// The list without anything around it.
    BareArray,
    /// A page of at most this many rows.
    Cap {
        /// How many.
        rows: usize,
    },
    /// A page without rows and with the honest total.
    EmptyPage,
    /// A page whose first row is a number.
    RowNotObject,
    /// A page whose rows come in the opposite order.
    ReversedRows,
    /// Rows without `fid`.
    NoFid,
    /// Rows that have their first column twice, once in capitals.
    DoubledColumn,
    /// A list without `total`.
    NoTotal,
    /// A `total` that is off.
    Total {
        /// By how many; negative is too few.
        by: i64,
    },
    /// A `total` that is this text.
    TotalText {
        /// The text.
        text: String,
    },
    /// `get` with the `fid` of nobody.
    WrongFid,
    /// The headers of the answer, and then silence on an open connection.
    Stall,
}

impl Twist {
    /// The name used by the control API and in the list of requests.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Body { .. } => "body",
            Self::Refusal => "refusal",
            Self::Null => "null",
            Self::Wrapper { .. } => "wrapper",
            Self::BareArray => "bare_array",
            Self::Cap { .. } => "cap",
            Self::EmptyPage => "empty_page",
            Self::RowNotObject => "row_not_object",
            Self::ReversedRows => "reversed_rows",
            Self::NoFid => "no_fid",
            Self::DoubledColumn => "doubled_column",
            Self::NoTotal => "no_total",
            Self::Total { .. } => "total",
            Self::TotalText { .. } => "total_text",
            Self::WrongFid => "wrong_fid",
            Self::Stall => "stall",
        }
    }

    /// One of each, for the control API's help.
    pub(crate) fn examples() -> Vec<Self> {
        vec![
            Self::Body { body: json!({ "statusCode": 500, "error": "Internal Server Error" }) },
            Self::Refusal,
            Self::Null,
            Self::Wrapper { key: "data".to_owned() },
            Self::BareArray,
            Self::Cap { rows: 3 },
            Self::EmptyPage,
            Self::RowNotObject,
            Self::ReversedRows,
            Self::NoFid,
            Self::DoubledColumn,
            Self::NoTotal,
            Self::Total { by: 1 },
            Self::TotalText { text: "muitos".to_owned() },
            Self::WrongFid,
            Self::Stall,
        ]
    }

    /// What stands in the place of any answer.
    pub(super) fn replacement(&self) -> Option<Value> {
        match self {
            Self::Body { body } => Some(body.clone()),
            Self::Refusal => Some(json!({ "success": "false", "mensagem": "Falha interna" })),
            Self::Null => Some(Value::Null),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Twist;

    #[test]
    fn every_example_is_read_back_from_its_json_under_its_own_name() {
        for twist in Twist::examples() {
            let json = serde_json::to_value(&twist).unwrap();
            assert_eq!(json["twist"], twist.name());
            assert_eq!(serde_json::from_value::<Twist>(json).unwrap(), twist);
        }
    }
}
