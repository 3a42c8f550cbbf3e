//! The client's side of a connection: [`Session`].
//!
//! - [`Session`] is in five parts: its state (`session`), what the driver tells it (`link`), how calls leave (`sending`), what the server says of them (`records`), and
//!   how they end otherwise (`ending`).
//! - `calls` holds the calls in flight, each a `call`; `wait_queue` the callers that wait for room; `one_way` what the server has read of the calls that it
//!   does not answer.
//! - [`Liveness`] asks whether the server is there, where the transport does not tell; `health` says whether it is worth calling.

mod call;
mod calls;
mod defer_drop;
mod ending;
mod event;
mod health;
mod link;
mod liveness;
mod one_way;
mod records;
mod sending;
mod session;
#[cfg(test)]
mod tests;
mod wait_queue;

pub use call::Streams;
pub use event::{Dropped, Event};
pub use health::HealthState;
pub use liveness::Liveness;
pub use sending::{CallRecord, NewCall};
pub use session::{Config, Phase, Session, Wait};
pub use wait_queue::Ticket;
