//! Options of generated code: [`Options`] as written, [`Choices`] once they are checked against a schema.

use std::collections::BTreeMap;
use std::fmt;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use zsvc_idl::schema::{Schema, TypeId, TypeKind};

/// Options of generated code, by the full names of types.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Pairs of a type's full name and additional derives: `("market.v1.Trade", "PartialOrd")`.
    pub derives: Vec<(String, String)>,
    /// Pairs of a type's full name and the Rust type that replaces it: `("market.v1.Trade", "::my::Trade")`.
    /// That type must be `Clone + Debug + PartialEq`, `serde::Serialize` and `serde::Deserialize` in the form of the wire,
    /// and checks `@len` and `@range` itself.
    pub replacements: Vec<(String, String)>,
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

/// An invalid option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionsError {
    /// An option names a type that no file declares.
    UnknownType {
        /// The name.
        name: String,
    },
    /// An option adds derives to an alias.
    AliasDerive {
        /// The alias.
        name: String,
    },
    /// An option adds derives to a type that another option replaces.
    ReplacedDerive {
        /// The type.
        name: String,
    },
    /// The derives of a type cannot be read.
    InvalidDerive {
        /// The type.
        name: String,
        /// What was given.
        derives: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The replacement of a type cannot be read.
    InvalidReplacement {
        /// The type.
        name: String,
        /// What was given.
        replacement: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// [`Options`] that fit a schema: from here on, emission cannot fail.
#[derive(Debug, Default)]
pub struct Choices {
    derives: BTreeMap<TypeId, Vec<Derive>>,
    /// As text: tokens can't be sent from one thread to another.
    replacements: BTreeMap<TypeId, String>,
    sides: Sides,
    mocks: bool,
}

/// A trait that an option derives for a type.
#[derive(Debug)]
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
        if self.sides == Sides::Both {
            self.sides = others.sides;
        }
        self.mocks |= others.mocks;
    }

    /// Looks up the types that the options name.
    pub fn resolve(&self, schema: &Schema) -> Result<Choices, OptionsError> {
        let types = by_full_name(schema);
        let find =
            |name: &String| types.get(name).copied().ok_or(OptionsError::UnknownType { name: name.clone() });
        let mut choices = Choices { sides: self.sides, mocks: self.mocks, ..Choices::default() };
        for (name, derives) in &self.derives {
            let id = find(name)?;
            if matches!(schema.definition(id).kind, TypeKind::Alias(_)) {
                return Err(OptionsError::AliasDerive { name: name.clone() });
            }
            let chosen = choices.derives.entry(id).or_default();
            for derive in parse_derives(name, derives)? {
                if !chosen.iter().any(|other| other.is(&derive)) {
                    chosen.push(derive);
                }
            }
        }
        for (name, replacement) in &self.replacements {
            let id = find(name)?;
            if choices.derives.contains_key(&id) {
                return Err(OptionsError::ReplacedDerive { name: name.clone() });
            }
            choices.replacements.insert(id, parse_replacement(name, replacement)?);
        }
        Ok(choices)
    }
}

fn by_full_name(schema: &Schema) -> BTreeMap<String, TypeId> {
    let named = (0..).map(TypeId).zip(&schema.types);
    named.map(|(id, it)| (schema.package(it.package).full_name() + "." + &it.name, id)).collect()
}

fn parse_derives(name: &str, derives: &str) -> Result<Vec<Derive>, OptionsError> {
    let parser = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
    let paths = parser.parse_str(derives).map_err(|error| OptionsError::InvalidDerive {
        name: name.to_owned(),
        derives: derives.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(paths.iter().map(Derive::new).collect())
}

fn parse_replacement(name: &str, replacement: &str) -> Result<String, OptionsError> {
    let ty = syn::parse_str::<syn::Type>(replacement).map_err(|error| OptionsError::InvalidReplacement {
        name: name.to_owned(),
        replacement: replacement.to_owned(),
        reason: error.to_string(),
    })?;
    Ok(ty.to_token_stream().to_string())
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

    /// Sides of a call for which code is generated.
    pub(crate) fn sides(&self) -> Sides {
        self.sides
    }

    /// Reports whether services get mocks.
    pub(crate) fn has_mocks(&self) -> bool {
        self.mocks && self.sides != Sides::Client
    }
}

impl OptionsError {
    /// Returns the name of the type, as the option has it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::UnknownType { name }
            | Self::AliasDerive { name }
            | Self::ReplacedDerive { name }
            | Self::InvalidDerive { name, .. }
            | Self::InvalidReplacement { name, .. } => name,
        }
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::UnknownType { name } => format!("no file declares a type `{name}`"),
            Self::AliasDerive { name } => format!("`{name}` is an alias, which has no derives"),
            Self::ReplacedDerive { name } => {
                format!("`{name}` is replaced by a type of yours, so it gets no derives")
            }
            Self::InvalidDerive { name, derives, reason } => {
                format!("`{derives}` is not a list of derives for `{name}`: {reason}")
            }
            Self::InvalidReplacement { name, replacement, reason } => {
                format!("`{replacement}` is not a Rust type that could replace `{name}`: {reason}")
            }
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::UnknownType { .. } => "write its full name, as in `market.v1.Trade`",
            Self::AliasDerive { .. } => "name the type that it stands for",
            Self::ReplacedDerive { .. } => "derive it where that type is declared",
            Self::InvalidDerive { .. } => "write paths of traits, with commas between",
            Self::InvalidReplacement { .. } => "write the path of a type, as in `::my::Trade`",
        }
    }
}

impl fmt::Display for OptionsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Messages about text that can't be parsed are long enough without help.
            Self::InvalidDerive { .. } | Self::InvalidReplacement { .. } => {
                formatter.write_str(&self.message())
            }
            _ => write!(formatter, "{}: {}", self.message(), self.help()),
        }
    }
}

impl std::error::Error for OptionsError {}
