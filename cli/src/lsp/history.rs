//! What has changed since `HEAD`, as hints: asked of `zsvc diff`, which runs as a process of its own and reads what was saved.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Maximum size of what the command may say, in bytes. The rest is dropped.
const MAX_OUTPUT_BYTES: u64 = 16 * 1024 * 1024;
/// Time after which a run may be ended to begin another.
const PATIENCE: Duration = Duration::from_secs(60);

/// A change, at its place in a file as it was saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hint {
    /// Bytes of the place.
    pub(super) bytes: std::ops::Range<usize>,
    /// The code of the change, such as `D0305`.
    pub(super) code: String,
    /// What has changed, and what that breaks.
    pub(super) message: String,
}

/// Hints by path.
pub(super) type Hints = BTreeMap<String, Vec<Hint>>;

/// The command that runs, if any.
#[derive(Debug, Default)]
pub(super) struct History {
    running: Option<(Instant, Arc<Mutex<Child>>)>,
}

impl History {
    /// Reports whether a run has begun that is not over, and not too old either.
    pub(super) fn is_running(&self) -> bool {
        self.running.as_ref().is_some_and(|(since, _)| since.elapsed() < PATIENCE)
    }

    /// Starts a run for a project's folder, or for one file without a project, and returns what waits for its end. `None` if the
    /// command can't be run.
    pub(super) fn start(
        &mut self,
        folder: &str,
        file: Option<&str>,
    ) -> Option<impl FnOnce() -> Hints + use<>> {
        self.end();
        let mut command = Command::new(std::env::current_exe().ok()?);
        command.args(["diff", "--against-git", "HEAD", "--format", "json"]).args(file);
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().ok()?;
        let output = child.stdout.take()?;
        let child = Arc::new(Mutex::new(child));
        self.running = Some((Instant::now(), child.clone()));
        let folder = folder.to_owned();
        Some(move || {
            let mut text = Vec::new();
            // What can't be read is not told: hints are no promise.
            let _ = output.take(MAX_OUTPUT_BYTES).read_to_end(&mut text);
            let mut child = child.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = child.wait();
            hints(&folder, &String::from_utf8_lossy(&text))
        })
    }

    /// Ends what runs: it is over, or nothing more is expected of it.
    pub(super) fn end(&mut self) {
        let Some((_, child)) = self.running.take() else { return };
        // The lock is held only by what waits for a process that has closed its output, and so ends.
        if let Ok(mut child) = child.try_lock() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads lines of JSON, as docs/tool.md describes them. Only changes with a place in a newer file are hints.
fn hints(folder: &str, output: &str) -> Hints {
    let mut found = Hints::new();
    for line in output.lines() {
        let Ok(change) = serde_json::from_str::<Value>(line) else { continue };
        let places = std::iter::once(&change).chain(change["related"].as_array().into_iter().flatten());
        let place = { places }.find_map(|place| {
            let file = place["file"].as_str().filter(|file| !file.starts_with("HEAD:"))?;
            let byte = |end: &str| usize::try_from(place["span"][end].as_u64()?).ok();
            Some((file, byte("start")?..byte("end")?))
        });
        let (Some((file, bytes)), Some(code)) = (place, change["code"].as_str()) else { continue };
        let text = |field: &str| change[field].as_str().unwrap_or_default().to_owned();
        let mut lines = vec![format!("since HEAD: {} ({})", text("message"), text("severity"))];
        let more =
            [("why", text("why")), ("help", text("help"))].into_iter().filter(|(_, text)| !text.is_empty());
        lines.extend(more.map(|(name, text)| format!("{name}: {text}")));
        let message = lines.join("\n");
        let path = Path::new(folder).join(file).to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        found.entry(path).or_default().push(Hint { bytes, code: code.to_owned(), message });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_and_all_else_is_not() {
        let output = r#"{"code":"D0301","severity":"wire","message":"a","file":"HEAD:a.svc","span":{"start":1,"end":2},"related":[{"file":"a.svc","span":{"start":3,"end":5}}],"help":"b","why":""}
no JSON
{"code":null,"severity":"error","message":"there is no git","file":null,"span":null,"related":[],"help":"c"}
{"code":"D0302","severity":"safe","message":"d","file":"HEAD:a.svc","span":{"start":1,"end":2},"related":[]}
{"code":"D0303","file":"b.svc","span":{"start":-1,"end":2}}
"#;
        let hint = Hint {
            bytes: 3..5,
            code: "D0301".to_owned(),
            message: "since HEAD: a (wire)\nhelp: b".to_owned(),
        };
        assert_eq!(hints("/p", output), Hints::from([("/p/a.svc".to_owned(), vec![hint])]));
    }
}
