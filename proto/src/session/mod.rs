//! Sessions: what the records of one connection mean, on either side, as closed machines without I/O.
//!
//! A session knows the calls in flight between two peers, what is to be sent, and whether the other side is alive. It
//! has private fields, and knows no socket, no runtime and no clock: messages are handed in and out, and so is time.
//! The driver of a transport calls it, and so do the tasks that call and answer; a lock around it is theirs.
//!
//! # Order of calls
//!
//! 1. Inputs of the driver, in the order in which things happen: `handle_connected` and `handle_disconnected` (a
//!    client's), `handle_message` for each message, `handle_timeout` once `poll_timeout` has passed. Inputs of tasks,
//!    at any time: begin, answer, cancel, grant, and so on.
//! 2. Outputs, after any input, until there is none: `poll_event` for what the program has to know, `poll_transmit` for
//!    messages to send, and `take_wakers` for tasks to wake **once no lock is held**: a waker, and a user's bytes that
//!    are dropped with it, may run user code.
//! 3. `poll_timeout` tells when `handle_timeout` is to be called at the latest. It may change with every input.
//!
//! Whatever a session may hold is bounded by its configuration.

pub mod client;
mod deadline;
pub mod server;

pub use deadline::Deadline;
