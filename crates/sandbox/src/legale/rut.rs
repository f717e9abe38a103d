//! The Chilean RUT, as far as `fea` needs it: shape and check character (contract, section 5).

/// Whether the text is a RUT whose check character is right.
pub(super) fn is_valid(text: &str) -> bool {
    let plain: String = text.trim().chars().filter(|sign| !matches!(sign, '.' | '-')).collect();
    let Some(check) = plain.chars().last() else { return false };
    let Some(body) = plain.strip_suffix(check).map(|body| body.trim_start_matches('0')) else { return false };
    let shaped = (1..=8).contains(&body.len()) && body.bytes().all(|byte| byte.is_ascii_digit());
    shaped && check_character(body) == check.to_ascii_uppercase()
}

/// From the right times 2, 3, 4, 5, 6, 7, 2, 3…; 11 minus the sum modulo 11; 11 is `0`, 10 is `K`.
fn check_character(body: &str) -> char {
    let weights = (2..=7).cycle();
    let sum: u32 =
        body.bytes().rev().zip(weights).map(|(digit, weight)| u32::from(digit & 0x0f) * weight).sum();
    match 11 - sum % 11 {
        11 => '0',
        10 => 'K',
        digit => char::from_digit(digit, 10).unwrap_or('0'),
    }
}

#[cfg(test)]
mod tests {
    use super::is_valid;

    #[test]
    fn the_contracts_vectors() {
        for good in
            ["12.345.678-5", "15509661-6", "126785798", "17.951.585-7", " 12.667.869-k ", "09.868.503-0"]
        {
            assert!(is_valid(good), "{good}");
        }
        for bad in ["11.222.333-4", "11.222.333-k", "0-0", "", "-", "123456789-1", "12a45678-5", "ñ"] {
            assert!(!is_valid(bad), "{bad}");
        }
        assert!(is_valid("11.222.333-9"));
    }
}
