//! Peers that are hostile or broken, against the engine `zmtp`: raw TCP connections to a server in a process of its own, and raw
//! servers for our clients.
//!
//! - [`handshakes`]: handshakes that stop halfway, take forever, or are no ZMTP.
//! - [`frames`]: lengths that lie, messages without end, commands where none belong.
//! - [`floods`]: peers that send without end, do not read, or both.
//! - [`cuts`]: connections that end after each byte, in both directions.
//! - [`servers`]: servers that are none, or not ours.
//! - [`slow`]: messages that take longer than any timeout.

mod cuts;
mod floods;
mod frames;
mod handshakes;
mod servers;
mod slow;

#[path = "../faults/impostor.rs"]
#[allow(dead_code, reason = "the other program of tests needs more of it")]
mod impostor;
#[path = "../faults/raw.rs"]
#[allow(dead_code, reason = "the other program of tests needs more of it")]
mod raw;
#[path = "../faults/support.rs"]
#[allow(dead_code, reason = "the other program of tests needs more of it")]
mod support;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use zsvc::{ChannelBuilder, Engine};
use zsvc_faults::faults::v1::LedgerClient;

use crate::raw::{COMMAND, GREETING, LONG, MORE, READY, command, frame, greeting_of_3_1, ready};
use crate::support::{Served, client_with};

/// Starts a server with the engine.
async fn served() -> Served {
    served_with(&[]).await
}

async fn served_with(arguments: &[&str]) -> Served {
    Served::with(&[&["--engine", "zmtp"], arguments].concat()).await
}

/// Returns a client that is as it should be.
async fn client(server: &Served) -> LedgerClient {
    client_with(server.endpoint(), zmtp).await
}

/// Chooses the engine for a channel.
fn zmtp(channel: ChannelBuilder) -> ChannelBuilder {
    channel.engine(Engine::Zmtp)
}

/// Returns a message: a one-way call of `note`, according to docs/protocol.md.
fn note(key: u8) -> Vec<u8> {
    assert!(key < 128, "a number of one byte");
    frame(0, &[&b"\x01\x94\x02\0\xb5faults.v1.Ledger/note\xc4\x02\x91"[..], &[key]].concat())
}

/// A key of no note.
const OTHER_KEY: u64 = 10_000;

/// Waits until a note has been written, with a client of the same server, which is served meanwhile.
async fn until_written(server: &Served, ledger: &LedgerClient, key: u8) {
    while server.written(u64::from(key)) == 0 {
        assert_eq!(ledger.enter(OTHER_KEY, Duration::ZERO).await, Ok(OTHER_KEY));
    }
}

/// Checks that a server serves a client that has been there, and a new one.
async fn assert_serves(server: &Served, ledger: &LedgerClient) {
    for ledger in [ledger, &client(server).await] {
        assert_eq!(ledger.enter(OTHER_KEY, Duration::ZERO).await, Ok(OTHER_KEY));
    }
}

/// Returns the peak of a server's memory in bytes. Source: `proc_pid_status(5)`, `VmHWM`.
fn peak(server: &Served) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("it is running");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("this is Linux");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("it is a number") * 1024
}

/// A raw connection.
struct Raw(TcpStream);

impl Raw {
    async fn connect(server: &Served) -> Self {
        let address = server.endpoint().strip_prefix("tcp://").expect("the server is at a port");
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("the connection is up");
        Self(stream)
    }

    /// Connects, and completes the handshake of a DEALER that speaks ZMTP 3.1.
    async fn ready(server: &Served) -> Self {
        let mut raw = Self::connect(server).await;
        raw.say(&[&greeting_of_3_1()[..], READY].concat()).await;
        raw.hear(GREETING.len() + READY_OF_SERVER).await;
        raw
    }

    /// Sends bytes.
    async fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("the server takes it");
    }

    /// Reads up to these bytes.
    async fn hear_until(&mut self, end: &[u8]) {
        let mut heard = Vec::new();
        while !heard.ends_with(end) {
            let byte = self.0.read_u8().await;
            heard.push(byte.unwrap_or_else(|error| panic!("{error} after {}", heard.escape_ascii())));
        }
    }

    /// Sends bytes to a server that may have cut the connection meanwhile.
    async fn try_say(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).await.is_ok()
    }

    /// Reads this many bytes.
    async fn hear(&mut self, bytes: usize) -> Vec<u8> {
        let mut heard = vec![0; bytes];
        self.0.read_exact(&mut heard).await.expect("the server sends as much");
        heard
    }

    /// Waits until the server has cut the connection. Returns what it sent before.
    async fn cut(&mut self) -> Vec<u8> {
        let mut heard = Vec::new();
        // A connection with bytes that were not read is reset.
        let _ = self.0.read_to_end(&mut heard).await;
        heard
    }

    /// Reports whether the connection is up, and the server has sent nothing that was not read.
    fn is_up_and_silent(&self) -> bool {
        self.0.try_read(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Resets the connection.
    fn reset(self) {
        self.0.set_zero_linger().expect("the socket has the option");
    }
}

/// Size in bytes of the command `READY` of a server: its socket type, and an empty routing id.
const READY_OF_SERVER: usize = 43;
