//! Tests `compare`: each folder of `diff/` has an older and a newer schema, and all changes reported for them.
//!
//! `SNAPSHOTS=overwrite cargo test -p zsvc-idl` writes the goldens anew; look at what changed before you commit it. The
//! verdicts themselves are tested in `idl/tests/model`.

mod support;

use std::collections::BTreeSet;
use std::path::PathBuf;

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};
use support::{Folder, blocks, rendered, repository};
use zsvc_idl::compat::{Change, Kind, Sources, compare};
use zsvc_idl::diagnostic::{Code, RenderStyle};
use zsvc_idl::schema::Schema;
use zsvc_idl::source::SourceMap;
use zsvc_idl::{Compilation, Loader, MemoryLoader, compile};

fn folder() -> PathBuf {
    repository().join("idl/tests/diff")
}

/// Returns the names of all cases: `D0101_what`.
fn names() -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder()).expect("the folder is part of the repository");
    entries.map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned()).collect()
}

/// Compiles a text that must have no errors.
fn compiled(loader: &dyn Loader, file: &str, include: &str) -> (Schema, SourceMap) {
    let Compilation { schema, diagnostics, sources, .. } =
        compile(loader, &[file.to_owned()], &[include.to_owned()]);
    (schema.unwrap_or_else(|| panic!("{file}: {diagnostics:#?}")), sources)
}

/// Compiles one side of a case. Its imports are in a folder with the side's name.
fn side(name: &str, side: &str) -> (Schema, SourceMap) {
    let loader = Folder::of_repository(&format!("idl/tests/diff/{name}"));
    compiled(&loader, &format!("{side}.svc"), side)
}

fn told(name: &str) -> (Vec<Change>, Sources) {
    let ((old, old_sources), (new, new_sources)) = (side(name, "old"), side(name, "new"));
    (compare(&old, &new), Sources::new(&old_sources, &new_sources, str::to_owned))
}

fn shown(changes: &[Change], sources: &Sources) -> String {
    let texts = changes.iter().map(|change| sources.render(change, RenderStyle::Plain) + "\n");
    texts.collect::<Vec<_>>().join("\n")
}

#[test]
fn every_case_is_told_as_its_golden_has_it() {
    for name in names() {
        let (changes, sources) = told(&name);
        let path = folder().join(&name).join("expected.txt");
        let golden = Data::read_from(&path, Some(DataFormat::Text)).raw();
        Assert::new().action_env("SNAPSHOTS").eq(shown(&changes, &sources), golden);
    }
}

fn change_codes() -> impl Iterator<Item = Code> {
    Code::all().filter(|code| code.id().starts_with('D'))
}

#[test]
fn every_change_has_a_case_that_is_named_after_it() {
    let cases = names();
    for code in change_codes() {
        let case = cases.iter().find(|name| name.starts_with(code.id()));
        let case = case.unwrap_or_else(|| panic!("{code} has no case"));
        let (changes, _) = told(case);
        assert!(changes.iter().any(|change| change.code == code), "{case} does not tell {code}");
    }
}

#[test]
fn every_change_says_why_and_what_to_do() {
    for name in names() {
        for change in told(&name).0 {
            for text in [&change.message, &change.why, &change.help] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{name}: {text:?}");
            }
            assert!(change.old.is_some() || change.new.is_some(), "{name}: {}", change.message);
            let breaks = change.kind() == Kind::Wire || change.effects.source;
            assert_eq!(change.effects.who().is_some(), breaks, "{name}");
        }
    }
}

/// Returns the files of an example: the first is the one that is compiled.
fn files(text: &str) -> MemoryLoader {
    let mut pieces = text.split("// file: ");
    let first = pieces.next().unwrap_or_default();
    pieces.fold(MemoryLoader::default().with("main.svc", first), |loader, piece| {
        let (path, text) = piece.split_once('\n').unwrap_or((piece, ""));
        loader.with(path.trim(), text)
    })
}

/// Codes of changes that come only with another, and why.
const NEVER_ALONE: [(&str, &str); 1] = [("D0421", "a field has come or gone, which is told, too")];

#[test]
fn the_examples_of_a_page_give_its_code_alone() {
    for code in change_codes() {
        let page = code.page();
        let texts: Vec<String> = blocks(page).into_iter().map(|(_, _, text)| text).collect();
        let [old, new] = texts.as_slice() else { panic!("the page of {code} has no two examples") };
        let sides = [old, new].map(|text| {
            let compilation = compile(&files(text), &["main.svc".to_owned()], &[]);
            assert!(compilation.diagnostics.is_empty(), "{code}:\n{}", rendered(&compilation));
            compilation.schema.expect("there is no error")
        });
        let changes = compare(&sides[0], &sides[1]);
        let codes: Vec<Code> = changes.iter().map(|change| change.code).collect();
        if NEVER_ALONE.iter().any(|(other, _)| *other == code.id()) {
            assert!(codes.len() > 1 && codes.contains(&code), "{changes:#?}");
        } else {
            assert_eq!(codes, [code], "{changes:#?}");
        }
    }
}

#[test]
fn a_schema_is_as_it_is() {
    for path in ["examples/tape/svc", "codegen/tests/compiled/svc", "runtime/tests/calls/svc/new"] {
        for file in std::fs::read_dir(repository().join(path)).expect("the folder is part of the repository")
        {
            let name = file.expect("a readable entry").file_name().to_string_lossy().into_owned();
            let loader = Folder::of_repository(path);
            let (schema, _) = compiled(&loader, &name, "");
            assert_eq!(compare(&schema, &schema.clone()), [], "{path}/{name}");
        }
    }
}
