//! The tasks of a router: one for each connection, which reads, hands messages to the [`Hub`], and writes what the hub has for it; and
//! a main task, which accepts connections, looks after calls that wait, and drains.
//!
//! Messages are read, taken apart and written outside of the hub's lock; what is done under it is to find a record's call and to append the
//! record to the batch of the other side, for some records at a time. So connections of one router run on as many threads as the runtime has, and share one short lock.

mod caller;
mod hub;
mod peers;
mod policy;
mod registering;
mod tick;
mod wake;
mod worker;

pub(crate) use caller::CallerTask;
pub(crate) use hub::{Hub, Worker as WorkerKey};
pub(crate) use policy::Policy;
pub(crate) use worker::WorkerTask;

/// Maximum number of messages that a task receives before it sends, and sends before it receives.
const MESSAGES_PER_TURN: usize = 64;
/// Maximum number of rounds before other tasks of the thread run.
const ROUNDS_PER_POLL: usize = 16;
