//! What passed between clients and the simulated services lately, for people to look at.
//!
//! The rule: bounded whatever happens. The newest [`KEPT`] requests are kept, and of each body its first [`SEEN`]
//! bytes. Headers are kept only if they are known to carry no credential; bodies are veiled when they are shown
//! (see [`veil`](crate::veil)).

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::sync::watch;

use crate::answer::{End, Outcome};
use crate::clock::{self, Moment, Stopwatch};
use crate::payload::Payload;

/// How many requests are kept.
pub(crate) const KEPT: usize = 256;
/// How many bytes of a body are kept.
pub(crate) const SEEN: usize = 16 * 1024;
/// Headers whose values may be seen; of all others only the name is.
const OPEN: [&str; 9] = [
    "accept",
    "accept-language",
    "content-length",
    "content-type",
    "date",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-request-id",
];

/// The beginning of a body, and how long it was.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) bytes: Vec<u8>,
    pub(crate) total: u64,
}

impl fmt::Debug for Seen {
    /// Without the bytes: a body may hold a password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} bytes", self.total)
    }
}

impl Seen {
    fn add(&mut self, data: &Bytes) {
        self.total = self.total.saturating_add(data.len() as u64);
        let room = SEEN.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(data.get(..room).unwrap_or(data));
    }

    fn of(payload: &Payload) -> Self {
        Self { bytes: payload.opening(SEEN), total: payload.len() }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Bytes that are not shown.
    pub(crate) fn missing(&self) -> u64 {
        self.total.saturating_sub(SEEN as u64)
    }
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It is being served, or held.
    Not,
    Answered,
    Reset,
    Closed,
    Silence,
    /// The client went away before there was an answer.
    Left,
}

/// One request with what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) id: u64,
    pub(crate) service: &'static str,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// Names with values; `None` for a value that may be a credential.
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) sent: Seen,
    pub(crate) status: Option<u16>,
    pub(crate) answer: Seen,
    pub(crate) fault: Option<String>,
    pub(crate) twist: Option<String>,
    pub(crate) at: Moment,
    pub(crate) took: Option<Duration>,
    pub(crate) ended: Ended,
    /// The revision of the tape in which it changed last.
    revision: u64,
}

/// The newest requests to all services of one sandbox.
#[derive(Debug)]
pub(crate) struct Tape {
    reel: Mutex<Reel>,
    revisions: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Reel {
    exchanges: VecDeque<Exchange>,
    last_id: u64,
    revision: u64,
}

impl Default for Tape {
    fn default() -> Self {
        Self { reel: Mutex::default(), revisions: watch::Sender::new(0) }
    }
}

impl Tape {
    fn reel(&self) -> MutexGuard<'_, Reel> {
        // A panic elsewhere must not take the simulator down with it.
        self.reel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who look that something changed.
    pub(crate) fn touch(&self) {
        self.change(|_| {});
    }

    fn change<T>(&self, work: impl FnOnce(&mut Reel) -> T) -> T {
        let mut reel = self.reel();
        reel.revision = reel.revision.wrapping_add(1);
        let done = work(&mut reel);
        self.revisions.send_replace(reel.revision);
        done
    }

    pub(crate) fn forget(&self) {
        self.change(|reel| reel.exchanges.clear());
    }

    pub(crate) fn revisions(&self) -> watch::Receiver<u64> {
        self.revisions.subscribe()
    }

    /// What changed after a revision, oldest change first, and the revision that this is.
    pub(crate) fn since(&self, revision: u64) -> (Vec<Exchange>, u64) {
        let reel = self.reel();
        let mut changed: Vec<Exchange> =
            reel.exchanges.iter().filter(|one| one.revision > revision).cloned().collect();
        changed.sort_by_key(|one| (one.revision, one.id));
        (changed, reel.revision)
    }

    /// The newest requests, newest first, and the revision that this is.
    pub(crate) fn newest(&self, service: Option<&str>) -> (Vec<Exchange>, u64) {
        let reel = self.reel();
        let wanted = reel.exchanges.iter().rev().filter(|one| service.is_none_or(|name| one.service == name));
        (wanted.cloned().collect(), reel.revision)
    }

    pub(crate) fn find(&self, id: u64) -> Option<Exchange> {
        self.reel().exchanges.iter().find(|one| one.id == id).cloned()
    }

    fn begin(&self, service: &'static str, head: Option<&Parts>) -> u64 {
        let line = |text: Option<&str>| text.unwrap_or_default().to_owned();
        self.change(|reel| {
            reel.last_id = reel.last_id.wrapping_add(1);
            if reel.exchanges.len() >= KEPT {
                reel.exchanges.pop_front();
            }
            reel.exchanges.push_back(Exchange {
                id: reel.last_id,
                service,
                method: line(head.map(|head| head.method.as_str())),
                path: line(head.map(|head| head.uri.path())),
                query: line(head.and_then(|head| head.uri.query())),
                headers: head.map(|head| shown(&head.headers)).unwrap_or_default(),
                sent: Seen::default(),
                status: None,
                answer: Seen::default(),
                fault: None,
                twist: None,
                at: clock::now(),
                took: None,
                ended: Ended::Not,
                revision: reel.revision,
            });
            reel.last_id
        })
    }

    fn edit(&self, id: u64, edit: impl FnOnce(&mut Exchange)) {
        self.change(|reel| {
            let revision = reel.revision;
            if let Some(exchange) = reel.exchanges.iter_mut().find(|one| one.id == id) {
                edit(exchange);
                exchange.revision = revision;
            }
        });
    }
}

fn shown(headers: &HeaderMap) -> Vec<(String, Option<String>)> {
    let value = |name: &str, value: &http::HeaderValue| {
        OPEN.contains(&name).then(|| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    headers.iter().map(|(name, text)| (name.to_string(), value(name.as_str(), text))).collect()
}

/// The tape and the name under which one service writes on it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    pub(crate) tape: Arc<Tape>,
    pub(crate) service: &'static str,
}

impl Watch {
    /// A request arrived.
    pub(crate) fn begin(&self, head: &Parts) -> Ticket {
        let id = self.tape.begin(self.service, Some(head));
        let notes = Arc::new(Mutex::new(Notes::default()));
        Ticket { tape: Arc::clone(&self.tape), id, notes, since: Stopwatch::start(), ended: false }
    }

    /// A connection was reset before anything could be read.
    pub(crate) fn reset_on_accept(&self) {
        let id = self.tape.begin(self.service, None);
        self.tape.edit(id, |exchange| {
            exchange.fault = Some(crate::fault::Fault::ResetOnAccept.name().to_owned());
            exchange.took = Some(Duration::ZERO);
            exchange.ended = Ended::Reset;
        });
    }
}

/// What is learnt of a request while it is being served.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    sent: Seen,
    fault: Option<String>,
    twist: Option<String>,
}

type Shared = Arc<Mutex<Notes>>;

fn lock(notes: &Shared) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes down what is about to go wrong with a request.
pub(crate) fn struck(head: &Parts, fault: Option<&str>, twist: Option<&str>) {
    if let Some(notes) = head.extensions.get::<Shared>() {
        let mut notes = lock(notes);
        notes.fault = fault.map(str::to_owned);
        notes.twist = twist.map(str::to_owned);
    }
}

/// A request that is being served.
#[derive(Debug)]
pub(crate) struct Ticket {
    tape: Arc<Tape>,
    id: u64,
    notes: Shared,
    since: Stopwatch,
    ended: bool,
}

impl Ticket {
    pub(crate) fn notes(&self) -> Shared {
        Arc::clone(&self.notes)
    }

    pub(crate) fn end(mut self, outcome: &Outcome) {
        let (ended, answer) = match outcome {
            Outcome::Answer(answer) => (Ended::Answered, Seen::of(&answer.body)),
            Outcome::Cut(cut) => {
                let ended = match cut.end {
                    End::Reset => Ended::Reset,
                    End::Close => Ended::Closed,
                    End::Hold => Ended::Silence,
                };
                (ended, Seen::of(&cut.body))
            }
            Outcome::Silence | Outcome::Live(_) => (Ended::Silence, Seen::default()),
        };
        self.write(ended, outcome.status(), answer);
    }

    fn write(&mut self, ended: Ended, status: Option<u16>, answer: Seen) {
        self.ended = true;
        let took = self.since.elapsed();
        let notes = std::mem::take(&mut *lock(&self.notes));
        self.tape.edit(self.id, |exchange| {
            (exchange.ended, exchange.status, exchange.answer) = (ended, status, answer);
            (exchange.sent, exchange.fault, exchange.twist) = (notes.sent, notes.fault, notes.twist);
            exchange.took = Some(took);
        });
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            self.write(Ended::Left, None, Seen::default());
        }
    }
}

/// The body of a request; what is read of it is written down.
#[derive(Debug)]
pub(crate) struct Tapped {
    body: Incoming,
    notes: Option<Shared>,
}

/// The request with its body tapped and a place for [`struck`] to write to.
pub(crate) fn tapped(request: http::Request<Incoming>, notes: Option<Shared>) -> http::Request<Tapped> {
    let (mut head, body) = request.into_parts();
    if let Some(notes) = &notes {
        head.extensions.insert(Arc::clone(notes));
    }
    http::Request::from_parts(head, Tapped { body, notes })
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let (Poll::Ready(Some(Ok(frame))), Some(notes)) = (&polled, &self.notes)
            && let Some(data) = frame.data_ref()
        {
            lock(notes).sent.add(data);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Answer;

    fn head(path: &str) -> Parts {
        let request = http::Request::builder().method("POST").uri(path);
        request.header("Authorization", "Bearer x").header("Accept", "*/*").body(()).unwrap().into_parts().0
    }

    fn watch() -> Watch {
        Watch { tape: Arc::default(), service: "fiscal" }
    }

    #[test]
    fn the_oldest_go_when_it_is_full() {
        let watch = watch();
        for number in 0..KEPT + 3 {
            watch.begin(&head(&format!("/{number}"))).end(&Outcome::Answer(Answer::text(200, "ok")));
        }
        let (kept, _) = watch.tape.newest(None);
        assert_eq!(kept.len(), KEPT);
        assert_eq!((kept[0].path.as_str(), kept[KEPT - 1].path.as_str()), ("/258", "/3"));
        assert!(watch.tape.find(1).is_none());
        assert!(watch.tape.newest(Some("legale")).0.is_empty());
    }

    #[test]
    fn only_the_beginning_of_a_body_is_kept_with_its_length() {
        let watch = watch();
        let ticket = watch.begin(&head("/"));
        lock(&ticket.notes()).sent.add(&Bytes::from(vec![b'a'; SEEN - 1]));
        lock(&ticket.notes()).sent.add(&Bytes::from_static(b"bc"));
        ticket.end(&Outcome::Answer(Answer::text(200, vec![b'd'; SEEN * 2])));
        let (kept, _) = watch.tape.newest(None);
        assert_eq!(
            (kept[0].sent.bytes.len(), kept[0].sent.total, kept[0].sent.missing()),
            (SEEN, SEEN as u64 + 1, 1)
        );
        assert!(kept[0].sent.bytes.ends_with(b"ab"));
        assert_eq!((kept[0].answer.bytes.len(), kept[0].answer.total), (SEEN, SEEN as u64 * 2));
    }

    #[test]
    fn a_client_that_leaves_is_no_answer_and_changes_come_in_order() {
        let watch = watch();
        let (one, other) = (watch.begin(&head("/one")), watch.begin(&head("/other")));
        let (begun, revision) = watch.tape.since(0);
        assert_eq!(begun.iter().map(|one| one.ended).collect::<Vec<_>>(), [Ended::Not, Ended::Not]);
        drop(other);
        one.end(&Outcome::reset());
        let (changed, _) = watch.tape.since(revision);
        let seen: Vec<_> = changed.iter().map(|one| (one.path.as_str(), one.ended, one.status)).collect();
        assert_eq!(seen, [("/other", Ended::Left, None), ("/one", Ended::Reset, None)]);
    }

    #[test]
    fn of_a_header_that_may_carry_a_credential_only_the_name_is_kept() {
        let watch = watch();
        watch.begin(&head("/")).end(&Outcome::Silence);
        let (kept, _) = watch.tape.newest(None);
        assert_eq!(
            kept[0].headers,
            [("authorization".to_owned(), None), ("accept".to_owned(), Some("*/*".to_owned()))]
        );
    }
}
