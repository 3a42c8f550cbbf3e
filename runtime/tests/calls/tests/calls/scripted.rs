//! Servers in the process of the test that fail as the test says, on a paused clock.

use std::time::Duration;

use zsvc::testing::TestServer;
use zsvc::{Cause, Channel, Code, Outcome, Server, ServerBuilder, Status};
use zsvc_calls::Probe;
use zsvc_calls::probe::v1::{ProbeClient, ProbeServer};

use crate::support::watchdog;

/// Time after which a test hangs. The clock advances whenever there is nothing to do, so this is reached only by a
/// test that waits for an event that never comes.
const TEST_TIMEOUT: Duration = Duration::from_hours(24);

/// Runs a test on a clock that stands still while there is work, and then advances to the next timer.
fn on_paused_clock<F: Future>(test: F) -> F::Output {
    // Of its own clock.
    let _watchdog = watchdog();
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime =
        builder.enable_all().start_paused(true).build().expect("the system has descriptors for a runtime");
    runtime.block_on(async { tokio::time::timeout(TEST_TIMEOUT, test).await.expect("the test hangs") })
}

fn probe() -> (Probe, ServerBuilder) {
    let probe = Probe::default();
    (probe.clone(), Server::builder().service(ProbeServer::new(probe)))
}

async fn client(server: &TestServer) -> ProbeClient {
    ProbeClient::connect(server.endpoint()).await.expect("the server is up")
}

fn told(status: &Status) -> (Code, Outcome, Option<Cause>) {
    (status.code(), status.outcome(), status.cause())
}

const LOST: (Code, Outcome, Option<Cause>) =
    (Code::Unavailable, Outcome::MaybeExecuted, Some(Cause::ConnectionLost));

#[test]
fn calls_have_the_same_results_as_over_sockets() {
    on_paused_clock(async {
        let server = TestServer::start(probe().1).unwrap();
        let probe = client(&server).await;
        assert_eq!(probe.echo(vec![1, 2]).await.unwrap(), vec![1, 2]);
        let mut numbers = probe.count(3).await.unwrap();
        for number in 0..3 {
            assert_eq!(numbers.next().await, Some(Ok(number)));
        }
        assert_eq!(numbers.next().await, None);
    });
}

#[test]
fn delayed_messages_arrive_later_and_in_order() {
    on_paused_clock(async {
        let server = TestServer::start(probe().1).unwrap();
        let probe = client(&server).await;
        server.delay(Duration::from_secs(3));
        let began = tokio::time::Instant::now();
        probe.echo(vec![1]).await.unwrap();
        assert_eq!(began.elapsed().as_secs(), 6);
        server.delay(Duration::from_secs(20));
        let late = tokio::spawn(probe.echo(vec![2]).no_deadline());
        tokio::task::yield_now().await;
        server.heal();
        // The call was sent later and over a faster link, and still arrives after the other.
        probe.echo(vec![3]).no_deadline().await.unwrap();
        assert!(late.is_finished());
        let status = {
            server.delay_answers(Duration::from_mins(1));
            probe.echo(vec![4]).deadline(Duration::from_secs(30)).await.unwrap_err()
        };
        assert_eq!(told(&status), (Code::DeadlineExceeded, Outcome::MaybeExecuted, Some(Cause::Deadline)));
    });
}

#[test]
fn calls_whose_answers_are_lost_have_run() {
    on_paused_clock(async {
        let (handlers, builder) = probe();
        let server = TestServer::start(builder).unwrap();
        let probe = client(&server).await;
        server.lose_answers();
        handlers.journal.open("a");
        let status = probe.hold("a").await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::DeadlineExceeded, Outcome::MaybeExecuted));
        assert_eq!(handlers.journal.count("a done"), 1);
        server.heal();
        server.lose_calls();
        handlers.journal.open("b");
        assert!(probe.hold("b").await.is_err());
        assert_eq!(handlers.journal.count("b began"), 0);
        server.heal();
        probe.echo(vec![1]).await.unwrap();
    });
}

#[test]
fn a_cut_fails_only_calls_in_flight() {
    on_paused_clock(async {
        let (handlers, builder) = probe();
        let server = TestServer::start(builder).unwrap();
        let probe = client(&server).await;
        let held = tokio::spawn(probe.hold("a"));
        handlers.journal.has("a began").await;
        server.cut();
        assert_eq!(told(&held.await.unwrap().unwrap_err()), LOST);
        handlers.journal.has("a dropped").await;
        assert_eq!(probe.echo(vec![1]).await.unwrap(), vec![1]);
    });
}

#[test]
fn a_server_that_crashed_serves_again_once_it_is_restarted() {
    on_paused_clock(async {
        let (handlers, builder) = probe();
        let server = TestServer::start(builder).unwrap();
        let client = client(&server).await;
        let held = tokio::spawn(client.hold("a"));
        handlers.journal.has("a began").await;
        server.crash();
        assert_eq!(told(&held.await.unwrap().unwrap_err()), LOST);
        handlers.journal.has("a dropped").await;
        let status = client.echo(vec![1]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
        let waiting = tokio::spawn(client.echo(vec![2]));
        tokio::task::yield_now().await;
        server.restart(probe().1).unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), vec![2]);
    });
}

#[test]
fn a_server_that_drains_finishes_its_calls_and_others_go_elsewhere() {
    on_paused_clock(async {
        let ((handlers, one), (_, other)) = (probe(), probe());
        let (one, other) = (TestServer::start(one).unwrap(), TestServer::start(other).unwrap());
        let held = tokio::spawn(client(&one).await.hold("a"));
        handlers.journal.has("a began").await;
        let channel = Channel::builder().endpoint(one.endpoint()).endpoint(other.endpoint());
        let both = ProbeClient::new(channel.connect().await.unwrap());
        one.drain(Duration::from_secs(30));
        for number in 0..20 {
            assert_eq!(both.echo(vec![number]).await.unwrap(), vec![number]);
        }
        handlers.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
    });
}

#[test]
fn only_idempotent_calls_may_arrive_twice() {
    on_paused_clock(async {
        let (handlers, builder) = probe();
        let server = TestServer::start(builder).unwrap();
        let probe = client(&server).await;
        server.repeat_idempotent();
        handlers.journal.open("a");
        assert_eq!(probe.hold_again("a").await.unwrap(), "a");
        handlers.journal.has_times("a done", 2).await;
        handlers.journal.open("b");
        assert_eq!(probe.hold("b").await.unwrap(), "b");
        assert_eq!(handlers.journal.count("b began"), 1);
    });
}

#[test]
fn no_time_is_too_long() {
    on_paused_clock(async {
        let server = TestServer::start(probe().1).unwrap();
        let probe = client(&server).await;
        server.delay_answers(Duration::MAX);
        let status = probe.echo(vec![1]).await.unwrap_err();
        assert_eq!(told(&status), (Code::DeadlineExceeded, Outcome::MaybeExecuted, Some(Cause::Deadline)));
        server.heal();
        server.cut();
        assert_eq!(probe.echo(vec![2]).await.unwrap(), vec![2]);
        server.drain(Duration::MAX);
        let status = probe.echo(vec![3]).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
    });
}

#[test]
fn a_dropped_test_server_can_not_be_reached() {
    on_paused_clock(async {
        let server = TestServer::start(probe().1).unwrap();
        let endpoint = server.endpoint().to_owned();
        drop(server);
        let status = ProbeClient::connect(endpoint).await.unwrap_err();
        assert_eq!((status.code(), status.outcome()), (Code::InvalidArgument, Outcome::NotSent));
        assert!(status.message().contains("TestServer"), "{status}");
    });
}
