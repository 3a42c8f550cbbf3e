//! Rules about `@len`, `@range` and `@default` of fields and parameters.

use super::attributes::only_argument;
use super::walk;
use crate::ast::{Name, Preamble, Type as TypeUse, Value};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::schema::{Builtin, Range, Type};
use crate::source::FileId;
use crate::value::{self, Bounded, describe, integer_limits};

/// A field or a plain parameter whose type is known.
struct Slot<'a> {
    file: FileId,
    preamble: &'a Preamble,
    name: &'a Name,
    /// The type as written.
    ty: Type,
    /// The type without aliases and optionals around it.
    inner: Type,
}

impl Slot<'_> {
    fn argument(&self, attribute: &str) -> Option<&Value> {
        self.preamble.find(attribute).and_then(only_argument)
    }
}

/// Returns the fields and parameters that have any attribute.
fn slots<'a>(model: &Model<'a>) -> Vec<Slot<'a>> {
    let fields = walk::fields(model).map(|(file, field)| (file, &field.preamble, &field.name, &field.ty));
    let parameters = walk::methods(model).flat_map(|(file, method)| {
        let plain = method.parameters.iter().filter(|parameter| parameter.stream.is_none());
        plain.map(move |parameter| (file, &parameter.preamble, &parameter.name, &parameter.ty))
    });
    let attributed = fields.chain(parameters).filter(|(_, preamble, ..)| !preamble.attributes.is_empty());
    attributed.filter_map(|(file, preamble, name, ty)| slot(model, file, preamble, name, ty)).collect()
}

fn slot<'a>(
    model: &Model,
    file: FileId,
    preamble: &'a Preamble,
    name: &'a Name,
    ty: &TypeUse,
) -> Option<Slot<'a>> {
    let ty = model.ty(file, ty)?;
    let inner = model.inner(&ty)?;
    Some(Slot { file, preamble, name, ty, inner })
}

/// Reports `@len` on types without a length, and `@range` on types that are not numbers.
pub(super) fn bounds_on_other_types(model: &Model, report: &mut Report) {
    for slot in slots(model) {
        let wrong = [("len", has_length(&slot.inner)), ("range", number(&slot.inner).is_some())];
        for (name, _) in wrong.into_iter().filter(|(_, fits)| !fits) {
            let Some(attribute) = slot.preamble.find(name) else { continue };
            let message = format!("`@{name}` means nothing on a `{}`", describe(model, &slot.ty));
            let help = match name {
                "len" if number(&slot.inner).is_some() => "`@range` bounds a number",
                "len" => "it bounds strings, bytes, lists, sets and maps",
                _ if has_length(&slot.inner) => "`@len` bounds how long it is",
                _ => "it bounds numbers",
            };
            report.add(
                Diagnostic::new(diagnostic::MISPLACED_ATTRIBUTE, message).at(attribute.span, "").help(help),
            );
        }
    }
}

fn has_length(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Builtin(Builtin::String | Builtin::Bytes) | Type::List(_) | Type::Set(_) | Type::Map(..)
    )
}

fn number(ty: &Type) -> Option<Builtin> {
    match ty {
        Type::Builtin(builtin) if integer_limits(*builtin).is_some() => Some(*builtin),
        Type::Builtin(builtin @ (Builtin::F32 | Builtin::F64)) => Some(*builtin),
        _ => None,
    }
}

/// Reports defaults of optionals: their absence already has a meaning.
pub(super) fn default_of_optional(model: &Model, report: &mut Report) {
    for slot in slots(model).iter().filter(|slot| is_optional(model, slot)) {
        let Some(attribute) = slot.preamble.find("default") else { continue };
        let message = format!("`{}` is optional, so it has no default", slot.name.text);
        let diagnostic = Diagnostic::new(diagnostic::DEFAULT_OPTIONAL, message)
            .at(attribute.span, "")
            .help("remove the `?`, to have the default where it is absent, or remove the default");
        report.add(diagnostic);
    }
}

fn is_optional(model: &Model, slot: &Slot) -> bool {
    matches!(model.resolved(&slot.ty), Some(Type::Optional(_)))
}

/// Reports bounds and defaults of the wrong type, and defaults outside the bounds.
pub(super) fn values(model: &Model, report: &mut Report) {
    for slot in slots(model) {
        let mut bounds: Vec<(Range, Bounded)> = Vec::new();
        let length = slot.argument("len").filter(|_| has_length(&slot.inner));
        let range = slot.argument("range").zip(number(&slot.inner));
        let wanted = length.map(|value| (value, Bounded::Length));
        for (value, bounded) in
            wanted.into_iter().chain(range.map(|(value, ty)| (value, Bounded::Number(ty))))
        {
            bounds.extend(
                value::bounds(model, slot.file, bounded, value, report).map(|range| (range, bounded)),
            );
        }
        let Some(value) = slot.argument("default").filter(|_| !is_optional(model, &slot)) else { continue };
        let Some(default) = value::literal(model, slot.file, &slot.inner, value, report) else { continue };
        if bounds.iter().any(|(range, bounded)| !value::allows(range, *bounded, &default)) {
            let message = format!("the default of `{}` is outside its bounds", slot.name.text);
            let diagnostic = Diagnostic::new(diagnostic::DEFAULT_OUTSIDE, message)
                .at(value.span, "")
                .help("choose a default within the bounds, or widen them");
            report.add(diagnostic);
        }
    }
}
