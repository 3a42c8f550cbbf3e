//! What the parts of a type are called, for formats such as JSON: a text that the runtime reads, in the notation of
//! `zsvc_proto::codec::json`. A text costs a compiler next to nothing; a table or code for each type would not.

use std::collections::HashMap;
use std::fmt::Write as _;

use proc_macro2::TokenStream;
use quote::quote;
use zsvc_idl::schema::{Field, Payload, Type, TypeId, TypeKind};

use crate::site::Site;

/// Returns the text for a type, and the types that it refers to: the arguments of the runtime's macros. An alias has none.
pub(crate) fn description(site: Site<'_>, id: TypeId) -> Option<TokenStream> {
    let mut description =
        Description { site, text: String::new(), types: Vec::new(), places: HashMap::new() };
    match &site.definition(id).kind {
        TypeKind::Alias(_) => return None,
        TypeKind::Struct(structure) => {
            description.text.push_str("struct");
            description.fields(&structure.fields);
        }
        TypeKind::Enum(values) => {
            description.text.push_str("enum");
            for value in values {
                description.push(format_args!(" {} = {};", value.name, value.number));
            }
        }
        TypeKind::Flags(flags) => {
            description.text.push_str("flags");
            for flag in flags {
                description.push(format_args!(" {} = {};", flag.name, flag.number));
            }
        }
        TypeKind::Union(variants) | TypeKind::Error(variants) => {
            description.text.push_str("union");
            for variant in variants {
                description.push(format_args!(" {}", variant.name));
                description.payload(&variant.payload);
                description.push(format_args!(" = {};", variant.number));
            }
        }
    }
    let Description { text, types, .. } = &description;
    let types = types.iter().map(|id| described(site, *id));
    Some(quote!(#text #(, #types)*))
}

/// Returns the path of what has the description of a type: the type, or its form if it is a user's.
pub(super) fn described(site: Site<'_>, id: TypeId) -> TokenStream {
    if site.generation.choices.is_replaced(id) { site.form_path(id) } else { site.path(id) }
}

struct Description<'a> {
    site: Site<'a>,
    text: String,
    types: Vec<TypeId>,
    /// The place of each of them.
    places: HashMap<TypeId, usize>,
}

impl Description<'_> {
    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        // A string takes whatever is written to it.
        let _ = self.text.write_fmt(text);
    }

    fn fields(&mut self, fields: &[Field]) {
        for field in fields {
            self.push(format_args!(" {}: ", field.name));
            self.ty(&field.ty);
            let default = if field.default.is_some() { " default" } else { "" };
            self.push(format_args!(" = {}{default};", field.number));
        }
    }

    fn payload(&mut self, payload: &Payload) {
        match payload {
            Payload::Nothing => {}
            Payload::Type { ty, .. } => {
                self.text.push_str(": ");
                self.ty(ty);
            }
            Payload::Fields(fields) => {
                self.text.push_str(" {");
                self.fields(fields);
                self.text.push_str(" }");
            }
        }
    }

    fn ty(&mut self, ty: &Type) {
        match self.site.declared(ty) {
            Type::Builtin(builtin) => self.text.push_str(builtin.keyword()),
            // In JSON a set is a list, and what is read from it is checked as on the wire.
            Type::List(element) | Type::Set(element) => {
                self.text.push_str("list<");
                self.ty(element);
                self.text.push('>');
            }
            Type::Map(key, value) => {
                self.text.push_str("map<");
                self.ty(key);
                self.text.push_str(", ");
                self.ty(value);
                self.text.push('>');
            }
            Type::Optional(inner) => {
                self.ty(inner);
                self.text.push('?');
            }
            Type::Named(id) => {
                let place = *self.places.entry(*id).or_insert_with(|| {
                    self.types.push(*id);
                    self.types.len() - 1
                });
                self.push(format_args!("#{place}"));
            }
        }
    }
}
