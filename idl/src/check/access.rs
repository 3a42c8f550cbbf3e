//! Rules about who may call: `@roles` and `@public`.

use std::collections::HashMap;

use super::attributes::placed;
use super::places;
use crate::ast::{Attribute, Value, ValueKind};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::resolve::Model;
use crate::source::Span;
use crate::value::{MAX_ROLE_BYTES, MAX_ROLES, is_role};

/// Reports roles that can't be any, that are given twice, or that are too many.
pub(super) fn roles(model: &Model, report: &mut Report) {
    for (_, attribute) in placed(model, "roles") {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for (value, role) in attribute.arguments.iter().filter_map(text_of) {
            if let Some(first) = seen.get(role) {
                let message = format!("the role `{}` is given twice", role.escape_debug());
                let again = Diagnostic::new(diagnostic::ROLE, message).at(value.span, "once more");
                report.add(again.related(*first, "first here").help("remove one of the two"));
                continue;
            }
            seen.insert(role, value.span);
            if !is_role(role) {
                report.add(no_role(value, role));
            }
        }
        if let Some(one_too_many) = attribute.arguments.get(MAX_ROLES) {
            let message = format!("more than {MAX_ROLES} roles");
            let diagnostic = Diagnostic::new(diagnostic::ROLE, message).at(one_too_many.span, "one too many");
            report.add(diagnostic.help("name one role for all of them, and give it to their clients"));
        }
    }
}

fn no_role(value: &Value, role: &str) -> Diagnostic {
    let message = match role.len() {
        0 => "a role has a name".to_owned(),
        length if length > MAX_ROLE_BYTES => format!("a role has at most {MAX_ROLE_BYTES} characters"),
        _ => format!("`{}` can't be a role", role.escape_debug()),
    };
    Diagnostic::new(diagnostic::ROLE, message)
        .at(value.span, "")
        .help("use ASCII letters, digits, `-`, `_`, `.`, `:` and `/`, and begin with a letter or digit: `\"trader\"`")
}

fn text_of(value: &Value) -> Option<(&Value, &str)> {
    match &value.kind {
        ValueKind::String(text) => Some((value, text)),
        _ => None,
    }
}

/// Reports what has both `@public` and `@roles`: one of the two is not meant, and to guess could let anybody in.
pub(super) fn public_and_roles(model: &Model, report: &mut Report) {
    for (_, _, preamble) in places::preambles(model) {
        let (Some(public), Some(roles)) = (preamble.find("public"), preamble.find("roles")) else { continue };
        report.add(both(public, roles));
    }
}

fn both(public: &Attribute, roles: &Attribute) -> Diagnostic {
    let message = "anybody may call what is `@public`, and not only clients with these roles";
    Diagnostic::new(diagnostic::PUBLIC_AND_ROLES, message)
        .at(public.span, "anybody")
        .related(roles.span, "only clients with one of these")
        .help("remove one of the two")
}
