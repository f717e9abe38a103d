//! What strangers may send: the corpus of `fuzz/`, and variations of it, through the same functions that the fuzzers run.
//!
//! The ordinary run takes a small share of the variations; `STRANGERS_CASES=10000 cargo test -p integration-tests strangers::` takes
//! more. Whatever a fuzzer or a run found stands in `fuzz/corpus/` afterwards and is played here for ever.

#[path = "../../fuzz/src/lib.rs"]
mod entry;

use std::path::PathBuf;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

/// Pieces that parsers are likely to stumble over.
const WORDS: &[&[u8]] = &[
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"[]",
    b"{}",
    b",",
    b":",
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"0.1",
    b"99999999999999999999",
    b"-1",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    b"\n",
    b"\x1e",
    b" ",
    b"%",
    b"'",
    b"''",
    b"/",
    b".",
    b"-",
    b"=",
    b"s3ntinel-s3cret-0123456789",
    b"$KEY",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"\"id\":",
    b"\"data\":",
    b"\"code\":\"error\"",
    b"<html>",
];

#[derive(Debug, Clone)]
enum Change {
    Put(prop::sample::Index, u8),
    Insert(prop::sample::Index, &'static [u8]),
    Remove(prop::sample::Index, usize),
    Repeat(prop::sample::Index, usize),
    Cut(prop::sample::Index),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let at = |index: &prop::sample::Index| index.index(bytes.len() + 1);
        let within = |start: usize, length: usize| start..bytes.len().min(start + length);
        match self {
            Self::Put(index, byte) => {
                let place = at(index);
                bytes.splice(within(place, 1), [*byte]);
            }
            Self::Insert(index, word) => {
                let place = at(index);
                bytes.splice(place..place, word.iter().copied());
            }
            Self::Remove(index, length) => {
                let range = within(at(index), *length);
                bytes.drain(range);
            }
            Self::Repeat(index, length) => {
                let range = within(at(index), *length);
                let again = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, again);
            }
            Self::Cut(index) => {
                let place = at(index);
                bytes.truncate(place);
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let index = any::<prop::sample::Index>;
    let change = prop_oneof![
        (index(), any::<u8>()).prop_map(|(index, byte)| Change::Put(index, byte)),
        (index(), prop::sample::select(WORDS)).prop_map(|(index, word)| Change::Insert(index, word)),
        (index(), 1..20_usize).prop_map(|(index, length)| Change::Remove(index, length)),
        (index(), 1..20_usize).prop_map(|(index, length)| Change::Repeat(index, length)),
        index().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 1..6)
}

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files =
        std::fs::read_dir(folder).expect("every target has a corpus").map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

fn cases(share: u32) -> u32 {
    let asked =
        std::env::var("STRANGERS_CASES").ok().map(|text| text.parse().expect("STRANGERS_CASES is a number"));
    asked.unwrap_or(192) / share
}

fn play(target: &str, share: u32) {
    let seeds = corpus(target);
    assert!(!seeds.is_empty(), "{target} has no corpus");
    for (file, bytes) in &seeds {
        let done = std::panic::catch_unwind(|| entry::run(target, bytes));
        assert!(done.is_ok(), "{} fails", file.display());
    }
    let seed = prop::sample::select(seeds.into_iter().map(|(_, bytes)| bytes).collect::<Vec<_>>());
    let varied = (seed, changes()).prop_map(|(mut bytes, changes)| {
        changes.iter().for_each(|change| change.apply(&mut bytes));
        bytes
    });
    let input = prop_oneof![9 => varied, 1 => prop::collection::vec(any::<u8>(), 0..64)];
    let config = Config { cases: cases(share), failure_persistence: None, ..Config::default() };
    let done = TestRunner::new(config).run(&input, |bytes| {
        entry::run(target, &bytes);
        Ok::<(), TestCaseError>(())
    });
    if let Err(error) = done {
        panic!("{target}: {error}");
    }
}

/// One test a target; the number says how much slower than others it is.
macro_rules! targets {
    ($($name:ident $share:literal)*) => {
        $(#[test] fn $name() { play(stringify!($name), $share); })*

        #[test]
        fn every_target_is_played_and_has_a_fuzzer() {
            let mut played = vec![$(stringify!($name)),*];
            played.sort_unstable();
            let known: Vec<&str> = entry::TARGETS.iter().map(|(name, _)| *name).collect();
            assert_eq!(played, known);
            let manifest = include_str!("../../fuzz/Cargo.toml");
            for name in known {
                assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
            }
        }
    };
}

targets! {
    addresses 1
    apiges 1
    apiges_dates 1
    apiges_evidence 1
    apiges_jwt 1
    apiges_thread 1
    apiges_web 1
    base64 1
    bitfactura 1
    crm 1
    document 1
    elements 1
    evidence 1
    file_in_json 1
    filters 4
    fiscal 1
    geosite 2
    hubsoft 1
    identifiers 1
    journal_file 16
    journal_records 2
    legale 2
    legale_callbacks 2
    logins 1
    money 1
    naming 1
    schedule 1
    sugester_webhooks 1
    times 1
    token 1
    wkt 1
}
