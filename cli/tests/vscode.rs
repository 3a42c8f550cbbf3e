//! The extension for VS Code, as far as it can be checked without npm: all that its manifest names is there, and what its program asks
//! for is in the manifest. Packing needs npm's packages; CI packs it where they can be had.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors/vscode")
}

fn read(path: &str) -> String {
    fs::read_to_string(folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn json(path: &str) -> Value {
    serde_json::from_str(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flat_map(|object| object.keys().map(String::as_str)).collect()
}

/// Returns the texts in single quotes that follow a word, in order.
fn quoted_after<'t>(text: &'t str, word: &'t str) -> Vec<&'t str> {
    let rests = text.split(word).skip(1);
    rests.filter_map(|rest| rest.strip_prefix("('")?.split_once('\'')).map(|(quoted, _)| quoted).collect()
}

/// Returns from where each file is copied, and to where, before the extension is packed.
fn copied() -> Vec<(String, String)> {
    let program = read("prepare.mjs");
    let lines = program.lines().filter_map(|line| line.strip_prefix("copyFileSync('")?.strip_suffix("');"));
    lines
        .map(|line| line.split_once("', '").expect("two paths"))
        .map(|(from, to)| (from.to_owned(), to.to_owned()))
        .collect()
}

#[test]
fn every_file_that_the_manifest_names_is_there_or_copied_there() {
    let manifest = json("package.json");
    let (copied, contributes) = (copied(), &manifest["contributes"]);
    for (from, _) in &copied {
        assert!(folder().join(from).is_file(), "prepare.mjs copies {from}, which is not there");
    }
    let configurations = list(&contributes["languages"]).map(|language| &language["configuration"]);
    let grammars = list(&contributes["grammars"]).map(|grammar| &grammar["path"]);
    let named: Vec<&str> = configurations.chain(grammars).chain([&manifest["main"]]).map(text).collect();
    assert_eq!(named.len(), 3, "{named:?}");
    for path in named {
        let path = path.strip_prefix("./").expect("a path in the folder");
        let is_there = folder().join(path).is_file() || copied.iter().any(|(_, to)| to == path);
        assert!(is_there, "the manifest names {path}, which is not there");
    }
    // What the scripts run, and what vsce refuses to pack without.
    for path in ["check.mjs", "prepare.mjs", "README.md", "package-lock.json", ".vscodeignore"] {
        assert!(folder().join(path).is_file(), "{path} is not there");
    }
    assert!(copied.iter().any(|(_, to)| to.starts_with("LICENSE")), "{copied:?}");
    let scripts = &manifest["scripts"];
    assert_eq!(text(&scripts["check"]), "node check.mjs");
    assert_eq!(text(&scripts["prepare-files"]), "node prepare.mjs");
    assert!(text(&scripts["package"]).starts_with("npm run prepare-files && vsce package "));
}

#[test]
fn the_manifest_has_what_vsce_and_vs_code_need() {
    let manifest = json("package.json");
    for field in ["name", "displayName", "description", "version", "publisher", "license", "main"] {
        assert!(!text(&manifest[field]).is_empty(), "`{field}` is empty");
    }
    assert_eq!(text(&manifest["version"]).split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3);
    let language = &manifest["contributes"]["languages"][0];
    assert_eq!((text(&language["id"]), text(&language["extensions"][0])), ("svc", ".svc"));
    let grammar = &manifest["contributes"]["grammars"][0];
    assert_eq!(grammar["language"], language["id"]);
    let (from, _) = copied().into_iter().find(|(_, to)| to.ends_with(".tmLanguage.json")).expect("a grammar");
    assert_eq!(json(&from)["scopeName"], grammar["scopeName"]);
    let configuration = json(text(&language["configuration"]));
    assert_eq!(configuration["comments"]["lineComment"], "//");
}

#[test]
fn the_program_asks_for_nothing_that_the_manifest_does_not_declare() {
    let (manifest, program) = (json("package.json"), read("extension.js"));
    let commands = list(&manifest["contributes"]["commands"]).map(|command| text(&command["command"]));
    let registered: BTreeSet<&str> = quoted_after(&program, "registerCommand").into_iter().collect();
    assert_eq!(commands.collect::<BTreeSet<_>>(), registered);
    let settings = &manifest["contributes"]["configuration"]["properties"];
    let read = quoted_after(&program, "settings.get").into_iter().map(|name| format!("zsvc.{name}"));
    let watched = quoted_after(&program, "affectsConfiguration").into_iter().map(str::to_owned);
    let asked: BTreeSet<String> = read.chain(watched).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");
    for setting in asked {
        assert!(keys(settings).contains(setting.as_str()), "`{setting}` is no setting");
    }
    let packages = keys(&manifest["dependencies"]);
    for module in quoted_after(&program, "require") {
        let package = module.split('/').next().unwrap_or(module);
        assert!(package == "vscode" || packages.contains(package), "`{module}` is no dependency");
    }
}

/// `npm ci` refuses a lock that is out of step, and what it installs has to be what was locked.
#[test]
fn the_lock_is_in_step_with_the_manifest() {
    let (manifest, lock) = (json("package.json"), json("package-lock.json"));
    let root = &lock["packages"][""];
    for field in ["name", "version", "dependencies", "devDependencies", "engines"] {
        assert_eq!(root[field], manifest[field], "{field}");
    }
    let packages = lock["packages"].as_object().expect("the packages");
    for (path, package) in packages.iter().filter(|(path, _)| !path.is_empty()) {
        assert!(text(&package["integrity"]).starts_with("sha512-"), "{path}");
        assert_eq!(package["resolved"], Value::Null, "{path} comes from one registry alone");
    }
    for (name, version) in
        ["dependencies", "devDependencies"].iter().filter_map(|kind| manifest[*kind].as_object()).flatten()
    {
        assert_eq!(&packages[&format!("node_modules/{name}")]["version"], version, "{name}");
    }
    let client = &packages["node_modules/vscode-languageclient"];
    assert_eq!(client["engines"]["vscode"], manifest["engines"]["vscode"]);
}

/// What is not packed is not there when the extension runs.
#[test]
fn all_packages_that_the_program_needs_are_packed() {
    let (manifest, lock, ignored) = (json("package.json"), json("package-lock.json"), read(".vscodeignore"));
    let packed = ignored.split_once("!node_modules/{").and_then(|(_, rest)| rest.split_once('}'));
    let packed: BTreeSet<&str> = packed.expect("a list of packages").0.split(',').collect();
    let mut needed = BTreeSet::new();
    let mut open: Vec<&str> = keys(&manifest["dependencies"]).into_iter().collect();
    while let Some(name) = open.pop() {
        if needed.insert(name) {
            open.extend(keys(&lock["packages"][format!("node_modules/{name}")]["dependencies"]));
        }
    }
    assert!(needed.is_subset(&packed), "not packed: {:?}", needed.difference(&packed));
}
