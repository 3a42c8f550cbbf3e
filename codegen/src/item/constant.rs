//! `const MAX_SYMBOLS: u32 = 500;`

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Builtin, Constant, Type, TypeKind};

use crate::site::Site;
use crate::{docs, literal};

/// Returns the Rust constant of a constant; one of type `string` is a `&str`, one of type `bytes` a `&[u8]`. What needs memory of
/// its own is made when it is first used.
pub(crate) fn constant(site: Site<'_>, name: &Ident, constant: &Constant) -> TokenStream {
    let attributes = docs::attributes(site, &constant.notes, &format!("The constant `{}`.", constant.name));
    let ty = match site.resolved(&constant.ty) {
        Type::Builtin(Builtin::String) => quote!(&str),
        Type::Builtin(Builtin::Bytes) => quote!(&[u8]),
        resolved if has_parts(site, resolved) => {
            let (ty, value) = (site.ty(&constant.ty), literal::owned(site, &constant.ty, &constant.value));
            return quote! {
                #attributes
                pub static #name: ::std::sync::LazyLock<#ty> = ::std::sync::LazyLock::new(|| #value);
            };
        }
        _ => site.ty(&constant.ty),
    };
    let value = literal::constant(site, &constant.value);
    quote! {
        #attributes
        pub const #name: #ty = #value;
    }
}

/// Reports whether values of a type have parts.
fn has_parts(site: Site<'_>, ty: &Type) -> bool {
    match ty {
        Type::List(_) | Type::Set(_) | Type::Map(..) => true,
        Type::Named(id) => matches!(site.definition(*id).kind, TypeKind::Struct(_)),
        Type::Builtin(_) | Type::Optional(_) => false,
    }
}
