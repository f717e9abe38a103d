//! The rules of text fields: required, length, characters (contract section 3, "Length counts Unicode scalar values").

use integration_core::{Fault, Faults};

/// A text field of the manual: its rule id, its name on the wire, and how many characters it may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextField {
    pub(crate) rule: &'static str,
    pub(crate) name: &'static str,
    pub(crate) max: usize,
}

impl TextField {
    pub(crate) const fn new(rule: &'static str, name: &'static str, max: usize) -> Self {
        Self { rule, name, max }
    }

    /// Checks a field that must not be empty.
    pub(crate) fn required(self, prefix: &str, text: &str, faults: &mut Faults) {
        if text.trim().is_empty() {
            faults.push(
                Fault::error(self.rule, self.path(prefix)).expected("a text that is not empty").actual(text),
            );
        } else {
            self.optional(prefix, text, faults);
        }
    }

    /// Checks length and characters.
    pub(crate) fn optional(self, prefix: &str, text: &str, faults: &mut Faults) {
        let characters = text.chars().count();
        let fault = |fault: Fault| fault.expected(format!("at most {} characters", self.max)).actual(text);
        if characters > self.max {
            faults.push(fault(Fault::error(self.rule, self.path(prefix))));
        } else if text.len() > self.max {
            let warning = fault(Fault::warning(self.rule, self.path(prefix)));
            faults.push(
                warning.hint("it is longer in bytes; the manual does not say which of them is counted"),
            );
        }
        self.characters(prefix, text, faults);
    }

    fn characters(self, prefix: &str, text: &str, faults: &mut Faults) {
        if text.chars().any(char::is_control) {
            let hint =
                "line breaks and control characters cannot be printed; in `comentario`, `//` separates rows";
            faults.push(Fault::error(self.rule, self.path(prefix)).actual(text).hint(hint));
        } else if text.chars().any(|c| u32::from(c) > 0xffff) {
            let hint = "emoji and other rare characters may be lost in storage or print";
            faults.push(Fault::warning(self.rule, self.path(prefix)).actual(text).hint(hint));
        }
    }

    fn path(self, prefix: &str) -> String {
        format!("{prefix}{}", self.name)
    }
}

pub(crate) const NAME: TextField = TextField::new("R3", "nombrecliente", 100);
pub(crate) const EMAIL: TextField = TextField::new("R6", "emailcliente", 100);
pub(crate) const ADDRESS: TextField = TextField::new("R7", "direccioncliente", 500);
pub(crate) const PHONE: TextField = TextField::new("R8", "telefonocliente", 50);
pub(crate) const TRACKING: TextField = TextField::new("R2", "trackingid", 50);
pub(crate) const RELATED: TextField = TextField::new("R11", "relacionado", 12);
pub(crate) const BRANCH: TextField = TextField::new("R28", "sucursal", 10);
pub(crate) const BRANCH_ADDRESS: TextField = TextField::new("R29", "direccionsucursal", 500);
pub(crate) const REMARK: TextField = TextField::new("R30", "observacion", 200);
pub(crate) const DUE_DATE: TextField = TextField::new("EXTRA", "fechavence", 50);
pub(crate) const CODE: TextField = TextField::new("R32", "codigo", 50);
pub(crate) const DESCRIPTION: TextField = TextField::new("R33", "descripcion", 250);
pub(crate) const COMMENT: TextField = TextField::new("R34", "comentario", 150);
pub(crate) const PAYMENT_FORM: TextField = TextField::new("R42", "forma", 20);

pub(crate) const MAIL_ADDRESS: TextField = TextField::new("MAIL", "email", 100);

/// Addresses as one field: joined by a vertical bar. An address that cannot be one is a warning, since the service does
/// not look at it.
pub(crate) fn emails(
    addresses: &[String],
    rule: &'static str,
    name: &'static str,
    faults: &mut Faults,
) -> String {
    for address in addresses {
        let plausible = address.split_once('@').is_some_and(|(left, right)| {
            !left.is_empty()
                && !right.is_empty()
                && !right.contains('@')
                && !address.contains(char::is_whitespace)
        });
        if !plausible {
            faults.push(Fault::warning(rule, name).expected("an e-mail address").actual(address));
        }
    }
    addresses.join("|")
}

#[cfg(test)]
mod tests {
    use integration_core::Severity;

    use super::*;

    fn found(text: &str) -> Vec<Severity> {
        let mut faults = Faults::new();
        BRANCH.required("", text, &mut faults);
        faults.as_slice().iter().map(Fault::severity).collect()
    }

    #[test]
    fn characters_are_counted_and_bytes_warned_about() {
        assert_eq!(found("abcdefghij"), []);
        assert_eq!(found("abcdefghijk"), [Severity::Error]);
        assert_eq!(found("ñññññññññ"), [Severity::Warning]);
        assert_eq!(found(" "), [Severity::Error]);
        assert_eq!(found("a\nb"), [Severity::Error]);
        assert_eq!(found("a🧾"), [Severity::Warning]);
        assert_eq!(found(&"x".repeat(10_000_000)), [Severity::Error]);
    }
}
