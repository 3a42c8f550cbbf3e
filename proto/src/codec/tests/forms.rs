//! The exact bytes of every form.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use rmpv::Value;
use uuid::Uuid;

use super::tape::{Amount, Flag, Side, Trade, trade};
use super::tree::{Tree, tree};
use super::{check, complaint, failed_write, read, written};
use crate::codec::{
    Blob, Body, Boxed, List, Map, Nanoseconds, Nothing, Optional, Plain, decode_prefix, encode,
};

#[test]
fn scalars() {
    check::<Plain, bool>(&true, &[0xc3]);
    check::<Plain, u8>(&127, &[0x7f]);
    check::<Plain, u8>(&200, &[0xcc, 200]);
    check::<Plain, u16>(&300, &[0xcd, 0x01, 0x2c]);
    check::<Plain, u64>(&u64::MAX, &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255]);
    check::<Plain, i64>(&-1, &[0xff]);
    check::<Plain, i64>(&5, &[0x05]);
    check::<Plain, i8>(&-100, &[0xd0, 156]);
    check::<Plain, f32>(&1.5, &[0xca, 0x3f, 0xc0, 0, 0]);
    check::<Plain, f64>(&1.5, &[0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0]);
    check::<Plain, String>(&"é".to_owned(), &[0xa2, 0xc3, 0xa9]);
}

#[test]
fn numbers_are_read_in_any_form_that_fits() {
    for bytes in [&[7][..], &[0xcc, 7], &[0xcd, 0, 7], &[0xce, 0, 0, 0, 7], &[0xd3, 0, 0, 0, 0, 0, 0, 0, 7]] {
        assert_eq!(read::<Plain, u8>(bytes), Ok(7));
        assert_eq!(read::<Plain, i64>(bytes), Ok(7));
        assert_eq!(read::<Plain, Side>(bytes), Ok(Side::Unknown(7)));
    }
    assert_eq!(complaint::<Plain, u8>(&[0xcd, 1, 0]), "invalid value: integer `256`, expected u8");
    assert_eq!(complaint::<Plain, Side>(&[0xff]), "invalid value: integer `-1`, expected u32");
}

#[test]
fn uuids_are_sixteen_bytes() {
    let bytes = [&[0xc4, 16][..], &0x1234_u128.to_be_bytes()].concat();
    check::<Plain, Uuid>(&Uuid::from_u128(0x1234), &bytes);
    assert_eq!(
        complaint::<Plain, Uuid>(&[0xc4, 1, 7]),
        "UUID parsing failed: invalid length: expected 16 bytes, found 1"
    );
}

#[test]
fn durations_are_nanoseconds() {
    check::<Nanoseconds, Duration>(&Duration::ZERO, &[0]);
    check::<Nanoseconds, Duration>(&Duration::from_secs(1), &[0xce, 0x3b, 0x9a, 0xca, 0]);
    check::<Nanoseconds, Duration>(
        &Duration::from_nanos(u64::MAX),
        &[0xcf, 255, 255, 255, 255, 255, 255, 255, 255],
    );
    assert_eq!(
        failed_write::<Nanoseconds, _>(&Duration::MAX).to_string(),
        "a duration of 18446744073709551615 s is too long to be sent: the most is 18446744073709551615 ns"
    );
}

#[test]
fn bytes_are_bin_and_nothing_else() {
    check::<Blob, Bytes>(&Bytes::from_static(b"abc"), &[0xc4, 3, b'a', b'b', b'c']);
    check::<Blob, Bytes>(&Bytes::new(), &[0xc4, 0]);
    assert_eq!(complaint::<Blob, Bytes>(&[0xa1, b'a']), "invalid type: string \"a\", expected bytes");
    assert_eq!(complaint::<Blob, Bytes>(&[0x92, 1, 2]), "invalid type: sequence, expected bytes");
}

#[test]
fn strings_are_str_and_nothing_else() {
    assert_eq!(complaint::<Plain, String>(&[0xc4, 1, b'a']), "invalid type: byte array, expected a string");
    assert_eq!(complaint::<Plain, String>(&[7]), "invalid type: integer `7`, expected a string");
    assert!(read::<Plain, String>(&[0xa1, 0xff]).is_err());
}

#[test]
fn nothing_is_nil_and_skips_what_comes() {
    check::<Nothing, ()>(&(), &[0xc0]);
    for bytes in [written::<Plain, Trade>(&trade()), written::<Plain, Tree>(&tree()), vec![0xd4, 5, 1]] {
        assert_eq!(read::<Nothing, ()>(&bytes), Ok(()));
    }
}

#[test]
fn compound_forms() {
    check::<Optional<Nanoseconds>, _>(&None, &[0xc0]);
    check::<Optional<Nanoseconds>, _>(&Some(Duration::from_nanos(9)), &[9]);
    check::<List<Blob>, _>(&vec![Bytes::from_static(b"a"), Bytes::new()], &[0x92, 0xc4, 1, b'a', 0xc4, 0]);
    check::<List<Optional<Plain>>, _>(&vec![Some(1_u8), None], &[0x92, 1, 0xc0]);
    check::<Boxed<Plain>, _>(&Box::new(3_u8), &[3]);
    let map = BTreeMap::from([(1_u16, Duration::from_nanos(2)), (3, Duration::from_nanos(4))]);
    check::<Map<Plain, Nanoseconds>, _>(&map, &[0x82, 1, 2, 3, 4]);
    let by_enum = BTreeMap::from([(Side::Buy, true), (Side::Unknown(9), false)]);
    check::<Plain, _>(&by_enum, &[0x82, 1, 0xc3, 9, 0xc2]);
    let by_id = BTreeMap::from([(Uuid::nil(), true)]);
    check::<Plain, _>(&by_id, &[&[0x81, 0xc4, 16][..], &[0; 16], &[0xc3]].concat());
}

#[test]
fn forms_of_containers_write_what_serde_writes() {
    let list = vec![1_u32, 70_000];
    assert_eq!(written::<List<Plain>, _>(&list), written::<Plain, _>(&list));
    let map = BTreeMap::from([("a".to_owned(), vec![1_u8]), ("b".to_owned(), vec![])]);
    assert_eq!(written::<Map<Plain, List<Plain>>, _>(&map), written::<Plain, _>(&map));
}

#[test]
fn the_last_of_two_equal_keys_stays() {
    let bytes = [0x82, 1, 2, 1, 3];
    assert_eq!(read::<Plain, BTreeMap<u8, u8>>(&bytes), Ok(BTreeMap::from([(1, 3)])));
    assert_eq!(read::<Map<Plain, Plain>, BTreeMap<u8, u8>>(&bytes), Ok(BTreeMap::from([(1, 3)])));
}

#[test]
fn absent_fields_at_the_end_are_left_off() {
    let amount = Amount { units: 5, scale: 2, currency: None };
    check::<Plain, Amount>(&amount, &[0x92, 5, 2]);
    check::<Plain, Amount>(&Amount { currency: Some("EUR".to_owned()), ..amount }, b"\x93\x05\x02\xa3EUR");
}

#[test]
fn holes_and_absent_fields_are_nil() {
    let bytes = [
        &[0x9a][..],
        b"\xa4ACME",
        b"\x93\xcd\x30\x39\x02\xa3EUR",
        b"\xcd\x01\x2c",
        // 250,000,000 ns above the seconds' 34 bits.
        b"\xd7\xff\x3b\x9a\xca\x00\x69\xa4\x2a\x40",
        b"\xc0",
        b"\x91\x02",
        b"\x81\xa4desk\xa17",
        b"\xc0\xc0",
        b"\x01",
    ]
    .concat();
    check::<Plain, Trade>(&trade(), &bytes);
}

#[test]
fn everything_else_comes_back() {
    let bytes = written::<Plain, Tree>(&tree());
    assert_eq!(read::<Plain, Tree>(&bytes), Ok(tree()));
    assert_eq!(read::<Plain, Value>(&bytes).map(|value| written::<Plain, _>(&value)), Ok(bytes));
    assert_eq!(read::<Plain, Vec<Flag>>(&[0x92, 2, 3]), Ok(vec![Flag::Odd, Flag::Unknown(3)]));
}

#[test]
fn a_failed_write_leaves_nothing_behind() {
    let mut out = vec![1, 2, 3];
    let list = vec![Duration::ZERO, Duration::MAX];
    encode::<List<Nanoseconds>, _>(&list, &mut out).expect_err("too long to be sent");
    assert_eq!(out, [1, 2, 3]);
}

#[test]
fn a_body_is_one_value() {
    assert_eq!(complaint::<Plain, u8>(&[1, 2]), "more bytes follow the value");
    // The start of another value, even a broken one, is not taken for the end either.
    assert_eq!(complaint::<Plain, u8>(&[1, 0x91]), "more bytes follow the value");
    assert_eq!(complaint::<Plain, u8>(&[1, 0xc0]), "more bytes follow the value");
    assert_eq!(complaint::<Plain, u8>(&[]), "the bytes end in the middle of the value");
}

#[test]
fn values_end_to_end_are_taken_one_by_one() {
    let items = [tree(), Tree::default(), tree()];
    let written = items.iter().flat_map(written::<Plain, Tree>).collect::<Vec<_>>();
    let mut body = Body::from(Bytes::from(written));
    for item in items {
        assert_eq!(decode_prefix::<Plain, Tree>(&mut body, usize::MAX), Ok(item));
    }
    assert!(body.is_empty());
    decode_prefix::<Plain, Tree>(&mut body, usize::MAX).expect_err("nothing is left");

    let mut broken = Body::from(Bytes::from_static(&[1, 0xa1]));
    assert_eq!(decode_prefix::<Plain, u8>(&mut broken, usize::MAX), Ok(1));
    decode_prefix::<Plain, String>(&mut broken, usize::MAX).expect_err("a string without its bytes");
    assert_eq!(&broken.bytes[..], [0xa1], "what is broken stays");
}
