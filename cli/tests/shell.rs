//! What a shell gets of the command: completions, and manual pages.

use std::process::{Command, Output, Stdio};

fn zsvc(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    command.args(arguments).stdin(Stdio::null()).output().expect("it runs")
}

/// Returns the subcommands that `zsvc help` lists.
fn subcommands() -> Vec<String> {
    let help = String::from_utf8(zsvc(&["help"]).stdout).expect("text");
    let lines =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Texts that go on in the next line have more space before them.
    let names = lines.filter_map(|line| line.strip_prefix("  ").filter(|rest| !rest.starts_with(' ')));
    names.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn each_shell_completes_every_subcommand() {
    let names = subcommands();
    assert!(names.len() > 10, "{names:?}");
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = zsvc(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = String::from_utf8(output.stdout).expect("text");
        for name in &names {
            assert!(script.contains(name.as_str()), "{shell}: {name}");
        }
    }
    assert_eq!(zsvc(&["completions", "tcl"]).status.code(), Some(2));
}

#[test]
fn every_subcommand_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let pages = folder.path().join("man").display().to_string();
    let output = zsvc(&["man", &pages]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    for name in subcommands().iter().filter(|name| *name != "help") {
        let page = std::fs::read_to_string(format!("{pages}/zsvc-{name}.1")).expect("a page");
        assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
    }
    std::fs::write(folder.path().join("file"), "").expect("it is written");
    let output = zsvc(&["man", &folder.path().join("file/man").display().to_string()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("file/man"), "the path is told");
}
