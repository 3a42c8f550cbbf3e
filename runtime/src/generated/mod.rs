//! All that generated code uses of this crate and others. Not for use by hand: this module changes with the generator, and a
//! generated file states which version it was made for.
//!
//! - `declaration`: what generated code declares of each method: one trait for each kind.
//! - `call`: how generated clients make calls from such a declaration. How servers accept them is in `dispatch`.
//! - `flags`: what all sets of flags can do.
//! - `implement`: macros for implementations that are the same for many types.

mod call;
mod flags;
mod implement;

pub use crate::codec::json::{Described, Description};
pub use crate::codec::{
    Blob, Bounded, Boxed, Decode, DecodeError, Encode, EncodeError, FieldWriter, Fields, Form, Len, List,
    Map, Nanoseconds, Nothing, NumberedWriter, Optional, Payload, Plain, Reader, Set, Validate, ViaSerde,
    Violation, WriteForm, Writer, check_inside, check_len, check_range, count, declared, deserialize, length,
    replaced, serialize,
};
pub use crate::declaration::{
    BidirectionalMethod, ClientStreamMethod, OneWayMethod, Params, ServerStreamMethod, UnaryMethod,
};
pub use crate::dispatch::{AcceptedCall, Handling, Incoming};
pub use crate::events::{EventType, KeyField, KeyKind, KeyWriter, Slow};
pub use crate::schema::{HasSchema, SchemaFile, ServiceSchema};
pub use crate::status::Detail;
pub use crate::testing::{MockMethod, Unset};
pub use flags::{implement_flags, show_flags};
pub use implement::{describe, implement_enum, implement_form, implement_serde};
pub use serde;

/// The result of reading a value.
pub type Decoded<T> = Result<T, DecodeError>;

/// Version of the interface between generated code and this crate. Raised by every change to it.
pub const VERSION: u32 = 8;

/// Fails to compile in a generated file that was made for another version of this crate.
pub const fn made_for(version: u32) {
    assert!(
        version == VERSION,
        "this file was generated for another version of the `zsvc` crate; generate it again"
    );
}
