//! [`RateLimit`]: so many calls in a time, and no more.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::scope::{Key, Scope};
use super::{Response, ServerMiddleware, ServerNext, ServerRequest};
use crate::status::{Cause, Status};

/// Lets so many calls begin per second: a bucket of tokens, one to a call, which fills at that rate. A call that finds it
/// empty is turned away at once, with `resource_exhausted`, not sent, and a [hint](Status::retry_after) that says when there
/// will be one.
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

/// When each bucket is full again. One that is full already need not stand here.
#[derive(Debug, Default)]
struct Buckets {
    full_at: HashMap<Key, Instant>,
    /// At how many buckets those that are full are next looked for: twice what was left the last time.
    sweep_at: usize,
}

impl RateLimit {
    /// For the calls of all methods and all clients together.
    pub fn all(per_second: u32) -> Self {
        Self::new(Scope::All, per_second)
    }

    /// For the calls of each method by themselves.
    pub fn per_method(per_second: u32) -> Self {
        Self::new(Scope::Method, per_second)
    }

    /// For the calls over each connection by themselves.
    pub fn per_peer(per_second: u32) -> Self {
        Self::new(Scope::Peer, per_second)
    }

    fn new(scope: Scope, per_second: u32) -> Self {
        let rate = per_second.max(1);
        Self { scope, rate, burst: rate, buckets: Mutex::default() }
    }

    /// How many calls may begin at once after a time without any; at least 1.
    pub fn burst(mut self, calls: u32) -> Self {
        self.burst = calls.max(1);
        self
    }

    /// Takes a token.
    fn take(&self, key: Key, now: Instant) -> Result<(), Status> {
        // Nothing panics while it holds the lock.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let step = Duration::from_secs(1) / self.rate;
        let full_at = buckets.full_at.get(&key).map_or(now, |at| (*at).max(now));
        // What the bucket lacks, in time. There is a token as long as it lacks one less than it holds, or fewer.
        let wait = (full_at - now).saturating_sub(step.saturating_mul(self.burst - 1));
        if !wait.is_zero() {
            let (whose, rate) = (self.scope.of_what(), self.rate);
            let what = format!("{whose} takes {rate} calls a second, and has had as many");
            return Err(Status::resource_exhausted(what).caused_by(Cause::Overloaded).with_retry_after(wait));
        }
        buckets.full_at.insert(key, full_at + step);
        Ok(())
    }
}

impl Buckets {
    /// Forgets buckets that are full, when there are many more than the last time.
    fn sweep(&mut self, now: Instant) {
        if self.full_at.len() >= self.sweep_at {
            self.full_at.retain(|_, at| *at > now);
            self.sweep_at = (self.full_at.len() * 2).max(64);
        }
    }
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
        // However long nobody has called.
        let later = || take(SECOND * 3_600);
        assert_eq!([later(), later(), later(), later()], [Ok(()), Ok(()), Ok(()), wait(100)]);
    }

    #[test]
    fn callers_that_are_gone_take_no_room() {
        let (limit, now) = (RateLimit::per_peer(1), Instant::now());
        for peer in 0..10_000_u32 {
            let key = Key::Peer(crate::PeerId::new(&peer.to_be_bytes()));
            assert!(limit.take(key, now + SECOND * peer).is_ok());
        }
        assert!(limit.buckets.lock().unwrap().full_at.len() < 100);
    }
}
