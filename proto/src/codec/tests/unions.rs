//! Unions, and variants that a peer does not know.

use rmpv::Value;

use super::tape::{Amount, MarketOrder, Order, Side};
use super::tree::{Tree, tree};
use super::{check, complaint, read, written};
use crate::codec::{
    Decode, DecodeError, Encode, Form, Payload, Plain, Reader, UnknownVariant, WriteForm, Writer,
};

#[test]
fn a_union_is_a_number_and_a_value() {
    let limit = Amount { units: 5, scale: 2, currency: None };
    let order = Order::Limit { symbol: "A".to_owned(), side: Side::Sell, limit };
    check::<Plain, Order>(&order, b"\x92\x01\x93\xa1A\x02\x92\x05\x02");
    let order = MarketOrder { symbol: "A".to_owned(), side: Side::Buy, size: 3 };
    check::<Plain, Order>(&Order::Market(order), b"\x92\x02\x93\xa1A\x01\x03");
    check::<Plain, Order>(&Order::CancelAll, b"\x92\x03\xc0");
}

#[test]
fn a_variant_without_a_value_needs_none() {
    assert_eq!(read::<Plain, Order>(b"\x91\x03"), Ok(Order::CancelAll));
    assert_eq!(
        read::<Plain, Order>(b"\x92\x03\x93\x01\x02\x03"),
        Ok(Order::CancelAll),
        "it has come to carry something"
    );
    assert_eq!(
        read::<Plain, Order>(b"\x94\x03\xc0\x01\x81\x01\x02"),
        Ok(Order::CancelAll),
        "elements of a later protocol"
    );
}

#[test]
fn a_variant_with_a_value_needs_it() {
    assert_eq!(complaint::<Plain, Order>(b"\x91\x02"), "variant `Market` comes without its value");
    assert_eq!(complaint::<Plain, Order>(b"\x91\x01"), "field `symbol` is missing");
    assert_eq!(complaint::<Plain, Order>(b"\x92\x01\xc0"), "field `symbol` is missing");
    assert_eq!(
        complaint::<Plain, Order>(b"\x90"),
        "invalid length 0, expected an array of a variant's number and its value"
    );
    assert_eq!(
        complaint::<Plain, Order>(b"\x05"),
        "invalid type: integer `5`, expected an array of a variant's number and its value"
    );
    assert!(complaint::<Plain, Order>(b"\x92\xa1x\xc0").starts_with("invalid type: string"));
}

#[test]
fn own_fields_may_come_by_name() {
    let order = read::<Plain, Order>(b"\x92\x01\x83\xa4side\x01\xa6symbol\xa1A\xa5limit\x92\x05\x02");
    let limit = Amount { units: 5, scale: 2, currency: None };
    assert_eq!(order, Ok(Order::Limit { symbol: "A".to_owned(), side: Side::Buy, limit }));
}

#[test]
fn what_is_unknown_is_kept_to_the_byte() {
    let values = [
        vec![0xc0],
        vec![0xcd, 1, 0],
        b"\x93\x01\xa3abc\xc4\x02\x00\x01".to_vec(),
        b"\x81\xa1k\xcb\x40\x09\x21\xfb\x54\x44\x2d\x18".to_vec(),
        b"\xd6\xff\x00\x00\x00\x05".to_vec(),
        b"\xc7\x03\x07abc".to_vec(),
        vec![0xd1, 0xff, 0],
        vec![0xca, 0, 0, 0, 1],
        written::<Plain, Tree>(&tree()),
    ];
    for value in values {
        for number in [&[9][..], &[0xce, 0x7f, 255, 255, 255]] {
            let bytes = [&[0x92][..], number, &value].concat();
            let order = read::<Plain, Order>(&bytes).expect("an unknown variant is no error");
            assert!(matches!(order, Order::Unknown(_)));
            assert_eq!(written::<Plain, Order>(&order), bytes);
        }
    }
    let alone = Order::Unknown(UnknownVariant { number: 9, value: Value::Nil });
    assert_eq!(read::<Plain, Order>(b"\x91\x09"), Ok(alone));
}

#[test]
fn unknown_variants_are_equal_and_in_order_as_their_bytes_are() {
    use std::collections::{BTreeSet, HashSet};

    let variant = |number: u32, value: f64| UnknownVariant { number, value: rmpv::Value::F64(value) };
    let all = [variant(2, 0.0), variant(1, f64::NAN), variant(1, f64::NAN), variant(1, 1.0)];
    assert_eq!(all[1], all[2], "a NaN is written as the same bytes");
    assert_eq!(HashSet::from(all.clone()).len(), 3);
    let sorted: Vec<u32> = BTreeSet::from(all).iter().map(|variant| variant.number).collect();
    assert_eq!(sorted, [1, 1, 2]);
}

/// The errors of a method, as generated code has them.
#[derive(Debug, PartialEq)]
enum Errors {
    First(Order),
    Second(MarketOrder),
    Unknown(UnknownVariant),
}

impl Encode for Errors {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::First(error) => <Plain as WriteForm<_>>::encode(error, out),
            Self::Second(error) => out.variant::<Plain, _>(0x8000_0002, error),
            Self::Unknown(error) => out.unknown_variant(error),
        }
    }
}

impl Decode for Errors {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match Payload::thrown(reader)? {
            None => <Plain as Form<_>>::decode(reader).map(Self::First),
            Some((0x8000_0002, error)) => error.value::<Plain, _>("MarketOrder").map(Self::Second),
            Some((number, error)) => error.unknown(number).map(Self::Unknown),
        }
    }
}

#[test]
fn the_first_of_several_errors_is_as_it_is_alone() {
    check::<Plain, Errors>(&Errors::First(Order::CancelAll), b"\x92\x03\xc0");
    let unknown = read::<Plain, Errors>(b"\x92\xce\x7f\xff\xff\xff\xc0");
    assert!(matches!(unknown, Ok(Errors::First(Order::Unknown(_)))), "the greatest number of a variant");
    assert_eq!(complaint::<Plain, Errors>(b"\x05"), complaint::<Plain, Order>(b"\x05"));
    assert_eq!(complaint::<Plain, Errors>(b"\x90"), complaint::<Plain, Order>(b"\x90"));
    assert_eq!(complaint::<Plain, Errors>(b""), complaint::<Plain, Order>(b""));
}

#[test]
fn another_of_several_errors_has_a_number_of_its_position() {
    let second = || Errors::Second(MarketOrder { symbol: "A".to_owned(), side: Side::Buy, size: 3 });
    check::<Plain, Errors>(&second(), b"\x92\xce\x80\x00\x00\x02\x93\xa1A\x01\x03");
    for number in [&b"\xcf\0\0\0\0\x80\0\0\x02"[..], b"\xd3\0\0\0\0\x80\0\0\x02"] {
        let bytes = [&[0x92], number, b"\x93\xa1A\x01\x03"].concat();
        assert_eq!(read::<Plain, Errors>(&bytes), Ok(second()), "another form of the number");
    }
    let third = [&b"\x92\xce\x80\x00\x00\x03"[..], b"\x92\x01\xa1x"].concat();
    let unknown = read::<Plain, Errors>(&third).expect("an unknown error is kept");
    assert!(matches!(unknown, Errors::Unknown(UnknownVariant { number: 0x8000_0003, .. })));
    assert_eq!(written::<Plain, Errors>(&unknown), third);
    let without = complaint::<Plain, Errors>(b"\x91\xce\x80\x00\x00\x02");
    assert_eq!(without, "variant `MarketOrder` comes without its value");
    assert!(read::<Plain, Errors>(b"\x92\xcf\x01\0\0\0\0\0\0\0\xc0").is_err(), "past all numbers");
}
