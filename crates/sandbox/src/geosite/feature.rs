//! The ten features, their path segments and box type codes (contract section 3.1).

use serde::{Deserialize, Serialize};

/// A kind of element, named as the path segment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(clippy::exhaustive_enums, reason = "the contract lists all ten")]
pub enum Feature {
    /// `splitter`
    Splitter,
    /// `caixaEmenda`, splice box
    CaixaEmenda,
    /// `cto`, terminal box with customer ports
    Cto,
    /// `cah`, distribution cabinet
    Cah,
    /// `hub`
    Hub,
    /// `terminadorOptico`
    TerminadorOptico,
    /// `estacao`, station
    Estacao,
    /// `lanceCabo`, cable span; its place is its middle
    LanceCabo,
    /// `poste`, pole
    Poste,
    /// `cliente`, customer point
    Cliente,
}

impl Feature {
    /// All ten, in the contract's order.
    pub const ALL: [Self; 10] = [
        Self::Splitter,
        Self::CaixaEmenda,
        Self::Cto,
        Self::Cah,
        Self::Hub,
        Self::TerminadorOptico,
        Self::Estacao,
        Self::LanceCabo,
        Self::Poste,
        Self::Cliente,
    ];

    /// The five box features.
    pub const BOXES: [Self; 5] = [Self::CaixaEmenda, Self::Cto, Self::TerminadorOptico, Self::Cah, Self::Hub];

    /// The path segment, such as `caixaEmenda`.
    #[must_use]
    pub fn segment(self) -> &'static str {
        match self {
            Self::Splitter => "splitter",
            Self::CaixaEmenda => "caixaEmenda",
            Self::Cto => "cto",
            Self::Cah => "cah",
            Self::Hub => "hub",
            Self::TerminadorOptico => "terminadorOptico",
            Self::Estacao => "estacao",
            Self::LanceCabo => "lanceCabo",
            Self::Poste => "poste",
            Self::Cliente => "cliente",
        }
    }

    /// The feature of a path segment; its case matters.
    pub(crate) fn named(segment: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|feature| feature.segment() == segment)
    }

    /// `fidTipoCaixaEmenda`, 0 for what is no box.
    pub(super) fn box_type(self) -> u8 {
        match self {
            Self::CaixaEmenda => 1,
            Self::Cto => 2,
            Self::TerminadorOptico => 3,
            Self::Cah => 4,
            Self::Hub => 5,
            _ => 0,
        }
    }

    pub(super) fn is_box(self) -> bool {
        self.box_type() > 0
    }

    /// What codes and box type prefixes begin with.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::Splitter => "SPL",
            Self::CaixaEmenda => "CEO",
            Self::Cto => "CTO",
            Self::Cah => "CAH",
            Self::Hub => "HUB",
            Self::TerminadorOptico => "TOA",
            Self::Estacao => "EST",
            Self::LanceCabo => "CABO",
            Self::Poste => "P",
            Self::Cliente => "CLI",
        }
    }
}

/// One value for each feature.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Each<T> {
    splitter: T,
    splice: T,
    cto: T,
    cah: T,
    hub: T,
    terminator: T,
    station: T,
    cable: T,
    pole: T,
    customer: T,
}

impl<T> Each<T> {
    pub(super) fn made(mut make: impl FnMut(Feature) -> T) -> Self {
        Self {
            splitter: make(Feature::Splitter),
            splice: make(Feature::CaixaEmenda),
            cto: make(Feature::Cto),
            cah: make(Feature::Cah),
            hub: make(Feature::Hub),
            terminator: make(Feature::TerminadorOptico),
            station: make(Feature::Estacao),
            cable: make(Feature::LanceCabo),
            pole: make(Feature::Poste),
            customer: make(Feature::Cliente),
        }
    }

    pub(super) fn of(&self, feature: Feature) -> &T {
        match feature {
            Feature::Splitter => &self.splitter,
            Feature::CaixaEmenda => &self.splice,
            Feature::Cto => &self.cto,
            Feature::Cah => &self.cah,
            Feature::Hub => &self.hub,
            Feature::TerminadorOptico => &self.terminator,
            Feature::Estacao => &self.station,
            Feature::LanceCabo => &self.cable,
            Feature::Poste => &self.pole,
            Feature::Cliente => &self.customer,
        }
    }

    pub(super) fn of_mut(&mut self, feature: Feature) -> &mut T {
        match feature {
            Feature::Splitter => &mut self.splitter,
            Feature::CaixaEmenda => &mut self.splice,
            Feature::Cto => &mut self.cto,
            Feature::Cah => &mut self.cah,
            Feature::Hub => &mut self.hub,
            Feature::TerminadorOptico => &mut self.terminator,
            Feature::Estacao => &mut self.station,
            Feature::LanceCabo => &mut self.cable,
            Feature::Poste => &mut self.pole,
            Feature::Cliente => &mut self.customer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Feature;

    #[test]
    fn segments_are_the_names_in_json() {
        for feature in Feature::ALL {
            assert_eq!(serde_json::json!(feature), feature.segment());
            assert_eq!(Feature::named(feature.segment()), Some(feature));
        }
        assert_eq!(Feature::named("CTO"), None);
    }
}
