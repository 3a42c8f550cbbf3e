//! Checks that generated code reads and writes the same bytes as the codec of the model that tests verdicts on changes.

use zsvc_codegen_model::table::{CONSTANTS, ERRORS, TEXTS, TYPES};
use zsvc_idl::schema::{Schema, Type, TypeId};
use zsvc_idl::{MemoryLoader, compile};
use zsvc_model::codec::{Reader, bytes, literal, parsed, write, write_thrown};
use zsvc_model::random::Random;
use zsvc_model::value::Maker;

/// Number of values of each type that are tried.
const VALUES: usize = 100;

fn schema(text: &str) -> Schema {
    let loader = MemoryLoader::default().with("random.svc", text);
    compile(&loader, &["random.svc".to_owned()], &[]).schema.expect("it compiled when this was built")
}

/// Returns each type of a schema with its full name.
fn named(schema: &Schema) -> impl Iterator<Item = (String, Type)> {
    (0..).map(TypeId).zip(&schema.types).map(|(id, definition)| {
        let package = schema.package(definition.package).full_name();
        (format!("{package}.{}", definition.name), Type::Named(id))
    })
}

#[test]
fn generated_code_reads_what_the_model_writes_and_writes_it_again() {
    let mut random = Random::new(1);
    let mut tried = 0;
    for schema in TEXTS.iter().map(|text| schema(text)) {
        for (name, ty) in named(&schema) {
            let Some((_, again)) = TYPES.iter().find(|(known, _)| *known == name) else { continue };
            tried += 1;
            for _ in 0..VALUES {
                let value = Maker::new(&schema, &mut random).value(&ty);
                let written = bytes(&write(&schema, &ty, &value));
                let generated = again(&written);
                assert_eq!(generated.as_ref(), Ok(&written), "{name}: {value:?}");
            }
        }
    }
    assert_eq!(tried, TYPES.len(), "each type is tried");
    assert!(tried > 60, "too few types: {tried}");
}

#[test]
fn the_model_reads_what_generated_code_writes() {
    let mut random = Random::new(2);
    for schema in TEXTS.iter().map(|text| schema(text)) {
        let reader = Reader { schema: &schema, is_server: false };
        for (name, ty) in named(&schema) {
            let Some((_, again)) = TYPES.iter().find(|(known, _)| *known == name) else { continue };
            for _ in 0..VALUES {
                let value = Maker::new(&schema, &mut random).value(&ty);
                let generated =
                    again(&bytes(&write(&schema, &ty, &value))).expect("what the other test tries");
                let raw = parsed(&generated).expect("MessagePack");
                let found =
                    reader.read(&ty, &raw).unwrap_or_else(|refusal| panic!("{name}: {refusal}: {value:?}"));
                assert_eq!(bytes(&write(&schema, &ty, &found)), generated, "{name}: {value:?}");
            }
        }
    }
}

#[test]
fn constants_have_the_values_that_the_schema_gives_them() {
    let mut tried = 0;
    for schema in TEXTS.iter().map(|text| schema(text)) {
        let package = &schema.packages[0];
        for constant in &package.constants {
            let name = format!("{}.{}", package.full_name(), constant.name);
            let Some((_, generated)) = CONSTANTS.iter().find(|(known, _)| *known == name) else { continue };
            let value = literal(&schema, &constant.ty, &constant.value);
            assert_eq!(generated(), bytes(&write(&schema, &constant.ty, &value)), "{name}: {value:?}");
            tried += 1;
        }
    }
    assert_eq!(tried, CONSTANTS.len(), "each constant is tried");
    assert!(tried > 15, "too few constants: {tried}");
}

#[test]
fn both_refuse_the_same_bytes() {
    let mut random = Random::new(3);
    let mut refused = 0;
    for schema in TEXTS.iter().map(|text| schema(text)) {
        let reader = Reader { schema: &schema, is_server: false };
        let types: Vec<(String, Type)> = named(&schema).collect();
        for (name, ty) in &types {
            let Some((_, again)) = TYPES.iter().find(|(known, _)| known == name) else { continue };
            // Bytes of another type are mostly invalid for this one.
            for (_, other) in &types {
                let raw = write(&schema, other, &Maker::new(&schema, &mut random).value(other));
                let (model, generated) = (reader.read(ty, &raw), again(&bytes(&raw)));
                assert_eq!(model.is_ok(), generated.is_ok(), "{name} of {raw}: {model:?}, {generated:?}");
                refused += usize::from(model.is_err());
            }
        }
    }
    assert!(refused > 50, "too little is refused: {refused}");
}

#[test]
fn errors_of_methods_are_read_and_written_as_in_the_model() {
    let mut random = Random::new(4);
    let mut tried = 0;
    for schema in TEXTS.iter().map(|text| schema(text)) {
        let package = &schema.packages[0];
        let methods = package
            .services
            .iter()
            .flat_map(|service| service.methods.iter().map(move |method| (service, method)));
        for (service, method) in methods.filter(|(_, method)| method.declared_by.is_none()) {
            let name = format!("{}.{}/{}", package.full_name(), service.name, method.name);
            let Some((_, again)) = ERRORS.iter().find(|(known, _)| *known == name) else { continue };
            tried += 1;
            for (index, thrown) in method.throws.iter().enumerate() {
                for _ in 0..VALUES / 10 {
                    let value = Maker::new(&schema, &mut random).value(&Type::Named(thrown.error));
                    let raw = write_thrown(&schema, index, thrown, &value);
                    let generated = again(&bytes(&raw));
                    assert_eq!(generated.as_ref(), Ok(&bytes(&raw)), "{name}: {value:?}");
                    let reader = Reader { schema: &schema, is_server: false };
                    let (found, _) = reader.thrown(&method.throws, &raw).expect("what was written");
                    assert_eq!(found, index, "{name}: {value:?}");
                }
            }
        }
    }
    assert_eq!(tried, ERRORS.len(), "each method is tried");
    assert!(tried > 5, "too few methods: {tried}");
}
