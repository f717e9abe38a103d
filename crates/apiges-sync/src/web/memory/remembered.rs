//! What was answered under a key: the same again for 24 hours, and nothing else under that key (contract 2.2, O4, Y8).

use std::any::Any;
use std::collections::HashMap;
use std::time::Duration;

use super::super::{IdempotencyKey, RefusalCode, Sha256};
use super::denial::Denial;

const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

struct Answered {
    at: Duration,
    asked: Sha256,
    answer: Box<dyn Any + Send>,
}

/// The successes of the last 24 hours by their keys. Refusals are not kept: what was refused may be sent again, changed.
#[derive(Default)]
pub(super) struct Remembered(HashMap<IdempotencyKey, Answered>);

impl Remembered {
    /// The answer of the first time; nothing if there is none.
    pub(super) fn find<T: Clone + 'static>(
        &mut self,
        key: &IdempotencyKey,
        asked: Sha256,
        now: Duration,
    ) -> Result<Option<T>, Denial> {
        self.0.retain(|_, answered| now.saturating_sub(answered.at) < KEPT);
        let Some(answered) = self.0.get(key) else { return Ok(None) };
        let same = answered.answer.downcast_ref::<T>().filter(|_| answered.asked == asked);
        same.cloned().map(Some).ok_or_else(|| Denial::conflict(RefusalCode::IdempotencyMismatch))
    }

    pub(super) fn keep<T: Send + 'static>(
        &mut self,
        key: &IdempotencyKey,
        asked: Sha256,
        now: Duration,
        answer: T,
    ) {
        self.0.insert(key.clone(), Answered { at: now, asked, answer: Box::new(answer) });
    }
}

impl std::fmt::Debug for Remembered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Remembered").field("keys", &self.0.len()).finish_non_exhaustive()
    }
}
