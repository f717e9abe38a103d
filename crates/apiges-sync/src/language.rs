//! The languages of descriptions (contract 2.1): a closed list, so that an unknown one is refused before sending.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The language of descriptions; [`Lang::Es`] unless another is asked for.
///
/// ```
/// use apiges_sync::Lang;
///
/// assert_eq!("pt".parse(), Ok(Lang::Pt));
/// assert!("pl".parse::<Lang>().is_err());
/// assert_eq!(Lang::default().code(), "es");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Spanish.
    #[default]
    Es,
    /// French.
    Fr,
    /// Portuguese.
    Pt,
    /// Catalan.
    Ca,
    /// German.
    De,
    /// English.
    En,
    /// Italian.
    It,
}

/// A language that the service does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not one of the languages es, fr, pt, ca, de, en, it")]
pub struct UnknownLanguage;

impl Lang {
    /// Every language there is.
    pub const ALL: [Self; 7] = [Self::Es, Self::Fr, Self::Pt, Self::Ca, Self::De, Self::En, Self::It];

    /// The code that travels.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Es => "es",
            Self::Fr => "fr",
            Self::Pt => "pt",
            Self::Ca => "ca",
            Self::De => "de",
            Self::En => "en",
            Self::It => "it",
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Lang {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        Self::ALL.into_iter().find(|lang| lang.code() == text).ok_or(UnknownLanguage)
    }
}
