//! Writes the documentation of the example `tape`, and of a schema of many files.
#![cfg(feature = "doc")]

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

fn zsvc(arguments: &[&str]) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_zsvc")).args(arguments).output().expect("it runs")
}

#[test]
fn markdown_of_the_example_is_as_checked_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().display().to_string();
    let output =
        zsvc(&["doc", "../examples/tape/svc/tape.svc", "--out", &out, "--markdown", "--title", "The tape"]);
    assert!(output.status.success(), "{output:?}");
    for name in ["README.md", "market.v1.md", "money.v1.md"] {
        let golden = format!("tests/doc/{name}");
        let written = fs::read_to_string(folder.path().join(name)).expect(name);
        if std::env::var_os("SNAPSHOTS").is_some_and(|value| value == "overwrite") {
            fs::create_dir_all("tests/doc").expect("a folder");
            fs::write(&golden, &written).expect("it is written");
        }
        assert_eq!(written, fs::read_to_string(&golden).expect("it is checked in"), "{golden}");
    }
}

#[test]
fn a_site_has_a_page_for_each_package_however_many_there_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let svc = folder.path().join("svc");
    fs::create_dir(&svc).expect("a folder");
    for number in 0..600 {
        let mut text = format!("/// Number {number}.\npackage many.p{number};\n");
        let import = (number > 0).then(|| format!("import \"{}.svc\" as before;\n", number - 1));
        text += import.as_deref().unwrap_or_default();
        let before = if number > 0 { "before.Item" } else { "string" };
        writeln!(
            text,
            "struct Item {{ before: {before}? = 1; }}\nservice S {{ rpc get(item: Item) -> Item; }}"
        )
        .expect("a string takes any text");
        fs::write(svc.join(format!("{number}.svc")), text).expect("it is written");
    }
    let (svc, out) = (svc.display().to_string(), folder.path().join("site"));
    let output = zsvc(&["doc", &svc, "--out", &out.display().to_string()]);
    assert!(output.status.success(), "{output:?}");
    // The front page, the style, the search, and a page for each.
    assert_eq!(fs::read_dir(&out).expect("a folder").count(), 603);
    let page = fs::read_to_string(out.join("many.p599.html")).expect("a page");
    assert!(page.contains("<a href=\"many.p598.html#Item\">Item</a>"), "{page}");
    assert!(page.contains("<a href=\"many.p599.html\" aria-current=\"page\">"), "{page}");
    // A page lists the packages near it, and not all: the site would grow with the square of their number.
    assert!(page.contains("All 600 packages") && page.matches("<li>").count() == 61, "{page}");
}

#[test]
fn a_schema_that_is_wrong_has_no_documentation() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.svc");
    fs::write(&path, "package a.v1; struct S { n: u9 = 1; }").expect("it is written");
    let out = folder.path().join("site");
    let output = zsvc(&["doc", &path.display().to_string(), "--out", &out.display().to_string()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(!out.exists());
}
