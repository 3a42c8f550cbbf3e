//! When queued records are sent. Decided only here: whether a driver is woken at once, after its thread's other tasks, or before a sender
//! goes on; and how much a driver receives before it sends.
//!
//! - [`DriverNotify`]: tells a driver that there is work. Only its code depends on the order in which tokio runs tasks.
//! - [`FlushPolicy`] and [`StreamPacer`]: decide for senders of calls and of items.
//! - [`Turn`] and [`Pace`]: decide for drivers how much they receive before they send.
//!
//! No record waits for others to fill a batch: a batch is what is ready at the same time. The sizes were measured; see `bench/README.md`.

mod notify;
mod pacer;
mod policy;
mod turn;

pub(crate) use notify::DriverNotify;
pub(crate) use pacer::StreamPacer;
pub(crate) use policy::{FlushPolicy, yield_to_driver};
pub(crate) use turn::{Pace, Turn, wakes_per_turn};
