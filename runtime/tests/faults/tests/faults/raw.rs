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

/// Returns the greeting of ZMTP 3.1 without security.
pub(crate) fn greeting_of_3_1() -> Vec<u8> {
    let mut greeting = GREETING.to_vec();
    greeting[11] = 1;
    greeting
}

/// Returns a frame.
pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
    match u8::try_from(body.len()) {
        Ok(length) => [&[flags, length], body].concat(),
        Err(_) => [&[flags | LONG][..], &(body.len() as u64).to_be_bytes(), body].concat(),
    }
}

/// Flags of frames.
pub(crate) const MORE: u8 = 1;
pub(crate) const LONG: u8 = 2;
pub(crate) const COMMAND: u8 = 4;

/// Returns the frame of a command.
pub(crate) fn command(name: &str, data: &[u8]) -> Vec<u8> {
    let length = u8::try_from(name.len()).expect("names are short");
    frame(COMMAND, &[&[length], name.as_bytes(), data].concat())
}

/// Returns a property of a command `READY`.
pub(crate) fn property(name: &str, value: &[u8]) -> Vec<u8> {
    let name = [&[u8::try_from(name.len()).expect("names are short")], name.as_bytes()].concat();
    let length = u32::try_from(value.len()).expect("values are short").to_be_bytes();
    [&name[..], &length, value].concat()
}

/// Returns a command `READY` with the type of a socket and a routing id.
pub(crate) fn ready(socket_type: &str, routing_id: &[u8]) -> Vec<u8> {
    let properties = [property("Socket-Type", socket_type.as_bytes()), property("Identity", routing_id)];
    command("READY", &properties.concat())
}

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
