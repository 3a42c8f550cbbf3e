//! Workers that connect to the router themselves, and have no port of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use zsvc::{Cause, Code, Outcome, Register};
use zsvc_proto::wire::Registration;
use zsvc_routed::{ANY_PORT, Routing, Worker, free_endpoint, holding, listed, run};
use zsvc_router::{Config, Event, Grant, Scope};

/// Everybody may call and serve everything.
fn open() -> Grant {
    Grant { call: vec![Scope::All], serve: vec![Scope::All], ..Grant::default() }
}

fn router() -> Routing {
    Routing::of(Config::new().listen(ANY_PORT).grant(open()))
}

#[test]
fn a_worker_without_a_port_answers_every_kind() {
    run(async {
        let router = router();
        let worker = Worker::registering(Register::at(&router.endpoint).name("w").capacity(50));
        router.has_up(1).await;
        router.sees(|workers| workers[0].name == "w" && workers[0].capacity == 50).await;
        let client = router.client().await;
        let long = Bytes::from(vec![7; 3_000_000]);
        assert_eq!(client.echo(long.clone()).await.unwrap(), long);
        let counted: Vec<u64> = client.count(1_000).await.unwrap().try_collect().await.unwrap();
        assert_eq!(counted.len(), 1_000);
        assert_eq!(client.sum("sum", stream::iter(1..=100_u64)).await.unwrap(), 5_050);
        client.note("noted").await.unwrap();
        worker.journal.has("noted").await;
        assert_eq!(router.calls(), 0);
    });
}

#[test]
fn a_worker_that_may_not_serve_is_refused() {
    run(async {
        let grant = Grant { serve: vec![Scope::Service("other.v1.Other".to_owned())], ..open() };
        let (config, mut told) = told_of(Config::new().listen(ANY_PORT).grant(grant));
        let router = Routing::of(config);
        let _worker = Worker::registering(router.endpoint.as_str());
        let why = next(&mut told, refusal).await;
        assert!(why.starts_with("`probe.v1."), "{why}");
        let status = router.client().await.echo(vec![1]).await.unwrap_err();
        assert_eq!(
            (status.code(), status.cause()),
            (Code::Unimplemented, Some(Cause::NoSuchMethod)),
            "{status}"
        );
    });
}

#[test]
fn without_grants_no_worker_registers() {
    run(async {
        let (config, mut told) = told_of(Config::new().listen(ANY_PORT));
        let router = Routing::of(config);
        let _worker = Worker::registering(router.endpoint.as_str());
        assert!(matches!(told.recv().await.unwrap(), Event::RegistrationRefused { .. }));
        router.has_up(0).await;
    });
}

/// A configuration, and what is told of a router that has it.
fn told_of(config: Config) -> (Config, mpsc::UnboundedReceiver<Event>) {
    let (tell, told) = mpsc::unbounded_channel();
    (config.observe(move |event| drop(tell.send(event.clone()))), told)
}

/// Returns the first of what is told that is wanted.
async fn next<T>(told: &mut mpsc::UnboundedReceiver<Event>, wanted: impl Fn(Event) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(told.recv().await.expect("the router runs")) {
            return found;
        }
    }
}

fn refusal(event: Event) -> Option<String> {
    match event {
        Event::RegistrationRefused { why, .. } => Some(why),
        _ => None,
    }
}

/// Reads until a text has arrived, or the connection is closed. Returns whether the text has.
async fn has_read(connection: &mut TcpStream, text: &[u8]) -> bool {
    let mut read = Vec::new();
    loop {
        if read.windows(text.len()).any(|part| part == text) {
            return true;
        }
        match connection.read_buf(&mut read).await {
            Ok(0) | Err(_) => return false,
            Ok(_) => {}
        }
    }
}

#[test]
fn a_connection_on_which_a_worker_was_refused_ends_with_its_next_message() {
    run(async {
        let (config, mut told) = told_of(Config::new().listen(ANY_PORT));
        let router = Routing::of(config);
        let address = router.endpoint.strip_prefix("tcp://").unwrap();
        let mut connection = TcpStream::connect(address).await.unwrap();
        // The greeting of ZMTP 3.0 without security, and the command that ends the handshake of a DEALER.
        let mut greeting = [0; 64];
        greeting[..16].copy_from_slice(b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL");
        connection.write_all(&greeting).await.unwrap();
        connection.write_all(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER").await.unwrap();
        let services = vec!["a.B\nzsvc router: drains".to_owned()];
        let batch = Registration { services, ..Registration::default() }.to_batch();
        let message = [&[0, u8::try_from(batch.len()).unwrap()][..], &batch].concat();
        connection.write_all(&message).await.unwrap();
        assert!(has_read(&mut connection, b"is no name of a service").await, "it is told why");
        connection.write_all(&message).await.unwrap();
        assert!(!has_read(&mut connection, b"is no name of a service").await, "it is closed");
        let why = next(&mut told, refusal).await;
        assert_eq!(why, r"`a.B\nzsvc router: drains` is no name of a service");
        assert!(told.try_recv().is_err(), "it is told once");
    });
}

#[test]
fn a_worker_for_which_there_is_no_room_is_told_so() {
    run(async {
        // As many services as there may be, none of which is the worker's.
        let mut full = listed("tcp://127.0.0.1:9", "full", 1);
        full.worker.services = (0..4_096).map(|number| format!("a.S{number}")).collect();
        let (config, mut told) = told_of(Config::new().listen(ANY_PORT).grant(open()).worker(full));
        let router = Routing::of(config);
        let _worker = Worker::registering(router.endpoint.as_str());
        let why = next(&mut told, refusal).await;
        assert_eq!(why, "the router has as many workers, or services, as it may");
        router.has_up(0).await;
    });
}

#[test]
fn a_worker_whose_grant_is_taken_away_serves_no_more() {
    run(async {
        let listed_one = Worker::start();
        let grant = |serve: &[Scope]| Grant { serve: serve.to_vec(), ..open() };
        let (config, mut told) = told_of(Config::new().listen(ANY_PORT).grant(grant(&[Scope::All])));
        let router = Routing::of(config);
        let registered = Worker::registering(Register::at(&router.endpoint).name("w"));
        router.has_up(1).await;
        let client = router.client().await;
        let held = holding(&client, "gate");
        registered.journal.has("gate began").await;
        // It stays where it may serve still.
        let config = || Config::new().listen(ANY_PORT).worker(listed_one.listed("listed", 10));
        let same = grant(&[Scope::Package("probe.".to_owned())]);
        router.handle.reload(config().grant(same)).await.unwrap();
        router.has_up(2).await;
        router.handle.reload(config().grant(grant(&[]))).await.unwrap();
        let ended = next(&mut told, |event| match event {
            Event::RegistrationEnded { name, why } => Some((name, why)),
            _ => None,
        });
        let (name, why) = ended.await;
        assert!(name == "w" && why.starts_with("`probe.v1."), "{name}: {why}");
        let status = held.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
        registered.journal.has("gate dropped").await;
        router.sees(|workers| workers.len() == 1 && workers[0].name == "listed").await;
        for _ in 0..20 {
            client.note("after").await.unwrap();
        }
        while listed_one.journal.count("after") < 20 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert_eq!(registered.journal.count("after"), 0);
        // It tries again, and is refused.
        next(&mut told, refusal).await;
    });
}

#[test]
fn a_worker_that_is_lost_fails_what_it_had() {
    run(async {
        let router = router();
        let worker = Worker::registering(router.endpoint.as_str());
        router.has_up(1).await;
        let client = router.client().await;
        let held = holding(&client, "gate");
        worker.journal.has("gate began").await;
        worker.kill().await;
        let status = held.await.unwrap().unwrap_err();
        assert_eq!(
            (status.code(), status.outcome()),
            (Code::Unavailable, Outcome::MaybeExecuted),
            "{status}"
        );
        router.has_up(0).await;
    });
}

#[test]
fn workers_register_again_at_a_router_that_was_started_anew() {
    run(async {
        let endpoint = free_endpoint();
        let config = || Config::new().listen(&endpoint).grant(open());
        let router = Routing::of(config());
        let worker = Worker::registering(router.endpoint.as_str());
        router.has_up(1).await;
        router.kill().await;
        let router = Routing::of(config());
        router.has_up(1).await;
        let client = router.client().await;
        assert_eq!(client.echo(vec![5]).await.unwrap(), vec![5]);
        worker.stop().await;
        router.has_up(0).await;
    });
}

#[test]
fn a_rolling_restart_of_workers_that_register_fails_no_call() {
    run(async {
        let router = router();
        let mut workers: Vec<_> = (0..4).map(|_| Worker::registering(router.endpoint.as_str())).collect();
        router.has_up(4).await;
        let client = router.patient_client().await;
        let (is_over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers: Vec<_> = (0..16_u8)
            .map(|number| {
                let (client, is_over, made) = (client.clone(), Arc::clone(&is_over), Arc::clone(&made));
                tokio::spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        client.echo(vec![number]).await.expect("no call fails");
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for _ in 0..4 {
            workers.remove(0).stop().await;
            router.has_up(3).await;
            let before = made.load(Ordering::Relaxed);
            while made.load(Ordering::Relaxed) < before + 200 {
                assert!(callers.iter().all(|caller| !caller.is_finished()), "a call has failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            workers.push(Worker::registering(router.endpoint.as_str()));
            router.has_up(4).await;
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
    });
}
