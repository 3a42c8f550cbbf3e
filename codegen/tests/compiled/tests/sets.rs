//! Tests sets, and negative values of enums.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{check, read};
use rmpv::Value;
use zsvc::generated::Validate;
use zsvc_codegen_compiled::hazards::sets::{All, Side};

fn all() -> All {
    All {
        names: BTreeSet::from(["b".to_owned(), "a".to_owned()]),
        numbers: BTreeSet::from([5, -300, 70_000]),
        sides: BTreeSet::from([Side::Sell, Side::Buy, Side::Unknown(-7), Side::Lost]),
        ids: vec![None, Some(BTreeSet::new())],
        few: BTreeSet::from([1, 2]),
        addresses: None,
        by_side: BTreeMap::from([(Side::Lost, BTreeSet::from([false, true]))]),
    }
}

fn list(values: &[Value]) -> Value {
    Value::Array(values.to_vec())
}

#[test]
fn a_set_is_a_list_in_order() {
    let text = r#"[["a", "b"], [-300, 5, 70000], [1, -1, -2000000000, -7], [nil, []], [1, 2], nil, {-1: [false, true]}]"#;
    check(&all(), text);
}

#[test]
fn any_order_is_read_and_nothing_twice() {
    let fields = |names: Value, sides: Value| {
        list(&[names, list(&[]), sides, list(&[]), Value::Nil, Value::Nil, Value::Map(Vec::new())])
    };
    let found: All = read(&fields(list(&["b".into(), "a".into()]), list(&[]))).expect("a set in any order");
    assert_eq!(found.names, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    let twice = fields(list(&["b".into(), "a".into(), "b".into()]), list(&[]));
    assert_eq!(read::<All>(&twice), Err("names[2]: this element is in the set already".to_owned()));
    let twice = fields(list(&[]), list(&[(-1).into(), 9.into(), (-1).into()]));
    assert_eq!(read::<All>(&twice), Err("sides[2]: this element is in the set already".to_owned()));
    let wrong = fields(list(&["b".into(), 5.into()]), list(&[]));
    assert!(read::<All>(&wrong).expect_err("no string").starts_with("names[1]: invalid type"));
    assert!(
        read::<All>(&fields("b".into(), list(&[]))).expect_err("no list").contains("a list without repeats")
    );
    let large = fields(list(&[]), list(&[4_000_000_000_u32.into()]));
    assert!(read::<All>(&large).expect_err("no number of a value").starts_with("sides[0]"));
}

#[test]
fn what_would_be_there_twice_is_not_written() {
    let twice = All { sides: BTreeSet::from([Side::Buy, Side::Unknown(1)]), ..all() };
    let error = rmp_serde::to_vec(&twice).expect_err("peers would refuse it").to_string();
    assert!(error.starts_with("[1] in a set or as a key of a map is the number of a known value"), "{error}");
    let key = All { by_side: BTreeMap::from([(Side::Unknown(-1), BTreeSet::new())]), ..all() };
    assert!(rmp_serde::to_vec(&key).is_err());
}

#[test]
fn bounds_and_json_hold_for_sets() {
    assert!(all().validate().is_ok());
    let many = All { few: (1..=4).collect(), ..all() };
    assert!(many.validate().is_err());
    let json = serde_json::to_string(&all()).expect("every value has JSON");
    assert!(
        json.contains(r#""names":["a","b"]"#) && json.contains(r#""sides":["Buy","Lost","Sell",-7]"#),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<All>(&json).expect("what was written"), all());
    let twice = json.replace(r#"["a","b"]"#, r#"["a","a"]"#);
    let told = serde_json::from_str::<All>(&twice).expect_err("twice").to_string();
    assert!(told.starts_with("names[1]: this element is in the set already"), "{told}");
}

#[test]
fn values_have_their_numbers() {
    assert_eq!((Side::Lost.number(), Side::from_number(-2_000_000_000)), (-1, Side::Sell));
    assert_eq!(Side::from_number(i32::MIN), Side::Unknown(i32::MIN));
}
