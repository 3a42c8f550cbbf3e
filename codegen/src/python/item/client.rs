//! Clients of a service: one for asyncio, one for threads.

use zsvc_idl::schema::{Method, MethodKind, Service};

use super::fields::is_nullable;
use super::method::types;
use crate::python::lines::Lines;
use crate::python::names::{MethodNames, ServiceNames};
use crate::python::site::{Builtins, Site};
use crate::python::{docs, literal};

/// The kind of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Async,
    Blocking,
}

impl Style {
    fn base(self) -> &'static str {
        if self == Self::Async { "AsyncClient" } else { "BlockingClient" }
    }

    fn prefix(self) -> &'static str {
        if self == Self::Async { "" } else { "Blocking" }
    }

    fn definition(self) -> &'static str {
        if self == Self::Async { "async def" } else { "def" }
    }

    fn wait(self) -> &'static str {
        if self == Self::Async { "await " } else { "" }
    }
}

/// Adds a client of a service.
pub(super) fn client(
    site: &Site<'_>,
    lines: &mut Lines,
    names: &ServiceNames,
    service: &Service,
    style: Style,
) {
    lines.blank();
    lines.blank();
    let calls: Vec<String> = names.methods.iter().map(|method| method.call.clone()).collect();
    let builtins = Builtins::among(&calls);
    let name = if style == Style::Async { &names.client } else { &names.blocking };
    lines.block(&format!("class {name}(_z.{}):", style.base()), |lines| {
        let what = if style == Style::Async { "asyncio" } else { "threads" };
        docs::write(lines, &format!("A client of `{}`, for {what}.", service.name));
        for (own, method) in names.methods.iter().zip(&service.methods) {
            lines.blank();
            call(site, lines, own, (service, method), (style, builtins));
        }
    });
}

fn call(
    site: &Site<'_>,
    lines: &mut Lines,
    names: &MethodNames,
    (service, method): (&Service, &Method),
    (style, builtins): (Style, Builtins),
) {
    if let Some(why) = &method.notes.deprecated {
        lines.line(&format!("@{}({})", site.import("_deprecated"), literal::string(why)));
    }
    let parameters = parameters(site, names, method, (style, builtins));
    let (item, answer) = types(&method.kind);
    let item = item.map(|item| site.annotation(item, builtins)).unwrap_or_default();
    let has_answer = answer.is_some();
    let answer = answer.map_or_else(|| "None".to_owned(), |answer| site.annotation(answer, builtins));
    let (definition, result) = match &method.kind {
        MethodKind::ServerStream(_) => ("def", format!("_z.{}Streaming[{answer}]", style.prefix())),
        MethodKind::Bidirectional(..) => ("def", format!("_z.{}Duplex[{item}, {answer}]", style.prefix())),
        _ => (style.definition(), answer.clone()),
    };
    lines.list(&format!("{definition} {}(", names.call), &parameters, &format!(") -> {result}:"));
    lines.block_body(|lines| {
        docs::of_method(
            lines,
            &method.notes,
            &format!("Calls `{}`.", method.name),
            service.access_of(method),
        );
        body(lines, names, method, style, has_answer);
    });
}

fn body(lines: &mut Lines, names: &MethodNames, method: &Method, style: Style, has_answer: bool) {
    let mut arguments = vec![names.variable.clone()];
    let function = match &method.kind {
        MethodKind::ServerStream(_) => "_stream",
        MethodKind::Bidirectional(..) => "_duplex",
        MethodKind::ClientStream(..) => {
            arguments.push(names.stream.clone());
            "_upload"
        }
        MethodKind::Unary(_) | MethodKind::OneWay => "_unary",
    };
    arguments.extend(names.parameters.iter().cloned());
    let wait = if function == "_unary" || function == "_upload" { style.wait() } else { "" };
    let result = if has_answer { "return " } else { "" };
    lines.list(&format!("{result}{wait}self.{function}("), &arguments, ")");
}

fn parameters(
    site: &Site<'_>,
    names: &MethodNames,
    method: &Method,
    (style, builtins): (Style, Builtins),
) -> Vec<String> {
    let mut parameters = vec!["self".to_owned()];
    // Python has defaults at the end alone.
    let has_stream = matches!(method.kind, MethodKind::ClientStream(..));
    let defaults = method.parameters.iter().rev().take_while(|it| default(site, it).is_some()).count();
    let first = if has_stream { method.parameters.len() } else { method.parameters.len() - defaults };
    for (index, (name, parameter)) in names.parameters.iter().zip(&method.parameters).enumerate() {
        let value = if index < first { None } else { default(site, parameter) };
        let value = value.map(|value| format!(" = {value}")).unwrap_or_default();
        parameters.push(format!("{name}: {}{value}", site.annotation(&parameter.ty, builtins)));
    }
    if let MethodKind::ClientStream(stream, _) = &method.kind {
        let item = site.annotation(&stream.item, builtins);
        let iterable = site.import("_Iterable");
        let annotation = match style {
            Style::Async => format!("{}[{item}] | {iterable}[{item}]", site.import("_AsyncIterable")),
            Style::Blocking => format!("{iterable}[{item}]"),
        };
        parameters.push(format!("{}: {annotation}", names.stream));
    }
    parameters
}

/// Returns the value of a parameter that is not given.
fn default(site: &Site<'_>, parameter: &zsvc_idl::schema::Field) -> Option<String> {
    match &parameter.default {
        // The module of another package may be half imported when the method is made.
        Some(value) if literal::needs_others(site, value) => None,
        Some(value) => Some(literal::value(site, &parameter.ty, value)),
        None => is_nullable(site, &parameter.ty).then(|| "None".to_owned()),
    }
}
