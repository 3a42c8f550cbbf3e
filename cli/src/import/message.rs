//! A message: a struct, or a union if it has nothing but a `oneof`.

use std::collections::{BTreeMap, BTreeSet};

use protox::prost_reflect::prost_types::{DescriptorProto, FieldDescriptorProto};

use super::file::{File, Part, places};
use super::index::{Kind, is_map_entry, written_oneofs};
use super::names::{self, Scope};

/// Greatest number of a field of a struct.
pub(crate) const MAX_NUMBER: i32 = 65_535;
/// Greatest number that protobuf has. Any of them may be reserved.
const MAX_PROTOBUF_NUMBER: i32 = 536_870_911;

/// Tags of the parts of a message.
pub(crate) mod tag {
    pub(crate) const NAME: i32 = 1;
    pub(crate) const FIELD: i32 = 2;
    pub(crate) const NESTED: i32 = 3;
    pub(crate) const ENUM: i32 = 4;
    pub(crate) const EXTENSION_RANGE: i32 = 5;
    pub(crate) const EXTENSION: i32 = 6;
    pub(crate) const OPTIONS: i32 = 7;
    pub(crate) const ONEOF: i32 = 8;
    pub(crate) const RESERVED_RANGE: i32 = 9;
    pub(crate) const RESERVED_NAME: i32 = 10;
}

/// A message that is being written.
#[derive(Debug)]
pub(crate) struct Message<'m> {
    /// Full name, with a leading dot.
    pub(crate) full: String,
    pub(crate) resolved: &'m DescriptorProto,
    pub(crate) written: &'m DescriptorProto,
    pub(crate) path: Vec<i32>,
    /// Names of its fields that are taken.
    pub(crate) scope: Scope,
    /// Numbers that are taken, of fields and reserved ones.
    numbers: BTreeSet<i32>,
    reserved: Reserved,
    /// The `oneof`s that are written, by their places, with the least number of the members of each.
    pub(crate) oneofs: BTreeMap<usize, i32>,
}

/// What a message or an enum reserves.
#[derive(Debug, Default)]
pub(crate) struct Reserved {
    /// First and last numbers of its ranges, in order.
    pub(crate) ranges: Vec<(i32, i32)>,
    /// Its names in the style of the members', in order. `None` for those that a member has in its new spelling, or that are reserved
    /// in another spelling: the language takes neither.
    pub(crate) names: Vec<Option<String>>,
}

impl Reserved {
    /// Creates what is reserved. `taken` are the names of the members.
    pub(crate) fn new(
        ranges: impl Iterator<Item = (i32, i32)>,
        names: Vec<String>,
        mut taken: BTreeSet<String>,
    ) -> Self {
        let names = names.into_iter().map(|name| taken.insert(name.clone()).then_some(name));
        Self { ranges: ranges.collect(), names: names.collect() }
    }
}

impl<'m> Message<'m> {
    fn new(full: String, resolved: &'m DescriptorProto, written: &'m DescriptorProto, path: &[i32]) -> Self {
        let mut numbers: BTreeSet<i32> = resolved.field.iter().map(FieldDescriptorProto::number).collect();
        let reserved = resolved.reserved_range.iter();
        numbers.extend(reserved.flat_map(|range| range.start()..range.end().min(MAX_NUMBER + 1)));
        let (scope, reserved) = (Scope::default(), Reserved::default());
        let oneofs = written_oneofs(resolved);
        Self { full, resolved, written, path: path.to_vec(), scope, numbers, reserved, oneofs }
    }

    /// Finds what is reserved, beside the names that the members among some parts get.
    fn find_reserved(&mut self, parts: &[Part], is_union: bool) {
        let style = if is_union { names::pascal } else { names::snake };
        let mut scope = Scope::default();
        let mut taken = BTreeSet::new();
        if is_union {
            taken.extend(self.resolved.field.iter().map(|field| scope.add(&style(field.name()))));
        }
        for part in parts.iter().filter(|_| !is_union) {
            let at = part.path.last().and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            match part.path[self.path.len()] {
                tag::FIELD => taken.insert(scope.add(&style(self.resolved.field[at].name()))),
                tag::ONEOF => taken.insert(scope.add(&style(self.resolved.oneof_decl[at].name()))),
                _ => continue,
            };
        }
        let ranges = self.resolved.reserved_range.iter();
        let ranges = ranges.map(|range| (range.start(), range.end().saturating_sub(1)));
        let names = self.resolved.reserved_name.iter().map(|name| style(name));
        self.reserved = Reserved::new(ranges, names.collect(), taken);
    }

    pub(crate) fn path(&self, tag: i32) -> Vec<i32> {
        self.path.iter().copied().chain([tag]).collect()
    }

    /// Returns a number that a field may have: its own, or the least that is free. `None` if there is none.
    pub(crate) fn number(&mut self, number: i32) -> Option<i32> {
        if number <= MAX_NUMBER {
            return Some(number);
        }
        let free = (1..=MAX_NUMBER).find(|number| !self.numbers.contains(number))?;
        self.numbers.insert(free);
        Some(free)
    }
}

impl File<'_> {
    /// Writes a message, with what is declared inside.
    pub(crate) fn message(
        &mut self,
        prefix: &str,
        resolved: &DescriptorProto,
        written: &DescriptorProto,
        part: &Part,
    ) {
        let full = format!("{prefix}.{}", resolved.name());
        let Some(known) = self.index.get(&full) else {
            return self.unsaid(part, "a message inside of so many others");
        };
        let is_union = matches!(known.kind, Kind::Union);
        let options = written.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let (body, said) = self.head_of(part, tag::NAME, tag::OPTIONS, options);
        let mut message = Message::new(full, resolved, written, &part.path);
        self.deprecated(said);
        let word = if is_union { "union" } else { "struct" };
        self.draft.line(&format!("{word} {} {{", names::last(&known.name)));
        let around = std::mem::replace(&mut self.around, known.name.clone());
        let parts = self.inside(&message, body);
        message.find_reserved(&parts, is_union);
        if is_union {
            self.sole_oneof(&message, &parts);
        } else {
            self.members(&mut message, &parts);
        }
        self.rest(&parts, body, part.span.end);
        self.draft.line("}");
        self.around = around;
    }

    /// Returns the parts of a message in order. Members of a `oneof` are parts of that.
    fn inside(&self, message: &Message<'_>, body: usize) -> Vec<Part> {
        let resolved = message.resolved;
        let is_own = |path: &Vec<i32>| {
            let field =
                path.last().and_then(|at| usize::try_from(*at).ok()).and_then(|at| resolved.field.get(at));
            field.is_some_and(|field| field.oneof_index.is_none() || field.proto3_optional())
        };
        let is_group_or_entry = |at: usize| is_map_entry(&resolved.nested_type[at]);
        let nested = (0..resolved.nested_type.len()).filter(|at| !is_group_or_entry(*at));
        let nested = nested.filter_map(|at| i32::try_from(at).ok()).map(|at| {
            let mut path = message.path(tag::NESTED);
            path.push(at);
            path
        });
        let paths = places(&message.path(tag::FIELD), resolved.field.len())
            .filter(is_own)
            .chain(nested)
            .chain(places(&message.path(tag::ENUM), resolved.enum_type.len()))
            .chain(places(&message.path(tag::ONEOF), message.oneofs.len()));
        let statements = [tag::EXTENSION_RANGE, tag::EXTENSION, tag::RESERVED_RANGE, tag::RESERVED_NAME];
        let statements = statements.map(|tag| message.path(tag));
        self.parts(paths.chain(statements), body)
    }

    /// Writes the members of a struct.
    fn members(&mut self, message: &mut Message<'_>, parts: &[Part]) {
        let depth = message.path.len();
        for part in parts {
            let at = part.path.get(depth + 1).and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            match part.path[depth] {
                tag::FIELD => self.field(message, at, part),
                tag::ONEOF => {
                    self.draft.blank();
                    self.oneof(message, at, part);
                    self.oneof_field(message, at, part);
                    self.draft.blank();
                }
                _ => self.statement(message, part, MAX_PROTOBUF_NUMBER),
            }
        }
    }

    /// Writes a statement of a message, or what is declared inside, if a part is one.
    pub(crate) fn statement(&mut self, message: &Message<'_>, part: &Part, max: i32) {
        match part.path[message.path.len()] {
            tag::EXTENSION_RANGE => self.unsaid(part, "`extensions`"),
            tag::EXTENSION => self.unsaid(part, "`extend`"),
            tag::RESERVED_RANGE => self.reserved_numbers(part, &message.reserved.ranges, (1, max)),
            tag::RESERVED_NAME => self.reserved_names(part, &message.reserved.names),
            tag::NESTED | tag::ENUM => self.type_inside(message, part),
            _ => {}
        }
    }

    /// Writes what is declared inside a message.
    fn type_inside(&mut self, message: &Message<'_>, part: &Part) {
        let depth = message.path.len();
        let at = part.path.get(depth + 1).and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
        self.draft.blank();
        if part.path[depth] == tag::NESTED {
            let (resolved, written) = (&message.resolved.nested_type, &message.written.nested_type);
            self.message(&message.full, &resolved[at], &written[at], part);
        } else {
            let (resolved, written) = (&message.resolved.enum_type, &message.written.enum_type);
            self.enumeration(&message.full, &resolved[at], &written[at], part);
        }
        self.draft.blank();
    }

    /// Returns what one statement has of all that statements of its kind list, in order.
    fn of_statement<'l, T>(&self, part: &Part, all: &'l [T]) -> &'l [T] {
        let start = |at: usize| {
            let at = i32::try_from(at).unwrap_or(i32::MAX);
            self.span(&[&part.path[..], &[at]].concat()).start
        };
        // By halves, since a message may have a statement for each of many fields that are gone.
        let first_from = |place: usize| {
            let (mut low, mut high) = (0, all.len());
            while low < high {
                let middle = low.midpoint(high);
                if start(middle) < place { low = middle + 1 } else { high = middle }
            }
            low
        };
        &all[first_from(part.span.start)..first_from(part.span.end)]
    }

    /// Writes the reserved numbers of one statement.
    pub(crate) fn reserved_numbers(&mut self, part: &Part, ranges: &[(i32, i32)], allowed: (i32, i32)) {
        let (min, max) = allowed;
        let fits = |range: &&(i32, i32)| range.0 <= max && range.1 >= min;
        let entries = self.of_statement(part, ranges).iter().filter(fits).map(|&(start, end)| {
            match (start.max(min), end) {
                (start, end) if end >= max => format!("{start}.."),
                (start, end) if start == end => start.to_string(),
                (start, end) => format!("{start}..={end}"),
            }
        });
        let entries: Vec<String> = entries.collect();
        if entries.is_empty() {
            return self.unsaid(part, &format!("`reserved` past the range of numbers, {min} to {max},"));
        }
        self.comments_of(part, part.span.clone());
        self.draft.line(&format!("reserved {};", entries.join(", ")));
    }

    /// Writes the reserved names of one statement.
    pub(crate) fn reserved_names(&mut self, part: &Part, names: &[Option<String>]) {
        let entries = self.of_statement(part, names).iter().flatten();
        let entries: BTreeSet<String> = entries.map(|name| format!("\"{name}\"")).collect();
        if entries.is_empty() {
            let what = "`reserved` of a name that a member or another `reserved` has in its new spelling";
            return self.unsaid(part, what);
        }
        self.comments_of(part, part.span.clone());
        self.draft.line(&format!("reserved {};", entries.into_iter().collect::<Vec<_>>().join(", ")));
    }
}
