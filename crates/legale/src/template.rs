//! Smart documents: listed, and flows started from them (contract 3.1 rows 11 and 16, 3.6).
//!
//! V1 takes a list of items, the only bulk send there is; V2 takes one. They differ in where options stand, in what a signer must have and
//! in the shape of `shared_list`, so they are two types (traps 22 and 23).

use std::collections::BTreeMap;

use integration_core::body::page::Pages;
use integration_core::call::{Idempotency, Operation};
use integration_core::{Error, Fault, Faults, Secret};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::client::{Ask, Client};
use crate::contact::is_email;
use crate::flow::SignMethod;
use crate::id::{DocumentId, TemplateId};
use crate::page::{self, Listed};
use crate::sign::{SignLink, Started, links};
use crate::wire::{Fields, Unreadable, When};

pub(crate) const LIST: Operation = Operation::get("list smart documents", "/smart-documents/");
pub(crate) const BATCH: Operation =
    Operation::post("start a template batch", "/template/{id}", Idempotency::Once);
pub(crate) const WORKFLOW: Operation =
    Operation::post("start a smart document", "/smart-document/{id}/workflow/", Idempotency::Once);

/// Documented for V2.
const ANCHOR_LIMIT: usize = 63;

/// A smart document.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[doc(alias("plantilla", "documento inteligente"))]
pub struct SmartDocument {
    /// `id`
    pub id: TemplateId,
    /// `name`
    pub name: Option<String>,
    /// `items`: its variables.
    pub items: Vec<SmartItem>,
    /// `content`: HTML.
    pub content: Option<String>,
    /// `preview`: a URL.
    pub preview: Option<String>,
    /// `callback_url`
    pub callback_url: Option<Secret>,
    /// `created_at`
    pub created_at: Option<When>,
    /// `updated_at`
    pub updated_at: Option<When>,
    /// `owner`, `users`, and fields that the contract does not know.
    pub extra: Map<String, Value>,
}

/// A variable of a smart document.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SmartItem {
    /// `id`
    pub id: Option<String>,
    /// `item_number`, from 1: the key under which its value is sent.
    pub item_number: Option<i64>,
    /// `name`
    pub name: Option<String>,
    /// `type`, open.
    #[doc(alias = "type")]
    pub kind: Option<String>,
    /// `format`
    pub format: Option<String>,
    /// `is_required`
    pub is_required: Option<bool>,
    /// `is_conditional_visible`
    pub is_conditional_visible: Option<bool>,
    /// `is_hidden`
    pub is_hidden: Option<bool>,
    /// `col_span`, `extra_data`, and fields that the contract does not know.
    pub extra: Map<String, Value>,
}

impl SmartItem {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "items[]")?;
        Ok(Self {
            id: fields.text("id")?,
            item_number: fields.integer("item_number"),
            name: fields.text("name")?,
            kind: fields.text("type")?,
            format: fields.text("format")?,
            is_required: fields.boolean("is_required"),
            is_conditional_visible: fields.boolean("is_conditional_visible"),
            is_hidden: fields.boolean("is_hidden"),
            extra: fields.extra(),
        })
    }
}

impl Listed for SmartDocument {
    fn read(value: Value) -> Result<Self, Unreadable> {
        let mut fields = Fields::of(value, "the smart document")?;
        let id = fields.required("id")?.parse().map_err(|_| Unreadable::new("id", "an id"))?;
        let items = fields.list("items")?.into_iter().map(SmartItem::read).collect::<Result<_, _>>()?;
        Ok(Self {
            id,
            name: fields.text("name")?,
            items,
            content: fields.text("content")?,
            preview: fields.text("preview")?,
            callback_url: fields.text("callback_url")?.map(Secret::new),
            created_at: fields.time("created_at")?,
            updated_at: fields.time("updated_at")?,
            extra: fields.extra(),
        })
    }

    fn identity(&self) -> Option<String> {
        Some(self.id.as_str().to_owned())
    }
}

/// A signer of a flow from a smart document; there is no `sign_flow`. Fields that are not set are not sent, save for the three
/// validations, which always are.
///
/// ```
/// use legale::TemplateSigner;
/// use legale::flow::SignMethod;
///
/// let signer = TemplateSigner::new(SignMethod::Sms, "ana@example.com").name("Ana", "Rojas").phone("+56912345678").anchor("FIRMA1");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[must_use]
#[doc(alias = "firmante")]
pub struct TemplateSigner {
    #[serde(serialize_with = "as_wire")]
    sign_method: SignMethod,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    firstname: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lastname2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    anchor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_fingerprint: Option<bool>,
    #[serde(rename = "is_NID", skip_serializing_if = "Option::is_none")]
    is_nid: Option<bool>,
    video_validation: bool,
    selfie_validation: bool,
    id_validation: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    sign_status_callback_url: Option<String>,
}

fn as_wire<S: serde::Serializer>(method: &SignMethod, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(method.as_str())
}

impl TemplateSigner {
    /// The two fields that both versions require.
    pub fn new(method: SignMethod, email: impl Into<String>) -> Self {
        Self {
            sign_method: method,
            email: email.into(),
            phone: None,
            firstname: None,
            lastname1: None,
            lastname2: None,
            anchor: None,
            device_id: None,
            is_fingerprint: None,
            is_nid: None,
            video_validation: false,
            selfie_validation: false,
            id_validation: false,
            sign_status_callback_url: None,
        }
    }

    /// First and last name; V2 requires both.
    pub fn name(mut self, firstname: impl Into<String>, lastname1: impl Into<String>) -> Self {
        self.firstname = Some(firstname.into());
        self.lastname1 = Some(lastname1.into());
        self
    }

    /// The second last name.
    pub fn lastname2(mut self, text: impl Into<String>) -> Self {
        self.lastname2 = Some(text.into());
        self
    }

    /// A phone number, needed for `sms`.
    pub fn phone(mut self, text: impl Into<String>) -> Self {
        self.phone = Some(text.into());
        self
    }

    /// The word at which the signature stands: at most 63 characters; V2 requires it.
    pub fn anchor(mut self, word: impl Into<String>) -> Self {
        self.anchor = Some(word.into());
        self
    }

    /// A device, needed for `tablet_sign`.
    pub fn device(mut self, device_id: impl Into<String>, is_fingerprint: bool, is_nid: bool) -> Self {
        self.device_id = Some(device_id.into());
        self.is_fingerprint = Some(is_fingerprint);
        self.is_nid = Some(is_nid);
        self
    }

    /// Identity checks, with `no_sms` and `sms` only: video, selfie, identity document.
    pub fn validations(mut self, video: bool, selfie: bool, id: bool) -> Self {
        (self.video_validation, self.selfie_validation, self.id_validation) = (video, selfie, id);
        self
    }

    /// Where each step of this signer is posted.
    pub fn status_callback(mut self, url: impl Into<String>) -> Self {
        self.sign_status_callback_url = Some(url.into());
        self
    }

    fn check(&self, path: &str, is_v2: bool, faults: &mut Faults) {
        let mut fault = |rule, field: &str, hint: &'static str| {
            faults.push(Fault::error(rule, format!("{path}.{field}")).with_hint(hint));
        };
        if !is_email(&self.email) {
            fault("EMAIL", "email", "one @ between two parts, no blanks");
        }
        if matches!(&self.sign_method, SignMethod::Other(unlisted) if !unlisted.is_sendable()) {
            fault(
                "METHOD",
                "sign_method",
                "not a listed method; `SignMethod::unchecked` sends it all the same",
            );
        }
        if self.sign_method == SignMethod::Sms && self.phone.is_none() {
            fault("NEEDS", "phone", "`sms` sends a code to it");
        }
        if (self.sign_method == SignMethod::TabletSign) != self.device_id.is_some() {
            fault("NEEDS", "device_id", "`tablet_sign` needs a device, and nothing else has one");
        }
        let validates = self.video_validation || self.selfie_validation || self.id_validation;
        if validates && !matches!(self.sign_method, SignMethod::Sms | SignMethod::NoSms) {
            fault("CHECKS", "sign_method", "identity checks go with `no_sms` and `sms` only");
        }
        let missing = |value: &Option<String>| value.as_deref().is_none_or(|text| text.trim().is_empty());
        for (field, value) in
            [("firstname", &self.firstname), ("lastname1", &self.lastname1), ("anchor", &self.anchor)]
        {
            if is_v2 && missing(value) {
                fault("REQUIRED", field, "V2 requires it");
            }
        }
        let length = self.anchor.as_deref().map_or(0, |anchor| anchor.chars().count());
        if length > ANCHOR_LIMIT {
            let found =
                Fault::error("ANCHOR", format!("{path}.anchor")).with_expected("at most 63 characters");
            let found = found.with_actual(length.to_string());
            // Documented for V2 only.
            faults.push(if is_v2 { found } else { found.with_severity(integration_core::Severity::Warning) });
        }
    }
}

/// What both versions fill a smart document with.
#[derive(Debug, Clone, Default)]
struct Common {
    variables: BTreeMap<String, String>,
    signers: Vec<TemplateSigner>,
    shared: Vec<String>,
    folder: Option<String>,
    file_name: Option<String>,
    callback_url: Option<Secret>,
    callback_key: Option<Secret>,
}

impl Common {
    fn variables(&self) -> Map<String, Value> {
        let named = [("folder", &self.folder), ("file_name", &self.file_name)];
        let named =
            named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value.clone()?))));
        let numbered = self.variables.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str())));
        numbered.chain(named).collect()
    }

    fn callbacks(&self) -> Map<String, Value> {
        let both = [("callback_url", &self.callback_url), ("callback_key", &self.callback_key)];
        let set = both
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value.as_ref()?.reveal().into())));
        set.collect()
    }

    fn check(&self, at: &str, is_v2: bool, faults: &mut Faults) {
        if self.signers.is_empty() {
            faults.push(Fault::error("SIGNERS", format!("{at}signers")).with_expected("at least one"));
        }
        for (number, signer) in self.signers.iter().enumerate() {
            signer.check(&format!("{at}signers[{number}]"), is_v2, faults);
        }
        for (number, email) in self.shared.iter().enumerate().filter(|(_, email)| !is_email(email)) {
            faults.push(Fault::error("EMAIL", format!("{at}shared_list[{number}]")).with_actual(email));
        }
    }

    fn secrets(&self) -> impl Iterator<Item = Secret> + '_ {
        let of_signers = self.signers.iter().filter_map(|signer| signer.sign_status_callback_url.as_deref());
        let own = [&self.callback_url, &self.callback_key].into_iter().flatten().cloned();
        own.chain(of_signers.map(Secret::new))
    }
}

macro_rules! common_setters {
    () => {
        /// The value of the variable with this `item_number`; variables without a value stay blank.
        pub fn variable(mut self, item_number: u32, value: impl Into<String>) -> Self {
            self.0.variables.insert(item_number.to_string(), value.into());
            self
        }

        /// Adds a signer.
        pub fn signer(mut self, signer: TemplateSigner) -> Self {
            self.0.signers.push(signer);
            self
        }

        /// Adds an e-mail address that gets the result.
        pub fn share_with(mut self, email: impl Into<String>) -> Self {
            self.0.shared.push(email.into());
            self
        }

        /// `folder`
        pub fn folder(mut self, path: impl Into<String>) -> Self {
            self.0.folder = Some(path.into());
            self
        }

        /// `file_name`
        pub fn file_name(mut self, name: impl Into<String>) -> Self {
            self.0.file_name = Some(name.into());
            self
        }

        /// `callback_url`
        pub fn callback_url(mut self, url: impl Into<Secret>) -> Self {
            self.0.callback_url = Some(url.into());
            self
        }

        /// `callback_key`
        pub fn callback_key(mut self, key: impl Into<Secret>) -> Self {
            self.0.callback_key = Some(key.into());
            self
        }
    };
}

/// One item of a V1 batch: variables, signers, `shared_list` of `{email}`, callbacks beside them.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct TemplateItem(Common);

impl TemplateItem {
    /// An item without anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    common_setters!();

    fn to_body(&self) -> Value {
        let shared: Vec<Value> = self.0.shared.iter().map(|email| json!({ "email": email })).collect();
        let mut body = self.0.callbacks();
        body.insert("variables".into(), self.0.variables().into());
        body.insert("signers".into(), json!(self.0.signers));
        body.insert("shared_list".into(), shared.into());
        body.into()
    }
}

/// The one item of a V2 workflow: options stand among the variables, `shared_list` holds plain addresses.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Workflow(Common);

impl Workflow {
    /// A workflow without anything yet.
    pub fn new() -> Self {
        Self::default()
    }

    common_setters!();

    fn to_body(&self) -> Value {
        let variables: Map<String, Value> =
            self.0.variables().into_iter().chain(self.0.callbacks()).collect();
        json!({ "variables": variables, "signers": self.0.signers, "shared_list": self.0.shared })
    }
}

/// What a batch brought. Its answer is not documented and kept as it came.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BatchStarted {
    /// The data of the answer.
    pub raw: Value,
    /// Per item, in order, where the answer is a list as long as the batch; else empty (assumed).
    pub items: Vec<BatchOutcome>,
}

/// What became of one item of a batch, as far as the answer tells (assumed).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum BatchOutcome {
    /// Nothing says that it failed.
    Started(Value),
    /// It has a `code`, or `success: false`.
    Refused(Value),
}

impl BatchOutcome {
    /// What the answer says of this item, as it came.
    #[must_use]
    pub const fn raw(&self) -> &Value {
        match self {
            Self::Started(raw) | Self::Refused(raw) => raw,
        }
    }

    /// Whether nothing says that it failed.
    #[must_use]
    pub const fn is_started(&self) -> bool {
        matches!(self, Self::Started(_))
    }

    /// The document that was made of it, if the answer names it (assumed).
    #[must_use]
    pub fn guid(&self) -> Option<DocumentId> {
        let raw = self.raw();
        let text = ["GUID", "guid"].iter().find_map(|key| raw.get(*key)?.as_str()).or_else(|| raw.as_str());
        text.filter(|_| self.is_started())?.parse().ok()
    }

    /// The addresses of its signers, if the answer holds them (assumed).
    #[must_use]
    pub fn links(&self) -> Vec<SignLink> {
        if self.is_started() && self.raw().is_object() { links(self.raw()) } else { Vec::new() }
    }

    /// Why it was refused: code and text, as far as the answer says.
    #[must_use]
    pub fn refusal(&self) -> Option<String> {
        let Self::Refused(Value::Object(fields)) = self else { return None };
        let parts: Vec<String> =
            [crate::wire::code_of(fields), crate::wire::message_of(fields)].into_iter().flatten().collect();
        Some(parts.join(": "))
    }
}

fn outcome(item: &Value) -> BatchOutcome {
    match crate::wire::open(item.clone()) {
        crate::wire::Opened::Data(_) => BatchOutcome::Started(item.clone()),
        crate::wire::Opened::Failure { .. } => BatchOutcome::Refused(item.clone()),
    }
}

impl Client {
    /// Lists the smart documents, page by page (contract 3.1 row 16).
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # kit.sandbox.legale().add_smart_document("Contrato de trabajo", &["name"]);
    /// let mut pages = client.smart_documents();
    /// while let Some(page) = pages.next_page().await? {
    ///     for template in page.items {
    ///         println!("{}: {} items", template.id, template.items.len());
    ///     }
    /// }
    /// # Ok(()) });
    /// ```
    #[doc(alias("documentos inteligentes", "plantillas"))]
    pub fn smart_documents(&self) -> Pages<SmartDocument> {
        page::v2(self, LIST)
    }

    /// Starts a flow for each item (contract 3.1 row 11), all in one request, which is sent **once**.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error with every fault of every item; else as every call.
    ///
    /// ```no_run
    /// use legale::flow::SignMethod;
    /// use legale::{TemplateItem, TemplateSigner};
    ///
    /// # async fn run(client: legale::Client) -> Result<(), legale::Error> {
    /// let items: Vec<TemplateItem> = ["ana@example.com", "leo@example.com"]
    ///     .map(|email| TemplateItem::new().variable(1, email).signer(TemplateSigner::new(SignMethod::NoSms, email)))
    ///     .into();
    /// let batch = client.start_batch(&1.into(), &items).await?;
    /// println!("{}", batch.raw);
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias("envio masivo", "envío masivo", "plantilla"))]
    pub async fn start_batch(&self, id: &TemplateId, items: &[TemplateItem]) -> Result<BatchStarted, Error> {
        let mut faults = Faults::new();
        if items.is_empty() {
            faults.push(Fault::error("ITEMS", "data").with_expected("at least one item"));
        }
        for (number, item) in items.iter().enumerate() {
            item.0.check(&format!("data[{number}]."), false, &mut faults);
        }
        faults.into_result(BATCH.name)?;
        let data: Vec<Value> = items.iter().map(TemplateItem::to_body).collect();
        let ask = Ask::v1(BATCH).param("id", id).json(&json!({ "data": data }))?;
        let secrets = items.iter().flat_map(|item| item.0.secrets());
        let ask = ask.map(|call| secrets.fold(call, integration_core::call::Call::with_secret));
        let count = items.len();
        self.ask(ask, move |raw| {
            let list = raw.as_array().filter(|list| list.len() == count);
            let items = list.map(|list| list.iter().map(outcome).collect()).unwrap_or_default();
            Ok(BatchStarted { raw, items })
        })
        .await
    }

    /// Starts one flow from a smart document (contract 3.1 row 16), sent **once**. The answer holds the addresses of remote signers.
    ///
    /// Idempotency: [`Once`](crate::Idempotency::Once).
    ///
    /// # Errors
    /// A validation error with every fault; else as every call.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let client = kit.client;
    /// # let id = kit.sandbox.legale().add_smart_document("Contrato de trabajo", &["name"]);
    /// # let id = i64::try_from(id)?.into();
    /// use legale::flow::SignMethod;
    /// use legale::{TemplateSigner, Workflow};
    ///
    /// let ana = TemplateSigner::new(SignMethod::NoSms, "ana@example.com").name("Ana", "Rojas").anchor("Firma");
    /// let started = client.start_workflow(&id, &Workflow::new().variable(1, "Ana Rojas").signer(ana)).await?;
    /// println!("{} links", started.links.len());
    /// # Ok(()) });
    /// ```
    #[doc(alias("smart-document", "plantilla"))]
    pub async fn start_workflow(&self, id: &TemplateId, workflow: &Workflow) -> Result<Started, Error> {
        let mut faults = Faults::new();
        workflow.0.check("", true, &mut faults);
        faults.into_result(WORKFLOW.name)?;
        let ask = Ask::v2(WORKFLOW).param("id", id).json(&workflow.to_body())?;
        let ask = ask.map(|call| workflow.0.secrets().fold(call, integration_core::call::Call::with_secret));
        self.ask(ask, Started::read).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> TemplateSigner {
        TemplateSigner::new(SignMethod::NoSms, "a@b").name("Ana", "Rojas").anchor("F1")
    }

    #[test]
    fn each_version_has_its_own_shape() {
        let signed = json!({"sign_method": "no_sms", "email": "a@b", "firstname": "Ana", "lastname1": "Rojas", "anchor": "F1",
            "video_validation": false, "selfie_validation": false, "id_validation": false});
        let item = TemplateItem::new()
            .variable(1, "x")
            .folder("F")
            .signer(signer())
            .share_with("c@d")
            .callback_url("u");
        assert_eq!(
            item.to_body(),
            json!({"variables": {"1": "x", "folder": "F"}, "signers": [signed], "shared_list": [{"email": "c@d"}], "callback_url": "u"})
        );
        let workflow =
            Workflow::new().variable(1, "x").folder("F").signer(signer()).share_with("c@d").callback_url("u");
        assert_eq!(
            workflow.to_body(),
            json!({"variables": {"1": "x", "folder": "F", "callback_url": "u"}, "signers": [signed], "shared_list": ["c@d"]})
        );
        let tablet = TemplateSigner::new(SignMethod::TabletSign, "a@b").device("d", true, false);
        assert_eq!(serde_json::to_value(tablet).unwrap()["is_NID"], false);
    }

    fn paths(common: &Common, is_v2: bool) -> Vec<String> {
        let mut faults = Faults::new();
        common.check("", is_v2, &mut faults);
        faults.errors().map(|fault| fault.path().to_owned()).collect()
    }

    #[test]
    fn items_of_a_batch_tell_what_became_of_them() {
        let started = outcome(&json!({"GUID": "g-1", "sign_urls": [{"email": "a@b", "url": "https://s/1"}]}));
        assert_eq!(started.guid().unwrap().as_str(), "g-1");
        assert_eq!(started.links().len(), 1);
        assert_eq!(started.refusal(), None);
        let refused = outcome(&json!({"code": "ERROR_INVALID_DATA", "message": "no contact"}));
        assert_eq!(refused.refusal().unwrap(), "ERROR_INVALID_DATA: no contact");
        assert!(refused.guid().is_none() && refused.links().is_empty());
        for odd in [json!(7), json!(null), json!({}), json!([])] {
            let odd = outcome(&odd);
            assert!(odd.guid().is_none() && odd.links().is_empty() && odd.refusal().is_none(), "{odd:?}");
        }
    }

    #[test]
    fn faults_are_told_by_version() {
        let long = signer().anchor("x".repeat(64));
        assert!(paths(&TemplateItem::new().signer(long.clone()).0, false).is_empty());
        assert_eq!(paths(&Workflow::new().signer(long).0, true), ["signers[0].anchor"]);
        let bare = TemplateSigner::new(SignMethod::Sms, "a");
        assert_eq!(
            paths(&TemplateItem::new().signer(bare.clone()).0, false),
            ["signers[0].email", "signers[0].phone"]
        );
        assert_eq!(paths(&Workflow::new().signer(bare).share_with("x").0, true).len(), 6);
        assert_eq!(paths(&Workflow::new().0, true), ["signers"]);
        let read = TemplateSigner::new(SignMethod::from_wire("bit4id"), "a@b");
        assert_eq!(paths(&TemplateItem::new().signer(read).0, false), ["signers[0].sign_method"]);
    }
}
