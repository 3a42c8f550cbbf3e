//! What a command reports, in the chosen format: for people to standard error; as JSON to standard output, since then it is
//! the requested output. docs/tool.md has the contract.
//!
//! Colours are used on a terminal only, and not if `NO_COLOR` is set: `anstream` sees to that. Failures to write are
//! ignored, since a closed stream has no reader.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde::Serialize;
use zsvc_idl::compat::{Change, Kind, Sources};
use zsvc_idl::diagnostic::{Diagnostic, Label, RenderStyle, Severity, brief, render};
use zsvc_idl::source::{Location, SourceMap};

/// The format of diagnostics.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Report {
    /// Format of diagnostics: with the lines that they are about, in one line each, or as JSON.
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Human)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    // Several lines each, with the text that it is about, to standard error.
    #[default]
    Human,
    // `file:line:column: error[E0301]: message`, to standard error.
    Short,
    // An object of JSON per line, to standard output.
    Json,
}

impl Report {
    /// Reports all diagnostics of some files.
    pub(crate) fn diagnostics(self, diagnostics: &[Diagnostic], sources: &SourceMap) {
        match self.format {
            Format::Human => {
                let rendered = diagnostics
                    .iter()
                    .map(|diagnostic| render(diagnostic, sources, RenderStyle::Coloured) + "\n");
                say(&rendered.collect::<Vec<_>>().join("\n"));
            }
            Format::Short => {
                say(&diagnostics
                    .iter()
                    .map(|diagnostic| brief(diagnostic, sources) + "\n")
                    .collect::<String>());
            }
            Format::Json => print_lines(diagnostics.iter().map(|diagnostic| Object::of(diagnostic, sources))),
        }
    }

    /// Separates reports from each other by a blank line, in the format with several lines.
    pub(crate) fn part(self) {
        if self.format == Format::Human {
            say("\n");
        }
    }

    /// Prints every change between two schemas, and the number of each kind. To standard output: they are what was requested.
    pub(crate) fn changes(self, changes: &[Change], sources: &Sources, breaking: usize) {
        let lines = |shown: fn(&Sources, &Change) -> String, between: &str| {
            changes.iter().map(|change| shown(sources, change) + "\n").collect::<Vec<_>>().join(between)
        };
        let text = match self.format {
            _ if changes.is_empty() => return,
            Format::Json => {
                let diagnostics: Vec<Diagnostic> =
                    changes.iter().map(|change| sources.diagnostic(change)).collect();
                let told = changes.iter().zip(&diagnostics);
                return print_lines(told.map(|(change, told)| ChangeObject::of(change, told, sources)));
            }
            Format::Human => {
                let shown = lines(|sources, change| sources.render(change, RenderStyle::Coloured), "\n");
                format!("{shown}\n{}\n", summary(changes, breaking))
            }
            Format::Short => lines(Sources::brief, ""),
        };
        let _ = anstream::stdout().write_all(text.as_bytes());
    }

    /// Reports an error without a place in a file, and what to do.
    pub(crate) fn error(self, message: &str, help: &str) {
        match self.format {
            Format::Human => {
                say(&format!("\x1b[1;91merror\x1b[0m\x1b[1m: {message}\x1b[0m\n |\n = help: {help}\n"));
            }
            Format::Short => say(&format!("error: {message}\n")),
            Format::Json => print_lines(std::iter::once(Object::error(message, help))),
        }
    }
}

/// Returns the number of changes of each kind, as text.
fn summary(changes: &[Change], breaking: usize) -> String {
    let count = |kind: Kind| changes.iter().filter(|change| change.kind() == kind).count();
    let kinds = [Kind::Wire, Kind::Risk, Kind::Source, Kind::Safe]
        .map(|kind| format!("{} {}", count(kind), kind.name()));
    let plural = if changes.len() == 1 { "" } else { "s" };
    let end = match breaking {
        0 => "none that fails".to_owned(),
        1 => "1 fails".to_owned(),
        _ => format!("{breaking} fail"),
    };
    format!("{} change{plural}: {}; {end}", changes.len(), kinds.join(", "))
}

/// Prints to standard error.
fn say(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn print_lines(objects: impl Iterator<Item = impl Serialize>) {
    let mut out = std::io::stdout().lock();
    for object in objects {
        // Text and numbers always become JSON; only writing can fail, and then there is no reader.
        let written = serde_json::to_writer(&mut out, &object).is_ok() && out.write_all(b"\n").is_ok();
        if !written {
            return;
        }
    }
}

/// A line of JSON. The names of its fields are part of the contract in docs/tool.md.
#[derive(Serialize)]
struct Object<'a> {
    code: Option<&'static str>,
    severity: &'static str,
    message: &'a str,
    #[serde(flatten)]
    place: Place<'a>,
    related: Vec<Place<'a>>,
    help: Option<&'a str>,
}

/// A span of a file and its label. All fields are null if there is no place.
#[derive(Default, Serialize)]
struct Place<'a> {
    file: Option<&'a str>,
    span: Option<Bytes>,
    start: Option<Point>,
    end: Option<Point>,
    label: Option<&'a str>,
}

#[derive(Serialize)]
struct Bytes {
    start: u32,
    end: u32,
}

#[derive(Serialize)]
struct Point {
    line: usize,
    column: usize,
}

impl<'a> Object<'a> {
    fn of(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> Self {
        Self {
            code: Some(diagnostic.code.id()),
            severity: match diagnostic.severity() {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &diagnostic.message,
            place: diagnostic.primary.as_ref().map(|label| Place::of(label, sources)).unwrap_or_default(),
            related: diagnostic.related.iter().map(|label| Place::of(label, sources)).collect(),
            help: diagnostic.help.as_deref(),
        }
    }

    fn error(message: &'a str, help: &'a str) -> Self {
        let place = Place::default();
        Self { code: None, severity: "error", message, place, related: Vec::new(), help: Some(help) }
    }
}

/// Returns a change as a line of JSON: as a diagnostic, with its kind in place of the severity. Its place is the newer one,
/// if there is one; the older is then related.
#[derive(Serialize)]
struct ChangeObject<'a> {
    #[serde(flatten)]
    told: Object<'a>,
    why: &'a str,
    /// Whether that still works.
    old_reads_new: bool,
    new_reads_old: bool,
    source_compiles: bool,
}

impl<'a> ChangeObject<'a> {
    fn of(change: &'a Change, diagnostic: &'a Diagnostic, sources: &'a Sources) -> Self {
        Self {
            told: Object { severity: change.kind().name(), ..Object::of(diagnostic, sources.map()) },
            why: &change.why,
            old_reads_new: !change.effects.old_reads_new,
            new_reads_old: !change.effects.new_reads_old,
            source_compiles: !change.effects.source,
        }
    }
}

impl<'a> Place<'a> {
    fn of(label: &'a Label, sources: &'a SourceMap) -> Self {
        let span = label.span;
        Self {
            file: Some(sources.file(span.file).path()),
            span: Some(Bytes { start: span.start, end: span.end }),
            start: Some(Point::of(sources.location(span))),
            end: Some(Point::of(sources.location(span.after()))),
            label: Some(&label.text),
        }
    }
}

impl Point {
    fn of(location: Location) -> Self {
        Self { line: location.line, column: location.column }
    }
}
