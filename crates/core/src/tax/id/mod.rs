//! Taxpayer and identity numbers: read, check, normalise, print.
//!
//! | type | country | strict reading asks | canonical text | contract |
//! |---|---|---|---|---|
//! | [`Rif`] | Venezuela | letter, 8 digits, check digit | `J-12345678-4` | `fiscal-printer` 7 |
//! | [`Cedula`] | Venezuela | V or E, 5 to 9 digits | `V-12345678` | `fiscal-printer` 7 |
//! | [`Passport`] | any (Venezuelan buyers) | 5 to 12 of A-Z 0-9 | `AB123456` | `fiscal-printer` 7 |
//! | [`Rut`] | Chile | 1 to 8 digits, check character | `12345678-5` | `legale` 5 |
//! | [`Cpf`] | Brazil | 11 digits, two of them check digits | `12345678909` | `geosite` 5.1 |
//! | [`Cnpj`] | Brazil | 12 of A-Z 0-9, 2 check digits | `12ABC34501DE35` | `geosite` 5.2 |
//! | [`CpfOrCnpj`] | Brazil | whichever its length says | as above | `geosite` 5, D2 |
//!
//! Rules that hold for all of them:
//!
//! * **Two readings.** `FromStr` and `Deserialize` are strict: every rule, the check digit included. `parse_lenient`
//!   and the modules [`lenient`] and [`lenient_opt`] judge the shape alone, for answers and placeholders;
//!   `verify()` tells later what the strict reading would have said. [`Given`] takes any text at all.
//! * **Nothing is repaired.** Blanks and separators are dropped where the contract says so and ASCII letters become
//!   upper case; no digit is guessed, no letter replaced, no character outside ASCII accepted. A *blank* is a space
//!   or a tab; a line break is an error.
//! * **Equality, order and hash** are those of the normalised number.
//! * **Personal data.** `Debug` and errors show at most the last two characters (rule D1). `Display` prints the whole
//!   number and is meant for documents.
//!
//! ```
//! use integration_core::tax::id::{Cnpj, IdRule, Rif};
//!
//! let bank: Rif = "g 20009997-6".parse()?;
//! assert_eq!(bank.to_string(), "G-20009997-6");
//! assert_eq!(format!("{bank:?}"), "Rif(..76)");
//!
//! let published: Cnpj = "12.abc.345/01de-35".parse()?;
//! assert_eq!(published.as_str(), "12ABC34501DE35");
//!
//! let placeholder = "J-12345678-9";
//! let error = placeholder.parse::<Rif>().unwrap_err();
//! assert!(matches!(error.rule(), IdRule::CheckDigit { .. }));
//! assert_eq!(Rif::parse_lenient(placeholder)?.expected_check_digit().as_str(), "4");
//! # Ok::<(), integration_core::tax::id::IdError>(())
//! ```
mod cedula;
mod cnpj;
mod cpf;
mod cpf_or_cnpj;
mod error;
mod given;
mod json;
mod passport;
mod rif;
mod rut;
#[cfg(test)]
mod testing;
mod text;

use std::fmt;
use std::str::FromStr;

pub use cedula::{Cedula, CedulaKind};
pub use cnpj::Cnpj;
pub use cpf::Cpf;
pub use cpf_or_cnpj::CpfOrCnpj;
pub use error::{IdError, IdKind, IdRule};
pub use given::Given;
pub use json::{lenient, lenient_opt};
pub use passport::Passport;
pub use rif::{Rif, RifKind};
pub use rut::Rut;
pub use text::CheckDigit;

mod sealed {
    /// Keeps [`super::Identifier`] to this module, so that methods can be added to it.
    pub trait Sealed {}
}

/// What all identifiers of this module have in common, for code that handles several kinds.
///
/// Every type has these methods of its own as well, so the trait need not be imported to call them. It cannot be
/// implemented elsewhere.
///
/// ```
/// use integration_core::tax::id::{Cpf, IdError, Identifier, Rut};
///
/// fn is_trusted<T: Identifier>(text: &str) -> Result<bool, IdError> {
///     Ok(T::parse_lenient(text)?.verify().is_ok())
/// }
/// assert!(is_trusted::<Cpf>("529.982.247-25")?);
/// assert!(!is_trusted::<Rut>("11.222.333-k")?);
/// # Ok::<(), IdError>(())
/// ```
pub trait Identifier: Sized + fmt::Display + fmt::Debug + FromStr<Err = IdError> + sealed::Sealed {
    /// Which kind of number this type holds.
    const KIND: IdKind;

    /// Reads the shape alone; a wrong check digit is accepted.
    ///
    /// # Errors
    ///
    /// [`IdError`] naming the first rule of shape that the text breaks.
    fn parse_lenient(text: &str) -> Result<Self, IdError>;

    /// What the strict reading says about a number read leniently.
    ///
    /// # Errors
    ///
    /// [`IdError`] if the check digit is wrong or the number is one that is refused by rule.
    fn verify(&self) -> Result<(), IdError>;

    /// The text for services: what `Serialize` writes.
    fn wire(&self) -> String;
}

/// Ties a type to the rules all identifiers share: strict `FromStr`, cautious `Debug`, serde as text.
macro_rules! identifier {
    ($type:ident, $kind:expr) => {
        impl $crate::tax::id::sealed::Sealed for $type {}

        impl $crate::tax::id::Identifier for $type {
            const KIND: $crate::tax::id::IdKind = $kind;

            fn parse_lenient(text: &str) -> Result<Self, $crate::tax::id::IdError> {
                Self::parse_lenient(text)
            }

            fn verify(&self) -> Result<(), $crate::tax::id::IdError> {
                self.verify()
            }

            fn wire(&self) -> String {
                self.wire()
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::tax::id::IdError;

            /// The strict reading.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Self::parse_lenient(text)?;
                id.verify().map(|()| id)
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                $crate::tax::id::text::redacted(f, stringify!($type), &self.wire())
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                $crate::tax::id::lenient::serialize(self, serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $crate::tax::id::json::strict(deserializer)
            }
        }
    };
}
use identifier;
