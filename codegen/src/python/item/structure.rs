//! Structs.

use zsvc_idl::schema::{Field, TypeId};

use super::{fields, full_name};
use crate::python::lines::Lines;
use crate::python::site::Site;
use crate::python::{docs, literal};

/// Adds the class of a struct, and its form.
pub(super) fn structure(site: &Site<'_>, lines: &mut Lines, id: TypeId, declared: &[Field]) {
    let (definition, names) = (site.generation.schema.definition(id), site.own(id));
    lines.blank();
    lines.blank();
    lines.block(&format!("class {}(_z.Struct, kw_only=True):", names.name), |lines| {
        let fallback = if declared.is_empty() { "A struct without fields." } else { "" };
        if docs::docstring(lines, &definition.notes, fallback) && !declared.is_empty() {
            lines.blank();
        }
        fields::fields(site, lines, &names.members, declared);
    });
    lines.blank();
    lines.blank();
    let head = format!(
        "{}: _z.StructForm = _z.struct({}, {}, ",
        names.form,
        names.name,
        literal::string(&full_name(site, id))
    );
    let table = fields::table(site, &names.members, declared);
    if table.is_empty() {
        return lines.line(&format!("{head}list)"));
    }
    lines.rows(&format!("{head}lambda: ["), &table, "])");
}
