//! Peers that send more than the other side has time to read, and then reset their connections. libzmq must not have
//! stopped reading from such a connection: its next ping, or a PING of the peer that it holds, would end the whole
//! process.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use zsvc_faults::Signal;

use crate::raw::{EMPTY, PING, READY, READY_ROUTER, greet, say_and_reset};
use crate::support::{Served, plays, run};

/// A message: a call of `block` with the id 1, for a second, according to docs/protocol.md. The server reads nothing
/// meanwhile.
const BLOCK: &[u8] = b"\0\x23\x01\x94\x01\x01\xb6faults.v1.Ledger/block\xc4\x06\x91\xce\x3b\x9a\xca\x00";
/// A message: a one-way call of `note` with the key 7.
const NOTE: &[u8] = b"\0\x1e\x01\x94\x02\0\xb5faults.v1.Ledger/note\xc4\x02\x91\x07";
/// Number of messages; more than libzmq queues for a peer where it is told to queue few.
const FLOOD_MESSAGES: usize = 1_000;

/// Checks that a server reads everything that a client has sent behind a call that blocks it, and serves earlier and
/// later clients.
async fn survives(server: &Served, last: &[u8]) {
    let before = server.client().await;
    let address = server.endpoint().strip_prefix("tcp://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    greet(&mut connection).await;
    say_and_reset(connection, &[READY, BLOCK, &EMPTY.repeat(FLOOD_MESSAGES), last, NOTE].concat()).await;
    while server.written(7) == 0 {
        before.look().await.unwrap();
    }
    let after = server.client().await;
    assert_eq!(after.enter(1, Duration::ZERO).await.unwrap(), 1);
}

/// The server's own pings come due while it is blocked.
#[test]
fn a_client_that_floods_a_busy_server_and_resets_its_connection_takes_nobody_down() {
    run(async {
        let server = Served::with(&["--heartbeat", "100"]).await;
        survives(&server, b"").await;
    });
}

/// The server never pings; the client's PING is behind what was not read.
#[test]
fn a_client_that_floods_pings_and_resets_its_connection_takes_nobody_down() {
    run(async {
        let server = Served::with(&["--heartbeat", "3600000"]).await;
        survives(&server, PING).await;
    });
}

/// The client's own pings come due while it is blocked.
#[test]
fn a_server_that_floods_a_busy_client_and_resets_its_connection_does_not_take_it_down() {
    run(async {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("tcp://{}", server.local_addr().unwrap());
        let mut client = plays(&endpoint, "daze");
        let (mut connection, _) = server.accept().await.unwrap();
        greet(&mut connection).await;
        client.signal(Signal::Terminate).await.unwrap();
        client.says("dazed").await.unwrap();
        say_and_reset(connection, &[READY_ROUTER, &EMPTY.repeat(FLOOD_MESSAGES)].concat()).await;
        assert!(client.ended().await.unwrap().success());
    });
}
