//! The register as pictures: GeoJSON (RFC 7946) and one self-contained page with a map.
//!
//! The rules enforced here: longitude stands before latitude, numbers are written as decimals without exponent, every text is
//! escaped, and elements are written as they come, so that a million of them need no memory. An element without a place is kept in
//! GeoJSON, with a null geometry, and counted beneath the map.

mod map;

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::record::is_geometry;
use crate::sync::{self, Kind};
use crate::{Course, ElementKind, Position, Record};

pub use map::{Bounds, Map};

/// What a picture shows of an element.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Element<'e> {
    /// What it is; nothing for a splitter of unknown role.
    pub kind: Option<ElementKind>,
    /// Its number.
    pub fid: u64,
    /// `codigo`
    #[doc(alias = "codigo")]
    pub code: Option<&'e str>,
    /// `nome`
    #[doc(alias = "nome")]
    pub name: Option<&'e str>,
    /// Where it is.
    pub position: Option<Position>,
    /// The course of a cable, which is drawn instead of its place.
    pub course: Option<Course>,
    /// How many ports it has, if that is known.
    pub ports: Option<u64>,
    /// How many of them are free, if that is known; not to be known is not none.
    pub free: Option<u64>,
}

impl<'e> Element<'e> {
    /// An element of which only its kind, number and place are known.
    #[must_use]
    pub const fn new(kind: Option<ElementKind>, fid: u64, position: Option<Position>) -> Self {
        Self { kind, fid, code: None, name: None, position, course: None, ports: None, free: None }
    }

    /// An element as it was read, without anything about its ports.
    #[must_use]
    pub fn of(record: &'e Record) -> Self {
        let (code, name) = (record.code.as_deref(), record.name.as_deref());
        let course = record.course();
        Self { code, name, course, ..Self::new(record.kind(), record.fid.0, record.position) }
    }

    /// An element as a register holds it, with the ports that it says.
    #[must_use]
    pub fn of_stored(element: &'e sync::Element) -> Self {
        let number = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let fid = number(Some(element.fid)).unwrap_or_default();
        Self {
            code: element.code.as_deref(),
            name: element.name.as_deref(),
            course: stored_course(element),
            ports: number(element.ports),
            free: number(element.free_ports),
            ..Self::new(kind_of(element.kind), fid, stored_place(element))
        }
    }

    /// With what people call it.
    #[must_use]
    pub const fn with_name(mut self, name: &'e str) -> Self {
        self.name = Some(name);
        self
    }

    /// With the number of its ports, and of the free ones.
    #[must_use]
    pub const fn with_ports(mut self, ports: Option<u64>, free: Option<u64>) -> Self {
        self.ports = ports;
        self.free = free;
        self
    }
}

/// Registers keep ten-millionths of a degree.
#[allow(clippy::cast_precision_loss, reason = "at most 1.8e9")]
fn stored_place(element: &sync::Element) -> Option<Position> {
    let degrees = |e7: i64| e7 as f64 / 1e7;
    Position::new(degrees(element.latitude_e7?), degrees(element.longitude_e7?)).ok()
}

fn stored_course(element: &sync::Element) -> Option<Course> {
    if element.kind != Kind::LanceCabo {
        return None;
    }
    let extra: BTreeMap<String, Value> = serde_json::from_str(&element.extra).ok()?;
    let lines = extra.iter().filter(|(name, _)| is_geometry(name));
    lines.filter_map(|(_, value)| value.as_str()).find_map(|text| Course::parse_wkt(text).ok())
}

const fn kind_of(kind: Kind) -> Option<ElementKind> {
    Some(match kind {
        Kind::SplitterAtendimento => ElementKind::SplitterAtendimento,
        Kind::SplitterDistribuicao => ElementKind::SplitterDistribuicao,
        Kind::SplitterUnknown => return None,
        Kind::CaixaEmenda => ElementKind::CaixaEmenda,
        Kind::Cto => ElementKind::Cto,
        Kind::Cah => ElementKind::Cah,
        Kind::Hub => ElementKind::Hub,
        Kind::TerminadorOptico => ElementKind::TerminadorOptico,
        Kind::Estacao => ElementKind::Estacao,
        Kind::LanceCabo => ElementKind::LanceCabo,
        Kind::Poste => ElementKind::Poste,
        Kind::Cliente => ElementKind::Cliente,
    })
}

/// Writes a feature collection, element by element.
///
/// ```
/// use geosite::picture::{Element, GeoJson};
/// use geosite::{ElementKind, Position};
///
/// let mut json = GeoJson::new(Vec::new())?;
/// let place = Position::new(-22.73, -47.65).unwrap();
/// json.add(&Element::new(Some(ElementKind::Cto), 7, Some(place)).with_name("CTO \"da praça\""))?;
/// let text = String::from_utf8(json.finish()?).unwrap();
/// assert!(text.contains(r#""coordinates":[-47.65,-22.73]"#));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct GeoJson<W> {
    out: W,
    any: bool,
}

impl<W: Write> GeoJson<W> {
    /// Begins a collection. Give it a buffered writer.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(br#"{"type":"FeatureCollection","features":["#)?;
        Ok(Self { out, any: false })
    }

    /// Writes one element.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn add(&mut self, element: &Element<'_>) -> io::Result<()> {
        self.out.write_all(if self.any { b",\n" } else { b"\n" })?;
        self.any = true;
        serde_json::to_writer(&mut self.out, &GeoFeature::of(element)?).map_err(io::Error::from)
    }

    /// Ends the collection and gives the writer back, flushed. Without it the file is no JSON.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]}\n")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

#[derive(Serialize)]
struct GeoFeature<'e> {
    r#type: &'static str,
    id: u64,
    geometry: Option<Geometry>,
    properties: Properties<'e>,
}

#[derive(Serialize)]
struct Geometry {
    r#type: &'static str,
    coordinates: Box<RawValue>,
}

#[derive(Serialize)]
struct Properties<'e> {
    kind: &'static str,
    fid: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    codigo: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nome: Option<&'e str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ports: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free: Option<u64>,
}

impl<'e> GeoFeature<'e> {
    fn of(element: &Element<'e>) -> io::Result<Self> {
        let Element { fid, code, name, ports, free, .. } = *element;
        let point = || element.position.map(point).transpose();
        let properties = Properties { kind: label(element.kind), fid, codigo: code, nome: name, ports, free };
        let geometry = element.course.as_ref().map_or_else(point, |course| line(course).map(Some))?;
        Ok(Self { r#type: "Feature", id: fid, geometry, properties })
    }
}

fn point(place: Position) -> io::Result<Geometry> {
    Ok(Geometry { r#type: "Point", coordinates: RawValue::from_string(coordinates(place))? })
}

fn line(course: &Course) -> io::Result<Geometry> {
    let places: Vec<String> = course.places().iter().copied().map(coordinates).collect();
    let coordinates = RawValue::from_string(format!("[{}]", places.join(",")))?;
    Ok(Geometry { r#type: "LineString", coordinates })
}

/// `Display` of a number never uses an exponent, which `serde_json` does.
fn coordinates(place: Position) -> String {
    format!("[{},{}]", place.longitude, place.latitude)
}

/// The kind's name, as the contract has it (3.1).
const fn label(kind: Option<ElementKind>) -> &'static str {
    match kind {
        Some(ElementKind::SplitterAtendimento) => "SplitterAtendimento",
        Some(ElementKind::SplitterDistribuicao) => "SplitterDistribuicao",
        Some(ElementKind::CaixaEmenda) => "CaixaEmenda",
        Some(ElementKind::Cto) => "Cto",
        Some(ElementKind::Cah) => "Cah",
        Some(ElementKind::Hub) => "Hub",
        Some(ElementKind::TerminadorOptico) => "TerminadorOptico",
        Some(ElementKind::Estacao) => "Estacao",
        Some(ElementKind::LanceCabo) => "LanceCabo",
        Some(ElementKind::Poste) => "Poste",
        Some(ElementKind::Cliente) => "Cliente",
        None => "Unknown",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn written(elements: &[Element<'_>]) -> Value {
        let mut json = GeoJson::new(Vec::new()).unwrap();
        elements.iter().for_each(|element| json.add(element).unwrap());
        serde_json::from_slice(&json.finish().unwrap()).unwrap()
    }

    #[test]
    fn longitude_comes_first_and_no_place_is_null() {
        let place = Position::new(-22.73, -47.65).unwrap();
        let cto = Element::new(Some(ElementKind::Cto), 7, Some(place)).with_ports(Some(16), Some(0));
        let expected = json!({"type": "FeatureCollection", "features": [
            {"type": "Feature", "id": 7, "geometry": {"type": "Point", "coordinates": [-47.65, -22.73]},
             "properties": {"kind": "Cto", "fid": 7, "ports": 16, "free": 0}},
            {"type": "Feature", "id": 8, "geometry": null, "properties": {"kind": "Unknown", "fid": 8}},
        ]});
        assert_eq!(written(&[cto, Element::new(None, 8, None)]), expected);
        assert_eq!(written(&[]), json!({"type": "FeatureCollection", "features": []}));
    }

    #[test]
    fn a_cable_is_a_line() {
        let course = Course::parse_wkt("LINESTRING (-47.65 -22.73, -47.64 -22.72, -47.63 -22.72)").ok();
        let place = Position::new(-22.725, -47.645).ok();
        let cable = Element { course, ..Element::new(Some(ElementKind::LanceCabo), 7, place) };
        let geometry = &written(&[cable])["features"][0]["geometry"];
        let coordinates = json!([[-47.65, -22.73], [-47.64, -22.72], [-47.63, -22.72]]);
        assert_eq!(*geometry, json!({"type": "LineString", "coordinates": coordinates}));
    }

    #[test]
    fn what_a_register_holds_is_drawn_as_what_was_read() {
        let mut stored = sync::Element::new(Kind::LanceCabo, 7);
        stored.name = Some("Lance 7".to_owned());
        (stored.latitude_e7, stored.longitude_e7) = (Some(-227_300_000), Some(-476_500_000));
        let drawn = Element::of_stored(&stored);
        assert_eq!((drawn.kind, drawn.fid, drawn.name), (Some(ElementKind::LanceCabo), 7, Some("Lance 7")));
        assert_eq!((drawn.position, drawn.course), (Position::new(-22.73, -47.65).ok(), None));
        stored.extra = json!({"the_geom": "LINESTRING (1 2, 3 4)", "cor": "azul"}).to_string();
        assert_eq!(Element::of_stored(&stored).course, Course::parse_wkt("LINESTRING (1 2, 3 4)").ok());
        let mut cto = sync::Element::new(Kind::Cto, 8);
        (cto.ports, cto.free_ports) = (Some(16), Some(3));
        let drawn = Element::of_stored(&cto);
        assert_eq!((drawn.ports, drawn.free, drawn.position), (Some(16), Some(3), None));
        assert_eq!(Element::of_stored(&sync::Element::new(Kind::SplitterUnknown, 9)).kind, None);
    }

    #[test]
    fn tiny_numbers_have_no_exponent() {
        let mut json = GeoJson::new(Vec::new()).unwrap();
        json.add(&Element::new(None, 1, Some(Position::new(1e-7, -0.000_000_25).unwrap()))).unwrap();
        let text = String::from_utf8(json.finish().unwrap()).unwrap();
        assert!(text.contains("[-0.00000025,0.0000001]"), "{text}");
    }

    proptest! {
        #[test]
        fn any_text_and_place_come_back(name in any::<String>(), latitude in -90.0..=90.0, longitude in -180.0..=180.0) {
            let place = Position::new(latitude, longitude).unwrap();
            let element = Element::new(None, 1, Some(place)).with_name(&name);
            let read = written(std::slice::from_ref(&element));
            prop_assert_eq!(read["features"][0]["properties"]["nome"].as_str(), Some(name.as_str()));
            // `serde_json` reads numbers less exactly than they are written.
            let coordinates = point(place).unwrap().coordinates;
            let inside = coordinates.get().trim_matches(['[', ']']);
            let numbers: Vec<f64> = inside.split(',').map(|number| number.parse().unwrap()).collect();
            prop_assert_eq!(numbers, [longitude, latitude]);
        }
    }
}
