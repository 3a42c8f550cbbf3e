//! Rules about `@shard`, which names the parameter that a router spreads calls by.

use super::attributes::only_argument;
use super::types::can_be_key;
use super::walk;
use crate::ast::{Attribute, Method, Parameter};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::schema::{Builtin, Type};
use crate::source::FileId;
use crate::suggest;
use crate::value::{describe, shard_name};

/// Reports names of no parameter, and parameters that may be absent or of which two equal ones may differ on the wire.
pub(super) fn shards(model: &Model, report: &mut Report) {
    for (file, method) in walk::methods(model) {
        let Some(attribute) = method.preamble.find("shard") else { continue };
        let (Some(name), Some(value)) = (shard_name(attribute), only_argument(attribute)) else { continue };
        let wrong = match method.parameters.iter().find(|parameter| parameter.name.text == name) {
            None => Some(
                Diagnostic::new(
                    diagnostic::SHARD_PARAMETER,
                    format!("`{}` has no parameter `{name}`", method.name.text),
                )
                .at(value.span, "unknown")
                .help(parameters_help(method))
                .suggest_if(value.span, suggest::nearest(&name, plain_names(method))),
            ),
            Some(parameter) => unfit(model, file, attribute, parameter),
        };
        if let Some(wrong) = wrong {
            report.add(wrong);
        }
    }
}

fn plain_names(method: &Method) -> impl Iterator<Item = &str> {
    let plain = method.parameters.iter().filter(|parameter| parameter.stream.is_none());
    plain.map(|parameter| parameter.name.text.as_str())
}

fn parameters_help(method: &Method) -> String {
    let names: Vec<_> = plain_names(method).map(|name| format!("`{name}`")).collect();
    if names.is_empty() {
        return "calls without parameters have nothing to be spread by: remove it".to_owned();
    }
    format!("name one of its parameters: {}", names.join(", "))
}

fn unfit(model: &Model, file: FileId, attribute: &Attribute, parameter: &Parameter) -> Option<Diagnostic> {
    let name = &parameter.name.text;
    let (span, message) = if let Some(stream) = parameter.stream {
        (stream, format!("calls can't be spread by `{name}`, which is a stream"))
    } else if let Some(default) = parameter.preamble.find("default") {
        (default.span, format!("calls can't be spread by `{name}`, which may be absent"))
    } else {
        let ty = model.ty(file, &parameter.ty)?;
        let resolved = model.resolved(&ty)?;
        if can_be_key(model, &resolved) || matches!(resolved, Type::Builtin(Builtin::Bytes)) {
            return None;
        }
        (parameter.ty.span, format!("calls can't be spread by a `{}`", describe(model, &ty)))
    };
    let help = "name one that is always there: a string, an integer, a `bool`, a `uuid`, `bytes` or an enum";
    let wrong = Diagnostic::new(diagnostic::SHARD_PARAMETER, message).at(span, "");
    Some(wrong.related(attribute.span, "named here").help(help))
}
