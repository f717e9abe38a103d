//! A process that is killed between claim and mark. The child is this very test binary, started again for one test of it.

use std::process::{Command, Stdio};
use std::sync::Arc;

use integration_store::{Store, StoredDuplicates};
use sugester::webhook::{Confirmed, Handler, Hint, HintQueue, HintSink, StoredHints, Subject, Worker};
use sugester::{BoxFuture, Error};

use crate::support::{Kept, Service};

const CHILD: &str = "WEBHOOK_KILL_STORE";

/// Dies in the middle of handling the first: no destructor runs.
struct Dies;

impl Handler for Dies {
    fn handle(&self, _: Confirmed) -> BoxFuture<'_, Result<(), Error>> {
        std::process::abort()
    }
}

async fn hints(store: &Store) -> Arc<StoredHints> {
    Arc::new(StoredHints::new(store.checkpoints("hints")))
}

async fn worker(store: &Store, handler: Arc<dyn Handler>) -> Worker {
    let service = Arc::new(Service::default());
    service.says(7, "Lima");
    let duplicates = Arc::new(StoredDuplicates::new(store.inbox("handled")));
    Worker::new(hints(store).await, service, handler).duplicates(duplicates)
}

#[tokio::test]
async fn child() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let store = Store::open(&url).await.unwrap();
    hints(&store).await.keep(Hint::new(Subject::Client, 7)).await.unwrap();
    worker(&store, Arc::new(Dies)).await.round().await.unwrap();
}

#[tokio::test]
async fn what_was_claimed_and_not_done_is_handled_by_the_next_process_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("hints.db").display());
    let program = std::env::current_exe().unwrap();
    let run = || {
        let mut command = Command::new(&program);
        command.args(["--exact", "kill::child", "--nocapture"]).env(CHILD, &url);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
    };
    assert!(!run().success(), "the child was to die while it handled");
    let store = Store::open(&url).await.unwrap();
    let waiting = hints(&store).await.waiting(0, 9).await.unwrap();
    assert_eq!(waiting.len(), 1, "kept before it was dealt with");

    let kept = Arc::new(Kept::default());
    let next = worker(&store, kept.clone()).await;
    let round = next.round().await.unwrap();
    // The claim is left behind; that its holder has ended is known at once on this system, elsewhere after its lease.
    if cfg!(target_os = "linux") {
        assert_eq!((round.handled, round.in_progress), (1, 0));
        assert_eq!(kept.lines(), ["client 7 Lima"]);
        // The same webhook once more, and another process: it is known.
        hints(&store).await.keep(Hint::new(Subject::Client, 7)).await.unwrap();
        let other = worker(&store, Arc::new(Dies)).await;
        assert_eq!(other.round().await.unwrap().duplicates, 1);
        assert!(hints(&store).await.waiting(0, 9).await.unwrap().is_empty());
    }
}
