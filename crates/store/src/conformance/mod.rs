//! The suite that every backend passes, also one of your own: each sentence of [`Backend`]'s page as a check.
//!
//! ```
//! use std::sync::Arc;
//! use integration_store::{Backend, Memory, conformance};
//!
//! # tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
//! let report = conformance::run(|| Box::pin(async { Arc::new(Memory::new()) as Arc<dyn Backend> })).await;
//! report.into_result().expect("the backend keeps its promises");
//! # });
//! ```
//!
//! What it cannot check from here is durability: that what was answered survives a killed process and a lost power supply.

mod bench;
mod chains;
mod checkpoints;
mod entries;
mod inbox;
mod lanes;
mod lists;
mod steps;
mod writes;

use std::fmt;
use std::sync::Arc;

use integration_core::BoxFuture;
use integration_core::clock::{Clock, SystemClock};

use crate::backend::Backend;
use bench::{Bench, Outcome};

/// One check: a name, the guarantee that is broken if it fails, and how it is done.
struct Check {
    name: &'static str,
    guarantee: &'static str,
    run: fn(Bench) -> BoxFuture<'static, Outcome>,
}

impl Check {
    fn failed(&self, seen: String) -> Failure {
        Failure { check: self.name, guarantee: self.guarantee, seen }
    }
}

/// What the suite found.
#[derive(Debug, Clone, Default)]
#[must_use]
#[non_exhaustive]
pub struct Report {
    /// The names of the checks that passed.
    pub passed: Vec<&'static str>,
    /// The broken guarantees.
    pub failures: Vec<Failure>,
}

/// A guarantee that a backend does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failure {
    /// The check's name.
    pub check: &'static str,
    /// The guarantee, in a sentence.
    pub guarantee: &'static str,
    /// What was seen instead.
    pub seen: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n    seen: {}", self.check, self.guarantee, self.seen)
    }
}

/// The guarantees that a backend does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(Vec<Failure>);

impl Broken {
    /// Each of them.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.0
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} guarantee(s) broken", self.0.len())?;
        self.0.iter().try_for_each(|failure| write!(f, "\n{failure}"))
    }
}

impl std::error::Error for Broken {}

impl Report {
    /// `Ok` if every guarantee is kept.
    ///
    /// # Errors
    ///
    /// The broken ones.
    pub fn into_result(self) -> Result<(), Broken> {
        if self.failures.is_empty() { Ok(()) } else { Err(Broken(self.failures)) }
    }
}

/// Runs all checks on backends that `make` gives: new ones, or always the same (each check uses names of its own, so a shared
/// database may hold anything else). Waits for real, some 100 ms for each check of a time that runs out. Needs a tokio runtime;
/// races are only real in one with several threads.
pub async fn run<M>(make: M) -> Report
where
    M: Fn() -> BoxFuture<'static, Arc<dyn Backend>>,
{
    run_on_clock(make, Arc::new(SystemClock::new())).await
}

/// As [`run`], letting time pass by `clock.sleep`: with a [`ManualClock`](integration_core::clock::ManualClock) that the backends
/// share, nothing is waited for.
pub async fn run_on_clock<M>(make: M, clock: Arc<dyn Clock>) -> Report
where
    M: Fn() -> BoxFuture<'static, Arc<dyn Backend>>,
{
    let mut report = Report::default();
    for check in checks() {
        let bench = Bench::new(make().await, Arc::clone(&clock), check.name);
        match (check.run)(bench).await {
            Ok(()) => report.passed.push(check.name),
            Err(seen) => {
                report.failures.push(check.failed(seen.0));
            }
        }
    }
    report
}

fn checks() -> impl Iterator<Item = &'static Check> {
    [
        entries::CHECKS,
        writes::CHECKS,
        steps::CHECKS,
        lanes::CHECKS,
        lists::CHECKS,
        chains::CHECKS,
        inbox::CHECKS,
        checkpoints::CHECKS,
    ]
    .into_iter()
    .flatten()
}
