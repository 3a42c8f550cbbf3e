//! [`Lives`]: how far the events of each publisher have come, by its epoch. A publisher may be several workers of the router, at the same time
//! or one after the other: one that registers anew is another one each time, and an address may be listed under two names.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use zsvc_proto::events::Position;

/// How long nothing is said to be missing of a publisher that no worker sends events of any more: a worker that has lost its connection
/// registers again within two seconds.
pub(super) const AWAY: Duration = Duration::from_secs(3);

/// The lives of all publishers of one event, by their epochs. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Lives(Arc<Mutex<BTreeMap<u64, Arc<Mutex<Life>>>>>);

/// One life of a publisher.
#[derive(Debug, Default)]
struct Life {
    /// Sequence number of the last event that has come.
    seen: u64,
    /// Whether all that was kept has come, so that a stream goes on from there.
    is_steady: bool,
    /// Number of streams that are read.
    readers: usize,
    /// When the last of these has ended.
    idle_since: Option<Instant>,
}

/// A stream of events of one life, until it is dropped.
#[derive(Debug)]
pub(super) struct Reading {
    epoch: u64,
    life: Arc<Mutex<Life>>,
}

/// Takes a lock under which nothing panics but for lack of memory.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lives {
    /// Notes that a stream of a life is read, and returns from where it could go on, if all that was kept has come by another one.
    pub(super) fn read(&self, epoch: u64) -> (Reading, Option<Position>) {
        // Held until it is counted, so that the life is not forgotten meanwhile.
        let mut lives = lock(&self.0);
        let life = Arc::clone(lives.entry(epoch).or_default());
        let mut entry = lock(&life);
        entry.readers += 1;
        entry.idle_since = None;
        let position = entry.is_steady.then(|| Position::new(epoch, entry.seen));
        drop(entry);
        drop(lives);
        (Reading { epoch, life }, position)
    }

    /// Forgets the lives of which no stream was read for a while. Returns whether there were any: what they have published last may not have
    /// come.
    pub(super) fn forget_old(&self, now: Instant) -> bool {
        let mut lives = lock(&self.0);
        let before = lives.len();
        lives.retain(|_, life| lock(life).idle_since.is_none_or(|since| now.duration_since(since) < AWAY));
        lives.len() < before
    }

    /// Forgets all of them: what they had kept comes anew.
    pub(super) fn forget_all(&self) {
        lock(&self.0).clear();
    }

    /// Forgets a life of which no other stream is read: the publisher has begun another one, and has said what is missing.
    pub(super) fn end(&self, reading: Reading) {
        let mut lives = lock(&self.0);
        let is_last = lock(&reading.life).readers == 1;
        if is_last && lives.get(&reading.epoch).is_some_and(|life| Arc::ptr_eq(life, &reading.life)) {
            lives.remove(&reading.epoch);
        }
        drop(lives);
        drop(reading);
    }
}

impl Reading {
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Takes an event, and passes it on if it has not come by another stream. Returns whether that is so. No other stream takes one
    /// meanwhile, so that they leave in their order.
    pub(super) fn take(&self, sequence: u64, pass_on: impl FnOnce()) -> bool {
        let mut life = lock(&self.life);
        let is_new = sequence > life.seen;
        life.seen = life.seen.max(sequence);
        if is_new {
            pass_on();
        }
        is_new
    }

    /// Notes that all that was kept has come.
    pub(super) fn live(&self, sequence: u64) {
        let mut life = lock(&self.life);
        (life.seen, life.is_steady) = (life.seen.max(sequence), true);
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut life = lock(&self.life);
        life.readers = life.readers.saturating_sub(1);
        if life.readers == 0 {
            life.idle_since = Some(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_come_by_one_stream_does_not_come_by_another() {
        let lives = Lives::default();
        let (one, nothing) = lives.read(7);
        assert_eq!(nothing, None);
        assert!(one.take(3, || ()));
        let (other, nothing) = lives.read(7);
        assert_eq!(nothing, None, "not all that was kept has come");
        assert!(!other.take(3, || ()) && other.take(4, || ()) && !one.take(4, || ()));
        one.live(5);
        assert!(!other.take(5, || ()) && other.take(6, || ()));
        assert_eq!(lives.read(7).1, Some(Position::new(7, 6)));
        assert_eq!(lives.read(8).1, None);
    }

    /// Or another stream could pass on a later event first.
    #[test]
    fn no_other_stream_takes_an_event_while_one_is_passed_on() {
        let (one, _) = Lives::default().read(7);
        let life = Arc::clone(&one.life);
        assert!(one.take(1, || assert!(life.try_lock().is_err())));
        assert!(!one.take(1, || panic!("it has come")) && life.try_lock().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_without_a_stream_is_over_after_a_while() {
        let lives = Lives::default();
        let (one, _) = lives.read(7);
        let (other, _) = lives.read(7);
        one.live(5);
        drop(one);
        tokio::time::advance(2 * AWAY).await;
        assert!(!lives.forget_old(Instant::now()), "it has another one");
        drop(other);
        tokio::time::advance(AWAY / 2).await;
        assert!(!lives.forget_old(Instant::now()));
        let (again, position) = lives.read(7);
        assert_eq!(position, Some(Position::new(7, 5)));
        tokio::time::advance(2 * AWAY).await;
        assert!(!lives.forget_old(Instant::now()));
        drop(again);
        tokio::time::advance(AWAY).await;
        assert!(lives.forget_old(Instant::now()) && !lives.forget_old(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_life_that_has_ended_leaves_nothing() {
        let lives = Lives::default();
        let (one, _) = lives.read(7);
        let (other, _) = lives.read(7);
        lives.end(one);
        assert_eq!(lock(&lives.0).len(), 1);
        lives.end(other);
        tokio::time::advance(2 * AWAY).await;
        assert!(lock(&lives.0).is_empty() && !lives.forget_old(Instant::now()));
    }
}
