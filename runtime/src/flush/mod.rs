//! When what is queued leaves: the one place that decides whether a driver is woken now, after its thread's other tasks, or
//! before a sender goes on; and how much a driver does before it sends.
//!
//! - [`DriverNotify`]: tells a driver that there is work. It knows how tokio orders tasks, and nothing else in this crate does.
//! - [`FlushPolicy`] and [`StreamPacer`]: what senders ask, of calls and of items.
//! - [`Turn`] and [`Pace`]: what drivers ask, about how much they take before they send.
//!
//! Nothing waits for company: batches form from what is ready at the same time. The sizes were measured; see `bench/README.md`.

mod notify;
mod pacer;
mod policy;
mod turn;

pub(crate) use notify::DriverNotify;
pub(crate) use pacer::StreamPacer;
pub(crate) use policy::{FlushPolicy, yield_to_driver};
pub(crate) use turn::{Pace, Turn, wakes_per_turn};
