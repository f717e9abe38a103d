//! Searches with the assumed body of section 3.3, over the fields of section 3.4.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use super::file::{CaseFile, HOLDERS, PAIRS, TEXTS, code_of, date};
use super::firm::{CONTACT_PAIRS, Contact};

/// One condition; all of them have to hold.
#[derive(Debug)]
pub(super) struct Filter {
    field: String,
    kind: Kind,
    values: Vec<String>,
}

#[derive(Debug, PartialEq)]
enum Kind {
    Equal,
    Between,
}

/// Reads the body; what is wrong, if it cannot be read.
pub(super) fn filters(body: &Value) -> Result<Vec<Filter>, String> {
    let list = body.get("filtros").and_then(Value::as_array).ok_or("filtros: falta la lista")?;
    list.iter().map(filter).collect()
}

fn filter(value: &Value) -> Result<Filter, String> {
    let field = value.get("campo").and_then(Value::as_str).ok_or("campo: falta")?.to_owned();
    let values = value.get("valores").and_then(Value::as_array).ok_or("valores: falta la lista")?;
    let values: Vec<String> = values
        .iter()
        .map(|value| code_of(value).ok_or_else(|| format!("{field}: valor no válido")))
        .collect::<Result<_, _>>()?;
    let kind = match value.get("filtro").and_then(Value::as_str) {
        Some("EQ") => Kind::Equal,
        Some("BT") if values.len() == 2 => Kind::Between,
        Some("BT") => return Err(format!("{field}: BT lleva dos valores")),
        _ => return Err(format!("{field}: filtro no válido")),
    };
    Ok(Filter { field, kind, values })
}

/// A thing that can be searched: its value under a name, `Err` for a name it does not have.
pub(super) trait Searched {
    fn value(&self, field: &str) -> Result<Option<Cow<'_, str>>, String>;
}

impl Searched for CaseFile {
    fn value(&self, field: &str) -> Result<Option<Cow<'_, str>>, String> {
        Ok(match field {
            "id" => Some(self.id.to_string().into()),
            "fechaVencimiento" => self.expires().map(Into::into),
            _ if HOLDERS.contains(&field) => self.holder(field).map(|id| id.to_string().into()),
            _ if PAIRS.iter().any(|(name, _)| *name == field) => Some(self.code(field).into()),
            _ if TEXTS.contains(&field) => self.text(field).map(Into::into),
            _ => return Err(format!("{field}: campo desconocido")),
        })
    }
}

impl Searched for Contact {
    fn value(&self, field: &str) -> Result<Option<Cow<'_, str>>, String> {
        Ok(match field {
            "id" => Some(self.id.to_string().into()),
            "codigo" => Some(self.code.as_str().into()),
            "tipo" => Some(self.kind.as_str().into()),
            _ if CONTACT_PAIRS.iter().any(|(name, _)| *name == field) => {
                Some(self.fields.get(field).and_then(Value::as_str).unwrap_or("1").into())
            }
            "observacion" | "referencia" | "clave" | "cnae" | "pyme" | "nombre" | "apellidos" => {
                self.fields.get(field).and_then(Value::as_str).map(Into::into)
            }
            _ => return Err(format!("{field}: campo desconocido")),
        })
    }
}

/// A row of a list that is kept as it was given.
impl Searched for Value {
    fn value(&self, field: &str) -> Result<Option<Cow<'_, str>>, String> {
        Ok(self.get(field).and_then(code_of).map(Into::into))
    }
}

/// Whether a thing meets every condition.
pub(super) fn meets(thing: &impl Searched, filters: &[Filter]) -> Result<bool, String> {
    for filter in filters {
        let value = thing.value(&filter.field)?;
        let met = value.is_some_and(|value| filter.admits(&value));
        if !met {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Filter {
    fn admits(&self, value: &str) -> bool {
        match self.kind {
            Kind::Equal => self.values.iter().any(|wanted| wanted == value),
            Kind::Between => {
                let bound = |at: usize| self.values.get(at).map_or("", String::as_str);
                compared(bound(0), value) != Ordering::Greater
                    && compared(value, bound(1)) != Ordering::Greater
            }
        }
    }
}

/// Dates as days, whole numbers as numbers, everything else as text.
fn compared(left: &str, right: &str) -> Ordering {
    if let (Some(left), Some(right)) = (date(left), date(right)) {
        return left.cmp(&right);
    }
    match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(right),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(filter: &Value) -> Result<bool, String> {
        let mut file = CaseFile::new(9);
        let fields = json!({ "idCliente": 4879, "fechaVencimiento": "20/06/2025", "referencia": "R-2" });
        file.change(fields.as_object().unwrap()).unwrap();
        meets(&file, &filters(&json!({ "filtros": [filter] }))?)
    }

    #[test]
    fn equal_takes_one_or_several_and_between_takes_two() {
        for (field, kind, values, wanted) in [
            ("idCliente", "EQ", json!(["4879"]), true),
            ("idCliente", "EQ", json!([1, 4879]), true),
            ("idCliente", "EQ", json!(["04879"]), false),
            ("idAgente", "EQ", json!(["4879"]), false),
            ("fechaVencimiento", "BT", json!(["21/05/2025", "20/06/2025"]), true),
            ("fechaVencimiento", "BT", json!(["21/06/2025", "01/07/2026"]), false),
            ("id", "BT", json!(["8", "10"]), true),
            ("estado", "EQ", json!(["B"]), false),
        ] {
            assert_eq!(
                found(&json!({ "campo": field, "filtro": kind, "valores": values })),
                Ok(wanted),
                "{field}"
            );
        }
    }

    #[test]
    fn what_cannot_be_searched_is_an_error() {
        for odd in [
            json!({ "campo": "fechaModificacion", "filtro": "EQ", "valores": ["x"] }),
            json!({ "campo": "id", "filtro": "BT", "valores": ["1"] }),
            json!({ "campo": "id", "filtro": "GT", "valores": ["1"] }),
            json!({ "campo": "id", "filtro": "EQ" }),
        ] {
            assert!(found(&odd).is_err(), "{odd}");
        }
    }
}
