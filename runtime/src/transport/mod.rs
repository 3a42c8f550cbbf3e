//! What a driver needs of a transport, which carries messages, for both sides. A driver, and everything above it, knows
//! these traits, and does not know what implements them.
//!
//! - [`libzmq`]: ROUTER and DEALER sockets of libzmq, and the only code that calls it.
//! - [`zmtp`]: ZMTP straight on tokio's sockets, the default of [`crate::Engine`]: a [`Listener`], whose connections are
//!   transports of their own.
//! - [`memory`]: queues within the process, on tokio's clock, with the faults that a test asks for: for
//!   [`crate::Channel::local`] and [`crate::testing`].
//! - [`address`]: what an endpoint says; [`listen`] and [`unix`]: the sockets at which servers listen. They are the same for every
//!   engine.
//! - [`SendWindow`] and [`SendReceipt`]: the number of bytes sent to a peer that the transport still holds.
//!
//! A transport never blocks, but for the end of a server on libzmq, which waits up to half a second for each listener to be closed.
//! Its `poll_changed` reports that something may have changed since the last call, and not
//! what. So a driver drains its transport until there is nothing left, and only then waits. Sending may consume the
//! signal of a message that has arrived, as it may with libzmq, so a driver receives once more after it has sent.

pub(crate) mod address;
mod frame_assembler;
#[cfg(all(feature = "libzmq", unix))]
pub(crate) mod libzmq;
pub(crate) mod listen;
pub(crate) mod memory;
mod receipt;
mod refusal;
mod route;
#[cfg(unix)]
mod unix;
pub(crate) mod zmtp;

pub(crate) use receipt::{RECEIPT_STEP_BYTES, SendReceipt, SendWindow};
pub use refusal::HandshakeFailure;
pub(crate) use refusal::Refusal;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::flush::CallerSender;
use crate::identity::Identity;
use crate::status::Status;
use crate::wire::{Batch, Malformed, Message};

/// Carries the messages of a server.
pub(crate) trait ServerTransport: Send + Unpin + 'static {
    /// Returns the next arrival, or `None` if there is none right now.
    fn receive(&mut self) -> Result<Option<Arrival<'_>>, TransportError>;

    /// Returns what [`Arrival::Proved`] would, if that is what arrives next: so that a message which takes several turns to read holds
    /// up no revocation.
    fn take_proof(&mut self) -> Option<Proof> {
        None
    }

    /// Sends a message along a route. A receipt goes with the message, and is dropped once the transport is done with its bytes.
    fn send(
        &mut self,
        route: &[u8],
        message: Message,
        receipt: Option<SendReceipt>,
    ) -> Result<Routed, TransportError>;

    /// Is ready when something may have changed. See the head of this module.
    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// Is ready when the only connection of this transport is up, or with why it never will be: the refusal, if its peer, or the number
    /// of those that were not up, is the reason. Other transports are up from the beginning.
    fn poll_up(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Option<Box<Refusal>>>> {
        Poll::Ready(Ok(()))
    }

    /// Returns the address that the only connection of this transport comes from, if there is one.
    fn peer_address(&self) -> Option<SocketAddr> {
        None
    }

    /// Returns who the client at the other end of this transport's only connection is, if there is one and it is known.
    fn peer_identity(&self) -> Option<Identity> {
        None
    }

    /// Returns the time after which a message that found no room is tried again, although nothing has changed.
    fn retry_interval(&self) -> Duration;

    /// Returns a number that is another one once a further part of a long message has come or gone: a sign of life of the peers.
    fn parts(&self) -> u64 {
        0
    }
}

/// Accepts the connections of a server, of which each is a transport of its own. Those that are not [up](ServerTransport::poll_up) when
/// this is dropped never will be.
pub(crate) trait Listener: Send + Unpin + 'static {
    /// One connection, which ends with [`Arrival::Closed`].
    type Connection: ServerTransport;

    /// Is ready with the next connection.
    fn poll_accept(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Accepted<Self::Connection>, TransportError>>;
}

/// The result of [`Listener::poll_accept`].
pub(crate) enum Accepted<C> {
    /// A connection, which may not be up yet.
    Connection(C),
    /// A connection was closed at once.
    Refused(Box<Refusal>),
}

/// Something that has arrived at a server.
pub(crate) enum Arrival<'a> {
    /// A message of the peer behind this route.
    Message { route: &'a [u8], message: Delivered },
    /// A message whose route is too long to be answered.
    RouteTooLong,
    /// What the server knows of the peer of the only connection of this transport, by the key that the peer has proved to have. Comes
    /// before its messages, and again when it has changed.
    Proved(Proof),
    /// A peer was refused before it was heard.
    #[cfg_attr(not(all(feature = "libzmq", unix)), expect(dead_code, reason = "others tell it by `poll_up`"))]
    Refused(Box<Refusal>),
    /// The peer behind this route is gone. Not every transport can tell: libzmq can't, and `zmtp` tells by [`Arrival::Closed`].
    PeerLost { route: &'a [u8] },
    /// The transport carried a single connection, which is closed. Nothing else arrives after it.
    Closed,
}

/// What a server knows of a peer by its key.
#[derive(Debug)]
pub(crate) enum Proof {
    /// Who it is.
    Is(Identity),
    /// It is not let in any more, or not as it was: its connection is to be closed, and its calls end with this.
    Revoked(Box<Status>),
}

/// The result of [`ServerTransport::send`].
#[derive(Debug)]
pub(crate) enum Routed {
    /// The transport has taken the message.
    Yes,
    /// The client's queue is full. The message comes back.
    Full(Message),
    /// The client is gone. The message comes back, unless the transport has taken it already.
    Unreachable(Option<Message>),
}

/// Carries the messages of a client's connection.
pub(crate) trait ClientTransport: Send + Unpin + 'static {
    /// Returns the next event of the connection, or `None` if there is none right now.
    fn event(&mut self) -> Result<Option<LinkEvent>, TransportError>;

    /// Returns the next message, or `None` if there is none right now.
    fn receive(&mut self) -> Result<Option<Delivered>, TransportError>;

    /// Sends a message.
    fn send(&mut self, message: Message) -> Result<Sent, TransportError>;

    /// Reports whether there is something to receive, or room to send.
    fn has_changed(&mut self) -> Result<bool, TransportError>;

    /// Is ready when there may be an event, which [`ClientTransport::event`] returns.
    fn poll_happened(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// Is ready when there may be something to receive, or room to send. See the head of this module.
    fn poll_changed(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>>;

    /// Is ready when everything that was sent has left, as far as the transport knows, or never will. Called before the transport is
    /// dropped.
    fn poll_flushed(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Returns a number that is another one once a further part of a long message has come or gone: a sign of life of the server.
    fn parts(&self) -> u64 {
        0
    }

    /// Connects again, if the connection is of no use any more and the transport does not do so by itself.
    fn renew(&mut self) -> Result<(), TransportError>;

    /// Returns what a caller's task may send by over the connection that is up, if the transport has such a thing.
    fn caller_sender(&mut self) -> Option<Arc<dyn CallerSender>> {
        None
    }

    /// Returns the minimum time between the loss of a connection and its return. If two messages are sent within half
    /// of that time and there is no event, they went over the same connection. Needed for transports whose events may come late.
    fn min_reconnect(&self) -> Duration;
}

/// An event of a client's connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LinkEvent {
    /// The connection is up: messages are sent.
    Connected,
    /// The connection is down; the transport tries to bring it up again.
    Disconnected,
    /// The connection is not up yet; this is how far it has come.
    Underway(&'static str),
    /// The connection does not come up, for this reason; the transport tries again.
    Unreachable(String),
}

/// The result of [`ClientTransport::send`].
#[derive(Debug)]
pub(crate) enum Sent {
    /// The transport has taken the message.
    Yes,
    /// The queue is full. The message comes back.
    Full(Message),
    /// The server is gone, and the message is lost.
    #[cfg_attr(
        not(all(feature = "libzmq", unix)),
        expect(dead_code, reason = "only libzmq finds out so late")
    )]
    Unreachable,
}

/// A message that has arrived.
pub(crate) struct Delivered {
    /// The batch with its attachments, or what is wrong with its frames.
    pub(crate) batch: Result<Batch, Malformed>,
    /// Size of all of its frames in bytes.
    pub(crate) bytes: usize,
    /// Who its sender is, of a transport that knows it message by message. See [`ServerTransport::peer_identity`] for others.
    pub(crate) identity: Option<Identity>,
}

impl Delivered {
    /// A message of which the transport knows no sender.
    pub(crate) fn anonymous(batch: Result<Batch, Malformed>, bytes: usize) -> Self {
        Self { batch, bytes, identity: None }
    }
}

/// Why a transport has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TransportError {
    /// The process, or libzmq, has no socket or file descriptor left. libzmq has 1,023 sockets for a process, unless it
    /// is built otherwise; a connection takes three, a server one.
    TooManyFiles,
    /// The endpoint can't be read: what is wrong with it, and what to do.
    Endpoint(String),
    /// The endpoint contains a NUL, which ends a text in C.
    NulInEndpoint,
    /// Other machines can reach the address, and must not.
    Exposed(IpAddr),
    /// This process is a child of the one that has the sockets.
    Forked,
    /// The server within the process was stopped, or the client's link is gone.
    Stopped,
    /// A socket failed for another reason, in the words of libzmq or the system.
    Socket(String),
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exposed(ip) => return write!(f, "other machines can reach `{ip}`"),
            Self::TooManyFiles => {
                "too many sockets or files are open in this process; share connections, or raise `ulimit -n`"
            }
            Self::NulInEndpoint => "an endpoint can't contain a NUL",
            Self::Forked => "the server was made before this process was forked, and is its parent's; make another one here",
            Self::Stopped => "the server within the process was stopped",
            Self::Socket(reason) | Self::Endpoint(reason) => reason,
        })
    }
}

impl From<std::io::Error> for TransportError {
    fn from(error: std::io::Error) -> Self {
        // `EMFILE` and `ENFILE` have no kind of their own.
        if error.raw_os_error().is_some_and(|code| cfg!(unix) && matches!(code, 23 | 24)) {
            return Self::TooManyFiles;
        }
        Self::Socket(error.to_string())
    }
}

/// Bounds and times of a connection, for both sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkConfig {
    /// Maximum size of a body in bytes. A larger one is answered with an error, or not received: see [`max_received`].
    pub(crate) max_body: usize,
    /// Time between two heartbeats to a peer that sends nothing.
    pub(crate) heartbeat: Duration,
    /// Time that a peer has to answer a heartbeat before its connection is considered dead.
    pub(crate) silence: Duration,
}

/// Maximum number of connections of a server whose handshake is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HandshakeLimits {
    /// Of those that come from one address.
    pub(crate) per_address: usize,
    /// Of all.
    pub(crate) all: usize,
}

/// Reports whether the engine `libzmq` encrypts.
pub(crate) fn libzmq_has_curve() -> bool {
    #[cfg(all(feature = "libzmq", unix))]
    return libzmq::has_curve();
    #[cfg(not(all(feature = "libzmq", unix)))]
    false
}

/// What is known of a connection once something has accepted it.
pub(crate) const ACCEPTED: &str = "what listens there has not completed the ZeroMQ handshake yet";

/// Reason for a connection that does not come up although something listens.
pub(crate) const NO_HANDSHAKE: &str = "what listens there does not complete the ZeroMQ handshake";

/// Ratio of the largest message that is received to the largest body. A larger message is not kept: libzmq cuts its
/// connection, and `zmtp` reads past it; a smaller one with too large a body is answered with `resource_exhausted`.
const HARD_LIMIT_FACTOR: usize = 4;
/// Number of bytes added to that, for batches of small records.
const HARD_LIMIT_EXTRA_BYTES: usize = 256 * 1024;

/// Returns the size in bytes of the largest message that is received.
pub(crate) fn max_received(max_body: usize) -> usize {
    max_body.saturating_mul(HARD_LIMIT_FACTOR).saturating_add(HARD_LIMIT_EXTRA_BYTES)
}

/// Maximum size in bytes of a message that a transport copies as it takes it, which is cheaper than to hand a buffer
/// over. The transport is done with it at once; a receipt for such a message is given only now and then.
pub(crate) const COPIED_BELOW_BYTES: usize = 8 * 1024;
