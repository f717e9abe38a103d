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
            let fault = Fault::error(self.rule, self.path(prefix)).with_expected("a text that is not empty");
            faults.push(fault.with_actual(text).with_hint("the manual requires this field"));
        } else {
            self.optional(prefix, text, faults);
        }
    }

    /// Checks length and characters.
    pub(crate) fn optional(self, prefix: &str, text: &str, faults: &mut Faults) {
        self.length(prefix, text, faults);
        self.characters(prefix, text, faults);
    }

    /// Whether it has no more characters than the field may have.
    pub(crate) fn fits(self, text: &str) -> bool {
        text.chars().nth(self.max).is_none()
    }

    pub(crate) fn length(self, prefix: &str, text: &str, faults: &mut Faults) {
        let fault =
            |fault: Fault| fault.with_expected(format!("at most {} characters", self.max)).with_actual(text);
        if !self.fits(text) {
            faults.push(fault(Fault::error(self.rule, self.path(prefix))).with_hint("shorten it"));
        } else if text.len() > self.max {
            let warning = fault(Fault::warning(self.rule, self.path(prefix)));
            faults.push(
                warning.with_hint("it is longer in bytes; the manual does not say which of them is counted"),
            );
        }
    }

    fn characters(self, prefix: &str, text: &str, faults: &mut Faults) {
        if text.chars().any(char::is_control) {
            let hint =
                "line breaks and control characters cannot be printed; in `comentario`, `//` separates rows";
            faults.push(Fault::error(self.rule, self.path(prefix)).with_actual(text).with_hint(hint));
        } else if text.chars().any(|c| u32::from(c) > 0xffff) {
            let hint = "emoji and other rare characters may be lost in storage or print";
            faults.push(Fault::warning(self.rule, self.path(prefix)).with_actual(text).with_hint(hint));
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

/// Addresses as one field: joined by a vertical bar, blank ones left out. What cannot be an address is a warning, since the
/// service does not look at it.
pub(crate) fn emails(addresses: &[String], field: TextField, faults: &mut Faults) -> String {
    let kept: Vec<&str> =
        addresses.iter().map(String::as_str).filter(|text| !text.trim().is_empty()).collect();
    let joined = kept.join("|");
    field.characters("", &joined, faults);
    // Text far beyond the limit is no list of addresses; one fault about its length says enough.
    if field.fits(&joined) {
        for address in kept.iter().filter(|address| !plausible(address)) {
            faults.push(
                Fault::warning(field.rule, field.name)
                    .with_expected("an e-mail address")
                    .with_actual(address),
            );
        }
    }
    joined
}

fn plausible(address: &str) -> bool {
    let parts = address.split_once('@').filter(|_| !address.contains(char::is_whitespace));
    parts.is_some_and(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(['@', '|']))
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
