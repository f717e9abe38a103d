//! Several tasks and several workers on one store, by the real clock: only its short pauses are waited for.

use super::*;

fn worker(fiscal: &Fiscal, store: &Store, name: &str) -> Journal {
    Journal::builder(support::client(fiscal), store).worker(name).build().unwrap()
}

fn next_invoice(number: InternalNumber) -> Result<Document, Error> {
    filled(Document::invoice(RIF, number)).build()
}

fn issued(fiscal: &Fiscal) -> Vec<String> {
    fiscal.documents().into_iter().map(|found| found.internal_number).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_tasks_of_two_workers_get_numbers_without_gaps() {
    let sandbox = support::sandbox().await;
    let store = Store::open("memory:").await.unwrap();
    let workers = [worker(sandbox.fiscal(), &store, "a"), worker(sandbox.fiscal(), &store, "b")];
    let tasks: Vec<_> = (0..20)
        .map(|at| {
            let journal = workers[at % 2].clone();
            tokio::spawn(async move { journal.issue_next(DocumentType::Invoice, next_invoice).await })
        })
        .collect();
    let mut numbers = Vec::new();
    for task in tasks {
        numbers.push(task.await.unwrap().unwrap().number().to_owned());
    }
    numbers.sort();
    let expected: Vec<_> = (1..=20).map(padded).collect();
    assert_eq!(numbers, expected);
    assert_eq!(issued(sandbox.fiscal()), expected, "in order at the service, each once");
    assert_eq!(requests(sandbox.fiscal(), "/facturacion").len(), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_want_the_same_number_send_one_request() {
    let sandbox = support::sandbox().await;
    let store = Store::open("memory:").await.unwrap();
    let (one, other) = (worker(sandbox.fiscal(), &store, "a"), worker(sandbox.fiscal(), &store, "b"));
    for value in 1..=200 {
        let document = invoice(value);
        let (mine, copy) = (one.clone(), document.clone());
        let task = tokio::spawn(async move { mine.issue(&copy).await });
        let (first, second) = (other.issue(&document).await.unwrap(), task.await.unwrap().unwrap());
        assert_eq!(first.control_text(), second.control_text(), "{value}");
    }
    assert_eq!(requests(sandbox.fiscal(), "/facturacion").len(), 200);
    assert_eq!(issued(sandbox.fiscal()), (1..=200).map(padded).collect::<Vec<_>>());
}

/// Resolving takes what issuing takes, in the same order: neither waits for the other for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn resolving_and_issuing_of_two_workers_do_not_wait_for_each_other() {
    let sandbox = support::sandbox().await;
    let fiscal = sandbox.fiscal();
    let store = Store::open("memory:").await.unwrap();
    let quick = |name: &str| {
        let client = support::builder(fiscal).timeout(Duration::from_millis(500)).build().unwrap();
        let builder = Journal::builder(client, &store).worker(name);
        builder.settling_delay(Duration::from_millis(500)).build().unwrap()
    };
    let (one, other) = (quick("a"), quick("b"));
    let control = one.issue(&invoice(1)).await.unwrap().control_text().unwrap().to_owned();
    fiscal.inject_times(Endpoint::Issue, Fault::ResetBeforeActing, 2);
    one.issue(&invoice(2)).await.unwrap_err();
    other.issue(&debit_note(1, &control)).await.unwrap_err();
    let (left, right) = tokio::join!(one.settle(|_| {}), other.settle(|_| {}));
    let open = left.unwrap().open.len() + right.unwrap().open.len();
    assert_eq!(open, 0);
    assert_eq!(fiscal.documents().len(), 3);
}
