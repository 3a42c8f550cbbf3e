//! The module that an item is emitted into, and the paths of types from there.
//!
//! Every path in generated code is either absolute (`::zsvc::Status`) or starts with `self` or `super`
//! (`super::super::money::v1::Amount`), so no name of the schema can shadow another. Modules
//! of methods are the exception: code beside one names it alone.

use proc_macro2::{Group, Ident, TokenStream, TokenTree};
use quote::quote;
use zsvc_idl::schema::{
    Builtin, Field, PackageId, Schema, ServiceId, Type, TypeDefinition, TypeId, TypeKind,
};

use zsvc_idl::source::Span;

use crate::carried::Carried;
use crate::docs::links::Links;
use crate::names::{Names, PackageNames, ServiceNames};
use crate::options::Choices;
use crate::reach::Reach;

/// Everything that emission needs to know.
#[derive(Debug)]
pub(crate) struct Generation<'a> {
    /// Schema to emit.
    pub(crate) schema: &'a Schema,
    /// The user's options.
    pub(crate) choices: &'a Choices,
    /// Identifiers of everything in the schema.
    pub(crate) names: Names,
    /// Properties of its types.
    pub(crate) reach: Reach,
    /// What names in docs lead to.
    pub(crate) links: Links,
    /// Files that services carry along; none if there are no services.
    pub(crate) carried: Option<&'a Carried>,
}

/// The module that items are emitted into.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Site<'a> {
    /// Everything that emission needs to know.
    pub(crate) generation: &'a Generation<'a>,
    /// Package of the module.
    pub(crate) package: PackageId,
    /// Whether it is a module of the generator's own inside the package's module.
    pub(crate) is_inside: bool,
}

/// The type of a field or payload, boxed where the type would contain itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held<'a> {
    pub(crate) ty: &'a Type,
    pub(crate) boxed: bool,
}

impl<'a> From<&'a Field> for Held<'a> {
    fn from(field: &'a Field) -> Self {
        Self { ty: &field.ty, boxed: field.boxed }
    }
}

impl<'a> Site<'a> {
    /// Returns the module of a package.
    pub(crate) fn new(generation: &'a Generation<'a>, package: PackageId) -> Self {
        Self { generation, package, is_inside: false }
    }

    /// Returns a module of the generator's own inside this one.
    pub(crate) fn inside(self) -> Self {
        Self { is_inside: true, ..self }
    }

    /// Returns the definition of an id.
    pub(crate) fn definition(self, id: TypeId) -> &'a TypeDefinition {
        self.generation.schema.definition(id)
    }

    /// Returns the identifiers of this package.
    pub(crate) fn names(self) -> &'a PackageNames {
        self.generation.names.package(self.package)
    }

    /// Returns the start of all full names in this package: `market.v1.`
    pub(crate) fn prefix(self) -> String {
        self.generation.schema.package(self.package).full_name() + "."
    }

    /// Returns `self::Trade`, `super::super::money::v1::Amount`, the path in another crate, or the user's replacement.
    pub(crate) fn path(self, id: TypeId) -> TokenStream {
        let generation = self.generation;
        if let Some(replacement) = generation.choices.replacement(id) {
            return if self.is_inside { one_module_down(replacement) } else { replacement };
        }
        self.item(generation.schema.definition(id).package, generation.names.definition(id))
    }

    /// Returns the path of an item of a package: `self::TapeLastError`.
    pub(crate) fn item(self, package: PackageId, name: &Ident) -> TokenStream {
        let generation = self.generation;
        if package == self.package {
            return if self.is_inside { quote!(super::#name) } else { quote!(self::#name) };
        }
        let down = &generation.names.package(package).path;
        if let Some(root) = generation.choices.extern_package(package) {
            return quote!(#root::#(#down::)*#name);
        }
        let up = self.names().path.len() + usize::from(self.is_inside);
        let up = (0..up).map(|_| quote!(super::));
        quote!(#(#up)*#(#down::)*#name)
    }

    /// Returns the identifiers of a service.
    pub(crate) fn service(self, id: ServiceId) -> &'a ServiceNames {
        &self.generation.names.package(id.package).services[id.index as usize]
    }

    /// Returns the expression of the schema that a service or an event of this package carries along, by the span of its name.
    pub(crate) fn schema(self, name: Span) -> Option<TokenStream> {
        let depth = self.names().path.len() + usize::from(self.is_inside);
        self.generation.carried.map(|carried| carried.schema(name, depth))
    }

    /// Returns the path of a service's trait.
    pub(crate) fn contract(self, id: ServiceId) -> TokenStream {
        self.item(id.package, &self.service(id).service)
    }

    /// Returns the path of the form of a replaced type: `self::AmountForm`.
    pub(crate) fn form_path(self, id: TypeId) -> TokenStream {
        let generation = self.generation;
        let package = generation.schema.definition(id).package;
        let up = self.names().path.len() + usize::from(self.is_inside);
        let up = (0..up).map(|_| quote!(super::));
        let down = &generation.names.package(package).path;
        let name = generation.names.form(id);
        match (package == self.package, self.is_inside) {
            (true, false) => quote!(self::#name),
            (true, true) => quote!(super::#name),
            (false, _) => quote!(#(#up)*#(#down::)*#name),
        }
    }

    /// Returns the path that a name in docs leads to, from this module.
    pub(crate) fn link(self, name: &str) -> Option<String> {
        let above = self.names().path.len() + usize::from(self.is_inside);
        self.generation.links.path(name, &self.generation.names, above)
    }

    /// Returns the Rust type of a type.
    pub(crate) fn ty(self, ty: &Type) -> TokenStream {
        match ty {
            Type::Builtin(builtin) => builtin_type(*builtin),
            Type::List(element) => {
                let element = self.ty(element);
                quote!(::std::vec::Vec<#element>)
            }
            Type::Set(element) => {
                let element = self.ty(element);
                quote!(::std::collections::BTreeSet<#element>)
            }
            Type::Map(key, value) => {
                let (key, value) = (self.ty(key), self.ty(value));
                quote!(::std::collections::BTreeMap<#key, #value>)
            }
            Type::Optional(inner) => {
                let inner = self.ty(inner);
                quote!(::core::option::Option<#inner>)
            }
            Type::Named(id) => self.path(*id),
        }
    }

    /// Returns the Rust type of a field or payload, boxed where it would contain itself.
    pub(crate) fn held(self, held: Held<'_>) -> TokenStream {
        match self.resolved(held.ty) {
            _ if !held.boxed => self.ty(held.ty),
            Type::Optional(inner) => {
                let inner = self.ty(inner);
                quote!(::core::option::Option<::std::boxed::Box<#inner>>)
            }
            _ => {
                let ty = self.ty(held.ty);
                quote!(::std::boxed::Box<#ty>)
            }
        }
    }

    /// Returns `ty` with aliases resolved, up to one that is replaced.
    pub(crate) fn resolved(self, mut ty: &'a Type) -> &'a Type {
        while let Type::Named(id) = ty {
            let TypeKind::Alias(target) = &self.definition(*id).kind else { break };
            if self.generation.choices.is_replaced(*id) {
                break;
            }
            ty = target;
        }
        ty
    }

    /// Returns `ty` with all aliases resolved, those that are replaced as well: what the schema says.
    pub(crate) fn declared(self, ty: &'a Type) -> &'a Type {
        self.generation.schema.resolved(ty)
    }

    /// Reports whether a user's type replaces this one.
    pub(crate) fn is_replaced(self, ty: &'a Type) -> bool {
        matches!(self.resolved(ty), Type::Named(id) if self.generation.choices.is_replaced(*id))
    }

    /// Returns the type inside an optional type; `None` for any other.
    pub(crate) fn optional(self, ty: &'a Type) -> Option<&'a Type> {
        match self.resolved(ty) {
            Type::Optional(inner) => Some(inner),
            _ => None,
        }
    }
}

/// Rewrites a user's type, written for a package's module, for a module inside that: relative paths get one more `super`.
fn one_module_down(ty: TokenStream) -> TokenStream {
    let mut starts_path = true;
    let mut trees = ty.into_iter().peekable();
    let mut moved = TokenStream::new();
    while let Some(tree) = trees.next() {
        let is_root =
            starts_path && matches!(trees.peek(), Some(TokenTree::Punct(next)) if next.as_char() == ':');
        starts_path = !matches!(&tree, TokenTree::Punct(punct) if punct.as_char() == ':');
        match tree {
            TokenTree::Ident(root) if is_root && root == "self" => moved.extend(quote!(super)),
            TokenTree::Ident(root) if is_root && root == "super" => moved.extend(quote!(super::#root)),
            TokenTree::Group(group) => {
                let inside = one_module_down(group.stream());
                moved.extend([TokenTree::Group(Group::new(group.delimiter(), inside))]);
            }
            tree => moved.extend([tree]),
        }
    }
    moved
}

pub(crate) fn builtin_type(builtin: Builtin) -> TokenStream {
    match builtin {
        Builtin::Bool => quote!(bool),
        Builtin::U8 => quote!(u8),
        Builtin::U16 => quote!(u16),
        Builtin::U32 => quote!(u32),
        Builtin::U64 => quote!(u64),
        Builtin::I8 => quote!(i8),
        Builtin::I16 => quote!(i16),
        Builtin::I32 => quote!(i32),
        Builtin::I64 => quote!(i64),
        Builtin::F32 => quote!(f32),
        Builtin::F64 => quote!(f64),
        Builtin::String => quote!(::std::string::String),
        Builtin::Bytes => quote!(::zsvc::Bytes),
        Builtin::Timestamp => quote!(::zsvc::Timestamp),
        Builtin::Duration => quote!(::core::time::Duration),
        Builtin::Uuid => quote!(::zsvc::Uuid),
        Builtin::Value => quote!(::zsvc::Value),
    }
}

/// Returns a field of a pattern or an initializer: `symbol`, or `symbol: symbol_` where the variable has another name.
pub(crate) fn bound(field: &Ident, variable: &Ident) -> TokenStream {
    if field == variable { quote!(#field) } else { quote!(#field: #variable) }
}
