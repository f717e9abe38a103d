//! One suite for every transport of the web synchronisation (contract 3.9): the HTTP mapping against the simulated portal, and the
//! portal in memory. A check knows neither; what it expects stands in the contract.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::needless_pass_by_value
)]

#[path = "transport/calls.rs"]
mod calls;
#[path = "transport/documents.rs"]
mod documents;
#[path = "transport/grants.rs"]
mod grants;
#[path = "transport/loads.rs"]
mod loads;
#[path = "transport/pushes.rs"]
mod pushes;
#[path = "transport/support.rs"]
mod support;
#[path = "transport/threads.rs"]
mod threads;
#[path = "transport/unions.rs"]
mod unions;
#[path = "transport/withdrawals.rs"]
mod withdrawals;

/// Each check twice.
macro_rules! suite {
    ($($module:ident { $($check:ident)+ })+) => {
        mod memory {$($(
            #[tokio::test]
            async fn $check() {
                let portal = crate::support::Memory::new();
                crate::$module::$check(&portal.transport, &portal).await;
            }
        )+)+}

        mod http {$($(
            #[tokio::test]
            async fn $check() {
                let portal = crate::support::Simulated::start().await;
                crate::$module::$check(&portal.transport, &portal).await;
            }
        )+)+}
    };
}

suite! {
    calls {
        health_names_protocol_tenant_and_limits
        a_key_that_comes_again_is_answered_as_the_first_time
        a_key_that_says_something_else_is_a_mismatch
        a_key_is_good_for_24_hours
        a_refusal_is_not_remembered
        a_lost_answer_is_had_again_and_nothing_is_done_twice
        a_wrong_credential_is_not_accepted
        a_credential_without_rights_is_forbidden
    }
    grants {
        a_grant_is_created_once
        a_grant_changes_at_its_version_only
        the_same_code_of_two_kinds_is_two_grants
        a_suspended_grant_sees_nothing_and_loses_nothing
        suspending_needs_the_version_and_the_grant
        a_revoked_grant_is_denied_at_once
        a_revoked_grant_never_gives_a_version_again
        a_renamed_contact_keeps_everything
        a_rename_needs_a_free_code_and_the_same_contact
        grants_come_in_pages
        a_group_has_a_name
        a_digest_is_that_of_what_is_held
    }
    unions {
        a_pair_takes_effect_only_after_its_preview
        a_preview_is_good_for_what_it_showed_only
        a_union_sees_only_the_fields_that_all_show
        a_changed_pair_leaves_the_union_at_once
        a_preview_counts_once
        a_union_sees_the_values_of_its_first_grant
        a_union_of_nobody_sees_nothing
    }
    pushes {
        a_push_is_judged_by_its_version
        versions_begin_at_1
        a_tombstone_keeps_older_pushes_away
        nobody_loses_a_file_without_being_named
        a_suspended_grant_keeps_its_older_projection
        a_file_moves_in_one_push
        a_field_that_is_no_longer_shown_is_absent
        a_batch_answers_for_each_push
        a_batch_has_a_limit
        a_file_that_was_never_there_is_none
    }
    withdrawals {
        a_withdrawal_is_judged_by_the_version_of_the_grant
        a_withdrawal_raises_the_version_of_the_file
        what_was_never_there_leaves_a_tombstone
        a_withdrawal_without_a_version_is_refused_whole
        withdrawals_are_kept_for_audit_in_pages
    }
    loads {
        a_load_is_visible_at_its_commit
        loads_are_in_the_way_of_their_like
        batches_come_in_order
        a_batch_has_its_own_digest
        a_batch_uses_no_version_for_something_else
        a_holder_is_part_of_what_a_version_says
        what_a_push_brought_meanwhile_is_unchanged
        a_load_ends_once_and_in_one_way
        a_commit_says_how_much_there_is
        more_than_twenty_withdrawals_need_the_exact_number
        more_than_a_tenth_of_twenty_files_needs_the_exact_number
        fewer_than_twenty_files_are_not_guarded
        an_incomplete_load_withdraws_nothing
        what_is_pushed_during_a_load_survives_it
        a_commit_counts_what_was_there
        a_load_raises_the_version_of_the_file
        an_aborted_load_leaves_nothing
        a_load_closes_when_all_is_committed
        a_load_of_one_contact_is_limited_to_it
        a_contact_without_files_can_be_loaded
    }
    documents {
        a_blob_is_stored_under_its_own_digest
        a_blob_has_a_limit
        a_blob_that_nobody_links_goes_after_a_day
        a_document_needs_its_blob_and_its_file
        a_hidden_document_is_refused
        a_link_is_judged_by_its_version
        a_withdrawn_document_stays_away
        what_is_hidden_now_is_not_said_to_be_linked
        a_viewer_sees_the_documents_that_are_for_it
    }
    threads {
        a_case_that_is_not_there_has_no_thread
        the_evidence_is_the_contracts_vector
        a_message_is_never_changed
        messages_come_in_order_and_in_pages
        a_message_carries_the_digests_of_its_documents
        a_receipt_needs_its_message
        receipts_raise_a_message_and_never_lower_it
        a_receipt_that_is_known_changes_nothing
        the_feed_tells_what_was_made_on_the_portal
        the_feed_goes_on_behind_its_cursor
    }
}
