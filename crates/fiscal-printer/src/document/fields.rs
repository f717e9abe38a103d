//! The rules of text fields: required, length, characters (contract section 3, "Length counts Unicode scalar values").

use integration_core::{Fault, Faults};

use super::settled::{At, Place};

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
    pub(crate) fn required(self, at: At, text: &str, faults: &mut Faults) {
        if self.is_plain(text) && !text.is_empty() && !text.starts_with(' ') {
            return;
        }
        if text.trim().is_empty() {
            let fault = Fault::error(self.rule, self.path(at)).with_expected("a text that is not empty");
            faults.push(fault.with_actual(text).with_hint("the manual requires this field"));
        } else {
            self.optional(at, text, faults);
        }
    }

    /// Checks length and characters.
    pub(crate) fn optional(self, at: At, text: &str, faults: &mut Faults) {
        if !self.is_plain(text) {
            self.length(at, text, faults);
            self.characters(at, text, faults);
        }
    }

    /// Whether nothing can be wrong with it: few bytes, all of them printable ASCII. What nearly every text is, told at a glance.
    #[inline]
    fn is_plain(self, text: &str) -> bool {
        text.len() <= self.max && is_printable_ascii(text.as_bytes())
    }

    /// Whether it has no more characters than the field may have.
    pub(crate) fn fits(self, text: &str) -> bool {
        text.chars().nth(self.max).is_none()
    }

    pub(crate) fn length(self, at: At, text: &str, faults: &mut Faults) {
        let fault =
            |fault: Fault| fault.with_expected(format!("at most {} characters", self.max)).with_actual(text);
        if !self.fits(text) {
            faults.push(fault(Fault::error(self.rule, self.path(at))).with_hint("shorten it"));
        } else if text.len() > self.max {
            let warning = fault(Fault::warning(self.rule, self.path(at)));
            faults.push(
                warning.with_hint("it is longer in bytes; the manual does not say which of them is counted"),
            );
        }
    }

    fn characters(self, at: At, text: &str, faults: &mut Faults) {
        if text.chars().any(char::is_control) {
            let hint =
                "line breaks and control characters cannot be printed; in `comentario`, `//` separates rows";
            faults.push(Fault::error(self.rule, self.path(at)).with_actual(text).with_hint(hint));
        } else if text.chars().any(|c| u32::from(c) > 0xffff) {
            let hint = "emoji and other rare characters may be lost in storage or print";
            faults.push(Fault::warning(self.rule, self.path(at)).with_actual(text).with_hint(hint));
        }
    }

    fn path(self, at: At) -> Place {
        at.field(self.name)
    }
}

/// Eight bytes at a time: none below a space, none above a tilde. A byte that is either may make its neighbour look so, too, but
/// nothing else can.
fn is_printable_ascii(text: &[u8]) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let (words, rest) = text.as_chunks::<8>();
    let unusual = words.iter().fold(0, |unusual, word| {
        let word = u64::from_ne_bytes(*word);
        unusual | word | word.wrapping_sub(ONES * 0x20) | word.wrapping_add(ONES)
    });
    unusual & HIGH == 0 && rest.iter().all(|byte| (b' '..=b'~').contains(byte))
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
    field.characters(At::HEADER, &joined, faults);
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
        BRANCH.required(At::HEADER, text, &mut faults);
        faults.as_slice().iter().map(Fault::severity).collect()
    }

    #[test]
    fn every_byte_is_judged_at_every_place() {
        for byte in 0..=u8::MAX {
            for place in 0..19 {
                let mut text = [b'x'; 19];
                text[place] = byte;
                assert_eq!(is_printable_ascii(&text), (0x20..0x7f).contains(&byte), "{byte} at {place}");
            }
        }
        assert!(is_printable_ascii(b"") && is_printable_ascii(b"        ~~~~~~~~"));
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
