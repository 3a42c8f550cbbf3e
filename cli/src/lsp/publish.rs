//! Which diagnostics the client has been sent, and what is still to be looked at: the open files first, then closed ones that import
//! them, then what has changed since `HEAD`. Each is one step, between which messages are handled.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::thread;

use ls_types::{Diagnostic, DiagnosticSeverity, NumberOrString};
use serde_json::json;

use super::answer::diagnostics;
use super::history::{Hints, History};
use super::importers::importers;
use super::message::notification;
use super::server::{Event, Server};
use super::workspace::{Workspace, folder_of};

/// Size of a text in bytes from which on it is looked at when it is opened and saved, and not at each change.
const MAX_LIVE_BYTES: usize = 1024 * 1024;

/// What was sent, and what is to be done.
#[derive(Debug, Default)]
pub(super) struct Publisher {
    /// Whether changes since `HEAD` are told.
    pub(super) tells_history: bool,
    /// What the client has, by path; nothing empty.
    sent: BTreeMap<String, Vec<Diagnostic>>,
    /// Open files to look at.
    waiting: BTreeSet<String>,
    /// Closed files that import open ones, and of them those to look at.
    importers: BTreeSet<String>,
    waiting_importers: Vec<String>,
    /// Whether the importers are to be looked for.
    finds_importers: bool,
    /// Open files whose changes since `HEAD` are to be asked for.
    asks: BTreeSet<String>,
    history: History,
    hints: Hints,
    /// Open files that have been edited since they were saved: their hints are at other places now.
    edited: BTreeSet<String>,
}

impl Publisher {
    pub(super) fn look_at(&mut self, paths: Vec<String>) {
        self.waiting.extend(paths);
    }

    pub(super) fn look_at_all(&mut self, workspace: &Workspace) {
        self.waiting.extend(workspace.documents.iter().map(|(path, _)| path.clone()));
        self.finds_importers = true;
    }

    pub(super) fn opened(&mut self, path: &str) {
        self.finds_importers = true;
        self.edited.remove(path);
        self.asks.extend(self.tells_history.then(|| path.to_owned()));
    }

    pub(super) fn saved(&mut self, path: &str) {
        self.edited.remove(path);
        // They are about the text before.
        self.hints.remove(path);
        self.asks.extend(self.tells_history.then(|| path.to_owned()));
    }

    pub(super) fn edited(&mut self, path: &str) {
        self.edited.insert(path.to_owned());
    }

    pub(super) fn closed(&mut self, path: &str) {
        self.finds_importers = true;
        self.waiting.remove(path);
        self.asks.remove(path);
        self.edited.remove(path);
    }

    pub(super) fn take_hints(&mut self, hints: Hints) {
        self.history.end();
        self.waiting.extend(hints.keys().chain(self.hints.keys()).cloned());
        self.hints = hints;
    }

    fn may_ask(&self) -> bool {
        !self.asks.is_empty() && !self.history.is_running()
    }
}

impl<W: Write> Server<W> {
    /// Reports whether something waits to be done.
    pub(super) fn has_work(&self) -> bool {
        let publisher = &self.publisher;
        !publisher.waiting.is_empty()
            || publisher.finds_importers
            || !publisher.waiting_importers.is_empty()
            || publisher.may_ask()
    }

    /// Does one step of what waits.
    pub(super) fn work(&mut self) -> Result<(), String> {
        if let Some(path) = self.publisher.waiting.pop_first() {
            if self.workspace.documents.get(&path).is_some() && !self.is_left_until_saved(&path) {
                return self.publish(&path);
            }
        } else if self.publisher.finds_importers {
            self.publisher.finds_importers = false;
            return self.find_importers();
        } else if let Some(path) = self.publisher.waiting_importers.pop() {
            return self.publish(&path);
        } else if self.publisher.may_ask() {
            self.ask();
        }
        Ok(())
    }

    fn is_left_until_saved(&self, path: &str) -> bool {
        let is_large = self.workspace.documents.get(path).is_some_and(|it| it.text.len() > MAX_LIVE_BYTES);
        is_large && self.publisher.edited.contains(path)
    }

    /// Sends the diagnostics of a file.
    fn publish(&mut self, path: &str) -> Result<(), String> {
        let encoding = self.workspace.encoding;
        let mut found = Vec::new();
        if let Some(view) = self.workspace.view(path) {
            found = diagnostics::of(&view, &self.workspace.documents, encoding);
            let is_saved = !self.publisher.edited.contains(path);
            let hints = self.publisher.hints.get(path).filter(|_| is_saved);
            let lines = view.lines(encoding);
            found.extend(hints.into_iter().flatten().map(|hint| Diagnostic {
                range: lines.range(hint.bytes.clone()),
                severity: Some(DiagnosticSeverity::INFORMATION),
                code: Some(NumberOrString::String(hint.code.clone())),
                source: Some("zsvc diff".to_owned()),
                message: diagnostics::cut(hint.message.clone()),
                ..Diagnostic::default()
            }));
        }
        self.send_diagnostics(path, found)
    }

    /// Sends diagnostics, unless the client has just these.
    fn send_diagnostics(&mut self, path: &str, found: Vec<Diagnostic>) -> Result<(), String> {
        let sent = self.publisher.sent.get(path).map(Vec::as_slice).unwrap_or_default();
        if sent == found {
            return Ok(());
        }
        let Some(uri) = self.workspace.documents.uri(path) else { return Ok(()) };
        let mut told = json!({ "uri": uri, "diagnostics": found });
        if let Some(document) = self.workspace.documents.get(path) {
            told["version"] = json!(document.version);
        }
        if found.is_empty() {
            self.publisher.sent.remove(path);
        } else {
            self.publisher.sent.insert(path.to_owned(), found);
        }
        self.send(&notification("textDocument/publishDiagnostics", &told))
    }

    /// Looks for the closed files that import open ones, and takes back what was sent of files that are no more among them.
    fn find_importers(&mut self) -> Result<(), String> {
        let found = importers(&mut self.workspace);
        self.publisher.waiting_importers = found.iter().rev().cloned().collect();
        self.publisher.importers = found.into_iter().collect();
        let projects = self.send_projects()?;
        let sent: Vec<String> = self.publisher.sent.keys().cloned().collect();
        for path in sent {
            let is_open = self.workspace.documents.get(&path).is_some();
            if !is_open && !self.publisher.importers.contains(&path) && !projects.contains(&path) {
                self.send_diagnostics(&path, Vec::new())?;
            }
        }
        Ok(())
    }

    /// Sends what is wrong with `zsvc.toml` files. Returns their paths.
    fn send_projects(&mut self) -> Result<BTreeSet<String>, String> {
        let mut paths = BTreeSet::new();
        for around in self.workspace.wrong_projects() {
            let Some(wrong) = &around.wrong else { continue };
            for (file, id) in wrong.sources.files().iter().zip(0..) {
                let (path, encoding) = (file.path(), self.workspace.encoding);
                let id = zsvc_idl::source::FileId(id);
                let documents = &self.workspace.documents;
                let found = diagnostics::all(&wrong.diagnostics, &wrong.sources, id, documents, encoding);
                if paths.insert(path.to_owned()) {
                    self.send_diagnostics(path, found)?;
                }
            }
        }
        Ok(paths)
    }

    /// Asks what has changed since `HEAD` in the project of a file. The answer is an event.
    fn ask(&mut self) {
        let Some(path) = self.publisher.asks.pop_first() else { return };
        let around = self.workspace.surroundings(&path);
        let project = around.project.as_ref().map(|project| project.path.clone());
        // The other files of the project are asked for at once.
        if let Some(project) = &project {
            let asks = std::mem::take(&mut self.publisher.asks);
            let others = asks.into_iter().filter(|other| {
                let around = self.workspace.surroundings(other);
                around.project.as_ref().map(|project| &project.path) != Some(project)
            });
            self.publisher.asks = others.collect();
        }
        let folder = folder_of(project.as_deref().unwrap_or(&path)).to_owned();
        let file = project.is_none().then(|| path.rsplit('/').next().unwrap_or_default().to_owned());
        if folder.is_empty() {
            return;
        }
        let Some(wait) = self.publisher.history.start(&folder, file.as_deref()) else { return };
        if self.settings.eager {
            self.publisher.take_hints(wait());
            return;
        }
        let events = self.events.clone();
        // It ends with the command, which `History` ends, or with the process.
        thread::spawn(move || {
            let _ = events.send(Event::Hints(wait()));
        });
    }
}
