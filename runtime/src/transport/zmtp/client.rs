//! [`ZmtpClient`]: the connection of a client, which is made again when it is lost.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep, timeout};

use super::closed::Closed;
use super::inproc;
use super::link::Link;
use super::role::Role;
use super::stream::{Stream, configure};
use crate::curve::CurveClient;
use crate::flush::CallerSender;
use crate::fork::random;
use crate::identity::Identity;
use crate::transport::address::{Address, Host};
#[cfg(unix)]
use crate::transport::unix;
use crate::transport::{
    ACCEPTED, ClientTransport, Delivered, LinkConfig, LinkEvent, NO_HANDSHAKE, Sent, TransportError,
};
use crate::wire::Message;

/// A client's connection to one endpoint.
pub(crate) struct ZmtpClient {
    address: Address,
    config: LinkConfig,
    role: Role,
    /// Who this client is, for a server of this process.
    identity: Option<Identity>,
    state: State,
    events: VecDeque<LinkEvent>,
    /// Number of tries since the connection was last up.
    tries: u32,
    /// Whether the driver was told that the connection is up.
    is_up: bool,
}

enum State {
    Connecting(Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>),
    Linked {
        link: Box<Link>,
        /// Whether the connection is closed, and the driver told. What has arrived before was not taken yet.
        is_lost: bool,
    },
    /// Until the next try.
    Waiting(Pin<Box<Sleep>>),
}

/// Minimum time between the loss of a connection and the next try, not counting what is taken off at random.
const MIN_RECONNECT: Duration = Duration::from_millis(50);
/// Maximum time between two tries.
const MAX_RECONNECT: Duration = Duration::from_secs(2);
/// Time that one try has to reach the peer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One part of this many, and less, is taken off the time between two tries, so that clients that have lost a server together do
/// not come back together.
const JITTER_PARTS: u32 = 4;

impl ZmtpClient {
    /// Creates a connection, which is made as soon as its peer listens. A server of this process is told the identity; another
    /// is not. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// The endpoint can't be read.
    pub(crate) fn connect(
        endpoint: &str,
        config: LinkConfig,
        curve: Option<CurveClient>,
        identity: Option<Identity>,
    ) -> Result<Self, TransportError> {
        let address = Address::to_connect(endpoint)?;
        let state = State::Connecting(Box::pin(open(address.clone(), identity.clone())));
        let role = Role::Client(curve);
        Ok(Self { address, config, role, identity, state, events: VecDeque::new(), tries: 0, is_up: false })
    }

    fn link(&mut self) -> Option<&mut Link> {
        match &mut self.state {
            State::Linked { link, .. } => Some(link),
            State::Connecting(_) | State::Waiting(_) => None,
        }
    }

    /// Reports whether there is something for the driver to take.
    fn has_news(&mut self) -> bool {
        self.link().is_some_and(|link| link.has_frames() || link.has_room_again())
    }

    fn begin(&mut self) {
        self.is_up = false;
        self.state = State::Connecting(Box::pin(open(self.address.clone(), self.identity.clone())));
    }

    fn wait(&mut self) {
        let pause = pause_after(self.tries);
        self.tries = self.tries.saturating_add(1);
        self.state = State::Waiting(Box::pin(sleep(pause)));
    }

    /// Goes on as far as that goes without waiting.
    fn poll_progress(&mut self, context: &mut Context<'_>) {
        loop {
            match &mut self.state {
                State::Connecting(opening) => match opening.as_mut().poll(context) {
                    Poll::Pending => return,
                    Poll::Ready(opened) => self.link_up(opened),
                },
                State::Linked { is_lost: true, .. } => return,
                State::Linked { link, .. } => {
                    let polled = link.poll_io(context);
                    let (is_closed, comes_up) = (link.closed().is_some(), link.was_ready() && !self.is_up);
                    if comes_up {
                        (self.is_up, self.tries) = (true, 0);
                        self.events.push_back(LinkEvent::Connected);
                    }
                    if is_closed {
                        return self.lose();
                    }
                    // Whatever else was a reason not to wait, what arrives next is looked for once more.
                    if polled.is_pending() || self.has_news() {
                        return;
                    }
                }
                State::Waiting(pause) => match pause.as_mut().poll(context) {
                    Poll::Pending => return,
                    Poll::Ready(()) => self.begin(),
                },
            }
        }
    }

    /// Begins the handshake over a stream that was opened, or waits for the next try.
    fn link_up(&mut self, opened: io::Result<Stream>) {
        match opened.and_then(|stream| Link::new(stream, self.role.clone(), self.config, None)) {
            Ok(link) => {
                self.state = State::Linked { link: Box::new(link), is_lost: false };
                self.events.push_back(LinkEvent::Underway(ACCEPTED));
            }
            Err(error) => {
                self.events.push_back(LinkEvent::Unreachable(error.to_string()));
                self.wait();
            }
        }
    }

    /// Tells the driver that the connection is closed.
    fn lose(&mut self) {
        let State::Linked { link, is_lost } = &mut self.state else { return };
        *is_lost = true;
        self.events.push_back(match link.closed() {
            _ if std::mem::take(&mut self.is_up) => LinkEvent::Disconnected,
            Some(Closed::Protocol(error)) => LinkEvent::Unreachable(format!("{NO_HANDSHAKE}: {error}")),
            _ => {
                let hint = self.role.hint();
                LinkEvent::Unreachable(format!("{NO_HANDSHAKE}, and closes the connection{hint}"))
            }
        });
    }
}

impl ClientTransport for ZmtpClient {
    fn event(&mut self) -> Result<Option<LinkEvent>, TransportError> {
        Ok(self.events.pop_front())
    }

    /// Receives a message. Frames that do not belong to its batch are skipped: some devices leave an empty one.
    fn receive(&mut self) -> Result<Option<Delivered>, TransportError> {
        let received = self.link().and_then(Link::receive).map(|(message, _others)| message);
        if received.is_none()
            && self.events.is_empty()
            && matches!(self.state, State::Linked { is_lost: true, .. })
        {
            self.wait();
        }
        Ok(received)
    }

    /// Sends a message, or returns it if there is no room or no connection, of which an event tells.
    fn send(&mut self, message: Message) -> Result<Sent, TransportError> {
        let Some(link) = self.link() else { return Ok(Sent::Full(message)) };
        Ok(match link.send(Bytes::new, message, None) {
            Ok(()) => Sent::Yes,
            Err(message) => Sent::Full(message),
        })
    }

    fn has_changed(&mut self) -> Result<bool, TransportError> {
        let has_events = !self.events.is_empty();
        Ok(has_events || self.link().is_some_and(|link| link.has_frames() | link.take_room_again()))
    }

    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll_progress(context);
        if self.events.is_empty() { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        // What was lost is made again once its messages were taken, by a task that looks once more.
        if let State::Waiting(pause) = &mut self.state
            && pause.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Ok(()));
        }
        if self.has_changed()? { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_flushed(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.link().map_or(Poll::Ready(()), |link| link.poll_flushed(context))
    }

    fn renew(&mut self) -> Result<(), TransportError> {
        self.begin();
        Ok(())
    }

    fn parts(&self) -> u64 {
        match &self.state {
            State::Linked { link, .. } => link.parts(),
            State::Connecting(_) | State::Waiting(_) => 0,
        }
    }

    fn caller_sender(&mut self) -> Option<Arc<dyn CallerSender>> {
        let link = self.link().filter(|link| link.is_ready())?;
        Some(Arc::clone(link.outlet()) as _)
    }

    fn min_reconnect(&self) -> Duration {
        MIN_RECONNECT / JITTER_PARTS * (JITTER_PARTS - 1)
    }
}

/// Returns the time until the next try after this many in vain: it doubles up to a maximum, less a random part.
pub(super) fn pause_after(tries: u32) -> Duration {
    let whole = MIN_RECONNECT.saturating_mul(1 << tries.min(16)).min(MAX_RECONNECT);
    let off = whole / JITTER_PARTS / 1_000 * u32::try_from(random() % 1_000).unwrap_or(0);
    whole.saturating_sub(off)
}

/// Opens a connection to an address.
pub(super) async fn open(address: Address, identity: Option<Identity>) -> io::Result<Stream> {
    match timeout(CONNECT_TIMEOUT, open_in_time(address, identity)).await {
        Ok(opened) => opened,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not answer")),
    }
}

async fn open_in_time(address: Address, identity: Option<Identity>) -> io::Result<Stream> {
    match address {
        Address::Tcp { host, port } => {
            let stream = match host {
                Host::Ip(ip) => TcpStream::connect((ip, port)).await?,
                Host::Name(name) => TcpStream::connect((name, port)).await?,
                // Refused where the endpoint was read.
                Host::Any => return Err(io::ErrorKind::InvalidInput.into()),
            };
            refuse_itself(&stream)?;
            configure(&stream)?;
            Ok(Stream::Tcp(stream))
        }
        #[cfg(unix)]
        Address::Ipc(path) => Ok(Stream::Unix(unix::connect(&path).await?)),
        #[cfg(not(unix))]
        Address::Ipc(_) => Err(io::ErrorKind::Unsupported.into()),
        Address::Inproc(name) => Ok(Stream::Pipe(inproc::connect(&name, identity)?)),
    }
}

/// Refuses a connection of a socket to itself. Where nothing listens at a port, the system may choose that port for this side's
/// end, and connect the two.
fn refuse_itself(stream: &TcpStream) -> io::Result<()> {
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn a_connection_to_itself_is_none() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let itself = socket.connect(own).await.unwrap();
        assert_eq!(refuse_itself(&itself).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn tries_become_rarer_and_do_not_come_at_the_same_time() {
        for (tries, whole) in [(0, 50), (1, 100), (5, 1_600), (6, 2_000), (u32::MAX, 2_000)] {
            let whole = Duration::from_millis(whole);
            let pauses: Vec<_> = (0..64).map(|_| pause_after(tries)).collect();
            assert!(pauses.iter().all(|pause| *pause <= whole && *pause >= whole / 4 * 3), "{pauses:?}");
            assert!(pauses.iter().any(|pause| *pause != pauses[0]));
        }
    }
}
