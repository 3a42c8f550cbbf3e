//! Holds docs/json.md against the codec: what the page shows of generated types is so by schema, too.
//!
//! Its blocks are described in `docs/tests/tests/json.rs`, which holds the page against generated types.

use zsvc_dynamic::{Codec, Shape};
use zsvc_idl::schema::{Schema, Type};
use zsvc_idl::{MemoryLoader, compile, schema::TypeId};

const PAGE: &str = include_str!("../../docs/json.md");

/// Returns the info strings and texts of the page's blocks.
fn blocks() -> impl Iterator<Item = (&'static str, &'static str)> {
    PAGE.split("\n```").skip(1).step_by(2).map(|block| {
        let (info, text) = block.split_once('\n').expect("a line of its own");
        (info, text)
    })
}

fn schema() -> Schema {
    let (_, text) = blocks().find(|(info, _)| *info == "svc").expect("the page has a schema");
    let loader = MemoryLoader::default().with("json.svc", text);
    compile(&loader, &["json.svc".to_owned()], &[]).schema.expect("no errors")
}

fn ty(schema: &Schema, name: &str) -> Type {
    let found = schema.types.iter().position(|definition| definition.name == name).expect(name);
    Type::Named(TypeId(u32::try_from(found).expect("a few types")))
}

/// Returns the type of the value that a block is of.
fn type_of(value: &str) -> &'static str {
    match value {
        "trade" => "Trade",
        "types" => "Types",
        "any" | "large" | "short_float" => "Any",
        "rights" => "Rights",
        "market" | "cancel_all" | "unknown_variant" => "Order",
        _ => panic!("no value is called `{value}`"),
    }
}

fn check_value(schema: &Schema, kind: &str, name: &str, text: &str) {
    let ty = ty(schema, type_of(name));
    let codec = Codec::new(schema).pretty();
    let codec = if kind == "safe" { codec.safe_integers() } else { codec };
    let body = codec.encode(Shape::Type(&ty), text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let again = codec.decode(Shape::Type(&ty), &body).expect("what was just written");
    if kind == "reads" {
        // The same as another block, which has its fields in order.
        assert_eq!(codec.encode(Shape::Type(&ty), &again).as_ref(), Ok(&body), "{text}");
    } else {
        assert_eq!(again, text.trim_end(), "{name}");
    }
}

fn check_errors(schema: &Schema, kind: &str, name: &str, text: &str) {
    let ty = ty(schema, name);
    let codec = Codec::new(schema);
    let codec = if kind == "strict" { codec.strict() } else { codec };
    let lines: Vec<&str> = text.trim_end().lines().collect();
    for pair in lines.chunks(2) {
        let [value, comment] = pair else { panic!("a line without an error: {pair:?}") };
        let found = codec.encode(Shape::Type(&ty), value).expect_err(value);
        assert_eq!(Some(found.to_string().as_str()), comment.strip_prefix("// "), "{value}");
    }
}

#[test]
fn the_page_is_what_the_codec_does() {
    let (schema, mut checked) = (schema(), 0);
    for (info, text) in blocks() {
        let Some((language, rule)) = info.split_once(',') else { continue };
        let Some((kind, name)) = rule.split_once('=') else { continue };
        match language {
            "json" => check_value(&schema, kind, name, text),
            "jsonc" => check_errors(&schema, kind, name, text),
            _ => continue,
        }
        checked += 1;
    }
    assert!(checked >= 16, "blocks of the page: {checked}");
}

#[test]
fn the_nearest_name_and_the_place_are_told() {
    let schema = schema();
    let ty = ty(&schema, "Trade");
    let codec = Codec::new(&schema).strict();
    let wrong = |text| codec.encode(Shape::Type(&ty), text).expect_err(text);
    let misspelt = wrong("{\n  \"symbl\": \"A\"\n}");
    assert_eq!((misspelt.nearest(), misspelt.place()), (Some("symbol"), Some((2, 9))));
    let variant = wrong("{\"order\": {\"Limt\": {}}}");
    assert_eq!((variant.path(), variant.nearest()), (Some("order"), Some("Limit")));
    let syntax = wrong("{\"symbol\": ");
    assert_eq!(syntax.to_string(), "EOF while parsing a value");
    assert_eq!((syntax.path(), syntax.place()), (None, Some((1, 11))));
    assert_eq!(wrong("{} {}").reason(), "field `symbol` is missing");
    let trailing = "{\"symbol\": \"A\", \"price\": 1, \"at\": \"2026-03-01T12:00:00Z\"} 5";
    assert_eq!(wrong(trailing).reason(), "trailing characters");
}

#[test]
fn every_form_that_readers_must_take_is_read() {
    let text = "package a.v1; struct S { a: u8 = 1; b: string? = 3; c: u8? = 300; @default(7) d: u8 = 4; }
        struct P { a: u8 = 1; b: string? = 3; @default(7) d: u8 = 4; } struct M { m: map<u8, u8> = 1; }";
    let loader = MemoryLoader::default().with("a.svc", text);
    let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
    let codec = Codec::new(&schema);
    let read = |name, bytes: &[u8]| {
        codec.decode(Shape::Type(&ty(&schema, name)), bytes).map_err(|error| error.to_string())
    };
    let full = Ok(r#"{"a":1,"b":"x","d":7}"#.to_owned());
    // An array with a hole and one more field; maps from numbers and from names, in any order, with unknown ones.
    assert_eq!(read("P", b"\x95\x01\x09\xa1x\xc0\x05"), full);
    assert_eq!(read("P", b"\x83\x01\x01\x03\xa1x\x09\xc3"), full);
    assert_eq!(read("P", b"\x83\xa1b\xa1x\xa1z\x90\xa1a\x01"), full);
    assert_eq!(read("S", b"\x93\x01\xc0\xa1x"), full);
    assert_eq!(read("P", b"\x91\xcd\x00\x01"), Ok(r#"{"a":1,"d":7}"#.to_owned()));
    // A key that comes twice has its last value.
    assert_eq!(read("M", b"\x91\x83\x01\x01\x02\x02\x01\x03"), Ok(r#"{"m":{"1":3,"2":2}}"#.to_owned()));
    for (name, bytes, error) in [
        ("P", &b"\x90"[..], "field `a` is missing"),
        ("P", b"\x91\xa1x", "a: invalid type: string"),
        ("P", b"\x82\xa1a\x01\xa1a\x02", "field `a` is given twice"),
        ("P", b"\x82\x01\x01\x01\x01", "field number 1 comes after 1: numbers ascend, and start at 1"),
        ("P", b"\x91\x01\x01", "more bytes follow the value"),
        ("M", b"\x91\x81\x01\xcd\x01\x00", "m[\"1\"]: invalid value: integer `256`, expected u8"),
    ] {
        let found = read(name, bytes).expect_err(error);
        assert_eq!(found, error, "{bytes:02x?}");
    }
}

#[test]
fn nil_of_a_value_is_written_and_that_of_an_optional_is_not() {
    let text = "package a.v1; struct Short { a: u8 = 1; b: value = 2; c: u8? = 3; }
        struct Far { a: u8 = 1; b: value = 2; c: u8? = 300; }";
    let loader = MemoryLoader::default().with("a.svc", text);
    let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
    let codec = Codec::new(&schema);
    for (name, expected) in [("Short", &[0x92, 7, 0xc0][..]), ("Far", &[0x82, 1, 7, 2, 0xc0])] {
        let ty = ty(&schema, name);
        // Whether the JSON says so or leaves it out.
        for text in ["{\"a\":7,\"b\":null,\"c\":null}", "{\"a\":7}"] {
            assert_eq!(codec.encode(Shape::Type(&ty), text).expect(text), expected, "{name}: {text}");
        }
    }
}

#[test]
fn floats_come_back_to_the_last_bit() {
    let schema = schema();
    let ty = ty(&schema, "Any");
    let codec = Codec::new(&schema);
    for float in [2.985_741_664_430_279_4e-193, 1.000_000_000_000_000_2, 1e-7, 5e-324, f64::MAX, 0.1 + 0.2] {
        let json = format!("{{\"any\":{float:e}}}");
        let body = codec.encode(Shape::Type(&ty), &json).expect("a number");
        let mut wanted = vec![0x91, 0xcb];
        wanted.extend(f64::to_be_bytes(float));
        assert_eq!(body, wanted, "{json}");
        let again = codec.decode(Shape::Type(&ty), &body).expect("what was just written");
        assert_eq!(codec.encode(Shape::Type(&ty), &again), Ok(body), "{again}");
    }
}

#[test]
fn hostile_bytes_end_in_errors_within_the_bounds() {
    let text = "package a.v1; struct Tree { below: list<Tree> = 1; } struct Long { @default(\"AAAAAAAAAAAAAAAA\") a: string = 1; }
        struct Many { all: list<Long> = 1; } struct Any { any: value = 1; }";
    let loader = MemoryLoader::default().with("a.svc", text);
    let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
    let codec = Codec::new(&schema).max_text(10_000);
    let read = |name, bytes: &[u8]| {
        codec.decode(Shape::Type(&ty(&schema, name)), bytes).map_err(|error| error.to_string())
    };
    // Each struct is one byte and becomes thirty.
    let many = [&[0x91, 0xdc, 0xff, 0xff][..], &vec![0x90; 0xffff]].concat();
    assert!(read("Many", &many).expect_err("too large").contains("more than 10000 bytes"));
    let deep = [&[0x91; 1000][..], &[0x90]].concat();
    assert!(read("Tree", &deep).expect_err("too deep").contains("nested too deep"));
    assert!(read("Any", &deep).expect_err("too deep").contains("nested too deep"));
    assert!(read("Many", b"\x91\xdd\xff\xff\xff\xff").is_err());
    let nested = "[".repeat(200) + &"]".repeat(200);
    let any = format!("{{\"any\": {nested}}}");
    assert!(codec.encode(Shape::Type(&ty(&schema, "Any")), &any).is_err());
    let tree = "{\"below\":[".repeat(70) + &"]}".repeat(70);
    assert!(codec.encode(Shape::Type(&ty(&schema, "Tree")), &tree).is_err());
}

/// Each level has its key twice, with the next level in one of the two.
#[test]
fn maps_with_keys_that_come_twice_are_read_once_however_deep_they_nest() {
    let text = "package a.v1; struct Node { below: map<string, Node> = 1; }";
    let loader = MemoryLoader::default().with("a.svc", text);
    let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
    let node = ty(&schema, "Node");
    let levels = 60;
    let begin = b"\x91\x83\xa1b".repeat(levels);
    let end = b"\xa1a\x91\x80\xa1a\x91\x80".repeat(levels);
    let json = Codec::new(&schema).decode(Shape::Type(&node), &[&begin, &b"\x91\x80"[..], &end].concat());
    let expected =
        "{\"below\":{\"b\":".repeat(levels) + "{\"below\":{}}" + &",\"a\":{\"below\":{}}}}".repeat(levels);
    assert_eq!(json.map_err(|error| error.to_string()), Ok(expected));
    let twice =
        Codec::new(&schema).pretty().decode(Shape::Type(&node), b"\x91\x82\xa1a\x91\x80\xa1a\x91\x80");
    let shown = "{\n  \"below\": {\n    \"a\": {\n      \"below\": {}\n    }\n  }\n}";
    assert_eq!(twice.map_err(|error| error.to_string()).as_deref(), Ok(shown));
}

#[test]
fn bounds_are_checked_where_the_reading_is_strict() {
    let text = "package a.v1; enum Side { Buy = 1; }
        struct S {
            @len(1..=3) a: string? = 1;
            @range(1..10) b: i64? = 2;
            @range(0.1..=0.5) c: f32? = 3;
            @range(..1.0) d: f64? = 4;
            @len(..=1) e: list<u8>? = 5;
            @len(2..) f: bytes? = 6;
            @len(1..) g: map<string, u8>? = 7;
        }";
    let loader = MemoryLoader::default().with("a.svc", text);
    let schema = compile(&loader, &["a.svc".to_owned()], &[]).schema.expect("no errors");
    let ty = ty(&schema, "S");
    for (json, error) in [
        (r#"{"a": "éàü"}"#, ""),
        (r#"{"a": ""}"#, "a: length 0 is not in 1..=3"),
        (r#"{"b": 10}"#, "b: 10 is not in 1..=9"),
        (r#"{"c": 0.1}"#, ""),
        (r#"{"c": 0.6}"#, "c: 0.6 is not in 0.1..=0.5"),
        (r#"{"c": "NaN"}"#, "c: NaN is not in 0.1..=0.5"),
        (r#"{"d": 1}"#, "d: 1 is not in ..1"),
        (r#"{"e": [1, 2]}"#, "e: length 2 is not in ..=1"),
        (r#"{"f": "AA=="}"#, "f: length 1 is not in 2.."),
        (r#"{"g": {}}"#, "g: length 0 is not in 1.."),
    ] {
        let lax = Codec::new(&schema).encode(Shape::Type(&ty), json);
        assert!(lax.is_ok(), "{json}: {lax:?}");
        let strict = Codec::new(&schema).strict().encode(Shape::Type(&ty), json);
        assert_eq!(strict.err().map(|error| error.to_string()).unwrap_or_default(), error, "{json}");
    }
}
