//! Events that clients publish by the router: who may, what is taken, and who gets them.

use zsvc::curve::{CurveClient, CurveServer, SecretKey};
use zsvc::dynamic::{self, RawError, RawValue};
use zsvc::{
    Bytes, Channel, Code, Delivery, Event, Identity, MethodKind, Outcome, Retry, Status, Subscription,
};
use zsvc_calls::exchange::v1::{Fill, Halt, Price, Side};
use zsvc_idl::schema::Schema;
use zsvc_routed::{ANY_PORT, Routing, TEST_TIMEOUT, Worker, run};
use zsvc_router::{Config, Grant, Realm, RouterError, Scope};

pub(crate) fn schema() -> Schema {
    let text = include_str!("../../../../../runtime/tests/calls/svc/exchange.svc");
    let loader = zsvc_idl::MemoryLoader::default().with("exchange.svc", text);
    zsvc_idl::compile(&loader, &["exchange.svc".to_owned()], &[]).schema.expect("the schema is right")
}

fn scopes(texts: &[&str]) -> Vec<Scope> {
    texts.iter().map(|text| Scope::read(text).expect("a scope")).collect()
}

/// A grant to everybody to subscribe to everything, and to publish some events.
pub(crate) fn grant(publish: &[&str]) -> Grant {
    Grant { subscribe: scopes(&["*"]), publish: scopes(publish), ..Grant::default() }
}

/// A router where everybody may publish everything.
pub(crate) fn open() -> Config {
    Config::new().listen(ANY_PORT).events(schema()).grant(grant(&["*"]))
}

pub(crate) async fn channel(router: &Routing) -> Channel {
    let channel = Channel::builder().endpoint(&router.endpoint).retry(Retry::none());
    channel.connect().await.expect("the router listens")
}

pub(crate) fn price(symbol: &str, cents: u64) -> Price {
    Price { symbol: symbol.to_owned(), cents }
}

pub(crate) fn halt(reason: impl Into<String>) -> Halt {
    Halt { reason: Some(reason.into()) }
}

pub(crate) async fn next<E: Event>(subscription: &mut Subscription<E>) -> Delivery<E> {
    subscription.next().await.expect("it goes on").expect("it has not failed")
}

/// Subscribes, and waits for what was kept.
pub(crate) async fn live<E>(channel: &Channel, kept: &[E]) -> Subscription<E>
where
    E: Event + Clone + PartialEq + std::fmt::Debug,
    E::Subscribe: From<zsvc::Subscribe<E>> + IntoFuture<Output = Result<Subscription<E>, Status>>,
{
    let mut subscription = channel.subscribe::<E>().await.expect("it may");
    for event in kept {
        assert_eq!(next(&mut subscription).await, Delivery::Event(event.clone()));
    }
    assert_eq!(next(&mut subscription).await, Delivery::Live);
    subscription
}

/// Publishes bytes as an event.
pub(crate) async fn publish_raw(channel: &Channel, event: &str, bytes: &[u8]) -> Result<(), Status> {
    let method = dynamic::method(&format!("{event}/publish"), MethodKind::Unary, None, false);
    let params = RawValue::new(Bytes::copy_from_slice(bytes));
    match dynamic::unary(channel, method, &params).await {
        Ok(_) => Ok(()),
        Err(RawError::Status(status)) => Err(status),
        Err(error) => panic!("no error is declared: {error}"),
    }
}

#[test]
fn an_event_of_a_client_reaches_all_that_have_asked_for_it() {
    run(async {
        let router = Routing::of(open());
        let (publisher, subscriber) = (channel(&router).await, channel(&router).await);
        let mut all = live::<Price>(&subscriber, &[]).await;
        let mut one = subscriber.subscribe::<Price>().symbol("INIT").await.unwrap();
        assert_eq!(next(&mut one).await, Delivery::Live);
        for event in [price("ACME", 1), price("INIT", 2), price("ACME", 3)] {
            publisher.publish(&event).await.unwrap();
            assert_eq!(next(&mut all).await, Delivery::Event(event));
        }
        assert_eq!(next(&mut one).await, Delivery::Event(price("INIT", 2)));
        // Who joins late gets the last of each symbol.
        live(&channel(&router).await, &[price("INIT", 2), price("ACME", 3)]).await;
    });
}

#[test]
fn a_filter_finds_keys_of_every_type() {
    run(async {
        let router = Routing::of(open());
        let channel = channel(&router).await;
        let fill = |account: u8, options: i64| Fill {
            account: zsvc::Uuid::from_bytes([account; 16]),
            side: Side::Sell,
            is_own: true,
            options,
            note: None,
        };
        let subscription =
            channel.subscribe::<Fill>().account(fill(1, 0).account).side(Side::Sell).is_own(true);
        let mut subscription = subscription.await.unwrap();
        assert_eq!(next(&mut subscription).await, Delivery::Live);
        for event in [fill(2, 1), fill(1, -70_000), Fill { side: Side::Buy, ..fill(1, 3) }, fill(1, 4)] {
            channel.publish(&event).await.unwrap();
        }
        assert_eq!(next(&mut subscription).await, Delivery::Event(fill(1, -70_000)));
        assert_eq!(next(&mut subscription).await, Delivery::Event(fill(1, 4)));
    });
}

fn key(byte: u8) -> SecretKey {
    SecretKey::from_bytes(&[byte; 32])
}

async fn known(router: &Routing, byte: u8) -> Channel {
    let curve = CurveClient::new(key(1).public_key(), key(byte));
    let channel = Channel::builder().endpoint(&router.endpoint).curve(curve).retry(Retry::none());
    channel.connect().await.expect("the router lets it in")
}

#[test]
fn those_alone_publish_to_whom_it_is_granted_in_their_realm() {
    run(async {
        let identity = |name: &str, roles: &[&str]| {
            roles.iter().fold(Identity::new(name), |identity, role| identity.with_role(*role))
        };
        let server = CurveServer::new(key(1))
            .allow_as(key(2).public_key(), identity("desk", &["desk"]))
            .allow_as(key(3).public_key(), identity("guest", &[]))
            .allow_as(key(4).public_key(), identity("berlin", &["desk", "eu"]));
        let of_realm = |realm: &str, publish: &[&str]| Grant {
            realm: realm.to_owned(),
            roles: vec!["desk".to_owned()],
            call: Vec::new(),
            ..grant(publish)
        };
        let config = Config::new()
            .listen(ANY_PORT)
            .curve(server)
            .events(schema())
            .realm(Realm { name: "eu".to_owned(), roles: vec!["eu".to_owned()] })
            .grant(Grant { call: scopes(&["*"]), ..Grant::default() })
            .grant(of_realm("", &["exchange.v1.Price"]))
            .grant(of_realm("eu", &["exchange.v1.Price", "exchange.v1.Halt"]));
        let router = Routing::of(config);
        let (desk, guest, berlin) =
            (known(&router, 2).await, known(&router, 3).await, known(&router, 4).await);
        let mut here = live::<Price>(&guest, &[]).await;
        let mut there = live::<Price>(&berlin, &[]).await;
        // That everything may be called does not let everybody publish.
        let refused = guest.publish(&price("ACME", 1)).await.unwrap_err();
        assert_eq!(
            (refused.code(), refused.outcome()),
            (Code::PermissionDenied, Outcome::NotSent),
            "{refused}"
        );
        // No client of this realm may publish it, so it is no event of the router here.
        let unknown = desk.publish(&halt("lunch")).await.unwrap_err();
        assert_eq!(unknown.code(), Code::Unimplemented, "{unknown}");
        berlin.publish(&halt("lunch")).await.unwrap();
        berlin.publish(&price("ACME", 2)).await.unwrap();
        desk.publish(&price("ACME", 3)).await.unwrap();
        assert_eq!(next(&mut here).await, Delivery::Event(price("ACME", 3)));
        assert_eq!(next(&mut there).await, Delivery::Event(price("ACME", 2)));
    });
}

#[test]
fn what_is_no_event_is_refused_and_reaches_nobody() {
    run(async {
        let router = Routing::of(open().max_message_size(100_000));
        let channel = channel(&router).await;
        let mut prices = live::<Price>(&channel, &[]).await;
        let nested = [&[0x91][..], &[0x91; 5_000]].concat();
        let long = [&[0x91, 0x92, 0xda, 8, 0][..], &[b'x'; 2_048], &[1]].concat();
        for bytes in [
            &[0x90][..],
            &[0x91, 0xc0],
            &[0x91, 7],
            &[0x91, 0x90],
            &[0x91, 0x92, 0xa1, b'x'],
            &[0x91, 0x92, 0xa1, b'x', 0xa1, b'y'],
            &[0x91, 0x92, 0xa1, 0xff, 1],
            &[0x91, 0x92, 7, 1],
            &[0x91, 0x92, 0xa1, b'x', 0xff],
            &[0x91, 0x91, 0xa1, b'x'],
            &[0x91, 0x81, 0xa6, b's', b'y', b'm', b'b', b'o', b'l', 0xc0],
            &[0x91, 0xdd, 0xff, 0xff, 0xff, 0xff],
        ] {
            let refused = publish_raw(&channel, "exchange.v1.Price", bytes).await.unwrap_err();
            assert_eq!(
                (refused.code(), refused.outcome()),
                (Code::InvalidArgument, Outcome::NotSent),
                "{bytes:x?}: {refused}"
            );
        }
        for bytes in [&nested, &long] {
            let refused = publish_raw(&channel, "exchange.v1.Price", bytes).await.unwrap_err();
            assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
        }
        for (reason, at) in [(99_960, "the event"), (200_000, "the call")] {
            let refused = channel.publish(&halt("x".repeat(reason))).await.unwrap_err();
            assert_eq!(
                (refused.code(), refused.outcome()),
                (Code::ResourceExhausted, Outcome::NotSent),
                "{at}"
            );
        }
        let unknown = publish_raw(&channel, "exchange.v1.Nothing", &[0x91, 0x90]).await.unwrap_err();
        assert_eq!((unknown.code(), unknown.outcome()), (Code::Unimplemented, Outcome::NotSent), "{unknown}");
        // Past its bound by the schema.
        let note = Some("123456789".to_owned());
        let fill = Fill { account: zsvc::Uuid::nil(), side: Side::Buy, is_own: true, options: 1, note };
        let refused = channel.publish(&fill).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
        assert!(refused.message().contains("note"), "{refused}");
        // A struct by the names of its fields, with one that the router does not know.
        let named = b"\x91\x83\xa6symbol\xa4ACME\xa5cents\x05\xa5extra\xc3";
        publish_raw(&channel, "exchange.v1.Price", named).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 5)));
        live(&channel, &[price("ACME", 5)]).await;
    });
}

#[test]
fn a_one_way_call_publishes_nothing_and_is_counted() {
    run(async {
        let router = Routing::of(open().grant(Grant { call: scopes(&["*"]), ..Grant::default() }));
        let channel = channel(&router).await;
        let mut prices = live::<Price>(&channel, &[]).await;
        let method = dynamic::method("exchange.v1.Price/publish", MethodKind::OneWay, None, false);
        let params = RawValue::new(Bytes::from_static(b"\x91\x92\xa4ACME\x01"));
        dynamic::one_way(&channel, method, &params).await.unwrap();
        channel.publish(&price("ACME", 2)).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 2)));
        assert_eq!(router.counters().dropped_one_way, 1);
    });
}

#[test]
fn without_a_router_there_is_nothing_to_publish_by() {
    run(async {
        let worker = Worker::start();
        let channel = Channel::connect(&worker.endpoint).await.unwrap();
        let refused = channel.publish(&price("ACME", 1)).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    });
}

#[test]
fn a_reload_keeps_what_is_kept_and_whoever_has_subscribed() {
    run(async {
        let config = |publish: &[&str]| Config::new().listen(ANY_PORT).events(schema()).grant(grant(publish));
        let router = Routing::of(config(&["exchange.v1.Price"]));
        let channel = channel(&router).await;
        let mut prices = live::<Price>(&channel, &[]).await;
        channel.publish(&price("ACME", 1)).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        // The same, then one more.
        router.handle.reload(config(&["exchange.v1.Price"])).await.unwrap();
        channel.publish(&price("ACME", 2)).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 2)));
        router.handle.reload(config(&["exchange.v1.Price", "exchange.v1.Halt"])).await.unwrap();
        // It is not there before another server has taken the place of the first.
        while let Err(refused) = channel.publish(&halt("lunch")).await {
            assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        channel.publish(&price("ACME", 3)).await.unwrap();
        // The subscription has gone on from where it was: nothing is missing.
        loop {
            match next(&mut prices).await {
                Delivery::Live => {}
                delivery => break assert_eq!(delivery, Delivery::Event(price("ACME", 3))),
            }
        }
        live(&channel, &[price("ACME", 3)]).await;
        router.handle.reload(config(&["exchange.v1.Halt"])).await.unwrap();
        let refused = channel.publish(&price("ACME", 4)).await.unwrap_err();
        assert!(matches!(refused.code(), Code::Unauthenticated | Code::Unimplemented), "{refused}");
    });
}

/// A channel to two routers, which prefers the first.
async fn channel_to(routers: [&Routing; 2]) -> Channel {
    let builder =
        routers.iter().fold(Channel::builder(), |builder, router| builder.endpoint(&router.endpoint));
    builder.connect().await.expect("they listen")
}

#[test]
fn a_router_that_drains_ends_subscriptions_which_go_on_at_another() {
    run(async {
        // Longer than the test: subscriptions are ended, and not waited for.
        let open = || open().grace(2 * TEST_TIMEOUT);
        let (first, second) = (Routing::of(open()), Routing::of(open()));
        let only_first = channel(&first).await;
        let both = channel_to([&first, &second]).await;
        let mut prices = live::<Price>(&both, &[]).await;
        // Which of the two it is at shows in whether it gets this.
        let (mut at_first, mut at_second) = (first, second);
        only_first.publish(&price("ACME", 1)).await.unwrap();
        let came = tokio::time::timeout(std::time::Duration::from_millis(300), prices.next()).await;
        if came.is_err() {
            std::mem::swap(&mut at_first, &mut at_second);
        }
        let other = channel(&at_second).await;
        at_first.stop().await;
        loop {
            match next(&mut prices).await {
                Delivery::Missed(None) => {}
                Delivery::Live => break,
                delivery => assert_eq!(delivery, Delivery::Event(price("ACME", 1)), "kept by the other one"),
            }
        }
        other.publish(&price("ACME", 2)).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 2)));
    });
}

#[test]
fn a_subscriber_that_does_not_read_holds_up_no_other_and_is_told_what_it_has_missed() {
    run(async {
        const EVENTS: u64 = 600;
        let router = Routing::of(open());
        let publisher = channel(&router).await;
        let mut slow = live::<Halt>(&channel(&router).await, &[]).await;
        let mut readers = Vec::new();
        for _ in 0..20 {
            let mut reader = live::<Halt>(&channel(&router).await, &[]).await;
            readers.push(tokio::spawn(async move {
                for number in 0..EVENTS {
                    let Delivery::Event(event) = next(&mut reader).await else {
                        panic!("nothing is missing")
                    };
                    assert!(event.reason.expect("a reason").starts_with(&format!("{number} ")));
                }
            }));
        }
        for number in 0..EVENTS {
            publisher.publish(&halt(format!("{number} {}", "x".repeat(10_000)))).await.unwrap();
            // So that it is one subscriber alone that does not keep up.
            tokio::task::yield_now().await;
        }
        for reader in readers {
            reader.await.unwrap();
        }
        let (mut seen, mut missed) = (0, 0);
        while seen + missed < EVENTS {
            match next(&mut slow).await {
                Delivery::Event(_) => seen += 1,
                Delivery::Missed(Some(count)) => missed += count,
                delivery => panic!("{delivery:?}"),
            }
        }
        assert!(missed > 0 && seen > 0, "{seen} {missed}");
    });
}

#[test]
fn events_that_the_router_does_not_know_are_not_granted_or_relayed_in_silence() {
    run(async {
        let scope = |scope: &str| Scope::read(scope).unwrap();
        let publishing = |config: Config, event: &str| {
            config.grant(Grant { publish: vec![scope(event)], ..Grant::default() })
        };
        let empty = || Config::new().listen(ANY_PORT);
        let known = || empty().events(schema());
        for (config, named) in [
            (publishing(empty(), "*"), "*"),
            (publishing(known(), "exchange.v2.*"), "exchange.v2.*"),
            (publishing(publishing(known(), "*"), "exchange.v1.Prize"), "exchange.v1.Prize"),
            (known().relay(scope("market.v1.Price")), "market.v1.Price"),
        ] {
            let refused = zsvc_router::Router::bind(config).map(drop).unwrap_err();
            let RouterError::NoSuchEvent { scope } = &refused else { panic!("{refused}") };
            assert_eq!(scope, named, "{refused}");
        }
        // A router that runs goes on with what it has.
        let router = Routing::of(open());
        let refused = router.handle.reload(publishing(known(), "exchange.v1.Prize")).await.unwrap_err();
        assert!(matches!(refused, RouterError::NoSuchEvent { .. }), "{refused}");
        channel(&router).await.publish(&price("ACME", 1)).await.unwrap();
    });
}

#[test]
fn events_of_the_router_are_counted_over_reloads() {
    run(async {
        let config = |publish: &[&str]| Config::new().listen(ANY_PORT).events(schema()).grant(grant(publish));
        let router = Routing::of(config(&["exchange.v1.Price", "exchange.v1.Halt"]));
        let channel = channel(&router).await;
        let mut prices = live::<Price>(&channel, &[]).await;
        for cents in 1..=3 {
            channel.publish(&price("ACME", cents)).await.unwrap();
            assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", cents)));
        }
        let counted = || {
            let events = router.handle.events();
            let events =
                events.iter().map(|view| format!("{} {} {}", view.event, view.subscribers, view.sent));
            events.collect::<Vec<_>>()
        };
        assert_eq!(counted(), ["exchange.v1.Halt 0 0", "exchange.v1.Price 1 3"]);
        router.handle.reload(config(&["exchange.v1.Halt"])).await.unwrap();
        assert_eq!(counted(), ["exchange.v1.Halt 0 0"]);
        router.handle.reload(config(&["exchange.v1.Price"])).await.unwrap();
        while channel.publish(&price("ACME", 4)).await.is_err() {}
        assert!(counted()[0].ends_with(" 4"), "numbers only grow: {:?}", counted());
    });
}
