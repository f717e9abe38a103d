//! What programs with several threads rely on, checked by the compiler: clients and errors are shared, streams and calls move between
//! threads. `.ci/public-surface` asks the same of every public type; the futures are asked here, since no list shows them.

fn shared<T: Send + Sync + 'static>() {}

fn sent<T: Send>(work: impl FnOnce() -> T) {
    drop(work);
}

#[test]
fn clients_errors_and_stores_are_shared() {
    shared::<fiscal_printer::Client>();
    shared::<fiscal_printer::journal::Journal>();
    shared::<legale::Client>();
    shared::<sugester::Client>();
    shared::<sugester::bitfactura::Client>();
    shared::<sugester::sync::Synchroniser>();
    shared::<geosite::Client>();
    shared::<geosite::hubsoft::HubSoft>();
    shared::<geosite::sync::PlantSync>();
    shared::<apiges_sync::Client>();
    shared::<apiges_sync::web::HttpTransport>();
    shared::<integration_store::Store>();
    shared::<integration_core::call::Caller>();
    shared::<integration_core::Error>();
    shared::<integration_store::StoreError>();
    shared::<geosite::sync::SyncError>();
    shared::<geosite::link::LinkError>();
    shared::<legale::Refusal>();
    shared::<fiscal_printer::Refusal>();
    shared::<apiges_sync::web::Refusal>();
}

#[test]
fn streams_move_between_threads() {
    sent(|| -> fiscal_printer::Batch { unreachable!("asked for its type") });
    sent(|| -> geosite::ReadAll { unreachable!("asked for its type") });
    sent(|| -> geosite::ReadMany { unreachable!("asked for its type") });
    sent(|| -> geosite::Rows { unreachable!("asked for its type") });
    sent(|| -> integration_core::call::AnswerStream { unreachable!("asked for its type") });
    sent(|| -> integration_core::call::Streamed<()> { unreachable!("asked for its type") });
}

/// Each asks the compiler whether the future of an operation can be spawned.
#[test]
fn calls_move_between_threads() {
    sent(|| {
        async |client: fiscal_printer::Client, document: fiscal_printer::Document| {
            let _ = spawnable(client.issue(&document)).await;
        }
    });
    sent(|| {
        async |client: legale::Client, upload: legale::Upload, sending: legale::Sending| {
            let _ = spawnable(client.create(&upload)).await;
            let _ = spawnable(client.send(&sending)).await;
        }
    });
    sent(|| async |client: sugester::Client| drop(spawnable(client.client(7)).await));
    sent(|| async |client: sugester::bitfactura::Client| drop(spawnable(client.invoice(7)).await));
    sent(|| {
        async |client: geosite::Client| {
            let _ = spawnable(client.log_in()).await;
            let _ = spawnable(client.get(geosite::Feature::Cto, 7_u64)).await;
        }
    });
    sent(|| {
        async |client: apiges_sync::Client, search: apiges_sync::Search| {
            let _ = spawnable(client.case_file(7)).await;
            let _ = spawnable(client.search_case_files(&search)).await;
        }
    });
}

fn spawnable<F: Future + Send>(call: F) -> F {
    call
}
