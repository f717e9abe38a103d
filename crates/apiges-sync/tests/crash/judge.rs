//! What has to be so at every rest, by the sandbox's own evaluation and by what the parent wanted.

use std::collections::BTreeSet;
use std::path::Path;

use integration_sandbox::Sandbox;
use integration_sandbox::websync::{ContactRef, Difference};
use serde_json::Value;

use super::firm::{CANARY, World, marker};
use super::orders::{Report, Wanted};

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Rested {
    pub(crate) faults: usize,
    pub(crate) withdrawals: usize,
    pub(crate) pushes: usize,
    /// Files that viewers saw at the last rest.
    pub(crate) seen: usize,
    /// Files that nobody may see, of which the portal was searched for a trace.
    pub(crate) gone: usize,
    pub(crate) numbers: String,
}

pub(crate) fn judge(sandbox: &Sandbox, world: &World, report: &str, rested: &mut Rested, last: bool) {
    let portal = sandbox.websync();
    let report: Report = serde_json::from_str(report).unwrap();
    let words = || std::fs::read_to_string(world.words()).unwrap_or_default();
    assert_eq!(report.dead, Vec::<String>::new(), "dead entries; the child said:\n{}", words());
    let differences = portal.differences(sandbox.apiges());
    assert!(
        differences.is_empty(),
        "{} differences: {:#?}\n{}",
        differences.len(),
        &differences[..differences.len().min(5)],
        told(sandbox, &differences)
    );
    assert_eq!(portal.excesses(), Vec::<Value>::new());
    assert_eq!(portal.missing_pictures(), BTreeSet::new());
    assert_eq!(report.mismatches, Vec::<String>::new(), "the ledger and the portal disagree");
    assert_eq!(report.implicit, 0, "the ledger knows all holders");
    grants_are_as_wanted(world);
    let twice: Vec<_> = portal.executions().into_iter().filter(|(_, times)| *times > 1).collect();
    assert_eq!(twice, [], "a write was carried out twice");
    let pushes: Vec<_> =
        portal.requests().into_iter().filter(|request| request.spot.as_deref() == Some("W30")).collect();
    let refused = pushes.iter().filter(|request| request.status == Some(409)).count();
    assert_eq!(refused, 0, "pushes that contradicted what the portal has");
    assert!(!portal.holds(CANARY) && !portal.recorded_contains(CANARY), "something hidden went out");
    rested.gone = nothing_is_left(world, last);
    (rested.pushes, rested.withdrawals, rested.numbers) =
        (pushes.len(), portal.withdrawals().len(), report.numbers);
    rested.seen = world.contacts.iter().map(|contact| shown(world, &contact.kind, &contact.code).len()).sum();
    assert!(rested.seen > 0 && portal.recorded_contains("clave-"), "nobody was shown anything");
}

/// What went to the portal for the first case that is wrong.
fn told(sandbox: &Sandbox, differences: &[Difference]) -> String {
    let Some(case) = differences.first().map(|difference| difference.case) else { return String::new() };
    let concerned = |text: &str| text.contains(&case.to_string());
    let requests = sandbox.websync().requests();
    let asked =
        requests.iter().filter(|one| concerned(&one.path) || concerned(&String::from_utf8_lossy(&one.body)));
    let lines = asked.map(|one| {
        let body: String = String::from_utf8_lossy(&one.body).chars().take(1_500).collect();
        format!("{} {} {:?} {:?} {body}\n", one.method, one.path, one.status, one.fault)
    });
    let lines: Vec<String> = lines.collect();
    lines[lines.len().saturating_sub(6)..].concat()
}

fn shown(world: &World, kind: &str, code: &str) -> BTreeSet<u64> {
    let view = world.portal.view(&ContactRef::new(kind, code));
    let cases = view.as_ref().and_then(|view| view["cases"].as_array()).into_iter().flatten();
    cases.map(|case| case["caseId"].as_u64().unwrap()).collect()
}

fn grants_are_as_wanted(world: &World) {
    let grants = world.portal.grants();
    for (place, wanted) in &world.wanted {
        let contact = &world.contacts[*place];
        let own = grants.iter().find(|grant| grant["contactId"].as_u64() == Some(contact.id));
        assert!(own.is_some_and(|own| is(own, wanted)), "{contact:?}: {own:?} and not {wanted:?}");
    }
    assert_eq!(grants.len(), world.wanted.len(), "grants that nobody wants");
}

fn is(grant: &Value, wanted: &Wanted) -> bool {
    let texts = |field: &str| -> BTreeSet<String> {
        grant[field].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    (grant["state"] == "active") == wanted.active
        && grant["scope"]["group"].as_str() == wanted.group.as_deref()
        && texts("show") == wanted.show
        && texts("excludedModalities") == wanted.excluded
        && (grant["closedCases"] == "keep") == wanted.keep
        && (grant["lang"] == "en") == wanted.english
        && grant["admin"]["pairTag"].as_str() == wanted.tag.as_deref()
}

/// Of files that nobody may see the portal holds nothing, not even out of sight; how many were looked for.
fn nothing_is_left(world: &World, last: bool) -> usize {
    if !last && world.wanted.values().any(|wanted| !wanted.active) {
        // A suspended grant keeps what it had (N2).
        return 0;
    }
    let seen: BTreeSet<u64> =
        world.contacts.iter().flat_map(|contact| shown(world, &contact.kind, &contact.code)).collect();
    let hidden = world.files.iter().map(|(id, _)| *id).filter(|id| !seen.contains(id)).take(300);
    hidden
        .inspect(|id| assert!(!world.portal.holds(&marker(*id)), "{id} is withdrawn and still there"))
        .count()
}

/// Neither the store nor anything that the children said.
pub(crate) fn no_canary_in(folder: &Path, _: &Rested) {
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes());
        assert!(!found, "{} holds what is hidden", path.display());
    }
}
