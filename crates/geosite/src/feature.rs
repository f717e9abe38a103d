//! The ten features, their groups, and the kinds that elements are of (contract 3.1 and 4.4).
//!
//! The rule enforced here: the path segment is written exactly as documented; a kind is told by what an element says of itself, and
//! never guessed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A feature: what the service keeps one list of. Documented, contract 3.1.
///
/// ```
/// use geosite::Feature;
///
/// assert_eq!(Feature::CaixaEmenda.segment(), "caixaEmenda");
/// assert_eq!(Feature::ALL.len(), 10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
#[doc(alias("camada", "elemento"))]
pub enum Feature {
    /// Splitters of both roles.
    #[doc(alias = "divisor")]
    Splitter,
    /// Splice boxes (CEO); boxes of every type in some installations (assumed).
    CaixaEmenda,
    /// Terminal boxes, with customers' ports.
    #[doc(alias("caixa de atendimento", "caixa"))]
    Cto,
    /// Distribution cabinets.
    Cah,
    /// Hub boxes.
    Hub,
    /// Optical terminators.
    TerminadorOptico,
    /// Stations (POP).
    Estacao,
    /// Cable spans.
    LanceCabo,
    /// Poles.
    Poste,
    /// Customers' points.
    Cliente,
}

/// The groups of which a selection needs at least one kind each (documented, contract 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Group {
    /// Splitters.
    Splitter,
    /// Optical boxes.
    CaixaOptica,
    /// Chosen freely.
    Free,
}

impl Feature {
    /// All of them, in the contract's order.
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

    /// The path segment; case matters.
    #[must_use]
    pub const fn segment(self) -> &'static str {
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

    /// Which group it belongs to.
    #[must_use]
    pub const fn group(self) -> Group {
        match self {
            Self::Splitter => Group::Splitter,
            Self::CaixaEmenda | Self::Cto | Self::Cah | Self::Hub | Self::TerminadorOptico => {
                Group::CaixaOptica
            }
            Self::Estacao | Self::LanceCabo | Self::Poste | Self::Cliente => Group::Free,
        }
    }

    /// Whether its elements are optical boxes.
    #[must_use]
    pub const fn is_box(self) -> bool {
        matches!(self.group(), Group::CaixaOptica)
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.segment())
    }
}

/// What an element is in a register (assumed, contract 3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ElementKind {
    /// A service splitter: its ports are the ones that customers sit on.
    SplitterAtendimento,
    /// A splitter within the network.
    SplitterDistribuicao,
    /// A splice box.
    CaixaEmenda,
    /// A terminal box.
    Cto,
    /// A distribution cabinet.
    Cah,
    /// A hub box.
    Hub,
    /// An optical terminator.
    TerminadorOptico,
    /// A station.
    Estacao,
    /// A cable span.
    LanceCabo,
    /// A pole.
    Poste,
    /// A customer's point.
    Cliente,
}

impl ElementKind {
    /// The kind of a box by its code (observed: 1 splice box, 2 CTO, 3 terminator, 4 CAH, 5 HUB).
    #[must_use]
    pub const fn of_box_type(code: i64) -> Option<Self> {
        match code {
            1 => Some(Self::CaixaEmenda),
            2 => Some(Self::Cto),
            3 => Some(Self::TerminadorOptico),
            4 => Some(Self::Cah),
            5 => Some(Self::Hub),
            _ => None,
        }
    }

    /// The kind of a feature's elements; nothing for splitters, which are of two.
    #[must_use]
    pub const fn of_feature(feature: Feature) -> Option<Self> {
        match feature {
            Feature::Splitter => None,
            Feature::CaixaEmenda => Some(Self::CaixaEmenda),
            Feature::Cto => Some(Self::Cto),
            Feature::Cah => Some(Self::Cah),
            Feature::Hub => Some(Self::Hub),
            Feature::TerminadorOptico => Some(Self::TerminadorOptico),
            Feature::Estacao => Some(Self::Estacao),
            Feature::LanceCabo => Some(Self::LanceCabo),
            Feature::Poste => Some(Self::Poste),
            Feature::Cliente => Some(Self::Cliente),
        }
    }

    /// The feature of which these elements are listed.
    #[must_use]
    pub const fn feature(self) -> Feature {
        match self {
            Self::SplitterAtendimento | Self::SplitterDistribuicao => Feature::Splitter,
            Self::CaixaEmenda => Feature::CaixaEmenda,
            Self::Cto => Feature::Cto,
            Self::Cah => Feature::Cah,
            Self::Hub => Feature::Hub,
            Self::TerminadorOptico => Feature::TerminadorOptico,
            Self::Estacao => Feature::Estacao,
            Self::LanceCabo => Feature::LanceCabo,
            Self::Poste => Feature::Poste,
            Self::Cliente => Feature::Cliente,
        }
    }
}

/// What a splitter is for (contract 4.4). Anything that is not one of the configured values is `Unknown`: kept, reported, and never
/// offers ports.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[non_exhaustive]
#[doc(alias("atendimento", "distribuicao", "distribuição"))]
pub enum SplitterRole {
    /// Tipo is Atendimento (documented).
    Service,
    /// Within the network.
    Distribution,
    /// An empty or unlisted value, as it came.
    Unknown(String),
}

impl SplitterRole {
    /// Reads a role: trimmed, without case and accents.
    pub(crate) fn read(text: &str, service: &[String], distribution: &[String]) -> Self {
        let folded = fold(text.trim());
        let is_one_of = |values: &[String]| values.iter().any(|value| fold(value.trim()) == folded);
        if !folded.is_empty() && is_one_of(service) {
            Self::Service
        } else if !folded.is_empty() && is_one_of(distribution) {
            Self::Distribution
        } else {
            Self::Unknown(text.to_owned())
        }
    }

    /// Whether customers can sit on its ports.
    #[must_use]
    pub const fn offers_ports(&self) -> bool {
        matches!(self, Self::Service)
    }
}

/// Lower case without the accents of Portuguese.
pub(crate) fn fold(text: &str) -> String {
    text.chars()
        .filter(|c| !('\u{300}'..='\u{36f}').contains(c))
        .flat_map(char::to_lowercase)
        .map(bare)
        .collect()
}

const fn bare(c: char) -> char {
    match c {
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'ç' => 'c',
        'ñ' => 'n',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(text: &str) -> SplitterRole {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        SplitterRole::read(text, &list(&["Atendimento"]), &list(&["Distribuição", "Distribuicao", "Rede"]))
    }

    #[test]
    fn roles_are_read_without_case_and_accents() {
        for text in ["Atendimento", " ATENDIMENTO ", "atendímento"] {
            assert_eq!(role(text), SplitterRole::Service, "{text}");
        }
        for text in ["Distribuição", "DISTRIBUICAO", "distribuic\u{327}a\u{303}o", "rede"] {
            assert_eq!(role(text), SplitterRole::Distribution, "{text}");
        }
        for text in ["", "  ", "Atendimento 2", "Outro"] {
            assert_eq!(role(text), SplitterRole::Unknown(text.to_owned()));
            assert!(!role(text).offers_ports());
        }
    }

    /// Contract 3.1.
    #[test]
    fn segments_and_groups_are_the_documented_ones() {
        let shown: Vec<_> = Feature::ALL.iter().map(|feature| (feature.segment(), feature.group())).collect();
        use Group::{CaixaOptica, Free, Splitter};
        assert_eq!(
            shown,
            [
                ("splitter", Splitter),
                ("caixaEmenda", CaixaOptica),
                ("cto", CaixaOptica),
                ("cah", CaixaOptica),
                ("hub", CaixaOptica),
                ("terminadorOptico", CaixaOptica),
                ("estacao", Free),
                ("lanceCabo", Free),
                ("poste", Free),
                ("cliente", Free),
            ]
        );
        for feature in Feature::ALL {
            let kind = ElementKind::of_feature(feature);
            assert!(kind.is_none_or(|kind| kind.feature() == feature));
            assert_eq!(serde_json::to_value(feature).unwrap(), feature.segment());
        }
    }

    #[test]
    fn box_types_have_their_kinds() {
        use ElementKind::*;
        let kinds: Vec<_> = (0..7).map(ElementKind::of_box_type).collect();
        assert_eq!(
            kinds,
            [None, Some(CaixaEmenda), Some(Cto), Some(TerminadorOptico), Some(Cah), Some(Hub), None]
        );
    }
}
