//! The REST API of a case-management program for industrial-property firms (contract of `apiges-sync`, layer A).
//!
//! A firm of any size stands behind the routes of sections 3.2 and 3.3. The contract knows paths, envelopes and the
//! fields of section 3.4; what it does not know is assumed here, and not the vendor's:
//!
//! | assumed | as |
//! |---|---|
//! | the body of searches | `{"filtros":[{"campo","filtro","valores"}]}` over the fields of section 3.4 |
//! | where name and classes of a file come from | `/expedientes/{id}/especificos`: `denominacion`, and `clases` as pairs; the description of kind `D` is the name too |
//! | the text of an item of `descripciones` | `descripcion`, in the language of `accept-language` |
//! | items of `situacion` and of `/situaciones` | pairs |
//! | items of `/graficos` | `id`, `nombre`, `mediaType`, `contenido` (base64) |
//! | items of `/anotaciones` | `id`, `fecha`, `usuario`, `asunto`, `documentos[]` with `id`, `nombre`, `mediaType`, `tamano`, `externo` and the flag `oculto` |
//! | kinds of contacts beside `C` | `I` intermediary, `A` agent, `P`, `T`, `N`, `O`, `L` |
//! | surname and first name of a contact | `apellidos`, `nombre` |
//! | lines of an invoice | written with it, as `lineas` |
//!
//! There is no field that tells when a file was changed, and no group: the contract gives none.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use integration_sandbox::apiges::{Endpoint, Role, Seed};
//! use integration_sandbox::{Fault, Sandbox};
//! use serde_json::json;
//!
//! let sandbox = Sandbox::start().await?;
//! let apiges = sandbox.apiges();
//! println!("APIGES_BASE_URL={}", apiges.base_url());
//! println!("APIGES_USERNAME={} APIGES_PASSWORD={}", apiges.username(), apiges.password());
//!
//! apiges.seed(Seed::new(20, 200).seed(7));
//! let client = apiges.add_contact(&json!({ "tipo": "C", "codigo": "4879" }))?;
//! let file = apiges.add_file(&json!({ "idCliente": client, "denominacion": "SOL", "clave": "K-1" }))?;
//! apiges.edit_file(file, &json!({ "referencia": "R-7" }))?;
//! apiges.close_file(file)?;
//! apiges.reopen_file(file)?;
//! apiges.set_graphic(file, "image/png", b"picture")?;
//!
//! // The session ends in the middle of what a program is doing.
//! apiges.inject(Endpoint::File, Fault::RevokeCredential);
//! // … run the program under test, then look for what it must never have sent:
//! assert!(!apiges.recorded_contains("K-1"));
//! # let _ = Role::Client;
//! # Ok(()) }
//! ```
//!
//! The control API does the same over HTTP, below `/_sandbox/apiges/`.

mod auth;
pub(crate) mod file;
pub(crate) mod firm;
mod invoice;
mod office;
mod search;
mod seed;
mod settings;
mod words;

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::server::{Bound, Running};
use crate::stage::{Stage, staged};

pub use crate::stage::{Recorded, Twist};
pub use seed::Seed;
pub use settings::{Endpoint, IdShape, LoginStyle, Settings, TokenPlace};
pub use words::Lang;

use file::{Annotation, CaseFile, Filed, Graphic};
pub(crate) use office::Office;

const USERNAME: &str = "integracion";
const PASSWORD: &str = "clave-del-sandbox";
/// How large the firm is from the start.
const FIRST: (u32, u32) = (20, 200);

/// Why a change by hand is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// There is nothing of this number.
    #[error("there is no {0}")]
    Absent(i64),
    /// The number or code is another's.
    #[error("{0} is taken")]
    Taken(String),
    /// There is no such field, or it cannot hold that.
    #[error("{0}: no such field, or not a value for it")]
    Value(String),
}

/// In which role a contact holds a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// `idCliente`
    #[serde(rename = "idCliente")]
    Client,
    /// `idIntermediario`
    #[serde(rename = "idIntermediario")]
    Intermediary,
    /// `idAgente`
    #[serde(rename = "idAgente")]
    Agent,
}

impl Role {
    fn field(self) -> &'static str {
        match self {
            Self::Client => "idCliente",
            Self::Intermediary => "idIntermediario",
            Self::Agent => "idAgente",
        }
    }
}

/// A document to be put into the annotations book.
///
/// ```
/// use integration_sandbox::apiges::Document;
///
/// let letter = Document::new("carta.pdf", "application/pdf", b"%PDF-1.4".to_vec());
/// let unknown = letter.clone().hidden(None); // the flag is missing, which counts as hidden
/// assert_ne!(format!("{letter:?}"), format!("{unknown:?}"));
/// ```
#[derive(Debug, Clone)]
pub struct Document {
    name: String,
    media_type: String,
    bytes: Bytes,
    hidden: Option<bool>,
    external: bool,
}

impl Document {
    /// A document that is kept in the database and not hidden.
    #[must_use]
    pub fn new(name: &str, media_type: &str, bytes: impl Into<Bytes>) -> Self {
        let (name, media_type) = (name.to_owned(), media_type.to_owned());
        Self { name, media_type, bytes: bytes.into(), hidden: Some(false), external: false }
    }

    /// Sets the hidden flag; `None` leaves it out of the answers.
    #[must_use]
    pub fn hidden(mut self, hidden: Option<bool>) -> Self {
        self.hidden = hidden;
        self
    }

    /// Kept in an outside folder.
    #[must_use]
    pub fn external(mut self) -> Self {
        self.external = true;
        self
    }
}

/// Handle of the simulated program; clones drive the same one.
///
/// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
#[derive(Debug, Clone)]
pub struct Apiges(pub(crate) Arc<Stage<Office>>);

staged!(Apiges, Endpoint);

fn fresh() -> Office {
    let mut office = Office { firm: seed::firm(Seed::new(FIRST.0, FIRST.1)), ..Office::default() };
    office.desk.add_account(USERNAME, PASSWORD);
    office
}

impl Apiges {
    /// Serves the program on a bound port until the guard is dropped.
    pub(crate) fn serve(bound: Bound) -> (Self, Running) {
        let stage = Arc::new(Stage::new(bound.url(), bound.door(), fresh()));
        (Self(Arc::clone(&stage)), bound.serve(stage))
    }

    /// Root of all URLs, such as `http://127.0.0.1:7807`, without a slash at its end.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// User of the account that is there from the start.
    #[must_use]
    pub fn username(&self) -> &str {
        USERNAME
    }

    /// Password of the account that is there from the start.
    #[must_use]
    pub fn password(&self) -> &str {
        PASSWORD
    }

    /// Adds an account, or changes the password of one.
    pub fn add_account(&self, user: &str, password: &str) {
        self.0.state().office.desk.add_account(user, password);
    }

    /// Every token ends now.
    pub fn revoke_tokens(&self) {
        self.0.state().office.desk.revoke_all();
    }

    /// How often somebody logged in, and how often that was refused.
    #[must_use]
    pub fn logins(&self) -> (usize, usize) {
        let state = self.0.state();
        (state.office.desk.logins, state.office.desk.refused)
    }

    /// Puts a made-up firm in the place of this one.
    pub fn seed(&self, seed: Seed) {
        let firm = seed::firm(seed);
        self.0.state().office.firm = firm;
    }

    /// A firm without contacts and files.
    pub fn clear(&self) {
        self.0.state().office.firm = firm::Firm::default();
    }

    /// Adds a contact, or answers the id of the one with the same `tipo` and `codigo` (P5).
    ///
    /// # Errors
    ///
    /// [`Refused::Value`] for a field that a contact does not have.
    pub fn add_contact(&self, fields: &Value) -> Result<i64, Refused> {
        self.0.state().office.firm.get_or_create(&object(fields))
    }

    /// Changes a contact; its code changes by [`rename_contact`](Self::rename_contact).
    ///
    /// # Errors
    ///
    /// [`Refused`] if there is no such contact or field.
    pub fn edit_contact(&self, id: i64, fields: &Value) -> Result<(), Refused> {
        let mut fields = object(fields);
        if fields.remove("codigo").is_some() || fields.remove("tipo").is_some() {
            return Err(Refused::Value("codigo".to_owned()));
        }
        self.0.state().office.firm.contacts.get_mut(&id).ok_or(Refused::Absent(id))?.change(&fields)
    }

    /// Gives a contact another code (S13).
    ///
    /// # Errors
    ///
    /// [`Refused`] if there is no such contact, or the code is another's of its kind.
    pub fn rename_contact(&self, id: i64, code: &str) -> Result<(), Refused> {
        self.0.state().office.firm.rename(id, code)
    }

    /// Id of the contact of this kind and code.
    #[must_use]
    pub fn contact_id(&self, kind: &str, code: &str) -> Option<i64> {
        self.0.state().office.firm.contact(kind, code).map(|contact| contact.id)
    }

    /// Id, kind and code of every contact, by id.
    #[must_use]
    pub fn contacts(&self) -> Vec<(i64, String, String)> {
        let state = self.0.state();
        let contacts = state.office.firm.contacts.values();
        contacts.map(|contact| (contact.id, contact.kind.clone(), contact.code.clone())).collect()
    }

    /// A contact as the API answers it in Spanish.
    #[must_use]
    pub fn contact(&self, id: i64) -> Option<Value> {
        let state = self.0.state();
        let firm = &state.office.firm;
        firm.contacts.get(&id).map(|contact| contact.json(firm.open_files(id), Lang::Es))
    }

    /// Adds a file with these fields: those of section 3.4, pairs as their code or as pairs, and `denominacion`,
    /// `clases`, `actos`, `tareas`, `prioridades`, `titulares`. `id` may be given.
    ///
    /// # Errors
    ///
    /// [`Refused`] for an id that is taken and a field that a file does not have.
    pub fn add_file(&self, fields: &Value) -> Result<i64, Refused> {
        self.0.state().office.firm.add_file(&object(fields))
    }

    /// Changes fields of a file, as [`add_file`](Self::add_file) takes them.
    ///
    /// # Errors
    ///
    /// [`Refused`] if there is no such file or field.
    pub fn edit_file(&self, id: i64, fields: &Value) -> Result<(), Refused> {
        self.0.state().office.firm.file_mut(id)?.change(&object(fields))
    }

    /// State Baja.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file.
    pub fn close_file(&self, id: i64) -> Result<(), Refused> {
        self.edit_file(id, &json!({ "estado": "B" }))
    }

    /// State Alta.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file.
    pub fn reopen_file(&self, id: i64) -> Result<(), Refused> {
        self.edit_file(id, &json!({ "estado": "A" }))
    }

    /// Another contact, or none, holds the file in a role.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file or contact.
    pub fn move_file(&self, id: i64, role: Role, contact: Option<i64>) -> Result<(), Refused> {
        let mut state = self.0.state();
        let firm = &mut state.office.firm;
        if let Some(unknown) = contact.filter(|contact| !firm.contacts.contains_key(contact)) {
            return Err(Refused::Absent(unknown));
        }
        let fields = Map::from_iter([(role.field().to_owned(), json!(contact))]);
        firm.file_mut(id)?.change(&fields)
    }

    /// Takes a file away, which the program's own users cannot do.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file.
    pub fn remove_file(&self, id: i64) -> Result<(), Refused> {
        self.0.state().office.firm.files.remove(&id).map(|_| ()).ok_or(Refused::Absent(id))
    }

    /// Every file's id in ascending order.
    #[must_use]
    pub fn file_ids(&self) -> Vec<i64> {
        self.0.state().office.firm.files.keys().copied().collect()
    }

    /// A file as the API answers it in a language, whatever the settings.
    #[must_use]
    pub fn file(&self, id: i64, lang: Lang) -> Option<Value> {
        let state = self.0.state();
        state.office.firm.files.get(&id).map(|file| file.json(lang, &Settings::default()))
    }

    /// Puts a picture in the place of all that a file has; no bytes take them away.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file.
    pub fn set_graphic(&self, id: i64, media_type: &str, bytes: &[u8]) -> Result<(), Refused> {
        let mut state = self.0.state();
        let file = state.office.firm.file_mut(id)?;
        file.graphics.clear();
        if !bytes.is_empty() {
            let bytes = Bytes::copy_from_slice(bytes);
            file.graphics.push(Graphic { id: 1, media_type: media_type.to_owned(), bytes });
        }
        Ok(())
    }

    /// Digest, media type and bytes of a file's first picture.
    pub(crate) fn picture(&self, id: i64) -> Option<(String, String, Bytes)> {
        let state = self.0.state();
        let picture = state.office.firm.files.get(&id)?.graphics.first()?;
        let digest = ring::digest::digest(&ring::digest::SHA256, &picture.bytes);
        Some((crate::blob::hex(digest.as_ref()), picture.media_type.clone(), picture.bytes.clone()))
    }

    /// Enters a note into the annotations book; answers its id within the file.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file.
    pub fn add_annotation(&self, id: i64, subject: &str) -> Result<u32, Refused> {
        let mut state = self.0.state();
        let fecha = state.timeline.now().day(0).strftime("%d/%m/%Y").to_string();
        let notes = &mut state.office.firm.file_mut(id)?.annotations;
        let number = notes.iter().map(|note| note.id).max().unwrap_or(0) + 1;
        let (usuario, asunto) = ("u1".to_owned(), subject.to_owned());
        notes.push(Annotation { id: number, fecha, usuario, asunto, documents: Vec::new() });
        Ok(number)
    }

    /// Files a document with a note; answers its id, which is its own within the file.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such file or note.
    pub fn add_document(&self, id: i64, annotation: u32, document: Document) -> Result<u32, Refused> {
        let mut state = self.0.state();
        let file = state.office.firm.file_mut(id)?;
        let last = file.annotations.iter().flat_map(|note| &note.documents).map(|filed| filed.id).max();
        let number = last.unwrap_or(0) + 1;
        let note = file.annotation_mut(annotation).ok_or(Refused::Absent(annotation.into()))?;
        let Document { name, media_type, bytes, hidden, external } = document;
        note.documents.push(Filed { id: number, name, media_type, bytes, hidden, external });
        Ok(number)
    }

    /// Sets the hidden flag of a document; `None` leaves it out of the answers, which counts as hidden.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such document.
    pub fn hide_document(
        &self,
        id: i64,
        annotation: u32,
        document: u32,
        hidden: Option<bool>,
    ) -> Result<(), Refused> {
        let mut state = self.0.state();
        let file = state.office.firm.file_mut(id)?;
        file.document_mut(annotation, document).ok_or(Refused::Absent(document.into()))?.hidden = hidden;
        Ok(())
    }

    /// Takes a document away.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such document.
    pub fn remove_document(&self, id: i64, annotation: u32, document: u32) -> Result<(), Refused> {
        let mut state = self.0.state();
        let note = state.office.firm.file_mut(id)?.annotation_mut(annotation);
        let documents = &mut note.ok_or(Refused::Absent(annotation.into()))?.documents;
        let place = documents.iter().position(|filed| filed.id == document);
        documents.remove(place.ok_or(Refused::Absent(document.into()))?);
        Ok(())
    }

    /// Takes a note and its documents away.
    ///
    /// # Errors
    ///
    /// [`Refused::Absent`] if there is no such note.
    pub fn remove_annotation(&self, id: i64, annotation: u32) -> Result<(), Refused> {
        let mut state = self.0.state();
        let notes = &mut state.office.firm.file_mut(id)?.annotations;
        let place = notes.iter().position(|note| note.id == annotation);
        notes.remove(place.ok_or(Refused::Absent(annotation.into()))?);
        Ok(())
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.state().office.settings.clone()
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.state().office.settings);
    }

    /// Back to the beginning: the first firm, default settings, a running clock, no tokens, requests or faults.
    /// A port that refuses connections stays so.
    pub fn reset(&self) {
        self.0.reset(fresh());
    }

    /// Everything that can be read back in short, as JSON for the control API.
    pub(crate) fn snapshot(&self) -> Value {
        let state = self.0.state();
        let office = &state.office;
        json!({
            "base_url": self.0.base_url,
            "username": USERNAME,
            "password": PASSWORD,
            "now": state.timeline.now().iso_micros(),
            "contacts": office.firm.contacts.len(),
            "files": office.firm.files.len(),
            "invoices": office.firm.invoices.len(),
            "logins": office.desk.logins,
            "refused_logins": office.desk.refused,
            "requests": state.requests,
            "connections": state.connections,
            "faults": state.faults,
            "twists": state.twists,
            "settings": office.settings,
        })
    }
}

/// What is no object has no fields.
fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// What a viewer's picture of a file is made of, for whoever judges what he may see.
pub(crate) fn seen(file: &CaseFile, lang: Lang) -> Map<String, Value> {
    let mut fields = Map::new();
    for name in ["modalidad", "pais", "estado"] {
        let catalogue =
            file::PAIRS.iter().find(|(own, _)| *own == name).map_or("", |(_, catalogue)| *catalogue);
        fields.insert(name.to_owned(), words::pair(catalogue, file.code(name), lang));
    }
    for name in ["numero", "bis", "referencia", "referencia2", "referencia3", "clave"] {
        fields.insert(name.to_owned(), json!(file.text(name)));
    }
    fields.insert("denominacion".to_owned(), json!(&*file.name));
    fields.insert(
        "clases".to_owned(),
        file.classes.iter().map(|class| words::pair("clases", class, lang)).collect(),
    );
    fields.insert("fechaVencimiento".to_owned(), json!(file.expires()));
    fields.insert("situacion".to_owned(), file.situations_json(lang));
    fields.insert("descripciones".to_owned(), file.descriptions(lang));
    fields
}
