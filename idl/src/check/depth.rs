//! The rule that bounds how deep types nest, including what their aliases stand for.
//!
//! The parser already applies it to what is written out, since it recurses. This module adds names: through them a type
//! of a few letters can nest as deep as the file is long, and code that follows types recursively relies on a bound.

use super::{types, walk};
use crate::ast::{MAX_TYPE_DEPTH, Type as TypeUse};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::graph;
use crate::resolve::{Model, Symbol};
use crate::source::FileId;

/// Reports the first step past the bound, and nothing that is built on it.
pub(super) fn too_deep(model: &Model, report: &mut Report) {
    let depths = alias_depths(model);
    for (file, ty) in walk::uses(model) {
        let Some(depth) = depth(model, &depths, file, ty).filter(|depth| *depth > MAX_TYPE_DEPTH) else {
            continue;
        };
        let message = format!("this type nests more than {MAX_TYPE_DEPTH} deep");
        let diagnostic = Diagnostic::new(diagnostic::TOO_DEEP, message)
            .at(ty.span, format!("{depth} deep, with what its aliases stand for"))
            .help("put a `struct` between: what its fields hold is counted anew");
        report.add(diagnostic);
    }
}

/// Returns how deep each alias nests, by type id. `None` if it is endless or too deep, and for all that is built on it.
fn alias_depths(model: &Model) -> Vec<Option<usize>> {
    let edges = types::aliases_of_aliases(model);
    let component = graph::components(&edges);
    // Components are numbered after all that they lead to, so what an alias is made of is known before it is.
    let mut order: Vec<usize> = (0..edges.len()).collect();
    order.sort_by_key(|index| component[*index]);
    let mut depths = vec![None; edges.len()];
    for index in order {
        let declared = &model.types[index];
        if let Some(ty) = declared.item.aliased() {
            depths[index] = depth(model, &depths, declared.file, ty).filter(|depth| *depth <= MAX_TYPE_DEPTH);
        }
    }
    depths
}

/// Returns how many lists and maps nest in each other. Recursion is bounded: types nest at most `MAX_TYPE_DEPTH` deep.
fn depth(model: &Model, depths: &[Option<usize>], file: FileId, ty: &TypeUse) -> Option<usize> {
    let mut inside = None;
    for argument in &ty.arguments {
        inside = inside.max(Some(depth(model, depths, file, argument)? + 1));
    }
    if inside.is_some() {
        return inside;
    }
    match model.lookup(file, &ty.path) {
        Ok(Symbol::Type(id)) if model.declared(id).item.aliased().is_some() => depths[id.0 as usize],
        _ => Some(0),
    }
}
