//! One look at the service for a tracker. The order of the list is not documented, so all pages are read; details are fetched for
//! changed documents only; what is missing from the list is asked for before it counts as deleted.

use std::collections::BTreeSet;

use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use jiff::Timestamp;

use super::tracker::{Known, Tracker};
use super::{Event, Observation, Source};
use crate::id::DocumentId;
use crate::seen::{Refetch, Seen};
use crate::status::SignStatus;

/// More pages are not believed (contract 3.9).
const PAGE_LIMIT: u32 = 10_000;

/// What the list says of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// Which one.
    pub document: DocumentId,
    /// Whether it is signed.
    pub sign_status: SignStatus,
    /// Why it was rejected.
    pub comment: Option<String>,
    /// When it was uploaded.
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Option<Timestamp>,
}

impl Listed {
    /// A document in this state of which nothing else is known.
    #[must_use]
    pub const fn new(document: DocumentId, sign_status: SignStatus) -> Self {
        Self { document, sign_status, comment: None, created_at: None, updated_at: None }
    }

    /// Says when it was uploaded and last changed.
    #[must_use]
    pub const fn with_times(mut self, created: Option<Timestamp>, updated: Option<Timestamp>) -> Self {
        self.created_at = created;
        self.updated_at = updated;
        self
    }
}

/// One page of the list.
#[derive(Debug, Clone, Default)]
pub struct ListedPage {
    /// The documents on it.
    pub items: Vec<Listed>,
    /// Whether the service says that there is another page.
    pub has_next: bool,
}

/// Lists documents and looks at them; the client does it by GET `/documents/` and GET `/document/get/{GUID}`.
pub trait Documents: Refetch {
    /// One page, from 1.
    ///
    /// # Errors
    /// Any failure to ask.
    fn page(&self, page: u32) -> BoxFuture<'_, Result<ListedPage, Error>>;
}

/// What a look brought.
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct PollReport {
    /// What happened since the last look, by document.
    pub events: Vec<Event>,
    /// Documents that could not be asked for; they are asked for again at the next look.
    pub failed: Vec<(DocumentId, Error)>,
    /// How many details were fetched.
    pub details: usize,
}

/// Looks at the service once and feeds the tracker. Only documents that it follows are looked at.
///
/// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 4.11).
///
/// # Errors
/// A page could not be read, or there were more than 10 000: then nothing counts as missing. What the pages before it told has been
/// taken in.
///
/// ```
/// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
/// # setup::run(async |kit| {
/// # let (guid, client) = (kit.guid().await, kit.client);
/// use legale::tracking::{Tracker, poll};
///
/// let tracker = Tracker::new();
/// tracker.watch(&guid);
/// let report = poll(&tracker, &client, client.clock().wall()).await?;
/// println!("{report:?}");
/// # Ok(()) });
/// ```
pub async fn poll(tracker: &Tracker, documents: &dyn Documents, now: Timestamp) -> Result<PollReport, Error> {
    let followed: BTreeSet<DocumentId> = tracker.followed().into_iter().collect();
    let mut look = Look { tracker, documents, now, report: PollReport::default() };
    let mut seen = BTreeSet::new();
    let mut number = 1;
    loop {
        let page = documents.page(number).await?;
        let mut has_news = false;
        for item in page.items {
            has_news |= seen.insert(item.document.clone());
            if followed.contains(&item.document) {
                look.item(item).await;
            }
        }
        if !page.has_next || !has_news {
            break;
        }
        number = next_page(number)?;
    }
    for document in followed.difference(&seen) {
        look.missing(document).await;
    }
    Ok(look.report)
}

fn next_page(number: u32) -> Result<u32, Error> {
    if number < PAGE_LIMIT {
        return Ok(number.saturating_add(1));
    }
    Err(Error::new(ErrorKind::UnexpectedAnswer, "list documents")
        .with_outcome(Outcome::ReadOnly)
        .with_message("more than 10 000 pages")
        .with_hint("the list does not end; ask the vendor"))
}

struct Look<'a> {
    tracker: &'a Tracker,
    documents: &'a dyn Documents,
    now: Timestamp,
    report: PollReport,
}

impl Look<'_> {
    async fn item(&mut self, item: Listed) {
        let known = self.tracker.known(&item.document);
        if known.is_some_and(|known| known.is_list_only) {
            return self.observe(&item.document.clone(), Observation::Listed(item));
        }
        if known.is_none_or(|known| is_changed(&known, &item)) {
            return self.detail(item).await;
        }
        self.observe(&item.document, Observation::Tick);
    }

    async fn detail(&mut self, item: Listed) {
        self.report.details = self.report.details.saturating_add(1);
        match self.documents.look(&item.document).await {
            Ok(seen) => {
                let is_denied = matches!(seen, Seen::Denied { .. });
                let document = item.document.clone();
                self.observe(&document, Observation::Seen(seen));
                if is_denied {
                    self.observe(&document, Observation::Listed(item));
                }
            }
            Err(error) => self.report.failed.push((item.document, error)),
        }
    }

    /// Not on any page, which alone proves nothing: pages drift while they are read.
    async fn missing(&mut self, document: &DocumentId) {
        if self.tracker.known(document).is_some_and(|known| known.is_final) {
            return;
        }
        self.report.details = self.report.details.saturating_add(1);
        match self.documents.look(document).await {
            Ok(seen) => self.observe(document, Observation::Seen(seen)),
            Err(error) => self.report.failed.push((document.clone(), error)),
        }
    }

    fn observe(&mut self, document: &DocumentId, observation: Observation) {
        let events = self.tracker.observe(document, self.now, Source::Poll, observation);
        self.report.events.extend(events);
    }
}

fn is_changed(known: &Known, item: &Listed) -> bool {
    item.updated_at.is_none()
        || known.updated_at != item.updated_at
        || known.sign_status != Some(item.sign_status)
}
