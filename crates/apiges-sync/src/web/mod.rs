//! The wire types of the web synchronisation, both ways exactly as they travel (contract 3.6, 3.7).
//!
//! **All of it is our own design** and not the vendor's protocol.
//!
//! Rules of the wire: a field that may not be seen is absent and never null; calendar dates are [`CalendarDate`](crate::CalendarDate)
//! and instants [`Instant`]; unknown fields of an answer are ignored, unknown values of the lists are kept (`Other`); a number may
//! come as text (R4). No `Debug` of this module prints what a case file, a message or a document says.
//!
//! [`WebSyncTransport`] is the portal as the synchronisation sees it; [`HttpTransport`] reaches it by our HTTP mapping,
//! and [`MemoryTransport`] is one in memory, for tests.
//!
//! | rows | types |
//! |---|---|
//! | W01 | [`Health`], [`Limits`] |
//! | W10-W17 | [`Grant`], [`GrantPage`], [`GrantVersion`], [`Rename`], [`UnionRequest`], [`UnionPreview`], [`GrantDigest`], [`Withdrawn`] |
//! | W20-W25 | [`OpenLoad`], [`OpenSingleLoad`], [`Load`], [`Batch`], [`BatchAccepted`], [`Commit`], [`CommitTotals`], [`GuardDetails`] |
//! | W30-W33 | [`CasePush`], [`PushAnswer`], [`CaseBatch`], [`CaseBatchAnswer`], [`StoredCase`], [`ViewerFiles`] |
//! | W40-W41 | [`WithdrawalBatch`], [`WithdrawalBatchAnswer`], [`WithdrawalPage`] |
//! | W60-W62 | [`DocumentLink`], [`LinkAnswer`], [`LinkedDocuments`], [`UnlinkAnswer`] |
//! | every write | [`IdempotencyKey`] |
//! | what is hashed | [`canonical`], [`digest`] |
//! | W70-W75 | [`Message`], [`MessageStored`], [`MessagePage`], [`Receipt`], [`ReceiptStored`], [`Receipts`], [`EventPage`], [`Chain`](crate::evidence::Chain) |

mod canonical;
mod case;
mod contact;
mod digest;
mod document;
mod grant;
mod http;
mod id;
mod key;
mod load;
mod memory;
mod message;
pub(crate) mod number;
mod refusal;
mod transport;
mod view;

pub use canonical::{NotCanonical, canonical};
pub use case::{
    CaseBatch, CaseBatchAnswer, CasePush, Cause, ItemAnswer, ItemError, Projection, PushAnswer, PushOutcome,
    Reason, StoredCase, StoredWithdrawal, ViewerDocument, ViewerFile, ViewerFiles, Withdrawal,
    WithdrawalAnswer, WithdrawalBatch, WithdrawalBatchAnswer, WithdrawalItem, WithdrawalOutcome,
    WithdrawalPage, WithdrawalRecord,
};
pub use contact::{BadContact, ContactKind, ContactRef};
pub use digest::{DigestLine, digest};
pub use document::{
    DocumentLink, LinkAnswer, LinkOutcome, LinkedDocument, LinkedDocuments, UnlinkAnswer, UnlinkOutcome,
};
pub use grant::{
    AdminPair, ClosedCases, FieldBox, Grant, GrantDigest, GrantPage, GrantState, GrantVersion, Rename, Scope,
    UnionPreview, UnionRequest, Withdrawn,
};
pub(crate) use http::IDEMPOTENCY;
pub use http::{HttpTransport, HttpTransportBuilder};
pub(crate) use id::hex_bytes;
#[cfg(feature = "store")]
pub(crate) use id::uuid;
pub use id::{BadHex, BatchId, Instant, LoadId, MessageId, PreviewId, ReceiptId, Sha256};
pub use key::IdempotencyKey;
pub use load::{
    Batch, BatchAccepted, BatchItem, Commit, CommitTotals, GuardDetails, Health, Limits, Load, LoadContact,
    LoadScope, OpenLoad, OpenSingleLoad,
};
pub use memory::{Called, MemoryTransport, MemoryTransportBuilder};
pub use message::{
    Author, AuthorRole, Event, EventKind, EventPage, Message, MessagePage, MessageStored, Receipt,
    ReceiptEvent, ReceiptStored, Receipts, StoredMessage, ThreadState,
};
pub use refusal::{Refusal, RefusalCode};
pub use transport::{Blob, DocumentPlace, Expected, Part, Pending, Viewer, WebSyncTransport};
pub use view::{Description, Graphic, Labelled, View};
