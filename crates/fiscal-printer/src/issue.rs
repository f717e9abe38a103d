//! `POST /facturacion`: issuing a document, and what comes back (contract sections 3 and 4.1).

use integration_core::call::{Idempotency, Operation};
use integration_core::{Answer, Fault};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;

use crate::error::Accepted;
use crate::number::ControlNumber;

/// `Once`: a second request with the same body may be a second document.
pub(crate) const ISSUE: Operation = Operation::post("issue", "/facturacion", Idempotency::Once);

/// A document that was issued.
///
/// Everything but the control number is optional, and nothing in it can make an issued document look like a failed one:
/// what cannot be read is kept as text and reported in [`warnings`](Self::warnings).
#[derive(Debug, Clone)]
#[doc(alias = "numerodocumento")]
pub struct Issued {
    #[doc(alias = "numerodocumento")]
    control_text: String,
    identifier: Option<String>,
    correlative: Option<String>,
    registered_text: Option<String>,
    registered_at: Option<DateTime>,
    legal_footer: Option<String>,
    pdf_url: Option<String>,
    warnings: Vec<Fault>,
    answer: Answer,
}

impl Issued {
    /// Reads an answer that was judged to be a success.
    pub(crate) fn read(Accepted { envelope, answer }: Accepted, mut warnings: Vec<Fault>) -> Self {
        // The judge accepts no envelope without it.
        let control_text = envelope.text("numerodocumento").unwrap_or_default().to_owned();
        if control_text.parse::<ControlNumber>().is_err() {
            let fault =
                Fault::warning("ANSWER", "data.numerodocumento").with_expected("a number like 00-00000001");
            warnings.push(
                fault
                    .with_actual(&control_text)
                    .with_hint("the document is issued; the text is kept as it came"),
            );
        }
        let identifier = envelope.text("identificador").map(str::to_owned);
        let correlative = envelope.text_or("corelativo", "correlativo", &mut warnings).map(str::to_owned);
        let moment = envelope.text_or("datatime", "datetime", &mut warnings).map(str::to_owned);
        let (date, hour) = (envelope.text("fecha"), envelope.text("hora"));
        let registered_at =
            moment.as_deref().and_then(read_moment).or_else(|| read_date_and_hour(date?, hour));
        let registered_text = moment.or_else(|| date.map(|date| [date, hour.unwrap_or_default()].join(" ")));
        if let (None, Some(text)) = (registered_at, &registered_text) {
            warnings.push(
                Fault::warning("ANSWER", "data.datatime")
                    .with_actual(text)
                    .with_hint("the date cannot be read"),
            );
        }
        let legal_footer = envelope.text("piedepagina").map(str::to_owned);
        let pdf_url = envelope.text("urlpdf").map(str::to_owned);
        Self {
            control_text,
            identifier,
            correlative,
            registered_text: registered_text.map(|text| text.trim().to_owned()),
            registered_at,
            legal_footer,
            pdf_url,
            warnings,
            answer,
        }
    }

    /// The control number (`numerodocumento`); `None` if the service's text has another form.
    #[must_use]
    pub fn control_number(&self) -> Option<ControlNumber> {
        self.control_text.parse().ok()
    }

    /// The control number as the service wrote it; never empty.
    #[must_use]
    #[doc(alias = "numerodocumento")]
    pub fn control_text(&self) -> &str {
        &self.control_text
    }

    /// The first part of the control number (`identificador`), as the service wrote it.
    #[must_use]
    pub fn identifier(&self) -> Option<&str> {
        self.identifier.as_deref()
    }

    /// The second part of the control number, the manual's correlative (`corelativo`).
    #[must_use]
    pub fn correlative(&self) -> Option<&str> {
        self.correlative.as_deref()
    }

    /// When the document was registered, as the service wrote it.
    #[must_use]
    pub fn registered_text(&self) -> Option<&str> {
        self.registered_text.as_deref()
    }

    /// When the document was registered, in the service's local time; the service gives no zone.
    #[must_use]
    pub fn registered_at(&self) -> Option<DateTime> {
        self.registered_at
    }

    /// The same instant if local time is UTC-4 (**assumed**, contract 4.1).
    #[must_use]
    pub fn registered_instant(&self) -> Option<Timestamp> {
        Offset::constant(-4).to_timestamp(self.registered_at?).ok()
    }

    /// The legal footer, an HTML fragment that is not to be built or parsed (`piedepagina`).
    #[must_use]
    pub fn legal_footer(&self) -> Option<&str> {
        self.legal_footer.as_deref()
    }

    /// Where the PDF lies (`urlpdf`), exactly as the service wrote it. It is not fetched by this crate.
    #[must_use]
    pub fn pdf_url(&self) -> Option<&str> {
        self.pdf_url.as_deref()
    }

    /// What is worth knowing about the document and about the answer.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }

    /// The raw answer, with fields that this crate does not know.
    #[must_use]
    pub fn answer(&self) -> &Answer {
        &self.answer
    }
}

/// `YYYY-MM-DD HH:mm:ss`.
fn read_moment(text: &str) -> Option<DateTime> {
    DateTime::strptime("%Y-%m-%d %H:%M:%S", text.trim()).ok()
}

/// `YYYYMMDD` and `HH:mm:ss`; midnight without the hour, nothing with an hour that cannot be read.
fn read_date_and_hour(date: &str, hour: Option<&str>) -> Option<DateTime> {
    let date = Date::strptime("%Y%m%d", date.trim()).ok()?;
    let time = match hour {
        Some(hour) => Time::strptime("%H:%M:%S", hour.trim()).ok()?,
        None => Time::midnight(),
    };
    Some(date.to_datetime(time))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::wire::Envelope;

    fn read(answer: Answer) -> Issued {
        let envelope = Envelope::read(&answer).unwrap();
        Issued::read(Accepted { envelope, answer }, Vec::new())
    }

    fn issued(data: &str) -> Issued {
        let body = format!(r#"{{"success":true,"data":{{"numerodocumento":"00-00000001"{data}}}}}"#);
        read(Answer::new(StatusCode::OK, HeaderMap::new(), body))
    }

    #[test]
    fn dates_are_read_in_each_layout() {
        for (data, expected) in [
            (r#","datatime":"2026-11-22 13:05:09""#, Some("2026-11-22T13:05:09")),
            (r#","datetime":"2026-11-22 13:05:09""#, Some("2026-11-22T13:05:09")),
            (r#","fecha":"20261122","hora":"13:05:09""#, Some("2026-11-22T13:05:09")),
            (r#","fecha":"20261122""#, Some("2026-11-22T00:00:00")),
            (r#","fecha":"20261122","hora":"1 p.m.""#, None),
            (r#","datatime":"22/11/2026","fecha":"20261122","hora":"13:05:09""#, Some("2026-11-22T13:05:09")),
            (r#","datatime":"22/11/2026""#, None),
            (r#","datatime":"","fecha":"""#, None),
            ("", None),
        ] {
            let found = issued(data).registered_at().map(|moment| moment.to_string());
            assert_eq!(found.as_deref(), expected, "{data}");
        }
    }

    #[test]
    fn an_unreadable_date_keeps_its_text_and_only_warns() {
        let issued = issued(r#","datatime":"22/11/2026 1 p.m.""#);
        assert_eq!(issued.registered_text(), Some("22/11/2026 1 p.m."));
        assert_eq!(issued.warnings().len(), 1);
    }

    #[test]
    fn local_time_is_taken_for_utc_minus_four() {
        let instant = issued(r#","datatime":"2026-11-22 13:05:09""#).registered_instant().unwrap();
        assert_eq!(instant.to_string(), "2026-11-22T17:05:09Z");
    }

    #[test]
    fn a_control_number_of_another_form_is_kept_as_text() {
        let body = r#"{"success":true,"data":{"numerodocumento":"SERIE A 12"}}"#;
        let answer = Answer::new(StatusCode::OK, HeaderMap::new(), body);
        let issued = read(answer);
        assert_eq!((issued.control_number(), issued.control_text()), (None, "SERIE A 12"));
        assert_eq!(issued.warnings().len(), 1);
    }

    #[test]
    fn unknown_fields_stay_in_the_raw_answer() {
        let issued = issued(r#","nuevo":"x","urlpdf":"https://pdf.example.com/a.pdf""#);
        assert!(issued.answer().text().contains("nuevo"));
        assert_eq!(issued.pdf_url(), Some("https://pdf.example.com/a.pdf"));
    }
}
