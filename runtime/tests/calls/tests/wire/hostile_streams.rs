//! Clients that violate the protocol of streams: order, ends and credit.

use rmpv::Value;

use crate::damage::trade_bytes;
use crate::hostile_clients::attacked;
use crate::raw::{batch, call, call_with_credit, kind, record};

#[test]
fn records_may_come_in_any_order() {
    attacked(|_, attacker| {
        let items = record![kind::ITEMS, 1, Value::Binary(trade_bytes())];
        // The end before the call belongs to no call; the second end is one too many.
        attacker.say(&[record![kind::END, 1], items.clone(), call(1, "import", &record!["desk"])]);
        attacker.say(&[items.clone(), record![kind::END, 1], record![kind::END, 1], items]);
        let reply = attacker.answer();
        assert_eq!((reply.kind(), reply.bin(2)), (kind::REPLY, &[0xcd, 0x01, 0x2c][..]));
        assert!(attacker.sync().is_empty());
    });
}

#[test]
fn items_of_a_call_that_takes_none_are_ignored() {
    attacked(|_, attacker| {
        attacker.say(&[
            call(1, "last", &record!["SLOW"]),
            record![kind::ITEMS, 1, Value::Binary(trade_bytes())],
            record![kind::END, 1],
            record![kind::CREDIT, 1, 5],
        ]);
        assert!(attacker.sync().is_empty());
    });
}

#[test]
fn items_without_credit_end_their_call() {
    attacked(|_, attacker| {
        attacker.say(&[call(1, "import", &record!["deaf"])]);
        let granted = attacker.next();
        assert_eq!((granted.kind(), granted.number(2)), (kind::CREDIT, 262_144 - 65_536));
        // All of the credit at once, and then one byte more.
        attacker.say(&[record![kind::ITEMS, 1, Value::Binary(vec![0xc0; 262_144])]]);
        assert!(attacker.sync().is_empty());
        attacker.say(&[record![kind::ITEMS, 1, Value::Binary(vec![0xc0])]]);
        let (id, code, _) = attacker.next().error();
        assert_eq!((id, code), (1, 8));
    });
}

/// Attached bytes count against the credit.
#[test]
fn attached_items_without_credit_end_their_call() {
    attacked(|_, attacker| {
        attacker.say(&[call(1, "import", &record!["deaf"])]);
        assert_eq!(attacker.next().kind(), kind::CREDIT);
        let place = || Value::Array(vec![0.into()]);
        let items = batch(&[record![kind::ITEMS, 1, Value::Binary(Vec::new()), place()]]);
        attacker.send_frames(&[&vec![0xc0; 262_143], &items]);
        attacker.send_frames(&[&[0xc0; 2], &items]);
        assert!(attacker.sync().is_empty(), "the last may go past it");
        attacker.send_frames(&[&[0xc0], &items]);
        let (id, code, _) = attacker.next().error();
        assert_eq!((id, code), (1, 8));
    });
}

#[test]
fn the_last_item_may_go_past_the_credit() {
    attacked(|_, attacker| {
        let trades = trade_bytes().repeat(10_000);
        attacker.say(&[
            call(1, "import", &record!["desk"]),
            record![kind::ITEMS, 1, Value::Binary(trades)],
            record![kind::END, 1],
        ]);
        let reply = attacker.answer();
        assert_eq!((reply.kind(), reply.bin(2)), (kind::REPLY, &[0xce, 0x00, 0x2d, 0xc6, 0xc0][..]));
    });
}

#[test]
fn any_amount_of_credit_is_accepted() {
    attacked(|_, attacker| {
        attacker.say(&[call_with_credit(1, "watch", &record![record!["ACME", "ACME"]], u64::MAX)]);
        attacker.say(&[record![kind::CREDIT, 1, u64::MAX], record![kind::CREDIT, 1, u64::MAX]]);
        assert_eq!(attacker.next().kind(), kind::ITEMS);
        assert_eq!(attacker.next().kind(), kind::END);
        // Also while the stream is in progress.
        attacker.say(&[call_with_credit(2, "watch", &record![record!["ACME", "SLOW"]], 1)]);
        attacker.say(&[record![kind::CREDIT, 2, u64::MAX], record![kind::CREDIT, 2, u64::MAX]]);
        assert_eq!(attacker.next().kind(), kind::ITEMS);
    });
}

#[test]
fn a_stream_without_credit_waits() {
    attacked(|_, attacker| {
        attacker.say(&[call(1, "watch", &record![record!["ACME", "ACME"]])]);
        assert!(attacker.sync().is_empty());
        attacker.say(&[record![kind::CREDIT, 1, 0]]);
        assert!(attacker.sync().is_empty());
        attacker.say(&[record![kind::CREDIT, 1, 1]]);
        assert_eq!(attacker.next().bin(2), trade_bytes());
        assert!(attacker.sync().is_empty());
    });
}
