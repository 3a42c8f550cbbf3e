//! The runtime of **zsvc**: services over ZeroMQ, described in an IDL and compiled to Rust.
//!
//! What users write is a `.svc` file, an implementation of the trait that is generated from it, and calls of the client
//! that is generated too; `zsvc-codegen` does that in `build.rs`. This crate carries the calls. Start with [`Server`] for
//! the one side and [`Channel`] for the other; the project's `docs/guide.md` leads through both.
//!
//! What is sent is in the project's `docs/protocol.md`; how this crate is laid out in its `ARCHITECTURE.md`.

mod client;
mod context;
mod flush;
#[cfg(fuzzing)]
pub mod fuzzing;
#[doc(hidden)]
pub mod generated;
pub mod middleware;
mod server;
mod stream;
mod telemetry;
pub mod testing;
mod transport;

pub(crate) use zsvc_proto::{codec, flow, id_map, metadata, method, status, wire};

pub use bytes::Bytes;
pub use futures_core::Stream;
/// Any MessagePack value: the `value` of a `.svc` file.
pub use rmpv::Value;
pub use uuid::Uuid;

pub use client::{
    BidirectionalCall, Channel, ChannelBuilder, ChannelCounters, ChannelDropped, ClientStreamCall,
    ConnectionState, EndpointState, OneWayCall, Resolve, Retry, ServerStreamCall, StateWatch, UnaryCall,
};
pub use codec::{ParseTimestampError, Timestamp, TimestampOutOfRange, UnknownVariant};
pub use context::{CancelReason, Cancelled, Context, Draining, PeerId};
pub use metadata::{Metadata, MetadataValue};
pub use method::{Method, MethodKind, Overlap};
pub use server::{Counters, Dropped, ServeError, Server, ServerBuilder, Service};
pub use status::{CallError, Cause, Code, DeclaredError, Error, Outcome, Status};
pub use stream::{Sink, Streaming};

/// The largest body that either side takes by default, in bytes.
const DEFAULT_MESSAGE_SIZE: usize = 16 * 1024 * 1024;

/// Includes what `zsvc_codegen::compile` has written for this crate in its build script: one module per package.
#[macro_export]
macro_rules! include_generated {
    () => {
        include!(concat!(env!("OUT_DIR"), "/zsvc/mod.rs"));
    };
}
