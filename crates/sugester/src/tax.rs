//! `tax_no`: text of any country, never refused (contract 4.2 and 5).

use integration_core::Fault;
use integration_core::tax::id::Rut;

/// The letters and digits alone, in upper case: how two tax numbers are compared when clients are matched by them.
///
/// ```
/// use sugester::tax::comparable;
///
/// assert_eq!(comparable(" 12.667.869-k"), comparable("12667869K"));
/// assert_eq!(comparable("ES/B-12 345"), "ESB12345");
/// ```
#[must_use]
pub fn comparable(tax_no: &str) -> String {
    // Last, since upper-casing may part a letter from its accents.
    tax_no.chars().flat_map(char::to_uppercase).filter(|c| c.is_alphanumeric()).collect()
}

/// A note on a number that should be a Chilean RUT and is none; never an error, since vendors' samples have wrong digits.
/// Nothing in this crate calls it: whoever knows that an account is Chilean asks.
///
/// ```
/// use sugester::tax::rut_note;
///
/// assert!(rut_note("12.345.678-5").is_none());
/// assert_eq!(rut_note("11.222.333-4").unwrap().expected(), "check digit 9");
/// ```
#[must_use]
pub fn rut_note(tax_no: &str) -> Option<Fault> {
    let note = Fault::warning("RUT", "tax_no").with_actual(tax_no);
    match Rut::parse_lenient(tax_no) {
        Ok(rut) if rut.has_valid_check_digit() => None,
        Ok(rut) => Some(
            note.with_expected(format!("check digit {}", rut.expected_check_digit().as_str()))
                .with_hint("the check digit does not follow from the number"),
        ),
        Err(error) => Some(note.with_expected("a RUT, as 12.345.678-5").with_hint(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use integration_core::Severity;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_vectors_of_the_contract_get_no_note() {
        for rut in
            ["12.345.678-5", "15.509.661-6", "12.678.579-8", "17.951.585-7", "12.667.869-K", "9.868.503-0"]
        {
            assert!(rut_note(rut).is_none(), "{rut}");
        }
    }

    #[test]
    fn the_vendors_samples_get_a_note_that_stops_nothing() {
        for rut in ["11.222.333-4", "11.222.333-k", "PL1234567890", ""] {
            assert_eq!(rut_note(rut).unwrap().severity(), Severity::Warning, "{rut}");
        }
    }

    proptest! {
        #[test]
        fn comparing_is_settled_at_once(text in any::<String>()) {
            let once = comparable(&text);
            prop_assert!(once.chars().all(char::is_alphanumeric));
            prop_assert_eq!(comparable(&once), once);
        }

        #[test]
        fn signs_between_do_not_count(text in "[A-Z0-9]{1,12}", sign in "[ ./-]") {
            let spread: String = text.chars().flat_map(|c| [c.to_string(), sign.clone()]).collect();
            prop_assert_eq!(comparable(&spread.to_lowercase()), text);
        }
    }
}
