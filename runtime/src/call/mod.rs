//! Calls of a client: as values that their callers await, and as what is done about them.
//!
//! - [`kinds`]: the futures, one for each kind of method. [`request`]: what a caller has asked for.
//! - [`pending_call`]: a call until its record is queued. [`attempts`]: a call that is answered once, and made again where that is safe. [`upload`]: a client's stream on
//!   its way. [`handle`]: a call in flight.
//! - [`layer`]: what middleware does about a call.

mod attempts;
mod handle;
mod kinds;
mod layer;
mod pending_call;
mod request;
mod upload;

pub(crate) use handle::ping;
pub use kinds::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
pub(crate) use pending_call::PendingCall;
