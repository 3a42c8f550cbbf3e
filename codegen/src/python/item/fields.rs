//! Fields: of structs, of variants, and plain parameters.

use zsvc_idl::schema::{Field, Literal, Type};

use crate::python::lines::Lines;
use crate::python::site::{Builtins, Site};
use crate::python::{docs, literal};

/// Adds the fields of a class.
pub(super) fn fields(site: &Site<'_>, lines: &mut Lines, names: &[String], fields: &[Field]) {
    let builtins = Builtins::among(names);
    for (name, field) in names.iter().zip(fields) {
        let annotation = site.annotation(&field.ty, builtins);
        let default =
            default(site, field, builtins).map(|default| format!(" = {default}")).unwrap_or_default();
        lines.line(&format!("{name}: {annotation}{default}"));
        docs::docstring(lines, &field.notes, "");
    }
}

/// Returns the value of a field that is not given.
fn default(site: &Site<'_>, field: &Field, builtins: Builtins) -> Option<String> {
    match &field.default {
        Some(value @ Literal::Empty) => {
            let factory = site.builtin(&literal::default(site, &field.ty, value), builtins);
            Some(format!("_z.field(default_factory={factory})"))
        }
        Some(value) if literal::is_mutable(value) || literal::needs_others(site, value) => {
            let value = literal::value(site, &field.ty, value);
            Some(format!("_z.field(default_factory=lambda: {value})"))
        }
        Some(value) => Some(literal::value(site, &field.ty, value)),
        None => is_nullable(site, &field.ty).then(|| "None".to_owned()),
    }
}

/// Reports whether a value may be nil.
pub(super) fn is_nullable(site: &Site<'_>, ty: &Type) -> bool {
    use zsvc_idl::schema::Builtin;
    matches!(site.generation.schema.resolved(ty), Type::Optional(_) | Type::Builtin(Builtin::Value))
}

/// Returns the entries of a table of fields.
pub(super) fn table(site: &Site<'_>, names: &[String], fields: &[Field]) -> Vec<String> {
    let entry = |(name, field): (&String, &Field)| {
        let form = site.form(&field.ty);
        let mut entry = format!("_z.Field({}, {}, {form}", field.number, literal::string(&field.name));
        if *name != field.name {
            entry.extend([", attr=", &literal::string(name)]);
        }
        if let Some(value) = &field.default {
            entry.extend([", default=", &literal::default(site, &field.ty, value)]);
        }
        if let Some(range) = &field.len {
            entry.extend([", length=", &literal::bounds(range)]);
        }
        if let Some(range) = &field.range {
            entry.extend([", range=", &literal::bounds(range)]);
        }
        entry + ")"
    };
    names.iter().zip(fields).map(entry).collect()
}
