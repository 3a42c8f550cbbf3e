//! Servers that limit the number of running calls: other calls wait, and none beyond its deadline.

use std::time::Duration;

use futures_util::stream;
use zsvc::generated::Plain;
use zsvc::{Cause, Code, Method, MethodKind, Outcome, Status};

use crate::support::{Running, on_one_thread, poll_once};

fn one_at_a_time(queued: usize) -> Running {
    Running::with(|server| server.max_running(1, queued).grace(Duration::from_millis(100)))
}

fn of(status: &Status) -> (Code, Outcome, Option<Cause>) {
    (status.code(), status.outcome(), status.cause())
}

/// Waits until the server has read everything that was sent before, and has answered what it refuses. A call of a method that it does not
/// have is refused at once, without a turn: also before what came with it, so the second one's refusal is the last.
async fn server_has_read(channel: &zsvc::Channel) {
    static NONE: Method = Method::new("probe.v1.Probe/none", MethodKind::Unary);
    for _ in 0..2 {
        let refused = channel.unary::<Plain, (), Status>(&NONE, &()).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
    }
}

#[test]
fn calls_run_in_order() {
    on_one_thread(async {
        let server = one_at_a_time(10);
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let mut next = [Box::pin(probe.hold("b")), Box::pin(probe.hold("c"))];
        for call in &mut next {
            assert!(poll_once(call).await.is_none());
        }
        // Also calls with streams, whose items arrive before the call may run.
        let mut sum = Box::pin(probe.sum("d", stream::iter(0..100)));
        assert!(poll_once(&mut sum).await.is_none());
        probe.note("e").await.unwrap();
        assert!(probe.echo("x").deadline(Duration::from_millis(50)).await.is_err());
        assert_eq!(server.counters.calls(), 1);
        for gate in ["a", "b", "c"] {
            server.journal.open(gate);
        }
        assert_eq!(held.await.unwrap().unwrap(), "a");
        let [b, c] = next;
        let (b, c, sum) = tokio::join!(b, c, sum);
        assert_eq!((b.unwrap().as_str(), c.unwrap().as_str(), sum), ("b", "c", Ok(4_950)));
        server.journal.has("e").await;
        let lines = server.journal.lines();
        let begun: Vec<_> = lines.iter().filter(|line| line.ends_with("began") || *line == "e").collect();
        assert_eq!(begun, ["a began", "b began", "c began", "d began", "e"]);
    });
}

#[test]
fn a_call_whose_time_is_up_before_its_turn_does_not_run() {
    on_one_thread(async {
        let server = one_at_a_time(10);
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        assert!(probe.hold("late").deadline(Duration::from_millis(50)).await.is_err());
        assert!(poll_once(&mut Box::pin(probe.hold("dropped"))).await.is_none());
        // Arrives after the dropped call and its cancellation.
        assert!(probe.echo("x").deadline(Duration::from_millis(50)).await.is_err());
        // The server's clock begins later than the client's, so it is the cancellation of the late calls that counts here.
        server_has_read(probe.channel()).await;
        server.journal.open("a");
        held.await.unwrap().unwrap();
        assert_eq!(probe.echo("next").await.unwrap(), "next");
        assert_eq!((server.journal.count("late began"), server.journal.count("dropped began")), (0, 0));
        assert_eq!(server.counters.calls(), 2);
    });
}

#[test]
fn calls_past_those_that_may_wait_are_turned_away() {
    on_one_thread(async {
        let server = one_at_a_time(1);
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let mut waiting = Box::pin(probe.hold("b"));
        assert!(poll_once(&mut waiting).await.is_none());
        let status = probe.echo("x").no_retry().await.unwrap_err();
        assert_eq!(of(&status), (Code::ResourceExhausted, Outcome::NotSent, Some(Cause::Overloaded)));
        assert!(status.retry_after().is_some());
        // A waiting call that is dropped makes room.
        drop(waiting);
        let waiting = tokio::spawn(probe.echo("y"));
        tokio::task::yield_now().await;
        server.journal.open("a");
        held.await.unwrap().unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), "y");
    });
}

/// A client that fills the queue neither keeps others out of it, nor do they wait until all of its calls have run.
#[test]
fn a_client_with_many_calls_leaves_places_and_turns_to_those_with_few() {
    on_one_thread(async {
        let server = one_at_a_time(100);
        let (greedy, honest) = (server.client().await, server.client().await);
        let held = tokio::spawn(greedy.hold("a"));
        server.journal.has("a began").await;
        let mut many: Vec<_> =
            (0..100).map(|call| Box::pin(greedy.hold(format!("b{call}")).no_retry())).collect();
        for call in &mut many {
            assert!(poll_once(call).await.is_none());
        }
        server_has_read(greedy.channel()).await;
        let mut refused = Vec::new();
        for call in &mut many {
            refused.extend(poll_once(call).await);
        }
        assert_eq!(refused.len(), 25, "the last quarter of the queue is kept");
        for status in refused {
            let status = status.unwrap_err();
            assert_eq!(of(&status), (Code::ResourceExhausted, Outcome::NotSent, Some(Cause::Overloaded)));
            assert!(
                status.retry_after().is_some() && status.to_string().contains("past its share"),
                "{status}"
            );
        }
        let few = tokio::spawn(honest.hold("c"));
        server_has_read(honest.channel()).await;
        server.journal.open("c");
        server.journal.open("a");
        held.await.unwrap().unwrap();
        // The first call of the greedy client was there before, and is let go on only now.
        server.journal.open("b0");
        assert_eq!(few.await.unwrap().unwrap(), "c");
        let began = server
            .journal
            .lines()
            .iter()
            .filter(|line| line.starts_with('b') && line.ends_with("began"))
            .count();
        assert!(began <= 2, "{began} of the greedy client's calls ran before the other's only one");
    });
}

#[test]
fn calls_that_wait_when_the_grace_time_ends_were_not_sent() {
    on_one_thread(async {
        let server = one_at_a_time(10);
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let waiting = tokio::spawn(probe.hold("b").no_retry());
        assert!(probe.echo("x").deadline(Duration::from_millis(50)).await.is_err());
        server.stop().await;
        let status = held.await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::MaybeExecuted, Some(Cause::GoingAway)));
        let status = waiting.await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::NotSent, Some(Cause::GoingAway)));
    });
}
