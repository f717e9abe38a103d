//! Whether one user may switch between both systems (contract 4.8): their logins must be equal. A comparison and advice; nothing
//! is asked and no switch is tried.

/// What comparing the logins of one user says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Multipass {
    /// Equal: switching works as far as the logins go.
    Match,
    /// Equal but for case or outer blanks, which may be enough or not (assumed): make them equal.
    MatchIgnoringCase,
    /// Different: switching fails with "Multipass login failed".
    Mismatch,
    /// One of them is not known.
    Unknown,
}

impl Multipass {
    /// What to do about it; empty if nothing.
    #[must_use]
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Match => "",
            Self::MatchIgnoringCase | Self::Mismatch => {
                "make the logins equal: Sugester Settings > Users > Edit user > Login; \
                 BitFactura: e-mail beside Settings > My account > Edit profile/Change password > Login"
            }
            Self::Unknown => {
                "look both logins up: Sugester Settings > Users > Edit user > Login; \
                 BitFactura: e-mail beside Settings > My account > Edit profile/Change password > Login"
            }
        }
    }
}

/// Compares the login of BitFactura (from `/login.json`) with that of Sugester (from the caller: no API tells it).
///
/// ```
/// use sugester::{Multipass, check_multipass};
///
/// assert_eq!(check_multipass("ana@example.com", "Ana@example.com "), Multipass::MatchIgnoringCase);
/// assert!(check_multipass("ana@example.com", "ana").advice().contains("Edit user > Login"));
/// ```
#[must_use]
pub fn check_multipass(bitfactura_login: &str, sugester_login: &str) -> Multipass {
    let (bitfactura, sugester) = (bitfactura_login.trim(), sugester_login.trim());
    match () {
        () if bitfactura.is_empty() || sugester.is_empty() => Multipass::Unknown,
        () if bitfactura_login == sugester_login => Multipass::Match,
        () if bitfactura.to_lowercase() == sugester.to_lowercase() => Multipass::MatchIgnoringCase,
        () => Multipass::Mismatch,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins_are_compared() {
        for (bitfactura, sugester, said) in [
            ("a@b.cl", "a@b.cl", Multipass::Match),
            ("a@b.cl", "A@B.cl", Multipass::MatchIgnoringCase),
            (" a@b.cl", "a@b.cl", Multipass::MatchIgnoringCase),
            ("ÑU@b.cl", "ñu@b.cl", Multipass::MatchIgnoringCase),
            ("a@b.cl", "a@b.com", Multipass::Mismatch),
            ("a@b.cl", "a", Multipass::Mismatch),
            ("", "a", Multipass::Unknown),
            ("a", " ", Multipass::Unknown),
            ("", "", Multipass::Unknown),
        ] {
            assert_eq!(check_multipass(bitfactura, sugester), said, "{bitfactura:?} {sugester:?}");
        }
    }

    #[test]
    fn everything_but_a_match_comes_with_advice() {
        assert!(Multipass::Match.advice().is_empty());
        for said in [Multipass::MatchIgnoringCase, Multipass::Mismatch, Multipass::Unknown] {
            assert!(said.advice().contains("Sugester Settings > Users > Edit user > Login"));
        }
    }
}
