//! What no client should send: the server says what is wrong, and goes on or ends, but never breaks.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::client::{Client, opening, uri};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn eager(folder: &Path) -> Client {
    Client::initialized(folder, &json!({ "eager": true, "diff": false }))
}

fn codes(messages: &[Value]) -> Vec<i64> {
    messages.iter().filter_map(|message| message["error"]["code"].as_i64()).collect()
}

#[test]
fn garbage_ends_the_conversation_with_an_error() {
    let folder = folder();
    for (bytes, expected) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "is no header"),
        (b"\0\xff\xfe garbage without an end", "are missing"),
        (b"Content-Length: many\r\n\r\n", "tells no length"),
        (b"Content-Length: 100\r\n\r\n{}", "ends after 2 of the 100"),
    ] {
        let mut client = Client::start(folder.path());
        client.bytes(bytes);
        let (status, said) = client.end();
        assert_eq!(status, Some(2), "{said}");
        assert!(said.starts_with("error: ") && said.contains(expected), "{said}");
    }
}

#[test]
fn what_is_no_message_is_answered_and_the_next_one_is_too() {
    let folder = folder();
    let mut client = eager(folder.path());
    client.raw("{ no JSON");
    client.raw("[1, 2]");
    client.raw(&"[".repeat(200_000));
    client.raw(r#"{"id": {}, "method": "a"}"#);
    client.raw(r#"{"id": 7, "result": null}"#);
    client.bytes(b"Content-Length: 3\r\n\r\n\xff\xfe\xfd");
    let said = client.settled();
    assert_eq!(codes(&said), [-32700, -32600, -32700, -32600, -32700], "{said:?}");
}

#[test]
fn requests_out_of_order_are_refused() {
    let folder = folder();
    let mut client = Client::start(folder.path());
    let code =
        |client: &mut Client, method: &str| client.request(method, &json!({})).1["error"]["code"].clone();
    assert_eq!(code(&mut client, "textDocument/hover"), -32002);
    assert_eq!(code(&mut client, "shutdown"), -32002);
    client.notify("textDocument/didOpen", &opening("file:///a.svc", "package a;"));
    assert!(client.request("initialize", &json!({ "capabilities": 5 })).1["result"].is_object());
    assert_eq!(code(&mut client, "initialize"), -32600);
    assert_eq!(code(&mut client, "no/such"), -32601);
    assert_eq!(code(&mut client, "textDocument/hover"), -32602);
    assert_eq!(client.request("shutdown", &Value::Null).1["result"], Value::Null);
    assert_eq!(code(&mut client, "textDocument/hover"), -32600);
    client.notify("exit", &Value::Null);
    assert_eq!(client.end(), (Some(0), String::new()));
}

#[test]
fn a_client_that_goes_without_a_word_ends_the_server() {
    let folder = folder();
    assert_eq!(Client::start(folder.path()).end(), (Some(1), String::new()));
    let mut client = eager(folder.path());
    client.notify("exit", &Value::Null);
    assert_eq!(client.end().0, Some(1), "there was no `shutdown`");
    let mut client = eager(folder.path());
    client.request("shutdown", &Value::Null);
    assert_eq!(client.end().0, Some(0), "the end of input after `shutdown` is as good as `exit`");
}

#[test]
fn positions_and_changes_that_can_not_be_are_taken_for_the_nearest() {
    let folder = folder();
    let mut client = eager(folder.path());
    let uri = uri(folder.path(), "a.svc");
    let text = "package a.v1;\n/// \u{1f600}\nstruct A { a: A? = 1; }\n";
    client.notify("textDocument/didOpen", &opening(&uri, text));
    assert_eq!(client.settled(), [] as [Value; 0]);
    let most = u32::MAX;
    for position in [(0, most), (most, 0), (most, most), (1, 5), (3, 1)] {
        let position = json!({ "line": position.0, "character": position.1 });
        let asked = json!({
            "textDocument": { "uri": uri }, "position": position, "newName": "B", "context": { "includeDeclaration": true }
        });
        for method in ["hover", "definition", "references", "completion", "prepareRename", "rename"] {
            let (_, answer) = client.request(&format!("textDocument/{method}"), &asked);
            let code = &answer["error"]["code"];
            assert!(code.is_null() || *code == -32803, "{method}: {answer}");
        }
    }
    let range = json!({ "start": { "line": 9, "character": 9 }, "end": { "line": 0, "character": most } });
    let document = json!({ "uri": uri, "version": 2 });
    let change = json!({ "textDocument": document, "contentChanges": [{ "range": range, "text": "" }] });
    client.notify("textDocument/didChange", &change);
    assert_eq!(client.settled(), [] as [Value; 0], "all but the first line is gone");
}

#[test]
fn documents_that_are_not_there_are_no_trouble() {
    let folder = folder();
    let mut client = eager(folder.path());
    for uri in [uri(folder.path(), "none.svc"), "untitled:Untitled-1".to_owned(), "file:///".to_owned()] {
        let asked = json!({ "textDocument": { "uri": uri }, "position": { "line": 0, "character": 0 } });
        for method in ["hover", "definition", "documentSymbol", "completion", "formatting"] {
            let mut asked = asked.clone();
            asked["options"] = json!({ "tabSize": 4, "insertSpaces": true });
            let (_, answer) = client.request(&format!("textDocument/{method}"), &asked);
            assert_eq!(answer["result"], Value::Null, "{method} of {uri}: {answer}");
        }
        client.notify("textDocument/didClose", &json!({ "textDocument": { "uri": uri } }));
    }
    let document = json!({ "uri": uri(folder.path(), "none.svc"), "version": 2 });
    client.notify(
        "textDocument/didChange",
        &json!({ "textDocument": document, "contentChanges": [{ "text": "" }] }),
    );
    let said = client.settled();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0]["params"]["message"].as_str().is_some_and(|text| text.contains("is not open")),
        "{said:?}"
    );
    client.notify("textDocument/didOpen", &opening("untitled:Untitled-1", "packge a;"));
    let said = client.settled();
    assert_eq!(said[0]["params"]["uri"], "untitled:Untitled-1", "{said:?}");
}

#[test]
fn a_file_that_is_no_text_is_told_so() {
    let folder = folder();
    fs::write(folder.path().join("wide.svc"), b"\xff\xfep\0a\0").expect("a new file");
    fs::write(folder.path().join("odd.svc"), b"package odd;\n// \xff\xff\nstruct A {}\n")
        .expect("a new file");
    let mut client = eager(folder.path());
    let uri = uri(folder.path(), "a.svc");
    let text = "package a.v1;\nimport \"wide.svc\";\nimport \"odd.svc\";\nstruct A { a: odd.A = 1; }\n";
    client.notify("textDocument/didOpen", &opening(&uri, text));
    client.settled();
    let place = json!({ "textDocument": { "uri": uri }, "position": { "line": 3, "character": 19 } });
    let (_, answer) = client.request("textDocument/definition", &place);
    assert!(answer["result"]["uri"].as_str().is_some_and(|uri| uri.ends_with("odd.svc")), "{answer}");
}

#[test]
fn a_huge_document_is_looked_at_when_it_is_saved() {
    let folder = folder();
    let mut client = eager(folder.path());
    let uri = uri(folder.path(), "huge.svc");
    let text = format!("package a.v1;\n{}struct A {{ a: B = 1; }}\n", "// A remark.\n".repeat(100_000));
    client.notify("textDocument/didOpen", &opening(&uri, &text));
    let told = |said: &[Value]| {
        said.iter().map(|it| it["params"]["diagnostics"].as_array().map_or(0, Vec::len)).collect::<Vec<_>>()
    };
    assert_eq!(told(&client.settled()), [1]);
    let range =
        json!({ "start": { "line": 100_001, "character": 0 }, "end": { "line": 100_002, "character": 0 } });
    let document = json!({ "uri": uri, "version": 2 });
    let change = json!({ "textDocument": document, "contentChanges": [{ "range": range, "text": "" }] });
    client.notify("textDocument/didChange", &change);
    assert_eq!(told(&client.settled()), [] as [usize; 0]);
    client.notify("textDocument/didSave", &json!({ "textDocument": { "uri": uri } }));
    assert_eq!(told(&client.settled()), [0]);
}
