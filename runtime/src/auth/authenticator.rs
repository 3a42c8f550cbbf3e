//! [`Authenticator`]: asks a program's [`Authenticate`], within bounds.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;

use super::cache::Cache;
use super::{Authenticate, Claim, Grant};
use crate::caught::{Caught, Panicked};
use crate::status::{Cause, Status};

/// Maximum length of a token in bytes. A longer one is not looked at.
pub(crate) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// Least and largest time limit. A handshake has 10 s in all.
const LIMITS: (Duration, Duration) = (Duration::from_millis(1), Duration::from_secs(8));

/// Asks an [`Authenticate`]: each time within a time limit, of which no more than a number run at a time, and not again for what it has
/// granted a moment ago. Cheap to clone; clones share what they remember.
///
/// ```
/// # use zsvc::auth::{Authenticate, Authenticator, Claim, Grant};
/// # use zsvc::{Identity, Status};
/// # struct Directory;
/// # impl Authenticate for Directory {
/// #     async fn authenticate(&self, _: Claim) -> Result<Grant, Status> { Ok(Identity::new("desk").into()) }
/// # }
/// use std::time::Duration;
///
/// let directory = Authenticator::new(Directory)
///     .time_limit(Duration::from_secs(2))
///     .remember(Duration::from_secs(30), 5_000)
///     .max_in_flight(16);
/// ```
#[derive(Clone)]
pub struct Authenticator(Arc<Inner>);

struct Inner {
    asked: Arc<dyn AnyAuthenticate>,
    time_limit: Duration,
    in_flight: (usize, Arc<Semaphore>),
    cache: Mutex<Cache>,
}

/// [`Authenticate`] as an object.
trait AnyAuthenticate: Send + Sync {
    fn authenticate(&self, claim: Claim) -> Pin<Box<dyn Future<Output = Result<Grant, Status>> + Send + '_>>;
    fn generation(&self) -> u64;
}

impl<A: Authenticate> AnyAuthenticate for A {
    fn authenticate(&self, claim: Claim) -> Pin<Box<dyn Future<Output = Result<Grant, Status>> + Send + '_>> {
        Box::pin(Authenticate::authenticate(self, claim))
    }

    fn generation(&self) -> u64 {
        Authenticate::generation(self)
    }
}

/// What an authenticator says, once it says it. Dropped, it asks no more.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Result<Grant, Status>> + Send>>;

impl Authenticator {
    /// Creates an authenticator with a time limit of 5 s, which runs 64 at a time, and remembers up to 1,000 grants for a minute.
    #[must_use]
    pub fn new(authenticate: impl Authenticate) -> Self {
        Self(Arc::new(Inner {
            asked: Arc::new(authenticate),
            time_limit: Duration::from_secs(5),
            in_flight: (64, Arc::new(Semaphore::new(64))),
            cache: Mutex::new(Cache::new(Duration::from_secs(60), 1_000)),
        }))
    }

    /// Sets how long it may take to be told, waiting for a turn included; past it, the client can't be told whether it is let in. From 1 ms
    /// to 8 s: a handshake has 10 s.
    #[must_use]
    pub fn time_limit(self, limit: Duration) -> Self {
        self.with(|inner| inner.time_limit = limit.clamp(LIMITS.0, LIMITS.1))
    }

    /// Sets for how long a grant is remembered, or until its own end if that is earlier, and how many are; past that number the oldest are
    /// forgotten. Zero for none. What was not granted is not remembered.
    #[must_use]
    pub fn remember(self, time: Duration, grants: usize) -> Self {
        self.with(|inner| inner.cache = Mutex::new(Cache::new(time, grants)))
    }

    /// Sets how many run at a time; others wait for their turn. At least 1.
    #[must_use]
    pub fn max_in_flight(self, number: usize) -> Self {
        let number = number.clamp(1, Semaphore::MAX_PERMITS);
        self.with(|inner| inner.in_flight = (number, Arc::new(Semaphore::new(number))))
    }

    /// Forgets everything that was granted, for a program that knows that something has changed. Connections stay.
    pub fn forget(&self) {
        self.0.lock().clear();
    }

    /// Returns one with other settings, which remembers nothing of this one.
    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let Inner { asked, time_limit, in_flight, cache } = &*self.0;
        let cache = Mutex::new(cache.lock().unwrap_or_else(PoisonError::into_inner).empty());
        let in_flight = (in_flight.0, Arc::new(Semaphore::new(in_flight.0)));
        let mut inner = Inner { asked: Arc::clone(asked), time_limit: *time_limit, in_flight, cache };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns what is remembered of a claim.
    pub(crate) fn remembered(&self, claim: &Claim) -> Option<Grant> {
        self.0.current().get(claim, Instant::now(), SystemTime::now())
    }

    /// Asks, whatever is remembered. Must be polled within a tokio runtime.
    pub(crate) fn ask(&self, claim: Claim) -> Asking {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.ask(claim).await })
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, Cache> {
        // Nothing panics while the lock is held but for lack of memory; the cache is whole in any case.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cache without what does not count any more.
    fn current(&self) -> MutexGuard<'_, Cache> {
        // Not under the lock: it is the program's.
        let generation = self.asked.generation();
        let mut cache = self.lock();
        cache.keep_for(generation);
        cache
    }

    async fn ask(&self, claim: Claim) -> Result<Grant, Status> {
        let epoch = self.current().epoch();
        let asked = Box::pin(async {
            // The semaphore is never closed; if it were, there would be no bound.
            let _permit = self.in_flight.1.acquire().await.ok();
            self.asked.authenticate(claim.clone()).await
        });
        let grant = match tokio::time::timeout(self.time_limit, Caught(asked)).await {
            // The status of a call that it has made says nothing of this one.
            Ok(Ok(result)) => result.map_err(Status::of_handler)?.map(|identity| claim.rests_on(identity)),
            Ok(Err(Panicked)) => {
                return Err(Status::internal("authenticating has panicked").caused_by(Cause::Panicked));
            }
            Err(_) => {
                let what = format!("who this client is could not be found out within {:?}", self.time_limit);
                return Err(Status::unavailable(what));
            }
        };
        if grant.is_over(SystemTime::now()) {
            return Err(Status::unauthenticated("what this client was granted has ended"));
        }
        let mut cache = self.current();
        // What was said before everything was forgotten is not to be remembered.
        if cache.epoch() == epoch {
            cache.put(claim, grant.clone(), Instant::now());
        }
        drop(cache);
        Ok(grant)
    }
}

impl<A: Authenticate> From<A> for Authenticator {
    fn from(authenticate: A) -> Self {
        Self::new(authenticate)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("time_limit", &self.0.time_limit)
            .field("max_in_flight", &self.0.in_flight.0)
            .finish_non_exhaustive()
    }
}
