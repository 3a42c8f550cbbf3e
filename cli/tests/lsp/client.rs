//! A client of the server: a process, messages to it, and messages from it, each awaited with a deadline.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Time after which a message that was expected is missed. Far longer than any takes, since tests run beside others.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) struct Client {
    process: Child,
    input: Option<ChildStdin>,
    messages: Receiver<Value>,
    next_id: i64,
}

impl Client {
    /// Starts a server in a folder.
    pub(crate) fn start(folder: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_zsvc"))
            .arg("lsp")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the command runs");
        let output = process.stdout.take().expect("a pipe");
        let (sender, messages) = mpsc::channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = process.stdin.take();
        Self { process, input, messages, next_id: 1 }
    }

    /// Starts a server, and says what it is for.
    pub(crate) fn initialized(folder: &Path, options: &Value) -> Self {
        let mut client = Self::start(folder);
        let result =
            client.request("initialize", &json!({ "capabilities": {}, "initializationOptions": options }));
        assert!(result.1["result"]["capabilities"].is_object(), "{result:?}");
        client.notify("initialized", &json!({}));
        client
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        // A server that has ended reads nothing more, which some tests are about.
        let _ = self.input.as_mut().expect("it is open").write_all(bytes);
    }

    pub(crate) fn raw(&mut self, text: &str) {
        self.bytes(format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes());
    }

    pub(crate) fn notify(&mut self, method: &str, parameters: &Value) {
        self.raw(&json!({ "jsonrpc": "2.0", "method": method, "params": parameters }).to_string());
    }

    /// Sends a request. Returns the messages that come before its answer, and the answer.
    pub(crate) fn request(&mut self, method: &str, parameters: &Value) -> (Vec<Value>, Value) {
        let id = self.next_id;
        self.next_id += 1;
        self.raw(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": parameters }).to_string());
        let mut before = Vec::new();
        loop {
            let message = self.message();
            if message["id"] == id && message.get("method").is_none() {
                return (before, message);
            }
            before.push(message);
        }
    }

    /// Returns what the server sends until it has handled all that was sent to it.
    pub(crate) fn settled(&mut self) -> Vec<Value> {
        self.request("$/settled", &Value::Null).0
    }

    /// Returns the next message.
    pub(crate) fn message(&mut self) -> Value {
        self.messages.recv_timeout(DEADLINE).expect("the server answers")
    }

    /// Closes the server's input, if it is still open. Returns its exit status and what it has said to standard error.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        drop(self.input.take());
        let mut said = String::new();
        self.process.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        let status = self.process.wait().expect("it ends");
        (status.code(), said)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // A test that fails leaves no server behind.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => length = line.strip_prefix("Content-Length: ")?.parse().ok()?,
        }
    }
    let mut content = vec![0; length];
    output.read_exact(&mut content).ok()?;
    serde_json::from_slice(&content).ok()
}

/// Returns the URI of a file in a folder.
pub(crate) fn uri(folder: &Path, file: &str) -> String {
    format!("file://{}/{file}", folder.to_str().expect("a path in UTF-8"))
}

/// Returns the parameters that open a text.
pub(crate) fn opening(uri: &str, text: &str) -> Value {
    json!({ "textDocument": { "uri": uri, "languageId": "svc", "version": 1, "text": text } })
}
