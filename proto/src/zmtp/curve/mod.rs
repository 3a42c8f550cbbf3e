//! CURVE, by which both peers prove who they are and everything after that is encrypted: [`Client`] and [`Server`], the two sides of its
//! handshake; and [`Sealer`], and what it is opened by.
//!
//! Sources: RFC 25 and RFC 26 of <https://rfc.zeromq.org>, whose names the constants have; and how libzmq (4.3) does what they leave open: its
//! messages are frames without flags, whose own flags are in the box, those of commands such as `PING` as well.
//!
//! - A server keeps nothing between `WELCOME` and `INITIATE` but the key of the cookie, which is of this connection alone, so that a
//!   cookie is of no use on another.
//! - Nothing here is a fallback: once a connection is one of CURVE, a frame that is no box of the peer's ends it.
//! - Messages are numbered without a gap, and a number that is not the next one ends the connection. RFC 26 has numbers rise; on a connection
//!   whose bytes keep their order, one that is left out is a frame that was taken away.
//! - Randomness is handed in, as [`Entropy`].

mod client;
mod server;
mod traffic;

use std::fmt;

use zeroize::{Zeroize, Zeroizing};

pub use client::Client;
pub(in crate::zmtp) use server::Initiated;
pub use server::{Rejection, Server};
pub use traffic::Sealer;
pub(in crate::zmtp) use traffic::{OVERHEAD_BYTES, Opener, SKIPPED_HEAD_BYTES, Traffic};

/// Number of random bytes that one connection needs.
pub const ENTROPY_BYTES: usize = 96;

/// Random bytes for one connection. They are wiped when they are dropped, and must never be used for two.
pub struct Entropy(Zeroizing<[u8; ENTROPY_BYTES]>);

impl Entropy {
    /// Takes random bytes, and wipes where they were.
    #[must_use]
    pub fn take(bytes: &mut [u8; ENTROPY_BYTES]) -> Self {
        let entropy = Self(Zeroizing::new(*bytes));
        bytes.zeroize();
        entropy
    }

    /// Returns a part of the bytes, which is to be used for one purpose.
    fn part<const N: usize>(&self, at: usize) -> [u8; N] {
        let mut part = [0; N];
        part.copy_from_slice(&self.0[at..at + N]);
        part
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// Length of a random nonce in bytes.
const LONG_NONCE_BYTES: usize = 16;
/// Length of a cookie in bytes: its nonce, and a box of two keys.
const COOKIE_BYTES: usize = LONG_NONCE_BYTES + 16 + 64;
/// Length of the command `HELLO` in bytes, with its name.
pub(in crate::zmtp) const HELLO_BYTES: usize = 200;
/// What `HELLO` is padded by, so that its answer is shorter.
const PADDING_BYTES: usize = 72;
/// Version of `CurveZMQ`: major and minor.
const VERSION: [u8; 2] = [1, 0];
/// What the box of `HELLO` proves its sender's key by.
const SIGNED: [u8; 64] = [0; 64];

/// Returns a nonce that is random but for its prefix.
fn long_nonce(prefix: [u8; 8], random: &[u8; LONG_NONCE_BYTES]) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&prefix);
    nonce[8..].copy_from_slice(random);
    nonce
}

/// Returns a nonce that is a number but for its prefix.
fn short_nonce(prefix: &[u8; 16], number: u64) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(prefix);
    nonce[16..].copy_from_slice(&number.to_be_bytes());
    nonce
}

/// Takes the first bytes off a command's data.
fn split<'a, const N: usize>(data: &mut &'a [u8]) -> Option<&'a [u8; N]> {
    let (first, rest) = data.split_first_chunk()?;
    *data = rest;
    Some(first)
}

fn split_number(data: &mut &[u8]) -> Option<u64> {
    split(data).map(|number| u64::from_be_bytes(*number))
}

#[cfg(test)]
mod tests;
