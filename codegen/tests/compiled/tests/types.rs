//! Tests structs, enums, unions and errors: bytes, defaults and texts.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{check, decode, encode, read, shown};
use rmpv::Value;
use zsvc::{Bytes, Channel, Status, Timestamp, UnaryCall, UnknownVariant, Uuid};
use zsvc_codegen_compiled::hazards::hazard::{keywords, ours};
use zsvc_codegen_compiled::hazards::shapes::{self, Aliases, Chain, Defaults, Json, Sparse, Tree, Weekday};
use zsvc_codegen_compiled::hazards::{builtins, clippy, large, rustfmt_, tree, twin};
use zsvc_codegen_compiled::market::v1::{Flag, Order, Side, TapeError, Trade};
use zsvc_codegen_compiled::money::v1::Amount;

fn amount(units: i64) -> Amount {
    Amount { units, scale: 2, currency: None }
}

fn trade() -> Trade {
    Trade {
        symbol: "ACME".to_owned(),
        price: amount(1250),
        size: 100,
        at: Timestamp::from_seconds(1),
        venue: None,
        flags: vec![Flag::Odd, Flag::Unknown(9)],
        attributes: BTreeMap::from([("desk".to_owned(), "7".to_owned())]),
        lot: 1,
    }
}

#[test]
fn a_nested_type_has_the_names_around_it_before_its_own() {
    use zsvc_codegen_compiled::hazards::nested as n;
    let line = n::OrderLine { side: n::OrderSide__::Sell, part: None };
    assert_eq!(decode::<n::OrderLine>(&[0x90]), Ok(line.clone()), "the default is of a nested enum");
    let kind = n::OrderKind::Market {
        side: n::OrderSide__::Buy,
        again: Box::new(n::OrderKind::Limit(n::OrderKindLimit { limit: 7 })),
    };
    let order = n::Order { kind: Some(kind), lines: vec![line], side: n::OrderSide__::Sell };
    assert_eq!(decode::<n::Order>(&encode(&order)), Ok(order));
    // What is declared beside others keeps its name, and of two that are made the same the later gets another.
    let declared = n::OrderSide { side: n::OrderSide__::Buy, under: n::OrderSide_ { text: "x".to_owned() } };
    assert_eq!(decode::<n::OrderSide>(&encode(&declared)), Ok(declared));
    assert_eq!(encode(&n::ABC { a: 1 }), encode(&n::ABC_ { b: 1 }));
    let _: n::TapeClient = n::Tape { client: n::TapeClient {} }.client;
    let _: n::Tape_Client;
    assert_eq!(encode(&n::usizestr {}), [0x90]);
}

#[test]
fn nested_types_can_be_replaced() {
    use zsvc_codegen_compiled::direct::nested as direct;
    use zsvc_codegen_compiled::hazards::nested as n;
    let kind = direct::OrderKind::Limit(n::OrderKindLimit { limit: 7 });
    assert_eq!(decode::<direct::OrderKind>(&encode(&kind)), Ok(kind));
    assert!(direct::ABC { a: 1 } < direct::ABC { a: 2 });
}

#[test]
fn a_struct_is_an_array_with_nil_for_holes() {
    let bytes = encode(&trade());
    assert_eq!(bytes[0], 0x9a, "ten fields");
    assert_eq!(bytes[bytes.len() - 3..], [0xc0, 0xc0, 1], "8 and 9 are holes");
    assert_eq!(decode::<Trade>(&bytes), Ok(trade()));
}

#[test]
fn optional_fields_at_the_end_are_left_off() {
    check(&amount(-5), "[-5, 2]");
    check(&Amount { currency: Some("EUR".to_owned()), ..amount(5) }, "[5, 2, \"EUR\"]");
    // Few of its numbers are in use: it is a map from them.
    check(&Sparse { late: None, later: "x".to_owned(), last: None }, "{7: \"x\"}");
    let last = Sparse { late: Some(1), later: "x".to_owned(), last: Some(2) };
    assert_eq!(decode::<Sparse>(&encode(&last)), Ok(last));
}

#[test]
fn a_struct_without_fields_is_an_empty_array() {
    check(&shapes::Empty {}, "[]");
}

#[test]
fn fields_of_a_newer_schema_are_skipped() {
    let newer = Value::Array(vec![5.into(), 2.into(), Value::Nil, "new".into(), Value::Array(vec![])]);
    assert_eq!(read::<Amount>(&newer), Ok(amount(5)));
}

#[test]
fn a_map_from_names_is_a_struct_too() {
    let named = Value::Map(vec![
        ("scale".into(), 2.into()),
        ("units".into(), 5.into()),
        ("more".into(), true.into()),
    ]);
    assert_eq!(read::<Amount>(&named), Ok(amount(5)));
    let reserved = Value::Map(vec![("self".into(), "a".into()), ("type".into(), "b".into())]);
    let absent: keywords::Absent = read(&reserved).expect("names as in the schema");
    assert_eq!((absent.self___.as_deref(), absent.r#type.as_deref()), (Some("a"), Some("b")));
}

#[test]
fn a_missing_field_is_named() {
    let error = read::<Amount>(&Value::Array(vec![5.into()])).expect_err("no scale");
    assert!(error.contains("field `scale` is missing"), "{error}");
}

#[test]
fn a_default_is_what_an_empty_struct_reads_as() {
    assert_eq!(read::<Defaults>(&Value::Array(vec![])), Ok(Defaults::default()));
    let defaults = Defaults::default();
    assert_eq!((defaults.i64, defaults.u64), (i64::MIN, u64::MAX));
    assert_eq!(defaults.string, "tab\t \"quoted\" {braces} \\ é");
    assert_eq!((defaults.duration, defaults.day), (Duration::from_millis(1500), Weekday::Sunday));
    assert_eq!(decode::<Defaults>(&encode(&defaults)), Ok(defaults));
}

#[test]
fn constants_have_their_values() {
    assert_eq!((shapes::SMALL, shapes::LARGE), (-128, u64::MAX));
    assert_eq!((shapes::TEXT, shapes::ALIAS), ("tab\t {} \"", "alias"));
    assert_eq!(shapes::WAIT, Duration::from_secs(90));
    assert_eq!((ours::SELF, ours::SYMBOL_, ours::SYMBOL), (8, 4, 5), "upper case, and each its own");
}

#[test]
fn an_enum_is_its_number_and_keeps_those_it_does_not_know() {
    check(&Side::Sell, "2");
    check(&Side::Unknown(7), "7");
    check(&Weekday::Far, "2147483647");
    assert_eq!(
        (Side::Sell.to_string(), Side::Unknown(7).to_string()),
        ("Sell".to_owned(), "unknown value 7".to_owned())
    );
    assert_eq!(Side::from_number(Side::Buy.number()), Side::Buy);
}

#[test]
fn the_generators_names_give_way_to_the_schemas() {
    use ours::Number;
    check(&Number::Unknown, "0");
    check(&Number::Unknown__(99), "99");
    assert_eq!(Number::from_number_(2), Number::number);
    assert_eq!(Number::Self_.number_(), 4);
    assert_eq!(ours::Numbers::default(), ours::Numbers { first: Number::Self_, second: Number::Unknown });
    let prelude = ours::Union::Prelude { None: 1, Some: "s".to_owned(), Ok: None, Err: Some(2) };
    check(&prelude, "[9, [1, \"s\", nil, 2]]");
    let hidden = ours::Union::Hidden { HiddenReader: 1, HiddenFields: 2, LimitReader: Some(3) };
    check(&hidden, "[10, [1, 2, 3]]");
    check(&ours::TapeServer::TapeServer(ours::TapeClient { name: "x".to_owned() }), "[1, [\"x\"]]");
}

#[test]
fn clients_are_made_in_the_same_manner_whatever_their_methods_are_called() {
    use ours::TapeClient_ as Client;
    let _: fn(Channel) -> Client = Client::new;
    let _: fn(&Client) -> &Channel = Client::channel;
    let _: fn(&Client) -> UnaryCall<ours::TapeClient, Status> = Client::new_;
}

#[test]
fn a_union_is_a_number_and_a_value() {
    check(&Order::CancelAll, "[3, nil]");
    check(
        &Order::Limit { symbol: "A".to_owned(), side: Side::Buy, limit: amount(1) },
        "[1, [\"A\", 1, [1, 2]]]",
    );
    let unknown =
        Order::Unknown(UnknownVariant { number: 9, value: Value::Array(vec!["new".into(), 1.5.into()]) });
    check(&unknown, "[9, [\"new\", 1.5]]");
}

#[test]
fn types_hold_themselves_in_every_way() {
    let chain = |value, next| Chain { value, next };
    check(&chain(1, Some(Box::new(chain(2, None)))), "[1, [2]]");
    check(&shapes::List { children: vec![shapes::List { children: vec![] }] }, "[[[[]]]]");
    let leaf = || Box::new(Tree::Leaf(1));
    let node = Tree::Node { left: leaf(), right: Box::new(Tree::Wrapped(leaf())), name: None };
    check(&node, "[2, [[1, 1], [3, [1, 1]]]]");
    check(&Tree::Maybe(None), "[5, nil]");
    check(&Tree::Maybe(Some(leaf())), "[5, [1, 1]]");
    let json =
        Json::Object(BTreeMap::from([("a".to_owned(), Json::Array(vec![Json::Null, Json::Number(0.5)]))]));
    check(&json, "[5, {\"a\": [4, [[1, nil], [2, 0.5]]]}]");
}

#[test]
fn aliases_are_what_they_stand_for() {
    let value = Aliases {
        name: "a".to_owned(),
        names: vec!["b".to_owned()],
        maybe: None,
        index: BTreeMap::new(),
        link: Some(Chain { value: 1, next: None }),
    };
    check(&value, "[\"a\", [\"b\"], nil, {}, [1]]");
}

#[test]
fn builtins_have_their_forms() {
    let once = builtins::Once {
        bytes_: Bytes::from_static(&[1, 255]),
        duration_: Duration::new(1, 5),
        uuid_: Uuid::from_u128(7),
        value_: Value::Map(vec![(Value::Nil, 1.into())]),
        ..read::<builtins::Once>(&zero()).expect("a value of each type")
    };
    let bytes = encode(&once);
    assert!(bytes.windows(4).any(|window| window == [0xc4, 2, 1, 255]), "bytes are bin: {bytes:x?}");
    assert!(
        bytes.windows(5).any(|window| window == [0xce, 0x3b, 0x9a, 0xca, 0x05]),
        "nanoseconds: {bytes:x?}"
    );
    assert!(bytes.windows(2).any(|window| window == [0xc4, 16]), "a uuid is 16 bytes: {bytes:x?}");
    assert_eq!(decode::<builtins::Once>(&bytes), Ok(once));
}

/// Returns a zero of each built-in type, in the order in which the language lists them.
fn zero() -> Value {
    let numbers = std::iter::repeat_n(Value::from(0), 8);
    let floats = [Value::from(0.0), Value::from(0.0)];
    let rest = [
        "".into(),
        Value::Binary(vec![]),
        Value::Ext(-1, vec![0; 4]),
        0.into(),
        Value::Binary(vec![0; 16]),
        Value::Nil,
    ];
    Value::Array([Value::from(false)].into_iter().chain(numbers).chain(floats).chain(rest).collect())
}

#[test]
fn forms_reach_into_lists_maps_and_optionals() {
    let second = Duration::from_secs(1);
    let deep = builtins::Deep {
        bytes_: vec![BTreeMap::from([("a".to_owned(), vec![None, Some(Bytes::from_static(b"b"))])])],
        duration_: Some(BTreeMap::from([(1, vec![second])])),
        once: vec![vec![]],
    };
    let bytes = encode(&deep);
    assert!(bytes.windows(3).any(|window| window == [0xc4, 1, b'b']), "bin inside a list: {bytes:x?}");
    assert!(
        bytes.windows(5).any(|window| window == [0xce, 0x3b, 0x9a, 0xca, 0]),
        "nanoseconds inside a map: {bytes:x?}"
    );
    assert_eq!(decode::<builtins::Deep>(&bytes), Ok(deep));
    let keys: builtins::Keys = read(&Value::Array(vec![Value::Map(vec![]); 13])).expect("empty maps");
    let keys = builtins::Keys {
        bool_: BTreeMap::from([(true, second)]),
        uuid_: BTreeMap::from([(Uuid::from_u128(1), second)]),
        enum_: BTreeMap::from([
            (builtins::Key::Two, Bytes::new()),
            (builtins::Key::Unknown(5), Bytes::new()),
        ]),
        ..keys
    };
    assert_eq!(decode::<builtins::Keys>(&encode(&keys)), Ok(keys));
}

#[test]
fn errors_say_what_happened() {
    assert_eq!(TapeError::UnknownSymbol { symbol: "X".to_owned() }.to_string(), "no such symbol: X");
    assert_eq!(TapeError::Halted.to_string(), "trading is halted");
    let unknown = TapeError::Unknown(UnknownVariant { number: 9, value: Value::Nil });
    assert_eq!(unknown.to_string(), "unknown error 9");
    assert_eq!(ours::Failure::NoMessageAtAll.to_string(), "no message at all");
    assert_eq!(ours::Failure::HTTPError.to_string(), "http error");
    let full = ours::Failure::Unknown {
        formatter: "f".to_owned(),
        Failure: 1,
        variant: Bytes::from_static(b"v"),
        serializer: vec![2],
    };
    assert_eq!(full.to_string(), "f 1 {} b\"v\" \"[2]\" \\ \u{202e}");
    let prelude = ours::Failure::Prelude { None: 1, Some: "s".to_owned(), Ok: 2, Err: "e".to_owned() };
    assert_eq!(prelude.to_string(), "1 s 2 e");
    let keyword = keywords::Errors::r#match { r#match: 3 };
    assert_eq!(keyword.to_string(), "match: 3");
}

#[test]
fn a_thousand_variants_are_told_apart() {
    check(&large::Values::Value1000, "1000");
    check(&large::Variants::Variant999("x".to_owned()), "[999, \"x\"]");
    assert_eq!(shown(&large::Errors::Error500), "[500, nil]");
}

#[test]
fn packages_of_like_names_are_apart() {
    let leaf = tree::leaf_::Leaf { green: true };
    let twin = twin::leaf::Twin { leaf: leaf.clone() };
    check(&tree::Root { leaf, twin, leaves: vec![tree::leaf { number: 1 }] }, "[[true], [[true]], [[1]]]");
    let inside = clippy::rustfmt::rustdoc::Inside { skip: rustfmt_::clippy::rustfmt { skip: 1 } };
    check(&inside, "[[1]]");
}
