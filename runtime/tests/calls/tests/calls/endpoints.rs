//! Several endpoints of one channel: each call goes to the server that is there and has the least to do.

use std::time::Duration;

use futures_util::future::join_all;
use zsvc::Channel;
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, free_endpoint, on_one_thread};

async fn channel(endpoints: &[&str]) -> Channel {
    let builder = Channel::builder();
    endpoints.iter().fold(builder, |builder, endpoint| builder.endpoint(*endpoint)).connect().await.unwrap()
}

/// Waits until every server has been called: a connection may come up after the first one.
async fn all_are_connected(probe: &ProbeClient, servers: &[&Running]) {
    let calls = || servers.iter().map(|server| server.counters.calls()).min().unwrap_or(0);
    while calls() == 0 {
        join_all((0..servers.len()).map(|_| probe.echo("x"))).await;
    }
}

#[test]
fn the_least_busy_server_is_called() {
    on_one_thread(async {
        let servers = [Running::start(), Running::start()];
        let [one, other] = &servers;
        let probe = ProbeClient::new(channel(&[one.endpoint(), other.endpoint()]).await);
        all_are_connected(&probe, &[one, other]).await;
        let held: Vec<_> = (0..10).map(|_| tokio::spawn(probe.hold("a"))).collect();
        for server in &servers {
            server.journal.has_times("a began", 5).await;
            server.journal.open("a");
        }
        for held in held {
            held.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_server_that_is_not_there_is_not_called() {
    on_one_thread(async {
        let server = Running::start();
        let absent = free_endpoint();
        let probe = ProbeClient::new(channel(&[&absent, server.endpoint()]).await);
        for _ in 0..20 {
            probe.echo("x").await.unwrap();
        }
        assert_eq!(probe.channel().endpoints().collect::<Vec<_>>(), [absent.as_str(), server.endpoint()]);
    });
}

#[test]
fn calls_that_wait_go_to_the_first_server_that_comes() {
    on_one_thread(async {
        let (never, later) = (free_endpoint(), free_endpoint());
        let channel = Channel::builder().endpoint(never).endpoint(&later).connect_lazy().unwrap();
        let probe = ProbeClient::new(channel);
        let waiting: Vec<_> = (0..5).map(|_| tokio::spawn(probe.echo("x"))).collect();
        tokio::task::yield_now().await;
        let server = Running::again(&later).await;
        for waiting in waiting {
            waiting.await.unwrap().unwrap();
        }
        assert_eq!(server.counters.calls(), 5);
    });
}

#[test]
fn a_server_that_is_lost_is_not_called_until_it_is_back() {
    on_one_thread(async {
        let (lost, staying) = (Running::start(), Running::start());
        let endpoint = lost.endpoint().to_owned();
        let probe = ProbeClient::new(channel(&[lost.endpoint(), staying.endpoint()]).await);
        all_are_connected(&probe, &[&lost, &staying]).await;
        lost.kill().await;
        // Calls that were on their way may fail; once one has, nobody is sent there.
        let before = staying.counters.calls();
        while staying.counters.calls() < before + 20 {
            let _ = probe.echo("x").deadline(Duration::from_secs(5)).await;
        }
        let back = Running::again(&endpoint).await;
        all_are_connected(&probe, &[&back, &staying]).await;
    });
}

#[test]
fn a_call_in_line_for_a_server_that_is_lost_goes_to_another() {
    on_one_thread(async {
        let (lost, staying) = (Running::start(), Running::start());
        let builder = Channel::builder().endpoint(lost.endpoint()).endpoint(staying.endpoint()).max_calls(1);
        let probe = ProbeClient::new(builder.connect().await.unwrap());
        all_are_connected(&probe, &[&lost, &staying]).await;
        let held = [tokio::spawn(probe.hold("a")), tokio::spawn(probe.hold("a"))];
        lost.journal.has("a began").await;
        staying.journal.has("a began").await;
        // Both are full, so it stands in line at the first.
        let third = tokio::spawn(probe.echo("x"));
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        lost.kill().await;
        let [first, second] = held;
        assert!(first.await.unwrap().is_err());
        staying.journal.open("a");
        second.await.unwrap().unwrap();
        assert_eq!(third.await.unwrap().unwrap(), "x");
    });
}

#[test]
fn a_stream_stays_where_it_began() {
    on_one_thread(async {
        let servers = [Running::start(), Running::start()];
        let probe = ProbeClient::new(channel(&[servers[0].endpoint(), servers[1].endpoint()]).await);
        all_are_connected(&probe, &[&servers[0], &servers[1]]).await;
        let mut streams = Vec::new();
        for _ in 0..6 {
            streams.push(probe.hold_stream("a").await.unwrap());
        }
        for server in &servers {
            server.journal.has_times("a began", 3).await;
            server.journal.open("a");
        }
        for mut stream in streams {
            assert_eq!((stream.next().await, stream.next().await), (Some(Ok(0)), Some(Ok(1))));
            assert_eq!(stream.next().await, None);
        }
    });
}
