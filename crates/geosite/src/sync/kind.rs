//! What elements are in a register, and which of them share one key (contract 3.1, 4.4, 4.9).
//!
//! The rule enforced here: an element is known by (group, `fid`); met under two features of one group it is one element, and
//! the more specific kind wins.

use serde::{Deserialize, Serialize};

use crate::feature::{ElementKind, Feature};

macro_rules! named {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// All of them, in the contract's order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its name in registers and reports.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The one of this name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}
pub(crate) use named;

named! {
    /// The kind of a registered element.
    Kind {
        /// A service splitter, the only kind whose ports customers can be linked to.
        SplitterAtendimento = "splitterAtendimento",
        /// A splitter within the network.
        SplitterDistribuicao = "splitterDistribuicao",
        /// A splitter whose role is empty or not a listed one: stored, reported, never offers ports (contract 4.4).
        SplitterUnknown = "splitterUnknown",
        /// A splice box, or a box of any type that only this feature lists.
        CaixaEmenda = "caixaEmenda",
        /// A terminal box.
        Cto = "cto",
        /// A distribution cabinet.
        Cah = "cah",
        /// A hub box.
        Hub = "hub",
        /// An optical terminator.
        TerminadorOptico = "terminadorOptico",
        /// A station.
        Estacao = "estacao",
        /// A cable span.
        LanceCabo = "lanceCabo",
        /// A pole.
        Poste = "poste",
        /// A customer's point.
        Cliente = "cliente",
    }
}

named! {
    /// Elements that share one range of `fid`: the first half of a register's key.
    Shelf {
        /// Splitters of every role.
        Splitter = "splitter",
        /// Boxes of every kind.
        Box = "box",
        /// Stations.
        Estacao = "estacao",
        /// Cable spans.
        LanceCabo = "lanceCabo",
        /// Poles.
        Poste = "poste",
        /// Customers' points.
        Cliente = "cliente",
    }
}

impl Kind {
    /// The shelf on which it stands.
    #[must_use]
    pub const fn shelf(self) -> Shelf {
        match self {
            Self::SplitterAtendimento | Self::SplitterDistribuicao | Self::SplitterUnknown => Shelf::Splitter,
            Self::CaixaEmenda | Self::Cto | Self::Cah | Self::Hub | Self::TerminadorOptico => Shelf::Box,
            Self::Estacao => Shelf::Estacao,
            Self::LanceCabo => Shelf::LanceCabo,
            Self::Poste => Shelf::Poste,
            Self::Cliente => Shelf::Cliente,
        }
    }

    /// The feature that lists it.
    #[must_use]
    pub const fn feature(self) -> Feature {
        match self {
            Self::SplitterAtendimento | Self::SplitterDistribuicao | Self::SplitterUnknown => {
                Feature::Splitter
            }
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

    /// Of two kinds met for one box, the higher wins: `caixaEmenda` may list boxes of every type.
    pub(crate) const fn rank(self) -> u8 {
        match self {
            Self::CaixaEmenda => 0,
            _ => 1,
        }
    }
}

impl Shelf {
    /// The features that list its elements.
    #[must_use]
    pub fn features(self) -> Vec<Feature> {
        Feature::ALL.into_iter().filter(|feature| shelf_of(*feature) == self).collect()
    }
}

/// The shelf of a feature's elements.
#[must_use]
pub const fn shelf_of(feature: Feature) -> Shelf {
    match feature {
        Feature::Splitter => Shelf::Splitter,
        Feature::Estacao => Shelf::Estacao,
        Feature::LanceCabo => Shelf::LanceCabo,
        Feature::Poste => Shelf::Poste,
        Feature::Cliente => Shelf::Cliente,
        Feature::CaixaEmenda | Feature::Cto | Feature::Cah | Feature::Hub | Feature::TerminadorOptico => {
            Shelf::Box
        }
    }
}

/// The feature of this path segment.
pub(crate) fn feature_named(segment: &str) -> Option<Feature> {
    Feature::ALL.into_iter().find(|feature| feature.segment() == segment)
}

impl From<ElementKind> for Kind {
    fn from(kind: ElementKind) -> Self {
        match kind {
            ElementKind::SplitterAtendimento => Self::SplitterAtendimento,
            ElementKind::SplitterDistribuicao => Self::SplitterDistribuicao,
            ElementKind::CaixaEmenda => Self::CaixaEmenda,
            ElementKind::Cto => Self::Cto,
            ElementKind::Cah => Self::Cah,
            ElementKind::Hub => Self::Hub,
            ElementKind::TerminadorOptico => Self::TerminadorOptico,
            ElementKind::Estacao => Self::Estacao,
            ElementKind::LanceCabo => Self::LanceCabo,
            ElementKind::Poste => Self::Poste,
            ElementKind::Cliente => Self::Cliente,
        }
    }
}
