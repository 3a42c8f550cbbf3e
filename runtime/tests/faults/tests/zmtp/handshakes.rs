//! Handshakes that stop halfway, take forever, or are no ZMTP.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::raw::{EMPTY, GREETING, LONG, READY};
use crate::support::{Served, run};
use crate::{
    COMMAND, MORE, READY_OF_SERVER, Raw, assert_serves, client, command, frame, greeting_of_3_1, note, peak,
    ready, served, served_with, until_written,
};

const HALF_OPEN: usize = 4_000;
/// Memory of the server for one of them in bytes: its task, its tables and the allocator's share.
const MAX_HALF_OPEN_BYTES: u64 = 4 * 1024;

#[test]
fn thousands_of_handshakes_that_stop_halfway_cost_little_and_are_cut_off() {
    run(async {
        let server = served_with(&["--max-handshakes", "5000", "5000"]).await;
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

/// Number of connections that are in their handshake at the same time, as far as the server lets them.
const CROWD: usize = 10_000;
/// Number of addresses that they come from.
const ADDRESSES: usize = 16;
/// Maximum number of them that a server has by default.
const MAX_HANDSHAKES: usize = 4_096;

/// Connects from one of many addresses of this machine.
async fn connect_from(last: usize, server: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let last = u8::try_from(last).expect("there are 256");
    socket.bind((Ipv4Addr::new(127, 3, 0, last), 0).into())?;
    socket.connect(server).await
}

fn address(server: &Served) -> SocketAddr {
    let address = server.endpoint().strip_prefix("tcp://").expect("the server is at a port");
    address.parse().expect("it is an address")
}

/// Connects from one of several addresses, and says a part of a handshake.
async fn half_open(server: SocketAddr, nth: usize) -> std::io::Result<TcpStream> {
    let mut stream = connect_from(nth % ADDRESSES, server).await?;
    let whole = [&greeting_of_3_1()[..], READY].concat();
    stream.write_all(&whole[..nth % whole.len()]).await?;
    Ok(stream)
}

/// The crowd connects anew whenever it is cut off.
#[test]
fn ten_thousand_handshakes_that_never_end_keep_no_good_client_out() {
    let files = rlimit::increase_nofile_limit(u64::MAX).expect("the hard limit can be had");
    // Those of this process, and as many as its server may take.
    let crowd = CROWD.min(usize::try_from(files).unwrap_or(CROWD).saturating_sub(1_000));
    assert!(crowd > MAX_HANDSHAKES, "{files} files are too few for this test");
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let (before, files) = (ledger.look().await.unwrap(), server.open_files());
        let address = address(&server);
        let mut attack = JoinSet::new();
        for nth in 0..crowd {
            attack.spawn(async move {
                loop {
                    if let Ok(mut stream) = half_open(address, nth).await {
                        let _ = stream.read_to_end(&mut Vec::new()).await;
                    }
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
        crate::support::until(&ledger, |server| server.crowded > MAX_HANDSHAKES as u64).await.unwrap();
        let mut most_files = 0;
        for key in 0..20 {
            assert_eq!(client(&server).await.enter(key, Duration::ZERO).await, Ok(key));
            assert_eq!(ledger.enter(key, Duration::ZERO).await, Ok(key));
            most_files = most_files.max(server.open_files());
        }
        attack.shutdown().await;
        // What was cut off, but is not closed yet.
        let most = files + MAX_HANDSHAKES + MAX_HANDSHAKES / 2;
        assert!(most_files <= most, "{most_files} files, and {most} are to be expected");
        let taken = peak(&server).saturating_sub(before.resident);
        assert!(taken <= (MAX_HANDSHAKES as u64 * 3 / 2) * MAX_HALF_OPEN_BYTES, "{taken} bytes");
        assert_serves(&server, &ledger).await;
        assert_eq!(ledger.look().await.unwrap().lost_peers, 0);
    });
}

#[test]
fn handshakes_of_one_address_leave_room_for_others() {
    run(async {
        let server = served_with(&["--max-handshakes", "5", "1000"]).await;
        let ledger = client(&server).await;
        let (address, files) = (address(&server), server.open_files());
        let mut crowd = Vec::new();
        for _ in 0..100 {
            crowd.push(connect_from(1, address).await.unwrap());
        }
        crate::support::until(&ledger, |server| server.crowded >= 95).await.unwrap();
        // Clients of other addresses see nothing of it.
        assert_serves(&server, &ledger).await;
        while server.open_files() > files + 6 {
            tokio::task::yield_now().await;
        }
        // One of that address gets in once those that hang have had their time.
        let hello = [&greeting_of_3_1()[..], READY, &note(7)].concat();
        while server.written(7) == 0 {
            let mut stream = connect_from(1, address).await.unwrap();
            if stream.write_all(&hello).await.is_ok() {
                let _ = stream.read_exact(&mut [0; GREETING.len() + READY_OF_SERVER]).await;
            }
            ledger.enter(0, Duration::ZERO).await.unwrap();
        }
        drop(crowd);
    });
}

/// Those that find no place connect again.
#[test]
fn more_clients_at_once_than_there_may_be_handshakes_are_all_served() {
    run(async {
        let server = served_with(&["--max-handshakes", "1000", "16"]).await;
        let clients = (0..200).map(|key| {
            let server = &server;
            async move { client(server).await.enter(key, Duration::ZERO).await }
        });
        for (called, key) in join_all(clients).await.into_iter().zip(0..) {
            assert_eq!(called, Ok(key));
        }
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
        ("a long command", after(&frame(COMMAND, &[&b"\x05READY"[..], &[0; 1_024]].concat()))),
        ("a long command that does not come", after(&[COMMAND | LONG, 0, 0, 0, 0, 0, 0, 4, 1])),
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
