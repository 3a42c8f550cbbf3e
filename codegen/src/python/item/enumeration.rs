//! Enums, which keep numbers that they do not know.

use zsvc_idl::schema::{EnumValue, Notes};

use crate::python::docs;
use crate::python::lines::Lines;
use crate::python::names::TypeNames;

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
    lines.line(&format!("{}: _z.EnumForm = _z.EnumForm({})", names.form, names.name));
}
