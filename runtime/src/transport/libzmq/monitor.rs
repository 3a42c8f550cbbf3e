//! [`Monitor`]: what libzmq reports of a socket's connections, `zmq_socket_monitor(3)`.

use std::mem::ManuallyDrop;
use std::net::{Shutdown, TcpStream};
use std::os::fd::{FromRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use super::stall::{Stall, Step};
use super::{Watched, context, uninterrupted};
use crate::transport::{ACCEPTED, LinkEvent, NO_HANDSHAKE, TransportError};

/// Receives the events of one socket.
pub(super) struct Monitor {
    events: Watched,
    /// Whether the connection has completed its handshake.
    is_up: bool,
    stall: Stall,
}

/// Reason for a connection that was not made at all.
const NOT_MADE: &str =
    "nothing accepts the connection: it was refused or not answered, and libzmq does not tell which";

/// Something has accepted a connection.
const ACCEPTED_IT: u16 = zmq::SocketEvent::CONNECTED as u16;
/// A connection was not made: one that was made is closed by another event.
const CLOSED: u16 = zmq::SocketEvent::CLOSED as u16;
const CONNECTED: u16 = zmq::SocketEvent::HANDSHAKE_SUCCEEDED as u16;
/// A try to connect begins after a pause.
const RETRIED: u16 = zmq::SocketEvent::CONNECT_RETRIED as u16;
const DISCONNECTED: u16 = zmq::SocketEvent::DISCONNECTED as u16;
const HANDSHAKE_FAILED: u16 = zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL as u16
    | zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL as u16
    | zmq::SocketEvent::HANDSHAKE_FAILED_AUTH as u16;

/// Waits for the end of a socket's listeners, which libzmq's own thread closes after the socket is closed.
pub(super) struct Closing {
    /// There until this is dropped.
    events: Option<zmq::Socket>,
    listeners: usize,
}

/// Maximum time to wait for each listener. libzmq's thread takes well below a millisecond, unless it has much else to do.
const CLOSING_MS: i32 = 500;

impl Closing {
    /// Begins to watch a socket with this many listeners. The wait is in the drop, which is to follow that of the socket.
    pub(super) fn of(
        socket: &mut zmq::Socket,
        context: &zmq::Context,
        listeners: usize,
    ) -> Result<Self, TransportError> {
        let events = begin(socket, context, CLOSED)?;
        events.set_rcvtimeo(CLOSING_MS).inspect_err(|_| Monitor::stop(socket))?;
        Ok(Self { events: Some(events), listeners })
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        let Some(events) = self.events.take() else { return };
        for _ in 0..self.listeners {
            if uninterrupted(|| events.recv_multipart(0)).is_err() {
                // libzmq's own thread waits for ever if an event has no reader, so the reader stays.
                std::mem::forget(events);
                return;
            }
        }
    }
}

/// Has libzmq report events of a socket to the one that is returned, of the same context.
fn begin(
    socket: &mut zmq::Socket,
    context: &zmq::Context,
    which: u16,
) -> Result<zmq::Socket, TransportError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let endpoint = format!("inproc://zsvc-monitor-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    socket.monitor(&endpoint, i32::from(which))?;
    listen(&endpoint, context).inspect_err(|_| Monitor::stop(socket))
}

fn listen(endpoint: &str, context: &zmq::Context) -> Result<zmq::Socket, TransportError> {
    let events = context.socket(zmq::PAIR)?;
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
        let events = begin(
            socket,
            context(),
            ACCEPTED_IT | CLOSED | CONNECTED | RETRIED | DISCONNECTED | HANDSHAKE_FAILED,
        )?;
        match Watched::new(events) {
            Ok(events) => Ok(Self { events, is_up: false, stall: Stall::new() }),
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
    pub(super) fn next(&mut self) -> Result<Option<LinkEvent>, TransportError> {
        while let Some(frame) = self.events.receive()? {
            if !frame.get_more() {
                // The second of an event, which holds its endpoint.
                continue;
            }
            // The first holds the event's number, and a value: of some, the descriptor of the connection.
            let number = frame.first_chunk().map(|number| u16::from_ne_bytes(*number));
            let value = frame.last_chunk().map(|value| i32::from_ne_bytes(*value));
            if let (Some(number), Some(value)) = (number, value)
                && let Some(event) = self.event(number, value)
            {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    fn event(&mut self, number: u16, value: i32) -> Option<LinkEvent> {
        let (step, event) = match number {
            ACCEPTED_IT => {
                cut_from_itself(value);
                (Step::Shaking, LinkEvent::Underway(ACCEPTED))
            }
            CONNECTED => {
                self.is_up = true;
                (Step::Up, LinkEvent::Connected)
            }
            RETRIED => {
                self.stall.handle(Step::Pausing(value));
                return None;
            }
            DISCONNECTED if std::mem::take(&mut self.is_up) => (Step::Ended, LinkEvent::Disconnected),
            CLOSED => (Step::Ended, LinkEvent::Unreachable(NOT_MADE.to_owned())),
            number if number & (HANDSHAKE_FAILED | DISCONNECTED) != 0 => {
                (Step::Ended, LinkEvent::Unreachable(NO_HANDSHAKE.to_owned()))
            }
            _ => return None,
        };
        self.stall.handle(step);
        Some(event)
    }

    /// Is ready when the socket does not try to connect any more, see [`Stall`]. To be asked once [`Monitor::poll_changed`] is not
    /// ready: this task may not have run for longer than the events took to come.
    pub(super) fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.stall.poll_stalled(context)
    }

    /// Says that another socket was to take the place of this one and could not be made.
    pub(super) fn try_again(&mut self) {
        self.stall.handle(Step::Ended);
    }

    /// Is ready when there may be events. See the head of [`super`].
    pub(super) fn poll_changed(&self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.events.poll_changed(context)
    }
}

/// Ends a connection of a socket to itself, of which libzmq says the descriptor. Where nothing listens at a port, the system may
/// choose that port for this side's end, and connect the two. libzmq then tries again. What has the descriptor by now may be
/// another connection, which is left alone, unless it is one of a socket to itself as well.
fn cut_from_itself(descriptor: RawFd) {
    // SAFETY: the stream is never dropped, so the descriptor stays libzmq's. If that has closed it, the system refuses what is
    // asked of it.
    let stream = ManuallyDrop::new(unsafe { TcpStream::from_raw_fd(descriptor) });
    if let (Ok(own), Ok(peer)) = (stream.local_addr(), stream.peer_addr())
        && own == peer
    {
        // It fails if the connection has ended meanwhile.
        let _ = stream.shutdown(Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsRawFd;

    use tokio::net::TcpSocket;

    use super::*;

    #[tokio::test]
    async fn a_connection_to_itself_is_cut_and_no_other() {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let own = socket.local_addr().unwrap();
        let mut itself = socket.connect(own).await.unwrap().into_std().unwrap();
        cut_from_itself(itself.as_raw_fd());
        assert_eq!(itself.read(&mut [0]).unwrap(), 0, "it is at its end");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut other = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        other.set_nonblocking(true).unwrap();
        cut_from_itself(other.as_raw_fd());
        assert_eq!(other.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}
