//! The order of a generated file: a check of the runtime, the files that its services carry along, then a module for each package, and in each constants, types
//! and services, as declared.
//!
//! The text is a single module tree without inner attributes, so that it can be included. It is made of [`Part`]s, each
//! of which is printed by itself ([`crate::generate()`]).

use std::iter;

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Constant, PackageId, Service, TypeId};

use crate::carried::Carried;
use crate::names::{ChildNames, ModuleNames, ServiceNames};
use crate::site::{Generation, Site};
use crate::{docs, item, layout, runtime};

/// A part of the file.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    /// Number of modules around it.
    depth: usize,
    kind: Kind<'a>,
}

#[derive(Debug)]
enum Kind<'a> {
    /// The check that the runtime has the version that this code was made for.
    Check,
    /// The files that services carry along.
    Carried(&'a Carried),
    /// The start of a module; `prefix` is the start of the package's name.
    Open {
        child: &'a ChildNames,
        prefix: String,
    },
    Constant(PackageId, &'a Ident, &'a Constant),
    Type(PackageId, TypeId),
    /// The form of a type of the user's in the place of this one.
    Form(PackageId, TypeId),
    Service(PackageId, &'a ServiceNames, &'a Service),
    /// The end of a module.
    Close,
}

/// Returns the parts of the whole file.
pub(crate) fn parts<'a>(generation: &'a Generation<'a>) -> Vec<Part<'a>> {
    let mut parts = vec![Part { depth: 0, kind: Kind::Check }];
    parts.extend(generation.carried.map(|carried| Part { depth: 0, kind: Kind::Carried(carried) }));
    modules(generation, &generation.names.root, "", 0, &mut parts);
    parts
}

fn modules<'a>(
    generation: &'a Generation<'a>,
    parent: &'a ModuleNames,
    prefix: &str,
    depth: usize,
    parts: &mut Vec<Part<'a>>,
) {
    for child in parent.children.iter().filter(|child| has_items(generation, &child.module)) {
        parts.push(Part { depth, kind: Kind::Open { child, prefix: prefix.to_owned() } });
        if let Some(package) = child.module.package.filter(|id| !generation.choices.is_extern(*id)) {
            let items = items(generation, package);
            parts.extend(items.map(|kind| Part { depth: depth + 1, kind }));
        }
        modules(generation, &child.module, &format!("{prefix}{}.", child.part), depth + 1, parts);
        parts.push(Part { depth, kind: Kind::Close });
    }
}

/// Reports whether a module or one inside it is of a package that is generated here.
fn has_items(generation: &Generation<'_>, module: &ModuleNames) -> bool {
    let is_own = module.package.is_some_and(|id| !generation.choices.is_extern(id));
    is_own || module.children.iter().any(|child| has_items(generation, &child.module))
}

/// Returns the items that a package declares.
fn items<'a>(generation: &'a Generation<'a>, id: PackageId) -> impl Iterator<Item = Kind<'a>> {
    let (package, names) = (generation.schema.package(id), generation.names.package(id));
    let constants = names.constants.iter().zip(&package.constants);
    let constants = constants.map(move |(name, constant)| Kind::Constant(id, name, constant));
    let kind = move |ty: TypeId| {
        if generation.choices.is_replaced(ty) { Kind::Form(id, ty) } else { Kind::Type(id, ty) }
    };
    let types = package.types.iter().map(move |&ty| kind(ty));
    let services = names.services.iter().zip(&package.services);
    constants.chain(types).chain(services.map(move |(names, service)| Kind::Service(id, names, service)))
}

/// Appends the part at an index to the text of those before it.
pub(crate) fn print(generation: &Generation<'_>, parts: &[Part<'_>], place: usize, text: &mut String) {
    let Part { depth, kind } = &parts[place];
    let follows_head = place.checked_sub(1).is_none_or(|last| matches!(parts[last].kind, Kind::Open { .. }));
    if !follows_head && !matches!(kind, Kind::Close) {
        text.push('\n');
    }
    match kind {
        Kind::Open { child, prefix } => {
            open(generation, child, prefix, *depth, text);
            let is_empty = parts.get(place + 1).is_some_and(|next| matches!(next.kind, Kind::Close));
            text.push_str(if is_empty { " {}\n" } else { " {\n" });
        }
        Kind::Close if follows_head => {}
        Kind::Close => {
            text.extend(iter::repeat_n("    ", *depth));
            text.push_str("}\n");
        }
        _ => layout::print(tokens(generation, kind), *depth, text),
    }
}

/// Returns the tokens of an item.
fn tokens(generation: &Generation<'_>, kind: &Kind<'_>) -> TokenStream {
    let site = |package: &PackageId| Site::new(generation, *package);
    let tokens = match kind {
        Kind::Check => quote!(
            const _: () = ::zsvc::generated::made_for(8);
        ),
        Kind::Carried(carried) => carried.module(&lints()),
        Kind::Constant(package, name, constant) => item::constant(site(package), name, constant),
        Kind::Type(package, id) => item::definition(site(package), *id),
        Kind::Form(package, id) => item::form(site(package), *id),
        Kind::Service(package, names, service) => item::service(site(package), names, service),
        Kind::Open { .. } | Kind::Close => TokenStream::new(),
    };
    match generation.choices.runtime() {
        Some(path) => runtime::renamed(tokens, &path),
        None => tokens,
    }
}

/// Prints the start of a module, without its brace.
fn open(generation: &Generation<'_>, child: &ChildNames, prefix: &str, depth: usize, text: &mut String) {
    let ChildNames { part, name, module } = child;
    let full_name = format!("{prefix}{part}");
    let docs = match module.package.map(|id| &generation.schema.package(id).docs) {
        // What is above a module is in the module around it, for links as well.
        Some(docs) if !docs.trim().is_empty() => {
            docs::linked(docs, &|name| generation.links.path(name, &generation.names, depth))
        }
        Some(_) => docs::doc(&format!("The package `{full_name}`.")),
        None => docs::doc(&format!("Packages below `{full_name}`.")),
    };
    let lints = prefix.is_empty().then(lints);
    layout::print(quote!(#docs #lints pub mod #name), depth, text);
    text.truncate(text.trim_end().len());
}

/// Returns the attributes of an outermost module that keep users' lints and formatting off generated code.
fn lints() -> TokenStream {
    quote! {
        #[allow(
            clippy::all,
            clippy::nursery,
            clippy::pedantic,
            dead_code,
            deprecated,
            non_camel_case_types,
            non_snake_case,
            rustdoc::all,
            unreachable_pub,
            unused_qualifications,
            reason = "names, docs and deprecations are the schema's, and not every program uses all of it"
        )]
        #[rustfmt::skip]
    }
}
