//! [`Authenticator`]: asks a program's [`Authenticate`], within bounds.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::Semaphore;

use super::cache::Cache;
use super::{Authenticate, Claim, Grant};
use crate::caught::{Caught, Panicked, caught};
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
    in_flight: InFlight,
    cache: Mutex<Cache>,
}

/// The turns of those that run. Keys have their own, and so have tokens: anyone can come with keys that are made up, and that holds up no
/// call of a client that is connected.
struct InFlight {
    max: usize,
    keys: Semaphore,
    tokens: Semaphore,
}

impl InFlight {
    fn new(max: usize) -> Self {
        Self { max, keys: Semaphore::new(max), tokens: Semaphore::new(max) }
    }

    fn of(&self, claim: &Claim) -> &Semaphore {
        if claim.token().is_some() { &self.tokens } else { &self.keys }
    }
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
            in_flight: InFlight::new(64),
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

    /// Sets how many run at a time of those for keys, and how many of those for tokens; others wait for their turn. At least 1.
    #[must_use]
    pub fn max_in_flight(self, number: usize) -> Self {
        let number = number.clamp(1, Semaphore::MAX_PERMITS);
        self.with(|inner| inner.in_flight = InFlight::new(number))
    }

    /// Forgets everything that was granted, for a program that knows that something has changed. Connections stay.
    pub fn forget(&self) {
        self.0.lock().clear();
    }

    /// Returns one with other settings, which remembers nothing of this one.
    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let Inner { asked, time_limit, in_flight, cache } = &*self.0;
        let cache = Mutex::new(cache.lock().unwrap_or_else(PoisonError::into_inner).empty());
        let in_flight = InFlight::new(in_flight.max);
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
        let generation = caught(|| self.asked.generation());
        let mut cache = self.lock();
        match generation {
            Ok(generation) => cache.keep_for(generation),
            // What still counts is not known.
            Err(Panicked) => cache.clear(),
        }
        cache
    }

    async fn ask(&self, claim: Claim) -> Result<Grant, Status> {
        let epoch = self.current().epoch();
        let asked = Box::pin(async {
            // The semaphore is never closed; if it were, there would be no bound.
            let _permit = self.in_flight.of(&claim).acquire().await.ok();
            self.asked.authenticate(claim.clone()).await
        });
        let grant = match tokio::time::timeout(self.time_limit, Caught::new(asked)).await {
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
            .field("max_in_flight", &self.0.in_flight.max)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;
    use crate::identity::Identity;

    /// Panics where its name says.
    struct Panics(&'static str);

    struct PanicsAsDropped;

    impl Drop for PanicsAsDropped {
        fn drop(&mut self) {
            panic!("requested by the test");
        }
    }

    impl Authenticate for Panics {
        async fn authenticate(&self, _: Claim) -> Result<Grant, Status> {
            if self.0 == "as dropped" {
                let _kept = PanicsAsDropped;
                pending::<()>().await;
            }
            Ok(Identity::new("desk").into())
        }

        fn generation(&self) -> u64 {
            assert_ne!(self.0, "in generation", "requested by the test");
            0
        }
    }

    /// Never answers about a key.
    struct OnlyTokens;

    impl Authenticate for OnlyTokens {
        async fn authenticate(&self, claim: Claim) -> Result<Grant, Status> {
            if claim.token().is_none() {
                pending::<()>().await;
            }
            Ok(Identity::new("desk").into())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_are_asked_about_hold_no_token_up() {
        let authenticator = Authenticator::new(OnlyTokens).max_in_flight(1);
        let key = |byte| Claim::of_key(zsvc_proto::keys::PublicKey::from_bytes([byte; 32]));
        let keys: Vec<_> = (0..5).map(|byte| tokio::spawn(authenticator.ask(key(byte)))).collect();
        tokio::task::yield_now().await;
        let granted = authenticator.ask(Claim::of_token("a")).await.unwrap();
        assert_eq!(granted.identity().name(), "desk");
        assert!(keys.iter().all(|asking| !asking.is_finished()));
    }

    #[tokio::test]
    async fn a_program_that_panics_in_generation_is_asked_each_time() {
        let authenticator = Authenticator::new(Panics("in generation"));
        let claim = Claim::of_token("a");
        for _ in 0..2 {
            assert_eq!(authenticator.remembered(&claim), None);
            let granted = authenticator.ask(claim.clone()).await.unwrap();
            assert_eq!(granted.identity().name(), "desk");
        }
        assert_eq!(authenticator.remembered(&claim), None);
        let authenticator = Authenticator::new(Panics("nowhere"));
        authenticator.ask(claim.clone()).await.unwrap();
        assert!(authenticator.remembered(&claim).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_panics_as_it_is_dropped_takes_nothing_along() {
        let authenticator = Authenticator::new(Panics("as dropped"));
        let late = authenticator.ask(Claim::of_token("a")).await.unwrap_err();
        assert_eq!(late.code(), crate::Code::Unavailable, "{late}");
        let mut asking = authenticator.ask(Claim::of_token("b"));
        tokio::select! {
            biased;
            _ = &mut asking => panic!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        drop(asking);
    }
}
