//! Python identifiers for what a schema declares.
//!
//! A name of the schema is kept wherever Python allows; a keyword gets an underscore. Values of enums and constants are in
//! upper case. A name that the generator adds makes way for those of the schema.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use zsvc_idl::schema::{
    Field, Method, MethodKind, Package, PackageId, Payload, Schema, Service, ServiceId, TypeId, TypeKind,
    Variant,
};

use super::handlers;
use super::scope::Scope;
use crate::names::{flat, snake};
use crate::options::Sides;

/// Built-in names that a module uses. No declaration may hide them.
pub(crate) const BUILTINS: &[&str] =
    &["bool", "bytes", "dict", "float", "int", "list", "set", "str", "super", "tuple"];

/// Names that a module imports, or has from Python.
const MODULE_NAMES: &[&str] = &[
    "_ABC",
    "_AsyncIterable",
    "_AsyncIterator",
    "_Final",
    "_Iterable",
    "_Iterator",
    "_TypeAlias",
    "_UUID",
    "_abstractmethod",
    "_builtins",
    "_deprecated",
    "_z",
    "annotations",
];

/// What the base of clients has.
const CLIENT_NAMES: &[&str] = &[
    "_channel",
    "_duplex",
    "_opening",
    "_options",
    "_owns",
    "_run_unary",
    "_stream",
    "_through",
    "_unary",
    "_upload",
    "aclose",
    "channel",
    "close",
    "connect",
    "with_options",
];

/// What exceptions have.
const EXCEPTION_NAMES: &[&str] =
    &["_received_text", "_text", "add_note", "args", "outcome", "self", "with_traceback"];

/// The identifiers of a schema.
#[derive(Debug)]
pub(crate) struct Names {
    packages: Vec<PackageNames>,
    types: BTreeMap<TypeId, TypeNames>,
}

/// The identifiers of a package.
#[derive(Debug)]
pub(crate) struct PackageNames {
    /// The folders of its module.
    pub(crate) path: Vec<String>,
    pub(crate) constants: Vec<String>,
    pub(crate) services: Vec<ServiceNames>,
    /// What is left of the module's namespace, for imports of other packages.
    pub(crate) scope: Scope,
    /// What a member of a class would hide: types, services and constants.
    pub(crate) outer: Rc<BTreeSet<String>>,
}

/// The identifiers of a type.
#[derive(Debug, Default, Clone)]
pub(crate) struct TypeNames {
    pub(crate) name: String,
    /// The variable that holds its form.
    pub(crate) form: String,
    /// The fields of a struct, the values of an enum, or flags.
    pub(crate) members: Vec<String>,
    pub(crate) variants: Vec<VariantNames>,
    /// The class of unknown variants of an error.
    pub(crate) unknown: String,
}

/// The identifiers of a variant.
#[derive(Debug, Default, Clone)]
pub(crate) struct VariantNames {
    pub(crate) class: String,
    pub(crate) fields: Vec<String>,
}

/// The identifiers of a service.
#[derive(Debug)]
pub(crate) struct ServiceNames {
    pub(crate) service: String,
    pub(crate) client: String,
    pub(crate) blocking: String,
    /// The services that it extends whose classes its own class derives from, in the order of these.
    pub(crate) derives: Vec<ServiceId>,
    pub(crate) methods: Vec<MethodNames>,
}

/// The identifiers of a method.
#[derive(Debug)]
pub(crate) struct MethodNames {
    /// The variable that holds its description.
    pub(crate) variable: String,
    pub(crate) handler: String,
    /// Whether the service's own class has the handler, and no class that it derives from.
    pub(crate) is_own: bool,
    pub(crate) call: String,
    pub(crate) parameters: Vec<String>,
    /// The stream parameter, if there is one.
    pub(crate) stream: String,
    /// The context of a handler.
    pub(crate) context: String,
}

impl Names {
    pub(crate) fn new(schema: &Schema, sides: Sides) -> Self {
        let mut folders = Folders::default();
        let paths: Vec<Vec<String>> =
            schema.packages.iter().map(|package| folders.path(&package.name)).collect();
        let mut types = BTreeMap::new();
        let packages = schema.packages.iter().zip(paths);
        let packages = packages.map(|(package, path)| {
            let children = folders.children(&package.name);
            package_names(schema, package, path, &children, sides, &mut types)
        });
        let mut packages: Vec<PackageNames> = packages.collect();
        handlers::assign(schema, &mut packages);
        Self { packages, types }
    }

    pub(crate) fn package(&self, id: PackageId) -> &PackageNames {
        &self.packages[id.0 as usize]
    }

    pub(crate) fn service(&self, id: ServiceId) -> &ServiceNames {
        &self.package(id.package).services[id.index as usize]
    }

    pub(crate) fn definition(&self, id: TypeId) -> &TypeNames {
        &self.types[&id]
    }
}

/// The folders of packages: those of one folder have different names.
#[derive(Debug, Default)]
struct Folders {
    scopes: BTreeMap<Vec<String>, (Scope, BTreeMap<String, String>)>,
}

impl Folders {
    fn path(&mut self, name: &[String]) -> Vec<String> {
        let part = |(depth, part): (usize, &String)| {
            let (scope, known) = self.scopes.entry(name[..depth].to_vec()).or_default();
            known.entry(part.clone()).or_insert_with(|| scope.add(part)).clone()
        };
        name.iter().enumerate().map(part).collect()
    }

    fn children(&self, name: &[String]) -> Vec<String> {
        self.scopes.get(name).map_or_else(Vec::new, |(_, known)| known.values().cloned().collect())
    }
}

fn package_names(
    schema: &Schema,
    package: &Package,
    path: Vec<String>,
    children: &[String],
    sides: Sides,
    types: &mut BTreeMap<TypeId, TypeNames>,
) -> PackageNames {
    let fixed = BUILTINS.iter().chain(MODULE_NAMES).copied().chain(children.iter().map(String::as_str));
    let mut scope = Scope::without(fixed);
    let own_types = declared_types(schema, package, &mut scope);
    let services = scope.declare(package.services.iter().map(|service| service.name.as_str()));
    let upper = package.constants.iter().map(|constant| constant.name.to_ascii_uppercase());
    let constants: Vec<String> = upper.map(|name| scope.add(&name)).collect();
    // Within classes, members hide the names of the module.
    let outer: BTreeSet<String> = own_types.iter().chain(&services).chain(&constants).cloned().collect();
    let outer = Rc::new(outer);
    for (id, name) in package.types.iter().zip(own_types) {
        let names = type_names(&schema.definition(*id).kind, name, &outer, &mut scope);
        types.insert(*id, names);
    }
    let services = package.services.iter().zip(services);
    let services =
        services.map(|(service, name)| service_names(service, name, &outer, sides, &mut scope)).collect();
    PackageNames { path, constants, services, scope, outer }
}

/// Returns the names of types in order. That of a nested one is made of several, so it gives way to those that are written.
fn declared_types(schema: &Schema, package: &Package, scope: &mut Scope) -> Vec<String> {
    let name = |id: &TypeId| schema.definition(*id).name.as_str();
    let outermost = package.types.iter().map(name).filter(|name| !name.contains('.'));
    let mut kept = scope.declare(outermost).into_iter();
    let names = package.types.iter().map(|id| match name(id) {
        nested if nested.contains('.') => scope.add(&flat(nested)),
        _ => kept.next().unwrap_or_default(),
    });
    names.collect()
}

fn type_names(kind: &TypeKind, name: String, outer: &Rc<BTreeSet<String>>, scope: &mut Scope) -> TypeNames {
    let mut names = TypeNames { form: scope.add(&format!("_form_{name}")), name, ..TypeNames::default() };
    match kind {
        TypeKind::Alias(_) => {}
        TypeKind::Struct(structure) => names.members = field_names(&structure.fields, outer, &[]),
        TypeKind::Enum(values) => {
            names.members = value_names(values.iter().map(|value| value.name.as_str()));
        }
        TypeKind::Flags(flags) => names.members = value_names(flags.iter().map(|flag| flag.name.as_str())),
        TypeKind::Union(variants) => {
            names.variants = variant_names(&names.name, variants, outer, &[], scope);
        }
        TypeKind::Error(variants) => {
            names.variants = variant_names(&names.name, variants, outer, EXCEPTION_NAMES, scope);
            names.unknown = scope.add(&format!("{}Unknown", names.name));
        }
    }
    names
}

fn field_names(fields: &[Field], outer: &Rc<BTreeSet<String>>, reserved: &[&str]) -> Vec<String> {
    Scope::within(outer, reserved).declare_members(fields.iter().map(|field| field.name.as_str()))
}

/// Returns the values of an enum, or flags, in upper case. One that starts with an underscore would be Python's own.
fn value_names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut scope = Scope::default();
    let upper = names.map(|name| {
        let name = snake(name).to_ascii_uppercase();
        let name = if name.starts_with('_') { format!("X{name}") } else { name };
        scope.add(&name)
    });
    upper.collect()
}

fn variant_names(
    union: &str,
    variants: &[Variant],
    outer: &Rc<BTreeSet<String>>,
    reserved: &[&str],
    scope: &mut Scope,
) -> Vec<VariantNames> {
    let names = variants.iter().map(|variant| {
        let fields = match &variant.payload {
            Payload::Fields(fields) => field_names(fields, outer, reserved),
            Payload::Type { .. } | Payload::Nothing => Vec::new(),
        };
        VariantNames { class: scope.add(&format!("{union}{}", variant.name)), fields }
    });
    names.collect()
}

fn service_names(
    service: &Service,
    name: String,
    outer: &Rc<BTreeSet<String>>,
    sides: Sides,
    scope: &mut Scope,
) -> ServiceNames {
    let calls = Scope::within(outer, CLIENT_NAMES)
        .declare_members(service.methods.iter().map(|method| method.name.as_str()));
    let client = if sides == Sides::Server { String::new() } else { scope.add(&format!("{name}Client")) };
    let blocking =
        if sides == Sides::Server { String::new() } else { scope.add(&format!("{name}BlockingClient")) };
    let methods = service.methods.iter().zip(calls).map(|(method, call)| {
        let variable = scope.add(&format!("_{name}_{}", method.name));
        method_names(method, variable, call)
    });
    ServiceNames { methods: methods.collect(), service: name, client, blocking, derives: Vec::new() }
}

/// Returns the names of a method, without that of its handler, which [`handlers`] gives.
fn method_names(method: &Method, variable: String, call: String) -> MethodNames {
    let mut scope = Scope::without(["self", variable.as_str()]);
    let stream = match &method.kind {
        MethodKind::ClientStream(stream, _) | MethodKind::Bidirectional(stream, _) => {
            Some(stream.name.as_str())
        }
        MethodKind::Unary(_) | MethodKind::ServerStream(_) | MethodKind::OneWay => None,
    };
    let declared = method.parameters.iter().map(|parameter| parameter.name.as_str()).chain(stream);
    let mut parameters = scope.declare(declared);
    let stream = stream.and_then(|_| parameters.pop()).unwrap_or_default();
    let context = scope.add("context");
    MethodNames { variable, handler: String::new(), is_own: true, call, parameters, stream, context }
}
