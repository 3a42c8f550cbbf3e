//! The *form* of a type on the wire.
//!
//! A form is a marker type of the runtime that says how a Rust type is written, read and checked. Most types are `Plain`:
//! they implement it themselves.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use zsvc_idl::schema::{Builtin, Type};

use crate::site::{Held, Site};

/// A form of the runtime.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    Plain,
    Bounded,
    /// That of a user's type: the path of its form.
    Replaced(String),
    Nanoseconds,
    Blob,
    Nothing,
    Optional(Box<Form>),
    List(Box<Form>),
    Set(Box<Form>),
    Map(Box<Form>, Box<Form>),
    Boxed(Box<Form>),
}

impl Form {
    /// Returns the form of a type.
    pub(crate) fn of(site: Site<'_>, ty: &Type) -> Self {
        match site.resolved(ty) {
            Type::Builtin(Builtin::Duration) => Self::Nanoseconds,
            Type::Builtin(Builtin::Bytes) => Self::Blob,
            Type::List(element) => Self::of(site, element).inside(Self::List),
            Type::Set(element) => Self::of(site, element).inside(Self::Set),
            Type::Optional(inner) => Self::of(site, inner).inside(Self::Optional),
            Type::Map(key, value) => match (Self::of(site, key), Self::of(site, value)) {
                (Self::Plain, Self::Plain) => Self::Plain,
                (key, value) => Self::Map(Box::new(key), Box::new(value)),
            },
            Type::Named(id) if site.generation.choices.is_replaced(*id) => {
                Self::Replaced(site.form_path(*id).to_string())
            }
            Type::Named(id) if site.generation.reach.is_bounded(*id) => Self::Bounded,
            Type::Builtin(_) | Type::Named(_) => Self::Plain,
        }
    }

    /// Returns the form of a method's answer, which may be nothing.
    pub(crate) fn of_answer(site: Site<'_>, answer: Option<&Type>) -> Self {
        answer.map_or(Self::Nothing, |ty| Self::of(site, ty))
    }

    /// Returns the form of a field or payload.
    pub(crate) fn of_held(site: Site<'_>, held: Held<'_>) -> Self {
        let form = Self::of_present(site, held);
        if site.optional(held.ty).is_some() { form.inside(Self::Optional) } else { form }
    }

    /// Returns the form of a field or payload without its optional type: that of a value that is present.
    pub(crate) fn of_present(site: Site<'_>, held: Held<'_>) -> Self {
        let form = Self::of(site, site.optional(held.ty).unwrap_or(held.ty));
        if held.boxed { form.inside(Self::Boxed) } else { form }
    }

    /// Reports whether a value of this form can violate a bound.
    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Self::Bounded | Self::Replaced(_) => true,
            Self::Plain | Self::Nanoseconds | Self::Blob | Self::Nothing => false,
            Self::Optional(inner) | Self::List(inner) | Self::Set(inner) | Self::Boxed(inner) => {
                inner.is_bounded()
            }
            Self::Map(key, value) => key.is_bounded() || value.is_bounded(),
        }
    }

    /// Wraps any form except `Plain`, which is also the form of a container of plain values.
    fn inside(self, wrap: fn(Box<Self>) -> Self) -> Self {
        if self == Self::Plain { self } else { wrap(Box::new(self)) }
    }
}

impl ToTokens for Form {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend(match self {
            Self::Plain => quote!(wire::Plain),
            Self::Bounded => quote!(wire::Bounded),
            // Printed from tokens, and so valid.
            Self::Replaced(path) => path.parse().unwrap_or_default(),
            Self::Nanoseconds => quote!(wire::Nanoseconds),
            Self::Blob => quote!(wire::Blob),
            Self::Nothing => quote!(wire::Nothing),
            Self::Optional(inner) => quote!(wire::Optional<#inner>),
            Self::List(element) => quote!(wire::List<#element>),
            Self::Set(element) => quote!(wire::Set<#element>),
            Self::Map(key, value) => quote!(wire::Map<#key, #value>),
            Self::Boxed(inner) => quote!(wire::Boxed<#inner>),
        });
    }
}
