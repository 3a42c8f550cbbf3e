//! [`Outlet`]: what a connection writes by, and the lock that its task shares with callers and with [`super::pulse`].

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use zsvc_proto::zmtp::curve::Sealer;
use zsvc_proto::zmtp::{SIGN_OF_LIFE, Transmit};

use super::outgoing::{Framing, Outgoing};
use super::pulse;
use super::stream::WriteHalf;
use crate::flush::{CallerSender, SentByCaller};
use crate::transport::SendReceipt;
use crate::wire::Message;

/// The half of a connection that is written to.
#[derive(Debug)]
pub(super) struct Outlet {
    outgoing: Mutex<Outgoing>,
    /// Number of times that the connection's task has looked for something to do.
    turns: AtomicU32,
}

impl Outlet {
    pub(super) fn new(stream: WriteHalf, framing: Framing) -> Arc<Self> {
        Arc::new(Self { outgoing: Mutex::new(Outgoing::new(stream, framing)), turns: AtomicU32::new(0) })
    }

    /// Has all that follows encrypted.
    pub(super) fn seal_by(&self, sealer: Box<Sealer>) {
        self.lock().seal_by(sealer);
    }

    fn lock(&self) -> MutexGuard<'_, Outgoing> {
        // Nothing panics while the lock is held but for lack of memory; what is left to be written is whole in any case.
        self.outgoing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes by a function, and drops the users' bytes that were written with the lock released.
    fn with<T>(&self, write: impl FnOnce(&mut Outgoing) -> T) -> T {
        let mut outgoing = self.lock();
        let result = write(&mut outgoing);
        let written = outgoing.take_written();
        drop(outgoing);
        drop(written);
        result
    }

    /// Reports whether everything was written.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Writes what is left of a message, and commands, as far as there is room, and registers for when there is more. A command is
    /// taken only once all before it was written: the answers to a peer that pings and does not read are bounded where they wait.
    /// Returns whether the peer has taken a part of what was left, and not all of it.
    pub(super) fn write(
        &self,
        mut commands: impl Iterator<Item = Transmit>,
        context: &mut Context<'_>,
    ) -> io::Result<bool> {
        self.with(|outgoing| {
            let before = outgoing.left();
            loop {
                match outgoing.poll_write(context) {
                    Poll::Ready(written) => written?,
                    Poll::Pending => return Ok(outgoing.left() != before),
                }
                let Some(command) = commands.next() else { return Ok(false) };
                outgoing.push_transmit(command);
            }
        })
    }

    /// Writes a message behind the frames of a route, or returns it if one before it was not written to its end.
    pub(super) fn send(
        &self,
        route: impl FnOnce() -> Bytes,
        message: Message,
        receipt: Option<SendReceipt>,
    ) -> io::Result<Result<(), Message>> {
        self.with(|outgoing| {
            // An error is found again by the next write.
            if !outgoing.is_empty() && outgoing.write_now().is_err() || !outgoing.is_empty() {
                receipt.into_iter().for_each(SendReceipt::void);
                return Ok(Err(message));
            }
            outgoing.push_message(route(), message, receipt);
            outgoing.write_now().map(Ok)
        })
    }

    /// Drops what was not written: nothing is taken any more. What is left of the outlet may be dropped by any thread.
    pub(super) fn close(&self) {
        let left = self.lock().close();
        drop(left);
    }

    /// Has the peer told that this side lives while user code keeps the connection's task from running. Must be called within a
    /// tokio runtime.
    pub(super) fn keep_alive(self: &Arc<Self>) {
        pulse::add(self);
    }

    /// Counts a turn of the connection's task.
    pub(super) fn count_turn(&self) {
        self.turns.store(self.turns.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
    }

    /// Returns the number of turns, which stands still while the connection's task does not run.
    pub(super) fn turns(&self) -> u32 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Tells the peer that this side lives, if it takes that without waiting. Errors are found by the connection's task.
    pub(super) fn send_sign_of_life(&self) {
        // Otherwise the task writes right now.
        let Ok(mut outgoing) = self.outgoing.try_lock() else { return };
        if outgoing.is_empty() {
            outgoing.push_transmit(Transmit::Command(Bytes::from_static(SIGN_OF_LIFE)));
            let _ = outgoing.write_now();
        }
    }
}

impl CallerSender for Outlet {
    fn send_if_idle(&self, take: &mut dyn FnMut() -> Option<Message>) -> SentByCaller {
        // Otherwise somebody writes right now.
        let Ok(mut outgoing) = self.outgoing.try_lock() else { return SentByCaller::Busy };
        if !outgoing.takes_message() {
            return SentByCaller::Busy;
        }
        let Some(message) = take() else { return SentByCaller::Whole };
        outgoing.push_message(Bytes::new(), message, None);
        // An error is found again by the connection's task.
        let is_whole = outgoing.write_now().is_ok() && outgoing.is_empty();
        let written = outgoing.take_written();
        drop(outgoing);
        drop(written);
        if is_whole { SentByCaller::Whole } else { SentByCaller::InPart }
    }
}
