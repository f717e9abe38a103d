//! By how much this process grew while a cell was run: the kernel's high-water mark, set back before. The server is part of the
//! process, so a figure is an upper bound. Only in the whole run, where one cell is under way at a time.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

/// Off while cells run beside one another.
pub static MEASURED: AtomicBool = AtomicBool::new(false);

pub struct Begun(Option<u64>);

pub fn begin() -> Begun {
    if !MEASURED.load(Ordering::SeqCst) || fs::write("/proc/self/clear_refs", "5").is_err() {
        return Begun(None);
    }
    Begun(read("VmRSS:"))
}

impl Begun {
    pub fn grown(&self) -> Option<u64> {
        Some(read("VmHWM:")?.saturating_sub(self.0?))
    }
}

fn read(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}
