//! Descriptions that no schema leads to, types of a user's in the place of generated ones, and values that JSON can't say. All
//! else is held by the listings of docs/json.md.

use rmpv::Value;

use super::description::{Definition, Description, Malformed};
use super::members::Members;
use super::{any, found::Levels, read, write};

static SIDE: Description = Description::new("enum Buy = 1; Sell = 2;", &[]);
static TRADE: Description =
    Description::new("struct symbol: string = 1; side: #0 = 3; lot: u32? = 4;", &[|| &SIDE]);
static TREE: Description = Description::new("struct below: list<#0> = 1;", &[|| &TREE]);

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(entries.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
}

#[test]
fn a_text_that_is_no_description_is_an_error() {
    let texts = [
        "",
        "thing",
        "struct a",
        "struct a:",
        "struct a: u8 = 1",
        "struct a: #0 = 1;",
        "struct a: u9 = 1;",
        "struct a: u8 = 0;",
        "struct a: u8 = 2; b: u8 = 1;",
        "struct a: list<u8 = 1;",
        "struct a: map<u8> = 1;",
        "struct a: u8 = 1; }",
        "enum A;",
        "enum A = x;",
        "union A { b: u8 = 1; = 1;",
        "union A: = 1;",
        "throws A;",
        "throws A: #0 = 1;",
    ];
    for text in texts {
        let description = Description::new(text, &[]);
        assert_eq!(description.definition(), Err(Malformed), "{text:?}");
        assert!(write(&description, Value::Nil).is_err(), "{text:?}");
    }
}

#[test]
fn a_type_without_parts_has_a_description() {
    assert_eq!(
        Description::new("struct", &[]).definition(),
        Ok(&Definition::Struct(Members::of(Vec::new())))
    );
    assert_eq!(Description::new("union", &[]).definition(), Ok(&Definition::Union(Members::of(Vec::new()))));
}

#[test]
fn a_struct_that_a_users_type_writes_by_name_is_as_one_by_number() {
    let by_number = Value::Array(vec!["A".into(), 9.into(), 2.into()]);
    let by_name = map(&[("side", 2.into()), ("more", 1.into()), ("symbol", "A".into())]);
    let expected = map(&[("symbol", "A".into()), ("side", "Sell".into())]);
    assert_eq!(write(&TRADE, by_number), Ok(expected.clone()));
    assert_eq!(write(&TRADE, by_name), Ok(expected));
}

#[test]
fn what_a_users_type_writes_in_another_shape_is_an_error_with_its_path() {
    let error = write(&TREE, Value::Array(vec![5.into()])).expect_err("no list");
    assert_eq!(error.to_string(), "below: invalid type: the number `5`, expected a list");
}

#[test]
fn holes_are_nil_and_absent_fields_at_the_end_are_left_off() {
    let read = read(&TRADE, map(&[("side", "Buy".into()), ("symbol", "A".into())]));
    assert_eq!(read, Ok(Value::Array(vec!["A".into(), Value::Nil, 1.into()])));
}

#[test]
fn types_that_hold_themselves_nest_up_to_the_bound() {
    let mut value = map(&[("below", Value::Array(Vec::new()))]);
    for _ in 1..64 {
        value = map(&[("below", Value::Array(vec![value]))]);
    }
    assert!(read(&TREE, value.clone()).is_ok());
    value = map(&[("below", Value::Array(vec![value]))]);
    assert!(read(&TREE, value).expect_err("too deep").to_string().contains("nested too deep"));
}

/// A function that puts a value into another.
type Step<'a> = &'a dyn Fn(Value) -> Value;

/// Returns how many lists and objects a value nests.
fn depth(value: &Value) -> usize {
    let inside: Box<dyn Iterator<Item = &Value>> = match value {
        Value::Array(elements) => Box::new(elements.iter()),
        Value::Map(entries) => Box::new(entries.iter().map(|(_, value)| value)),
        _ => return 0,
    };
    1 + inside.map(depth).max().unwrap_or(0)
}

#[test]
fn what_is_written_can_be_read_and_is_as_deep_as_the_bound_allows() {
    static LIST: Description = Description::new("struct next: list<#0> = 1;", &[|| &LIST]);
    static MAP: Description = Description::new("struct next: map<string, #0> = 1;", &[|| &MAP]);
    static OWN: Description = Description::new("union A { next: #0? = 1; } = 1;", &[|| &OWN]);
    static OTHER: Description = Description::new("union A: #0 = 1; B = 2;", &[|| &OTHER]);
    static ANY: Description = Description::new("struct any: value = 1;", &[]);
    static NEWER: Description = Description::new("union", &[]);
    let list = |value| Value::Array(vec![value]);
    let variant = |number: u8, value| Value::Array(vec![number.into(), value]);
    let number_map = |value| Value::Map(vec![(1.into(), value)]);
    let name_map = |value| map(&[("a", value)]);
    let escape_map = |value| map(&[("$bytes", value)]);
    let repeated = |value| Value::Map(vec![("a".into(), Value::Nil), ("a".into(), value)]);
    let key_map = |value| Value::Map(vec![(value, Value::Nil)]);
    let (bytes, time) = (Value::Binary(vec![1]), Value::Ext(-1, vec![0; 4]));
    let (extension, nan) = (Value::Ext(5, vec![1]), Value::F64(f64::NEG_INFINITY));
    let around_any: Step = &|value| Value::Array(vec![value]);
    let as_it_is: Step = &|value| value;
    let shapes: [(&str, &Description, Value, Step, Step); 15] = [
        ("lists of structs", &LIST, list(Value::Array(Vec::new())), &|value| list(list(value)), as_it_is),
        ("maps of structs", &MAP, list(Value::Map(Vec::new())), &|value| list(name_map(value)), as_it_is),
        (
            "own fields",
            &OWN,
            variant(1, Value::Array(Vec::new())),
            &|value| variant(1, list(value)),
            as_it_is,
        ),
        ("other unions", &OTHER, variant(2, Value::Nil), &|value| variant(1, value), as_it_is),
        ("newer variants", &NEWER, Value::Nil, &list, &|value| variant(9, value)),
        ("lists", &ANY, 1.into(), &list, around_any),
        ("maps", &ANY, 1.into(), &name_map, around_any),
        ("lists of bytes", &ANY, bytes.clone(), &list, around_any),
        ("lists of times", &ANY, time, &list, around_any),
        ("lists of extensions", &ANY, extension, &list, around_any),
        ("lists of floats", &ANY, nan, &list, around_any),
        ("maps by number", &ANY, 1.into(), &number_map, around_any),
        ("maps like bytes", &ANY, bytes, &escape_map, around_any),
        ("maps with a key twice", &ANY, 1.into(), &repeated, around_any),
        ("maps by maps", &ANY, 1.into(), &key_map, around_any),
    ];
    for (name, description, innermost, step, outermost) in shapes {
        let mut value = innermost;
        let mut depths = Vec::new();
        let error = loop {
            let whole = outermost(value.clone());
            match write(description, whole.clone()) {
                Ok(written) => {
                    depths.push(depth(&written));
                    assert_eq!(read(description, written), Ok(whole), "{name}: {depths:?}");
                }
                Err(error) => break error,
            }
            value = step(value);
        };
        assert!(
            error.to_string().ends_with("nested too deep to be written, which may be 128 levels"),
            "{error}"
        );
        let (deepest, each) = (depths[depths.len() - 1], depths[2] - depths[1]);
        // A name by itself counts as the object that it might be.
        let bare = usize::from(name == "other unions");
        assert!(deepest + bare <= 128 && deepest + bare + each > 128, "{name}: {deepest}, by {each}");
    }
}

#[test]
fn a_short_float_in_the_place_of_a_long_one_keeps_its_value() {
    static LONG: Description = Description::new("struct long: f64 = 1; short: f32 = 2;", &[]);
    let written = write(&LONG, Value::Array(vec![Value::F32(0.1), Value::F32(0.1)]));
    let expected = map(&[("long", Value::F64(f64::from(0.1_f32))), ("short", Value::F32(0.1))]);
    assert_eq!(written, Ok(expected));
    let any = any::write(Value::Array(vec![Value::F32(0.1)]), Levels::TO_WRITE);
    assert_eq!(any, Ok(Value::Array(vec![Value::F64(f64::from(0.1_f32))])));
}

#[test]
fn any_value_returns() {
    let values = [
        Value::Nil,
        Value::from(-1),
        Value::F64(f64::NEG_INFINITY),
        Value::Binary(Vec::new()),
        Value::Ext(-1, vec![0, 0, 0, 1]),
        // The number of timestamps, and no timestamp.
        Value::Ext(-1, vec![1, 2]),
        Value::Map(Vec::new()),
        Value::Map(vec![(Value::Nil, Value::Map(vec![(Value::Binary(vec![1]), true.into())]))]),
        Value::Map(vec![("twice".into(), 1.into()), ("twice".into(), 2.into())]),
        map(&[("$map", Value::Nil)]),
        map(&[("$map", map(&[("$int", "5".into())]))]),
        map(&[("$bytes", 1.into()), ("more", 2.into())]),
    ];
    for value in values {
        let written = any::write(value.clone(), Levels::TO_WRITE).expect("a value");
        assert_eq!(any::read(written, Levels::TO_READ), Ok(value));
    }
}

#[test]
fn text_that_is_not_utf_8_is_bytes() {
    let text = rmpv::decode::read_value(&mut &[0xa1, 0xff][..]).expect("a value");
    assert_eq!(any::write(text, Levels::TO_WRITE), Ok(map(&[("$bytes", "/w==".into())])));
}

#[test]
fn broken_escapes_are_errors() {
    let escapes = [
        ("$bytes", Value::from("!")),
        ("$bytes", 5.into()),
        ("$ext", Value::Array(vec![200.into(), "".into()])),
        ("$ext", Value::Array(vec![1.into()])),
        ("$float", 1.5.into()),
        ("$float", "nan".into()),
        ("$int", "1.5".into()),
        ("$int", "18446744073709551616".into()),
        ("$map", map(&[])),
        ("$map", Value::Array(vec![1.into()])),
        ("$map", Value::Array(vec![Value::Array(vec![1.into()])])),
        ("$timestamp", "noon".into()),
    ];
    for (name, value) in escapes {
        let error = any::read(map(&[(name, value.clone())]), Levels::TO_READ).expect_err(name);
        assert!(error.to_string().contains(name), "{name} {value}: {error}");
    }
}

#[test]
fn bytes_and_extensions_of_other_formats_are_taken_as_they_are() {
    static ALL: Description =
        Description::new("struct data: bytes = 1; at: timestamp = 2; id: uuid = 3;", &[]);
    let (data, at, id) = (Value::Binary(vec![1]), Value::Ext(-1, vec![0; 4]), Value::Binary(vec![7; 16]));
    let value = map(&[("data", data.clone()), ("at", at.clone()), ("id", id.clone())]);
    assert_eq!(read(&ALL, value), Ok(Value::Array(vec![data, at, id])));
}

#[test]
fn a_timestamp_by_itself_is_text_for_people() {
    use crate::codec::Timestamp;
    let value = rmpv::ext::to_value(Timestamp::EPOCH).expect("a value");
    assert_eq!(value, Value::from("1970-01-01T00:00:00Z"));
    assert_eq!(rmpv::ext::from_value(value).ok(), Some(Timestamp::EPOCH));
    assert!(rmpv::ext::from_value::<Timestamp>("noon".into()).is_err());
    assert_eq!(rmp_serde::to_vec(&Timestamp::EPOCH).ok(), Some(vec![0xd6, 0xff, 0, 0, 0, 0]));
}
