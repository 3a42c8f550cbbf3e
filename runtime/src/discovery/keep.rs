//! Keeps servers listed and followed, whatever a registry does: [`Announcers`] of a server, and [`follow`] for a channel.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::{Announce, Announcement, Discover, Found, Known, Withdrawal};
use crate::caught::{Caught, Panicked};
use crate::fork::random;
use crate::race::race;
use crate::telemetry;

/// The pause after a first failure.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(10);
/// An attempt that lasts this long has worked for a while: the pauses begin anew.
const WORKED: Duration = Duration::from_secs(10);

/// How long to wait before a registry is asked again.
#[derive(Debug, Default)]
struct Pauses {
    failures: u32,
}

impl Pauses {
    /// Returns the pause after an attempt that took so long. `chance` is any number.
    fn after(&mut self, lasted: Duration, chance: u64) -> Duration {
        if lasted >= WORKED {
            self.failures = 0;
        }
        let longest = FIRST_PAUSE.saturating_mul(1 << self.failures.min(16)).min(MAX_PAUSE);
        self.failures = self.failures.saturating_add(1);
        // A pause less up to a quarter.
        let quarter = u64::try_from(longest.as_millis() / 4).unwrap_or(u64::MAX);
        longest.saturating_sub(Duration::from_millis(chance % (quarter + 1)))
    }
}

type Asked<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'a>>;

/// [`Announce`] for trait objects. What a user's implementation panics with is an error.
pub(crate) trait AnyAnnounce: Send + Sync {
    fn announce<'a>(&'a self, server: &'a Announcement, withdrawal: Withdrawal) -> Asked<'a>;
}

/// [`Discover`] for trait objects, as [`AnyAnnounce`] is.
pub(crate) trait AnyDiscover: Send + Sync {
    fn follow<'a>(&'a self, service: &'a str, found: &'a Found) -> Asked<'a>;
}

impl<R: Announce> AnyAnnounce for R {
    fn announce<'a>(&'a self, server: &'a Announcement, withdrawal: Withdrawal) -> Asked<'a> {
        Box::pin(guarded(async move { Announce::announce(self, server, withdrawal).await }))
    }
}

impl<R: Discover> AnyDiscover for R {
    fn follow<'a>(&'a self, service: &'a str, found: &'a Found) -> Asked<'a> {
        Box::pin(guarded(async move { Discover::follow(self, service, found).await }))
    }
}

async fn guarded(asked: impl Future<Output = io::Result<()>> + Send) -> io::Result<()> {
    let asked = Caught::new(Box::pin(asked)).await;
    asked.unwrap_or_else(|Panicked| Err(io::Error::other("the registry has panicked")))
}

/// The tasks that keep a server listed: one for each registry.
pub(crate) struct Announcers {
    withdraw: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Announcers {
    /// Begins to list a server. Must be called within a tokio runtime.
    pub(crate) fn begin(registries: Vec<Arc<dyn AnyAnnounce>>, server: &Announcement) -> Self {
        let withdraw = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for registry in registries {
            tasks.spawn(keep_listed(registry, server.clone(), withdraw.subscribe()));
        }
        Self { withdraw, tasks }
    }

    /// Has the server taken off all lists.
    pub(crate) fn withdraw(&self) {
        self.withdraw.send_replace(true);
    }

    /// Waits until the server is off all lists, or until `limit` has passed. What is still listed then goes as the entry of a server that
    /// was killed does.
    pub(crate) async fn withdrawn(mut self, limit: Duration) {
        self.withdraw();
        let until = Instant::now() + limit;
        while let Ok(Some(_)) = timeout_at(until, self.tasks.join_next()).await {}
    }
}

/// Keeps a server on the list of one registry until it withdraws.
async fn keep_listed(registry: Arc<dyn AnyAnnounce>, server: Announcement, withdrawn: watch::Receiver<bool>) {
    let mut pauses = Pauses::default();
    // Once it has withdrawn, a failure is not made good: the entry goes by itself.
    while !*withdrawn.borrow() {
        let began = Instant::now();
        let withdrawal = Withdrawal(withdrawn.clone());
        let failed = registry.announce(&server, withdrawal.clone()).await.err();
        if let Some(error) = &failed {
            telemetry::not_announced(&server.services, error);
        }
        let pause = pauses.after(began.elapsed(), random());
        tokio::time::timeout(pause, withdrawal.requested()).await.ok();
    }
}

/// Follows the servers of a service until the receiver is dropped. Must be called within a tokio runtime.
pub(crate) fn follow(registry: Arc<dyn AnyDiscover>, service: String) -> watch::Receiver<Known> {
    let known = watch::Sender::new(Known::default());
    let receiver = known.subscribe();
    tokio::spawn(async move {
        let unwanted = known.clone();
        let following = keep_followed(registry, service, Found(known));
        race(Box::pin(following), unwanted.closed()).await;
    });
    receiver
}

async fn keep_followed(registry: Arc<dyn AnyDiscover>, service: String, found: Found) {
    let mut pauses = Pauses::default();
    loop {
        let began = Instant::now();
        if let Err(error) = registry.follow(&service, &found).await {
            telemetry::not_followed(&service, &error);
            found.0.send_modify(|known| known.trouble = Some(error.to_string()));
        }
        sleep(pauses.after(began.elapsed(), random())).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_begin_anew_after_what_has_worked() {
        let mut pauses = Pauses::default();
        let mut next = |lasted, chance| pauses.after(Duration::from_secs(lasted), chance).as_millis();
        assert_eq!([next(0, 0), next(0, 0), next(0, 0)], [250, 500, 1_000]);
        // Less up to a quarter.
        assert_eq!([next(0, 500), next(0, 1_000)], [1_500, 3_000]);
        assert_eq!([next(0, 0), next(0, 2_500), next(9, 0)], [8_000, 7_500, 10_000]);
        assert_eq!([next(10, 0), next(0, 0)], [250, 500]);
        for _ in 0..1_000 {
            assert!(pauses.after(Duration::ZERO, u64::MAX) <= MAX_PAUSE);
        }
    }
}
