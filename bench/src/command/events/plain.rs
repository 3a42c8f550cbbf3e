//! A plain subscriber: a connection of ZMTP 3.0 by hand, which counts the messages that it reads.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Arrivals;
use crate::Failure;

/// Size of a greeting in bytes.
const GREETING_BYTES: usize = 64;

/// Connects and subscribes. Returns what counts messages until the connection ends.
pub(super) async fn listen_to(
    endpoint: String,
    topic: String,
    arrivals: Arc<Arrivals>,
) -> Result<impl Future<Output = Result<(), Failure>> + Send + 'static, Failure> {
    let address = endpoint.strip_prefix("tcp://").ok_or("an endpoint of TCP")?;
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(&greeting()).await?;
    let mut theirs = [0; GREETING_BYTES];
    stream.read_exact(&mut theirs).await?;
    stream.write_all(&ready()).await?;
    let [_flags, length] = read(&mut stream).await?;
    let mut properties = vec![0; usize::from(length)];
    stream.read_exact(&mut properties).await?;
    let length = u8::try_from(topic.len() + 1)?;
    stream.write_all(&[&[0, length, 1], topic.as_bytes()].concat()).await?;
    Ok(count(stream, arrivals))
}

async fn read<const N: usize>(stream: &mut TcpStream) -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

fn greeting() -> [u8; GREETING_BYTES] {
    let mut greeting = [0; GREETING_BYTES];
    (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

fn ready() -> Vec<u8> {
    let properties = [b"\x05READY\x0bSocket-Type".as_slice(), &3_u32.to_be_bytes(), b"SUB"].concat();
    let length = u8::try_from(properties.len()).unwrap_or(u8::MAX);
    [&[4, length], properties.as_slice()].concat()
}

/// Counts the last frames of messages.
async fn count(mut stream: TcpStream, arrivals: Arc<Arrivals>) -> Result<(), Failure> {
    let mut bytes = Vec::with_capacity(64 * 1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
        let (mut at, mut messages) = (0, 0);
        while let Some((flags, end)) = frame(&bytes[at..]) {
            messages += u64::from(flags & 5 == 0);
            at += end;
        }
        bytes.drain(..at);
        arrivals.add(messages);
    }
}

/// Returns the flags of a frame, and where it ends, if all of it is there.
fn frame(bytes: &[u8]) -> Option<(u8, usize)> {
    let flags = *bytes.first()?;
    let (length, head) = if flags & 2 == 0 {
        (usize::from(*bytes.get(1)?), 2)
    } else {
        (usize::try_from(u64::from_be_bytes(*bytes.get(1..)?.first_chunk()?)).ok()?, 9)
    };
    (bytes.len() >= head + length).then_some((flags, head + length))
}
