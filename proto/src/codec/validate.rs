//! Bounds: `@len` and `@range`, checked before a handler sees a value.
//!
//! Reading a value never checks them, since a client may want to see what a server with wider bounds sends. Generated
//! code says what to check and the server runs it.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::ops::{Bound, RangeBounds};

use bytes::Bytes;

use super::form::Form;
use super::path::join;

/// A type that may have bounds inside.
pub trait Validate {
    /// Checks the bounds. By default there are none.
    ///
    /// # Errors
    /// The first bound that is broken.
    fn validate(&self) -> Result<(), Violation> {
        Ok(())
    }
}

/// A broken bound and the part of the value that breaks it: `orders[2].limit.scale: 300 is not in 0..=255`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Path of the part; empty for the value itself.
    path: String,
    text: String,
}

impl Violation {
    #[cold]
    pub(super) fn new(name: &str, text: String) -> Self {
        Self { path: name.to_owned(), text }
    }

    /// Adds one step to the front of the path.
    #[cold]
    pub(super) fn inside(self, step: &str) -> Self {
        Self { path: join(step, &self.path), text: self.text }
    }
}

impl Display for Violation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.text)
    }
}

impl Error for Violation {}

/// A type whose length `@len` can bound.
#[allow(clippy::len_without_is_empty, reason = "`@len` asks for the length alone")]
pub trait Len {
    /// Returns the length: of a string in characters (Unicode scalar values), otherwise in bytes or elements.
    fn len(&self) -> usize;
}

impl Len for String {
    #[inline]
    fn len(&self) -> usize {
        self.chars().count()
    }
}

impl Len for Bytes {
    #[inline]
    fn len(&self) -> usize {
        <[u8]>::len(self)
    }
}

impl<T> Len for Vec<T> {
    #[inline]
    fn len(&self) -> usize {
        self.as_slice().len()
    }
}

impl<T> Len for BTreeSet<T> {
    #[inline]
    fn len(&self) -> usize {
        BTreeSet::len(self)
    }
}

impl<K, V> Len for BTreeMap<K, V> {
    #[inline]
    fn len(&self) -> usize {
        BTreeMap::len(self)
    }
}

/// Checks an `@len`.
///
/// # Errors
/// The length is out of range.
#[inline]
pub fn check_len<T: Len>(name: &str, value: &T, range: impl RangeBounds<usize>) -> Result<(), Violation> {
    let length = value.len();
    if range.contains(&length) { Ok(()) } else { Err(out_of_range(name, "length ", &length, &range)) }
}

/// Checks a `@range`. A NaN is in no range.
///
/// # Errors
/// The value is out of range.
#[inline]
pub fn check_range<T>(name: &str, value: &T, range: impl RangeBounds<T>) -> Result<(), Violation>
where
    T: PartialOrd + Display,
{
    let is_number = value.partial_cmp(value).is_some();
    if is_number && range.contains(value) { Ok(()) } else { Err(out_of_range(name, "", value, &range)) }
}

/// Checks the bounds inside a field.
///
/// # Errors
/// The first bound that is broken.
#[inline]
pub fn check_inside<F: Form<T>, T>(name: &str, value: &T) -> Result<(), Violation> {
    F::validate(value).map_err(|violation| violation.inside(name))
}

#[cold]
fn out_of_range<T: Display>(name: &str, what: &str, value: &T, range: &impl RangeBounds<T>) -> Violation {
    let start = match range.start_bound() {
        Bound::Included(start) => start.to_string(),
        // No range of the IDL excludes its start.
        Bound::Excluded(start) => format!("{start} (excluded)"),
        Bound::Unbounded => String::new(),
    };
    let end = match range.end_bound() {
        Bound::Included(end) => format!("={end}"),
        Bound::Excluded(end) => end.to_string(),
        Bound::Unbounded => String::new(),
    };
    Violation::new(name, format!("{what}{value} is not in {start}..{end}"))
}
