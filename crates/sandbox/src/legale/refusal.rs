//! Refusals: the documented codes, the texts in three languages, and the rule behind each.
//!
//! Only the codes of contract section 3.8 are documented; every other refusal carries the code of a setting
//! and says in its text which field broke which rule.

use serde_json::{Value, json};

use super::settings::{ErrorShape, Settings};
use crate::answer::{Answer, HTML};

/// Language of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Spanish,
    Portuguese,
}

impl Language {
    /// The first language of an `Accept-Language` header that is known; Spanish otherwise.
    pub(super) fn accepted(header: Option<&str>) -> Self {
        let tags = header.unwrap_or("").split(',').map(|tag| tag.trim().to_ascii_lowercase());
        tags.filter_map(|tag| Self::named(&tag)).next().unwrap_or(Self::Spanish)
    }

    fn named(tag: &str) -> Option<Self> {
        match tag.get(..2) {
            Some("en") => Some(Self::English),
            Some("es") => Some(Self::Spanish),
            Some("pt") => Some(Self::Portuguese),
            _ => None,
        }
    }

    fn pick(self, [english, spanish, portuguese]: [&str; 3]) -> &str {
        match self {
            Self::English => english,
            Self::Spanish => spanish,
            Self::Portuguese => portuguese,
        }
    }
}

/// Why the service said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    WrongPassword,
    Unauthenticated,
    NoDocument,
    NotOwner,
    NotByApi,
    DuplicateContact,
    NoLicence,
    Absent,
    Method,
    MediaType,
    Malformed,
    TooLarge,
    Storage,
    /// A rule of a field.
    Invalid,
}

impl Reason {
    fn status(self) -> u16 {
        match self {
            Self::Unauthenticated => 401,
            Self::Absent => 404,
            Self::Method => 405,
            Self::TooLarge => 413,
            Self::MediaType => 415,
            Self::Storage => 507,
            _ => 400,
        }
    }

    fn code(self) -> Option<&'static str> {
        Some(match self {
            Self::WrongPassword => "ERROR_WRONG_PASSWORD",
            Self::NoDocument => "DOCUMENT_NOT_FOUND",
            Self::NotOwner => "NOT_OWNER",
            Self::NotByApi => "NOT_API_DOCUMENT",
            Self::DuplicateContact => "ERROR_CONTACT_DUPLICATED",
            Self::NoLicence => "ERROR_NO_PRODUCT_NUMBER",
            _ => return None,
        })
    }

    fn rule(self) -> &'static str {
        match self {
            Self::WrongPassword => "password",
            Self::Unauthenticated => "credentials",
            Self::NoDocument => "document",
            Self::NotOwner => "owner",
            Self::NotByApi => "api_document",
            Self::DuplicateContact => "duplicate",
            Self::NoLicence => "licence",
            Self::Absent => "absent",
            Self::Method => "method",
            Self::MediaType => "content_type",
            Self::Malformed => "json",
            Self::TooLarge => "size",
            Self::Storage => "storage",
            Self::Invalid => "invalid",
        }
    }

    /// English, Spanish, Portuguese.
    fn texts(self) -> [&'static str; 3] {
        match self {
            Self::WrongPassword => {
                ["Wrong e-mail or password", "Correo o clave incorrectos", "E-mail ou senha incorretos"]
            }
            Self::Unauthenticated => [
                "Credentials are missing or not valid",
                "Credenciales ausentes o no validas",
                "Credenciais ausentes ou invalidas",
            ],
            Self::NoDocument => ["Document not found", "Documento no encontrado", "Documento nao encontrado"],
            Self::NotOwner => [
                "You do not own this document",
                "No es dueño de este documento",
                "Voce nao e dono deste documento",
            ],
            Self::NotByApi => [
                "The document did not come in by API",
                "El documento no fue creado por API",
                "O documento nao foi criado por API",
            ],
            Self::DuplicateContact => {
                ["The contact exists already", "El contacto ya existe", "O contato ja existe"]
            }
            Self::NoLicence => [
                "No viewer licence is left",
                "No quedan licencias de visor",
                "Nao ha licencas de visualizador",
            ],
            Self::Absent => ["Not found", "No encontrado", "Nao encontrado"],
            Self::Method => ["Method not allowed", "Metodo no permitido", "Metodo nao permitido"],
            Self::MediaType => [
                "The body is not application/json",
                "El cuerpo no es application/json",
                "O corpo nao e application/json",
            ],
            Self::Malformed => [
                "The body is not a JSON object",
                "El cuerpo no es un objeto JSON",
                "O corpo nao e um objeto JSON",
            ],
            Self::TooLarge => {
                ["The body is too large", "El cuerpo es demasiado grande", "O corpo e grande demais"]
            }
            Self::Storage => {
                ["No room for the file", "Sin espacio para el archivo", "Sem espaco para o arquivo"]
            }
            Self::Invalid => ["Invalid data", "Datos no validos", "Dados invalidos"],
        }
    }
}

/// A refusal on its way to its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    reason: Reason,
    /// Overrides the reason's.
    status: Option<u16>,
    /// Name of the broken rule; for [`Reason::Invalid`].
    rule: &'static str,
    /// The field and what it broke; for [`Reason::Invalid`].
    detail: String,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, status: None, rule: reason.rule(), detail: String::new() }
    }
}

/// A broken rule of a field.
pub(super) fn invalid(rule: &'static str, field: impl std::fmt::Display, what: &str) -> Refusal {
    Refusal { reason: Reason::Invalid, status: None, rule, detail: format!("{field}: {what}") }
}

impl Refusal {
    pub(super) fn with_status(self, status: u16) -> Self {
        Self { status: Some(status), ..self }
    }

    pub(super) fn rule(&self) -> &'static str {
        self.rule
    }

    pub(super) fn detail(&self) -> &str {
        &self.detail
    }

    /// The code on the wire; those that only HTTP speaks of (401, 404…) have none.
    pub(super) fn code(&self, settings: &Settings) -> Option<String> {
        match self.reason {
            Reason::Invalid => Some(settings.refusal_code.clone()),
            reason => reason.code().map(Into::into),
        }
    }

    fn text(&self, language: Language) -> String {
        let text = language.pick(self.reason.texts());
        if self.detail.is_empty() { text.to_owned() } else { format!("{text}: {}", self.detail) }
    }

    pub(super) fn answer(&self, settings: &Settings, language: Language) -> Answer {
        let (code, text) = (self.code(settings), self.text(language));
        let status = self.status.unwrap_or_else(|| self.reason.status());
        // What has no code cannot pass for an error inside 200.
        let shape = match settings.error_shape {
            ErrorShape::Inside200 | ErrorShape::SuccessFalse if code.is_none() => ErrorShape::Detail,
            ErrorShape::Message if code.is_none() => ErrorShape::Detail,
            shape => shape,
        };
        match shape {
            ErrorShape::Html => {
                Answer::new(status, HTML, format!("<!doctype html><h1>{status}</h1><p>{text}</p>"))
            }
            ErrorShape::Inside200 => {
                Answer::json(200, &json!({ "data": null, "code": code, "message": text }))
            }
            ErrorShape::SuccessFalse => {
                Answer::json(200, &json!({ "success": false, "code": code, "message": text }))
            }
            shape => Answer::json(status, &body(shape, code, &text)),
        }
    }
}

fn body(shape: ErrorShape, code: Option<String>, text: &str) -> Value {
    let mut body = match shape {
        ErrorShape::Detail => json!({ "detail": text }),
        ErrorShape::Details => json!({ "details": text }),
        ErrorShape::Error => json!({ "error": text }),
        ErrorShape::Errors => json!({ "errors": [text] }),
        _ => json!({ "message": text }),
    };
    if let (Some(code), Value::Object(fields)) = (code, &mut body) {
        fields.insert("code".into(), code.into());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(refusal: impl Into<Refusal>, shape: ErrorShape) -> (u16, String) {
        let settings = Settings { error_shape: shape, ..Settings::default() };
        let answer = refusal.into().answer(&settings, Language::English);
        (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
    }

    #[test]
    fn documented_codes_travel_with_400() {
        let (status, body) = said(Reason::NoDocument, ErrorShape::Message);
        assert_eq!(
            (status, body.as_str()),
            (400, r#"{"code":"DOCUMENT_NOT_FOUND","message":"Document not found"}"#)
        );
        assert_eq!(said(Reason::Unauthenticated, ErrorShape::Message).0, 401);
    }

    #[test]
    fn every_permitted_shape_carries_the_text() {
        for shape in ErrorShape::ALL {
            let (status, body) = said(invalid("phone", "signer_list[0].phone", "is missing"), *shape);
            assert!(body.contains("signer_list[0].phone: is missing"), "{shape:?}: {body}");
            let inside = matches!(shape, ErrorShape::Inside200 | ErrorShape::SuccessFalse);
            assert_eq!(status, if inside { 200 } else { 400 });
        }
    }

    #[test]
    fn the_first_known_language_wins_and_spanish_is_the_default() {
        for (header, expected) in [
            (None, Language::Spanish),
            (Some("de"), Language::Spanish),
            (Some("pt-BR,en;q=0.5"), Language::Portuguese),
            (Some("de, en"), Language::English),
        ] {
            assert_eq!(Language::accepted(header), expected, "{header:?}");
        }
    }
}
