//! The client of one issuer: environment, token, limits, and the three operations.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use integration_core::call::{
    Authorization, BaseUrl, Call, Caller, CallerBuilder, Env, Idempotency, Lane, Timeouts,
};
use integration_core::tax::id::Rif;
use integration_core::{Error, Fault, Faults, Secret, Severity};

use crate::auth::{ProviderCredentials, SwappableToken, TokenHint, TokenProvider};
use crate::batch::Batch;
use crate::document::{CHECK_DIGIT, Document, DocumentType};
use crate::error::{Accepted, CodeTable, Endpoint, Rules, judge};
use crate::follow_up::{ANNUL, MAIL, Mail, Receipt, check_reason};
use crate::issue::{ISSUE, Issued};
use crate::number::ControlNumber;
use crate::profile::WireProfile;

const PRODUCTION: &str = "https://bck.factura-smart.com";
const TEST: &str = "https://bck-test.factura-smart.com";

/// Contract section 2: the service may render the document within the request.
const TIMEOUTS: Timeouts = Timeouts::new(Duration::from_secs(10), Duration::from_secs(60));

/// The usual default of the observed framework (assumed); a larger request is sent, with a warning.
const BODY_WARNING: usize = 100_000;

/// Which service a client talks to.
///
/// ```
/// use fiscal_printer::Environment;
///
/// let gateway = Environment::custom("https://gateway.example.com/smart")?; // the path prefix is kept
/// assert_ne!(gateway, Environment::Production);
/// assert!(Environment::custom("http://gateway.example.com").is_err()); // plain http to this machine only
/// # Ok::<(), fiscal_printer::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Environment {
    /// The vendor's test host; the default. Wrong check digits are warnings, since test hosts are fed placeholders.
    #[default]
    Test,
    /// The vendor's production host: documents are real. Said explicitly, never the default.
    Production,
    /// Another address: a gateway, a sandbox. Counts as test unless it is the production host, or the client is built
    /// [`as_production`](ClientBuilder::as_production).
    Custom(BaseUrl),
}

impl Environment {
    /// Another address. The vendor's own hosts are recognised.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](integration_core::ErrorKind::Configuration) if it is no https URL, or plain http to
    /// another machine.
    pub fn custom(url: &str) -> Result<Self, Error> {
        let base = BaseUrl::parse(url)?;
        for known in [Self::Production, Self::Test] {
            if known.base()? == base {
                return Ok(known);
            }
        }
        Ok(Self::Custom(base))
    }

    /// Whether documents are real there. However the production host is named, it is production.
    fn is_production(&self) -> bool {
        match self {
            Self::Production => true,
            Self::Test => false,
            Self::Custom(base) => BaseUrl::parse(PRODUCTION).is_ok_and(|known| known.host() == base.host()),
        }
    }

    fn base(&self) -> Result<BaseUrl, Error> {
        match self {
            Self::Test => BaseUrl::parse(TEST),
            Self::Production => BaseUrl::parse(PRODUCTION),
            Self::Custom(base) => Ok(base.clone()),
        }
    }
}

/// How many documents may be under way at once. Numbers are consecutive, so documents that overtake each other are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum IssueLanes {
    /// One at a time for the issuer.
    #[default]
    PerIssuer,
    /// One at a time for each type of document.
    PerType,
}

/// A client of one issuer. Cheap to clone; clones share token, limits and lanes.
///
/// ```no_run
/// use fiscal_printer::{Buyer, Client, Document, Line, Mail};
///
/// # async fn run() -> Result<(), fiscal_printer::Error> {
/// let client = Client::from_env()?;
/// let invoice = Document::invoice("J-12345678-4", 42)
///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
///     .line(Line::new("A2", "Dos", "20.00", 1))
///     .build()?;
/// let issued = client.issue(&invoice).await?;
/// if let Some(number) = issued.control_number() {
///     client.mail(&Mail::new(number, "compras@example.com")).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    caller: Caller,
    credentials: ProviderCredentials,
    rif: Option<String>,
    check_digit: Severity,
    profile: WireProfile,
    rules: Rules,
    lanes: Vec<Lane>,
}

/// Sets a [`Client`] up.
///
/// ```
/// use fiscal_printer::{Client, Environment};
///
/// let client = Client::builder()
///     .environment(Environment::custom("http://127.0.0.1:7801")?)
///     .token("the issuer's token")
///     .timeout(std::time::Duration::from_secs(90))
///     .build()?;
/// # Ok::<(), fiscal_printer::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct ClientBuilder {
    environment: Environment,
    production_rules: bool,
    provider: Option<Arc<dyn TokenProvider>>,
    rif: Option<String>,
    profile: WireProfile,
    check_digit: Option<Severity>,
    rules: Rules,
    lanes: IssueLanes,
    caller: CallerBuilder,
}

impl ClientBuilder {
    /// Chooses the service; the vendor's test host unless said otherwise.
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = environment;
        self
    }

    /// Applies production's stricter rules to a custom address.
    pub fn as_production(mut self) -> Self {
        self.production_rules = true;
        self
    }

    /// Uses one token for all calls.
    pub fn token(self, token: impl Into<Secret>) -> Self {
        self.token_provider(SwappableToken::new(token))
    }

    /// Asks this provider for the token of each call.
    pub fn token_provider(mut self, provider: impl TokenProvider) -> Self {
        self.provider = Some(Arc::new(provider));
        self
    }

    /// Names the issuer, for tokens that cannot be read: annulling and mailing send it, and documents of another issuer are not
    /// issued. Otherwise the token's own RIF is used, and a different one here is an error (`T1`).
    pub fn rif(mut self, rif: impl Into<String>) -> Self {
        self.rif = Some(rif.into());
        self
    }

    integration_core::caller_setters!(caller);

    /// Chooses how documents are written where manual and observation disagree.
    pub fn profile(mut self, profile: WireProfile) -> Self {
        self.profile = profile;
        self
    }

    /// Makes wrong check digits an error or a warning, whatever the environment.
    pub fn check_digit(mut self, severity: Severity) -> Self {
        self.check_digit = Some(severity);
        self
    }

    /// Chooses which table gives error codes their first meaning.
    pub fn code_table(mut self, table: CodeTable) -> Self {
        self.rules.table = table;
        self
    }

    /// Takes a refusal with a code that nobody knows for a refusal; it counts as an unknown outcome unless set (assumed,
    /// contract 9.2).
    pub fn unlisted_codes_refuse(mut self, on: bool) -> Self {
        self.rules.unlisted_refuses = on;
        self
    }

    /// Chooses how many documents may be under way at once.
    pub fn issue_lanes(mut self, lanes: IssueLanes) -> Self {
        self.lanes = lanes;
        self
    }

    /// Builds the client; nothing is sent.
    ///
    /// # Errors
    /// [`ErrorKind::Configuration`](integration_core::ErrorKind::Configuration) without a token, or if this machine's TLS
    /// cannot be set up.
    pub fn build(self) -> Result<Client, Error> {
        let Some(provider) = self.provider else {
            let hint =
                "call `token` or `token_provider`, or set FISCAL_PRINTER_TOKEN and use `Client::from_env`";
            return Err(Error::configuration("the client has no token", hint));
        };
        let production = self.production_rules || self.environment.is_production();
        let by_environment = if production { Severity::Error } else { Severity::Warning };
        let caller = self.caller.base(self.environment.base()?).build()?;
        let lanes = match self.lanes {
            IssueLanes::PerIssuer => vec![Lane::new(1)],
            IssueLanes::PerType => DocumentType::ALL.map(|_| Lane::new(1)).to_vec(),
        };
        Ok(Client(Arc::new(Parts {
            caller,
            credentials: ProviderCredentials(provider),
            rif: self.rif,
            check_digit: self.check_digit.unwrap_or(by_environment),
            profile: self.profile,
            rules: self.rules,
            lanes,
        })))
    }
}

/// A request as it would go out, from [`Client::dry_run`].
#[derive(Debug, Clone)]
pub struct DryRun {
    json: String,
    warnings: Vec<Fault>,
}

impl DryRun {
    /// The body, byte for byte.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.json
    }

    /// What is worth knowing before sending it.
    #[must_use]
    pub fn warnings(&self) -> &[Fault] {
        &self.warnings
    }
}

impl Client {
    /// Starts setting up a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder {
            environment: Environment::Test,
            production_rules: false,
            provider: None,
            rif: None,
            profile: WireProfile::default(),
            check_digit: None,
            rules: Rules::default(),
            lanes: IssueLanes::PerIssuer,
            caller: CallerBuilder::default()
                .timeouts(TIMEOUTS)
                .fresh_connections()
                .user_agent(concat!("fiscal-printer/", env!("CARGO_PKG_VERSION"))),
        }
    }

    /// A client from the environment: `FISCAL_PRINTER_TOKEN`, and optionally `FISCAL_PRINTER_BASE_URL` (the vendor's test
    /// host unless set), `FISCAL_PRINTER_TIMEOUT` and `FISCAL_PRINTER_CONNECT_TIMEOUT` (seconds).
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), with the variables taken from `lookup`: a configuration file, a test.
    ///
    /// # Errors
    /// A validation error naming every variable that is missing or cannot be used.
    ///
    /// ```
    /// use fiscal_printer::Client;
    ///
    /// let client = Client::from_lookup(|name| match name {
    ///     "FISCAL_PRINTER_BASE_URL" => Some("http://127.0.0.1:7801".into()),
    ///     "FISCAL_PRINTER_TOKEN" => Some("the issuer's token".into()),
    ///     _ => None,
    /// })?;
    /// # Ok::<(), fiscal_printer::Error>(())
    /// ```
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        builder_from(lookup)?.build()
    }

    /// What [`issue`](Self::issue) would send, after all its checks, without sending it.
    ///
    /// Idempotency: no call to the service (contract 3.1).
    ///
    /// # Errors
    /// As [`issue`](Self::issue) before sending.
    ///
    /// ```
    /// use fiscal_printer::{Buyer, Client, Document, Line};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), fiscal_printer::Error> {
    /// let client = Client::builder().token("the-issuers-token").build()?;
    /// let invoice = Document::invoice("J-12345678-4", 42)
    ///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
    ///     .line(Line::new("A2", "Dos", "20.00", 1))
    ///     .build()?;
    /// let request = client.dry_run(&invoice).await?;
    /// assert!(request.json().contains(r#""total":23.20"#));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn dry_run(&self, document: &Document) -> Result<DryRun, Error> {
        let prepared = self.prepare(document).await?;
        Ok(DryRun { json: prepared.json, warnings: prepared.warnings })
    }

    /// Issues a document. **Never repeated** once a byte may have left; repeated up to three times while nothing has.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) (contract 3, 9.2).
    ///
    /// # Errors
    /// Decide by [`Error::outcome`] (contract 9.2): not sent (mend and repeat), refused (read [`Refusal`](crate::Refusal),
    /// correct, issue again with the **same** internal number), or unknown (look it up; never issue it again blindly).
    ///
    /// ```
    /// use fiscal_printer::{Buyer, Client, Document, Environment, Line};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = wiremock::MockServer::start().await;
    /// # let body = r#"{"success":true,"data":{"numerodocumento":"00-00000001","mensaje":"ok"}}"#;
    /// # let answer = wiremock::ResponseTemplate::new(200).set_body_string(body);
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&service).await;
    /// # let client = Client::builder()
    /// #     .environment(Environment::custom(&service.uri())?).token("the-issuers-token").rif("J-12345678-4").build()?;
    /// let invoice = Document::invoice("J-12345678-4", 42)
    ///     .buyer(Buyer::new("Comercial Ejemplo", "V-12345678").address("Calle 1").phone("0412-1234567"))
    ///     .line(Line::new("A2", "Dos", "20.00", 1))
    ///     .build()?;
    /// let issued = client.issue(&invoice).await?;
    /// assert_eq!(issued.control_text(), "00-00000001");
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("facturacion", "facturación", "facturar", "emitir"))]
    pub async fn issue(&self, document: &Document) -> Result<Issued, Error> {
        let prepared = self.prepare(document).await?;
        let call = Call::new(ISSUE)
            .with_masked_success()
            .json(prepared.json)
            .authorized(prepared.authorization)
            .in_lane(&self.lane(document.kind()));
        self.issue_call(&call, prepared.warnings).await
    }

    async fn issue_call(&self, call: &Call, warnings: Vec<Fault>) -> Result<Issued, Error> {
        let accepted = self.send(call, Endpoint::Issue).await?;
        Ok(Issued::read(accepted, warnings))
    }

    /// Issues documents one after another, as a stream of results; stops at the first outcome that is not certain.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) for each document (contract 9.2).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (documents, client) = ([kit.invoice(1), kit.invoice(2)], kit.client);
    /// let mut batch = client.issue_all(documents); // nothing is sent yet
    /// while let Some(item) = batch.next().await {
    ///     println!("{item:?}");
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias = "lote")]
    pub fn issue_all(&self, documents: impl IntoIterator<Item = Document>) -> Batch {
        Batch::new(self.clone(), documents.into_iter().collect())
    }

    /// Annuls an issued document with a reason (`observacion`, at most 200 characters), which replaces its remark.
    ///
    /// Annul only what was not yet handed to the buyer; afterwards a credit note is the way. A lost call is repeated, since
    /// annulling twice changes nothing more (observed).
    ///
    /// Idempotency: [`Keyed`](crate::Idempotency::Keyed) by the control number (contract 4.2).
    ///
    /// # Errors
    /// As for every call; a refusal with code 3 means that the RIF does not match **or** that no such document exists. A reason
    /// that is empty or too long is `R30`, a RIF that is not the token's `T1`; then nothing is sent.
    ///
    /// ```
    /// use fiscal_printer::{Client, ControlNumber, Environment};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = wiremock::MockServer::start().await;
    /// # let body = r#"{"success":true,"data":{"numerodocumento":"00-00000001","mensaje":"ok"}}"#;
    /// # let answer = wiremock::ResponseTemplate::new(200).set_body_string(body);
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&service).await;
    /// # let client = Client::builder()
    /// #     .environment(Environment::custom(&service.uri())?).token("the-issuers-token").rif("J-12345678-4").build()?;
    /// let number: ControlNumber = "00-00000001".parse()?;
    /// let receipt = client.annul(&number, "Precio equivocado").await?;
    /// assert_eq!(receipt.message(), Some("ok"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("anulacion", "anulación", "anular"))]
    pub async fn annul(&self, number: &ControlNumber, reason: &str) -> Result<Receipt, Error> {
        let (authorization, hint) = self.authorize().await?;
        let mut faults = Faults::new();
        check_reason(reason, &mut faults);
        let rif = self.own_rif(hint.as_ref(), &mut faults);
        let fields =
            [("numerodocumento", number.as_received()), ("observacion", reason), ("rif", rif.as_str())];
        let (call, warnings) =
            self.follow_up(Call::new(ANNUL).with_masked_success(), &fields, authorization, faults)?;
        let accepted = self.send(&call, Endpoint::Annul).await?;
        Ok(Receipt::read(accepted, warnings))
    }

    /// Asks the service to mail an issued document. Success means accepted, not delivered.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once) unless the mail is repeatable (contract 4.2).
    ///
    /// # Errors
    /// As for every call. An unknown outcome is not repeated unless the mail is [`repeatable`](Mail::repeatable). An empty address
    /// is `MAIL`, a RIF that is not the token's `T1`; then nothing is sent.
    ///
    /// ```
    /// use fiscal_printer::{Client, ControlNumber, Environment, Mail};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let service = wiremock::MockServer::start().await;
    /// # let body = r#"{"success":true,"data":{"numerodocumento":"00-00000001","mensaje":"ok"}}"#;
    /// # let answer = wiremock::ResponseTemplate::new(200).set_body_string(body);
    /// # wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&service).await;
    /// # let client = Client::builder()
    /// #     .environment(Environment::custom(&service.uri())?).token("the-issuers-token").rif("J-12345678-4").build()?;
    /// let number: ControlNumber = "00-00000001".parse()?;
    /// client.mail(&Mail::new(number, "compras@example.com")).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("email", "correo", "enviar"))]
    pub async fn mail(&self, mail: &Mail) -> Result<Receipt, Error> {
        let (authorization, hint) = self.authorize().await?;
        let mut faults = Faults::new();
        let addresses = mail.field(&mut faults);
        let rif = self.own_rif(hint.as_ref(), &mut faults);
        let number = mail.control_number.as_received();
        let fields = [("numerodocumento", number), ("rif", rif.as_str()), ("email", addresses.as_str())];
        let call = Call::new(MAIL).with_masked_success().with_idempotency(mail.idempotency());
        let (call, warnings) = self.follow_up(call, &fields, authorization, faults)?;
        let accepted = self.send(&call, Endpoint::Mail).await?;
        Ok(Receipt::read(accepted, warnings))
    }

    async fn send(&self, call: &Call, endpoint: Endpoint) -> Result<Accepted, Error> {
        let rules = self.0.rules;
        let answered = self.0.caller.call(call, |answer| judge(endpoint, rules, answer)).await?;
        Ok(Accepted { envelope: answered.value, answer: answered.answer })
    }

    fn lane(&self, kind: DocumentType) -> Lane {
        let index = usize::from(kind.code().saturating_sub(1));
        let lanes = &self.0.lanes;
        // With a lane per issuer there is one; with a lane per type there are five.
        lanes.get(index).or_else(|| lanes.first()).cloned().unwrap_or_else(|| Lane::new(1))
    }

    async fn authorize(&self) -> Result<(Authorization, Option<TokenHint>), Error> {
        let authorization = self.0.caller.authorize(&self.0.credentials).await?;
        let hint = TokenHint::read(authorization.secret());
        if hint.is_none() {
            tracing::warn!("the token cannot be read: its RIF is not checked before sending");
        }
        Ok((authorization, hint))
    }

    async fn prepare(&self, document: &Document) -> Result<Prepared, Error> {
        let (authorization, hint) = self.authorize().await?;
        let mut faults = Faults::new();
        faults.extend(document.warnings().iter().map(|fault| self.by_environment(fault)));
        let rif = self.issuer_text(document, hint.as_ref(), &mut faults);
        document.check_profile(&self.0.profile, &mut faults);
        let json = document.to_json_as(&self.0.profile, &rif);
        if json.len() > BODY_WARNING {
            let fault = Fault::warning("SIZE", "$").with_expected(format!("at most {BODY_WARNING} bytes"));
            faults.push(
                fault
                    .with_actual(format!("{} bytes", json.len()))
                    .with_hint("the service may refuse large requests"),
            );
        }
        let warnings = faults.into_result(ISSUE.name)?;
        for fault in &warnings {
            tracing::warn!(rule = fault.rule(), path = fault.path(), "document warning");
        }
        Ok(Prepared { json, authorization, warnings })
    }

    fn by_environment(&self, fault: &Fault) -> Fault {
        let fault = fault.clone();
        if fault.rule() == CHECK_DIGIT { fault.with_severity(self.0.check_digit) } else { fault }
    }

    /// The issuer's RIF as it goes out. The service compares it with the token's byte for byte.
    fn issuer_text(&self, document: &Document, hint: Option<&TokenHint>, faults: &mut Faults) -> String {
        let canonical = document.issuer().to_string();
        let given = document.issuer_as_given();
        let Some(claim) = hint.and_then(TokenHint::rif) else {
            self.without_claim(document, faults);
            return canonical;
        };
        if claim == canonical {
            return canonical;
        }
        if claim == given {
            let fault = Fault::warning("T1", "rif").with_expected(canonical).with_actual(given);
            faults.push(fault.with_hint("the token spells the RIF in its own way; its spelling is sent"));
            return claim.to_owned();
        }
        let fault = Fault::error("T1", "rif").with_expected(claim.to_owned()).with_actual(given);
        let same = Rif::parse_lenient(claim).is_ok_and(|claim| claim == *document.issuer());
        faults.push(fault.with_hint(if same {
            "the service compares the RIF with the token's byte for byte: give the document the token's spelling"
        } else {
            "the token belongs to another issuer: use the token of this issuer, one per RIF"
        }));
        canonical
    }

    /// Without a RIF in the token, the one that the client was built for is all there is to compare with.
    fn without_claim(&self, document: &Document, faults: &mut Faults) {
        let named = self.0.rif.as_deref();
        let other = named.filter(|named| Rif::parse_lenient(named).ok().as_ref() != Some(document.issuer()));
        faults.push(match other {
            Some(named) => Fault::error("T1", "rif")
                .with_expected(named.to_owned())
                .with_actual(document.issuer_as_given())
                .with_hint("this client was built for another issuer"),
            None => Fault::warning("T1", "rif")
                .with_hint("the token does not tell its RIF, so it is not compared"),
        });
    }

    /// The issuer's RIF where no document names it: the token's, or the one that the client was built with.
    fn own_rif(&self, hint: Option<&TokenHint>, faults: &mut Faults) -> String {
        let claim = hint.and_then(TokenHint::rif);
        match (claim, self.0.rif.as_deref()) {
            (Some(claim), Some(named)) if claim != named => {
                let fault = Fault::error("T1", "rif").with_expected(claim.to_owned()).with_actual(named);
                faults.push(
                    fault.with_hint("the token belongs to another issuer, or spells the RIF otherwise"),
                );
                String::new()
            }
            (Some(rif), _) | (None, Some(rif)) => rif.to_owned(),
            (None, None) => {
                let hint = "the token does not tell its RIF; name it with `ClientBuilder::rif`";
                faults.push(Fault::error("T1", "rif").with_expected("the issuer's RIF").with_hint(hint));
                String::new()
            }
        }
    }

    fn follow_up(
        &self,
        call: Call,
        fields: &[(&str, &str)],
        authorization: Authorization,
        faults: Faults,
    ) -> Result<(Call, Vec<Fault>), Error> {
        let warnings = faults.into_result(call.name())?;
        let pairs = fields.iter().map(|(key, text)| ((*key).to_owned(), serde_json::Value::from(*text)));
        let body = serde_json::Value::Object(pairs.collect()).to_string();
        Ok((call.json(body).authorized(authorization), warnings))
    }
}

/// What the journal needs of a client: a request as bytes, sending stored bytes, and asking probes.
#[cfg(feature = "journal")]
impl Client {
    pub(crate) fn base_text(&self) -> String {
        self.0.caller.base().to_string()
    }

    pub(crate) fn clock(&self) -> &Arc<dyn integration_core::clock::Clock> {
        self.0.caller.clock()
    }

    pub(crate) fn total_timeout(&self) -> Duration {
        self.0.caller.timeouts().total()
    }

    /// The lane that documents of a kind wait in within this process.
    pub(crate) fn issue_lane(&self, kind: DocumentType) -> Lane {
        self.lane(kind)
    }

    /// The bytes of a document that passed every check, and what authorises them; the token is not among the bytes.
    pub(crate) async fn stored_request(
        &self,
        document: &Document,
    ) -> Result<(bytes::Bytes, Authorization), Error> {
        let prepared = self.prepare(document).await?;
        Ok((prepared.json.into(), prepared.authorization))
    }

    /// Sends bytes that were stored, outside of the lanes.
    pub(crate) async fn send_stored(
        &self,
        bytes: bytes::Bytes,
        authorization: Authorization,
    ) -> Result<Issued, Error> {
        // Once only: between two tries another worker may have taken the series over.
        let call = Call::new(ISSUE).with_masked_success().json(bytes).authorized(authorization);
        let call = call.retry(integration_core::call::RetryPolicy::never());
        self.issue_call(&call, Vec::new()).await
    }

    /// The issuer that the token or the builder names.
    pub(crate) async fn issuer(&self) -> Result<Rif, Error> {
        let (_, hint) = self.authorize().await?;
        let mut faults = Faults::new();
        let text = self.own_rif(hint.as_ref(), &mut faults);
        if faults.has_errors() {
            return Err(Error::validation("find the issuer", faults.into_vec()));
        }
        Rif::parse_lenient(&text).map_err(|cause| {
            let fault = Fault::error("T1", "rif").with_expected("a RIF").with_actual(text);
            Error::validation("find the issuer", vec![fault]).with_source(cause)
        })
    }

    /// What authorises a stored request of `issuer`, and whether the service enforces internal numbers for it.
    pub(crate) async fn authorization_for(
        &self,
        issuer: &str,
    ) -> Result<(Authorization, Option<bool>), Error> {
        let (authorization, hint) = self.authorize().await?;
        let mut faults = Faults::new();
        let own = self.own_rif(hint.as_ref(), &mut faults);
        if Rif::parse_lenient(&own).ok().map(|rif| rif.to_string()).as_deref() != Some(issuer) {
            let fault = Fault::error("T1", "rif").with_expected(issuer.to_owned()).with_actual(own);
            let fault = fault.with_hint("the token belongs to another issuer: use the token of this one");
            return Err(Error::validation(ISSUE.name, vec![fault]));
        }
        Ok((authorization, hint.and_then(|hint| hint.enforces_numbers())))
    }

    /// Asks an endpoint that only reads; anything but a successful envelope is an error.
    pub(crate) async fn ask(
        &self,
        operation: integration_core::call::Operation,
        body: &serde_json::Value,
    ) -> Result<crate::wire::Envelope, Error> {
        let (authorization, _) = self.authorize().await?;
        let name = operation.name;
        let call = Call::new(operation).json(body.to_string()).authorized(authorization);
        let answered = self.0.caller.call(&call, |answer| crate::error::judge_probe(name, answer)).await?;
        Ok(answered.value)
    }
}

/// A document that passed every check, as it goes out.
struct Prepared {
    json: String,
    authorization: Authorization,
    warnings: Vec<Fault>,
}

fn builder_from(lookup: impl Fn(&str) -> Option<String>) -> Result<ClientBuilder, Error> {
    let mut env = Env::from_lookup(lookup);
    let settings = env.settings("FISCAL_PRINTER");
    let token =
        env.required("FISCAL_PRINTER_TOKEN", "the issuer's token; the vendor hands it out, one per RIF");
    env.finish()?;
    let environment = match &settings.base_url {
        Some(base) => Environment::custom(&base.to_string())?,
        None => Environment::Test,
    };
    let mut builder = Client::builder().environment(environment).token(token);
    builder.caller = builder.caller.settings(&settings);
    Ok(builder)
}

/// Which operation may be repeated, for the table test of the workspace.
#[must_use]
pub fn idempotency_table() -> &'static [(&'static str, Idempotency)] {
    static TABLE: LazyLock<Vec<(&'static str, Idempotency)>> = LazyLock::new(|| {
        #[allow(unused_mut)]
        let mut rows = vec![ISSUE, ANNUL, MAIL];
        #[cfg(feature = "journal")]
        rows.extend(crate::journal::PROBES);
        rows.iter().map(|operation| (operation.name, operation.idempotency)).collect()
    });
    &TABLE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(pairs: &[(&str, &str)]) -> Result<ClientBuilder, Error> {
        builder_from(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn the_test_host_is_the_default() {
        let builder = from(&[("FISCAL_PRINTER_TOKEN", "t0ken")]).unwrap();
        assert_eq!(builder.environment, Environment::Test);
        assert_eq!(builder.environment.base().unwrap().to_string(), TEST);
        assert_eq!(builder.build().unwrap().0.caller.timeouts(), TIMEOUTS);
    }

    #[test]
    fn the_production_host_is_recognised_by_its_address() {
        let pairs = [("FISCAL_PRINTER_TOKEN", "t0ken"), ("FISCAL_PRINTER_BASE_URL", PRODUCTION)];
        assert_eq!(from(&pairs).unwrap().environment, Environment::Production);
    }

    #[test]
    fn everything_wrong_in_the_environment_is_named_at_once() {
        let pairs = [("FISCAL_PRINTER_BASE_URL", "http://example.com"), ("FISCAL_PRINTER_TIMEOUT", "soon")];
        let error = from(&pairs).unwrap_err();
        let paths: Vec<&str> = error.faults().iter().map(Fault::path).collect();
        assert_eq!(paths, ["FISCAL_PRINTER_BASE_URL", "FISCAL_PRINTER_TIMEOUT", "FISCAL_PRINTER_TOKEN"]);
    }

    #[test]
    fn timeouts_come_from_the_environment() {
        let pairs = [("FISCAL_PRINTER_TOKEN", "t0ken"), ("FISCAL_PRINTER_TIMEOUT", "1.5")];
        let timeouts = from(&pairs).unwrap().build().unwrap().0.caller.timeouts();
        assert_eq!(
            (timeouts.total(), timeouts.connect()),
            (Duration::from_millis(1500), Duration::from_secs(10))
        );
    }

    #[test]
    fn clients_cross_threads() {
        fn crosses<T: Send + Sync + Clone + 'static>() {}
        crosses::<Client>();
    }
}
