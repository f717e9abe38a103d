//! API tokens `SECRET/PREFIX` and account names (contract 2.2 and 5).
//!
//! The rules enforced here: the prefix is what follows the **last** `/`; the whole text is what is sent; no part of the
//! secret is printed; an account name that could change the host of a URL is refused before a URL is built.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use integration_core::{Error, ErrorKind, Fault, Secret};

/// What stands for a secret in every printed form (contract 2.2).
const MASK: &str = "****";

/// The longest label of a host name.
const LONGEST_LABEL: usize = 63;

/// An account of either system: the first label of its host (`acme` in `acme.sugester.pl`), the part behind the last `/` of
/// a token.
///
/// Letters, digits, `-` and `_`, at most 63. Compared without regard to ASCII case, kept as written.
///
/// ```
/// use sugester::AccountName;
///
/// let account: AccountName = "Acme-2".parse()?;
/// assert_eq!(account, "acme-2".parse()?);
/// assert!("acme.evil.example/".parse::<AccountName>().is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct AccountName(String);

impl AccountName {
    /// The name as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The account that a host names with its first label; `None` for addresses in digits and for hosts without a label
    /// before their domain, which name none.
    ///
    /// ```
    /// use sugester::AccountName;
    ///
    /// assert_eq!(AccountName::in_host("acme.bitfactura.com").unwrap().as_str(), "acme");
    /// assert!(AccountName::in_host("127.0.0.1").is_none());
    /// assert!(AccountName::in_host("localhost").is_none());
    /// ```
    #[must_use]
    pub fn in_host(host: &str) -> Option<Self> {
        let (label, domain) = host.split_once('.')?;
        let is_domain = domain.contains('.') || domain.eq_ignore_ascii_case("localhost");
        if !is_domain || host.parse::<IpAddr>().is_ok() { None } else { label.parse().ok() }
    }
}

impl PartialEq for AccountName {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for AccountName {}

impl fmt::Display for AccountName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for AccountName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if is_account(text) {
            return Ok(Self(text.to_owned()));
        }
        let fault = Fault::error("ACCOUNT", "account").with_expected("1 to 63 letters, digits, - or _");
        // With a slash it may be a whole token.
        let fault = if text.contains('/') { fault } else { fault.with_actual(text) };
        let fault = fault.with_hint("give the first label of the host alone: acme for acme.sugester.pl");
        Err(Error::validation("read an account name", vec![fault]))
    }
}

fn is_account(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_LABEL).contains(&text.len()) && text.bytes().all(allowed)
}

/// An API token of either system, with the account's prefix if it carries one.
///
/// A token made with kind `manual_prefix` looks like `SECRET/PREFIX`. That the kind means exactly this is assumed
/// (contract 2.2). Tokens without a prefix exist and are accepted; only the synchronisation asks for one, see
/// [`ApiToken::require_account`].
///
/// ```
/// use sugester::ApiToken;
///
/// let token = ApiToken::parse("Zx8/q7Pw/acme")?;
/// assert_eq!(token.prefix().unwrap().as_str(), "acme");
/// assert_eq!(format!("{token} {token:?}"), "****/acme ApiToken(****/acme)");
/// assert!(token.matches("Zx8/q7Pw/acme") && !token.matches("Zx8/q7Pw"));
/// assert!(ApiToken::parse("Zx8q7Pw/").is_err());
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Clone)]
#[doc(alias("api_token", "clave"))]
pub struct ApiToken {
    whole: Secret,
    prefix: Option<AccountName>,
}

impl ApiToken {
    /// Reads a token; blanks around it, which copying brings along, are dropped.
    ///
    /// # Errors
    ///
    /// A validation error, which repeats nothing of the text, if it is empty, holds blanks or control characters, has
    /// nothing on one side of its last `/`, or a prefix that is no account name.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(unreadable("a token is a text without blanks"));
        }
        let Some((secret, prefix)) = text.rsplit_once('/') else {
            return Ok(Self { whole: Secret::new(text), prefix: None });
        };
        if secret.is_empty() || !is_account(prefix) {
            return Err(unreadable(
                "copy the whole token, SECRET/PREFIX; a prefix has letters, digits, - and _",
            ));
        }
        Ok(Self { whole: Secret::new(text), prefix: Some(AccountName(prefix.to_owned())) })
    }

    /// The account behind the last `/`.
    #[must_use]
    pub fn prefix(&self) -> Option<&AccountName> {
        self.prefix.as_ref()
    }

    /// The whole text, as it is sent.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.whole
    }

    /// Everything of it that must not be seen anywhere: the whole text and, since services may repeat it alone, the part
    /// before the prefix.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let part = self.whole.reveal().rsplit_once('/').map(|(secret, _)| Secret::new(secret));
        std::iter::once(self.whole.clone()).chain(part).collect()
    }

    /// Compares with a text in a time that does not depend on where they differ.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.whole.matches(text)
    }

    /// Whether this token may link the two systems for `account` (assumed, contract 2.2): the synchronisation asks this before
    /// any request.
    ///
    /// # Errors
    ///
    /// [`LinkTokenError`], if there is no prefix, or that of another account.
    ///
    /// ```
    /// use sugester::{ApiToken, LinkTokenError};
    ///
    /// let token = ApiToken::parse("q7Pw/acme")?;
    /// assert_eq!(token.require_account(&"ACME".parse()?), Ok(()));
    /// let refused = token.require_account(&"other".parse()?).unwrap_err();
    /// assert!(matches!(refused, LinkTokenError::TokenPrefixMismatch { .. }));
    /// # Ok::<(), sugester::Error>(())
    /// ```
    pub fn require_account(&self, account: &AccountName) -> Result<(), LinkTokenError> {
        match &self.prefix {
            None => Err(LinkTokenError::TokenWithoutPrefix),
            Some(prefix) if prefix == account => Ok(()),
            Some(prefix) => {
                Err(LinkTokenError::TokenPrefixMismatch { prefix: prefix.clone(), account: account.clone() })
            }
        }
    }
}

fn unreadable(hint: &'static str) -> Error {
    Error::validation("read an API token", vec![Fault::error("TOKEN", "api_token").with_hint(hint)])
}

impl FromStr for ApiToken {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::parse(text)
    }
}

impl fmt::Display for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.prefix {
            Some(prefix) => write!(f, "{MASK}/{prefix}"),
            None => f.write_str(MASK),
        }
    }
}

impl fmt::Debug for ApiToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiToken({self})")
    }
}

/// Why a token may be used for one system alone, but not to link the two (assumed, contract 2.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkTokenError {
    /// It carries no prefix.
    #[error("the token carries no account prefix")]
    TokenWithoutPrefix,
    /// It carries the prefix of another account.
    #[error("the token is for account `{prefix}`, the address names `{account}`")]
    TokenPrefixMismatch {
        /// The token's.
        prefix: AccountName,
        /// The one of the address.
        account: AccountName,
    },
}

impl LinkTokenError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::TokenWithoutPrefix => {
                "make a token of kind manual_prefix: Sugester Settings > API > View > New ApiToken, and copy all of it"
            }
            Self::TokenPrefixMismatch { .. } => {
                "use the token of this account, or the address of the token's account"
            }
        }
    }
}

impl From<LinkTokenError> for Error {
    fn from(refused: LinkTokenError) -> Self {
        Self::new(ErrorKind::Configuration, "link Sugester and BitFactura")
            .with_message(refused.to_string())
            .with_hint(refused.hint())
            .with_source(refused)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn prefix(text: &str) -> Option<String> {
        ApiToken::parse(text).unwrap().prefix().map(ToString::to_string)
    }

    #[test]
    fn the_last_slash_parts_secret_and_prefix() {
        assert_eq!(prefix("abc/acme").as_deref(), Some("acme"));
        assert_eq!(prefix("a/b/c/my-acc_1").as_deref(), Some("my-acc_1"));
        assert_eq!(prefix("//acme").as_deref(), Some("acme"));
        assert_eq!(prefix("abc"), None);
        assert_eq!(ApiToken::parse(" abc/acme\n").unwrap().secret().reveal(), "abc/acme");
    }

    #[test]
    fn both_sides_must_be_there_and_the_prefix_must_be_a_label() {
        let long = format!("abc/{}", "a".repeat(64));
        for bad in
            ["", " ", "/", "abc/", "/acme", "abc/ac me", "abc/a.b", "abc/a:b", "abc/a@b", "abc/ñ", &long]
        {
            let error = ApiToken::parse(bad).unwrap_err();
            assert!(error.is_validation(), "{bad}");
            assert!(!error.to_string().contains("abc"), "{error}");
        }
    }

    #[test]
    fn accounts_cannot_change_a_host() {
        for bad in
            ["", "a/b", "a.b", "a:b", "u@a", "a b", "a\n", "a?x", "a#x", "a%2f", "\u{430}", &"a".repeat(64)]
        {
            assert!(bad.parse::<AccountName>().is_err(), "{bad}");
        }
        assert_eq!("A_1-b".parse::<AccountName>().unwrap().as_str(), "A_1-b");
    }

    #[test]
    fn hosts_name_accounts_with_their_first_label() {
        let named = |host| AccountName::in_host(host).map(|account| account.to_string());
        assert_eq!(named("acme.sugester.pl").as_deref(), Some("acme"));
        assert_eq!(named("acme.localhost").as_deref(), Some("acme"));
        for host in ["sugester.pl", "10.0.0.1", "::1", "[::1]", "", ".sugester.pl", "localhost"] {
            assert_eq!(named(host), None, "{host}");
        }
    }

    #[test]
    fn a_link_needs_the_prefix_of_the_account() {
        let account: AccountName = "acme".parse().unwrap();
        let judged = |text| ApiToken::parse(text).unwrap().require_account(&account);
        assert_eq!(judged("abc/ACME"), Ok(()));
        assert_eq!(judged("abc"), Err(LinkTokenError::TokenWithoutPrefix));
        let error = Error::from(judged("abc/acme2").unwrap_err());
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.is_not_sent() && error.find_source::<LinkTokenError>().is_some());
        assert!(error.to_string().contains("`acme2`") && !error.to_string().contains("abc"));
    }

    #[test]
    fn the_part_before_the_prefix_is_a_secret_too() {
        let shown = |text: &str| -> Vec<String> {
            ApiToken::parse(text).unwrap().secrets().iter().map(|secret| secret.reveal().to_owned()).collect()
        };
        assert_eq!(shown("a/b/acme"), ["a/b/acme", "a/b"]);
        assert_eq!(shown("ab"), ["ab"]);
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_refused(text in any::<String>()) {
            if let Ok(token) = ApiToken::parse(&text) {
                prop_assert_eq!(token.secret().reveal(), text.trim());
                prop_assert!(token.matches(text.trim()));
            }
        }

        #[test]
        fn parts_come_back_and_the_secret_is_never_printed(secret in "[A-Z/+=]{4,30}", name in "[a-z0-9_-]{1,20}") {
            let token = ApiToken::parse(&format!("{secret}/{name}")).unwrap();
            prop_assert_eq!(token.prefix().unwrap().as_str(), &name);
            let printed = format!("{token} {token:?}").replace("ApiToken", "");
            prop_assert!(!printed.chars().any(|c| c.is_ascii_uppercase()));
        }
    }
}
