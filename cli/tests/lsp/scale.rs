//! A project of many files: what is typed is answered, whatever the rest is. Times are printed, since they are those of the machine:
//! `cargo test --release -p zsvc-cli --test lsp scale -- --nocapture`. docs/tool.md tells what was measured.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};

use crate::client::{Client, opening, uri};

const FILES: usize = 1_000;

/// Writes a project in which each file uses three others, and all use the first.
fn project(folder: &Path) {
    fs::write(folder.join("zsvc.toml"), "roots = [\"svc\"]\n").expect("a new file");
    fs::create_dir(folder.join("svc")).expect("a new folder");
    for file in 0..FILES {
        fs::write(folder.join(format!("svc/part{file}.svc")), text(file)).expect("a new file");
    }
}

fn text(file: usize) -> String {
    let mut others = vec![file / 2, file / 3, file / 7, 0];
    others.retain(|other| *other != file);
    others.dedup();
    let mut text = format!("package made.part{file}.v1;\n\n");
    for other in &others {
        writeln!(text, "import \"part{other}.svc\" as part{other};").expect("strings take any text");
    }
    for index in 0..10 {
        writeln!(text, "\n/// Record {index}, as the tape has it.\nstruct Record{index} {{")
            .expect("strings take any text");
        for number in 1..=8 {
            let ty = match others.get(number % 5) {
                Some(other) => format!("part{other}.Record{index}?"),
                None => "list<string>".to_owned(),
            };
            writeln!(text, "    /// The {number}th thing to know.\n    field_{number}: {ty} = {number};")
                .expect("strings take any text");
        }
        text += "}\n";
    }
    text + "\nservice Tape {\n    rpc find(symbol: string) -> Record0;\n    rpc put(record: Record1);\n}\n"
}

#[test]
fn a_keystroke_in_a_large_project_is_answered() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = fs::canonicalize(folder.path()).expect("the folder");
    project(&root);
    let mut client = Client::initialized(&root, &json!({ "diff": false }));
    let path = format!("svc/part{}.svc", FILES - 1);
    let uri = uri(&root, &path);
    let whole = text(FILES - 1);
    let start = Instant::now();
    client.notify("textDocument/didOpen", &opening(&uri, &whole));
    let place = |line: usize, character: usize| json!({ "line": line, "character": character });
    let asked = |position: Value| json!({ "textDocument": { "uri": uri }, "position": position });
    let (_, answer) = client.request("textDocument/hover", &asked(place(10, 20)));
    assert!(answer["result"]["contents"].is_object(), "{answer}");
    println!("opened: {:?}", start.elapsed());
    // Types `sa` for a field of the last struct, letter by letter, and completes the type each time.
    let line = whole.lines().position(|line| line.contains("struct Record9")).expect("the last struct") + 1;
    for (index, letter) in "    /// Typed.\n    typed: Reco".chars().enumerate() {
        let (line, character) = if index < 15 { (line, index) } else { (line + 1, index - 15) };
        let position = place(line, character);
        let range = json!({ "start": position, "end": position });
        let document = json!({ "uri": uri, "version": index + 2 });
        let change = json!({ "textDocument": document, "contentChanges": [{ "range": range, "text": letter.to_string() }] });
        let start = Instant::now();
        client.notify("textDocument/didChange", &change);
        let (before, answer) = client.request("textDocument/completion", &asked(place(line, character + 1)));
        let is_told = before.iter().any(|message| message["method"] == "textDocument/publishDiagnostics");
        println!("{letter:?}: {:?}, diagnostics before: {is_told}", start.elapsed());
        assert!(answer["result"]["items"].is_array(), "{answer}");
    }
    let position = place(line + 1, "    typed: Reco".len());
    let (_, answer) = client.request("textDocument/completion", &asked(position));
    let labels: Vec<&str> = answer["result"]["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|it| it["label"].as_str())
        .collect();
    assert!(labels.contains(&"Record3") && labels.contains(&"part0.Record3"), "{labels:?}");
    let start = Instant::now();
    let mut references = asked(place(line - 1, 8));
    references["context"] = json!({ "includeDeclaration": true });
    let (_, answer) = client.request("textDocument/references", &references);
    println!("references, in all files: {:?}", start.elapsed());
    assert_eq!(answer["result"].as_array().map(Vec::len), Some(1), "{answer}");
}
