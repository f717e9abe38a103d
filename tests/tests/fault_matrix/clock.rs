//! Time and chance of a cell: pauses pass at once and are written down, limits strike when the server has nothing more to say, and
//! every draw comes from the cell's seed. A cell of ten minutes takes milliseconds, and fails again under the same seed.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};
use std::time::Duration;

use integration_core::BoxFuture;
use integration_core::clock::{Clock, SystemClock};
use jiff::Timestamp;

/// A moment for dates, so that an HTTP date can be told apart from the zero of a clock.
const BEGINNING: Timestamp = Timestamp::constant(1_795_334_400, 0);

#[derive(Debug, Clone)]
pub struct Virtual(Arc<Mutex<State>>, Option<SystemClock>);

#[derive(Debug)]
struct State {
    now: Duration,
    slept: Vec<Duration>,
    dice: Dice,
    timers: BTreeMap<u64, (Duration, Option<Waker>)>,
    made: u64,
}

/// SplitMix64: enough for spreading, and the same on every machine.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Between 0 (included) and 1 (excluded).
    pub fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

impl Virtual {
    pub fn seeded(seed: u64) -> Self {
        let (now, dice) = (Duration::ZERO, Dice(seed));
        Self(
            Arc::new(Mutex::new(State { now, slept: Vec::new(), dice, timers: BTreeMap::new(), made: 0 })),
            None,
        )
    }

    /// The machine's clock, for what has to be measured in real time; nothing strikes by itself.
    pub fn real(seed: u64) -> Self {
        Self(Self::seeded(seed).0, Some(SystemClock::new()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Every pause that was made, in order.
    pub fn slept(&self) -> Vec<Duration> {
        self.state().slept.clone()
    }

    pub fn advance(&self, duration: Duration) {
        if self.1.is_some() {
            return;
        }
        let mut state = self.state();
        state.now += duration;
        let now = state.now;
        let due: Vec<Waker> = state
            .timers
            .values_mut()
            .filter(|(due, _)| *due <= now)
            .filter_map(|(_, waker)| waker.take())
            .collect();
        drop(state);
        due.into_iter().for_each(Waker::wake);
    }

    /// How long until the next limit strikes, if anybody waits for one.
    fn until_next(&self) -> Option<Duration> {
        let state = self.state();
        state.timers.values().map(|(due, _)| due.saturating_sub(state.now)).min()
    }

    /// Goes to the next limit: the server keeps silent, so that nothing else can happen.
    pub fn strike(&self) {
        if let Some(wait) = self.until_next() {
            self.advance(wait);
        }
    }

    /// Lets so much time pass, with a halt at every limit, at which whoever set it can act.
    pub async fn pass(&self, mut duration: Duration) {
        if self.1.is_some() {
            return breathe().await;
        }
        while !duration.is_zero() {
            let step = self.until_next().unwrap_or(duration).min(duration);
            self.advance(step);
            duration -= step;
            breathe().await;
            if step.is_zero() {
                break;
            }
        }
    }
}

/// Lets every other task of the runtime have its turn, with what has arrived for it at its socket.
pub async fn breathe() {
    let clock = SystemClock::new();
    for _ in 0..2 {
        clock.sleep(Duration::from_millis(1)).await;
        tokio::task::yield_now().await;
    }
}

/// Taken out of the list when the call no longer waits.
struct Waiting(Virtual, u64);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.state().timers.remove(&self.1);
    }
}

impl Clock for Virtual {
    fn elapsed(&self) -> Duration {
        self.1.as_ref().map_or_else(|| self.state().now, Clock::elapsed)
    }

    fn wall(&self) -> Timestamp {
        BEGINNING + self.elapsed()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        self.state().slept.push(duration);
        if let Some(real) = &self.1 {
            return real.sleep(duration);
        }
        self.advance(duration);
        Box::pin(std::future::ready(()))
    }

    fn timer(&self, duration: Duration) -> BoxFuture<'static, ()> {
        if let Some(real) = &self.1 {
            return real.timer(duration);
        }
        let mut state = self.state();
        let due = state.now.saturating_add(duration);
        state.made += 1;
        let number = state.made;
        state.timers.insert(number, (due, None));
        drop(state);
        let waiting = Waiting(self.clone(), number);
        Box::pin(poll_fn(move |context| {
            let mut state = waiting.0.state();
            if state.now >= due {
                return Poll::Ready(());
            }
            if let Some((_, waker)) = state.timers.get_mut(&waiting.1) {
                *waker = Some(context.waker().clone());
            }
            Poll::Pending
        }))
    }

    fn random(&self) -> f64 {
        self.state().dice.unit()
    }
}
