//! [`ConcurrencyLimit`]: so many calls at a time, and no more.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::scope::{Key, Scope};
use super::{Response, ServerMiddleware, ServerNext, ServerRequest};
use crate::status::{Cause, Status};

/// Lets so many calls run at a time. One more is turned away at once, with `resource_exhausted`, not sent, and a
/// [hint](Status::retry_after) when to call again: a server that has more to do than it can is of use to nobody.
///
/// A stream is a call for as long as it goes on. One-way calls past the limit are dropped, and counted as refused.
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
    most: usize,
    retry_after: Duration,
    /// How many calls run. Where none does, there is no entry.
    running: Mutex<HashMap<Key, usize>>,
}

impl ConcurrencyLimit {
    /// For the calls of all methods and all clients together.
    pub fn all(most: usize) -> Self {
        Self::new(Scope::All, most)
    }

    /// For the calls of each method by themselves.
    pub fn per_method(most: usize) -> Self {
        Self::new(Scope::Method, most)
    }

    /// For the calls over each connection by themselves.
    pub fn per_peer(most: usize) -> Self {
        Self::new(Scope::Peer, most)
    }

    fn new(scope: Scope, most: usize) -> Self {
        Self { scope, most: most.max(1), retry_after: Duration::from_millis(100), running: Mutex::default() }
    }

    /// When those that are turned away may call again; 100 ms by default. Nobody knows when there is room: the hint keeps
    /// clients from asking all the time.
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = wait;
        self
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, usize>> {
        // Nothing panics while it holds the lock.
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: Key) -> Result<Running<'_>, Status> {
        let mut running = self.lock();
        let count = running.get(&key).copied().unwrap_or_default();
        if count >= self.most {
            let (whose, most) = (self.scope.of_what(), self.most);
            let what = format!("{whose} has {most} calls running, as many as may");
            return Err(Status::resource_exhausted(what)
                .caused_by(Cause::Overloaded)
                .with_retry_after(self.retry_after));
        }
        running.insert(key.clone(), count + 1);
        Ok(Running { limit: self, key })
    }
}

/// A call that runs. Dropped, there is room for another.
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
