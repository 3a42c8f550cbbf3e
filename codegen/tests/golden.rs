//! Compares the Rust of one construct at a time with `golden/NAME.rs`. `SNAPSHOTS=overwrite` accepts changes.

use std::path::PathBuf;

use snapbox::{Assert, Data};
use zsvc_codegen::{Disk, Options, Placement, Sides, generate};

/// Generates from `golden/{input}.svc` and compares to `golden/{output}.rs`, which has to be there.
fn check(input: &str, output: &str, options: &Options) {
    let folder = PathBuf::from("tests/golden");
    let file = folder.join(input).with_extension("svc").to_string_lossy().into_owned();
    let compilation = zsvc_idl::compile(&Disk::default(), &[file], &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let choices = options.resolve(&schema).expect("options that fit the schema");
    let text = generate(&schema, &choices, &compilation.sources, Placement::Included);
    let expected = Data::read_from(&folder.join(output).with_extension("rs"), None).raw();
    Assert::new().action_env("SNAPSHOTS").eq(text, expected);
}

fn golden(name: &str) {
    check(name, name, &Options::default());
}

#[test]
fn aliases() {
    golden("alias");
}

#[test]
fn constants() {
    golden("constants");
}

#[test]
fn structs() {
    golden("structs");
}

#[test]
fn empty_structs() {
    golden("empty_struct");
}

#[test]
fn defaults() {
    golden("defaults");
}

#[test]
fn recursion() {
    golden("recursion");
}

#[test]
fn enums() {
    golden("enums");
}

#[test]
fn unions() {
    golden("unions");
}

#[test]
fn errors() {
    golden("errors");
}

#[test]
fn several_errors_of_a_method() {
    golden("throws");
}

#[test]
fn bounds() {
    golden("bounds");
}

#[test]
fn names() {
    golden("names");
}

#[test]
fn packages() {
    golden("packages");
}

#[test]
fn docs() {
    golden("docs");
}

#[test]
fn deprecations() {
    golden("deprecated");
}

#[test]
fn unary_methods() {
    golden("unary");
}

#[test]
fn streaming_methods() {
    golden("streams");
}

#[test]
fn one_way_methods() {
    golden("one_way");
}

#[test]
fn overlapping_methods() {
    check("overlap", "overlap", &Options { sides: Sides::Server, ..Options::default() });
}

#[test]
fn methods_for_roles() {
    golden("roles");
}

#[test]
fn numbers_that_are_far_apart() {
    golden("numbers");
}

#[test]
fn services_that_extend_others() {
    check("extends", "extends", &Options { mocks: true, ..Options::default() });
}

#[test]
fn client_only() {
    check("options", "client_only", &Options { sides: Sides::Client, ..Options::default() });
}

#[test]
fn client_only_without_methods() {
    check("idle", "idle", &Options { sides: Sides::Client, ..Options::default() });
}

#[test]
fn server_only() {
    check("options", "server_only", &Options { sides: Sides::Server, ..Options::default() });
}

#[test]
fn mocks() {
    check("mocks", "mocks", &Options { sides: Sides::Server, mocks: true, ..Options::default() });
}

#[test]
fn packages_of_another_crate_and_a_renamed_runtime() {
    let options = Options {
        extern_packages: vec![("market.money".to_owned(), "::money_types".to_owned())],
        runtime: Some("::acme::zsvc".to_owned()),
        ..Options::default()
    };
    check("packages", "extern", &options);
}

#[test]
fn derives_and_replacements() {
    let pair = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
    let options = Options {
        derives: pair("golden.Trade", "Eq, ::serde_json::Value, Clone"),
        replacements: pair("golden.Amount", "::my::Amount<i64>"),
        sides: Sides::Client,
        ..Options::default()
    };
    check("options", "replaced", &options);
}
