//! What a server says of its calls is what its clients have seen.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use zsvc::stats::{MethodStats, Snapshot, StatsClient};
use zsvc::{Channel, Code, Error};
use zsvc_calls::probe::v1::ProbeClient;

use crate::relay::Relay;
use crate::support::{Running, on_one_thread, on_threads};

/// Returns what a server says of a method of `Probe`, or else of `Clock`.
async fn told(channel: &Channel, method: &str) -> MethodStats {
    let snapshot = StatsClient::new(channel.clone()).read().await.expect("the server is up");
    of(&snapshot, method)
}

fn of(snapshot: &Snapshot, method: &str) -> MethodStats {
    let name = format!("probe.v1.Probe/{method}");
    snapshot.methods.iter().find(|it| it.name == name).expect("the method is served").clone()
}

/// Asks until what is told is as expected: a handler may end a little after its caller is told.
async fn until(channel: &Channel, method: &str, is_so: impl Fn(&MethodStats) -> bool) -> MethodStats {
    loop {
        let told = told(channel, method).await;
        if is_so(&told) {
            return told;
        }
        tokio::task::yield_now().await;
    }
}

#[test]
fn each_call_is_counted_with_its_bytes_and_how_it_ended() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let channel = probe.channel();
        for size in [0_usize, 100, 1_000] {
            probe.echo(vec![7; size]).await.unwrap();
        }
        let echo = told(channel, "echo").await;
        assert_eq!((echo.calls, echo.running, echo.failures.len()), (3, 0, 0));
        assert_eq!((echo.handler.timed, echo.queue.timed), (3, 3));
        for bytes in [echo.request_bytes, echo.answer_bytes] {
            assert!((1_100..1_150).contains(&bytes), "{echo:?}");
        }
        assert!(echo.handler.p50 <= echo.handler.max && echo.handler.max > Duration::ZERO, "{echo:?}");

        probe.fail(Code::NotFound.number(), "no").await.unwrap_err();
        probe.fail(Code::NotFound.number(), "no").await.unwrap_err();
        probe.fail(Code::Internal.number(), "no").await.unwrap_err();
        let failures = told(channel, "fail").await.failures;
        assert_eq!(failures, [("internal".to_owned(), 1), ("not_found".to_owned(), 2)].into());
        assert!(matches!(probe.refuse(None).await, Err(Error::Declared(_))));
        assert_eq!(told(channel, "refuse").await.failures, [("declared".to_owned(), 1)].into());
        assert_eq!(
            told(channel, "weigh").await,
            MethodStats { name: "probe.v1.Probe/weigh".to_owned(), ..blank() }
        );
        server.stop().await;
    });
}

fn blank() -> MethodStats {
    MethodStats {
        name: String::new(),
        calls: 0,
        running: 0,
        failures: [].into(),
        handler: latency(),
        queue: latency(),
        request_bytes: 0,
        answer_bytes: 0,
    }
}

fn latency() -> zsvc::stats::Latency {
    let none = Duration::ZERO;
    zsvc::stats::Latency { timed: 0, mean: none, p50: none, p90: none, p99: none, p999: none, max: none }
}

#[test]
fn handlers_that_wait_run_until_they_end_however_that_is() {
    on_threads(async {
        let server = Running::start();
        let probe = server.client().await;
        let channel = probe.channel();
        let tasks: Vec<_> = (0..3).map(|_| tokio::spawn(probe.hold("a"))).collect();
        server.journal.has_times("a began", 3).await;
        let hold = until(channel, "hold", |hold| hold.running == 3).await;
        assert_eq!((hold.calls, hold.handler.timed), (3, 0));
        server.journal.open("a");
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let hold = until(channel, "hold", |hold| hold.running == 0).await;
        assert_eq!((hold.handler.timed, hold.failures.len()), (3, 0));

        let cancelled = tokio::spawn(probe.hold("b"));
        server.journal.has("b began").await;
        cancelled.abort();
        let hold = until(channel, "hold", |hold| hold.calls == 4 && hold.running == 0).await;
        assert_eq!(hold.failures, [("cancelled".to_owned(), 1)].into());

        probe.hold_briefly("c").await.unwrap_err();
        let brief = until(channel, "hold_briefly", |hold| hold.running == 0).await;
        // The client's cancellation may come before the server's own deadline.
        assert_eq!(brief.failures.values().sum::<u64>(), 1);
        assert!(brief.handler.max >= Duration::from_millis(80), "{brief:?}");

        let relay = Relay::to(server.endpoint());
        let unheard = ProbeClient::connect(relay.endpoint()).await.unwrap();
        let deaf = async {
            server.journal.has("d began").await;
            relay.turn_deaf();
        };
        let (late, ()) = tokio::join!(unheard.hold("d").deadline(Duration::from_secs(1)), deaf);
        assert!(late.is_err());
        let hold = until(channel, "hold", |hold| hold.calls == 5 && hold.running == 0).await;
        assert_eq!(hold.failures, [("cancelled".to_owned(), 1), ("deadline_exceeded".to_owned(), 1)].into());

        probe.blow_up(false).await.unwrap_err();
        probe.blow_up(true).await.unwrap_err();
        probe.blow_up_apart().await.unwrap_err();
        let internal = [("internal".to_owned(), 2)].into();
        assert_eq!(until(channel, "blow_up", |it| it.running == 0).await.failures, internal);
        let apart = until(channel, "blow_up_apart", |it| it.running == 0).await;
        assert_eq!((apart.calls, apart.failures), (1, [("internal".to_owned(), 1)].into()));
        server.stop().await;
    });
}

#[test]
fn streams_are_told_with_the_bytes_that_they_have_carried() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        let channel = probe.channel();
        let mut numbers = probe.count(1_000_u64).await.unwrap();
        while let Some(number) = numbers.next().await {
            number.unwrap();
        }
        let count = until(channel, "count", |it| it.running == 0).await;
        assert!(count.calls == 1 && count.answer_bytes >= 1_000, "{count:?}");
        probe.sum("s", stream::iter(0..1_000)).await.unwrap();
        let sum = until(channel, "sum", |it| it.running == 0).await;
        assert!(sum.request_bytes >= 1_000 && sum.answer_bytes < 100, "{sum:?}");
        let (sink, mut back) = probe.mirror("m").await.unwrap();
        sink.send(Bytes::from(vec![1; 10_000])).await.unwrap();
        sink.finish();
        while let Some(item) = back.next().await {
            item.unwrap();
        }
        let mirror = until(channel, "mirror", |it| it.running == 0).await;
        assert!(mirror.request_bytes >= 10_000 && mirror.answer_bytes >= 10_000, "{mirror:?}");
        probe.note("x").await.unwrap();
        until(channel, "note", |it| it.calls == 1).await;
        server.stop().await;
    });
}

#[test]
fn a_part_of_many_calls_is_timed_and_all_are_counted() {
    on_one_thread(async {
        let server = Running::start();
        let probe = server.client().await;
        for _ in 0..40 {
            let calls = (0..100).map(|_| probe.echo("x"));
            futures_util::future::try_join_all(calls).await.unwrap();
        }
        let echo = told(probe.channel(), "echo").await;
        assert_eq!(echo.calls, 4_000);
        assert!((300..1_500).contains(&echo.handler.timed), "the first 256, and one in 16: {echo:?}");
        server.stop().await;
    });
}

#[test]
fn a_server_that_is_full_still_tells_how_it_is() {
    on_one_thread(async {
        let server = Running::with(|server| server.max_running(1, 0));
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        let status = probe.echo("x").no_retry().await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        let health = zsvc::health::HealthClient::new(probe.channel().clone());
        let mut watched = health.watch("").await.unwrap();
        assert_eq!(watched.next().await, Some(Ok(zsvc::health::Status::Serving)));
        let echo = told(probe.channel(), "echo").await;
        assert_eq!((echo.calls, echo.failures), (1, [("resource_exhausted".to_owned(), 1)].into()));
        server.journal.open("a");
        held.await.unwrap().unwrap();
        probe.echo("x").await.expect("a watch keeps no place");
        drop(watched);
        server.stop().await;
    });
}

#[test]
fn a_watch_of_the_numbers_goes_on_until_the_server_shuts_down() {
    on_one_thread(async {
        let mut server = Running::with(|server| server.grace(Duration::from_mins(1)));
        let probe = server.client().await;
        let stats = StatsClient::new(probe.channel().clone());
        let mut watched = stats.watch(Duration::ZERO).await.unwrap();
        let first = watched.next().await.unwrap().unwrap();
        assert_eq!((first.connections, first.in_flight, of(&first, "echo").calls), (1, 1, 0));
        probe.echo("x").await.unwrap();
        let second = watched.next().await.unwrap().unwrap();
        assert_eq!(of(&second, "echo").calls, 1);
        assert!(second.uptime >= first.uptime + Duration::from_millis(100), "an interval has a least");
        let mut hourly = stats.watch(Duration::from_hours(1)).await.unwrap();
        hourly.next().await.unwrap().unwrap();
        server.begin_to_stop();
        assert!(hourly.next().await.is_none(), "the server waits for no interval");
        while let Some(item) = watched.next().await {
            item.unwrap();
        }
        server.is_out().await.unwrap();
    });
}

#[test]
fn what_is_not_told_is_not_counted() {
    on_one_thread(async {
        let server = Running::with(|server| server.stats(false));
        let probe = server.client().await;
        probe.echo("x").await.unwrap();
        let refused = StatsClient::new(probe.channel().clone()).read().await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented);
        assert_eq!(probe.count(3_u64).await.unwrap().next().await, Some(Ok(0)));
        server.stop().await;
    });
}
