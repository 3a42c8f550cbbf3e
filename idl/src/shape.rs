//! Finds which types hold which by value: this decides whether a type is finite, and where it needs a box.
//!
//! Lists and maps store their elements elsewhere, so every such chain ends at them.

use crate::ast::{ItemKind, Payload};
use crate::graph;
use crate::resolve::Model;
use crate::schema::{Type, TypeId};
use crate::source::FileId;

/// The types that lead back to themselves by value, also through optionals and unions.
pub(crate) struct Shape {
    /// Component of each [`TypeId`]: types of the same component lead to each other.
    component: Vec<usize>,
}

impl Shape {
    pub(crate) fn of(model: &Model) -> Self {
        let edges: Vec<Vec<usize>> = (0..model.types.len()).map(|index| held(model, index)).collect();
        Self { component: graph::components(&edges) }
    }

    /// Reports whether `ty`, held by value in `owner`, leads back to `owner`.
    pub(crate) fn returns(&self, model: &Model, owner: TypeId, ty: &Type) -> bool {
        let component = |id: TypeId| self.component[id.0 as usize];
        by_value(model, ty).is_some_and(|target| component(target) == component(owner))
    }
}

/// Returns the struct or union that a value of `ty` holds by value, if present.
pub(crate) fn by_value(model: &Model, ty: &Type) -> Option<TypeId> {
    match model.inner(ty)? {
        Type::Named(id) => {
            let holds = matches!(model.declared(id).item.kind, ItemKind::Struct(_) | ItemKind::Union(_));
            holds.then_some(id)
        }
        _ => None,
    }
}

fn held(model: &Model, index: usize) -> Vec<usize> {
    let declared = &model.types[index];
    let uses: Vec<&crate::ast::Type> = match &declared.item.kind {
        ItemKind::Struct(fields) => fields.fields.iter().map(|field| &field.ty).collect(),
        ItemKind::Union(union) => {
            union.variants.iter().flat_map(|variant| payload_types(&variant.payload)).collect()
        }
        _ => Vec::new(),
    };
    uses.into_iter().filter_map(|ty| target(model, declared.file, ty)).collect()
}

pub(crate) fn payload_types(payload: &Payload) -> Vec<&crate::ast::Type> {
    match payload {
        Payload::Nothing => Vec::new(),
        Payload::Type(ty) => vec![ty],
        Payload::Fields(fields) => fields.fields.iter().map(|field| &field.ty).collect(),
    }
}

fn target(model: &Model, file: FileId, ty: &crate::ast::Type) -> Option<usize> {
    let ty = model.ty(file, ty)?;
    by_value(model, &ty).map(|id| id.0 as usize)
}
