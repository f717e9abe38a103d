//! What a large plant costs, and that it is read back whole.

use integration_sandbox::geosite::{Feature, Network};

use crate::support::*;

/// Reads a feature by keyset; returns its `fid`s and how many pages there were.
async fn read(client: &Client, feature: &str, filter: &str, limit: &str) -> (Vec<u32>, usize) {
    let (mut fids, mut pages) = (Vec::new(), 0);
    loop {
        let bound = format!("{filter} fid > {}", fids.last().copied().unwrap_or(0));
        let page =
            [("columns", "fid,nome,dataAlteracao"), ("sorter", "fid"), ("limit", limit), ("filter", &bound)];
        let answer = client.list(feature, &page).await;
        let (got, total) = (answer.fids(), answer.total() as usize);
        let done = got.len() == total;
        fids.extend(got);
        pages += 1;
        if done {
            return (fids, pages);
        }
    }
}

#[tokio::test]
async fn a_plant_of_fifty_thousand_is_read_whole() {
    let sandbox = start(50_000).await;
    let client = Client::of(&sandbox).await;
    let (fids, pages) = read(&client, "cliente", "", "5000").await;
    assert_eq!(fids, client.geosite.fids(Feature::Cliente));
    assert_eq!(pages, fids.len().div_ceil(5000));
    let (matched, _) = read(&client, "cliente", "porta = 3 AND", "1000").await;
    let ports: Vec<u32> = client.list("cliente", &[("columns", "fid"), ("filter", "porta = 3")]).await.fids();
    assert!(matched.len() > 1000 && matched == ports);
}

/// Prints times; nothing in it depends on them.
#[tokio::test]
#[ignore = "a measurement: cargo test --release -p integration-sandbox --test geosite -- --ignored --nocapture"]
#[allow(clippy::disallowed_methods, clippy::print_stdout, reason = "it measures")]
async fn what_a_million_elements_cost() {
    let sandbox = start(0).await;
    let geosite = sandbox.geosite().clone();
    let watch = std::time::Instant::now;
    let begun = watch();
    geosite.generate(Network::new(1_000_000).seed(7));
    println!("generate 1,000,000: {:?}", begun.elapsed());
    let begun = watch();
    assert_eq!(geosite.inventory().iter().map(|one| one.count).sum::<usize>(), 1_000_000);
    println!("inventory: {:?}", begun.elapsed());
    let client = Client::of(&sandbox).await;
    let begun = watch();
    let (fids, pages) = read(&client, "cliente", "", "500").await;
    println!("{} customers in {pages} pages of 500: {:?}", fids.len(), begun.elapsed());
    geosite.set_clock(1_900_000_000);
    let client = Client::of(&sandbox).await;
    let begun = watch();
    let edited = geosite.churn(Feature::Cliente, 1, 0, 100, 0).edited.len();
    println!("{edited} edits: {:?}", begun.elapsed());
    let begun = watch();
    let (changed, _) = read(&client, "cliente", "dataAlteracao >= '2030-01-01 00:00:00' AND", "500").await;
    println!("{} changes found: {:?}", changed.len(), begun.elapsed());
    let begun = watch();
    let (all, pages) = read(&client, "cliente", "dataAlteracao >= '2000-01-01 00:00:00' AND", "500").await;
    println!("{} by an old bound in {pages} pages: {:?}", all.len(), begun.elapsed());
    let begun = watch();
    let last = *fids.last().unwrap();
    let start = (fids.len() - 500).to_string();
    let page = [("columns", "fid"), ("sorter", "fid"), ("limit", "500"), ("start", &start)];
    assert_eq!(client.list("cliente", &page).await.fids().last(), Some(&last));
    println!("the last page by offset: {:?}", begun.elapsed());
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("no figure of memory"));
}
