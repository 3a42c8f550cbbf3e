//! Everything through which generated code reaches this crate and others. Not for use by hand: it changes with the
//! generator, and a generated file says which of the two it was made for.

/// The name by which generated code calls it today.
pub use crate::codec::ViaSerde as Foreign;
pub use crate::codec::{
    Blob, Bounded, Boxed, Decode, DecodeError, Encode, EncodeError, FieldWriter, Fields, Form, Len, List,
    Map, Nanoseconds, Nothing, Optional, Payload, Plain, Reader, Validate, Violation, WriteForm, Writer,
    check_inside, check_len, check_range, deserialize, length, serialize,
};
pub use crate::dispatch::{Handling, Incoming, Params, Starting};
pub use crate::testing::{MockMethod, Unset};
pub use serde;

/// The version of what stands between generated code and this crate. Raised by every change to it.
pub const VERSION: u32 = 2;

/// Fails to compile in a generated file that was made for another version of this crate.
pub const fn made_for(version: u32) {
    assert!(
        version == VERSION,
        "this file was generated for another version of the `zsvc` crate; generate it again"
    );
}
