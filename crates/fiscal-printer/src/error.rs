//! What the service refuses, and how an answer becomes an outcome (contract sections 5 and 9.2).
//!
//! Codes collide between endpoints and between the manual and the observed service, so a refusal is keyed by endpoint and
//! code, keeps both meanings, and keeps the raw code and text whatever they are.

use std::fmt;

use http::StatusCode;
use integration_core::call::Verdict;
use integration_core::{Answer, Error, ErrorKind};

use crate::follow_up::{ANNUL, MAIL};
use crate::issue::ISSUE;
use crate::wire::Envelope;

/// The three endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// `/facturacion`.
    Issue,
    /// `/anulacion`.
    Annul,
    /// `/email`.
    Mail,
}

impl Endpoint {
    /// The name of its operation in errors and spans.
    fn operation(self) -> &'static str {
        match self {
            Self::Issue => ISSUE.name,
            Self::Annul => ANNUL.name,
            Self::Mail => MAIL.name,
        }
    }
}

/// Which table gives a code its first meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum CodeTable {
    /// The manual's where it has one, else the observed one.
    #[default]
    Documented,
    /// The observed one where there is one, else the manual's.
    Observed,
}

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Meaning {
    /// The token is not valid: signature or form.
    TokenInvalid,
    /// The RIF does not match the token's.
    RifMismatch,
    /// A field's value is not valid.
    FieldInvalid,
    /// The buyer's identity number or name is missing.
    BuyerMissing,
    /// A tax is wrongly calculated.
    TaxWrong,
    /// A tax, the subtotal, the total or an item's amount is wrong, or the subtotal is missing or not above zero.
    AmountWrong,
    /// A required field is missing.
    FieldMissing,
    /// A note lacks the control number of its invoice.
    RelatedMissing,
    /// The internal number is empty.
    NumberEmpty,
    /// The internal number is already used for this type of document.
    NumberTaken,
    /// The internal number is not the next one; see [`Refusal::current_maximum`].
    NumberNotNext,
    /// Items are required.
    ItemsMissing,
    /// The control number of a note is not a document of this issuer.
    RelatedUnknown,
    /// The issuer has no control numbers left.
    NoControlNumbersLeft,
    /// At least one payment is required.
    PaymentMissing,
    /// A payment has no form.
    PaymentFormEmpty,
    /// A remark is required, since the invoice predates the system.
    RemarkMissing,
    /// The buyer's address is missing.
    AddressMissing,
    /// The buyer's phone is missing.
    PhoneMissing,
    /// The exchange rate is missing or not valid.
    ExchangeRateInvalid,
    /// The currency is not valid.
    CurrencyInvalid,
    /// The type of document is not valid (for an endpoint that has no such field).
    DocumentTypeInvalid,
    /// The control number is not valid.
    ControlNumberInvalid,
    /// The control number does not match.
    ControlNumberMismatch,
    /// The control number is shorter than 11 characters.
    ControlNumberTooShort,
    /// The RIF does not match the token's, or no document has this control number: the code does not tell which.
    RifMismatchOrNotFound,
    /// The buyer has no mail address.
    BuyerHasNoMail,
}

impl Meaning {
    /// The fact and the advice.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::TokenInvalid => (
                "the token is not valid",
                "check that the token is whole, of this issuer and of this environment",
            ),
            Self::RifMismatch => (
                "the RIF does not match the token",
                "use the token of this issuer, and the RIF spelt as in the token",
            ),
            Self::FieldInvalid => (
                "a field's value is not valid",
                "read the service's message; the observed service means the buyer's identity or name",
            ),
            Self::BuyerMissing => (
                "the buyer's identity number or name is missing",
                "fill in `rifcedulacliente` and `nombrecliente`",
            ),
            Self::TaxWrong => (
                "a tax or amount is wrongly calculated",
                "look at the S warnings of the document; RoundingPolicy::ServerCompatible follows the service's arithmetic",
            ),
            Self::AmountWrong => (
                "a tax, the subtotal, the total or an item's amount is wrong",
                "look at the S warnings of the document; RoundingPolicy::ServerCompatible follows the service's arithmetic",
            ),
            Self::FieldMissing => (
                "a required field is missing",
                "read the service's message; the observed service means `relacionado` on a note",
            ),
            Self::RelatedMissing => {
                ("the note lacks the control number of its invoice", "fill in `relacionado`")
            }
            Self::NumberEmpty => ("the internal number is empty", "fill in `numerointerno`"),
            Self::NumberTaken => (
                "the internal number is already used for this type",
                "if an earlier try with this number had an unknown outcome, it was issued: look it up; otherwise take the next number",
            ),
            Self::NumberNotNext => (
                "the internal number is not the next one",
                "issue with the number after the current maximum, without gaps",
            ),
            Self::ItemsMissing => ("items are required", "fill in `cuerpofactura`"),
            Self::RelatedUnknown => (
                "no document of this issuer has the control number in `relacionado`",
                "use the control number that came back when the invoice was issued",
            ),
            Self::NoControlNumbersLeft => {
                ("the issuer has no control numbers left", "ask the printing house for more")
            }
            Self::PaymentMissing => ("at least one payment is required", "fill in the payments"),
            Self::PaymentFormEmpty => ("a payment has no form", "fill in `forma`"),
            Self::RemarkMissing => {
                ("a remark is required", "fill in `observacion`, since the invoice predates the system")
            }
            Self::AddressMissing => ("the buyer's address is missing", "fill in `direccioncliente`"),
            Self::PhoneMissing => ("the buyer's phone is missing", "fill in `telefonocliente`"),
            Self::ExchangeRateInvalid => (
                "the exchange rate is not valid",
                "fill in the rate; if it is there, try another WireProfile spelling",
            ),
            Self::CurrencyInvalid => ("the currency is not valid", "use 1, 2 or 3 for `tipomoneda`"),
            Self::DocumentTypeInvalid => (
                "the type of document is not valid",
                "the observed service means: RIF mismatch, or no such control number",
            ),
            Self::ControlNumberInvalid => {
                ("the control number is not valid", "use the control number exactly as it came back")
            }
            Self::ControlNumberMismatch => {
                ("the control number does not match", "use the control number exactly as it came back")
            }
            Self::ControlNumberTooShort => {
                ("the control number is too short", "use the control number exactly as it came back")
            }
            Self::RifMismatchOrNotFound => (
                "the RIF does not match the token, or no document has this number",
                "check both: the code does not tell which",
            ),
            Self::BuyerHasNoMail => ("the buyer has no mail address", "give an address"),
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        self.texts().1
    }
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().0)
    }
}

/// The manual's meaning of a code.
fn documented(endpoint: Endpoint, code: i64) -> Option<Meaning> {
    let meaning = match (endpoint, code) {
        (Endpoint::Issue | Endpoint::Annul, 1) => Meaning::TokenInvalid,
        (Endpoint::Issue, 2) => Meaning::FieldInvalid,
        (Endpoint::Issue, 3) | (Endpoint::Annul, 2) => Meaning::RifMismatch,
        (Endpoint::Issue, 4) => Meaning::TaxWrong,
        (Endpoint::Issue, 5) => Meaning::FieldMissing,
        (Endpoint::Annul, 3) => Meaning::DocumentTypeInvalid,
        (Endpoint::Annul, 4) => Meaning::ControlNumberInvalid,
        (Endpoint::Annul, 5) => Meaning::ControlNumberMismatch,
        (Endpoint::Mail, 1) => Meaning::BuyerHasNoMail,
        _ => return None,
    };
    Some(meaning)
}

/// The observed meaning of a code.
fn observed(endpoint: Endpoint, code: i64) -> Option<Meaning> {
    let meaning = match (endpoint, code) {
        (Endpoint::Issue | Endpoint::Annul, 1) => Meaning::TokenInvalid,
        (Endpoint::Issue, 2) => Meaning::BuyerMissing,
        (Endpoint::Issue, 3) => Meaning::RifMismatch,
        (Endpoint::Issue, 4) => Meaning::AmountWrong,
        (Endpoint::Issue, 5) => Meaning::RelatedMissing,
        (Endpoint::Issue, 7) => Meaning::NumberEmpty,
        (Endpoint::Issue, 8) => Meaning::NumberTaken,
        (Endpoint::Issue, 9) => Meaning::NumberNotNext,
        (Endpoint::Issue, 10) => Meaning::ItemsMissing,
        (Endpoint::Issue, 11) => Meaning::RelatedUnknown,
        (Endpoint::Issue, 12) => Meaning::NoControlNumbersLeft,
        (Endpoint::Issue, 13) => Meaning::PaymentMissing,
        (Endpoint::Issue, 14) => Meaning::PaymentFormEmpty,
        (Endpoint::Issue, 20) => Meaning::RemarkMissing,
        (Endpoint::Issue, 21) => Meaning::AddressMissing,
        (Endpoint::Issue, 22) => Meaning::PhoneMissing,
        (Endpoint::Issue, 23) => Meaning::ExchangeRateInvalid,
        (Endpoint::Issue, 24) => Meaning::CurrencyInvalid,
        (Endpoint::Annul, 2) => Meaning::ControlNumberTooShort,
        (Endpoint::Annul, 3) => Meaning::RifMismatchOrNotFound,
        _ => return None,
    };
    Some(meaning)
}

/// A refusal as the service gave it.
///
/// ```
/// use fiscal_printer::{Error, Meaning, Refusal};
///
/// fn was_the_number_taken(error: &Error) -> bool {
///     Refusal::of(error).is_some_and(|refusal| refusal.meaning() == Some(Meaning::NumberTaken))
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    endpoint: Endpoint,
    raw_code: String,
    message: String,
    table: CodeTable,
}

impl Refusal {
    /// The refusal behind an error, if the service refused with an envelope.
    #[must_use]
    pub fn of(error: &Error) -> Option<&Self> {
        error.find_source()
    }

    /// Which endpoint refused.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        self.endpoint
    }

    /// The code as a number, if it is one.
    #[must_use]
    pub fn code(&self) -> Option<i64> {
        self.raw_code.parse().ok()
    }

    /// The code as it stood in the answer.
    #[must_use]
    pub fn raw_code(&self) -> &str {
        &self.raw_code
    }

    /// The service's message, in its language.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the code means by the client's preferred table.
    #[must_use]
    pub fn meaning(&self) -> Option<Meaning> {
        match self.table {
            CodeTable::Documented => self.documented().or_else(|| self.observed()),
            CodeTable::Observed => self.observed().or_else(|| self.documented()),
        }
    }

    /// What the code means by the manual.
    #[must_use]
    pub fn documented(&self) -> Option<Meaning> {
        documented(self.endpoint, self.code()?)
    }

    /// What the code was observed to mean.
    #[must_use]
    pub fn observed(&self) -> Option<Meaning> {
        observed(self.endpoint, self.code()?)
    }

    /// The highest internal number that the service has, which it tells at the end of the message of code 9.
    #[must_use]
    pub fn current_maximum(&self) -> Option<u64> {
        if (self.endpoint, self.code()) != (Endpoint::Issue, Some(9)) {
            return None;
        }
        let told = self.message.trim_end_matches(|c: char| !c.is_ascii_digit());
        told.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.meaning() {
            Some(meaning) => write!(f, "code {}: {meaning}", self.raw_code),
            None => write!(f, "a code that neither the manual nor observation knows"),
        }
    }
}

impl std::error::Error for Refusal {}

/// How a client reads refusals.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules {
    pub(crate) table: CodeTable,
    /// Whether a refusal with an unlisted code counts as refused instead of unknown.
    pub(crate) unlisted_refuses: bool,
}

/// A success, decoded, and the answer that it came in.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) envelope: Envelope,
    pub(crate) answer: Answer,
}

/// Judges an answer by table 9.2; the first matching row wins.
pub(crate) fn judge(endpoint: Endpoint, rules: Rules, answer: &Answer) -> Verdict<Envelope> {
    match Envelope::read(answer) {
        Some(envelope) if envelope.success => accepted(endpoint, answer, envelope),
        Some(envelope) => refused(endpoint, rules, &envelope),
        None => without_envelope(endpoint, answer),
    }
}

/// `success` is true. Under a status that is no success, or without a control number, nobody can rely on it.
fn accepted(endpoint: Endpoint, answer: &Answer, envelope: Envelope) -> Verdict<Envelope> {
    let complete = endpoint != Endpoint::Issue || envelope.text("numerodocumento").is_some();
    if answer.status().is_success() && complete {
        return Verdict::Accept(envelope);
    }
    let (message, hint) = match endpoint {
        Endpoint::Issue => (
            "the service reports success without a usable answer",
            "probably issued: look the document up in the vendor's portal before anything else",
        ),
        Endpoint::Annul | Endpoint::Mail => {
            ("the service reports success under an odd status", "probably done: look before repeating")
        }
    };
    doubt(endpoint, ErrorKind::UnexpectedAnswer, message, hint, false)
}

fn refused(endpoint: Endpoint, rules: Rules, envelope: &Envelope) -> Verdict<Envelope> {
    let refusal = Refusal {
        endpoint,
        raw_code: envelope.code.clone().unwrap_or_default(),
        message: envelope.message.clone().unwrap_or_default(),
        table: rules.table,
    };
    let meaning = refusal.meaning();
    let kind = match meaning {
        Some(Meaning::TokenInvalid) => ErrorKind::Authentication,
        _ => ErrorKind::Refused,
    };
    let unlisted = "the code is not known: look the document up before repeating";
    let error = Error::new(kind, endpoint.operation())
        .with_code(refusal.raw_code.clone())
        .with_message(if refusal.message.is_empty() { refusal.to_string() } else { refusal.message.clone() })
        .with_hint(meaning.map_or(unlisted, Meaning::advice))
        .with_source(refusal);
    if meaning.is_some() || rules.unlisted_refuses {
        Verdict::Refuse(error)
    } else {
        Verdict::Doubt { error, transient: false }
    }
}

fn without_envelope(endpoint: Endpoint, answer: &Answer) -> Verdict<Envelope> {
    let status = answer.status();
    match status.as_u16() {
        401 => Verdict::Unauthorized(
            Error::new(ErrorKind::Authentication, endpoint.operation())
                .with_message(excerpt(answer))
                .with_hint("check the token: the service did not see one it accepts"),
        ),
        404 | 405 | 413 | 415 => Verdict::Refuse(
            Error::new(ErrorKind::UnexpectedStatus, endpoint.operation())
                .with_message("the request did not reach the service's handler")
                .with_hint("check the base URL and its path prefix, and the size of the document"),
        ),
        // The observed service answers 400 for exceptions, which may come after the document was stored.
        400 | 408 | 500.. => {
            doubt(endpoint, ErrorKind::UnexpectedStatus, &excerpt(answer), may_have_acted(endpoint), true)
        }
        429 => doubt(endpoint, ErrorKind::RateLimited, &excerpt(answer), may_have_acted(endpoint), true),
        _ if status.is_success() || status.is_informational() => unreadable(endpoint, answer),
        _ => doubt(endpoint, ErrorKind::UnexpectedStatus, &describe(status), may_have_acted(endpoint), false),
    }
}

/// Judges the answer to a probe: only a successful envelope answers the question.
#[cfg(feature = "journal")]
pub(crate) fn judge_probe(name: &'static str, answer: &Answer) -> Verdict<Envelope> {
    match Envelope::read(answer).filter(|envelope| envelope.success && answer.status().is_success()) {
        Some(envelope) => Verdict::Accept(envelope),
        None => Verdict::Refuse(no_probe(name, answer)),
    }
}

/// The service does not offer the probe, or did not answer it.
#[cfg(feature = "journal")]
fn no_probe(name: &'static str, answer: &Answer) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, name)
        .with_message(excerpt(answer))
        .with_hint("the probe is not available here; nothing follows from that")
}

fn unreadable(endpoint: Endpoint, answer: &Answer) -> Verdict<Envelope> {
    if !answer.is_complete() {
        return doubt(
            endpoint,
            ErrorKind::TooLarge,
            "the answer is larger than the client's limit",
            may_have_acted(endpoint),
            false,
        );
    }
    let kind = answer.content_type().unwrap_or("no content type").to_owned();
    let message = match answer.body().len() {
        0 => "the answer is empty".to_owned(),
        _ => format!("the answer is not the service's envelope ({kind}): {}", excerpt(answer)),
    };
    doubt(endpoint, ErrorKind::UnexpectedAnswer, &message, may_have_acted(endpoint), false)
}

fn describe(status: StatusCode) -> String {
    if status.is_redirection() {
        return "a redirect, which is never followed with credentials".to_owned();
    }
    status.canonical_reason().unwrap_or("an unusual status").to_owned()
}

fn may_have_acted(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Issue => {
            "look the document up by its internal number in the vendor's portal; never issue it again blindly"
        }
        Endpoint::Annul => "annul again: a repeat does no harm",
        Endpoint::Mail => "ask the buyer, or mail again and accept that two may arrive",
    }
}

fn doubt(
    endpoint: Endpoint,
    kind: ErrorKind,
    message: &str,
    hint: &'static str,
    transient: bool,
) -> Verdict<Envelope> {
    Verdict::Doubt {
        error: Error::new(kind, endpoint.operation()).with_message(message).with_hint(hint),
        transient,
    }
}

/// The beginning of a body that is not an envelope.
fn excerpt(answer: &Answer) -> String {
    answer.text().chars().take(256).collect()
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use integration_core::Outcome;

    use super::*;

    fn judged(endpoint: Endpoint, status: u16, body: &str) -> Verdict<Envelope> {
        let answer = Answer::new(StatusCode::from_u16(status).unwrap(), HeaderMap::new(), body.to_owned());
        judge(endpoint, Rules::default(), &answer)
    }

    fn class(verdict: &Verdict<Envelope>) -> &'static str {
        match verdict {
            Verdict::Accept(_) => "issued",
            Verdict::Refuse(_) => "refused",
            Verdict::Unauthorized(_) => "unauthorized",
            Verdict::Doubt { .. } => "unknown",
            _ => "other",
        }
    }

    /// Table 9.2, the rows that depend on an answer.
    #[test]
    fn every_answer_is_classified() {
        let issued = r#"{"success":true,"data":{"numerodocumento":"00-00000001"},"error":null}"#;
        let malformed = r#"{"success":true,"data":{"numerodocumento":"12345"}}"#;
        let refused = |code: &str| {
            format!(r#"{{"success":false,"data":null,"error":{{"code":{code},"message":"x"}}}}"#)
        };
        let table = [
            (200, issued.to_owned(), "issued"),
            (201, issued.to_owned(), "issued"),
            (202, issued.to_owned(), "issued"),
            (200, malformed.to_owned(), "issued"),
            (200, r#"{"success":true,"data":{}}"#.to_owned(), "unknown"),
            (200, r#"{"success":true,"data":{"numerodocumento":""}}"#.to_owned(), "unknown"),
            (200, r#"{"success":true,"data":{"numerodocumento":7}}"#.to_owned(), "unknown"),
            (200, r#"{"success":true,"data":null}"#.to_owned(), "unknown"),
            (400, issued.to_owned(), "unknown"),
            (401, issued.to_owned(), "unknown"),
            (500, issued.to_owned(), "unknown"),
            (302, issued.to_owned(), "unknown"),
            (202, refused("4"), "refused"),
            (200, refused("\"4\""), "refused"),
            (400, refused("4"), "refused"),
            (500, refused("1"), "refused"),
            (202, refused("8"), "refused"),
            (202, refused("9"), "refused"),
            (202, refused("6"), "unknown"),
            (202, refused("99"), "unknown"),
            (202, refused("null"), "unknown"),
            (202, refused("\"x\""), "unknown"),
            (404, refused("99"), "unknown"),
            (202, r#"{"success":false}"#.to_owned(), "unknown"),
            (401, "\"no token\"".to_owned(), "unauthorized"),
            (401, String::new(), "unauthorized"),
            (404, "not found".to_owned(), "refused"),
            (405, String::new(), "refused"),
            (413, "<html>".to_owned(), "refused"),
            (415, String::new(), "refused"),
            (400, "Error: null".to_owned(), "unknown"),
            (400, "anything".to_owned(), "unknown"),
            (403, String::new(), "unknown"),
            (408, String::new(), "unknown"),
            (409, String::new(), "unknown"),
            (418, String::new(), "unknown"),
            (429, String::new(), "unknown"),
            (500, String::new(), "unknown"),
            (502, "<html>".to_owned(), "unknown"),
            (503, String::new(), "unknown"),
            (504, String::new(), "unknown"),
            (301, String::new(), "unknown"),
            (307, String::new(), "unknown"),
            (200, String::new(), "unknown"),
            (200, "{".to_owned(), "unknown"),
            (200, "<html>login</html>".to_owned(), "unknown"),
            (200, "[]".to_owned(), "unknown"),
            (200, "{}".to_owned(), "unknown"),
            (200, r#"{"success":"true"}"#.to_owned(), "unknown"),
            (204, String::new(), "unknown"),
        ];
        for (status, body, expected) in table {
            assert_eq!(class(&judged(Endpoint::Issue, status, &body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn every_listed_code_of_every_endpoint_is_a_refusal_and_no_other() {
        let listed = |endpoint| -> Vec<i64> {
            match endpoint {
                Endpoint::Issue => vec![1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 20, 21, 22, 23, 24],
                Endpoint::Annul => vec![1, 2, 3, 4, 5],
                Endpoint::Mail => vec![1],
            }
        };
        for endpoint in [Endpoint::Issue, Endpoint::Annul, Endpoint::Mail] {
            for code in -3..40 {
                let body = format!(r#"{{"success":false,"error":{{"code":{code},"message":"m"}}}}"#);
                let expected = if listed(endpoint).contains(&code) { "refused" } else { "unknown" };
                assert_eq!(class(&judged(endpoint, 202, &body)), expected, "{endpoint:?} {code}");
            }
        }
    }

    #[test]
    fn an_unlisted_code_may_be_made_a_refusal() {
        let answer =
            Answer::new(StatusCode::ACCEPTED, HeaderMap::new(), r#"{"success":false,"error":{"code":77}}"#);
        let rules = Rules { unlisted_refuses: true, ..Rules::default() };
        assert_eq!(class(&judge(Endpoint::Issue, rules, &answer)), "refused");
    }

    #[test]
    fn an_oversized_answer_is_unknown() {
        let answer = Answer::new(StatusCode::OK, HeaderMap::new(), "{\"success\":true").cut_at_limit();
        let Verdict::Doubt { error, .. } = judge(Endpoint::Issue, Rules::default(), &answer) else {
            panic!()
        };
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }

    fn refusal(code: i64, message: &str, table: CodeTable) -> Refusal {
        Refusal { endpoint: Endpoint::Issue, raw_code: code.to_string(), message: message.to_owned(), table }
    }

    #[test]
    fn both_meanings_of_a_code_are_kept() {
        let by_manual = refusal(5, "", CodeTable::Documented);
        assert_eq!(by_manual.meaning(), Some(Meaning::FieldMissing));
        assert_eq!(by_manual.observed(), Some(Meaning::RelatedMissing));
        assert_eq!(refusal(5, "", CodeTable::Observed).meaning(), Some(Meaning::RelatedMissing));
        assert_eq!(refusal(8, "", CodeTable::Documented).meaning(), Some(Meaning::NumberTaken));
    }

    #[test]
    fn the_maximum_is_read_at_the_end_of_the_message_of_code_9() {
        for (message, expected) in [
            ("El ultimo numero es 41", Some(41)),
            ("El ultimo numero es: 00000041.", Some(41)),
            ("número41", Some(41)),
            ("ñ41 ", Some(41)),
            ("41", Some(41)),
            ("none", None),
            ("", None),
            ("99999999999999999999999999", None),
        ] {
            assert_eq!(refusal(9, message, CodeTable::Documented).current_maximum(), expected, "{message}");
        }
        assert_eq!(refusal(8, "41", CodeTable::Documented).current_maximum(), None);
    }

    #[test]
    fn a_refusal_is_found_behind_its_error() {
        let body = r#"{"success":false,"error":{"code":"8","message":"ya existe"}}"#;
        let Verdict::Refuse(error) = judged(Endpoint::Issue, 202, body) else { panic!() };
        let found = Refusal::of(&error).unwrap();
        assert_eq!((found.code(), found.raw_code(), found.message()), (Some(8), "8", "ya existe"));
        assert_eq!(error.with_outcome(Outcome::Refused).service_code(), Some("8"));
    }
}

/// Refusals for the tests of other modules.
#[cfg(all(test, feature = "journal"))]
pub(crate) mod testing {
    use super::*;

    /// A refusal of `/facturacion` as the judge makes it.
    pub(crate) fn refusal(code: &str, message: &str) -> Error {
        let refusal = Refusal {
            endpoint: Endpoint::Issue,
            raw_code: code.to_owned(),
            message: message.to_owned(),
            table: CodeTable::default(),
        };
        Error::new(ErrorKind::Refused, "issue")
            .with_outcome(integration_core::Outcome::Refused)
            .with_code(code)
            .with_source(refusal)
    }
}
