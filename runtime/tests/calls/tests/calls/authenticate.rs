//! Who clients are by a program's own word, of keys at the handshake. Tokens are in `tokens`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::sync::Semaphore;
use zsvc::auth::{Authenticate, Authenticator, Claim, Grant};
use zsvc::curve::{Access, Client, CurveClient, CurveServer, PublicKey, SecretKey, generate};
use zsvc::{Channel, Code, Engine, HandshakeFailure, Identity, Outcome, Retry, ServerBuilder, Status};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{ANY_PORT, Running, on_threads};

/// Answers as a test says, and counts what it is asked.
#[derive(Clone, Default)]
pub(crate) struct Desk(Arc<State>);

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    /// Number of those that run, and the largest number so far.
    running: Mutex<(usize, usize)>,
    mood: Mutex<Mood>,
}

#[derive(Clone, Default)]
pub(crate) enum Mood {
    /// A client is called as its claim says, and has that as its role, too.
    #[default]
    Kind,
    /// The same, and the grant ends after a time.
    Brief(Duration),
    Denies,
    IsAway,
    Panics,
    Hangs,
    /// Waits for permission.
    Waits(Arc<Semaphore>),
}

/// Counts one that runs.
struct Runs<'a>(&'a State);

impl<'a> Runs<'a> {
    fn new(state: &'a State) -> Self {
        let mut running = state.running.lock().unwrap();
        running.0 += 1;
        running.1 = running.1.max(running.0);
        Self(state)
    }
}

impl Drop for Runs<'_> {
    fn drop(&mut self) {
        self.0.running.lock().unwrap().0 -= 1;
    }
}

impl Authenticate for Desk {
    async fn authenticate(&self, claim: Claim) -> Result<Grant, Status> {
        let _runs = Runs::new(&self.0);
        self.0.asked.fetch_add(1, Ordering::Relaxed);
        let mood = self.0.mood.lock().unwrap().clone();
        let identity = match (claim.key(), claim.token()) {
            (Some(_), _) => Identity::new("by-key").with_role("clerk"),
            (_, Some("bad")) => return Err(Status::unauthenticated("this token is not known")),
            (_, Some(token)) => {
                token.split('+').fold(Identity::new(format!("by {token}")), Identity::with_role)
            }
            _ => unreachable!("it is one of the two"),
        };
        match mood {
            Mood::Kind => Ok(identity.into()),
            Mood::Brief(time) => Ok(Grant::new(identity).until(SystemTime::now() + time)),
            Mood::Denies => Err(Status::permission_denied("the desk knows this client too well")),
            Mood::IsAway => Err(Status::unavailable("the desk is away")),
            Mood::Panics => panic!("requested by the test"),
            Mood::Hangs => std::future::pending().await,
            Mood::Waits(gate) => {
                gate.acquire().await.unwrap().forget();
                Ok(identity.into())
            }
        }
    }
}

impl Desk {
    pub(crate) fn is_in(&self, mood: Mood) {
        *self.0.mood.lock().unwrap() = mood;
    }

    pub(crate) fn asked(&self) -> usize {
        self.0.asked.load(Ordering::Relaxed)
    }

    pub(crate) fn running(&self) -> (usize, usize) {
        *self.0.running.lock().unwrap()
    }
}

fn key() -> SecretKey {
    generate().expect("the system has random bytes")
}

/// A server of `Probe` that asks about keys.
struct Asking {
    server: Running,
    key: PublicKey,
}

impl Asking {
    fn new(authenticator: impl Into<Authenticator>) -> Self {
        let server_key = key();
        let public = server_key.public_key();
        let curve = CurveServer::new(server_key).authenticate(authenticator);
        let set = |builder: ServerBuilder| builder.engine(Engine::Zmtp).bind(ANY_PORT).curve(curve);
        Self { server: Running::of(Probe::default(), set).lossy(), key: public }
    }

    async fn connect(&self, own: &SecretKey) -> Result<ProbeClient, Status> {
        let curve = CurveClient::new(self.key, own.clone());
        let channel = Channel::builder().engine(Engine::Zmtp).endpoint(self.server.endpoint()).curve(curve);
        Ok(ProbeClient::new(channel.retry(Retry::none()).fail_fast().connect().await?))
    }

    /// Waits until connections have been refused for a reason, and a client was told so.
    async fn refuses(&self, own: &SecretKey, reason: HandshakeFailure, told: &str) {
        let before = self.server.counters.refused_connections_for(reason);
        loop {
            let status = self.connect(own).await.map(drop).expect_err("it is not let in");
            assert_eq!(status.code(), Code::Unavailable);
            // On a busy machine a handshake may take longer than `connect` waits for it.
            if status.to_string().contains(told)
                && self.server.counters.refused_connections_for(reason) > before
            {
                return;
            }
        }
    }
}

#[test]
fn a_program_says_who_the_client_with_a_key_is_and_is_not_asked_again_at_once() {
    on_threads(async {
        let (desk, own) = (Desk::default(), key());
        let asking = Asking::new(desk.clone());
        for _ in 0..3 {
            let probe = asking.connect(&own).await.expect("the desk is kind");
            assert_eq!(probe.look().await.unwrap().key, Some(own.public_key().to_string()));
        }
        assert_eq!(desk.asked(), 1);
        asking.connect(&key()).await.expect("the desk is kind");
        assert_eq!(desk.asked(), 2, "another key");
    });
}

#[test]
fn a_client_that_the_program_does_not_let_in_is_refused_with_the_reason_counted() {
    on_threads(async {
        let desk = Desk::default();
        let asking = Asking::new(Authenticator::new(desk.clone()).time_limit(Duration::from_millis(100)));
        for (mood, reason, told) in [
            (Mood::Denies, HandshakeFailure::Denied, "400"),
            (Mood::Panics, HandshakeFailure::Undecided, "500"),
            // As libzmq does: the client is told nothing, and tries again.
            (Mood::IsAway, HandshakeFailure::Undecided, "tell now who this client is"),
            (Mood::Hangs, HandshakeFailure::Undecided, "tell now who this client is"),
        ] {
            desk.is_in(mood);
            asking.refuses(&key(), reason, told).await;
        }
        // Nothing of it is left, and the server goes on.
        desk.is_in(Mood::Kind);
        let probe = asking.connect(&key()).await.expect("the desk is kind again");
        assert_eq!(probe.fill(1).await.map(|it| it.len()), Ok(1));
        while desk.running().0 > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn no_more_are_asked_at_a_time_than_may_be_and_those_who_go_are_not_asked_about() {
    on_threads(async {
        let (desk, gate) = (Desk::default(), Arc::new(Semaphore::new(0)));
        desk.is_in(Mood::Waits(Arc::clone(&gate)));
        let asking = Arc::new(Asking::new(Authenticator::new(desk.clone()).max_in_flight(2)));
        let connecting = (0..6).map(|_| {
            let asking = Arc::clone(&asking);
            tokio::spawn(async move { asking.connect(&key()).await.map(drop) })
        });
        let connecting: Vec<_> = connecting.collect();
        while desk.running().0 < 2 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(6);
        for connected in join_all(connecting).await {
            connected.unwrap().expect("each has its turn");
        }
        assert_eq!(desk.running(), (0, 2));
        // One that goes away while it is asked about.
        let leaving = tokio::spawn({
            let asking = Arc::clone(&asking);
            async move { asking.connect(&key()).await.map(drop) }
        });
        while desk.running().0 == 0 {
            tokio::task::yield_now().await;
        }
        leaving.abort();
        while desk.running().0 > 0 {
            tokio::task::yield_now().await;
        }
    });
}

#[test]
fn a_program_is_not_asked_again_about_everyone_when_a_list_changes() {
    on_threads(async {
        let (desk, server_key, own) = (Desk::default(), key(), key());
        let (access, asked) = (Access::default(), Authenticator::new(desk.clone()));
        let curve = CurveServer::new(server_key.clone()).access(access.clone()).authenticate(asked.clone());
        let set = |builder: ServerBuilder| builder.engine(Engine::Zmtp).bind(ANY_PORT).curve(curve);
        let server = Running::of(Probe::default(), set).lossy();
        let asking = Asking { server, key: server_key.public_key() };
        let probe = asking.connect(&own).await.expect("the desk is kind");
        asked.forget();
        access.put(Client::new("another").key(key().public_key())).unwrap();
        for _ in 0..3 {
            assert_eq!(probe.fill(1).await.map(|it| it.len()), Ok(1));
        }
        assert_eq!((desk.asked(), asking.server.counters.revoked_connections()), (1, 0));
        // What is said of it itself counts: it is called otherwise from now on.
        access.put(Client::new("listed").key(own.public_key())).unwrap();
        while asking.server.counters.revoked_connections() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(desk.asked(), 1);
    });
}

#[test]
fn a_program_is_not_asked_about_a_client_whose_time_is_up() {
    on_threads(async {
        let (desk, server_key, own) = (Desk::default(), key(), key());
        let past = SystemTime::now() - Duration::from_secs(1);
        let access = Access::new([Client::new("guest").key(own.public_key()).expires(past)]).unwrap();
        let curve = CurveServer::new(server_key.clone()).access(access).authenticate(desk.clone());
        let set = |builder: ServerBuilder| builder.engine(Engine::Zmtp).bind(ANY_PORT).curve(curve);
        let server = Running::of(Probe::default(), set).lossy();
        let asking = Asking { server, key: server_key.public_key() };
        asking.refuses(&own, HandshakeFailure::Denied, "400").await;
        assert_eq!(desk.asked(), 0);
    });
}

#[test]
fn a_grant_that_ends_is_asked_for_again_and_the_connection_goes_on_if_there_is_one() {
    on_threads(async {
        let (desk, own) = (Desk::default(), key());
        desk.is_in(Mood::Brief(Duration::from_secs(1)));
        let asking = Asking::new(desk.clone());
        let probe = asking.connect(&own).await.expect("the desk is kind");
        let held = tokio::spawn(probe.hold("held"));
        while desk.asked() < 3 {
            assert_eq!(probe.fill(1).await.map(|it| it.len()), Ok(1));
        }
        assert_eq!(asking.server.counters.revoked_connections(), 0);
        desk.is_in(Mood::Denies);
        let status = held.await.unwrap().expect_err("the grant has ended, and there is no other");
        assert_eq!(status.outcome(), Outcome::MaybeExecuted, "{status}");
        asking.server.journal.has("held dropped").await;
        while asking.server.counters.revoked_connections() == 0 {
            tokio::task::yield_now().await;
        }
    });
}
