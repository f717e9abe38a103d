//! What a map shows: boxes with their free ports, what hangs on them, and poles and cables between.

use super::feature::Feature;
use super::plant::Plant;
use super::schema::Source;
use super::shelf::{Role, Row};

/// Ports of a box for customers: those of its service splitters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Ports {
    pub(crate) total: usize,
    pub(crate) taken: usize,
}

impl Ports {
    /// How many are left; a port that a customer has beyond the splitter's size is no less than none.
    pub(crate) fn free(self) -> usize {
        self.total.saturating_sub(self.taken)
    }
}

/// A box or a station.
#[derive(Debug, Clone)]
pub(crate) struct Drawn {
    pub(crate) feature: Feature,
    pub(crate) fid: u32,
    pub(crate) code: String,
    pub(crate) name: String,
    /// Latitude and longitude in degrees.
    pub(crate) place: Option<(f64, f64)>,
    /// None if it has no service splitter.
    pub(crate) ports: Option<Ports>,
    pub(crate) customers: Vec<Hanging>,
}

/// A customer on a port.
#[derive(Debug, Clone)]
pub(crate) struct Hanging {
    pub(crate) fid: u32,
    pub(crate) name: String,
    pub(crate) port: u16,
    pub(crate) place: Option<(f64, f64)>,
}

/// The map.
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    pub(crate) boxes: Vec<Drawn>,
    /// How many boxes there are, drawn or not.
    pub(crate) all: usize,
    /// Feature, `fid` and place of poles and cable spans.
    pub(crate) between: Vec<(Feature, u32, (f64, f64))>,
}

/// What is drawn as a box.
const SITES: [Feature; 6] = [
    Feature::Cto,
    Feature::CaixaEmenda,
    Feature::TerminadorOptico,
    Feature::Cah,
    Feature::Hub,
    Feature::Estacao,
];

impl Plant {
    pub(super) fn drawing(&self, boxes: usize) -> Drawing {
        let rows = SITES.iter().flat_map(|site| self.table(*site).rows.iter().map(|row| (*site, row)));
        let points = |feature: Feature| {
            let rows = self.table(feature).rows.iter().take(boxes.saturating_mul(4));
            rows.filter_map(move |row| Some((feature, row.fid, row.place()?)))
        };
        Drawing {
            boxes: rows.take(boxes).map(|(feature, row)| self.drawn(feature, row)).collect(),
            all: SITES.iter().map(|site| self.table(*site).rows.len()).sum(),
            between: points(Feature::LanceCabo).chain(points(Feature::Poste)).collect(),
        }
    }

    fn drawn(&self, feature: Feature, row: &Row) -> Drawn {
        let service: Vec<&Row> =
            self.splitters(row.fid).filter(|splitter| splitter.role == Role::Service).collect();
        let ports = Ports {
            total: service.iter().map(|splitter| usize::from(splitter.capacity)).sum(),
            taken: service.iter().map(|splitter| self.taken(splitter.fid)).sum(),
        };
        let customers = service.iter().flat_map(|splitter| self.hanging(splitter));
        Drawn {
            feature,
            fid: row.fid,
            code: self.text(feature, row, Source::Code),
            name: self.text(feature, row, Source::Name),
            place: row.place(),
            customers: customers.collect(),
            ports: (!service.is_empty()).then_some(ports),
        }
    }

    fn hanging(&self, splitter: &Row) -> Vec<Hanging> {
        let ports = 1..=splitter.capacity;
        let holders = ports.flat_map(|port| self.holders(splitter.fid, port));
        let rows = holders.filter_map(|fid| self.get(Feature::Cliente, fid));
        let hanging = |row: &Row| Hanging {
            fid: row.fid,
            name: self.text(Feature::Cliente, row, Source::Name),
            port: row.port,
            place: row.place(),
        };
        rows.map(hanging).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::network::Network;
    use super::*;

    #[test]
    fn every_box_is_drawn_with_the_customers_on_its_ports() {
        let plant = Plant::new(Network::new(500).seed(3));
        let drawing = plant.drawing(1_000);
        let boxes: usize = SITES.iter().map(|site| plant.table(*site).rows.len()).sum();
        assert_eq!((drawing.boxes.len(), drawing.all), (boxes, boxes));
        let hanging: usize = drawing.boxes.iter().map(|one| one.customers.len()).sum();
        assert_eq!(hanging, plant.table(Feature::Cliente).rows.len());
        for one in &drawing.boxes {
            let Some(ports) = one.ports else { continue };
            assert_eq!(ports.taken, one.customers.len(), "{}", one.code);
            assert_eq!(ports.free(), ports.total - ports.taken);
        }
        assert_eq!(plant.drawing(3).boxes.len(), 3);
        assert_eq!(Ports { total: 8, taken: 9 }.free(), 0);
    }
}
