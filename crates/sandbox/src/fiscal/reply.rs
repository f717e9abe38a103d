//! Answers of the printing house in its own wire form (contract, sections 4, 4.1 and 4.2).

use serde_json::{Value, json};

use crate::answer::Answer;
use crate::clock::Moment;

/// What the service makes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Reply {
    /// 200, `success` true.
    Done(Value),
    /// 202, `success` false: a business rejection.
    Rejected(u32, String),
    /// 401 with a bare JSON string: the `Authorization` header is missing.
    NoHeader,
    /// 400 with a text beginning with `Error`: an exception that was caught.
    Exception(&'static str),
    /// No answer at all: an exception that was not caught.
    Crash,
}

impl Reply {
    pub(super) fn code(&self) -> Option<u32> {
        match self {
            Self::Rejected(code, _) => Some(*code),
            _ => None,
        }
    }

    /// The answer; none when the connection breaks instead.
    pub(super) fn answer(&self) -> Option<Answer> {
        Some(match self {
            Self::Done(data) => Answer::json(200, &json!({ "success": true, "data": data, "error": null })),
            Self::Rejected(code, message) => Answer::json(
                202,
                &json!({ "success": false, "data": null, "error": { "code": code, "message": message } }),
            ),
            Self::NoHeader => Answer::json(401, &json!("Falta la cabecera de autorizacion")),
            Self::Exception(what) => Answer::text(400, format!("Error: {what}")),
            Self::Crash => return None,
        })
    }
}

/// `data` of a successful `/facturacion`.
pub(super) fn issued(control_number: &str, rif: &str, base_url: &str, moment: Moment) -> Value {
    let (prefix, correlative) = control_number.split_once('-').unwrap_or_default();
    json!({
        "numerodocumento": control_number,
        "identificador": prefix,
        "corelativo": correlative,
        "datatime": moment.date_time(),
        "fecha": moment.date(),
        "hora": moment.time(),
        "piedepagina": "<p>Documento de prueba, <b>sin validez fiscal</b></p>",
        "urlpdf": format!("{base_url}/pdf/{rif}/{}/{rif}{control_number}.pdf", moment.month()),
    })
}

/// `data` of a successful `/anulacion` or `/email`: the text speaks of mail for both, and means nothing.
pub(super) fn mail_message() -> Value {
    json!({ "mensaje": "Correo enviado exitosamente" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(reply: &Reply) -> (u16, String) {
        let answer = reply.answer().unwrap();
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    #[test]
    fn statuses_and_envelopes_follow_section_4() {
        let (status, text) = body(&Reply::Rejected(8, "ya existe".into()));
        assert_eq!(status, 202);
        assert_eq!(text, r#"{"data":null,"error":{"code":8,"message":"ya existe"},"success":false}"#);
        let (status, text) = body(&Reply::Done(json!({})));
        assert_eq!((status, text.as_str()), (200, r#"{"data":{},"error":null,"success":true}"#));
        let (status, text) = body(&Reply::NoHeader);
        assert!(status == 401 && text.starts_with('"') && text.ends_with('"'));
        let (status, text) = body(&Reply::Exception("null"));
        assert_eq!((status, text.as_str()), (400, "Error: null"));
        assert!(Reply::Crash.answer().is_none());
    }

    #[test]
    fn the_parts_of_an_issued_answer_agree() {
        let data = issued("00-00000042", "J-12345678-4", "http://host", Moment::from_epoch(1_736_902_805));
        assert_eq!(data["identificador"], "00");
        assert_eq!(data["corelativo"], "00000042");
        assert_eq!(data["datatime"], "2025-01-14 21:00:05");
        assert_eq!(data["fecha"], "20250114");
        assert_eq!(data["hora"], "21:00:05");
        assert_eq!(data["urlpdf"], "http://host/pdf/J-12345678-4/2025-01/J-12345678-400-00000042.pdf");
    }
}
