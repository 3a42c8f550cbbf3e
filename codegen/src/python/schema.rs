//! The schema that generated code carries along as text, for reflection: the outermost module has the files that services need, with what
//! each of them imports, and in which file each service is.
//!
//! How the files become others that a peer can compile is in [`zsvc_idl::bundle`].

use zsvc_idl::bundle::Bundle;
use zsvc_idl::schema::{Schema, Service};
use zsvc_idl::source::SourceMap;

use super::lines::Lines;
use super::literal;
use crate::carried::all_needed;

/// Returns the statement by which a program knows the files of its services, if there are services.
pub(super) fn statement(schema: &Schema, sources: &SourceMap) -> Option<String> {
    let all: Vec<(String, &Service)> = schema
        .packages
        .iter()
        .flat_map(|package| {
            package.services.iter().map(|it| (format!("{}.{}", package.full_name(), it.name), it))
        })
        .collect();
    if all.is_empty() {
        return None;
    }
    let bundle = Bundle::of(schema, sources);
    let needs = bundle.needs(all.iter().map(|(_, service)| service.span.file));
    let used = all_needed(&needs);
    let mut lines = Lines::default();
    lines.block("_z.carry(", |lines| {
        lines.line("__name__,");
        lines.block("[", |lines| {
            for file in used.iter().map(|index| &bundle.files()[*index]) {
                lines.block("(", |lines| lines.line(&format!("{},", literal::string(&file.path))));
                lines.raw(&format!("            {},\n", literal::block(&file.text)));
                lines.raw(&format!("            [{}],\n", places(&used, &file.imports).join(", ")));
                lines.line("),");
            }
        });
        lines.line("],");
        lines.block("[", |lines| {
            for (name, service) in &all {
                let Some(needs) = needs.get(&service.span.file) else { continue };
                let file = used.binary_search(&(service.span.file.0 as usize)).unwrap_or_default();
                let fingerprint = needs.fingerprint;
                lines.line(&format!("({}, {file}, \"{fingerprint:032x}\"),", literal::string(name)));
            }
        });
        lines.line("],");
    });
    lines.line(")");
    Some(lines.into_text())
}

/// Returns the places of files among those that are carried along.
fn places(used: &[usize], files: &[usize]) -> Vec<String> {
    files.iter().map(|file| used.binary_search(file).unwrap_or_default().to_string()).collect()
}
