//! What the firm has: contacts, case files, received invoices; and the changes that people make in the program.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Refused;
use super::file::{CaseFile, code_of};
use super::words::{self, Lang};

/// Fields of a contact that are pairs, with the catalogue each is from. The accent in the key is the service's.
pub(super) const CONTACT_PAIRS: [(&str, &str); 5] = [
    ("empresa", "empresas"),
    ("tarifaFacturación", "tarifas"),
    ("tipo", "tipos/contactos"),
    ("estado", "estados"),
    ("riesgo", "tipos/riesgos"),
];
const CONTACT_TEXTS: [&str; 10] = [
    "codigo",
    "observacion",
    "referencia",
    "clave",
    "cnae",
    "pyme",
    "descuento",
    "iva",
    // These two are assumed: searches by surname are known, the fields are not.
    "nombre",
    "apellidos",
];

/// A contact.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: i64,
    /// Code of `tipo`.
    pub(crate) kind: String,
    pub(crate) code: String,
    /// Everything else; pairs as their codes.
    pub(super) fields: Map<String, Value>,
    pub(super) actions: Vec<Value>,
    pub(super) addresses: Vec<Value>,
    pub(super) holders: Vec<Value>,
}

impl Contact {
    pub(super) fn change(&mut self, fields: &Map<String, Value>) -> Result<(), Refused> {
        let mut changed = self.clone();
        fields.iter().try_for_each(|(name, value)| changed.set(name, value))?;
        *self = changed;
        Ok(())
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Refused> {
        let wrong = || Refused::Value(name.to_owned());
        match name {
            "id" => return (value.as_i64() == Some(self.id)).then_some(()).ok_or_else(wrong),
            "codigo" => value.as_str().ok_or_else(wrong)?.clone_into(&mut self.code),
            "tipo" => self.kind = code_of(value).ok_or_else(wrong)?,
            "banco" | "logo" => {
                self.fields.insert(name.to_owned(), value.clone());
            }
            _ if CONTACT_PAIRS.iter().any(|(pair, _)| *pair == name) => {
                self.fields.insert(name.to_owned(), json!(code_of(value).ok_or_else(wrong)?));
            }
            _ if CONTACT_TEXTS.contains(&name) && (value.is_string() || value.is_null()) => {
                self.fields.insert(name.to_owned(), value.clone());
            }
            _ => return Err(wrong()),
        }
        Ok(())
    }

    /// The contact as `GET /contactos/{id}` answers it.
    pub(super) fn json(&self, open_files: usize, lang: Lang) -> Value {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), json!(self.id));
        fields.insert("numeroExpedientesAlta".to_owned(), json!(open_files));
        for name in CONTACT_TEXTS {
            fields.insert(name.to_owned(), self.fields.get(name).cloned().unwrap_or_default());
        }
        fields.insert("codigo".to_owned(), json!(self.code));
        for (name, catalogue) in CONTACT_PAIRS {
            let own = self.fields.get(name).and_then(Value::as_str).unwrap_or("1");
            let code = if name == "tipo" { &self.kind } else { own };
            fields.insert(name.to_owned(), words::pair(catalogue, code, lang));
        }
        for name in ["logo", "banco"] {
            fields.insert(name.to_owned(), self.fields.get(name).cloned().unwrap_or_default());
        }
        Value::Object(fields)
    }
}

/// Everything the firm has.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Firm {
    pub(crate) contacts: BTreeMap<i64, Contact>,
    pub(crate) files: BTreeMap<i64, CaseFile>,
    pub(super) invoices: BTreeMap<i64, Value>,
    /// Contact by kind and code.
    #[serde(with = "crate::kept::pairs")]
    codes: BTreeMap<(String, String), i64>,
    last_id: i64,
}

impl Firm {
    pub(super) fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    /// The contact of this kind and code.
    pub(crate) fn contact(&self, kind: &str, code: &str) -> Option<&Contact> {
        self.contacts.get(self.codes.get(&(kind.to_owned(), code.to_owned()))?)
    }

    /// P5: an existing contact of the same kind and code answers its own id.
    pub(super) fn get_or_create(&mut self, fields: &Map<String, Value>) -> Result<i64, Refused> {
        let mut contact = Contact { kind: "C".to_owned(), ..Contact::default() };
        let without_id: Map<String, Value> =
            fields.iter().filter(|(name, _)| *name != "id").map(|(k, v)| (k.clone(), v.clone())).collect();
        contact.change(&without_id)?;
        if let Some(existing) = self.contact(&contact.kind, &contact.code) {
            return Ok(existing.id);
        }
        contact.id = self.next_id();
        if contact.code.is_empty() {
            contact.code = contact.id.to_string();
        }
        contact.fields.entry("estado").or_insert_with(|| json!("A"));
        Ok(self.enter(contact))
    }

    /// Takes in a contact whose code is free.
    pub(super) fn enter(&mut self, contact: Contact) -> i64 {
        let id = contact.id;
        self.last_id = self.last_id.max(id);
        self.codes.insert((contact.kind.clone(), contact.code.clone()), id);
        self.contacts.insert(id, contact);
        id
    }

    /// The special action that changes a code (S13).
    pub(super) fn rename(&mut self, id: i64, code: &str) -> Result<(), Refused> {
        let contact = self.contacts.get_mut(&id).ok_or(Refused::Absent(id))?;
        let wanted = (contact.kind.clone(), code.to_owned());
        if self.codes.contains_key(&wanted) {
            return Err(Refused::Taken(code.to_owned()));
        }
        self.codes.remove(&(contact.kind.clone(), contact.code.clone()));
        code.clone_into(&mut contact.code);
        self.codes.insert(wanted, id);
        Ok(())
    }

    pub(super) fn add_file(&mut self, fields: &Map<String, Value>) -> Result<i64, Refused> {
        let given = fields.get("id").and_then(Value::as_i64);
        if let Some(taken) = given.filter(|id| self.files.contains_key(id)) {
            return Err(Refused::Taken(taken.to_string()));
        }
        let id = given.unwrap_or(self.last_id + 1);
        let mut file = CaseFile::new(id);
        file.change(fields)?;
        Ok(self.enter_file(file))
    }

    pub(super) fn enter_file(&mut self, file: CaseFile) -> i64 {
        let id = file.id;
        self.last_id = self.last_id.max(id);
        self.files.insert(id, file);
        id
    }

    pub(super) fn file_mut(&mut self, id: i64) -> Result<&mut CaseFile, Refused> {
        self.files.get_mut(&id).ok_or(Refused::Absent(id))
    }

    /// `numeroExpedientesAlta`
    pub(super) fn open_files(&self, contact: i64) -> usize {
        let holds = |file: &&CaseFile| file.holders.contains(&Some(contact)) && file.code("estado") != "B";
        self.files.values().filter(holds).count()
    }
}
