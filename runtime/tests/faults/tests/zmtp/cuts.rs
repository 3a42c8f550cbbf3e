//! Connections that end after each byte, in both directions: during the handshake, in a frame, and between two of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use zsvc::{Channel, Outcome};
use zsvc_faults::faults::v1::LedgerClient;

use crate::raw::{EMPTY, READY};
use crate::support::{Served, run, until};
use crate::{
    Raw, assert_serves, client, frame, greeting_of_3_1, note, served, served_with, until_written, zmtp,
};

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
enum End {
    Reset,
    Close,
}

/// The number of bytes that a connection carries in each direction. Past one of them it ends.
#[derive(Debug, Clone, Copy)]
struct Cut {
    to_server: usize,
    to_client: usize,
    end: End,
}

/// A relay in front of a server. Its first connection is cut; later ones are not.
struct Relay {
    endpoint: String,
    /// Numbers of bytes that the first connection has carried: to the server, and to the client.
    carried: Arc<[AtomicUsize; 2]>,
    task: JoinHandle<()>,
}

impl Relay {
    async fn before(server: &Served, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let endpoint = format!("tcp://{}", listener.local_addr().expect("it is bound"));
        let address = server.endpoint().strip_prefix("tcp://").expect("the server is at a port").to_owned();
        let carried = Arc::<[AtomicUsize; 2]>::default();
        let counted = Arc::clone(&carried);
        let task = tokio::spawn(async move {
            let mut cut = Some((cut, counted));
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&address).await.expect("the server listens");
                let (cut, carried) = cut.take().unwrap_or((NEVER, Arc::default()));
                tokio::spawn(carry(client, server, cut, carried));
            }
        });
        Self { endpoint, carried, task }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

const NEVER: Cut = Cut { to_server: usize::MAX, to_client: usize::MAX, end: End::Close };

async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Cut, carried: Arc<[AtomicUsize; 2]>) {
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    tokio::select! {
        () = pass(from_client, to_server, cut.to_server, &carried[0]) => {}
        () = pass(from_server, to_client, cut.to_client, &carried[1]) => {}
    }
    if let End::Reset = cut.end {
        for stream in [client, server] {
            stream.set_zero_linger().expect("the socket has the option");
        }
    }
}

/// Carries bytes until one of the two ends, or `most` bytes were carried.
async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    most: usize,
    carried: &AtomicUsize,
) {
    let mut buffer = [0; 1024];
    loop {
        let room = (most - carried.load(Ordering::Relaxed)).min(buffer.len());
        if room == 0 {
            return;
        }
        match from.read(&mut buffer[..room]).await {
            Ok(read @ 1..) if to.write_all(&buffer[..read]).await.is_ok() => {
                carried.fetch_add(read, Ordering::Relaxed);
            }
            _ => return,
        }
    }
}

/// Returns a client of an endpoint that makes its connection when it is called.
fn lazy(endpoint: &str) -> LedgerClient {
    let channel = zmtp(Channel::builder().endpoint(endpoint)).connect_lazy();
    LedgerClient::new(channel.expect("the endpoint is valid"))
}

/// Makes three calls over a connection that is cut: one that may run once, one that may be made again, and one more.
async fn calls_over(server: &Served, nth: u64, cut: Cut) {
    let relay = Relay::before(server, cut).await;
    let ledger = lazy(&relay.endpoint);
    let first = 1_000 + nth;
    match ledger.enter(first, Duration::ZERO).await {
        Ok(key) => assert_eq!((key, server.written(first)), (first, 1), "{cut:?}"),
        Err(status) => match status.outcome() {
            Outcome::NotSent => assert_eq!(server.written(first), 0, "{cut:?}: {status:?}"),
            Outcome::MaybeExecuted => assert!(server.written(first) <= 1, "{cut:?}: {status:?}"),
            Outcome::Executed => panic!("{cut:?}: {status:?}"),
        },
    }
    assert_eq!(ledger.set(nth, Duration::ZERO).await, Ok(nth), "{cut:?}: it may be made again");
    assert_eq!(ledger.enter(7, Duration::ZERO).await, Ok(7), "{cut:?}: the connection is back");
}

/// Returns how many bytes a connection with two calls carries in each direction.
async fn bytes_of_calls(server: &Served) -> [usize; 2] {
    let relay = Relay::before(server, NEVER).await;
    let ledger = lazy(&relay.endpoint);
    ledger.enter(1, Duration::ZERO).await.unwrap();
    ledger.set(1, Duration::ZERO).await.unwrap();
    [0, 1].map(|direction| relay.carried[direction].load(Ordering::Relaxed))
}

#[test]
fn a_client_whose_connection_ends_after_any_byte_comes_back() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let [to_server, to_client] = bytes_of_calls(&server).await;
        assert!(to_server > 150 && to_client > 110, "{to_server} {to_client}");
        let cuts = [End::Reset, End::Close].into_iter().flat_map(|end| {
            let to_server = (0..=to_server).map(move |to_server| Cut { to_server, end, ..NEVER });
            let to_client = (0..=to_client).map(move |to_client| Cut { to_client, end, ..NEVER });
            to_server.chain(to_client)
        });
        let calls = (0..).zip(cuts).map(|(nth, cut)| calls_over(&server, nth, cut));
        stream::iter(calls).for_each_concurrent(32, |calls| calls).await;
        assert_serves(&server, &ledger).await;
    });
}

/// A batch: a call of `wait` with the id 1 and no deadline, according to docs/protocol.md.
const WAIT: &[u8] = b"\x01\x94\x01\x01\xb5faults.v1.Ledger/wait\xc4\x01\x90";

#[test]
fn clients_that_end_after_any_byte_leave_nothing_behind() {
    run(async {
        let server = served().await;
        let ledger = client(&server).await;
        let files = server.open_files();
        let whole = [&greeting_of_3_1()[..], READY, &frame(0, WAIT), EMPTY].concat();
        let visits = (0..=whole.len()).flat_map(|length| [(length, End::Reset), (length, End::Close)]);
        let visit = async |(length, end)| {
            let mut raw = Raw::connect(&server).await;
            raw.say(&whole[..length]).await;
            if let End::Reset = end {
                raw.reset();
            }
        };
        stream::iter(visits).for_each_concurrent(16, visit).await;
        // Those that had made a call before they ended were handled, and then dropped.
        while server.open_files() > files {
            ledger.look().await.unwrap();
        }
        assert_eq!(until(&ledger, |server| server.running == 0).await.unwrap().running, 0);
        assert_serves(&server, &ledger).await;
    });
}

/// A batch: a call of `block` with the id 1, for half a second.
const BLOCK: &[u8] = b"\x01\x94\x01\x01\xb6faults.v1.Ledger/block\xc4\x06\x91\xce\x1d\xcd\x65\x00";

/// What has arrived before a reset is handled, although an answer can't be written any more: a server that stopped there would lose
/// calls that it has been sent.
#[test]
fn what_a_client_sent_before_it_reset_its_connection_is_handled_to_its_end() {
    run(async {
        let server = served_with(&["--threads", "2"]).await;
        let ledger = client(&server).await;
        let mut raw = Raw::ready(&server).await;
        raw.say(&frame(0, BLOCK)).await;
        until(&ledger, |server| server.running == 1).await.unwrap();
        // The connection's task is blocked, and reads this after it has failed to write the answer.
        raw.say(&[EMPTY.repeat(1_000), note(9)].concat()).await;
        raw.reset();
        until_written(&server, &ledger, 9).await;
        assert_serves(&server, &ledger).await;
    });
}
