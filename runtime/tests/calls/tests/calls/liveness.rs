//! Liveness: a server detects that a client is gone, and drops its handlers; a peer that is merely busy is not taken
//! for dead.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use zsvc::{Cause, Channel, Code, ConnectionState, Engine, Outcome};
use zsvc_calls::Probe;
use zsvc_calls::engines;
use zsvc_calls::probe::v1::ProbeClient;

use crate::child;
use crate::raw;
use crate::relay::Relay;
use crate::support::{Running, TEST_TIMEOUT, THREADS, free_endpoint, on_one_thread, on_threads};

fn impatient() -> Running {
    Running::with(|server| server.peer_timeout(Duration::from_millis(600)))
}

#[test]
fn the_handlers_of_a_client_that_was_killed_are_dropped() {
    on_one_thread(async {
        let server = impatient();
        let mut client = child::holder(server.endpoint(), "a");
        server.journal.has("a began").await;
        client.kill().await.unwrap();
        server.journal.has("a dropped").await;
        assert_eq!(server.counters.lost_peers(), 1);
    });
}

#[test]
fn the_handlers_of_a_client_that_has_gone_without_a_word_are_dropped() {
    on_one_thread(async {
        let server = impatient();
        let dealer = raw::dealer(server.endpoint());
        dealer.send(raw::call_of_hold("a"), 0).unwrap();
        server.journal.has("a began").await;
        drop(dealer);
        server.journal.has("a dropped").await;
    });
}

#[test]
fn the_handlers_of_a_client_that_stays_but_never_answers_are_dropped() {
    on_one_thread(async {
        let server = impatient();
        let dealer = raw::dealer(server.endpoint());
        dealer.send(raw::call_of_hold("a"), 0).unwrap();
        server.journal.has("a dropped").await;
        assert_eq!(server.counters.lost_peers(), 1);
        drop(dealer);
    });
}

#[test]
fn a_client_that_disappears_is_detected_while_others_keep_the_server_busy() {
    on_threads(async {
        let server = impatient().lossy();
        let busy = server.client().await;
        let flood = tokio::spawn(async move {
            let mut items = busy.pour("flood", u32::MAX, 100).await.unwrap();
            while let Some(Ok(_)) = items.next().await {}
        });
        server.journal.has("flood accepted").await;
        let dealer = raw::dealer(server.endpoint());
        dealer.send(raw::call_of_hold("a"), 0).unwrap();
        server.journal.has("a dropped").await;
        flood.abort();
        server.journal.has("flood dropped").await;
    });
}

#[test]
fn a_client_that_waits_for_long_is_not_taken_for_dead() {
    on_one_thread(async {
        let timeout = Duration::from_millis(1_500);
        let server = Running::with(|server| server.peer_timeout(timeout));
        let (probe, clock) = (server.client().await, server.client().await);
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        clock.hold("b").deadline(2 * timeout).await.unwrap_err();
        assert_eq!(server.journal.count("a dropped"), 0);
        server.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
        assert_eq!(server.counters.lost_peers(), 0);
    });
}

/// The device stays up, and so does its connection.
#[test]
fn the_handlers_of_a_client_that_has_gone_behind_a_device_are_dropped() {
    on_one_thread(async {
        let server = impatient();
        let relay = Relay::to(server.endpoint());
        let dealer = raw::dealer(relay.endpoint());
        dealer.send(raw::call_of("hold_watched", "a"), 0).unwrap();
        server.journal.has("a began").await;
        drop(dealer);
        server.journal.has("a over: the client is gone").await;
        server.journal.has("a dropped").await;
    });
}

/// While every thread is blocked, the runtime neither reads nor checks clients nor answers them. It then reads what
/// clients sent meanwhile before it gives up any of them.
#[test]
fn no_client_is_taken_for_dead_while_handlers_block_every_thread() {
    let timeout = Duration::from_millis(600);
    on_threads(async {
        let server = Running::with(|server| server.peer_timeout(timeout));
        let (endpoint, gate) = (server.endpoint().to_owned(), server.journal.clone());
        // On a separate thread, which is not blocked.
        let client = std::thread::spawn(move || {
            on_one_thread(async { ProbeClient::connect(endpoint).await.unwrap().hold("a").await })
        });
        server.journal.has("a began").await;
        for _ in 0..2 {
            hold_up_every_thread(3 * timeout).await;
        }
        // The server still detects clients that are gone.
        let gone = raw::dealer(server.endpoint());
        gone.send(raw::call_of_hold("b"), 0).unwrap();
        server.journal.has("b dropped").await;
        assert_eq!((server.journal.count("a dropped"), server.counters.lost_peers()), (0, 1));
        gate.open("a");
        assert_eq!(tokio::task::spawn_blocking(|| client.join().unwrap()).await.unwrap().unwrap(), "a");
    });
}

/// Runs one handler per thread. Each waits for all others, and then blocks its thread for the given time.
async fn hold_up_every_thread(time: Duration) {
    let all = Arc::new(Barrier::new(THREADS));
    let blocks = (0..THREADS).map(|_| {
        let all = Arc::clone(&all);
        tokio::spawn(async move {
            all.wait();
            let (_nobody_sends, never) = channel::<()>();
            let _ = never.recv_timeout(time);
        })
    });
    join_all(blocks.collect::<Vec<_>>()).await;
}

/// libzmq reports nothing about the state of an `inproc` connection, so the client sends pings there.
#[test]
fn calls_on_inproc_fail_when_their_server_has_gone() {
    if !engines::are_same() {
        return;
    }
    on_one_thread(async {
        let server = Running::of(Probe::default(), |server| server.bind("inproc://goes"));
        let probe = server.client().await;
        let mut numbers = probe.hold_stream("a").no_deadline().await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        let held = tokio::spawn(probe.hold("a").no_deadline());
        server.journal.has_times("a began", 2).await;
        server.kill().await;
        tokio::time::pause();
        for status in [numbers.next().await.unwrap().unwrap_err(), held.await.unwrap().unwrap_err()] {
            assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
            let is_told = engines::of_servers() == Engine::Zmtp;
            let cause = if is_told { Cause::ConnectionLost } else { Cause::ServerSilent };
            assert_eq!(status.cause(), Some(cause));
        }
        tokio::time::resume();
        // Another server binds the same endpoint.
        let server = Running::of(Probe::default(), |server| server.bind("inproc://goes"));
        assert_eq!(probe.echo("x").await.unwrap(), "x");
        drop(server);
    });
}

#[test]
fn a_server_on_inproc_that_is_merely_quiet_is_not_taken_for_gone() {
    if !engines::are_same() {
        return;
    }
    on_one_thread(async {
        let server = Running::of(Probe::default(), |server| server.bind("inproc://stays"));
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        tokio::time::pause();
        assert!(probe.hold("b").deadline(Duration::from_secs(15)).await.is_err());
        server.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
    });
}

/// The device stays up, and so does the connection to it.
#[test]
fn a_server_that_says_nothing_behind_a_device_is_taken_for_gone() {
    on_one_thread(async {
        let server = Running::start();
        let relay = Relay::to(server.endpoint());
        let timeout = Duration::from_secs(2);
        let channel = Channel::builder().endpoint(relay.endpoint()).server_timeout(timeout);
        let probe = ProbeClient::new(channel.connect().await.unwrap());
        let held = tokio::spawn(probe.hold("a").no_deadline());
        server.journal.has("a began").await;
        // As long as the server answers pings, calls may take any time.
        let late = probe.hold("b").deadline(2 * timeout).await.unwrap_err();
        assert_eq!(late.cause(), Some(Cause::Deadline));
        relay.turn_deaf();
        let status = held.await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
        assert_eq!(status.cause(), Some(Cause::ServerSilent), "{status}");
    });
}

/// The device stays, and so does the connection to it: the next life of the server answers the pings of clients of the one before.
#[test]
fn calls_of_a_server_that_is_restarted_behind_a_device_end_and_later_ones_go_on() {
    on_one_thread(async {
        let server = Running::start().lossy();
        let (endpoint, relay) = (server.endpoint().to_owned(), Relay::to(server.endpoint()));
        let channel = Channel::builder().endpoint(relay.endpoint()).server_timeout(Duration::from_secs(2));
        let probe = ProbeClient::new(channel.connect().await.unwrap());
        let mut stream = probe.hold_stream("a").await.unwrap();
        assert_eq!(stream.next().await, Some(Ok(0)));
        let held = tokio::spawn(probe.hold("b").no_deadline());
        server.journal.has("b began").await;
        server.kill().await;
        let server = Running::again(&endpoint).await;
        // What the device sends before it has noticed that its connection is gone is lost.
        while probe.echo("through?").deadline(Duration::from_millis(200)).await.is_err() {}
        let later = tokio::spawn(probe.hold("c").no_deadline());
        server.journal.has("c began").await;
        let (item, held) = (stream.next().await.unwrap(), held.await.unwrap());
        for status in [item.unwrap_err(), held.unwrap_err()] {
            assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
            assert_eq!(status.cause(), Some(Cause::ServerRestarted), "{status}");
        }
        server.journal.open("c");
        assert_eq!(later.await.unwrap().unwrap(), "c");
    });
}

/// Starts a server that is played by hand. On the first signal it is replaced by another at the same endpoint; on the
/// second, that one answers.
fn restarting(endpoint: &str) -> (Sender<()>, Receiver<()>) {
    let (go_on, to_go_on) = channel();
    let (connected_in, connected) = channel();
    let endpoint = endpoint.to_owned();
    std::thread::spawn(move || {
        let context = zmq::Context::new();
        let router = bound_and_connected(&context, "inproc://first", &endpoint);
        connected_in.send(()).unwrap();
        to_go_on.recv().unwrap();
        drop(router);
        let router = bound_and_connected(&context, "inproc://second", &endpoint);
        connected_in.send(()).unwrap();
        to_go_on.recv().unwrap();
        while let Ok(message) = router.recv_multipart(0) {
            // Version, array, kind, and the call's id; see `docs/protocol.md`.
            let (route, id) = (&message[0], &message[1][3..8]);
            let echo = [b"\x01\x93\x03", id, b"\xc4\x03\xc4\x01x"].concat();
            router.send_multipart([route, &echo], 0).unwrap();
        }
    });
    (go_on, connected)
}

/// Returns a socket to which a client has connected.
fn bound_and_connected(context: &zmq::Context, monitor: &str, endpoint: &str) -> zmq::Socket {
    let router = context.socket(zmq::ROUTER).unwrap();
    router.set_linger(0).unwrap();
    router.set_rcvtimeo(5_000).unwrap();
    router.monitor(monitor, zmq::SocketEvent::HANDSHAKE_SUCCEEDED as i32).unwrap();
    let events = context.socket(zmq::PAIR).unwrap();
    events.set_rcvtimeo(10_000).unwrap();
    events.connect(monitor).unwrap();
    // libzmq may not have closed the previous socket yet.
    let began = Instant::now();
    while router.bind(endpoint).is_err() {
        assert!(began.elapsed() < TEST_TIMEOUT, "`{endpoint}` is free again");
        std::thread::yield_now();
    }
    events.recv_multipart(0).unwrap();
    router
}

#[test]
fn a_call_over_a_connection_that_is_back_is_not_among_those_that_were_lost() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let (go_on, connected) = restarting(&endpoint);
        // Only libzmq brings a connection back while its client's thread is blocked.
        let channel = Channel::builder().endpoint(&endpoint).engine(Engine::Libzmq).connect_lazy().unwrap();
        let mut watch = channel.watch();
        while watch.changed().await.unwrap()[0].state != ConnectionState::Ready {}
        // This thread blocks until the connection was lost and is up again, so the client sees both at once.
        connected.recv_timeout(TEST_TIMEOUT).unwrap();
        go_on.send(()).unwrap();
        connected.recv_timeout(TEST_TIMEOUT).unwrap();
        let probe = ProbeClient::new(channel.clone());
        let answer = async {
            while channel.counters().reconnects() == 0 {
                watch.changed().await.unwrap();
            }
            go_on.send(()).unwrap();
        };
        let (echoed, ()) = tokio::join!(probe.echo("x"), answer);
        assert_eq!(echoed.unwrap(), "x");
    });
}

/// The shortest and the longest time there is.
#[test]
fn heartbeats_of_any_interval_keep_a_good_connection() {
    for interval in [Duration::ZERO, Duration::MAX] {
        on_one_thread(async {
            let server = Running::with(|server| server.heartbeat(interval));
            let probe = server.client_with(|channel| channel.heartbeat(interval)).await;
            for _ in 0..20 {
                assert_eq!(probe.echo("x").await.unwrap(), "x");
            }
        });
    }
}
