//! The limits that the runtime provides as middleware: calls past a limit are refused at once, and told when to
//! retry.

use std::time::Duration;

use bytes::Bytes;
use zsvc::middleware::{ConcurrencyLimit, RateLimit};
use zsvc::{Cause, Code, Outcome, Status};

use crate::support::{Running, on_one_thread};

fn is_overload(status: &Status) -> bool {
    (status.code(), status.outcome()) == (Code::ResourceExhausted, Outcome::NotSent)
        && status.retry_after().is_some()
}

#[test]
fn calls_past_the_concurrency_limit_are_refused() {
    on_one_thread(async {
        let limit = ConcurrencyLimit::all(2).retry_after(Duration::from_millis(7));
        let server = Running::with(|server| server.middleware(limit));
        let (probe, other) = (server.client().await, server.client().await);
        let first = tokio::spawn(probe.hold("a"));
        let mut stream = probe.hold_stream("b").await.unwrap();
        server.journal.has("a began").await;
        server.journal.has("b began").await;
        let status = other.echo("x").no_retry().await.unwrap_err();
        assert!(is_overload(&status), "{status}");
        assert_eq!(status.retry_after(), Some(Duration::from_millis(7)));
        assert_eq!(status.message(), "the server has 2 calls running, which is its limit");
        server.journal.open("a");
        first.await.unwrap().unwrap();
        assert_eq!(other.echo("x").await.unwrap(), "x");
        // A stream that is dropped makes room as well.
        assert_eq!(stream.next().await, Some(Ok(0)));
        drop(stream);
        server.journal.has("b dropped").await;
        let both = tokio::try_join!(other.hold("a"), probe.hold("a"));
        both.unwrap();
    });
}

#[test]
fn a_limit_per_method_or_client_does_not_affect_others() {
    on_one_thread(async {
        let server = Running::with(|server| {
            server.middleware(ConcurrencyLimit::per_method(2)).middleware(ConcurrencyLimit::per_peer(1))
        });
        let (one, two, three) = (server.client().await, server.client().await, server.client().await);
        let first = tokio::spawn(one.hold("a"));
        server.journal.has("a began").await;
        let status = one.echo("x").no_retry().await.unwrap_err();
        assert!(is_overload(&status) && status.message().starts_with("this client has 1"), "{status}");
        let second = tokio::spawn(two.hold("b"));
        server.journal.has("b began").await;
        let status = three.hold("c").no_retry().await.unwrap_err();
        assert!(is_overload(&status) && status.message().starts_with("the method has 2"), "{status}");
        assert_eq!(three.echo("x").await.unwrap(), "x");
        server.journal.open("a");
        server.journal.open("b");
        first.await.unwrap().unwrap();
        second.await.unwrap().unwrap();
    });
}

#[test]
fn calls_past_the_rate_limit_are_refused() {
    on_one_thread(async {
        let server = Running::with(|server| server.middleware(RateLimit::per_method(1).burst(3)));
        let probe = server.client().await;
        for _ in 0..3 {
            assert_eq!(probe.echo(Bytes::new()).await.unwrap(), "");
        }
        let status = probe.echo(Bytes::new()).no_retry().await.unwrap_err();
        assert!(is_overload(&status), "{status}");
        assert_eq!(status.message(), "the method has reached its limit of 1 calls per second");
        assert!(status.retry_after().unwrap() <= Duration::from_secs(1));
        assert_eq!(status.cause(), Some(Cause::Overloaded));
        probe.look().await.unwrap();
    });
}
