//! What the client tells of its documents and of files on disk.

use std::io::Write;

use ls_types::{
    DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams,
};
use serde_json::{Value, json};

use super::dispatch::read;
use super::documents::path_of;
use super::message::{Failure, notification};
use super::server::Server;

impl<W: Write> Server<W> {
    /// Takes a notification. The error is for the user.
    pub(super) fn notified(&mut self, method: &str, parameters: Value) -> Result<(), String> {
        let wrong = |failure: Failure| format!("`{method}`: {}", failure.message);
        match method {
            "initialized" => self.initialized(),
            "textDocument/didOpen" => {
                let told: DidOpenTextDocumentParams = read(parameters).map_err(wrong)?;
                let document = told.text_document;
                let path = path_of(&document.uri);
                let opened = self.workspace.documents.open(document.uri, document.version, document.text);
                self.publisher.opened(&path);
                self.workspace.found_anew();
                self.changed(&path);
                opened
            }
            "textDocument/didChange" => {
                let told: DidChangeTextDocumentParams = read(parameters).map_err(wrong)?;
                let (path, version) = (path_of(&told.text_document.uri), told.text_document.version);
                let (changes, encoding) = (told.content_changes, self.workspace.encoding);
                let applied = self.workspace.documents.change(&path, version, changes, encoding);
                self.publisher.edited(&path);
                self.changed(&path);
                applied
            }
            "textDocument/didSave" => {
                let told: DidSaveTextDocumentParams = read(parameters).map_err(wrong)?;
                self.disk_changed(Some(&path_of(&told.text_document.uri)));
                Ok(())
            }
            "textDocument/didClose" => {
                let told: DidCloseTextDocumentParams = read(parameters).map_err(wrong)?;
                let path = path_of(&told.text_document.uri);
                self.workspace.documents.close(&path);
                self.changed(&path);
                self.publisher.closed(&path);
                Ok(())
            }
            "workspace/didChangeWatchedFiles" => {
                self.disk_changed(None);
                Ok(())
            }
            // Others are allowed, and need no answer: `$/cancelRequest`, say, since requests are answered one by one and soon.
            _ => Ok(()),
        }
    }

    /// Asks to be told of files that others change, where the client can.
    fn initialized(&mut self) -> Result<(), String> {
        if !self.settings.registers_watchers {
            return Ok(());
        }
        let watchers = json!([{ "globPattern": "**/*.svc" }, { "globPattern": "**/zsvc.toml" }]);
        let method = "workspace/didChangeWatchedFiles";
        let registration =
            json!({ "id": "files", "method": method, "registerOptions": { "watchers": watchers } });
        let mut request =
            notification("client/registerCapability", &json!({ "registrations": [registration] }));
        request["id"] = json!("register");
        self.send(&request)
    }

    fn changed(&mut self, path: &str) {
        let concerned = self.workspace.changed(path);
        self.publisher.look_at(concerned);
    }

    fn disk_changed(&mut self, saved: Option<&str>) {
        self.workspace.disk_changed();
        self.publisher.look_at_all(&self.workspace);
        if let Some(path) = saved {
            self.publisher.saved(path);
        }
    }
}
