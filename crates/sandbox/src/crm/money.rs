//! Amounts without floats: decimals as integers of 10⁻⁸, rounded half away from zero to cents.

use serde_json::Value;

/// Fraction digits that are kept of an input.
const DIGITS: usize = 8;
const ONE: i128 = 100_000_000;
/// Units of [`Decimal`] in a cent.
const CENT: i128 = 1_000_000;

/// A decimal number of 8 fraction digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Decimal(i128);

impl Decimal {
    pub(crate) const ONE: Self = Self(ONE);
    pub(crate) const ZERO: Self = Self(0);

    /// A number or a text, with point or comma; further fraction digits are dropped.
    pub(crate) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::parse(&number.to_string()),
            Value::String(text) => Self::parse(text.trim()),
            _ => None,
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once(['.', ',']).unwrap_or((digits, ""));
        let plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || whole.len() > 18 || (whole.is_empty() && fraction.is_empty())
        {
            return None;
        }
        let kept: String = fraction.chars().chain(std::iter::repeat('0')).take(DIGITS).collect();
        let units: i128 = format!("{whole}{kept}").parse().ok()?;
        Some(Self(if negative { -units } else { units }))
    }

    pub(crate) fn of_cents(cents: i128) -> Self {
        Self(cents.saturating_mul(CENT))
    }

    pub(crate) fn times(self, other: Self) -> Self {
        Self(divided(self.0.saturating_mul(other.0), ONE))
    }

    /// Zero if `other` is.
    pub(crate) fn over(self, other: Self) -> Self {
        Self(if other.0 == 0 { 0 } else { divided(self.0.saturating_mul(ONE), other.0) })
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This many hundredths of it.
    pub(crate) fn percent(self) -> Self {
        Self(divided(self.0, 100))
    }

    /// Rounded to cents.
    pub(crate) fn rounded(self) -> Self {
        Self::of_cents(divided(self.0, CENT))
    }

    pub(crate) fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// `339.99`
    pub(crate) fn text(self) -> String {
        let cents = divided(self.0, CENT);
        let sign = if cents < 0 { "-" } else { "" };
        let cents = cents.unsigned_abs();
        format!("{sign}{}.{:02}", cents / 100, cents % 100)
    }

    /// What [`text`](Self::text) says, as JSON.
    pub(crate) fn json(self) -> Value {
        Value::String(self.text())
    }
}

/// Rounded half away from zero; zero if there is nothing to divide by.
fn divided(number: i128, by: i128) -> i128 {
    let size = by.unsigned_abs();
    let whole = number.unsigned_abs().saturating_add(size / 2).checked_div(size).unwrap_or(0);
    let whole = i128::try_from(whole).unwrap_or(i128::MAX);
    if (number < 0) == (by < 0) { whole } else { -whole }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: impl Into<Value>) -> Decimal {
        Decimal::read(&value.into()).unwrap()
    }

    #[test]
    fn both_separators_are_read() {
        assert_eq!(read(json!("59,00")).text(), "59.00");
        assert_eq!(read(json!("339.99")).text(), "339.99");
        assert_eq!(read(json!(-0.5)).text(), "-0.50");
        for odd in [json!("1.2.3"), json!(""), json!("x"), json!(null), json!("1e3")] {
            assert_eq!(Decimal::read(&odd), None, "{odd}");
        }
    }

    #[test]
    fn halves_go_away_from_zero() {
        assert_eq!(read(json!("1.005")).text(), "1.01");
        assert_eq!(read(json!("-1.005")).text(), "-1.01");
        assert_eq!(read(json!("1.0049")).text(), "1.00");
        assert_eq!(divided(-7, 2), -4);
        assert_eq!(divided(7, -2), -4);
        assert_eq!(divided(-7, -2), 4);
    }

    #[test]
    fn net_and_gross_by_rate() {
        // 3 × 33.33 = 99.99 net; 21 % of it is 20.9979.
        let net = read(json!(3)).times(read(json!("33.33")));
        assert_eq!(net.text(), "99.99");
        assert_eq!(net.times(read(json!("21")).percent()).text(), "21.00");
        // 121 gross at 21 % is 100 net.
        assert_eq!(read(json!(121)).over(Decimal::ONE.plus(read(json!(21)).percent())).text(), "100.00");
    }
}
