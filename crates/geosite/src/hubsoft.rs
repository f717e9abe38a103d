//! Look-ups in HubSoft's public API (contract 2.4 and 3.5; documented unless marked). It can only read.
//!
//! The rules enforced here: `status` has to be `success`, whatever the HTTP status says; pages run from 0 to the last inclusive;
//! `senha` and `senhas` are never deserialised: an answer is read straight into the fields below, and what nobody knows is not kept,
//! since it may be one of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use integration_core::body::open::Unlisted;
use integration_core::body::page::{Page, Pages};
use integration_core::call::{
    Authorization, BaseUrl, Call, Caller, CallerBuilder, Idempotency, Lane, Login, Operation, Session,
    Ticket, Timeouts, Verdict,
};
use integration_core::{Answer, BoxFuture, Error, Fault, Secret, open_enum};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::document::{CustomerKey, Document};
use crate::error::{Problem, Route, keys};
use crate::wire::{self, Refused};

const LOG_IN: Operation = Operation::post("log in to HubSoft", "/oauth/token", Idempotency::Keyed);
const SEARCH: Operation = Operation::get("look for customers in HubSoft", "/api/v1/integracao/cliente");
const ALL: Operation = Operation::get("list customers of HubSoft", "/api/v1/integracao/cliente/todos");
const BOXES: Operation = Operation::get("list boxes of HubSoft", "/api/v1/integracao/rede/caixa_optica");

pub(crate) const OPERATIONS: [Operation; 4] = [LOG_IN, SEARCH, ALL, BOXES];

const TIMEOUTS: Timeouts =
    Timeouts::new(Duration::from_secs(10), Duration::from_secs(60)).with_attempt(Duration::from_secs(30));
/// A page holds up to 500 customers with all their services.
const BODY_LIMIT: usize = 32 * 1024 * 1024;
const MARGIN: Duration = Duration::from_secs(5 * 60);
/// Documented.
const LIFE: Duration = Duration::from_secs(2_592_000);
const PAUSE: Duration = Duration::from_secs(30);

/// What the password grant needs. `Debug` shows the number of the client alone.
#[derive(Clone)]
#[allow(clippy::exhaustive_structs)]
pub struct Account {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: Secret,
    /// `username`
    pub username: String,
    /// `password`
    pub password: Secret,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Account").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// A client of HubSoft that can only read; cheap to clone.
///
/// ```no_run
/// # async fn run() -> Result<(), geosite::Error> {
/// use geosite::hubsoft::{Account, By, HubSoft};
///
/// let account = Account {
///     client_id: "12".into(),
///     client_secret: "…".into(),
///     username: "api@provedor.example".into(),
///     password: "…".into(),
/// };
/// let hub = HubSoft::builder(geosite::BaseUrl::parse("https://api.provedor.hubsoft.com.br")?, account).build()?;
/// for customer in hub.search(By::CpfCnpj, "529.982.247-25").await? {
///     println!("{} {:?}", customer.id, customer.keys());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HubSoft {
    caller: Caller,
    lane: Lane,
}

/// Sets a [`HubSoft`] up.
#[derive(Debug, Clone)]
#[must_use]
pub struct HubSoftBuilder {
    base: BaseUrl,
    account: Account,
    caller: CallerBuilder,
}

impl HubSoftBuilder {
    integration_core::caller_setters!(caller);

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// A validation error that names what is empty, or a configuration error if this machine's TLS cannot be set up.
    pub fn build(self) -> Result<HubSoft, Error> {
        let Account { client_id, client_secret, username, password } = &self.account;
        let parts = [
            (client_id.is_empty(), "client_id"),
            (client_secret.is_empty(), "client_secret"),
            (username.is_empty(), "username"),
            (password.is_empty(), "password"),
        ];
        let fault = |(empty, path): (bool, &'static str)| {
            empty.then(|| Fault::error("CONFIG", path).with_expected("there"))
        };
        let faults: Vec<Fault> = parts.into_iter().filter_map(fault).collect();
        if !faults.is_empty() {
            return Err(
                Error::validation("configure", faults).with_hint("HubSoft hands all four out together")
            );
        }
        let anonymous = self.caller.base(self.base).build()?;
        let clock = anonymous.clock().clone();
        let login = PasswordGrant { caller: anonymous.clone(), account: self.account };
        let session = Session::new(login, clock, MARGIN).pause_after_failure(PAUSE);
        Ok(HubSoft { caller: anonymous.with_credentials(Arc::new(session)), lane: Lane::new(4) })
    }
}

/// H1.
#[derive(Debug)]
struct PasswordGrant {
    caller: Caller,
    account: Account,
}

impl Login for PasswordGrant {
    fn log_in<'a>(&'a self, _: Option<&'a Ticket>) -> BoxFuture<'a, Result<Ticket, Error>> {
        Box::pin(self.ask())
    }
}

impl PasswordGrant {
    async fn ask(&self) -> Result<Ticket, Error> {
        let Account { client_id, client_secret, username, password } = &self.account;
        let body = serde_json::json!({
            "grant_type": "password",
            "client_id": client_id,
            "client_secret": client_secret.reveal(),
            "username": username,
            "password": password.reveal(),
        });
        let call = Call::new(LOG_IN).json(body.to_string());
        let call = call.with_secret(password.clone()).with_secret(client_secret.clone()).with_secret_answer();
        let (route, clock) = (route(&LOG_IN), self.caller.clock().clone());
        let judge = |answer: &Answer| match route.whole(answer, &*clock, |value| granted(&value)) {
            Verdict::Unauthorized(error) => Verdict::Refuse(error),
            verdict => verdict,
        };
        let (token, life) = self.caller.call(&call, judge).await?.value;
        // Whatever a later answer repeats of the login is not shown either.
        let authorization = Authorization::bearer(token)?.with_secret(password.clone());
        Ok(Ticket::new(authorization.with_secret(client_secret.clone()), life))
    }
}

fn granted(value: &Value) -> Result<(Secret, Duration), Problem> {
    let token = value.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty());
    let life = value.get("expires_in").and_then(|life| wire::integer(life).ok()?);
    let life = life.and_then(|seconds| u64::try_from(seconds).ok()).map_or(LIFE, Duration::from_secs);
    token.map(|token| (Secret::new(token), life)).ok_or(Problem::LoginShape)
}

/// By what customers are looked for (`busca`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum By {
    /// `nome_razaosocial`
    #[doc(alias = "nome_razaosocial")]
    Name,
    /// `nome_fantasia`
    #[doc(alias = "nome_fantasia")]
    TradeName,
    /// `cpf_cnpj`
    CpfCnpj,
    /// `codigo_cliente`
    #[doc(alias = "codigo_cliente")]
    Code,
    /// `telefone`
    #[doc(alias = "telefone")]
    Phone,
    /// `login_radius`
    #[doc(alias = "login_radius")]
    RadiusLogin,
    /// `ipv4`
    Ipv4,
    /// `mac`
    Mac,
    /// `id_cliente_servico`: the `contrato` of GeoSite.
    #[doc(alias = "id_cliente_servico")]
    Contract,
}

impl By {
    const fn wire(self) -> &'static str {
        match self {
            Self::Name => "nome_razaosocial",
            Self::TradeName => "nome_fantasia",
            Self::CpfCnpj => "cpf_cnpj",
            Self::Code => "codigo_cliente",
            Self::Phone => "telefone",
            Self::RadiusLogin => "login_radius",
            Self::Ipv4 => "ipv4",
            Self::Mac => "mac",
            Self::Contract => "id_cliente_servico",
        }
    }
}

/// Which customers are looked for (H2). `Debug` does not show the term, which is mostly personal.
///
/// ```
/// use geosite::hubsoft::{By, Inactive, OrderBy, Search, ServiceStatus};
///
/// let search = Search::new(By::Phone, "11 91234-5678")
///     .limit(20)
///     .cancelled(true)
///     .inactive(Inactive::Also)
///     .status(ServiceStatus::Enabled)
///     .order(OrderBy::Registered, true);
/// assert!(!format!("{search:?}").contains("91234"));
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Search {
    by: By,
    term: String,
    limit: u32,
    cancelled: Option<bool>,
    inactive: Option<Inactive>,
    status: Option<ServiceStatus>,
    order: Option<(OrderBy, bool)>,
}

/// What becomes of inactive customers in a [`Search`] (`inativo`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Inactive {
    /// Only they, `sim`.
    Only,
    /// Not they, `nao`.
    Never,
    /// They too, `todos`.
    Also,
}

/// By what a [`Search`] is ordered (`order_by`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OrderBy {
    /// `data_cadastro`
    #[doc(alias = "data_cadastro")]
    Registered,
    /// `data_fechamento`
    #[doc(alias = "data_fechamento")]
    Closed,
}

/// The vendor's greatest `limit`; its default is 5.
const FOUND: u32 = 100;

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").field("by", &self.by).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Search {
    /// Looks for one term, without anything that narrows it, and for at most 100 customers.
    pub fn new(by: By, term: impl Into<String>) -> Self {
        let term = term.into();
        Self { by, term, limit: FOUND, cancelled: None, inactive: None, status: None, order: None }
    }

    /// At most so many, 1 to 100 (`limit`).
    pub fn limit(mut self, limit: u32) -> Self {
        self.limit = limit;
        self
    }

    /// With cancelled services or without (`cancelado`); not said, it is up to HubSoft.
    pub fn cancelled(mut self, cancelled: bool) -> Self {
        self.cancelled = Some(cancelled);
        self
    }

    /// What becomes of inactive customers (`inativo`); not said, it is up to HubSoft.
    pub fn inactive(mut self, inactive: Inactive) -> Self {
        self.inactive = Some(inactive);
        self
    }

    /// Only services in this state (`servico_status`).
    pub fn status(mut self, status: ServiceStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// In this order, the newest first if `descending` (`order_by`, `order_type`).
    pub fn order(mut self, by: OrderBy, descending: bool) -> Self {
        self.order = Some((by, descending));
        self
    }

    fn faults(&self) -> Vec<Fault> {
        let fault = |code, path, expected| Fault::error(code, path).with_expected(expected);
        let term = self.term.trim().is_empty().then(|| fault("TERM", "termo_busca", "a term"));
        let range = !(1..=FOUND).contains(&self.limit);
        let limit = range.then(|| fault("LIMIT", "limit", "1 to 100").with_actual(self.limit.to_string()));
        term.into_iter().chain(limit).collect()
    }

    fn call(&self) -> Call {
        let call = Call::new(SEARCH).query("busca", self.by.wire()).query("termo_busca", self.term.trim());
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        pairs.extend(self.cancelled.map(|also| ("cancelado", if also { "sim" } else { "nao" })));
        pairs.extend(self.inactive.map(|inactive| ("inativo", inactive.wire())));
        pairs.extend(self.status.as_ref().map(|status| ("servico_status", status.as_str())));
        if let Some((by, descending)) = self.order {
            pairs.push(("order_by", by.wire()));
            pairs.push(("order_type", if descending { "desc" } else { "asc" }));
        }
        let call = call.query("limit", self.limit);
        pairs.into_iter().fold(call, |call, (name, value)| call.query(name, value))
    }
}

impl Inactive {
    const fn wire(self) -> &'static str {
        match self {
            Self::Only => "sim",
            Self::Never => "nao",
            Self::Also => "todos",
        }
    }
}

impl OrderBy {
    const fn wire(self) -> &'static str {
        match self {
            Self::Registered => "data_cadastro",
            Self::Closed => "data_fechamento",
        }
    }
}

/// A customer, without what nobody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias = "cliente")]
pub struct Customer {
    /// `id_cliente`
    #[doc(alias = "id_cliente")]
    pub id: u64,
    /// `cpf_cnpj` as it came; HubSoft's own samples hold numbers that are not valid.
    #[doc(alias = "cpf_cnpj")]
    pub document: Option<Document>,
    /// `servicos`
    #[doc(alias = "servicos")]
    pub services: Vec<Service>,
}

/// A service of a customer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// `id_cliente_servico`: the `contrato` of GeoSite.
    #[doc(alias = "id_cliente_servico")]
    pub contract: u64,
    /// `status_prefixo`
    #[doc(alias = "status_prefixo")]
    pub status: Option<ServiceStatus>,
    /// `porta_atendimento`, where it was asked for.
    #[doc(alias = "porta_atendimento")]
    pub port: Option<ServicePort>,
}

/// The port that a service is on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("porta de atendimento", "porta"))]
pub struct ServicePort {
    /// `numero`
    #[doc(alias = "numero")]
    pub number: Option<u32>,
    /// `equipamento`
    #[doc(alias = "equipamento")]
    pub equipment: Option<String>,
}

impl Customer {
    /// Document and contract of every service, if there is a document.
    #[must_use]
    pub fn keys(&self) -> Vec<CustomerKey> {
        let key = |service: &Service| {
            let document = self.document.clone()?;
            Some(CustomerKey { document, contract: service.contract })
        };
        self.services.iter().filter_map(key).collect()
    }
}

open_enum! {
    /// `status_prefixo`; values that are not listed are kept.
    ServiceStatus {
        /// `agendado_para_instalacao`
        #[doc(alias = "agendado_para_instalacao")]
        ScheduledForInstallation = "agendado_para_instalacao",
        /// `aguardando_assinatura_contrato`
        #[doc(alias = "aguardando_assinatura_contrato")]
        AwaitingSignature = "aguardando_assinatura_contrato",
        /// `aguardando_configuracao`
        #[doc(alias = "aguardando_configuracao")]
        AwaitingConfiguration = "aguardando_configuracao",
        /// `aguardando_instalacao`
        #[doc(alias = "aguardando_instalacao")]
        AwaitingInstallation = "aguardando_instalacao",
        /// `aguardando_liberacao_ti`
        #[doc(alias = "aguardando_liberacao_ti")]
        AwaitingRelease = "aguardando_liberacao_ti",
        /// `aguardando_migracao`
        #[doc(alias = "aguardando_migracao")]
        AwaitingMigration = "aguardando_migracao",
        /// `cancelado`
        #[doc(alias = "cancelado")]
        Cancelled = "cancelado",
        /// `franquia_excedida`
        #[doc(alias = "franquia_excedida")]
        AllowanceExceeded = "franquia_excedida",
        /// `inativo`
        #[doc(alias = "inativo")]
        Inactive = "inativo",
        /// `servico_habilitado`
        #[doc(alias = "servico_habilitado")]
        Enabled = "servico_habilitado",
        /// `suspenso_debito`
        #[doc(alias = "suspenso_debito")]
        SuspendedForDebt = "suspenso_debito",
        /// `suspenso_parcialmente`
        #[doc(alias = "suspenso_parcialmente")]
        PartlySuspended = "suspenso_parcialmente",
        /// `suspenso_pedido_cliente`
        #[doc(alias = "suspenso_pedido_cliente")]
        SuspendedOnRequest = "suspenso_pedido_cliente",
    }
}

/// A box as HubSoft knows it (H4).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[doc(alias("caixa optica", "caixa óptica"))]
pub struct OpticalBox {
    /// `id_caixa_optica`
    #[doc(alias = "id_caixa_optica")]
    pub id: u64,
    /// `nome`
    #[doc(alias = "nome")]
    pub name: Option<String>,
    /// `display`
    pub display: Option<String>,
}

/// Which customers are listed (H3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listing {
    /// Registered on this day or later, `data_inicio`.
    pub from: Option<jiff::civil::Date>,
    /// Registered on this day or earlier, `data_fim`.
    pub to: Option<jiff::civil::Date>,
    /// Cancelled services too, `cancelado=sim`.
    pub cancelled: bool,
    /// Only services in this state, `servico_status`.
    pub status: Option<ServiceStatus>,
    /// With the port of every service, `relacoes=porta_atendimento`.
    pub ports: bool,
}

impl HubSoft {
    /// Starts setting up a client of the HubSoft at `hub`, the root before `/api` and `/oauth`.
    pub fn builder(hub: BaseUrl, account: Account) -> HubSoftBuilder {
        let caller = CallerBuilder::default()
            .timeouts(TIMEOUTS)
            .body_limit(BODY_LIMIT)
            .user_agent(concat!("geosite/", env!("CARGO_PKG_VERSION")));
        HubSoftBuilder { base: hub, account, caller }
    }

    /// Looks for customers (H2) by one criterion, at most 100.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// # Errors
    /// As [`find`](Self::find).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let hub = kit.hub();
    /// use geosite::hubsoft::By;
    ///
    /// for customer in hub.search(By::CpfCnpj, "529.982.247-25").await? {
    ///     println!("{} {:?}", customer.id, customer.keys());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "cliente")]
    pub async fn search(&self, by: By, term: &str) -> Result<Vec<Customer>, Error> {
        self.find(&Search::new(by, term)).await
    }

    /// Looks for customers (H2). Safe to repeat.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// # Errors
    /// A validation error for an empty term and for a limit that is not 1 to 100, both at once and before anything is sent; what the
    /// call met; [`Problem::ApiRefused`], [`Problem::UnexpectedShape`].
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let hub = kit.hub();
    /// use geosite::hubsoft::{By, Search};
    ///
    /// for customer in hub.find(&Search::new(By::Phone, "11 91234-5678").limit(20).cancelled(true)).await? {
    ///     println!("{} {:?}", customer.id, customer.keys());
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn find(&self, search: &Search) -> Result<Vec<Customer>, Error> {
        let faults = search.faults();
        if !faults.is_empty() {
            return Err(Error::validation(SEARCH.name, faults).with_hint("nothing was sent"));
        }
        self.ask(SEARCH, search.call(), customers).await
    }

    /// Lists customers (H3), `per_page` (1 to 500) at a time, from page 0 to the last, which is among them.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let hub = kit.hub();
    /// use geosite::hubsoft::Listing;
    ///
    /// let mut pages = hub.customers(Listing::default(), 100);
    /// while let Some(page) = pages.next_page().await? {
    ///     println!("{} customers", page.items.len());
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "clientes")]
    pub fn customers(&self, listing: Listing, per_page: u32) -> Pages<Customer> {
        let client = self.clone();
        let per_page = per_page.clamp(1, 500);
        let ask = move |number: u32| {
            let (client, listing) = (client.clone(), listing.clone());
            async move { client.page(&listing, number, per_page).await }
        };
        Pages::new(ALL.name, ask, |customer: &Customer| Some(customer.id)).starting_at(0)
    }

    async fn page(&self, listing: &Listing, number: u32, per_page: u32) -> Result<Page<Customer>, Error> {
        let call = Call::new(ALL).query("pagina", number).query("itens_por_pagina", per_page);
        let read = |envelope: Envelope, about: &About<'_>| {
            let paging = envelope.paginacao.as_ref().ok_or_else(|| about.shape("there is no `paginacao`"))?;
            let last = wire::integer(&paging.ultima_pagina).ok().flatten();
            let last = last.ok_or_else(|| about.shape("`ultima_pagina` is no number"))?;
            let count = number_of(&paging.total_registros);
            Ok(Page::new(number, customers(envelope, about)?, i64::from(number) < last).with_count(count))
        };
        self.ask(ALL, listing.narrow(call), read).await
    }

    /// Lists the boxes (H4).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.5).
    ///
    /// # Errors
    /// As [`search`](Self::search).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let hub = kit.hub();
    /// println!("{} boxes", hub.optical_boxes().await?.len());
    /// # Ok(()) });
    /// ```
    #[doc(alias = "caixas opticas")]
    pub async fn optical_boxes(&self) -> Result<Vec<OpticalBox>, Error> {
        let read = |envelope: Envelope, about: &About<'_>| {
            let list =
                envelope.caixas_opticas.ok_or_else(|| about.shape("there is no list at `caixas_opticas`"))?;
            let boxes: Option<Vec<OpticalBox>> = list.iter().map(optical_box).collect();
            boxes.ok_or_else(|| about.shape("a box has no number"))
        };
        self.ask(BOXES, Call::new(BOXES), read).await
    }

    async fn ask<T>(
        &self,
        operation: Operation,
        call: Call,
        read: impl Fn(Envelope, &About<'_>) -> Result<T, Problem>,
    ) -> Result<T, Error> {
        let (route, clock) = (route(&operation), self.caller.clock().clone());
        let judge = |answer: &Answer| {
            if !answer.status().is_success() {
                return route.refused(answer, &*clock);
            }
            let about = About { route: &route, answer };
            match about.envelope().and_then(|envelope| read(envelope, &about)) {
                Ok(value) => Verdict::Accept(value),
                Err(problem @ Problem::ApiRefused { .. }) => Verdict::Refuse(route.error(problem)),
                Err(problem) => route.doubt(problem),
            }
        };
        // What stands in these answers beside what is read are passwords: no error keeps them.
        let call = call.in_lane(&self.lane).with_secret_answer();
        Ok(self.caller.call(&call, judge).await?.value)
    }
}

/// A 2xx that is being read.
struct About<'a> {
    route: &'a Route,
    answer: &'a Answer,
}

impl About<'_> {
    fn shape(&self, reason: &str) -> Problem {
        let names: BTreeMap<String, IgnoredAny> =
            serde_json::from_slice(self.answer.body()).unwrap_or_default();
        self.route.shape(keys(names.keys().map(String::as_str)), reason)
    }

    /// `status` is `success`, also spelled `suscess` in the vendor's samples.
    fn envelope(&self) -> Result<Envelope, Problem> {
        if !self.answer.is_complete() {
            return Err(self.shape("the answer is larger than the client's limit"));
        }
        // Texts that nobody reads are not looked at, and what is no UTF-8 is no JSON.
        let text = std::str::from_utf8(self.answer.body()).ok();
        if text.and_then(|text| serde_json::from_str::<IgnoredAny>(text).ok()).is_none() {
            return Err(self.route.unread(self.answer));
        }
        let envelope: Envelope = serde_json::from_slice(self.answer.body())
            .map_err(|_| self.shape("it is no object, or a row in it cannot be read"))?;
        match envelope.status.as_str() {
            Some("success" | "suscess") => Ok(envelope),
            Some(_) => {
                let message = envelope.msg.as_str().map(str::to_owned);
                Err(self.route.api_refused(self.answer, Refused { code: None, message }))
            }
            None => Err(self.shape("there is no `status`")),
        }
    }
}

impl Listing {
    fn narrow(&self, call: Call) -> Call {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        pairs.extend(self.from.map(|day| ("data_inicio", day.to_string())));
        pairs.extend(self.to.map(|day| ("data_fim", day.to_string())));
        pairs.extend(self.cancelled.then(|| ("cancelado", "sim".to_owned())));
        pairs.extend(self.status.as_ref().map(|status| ("servico_status", status.as_str().to_owned())));
        pairs.extend(self.ports.then(|| ("relacoes", "porta_atendimento".to_owned())));
        pairs.into_iter().fold(call, |call, (name, value)| call.query(name, value))
    }
}

fn route(operation: &Operation) -> Route {
    Route { operation: operation.name, text: format!("{} {}", operation.method, operation.path) }
}

fn customers(envelope: Envelope, about: &About<'_>) -> Result<Vec<Customer>, Problem> {
    let list = envelope.clientes.ok_or_else(|| about.shape("there is no list at `clientes`"))?;
    let customers: Option<Vec<Customer>> = list.into_iter().map(customer).collect();
    customers.ok_or_else(|| about.shape("a customer or a service has no number"))
}

/// The fields that are read; the rest, passwords among it, has no place to go to.
#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    status: Value,
    #[serde(default)]
    msg: Value,
    clientes: Option<Vec<CustomerRow>>,
    caixas_opticas: Option<Vec<BoxRow>>,
    paginacao: Option<PagingRow>,
}

#[derive(Deserialize)]
struct PagingRow {
    #[serde(default)]
    ultima_pagina: Value,
    #[serde(default)]
    total_registros: Value,
}

#[derive(Deserialize)]
struct CustomerRow {
    id_cliente: Value,
    #[serde(default)]
    cpf_cnpj: Value,
    #[serde(default)]
    servicos: Option<Vec<ServiceRow>>,
}

#[derive(Deserialize)]
struct ServiceRow {
    id_cliente_servico: Value,
    #[serde(default)]
    status_prefixo: Value,
    #[serde(default)]
    porta_atendimento: Option<PortRow>,
}

#[derive(Deserialize)]
struct PortRow {
    #[serde(default)]
    numero: Value,
    #[serde(default)]
    equipamento: Value,
}

#[derive(Deserialize)]
struct BoxRow {
    id_caixa_optica: Value,
    #[serde(default)]
    nome: Value,
    #[serde(default)]
    display: Value,
}

fn number_of(value: &Value) -> Option<u64> {
    u64::try_from(wire::integer(value).ok()??).ok()
}

fn text(value: &Value) -> Option<String> {
    wire::text(value).ok()?
}

fn customer(row: CustomerRow) -> Option<Customer> {
    let services: Option<Vec<Service>> = row.servicos.unwrap_or_default().into_iter().map(service).collect();
    let document = text(&row.cpf_cnpj).map(|text| Document::read(&text));
    Some(Customer { id: number_of(&row.id_cliente)?, document, services: services? })
}

fn service(row: ServiceRow) -> Option<Service> {
    let status = text(&row.status_prefixo).map(ServiceStatus::from);
    let port = row.porta_atendimento.map(|port| ServicePort {
        number: number_of(&port.numero).and_then(|number| u32::try_from(number).ok()),
        equipment: text(&port.equipamento),
    });
    Some(Service { contract: number_of(&row.id_cliente_servico)?, status, port })
}

fn optical_box(row: &BoxRow) -> Option<OpticalBox> {
    Some(OpticalBox {
        id: number_of(&row.id_caixa_optica)?,
        name: text(&row.nome),
        display: text(&row.display),
    })
}
