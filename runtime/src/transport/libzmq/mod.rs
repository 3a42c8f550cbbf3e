//! The only code that calls libzmq: a ROUTER and a DEALER that never block, for the drivers that own them.
//!
//! `ZMQ_FD` is edge-triggered: it signals that something has changed since libzmq was last called, and not what. So a
//! driver drains its socket until there is nothing left, and only then waits. Since sending may consume the signal of a
//! message that has arrived, the driver receives once more after it has sent. Source: `zmq_getsockopt(3)`, `ZMQ_FD`.
//!
//! Each server that is bound seeds the C library's `rand`, which belongs to the whole program: see [`router_socket`].

// Two calls around an errno on which the `zmq` crate would panic, and some that it lacks.
#![allow(unsafe_code)]

mod dealer;
mod endpoint;
mod monitor;
mod out_frame;
mod router;
mod stall;
#[cfg(test)]
mod tests;
mod zap;

pub(crate) use dealer::Dealer;
pub(crate) use router::Router;

use std::cell::Cell;
use std::os::fd::RawFd;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::{LinkConfig, SendReceipt, TransportError, max_received};
use crate::codec::Attachments;
use crate::fork::{PerProcess, random};
use crate::wire::Buffer;
use out_frame::OutFrame;

impl From<zmq::Error> for TransportError {
    fn from(error: zmq::Error) -> Self {
        match error {
            zmq::Error::EMFILE => Self::TooManyFiles,
            error => Self::Socket(error.message().to_owned()),
        }
    }
}

/// Returns the context of the whole process, so that `inproc` endpoints meet. A child of the process has none of its threads, and gets
/// another one. It is never terminated: closing a socket does not
/// wait, and nothing that a user holds can keep the process from ending. A server with keys has one of its own: see [`zap`].
fn context() -> &'static zmq::Context {
    static CONTEXT: PerProcess<zmq::Context> = PerProcess::new();
    CONTEXT.get(zmq::Context::new)
}

/// Reports whether the libzmq that this program is linked with encrypts. That of the `zmq` crate does not.
pub(crate) fn has_curve() -> bool {
    zmq::has("curve") == Some(true)
}

/// Creates the ROUTER of a server, which numbers its connections from a random number on.
///
/// libzmq takes that number from `rand`, which it never seeds (4.3.4, `router_t`), and ends the process where a peer announces a routing
/// id that another connection is about to get. It can't be told to refuse such ids, so they must not be known. The program, or a library
/// in C, may seed `rand` for ends of its own; so it is seeded for each socket, as late as possible.
fn router_socket(context: &zmq::Context) -> zmq::Result<zmq::Socket> {
    static SEEDED: Mutex<()> = Mutex::new(());
    // Nothing panics while the lock is held.
    let _seeded = SEEDED.lock().unwrap_or_else(PoisonError::into_inner);
    // SAFETY: it has no conditions. The system's `rand` has a lock, or its callers have a state each.
    unsafe { libc::srand(u32::try_from(random() >> 32).unwrap_or(1)) };
    context.socket(zmq::ROUTER)
}

/// Number of messages that libzmq may hold for one peer, and of one that is in the same process. A message is a batch or a large
/// body, so this is bytes enough; libzmq's own 1,000 could stand for gigabytes.
const HIGH_WATER_MARK: i32 = 128;
/// Number of messages of a peer behind a connection that libzmq may hold until they are taken: unbounded.
///
/// At a bound, libzmq stops reading from the connection. If the connection is reset then, half of it stays until there is room
/// again; and the next ping meanwhile, one that libzmq would send as much as one of the peer's that it has read already, ends the
/// whole process: `Assertion failed: !_io_error`, <https://github.com/zeromq/libzmq/issues/4841>. A peer needs a few hundred
/// bytes for that. Neither does libzmq read the peer's pongs then, and takes it for dead.
const UNBOUNDED: i32 = 0;
/// How long the messages that were sent last may take to leave after their socket is closed, in milliseconds.
const LINGER_MS: i32 = 1_000;
/// A peer that has not finished the ZMTP handshake after this many milliseconds is cut off: it holds a file descriptor.
const HANDSHAKE_MS: i32 = 10_000;

/// Sets the options that both kinds of sockets share.
///
/// libzmq's own thread sends and answers heartbeats. For each answer, libzmq (4.3.4, `poller_base_t::cancel_timer`) passes over
/// every timer of the thread that is due before that of the question: over one for each connection, if `silence` is longer than
/// `heartbeat`.
fn configure(socket: &zmq::Socket, config: LinkConfig) -> zmq::Result<()> {
    socket.set_sndhwm(HIGH_WATER_MARK)?;
    socket.set_linger(LINGER_MS)?;
    socket.set_handshake_ivl(HANDSHAKE_MS)?;
    socket.set_heartbeat_ivl(millis(config.heartbeat))?;
    socket.set_heartbeat_timeout(millis(config.silence))?;
    socket.set_maxmsgsize(i64::try_from(max_received(config.max_body)).unwrap_or(i64::MAX))
}

/// Returns the number of messages that libzmq may hold of a peer at one of these endpoints. Peers in the same process have no
/// connection that could be reset, and are made to wait.
fn receive_high_water_mark<'a>(mut endpoints: impl Iterator<Item = &'a str>) -> i32 {
    if endpoints.all(is_inproc) { HIGH_WATER_MARK } else { UNBOUNDED }
}

/// Reports whether an endpoint lies within the process. libzmq watches no such connection.
pub(crate) fn is_inproc(endpoint: &str) -> bool {
    endpoint.starts_with("inproc://")
}

/// Converts a time to milliseconds for libzmq, which takes 0 for never: a shorter time than one is one.
fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// A socket, with the descriptor by which libzmq tells that something has changed.
struct Watched {
    // Dropped before the socket, whose descriptor it watches.
    signal: AsyncFd<RawFd>,
    socket: zmq::Socket,
    /// Whether the descriptor was never looked at. A message that arrived before the descriptor was watched may have swallowed
    /// its signal, so the first look counts as a change.
    fresh: Cell<bool>,
}

impl Watched {
    /// Watches a socket. Must be called within a tokio runtime with I/O enabled.
    fn new(socket: zmq::Socket) -> Result<Self, TransportError> {
        let descriptor = socket.get_fd()?;
        // SAFETY: the descriptor is the socket's, which keeps it the same and open until it is closed; that is when this
        // struct is dropped, after `signal`.
        let signal = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Self { signal: signal.map_err(std::io::Error::from)?, socket, fresh: Cell::new(true) })
    }

    /// Is ready when something may have changed; the caller must then drain the socket before it asks again.
    fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        if self.fresh.replace(false) {
            return Poll::Ready(Ok(()));
        }
        match self.signal.poll_read_ready(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Ready(Ok(mut ready)) => {
                // Before draining: a signal that comes meanwhile must not be lost.
                ready.clear_ready();
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Returns the next frame, if there is one.
    fn receive(&self) -> Result<Option<zmq::Message>, TransportError> {
        let mut frame = zmq::Message::new();
        match uninterrupted(|| self.socket.recv(&mut frame, zmq::DONTWAIT)) {
            Ok(()) => Ok(Some(frame)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns whether there is something to receive, or room to send.
    fn events(&self) -> Result<zmq::PollEvents, TransportError> {
        Ok(uninterrupted(|| self.socket.get_events())?)
    }

    /// Sends a copy of a frame. If libzmq refuses it, the caller still has it.
    fn send_copy(&self, frame: &[u8], flags: i32) -> zmq::Result<()> {
        uninterrupted(|| self.socket.send(frame, flags))
    }

    /// Hands a frame's buffer over. If libzmq refuses it, it is lost.
    fn send_whole(&mut self, frame: Buffer, receipt: Option<SendReceipt>, flags: i32) -> zmq::Result<()> {
        OutFrame::new(frame, receipt)?.send(&mut self.socket, flags)
    }

    /// Sends the frames before that of a batch, and then that one, by `send_batch`.
    fn send_message(
        &mut self,
        attachments: Attachments,
        send_batch: impl FnOnce(&mut Self) -> zmq::Result<()>,
    ) -> zmq::Result<()> {
        let mut lost = None;
        for (index, frame) in attachments.into_frames().enumerate() {
            match self.send_whole(Buffer::Attachment(frame), None, zmq::DONTWAIT | zmq::SNDMORE) {
                Ok(()) => {}
                Err(error) if index == 0 => return Err(error),
                Err(error) => {
                    lost = Some(error);
                    break;
                }
            }
        }
        // A DEALER that loses its connection in the middle of a message drops everything up to the end of that message. So the
        // end must be sent, or the next message would be dropped silently (libzmq 4.3.4, `lb_t::sendpipe`).
        let sent = send_batch(self);
        lost.map_or(sent, Err)
    }
}

/// Repeats a call that a signal has interrupted: libzmq gives up then, even if it would not have waited.
fn uninterrupted<T>(mut call: impl FnMut() -> zmq::Result<T>) -> zmq::Result<T> {
    loop {
        match call() {
            Err(zmq::Error::EINTR) => {}
            result => return result,
        }
    }
}

/// A frame that has arrived, as bytes that can be shared and sliced without copying.
struct Frame(zmq::Message);

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn into_bytes(frame: zmq::Message) -> Bytes {
    Bytes::from_owner(Frame(frame))
}
