//! Constants.

use zsvc_idl::schema::Constant;

use crate::python::lines::Lines;
use crate::python::site::{Builtins, Site};
use crate::python::{docs, literal};

/// Adds a constant.
pub(crate) fn constant(site: &Site<'_>, lines: &mut Lines, name: &str, constant: &Constant) {
    lines.blank();
    let annotation = site.annotation(&constant.ty, Builtins::Plain);
    let value = literal::value(site, &constant.ty, &constant.value);
    let value =
        if annotation == "float" && !value.contains(['.', 'e']) { format!("{value}.0") } else { value };
    lines.line(&format!("{name}: {}[{annotation}] = {value}", site.import("_Final")));
    docs::docstring(lines, &constant.notes, "");
}
