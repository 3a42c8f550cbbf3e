//! [`ZmtpListener`]: the endpoints of a server, and the connections that are made to them.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{Sleep, sleep};

use super::address::{Address, Host};
use super::inproc::InprocListener;
use super::server::ZmtpPeer;
use super::stream::{Stream, configure};
#[cfg(unix)]
use super::unix::IpcListener;
use crate::telemetry;
use crate::transport::{LinkConfig, Listener, TransportError};

/// The endpoints of a server.
pub(crate) struct ZmtpListener {
    sockets: Vec<Socket>,
    config: LinkConfig,
    /// The socket that is asked first, so that none keeps the others from being asked.
    first: usize,
    /// A pause after the process had no file descriptor or memory for another connection.
    pause: Option<Pin<Box<Sleep>>>,
}

enum Socket {
    Tcp(TcpListener),
    #[cfg(unix)]
    Ipc(IpcListener),
    Inproc(InprocListener),
}

/// Number of connections over TCP that may wait to be accepted: thousands of clients may connect at once.
pub(super) const BACKLOG: u32 = 4_096;
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
        config: LinkConfig,
    ) -> Result<(Self, Vec<String>), (String, TransportError)> {
        let mut sockets = Vec::with_capacity(endpoints.len());
        let mut bound = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            let (socket, name) = Socket::bind(endpoint).map_err(|error| (endpoint.clone(), error))?;
            sockets.push(socket);
            bound.push(name);
        }
        Ok((Self { sockets, config, first: 0, pause: None }, bound))
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
}

impl Listener for ZmtpListener {
    type Connection = ZmtpPeer;

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<Result<ZmtpPeer, TransportError>> {
        /// Number of connections of this process so far.
        static CONNECTIONS: AtomicU64 = AtomicU64::new(0);
        loop {
            if let Some(pause) = &mut self.pause {
                if pause.as_mut().poll(context).is_pending() {
                    return Poll::Pending;
                }
                self.pause = None;
            }
            match self.poll_stream(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(stream)) => {
                    let number = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
                    return Poll::Ready(Ok(ZmtpPeer::new(stream, number, self.config)));
                }
                // That connection is gone; there may be others.
                Poll::Ready(Err(error)) if is_of_connection(&error) => {}
                // It waits in the queue of the system, which has no room for it here.
                Poll::Ready(Err(error)) => {
                    telemetry::accept_failed(&error);
                    self.pause = Some(Box::pin(sleep(PAUSE)));
                }
            }
        }
    }
}

/// Reports whether accepting has failed for a reason that lies in one connection. Source: `accept(2)`, "Error handling".
fn is_of_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

impl Socket {
    /// Binds an endpoint. Returns also the endpoint with what was chosen for it.
    fn bind(endpoint: &str) -> Result<(Self, String), TransportError> {
        match Address::to_bind(endpoint)? {
            Address::Tcp { host, port } => {
                let socket = bind_tcp(&host, port)?;
                let bound = format!("tcp://{}", socket.local_addr()?);
                Ok((Self::Tcp(socket), bound))
            }
            #[cfg(unix)]
            Address::Ipc(path) => Ok((Self::Ipc(IpcListener::bind(&path)?), endpoint.to_owned())),
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
            Self::Ipc(socket) => socket.poll_accept(context).map_ok(Stream::Unix),
            Self::Inproc(socket) => socket.poll_accept(context).map(|pipe| Ok(Stream::Pipe(pipe))),
        }
    }
}

fn bind_tcp(host: &Host, port: u16) -> io::Result<TcpListener> {
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in host.lookup(port)? {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // A server that starts again must not wait for the connections of the one before. On Windows, the option would let
        // another program take the port.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        // The accepted connections have it as well: a peer of ZMTP 3.0 that is cut off answers no ping, since it gets none.
        socket.set_keepalive(true)?;
        match socket.bind(address).and_then(|()| socket.listen(BACKLOG)) {
            Ok(listener) => return Ok(listener),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}
