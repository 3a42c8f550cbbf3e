//! Rules about the errors that methods throw.

use std::collections::HashMap;

use super::walk;
use crate::ast::{ItemKind, Path};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::{Model, Symbol, is_builtin};
use crate::schema::{Type, TypeId};
use crate::source::FileId;

/// Maximum number of errors that a method throws. Each is a variant of a type of the method's own.
const MAX_ERRORS: usize = 32;

/// Reports `throws` of a type that is not an `error`.
pub(super) fn throws_no_error(model: &Model, report: &mut Report) {
    for (file, method) in walk::methods(model) {
        for path in method.throws.iter().filter(|path| is_error(model, file, path) == Some(false)) {
            let help = if is_builtin(path) {
                "declare an `error` and name it: `error Failure { Unknown = 1; }`"
            } else {
                "declare what is thrown with `error` instead of `union` or `struct`"
            };
            let diagnostic =
                Diagnostic::new(diagnostic::THROWS_NO_ERROR, format!("`{}` is no error", path.text()))
                    .at(path.span, "")
                    .help(help);
            report.add(diagnostic);
        }
    }
}

/// Returns whether a path names an error; `None` if it is unknown.
fn is_error(model: &Model, file: FileId, path: &Path) -> Option<bool> {
    if is_builtin(path) {
        return Some(false);
    }
    let Ok(Symbol::Type(id)) = model.lookup(file, path) else { return None };
    let Type::Named(id) = model.resolved(&Type::Named(id))? else { return Some(false) };
    Some(matches!(&model.declared(id).item.kind, ItemKind::Union(union) if union.is_error))
}

/// Reports an error that a method throws twice, also under another name.
pub(super) fn thrown_twice(model: &Model, report: &mut Report) {
    for (file, method) in walk::methods(model).filter(|(_, method)| method.throws.len() > 1) {
        let mut seen: HashMap<TypeId, &Path> = HashMap::new();
        for path in &method.throws {
            let Some(id) = model.named(file, path) else { continue };
            let Some(first) = seen.get(&id) else {
                seen.insert(id, path);
                continue;
            };
            report.add_with(file, diagnostic::THROWN_TWICE, |code| {
                let (name, error) = (&method.name.text, &model.declared(id).item.name.text);
                let diagnostic = Diagnostic::new(code, format!("`{name}` throws `{error}` twice"))
                    .at(path.span, "once more")
                    .related(first.span, "first here");
                let is_alias = path.text() != first.text();
                diagnostic.help(if is_alias {
                    format!("remove one of the two: both names stand for `{error}`")
                } else {
                    "remove one of the two".to_owned()
                })
            });
        }
    }
}

/// Reports methods with more errors than a program could tell apart.
pub(super) fn too_many_errors(model: &Model, report: &mut Report) {
    for (_, method) in walk::methods(model) {
        let Some(first) = method.throws.get(MAX_ERRORS) else { continue };
        let message = format!("`{}` throws more than {MAX_ERRORS} errors", method.name.text);
        let diagnostic = Diagnostic::new(diagnostic::TOO_MANY_ERRORS, message)
            .at(first.span, "one too many")
            .help("declare one error with a variant for each: `error Failure { Missing: NotFound = 1; }`");
        report.add(diagnostic);
    }
}
