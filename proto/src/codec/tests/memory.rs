//! What values may take in memory: more than their bytes suggest is refused before it is taken.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use rmpv::Value;

use super::tree::Tree;
use super::{text, written};
use crate::codec::{
    Blob, Body, Boxed, DecodeError, Form, List, Map, Optional, Plain, ViaSerde, decode, decode_params,
    decode_prefix, max_decoded,
};

const ELEMENTS: usize = 100_000;

/// Returns an array of as many of these bytes, which are one value.
fn array_of(value: &[u8]) -> Body {
    let header = [&[0xdd][..], &u32::try_from(ELEMENTS).expect("it fits").to_be_bytes()].concat();
    Bytes::from([header, value.repeat(ELEMENTS)].concat()).into()
}

fn limited<F: Form<T>, T>(body: &Body, max: usize) -> Result<(), DecodeError> {
    decode::<F, T>(body, max).map(drop)
}

/// Checks that an array of such values is refused where it may take as much as its size asks for, and read where it may take
/// `least` bytes for each.
fn takes<F: Form<T>, T>(value: &[u8], least: usize) {
    let body = array_of(value);
    let refused = limited::<F, T>(&body, ELEMENTS * least - 1).expect_err("it takes more");
    assert!(refused.is_too_large() && !refused.is_too_deep(), "{refused}");
    if let Err(error) = limited::<F, T>(&body, ELEMENTS * (least + 1) + 1_000) {
        panic!("{least} bytes for each are enough: {error}");
    }
}

#[test]
fn every_kind_of_value_that_is_short_on_the_wire_is_counted() {
    let value = size_of::<Value>();
    takes::<Plain, Value>(&[0xc0], value);
    takes::<Plain, Value>(&[0x91, 0xc0], 2 * value);
    takes::<Plain, Value>(&[0x81, 1, 0xc0], 3 * value);
    takes::<List<Plain>, Vec<Value>>(&[0xc0], value);
    takes::<List<Plain>, Vec<Value>>(&[0x91, 0xc0], 2 * value);
    takes::<List<ViaSerde>, Vec<Vec<u8>>>(&[0x91, 7], size_of::<Vec<u8>>() + value);
    takes::<Plain, Vec<Tree>>(&[0x90], size_of::<Tree>());
    takes::<List<Optional<Plain>>, Vec<Option<Tree>>>(&[0xc0], size_of::<Option<Tree>>());
    takes::<List<Boxed<Plain>>, Vec<Box<Tree>>>(&[0x90], size_of::<usize>() + size_of::<Tree>() + 16);
    takes::<Plain, Vec<String>>(&[0xa0], size_of::<String>());
    takes::<Plain, Vec<String>>(&[0xa1, b'a'], size_of::<String>() + 16);
    takes::<List<Blob>, Vec<Bytes>>(&[0xc4, 0], size_of::<Bytes>());
    takes::<Plain, Vec<Vec<u64>>>(&[0x91, 1], size_of::<Vec<u64>>() + 8 + 16);
    let node = 11 * 16 + 16;
    takes::<Plain, Vec<BTreeMap<u64, u64>>>(&[0x81, 1, 1], size_of::<BTreeMap<u64, u64>>() + node);
    let node = 11 * 8 + 16;
    takes::<Plain, Vec<BTreeSet<u64>>>(&[0x91, 1], size_of::<BTreeSet<u64>>() + node);
    takes::<Plain, Vec<u64>>(&[7], 8);
}

/// By names, a part of the message is kept as a value first.
#[test]
fn values_inside_of_structs_are_counted_however_the_structs_are_sent() {
    let nils = array_of(&[0xc0]).into_bytes();
    let by_number = [&[0x98][..], &[0xc0; 7], &nils].concat();
    let by_name = [&[0x81][..], &text("any"), &nils].concat();
    let unknown = [&[0x97][..], &[0xc0; 6], &[0x92, 9], &nils].concat();
    for bytes in [by_number, by_name, unknown] {
        let body = Bytes::from(bytes).into();
        let refused = decode_params::<Tree>(&body, 1 << 20).expect_err("it takes 4 MB");
        assert!(refused.is_too_large(), "{refused}");
        assert!(decode_params::<Tree>(&body, 10 << 20).is_ok());
    }
}

#[test]
fn a_map_with_many_entries_is_counted_by_its_nodes() {
    let map: BTreeMap<u64, u64> = (0..60_000).map(|key| (key, key)).collect();
    let body = Bytes::from(written::<Plain, _>(&map)).into();
    let nodes = 10_000 * (11 * 16 + 16);
    assert!(limited::<Map<Plain, Plain>, BTreeMap<u64, u64>>(&body, nodes).is_ok());
    let refused = limited::<Plain, BTreeMap<u64, u64>>(&body, nodes - 1).expect_err("one node too many");
    assert!(refused.is_too_large(), "{refused}");
}

#[test]
fn both_numbers_are_told_and_the_field() {
    let bytes = [&[0x98][..], &[0xc0; 7], &array_of(&[0xc0]).into_bytes()].concat();
    let refused = decode_params::<Tree>(&Bytes::from(bytes).into(), 1_000_000).unwrap_err().to_string();
    let needs = ELEMENTS * size_of::<Value>();
    assert_eq!(
        refused,
        format!(
            "any: too large to be read: {needs} bytes of memory or more, and the values of a message may take 1000000, which \
             is 8 times the maximum size of a message"
        )
    );
}

#[test]
fn each_item_of_a_stream_is_counted_by_itself() {
    let item = array_of(&[0xc0]).into_bytes();
    let mut items = Body::from(Bytes::from(item.repeat(3)));
    let enough = ELEMENTS * size_of::<Value>();
    for _ in 0..3 {
        assert!(decode_prefix::<Plain, Value>(&mut items, enough).is_ok());
    }
    assert!(items.is_empty());
}

#[test]
fn a_header_that_lies_is_told_as_such_and_not_as_too_large() {
    for header in [&[0xdd, 255, 255, 255, 255][..], &[0xdf, 255, 255, 255, 255]] {
        let body: Body = Bytes::from([header, &[0xc0; 100]].concat()).into();
        for error in [
            limited::<Plain, Value>(&body, 100_000).unwrap_err(),
            limited::<Plain, Vec<Tree>>(&body, 100_000).unwrap_err(),
        ] {
            assert!(!error.is_too_large(), "{error}");
        }
    }
}

#[test]
fn a_message_of_numbers_always_fits() {
    let body = array_of(&[7]);
    assert!(limited::<Plain, Vec<u64>>(&body, max_decoded(body.len())).is_ok());
    assert!(
        limited::<Plain, Vec<f64>>(&array_of(&[0xcb, 0, 0, 0, 0, 0, 0, 0, 0]), max_decoded(body.len()))
            .is_ok()
    );
    assert_eq!((max_decoded(0), max_decoded(usize::MAX)), (64 * 1024, usize::MAX));
}
