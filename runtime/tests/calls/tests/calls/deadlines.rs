//! Deadlines: enforced at both ends, sent as the remaining time, inherited by calls of handlers, and disabled on
//! request.

use std::time::Duration;

use tokio::time::timeout;
use zsvc::{Channel, Code, Outcome};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, Route};

use crate::relay::Relay;
use crate::support::{ANY_PORT, Running, free_endpoint, on_one_thread, on_threads};

/// Far longer than a call takes to reach its handler on a busy machine, and short enough to wait for.
const SOON: Duration = Duration::from_secs(1);
/// Time in which nothing but a deadline has a connection look at its clock, if it has no heartbeats.
const BEFORE_ANY_LOOK: Duration = Duration::from_secs(12);

#[test]
fn a_call_whose_time_is_up_fails_and_its_handler_is_dropped() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let status = probe.hold("a").deadline(SOON).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        server.journal.has("a dropped").await;
    });
}

/// One after the other, calls are sent by their callers, whose connection does not look at its clock for that.
#[test]
fn a_call_that_follows_calls_with_later_deadlines_ends_in_time() {
    on_one_thread(async {
        let server = Running::start();
        let relay = Relay::to(server.endpoint());
        // A heartbeat would have its driver look in any case.
        let channel = Channel::builder().endpoint(relay.endpoint()).heartbeat(Duration::from_hours(1));
        let probe = ProbeClient::new(channel.connect().await.unwrap());
        for number in 0..16 {
            assert_eq!(probe.echo(vec![number]).await.unwrap(), vec![number]);
        }
        // Otherwise the server, which keeps the deadline by itself, would answer.
        relay.turn_deaf();
        let held = timeout(BEFORE_ANY_LOOK, probe.hold("a").deadline(SOON));
        let status = held.await.expect("its time was up long ago").unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
    });
}

#[test]
fn the_server_keeps_the_deadline_by_itself() {
    on_one_thread(async {
        let server = Running::start();
        let relay = Relay::to(server.endpoint());
        let probe = ProbeClient::connect(relay.endpoint()).await.unwrap();
        let deaf = async {
            server.journal.has("a began").await;
            // The client's cancellation does not reach the server.
            relay.turn_deaf();
        };
        let (result, ()) = tokio::join!(probe.hold("a").deadline(SOON), deaf);
        assert_eq!(result.unwrap_err().code(), Code::DeadlineExceeded);
        server.journal.has("a dropped").await;
    });
}

#[test]
fn a_stream_past_its_deadline_ends_in_the_same_way() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut numbers = probe.hold_stream("a").deadline(SOON).await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        let status = numbers.next().await.unwrap().unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        assert_eq!(numbers.next().await, None);
        server.journal.has("a dropped").await;
    });
}

#[test]
fn a_method_has_its_own_deadline_unless_a_call_sets_another() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let status = probe.hold_briefly("a").await.unwrap_err();
        assert_eq!(status.code(), Code::DeadlineExceeded);
        assert_eq!(status.message(), "`probe.v1.Probe/hold_briefly` was not answered within 100ms");
        let patient = probe.hold_briefly("b").deadline(Duration::from_secs(15));
        let unbounded = probe.hold_briefly("b").no_deadline();
        let open = async {
            server.journal.has_times("b began", 2).await;
            // The call outlives the method's own deadline.
            let _ = probe.hold_briefly("c").await;
            server.journal.open("b");
        };
        let (patient, unbounded, ()) = tokio::join!(patient, unbounded, open);
        assert_eq!((patient.unwrap().as_str(), unbounded.unwrap().as_str()), ("b", "b"));
    });
}

#[test]
fn a_call_without_time_is_not_sent() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let status = probe.echo("x").deadline(Duration::ZERO).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::NotSent));
        assert_eq!(status.message(), "the deadline had passed before the call was made");
        assert_eq!(server.counters.calls(), 0);
    });
}

#[test]
fn a_call_whose_deadline_passes_before_there_is_a_connection_is_not_sent() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let channel = Channel::builder().endpoint(endpoint.clone()).connect_lazy().unwrap();
        let probe = ProbeClient::new(channel);
        let status = probe.echo("x").deadline(Duration::from_millis(30)).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
        assert!(status.message().contains(&endpoint), "{status}");
    });
}

/// Starts two servers, where handlers of the first call the second.
async fn two_servers() -> (Running, Running, ProbeClient) {
    let back = Running::start();
    let probe = Probe { behind: Some(back.client().await), ..Probe::default() };
    let front = Running::of(probe, |server| server.bind(ANY_PORT));
    let client = front.client().await;
    (back, front, client)
}

#[test]
fn a_call_made_in_a_handler_inherits_the_remaining_time() {
    on_one_thread(async {
        let (_back, _front, probe) = two_servers().await;
        let ten = Duration::from_secs(10);
        for route in [Route::AtOnce, Route::Later, Route::Spawned] {
            let left = probe.look_behind(route).deadline(ten).await.unwrap().time_left.unwrap();
            assert!(left <= ten, "{left:?} left by {route:?}");
            let mut seen = probe.stream_behind(route).deadline(ten).await.unwrap();
            let left = seen.next().await.unwrap().unwrap().time_left.unwrap();
            assert!(left <= ten, "{left:?} left by {route:?}, from a stream");
        }
    });
}

#[test]
fn a_call_made_in_a_handler_may_waive_the_deadline() {
    on_one_thread(async {
        let (_back, _front, probe) = two_servers().await;
        let seen = probe.look_behind(Route::Unlimited).deadline(Duration::from_secs(10)).await.unwrap();
        assert_eq!(seen.time_left, None);
    });
}

#[test]
fn a_call_made_in_a_handler_keeps_its_own_deadline_if_it_is_sooner() {
    on_one_thread(async {
        let (_back, _front, probe) = two_servers().await;
        // The channel's default of 30 s is sooner than an hour.
        let seen = probe.look_behind(Route::AtOnce).deadline(Duration::from_hours(1)).await.unwrap();
        assert!(seen.time_left.unwrap() <= Duration::from_secs(30));
        let seen = probe.look_behind(Route::AtOnce).no_deadline().await.unwrap();
        assert!(seen.time_left.unwrap() <= Duration::from_secs(30));
    });
}

#[test]
fn deadlines_are_kept_while_a_stream_runs_at_full_speed() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let mut items = probe.pour("flood", u32::MAX, 100).await.unwrap();
        let reader = tokio::spawn(async move { while let Some(Ok(_)) = items.next().await {} });
        for name in ["a", "b", "c"] {
            let status = probe.hold(name).deadline(SOON).await.unwrap_err();
            assert_eq!(status.code(), Code::DeadlineExceeded);
            server.journal.has(&format!("{name} dropped")).await;
        }
        reader.abort();
        server.journal.has("flood dropped").await;
    });
}
