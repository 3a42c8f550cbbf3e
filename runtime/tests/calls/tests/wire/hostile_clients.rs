//! Clients that violate the protocol, against a real server: it answers or counts the violation, and serves all other
//! clients as before.

use std::time::{Duration, Instant};

use rmpv::Value;
use zsvc::Dropped;
use zsvc::middleware::ConcurrencyLimit;

use crate::damage::{Random, client_records, huge_announcements, truncations, wrong_types};
use crate::raw::{Dealer, Record, batch, call, call_with_credit, kind, packed, record, tape};
use crate::rig::{Serving, assert_no_panics};

/// Runs an attack. Afterwards, checks that the attacker and another client can make a call, and that nothing has
/// panicked.
pub(crate) fn attacked(attack: impl FnOnce(&Serving, &mut Dealer)) {
    attacked_with(&Serving::start(), attack);
}

pub(crate) fn attacked_with(server: &Serving, attack: impl FnOnce(&Serving, &mut Dealer)) {
    let mut attacker = Dealer::connect(&server.endpoint);
    attack(server, &mut attacker);
    attacker.good_call();
    Dealer::connect(&server.endpoint).good_call();
    assert_no_panics();
}

/// Returns the number of errors about batches. Fails if there are other records.
fn batch_errors(records: &[Record]) -> u64 {
    assert!(records.iter().all(|record| record.error() == (0, 3, 1)), "{records:?}");
    records.len() as u64
}

#[test]
fn records_that_end_too_soon_are_told_and_counted() {
    attacked(|server, attacker| {
        let mut sent = 0;
        for record in client_records(1) {
            for cut in truncations(&record) {
                attacker.send(&cut);
                sent += 1;
            }
            let told = batch_errors(&attacker.sync());
            assert_eq!(told, sent - (server.counters.unreadable_batches() - told), "{record}");
            assert_eq!(server.counters.unreadable_batches(), sent, "{record}");
        }
        assert_eq!((server.counters.calls(), server.counters.refused_calls()), (0, 0));
    });
}

#[test]
fn elements_of_wrong_types_end_in_an_error_or_nothing() {
    attacked(|server, attacker| {
        for record in client_records(1) {
            for wrong in wrong_types(&record) {
                attacker.say(&[wrong, record![kind::CANCEL, 1]]);
                attacker.sync();
            }
            attacker.good_call();
        }
        assert!(server.counters.unreadable_batches() > 100, "most of them are no records");
    });
}

#[test]
fn a_batch_is_processed_up_to_the_malformed_record() {
    attacked(|server, attacker| {
        let mut bytes = batch(&[call(1, "last", &record!["ACME"])]);
        bytes.push(0xc0);
        bytes.extend(packed(&call(2, "last", &record!["ACME"])));
        attacker.send(bytes);
        let answers = attacker.sync();
        assert_eq!(answers.len(), 2, "{answers:?}");
        assert_eq!((answers[0].kind(), answers[0].id()), (kind::REPLY, 1));
        assert_eq!(answers[1].error(), (0, 3, 1));
        assert_eq!(server.counters.unreadable_batches(), 1);
    });
}

#[test]
fn records_may_be_repeated() {
    attacked(|_, attacker| {
        for record in client_records(1) {
            attacker.say(&[record.clone(), record.clone(), record]);
        }
        attacker.sync();
    });
}

#[test]
fn records_of_calls_that_are_not_there_are_ignored() {
    attacked(|server, attacker| {
        for id in [1, 7, 999, u64::from(u32::MAX), u64::MAX] {
            for record in client_records(id).into_iter().filter(is_about_a_call) {
                attacker.say(&[record]);
            }
        }
        assert!(attacker.sync().is_empty());
        assert_eq!(server.counters.unreadable_batches(), 0);
    });
}

/// Reports whether the record refers to a call that must exist.
fn is_about_a_call(record: &Value) -> bool {
    matches!(record[0].as_u64(), Some(kind::ITEMS | kind::END | kind::CREDIT | kind::CANCEL))
}

#[test]
fn records_that_only_servers_send_are_counted() {
    attacked(|server, attacker| {
        attacker.say(&[call(1, "last", &record!["SLOW"])]);
        attacker.say(&[record![kind::REPLY, 1, Value::Binary(vec![0xc0])]]);
        attacker.say(&[record![kind::ERROR, 1, 5, "no", 2], record![kind::GOING_AWAY, 0]]);
        attacker.say(&[record![kind::ERROR, 0, 5]]);
        assert!(attacker.sync().is_empty(), "complaints are not answered with complaints");
        assert_eq!(server.counters.unreadable_batches(), 4);
    });
}

#[test]
fn other_versions_and_empty_messages_are_reported() {
    attacked(|server, attacker| {
        for version in [0, 2, 3, 0x7f, 0xff] {
            attacker.send([version]);
            assert_eq!(attacker.next().error(), (0, 12, 1));
        }
        attacker.send([]);
        assert_eq!(attacker.next().error(), (0, 12, 1));
        attacker.send([1]);
        assert!(attacker.sync().is_empty(), "a batch without records is fine");
        assert_eq!(server.counters.unreadable_batches(), 6);
    });
}

#[test]
fn unknown_kinds_are_reported_or_skipped() {
    attacked(|_, attacker| {
        for unknown in 12..64_u64 {
            attacker.say(&[record![unknown, 5, "whatever"]]);
            assert_eq!(attacker.next().error(), (5, 12, 1));
        }
        attacker.say(&[record![0, 5]]);
        assert_eq!(attacker.next().error(), (5, 12, 1));
        for skipped in [64, 67, 255, 256, 65_536, u64::MAX] {
            attacker.say(&[record![skipped, 5, "whatever"]]);
        }
        assert!(attacker.sync().is_empty());
    });
}

#[test]
fn ids_are_unique_and_not_zero() {
    attacked(|server, attacker| {
        attacker.say(&[call(0, "last", &record!["ACME"])]);
        assert_eq!(attacker.next().error(), (0, 3, 1));
        attacker.say(&[call(7, "last", &record!["SLOW"]), call(7, "last", &record!["ACME"])]);
        assert_eq!(attacker.next().error(), (7, 3, 0));
        attacker.say(&[call(u64::MAX, "last", &record!["ACME"])]);
        let reply = attacker.next();
        assert_eq!((reply.kind(), reply.id()), (kind::REPLY, u64::MAX));
        assert_eq!(server.counters.refused_calls(), 2);
        attacker.say(&[record![kind::CANCEL, 7], call(7, "last", &record!["ACME"])]);
        assert_eq!(attacker.next().kind(), kind::REPLY, "the first was in flight until it was cancelled");
    });
}

#[test]
fn methods_are_called_by_full_name_and_with_the_right_record() {
    attacked_with(&Serving::start().lossy(), |server, attacker| {
        let body = || Value::Binary(vec![0x90]);
        for name in ["", "/", "market.v1.Tape", "market.v1.Tape/", "market.v1.Tape/lost", "Tape/last"] {
            attacker.say(&[record![kind::CALL, 1, name, body()]]);
            assert_eq!(attacker.next().error(), (1, 12, 0), "`{name}`");
        }
        attacker.say(&[record![kind::CALL, 1, "x".repeat(1_000_000), body()]]);
        let told = attacker.next();
        assert_eq!(told.error(), (1, 12, 0));
        assert!(told.bytes.len() < 2_000, "a long name is truncated in the error");
        attacker.say(&[call(1, "note", &record!["lunch"])]);
        assert_eq!(attacker.next().error(), (1, 3, 0));
        attacker.say(&[record![kind::ONE_WAY, 0, tape("last"), body()]]);
        attacker.say(&[record![kind::ONE_WAY, 0, tape("lost"), body()]]);
        attacker.say(&[record![kind::ONE_WAY, 0, tape("note"), body()]]);
        assert!(attacker.sync().is_empty());
        assert_eq!(server.counters.refused_calls(), 11);
    });
}

#[test]
fn a_call_that_is_too_late_does_not_run() {
    attacked(|server, attacker| {
        let body = Value::Binary(packed(&record!["ACME"]));
        attacker.say(&[record![kind::CALL, 1, tape("last"), body.clone(), 0]]);
        assert_eq!(attacker.next().error(), (1, 4, 0));
        assert_eq!(server.counters.calls(), 0);
        attacker.say(&[record![kind::CALL, 1, tape("last"), body, u64::MAX]]);
        assert_eq!(attacker.next().kind(), kind::REPLY, "a time beyond all clocks is none");
    });
}

#[test]
fn metadata_have_limits() {
    attacked(|server, attacker| {
        let entry = |n: u32| (Value::from(n.to_string()), Value::from("v"));
        let with = |metadata: Vec<(Value, Value)>| {
            let body = Value::Binary(packed(&record!["ACME"]));
            record![kind::CALL, 1, tape("last"), body, Value::Nil, Value::Map(metadata)]
        };
        attacker.say(&[with((0..64).map(entry).collect())]);
        assert_eq!(attacker.next().kind(), kind::REPLY);
        attacker.say(&[with((0..65).map(entry).collect())]);
        assert_eq!(attacker.next().error(), (1, 8, 0));
        attacker.say(&[with((0..100_000).map(entry).collect())]);
        assert_eq!(attacker.next().error(), (1, 8, 0));
        attacker.say(&[with(vec![("a".into(), Value::Binary(vec![0; 16_384]))])]);
        assert_eq!(attacker.next().error(), (1, 8, 0));
        attacker.say(&[with(vec![entry(1); 100_000])]);
        assert_eq!(attacker.next().kind(), kind::REPLY, "one name, set again and again");
        assert_eq!(server.counters.refused_calls(), 3);
    });
}

#[test]
fn bodies_have_a_limit_and_messages_a_hard_limit() {
    let server = Serving::with(|server| server.max_message_size(1024));
    attacked_with(&server, |server, attacker| {
        attacker.say(&[call(1, "poll", &record!["x".repeat(2000)])]);
        assert_eq!(attacker.next().error(), (1, 8, 0));
        // The answer would be past the limit, too.
        attacker.say(&[call(1, "poll", &record!["x".repeat(1000)])]);
        let (id, code, _) = attacker.next().error();
        assert_eq!((id, code, server.counters.refused_calls()), (1, 8, 1));
        // Past the hard limit the connection is cut, which other clients do not notice.
        let cut = Dealer::connect(&server.endpoint);
        cut.send(vec![1; 2_000_000]);
        attacker.good_call();
    });
}

#[test]
fn calls_in_flight_have_a_limit() {
    let server = Serving::with(|server| server.max_calls_per_peer(2).max_calls(3));
    attacked_with(&server, |server, attacker| {
        for id in 1..=3 {
            attacker.say(&[call(id, "last", &record!["SLOW"])]);
        }
        assert_eq!(attacker.next().error(), (3, 8, 0), "one client has two");
        let mut other = Dealer::connect(&server.endpoint);
        other.say(&[call(1, "last", &record!["SLOW"]), call(2, "last", &record!["SLOW"])]);
        assert_eq!(other.next().error(), (2, 8, 0), "all clients have three");
        for dealer in [attacker, &mut other] {
            dealer.say(&[record![kind::CANCEL, 1], record![kind::CANCEL, 2]]);
            dealer.sync();
        }
    });
}

#[test]
fn a_message_may_have_a_route_of_limited_size() {
    attacked_with(&Serving::start().lossy(), |server, attacker| {
        let ping = batch(&[record![kind::PING, 5]]);
        for frames in [vec![&b""[..], &ping], vec![b"a", b"", b"\0\xff", &ping], vec![&[7; 255], &ping]] {
            attacker.send_frames(&frames);
            assert_eq!(attacker.next().kind(), kind::PONG, "the last frame is the batch");
        }
        assert_eq!(server.counters.unreadable_batches(), 0);
        attacker.send_frames(&[&[7; 3000], &ping]);
        let many = vec![&b"x"[..]; 2000];
        attacker.send_frames(&many);
        assert!(attacker.sync().is_empty(), "an answer can't be addressed");
        assert_eq!(server.counters.dropped(Dropped::RouteTooLong), 2);
    });
}

#[test]
fn many_routes_are_many_clients() {
    // The last of them are told long after the first.
    let patient = Serving::with(|server| server.peer_timeout(Duration::from_hours(1)));
    attacked_with(&patient, |_, attacker| {
        let ping = batch(&[record![kind::PING, 5]]);
        for route in 0..20_000_u32 {
            attacker.send_frames(&[&route.to_be_bytes(), &ping]);
        }
        // Pongs of clients whose queue was full arrive later than the others.
        let mut pongs = attacker.sync().len();
        while pongs < 20_000 {
            assert_eq!(attacker.next().kind(), kind::PONG);
            pongs += 1;
        }
    });
}

/// Both engines, by `engines`.
#[test]
fn made_up_routes_share_the_limits_of_their_connection() {
    let one = Serving::with(|server| server.middleware(ConcurrencyLimit::per_peer(1)));
    attacked_with(&one, |_, attacker| {
        let holds = batch(&[call(1, "last", &record!["SLOW"])]);
        attacker.send_frames(&[&b"a"[..], &holds]);
        attacker.send_frames(&[&b"b"[..], &batch(&[call(2, "last", &record!["ACME"])])]);
        assert_eq!(attacker.next().error(), (2, 8, 0));
        attacker.send_frames(&[&b"a"[..], &batch(&[record![kind::CANCEL, 1]])]);
        Dealer::connect(&one.endpoint).good_call();
        // The handler of a cancelled call is dropped by its own task, soon.
        let until = Instant::now() + Duration::from_secs(10);
        let is_served = |id: u64, attacker: &mut Dealer| {
            attacker.send_frames(&[&b"b"[..], &batch(&[call(id, "last", &record!["ACME"])])]);
            loop {
                let record = attacker.next();
                if record.id() == id {
                    break record.kind() == kind::REPLY;
                }
            }
        };
        let mut id = 3;
        while !is_served(id, attacker) {
            assert!(Instant::now() < until, "its call counts for ever");
            id += 1;
        }
    });
}

#[test]
fn announced_lengths_are_not_trusted() {
    attacked(|server, attacker| {
        for bytes in huge_announcements() {
            attacker.send(&bytes);
            attacker.sync();
        }
        assert!(server.counters.unreadable_batches() > 0);
    });
}

#[test]
fn a_client_that_does_not_read_is_told_that_it_was_given_up() {
    let brief = Duration::from_millis(200);
    let server = Serving::with(|server| server.peer_timeout(brief)).lossy();
    let mut attacker = Dealer::connect_narrow(&server.endpoint);
    attacker.say(&[call(1, "last", &record!["SLOW"])]);
    for id in 2..400 {
        attacker.say(&[call(id, "poll", &record!["x".repeat(100_000)])]);
    }
    let mut other = Dealer::connect(&server.endpoint);
    while server.counters.dropped(Dropped::NotRead) == 0 {
        other.good_call();
    }
    assert_eq!(server.counters.lost_peers(), 1);
    // The client reads at last: answers, and then the notice that no more will follow.
    let told = loop {
        let record = attacker.next();
        if record.kind() == kind::ERROR {
            break record.error();
        }
    };
    assert_eq!(told, (0, 14, 1));
    attacker.good_call();
    assert_no_panics();
}

/// Sends batches in portions, so that neither side's queue grows without bound.
fn flood(attacker: &mut Dealer, batches: impl Iterator<Item = Vec<u8>>) {
    for (index, bytes) in batches.enumerate() {
        attacker.send(bytes);
        if index % 200 == 199 {
            attacker.sync();
        }
    }
    attacker.sync();
}

#[test]
fn noise_is_told_and_counted() {
    attacked(|server, attacker| {
        let mut random = Random::new(0x5eed_0001);
        flood(attacker, (0..20_000).map(|_| random.noise()));
        assert!(server.counters.unreadable_batches() > 10_000);
    });
}

#[test]
fn mutated_records_are_reported_accepted_or_ignored() {
    attacked_with(&Serving::start().lossy(), |server, attacker| {
        let mut random = Random::new(0x5eed_0002);
        let mut good: Vec<Vec<u8>> =
            (0..4).flat_map(client_records).map(|record| batch(std::slice::from_ref(&record))).collect();
        good.push(batch(&client_records(5)));
        good.push(batch(&[call_with_credit(6, "watch", &record![record!["ACME", "FOREVER"]], 500)]));
        good.push(batch(&[call(7, "import", &record!["desk"])]));
        good.push(batch(&[call_with_credit(8, "converse", &record![], 1000)]));
        let changed = (0..20_000).map(|_| {
            let base = &good[random.below(good.len())];
            random.mutated(base)
        });
        flood(attacker, changed.collect::<Vec<_>>().into_iter());
        assert!(server.counters.unreadable_batches() > 1_000 && server.counters.calls() > 100);
    });
}
