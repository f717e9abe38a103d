//! RUTs that stand in no contract (section 5): any number, any check character, any notation, judged by a calculation of its own,
//! before anything is sent.

use legale::flow::{Flow, SignMethod, Signer};
use legale::{NewContact, Outcome, Rut};
use proptest::prelude::*;

use super::ANA;

/// Not the contract's weights but the recursion that is folklore in Chile: one pass, factors 9 down to 4, modulo 11 at each step.
fn check_character(body: u32) -> char {
    let (mut left, mut sum, mut step) = (body, 1, 0);
    while left > 0 {
        sum = (sum + left % 10 * (9 - step % 6)) % 11;
        left /= 10;
        step += 1;
    }
    if sum == 0 { 'K' } else { char::from_digit(sum - 1, 10).unwrap() }
}

/// Every permitted way to write it: dots or none, hyphen or none, zeros before it, blanks around it, either case.
fn notations(body: u32, check: char) -> Vec<String> {
    let digits = body.to_string();
    let mut dotted = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            dotted.push('.');
        }
        dotted.push(digit);
    }
    let lower = check.to_ascii_lowercase();
    vec![
        format!("{digits}-{check}"),
        format!("{digits}{check}"),
        format!("{dotted}-{check}"),
        format!("{dotted}{lower}"),
        format!("  {dotted}-{lower}\t"),
        format!("00{digits}-{lower}"),
    ]
}

/// By the flow's own field, as an advanced signature takes it.
fn flow_accepts(rut: &str) -> bool {
    let signer = Signer::outsider(SignMethod::Fea, ANA).name("Ana", "Rojas").rut(rut);
    match Flow::sequential().signer(signer).build() {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.outcome(), Outcome::NotSent);
            let paths: Vec<_> = error.faults().iter().map(|fault| fault.path().to_owned()).collect();
            assert_eq!(paths, ["signer_list[0].rut"], "{error}");
            false
        }
    }
}

fn check(body: u32) {
    let right = check_character(body);
    for check in "0123456789K".chars() {
        for text in notations(body, check) {
            assert_eq!(flow_accepts(&text), check == right, "{text}");
            assert_eq!(text.parse::<Rut>().is_ok(), check == right, "{text}");
            // Answers hold wrong ones, and are read all the same.
            let lenient = Rut::parse_lenient(&text).unwrap();
            assert_eq!(lenient.wire(), format!("{body}-{check}"), "{text}");
            assert_eq!(lenient.has_valid_check_digit(), check == right, "{text}");
        }
    }
}

#[test]
fn the_own_calculation_gives_the_contracts_examples() {
    for (body, expected) in [
        (12_345_678, '5'),
        (15_509_661, '6'),
        (12_678_579, '8'),
        (17_951_585, '7'),
        (12_667_869, 'K'),
        (9_868_503, '0'),
        (11_222_333, '9'),
    ] {
        assert_eq!(check_character(body), expected, "{body}");
        check(body);
    }
}

#[test]
fn the_ends_of_the_range_and_what_lies_beyond() {
    for body in (1..=120).chain([999, 1_000, 999_999, 1_000_000, 10_000_000, 99_999_998, 99_999_999]) {
        check(body);
    }
    for bad in
        ["", "-", "0-0", "00-0", "K-5", "5", "123456789-2", "12345678-", "12.345.678–5", "1 2345678-5", "-5"]
    {
        assert!(!flow_accepts(bad), "{bad}");
    }
}

/// A wrong one that was read leniently is refused when it is sent, with the right character named.
#[tokio::test]
async fn a_contact_with_a_wrong_rut_is_not_sent() {
    let bench = super::Bench::new().await;
    let client = bench.client();
    for body in [7_654_321, 24_965_885, 5_126_663, 30_686_957] {
        let right = check_character(body);
        for check in "0123456789K".chars().filter(|check| *check != right) {
            let wrong = Rut::parse_lenient(&format!("{body}-{check}")).unwrap();
            let error =
                client.create_contact(&NewContact::new(ANA, "Ana", "Rojas").rut(wrong)).await.unwrap_err();
            assert_eq!(error.faults()[0].expected(), format!("check character {right}"));
        }
    }
    assert_eq!(bench.legale().connections(), 0);
    let rut = format!("24965885-{}", check_character(24_965_885)).parse().unwrap();
    assert_eq!(
        client.create_contact(&NewContact::new(ANA, "Ana", "Rojas").rut(rut)).await.unwrap().rut(),
        Some(rut)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

    #[test]
    fn any_rut_is_judged_by_its_check_character(body in prop_oneof![1u32..=99_999_999, 1_000_000u32..30_000_000]) {
        check(body);
    }
}
