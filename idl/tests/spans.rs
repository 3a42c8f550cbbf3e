//! Tests the text under the primary label of each diagnostic: exactly what has to be changed.

use zsvc_idl::{MemoryLoader, compile};

/// Compiles the body of a file; returns the code of each diagnostic and the text under its label.
fn labels(text: &str) -> Vec<String> {
    let text = format!("package a.v1;\n{text}");
    let loader = MemoryLoader::default().with("a.svc", text).with("b.svc", "package b.v1; struct B {}");
    let compilation = compile(&loader, &["a.svc".to_owned()], &[]);
    let labels = compilation.diagnostics.iter().map(|diagnostic| {
        let label = diagnostic.primary.as_ref().expect("every diagnostic about a text has a place in it");
        format!("{} {}", diagnostic.code, compilation.sources.text(label.span))
    });
    labels.collect()
}

fn check(text: &str, expected: &[&str]) {
    assert_eq!(labels(text), expected, "{text}");
}

#[test]
fn types() {
    check("struct A { a: Nowhere = 1; }", &["E0201 Nowhere"]);
    check("struct A { a: list< map<string , Nowhere> > = 1; }", &["E0201 Nowhere"]);
    check("import \"b.svc\" as b; struct A { a: b.Nowhere = 1; }", &["E0201 Nowhere"]);
    check("struct A { a: nowhere.v1.Thing? = 1; }", &["E0202 nowhere.v1"]);
    check("struct A { a: list = 1; }", &["E0207 list"]);
    check("struct A { a: list < u8 , u8 > ? = 1; }", &["E0207 list < u8 , u8 > ?"]);
    check("struct A { a: map<list<u8>, u8> = 1; }", &["E0308 list<u8>"]);
    check("struct A { a: u8 ? ? = 1; }", &["E0309 ?"]);
    check("struct A { a: A = 1; }", &["E0310 A"]);
}

#[test]
fn members() {
    check("struct A { a: u8 = 1; a: u8 = 2; }", &["E0301 a"]);
    check("struct A { a: u8 = 1; b: u8 = 0x01; }", &["E0302 0x01"]);
    check("struct A { a: u8 = 65536 ; }", &["E0303 65536"]);
    check(
        "struct A { reserved 3 .. , 250..=3000000000 ; }",
        &["E0303 250..=3000000000", "E0306 250..=3000000000"],
    );
    check("struct A { reserved \"x\" , 5 .. 5 ; x: u8 = 1; }", &["E0307 5 .. 5", "E0305 x"]);
    check("enum A { reserved 1; B = 1; }", &["E0304 1"]);
}

#[test]
fn attributes() {
    check("struct A { @lenn( 1..5 ) a: string = 1; }", &["E0401 @lenn( 1..5 )"]);
    check("struct A { @idempotent a: string = 1; }", &["E0402 @idempotent"]);
    check("struct A { @len( 5 .. 5 ) a: string = 1; }", &["E0406 5 .. 5"]);
    check("struct A { @len( 1.. /* */ ) a: string = 1; }", &["E0108 /* */"]);
    check("struct A { @default( 300 ) a: u8 = 1; }", &["E0412 300"]);
    check("error A { @message(\"a {b} c\") B = 1; }", &["E0409 {b}"]);
    check("const A: string = \"a\\qb\";", &["E0106 \\q"]);
}

#[test]
fn methods() {
    check("service A { rpc b(x: stream u8, y: u8); }", &["E0312 stream"]);
    check("struct B {} service A { rpc b() throws B ; }", &["E0313 B"]);
    check("service A { oneway b() -> list<u8> ; }", &["E0314 -> list<u8>"]);
}

#[test]
fn syntax() {
    check("struct A { a u8 = 1; }", &["E0101 u8"]);
    // What is missing at the end of a line belongs right after it: the label is empty.
    check("struct A { a: u8 = 1\n b: u8 = 2; }", &["E0101 "]);
    check("struct A {", &["E0103 {"]);
    check("const A: string = \"a;", &["E0102 \"a;"]);
    check("const A: u8 = 12x;", &["E0105 12x"]);
}
