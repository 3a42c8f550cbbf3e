//! Bare TCP connections that speak just enough of ZMTP, for peers that libzmq can't be made to act as. Source:
//! <https://rfc.zeromq.org/spec/23/>.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The greeting of ZMTP 3.0 without security.
pub(crate) const GREETING: &[u8; 64] = &{
    let mut greeting = [0; 64];
    let (start, _) = greeting.split_at_mut(16);
    start.copy_from_slice(b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL");
    greeting
};
/// The command with which a DEALER ends its handshake.
pub(crate) const READY: &[u8] = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
/// The same command of a ROUTER.
pub(crate) const READY_ROUTER: &[u8] = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06ROUTER";
/// A message: a batch without records.
pub(crate) const EMPTY: &[u8] = b"\0\x01\x01";
/// A PING command with a TTL of 0, which announces no timeout.
pub(crate) const PING: &[u8] = b"\x04\x07\x04PING\0\0";

/// Sends the greeting, and reads the other side's.
pub(crate) async fn greet(connection: &mut TcpStream) {
    connection.write_all(GREETING).await.unwrap();
    connection.read_exact(&mut [0; GREETING.len()]).await.unwrap();
}

/// Sends the last bytes of a connection, and resets it: it is closed with the other side's part of the handshake
/// unread.
pub(crate) async fn say_and_reset(mut connection: TcpStream, said: &[u8]) {
    connection.write_all(said).await.unwrap();
    connection.readable().await.unwrap();
}
