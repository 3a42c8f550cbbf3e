//! Peers that announce the routing id of another.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::raw::{GREETING, MORE, command, frame, greeting_of_3_1, property, ready};
use crate::support::{Served, run, until};

/// The first numbers of `rand` in a process that never seeds it, according to glibc.
const UNSEEDED: [u32; 6] =
    [1_804_289_383, 846_930_886, 1_681_692_777, 1_714_636_915, 1_957_747_793, 424_238_335];

/// Connects, ends the handshake by this command, and waits until the server has, too.
async fn connect(server: &Served, ready: &[u8]) -> TcpStream {
    let address = server.endpoint().strip_prefix("tcp://").expect("the server is at a port");
    let mut peer = TcpStream::connect(address).await.expect("the server listens");
    peer.write_all(&[&greeting_of_3_1()[..], ready].concat()).await.unwrap();
    // And the command of the server.
    peer.read_exact(&mut [0; GREETING.len() + 1]).await.unwrap();
    let length = peer.read_u8().await.unwrap();
    peer.read_exact(&mut vec![0; usize::from(length)]).await.unwrap();
    peer
}

/// Connects as a DEALER of this routing id.
async fn claim(server: &Served, routing_id: &[u8]) -> TcpStream {
    connect(server, &ready("DEALER", routing_id)).await
}

/// A batch: a call of `mirror` with the id 1, according to docs/protocol.md.
const MIRROR: &[u8] = b"\x01\x97\x01\x01\xb7faults.v1.Ledger/mirror\xc4\x01\x90\xc0\xc0\xce\0\x10\0\0";

/// A batch: a ping with the id 1.
const PING: &[u8] = b"\x01\x92\x09\x01";

#[test]
fn a_peer_that_announces_the_routing_id_of_one_that_has_gone_is_another_peer() {
    run(async {
        let server = Served::with(&["--engine", "zmtp", "--peer-timeout", "60000"]).await;
        let ledger = server.client().await;
        for gone in 0..4 {
            let mut peer = claim(&server, b"me").await;
            peer.write_all(&frame(0, MIRROR)).await.unwrap();
            // The call of the one before has ended, and the id is free for this one's.
            until(&ledger, |server| server.running == 1 && server.lost_peers >= gone).await.unwrap();
        }
    });
}

/// On libzmq the next peer with the id would go on with the calls of the one before, whatever its first message looks like.
#[test]
fn a_peer_that_announces_a_routing_id_is_told_that_it_is_not_heard() {
    run(async {
        let server = Served::with(&["--engine", "libzmq"]).await;
        let ledger = server.client().await;
        let of_no_type = command("READY", &property("Identity", b"of no type"));
        let firsts: [(Vec<u8>, &[&[u8]]); 6] = [
            (ready("DEALER", b"of a dealer"), &[]),
            (ready("REQ", b"of a req"), &[b""]),
            (ready("DEALER", b"of a device"), &[b"its peer"]),
            (ready("DEALER", b"\0almost a number"), &[]),
            (ready("DEALER", &[7; 1_000]), &[]),
            (of_no_type, &[]),
        ];
        for (ready, others) in firsts {
            let mut peer = connect(&server, &ready).await;
            let others: Vec<_> = others.iter().map(|other| frame(MORE, other)).collect();
            peer.write_all(&[others.concat(), frame(0, MIRROR)].concat()).await.unwrap();
            let (told, mut heard) = (b"announces a routing id", Vec::new());
            while !heard.windows(told.len()).any(|part| part == told) {
                heard.push(peer.read_u8().await.unwrap());
            }
        }
        let mut peer = claim(&server, b"of a long route").await;
        peer.write_all(&[frame(MORE, &[7; 3_000]), frame(0, MIRROR)].concat()).await.unwrap();
        let mut other = claim(&server, &[7; 3_000]).await;
        other.write_all(&frame(0, MIRROR)).await.unwrap();
        // These can't be told.
        until(&ledger, |server| server.dropped == 2).await.unwrap();
        let after = ledger.enter(1, Duration::ZERO).await.and(ledger.look().await).unwrap();
        assert_eq!((after.running, after.lost_peers), (0, 0));
    });
}

#[test]
fn what_a_peer_announces_goes_with_it() {
    run(async {
        let server = Served::with(&["--engine", "libzmq"]).await;
        let ledger = server.client().await;
        let much = property("X-Much", &vec![7; MUCH]);
        let mut before = None;
        for nth in 0..2 * PEERS {
            let routing_id = if nth % 2 == 0 { String::new() } else { format!("peer {nth}") };
            let properties = [
                property("Socket-Type", b"DEALER"),
                property("Identity", routing_id.as_bytes()),
                much.clone(),
            ];
            let mut peer = connect(&server, &command("READY", &properties.concat())).await;
            peer.write_all(&frame(0, PING)).await.unwrap();
            peer.read_u8().await.unwrap();
            // The memory of the first is used again for the next.
            before.get_or_insert(ledger.look().await.unwrap().resident);
        }
        let most = before.unwrap_or_default() + (PEERS * MUCH / 4) as u64;
        until(&ledger, |server| server.resident < most).await.unwrap();
    });
}

/// Number of peers, and the size in bytes of what each announces.
const PEERS: usize = 64;
const MUCH: usize = 1024 * 1024;

#[test]
fn peers_that_announce_the_next_routing_ids_of_a_server_do_not_end_it() {
    run(async {
        let server = Served::start().await;
        let mut crowd = Vec::new();
        for pair in UNSEEDED.windows(2) {
            // As libzmq makes its first id of two numbers; the next ones count up.
            let first = pair[0] | pair[1] << 31;
            for id in first..first + 8 {
                crowd.push(claim(&server, &[&[0][..], &id.to_be_bytes()].concat()).await);
            }
        }
        for key in 0..4 {
            let ledger = server.client().await;
            assert_eq!(ledger.enter(key, Duration::ZERO).await, Ok(key));
        }
    });
}
