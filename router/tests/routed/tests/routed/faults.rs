//! Workers that come and go under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use zsvc::{Channel, ChannelBuilder, Code, Delivery, Outcome, Subscription};
use zsvc_calls::exchange::v1::Halt;
use zsvc_calls::probe::v1::ProbeClient;
use zsvc_routed::{Routing, Worker, free_endpoint, run};
use zsvc_router::forwarder::WorkerState;
use zsvc_router::{Config, Scope};

use crate::published::{halt, live, next, schema};
use crate::relayed::Floor;

/// Four workers are stopped and started again, one after the other, while calls are made without a pause. None fails: what a worker
/// has is finished, and what it has not goes elsewhere.
#[test]
fn a_rolling_restart_fails_no_call() {
    run(async {
        let mut workers: Vec<_> = (0..4).map(|_| Worker::with(&free_endpoint(), |server| server)).collect();
        let names = ["a", "b", "c", "d"];
        let router = Routing::to(workers.iter().zip(names).map(|(worker, name)| worker.listed(name, 100)));
        router.has_up(4).await;
        let client = router.patient_client().await;
        let (is_over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers: Vec<_> = (0..16_u8)
            .map(|number| {
                let (client, is_over, made) = (client.clone(), Arc::clone(&is_over), Arc::clone(&made));
                tokio::spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        client.echo(vec![number]).await.expect("no call fails");
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        for index in 0..4 {
            let worker = workers.remove(0);
            let endpoint = worker.endpoint.clone();
            worker.stop().await;
            router.sees(|workers| workers[index].state != WorkerState::Up).await;
            let before = made.load(Ordering::Relaxed);
            while made.load(Ordering::Relaxed) < before + 200 {
                assert!(callers.iter().all(|caller| !caller.is_finished()), "a call has failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            workers.push(Worker::with(&endpoint, |server| server));
            router.has_up(4).await;
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

/// Two routers share nothing but their workers, and clients have both addresses. The one with more calls is killed and started anew, while
/// calls are made without a pause. None fails that is idempotent, or that no worker was sent; of the others each that fails says that it may have run.
#[test]
fn a_router_that_is_killed_fails_no_call_that_may_be_made_again() {
    run(async {
        let workers: Vec<_> = (0..2).map(|_| Worker::start()).collect();
        let endpoints = [free_endpoint(), free_endpoint()];
        let start = |endpoint: &String| {
            let config = Config::new().listen(endpoint);
            let listed = workers.iter().zip(["a", "b"]).map(|(worker, name)| worker.listed(name, 100));
            Routing::of(listed.fold(config, Config::worker))
        };
        let mut routers: Vec<_> = endpoints.iter().map(start).collect();
        for router in &routers {
            router.has_up(2).await;
        }
        let channel = endpoints.iter().fold(Channel::builder(), ChannelBuilder::endpoint);
        let client = ProbeClient::new(channel.connect().await.unwrap());
        let (is_over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let callers: Vec<_> = (0..16_u8)
            .map(|number| {
                let (client, is_over, made) = (client.clone(), Arc::clone(&is_over), Arc::clone(&made));
                tokio::spawn(async move {
                    while !is_over.load(Ordering::Relaxed) {
                        if number % 2 == 0 {
                            client.fill_again("x", 10).await.expect("it is made again");
                        } else if let Err(why) = client.echo(vec![number]).await {
                            let told = (why.code(), why.outcome());
                            assert_eq!(told, (Code::Unavailable, Outcome::MaybeExecuted), "{why}");
                        }
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let more = async |calls: u64| {
            let before = made.load(Ordering::Relaxed);
            while made.load(Ordering::Relaxed) < before + calls {
                assert!(callers.iter().all(|caller| !caller.is_finished()), "a call has failed");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        for _ in 0..4 {
            let before: Vec<_> = routers.iter().map(|router| router.counters().forwarded).collect();
            more(300).await;
            let has_had = |at: &usize| routers[*at].counters().forwarded - before[*at];
            let victim = (0..2).max_by_key(has_had).unwrap();
            assert!(has_had(&victim) > 0, "it has calls in flight");
            routers.remove(victim).kill_at(&endpoints[victim]).await;
            more(300).await;
            let router = start(&endpoints[victim]);
            router.has_up(2).await;
            routers.insert(victim, router);
        }
        is_over.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

/// A worker publishes without a pause while the routers in front of it are killed in turn. Each subscriber gets every event, in its order and
/// once, or is told where some are missing.
#[test]
fn events_through_routers_that_are_killed_come_or_are_told_as_missing() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let endpoints = [free_endpoint(), free_endpoint()];
        let start = |endpoint: &String| {
            let config = Config::new().listen(endpoint).events(schema()).relay(Scope::All);
            Routing::of(config.worker(floor.listed("one")))
        };
        let mut routers: Vec<_> = endpoints.iter().map(start).collect();
        for router in &routers {
            router.has_up(2).await;
        }
        let (is_over, mut subscribers) = (Arc::new(AtomicBool::new(false)), Vec::new());
        for _ in 0..3 {
            let channel = endpoints.iter().fold(Channel::builder(), ChannelBuilder::endpoint);
            let halts = live::<Halt>(&channel.connect().await.unwrap(), &[]).await;
            let (is_over, got) = (Arc::clone(&is_over), Arc::new(AtomicU64::new(0)));
            let task = tokio::spawn(read_in_order(halts, is_over, Arc::clone(&got)));
            subscribers.push((task, got));
        }
        let mut number = 0;
        // Publishes until each subscriber has got some more.
        let mut publish = async || {
            let before: Vec<_> = subscribers.iter().map(|(_, got)| got.load(Ordering::Relaxed)).collect();
            while subscribers
                .iter()
                .zip(&before)
                .any(|((_, got), before)| got.load(Ordering::Relaxed) < before + 20)
            {
                assert!(subscribers.iter().all(|(task, _)| !task.is_finished()), "one has ended");
                number += 1;
                floor.halts.send(&halt(number.to_string())).unwrap();
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        for round in 0..4 {
            publish().await;
            let endpoint = &endpoints[round % 2];
            routers.remove(0).kill_at(endpoint).await;
            let router = start(endpoint);
            router.has_up(2).await;
            routers.push(router);
        }
        publish().await;
        is_over.store(true, Ordering::Relaxed);
        while subscribers.iter().any(|(task, _)| !task.is_finished()) {
            number += 1;
            floor.halts.send(&halt(number.to_string())).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for (task, _) in subscribers {
            task.await.unwrap();
        }
    });
}

/// Reads events with ascending numbers until it is over: none comes twice, and where some are missing, that was told.
async fn read_in_order(mut halts: Subscription<Halt>, is_over: Arc<AtomicBool>, got: Arc<AtomicU64>) {
    let (mut last, mut is_told) = (0_u64, false);
    while !is_over.load(Ordering::Relaxed) {
        match next(&mut halts).await {
            Delivery::Event(event) => {
                let number: u64 = event.reason.unwrap().parse().unwrap();
                assert!(number > last, "{number} after {last}");
                assert!(number == last + 1 || is_told, "{number} after {last}, and nothing was told");
                (last, is_told) = (number, false);
                got.fetch_add(1, Ordering::Relaxed);
            }
            Delivery::Missed(_) => is_told = true,
            _ => {}
        }
    }
}
