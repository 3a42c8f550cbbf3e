//! When queued records are sent. Decided only here: whether a driver is woken at once, after its thread's other tasks,
//! or before a sender goes on; and how much a driver receives before it sends.
//!
//! - [`DriverNotify`]: tells a driver that there is work. [`YieldTurn`]: lets other tasks run before a driver goes on.
//!   These know how tokio orders tasks, and nothing outside of this folder does.
//! - [`CallerSender`]: what a caller's task sends by where it need not wait for others.
//! - [`FlushPolicy`] and [`StreamPacer`]: what senders ask, of calls and of items.
//! - [`Turn`] and [`Pace`]: what drivers ask, about how much they take before they send.
//!
//! No record waits for others to fill a batch: a batch is what is ready at the same time. The sizes were measured; see
//! `bench/README.md`.

mod caller;
mod notify;
mod pacer;
mod policy;
mod turn;
mod yielding;

pub(crate) use caller::{CallerSender, SentByCaller};
pub(crate) use notify::DriverNotify;
pub(crate) use pacer::StreamPacer;
pub(crate) use policy::{Flush, FlushPolicy, yield_to_driver};
pub(crate) use turn::{BYTES_PER_TURN, Pace, Turn, wakes_per_turn};
pub(crate) use yielding::YieldTurn;
