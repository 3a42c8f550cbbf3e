//! One-way calls: handled at most once, and never dropped without an error.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::sync::oneshot;
use zsvc::{Channel, ChannelDropped, Code, Counters, Dropped, Outcome, Status};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, free_endpoint, on_one_thread, poll_once};

#[test]
fn closing_proves_that_every_call_has_arrived() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        for _ in 0..1_000 {
            probe.note("noted").await.unwrap();
        }
        probe.channel().clone().close(Duration::from_secs(10)).await.unwrap();
        assert_eq!(server.journal.count("noted"), 1_000);
    });
}

/// A caller that computes between its calls and never waits still gets them sent.
#[test]
fn they_are_sent_although_their_caller_keeps_the_thread() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        for calls in 1.. {
            probe.note("noted").await.unwrap();
            let work = Instant::now();
            while work.elapsed() < Duration::from_millis(2) {}
            if server.journal.count("noted") > 0 {
                break;
            }
            // tokio makes a task yield after 128 operations without waiting.
            assert!(calls < 100, "nothing has arrived");
        }
    });
}

#[test]
fn closing_proves_it_while_the_server_drains() {
    on_one_thread(async {
        let mut server = Running::start();
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        probe.note("noted").await.unwrap();
        server.begin_to_stop();
        while probe.echo("x").fail_fast().await.is_ok() {}
        let held_until_then = server.journal.clone();
        probe.channel().clone().close(Duration::from_secs(10)).await.unwrap();
        assert_eq!(held_until_then.count("noted"), 1);
        assert!(held.await.unwrap().is_err(), "closing ends calls in flight");
        server.is_out().await.unwrap();
    });
}

#[test]
fn closing_says_when_it_can_not_prove_it() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        probe.note("noted").await.unwrap();
        server.kill().await;
        let status = probe.channel().clone().close(Duration::from_millis(100)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unavailable);
    });
}

/// The connection was lost and is up again: calls that had been sent may never have arrived, and no answer reports
/// it.
#[test]
fn closing_does_not_claim_what_a_lost_connection_may_have_swallowed() {
    on_one_thread(async {
        let server = Running::start();
        let endpoint = server.endpoint().to_owned();
        let probe = server.client().await;
        probe.note("perhaps").await.unwrap();
        server.kill().await;
        let server = Running::again(&endpoint).await;
        while probe.echo("back").await.is_err() {}
        let status = probe.channel().clone().close(Duration::from_secs(10)).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
        drop(server);
    });
}

#[test]
fn who_wants_to_know_is_told_that_a_call_has_arrived() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls_per_peer(1)).lossy();
        let probe = server.client().await;
        for calls in 1..=100 {
            probe.note("noted").delivered().await.unwrap();
            assert_eq!(server.counters.calls(), calls, "it was read before this was told");
        }
        // A call that is turned away has arrived, and the server counts it.
        let held = tokio::spawn(probe.hold("a").no_retry());
        server.journal.has("a began").await;
        probe.note("refused").delivered().await.unwrap();
        assert_eq!(server.counters.dropped(Dropped::OneWay), 1);
        server.journal.open("a");
        held.await.unwrap().unwrap();
        assert_eq!(server.journal.count("refused"), 0);
    });
}

#[test]
fn who_wants_to_know_is_told_that_nothing_proves_it() {
    on_one_thread(async {
        let server = Running::start();
        let endpoint = server.endpoint().to_owned();
        let probe = server.client().await;
        // Never sent.
        server.kill().await;
        let left = Duration::from_millis(50);
        let told = |status: Status, code, outcome| {
            assert_eq!((status.code(), status.outcome()), (code, outcome), "{status}");
            status.message().to_owned()
        };
        while probe.echo("x").no_retry().fail_fast().await.is_ok() {}
        let status = probe.note("x").delivered().deadline(left).await.unwrap_err();
        told(status, Code::Unavailable, Outcome::NotSent);
        // Sent, and the connection is lost first.
        let server = Running::again(&endpoint).await;
        while probe.echo("back").await.is_err() {}
        let mut note = Box::pin(probe.note("x").delivered());
        assert!(note.as_mut().now_or_never().is_none(), "it is queued");
        server.kill().await;
        let what = told(note.await.unwrap_err(), Code::Unavailable, Outcome::MaybeExecuted);
        assert!(
            what.contains("nothing proves that the one-way call `probe.v1.Probe/note` has arrived"),
            "{what}"
        );
        // After the channel was closed.
        probe.channel().clone().close(left).await.ok();
        told(probe.note("x").delivered().await.unwrap_err(), Code::Unavailable, Outcome::NotSent);
    });
}

/// The server's thread is blocked, so it reads nothing before the deadline.
#[test]
fn who_wants_to_know_waits_within_the_deadline_of_the_call() {
    with_blocked_server(async |probe, counters, go_on| {
        let late = probe.note("late").delivered().deadline(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!((late.code(), late.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted), "{late}");
        // Dropped while it waits: the call is on its way all the same.
        assert!(poll_once(&mut Box::pin(probe.note("left").delivered())).await.is_none());
        go_on.send(()).unwrap();
        probe.note("end").delivered().await.unwrap();
        assert!(counters.calls() >= 3, "{}", counters.calls());
    });
}

/// What nothing proves to have arrived is counted when the connection is lost; what is proved is not.
#[test]
fn calls_that_may_be_lost_are_counted() {
    on_one_thread(async {
        let server = Running::start();
        let endpoint = server.endpoint().to_owned();
        let probe = server.client().await;
        let counters = probe.channel().counters();
        for _ in 0..10 {
            probe.note("noted").await.unwrap();
        }
        // An answer to a later call is a proof, too.
        probe.echo("x").await.unwrap();
        for _ in 0..3 {
            probe.note("perhaps").await.unwrap();
        }
        server.kill().await;
        let server = Running::again(&endpoint).await;
        while probe.echo("back").await.is_err() {}
        let lost = ChannelDropped::ALL.map(|reason| counters.dropped(reason)).iter().sum::<u64>();
        assert_eq!(lost, 3, "{counters:?}");
        probe.note("noted").delivered().await.unwrap();
        server.kill().await;
        let _server = Running::again(&endpoint).await;
        while probe.echo("back").await.is_err() {}
        assert_eq!(ChannelDropped::ALL.map(|reason| counters.dropped(reason)).iter().sum::<u64>(), 3);
    });
}

#[test]
fn closing_cancels_what_is_in_flight() {
    on_one_thread(async {
        let server = Running::with(|server| server.peer_timeout(Duration::from_hours(1)));
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        let mut numbers = probe.hold_stream("a").await.unwrap();
        server.journal.has_times("a began", 2).await;
        probe.channel().clone().close(Duration::from_secs(10)).await.unwrap();
        server.journal.has_times("a dropped", 2).await;
        assert_eq!(numbers.next().await, Some(Ok(0)));
        for status in [held.await.unwrap().unwrap_err(), numbers.next().await.unwrap().unwrap_err()] {
            assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
        }
    });
}

/// One time limit for all endpoints together; those that are connected are asked at once.
#[test]
fn closing_takes_no_longer_than_it_may() {
    on_one_thread(async {
        let servers = [Running::start(), Running::start(), Running::start()];
        let builder = servers.iter().fold(Channel::builder(), |all, server| all.endpoint(server.endpoint()));
        let probe = ProbeClient::new(builder.connect().await.unwrap());
        while servers.iter().any(|server| server.counters.calls() == 0) {
            join_all((0..3).map(|_| probe.echo("x"))).await;
        }
        let [first, second, staying] = servers;
        first.kill().await;
        second.kill().await;
        let within = Duration::from_secs(2);
        let began = Instant::now();
        assert!(probe.channel().clone().close(within).await.is_err());
        assert!(began.elapsed() < 2 * within);
        drop(staying);
    });
}

/// Timeouts beyond the range of the clock.
#[test]
fn timeouts_may_be_arbitrarily_long() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.connect_timeout(Duration::MAX)).await;
        assert_eq!(probe.echo("x").deadline(Duration::MAX).await.unwrap(), "x");
        probe.channel().clone().close(Duration::MAX).await.unwrap();
    });
}

#[test]
fn nothing_goes_through_a_closed_channel() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        probe.channel().clone().close(Duration::from_secs(10)).await.unwrap();
        let statuses = [probe.note("x").await.unwrap_err(), probe.echo("x").await.unwrap_err()];
        for status in statuses {
            assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
        }
    });
}

#[test]
fn it_waits_for_the_connection() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let channel = Channel::builder().endpoint(&endpoint).connect_lazy().unwrap();
        let note = tokio::spawn(ProbeClient::new(channel).note("late"));
        tokio::task::yield_now().await;
        assert!(!note.is_finished());
        let server = Running::of(Probe::default(), |server| server.bind(endpoint));
        note.await.unwrap().unwrap();
        server.journal.has("late").await;
    });
}

#[test]
fn it_fails_when_there_is_no_connection_in_time() {
    on_one_thread(async {
        let channel = Channel::builder().endpoint(free_endpoint()).connect_lazy().unwrap();
        let note = ProbeClient::new(channel).note("never").deadline(Duration::from_millis(50));
        let status = note.await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
    });
}

/// Only this bounds what a server that takes nothing must hold; here, a server whose thread is blocked.
#[test]
fn they_wait_while_the_server_has_not_read_those_before() {
    with_blocked_server(async |probe, counters, go_on| {
        let mut sent = 0;
        let status = loop {
            match probe.note("x".repeat(64 * 1024)).deadline(Duration::from_secs(1)).await {
                Ok(()) => sent += 1,
                Err(status) => break status,
            }
        };
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::NotSent));
        assert_eq!(sent, 64, "4 MiB");
        go_on.send(()).unwrap();
        for _ in 0..200 {
            probe.note("x".repeat(64 * 1024)).await.unwrap();
        }
        probe.note("end").await.unwrap();
        probe.channel().clone().close(Duration::from_secs(10)).await.unwrap();
        assert_eq!(counters.calls(), sent + 202);
    });
}

/// Runs a test with a client of a server whose thread is blocked until the test lets it go on. The test ends by the note `end`.
fn with_blocked_server(test: impl AsyncFnOnce(ProbeClient, Arc<Counters>, Sender<()>)) {
    let ((begins, begun), (blocks, blocked), (go_on, waits)) =
        (oneshot::channel(), oneshot::channel(), channel::<()>());
    let server = std::thread::spawn(move || serve_and_block(begins, blocks, &waits));
    on_one_thread(async {
        let (endpoint, counters) = begun.await.unwrap();
        let probe = ProbeClient::connect(endpoint).await.unwrap();
        probe.note("block").await.unwrap();
        blocked.await.unwrap();
        test(probe, counters, go_on).await;
    });
    server.join().unwrap();
}

/// Serves until a client has sent the note `end`. Blocks the thread once it has sent `block`, until it may go on.
fn serve_and_block(
    begins: oneshot::Sender<(String, Arc<Counters>)>,
    blocks: oneshot::Sender<()>,
    waits: &Receiver<()>,
) {
    on_one_thread(async {
        let server = Running::start();
        assert!(begins.send((server.endpoint().to_owned(), Arc::clone(&server.counters))).is_ok());
        server.journal.has("block").await;
        assert!(blocks.send(()).is_ok());
        waits.recv().unwrap();
        server.journal.has("end").await;
        server.stop().await;
    });
}

#[test]
fn a_handler_past_its_deadline_is_dropped() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        probe.hold_unheard("a").deadline(Duration::from_secs(1)).await.unwrap();
        server.journal.has("a dropped").await;
    });
}

/// More than the system takes at once is on its way when the channel is dropped.
#[test]
fn what_was_sent_leaves_although_the_channel_is_dropped() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let long = "x".repeat(12 << 20);
        probe.note(&*long).await.unwrap();
        drop(probe);
        server.journal.has(&long).await;
    });
}
