//! Runs the program as a user would: prices come, every order is filled, and all clerks have filled some.
#![cfg(unix)]

use std::process::Command;

#[test]
fn prices_come_and_all_clerks_fill_orders() {
    let folder = tempfile::tempdir().expect("a folder");
    // A file, and not a port, which another program might have.
    let endpoint = format!("ipc://{}", folder.path().join("exchange").display());
    let output = Command::new(env!("CARGO_BIN_EXE_exchange")).arg(endpoint).output().expect("it starts");
    let (text, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{log}");
    let lines: Vec<_> = text.lines().collect();
    for symbol in ["ACME ", "GLOBEX ", "INITECH "] {
        assert!(lines.iter().any(|line| line.starts_with(symbol)), "{symbol}\n{text}");
    }
    assert_eq!(lines.last(), Some(&"100 orders filled by 4 clerks, for 316891.75"), "{text}\n{log}");
    assert_eq!(lines.len(), 13, "{text}");
    assert_eq!(log.matches("started `").count(), 5, "{log}");
}
