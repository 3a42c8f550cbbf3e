//! Flags, which keep bits that they do not know.

use zsvc_idl::schema::{Flag, Notes};

use crate::python::lines::Lines;
use crate::python::names::TypeNames;
use crate::python::{docs, literal};

/// Adds the class of flags, and its form.
pub(super) fn flags(lines: &mut Lines, names: &TypeNames, notes: &Notes, flags: &[Flag]) {
    lines.blank();
    lines.blank();
    lines.block(&format!("class {}(_z.Flags):", names.name), |lines| {
        let fallback = if flags.is_empty() { "Flags without names." } else { "" };
        if docs::docstring(lines, notes, fallback) && !flags.is_empty() {
            lines.blank();
        }
        for (name, flag) in names.members.iter().zip(flags) {
            lines.line(&format!("{name} = 1 << {}", flag.number));
            docs::docstring(lines, &flag.notes, "");
        }
    });
    lines.blank();
    lines.blank();
    let declared: Vec<String> = flags.iter().map(|flag| literal::string(&flag.name)).collect();
    let open = format!("{}: _z.FlagsForm = _z.FlagsForm({}, [", names.form, names.name);
    lines.list(&open, &declared, "])");
}
