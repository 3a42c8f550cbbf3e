//! Tests `@len` and `@range`: which values violate them, and the errors.

use std::collections::BTreeMap;

use zsvc::Bytes;
use zsvc::generated::Validate;
use zsvc_codegen_compiled::hazards::bounds::{Choice, Inside, Lengths, Numbers};

fn numbers() -> Numbers {
    Numbers {
        u8: 1,
        u16: 999,
        u32: 5,
        u64: u64::MAX,
        i8: -5,
        i16: 0,
        i32: -1,
        i64: i64::MIN,
        f32: 0.0,
        f64: 1e10,
        level: 9,
        maybe: None,
    }
}

fn lengths() -> Lengths {
    Lengths {
        text: "äöüß€".to_owned(),
        blob: Bytes::from_static(b"abc"),
        list: vec![1],
        map: BTreeMap::new(),
        maybe: Some("abc".to_owned()),
    }
}

fn inside() -> Inside {
    Inside {
        one: lengths(),
        maybe: None,
        many: vec![],
        named: BTreeMap::new(),
        deep: vec![],
        bounded: vec![lengths()],
        choice: Choice::None,
        next: None,
    }
}

fn too_long() -> Lengths {
    Lengths { text: "abcdef".to_owned(), ..lengths() }
}

/// Checks the error of a value.
fn check(value: &impl Validate, expected: &str) {
    let said = value.validate().expect_err("a broken bound").to_string();
    assert_eq!(said, expected);
}

#[test]
fn what_is_within_bounds_passes() {
    assert!(numbers().validate().is_ok());
    assert!(lengths().validate().is_ok());
    assert!(inside().validate().is_ok());
}

#[test]
fn numbers_are_bounded() {
    check(&Numbers { u8: 0, ..numbers() }, "u8: 0 is not in 1..=100");
    check(&Numbers { u16: 1000, ..numbers() }, "u16: 1000 is not in ..=999");
    check(&Numbers { u32: 4, ..numbers() }, "u32: 4 is not in 5..");
    check(&Numbers { i8: 5, ..numbers() }, "i8: 5 is not in -5..=4");
    check(&Numbers { f32: 1.0, ..numbers() }, "f32: 1 is not in 0..1");
    check(&Numbers { f64: f64::NAN, ..numbers() }, "f64: NaN is not in -10000000000..=10000000000");
    check(&Numbers { maybe: Some(0), ..numbers() }, "maybe: 0 is not in 1..");
}

#[test]
fn lengths_are_bounded() {
    check(&too_long(), "text: length 6 is not in 1..=5");
    check(&Lengths { blob: Bytes::from_static(b"abcd"), ..lengths() }, "blob: length 4 is not in ..=3");
    check(&Lengths { list: vec![], ..lengths() }, "list: length 0 is not in 1..");
    check(&Lengths { maybe: Some(String::new()), ..lengths() }, "maybe: length 0 is not in 3..=3");
}

#[test]
fn bounds_inside_are_found_and_their_place_is_told() {
    check(&Inside { maybe: Some(too_long()), ..inside() }, "maybe.text: length 6 is not in 1..=5");
    check(
        &Inside { many: vec![lengths(), too_long()], ..inside() },
        "many[1].text: length 6 is not in 1..=5",
    );
    let deep = vec![BTreeMap::from([("k".to_owned(), vec![too_long()])])];
    check(&Inside { deep, ..inside() }, "deep[0][\"k\"][0].text: length 6 is not in 1..=5");
    check(&Inside { bounded: vec![], ..inside() }, "bounded: length 0 is not in 1..");
    let next = Some(Box::new(Inside { one: too_long(), ..inside() }));
    check(&Inside { next, ..inside() }, "next.one.text: length 6 is not in 1..=5");
}

#[test]
fn bounds_inside_unions_are_found() {
    check(&Choice::Type(too_long()), "text: length 6 is not in 1..=5");
    check(&Choice::Types(vec![too_long()]), "[0].text: length 6 is not in 1..=5");
    check(&Choice::Maybe(Some(too_long())), "text: length 6 is not in 1..=5");
    check(&Choice::Fields { number: 10, free: 99, inside: None }, "number: 10 is not in ..=9");
    assert!(Choice::Maybe(None).validate().is_ok());
    assert!(Choice::Free { number: 99 }.validate().is_ok());
    let again = Choice::Again(Box::new(Choice::Fields { number: 1, free: 1, inside: Some(too_long()) }));
    check(&again, "inside.text: length 6 is not in 1..=5");
}
