//! What a test can choose about the simulated Legale: its endpoints, the shapes of its answers, its rules.
//!
//! Every row that the contract marks `assumed` or leaves open is a setting here, with the contract's default.

use serde::{Deserialize, Serialize};

/// An operation of Legale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Endpoint {
    /// `POST /api/token`
    Login,
    /// `GET /api/documents/`
    List,
    /// `GET /api/document/get/{GUID}`
    Detail,
    /// `POST /api/document/create`
    Create,
    /// `DELETE /api/document/delete/{GUID}`
    Delete,
    /// `GET /media/…`
    Media,
    /// `POST /api/sign/start/{GUID}`
    Start,
    /// `GET /api/sign/status/{GUID}`
    SignStatus,
    /// `GET /api/sign/download/{GUID}`
    SignDownload,
    /// `POST` to the URL that an `approve_api` signer was given.
    Approve,
    /// `GET /api/folder`
    Folders,
    /// `DELETE /api/folder/{id}`
    DeleteFolder,
    /// `POST /api/template/{template_id}`
    Template,
    /// `POST /api/migrate/document/`
    Migrate,
    /// `GET /api/v2/contacts/`
    Contacts,
    /// `POST /api/v2/contacts/`
    CreateContact,
    /// `PUT /api/v2/contact/{id}/`
    UpdateContact,
    /// `GET /api/v2/contact/{id}/`, off until it is switched on.
    GetContact,
    /// `DELETE /api/v2/contact/{id}/`, off until it is switched on.
    DeleteContact,
    /// `GET /api/v2/smart-documents/`
    SmartDocuments,
    /// `POST /api/v2/smart-document/{id}/workflow/`
    Workflow,
    /// `POST` of the three legacy products.
    LegacySend,
    /// `GET` of the three legacy products.
    LegacyStatus,
    /// `GET /session/{secret}`, the page that a signer opens from his mail.
    SignerPage,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 24] = [
        Self::Login,
        Self::List,
        Self::Detail,
        Self::Create,
        Self::Delete,
        Self::Media,
        Self::Start,
        Self::SignStatus,
        Self::SignDownload,
        Self::Approve,
        Self::Folders,
        Self::DeleteFolder,
        Self::Template,
        Self::Migrate,
        Self::Contacts,
        Self::CreateContact,
        Self::UpdateContact,
        Self::GetContact,
        Self::DeleteContact,
        Self::SmartDocuments,
        Self::Workflow,
        Self::LegacySend,
        Self::LegacyStatus,
        Self::SignerPage,
    ];

    pub(super) fn is_legacy(self) -> bool {
        matches!(self, Self::LegacySend | Self::LegacyStatus)
    }
}

choices! {
    /// Around which answers `{data, code, message}` stands.
    Envelope {
        /// As the reference has it: V1 objects wrapped, pages and V2 bare.
        Natural,
        /// Everything wrapped, pages too.
        Wrapped,
        /// Nothing wrapped.
        Bare,
    }
}

choices! {
    /// The answer to a good login.
    LoginAnswer {
        /// `{"token": …}`
        Token,
        /// With `code` null and `message` "", as the older page has it.
        Older,
        /// 200 with an empty token: a failed login in disguise.
        EmptyToken,
        /// 200 without a token.
        NoToken,
    }
}

choices! {
    /// How a refusal is written.
    ErrorShape {
        /// `{"code": …, "message": …}`
        Message,
        /// The text under `detail`.
        Detail,
        /// The text under `details`.
        Details,
        /// The text under `error`.
        Error,
        /// The text in a list under `errors`.
        Errors,
        /// HTTP 200 with `{"data": null, "code": …, "message": …}`.
        Inside200,
        /// HTTP 200 with `{"success": false, "code": …, "message": …}`.
        SuccessFalse,
        /// An HTML page with the same status.
        Html,
    }
}

choices! {
    /// How a page is written.
    ListShape {
        /// `{"count", "next", "previous", "results"}`
        Page,
        /// A bare array: one complete page.
        Array,
    }
}

choices! {
    /// How the sign URLs of a started flow are written.
    LinksShape {
        /// A list of texts.
        Strings,
        /// A list of `{"email", "url"}`.
        Url,
        /// A list of `{"email", "sign_url"}`.
        SignUrl,
        /// A list of `{"email", "link"}`.
        Link,
        /// `{"e-mail": "URL"}`
        Map,
        /// Nothing, although there are links.
        Nothing,
    }
}

choices! {
    /// How integers are written.
    Numbers {
        /// As numbers.
        Plain,
        /// As text.
        Text,
    }
}

choices! {
    /// How truth values are written.
    Bools {
        /// `true`
        Plain,
        /// `1`
        Digits,
        /// `"true"`
        Text,
    }
}

choices! {
    /// How times are written.
    Times {
        /// `2021-10-19T16:05:44.158662Z`
        Micros,
        /// `2021-10-19T16:05:44Z`
        Seconds,
        /// Nine digits of fraction.
        Nanos,
        /// `2021-10-19 16:05:44`, UTC.
        Spaced,
        /// A text that is no time.
        Unreadable,
    }
}

choices! {
    /// How `document` points at the file.
    DocumentUrl {
        /// A whole URL.
        Absolute,
        /// `/media/…`
        Rooted,
        /// Relative to the media base.
        Relative,
    }
}

choices! {
    /// What GUIDs look like. They are opaque text.
    GuidStyle {
        /// A UUID.
        Uuid,
        /// Short text that is no UUID, as in the callback samples.
        Short,
        /// Text with a blank and a slash, which has to be escaped in a path.
        Hostile,
    }
}

choices! {
    /// Order of lists.
    Order {
        /// Newest first.
        Newest,
        /// Oldest first.
        Oldest,
        /// By GUID, which says nothing.
        Arbitrary,
    }
}

choices! {
    /// What the page after the last one is.
    PastEnd {
        /// An empty page.
        Empty,
        /// 404 with `detail`.
        NotFound,
        /// The last page again.
        Repeat,
    }
}

choices! {
    /// How `next` misbehaves.
    NextLink {
        /// null on the last page.
        Honest,
        /// Never null, not even on an empty page.
        Endless,
        /// Points to another host, to which no credential may go.
        Elsewhere,
    }
}

/// How `callback_key` travels to the receiver, which is not documented.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KeyPlace {
    /// Not at all.
    #[default]
    Nowhere,
    /// In a header of this name.
    Header(String),
    /// In the body under this key.
    Body(String),
}

/// The caller's own relay in front of the receiver, which signs `timestamp.body` with HMAC-SHA256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Relay {
    /// The shared secret.
    pub secret: String,
    /// Header with the seconds since 1970.
    #[serde(default = "timestamp_header")]
    pub timestamp_header: String,
    /// Header with the signature in lower-case hexadecimal.
    #[serde(default = "signature_header")]
    pub signature_header: String,
}

fn timestamp_header() -> String {
    "X-Relay-Timestamp".into()
}

fn signature_header() -> String {
    "X-Relay-Signature".into()
}

impl Relay {
    /// A relay with this secret and the headers `X-Relay-Timestamp` and `X-Relay-Signature`.
    #[must_use]
    pub fn new(secret: impl Into<String>) -> Self {
        let (timestamp_header, signature_header) = (timestamp_header(), signature_header());
        Self { secret: secret.into(), timestamp_header, signature_header }
    }
}

/// Behaviour that the contract leaves open, or permits in several forms.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), integration_sandbox::Error> {
/// use integration_sandbox::{Sandbox, legale::Envelope};
///
/// let sandbox = Sandbox::start().await?;
/// sandbox.legale().configure(|settings| settings.envelope = Envelope::Bare);
/// assert_eq!(sandbox.legale().settings().token_life_seconds, 5 * 60 * 60);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Settings {
    /// Around which answers the envelope stands.
    pub envelope: Envelope,
    /// The answer to a good login.
    pub login_answer: LoginAnswer,
    /// Status of a failed login: 400 documented, 401 and 403 observed. Default 400.
    pub login_failure_status: u16,
    /// How a refusal is written.
    pub error_shape: ErrorShape,
    /// How a page is written.
    pub list_shape: ListShape,
    /// Whether `results` of an empty page is null. Default `false`.
    pub null_results: bool,
    /// Whether empty lists inside objects are null. Default `false`.
    pub null_lists: bool,
    /// How sign URLs are written.
    pub links_shape: LinksShape,
    /// How integers are written.
    pub numbers: Numbers,
    /// How truth values are written.
    pub bools: Bools,
    /// How times are written.
    pub times: Times,
    /// Whether `GUID` is written `guid`. Default `false`.
    pub lower_case_guid: bool,
    /// Key of the attachments in answers. Default `attached_file_list`.
    pub attachments_key_out: String,
    /// Key of an attachment's content in answers. Default `base64`.
    pub attachment_content_key: String,
    /// Whether objects carry a key that no contract knows. Default `false`.
    pub unknown_keys: bool,
    /// Whether a good DELETE or approval has an empty body. Default `false`.
    pub empty_success: bool,
    /// How `document` points at the file.
    pub document_url: DocumentUrl,
    /// What GUIDs look like.
    pub guid_style: GuidStyle,
    /// Whether detail and final callback carry the file as base64. Default `true`.
    pub inline_files: bool,
    /// Whether certificate methods are shown as `bit4id` in answers. Default `false`.
    pub bit4id: bool,

    /// Order of lists.
    pub order: Order,
    /// What the page after the last one is.
    pub past_end: PastEnd,
    /// How `next` misbehaves.
    pub next_link: NextLink,
    /// Most items on a page, whatever was asked for; 0 is no cap. Default 0.
    pub page_cap: usize,

    /// Life of a session. Default 18 000 (5 h).
    pub token_life_seconds: u64,
    /// Whether a request with both credentials is served. Default `false`: 401.
    pub accept_both_credentials: bool,
    /// Key of the attachments in requests. Default `attached_file`.
    pub attachments_key_in: String,
    /// Whether `GUID` in a create replaces that document. Default `true`.
    pub guid_replaces: bool,
    /// `code` of refusals whose code is not documented. Default `ERROR_INVALID_DATA`.
    pub refusal_code: String,
    /// Whether only signers with `skip_email` get their URL in the answer. Default `true`.
    pub links_need_skip_email: bool,
    /// Whether `fea` asks for a contact with names and a valid RUT. Default `true`.
    pub fea_needs_contact: bool,
    /// Whether GET and DELETE of one contact are deployed. Default `false`.
    pub contact_by_id: bool,
    /// Whether `/sign/status` and `/sign/download` are deployed. Default `true`.
    pub sign_pages: bool,
    /// Whether the approval URL asks for credentials. Default `false`: the URL is the secret.
    pub approval_needs_credentials: bool,
    /// Whether file URLs ask for credentials. Default `false`.
    pub media_needs_credentials: bool,
    /// Life of a file URL; 0 is without end. Default 0.
    pub media_life_seconds: u64,
    /// Whether a missing or superfluous slash is answered by 301. Default `true`; else 404.
    pub slash_redirect: bool,
    /// Viewer licences that the account has. Default 5.
    pub viewer_licences: usize,
    /// Whether a template start with bad items starts the good ones. Default `false`.
    pub template_partial: bool,
    /// HTTP status of a legacy failure. Default 200.
    pub legacy_failure_status: u16,
    /// Text of a legacy document that is being signed. Default `Singing`.
    pub legacy_signing: String,
    /// Bodies above this many bytes get 413. Default 1 GiB.
    pub body_limit: u64,

    /// Where launch callbacks go, an account setting. Default none.
    pub launch_callback_url: Option<String>,
    /// Where template flows report instead of `callback_url`. Default none.
    pub data_to_api_url: Option<String>,
    /// Where the app event goes. Default none.
    pub app_event_url: Option<String>,
    /// `company_name` of launch callbacks.
    pub company_name: String,
    /// How `callback_key` travels.
    pub callback_key_place: KeyPlace,
    /// A relay that signs callbacks. Default none.
    pub relay: Option<Relay>,
    /// How often a callback is tried until the receiver answers 2xx. No retry is documented: default 1.
    pub callback_attempts: u32,
    /// Pause between the tries. Default 100.
    pub callback_pause_ms: u64,
    /// How long the receiver may take. Default 10 000.
    pub callback_timeout_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            envelope: Envelope::default(),
            login_answer: LoginAnswer::default(),
            login_failure_status: 400,
            error_shape: ErrorShape::default(),
            list_shape: ListShape::default(),
            null_results: false,
            null_lists: false,
            links_shape: LinksShape::default(),
            numbers: Numbers::default(),
            bools: Bools::default(),
            times: Times::default(),
            lower_case_guid: false,
            attachments_key_out: "attached_file_list".into(),
            attachment_content_key: "base64".into(),
            unknown_keys: false,
            empty_success: false,
            document_url: DocumentUrl::default(),
            guid_style: GuidStyle::default(),
            inline_files: true,
            bit4id: false,
            order: Order::default(),
            past_end: PastEnd::default(),
            next_link: NextLink::default(),
            page_cap: 0,
            token_life_seconds: 5 * 60 * 60,
            accept_both_credentials: false,
            attachments_key_in: "attached_file".into(),
            guid_replaces: true,
            refusal_code: "ERROR_INVALID_DATA".into(),
            links_need_skip_email: true,
            fea_needs_contact: true,
            contact_by_id: false,
            sign_pages: true,
            approval_needs_credentials: false,
            media_needs_credentials: false,
            media_life_seconds: 0,
            slash_redirect: true,
            viewer_licences: 5,
            template_partial: false,
            legacy_failure_status: 200,
            legacy_signing: "Singing".into(),
            body_limit: 1024 * 1024 * 1024,
            launch_callback_url: None,
            data_to_api_url: None,
            app_event_url: None,
            company_name: "Empresa de Prueba".into(),
            callback_key_place: KeyPlace::default(),
            relay: None,
            callback_attempts: 1,
            callback_pause_ms: 100,
            callback_timeout_ms: 10_000,
        }
    }
}
