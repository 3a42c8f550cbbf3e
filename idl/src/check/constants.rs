//! Rules about constants.

use crate::ast::{ItemKind, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::schema::{Builtin, Type};
use crate::value::{describe, enum_values, literal};

/// Reports constants of types whose values can't be written.
pub(super) fn types(model: &Model, report: &mut Report) {
    for (file, item) in model.items() {
        let ItemKind::Const { ty: written, .. } = &item.kind else { continue };
        let Some(ty) = model.ty(file, written) else { continue };
        if model.resolved(&ty).is_some_and(|resolved| !can_be_constant(model, &resolved)) {
            let message = format!("a constant can't be a `{}`", describe(model, &ty));
            let diagnostic = Diagnostic::new(diagnostic::CONSTANT_TYPE, message)
                .at(written.span, "")
                .help("constants are numbers, `bool`, `string`, `bytes`, `duration`, enums, flags, and lists, sets, maps and structs of these");
            report.add(diagnostic);
        }
    }
}

fn can_be_constant(model: &Model, ty: &Type) -> bool {
    use Builtin::{Timestamp, Uuid, Value};
    match ty {
        Type::Builtin(builtin) => !matches!(builtin, Timestamp | Uuid | Value),
        Type::List(_) | Type::Set(_) | Type::Map(..) => true,
        Type::Named(id) => {
            matches!(model.declared(*id).item.kind, ItemKind::Enum(_) | ItemKind::Struct(_))
        }
        Type::Optional(_) => false,
    }
}

/// Reports values that are not written out, or not of the constant's type.
pub(super) fn values(model: &Model, report: &mut Report) {
    for (file, item) in model.items() {
        let ItemKind::Const { ty, value } = &item.kind else { continue };
        let Some(resolved) = model.ty(file, ty).and_then(|ty| model.resolved(&ty)) else { continue };
        if !can_be_constant(model, &resolved) {
            continue;
        }
        let is_enum = matches!(&resolved, Type::Named(id) if enum_values(model, *id).is_some());
        if matches!(value.kind, ValueKind::Path(_)) && !is_enum {
            let diagnostic = Diagnostic::new(diagnostic::CONSTANT_VALUE, "a constant's value is written out")
                .at(value.span, "a name")
                .help("write the value itself; text stands between quotes");
            report.add(diagnostic);
            continue;
        }
        literal(model, file, &resolved, value, report);
    }
}
