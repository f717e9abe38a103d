//! Several futures side by side in one task, so many at a time (contract 2.3: most four calls are in flight).
//!
//! The rule enforced here: they are begun in their order, and what they give is given in that order, whichever ends first.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Runs futures, `most` at a time and at least one.
pub(super) async fn abreast<F: Future>(futures: impl IntoIterator<Item = F>, most: usize) -> Vec<F::Output> {
    let mut all =
        Abreast { waiting: futures.into_iter(), running: Vec::new(), done: Vec::new(), most: most.max(1) };
    poll_fn(|context| all.poll(context)).await;
    all.done.into_iter().flatten().collect()
}

struct Abreast<I: Iterator<Item = F>, F: Future> {
    waiting: I,
    running: Vec<(usize, Pin<Box<F>>)>,
    /// By place; nothing while it runs.
    done: Vec<Option<F::Output>>,
    most: usize,
}

impl<I: Iterator<Item = F>, F: Future> Abreast<I, F> {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            self.fill();
            if self.running.is_empty() {
                return Poll::Ready(());
            }
            let before = self.running.len();
            let done = &mut self.done;
            self.running.retain_mut(|(place, future)| match future.as_mut().poll(context) {
                Poll::Pending => true,
                Poll::Ready(output) => {
                    if let Some(slot) = done.get_mut(*place) {
                        *slot = Some(output);
                    }
                    false
                }
            });
            if self.running.len() == before {
                return Poll::Pending;
            }
        }
    }

    fn fill(&mut self) {
        while self.running.len() < self.most {
            let Some(future) = self.waiting.next() else { return };
            self.running.push((self.done.len(), Box::pin(future)));
            self.done.push(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Pending so often, then its number.
    async fn after(times: u32, number: u32, running: &Cell<u32>, most: &Cell<u32>) -> u32 {
        running.set(running.get() + 1);
        most.set(most.get().max(running.get()));
        let mut left = times;
        poll_fn(|context| {
            context.waker().wake_by_ref();
            left = left.saturating_sub(1);
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        running.set(running.get() - 1);
        number
    }

    #[tokio::test]
    async fn so_many_at_a_time_and_in_order() {
        for (at_once, expected) in [(0, 1), (1, 1), (3, 3), (9, 5)] {
            let (running, most) = (Cell::new(0), Cell::new(0));
            let times = [5_u32, 2, 9, 2, 3];
            let futures = times.iter().zip(0..).map(|(times, number)| after(*times, number, &running, &most));
            assert_eq!(abreast(futures, at_once).await, [0, 1, 2, 3, 4]);
            assert_eq!(most.get(), expected, "{at_once} at once");
        }
        assert!(abreast(std::iter::empty::<std::future::Ready<u8>>(), 4).await.is_empty());
    }
}
