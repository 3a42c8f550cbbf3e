//! Binding and connecting, with any errno that the system may return.

use std::ffi::{CStr, CString, c_int};
use std::os::fd::{AsRawFd, IntoRawFd, OwnedFd};

use crate::transport::TransportError;
use crate::transport::address::Address;
use crate::transport::listen::{Terms, listen};
use crate::transport::unix::{self, SocketFile};

/// An endpoint that a socket is bound to.
pub(super) struct Bound {
    /// The endpoint as libzmq has it.
    pub(super) endpoint: String,
    /// Whether libzmq has a listener for it, which its own thread closes.
    pub(super) has_listener: bool,
    /// Removed with the server.
    pub(super) file: Option<SocketFile>,
}

/// Binds. The system's socket is made here, by what the other engine uses, and given to libzmq: so both take the same endpoints,
/// with the same errors. libzmq itself would remove whatever file has the path, also a live server's.
pub(super) fn bind(socket: &mut zmq::Socket, endpoint: &str, terms: Terms) -> Result<Bound, TransportError> {
    match Address::to_bind(endpoint)? {
        Address::Tcp { host, port } => {
            let listener = listen(&host, port, terms.reach)?.into_std()?;
            let endpoint = format!("tcp://{}", listener.local_addr()?);
            bind_listener(socket, &endpoint, listener.into())?;
            Ok(Bound { endpoint, has_listener: true, file: None })
        }
        Address::Ipc(path) => {
            let (listener, file) = unix::listen(&path, terms.until)?;
            bind_listener(socket, endpoint, listener.into_std()?.into())?;
            Ok(Bound { endpoint: endpoint.to_owned(), has_listener: true, file })
        }
        Address::Inproc(_) => {
            bind_name(socket, endpoint)?;
            Ok(Bound { endpoint: endpoint.to_owned(), has_listener: false, file: None })
        }
    }
}

/// Has libzmq accept the connections of a listener.
fn bind_listener(socket: &mut zmq::Socket, endpoint: &str, listener: OwnedFd) -> Result<(), TransportError> {
    use_listener(socket, listener.as_raw_fd())?;
    let bound = bind_name(socket, endpoint);
    // For the endpoints after this one. It can't fail where the one before it has not.
    use_listener(socket, -1)?;
    bound?;
    // It is libzmq's now, which closes it.
    let _ = listener.into_raw_fd();
    Ok(())
}

/// Sets the descriptor of the listener for the next endpoint, or -1 for none.
fn use_listener(socket: &mut zmq::Socket, descriptor: c_int) -> Result<(), TransportError> {
    let option = zmq_sys::ZMQ_USE_FD.cast_signed();
    // SAFETY: the socket is open, as in `bind_name`; the value is an `int` that lives through the call, of the given size.
    let result = unsafe {
        zmq_sys::zmq_setsockopt(
            socket.as_mut_ptr(),
            option,
            (&raw const descriptor).cast(),
            size_of::<c_int>(),
        )
    };
    check(result)
}

fn bind_name(socket: &mut zmq::Socket, endpoint: &str) -> Result<(), TransportError> {
    let address = c_string(endpoint)?;
    // SAFETY: the socket is open, as `zmq::Socket` keeps it until it is dropped, and used by this thread alone, as the
    // `&mut` shows; the address is a C string that lives through the call.
    let result = unsafe { zmq_sys::zmq_bind(socket.as_mut_ptr(), address.as_ptr()) };
    check(result)
}

/// Connects. A peer that is not there yet is no error: libzmq keeps trying.
pub(super) fn connect(socket: &mut zmq::Socket, endpoint: &str) -> Result<(), TransportError> {
    Address::to_connect(endpoint)?;
    let address = c_string(endpoint)?;
    // SAFETY: as in `bind_name`.
    let result = unsafe { zmq_sys::zmq_connect(socket.as_mut_ptr(), address.as_ptr()) };
    check(result)
}

fn c_string(endpoint: &str) -> Result<CString, TransportError> {
    CString::new(endpoint).map_err(|_| TransportError::NulInEndpoint)
}

fn check(result: i32) -> Result<(), TransportError> {
    if result == 0 {
        return Ok(());
    }
    // SAFETY: it has no conditions.
    let errno = unsafe { zmq_sys::zmq_errno() };
    if errno == zmq::Error::EMFILE.to_raw() {
        return Err(TransportError::TooManyFiles);
    }
    // SAFETY: `zmq_strerror` returns a string that lives as long as the process, or until the next call for an errno
    // that only the C library knows, which is copied here before that.
    let message = unsafe { CStr::from_ptr(zmq_sys::zmq_strerror(errno)) };
    Err(TransportError::Socket(message.to_string_lossy().into_owned()))
}
