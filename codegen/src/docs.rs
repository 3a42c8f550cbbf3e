//! Docs and deprecations, as attributes.
//!
//! Docs of a schema are Markdown that was not written for rustdoc: [`markdown`] turns what rustdoc would run as a test into
//! plain text, and [`links`] makes names of the schema links to what is generated.

pub(crate) mod links;
mod markdown;

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{Access, Notes};

use crate::site::Site;

/// Returns the attributes of a declaration. `fallback` is its documentation if the schema has none.
pub(crate) fn attributes(site: Site<'_>, notes: &Notes, fallback: &str) -> TokenStream {
    let (docs, deprecated) = (text(site, notes, fallback), deprecated(notes));
    quote!(#docs #deprecated)
}

/// As [`attributes`], of a method, whose docs end with who may call it.
pub(crate) fn of_method(site: Site<'_>, notes: &Notes, fallback: &str, access: &Access) -> TokenStream {
    let (docs, deprecated) = (text(site, notes, fallback), deprecated(notes));
    let access = callers(access).map(|callers| doc(&format!("\n{callers}")));
    quote!(#docs #access #deprecated)
}

fn text(site: Site<'_>, notes: &Notes, fallback: &str) -> TokenStream {
    if notes.docs.trim().is_empty() { doc(fallback) } else { linked(&notes.docs, &|name| site.link(name)) }
}

fn deprecated(notes: &Notes) -> Option<TokenStream> {
    notes.deprecated.as_ref().map(|note| quote!(#[deprecated(note = #note)]))
}

/// Returns who may call, in a sentence; `None` if that is anybody.
pub(crate) fn callers(access: &Access) -> Option<String> {
    match access.roles() {
        [] => None,
        [role] => Some(format!("For clients with the role `{role}` alone.")),
        roles => {
            let roles: Vec<String> = roles.iter().map(|role| format!("`{role}`")).collect();
            Some(format!("For clients with one of the roles {} alone.", roles.join(", ")))
        }
    }
}

/// Returns a text of the generator's own as doc comments, one per line.
pub(crate) fn doc(text: &str) -> TokenStream {
    linked(text, &|_| None)
}

/// Returns a text as doc comments, one per line. `target` returns the path to which a name of the schema leads.
pub(crate) fn linked(text: &str, target: &dyn Fn(&str) -> Option<String>) -> TokenStream {
    let lines = markdown::lines_of(text, target).into_iter().map(|line| match line {
        line if line.is_empty() => line,
        line => format!(" {line}"),
    });
    quote!(#(#[doc = #lines])*)
}
