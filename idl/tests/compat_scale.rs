//! Compares schemas that are large, deep or recursive: the time grows only linearly with the schemas, and the result is that
//! of a small schema of the same shape.

use std::fmt::Write;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use zsvc_idl::compat::{Change, Kind, compare};
use zsvc_idl::schema::Schema;
use zsvc_idl::{MemoryLoader, compile};

/// Far above what any of these takes, far below what anything that is not linear would take.
const LIMIT: Duration = Duration::from_secs(60);

fn schema(text: &str) -> Schema {
    let compilation = compile(&MemoryLoader::default().with("a.svc", text), &["a.svc".to_owned()], &[]);
    compilation.schema.unwrap_or_else(|| panic!("{:#?}", compilation.diagnostics.first()))
}

/// Returns the changes between two texts, found in time and on a stack as small as that of a spawned thread.
fn told(old: String, new: String) -> Vec<Change> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(compare(&schema(&old), &schema(&new))));
    receiver.recv_timeout(LIMIT).expect("it ends in time, and without a panic")
}

/// Returns the codes of the changes that break the wire.
fn broken(changes: &[Change]) -> Vec<&'static str> {
    changes.iter().filter(|change| change.kind() == Kind::Wire).map(|change| change.code.id()).collect()
}

/// Writes two families of structs, and a struct that holds the first of a family.
fn families(holds: char, family: impl Fn(char) -> String) -> String {
    format!("package a.v1;\n{}{}struct R {{ a: {holds}0 = 1; }}\n", family('A'), family('B'))
}

/// Writes structs that each hold the next; the last ones of the families differ.
fn line(holds: char, count: usize) -> String {
    families(holds, |family| {
        let mut text = String::new();
        for index in 0..count {
            writeln!(text, "struct {family}{index} {{ a: list<{family}{}> = 1; }}", index + 1)
                .expect("strings take any text");
        }
        let last = if family == 'A' { "u8" } else { "u16" };
        text + &format!("struct {family}{count} {{ b: {last} = 2; }}\n")
    })
}

/// Writes structs that each hold the next and another, the last one the first; one of them differs, if asked.
fn circle(family: char, count: usize, odd: Option<usize>) -> String {
    let mut text = String::new();
    for index in 0..count {
        let (next, other) = ((index + 1) % count, (index * 7 + 3) % count);
        let last = if odd == Some(index) && family == 'B' { "u16" } else { "u8" };
        writeln!(
            text,
            "struct {family}{index} {{ a: list<{family}{next}> = 1; c: list<{family}{other}> = 3; b: {last} = 2; }}"
        )
        .expect("strings take any text");
    }
    text
}

fn circles(holds: char, count: usize, odd: Option<usize>) -> String {
    families(holds, |family| circle(family, count, odd))
}

#[test]
fn a_line_of_3000_types_that_others_take_the_place_of() {
    let changes = told(line('A', 3_000), line('B', 3_000));
    assert_eq!(broken(&changes), ["D0308"], "{changes:#?}");
    let effects = changes[0].effects;
    assert_eq!((effects.old_reads_new, effects.new_reads_old), (true, false), "a `u16` is no `u8`");
}

#[test]
fn a_circle_of_300_types_that_others_take_the_place_of() {
    let changes = told(circles('A', 300, Some(150)), circles('B', 300, Some(150)));
    assert_eq!(broken(&changes), ["D0308"], "{changes:#?}");
    let effects = changes[0].effects;
    assert_eq!((effects.old_reads_new, effects.new_reads_old), (true, false), "a `u16` is no `u8`");
}

#[test]
fn a_circle_of_300_types_that_the_same_take_the_place_of() {
    let changes = told(circles('A', 300, None), circles('B', 300, None));
    assert_eq!(broken(&changes), [""; 0]);
    assert_eq!(changes.len(), 1, "{changes:#?}");
}

#[test]
fn a_circle_of_3000_types_that_others_take_the_place_of() {
    let changes = told(circles('A', 3_000, Some(1_500)), circles('B', 3_000, Some(1_500)));
    assert_eq!(broken(&changes), ["D0308"], "{changes:#?}");
}

/// Each type of one cycle is paired with each of the other: a million pairs, most of which are not compared.
#[test]
fn circles_of_different_lengths_are_taken_for_different() {
    let text = |holds, method: &str| {
        let length = |family| if family == 'A' { 1_000 } else { 1_001 };
        let structs = families(holds, |family| circle(family, length(family), None));
        format!("{structs}service S {{ rpc a({method}); }}\n")
    };
    let changes = told(text('A', "a: A0"), text('B', "a: B0"));
    assert_eq!(broken(&changes), ["D0308", "D0308"], "{changes:#?}");
}

/// Cycles of different lengths, few enough that all pairs are compared.
#[test]
fn circles_of_different_lengths_may_be_the_same() {
    let text = |holds| families(holds, |family| circle(family, if family == 'A' { 4 } else { 5 }, None));
    let changes = told(text('A'), text('B'));
    assert_eq!(broken(&changes), [""; 0], "{changes:#?}");
}

/// Packages that declare the same names, or have some in common, each with another name.
#[test]
fn a_thousand_packages_are_renamed() {
    let text = |version| {
        let package = |index| {
            format!(
                "package p{index}.{version};\nstruct T{index} {{ a: u8 = 1; }}\nstruct Id {{ a: u8 = 1; }}\n"
            )
        };
        (0..1_000).map(package).collect::<Vec<String>>()
    };
    let schema = |texts: Vec<String>| {
        let files: Vec<String> = (0..texts.len()).map(|index| format!("f{index:04}.svc")).collect();
        let loader = files
            .iter()
            .zip(&texts)
            .fold(MemoryLoader::default(), |loader, (file, text)| loader.with(file.as_str(), text.as_str()));
        compile(&loader, &files, &[]).schema.expect("there is no error")
    };
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(compare(&schema(text("v1")), &schema(text("v2")))));
    let changes = receiver.recv_timeout(LIMIT).expect("it ends in time");
    assert_eq!(broken(&changes), [""; 0]);
    let renamed: Vec<&str> =
        changes.iter().filter(|it| it.code.id() == "D0103").map(|it| it.message.as_str()).collect();
    assert_eq!(renamed.len(), 1_000);
    assert!(renamed.contains(&"package `p17.v1` is named `p17.v2` now"), "{:?}", renamed.first());
}
