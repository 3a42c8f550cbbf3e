//! [`ZmtpListener`]: the endpoints of a server, and the connections that are made to them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::time::{Instant, Sleep, sleep_until};

use super::dialler::Dialler;
use super::handshakes::Handshakes;
use super::inproc::InprocListener;
use super::role::Role;
use super::server::ZmtpPeer;
use super::stream::{Stream, configure};
use crate::source::Source;
use crate::telemetry;
use crate::transport::address::Address;
use crate::transport::listen::{Reach, Terms, listen};
#[cfg(unix)]
use crate::transport::unix::{self, SocketFile};
use crate::transport::{
    Accepted, HandshakeFailure, HandshakeLimits, LinkConfig, Listener, Refusal, TransportError,
};

/// The endpoints of a server.
pub(crate) struct ZmtpListener {
    sockets: Vec<Socket>,
    /// Connections that this server makes itself.
    diallers: Vec<Dialler>,
    config: LinkConfig,
    role: Role,
    /// Those of connections from outside of the process.
    handshakes: Arc<Handshakes>,
    /// The socket that is asked first, so that none keeps the others from being asked.
    first: usize,
    /// A pause after the process had no file descriptor or memory for another connection.
    pause: Option<Pin<Box<Sleep>>>,
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Ipc {
        /// Dropped before the socket.
        _file: Option<SocketFile>,
        socket: UnixListener,
    },
    Inproc(InprocListener),
}

/// Time without accepting after the process had no file descriptor or memory for another connection.
const PAUSE: Duration = Duration::from_millis(50);

impl ZmtpListener {
    /// Binds every endpoint. Returns also the endpoints with what was chosen for them, such as ports. Must be called within a
    /// tokio runtime with I/O enabled.
    ///
    /// # Errors
    /// The endpoint that can't be bound, and why.
    pub(crate) fn bind(
        endpoints: &[String],
        reach: Reach,
        config: LinkConfig,
        limits: HandshakeLimits,
        role: Role,
    ) -> Result<(Self, Vec<String>), (String, TransportError)> {
        let mut sockets = Vec::with_capacity(endpoints.len());
        let mut bound = Vec::with_capacity(endpoints.len());
        let terms = Terms::new(reach);
        for endpoint in endpoints {
            let (socket, name) = Socket::bind(endpoint, terms).map_err(|error| (endpoint.clone(), error))?;
            sockets.push(socket);
            bound.push(name);
        }
        let handshakes = Handshakes::new(limits);
        Ok((Self { sockets, diallers: Vec::new(), config, role, handshakes, first: 0, pause: None }, bound))
    }

    /// Has the server make connections, too.
    pub(crate) fn dial(&mut self, dialler: Dialler) {
        self.diallers.push(dialler);
    }

    fn poll_stream(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        let number = self.sockets.len();
        for index in (self.first..self.first + number).map(|index| index % number) {
            if let Poll::Ready(accepted) = self.sockets[index].poll_accept(context) {
                self.first = (index + 1) % number;
                return Poll::Ready(accepted);
            }
        }
        Poll::Pending
    }

    /// Begins a connection, or refuses it where as many handshakes as may be are under way.
    fn begin(&self, stream: Stream) -> io::Result<Accepted<ZmtpPeer>> {
        let address = stream.peer_address();
        let handshake = match &stream {
            Stream::Pipe(_) | Stream::Known(..) => None,
            _ => match self.handshakes.begin(Source::of(address), Instant::now()) {
                Ok(handshake) => Some(handshake),
                Err(cut) => {
                    let why = cut.reason(self.handshakes.limits()).unwrap_or_default();
                    let reason = HandshakeFailure::Crowded;
                    return Ok(Accepted::Refused(Box::new(Refusal { reason, why, key: None, address })));
                }
            },
        };
        let peer = ZmtpPeer::new(stream, next_number(), self.role.clone(), self.config, handshake)?;
        Ok(Accepted::Connection(peer))
    }
}

impl Listener for ZmtpListener {
    type Connection = ZmtpPeer;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Result<Accepted<ZmtpPeer>, TransportError>> {
        for dialler in &mut self.diallers {
            if let Poll::Ready(peer) = dialler.poll_connect(context, next_number) {
                return Poll::Ready(Ok(Accepted::Connection(peer)));
            }
        }
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
            }
            match self.poll_stream(context).map(|stream| self.begin(stream?)) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(accepted)) => return Poll::Ready(Ok(accepted)),
                // That connection is gone; there may be others.
                Poll::Ready(Err(error)) if is_of_connection(&error) => {}
                // It waits in the queue of the system, which has no room for it here.
                Poll::Ready(Err(error)) => {
                    telemetry::accept_failed(&error);
                    let now = Instant::now();
                    // A handshake that hangs may have the descriptor.
                    self.handshakes.cut_oldest(now);
                    self.pause = Some(Box::pin(sleep_until(now + PAUSE)));
                }
            }
        }
    }
}

impl Drop for ZmtpListener {
    fn drop(&mut self) {
        self.handshakes.close();
    }
}

/// Returns the number of a new connection, which no other of this process has.
fn next_number() -> u64 {
    static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
    CONNECTIONS.fetch_add(1, Ordering::Relaxed)
}

/// Reports whether accepting has failed for a reason that lies in one connection. Source: `accept(2)`, "Error handling".
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

impl Socket {
    /// Binds an endpoint. Returns also the endpoint with what was chosen for it.
    fn bind(endpoint: &str, terms: Terms) -> Result<(Self, String), TransportError> {
        match Address::to_bind(endpoint)? {
            Address::Tcp { host, port } => {
                let socket = listen(&host, port, terms.reach)?;
                let bound = format!("tcp://{}", socket.local_addr()?);
                Ok((Self::Tcp(socket), bound))
            }
            #[cfg(unix)]
            Address::Ipc(path) => {
                let (socket, file) = unix::listen(&path, terms.until)?;
                Ok((Self::Ipc { _file: file, socket }, endpoint.to_owned()))
            }
            // Refused where the endpoint was read.
            #[cfg(not(unix))]
            Address::Ipc(_) => Err(io::Error::from(io::ErrorKind::Unsupported).into()),
            Address::Inproc(name) => Ok((Self::Inproc(InprocListener::bind(&name)?), endpoint.to_owned())),
        }
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        match self {
            Self::Tcp(socket) => socket.poll_accept(context).map_ok(|(stream, _)| {
                // It fails for a connection that is gone, which is told when it is read.
                let _ = configure(&stream);
                Stream::Tcp(stream)
            }),
            #[cfg(unix)]
            Self::Ipc { socket, .. } => {
                socket.poll_accept(context).map_ok(|(stream, _)| Stream::Unix(stream))
            }
            Self::Inproc(socket) => socket.poll_accept(context).map(|(pipe, identity)| {
                Ok(match identity {
                    Some(identity) => Stream::Known(pipe, identity),
                    None => Stream::Pipe(pipe),
                })
            }),
        }
    }
}
