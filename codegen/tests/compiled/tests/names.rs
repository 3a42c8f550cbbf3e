//! Checks that the schemas in `svc/` use every keyword of Rust, and every name that generated code uses, in every place
//! that a name can have. That they compile is tested by building this crate.

use std::collections::BTreeSet;
use std::fs;

use zsvc_codegen::Disk;
use zsvc_idl::schema::{
    Field, Method, MethodKind, Payload, Schema, StreamParameter, Type, TypeKind, Variant,
};

/// The keywords of the Rust reference: strict, reserved and weak ones, of all editions up to 2024. `'static` is no name,
/// but `static` is.
const KEYWORDS: &str = "
    as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut
    pub ref return self Self static struct super trait true type unsafe use where while
    abstract become box do final gen macro override priv try typeof unsized virtual yield
    macro_rules raw safe union";

/// Names that have a meaning in generated code.
const OURS: &str = "
    new connect local channel Result Option Box String Vec Ok Err Some None std core alloc zsvc serde wire Default Clone
    Debug Display Send Sync Iterator Into From Future Arc BTreeMap Context Channel Status Error Service Method METHODS
    Streaming Sink Stream Bytes Value Timestamp Uuid Duration Unknown number from_number str usize context sink service
    call params fields length serializer deserializer formatter payload variant drop dispatch methods out reader start";

/// The names used in each kind of place.
#[derive(Default)]
struct Places {
    parts_of_packages: BTreeSet<String>,
    constants: BTreeSet<String>,
    aliases: BTreeSet<String>,
    types: BTreeSet<String>,
    fields: BTreeSet<String>,
    optional_fields: BTreeSet<String>,
    values: BTreeSet<String>,
    flags: BTreeSet<String>,
    variants: BTreeSet<String>,
    fields_of_variants: BTreeSet<String>,
    errors: BTreeSet<String>,
    services: BTreeSet<String>,
    methods: BTreeSet<String>,
    parameters: BTreeSet<String>,
    streams: BTreeSet<String>,
}

impl Places {
    fn of(schema: &Schema) -> Self {
        let mut places = Self::default();
        for package in &schema.packages {
            places.parts_of_packages.extend(package.name.iter().cloned());
            places.constants.extend(package.constants.iter().map(|constant| constant.name.clone()));
            for service in &package.services {
                places.services.insert(service.name.clone());
                service.methods.iter().for_each(|method| places.method(method));
            }
        }
        for definition in &schema.types {
            let name = definition.name.clone();
            match &definition.kind {
                TypeKind::Alias(_) => places.aliases.insert(name),
                _ => places.types.insert(name),
            };
            match &definition.kind {
                TypeKind::Struct(structure) => places.fields(&structure.fields),
                TypeKind::Enum(values) => places.values.extend(values.iter().map(|value| value.name.clone())),
                TypeKind::Flags(flags) => places.flags.extend(flags.iter().map(|flag| flag.name.clone())),
                TypeKind::Union(variants) => places.variants(variants),
                TypeKind::Error(variants) => {
                    places.errors.extend(variants.iter().map(|variant| variant.name.clone()));
                    places.fields_of_variants(variants);
                }
                TypeKind::Alias(_) => {}
            }
        }
        places
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            let is_optional = matches!(field.ty, Type::Optional(_));
            let place = if is_optional { &mut self.optional_fields } else { &mut self.fields };
            place.insert(field.name.clone());
        }
    }

    fn variants(&mut self, variants: &[Variant]) {
        self.variants.extend(variants.iter().map(|variant| variant.name.clone()));
        self.fields_of_variants(variants);
    }

    fn fields_of_variants(&mut self, variants: &[Variant]) {
        for variant in variants {
            if let Payload::Fields(fields) = &variant.payload {
                self.fields_of_variants.extend(fields.iter().map(|field| field.name.clone()));
            }
        }
    }

    fn method(&mut self, method: &Method) {
        self.methods.insert(method.name.clone());
        self.parameters.extend(method.parameters.iter().map(|parameter| parameter.name.clone()));
        if let MethodKind::ClientStream(StreamParameter { name, .. }, _)
        | MethodKind::Bidirectional(StreamParameter { name, .. }, _) = &method.kind
        {
            self.streams.insert(name.clone());
        }
    }
}

fn places() -> Places {
    let entries =
        fs::read_dir("svc").expect("the folder is there").map(|entry| entry.expect("an entry").path());
    let files: Vec<String> = entries.map(|path| path.to_string_lossy().into_owned()).collect();
    let compilation = zsvc_idl::compile(&Disk::default(), &files, &[]);
    Places::of(&compilation.schema.expect("no file has an error"))
}

fn check(words: &str, place: &str, found: &BTreeSet<String>) {
    let missing: Vec<&str> = words.split_whitespace().filter(|word| !found.contains(*word)).collect();
    assert!(missing.is_empty(), "no {place} in svc/ is called {missing:?}");
}

#[test]
fn every_keyword_is_tried_in_every_place() {
    let places = places();
    for (place, found) in [
        ("part of a package's name", &places.parts_of_packages),
        ("constant", &places.constants),
        ("alias", &places.aliases),
        ("type", &places.types),
        ("field", &places.fields),
        ("optional field", &places.optional_fields),
        ("value", &places.values),
        ("flag", &places.flags),
        ("variant", &places.variants),
        ("field of a variant", &places.fields_of_variants),
        ("variant of an error", &places.errors),
        ("service", &places.services),
        ("method", &places.methods),
        ("parameter", &places.parameters),
        ("stream", &places.streams),
    ] {
        check(KEYWORDS, place, found);
    }
}

#[test]
fn every_name_that_generated_code_uses_is_tried_where_it_could_meet_it() {
    let places = places();
    for (place, found) in [
        ("type", &places.types),
        ("field", &places.fields),
        ("value", &places.values),
        ("variant", &places.variants),
        ("field of a variant", &places.fields_of_variants),
        ("variant of an error", &places.errors),
        ("method", &places.methods),
        ("parameter", &places.parameters),
    ] {
        check(OURS, place, found);
    }
}
