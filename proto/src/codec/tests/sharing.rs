//! Bytes that are shared with the message they came in, proved by their addresses.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::tree::Tree;
use super::written;
use crate::codec::blob::MIN_SHARED_BYTES;
use crate::codec::{
    Blob, Decode, DecodeError, Encode, Fields, Form, List, Plain, Reader, ViaSerde, Writer, decode,
    decode_prefix,
};

fn lies_in(part: &Bytes, whole: &Bytes) -> bool {
    whole.as_ptr_range().contains(&part.as_ptr())
}

fn blobs(lengths: &[usize]) -> Vec<Bytes> {
    lengths.iter().map(|length| Bytes::from(vec![7; *length])).collect()
}

#[test]
fn long_ones_are_shared_and_short_ones_copied() {
    let values = blobs(&[0, MIN_SHARED_BYTES - 1, MIN_SHARED_BYTES, 100_000]);
    let body = Bytes::from(written::<List<Blob>, _>(&values));
    let read = decode::<List<Blob>, Vec<Bytes>>(&body.clone().into(), usize::MAX).expect("a list of bytes");
    assert_eq!(read, values);
    assert_eq!(read.iter().map(|part| lies_in(part, &body)).collect::<Vec<_>>(), [false, false, true, true]);
}

#[test]
fn the_shortest_message_that_can_hold_a_long_one_is_shared() {
    let values = blobs(&[MIN_SHARED_BYTES]);
    let body = Bytes::from(written::<Blob, _>(&values[0]));
    assert!(lies_in(&decode::<Blob, Bytes>(&body.clone().into(), usize::MAX).expect("bytes"), &body));
}

#[test]
fn they_outlive_the_message() {
    let body = Bytes::from(written::<Blob, _>(&blobs(&[1000])[0]));
    let read = decode::<Blob, Bytes>(&body.clone().into(), usize::MAX).expect("bytes");
    drop(body);
    assert_eq!(read, vec![7; 1000]);
}

#[test]
fn values_end_to_end_are_shared_too() {
    let item = Tree { blobs: blobs(&[1000]), ..Tree::default() };
    let whole = Bytes::from([written::<Plain, _>(&item), written::<Plain, _>(&item)].concat());
    let mut rest = whole.clone().into();
    for _ in 0..2 {
        let read = decode_prefix::<Plain, Tree>(&mut rest, usize::MAX).expect("a tree");
        assert!(lies_in(&read.blobs[0], &whole));
    }
}

#[test]
fn short_ones_lie_together_and_keep_nothing_large() {
    let item = written::<Blob, _>(&blobs(&[64])[0]);
    let whole = Bytes::from(item.repeat(1_000));
    let mut rest = whole.clone().into();
    let mut next = || decode_prefix::<Blob, Bytes>(&mut rest, usize::MAX).expect("bytes");
    let read: Vec<Bytes> = (0..1_000).map(|_| next()).collect();
    assert!(read.iter().all(|part| part == &[7; 64][..] && !lies_in(part, &whole)));
    let beside = read.windows(2).filter(|two| two[0].as_ptr_range().end == two[1].as_ptr()).count();
    assert!(beside > 900, "{beside}");
}

#[test]
fn so_do_short_ones_of_values_that_come_alone() {
    let read: Vec<Bytes> = blobs(&[64; 1_000])
        .iter()
        .map(|blob| {
            decode::<Blob, Bytes>(&Bytes::from(written::<Blob, _>(blob)).into(), usize::MAX).expect("bytes")
        })
        .collect();
    assert!(read.iter().all(|part| part == &[7; 64][..]));
    let beside = read.windows(2).filter(|two| two[0].as_ptr_range().end == two[1].as_ptr()).count();
    assert!(beside > 900, "{beside}");
}

#[test]
fn a_copy_serves_where_nothing_is_lent() {
    let blob = &blobs(&[1000])[0];
    let bytes = written::<Blob, _>(blob);
    let read = <Blob as Form<Bytes>>::decode(&mut Reader::over(&bytes)).expect("bytes");
    assert_eq!(read, blob);
}

/// A user's type that reads another message in the middle of this one.
struct Nested;

thread_local! {
    static PANICS: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

impl Serialize for Nested {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_unit()
    }
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer)?;
        let other = Bytes::from(written::<List<Blob>, _>(&blobs(&[500])));
        let read =
            decode::<List<Blob>, Vec<Bytes>>(&other.clone().into(), usize::MAX).expect("another message");
        assert!(lies_in(&read[0], &other));
        assert!(!PANICS.get(), "as the test asked for");
        Ok(Self)
    }
}

/// Reads a pair of the two, the nested one first.
struct Pair(Bytes);

impl Encode for Pair {
    fn encode(&self, out: &mut Writer) {
        let mut fields = out.fields(2);
        fields.write::<ViaSerde, _>(1, &Nested);
        fields.write::<Blob, _>(2, &self.0);
        fields.end();
    }
}

impl Decode for Pair {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = Fields::new(reader, &["nested", "blob"])?;
        fields.required::<ViaSerde, Nested>(1)?;
        let value = Self(fields.required::<Blob, _>(2)?);
        fields.end()?;
        Ok(value)
    }
}

#[test]
fn one_reading_may_contain_another() {
    let body = Bytes::from(written::<Plain, _>(&Pair(blobs(&[1000])[0].clone())));
    let Pair(read) = decode::<Plain, Pair>(&body.clone().into(), usize::MAX).expect("a pair");
    assert!(lies_in(&read, &body));
}

#[test]
fn a_panic_leaves_nothing_lent() {
    let body = Bytes::from(written::<Plain, _>(&Pair(blobs(&[1000])[0].clone())));
    PANICS.set(true);
    let panicked = catch_unwind(AssertUnwindSafe(|| decode::<Plain, Pair>(&body.clone().into(), usize::MAX)));
    PANICS.set(false);
    assert!(panicked.is_err());
    assert!(body.is_unique(), "only the test holds the message");
}
