//! What a viewer sees of a case file: these fields and no other, so that no other can travel by mistake (contract 3.6, N3, trap 10).
//!
//! A field that may not be seen is absent. The type has no place for the fourth reference, the remarks or a contact's key.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::Sha256;
use super::number;
use crate::CalendarDate;

/// A value of a catalogue: its code, and its description in the grant's language. `Debug` shows the code.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Labelled {
    /// The code, as the installation defines it.
    #[serde(deserialize_with = "number::text")]
    pub codigo: String,
    /// The description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descripcion: Option<String>,
}

impl Labelled {
    /// A code with its description.
    pub fn new(codigo: impl Into<String>, descripcion: impl Into<String>) -> Self {
        Self { codigo: codigo.into(), descripcion: Some(descripcion.into()) }
    }
}

impl fmt::Debug for Labelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Labelled").field("codigo", &self.codigo).finish_non_exhaustive()
    }
}

/// A description of a case file. `Debug` shows what is described and nothing of the text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// What is described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tipo: Option<Labelled>,
    /// The text.
    pub descripcion: String,
}

impl fmt::Debug for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Description").field("tipo", &self.tipo).finish_non_exhaustive()
    }
}

/// The graphic of a case file, by content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Graphic {
    /// SHA-256 of the bytes, under which the blob is stored.
    pub sha256: Sha256,
    /// The media type, such as `image/png`.
    pub media_type: String,
    /// The size in bytes.
    #[serde(deserialize_with = "number::read")]
    pub bytes: u64,
}

/// A case file as one viewer sees it. `Debug` shows which fields are there and nothing of what they say.
///
/// ```
/// use apiges_sync::web::View;
///
/// let view = View { numero: Some("M4012345".into()), clave: Some("K-77".into()), ..View::default() };
/// assert_eq!(serde_json::to_string(&view)?, r#"{"numero":"M4012345","clave":"K-77"}"#);
/// assert_eq!(format!("{view:?}"), "View {numero, clave}");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct View {
    /// The modality, such as `M`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modalidad: Option<Labelled>,
    /// The number, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numero: Option<String>,
    /// What follows the number, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bis: Option<String>,
    /// The country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pais: Option<Labelled>,
    /// The name of mark, patent or design.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominacion: Option<String>,
    /// The classes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub clases: Vec<String>,
    /// The day of expiry.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "crate::date::optional")]
    pub fecha_vencimiento: Option<CalendarDate>,
    /// Open or closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estado: Option<Labelled>,
    /// Where the proceedings stand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub situacion: Vec<Labelled>,
    /// Descriptions in the grant's language.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub descripciones: Vec<Description>,
    /// The graphic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grafico: Option<Graphic>,
    /// Reference 1, if its box is ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referencia: Option<String>,
    /// Reference 2, if its box is ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referencia2: Option<String>,
    /// Reference 3, if its box is ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub referencia3: Option<String>,
    /// The key of the case file, if its box is ticked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clave: Option<String>,
}

impl View {
    /// The wire names of the fields that are there, in the order of the wire.
    #[must_use]
    pub fn present(&self) -> Vec<&'static str> {
        let fields = [
            ("modalidad", self.modalidad.is_some()),
            ("numero", self.numero.is_some()),
            ("bis", self.bis.is_some()),
            ("pais", self.pais.is_some()),
            ("denominacion", self.denominacion.is_some()),
            ("clases", !self.clases.is_empty()),
            ("fechaVencimiento", self.fecha_vencimiento.is_some()),
            ("estado", self.estado.is_some()),
            ("situacion", !self.situacion.is_empty()),
            ("descripciones", !self.descripciones.is_empty()),
            ("grafico", self.grafico.is_some()),
            ("referencia", self.referencia.is_some()),
            ("referencia2", self.referencia2.is_some()),
            ("referencia3", self.referencia3.is_some()),
            ("clave", self.clave.is_some()),
        ];
        fields.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "View {{{}}}", self.present().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn full() -> serde_json::Value {
        json!({
            "modalidad": {"codigo": "M", "descripcion": "Marca Nacional"}, "numero": "M4012345", "bis": "1",
            "pais": {"codigo": "ES", "descripcion": "España"}, "denominacion": "CANARIO", "clases": ["3", "25"],
            "fechaVencimiento": "20/06/2025", "estado": {"codigo": "A", "descripcion": "Alta"},
            "situacion": [{"codigo": "12", "descripcion": "Concedida"}],
            "descripciones": [{"tipo": {"codigo": "D", "descripcion": "Distintivo"}, "descripcion": "CANARIO"}],
            "grafico": {"sha256": "e633f4fc79badea1dc5db970cf397c8248bac47cc3acf9915ba60b5d76b0e88f",
                        "mediaType": "image/png", "bytes": 4},
            "referencia": "R-1", "referencia2": "R-2", "referencia3": "R-3", "clave": "K-1"
        })
    }

    #[test]
    fn every_field_goes_and_comes_under_its_wire_name() {
        let view: View = serde_json::from_value(full()).unwrap();
        assert_eq!(serde_json::to_value(&view).unwrap(), full());
        let names: Vec<String> = full().as_object().unwrap().keys().cloned().collect();
        let mut present: Vec<&str> = view.present();
        present.sort_unstable();
        assert_eq!(present, names);
    }

    #[test]
    fn what_has_no_place_is_dropped_and_what_is_masked_is_absent() {
        let read =
            json!({"referencia4": "X", "observacion": "X", "numero": "1", "clave": null, "novedad": 1});
        let view: View = serde_json::from_value(read).unwrap();
        assert_eq!(serde_json::to_string(&view).unwrap(), r#"{"numero":"1"}"#);
        assert_eq!(serde_json::to_string(&View::default()).unwrap(), "{}");
    }

    /// Contract 5, trap 27.
    #[test]
    fn a_date_is_strict_and_an_empty_one_is_none() {
        let read = |date: serde_json::Value| {
            serde_json::from_value::<View>(json!({"fechaVencimiento": date}))
                .map(|view| view.fecha_vencimiento)
        };
        assert_eq!(read(json!("29/02/2024")).unwrap().unwrap().to_string(), "29/02/2024");
        assert_eq!((read(json!("")).unwrap(), read(json!(null)).unwrap()), (None, None));
        for bad in [json!("29/02/2025"), json!("2025-02-01"), json!(" "), json!(20_062_025), json!([])] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_says_nothing_of_the_values() {
        let view: View = serde_json::from_value(full()).unwrap();
        let shown = format!("{view:?}{view:#?}");
        for value in ["R-1", "R-2", "R-3", "K-1", "CANARIO", "4012345"] {
            assert!(!shown.contains(value), "{shown}");
        }
        assert!(shown.contains("clave"));
    }
}
