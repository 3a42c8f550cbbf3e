//! How a client asks the server process of its system for what only that knows: how much it allocated, and how many one-way
//! calls it received. Over a connection of its own, served by a thread of its own, so that the measured one has no part in it.
//!
//! A request is one byte and one number, an answer one number, both in eight bytes, the least significant first.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::allocator;

/// How many one-way calls this process has received.
pub(crate) static RECEIVED: AtomicU64 = AtomicU64::new(0);

/// How often the server looks whether it has received enough. Rarely, so as not to take time from receiving.
const LOOK: Duration = Duration::from_millis(1);

/// How long it looks without anything coming before it gives up.
const PATIENCE: Duration = Duration::from_secs(10);

const BEGIN: u8 = 1;
const END: u8 = 2;
const RECEIVE: u8 = 3;

/// Answers requests, in a thread, for as long as this process lives.
pub(crate) fn listen() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // It ends when the client goes away, which is no failure.
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

/// Waits until so many one-way calls were received, or nothing comes any more; tells how many were.
fn receive(enough: u64) -> u64 {
    let mut before = RECEIVED.load(Ordering::Relaxed);
    let mut changed = Instant::now();
    loop {
        let now = RECEIVED.load(Ordering::Relaxed);
        if now != before {
            (before, changed) = (now, Instant::now());
        }
        if now >= enough || changed.elapsed() > PATIENCE {
            return now;
        }
        thread::sleep(LOOK);
    }
}

/// A client's connection to the control thread of a server.
pub(crate) struct Control(TcpStream);

impl Control {
    /// Connects to where [`listen`] said.
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).map(Self)
    }

    /// Has the server count its allocations from now on.
    pub(crate) fn begin(&mut self) -> io::Result<()> {
        self.ask(BEGIN, 0).map(drop)
    }

    /// How many allocations the server made since then.
    pub(crate) fn end(&mut self) -> io::Result<u64> {
        self.ask(END, 0)
    }

    /// Waits until the server has received so many one-way calls since it started; tells how many it has. Fewer, if no more
    /// came for long.
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
