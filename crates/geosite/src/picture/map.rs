//! One HTML file with an SVG map: nothing is fetched, it is readable by day and by night, and on a phone.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{Element, label};
use crate::{Course, ElementKind, Position};

/// The width of the drawing in its own units.
const WIDTH: f64 = 1000.0;
/// A network that lies on one line still gets a strip of this share of the width.
const FLATTEST: f64 = 0.3;
const TALLEST: f64 = 2.0;
/// Few are so many, or a quarter.
const FEW: u64 = 2;

const HEAD: &str = include_str!("map_head.html");
const FOOT: &str = include_str!("map_foot.html");

/// The rectangle that a map shows.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bounds(Option<(f64, f64, f64, f64)>);

impl Bounds {
    /// Nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(None)
    }

    /// Takes in all that is drawn of an element.
    pub fn cover(&mut self, element: &Element<'_>) {
        match &element.course {
            Some(course) => course.places().iter().for_each(|place| self.include(*place)),
            None => element.position.into_iter().for_each(|place| self.include(place)),
        }
    }

    /// Takes one more place in.
    pub fn include(&mut self, place: Position) {
        let (x, y) = (place.longitude.degrees(), place.latitude.degrees());
        self.0 = Some(match self.0 {
            None => (x, y, x, y),
            Some((west, south, east, north)) => (west.min(x), south.min(y), east.max(x), north.max(y)),
        });
    }
}

impl FromIterator<Position> for Bounds {
    fn from_iter<I: IntoIterator<Item = Position>>(places: I) -> Self {
        let mut bounds = Self::new();
        places.into_iter().for_each(|place| bounds.include(place));
        bounds
    }
}

/// From degrees to the drawing: straight, with degrees of longitude as wide as they are in the middle.
#[derive(Debug, Clone, Copy)]
struct Projection {
    west: f64,
    north: f64,
    narrowing: f64,
    scale: f64,
    left: f64,
    top: f64,
    height: f64,
}

impl Projection {
    fn of(bounds: Bounds) -> Self {
        let (west, south, east, north) = bounds.0.unwrap_or((0.0, 0.0, 0.0, 0.0));
        let narrowing = f64::midpoint(south, north).to_radians().cos().max(0.01);
        // About a hundred metres, so that a single box has a place to stand in.
        let (wide, high) = (((east - west) * narrowing).max(0.001), (north - south).max(0.001));
        let height = WIDTH * (high / wide).clamp(FLATTEST, TALLEST);
        let scale = 0.94 * (WIDTH / wide).min(height / high);
        let left = (WIDTH - (east - west) * narrowing * scale) / 2.0;
        let top = (height - (north - south) * scale) / 2.0;
        Self { west, north, narrowing, scale, left, top, height }
    }

    fn place(&self, place: Position) -> (f64, f64) {
        let x = (place.longitude.degrees() - self.west) * self.narrowing * self.scale + self.left;
        (x, (self.north - place.latitude.degrees()) * self.scale + self.top)
    }
}

/// Writes the page, element by element. What is written first lies beneath: cables and poles before boxes.
///
/// ```
/// use geosite::picture::{Bounds, Element, Map};
/// use geosite::{ElementKind, Position};
///
/// let place = Position::new(-22.73, -47.65).unwrap();
/// let mut map = Map::new(Vec::new(), "Centro", Bounds::from_iter([place]))?;
/// map.add(&Element::new(Some(ElementKind::Cto), 7, Some(place)).with_ports(Some(16), Some(3)))?;
/// let page = String::from_utf8(map.finish()?).unwrap();
/// assert!(page.starts_with("<!doctype html>") && page.contains("3 of 16 ports free"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Map<W> {
    out: W,
    projection: Projection,
    kinds: BTreeMap<&'static str, (Option<ElementKind>, u64)>,
    nowhere: u64,
}

impl<W: Write> Map<W> {
    /// Begins a page. Give it a buffered writer.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn new(mut out: W, title: &str, bounds: Bounds) -> io::Result<Self> {
        let projection = Projection::of(bounds);
        let title = escaped(title);
        out.write_all(HEAD.replace("{{title}}", &title).as_bytes())?;
        writeln!(
            out,
            r#"<svg id="map" viewBox="0 0 {WIDTH} {:.1}" role="img" aria-label="{title}"><g id="marks">"#,
            projection.height
        )?;
        Ok(Self { out, projection, kinds: BTreeMap::new(), nowhere: 0 })
    }

    /// Draws one element, a cable with its course as a line; one without a place is counted.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn add(&mut self, element: &Element<'_>) -> io::Result<()> {
        match (&element.course, element.position) {
            (Some(course), _) => self.line(element, course),
            (None, Some(place)) => self.mark(element, place),
            (None, None) => {
                self.nowhere = self.nowhere.saturating_add(1);
                Ok(())
            }
        }
    }

    fn count(&mut self, kind: Option<ElementKind>) {
        let count = &mut self.kinds.entry(label(kind)).or_insert((kind, 0)).1;
        *count = count.saturating_add(1);
    }

    fn line(&mut self, element: &Element<'_>, course: &Course) -> io::Result<()> {
        self.count(element.kind);
        write!(self.out, "<polyline points=\"")?;
        for place in course.places() {
            let (x, y) = self.projection.place(*place);
            write!(self.out, "{x:.2},{y:.2} ")?;
        }
        writeln!(self.out, "\"><title>{}</title></polyline>", escaped(&told(element)))
    }

    fn mark(&mut self, element: &Element<'_>, place: Position) -> io::Result<()> {
        self.count(element.kind);
        let (x, y) = self.projection.place(place);
        let (shape, fill) = (shape(element.kind), fill(element));
        let text = escaped(&told(element));
        writeln!(
            self.out,
            r##"<g transform="translate({x:.2} {y:.2})"><use href="#{shape}" class="{fill}"><title>{text}</title></use></g>"##
        )
    }

    /// Ends the page with its legend, and gives the writer back, flushed.
    ///
    /// # Errors
    ///
    /// The writer's.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"</g></svg>\n<ul class=\"legend\">\n")?;
        for (kind, count) in self.kinds.values() {
            let shape = shape(*kind);
            writeln!(
                self.out,
                r##"<li><svg viewBox="-8 -8 16 16"><use href="#{shape}" class="plain"/></svg>{}: {count}</li>"##,
                called(*kind)
            )?;
        }
        if self.nowhere > 0 {
            writeln!(self.out, "<li>without a place: {}</li>", self.nowhere)?;
        }
        self.out.write_all(FOOT.as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// What stands in the title of an element.
fn told(element: &Element<'_>) -> String {
    let mut lines = vec![format!("{} {}", called(element.kind), element.fid)];
    lines.extend([element.code, element.name].into_iter().flatten().map(str::to_owned));
    lines.extend(match (element.free, element.ports) {
        (Some(free), Some(ports)) => Some(format!("{free} of {ports} ports free")),
        (Some(free), None) => Some(format!("{free} ports free")),
        (None, Some(ports)) => Some(format!("{ports} ports, free ones unknown")),
        (None, None) => None,
    });
    lines.join("\n")
}

/// What people who work with it call it (contract 3.1).
const fn called(kind: Option<ElementKind>) -> &'static str {
    match kind {
        Some(ElementKind::SplitterAtendimento) => "Splitter de atendimento",
        Some(ElementKind::SplitterDistribuicao) => "Splitter de distribuição",
        Some(ElementKind::CaixaEmenda) => "Caixa de emenda",
        Some(ElementKind::Cto) => "CTO",
        Some(ElementKind::Cah) => "CAH",
        Some(ElementKind::Hub) => "HUB",
        Some(ElementKind::TerminadorOptico) => "Terminador óptico",
        Some(ElementKind::Estacao) => "Estação",
        Some(ElementKind::LanceCabo) => "Lance de cabo",
        Some(ElementKind::Poste) => "Poste",
        Some(ElementKind::Cliente) => "Cliente",
        None => "Splitter of unknown role",
    }
}

const fn shape(kind: Option<ElementKind>) -> &'static str {
    match kind {
        Some(ElementKind::Cto) => "circle",
        Some(ElementKind::CaixaEmenda) => "square",
        Some(ElementKind::Cah) => "diamond",
        Some(ElementKind::Hub) => "up",
        Some(ElementKind::TerminadorOptico) => "down",
        Some(ElementKind::Estacao) => "star",
        Some(ElementKind::SplitterAtendimento | ElementKind::SplitterDistribuicao) | None => "bar",
        Some(ElementKind::LanceCabo) => "span",
        Some(ElementKind::Poste) => "ring",
        Some(ElementKind::Cliente) => "dot",
    }
}

fn fill(element: &Element<'_>) -> &'static str {
    match (element.free, element.ports) {
        (Some(0), _) => "full",
        (Some(free), ports) if free <= FEW || ports.is_some_and(|ports| free.saturating_mul(4) <= ports) => {
            "few"
        }
        (Some(_), _) => "free",
        (None, _) if offers_ports(element.kind) => "unknown",
        (None, _) => "plain",
    }
}

const fn offers_ports(kind: Option<ElementKind>) -> bool {
    matches!(kind, Some(ElementKind::Cto | ElementKind::TerminadorOptico | ElementKind::SplitterAtendimento))
}

/// For text and for attributes in double or single quotes; characters that HTML forbids become a mark.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            other if other.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(title: &str, elements: &[Element<'_>]) -> String {
        let bounds = elements.iter().filter_map(|element| element.position).collect();
        let mut map = Map::new(Vec::new(), title, bounds).unwrap();
        elements.iter().for_each(|element| map.add(element).unwrap());
        String::from_utf8(map.finish().unwrap()).unwrap()
    }

    fn cto(latitude: f64, longitude: f64) -> Element<'static> {
        Element::new(Some(ElementKind::Cto), 7, Some(Position::new(latitude, longitude).unwrap()))
    }

    #[test]
    fn colours_tell_the_free_ports() {
        let fill = |ports, free| fill(&cto(0.0, 0.0).with_ports(ports, free));
        assert_eq!(fill(Some(16), Some(0)), "full");
        assert_eq!(fill(Some(16), Some(4)), "few");
        assert_eq!(fill(Some(16), Some(5)), "free");
        assert_eq!(fill(None, Some(2)), "few");
        assert_eq!(fill(Some(16), None), "unknown");
        assert_eq!(super::fill(&Element::new(Some(ElementKind::Poste), 1, None)), "plain");
    }

    /// A line and no dot; its places count for what is shown.
    #[test]
    fn cables_are_lines() {
        let course = Course::parse_wkt("LINESTRING (-47.7 -22.8, -47.6 -22.8, -47.6 -22.7)").ok();
        let kind = Some(ElementKind::LanceCabo);
        let place = Position::new(-22.8, -47.65).ok();
        let cable = Element { course, ..Element::new(kind, 7, place) };
        let mut bounds = Bounds::new();
        bounds.cover(&cable);
        assert_eq!(bounds.0, Some((-47.7, -22.8, -47.6, -22.7)));
        let mut map = Map::new(Vec::new(), "", bounds).unwrap();
        map.add(&cable).unwrap();
        map.add(&Element::new(kind, 8, place)).unwrap();
        let page = String::from_utf8(map.finish().unwrap()).unwrap();
        let line = page.lines().find(|line| line.starts_with("<polyline")).unwrap();
        assert!(line.ends_with("<title>Lance de cabo 7</title></polyline>"), "{line}");
        let points = line.split('"').nth(1).unwrap();
        let places: Vec<(f64, f64)> = points
            .split_whitespace()
            .map(|place| {
                place.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap()
            })
            .collect();
        let [a, b, c] = places[..] else { panic!("{points}") };
        assert!(a.0 < b.0 && (a.1 - b.1).abs() < 0.1 && (b.0 - c.0).abs() < 0.1 && c.1 < b.1, "{points}");
        assert!(
            page.contains("#span\" class=\"plain\"><title>Lance de cabo 8"),
            "without a course it is a mark"
        );
        assert!(page.contains("Lance de cabo: 2"));
    }

    #[test]
    fn nothing_is_fetched_and_it_suits_night_and_phone() {
        let page = page("Centro", &[cto(-22.7, -47.6), cto(-22.8, -47.7)]);
        for outside in ["http:", "https:", "//cdn", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        for needed in ["width=device-width", "prefers-color-scheme: dark", "default-src 'none'", "CTO: 2"] {
            assert!(page.contains(needed), "{needed}");
        }
    }

    #[test]
    fn north_is_up_east_is_right_and_all_of_it_is_inside() {
        let bounds =
            Bounds::from_iter([cto(-22.7, -47.6), cto(-22.8, -47.7)].iter().filter_map(|cto| cto.position));
        let projection = Projection::of(bounds);
        let (east, north) = projection.place(Position::new(-22.7, -47.6).unwrap());
        let (west, south) = projection.place(Position::new(-22.8, -47.7).unwrap());
        assert!(west < east && north < south, "{projection:?}");
        assert!(west >= 0.0 && east <= WIDTH && north >= 0.0 && south <= projection.height);
    }

    #[test]
    fn an_empty_network_and_elements_without_a_place_are_pages_too() {
        assert!(page("", &[]).contains("</html>"));
        assert!(page("", &[Element::new(None, 1, None)]).contains("without a place: 1"));
    }

    proptest! {
        #[test]
        fn no_text_becomes_markup(name in "(?s).{0,30}", title in "[<>&\"'a-z/]{0,20}") {
            let element = cto(1.0, 1.0).with_name(&name);
            let (plain, written) = (page("", &[cto(1.0, 1.0)]), page(&title, &[element]));
            for mark in ['<', '>', '"', '\''] {
                let count = |text: &str| text.matches(mark).count();
                prop_assert_eq!(count(&plain), count(&written), "{}", mark);
            }
        }
    }
}
