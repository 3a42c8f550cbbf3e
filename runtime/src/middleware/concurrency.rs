//! [`ConcurrencyLimit`]: a bound on the number of calls that run at a time. A bound on calls per second is in [`super::rate`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::scope::{Key, Scope};
use super::{Response, ServerMiddleware, ServerNext, ServerRequest};
use crate::status::{Cause, Status};

/// Bounds how many calls run at a time. A call past the limit is turned away at once, with `resource_exhausted`, the outcome
/// `NotSent` and a [hint](Status::retry_after) when to call again: an overloaded server serves no client well.
///
/// A stream counts as a call until it ends. One-way calls past the limit are dropped, and counted as refused.
///
/// ```
/// use zsvc::middleware::ConcurrencyLimit;
///
/// let builder = zsvc::Server::builder().middleware(ConcurrencyLimit::per_method(64));
/// ```
#[derive(Debug)]
#[must_use = "a limit holds once it is a server's middleware"]
pub struct ConcurrencyLimit {
    scope: Scope,
    max: usize,
    retry_after: Duration,
    /// Number of running calls of each group. A group without any has no entry.
    running: Mutex<HashMap<Key, usize>>,
}

impl ConcurrencyLimit {
    /// Creates a limit for the calls of all methods and all clients together.
    pub fn all(max: usize) -> Self {
        Self::new(Scope::All, max)
    }

    /// Creates a limit for the calls of each method, counted separately.
    pub fn per_method(max: usize) -> Self {
        Self::new(Scope::Method, max)
    }

    /// Creates a limit for the calls over each connection, counted separately. Clients behind a device share its connection.
    pub fn per_peer(max: usize) -> Self {
        Self::new(Scope::Peer, max)
    }

    fn new(scope: Scope, max: usize) -> Self {
        Self { scope, max: max.max(1), retry_after: Duration::from_millis(100), running: Mutex::default() }
    }

    /// Sets the time after which a call that was turned away may be made again; 100 ms by default. The server can't
    /// know when there will be room: the hint keeps clients from retrying all the time.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        // Nothing panics while the lock is held.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: Key) -> Result<Running<'_>, Status> {
        let mut running = self.lock();
        let count = running.get(&key).copied().unwrap_or_default();
        if count >= self.max {
            let (subject, max) = (self.scope.subject(), self.max);
            let what = format!("{subject} has {max} calls running, which is its limit");
            return Err(Status::resource_exhausted(what)
                .caused_by(Cause::Overloaded)
                .with_retry_after(self.retry_after));
        }
        running.insert(key.clone(), count + 1);
        Ok(Running { limit: self, key })
    }
}

/// A call that runs. Dropping this makes room for another.
struct Running<'a> {
    limit: &'a ConcurrencyLimit,
    key: Key,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.limit.lock();
        match running.get_mut(&self.key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(running.remove(&self.key)),
        }
    }
}

impl ServerMiddleware for ConcurrencyLimit {
    async fn handle(&self, request: ServerRequest, next: ServerNext<'_>) -> Response {
        match self.begin(self.scope.key(&request)) {
            Ok(_running) => next.run(request).await,
            Err(status) => Response::failed(status),
        }
    }
}
