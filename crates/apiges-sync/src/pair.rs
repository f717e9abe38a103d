//! Pairs `codigo`, `descripcion` (contract P2), and the codes that the contract names, as open enums (R4, trap 28).

use std::fmt;

use integration_core::open_enum;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::record::{FieldError, Record};

open_enum! {
    /// Whether a contact or a case file is open (contract 3.4).
    ///
    /// ```
    /// use apiges_sync::State;
    ///
    /// assert_eq!(State::from("B"), State::Closed);
    /// assert_eq!(State::from("Z").as_str(), "Z"); // kept, and not taken for either
    /// ```
    #[doc(alias = "estado")]
    State {
        /// Alta.
        #[doc(alias = "A")]
        Open = "A",
        /// Baja.
        #[doc(alias = "B")]
        Closed = "B",
    }
}

open_enum! {
    /// The kind of right that a case file is about; firms define their own (contract S13).
    #[doc(alias = "modalidad")]
    Modality {
        /// Marca Nacional.
        #[doc(alias = "M")]
        NationalTrademark = "M",
    }
}

open_enum! {
    /// A code of `GET /filtros`: how a search compares (contract P4).
    Comparison {
        /// Equal to one or several values.
        #[doc(alias = "EQ")]
        Equal = "EQ",
        /// Between two values.
        #[doc(alias = "BT")]
        Between = "BT",
    }
}

/// A value of a catalogue: its code and what it is called, in the language of the call.
///
/// ```
/// use apiges_sync::{Modality, Pair};
///
/// let pair: Pair<Modality> = Pair::new("M");
/// assert_eq!(pair.code, Modality::NationalTrademark);
/// assert_eq!(serde_json::to_string(&pair)?, r#"{"codigo":"M","descripcion":null}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pair<C = String> {
    /// `codigo`: text, leading zeros kept.
    #[doc(alias = "codigo")]
    pub code: C,
    /// `descripcion`.
    #[doc(alias = "descripcion")]
    pub description: Option<String>,
    /// Everything else, as it came.
    pub extra: Record,
}

impl<C: for<'c> From<&'c str>> Pair<C> {
    /// The pair of a code, to be sent.
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self { code: C::from(code), description: None, extra: Record::default() }
    }

    /// Nothing if both halves say nothing.
    pub(crate) fn of(record: &Record) -> Result<Option<Self>, FieldError> {
        let description = record.text("descripcion")?;
        let code = record.text("codigo")?.filter(|code| !code.is_empty());
        match code {
            Some(code) => {
                let extra = record.clone().without(&["codigo", "descripcion"]);
                Ok(Some(Self { code: C::from(&code), description, extra }))
            }
            None if description.as_deref().unwrap_or_default().trim().is_empty() => Ok(None),
            None => Err(FieldError::new("codigo", "there")),
        }
    }

    /// A row of a catalogue, which has a code.
    pub(crate) fn row(record: &Record) -> Result<Self, FieldError> {
        Self::of(record)?.ok_or_else(|| FieldError::new("codigo", "there"))
    }
}

impl<C: fmt::Display> Serialize for Pair<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("codigo", &self.code.to_string())?;
        map.serialize_entry("descripcion", &self.description)?;
        for name in self.extra.names() {
            map.serialize_entry(name, &self.extra.get(name))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pair(text: &str) -> Result<Option<Pair<Modality>>, FieldError> {
        Record::parse(&format!(r#"{{"p":{text}}}"#)).unwrap().pair("p")
    }

    #[test]
    fn codes_are_texts_and_unknown_ones_are_kept() {
        let known = pair(r#"{"codigo":"M","descripcion":"Marca Nacional","x":1.10}"#).unwrap().unwrap();
        assert_eq!(known.code, Modality::NationalTrademark);
        assert_eq!(known.extra.json("x"), Some("1.10"));
        assert_eq!(pair(r#"{"codigo":7}"#).unwrap().unwrap().code.as_str(), "7");
        let zeros = pair(r#"{"codigo":"007","descripcion":null}"#).unwrap().unwrap();
        assert_eq!((zeros.code.as_str(), zeros.code.is_listed(), zeros.description), ("007", false, None));
    }

    #[test]
    fn half_a_pair_is_an_error_and_an_empty_one_is_absent() {
        for absent in
            ["null", "{}", r#"{"codigo":null,"descripcion":null}"#, r#"{"codigo":"","descripcion":" "}"#]
        {
            assert_eq!(pair(absent), Ok(None), "{absent}");
        }
        assert_eq!(pair(r#"{"descripcion":"Marca"}"#).unwrap_err().field(), "p.codigo");
        for bad in ["\"M\"", "[]", r#"{"codigo":{}}"#, "1"] {
            assert!(pair(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_code_goes_back_as_it_came(code in "\\PC{1,12}") {
            let quoted = serde_json::to_string(&code).unwrap();
            let read = pair(&format!(r#"{{"codigo":{quoted},"descripcion":null}}"#)).unwrap().unwrap();
            prop_assert_eq!(serde_json::to_string(&read).unwrap(), format!(r#"{{"codigo":{quoted},"descripcion":null}}"#));
        }
    }
}
