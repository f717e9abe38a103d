//! Proof that nobody edited the journal: the store links every line of a series to the one before it.

use std::collections::BTreeMap;

use integration_core::{Error, ErrorKind, Outcome};
use integration_store::VerifyError;

use super::{Journal, trouble};

/// What [`Journal::verify`] found in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChainReport {
    /// How many series have lines.
    pub series: u64,
    /// How many lines were verified.
    pub lines: u64,
    /// The newest link of each series. **Note these somewhere else**: who can write the database can also recompute the chain, but
    /// not what was noted outside.
    pub tips: BTreeMap<String, String>,
}

impl Journal {
    /// Verifies the hash chain of every series and every document's standing against it.
    ///
    /// Idempotency: no call to the service (contract 9.1).
    ///
    /// # Errors
    /// [`Store`](ErrorKind::Store) naming the first broken line: series, position, document and what is wrong with it; or the
    /// store's failures.
    ///
    /// ```
    /// # use fiscal_printer::{Client, Environment, journal::Journal};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let client = Client::builder().environment(Environment::custom("http://127.0.0.1:1")?).token("t").build()?;
    /// # let journal = Journal::builder(client, &integration_store::Store::open("memory:").await?).build()?;
    /// let report = journal.verify().await?;
    /// assert_eq!(report.lines, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn verify(&self) -> Result<ChainReport, Error> {
        match self.0.documents.outbox.verify().await {
            Ok(chain) => {
                let tips = chain.tips.into_iter().map(|(lane, tip)| (lane, tip.link.to_string())).collect();
                Ok(ChainReport { series: chain.lanes, lines: chain.lines, tips })
            }
            Err(VerifyError::Store(error)) => Err(trouble::before(error)),
            Err(broken) => Err(Error::new(ErrorKind::Store, "verify")
                .with_outcome(Outcome::NotSent)
                .with_message(broken.to_string())
                .with_hint("the journal was changed by something else since then; compare it with a copy")
                .with_source(broken)),
        }
    }
}
