//! What every figure is measured with: rounds that alternate with those of the floor, and the median of each.
//!
//! Only under `cargo bench`, which says so by an argument; `cargo test --all-targets` builds the figures and skips them.

use std::time::Duration;

use integration_core::clock::{Clock, SystemClock};

/// Whether this is a run under `cargo bench`.
#[must_use]
pub fn is_asked_for() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

/// How long something takes.
pub async fn time<T>(work: impl Future<Output = T>) -> (Duration, T) {
    let clock = SystemClock::new();
    let outcome = work.await;
    (clock.elapsed(), outcome)
}

/// The one in the middle.
#[must_use]
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Rounds of a figure and of its floor, taken in turns.
#[derive(Debug, Clone, Default)]
pub struct Rounds {
    /// Calls per second of the floor.
    pub floor: Vec<f64>,
    /// Calls per second of what is measured.
    pub ours: Vec<f64>,
}

impl Rounds {
    /// Notes a round of each.
    pub fn note(&mut self, calls: usize, floor: Duration, ours: Duration) {
        let rate = |took: Duration| f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / took.as_secs_f64();
        self.floor.push(rate(floor));
        self.ours.push(rate(ours));
    }

    /// One line of the table: both medians, and the median of the rounds' own ratios.
    #[must_use]
    pub fn line(&self, name: &str) -> String {
        let ratios = self.ours.iter().zip(&self.floor).map(|(ours, floor)| ours / floor).collect();
        let (ours, floor) = (median(self.ours.clone()), median(self.floor.clone()));
        format!("| {name} | {ours:.0} | {floor:.0} | {:.2} |", median(ratios))
    }
}

/// What callgrind counts of this program when it is started anew with these arguments; nothing where `valgrind` is not installed.
///
/// Counted are the instructions of a whole process. Two counts that differ only in how often something is done tell what it costs,
/// whatever the beginning and the end of a program do, and whatever else the machine is busy with.
///
/// # Panics
/// If the program fails.
#[must_use]
pub fn instructions(arguments: &[&str]) -> Option<f64> {
    let program = std::env::current_exe().ok()?;
    let mut command = std::process::Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    let output = command.args(arguments).output().ok()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said.lines().find_map(|line| line.split("Collected : ").nth(1)?.trim().parse().ok())
}
