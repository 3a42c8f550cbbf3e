//! Enums, which keep numbers that they do not know.

use zsvc_idl::schema::{EnumValue, Notes};

use crate::python::lines::Lines;
use crate::python::names::TypeNames;
use crate::python::{docs, literal};

/// Adds the class of an enum, and its form.
pub(super) fn enumeration(lines: &mut Lines, names: &TypeNames, notes: &Notes, values: &[EnumValue]) {
    lines.blank();
    lines.blank();
    lines.block(&format!("class {}(_z.Enum):", names.name), |lines| {
        if docs::docstring(lines, notes, "") {
            lines.blank();
        }
        for (name, value) in names.members.iter().zip(values) {
            lines.line(&format!("{name} = {}", value.number));
            docs::docstring(lines, &value.notes, "");
        }
    });
    lines.blank();
    lines.blank();
    let declared: Vec<String> = values.iter().map(|value| literal::string(&value.name)).collect();
    let open = format!("{}: _z.EnumForm = _z.EnumForm({}, [", names.form, names.name);
    lines.list(&open, &declared, "])");
}
