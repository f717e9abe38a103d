//! Whether Sugester and BitFactura can be kept in step: one check over both clients, which reads and writes nothing (contract 2.2, 4.1,
//! 4.6 and 4.8).
//!
//! The rules enforced here: the token's kind and prefix are judged before anything is sent, and nothing is sent to Sugester with a token
//! that may not link; each finding says what to do; "could not ask" is a finding of its own, never "all is well".
//!
//! ```no_run
//! use sugester::connection::ConnectionCheck;
//!
//! # async fn run() -> Result<(), sugester::Error> {
//! let (crm, billing) = (sugester::Client::from_env()?, sugester::bitfactura::Client::from_env()?);
//! let report = ConnectionCheck::new(&crm, &billing)
//!     .sugester_login("ana@example.com")
//!     .bitfactura_login("ana@example.com")
//!     .run()
//!     .await;
//! for finding in report.findings() {
//!     println!("{finding}. What to do: {}", finding.advice());
//! }
//! println!("ready: {}", report.is_ready());
//! # Ok(())
//! # }
//! ```

use std::fmt;

use integration_core::{Error, ErrorKind, Severity};

use crate::bitfactura::{self, ClientQuery, LoggedIn, Login, Webhook};
use crate::client::Client;
use crate::error::{ErrorExt, Reason};
use crate::multipass::{Multipass, check_multipass};
use crate::token::{AccountName, LinkTokenError};

/// One of the two systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum System {
    /// The CRM.
    Sugester,
    /// The invoicing.
    BitFactura,
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sugester => "Sugester",
            Self::BitFactura => "BitFactura",
        })
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Part {
    /// Kind and prefix of Sugester's token, against the account.
    Token,
    /// Sugester answers, with its clients.
    Sugester,
    /// BitFactura answers, with its clients.
    BitFactura,
    /// BitFactura's webhooks, by which it tells of changes.
    Webhooks,
    /// The logins, which must be equal for the switch buttons to work.
    Logins,
}

impl Part {
    /// All of them, in the order in which they are looked at.
    pub const ALL: [Self; 5] = [Self::Token, Self::Sugester, Self::BitFactura, Self::Webhooks, Self::Logins];
}

/// What is wrong, or could not be seen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Finding {
    /// Sugester's token may not link the systems: it has no prefix, or that of another account.
    Token(LinkTokenError),
    /// Sugester's address does not name the account, so the token's prefix could not be compared.
    AccountUnknown,
    /// The system refuses the token, or does not let it list clients.
    TokenRefused {
        /// Which.
        system: System,
        /// Its answer.
        error: Error,
    },
    /// The system does not know the account: the address is wrong.
    NoSuchAccount {
        /// Which.
        system: System,
        /// Its answer.
        error: Error,
    },
    /// The system could not be asked, or answered with something else than a list.
    Unreachable {
        /// Which.
        system: System,
        /// What was met.
        error: Error,
    },
    /// A webhook of BitFactura is switched off: it tells nothing until it is switched on again (trap 25).
    WebhookOff {
        /// Its id.
        id: u64,
        /// Its kind, such as `client:update`.
        kind: String,
    },
    /// The webhooks could not be listed. Changes are still seen by polling.
    WebhooksUnseen(Error),
    /// The login at BitFactura failed, so the logins could not be compared.
    LoginFailed(Error),
    /// The login is one of another account of BitFactura than the address names.
    LoginElsewhere {
        /// The account of the login.
        login: String,
        /// The account of the address.
        address: AccountName,
    },
    /// The logins are not equal, or one is not known.
    Logins(Multipass),
}

impl Finding {
    /// What it is about.
    #[must_use]
    pub const fn part(&self) -> Part {
        match self {
            Self::Token(_) | Self::AccountUnknown => Part::Token,
            Self::TokenRefused { system, .. }
            | Self::NoSuchAccount { system, .. }
            | Self::Unreachable { system, .. } => match system {
                System::Sugester => Part::Sugester,
                System::BitFactura => Part::BitFactura,
            },
            Self::WebhookOff { .. } | Self::WebhooksUnseen(_) => Part::Webhooks,
            Self::LoginFailed(_) | Self::LoginElsewhere { .. } | Self::Logins(_) => Part::Logins,
        }
    }

    /// [`Severity::Error`] for what keeps the systems from being kept in step, or the switch buttons from working;
    /// [`Severity::Warning`] for the rest.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        match self {
            Self::AccountUnknown
            | Self::WebhookOff { .. }
            | Self::WebhooksUnseen(_)
            | Self::LoginFailed(_)
            | Self::Logins(Multipass::MatchIgnoringCase | Multipass::Unknown) => Severity::Warning,
            _ => Severity::Error,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn advice(&self) -> String {
        match self {
            Self::Token(refused) => refused.hint().to_owned(),
            Self::AccountUnknown => "say on the builder whose address it is: `account`".to_owned(),
            Self::TokenRefused { system: System::Sugester, .. } => {
                "make a token of kind manual_prefix, of a user who may see clients: Sugester Settings > API > View > New ApiToken"
                    .to_owned()
            }
            Self::TokenRefused { system: System::BitFactura, .. } => {
                "copy the token of a user who may see clients: BitFactura Settings > Account settings > Integration".to_owned()
            }
            Self::NoSuchAccount { system, .. } => {
                format!("compare the account in the address with the one in the browser when logged in to {system}")
            }
            Self::LoginFailed(error) if error.kind() == ErrorKind::Authentication => {
                "compare login and password, and the integration token that BitFactura gives to partners: it asks for all three"
                    .to_owned()
            }
            Self::Unreachable { error, .. } | Self::WebhooksUnseen(error) | Self::LoginFailed(error) => {
                error.hint().to_owned()
            }
            Self::WebhookOff { id, .. } => {
                format!("see that its receiver answers 200, then switch row {id} on again: `update_webhook`")
            }
            Self::LoginElsewhere { address, .. } => {
                format!("log in as a user of the account {address}, or use the address of the login's account")
            }
            Self::Logins(said) => said.advice().to_owned(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(refused) => refused.fmt(f),
            Self::AccountUnknown => {
                f.write_str("Sugester's address names no account to compare the token's prefix with")
            }
            Self::TokenRefused { system, .. } => write!(f, "{system} does not accept the token"),
            Self::NoSuchAccount { system, .. } => write!(f, "{system} does not know the account"),
            Self::Unreachable { system, error } => write!(f, "{system} could not be asked: {}", met(error)),
            Self::WebhookOff { id, kind } => write!(f, "webhook {id} of BitFactura ({kind}) is switched off"),
            Self::WebhooksUnseen(error) => {
                write!(f, "the webhooks of BitFactura could not be listed: {}", met(error))
            }
            Self::LoginFailed(error) => write!(f, "the login at BitFactura failed: {}", met(error)),
            Self::LoginElsewhere { login, address } => {
                write!(f, "the login is one of the account {login}, the address names {address}")
            }
            Self::Logins(said) => f.write_str(match said {
                Multipass::MatchIgnoringCase => "the logins differ in case or blanks",
                Multipass::Mismatch => "the logins differ: switching between the systems will fail",
                _ => "the logins were not compared: one is not known",
            }),
        }
    }
}

/// What was met, without what to do about it: that is [`Finding::advice`].
fn met(error: &Error) -> Error {
    error.clone().with_hint("")
}

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct ConnectionReport {
    findings: Vec<Finding>,
    looked_at: Vec<Part>,
}

impl ConnectionReport {
    /// Whether nothing that was found keeps the systems from working together.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity() != Severity::Error)
    }

    /// Whether the synchronisation can run: what was found, if anything, is about logins or webhooks alone, which people and speed need.
    #[must_use]
    pub fn can_synchronise(&self) -> bool {
        ![Part::Token, Part::Sugester, Part::BitFactura].into_iter().any(|part| self.has(part))
    }

    /// Everything that was found, in the order of [`Part::ALL`].
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What was looked at and is as it should be.
    pub fn sound(&self) -> impl Iterator<Item = Part> {
        let found = |part: &Part| self.findings.iter().any(|finding| finding.part() == *part);
        self.looked_at.iter().copied().filter(move |part| !found(part))
    }

    /// What was not looked at: Sugester with a token that may not link, webhooks of a system that does not answer.
    pub fn skipped(&self) -> impl Iterator<Item = Part> {
        Part::ALL.into_iter().filter(|part| !self.looked_at.contains(part))
    }

    fn add(&mut self, part: Part, findings: impl IntoIterator<Item = Finding>) {
        self.looked_at.push(part);
        self.findings.extend(findings);
    }

    fn has(&self, part: Part) -> bool {
        self.findings.iter().any(|finding| finding.part() == part && finding.severity() == Severity::Error)
    }
}

/// One line for each finding, or one that says that there is none.
impl fmt::Display for ConnectionReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return f.write_str("nothing was found");
        }
        let line = |finding: &Finding| {
            let word = if finding.severity() == Severity::Error { "error" } else { "warning" };
            format!("{word}: {finding}. What to do: {}", finding.advice())
        };
        f.write_str(&self.findings.iter().map(line).collect::<Vec<_>>().join("\n"))
    }
}

#[derive(Debug, Clone, Default)]
enum BitFacturaLogin {
    #[default]
    Unknown,
    Known(String),
    Asked(Box<Login>),
}

/// A check under way.
#[derive(Debug, Clone)]
#[must_use = "nothing is asked until `run`"]
pub struct ConnectionCheck<'c> {
    crm: &'c Client,
    billing: &'c bitfactura::Client,
    account: Option<AccountName>,
    sugester_login: String,
    bitfactura_login: BitFacturaLogin,
}

impl<'c> ConnectionCheck<'c> {
    /// Of these two.
    pub fn new(crm: &'c Client, billing: &'c bitfactura::Client) -> Self {
        let bitfactura_login = BitFacturaLogin::default();
        Self {
            crm,
            billing,
            account: crm.account().cloned(),
            sugester_login: String::new(),
            bitfactura_login,
        }
    }

    /// The account of Sugester that is to be linked; the one of its client unless set.
    pub fn account(mut self, account: AccountName) -> Self {
        self.account = Some(account);
        self
    }

    /// The user's login at Sugester, which no API tells: Sugester Settings > Users > Edit user > Login.
    pub fn sugester_login(mut self, login: impl Into<String>) -> Self {
        self.sugester_login = login.into();
        self
    }

    /// The user's login at BitFactura, as the caller knows it.
    pub fn bitfactura_login(mut self, login: impl Into<String>) -> Self {
        self.bitfactura_login = BitFacturaLogin::Known(login.into());
        self
    }

    /// Learns the user's login at BitFactura by logging in, and compares the account with that of the address.
    pub fn log_in(mut self, login: Login) -> Self {
        self.bitfactura_login = BitFacturaLogin::Asked(Box::new(login));
        self
    }

    /// Looks at everything that can be looked at. Nothing is written; what goes wrong is a finding.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.1, 4.8): every call of it only reads.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (crm, billing) = (kit.crm, kit.billing);
    /// use sugester::connection::ConnectionCheck;
    ///
    /// let report = ConnectionCheck::new(&crm, &billing).run().await;
    /// println!("ready: {}", report.is_ready());
    /// # Ok(()) });
    /// ```
    pub async fn run(self) -> ConnectionReport {
        let mut report = ConnectionReport::default();
        report.add(Part::Token, self.token());
        if !report.has(Part::Token) {
            report.add(Part::Sugester, unreachable(System::Sugester, self.crm.check_connection().await));
        }
        report.add(Part::BitFactura, unreachable(System::BitFactura, self.reach_billing().await));
        if !report.has(Part::BitFactura) {
            report.add(Part::Webhooks, webhooks(self.billing.inactive_webhooks().await));
        }
        report.add(Part::Logins, self.logins().await);
        report
    }

    fn token(&self) -> Option<Finding> {
        let token = self.crm.token();
        match &self.account {
            Some(account) => token.require_account(account).err().map(Finding::Token),
            None if token.prefix().is_none() => Some(Finding::Token(LinkTokenError::TokenWithoutPrefix)),
            None => Some(Finding::AccountUnknown),
        }
    }

    async fn reach_billing(&self) -> Result<(), Error> {
        self.billing.clients(&ClientQuery::new().per_page(1))?.next_page().await.map(drop)
    }

    async fn logins(self) -> Vec<Finding> {
        let login = match self.bitfactura_login {
            BitFacturaLogin::Unknown => String::new(),
            BitFacturaLogin::Known(login) => login,
            BitFacturaLogin::Asked(login) => match Box::pin(login.send()).await {
                Ok(told) => return told_logins(&told, self.billing.account(), &self.sugester_login),
                Err(error) if error.reason() == Some(Reason::MultipassFailed) => {
                    return vec![Finding::Logins(Multipass::Mismatch)];
                }
                Err(error) => return vec![Finding::LoginFailed(error)],
            },
        };
        compared(&login, &self.sugester_login).into_iter().collect()
    }
}

fn unreachable(system: System, asked: Result<(), Error>) -> Option<Finding> {
    let error = asked.err()?;
    Some(match error.kind() {
        ErrorKind::Authentication | ErrorKind::Forbidden => Finding::TokenRefused { system, error },
        _ if error.reason() == Some(Reason::NoAccount) => Finding::NoSuchAccount { system, error },
        _ => Finding::Unreachable { system, error },
    })
}

fn webhooks(listed: Result<Vec<Webhook>, Error>) -> Vec<Finding> {
    let off = |webhook: Webhook| {
        let kind = webhook.kind.map(|kind| kind.to_string()).unwrap_or_default();
        Finding::WebhookOff { id: webhook.id, kind }
    };
    listed
        .map_or_else(|error| vec![Finding::WebhooksUnseen(error)], |rows| rows.into_iter().map(off).collect())
}

fn told_logins(told: &LoggedIn, address: Option<&AccountName>, sugester: &str) -> Vec<Finding> {
    let login = told.login.as_deref().unwrap_or_default();
    elsewhere(told.prefix.as_deref(), address).into_iter().chain(compared(login, sugester)).collect()
}

fn elsewhere(login: Option<&str>, address: Option<&AccountName>) -> Option<Finding> {
    let (login, address) = (login?.trim(), address?);
    let differs = !login.is_empty() && !login.eq_ignore_ascii_case(address.as_str());
    differs.then(|| Finding::LoginElsewhere { login: login.to_owned(), address: address.clone() })
}

fn compared(bitfactura: &str, sugester: &str) -> Option<Finding> {
    match check_multipass(bitfactura, sugester) {
        Multipass::Match => None,
        said => Some(Finding::Logins(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_of_another_account_is_found_where_both_are_known() {
        let account: AccountName = "acme".parse().unwrap();
        let found = |login| elsewhere(login, Some(&account)).map(|finding| finding.to_string());
        assert_eq!([found(None), found(Some("")), found(Some("ACME "))], [None, None, None]);
        let said = found(Some("other")).unwrap();
        assert!(said.contains("other") && said.contains("acme"), "{said}");
        assert!(elsewhere(Some("other"), None).is_none());
    }
}
