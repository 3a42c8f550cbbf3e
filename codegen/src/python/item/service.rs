//! The abstract class of a service, which programs implement.

use zsvc_idl::schema::{Method, MethodKind, Service};

use super::method::types;
use crate::python::docs;
use crate::python::lines::Lines;
use crate::python::names::{MethodNames, ServiceNames};
use crate::python::site::{Builtins, Site};

/// Adds the abstract class of a service.
pub(super) fn service(site: &Site<'_>, lines: &mut Lines, names: &ServiceNames, service: &Service) {
    lines.blank();
    lines.blank();
    let own = || names.methods.iter().zip(&service.methods).filter(|(own, _)| own.is_own);
    let handlers: Vec<String> = own().map(|(own, _)| own.handler.clone()).collect();
    let builtins = Builtins::among(&handlers);
    let mut bases: Vec<String> = names.derives.iter().map(|base| site.class(*base)).collect();
    if bases.is_empty() {
        bases = vec!["_z.Service".to_owned(), site.import("_ABC").to_owned()];
    }
    lines.list(&format!("class {}(", names.service), &bases, "):");
    lines.block_body(|lines| {
        let fallback =
            format!("The service `{}`: implement its methods, and give it to a `zsvc.Server`.", service.name);
        docs::docstring(lines, &service.notes, &fallback);
        lines.blank();
        let variables: Vec<String> = names.methods.iter().map(|method| method.variable.clone()).collect();
        lines.list("__zsvc_methods__ = _z.methods(", &variables, ")");
        for (own, method) in own() {
            lines.blank();
            handler(site, lines, own, (service, method), builtins);
        }
    });
}

fn handler(
    site: &Site<'_>,
    lines: &mut Lines,
    names: &MethodNames,
    (service, method): (&Service, &Method),
    builtins: Builtins,
) {
    let mut parameters = vec!["self".to_owned(), format!("{}: _z.Context", names.context)];
    for (name, parameter) in names.parameters.iter().zip(&method.parameters) {
        parameters.push(format!("{name}: {}", site.annotation(&parameter.ty, builtins)));
    }
    let (item, answer) = types(&method.kind);
    if let Some(item) = item {
        let iterator = site.import("_AsyncIterator");
        parameters.push(format!("{}: {iterator}[{}]", names.stream, site.annotation(item, builtins)));
    }
    // Implementations may call the parameters as they like.
    parameters.push("/".to_owned());
    let answer = answer.map_or_else(|| "None".to_owned(), |answer| site.annotation(answer, builtins));
    let (definition, answer) = match &method.kind {
        MethodKind::ServerStream(_) | MethodKind::Bidirectional(..) => {
            ("def", format!("{}[{answer}]", site.import("_AsyncIterator")))
        }
        MethodKind::Unary(_) | MethodKind::OneWay if method.blocking => ("def", answer),
        MethodKind::Unary(_) | MethodKind::ClientStream(..) | MethodKind::OneWay => ("async def", answer),
    };
    lines.line(&format!("@{}", site.import("_abstractmethod")));
    lines.list(&format!("{definition} {}(", names.handler), &parameters, &format!(") -> {answer}:"));
    lines.block_body(|lines| {
        let fallback = format!("Handles `{}`.", method.name);
        docs::of_method(lines, &method.notes, &fallback, service.access_of(method));
    });
}
