//! The server's side of a connection: [`Session`], one for each client.
//!
//! A session knows no socket, no task and no clock. Which clients there are, and how handlers run, is the runtime's business.
//!
//! The order of calls:
//!
//! 1. [`Session::handle_message`] takes a message. [`Session::poll_event`] then reads its records, in order, and
//!    returns each call that is to be handled, until it returns `None`. While [`Session::has_unread`], no further
//!    message may be handed in.
//! 2. Handlers write into the session at any time: [`Session::answer`], [`Session::fail`], [`Session::flush`] and so on.
//! 3. [`Session::poll_transmit`] returns what is to be sent, for as long as [`Session::wants_transmit`];
//!    [`Session::return_transmit`] puts back what the transport had no room for.
//! 4. [`Session::handle_timeout`] is called every [`Config::check_interval`] while [`Session::has_calls`], with the time of a
//!    [`ListeningClock`].
//! 5. After each of these: if [`Session::has_effects`], the holder of the lock around the session calls
//!    [`Session::take_effects`], lets go of the lock, and only then acts on the [`Effects`]. Wakers and dropped bytes may run a
//!    user's code, which may want the same lock.
//!
//! From the inside out: `calls` (the table of calls in flight), `liveness` (whether the client is still there), `effects`,
//! [`Session`] itself in `session` and `streams`; `access` (who may call), `admission` (which calls are taken), `reading` (what records mean).
//! [`Shared`] is what the sessions of one server share, [`Methods`] what they offer, [`Drain`] how a server ends.

mod access;
mod admission;
mod calls;
mod config;
mod drain;
mod effects;
mod liveness;
mod methods;
mod reading;
mod session;
mod shared;
mod shares;
mod streams;
#[cfg(test)]
mod tests;

pub use access::check_roles;
pub use admission::{Event, IncomingCall, RETRY_AFTER};
pub use calls::CallKey;
pub use config::{COUNT_STEP_BYTES, Config};
pub use drain::{Drain, DrainStep};
pub use effects::{Counts, DropReason, Effects, Ended};
pub use liveness::ListeningClock;
pub use methods::{DuplicateMethod, Methods};
pub use session::{Answer, Session};
pub use shared::Shared;
pub use shares::{NoRoom, Shares};
