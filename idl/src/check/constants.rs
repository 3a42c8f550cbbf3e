//! Rules about constants.

use crate::ast::{ItemKind, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::schema::{Builtin, Type};
use crate::value::{describe, literal};

/// Reports constants of types other than a number, a bool, a string or a duration.
pub(super) fn types(model: &Model, report: &mut Report) {
    for (file, item) in model.items() {
        let ItemKind::Const { ty: written, .. } = &item.kind else { continue };
        let Some(ty) = model.ty(file, written) else { continue };
        if model.resolved(&ty).is_some_and(|resolved| !can_be_constant(&resolved)) {
            let message = format!("a constant can't be a `{}`", describe(model, &ty));
            let diagnostic = Diagnostic::new(diagnostic::CONSTANT_TYPE, message)
                .at(written.span, "")
                .help("constants are numbers, `bool`, `string` or `duration`");
            report.add(diagnostic);
        }
    }
}

fn can_be_constant(ty: &Type) -> bool {
    use Builtin::{Bytes, Timestamp, Uuid, Value};
    matches!(ty, Type::Builtin(builtin) if !matches!(builtin, Bytes | Timestamp | Uuid | Value))
}

/// Reports values that are not written out, or not of the constant's type.
pub(super) fn values(model: &Model, report: &mut Report) {
    for (file, item) in model.items() {
        let ItemKind::Const { ty, value } = &item.kind else { continue };
        let Some(resolved) = model.ty(file, ty).and_then(|ty| model.resolved(&ty)) else { continue };
        if !can_be_constant(&resolved) {
            continue;
        }
        if matches!(value.kind, ValueKind::Path(_)) {
            let diagnostic = Diagnostic::new(diagnostic::CONSTANT_VALUE, "a constant's value is written out")
                .at(value.span, "a name")
                .help("write the value itself; text stands between quotes");
            report.add(diagnostic);
            continue;
        }
        literal(model, file, &resolved, value, report);
    }
}
