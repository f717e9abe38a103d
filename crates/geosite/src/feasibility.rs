//! Whether a place can be served (contract 3.4 and 4.12): boxes near an address, with their free ports.
//!
//! The rules enforced here: "could not ask" is an error and never "no coverage"; all boxes full is lack of ports and not of network;
//! a figure that is not there is unknown and not zero. The routes are observed; nothing says that they are meant for integrators.

use integration_core::Error;
use integration_core::Fault;
use integration_core::call::{Idempotency, Operation};
use serde_json::{Map, Value, json};

use crate::client::{Ask, Client, FEASIBILITY};
use crate::error::{Problem, Route, keys_of};
use crate::feature::{ElementKind, Feature};
use crate::geometry::Position;
use crate::record::{Fid, RowError, doubtful};
use crate::wire::{self, Unparsable};

pub(crate) const BOXES: Operation = Operation::get("ask for boxes near a place", "/viabilidade/caixas");
pub(crate) const FACILITIES: Operation =
    Operation::get("ask for elements near a place", "/viabilidade/facilidade");
pub(crate) const CABLE: Operation =
    Operation::post("ask for a cable near a place", "/rede/existe-lance-cabo", Idempotency::Safe);

/// Where to look.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
#[doc(alias("endereco", "endereço", "cep"))]
pub enum Place {
    /// A free text.
    Address(String),
    /// A postal code, whose digits are sent.
    Cep(String),
    /// Coordinates.
    At(Position),
}

/// Where somebody lives is shown by no `Debug`.
impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Address(_) => "Address(..)",
            Self::Cep(_) => "Cep(..)",
            Self::At(_) => "At(..)",
        })
    }
}

impl From<Position> for Place {
    fn from(position: Position) -> Self {
        Self::At(position)
    }
}

/// How many ports of a box are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FreePorts {
    /// So many.
    Known(u32),
    /// No figure says so.
    Unknown,
}

/// A box near a place (V1). Absent figures are unknown, not zero.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NearBox {
    /// Its number.
    pub fid: Option<Fid>,
    /// `tipoCodigo` as it came, such as `CTO: CTO-000042`.
    #[doc(alias = "tipoCodigo")]
    pub type_code: Option<String>,
    /// The part after the prefix: `CTO-000042`.
    pub code: Option<String>,
    /// What it is, by its type; nothing if the type is missing or not a known one.
    pub kind: Option<ElementKind>,
    /// `fidTipoCaixaEmenda` as it came.
    #[doc(alias = "fidTipoCaixaEmenda")]
    pub box_type: Option<i64>,
    /// Metres.
    pub distance: Option<f64>,
    /// Metres along the proposed route.
    pub route_distance: Option<f64>,
    /// Where it is.
    pub position: Option<Position>,
    /// How many ports are free: `qtdDisponivel`, else `qtdTotalDisponivel`, else those of its splitters.
    pub free: FreePorts,
    /// `qtdOcupada`
    #[doc(alias = "qtdOcupada")]
    pub occupied: Option<i64>,
    /// `capacidade`
    #[doc(alias = "capacidade")]
    pub capacity: Option<i64>,
    /// `qtdClientes`
    #[doc(alias = "qtdClientes")]
    pub customers: Option<i64>,
    /// `qtdSplitter`
    #[doc(alias = "qtdSplitter")]
    pub splitters: Option<i64>,
    /// `qtdPortasSplitter`
    #[doc(alias = "qtdPortasSplitter")]
    pub splitter_ports: Option<i64>,
    /// `qtdPortasSplitterOcup`
    #[doc(alias = "qtdPortasSplitterOcup")]
    pub splitter_ports_occupied: Option<i64>,
    /// `qtdPortasSplitterDisp`, else the difference of the two before it.
    #[doc(alias = "qtdPortasSplitterDisp")]
    pub splitter_ports_free: Option<i64>,
    /// `qtdPortasEthernet`
    #[doc(alias = "qtdPortasEthernet")]
    pub ethernet_ports: Option<i64>,
    /// `qtdPortasEthernetOcup`
    #[doc(alias = "qtdPortasEthernetOcup")]
    pub ethernet_ports_occupied: Option<i64>,
    /// `qtdPortasEthernetDisp`
    #[doc(alias = "qtdPortasEthernetDisp")]
    pub ethernet_ports_free: Option<i64>,
    /// `qtdEquipamentosPacpon`
    #[doc(alias = "qtdEquipamentosPacpon")]
    pub pacpon_devices: Option<i64>,
    /// Every other field.
    pub extra: Map<String, Value>,
    /// What is doubtful about it.
    pub warnings: Vec<Fault>,
}

/// What was answered (contract 4.12). That nobody could be asked is an error of the call and stands nowhere here.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
// There is one per question.
#[allow(clippy::large_enum_variant)]
#[doc(alias = "viabilidade")]
pub enum Feasibility {
    /// There is a box with a free port.
    #[doc(alias("disponivel", "disponível"))]
    Available {
        /// The nearest of them.
        nearest: NearBox,
        /// Every other box in the radius, by distance.
        others: Vec<NearBox>,
        /// Rows that could not be read.
        failed: Vec<RowError>,
    },
    /// There are boxes, and none has a free port: lack of ports, not of network.
    #[doc(alias("lotada", "sem portas"))]
    AllFull {
        /// By distance.
        boxes: Vec<NearBox>,
    },
    /// There are boxes, none is known to have a free port, and of some nobody knows.
    PortsUnknown {
        /// By distance.
        boxes: Vec<NearBox>,
    },
    /// There is no box in this radius. It does not prove that the address cannot be served.
    #[doc(alias("sem rede", "sem viabilidade"))]
    NoNetwork {
        /// Metres.
        radius: u32,
    },
}

/// What a customer may be told: no names, numbers, distances or counts of ports (trap 25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PublicView {
    /// It can be served.
    Available,
    /// There is network, and no port is free at present.
    NoFreePorts,
    /// There is network; somebody has to look.
    ToBeChecked,
    /// No network was found here.
    NotFound,
}

impl Feasibility {
    /// What a customer may be told.
    ///
    /// ```
    /// use geosite::{Feasibility, PublicView};
    ///
    /// fn answer(asked: &Feasibility) -> &'static str {
    ///     match asked.public_view() {
    ///         PublicView::Available => "yes",
    ///         PublicView::NotFound => "not here, as far as we know",
    ///         _ => "we will call you",
    ///     }
    /// }
    /// ```
    #[must_use]
    pub const fn public_view(&self) -> PublicView {
        match self {
            Self::Available { .. } => PublicView::Available,
            Self::AllFull { .. } => PublicView::NoFreePorts,
            Self::PortsUnknown { .. } => PublicView::ToBeChecked,
            Self::NoNetwork { .. } => PublicView::NotFound,
        }
    }

    fn of(
        mut boxes: Vec<NearBox>,
        failed: Vec<RowError>,
        radius: u32,
        route: &Route,
    ) -> Result<Self, Problem> {
        boxes.sort_by(|one, other| far(one).total_cmp(&far(other)));
        let has_free = |near: &NearBox| matches!(near.free, FreePorts::Known(1..));
        if let Some(place) = boxes.iter().position(has_free) {
            let nearest = boxes.remove(place);
            return Ok(Self::Available { nearest, others: boxes, failed });
        }
        if let Some(row) = failed.into_iter().next() {
            // What could not be read may have been the box with a free port.
            return Err(Problem::RowUnreadable { route: route.text.clone(), row });
        }
        if boxes.is_empty() {
            return Ok(Self::NoNetwork { radius });
        }
        let all_full = boxes.iter().all(|near| near.free == FreePorts::Known(0));
        Ok(if all_full { Self::AllFull { boxes } } else { Self::PortsUnknown { boxes } })
    }
}

/// A box whose distance nobody knows comes last.
fn far(near: &NearBox) -> f64 {
    near.distance.unwrap_or(f64::INFINITY)
}

/// An element near a place (V2).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct NearElement {
    /// Its number.
    pub fid: Option<Fid>,
    /// Metres.
    pub distance: Option<f64>,
    /// Everything else, as it came.
    pub fields: Map<String, Value>,
}

impl Client {
    /// Asks for boxes within `radius` metres of a place (V1).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.4).
    ///
    /// # Errors
    /// That nobody could be asked: what the call met, a refusal, another shape. A validation error for a place that cannot be asked
    /// for.
    ///
    /// ```no_run
    /// # async fn run(client: geosite::Client) -> Result<(), geosite::Error> {
    /// use geosite::{Feasibility, Place};
    ///
    /// match client.feasibility(&Place::Cep("13400-000".into()), 300).await? {
    ///     Feasibility::Available { nearest, .. } => println!("{:?} at {:?} m", nearest.code, nearest.distance),
    ///     other => println!("{:?}", other.public_view()),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("viabilidade", "cobertura"))]
    pub async fn feasibility(&self, place: &Place, radius: u32) -> Result<Feasibility, Error> {
        let ask = near(Ask::new(BOXES), place, radius)?;
        self.ask(ask, |value, route| {
            let (boxes, failed) = read_rows(value, &["caixas"], route, near_box)?;
            Feasibility::of(boxes, failed, radius, route)
        })
        .await
    }

    /// Asks for elements of these features within `radius` metres of a place (V2), nearest first.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.4).
    ///
    /// # Errors
    /// As [`feasibility`](Self::feasibility); a row that cannot be read is an error too.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// use geosite::{Feature, Place};
    ///
    /// let near = client.facilities(&Place::Cep("13400-000".into()), 300, [Feature::Cto]).await?;
    /// println!("{} boxes within 300 m", near.len());
    /// # Ok(()) });
    /// ```
    #[doc(alias("viabilidade", "facilidades"))]
    pub async fn facilities(
        &self,
        place: &Place,
        radius: u32,
        features: impl IntoIterator<Item = Feature>,
    ) -> Result<Vec<NearElement>, Error> {
        let ask = near(Ask::new(FACILITIES), place, radius)?;
        let ask = features.into_iter().fold(ask, |ask, feature| ask.query(feature.segment(), 1));
        self.ask(ask, |value, route| {
            let wrappers = ["facilidades", "records", "caixas"];
            let (mut found, failed) = read_rows(value, &wrappers, route, near_element)?;
            if let Some(row) = failed.into_iter().next() {
                return Err(Problem::RowUnreadable { route: route.text.clone(), row });
            }
            let far = |near: &NearElement| near.distance.unwrap_or(f64::INFINITY);
            found.sort_by(|one, other| far(one).total_cmp(&far(other)));
            Ok(found)
        })
        .await
    }

    /// Asks whether a cable passes within `radius` metres (V3).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.4).
    ///
    /// # Errors
    /// As [`feasibility`](Self::feasibility).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (client, cto) = (kit.client.clone(), kit.cto());
    /// # let cto = client.get(geosite::Feature::Cto, cto).await?.ok_or("gone")?;
    /// # let position = cto.position.ok_or("no position")?;
    /// if !client.has_cable(position, 200).await? {
    ///     println!("no cable passes within 200 m");
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "cabo")]
    pub async fn has_cable(&self, position: Position, radius: u32) -> Result<bool, Error> {
        let (latitude, longitude) = (position.latitude.degrees(), position.longitude.degrees());
        let body = json!({"latitude": latitude, "longitude": longitude, "raio_metros": radius});
        let ask = Ask::new(CABLE).json(body.to_string().into_bytes()).attempt(FEASIBILITY);
        self.ask(ask, |value, route| {
            use integration_core::body::fields::Token;
            let found = value.get("existe_lance_cabo").and_then(|found| found.scalar().boolean());
            found.ok_or_else(|| route.shape(keys_of(&value), "`existe_lance_cabo` is no truth"))
        })
        .await
    }
}

fn near(ask: Ask, place: &Place, radius: u32) -> Result<Ask, Error> {
    let ask = ask.attempt(FEASIBILITY).query("raio", radius);
    match place {
        Place::At(position) => {
            Ok(ask.query("latitude", position.latitude).query("longitude", position.longitude))
        }
        Place::Address(text) if text.trim().is_empty() => Err(no_place("an address")),
        Place::Address(text) => Ok(ask.query("endereco", text.trim())),
        Place::Cep(text) => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            let plain = text.trim().chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | '.' | ' '));
            if digits.len() == 8 && plain {
                Ok(ask.query("endereco", digits))
            } else {
                Err(no_place("a CEP of 8 digits"))
            }
        }
    }
}

fn no_place(expected: &'static str) -> Error {
    let fault = Fault::error("PLACE", "place").with_expected(expected).with_hint("nothing was sent");
    Error::validation("ask for boxes near a place", vec![fault])
}

/// R4: the list under one of these names, or bare.
fn read_rows<T>(
    value: Value,
    wrappers: &[&str],
    route: &Route,
    read: impl Fn(Map<String, Value>) -> Result<T, RowError>,
) -> Result<(Vec<T>, Vec<RowError>), Problem> {
    let keys = keys_of(&value);
    let list = match value {
        Value::Array(list) => Some(list),
        Value::Object(mut fields) => wrappers.iter().find_map(|name| match fields.remove(*name) {
            Some(Value::Array(list)) => Some(list),
            _ => None,
        }),
        _ => None,
    };
    let list = list.ok_or_else(|| route.shape(keys.clone(), "there is no list under a known name"))?;
    let (mut found, mut failed) = (Vec::new(), Vec::new());
    for row in list {
        let Value::Object(fields) = row else { return Err(route.shape(keys, "a row is no object")) };
        match read(fields) {
            Ok(row) => found.push(row),
            Err(error) => failed.push(error),
        }
    }
    Ok((found, failed))
}

/// The fields of one row, taken without case.
struct Taking {
    fields: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Taking {
    fn take<T>(&mut self, name: &str, read: impl Fn(&Value) -> Result<Option<T>, Unparsable>) -> Option<T> {
        let key = self.fields.keys().find(|key| wire::same(key, name))?.clone();
        let value = self.fields.remove(&key)?;
        read(&value).unwrap_or_else(|Unparsable(expected)| {
            self.faults.push(Fault::error("R5", key).with_expected(expected));
            None
        })
    }

    fn integer(&mut self, name: &str) -> Option<i64> {
        self.take(name, wire::integer)
    }

    fn real(&mut self, name: &str) -> Option<f64> {
        self.take(name, wire::real)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        self.take(name, wire::text)
    }

    fn fid(&mut self) -> Option<Fid> {
        let fid = self.integer("fid")?;
        let number = u64::try_from(fid).ok();
        if number.is_none() {
            self.faults.push(Fault::error("R5", "fid").with_expected("a number from 0"));
        }
        number.map(Fid)
    }
}

fn near_element(fields: Map<String, Value>) -> Result<NearElement, RowError> {
    let mut taking = Taking { fields, faults: Vec::new() };
    let (fid, distance) = (taking.fid(), taking.real("distancia"));
    let Taking { fields, faults } = taking;
    if faults.is_empty() { Ok(NearElement { fid, distance, fields }) } else { Err(RowError::of(fid, faults)) }
}

fn near_box(fields: Map<String, Value>) -> Result<NearBox, RowError> {
    let mut row = Taking { fields, faults: Vec::new() };
    let mut warnings = Vec::new();
    let fid = row.fid();
    let type_code = row.text("tipoCodigo");
    let code = type_code
        .as_deref()
        .map(|text| text.split_once(": ").map_or(text, |(_, code)| code).trim().to_owned());
    let box_type = row.integer("fidTipoCaixaEmenda");
    let splitter_ports = row.integer("qtdPortasSplitter");
    let splitter_ports_occupied = row.integer("qtdPortasSplitterOcup");
    let told = row.integer("qtdPortasSplitterDisp");
    let rest = splitter_ports.zip(splitter_ports_occupied).map(|(all, taken)| all.saturating_sub(taken));
    let splitter_ports_free = told.or(rest);
    let free = free_ports(&mut row, splitter_ports_free, &mut warnings);
    let near = NearBox {
        fid,
        type_code,
        code,
        kind: box_type.and_then(ElementKind::of_box_type),
        box_type,
        distance: row.real("distancia"),
        route_distance: row.real("distanciaRotaSugerida"),
        position: position(&mut row, &mut warnings),
        free,
        occupied: row.integer("qtdOcupada"),
        capacity: row.integer("capacidade"),
        customers: row.integer("qtdClientes"),
        splitters: row.integer("qtdSplitter"),
        splitter_ports,
        splitter_ports_occupied,
        splitter_ports_free,
        ethernet_ports: row.integer("qtdPortasEthernet"),
        ethernet_ports_occupied: row.integer("qtdPortasEthernetOcup"),
        ethernet_ports_free: row.integer("qtdPortasEthernetDisp"),
        pacpon_devices: row.integer("qtdEquipamentosPacpon"),
        extra: Map::new(),
        warnings,
    };
    let Taking { fields: extra, faults } = row;
    if faults.is_empty() { Ok(NearBox { extra, ..near }) } else { Err(RowError::of(fid, faults)) }
}

/// Trap 13: the first figure that is there, never less than none.
fn free_ports(row: &mut Taking, of_splitters: Option<i64>, warnings: &mut Vec<Fault>) -> FreePorts {
    let (newer, older) = (row.integer("qtdDisponivel"), row.integer("qtdTotalDisponivel"));
    if let (Some(newer), Some(older)) = (newer, older)
        && newer != older
    {
        let hint = "qtdTotalDisponivel says something else; the newer name wins";
        warnings
            .push(Fault::warning("ALIAS", "qtdDisponivel").with_actual(newer.to_string()).with_hint(hint));
    }
    let Some(figure) = newer.or(older).or(of_splitters) else { return FreePorts::Unknown };
    if figure < 0 {
        let fault = Fault::warning("NEGATIVE", "qtdDisponivel").with_actual(figure.to_string());
        warnings.push(fault.with_hint("it counts as no free port"));
    }
    FreePorts::Known(u32::try_from(figure.max(0)).unwrap_or(u32::MAX))
}

fn position(row: &mut Taking, warnings: &mut Vec<Fault>) -> Option<Position> {
    let text = row.text("geometryCaixaEmenda")?;
    match Position::parse_wkt(&text) {
        Ok(place) => {
            warnings.extend(place.doubt().map(doubtful));
            Some(place)
        }
        Err(bad) => {
            let fault = Fault::error("R9", "geometryCaixaEmenda").with_expected("a WKT point in range");
            row.faults.push(fault.with_hint(bad.to_string()));
            None
        }
    }
}
