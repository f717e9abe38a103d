//! Looking up what was issued: by number, date, state, type.

use std::ops::RangeInclusive;

use integration_core::Error;
use integration_store::{Pages, Query, State};
use jiff::Timestamp;

use super::entry::{DocumentState, JournalEntry};
use super::series::Series;
use super::{Journal, trouble};
use crate::document::DocumentType;
use crate::number::InternalNumber;

/// What to look for; everything of the journal's service unless narrowed down.
///
/// ```
/// use fiscal_printer::{DocumentType, journal::{DocumentState, Search}};
///
/// let search = Search::new().kind(DocumentType::Invoice).state(DocumentState::Issued).numbers(100..=200);
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Search {
    series: Option<Series>,
    kind: Option<DocumentType>,
    states: Vec<DocumentState>,
    numbers: Option<RangeInclusive<u64>>,
    from: Option<Timestamp>,
    before: Option<Timestamp>,
}

impl Search {
    /// Everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only this series; the fastest way to narrow a search down.
    pub fn series(mut self, series: &Series) -> Self {
        self.series = Some(series.clone());
        self
    }

    /// Only documents of this type.
    pub fn kind(mut self, kind: DocumentType) -> Self {
        self.kind = Some(kind);
        self
    }

    /// Only documents in this state, or in one of several when called more than once.
    pub fn state(mut self, state: DocumentState) -> Self {
        self.states.push(state);
        self
    }

    /// Only these internal numbers.
    pub fn numbers(mut self, numbers: RangeInclusive<u64>) -> Self {
        self.numbers = Some(numbers);
        self
    }

    /// Only documents that were first written down at this moment or later.
    pub fn created_from(mut self, from: Timestamp) -> Self {
        self.from = Some(from);
        self
    }

    /// Only documents that were first written down before this moment.
    pub fn created_before(mut self, before: Timestamp) -> Self {
        self.before = Some(before);
        self
    }

    fn query(&self, environment: &str) -> Query {
        let states: Vec<State> = self.states.iter().map(|state| state.stored()).collect();
        let mut query = Query::in_states(states);
        match &self.series {
            Some(series) => query.lane = Some(series.lane()),
            None => query.key_prefix = Some(Series::lane_prefix(environment, None)),
        }
        query.created_from = self.from;
        query.created_before = self.before;
        query
    }

    fn matches(&self, entry: &JournalEntry) -> bool {
        let value = entry.internal_number().map(|number| number.value());
        self.kind.is_none_or(|kind| entry.kind() == Some(kind))
            && self.numbers.as_ref().is_none_or(|numbers| value.is_some_and(|value| numbers.contains(&value)))
    }
}

/// What a search finds, page by page, in the order in which documents were first written down.
#[derive(Debug)]
pub struct Found {
    journal: Journal,
    search: Search,
    pages: Pages,
}

impl Found {
    /// The next documents; `None` after the last. A page may be short, never empty.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// The store's failures; calling again goes on where it failed.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// use fiscal_printer::journal::Search;
    ///
    /// let mut found = journal.search(Search::new());
    /// while let Some(page) = found.next_page().await? {
    ///     println!("{} documents", page.len());
    /// }
    /// # Ok(()) });
    /// ```
    pub async fn next_page(&mut self) -> Result<Option<Vec<JournalEntry>>, Error> {
        while let Some(page) = self.pages.next_page().await.map_err(trouble::before)? {
            let mut found = Vec::new();
            for entry in page {
                let entry = JournalEntry::read(entry)?;
                if self.search.matches(&entry) {
                    found.push(self.journal.complete(entry).await?);
                }
            }
            if !found.is_empty() {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Everything that is left, in memory.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// As [`next_page`](Self::next_page).
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// use fiscal_printer::journal::Search;
    ///
    /// assert!(journal.search(Search::new()).all().await?.is_empty());
    /// # Ok(()) });
    /// ```
    pub async fn all(mut self) -> Result<Vec<JournalEntry>, Error> {
        let mut all = Vec::new();
        while let Some(page) = self.next_page().await? {
            all.extend(page);
        }
        Ok(all)
    }
}

impl Journal {
    /// A document by its number.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// The store's failures.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let (invoice, journal) = (kit.invoice(1), kit.journal().await);
    /// # journal.issue(&invoice).await?;
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// assert!(journal.find(&invoices, &1.into()).await?.is_some());
    /// # Ok(()) });
    /// ```
    pub async fn find(
        &self,
        series: &Series,
        number: &InternalNumber,
    ) -> Result<Option<JournalEntry>, Error> {
        let found = self.0.documents.outbox.find(&series.key(number)).await.map_err(trouble::before)?;
        match found {
            Some(entry) => Ok(Some(self.complete(JournalEntry::read(entry)?).await?)),
            None => Ok(None),
        }
    }

    /// Documents by what is known of them, page by page.
    ///
    /// ```
    /// # use fiscal_printer::{Client, Environment, journal::Journal};
    /// use fiscal_printer::journal::{DocumentState, Search};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder().environment(Environment::custom("http://127.0.0.1:1")?).token("t").build()?;
    /// # let journal = Journal::builder(client, &integration_store::Store::open("memory:").await?).build()?;
    /// let mut found = journal.search(Search::new().state(DocumentState::Issued));
    /// while let Some(page) = found.next_page().await? {
    ///     page.iter().for_each(|entry| println!("{} {:?}", entry.number(), entry.control_text()));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn search(&self, search: Search) -> Found {
        let pages = self.0.documents.outbox.pages(search.query(self.environment()));
        Found { journal: self.clone(), search, pages }
    }

    /// Adds what only the history and the follow-ups tell; looked up only where there can be something.
    pub(super) async fn complete(&self, entry: JournalEntry) -> Result<JournalEntry, Error> {
        let lacks_control = entry.state() == DocumentState::Issued && entry.control_text().is_none();
        let may_be_on_paper = matches!(entry.state(), DocumentState::Unknown | DocumentState::Discarded);
        let entry = if lacks_control || may_be_on_paper {
            let history = self.0.documents.outbox.history(entry.entry.id).await.map_err(trouble::before)?;
            entry.with_history(&history)
        } else {
            entry
        };
        let annulled = self.is_annulled(&entry).await?;
        Ok(entry.with_annulment(annulled))
    }
}
