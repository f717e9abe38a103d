//! Loads of all contacts and of one (contract 4.4, Y4, Y6, W20 to W25).

use apiges_sync::ErrorKind;
use apiges_sync::web::*;

use crate::support::{Acts, client, granted, key, kind, push, refused, seen, view};

fn item(contact: &ContactRef, case_id: u64, version: u64, number: &str) -> BatchItem {
    BatchItem { case_id, version, holder: contact.clone(), view: view(number, None) }
}

fn digest_of(items: &[BatchItem]) -> Sha256 {
    digest(items.iter().map(|item| DigestLine::of_item(item).unwrap()))
}

fn batch(items: &[BatchItem]) -> Batch {
    Batch { items: items.to_vec(), digest: digest_of(items) }
}

fn commit_of(batches: u64, items: &[BatchItem]) -> Commit {
    let (count, digest) = (items.len() as u64, digest_of(items));
    Commit { batches, count, digest, complete: true, allow_withdrawals: 0 }
}

fn totals(applied: u64, unchanged: u64, stale: u64, withdrawn: u64) -> CommitTotals {
    CommitTotals { applied, unchanged, stale, withdrawn }
}

async fn open(
    portal: &dyn WebSyncTransport,
    id: &str,
    contacts: &[ContactRef],
    base_sequence: u64,
) -> Result<LoadId, apiges_sync::Error> {
    let (load_id, contacts) = (LoadId::new(id), contacts.to_vec());
    let load = OpenLoad { load_id, scope: LoadScope::All, contacts, base_sequence };
    portal.open_load(&load, &key()).await.map(|load| load.load_id)
}

async fn open_single(
    portal: &dyn WebSyncTransport,
    id: &str,
    contact: &ContactRef,
    base_sequence: u64,
) -> Result<LoadId, apiges_sync::Error> {
    let load = OpenSingleLoad { load_id: LoadId::new(id), base_sequence };
    portal.open_single_load(contact, &load, &key()).await.map(|load| load.load_id)
}

/// Loads these files and commits; the load stays open.
async fn loaded(
    portal: &dyn WebSyncTransport,
    load: &LoadId,
    contact: &ContactRef,
    items: &[BatchItem],
) -> Result<CommitTotals, apiges_sync::Error> {
    portal.put_batch(load, contact, 1, &batch(items), &key()).await?;
    portal.commit(load, contact, &commit_of(1, items), &key()).await
}

/// Pushes files 1 to `count`, each at version 1.
async fn pushed(portal: &dyn WebSyncTransport, contact: &ContactRef, count: u64) {
    for case in 1..=count {
        push(case, 1).sequence(case).shows(contact, view("M", None)).send(portal).await.unwrap();
    }
}

pub(crate) async fn a_load_is_visible_at_its_commit(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let load = open(portal, "l-1", &[one.clone(), two.clone()], 0).await.unwrap();
    let (first, second) = ([item(&one, 1, 1, "A"), item(&one, 2, 2, "B")], [item(&one, 3, 3, "C")]);
    assert_eq!(portal.put_batch(&load, &one, 1, &batch(&first), &key()).await.unwrap().accepted, 2);
    assert_eq!(portal.put_batch(&load, &one, 2, &batch(&second), &key()).await.unwrap().accepted, 1);
    assert_eq!(seen(portal, &one).await, []);
    let state = portal.load(&load).await.unwrap().unwrap();
    let far = |contact: &ContactRef| {
        let own = state.contacts.iter().find(|own| own.contact == *contact).unwrap();
        (own.last_batch, own.committed)
    };
    assert_eq!((state.load_id.as_str(), far(&one), far(&two)), ("l-1", (2, false), (0, false)));
    let all = [first.to_vec(), second.to_vec()].concat();
    let done = portal.commit(&load, &one, &commit_of(2, &all), &key()).await.unwrap();
    assert_eq!(done, totals(3, 0, 0, 0));
    let numbers: Vec<_> =
        seen(portal, &one).await.into_iter().map(|(case, view)| (case, view.numero)).collect();
    assert_eq!(numbers, [(1, Some("A".into())), (2, Some("B".into())), (3, Some("C".into()))]);
    assert_eq!(portal.digest(&one).await.unwrap().digest, digest_of(&all));
    let state = portal.load(&load).await.unwrap().unwrap();
    assert_eq!(state.contacts.iter().filter(|own| own.committed).count(), 1);
    assert_eq!(portal.load(&LoadId::new("l-9")).await.unwrap(), None);
}

pub(crate) async fn loads_are_in_the_way_of_their_like(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    assert_eq!(refused(open(portal, "l-2", &[two], 0).await), RefusalCode::LoadOpen);
    // A single push leaves a running load alone, and the other way round (Y6).
    open_single(portal, "l-3", &one, 0).await.unwrap();
    // The same again, under another key, is the load that is open.
    open_single(portal, "l-3", &one, 0).await.unwrap();
    assert_eq!(refused(open_single(portal, "l-3", &one, 1).await), RefusalCode::LoadOpen);
    assert_eq!(refused(open_single(portal, "l-4", &one, 0).await), RefusalCode::LoadOpen);
    portal.abort_load(&load, &key()).await.unwrap();
    open(portal, "l-5", &[one], 0).await.unwrap();
}

pub(crate) async fn batches_come_in_order(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    let (first, second) = (batch(&[item(&one, 1, 1, "A")]), batch(&[item(&one, 2, 2, "B")]));
    let put = async |n, batch: &Batch| portal.put_batch(&load, &one, n, batch, &key()).await;
    assert_eq!(refused(put(0, &first).await), RefusalCode::Invalid);
    assert_eq!(refused(put(2, &second).await), RefusalCode::BatchGap);
    put(1, &first).await.unwrap();
    assert_eq!(refused(put(3, &second).await), RefusalCode::BatchGap);
    put(2, &second).await.unwrap();
    // Again, under another key: the same answer, and nothing twice.
    assert_eq!(put(1, &first).await.unwrap().accepted, 1);
    let all = [item(&one, 1, 1, "A"), item(&one, 2, 2, "B")];
    portal.commit(&load, &one, &commit_of(2, &all), &key()).await.unwrap();
    portal.close_load(&load, &key()).await.unwrap();
    assert_eq!(refused(put(3, &first).await), RefusalCode::LoadClosed);
    assert_eq!(put(1, &first).await.unwrap().accepted, 1);
    let nowhere = LoadId::new("l-9");
    let lost = portal.put_batch(&nowhere, &one, 1, &first, &key()).await;
    assert_eq!(refused(lost), RefusalCode::NotFound);
}

pub(crate) async fn a_batch_has_its_own_digest(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    let wrong = Batch { items: vec![item(&one, 1, 1, "A")], digest: digest_of(&[item(&one, 1, 1, "B")]) };
    assert_eq!(refused(portal.put_batch(&load, &one, 1, &wrong, &key()).await), RefusalCode::Digest);
    assert_eq!(portal.load(&load).await.unwrap().unwrap().contacts[0].last_batch, 0);
    // The order of the items is no content; another batch under a number that is taken is.
    let items = [item(&one, 9, 1, "A"), item(&one, 2, 2, "B")];
    portal.put_batch(&load, &one, 1, &batch(&items), &key()).await.unwrap();
    let other = batch(&[item(&one, 9, 1, "A")]);
    assert!(portal.put_batch(&load, &one, 1, &other, &key()).await.is_err());
    assert_eq!(portal.commit(&load, &one, &commit_of(1, &items), &key()).await.unwrap(), totals(2, 0, 0, 0));
}

pub(crate) async fn a_batch_uses_no_version_for_something_else(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    push(7, 5).shows(&one, view("A", None)).send(portal).await.unwrap();
    push(8, 5).sequence(6).shows(&one, view("A", None)).send(portal).await.unwrap();
    push(8, 6).takes(&one, Reason::CaseClosed).send(portal).await.unwrap();
    let load = open_single(portal, "l-1", &one, 9).await.unwrap();
    for reused in [item(&one, 7, 5, "B"), item(&one, 8, 6, "A")] {
        let put = portal.put_batch(&load, &one, 1, &batch(&[reused]), &key()).await;
        assert_eq!(refused(put), RefusalCode::VersionReuse);
    }
    // The first is 1.
    let none = portal.put_batch(&load, &one, 1, &batch(&[item(&one, 9, 0, "A")]), &key()).await;
    assert_eq!(refused(none), RefusalCode::Invalid);
    assert_eq!(loaded(portal, &load, &one, &[item(&one, 7, 5, "A")]).await.unwrap(), totals(0, 1, 0, 0));
}

pub(crate) async fn a_commit_says_how_much_there_is(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    let items = [item(&one, 1, 1, "A"), item(&one, 2, 2, "B")];
    portal.put_batch(&load, &one, 1, &batch(&items), &key()).await.unwrap();
    let right = commit_of(1, &items);
    // Refusals are not remembered: all of them may go out under one key (O4).
    let own = IdempotencyKey::commit("demo", &load, &one);
    let commit = async |commit: Commit| portal.commit(&load, &one, &commit, &own).await;
    assert_eq!(refused(commit(Commit { count: 3, ..right.clone() }).await), RefusalCode::Count);
    assert_eq!(refused(commit(Commit { batches: 2, ..right.clone() }).await), RefusalCode::Count);
    let digest = digest_of(&items[..1]);
    assert_eq!(refused(commit(Commit { digest, ..right.clone() }).await), RefusalCode::Digest);
    assert_eq!(seen(portal, &one).await, []);
    assert_eq!(commit(right.clone()).await.unwrap(), totals(2, 0, 0, 0));
    assert_eq!(commit(right).await.unwrap(), totals(2, 0, 0, 0));
}

/// Commits a load that holds nothing, with the number that was agreed to.
async fn empty(
    portal: &dyn WebSyncTransport,
    load: &LoadId,
    contact: &ContactRef,
    kept: &[BatchItem],
    allow_withdrawals: u64,
) -> Result<CommitTotals, apiges_sync::Error> {
    let commit = Commit { allow_withdrawals, ..commit_of(1, kept) };
    portal.commit(load, contact, &commit, &IdempotencyKey::commit("demo", load, contact)).await
}

pub(crate) async fn more_than_twenty_withdrawals_need_the_exact_number(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one] = granted(portal, ["1"]).await;
    pushed(portal, &one, 21).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 21).await.unwrap();
    portal.put_batch(&load, &one, 1, &batch(&[]), &key()).await.unwrap();
    for allowed in [0, 20, 22] {
        let error = empty(portal, &load, &one, &[], allowed).await.unwrap_err();
        let refusal = Refusal::of(&error).unwrap();
        assert_eq!((refusal.code.clone(), refusal.would_withdraw()), (RefusalCode::Guard, Some(21)));
    }
    assert_eq!(seen(portal, &one).await.len(), 21);
    assert_eq!(empty(portal, &load, &one, &[], 21).await.unwrap(), totals(0, 0, 0, 21));
    assert_eq!(seen(portal, &one).await, []);
    let audit = portal.withdrawals(Part::default().limit(50)).await.unwrap();
    assert_eq!(audit.items.len(), 21);
    assert!(audit.items.iter().all(|record| record.reason == Reason::AbsentFromLoad));
}

pub(crate) async fn more_than_a_tenth_of_twenty_files_needs_the_exact_number(
    portal: &dyn WebSyncTransport,
    _: &dyn Acts,
) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    for (contact, base, gone) in [(&one, 0, 3u64), (&two, 100, 2)] {
        let cases = base + 1..=base + 20;
        for case in cases.clone() {
            push(case, 1).sequence(1).shows(contact, view("M", None)).send(portal).await.unwrap();
        }
        let kept: Vec<_> = cases.skip(gone as usize).map(|case| item(contact, case, 1, "M")).collect();
        let load = open_single(portal, &format!("l-{base}"), contact, 1).await.unwrap();
        portal.put_batch(&load, contact, 1, &batch(&kept), &key()).await.unwrap();
        let done = empty(portal, &load, contact, &kept, 0).await;
        if gone == 2 {
            assert_eq!(done.unwrap(), totals(0, 18, 0, 2));
        } else {
            assert_eq!(Refusal::of(&done.unwrap_err()).unwrap().would_withdraw(), Some(3));
            assert_eq!(empty(portal, &load, contact, &kept, 3).await.unwrap(), totals(0, 17, 0, 3));
        }
    }
}

pub(crate) async fn fewer_than_twenty_files_are_not_guarded(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    pushed(portal, &one, 19).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 19).await.unwrap();
    portal.put_batch(&load, &one, 1, &batch(&[]), &key()).await.unwrap();
    assert_eq!(empty(portal, &load, &one, &[], 0).await.unwrap(), totals(0, 0, 0, 19));
}

pub(crate) async fn an_incomplete_load_withdraws_nothing(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    pushed(portal, &one, 3).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 3).await.unwrap();
    let items = [item(&one, 4, 1, "D")];
    portal.put_batch(&load, &one, 1, &batch(&items), &key()).await.unwrap();
    let commit = Commit { complete: false, ..commit_of(1, &items) };
    assert_eq!(portal.commit(&load, &one, &commit, &key()).await.unwrap(), totals(1, 0, 0, 0));
    assert_eq!(seen(portal, &one).await.len(), 4);
}

pub(crate) async fn what_is_pushed_during_a_load_survives_it(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let shown = |case, version, sequence, number: &str| {
        push(case, version).sequence(sequence).shows(&one, view(number, None))
    };
    shown(1, 1, 1, "old").send(portal).await.unwrap();
    shown(2, 1, 2, "old").send(portal).await.unwrap();
    shown(3, 1, 3, "old").send(portal).await.unwrap();
    let load = open(portal, "l-1", std::slice::from_ref(&one), 3).await.unwrap();
    let items = [item(&one, 1, 8, "loaded"), item(&one, 3, 8, "loaded"), item(&one, 6, 2, "loaded")];
    portal.put_batch(&load, &one, 1, &batch(&items), &key()).await.unwrap();
    // One that the load holds too, one that it does not, one that is taken away, one that by then is another's.
    shown(1, 4, 4, "pushed").send(portal).await.unwrap();
    shown(5, 1, 5, "pushed").send(portal).await.unwrap();
    push(3, 5).sequence(6).takes(&one, Reason::CaseMoved).send(portal).await.unwrap();
    push(6, 3).sequence(7).shows(&two, view("pushed", None)).send(portal).await.unwrap();
    let done = portal.commit(&load, &one, &commit_of(1, &items), &key()).await.unwrap();
    assert_eq!(done, totals(0, 0, 3, 1));
    let pushed = view("pushed", None);
    assert_eq!(seen(portal, &one).await, [(1, pushed.clone()), (5, pushed)]);
}

pub(crate) async fn a_commit_counts_what_was_there(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    pushed(portal, &one, 4).await;
    push(4, 9).sequence(4).shows(&one, view("newer", None)).send(portal).await.unwrap();
    let load = open(portal, "l-1", std::slice::from_ref(&one), 9).await.unwrap();
    let items = [item(&one, 1, 1, "M"), item(&one, 2, 2, "M"), item(&one, 4, 5, "M"), item(&one, 5, 1, "E")];
    assert_eq!(loaded(portal, &load, &one, &items).await.unwrap(), totals(2, 1, 1, 1));
    let numbers: Vec<_> = seen(portal, &one).await.into_iter().map(|(case, _)| case).collect();
    assert_eq!(numbers, [1, 2, 4, 5]);
    assert_eq!(portal.close_load(&load, &key()).await.unwrap(), totals(2, 1, 1, 1));
}

pub(crate) async fn a_load_raises_the_version_of_the_file(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open_single(portal, "l-1", &one, 5).await.unwrap();
    loaded(portal, &load, &one, &[item(&one, 7, 6, "A")]).await.unwrap();
    assert_eq!(portal.case(7).await.unwrap().unwrap().version, 6);
    let shown = |version, number: &str| push(7, version).shows(&one, view(number, None));
    assert_eq!(shown(5, "old").outcome(portal).await, (PushOutcome::Stale, 6));
    assert_eq!(shown(6, "A").outcome(portal).await, (PushOutcome::Duplicate, 6));
    assert_eq!(refused(shown(6, "B").send(portal).await), RefusalCode::VersionReuse);
    assert_eq!(shown(7, "B").outcome(portal).await, (PushOutcome::Applied, 7));
}

pub(crate) async fn an_aborted_load_leaves_nothing(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let load = open(portal, "l-1", &[one.clone(), two.clone()], 0).await.unwrap();
    let items = [item(&one, 1, 1, "A")];
    loaded(portal, &load, &one, &items).await.unwrap();
    let others = [item(&two, 2, 1, "B")];
    portal.put_batch(&load, &two, 1, &batch(&others), &key()).await.unwrap();
    portal.abort_load(&load, &key()).await.unwrap();
    assert_eq!((seen(portal, &one).await.len(), seen(portal, &two).await.len()), (1, 0));
    let late = portal.commit(&load, &two, &commit_of(1, &others), &key()).await;
    assert_eq!(refused(late), RefusalCode::LoadClosed);
    assert_eq!(refused(portal.abort_load(&LoadId::new("l-9"), &key()).await), RefusalCode::NotFound);
}

pub(crate) async fn a_load_closes_when_all_is_committed(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    let load = open(portal, "l-1", &[one.clone(), two.clone()], 0).await.unwrap();
    loaded(portal, &load, &one, &[item(&one, 1, 1, "A")]).await.unwrap();
    assert_eq!(kind(portal.close_load(&load, &key()).await), ErrorKind::Conflict);
    loaded(portal, &load, &two, &[item(&two, 1, 1, "A"), item(&two, 2, 2, "B")]).await.unwrap();
    let last = key();
    assert_eq!(portal.close_load(&load, &last).await.unwrap(), totals(3, 0, 0, 0));
    assert_eq!(portal.close_load(&load, &last).await.unwrap(), totals(3, 0, 0, 0));
    assert_eq!(portal.load(&load).await.unwrap().unwrap().contacts.len(), 2);
    assert_eq!(refused(portal.close_load(&LoadId::new("l-9"), &key()).await), RefusalCode::NotFound);
}

pub(crate) async fn a_load_of_one_contact_is_limited_to_it(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(9, 1).shows(&two, view("M9", None)).send(portal).await.unwrap();
    assert_eq!(refused(open_single(portal, "l-1", &client("9"), 0).await), RefusalCode::Refused);
    assert_eq!(refused(open(portal, "l-1", &[client("9")], 0).await), RefusalCode::Refused);
    let load = open_single(portal, "l-1", &one, 9).await.unwrap();
    let stray = portal.put_batch(&load, &two, 1, &batch(&[item(&two, 1, 1, "A")]), &key()).await;
    assert_eq!(refused(stray), RefusalCode::NotFound);
    assert_eq!(loaded(portal, &load, &one, &[item(&one, 1, 1, "A")]).await.unwrap(), totals(1, 0, 0, 0));
    portal.close_load(&load, &key()).await.unwrap();
    assert_eq!(seen(portal, &two).await.len(), 1);
}

pub(crate) async fn a_contact_without_files_can_be_loaded(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    let done = portal.commit(&load, &one, &commit_of(0, &[]), &key()).await.unwrap();
    assert_eq!(done, totals(0, 0, 0, 0));
    portal.close_load(&load, &key()).await.unwrap();
}

/// O5: content is holder and view.
pub(crate) async fn a_holder_is_part_of_what_a_version_says(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one, two] = granted(portal, ["1", "2"]).await;
    push(7, 1).shows(&one, view("A", None)).send(portal).await.unwrap();
    let load = open(portal, "l-1", std::slice::from_ref(&one), 1).await.unwrap();
    let other = BatchItem { holder: two, ..item(&one, 7, 1, "A") };
    let put = portal.put_batch(&load, &one, 1, &batch(&[other]), &key()).await;
    assert_eq!(refused(put), RefusalCode::VersionReuse);
    let same = item(&one, 7, 1, "A");
    assert_eq!(loaded(portal, &load, &one, &[same]).await.unwrap(), totals(0, 1, 0, 0));
}

pub(crate) async fn what_a_push_brought_meanwhile_is_unchanged(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    let items = [item(&one, 1, 2, "A")];
    portal.put_batch(&load, &one, 1, &batch(&items), &key()).await.unwrap();
    push(1, 2).sequence(9).shows(&one, view("A", None)).send(portal).await.unwrap();
    let done = portal.commit(&load, &one, &commit_of(1, &items), &key()).await.unwrap();
    assert_eq!(done, totals(0, 1, 0, 0));
}

pub(crate) async fn a_load_ends_once_and_in_one_way(portal: &dyn WebSyncTransport, _: &dyn Acts) {
    let [one] = granted(portal, ["1"]).await;
    let load = open(portal, "l-1", std::slice::from_ref(&one), 0).await.unwrap();
    loaded(portal, &load, &one, &[item(&one, 1, 1, "A")]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(portal.close_load(&load, &key()).await.unwrap(), totals(1, 0, 0, 0));
    }
    assert_eq!(refused(portal.abort_load(&load, &key()).await), RefusalCode::LoadClosed);
    let load = open(portal, "l-2", std::slice::from_ref(&one), 1).await.unwrap();
    loaded(portal, &load, &one, &[item(&one, 1, 1, "A")]).await.unwrap();
    for _ in 0..2 {
        assert_eq!(portal.abort_load(&load, &key()).await.unwrap(), totals(0, 1, 0, 0));
    }
    assert_eq!(refused(portal.close_load(&load, &key()).await), RefusalCode::LoadClosed);
}
