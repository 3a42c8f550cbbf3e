//! Messages about bytes that are not of the expected type, and the path in them.

use std::collections::BTreeMap;

use bytes::Bytes;
use uuid::Uuid;

use super::tape::{Amount, Order, Trade, trade};
use super::tree::Tree;
use super::{complaint, text, written};
use crate::codec::{Blob, List, Map, Plain};

#[test]
fn a_missing_field_is_named() {
    assert_eq!(complaint::<Plain, Amount>(&[0x91, 5]), "field `scale` is missing");
    assert_eq!(complaint::<Plain, Amount>(&[0x90]), "field `units` is missing");
    assert_eq!(complaint::<Plain, Amount>(&[0x92, 5, 0xc0]), "scale: invalid type: nil, expected u8");
    assert_eq!(complaint::<Plain, Trade>(b"\x92\xa1A\x91\x05"), "price: field `scale` is missing");
    assert_eq!(
        complaint::<Plain, Trade>(b"\x92\xa1A\xc0").split(',').next(),
        Some("price: invalid type: nil")
    );
}

#[test]
fn a_path_leads_to_what_is_wrong() {
    let mut bytes = written::<Plain, Trade>(&trade());
    // The price's units become a string of one character, and the length of the currency is no more.
    let at = bytes.iter().position(|byte| *byte == 0xcd).expect("the units are a u16");
    bytes.splice(at..at + 3, [0xa1, b'x']);
    assert_eq!(complaint::<Plain, Trade>(&bytes), "price.units: invalid type: string");
    let list = [&[0x93][..], &written::<Plain, Trade>(&trade()), &written::<Plain, Trade>(&trade()), &bytes]
        .concat();
    assert_eq!(complaint::<List<Plain>, Vec<Trade>>(&list), "[2].price.units: invalid type: string");
}

#[test]
fn paths_lead_through_lists_maps_unions_and_boxes() {
    let order = b"\x92\x01\x93\xa1A\x01\x92\x05\xcd\x01\x2c";
    let limit = "limit.scale: invalid value: integer `300`, expected u8";
    assert_eq!(complaint::<Plain, Order>(order), limit);
    assert_eq!(complaint::<List<Plain>, Vec<Order>>(&[&[0x91][..], order].concat()), format!("[0].{limit}"));

    let named =
        [&[0x93, 0xc0, 0xc0, 0x81][..], &text("a: b"), &[0x94, 0xc0, 0xc0, 0xc0, 0x92, 0xc4, 0, 5][..]]
            .concat();
    assert_eq!(
        complaint::<Plain, Tree>(&named),
        "named[\"a: b\"].blobs[1]: invalid type: integer `5`, expected bytes"
    );
    let next = [&[0x91, 0x97, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0, 0x92, 2, 0x91][..], &text("A")].concat();
    assert_eq!(complaint::<Plain, Tree>(&next), "next.order: field `side` is missing");
}

#[test]
fn keys_of_all_types_are_shown() {
    assert_eq!(
        complaint::<Map<Plain, Blob>, BTreeMap<i8, Bytes>>(&[0x81, 0xff, 1]),
        "[-1]: invalid type: integer `1`, expected bytes"
    );
    assert_eq!(
        complaint::<Map<Plain, Blob>, BTreeMap<Uuid, Bytes>>(
            &[&[0x81, 0xc4, 16][..], &[0xab; 16], &[1]].concat()
        ),
        "[\"abababab-abab-abab-abab-abababababab\"]: invalid type: integer `1`, expected bytes"
    );
    assert_eq!(
        complaint::<Map<Plain, Blob>, BTreeMap<bool, Bytes>>(&[0x81, 0xc2, 1]),
        "[false]: invalid type: integer `1`, expected bytes"
    );
}

#[test]
fn what_is_no_struct_is_told() {
    for (bytes, found) in [
        (&b"\x05"[..], "integer `5`"),
        (b"\xc0", "nil"),
        (b"\xc4\x02\x01\x02", "byte array"),
        (b"\xa1x", "string \"x\""),
    ] {
        let expected = "expected an array of fields, or a map from their numbers or names";
        assert_eq!(complaint::<Plain, Amount>(bytes), format!("invalid type: {found}, {expected}"));
    }
}

#[test]
fn foreign_texts_are_reworded_and_cut() {
    assert_eq!(complaint::<Plain, u8>(&[0x81, 1, 1]), "invalid type: map");
    assert_eq!(complaint::<Plain, u8>(&[0xc1]), "invalid type: the byte 0xc1, which MessagePack never uses");
    assert_eq!(
        complaint::<Plain, Trade>(&[0x9a, 0xa4, b'A']),
        "symbol: the bytes end in the middle of the value"
    );
    let long = [&[0x91][..], &text(&"é".repeat(100_000))].concat();
    let said = complaint::<Plain, Amount>(&[&[0x91][..], &long].concat());
    assert!(said.len() < 300 && said.starts_with("units: invalid type: sequence"), "{said}");
    let said = complaint::<List<Blob>, Vec<Bytes>>(&long);
    assert!(
        said.len() < 300 && said.starts_with("[0]: invalid type: string \"éé") && said.ends_with("é…"),
        "{said}"
    );
}
