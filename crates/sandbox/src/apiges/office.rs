//! The routes of sections 3.2 and 3.3, in the envelope of P1.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Refused;
use super::auth::{Desk, placed};
use super::file::CaseFile;
use super::firm::Firm;
use super::search::{self, Searched};
use super::settings::{Endpoint, IdShape, Settings};
use super::words::{self, Lang};
use crate::answer::Answer;
use crate::stage::{self, Acted};

pub(super) type Call<'a> = stage::Call<'a, Endpoint>;

/// The program with its data.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Office {
    pub(crate) firm: Firm,
    pub(super) desk: Desk,
    pub(super) settings: Settings,
}

/// An error: HTTP status and text.
#[derive(Debug)]
pub(super) struct Failure(u16, String);

type Outcome = Result<Value, Failure>;

fn absent() -> Failure {
    Failure(404, "No encontrado".to_owned())
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let status = if matches!(refused, Refused::Absent(_)) { 404 } else { 500 };
        Self(status, refused.to_string())
    }
}

impl stage::Office for Office {
    type Spot = Endpoint;

    fn route(&self, method: &str, path: &str) -> Option<Endpoint> {
        let segments: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        match (method, segments.as_slice()) {
            ("GET", ["login"]) => Some(Endpoint::Login),
            ("GET", [..]) if words::is_catalogue(&segments.join("/")) => Some(Endpoint::Catalogue),
            (_, ["contactos", rest @ ..]) => contact_route(method, rest),
            (_, ["expedientes", rest @ ..]) => file_route(method, rest),
            (_, ["facturas", "recibidas", rest @ ..]) => super::invoice::route(method, rest),
            _ => None,
        }
    }

    fn act(&mut self, call: &Call<'_>) -> Acted {
        let outcome = self.answer(call);
        let acted = outcome.is_ok();
        Acted { answer: self.envelope(outcome), acted }
    }

    fn revoke(&mut self, authorization: Option<&str>) -> bool {
        self.desk.revoke(authorization);
        true
    }

    fn unauthorized(&self) -> Answer {
        self.envelope(Err(Failure(401, "No autorizado".to_owned())))
    }

    fn unknown(&self) -> Answer {
        self.envelope(Err(absent()))
    }

    fn too_large(&self, _: Endpoint) -> Answer {
        self.envelope(Err(Failure(413, "Demasiado grande".to_owned())))
    }

    fn body_limit(&self, _: Endpoint) -> usize {
        self.settings.body_limit
    }

    fn date_offset(&self) -> i64 {
        self.settings.date_offset
    }

    fn is_secret(&self, spot: Endpoint) -> bool {
        spot == Endpoint::Login
    }
}

fn contact_route(method: &str, rest: &[&str]) -> Option<Endpoint> {
    Some(match (method, rest) {
        ("POST", []) | ("POST", [_, "titulares" | "domicilios"]) | ("PUT", [_, "domicilios", _]) => {
            Endpoint::SaveContact
        }
        ("POST", ["search"]) => Endpoint::SearchContacts,
        ("GET", [_]) => Endpoint::Contact,
        ("GET", [_, "acciones" | "domicilios" | "titulares"]) => Endpoint::ContactPart,
        _ => return None,
    })
}

fn file_route(method: &str, rest: &[&str]) -> Option<Endpoint> {
    Some(match (method, rest) {
        ("POST", ["search"]) => Endpoint::SearchFiles,
        ("POST", ["actos" | "tareas", "search"]) => Endpoint::SearchParts,
        ("GET", [_]) => Endpoint::File,
        ("GET", [_, "graficos"]) => Endpoint::Graphics,
        ("GET", [_, "anotaciones"]) => Endpoint::Annotations,
        ("GET", [_, "actos" | "tareas", _] | [_, "tareas", _, "importes"]) => Endpoint::FilePart,
        ("GET", [_, "actos" | "especificos" | "prioridades" | "situaciones" | "tareas" | "titulares"]) => {
            Endpoint::FilePart
        }
        ("POST", [] | [_, "actos" | "tareas" | "titulares"] | [_, "tareas", _, "importes"]) => {
            Endpoint::SaveFile
        }
        ("PUT", [_] | [_, "tareas", _] | [_, "tareas", _, "importes", _]) => Endpoint::SaveFile,
        _ => return None,
    })
}

impl Office {
    fn envelope(&self, outcome: Outcome) -> Answer {
        match outcome {
            Ok(data) => Answer::json(200, &json!({ "statusCode": 200, "message": "OK", "data": data })),
            Err(Failure(status, text)) => {
                let body = json!({ "statusCode": status, "message": text, "data": null });
                Answer::json(if self.settings.inner_errors { 200 } else { status }, &body)
            }
        }
    }

    fn answer(&mut self, call: &Call<'_>) -> Outcome {
        if call.spot == Endpoint::Login {
            let token = self.desk.log_in(call, &self.settings);
            let token = token.ok_or_else(|| Failure(401, "Usuario o contraseña incorrectos".to_owned()))?;
            return Ok(placed(&token, self.settings.token_place));
        }
        if !self.desk.admits(call.header("authorization"), call.now) {
            return Err(Failure(401, "No autorizado".to_owned()));
        }
        let lang = call.header("accept-language").map_or(Some(Lang::Es), Lang::named);
        let lang = lang.ok_or_else(|| Failure(500, "accept-language: idioma desconocido".to_owned()))?;
        let path = call.path.trim_matches('/');
        let segments: Vec<&str> = path.split('/').collect();
        match call.spot {
            Endpoint::Catalogue => Ok(words::catalogue(path, lang)),
            Endpoint::Invoice => super::invoice::answer(self, call, segments.get(2..).unwrap_or_default()),
            Endpoint::SearchContacts => self.search_contacts(&body(call)?, lang),
            Endpoint::SearchFiles => self.search_files(&body(call)?, lang),
            Endpoint::SearchParts => self.search_parts(&body(call)?, segments.get(1).copied().unwrap_or("")),
            Endpoint::SaveContact => self.save_contact(call, segments.get(1..).unwrap_or_default()),
            Endpoint::SaveFile => self.save_file(call, segments.get(1..).unwrap_or_default()),
            Endpoint::Contact | Endpoint::ContactPart => {
                self.read_contact(segments.get(1..).unwrap_or_default(), lang)
            }
            _ => self.read_file(segments.get(1..).unwrap_or_default(), lang),
        }
    }

    fn read_contact(&self, segments: &[&str], lang: Lang) -> Outcome {
        let contact = segments.first().and_then(|id| self.firm.contacts.get(&id.parse().ok()?));
        let contact = contact.ok_or_else(absent)?;
        Ok(match segments.get(1).copied() {
            None => contact.json(self.firm.open_files(contact.id), lang),
            Some("acciones") => json!(contact.actions),
            Some("domicilios") => json!(contact.addresses),
            _ => json!(contact.holders),
        })
    }

    fn read_file(&self, segments: &[&str], lang: Lang) -> Outcome {
        let file =
            segments.first().and_then(|id| self.firm.files.get(&id.parse().ok()?)).ok_or_else(absent)?;
        match segments.get(1..).unwrap_or_default() {
            [] => Ok(file.json(lang, &self.settings)),
            [name] => file.part(name, lang, &self.settings).ok_or_else(absent),
            [name, id, rest @ ..] => {
                let row = file.list(name).iter().find(|row| has_id(row, id)).ok_or_else(absent)?;
                let part = if rest.is_empty() { Some(row) } else { row.get("importes") };
                Ok(part.cloned().unwrap_or_else(|| json!([])))
            }
        }
    }

    fn search_contacts(&self, body: &Map<String, Value>, lang: Lang) -> Outcome {
        let found = self.matching(self.firm.contacts.values(), body)?;
        Ok(found.into_iter().map(|contact| contact.json(self.firm.open_files(contact.id), lang)).collect())
    }

    fn search_files(&self, body: &Map<String, Value>, lang: Lang) -> Outcome {
        let found = self.matching(self.firm.files.values(), body)?;
        Ok(found.into_iter().map(|file: &CaseFile| file.json(lang, &self.settings)).collect())
    }

    /// Rows of all files, with the file's id as `idExpediente` (assumed).
    fn search_parts(&self, body: &Map<String, Value>, list: &str) -> Outcome {
        let rows: Vec<Value> = self.firm.files.values().flat_map(|file| rows_of(file, list)).collect();
        let found = self.matching(rows.iter(), body)?;
        Ok(found.into_iter().cloned().collect())
    }

    fn matching<'a, T: Searched + 'a>(
        &self,
        things: impl Iterator<Item = &'a T>,
        body: &Map<String, Value>,
    ) -> Result<Vec<&'a T>, Failure> {
        let refused = |text: String| Failure(500, text);
        let filters = search::filters(&Value::Object(body.clone())).map_err(refused)?;
        let cap = self.settings.search_cap.unwrap_or(usize::MAX);
        let mut found = Vec::new();
        for thing in things {
            if found.len() < cap && search::meets(thing, &filters).map_err(refused)? {
                found.push(thing);
            }
        }
        Ok(found)
    }

    fn save_contact(&mut self, call: &Call<'_>, segments: &[&str]) -> Outcome {
        let fields = body(call)?;
        let [id, list, rest @ ..] = segments else {
            let id = self.firm.get_or_create(&fields)?;
            return Ok(self.created(id));
        };
        let contact = id.parse().ok().and_then(|id| self.firm.contacts.get_mut(&id)).ok_or_else(absent)?;
        let rows = if *list == "domicilios" { &mut contact.addresses } else { &mut contact.holders };
        let id = match rest {
            [row] => put_row(rows, row, &fields)?,
            _ => post_row(rows, fields),
        };
        Ok(self.created(id))
    }

    fn save_file(&mut self, call: &Call<'_>, segments: &[&str]) -> Outcome {
        let fields = body(call)?;
        let [id, rest @ ..] = segments else {
            let id = self.firm.add_file(&fields)?;
            return Ok(self.created(id));
        };
        let file = id.parse().ok().and_then(|id| self.firm.files.get_mut(&id)).ok_or_else(absent)?;
        let id = match rest {
            [] => {
                file.change(&fields)?;
                file.id
            }
            [list] => post_row(file.list_mut(list).ok_or_else(absent)?, fields),
            [list, row] => put_row(file.list_mut(list).ok_or_else(absent)?, row, &fields)?,
            [list, row, amounts @ ..] => {
                let rows = file.list_mut(list).ok_or_else(absent)?;
                let row = rows.iter_mut().find(|own| has_id(own, row)).ok_or_else(absent)?;
                save_amount(row, amounts, fields)?
            }
        };
        Ok(self.created(id))
    }

    pub(super) fn created(&self, id: i64) -> Value {
        match self.settings.created_id {
            IdShape::Number => json!(id),
            IdShape::Object => json!({ "id": id }),
            IdShape::Text => json!(id.to_string()),
        }
    }
}

fn rows_of(file: &CaseFile, list: &str) -> Vec<Value> {
    let mut rows = file.list(list).to_vec();
    for row in rows.iter_mut().filter_map(Value::as_object_mut) {
        row.insert("idExpediente".to_owned(), json!(file.id));
    }
    rows
}

fn save_amount(row: &mut Value, amounts: &[&str], fields: Map<String, Value>) -> Result<i64, Failure> {
    let row = row.as_object_mut().ok_or_else(absent)?;
    let list = row.entry("importes").or_insert_with(|| json!([])).as_array_mut().ok_or_else(absent)?;
    match amounts {
        [_, id] => put_row(list, id, &fields),
        _ => Ok(post_row(list, fields)),
    }
}

pub(super) fn has_id(row: &Value, id: &str) -> bool {
    row.get("id").and_then(Value::as_i64).is_some_and(|own| own.to_string() == id)
}

pub(super) fn post_row(rows: &mut Vec<Value>, mut fields: Map<String, Value>) -> i64 {
    let last = rows.iter().filter_map(|row| row.get("id")?.as_i64()).max();
    let id = last.unwrap_or(0) + 1;
    fields.insert("id".to_owned(), json!(id));
    rows.push(fields.into());
    id
}

pub(super) fn put_row(rows: &mut [Value], id: &str, fields: &Map<String, Value>) -> Result<i64, Failure> {
    let row = rows.iter_mut().find(|row| has_id(row, id)).ok_or_else(absent)?;
    let own = row.as_object_mut().ok_or_else(absent)?;
    own.extend(
        fields.iter().filter(|(name, _)| *name != "id").map(|(name, value)| (name.clone(), value.clone())),
    );
    own.get("id").and_then(Value::as_i64).ok_or_else(absent)
}

pub(super) fn body(call: &Call<'_>) -> Result<Map<String, Value>, Failure> {
    serde_json::from_slice(call.body).map_err(|_| Failure(500, "Cuerpo no válido".to_owned()))
}

pub(super) fn not_there() -> Failure {
    absent()
}
