//! Tests lints and their levels: which rules run where, and how findings are reported. What each rule finds is in `cases`.

mod support;

use support::{Folder, repository};
use zsvc_idl::diagnostic::Severity;
use zsvc_idl::lint::{Level, Levels, Rule, rule, rules};
use zsvc_idl::{Compilation, MemoryLoader, compile_with};

const FILE: &str =
    "package a.v1; import \"b.svc\"; struct thing { b: b.B = 1; } struct Other { At: u64 = 1; }";
const IMPORTED: &str = "package b; struct B { seen_at: u64 = 1; } struct small {}";

fn compiled(text: &str, levels: &Levels) -> Compilation {
    let loader = MemoryLoader::default().with("a.svc", text).with("b.svc", IMPORTED);
    compile_with(&loader, &["a.svc".to_owned()], &[], levels)
}

/// Returns the findings as `a.svc W0001`, an error as `a.svc W0001!`.
fn told(text: &str, levels: &Levels) -> Vec<String> {
    let compilation = compiled(text, levels);
    let told = compilation.diagnostics.iter().map(|diagnostic| {
        let span = diagnostic.primary.as_ref().expect("lints have places").span;
        let mark = if diagnostic.severity() == Severity::Error { "!" } else { "" };
        format!("{} {}{mark}", compilation.sources.file(span.file).path(), diagnostic.code)
    });
    told.collect()
}

fn with(mut levels: Levels, names: &[&str], level: Level) -> Levels {
    for name in names {
        levels.set(rule(name).expect("a rule of that name"), level);
    }
    levels
}

#[test]
fn reading_looks_at_spelling_alone_and_in_imported_files_too() {
    assert_eq!(told(FILE, &Levels::of_check()), ["a.svc W0001", "a.svc W0002", "b.svc W0001"]);
}

#[test]
fn linting_looks_at_all_in_the_files_that_were_named() {
    let levels = with(Levels::of_lint(), &["missing-docs"], Level::Off);
    assert_eq!(told(FILE, &levels), ["a.svc W0001", "a.svc W0002", "b.svc W0001"]);
    let text = FILE.replace("At", "at");
    assert_eq!(told(&text, &levels), ["a.svc W0001", "a.svc W0116", "b.svc W0001"]);
}

#[test]
fn what_is_chosen_is_looked_at_wherever_a_file_is_read() {
    let levels = with(Levels::of_check(), &["missing-docs"], Level::Warn);
    assert_eq!(told("package a.v1; struct A {}", &levels), ["a.svc W0101"]);
}

#[test]
fn what_is_denied_is_an_error() {
    let text = "package a.v1; struct A {}";
    let levels = with(Levels::of_check(), &["missing-docs"], Level::Deny);
    assert_eq!(told(text, &levels), ["a.svc W0101!"]);
    let compilation = compiled(text, &levels);
    assert!(compilation.has_errors() && compilation.schema.is_none());
    assert!(compiled(text, &Levels::of_lint()).schema.is_some());
}

#[test]
fn of_what_is_denied_a_hundred_are_told_and_the_rest_counted() {
    let structs: Vec<String> = (0..120).map(|index| format!("struct A{index} {{}}")).collect();
    let text = format!("package a.v1; {}", structs.join(" "));
    let told = told(&text, &with(Levels::of_check(), &["missing-docs"], Level::Deny));
    assert_eq!((told.len(), told.last().map(String::as_str)), (101, Some("a.svc E0009!")));
}

#[test]
fn where_there_are_errors_only_spelling_is_looked_at() {
    let text = "package a; import \"b.svc\"; struct thing { a: Missing = 1; } service S {}";
    assert_eq!(told(text, &Levels::of_lint()), ["a.svc W0001", "a.svc E0201!", "b.svc W0001"]);
}

#[test]
fn what_is_off_is_neither_told_nor_asked_for_an_allow() {
    let text = "package a.v1; @allow(pascal_case, snake_case) struct A { At: timestamp = 1; }";
    let levels = with(Levels::of_check(), &["unused-allow"], Level::Warn);
    assert_eq!(told(text, &levels), ["a.svc W0105"]);
    assert!(told(text, &with(levels, &["pascal-case", "snake-case"], Level::Off)).is_empty());
}

#[test]
fn a_package_without_a_service_is_there_for_others() {
    let levels = with(Levels::of_lint(), &["missing-docs"], Level::Off);
    assert!(told("package a; struct A {} type Name = string;", &levels).is_empty());
    let served = "package a.v1; struct A {} service S { rpc a(); }";
    assert_eq!(told(served, &levels), ["a.svc W0104"]);
}

#[test]
fn an_unused_allow_can_be_allowed() {
    let levels = with(Levels::of_check(), &["unused-allow"], Level::Warn);
    assert_eq!(told("package a.v1; @allow(snake_case) struct A {}", &levels), ["a.svc W0105"]);
    assert!(told("package a.v1; @allow(snake_case, unused_allow) struct A {}", &levels).is_empty());
}

#[test]
fn every_rule_can_be_allowed_for_a_whole_file() {
    for rule in rules().filter(|rule| rule.name() != "unused-allow") {
        let name = rule.name().replace('-', "_");
        let path = format!("{}/tests/cases", env!("CARGO_MANIFEST_DIR"));
        let case = std::fs::read_dir(path).expect("the folder of the cases").find_map(|entry| {
            let path = entry.expect("a readable entry").path();
            let is_case = path.extension().is_some_and(|extension| extension == "svc");
            let is_its = is_case && path.file_name()?.to_str()?.starts_with(rule.code().id());
            is_its.then(|| std::fs::read_to_string(path).expect("a readable case"))
        });
        let case = case.expect("each rule has a case");
        let text = format!("@allow({name})\n{}", case.split("//---").next().unwrap_or_default());
        let levels = with(Levels::of_check(), &[rule.name()], Level::Warn);
        let told = compiled(&text, &levels).diagnostics;
        assert!(told.iter().all(|diagnostic| diagnostic.code != rule.code()), "{name}");
    }
}

#[test]
fn every_rule_looks_at_every_file_of_the_tests_and_says_what_to_do() {
    let names: Vec<&str> = rules().map(Rule::name).collect();
    let levels = with(Levels::of_lint(), &names, Level::Deny);
    let mut found = 0;
    for folder in ["idl/tests/cases", "examples/tape/svc", "codegen/tests/compiled/svc"] {
        for entry in std::fs::read_dir(repository().join(folder)).expect("a folder of the repository") {
            let path = entry.expect("a readable entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a plain name").to_owned();
            let compilation = compile_with(&Folder::of_repository(folder), &[name], &[], &levels);
            let lints = compilation.diagnostics.iter().filter(|it| it.code.id().starts_with("W01"));
            found += lints.inspect(|it| assert!(it.help.is_some(), "{}", it.message)).count();
        }
    }
    assert!(found > 100, "only {found} were found");
}

#[test]
fn the_reference_of_the_command_has_a_row_for_each_rule() {
    let path = repository().join("docs/tool.md");
    let reference = std::fs::read_to_string(path).expect("part of the repository");
    let rows: Vec<&str> = reference.lines().filter(|line| line.starts_with("| `W")).collect();
    assert_eq!(rows.len(), rules().count());
    for (row, rule) in rows.into_iter().zip(rules()) {
        let start = format!("| `{}` | `{}` | {} | ", rule.code(), rule.name(), rule.default_level().name());
        assert!(row.starts_with(&start), "{row} should start with {start}");
    }
}
