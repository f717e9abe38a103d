//! Testing a connection (contract 4.1, I4): log in, look at the columns of every selected feature, write nothing.
//!
//! The rule enforced here: every finding is told, each typed, and one that fails does not hide the others.

use std::fmt;

use integration_core::Error;

use crate::client::Client;
use crate::feature::Feature;
use crate::record::configured;
use crate::schema::Schema;

/// What one look found.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Finding {
    /// The login works.
    LoggedIn,
    /// The login does not work; nothing else was tried.
    LoginFailed(Error),
    /// A feature can be described.
    Described {
        /// Which.
        feature: Feature,
        /// How many columns it has.
        columns: usize,
    },
    /// A feature cannot be described.
    NotDescribed {
        /// Which.
        feature: Feature,
        /// Why.
        error: Error,
    },
    /// A column that is needed is not there.
    ColumnMissing {
        /// Of which feature.
        feature: Feature,
        /// Its name, as configured.
        column: String,
        /// Without it nothing of the feature can be read.
        vital: bool,
    },
    /// A column that is needed is there more than once.
    ColumnAmbiguous {
        /// Of which feature.
        feature: Feature,
        /// Its name, as configured.
        column: String,
    },
    /// No change column is configured: every run reads everything.
    ChangeColumnUnset {
        /// Of which feature.
        feature: Feature,
        /// Columns that may be it, by their names. Somebody has to choose.
        candidates: Vec<String>,
    },
}

impl Finding {
    /// Whether reading will fail because of it.
    #[must_use]
    pub const fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::LoginFailed(_)
                | Self::NotDescribed { .. }
                | Self::ColumnMissing { vital: true, .. }
                | Self::ColumnAmbiguous { .. }
        )
    }
}

/// What was found, and what to do about it.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedIn => f.write_str("the login works"),
            Self::LoginFailed(error) => write!(f, "the login does not work: {error}"),
            Self::Described { feature, columns } => write!(f, "{feature}: {columns} columns"),
            Self::NotDescribed { feature, error } => {
                write!(f, "{feature}: its columns cannot be read: {error}")
            }
            Self::ColumnMissing { feature, column, vital: true } => {
                write!(f, "{feature}: there is no column {column}, without which nothing of it can be read")
            }
            Self::ColumnMissing { feature, column, .. } => {
                write!(
                    f,
                    "{feature}: there is no column {column}; set its name in `Assumptions`, or do without"
                )
            }
            Self::ColumnAmbiguous { feature, column } => {
                write!(f, "{feature}: {column} is there more than once; have the installation mended")
            }
            Self::ChangeColumnUnset { feature, candidates } if candidates.is_empty() => {
                write!(
                    f,
                    "{feature}: no change column is set, and none looks like one: every run reads everything"
                )
            }
            Self::ChangeColumnUnset { feature, candidates } => {
                let likely = candidates.join(", ");
                write!(
                    f,
                    "{feature}: every run reads everything until `change_column` is set; it may be {likely}"
                )
            }
        }
    }
}

impl Client {
    /// Tests the connection for these features: login, `desc` of each, and the presence of `fid` and of the configured columns
    /// (role, parent, ports, customers, last change). Writes nothing.
    ///
    /// Idempotency: [`Safe`](crate::Idempotency::Safe) (contract 3.2 F1).
    ///
    /// ```no_run
    /// # async fn run(client: geosite::Client) {
    /// use geosite::Feature;
    ///
    /// for finding in client.check([Feature::Splitter, Feature::Cto]).await {
    ///     println!("{} {finding}", if finding.is_fatal() { "FAILS" } else { "note" });
    /// }
    /// # }
    /// ```
    pub async fn check(&self, features: impl IntoIterator<Item = Feature>) -> Vec<Finding> {
        if let Err(error) = self.log_in().await {
            return vec![Finding::LoginFailed(error)];
        }
        let mut findings = vec![Finding::LoggedIn];
        for feature in features {
            match self.read_schema(feature).await {
                Ok(schema) => findings.extend(self.findings(&schema)),
                Err(error) => findings.push(Finding::NotDescribed { feature, error }),
            }
        }
        findings
    }

    fn findings(&self, schema: &Schema) -> Vec<Finding> {
        let feature = schema.feature();
        let mut findings = vec![Finding::Described { feature, columns: schema.columns().len() }];
        let wanted = std::iter::once("fid".to_owned()).chain(configured(feature, self.assumptions()));
        let chosen = schema.select(wanted);
        let missing = |column: String| Finding::ColumnMissing { feature, vital: column == "fid", column };
        findings.extend(chosen.missing.into_iter().map(missing));
        let ambiguous = |column| Finding::ColumnAmbiguous { feature, column };
        findings.extend(chosen.ambiguous.into_iter().map(ambiguous));
        if self.assumptions().change_column.is_none() {
            let candidates = schema.change_candidates().into_iter().map(str::to_owned).collect();
            findings.push(Finding::ChangeColumnUnset { feature, candidates });
        }
        findings
    }
}
