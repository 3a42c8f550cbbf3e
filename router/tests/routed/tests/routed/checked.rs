//! What the router reads of events that clients publish: in which order, how much at a time, and what it holds them to.

use std::time::Duration;

use zsvc::{Cause, Channel, Code, Delivery};
use zsvc_calls::exchange::v1::{Halt, Price};
use zsvc_routed::{ANY_PORT, Routing, listed, run};
use zsvc_router::Config;

use crate::published::{channel, grant, halt, live, next, open, price, publish_raw, schema};

#[test]
fn events_of_a_client_are_published_in_the_order_in_which_they_came() {
    run(async {
        let router = Routing::of(open());
        // By a connection of its own: what a subscriber has to say may hold up the first call, which the next one then overtakes.
        let (channel, subscriber) = (channel(&router).await, channel(&router).await);
        // Of an event of which a newer one takes no place.
        let mut halts = live::<Halt>(&subscriber, &[]).await;
        for round in 0..5 {
            // Long for the router, and then short.
            let (long, short) = (halt(format!("{round}{}", "x".repeat(400_000))), halt(round.to_string()));
            let (first, then) = tokio::join!(channel.publish(&long), channel.publish(&short));
            first.unwrap();
            then.unwrap();
            for event in [long, short] {
                let came = next(&mut halts).await;
                let shown = format!("{came:?}");
                assert!(came == Delivery::Event(event), "round {round}: {}", &shown[..shown.len().min(80)]);
            }
        }
    });
}

fn of(text: &str) -> Config {
    let loader = zsvc_idl::MemoryLoader::default().with("a.svc", text);
    let schema = zsvc_idl::compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("the schema is right");
    Config::new().listen(ANY_PORT).events(schema).grant(grant(&["*"]))
}

async fn try_to_publish(channel: &Channel, event: &str, bytes: &[u8]) -> Result<(), String> {
    let params = [&[0x91][..], bytes].concat();
    publish_raw(channel, event, &params).await.map_err(|why| {
        assert_eq!((why.code(), why.cause()), (Code::InvalidArgument, Some(Cause::BadValue)), "{why}");
        why.to_string()
    })
}

#[test]
fn what_a_newer_schema_has_passes() {
    run(async {
        let text =
            "package newer.v1; enum Side { Buy = 1; } flags Perms { Read = 0; } union Kind { One: i32 = 1; }
            event Deal { side: Side = 1; perms: Perms = 2; kind: Kind = 3; names: map<Side, Side> = 4; }";
        let router = Routing::of(of(text));
        let channel = channel(&router).await;
        let publish = async |bytes: &[u8]| try_to_publish(&channel, "newer.v1.Deal", bytes).await;
        // Of the schema; then an enum's value, a flag, a variant, a key and a field of a newer one.
        publish(b"\x94\x01\x01\x92\x01\x07\x80").await.unwrap();
        publish(b"\x95\x09\xcd\x80\x01\x92\x09\xa1x\x81\x09\x09\xa5extra").await.unwrap();
        publish(b"\x94\xa3Buy\x01\x92\x01\x07\x80").await.unwrap_err();
    });
}

#[test]
fn an_event_is_not_refused_for_the_length_of_its_json() {
    run(async {
        let names: Vec<_> = (0..64).map(|bit| format!("APermissionWithALongName{bit} = {bit};")).collect();
        let text = format!(
            "package long.v1; flags Perms {{ {} }} struct Empty {{ @default(5) a_field_with_a_long_name: i32 = 1; }}
            event All {{ perms: list<Perms> = 1; @len(..=20_000) empty: list<Empty> = 2; }}",
            names.join(" ")
        );
        let router = Routing::of(of(&text));
        let channel = channel(&router).await;
        let list = |element: &[u8], count: u16| {
            [&[0xdc][..], &count.to_be_bytes(), &element.repeat(count.into())].concat()
        };
        let all = list(&[&[0xcf][..], &[0xff; 8]].concat(), 60_000);
        let bytes = |count| [&[0x92][..], &all, &list(&[0x90], count)].concat();
        try_to_publish(&channel, "long.v1.All", &bytes(20_000)).await.unwrap();
        let refused = try_to_publish(&channel, "long.v1.All", &bytes(20_001)).await.unwrap_err();
        assert!(refused.contains("empty"), "{refused}");
    });
}

#[test]
fn bounds_are_about_what_a_server_sees() {
    run(async {
        let text = "package bounds.v1; event All { @len(..=2) text: string = 1; @len(2..) names: map<string, i32> = 2;
            @len(..=2) some: set<u8> = 3; @range(0..=7) few: i8 = 4; @range(0.0..1.0) part: f64? = 5; @len(..=3) raw: bytes = 6; }";
        let router = Routing::of(of(text));
        let channel = channel(&router).await;
        let publish = async |names: &[u8], some: &[u8], rest: &[u8]| {
            let event = [&b"\x96\xa4\xc3\xa4\xc3\xa4"[..], names, some, rest].concat();
            try_to_publish(&channel, "bounds.v1.All", &event).await
        };
        let (two, twice, some) = (b"\x82\xa1a\x01\xa1b\x01", b"\x82\xa1a\x01\xa1a\x01", b"\x92\x01\x02");
        publish(two, some, b"\x07\xc0\xc4\x03abc").await.unwrap();
        for (refused, field) in [
            (publish(twice, some, b"\x07\xc0\xc4\x03abc").await, "names"),
            (publish(two, b"\x93\x01\x02\x03", b"\x07\xc0\xc4\x03abc").await, "some"),
            (publish(two, b"\x92\x01\x01", b"\x07\xc0\xc4\x03abc").await, "some"),
            (publish(two, some, b"\x08\xc0\xc4\x03abc").await, "few"),
            (publish(two, some, b"\x07\xcb\x3f\xf0\0\0\0\0\0\0\xc4\x03abc").await, "part"),
            (publish(two, some, b"\x07\xc0\xc4\x04abcd").await, "raw"),
        ] {
            let why = refused.unwrap_err();
            assert!(why.contains(field), "{field}: {why}");
        }
    });
}

#[test]
fn a_reload_that_is_refused_leaves_events_and_checks_as_they_are() {
    run(async {
        let router = Routing::of(open());
        let channel = channel(&router).await;
        let mut prices = live::<Price>(&channel, &[]).await;
        channel.publish(&price("ACME", 1)).await.unwrap();
        assert_eq!(next(&mut prices).await, Delivery::Event(price("ACME", 1)));
        // Two workers of one name, and one event less; then another form of the event.
        let twice = |config: Config| {
            let worker = || listed("tcp://127.0.0.1:9", "one", 1);
            config.worker(worker()).worker(worker())
        };
        let fewer = Config::new().listen(ANY_PORT).events(schema()).grant(grant(&["exchange.v1.Halt"]));
        router.handle.reload(twice(fewer)).await.unwrap_err();
        let other =
            of("package exchange.v1; event Price { @key symbol: string = 1; @range(..=5) cents: u64 = 2; }");
        router.handle.reload(twice(other)).await.unwrap_err();
        channel.publish(&price("ACME", 7)).await.unwrap();
        assert_eq!(
            next(&mut prices).await,
            Delivery::Event(price("ACME", 7)),
            "the subscription has gone on"
        );
        channel.publish(&halt("lunch")).await.unwrap();
        live(&channel, &[price("ACME", 7)]).await;
        let no_more = tokio::time::timeout(Duration::from_millis(1), prices.next()).await;
        assert!(no_more.is_err(), "{no_more:?}");
    });
}

#[test]
fn an_event_that_is_the_routers_no_more_is_so_at_once() {
    run(async {
        let router = Routing::of(open());
        let channel = channel(&router).await;
        let _prices = live::<Price>(&channel, &[]).await;
        // None that the next server has: it would take a moment to be up.
        let none = Config::new().listen(ANY_PORT).events(schema()).grant(grant(&[]));
        router.handle.reload(none).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(3), channel.subscribe::<Price>()).await;
        let refused = ended.expect("nothing is waited for").unwrap_err();
        assert_eq!(refused.code(), Code::Unimplemented, "{refused}");
    });
}
