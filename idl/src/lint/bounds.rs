//! Lints about missing bounds on input.

use super::context::{Context, Findings};
use crate::ast::Type as TypeUse;
use crate::check::places::Place;
use crate::check::subjects::{Node, Subject};
use crate::resolve::Model;
use crate::schema::{Builtin, Type};

/// Reports lists and maps of bytes without a maximum number of elements.
pub(super) fn unbounded_list(context: &Context, findings: &mut Findings) {
    for (subject, ty) in unbounded(context) {
        let Some(ty) = context.model.ty(subject.file, ty) else { continue };
        if is_many(context.model, &ty) && holds_bytes(context.model, &ty) {
            let message = format!("`{}` may hold any number of bytes, any number of times", subject.name());
            findings.add(subject.span(), message, "say how many there may be: `@len(..=100)`");
        }
    }
}

/// Reports parameters of variable size without a maximum length.
pub(super) fn unbounded_parameter(context: &Context, findings: &mut Findings) {
    for (subject, ty) in unbounded(context).filter(|(subject, _)| subject.place == Place::Parameter) {
        let ty = context.model.ty(subject.file, ty).and_then(|ty| context.model.inner(&ty));
        let is_text = matches!(ty, Some(Type::Builtin(Builtin::String | Builtin::Bytes)));
        if is_text || matches!(ty, Some(Type::List(_) | Type::Set(_) | Type::Map(..))) {
            let message = format!("`{}` may be of any length", subject.name());
            findings.add(subject.span(), message, "say how long it may be: `@len(..=100)`");
        }
    }
}

/// Returns fields and plain parameters without `@len`, and their types.
fn unbounded<'c, 'm>(context: &'c Context<'_, 'm>) -> impl Iterator<Item = (&'c Subject<'m>, &'m TypeUse)> {
    context.subjects.iter().filter(|subject| subject.preamble.find("len").is_none()).filter_map(|subject| {
        match (subject.node, subject.place) {
            (Node::Field(field), _) => Some((subject, &field.ty)),
            (Node::Parameter(parameter), Place::Parameter) => Some((subject, &parameter.ty)),
            _ => None,
        }
    })
}

fn is_many(model: &Model, ty: &Type) -> bool {
    matches!(model.inner(ty), Some(Type::List(_) | Type::Set(_) | Type::Map(..)))
}

/// Reports whether a type holds bytes, through lists, maps, optionals and aliases, but not structs: their fields have
/// bounds of their own. Recursion is bounded by how deep types may nest, aliases included.
fn holds_bytes(model: &Model, ty: &Type) -> bool {
    match model.inner(ty) {
        Some(Type::Builtin(builtin)) => builtin == Builtin::Bytes,
        Some(Type::List(element) | Type::Map(_, element)) => holds_bytes(model, &element),
        _ => false,
    }
}
