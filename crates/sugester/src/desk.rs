//! The one way in which either service is called (contract 2.1, 2.2 and 2.4).
//!
//! The rules enforced here: the token stands in the body of what has one and in the query of everything else, and in no error, log or
//! address that anybody sees; a `GET` is tried three times at most, everything else once; no more than two calls at once; a token goes to
//! the host of its account, decided before anything is sent.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Method, header};
use integration_core::body::fields::Unreadable;
use integration_core::body::page::{Page, Pages};
use integration_core::call::{
    Authorization, BaseUrl, Call, Caller, CallerBuilder, Env, Lane, Operation, RetryPolicy, Timeouts,
};
use integration_core::{Error, Fault, Secret};
use serde_json::value::RawValue;

use crate::error::Judge;
use crate::token::{AccountName, ApiToken, LinkTokenError};
use crate::value::Tokens;
use crate::wire::{self, Record, token};

/// Contract 2.4: connecting 10 s, a call 30 s. The whole has time for three attempts and two hints of 120 s.
const TIMEOUTS: Timeouts =
    Timeouts::new(Duration::from_secs(10), Duration::from_secs(330)).with_attempt(Duration::from_secs(30));
/// Contract 2.4: after connect and reset, 429, 502 to 504; silence is not among them. Hints up to 120 s.
const RETRIES: RetryPolicy =
    RetryPolicy::new().with_max_hint(Duration::from_secs(120)).with_repeat_after_timeout(false);
const CALLS_AT_ONCE: usize = 2;
const MOST_PAGES: u32 = 1000;
const LARGEST_PAGE: u32 = 100;
/// A hundred invoices with their positions are more than the core's 1 MiB.
const BODY_LIMIT: usize = 16 * 1024 * 1024;

/// Where the token goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum AuthMode {
    /// In the body of `POST` and `PUT`, in the query of everything else (documented).
    #[default]
    QueryAndBody,
    /// In the header `Authorization: Bearer` (documented for sister brands of BitFactura alone).
    Bearer,
}

/// What a client of either service is set up with.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) root: Option<BaseUrl>,
    pub(crate) account: Option<AccountName>,
    pub(crate) domain: String,
    pub(crate) token: Option<ApiToken>,
    pub(crate) mode: AuthMode,
    pub(crate) calls_at_once: usize,
    pub(crate) gap: Duration,
    pub(crate) per_page: u32,
}

impl Plan {
    pub(crate) fn new(domain: &str) -> Self {
        Self {
            root: None,
            account: None,
            domain: domain.to_owned(),
            token: None,
            mode: AuthMode::default(),
            calls_at_once: CALLS_AT_ONCE,
            gap: Duration::ZERO,
            per_page: LARGEST_PAGE,
        }
    }

    /// Reads base URL and token of `prefix`; every fault is noted.
    #[allow(clippy::wrong_self_convention)] // The half of the clients' `from_env` that both have.
    pub(crate) fn from_env(&mut self, env: &mut Env<'_>, prefix: &str) -> integration_core::call::Settings {
        let settings = env.settings(prefix);
        let (url, secret) = (format!("{prefix}_BASE_URL"), format!("{prefix}_API_TOKEN"));
        if settings.base_url.is_none() && env.optional(&url).is_none() {
            _ = env.required(&url, "the root of the account, such as https://ACCOUNT.example.com");
        }
        let text = env.required_secret(&secret, "the account's API token");
        if !text.is_empty() {
            self.token =
                ApiToken::parse(text.reveal()).map_err(|error| env.fault(token_fault(&secret, &error))).ok();
        }
        self.root = settings.base_url.clone();
        settings
    }

    /// The desk for the paths below `below`; nothing is sent.
    ///
    /// # Errors
    /// A configuration error without an address or token, or if the token is for another account.
    pub(crate) fn open(self, caller: CallerBuilder, below: &str) -> Result<Desk, Error> {
        let missing = |what| Error::configuration(what, "call it on the builder, or use `Client::from_env`");
        let root = self.root()?.ok_or_else(|| missing("the client has no `base_url` and no `account`"))?;
        let account = self.account.or_else(|| AccountName::in_host(root.host()));
        let token = self.token.ok_or_else(|| missing("the client has no `token`"))?;
        check_account(&token, account.as_ref())?;
        check_page_size(self.per_page)?;
        if !below.is_empty() && root.join("").path().trim_end_matches('/').ends_with(below) {
            let hint = format!("give the root; `{below}` is added");
            return Err(Error::configuration("the base URL names the path that is added to it", hint));
        }
        let base = BaseUrl::parse(root.join(below).as_str())?;
        let lane = Lane::new(self.calls_at_once.max(1)).with_gap(self.gap);
        let caller = caller.base(base).build()?;
        let (mode, per_page) = (self.mode, self.per_page);
        let in_query = OnceLock::new();
        Ok(Desk(Arc::new(Parts { caller, root, account, token, mode, in_query, lane, per_page }), None))
    }

    fn root(&self) -> Result<Option<BaseUrl>, Error> {
        match (&self.root, &self.account) {
            (Some(root), _) => Ok(Some(root.clone())),
            (None, Some(account)) => host(account, &self.domain).map(Some),
            (None, None) => Ok(None),
        }
    }
}

pub(crate) fn caller_defaults() -> CallerBuilder {
    CallerBuilder::default()
        .timeouts(TIMEOUTS)
        .retry(RETRIES)
        .body_limit(BODY_LIMIT)
        .user_agent(concat!("sugester/", env!("CARGO_PKG_VERSION")))
}

/// `https://ACCOUNT.DOMAIN`; neither can bring another host about.
fn host(account: &AccountName, domain: &str) -> Result<BaseUrl, Error> {
    let label = |label: &str| {
        !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    if !domain.contains('.') || !domain.split('.').all(label) {
        let hint = "give the brand's domain alone, such as bitfactura.com";
        return Err(Error::configuration("the domain cannot be used", hint));
    }
    BaseUrl::parse(&format!("https://{account}.{domain}"))
}

/// Contract 2.2: a token without a prefix will do, one with the prefix of another account will not.
fn check_account(token: &ApiToken, account: Option<&AccountName>) -> Result<(), Error> {
    match account.map(|account| token.require_account(account)) {
        Some(Err(refused @ LinkTokenError::TokenPrefixMismatch { .. })) => {
            Err(Error::from(refused).with_operation("configure"))
        }
        _ => Ok(()),
    }
}

/// Contract 4.7.
pub(crate) fn check_page_size(per_page: u32) -> Result<(), Error> {
    if (1..=LARGEST_PAGE).contains(&per_page) {
        return Ok(());
    }
    let fault = Fault::error("PAGE", "per_page").with_expected("1 to 100").with_actual(per_page.to_string());
    Err(Error::validation("list", vec![fault]))
}

fn token_fault(name: &str, error: &Error) -> Fault {
    let hint = error.faults().first().map(|fault| fault.hint().to_owned()).unwrap_or_default();
    Fault::error("ENV", name).with_hint(hint)
}

/// The setters that the builders of both clients have, over their field `plan`.
macro_rules! plan_setters {
    () => {
        /// Where the service is: the root of the account, such as `https://ACCOUNT.example.com`.
        pub fn base_url(mut self, root: integration_core::call::BaseUrl) -> Self {
            self.plan.root = Some(root);
            self
        }

        /// The account. It makes the address if no [`base_url`](Self::base_url) was given, and otherwise says whose the address is,
        /// where its host does not tell.
        pub fn account(mut self, account: $crate::AccountName) -> Self {
            self.plan.account = Some(account);
            self
        }

        /// The domain of another brand, below which [`account`](Self::account) stands.
        pub fn domain(mut self, domain: impl Into<String>) -> Self {
            self.plan.domain = domain.into();
            self
        }

        /// The account's token; needed.
        pub fn token(mut self, token: $crate::ApiToken) -> Self {
            self.plan.token = Some(token);
            self
        }

        /// How many calls may be under way at once; 2 unless set (assumed, contract 2.4). Clones of the client count together, other
        /// clients of the same account do not.
        pub fn calls_at_once(mut self, calls: usize) -> Self {
            self.plan.calls_at_once = calls;
            self
        }

        /// The least time between the starts of two calls; none unless set.
        pub fn minimum_gap(mut self, gap: std::time::Duration) -> Self {
            self.plan.gap = gap;
            self
        }

        /// How many records a page has, 1 to 100; 100 unless set (contract 4.7).
        pub fn per_page(mut self, records: u32) -> Self {
            self.plan.per_page = records;
            self
        }
    };
}

pub(crate) use plan_setters;

/// Address, token and limits of one account, and what its calls are limited to, where that was said for this clone.
#[derive(Clone)]
pub(crate) struct Desk(Arc<Parts>, Option<Duration>);

struct Parts {
    caller: Caller,
    root: BaseUrl,
    account: Option<AccountName>,
    token: ApiToken,
    mode: AuthMode,
    /// The token in a query, made at the first call that has it there.
    in_query: OnceLock<Authorization>,
    lane: Lane,
    per_page: u32,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Parts { caller, token, mode, .. } = &*self.0;
        f.debug_struct("Desk").field("base", caller.base()).field("token", token).field("mode", mode).finish()
    }
}

/// A call before it is made.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    operation: Operation,
    call: Call,
    body: Option<Tokens>,
    may_be_empty: bool,
    at_root: bool,
    names_nobody: bool,
}

impl Ask {
    pub(crate) fn new(operation: Operation) -> Self {
        let call = Call::new(operation.clone());
        Self { operation, call, body: None, may_be_empty: false, at_root: false, names_nobody: false }
    }

    /// The record in the path.
    pub(crate) fn id(mut self, id: u64) -> Self {
        self.names_nobody = id == 0;
        self.map(|call| call.param("id", id))
    }

    pub(crate) fn query(self, name: impl Into<String>, value: impl fmt::Display) -> Self {
        self.map(|call| call.query(name, value))
    }

    /// A field of the body, beside the token.
    pub(crate) fn field(mut self, name: &str, value: Box<RawValue>) -> Self {
        self.body.get_or_insert_default().insert(name.to_owned(), value);
        self
    }

    /// Fields of the body under the name of their record.
    pub(crate) fn wrapped(self, wrapper: &str, fields: &Tokens) -> Self {
        self.field(wrapper, token(fields))
    }

    /// A secret in the body beside the token.
    pub(crate) fn secret(self, secret: &Secret) -> Self {
        self.map(|call| call.with_secret(secret.clone()))
    }

    /// Its answer brings nothing.
    pub(crate) fn may_be_empty(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// Its path is below the root of the host.
    pub(crate) fn at_root(mut self) -> Self {
        self.at_root = true;
        self
    }

    pub(crate) fn map(mut self, change: impl FnOnce(Call) -> Call) -> Self {
        self.call = change(self.call);
        self
    }
}

impl Desk {
    pub(crate) fn caller(&self) -> &Caller {
        &self.0.caller
    }

    /// The root of the account's host.
    pub(crate) fn root(&self) -> &BaseUrl {
        &self.0.root
    }

    pub(crate) fn account(&self) -> Option<&AccountName> {
        self.0.account.as_ref()
    }

    pub(crate) fn token(&self) -> &ApiToken {
        &self.0.token
    }

    pub(crate) fn per_page(&self) -> u32 {
        self.0.per_page
    }

    /// The same with this limit for every call, be it one attempt or several.
    pub(crate) fn with_timeout(&self, limit: Duration) -> Self {
        Self(self.0.clone(), Some(limit))
    }

    pub(crate) fn judge<'j>(&'j self, operation: &'j Operation, may_be_empty: bool) -> Judge<'j> {
        Judge { operation, clock: &**self.0.caller.clock(), may_be_empty }
    }

    /// Makes a call and reads the JSON of its success.
    pub(crate) async fn ask<T>(
        &self,
        ask: Ask,
        read: impl Fn(Box<RawValue>) -> Result<T, Unreadable>,
    ) -> Result<T, Error> {
        let call = self.dressed(&ask)?;
        let judge = self.judge(&ask.operation, ask.may_be_empty);
        Ok(self.0.caller.call(&call, |answer| judge.whole(answer, &read)).await?.value)
    }

    /// Makes a call that answers with a record.
    pub(crate) async fn record<T: Record>(&self, ask: Ask) -> Result<T, Error> {
        let call = self.dressed(&ask)?;
        let judge = self.judge(&ask.operation, ask.may_be_empty);
        Ok(self.0.caller.call(&call, |answer| judge.record(answer)).await?.value)
    }

    /// Makes a call whose answer brings nothing.
    pub(crate) async fn act(&self, ask: Ask) -> Result<(), Error> {
        self.ask(ask.may_be_empty(), wire::done).await
    }

    /// What every call has: the token, its place among the others, and whether it may be repeated.
    pub(crate) fn dressed(&self, ask: &Ask) -> Result<Call, Error> {
        if ask.names_nobody {
            let fault =
                Fault::error("ID", "id").with_expected("the id of a record, above 0").with_actual("0");
            return Err(Error::validation(ask.operation.name, vec![fault]));
        }
        let Parts { lane, token, root, .. } = &*self.0;
        let call = ask.call.clone().in_lane(lane).with_secret_answer();
        let call = if ask.at_root { call.to(root.clone()) } else { call };
        let call = token.secrets().into_iter().fold(call, Call::with_secret);
        let call = self.signed(call, ask.body.clone())?;
        let call = match self.1 {
            Some(limit) => call.timeouts(Timeouts::new(self.caller().timeouts().connect(), limit)),
            None => call,
        };
        Ok(if ask.operation.method == Method::GET { call } else { call.retry(RetryPolicy::never()) })
    }

    fn in_query(&self) -> Result<Authorization, Error> {
        if let Some(made) = self.0.in_query.get() {
            return Ok(made.clone());
        }
        let made = Authorization::in_query("api_token", self.0.token.secret().clone())?;
        Ok(self.0.in_query.get_or_init(|| made).clone())
    }

    fn signed(&self, call: Call, body: Option<Tokens>) -> Result<Call, Error> {
        let secret = self.0.token.secret();
        let call = call.header(header::CONTENT_TYPE, "application/json");
        Ok(match (self.0.mode, body) {
            (AuthMode::Bearer, body) => {
                let call = call.authorized(Authorization::bearer(secret.clone())?);
                body.into_iter().fold(call, |call, body| call.json(json(&body)))
            }
            (AuthMode::QueryAndBody, None) => call.authorized(self.in_query()?),
            (AuthMode::QueryAndBody, Some(mut body)) => {
                body.insert("api_token".to_owned(), token(secret.reveal()));
                call.json(json(&body))
            }
        })
    }

    /// A list, page by page; `is_last` tells from the length of a page whether it ends the list.
    pub(crate) fn pages<T: Record>(
        &self,
        question: Ask,
        per_page: u32,
        is_last: fn(usize, u32) -> bool,
    ) -> Pages<T> {
        let (desk, name) = (self.clone(), question.operation.name);
        let turn = move |number| {
            let question = question.clone().query("page", number).query("per_page", per_page);
            let desk = desk.clone();
            async move {
                let items = desk.ask(question, wire::read_list).await?;
                let has_next = !is_last(items.len(), per_page);
                Ok(Page::new(number, items, has_next))
            }
        };
        Pages::numbered(name, turn, |item: &T| item.id()).at_most(MOST_PAGES)
    }
}

fn json(body: &Tokens) -> String {
    token(body).get().to_owned()
}

/// Contract 4.7: a short page is the last one, unless it has one of the lengths of a service that ignores `per_page`.
pub(crate) fn short_page_ends(length: usize, per_page: u32) -> bool {
    let is_short = u32::try_from(length).is_ok_and(|length| length < per_page);
    is_short && !matches!(length, 25 | 50)
}

/// Sugester's lists: a short page says nothing.
pub(crate) fn only_an_empty_page_ends(_: usize, _: u32) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_page_ends_a_list_unless_the_size_may_have_been_ignored() {
        let ends = |length| short_page_ends(length, 100);
        assert_eq!(
            [0, 24, 25, 26, 49, 50, 51, 99, 100, 101].map(ends),
            [true, true, false, true, true, false, true, true, false, false]
        );
        assert!(!short_page_ends(25, 25) && short_page_ends(24, 25) && !short_page_ends(25, 30));
    }

    #[test]
    fn hosts_are_made_of_an_account_and_a_domain_and_nothing_else() {
        let account: AccountName = "acme".parse().unwrap();
        assert_eq!(host(&account, "fakturownia.pl").unwrap().to_string(), "https://acme.fakturownia.pl");
        for bad in ["", "pl", "a.b/c", "a.b:1", "x@a.b", "a..b", ".a.b", "a.b?", "a.b#"] {
            assert!(host(&account, bad).is_err(), "{bad}");
        }
    }
}
