//! Tests project files: the errors of each of `project/*.toml` are in the golden beside it, and valid options take effect.
//!
//! `SNAPSHOTS=overwrite cargo test -p zsvc-codegen` writes the goldens anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use snapbox::data::DataFormat;
use snapbox::{Assert, Data};
use tempfile::TempDir;
use zsvc_codegen::{Builder, Disk, Project};
use zsvc_idl::diagnostic::{RenderStyle, render};
use zsvc_idl::lint::{Level, Levels, rule};
use zsvc_idl::{Compilation, compile};

const SHOP: &str = "package shop.v1;\ntype Name = string;\ntype Size = u32;\nstruct Item { name: Name = 1; @default(5) size: Size = 2; }\n";

/// Creates a folder with a project: `svc` has a file, `empty` has none.
fn project(toml: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder for the test");
    for below in ["svc", "empty"] {
        fs::create_dir(folder.path().join(below)).expect("a folder below");
    }
    fs::write(folder.path().join("svc/shop.svc"), SHOP).expect("a schema");
    fs::write(folder.path().join("zsvc.toml"), toml).expect("a project file");
    folder
}

/// Returns all errors of a project and the options of its outputs, without the path of the test's folder.
fn told(folder: &Path) -> String {
    let rendered = |wrong: &Compilation| {
        let texts = wrong.diagnostics.iter().map(|it| render(it, &wrong.sources, RenderStyle::Plain) + "\n");
        texts.collect::<Vec<_>>().join("\n")
    };
    let text = match Project::find(folder) {
        Err(wrong) => rendered(&wrong),
        Ok(project) => wrong_with(&project.expect("there is one")).as_ref().map(rendered).unwrap_or_default(),
    };
    text.replace(&format!("{}/", folder.display()), "")
}

fn wrong_with(project: &Project) -> Option<Compilation> {
    let files = match project.files() {
        Ok(files) => files,
        Err(wrong) => return Some(wrong),
    };
    let Compilation { schema, sources, .. } = compile(&Disk::default(), &files, &project.include);
    let schema = schema.expect("the schema is right");
    project.outputs.iter().find_map(|output| {
        let error = output.options.resolve(&schema).err()?;
        Some(project.wrong_option(output, &error.located(&sources)))
    })
}

#[test]
fn what_is_wrong_is_told_at_its_place_and_all_at_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/project");
    let entries = fs::read_dir(folder).expect("the folder is part of the repository");
    let paths = entries.map(|entry| entry.expect("a readable entry").path());
    let cases: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    assert!(cases.len() > 10, "only {} cases were found", cases.len());
    for case in cases {
        let folder = project(&fs::read_to_string(&case).expect("the case was listed a moment ago"));
        let golden = Data::read_from(&case.with_extension("txt"), Some(DataFormat::Text)).raw();
        Assert::new().action_env("SNAPSHOTS").eq(told(folder.path()), golden);
    }
}

#[test]
fn a_project_file_that_is_no_text_or_has_no_end_is_told() {
    let folder = project("");
    let path = folder.path().join("zsvc.toml");
    fs::write(&path, b"roots = [\"\xff\"]").expect("a project file");
    assert!(told(folder.path()).starts_with("error[E0501]: this file is not UTF-8"));
    fs::write(&path, vec![b'#'; 2 << 20]).expect("a project file");
    assert!(told(folder.path()).starts_with("error[E0501]: this file has more than 1 MiB"));
    fs::remove_file(&path).expect("it was there");
    fs::create_dir(&path).expect("a folder in its place");
    let wrong = Project::find(folder.path()).expect_err("a folder can't be read");
    assert!(wrong.has_unreadable_file());
}

#[test]
fn a_project_is_found_from_below() {
    let folder = project("roots = [\"svc\"]\n[lint]\nmissing_docs = \"deny\"\n");
    let below = folder.path().join("svc");
    let found = Project::find(&below).expect("nothing is wrong with it").expect("there is one");
    let path = |name: &str| folder.path().join(name).to_str().expect("a path that is text").to_owned();
    assert_eq!(found.path, path("zsvc.toml"));
    assert_eq!(found.files().expect("there are files"), [path("svc/shop.svc")]);
    let rule = rule("missing-docs").expect("a rule");
    assert_eq!(found.levels(Levels::of_check()).level(rule), Level::Deny);
}

/// Runs one test of this program in its own process, as Cargo runs a build script: in the folder of a package.
fn as_build_script(test: &str, folder: &Path) -> Output {
    let out = folder.join("target/out");
    fs::create_dir_all(&out).expect("a folder for the output");
    Command::new(std::env::current_exe().expect("this program"))
        .args([test, "--exact", "--nocapture"])
        .env("CARGO_MANIFEST_DIR", folder)
        .env("OUT_DIR", out)
        .env("AS_BUILD_SCRIPT", "yes")
        .current_dir(folder)
        .output()
        .expect("this program can be run")
}

fn is_build_script() -> bool {
    std::env::var_os("AS_BUILD_SCRIPT").is_some()
}

#[test]
fn a_build_script_takes_files_and_options_from_its_project() {
    if is_build_script() {
        return Builder::new().compile().expect("a good project");
    }
    let toml = "roots = [\"svc\"]\n[[generate]]\nsides = \"client\"\nderive = { \"shop.v1.Item\" = \"Hash\" }\n\
                [lint]\nmissing-docs = \"warn\"\n";
    let folder = project(toml);
    let name = "a_build_script_takes_files_and_options_from_its_project";
    let output = as_build_script(name, folder.path());
    let told = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{told}");
    for line in [
        "cargo:rerun-if-changed=zsvc.toml",
        "cargo:rerun-if-changed=svc",
        "cargo:rerun-if-changed=svc/shop.svc",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(told.contains("cargo:warning=svc/shop.svc:2:6: [W0101] `Name` has no docs"), "{told}");
    let text = fs::read_to_string(folder.path().join("target/out/zsvc/mod.rs")).expect("generated code");
    assert!(text.contains("Hash"), "{text}");
}

#[test]
fn a_build_script_of_a_few_files_takes_the_options_of_the_output_that_has_them() {
    if is_build_script() {
        return Builder::new().file("svc/shop.svc").compile().expect("a good project");
    }
    let toml = "[[generate]]\nfiles = [\"other\"]\n[[generate]]\nfiles = [\"svc\"]\nderive = { \"shop.v1.Item\" = \"Hash\" }\n";
    let folder = project(toml);
    fs::create_dir(folder.path().join("other")).expect("a folder below");
    fs::write(folder.path().join("other/other.svc"), "package other.v1;\n").expect("a schema");
    let name = "a_build_script_of_a_few_files_takes_the_options_of_the_output_that_has_them";
    let output = as_build_script(name, folder.path());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let text = fs::read_to_string(folder.path().join("target/out/zsvc/mod.rs")).expect("generated code");
    assert!(text.contains("Hash"), "{text}");
}

#[test]
fn a_build_script_fails_where_a_lint_is_denied_or_the_project_is_wrong() {
    if is_build_script() {
        let error = Builder::new().file("svc/shop.svc").compile().expect_err("something is wrong");
        return print!("{error}");
    }
    let name = "a_build_script_fails_where_a_lint_is_denied_or_the_project_is_wrong";
    let told = |toml: &str| {
        let output = as_build_script(name, project(toml).path());
        assert!(output.status.success(), "the test of the test fails");
        String::from_utf8(output.stdout).expect("text")
    };
    let denied = told("[lint]\nmissing-docs = \"deny\"\n");
    assert!(denied.contains("error[W0101]: `Item` has no docs\n --> svc/shop.svc:4:8"), "{denied}");
    let wrong = told("[lints]\n");
    assert!(
        wrong.contains("the project has errors\n\nerror[E0502]: there is no key `lints`\n --> zsvc.toml:1:2"),
        "{wrong}"
    );
}

#[test]
fn the_project_that_the_reference_shows_is_a_good_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/tool.md");
    let reference = fs::read_to_string(path).expect("part of the repository");
    let (_, block) = reference.split_once("```toml\n").expect("a project file");
    let (toml, _) = block.split_once("```").expect("the end of the block");
    let outer = tempfile::tempdir().expect("a folder for the test");
    let folder = outer.path().join("market");
    fs::create_dir_all(folder.join("svc")).expect("the root");
    fs::create_dir(outer.path().join("shared-svc")).expect("the include path");
    let schema = "package market.v1;\nenum Side { Buy = 1; }\nstruct Trade { side: Side = 1; }\n";
    fs::write(folder.join("svc/tape.svc"), schema).expect("a schema");
    fs::write(folder.join("svc/money.svc"), "package money.v1;\n").expect("a schema");
    fs::write(folder.join("zsvc.toml"), toml).expect("a project file");
    assert_eq!(told(&folder), "");
    let project = Project::find(&folder).expect("nothing is wrong with it").expect("there is one");
    assert_eq!(project.outputs.len(), 2);
}
