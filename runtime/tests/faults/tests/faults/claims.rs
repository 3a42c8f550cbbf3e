//! Peers that announce the routing id of another.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::raw::{GREETING, frame, greeting_of_3_1, ready};
use crate::support::{Served, run, until};

/// The first numbers of `rand` in a process that never seeds it, according to glibc.
const UNSEEDED: [u32; 6] =
    [1_804_289_383, 846_930_886, 1_681_692_777, 1_714_636_915, 1_957_747_793, 424_238_335];

/// Connects as a DEALER of this routing id, and waits until the server has completed the handshake.
async fn claim(server: &Served, routing_id: &[u8]) -> TcpStream {
    let address = server.endpoint().strip_prefix("tcp://").expect("the server is at a port");
    let mut peer = TcpStream::connect(address).await.expect("the server listens");
    peer.write_all(&[&greeting_of_3_1()[..], &ready("DEALER", routing_id)].concat()).await.unwrap();
    // And the head of its command.
    peer.read_exact(&mut [0; GREETING.len() + 2]).await.unwrap();
    peer
}

/// A batch: a call of `mirror` with the id 1, according to docs/protocol.md.
const MIRROR: &[u8] = b"\x01\x97\x01\x01\xb7faults.v1.Ledger/mirror\xc4\x01\x90\xc0\xc0\xce\0\x10\0\0";

/// On either engine a connection's calls are its own: with libzmq the second peer has the route of the first.
#[test]
fn a_peer_that_announces_the_routing_id_of_one_that_has_gone_is_another_peer() {
    run(async {
        let server = Served::with(&["--peer-timeout", "60000"]).await;
        let ledger = server.client().await;
        for gone in 0..4 {
            loop {
                let mut peer = claim(&server, b"me").await;
                peer.write_all(&frame(0, MIRROR)).await.unwrap();
                // The calls of those before have ended, and the id is free for this one's.
                let is_served = until(&ledger, |server| server.running == 1 && server.lost_peers >= gone);
                // libzmq does not hear a peer that comes before it has noticed that the one before has gone. So another comes, and one
                // more is lost if this one was only heard late.
                if tokio::time::timeout(Duration::from_secs(1), is_served).await.is_ok_and(|is| is.is_ok()) {
                    break;
                }
            }
        }
    });
}

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
