//! Rust identifiers for what a schema declares.
//!
//! A name of the schema is kept wherever Rust allows: a keyword is written raw (`r#type`), and the few that cannot be raw
//! (`self`, `crate`, …) get a trailing underscore. Where a name that the generator adds collides with one of the schema,
//! the generator's gets a trailing underscore; only a client's methods make way for the functions that every client has.
//! So generation never fails because of a name. A type inside of others has their names before its own, `Order.Side` is
//! `OrderSide`, and counts as a name that the generator adds.
//!
//! Not here: paths from one module to another ([`crate::site`]).

mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::options::Choices;
use proc_macro2::{Ident, Span};
use zsvc_idl::schema::{Package, PackageId, Schema, TypeDefinition, TypeId, TypeKind};

pub(crate) use services::{ErrorNames, ServiceNames};

/// Keywords of every edition, also those only reserved, that may be written raw.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn", "else",
    "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "macro",
    "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return", "static", "struct", "trait",
    "true", "try", "type", "typeof", "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// Names that are no identifiers, not even raw.
const NEVER_NAMES: &[&str] = &["_", "self", "Self", "super", "crate"];

/// Names that no type or module may have: generated code uses the primitives by name.
const PRIMITIVES: &[&str] = &[
    "bool", "char", "f16", "f32", "f64", "f128", "i8", "i16", "i32", "i64", "i128", "isize", "str", "u8",
    "u16", "u32", "u64", "u128", "usize",
];

/// Names that no outermost module may have: beside a module `rustfmt`, rustc looks for the attribute `#[rustfmt::skip]`
/// in it.
const TOOLS: &[&str] = &["rustfmt"];

/// Names that a variable in generated functions must not have: names that they bind themselves, and those of the prelude
/// that a pattern would take for a variant.
const OUR_BINDINGS: &[&str] = &["formatter", "out", "fields", "None", "Some", "Ok", "Err"];

/// Most underscores that are appended to a name of the generator that is taken. After that a number is appended: a schema
/// may hold thousands of names that become the same.
const MAX_UNDERSCORES: usize = 4;

/// Names of one namespace, each taken once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Names that are taken from the start. Shared, since there is a scope per variant, and a package may have many of both.
    never: Rc<BTreeSet<String>>,
    taken: BTreeSet<String>,
    /// Last number that was appended to a name.
    numbers: BTreeMap<String, usize>,
}

impl Scope {
    /// Returns a scope in which some names are taken.
    pub(crate) fn without<'n>(taken: impl IntoIterator<Item = &'n str>) -> Self {
        let never = taken.into_iter().map(str::to_owned).collect();
        Self { never: Rc::new(never), ..Self::default() }
    }

    /// Returns identifiers for names of the schema. Those that can be kept are, whatever their order.
    pub(crate) fn declare<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Vec<Ident> {
        self.declare_as(names, str::to_owned)
    }

    /// Returns identifiers as [`Scope::declare`] does, for names that are converted by `spell` first.
    fn declare_as<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n str>,
        spell: fn(&str) -> String,
    ) -> Vec<Ident> {
        let claimed = names.into_iter().map(|name| (name, spell(name) == name && self.claim(name)));
        let claimed: Vec<(&str, bool)> = claimed.collect();
        claimed
            .into_iter()
            .map(|(name, kept)| if kept { ident(name) } else { self.add(&spell(name)) })
            .collect()
    }

    /// Returns an identifier for a name that the generator adds, with underscores appended until it is free.
    pub(crate) fn add(&mut self, name: &str) -> Ident {
        let mut candidate = name.to_owned();
        for _ in 0..=MAX_UNDERSCORES {
            if self.claim(&candidate) {
                return ident(&candidate);
            }
            candidate.push('_');
        }
        self.add_numbered(name)
    }

    fn add_numbered(&mut self, name: &str) -> Ident {
        let mut number = self.numbers.get(name).copied().unwrap_or_default();
        let free = loop {
            number += 1;
            let candidate = format!("{name}_{number}");
            if self.claim(&candidate) {
                break candidate;
            }
        };
        self.numbers.insert(name.to_owned(), number);
        ident(&free)
    }

    /// Takes `name` if it is free and can be an identifier. Reports whether it did.
    fn claim(&mut self, name: &str) -> bool {
        !NEVER_NAMES.contains(&name) && !self.never.contains(name) && self.taken.insert(name.to_owned())
    }
}

/// Reports whether a word is a keyword that starts no path.
pub(crate) fn is_keyword(word: &str) -> bool {
    KEYWORDS.contains(&word)
}

/// Returns the identifier of a name that can be one.
pub(crate) fn ident(name: &str) -> Ident {
    if KEYWORDS.contains(&name) {
        Ident::new_raw(name, Span::call_site())
    } else {
        Ident::new(name, Span::call_site())
    }
}

/// Returns identifiers for names that have a namespace of their own: fields, variants' fields, methods.
pub(crate) fn distinct<'n>(names: impl IntoIterator<Item = &'n str>) -> Vec<Ident> {
    Scope::default().declare(names)
}

/// Returns `last_trade` as `LastTrade`, for types. Leading underscores are kept: `_1` must stay a name.
pub(crate) fn pascal(name: &str) -> String {
    let words = name.trim_start_matches('_');
    let underscores = &name[..name.len() - words.len()];
    underscores.chars().map(String::from).chain(words.split('_').map(capitalized)).collect()
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// Returns `TapeArchive` as `tape_archive`, for modules.
pub(crate) fn snake(name: &str) -> String {
    lower_case_words(name, '_')
}

/// Returns `UnknownSymbol` as `unknown symbol`, for messages.
pub(crate) fn words(name: &str) -> String {
    lower_case_words(name, ' ').replace('_', " ").trim().to_owned()
}

/// Writes a name in lower case, with a separator between its words. Capitals in a row are one word, except for the last
/// of them where that starts the next: `HTTPError` is `http error`.
fn lower_case_words(name: &str, separator: char) -> String {
    let mut text = String::new();
    let mut last = ' ';
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let starts_next = letters.peek().is_some_and(char::is_ascii_lowercase);
        let follows = last.is_ascii_lowercase() || last.is_ascii_digit();
        if letter.is_ascii_uppercase() && (follows || last.is_ascii_uppercase() && starts_next) {
            text.push(separator);
        }
        text.push(letter.to_ascii_lowercase());
        last = letter;
    }
    text
}

/// The identifiers of everything that other items refer to.
#[derive(Debug)]
pub(crate) struct Names {
    /// By [`TypeId`].
    types: Vec<Ident>,
    /// By [`TypeId`]; without values for types that are not enums.
    enums: Vec<EnumNames>,
    /// By [`PackageId`].
    packages: Vec<PackageNames>,
    /// Forms of the types that are replaced.
    forms: BTreeMap<TypeId, Ident>,
    /// `PriceSubscribe`, of events.
    subscribes: BTreeMap<TypeId, Ident>,
    /// Tree of modules; the root has no name.
    pub(crate) root: ModuleNames,
}

/// The identifiers of one package.
#[derive(Debug, Clone, Default)]
pub(crate) struct PackageNames {
    /// Modules from the root of the generated file to this one.
    pub(crate) path: Vec<Ident>,
    /// In order of declaration.
    pub(crate) constants: Vec<Ident>,
    /// In order of declaration.
    pub(crate) services: Vec<ServiceNames>,
    /// Scope for variables, without names of constants: in a pattern such a variable would be the constant.
    pub(crate) bindings: Scope,
}

/// The identifiers of an enum.
#[derive(Debug)]
pub(crate) struct EnumNames {
    /// In order of declaration; of flags, too, which have nothing of what follows.
    pub(crate) values: Vec<Ident>,
    /// The variant for a value of a newer schema.
    pub(crate) unknown: Ident,
    /// The function that returns a value's number.
    pub(crate) number: Ident,
    /// The function that returns a number's value.
    pub(crate) from_number: Ident,
}

/// A module and those inside it.
#[derive(Debug, Default)]
pub(crate) struct ModuleNames {
    /// Package whose items it holds, if one has exactly this name.
    pub(crate) package: Option<PackageId>,
    /// In order of their packages' names.
    pub(crate) children: Vec<ChildNames>,
}

/// A module inside another.
#[derive(Debug)]
pub(crate) struct ChildNames {
    /// Part of the packages' names that the module stands for.
    pub(crate) part: String,
    /// Identifier of the module.
    pub(crate) name: Ident,
    /// Content of the module.
    pub(crate) module: ModuleNames,
}

impl Names {
    /// Computes the identifiers of everything in `schema`.
    pub(crate) fn new(schema: &Schema, choices: &Choices) -> Self {
        let mut names = Self {
            forms: BTreeMap::new(),
            subscribes: BTreeMap::new(),
            types: vec![ident("unnamed"); schema.types.len()],
            enums: schema.types.iter().map(EnumNames::of).collect(),
            packages: vec![PackageNames::default(); schema.packages.len()],
            root: ModuleNames::default(),
        };
        let packages: Vec<(&[String], PackageId)> =
            (0..).map(PackageId).zip(&schema.packages).map(|(id, package)| (&*package.name, id)).collect();
        names.root = names.module(schema, choices, &[], &packages);
        names
    }

    /// Returns the identifier of a type, without a path.
    pub(crate) fn definition(&self, id: TypeId) -> &Ident {
        &self.types[id.0 as usize]
    }

    /// Returns the identifier of the form of a replaced type, without a path.
    pub(crate) fn form(&self, id: TypeId) -> Option<&Ident> {
        self.forms.get(&id)
    }

    /// Returns the identifier of what asks for a subscription to an event, without a path.
    pub(crate) fn subscribe(&self, id: TypeId) -> Option<&Ident> {
        self.subscribes.get(&id)
    }

    /// Returns the identifiers of an enum.
    pub(crate) fn enumeration(&self, id: TypeId) -> &EnumNames {
        &self.enums[id.0 as usize]
    }

    /// Returns the identifiers of a package.
    pub(crate) fn package(&self, id: PackageId) -> &PackageNames {
        &self.packages[id.0 as usize]
    }

    /// Computes the identifiers of the module at `path` and all below it. `packages` are those below it, each with the rest
    /// of its name.
    fn module(
        &mut self,
        schema: &Schema,
        choices: &Choices,
        path: &[Ident],
        packages: &[(&[String], PackageId)],
    ) -> ModuleNames {
        let tools = if path.is_empty() { TOOLS } else { &[] };
        let mut scope = Scope::without(PRIMITIVES.iter().chain(tools).copied());
        let package = packages.iter().find(|(rest, _)| rest.is_empty()).map(|&(_, id)| id);
        if let Some(id) = package {
            self.declare_types(schema, schema.package(id), &mut scope);
            self.packages[id.0 as usize].path = path.to_vec();
        }
        let mut below: BTreeMap<&str, Vec<(&[String], PackageId)>> = BTreeMap::new();
        for (rest, id) in packages {
            if let Some((first, rest)) = rest.split_first() {
                below.entry(first).or_default().push((rest, *id));
            }
        }
        let modules = scope.declare(below.keys().copied());
        if let Some(id) = package {
            self.packages[id.0 as usize].declare_ours(schema, schema.package(id), &mut scope);
            let replaced = schema.package(id).types.iter().filter(|ty| choices.is_replaced(**ty));
            let forms =
                replaced.map(|ty| (*ty, scope.add(&format!("{}Form", flat(&schema.definition(*ty).name)))));
            self.forms.extend(forms);
            let events = schema.package(id).types.iter().filter(|ty| is_event(schema, **ty));
            let subscribes = events
                .map(|ty| (*ty, scope.add(&format!("{}Subscribe", flat(&schema.definition(*ty).name)))));
            self.subscribes.extend(subscribes);
        }
        let children = modules.into_iter().zip(below).map(|(name, (part, packages))| {
            let path: Vec<Ident> = path.iter().chain([&name]).cloned().collect();
            let module = self.module(schema, choices, &path, &packages);
            ChildNames { part: part.to_owned(), name, module }
        });
        ModuleNames { package, children: children.collect() }
    }

    /// Declares types. The name of one inside of others is made of several, so it gives way to those that are written.
    fn declare_types(&mut self, schema: &Schema, package: &Package, scope: &mut Scope) {
        let name = |id: &TypeId| schema.definition(*id).name.as_str();
        let (nested, outermost): (Vec<TypeId>, Vec<TypeId>) =
            package.types.iter().partition(|id| name(id).contains('.'));
        for (id, ident) in outermost.iter().zip(scope.declare(outermost.iter().map(name))) {
            self.types[id.0 as usize] = ident;
        }
        for id in nested {
            self.types[id.0 as usize] = scope.add(&flat(name(&id)));
        }
    }
}

fn is_event(schema: &Schema, id: TypeId) -> bool {
    matches!(&schema.definition(id).kind, TypeKind::Struct(structure) if structure.event.is_some())
}

/// Returns `Order.Side` as `OrderSide`.
pub(crate) fn flat(name: &str) -> String {
    name.replace('.', "")
}

impl EnumNames {
    fn of(definition: &TypeDefinition) -> Self {
        let mut scope = Scope::default();
        let values = match &definition.kind {
            TypeKind::Enum(values) => scope.declare(values.iter().map(|value| value.name.as_str())),
            TypeKind::Flags(flags) => scope.declare_as(flags.iter().map(|flag| flag.name.as_str()), |name| {
                snake(name).to_ascii_uppercase()
            }),
            _ => Vec::new(),
        };
        Self {
            values,
            unknown: scope.add("Unknown"),
            number: scope.add("number"),
            from_number: scope.add("from_number"),
        }
    }
}

impl PackageNames {
    /// Declares services, then what the generator adds for them, then constants, which have a namespace of their own.
    fn declare_ours(&mut self, schema: &Schema, package: &Package, scope: &mut Scope) {
        self.services = services::declare(schema, package, scope);

        // Upper case, whatever the schema says: a lower-case constant would turn variables in patterns into constants.
        let names = package.constants.iter().map(|constant| constant.name.as_str());
        self.constants = Scope::default().declare_as(names, str::to_ascii_uppercase);
        let constants: Vec<String> = self.constants.iter().map(Ident::to_string).collect();
        let ours = OUR_BINDINGS.iter().copied();
        self.bindings = Scope::without(ours.chain(constants.iter().map(String::as_str)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(idents: &[Ident]) -> Vec<String> {
        idents.iter().map(Ident::to_string).collect()
    }

    #[test]
    fn keywords_are_raw() {
        assert_eq!(strings(&distinct(["type", "gen", "symbol"])), ["r#type", "r#gen", "symbol"]);
    }

    #[test]
    fn what_cannot_be_raw_gets_an_underscore() {
        assert_eq!(strings(&distinct(["self", "Self", "_"])), ["self_", "Self_", "__"]);
    }

    #[test]
    fn a_name_that_fits_is_kept_though_another_was_renamed_before_it() {
        assert_eq!(strings(&distinct(["self", "self_"])), ["self__", "self_"]);
    }

    #[test]
    fn the_generators_names_give_way() {
        let mut scope = Scope::default();
        scope.declare(["Unknown", "Unknown_"]);
        assert_eq!(scope.add("Unknown").to_string(), "Unknown__");
    }

    #[test]
    fn many_names_that_meet_stay_short() {
        let mut scope = Scope::default();
        scope.declare(["Name_2"]);
        let names: BTreeSet<String> = (0..50_000).map(|_| scope.add("Name").to_string()).collect();
        assert_eq!(names.len(), 50_000);
        assert!(names.iter().all(|name| name.len() <= "Name_49999".len()));
        assert!(names.contains("Name____") && names.contains("Name_1"));
    }

    #[test]
    fn hidden_types_are_in_pascal_case() {
        assert_eq!(pascal("last_trade"), "LastTrade");
        assert_eq!(pascal("_1"), "_1");
        assert_eq!(pascal("_"), "_");
    }

    #[test]
    fn modules_are_in_snake_case() {
        assert_eq!(snake("TapeArchive"), "tape_archive");
        assert_eq!(snake("HTTPGate2Way"), "http_gate2_way");
        assert_eq!(snake("_tape"), "_tape");
    }

    #[test]
    fn messages_are_in_words() {
        assert_eq!(words("UnknownSymbol"), "unknown symbol");
        assert_eq!(words("Halted"), "halted");
        assert_eq!(words("no_such__Thing"), "no such  thing");
        assert_eq!(words("HTTPError"), "http error");
        assert_eq!(words("IsAThing"), "is a thing");
        assert_eq!(words("NOT_FOUND"), "not found");
        assert_eq!(words("Http2Error"), "http2 error");
    }
}
