//! Lists everything that attributes may precede, in the order of the text.
//!
//! Rules about attributes and lints treat all of it alike; what only some rules need is in [`super::walk`].

use super::places::{Place, place_of};
use crate::ast::{
    EnumValue, Field, Item, ItemId, ItemKind, Method, Package, Parameter, Payload, Preamble, Variant,
};
use crate::resolve::Model;
use crate::source::{FileId, Span};

/// Something with a preamble.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) file: FileId,
    pub(crate) place: Place,
    /// Nesting depth: 0 for a package, 1 for a declaration, 2 for a member or a type inside of it, 3 for a parameter or a
    /// field of a variant; more in types inside of others.
    pub(crate) depth: u8,
    /// The innermost declaration that it is in, or is.
    pub(crate) item: Option<&'a Item>,
    pub(crate) preamble: &'a Preamble,
    pub(crate) node: Node<'a>,
}

/// What the subject is.
#[derive(Clone, Copy)]
pub(crate) enum Node<'a> {
    Package(&'a Package),
    Item(&'a Item),
    Field(&'a Field),
    Value(&'a EnumValue),
    Variant(&'a Variant),
    Method(&'a Method),
    Parameter(&'a Parameter),
}

impl Subject<'_> {
    /// Returns the span of the subject's name; of a package the whole path.
    pub(crate) fn span(&self) -> Span {
        match self.node {
            Node::Package(package) => package.path.span,
            Node::Item(item) => item.name.span,
            Node::Field(field) => field.name.span,
            Node::Value(value) => value.name.span,
            Node::Variant(variant) => variant.name.span,
            Node::Method(method) => method.name.span,
            Node::Parameter(parameter) => parameter.name.span,
        }
    }

    /// Reports whether this is the member that a part of the same declaration belongs to, of which there may be none
    /// between them.
    pub(crate) fn holds(&self, part: &Subject) -> bool {
        let same = self.item.zip(part.item).is_some_and(|(one, other)| std::ptr::eq(one, other));
        same && part.depth == self.depth + 1
    }

    /// Returns the subject's name; of a package the last part.
    pub(crate) fn name(&self) -> &str {
        match self.node {
            Node::Package(package) => package.path.segments.last().map_or("", |last| &last.text),
            Node::Item(item) => &item.name.text,
            Node::Field(field) => &field.name.text,
            Node::Value(value) => &value.name.text,
            Node::Variant(variant) => &variant.name.text,
            Node::Method(method) => &method.name.text,
            Node::Parameter(parameter) => &parameter.name.text,
        }
    }
}

/// Returns all subjects, each right before those inside it.
pub(crate) fn subjects<'a>(model: &Model<'a>) -> Vec<Subject<'a>> {
    let mut found = Vec::new();
    for file in &model.program.files {
        let start = found.len();
        let mut walk = Walk { file: file.id, item: None, depth: 0, found: &mut found };
        if let Some(package) = &file.package {
            walk.add(0, Place::Package, &package.preamble, Node::Package(package));
        }
        for (index, item) in file.items.iter().enumerate() {
            walk.item(file.around(Some(ItemId(index))).count(), item);
        }
        if file.items.iter().any(|item| item.outer.is_some()) {
            // Types stand between the members of those around them.
            found[start..].sort_by_key(|subject| subject.span().start);
        }
    }
    found
}

struct Walk<'w, 'a> {
    file: FileId,
    /// The declaration whose parts are listed, and its depth.
    item: Option<&'a Item>,
    depth: u8,
    found: &'w mut Vec<Subject<'a>>,
}

impl<'a> Walk<'_, 'a> {
    /// Adds something, by its depth in its declaration.
    fn add(&mut self, below: u8, place: Place, preamble: &'a Preamble, node: Node<'a>) {
        let depth = self.depth + below;
        self.found.push(Subject { file: self.file, place, depth, item: self.item, preamble, node });
    }

    fn item(&mut self, depth: usize, item: &'a Item) {
        // Declarations nest at most `MAX_NESTED` deep.
        (self.item, self.depth) = (Some(item), u8::try_from(depth).unwrap_or(u8::MAX / 2));
        self.add(0, place_of(&item.kind), &item.preamble, Node::Item(item));
        match &item.kind {
            ItemKind::Struct(fields) => {
                let place = if fields.is_event { Place::EventField } else { Place::Field };
                fields.fields.iter().for_each(|field| self.field(1, place, field));
            }
            ItemKind::Enum(values) => {
                let place = if values.is_flags { Place::Flag } else { Place::Value };
                for value in &values.values {
                    self.add(1, place, &value.preamble, Node::Value(value));
                }
            }
            ItemKind::Union(union) => {
                let place = if union.is_error { Place::ErrorVariant } else { Place::Variant };
                union.variants.iter().for_each(|variant| self.variant(place, variant));
            }
            ItemKind::Service(service) => service.methods.iter().for_each(|method| self.method(method)),
            ItemKind::Const { .. } | ItemKind::Alias(_) => {}
        }
    }

    fn field(&mut self, below: u8, place: Place, field: &'a Field) {
        self.add(below, place, &field.preamble, Node::Field(field));
    }

    fn variant(&mut self, place: Place, variant: &'a Variant) {
        self.add(1, place, &variant.preamble, Node::Variant(variant));
        if let Payload::Fields(fields) = &variant.payload {
            fields.fields.iter().for_each(|field| self.field(2, Place::Field, field));
        }
    }

    fn method(&mut self, method: &'a Method) {
        let place = if method.oneway.is_some() { Place::Oneway } else { Place::Rpc };
        self.add(1, place, &method.preamble, Node::Method(method));
        for parameter in &method.parameters {
            let place = if parameter.stream.is_some() { Place::StreamParameter } else { Place::Parameter };
            self.add(2, place, &parameter.preamble, Node::Parameter(parameter));
        }
    }
}
