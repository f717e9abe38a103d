//! What of rows 17 to 25 other tests prove, by name. The names are looked up in the sources, so that the page cannot go on naming a
//! test that is gone.

/// Row, what is proven, file, test.
pub const PROVEN: &[(u8, &str, &str, &str)] = &[
    (
        17,
        "a failed handshake is not repeated",
        "crates/core/tests/support/sockets.rs",
        "a_failed_handshake_is_not_repeated",
    ),
    (
        17,
        "a handshake that hangs has sent nothing",
        "crates/core/tests/support/sockets.rs",
        "a_handshake_that_hangs_has_sent_nothing",
    ),
    (
        18,
        "one login for many concurrent calls",
        "crates/core/src/call/session.rs",
        "a_thousand_callers_share_one_login",
    ),
    (
        20,
        "a pull that a page of was disturbed deletes nothing",
        "tests/tests/geosite/faults.rs",
        "a_disturbed_pull_deletes_nothing",
    ),
    (
        20,
        "only a whole snapshot deletes",
        "crates/geosite/tests/sync_rules.rs",
        "only_a_whole_snapshot_deletes",
    ),
    (
        20,
        "an incremental run deletes nothing",
        "crates/geosite/tests/sync_rules.rs",
        "an_incremental_run_deletes_nothing",
    ),
    (
        20,
        "a killed run goes on where it was",
        "crates/geosite/tests/sync_rules.rs",
        "a_killed_run_goes_on_where_it_was",
    ),
    (
        20,
        "a page that breaks off is taken up after its last row",
        "crates/geosite/tests/sandbox.rs",
        "a_page_that_breaks_off_is_taken_up_after_its_last_row",
    ),
    (
        20,
        "a page that fails is not the end of the list",
        "tests/tests/sugester/faults.rs",
        "a_page_that_fails_is_not_the_end_of_the_list",
    ),
    (
        20,
        "a cursor moves after a complete reading only",
        "crates/apiges-sync/tests/sync/rules.rs",
        "the_cursor_of_a_journal_moves_after_a_complete_reading_only",
    ),
    (
        21,
        "callbacks by every fault, each handled once or refused",
        "tests/tests/legale/callbacks.rs",
        "spoiled_callbacks_are_refused_or_handled_once",
    ),
    (
        21,
        "a wrong key, a changed body and an old signature are refused",
        "tests/tests/legale/callbacks.rs",
        "a_wrong_key_a_changed_body_and_an_old_signature_are_refused",
    ),
    (
        21,
        "a replay is acknowledged and not handled",
        "tests/tests/legale/callbacks.rs",
        "a_replay_is_acknowledged_and_not_handled",
    ),
    (
        21,
        "out of order: a late launch reopens nothing",
        "crates/legale/tests/layers/callbacks.rs",
        "a_late_launch_reopens_nothing",
    ),
    (
        21,
        "a relay is believed within its window and to the byte",
        "crates/legale/tests/layers/callbacks.rs",
        "a_relay_is_believed_within_its_window_and_to_the_byte",
    ),
    (
        21,
        "killed between claim and done",
        "crates/legale/tests/layers/several.rs",
        "killed_between_claim_and_done_the_callback_is_handled_when_it_comes_again",
    ),
    (
        22,
        "every fault of the service at random, with kills",
        "tests/tests/crash.rs",
        "nothing_is_issued_twice_or_lost_on_sqlite",
    ),
    (
        22,
        "what a resend cannot answer a person does",
        "tests/tests/crash.rs",
        "without_probes_a_person_answers_what_a_resend_cannot",
    ),
    (23, "kills at random moments", "crates/store/tests/sqlite.rs", "a_process_that_is_killed_loses_nothing"),
    (
        23,
        "a killed receiver of callbacks",
        "crates/store/tests/sqlite.rs",
        "a_killed_receiver_leaves_what_it_had_begun_and_nothing_else",
    ),
    (
        23,
        "a crash of the PostgreSQL server",
        "crates/store/tests/postgres.rs",
        "a_crash_of_the_server_loses_nothing",
    ),
    (24, "the first broken line is named", "crates/store/tests/sqlite.rs", "the_first_broken_line_is_named"),
    (
        24,
        "a file that was cut off is no new journal",
        "crates/store/tests/sqlite.rs",
        "a_file_that_was_cut_off_is_no_new_journal",
    ),
    (
        24,
        "a clock set back neither ends a lease nor keeps it for ever",
        "crates/store/tests/sqlite.rs",
        "a_clock_set_back_neither_ends_a_lease_nor_keeps_it_for_ever",
    ),
    (
        24,
        "a clock set back only lengthens the settling delay",
        "tests/tests/journal/resolving.rs",
        "a_clock_set_back_only_lengthens_the_delay",
    ),
    (
        24,
        "a clock put right does not shorten it",
        "tests/tests/journal/resolving.rs",
        "a_clock_put_right_does_not_shorten_the_delay",
    ),
    (25, "two processes share one file", "crates/store/tests/sqlite.rs", "two_processes_share_one_file"),
    (
        25,
        "two handles on one file keep every promise of the store",
        "crates/store/tests/sqlite.rs",
        "two_handles_on_one_file_conform",
    ),
    (
        25,
        "two workers that want the same number send one request",
        "tests/tests/journal/races.rs",
        "two_workers_that_want_the_same_number_send_one_request",
    ),
];

#[test]
fn the_tests_that_the_page_names_are_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (_, _, file, test) in PROVEN {
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        let is_test = text.lines().any(|line| line.contains(&format!("fn {test}(")));
        assert!(is_test, "{file} has no test {test}");
    }
}
