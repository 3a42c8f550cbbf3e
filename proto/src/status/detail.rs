//! [`Detail`]: values that a status carries beside its message, for programs.

use super::Status;
use crate::codec::{self, Decode, Encode, Plain};
use crate::metadata::{Metadata, MetadataValue};

/// Maximum number of bytes that a detail takes in memory. A `value` takes forty for a byte on the wire, and lists of structs whose fields
/// are absent may take more.
const MAX_DETAIL_MEMORY: usize = 64 * Status::MAX_DETAIL_BYTES;

/// A type that a [`Status`] may carry as a detail, under a name that both sides know. Generated structs, unions and errors implement
/// it: their name is that of the type with its package, such as `market.v1.Trade`.
pub trait Detail: Encode + Decode {
    /// Name on the wire.
    const NAME: &'static str;
}

impl Status {
    /// Maximum number of details.
    pub const MAX_DETAILS: usize = Metadata::MAX_ENTRIES;
    /// Maximum sum of the details' names and values in bytes.
    pub const MAX_DETAIL_BYTES: usize = Metadata::MAX_BYTES;

    /// Returns the status with one more detail. It takes the place of one of the same name.
    ///
    /// A detail that can't be encoded, or that brings the status past [`Status::MAX_DETAILS`] or
    /// [`Status::MAX_DETAIL_BYTES`], is left off, and the message says so: the status itself always arrives.
    #[must_use]
    pub fn with_detail<D: Detail>(mut self, detail: &D) -> Self {
        let encoded = codec::encode_whole::<Plain, D>(detail);
        let Ok(bytes) = encoded else { return self.without(D::NAME, "can't be encoded") };
        let mut details = self.details.take().unwrap_or_default();
        let replaced = details.remove(D::NAME);
        details.insert(D::NAME, MetadataValue::Bytes(bytes));
        if details.excess("the status").is_none() {
            return Self { details: Some(details), ..self };
        }
        details.remove(D::NAME);
        if let Some(replaced) = replaced {
            details.insert(D::NAME, replaced);
        }
        Self { details: Some(details), ..self }.without(D::NAME, "is past the bounds of details")
    }

    #[cold]
    fn without(self, name: &str, why: &str) -> Self {
        let message = format!("{} (the detail `{name}` {why}, and was left off)", self.message);
        Self { message: message.into(), ..self }
    }

    /// Returns the detail of a type; `None` if there is none of its name, or if that can't be read as one or
    /// takes more than a MiB of memory.
    #[must_use]
    pub fn detail<D: Detail>(&self) -> Option<D> {
        let value = self.details.as_ref()?.get(D::NAME)?;
        let bytes = bytes::Bytes::copy_from_slice(value.as_bytes());
        codec::decode::<Plain, D>(&bytes.into(), MAX_DETAIL_MEMORY).ok()
    }

    /// Returns the names and the encoded values of all details, in the order in which they were added: for programs that do not know
    /// the types.
    pub fn details(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let details = self.details.iter().flat_map(|details| details.iter());
        details.map(|(name, value)| (name, value.as_bytes()))
    }

    /// Returns the details as they travel.
    pub(crate) fn details_on_the_wire(&self) -> Option<&Metadata> {
        self.details.as_deref().filter(|details| !details.is_empty())
    }

    /// Returns the status with details that have arrived. More than there may be are left off.
    pub(crate) fn with_details_of_the_wire(self, details: Metadata) -> Self {
        if details.is_empty() || details.excess("the status").is_some() {
            return self;
        }
        Self { details: Some(Box::new(details)), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generated types are no part of this crate; these are `Encode` and `Decode`, too.
    impl Detail for String {
        const NAME: &'static str = "test.Text";
    }

    impl Detail for u64 {
        const NAME: &'static str = "test.Number";
    }

    #[test]
    fn details_are_found_by_their_types() {
        let status = Status::not_found("x").with_detail(&"a".to_owned()).with_detail(&7_u64);
        let status = status.with_detail(&"b".to_owned());
        assert_eq!((status.detail::<String>().as_deref(), status.detail::<u64>()), (Some("b"), Some(7)));
        let names: Vec<_> = status.details().map(|(name, _)| name).collect();
        assert_eq!(names, ["test.Number", "test.Text"]);
        assert_eq!(Status::not_found("x").detail::<u64>(), None);
        assert_eq!(status.message(), "x");
    }

    impl Detail for Vec<Option<u64>> {
        const NAME: &'static str = "test.Numbers";
    }

    #[test]
    fn a_detail_that_takes_much_more_memory_than_bytes_is_read() {
        let numbers: Vec<Option<u64>> = vec![None; Status::MAX_DETAIL_BYTES - 100];
        let status = Status::not_found("x").with_detail(&numbers);
        assert_eq!(status.detail::<Vec<Option<u64>>>(), Some(numbers));
    }

    #[test]
    fn a_detail_past_the_bounds_is_left_off_and_the_message_says_so() {
        let status = Status::not_found("x").with_detail(&"a".to_owned()).with_detail(&7_u64);
        let status = status.with_detail(&"b".repeat(Status::MAX_DETAIL_BYTES));
        assert_eq!((status.detail::<String>().as_deref(), status.detail::<u64>()), (Some("a"), Some(7)));
        assert!(status.message().contains("`test.Text` is past"), "{status}");
    }
}
