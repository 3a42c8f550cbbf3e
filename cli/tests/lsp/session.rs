//! Plays the sessions of `*.txt`, and compares all that the server says.
//!
//! A session starts with files, each after a line `--- PATH`; a line `--- session` begins the conversation. There a line with `>` is what
//! the client says, and the lines with `<` after it are what the server says until all is handled; `#` starts a remark.
//!
//! ```text
//! > initialize {"capabilities": {}}
//! > open shop.svc
//! > change shop.svc "price: u32" "price: u64"
//! > save shop.svc
//! > write money.svc "package money;"
//! > textDocument/hover shop.svc "price: mon|ey"
//! > textDocument/rename shop.svc "struct Tra|de" {"newName": "Deal"}
//! > raw {"method": "exit"}
//! ```
//!
//! A position is that of `|` in a text that is in the file once; with two, they are a range. In answers a range is shown as
//! `"line:character-line:character"`, and the folder as `file:///ROOT`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::client::{Client, opening, uri};

/// Length of a line from which on values are written over several.
const WIDTH: usize = 130;

struct Session {
    folder: PathBuf,
    client: Option<Client>,
    /// The texts of open files, with their versions.
    open: BTreeMap<String, (i32, String)>,
}

#[test]
fn sessions_go_as_they_are_recorded() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lsp");
    let entries = fs::read_dir(&folder).expect("the folder of this file");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut sessions: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|it| it == "txt")).collect();
    sessions.sort();
    assert!(!sessions.is_empty());
    for path in sessions {
        let recorded = fs::read_to_string(&path).expect("a text");
        let played = play(&recorded);
        if std::env::var("SNAPSHOTS").is_ok_and(|value| value == "overwrite") {
            fs::write(&path, &played).expect("a written file");
        } else {
            let name = path.display();
            for (number, (found, expected)) in played.lines().zip(recorded.lines()).enumerate() {
                assert_eq!(found, expected, "{name}:{}; SNAPSHOTS=overwrite writes it anew", number + 1);
            }
            assert_eq!(played.lines().count(), recorded.lines().count(), "{name}");
        }
    }
}

/// Plays a session, and returns it with what the server says.
fn play(recorded: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let root = fs::canonicalize(folder.path()).expect("the folder");
    let (files, said) = recorded.split_once("--- session\n").expect("a line `--- session`");
    for file in files.split("--- ").skip(1) {
        let (path, text) = file.split_once('\n').expect("a path and a text");
        write(&root.join(path), text);
    }
    let client = Some(Client::start(&root));
    let mut session = Session { folder: root, client, open: BTreeMap::new() };
    let mut played = format!("{files}--- session\n");
    for line in said.lines().filter(|line| !line.starts_with('<')) {
        writeln!(played, "{line}").expect("strings take any text");
        if let Some(command) = line.strip_prefix("> ") {
            for answer in session.say(command) {
                for line in answer.lines() {
                    writeln!(played, "< {line}").expect("strings take any text");
                }
            }
        }
    }
    played
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("a new folder");
    fs::write(path, text).expect("a new file");
}

impl Session {
    /// Says something, and returns what is answered.
    fn say(&mut self, command: &str) -> Vec<String> {
        let (method, rest) = command.split_once(' ').unwrap_or((command, ""));
        if method == "raw" || method == "initialize" {
            let value: Value = serde_json::from_str(rest).expect("JSON");
            return self.raw(method, &value);
        }
        let (file, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        let values: Vec<Value> = values.collect::<Result<_, _>>().expect("values of JSON");
        let text = |index: usize| values.get(index).and_then(Value::as_str).expect("a text");
        let uri = uri(&self.folder, file);
        match method {
            "open" => {
                let text = fs::read_to_string(self.folder.join(file)).expect("a file of the session");
                self.open.insert(file.to_owned(), (1, text.clone()));
                self.tell("textDocument/didOpen", &opening(&uri, &text))
            }
            "change" => self.change(file, &uri, text(0), text(1)),
            "save" => {
                fs::write(self.folder.join(file), &self.open[file].1).expect("a written file");
                self.tell("textDocument/didSave", &json!({ "textDocument": { "uri": uri } }))
            }
            "close" => {
                self.open.remove(file);
                self.tell("textDocument/didClose", &json!({ "textDocument": { "uri": uri } }))
            }
            "write" => {
                write(&self.folder.join(file), text(0));
                self.tell(
                    "workspace/didChangeWatchedFiles",
                    &json!({ "changes": [{ "uri": uri, "type": 2 }] }),
                )
            }
            method => {
                let mut parameters = json!({ "textDocument": { "uri": uri } });
                for value in &values {
                    match value {
                        Value::String(place) => self.place(file, place, &mut parameters),
                        Value::Object(more) => {
                            parameters.as_object_mut().expect("an object").extend(more.clone());
                        }
                        _ => panic!("`{value}` is neither a place nor an object"),
                    }
                }
                let (before, answer) = self.client().request(method, &parameters);
                self.shown(before.into_iter().chain([answer]))
            }
        }
    }

    fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("the server has not ended")
    }

    fn raw(&mut self, method: &str, value: &Value) -> Vec<String> {
        if method == "initialize" {
            let (before, answer) = self.client().request(method, value);
            self.client().notify("initialized", &json!({}));
            return self.shown(before.into_iter().chain([answer]));
        }
        self.client().raw(&value.to_string());
        if value["method"] == "exit" {
            let (status, said) = self.client.take().expect("the server has not ended").end();
            return vec![format!("exit {} {said}", status.expect("a status")).trim_end().to_owned()];
        }
        let said = self.client().settled();
        self.shown(said)
    }

    fn tell(&mut self, method: &str, parameters: &Value) -> Vec<String> {
        self.client().notify(method, parameters);
        let said = self.client().settled();
        self.shown(said)
    }

    fn change(&mut self, file: &str, uri: &str, old: &str, new: &str) -> Vec<String> {
        let (version, text) = self.open.get_mut(file).expect("an open file");
        assert_eq!(text.matches(old).count(), 1, "`{old}` is to be in {file} once");
        let start = text.find(old).expect("it is there");
        let range = json!({ "start": position(text, start), "end": position(text, start + old.len()) });
        text.replace_range(start..start + old.len(), new);
        *version += 1;
        let document = json!({ "uri": uri, "version": *version });
        let change = json!({ "range": range, "text": new });
        self.tell("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": [change] }))
    }

    /// Adds a position or range to parameters.
    fn place(&self, file: &str, place: &str, parameters: &mut Value) {
        let text = match self.open.get(file) {
            Some((_, text)) => text.clone(),
            None => fs::read_to_string(self.folder.join(file)).expect("a file of the session"),
        };
        let around = place.replace('|', "");
        assert_eq!(text.matches(&around).count(), 1, "`{around}` is to be in {file} once");
        let at = text.find(&around).expect("it is there");
        let marks: Vec<usize> = place.match_indices('|').map(|(mark, _)| mark).collect();
        match marks.as_slice() {
            [mark] => parameters["position"] = position(&text, at + mark),
            [start, end] => {
                let end = position(&text, at + end - 1);
                parameters["range"] = json!({ "start": position(&text, at + start), "end": end });
            }
            _ => panic!("`{place}` has one mark or two"),
        }
    }

    fn shown(&self, messages: impl IntoIterator<Item = Value>) -> Vec<String> {
        let root = uri(&self.folder, "");
        let shown = messages.into_iter().map(|message| {
            let (head, value) = match message.get("method").and_then(Value::as_str) {
                Some(method) => (method.to_owned(), &message["params"]),
                None if message.get("error").is_some() => ("error".to_owned(), &message["error"]),
                None => ("result".to_owned(), &message["result"]),
            };
            let mut text = head + " ";
            pretty(&shortened(value), 0, &mut text);
            text.replace(root.trim_end_matches('/'), "file:///ROOT")
        });
        shown.collect()
    }
}

/// Returns a position in units of UTF-16.
fn position(text: &str, byte: usize) -> Value {
    let start = text[..byte].rfind('\n').map_or(0, |end| end + 1);
    json!({ "line": text[..byte].matches('\n').count(), "character": text[start..byte].encode_utf16().count() })
}

/// Returns a value in which ranges are texts.
fn shortened(value: &Value) -> Value {
    let point = |value: &Value| {
        Some(format!("{}:{}", value.get("line")?.as_u64()?, value.get("character")?.as_u64()?))
    };
    match value {
        Value::Object(fields) => {
            let range = fields.get("start").and_then(point).zip(fields.get("end").and_then(point));
            match range {
                Some((start, end)) => json!(format!("{start}-{end}")),
                None => fields.iter().map(|(name, value)| (name.clone(), shortened(value))).collect(),
            }
        }
        Value::Array(values) => values.iter().map(shortened).collect(),
        other => other.clone(),
    }
}

/// Writes a value into one line if it is short, and over several if it is not.
fn pretty(value: &Value, depth: usize, text: &mut String) {
    let compact = value.to_string();
    let indent = "  ".repeat(depth + 1);
    match value {
        Value::Array(values) if compact.len() > WIDTH => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(text, "{comma}\n{indent}").expect("strings take any text");
                pretty(value, depth + 1, text);
            }
            text.push(']');
        }
        Value::Object(fields) if compact.len() > WIDTH => {
            text.push('{');
            for (index, (name, value)) in fields.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                write!(text, "{comma}\n{indent}{}: ", json!(name)).expect("strings take any text");
                pretty(value, depth + 1, text);
            }
            text.push('}');
        }
        _ => text.push_str(&compact),
    }
}
