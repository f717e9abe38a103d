//! SHA-256 beside the work that moves the bytes: one core hashes while another encodes, sends or receives.
//!
//! The rules enforced here: what waits to be hashed is bounded; no thread is held while nothing waits, since it comes from the pool
//! that also reads files, and would starve the very file that it waits for; and when the owner is gone, the thread is given back
//! after the piece that it is at.

use std::collections::VecDeque;
use std::fmt;
use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use ring::digest::{self, SHA256};
use tokio::runtime::Handle;

/// The beginning is hashed on the spot: a small file is not worth a thread.
const ON_THE_SPOT: usize = 256 * 1024;

/// A digest under way.
pub(crate) struct Hashing {
    lane: Arc<Mutex<Lane>>,
    begun: usize,
}

struct Lane {
    /// Away while a job hashes.
    hash: Option<digest::Context>,
    waiting: VecDeque<Bytes>,
    /// Of the owner, who waits for room or for the end.
    waker: Option<Waker>,
    /// It is woken when no more than so many are waiting.
    wake_at: usize,
    /// A job was thrown away with the digest, as a runtime does that shuts down.
    lost: bool,
}

impl Hashing {
    pub(crate) fn new() -> Self {
        let hash = Some(digest::Context::new(&SHA256));
        let lane = Lane { hash, waiting: VecDeque::new(), waker: None, wake_at: 0, lost: false };
        Self { lane: Arc::new(Mutex::new(lane)), begun: 0 }
    }

    /// Hashes `piece`, later and elsewhere if there is a runtime whose pool can do it.
    pub(crate) fn push(&mut self, piece: Bytes) {
        self.begun = self.begun.saturating_add(piece.len());
        let Some(job) = self.job(piece) else { return };
        match Handle::try_current() {
            Ok(runtime) if self.begun > ON_THE_SPOT => drop(runtime.spawn_blocking(|| job.run())),
            _ => job.run(),
        }
    }

    /// Who hashes it, unless somebody is at it already.
    fn job(&self, piece: Bytes) -> Option<Job> {
        let mut lane = locked(&self.lane);
        if lane.lost {
            return None;
        }
        lane.waiting.push_back(piece);
        let hash = lane.hash.take()?;
        Some(Job { lane: self.lane.clone(), hash: Some(hash) })
    }

    /// Waits until no more than `pieces` are waiting, beside the one that is being hashed.
    pub(crate) fn poll_room(&mut self, pieces: usize, context: &mut Context<'_>) -> Poll<()> {
        let mut lane = locked(&self.lane);
        if lane.lost || lane.waiting.len() <= pieces {
            return Poll::Ready(());
        }
        // Not at the first free place: whoever is woken for every piece does little else, and at the last one too late.
        lane.wake_at = pieces / 2;
        lane.wait(context)
    }

    /// The digest of everything that was pushed.
    pub(crate) fn poll_digest(&mut self, context: &mut Context<'_>) -> Poll<io::Result<[u8; 32]>> {
        let mut lane = locked(&self.lane);
        match &lane.hash {
            Some(hash) => Poll::Ready(Ok(array(hash))),
            None if lane.lost => Poll::Ready(Err(io::Error::other("the hashing of the file was stopped"))),
            None => {
                lane.wake_at = 0;
                lane.wait(context)
            }
        }
    }
}

fn array(hash: &digest::Context) -> [u8; 32] {
    // SHA-256 always has 32 bytes.
    hash.clone().finish().as_ref().try_into().unwrap_or([0; 32])
}

/// Lower-case hexadecimal.
pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Lane {
    fn wait<T>(&mut self, context: &Context<'_>) -> Poll<T> {
        self.waker = Some(context.waker().clone());
        Poll::Pending
    }

    fn wake(&mut self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

fn locked(lane: &Mutex<Lane>) -> MutexGuard<'_, Lane> {
    lane.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Hashing {
    fn drop(&mut self) {
        locked(&self.lane).waiting.clear();
    }
}

impl fmt::Debug for Hashing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashing").field("begun", &self.begun).finish_non_exhaustive()
    }
}

/// Hashes what waits, and ends when nothing does.
struct Job {
    lane: Arc<Mutex<Lane>>,
    hash: Option<digest::Context>,
}

impl Job {
    fn run(mut self) {
        while let Some(piece) = self.next() {
            if let Some(hash) = &mut self.hash {
                hash.update(&piece);
            }
        }
    }

    /// The next piece; at the end the digest goes back under the same lock, so that no piece is left behind.
    fn next(&mut self) -> Option<Bytes> {
        let mut lane = locked(&self.lane);
        let piece = lane.waiting.pop_front();
        if piece.is_none() {
            lane.hash = self.hash.take();
        }
        if lane.waiting.len() <= lane.wake_at {
            lane.wake();
        }
        piece
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.hash.is_some() {
            let mut lane = locked(&self.lane);
            lane.lost = true;
            lane.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const PIECE: usize = 100 * 1024;

    async fn hashed(pieces: usize) -> [u8; 32] {
        let mut hashing = Hashing::new();
        for index in 0..pieces {
            poll_fn(|context| hashing.poll_room(2, context)).await;
            hashing.push(vec![index as u8; PIECE].into());
            assert!(locked(&hashing.lane).waiting.len() <= 3);
        }
        poll_fn(|context| hashing.poll_digest(context)).await.unwrap()
    }

    fn expected(pieces: usize) -> [u8; 32] {
        let whole: Vec<u8> = (0..pieces).flat_map(|index| vec![index as u8; PIECE]).collect();
        digest::digest(&SHA256, &whole).as_ref().try_into().unwrap()
    }

    #[tokio::test]
    async fn pieces_are_hashed_in_their_order_here_and_beside() {
        for pieces in [0, 1, 2, 3, 4, 100] {
            assert_eq!(hashed(pieces).await, expected(pieces), "{pieces}");
        }
    }

    #[test]
    fn without_a_runtime_they_are_hashed_on_the_spot() {
        let mut hashing = Hashing::new();
        let mut context = Context::from_waker(Waker::noop());
        for index in 0..5 {
            assert!(hashing.poll_room(0, &mut context).is_ready());
            hashing.push(vec![index; PIECE].into());
        }
        let Poll::Ready(digest) = hashing.poll_digest(&mut context) else { panic!("it waits for nobody") };
        assert_eq!(digest.unwrap(), expected(5));
    }

    #[test]
    fn a_job_that_is_thrown_away_is_an_error_and_no_endless_wait() {
        let mut hashing = Hashing::new();
        drop(hashing.job(Bytes::from_static(b"a")));
        let mut context = Context::from_waker(Waker::noop());
        hashing.push(Bytes::from_static(b"b"));
        assert!(hashing.poll_room(0, &mut context).is_ready());
        assert!(matches!(hashing.poll_digest(&mut context), Poll::Ready(Err(_))));
        assert!(locked(&hashing.lane).waiting.len() <= 1, "what nobody will hash is not kept");
    }

    #[test]
    fn a_job_ends_when_its_owner_is_gone() {
        let mut hashing = Hashing::new();
        let mut job = hashing.job(Bytes::from_static(b"a")).unwrap();
        assert!(hashing.job(Bytes::from_static(b"b")).is_none());
        assert_eq!(job.next().unwrap(), "a");
        hashing.begun = 0;
        drop(hashing);
        assert_eq!(job.next(), None);
    }
}
