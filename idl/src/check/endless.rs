//! The rule that a value of every type is finite.
//!
//! A struct is finite if all its mandatory fields are, a union if one of its variants is. Lists, maps and optionals are
//! always finite, since they can be empty. What is left after all finite types have been found is endless.

use crate::ast::{Field, Item, ItemKind, Payload, Type as TypeUse};
use crate::diagnostic::{self, Diagnostic, Report};
use crate::graph;
use crate::resolve::Model;
use crate::schema::Type;
use crate::source::{FileId, Span};

/// One way to make a value of a type, and what it needs for that.
struct Way {
    of: usize,
    needs: Vec<Need>,
}

/// A type that must be present, and where it is written.
struct Need {
    ty: usize,
    span: Span,
}

/// Reports one error for each cycle of types that hold each other, at its first step.
pub(super) fn endless(model: &Model, report: &mut Report) {
    let ways: Vec<Way> = (0..model.types.len()).flat_map(|index| ways(model, index)).collect();
    let ends = ending(model.types.len(), &ways);
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); model.types.len()];
    for way in ways.iter().filter(|way| !ends[way.of]) {
        edges[way.of].extend(way.needs.iter().map(|need| need.ty).filter(|ty| !ends[*ty]));
    }
    for cycle in graph::cycles(&edges) {
        let next = cycle.get(1).copied().unwrap_or(cycle[0]);
        let steps = ways.iter().filter(|way| way.of == cycle[0]).flat_map(|way| &way.needs);
        let Some(step) = steps.into_iter().find(|need| need.ty == next) else { continue };
        let names: Vec<&str> =
            cycle.iter().map(|index| model.types[*index].item.full_name.as_str()).collect();
        let diagnostic = Diagnostic::new(
            diagnostic::ENDLESS,
            format!("{}, without end", graph::describe_cycle(&names, "holds")),
        )
        .at(step.span, "needs one more inside")
        .help("make it optional with `?`, or put a `list` between");
        report.add(diagnostic);
    }
}

/// Returns which types are finite: starts from those that need nothing and goes on to those that need only these.
fn ending(count: usize, ways: &[Way]) -> Vec<bool> {
    let mut ends = vec![true; count];
    let mut needed_by: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (index, way) in ways.iter().enumerate() {
        ends[way.of] = false;
        for need in &way.needs {
            needed_by[need.ty].push(index);
        }
    }
    let mut missing: Vec<usize> = ways.iter().map(|way| way.needs.len()).collect();
    let mut found: Vec<usize> = (0..count).filter(|index| ends[*index]).collect();
    let free = ways.iter().filter(|way| way.needs.is_empty()).map(|way| way.of);
    for ty in free {
        if !std::mem::replace(&mut ends[ty], true) {
            found.push(ty);
        }
    }
    while let Some(ty) = found.pop() {
        for way in &needed_by[ty] {
            missing[*way] -= 1;
            let of = ways[*way].of;
            if missing[*way] == 0 && !std::mem::replace(&mut ends[of], true) {
                found.push(of);
            }
        }
    }
    ends
}

/// Returns the ways to make a type; empty for what is always finite: enums, aliases, and what is too broken to tell.
fn ways(model: &Model, index: usize) -> Vec<Way> {
    let declared = &model.types[index];
    let item: &Item = declared.item;
    let way = |needs| Way { of: index, needs };
    match &item.kind {
        ItemKind::Struct(fields) => vec![way(needs_of_fields(model, declared.file, &fields.fields))],
        ItemKind::Union(union) if !item.damaged => {
            let needs = union.variants.iter().map(|variant| match &variant.payload {
                Payload::Nothing => Vec::new(),
                Payload::Type(ty) => need(model, declared.file, ty).into_iter().collect(),
                Payload::Fields(fields) => needs_of_fields(model, declared.file, &fields.fields),
            });
            needs.map(way).collect()
        }
        _ => Vec::new(),
    }
}

fn needs_of_fields(model: &Model, file: FileId, fields: &[Field]) -> Vec<Need> {
    fields.iter().filter_map(|field| need(model, file, &field.ty)).collect()
}

fn need(model: &Model, file: FileId, ty: &TypeUse) -> Option<Need> {
    let resolved = model.resolved(&model.ty(file, ty)?)?;
    let Type::Named(id) = resolved else { return None };
    let holds = matches!(model.declared(id).item.kind, ItemKind::Struct(_) | ItemKind::Union(_));
    holds.then_some(Need { ty: id.0 as usize, span: ty.span })
}
