//! Testing a connection: encryption, login, comparison codes, catalogues; nothing is written.
//!
//! The rule enforced here: every finding is told, each typed, and one that fails does not hide the others.

use integration_core::Error;

use crate::catalogue::Catalogue;
use crate::client::{Client, leaves_plain};
use crate::pair::{Comparison, Pair};

/// What one look found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Finding {
    /// What is sent leaves this machine unencrypted (trap 4).
    Unencrypted {
        /// To this host.
        host: String,
    },
    /// The login works.
    LoggedIn,
    /// The login does not work; nothing else was tried.
    LoginFailed(Error),
    /// A catalogue can be read.
    CatalogueRead {
        /// Which.
        catalogue: Catalogue,
        /// How many entries it has.
        entries: usize,
    },
    /// A catalogue cannot be read.
    CatalogueUnread {
        /// Which.
        catalogue: Catalogue,
        /// Why.
        error: Error,
    },
    /// `GET /filtros` does not name a comparison that this crate's searches use.
    ComparisonMissing(Comparison),
    /// Searches are not declared complete: nothing is ever withdrawn because it was not found (trap 25).
    SearchesOfUnknownCompleteness,
}

impl Finding {
    /// Whether work will fail because of it.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::LoginFailed(_) | Self::CatalogueUnread { .. } | Self::ComparisonMissing(_))
    }
}

impl Client {
    /// Tests the connection: login, `/filtros` and these catalogues. Writes nothing; every call may be repeated.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 2.1, 3.3).
    ///
    /// ```no_run
    /// # async fn run(client: apiges_sync::Client) {
    /// use apiges_sync::Catalogue;
    ///
    /// for finding in client.check([Catalogue::Modalities]).await {
    ///     println!("{} {finding:?}", if finding.is_fatal() { "FAILS" } else { "note" });
    /// }
    /// # }
    /// ```
    pub async fn check(&self, catalogues: impl IntoIterator<Item = Catalogue>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if leaves_plain(self.base()) {
            findings.push(Finding::Unencrypted { host: self.base().host().to_owned() });
        }
        if let Err(error) = self.log_in().await {
            findings.push(Finding::LoginFailed(error));
            return findings;
        }
        findings.push(Finding::LoggedIn);
        for catalogue in std::iter::once(Catalogue::Filters).chain(catalogues) {
            findings.extend(self.look(catalogue).await);
        }
        if !self.assumptions().searches_are_complete {
            findings.push(Finding::SearchesOfUnknownCompleteness);
        }
        findings
    }

    async fn look(&self, catalogue: Catalogue) -> Vec<Finding> {
        match self.catalogue(catalogue).await {
            Err(error) => vec![Finding::CatalogueUnread { catalogue, error }],
            Ok(entries) => {
                let read = Finding::CatalogueRead { catalogue, entries: entries.len() };
                let missing = (catalogue == Catalogue::Filters).then(|| missing(&entries));
                std::iter::once(read).chain(missing.into_iter().flatten()).collect()
            }
        }
    }
}

fn missing(entries: &[Pair]) -> impl Iterator<Item = Finding> + use<> {
    let there = |comparison: &&Comparison| entries.iter().any(|entry| entry.code == comparison.as_str());
    let missing: Vec<_> =
        Comparison::LISTED.iter().filter(|comparison| !there(comparison)).cloned().collect();
    missing.into_iter().map(Finding::ComparisonMissing)
}
