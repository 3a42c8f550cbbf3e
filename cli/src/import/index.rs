//! Every message and enum of all files: what it becomes, and what it is called.

use std::collections::{BTreeMap, BTreeSet};

use protox::prost_reflect::prost_types::field_descriptor_proto::{Label, Type};
use protox::prost_reflect::prost_types::{
    DescriptorProto, EnumDescriptorProto, EnumValueDescriptorProto, FieldDescriptorProto, FileDescriptorProto,
};

use super::file::package_name;
use super::names::{self, Scope};
use super::source::Sources;

/// Full names of protobuf's own messages with a type of the language that says the same.
const WELL_KNOWN: [(&str, &str); 16] = [
    ("Timestamp", "timestamp"),
    ("Duration", "duration"),
    ("Struct", "map<string, value>"),
    ("Value", "value"),
    ("ListValue", "list<value>"),
    ("NullValue", "value"),
    ("FieldMask", "list<string>"),
    ("DoubleValue", "f64?"),
    ("FloatValue", "f32?"),
    ("Int64Value", "i64?"),
    ("UInt64Value", "u64?"),
    ("Int32Value", "i32?"),
    ("UInt32Value", "u32?"),
    ("BoolValue", "bool?"),
    ("StringValue", "string?"),
    ("BytesValue", "bytes?"),
];

/// Most messages inside of each other that are written: the language takes one more, for what the innermost holds.
const MAX_NESTED: usize = 15;

/// All types, by their full names with a leading dot, as files name them.
#[derive(Debug, Default)]
pub(crate) struct Index {
    types: BTreeMap<String, Known>,
    /// Names of the unions of `oneof`s, by the full name of the message and the `oneof`'s.
    oneofs: BTreeMap<String, String>,
    /// Names of services, by their full names.
    services: BTreeMap<String, String>,
    /// The packages and names of all types in `.svc` files.
    named: BTreeSet<(String, String)>,
}

/// A message or an enum.
#[derive(Debug)]
pub(crate) struct Known {
    /// Name of the file that declares it.
    pub(crate) file: String,
    pub(crate) package: String,
    /// Name in the `.svc` file, after those of the types around it.
    pub(crate) name: String,
    pub(crate) kind: Kind,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Struct,
    /// A message with nothing but one `oneof`.
    Union,
    /// An enum: what its values are called here by number, and their numbers by name.
    Enum {
        by_number: BTreeMap<i32, String>,
        numbers: BTreeMap<String, i32>,
    },
}

impl Index {
    /// Gives every type its name.
    pub(crate) fn new(sources: &Sources) -> Self {
        let mut index = Self::default();
        // By the packages of `.svc` files: one that a file without a package gets may be another's.
        let mut scopes: BTreeMap<String, Scope> = BTreeMap::new();
        let files = || sources.files.values().map(|source| &source.resolved);
        for file in files() {
            let scope = scopes.entry(package_name(file.package(), file.name())).or_default();
            for service in &file.service {
                let name = scope.add(&names::pascal(service.name()));
                index.services.insert(format!("{}.{}", prefix(file), service.name()), name);
            }
            for message in &file.message_type {
                let name = scope.add(&names::pascal(message.name()));
                index.add(file, &prefix(file), message.name(), name, Kind::Struct);
            }
            for enumeration in &file.enum_type {
                let name = scope.add(&names::pascal(enumeration.name()));
                index.add(file, &prefix(file), enumeration.name(), name, kind(enumeration));
            }
        }
        for file in files() {
            for message in &file.message_type {
                index.inside(file, &prefix(file), message, 1);
            }
        }
        index.find_unions(sources);
        index
    }

    fn add(&mut self, file: &FileDescriptorProto, prefix: &str, declared: &str, name: String, kind: Kind) {
        self.named.insert((package_name(file.package(), file.name()), name.clone()));
        let known = Known { file: file.name().to_owned(), package: file.package().to_owned(), name, kind };
        self.types.insert(format!("{prefix}.{declared}"), known);
    }

    /// Names what is declared inside a message, which is inside of `depth` others, itself included.
    fn inside(&mut self, file: &FileDescriptorProto, prefix: &str, message: &DescriptorProto, depth: usize) {
        let mut scope = Scope::default();
        let full = format!("{prefix}.{}", message.name());
        let Some(outer) = self.types.get(&full).map(|known| known.name.clone()) else { return };
        let nested = message.nested_type.iter().filter(|inner| !is_map_entry(inner) && depth < MAX_NESTED);
        for inner in nested {
            let name = names::nested(&outer, &scope.add(&names::pascal(inner.name())));
            self.add(file, &full, inner.name(), name, Kind::Struct);
            self.inside(file, &full, inner, depth + 1);
        }
        for inner in &message.enum_type {
            let name = names::nested(&outer, &scope.add(&names::pascal(inner.name())));
            self.add(file, &full, inner.name(), name, kind(inner));
        }
        for place in written_oneofs(message).into_keys() {
            let oneof = &message.oneof_decl[place];
            let name = names::nested(&outer, &scope.add(&names::pascal(oneof.name())));
            self.named.insert((package_name(file.package(), file.name()), name.clone()));
            self.oneofs.insert(format!("{full}.{place}"), name);
        }
    }

    /// Finds the messages that are unions: of one `oneof` and no other field, some member of which can't lead back.
    fn find_unions(&mut self, sources: &Sources) {
        let (mut alone, mut open) = (BTreeMap::new(), BTreeSet::new());
        for file in sources.files.values().map(|source| &source.resolved) {
            for message in &file.message_type {
                find_alone(&prefix(file), message, &mut alone, &mut open);
            }
        }
        open.extend(alone.keys().cloned());
        let is_union = |message: &DescriptorProto| message.field.iter().any(|field| is_finite(field, &open));
        let unions = alone.iter().filter(|(_, message)| is_union(message));
        for name in unions.map(|(name, _)| name.clone()).collect::<Vec<_>>() {
            if let Some(known) = self.types.get_mut(&name) {
                known.kind = Kind::Union;
            }
        }
    }

    pub(crate) fn get(&self, full: &str) -> Option<&Known> {
        self.types.get(full)
    }

    /// Returns the least that names a type of the same package inside of a type: without the names of the types around both,
    /// unless a nearer type has the first of the words that are left. `None` if there is nothing but its full name.
    pub(crate) fn short(&self, package: &str, around: &str, name: &str) -> Option<String> {
        let outer: Vec<&str> = around.split('.').filter(|word| !word.is_empty()).collect();
        let words: Vec<&str> = name.split('.').collect();
        let common = outer.iter().zip(&words).take_while(|(one, other)| one == other).count();
        let is_hidden = |start: usize| {
            (start + 1..=outer.len()).any(|depth| {
                let nearer = format!("{}.{}", outer[..depth].join("."), words[start]);
                self.named.contains(&(package.to_owned(), nearer))
            })
        };
        let start = (0..=common.min(words.len() - 1)).rev().find(|start| !is_hidden(*start))?;
        Some(words[start..].join("."))
    }

    /// Returns the name of a service.
    pub(crate) fn service(&self, full: &str) -> &str {
        self.services.get(full).map_or("Service", String::as_str)
    }

    /// Returns the name of the union for a `oneof`.
    pub(crate) fn oneof(&self, message: &str, place: usize) -> &str {
        self.oneofs.get(&format!("{message}.{place}")).map_or("Choice", String::as_str)
    }
}

/// Returns the start of the full names in a file.
pub(crate) fn prefix(file: &FileDescriptorProto) -> String {
    if file.package().is_empty() { String::new() } else { format!(".{}", file.package()) }
}

/// Returns the type of the language that says the same as one of protobuf's own messages.
pub(crate) fn well_known(full: &str) -> Option<&'static str> {
    let name = full.strip_prefix(".google.protobuf.")?;
    WELL_KNOWN.iter().find(|(known, _)| *known == name).map(|(_, ty)| *ty)
}

/// Reports whether a message is the entry of a map, which no file names.
pub(crate) fn is_map_entry(message: &DescriptorProto) -> bool {
    message.options.as_ref().is_some_and(protox::prost_reflect::prost_types::MessageOptions::map_entry)
}

/// Returns the `oneof`s of a message that are written, by their places, with the least number of the members of each. Others are
/// made for `optional` fields of proto3.
pub(crate) fn written_oneofs(message: &DescriptorProto) -> BTreeMap<usize, i32> {
    let mut least: BTreeMap<usize, i32> = BTreeMap::new();
    let mut written: BTreeSet<usize> = BTreeSet::new();
    for field in &message.field {
        let Some(place) = field.oneof_index.and_then(|place| usize::try_from(place).ok()) else { continue };
        let number = least.entry(place).or_insert(field.number());
        *number = field.number().min(*number);
        if !field.proto3_optional() {
            written.insert(place);
        }
    }
    least.retain(|place, _| written.contains(place));
    least
}

fn kind(enumeration: &EnumDescriptorProto) -> Kind {
    let all = enumeration.value.iter().map(EnumValueDescriptorProto::name);
    let (names, _) = names::values(enumeration.name(), all, &enumeration.reserved_name);
    let (mut by_number, mut numbers) = (BTreeMap::new(), BTreeMap::new());
    for (value, name) in enumeration.value.iter().zip(names) {
        by_number.entry(value.number()).or_insert(name);
        numbers.insert(value.name().to_owned(), value.number());
    }
    Kind::Enum { by_number, numbers }
}

/// Reports whether a member of a `oneof` certainly has a value that ends. `open` are the messages of which that is not known: all
/// fields of others may be absent.
fn is_finite(field: &FieldDescriptorProto, open: &BTreeSet<String>) -> bool {
    !is_message(field) || well_known(field.type_name()).is_some() || !open.contains(field.type_name())
}

/// Reports whether a field holds a message.
pub(crate) fn is_message(field: &FieldDescriptorProto) -> bool {
    matches!(field.r#type(), Type::Message | Type::Group)
}

/// Collects the messages that have one `oneof` and no other field, and those that hold a message which proto2 requires.
fn find_alone<'a>(
    prefix: &str,
    message: &'a DescriptorProto,
    alone: &mut BTreeMap<String, &'a DescriptorProto>,
    open: &mut BTreeSet<String>,
) {
    let full = format!("{prefix}.{}", message.name());
    for inner in message.nested_type.iter().filter(|inner| !is_map_entry(inner)) {
        find_alone(&full, inner, alone, open);
    }
    if message.field.iter().any(|field| field.label() == Label::Required && is_message(field)) {
        open.insert(full.clone());
    }
    let is_member = |field: &FieldDescriptorProto| field.oneof_index == Some(0) && !field.proto3_optional();
    if !message.field.is_empty() && message.oneof_decl.len() == 1 && message.field.iter().all(is_member) {
        alone.insert(full, message);
    }
}
