//! The two portals, what is done on them from the other side, and the values of section 3.6.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use apiges_sync::web::*;
use apiges_sync::{Error, ManualClock};
use integration_sandbox::websync::{ReceiptEvent as Happened, Row, WebSync};
use integration_sandbox::{Fault, Sandbox};
use serde_json::{Value, json};

pub(crate) const LIMITS: Limits = Limits { blob_bytes: 4096, batch_items: 5, body_bytes: 1 << 20 };
pub(crate) const PAGE: usize = 4;

/// What happens on the portal's side.
pub(crate) trait Acts: Sync {
    fn advance(&self, by: Duration);
    fn lose_the_answer_of_the_next_push(&self);
    fn refuse_the_next_call_with(&self, status: u16);
    fn viewer_writes(&self, case: u64, viewer: &ContactRef, text: &str) -> Option<MessageId>;
    fn viewer_receives(
        &self,
        message: &MessageId,
        viewer: &ContactRef,
        event: ReceiptEvent,
    ) -> Option<ReceiptId>;
    fn hide(&self, place: &DocumentPlace);
}

pub(crate) struct Memory {
    pub(crate) transport: MemoryTransport,
    clock: ManualClock,
}

impl Memory {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let builder = MemoryTransport::builder("demo").limits(LIMITS).page_items(PAGE as u32);
        Self { transport: builder.clock(clock.clone()).build(), clock }
    }
}

impl Acts for Memory {
    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn lose_the_answer_of_the_next_push(&self) {
        self.transport.lose_next_answer();
    }

    fn refuse_the_next_call_with(&self, status: u16) {
        self.transport.refuse_next(status, RefusalCode::Refused);
    }

    fn viewer_writes(&self, case: u64, viewer: &ContactRef, text: &str) -> Option<MessageId> {
        self.transport.viewer_writes(case, viewer, text)
    }

    fn viewer_receives(
        &self,
        message: &MessageId,
        viewer: &ContactRef,
        event: ReceiptEvent,
    ) -> Option<ReceiptId> {
        self.transport.viewer_receives(message, viewer, event)
    }

    fn hide(&self, place: &DocumentPlace) {
        self.transport.mark_hidden(place, true);
    }
}

pub(crate) struct Simulated {
    pub(crate) transport: HttpTransport,
    portal: WebSync,
    _sandbox: Sandbox,
}

impl Simulated {
    pub(crate) async fn start() -> Self {
        let sandbox = Sandbox::start().await.unwrap();
        let portal = sandbox.websync().clone();
        portal.configure(|settings| {
            settings.blob_bytes = LIMITS.blob_bytes as usize;
            settings.batch_items = LIMITS.batch_items as usize;
            settings.body_bytes = LIMITS.body_bytes as usize;
            settings.page_items = PAGE;
        });
        let builder = HttpTransport::builder().base_url(portal.base_url()).unwrap();
        let transport = builder.tenant(portal.tenant()).credential(portal.token()).build().unwrap();
        Self { transport, portal, _sandbox: sandbox }
    }
}

fn theirs(contact: &ContactRef) -> integration_sandbox::websync::ContactRef {
    integration_sandbox::websync::ContactRef::new(contact.kind().as_str(), contact.code())
}

impl Acts for Simulated {
    fn advance(&self, by: Duration) {
        self.portal.advance_clock(by);
    }

    fn lose_the_answer_of_the_next_push(&self) {
        self.portal.inject(Row::W30, Fault::ActThenReset);
    }

    fn refuse_the_next_call_with(&self, status: u16) {
        match status {
            401 => self.portal.set_token("another"),
            _ => self.portal.configure(|settings| settings.forbidden = true),
        }
    }

    fn viewer_writes(&self, case: u64, viewer: &ContactRef, text: &str) -> Option<MessageId> {
        let case = i64::try_from(case).unwrap();
        self.portal.viewer_writes(case, &theirs(viewer), text).map(MessageId::new)
    }

    fn viewer_receives(
        &self,
        message: &MessageId,
        viewer: &ContactRef,
        event: ReceiptEvent,
    ) -> Option<ReceiptId> {
        let event = match event {
            ReceiptEvent::Read => Happened::Read,
            ReceiptEvent::Acknowledged => Happened::Acknowledged,
            _ => Happened::Delivered,
        };
        self.portal.viewer_receives(message.as_str(), &theirs(viewer), event).map(ReceiptId::new)
    }

    fn hide(&self, place: &DocumentPlace) {
        let case = i64::try_from(place.case).unwrap();
        self.portal.mark_hidden(case, &place.annotation, &place.document, true);
    }
}

/// A key that no other write has.
pub(crate) fn key() -> IdempotencyKey {
    static LAST: AtomicU64 = AtomicU64::new(0);
    IdempotencyKey::stored(format!("key-{}", LAST.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn client(code: &str) -> ContactRef {
    ContactRef::client(code).unwrap()
}

pub(crate) fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn at(second: u32) -> Instant {
    format!("2026-03-02T10:15:{second:02}.000Z").parse().unwrap()
}

/// An active grant of a contact's own files that shows no box.
pub(crate) fn grant_of(contact: &ContactRef) -> Grant {
    read(json!({
        "contact": contact, "contactId": 1, "state": "active", "version": 0, "scope": {"type": "own"}, "show": [],
        "excludedModalities": [], "admin": null, "closedCases": "withdraw", "lang": "es",
    }))
}

/// Creates grants of these clients.
pub(crate) async fn granted<const N: usize>(
    portal: &dyn WebSyncTransport,
    codes: [&str; N],
) -> [ContactRef; N] {
    let contacts = codes.map(client);
    for contact in &contacts {
        portal.put_grant(&grant_of(contact), Expected::Absent, &key()).await.unwrap();
    }
    contacts
}

/// A view with a number, and a key if it is given.
pub(crate) fn view(number: &str, clave: Option<&str>) -> View {
    View { numero: Some(number.to_owned()), clave: clave.map(str::to_owned), ..View::default() }
}

pub(crate) struct Pushed(CasePush);

/// A push of a file, with as high a sequence as its version.
pub(crate) fn push(case_id: u64, version: u64) -> Pushed {
    Pushed(CasePush {
        case_id,
        version,
        sequence: version,
        saved_at: at(4),
        cause: Cause::Saved,
        projections: Vec::new(),
        withdrawals: Vec::new(),
    })
}

impl Pushed {
    pub(crate) fn sequence(mut self, sequence: u64) -> Self {
        self.0.sequence = sequence;
        self
    }

    pub(crate) fn shows(mut self, grant: &ContactRef, view: View) -> Self {
        self.0.projections.push(Projection { grant: grant.clone(), holder: grant.clone(), view });
        self
    }

    pub(crate) fn takes(mut self, grant: &ContactRef, reason: Reason) -> Self {
        self.0.withdrawals.push(Withdrawal { grant: grant.clone(), reason });
        self
    }

    pub(crate) fn value(self) -> CasePush {
        self.0
    }

    pub(crate) async fn send(self, portal: &dyn WebSyncTransport) -> Result<PushAnswer, Error> {
        portal.push(&self.0, &key()).await
    }

    /// The outcome, and the version that is there then.
    pub(crate) async fn outcome(self, portal: &dyn WebSyncTransport) -> (PushOutcome, u64) {
        let answer = self.send(portal).await.unwrap();
        (answer.outcome, answer.stored_version)
    }
}

/// What a contact sees now: file and view.
pub(crate) async fn seen(portal: &dyn WebSyncTransport, contact: &ContactRef) -> Vec<(u64, View)> {
    files(portal, Viewer::Contact(contact.clone())).await
}

pub(crate) async fn files(portal: &dyn WebSyncTransport, viewer: Viewer) -> Vec<(u64, View)> {
    let files = portal.view(&viewer).await.unwrap();
    files.items.into_iter().map(|file| (file.case_id, file.view)).collect()
}

/// The code with which a call was refused; the outcome says that nothing was done.
#[track_caller]
pub(crate) fn refused<T: std::fmt::Debug>(result: Result<T, Error>) -> RefusalCode {
    let error = result.unwrap_err();
    assert!(!error.is_outcome_unknown(), "{error}");
    Refusal::of(&error).unwrap_or_else(|| panic!("{error}")).code.clone()
}

/// The kind of an error, for refusals whose code the contract does not name.
#[track_caller]
pub(crate) fn kind<T: std::fmt::Debug>(result: Result<T, Error>) -> apiges_sync::ErrorKind {
    result.unwrap_err().kind()
}
