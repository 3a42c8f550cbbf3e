//! The runtime of **zsvc**: services over ZeroMQ, described in an IDL and compiled to Rust.
//!
//! A user writes a `.svc` file, implements the trait that `zsvc-codegen` generates from it in `build.rs`, and calls the generated
//! client. This crate carries the calls. Start with [`Server`] on one side and [`Channel`] on the other; the project's
//! `docs/guide.md` shows how to use both.
//!
//! The wire format is in the project's `docs/protocol.md`; the layout of this crate is in its `ARCHITECTURE.md`.

mod allocator;
pub mod auth;
#[cfg(feature = "blocking")]
pub mod blocking;
mod builtin;
mod call;
mod caught;
mod channel;
mod clock;
mod connection;
mod context;
pub mod curve;
mod declaration;
pub mod discovery;
mod dispatch;
mod driver;
pub mod dynamic;
mod engine;
mod flush;
#[cfg(any(feature = "access-file", feature = "jwt"))]
mod follow;
mod fork;
#[doc(hidden)]
pub mod forward;
#[cfg(fuzzing)]
pub mod fuzzing;
#[doc(hidden)]
pub mod generated;
mod holdup;
mod interned;
pub mod json;
mod measure;
pub mod middleware;
mod peer;
mod publish;
mod race;
mod schema;
mod server;
mod source;
mod stream;
mod subscribe;
mod sweep;
mod telemetry;
pub mod testing;
mod transport;
#[cfg(test)]
mod users_bytes;

pub(crate) use zsvc_proto::{codec, events, flow, identity, metadata, method, session, status, text, wire};

pub use builtin::{health, reflection, stats};
pub use bytes::Bytes;
pub use futures_core::Stream;
/// Any MessagePack value: the `value` of a `.svc` file.
pub use rmpv::Value;
pub use uuid::Uuid;

pub use call::{BidirectionalCall, ClientStreamCall, OneWayCall, ServerStreamCall, UnaryCall};
pub use channel::{Channel, ChannelBuilder, Resolve};
pub use codec::{ParseTimestampError, Timestamp, TimestampOutOfRange, UnknownVariant};
pub use connection::{ChannelCounters, ChannelDropped, ConnectionState, EndpointState, Retry, StateWatch};
pub use context::{CancelReason, Cancelled, Context, Draining, PeerId};
pub use declaration::Event;
pub use dispatch::Service;
pub use engine::Engine;
pub use events::Position;
pub use identity::{Identity, Mechanism};
pub use metadata::{Metadata, MetadataValue, ResponseMetadata};
pub use method::{Method, MethodKind, Overlap};
pub use peer::{ConnectedPeer, Counters, Dropped};
pub use publish::{Addressed, Publisher, PublisherBuilder, PublisherCounters};
pub use server::{Peers, Register, ServeError, Server, ServerBuilder, Task, TaskEnd, shutdown_signal};
pub use status::{CallError, Cause, Code, DeclaredError, Detail, Error, Outcome, Status};
pub use stream::{Sink, Streaming};
pub use subscribe::{Delivery, Subscribe, Subscription};
pub use transport::HandshakeFailure;

/// Default of the maximum size of a body in bytes, at either side.
const DEFAULT_MESSAGE_SIZE: usize = 16 * 1024 * 1024;

/// Includes the code that `zsvc_codegen::compile` has generated in the build script of the current crate: one module per package.
#[macro_export]
macro_rules! include_generated {
    () => {
        include!(concat!(env!("OUT_DIR"), "/zsvc/mod.rs"));
    };
}
