//! `const MAX_SYMBOLS: u32 = 500;`

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Builtin, Constant, Type};

use crate::site::Site;
use crate::{docs, literal};

/// Returns the Rust constant of a constant; one of type `string` is a `&str`.
pub(crate) fn constant(site: Site<'_>, name: &Ident, constant: &Constant) -> TokenStream {
    let attributes = docs::attributes(site, &constant.notes, &format!("The constant `{}`.", constant.name));
    let ty = match site.resolved(&constant.ty) {
        Type::Builtin(Builtin::String) => quote!(&str),
        _ => site.ty(&constant.ty),
    };
    let value = literal::constant(site, &constant.value);
    quote! {
        #attributes
        pub const #name: #ty = #value;
    }
}
