//! The bytes of a connection, whatever carries them: [`ReadHalf`], and [`WriteHalf`], which has another owner.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf, split};
use tokio::net::{TcpStream, tcp};
#[cfg(unix)]
use tokio::net::{UnixStream, unix};

use crate::identity::Identity;

/// A connection that carries bytes in both directions.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    /// Within the process.
    Pipe(DuplexStream),
    /// Within the process, from a client whose program says who it is.
    Known(DuplexStream, Identity),
}

/// The bytes that come from the peer.
#[derive(Debug)]
pub(super) enum ReadHalf {
    Tcp(tcp::OwnedReadHalf),
    #[cfg(unix)]
    Unix(unix::OwnedReadHalf),
    Pipe(tokio::io::ReadHalf<DuplexStream>),
}

/// The bytes that go to the peer.
#[derive(Debug)]
pub(super) enum WriteHalf {
    Tcp(tcp::OwnedWriteHalf),
    #[cfg(unix)]
    Unix(unix::OwnedWriteHalf),
    Pipe(tokio::io::WriteHalf<DuplexStream>),
}

/// Number of bytes that are read at a time, into a buffer that all connections of a thread share: an idle connection has none.
pub(super) const READ_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

impl Stream {
    /// Returns the address of the other end, over TCP. One of IPv4 is given as such, also if a socket of IPv6 has accepted it.
    pub(super) fn peer_address(&self) -> Option<SocketAddr> {
        let Self::Tcp(stream) = self else { return None };
        // It fails for a connection that is gone, which is told when it is read.
        let address = stream.peer_addr().ok()?;
        Some(match address.ip().to_canonical() {
            IpAddr::V4(ip) => (ip, address.port()).into(),
            // With the number of its link, where that is a part of it.
            IpAddr::V6(_) => address,
        })
    }

    /// Returns who the client at the other end is, if that is known.
    pub(super) fn peer_identity(&self) -> Option<Identity> {
        match self {
            Self::Known(_, identity) => Some(identity.clone()),
            _ => None,
        }
    }

    pub(super) fn into_split(self) -> (ReadHalf, WriteHalf) {
        match self {
            Self::Tcp(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Tcp(read), WriteHalf::Tcp(write))
            }
            #[cfg(unix)]
            Self::Unix(stream) => {
                let (read, write) = stream.into_split();
                (ReadHalf::Unix(read), WriteHalf::Unix(write))
            }
            Self::Pipe(stream) | Self::Known(stream, _) => {
                let (read, write) = split(stream);
                (ReadHalf::Pipe(read), WriteHalf::Pipe(write))
            }
        }
    }
}

impl ReadHalf {
    /// Reads some bytes, and hands them to `take`. Returns their number, 0 at the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<usize>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            ready!(self.poll_read_to(context, &mut read))?;
            take(read.filled());
            Poll::Ready(Ok(read.filled().len()))
        })
    }

    fn poll_read_to(&mut self, context: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_read(context, to),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_read(context, to),
            Self::Pipe(half) => Pin::new(half).poll_read(context, to),
        }
    }

    /// Reads up to `most` bytes to the end of a buffer. Returns their number, 0 at the end of the stream.
    pub(super) fn poll_fill(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut BytesMut,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let mut buffer = buffer.limit(most);
        match self {
            Self::Tcp(half) => pin!(half.read_buf(&mut buffer)).poll(context),
            #[cfg(unix)]
            Self::Unix(half) => pin!(half.read_buf(&mut buffer)).poll(context),
            Self::Pipe(half) => pin!(half.read_buf(&mut buffer)).poll(context),
        }
    }
}

impl WriteHalf {
    /// Writes as many bytes as there is room for, and registers for when there is room again if there is none.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self {
            Self::Tcp(half) => Pin::new(half).poll_write_vectored(context, slices),
            #[cfg(unix)]
            Self::Unix(half) => Pin::new(half).poll_write_vectored(context, slices),
            Self::Pipe(half) => Pin::new(half).poll_write_vectored(context, slices),
        }
    }
}

/// Maximum number of bytes that the system takes of a connection without having sent them. What it takes can't be followed, and a
/// heartbeat has to wait behind it.
#[cfg(any(target_os = "android", target_os = "linux"))]
const MAX_UNSENT_BYTES: u32 = 128 * 1024;

/// Sets the options of a TCP connection.
pub(super) fn configure(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "android", target_os = "linux"))]
    socket2::SockRef::from(stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
    Ok(())
}

/// Returns a context for a write that does not wait.
pub(super) fn no_wait() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
