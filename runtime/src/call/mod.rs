//! Calls of a client: as values that their callers await, and as what is done about them.
//!
//! - [`unary`], [`kinds`]: the futures, one for each kind of method; the unary one is made again where that is safe. [`request`]:
//!   what a caller has asked for.
//! - [`pending_call`]: a call until its record is queued. [`upload`]: a client's stream on its way. [`handle`]: a call in flight.
//! - [`layer`]: what middleware does about a call.

mod handle;
mod kinds;
mod layer;
mod pending_call;
mod request;
mod unary;
mod upload;

pub(crate) use handle::ping;
pub use kinds::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall};
pub(crate) use pending_call::PendingCall;
pub use unary::UnaryCall;
