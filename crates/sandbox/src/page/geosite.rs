//! GeoSite: the network on a plain map, and every element to edit and to delete.
//!
//! The map is drawn here, without tiles from anywhere. How many ports are free is told by a box's colour, by its
//! shape, and by the number in it.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Frame, Shared, View, back_to, show, trouble};
use crate::control::Control;
use crate::geosite::{Drawing, Feature, Network, Ports};

pub(super) const VIEW: View = View { path: "/geosite", name: "GeoSite", routes };

/// How many boxes are drawn.
const SHOWN: usize = 240;
/// Metres in a degree of latitude.
const DEGREE: f64 = 111_195.0;
/// Width of the picture, in its own units.
const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 24.0;
/// How far apart marks are at least.
const APART: f64 = 17.0;
/// So many free ports are few.
const FEW: usize = 2;
/// The network that [`examples`] puts in.
const ELEMENTS: usize = 500;

fn routes() -> Router<Shared> {
    Router::new()
        .route("/geosite", get(page))
        .route("/geosite/examples", post(examples))
        .route("/geosite/{feature}/{fid}/edit", post(edit))
        .route("/geosite/{feature}/{fid}/delete", post(delete))
}

/// How a box is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    /// No port is free.
    Full,
    Few,
    Enough,
    /// No ports for customers.
    Other,
}

impl Room {
    fn of(ports: Option<Ports>) -> Self {
        match ports.map(Ports::free) {
            None => Self::Other,
            Some(0) => Self::Full,
            Some(free) if free <= FEW => Self::Few,
            Some(_) => Self::Enough,
        }
    }

    /// Class of the shape, which the legend has as well.
    fn class(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Few => "few",
            Self::Enough => "enough",
            Self::Other => "other",
        }
    }

    /// Corners around the middle; what has enough is round.
    fn corners(self) -> &'static str {
        match self {
            Self::Full => "-9,-9 9,-9 9,9 -9,9",
            Self::Few => "0,-12 12,9 -12,9",
            Self::Enough => "",
            Self::Other => "0,-7 7,0 0,7 -7,0",
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Full => "no port free",
            Self::Few => "1 or 2 ports free",
            Self::Enough => "3 ports free or more",
            Self::Other => "no ports for customers",
        }
    }
}

/// A place in the picture, as text.
#[derive(Debug, Clone, PartialEq)]
struct Spot {
    x: String,
    y: String,
}

impl Spot {
    fn at((x, y): (f64, f64)) -> Self {
        Self { x: format!("{x:.1}"), y: format!("{y:.1}") }
    }
}

/// From degrees to the picture: north is up, and a metre is as long across as along.
#[derive(Debug, Clone, Copy)]
struct Projection {
    west: f64,
    north: f64,
    /// How much shorter a degree of longitude is.
    narrow: f64,
    scale: f64,
    height: f64,
}

impl Projection {
    fn over(places: &[(f64, f64)]) -> Option<Self> {
        let first = places.first()?;
        let (mut south, mut west) = *first;
        let (mut north, mut east) = *first;
        for (latitude, longitude) in places {
            (south, north) = (south.min(*latitude), north.max(*latitude));
            (west, east) = (west.min(*longitude), east.max(*longitude));
        }
        let narrow = f64::midpoint(south, north).to_radians().cos().max(0.01);
        // A single element still has a street around it.
        let (metres_wide, metres_high) =
            (((east - west) * narrow * DEGREE).max(50.0), ((north - south) * DEGREE).max(20.0));
        let inside = WIDTH - 2.0 * MARGIN;
        // A town that is long from north to south must not become a picture without an end.
        let scale = (inside / metres_wide).min(inside / metres_high);
        Some(Self { west, north, narrow, scale, height: metres_high * scale + 2.0 * MARGIN })
    }

    fn point(self, (latitude, longitude): (f64, f64)) -> (f64, f64) {
        let x = MARGIN + (longitude - self.west) * self.narrow * DEGREE * self.scale;
        let y = MARGIN + (self.north - latitude) * DEGREE * self.scale;
        (x, y)
    }

    fn spot(self, place: (f64, f64)) -> Spot {
        Spot::at(self.point(place))
    }

    /// A length that is good for a scale: its metres, and how long it is drawn.
    fn bar(self) -> (u32, String) {
        let wanted = WIDTH / 6.0 / self.scale;
        let metres = [10, 20, 50, 100, 200, 500, 1_000, 5_000].into_iter();
        let metres = metres.rev().find(|metres| f64::from(*metres) <= wanted).unwrap_or(10);
        (metres, format!("{:.1}", f64::from(metres) * self.scale))
    }
}

/// A box on the map and in the list.
struct Mark {
    feature: Feature,
    fid: u32,
    code: String,
    name: String,
    spot: Option<Spot>,
    room: Room,
    ports: Option<Ports>,
    chosen: bool,
}

impl Mark {
    /// What stands in it.
    fn figure(&self) -> String {
        self.ports.map(|ports| ports.free().to_string()).unwrap_or_default()
    }

    fn words(&self) -> String {
        match self.ports {
            Some(ports) => format!("{}: {} of {} ports free", self.code, ports.free(), ports.total),
            None => format!("{} ({})", self.code, self.feature.segment()),
        }
    }
}

/// A customer, with the line to his box.
struct Tie {
    fid: u32,
    title: String,
    from: Spot,
    to: Spot,
}

/// A pole or a cable span.
struct Point {
    spot: Spot,
    class: &'static str,
}

/// The picture.
struct Picture {
    height: String,
    ties: Vec<Tie>,
    points: Vec<Point>,
    scale_metres: u32,
    scale_length: String,
}

/// The element that was chosen, with its values in a form.
struct Element {
    feature: Feature,
    fid: u32,
    title: String,
    /// Column, value, and whether it can be changed.
    values: Vec<(String, String, bool)>,
    customers: Vec<(u32, String)>,
}

#[derive(Template)]
#[template(path = "geosite.html")]
struct Page {
    frame: Frame,
    marks: Vec<Mark>,
    all: usize,
    map: Option<Picture>,
    legend: [(Room, usize); 4],
    element: Option<Element>,
    /// A chosen element that is not there.
    missing: Option<u32>,
    width: u32,
}

#[derive(Deserialize)]
struct Wish {
    /// The element that is to be edited.
    fid: Option<u32>,
}

async fn page(State(control): State<Shared>, Query(wish): Query<Wish>) -> Response {
    let drawing = control.geosite.drawing(SHOWN);
    let element = wish.fid.and_then(|fid| element(&control, &drawing, fid));
    let chosen = element.as_ref().map(|element| element.fid);
    let projection = Projection::over(&places(&drawing));
    let marks = marks(&drawing, projection, chosen);
    show(&Page {
        frame: Frame::of(VIEW),
        legend: legend(&marks),
        map: projection.map(|projection| picture(&drawing, projection)),
        all: drawing.all,
        marks,
        missing: wish.fid.filter(|_| element.is_none()),
        element,
        width: WIDTH as u32,
    })
}

fn places(drawing: &Drawing) -> Vec<(f64, f64)> {
    let boxes = drawing.boxes.iter().filter_map(|one| one.place);
    let customers = drawing.boxes.iter().flat_map(|one| &one.customers).filter_map(|one| one.place);
    boxes.chain(customers).collect()
}

fn marks(drawing: &Drawing, projection: Option<Projection>, chosen: Option<u32>) -> Vec<Mark> {
    let mut taken: Vec<(f64, f64)> = Vec::new();
    // What has ports stands where it is; what has none gives way to it.
    let (with, without): (Vec<_>, Vec<_>) = drawing.boxes.iter().partition(|one| one.ports.is_some());
    let mark = |one: &crate::geosite::Drawn| Mark {
        feature: one.feature,
        fid: one.fid,
        code: one.code.clone(),
        name: one.name.clone(),
        spot: projection.zip(one.place).map(|(projection, place)| {
            let point = projection.point(place);
            let free = if one.ports.is_some() { point } else { beside(point, &taken) };
            taken.push(free);
            Spot::at(free)
        }),
        room: Room::of(one.ports),
        ports: one.ports,
        chosen: chosen == Some(one.fid),
    };
    with.into_iter().chain(without).map(mark).collect()
}

/// The nearest place upwards that is not taken, so that no mark covers another.
fn beside((x, mut y): (f64, f64), taken: &[(f64, f64)]) -> (f64, f64) {
    let near = |y: f64| taken.iter().any(|other| (other.0 - x).abs() < APART && (other.1 - y).abs() < APART);
    while near(y) {
        y -= APART / 2.0;
    }
    (x, y)
}

fn legend(marks: &[Mark]) -> [(Room, usize); 4] {
    let count = |room| marks.iter().filter(|mark| mark.room == room).count();
    [Room::Enough, Room::Few, Room::Full, Room::Other].map(|room| (room, count(room)))
}

fn picture(drawing: &Drawing, projection: Projection) -> Picture {
    let mut ties = Vec::new();
    for one in &drawing.boxes {
        let Some(from) = one.place else { continue };
        ties.extend(one.customers.iter().filter_map(|customer| {
            let title = format!("{}, port {} of {}", customer.name, customer.port, one.code);
            let (from, to) = (projection.spot(from), projection.spot(customer.place?));
            Some(Tie { fid: customer.fid, title, from, to })
        }));
    }
    let points = drawing.between.iter().map(|(feature, _, place)| Point {
        spot: projection.spot(*place),
        class: if *feature == Feature::Poste { "pole" } else { "cable" },
    });
    let (scale_metres, scale_length) = projection.bar();
    let height = format!("{:.0}", projection.height + 28.0);
    Picture { height, ties, points: points.collect(), scale_metres, scale_length }
}

fn element(control: &Control, drawing: &Drawing, fid: u32) -> Option<Element> {
    let feature = control.geosite.feature_of(fid)?;
    let values = fields(control.geosite.element(feature, fid)?);
    let site = drawing.boxes.iter().find(|one| one.fid == fid);
    let customers = site.into_iter().flat_map(|one| &one.customers);
    Some(Element {
        feature,
        fid,
        title: format!("{} {fid}", feature.segment()),
        customers: customers.map(|one| (one.fid, format!("port {}: {}", one.port, one.name))).collect(),
        values: values
            .into_iter()
            .map(|(name, value)| {
                let fixed = name.eq_ignore_ascii_case("fid") || value.is_object() || value.is_array();
                (name, spelled(&value), !fixed)
            })
            .collect(),
    })
}

fn fields(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn spelled(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Only what was changed is set: a value that is set is no longer made up. A number stays a number, and an empty
/// field is null.
fn changed(before: &Map<String, Value>, form: Vec<(String, String)>) -> Map<String, Value> {
    let value = |name: &str, text: String| match before.get(name) {
        _ if text.is_empty() => Value::Null,
        Some(Value::String(_)) => Value::String(text),
        _ => serde_json::from_str(&text).ok().filter(Value::is_number).unwrap_or(Value::String(text)),
    };
    let differs = |(name, text): &(String, String)| before.get(name).is_some_and(|old| spelled(old) != *text);
    let form = form.into_iter().filter(differs);
    form.map(|(name, text)| (name.clone(), value(&name, text))).collect()
}

fn no_kind() -> Response {
    trouble(VIEW, "There is no such kind of element.")
}

fn absent(fid: u32) -> Response {
    (StatusCode::NOT_FOUND, trouble(VIEW, &format!("There is no element {fid}."))).into_response()
}

async fn edit(
    State(control): State<Shared>,
    Path((feature, fid)): Path<(String, u32)>,
    Form(form): Form<Vec<(String, String)>>,
) -> Response {
    let Some(feature) = Feature::named(&feature) else { return no_kind() };
    let Some(before) = control.geosite.element(feature, fid) else { return absent(fid) };
    let changed = changed(&fields(before), form);
    if changed.is_empty() {
        return back_to(&format!("/geosite?fid={fid}#element"));
    }
    match control.geosite.edit(feature, fid, Value::Object(changed)) {
        Ok(()) => back_to(&format!("/geosite?fid={fid}#element")),
        Err(refused) => trouble(VIEW, &format!("Refused: {refused}.")),
    }
}

async fn delete(State(control): State<Shared>, Path((feature, fid)): Path<(String, u32)>) -> Response {
    match Feature::named(&feature) {
        Some(feature) if control.geosite.delete(feature, fid) => back_to("/geosite"),
        Some(_) => absent(fid),
        None => no_kind(),
    }
}

/// A made-up town in the place of everything mapped.
async fn examples(State(control): State<Shared>) -> Response {
    control.geosite.generate(Network::new(ELEMENTS));
    back_to("/geosite")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn free_ports_are_sorted_into_three_kinds() {
        let room = |total, taken| Room::of(Some(Ports { total, taken }));
        assert_eq!(room(8, 8), Room::Full);
        assert_eq!(room(8, 7), Room::Few);
        assert_eq!(room(8, 6), Room::Few);
        assert_eq!(room(8, 5), Room::Enough);
        assert_eq!(Room::of(None), Room::Other);
    }

    /// A thousandth of a degree at the equator is 111.195 m both ways: a square.
    #[test]
    fn north_is_up_and_lengths_are_true() {
        let corners = [(0.0, 0.0), (0.001, 0.001)];
        let projection = Projection::over(&corners).unwrap();
        let (low, high) = (projection.spot(corners[0]), projection.spot(corners[1]));
        assert_eq!((low.x.as_str(), high.y.as_str()), ("24.0", "24.0"));
        assert_eq!((high.x.as_str(), low.y.as_str()), ("1176.0", "1176.0"));
        let (metres, length) = projection.bar();
        assert_eq!(metres, 10);
        // 1152 units are 111.195 m.
        assert_eq!(length, "103.6");
        assert!(Projection::over(&[]).is_none());
        assert!(Projection::over(&[(-22.0, -47.0)]).is_some_and(|one| one.scale.is_finite()));
    }

    #[test]
    fn no_mark_without_ports_covers_another() {
        let mut taken = vec![(100.0, 100.0)];
        for _ in 0..4 {
            let free = beside((100.0, 101.0), &taken);
            let apart = |other: &(f64, f64)| (other.0 - free.0).abs().max((other.1 - free.1).abs());
            assert!(taken.iter().all(|other| apart(other) >= APART), "{free:?} {taken:?}");
            taken.push(free);
        }
        assert_eq!(beside((200.0, 100.0), &taken), (200.0, 100.0));
    }

    #[test]
    fn only_changed_values_are_set_and_numbers_stay_numbers() {
        let before = json!({ "fid": 7, "nome": "Um", "capacidade": 8, "rua": null, "CEP": "01" });
        let form =
            [("fid", "7"), ("nome", "Um"), ("capacidade", "16"), ("rua", "12"), ("CEP", "02"), ("x", "1")];
        let form = form.map(|(name, text)| (name.to_owned(), text.to_owned())).to_vec();
        let set = changed(&fields(before.clone()), form);
        assert_eq!(Value::Object(set), json!({ "capacidade": 16, "rua": 12, "CEP": "02" }));
        let emptied = changed(&fields(before), vec![("capacidade".to_owned(), String::new())]);
        assert_eq!(Value::Object(emptied), json!({ "capacidade": null }));
    }
}
