//! A first full run holds a page and no list: its memory does not grow with the number of records. The run is a process of its own, this
//! very test binary started again for the test `child`, so that neither sandbox nor store server counts.
//! `SYNC_MEMORY_CLIENTS` names the larger of the two sizes.
#![cfg(feature = "store")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::process::Command;

use integration_sandbox::Sandbox;
use integration_sandbox::sugester::Table;
use integration_store::Store;
use sugester::BaseUrl;
use sugester::sync::{Settings, Synchroniser};

const CHILD: &str = "SYNC_MEMORY_CHILD";

/// The most memory that this process has ever held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn peak_of_a_first_run(clients: u64) -> u64 {
    let sandbox = Sandbox::start().await.unwrap();
    let (bills, crm) = (sandbox.bitfactura(), sandbox.sugester());
    bills.seed(clients, clients / 5, 7);
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, folder.path().join("sync.db"))
        .env("BITFACTURA_BASE_URL", bills.base_url())
        .env("BITFACTURA_API_TOKEN", bills.token())
        .env("SUGESTER_BASE_URL", crm.base_url())
        .env("SUGESTER_API_TOKEN", crm.token());
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    let peak = told.lines().find_map(|line| line.split("peak ").nth(1)?.trim().parse().ok());
    assert_eq!(crm.created(Table::Clients) as u64, clients, "{told}");
    peak.unwrap_or_else(|| panic!("{told}"))
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
async fn memory_does_not_grow_with_the_records() {
    let larger =
        std::env::var("SYNC_MEMORY_CLIENTS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_500);
    let (few, many) = (peak_of_a_first_run(300).await, peak_of_a_first_run(larger).await);
    println!("peak: {few} KiB at 300 clients, {many} KiB at {larger}");
    assert!(many < few + 8 * 1024, "{few} KiB at 300 clients, {many} KiB at {larger}");
}

/// As a test of its own it does nothing.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let Ok(file) = std::env::var(CHILD) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let billing = sugester::bitfactura::Client::builder()
        .base_url(BaseUrl::parse(&variable("BITFACTURA_BASE_URL")).unwrap())
        .token(variable("BITFACTURA_API_TOKEN").parse().unwrap())
        .build()
        .unwrap();
    let crm = sugester::Client::builder()
        .base_url(BaseUrl::parse(&variable("SUGESTER_BASE_URL")).unwrap())
        .token(variable("SUGESTER_API_TOKEN").parse().unwrap())
        .build()
        .unwrap();
    let store = Store::open(&format!("sqlite:{file}")).await.unwrap();
    let sync = Synchroniser::builder(Settings::new("memory"), billing, crm, &store).build().unwrap();
    let report = sync.run().await.unwrap();
    println!("\n{report:?}\npeak {}", peak());
}
