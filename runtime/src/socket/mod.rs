//! The only code that talks to libzmq: a ROUTER and a DEALER that never block, for the tasks that own them.
//!
//! `ZMQ_FD` is edge-triggered: it tells that something has changed since libzmq was last asked, and nothing more. So an
//! owner drains its socket until there is nothing left, and only then waits; and since sending may swallow the signal
//! of something that came in, it receives once more after it has sent. Source: `zmq_getsockopt(3)`, `ZMQ_FD`.

// Only here: two calls around an errno on which the `zmq` crate would panic, and one that it lacks.
#![allow(unsafe_code)]

mod before;
mod dealer;
mod endpoint;
mod flight;
mod frame;
mod monitor;
mod router;
#[cfg(test)]
mod tests;

pub(crate) use dealer::{Dealer, RECONNECT};
pub(crate) use flight::{Flight, Receipt};
pub(crate) use monitor::Event;
pub(crate) use router::{Routed, Router};

use std::cell::Cell;
use std::fmt;
use std::os::fd::RawFd;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::codec::Attachments;
use crate::wire::{Batch, Buffer, Malformed, Message};
use frame::OutFrame;

/// What went wrong with a socket, in libzmq's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SocketError(String);

/// libzmq has 1,023 sockets for a process, unless it is built otherwise; a connection takes three, a server one.
const TOO_MANY: &str =
    "too many sockets or files are open in this process; share connections, or raise `ulimit -n`";

impl fmt::Display for SocketError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<zmq::Error> for SocketError {
    fn from(error: zmq::Error) -> Self {
        Self(if error == zmq::Error::EMFILE { TOO_MANY } else { error.message() }.to_owned())
    }
}

impl From<std::io::Error> for SocketError {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// What became of a message handed to a socket.
#[derive(Debug)]
pub(crate) enum Sent {
    /// libzmq has it.
    Yes,
    /// The queue is full. The message comes back.
    Full(Message),
    /// The peer is gone, and the message with it.
    Unreachable,
}

/// The context of the whole process, so that `inproc` endpoints meet. It is never terminated: closing a socket does not
/// wait, and nothing that a user holds can block the end of the process.
fn context() -> &'static zmq::Context {
    static CONTEXT: OnceLock<zmq::Context> = OnceLock::new();
    CONTEXT.get_or_init(zmq::Context::new)
}

/// Messages to one peer that libzmq may hold, and of one that is in the same process. A message is a batch or a large body,
/// so this is bytes enough; libzmq's own 1,000 could stand for gigabytes.
const HIGH_WATER_MARK: i32 = 128;
/// Messages of a peer behind a connection that libzmq may hold until they are taken: any number.
///
/// At a bound, libzmq stops to read from the connection. Where that is reset then, half of it stays until there is room
/// again; and the next ping meanwhile, one that libzmq would send as much as one of the peer's that it has read already, ends
/// the whole process: `Assertion failed: !_io_error`, <https://github.com/zeromq/libzmq/issues/4841>. A peer needs a few
/// hundred bytes for that. Neither does libzmq read the peer's pongs then, and takes it for dead.
const UNBOUNDED: i32 = 0;
/// How long what was sent last may take to leave after its socket is closed, in milliseconds.
const LINGER: i32 = 1_000;
/// A peer that has not finished the ZMTP handshake by then is cut off, in milliseconds: it holds a file descriptor.
const HANDSHAKE: i32 = 10_000;

/// A message larger than this many times the bound of a body is not received at all: its connection is cut. Between the
/// two there is an answer, `resource_exhausted`.
const HARD_LIMIT_FACTOR: usize = 4;
/// And so many bytes more, for batches of small records.
const HARD_LIMIT_MORE: usize = 256 * 1024;

/// The largest message that is received at all.
pub(crate) fn largest_received(max_body: usize) -> usize {
    max_body.saturating_mul(HARD_LIMIT_FACTOR).saturating_add(HARD_LIMIT_MORE)
}

/// What the owner of a socket may choose.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tuning {
    /// The largest body that is answered at all, in bytes.
    pub(crate) max_body: usize,
    /// How often a peer is asked for a sign of life that has sent nothing. libzmq's own thread asks and answers.
    ///
    /// For each answer, libzmq (4.3.4, `poller_base_t::cancel_timer`) passes over every timer of the thread that is due
    /// before that of the question: where `silence` is the longer of the two, over one for each connection.
    pub(crate) heartbeat: Duration,
    /// After how long without an answer the connection is dead.
    pub(crate) silence: Duration,
}

/// Sets what both kinds of sockets have in common.
fn tune(socket: &zmq::Socket, tuning: Tuning) -> zmq::Result<()> {
    socket.set_sndhwm(HIGH_WATER_MARK)?;
    socket.set_linger(LINGER)?;
    socket.set_handshake_ivl(HANDSHAKE)?;
    socket.set_heartbeat_ivl(millis(tuning.heartbeat))?;
    socket.set_heartbeat_timeout(millis(tuning.silence))?;
    socket.set_maxmsgsize(i64::try_from(largest_received(tuning.max_body)).unwrap_or(i64::MAX))
}

/// How many messages of a peer that connects to one of these endpoints, or listens there, libzmq may hold. Peers in the same
/// process have no connection that could be reset, and are made to wait.
fn receive_mark<'a>(mut endpoints: impl Iterator<Item = &'a str>) -> i32 {
    if endpoints.all(is_inproc) { HIGH_WATER_MARK } else { UNBOUNDED }
}

fn is_inproc(endpoint: &str) -> bool {
    endpoint.starts_with("inproc://")
}

/// As libzmq takes times. It reads 0 as never, so what is shorter than a millisecond is one.
fn millis(time: Duration) -> i32 {
    i32::try_from(time.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// A socket, and the descriptor by which libzmq tells that something has changed.
struct Watched {
    // Dropped before the socket, whose descriptor it watches.
    signal: AsyncFd<RawFd>,
    socket: zmq::Socket,
    /// What came before the descriptor was watched may have swallowed its signal, so the first look counts as a change.
    fresh: Cell<bool>,
}

impl Watched {
    /// Must be called within a tokio runtime, with I/O enabled.
    fn new(socket: zmq::Socket) -> Result<Self, SocketError> {
        let descriptor = socket.get_fd()?;
        // SAFETY: the descriptor is the socket's, which keeps it the same and open until it is closed; that is when this
        // struct is dropped, after `signal`.
        let signal = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
        Ok(Self { signal: signal.map_err(std::io::Error::from)?, socket, fresh: Cell::new(true) })
    }

    /// Ready when something may have changed; the caller must then drain the socket before it asks again.
    fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
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

    /// The next frame, if there is one.
    fn receive(&self) -> Result<Option<zmq::Message>, SocketError> {
        let mut frame = zmq::Message::new();
        match uninterrupted(|| self.socket.recv(&mut frame, zmq::DONTWAIT)) {
            Ok(()) => Ok(Some(frame)),
            Err(zmq::Error::EAGAIN) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether there is something to receive, or room to send.
    fn events(&self) -> Result<zmq::PollEvents, SocketError> {
        Ok(uninterrupted(|| self.socket.get_events())?)
    }

    /// Sends a copy. What libzmq refuses is still the caller's.
    fn send_copy(&self, frame: &[u8], flags: i32) -> zmq::Result<()> {
        uninterrupted(|| self.socket.send(frame, flags))
    }

    /// Sends the buffer itself. What libzmq refuses is lost.
    fn send_whole(&mut self, frame: Buffer, receipt: Option<Receipt>, flags: i32) -> zmq::Result<()> {
        OutFrame::new(frame, receipt)?.send(&mut self.socket, flags)
    }

    /// Sends what comes before the frame of a batch, and then that, by `send_batch`.
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
        // Where a DEALER has lost its connection in the middle of a message, it drops all up to the end of that. So that must
        // come, or the next message would be dropped without a word (libzmq 4.3.4, `lb_t::sendpipe`).
        let sent = send_batch(self);
        lost.map_or(sent, Err)
    }
}

/// A message that came in.
pub(crate) struct Delivered {
    /// With what is attached to it, if that is as it should be.
    pub(crate) batch: Result<Batch, Malformed>,
    /// How many bytes it has in all.
    pub(crate) bytes: usize,
}

/// Asks again when a signal came in between: libzmq gives up then, also where it would not have waited.
fn uninterrupted<T>(mut call: impl FnMut() -> zmq::Result<T>) -> zmq::Result<T> {
    loop {
        match call() {
            Err(zmq::Error::EINTR) => {}
            result => return result,
        }
    }
}

/// A frame that came in, as bytes that can be shared and sliced without copying.
struct Frame(zmq::Message);

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

fn into_bytes(frame: zmq::Message) -> Bytes {
    Bytes::from_owner(Frame(frame))
}

/// Up to this size a message is copied into one of libzmq's own, which is cheaper than to hand over a buffer and have
/// another made; larger ones are handed over.
pub(crate) const COPY: usize = 8 * 1024;
