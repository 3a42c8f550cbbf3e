//! Changes to events: subscriptions of a client of one schema to a server with the other.
//!
//! The events are those of `svc/old/ticker.svc` and `svc/new/ticker.svc`.

use std::fmt::Debug;

use zsvc::{Channel, Code, Delivery, Event, Publisher, Server, Status, Subscription};
use zsvc_calls::new::ticker::v1 as new;
use zsvc_calls::old::ticker::v1 as old;

use crate::support::{ANY_PORT, on_one_thread};

/// Number of events that were published before anybody has subscribed.
const PUBLISHED: u32 = 3;

/// A channel to a server that has published events of this schema.
async fn to_server_of<E: Event>(event: E) -> Channel {
    let prices = Publisher::new();
    let server = Server::builder().events(&prices).bind(ANY_PORT).listen().unwrap();
    (0..PUBLISHED).for_each(|_| prices.send(&event).unwrap());
    let endpoint = server.endpoints()[0].clone();
    tokio::spawn(server.serve());
    Channel::connect(&endpoint).await.unwrap()
}

async fn new_to_old() -> Channel {
    to_server_of(old::Price { symbol: "ACME".to_owned(), venue: 1, board: 2 }).await
}

async fn old_to_new() -> Channel {
    to_server_of(new::Price { symbol: "ACME".to_owned(), venue: 1, board: 2 }).await
}

/// Returns how many events a subscriber is told of that were published before.
async fn kept<E: Event + Debug>(subscription: Result<Subscription<E>, Status>) -> u32 {
    let mut subscription = subscription.expect("it may be subscribed to");
    for count in 0.. {
        match subscription.next().await {
            Some(Ok(Delivery::Event(_))) => {}
            Some(Ok(Delivery::Live)) => return count,
            other => panic!("{other:?} after {count} events"),
        }
    }
    unreachable!("all numbers are counted")
}

#[track_caller]
fn refused<E: Event + Debug>(subscription: Result<Subscription<E>, Status>, expected: Code) {
    assert_eq!(subscription.expect_err("it is refused").code(), expected);
}

#[test]
pub(super) fn add_an_event_or_make_a_struct_one() {
    on_one_thread(async {
        let channel = new_to_old().await;
        refused(channel.subscribe::<new::Added>().await, Code::Unimplemented);
        refused(channel.subscribe::<new::Quote>().await, Code::Unimplemented);
        // An old client continues with the event that it knows.
        assert_eq!(kept(old_to_new().await.subscribe::<old::Price>().await).await, 2);
    });
}

#[test]
pub(super) fn let_a_field_be_a_key() {
    on_one_thread(async {
        let channel = new_to_old().await;
        refused(channel.subscribe::<new::Price>().venue(1u32).await, Code::InvalidArgument);
        assert_eq!(kept(channel.subscribe::<new::Price>().board(2u32).await).await, 1);
        assert_eq!(kept(channel.subscribe::<new::Price>().await).await, 1);
    });
}

#[test]
pub(super) fn let_a_field_be_no_key_any_more() {
    on_one_thread(async {
        let channel = old_to_new().await;
        refused(channel.subscribe::<old::Price>().symbol("ACME").await, Code::InvalidArgument);
        assert_eq!(kept(channel.subscribe::<old::Price>().board(2u32).await).await, 2);
        assert_eq!(kept(channel.subscribe::<old::Price>().board(3u32).await).await, 0);
    });
}

#[test]
pub(super) fn change_what_is_kept() {
    on_one_thread(async {
        assert_eq!(kept(new_to_old().await.subscribe::<new::Price>().await).await, 1, "the last one");
        assert_eq!(kept(old_to_new().await.subscribe::<old::Price>().await).await, 2, "the last two");
    });
}

#[test]
pub(super) fn remove_or_rename_an_event() {
    on_one_thread(async {
        let (newer, older) = (new_to_old().await, old_to_new().await);
        refused(older.subscribe::<old::Removed>().await, Code::Unimplemented);
        refused(older.subscribe::<old::OldName>().await, Code::Unimplemented);
        refused(newer.subscribe::<new::NewName>().await, Code::Unimplemented);
    });
}
