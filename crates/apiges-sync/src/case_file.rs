//! Case files and everything below them (contract 3.2, 3.4).
//!
//! The rules enforced here: a bad date is an error of its file and never a guess; a state or modality that the contract does not know is
//! kept; `Debug` shows number, state and modality and nothing that a grant may hide.

use std::fmt;

use http::Method;
use integration_core::Error;
use integration_core::call::{Idempotency, Operation};
use serde::Serialize;

use crate::client::{Ask, Client};
use crate::date::CalendarDate;
use crate::pair::{Modality, Pair, State};
use crate::record::{Data, FieldError, Record};
use crate::search::{Found, Search};
use crate::wire::Received;

const READ: Operation = Operation::get("read a case file", "/expedientes/{id}");
const ACTS: Operation = Operation::get("list the acts of a case file", "/expedientes/{id}/actos");
const NOTES: Operation = Operation::get("list the notes of a case file", "/expedientes/{id}/anotaciones");
const SPECIFICS: Operation =
    Operation::get("read the specific data of a case file", "/expedientes/{id}/especificos");
const GRAPHICS: Operation = Operation::get("list the graphics of a case file", "/expedientes/{id}/graficos");
const PRIORITIES: Operation =
    Operation::get("list the priorities of a case file", "/expedientes/{id}/prioridades");
const SITUATIONS: Operation =
    Operation::get("list the situations of a case file", "/expedientes/{id}/situaciones");
const TASKS: Operation = Operation::get("list the tasks of a case file", "/expedientes/{id}/tareas");
const HOLDERS: Operation = Operation::get("list the holders of a case file", "/expedientes/{id}/titulares");
const ACT: Operation = Operation::get("read an act", "/expedientes/{id}/actos/{idActo}");
const TASK: Operation = Operation::get("read a task", "/expedientes/{id}/tareas/{idTarea}");
const AMOUNTS: Operation =
    Operation::get("list the amounts of a task", "/expedientes/{id}/tareas/{idTarea}/importes");
const CREATE: Operation = Operation::post("create a case file", "/expedientes", Idempotency::Once);
const SEARCH: Operation = Operation::post("search case files", "/expedientes/search", Idempotency::Safe);
const SEARCH_ACTS: Operation = Operation::post("search acts", "/expedientes/actos/search", Idempotency::Safe);
const SEARCH_TASKS: Operation =
    Operation::post("search tasks", "/expedientes/tareas/search", Idempotency::Safe);
const ADD_ACT: Operation =
    Operation::post("add an act to a case file", "/expedientes/{id}/actos", Idempotency::Once);
const ADD_TASK: Operation =
    Operation::post("add a task to a case file", "/expedientes/{id}/tareas", Idempotency::Once);
const ADD_AMOUNT: Operation = Operation::post(
    "add an amount to a task",
    "/expedientes/{id}/tareas/{idTarea}/importes",
    Idempotency::Once,
);
const ADD_HOLDER: Operation =
    Operation::post("add a holder to a case file", "/expedientes/{id}/titulares", Idempotency::Once);
const CHANGE: Operation =
    Operation::new("change a case file", Method::PUT, "/expedientes/{id}", Idempotency::Once);
const CHANGE_TASK: Operation =
    Operation::new("change a task", Method::PUT, "/expedientes/{id}/tareas/{idTarea}", Idempotency::Once);
const CHANGE_AMOUNT: Operation = Operation::new(
    "change an amount of a task",
    Method::PUT,
    "/expedientes/{id}/tareas/{idTarea}/importes/{idImporte}",
    Idempotency::Once,
);

pub(crate) const OPERATIONS: [Operation; 23] = [
    READ,
    ACTS,
    ACT,
    NOTES,
    SPECIFICS,
    GRAPHICS,
    PRIORITIES,
    SITUATIONS,
    TASKS,
    TASK,
    AMOUNTS,
    HOLDERS,
    CREATE,
    SEARCH,
    SEARCH_ACTS,
    SEARCH_TASKS,
    ADD_ACT,
    ADD_TASK,
    ADD_AMOUNT,
    ADD_HOLDER,
    CHANGE,
    CHANGE_TASK,
    CHANGE_AMOUNT,
];

const KNOWN: [&str; 23] = [
    "id",
    "idCliente",
    "idIntermediario",
    "idAgente",
    "empresa",
    "delegacion",
    "departamento",
    "division",
    "estado",
    "modalidad",
    "pais",
    "clave",
    "bis",
    "referencia",
    "referencia2",
    "referencia3",
    "referencia4",
    "observacion",
    "numero",
    "aplicacionExterna",
    "situacion",
    "fechaVencimiento",
    "descripciones",
];

/// A case file (contract 3.4): its number is its identity; number, bis, modality and country are for people.
///
/// Its `Debug` shows number, state and modality; references and keys are what a grant may hide.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("expediente", "marca", "patente"))]
pub struct CaseFile {
    /// `id`.
    pub id: u64,
    /// `idCliente`: the contact that is its client.
    #[doc(alias = "idCliente")]
    pub client_id: Option<u64>,
    /// `idIntermediario`.
    #[doc(alias = "idIntermediario")]
    pub intermediary_id: Option<u64>,
    /// `idAgente`.
    #[doc(alias = "idAgente")]
    pub agent_id: Option<u64>,
    /// `empresa`.
    #[doc(alias = "empresa")]
    pub company: Option<Pair>,
    /// `delegacion`.
    #[doc(alias = "delegacion")]
    pub branch: Option<Pair>,
    /// `departamento`.
    #[doc(alias = "departamento")]
    pub department: Option<Pair>,
    /// `division`.
    pub division: Option<Pair>,
    /// `estado`.
    #[doc(alias = "estado")]
    pub state: Option<Pair<State>>,
    /// `modalidad`.
    #[doc(alias = "modalidad")]
    pub modality: Option<Pair<Modality>>,
    /// `pais`.
    #[doc(alias = "pais")]
    pub country: Option<Pair>,
    /// `clave`.
    #[doc(alias = "clave")]
    pub key: Option<String>,
    /// `bis`.
    pub bis: Option<String>,
    /// `referencia`.
    #[doc(alias = "referencia")]
    pub reference: Option<String>,
    /// `referencia2`.
    #[doc(alias = "referencia2")]
    pub reference2: Option<String>,
    /// `referencia3`.
    #[doc(alias = "referencia3")]
    pub reference3: Option<String>,
    /// `referencia4`: never shown to anybody on the web (N3).
    #[doc(alias = "referencia4")]
    pub reference4: Option<String>,
    /// `observacion`: never shown to anybody on the web.
    #[doc(alias = "observacion")]
    pub observation: Option<String>,
    /// `numero`.
    #[doc(alias = "numero")]
    pub number: Option<String>,
    /// `aplicacionExterna`: its id in another system.
    #[doc(alias = "aplicacionExterna")]
    pub external_id: Option<String>,
    /// `situacion`, whose elements the contract does not describe; empty if it is not there.
    #[doc(alias = "situacion")]
    pub situations: Vec<Data>,
    /// `fechaVencimiento`.
    #[doc(alias = "fechaVencimiento")]
    pub expires: Option<CalendarDate>,
    /// `descripciones`; empty if they are not there.
    #[doc(alias = "descripciones")]
    pub descriptions: Vec<Description>,
    /// Everything else, as it came.
    pub extra: Record,
}

impl CaseFile {
    pub(crate) fn read(record: Record) -> Result<Self, FieldError> {
        Ok(Self {
            id: record.id("id")?.ok_or_else(|| FieldError::new("id", "there"))?,
            client_id: record.id("idCliente")?,
            intermediary_id: record.id("idIntermediario")?,
            agent_id: record.id("idAgente")?,
            company: record.pair("empresa")?,
            branch: record.pair("delegacion")?,
            department: record.pair("departamento")?,
            division: record.pair("division")?,
            state: record.pair("estado")?,
            modality: record.pair("modalidad")?,
            country: record.pair("pais")?,
            key: record.text("clave")?,
            bis: record.text("bis")?,
            reference: record.text("referencia")?,
            reference2: record.text("referencia2")?,
            reference3: record.text("referencia3")?,
            reference4: record.text("referencia4")?,
            observation: record.text("observacion")?,
            number: record.text("numero")?,
            external_id: record.text("aplicacionExterna")?,
            situations: record.list("situacion")?.unwrap_or_default(),
            expires: record.date("fechaVencimiento")?,
            descriptions: Description::all(&record)?,
            extra: record.without(&KNOWN),
        })
    }

    /// Whether its state is Baja. A state that is unknown, or not there, is not Baja and not [`is_open`](Self::is_open) either.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.code == State::Closed)
    }

    /// Whether its state is Alta.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.as_ref().is_some_and(|state| state.code == State::Open)
    }
}

impl fmt::Debug for CaseFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaseFile")
            .field("id", &self.id)
            .field("state", &self.state.as_ref().map(|state| &state.code))
            .field("modality", &self.modality.as_ref().map(|modality| &modality.code))
            .finish_non_exhaustive()
    }
}

/// One of a case file's descriptions: the name of a mark, and more. Which field holds its text the contract does not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// `id`.
    pub id: Option<u64>,
    /// `tipo`: what it describes, a value of `/tipos/descripciones`.
    #[doc(alias = "tipo")]
    pub kind: Option<Pair>,
    /// Everything else, as it came.
    pub extra: Record,
}

impl Description {
    fn all(file: &Record) -> Result<Vec<Self>, FieldError> {
        let all = file.list("descripciones")?.unwrap_or_default().into_iter().enumerate();
        all.map(|(place, one)| {
            let within = |error: FieldError| error.within(format!("descripciones[{place}]"));
            let record = one.record();
            record
                .ok_or_else(|| FieldError::new(format!("descripciones[{place}]"), "an object"))
                .and_then(|record| Self::read(record).map_err(within))
        })
        .collect()
    }

    fn read(record: Record) -> Result<Self, FieldError> {
        let (id, kind) = (record.id("id")?, record.pair("tipo")?);
        Ok(Self { id, kind, extra: record.without(&["id", "tipo"]) })
    }
}

impl Client {
    /// `GET /expedientes/{id}` (contract 3.2): one case file. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; [`Problem::Date`](crate::Problem::Date) for a date that is none,
    /// [`Problem::UnexpectedShape`](crate::Problem::UnexpectedShape) for a file without `id` or with a field of another shape.
    ///
    /// ```no_run
    /// # async fn run(client: apiges_sync::Client) -> Result<(), apiges_sync::Error> {
    /// use apiges_sync::Lang;
    ///
    /// let file = client.in_language(Lang::En).case_file(3992).await?;
    /// println!("{:?} expires {:?}", file.modality, file.expires);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("expedientes", "expediente"))]
    pub async fn case_file(&self, id: u64) -> Result<CaseFile, Error> {
        self.ask(Ask::new(READ).id("id", id), |received| received.one(CaseFile::read)).await
    }

    /// `GET /expedientes/{id}/actos` (contract 3.2): its acts, whose fields the contract does not tell. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; a list of anything but objects is [`Problem::UnexpectedShape`](crate::Problem::UnexpectedShape).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for act in client.case_file_acts(case).await? {
    ///     println!("{:?}", act.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "actos")]
    pub async fn case_file_acts(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(ACTS).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/anotaciones` (contract 3.2): its notes, the annotations book. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for note in client.case_file_notes(case).await? {
    ///     println!("{:?}", note.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias("anotaciones", "libro de anotaciones"))]
    pub async fn case_file_notes(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(NOTES).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/especificos` (contract 3.2): its specific data. Whether that is an object or a list the contract does not
    /// tell. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; a success without data is [`Problem::NoData`](crate::Problem::NoData).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// let specifics = client.case_file_specifics(case).await?;
    /// println!("an object: {}", specifics.record().is_some());
    /// # Ok(()) });
    /// ```
    #[doc(alias("especificos", "específicos"))]
    pub async fn case_file_specifics(&self, id: u64) -> Result<Data, Error> {
        self.ask(Ask::new(SPECIFICS).id("id", id), |received| received.due().cloned()).await
    }

    /// `GET /expedientes/{id}/graficos` (contract 3.2): its graphics. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for graphic in client.case_file_graphics(case).await? {
    ///     println!("{:?}", graphic.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias("graficos", "gráficos"))]
    pub async fn case_file_graphics(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(GRAPHICS).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/prioridades` (contract 3.2): its priorities. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for priority in client.case_file_priorities(case).await? {
    ///     println!("{:?}", priority.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "prioridades")]
    pub async fn case_file_priorities(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(PRIORITIES).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/situaciones` (contract 3.2): its situations. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for situation in client.case_file_situations(case).await? {
    ///     println!("{:?}", situation.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "situaciones")]
    pub async fn case_file_situations(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(SITUATIONS).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/tareas` (contract 3.2): its tasks. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for task in client.case_file_tasks(case).await? {
    ///     println!("{:?}", task.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "tareas")]
    pub async fn case_file_tasks(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(TASKS).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/titulares` (contract 3.2): its holders. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for holder in client.case_file_holders(case).await? {
    ///     println!("{:?}", holder.names().collect::<Vec<_>>());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "titulares")]
    pub async fn case_file_holders(&self, id: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(HOLDERS).id("id", id), Received::records).await
    }

    /// `GET /expedientes/{id}/actos/{idActo}` (contract 3.2): one act. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// What the call met; anything but an object is [`Problem::UnexpectedShape`](crate::Problem::UnexpectedShape).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// let act = client.case_file_act(case, 1).await?;
    /// println!("{:?}", act.names().collect::<Vec<_>>());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "acto")]
    pub async fn case_file_act(&self, id: u64, act: u64) -> Result<Record, Error> {
        self.ask(Ask::new(ACT).id("id", id).id("idActo", act), Received::record).await
    }

    /// `GET /expedientes/{id}/tareas/{idTarea}` (contract 3.2): one task. May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_act`](Self::case_file_act).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// let task = client.case_file_task(case, 1).await?;
    /// println!("{:?}", task.names().collect::<Vec<_>>());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "tarea")]
    pub async fn case_file_task(&self, id: u64, task: u64) -> Result<Record, Error> {
        self.ask(Ask::new(TASK).id("id", id).id("idTarea", task), Received::record).await
    }

    /// `GET /expedientes/{id}/tareas/{idTarea}/importes` (contract 3.2): the amounts of a task; [`Record::decimal`] reads them exactly.
    /// May be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`case_file_acts`](Self::case_file_acts).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// for amount in client.task_amounts(case, 1).await? {
    ///     println!("{:?}", amount.decimal("importe")?);
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "importes")]
    pub async fn task_amounts(&self, id: u64, task: u64) -> Result<Vec<Record>, Error> {
        self.ask(Ask::new(AMOUNTS).id("id", id).id("idTarea", task), Received::records).await
    }

    /// `POST /expedientes/search` (contract 3.2, 3.3): the case files that match. Reads only, and may be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// A validation error for a condition that cannot be right; what the call met. A bad field is an error of its row.
    ///
    /// ```no_run
    /// # async fn run(client: apiges_sync::Client) -> Result<(), apiges_sync::Error> {
    /// use apiges_sync::{Completeness, Search};
    ///
    /// let found = client.search_case_files(&Search::all().equal("idCliente", [4879])).await?;
    /// for row in &found.unreadable {
    ///     eprintln!("{row}");
    /// }
    /// if found.completeness() == Completeness::Unknown {
    ///     println!("{} files, and perhaps more", found.rows.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("expedientes", "buscar"))]
    pub async fn search_case_files(&self, search: &Search) -> Result<Found<CaseFile>, Error> {
        self.search(SEARCH, search, CaseFile::read).await
    }

    /// `POST /expedientes/actos/search` (contract 3.2): the acts that match. Reads only, and may be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`search_case_files`](Self::search_case_files).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use apiges_sync::Search;
    ///
    /// let found = client.search_acts(&Search::all().equal("idExpediente", [3992])).await?;
    /// println!("{} acts, {:?}", found.rows.len(), found.completeness());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "actos")]
    pub async fn search_acts(&self, search: &Search) -> Result<Found<Record>, Error> {
        self.search(SEARCH_ACTS, search, Ok).await
    }

    /// `POST /expedientes/tareas/search` (contract 3.2): the tasks that match. Reads only, and may be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// # Errors
    /// As [`search_case_files`](Self::search_case_files).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use apiges_sync::Search;
    ///
    /// let found = client.search_tasks(&Search::all().equal("idExpediente", [3992])).await?;
    /// println!("{} tasks, {:?}", found.rows.len(), found.completeness());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "tareas")]
    pub async fn search_tasks(&self, search: &Search) -> Result<Found<Record>, Error> {
        self.search(SEARCH_TASKS, search, Ok).await
    }

    /// `POST /expedientes` (contract 3.2): creates a case file; answers what the service says, which may be nothing. The body's fields
    /// are the caller's. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error if the body is no JSON object; what the call met, where [`Error::is_outcome_unknown`] tells that it may
    /// have been created: search for it, for example by `aplicacionExterna`, before creating it again.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.create_case_file(&json!({ "numero": "M-2026-0042", "aplicacionExterna": "order-42" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "expediente")]
    pub async fn create_case_file(&self, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.write(Ask::new(CREATE), body).await
    }

    /// `POST /expedientes/{id}/actos` (contract 3.2): adds an act. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.add_act(case, &json!({ "descripcion": "Solicitud presentada" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "acto")]
    pub async fn add_act(&self, id: u64, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.write(Ask::new(ADD_ACT).id("id", id), body).await
    }

    /// `POST /expedientes/{id}/tareas` (contract 3.2): adds a task. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.add_task(case, &json!({ "descripcion": "Pagar tasa" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "tarea")]
    pub async fn add_task(&self, id: u64, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.write(Ask::new(ADD_TASK).id("id", id), body).await
    }

    /// `POST /expedientes/{id}/tareas/{idTarea}/importes` (contract 3.2): adds an amount to a task. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.add_task_amount(case, 1, &json!({ "importe": "125.54" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "importe")]
    pub async fn add_task_amount(
        &self,
        id: u64,
        task: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(ADD_AMOUNT).id("id", id).id("idTarea", task), body).await
    }

    /// `POST /expedientes/{id}/titulares` (contract 3.2): adds a holder. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.add_case_file_holder(case, &json!({ "idTitular": 1 })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "titular")]
    pub async fn add_case_file_holder(
        &self,
        id: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(ADD_HOLDER).id("id", id), body).await
    }

    /// `PUT /expedientes/{id}` (contract 3.2): changes a case file. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.change_case_file(case, &json!({ "referencia": "ACME-7" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "expediente")]
    pub async fn change_case_file(&self, id: u64, body: &(impl Serialize + ?Sized)) -> Result<Data, Error> {
        self.write(Ask::new(CHANGE).id("id", id), body).await
    }

    /// `PUT /expedientes/{id}/tareas/{idTarea}` (contract 3.2): changes a task. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.change_task(case, 1, &json!({ "descripcion": "Tasa pagada" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    pub async fn change_task(
        &self,
        id: u64,
        task: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(CHANGE_TASK).id("id", id).id("idTarea", task), body).await
    }

    /// `PUT /expedientes/{id}/tareas/{idTarea}/importes/{idImporte}` (contract 3.2): changes an amount of a task. Never repeated by itself.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// As [`create_case_file`](Self::create_case_file).
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (case, client) = (kit.case(), kit.client);
    /// use serde_json::json;
    ///
    /// let answer = client.change_task_amount(case, 1, 1, &json!({ "importe": "130.00" })).await?;
    /// println!("{:?}", answer.record());
    /// # Ok(()) });
    /// ```
    pub async fn change_task_amount(
        &self,
        id: u64,
        task: u64,
        amount: u64,
        body: &(impl Serialize + ?Sized),
    ) -> Result<Data, Error> {
        self.write(Ask::new(CHANGE_AMOUNT).id("id", id).id("idTarea", task).id("idImporte", amount), body)
            .await
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<CaseFile, FieldError> {
        CaseFile::read(Record::parse(text).unwrap())
    }

    /// The fields of contract 3.4.
    #[test]
    fn every_field_of_the_contract_is_read() {
        let file = read(
            r#"{"id":"3992","idCliente":1,"idIntermediario":null,"idAgente":"7","empresa":{"codigo":"1"},
                "delegacion":{"codigo":"2"},"departamento":{"codigo":"3"},"division":{"codigo":"4"},
                "estado":{"codigo":"B","descripcion":"Baja"},"modalidad":{"codigo":"M","descripcion":"Marca Nacional"},
                "pais":{"codigo":"ES","descripcion":"España"},"clave":"k","bis":null,"referencia":"r1","referencia2":"r2",
                "referencia3":"r3","referencia4":"r4","observacion":"o","numero":"0012","aplicacionExterna":"X-1",
                "situacion":[{"codigo":"1"},"x"],"fechaVencimiento":"20/06/2025",
                "descripciones":[{"id":5,"tipo":{"codigo":"D"},"texto":"ACME"}],"nuevo":1.10}"#,
        )
        .unwrap();
        assert_eq!(
            (file.id, file.client_id, file.intermediary_id, file.agent_id),
            (3992, Some(1), None, Some(7))
        );
        let pairs =
            [file.company.as_ref(), file.branch.as_ref(), file.department.as_ref(), file.division.as_ref()];
        assert_eq!(pairs.map(|pair| pair.unwrap().code.as_str()), ["1", "2", "3", "4"]);
        assert!(file.is_closed() && !file.is_open());
        assert_eq!(file.modality.as_ref().unwrap().code, Modality::NationalTrademark);
        let references = [&file.reference, &file.reference2, &file.reference3, &file.reference4];
        assert_eq!(references.map(|text| text.as_deref().unwrap()), ["r1", "r2", "r3", "r4"]);
        assert_eq!((file.number.as_deref(), file.external_id.as_deref()), (Some("0012"), Some("X-1")));
        assert_eq!((file.situations.len(), file.situations[1].text().as_deref()), (2, Some("x")));
        assert_eq!(file.expires.unwrap().to_string(), "20/06/2025");
        assert_eq!(file.descriptions[0].extra.text("texto").unwrap().as_deref(), Some("ACME"));
        assert_eq!(file.extra.json("nuevo"), Some("1.10"));
    }

    /// Traps 27 and 28.
    #[test]
    fn bad_dates_are_errors_and_unknown_codes_are_kept() {
        for bad in ["31/02/2025", "1/2/2025", "2025-02-01"] {
            let error = read(&format!(r#"{{"id":1,"fechaVencimiento":"{bad}"}}"#)).unwrap_err();
            assert!(error.is_date() && error.field() == "fechaVencimiento", "{bad}");
        }
        let file = read(r#"{"id":1,"estado":{"codigo":"Z"},"modalidad":{"codigo":"ÑX9"}}"#).unwrap();
        assert_eq!(file.modality.as_ref().unwrap().code.as_str(), "ÑX9");
        assert!(!file.is_open() && !file.is_closed());
    }

    #[test]
    fn what_cannot_be_read_names_the_field() {
        for (text, field) in [
            ("{}", "id"),
            (r#"{"id":1,"idCliente":"uno"}"#, "idCliente"),
            (r#"{"id":1,"idCliente":-1}"#, "idCliente"),
            (r#"{"id":1,"situacion":{}}"#, "situacion"),
            (r#"{"id":1,"descripciones":[{"id":1},7]}"#, "descripciones[1]"),
            (r#"{"id":1,"descripciones":[{"id":"x"}]}"#, "descripciones[0].id"),
            (r#"{"id":1,"modalidad":{"descripcion":"Marca"}}"#, "modalidad.codigo"),
        ] {
            assert_eq!(read(text).unwrap_err().field(), field);
        }
    }

    /// Traps 10 and 11: what a grant may hide is in no `Debug`.
    #[test]
    fn no_reference_and_no_key_is_printed() {
        let fields =
            ["clave", "referencia", "referencia2", "referencia3", "referencia4", "observacion", "nuevo"];
        let text: Vec<_> = fields.iter().map(|field| format!(r#""{field}":"sentinel""#)).collect();
        let file = read(&format!(
            r#"{{"id":1,{},"situacion":["sentinel"],"descripciones":[{{"texto":"sentinel"}}]}}"#,
            text.join(",")
        ))
        .unwrap();
        assert!(
            !format!("{file:?}{:?}{:?}{:?}", file.extra, file.descriptions, file.situations)
                .contains("sentinel")
        );
    }

    proptest! {
        #[test]
        fn no_file_panics(value in "\\PC{0,30}") {
            for field in KNOWN {
                let quoted = serde_json::to_string(&value).unwrap();
                let _ = read(&format!(r#"{{"id":1,"{field}":{quoted}}}"#));
            }
        }
    }
}
