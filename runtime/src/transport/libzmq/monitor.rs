//! [`Monitor`]: what libzmq reports of a socket's connections, `zmq_socket_monitor(3)`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use super::{Watched, context, uninterrupted};
use crate::transport::{LinkEvent, NO_HANDSHAKE, TransportError};

/// Receives the events of one socket.
pub(super) struct Monitor {
    events: Watched,
}

const CONNECTED: u16 = zmq::SocketEvent::HANDSHAKE_SUCCEEDED as u16;
const DISCONNECTED: u16 = zmq::SocketEvent::DISCONNECTED as u16;
const HANDSHAKE_FAILED: u16 = zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as u16
    | zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL as u16
    | zmq::SocketEvent::HANDSHAKE_FAILED_AUTH as u16;

/// Waits for the end of a socket's listeners, which libzmq's own thread closes.
pub(super) struct Closing {
    events: zmq::Socket,
}

/// Maximum time to wait for each listener. libzmq's thread takes well below a millisecond, unless it has much else to do.
const CLOSING_MS: i32 = 500;

impl Closing {
    /// Begins to watch a socket. [`Monitor::stop`] is to be called before this is dropped.
    pub(super) fn of(socket: &mut zmq::Socket) -> Result<Self, TransportError> {
        let events = begin(socket, zmq::SocketEvent::CLOSED as u16)?;
        events.set_rcvtimeo(CLOSING_MS).inspect_err(|_| Monitor::stop(socket))?;
        Ok(Self { events })
    }

    /// Waits until this many listeners were closed, for a bounded time.
    pub(super) fn wait(&self, listeners: usize) {
        for _ in 0..listeners {
            if uninterrupted(|| self.events.recv_multipart(0)).is_err() {
                return;
            }
        }
    }
}

/// Has libzmq report events of a socket to the one that is returned.
fn begin(socket: &mut zmq::Socket, which: u16) -> Result<zmq::Socket, TransportError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let endpoint = format!("inproc://zsvc-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    socket.monitor(&endpoint, i32::from(which))?;
    listen(&endpoint).inspect_err(|_| Monitor::stop(socket))
}

fn listen(endpoint: &str) -> Result<zmq::Socket, TransportError> {
    let events = context().socket(zmq::PAIR)?;
    // Events that are not read are no loss: the socket goes with its driver.
    events.set_linger(0)?;
    // No bound: libzmq's own thread waits if there is no room for an event, and user code may keep the driver from reading.
    // Events come no faster than connections are tried.
    events.set_rcvhwm(0)?;
    events.connect(endpoint)?;
    Ok(events)
}

impl Monitor {
    /// Watches a socket that is not connected yet.
    pub(super) fn new(socket: &mut zmq::Socket) -> Result<Self, TransportError> {
        let events = begin(socket, CONNECTED | DISCONNECTED | HANDSHAKE_FAILED)?;
        match Watched::new(events) {
            Ok(events) => Ok(Self { events }),
            Err(error) => {
                Self::stop(socket);
                Err(error)
            }
        }
    }

    /// Ends libzmq's reports on a socket. Must be called before the monitor is dropped: libzmq's own thread, which carries all
    /// connections of the process, waits for ever if an event has no reader.
    pub(super) fn stop(socket: &mut zmq::Socket) {
        // SAFETY: the socket is open, as `zmq::Socket` keeps it until it is dropped, and used by this thread alone, as the
        // `&mut` shows; a null endpoint means none.
        unsafe { zmq_sys::zmq_socket_monitor(socket.as_mut_ptr(), std::ptr::null(), 0) };
    }

    /// Returns the next event, if there is one.
    pub(super) fn next(&self) -> Result<Option<LinkEvent>, TransportError> {
        while let Some(frame) = self.events.receive()? {
            // The first frame holds the event's number and a value, the second the endpoint.
            let number = frame.first_chunk().map(|number| u16::from_ne_bytes(*number));
            match number.filter(|_| frame.get_more()) {
                Some(CONNECTED) => return Ok(Some(LinkEvent::Connected)),
                Some(DISCONNECTED) => return Ok(Some(LinkEvent::Disconnected)),
                Some(number) if number & HANDSHAKE_FAILED != 0 => {
                    return Ok(Some(LinkEvent::Unreachable(NO_HANDSHAKE.to_owned())));
                }
                _ => {}
            }
        }
        Ok(None)
    }

    /// Is ready when there may be events. See the head of [`super`].
    pub(super) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.events.poll_changed(context)
    }
}
