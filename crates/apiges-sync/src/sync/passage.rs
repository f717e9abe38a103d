//! Who is on the way to the portal (contract O7).
//!
//! The rules enforced here: a contact's grant changes only when nothing that was judged by it before is on its way any more; until then
//! nothing else that concerns the contact sets out; whatever concerns others only never waits, so that a push that hangs holds up nobody
//! but the contacts that it is about. Contacts go by their numeric id, which a renamed code does not change.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Debug, Default)]
pub(crate) struct Passage {
    state: Mutex<State>,
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// How many pushes that concern a contact are on their way.
    pushes: BTreeMap<u64, usize>,
    /// Whose grants change.
    changes: BTreeSet<u64>,
}

/// A push on its way; it has arrived when this is dropped.
#[derive(Debug)]
pub(crate) struct Push<'p> {
    passage: &'p Passage,
    whom: BTreeSet<u64>,
}

/// A change of a grant; no other change of it goes on meanwhile.
#[derive(Debug)]
pub(crate) struct Change<'p> {
    passage: &'p Passage,
    whose: u64,
}

impl Passage {
    /// Waits until nobody's grant changes whom the push concerns.
    pub(crate) async fn push(&self, whom: BTreeSet<u64>) -> Push<'_> {
        self.entered(|state| {
            let free = whom.is_disjoint(&state.changes);
            if free {
                whom.iter().for_each(|id| *state.pushes.entry(*id).or_default() += 1);
            }
            free
        })
        .await;
        Push { passage: self, whom }
    }

    /// Waits for other changes of the same grant. From here on no push sets out that it concerns.
    pub(crate) async fn change(&self, whose: u64) -> Change<'_> {
        self.entered(|state| state.changes.insert(whose)).await;
        Change { passage: self, whose }
    }

    /// Tries whenever somebody left.
    async fn entered(&self, mut enter: impl FnMut(&mut State) -> bool) {
        loop {
            let mut left = pin!(self.left.notified());
            // Whoever leaves between the look and the waiting is heard.
            left.as_mut().enable();
            if enter(&mut self.state()) {
                return;
            }
            left.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change<'_> {
    /// Waits until every push that set out before has arrived.
    pub(crate) async fn alone(&self) {
        self.passage.entered(|state| !state.pushes.contains_key(&self.whose)).await;
    }
}

impl Drop for Push<'_> {
    fn drop(&mut self) {
        let mut state = self.passage.state();
        for id in &self.whom {
            let rest = state.pushes.get(id).map_or(0, |count| count.saturating_sub(1));
            if rest == 0 {
                state.pushes.remove(id);
            } else {
                state.pushes.insert(*id, rest);
            }
        }
        drop(state);
        self.passage.left.notify_waiters();
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.passage.state().changes.remove(&self.whose);
        self.passage.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Waker};

    use super::*;

    fn is_ready<T>(work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
        match work.poll(&mut Context::from_waker(Waker::noop())) {
            std::task::Poll::Ready(done) => Some(done),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn a_change_waits_for_the_pushes_that_it_concerns_and_holds_up_no_other() {
        let passage = Passage::default();
        let mut one = pin!(passage.push(BTreeSet::from([1, 2])));
        let first = is_ready(one.as_mut()).unwrap();
        let mut change = pin!(passage.change(2));
        let change = is_ready(change.as_mut()).unwrap();
        let mut alone = pin!(change.alone());
        assert!(is_ready(alone.as_mut()).is_none());
        let (mut later, mut other) =
            (pin!(passage.push(BTreeSet::from([2, 3]))), pin!(passage.push(BTreeSet::from([1, 3]))));
        assert!(is_ready(later.as_mut()).is_none() && is_ready(other.as_mut()).is_some());
        drop(first);
        assert!(is_ready(alone.as_mut()).is_some() && is_ready(later.as_mut()).is_none());
    }

    #[test]
    fn one_change_of_a_grant_at_a_time_and_whoever_waits_is_let_in() {
        let passage = Passage::default();
        let mut change = pin!(passage.change(2));
        let first = is_ready(change.as_mut()).unwrap();
        let (mut second, mut push) = (pin!(passage.change(2)), pin!(passage.push(BTreeSet::from([2]))));
        assert!(is_ready(second.as_mut()).is_none() && is_ready(push.as_mut()).is_none());
        drop(first);
        assert!(is_ready(push.as_mut()).is_some() && is_ready(second.as_mut()).is_some());
    }
}
