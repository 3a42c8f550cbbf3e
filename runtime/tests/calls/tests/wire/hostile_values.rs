//! Values that do not match their types, in valid records: only the affected calls fail.

use rmpv::Value;

use crate::damage::{Random, trade_bytes};
use crate::listed_values::variant_of;
use crate::listings::listings;
use crate::raw::{Dealer, call_with_credit, kind, record, tape};
use crate::rig::{Serving, assert_no_panics};

const INVALID_ARGUMENT: u64 = 3;
const RESOURCE_EXHAUSTED: u64 = 8;

/// Runs an attack, and checks that the server works as before.
fn attacked(attack: impl FnOnce(&Serving, &mut Dealer)) {
    let server = Serving::start();
    let mut attacker = Dealer::connect(&server.endpoint);
    attack(&server, &mut attacker);
    attacker.good_call();
    assert_eq!(server.counters.unreadable_batches(), 0, "the records were fine");
    assert_no_panics();
}

fn echo(body: &[u8]) -> Value {
    record![kind::CALL, 1, "shapes.v1.Shapes/echo", Value::Binary(body.to_vec())]
}

#[test]
fn undecodable_parameters_are_refused() {
    attacked(|server, attacker| {
        let bodies: [&[u8]; 12] = [
            b"",
            b"\xc0",
            b"\x90",
            b"\x91",
            b"\x91\xc0",
            b"\x91\x01",
            b"\x91\xa4ACME\x00",
            b"\xa4ACME",
            b"\x81\xa6symbol\x01",
            b"\x82\xa6symbol\xa1A\xa6symbol\xa1B",
            b"\x91\xa0",
            b"\x91\xadTHIRTEENCHARS",
        ];
        for body in bodies {
            attacker.say(&[record![kind::CALL, 1, tape("last"), Value::Binary(body.to_vec())]]);
            assert_eq!(attacker.next().error(), (1, INVALID_ARGUMENT, 0), "{body:02x?}");
        }
        assert_eq!((server.counters.refused_calls(), server.counters.calls()), (12, 12));
    });
}

#[test]
fn truncated_values_are_refused() {
    attacked(|_, attacker| {
        for listing in listings().iter().filter(|listing| listing.from == "value") {
            let variant = variant_of(&listing.name).expect("every listing has a type");
            for length in 0..listing.bytes().len() {
                let body = [&[0x91, 0x92, variant], &listing.bytes()[..length]].concat();
                attacker.say(&[echo(&body)]);
                let (_, code, _) = attacker.next().error();
                assert_eq!(code, INVALID_ARGUMENT, "`{}` up to {length}", listing.name);
            }
        }
    });
}

#[test]
fn nesting_has_a_limit() {
    let tree = |depth: usize| [&[0x91, 0x92, 21][..], &[0x91].repeat(2 * depth), &[0x91, 0x90]].concat();
    let any = |depth: usize| [&[0x91, 0x92, 12][..], &[0x91].repeat(depth), &[0xc0]].concat();
    attacked(|_, attacker| {
        for body in [tree(10), any(100)] {
            attacker.say(&[echo(&body)]);
            assert_eq!(attacker.next().kind(), kind::REPLY);
        }
        for body in [tree(100), tree(1_000_000), any(200), any(1_000_000)] {
            attacker.say(&[echo(&body)]);
            assert_eq!(attacker.next().error(), (1, RESOURCE_EXHAUSTED, 0));
        }
        // Also where the value is only skipped: behind the parameters, and in place of them.
        let behind = [&b"\x92\xa4ACME"[..], &[0x91].repeat(1_000_000), &[0xc0]].concat();
        attacker.say(&[record![kind::CALL, 1, tape("last"), Value::Binary(behind)]]);
        assert_eq!(attacker.next().kind(), kind::ERROR);
    });
}

#[test]
fn announced_lengths_of_values_are_not_trusted() {
    attacked(|_, attacker| {
        for (variant, header) in
            [(7, 0xdb), (8, 0xc6), (12, 0xdd), (12, 0xdf), (13, 0xdd), (14, 0xdf), (21, 0xdd)]
        {
            attacker.say(&[echo(&[0x91, 0x92, variant, header, 0xff, 0xff, 0xff, 0xff])]);
            let (_, code, _) = attacker.next().error();
            assert_eq!(code, INVALID_ARGUMENT, "variant {variant}, header {header:x}");
        }
    });
}

#[test]
fn mutated_values_are_decoded_or_refused() {
    attacked(|_, attacker| {
        let mut random = Random::new(0x5eed_0003);
        let values: Vec<Vec<u8>> = listings()
            .iter()
            .filter(|listing| listing.from == "value")
            .map(|listing| {
                let variant = variant_of(&listing.name).expect("every listing has a type");
                [&[0x91, 0x92, variant], listing.bytes()].concat()
            })
            .collect();
        for _ in 0..50 {
            let mut changed = || {
                let base = random.below(values.len());
                echo(&random.mutated(&values[base]))
            };
            let calls: Vec<Value> = (0..100).map(|_| changed()).collect();
            attacker.say(&calls);
            // Every call is answered, since each has ended when the next arrives.
            let answers = attacker.sync();
            assert_eq!(answers.len(), calls.len());
        }
    });
}

#[test]
fn undecodable_items_end_their_stream() {
    attacked(|_, attacker| {
        for broken in [&b"\xc1"[..], b"\x01", b"\x9a\xa4ACME", b"\xc0"] {
            let items = [&trade_bytes()[..], broken].concat();
            attacker.say(&[
                record![kind::CALL, 1, tape("import"), Value::Binary(b"\x91\xa4desk".to_vec())],
                record![kind::ITEMS, 1, Value::Binary(items)],
            ]);
            let error = attacker.answer();
            // The handler has answered with what it was told: it was executed, and the server gives no cause.
            assert_eq!(
                (error.id(), error.numbers()),
                (1, [Some(INVALID_ARGUMENT), Some(2), None]),
                "{broken:02x?}"
            );
        }
    });
}

#[test]
fn undecodable_items_do_not_affect_earlier_ones() {
    attacked(|_, attacker| {
        attacker.say(&[
            call_with_credit(1, "converse", &record![], 1000),
            record![kind::ITEMS, 1, Value::Binary(b"\x92\x02\x93\xa4ACME\x01\x64\xc1".to_vec())],
        ]);
        assert_eq!(attacker.answer().bin(2), trade_bytes());
        assert_eq!(attacker.answer().error().1, INVALID_ARGUMENT);
    });
}
