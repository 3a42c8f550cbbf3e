//! Lengths that lie, messages without end, commands where none belong.

use crate::raw::{EMPTY, GREETING, READY};
use crate::support::run;
use crate::{
    COMMAND, LONG, MORE, Raw, assert_serves, client, command, frame, greeting_of_3_1, note, peak, served,
    served_with, until_written,
};

/// Bytes of a frame past which a connection is cut. A shorter one that is too long to be kept is read and dropped.
const MAX_SKIPPED_BYTES: u64 = 1 << 30;

/// Bytes of a message past which nothing of it is kept, by default: four times the maximum body, and 256 KiB.
const MAX_RECEIVED_BYTES: u64 = 4 * (16 << 20) + (256 << 10);

/// Returns the header of a long frame.
fn header(flags: u8, length: u64) -> Vec<u8> {
    [&[flags | LONG][..], &length.to_be_bytes()].concat()
}

#[test]
fn what_is_no_frame_is_cut_off_by_its_header() {
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("the longest length", header(0, u64::MAX)),
        ("the longest signed length", header(0, i64::MAX as u64)),
        ("half of the address space", header(MORE, 1 << 47)),
        ("a byte too many", header(0, MAX_SKIPPED_BYTES + 1)),
        ("a byte too many before the last frame", header(MORE, MAX_SKIPPED_BYTES + 1)),
        ("a command of such a length", header(COMMAND, u64::MAX)),
        ("a command of 8 KiB and a byte", header(COMMAND, 8 * 1024 + 1)),
        ("unknown flags", frame(0x08, b"")),
        ("all flags", vec![0xff, 0]),
        ("a command with more", frame(COMMAND | MORE, b"\x04PING\0\0")),
        ("a command without a name", frame(COMMAND, b"")),
        ("a command with a name that is cut", frame(COMMAND, b"\x05PING")),
        ("a ping without a time to live", command("PING", b"")),
        ("a ping with half of one", command("PING", b"\0")),
        ("a ping with too long a context", command("PING", &[0; 19])),
        ("an error", command("ERROR", b"\x03bye")),
        ("a ping inside a message", [frame(MORE, b"a"), command("PING", b"\0\0")].concat()),
        ("an unknown command inside a message", [frame(MORE, b"a"), command("LATER", b"")].concat()),
        ("a message of a million frames", frame(MORE, b"").repeat(1_000_000)),
        ("a message of frames without end", frame(MORE, b"a").repeat(1_000_000)),
    ];
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let before = ledger.look().await.unwrap();
        for (what, bytes) in cases {
            let mut raw = Raw::ready(&server).await;
            // It may be cut off before all of it is sent.
            raw.try_say(&bytes).await;
            let heard = raw.cut().await;
            assert!(heard.is_empty(), "{what}: {}", heard.escape_ascii());
        }
        let after = ledger.look().await.unwrap();
        let most = before.resident + (8 << 20);
        assert!(after.resident < most, "before: {}, after: {}", before.resident, after.resident);
        assert_serves(&server, &ledger).await;
    });
}

#[test]
fn announced_bodies_cost_nothing_before_they_come() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let before = ledger.look().await.unwrap();
        let mut crowd = Vec::new();
        for key in 0..100 {
            let mut raw = Raw::ready(&server).await;
            raw.say(&[note(key), header(0, MAX_RECEIVED_BYTES), vec![1; 1_000]].concat()).await;
            until_written(&server, &ledger, key).await;
            crowd.push(raw);
        }
        let during = ledger.look().await.unwrap();
        // 64 KiB are reserved for each, of which some are written to; 6 GiB were announced.
        let most = before.resident + 100 * (128 << 10);
        assert!(during.resident < most, "before: {}, during: {}", before.resident, during.resident);
        // Bodies that end too soon are nothing, however they end.
        for (nth, raw) in crowd.into_iter().enumerate() {
            if nth % 2 == 0 { raw.reset() } else { drop(raw) }
        }
        assert_serves(&server, &ledger).await;
        let after = ledger.look().await.unwrap();
        assert_eq!((after.running, after.dropped, after.lost_peers), (0, 0, 0));
    });
}

#[test]
fn commands_between_messages_are_answered_or_skipped() {
    let between: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (command("PING", b"\0\0"), command("PONG", b"")),
        (command("PING", b"\0\0context of 16 by"), command("PONG", b"context of 16 by")),
        (command("PONG", b""), Vec::new()),
        (command("PONG", b"of no ping"), Vec::new()),
        (command("LATER", &[7; 8_000]), Vec::new()),
        (command("SUBSCRIBE", b"topic"), Vec::new()),
        (command("READY", b"\x0bSocket-Type\0\0\0\x03PUB"), Vec::new()),
        (command(&"x".repeat(255), b""), Vec::new()),
    ];
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let mut raw = Raw::ready(&server).await;
        for (key, (said, answer)) in (1..).zip(between) {
            raw.say(&[EMPTY, &said, &note(key)].concat()).await;
            until_written(&server, &ledger, key).await;
            let heard = raw.hear(answer.len()).await;
            assert_eq!(heard, answer, "{}", said.escape_ascii());
            assert!(raw.is_up_and_silent(), "{}", said.escape_ascii());
        }
    });
}

/// The number of frames past which a message can't be read, and that past which its connection is cut.
const MANY_FRAMES: [usize; 2] = [600, 2_200];

#[test]
fn a_message_of_many_frames_costs_no_more_than_itself() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let mut raw = Raw::ready(&server).await;
        for (key, frames) in (1..).zip(MANY_FRAMES) {
            for body in [&b""[..], b"a", &[7; 300]] {
                raw.say(&[frame(MORE, body).repeat(frames), EMPTY.to_vec()].concat()).await;
            }
            raw.say(&note(key)).await;
            until_written(&server, &ledger, key).await;
        }
    });
}

/// A message may have several large frames. Once the sum of them is too large, none of them is kept.
#[test]
fn frames_that_are_too_large_together_are_not_kept() {
    run(async {
        let server = served_with(&["--message-size", "1048576"]).await;
        let ledger = client(&server).await;
        let before = ledger.look().await.unwrap();
        let most = 4 * (1 << 20) + (256 << 10);
        // Each frame is within the bound, and so is the first alone.
        let said = [frame(MORE, &vec![7; most]), header(0, most as u64), vec![7; most - 1]].concat();
        let mut crowd = Vec::new();
        for _ in 0..20 {
            let mut raw = Raw::ready(&server).await;
            raw.say(&said).await;
            crowd.push(raw);
        }
        for (key, raw) in (0..).zip(&mut crowd) {
            raw.say(&[&[7][..], &note(key)].concat()).await;
            until_written(&server, &ledger, key).await;
        }
        let taken = peak(&server) - before.resident;
        // Half as much again for buffers that grow, and for the allocator. Both frames together would be twice as much.
        assert!(taken <= 20 * most as u64 * 3 / 2, "{taken} bytes");
    });
}

/// Peers of version 3.0 know no pings, and send none.
#[test]
fn a_peer_of_zmtp_3_0_is_served_and_never_pinged() {
    run(async {
        // Its heartbeats come due many times while the other client is served.
        let server = served_with(&["--heartbeat", "20"]).await;
        let ledger = client(&server).await;
        let mut old = Raw::connect(&server).await;
        old.say(&[&GREETING[..], READY].concat()).await;
        old.hear(GREETING.len() + crate::READY_OF_SERVER).await;
        let mut new = Raw::connect(&server).await;
        new.say(&[&greeting_of_3_1()[..], READY].concat()).await;
        new.hear(GREETING.len() + crate::READY_OF_SERVER).await;
        let ping = command("PING", b"\0\0");
        for _ in 0..3 {
            assert_eq!(new.hear(ping.len()).await, ping);
            new.say(&command("PONG", b"")).await;
        }
        old.say(&note(7)).await;
        until_written(&server, &ledger, 7).await;
        assert!(old.is_up_and_silent());
    });
}
