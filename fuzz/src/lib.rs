//! What strangers may send, thrown at every parser of it: one function per parser, which panics at a finding.
//!
//! A finding is a panic, a success that no rule of the contracts allows, a difference between two splits of the same bytes, and a text
//! that does not survive being read, written and read again. Time and memory are bounded by whoever calls (`run`).
//!
//! The same file is a module of the workspace's tests (`tests/tests/strangers.rs`), which play the corpus and variations of it.

mod callbacks;
mod clients;
mod filters;
mod input;
mod journals;
mod scripted;
mod streams;
mod texts;

/// Takes whatever bytes there are.
pub type Target = fn(&[u8]);

/// Every parser of strangers' bytes, by the name of its fuzzing target.
pub const TARGETS: &[(&str, Target)] = &[
    ("addresses", texts::addresses),
    ("apiges", clients::apiges::answers),
    ("apiges_dates", clients::apiges::dates),
    ("apiges_evidence", clients::apiges::evidence),
    ("apiges_jwt", clients::apiges::jwt),
    ("apiges_thread", clients::apiges::thread),
    ("apiges_web", clients::apiges::web),
    ("base64", streams::base64),
    ("bitfactura", clients::sugester::bitfactura),
    ("crm", clients::sugester::crm),
    ("document", texts::document),
    ("elements", streams::elements),
    ("evidence", journals::evidence),
    ("file_in_json", streams::file_in_json),
    ("filters", filters::filters),
    ("fiscal", clients::fiscal::answers),
    ("geosite", clients::geosite::answers),
    ("hubsoft", clients::geosite::hubsoft),
    ("identifiers", texts::identifiers),
    ("journal_file", journals::file),
    ("journal_records", journals::records),
    ("legale", clients::legale::answers),
    ("legale_callbacks", callbacks::legale),
    ("logins", clients::logins),
    ("money", texts::money),
    ("naming", texts::naming),
    ("schedule", texts::schedule),
    ("sugester_webhooks", callbacks::sugester),
    ("times", texts::times),
    ("token", texts::token),
    ("wkt", texts::wkt),
];

/// The target of a name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(known, _)| *known == name).map(|(_, target)| *target)
}

/// Runs a target by its name; what a program would do with the log is not done.
///
/// # Panics
/// At a finding, and for a name that is none.
pub fn run(name: &str, data: &[u8]) {
    target(name).expect("a known target")(data);
}
