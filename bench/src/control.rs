//! The control connection: a client asks the server process for what only that process knows, namely how many
//! allocations it made and how many one-way calls it received. The connection and the thread that serves it are
//! separate from the measured ones, so that they do not affect the measurement.
//!
//! A request is one byte and a number, an answer is a number. Numbers are 8 bytes, little-endian.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::allocator;

/// Number of one-way calls that this process has received.
pub(crate) static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// Interval at which the server checks the number of received calls. Checking rarely leaves the time to receiving.
const POLL_INTERVAL: Duration = Duration::from_millis(1);

/// Time without a new call after which the server stops waiting.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(10);

const BEGIN: u8 = 1;
const END: u8 = 2;
const RECEIVE: u8 = 3;

/// Starts a thread that answers requests for the lifetime of this process. Returns its address.
pub(crate) fn listen() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The error when the client closes the connection is expected.
            thread::spawn(move || answer(stream));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut request = [0; 9];
    loop {
        stream.read_exact(&mut request)?;
        let [kind, number @ ..] = request;
        let answer = match kind {
            BEGIN => {
                allocator::begin();
                0
            }
            END => allocator::end(),
            _ => receive(u64::from_le_bytes(number)),
        };
        stream.write_all(&answer.to_le_bytes())?;
    }
}

/// Waits until the given number of one-way calls was received, or no more arrive. Returns the number received.
fn receive(enough: u64) -> u64 {
    let mut before = RECEIVED.load(Ordering::Relaxed);
    let mut changed = Instant::now();
    loop {
        let now = RECEIVED.load(Ordering::Relaxed);
        if now != before {
            (before, changed) = (now, Instant::now());
        }
        if now >= enough || changed.elapsed() > RECEIVE_TIMEOUT {
            return now;
        }
        thread::sleep(POLL_INTERVAL);
    }
}

/// A client's connection to the control thread of a server.
pub(crate) struct Control(TcpStream);

impl Control {
    /// Connects to the address that [`listen`] returned.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).map(Self)
    }

    /// Makes the server start counting its allocations.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.ask(BEGIN, 0).map(drop)
    }

    /// Returns the number of allocations that the server made since [`Control::begin`].
    pub(crate) fn end(&mut self) -> io::Result<u64> {
        self.ask(END, 0)
    }

    /// Waits until the server has received the given number of one-way calls since it started. Returns the number
    /// received, which is smaller if no more arrived for a long time.
    pub(crate) fn received(&mut self, enough: u64) -> io::Result<u64> {
        self.ask(RECEIVE, enough)
    }

    fn ask(&mut self, kind: u8, number: u64) -> io::Result<u64> {
        let mut request = [kind; 9];
        request[1..].copy_from_slice(&number.to_le_bytes());
        self.0.write_all(&request)?;
        let mut answer = [0; 8];
        self.0.read_exact(&mut answer)?;
        Ok(u64::from_le_bytes(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_learns_what_was_received() -> io::Result<()> {
        let mut control = Control::connect(listen()?)?;
        RECEIVED.fetch_add(5, Ordering::Relaxed);
        assert_eq!(control.received(5)?, 5);
        let waiting = thread::spawn(move || control.received(7));
        RECEIVED.fetch_add(2, Ordering::Relaxed);
        assert_eq!(waiting.join().map_err(|_| io::Error::other("it panicked"))??, 7);
        Ok(())
    }
}
