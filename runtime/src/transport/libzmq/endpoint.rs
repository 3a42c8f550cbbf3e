//! Binding and connecting, with any errno that the system may return.

use std::ffi::{CStr, CString};

use crate::transport::TransportError;

/// Binds, and returns the endpoint with what was chosen for it, such as the port of `tcp://127.0.0.1:*`.
pub(super) fn bind(socket: &mut zmq::Socket, endpoint: &str) -> Result<String, TransportError> {
    let address = c_string(endpoint)?;
    // SAFETY: the socket is open, as `zmq::Socket` keeps it until it is dropped, and used by this thread alone, as the
    // `&mut` shows; the address is a C string that lives through the call.
    let result = unsafe { zmq_sys::zmq_bind(socket.as_mut_ptr(), address.as_ptr()) };
    check(result)?;
    let bound = socket.get_last_endpoint()?;
    Ok(bound.ok().filter(|bound| !bound.is_empty()).unwrap_or_else(|| endpoint.to_owned()))
}

/// Connects. A peer that is not there yet is no error: libzmq keeps trying.
pub(super) fn connect(socket: &mut zmq::Socket, endpoint: &str) -> Result<(), TransportError> {
    let address = c_string(endpoint)?;
    // SAFETY: as in `bind`.
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
