//! What libzmq says of a socket's connections, `zmq_socket_monitor(3)`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use super::{SocketError, Watched, context};

/// What happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    /// It is up: messages go out.
    Connected,
    /// It is down; libzmq tries to bring it up again.
    Disconnected,
    /// The peer's handshake failed: what listens there does not speak ZMTP, or not with these settings.
    HandshakeFailed,
}

/// The events of one socket.
pub(super) struct Monitor {
    events: Watched,
}

const CONNECTED: u16 = zmq::SocketEvent::HANDSHAKE_SUCCEEDED as u16;
const DISCONNECTED: u16 = zmq::SocketEvent::DISCONNECTED as u16;
const HANDSHAKE_FAILED: u16 = zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as u16
    | zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL as u16
    | zmq::SocketEvent::HANDSHAKE_FAILED_AUTH as u16;

impl Monitor {
    /// Watches a socket that is not connected yet.
    pub(super) fn new(socket: &mut zmq::Socket) -> Result<Self, SocketError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let endpoint = format!("inproc://zsvc-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        socket.monitor(&endpoint, i32::from(CONNECTED | DISCONNECTED | HANDSHAKE_FAILED))?;
        Self::listen(&endpoint).inspect_err(|_| Self::stop(socket))
    }

    fn listen(endpoint: &str) -> Result<Self, SocketError> {
        let events = context().socket(zmq::PAIR)?;
        // Nothing is lost if nobody reads: events are few, and the socket goes with its owner.
        events.set_linger(0)?;
        // No bound: libzmq's own thread waits where there is no room for an event, and the owner may be kept from reading
        // by a user's code. Events come no faster than connections are tried.
        events.set_rcvhwm(0)?;
        events.connect(endpoint)?;
        Ok(Self { events: Watched::new(events)? })
    }

    /// Has libzmq tell no more of a socket. To be called before its monitor is dropped: libzmq's own thread, which
    /// carries all connections of the process, waits for ever where an event finds nobody who could read it.
    pub(super) fn stop(socket: &mut zmq::Socket) {
        // SAFETY: the socket is open, as `zmq::Socket` keeps it until it is dropped, and used by this thread alone, as the
        // `&mut` shows; a null endpoint is what stands for none.
        unsafe { zmq_sys::zmq_socket_monitor(socket.as_mut_ptr(), std::ptr::null(), 0) };
    }

    /// The next event that there is.
    pub(super) fn next(&self) -> Result<Option<Event>, SocketError> {
        while let Some(frame) = self.events.receive()? {
            // The first frame holds the event's number and a value, the second the endpoint.
            let number = frame.first_chunk().map(|number| u16::from_ne_bytes(*number));
            match number.filter(|_| frame.get_more()) {
                Some(CONNECTED) => return Ok(Some(Event::Connected)),
                Some(DISCONNECTED) => return Ok(Some(Event::Disconnected)),
                Some(number) if number & HANDSHAKE_FAILED != 0 => return Ok(Some(Event::HandshakeFailed)),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Ready when something may have changed. See the head of [`super`].
    pub(super) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), SocketError>> {
        self.events.poll_changed(context)
    }
}
