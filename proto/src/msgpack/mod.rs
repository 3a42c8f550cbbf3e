//! MessagePack headers, shared by [`crate::wire`] (records) and [`crate::codec`] (values): [`read`] and [`write`].
//!
//! Only what both need: arrays, maps, strings, binaries and unsigned integers, and the extent of any value. What a header means,
//! and what is said where it is not as expected, is up to the caller. Source:
//! <https://github.com/msgpack/msgpack/blob/master/spec.md>.

pub(crate) mod read;
pub(crate) mod write;

/// The byte of a nil.
pub(crate) const NIL: u8 = 0xc0;
