//! The form of a type of the user's in the place of a generated one.

use proc_macro2::TokenStream;
use quote::{ToTokens as _, format_ident, quote};
use zsvc_idl::schema::{Builtin, Field, Layout, Type, TypeId, TypeKind};

use super::description::description;
use super::fields::numbered_name;
use super::hidden;
use crate::site::Site;

/// Returns the form. Rust chooses by what the type implements whether it is written straight or by serde.
pub(crate) fn form(site: Site<'_>, id: TypeId) -> TokenStream {
    let (name, path, ty) = (site.generation.names.form(id), site.form_path(id), site.path(id));
    let shape = shape(site, id);
    let describe = description(site, id).map(|description| quote!(wire::describe!(#path, #description);));
    let implementation = hidden(&quote!(wire::implement_form!(#path, #ty, #shape); #describe));
    quote! {
        #[doc(hidden)]
        #[derive(Debug)]
        pub enum #name {}
        #implementation
    }
}

/// Returns the shape that the schema gives a type on the wire.
fn shape(site: Site<'_>, id: TypeId) -> TokenStream {
    let name = match site.generation.schema.resolved(&Type::Named(id)) {
        Type::Builtin(builtin) => of_builtin(*builtin),
        Type::Optional(_) => "Any",
        Type::List(_) | Type::Set(_) => "List",
        Type::Map(..) => "Map",
        Type::Named(id) => match &site.definition(*id).kind {
            TypeKind::Struct(structure) => return of_struct(&structure.fields),
            TypeKind::Enum(_) | TypeKind::Flags(_) => "Integer",
            TypeKind::Union(_) | TypeKind::Error(_) => "Union",
            TypeKind::Alias(_) => "Any",
        },
    };
    format_ident!("{name}").into_token_stream()
}

fn of_builtin(builtin: Builtin) -> &'static str {
    match builtin {
        Builtin::Bool => "Bool",
        Builtin::F32 | Builtin::F64 => "Float",
        Builtin::String => "Text",
        Builtin::Bytes | Builtin::Uuid => "Bytes",
        Builtin::Timestamp | Builtin::Value => "Any",
        // A duration is a number of nanoseconds.
        _ => "Integer",
    }
}

/// Returns the shape of a struct, with the numbers and names of its fields: a peer may send a map from the numbers, which serde
/// can't read.
fn of_struct(fields: &[Field]) -> TokenStream {
    let names = fields.iter().map(numbered_name);
    match Layout::of(fields) {
        Layout::Array => quote!(Fields(&[#(#names),*])),
        Layout::Map => quote!(Numbered(&[#(#names),*])),
    }
}
