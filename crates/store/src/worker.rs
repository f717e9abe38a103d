//! Who a worker is: a name that no other process ever has, and from which another process of the same machine can tell that its
//! bearer has ended.
//!
//! A lease alone says only "not heard of for a while", so a program that was killed would keep its lanes until its leases run
//! out. Where the operating system can tell that a process is gone (Linux), its lanes can be taken over at once.
//! Taking one over too early would be safe as well: it turns what is in flight into `Unknown` and fences the other worker off.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A worker's name for this process: `name`, where it runs, and chance. Two calls never give the same.
///
/// ```
/// let name = integration_store::worker_name("billing");
/// assert!(name.starts_with("billing@") && name != integration_store::worker_name("billing"));
/// assert!(!integration_store::worker_is_gone(&name)); // this process is alive
/// ```
#[must_use]
pub fn worker_name(name: &str) -> String {
    let name: String =
        name.chars().filter(|character| !matches!(character, '@' | '#') && !character.is_control()).collect();
    let chance = RandomState::new().build_hasher().finish();
    format!("{name}@{}#{chance:016x}", Process::this().map(|process| process.to_text()).unwrap_or_default())
}

/// Whether the process of a worker that was named by [`worker_name`] has certainly ended. `false` whenever that cannot be told:
/// another machine or container, another operating system, a name of another form.
#[must_use]
pub fn worker_is_gone(worker: &str) -> bool {
    let process = worker.rsplit_once('@').and_then(|(_, place)| Process::read(place.split_once('#')?.0));
    process.is_some_and(|process| process.is_gone())
}

/// A process among all that ever ran on this machine since it was started.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    /// The machine's start, and the container.
    house: String,
    id: u32,
    /// When it was started, in ticks since the machine was: ids are used again.
    started: u64,
}

impl Process {
    fn this() -> Option<Self> {
        let id = std::process::id();
        Some(Self { house: house()?, id, started: living(id)? })
    }

    fn to_text(&self) -> String {
        format!("{}.{}.{}", self.house, self.id, self.started)
    }

    fn read(text: &str) -> Option<Self> {
        let mut parts = text.rsplitn(3, '.');
        let started = parts.next()?.parse().ok()?;
        let id = parts.next()?.parse().ok()?;
        Some(Self { house: parts.next()?.to_owned(), id, started })
    }

    fn is_gone(&self) -> bool {
        house().as_deref() == Some(self.house.as_str()) && living(self.id) != Some(self.started)
    }
}

/// Another container has another process namespace, in which our ids mean nothing.
fn house() -> Option<String> {
    let start = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let digits = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    Some(format!("{}-{}", digits(start.trim()), digits(&namespace.to_string_lossy())))
}

/// When a living process was started; `None` if there is none, or only the remains of one.
fn living(id: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything; the fields after it are the state (3) to the start time (22).
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    if matches!(state, "Z" | "X" | "x") { None } else { fields.nth(18)?.parse().ok() }
}

#[cfg(all(test, target_os = "linux"))]
pub(crate) use tests::name_of_one_that_ended;

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker of this machine that has ended.
    #[cfg(target_os = "linux")]
    pub(crate) fn name_of_one_that_ended() -> String {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process =
            Process { house: house().unwrap(), id: child.id(), started: living(child.id()).unwrap() };
        child.kill().unwrap();
        child.wait().unwrap();
        format!("ended@{}#0", process.to_text())
    }

    #[test]
    fn names_of_another_form_tell_nothing() {
        for name in ["", "worker", "worker@#1", "worker@a.b.c#1", "worker@house.1.1#1", "@.#"] {
            assert!(!worker_is_gone(name), "{name}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_process_that_has_ended_is_gone_and_its_remains_do_not_count() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let process =
            Process { house: house().unwrap(), id: child.id(), started: living(child.id()).unwrap() };
        let name = format!("child@{}#0", process.to_text());
        assert!(!worker_is_gone(&name));
        child.kill().unwrap();
        // Not waited for yet: between the kill and the wait it is a zombie, or still ending.
        while living(child.id()).is_some() {
            std::thread::yield_now();
        }
        assert!(worker_is_gone(&name));
        child.wait().unwrap();
        assert!(worker_is_gone(&name));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn an_id_that_is_used_again_is_another_process() {
        let this = Process::this().unwrap();
        assert!(!this.is_gone());
        assert!(Process { started: this.started + 1, ..this.clone() }.is_gone());
        assert!(!Process { house: "elsewhere".to_owned(), ..this }.is_gone());
    }
}
