//! Options of generated code: [`Options`] as written, [`Choices`] once they are checked against a schema.

mod check;
mod error;
mod values;

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use zsvc_idl::schema::{PackageId, TypeId};

pub use error::OptionsError;

use crate::target::Language;

/// Options of generated code, by the full names of types.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Pairs of a full name and additional derives: `("market.v1.Trade", "PartialOrd")`. The name is that of a type, or of a
    /// package, which stands for all of its types that are declared and not replaced.
    pub derives: Vec<(String, String)>,
    /// Pairs of a type's full name and the Rust type that replaces it: `("market.v1.Trade", "::my::Trade")`.
    /// That type must be `Clone + Debug + PartialEq`. If zsvc generated it, it is written and checked as it is elsewhere. Any
    /// other must be `serde::Serialize` and `serde::Deserialize`, and be written as what it replaces: an alias of a string as
    /// text, of which serde is told that it is for people; a struct as a sequence of its fields in the order of their numbers, or
    /// as a map; an enum as its number. One of another shape is not sent. `@len` and `@range` of a field hold for what is written.
    /// Defaults and constants must not be of a replaced type, except for values of an enum, flags, and what is empty.
    pub replacements: Vec<(String, String)>,
    /// Pairs of a package's full name and the path of the crate or module that has its generated code:
    /// `("money.v1", "::money_types")`, where `::money_types::money::v1::Amount` is a type. Nothing is generated for it here.
    pub extern_packages: Vec<(String, String)>,
    /// Path of the runtime, if it is not `::zsvc`: `::acme::zsvc`.
    pub runtime: Option<String>,
    /// Language of the generated code. Python has `sides` as its only option.
    pub language: Language,
    /// Sides of a call for which code is generated.
    pub sides: Sides,
    /// Whether mocks of services are generated, for tests. They implement the traits, so clients alone have none.
    pub mocks: bool,
}

/// Sides of a call for which code is generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sides {
    /// Traits, servers and clients.
    #[default]
    Both,
    /// Clients alone.
    Client,
    /// Traits and servers alone.
    Server,
}

/// [`Options`] that fit a schema: from here on, emission cannot fail.
#[derive(Debug, Default)]
pub struct Choices {
    derives: BTreeMap<TypeId, Vec<Derive>>,
    /// As text: tokens can't be sent from one thread to another.
    replacements: BTreeMap<TypeId, String>,
    /// Paths of the crates from which packages come, as text.
    extern_packages: BTreeMap<PackageId, String>,
    /// Path of the runtime, as text.
    runtime: Option<String>,
    language: Language,
    sides: Sides,
    mocks: bool,
}

/// A trait that an option derives for a type.
#[derive(Debug, Clone)]
pub(crate) struct Derive {
    /// Last segment of the path.
    pub(crate) name: String,
    /// Whole path, as text.
    path: String,
}

impl Options {
    /// Fills in from `others` what is not set here.
    pub(crate) fn or(&mut self, others: &Self) {
        if self.derives.is_empty() {
            self.derives.clone_from(&others.derives);
        }
        if self.replacements.is_empty() {
            self.replacements.clone_from(&others.replacements);
        }
        if self.extern_packages.is_empty() {
            self.extern_packages.clone_from(&others.extern_packages);
        }
        if self.runtime.is_none() {
            self.runtime.clone_from(&others.runtime);
        }
        if self.sides == Sides::Both {
            self.sides = others.sides;
        }
        self.mocks |= others.mocks;
    }
}

/// Parses text that was printed from tokens, and so is valid; if it is not, rustc reports what is missing.
fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_default()
}

impl Derive {
    fn new(path: &syn::Path) -> Self {
        let name = path.segments.last().map(|last| last.ident.to_string()).unwrap_or_default();
        Self { name, path: path.to_token_stream().to_string() }
    }

    /// Returns its path.
    pub(crate) fn path(&self) -> TokenStream {
        tokens(&self.path)
    }

    /// Reports whether both are the same trait, as far as paths tell. Traits of the standard library may have none.
    fn is(&self, other: &Self) -> bool {
        self.full_name() == other.full_name()
    }

    fn full_name(&self) -> String {
        let path = self.path.replace(' ', "");
        let path = path.trim_start_matches("::");
        let is_standard = ["core::", "std::"].iter().any(|start| path.starts_with(start));
        if is_standard { self.name.clone() } else { path.to_owned() }
    }
}

impl Choices {
    /// Returns the additional derives of a type.
    pub(crate) fn derives(&self, id: TypeId) -> &[Derive] {
        self.derives.get(&id).map_or(&[], Vec::as_slice)
    }

    /// Returns the Rust type that replaces a generated one.
    pub(crate) fn replacement(&self, id: TypeId) -> Option<TokenStream> {
        self.replacements.get(&id).map(|text| tokens(text))
    }

    /// Reports whether a Rust type replaces a generated one.
    pub(crate) fn is_replaced(&self, id: TypeId) -> bool {
        self.replacements.contains_key(&id)
    }

    /// Returns the path of the crate that a package comes from, if it is another.
    pub(crate) fn extern_package(&self, id: PackageId) -> Option<TokenStream> {
        self.extern_packages.get(&id).map(|text| tokens(text))
    }

    /// Reports whether a package comes from another crate.
    pub(crate) fn is_extern(&self, id: PackageId) -> bool {
        self.extern_packages.contains_key(&id)
    }

    /// Returns the path of the runtime, if it is not `::zsvc`.
    pub(crate) fn runtime(&self) -> Option<TokenStream> {
        self.runtime.as_deref().map(tokens)
    }

    /// Language of the generated code.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// Sides of a call for which code is generated.
    pub(crate) fn sides(&self) -> Sides {
        self.sides
    }

    /// Reports whether services get mocks.
    pub(crate) fn has_mocks(&self) -> bool {
        self.mocks && self.sides != Sides::Client
    }
}
