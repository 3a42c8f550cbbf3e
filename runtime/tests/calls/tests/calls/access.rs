//! Clients that are let in by an [`Access`], which changes while they call. What its file says is tested beside it, in `zsvc`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use futures_util::future::join_all;
use tokio::sync::oneshot;
use zsvc::curve::{Access, Client, CurveClient, CurveServer, PublicKey, SecretKey, generate};
use zsvc::{Cause, Channel, ChannelBuilder, Code, Engine, HandshakeFailure, Outcome, Retry, Server, Status};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeClient;
use zsvc_calls::vault::v1::{VaultClient, VaultMock, VaultServer};

use crate::support::{ANY_PORT, Running, on_threads};

fn key() -> SecretKey {
    generate().expect("the system has random bytes")
}

/// A server of `Probe` with a list of clients.
struct Guarded {
    server: Running,
    key: PublicKey,
    access: Access,
}

impl Guarded {
    fn new(clients: impl IntoIterator<Item = Client>) -> Self {
        Self::with(Access::new(clients).unwrap(), |builder| builder)
    }

    fn with(access: Access, set: impl FnOnce(zsvc::ServerBuilder) -> zsvc::ServerBuilder) -> Self {
        let server_key = key();
        let public = server_key.public_key();
        let curve = CurveServer::new(server_key).access(access.clone());
        let set =
            |builder: zsvc::ServerBuilder| set(builder.engine(Engine::Zmtp).bind(ANY_PORT).curve(curve));
        Self { server: Running::of(Probe::default(), set).lossy(), key: public, access }
    }

    fn channel(&self, own: &SecretKey) -> ChannelBuilder {
        let curve = CurveClient::new(self.key, own.clone());
        Channel::builder()
            .engine(Engine::Zmtp)
            .endpoint(self.server.endpoint())
            .curve(curve)
            .retry(Retry::none())
    }

    async fn client(&self, own: &SecretKey) -> ProbeClient {
        ProbeClient::new(self.channel(own).connect().await.expect("it is let in"))
    }

    async fn revoked(&self, connections: u64) {
        while self.server.counters.revoked_connections() < connections {
            tokio::task::yield_now().await;
        }
    }
}

/// A call in flight whose client is not let in any more ends with this, or as any whose connection is lost.
#[track_caller]
fn is_of_one_taken_out(status: &Status) {
    assert_eq!(status.outcome(), Outcome::MaybeExecuted, "{status}");
    match status.code() {
        Code::Unauthenticated => assert_eq!(status.cause(), Some(Cause::Forbidden), "{status}"),
        code => {
            assert_eq!((code, status.cause()), (Code::Unavailable, Some(Cause::ConnectionLost)), "{status}");
        }
    }
}

#[test]
fn a_client_that_is_taken_out_loses_its_connection_and_its_handlers_are_cancelled() {
    on_threads(async {
        let [one, two] = [key(), key()];
        let guarded = Guarded::new([
            Client::new("one").key(one.public_key()),
            Client::new("two").key(two.public_key()),
        ]);
        let (out, stays) = (guarded.client(&one).await, guarded.client(&two).await);
        let held = tokio::spawn(out.hold_watched("out"));
        let kept = tokio::spawn(stays.hold("stays"));
        out.hold_unheard_watched("unheard").delivered().await.unwrap();
        let journal = &guarded.server.journal;
        for line in ["out began", "stays began", "unheard began"] {
            journal.has(line).await;
        }
        let taken = guarded.access.remove("one").unwrap();
        let status = held.await.unwrap().expect_err("its client is not let in any more");
        is_of_one_taken_out(&status);
        journal.has("out dropped").await;
        journal.has("out over: the client is not let in any more").await;
        journal.has("unheard dropped").await;
        journal.has("unheard over: the client is not let in any more").await;
        guarded.revoked(1).await;
        let denied = |count: u64| async move {
            let counters = &guarded.server.counters;
            while counters.refused_connections_for(HandshakeFailure::Denied) < count {
                tokio::task::yield_now().await;
            }
            guarded
        };
        // It is refused as often as it comes back.
        let guarded = denied(2).await;
        let again = out.fill(1).fail_fast().await.expect_err("it is not let in");
        assert_eq!((again.code(), again.outcome()), (Code::Unavailable, Outcome::NotSent), "{again}");
        // The other has noticed nothing.
        assert_eq!(stays.fill(2).await.map(|filled| filled.len()), Ok(2));
        guarded.server.journal.open("stays");
        assert_eq!(kept.await.unwrap(), Ok("stays".to_owned()));
        // Let in again, it is served by the same channel.
        guarded.access.put(taken).unwrap();
        assert_eq!(out.fill(3).deadline(Duration::from_secs(15)).await.map(|filled| filled.len()), Ok(3));
        assert_eq!(guarded.server.counters.revoked_connections(), 1);
    });
}

#[test]
fn a_client_is_taken_out_within_a_second_while_it_calls_without_a_pause() {
    on_threads(async {
        let own = key();
        let guarded = Guarded::new([Client::new("busy").key(own.public_key())]);
        let probe = guarded.client(&own).await;
        let (stop, _) = tokio::sync::watch::channel(false);
        let calling = (0..64).map(|_| {
            let (probe, mut stopped) = (probe.clone(), stop.subscribe());
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        ended = probe.fill(10) => if let Err(status) = ended { return status },
                        _ = stopped.changed() => panic!("it is never refused"),
                    }
                }
            })
        });
        let calling: Vec<_> = calling.collect();
        while guarded.server.counters.calls() < 1_000 {
            tokio::task::yield_now().await;
        }
        let began = Instant::now();
        guarded.access.remove("busy").unwrap();
        guarded.revoked(1).await;
        // Within milliseconds; the rest is for machines with other things to do.
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        let calls = guarded.server.counters.calls();
        probe.channel().clone().close(Duration::ZERO).await.ok();
        for ended in join_all(calling).await {
            let status = ended.expect("each ends with an error");
            assert!(matches!(status.code(), Code::Unauthenticated | Code::Unavailable), "{status}");
        }
        assert_eq!(guarded.server.counters.calls(), calls, "no call of it runs once it is out");
        drop(stop);
    });
}

#[test]
fn one_way_calls_of_a_client_that_is_taken_out_do_not_begin_any_more() {
    on_threads(async {
        let [one, two] = [key(), key()];
        let access =
            Access::new([Client::new("one").key(one.public_key()), Client::new("two").key(two.public_key())]);
        let guarded = Guarded::with(access.unwrap(), |builder| builder.max_running(1, 10));
        let (out, stays) = (guarded.client(&one).await, guarded.client(&two).await);
        let held = tokio::spawn(stays.hold("held"));
        let journal = &guarded.server.journal;
        journal.has("held began").await;
        out.note("of one who is out").delivered().await.unwrap();
        guarded.access.remove("one").unwrap();
        guarded.revoked(1).await;
        stays.note("of one who is in").delivered().await.unwrap();
        journal.open("held");
        held.await.unwrap().unwrap();
        journal.has("of one who is in").await;
        assert_eq!(journal.count("of one who is out"), 0);
    });
}

#[test]
fn a_client_whose_time_is_up_loses_its_connection() {
    on_threads(async {
        let own = key();
        let guarded = Guarded::new([Client::new("guest").key(own.public_key())]);
        let probe = guarded.client(&own).await;
        let held = tokio::spawn(probe.hold("held"));
        guarded.server.journal.has("held began").await;
        // From here on, however long the handshake has taken.
        let end = SystemTime::now() + Duration::from_secs(1);
        guarded.access.put(Client::new("guest").key(own.public_key()).expires(end)).unwrap();
        let status = held.await.unwrap().expect_err("its time is up");
        is_of_one_taken_out(&status);
        assert!(SystemTime::now() >= end);
        guarded.server.journal.has("held dropped").await;
        guarded.revoked(1).await;
        // Given more time, it is let in again; and more is noticed before it is up.
        let later = SystemTime::now() + Duration::from_hours(1);
        guarded.access.put(Client::new("guest").key(own.public_key()).expires(later)).unwrap();
        assert_eq!(probe.fill(1).deadline(Duration::from_secs(15)).await.map(|it| it.len()), Ok(1));
        guarded.access.put(Client::new("guest").key(own.public_key())).unwrap();
        assert_eq!(probe.fill(1).await.map(|it| it.len()), Ok(1));
        assert_eq!(guarded.server.counters.revoked_connections(), 1);
    });
}

/// Calls without a pause, with one key and then with another, while the server is told of the second and loses the first.
#[test]
fn exchanging_a_key_fails_no_call() {
    on_threads(async {
        let [old, new] = [key(), key()];
        let guarded = Guarded::new([Client::new("desk").key(old.public_key())]);
        let both = Client::new("desk").key(old.public_key()).key(new.public_key());
        let before = guarded.client(&old).await;
        let calls = async |probe: &ProbeClient| {
            for size in 0..50 {
                assert_eq!(probe.fill(size).await.map(|it| it.len()), Ok(size as usize));
            }
        };
        let held = tokio::spawn(before.hold("before"));
        guarded.server.journal.has("before began").await;
        calls(&before).await;
        guarded.access.put(both).unwrap();
        let after = guarded.client(&new).await;
        tokio::join!(calls(&before), calls(&after));
        guarded.server.journal.open("before");
        assert_eq!(held.await.unwrap(), Ok("before".to_owned()));
        let held = tokio::spawn(after.hold("after"));
        guarded.server.journal.has("after began").await;
        // It has moved over: the first key goes, and with it what still connects by it.
        before.channel().clone().close(Duration::from_secs(5)).await.unwrap();
        let left_behind = guarded.client(&old).await;
        guarded.access.put(Client::new("desk").key(new.public_key())).unwrap();
        calls(&after).await;
        guarded.revoked(1).await;
        assert!(left_behind.fill(1).fail_fast().await.is_err());
        guarded.server.journal.open("after");
        assert_eq!(held.await.unwrap(), Ok("after".to_owned()));
        // That of `before` is one of them if the server has not read its end by then.
        assert!(guarded.server.counters.revoked_connections() <= 2);
    });
}

#[test]
fn roles_that_are_added_hold_at_once_and_one_that_is_lost_closes_the_connection() {
    on_threads(async {
        let (server_key, own) = (key(), key());
        let with = |roles: &[&str]| {
            roles.iter().fold(Client::new("alice").key(own.public_key()), |client, role| client.role(*role))
        };
        let access = Access::new([with(&["clerk"])]).unwrap();
        let curve = CurveServer::new(server_key.clone()).access(access.clone());
        let mock = VaultMock::new()
            .on_look(|context| {
                let name = context.identity().unwrap().name().to_owned();
                async { Ok(name) }
            })
            .on_trade(|_, _, _| async { Ok(()) });
        let server = Server::builder().service(VaultServer::new(mock)).engine(Engine::Zmtp);
        let server = server.bind(ANY_PORT).curve(curve).listen().unwrap();
        let (endpoint, counters) = (server.endpoints()[0].clone(), server.counters());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(server.serve_until(stopped));
        let curve = CurveClient::new(server_key.public_key(), own.clone());
        let vault = Channel::builder().engine(Engine::Zmtp).endpoint(endpoint).curve(curve).connect().await;
        let vault = VaultClient::new(vault.unwrap());
        let trade = async || {
            let (_sink, mut back) = vault.trade().await?;
            back.next().await.transpose().map(drop)
        };
        assert_eq!(vault.look().await, Ok("alice".to_owned()));
        assert_eq!(trade().await.unwrap_err().code(), Code::PermissionDenied);
        access.put(with(&["clerk", "robot"])).unwrap();
        // From the first call that is read after the server has noticed.
        while trade().await.is_err() {
            tokio::task::yield_now().await;
        }
        assert_eq!(counters.revoked_connections(), 0, "nothing was taken away");
        access.put(with(&["robot"])).unwrap();
        while counters.revoked_connections() == 0 {
            tokio::task::yield_now().await;
        }
        // The connection is made again, by a client that has the other role alone.
        let refused = loop {
            let refused = vault.look().deadline(Duration::from_secs(15)).await.unwrap_err();
            // Of a call that was sent before the client had noticed.
            if refused.cause() != Some(Cause::ConnectionLost) {
                break refused;
            }
        };
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused}");
        assert_eq!(trade().await, Ok(()));
        drop(stop);
        running.await.unwrap().unwrap();
    });
}

/// A folder that is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("zsvc-calls-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn access(&self) -> PathBuf {
        self.0.join("access.toml")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Writes a file in place of another, at once.
fn replace(path: &Path, text: &str) {
    let other = path.with_extension("new");
    fs::write(&other, text).unwrap();
    fs::rename(other, path).unwrap();
}

fn entry(name: &str, key: &SecretKey) -> String {
    format!("[clients.{name}]\nkeys = [\"{}\"]\nroles = [\"trader\"]\n", key.public_key())
}

#[test]
fn a_changed_file_is_taken_over_while_clients_call() {
    on_threads(async {
        let (folder, [one, two]) = (Folder::new("file"), [key(), key()]);
        let path = folder.access();
        fs::write(&path, entry("one", &one) + &entry("two", &two)).unwrap();
        let access = Access::from_file(&path).unwrap();
        let guarded = Guarded::with(access.clone(), |builder| builder);
        let (out, stays) = (guarded.client(&one).await, guarded.client(&two).await);
        let held = tokio::spawn(out.hold("held"));
        guarded.server.journal.has("held began").await;
        replace(&path, &entry("two", &two));
        is_of_one_taken_out(&held.await.unwrap().expect_err("it is not in the file any more"));
        guarded.server.journal.has("held dropped").await;
        guarded.revoked(1).await;
        while access.files_taken() < 1 {
            tokio::task::yield_now().await;
        }
        // In place, and of a client that is not there yet.
        let three = key();
        fs::write(&path, entry("two", &two) + &entry("three", &three)).unwrap();
        while access.files_taken() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(guarded.client(&three).await.fill(1).await.map(|it| it.len()), Ok(1));
        assert_eq!(stays.fill(1).await.map(|it| it.len()), Ok(1));
        assert_eq!(guarded.server.counters.revoked_connections(), 1);
    });
}

#[test]
fn a_file_with_something_wrong_changes_nothing_and_is_counted_once() {
    on_threads(async {
        let (folder, own) = (Folder::new("wrong"), key());
        let path = folder.access();
        let fine = entry("desk", &own);
        fs::write(&path, &fine).unwrap();
        let access = Access::from_file(&path).unwrap();
        let guarded = Guarded::with(access.clone(), |builder| builder);
        let probe = guarded.client(&own).await;
        for (refused, wrong) in (1..).zip([Some("[clients.desk]\nkeys = [\"no key\"]\n"), Some(""), None]) {
            match wrong {
                Some(text) => replace(&path, text),
                None => fs::remove_file(&path).unwrap(),
            }
            while access.files_refused() < refused {
                tokio::task::yield_now().await;
            }
            assert_eq!(access.clients().len(), 1);
            assert_eq!(probe.fill(1).await.map(|it| it.len()), Ok(1));
        }
        replace(&path, &fine.replace("trader", "admin"));
        while access.files_taken() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!((access.files_taken(), access.files_refused()), (1, 3));
        guarded.revoked(1).await;
    });
}

#[test]
fn a_key_file_that_an_access_file_names_is_followed_too() {
    on_threads(async {
        let (folder, [old, new]) = (Folder::new("key-file"), [key(), key()]);
        let public =
            |key: &SecretKey| format!("metadata\ncurve\n    public-key = \"{}\"\n", key.public_key());
        let key_file = folder.0.join("desk.key");
        fs::write(&key_file, public(&old)).unwrap();
        fs::write(folder.access(), "[clients.desk]\nkey_files = [\"desk.key\"]\n").unwrap();
        let guarded = Guarded::with(Access::from_file(folder.access()).unwrap(), |builder| builder);
        let before = guarded.client(&old).await;
        replace(&key_file, &public(&new));
        guarded.revoked(1).await;
        assert_eq!(guarded.client(&new).await.fill(1).await.map(|it| it.len()), Ok(1));
        assert!(before.fill(1).fail_fast().await.is_err());
    });
}

#[test]
fn a_file_is_followed_until_the_last_server_lets_go_of_it() {
    on_threads(async {
        let folder = Folder::new("dropped");
        fs::write(folder.access(), "[clients]\n").unwrap();
        let access = Access::from_file(folder.access()).unwrap();
        let clone = access.clone();
        drop(access);
        replace(&folder.access(), &entry("desk", &key()));
        while clone.files_taken() == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(clone.clients().len(), 1);
    });
}
