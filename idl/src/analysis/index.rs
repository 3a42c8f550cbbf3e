//! The index of some files: what they declare, what each name in them refers to, and what could be named.

use std::collections::HashMap;

use super::uses;
use crate::check::free;
use crate::check::places::Place;
use crate::check::subjects::{Node, Subject, subjects};
use crate::check::walk;
use crate::resolve::Model;
use crate::schema::{Type, TypeId};
use crate::source::{FileId, Span};

/// What the files of a run declare and use.
#[derive(Debug, Default)]
pub struct Index {
    /// Everything declared in any file, in the order of files and of the text; each before what is inside it.
    pub definitions: Vec<Definition>,
    /// Every name in the named files that refers to a definition, in the order of files and of the text.
    pub uses: Vec<Use>,
    /// The imports of the named files.
    pub imports: Vec<Import>,
    /// What each named file can name, by what stands before it.
    pub visible: Vec<Visible>,
    /// The names of the types that a [`Type`] of this index means, by [`TypeId`].
    pub types: Vec<TypeName>,
    /// Definitions by the spans of their names.
    by_span: HashMap<Span, DefinitionId>,
}

/// Index of a definition in [`Index::definitions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DefinitionId(pub usize);

/// Something that has a name.
#[derive(Debug)]
pub struct Definition {
    /// What it is.
    pub kind: DefinitionKind,
    /// The name; of a package the whole path.
    pub name: String,
    /// The name with those of the types around it: `Order.Side`. Of what is no type it is the name.
    pub full_name: String,
    /// Span of the name.
    pub span: Span,
    /// What it is declared in; `None` at the top of a file.
    pub container: Option<DefinitionId>,
    /// The full name of the file's package; empty if there is none.
    pub package: String,
    /// The text of its `///` lines, without the marker.
    pub docs: String,
    /// The text of `@deprecated("…")`.
    pub deprecated: Option<String>,
    /// The type of a field, parameter, constant or alias, of a variant that carries one, and of what a method answers; `None` also if
    /// it is unknown.
    pub ty: Option<Type>,
    /// The number that the next member of it would get; `None` for what has no members with numbers, or where none is known.
    pub free_number: Option<i128>,
}

/// What a definition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is named like what it is")]
pub enum DefinitionKind {
    Package,
    /// The name after `as` of an import.
    ImportAlias,
    Constant,
    Alias,
    Struct,
    Event,
    Enum,
    Flags,
    Union,
    Error,
    Service,
    Field,
    Value,
    Flag,
    Variant,
    Method,
    Parameter,
}

/// A name that refers to a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// Span of the name: one word, or the whole path of a package.
    pub span: Span,
    /// What it refers to.
    pub definition: DefinitionId,
}

/// An import, and the file that it refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Import {
    /// Span of the path, quotes included.
    pub span: Span,
    /// The file; `None` if there is none.
    pub target: Option<FileId>,
}

/// What a file can name with the same words before it.
#[derive(Debug)]
pub struct Visible {
    /// The file that can.
    pub file: FileId,
    /// What stands before the names: nothing, or `money.`
    pub prefix: String,
    /// Types and constants, by their full names.
    pub definitions: Vec<DefinitionId>,
}

/// The name of a type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeName {
    /// The full name of its package.
    pub package: String,
    /// The name as declared, after those of the types around it.
    pub name: String,
    /// What declares it.
    pub definition: Option<DefinitionId>,
}

impl DefinitionKind {
    /// Reports whether it is a type that fields may have.
    #[must_use]
    pub fn is_type(self) -> bool {
        use DefinitionKind::{Alias, Enum, Error, Event, Flags, Struct, Union};
        matches!(self, Alias | Struct | Event | Enum | Flags | Union | Error)
    }

    /// Returns what it is called in messages.
    #[must_use]
    pub fn described(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::ImportAlias => "import",
            Self::Constant => "constant",
            Self::Alias => "alias",
            Self::Struct => "struct",
            Self::Event => "event",
            Self::Enum => "enum",
            Self::Flags => "flags",
            Self::Union => "union",
            Self::Error => "error",
            Self::Service => "service",
            Self::Field => "field",
            Self::Value => "value",
            Self::Flag => "flag",
            Self::Variant => "variant",
            Self::Method => "method",
            Self::Parameter => "parameter",
        }
    }
}

impl Index {
    /// Returns a definition.
    ///
    /// # Panics
    /// Panics if the id is from another index.
    #[must_use]
    pub fn definition(&self, id: DefinitionId) -> &Definition {
        &self.definitions[id.0]
    }

    /// Returns the definition whose name is at a span.
    #[must_use]
    pub fn declared_at(&self, span: Span) -> Option<DefinitionId> {
        self.by_span.get(&span).copied()
    }

    /// Returns what the name at a byte of a file means, and the span of the name: a use of it, or its declaration. The byte after
    /// the name counts as part of it, as where a cursor stands after a word.
    #[must_use]
    pub fn at(&self, file: FileId, byte: u32) -> Option<(DefinitionId, Span)> {
        let holds = |span: Span| span.file == file && span.start <= byte && byte <= span.end;
        let used = self.uses.iter().find(|used| holds(used.span)).map(|used| (used.definition, used.span));
        let declared = || {
            let index = self.definitions.iter().position(|definition| holds(definition.span))?;
            Some((DefinitionId(index), self.definitions[index].span))
        };
        used.or_else(declared)
    }

    /// Returns the definitions in a file, in the order of the text.
    pub fn declared_in(&self, file: FileId) -> impl Iterator<Item = (DefinitionId, &Definition)> {
        let all = self.definitions.iter().enumerate();
        all.filter(move |(_, definition)| definition.span.file == file)
            .map(|(index, it)| (DefinitionId(index), it))
    }

    /// Returns what is declared directly inside a definition.
    pub fn members(&self, container: DefinitionId) -> impl Iterator<Item = (DefinitionId, &Definition)> {
        let after = self.definitions.iter().enumerate().skip(container.0 + 1);
        // Members follow after their container, and nothing of another file is between.
        let file = self.definitions[container.0].span.file;
        after
            .take_while(move |(_, definition)| definition.span.file == file)
            .filter(move |(_, definition)| definition.container == Some(container))
            .map(|(index, it)| (DefinitionId(index), it))
    }
}

/// Builds the index of a model.
pub(super) fn index(model: &Model) -> Index {
    let mut index = Index::default();
    let subjects = subjects(model);
    definitions(model, &subjects, &mut index);
    for (place, definition) in index.definitions.iter().enumerate() {
        index.by_span.entry(definition.span).or_insert(DefinitionId(place));
    }
    free_numbers(model, &mut index);
    index.types = model
        .types
        .iter()
        .map(|declared| {
            let span = declared.item.name.span;
            TypeName {
                package: model.packages[declared.package.0 as usize].clone(),
                name: declared.item.full_name.clone(),
                definition: index.by_span.get(&span).copied(),
            }
        })
        .collect();
    let named = |file: FileId| model.program.is_named(file);
    index.visible = (0..model.program.files.len())
        .filter(|file| named(model.program.files[*file].id))
        .flat_map(|file| visible(model, &index, file))
        .collect();
    index.imports = imports(model);
    index.uses = uses::uses(model, &subjects, &index);
    index
}

/// Adds the definitions of all files. Subjects of a file follow each other, each before those inside it.
fn definitions(model: &Model, subjects: &[Subject], index: &mut Index) {
    let mut subjects = subjects.iter().peekable();
    for file in &model.program.files {
        for alias in file.imports.iter().filter_map(|import| import.alias.as_ref()) {
            let place = (DefinitionKind::ImportAlias, alias.text.clone(), alias.span);
            index.definitions.push(plain(model, file.id, place));
        }
        // The definitions that are open, with their depths.
        let mut open: Vec<(u8, DefinitionId)> = Vec::new();
        while let Some(subject) = subjects.next_if(|subject| subject.file == file.id) {
            open.retain(|(depth, _)| *depth < subject.depth);
            let container = open.last().map(|(_, id)| *id);
            let id = DefinitionId(index.definitions.len());
            let mut found = Definition { container, ..definition(model, subject) };
            if let Node::Item(item) = subject.node {
                found.full_name.clone_from(&item.full_name);
            }
            index.definitions.push(found);
            // Declarations are not inside of the package's line.
            if !matches!(subject.node, Node::Package(_)) {
                open.push((subject.depth, id));
            }
        }
    }
}

fn plain(model: &Model, file: FileId, (kind, name, span): (DefinitionKind, String, Span)) -> Definition {
    Definition {
        kind,
        full_name: name.clone(),
        name,
        span,
        container: None,
        package: model.packages[model.package(file).0 as usize].clone(),
        docs: String::new(),
        deprecated: None,
        ty: None,
        free_number: None,
    }
}

fn definition(model: &Model, subject: &Subject) -> Definition {
    let name = match subject.node {
        Node::Package(package) => package.path.text(),
        _ => subject.name().to_owned(),
    };
    let deprecated = subject.preamble.find("deprecated").and_then(|attribute| attribute.arguments.first());
    let deprecated = deprecated.and_then(|value| match &value.kind {
        crate::ast::ValueKind::String(text) => Some(text.clone()),
        _ => None,
    });
    Definition {
        docs: subject.preamble.docs.clone(),
        deprecated,
        ty: uses::type_of(subject).and_then(|ty| model.ty(subject.file, ty)),
        ..plain(model, subject.file, (kind(subject.place), name, subject.span()))
    }
}

fn kind(place: Place) -> DefinitionKind {
    match place {
        Place::Package => DefinitionKind::Package,
        Place::Const => DefinitionKind::Constant,
        Place::Alias => DefinitionKind::Alias,
        Place::Struct => DefinitionKind::Struct,
        Place::Event => DefinitionKind::Event,
        Place::Enum => DefinitionKind::Enum,
        Place::Flags => DefinitionKind::Flags,
        Place::Union => DefinitionKind::Union,
        Place::Error => DefinitionKind::Error,
        Place::Service => DefinitionKind::Service,
        Place::Field | Place::EventField => DefinitionKind::Field,
        Place::Value => DefinitionKind::Value,
        Place::Flag => DefinitionKind::Flag,
        Place::Variant | Place::ErrorVariant => DefinitionKind::Variant,
        Place::Rpc | Place::Oneway => DefinitionKind::Method,
        Place::Parameter | Place::StreamParameter => DefinitionKind::Parameter,
    }
}

/// Sets the free number of each definition with members that have numbers.
fn free_numbers(model: &Model, index: &mut Index) {
    for definition in &mut index.definitions {
        definition.free_number = match definition.kind {
            DefinitionKind::Enum | DefinitionKind::Flags => Some(0),
            DefinitionKind::Struct
            | DefinitionKind::Event
            | DefinitionKind::Union
            | DefinitionKind::Error
            | DefinitionKind::Variant => Some(1),
            _ => None,
        };
    }
    for body in walk::bodies(model) {
        let Some((first, _)) = body.members.first() else { continue };
        let container = index.by_span.get(&first.span).and_then(|id| index.definitions[id.0].container);
        if let Some(container) = container {
            index.definitions[container.0].free_number = free::number(&body);
        }
    }
}

/// Returns what a file can name: its own package without a prefix, what it imports by alias or package.
fn visible(model: &Model, index: &Index, file: usize) -> Vec<Visible> {
    let own = model.program.files[file].id;
    let of = |file: FileId| -> Vec<DefinitionId> {
        let items = model.file(file).items.iter();
        items.filter_map(|item| index.by_span.get(&item.name.span).copied()).collect()
    };
    let mut found = vec![Visible { file: own, prefix: String::new(), definitions: of(own) }];
    let imports = model.program.files[file].imports.iter().zip(&model.program.targets[file]);
    for (import, target) in imports.filter_map(|(import, target)| Some((import, (*target)?))) {
        let definitions = of(target);
        if model.package(target) == model.package(own) {
            found[0].definitions.extend(definitions);
            continue;
        }
        let prefix = match &import.alias {
            Some(alias) => alias.text.clone(),
            None => model.packages[model.package(target).0 as usize].clone(),
        };
        found.push(Visible { file: own, prefix: prefix + ".", definitions });
    }
    found
}

fn imports(model: &Model) -> Vec<Import> {
    let named = model.program.files.iter().zip(&model.program.targets);
    named
        .filter(|(file, _)| model.program.is_named(file.id))
        .flat_map(|(file, targets)| file.imports.iter().zip(targets))
        .map(|(import, target)| Import { span: import.path_span, target: *target })
        .collect()
}

/// Returns the span of the declared name of a type.
pub(super) fn declared(model: &Model, id: TypeId) -> Span {
    model.declared(id).item.name.span
}
