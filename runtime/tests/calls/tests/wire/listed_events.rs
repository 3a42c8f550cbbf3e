//! The listings in the document about events: a real server takes what clients write, a real client what servers write.

use std::future::pending;

use rmpv::Value;
use zsvc::{Delivery, Position, Publisher};
use zsvc_calls::exchange::v1::Price;

use crate::listed_clients::written;
use crate::listings::bytes;
use crate::raw::{Dealer, kind, record};
use crate::rig::{Serving, against, assert_no_panics};

fn price(symbol: &str, cents: u64) -> Price {
    Price { symbol: symbol.to_owned(), cents }
}

/// Returns the items of a record.
fn items(mut bytes: &[u8]) -> Vec<Value> {
    let mut items = Vec::new();
    while !bytes.is_empty() {
        items.push(rmpv::decode::read_value(&mut bytes).expect("a value"));
    }
    items
}

#[test]
fn subscriptions_are_taken_and_go_on_where_they_were() {
    let prices = Publisher::<Price>::new();
    let server = Serving::with(|server| server.events(&prices));
    for (symbol, cents) in [("ACME", 1), ("OTHER", 2), ("INIT", 3), ("ACME", 4)] {
        prices.send(&price(symbol, cents)).expect("it can be encoded");
    }
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.send(bytes("subscribe"));
    let record = dealer.next();
    assert_eq!((record.kind(), record.id()), (kind::ITEMS, 1));
    let told = items(record.bin(2));
    let (opened, rest) = told.split_first().expect("it is opened");
    assert_eq!(opened[0], Value::from(4));
    let events = [record![1, record![3, record!["INIT", 3]]], record![1, record![4, record!["ACME", 4]]]];
    assert_eq!(rest, [events[0].clone(), events[1].clone(), record![3, 4]]);
    dealer.send(bytes("subscribe-since"));
    let record = dealer.next();
    let told = items(record.bin(2));
    assert_eq!((record.id(), &told[1]), (2, &record![2, Value::Nil]), "the publisher has another epoch");
    dealer.send(bytes("subscribe-by-name"));
    let record = dealer.next();
    assert_eq!((record.id(), items(record.bin(2)).len()), (3, 3), "opened, the last of `ACME`, and live");
    assert_no_panics();
}

#[test]
fn subscriptions_are_written_as_listed() {
    written(
        "subscribe",
        |channel| async move {
            let channel = channel.connect_lazy().expect("the endpoint is valid");
            drop(channel.subscribe::<Price>().symbol("ACME").symbol("INIT").await);
            pending::<()>().await;
        },
        |_| {},
    );
    written(
        "subscribe-since",
        |channel| async move {
            let channel = channel.connect_lazy().expect("the endpoint is valid");
            // The listing is of a second call.
            let first = channel.subscribe::<Price>();
            tokio::select! {
                biased;
                _ = first.into_future() => {}
                _ = channel.subscribe::<Price>().options().since(Position::new(7, 8)).into_future() => {}
            }
        },
        |router| {
            router.next_call();
        },
    );
}

#[test]
fn an_event_of_a_client_is_written_as_listed_and_refused_by_what_is_no_router() {
    let server = Serving::with(|server| server.events(&Publisher::<Price>::new()));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.send(bytes("publish"));
    let refused = dealer.next();
    assert_eq!((refused.kind(), refused.id()), (kind::ERROR, 1));
    written(
        "publish",
        |channel| async move {
            let channel = channel.connect_lazy().expect("the endpoint is valid");
            drop(channel.publish(&price("ACME", 10_150)).no_deadline().await);
        },
        |_| {},
    );
}

#[test]
fn deliveries_are_read() {
    against(
        |endpoint| async move {
            let channel = zsvc::Channel::builder().endpoint(endpoint).connect_lazy();
            let channel = channel.expect("the endpoint is valid");
            let mut prices = channel.subscribe::<Price>().await.expect("it is opened");
            let mut told = Vec::new();
            for _ in 0..4 {
                told.push(prices.next().await.expect("there is more").expect("it can be read"));
            }
            let event = Delivery::Event(price("ACME", 10_150));
            assert_eq!(told, [event, Delivery::Missed(Some(3)), Delivery::Missed(None), Delivery::Live]);
            assert_eq!(prices.position(), Some(Position::new(7, 8)));
        },
        |router| {
            assert_eq!(router.next_call(), 1);
            router.send(bytes("deliveries"));
        },
    );
}
