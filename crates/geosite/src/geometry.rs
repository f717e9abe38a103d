//! Places on earth, with the order of the axes in the types (contract 3.3, R9).
//!
//! The rules enforced here: a latitude is never taken for a longitude; beyond ±90 and ±180 there is no place; outside Brazil is a
//! doubt that is told, and nothing is ever swapped silently. Coordinates are EPSG:4326, WKT is `POINT (lon lat)`.

use std::fmt;

/// A number that is no coordinate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BadCoordinate {
    /// Beyond ±90, or no number.
    #[error("a latitude is a number from -90 to 90")]
    Latitude,
    /// Beyond ±180, or no number.
    #[error("a longitude is a number from -180 to 180")]
    Longitude,
    /// Not `POINT (lon lat)`.
    #[error("it is no WKT point, `POINT (lon lat)`")]
    Wkt,
    /// Not `LINESTRING (lon lat, lon lat, …)`.
    #[error("it is no WKT line, `LINESTRING (lon lat, lon lat)`")]
    Line,
}

/// Degrees north, from -90 to 90.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Latitude(f64);

/// Degrees east, from -180 to 180.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Longitude(f64);

macro_rules! degrees {
    ($type:ident, $limit:expr, $bad:expr) => {
        impl $type {
            /// Checks the range.
            ///
            /// # Errors
            /// If it is out of range or no number.
            pub fn new(degrees: f64) -> Result<Self, BadCoordinate> {
                // NaN is in no range.
                if (-$limit..=$limit).contains(&degrees) { Ok(Self(degrees)) } else { Err($bad) }
            }

            /// The degrees.
            #[must_use]
            pub const fn degrees(self) -> f64 {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_f64(self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(f64::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    };
}
degrees!(Latitude, 90.0, BadCoordinate::Latitude);
degrees!(Longitude, 180.0, BadCoordinate::Longitude);

/// A place.
///
/// ```
/// use geosite::Position;
///
/// let place = Position::parse_wkt("POINT (-47.65 -22.73)")?;
/// assert_eq!((place.latitude.degrees(), place.longitude.degrees()), (-22.73, -47.65));
/// assert_eq!(place.to_wkt(), "POINT (-47.65 -22.73)");
/// # Ok::<(), geosite::BadCoordinate>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
#[allow(clippy::exhaustive_structs)]
pub struct Position {
    /// North and south.
    pub latitude: Latitude,
    /// East and west.
    pub longitude: Longitude,
}

/// Why a place is doubtful (R9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// It is outside a box around Brazil (latitude -34 to 6, longitude -74 to -28).
    OutsideBrazil,
    /// It is, and with latitude and longitude swapped it would not be.
    LooksSwapped,
}

impl Position {
    /// A place from two numbers, latitude first.
    ///
    /// # Errors
    /// If one is out of range.
    pub fn new(latitude: f64, longitude: f64) -> Result<Self, BadCoordinate> {
        Ok(Self { latitude: Latitude::new(latitude)?, longitude: Longitude::new(longitude)? })
    }

    /// Reads `POINT (lon lat)`, without case, blanks where WKT allows them, with or without `SRID=4326;` before it.
    ///
    /// # Errors
    /// If it is no such point, or out of range.
    pub fn parse_wkt(text: &str) -> Result<Self, BadCoordinate> {
        let (longitude, latitude) = point(text).ok_or(BadCoordinate::Wkt)?;
        Self::new(latitude, longitude)
    }

    /// `POINT (lon lat)`.
    #[must_use]
    pub fn to_wkt(self) -> String {
        format!("POINT ({} {})", self.longitude, self.latitude)
    }

    /// What is doubtful about it, for an operator in Brazil.
    #[must_use]
    pub fn doubt(self) -> Option<Doubt> {
        let (latitude, longitude) = (self.latitude.0, self.longitude.0);
        if in_brazil(latitude, longitude) {
            return None;
        }
        Some(if in_brazil(longitude, latitude) { Doubt::LooksSwapped } else { Doubt::OutsideBrazil })
    }
}

fn in_brazil(latitude: f64, longitude: f64) -> bool {
    (-34.0..=6.0).contains(&latitude) && (-74.0..=-28.0).contains(&longitude)
}

/// The course of a cable: two places or more, in order.
///
/// ```
/// use geosite::Course;
///
/// let span = Course::parse_wkt("LINESTRING (-47.65 -22.73, -47.64 -22.73)")?;
/// assert_eq!(span.places().len(), 2);
/// assert_eq!(span.places()[0].latitude.degrees(), -22.73);
/// # Ok::<(), geosite::BadCoordinate>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Course(Vec<Position>);

impl Course {
    /// Reads `LINESTRING (lon lat, lon lat, …)`, as leniently as [`Position::parse_wkt`] reads a point.
    ///
    /// # Errors
    /// If it is no such line, has fewer than two places, or one is out of range.
    pub fn parse_wkt(text: &str) -> Result<Self, BadCoordinate> {
        let inside = inside(text, "LINESTRING").ok_or(BadCoordinate::Line)?;
        let place = |part: &str| {
            let (longitude, latitude) = pair(part).ok_or(BadCoordinate::Line)?;
            Position::new(latitude, longitude)
        };
        let places: Vec<Position> = inside.split(',').map(place).collect::<Result<_, _>>()?;
        if places.len() < 2 { Err(BadCoordinate::Line) } else { Ok(Self(places)) }
    }

    /// Its places, from one end to the other.
    #[must_use]
    pub fn places(&self) -> &[Position] {
        &self.0
    }
}

/// Longitude and latitude.
fn point(text: &str) -> Option<(f64, f64)> {
    pair(inside(text, "POINT")?)
}

/// What stands in the parentheses after the word.
fn inside<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let text = text.trim();
    let text = without_word(text, "SRID=4326;").unwrap_or(text).trim_start();
    without_word(text, word)?.trim().strip_prefix('(')?.strip_suffix(')')
}

fn pair(text: &str) -> Option<(f64, f64)> {
    let mut numbers = text.split_ascii_whitespace().map(number);
    let (longitude, latitude) = (numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some((longitude, latitude))
}

fn without_word<'t>(text: &'t str, word: &str) -> Option<&'t str> {
    let (begin, rest) = text.split_at_checked(word.len())?;
    begin.eq_ignore_ascii_case(word).then_some(rest)
}

/// Rust's own reader also takes `inf` and `NaN`.
pub(crate) fn number(text: &str) -> Option<f64> {
    let digits = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E');
    let number: f64 = text.bytes().all(digits).then(|| text.parse().ok())??;
    number.is_finite().then_some(number)
}

/// Whether it is WKT of something else than a point: kept, and no place.
pub(crate) fn is_other_wkt(text: &str) -> bool {
    let word: String = text.trim().chars().take_while(char::is_ascii_alphabetic).collect();
    let others =
        ["LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"];
    others.iter().any(|other| word.eq_ignore_ascii_case(other))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_axes_of_wkt_are_longitude_and_latitude() {
        for text in [
            "POINT (-47.65 -22.73)",
            "point(-47.65 -22.73)",
            " POINT  (  -47.65\t-22.73 ) ",
            "SRID=4326;POINT(-47.65 -22.73)",
            "POINT (-4.765e1 -22.73)",
        ] {
            let place = Position::parse_wkt(text).unwrap();
            assert_eq!((place.latitude.degrees(), place.longitude.degrees()), (-22.73, -47.65), "{text}");
        }
    }

    #[test]
    fn what_is_no_point_is_refused() {
        for text in [
            "",
            "POINT",
            "POINT EMPTY",
            "POINT ()",
            "POINT (1)",
            "POINT (1 2 3)",
            "POINT (1, 2)",
            "POINT (a b)",
            "POINT (NaN 1)",
            "POINT (inf 1)",
            "POINT (1e999 1)",
            "POINT (1 2",
            "POINT 1 2",
            "LINESTRING (1 2, 3 4)",
            "SRID=31983;POINT (1 2)",
            "PONTÃO (1 2)",
        ] {
            assert_eq!(Position::parse_wkt(text), Err(BadCoordinate::Wkt), "{text}");
        }
        assert_eq!(Position::parse_wkt("POINT (-181 0)"), Err(BadCoordinate::Longitude));
        assert_eq!(Position::parse_wkt("POINT (0 90.0001)"), Err(BadCoordinate::Latitude));
        assert!(is_other_wkt(" linestring (1 2, 3 4)") && !is_other_wkt("POINT (1 2)") && !is_other_wkt(""));
    }

    #[test]
    fn a_course_is_two_places_or_more_in_the_same_order_of_axes() {
        let degrees = |text: &str| -> Vec<(f64, f64)> {
            let course = Course::parse_wkt(text).unwrap();
            course
                .places()
                .iter()
                .map(|place| (place.latitude.degrees(), place.longitude.degrees()))
                .collect()
        };
        for text in ["LINESTRING (-47 -22, -46 -21)", "srid=4326; linestring(-47 -22,-46 -21)"] {
            assert_eq!(degrees(text), [(-22.0, -47.0), (-21.0, -46.0)], "{text}");
        }
        assert_eq!(degrees("LINESTRING (1 2, 3 4, 5 6)").len(), 3);
        for text in [
            "",
            "LINESTRING",
            "LINESTRING ()",
            "LINESTRING (1 2)",
            "LINESTRING (1 2, 3)",
            "LINESTRING (1 2 3, 4 5 6)",
            "POINT (1 2)",
        ] {
            assert_eq!(Course::parse_wkt(text), Err(BadCoordinate::Line), "{text}");
        }
        assert_eq!(Course::parse_wkt("LINESTRING (0 0, 181 0)"), Err(BadCoordinate::Longitude));
        assert_eq!(Course::parse_wkt("LINESTRING (0 91, 1 0)"), Err(BadCoordinate::Latitude));
    }

    #[test]
    fn ranges_are_closed_and_nan_is_in_none() {
        for (latitude, longitude) in [(90.0, 180.0), (-90.0, -180.0), (0.0, 0.0)] {
            assert!(Position::new(latitude, longitude).is_ok());
        }
        assert!(Latitude::new(f64::NAN).is_err() && Longitude::new(f64::INFINITY).is_err());
        assert!(serde_json::from_str::<Latitude>("90.5").is_err());
    }

    #[test]
    fn outside_brazil_and_swapped_are_told_apart() {
        let doubt = |latitude, longitude| Position::new(latitude, longitude).unwrap().doubt();
        assert_eq!(doubt(-22.73, -47.65), None);
        assert_eq!(doubt(-34.0, -74.0), None);
        assert_eq!(doubt(6.0, -28.0), None);
        assert_eq!(doubt(-47.65, -22.73), Some(Doubt::LooksSwapped));
        assert_eq!(doubt(48.85, 2.35), Some(Doubt::OutsideBrazil));
        assert_eq!(doubt(0.0, 0.0), Some(Doubt::OutsideBrazil));
    }

    proptest! {
        #[test]
        fn any_place_survives_wkt(latitude in -90.0..=90.0, longitude in -180.0..=180.0) {
            let place = Position::new(latitude, longitude).unwrap();
            prop_assert_eq!(Position::parse_wkt(&place.to_wkt()), Ok(place));
        }

        #[test]
        fn no_text_panics(text in "(?i)(srid=4326;)?(point)?[ (]{0,3}.{0,20}") {
            _ = Position::parse_wkt(&text);
            _ = Course::parse_wkt(&text.replace("point", "linestring"));
            _ = is_other_wkt(&text);
        }
    }
}
