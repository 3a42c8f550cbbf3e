//! Events of workers that are lost, come again, are too large, or do not come.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use zsvc::dynamic::{self, RawService, RawValue};
use zsvc::{Delivery, MethodKind, Publisher};
use zsvc_calls::exchange::v1::{Halt, Price};
use zsvc_routed::{ANY_PORT, Routing, Worker, run};
use zsvc_router::{Grant, Scope};

use crate::published::{channel, halt, live, next, price};
use crate::relayed::{Floor, has_subscribers, next_event, of_events, relaying};

/// The publisher is the same, and another worker for the router.
#[test]
fn a_worker_that_has_another_name_goes_on_where_it_was() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let config = |name: &str| relaying().grace(Duration::from_millis(100)).worker(floor.listed(name));
        let router = Routing::of(config("one"));
        router.has_up(2).await;
        let mut prices = live::<Price>(&channel(&router).await, &[]).await;
        floor.prices.send(&price("ACME", 1)).unwrap();
        floor.prices.send(&price("INIT", 2)).unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        assert_eq!(next(&mut prices).await, Delivery::Event(price("INIT", 2)));
        router.handle.reload(config("other")).await.unwrap();
        router.sees(|workers| workers.iter().all(|worker| worker.name != "one")).await;
        floor.prices.send(&price("ACME", 3)).unwrap();
        assert_eq!(
            next(&mut prices).await,
            Delivery::Event(price("ACME", 3)),
            "nothing comes twice, or is missing"
        );
    });
}

#[test]
fn a_publisher_with_two_names_is_heard_once() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let config = relaying().worker(floor.listed("one")).worker(floor.listed("other"));
        let router = Routing::of(config);
        router.has_up(3).await;
        floor.prices.send(&price("ACME", 1)).unwrap();
        let channel = channel(&router).await;
        let mut prices = live(&channel, &[price("ACME", 1)]).await;
        has_subscribers(&floor.prices, 2).await;
        for cents in 2..100 {
            floor.prices.send(&price("ACME", cents)).unwrap();
            let (came, is_missing) = next_event(&mut prices).await;
            assert_eq!((came, is_missing), (price("ACME", cents), false));
        }
    });
}

#[test]
fn a_worker_that_registers_anew_goes_on_where_it_was() {
    run(async {
        let grant = Grant { serve: vec![Scope::All], call: vec![Scope::All], ..Grant::default() };
        let router = Routing::of(relaying().grant(Grant { subscribe: vec![Scope::All], ..grant }));
        let halts = Publisher::<Halt>::new();
        let register = || {
            let server = zsvc::Server::builder().events(&halts).register(&*router.endpoint).listen().unwrap();
            tokio::spawn(server.serve_until(std::future::pending::<()>()))
        };
        let first = register();
        router.has_up(2).await;
        let mut all = live::<Halt>(&channel(&router).await, &[]).await;
        halts.send(&halt("before")).unwrap();
        assert_eq!(next(&mut all).await, Delivery::Event(halt("before")));
        first.abort();
        has_subscribers(&halts, 0).await;
        halts.send(&halt("meanwhile")).unwrap();
        let _second = register();
        assert_eq!(next(&mut all).await, Delivery::Event(halt("meanwhile")), "nothing is missing");
    });
}

#[test]
fn an_event_that_is_too_large_is_told_as_missing_and_holds_up_no_others() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let large = || halt("x".repeat(200_000));
        let config = relaying().max_message_size(64 * 1024).worker(floor.listed("one"));
        let router = Routing::of(config);
        router.has_up(2).await;
        let mut halts = live::<Halt>(&channel(&router).await, &[]).await;
        for round in 0..3 {
            floor.halts.send(&large()).unwrap();
            floor.halts.send(&halt(round.to_string())).unwrap();
            assert_eq!(next_event(&mut halts).await, (halt(round.to_string()), true));
        }
    });
}

/// Of what a worker had kept, one is too large: the router goes on behind all of that.
#[test]
fn kept_events_that_are_too_large_hold_up_no_others() {
    run(async {
        let is_first = AtomicBool::new(true);
        let method = dynamic::method("exchange.v1.Price/subscribe", MethodKind::ServerStream, None, false);
        let service = RawService::new(vec![method], move |call| {
            let is_first = is_first.swap(false, Ordering::Relaxed);
            Box::pin(async move {
                let Some(answers) = call.answers else { return Ok(None) };
                let (opened, mut large) =
                    (vec![0x93, 4, 7, 5], vec![0x92, 1, 0x92, 1, 0x92, 0xc6, 0, 3, 0, 0]);
                large.resize(200_000, 0);
                let event = vec![0x92, 1, 0x92, 6, 0x92, 0xa4, b'A', b'C', b'M', b'E', 5];
                let items =
                    if is_first { vec![opened, large] } else { vec![opened, vec![0x92, 3, 5], event] };
                for item in items {
                    answers.send(RawValue::new(item.into())).await?;
                }
                std::future::pending().await
            })
        });
        let worker = Worker::with(ANY_PORT, |server| server.service(service));
        let router = Routing::of(relaying().max_message_size(64 * 1024));
        let mut prices = live::<Price>(&channel(&router).await, &[]).await;
        let config = relaying().max_message_size(64 * 1024).worker(of_events(&worker.endpoint, "one"));
        router.handle.reload(config).await.unwrap();
        assert_eq!(next_event(&mut prices).await, (price("ACME", 5), true));
    });
}

#[test]
fn subscriptions_take_no_places_of_a_worker() {
    run(async {
        let floor = Floor::new();
        let worker = floor.start();
        let mut listed = floor.listed("one");
        listed.worker.capacity = 1;
        let router = Routing::of(relaying().worker(listed));
        router.has_up(2).await;
        let _prices = live::<Price>(&channel(&router).await, &[]).await;
        let _halts = live::<Halt>(&channel(&router).await, &[]).await;
        let client = router.client().await;
        assert_eq!(client.echo(vec![1]).await.unwrap(), vec![1]);
        worker.stop().await;
    });
}

#[test]
fn who_comes_before_a_worker_can_be_reached_waits_for_what_it_keeps() {
    run(async {
        let floor = Floor::new();
        floor.prices.send(&price("ACME", 1)).unwrap();
        let router = Routing::of(relaying().worker(floor.listed("one")));
        let channel = channel(&router).await;
        let subscribing = tokio::spawn(async move { live(&channel, &[price("ACME", 1)]).await });
        while router.counters().forwarded == 0 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let _worker = floor.start();
        let mut prices = subscribing.await.unwrap();
        floor.prices.send(&price("ACME", 2)).unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 2)));
    });
}

/// A worker that says nothing about a subscription holds up the first subscriber, and for a time.
#[test]
fn a_worker_that_does_not_answer_holds_up_later_subscribers_no_more() {
    run(async {
        let method = dynamic::method("exchange.v1.Price/subscribe", MethodKind::ServerStream, None, false);
        let service = RawService::new(vec![method], |_| Box::pin(std::future::pending()));
        let silent = Worker::with(ANY_PORT, |server| server.service(service));
        let router = Routing::of(relaying().worker(of_events(&silent.endpoint, "one")));
        router.has_up(2).await;
        let channel = channel(&router).await;
        let _first = live::<Price>(&channel, &[]).await;
        let began = std::time::Instant::now();
        let _second = live::<Price>(&channel, &[]).await;
        assert!(began.elapsed() < Duration::from_secs(4), "it is waited for again: {:?}", began.elapsed());
    });
}
