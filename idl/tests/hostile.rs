//! Compiles hostile files: huge, deeply nested, not text at all. Each gives a result or a clear error, in time that grows
//! only linearly with its length.

mod support;

use std::time::{Duration, Instant};

use support::rendered;
use zsvc_idl::{Compilation, MemoryLoader, compile};

/// Far above what any of these takes, far below what anything that is not linear would take.
const LIMIT: Duration = Duration::from_secs(60);
const TEN_MEGABYTES: usize = 10 * 1024 * 1024;
/// Length that is enough to notice time that is not linear.
const ONE_MEGABYTE: usize = 1024 * 1024;

fn compiled(text: impl Into<Vec<u8>>) -> Compilation {
    let loader = MemoryLoader::default().with("a.svc", text);
    let start = Instant::now();
    let compilation = compile(&loader, &["a.svc".to_owned()], &[]);
    let text = rendered(&compilation);
    let taken = start.elapsed();
    assert!(taken < LIMIT, "took {taken:?}");
    assert_eq!(compilation.schema.is_none(), compilation.has_errors());
    assert!(text.len() < 1_000_000, "{} bytes of messages", text.len());
    println!("{taken:?}: {}", text.lines().next().unwrap_or_default());
    compilation
}

fn codes(compilation: &Compilation) -> Vec<&'static str> {
    compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.id()).collect()
}

/// Returns a text of as many pieces as fit into a number of bytes.
fn many(size: usize, start: &str, piece: impl Fn(usize) -> String, end: &str) -> String {
    let mut text = start.to_owned();
    let mut count = 0;
    while text.len() < size {
        text.push_str(&piece(count));
        count += 1;
    }
    text + end
}

#[test]
fn ten_megabytes_of_structs() {
    let piece = |index| {
        format!(
            "/// Number {index}.\nstruct S{index} {{ x: u32 = 1; @len(1..=12) next: list<S{index}>? = 2; }}\n"
        )
    };
    assert_eq!(codes(&compiled(many(TEN_MEGABYTES, "package a;\n", piece, ""))), [""; 0]);
}

#[test]
fn ten_megabytes_of_one_enum() {
    let text = many(TEN_MEGABYTES, "package a;\nenum E {\n", |index| format!("V{index} = {index};\n"), "}\n");
    assert_eq!(codes(&compiled(text)), [""; 0]);
}

#[test]
fn a_megabyte_of_numbers_that_are_taken() {
    let twice =
        many(ONE_MEGABYTE, "package a;\nenum E {\n", |index| format!("V{index} = {};\n", index / 2), "}\n");
    let same = many(ONE_MEGABYTE, "package a;\nenum E {\n", |index| format!("V{index} = 1;\n"), "}\n");
    let all = many(
        ONE_MEGABYTE,
        "package a;\nenum E { reserved 1..;\n",
        |index| format!("V{index} = {index};\n"),
        "}\n",
    );
    let reserved = many(
        ONE_MEGABYTE,
        "package a;\nenum E { V = 1;\n",
        |index| format!("reserved {index};\n"),
        "W = 1; }\n",
    );
    for (text, code) in [(twice, "E0302"), (same, "E0302"), (all, "E0304")] {
        let told = compiled(text);
        assert_eq!(codes(&told)[0], code);
        assert_eq!(codes(&told)[99..], [code, "E0009"]);
    }
    assert_eq!(codes(&compiled(reserved)), ["E0304", "E0302", "E0304"]);
}

#[test]
fn a_megabyte_of_values_by_name() {
    let values: Vec<String> = (0..20_000).map(|index| format!("V{index} = {index};")).collect();
    let service = |name: fn(usize) -> String| {
        let start = format!("package a;\nenum E {{ {} }}\nservice S {{\n", values.concat());
        many(ONE_MEGABYTE, &start, |index| format!("rpc m{index}(@default({}) x: E);\n", name(index)), "}\n")
    };
    assert_eq!(codes(&compiled(service(|index| format!("V{}", 19_999 - index % 20_000)))), [""; 0]);
    assert_eq!(codes(&compiled(service(|index| format!("V{index}x"))))[99..], ["E0208", "E0009"]);
}

#[test]
fn a_megabyte_of_fields_in_a_message() {
    let fields: Vec<String> =
        (1..=30_000).map(|index| format!("f{index}: u8 = {};", index + 40_000)).collect();
    let message = many(ONE_MEGABYTE, "", |index| format!("{{f{}}}", 30_000 - index % 100), "");
    let text = format!("package a;\nerror E {{ @message(\"{message}\") V {{ {} }} = 1; }}", fields.concat());
    assert_eq!(codes(&compiled(text))[99..], ["E0303", "E0009"]);
}

#[test]
fn a_megabyte_of_mistakes() {
    let told = compiled(many(
        ONE_MEGABYTE,
        "package a;\n",
        |index| format!("struct S{index} {{ x: Missing{index} = 1; }}\n"),
        "",
    ));
    assert_eq!(told.diagnostics.len(), 101);
    assert_eq!(codes(&told)[99..], ["E0201", "E0009"]);
    assert_eq!(codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| "x\n".to_owned(), "")))[0], "E0101");
    // The rest of a mistake in the same line is not reported again.
    assert_eq!(codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| ";".to_owned(), ""))), ["E0101"]);
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| ";\n".to_owned(), "")))[99..],
        ["E0101", "E0009"]
    );
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a;\nstruct S {", |_| "a: u32 = 1\n".to_owned(), "}")))[0],
        "E0101"
    );
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a;\nstruct S {", |_| ";\n".to_owned(), "}")))[99..],
        ["E0101", "E0009"]
    );
}

#[test]
fn many_braces_in_the_wrong_place() {
    for piece in
        ["struct A x; ", "struct A } ", "struct A {} = 1; ", "} = x; ", "A B; ", "A { x; ", "} x: u8 = 1; "]
    {
        for start in ["package a;\n", "package a;\nstruct S {", "package a;\nunion U "] {
            for end in ["", "}"] {
                let text = many(ONE_MEGABYTE / 8, start, |_| piece.to_owned(), end);
                assert!(compiled(text).has_errors(), "{piece}");
            }
        }
    }
}

#[test]
fn a_megabyte_of_chains() {
    let aliases = compiled(many(
        ONE_MEGABYTE,
        "package a;\n",
        |index| format!("type A{index} = A{};\n", index + 1),
        "type B = u8;",
    ));
    assert_eq!(codes(&aliases), ["E0201"]);
    let circle = many(
        ONE_MEGABYTE,
        "package a;\n",
        |index| format!("struct A{index} {{ a: A{} = 1; }}\n", (index + 1) % 1000),
        "",
    );
    assert_eq!(codes(&compiled(circle)), ["E0310"]);
    let chain = many(
        ONE_MEGABYTE,
        "package a;\nstruct A0 {}\n",
        |index| format!("struct A{} {{ a: A{index}? = 1; }}\n", index + 1),
        "",
    );
    assert_eq!(codes(&compiled(chain)), [""; 0]);
}

#[test]
fn a_megabyte_of_one_thing() {
    for (byte, code) in [
        (b'{', "E0101"),
        (b'}', "E0101"),
        (b'<', "E0104"),
        (b'(', "E0101"),
        (b'"', "E0102"),
        (b'/', ""),
        (b'@', "E0101"),
        (b'?', "E0101"),
        (b'a', "E0101"),
        (b'1', "E0101"),
        (b'\n', ""),
        (b'\0', "E0008"),
        (0xff, "E0007"),
    ] {
        let mut text = b"package a;\n".to_vec();
        text.resize(ONE_MEGABYTE, byte);
        assert_eq!(codes(&compiled(text)).first().copied().unwrap_or_default(), code, "{byte}");
    }
    assert_eq!(codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| "/* ".to_owned(), "")))[0], "E0108");
    assert_eq!(codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| "\"\\".to_owned(), "")))[0], "E0102");
    assert_eq!(codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| "@a ".to_owned(), "")))[0], "E0101");
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a;\n", |_| "/// a\n".to_owned(), "")))[0],
        "E0107"
    );
    assert_eq!(codes(&compiled(many(ONE_MEGABYTE, "package ", |_| "a.".to_owned(), "a;"))), ["E0112"]);
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a; struct A { x: u32", |_| "?".to_owned(), " = 1; }"))),
        ["E0309"]
    );
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a; const A: u32 = ", |_| "9".to_owned(), ";"))),
        ["E0105"]
    );
    assert_eq!(
        codes(&compiled(many(ONE_MEGABYTE, "package a; type A = ", |_| "a.".to_owned(), "a;"))),
        ["E0201"]
    );
    assert_eq!(
        codes(&compiled(many(
            ONE_MEGABYTE,
            "package a; struct A { x: map<",
            |_| "u8, ".to_owned(),
            "u8> = 1; }"
        ))),
        ["E0207"]
    );
}

#[test]
fn ten_thousand_deep() {
    for (open, close) in [
        ("list<", ">"),
        ("{", "}"),
        ("(", ")"),
        ("[", "]"),
        ("@a(", ")"),
        ("struct A { x: ", "}"),
        ("map<u8, ", ">"),
        ("{ a: ", "}"),
        ("[{ a: ", "}]"),
    ] {
        for end in ["", close] {
            let nest = open.repeat(10_000) + "u32" + &end.repeat(10_000);
            for text in [
                format!("package a;\n{nest}\n"),
                format!("package a;\nstruct A {{ x: {nest} = 1; }}\n"),
                format!("package a;\nunion A {{ X {nest} = 1; }}\n"),
                format!("package a;\nservice A {{ rpc x(x: {nest}) -> {nest}; }}\n"),
                format!("package a;\nconst A: B = {nest};\n"),
                format!("package a;\nstruct A {{ @default({nest}) x: u8 = 1; }}\n"),
            ] {
                assert!(compiled(text).has_errors());
            }
        }
    }
}

#[test]
fn sixteen_deep_is_fine() {
    let text = format!("package a;\ntype A = {}u8{};\n", "list<".repeat(16), ">".repeat(16));
    assert_eq!(codes(&compiled(text)), [""; 0]);
}

/// Returns `T0` and types that are built on it in a number of steps.
fn aliases(count: usize, step: impl Fn(&str) -> String) -> String {
    let steps = (1..=count).map(|index| format!("type T{index} = {};\n", step(&format!("T{}", index - 1))));
    format!("package a;\ntype T0 = u8;\n{}", steps.collect::<String>())
}

#[test]
fn deep_through_aliases() {
    let list = |inner: &str| format!("list<{inner}>");
    assert_eq!(codes(&compiled(aliases(16, list))), [""; 0]);
    let map = |inner: &str| format!("map<string, {inner}>");
    let optional = |inner: &str| format!("list<{inner}?>");
    for step in [list, map, optional] {
        let told =
            compiled(aliases(20_000, step) + "struct A { x: T20000 = 1; y: list<T16> = 2; z: T16 = 3; }");
        assert_eq!(codes(&told), ["E0104"; 2]);
    }
    let backwards = |index| format!("type T{index} = list<T{}>;\n", index + 1);
    let text: String = (0..20_000).map(backwards).collect();
    assert_eq!(codes(&compiled(format!("package a;\n{text}type T20000 = u8;"))), ["E0104"]);
    assert_eq!(codes(&compiled(format!("package a;\n{text}type T20000 = list<T0>;"))), ["E0311"]);
    assert_eq!(codes(&compiled(format!("package a;\n{text}"))), ["E0104", "E0201"]);
}

#[test]
fn a_megabyte_of_one_value() {
    let numbers = many(ONE_MEGABYTE, "package a; const A: list<u8> = [", |_| "1, ".to_owned(), "];");
    assert_eq!(codes(&compiled(numbers)), ["E0104"]);
    let wrong = many(ONE_MEGABYTE, "package a; const A: list<u8> = [", |_| "x, ".to_owned(), "];");
    assert!(codes(&compiled(wrong)).iter().all(|code| ["E0104", "E0208", "E0009"].contains(code)));
    let open = many(ONE_MEGABYTE, "package a;\n", |_| "const A: B = { a: [".to_owned(), "");
    assert!(compiled(open).has_errors());
    let open = many(ONE_MEGABYTE, "package a;\n", |_| "struct A { @default({ a: ".to_owned(), "");
    assert!(compiled(open).has_errors());
    // Each holds the one before ten times.
    let structs: Vec<String> = (1..1_000)
        .map(|index| {
            format!("struct S{index} {{ @default([{{}}, {{}}, {{}}]) a: list<S{}> = 1; }}", index - 1)
        })
        .collect();
    let structs = structs.join("\n");
    assert!(codes(&compiled(format!("package a;\nstruct S0 {{}}\n{structs}"))).contains(&"E0104"));
    // Each is short, and leaves many fields out.
    let fields: Vec<_> = (1..=4_000).map(|number| format!("f{number}: u8? = {number};")).collect();
    let fields = fields.concat();
    let wide = many(ONE_MEGABYTE / 2, "const A: list<Wide> = [", |_| "{}, ".to_owned(), "];");
    assert_eq!(codes(&compiled(format!("package a;\nstruct Wide {{ {fields} }}\n{wide}"))), ["E0104"]);
    let one = format!("package a;\nstruct Wide {{ {fields} }}\nconst A: Wide = {{}};");
    assert_eq!(codes(&compiled(one)), [""; 0]);
    let names: Vec<String> =
        (1..10_000).map(|index| format!("const A{index}: list<u8> = [A{}];", index - 1)).collect();
    let names = names.join("\n");
    assert!(compiled(format!("package a;\nconst A0: u8 = 1;\n{names}")).has_errors());
}

#[test]
fn five_thousand_parts() {
    let package = |count| format!("package {};\n", vec!["a"; count].join("."));
    assert_eq!(codes(&compiled(package(16))), [""; 0]);
    assert_eq!(codes(&compiled(package(17))), ["E0112"]);
    assert_eq!(codes(&compiled(package(5_000))), ["E0112"]);
}

#[test]
fn declarations_inside_each_other() {
    for (start, piece, end) in [
        ("package a;\nstruct A {\n", "  struct B { x: u32 = 1; }\n", "}\n"),
        ("package a; struct A { ", "struct B { struct C { x u32 = 1; } } ", "}"),
        ("package a;\n", "struct A {\n  struct B {\n}\n}\n", ""),
        ("package a;\n", "struct A {\n  struct B {\n", ""),
        ("package a;\nstruct A {\n", "  oneof b { u32 c = 1; }\n@a(", "}\n"),
    ] {
        let compilation = compiled(many(ONE_MEGABYTE, start, |_| piece.to_owned(), end));
        assert!(compilation.has_errors());
    }
    let nest = |count: usize, inside: &str| {
        format!("package a; {}{inside}{}", "struct A { ".repeat(count), "} ".repeat(count))
    };
    let union = "union B { struct C {} X = 1; struct D {} }";
    for (count, inside, code) in
        [(50_000, "", "E0104"), (17, "", "E0104"), (15, union, "E0104"), (14, union, "")]
    {
        assert_eq!(
            codes(&compiled(nest(count, inside))).first().copied().unwrap_or_default(),
            code,
            "{count}"
        );
    }
    let many_inside = many(
        ONE_MEGABYTE,
        "package a;\nstruct A {\n",
        |index| {
            format!("  enum E{index} {{ V = 0; }}\n  e{index}: A.E{index}? = 1; reserved \"x{index}\";\n")
        },
        "}\n",
    );
    assert!(codes(&compiled(many_inside)).iter().all(|code| ["E0302", "E0303", "E0009"].contains(code)));
}

#[test]
fn a_megabyte_of_merge_conflicts_and_of_what_no_editor_shows() {
    let conflicts = many(ONE_MEGABYTE, "package a;\n", |_| "<<<<<<< a\n=======\n>>>>>>> b\n".to_owned(), "");
    assert!(codes(&compiled(conflicts)).iter().all(|code| ["E0115", "E0009"].contains(code)));
    let marks = many(ONE_MEGABYTE, "package a;\n<<<<<<< a\n", |_| "=======\n".to_owned(), "");
    assert_eq!(codes(&compiled(marks)), ["E0115"]);
    let unseen = many(ONE_MEGABYTE, "package a;\n", |_| "\u{200b}\u{a0}".to_owned(), "");
    assert!(codes(&compiled(unseen)).iter().all(|code| ["E0008", "E0009"].contains(code)));
}

#[test]
fn many_services_that_extend_others() {
    let methods = (0..1_025).map(|number| format!("rpc m{number}(); ")).collect::<Vec<_>>().concat();
    let large = format!("package a; service B {{ {methods} }}\n");
    let each = |number: usize| format!("service S{number} extends B {{}}\n");
    assert!(codes(&compiled(many(ONE_MEGABYTE, &large, each, ""))).contains(&"E0327"));
    // Each is within its own limits.
    let methods = (0..1_000).map(|number| format!("rpc m{number}(); ")).collect::<Vec<_>>().concat();
    let each = |number: usize| format!("service S{number} extends B {{}}\n");
    let large = compiled(many(ONE_MEGABYTE, &format!("package a; service B {{ {methods} }}\n"), each, ""));
    assert_eq!(codes(&large), ["E0327"]);
    let docs = format!("package a; service B {{\n/// {}\nrpc m(); }}\n", "x".repeat(ONE_MEGABYTE));
    assert_eq!(codes(&compiled(many(2 * ONE_MEGABYTE, &docs, each, ""))), ["E0327"]);
    let fair =
        (0..100).map(|number| format!("service S{number} extends B {{}}\n")).collect::<Vec<_>>().concat();
    let fair = compiled(format!("package a; service B {{ {methods} }}\n{fair}"));
    assert_eq!(codes(&fair), [""; 0]);
    let chain = |number: usize| format!("service S{} extends S{number} {{}}\n", number + 1);
    let chain = compiled(many(ONE_MEGABYTE, "package a; service S0 { rpc a(); }\n", chain, ""));
    assert!(codes(&chain).contains(&"E0327"));
    let circle = compiled("package a; ".to_owned() + &"service A extends A, A, A {}\n".repeat(1_000));
    assert!(codes(&circle).contains(&"E0323"));
}
