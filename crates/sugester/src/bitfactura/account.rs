//! The account itself, and accounts that a partner makes (contract 3.6).

use integration_core::body::fields::Unreadable;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults, Secret};
use serde_json::Value;

use super::Client;
use crate::desk::Ask;
use crate::token::{AccountName, ApiToken};
use crate::value::{Extra, Fields, Tokens, extra};
use crate::wire::token;

const READ: Operation = Operation::get("read the account", "/account.json");
const CREATE: Operation = Operation::post("create an account", "/account.json", Idempotency::Once);

const ADD_USER: Operation = Operation::post("add a user", "/account/add_user.json", Idempotency::Once);
const REMOVE: Operation = Operation::post("delete the account", "/account/delete.json", Idempotency::Once);
const UNLINK: Operation = Operation::post("unlink the account", "/account/unlink.json", Idempotency::Once);

pub(super) const OPERATIONS: [Operation; 5] = [READ, CREATE, ADD_USER, REMOVE, UNLINK];

/// What may be done to an account (documented for sister brands). What each takes is not in the contract: it is sent as it is given,
/// beside the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountAction {
    /// `/account/add_user.json`
    AddUser,
    /// `/account/delete.json`: **deletes the whole account.**
    Delete,
    /// `/account/unlink.json`
    Unlink,
}

impl AccountAction {
    const fn operation(self) -> Operation {
        match self {
            Self::AddUser => ADD_USER,
            Self::Delete => REMOVE,
            Self::Unlink => UNLINK,
        }
    }
}

/// An account to be created by a partner.
#[derive(Debug, Clone)]
#[must_use]
pub struct NewAccount {
    prefix: AccountName,
    login: String,
    email: String,
    password: Secret,
    integration_token: Secret,
    account: Tokens,
    company: Tokens,
}

impl NewAccount {
    /// The wished name, its first user, and the partner's token.
    pub fn new(
        prefix: AccountName,
        login: impl Into<String>,
        email: impl Into<String>,
        password: impl Into<Secret>,
        integration_token: impl Into<Secret>,
    ) -> Self {
        Self {
            prefix,
            login: login.into(),
            email: email.into(),
            password: password.into(),
            integration_token: integration_token.into(),
            account: Tokens::new(),
            company: Tokens::new(),
        }
    }

    /// A further field of `account`: `lang`, `integration_fast_login`, `integration_logout_url`.
    pub fn account_field(mut self, name: impl Into<String>, value: &serde_json::Value) -> Self {
        self.account.insert(name.into(), token(value));
        self
    }

    /// A field of `company`.
    pub fn company_field(mut self, name: impl Into<String>, value: &serde_json::Value) -> Self {
        self.company.insert(name.into(), token(value));
        self
    }

    fn ask(&self) -> Ask {
        let mut account = self.account.clone();
        account.insert("prefix".to_owned(), token(self.prefix.as_str()));
        let user =
            [("login", self.login.as_str()), ("email", &self.email), ("password", self.password.reveal())];
        let user: Tokens = user.into_iter().map(|(key, text)| (key.to_owned(), token(text))).collect();
        let ask = Ask::new(CREATE).wrapped("account", &account).wrapped("user", &user);
        let ask = ask.field("integration_token", token(self.integration_token.reveal()));
        let ask = if self.company.is_empty() { ask } else { ask.wrapped("company", &self.company) };
        ask.secret(&self.password).secret(&self.integration_token)
    }

    fn check(&self) -> Result<(), Error> {
        let mut faults = Faults::new();
        for (path, text) in [("user.login", &self.login), ("user.email", &self.email)] {
            if text.trim().is_empty() {
                faults.push(Fault::error("REQUIRED", path).with_expected("a text"));
            }
        }
        faults.into_result(CREATE.name).map(drop)
    }
}

/// An account that was made.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct AccountMade {
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
}

fn made(token: Box<serde_json::value::RawValue>) -> Result<AccountMade, Unreadable> {
    let mut fields = Fields::of(token, "account")?;
    let text = fields.text("api_token")?.filter(|text| !text.is_empty());
    let api_token = text.map(|text| ApiToken::parse(&text)).transpose();
    let prefix = Some(fields.required("prefix")?);
    Ok(AccountMade {
        prefix,
        api_token: api_token.map_err(|_| Unreadable::new("api_token", "a token"))?,
        url: fields.text("url")?,
        login: fields.text("login")?,
        email: fields.text("email")?,
    })
}

/// The texts under names that mean a secret, however deep. The reader that made the value bounds its depth.
fn secrets_in(name: &str, value: &Value) -> Vec<Secret> {
    match value {
        Value::String(text) if name.contains("password") || name.contains("token") => vec![Secret::new(text)],
        Value::Object(fields) => fields.iter().flat_map(|(name, value)| secrets_in(name, value)).collect(),
        Value::Array(items) => items.iter().flat_map(|item| secrets_in(name, item)).collect(),
        _ => Vec::new(),
    }
}

impl Client {
    /// What the service tells of the account, as it comes.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.6).
    ///
    /// # Errors
    /// As every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// let account = billing.read_account().await?;
    /// println!("{account:?}");
    /// # Ok(()) });
    /// ```
    pub async fn read_account(&self) -> Result<Extra, Error> {
        self.desk.ask(Ask::new(READ), |token| Fields::of(token, "account").map(extra)).await
    }

    /// Creates an account, as a partner. Sent once.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// A validation error without login or e-mail; a refusal; and as every call. No error shows password or tokens.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::NewAccount;
    ///
    /// let wish = NewAccount::new("acme".parse()?, "ana", "ana@example.com", "a good password", "the partner's token");
    /// let made = billing.create_account(&wish).await?;
    /// println!("{made:?}"); // no password, no token
    /// # Ok(()) });
    /// ```
    pub async fn create_account(&self, account: &NewAccount) -> Result<AccountMade, Error> {
        account.check()?;
        self.desk.ask(account.ask(), made).await
    }

    /// Does something to the account, with these fields. Sent once. What stands under `password` or a token's name is in no error.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3.6).
    ///
    /// # Errors
    /// A refusal; and as every call.
    ///
    /// ```no_run
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let billing = kit.billing;
    /// use sugester::bitfactura::AccountAction;
    /// use sugester::value::Extra;
    ///
    /// billing.change_account(AccountAction::Unlink, &Extra::default()).await?;
    /// # Ok(()) });
    /// ```
    pub async fn change_account(&self, action: AccountAction, fields: &Extra) -> Result<(), Error> {
        let ask = Ask::new(action.operation());
        let ask = fields.tokens().fold(ask, |ask, (name, value)| ask.field(name, value.clone()));
        let values = fields.iter().filter_map(|(name, _)| Some((name, fields.value(name)?)));
        let secrets: Vec<_> = values.flat_map(|(name, value)| secrets_in(name, &value)).collect();
        self.desk.act(secrets.iter().fold(ask, Ask::secret)).await
    }
}
