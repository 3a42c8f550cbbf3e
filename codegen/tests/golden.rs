//! Compares the Rust of one construct at a time with `golden/NAME.rs`, and the Python with the files below
//! `golden/python/NAME`. `SNAPSHOTS=overwrite` accepts changes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use snapbox::{Assert, Data};
use zsvc_codegen::{Disk, Language, Options, Placement, Sides, generate, generate_files};

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
fn flags() {
    golden("flags");
}

#[test]
fn values() {
    golden("values");
}

#[test]
fn events() {
    golden("events");
}

#[test]
fn nested_types() {
    golden("nested");
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
fn sets_of_keys() {
    golden("sets");
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

/// Generates Python from `golden/{input}.svc`, and compares it to the files below `golden/python/{output}`.
fn check_python(input: &str, output: &str, sides: Sides) {
    let file = PathBuf::from("tests/golden").join(input).with_extension("svc").to_string_lossy().into_owned();
    let compilation = zsvc_idl::compile(&Disk::default(), &[file], &[]);
    let schema = compilation.schema.unwrap_or_else(|| panic!("errors: {:#?}", compilation.diagnostics));
    let options = Options { language: Language::Python, sides, ..Options::default() };
    let choices = options.resolve(&schema).expect("options that fit the schema");
    let folder = PathBuf::from("tests/golden/python").join(output);
    let files = generate_files(&schema, &choices, &compilation.sources);
    for file in &files {
        let expected = Data::read_from(&folder.join(&file.path), None).raw();
        Assert::new().action_env("SNAPSHOTS").eq(file.text.clone(), expected);
    }
    let made: BTreeSet<PathBuf> = files.iter().map(|file| folder.join(&file.path)).collect();
    assert_eq!(found(&folder), made, "the files of `{output}`");
}

/// Returns the Python files below a folder. What Python and its tools keep there is none.
fn found(folder: &Path) -> BTreeSet<PathBuf> {
    let mut files = BTreeSet::new();
    for entry in fs::read_dir(folder).expect("a golden folder") {
        let path = entry.expect("an entry of a folder").path();
        if path.is_dir() {
            files.extend(found(&path));
        } else if path.extension().is_some_and(|extension| extension == "py") {
            files.insert(path);
        }
    }
    files
}

#[test]
fn python() {
    for name in [
        "alias",
        "bounds",
        "circle",
        "constants",
        "defaults",
        "deprecated",
        "docs",
        "empty_struct",
        "enums",
        "errors",
        "events",
        "extends",
        "flags",
        "hazards",
        "idle",
        "names",
        "nested",
        "numbers",
        "one_way",
        "overlap",
        "packages",
        "recursion",
        "roles",
        "sets",
        "streams",
        "structs",
        "throws",
        "unary",
        "unions",
        "values",
    ] {
        check_python(name, name, Sides::Both);
    }
}

#[test]
fn python_of_one_side() {
    check_python("options", "client_only", Sides::Client);
    check_python("options", "server_only", Sides::Server);
}
