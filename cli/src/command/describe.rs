//! `zsvc describe NAME`

use clap::Args;
use serde_json::json;
use zsvc_dynamic::find::{self, Declared};
use zsvc_idl::analysis::Extents;
use zsvc_idl::schema::TypeKind;
use zsvc_idl::source::Span;

use super::Outcome;
use crate::live::failure::{Failure, shown};
use crate::live::known::{Known, SchemaFiles};
use crate::live::output::Output;
use crate::live::reflection::{Reflection, is_builtin};
use crate::live::run::{Stop, run};
use crate::live::target::{Connected, Target};

/// The arguments of `describe`.
#[derive(Debug, Args)]
pub(crate) struct Describe {
    /// A package, service, method, type or constant: its full name, or an end of that which is of one alone.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    schema: SchemaFiles,
    #[command(flatten)]
    target: Target,
}

/// What was found: its full name, the place of its declaration, and the text of that.
struct Found {
    name: String,
    kind: &'static str,
    place: String,
    text: String,
}

impl Describe {
    /// Prints a declaration as the schema has it, with its docs.
    pub(crate) fn run(self) -> Outcome {
        run(self.target.json, self.describe())
    }

    async fn describe(&self) -> Result<(), Stop> {
        let found = if let Some(known) = self.schema.read()? {
            found(&known, &self.name)?
        } else {
            self.target.with_server(async |connected| self.ask(connected).await).await?
        };
        let output = Output::new();
        if self.target.json {
            let Found { name, kind, place, text } = &found;
            output.line(&json!({ "name": name, "kind": kind, "place": place, "text": text }).to_string())?;
            return Ok(());
        }
        output.line(&format!(
            "// {} {}, {}\n{}",
            found.kind,
            found.name,
            shown(&found.place),
            shown(&found.text)
        ))?;
        Ok(())
    }

    /// Looks in the schema of one service after the other, the program's own first.
    async fn ask(&self, connected: &Connected) -> Result<Found, Stop> {
        let reflection = Reflection::new(&connected.channel);
        let mut services = reflection.services().await?;
        services.sort_by_key(|service| is_builtin(&service.name));
        let mut nearest: Option<Failure> = None;
        for service in services {
            let known = Known::of_service(&reflection, &service.name).await?;
            match found(&known, &self.name) {
                Ok(found) => return Ok(found),
                Err(failure) => drop(nearest.get_or_insert(failure)),
            }
        }
        Err(nearest.unwrap_or_else(|| Failure::unusable("the server has no services")).into())
    }
}

fn found(known: &Known, name: &str) -> Result<Found, Failure> {
    let found = find::declared(&known.schema, name);
    let found = found.map_err(|error| Failure::of_name("declarations of the schema", &error))?;
    let (kind, name, span) = match found {
        Declared::Package(package) => return Ok(of_package(known, package)),
        Declared::Service(name, service) => ("service", name, service.span),
        Declared::Method(method) => ("method", method.name, method.method.span),
        Declared::Type(name, id) => {
            let definition = known.schema.definition(id);
            let is_event =
                matches!(&definition.kind, TypeKind::Struct(structure) if structure.event.is_some());
            (if is_event { "event" } else { "type" }, name, definition.span)
        }
        Declared::Constant(name, span) => ("constant", name, span),
    };
    let file = known.sources.file(span.file);
    let extent = Extents::of(file.text()).at(span.start as usize);
    Ok(Found { name, kind, place: place(known, span), text: unindented(file.text(), extent.whole) })
}

/// Returns a package, which is all that its files say.
fn of_package(known: &Known, package: &zsvc_idl::schema::Package) -> Found {
    let texts: Vec<&str> =
        package.spans.iter().map(|span| known.sources.file(span.file).text().trim_end()).collect();
    let span = package.spans.first().copied();
    Found {
        name: package.full_name(),
        kind: "package",
        place: span.map(|span| place(known, span)).unwrap_or_default(),
        text: texts.join("\n\n"),
    }
}

fn place(known: &Known, span: Span) -> String {
    let location = known.sources.location(span);
    format!("{}:{}", known.sources.file(span.file).path(), location.line)
}

/// Returns a part of a text without the indentation of its first line.
fn unindented(text: &str, range: std::ops::Range<usize>) -> String {
    let before = text[..range.start].rsplit('\n').next().unwrap_or_default();
    let indentation = if before.trim().is_empty() { before } else { "" };
    let lines = text[range].lines().map(|line| line.strip_prefix(indentation).unwrap_or(line));
    lines.collect::<Vec<_>>().join("\n")
}
