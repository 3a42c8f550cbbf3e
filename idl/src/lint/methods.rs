//! Lints about services and methods.

use super::context::{Context, Findings};
use crate::ast::{ItemKind, Method};
use crate::check::places::Place;
use crate::check::subjects::{Node, Subject};
use crate::schema::Type;

/// Maximum number of parameters; more are hard to tell apart in a call.
const MANY_PARAMETERS: usize = 7;

/// Reports unary `rpc`s without a deadline.
pub(super) fn unary_deadline(context: &Context, findings: &mut Findings) {
    for (subject, method) in methods_without_deadline(context).filter(|(_, method)| !streams(method)) {
        let message = format!("`{}` has no deadline", method.name.text);
        findings.add(subject.span(), message, "say how long a call may take: `@deadline(5s)`");
    }
}

/// Reports streams without a deadline, unless that is intended.
pub(super) fn endless_stream(context: &Context, findings: &mut Findings) {
    for (subject, method) in methods_without_deadline(context).filter(|(_, method)| streams(method)) {
        let message = format!("the stream of `{}` has no deadline", method.name.text);
        let help =
            "say how long it may last: `@deadline(1h)`, or that it has no end: `@allow(endless_stream)`";
        findings.add(subject.span(), message, help);
    }
}

/// Returns the `rpc` methods without a deadline.
fn methods_without_deadline<'c, 'm>(
    context: &'c Context<'_, 'm>,
) -> impl Iterator<Item = (&'c Subject<'m>, &'m Method)> {
    let has_no_deadline =
        |subject: &&Subject| subject.place == Place::Rpc && subject.preamble.find("deadline").is_none();
    context.subjects.iter().filter(has_no_deadline).filter_map(|subject| match subject.node {
        Node::Method(method) => Some((subject, method)),
        _ => None,
    })
}

fn streams(method: &Method) -> bool {
    method.answer.as_ref().is_some_and(|answer| answer.stream)
        || method.parameters.iter().any(|parameter| parameter.stream.is_some())
}

/// Reports methods with many parameters.
pub(super) fn many_parameters(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let Node::Method(method) = subject.node else { continue };
        if let Some(parameter) = method.parameters.get(MANY_PARAMETERS) {
            let message = format!("`{}` has more than {MANY_PARAMETERS} parameters", method.name.text);
            findings.add(parameter.name.span, message, "put them into a struct, whose fields are named");
        }
    }
}

/// Reports results that can't get more fields later.
pub(super) fn bare_answer(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let Node::Method(method) = subject.node else { continue };
        let Some(answer) = &method.answer else { continue };
        let ty = context.model.ty(subject.file, &answer.ty).and_then(|ty| context.model.resolved(&ty));
        if ty.is_some_and(|ty| !matches!(ty, Type::Named(_))) {
            let message = format!("the answer of `{}` can't grow", method.name.text);
            findings.add(answer.ty.span, message, "answer with a struct, which may get more fields");
        }
    }
}

/// Reports services without methods.
pub(super) fn empty_service(context: &Context, findings: &mut Findings) {
    for subject in &context.subjects {
        let Node::Item(item) = subject.node else { continue };
        if matches!(&item.kind, ItemKind::Service(service) if service.methods.is_empty() && service.extends.is_empty())
        {
            let message = format!("the service `{}` has no methods", item.name.text);
            findings.add(subject.span(), message, "give it one, or remove it");
        }
    }
}

/// Reports services named like what is generated from them.
pub(super) fn service_suffix(context: &Context, findings: &mut Findings) {
    for subject in context.subjects.iter().filter(|subject| subject.place == Place::Service) {
        let name = subject.name();
        for suffix in ["Service", "Client", "Server"] {
            if let Some(rest) = name.strip_suffix(suffix).filter(|rest| !rest.is_empty()) {
                let message = format!("the service `{name}` gets a client called `{name}Client`");
                findings.add(subject.span(), message, format!("call it `{rest}`"));
            }
        }
    }
}
