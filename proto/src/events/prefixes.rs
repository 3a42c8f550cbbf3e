//! [`Prefixes`]: what a subscriber of ZeroMQ's own asks for, which knows topics and no keys.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Largest number of different prefixes of one subscriber.
const MAX_PREFIXES: usize = 10_000;
/// Largest prefix in bytes. A topic that is longer is that of a long key.
const MAX_PREFIX_BYTES: usize = 4 * 1024;
/// Largest size in bytes of all prefixes of one subscriber.
const MAX_ALL_BYTES: usize = 256 * 1024;

/// The prefixes of topics that one subscriber asks for. Shared by its connection, which changes them, and by all publishers.
#[derive(Debug, Default)]
pub struct Prefixes {
    asked: Mutex<Asked>,
}

#[derive(Debug, Default)]
struct Asked {
    /// Each with the number of times that it was asked for, since it has to be taken back as often.
    counts: BTreeMap<Box<[u8]>, u32>,
    /// Size of all of them.
    bytes: usize,
}

/// A subscriber has asked for too many prefixes, or for one that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyPrefixes;

impl Prefixes {
    fn lock(&self) -> MutexGuard<'_, Asked> {
        // Nothing in here panics while the lock is held but for lack of memory; the map is whole in any case.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for topics that start with these bytes; for all, if there are none.
    ///
    /// # Errors
    /// Past a bound. Nothing has changed then.
    pub fn add(&self, prefix: &[u8]) -> Result<(), TooManyPrefixes> {
        let Asked { counts, bytes } = &mut *self.lock();
        if let Some(count) = counts.get_mut(prefix) {
            *count = count.saturating_add(1);
            return Ok(());
        }
        let is_too_long = prefix.len() > MAX_PREFIX_BYTES || *bytes + prefix.len() > MAX_ALL_BYTES;
        if is_too_long || counts.len() >= MAX_PREFIXES {
            return Err(TooManyPrefixes);
        }
        counts.insert(prefix.into(), 1);
        *bytes += prefix.len();
        Ok(())
    }

    /// Takes back what was asked for once. What was never asked for is passed over, as ZeroMQ does.
    pub fn remove(&self, prefix: &[u8]) {
        let Asked { counts, bytes } = &mut *self.lock();
        let Some(count) = counts.get_mut(prefix) else { return };
        *count -= 1;
        if *count == 0 {
            counts.remove(prefix);
            *bytes -= prefix.len();
        }
    }

    /// Reports whether a topic starts with one of them.
    #[must_use]
    pub fn passes(&self, topic: &[u8]) -> bool {
        let Asked { counts, .. } = &*self.lock();
        // As often as the topic has bytes, however many prefixes there are.
        !counts.is_empty() && (0..=topic.len()).any(|end| counts.contains_key(&topic[..end]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_passes_by_any_of_its_prefixes() {
        let prefixes = Prefixes::default();
        assert!(!prefixes.passes(b"") && !prefixes.passes(b"a/b/"));
        prefixes.add(b"a/b").unwrap();
        for (topic, passes) in
            [(&b"a/b"[..], true), (b"a/b/", true), (b"a/bc", true), (b"a/", false), (b"", false)]
        {
            assert_eq!(prefixes.passes(topic), passes, "{topic:?}");
        }
        prefixes.add(b"").unwrap();
        assert!(prefixes.passes(b"") && prefixes.passes(b"x"));
    }

    #[test]
    fn a_prefix_is_taken_back_as_often_as_it_was_given() {
        let prefixes = Prefixes::default();
        prefixes.remove(b"a");
        prefixes.add(b"a").unwrap();
        prefixes.add(b"a").unwrap();
        prefixes.remove(b"a");
        assert!(prefixes.passes(b"ab"));
        prefixes.remove(b"a");
        prefixes.remove(b"a");
        assert!(!prefixes.passes(b"ab"));
    }

    #[test]
    fn prefixes_are_bounded() {
        let prefixes = Prefixes::default();
        assert_eq!(prefixes.add(&[7; MAX_PREFIX_BYTES + 1]), Err(TooManyPrefixes));
        for number in 0..MAX_PREFIXES {
            prefixes.add(&number.to_be_bytes()).unwrap();
        }
        assert_eq!(prefixes.add(b"one more"), Err(TooManyPrefixes));
        prefixes.add(&0_usize.to_be_bytes()).unwrap();
        prefixes.remove(&1_usize.to_be_bytes());
        prefixes.add(b"one more").unwrap();
        let long = Prefixes::default();
        for number in 0..MAX_ALL_BYTES / MAX_PREFIX_BYTES {
            long.add(&number.to_be_bytes().repeat(MAX_PREFIX_BYTES / 8)).unwrap();
        }
        assert_eq!(long.add(b"one more"), Err(TooManyPrefixes));
        long.remove(&0_usize.to_be_bytes().repeat(MAX_PREFIX_BYTES / 8));
        long.add(b"one more").unwrap();
    }
}
