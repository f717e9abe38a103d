//! The steps that link both systems (contract 4.1, from the vendor's user guide), as data, with what a program can check of them.

use std::fmt;

use crate::AccountName;

/// Who can tell that a step is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Check {
    /// A person who looks; no API shows it.
    Manual,
    /// The token's prefix, before any request: [`ApiToken::require_account`](crate::ApiToken::require_account).
    TokenPrefix,
    /// The first full synchronisation (contract 4.4).
    FirstSync,
    /// The logins of a user: [`check_multipass`](crate::check_multipass).
    Multipass,
}

impl Check {
    /// Whether a program can check it.
    #[must_use]
    pub const fn is_automatic(self) -> bool {
        !matches!(self, Self::Manual)
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    number: u8,
    place: &'static str,
    action: String,
    check: Check,
}

impl Step {
    /// Its place in the order, from 1.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// Where in the web applications.
    #[must_use]
    pub const fn place(&self) -> &'static str {
        self.place
    }

    /// What to do there.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Who can tell that it is done.
    #[must_use]
    pub const fn check(&self) -> Check {
        self.check
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}. {}: {}", self.number, self.place, self.action)
    }
}

/// The address that BitFactura is told in step 5, and that the first full synchronisation posts to; known from one source, so
/// only a default (trap 27).
///
/// ```
/// let account: sugester::AccountName = "acme".parse()?;
/// assert_eq!(
///     sugester::setup::receiver_url(&account),
///     "https://acme.sugester.pl/app/clients/external_update.json",
/// );
/// # Ok::<(), sugester::Error>(())
/// ```
#[must_use]
pub fn receiver_url(sugester: &AccountName) -> String {
    format!("https://{sugester}.sugester.pl/app/clients/external_update.json")
}

/// All steps for an account of Sugester, in order.
///
/// ```
/// let steps = sugester::setup::checklist(&"acme".parse()?);
/// let by_hand: Vec<u8> = steps.iter().filter(|s| !s.check().is_automatic()).map(|s| s.number()).collect();
/// assert_eq!(by_hand, [1, 3, 4]);
/// # Ok::<(), sugester::Error>(())
/// ```
#[must_use]
pub fn checklist(sugester: &AccountName) -> Vec<Step> {
    let receiver = receiver_url(sugester);
    let steps = [
        (
            "BitFactura Settings > Account settings > Integration > Connection",
            "set the access type to Default".to_owned(),
            Check::Manual,
        ),
        (
            "Sugester Settings > API > View > New ApiToken",
            "choose Kind manual_prefix, save, copy the whole token".to_owned(),
            Check::TokenPrefix,
        ),
        (
            "BitFactura Integration > Integrate with Sugester",
            "paste the token, create the integration, confirm, save".to_owned(),
            Check::Manual,
        ),
        (
            "Sugester Account settings > Integration",
            "see that the BitFactura box is ticked and that the BitFactura API token was filled in by itself"
                .to_owned(),
            Check::Manual,
        ),
        (
            "BitFactura Integration > Synchronisation",
            format!("the first time: type client:sync, URL {receiver}, the Sugester token, save"),
            Check::FirstSync,
        ),
        (
            "the switch buttons: CRM in BitFactura, FACTURAS in Sugester",
            "switch once in each direction; the logins must be equal".to_owned(),
            Check::Multipass,
        ),
    ];
    let number = |((place, action, check), number)| Step { number, place, action, check };
    steps.into_iter().zip(1..).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn six_steps_in_order_and_half_of_them_can_be_checked() {
        let steps = checklist(&"acme".parse().unwrap());
        let checks: Vec<_> = steps.iter().map(|step| (step.number(), step.check())).collect();
        assert_eq!(
            checks,
            [
                (1, Check::Manual),
                (2, Check::TokenPrefix),
                (3, Check::Manual),
                (4, Check::Manual),
                (5, Check::FirstSync),
                (6, Check::Multipass),
            ]
        );
        assert!(steps[4].to_string().contains("https://acme.sugester.pl/app/clients/external_update.json"));
        assert!(steps.iter().all(|step| !step.place().is_empty() && !step.action().is_empty()));
    }
}
