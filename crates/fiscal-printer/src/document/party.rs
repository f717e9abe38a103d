//! The buyer: who, by which kind of identity number, and where to write to (contract 3.1 rows 3-8, section 7).

use integration_core::tax::id::{Cedula, Passport, Rif};
use integration_core::{Fault, Faults};

/// What kind of number identifies the buyer, `idtipocedulacliente`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[doc(alias("idtipocedulacliente", "cedula", "cédula", "pasaporte"))]
pub enum IdentityKind {
    /// 1: a Venezuelan identity card, `V-12345678`.
    Cedula,
    /// 2: a passport.
    Passport,
    /// 3: a taxpayer number, `J-12345678-4`.
    Rif,
}

impl IdentityKind {
    /// The number on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Cedula => 1,
            Self::Passport => 2,
            Self::Rif => 3,
        }
    }

    /// The kind behind a number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        [Self::Cedula, Self::Passport, Self::Rif].into_iter().find(|kind| kind.code() == code)
    }
}

/// The buyer of a document.
///
/// The identity number is read when the document is built: `J-12345678-4` is taken for a RIF, `V-12345678` for a
/// cédula; a passport must be said, since any letters and digits can be one.
///
/// ```
/// use fiscal_printer::{Buyer, IdentityKind};
///
/// let firm = Buyer::new("Comercial Ejemplo", "J-12345678-4")
///     .email("compras@example.com")
///     .email("archivo@example.com")
///     .address("Calle 1, Caracas")
///     .phone("0412-1234567");
/// let guest = Buyer::new("A. Guest", "X1234567").kind(IdentityKind::Passport);
/// ```
#[derive(Debug, Clone)]
#[must_use]
#[doc(alias("cliente", "comprador"))]
pub struct Buyer {
    pub(crate) name: String,
    pub(crate) identity: String,
    pub(crate) kind: Option<IdentityKind>,
    pub(crate) emails: Vec<String>,
    pub(crate) address: String,
    pub(crate) phone: String,
}

impl Buyer {
    /// A buyer by name (`nombrecliente`) and identity number (`rifcedulacliente`).
    #[doc(alias("nombrecliente", "rifcedulacliente", "idtipocedulacliente"))]
    pub fn new(name: impl Into<String>, identity: impl Into<String>) -> Self {
        let (name, identity) = (name.into(), identity.into());
        Self { name, identity, kind: None, emails: Vec::new(), address: String::new(), phone: String::new() }
    }

    /// Says what kind of number it is, instead of telling by its form.
    pub fn kind(mut self, kind: IdentityKind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Adds an e-mail address (`emailcliente`; several are joined by a vertical bar).
    #[doc(alias("emailcliente", "correo"))]
    pub fn email(mut self, address: impl Into<String>) -> Self {
        self.emails.push(address.into());
        self
    }

    /// Sets the postal address (`direccioncliente`).
    #[doc(alias("direccioncliente", "direccion", "dirección"))]
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = address.into();
        self
    }

    /// Sets the phone (`telefonocliente`); `0412-1234567` and `+58 412 1234567` become `584121234567`.
    #[doc(alias("telefonocliente", "telefono", "teléfono"))]
    pub fn phone(mut self, phone: impl Into<String>) -> Self {
        self.phone = phone.into();
        self
    }
}

/// An identity number that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) text: String,
    pub(crate) kind: IdentityKind,
}

const ROW: &str = "rifcedulacliente";

/// Reads the buyer's identity number as the kind that was said, or tells the kind by the form.
pub(crate) fn identity(buyer: &Buyer, faults: &mut Faults) -> Option<Identity> {
    if buyer.identity.trim().is_empty() {
        faults.push(
            Fault::error("R4", ROW)
                .with_expected("the buyer's RIF, cédula or passport")
                .with_actual(&buyer.identity),
        );
        return None;
    }
    if buyer.kind.is_none() {
        warn_of_ambiguity(&buyer.identity, faults);
    }
    match buyer.kind.or_else(|| kind_by_form(&buyer.identity)) {
        Some(IdentityKind::Rif) => rif(&buyer.identity, ROW, "R4", faults)
            .map(|rif| Identity { text: rif.to_string(), kind: IdentityKind::Rif }),
        Some(IdentityKind::Cedula) => cedula(&buyer.identity, faults),
        Some(IdentityKind::Passport) => passport(&buyer.identity, faults),
        None => {
            let hint = "its form tells neither RIF nor cédula; say the kind (1 cédula, 2 passport, 3 RIF)";
            faults
                .push(Fault::error("R5", "idtipocedulacliente").with_actual(&buyer.identity).with_hint(hint));
            None
        }
    }
}

/// `V123456789` may be a RIF without hyphens or a cédula of nine digits.
fn warn_of_ambiguity(text: &str, faults: &mut Faults) {
    if Rif::parse_lenient(text).is_ok() && text.parse::<Cedula>().is_ok() {
        let hint = "it is taken for a RIF; say the kind (1 cédula, 3 RIF), or write the RIF with its hyphens";
        faults.push(Fault::warning("R5", "idtipocedulacliente").with_actual(text).with_hint(hint));
    }
}

fn kind_by_form(text: &str) -> Option<IdentityKind> {
    // Nine digits after V or E may be either; eight and a check digit is by far the more usual.
    if Rif::parse_lenient(text).is_ok() {
        return Some(IdentityKind::Rif);
    }
    text.parse::<Cedula>().is_ok().then_some(IdentityKind::Cedula)
}

/// Reads a RIF; a wrong check digit is a warning here, which the client raises to an error for production (section 7).
pub(crate) fn rif(text: &str, path: &str, rule: &'static str, faults: &mut Faults) -> Option<Rif> {
    match Rif::parse_lenient(text) {
        Ok(rif) => {
            if !rif.has_valid_check_digit() {
                let expected = rif.expected_check_digit();
                faults.push(
                    Fault::warning(CHECK_DIGIT, path)
                        .with_expected(format!("check digit {expected}"))
                        .with_actual(rif.check_digit().to_string())
                        .with_hint("compare it with the taxpayer's certificate; production refuses it unless told otherwise"),
                );
            }
            Some(rif)
        }
        Err(error) => {
            let fault = Fault::error(rule, path).with_expected("a RIF like J-12345678-4");
            faults.push(fault.with_actual(text).with_hint(error.to_string()));
            None
        }
    }
}

/// The rule whose severity depends on the environment.
pub(crate) const CHECK_DIGIT: &str = "CHECK-DIGIT";

fn cedula(text: &str, faults: &mut Faults) -> Option<Identity> {
    let read = text.parse::<Cedula>().map_err(|error| {
        let fault = Fault::error("R4", ROW).with_expected("a cédula like V-12345678 (kind 1)");
        faults.push(fault.with_actual(text).with_hint(error.to_string()));
    });
    read.ok().map(|cedula| Identity { text: cedula.to_string(), kind: IdentityKind::Cedula })
}

fn passport(text: &str, faults: &mut Faults) -> Option<Identity> {
    let read = text.parse::<Passport>().map_err(|error| {
        let fault = Fault::error("R4", ROW)
            .with_expected("a passport number of 5 to 12 letters A-Z and digits (kind 2)");
        faults.push(fault.with_actual(text).with_hint(error.to_string()));
    });
    read.ok().map(|passport| Identity { text: passport.to_string(), kind: IdentityKind::Passport })
}

/// The phone as the manual wants it, 58 and ten digits, if it can be told.
pub(crate) fn normalised_phone(text: &str) -> Option<String> {
    let bare: String = text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/')).collect();
    let digits = bare.strip_prefix('+').unwrap_or(&bare);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let international = match (digits.len(), digits.strip_prefix('0')) {
        (11, Some(national)) => format!("58{national}"),
        (10, None) if !bare.starts_with('+') => format!("58{digits}"),
        _ => digits.to_owned(),
    };
    (international.len() == 12 && international.starts_with("58")).then_some(international)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_of_the_contract_are_normalised() {
        for (given, expected) in [
            ("0412-1234567", Some("584121234567")),
            ("+58 412 1234567", Some("584121234567")),
            ("584121234567", Some("584121234567")),
            ("412 123 45 67", Some("584121234567")),
            ("+1 412 1234567", None),
            ("call me", None),
            ("", None),
        ] {
            assert_eq!(normalised_phone(given).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn the_kind_is_told_by_the_form() {
        for (text, kind) in [
            ("J-12345678-4", Some(IdentityKind::Rif)),
            ("V-12345678-1", Some(IdentityKind::Rif)),
            ("V-12345678", Some(IdentityKind::Cedula)),
            ("X1234567", None),
            ("12345678", None),
        ] {
            assert_eq!(kind_by_form(text), kind, "{text}");
        }
    }

    #[test]
    fn kind_and_form_must_agree() {
        for (text, kind) in [
            ("J-12345678-4", IdentityKind::Cedula),
            ("V-12345678", IdentityKind::Rif),
            ("G123456789", IdentityKind::Cedula),
            ("abc", IdentityKind::Passport),
            ("ABCDEFGHIJKLM", IdentityKind::Passport),
        ] {
            let mut faults = Faults::new();
            assert!(identity(&Buyer::new("x", text).kind(kind), &mut faults).is_none(), "{text}");
            assert_eq!(faults.as_slice().first().map(Fault::rule), Some("R4"));
        }
    }
}
