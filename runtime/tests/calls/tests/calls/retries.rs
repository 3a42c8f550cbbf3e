//! Retries: which calls are retried, how often, and for how long.

use std::time::Duration;

use futures_util::future::join_all;
use zsvc::middleware::RateLimit;
use zsvc::{Cause, Channel, Code, Outcome, Retry, Status};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, free_endpoint, on_one_thread};

/// The number of the code `unavailable`.
const UNAVAILABLE: u8 = 14;
const MOMENT: Duration = Duration::from_millis(1);

/// Returns a retry policy with pauses that are too short to matter.
fn eager() -> Retry {
    Retry::default().pauses(MOMENT, MOMENT)
}

async fn client_with(server: &Running, retry: Retry) -> ProbeClient {
    server.client_with(|channel| channel.retry(retry)).await
}

/// Returns the number of retries, and the number of retries that were denied.
fn retries(probe: &ProbeClient) -> (u64, u64) {
    let counters = probe.channel().counters();
    (counters.retries(), counters.retries_denied())
}

fn of(status: &Status) -> (Code, Outcome, Option<Cause>) {
    (status.code(), status.outcome(), status.cause())
}

#[test]
fn transient_failures_are_retried_if_the_call_may_run_twice() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client_with(&server, eager()).await;
        assert_eq!(probe.fail_at_first("a", 3, UNAVAILABLE).await.unwrap(), 4);
        assert_eq!(retries(&probe), (3, 0));
        assert_eq!(probe.channel().counters().calls(), 1);
    });
}

/// The bytes of the call were handed to libzmq, and the client still has them.
#[test]
fn a_large_call_is_retried_as_well() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client_with(&server, eager()).await;
        let large = "x".repeat(300_000);
        assert_eq!(probe.fail_at_first(large.clone(), 3, UNAVAILABLE).await.unwrap(), 4);
        assert_eq!((retries(&probe), server.journal.count(&large)), ((3, 0), 4));
    });
}

#[test]
fn permanent_failures_and_calls_that_may_not_run_twice_are_not_retried() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client_with(&server, eager()).await;
        let status = probe.fail_at_first("a", 3, 5).await.unwrap_err();
        assert_eq!(of(&status), (Code::NotFound, Outcome::Executed, None));
        let status = probe.fail(UNAVAILABLE, "for now").await.unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::Executed, None));
        assert_eq!(retries(&probe), (0, 0));
    });
}

#[test]
fn retries_can_be_disabled_per_call_and_per_channel() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client_with(&server, eager()).await;
        probe.fail_at_first("a", 1, UNAVAILABLE).no_retry().await.unwrap_err();
        assert_eq!(retries(&probe), (0, 0));
        let probe = client_with(&server, Retry::none()).await;
        probe.fail_at_first("b", 1, UNAVAILABLE).await.unwrap_err();
        assert_eq!((server.journal.count("a"), server.journal.count("b")), (1, 1));
        let probe = client_with(&server, eager().attempts(3)).await;
        probe.fail_at_first("c", 9, UNAVAILABLE).no_deadline().await.unwrap_err();
        assert_eq!(server.journal.count("c"), 3);
    });
}

#[test]
fn calls_refused_by_a_busy_server_are_retried_although_they_may_not_run_twice() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_calls_per_peer(1));
        let probe = client_with(&server, eager().attempts(u32::MAX)).await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let echoed = tokio::spawn(probe.echo("x"));
        while server.counters.refused_calls() < 2 {
            tokio::task::yield_now().await;
        }
        server.journal.open("a");
        held.await.unwrap().unwrap();
        assert_eq!(echoed.await.unwrap().unwrap(), "x");
        assert!(retries(&probe).0 >= 2);
    });
}

#[test]
fn a_retry_waits_for_the_time_that_the_server_names() {
    on_one_thread(async {
        let server = Running::with(|server| server.middleware(RateLimit::per_method(1).burst(1)));
        let probe = client_with(&server, eager()).await;
        for _ in 0..3 {
            probe.echo("x").await.unwrap();
        }
        assert_eq!(retries(&probe), (2, 0), "each retry waited for the limit");
        // The pause is longer than the time left of the call, which is plenty for an answer.
        let calls = [probe.echo("x"), probe.echo("x")].map(|call| call.deadline(500 * MOMENT));
        let [.., last] = &join_all(calls).await[..] else { panic!("two calls have two ends") };
        let status = last.as_ref().unwrap_err();
        assert_eq!(of(status), (Code::ResourceExhausted, Outcome::NotSent, Some(Cause::Overloaded)));
        assert_eq!(retries(&probe), (2, 0));
    });
}

#[test]
fn retries_keep_to_the_deadline() {
    on_one_thread(async {
        let server = Running::start();
        let retry = Retry::default().attempts(u32::MAX).pauses(10 * MOMENT, 10 * MOMENT).budget(0, 1_000);
        let probe = client_with(&server, retry).await;
        let call = probe.fail_at_first("a", u32::MAX, UNAVAILABLE).deadline(200 * MOMENT);
        let status = tokio::time::timeout(Duration::from_secs(5), call).await.unwrap().unwrap_err();
        // Either no time was left for another attempt, or the last attempt had too little.
        let ends = [(Code::Unavailable, Outcome::Executed), (Code::DeadlineExceeded, Outcome::MaybeExecuted)];
        assert!(ends.contains(&(status.code(), status.outcome())), "{status}");
        assert!(retries(&probe).0 > 0);
    });
}

#[test]
fn the_budget_bounds_what_an_outage_is_multiplied_by() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client_with(&server, eager().attempts(2).budget(0, 1)).await;
        let calls = (0..50).map(|number| probe.fail_at_first(format!("{number}"), 9, UNAVAILABLE));
        assert!(join_all(calls).await.iter().all(Result::is_err));
        // As many as ten seconds allow; one more if the calls took a second.
        let (made, denied) = retries(&probe);
        assert!((10..=12).contains(&made) && made + denied == 50, "{made} made, {denied} denied");
        let names = (0..50).map(|number| server.journal.count(&format!("{number}")));
        assert_eq!(names.sum::<usize>() as u64, 50 + made);
    });
}

#[test]
fn a_call_whose_connection_is_lost_is_retried_if_it_may_run_twice() {
    on_one_thread(async {
        let server = Running::start();
        let (endpoint, probe) = (server.endpoint().to_owned(), server.client().await);
        let again = tokio::spawn(probe.hold_again("a"));
        let once = tokio::spawn(probe.hold("a"));
        server.journal.has_times("a began", 2).await;
        server.kill().await;
        let server = Running::again(&endpoint).await;
        let status = once.await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::MaybeExecuted, Some(Cause::ConnectionLost)));
        server.journal.has("a began").await;
        server.journal.open("a");
        assert_eq!(again.await.unwrap().unwrap(), "a");
        assert_eq!(server.counters.calls(), 1);
        assert_eq!(probe.channel().counters().reconnects(), 1);
    });
}

#[test]
fn a_retried_call_does_not_report_that_it_was_not_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = client_with(&server, eager()).await;
        let again = tokio::spawn(probe.hold_again("a").deadline(Duration::from_secs(3)));
        server.journal.has("a began").await;
        server.kill().await;
        let status = again.await.unwrap().unwrap_err();
        assert_eq!(of(&status), (Code::Unavailable, Outcome::MaybeExecuted, Some(Cause::ConnectionLost)));
    });
}

/// The server reads nothing, so calls stay in the client.
#[test]
fn a_call_whose_time_is_up_before_it_has_left_is_never_sent() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let router = zmq::Context::new().socket(zmq::ROUTER).unwrap();
        router.set_rcvhwm(1).unwrap();
        router.bind(&endpoint).unwrap();
        let probe = ProbeClient::new(Channel::builder().endpoint(&endpoint).connect_lazy().unwrap());
        let mut others = Vec::new();
        let never = loop {
            let body = format!("after {} others;", others.len());
            // Until a call gets as far as the outbox, and is not merely in the queue for it.
            let status = probe.echo(body.clone()).deadline(50 * MOMENT).await.unwrap_err();
            if status.outcome() == Outcome::NotSent && status.message().contains("was not answered") {
                assert_eq!(of(&status), (Code::DeadlineExceeded, Outcome::NotSent, Some(Cause::Deadline)));
                break body;
            }
            // Spawned, since a call that is polled only once may have yielded to those before it, and not be queued
            // yet.
            others.extend((0..10).map(|_| tokio::spawn(probe.echo(vec![7; 20_000]).no_deadline())));
        };
        let expected = others.len();
        let read = tokio::task::spawn_blocking(move || {
            let mut calls = 0;
            // All other calls were sent, including those queued behind it; and then nothing more.
            for (wait, most) in [(10_000, expected), (300, usize::MAX)] {
                router.set_rcvtimeo(wait).unwrap();
                while calls < most
                    && let Ok(message) = router.recv_multipart(0)
                {
                    let batch = message.last().unwrap();
                    calls += usize::from(batch.len() > 20_000);
                    assert!(
                        !batch.windows(never.len()).any(|bytes| bytes == never.as_bytes()),
                        "it was sent"
                    );
                }
            }
            calls
        });
        assert_eq!(read.await.unwrap(), expected);
    });
}

#[test]
fn a_call_that_does_not_wait_fails_at_once_where_nothing_is_connected() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let lazy = |fast: bool| {
            let builder = Channel::builder().endpoint(&endpoint);
            let builder = if fast { builder.fail_fast() } else { builder };
            ProbeClient::new(builder.connect_lazy().unwrap())
        };
        let never = (Code::Unavailable, Outcome::NotSent, Some(Cause::NeverConnected));
        assert_eq!(of(&lazy(true).echo("x").no_deadline().await.unwrap_err()), never);
        let probe = lazy(false);
        assert_eq!(of(&probe.echo("x").no_deadline().fail_fast().await.unwrap_err()), never);
        assert_eq!(of(&probe.note("x").no_deadline().fail_fast().await.unwrap_err()), never);
        assert_eq!(of(&probe.count(1).fail_fast().await.unwrap_err()), never);
        assert_eq!(of(&probe.echo("x").deadline(20 * MOMENT).await.unwrap_err()), never);
        let waiting = lazy(true);
        let waits = tokio::spawn(waiting.echo("x").wait_for_ready());
        tokio::task::yield_now().await;
        let server = Running::again(&endpoint).await;
        assert_eq!(waits.await.unwrap().unwrap(), "x");
        server.kill().await;
        let lost = loop {
            match waiting.echo("x").no_retry().await {
                Err(status) if status.outcome() == Outcome::NotSent => break status,
                _ => {}
            }
        };
        assert_eq!(of(&lost), (Code::Unavailable, Outcome::NotSent, Some(Cause::ConnectionLost)));
    });
}
