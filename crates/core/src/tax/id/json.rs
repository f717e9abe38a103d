//! Identifiers as JSON text.
//!
//! The rule enforced here: an identifier travels as text, never as a number (leading zeros and letters would be lost:
//! trap 19 of the contract `geosite`), and a refusal never repeats the value. `serde`'s stock message for a wrong type
//! does ("invalid type: integer `52998224725`"), so every number is answered with words of our own.
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use super::{IdError, Identifier};

/// The strict reading; what `Deserialize` of every identifier does.
pub(super) fn strict<'de, T: Identifier, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    read_text(deserializer, T::from_str)
}

/// Asks JSON for whatever is there: asked for a string, `serde_json` writes a wrong type's error itself, number and all.
fn read_text<'de, T: Identifier, D: Deserializer<'de>>(
    deserializer: D,
    parse: fn(&str) -> Result<T, IdError>,
) -> Result<T, D::Error> {
    let visitor = TextVisitor { parse, kind: PhantomData };
    if deserializer.is_human_readable() {
        deserializer.deserialize_any(visitor)
    } else {
        deserializer.deserialize_str(visitor)
    }
}

struct TextVisitor<T> {
    parse: fn(&str) -> Result<T, IdError>,
    kind: PhantomData<T>,
}

impl<T: Identifier> TextVisitor<T> {
    fn number<E: Error>() -> Result<T, E> {
        Err(E::custom(format_args!("invalid {}: a JSON string is required, not a number", T::KIND)))
    }
}

impl<T: Identifier> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {} as text", T::KIND)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).map_err(E::custom)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Self::number()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<T, E> {
        Self::number()
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<T, E> {
        Self::number()
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<T, E> {
        Self::number()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Self::number()
    }
}

/// Lets an `Option` be read through `serde` with the lenient reading inside.
struct Lenient<T>(T);

impl<'de, T: Identifier> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        lenient::deserialize(deserializer).map(Self)
    }
}

/// `#[serde(with = "integration_core::tax::id::lenient")]`: reads the shape alone, for answers of services.
///
/// ```
/// use integration_core::tax::id::{Rut, lenient};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Signer {
///     #[serde(with = "lenient")]
///     rut: Rut,
/// }
///
/// let signer: Signer = serde_json::from_str(r#"{"rut":"11.222.333-4"}"#)?; // a vendor sample; the digit is wrong
/// assert!(!signer.rut.has_valid_check_digit());
/// # Ok::<(), serde_json::Error>(())
/// ```
pub mod lenient {
    use serde::{Deserializer, Serializer};

    use super::Identifier;

    /// Writes the wire text, as `Serialize` does.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<T: Identifier, S: Serializer>(id: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&id.wire())
    }

    /// Reads text as `parse_lenient` does.
    ///
    /// # Errors
    ///
    /// A wrong shape, or a value that is not text.
    pub fn deserialize<'de, T: Identifier, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
        super::read_text(deserializer, T::parse_lenient)
    }
}

/// [`lenient`] for an `Option`: `None` is `null`. Add `#[serde(default)]` where the field may be absent.
pub mod lenient_opt {
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Identifier, Lenient};

    /// Writes the wire text, or `null`.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<T: Identifier, S: Serializer>(id: &Option<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match id {
            Some(id) => super::lenient::serialize(id, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads text as `parse_lenient` does, or `null`.
    ///
    /// # Errors
    ///
    /// A wrong shape (the empty text too), or a value that is neither text nor `null`.
    pub fn deserialize<'de, T: Identifier, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        Ok(Option::<Lenient<T>>::deserialize(deserializer)?.map(|read| read.0))
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use crate::tax::id::{Cedula, Cnpj, Cpf, CpfOrCnpj, Passport, Rif, Rut, lenient, lenient_opt};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct All {
        rif: Rif,
        cedula: Cedula,
        passport: Passport,
        rut: Rut,
        cpf: Cpf,
        cnpj: Cnpj,
        either: CpfOrCnpj,
    }

    #[test]
    fn every_kind_is_written_as_its_wire_text_and_read_back() {
        let text = r#"{"rif":"J-12345678-4","cedula":"V-12345678","passport":"AB1234","rut":"12345678-5","cpf":"01234567890","cnpj":"12ABC34501DE35","either":"52998224725"}"#;
        let all: All = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&all).unwrap(), text);
    }

    #[test]
    fn deserialising_is_strict_unless_asked_otherwise() {
        #[derive(Debug, Deserialize)]
        struct Answer {
            #[serde(with = "lenient")]
            rut: Rut,
            #[serde(with = "lenient_opt", default)]
            other: Option<Rut>,
        }
        assert!(serde_json::from_str::<Rut>("\"11.222.333-4\"").is_err());
        let answer: Answer = serde_json::from_str(r#"{"rut":"11.222.333-4","other":"11222333k"}"#).unwrap();
        assert_eq!(answer.rut.wire(), "11222333-4");
        assert_eq!(answer.other.map(|rut| rut.wire()).as_deref(), Some("11222333-K"));
        let answer: Answer = serde_json::from_str(r#"{"rut":"11.222.333-4","other":null}"#).unwrap();
        assert_eq!(answer.other, None);
    }

    #[test]
    fn a_refusal_never_repeats_the_number() {
        for value in
            ["52998224725", "-52998224725", "529982247.25", "9.8e30", "\"52998224720\"", "[52998224725]"]
        {
            let error = serde_json::from_str::<Cpf>(value).unwrap_err().to_string();
            assert!(!error.contains("529982") && !error.contains("9.8"), "{error}");
            assert!(error.len() < 250);
        }
    }
}
