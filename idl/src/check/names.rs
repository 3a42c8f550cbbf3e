//! Rules about names inside one declaration, and about declarations without members.

use std::collections::HashMap;

use super::walk;
use crate::ast::{ItemKind, MAX_PACKAGE_PARTS, Name};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::{BUILTINS, Model};
use crate::source::Span;

/// Reports types that are named like a built-in one.
pub(super) fn builtin_names(model: &Model, report: &mut Report) {
    for (_, item) in model.items() {
        let is_type = !matches!(item.kind, ItemKind::Const { .. } | ItemKind::Service(_));
        if is_type && BUILTINS.contains(&item.name.text.as_str()) {
            let message = format!("`{}` is a type of the language", item.name.text);
            let diagnostic = Diagnostic::new(diagnostic::BUILTIN_NAME, message)
                .at(item.name.span, "this name is taken")
                .help("choose another name");
            report.add(diagnostic);
        }
    }
}

/// Reports duplicate names of fields, values, variants, methods and parameters.
pub(super) fn duplicate_members(model: &Model, report: &mut Report) {
    for body in walk::bodies(model) {
        duplicates(body.member, body.members.iter().map(|(name, _)| *name), report);
    }
    for (_, item) in model.items() {
        if let ItemKind::Service(service) = &item.kind {
            duplicates("method", service.methods.iter().map(|method| &method.name), report);
        }
    }
    for (_, method) in walk::methods(model) {
        duplicates("parameter", method.parameters.iter().map(|parameter| &parameter.name), report);
    }
}

fn duplicates<'a>(member: &str, names: impl Iterator<Item = &'a Name>, report: &mut Report) {
    let mut seen: HashMap<&str, &Name> = HashMap::new();
    for name in names {
        let Some(first) = seen.get(name.text.as_str()) else {
            seen.insert(&name.text, name);
            continue;
        };
        let diagnostic =
            Diagnostic::new(diagnostic::DUPLICATE_MEMBER, format!("two {member}s are named `{}`", name.text))
                .at(name.span, "once more")
                .related(first.span, "first here")
                .help("give one of the two another name");
        report.add(diagnostic);
    }
}

/// Reports package names with too many parts, at the first part past the limit.
pub(super) fn package_parts(model: &Model, report: &mut Report) {
    for package in model.program.files.iter().filter_map(|file| file.package.as_ref()) {
        let Some(first) = package.path.segments.get(MAX_PACKAGE_PARTS) else { continue };
        let count = package.path.segments.len();
        let message = format!("a package has at most {MAX_PACKAGE_PARTS} parts, this one {count}");
        let span = Span { end: package.path.span.end, ..first.span };
        let diagnostic = Diagnostic::new(diagnostic::PACKAGE_PARTS, message)
            .at(span, if count == MAX_PACKAGE_PARTS + 1 { "one too many" } else { "too many" })
            .help("leave some out, or join some with `_`: `market_data.v1`");
        report.add(diagnostic);
    }
}

/// Reports enums and unions without members: a value must be one of something.
pub(super) fn nothing_in_it(model: &Model, report: &mut Report) {
    for (_, item) in model.items().filter(|(_, item)| !item.damaged) {
        let (what, member) = match &item.kind {
            ItemKind::Enum(values) if values.values.is_empty() && !values.is_flags => {
                ("enum", "a value: `First = 1;`")
            }
            ItemKind::Union(union) if union.variants.is_empty() => {
                (if union.is_error { "error" } else { "union" }, "a variant: `First = 1;`")
            }
            _ => continue,
        };
        let diagnostic = Diagnostic::new(
            diagnostic::NOTHING_IN_IT,
            format!("the {what} `{}` has nothing in it", item.full_name),
        )
        .at(item.name.span, "there could be no value of it")
        .help(format!("give it {member}"));
        report.add(diagnostic);
    }
}
