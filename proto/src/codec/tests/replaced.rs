//! Types in the place of generated ones: those that are written straight, and those that serde writes.

use std::collections::BTreeMap;
use std::net::IpAddr;

use rmpv::Value;
use serde::ser::SerializeStruct as _;
use serde::{Deserialize, Serialize};

use super::{check, complaint, failed_write, read, text, written};
use crate::codec::replaced::{BySerde as _, Checked as _, Direct as _, Replaced, Shape, Unchecked as _};
use crate::codec::{
    Decode, DecodeError, Encode, Form, Plain, Reader, Validate, Violation, WriteForm, Writer, check_len,
    check_range, declared,
};

/// Declares a form as generated code does.
macro_rules! form {
    ($form:ident, $type:ty, $shape:ident $(($names:expr))?) => {
        enum $form {}

        impl WriteForm<$type> for $form {
            fn encode(value: &$type, out: &mut Writer) {
                (&Replaced::<$type>::NEW).write(value, out, Shape::$shape $(($names))?);
            }
        }

        impl Form<$type> for $form {
            fn decode(reader: &mut Reader<'_>) -> Result<$type, DecodeError> {
                (&Replaced::<$type>::NEW).read(reader, Shape::$shape $(($names))?)
            }

            fn validate(value: &$type) -> Result<(), Violation> {
                (&Replaced::<$type>::NEW).check(value)
            }
        }
    };
}

/// A type that can be written in both ways, as a generated one.
#[derive(Debug, PartialEq)]
struct Generated(u8);

impl Encode for Generated {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }
}

impl Decode for Generated {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        u8::decode(reader).map(Self)
    }
}

impl Validate for Generated {
    fn validate(&self) -> Result<(), Violation> {
        check_range("inner", &self.0, 0..=9)
    }
}

impl Serialize for Generated {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("serde has no part in this")
    }
}

impl<'de> Deserialize<'de> for Generated {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("serde has no part in this")
    }
}

/// Written by serde as an array of two.
type Money = (i64, u8);

/// As [`Money`], with fields that may be absent.
type Price = (Option<i64>, Option<i64>);

/// Read by name, and by serde alone.
#[derive(Debug, PartialEq)]
struct Far(BTreeMap<String, Value>);

impl Serialize for Far {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Far {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self)
    }
}

/// Written as a derived implementation does.
#[derive(Debug)]
struct Derived;

impl Serialize for Derived {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Derived", 2)?;
        fields.serialize_field("units", &5)?;
        fields.serialize_field("far", &7)?;
        fields.end()
    }
}

impl<'de> Deserialize<'de> for Derived {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Far::deserialize(deserializer).map(|_| Self)
    }
}

form!(GeneratedForm, Generated, Integer);
form!(TextForm, IpAddr, Text);
form!(NameForm, Box<str>, Text);
form!(MoneyForm, Money, Fields(&[(1, "units"), (2, "scale")]));
form!(PriceForm, Price, Fields(&[(1, "units"), (2, "scale")]));
form!(FarForm, Far, Numbered(&[(1, "units"), (3, "scale"), (300, "far")]));
form!(DerivedForm, Derived, Numbered(&[(1, "units"), (300, "far")]));
form!(DenseForm, Derived, Fields(&[(1, "units"), (2, "far")]));
form!(FarMoneyForm, Money, Numbered(&[(1, "units"), (300, "scale")]));
form!(WrongForm, Money, Text);
form!(NilForm, Option<char>, Text);
form!(BytesForm, Vec<u8>, Bytes);

#[test]
fn a_type_that_is_written_straight_does_without_serde() {
    check::<GeneratedForm, _>(&Generated(5), &[5]);
    assert_eq!(GeneratedForm::validate(&Generated(9)), Ok(()));
    let broken = GeneratedForm::validate(&Generated(10)).expect_err("a bound inside is broken");
    assert_eq!(broken.to_string(), "inner: 10 is not in 0..=9");
}

#[test]
fn serde_writes_text_where_the_schema_has_a_string() {
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    check::<TextForm, _>(&address, &text("192.0.2.1"));
    check::<NameForm, _>(&Box::from("ann"), &text("ann"));
    check::<MoneyForm, _>(&(5, 2), &[0x92, 5, 2]);
    assert!(complaint::<TextForm, IpAddr>(&[0x92, 1, 2]).contains("expected a string"));
    assert!(complaint::<TextForm, IpAddr>(&text("nowhere")).contains("invalid IP address"));
    assert_eq!(MoneyForm::validate(&(5, 2)), Ok(()));
}

/// A peer whose schema has one more field, at a number far away, sends a map from numbers.
#[test]
fn a_struct_as_a_map_from_numbers_is_read_by_number() {
    let price = |units, scale| (units, scale);
    check::<PriceForm, Price>(&price(Some(5), None), &[0x92, 5, 0xc0]);
    for (bytes, expected) in [
        (&[0x80][..], price(None, None)),
        (&[0x81, 1, 5], price(Some(5), None)),
        (&[0x81, 2, 5], price(None, Some(5))),
        (&[0x82, 1, 0xc0, 2, 5], price(None, Some(5))),
        (&[0x83, 1, 5, 2, 6, 0xcd, 1, 44, 7], price(Some(5), Some(6))),
        (&[0x81, 0xcd, 1, 44, 7], price(None, None)),
    ] {
        assert_eq!(read::<PriceForm, Price>(bytes), Ok(expected), "{bytes:x?}");
    }
    assert!(complaint::<PriceForm, Price>(&[0x81, 1, 0xc3]).contains("boolean"));
    assert!(complaint::<PriceForm, Price>(&[0x82, 2, 5, 1, 5]).contains("ascend"));
}

#[test]
fn a_struct_with_numbers_far_apart_is_written_and_read_by_name() {
    let by_name = [&[0x82][..], &text("units"), &[5], &text("far"), &[7]].concat();
    assert_eq!(written::<DerivedForm, _>(&Derived), by_name);
    assert_eq!(written::<DenseForm, _>(&Derived), [0x92, 5, 7]);
    for (bytes, expected) in [
        (&[0x80][..], &[][..]),
        (&[0x81, 1, 5], &[("units", 5)]),
        (&[0x82, 1, 5, 0xcd, 1, 44, 7], &[("units", 5), ("far", 7)]),
        (&[0x84, 1, 5, 2, 6, 3, 9, 4, 0x90], &[("units", 5), ("scale", 9)]),
        // By a peer whose schema does not have the last yet.
        (&[0x93, 5, 0xc0, 9], &[("units", 5), ("scale", 9)]),
        (&[0x91, 0xc0], &[]),
    ] {
        let expected = expected.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        assert_eq!(read::<FarForm, Far>(bytes), Ok(Far(expected.collect())), "{bytes:x?}");
    }
    assert_eq!(read::<FarForm, Far>(&by_name).map(|far| far.0.len()), Ok(2));
    let error = failed_write::<FarMoneyForm, _>(&(5, 2)).to_string();
    assert!(error.contains("write a map from the names of its fields"), "{error}");
}

#[test]
fn what_has_another_shape_than_the_schema_says_is_not_sent() {
    let error = failed_write::<WrongForm, _>(&(5, 2)).to_string();
    assert!(
        error.contains("(i64, u8)` is written as an array, and the schema has a string in its place"),
        "{error}"
    );
    let error = failed_write::<NilForm, _>(&None).to_string();
    assert!(error.contains("is written as nil, and the schema has a string in its place"), "{error}");
    let error = failed_write::<BytesForm, _>(&vec![1, 2]).to_string();
    assert!(error.contains("is written as an array, and the schema has bytes in its place"), "{error}");
}

#[test]
fn bounds_are_checked_on_what_is_written() {
    let address: IpAddr = "192.0.2.1".parse().expect("an address");
    let length = |range: std::ops::RangeInclusive<usize>| {
        check_len("ip", &declared::<TextForm, _, Plain, String>("ip", &address)?, range)
    };
    assert_eq!(length(1..=9), Ok(()));
    assert_eq!(length(1..=4).expect_err("too long").to_string(), "ip: length 9 is not in 1..=4");
    let other = declared::<MoneyForm, _, Plain, String>("ip", &(5, 2));
    assert!(other.expect_err("no string").to_string().starts_with("ip: "));
}
