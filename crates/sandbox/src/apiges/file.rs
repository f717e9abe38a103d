//! A case file: the fields of section 3.4, and the sub-resources of section 3.2.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Refused;
use super::settings::Settings;
use super::words::{self, Lang};

/// The contacts of a file by their role.
pub(crate) const HOLDERS: [&str; 3] = ["idCliente", "idIntermediario", "idAgente"];
/// Fields that are pairs, and the catalogue each is from.
pub(super) const PAIRS: [(&str, &str); 7] = [
    ("empresa", "empresas"),
    ("delegacion", "delegaciones"),
    ("departamento", "departamentos"),
    ("division", "divisiones"),
    ("estado", "estados"),
    ("modalidad", "modalidades"),
    ("pais", "paises"),
];
/// Fields that are text or null.
pub(super) const TEXTS: [&str; 9] = [
    "clave",
    "bis",
    "referencia",
    "referencia2",
    "referencia3",
    "referencia4",
    "observacion",
    "numero",
    "aplicacionExterna",
];
/// Lists that are kept as they were given.
const LISTS: [&str; 4] = ["actos", "tareas", "prioridades", "titulares"];

/// A picture of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Graphic {
    pub(crate) id: u32,
    pub(crate) media_type: String,
    #[serde(with = "crate::kept::packed")]
    pub(crate) bytes: Bytes,
}

/// An entry of the annotations book.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Annotation {
    pub(crate) id: u32,
    pub(crate) fecha: String,
    pub(crate) usuario: String,
    pub(crate) asunto: String,
    pub(crate) documents: Vec<Filed>,
}

/// A document of an annotation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Filed {
    pub(crate) id: u32,
    pub(crate) name: String,
    pub(crate) media_type: String,
    #[serde(with = "crate::kept::packed")]
    pub(crate) bytes: Bytes,
    /// `None` where the flag is missing, which counts as hidden (B2).
    pub(crate) hidden: Option<bool>,
    /// Kept in an outside folder, which cannot be flagged.
    pub(crate) external: bool,
}

/// One case file.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct CaseFile {
    pub(crate) id: i64,
    pub(crate) holders: [Option<i64>; 3],
    pub(super) codes: [Box<str>; 7],
    pub(super) texts: [Option<Box<str>>; 9],
    #[serde(with = "crate::kept::day")]
    pub(super) expiry: Option<Date>,
    pub(super) situations: Vec<Box<str>>,
    /// The description of kind `D`.
    pub(super) name: Box<str>,
    pub(super) classes: Vec<String>,
    pub(super) lists: [Vec<Value>; 4],
    pub(crate) graphics: Vec<Graphic>,
    pub(crate) annotations: Vec<Annotation>,
}

impl CaseFile {
    /// A file in state Alta with nothing else in it.
    pub(super) fn new(id: i64) -> Self {
        let mut file = Self { id, ..Self::default() };
        for (name, code) in
            [("empresa", "1"), ("delegacion", "1"), ("departamento", "1"), ("division", "1"), ("pais", "ES")]
        {
            file.set_code(name, code);
        }
        file.set_code("estado", "A");
        file.set_code("modalidad", "M");
        file
    }

    /// Code of a field that is a pair.
    pub(crate) fn code(&self, name: &str) -> &str {
        let found = PAIRS.iter().zip(&self.codes).find(|((field, _), _)| *field == name);
        found.map_or("", |(_, code)| code)
    }

    pub(super) fn set_code(&mut self, name: &str, code: &str) {
        if let Some((_, own)) = PAIRS.iter().zip(&mut self.codes).find(|((field, _), _)| *field == name) {
            *own = code.into();
        }
    }

    /// A field that is text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let found = TEXTS.iter().zip(&self.texts).find(|(field, _)| **field == name);
        found.and_then(|(_, text)| text.as_deref())
    }

    pub(super) fn set_text(&mut self, name: &str, text: Option<&str>) {
        if let Some((_, own)) = TEXTS.iter().zip(&mut self.texts).find(|(field, _)| **field == name) {
            *own = text.map(Into::into);
        }
    }

    /// The contact in a role.
    pub(crate) fn holder(&self, field: &str) -> Option<i64> {
        let found = HOLDERS.iter().zip(&self.holders).find(|(name, _)| **name == field);
        found.and_then(|(_, id)| *id)
    }

    /// `dd/mm/yyyy`
    pub(super) fn expires(&self) -> Option<String> {
        self.expiry.map(|date| date.strftime("%d/%m/%Y").to_string())
    }

    /// Changes the fields that are given.
    pub(super) fn change(&mut self, fields: &Map<String, Value>) -> Result<(), Refused> {
        let mut changed = self.clone();
        fields.iter().try_for_each(|(name, value)| changed.set(name, value))?;
        *self = changed;
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Refused> {
        let wrong = || Refused::Value(name.to_owned());
        if let Some((_, own)) = HOLDERS.iter().zip(&mut self.holders).find(|(field, _)| **field == name) {
            *own = number_or_none(value).ok_or_else(wrong)?;
        } else if PAIRS.iter().any(|(field, _)| *field == name) {
            let code = code_of(value).ok_or_else(wrong)?;
            self.set_code(name, &code);
        } else if TEXTS.contains(&name) {
            self.set_text(name, text_or_none(value).ok_or_else(wrong)?);
        } else if let Some((_, own)) = LISTS.iter().zip(&mut self.lists).find(|(field, _)| **field == name) {
            own.clone_from(value.as_array().ok_or_else(wrong)?);
        } else {
            self.set_other(name, value).ok_or_else(wrong)?;
        }
        Ok(())
    }

    fn set_other(&mut self, name: &str, value: &Value) -> Option<()> {
        match name {
            "id" => (value.as_i64()? == self.id).then_some(()),
            "fechaVencimiento" => {
                self.expiry = text_or_none(value)?.map(date).map_or(Some(None), |date| date.map(Some))?;
                Some(())
            }
            "situacion" => {
                self.situations = codes(value)?.into_iter().map(String::into_boxed_str).collect();
                Some(())
            }
            "denominacion" => {
                self.name = value.as_str()?.into();
                Some(())
            }
            "clases" => {
                self.classes = codes(value)?;
                Some(())
            }
            _ => None,
        }
    }

    /// The file as `GET /expedientes/{id}` answers it.
    pub(super) fn json(&self, lang: Lang, settings: &Settings) -> Value {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), number(self.id, settings));
        for (name, id) in HOLDERS.iter().zip(&self.holders) {
            fields.insert((*name).to_owned(), id.map_or(Value::Null, |id| number(id, settings)));
        }
        for ((name, catalogue), code) in PAIRS.iter().zip(&self.codes) {
            fields.insert((*name).to_owned(), words::pair(catalogue, code, lang));
        }
        for (name, text) in TEXTS.iter().zip(&self.texts) {
            fields.insert((*name).to_owned(), json!(text));
        }
        fields.insert("situacion".to_owned(), self.situations_json(lang));
        fields.insert("fechaVencimiento".to_owned(), json!(self.expires()));
        fields.insert("descripciones".to_owned(), self.descriptions(lang));
        Value::Object(fields)
    }

    pub(super) fn situations_json(&self, lang: Lang) -> Value {
        self.situations.iter().map(|code| words::pair("situaciones", code, lang)).collect()
    }

    /// `id` and `tipo` are the contract's; `descripcion` is assumed.
    pub(super) fn descriptions(&self, lang: Lang) -> Value {
        let one = |id: u32, kind: &str, text: &str| json!({ "id": id, "tipo": words::pair("tipos/descripciones", kind, lang), "descripcion": text });
        let mut list = Vec::new();
        if !self.name.is_empty() {
            list.push(one(1, "D", &self.name));
        }
        if !self.classes.is_empty() {
            list.push(one(2, "P", &words::goods(&self.classes, lang)));
        }
        list.into()
    }

    /// A sub-resource by the last segment of its path; nothing if there is no such.
    pub(super) fn part(&self, name: &str, lang: Lang, settings: &Settings) -> Option<Value> {
        let kept = LISTS.iter().zip(&self.lists).find(|(field, _)| **field == name);
        Some(match (name, kept) {
            (_, Some((_, list))) => json!(list),
            ("situaciones", _) => self.situations_json(lang),
            ("especificos", _) => self.specifics(lang),
            ("graficos", _) => self.graphics.iter().map(graphic_json).collect(),
            ("anotaciones", _) => {
                self.annotations.iter().map(|note| annotation_json(note, settings)).collect()
            }
            _ => return None,
        })
    }

    /// Where name and classes come from is not known (question 7 of the contract): this place is assumed.
    fn specifics(&self, lang: Lang) -> Value {
        let classes: Value = self.classes.iter().map(|class| words::pair("clases", class, lang)).collect();
        json!({ "denominacion": &*self.name, "clases": classes })
    }

    pub(super) fn list_mut(&mut self, name: &str) -> Option<&mut Vec<Value>> {
        LISTS.iter().zip(&mut self.lists).find(|(field, _)| **field == name).map(|(_, list)| list)
    }

    pub(super) fn list(&self, name: &str) -> &[Value] {
        LISTS.iter().zip(&self.lists).find(|(field, _)| **field == name).map_or(&[], |(_, list)| list)
    }

    pub(super) fn annotation_mut(&mut self, id: u32) -> Option<&mut Annotation> {
        self.annotations.iter_mut().find(|note| note.id == id)
    }

    pub(crate) fn document(&self, annotation: u32, document: u32) -> Option<&Filed> {
        let note = self.annotations.iter().find(|note| note.id == annotation)?;
        note.documents.iter().find(|filed| filed.id == document)
    }

    pub(super) fn document_mut(&mut self, annotation: u32, document: u32) -> Option<&mut Filed> {
        self.annotation_mut(annotation)?.documents.iter_mut().find(|filed| filed.id == document)
    }
}

fn number(id: i64, settings: &Settings) -> Value {
    if settings.ids_as_text { json!(id.to_string()) } else { json!(id) }
}

/// The shape is assumed: the contract knows the route and not its fields.
fn graphic_json(graphic: &Graphic) -> Value {
    json!({
        "id": graphic.id,
        "nombre": format!("grafico{}", graphic.id),
        "mediaType": graphic.media_type,
        "contenido": STANDARD.encode(&graphic.bytes),
    })
}

/// The shape is assumed, the hidden flag's name with it.
fn annotation_json(note: &Annotation, settings: &Settings) -> Value {
    let documents: Value = note.documents.iter().map(|filed| document_json(filed, settings)).collect();
    json!({
        "id": note.id,
        "fecha": note.fecha,
        "usuario": note.usuario,
        "asunto": note.asunto,
        "documentos": documents,
    })
}

fn document_json(filed: &Filed, settings: &Settings) -> Value {
    let mut fields = json!({
        "id": filed.id,
        "nombre": filed.name,
        "mediaType": filed.media_type,
        "tamano": filed.bytes.len(),
        "externo": filed.external,
    });
    if let (Some(hidden), Some(fields)) = (filed.hidden, fields.as_object_mut()) {
        fields.insert(settings.hidden_field.clone(), json!(hidden));
    }
    if let (true, Some(fields)) = (settings.document_contents, fields.as_object_mut()) {
        fields.insert("contenido".to_owned(), json!(STANDARD.encode(&filed.bytes)));
    }
    fields
}

/// Strictly `dd/mm/yyyy`; nothing for anything else.
pub(super) fn date(text: &str) -> Option<Date> {
    let digits = |from: usize, to: usize| {
        let part = text.get(from..to).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i16>().ok()
    };
    let slashes = text.len() == 10 && text.get(2..3) == Some("/") && text.get(5..6) == Some("/");
    let (day, month, year) = (digits(0, 2)?, digits(3, 5)?, digits(6, 10)?);
    let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
    slashes.then_some(date)
}

/// Null or empty is none.
fn text_or_none(value: &Value) -> Option<Option<&str>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => Some(Some(text.as_str()).filter(|text| !text.is_empty())),
        _ => None,
    }
}

pub(super) fn number_or_none(value: &Value) -> Option<Option<i64>> {
    match value {
        Value::Null => Some(None),
        Value::String(text) => text.parse().ok().map(Some),
        other => other.as_i64().map(Some),
    }
}

/// A code, given as text or as a pair.
pub(super) fn code_of(value: &Value) -> Option<String> {
    let code = value.get("codigo").unwrap_or(value);
    code.as_str().map(str::to_owned).or_else(|| code.as_i64().map(|code| code.to_string()))
}

fn codes(value: &Value) -> Option<Vec<String>> {
    value.as_array()?.iter().map(code_of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_strict() {
        assert_eq!(date("20/06/2025").unwrap().to_string(), "2025-06-20");
        for odd in ["31/02/2025", "1/2/2025", "2025-02-01", "20-06-2025", "", "+1/06/2025", "20/06/2025 "] {
            assert_eq!(date(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_change_is_whole_or_not_at_all() {
        let mut file = CaseFile::new(7);
        let change =
            json!({ "referencia": "R-1", "modalidad": { "codigo": "P" }, "fechaVencimiento": "31/02/2025" });
        assert!(file.change(change.as_object().unwrap()).is_err());
        assert_eq!((file.text("referencia"), file.code("modalidad")), (None, "M"));
        let change = json!({ "referencia": "R-1", "modalidad": "P", "idCliente": 4, "clases": ["9", "35"] });
        file.change(change.as_object().unwrap()).unwrap();
        assert_eq!((file.text("referencia"), file.holder("idCliente")), (Some("R-1"), Some(4)));
        let json = file.json(Lang::Es, &Settings::default());
        assert_eq!(json["modalidad"], json!({ "codigo": "P", "descripcion": "Patente" }));
        assert_eq!(json["descripciones"][0]["descripcion"], "Productos de las clases 9, 35");
    }
}
