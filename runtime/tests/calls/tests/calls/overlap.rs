//! `@overlap`: what happens to a call that is made while another call of the same method runs.

use std::time::Duration;

use zsvc::{Cause, Code, Outcome, Status};

use crate::support::{Running, on_one_thread};

fn of(status: &Status) -> (Code, Outcome, Option<Cause>) {
    (status.code(), status.outcome(), status.cause())
}

#[test]
fn the_later_call_waits_for_the_earlier() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut calls = Vec::new();
        for name in ["a", "b", "c"] {
            calls.push(tokio::spawn(probe.hold_in_turn(name)));
            tokio::task::yield_now().await;
        }
        server.journal.has("a began").await;
        // Other methods, and calls of other clients, are not affected.
        probe.echo("x").await.unwrap();
        assert_eq!(server.client().await.echo("x").await.unwrap(), "x");
        assert_eq!(server.journal.lines(), ["a began"]);
        for name in ["a", "b", "c"] {
            server.journal.open(name);
        }
        for (call, name) in calls.into_iter().zip(["a", "b", "c"]) {
            assert_eq!(call.await.unwrap().unwrap(), name);
        }
        let lines = server.journal.lines();
        assert_eq!(lines, ["a began", "a done", "b began", "b done", "c began", "c done"]);
    });
}

#[test]
fn waiting_counts_against_the_deadline_and_ends_when_the_call_is_dropped() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let first = tokio::spawn(probe.hold_in_turn("a"));
        server.journal.has("a began").await;
        let status = probe.hold_in_turn("b").deadline(Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(of(&status), (Code::DeadlineExceeded, Outcome::NotSent, Some(Cause::Deadline)));
        let given_up = tokio::spawn(probe.hold_in_turn("c"));
        tokio::task::yield_now().await;
        given_up.abort();
        // The first call gives its permit back also when it is dropped.
        first.abort();
        server.journal.has("a dropped").await;
        server.journal.open("d");
        assert_eq!(probe.hold_in_turn("d").await.unwrap(), "d");
        assert_eq!((server.journal.count("b began"), server.journal.count("c began")), (0, 0));
    });
}

#[test]
fn the_later_call_replaces_the_earlier() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let earlier = tokio::spawn(probe.hold_latest("a"));
        server.journal.has("a began").await;
        let later = tokio::spawn(probe.hold_latest("b"));
        let status = earlier.await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Cancelled, Outcome::MaybeExecuted, Some(Cause::Overlap)));
        assert_eq!(status.message(), "replaced by a newer call of `probe.v1.Probe/hold_latest`");
        server.journal.has("a dropped").await;
        server.journal.has("b began").await;
        server.journal.open("b");
        assert_eq!(later.await.unwrap().unwrap(), "b");
    });
}

#[test]
fn a_call_that_is_replaced_before_it_was_sent_is_never_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client_with(|channel| channel.max_calls(1)).await;
        let full = tokio::spawn(probe.hold("full"));
        server.journal.has("full began").await;
        let earlier = tokio::spawn(probe.hold_latest("a"));
        tokio::task::yield_now().await;
        let later = tokio::spawn(probe.hold_latest("b"));
        let status = earlier.await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Cancelled, Outcome::NotSent, Some(Cause::Overlap)));
        server.journal.open("full");
        server.journal.open("b");
        assert_eq!(later.await.unwrap().unwrap(), "b");
        full.await.unwrap().unwrap();
        assert_eq!(server.journal.count("a began"), 0);
    });
}

#[test]
fn the_later_call_is_not_made() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let earlier = tokio::spawn(probe.hold_once("a"));
        server.journal.has("a began").await;
        let status = probe.hold_once("b").await.unwrap_err();
        assert_eq!(of(&status), (Code::Aborted, Outcome::NotSent, Some(Cause::Overlap)));
        assert_eq!(status.message(), "an earlier call of `probe.v1.Probe/hold_once` still runs");
        server.journal.open("a");
        assert_eq!(earlier.await.unwrap().unwrap(), "a");
        assert_eq!(probe.hold_once("a").await.unwrap(), "a");
    });
}

#[test]
fn a_stream_runs_until_its_end() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut first = probe.stream_in_turn("a").await.unwrap();
        assert_eq!(first.next().await, Some(Ok(0)));
        let second = tokio::spawn(probe.stream_in_turn("b"));
        probe.echo("x").await.unwrap();
        assert!(!second.is_finished());
        server.journal.open("a");
        assert_eq!((first.next().await, first.next().await), (Some(Ok(1)), None));
        // The second call was not dropped, but has ended.
        let mut second = second.await.unwrap().unwrap();
        assert_eq!(second.next().await, Some(Ok(0)));
        assert_eq!(first.next().await, None);
        drop(second);
        let mut third = probe.stream_in_turn("a").await.unwrap();
        assert_eq!((third.next().await, third.next().await), (Some(Ok(0)), Some(Ok(1))));
    });
}

#[test]
fn a_stream_is_replaced_and_says_so_at_its_end() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut earlier = probe.stream_latest("a").await.unwrap();
        assert_eq!(earlier.next().await, Some(Ok(0)));
        let mut later = probe.stream_latest("b").await.unwrap();
        let status = earlier.next().await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Cancelled, Outcome::MaybeExecuted, Some(Cause::Overlap)));
        server.journal.has("a dropped").await;
        server.journal.open("b");
        assert_eq!((later.next().await, later.next().await), (Some(Ok(0)), Some(Ok(1))));
        assert_eq!(later.next().await, None);
    });
}
