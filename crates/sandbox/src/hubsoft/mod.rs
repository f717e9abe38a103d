//! HubSoft's public API, as far as look-ups of customers need it (contract section 3.5).
//!
//! Its customers are those of the simulated [GeoSite](crate::geosite): the contract of one is the
//! `id_cliente_servico` of the other. Rows carry clear-text passwords, as the service's do, so that a test can look
//! for them in logs and stores. The clock is GeoSite's.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
//! let sandbox = integration_sandbox::Sandbox::start().await?;
//! let hubsoft = sandbox.hubsoft();
//! hubsoft.set_status(100_000, "suspenso_debito");
//! println!("{} {}", hubsoft.base_url(), hubsoft.username());
//! # Ok(()) }
//! ```

mod office;
mod service;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::fault::{Fault, Plan, When};
use crate::geosite::GeoSite;
use crate::kept::{self, Kept, Placing};
use crate::server::{Bound, Door, Running};

/// What stands in every row under `senha` and inside `senhas`.
const CLEAR_TEXT: &str = "senha-em-claro-nao-ler";
const USERNAME: &str = "api@example.com";
const PASSWORD: &str = "senha-hubsoft";
const CLIENT_ID: &str = "12";
const CLIENT_SECRET: &str = "segredo-hubsoft";

/// An operation of HubSoft's public API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /oauth/token` (H1)
    Token,
    /// `GET /api/v1/integracao/cliente` (H2)
    Customer,
    /// `GET /api/v1/integracao/cliente/todos` (H3)
    Customers,
    /// `GET /api/v1/integracao/rede/caixa_optica` (H4)
    Boxes,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 4] = [Self::Token, Self::Customer, Self::Customers, Self::Boxes];
}

/// Choices in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Life of a token in seconds; `expires_in` says the same.
    pub token_life: u64,
    /// What `status` says where a call succeeded; samples also spell it `suscess`.
    pub success: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self { token_life: 2_592_000, success: "success".to_owned() }
    }
}

/// A request that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path without the query.
    pub path: String,
    /// The query as it was sent.
    pub query: String,
    /// The operation, if there is such a route.
    pub endpoint: Option<Endpoint>,
    /// Status that was sent, if one was.
    pub status: Option<u16>,
    /// Name of the fault that struck.
    pub fault: Option<String>,
}

/// Handle of the simulated HubSoft; clones drive the same one.
///
/// It works as long as the [`Sandbox`](crate::Sandbox) it came from is alive.
#[derive(Debug, Clone)]
pub struct HubSoft(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    base_url: String,
    door: Door,
    geosite: GeoSite,
    state: Mutex<State>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    settings: Settings,
    /// Token and its end.
    tokens: HashMap<String, i64>,
    logins: usize,
    /// State of a service by its contract, where it is not the usual one.
    statuses: BTreeMap<u32, String>,
    faults: Plan<Endpoint>,
    #[serde(skip)]
    requests: Vec<Request>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere must not take the simulator down with it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HubSoft {
    /// Serves HubSoft on a bound port until the guard is dropped.
    pub(crate) fn serve(bound: Bound, geosite: GeoSite) -> (Self, Running) {
        let (base_url, door) = (bound.url(), bound.door());
        let shared = Arc::new(Shared { base_url, door, geosite, state: Mutex::default() });
        (Self(Arc::clone(&shared)), bound.serve(shared))
    }

    /// `{hub}`, such as `http://127.0.0.1:7806`, without a path and without a trailing slash.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// `username` of the password grant.
    #[must_use]
    pub fn username(&self) -> &str {
        USERNAME
    }

    /// `password` of the password grant.
    #[must_use]
    pub fn password(&self) -> &str {
        PASSWORD
    }

    /// `client_id` of the password grant.
    #[must_use]
    pub fn client_id(&self) -> &str {
        CLIENT_ID
    }

    /// `client_secret` of the password grant.
    #[must_use]
    pub fn client_secret(&self) -> &str {
        CLIENT_SECRET
    }

    /// The text that rows carry as clear-text passwords: it must not turn up anywhere.
    #[must_use]
    pub fn clear_text_password(&self) -> &str {
        CLEAR_TEXT
    }

    /// State of the service of a contract, such as `suspenso_debito`; `servico_habilitado` until then.
    pub fn set_status(&self, contract: u32, status: &str) {
        self.0.state().statuses.insert(contract, status.to_owned());
    }

    /// Every token ends now, as after an upgrade.
    pub fn revoke_tokens(&self) {
        self.0.state().tokens.clear();
    }

    /// How many tokens were given out.
    #[must_use]
    pub fn logins(&self) -> usize {
        self.0.state().logins
    }

    /// Every request that was read, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.0.state().requests.clone()
    }

    /// Plays a fault once. Held answers are not known here: [`Fault::ActThenHold`] answers at once.
    pub fn inject(&self, endpoint: Endpoint, fault: Fault) {
        self.plan(endpoint, fault, When::Times(1));
    }

    /// Plays a fault for the next `times` requests.
    pub fn inject_times(&self, endpoint: Endpoint, fault: Fault, times: u32) {
        self.plan(endpoint, fault, When::Times(times));
    }

    pub(crate) fn plan(&self, endpoint: Endpoint, fault: Fault, when: When) {
        self.0.state().faults.add(endpoint, fault, when);
    }

    /// Forgets every fault. A port that refuses connections stays so.
    pub fn clear_faults(&self) {
        self.0.state().faults.clear();
    }

    /// Has new connections refused (`false`) or lets them in. Returns once it is so.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`] if the sandbox is gone, [`Error::Socket`] if the system does not give the port back.
    pub async fn set_open(&self, open: bool) -> Result<(), Error> {
        self.0.door.set_open(open).await
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.0.state().settings.clone()
    }

    /// Changes settings.
    pub fn configure(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.0.state().settings);
    }

    /// Back to the beginning: no tokens, faults, requests or states of services, default settings.
    pub fn reset(&self) {
        *self.0.state() = State::default();
    }

    /// Everything that can be read back, as JSON for the control API.
    pub(crate) fn snapshot(&self) -> Value {
        let state = self.0.state();
        json!({
            "base_url": self.0.base_url,
            "username": USERNAME,
            "password": PASSWORD,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "logins": state.logins,
            "statuses": state.statuses,
            "requests": state.requests,
            "faults": state.faults,
            "settings": state.settings,
        })
    }
}

impl Kept for HubSoft {
    fn export(&self) -> Result<Value, String> {
        kept::part(&*self.0.state())
    }

    fn import(&self, state: Value) -> Result<Placing<'_>, String> {
        let state: State = serde_json::from_value(state).map_err(|error| error.to_string())?;
        Ok(Box::new(move || *self.0.state() = state))
    }
}

impl crate::fault::Troubled for HubSoft {
    fn plans(&self, show: &mut dyn FnMut(&'static str, &mut dyn crate::fault::Listed)) {
        let mut state = self.0.state();
        show("faults", &mut state.faults);
    }

    fn is_open(&self) -> bool {
        self.0.door.is_open()
    }
}
