//! Elements of the plant, read from rows (contract 3.3, 3.7 R5 to R9, 4.4).
//!
//! The rules enforced here: a row tells what is wrong with it and is counted, never half taken; columns are matched without case; a
//! place comes from latitude and longitude, else from x and y, else from WKT; what nobody knows is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use integration_core::Fault;
use integration_core::body::fields::When;
use serde_json::Value;

use crate::assumptions::Assumptions;
use crate::document::{CustomerKey, Document};
use crate::feature::{ElementKind, Feature, SplitterRole};
use crate::geometry::{Course, Doubt, Position, is_other_wkt};
use crate::time::LocalTimes;
use crate::wire::{self, Row, Unparsable, same};

/// The number of an element, unique within a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
#[allow(clippy::exhaustive_structs)]
pub struct Fid(pub u64);

impl fmt::Display for Fid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<u64> for Fid {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<u32> for Fid {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

/// Which columns a place was read from, in the order of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlacedBy {
    /// `latitude` and `longitude`.
    LatitudeLongitude,
    /// `y` and `x`.
    Xy,
    /// A WKT point.
    Wkt,
}

/// An element of the plant. Its `Debug` shows no names, texts or places, which are customers' data in some features.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias = "elemento")]
pub struct Record {
    /// The feature it was listed under.
    pub feature: Feature,
    /// Its number.
    pub fid: Fid,
    /// `codigo`
    #[doc(alias = "codigo")]
    pub code: Option<String>,
    /// `nome`
    #[doc(alias = "nome")]
    pub name: Option<String>,
    /// `descricao`
    #[doc(alias = "descricao")]
    pub description: Option<String>,
    /// `endereco` or `logradouro`
    #[doc(alias("endereco", "logradouro"))]
    pub address: Option<String>,
    /// `bairro`
    #[doc(alias = "bairro")]
    pub district: Option<String>,
    /// `observacao` or `obs`
    #[doc(alias("observacao", "obs"))]
    pub note: Option<String>,
    /// `modelo` or `fidModelo`
    #[doc(alias("modelo", "fidModelo"))]
    pub model: Option<String>,
    /// `capacidade`: fibres or ports.
    #[doc(alias = "capacidade")]
    pub capacity: Option<i64>,
    /// `dataCadastro` or `data_cadastro`, in the configured zone.
    #[doc(alias("dataCadastro", "data_cadastro"))]
    pub registered: Option<When>,
    /// The configured change column, in the configured zone.
    pub changed: Option<When>,
    /// The configured status column.
    pub status: Option<String>,
    /// Where it is; an element without a place is kept.
    pub position: Option<Position>,
    /// From which columns that was read.
    pub placed_by: Option<PlacedBy>,
    /// What only elements of its feature have.
    pub detail: Detail,
    /// Every column that this crate does not know, by the name in the answer; a geometry that is no point too, see
    /// [`course`](Self::course).
    pub extra: BTreeMap<String, Value>,
    /// What is doubtful about it.
    pub warnings: Vec<Fault>,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("feature", &self.feature)
            .field("fid", &self.fid)
            .field("changed", &self.changed)
            .field("placed_by", &self.placed_by)
            .field("detail", &self.detail)
            .field("extra", &self.extra.keys().collect::<Vec<_>>())
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// What only elements of one feature have.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Detail {
    /// Nothing.
    Plain,
    /// An optical box.
    Box {
        /// `fidTipoCaixaEmenda`: 1 splice box, 2 CTO, 3 terminator, 4 CAH, 5 HUB (observed).
        type_code: Option<i64>,
    },
    /// A splitter.
    Splitter(Splitter),
    /// A customer's point.
    Customer(Customer),
}

/// What a splitter has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "divisor")]
pub struct Splitter {
    /// What it is for.
    pub role: SplitterRole,
    /// The box that it sits in.
    pub parent: Option<Fid>,
    /// How many ports it has; absent is unknown, and no customer can be linked then.
    pub ports: Option<u32>,
}

/// What a customer's point has.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "cliente")]
pub struct Customer {
    /// CPF or CNPJ as it came.
    pub document: Option<Document>,
    /// `contrato`
    #[doc(alias = "contrato")]
    pub contract: Option<u64>,
    /// The splitter whose port he is on.
    pub splitter: Option<Fid>,
    /// The port, from 1.
    pub port: Option<u32>,
}

impl Customer {
    /// Document and contract; nothing if one is missing, which makes the customer an unmatched one (C3).
    #[must_use]
    pub fn key(&self) -> Option<CustomerKey> {
        Some(CustomerKey { document: self.document.clone()?, contract: self.contract? })
    }
}

impl Record {
    /// What it is; nothing for a splitter whose role is unknown. A box that names its type is of that kind, whatever it was listed
    /// under.
    #[must_use]
    pub fn kind(&self) -> Option<ElementKind> {
        match &self.detail {
            Detail::Splitter(splitter) => match splitter.role {
                SplitterRole::Service => Some(ElementKind::SplitterAtendimento),
                SplitterRole::Distribution => Some(ElementKind::SplitterDistribuicao),
                SplitterRole::Unknown(_) => None,
            },
            Detail::Box { type_code: Some(code) } if self.feature == Feature::CaixaEmenda => {
                ElementKind::of_box_type(*code).or(Some(ElementKind::CaixaEmenda))
            }
            _ => ElementKind::of_feature(self.feature),
        }
    }

    /// The course of a cable, where the installation has one: a geometry column that holds a line instead of a point.
    #[must_use]
    pub fn course(&self) -> Option<Course> {
        let lines = self.extra.iter().filter(|(name, _)| is_geometry(name));
        lines.filter_map(|(_, value)| value.as_str()).find_map(|text| Course::parse_wkt(text).ok())
    }

    /// What a splitter has.
    #[must_use]
    pub const fn splitter(&self) -> Option<&Splitter> {
        match &self.detail {
            Detail::Splitter(splitter) => Some(splitter),
            _ => None,
        }
    }

    /// What a customer's point has.
    #[must_use]
    pub const fn customer(&self) -> Option<&Customer> {
        match &self.detail {
            Detail::Customer(customer) => Some(customer),
            _ => None,
        }
    }
}

/// A row that cannot be read: counted, and its kind's run is not complete.
///
/// Its `Debug` shows neither code nor name, which are customers' data in some features.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[error("row {}: {}", fid.map_or_else(|| "without fid".to_owned(), |fid| fid.to_string()), said(faults))]
pub struct RowError {
    /// Its number, if that could be read.
    pub fid: Option<Fid>,
    /// `codigo`, if that could be read: for whoever is to find it in GeoSite.
    #[doc(alias = "codigo")]
    pub code: Option<String>,
    /// `nome`, likewise.
    #[doc(alias = "nome")]
    pub name: Option<String>,
    /// Everything that is wrong with it, each with the column.
    pub faults: Vec<Fault>,
}

impl RowError {
    /// A row of which nothing but its number is known.
    pub(crate) fn of(fid: Option<Fid>, faults: Vec<Fault>) -> Self {
        Self { fid, code: None, name: None, faults }
    }
}

impl fmt::Debug for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RowError")
            .field("fid", &self.fid)
            .field("faults", &self.faults)
            .finish_non_exhaustive()
    }
}

fn said(faults: &[Fault]) -> String {
    faults
        .iter()
        .map(|fault| format!("`{}` is not {}", fault.path(), fault.expected()))
        .collect::<Vec<_>>()
        .join("; ")
}

/// What a column means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Fid,
    Code,
    Name,
    Description,
    Address,
    District,
    Note,
    Model,
    Capacity,
    Registered,
    Changed,
    Status,
    Latitude,
    Longitude,
    X,
    Y,
    Wkt,
    BoxType,
    SplitterRole,
    Parent,
    Ports,
    Document,
    Contract,
    Splitter,
    Port,
}

const COMMON: [(&str, Meaning); 20] = [
    ("fid", Meaning::Fid),
    ("codigo", Meaning::Code),
    ("nome", Meaning::Name),
    ("descricao", Meaning::Description),
    ("endereco", Meaning::Address),
    ("logradouro", Meaning::Address),
    ("bairro", Meaning::District),
    ("observacao", Meaning::Note),
    ("obs", Meaning::Note),
    ("modelo", Meaning::Model),
    ("fidModelo", Meaning::Model),
    ("capacidade", Meaning::Capacity),
    ("dataCadastro", Meaning::Registered),
    ("data_cadastro", Meaning::Registered),
    ("latitude", Meaning::Latitude),
    ("longitude", Meaning::Longitude),
    ("x", Meaning::X),
    ("y", Meaning::Y),
    ("geometry", Meaning::Wkt),
    ("geom", Meaning::Wkt),
];

/// Reads the rows of one feature.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    feature: Feature,
    roles: Vec<(String, Meaning)>,
    service: Vec<String>,
    distribution: Vec<String>,
    times: Arc<LocalTimes>,
}

impl Reader {
    pub(crate) fn new(feature: Feature, assumptions: &Assumptions, times: Arc<LocalTimes>) -> Self {
        let mut roles = own_roles(feature, assumptions);
        let configured =
            [(&assumptions.change_column, Meaning::Changed), (&assumptions.status_column, Meaning::Status)];
        roles.extend(configured.into_iter().filter_map(|(name, role)| Some((name.clone()?, role))));
        roles.extend(COMMON.iter().map(|(name, role)| ((*name).to_owned(), *role)));
        let service = assumptions.role_service_values.clone();
        Self { feature, roles, service, distribution: assumptions.role_distribution_values.clone(), times }
    }

    pub(crate) const fn feature(&self) -> Feature {
        self.feature
    }

    /// The columns that it understands, those of its feature and the configured ones first.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = &str> {
        self.roles.iter().map(|(name, _)| name.as_str())
    }

    /// What a column means; the configured ones win, and any other whose name contains `geom` is a geometry.
    fn meaning(&self, name: &str) -> Option<Meaning> {
        let known = self.roles.iter().find(|(known, _)| same(known, name)).map(|(_, role)| *role);
        known.or_else(|| is_geometry(name).then_some(Meaning::Wkt))
    }

    /// # Errors
    /// Everything that is wrong with the row.
    pub(crate) fn read(&self, row: Row) -> Result<Record, RowError> {
        let mut draft = Draft::default();
        for (name, value) in row.0 {
            match self.meaning(&name) {
                Some(role) => draft.take(role, name, value),
                None => _ = draft.extra.insert(name, value),
            }
        }
        self.record(draft)
    }

    fn record(&self, mut draft: Draft) -> Result<Record, RowError> {
        let fid = draft.fid();
        draft.keep_other_geometry();
        let (position, placed_by) = draft.place();
        let detail = self.detail(&mut draft);
        let mut time = |role| draft.text(role).map(|text| self.when(text));
        let (registered, changed) = (time(Meaning::Registered), time(Meaning::Changed));
        if let Some(When::Unreadable(_)) = &changed {
            let hint = "see `change_literal_format`; the row is read and its time kept as text";
            draft.warnings.push(Fault::warning("TIME", "change_column").with_hint(hint));
        }
        let capacity = draft.integer(Meaning::Capacity);
        let mut text = |role| draft.text(role);
        let (code, name, description) =
            (text(Meaning::Code), text(Meaning::Name), text(Meaning::Description));
        let (address, district, note) =
            (text(Meaning::Address), text(Meaning::District), text(Meaning::Note));
        let (model, status) = (text(Meaning::Model), text(Meaning::Status));
        let (Some(fid), true) = (fid, draft.faults.is_empty()) else {
            return Err(RowError { fid, code, name, faults: draft.faults });
        };
        Ok(Record {
            feature: self.feature,
            fid,
            code,
            name,
            description,
            address,
            district,
            note,
            model,
            capacity,
            registered,
            changed,
            status,
            position,
            placed_by,
            detail,
            extra: draft.extra,
            warnings: draft.warnings,
        })
    }

    fn when(&self, text: String) -> When {
        self.times.read(&text).map_or(When::Unreadable(text), When::At)
    }

    fn detail(&self, draft: &mut Draft) -> Detail {
        match self.feature {
            Feature::Splitter => {
                let role = draft.text(Meaning::SplitterRole).unwrap_or_default();
                let role = SplitterRole::read(&role, &self.service, &self.distribution);
                Detail::Splitter(Splitter {
                    role,
                    parent: draft.number(Meaning::Parent).map(Fid),
                    ports: draft.small(Meaning::Ports),
                })
            }
            Feature::Cliente => {
                let document = draft.document();
                Detail::Customer(Customer {
                    document,
                    contract: draft.number(Meaning::Contract),
                    splitter: draft.number(Meaning::Splitter).map(Fid),
                    port: draft.small(Meaning::Port),
                })
            }
            feature if feature.is_box() => Detail::Box { type_code: draft.integer(Meaning::BoxType) },
            _ => Detail::Plain,
        }
    }
}

/// The columns that the configuration names for a feature: those whose absence is worth a word.
pub(crate) fn configured(feature: Feature, assumptions: &Assumptions) -> Vec<String> {
    let own = own_roles(feature, assumptions).into_iter().filter(|(_, role)| *role != Meaning::BoxType);
    let named = [&assumptions.change_column, &assumptions.status_column].into_iter().flatten().cloned();
    own.map(|(name, _)| name).chain(named).collect()
}

fn own_roles(feature: Feature, assumptions: &Assumptions) -> Vec<(String, Meaning)> {
    let customers = &assumptions.customer_columns;
    let own: Vec<(&str, Meaning)> = match feature {
        Feature::Splitter => vec![
            (&assumptions.role_column, Meaning::SplitterRole),
            (&assumptions.parent_column, Meaning::Parent),
            (&assumptions.port_count_column, Meaning::Ports),
        ],
        Feature::Cliente => vec![
            (&customers.document, Meaning::Document),
            (&customers.contract, Meaning::Contract),
            (&customers.name, Meaning::Name),
            (&customers.splitter, Meaning::Splitter),
            (&customers.port, Meaning::Port),
        ],
        feature if feature.is_box() => vec![("fidTipoCaixaEmenda", Meaning::BoxType)],
        _ => Vec::new(),
    };
    own.into_iter().map(|(name, role)| (name.to_owned(), role)).collect()
}

/// One geometry column whose name contains `geom` (observed).
pub(crate) fn is_geometry(name: &str) -> bool {
    name.as_bytes().windows(4).any(|part| part.eq_ignore_ascii_case(b"geom"))
}

/// A row on its way to a record.
#[derive(Debug, Default)]
struct Draft {
    /// The first value of each role that is there.
    known: Vec<(Meaning, String, Value)>,
    extra: BTreeMap<String, Value>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Draft {
    /// Of two columns with the same meaning (`endereco`, `logradouro`) the one that says something wins, and the other is kept.
    fn take(&mut self, role: Meaning, name: String, value: Value) {
        let says_nothing =
            |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        match self.known.iter_mut().find(|(known, ..)| *known == role) {
            None => self.known.push((role, name, value)),
            Some(known) if says_nothing(&known.2) => {
                let before = std::mem::replace(known, (role, name, value));
                self.extra.insert(before.1, before.2);
            }
            Some(_) => _ = self.extra.insert(name, value),
        }
    }

    fn get<T>(&mut self, role: Meaning, read: impl Fn(&Value) -> Result<Option<T>, Unparsable>) -> Option<T> {
        let (_, name, value) = self.known.iter().find(|(known, ..)| *known == role)?;
        match read(value) {
            Ok(found) => found,
            Err(Unparsable(expected)) => {
                let fault = Fault::error("R5", name.clone()).with_expected(expected);
                self.faults.push(fault);
                None
            }
        }
    }

    /// Taken out, since every text is asked for once.
    fn text(&mut self, role: Meaning) -> Option<String> {
        if let Some((.., Value::String(text))) = self.known.iter_mut().find(|(known, ..)| *known == role) {
            return Some(std::mem::take(text)).filter(|text| !text.trim().is_empty());
        }
        self.get(role, wire::text)
    }

    fn integer(&mut self, role: Meaning) -> Option<i64> {
        self.get(role, wire::integer)
    }

    /// A number that is not negative.
    fn number(&mut self, role: Meaning) -> Option<u64> {
        self.get(role, |value| match wire::integer(value)? {
            None => Ok(None),
            Some(number) => u64::try_from(number).map(Some).map_err(|_| Unparsable("a number from 0")),
        })
    }

    fn small(&mut self, role: Meaning) -> Option<u32> {
        self.get(role, |value| match wire::integer(value)? {
            None => Ok(None),
            Some(number) => {
                u32::try_from(number).map(Some).map_err(|_| Unparsable("a number from 0 to 4294967295"))
            }
        })
    }

    /// R6: a row without `fid` is an error.
    fn fid(&mut self) -> Option<Fid> {
        let before = self.faults.len();
        let fid = self.number(Meaning::Fid);
        if fid.is_none() && self.faults.len() == before {
            self.faults.push(Fault::error("R6", "fid").with_expected("there"));
        }
        fid.map(Fid)
    }

    fn document(&mut self) -> Option<Document> {
        let name = self.known.iter().find(|(role, ..)| *role == Meaning::Document)?.1.clone();
        let document = Document::read(&self.text(Meaning::Document)?);
        self.warnings.extend(document.warning(&name));
        Some(document)
    }

    /// The order of trust: latitude and longitude, x and y, WKT.
    fn place(&mut self) -> (Option<Position>, Option<PlacedBy>) {
        let real = |draft: &mut Self, role| draft.get(role, wire::real);
        let pairs = [
            (Meaning::Latitude, Meaning::Longitude, PlacedBy::LatitudeLongitude),
            (Meaning::Y, Meaning::X, PlacedBy::Xy),
        ];
        for (north, east, by) in pairs {
            match (real(self, north), real(self, east)) {
                (Some(latitude), Some(longitude)) => return self.placed(latitude, longitude, by),
                (None, None) => {}
                _ => self.warnings.push(Fault::warning("R9", "latitude").with_hint("half a place is none")),
            }
        }
        self.wkt()
    }

    /// A cable's course, say: kept as it came, and no place.
    fn keep_other_geometry(&mut self) {
        let is_other = |(role, _, value): &(Meaning, String, Value)| {
            *role == Meaning::Wkt && value.as_str().is_some_and(is_other_wkt)
        };
        if let Some(place) = self.known.iter().position(is_other) {
            let (_, name, value) = self.known.swap_remove(place);
            self.extra.insert(name, value);
        }
    }

    fn wkt(&mut self) -> (Option<Position>, Option<PlacedBy>) {
        let Some(text) = self.text(Meaning::Wkt) else { return (None, None) };
        match Position::parse_wkt(&text) {
            Ok(place) => self.placed(place.latitude.degrees(), place.longitude.degrees(), PlacedBy::Wkt),
            Err(bad) => {
                self.faults.push(
                    Fault::error("R9", "geometry")
                        .with_expected("a WKT point in range")
                        .with_hint(bad.to_string()),
                );
                (None, None)
            }
        }
    }

    fn placed(
        &mut self,
        latitude: f64,
        longitude: f64,
        by: PlacedBy,
    ) -> (Option<Position>, Option<PlacedBy>) {
        match Position::new(latitude, longitude) {
            Ok(place) => {
                self.warnings.extend(place.doubt().map(doubtful));
                (Some(place), Some(by))
            }
            Err(bad) => {
                let fault = Fault::error("R9", "latitude").with_expected("within ±90 and ±180");
                self.faults.push(fault.with_hint(bad.to_string()));
                (None, None)
            }
        }
    }
}

/// R9.
pub(crate) fn doubtful(doubt: Doubt) -> Fault {
    let fault = Fault::warning("R9", "latitude").with_expected("a place in Brazil");
    match doubt {
        Doubt::LooksSwapped => fault.with_hint("latitude and longitude look swapped; nothing was changed"),
        Doubt::OutsideBrazil => fault.with_hint("it is kept as it is"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reader(feature: Feature) -> Reader {
        let assumptions =
            Assumptions { change_column: Some("dataAlteracao".into()), ..Assumptions::default() };
        Reader::new(feature, &assumptions, Arc::new(assumptions.times().unwrap()))
    }

    fn read(feature: Feature, value: Value) -> Result<Record, RowError> {
        let Value::Object(fields) = value else { panic!("an object") };
        reader(feature).read(Row::of(fields))
    }

    fn faulty(feature: Feature, value: Value) -> (Option<u64>, Vec<String>) {
        let error = read(feature, value).unwrap_err();
        (error.fid.map(|fid| fid.0), error.faults.iter().map(|fault| fault.path().to_owned()).collect())
    }

    #[test]
    fn a_row_is_read_whatever_the_case_of_its_columns_and_the_rest_is_kept() {
        let record = read(
            Feature::Cto,
            json!({
                "FID": "1000001", "Codigo": "CTO-1", "NOME": "Praça", "latitude": "-22.73", "LONGITUDE": -47.65,
                "fidTipoCaixaEmenda": "2", "capacidade": 16, "dataAlteracao": "2026-11-22 04:00:00",
                "logradouro": "Rua A", "endereco": "", "cor": "verde", "nada": null
            }),
        )
        .unwrap();
        assert_eq!((record.fid, record.kind()), (Fid(1_000_001), Some(ElementKind::Cto)));
        assert_eq!((record.code.as_deref(), record.name.as_deref()), (Some("CTO-1"), Some("Praça")));
        assert_eq!((record.address.as_deref(), record.capacity), (Some("Rua A"), Some(16)));
        assert_eq!(record.changed.unwrap().to_string(), "2026-11-22T07:00:00Z");
        assert_eq!(record.position, Some(Position::new(-22.73, -47.65).unwrap()));
        assert_eq!(record.extra["cor"], "verde");
        assert_eq!(record.extra["nada"], Value::Null);
        assert!(record.warnings.is_empty(), "{:?}", record.warnings);
    }

    #[test]
    fn a_row_tells_everything_that_is_wrong_with_it() {
        let wrong = json!({"fid": 7, "capacidade": "muita", "latitude": "x", "longitude": 1, "nome": {}});
        let (fid, mut paths) = faulty(Feature::Cto, wrong);
        paths.sort();
        assert_eq!((fid, paths), (Some(7), vec!["capacidade".into(), "latitude".into(), "nome".into()]));
        for without in [
            json!({"nome": "a"}),
            json!({"fid": null}),
            json!({"fid": ""}),
            json!({"fid": -1}),
            json!({"fid": "x"}),
        ] {
            assert_eq!(faulty(Feature::Cto, without.clone()), (None, vec!["fid".to_owned()]), "{without}");
        }
    }

    /// Contract 3.3.
    #[test]
    fn places_are_trusted_in_the_order_of_the_contract() {
        let place = |value: Value| {
            let record = read(Feature::Cto, value).unwrap();
            (
                record.position.map(|place| (place.latitude.degrees(), place.longitude.degrees())),
                record.placed_by,
            )
        };
        let all = json!({"fid": 1, "latitude": -1, "longitude": -41, "x": -42, "y": -2, "geometry": "POINT (-43 -3)"});
        assert_eq!(place(all), (Some((-1.0, -41.0)), Some(PlacedBy::LatitudeLongitude)));
        let xy = json!({"fid": 1, "latitude": "", "longitude": null, "x": -42, "y": -2, "the_geom": "POINT (-43 -3)"});
        assert_eq!(place(xy), (Some((-2.0, -42.0)), Some(PlacedBy::Xy)));
        let wkt = json!({"fid": 1, "GEOMETRIA": "POINT (-43 -3)"});
        assert_eq!(place(wkt), (Some((-3.0, -43.0)), Some(PlacedBy::Wkt)));
        assert_eq!(place(json!({"fid": 1})), (None, None));
        assert_eq!(place(json!({"fid": 1, "geom": "LINESTRING (1 2, 3 4)"})), (None, None));
        assert_eq!(faulty(Feature::Cto, json!({"fid": 1, "geom": "POINT (x)"})).1, ["geometry"]);
    }

    #[test]
    fn a_geometry_that_is_no_point_is_kept_and_a_line_is_a_course() {
        let line = "LINESTRING (-47 -22, -46 -21)";
        for more in
            [json!({}), json!({"latitude": -22.5, "longitude": -47.5}), json!({"x": -47.5, "y": -22.5})]
        {
            let mut row = json!({"fid": 1, "the_geom": line});
            row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let record = read(Feature::LanceCabo, row).unwrap();
            assert_eq!(
                (record.extra["the_geom"].as_str(), record.position.is_some()),
                (Some(line), more != json!({}))
            );
            assert_eq!(record.course(), Course::parse_wkt(line).ok());
        }
        let area = read(Feature::Estacao, json!({"fid": 1, "geom": "POLYGON ((1 2, 3 4, 1 2))"})).unwrap();
        assert!(area.course().is_none() && area.extra.contains_key("geom"));
        // Drawn wrongly: kept for whoever mends it, and no course.
        let far = read(Feature::LanceCabo, json!({"fid": 1, "geom": "LINESTRING (0 0, 999 0)"})).unwrap();
        assert!(far.course().is_none() && far.extra.contains_key("geom"));
    }

    #[test]
    fn doubtful_places_are_warned_of_and_impossible_ones_refused() {
        let swapped =
            read(Feature::Poste, json!({"fid": 1, "latitude": -47.65, "longitude": -22.73})).unwrap();
        assert_eq!(swapped.position.unwrap().latitude.degrees(), -47.65);
        assert!(swapped.warnings[0].hint().contains("swapped"));
        let abroad = read(Feature::Poste, json!({"fid": 1, "latitude": 48.8, "longitude": 2.3})).unwrap();
        assert_eq!((abroad.warnings.len(), abroad.warnings[0].rule()), (1, "R9"));
        let half = read(Feature::Poste, json!({"fid": 1, "latitude": -22.7})).unwrap();
        assert!(half.position.is_none() && half.warnings.len() == 1);
        let (fid, paths) = faulty(Feature::Poste, json!({"fid": 1, "latitude": 91, "longitude": 0}));
        assert_eq!((fid, paths), (Some(1), vec!["latitude".to_owned()]));
    }

    #[test]
    fn a_splitter_without_a_role_is_of_no_kind() {
        let splitter = |value: Value| {
            let record = read(Feature::Splitter, value).unwrap();
            (record.kind(), record.splitter().unwrap().clone())
        };
        let (kind, service) =
            splitter(json!({"fid": 1, "tipo": "ATENDIMENTO", "fidCaixaEmenda": "9", "qtdPortas": "8"}));
        assert_eq!(
            (kind, service.parent, service.ports),
            (Some(ElementKind::SplitterAtendimento), Some(Fid(9)), Some(8))
        );
        assert_eq!(splitter(json!({"fid": 1, "tipo": "Rede"})).0, Some(ElementKind::SplitterDistribuicao));
        for value in [json!({"fid": 1}), json!({"fid": 1, "tipo": null}), json!({"fid": 1, "tipo": "Outro"})]
        {
            let (kind, unknown) = splitter(value);
            assert!(kind.is_none() && !unknown.role.offers_ports() && unknown.ports.is_none());
        }
    }

    #[test]
    fn customers_keep_their_documents_whole() {
        let customer = |value: Value| read(Feature::Cliente, value).unwrap();
        let ana = customer(
            json!({"fid": 1, "documento": "12.ABC.345/01DE-35", "contrato": "00100001", "fidSplitter": 5, "porta": 3, "nome": "Ana"}),
        );
        let key = ana.customer().unwrap().key().unwrap();
        assert_eq!((key.document.normalized(), key.contract), ("12ABC34501DE35", 100_001));
        assert!(ana.warnings.is_empty());
        let wrong = customer(json!({"fid": 1, "documento": "12.345.678/0001-00", "contrato": null}));
        assert_eq!((wrong.warnings[0].rule(), wrong.customer().unwrap().key()), ("C4", None));
        assert_eq!(wrong.customer().unwrap().document.as_ref().unwrap().given(), "12.345.678/0001-00");
        assert_eq!(faulty(Feature::Cliente, json!({"fid": 1, "contrato": "A12"})).1, ["contrato"]);
        let shown = format!("{ana:?} {wrong:?}");
        assert!(!shown.contains("ABC") && !shown.contains("345.678"), "{shown}");
    }

    #[test]
    fn a_splice_box_list_may_hold_every_box() {
        let kind = |code: Value| {
            read(Feature::CaixaEmenda, json!({"fid": 1, "fidTipoCaixaEmenda": code})).unwrap().kind()
        };
        assert_eq!(kind(json!(2)), Some(ElementKind::Cto));
        assert_eq!(kind(json!("5")), Some(ElementKind::Hub));
        assert_eq!(kind(json!(null)), Some(ElementKind::CaixaEmenda));
        assert_eq!(kind(json!(77)), Some(ElementKind::CaixaEmenda));
    }
}
