//! [`OutFrame`]: a frame to send that is kept when the call is interrupted.
//!
//! The `zmq` crate drops a message whatever the result of sending it. But a signal may interrupt libzmq at any call,
//! also between the frames of one message, and then the very same frame must be offered again.

use std::os::raw::c_void;

use zmq_sys::zmq_msg_t;

use crate::caught::{Panicked, caught};
use crate::transport::SendReceipt;
use crate::wire::Buffer;

/// The buffer that libzmq gives back when it is done with it, and its receipt. Dropping the receipt notifies the driver.
type Owner = (Buffer, Option<SendReceipt>);

/// A frame that libzmq has not taken yet.
pub(super) struct OutFrame(zmq_msg_t);

impl OutFrame {
    /// Makes a frame of a buffer, which libzmq gives back when the bytes have left.
    pub(super) fn new(bytes: Buffer, receipt: Option<SendReceipt>) -> zmq::Result<Self> {
        let mut frame = zmq_msg_t::default();
        let (data, length) = (bytes.as_ptr(), bytes.len());
        let owner: *mut Owner = Box::into_raw(Box::new((bytes, receipt)));
        // SAFETY: `data` and `length` are those of the buffer, which stays where it is, owned or shared by the box, until
        // libzmq calls `free` with that box, once.
        let result = unsafe {
            zmq_sys::zmq_msg_init_data(
                &raw mut frame,
                data.cast_mut().cast(),
                length,
                Some(free),
                owner.cast(),
            )
        };
        if result == 0 {
            return Ok(Self(frame));
        }
        // SAFETY: libzmq has refused the frame, so it holds no pointer to the box, which is still ours alone.
        drop(unsafe { Box::from_raw(owner) });
        Err(errno())
    }

    /// Offers the frame until libzmq takes it or refuses it.
    pub(super) fn send(mut self, socket: &mut zmq::Socket, flags: i32) -> zmq::Result<()> {
        loop {
            // SAFETY: the frame was initialized, and is not sent yet; the socket is open, as `zmq::Socket` keeps it until it
            // is dropped, and used by this thread alone, as the `&mut` shows.
            let sent = unsafe { zmq_sys::zmq_msg_send(&raw mut self.0, socket.as_mut_ptr(), flags) };
            if sent >= 0 {
                return Ok(());
            }
            match errno() {
                zmq::Error::EINTR => {}
                error => return Err(error),
            }
        }
    }
}

impl Drop for OutFrame {
    fn drop(&mut self) {
        // SAFETY: the frame was initialized; one that was sent is an empty one since. It can't fail then.
        unsafe { zmq_sys::zmq_msg_close(&raw mut self.0) };
    }
}

/// Called by libzmq, on any thread, when it is done with the bytes.
unsafe extern "C" fn free(_data: *mut c_void, owner: *mut c_void) {
    // SAFETY: `owner` is the box that `OutFrame::new` gave away, and libzmq calls this once.
    let (bytes, receipt) = *unsafe { Box::from_raw(owner.cast::<Owner>()) };
    // The bytes may be a user's, and dropping them may run the user's code, which may panic. A panic must not leave
    // this function.
    let _: Result<(), Panicked> = caught(|| bytes.recycle());
    drop(receipt);
}

/// Returns the last error of libzmq on this thread. Sending has few ways to fail, all of which the `zmq` crate knows.
fn errno() -> zmq::Error {
    // SAFETY: it has no conditions.
    zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() })
}
