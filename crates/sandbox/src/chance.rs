//! The sandbox's only randomness: names that nobody can guess.

use std::sync::atomic::{AtomicU64, Ordering};

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::blob;

/// This many random bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: usize) -> String {
    static FALLBACK: AtomicU64 = AtomicU64::new(1);
    let mut random = vec![0; bytes];
    if SystemRandom::new().fill(&mut random).is_err() {
        // A system without randomness still gives names that differ, which is all a simulator needs.
        let number = FALLBACK.fetch_add(1, Ordering::Relaxed);
        random.iter_mut().zip(number.to_be_bytes().iter().rev()).for_each(|(to, from)| *to = *from);
    }
    blob::hex(&random)
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_differ_and_have_the_asked_length() {
        let (one, other) = (super::hex(16), super::hex(16));
        assert_ne!(one, other);
        assert_eq!(one.len(), 32);
    }
}
