//! The register as pictures: GeoJSON (RFC 7946) and one self-contained page with a map.
//!
//! The rules enforced here: longitude stands before latitude, numbers are written as decimals without exponent, every text is
//! escaped, and elements are written as they come, so that a million of them need no memory. An element without a place is kept in
//! GeoJSON, with a null geometry, and counted beneath the map.

mod map;

use std::io::{self, Write};

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{ElementKind, Position, Record};

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
    pub code: Option<&'e str>,
    /// `nome`
    pub name: Option<&'e str>,
    /// Where it is.
    pub position: Option<Position>,
    /// How many ports it has, if that is known.
    pub ports: Option<u64>,
    /// How many of them are free, if that is known; not to be known is not none.
    pub free: Option<u64>,
}

impl<'e> Element<'e> {
    /// An element of which only its kind, number and place are known.
    #[must_use]
    pub const fn new(kind: Option<ElementKind>, fid: u64, position: Option<Position>) -> Self {
        Self { kind, fid, code: None, name: None, position, ports: None, free: None }
    }

    /// An element as it was read, without anything about its ports.
    #[must_use]
    pub fn of(record: &'e Record) -> Self {
        let (code, name) = (record.code.as_deref(), record.name.as_deref());
        Self { code, name, ..Self::new(record.kind(), record.fid.0, record.position) }
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
    geometry: Option<Point>,
    properties: Properties<'e>,
}

#[derive(Serialize)]
struct Point {
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
        let properties = Properties { kind: label(element.kind), fid, codigo: code, nome: name, ports, free };
        let geometry = element.position.map(point).transpose()?;
        Ok(Self { r#type: "Feature", id: fid, geometry, properties })
    }
}

fn point(place: Position) -> io::Result<Point> {
    // `Display` of a number never uses an exponent, which `serde_json` does.
    let coordinates = RawValue::from_string(format!("[{},{}]", place.longitude, place.latitude))?;
    Ok(Point { r#type: "Point", coordinates })
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
    use serde_json::{Value, json};

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
