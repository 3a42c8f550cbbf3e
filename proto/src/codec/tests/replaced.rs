//! Types in the place of generated ones: those that are written straight, and those that serde writes.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{check, complaint, failed_write, text};
use crate::codec::replaced::{BySerde as _, Checked as _, Direct as _, Replaced, Shape, Unchecked as _};
use crate::codec::{
    Decode, DecodeError, Encode, Form, Plain, Reader, Validate, Violation, WriteForm, Writer, check_len,
    check_range, declared,
};

/// Declares a form as generated code does.
macro_rules! form {
    ($form:ident, $type:ty, $shape:ident) => {
        enum $form {}

        impl WriteForm<$type> for $form {
            fn encode(value: &$type, out: &mut Writer) {
                (&Replaced::<$type>::NEW).write(value, out, Shape::$shape);
            }
        }

        impl Form<$type> for $form {
            fn decode(reader: &mut Reader<'_>) -> Result<$type, DecodeError> {
                (&Replaced::<$type>::NEW).read(reader, Shape::$shape)
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

form!(GeneratedForm, Generated, Integer);
form!(TextForm, IpAddr, Text);
form!(NameForm, Box<str>, Text);
form!(MoneyForm, Money, Fields);
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
