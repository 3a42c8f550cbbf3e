//! What the server does beside the conversation: it tells what has changed since `HEAD`, when that is known.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::client::{Client, opening, uri};

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("git runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

const OLD: &str = "package shop.v1;\n\nstruct Order {\n    name: string = 1;\n    count: u32 = 2;\n}\n\nservice Shop {\n    rpc order(order: Order);\n}\n";

/// Returns the codes and severities of the diagnostics that a message has.
fn told(message: &Value) -> Vec<(String, i64)> {
    let diagnostics = message["params"]["diagnostics"].as_array().into_iter().flatten();
    let told = diagnostics
        .map(|it| (it["code"].as_str().unwrap_or_default().to_owned(), it["severity"].as_i64().unwrap_or(0)));
    told.collect()
}

/// Awaits diagnostics.
fn next_told(client: &mut Client) -> Vec<(String, i64)> {
    loop {
        let message = client.message();
        if message["method"] == "textDocument/publishDiagnostics" {
            return told(&message);
        }
    }
}

#[test]
fn changes_since_head_are_hints_of_saved_files() {
    for is_project in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let root = fs::canonicalize(folder.path()).expect("the folder");
        let path = root.join("svc/shop.svc");
        fs::create_dir(root.join("svc")).expect("a new folder");
        fs::write(&path, OLD).expect("a new file");
        if is_project {
            fs::write(root.join("zsvc.toml"), "roots = [\"svc\"]\n").expect("a new file");
        }
        git(&root, &["init", "--quiet"]);
        git(&root, &["add", "."]);
        git(&root, &["commit", "--quiet", "-m", "a"]);
        let new = OLD.replace("count: u32", "count: string");
        fs::write(&path, &new).expect("a written file");
        // Not in the repository: the folder must be that of the project.
        let elsewhere = tempfile::tempdir().expect("a folder");
        let mut client = Client::initialized(elsewhere.path(), &json!({}));
        let uri = uri(&root, "svc/shop.svc");
        client.notify("textDocument/didOpen", &opening(&uri, &new));
        let hint = |found: &[(String, i64)]| {
            !found.is_empty() && found.iter().all(|(code, severity)| code.starts_with('D') && *severity == 3)
        };
        let found = next_told(&mut client);
        assert!(hint(&found), "{is_project}: {found:?}");
        // What is edited has no hints, since their places are those of the saved file.
        let document = json!({ "uri": uri, "version": 2 });
        client.notify(
            "textDocument/didChange",
            &json!({ "textDocument": document, "contentChanges": [{ "text": OLD }] }),
        );
        assert_eq!(next_told(&mut client), []);
        let document = json!({ "uri": uri, "version": 3 });
        client.notify(
            "textDocument/didChange",
            &json!({ "textDocument": document, "contentChanges": [{ "text": new }] }),
        );
        client.notify("textDocument/didSave", &json!({ "textDocument": { "uri": uri } }));
        let found = next_told(&mut client);
        assert!(hint(&found), "{is_project}: {found:?}");
    }
}

#[test]
fn a_folder_without_a_repository_has_no_hints() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut client = Client::initialized(folder.path(), &json!({ "eager": true }));
    client.notify("textDocument/didOpen", &opening(&uri(folder.path(), "shop.svc"), OLD));
    assert_eq!(client.settled(), [] as [Value; 0]);
}
