//! [`Authenticator`]: asks a program's [`Authenticate`], within bounds.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};

use super::cache::{Cache, Subject};
use super::turns::{Asker, Turn, Turns};
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
    /// Read for each call with a token, and written to where something is granted.
    cache: RwLock<Cache>,
}

/// The turns of those that run. Keys have their own, and so have tokens: anyone can come with keys that are made up, and that holds up no
/// call of a client that is connected.
struct InFlight {
    max: usize,
    keys: Arc<Turns>,
    tokens: Arc<Turns>,
}

impl InFlight {
    fn new(max: usize) -> Self {
        Self { max, keys: Turns::new(max), tokens: Turns::new(max) }
    }

    async fn turn(&self, claim: &Claim, asker: Asker) -> Turn {
        if claim.token().is_some() { self.tokens.turn(asker).await } else { self.keys.turn(asker).await }
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
            cache: RwLock::new(Cache::new(Duration::from_secs(60), 1_000)),
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
        self.with(|inner| inner.cache = RwLock::new(Cache::new(time, grants)))
    }

    /// Sets how many run at a time of those for keys, and how many of those for tokens; others wait for their turn. At least 1.
    ///
    /// Addresses take turns, and those of one address too: its connections where it is asked about tokens, and for keys, the networks of
    /// 64 bits of an IPv6 prefix of 48. A quarter is kept for those with few, at either step. So however many come from one address, or one
    /// connection, and however long it takes to be told about these, there is a turn for others.
    #[must_use]
    pub fn max_in_flight(self, number: usize) -> Self {
        let number = number.max(1);
        self.with(|inner| inner.in_flight = InFlight::new(number))
    }

    /// Forgets everything that was granted, for a program that knows that something has changed. Connections stay.
    pub fn forget(&self) {
        self.0.lock().clear();
    }

    /// Returns one with other settings, which remembers nothing of this one.
    fn with(self, change: impl FnOnce(&mut Inner)) -> Self {
        let Inner { asked, time_limit, in_flight, cache } = &*self.0;
        let cache = RwLock::new(cache.read().unwrap_or_else(PoisonError::into_inner).empty());
        let in_flight = InFlight::new(in_flight.max);
        let mut inner = Inner { asked: Arc::clone(asked), time_limit: *time_limit, in_flight, cache };
        change(&mut inner);
        Self(Arc::new(inner))
    }

    /// Returns what is remembered of a claim.
    pub(crate) fn remembered(&self, claim: &Claim) -> Option<Grant> {
        self.0.remembered(Subject::of(claim))
    }

    /// Returns what is remembered of a token.
    pub(crate) fn remembered_of(&self, token: &str) -> Option<Grant> {
        self.0.remembered(Subject::of_token(token))
    }

    /// Asks, unless something is remembered once it is this one's turn. Must be polled within a tokio runtime.
    pub(crate) fn ask(&self, claim: Claim, asker: Asker) -> Asking {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.ask(claim, asker).await })
    }
}

impl Inner {
    fn lock(&self) -> RwLockWriteGuard<'_, Cache> {
        // Nothing panics while the lock is held but for lack of memory; the cache is whole in any case.
        self.cache.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, subject: Subject) -> Option<Grant> {
        // Not under the lock: it is the program's.
        let generation = caught(|| self.asked.generation()).ok();
        if let Some(generation) = generation {
            let cache = self.cache.read().unwrap_or_else(PoisonError::into_inner);
            if cache.is_of(generation) {
                return cache.get(subject, Instant::now(), SystemTime::now());
            }
        }
        drop(self.forget_others(generation));
        None
    }

    /// Forgets what does not count any more: what is of another generation, or everything where none is known.
    fn forget_others(&self, generation: Option<u64>) -> RwLockWriteGuard<'_, Cache> {
        let mut cache = self.lock();
        match generation {
            Some(generation) => cache.keep_for(generation),
            None => cache.clear(),
        }
        cache
    }

    /// Returns the cache without what does not count any more.
    fn current(&self) -> RwLockWriteGuard<'_, Cache> {
        self.forget_others(caught(|| self.asked.generation()).ok())
    }

    async fn ask(&self, claim: Claim, asker: Asker) -> Result<Grant, Status> {
        let subject = Subject::of(&claim);
        let told = tokio::time::timeout(self.time_limit, self.ask_in_turn(subject, claim, asker)).await;
        told.unwrap_or_else(|_| {
            let what = format!("who this client is could not be found out within {:?}", self.time_limit);
            Err(Status::unavailable(what))
        })
    }

    async fn ask_in_turn(&self, subject: Subject, claim: Claim, asker: Asker) -> Result<Grant, Status> {
        let _turn = self.in_flight.turn(&claim, asker).await;
        // Another has asked for the same meanwhile.
        if let Some(grant) = self.remembered(subject) {
            return Ok(grant);
        }
        let epoch = self.current().epoch();
        let answer = Box::pin(self.asked.authenticate(claim.clone()));
        let grant = match Caught::new(answer).await {
            // The status of a call that it has made says nothing of this one.
            Ok(result) => result.map_err(Status::of_handler)?.map(|identity| claim.rests_on(identity)),
            Err(Panicked) => {
                return Err(Status::internal("authenticating has panicked").caused_by(Cause::Panicked));
            }
        };
        if grant.is_over(SystemTime::now()) {
            return Err(Status::unauthenticated("what this client was granted has ended"));
        }
        let mut cache = self.current();
        // What was said before everything was forgotten is not to be remembered.
        if cache.epoch() == epoch {
            cache.put(subject, grant.clone(), Instant::now());
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
    use crate::source::Source;

    const ASKER: Asker = Asker { place: Source::Local, peer: 0 };

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
        let keys: Vec<_> = (0..5).map(|byte| tokio::spawn(authenticator.ask(key(byte), ASKER))).collect();
        tokio::task::yield_now().await;
        let granted = authenticator.ask(Claim::of_token("a"), ASKER).await.unwrap();
        assert_eq!(granted.identity().name(), "desk");
        assert!(keys.iter().all(|asking| !asking.is_finished()));
    }

    #[tokio::test]
    async fn a_program_that_panics_in_generation_is_asked_each_time() {
        let authenticator = Authenticator::new(Panics("in generation"));
        let claim = Claim::of_token("a");
        for _ in 0..2 {
            assert_eq!(authenticator.remembered(&claim), None);
            let granted = authenticator.ask(claim.clone(), ASKER).await.unwrap();
            assert_eq!(granted.identity().name(), "desk");
        }
        assert_eq!(authenticator.remembered(&claim), None);
        let authenticator = Authenticator::new(Panics("nowhere"));
        authenticator.ask(claim.clone(), ASKER).await.unwrap();
        assert!(authenticator.remembered(&claim).is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_program_that_panics_as_it_is_dropped_takes_nothing_along() {
        let authenticator = Authenticator::new(Panics("as dropped"));
        let late = authenticator.ask(Claim::of_token("a"), ASKER).await.unwrap_err();
        assert_eq!(late.code(), crate::Code::Unavailable, "{late}");
        let mut asking = authenticator.ask(Claim::of_token("b"), ASKER);
        tokio::select! {
            biased;
            _ = &mut asking => panic!("it never ends"),
            () = tokio::task::yield_now() => {}
        }
        drop(asking);
    }
}
