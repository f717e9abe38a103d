//! Asking the service what became of a lost request (contract 9.3, steps 1 and 2). All probes are opt-in: the vendor documents
//! none of these endpoints.

use std::fmt;

use integration_core::call::{Idempotency, Operation};
use integration_core::{BoxFuture, Error};
use serde_json::{Value, json};

use super::series::Series;
use crate::client::Client;
use crate::number::{ControlNumber, InternalNumber};
use crate::wire::Envelope;

/// What a probe is asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Question {
    /// The series.
    pub series: Series,
    /// The document's internal number.
    pub number: InternalNumber,
}

impl Question {
    /// What became of this document, for whoever asks a probe directly or tests one of their own.
    ///
    /// ```
    /// use fiscal_printer::DocumentType;
    /// use fiscal_printer::journal::{Question, Series};
    ///
    /// let series = Series::new("https://printer.example.com", &"J-12345678-4".parse()?, DocumentType::Invoice);
    /// assert_eq!(Question::new(series, 17_u32.into()).number.as_str(), "00000017");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub const fn new(series: Series, number: InternalNumber) -> Self {
        Self { series, number }
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Finding {
    /// The document exists, perhaps without its control number being told.
    Issued(Option<ControlNumber>),
    /// It does not. Believed only after the settling delay.
    NotIssued,
    /// It does not, and an earlier number is missing at the service, whose highest is this. Believed only after the delay.
    Gap {
        /// The highest number that the service has.
        highest: u64,
    },
    /// The service did not answer the question; nothing follows from that.
    Unavailable(String),
}

/// A way to ask what became of a document.
///
/// Implement it for what your printing house offers beside the API: a portal export, a mail box, a database view. A finding of
/// [`Finding::NotIssued`] must mean that the service **knows** that there is no such document.
///
/// ```
/// use fiscal_printer::{BoxFuture, Client, Error, journal::{Finding, OutcomeProbe, Question}};
///
/// #[derive(Debug)]
/// struct PortalExport;
///
/// impl OutcomeProbe for PortalExport {
///     fn name(&self) -> &'static str {
///         "portal export"
///     }
///
///     fn ask<'a>(&'a self, _: &'a Client, question: &'a Question) -> BoxFuture<'a, Result<Finding, Error>> {
///         let text = format!("no export covers number {}", question.number);
///         Box::pin(async move { Ok(Finding::Unavailable(text)) })
///     }
/// }
/// ```
pub trait OutcomeProbe: fmt::Debug + Send + Sync + 'static {
    /// Its name in reports.
    fn name(&self) -> &'static str;

    /// Asks.
    ///
    /// # Errors
    /// Whatever kept it from asking; it counts as [`Finding::Unavailable`].
    fn ask<'a>(&'a self, client: &'a Client, question: &'a Question)
    -> BoxFuture<'a, Result<Finding, Error>>;
}

/// `POST /facturacion/status` (observed on a sister deployment): lists the documents of a number.
#[derive(Debug, Clone, Copy, Default)]
pub struct StatusProbe;

/// `POST /facturacion/numerointerno` (observed): tells the next number of a series.
///
/// Right only if **this journal is the only writer of the series**: another writer's document with our number would be taken
/// for ours.
#[derive(Debug, Clone, Copy, Default)]
pub struct NextNumberProbe;

const STATUS: Operation = Operation::post("status probe", "/facturacion/status", Idempotency::Safe);
const NEXT: Operation = Operation::post("next-number probe", "/facturacion/numerointerno", Idempotency::Safe);

pub(crate) const PROBES: [Operation; 2] = [STATUS, NEXT];

impl OutcomeProbe for StatusProbe {
    fn name(&self) -> &'static str {
        STATUS.name
    }

    fn ask<'a>(
        &'a self,
        client: &'a Client,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Finding, Error>> {
        let Question { series, number } = question;
        let body =
            json!({ "rif": series.issuer(), "tipo": series.kind_code(), "numerointerno": number.as_str() });
        Box::pin(async move { Ok(read_status(&client.ask(STATUS, &body).await?, question)) })
    }
}

impl OutcomeProbe for NextNumberProbe {
    fn name(&self) -> &'static str {
        NEXT.name
    }

    fn ask<'a>(
        &'a self,
        client: &'a Client,
        question: &'a Question,
    ) -> BoxFuture<'a, Result<Finding, Error>> {
        let series = &question.series;
        let body = json!({ "rif": series.issuer(), "idtipodocumento": series.kind_code() });
        Box::pin(async move { Ok(read_next(&client.ask(NEXT, &body).await?, question.number.value())) })
    }
}

/// A row that is not of our number and type proves nothing; an answer of another shape is no answer.
fn read_status(envelope: &Envelope, question: &Question) -> Finding {
    let Some(rows) = envelope.data.as_array() else {
        return Finding::Unavailable("the answer holds no list of documents".to_owned());
    };
    match rows.iter().find(|row| is_ours(row, question)) {
        Some(row) => Finding::Issued(text(row.get("numerodocumento")).and_then(|text| text.parse().ok())),
        None if rows.is_empty() => Finding::NotIssued,
        None => Finding::Unavailable("the answer lists other documents than the one asked for".to_owned()),
    }
}

fn is_ours(row: &Value, question: &Question) -> bool {
    let number = text(row.get("numerointerno")).and_then(|text| text.trim().parse::<u64>().ok());
    let kind = text(row.get("idtipodocumento")).and_then(|text| text.trim().parse::<u8>().ok());
    // A deployment that leaves the type out of its rows has been asked for ours.
    number == Some(question.number.value()) && kind.is_none_or(|kind| kind == question.series.kind_code())
}

fn read_next(envelope: &Envelope, ours: u64) -> Finding {
    let next = text(envelope.data.get("numerointerno")).and_then(|text| text.trim().parse::<u64>().ok());
    match next {
        None | Some(0) => Finding::Unavailable("the answer tells no next number".to_owned()),
        Some(next) if next > ours => Finding::Issued(None),
        Some(next) if next == ours => Finding::NotIssued,
        Some(next) => Finding::Gap { highest: next.saturating_sub(1) },
    }
}

/// A text, or a whole number as its text.
fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use integration_core::Answer;

    use super::*;
    use crate::document::DocumentType;

    fn envelope(data: &str) -> Envelope {
        let body = format!(r#"{{"success":true,"data":{data}}}"#);
        Envelope::read(&Answer::new(http::StatusCode::OK, http::HeaderMap::new(), body)).unwrap()
    }

    fn question() -> Question {
        let series =
            Series::new("https://example.com", &"J-12345678-4".parse().unwrap(), DocumentType::Invoice);
        Question { series, number: InternalNumber::from(42) }
    }

    #[test]
    fn the_status_probe_believes_only_what_is_about_the_document() {
        let found = Finding::Issued(Some("00-00000007".parse().unwrap()));
        for (data, expected) in [
            (
                r#"[{"numerodocumento":"00-00000007","numerointerno":"00000042","idtipodocumento":1}]"#,
                Some(found.clone()),
            ),
            (r#"[{"numerodocumento":"00-00000007","numerointerno":42,"idtipodocumento":"1"}]"#, Some(found)),
            (r#"[{"numerodocumento":"","numerointerno":"00000042"}]"#, Some(Finding::Issued(None))),
            ("[]", Some(Finding::NotIssued)),
            (r#"[{"numerodocumento":"00-00000007","numerointerno":"00000041","idtipodocumento":1}]"#, None),
            (r#"[{"numerodocumento":"00-00000007","numerointerno":"00000042","idtipodocumento":3}]"#, None),
            ("{}", None),
            ("null", None),
            (r#""""#, None),
            ("[null]", None),
        ] {
            let read = read_status(&envelope(data), &question());
            match expected {
                Some(expected) => assert_eq!(read, expected, "{data}"),
                None => assert!(matches!(read, Finding::Unavailable(_)), "{data}: {read:?}"),
            }
        }
    }

    /// 9.3 step 2.
    #[test]
    fn the_next_number_is_compared_with_ours() {
        for (data, expected) in [
            (r#"{"numerointerno":"00000043"}"#, Some(Finding::Issued(None))),
            (r#"{"numerointerno":50}"#, Some(Finding::Issued(None))),
            (r#"{"numerointerno":"00000042"}"#, Some(Finding::NotIssued)),
            (r#"{"numerointerno":"00000040"}"#, Some(Finding::Gap { highest: 39 })),
            (r#"{"numerointerno":"0"}"#, None),
            (r#"{"numerointerno":-1}"#, None),
            (r#"{"numerointerno":42.0}"#, None),
            (r#"{"numerointerno":null}"#, None),
            ("[]", None),
        ] {
            let read = read_next(&envelope(data), 42);
            match expected {
                Some(expected) => assert_eq!(read, expected, "{data}"),
                None => assert!(matches!(read, Finding::Unavailable(_)), "{data}: {read:?}"),
            }
        }
    }
}
