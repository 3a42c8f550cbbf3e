//! Checks that output has colours only on terminals, and only if they are not turned off.

use std::process::Command;

/// Returns the output of `zsvc check` for a missing file, in this environment.
fn said(environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zsvc"));
    command.args(["check", "no/such.svc"]).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    let output = command.envs(environment.iter().copied()).output().expect("the command that was just built");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn no_colours_without_a_terminal() {
    assert!(!said(&[]).contains('\x1b'));
}

#[test]
fn colours_where_they_are_asked_for() {
    assert!(said(&[("CLICOLOR_FORCE", "1")]).contains('\x1b'));
}

#[test]
fn no_color_is_kept_to() {
    assert!(!said(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]).contains('\x1b'));
}
