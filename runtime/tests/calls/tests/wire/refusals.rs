//! What the document says of the order of errors, of records that belong to no stream, and of routes: a real server does it.

use std::time::Duration;

use rmpv::Value;
use zsvc::Dropped;

use crate::errors::{last_with, slow};
use crate::raw::{Dealer, batch, call, call_with_credit, kind, packed, record, tape};
use crate::rig::{Serving, against, assert_no_panics, silent_client};

/// Each call has two faults, of which the earlier in the document's table is told.
#[test]
fn refusals_come_in_the_order_of_the_document() {
    let mut server = Serving::with(|server| server.max_calls_per_peer(2).max_message_size(1_000));
    let mut dealer = Dealer::connect(&server.endpoint);
    let code = |dealer: &mut Dealer, record: Value| {
        dealer.say(&[record]);
        dealer.answer().numbers()
    };
    dealer.say(&[slow(1)]);
    let in_use = [Some(3), Some(0), Some(8)];
    assert_eq!(code(&mut dealer, call(1, "lost", &record![])), in_use, "id in use, unknown method");
    let unknown = [Some(12), Some(0), Some(7)];
    let long = Value::from("x".repeat(2_000));
    assert_eq!(code(&mut dealer, call(2, "lost", &record![long.clone()])), unknown, "unknown, too large");
    let late = record![kind::CALL, 2, tape("last"), Value::Binary(packed(&record![long])), 0];
    assert_eq!(code(&mut dealer, late), [Some(4), Some(0), Some(3)], "too late, too large");
    dealer.say(&[slow(2)]);
    let full = [Some(8), Some(0), Some(2)];
    assert_eq!(code(&mut dealer, call(1, "lost", &record![])), full, "full, id in use");
    assert_eq!(code(&mut dealer, call(0, "lost", &record![])), [Some(3), Some(1), Some(8)], "id 0, full");
    dealer.say(&[record![kind::CANCEL, 2]]);
    server.stop();
    assert_eq!(dealer.next().kind(), kind::GOING_AWAY);
    assert_eq!(code(&mut dealer, call(2, "lost", &record![])), unknown, "unknown, going away");
    let late = last_with(0.into(), Value::Nil);
    dealer.say(&[record![kind::CANCEL, 1], slow(3), late]);
    assert_eq!(dealer.answer().numbers(), [Some(14), Some(0), Some(1)], "going away");
    assert_eq!(dealer.answer().numbers(), [Some(14), Some(0), Some(1)], "going away, too late");
}

#[test]
fn a_method_name_that_is_no_utf_8_is_unknown() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.send([1, 0x94, 1, 1, 0xa2, 0xff, 0xfe, 0xc4, 1, 0x90]);
    assert_eq!(dealer.next().error(), (1, 12, 0));
    dealer.good_call();
    assert_no_panics();
}

/// Of streams that a call does not have, and past the end of one: neither side minds, with or without credit.
#[test]
fn records_of_streams_that_a_call_does_not_have_are_ignored() {
    let server = Serving::start();
    let mut dealer = Dealer::connect(&server.endpoint);
    let items = |id: u64, bytes: usize| record![kind::ITEMS, id, Value::Binary(vec![0xc0; bytes])];
    // A unary call, with far more items than any credit, their end, and credit.
    dealer.say(&[slow(1), items(1, 100_000), items(1, 100_000), record![kind::END, 1]]);
    dealer.say(&[record![kind::CREDIT, 1, 5]]);
    // A stream of which all credit is taken: records without items need none, and nor do items after its end.
    dealer.say(&[call(2, "import", &record!["deaf"]), items(2, 300_000)]);
    assert_eq!(dealer.sync().iter().filter(|record| record.kind() == kind::ERROR).count(), 0);
    dealer.say(&[items(2, 0), record![kind::END, 2], items(2, 7), record![kind::END, 2]]);
    dealer.say(&[record![kind::CREDIT, 2, 5]]);
    assert!(dealer.sync().is_empty());
    assert_eq!(server.counters.unreadable_batches(), 0);
    assert_no_panics();
}

#[test]
fn a_client_ignores_them_too() {
    against(
        |endpoint| async move {
            let tape = silent_client(endpoint);
            assert_eq!(tape.last("ACME").no_deadline().await, Ok(crate::floor::trade("ACME")));
            let mut trades = tape.watch(["ACME"]).await.expect("the call is on its way");
            assert!(trades.next().await.is_none(), "it ends well");
        },
        |router| {
            let id = router.next_call();
            let items = |id: u64, bytes: usize| record![kind::ITEMS, id, Value::Binary(vec![0xc0; bytes])];
            router.say(&[items(id, 3_000_000), items(id, 3_000_000), record![kind::CREDIT, id, 5]]);
            router.send(crate::listings::bytes("reply"));
            let id = router.next_call();
            router.say(&[items(id, 0), record![kind::CREDIT, id, 5], record![kind::END, id], items(id, 9)]);
        },
    );
}

/// The numbers are those for which both engines agree: the frame of the connection itself counts with 9 or 12.
#[test]
fn a_frame_of_a_route_counts_with_its_length_and_four_more() {
    let server = Serving::start().lossy();
    let mut dealer = Dealer::connect(&server.endpoint);
    let ping = batch(&[record![kind::PING, 5]]);
    for (frames, bytes, is_answered) in [(1, 2_032, true), (509, 0, true), (1, 2_040, false), (510, 0, false)]
    {
        let frame = vec![7; bytes];
        let mut message = vec![&frame[..]; frames];
        message.push(&ping);
        dealer.send_frames(&message);
        let pongs = dealer.sync().len();
        assert_eq!(pongs == 1, is_answered, "{frames} frames of {bytes} bytes");
    }
    assert_eq!(server.counters.dropped(Dropped::RouteTooLong), 2);
}

/// So the answer to a batch that can't be read has all of them in front.
#[test]
fn frames_before_a_batch_that_can_t_be_read_are_its_route() {
    let server = Serving::start();
    let dealer = Dealer::connect(&server.endpoint);
    // A call with a place for one attachment, whose body ends too soon.
    dealer.send_frames(&[b"device", b"attached", b"\x01\x98\x01\x01\xa1x\xc4\x09\xc0"]);
    let message = dealer.message();
    assert_eq!(message[..2], [b"device".to_vec(), b"attached".to_vec()]);
    assert_eq!(crate::raw::records(&message[2])[0].error(), (0, 3, 1));
}

/// As the document warns: what such a client has said of the call before is not true.
#[test]
fn what_a_plain_dealer_keeps_is_sent_after_any_time() {
    let name = format!("zsvc-plain-{}", std::process::id());
    let endpoint = format!("ipc://{}", std::env::temp_dir().join(name).display());
    let mut dealer = Dealer::connect(&endpoint);
    dealer.say(&[call(1, "last", &record!["ACME"])]);
    let server = Serving::with(|server| server.bind(endpoint.as_str()));
    let reply = dealer.next();
    assert_eq!((reply.kind(), reply.id()), (kind::REPLY, 1));
    assert_eq!(server.counters.calls(), 1);
}

/// However the server learns of it.
#[test]
fn a_client_that_is_gone_is_found_out() {
    let server = Serving::with(|server| server.peer_timeout(Duration::from_millis(300)));
    let mut dealer = Dealer::connect(&server.endpoint);
    dealer.say(&[slow(1), call_with_credit(2, "watch", &record![record!["ACME"]], 1)]);
    dealer.sync();
    drop(dealer);
    while server.counters.lost_peers() == 0 {
        Dealer::connect(&server.endpoint).good_call();
    }
}
