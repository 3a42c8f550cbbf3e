//! Dropping a call cancels it: the server drops its handler.

use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::task::JoinSet;
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::ProbeClient;

use crate::raw;
use crate::support::{ANY_PORT, Running, on_one_thread, on_threads, poll_once};

/// Polls a call until the journal has the line, and then drops it.
async fn drop_after(call: impl Future, server: &Running, line: &str) {
    tokio::select! {
        _ = call => panic!("the call has ended early"),
        () = server.journal.has(line) => {}
    }
}

#[test]
fn a_dropped_call_drops_its_handler() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        drop_after(probe.hold("a"), &server, "a began").await;
        server.journal.has("a dropped").await;
    });
}

#[test]
fn a_dropped_call_drops_its_handler_without_a_socket() {
    on_one_thread(async {
        let server = Running::start();
        let probe = zsvc_calls::Probe { journal: server.journal.clone(), behind: None };
        let probe = ProbeClient::local(probe);
        drop_after(probe.hold("a"), &server, "a began").await;
        server.journal.has("a dropped").await;
    });
}

#[test]
fn a_dropped_stream_drops_its_handler() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut numbers = probe.hold_stream("a").await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        server.journal.has("a began").await;
        drop(numbers);
        server.journal.has("a dropped").await;
    });
}

#[test]
fn a_dropped_client_stream_drops_its_handler() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        drop_after(probe.sum("a", stream::pending()), &server, "a began").await;
        server.journal.has("a dropped").await;
        assert_eq!(server.journal.count("a done"), 0);
    });
}

#[test]
fn the_answers_of_a_bidirectional_call_cancel_it_when_dropped() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let (sink, answers) = probe.mirror("a").await.unwrap();
        server.journal.has("a began").await;
        drop(answers);
        server.journal.has("a dropped").await;
        assert!(sink.send(Bytes::new()).await.is_err(), "the call is over");
    });
}

#[test]
fn a_call_that_was_never_polled_never_happens() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        drop(probe.hold("a"));
        drop(probe.note("b"));
        drop(probe.count(1));
        probe.echo("x").await.unwrap();
        assert_eq!(server.counters.calls(), 1);
    });
}

#[test]
fn many_dropped_calls_leave_room_for_others() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls_per_peer(10));
        let probe = server.client_with(|channel| channel.max_calls(10)).await;
        for round in 1..=5 {
            {
                // Spawned, since a call that is polled only once may have yielded before it was queued.
                let mut calls = JoinSet::new();
                for _ in 0..10 {
                    calls.spawn(probe.hold("a").into_future());
                }
                server.journal.has_times("a began", 10 * round).await;
            }
            assert_eq!(probe.echo("x").await.unwrap(), "x");
        }
        server.journal.has_times("a dropped", 50).await;
    });
}

#[test]
fn work_that_a_handler_has_spawned_is_told_when_the_call_is_cancelled() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        drop_after(probe.hold_watched("a"), &server, "a began").await;
        server.journal.has("a over: the client cancelled it").await;
        assert_eq!(server.journal.count("a done"), 0);
    });
}

#[test]
fn work_that_a_handler_has_spawned_is_told_when_the_call_is_answered() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        server.journal.open("a");
        probe.hold_watched("a").await.unwrap();
        server.journal.has("a over: the handler has completed").await;
        server.journal.has("a done").await;
        probe.hold_unheard_watched("a").await.unwrap();
        server.journal.has_times("a over: the handler has completed", 2).await;
    });
}

#[test]
fn work_that_a_handler_has_spawned_is_told_when_the_deadline_passes() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        // Long enough for the calls to reach their handlers.
        let brief = Duration::from_secs(1);
        assert!(probe.hold_watched("a").deadline(brief).await.is_err());
        server.journal.has("a over: its deadline has passed").await;
        probe.hold_unheard_watched("b").deadline(brief).await.unwrap();
        server.journal.has("b over: its deadline has passed").await;
    });
}

#[test]
fn work_that_a_handler_has_spawned_is_told_when_the_client_is_gone_or_the_server() {
    on_one_thread(async {
        let server = Running::with(|server| {
            server.peer_timeout(Duration::from_millis(300)).grace(Duration::from_millis(50))
        });
        let gone = raw::dealer(server.endpoint());
        gone.send(raw::call_of("hold_watched", "a"), 0).unwrap();
        server.journal.has("a began").await;
        drop(gone);
        server.journal.has("a over: the client is gone").await;
        let (probe, journal) = (server.client().await, server.journal.clone());
        let held = tokio::spawn(probe.hold_watched("b"));
        probe.hold_unheard_watched("c").await.unwrap();
        journal.has("b began").await;
        journal.has("c began").await;
        server.stop().await;
        assert!(held.await.unwrap().is_err());
        journal.has("b over: the server has shut down").await;
        journal.has("c over: the server has shut down").await;
    });
}

/// A handler that does not await can't be dropped; it has to check.
#[test]
fn a_handler_that_computes_may_ask_whether_its_call_is_over() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        drop_after(probe.compute_watched("a"), &server, "a began").await;
        server.journal.has("a over: the client cancelled it").await;
        server.journal.has("a done").await;
    });
}

/// Each hop is a call that a handler makes, and is dropped with that handler.
#[test]
fn a_dropped_call_is_cancelled_at_every_server_in_the_chain() {
    on_one_thread(async {
        let last = Running::start();
        let middle = behind(&last).await;
        let first = behind(&middle).await;
        let probe = first.client().await;
        drop_after(probe.hold_behind("a"), &last, "a began").await;
        for server in [&first, &middle, &last] {
            server.journal.has("a dropped").await;
            assert_eq!(server.journal.count("a done"), 0);
        }
        last.journal.open("b");
        assert_eq!(probe.hold_behind("b").await.unwrap(), "b");
    });
}

/// Starts a server whose handlers call another server.
async fn behind(another: &Running) -> Running {
    let probe = Probe { behind: Some(another.client().await), ..Probe::default() };
    Running::of(probe, |server| server.bind(ANY_PORT))
}

#[test]
fn a_call_that_waits_for_room_and_is_dropped_gives_its_place_to_the_next() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_calls(1)).await;
        let mut first = pin!(probe.hold("a"));
        assert!(poll_once(&mut first).await.is_none());
        let mut second = Box::pin(probe.echo("second"));
        assert!(poll_once(&mut second).await.is_none());
        let mut third = pin!(probe.echo("third"));
        assert!(poll_once(&mut third).await.is_none());
        drop(second);
        server.journal.open("a");
        assert_eq!(first.await.unwrap(), "a");
        assert_eq!(third.await.unwrap(), "third");
        assert_eq!(server.counters.calls(), 2);
    });
}
