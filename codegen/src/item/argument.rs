//! The arguments of a client's methods: they take any type that converts into the parameter, where that spares the caller
//! an `.into()` or a `.collect()`.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use zsvc_idl::schema::{Builtin, Field, Type};

use crate::site::Site;

/// A parameter as a client takes it.
pub(crate) struct Argument {
    /// Type of the parameter in the client's method.
    pub(crate) ty: TokenStream,
    conversion: Conversion,
}

/// How an argument is converted into a parameter.
enum Conversion {
    None,
    Into,
    Collect,
    CollectInto,
}

impl Argument {
    /// Returns the argument for a parameter.
    pub(crate) fn of(site: Site<'_>, parameter: &Field) -> Self {
        match site.resolved(&parameter.ty) {
            ty if converts(ty) => Self { ty: into(site, ty), conversion: Conversion::Into },
            Type::List(element) | Type::Set(element) if converts(site.resolved(element)) => {
                Self { ty: items(&into(site, element)), conversion: Conversion::CollectInto }
            }
            Type::List(element) | Type::Set(element) => {
                Self { ty: items(&site.ty(element)), conversion: Conversion::Collect }
            }
            _ => Self { ty: site.held(parameter.into()), conversion: Conversion::None },
        }
    }

    /// Returns the parameter converted from the argument in `variable`; `None` if no conversion is needed.
    pub(crate) fn convert(&self, variable: &Ident) -> Option<TokenStream> {
        match self.conversion {
            Conversion::None => None,
            Conversion::Into => Some(quote!(#variable.into())),
            Conversion::Collect => Some(quote!(#variable.into_iter().collect())),
            Conversion::CollectInto => {
                Some(quote!(#variable.into_iter().map(::core::convert::Into::into).collect()))
            }
        }
    }
}

/// Reports whether other types are accepted for this one, such as `&str` for a string.
fn converts(ty: &Type) -> bool {
    matches!(ty, Type::Builtin(Builtin::String | Builtin::Bytes | Builtin::Value))
}

fn into(site: Site<'_>, ty: &Type) -> TokenStream {
    let ty = site.ty(ty);
    quote!(impl ::core::convert::Into<#ty>)
}

fn items(item: &TokenStream) -> TokenStream {
    quote!(impl ::core::iter::IntoIterator<Item = #item>)
}
