//! The firm's files as the vendor's REST API gives them (contract 3.2, 3.4, 4.4).
//!
//! Files are found by the field of the holder's role and then read one by one. **Where name, classes and graphic stand is not known**
//! (questions 5 to 7 of the contract): [`Reading`] holds what is assumed. Whether a list is complete is what the client's
//! [`Assumptions`](crate::Assumptions) say of searches, which is unknown unless the firm declares it (trap 25).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use integration_core::{Error, ErrorKind, Outcome};

use super::ports::{Asked, CaseList, CaseSource};
use crate::case_file::{CaseFile, Description};
use crate::client::Client;
use crate::grant::HolderRole;
use crate::language::Lang;
use crate::pair::Pair;
use crate::record::{Data, FieldError, Record};
use crate::search::{Completeness, Search};
use crate::visible::CaseFacts;
use crate::web::{self, Blob, Graphic, Labelled, View};

/// Where in the answers stands what the contract does not place. All of it is **assumed**.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The kind of description that is the file's name.
    pub name_kind: String,
    /// The field of a description that holds its text.
    pub description_text: String,
    /// The field of the specific data that lists the classes; nothing: they are not read.
    pub classes: Option<String>,
    /// Whether the first of a file's graphics is shown.
    pub graphics: bool,
    /// The field of a graphic that holds its bytes as base64.
    pub graphic_bytes: String,
    /// The field of a graphic that holds its media type.
    pub graphic_type: String,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            name_kind: "D".to_owned(),
            description_text: "descripcion".to_owned(),
            classes: Some("clases".to_owned()),
            graphics: true,
            graphic_bytes: "contenido".to_owned(),
            graphic_type: "mediaType".to_owned(),
        }
    }
}

/// Case files through the vendor's API.
///
/// ```no_run
/// use apiges_sync::sync::RestCases;
///
/// let cases = RestCases::new(apiges_sync::Client::from_env()?);
/// # Ok::<(), apiges_sync::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct RestCases {
    client: Client,
    reading: Reading,
}

impl RestCases {
    /// Reads through this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, reading: Reading::default() }
    }

    /// Reads by other assumptions.
    #[must_use]
    pub fn reading(self, reading: Reading) -> Self {
        Self { reading, ..self }
    }

    async fn facts(&self, id: u64, lang: Lang) -> Result<Option<CaseFacts>, Error> {
        let client = self.client.in_language(lang);
        let file = match client.case_file(id).await {
            Err(error) if error.is_not_found() => return Ok(None),
            file => file?,
        };
        let classes = match &self.reading.classes {
            Some(field) => classes(&client.case_file_specifics(id).await?, field).map_err(unreadable)?,
            None => vec![],
        };
        let graphic = self.first_graphic(id).await?;
        let full = self.view(&file, classes, graphic.as_ref()).map_err(unreadable)?;
        let (client, intermediary, agent) = (file.client_id, file.intermediary_id, file.agent_id);
        Ok(Some(CaseFacts { case_id: file.id, client, intermediary, agent, full }))
    }

    async fn first_graphic(&self, id: u64) -> Result<Option<Blob>, Error> {
        if !self.reading.graphics {
            return Ok(None);
        }
        let graphics = self.client.case_file_graphics(id).await?;
        graphics.first().map(|graphic| self.graphic_of(graphic)).transpose()
    }

    fn graphic_of(&self, graphic: &Record) -> Result<Blob, Error> {
        let text = |name: &str| graphic.text(name).map_err(unreadable);
        let (bytes, media_type) = (text(&self.reading.graphic_bytes)?, text(&self.reading.graphic_type)?);
        let wrong = || unreadable(FieldError::new(&self.reading.graphic_bytes, "base64"));
        let bytes = STANDARD.decode(bytes.ok_or_else(wrong)?).map_err(|_| wrong())?;
        let media_type = media_type.unwrap_or_else(|| "application/octet-stream".to_owned());
        Ok(Blob::bytes(media_type, bytes))
    }

    fn view(&self, file: &CaseFile, clases: Vec<String>, graphic: Option<&Blob>) -> Result<View, FieldError> {
        let described = |one: &Description| one.extra.text(&self.reading.description_text);
        let is_name =
            |one: &&Description| one.kind.as_ref().is_some_and(|kind| kind.code == self.reading.name_kind);
        let denominacion = file.descriptions.iter().find(is_name).map(described).transpose()?.flatten();
        let mut descripciones = Vec::new();
        for one in &file.descriptions {
            let tipo = one.kind.as_ref().map(labelled);
            descripciones.extend(described(one)?.map(|descripcion| web::Description { tipo, descripcion }));
        }
        let pair = |code: &str, description: &Option<String>| Labelled {
            codigo: code.to_owned(),
            descripcion: description.clone(),
        };
        let grafico = graphic.map(|blob| Graphic {
            sha256: blob.sha256,
            media_type: blob.media_type.clone(),
            bytes: blob.bytes,
        });
        Ok(View {
            modalidad: file
                .modality
                .as_ref()
                .map(|modality| pair(modality.code.as_str(), &modality.description)),
            numero: file.number.clone(),
            bis: file.bis.clone(),
            pais: file.country.as_ref().map(labelled),
            denominacion,
            clases,
            fecha_vencimiento: file.expires,
            estado: file.state.as_ref().map(|state| pair(state.code.as_str(), &state.description)),
            situacion: file.situations.iter().map(situation).collect::<Result<_, _>>()?,
            descripciones,
            grafico,
            referencia: file.reference.clone(),
            referencia2: file.reference2.clone(),
            referencia3: file.reference3.clone(),
            clave: file.key.clone(),
        })
    }
}

impl CaseSource for RestCases {
    fn case(&self, id: u64, lang: Lang) -> Asked<'_, Option<CaseFacts>> {
        Box::pin(self.facts(id, lang))
    }

    fn held_by(&self, role: HolderRole, contact_id: u64) -> Asked<'_, CaseList> {
        Box::pin(async move {
            let field = match role {
                HolderRole::Client => "idCliente",
                HolderRole::Intermediary => "idIntermediario",
                HolderRole::Agent => "idAgente",
            };
            let found =
                self.client.search_case_files(&Search::all().equal(field, [contact_id.to_string()])).await?;
            let unread = found.unreadable.iter().filter_map(|row| row.id);
            let ids = found.rows.iter().map(|file| file.id).chain(unread).collect();
            Ok(CaseList { ids, complete: found.completeness() == Completeness::Complete })
        })
    }

    fn graphic(&self, id: u64) -> Asked<'_, Option<Blob>> {
        Box::pin(self.first_graphic(id))
    }
}

fn labelled(pair: &Pair) -> Labelled {
    Labelled { codigo: pair.code.clone(), descripcion: pair.description.clone() }
}

/// A situation: a pair, or its code alone.
fn situation(data: &Data) -> Result<Labelled, FieldError> {
    let pair = match data.record() {
        Some(record) => (record.text("codigo")?, record.text("descripcion")?),
        None => (data.text(), None),
    };
    let codigo = pair.0.ok_or_else(|| FieldError::new("situacion", "a pair or a code"))?;
    Ok(Labelled { codigo, descripcion: pair.1 })
}

/// Pairs, or codes alone; a field that is not there has none.
fn classes(specifics: &Data, field: &str) -> Result<Vec<String>, FieldError> {
    let Some(record) = specifics.record() else { return Ok(vec![]) };
    let wrong = || FieldError::new(field, "a list of pairs or codes");
    let code = |one: &Data| match one.record() {
        Some(pair) => pair.text("codigo")?.ok_or_else(wrong),
        None => one.text().ok_or_else(wrong),
    };
    record.list(field)?.unwrap_or_default().iter().map(code).collect()
}

/// A field of another form: its name, never its value.
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` hands it over")]
fn unreadable(error: FieldError) -> Error {
    Error::new(ErrorKind::UnexpectedAnswer, "read a case file for the web")
        .with_outcome(Outcome::NotSent)
        .with_message(format!("`{}` is not as assumed", error.field()))
        .with_hint("see Reading for what is assumed about it")
}
