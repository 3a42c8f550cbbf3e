//! Events of workers to which the router subscribes once for all clients.

use std::time::Duration;

use zsvc::dynamic::{self, RawService, RawValue};
use zsvc::{Bytes, Channel, Code, Delivery, Event, MethodKind, Publisher, Retry, Subscription};
use zsvc_calls::exchange::v1::{Halt, Price};
use zsvc_routed::{ANY_PORT, Routing, TEST_TIMEOUT, Worker, free_endpoint, listed, run};
use zsvc_router::{Config, Grant, ListedWorker, Scope};

use crate::published::{channel, halt, live, next, price, schema};

/// Returns a worker at an endpoint that publishes events.
pub(crate) fn of_events(endpoint: &str, name: &str) -> ListedWorker {
    let mut listed = listed(endpoint, name, 100);
    listed.worker.services.extend(["exchange.v1.Price".to_owned(), "exchange.v1.Halt".to_owned()]);
    listed
}

pub(crate) fn relaying() -> Config {
    Config::new().listen(ANY_PORT).events(schema()).relay(Scope::All)
}

/// A worker with publishers that outlive it.
pub(crate) struct Floor {
    endpoint: String,
    pub(crate) prices: Publisher<Price>,
    pub(crate) halts: Publisher<Halt>,
}

impl Floor {
    pub(crate) fn new() -> Self {
        Self { endpoint: free_endpoint(), prices: Publisher::new(), halts: Publisher::new() }
    }

    pub(crate) fn start(&self) -> Worker {
        Worker::with(&self.endpoint, |server| server.events(&self.prices).events(&self.halts))
    }

    pub(crate) fn listed(&self, name: &str) -> ListedWorker {
        of_events(&self.endpoint, name)
    }
}

/// Waits until a publisher has that many subscriptions.
pub(crate) async fn has_subscribers<E: Event>(publisher: &Publisher<E>, number: usize) {
    while publisher.subscribers() != number {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reads until an event comes, and returns it with whether events may be missing before it.
pub(crate) async fn next_event<E: Event>(subscription: &mut Subscription<E>) -> (E, bool) {
    let mut is_missing = false;
    loop {
        match next(subscription).await {
            Delivery::Event(event) => return (event, is_missing),
            Delivery::Missed(_) => is_missing = true,
            _ => {}
        }
    }
}

#[test]
fn all_subscribers_share_one_subscription_and_have_their_own_filters() {
    run(async {
        let floor = Floor::new();
        let worker = floor.start();
        floor.prices.send(&price("S3", 1)).unwrap();
        let router = Routing::of(relaying().worker(floor.listed("one")));
        router.has_up(2).await;
        let mut all = live(&channel(&router).await, &[price("S3", 1)]).await;
        let mut some = Vec::new();
        for number in 0..20 {
            let channel = channel(&router).await;
            let subscription = channel.subscribe::<Price>().symbol(format!("S{number}"));
            let mut subscription = subscription.await.unwrap();
            if number == 3 {
                assert_eq!(next(&mut subscription).await, Delivery::Event(price("S3", 1)));
            }
            assert_eq!(next(&mut subscription).await, Delivery::Live);
            some.push(subscription);
        }
        assert_eq!(floor.prices.subscribers(), 1);
        for (number, subscription) in some.iter_mut().enumerate() {
            let event = price(&format!("S{number}"), 7);
            floor.prices.send(&event).unwrap();
            assert_eq!(next(&mut all).await, Delivery::Event(event.clone()));
            assert_eq!(next(subscription).await, Delivery::Event(event));
        }
        worker.stop().await;
    });
}

#[test]
fn without_it_each_subscription_is_passed_on() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let router = Routing::of(Config::new().listen(ANY_PORT).events(schema()).worker(floor.listed("one")));
        router.has_up(1).await;
        let _both = (
            live::<Price>(&channel(&router).await, &[]).await,
            live::<Price>(&channel(&router).await, &[]).await,
        );
        assert_eq!(floor.prices.subscribers(), 2);
    });
}

#[test]
fn events_of_several_workers_come_in_one_order() {
    run(async {
        let floors = [Floor::new(), Floor::new(), Floor::new()];
        let workers = floors.each_ref().map(Floor::start);
        let config = floors
            .iter()
            .zip(["a", "b", "c"])
            .fold(relaying(), |config, (floor, name)| config.worker(floor.listed(name)));
        let router = Routing::of(config);
        router.has_up(4).await;
        let mut one = live::<Halt>(&channel(&router).await, &[]).await;
        let mut other = live::<Halt>(&channel(&router).await, &[]).await;
        for number in 0..30 {
            for floor in &floors {
                floor.halts.send(&halt(number.to_string())).unwrap();
            }
        }
        for _ in 0..90 {
            assert_eq!(next(&mut one).await, next(&mut other).await);
        }
        drop(workers);
    });
}

#[test]
fn what_a_worker_publishes_while_it_is_lost_comes_once_it_is_back() {
    run(async {
        let floor = Floor::new();
        let worker = floor.start();
        let router = Routing::of(relaying().worker(floor.listed("one")));
        router.has_up(2).await;
        let mut halts = live::<Halt>(&channel(&router).await, &[]).await;
        floor.halts.send(&halt("before")).unwrap();
        assert_eq!(next(&mut halts).await, Delivery::Event(halt("before")));
        worker.kill().await;
        floor.halts.send(&halt("meanwhile")).unwrap();
        let worker = floor.start();
        assert_eq!(next(&mut halts).await, Delivery::Event(halt("meanwhile")), "nothing is missing");
        worker.kill().await;
        // For others alone, so it can't be known for whom.
        floor.halts.to(|_| false).send(&halt("secret")).unwrap();
        let worker = floor.start();
        floor.halts.send(&halt("after")).unwrap();
        assert_eq!(next_event(&mut halts).await, (halt("after"), true));
        worker.stop().await;
    });
}

#[test]
fn another_life_of_a_worker_is_told_as_missing() {
    run(async {
        let floor = Floor::new();
        let worker = floor.start();
        let router = Routing::of(relaying().worker(floor.listed("one")));
        router.has_up(2).await;
        let mut prices = live::<Price>(&channel(&router).await, &[]).await;
        floor.prices.send(&price("ACME", 1)).unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        worker.kill().await;
        let anew = Floor { endpoint: floor.endpoint.clone(), ..Floor::new() };
        anew.prices.send(&price("ACME", 2)).unwrap();
        let _worker = anew.start();
        assert_eq!(next(&mut prices).await, Delivery::Missed(None));
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 2)));
        live(&channel(&router).await, &[price("ACME", 2)]).await;
    });
}

#[test]
fn a_worker_that_comes_later_or_goes_for_good_is_told_as_missing() {
    run(async {
        let floor = Floor::new();
        let relaying = || relaying().grace(Duration::from_millis(100));
        let router = Routing::of(relaying());
        let mut prices = live::<Price>(&channel(&router).await, &[]).await;
        floor.prices.send(&price("ACME", 1)).unwrap();
        let _worker = floor.start();
        router.handle.reload(relaying().worker(floor.listed("one"))).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Missed(None));
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        router.handle.reload(relaying()).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Missed(None));
    });
}

#[test]
fn the_router_leaves_a_while_after_the_last_subscriber() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let router =
            Routing::of(relaying().relay_pause(Duration::from_millis(50)).worker(floor.listed("one")));
        router.has_up(2).await;
        let channel = channel(&router).await;
        assert_eq!(floor.prices.subscribers(), 0);
        let mut prices = live::<Price>(&channel, &[]).await;
        floor.prices.send(&price("ACME", 1)).unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        let position = prices.position().unwrap();
        drop(prices);
        has_subscribers(&floor.prices, 0).await;
        floor.prices.forget(&price("ACME", 1)).unwrap();
        floor.prices.send(&price("INIT", 2)).unwrap();
        live(&channel, &[price("INIT", 2)]).await;
        // Who was there before is told that events may be missing.
        let mut again = channel.subscribe::<Price>().options().since(position).await.unwrap();
        assert_eq!(next(&mut again).await, Delivery::Missed(None));
        assert_eq!(next_event(&mut again).await.0, price("INIT", 2));
    });
}

#[test]
fn grants_hold_and_clients_publish_beside_workers() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let scopes = |scope: &str| vec![Scope::Method(scope.to_owned())];
        let grant = Grant {
            subscribe: scopes("exchange.v1.Price/subscribe"),
            publish: scopes("exchange.v1.Price/publish"),
            ..Grant::default()
        };
        let router = Routing::of(relaying().grant(grant).worker(floor.listed("one")));
        router.has_up(2).await;
        let channel = channel(&router).await;
        let refused = channel.subscribe::<Halt>().await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
        let mut prices = live::<Price>(&channel, &[]).await;
        channel.publish(&price("ACME", 1)).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        floor.prices.send(&price("INIT", 2)).unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("INIT", 2)));
        live(&channel, &[price("ACME", 1), price("INIT", 2)]).await;
    });
}

#[test]
fn what_workers_refuse_is_refused_until_one_does_not() {
    run(async {
        let floor = Floor::new();
        // It says that it has events, and has none.
        let worker = Worker::with(&floor.endpoint, |server| server);
        let router = Routing::of(relaying().worker(floor.listed("one")));
        router.has_up(2).await;
        let channel = channel(&router).await;
        let refused = channel.subscribe::<Price>().await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
        worker.kill().await;
        let _worker = floor.start();
        floor.prices.send(&price("ACME", 1)).unwrap();
        router.has_up(2).await;
        has_subscribers(&floor.prices, 1).await;
        while let Err(refused) = channel.subscribe::<Price>().await {
            assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        live(&channel, &[price("ACME", 1)]).await;
    });
}

#[test]
fn a_router_that_drains_ends_what_it_has_subscribed_to() {
    run(async {
        let floor = Floor::new();
        let _worker = floor.start();
        let router = Routing::of(relaying().grace(2 * TEST_TIMEOUT).worker(floor.listed("one")));
        router.has_up(2).await;
        let channel =
            Channel::builder().endpoint(&router.endpoint).retry(Retry::none()).connect().await.unwrap();
        let _prices = live::<Price>(&channel, &[]).await;
        assert_eq!(floor.prices.subscribers(), 1);
        router.stop().await;
        has_subscribers(&floor.prices, 0).await;
    });
}

#[test]
fn those_that_stand_by_publish_while_no_other_can_be_reached() {
    run(async {
        let (first, second) = (Floor::new(), Floor::new());
        let (worker, _standby) = (first.start(), second.start());
        let mut standby = second.listed("second");
        standby.worker.standby = 1;
        let router = Routing::of(relaying().worker(first.listed("first")).worker(standby));
        router.has_up(3).await;
        let mut halts = live::<Halt>(&channel(&router).await, &[]).await;
        assert_eq!((first.halts.subscribers(), second.halts.subscribers()), (1, 0));
        worker.kill().await;
        has_subscribers(&second.halts, 1).await;
        second.halts.send(&halt("second")).unwrap();
        assert_eq!(next_event(&mut halts).await, (halt("second"), true), "the first may have had others");
    });
}

#[test]
fn what_a_worker_sends_that_is_no_event_is_told_as_missing() {
    run(async {
        // Opened; an event without its key, one that is none, and one that is; live.
        const ITEMS: [&[u8]; 5] = [
            &[0x93, 4, 7, 0],
            &[0x92, 1, 0x92, 1, 0x80],
            &[0x92, 1, 0x92, 2, 7],
            &[0x92, 1, 0x92, 3, 0x92, 0xa4, b'A', b'C', b'M', b'E', 5],
            &[0x92, 3, 3],
        ];
        let method = dynamic::method("exchange.v1.Price/subscribe", MethodKind::ServerStream, None, false);
        let service = RawService::new(vec![method], |call| {
            Box::pin(async move {
                let Some(answers) = call.answers else { return Ok(None) };
                for item in ITEMS {
                    answers.send(RawValue::new(Bytes::from_static(item))).await?;
                }
                std::future::pending().await
            })
        });
        let worker = Worker::with(ANY_PORT, |server| server.service(service));
        let router = Routing::of(relaying());
        let mut prices = live::<Price>(&channel(&router).await, &[]).await;
        router.handle.reload(relaying().worker(of_events(&worker.endpoint, "one"))).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Missed(None));
        assert_eq!(next_event(&mut prices).await.0, price("ACME", 5));
        live(&channel(&router).await, &[price("ACME", 5)]).await;
    });
}

#[test]
fn who_is_away_while_a_worker_comes_is_told_that_events_may_be_missing() {
    run(async {
        let (first, second) = (Floor::new(), Floor::new());
        let _workers = (first.start(), second.start());
        let config = || relaying().worker(first.listed("first"));
        let router = Routing::of(config());
        let channel = channel(&router).await;
        let mut halts = live::<Halt>(&channel, &[]).await;
        first.halts.send(&halt("seen")).unwrap();
        assert_eq!(next(&mut halts).await, Delivery::Event(halt("seen")));
        let position = halts.position().unwrap();
        drop(halts);
        second.halts.send(&halt("unseen")).unwrap();
        router.handle.reload(config().worker(second.listed("second"))).await.unwrap();
        has_subscribers(&second.halts, 1).await;
        let mut again = channel.subscribe::<Halt>().options().since(position).await.unwrap();
        while next(&mut again).await != Delivery::Missed(None) {}
    });
}
