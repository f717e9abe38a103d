//! Plant and register side by side (contract 4.12).
//!
//! The rule enforced here: both values are shown and neither wins; a figure that one side lacks cannot be compared, and is never
//! taken for zero.

use std::fmt;

use crate::{FreePorts, NearBox};

/// What one side says about a box; what it does not say is `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs)]
pub struct Figures {
    /// How many ports.
    pub ports: Option<u64>,
    /// How many of them are free.
    pub free: Option<u64>,
    /// How many customers.
    pub customers: Option<u64>,
}

/// What the plant says about a box near a place.
impl From<&NearBox> for Figures {
    fn from(near: &NearBox) -> Self {
        let figure = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok());
        let free = match near.free {
            FreePorts::Known(free) => Some(free.into()),
            FreePorts::Unknown => None,
        };
        Self { ports: figure(near.splitter_ports), free, customers: figure(near.customers) }
    }
}

/// Which figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Figure {
    /// Ports.
    Ports,
    /// Free ports.
    Free,
    /// Customers.
    Customers,
}

/// How two values compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Compared {
    /// Both say the same.
    Same,
    /// They differ: plant less register.
    Differs(i128),
    /// One side, or both, say nothing.
    CannotCompare,
}

/// One figure of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Line {
    /// Which.
    pub figure: Figure,
    /// What the plant says.
    pub plant: Option<u64>,
    /// What the register says.
    pub register: Option<u64>,
    /// How they compare.
    pub compared: Compared,
}

/// The figures of a box, side by side. Plant data is for staff. `RegisterPlant::reconcile` (feature `store`) takes them from a
/// synchronised register.
///
/// ```
/// use geosite::link::reconcile::{Compared, Figures, reconcile};
///
/// let plant = Figures { ports: Some(16), free: Some(3), customers: None };
/// let register = Figures { ports: Some(16), free: Some(5), customers: Some(11) };
/// let compared = reconcile(plant, register).map(|line| line.compared);
/// assert_eq!(compared, [Compared::Same, Compared::Differs(-2), Compared::CannotCompare]);
/// ```
#[must_use]
pub fn reconcile(plant: Figures, register: Figures) -> [Line; 3] {
    [
        line(Figure::Ports, plant.ports, register.ports),
        line(Figure::Free, plant.free, register.free),
        line(Figure::Customers, plant.customers, register.customers),
    ]
}

fn line(figure: Figure, plant: Option<u64>, register: Option<u64>) -> Line {
    let compared = match plant.zip(register) {
        None => Compared::CannotCompare,
        Some((plant, register)) if plant == register => Compared::Same,
        Some((plant, register)) => Compared::Differs(i128::from(plant).saturating_sub(i128::from(register))),
    };
    Line { figure, plant, register, compared }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown =
            |value: Option<u64>| value.map_or_else(|| "not known".to_owned(), |value| value.to_string());
        let (plant, register) = (shown(self.plant), shown(self.register));
        write!(f, "{:?}: plant {plant}, register {register}", self.figure)?;
        match self.compared {
            Compared::Same => Ok(()),
            Compared::Differs(by) => write!(f, ", difference {by:+}"),
            Compared::CannotCompare => f.write_str(", cannot compare"),
        }
    }
}
