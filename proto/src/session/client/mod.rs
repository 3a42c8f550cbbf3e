//! The client's side of a connection: [`Session`].
//!
//! - [`Session`] is in four parts: its state and room for calls (`session`), what the driver tells it (`link`), what the server says (`records`), and how
//!   calls begin (`begin`) and end (`ending`).
//! - `calls` holds the calls in flight, each a `call`; `wait_queue` the callers that wait for room; `one_way` what the server has read of the calls that it
//!   does not answer.
//! - [`Liveness`] asks whether the server is there, where the transport does not tell; `health` says whether it is worth calling.

mod begin;
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
mod session;
#[cfg(test)]
mod tests;
mod wait_queue;

pub use begin::{CallRecord, NewCall};
pub use call::Streams;
pub use event::{Dropped, Event};
pub use health::HealthState;
pub use liveness::Liveness;
pub use session::{Config, Phase, Session, Wait};
pub use wait_queue::Ticket;
