//! What really happened at the simulated Legale, for tests to count and for pages to show.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A document that exists, or existed, at Legale.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Document {
    /// Opaque name.
    pub guid: String,
    /// Number; a text of digits on the wire.
    pub doc_id: u64,
    /// E-mail of the account that owns it.
    pub owner: String,
    /// How it came in.
    pub origin: Origin,
    /// As it was sent.
    pub file_name: String,
    /// As it was sent.
    pub description: String,
    /// As it was sent.
    pub subject: Option<String>,
    /// Folder path without `root/`; empty for the root.
    pub folder: String,
    /// Where the final callback goes.
    pub callback_url: Option<String>,
    /// Secret that the receiver expects, as it was sent.
    pub callback_key: Option<String>,
    /// Free text, only echoed in callbacks.
    pub document_type: Option<String>,
    /// Free text, only echoed in callbacks.
    pub note: Option<String>,
    /// Free text, only echoed in callbacks.
    pub date: Option<String>,
    /// Text of a rejection.
    pub comment: Option<String>,
    /// 0 not signed, 1 signed, 2 rejected.
    pub sign_status: u8,
    /// Where the flow is, derived now.
    pub state: FlowState,
    /// `priority` or `simultaneously`; none before a start.
    pub flow_type: Option<String>,
    /// Days that the links live.
    pub expiration_days: Option<u64>,
    /// How often a start was accepted; more than 1 never happens by the API.
    pub starts: u32,
    /// Signers in the order of the request.
    pub signers: Vec<Signer>,
    /// E-mails that get the result as well.
    pub shared_with: Vec<String>,
    /// The file as it came in.
    pub file: FileRecord,
    /// The file after the last signature.
    pub signed_file: Option<FileRecord>,
    /// Attachments.
    pub attachments: Vec<FileRecord>,
    /// How often its file was handed out by URL.
    pub downloads: u64,
    /// How often its file was replaced by a create with its `GUID`.
    pub replacements: u32,
    /// Whether it is deleted once its final callback was accepted.
    pub delete_after_callback: bool,
    /// When it came in, `2021-10-19T16:05:44.158662Z`.
    pub created_at: String,
    /// When its flow was started.
    pub started_at: Option<String>,
    /// When its flow ended.
    pub finished_at: Option<String>,
}

/// A file's name, size and digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FileRecord {
    /// As it was sent.
    pub file_name: String,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: String,
}

/// How a document came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Origin {
    /// `POST /document/create`
    Api,
    /// Uploaded in the web app: listed, but its detail is refused.
    WebApp,
    /// A smart document.
    Template,
    /// `POST /migrate/document/`
    Migration,
    /// The older API; not seen by the newer one.
    Legacy,
}

/// Where a document's flow is (contract, section 4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FlowState {
    /// No flow was started.
    Uploaded,
    /// Started, and somebody has still to act.
    InProgress,
    /// Stopped for a while in the web app.
    Paused,
    /// The links are too old; an administrator may extend them.
    LinkExpired,
    /// Everybody signed.
    Signed,
    /// Somebody rejected.
    Rejected,
    /// Ended in the web app, for good.
    Terminated,
    /// Deleted.
    Deleted,
}

/// A signer or approver of a flow.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Signer {
    /// 1 is the first of the list.
    pub number: usize,
    /// Where he is.
    pub state: SignerState,
    /// E-mail.
    pub email: String,
    /// Name, as it was sent.
    pub firstname: String,
    /// Name, as it was sent.
    pub lastname1: String,
    /// Name, as it was sent.
    pub lastname2: String,
    /// Phone, as it was sent.
    pub phone: String,
    /// Who he is; none where the request has no such field.
    pub sign_flow: Option<String>,
    /// How he signs.
    pub sign_method: String,
    /// His page, or the URL that approves by API; none for those who sign inside Legale.
    pub link: Option<String>,
    /// Where his steps are reported.
    pub status_callback_url: Option<String>,
    /// Whether Legale sends him no mail.
    pub skip_email: bool,
    /// When he signed or rejected.
    pub acted_at: Option<String>,
}

/// Where a signer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SignerState {
    /// Not his turn yet, or he has not looked.
    Pending,
    /// He has opened his page.
    Opened,
    /// Signed or approved.
    Signed,
    /// Rejected.
    Rejected,
}

/// What a signer does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// Looks at the document.
    Open,
    /// Signs or approves it.
    Sign,
    /// Rejects it.
    Reject,
}

/// Why a signer could not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum StepRefused {
    /// No document has this GUID.
    #[error("there is no such document")]
    NoDocument,
    /// The flow has no signer of this number; 1 is the first.
    #[error("there is no such signer: 1 is the first of the list")]
    NoSigner,
    /// No flow was started.
    #[error("no flow was started")]
    NotStarted,
    /// A signer before him has not signed yet.
    #[error("a signer before him has not signed yet")]
    NotHisTurn,
    /// He has signed or rejected already.
    #[error("he has signed or rejected already")]
    AlreadyActed,
    /// The flow is signed, rejected, terminated or its document deleted.
    #[error("the flow has ended")]
    Ended,
    /// The flow is paused.
    #[error("the flow is paused")]
    Paused,
    /// The links are too old.
    #[error("the links have expired")]
    Expired,
}

/// An attempt to log in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Login {
    /// E-mail that was given.
    pub email: String,
    /// Whether a session was made.
    pub accepted: bool,
    /// When.
    pub at: String,
}

/// A mail that Legale sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Mail {
    /// To whom.
    pub to: String,
    /// Of which document.
    pub guid: String,
    /// Why: `invitation` or `signed_copy`.
    pub reason: String,
    /// The link in it.
    pub link: Option<String>,
}

/// A contact.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Contact {
    /// Number.
    pub id: u64,
    /// E-mail of the account it belongs to.
    pub owner: String,
    /// Unique per account, without case.
    pub email: String,
    /// First name.
    pub firstname: String,
    /// First last name.
    pub lastname1: String,
    /// Second last name.
    pub lastname2: Option<String>,
    /// As it was sent.
    pub company_email: Option<String>,
    /// As it was sent.
    pub phone: Option<String>,
    /// As it was sent: the service does not check it.
    pub rut: Option<String>,
    /// Shown among the users.
    pub is_user: bool,
    /// Uses a viewer licence.
    pub is_external: bool,
    /// When it was made.
    pub created_at: String,
    /// When it was changed.
    pub updated_at: String,
}

/// A kind of callback (contract, section 4.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallbackKind {
    /// A flow ended.
    Sign,
    /// A flow started.
    Launch,
    /// A template flow started.
    DataToApiLaunch,
    /// A template flow ended.
    DataToApiSign,
    /// A signer opened, signed or rejected.
    SignerStatus,
    /// A workflow finished, as the web app reports it.
    AppEvent,
    /// Written by the test.
    Custom,
}

impl CallbackKind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Sign,
        Self::Launch,
        Self::DataToApiLaunch,
        Self::DataToApiSign,
        Self::SignerStatus,
        Self::AppEvent,
        Self::Custom,
    ];
}

/// A callback, and what its receiver said.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Callback {
    /// 1 is the first since the last reset.
    pub number: usize,
    /// What it reports.
    pub kind: CallbackKind,
    /// Of which document.
    pub guid: String,
    /// Where it goes.
    pub url: String,
    /// The body, with a note in the place of a large file.
    pub body: String,
    /// Name of the fault that struck it.
    pub fault: Option<String>,
    /// Every time it was posted, twins and forgeries included.
    pub attempts: Vec<Attempt>,
    /// Whether nothing more will be tried.
    pub finished: bool,
}

impl Callback {
    /// Whether a receiver answered 2xx.
    #[must_use]
    pub fn accepted(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.genuine && attempt.is_accepted())
    }
}

/// One posting of a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Attempt {
    /// When.
    pub at: String,
    /// Whether it was the true callback; forgeries are not.
    pub genuine: bool,
    /// Status of the answer.
    pub status: Option<u16>,
    /// The first bytes of the answer.
    pub answer: String,
    /// Why there is no answer.
    pub error: Option<String>,
}

impl Attempt {
    pub(crate) fn is_accepted(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// One way to spoil a callback.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CallbackFault {
    /// Never posted.
    Lost,
    /// Posted this many times more, whatever the receiver answers.
    Duplicate {
        /// How many times more.
        copies: u32,
    },
    /// Posted after this delay; others overtake it.
    Late {
        /// In JSON `delay_ms`, milliseconds.
        #[serde(rename = "delay_ms", with = "crate::fault::millis")]
        delay: Duration,
    },
    /// Posted when the test releases it: out of order without a clock.
    Hold,
    /// A forgery with the opposite result comes first, to the right URL, without a good key or signature.
    ForgedTwin,
    /// A forgery comes instead.
    ForgedInstead,
    /// The same body to a URL whose last character differs comes first.
    WrongUrlTwin,
    /// One byte of the body differs from what was signed.
    Changed,
    /// The key differs.
    WrongKey,
    /// The relay's time stamp, which its signature covers, is this much too old.
    Stale {
        /// Seconds.
        seconds: u64,
    },
    /// The body is not JSON.
    NotJson,
    /// The body is followed by spaces up to this length.
    Oversized {
        /// Bytes.
        bytes: u64,
    },
    /// The connection ends in the middle of the body.
    Cut,
}

impl CallbackFault {
    /// One of each, for the control API's help.
    pub(crate) fn examples() -> Vec<Self> {
        vec![
            Self::Lost,
            Self::Duplicate { copies: 2 },
            Self::Late { delay: Duration::from_millis(500) },
            Self::Hold,
            Self::ForgedTwin,
            Self::ForgedInstead,
            Self::WrongUrlTwin,
            Self::Changed,
            Self::WrongKey,
            Self::Stale { seconds: 3600 },
            Self::NotJson,
            Self::Oversized { bytes: 200_000_000 },
            Self::Cut,
        ]
    }

    /// The name used by the control API, such as `forged_twin`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Duplicate { .. } => "duplicate",
            Self::Late { .. } => "late",
            Self::Hold => "hold",
            Self::ForgedTwin => "forged_twin",
            Self::ForgedInstead => "forged_instead",
            Self::WrongUrlTwin => "wrong_url_twin",
            Self::Changed => "changed",
            Self::WrongKey => "wrong_key",
            Self::Stale { .. } => "stale",
            Self::NotJson => "not_json",
            Self::Oversized { .. } => "oversized",
            Self::Cut => "cut",
        }
    }
}

/// A request that reached Legale.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// The operation; none if there is no such path.
    pub endpoint: Option<super::Endpoint>,
    /// Status that was written; none if the connection ended without one, or the answer is still to come.
    pub status: Option<u16>,
    /// `code` of the honest answer, whether or not a fault kept it from the client.
    pub code: Option<String>,
    /// Name of the rule that refused it, such as `pair`.
    pub rule: Option<String>,
    /// Name of the fault that struck, see [`Fault::name`](crate::Fault::name).
    pub fault: Option<String>,
    /// Whether it changed anything.
    pub acted: bool,
    /// The body, with a note in the place of every large file; a login's is not kept.
    pub body: String,
    /// Length of the body as it came in.
    pub body_bytes: u64,
    /// When it was read.
    pub received_at: String,
}
