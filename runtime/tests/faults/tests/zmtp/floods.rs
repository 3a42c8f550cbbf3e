//! Peers that send without end, do not read, or both; and more of them than a server has descriptors for.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UnixStream};

use crate::raw::{EMPTY, GREETING, READY};
use crate::support::{Served, run, until};
use crate::{
    Raw, assert_serves, client, command, frame, greeting_of_3_1, note, peak, served_with, until_written,
};
use zsvc_faults::faults::v1::Condition;

/// A batch: a call of `watch` with the id 1, for items of 60,000 bytes without end, and credit without end.
const WATCH: &[u8] = b"\x01\x97\x01\x01\xb6faults.v1.Ledger/watch\xc4\x0d\x92\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xcd\xea\x60\xc0\xc0\xcf\x7f\xff\xff\xff\xff\xff\xff\xff";

/// Connects with buffers that are full soon, and completes the handshake.
async fn narrow(server: &Served) -> Raw {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let address = server.endpoint().strip_prefix("tcp://").unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut raw = Raw(stream);
    raw.say(&[&greeting_of_3_1()[..], READY].concat()).await;
    stream = raw.0;
    stream.read_exact(&mut [0; GREETING.len() + crate::READY_OF_SERVER]).await.unwrap();
    Raw(stream)
}

/// Memory in bytes that a connection may take which floods a server.
const MAX_FLOOD_BYTES: u64 = 4 << 20;

/// Pongs for which there is no room are not kept: otherwise each ping would take some hundred bytes.
///
/// Over a Unix socket: over TCP, the system of a peer that does not read drops acknowledgements of what the peer sends with what it
/// has no room for, and the peer stands still by itself.
#[test]
fn pings_of_a_peer_that_does_not_read_take_no_memory() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("server");
        let server = served_with(&["--bind", &format!("ipc://{}", path.display())]).await;
        let ledger = client(&server).await;
        ledger.enter(0, Duration::ZERO).await.unwrap();
        let before = ledger.look().await.unwrap();
        let mut raw = UnixStream::connect(&path).await.unwrap();
        raw.write_all(&[&greeting_of_3_1()[..], READY].concat()).await.unwrap();
        raw.read_exact(&mut [0; GREETING.len() + crate::READY_OF_SERVER]).await.unwrap();
        let ping = command("PING", b"\0\0sixteen bytes...");
        // One by one, so that the server reads few at a time.
        for _ in 0..100_000 {
            raw.write_all(&ping).await.unwrap();
        }
        raw.write_all(&note(1)).await.unwrap();
        until_written(&server, &ledger, 1).await;
        let taken = peak(&server).saturating_sub(before.resident);
        assert!(taken < MAX_FLOOD_BYTES, "{taken} bytes");
        assert_serves(&server, &ledger).await;
    });
}

/// An empty message has two bytes, and what says that it has arrived has far more. That it is answered with an error has some forty
/// bytes, which wait for a client that does not read, up to the bound of such a client.
#[test]
fn empty_messages_take_no_memory_while_they_wait() {
    run(async {
        let server = served_with(&["--threads", "1"]).await;
        let ledger = client(&server).await;
        let before = ledger.look().await.unwrap();
        let mut crowd = Vec::new();
        for key in 0..20 {
            let mut raw = narrow(&server).await;
            raw.say(&[frame(0, b"").repeat(30_000), note(key)].concat()).await;
            crowd.push(raw);
        }
        for key in 0..20 {
            until_written(&server, &ledger, key).await;
        }
        let taken = peak(&server).saturating_sub(before.resident);
        assert!(taken < 20 * (1_536 << 10), "{taken} bytes");
        assert_serves(&server, &ledger).await;
    });
}

#[test]
fn commands_without_end_hold_up_nobody_else() {
    run(async {
        let server = served_with(&["--threads", "1"]).await;
        let ledger = client(&server).await;
        let floods: Vec<Vec<u8>> = vec![
            command("PING", b"\0\0").repeat(2_000),
            command("PONG", b"").repeat(2_000),
            command("LATER", &[7; 4_000]).repeat(10),
            EMPTY.repeat(10_000),
            frame(0, b"").repeat(10_000),
            frame(0, b"\xc1 is no batch").repeat(2_000),
        ];
        let mut crowd = tokio::task::JoinSet::new();
        for flood in floods {
            let mut raw = narrow(&server).await;
            crowd.spawn(async move { while raw.try_say(&flood).await {} });
        }
        for key in 0..100 {
            assert_eq!(ledger.enter(key, Duration::ZERO).await, Ok(key));
        }
        assert_serves(&server, &ledger).await;
        crowd.shutdown().await;
        let after = until(&ledger, |server| server.running == 0).await.unwrap();
        assert_eq!(after.lost_peers, 0, "none of them had calls in flight");
    });
}

#[test]
fn peers_that_never_read_what_they_asked_for_are_given_up() {
    run(async {
        let server = served_with(&["--peer-timeout", "1500", "--message-size", "65536"]).await;
        let ledger = client(&server).await;
        let before = ledger.look().await.unwrap();
        let mut crowd = Vec::new();
        for _ in 0..20 {
            let mut raw = narrow(&server).await;
            raw.say(&frame(0, WATCH)).await;
            crowd.push(raw);
        }
        // Their calls fail as soon as too much waits, and what waits is dropped after the peer timeout.
        let is_over = |server: &Condition| server.calls > 20 && server.running == 0 && server.dropped >= 20;
        until(&ledger, is_over).await.unwrap();
        // What waits for a client is up to twice 16 MiB, and a little more.
        let taken = peak(&server).saturating_sub(before.resident);
        assert!(taken < 20 * (36 << 20), "{taken} bytes");
        assert_serves(&server, &ledger).await;
    });
}

const FILES: usize = 40;

/// A connection that finds no descriptor waits in the system's queue, with what its client has sent.
#[test]
fn connections_past_the_last_descriptor_wait_and_are_then_served() {
    run(async {
        let server = Served::with_files(FILES, &["--engine", "zmtp"]).await;
        let ledger = client(&server).await;
        let address = server.endpoint().strip_prefix("tcp://").unwrap();
        let mut crowd = Vec::new();
        while server.open_files() < FILES {
            crowd.push(TcpStream::connect(address).await.unwrap());
            tokio::task::yield_now().await;
        }
        let mut late = Vec::new();
        for key in 0..20 {
            let mut raw = Raw::connect(&server).await;
            raw.say(&[&greeting_of_3_1()[..], READY, &note(key)].concat()).await;
            late.push(raw);
        }
        for key in 0..100 {
            assert_eq!(ledger.enter(key + 1_000, Duration::ZERO).await, Ok(key + 1_000));
        }
        drop(crowd);
        for key in 0..20 {
            until_written(&server, &ledger, key).await;
        }
        drop(late);
        assert_serves(&server, &ledger).await;
    });
}
