//! Generates Rust from random schemas, and a table of their types by name.

use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

use zsvc_codegen::{Choices, Placement, generate, update};
use zsvc_idl::schema::{Builtin, Schema, Type, TypeKind};
use zsvc_idl::{MemoryLoader, compile};
use zsvc_model::draft::Draft;
use zsvc_model::random::Random;

/// Number of schemas: enough that each type of the language is used in each place.
const SCHEMAS: u64 = 30;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("Cargo sets it for build scripts"));
    let texts: Vec<String> = (1..=SCHEMAS).map(random).collect();
    let mut loader = MemoryLoader::default();
    let mut files = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        files.push(format!("{index}.svc"));
        loader = loader.with(format!("{index}.svc"), text.as_str());
    }
    let compilation = compile(&loader, &files, &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let text = generate(&schema, &Choices::default(), &compilation.sources, Placement::Included);
    update(&out.join("mod.rs"), &text).expect("the folder can be written to");
    fs::write(out.join("table.rs"), table(&schema, &texts)).expect("the folder can be written to");
}

/// Returns the first schema from a seed on that compiles, in its own package.
fn random(seed: u64) -> String {
    let mut random = Random::new(1000 * seed);
    loop {
        let mut draft = Draft::random(&mut random);
        draft.package = format!("random.v{seed}");
        let text = draft.text();
        let loader = MemoryLoader::default().with("random.svc", text.as_str());
        if compile(&loader, &["random.svc".to_owned()], &[]).schema.is_some() {
            return text;
        }
    }
}

/// Returns the packages, services and names of the methods that throw several errors, each where it is declared.
fn throwing(schema: &Schema) -> impl Iterator<Item = (String, &str, &str)> {
    schema.packages.iter().flat_map(|package| {
        package.services.iter().flat_map(|service| {
            let own = service.methods.iter().filter(|method| method.declared_by.is_none());
            let throwing = own.filter(|method| method.throws.len() > 1);
            throwing.map(|method| (package.full_name(), service.name.as_str(), method.name.as_str()))
        })
    })
}

/// Returns each constant whose value serde writes as the type of the schema is written.
fn constants(schema: &Schema) -> String {
    let mut table = "];\npub const CONSTANTS: &[(&str, crate::Constant)] = &[\n".to_owned();
    for package in &schema.packages {
        let path = package.name.join("::");
        for constant in package.constants.iter().filter(|constant| is_own(schema, &constant.ty)) {
            // What is made at its first use is behind a reference.
            let is_made = match schema.resolved(&constant.ty) {
                Type::List(_) | Type::Set(_) | Type::Map(..) => true,
                Type::Named(id) => matches!(schema.definition(*id).kind, TypeKind::Struct(_)),
                _ => false,
            };
            let (name, star) = (&constant.name, if is_made { "*" } else { "" });
            let full_name = package.full_name();
            writeln!(
                table,
                "    (\"{full_name}.{name}\", || crate::constant(&{star}crate::{path}::{name})),"
            )
            .expect("strings take any text");
        }
    }
    table
}

/// Reports whether serde writes a value of the type in Rust as it is written on the wire: what is generated, and what both know.
fn is_own(schema: &Schema, ty: &Type) -> bool {
    match schema.resolved(ty) {
        Type::Builtin(Builtin::Bytes | Builtin::Duration | Builtin::Timestamp | Builtin::Uuid) => false,
        Type::Builtin(_) | Type::Named(_) => true,
        Type::List(inner) | Type::Set(inner) | Type::Optional(inner) => is_own(schema, inner),
        Type::Map(key, value) => is_own(schema, key) && is_own(schema, value),
    }
}

/// Returns each type that has its own codec, which aliases don't, and the types of methods' errors.
fn table(schema: &Schema, texts: &[String]) -> String {
    let (mut table, mut json) = ("pub const TYPES: &[(&str, crate::Again)] = &[\n".to_owned(), String::new());
    for definition in schema.types.iter().filter(|definition| !matches!(definition.kind, TypeKind::Alias(_)))
    {
        let package = &schema.package(definition.package).name;
        let (name, path) = (&definition.name, package.join("::"));
        let ident = name.replace('.', "");
        writeln!(table, "    (\"{}.{name}\", crate::again::<crate::{path}::{ident}>),", package.join("."))
            .expect("strings take any text");
        writeln!(json, "    (\"{}.{name}\", crate::json::<crate::{path}::{ident}>()),", package.join("."))
            .expect("strings take any text");
    }
    table += "];\npub const ERRORS: &[(&str, crate::Again)] = &[\n";
    for (package, service, method) in throwing(schema) {
        let path = package.replace('.', "::");
        let error = method.replace("method_", &format!("{service}Method"));
        writeln!(
            table,
            "    (\"{package}.{service}/{method}\", crate::again::<crate::{path}::{error}Error>),"
        )
        .expect("strings take any text");
        writeln!(
            json,
            "    (\"{package}.{service}/{method}\", crate::json::<crate::{path}::{error}Error>()),"
        )
        .expect("strings take any text");
    }
    table += &constants(schema);
    write!(
        table,
        "];\npub const JSON: &[(&str, crate::Json)] = &[\n{json}];\npub const TEXTS: &[&str] = &{texts:?};\n"
    )
    .expect("strings take any text");
    table
}
