//! The description of a method, which servers and clients share.

use zsvc_idl::schema::{Method, MethodKind, Overlap, Service, Type};

use super::fields;
use crate::python::lines::Lines;
use crate::python::literal;
use crate::python::names::MethodNames;
use crate::python::site::{Builtins, Site};

/// Adds the description of a method.
pub(super) fn method(
    site: &Site<'_>,
    lines: &mut Lines,
    service_name: &str,
    names: &MethodNames,
    (service, method): (&Service, &Method),
) {
    lines.blank();
    let mut rows = vec![
        literal::string(&format!("{service_name}/{}", method.name)),
        format!("_z.Kind.{}", kind(&method.kind)),
        literal::string(&names.handler),
        Lines::maker(&fields::table(site, &names.parameters, &method.parameters)),
    ];
    let (item, answer) = types(&method.kind);
    rows.extend(item.map(|ty| format!("make_item=lambda: {}", site.form(ty))));
    rows.extend(answer.map(|ty| format!("make_answer=lambda: {}", site.form(ty))));
    if !method.throws.is_empty() {
        let errors = method.throws.iter().map(|thrown| site.path(thrown.error, &site.own(thrown.error).form));
        rows.push(format!("make_throws=lambda: [{}]", errors.collect::<Vec<_>>().join(", ")));
    }
    rows.extend(method.deadline.map(|deadline| format!("deadline={:?}", deadline.as_secs_f64())));
    rows.extend(method.idempotent.then(|| "is_idempotent=True".to_owned()));
    rows.extend(method.blocking.then(|| "is_blocking=True".to_owned()));
    rows.extend(overlap(method.overlap).map(|overlap| format!("overlap=_z.Overlap.{overlap}")));
    let roles = service.access_of(method).roles();
    if !roles.is_empty() {
        let roles: Vec<String> = roles.iter().map(|role| literal::string(role)).collect();
        rows.push(format!("roles=[{}]", roles.join(", ")));
    }
    let answer = answer.map_or_else(|| "None".to_owned(), |ty| site.annotation(ty, Builtins::Plain));
    lines.rows(&format!("{}: _z.Method[{answer}] = _z.Method(", names.variable), &rows, ")");
}

fn kind(kind: &MethodKind) -> &'static str {
    match kind {
        MethodKind::Unary(_) => "UNARY",
        MethodKind::ServerStream(_) => "SERVER_STREAM",
        MethodKind::ClientStream(..) => "CLIENT_STREAM",
        MethodKind::Bidirectional(..) => "BIDIRECTIONAL",
        MethodKind::OneWay => "ONE_WAY",
    }
}

/// Returns the types of the items that a client sends, and of the answer or its items.
pub(crate) fn types(kind: &MethodKind) -> (Option<&Type>, Option<&Type>) {
    match kind {
        MethodKind::Unary(answer) => (None, answer.as_ref()),
        MethodKind::ServerStream(answer) => (None, Some(answer)),
        MethodKind::ClientStream(stream, answer) => (Some(&stream.item), answer.as_ref()),
        MethodKind::Bidirectional(stream, answer) => (Some(&stream.item), Some(answer)),
        MethodKind::OneWay => (None, None),
    }
}

fn overlap(overlap: Overlap) -> Option<&'static str> {
    match overlap {
        Overlap::Parallel => None,
        Overlap::Queue => Some("QUEUE"),
        Overlap::Replace => Some("REPLACE"),
        Overlap::Ignore => Some("IGNORE"),
    }
}
