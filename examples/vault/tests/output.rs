//! Runs the program as a user would, twice: keys are made on the first run, and used again on the second.

use std::path::Path;
use std::process::{Command, Output};

const STORY: &str = "\
vault     300 coins from `alice`
alice     deposits: 300 coins are in it
alice     may not open it: 
vault     opened by `bob`
bob       opens it: 300 coins
alice     finds it empty
stranger  is not let in
plain     is not let in
vault     closed
";

fn run(folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vault")).arg(folder).output().expect("the program starts")
}

fn told(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text.into_owned()
}

#[test]
fn clients_do_what_their_roles_allow_and_others_are_not_let_in() {
    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let folder = folder.path().join("keys");
    let (first, second) = (told(&run(&folder)), told(&run(&folder)));
    let made: Vec<_> = first.lines().take(3).collect();
    for (line, name) in made.iter().zip(["vault", "alice", "bob"]) {
        assert!(line.starts_with(&format!("{name:10}has a new key")), "{line}");
    }
    for (text, keys) in [(&first, 3), (&second, 0)] {
        let lines: Vec<_> = text.lines().skip(keys).collect();
        assert!(lines[0].starts_with("vault     listens at tcp://127.0.0.1:"), "{text}");
        assert_eq!(lines.len(), 1 + STORY.lines().count(), "{text}");
        for (line, start) in lines[1..].iter().zip(STORY.lines()) {
            assert!(line.starts_with(start), "`{line}` is not `{start}…`");
        }
    }
}

#[cfg(unix)]
#[test]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a temporary folder can be created");
    let folder = folder.path().join("keys");
    told(&run(&folder));
    for name in ["vault", "alice", "bob"] {
        let path = folder.join(format!("{name}.key_secret"));
        let mode = path.metadata().expect("the file is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    // Another may have read it.
    let exposed = folder.join("bob.key_secret");
    std::fs::set_permissions(&exposed, PermissionsExt::from_mode(0o644)).expect("it is ours");
    let refused = run(&folder);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("bob.key_secret"));
}
