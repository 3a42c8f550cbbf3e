//! What a command says of files and of itself, in the format that was asked for: for people to standard error, as JSON to
//! standard output, since there it is what was asked for. docs/tool.md has the contract.
//!
//! Colours only on a terminal, and not against `NO_COLOR`: `anstream` sees to that. Where a stream is closed there is
//! nobody to tell, so failures to write are let pass.

use std::io::Write;

use clap::{Args, ValueEnum};
use serde::Serialize;
use zsvc_idl::diagnostic::{Diagnostic, Label, RenderStyle, Severity, brief, render};
use zsvc_idl::source::{Location, SourceMap};

/// How to say what there is to say.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Report {
    /// How diagnostics are told: with the lines that they are about, in one line each, or as JSON.
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
    /// Everything there is to say about some files.
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

    /// One error that is about no place in a file, and what to do.
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

/// To standard error.
fn say(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

fn print_lines<'a>(objects: impl Iterator<Item = Object<'a>>) {
    let mut out = std::io::stdout().lock();
    for object in objects {
        // Text and numbers always become JSON; only writing can fail, and then there is nobody to tell.
        let written = serde_json::to_writer(&mut out, &object).is_ok() && out.write_all(b"\n").is_ok();
        if !written {
            return;
        }
    }
}

/// A line of JSON. The names of its fields are a promise: docs/tool.md.
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

/// A stretch of a file, and what is said of it. All is null where there is no place.
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
