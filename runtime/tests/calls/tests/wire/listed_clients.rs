//! The listings in the document that clients write: a real server accepts them, and a real client writes them.

use std::future::pending;

use futures_util::stream;
use rmpv::Value;
use zsvc::{Channel, ChannelBuilder};
use zsvc_calls::market::v1::TapeClient;

use crate::floor::trade;
use crate::listings::{bytes, frames, names};
use crate::raw::{Dealer, Record, Router, call, call_with_credit, kind, record, records, slices};
use crate::rig::{Serving, against, assert_no_panics};

/// Runs `check` with a server and a bare client of it.
fn served(check: impl FnOnce(&Serving, &mut Dealer)) {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    check(&server, &mut dealer);
    dealer.good_call();
    assert_no_panics();
}

/// Returns the symbol of the trade in a reply.
fn symbol(reply: &Record) -> String {
    assert_eq!(reply.kind(), kind::REPLY, "{reply:?}");
    let trade = rmpv::decode::read_value(&mut reply.bin(2)).expect("a value");
    trade[0].as_str().expect("a symbol").to_owned()
}

#[test]
fn calls_are_answered() {
    served(|_, dealer| {
        dealer.send(bytes("call"));
        let reply = dealer.next();
        assert_eq!((reply.id(), symbol(&reply).as_str()), (1, "ACME"));
        dealer.send(bytes("call-by-name"));
        let reply = dealer.next();
        assert_eq!((reply.id(), symbol(&reply).as_str()), (2, "ACME"));
        dealer.send(bytes("call-without-parameters"));
        assert_eq!(dealer.next().bytes, records(&bytes("empty-reply"))[0].bytes);
    });
}

#[test]
fn attachments_are_inserted_into_bodies() {
    served(|server, dealer| {
        dealer.send_frames(&slices(&frames("call-with-attachments")));
        assert_eq!(symbol(&dealer.next()), "ACME");
        dealer.say(&[call(1, "import", &record!["desk"])]);
        dealer.send_frames(&slices(&frames("items-with-attachments")));
        dealer.say(&[record![kind::END, 1]]);
        let reply = dealer.answer();
        assert_eq!((reply.kind(), reply.bin(2)), (kind::REPLY, &[0xcd, 0x01, 0x2c][..]), "300");
        assert_eq!(server.counters.unreadable_batches(), 0);
    });
}

#[test]
fn a_deadline_ends_its_call() {
    served(|_, dealer| {
        let not_begun = (2, 4, 0);
        let error = loop {
            dealer.send(bytes("call-with-deadline"));
            match dealer.next().error() {
                // The server was held up for longer than the deadline before it came to the call.
                error if error == not_begun => {}
                error => break error,
            }
        };
        assert_eq!(error, (2, 4, 1));
    });
}

#[test]
fn a_call_carries_metadata_and_credit() {
    served(|_, dealer| {
        dealer.send(bytes("call-with-everything"));
        assert_eq!(dealer.next().kind(), kind::ITEMS);
        assert_eq!(dealer.next().kind(), kind::END);
    });
    // The same metadata on a call whose answer contains them.
    served(|_, dealer| {
        let everything = records(&bytes("call-with-everything"))[0].elements.clone();
        let Value::Array(mut elements) = call(1, "last", &record!["META"]) else { return };
        elements.extend([Value::Nil, everything[5].clone()]);
        dealer.say(&[Value::Array(elements)]);
        let trade = rmpv::decode::read_value(&mut dealer.next().bin(2)).expect("a value");
        assert_eq!(trade[4].as_str(), Some("7"), "the venue is the tenant");
    });
}

#[test]
fn one_way_calls_run() {
    served(|server, dealer| {
        dealer.send(bytes("one-way-call"));
        assert_eq!(server.note(), "lunch");
        assert!(dealer.sync().is_empty(), "nothing answers");
    });
}

#[test]
fn streams_of_clients_are_read_to_their_end() {
    served(|_, dealer| {
        dealer.send(bytes("items-of-a-client"));
        let reply = dealer.answer();
        assert_eq!((reply.kind(), reply.id()), (kind::REPLY, 1));
        assert_eq!(reply.bin(2), [0xcd, 0x02, 0x58], "twice 300");
    });
}

#[test]
fn credit_lets_a_stream_go_on() {
    served(|_, dealer| {
        dealer.say(&[call_with_credit(1, "watch", &record![record!["FOREVER"]], 1)]);
        assert_eq!(dealer.next().kind(), kind::ITEMS);
        assert!(dealer.sync().is_empty(), "one byte of credit is one item");
        dealer.send(bytes("credit-of-a-client"));
        // The item of 45 bytes took the credit to -44, so the grant brings it to 40: enough for one more item, but
        // not for a third.
        let items = dealer.next();
        assert_eq!((items.kind(), items.bin(2).len()), (kind::ITEMS, 45));
        assert!(dealer.sync().is_empty());
    });
}

#[test]
fn a_cancelled_call_is_not_answered() {
    served(|_, dealer| {
        dealer.say(&[call_with_credit(1, "watch", &record![record!["FOREVER"]], 1)]);
        dealer.send(bytes("cancel"));
        dealer.sync();
        dealer.say(&[record![kind::CREDIT, 1, 1000]]);
        assert!(dealer.sync().is_empty(), "it is over");
        // The id is free again.
        dealer.send(bytes("call"));
        assert_eq!(symbol(&dealer.next()), "ACME");
    });
}

#[test]
fn pings_are_answered_and_pongs_are_taken() {
    served(|server, dealer| {
        dealer.send(bytes("ping"));
        let (pong, listed) = (dealer.next(), &records(&bytes("pong"))[0]);
        assert_eq!((pong.kind(), pong.id()), (listed.kind(), listed.id()));
        assert_eq!(pong.elements.len(), listed.elements.len());
        assert!(u32::try_from(pong.number(2)).is_ok(), "{pong:?}");
        dealer.say(&[record![kind::PING, 2]]);
        assert_eq!(dealer.next().number(2), pong.number(2), "the same life");
        dealer.send(bytes("pong-of-a-client"));
        assert!(dealer.sync().is_empty());
        dealer.send(bytes("more-elements"));
        assert_eq!((dealer.next().kind(), server.counters.unreadable_batches()), (kind::PONG, 0));
    });
}

#[test]
fn queries_are_answered_for_calls_that_are_not_in_flight() {
    served(|server, dealer| {
        dealer.say(&[call_with_credit(1, "watch", &record![record!["FOREVER"]], 1)]);
        dealer.next();
        dealer.send(bytes("query"));
        assert!(dealer.sync().is_empty(), "it is in flight");
        dealer.send(bytes("cancel"));
        dealer.send(bytes("query"));
        assert_eq!(dealer.next().error(), (1, 14, 1));
        assert_eq!(server.counters.unreadable_batches(), 0);
    });
}

#[test]
fn unknown_records_are_reported_or_skipped() {
    served(|server, dealer| {
        dealer.send(bytes("skipped-kind"));
        let pong = dealer.next();
        assert_eq!((pong.kind(), pong.id(), server.counters.unreadable_batches()), (kind::PONG, 6, 0));
        dealer.send(bytes("unknown-kind"));
        assert_eq!(dealer.next().error(), (5, 12, 1));
        assert_eq!(dealer.next().kind(), kind::PONG, "the rest of the batch stands");
        dealer.send(bytes("wrong-version"));
        assert_eq!(dealer.next().error(), (0, 12, 1));
        assert_eq!(server.counters.unreadable_batches(), 2);
    });
}

#[test]
fn an_unknown_kind_ends_the_call_that_it_belongs_to() {
    served(|_, dealer| {
        dealer.say(&[call(5, "last", &record!["SLOW"]), record![12, 5]]);
        assert_eq!(dealer.next().error(), (5, 12, 1));
        dealer.say(&[call(5, "last", &record!["ACME"])]);
        assert_eq!(symbol(&dealer.next()), "ACME");
    });
}

/// Runs a client, and compares the bytes it sends with the listing, after the server has done its part.
pub(crate) fn written<C: Future<Output = ()>>(
    name: &str,
    client: impl FnOnce(ChannelBuilder) -> C + Send,
    server: impl FnOnce(&mut Router),
) {
    assert_eq!(names("client").get(name), Some(&true), "`{name}` is marked as exact");
    let (seen, wait) = tokio::sync::oneshot::channel::<()>();
    against(
        |endpoint| async move {
            // The call is never answered, so it may still be pending when all bytes were compared.
            tokio::select! {
                _ = wait => {}
                () = async { client(Channel::builder().endpoint(endpoint).stream_window(256 * 1024)).await; pending().await } => {}
            }
        },
        |router| {
            server(router);
            for listed in records(&bytes(name)) {
                assert_eq!(router.next().bytes, listed.bytes, "`{name}`");
            }
            drop(seen);
        },
    );
}

/// Returns a client that has sent nothing yet.
fn silent(channel: ChannelBuilder) -> TapeClient {
    TapeClient::new(channel.connect_lazy().expect("the endpoint is valid"))
}

#[test]
fn calls_are_written_as_listed() {
    written("call", |channel| async move { drop(silent(channel).last("ACME").no_deadline().await) }, |_| {});
    written(
        "call-without-parameters",
        |channel| async move { drop(silent(channel).ping().no_deadline().await) },
        |_| {},
    );
    written(
        "one-way-call",
        |channel| async move { drop(silent(channel).note("lunch").no_deadline().await) },
        |_| {},
    );
    written(
        "call-with-everything",
        |channel| async move {
            let tape = silent(channel);
            let call = tape.watch(["ACME"]).metadata("tenant", "7").metadata("trace", vec![1, 2]);
            let _trades = call.no_deadline().await.expect("the call is on its way");
            pending::<()>().await;
        },
        |_| {},
    );
}

#[test]
fn cancels_are_written_as_listed() {
    let (came, has_come) = tokio::sync::oneshot::channel::<()>();
    written(
        "cancel",
        |channel| async move {
            tokio::select! {
                _ = silent(channel).last("ACME").no_deadline() => panic!("it is never answered"),
                told = has_come => told.expect("the server has the call"),
            }
        },
        |router| {
            router.next_call();
            assert!(came.send(()).is_ok(), "the client waits");
        },
    );
}

#[test]
fn items_are_written_as_listed() {
    written(
        "items-of-a-client",
        |channel| async move {
            let tape = silent(channel);
            let trades = stream::iter([trade("ACME"), trade("ACME")]);
            drop(tape.import("desk", trades).no_deadline().await);
        },
        |_| {},
    );
}

#[test]
fn credit_is_written_as_listed() {
    written(
        "credit-of-a-client",
        |channel| async move {
            let tape = silent(channel.stream_window(150));
            let mut trades = tape.watch(["ACME"]).await.expect("the call is on its way");
            while let Some(trade_of) = trades.next().await {
                assert_eq!(trade_of, Ok(trade("ACME")));
            }
        },
        |router| {
            router.next_call();
            let items = &records(&bytes("items"))[0];
            router.send([&[1], &items.bytes[..]].concat());
        },
    );
}

#[test]
fn pings_and_pongs_are_written_as_listed() {
    written("ping", |channel| async move { drop(channel.connect().await) }, |_| {});
    written(
        "pong-of-a-client",
        |channel| async move { drop(silent(channel).last("ACME").no_deadline().await) },
        |router| {
            router.next_call();
            router.send(bytes("ping-of-a-server"));
        },
    );
}

/// By a client that has sent a ping, whose pong tells another life of the server than is known.
#[test]
fn queries_are_written_as_listed() {
    written(
        "query",
        |channel| async move {
            let channel = channel.server_timeout(std::time::Duration::from_secs(4));
            drop(silent(channel).last("ACME").no_deadline().await);
        },
        |router| {
            router.next_call();
            let ping = router.next_of(kind::PING).id();
            router.say(&[record![kind::PONG, ping, 7]]);
        },
    );
}
