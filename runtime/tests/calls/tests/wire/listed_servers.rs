//! The listings in the document that servers write: a real client accepts them, and a real server writes them.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use rmpv::Value;
use zsvc::{Cause, Channel, Code, Error, Outcome, ResponseMetadata, ServerBuilder, Status};
use zsvc_calls::market::v1::{TapeClient, TapeError};
use zsvc_calls::money::v1::Amount;
use zsvc_calls::shapes::v1::{Amiss, ShapesClient, ShapesFailError};

use crate::floor::trade;
use crate::listings::{bytes, frames, names};
use crate::raw::{Dealer, Record, call, call_with_credit, kind, packed, record, records, slices};
use crate::rig::{Serving, TIMEOUT, against, assert_no_panics, silent_client, waits};

/// Runs a client whose first call is answered with the listing.
fn answered<C: Future<Output = ()>>(name: &str, client: impl FnOnce(TapeClient) -> C + Send) {
    against(
        |endpoint| async move { client(silent_client(endpoint)).await },
        |router| {
            assert_eq!(router.next_call(), 1);
            router.send_frames(&slices(&frames(name)));
        },
    );
}

fn failed(code: Code, message: &str, outcome: Outcome) -> Status {
    Status::new(code, message).with_outcome(outcome)
}

#[test]
fn replies_are_taken() {
    answered(
        "reply",
        |tape| async move { assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME"))) },
    );
    answered("reply-with-attachments", |tape| async move {
        assert_eq!(tape.last("ACME").no_deadline().await, Ok(trade("ACME")));
    });
    answered("empty-reply", |tape| async move { assert_eq!(tape.ping().await, Ok(())) });
}

#[test]
fn errors_are_taken() {
    answered("error", |tape| async move {
        let error = tape.import("nobody", stream::pending()).await.expect_err("there is no such account");
        assert_eq!(error, failed(Code::NotFound, "no such account", Outcome::Executed));
    });
    answered("declared-error", |tape| async move {
        let error = tape.last("NOPE").no_deadline().await.expect_err("there is no such symbol");
        assert_eq!(error, Error::Declared(TapeError::UnknownSymbol { symbol: "NOPE".to_owned() }));
    });
}

#[test]
fn one_of_several_errors_is_taken_and_written_as_listed() {
    answered("second-declared-error", |tape| async move {
        let shapes = ShapesClient::new(tape.channel().clone());
        let error = shapes.fail(5).await.expect_err("it always fails");
        assert_eq!(error, Error::Declared(Amiss::NoShape { number: 5 }.into()));
    });
    // The first is listed as the one error of another method.
    answered("declared-error", |tape| async move {
        let shapes = ShapesClient::new(tape.channel().clone());
        let error = shapes.fail(0).await.expect_err("it always fails");
        let unknown = TapeError::UnknownSymbol { symbol: "NOPE".to_owned() };
        assert_eq!(error, Error::Declared(ShapesFailError::TapeError(unknown)));
    });
    let fail = |number: u32| {
        record![kind::CALL, 1, "shapes.v1.Shapes/fail", Value::Binary(packed(&record![number]))]
    };
    written("declared-error", |dealer| dealer.say(&[fail(0)]));
    written("second-declared-error", |dealer| dealer.say(&[fail(5)]));
}

#[test]
fn details_are_taken_and_written_as_listed() {
    answered("error-with-details", |tape| async move {
        let error = tape.import("poor", stream::pending()).await.expect_err("the account is empty");
        assert_eq!((error.code(), error.message()), (Code::FailedPrecondition, "too little money"));
        assert_eq!(error.detail::<Amount>(), Some(trade("ACME").price));
    });
    written("error-with-details", |dealer| dealer.say(&[call(1, "import", &record!["poor"])]));
}

#[test]
fn response_metadata_is_taken_and_written_as_listed() {
    against(
        |endpoint| async move {
            let beside = ResponseMetadata::new();
            let last = silent_client(endpoint).last("BESIDE").response_metadata(&beside).await;
            assert_eq!((last, beside.text("venue").as_deref()), (Ok(trade("ACME")), Some("7")));
        },
        |router| {
            router.next_call();
            router.send(bytes("response-metadata"));
            router.send(bytes("reply"));
        },
    );
    written("response-metadata", |dealer| dealer.say(&[call(1, "last", &record!["BESIDE"])]));
}

#[test]
fn hints_and_causes_are_taken() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let (_, full) = tokio::join!(tape.last("ACME").no_deadline(), tape.ping().no_retry());
            let status = full.expect_err("the server is full");
            assert_eq!((status.code(), status.outcome()), (Code::ResourceExhausted, Outcome::NotSent));
            assert_eq!(status.retry_after(), Some(Duration::from_millis(100)));
            assert_eq!(status.cause(), Some(Cause::Overloaded));
        },
        |router| {
            router.next_call();
            assert_eq!(router.next_call(), 2);
            router.send(bytes("error-of-a-full-server"));
            router.send(bytes("reply"));
        },
    );
}

#[test]
fn an_error_of_a_batch_ends_every_call() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let (one, other) = tokio::join!(tape.last("ACME").no_deadline(), tape.ping());
            let status = failed(Code::InvalidArgument, "oops!", Outcome::MaybeExecuted);
            assert_eq!((one, other), (Err(Error::Status(status.clone())), Err(status)));
        },
        |router| {
            router.next_call();
            router.next_call();
            router.send(bytes("batch-error"));
        },
    );
}

#[test]
fn items_are_taken_up_to_their_end() {
    answered("items", |tape| async move {
        let trades = tape.watch(["ACME", "ACME"]).await.expect("the call is on its way");
        let trades: Vec<_> = trades.collect().await;
        assert_eq!(trades, [Ok(trade("ACME")), Ok(trade("ACME"))]);
    });
}

#[test]
fn credit_lets_a_client_continue() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            let (sink, _fills) = tape.converse().await.expect("the call is on its way");
            let order = || zsvc_calls::market::v1::Order::CancelAll;
            // Each order takes 3 bytes, and the last may exceed the credit.
            for _ in 0..65_536_u32.div_ceil(3) {
                sink.send(order()).await.expect("the initial credit suffices");
            }
            let mut late = std::pin::pin!(sink.send(order()));
            assert!(waits(&mut late).await);
            late.await.expect("the server grants more");
        },
        |router| {
            router.next_call();
            let mut bytes_taken = 0;
            while bytes_taken < 65_536 {
                bytes_taken += router.next_of(kind::ITEMS).bin(2).len();
            }
            assert_eq!(bytes_taken, 65_538);
            router.send(bytes("credit"));
            assert_eq!(router.next_of(kind::ITEMS).bin(2).len(), 3);
        },
    );
}

#[test]
fn pongs_end_pings() {
    against(
        |endpoint| async move {
            let channel = Channel::connect(endpoint).await.expect("the server has answered a ping");
            drop(channel);
        },
        |router| {
            assert_eq!(router.next_of(kind::PING).id(), 1);
            router.send(bytes("pong"));
        },
    );
}

#[test]
fn pings_are_answered() {
    against(
        |endpoint| async move {
            drop(silent_client(endpoint).last("ACME").no_deadline().await.expect("the call is answered"));
        },
        |router| {
            router.next_call();
            router.send(bytes("ping-of-a-server"));
            assert_eq!(router.next_of(kind::PONG).id(), 0);
            router.send(bytes("reply"));
        },
    );
}

#[test]
fn a_server_that_drains_gets_no_new_calls() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            assert_eq!(
                tape.last("ACME").no_deadline().await,
                Ok(trade("ACME")),
                "a call in flight is answered"
            );
            let Err(Error::Status(status)) = tape.last("ACME").await else {
                panic!("the server accepts no calls")
            };
            assert_eq!((status.code(), status.outcome()), (Code::Unavailable, Outcome::NotSent));
        },
        |router| {
            router.next_call();
            router.send(bytes("going-away"));
            router.send(bytes("reply"));
        },
    );
}

/// Makes a server answer, and looks for the listing among the records it sends.
fn written(name: &str, ask: impl FnOnce(&mut Dealer)) {
    written_by(name, |server| server, ask);
}

fn written_by(
    name: &str,
    configure: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ask: impl FnOnce(&mut Dealer),
) {
    assert_eq!(names("server").get(name), Some(&true), "`{name}` is marked as exact");
    let server = Serving::with(configure);
    let mut dealer = Dealer::connect(&server.endpoint);
    ask(&mut dealer);
    for listed in records(&bytes(name)) {
        assert_eq!(next_like(&mut dealer, &listed).bytes, listed.bytes, "`{name}`");
    }
    assert_no_panics();
}

/// Returns the next record of the same kind.
fn next_like(dealer: &mut Dealer, listed: &Record) -> Record {
    loop {
        let record = dealer.next();
        if record.kind() == listed.kind() {
            return record;
        }
    }
}

#[test]
fn answers_are_written_as_listed() {
    written("reply", |dealer| dealer.say(&[call(1, "last", &record!["ACME"])]));
    written("empty-reply", |dealer| dealer.say(&[call(1, "ping", &record![])]));
    written("error", |dealer| dealer.say(&[call(1, "import", &record!["nobody"])]));
    written("declared-error", |dealer| dealer.say(&[call(1, "last", &record!["NOPE"])]));
    written_by(
        "error-of-a-full-server",
        |server| server.max_calls(1),
        |dealer| dealer.say(&[call(1, "last", &record!["SLOW"]), call(2, "ping", &record![])]),
    );
}

#[test]
fn streams_are_written_as_listed() {
    written("items", |dealer| {
        dealer.say(&[call_with_credit(1, "watch", &record![record!["ACME", "ACME"]], 1000)]);
    });
    written("credit", |dealer| dealer.say(&[call(1, "import", &record!["deaf"])]));
}

#[test]
fn pings_are_written_as_listed() {
    let brief = Duration::from_millis(300);
    written_by(
        "ping-of-a-server",
        |server| server.peer_timeout(brief),
        |dealer| dealer.say(&[call(1, "last", &record!["SLOW"])]),
    );
}

#[test]
fn going_away_is_written_as_listed() {
    let mut server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.good_call();
    server.stop();
    assert_eq!(dealer.next().bytes, records(&bytes("going-away"))[0].bytes);
    let ping = dealer.next();
    assert_eq!(ping.kind(), kind::PING, "the server asks whether everything was read");
    dealer.say(&[record![kind::PONG, ping.id()]]);
    assert_eq!(server.stopped(), Ok(()));
}

#[test]
fn a_silent_client_is_told_that_it_was_dropped() {
    let server = Serving::with(|server| server.peer_timeout(Duration::from_millis(300)));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[call(1, "last", &record!["SLOW"])]);
    assert_eq!(dealer.next().kind(), kind::PING);
    assert_eq!(dealer.next().error(), (1, 14, 1));
    assert_eq!(server.counters.lost_peers(), 1);
    dealer.good_call();
}

/// As the document describes for clients behind a device: a connection may outlive its server.
#[test]
fn a_client_that_answers_pings_keeps_its_calls() {
    // Two thirds of it are for the answer.
    let server = Serving::with(|server| server.peer_timeout(Duration::from_secs(3)));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[call(1, "last", &record!["SLOW"])]);
    for _ in 0..4 {
        let ping = dealer.next();
        assert_eq!(ping.kind(), kind::PING, "and no error");
        dealer.say(&[record![kind::PONG, ping.id()]]);
    }
    assert_eq!(server.counters.lost_peers(), 0);
}

#[test]
fn closing_waits_for_a_pong() {
    let server = Serving::start();
    crate::rig::run(async {
        let tape = TapeClient::connect(server.endpoint.as_str()).await.expect("the server is up");
        tape.note("before").await.expect("the one-way call is accepted");
        tape.channel().clone().close(TIMEOUT).await.expect("everything was read");
    });
    assert_eq!(server.note(), "before");
}
