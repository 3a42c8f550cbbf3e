//! Tests how files are found by imports, and how names refer to other files.

mod support;

use support::rendered;
use zsvc_idl::{Compilation, LoadError, Loader, MemoryLoader, compile};

fn compiled(loader: &MemoryLoader, files: &[&str], include_paths: &[&str]) -> Compilation {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    compile(loader, &owned(files), &owned(include_paths))
}

fn paths(compilation: &Compilation) -> Vec<&str> {
    compilation.sources.files().iter().map(zsvc_idl::source::SourceFile::path).collect()
}

#[test]
fn beside_the_importing_file_before_the_include_paths() {
    let loader = MemoryLoader::default()
        .with("svc/a.svc", "package a; import \"b.svc\"; import \"sub/c.svc\";")
        .with("svc/b.svc", "package b;")
        .with("include/b.svc", "package wrong;")
        .with("include/sub/c.svc", "package c; import \"../d.svc\";")
        .with("include/d.svc", "package d;");
    let compilation = compiled(&loader, &["svc/a.svc"], &["nowhere", "include"]);
    assert_eq!(rendered(&compilation), "");
    assert_eq!(paths(&compilation), ["svc/a.svc", "svc/b.svc", "include/sub/c.svc", "include/d.svc"]);
}

#[test]
fn a_file_reached_twice_is_read_once() {
    let loader = MemoryLoader::default()
        .with(
            "a.svc",
            "package a; import \"b.svc\" as b; import \"c.svc\" as c; struct A { b: b.B = 1; c: c.C = 2; }",
        )
        .with("b.svc", "package b; struct B {}")
        .with("c.svc", "package c; import \"./x/../b.svc\" as b; struct C { b: b.B = 1; }");
    let compilation = compiled(&loader, &["a.svc", "./b.svc", "a.svc"], &[]);
    assert_eq!(rendered(&compilation), "");
    assert_eq!(paths(&compilation), ["a.svc", "./b.svc", "c.svc"]);
}

#[test]
fn several_files_share_a_package() {
    let loader = MemoryLoader::default()
        .with("a.svc", "/// One.\npackage p.v1; import \"b.svc\"; struct A { b: B = 1; }")
        .with("b.svc", "/// Two.\npackage p.v1; struct B {}");
    let compilation = compiled(&loader, &["a.svc"], &[]);
    assert_eq!(rendered(&compilation), "");
    let schema = compilation.schema.expect("there are no errors");
    assert_eq!(schema.packages.len(), 1);
    assert_eq!(schema.packages[0].types.len(), 2);
    assert_eq!(schema.packages[0].docs, "One.\n\nTwo.");
}

#[test]
fn an_import_is_not_passed_on() {
    let loader = MemoryLoader::default()
        .with("a.svc", "package a; import \"b.svc\"; struct A { c: c.C = 1; }")
        .with("b.svc", "package b; import \"c.svc\"; struct B { c: c.C = 1; }")
        .with("c.svc", "package c; struct C {}");
    let compilation = compiled(&loader, &["a.svc"], &[]);
    assert_eq!(compilation.diagnostics.len(), 1, "{}", rendered(&compilation));
    assert_eq!(compilation.diagnostics[0].code.id(), "E0202");
}

#[test]
fn the_same_files_give_the_same_words_each_time() {
    let names = (0..50)
        .fold(String::new(), |text, index| text + &format!("struct S{index} {{ x: T{index} = 1; }}\n"));
    let loader = MemoryLoader::default().with("a.svc", format!("package a;\n{names}"));
    let first = rendered(&compiled(&loader, &["a.svc"], &[]));
    for _ in 0..20 {
        assert_eq!(rendered(&compiled(&loader, &["a.svc"], &[])), first);
    }
}

/// Files in memory, with a folder `link` that is an alias of `real`.
struct Linked(MemoryLoader);

impl Loader for Linked {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        self.0.load(&self.identity(path).expect("every path has an identity here"))
    }

    fn identity(&self, path: &str) -> Option<String> {
        Some(path.replace("link/", "real/"))
    }
}

#[test]
fn a_file_reached_by_a_link_is_the_same_file() {
    let files = MemoryLoader::default()
        .with("real/a.svc", "package a; import \"b.svc\"; struct A { b: b.B = 1; }")
        .with("real/b.svc", "package b; struct B {}")
        .with("c.svc", "package c; import \"link/b.svc\"; import \"real/b.svc\"; struct C { b: b.B = 1; }");
    let named = ["real/a.svc", "link/a.svc", "link/b.svc", "c.svc"].map(str::to_owned);
    let compilation = compile(&Linked(files), &named, &[]);
    assert_eq!(
        paths(&compilation),
        ["real/a.svc", "real/b.svc", "c.svc"].map(|path| path.replace("real/b", "link/b"))
    );
    let codes: Vec<&str> = compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect();
    assert_eq!(codes, ["E0005"], "{}", rendered(&compilation));
}
