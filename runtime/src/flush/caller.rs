//! [`CallerSender`]: how the task of a caller sends, in place of its connection's driver.

use std::fmt;

use crate::wire::Message;

/// Sends from the task of a caller, so that the driver of its connection need not be woken.
pub(crate) trait CallerSender: fmt::Debug + Send + Sync {
    /// Takes a message and sends it, if everything before it was sent and no other task is sending. The next to send waits
    /// while `take` runs, so messages are sent in the order in which they were taken. Never waits.
    fn send_if_idle(&self, take: &mut dyn FnMut() -> Option<Message>) -> SentByCaller;
}

/// The result of [`CallerSender::send_if_idle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SentByCaller {
    /// Nothing was taken: something before it was not sent yet, or the connection is closed.
    Busy,
    /// What was taken was sent.
    Whole,
    /// What was taken was not sent to its end. The driver sends the rest, or finds out why it can't be sent.
    InPart,
}
