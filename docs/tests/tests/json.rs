//! Holds docs/json.md against generated types: its `json` blocks are what the values below are written as and read from, its
//! `jsonc` blocks are texts with their errors.
//!
//! `is=NAME`: the value NAME is written as this text, and read from it. `reads=NAME`: it is read from this text, too. `writes=NAME`: it
//! is written as this text, and so is what is read from it. `safe=NAME`: as `is`, with safe integers. `errors=TYPE` and `strict=TYPE`: each line is no TYPE, with the error of the comment below it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use zsvc::{Bytes, Timestamp, UnknownVariant, Uuid, Value, json};
use zsvc_docs::blocks::{Part, parts};
use zsvc_docs::json::v1::{Access, Any, Order, Rights, Side, Trade, Types};

const ID: Uuid = Uuid::from_u128(0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8);

fn trade() -> Trade {
    let order = Order::Limit { size: 100, side: Side::Buy, note: None };
    let at = "2026-03-01T12:00:00Z".parse().expect("a time");
    Trade { symbol: "ACME".to_owned(), price: 12.5, at, venue: None, order: Some(order), lot: 1 }
}

fn types() -> Types {
    Types {
        flag: true,
        small: -300,
        large: u64::MAX,
        short: 0.1,
        long: f64::INFINITY,
        text: "naïve".to_owned(),
        data: Bytes::from_static(&[0, 255]),
        at: Timestamp::new(-1, 250_000_000).expect("a time"),
        wait: Duration::from_millis(1500),
        id: ID,
        any: Value::Map(vec![("deep".into(), Value::Array(vec![Value::Nil, 1.5.into()]))]),
        side: Side::Sell,
        sides: vec![Side::Buy, Side::Unknown(7)],
        holes: vec![Some(1), None],
        names: BTreeMap::from([("a".to_owned(), 1)]),
        numbers: BTreeMap::from([(-5, "minus five".to_owned())]),
        flags: BTreeMap::from([(true, "yes".to_owned())]),
        ids: BTreeMap::from([(ID, "one".to_owned())]),
        by_side: BTreeMap::from([(Side::Buy, "bought".to_owned()), (Side::Unknown(7), "newer".to_owned())]),
    }
}

fn any() -> Any {
    let noon = Value::Ext(-1, 1_772_366_400_u32.to_be_bytes().to_vec());
    let escapes = vec![
        Value::Binary(vec![0, 255]),
        noon,
        Value::Ext(5, vec![0, 255]),
        f64::NEG_INFINITY.into(),
        Value::Map(vec![(1.into(), "one".into())]),
        Value::Map(vec![("$bytes".into(), "not base64".into())]),
        Value::Map(vec![("$ref".into(), "a name of its own".into())]),
    ];
    Any { any: Value::Array(escapes) }
}

fn rights() -> Rights {
    Rights { access: Access::READ | Access::SHARE | Access::from_bits(1 << 40) }
}

fn short_float() -> Any {
    Any { any: Value::F32(0.1) }
}

fn large() -> Any {
    let limit = 1_u64 << 53;
    let numbers: [Value; 3] = [(limit - 1).into(), limit.into(), (-(1_i64 << 53)).into()];
    Any { any: Value::Array(numbers.to_vec()) }
}

fn unknown_variant() -> Order {
    let value = Value::Array(vec![1.into(), Value::Binary(vec![0, 255])]);
    Order::Unknown(UnknownVariant { number: 9, value })
}

/// Checks a block of a value that is known by its name.
fn check_value(kind: &str, name: &str, text: &str) {
    match name {
        "trade" => check(kind, &trade(), text),
        "types" => check(kind, &types(), text),
        "any" => check(kind, &any(), text),
        "rights" => check(kind, &rights(), text),
        "large" => check(kind, &large(), text),
        "short_float" => check(kind, &short_float(), text),
        "market" => check(kind, &Order::Market(5), text),
        "cancel_all" => check(kind, &Order::CancelAll, text),
        "unknown_variant" => check(kind, &unknown_variant(), text),
        _ => panic!("no value is called `{name}`"),
    }
}

fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(kind: &str, value: &T, text: &str) {
    let write = || serde_json::to_string_pretty(value).expect("a value that can be written") + "\n";
    match kind {
        "is" | "writes" => assert_eq!(write(), text),
        "safe" => assert_eq!(json::safe_integers(write), text),
        _ => {}
    }
    let read: T = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    if kind == "writes" {
        return assert_eq!(serde_json::to_string_pretty(&read).expect("a value read") + "\n", text);
    }
    assert_eq!(&read, value, "{text}");
    // A tree of values is the same as a text.
    let tree = serde_json::to_value(value).expect("a value that can be written");
    assert_eq!(&serde_json::from_value::<T>(tree).expect("a value that was written"), value, "{text}");
}

/// Returns the error of a text that is no value of a type.
fn error(name: &str, text: &str) -> String {
    let error = match name {
        "Trade" => serde_json::from_str::<Trade>(text).expect_err(text),
        "Rights" => serde_json::from_str::<Rights>(text).expect_err(text),
        "Types" => serde_json::from_str::<Types>(text).expect_err(text),
        _ => panic!("no type is called `{name}`"),
    };
    let error = error.to_string();
    // Where the text ends is serde_json's to tell.
    error.split(" at line ").next().unwrap_or_default().to_owned()
}

fn check_errors(kind: &str, name: &str, text: &str) {
    let lines: Vec<&str> = text.lines().collect();
    for pair in lines.chunks(2) {
        let [value, comment] = pair else { panic!("a line without an error: {pair:?}") };
        let expected = comment.strip_prefix("// ").expect("an error below each text");
        let found = if kind == "strict" { json::strict(|| error(name, value)) } else { error(name, value) };
        assert_eq!(found, expected, "{value}");
    }
}

#[test]
fn the_page_is_what_types_do() {
    let page = include_str!("../../json.md");
    let mut checked = 0;
    for part in parts(page) {
        let Part::Block(block) = part else { continue };
        let Some((language, rule)) = block.info.split_once(',') else { continue };
        let (kind, name) = rule.split_once('=').expect("KIND=NAME");
        match language {
            "json" => check_value(kind, name, &block.text),
            "jsonc" => check_errors(kind, name, &block.text),
            _ => continue,
        }
        checked += 1;
    }
    assert_eq!(checked, 16, "blocks of the page");
}

#[test]
fn what_strict_reading_refuses_is_read_otherwise() {
    let text = r#"{"symbol": "A", "price": 1, "at": "0", "venu": 1, "order": {"CancelAll": 5}}"#;
    let read: Trade = serde_json::from_str(text).expect("a trade");
    assert_eq!(read.order, Some(Order::CancelAll));
    let text = r#"{"Limit": {"size": 0, "side": 1}}"#;
    let read: Order = serde_json::from_str(text).expect("an order out of its bounds");
    assert_eq!(read, Order::Limit { size: 0, side: Side::Buy, note: None });
}

#[test]
fn options_end_with_their_closure() {
    let value = Any { any: u64::MAX.into() };
    let write = || serde_json::to_string(&value).expect("a value");
    let plain = write();
    assert_eq!(json::strict(|| json::safe_integers(write)), r#"{"any":{"$int":"18446744073709551615"}}"#);
    assert_eq!(write(), plain);
    let panicked = std::panic::catch_unwind(|| json::safe_integers(|| panic!("on purpose")));
    assert!(panicked.is_err());
    assert_eq!(write(), plain);
}

#[test]
fn integers_of_64_bits_are_strings_on_request_and_others_are_not() {
    let value = Types { small: i16::MAX, ..types() };
    let text = json::safe_integers(|| serde_json::to_string(&value).expect("a value"));
    assert!(text.contains(r#""small":32767,"large":"18446744073709551615""#), "{text}");
    assert_eq!(serde_json::from_str::<Types>(&text).expect("types"), value);
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels| {
        let lists = (1..levels).fold(Value::Nil, |value, _| Value::Array(vec![value]));
        serde_json::to_string(&Any { any: lists })
    };
    let read = |text: String| serde_json::from_str::<Any>(&text).map_err(|error| error.to_string());
    let written = nested(127).expect("what serde_json reads");
    assert!(read(written).is_ok());
    let written = nested(128).expect("what other formats may read");
    let error = read(written).expect_err("more than serde_json reads");
    assert!(error.contains("recursion limit exceeded"), "{error}");
    let error = nested(129).expect_err("too deep").to_string();
    assert!(error.contains("nested too deep to be written"), "{error}");
}
