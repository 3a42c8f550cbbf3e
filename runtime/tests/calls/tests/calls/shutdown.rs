//! Shutdown: a server drains, and its clients go to other servers or wait for the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use zsvc::{Channel, Code, Outcome, Status};
use zsvc_calls::probe::v1::ProbeClient;

use crate::raw;
use crate::support::{Running, free_endpoint, on_one_thread, on_threads};

/// Makes calls until one is refused, and returns its status.
async fn turned_away(probe: &ProbeClient) -> Status {
    loop {
        if let Err(status) = probe.echo("x").no_retry().fail_fast().await {
            return status;
        }
    }
}

#[test]
fn what_is_in_flight_may_finish_and_what_is_new_is_turned_away() {
    on_one_thread(async {
        let mut server = Running::start();
        let probe = server.client().await;
        let held = tokio::spawn(probe.hold("a"));
        let mut numbers = probe.hold_stream("a").await.unwrap();
        let (sink, mut back) = probe.mirror("b").await.unwrap();
        server.journal.has_times("a began", 2).await;
        server.journal.has("b began").await;
        server.begin_to_stop();
        let status = turned_away(&probe).await;
        assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent), "{status}");
        // Streams continue in both directions.
        sink.send(Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(back.next().await.unwrap().unwrap(), "x");
        sink.finish();
        assert!(back.next().await.is_none());
        server.journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
        assert_eq!((numbers.next().await, numbers.next().await), (Some(Ok(0)), Some(Ok(1))));
        assert_eq!(numbers.next().await, None);
        server.is_out().await.unwrap();
    });
}

#[test]
fn calls_in_flight_at_the_end_of_the_grace_time_fail_with_that_reason() {
    on_one_thread(async {
        let server = Running::with(|server| server.grace(Duration::from_millis(100)));
        let probe = server.client().await;
        let journal = server.journal.clone();
        let held = tokio::spawn(probe.hold("a"));
        let mut numbers = probe.hold_stream("a").await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        journal.has_times("a began", 2).await;
        server.stop().await;
        for status in [held.await.unwrap().unwrap_err(), numbers.next().await.unwrap().unwrap_err()] {
            assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::MaybeExecuted));
            assert_eq!(status.message(), "the server shut down before the handler was done");
        }
        journal.has_times("a dropped", 2).await;
    });
}

/// The stream has no end of its own.
#[test]
fn a_handler_that_sees_the_drain_may_end_successfully() {
    on_one_thread(async {
        let server = Running::with(|server| server.grace(Duration::from_hours(1)));
        let mut numbers = server.client().await.hold_until_draining().await.unwrap();
        assert_eq!(numbers.next().await, Some(Ok(0)));
        let out = tokio::spawn(server.stop());
        assert_eq!(numbers.next().await, None);
        out.await.unwrap();
    });
}

#[test]
fn one_way_handlers_end_with_the_grace_time_or_the_server() {
    on_one_thread(async {
        let server = Running::with(|server| server.grace(Duration::from_millis(100)));
        let (probe, journal) = (server.client().await, server.journal.clone());
        probe.hold_unheard("a").await.unwrap();
        journal.has("a began").await;
        server.stop().await;
        journal.has("a dropped").await;
        let server = Running::start();
        let (probe, journal) = (server.client().await, server.journal.clone());
        probe.hold_unheard("a").await.unwrap();
        journal.has("a began").await;
        server.kill().await;
        journal.has("a dropped").await;
    });
}

/// A grace time beyond the range of the clock.
#[test]
fn the_grace_time_may_be_unlimited() {
    on_one_thread(async {
        let server = Running::with(|server| server.grace(Duration::MAX).peer_timeout(Duration::MAX));
        let (probe, journal) = (server.client().await, server.journal.clone());
        let held = tokio::spawn(probe.hold("a"));
        journal.has("a began").await;
        let out = tokio::spawn(server.stop());
        turned_away(&probe).await;
        journal.open("a");
        assert_eq!(held.await.unwrap().unwrap(), "a");
        out.await.unwrap();
    });
}

#[test]
fn an_idle_server_stops_at_once() {
    on_one_thread(async {
        let server = Running::with(|server| server.grace(Duration::from_hours(1)));
        let probe = server.client().await;
        probe.echo("x").await.unwrap();
        server.stop().await;
    });
}

/// Every call whose handler has run is answered, whenever the server stops.
#[test]
fn no_answer_is_lost() {
    on_threads(async {
        let server = Running::start();
        let (answered, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut callers = Vec::new();
        for _ in 0..8 {
            let (probe, answered, over) = (server.client().await, answered.clone(), over.clone());
            callers.push(tokio::spawn(async move {
                while !over.load(Ordering::SeqCst) {
                    for result in
                        join_all((0..10).map(|_| probe.sum("s", futures_util::stream::iter([1])).fail_fast()))
                            .await
                    {
                        match result {
                            Ok(sum) => drop(answered.fetch_add(sum, Ordering::SeqCst)),
                            Err(status) => {
                                assert_eq!(status.outcome(), Outcome::NotSent, "{status}");
                                over.store(true, Ordering::SeqCst);
                            }
                        }
                    }
                }
            }));
        }
        server.journal.has_times("s done", 500).await;
        let journal = server.journal.clone();
        server.stop().await;
        over.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(answered.load(Ordering::SeqCst), journal.count("s done") as u64);
        assert_eq!(journal.count("s dropped"), 0);
    });
}

#[test]
fn calls_that_wait_for_a_server_that_restarts_then_succeed() {
    on_one_thread(async {
        let server = Running::start();
        let (endpoint, probe) = (server.endpoint().to_owned(), server.client().await);
        probe.echo("x").await.unwrap();
        server.kill().await;
        // Calls fail until the client detects the lost connection; from then on, they wait.
        let waiting = tokio::spawn(async move {
            loop {
                if let Ok(echoed) = probe.echo("back").await {
                    break echoed;
                }
            }
        });
        tokio::task::yield_now().await;
        let server = Running::again(&endpoint).await;
        assert_eq!(waiting.await.unwrap(), "back");
        drop(server);
    });
}

#[test]
fn a_call_may_be_made_before_its_server_is_up() {
    on_one_thread(async {
        let endpoint = free_endpoint();
        let channel = Channel::builder().endpoint(&endpoint).connect_lazy().unwrap();
        let probe = ProbeClient::new(channel);
        let calls = join_all((0..100_u8).map(|number| probe.echo(vec![number])));
        let (server, results) = tokio::join!(Running::again(&endpoint), calls);
        assert!(results.into_iter().all(|result| result.is_ok()));
        assert_eq!(server.counters.calls(), 100);
    });
}

#[test]
fn a_client_of_a_server_that_drains_goes_to_another() {
    on_one_thread(async {
        let (mut leaving, staying) = (Running::start(), Running::start());
        let channel = Channel::builder().endpoint(leaving.endpoint()).endpoint(staying.endpoint());
        let probe = ProbeClient::new(channel.connect().await.unwrap());
        // A server announces that it drains only to clients that it knows.
        while leaving.counters.calls() == 0 || staying.counters.calls() == 0 {
            join_all([probe.echo("x"), probe.echo("x")]).await;
        }
        let held = tokio::spawn(probe.hold("a"));
        leaving.begin_to_stop();
        // A call that crosses the announcement is refused unread, and goes to the other server at once.
        let calls_before = staying.counters.calls();
        while staying.counters.calls() < calls_before + 20 {
            probe.echo("x").await.unwrap();
        }
        for journal in [&leaving.journal, &staying.journal] {
            journal.open("a");
        }
        assert_eq!(held.await.unwrap().unwrap(), "a");
        leaving.is_out().await.unwrap();
        for _ in 0..20 {
            probe.echo("x").await.unwrap();
        }
    });
}

/// This project's clients stop calling once they are told; others may not.
#[test]
fn a_server_stops_although_a_client_keeps_calling() {
    on_threads(async {
        let server = Running::with(|server| server.grace(Duration::from_millis(200)));
        let probe = server.client().await;
        let flood = raw::Flood::of(server.endpoint());
        let held = tokio::spawn(probe.hold("a"));
        server.journal.has("a began").await;
        server.stop().await;
        assert_eq!(held.await.unwrap().unwrap_err().code(), Code::Unavailable);
        drop(flood);
    });
}

/// The servers and clients of a process share one context: what some of them leave behind must not hold up others.
#[test]
fn servers_and_clients_that_end_in_any_order_do_not_affect_others() {
    on_threads(async {
        let bystander = Running::start();
        let probe = bystander.client().await;
        for round in 0..20 {
            let server = Running::start();
            let clients = [server.client().await, server.client().await];
            let held = tokio::spawn(clients[0].hold("a"));
            server.journal.has("a began").await;
            match round % 3 {
                0 => drop((clients, held, server)),
                1 => drop((server, clients, held)),
                _ => server.kill().await,
            }
            probe.echo("still here").await.unwrap();
        }
        ProbeClient::connect(bystander.endpoint()).await.unwrap().echo("a new one").await.unwrap();
    });
}
