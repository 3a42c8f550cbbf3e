//! Compiles each file in `cases/`, with the lint that it is named after, if any, and compares all diagnostics with its
//! golden, `NAME.txt`.
//!
//! `SNAPSHOTS=overwrite cargo test -p zsvc-idl` writes the goldens anew; look at what changed before you commit it.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};
use support::files::files;
use support::{levels_for, rendered, repository};
use zsvc_idl::diagnostic::Code;
use zsvc_idl::{Compilation, LoadError, Loader, MemoryLoader, compile, compile_with};

/// Codes that no text can cause.
const WITHOUT_CASE: [&str; 4] = [
    // An internal error of the compiler: a known case would be fixed.
    "E0010",
    // An error in a project file, which `zsvc-codegen` reads: the cases are in `codegen/tests/project`.
    "E0501", "E0502", "E0503",
];

fn folder() -> PathBuf {
    repository().join("idl/tests/cases")
}

/// Returns the names of all cases.
fn names() -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let cases = paths.filter(|path| path.extension().is_some_and(|extension| extension == "svc"));
    cases.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect()
}

fn compiled(name: &str) -> Compilation {
    let bytes =
        std::fs::read(folder().join(format!("{name}.svc"))).expect("the case was listed a moment ago");
    let code = name.split('_').next().unwrap_or_default();
    compile_with(&files(&format!("{name}.svc"), &bytes), &[format!("{name}.svc")], &[], &levels_for(code))
}

fn assert_golden(name: &str, compilation: &Compilation) {
    let path: &Path = &folder().join(format!("{name}.txt"));
    let blessing = std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite");
    assert!(path.exists() || blessing, "there is no {}: write it with SNAPSHOTS=overwrite", path.display());
    let golden = Data::read_from(path, Some(DataFormat::Text)).raw();
    Assert::new().action_env("SNAPSHOTS").eq(rendered(compilation), golden);
    assert_eq!(compilation.schema.is_none(), compilation.has_errors());
}

#[test]
fn every_case_is_told_as_its_golden_has_it() {
    for name in names() {
        assert_golden(&name, &compiled(&name));
    }
}

#[test]
fn ten_different_mistakes_are_ten_errors_in_order() {
    let compilation = compiled("ten_mistakes");
    let told = &compilation.diagnostics;
    let codes: BTreeSet<&str> = told.iter().map(|diagnostic| diagnostic.code.id()).collect();
    assert_eq!((told.len(), codes.len()), (10, 10));
    let span = |index: usize| told[index].primary.as_ref().map(|label| label.span);
    assert!((1..told.len()).all(|index| span(index - 1) < span(index)));
    assert!(told.iter().all(|diagnostic| diagnostic.help.is_some()));
}

#[test]
fn three_syntax_errors_and_ten_others_are_thirteen() {
    let compilation = compiled("thirteen_mistakes");
    let codes = compilation.diagnostics.iter().map(|diagnostic| diagnostic.code.id());
    let (syntax, others): (Vec<&str>, Vec<&str>) = codes.partition(|code| code.starts_with("E01"));
    assert_eq!((syntax.len(), others.len()), (3, 10), "{}", rendered(&compilation));
    assert_eq!(others.iter().collect::<BTreeSet<_>>().len(), 10);
}

#[test]
fn every_diagnostic_says_what_to_do() {
    for name in names() {
        for diagnostic in compiled(&name).diagnostics {
            assert!(diagnostic.help.is_some(), "{name}: {}", diagnostic.message);
            assert!(!diagnostic.message.ends_with('.'), "{name}: {}", diagnostic.message);
        }
    }
}

#[test]
fn a_file_that_is_not_there() {
    let loader = MemoryLoader::default().with("there.svc", "package there.v1;");
    let files = ["there.svc".to_owned(), "nowhere.svc".to_owned()];
    let compilation = compile(&loader, &files, &[]);
    assert!(compilation.has_unreadable_file());
    assert_golden("E0001_unreadable_file", &compilation);
}

/// A loader with one readable file, and one that exists but can't be read.
struct Locked;

impl Loader for Locked {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadError> {
        match path {
            "open.svc" => Ok(b"package open.v1;\n\nimport \"locked.svc\";\n".to_vec()),
            _ => Err(LoadError::Unreadable("permission denied".to_owned())),
        }
    }
}

#[test]
fn an_import_that_may_not_be_read() {
    let compilation = compile(&Locked, &["open.svc".to_owned()], &[]);
    assert!(compilation.has_unreadable_file());
    assert_golden("E0001_unreadable_import", &compilation);
}

#[test]
fn a_file_that_is_too_large() {
    let bytes = vec![b' '; zsvc_idl::source::MAX_FILE_BYTES + 1];
    let loader = MemoryLoader::default().with("large.svc", bytes);
    let compilation = compile(&loader, &["large.svc".to_owned()], &[]);
    assert!(!compilation.has_unreadable_file());
    assert_golden("E0006_file_too_large", &compilation);
}

#[test]
fn every_code_has_a_case_that_brings_it_about() {
    let entries = std::fs::read_dir(folder()).expect("the folder is part of the repository");
    let goldens: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    // Changes have cases of two schemas, in `diff/`.
    let told_of_one = Code::all().filter(|code| !code.id().starts_with('D'));
    for code in told_of_one.filter(|code| !WITHOUT_CASE.contains(&code.id())) {
        let is_its = |path: &&PathBuf| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with(code.id()) && path.extension().is_some_and(|extension| extension == "txt")
        };
        let golden = goldens.iter().find(is_its).unwrap_or_else(|| panic!("{code} has no case"));
        let text = std::fs::read_to_string(golden).expect("the golden was listed a moment ago");
        assert!(text.contains(&format!("[{code}]")), "{} does not show {code}", golden.display());
    }
}

#[test]
fn every_golden_belongs_to_a_case() {
    let made = ["E0001_unreadable_file", "E0001_unreadable_import", "E0006_file_too_large"];
    let cases = names();
    for entry in std::fs::read_dir(folder()).expect("the folder is part of the repository") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_none() {
            continue;
        }
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        assert!(cases.contains(name) || made.contains(&name), "{} belongs to no case", path.display());
    }
}
