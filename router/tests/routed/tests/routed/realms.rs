//! Realms, grants and quotas, over encrypted connections of clients that are known by their keys.

use std::time::Duration;

use zsvc::curve::{Access, Client, CurveClient, CurveServer, SecretKey};
use zsvc::{Cause, Channel, Code, Identity, Outcome, Retry};
use zsvc_calls::probe::v1::ProbeClient;
use zsvc_routed::{ANY_PORT, Routing, TEST_TIMEOUT, Worker, free_endpoint, listed, run};
use zsvc_router::admin::AdminClient;
use zsvc_router::forwarder::Limits;
use zsvc_router::{Config, Grant, ListedWorker, Quota, Realm, Scope};

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32])
}

/// The router's key is 1; that of the client `eu`, which has the role of the realm, is 2, and that of `other` is 3.
fn known() -> Config {
    let identity = |name: &str| Identity::new(name).with_role(name);
    let server = CurveServer::new(key(1))
        .allow_as(key(2).public_key(), identity("eu"))
        .allow_as(key(3).public_key(), identity("other"));
    let realm = Realm { name: "eu".to_owned(), roles: vec!["eu".to_owned()] };
    Config::new().listen(ANY_PORT).curve(server).realm(realm)
}

fn of_realm(worker: &Worker, realm: &str) -> ListedWorker {
    let mut listed = worker.listed(if realm.is_empty() { "of-none" } else { realm }, 100);
    realm.clone_into(&mut listed.worker.realm);
    listed
}

async fn channel(router: &Routing, byte: u8) -> Channel {
    let curve = CurveClient::new(key(1).public_key(), key(byte));
    let channel = Channel::builder().endpoint(&router.endpoint).curve(curve).retry(Retry::none());
    channel.connect().await.expect("the router lets it in")
}

async fn client(router: &Routing, byte: u8) -> ProbeClient {
    ProbeClient::new(channel(router, byte).await)
}

#[test]
fn clients_reach_the_workers_of_their_realm_alone() {
    run(async {
        let (eu, other) = (Worker::start(), Worker::start());
        let router = Routing::of(known().worker(of_realm(&eu, "eu")).worker(of_realm(&other, "")));
        router.has_up(2).await;
        client(&router, 2).await.note("of eu").await.unwrap();
        client(&router, 3).await.note("of other").await.unwrap();
        eu.journal.has("of eu").await;
        other.journal.has("of other").await;
        assert_eq!((eu.journal.count("of other"), other.journal.count("of eu")), (0, 0));
    });
}

#[test]
fn a_client_in_a_realm_without_workers_finds_no_service() {
    run(async {
        let other = Worker::start();
        let router = Routing::of(known().worker(of_realm(&other, "")));
        router.has_up(1).await;
        let status = client(&router, 2).await.echo(vec![1]).await.unwrap_err();
        assert_eq!(
            (status.code(), status.cause()),
            (Code::Unimplemented, Some(Cause::NoSuchMethod)),
            "{status}"
        );
        client(&router, 3).await.echo(vec![1]).await.unwrap();
    });
}

#[test]
fn the_connections_of_a_client_share_its_quota() {
    run(async {
        let worker = Worker::start();
        let quota = Quota { roles: vec!["other".to_owned()], max_calls: Some(1), ..Quota::default() };
        let router = Routing::of(known().quota(quota).worker(of_realm(&worker, "")));
        router.has_up(1).await;
        let (first, second) = (client(&router, 3).await, client(&router, 3).await);
        let held = tokio::spawn(async move { first.hold("gate").await });
        worker.journal.has("gate began").await;
        let status = second.echo(vec![1]).await.unwrap_err();
        assert_eq!(
            (status.code(), status.outcome(), status.cause()),
            (Code::ResourceExhausted, Outcome::NotSent, Some(Cause::Overloaded)),
            "{status}"
        );
        assert!(status.retry_after().is_some() && status.message().contains("quota"), "{status}");
        worker.journal.open("gate");
        held.await.unwrap().unwrap();
        second.echo(vec![1]).await.unwrap();
    });
}

#[test]
fn nothing_waits_on_of_a_client_that_is_taken_out_of_the_access_file() {
    run(async {
        let client_of = |name: &str, byte: u8| Client::new(name).key(key(byte).public_key());
        let access = Access::new([client_of("out", 2), client_of("stays", 3)]).unwrap();
        let endpoint = free_endpoint();
        let call = ["*", "zsvc.router.v1.Admin"].into_iter().filter_map(Scope::read).collect();
        let router = Routing::of(
            Config::new()
                .listen(ANY_PORT)
                .admin()
                .grant(Grant { call, ..Grant::default() })
                .curve(CurveServer::new(key(1)).access(access.clone()))
                .limits(Limits { max_wait: 2 * TEST_TIMEOUT, ..Limits::default() })
                .worker(listed(&endpoint, "one", 10)),
        );
        let (out, stays) = (client(&router, 2).await, client(&router, 3).await);
        for _ in 0..10 {
            out.note("of out").await.unwrap();
        }
        let waits = tokio::spawn({
            let out = out.clone();
            async move { out.echo(vec![1]).await }
        });
        router.has_queued(11).await;
        access.remove("out").unwrap();
        let status = waits.await.unwrap().unwrap_err();
        // It is told why, or has lost the connection.
        assert!(matches!(status.code(), Code::Unauthenticated | Code::Unavailable), "{status}");
        router.has_queued(0).await;
        let counted = router.counters();
        assert_eq!((counted.revoked_connections, counted.dropped_one_way), (1, 10));
        let admin = AdminClient::new(channel(&router, 3).await);
        let is_there = |clients: &[zsvc_router::admin::Client]| {
            clients.iter().any(|client| client.name.as_deref() == Some("out"))
        };
        while is_there(&admin.clients(10).await.unwrap()) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        stays.note("of stays").await.unwrap();
        let worker = Worker::with(&endpoint, |server| server);
        worker.journal.has("of stays").await;
        assert_eq!(worker.journal.count("of out"), 0);
    });
}
