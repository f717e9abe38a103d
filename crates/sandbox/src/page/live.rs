//! Server-sent events: requests as they come and as they end, and word that a view is out of date.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::{Stream, stream};
use serde::Deserialize;
use tokio::sync::watch;

use super::Shared;
use super::requests::Row;
use crate::clock;
use crate::tape::{Ended, Exchange};

/// Changes that come closer together than this are told at once.
const PACE: Duration = Duration::from_millis(40);

#[derive(Deserialize)]
pub(super) struct Wish {
    /// The revision that the page shows; without it only what comes is told.
    since: Option<u64>,
}

/// `GET /live`: `request` carries a row of the list, `changed` the names of services where something ended.
pub(super) async fn events(
    State(control): State<Shared>,
    Query(wish): Query<Wish>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    // A browser that connects again says what it heard last.
    let heard = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let revisions = control.tape.revisions();
    let present = *revisions.borrow();
    let told = heard.or(wish.since).unwrap_or(present);
    let listener = Listener { control, revisions, told, queue: VecDeque::new() };
    Sse::new(stream::unfold(listener, Listener::next)).keep_alive(KeepAlive::default())
}

/// One page that listens.
struct Listener {
    control: Shared,
    revisions: watch::Receiver<u64>,
    told: u64,
    queue: VecDeque<Event>,
}

impl Listener {
    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some((Ok(event), self));
            }
            let told = self.told;
            self.revisions.wait_for(|revision| *revision > told).await.ok()?;
            clock::sleep(PACE).await;
            self.gather();
        }
    }

    fn gather(&mut self) {
        let tape = Arc::clone(&self.control.tape);
        let (changed, revision) = tape.since(self.told);
        let rows =
            changed.iter().filter_map(|one| self.control.veiled(|veil| Row::new(one, veil).rendered()));
        self.queue.extend(rows.map(|row| Event::default().event("request").data(row)));
        let id = revision.to_string();
        self.queue.push_back(Event::default().event("changed").id(id).data(services(&changed)));
        self.told = revision;
    }
}

/// Where something ended; nothing if it was changed by hand, which may have been anywhere.
fn services(changed: &[Exchange]) -> String {
    let mut names: Vec<&str> =
        changed.iter().filter(|one| one.ended != Ended::Not).map(|one| one.service).collect();
    names.sort_unstable();
    names.dedup();
    if changed.is_empty() { "*".to_owned() } else { names.join(" ") }
}
