//! `zsvc fmt [FILE…]`. The style itself is in [`zsvc_idl::format()`], which also sees to it that nothing is lost.

use std::io::{self, Write};
use std::mem;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use similar::TextDiff;
use zsvc_codegen::{Disk, reason, update};
use zsvc_idl::{LoadError, Loader, format};

use super::Outcome;
use super::inputs::{STDIN, files, project, read_stdin};
use super::report::Report;

/// Time to search for the smallest difference of a file; after that any is shown.
const MAX_DIFF_TIME: Duration = Duration::from_secs(2);

/// The arguments of `fmt`.
#[derive(Debug, Args)]
pub(crate) struct Format {
    /// The .svc files, or folders that hold some; `-` is standard input, which goes to standard output; without any, the
    /// project's.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Writes nothing, names the files that are not in the style, and fails if there is one.
    #[arg(long)]
    check: bool,
    /// Writes nothing, shows what would change, and fails if anything would.
    #[arg(long)]
    diff: bool,
}

/// What to do with a file that is not in the style.
#[derive(Debug, Clone, Copy)]
enum Action {
    Write,
    Name,
    Show,
}

/// Loads a file that was read already, so that the bytes that are compared are those that were formatted.
struct Given(Result<Vec<u8>, LoadError>);

impl Loader for Given {
    fn load(&self, _: &str) -> Result<Vec<u8>, LoadError> {
        self.0.clone()
    }
}

impl Format {
    /// Formats each file, even if others fail.
    pub(crate) fn run(self) -> Outcome {
        let action = match (self.diff, self.check) {
            (true, _) => Action::Show,
            (false, true) => Action::Name,
            (false, false) => Action::Write,
        };
        match self.files.as_slice() {
            [only] if only == "-" => Run::of(action).stdin(),
            _ if self.files.iter().any(|path| path == "-") => {
                let message = "`-` is standard input, and can't be formatted together with files";
                Report::default().error(message, "run the command once for `-` and once for the files");
                Outcome::Unusable
            }
            _ => self.all(action).unwrap_or_else(|outcome| outcome),
        }
    }

    fn all(&self, action: Action) -> Result<Outcome, Outcome> {
        let report = Report::default();
        let project = if self.files.is_empty() { project(report)? } else { None };
        let files = files(&self.files, project.as_ref(), report)?;
        let mut run = Run::of(action);
        let mut worst = Outcome::Fine;
        for path in &files {
            worst = worst.max(run.file(path));
            if run.lost {
                break;
            }
        }
        Ok(worst)
    }
}

/// State while files are formatted one after the other.
struct Run {
    disk: Disk,
    action: Action,
    /// Whether diagnostics of an earlier file were printed.
    told: bool,
    /// Whether standard output failed, so that the output for further files would be lost, too.
    lost: bool,
}

impl Run {
    fn of(action: Action) -> Self {
        Self { disk: Disk::default(), action, told: false, lost: false }
    }

    fn file(&mut self, path: &str) -> Outcome {
        let given = Given(self.disk.load(path));
        let text = match self.formatted(path, &given) {
            Ok(text) => text,
            Err(outcome) => return outcome,
        };
        let before = given.0.unwrap_or_default();
        if text.as_bytes() == before {
            return Outcome::Fine;
        }
        if !matches!(self.action, Action::Write) {
            tell_line_ends(path, &before, &text);
        }
        match self.action {
            Action::Write => write(path, &text),
            Action::Name => self.tell(&format!("{path}\n")),
            Action::Show => self.tell(&difference(path, &before, &text)),
        }
    }

    fn stdin(&mut self) -> Outcome {
        let given = Given(read_stdin());
        let text = match self.formatted(STDIN, &given) {
            Ok(text) => text,
            Err(outcome) => return outcome,
        };
        let before = given.0.unwrap_or_default();
        if !matches!(self.action, Action::Write) {
            tell_line_ends(STDIN, &before, &text);
        }
        match self.action {
            Action::Write => print(&text).map_or_else(|outcome| outcome, |()| Outcome::Fine),
            _ if text.as_bytes() == before => Outcome::Fine,
            Action::Name => self.tell(&format!("{STDIN}\n")),
            Action::Show => self.tell(&difference(STDIN, &before, &text)),
        }
    }

    /// Reports that a file is not in the style.
    fn tell(&mut self, text: &str) -> Outcome {
        let printed = print(text);
        self.lost = printed.is_err();
        printed.map_or_else(|outcome| outcome, |()| Outcome::Wrong)
    }

    /// Returns the file in the style, or reports why there is none, with a blank line after the report of another.
    fn formatted(&mut self, path: &str, given: &Given) -> Result<String, Outcome> {
        let formatting = format(given, path);
        if !formatting.diagnostics.is_empty() && mem::replace(&mut self.told, true) {
            Report::default().part();
        }
        Report::default().diagnostics(&formatting.diagnostics, &formatting.sources);
        let unusable = formatting.has_unreadable_file();
        formatting.text.ok_or(if unusable { Outcome::Unusable } else { Outcome::Wrong })
    }
}

fn write(path: &str, text: &str) -> Outcome {
    match update(Path::new(path), text) {
        Ok(()) => Outcome::Fine,
        Err(error) => {
            let message = format!("`{path}` can't be written: {}", reason(&error));
            Report::default().error(&message, "check the path and its permissions; the file is unchanged");
            Outcome::Unusable
        }
    }
}

/// Says on standard error that only the ends of lines differ, which a patch and most editors do not show.
fn tell_line_ends(path: &str, before: &[u8], after: &str) {
    if before != after.as_bytes() && only_line_ends(before, after) {
        let note = "only the ends of lines differ, CR LF where the style has LF; git may write them: `*.svc text eol=lf`";
        anstream::eprintln!("note: {path}: {note}");
    }
}

fn only_line_ends(before: &[u8], after: &str) -> bool {
    String::from_utf8_lossy(before).replace("\r\n", "\n") == after
}

/// Returns what would change, as a patch with three lines around each change.
fn difference(path: &str, before: &[u8], after: &str) -> String {
    let before = String::from_utf8_lossy(before);
    let diff = TextDiff::configure().timeout(MAX_DIFF_TIME).diff_lines(before.as_ref(), after);
    diff.unified_diff().header(path, path).to_string().split_inclusive('\n').map(coloured).collect()
}

fn coloured(line: &str) -> String {
    let colour = match line.as_bytes() {
        [b'-', ..] => "\x1b[31m",
        [b'+', ..] => "\x1b[32m",
        [b'@', ..] => "\x1b[36m",
        _ => return line.to_owned(),
    };
    let text = line.trim_end_matches('\n');
    format!("{colour}{text}\x1b[0m{}", &line[text.len()..])
}

/// Prints to standard output. A failure is reported, since the output is lost, unless the reader has closed it.
fn print(text: &str) -> Result<(), Outcome> {
    let mut out = anstream::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    written.map_err(|error| {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Outcome::Unusable;
        }
        let message = format!("standard output can't be written: {}", reason(&error));
        Report::default().error(&message, "check where it leads to, and whether there is room");
        Outcome::Unusable
    })
}
