//! [`RateLimit`]: a bound on the number of calls per second. A bound on calls at a time is in [`super::concurrency`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::scope::{Key, Scope};
use super::{Response, ServerMiddleware, ServerNext, ServerRequest};
use crate::status::{Cause, Status};
use crate::sweep::SweepPace;

/// Bounds how many calls begin per second, by a token bucket: each call takes a token, and tokens are added at that rate. A call
/// that finds the bucket empty is turned away at once, with `resource_exhausted`, the outcome `NotSent` and a
/// [hint](Status::retry_after) that says when there will be a token.
///
/// The bucket holds the tokens of one second, unless [`RateLimit::burst`] sets another number. One-way calls past the limit are
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
    /// Number of tokens in a full bucket.
    burst: u32,
    buckets: Mutex<Buckets>,
}

/// When each bucket is full again. A bucket that is full has no entry.
#[derive(Debug)]
struct Buckets {
    full_at: HashMap<Key, Instant>,
    /// When full ones are removed.
    pace: SweepPace,
    /// Time before which no sweep runs, since the last one left the maximum number of buckets.
    full_until: Option<Instant>,
}

/// Maximum number of buckets that are not full. Past it, calls of clients without a bucket are turned away: routes cost a client
/// nothing to make up, and each would get a bucket.
const MAX_BUCKETS: usize = 131_072;

/// Time without a sweep after one that left the maximum number of buckets.
const SWEEP_PAUSE: Duration = Duration::from_millis(250);

impl RateLimit {
    /// Creates a limit for the calls of all methods and all clients together.
    pub fn all(per_second: u32) -> Self {
        Self::new(Scope::All, per_second)
    }

    /// Creates a limit for the calls of each method, counted separately.
    pub fn per_method(per_second: u32) -> Self {
        Self::new(Scope::Method, per_second)
    }

    /// Creates a limit for the calls over each connection, counted separately. Clients behind a device share its connection.
    pub fn per_peer(per_second: u32) -> Self {
        Self::new(Scope::Peer, per_second)
    }

    fn new(scope: Scope, per_second: u32) -> Self {
        let rate = per_second.max(1);
        Self { scope, rate, burst: rate, buckets: Mutex::default() }
    }

    /// Sets the number of calls that may begin at once after a pause; at least 1. The calls of one second by default.
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = calls.max(1);
        self
    }

    /// Takes a token.
    ///
    /// # Errors
    /// There is none; the status says when there will be.
    fn take(&self, key: Key, now: Instant) -> Result<(), Status> {
        // Nothing panics while the lock is held.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if !buckets.has_room_for(&key, now) {
            let what = "the server has no room to count the calls of one more client";
            return Err(overload(what.to_owned(), SWEEP_PAUSE));
        }
        let step = Duration::from_secs(1) / self.rate;
        let full_at = buckets.full_at.get(&key).map_or(now, |at| (*at).max(now));
        // `full_at - now` is the time to fill the bucket. The call may begin if at least one token is left.
        let wait = (full_at - now).saturating_sub(step.saturating_mul(self.burst - 1));
        if !wait.is_zero() {
            let (subject, rate) = (self.scope.subject(), self.rate);
            let what = format!("{subject} has reached its limit of {rate} calls per second");
            return Err(overload(what, wait));
        }
        buckets.full_at.insert(key, full_at + step);
        Ok(())
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self { full_at: HashMap::new(), pace: SweepPace::up_to(MAX_BUCKETS), full_until: None }
    }
}

impl Buckets {
    fn has_room_for(&mut self, key: &Key, now: Instant) -> bool {
        self.sweep(now);
        self.full_at.len() < MAX_BUCKETS || self.full_at.contains_key(key)
    }

    /// Removes buckets that are full, now and then.
    fn sweep(&mut self, now: Instant) {
        if !self.pace.is_due(self.full_at.len()) || self.full_until.is_some_and(|until| now < until) {
            return;
        }
        self.full_at.retain(|_, at| *at > now);
        self.pace.swept(self.full_at.len());
        // A sweep for every call would cost more than the calls themselves.
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
    fn buckets_of_silent_callers_are_removed() {
        let (limit, mut now) = (RateLimit::per_peer(1), Instant::now());
        for number in 0..10_000 {
            now += SECOND;
            assert!(limit.take(peer(number), now).is_ok());
        }
        assert!(limit.buckets.lock().unwrap().full_at.len() < 100);
    }

    #[test]
    fn callers_past_the_maximum_number_of_buckets_are_turned_away_until_buckets_are_full() {
        let (limit, now) = (RateLimit::per_peer(1).burst(2), Instant::now());
        assert!((0..MAX_BUCKETS).all(|number| limit.take(peer(number), now).is_ok()));
        assert!((0..10).all(|number| limit.take(peer(MAX_BUCKETS + number), now).is_err()));
        assert_eq!(limit.buckets.lock().unwrap().full_at.len(), MAX_BUCKETS);
        assert!(limit.take(peer(0), now).is_ok(), "it is known");
        assert!(limit.take(peer(MAX_BUCKETS), now + 2 * SECOND).is_ok());
        assert_eq!(limit.buckets.lock().unwrap().full_at.len(), 1);
    }
}
