//! [`Proxy`]: a TCP proxy that causes network faults: delays, low bandwidth, lost bytes, half-closed and cut
//! connections.
//!
//! Each direction of each connection is a `pipe`: one task reads, one writes, with a bounded queue between them.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// The faults in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LinkRules {
    /// Additional latency.
    pub delay: Duration,
    /// Bandwidth limit in bytes per second. `None` for no limit.
    pub bytes_per_second: Option<u32>,
    /// Whether bytes are read and discarded while the connection stays open.
    pub swallows: bool,
    /// Whether each byte is replaced by its complement.
    pub garbles: bool,
    /// Whether the stream ends after the bytes in transit, as if the sender had closed its half. Permanent.
    pub half_closed: bool,
}

/// The faults of all connections through a proxy, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// Faults from clients to the server.
    pub to_server: LinkRules,
    /// Faults from the server to clients.
    pub to_client: LinkRules,
    /// Whether new connections are closed at once.
    pub refuses: bool,
    /// Number of cuts. Incrementing it cuts every existing connection.
    cuts: u64,
}

/// Size in bytes of the system's buffer for what is received from one end.
const RECEIVE_BUFFER_BYTES: u32 = 64 * 1024;
/// Number of connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A proxy in front of a server. Dropping it closes its connections.
#[derive(Debug)]
pub struct Proxy {
    endpoint: String,
    rules: watch::Sender<Rules>,
    /// Number of bytes that clients were sent so far.
    to_clients: Count,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Starts a proxy to a server's endpoint, `tcp://address:port`, with an endpoint of its own. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint is not an address, or no port can be bound.
    pub fn to(server: &str) -> io::Result<Self> {
        let address = server.strip_prefix("tcp://").unwrap_or(server);
        let server = address.parse().map_err(|error| io::Error::other(format!("`{address}`: {error}")))?;
        let socket = TcpSocket::new_v4()?;
        // As on a network: what a slow line has not carried waits with its sender, and not in the system's buffers.
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
        let listener = socket.listen(BACKLOG)?;
        let endpoint = format!("tcp://{}", listener.local_addr()?);
        let (rules, seen) = watch::channel(Rules::default());
        let to_clients = Arc::new(watch::Sender::new(0));
        let task = tokio::spawn(accept(listener, server, seen, Arc::clone(&to_clients)));
        Ok(Self { endpoint, rules, to_clients, task })
    }

    /// Returns the endpoint for clients.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Changes the faults of existing and new connections.
    pub fn set(&self, change: impl FnOnce(&mut Rules)) {
        self.rules.send_modify(change);
    }

    /// Waits until clients were sent this many bytes more.
    pub async fn carries(&self, bytes: u64) {
        let mut changes = self.to_clients.subscribe();
        let until = *changes.borrow() + bytes;
        // The sender lives as long as this.
        let _ = changes.wait_for(|sent| *sent >= until).await;
    }

    /// Removes all faults. Connections that were cut or half-closed stay so.
    pub fn heal(&self) {
        self.set(|rules| *rules = Rules { cuts: rules.cuts, ..Rules::default() });
    }

    /// Cuts every existing connection. New ones may be made.
    pub fn cut(&self) {
        self.set(|rules| rules.cuts += 1);
    }
}

/// Counts the bytes that are written.
type Count = Arc<watch::Sender<u64>>;

async fn accept(listener: TcpListener, server: SocketAddr, rules: watch::Receiver<Rules>, to_clients: Count) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if !rules.borrow().refuses {
            connections.spawn(carry(client, server, rules.clone(), Arc::clone(&to_clients)));
        }
    }
}

/// Forwards one connection until both sides have ended it, or it is cut.
async fn carry(client: TcpStream, server: SocketAddr, rules: watch::Receiver<Rules>, to_clients: Count) {
    let cuts = rules.borrow().cuts;
    let Ok(server) = connect(server).await else { return };
    // Only the rules may delay bytes.
    if client.set_nodelay(true).and(server.set_nodelay(true)).is_err() {
        return;
    }
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let mut cut = rules.clone();
    tokio::select! {
        () = both(
            pipe(from_client, to_server, rules.clone(), |rules| rules.to_server, None),
            pipe(from_server, to_client, rules, |rules| rules.to_client, Some(to_clients)),
        ) => {}
        _ = cut.wait_for(|rules| rules.cuts != cuts) => {}
    }
}

async fn connect(server: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
    socket.connect(server).await
}

async fn both(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    tokio::join!(one, other);
}

/// Number of reads, of at most [`MAX_READ_BYTES`] bytes each, that may be in transit in a pipe.
const MAX_READS_IN_TRANSIT: usize = 8;
/// Maximum size of a read in bytes.
const MAX_READ_BYTES: usize = 16 * 1024;
/// Number of writes in a second's worth of bytes with a bandwidth limit, if as much is there.
const WRITES_PER_SECOND: u32 = 20;

/// When a line with a bandwidth limit has carried what it was given.
struct Pace {
    free_at: Instant,
}

impl Pace {
    /// Longest time for which a line makes up, where the system has woken its task late.
    const MAX_LATE: Duration = Duration::from_millis(100);

    /// Returns when the line has carried these bytes too, which it is given now.
    fn after(&mut self, now: Instant, bytes: usize, bytes_per_second: u32) -> Instant {
        let begins = if now > self.free_at + Self::MAX_LATE { now } else { self.free_at };
        let bytes = u32::try_from(bytes).expect("a write has at most the bytes of a read");
        self.free_at = begins + Duration::from_secs(1) * bytes / bytes_per_second.max(1);
        self.free_at
    }
}

/// Bytes, and the time at which they arrive.
type Packet = (Instant, Bytes);

/// Forwards one direction until it ends.
async fn pipe(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    rules: watch::Receiver<Rules>,
    line: fn(&Rules) -> LinkRules,
    count: Option<Count>,
) {
    let (sender, receiver) = mpsc::channel(MAX_READS_IN_TRANSIT);
    tokio::join!(read(from, sender, rules.clone(), line), write(to, receiver, rules, line, count));
}

/// Reads from the sender until it ends, or the rules close its half.
async fn read(
    mut from: OwnedReadHalf,
    parcels: mpsc::Sender<Packet>,
    mut rules: watch::Receiver<Rules>,
    line: fn(&Rules) -> LinkRules,
) {
    let mut buffer = BytesMut::new();
    let mut closed = rules.clone();
    loop {
        buffer.reserve(MAX_READ_BYTES);
        let read = tokio::select! {
            read = from.read_buf(&mut buffer) => read,
            _ = closed.wait_for(|rules| line(rules).half_closed) => break,
        };
        if !matches!(read, Ok(1..)) {
            return;
        }
        let line = line(&rules.borrow_and_update());
        if line.garbles {
            buffer.iter_mut().for_each(|byte| *byte = !*byte);
        }
        let bytes = buffer.split().freeze();
        if !line.swallows && parcels.send((Instant::now() + line.delay, bytes)).await.is_err() {
            return;
        }
    }
    // The other direction continues; further bytes in this one are read, or the sender would be blocked.
    drop(parcels);
    while matches!(from.read_buf(&mut buffer).await, Ok(1..)) {
        buffer.clear();
    }
}

/// Writes bytes as they arrive, and then closes this half.
async fn write(
    mut to: OwnedWriteHalf,
    mut parcels: mpsc::Receiver<Packet>,
    rules: watch::Receiver<Rules>,
    line: fn(&Rules) -> LinkRules,
    count: Option<Count>,
) {
    let mut pace = Pace { free_at: Instant::now() };
    while let Some((at, mut bytes)) = parcels.recv().await {
        sleep_until(at).await;
        while !bytes.is_empty() {
            let rate = line(&rules.borrow()).bytes_per_second;
            let most = rate.map_or(usize::MAX, |rate| (rate / WRITES_PER_SECOND).max(1) as usize);
            let now = bytes.split_to(bytes.len().min(most));
            if to.write_all(&now).await.is_err() {
                return;
            }
            if let Some(count) = &count {
                count.send_modify(|sent| *sent += now.len() as u64);
            }
            if let Some(rate) = rate {
                sleep_until(pace.after(Instant::now(), now.len(), rate)).await;
            }
        }
    }
    // The error when the receiver is already gone is expected.
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the size of the writes.
    #[test]
    fn a_line_carries_as_many_bytes_in_a_second_as_its_rule_says() {
        for bytes_per_second in [1_000, 340_000, 2 << 20] {
            for write in [1_u32, 1_000, 16 << 10] {
                let began = Instant::now();
                let mut pace = Pace { free_at: began };
                let mut now = began;
                for _ in 0..1_000 {
                    // The task is woken a little late, each time.
                    now = pace.after(now, write as usize, bytes_per_second) + Duration::from_millis(1);
                }
                let taken = (pace.free_at - began).as_secs_f64();
                let expected = 1_000.0 * f64::from(write) / f64::from(bytes_per_second);
                assert!((taken - expected).abs() < 0.01 * expected, "{write} bytes at {bytes_per_second}");
            }
        }
    }

    #[test]
    fn a_line_that_had_nothing_to_carry_does_not_make_up_for_it() {
        let began = Instant::now();
        let mut pace = Pace { free_at: began };
        let later = began + Duration::from_mins(1);
        assert_eq!(pace.after(later, 500, 1_000), later + Duration::from_millis(500));
    }
}
