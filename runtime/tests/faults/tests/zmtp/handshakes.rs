//! Handshakes that stop halfway, take forever, or are no ZMTP.

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use crate::raw::{EMPTY, GREETING, READY};
use crate::support::run;
use crate::{
    COMMAND, MORE, Raw, assert_serves, client, command, frame, greeting_of_3_1, note, ready, served,
    until_written,
};

const HALF_OPEN: usize = 4_000;
/// Memory of the server for one of them in bytes: its task, its tables and the allocator's share.
const MAX_HALF_OPEN_BYTES: u64 = 16 * 1024;

#[test]
fn thousands_of_handshakes_that_stop_halfway_cost_little_and_are_cut_off() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let (before, files) = (ledger.look().await.unwrap(), server.open_files());
        let whole = [&greeting_of_3_1()[..], READY].concat();
        let mut crowd = Vec::new();
        for nth in 0..HALF_OPEN {
            let mut raw = Raw::connect(&server).await;
            raw.say(&whole[..nth % whole.len()]).await;
            crowd.push(raw);
        }
        while server.open_files() < files + HALF_OPEN {
            ledger.enter(0, Duration::ZERO).await.unwrap();
        }
        let during = ledger.look().await.unwrap();
        let taken = during.resident.saturating_sub(before.resident);
        assert!(taken <= HALF_OPEN as u64 * MAX_HALF_OPEN_BYTES, "{taken} bytes");
        let late = async {
            join_all(crowd.iter_mut().map(Raw::cut)).await;
            while server.open_files() > files {
                tokio::task::yield_now().await;
            }
        };
        let calls = async {
            loop {
                ledger.enter(0, Duration::ZERO).await.unwrap();
            }
        };
        tokio::select! {
            () = late => {}
            () = calls => {}
        }
        assert_serves(&server, &ledger).await;
    });
}

/// Each byte is a sign of life, but the time for a handshake is the same for all.
#[test]
fn a_handshake_a_byte_at_a_time_has_no_more_time_than_any() {
    run(async {
        let server = served().await;
        let mut raw = Raw::connect(&server).await;
        let mut clock = tokio::time::interval(Duration::from_secs(1));
        for byte in GREETING {
            clock.tick().await;
            if !raw.try_say(&[*byte]).await {
                break;
            }
        }
        assert!(!raw.try_say(b"\0").await, "it is cut off before its greeting is complete");
        assert_serves(&server, &client(&server).await).await;
    });
}

#[test]
fn a_handshake_and_a_call_a_byte_at_a_time_are_as_good_as_any() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let mut raw = Raw::connect(&server).await;
        for byte in [&greeting_of_3_1()[..], READY, &note(7)].concat() {
            raw.say(&[byte]).await;
            tokio::task::yield_now().await;
        }
        until_written(&server, &ledger, 7).await;
    });
}

/// A peer that speaks something else, or nothing that can be understood, is cut off at once, and not when its time is over.
#[test]
fn what_is_no_handshake_is_cut_off_at_once() {
    let greeting = greeting_of_3_1();
    let changed = |at: usize, byte: u8| {
        let mut greeting = greeting.clone();
        greeting[at] = byte;
        greeting
    };
    let after = |bytes: &[u8]| [&greeting[..], bytes].concat();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: tape.example\r\n\r\n".to_vec()),
        ("TLS", b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.6\r\n".to_vec()),
        ("zeros", vec![0; 1_000]),
        ("ones", vec![0xff; 1_000]),
        ("noise", (0..1_000_u32).map(|nth| nth.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect()),
        ("no signature's end", changed(9, 0)),
        ("version 1", changed(10, 1)),
        ("version 2", changed(10, 2)),
        ("PLAIN", {
            let mut greeting = greeting.clone();
            greeting[12..17].copy_from_slice(b"PLAIN");
            greeting
        }),
        ("CURVE", {
            let mut greeting = greeting.clone();
            greeting[12..17].copy_from_slice(b"CURVE");
            greeting
        }),
        ("a mechanism of noise", changed(12, 0xff)),
        ("a message before the handshake is over", after(EMPTY)),
        ("a frame with unknown flags", after(&frame(0x80, b""))),
        ("a command with more", after(&frame(COMMAND | MORE, b"\x05READY"))),
        ("a command without a name", after(&frame(COMMAND, b""))),
        ("a command with a name that is cut", after(&frame(COMMAND, b"\x06READY"))),
        ("another command", after(&command("HELLO", b"\x01a\x01b"))),
        ("a ping", after(&command("PING", b"\0\0"))),
        ("a refusal", after(&command("ERROR", b"\x02no"))),
        ("metadata that are cut", after(&command("READY", b"\x0bSocket-Type\0\0\0\x07DEALER"))),
        ("metadata that lie", after(&command("READY", b"\x0bSocket-Type\xff\xff\xff\xffDEALER"))),
        ("no metadata", after(&command("READY", b""))),
        ("a long routing id", after(&ready("DEALER", &[7; 256]))),
        ("a long command", after(&frame(COMMAND, &[&b"\x05READY"[..], &[0; 9_000]].concat()))),
        ("an endless command", after(b"\x06\xff\xff\xff\xff\xff\xff\xff\xff")),
    ];
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let silent = Raw::connect(&server).await;
        for (what, bytes) in cases {
            let mut raw = Raw::connect(&server).await;
            raw.try_say(&bytes).await;
            raw.cut().await;
            assert!(!raw.try_say(EMPTY).await || raw.cut().await.is_empty(), "{what}");
        }
        // One that has said nothing, and came before all of them, still has time.
        let mut silent = silent;
        assert_eq!(silent.hear(GREETING.len()).await.len(), GREETING.len());
        assert!(silent.is_up_and_silent());
        assert_serves(&server, &ledger).await;
    });
}

#[test]
fn sockets_that_can_not_talk_to_a_server_are_told_so() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        for socket_type in ["PUB", "SUB", "PUSH", "PULL", "REP", "PAIR", "CLIENT", "dealer", "", "DEALER "] {
            let mut raw = Raw::connect(&server).await;
            raw.say(&[greeting_of_3_1(), ready(socket_type, b"")].concat()).await;
            let heard = raw.cut().await;
            let reason = b"\x05ERROR\x1dSocket type is not compatible";
            assert!(heard.ends_with(reason), "{socket_type}: {}", heard.escape_ascii());
        }
        for (key, socket_type) in [(1, "DEALER"), (2, "REQ"), (3, "ROUTER")] {
            let mut raw = Raw::connect(&server).await;
            raw.say(&[greeting_of_3_1(), ready(socket_type, b""), note(key)].concat()).await;
            until_written(&server, &ledger, key).await;
        }
    });
}

/// A batch: a call of `mirror` with the id 1 and 1 MiB of credit, according to docs/protocol.md.
const MIRROR: &[u8] = b"\x01\x97\x01\x01\xb7faults.v1.Ledger/mirror\xc4\x01\x90\xc0\xc0\xce\0\x10\0\0";
/// A batch: an item of that stream, of a byte.
const ITEM: &[u8] = b"\x01\x93\x05\x01\xc4\x03\xc4\x01\x07";

#[test]
fn peers_that_announce_the_same_routing_id_do_not_disturb_each_other() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let mut crowd = Vec::new();
        for _ in 0..10 {
            let mut raw = Raw::connect(&server).await;
            raw.say(&[&greeting_of_3_1()[..], &ready("DEALER", b"me"), &frame(0, MIRROR)].concat()).await;
            raw.hear(GREETING.len() + crate::READY_OF_SERVER).await;
            crowd.push(raw);
        }
        // The calls of all of them are in flight, with the same id each.
        crate::support::until(&ledger, |server| server.running == 10).await.unwrap();
        let answered = stream::iter(&mut crowd).then(async |raw| {
            raw.say(&frame(0, ITEM)).await;
            raw.hear_until(&ITEM[6..]).await;
        });
        assert_eq!(answered.count().await, 10);
        // One that goes takes no call of another along.
        crowd.truncate(9);
        crate::support::until(&ledger, |server| server.running == 9).await.unwrap();
        assert_serves(&server, &ledger).await;
        assert_eq!(ledger.look().await.unwrap().running, 9);
    });
}
