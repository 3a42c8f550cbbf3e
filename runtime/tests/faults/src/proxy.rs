//! [`Proxy`]: a TCP proxy that does to connections what networks do: delays, narrows, swallows, half-closes and cuts them.
//!
//! Each direction of each connection is a [`Pipe`]: one task reads, one writes, with a bounded queue between.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};

/// What happens to bytes on their way in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Line {
    /// How much later they arrive.
    pub delay: Duration,
    /// How many may pass per second, if not all.
    pub bytes_per_second: Option<u32>,
    /// They are taken and never arrive; the connection stays open.
    pub swallows: bool,
    /// After what is on its way, the end of the stream, as if the sender had closed its half. For good.
    pub half_closed: bool,
}

/// What happens to all connections through a proxy, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// From clients to the server.
    pub to_server: Line,
    /// From the server to clients.
    pub to_client: Line,
    /// New connections are closed at once.
    pub refuses: bool,
    /// Raised by one to cut every connection that there is.
    cuts: u64,
}

/// A proxy in front of a server. Dropped, it and its connections are gone.
#[derive(Debug)]
pub struct Proxy {
    endpoint: String,
    rules: watch::Sender<Rules>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy to a server's endpoint, `tcp://address:port`, with an endpoint of its own.
    ///
    /// # Errors
    /// The endpoint is no address, or there is no port to listen at.
    pub async fn to(server: &str) -> io::Result<Self> {
        let address = server.strip_prefix("tcp://").unwrap_or(server);
        let server = address.parse().map_err(|error| io::Error::other(format!("`{address}`: {error}")))?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        let (rules, seen) = watch::channel(Rules::default());
        Ok(Self { endpoint, rules, task: tokio::spawn(accept(listener, server, seen)) })
    }

    /// Where clients find it.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Changes what happens, from now on and to the connections that there are.
    pub fn set(&self, change: impl FnOnce(&mut Rules)) {
        self.rules.send_modify(change);
    }

    /// Everything passes again; what was cut or closed stays so.
    pub fn heal(&self) {
        self.set(|rules| *rules = Rules { cuts: rules.cuts, ..Rules::default() });
    }

    /// Cuts every connection that there is. New ones may be made.
    pub fn cut(&self) {
        self.set(|rules| rules.cuts += 1);
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, rules: watch::Receiver<Rules>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if !rules.borrow().refuses {
            connections.spawn(carry(client, server, rules.clone()));
        }
    }
}

/// Carries one connection until it ends at both sides, or is cut.
async fn carry(client: TcpStream, server: SocketAddr, rules: watch::Receiver<Rules>) {
    let cuts = rules.borrow().cuts;
    let Ok(server) = TcpStream::connect(server).await else { return };
    // Only what the rules say is to delay anything.
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = rules.clone();
    tokio::select! {
        () = both(
            pipe(from_client, to_server, rules.clone(), |rules| rules.to_server),
            pipe(from_server, to_client, rules, |rules| rules.to_client),
        ) => {}
        _ = cut.wait_for(|rules| rules.cuts != cuts) => {}
    }
}

async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::join!(one, other);
}

/// How much a pipe holds that is on its way, in reads of at most [`READ`] bytes.
const ON_THE_WAY: usize = 64;
/// The most that is read at once, in bytes.
const READ: usize = 16 * 1024;
/// A narrow line lets something through so often per second.
const PULSES: u32 = 20;

/// Bytes, and when they arrive.
type Parcel = (Instant, Bytes);

/// Carries one direction until it ends.
async fn pipe(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    rules: watch::Receiver<Rules>,
    line: fn(&Rules) -> Line,
) {
    let (sender, receiver) = mpsc::channel(ON_THE_WAY);
    tokio::join!(read(from, sender, rules.clone(), line), write(to, receiver, rules, line));
}

/// Takes what the sender sends, until it ends or its half is closed by the rules.
async fn read(
    mut from: OwnedReadHalf,
    parcels: mpsc::Sender<Parcel>,
    mut rules: watch::Receiver<Rules>,
    line: fn(&Rules) -> Line,
) {
    let mut buffer = BytesMut::new();
    let mut closed = rules.clone();
    loop {
        buffer.reserve(READ);
        let read = tokio::select! {
            read = from.read_buf(&mut buffer) => read,
            _ = closed.wait_for(|rules| line(rules).half_closed) => break,
        };
        if !matches!(read, Ok(1..)) {
            return;
        }
        let line = line(&rules.borrow_and_update());
        let bytes = buffer.split().freeze();
        if !line.swallows && parcels.send((Instant::now() + line.delay, bytes)).await.is_err() {
            return;
        }
    }
    // The other half goes on; what still comes on this one is taken, or the sender would be held up.
    drop(parcels);
    while matches!(from.read_buf(&mut buffer).await, Ok(1..)) {
        buffer.clear();
    }
}

/// Hands on what has arrived, and then the end.
async fn write(
    mut to: OwnedWriteHalf,
    mut parcels: mpsc::Receiver<Parcel>,
    rules: watch::Receiver<Rules>,
    line: fn(&Rules) -> Line,
) {
    while let Some((at, mut bytes)) = parcels.recv().await {
        sleep_until(at).await;
        while !bytes.is_empty() {
            let rate = line(&rules.borrow()).bytes_per_second;
            let most = rate.map_or(usize::MAX, |rate| (rate / PULSES).max(1) as usize);
            let now = bytes.split_to(bytes.len().min(most));
            if to.write_all(&now).await.is_err() {
                return;
            }
            if rate.is_some() {
                sleep(Duration::from_secs(1) / PULSES).await;
            }
        }
    }
    // Where the receiver is gone already, it needs no end.
    let _ = to.shutdown().await;
}
