//! The client's side of a connection: [`Session`].
//!
//! A session knows no socket, no task and no clock. Its owner locks it, calls it, and tells it what happens:
//!
//! 1. [`Session::handle_connected`] says that messages go out, unless [`Config::is_connected`] has said so from the start;
//!    [`Session::handle_disconnected`] that the connection is lost, which ends all calls. It may come back.
//! 2. A caller asks [`Session::check_ready`] whether it may wait, and then [`Session::poll_room`] whether there is
//!    room. Once both agree, [`Session::begin_call`] or [`Session::begin_one_way`] follows under the same lock: there
//!    must be room. A caller that gives up while it waits calls [`Session::leave_queue`]. [`Session::begin_ping`] takes
//!    no room, and may come at any time.
//! 3. [`Session::poll_reply`] returns how a call ended, once; [`Session::abandon`] and [`Session::cancel_open`] end it
//!    from this side. Streams write by [`Session::announce`], [`Session::flush`], [`Session::finish`] and
//!    [`Session::grant`] for as long as their call is known.
//! 4. [`Session::poll_transmit`] returns the next message to send, until there is none; [`Session::return_transmit`]
//!    puts back what the transport had no room for, before it is called again.
//! 5. [`Session::handle_message`] takes a message, again and again from where it has stopped;
//!    [`Session::handle_unreadable`] one that is no batch.
//! 6. [`Session::handle_timeout`] is called at the time of [`Session::poll_timeout`], which any call of the session may move.
//! 7. [`Session::close_when_sent`], [`Session::close_and_cancel`], [`Session::close`] and [`Session::retire`] are the
//!    ways out. The owner goes on as before until [`Session::is_done`].
//! 8. After each of these, the owner calls [`Session::take_wakers`] and [`Session::poll_event`] until there is no
//!    event, lets go of the lock, and only then wakes the tasks and tells the events. Both may run a user's code, which
//!    may want the same lock.
//!
//! From the inside out: `calls` (the calls in flight, each a `call`), `wait_queue` (the callers that wait for room),
//! `one_way` (what the server has read of the calls that it does not answer), `liveness` (whether the server is there,
//! where the transport does not tell), `instance` (which life of it answers), `health` (whether it is worth calling), `phase` (whether the connection takes
//! calls), the state of [`Session`] in `session`, `withheld` (credit that streams wait for); `link` (what the driver
//! tells of the connection), `sending` (how calls leave), `records` (what the server says of them) and `ending` (how
//! they end otherwise).

mod call;
mod calls;
mod defer_drop;
mod ending;
mod event;
mod health;
mod instance;
mod link;
mod liveness;
mod one_way;
mod phase;
mod records;
mod sending;
mod session;
#[cfg(test)]
mod tests;
mod wait_queue;
mod withheld;

pub use call::Streams;
pub use event::{Dropped, Event};
pub use health::{HealthState, OutlierDetection};
pub use liveness::LivenessConfig;
pub use phase::Phase;
pub use sending::{CallRecord, NewCall};
pub use session::{Config, Session, Wait};
pub use wait_queue::Ticket;
