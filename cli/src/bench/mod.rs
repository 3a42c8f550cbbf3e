//! Measures how long calls take, and how many there are in a second.
//!
//! - [`load`]: makes the calls, as fast as they are answered or at a rate.
//! - [`stream`]: the items that each call sends, of a method that takes a stream.
//! - [`result`]: what was measured, as text and as JSON; [`plot`] draws it.

pub(crate) mod load;
pub(crate) mod plot;
pub(crate) mod result;
pub(crate) mod stream;
