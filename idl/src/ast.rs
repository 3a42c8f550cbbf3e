//! The syntax tree of a file, as written, with a span on everything that a message may have to point at.
//!
//! Nothing here is checked: names may not exist, numbers may be taken. [`crate::parse`] builds the tree,
//! [`crate::resolve`] and [`crate::check`] read it, and [`crate::lower`] turns it into a [`crate::schema::Schema`].

use std::time::Duration;

use crate::source::{FileId, Span};

/// One file.
#[derive(Debug)]
pub(crate) struct File {
    pub(crate) id: FileId,
    pub(crate) package: Option<Package>,
    pub(crate) imports: Vec<Import>,
    /// All declarations, in the order of the text: those inside of another follow after it.
    pub(crate) items: Vec<Item>,
    /// Names of declarations that are too broken to be checked, and what they are declared in: their uses are not
    /// reported again.
    pub(crate) broken_names: Vec<(Option<ItemId>, String)>,
    /// Whether something broken has an unknown name, so that any unknown name may refer to it.
    pub(crate) incomplete: bool,
}

/// Index of a declaration in [`File::items`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ItemId(pub(crate) usize);

/// A word and its span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// Words separated by dots: `money.v1.Amount`. Never empty.
#[derive(Debug, Clone)]
pub(crate) struct Path {
    pub(crate) segments: Vec<Name>,
    pub(crate) span: Span,
    /// The declaration in which it is written; `None` outside of all.
    pub(crate) within: Option<ItemId>,
}

/// `package market.v1;`
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) preamble: Preamble,
    pub(crate) path: Path,
}

/// `import "money.svc" as money;`
#[derive(Debug)]
pub(crate) struct Import {
    pub(crate) path: String,
    /// Span of the string, quotes included.
    pub(crate) path_span: Span,
    pub(crate) alias: Option<Name>,
}

/// Docs and attributes in front of a declaration or member.
#[derive(Debug, Default)]
pub(crate) struct Preamble {
    pub(crate) docs: String,
    pub(crate) attributes: Vec<Attribute>,
}

/// `@name` or `@name(value, …)`.
#[derive(Debug)]
pub(crate) struct Attribute {
    pub(crate) name: Name,
    /// The arguments; empty also where the parentheses are missing.
    pub(crate) arguments: Vec<Value>,
    /// Span from `@` to the closing parenthesis.
    pub(crate) span: Span,
}

/// A value as written.
#[derive(Debug, Clone)]
pub(crate) struct Value {
    pub(crate) kind: ValueKind,
    pub(crate) span: Span,
}

#[derive(Debug, Clone)]
pub(crate) enum ValueKind {
    Bool(bool),
    Integer(i128),
    Float(f64),
    String(String),
    Duration(Duration),
    /// `b"…"`
    Bytes(Vec<u8>),
    /// `[…]`
    List(Vec<Value>),
    /// `{ key: value, … }`: the entries of a map, or the fields of a struct.
    Object(Vec<(Value, Value)>),
    /// The path of a constant or of an enum's value.
    Path(Path),
    Range(Box<RangeValue>),
    /// An invalid value, already reported.
    Invalid,
}

/// `a..b` or `a..=b`; either end may be open.
#[derive(Debug, Clone)]
pub(crate) struct RangeValue {
    pub(crate) min: Option<Value>,
    pub(crate) max: Option<Value>,
    pub(crate) inclusive: bool,
}

/// Maximum nesting of a type, written out or through aliases: `list<list<…>>`. rustc does not follow a Rust type of
/// more than about 25 lists by default.
pub(crate) const MAX_TYPE_DEPTH: usize = 16;

/// Maximum nesting of lists, maps and structs in a value, with the constants and defaults that it stands for.
pub(crate) const MAX_VALUE_DEPTH: usize = 16;

/// Maximum number of parts in a package's name. Each becomes a module inside another, and readers of the schema may
/// recurse.
pub(crate) const MAX_PACKAGE_PARTS: usize = 16;

/// Maximum nesting of declarations in each other, the outermost included.
pub(crate) const MAX_NESTED: usize = 16;

/// A use of a type: a path, its arguments between `<` and `>`, and question marks.
#[derive(Debug)]
pub(crate) struct Type {
    pub(crate) path: Path,
    pub(crate) arguments: Vec<Type>,
    /// One span for each `?`; more than one is an error.
    pub(crate) optional: Vec<Span>,
    pub(crate) span: Span,
}

/// One declaration of a file.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) preamble: Preamble,
    pub(crate) name: Name,
    /// The name with those of the declarations around it: `Order.Side`.
    pub(crate) full_name: String,
    /// The declaration in which it is declared.
    pub(crate) outer: Option<ItemId>,
    pub(crate) kind: ItemKind,
    /// Whether some member could not be parsed and is missing here.
    pub(crate) damaged: bool,
}

impl Item {
    /// Returns the type that an alias stands for.
    pub(crate) fn aliased(&self) -> Option<&Type> {
        match &self.kind {
            ItemKind::Alias(ty) => Some(ty),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) enum ItemKind {
    Const { ty: Type, value: Value },
    Alias(Type),
    Struct(Fields),
    Enum(Enum),
    Union(Union),
    Service(Service),
}

/// The members of a struct, of an event, or of a variant with its own fields.
#[derive(Debug, Default)]
#[allow(clippy::struct_field_names, reason = "a struct has fields, and so has its body")]
pub(crate) struct Fields {
    /// Whether it was declared with `event`.
    pub(crate) is_event: bool,
    pub(crate) fields: Vec<Field>,
    pub(crate) reserved: Vec<Reserved>,
}

#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) preamble: Preamble,
    pub(crate) name: Name,
    pub(crate) ty: Type,
    pub(crate) number: Number,
}

/// A wire number as written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number {
    /// The value; `None` if it was not an integer, which is already reported.
    pub(crate) value: Option<i128>,
    pub(crate) span: Span,
}

/// The values of an enum, or the flags of `flags`.
#[derive(Debug, Default)]
pub(crate) struct Enum {
    pub(crate) is_flags: bool,
    pub(crate) values: Vec<EnumValue>,
    pub(crate) reserved: Vec<Reserved>,
}

#[derive(Debug)]
pub(crate) struct EnumValue {
    pub(crate) preamble: Preamble,
    pub(crate) name: Name,
    pub(crate) number: Number,
}

#[derive(Debug, Default)]
pub(crate) struct Union {
    /// Whether it was declared with `error`.
    pub(crate) is_error: bool,
    pub(crate) variants: Vec<Variant>,
    pub(crate) reserved: Vec<Reserved>,
}

#[derive(Debug)]
pub(crate) struct Variant {
    pub(crate) preamble: Preamble,
    pub(crate) name: Name,
    pub(crate) payload: Payload,
    pub(crate) number: Number,
}

#[derive(Debug)]
pub(crate) enum Payload {
    Nothing,
    Type(Type),
    Fields(Fields),
}

/// One entry of a `reserved` list.
#[derive(Debug)]
pub(crate) struct Reserved {
    pub(crate) kind: ReservedKind,
    pub(crate) span: Span,
}

#[derive(Debug)]
pub(crate) enum ReservedKind {
    Name(String),
    /// From and to, both inclusive; an open end is `None`.
    Numbers {
        min: Option<i128>,
        max: Option<i128>,
        /// Whether the end was written without `=`, so that it is one more than `max`.
        exclusive: bool,
    },
    /// An invalid entry, already reported.
    Invalid,
}

#[derive(Debug, Default)]
pub(crate) struct Service {
    /// The services after `extends`, in order; empty if there are none.
    pub(crate) extends: Vec<Path>,
    pub(crate) methods: Vec<Method>,
}

#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) preamble: Preamble,
    /// Span of the word `oneway`, if present.
    pub(crate) oneway: Option<Span>,
    pub(crate) name: Name,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) answer: Option<Answer>,
    /// The errors after `throws`, in order; empty if there are none.
    pub(crate) throws: Vec<Path>,
}

#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) preamble: Preamble,
    pub(crate) name: Name,
    /// Span of the word `stream`, if present.
    pub(crate) stream: Option<Span>,
    pub(crate) ty: Type,
}

/// The part of a method after `->`.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) stream: bool,
    pub(crate) ty: Type,
    /// Span from `->` to the end of the type.
    pub(crate) span: Span,
}

impl File {
    pub(crate) fn empty(id: FileId) -> Self {
        Self {
            id,
            package: None,
            imports: Vec::new(),
            items: Vec::new(),
            broken_names: Vec::new(),
            incomplete: false,
        }
    }

    pub(crate) fn item(&self, id: ItemId) -> &Item {
        &self.items[id.0]
    }

    /// Adds a declaration whose members are not read yet. [`Self::close`] gives it those.
    pub(crate) fn open(&mut self, outer: Option<ItemId>, preamble: Preamble, name: Name) -> ItemId {
        let full_name = match outer {
            Some(outer) => format!("{}.{}", self.item(outer).full_name, name.text),
            None => name.text.clone(),
        };
        let kind = ItemKind::Struct(Fields::default());
        self.items.push(Item { preamble, name, full_name, outer, kind, damaged: false });
        ItemId(self.items.len() - 1)
    }

    pub(crate) fn close(&mut self, id: ItemId, kind: ItemKind, damaged: bool) {
        let item = &mut self.items[id.0];
        item.kind = kind;
        item.damaged = damaged;
    }

    /// Returns a declaration and those around it, the innermost first.
    pub(crate) fn around(&self, innermost: Option<ItemId>) -> impl Iterator<Item = ItemId> {
        std::iter::successors(innermost, |id| self.item(*id).outer)
    }
}

impl Path {
    /// Returns the words joined by dots.
    pub(crate) fn text(&self) -> String {
        let words: Vec<&str> = self.segments.iter().map(|segment| segment.text.as_str()).collect();
        words.join(".")
    }
}
