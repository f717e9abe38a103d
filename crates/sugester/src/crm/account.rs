//! Accounts that a partner makes (contract 3.1). Neither password nor token is printed.

use integration_core::body::fields::Unreadable;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults, Secret};
use serde_json::value::RawValue;

use crate::client::Client;
use crate::desk::Ask;
use crate::token::{AccountName, ApiToken};
use crate::value::{Extra, Fields, Tokens, extra};
use crate::wire::{token, unwrapped};

pub(super) const CREATE: Operation =
    Operation::post("create an account of Sugester", "/account.json", Idempotency::Once);

/// An account to be created by a partner, with its first user.
///
/// ```
/// use sugester::crm::NewPartnerAccount;
///
/// let account = NewPartnerAccount::new("acme".parse()?, "ana", "ana@example.com", "a password").initial_module("crm");
/// # Ok::<(), sugester::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct NewPartnerAccount {
    prefix: AccountName,
    login: String,
    email: String,
    password: Secret,
    initial_module: Option<String>,
    from_partner: Option<String>,
}

impl NewPartnerAccount {
    /// The wished name, and login, e-mail and password of its first user.
    pub fn new(
        prefix: AccountName,
        login: impl Into<String>,
        email: impl Into<String>,
        password: impl Into<Secret>,
    ) -> Self {
        Self {
            prefix,
            login: login.into(),
            email: email.into(),
            password: password.into(),
            initial_module: None,
            from_partner: None,
        }
    }

    /// `initial_module`
    pub fn initial_module(mut self, module: impl Into<String>) -> Self {
        self.initial_module = Some(module.into());
        self
    }

    /// `from_partner`
    pub fn from_partner(mut self, partner: impl Into<String>) -> Self {
        self.from_partner = Some(partner.into());
        self
    }

    fn ask(&self) -> Result<Ask, Error> {
        self.check()?;
        let account = [
            ("prefix", Some(self.prefix.as_str())),
            ("initial_module", self.initial_module.as_deref()),
            ("from_partner", self.from_partner.as_deref()),
        ];
        let user = [
            ("login", Some(self.login.as_str())),
            ("email", Some(self.email.as_str())),
            ("password", Some(self.password.reveal())),
        ];
        let ask = Ask::new(CREATE).wrapped("account", &texts(account)).wrapped("user", &texts(user));
        Ok(ask.secret(&self.password))
    }

    fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        let texts = [
            ("user.login", self.login.as_str()),
            ("user.email", &self.email),
            ("user.password", self.password.reveal()),
        ];
        for (path, _) in texts.into_iter().filter(|(_, text)| text.trim().is_empty()) {
            faults.push(Fault::error("REQUIRED", path).with_expected("a text that is not blank"));
        }
        faults.into_result(CREATE.name).map(drop)
    }
}

fn texts(fields: [(&str, Option<&str>); 3]) -> Tokens {
    let given = fields.into_iter().filter_map(|(key, text)| Some((key.to_owned(), token(text?))));
    given.collect()
}

/// An account that was made. What the service answers is not documented; what it tells beyond these names is in `extra`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PartnerAccount {
    /// `id`
    pub id: Option<u64>,
    /// `prefix`: the account's name, which may differ from the wish.
    pub prefix: Option<String>,
    /// `api_token`
    pub api_token: Option<ApiToken>,
    /// `url`
    pub url: Option<String>,
    /// `login`
    pub login: Option<String>,
    /// `email`
    pub email: Option<String>,
    /// Everything else, token for token.
    pub extra: Extra,
}

fn made(answer: Box<RawValue>) -> Result<PartnerAccount, Unreadable> {
    let mut fields = Fields::of(unwrapped(answer, "account")?, "account")?;
    let (id, prefix) = (fields.id("id"), fields.text("prefix")?);
    if id.is_none() && prefix.is_none() {
        return Err(Unreadable::new("account.prefix", "there"));
    }
    let api_token = fields.text("api_token")?.filter(|text| !text.is_empty());
    let api_token = api_token.map(|text| ApiToken::parse(&text)).transpose();
    Ok(PartnerAccount {
        id,
        prefix,
        api_token: api_token.map_err(|_| Unreadable::new("api_token", "a token"))?,
        url: fields.text("url")?,
        login: fields.text("login")?,
        email: fields.text("email")?,
        extra: extra(fields),
    })
}

impl Client {
    /// Creates an account, as a partner. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.1).
    ///
    /// # Errors
    /// A validation error without login, e-mail or password; a refusal; and as every call. No error shows the password or a token.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let crm = kit.crm;
    /// use sugester::crm::NewPartnerAccount;
    ///
    /// let wish = NewPartnerAccount::new("acme".parse()?, "ana", "ana@example.com", "a good password");
    /// let made = crm.create_partner_account(&wish).await?;
    /// println!("{made:?}"); // without the token
    /// # Ok(()) });
    /// ```
    pub async fn create_partner_account(&self, account: &NewPartnerAccount) -> Result<PartnerAccount, Error> {
        self.desk.ask(account.ask()?, made).await
    }
}
