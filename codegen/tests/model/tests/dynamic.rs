//! Checks that values by schema (`zsvc-dynamic`) are as those of generated code, in JSON and on the wire, for random schemas and values.

use zsvc_codegen_model::Json;
use zsvc_codegen_model::table::{JSON, TEXTS, TYPES};
use zsvc_dynamic::{Codec, Shape};
use zsvc_idl::schema::{Schema, Type, TypeId};
use zsvc_idl::{MemoryLoader, compile};
use zsvc_model::codec::{bytes, write, write_thrown};
use zsvc_model::random::Random;
use zsvc_model::value::Maker;

/// Number of values of each type that are tried.
const VALUES: usize = 100;

fn schema(text: &str) -> Schema {
    let loader = MemoryLoader::default().with("random.svc", text);
    compile(&loader, &["random.svc".to_owned()], &[]).schema.expect("it compiled when this was built")
}

/// Returns what generated code does with a name's values.
fn generated(name: &str) -> Option<Json> {
    JSON.iter().find(|(known, _)| *known == name).map(|(_, json)| *json)
}

/// Returns each type of a schema that has generated code, with that.
fn named(schema: &Schema) -> Vec<(String, Type, Json)> {
    let all = (0..).map(TypeId).zip(&schema.types).filter_map(|(id, definition)| {
        let package = schema.package(definition.package).full_name();
        let name = format!("{package}.{}", definition.name);
        let json = generated(&name)?;
        Some((name, Type::Named(id), json))
    });
    all.collect()
}

/// Checks that both make the same JSON of bytes, and the same bytes of that JSON.
fn check(name: &str, codec: Codec<'_>, shape: Shape<'_>, json: Json, body: &[u8]) {
    let text = codec.decode(shape, body).unwrap_or_else(|error| panic!("{name}: {error}: {body:02x?}"));
    assert_eq!((json.write)(body).as_ref(), Ok(&text), "{name}: {body:02x?}");
    let again = codec.encode(shape, &text).map_err(|error| error.to_string());
    assert_eq!(again, (json.read)(&text, false), "{name}: {text}");
    let strict = codec.strict().encode(shape, &text).map_err(|error| error.to_string());
    let expected = (json.read)(&text, true);
    assert_eq!(strict.is_ok(), expected.is_ok(), "{name}: {text}: {strict:?}, {expected:?}");
    let pretty = codec.pretty().decode(shape, body).expect("as above");
    let tree: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&pretty).expect("JSON"), tree, "{name}");
}

#[test]
fn values_are_as_those_of_generated_code() {
    let mut random = Random::new(11);
    let mut tried = 0;
    for schema in TEXTS.iter().map(|text| schema(text)) {
        let codec = Codec::new(&schema);
        for (name, ty, json) in named(&schema) {
            tried += 1;
            for turn in 0..VALUES {
                let maker = Maker::new(&schema, &mut random);
                let mut maker = if turn % 2 == 0 { maker } else { maker.without_bounds() };
                let value = maker.value(&ty);
                check(&name, codec, Shape::Type(&ty), json, &bytes(&write(&schema, &ty, &value)));
            }
        }
    }
    assert_eq!(tried, TYPES.len(), "each type is tried");
}

#[test]
fn errors_of_methods_are_as_those_of_generated_code() {
    let mut random = Random::new(12);
    let mut tried = 0;
    for schema in TEXTS.iter().map(|text| schema(text)) {
        for method in zsvc_dynamic::find::methods(&schema) {
            let Some(json) = generated(&method.name) else { continue };
            tried += 1;
            let throws = &method.method.throws;
            for (index, thrown) in throws.iter().enumerate() {
                for _ in 0..VALUES / 10 {
                    let value = Maker::new(&schema, &mut random).value(&Type::Named(thrown.error));
                    let body = bytes(&write_thrown(&schema, index, thrown, &value));
                    check(&method.name, Codec::new(&schema), Shape::Errors(throws), json, &body);
                }
            }
        }
    }
    assert!(tried > 5, "too few methods: {tried}");
}

#[test]
fn both_refuse_the_same_bytes_and_the_same_json() {
    let mut random = Random::new(13);
    let (mut refused, mut broken) = (0, 0);
    for schema in TEXTS.iter().map(|text| schema(text)) {
        let codec = Codec::new(&schema);
        let types = named(&schema);
        for (name, ty, json) in &types {
            // Values of another type are mostly invalid for this one.
            for (_, other, other_json) in &types {
                let raw = write(&schema, other, &Maker::new(&schema, &mut random).value(other));
                let mut body = bytes(&raw);
                let (found, expected) = (codec.decode(Shape::Type(ty), &body), (json.write)(&body));
                assert_eq!(found.is_ok(), expected.is_ok(), "{name} of {raw}: {found:?}, {expected:?}");
                refused += usize::from(found.is_err());
                let text = (other_json.write)(&body).expect("its own type");
                let (found, expected) = (codec.encode(Shape::Type(ty), &text), (json.read)(&text, false));
                assert_eq!(found.is_ok(), expected.is_ok(), "{name} of {text}: {found:?}, {expected:?}");
                if let (Ok(found), Ok(expected)) = (&found, &expected) {
                    // Not their bytes: a set that is a default may be written in any order.
                    let [found, expected] = [found, expected].map(|body| (json.write)(body));
                    assert_eq!(found.expect("it was written"), expected.expect("it was"), "{name} of {text}");
                }
                broken += usize::from(found.is_err());
                // Bytes of no type: one of them is another.
                let place = random.below(body.len());
                body[place] = body[place].wrapping_add(u8::try_from(random.below(255)).unwrap_or(0) + 1);
                let _ = codec.decode(Shape::Type(ty), &body);
            }
        }
    }
    assert!(refused > 50 && broken > 50, "too little is refused: {refused}, {broken}");
}
