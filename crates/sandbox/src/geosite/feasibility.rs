//! What is near a place (contract section 3.4): distances on a sphere, and the figures of boxes.

use serde_json::{Map, Value, json};

use super::feature::Feature;
use super::network::DEGREE;
use super::plant::{Plant, point};
use super::schema::Source;
use super::settings::{Numbers, PortFigures, Settings};
use super::shelf::{Role, Row};

/// Something within the radius.
#[derive(Debug, Clone, Copy)]
pub(super) struct Near {
    metres: f64,
    feature: Feature,
    row: Row,
}

/// Great-circle distance in metres between two places in degrees.
pub(super) fn distance(
    (latitude, longitude): (f64, f64),
    (other_latitude, other_longitude): (f64, f64),
) -> f64 {
    let half = |degrees: f64| (degrees.to_radians() / 2.0).sin().powi(2);
    let across = latitude.to_radians().cos() * other_latitude.to_radians().cos();
    let chord = half(other_latitude - latitude) + across * half(other_longitude - longitude);
    2.0 * 6_371_008.8 * chord.sqrt().min(1.0).asin()
}

impl Plant {
    /// Elements of these features with a place, nearest first.
    pub(super) fn around(&self, features: &[Feature], place: (f64, f64), radius: f64) -> Vec<Near> {
        let near = |feature: Feature, row: &Row| {
            let there = row.place()?;
            // Cheap, and leaves little to measure.
            if (there.0 - place.0).abs() * DEGREE > radius + 1.0 {
                return None;
            }
            let metres = distance(place, there);
            (metres <= radius).then_some(Near { metres, feature, row: *row })
        };
        let of = |feature: &Feature| {
            let feature = *feature;
            self.table(feature).rows.iter().filter_map(move |row| near(feature, row))
        };
        let mut found: Vec<Near> = features.iter().flat_map(of).collect();
        found.sort_by(|one, other| one.metres.total_cmp(&other.metres).then(one.row.fid.cmp(&other.row.fid)));
        found
    }

    /// A box as V1 has it.
    pub(super) fn box_of_v1(&self, near: &Near, settings: &Settings) -> Value {
        let Near { metres, feature, row } = near;
        let code = self.text(*feature, row, Source::Code);
        let mut fields = Map::new();
        let mut put = |name: &str, number: Value| {
            fields.insert(name.to_owned(), spelled(number, settings.numbers));
        };
        put("fid", json!(row.fid));
        put("fidTipoCaixaEmenda", json!(feature.box_type()));
        put("distancia", json!(metre_figure(*metres)));
        put("distanciaRotaSugerida", json!((metres * 1.3).round() as i64));
        put("capacidade", json!(row.capacity));
        put("qtdEquipamentosPacpon", json!(0));
        for name in ["qtdPortasEthernet", "qtdPortasEthernetDisp", "qtdPortasEthernetOcup"] {
            put(name, json!(0));
        }
        self.port_figures(row, settings.ports, &mut put);
        fields.insert("tipoCodigo".to_owned(), json!(format!("{}: {code}", feature.prefix())));
        fields.insert("geometryCaixaEmenda".to_owned(), json!(point(row)));
        Value::Object(fields)
    }

    fn port_figures(&self, row: &Row, figures: PortFigures, put: &mut impl FnMut(&str, Value)) {
        let service: Vec<&Row> =
            self.splitters(row.fid).filter(|splitter| splitter.role == Role::Service).collect();
        let total: i64 = service.iter().map(|splitter| i64::from(splitter.capacity)).sum();
        let occupied: i64 = service.iter().map(|splitter| self.taken(splitter.fid) as i64).sum();
        let free = total - occupied;
        put("qtdSplitter", json!(self.splitters(row.fid).count()));
        put("qtdClientes", json!(occupied));
        let newer: &[(&str, i64)] = match figures {
            PortFigures::All => &[("qtdDisponivel", free)],
            PortFigures::OldAlias => &[("qtdTotalDisponivel", free)],
            PortFigures::Both => &[("qtdDisponivel", free), ("qtdTotalDisponivel", free)],
            PortFigures::BothDifferent => &[("qtdDisponivel", free), ("qtdTotalDisponivel", free + 1)],
            PortFigures::Negative => &[("qtdDisponivel", -1 - occupied)],
            PortFigures::SplitterTotalAndOccupied | PortFigures::Unknown => &[],
        };
        newer.iter().for_each(|(name, number)| put(name, json!(number)));
        if figures == PortFigures::Unknown {
            return;
        }
        put("qtdPortasSplitter", json!(total));
        put("qtdPortasSplitterOcup", json!(occupied));
        if figures != PortFigures::SplitterTotalAndOccupied {
            put("qtdOcupada", json!(occupied));
            put("qtdPortasSplitterDisp", json!(free));
        }
    }

    /// An element as V2 has it.
    pub(super) fn facility(&self, near: &Near, settings: &Settings) -> Value {
        let Near { metres, feature, row } = near;
        let number = |number| spelled(number, settings.numbers);
        let place = row.place().unwrap_or_default();
        json!({
            "feature": feature.segment(),
            "fid": number(json!(row.fid)),
            "codigo": self.text(*feature, row, Source::Code),
            "nome": self.text(*feature, row, Source::Name),
            "latitude": number(json!(place.0)),
            "longitude": number(json!(place.1)),
            "distancia": number(json!(metre_figure(*metres))),
        })
    }
}

/// To the centimetre.
fn metre_figure(metres: f64) -> f64 {
    (metres * 100.0).round() / 100.0
}

/// A number as the settings want it.
pub(super) fn spelled(number: Value, numbers: Numbers) -> Value {
    match numbers {
        Numbers::Number => number,
        Numbers::Text => Value::String(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::distance;

    /// Known lengths: a degree of the meridian, a quarter of the equator, half of it.
    #[test]
    fn distances_are_those_of_a_sphere() {
        for (one, other, metres) in [
            ((0.0, 0.0), (1.0, 0.0), 111_195.08),
            ((0.0, 0.0), (0.0, 90.0), 10_007_557.2),
            ((0.0, 0.0), (0.0, 180.0), 20_015_114.4),
            ((60.0, 0.0), (60.0, 0.001), 55.5975),
            ((-23.0, -47.0), (-23.0, -47.0), 0.0),
        ] {
            let measured = distance(one, other);
            assert!((measured - metres).abs() < metres * 1e-6 + 1e-9, "{one:?} {other:?}: {measured}");
        }
    }
}
