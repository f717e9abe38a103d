//! Numbers without gaps (contract 9.5).

use std::fmt;

use integration_core::{BoxFuture, Error, ErrorKind, Outcome};
use integration_store::{Query, State};

use super::record::Record;
use super::series::Series;
use super::{Journal, trouble};
use crate::document::DocumentType;
use crate::number::InternalNumber;

/// What the journal knows of a series' numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Known {
    /// Numbers below the highest whose documents were refused or set aside, in ascending order: to be used first, or they stay
    /// gaps.
    pub released: Vec<InternalNumber>,
    /// The highest number that is taken: issued, open or written down, or somebody else's.
    pub highest: Option<InternalNumber>,
}

/// Says which number comes next in a series.
///
/// A number is released only when its document was proven not to be issued.
pub trait SequenceAllocator: fmt::Debug + Send + Sync + 'static {
    /// The next number of `series`. Called again if another worker took the number meanwhile.
    ///
    /// # Errors
    /// Whatever keeps a number from being had; the call then ends as not sent.
    fn next<'a>(
        &'a self,
        series: &'a Series,
        known: &'a Known,
    ) -> BoxFuture<'a, Result<InternalNumber, Error>>;
}

/// Numbers from the journal: a released one first, else the one after the highest.
///
/// ```
/// use fiscal_printer::{InternalNumber, journal::JournalSequence};
///
/// let sequence = JournalSequence::starting_at(InternalNumber::from(1001)); // numbers up to 1000 were issued elsewhere
/// ```
#[derive(Debug, Clone)]
pub struct JournalSequence(InternalNumber);

impl JournalSequence {
    /// Starts a series that the journal does not know yet at `first`, and keeps its padding.
    #[must_use]
    pub fn starting_at(first: InternalNumber) -> Self {
        Self(first)
    }
}

impl Default for JournalSequence {
    fn default() -> Self {
        Self(InternalNumber::from(1))
    }
}

impl SequenceAllocator for JournalSequence {
    fn next<'a>(&'a self, _: &'a Series, known: &'a Known) -> BoxFuture<'a, Result<InternalNumber, Error>> {
        let next = match (known.released.first(), &known.highest) {
            (Some(released), _) => Ok(released.clone()),
            (None, Some(highest)) if highest.value() >= self.0.value() => highest.next(),
            (None, _) => Ok(self.0.clone()),
        };
        Box::pin(std::future::ready(next.map_err(|cause| {
            Error::new(ErrorKind::Validation, "next number").with_outcome(Outcome::NotSent).with_source(cause)
        })))
    }
}

impl Journal {
    /// The series of this client's issuer, for documents of one type.
    ///
    /// Idempotency: no call to the service (contract 9.5).
    ///
    /// # Errors
    /// A validation error if neither the token nor the client's builder names the issuer.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// println!("{invoices:?}");
    /// # Ok(()) });
    /// ```
    pub async fn own_series(&self, kind: DocumentType) -> Result<Series, Error> {
        let rif = self.0.client.issuer().await?;
        Ok(Series::new(self.environment(), &rif, kind))
    }

    /// The number that [`issue_next`](Self::issue_next) would take now.
    ///
    /// Idempotency: no call to the service (contract 9.5).
    ///
    /// # Errors
    /// The store's failures and the allocator's.
    ///
    /// ```
    /// # mod setup { include!(concat!(env!("CARGO_MANIFEST_DIR"), "/doc/setup.rs")); }
    /// # setup::run(async |kit| {
    /// # let journal = kit.journal().await;
    /// use fiscal_printer::DocumentType;
    ///
    /// let invoices = journal.own_series(DocumentType::Invoice).await?;
    /// println!("{}", journal.next_number(&invoices).await?);
    /// # Ok(()) });
    /// ```
    pub async fn next_number(&self, series: &Series) -> Result<InternalNumber, Error> {
        let known = self.known(series).await?;
        self.0.allocator.next(series, &known).await
    }

    async fn known(&self, series: &Series) -> Result<Known, Error> {
        let outbox = &self.0.documents.outbox;
        let (mut released, mut taken) = (Vec::new(), Vec::new());
        let free = Query::of_lane(series.lane()).with_states([State::Refused, State::Dead]);
        let mut pages = outbox.pages(free);
        while let Some(page) = pages.next_page().await.map_err(trouble::before)? {
            for entry in &page {
                let record = Record::read(entry)?;
                let list = if record.releases_number() { &mut released } else { &mut taken };
                list.extend(record.number());
            }
        }
        let used = [State::Prepared, State::InFlight, State::Done, State::Unknown];
        let newest = Query::of_lane(series.lane()).with_states(used).newest_keys_first().with_limit(1);
        for entry in outbox.list(newest).await.map_err(trouble::before)? {
            taken.extend(Record::read(&entry)?.number());
        }
        let highest = taken.into_iter().max_by_key(InternalNumber::value);
        // What was refused above the highest is no gap: it comes again in its turn, or was far off.
        let below = highest.as_ref().map_or(0, InternalNumber::value);
        released.retain(|number| number.value() < below);
        released.sort_by_key(InternalNumber::value);
        Ok(Known { released, highest })
    }
}
