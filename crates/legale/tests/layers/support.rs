//! A service that says what a test tells it to, and a handler that keeps what it gets.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use legale::tracking::{Documents, Listed, ListedPage};
use legale::webhook::{Delivery, Detail, Handler, Refetch, Seen};
use legale::{BoxFuture, DocumentId, Error, ErrorKind};

#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) answers: Mutex<HashMap<String, Seen>>,
    pub(crate) script: Mutex<Vec<Result<Seen, Error>>>,
    pub(crate) pages: Mutex<Vec<Vec<Listed>>>,
    pub(crate) looks: AtomicUsize,
    pub(crate) is_down: AtomicBool,
}

impl Service {
    pub(crate) fn says(self: &Arc<Self>, guid: &str, seen: Seen) {
        self.answers.lock().unwrap().insert(guid.to_owned(), seen);
    }

    pub(crate) fn looks(&self) -> usize {
        self.looks.load(Ordering::SeqCst)
    }
}

pub(crate) fn found(detail: Detail) -> Seen {
    Seen::Found(detail)
}

impl Refetch for Service {
    fn look<'a>(&'a self, document: &'a DocumentId) -> BoxFuture<'a, Result<Seen, Error>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        let down = self.is_down.load(Ordering::SeqCst);
        let scripted = self.script.lock().unwrap().pop();
        let seen = self.answers.lock().unwrap().get(document.as_str()).cloned().unwrap_or(Seen::NotFound);
        let answer =
            if down { Err(Error::new(ErrorKind::Connect, "detail")) } else { scripted.unwrap_or(Ok(seen)) };
        Box::pin(std::future::ready(answer))
    }
}

impl Documents for Service {
    fn page(&self, page: u32) -> BoxFuture<'_, Result<ListedPage, Error>> {
        let pages = self.pages.lock().unwrap();
        let items = pages.get(page as usize - 1).cloned().unwrap_or_default();
        let has_next = (page as usize) < pages.len();
        Box::pin(std::future::ready(Ok(ListedPage { items, has_next })))
    }
}

#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) deliveries: Mutex<Vec<Delivery>>,
    pub(crate) again: Mutex<Vec<DocumentId>>,
    pub(crate) fails: AtomicBool,
    pub(crate) hangs: AtomicBool,
}

impl Kept {
    pub(crate) fn count(&self) -> usize {
        self.deliveries.lock().unwrap().len()
    }
}

impl Handler for Kept {
    fn handle(&self, delivery: Delivery) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(async move {
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if self.fails.load(Ordering::SeqCst) {
                return Err(Error::new(ErrorKind::Store, "handle"));
            }
            // Others come in between.
            tokio::task::yield_now().await;
            self.deliveries.lock().unwrap().push(delivery);
            Ok(())
        })
    }

    fn poll_again(&self, document: DocumentId) -> BoxFuture<'_, ()> {
        self.again.lock().unwrap().push(document);
        Box::pin(std::future::ready(()))
    }
}
