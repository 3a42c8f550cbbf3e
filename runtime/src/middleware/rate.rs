//! [`RateLimit`]: a bound on the number of calls per second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::scope::{Key, Scope};
use super::{Response, ServerMiddleware, ServerNext, ServerRequest};
use crate::status::{Cause, Status};

/// Bounds how many calls begin per second: a bucket of tokens, one to a call, which fills at that rate. A call that finds it
/// empty is turned away at once, with `resource_exhausted`, not sent, and a [hint](Status::retry_after) that says when there
/// will be a token.
///
/// The bucket holds what comes in a second, unless [`RateLimit::burst`] says otherwise. One-way calls past the limit are
/// dropped, and counted as refused.
///
/// ```
/// use zsvc::middleware::RateLimit;
///
/// let builder = zsvc::Server::builder().middleware(RateLimit::per_peer(1_000).burst(50));
/// ```
#[derive(Debug)]
#[must_use = "a limit holds once it is a server's middleware"]
pub struct RateLimit {
    scope: Scope,
    /// Calls per second.
    rate: u32,
    burst: u32,
    buckets: Mutex<Buckets>,
}

/// When each bucket is full again. One that is full already has no entry.
#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<Key, Instant>,
    /// Number of buckets at which those that are full are next looked for: twice what was left the last time.
    sweep_at: usize,
    /// Until when looking is of no use, since there are as many buckets as there may be.
    full_until: Option<Instant>,
}

/// Maximum number of buckets that are not full. A connection's route costs its sender nothing to make up; past this, calls of clients
/// without a bucket are turned away.
const MAX_BUCKETS: usize = 131_072;

/// Time during which no full bucket is looked for, once there was none.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);

impl RateLimit {
    /// Creates a limit for the calls of all methods and all clients together.
    pub fn all(per_second: u32) -> Self {
        Self::new(Scope::All, per_second)
    }

    /// Creates a limit for the calls of each method by themselves.
    pub fn per_method(per_second: u32) -> Self {
        Self::new(Scope::Method, per_second)
    }

    /// Creates a limit for the calls over each connection by themselves.
    pub fn per_peer(per_second: u32) -> Self {
        Self::new(Scope::Peer, per_second)
    }

    fn new(scope: Scope, per_second: u32) -> Self {
        let rate = per_second.max(1);
        Self { scope, rate, burst: rate, buckets: Mutex::default() }
    }

    /// Sets how many calls may begin at once after a time without any; at least 1.
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = calls.max(1);
        self
    }

    /// Takes a token, or says when there will be one.
    fn take(&self, key: Key, now: Instant) -> Result<(), Status> {
        // Nothing panics while the lock is held.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.has_room_for(&key, now) {
            let what = "more clients have called of late than can be told apart";
            return Err(overload(what.to_owned(), SWEEP_PAUSE));
        }
        let step = Duration::from_secs(1) / self.rate;
        let full_at = buckets.full_at.get(&key).map_or(now, |at| (*at).max(now));
        // What the bucket lacks, in time. There is a token as long as the bucket lacks fewer than it holds.
        let wait = (full_at - now).saturating_sub(step.saturating_mul(self.burst - 1));
        if !wait.is_zero() {
            let (subject, rate) = (self.scope.subject(), self.rate);
            let what = format!("{subject} takes {rate} calls a second, and has had as many");
            return Err(overload(what, wait));
        }
        buckets.full_at.insert(key, full_at + step);
        Ok(())
    }
}

impl Buckets {
    fn has_room_for(&mut self, key: &Key, now: Instant) -> bool {
        self.sweep(now);
        self.full_at.len() < MAX_BUCKETS || self.full_at.contains_key(key)
    }

    /// Removes buckets that are full, when there are many more than the last time.
    fn sweep(&mut self, now: Instant) {
        if self.full_at.len() < self.sweep_at || self.full_until.is_some_and(|until| now < until) {
            return;
        }
        self.full_at.retain(|_, at| *at > now);
        self.sweep_at = (self.full_at.len() * 2).clamp(64, MAX_BUCKETS);
        // Looking at them all for every call would cost more than the call is worth.
        self.full_until = (self.full_at.len() >= MAX_BUCKETS).then(|| now + SWEEP_PAUSE);
    }
}

fn overload(what: String, wait: Duration) -> Status {
    Status::resource_exhausted(what).caused_by(Cause::Overloaded).with_retry_after(wait)
}

impl ServerMiddleware for RateLimit {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        match self.take(self.scope.key(&request), Instant::now()) {
            Ok(()) => next.run(request).await,
            Err(status) => Response::failed(status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_fills_at_the_rate_up_to_its_burst() {
        let (limit, now) = (RateLimit::all(10).burst(3), Instant::now());
        let take = |at: Duration| limit.take(Key::All, now + at).map_err(|status| status.retry_after());
        let wait = |millis| Err(Some(Duration::from_millis(millis)));
        let none = Duration::ZERO;
        assert_eq!([take(none), take(none), take(none), take(none)], [Ok(()), Ok(()), Ok(()), wait(100)]);
        assert_eq!(take(Duration::from_millis(40)), wait(60));
        assert_eq!([take(Duration::from_millis(100)), take(Duration::from_millis(100))], [Ok(()), wait(100)]);
        // However long no call has come.
        let later = || take(SECOND * 3_600);
        assert_eq!([later(), later(), later(), later()], [Ok(()), Ok(()), Ok(()), wait(100)]);
    }

    fn peer(number: usize) -> Key {
        Key::Peer(crate::PeerId::new(&number.to_be_bytes()))
    }

    #[test]
    fn callers_that_are_gone_take_no_room() {
        let (limit, mut now) = (RateLimit::per_peer(1), Instant::now());
        for number in 0..10_000 {
            now += SECOND;
            assert!(limit.take(peer(number), now).is_ok());
        }
        assert!(limit.buckets.lock().unwrap().full_at.len() < 100);
    }

    #[test]
    fn more_callers_than_can_be_told_apart_are_turned_away_until_others_are_gone() {
        let (limit, now) = (RateLimit::per_peer(1).burst(2), Instant::now());
        assert!((0..MAX_BUCKETS).all(|number| limit.take(peer(number), now).is_ok()));
        assert!((0..10).all(|number| limit.take(peer(MAX_BUCKETS + number), now).is_err()));
        assert_eq!(limit.buckets.lock().unwrap().full_at.len(), MAX_BUCKETS);
        assert!(limit.take(peer(0), now).is_ok(), "it is known");
        assert!(limit.take(peer(MAX_BUCKETS), now + 2 * SECOND).is_ok());
        assert_eq!(limit.buckets.lock().unwrap().full_at.len(), 1);
    }
}
