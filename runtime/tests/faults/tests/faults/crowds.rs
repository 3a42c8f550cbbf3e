//! Resource exhaustion: clients that never read or never finish, thousands of connections, no free descriptors, and
//! streams opened and closed endlessly. Well-behaved clients are served throughout, and afterwards the server is as
//! before.

use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zsvc_faults::faults::v1::LedgerClient;

use crate::raw::{self, GREETING, READY};
use crate::support::{Served, client_with, played, run, until};

#[test]
fn clients_that_never_read_or_never_end_hold_up_nobody_else() {
    run(async {
        let server = Served::start().await;
        let ledger = server.client().await;
        let mut clients = Vec::new();
        for part in ["hoard", "dawdle", "hoard", "dawdle"] {
            clients.push(played(server.endpoint(), part).await);
        }
        let before = until(&ledger, |server| server.running == 4).await.unwrap();
        let mut items = ledger.watch(20_000, 1_000).await.unwrap();
        let mut count = 0;
        while let Some(item) = items.next().await {
            item.unwrap();
            count += 1;
        }
        assert_eq!(count, 20_000);
        for key in 0..100 {
            ledger.enter(key, Duration::ZERO).await.unwrap();
        }
        let after = ledger.look().await.unwrap();
        assert_eq!((after.running, after.lost_peers, after.dropped), (4, 0, 0));
        // Four readers have 1 MiB of credit in all; the rest of the slack is for the allocator.
        assert!(after.resident < before.resident + 16 * 1024 * 1024, "{before:?} {after:?}");
    });
}

/// A message: a call of `wait` with the id 1 and no deadline, according to docs/protocol.md.
const CALL: &[u8] = b"\0\x1d\x01\x94\x01\x01\xb5faults.v1.Ledger/wait\xc4\x01\x90";

/// What a connection does before it is closed.
#[derive(Clone, Copy)]
enum Visit {
    /// Sends nothing.
    Mute,
    /// Ends in the middle of the handshake.
    Half,
    /// Makes a call that never ends.
    Calling,
}

async fn visit(address: &str, visit: Visit) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    match visit {
        Visit::Mute => {}
        Visit::Half => connection.write_all(&GREETING[..40]).await.unwrap(),
        Visit::Calling => {
            raw::greet(&mut connection).await;
            connection.write_all(&[READY, CALL].concat()).await.unwrap();
            // Dropping a connection with unread data would lose what was sent.
            connection.shutdown().await.unwrap();
            connection.read_to_end(&mut Vec::new()).await.unwrap();
        }
    }
}

#[test]
fn five_thousand_connections_that_connect_and_vanish_leave_nothing_behind() {
    run(async {
        let server = Served::start().await;
        let ledger = server.client().await;
        ledger.enter(0, Duration::ZERO).await.unwrap();
        let files = server.open_files();
        let address = server.endpoint().strip_prefix("tcp://").unwrap();
        let visits = [Visit::Mute, Visit::Half, Visit::Calling].into_iter().cycle().take(5_000);
        stream::iter(visits).for_each_concurrent(200, |kind| visit(address, kind)).await;
        assert_eq!(ledger.enter(1, Duration::ZERO).await.unwrap(), 1);
        until(&ledger, |server| server.running == 0).await.unwrap();
        while server.open_files() > files {
            tokio::task::yield_now().await;
        }
        let condition = ledger.look().await.unwrap();
        assert!(condition.calls > 1_000, "the calls arrived: {condition:?}");
    });
}

#[test]
fn a_server_without_descriptors_serves_whom_it_has_and_takes_others_once_it_can() {
    run(async {
        let server = Served::with_files(40, &[]).await;
        let ledger = server.client().await;
        let address = server.endpoint().strip_prefix("tcp://").unwrap();
        let mut crowd = Vec::new();
        while server.open_files() < 40 {
            crowd.push(TcpStream::connect(address).await.unwrap());
            // The backlog accepts more connections than the server can.
            tokio::task::yield_now().await;
        }
        for key in 0..100 {
            assert_eq!(ledger.enter(key, Duration::ZERO).await.unwrap(), key);
        }
        drop(crowd);
        let late = server.client().await;
        assert_eq!(late.enter(100, Duration::ZERO).await.unwrap(), 100);
    });
}

const STREAMS: u64 = 100_000;
/// Size of the smallest allocation in bytes: if each stream leaked even one, the test would fail.
const MIN_ALLOCATION_BYTES: u64 = 32;

#[test]
fn a_hundred_thousand_streams_leave_no_memory_behind() {
    run(async {
        let server = Served::start().await;
        // A small window: about as many bytes as a stream reads before it is dropped.
        let ledger = client_with(server.endpoint(), |channel| channel.stream_window(200)).await;
        // Memory for the first streams stays allocated: pools, tables, the allocator's arenas.
        open_and_close(&ledger, 50_000).await;
        let before = ledger.look().await.unwrap();
        open_and_close(&ledger, STREAMS).await;
        let after = until(&ledger, |server| server.running == 0).await.unwrap();
        assert_eq!(after.dropped, 0);
        let most = before.resident + MIN_ALLOCATION_BYTES * STREAMS;
        assert!(after.resident <= most, "before: {}, after: {}", before.resident, after.resident);
        assert_eq!(ledger.enter(1, Duration::ZERO).await.unwrap(), 1);
    });
}

/// Reads every other stream to its end, and drops the others after their first item.
async fn open_and_close(ledger: &LedgerClient, streams: u64) {
    let open = |nth: u64| async move {
        let items = if nth.is_multiple_of(2) { 3 } else { u64::MAX };
        let mut stream = ledger.watch(items, 16).await.unwrap();
        while let Some(item) = stream.next().await {
            item.unwrap();
            if items == u64::MAX {
                break;
            }
        }
    };
    stream::iter(0..streams).for_each_concurrent(64, open).await;
}
