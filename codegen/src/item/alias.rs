//! `type Symbol = string;`

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{Type, TypeId};

use crate::docs;
use crate::site::Site;

/// Returns the Rust type alias of an alias.
pub(crate) fn alias(site: Site<'_>, id: TypeId, target: &Type) -> TokenStream {
    let definition = site.definition(id);
    let attributes = docs::attributes(site, &definition.notes, &format!("The alias `{}`.", definition.name));
    let name = site.generation.names.definition(id);
    let target = site.ty(target);
    quote! {
        #attributes
        pub type #name = #target;
    }
}
