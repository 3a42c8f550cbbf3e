//! Tests structs whose numbers are far apart: maps from numbers, which are read in every form.

mod common;

use common::{check, decode, encode, read, shown};
use rmpv::Value;
use zsvc::generated::Validate;
use zsvc_codegen_compiled::hazards::numbers::{Either, Failure, Far, Less, OnlyOptional, Quarter};

fn far() -> Far {
    let inner = Far { first: 2, lot: 7, name: None, any: Value::Nil, next: None, last: Vec::new() };
    let (name, any, next) = (Some("a".to_owned()), Value::from(true), Some(Box::new(inner.clone())));
    Far { first: 1, lot: 8, name, any, next, last: vec![inner] }
}

fn map(entries: &[(Value, Value)]) -> Value {
    Value::Map(entries.to_vec())
}

#[test]
fn numbers_that_are_far_apart_make_a_map() {
    let inner = "{1: 2, 128: 7, 40000: nil, 65535: []}";
    check(&far(), &format!(r#"{{1: 1, 128: 8, 300: "a", 40000: true, 50000: {inner}, 65535: [{inner}]}}"#));
    check(&Quarter { first: 1, last: Some(2) }, "[1, nil, nil, nil, nil, nil, nil, 2]");
    check(&Quarter { first: 1, last: None }, "[1]");
    check(&Less { first: 1, last: Some(2) }, "{1: 1, 9: 2}");
    check(&Less { first: 1, last: None }, "{1: 1}");
    check(&OnlyOptional { far: None }, "{}");
    check(&OnlyOptional { far: Some(5) }, "{256: 5}");
    check(&Either::Near { a: 1 }, "[1, [1]]");
    check(&Either::Wide { a: 1, b: None, c: -2 }, "[2, {1: 1, 2000: -2}]");
    check(&Either::Wide { a: 1, b: Some("b".to_owned()), c: 3 }, r#"[2, {1: 1, 1000: "b", 2000: 3}]"#);
    check(&Either::Nothing { far: None }, "[3, {}]");
    let missing = Failure::Missing { name: "a".to_owned(), limit: 9 };
    check(&missing, r#"[1, {5: "a", 500: 9}]"#);
    assert_eq!(missing.to_string(), "no a within 9");
}

#[test]
fn every_form_is_read_for_every_struct() {
    for value in [
        map(&[(1.into(), 5.into()), (8.into(), 6.into()), (70_000.into(), "newer".into())]),
        map(&[("last".into(), 6.into()), ("first".into(), 5.into())]),
        Value::Array([5, 0, 0, 0, 0, 0, 0, 6].map(Value::from).to_vec()),
    ] {
        assert_eq!(read::<Quarter>(&value), Ok(Quarter { first: 5, last: Some(6) }), "{value}");
    }
    for value in [
        map(&[(1.into(), 5.into()), (2.into(), "newer".into()), (9.into(), 6.into())]),
        map(&[("last".into(), 6.into()), ("first".into(), 5.into())]),
        Value::Array([5, 0, 0, 0, 0, 0, 0, 0, 6].map(Value::from).to_vec()),
    ] {
        assert_eq!(read::<Less>(&value), Ok(Less { first: 5, last: Some(6) }), "{value}");
    }
    let absent = Value::Array(vec![3.into(), Value::Nil]);
    assert_eq!(read::<Either>(&absent), Ok(Either::Nothing { far: None }));
    let short = Value::Array(vec![3.into(), Value::Array(Vec::new())]);
    assert_eq!(read::<Either>(&short), Ok(Either::Nothing { far: None }));
}

#[test]
fn what_is_no_struct_is_told() {
    let told = |value: &Value| read::<Less>(value).expect_err("no struct");
    let twice = map(&[(1.into(), 5.into()), (1.into(), 6.into())]);
    assert_eq!(told(&twice), "field number 1 comes after 1: numbers ascend, and start at 1");
    let back = map(&[(9.into(), 5.into()), (1.into(), 6.into())]);
    assert_eq!(told(&back), "field `first` is missing");
    let later = map(&[(1.into(), 5.into()), (9.into(), 6.into()), (3.into(), 6.into())]);
    assert_eq!(told(&later), "field number 3 comes after 9: numbers ascend, and start at 1");
    let zero = map(&[(0.into(), 5.into())]);
    assert_eq!(told(&zero), "field number 0 comes after 0: numbers ascend, and start at 1");
    assert_eq!(told(&map(&[])), "field `first` is missing");
    let mixed = map(&[(1.into(), 5.into()), ("last".into(), 6.into())]);
    assert!(told(&mixed).contains("expected the number of a field"), "{}", told(&mixed));
    let wrong = map(&[(1.into(), 5.into()), (9.into(), "six".into())]);
    assert!(told(&wrong).starts_with("last: invalid type"), "{}", told(&wrong));
    let cut = &encode(&far())[..20];
    assert!(decode::<Far>(cut).is_err());
}

#[test]
fn bounds_and_json_go_by_the_fields() {
    let mut long = far();
    long.last = vec![far(), far(), far(), far()];
    assert!(long.validate().is_err() && far().validate().is_ok());
    assert!(Either::Wide { a: 1, b: None, c: 10 }.validate().is_err());
    let json = serde_json::to_string(&Less { first: 1, last: Some(2) }).expect("every value has JSON");
    assert_eq!(json, r#"{"first":1,"last":2}"#);
    assert_eq!(
        serde_json::from_str::<Less>(&json).expect("what was written"),
        Less { first: 1, last: Some(2) }
    );
    let json = serde_json::to_string(&far()).expect("every value has JSON");
    assert_eq!(serde_json::from_str::<Far>(&json).expect("what was written"), far());
    assert_eq!(shown(&serde_json::from_str::<Far>(&json).expect("the same")), shown(&far()));
}
