//! Several endpoints in one channel: each call goes to the connected server with the fewest calls in flight.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use zsvc::{Channel, ConnectionState};
use zsvc_calls::probe::v1::ProbeClient;

use crate::support::{Running, free_endpoint, on_one_thread, on_threads};

async fn channel(endpoints: &[&str]) -> Channel {
    let builder = Channel::builder();
    endpoints.iter().fold(builder, |builder, endpoint| builder.endpoint(*endpoint)).connect().await.unwrap()
}

/// Waits until every server was called: a connection may come up after the first call.
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
        // One after the other: a caller that yields, as where records have waited for long, has chosen and is not counted yet.
        let began = || servers.iter().map(|server| server.journal.count("a began")).sum::<usize>();
        let mut held = Vec::new();
        for number in 1..=10 {
            held.push(tokio::spawn(probe.hold("a")));
            while began() < number {
                tokio::task::yield_now().await;
            }
        }
        for server in &servers {
            assert_eq!(server.journal.count("a began"), 5);
            server.journal.open("a");
        }
        for held in held {
            held.await.unwrap().unwrap();
        }
    });
}

#[test]
fn a_dropped_call_is_cancelled_where_it_was_sent_and_no_other_is() {
    on_one_thread(async {
        let servers = [Running::start(), Running::start()];
        let [one, other] = &servers;
        let probe = ProbeClient::new(channel(&[one.endpoint(), other.endpoint()]).await);
        // Waits without making calls: the call ids of both connections are to start at the same value.
        let mut watch = probe.channel().watch();
        while !probe.channel().states().iter().all(|endpoint| endpoint.state == ConnectionState::Ready) {
            watch.changed().await.unwrap();
        }
        let (mut kept, mut dropped) = (Vec::new(), Vec::new());
        // The first endpoint is chosen where both have the same number of calls. So the call dropped at one server
        // has the id of the call kept at the other.
        kept.push(tokio::spawn(probe.hold("kept")));
        one.journal.has("kept began").await;
        dropped.push(tokio::spawn(probe.hold("dropped")));
        other.journal.has("dropped began").await;
        dropped.push(tokio::spawn(probe.hold("dropped")));
        one.journal.has("dropped began").await;
        kept.push(tokio::spawn(probe.hold("kept")));
        other.journal.has("kept began").await;
        dropped.iter().for_each(tokio::task::JoinHandle::abort);
        for server in &servers {
            server.journal.has("dropped dropped").await;
            server.journal.open("kept");
        }
        for kept in kept {
            kept.await.unwrap().unwrap();
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
        // Calls that were in flight may fail; once one has, no further call is sent to the lost server.
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
        // Both connections are full, so the call waits in the queue of the first.
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

#[test]
fn connection_states_can_be_read_and_watched() {
    on_one_thread(async {
        let server = Running::start();
        let absent = free_endpoint();
        let channel = Channel::builder().endpoint(server.endpoint()).endpoint(&absent);
        let channel = channel.connect_lazy().unwrap();
        let states = |channel: &Channel| channel.states().into_iter().map(|s| s.state).collect::<Vec<_>>();
        assert_eq!(states(&channel), [ConnectionState::Connecting; 2]);
        let mut watch = channel.watch();
        let probe = ProbeClient::new(channel.clone());
        let held = tokio::spawn(probe.hold("a"));
        let states = loop {
            let states = watch.changed().await.unwrap();
            if states[0].state == ConnectionState::Ready {
                break states;
            }
        };
        assert_eq!((states[0].endpoint.as_str(), states[1].endpoint.as_str()), (server.endpoint(), &*absent));
        server.journal.has("a began").await;
        assert_eq!(channel.states()[0].calls, 1);
        server.kill().await;
        while watch.changed().await.unwrap()[0].state != ConnectionState::Connecting {}
        assert!(held.await.unwrap().is_err());
        drop((probe, channel));
        while watch.changed().await.is_some() {}
    });
}

/// Calls are made throughout, of methods that may run twice and of those that may not. Every call is answered.
#[test]
fn two_servers_are_restarted_in_turn_and_no_call_fails() {
    on_threads(async {
        let mut servers = [Running::start(), Running::start()];
        let endpoints = servers.each_ref().map(|server| server.endpoint().to_owned());
        let probe = ProbeClient::new(channel(&[&endpoints[0], &endpoints[1]]).await);
        all_are_connected(&probe, &[&servers[0], &servers[1]]).await;
        let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let callers: Vec<_> = (0..8)
            .map(|_| {
                let (probe, over, answered) = (probe.clone(), Arc::clone(&over), Arc::clone(&answered));
                tokio::spawn(async move {
                    while !over.load(Ordering::SeqCst) {
                        for result in join_all((0..5).map(|_| probe.echo("x"))).await {
                            assert_eq!(result.unwrap(), "x");
                        }
                        assert_eq!(probe.fail_at_first("a", 0, 0).await.map(|calls| calls > 0), Ok(true));
                        answered.fetch_add(6, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for round in 0..4 {
            let index = round % 2;
            let [endpoint, _] = [&endpoints[index], &endpoints[1 - index]];
            let before = answered.load(Ordering::SeqCst);
            let leaving = std::mem::replace(&mut servers[index], Running::start());
            leaving.stop().await;
            servers[index] = Running::again(endpoint).await;
            // The server is called again before the other one is stopped.
            while servers[index].counters.calls() < 10 || answered.load(Ordering::SeqCst) < before + 100 {
                tokio::task::yield_now().await;
            }
        }
        over.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        assert!(probe.channel().counters().reconnects() >= 4);
    });
}
