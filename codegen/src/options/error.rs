//! Options that do not fit a schema.

use std::fmt;

use zsvc_idl::source::{SourceMap, Span};

use crate::target::Language;

/// An invalid option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionsError {
    /// An option names a type that no file declares.
    UnknownType {
        /// The name.
        name: String,
        /// The name that was likely meant.
        nearest: Option<String>,
    },
    /// An option names a package that no file has.
    UnknownPackage {
        /// The name.
        name: String,
        /// The name that was likely meant.
        nearest: Option<String>,
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
    /// A type is replaced of which a default or constant has a value.
    ReplacedValue {
        /// The type.
        name: String,
        /// The full name of the field, parameter or constant.
        value: String,
        /// Span of its name.
        span: Span,
        /// Where that is, as text, once it is known.
        place: Option<String>,
    },
    /// A package is to be replaced as a type is.
    PackageReplacement {
        /// The package.
        name: String,
    },
    /// An option adds derives to a type of a package that comes from another crate, or replaces it.
    ExternType {
        /// The type.
        name: String,
    },
    /// A package that comes from another crate uses one that is generated here.
    ExternUses {
        /// The package that comes from another crate.
        name: String,
        /// The package that is generated here.
        other: String,
    },
    /// An option is for another language.
    NotOfLanguage {
        /// The option.
        name: String,
        /// The language of the generated code.
        language: Language,
    },
    /// The path of a crate cannot be used.
    InvalidPath {
        /// The package that comes from it, or `zsvc`.
        name: String,
        /// What was given.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl OptionsError {
    /// Returns the name of the type or package, as the option has it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::UnknownType { name, .. }
            | Self::UnknownPackage { name, .. }
            | Self::AliasDerive { name }
            | Self::ReplacedDerive { name }
            | Self::InvalidDerive { name, .. }
            | Self::InvalidReplacement { name, .. }
            | Self::ReplacedValue { name, .. }
            | Self::PackageReplacement { name }
            | Self::ExternType { name }
            | Self::ExternUses { name, .. }
            | Self::NotOfLanguage { name, .. }
            | Self::InvalidPath { name, .. } => name,
        }
    }

    /// Returns it with the place that it has in a schema, as text.
    #[must_use]
    pub fn located(mut self, sources: &SourceMap) -> Self {
        if let Self::ReplacedValue { span, place, .. } = &mut self {
            let location = sources.location(*span);
            let path = sources.file(span.file).path();
            *place = Some(format!("{path}:{}:{}", location.line, location.column));
        }
        self
    }

    /// Returns what is wrong.
    #[must_use]
    pub fn message(&self) -> String {
        match self {
            Self::UnknownType { name, .. } => format!("no file declares a type `{name}`"),
            Self::UnknownPackage { name, .. } => format!("no file has the package `{name}`"),
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
            Self::ReplacedValue { name, value, place, .. } => {
                let at = place.as_ref().map_or_else(String::new, |place| format!(", at {place},"));
                format!("`{value}`{at} has a value of `{name}`, which is replaced by a type of yours")
            }
            Self::PackageReplacement { name } => {
                format!("`{name}` is a package, and `replace` is about one type")
            }
            Self::ExternType { name } => {
                format!("`{name}` comes from another crate, so nothing can be chosen for it here")
            }
            Self::ExternUses { name, other } => {
                format!(
                    "the package `{name}` comes from another crate, and uses `{other}`, which is generated here"
                )
            }
            Self::NotOfLanguage { name, language } => {
                format!("`{name}` is an option of Rust, and this output is in {}", language.name())
            }
            Self::InvalidPath { name, path, reason } => {
                format!("`{path}` is not the path of a crate that has `{name}`: {reason}")
            }
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn help(&self) -> String {
        let help = match self {
            Self::UnknownType { nearest: Some(nearest), .. }
            | Self::UnknownPackage { nearest: Some(nearest), .. } => {
                return format!("did you mean `{nearest}`?");
            }
            Self::ExternUses { other, .. } => {
                return format!("let `{other}` come from that crate, too: its code is there");
            }
            Self::UnknownType { .. } => "write its full name, as in `market.v1.Trade`",
            Self::UnknownPackage { .. } => {
                "write its full name, as in `market.v1`; it must be one that is imported"
            }
            Self::AliasDerive { .. } => "name the type that it stands for",
            Self::ReplacedDerive { .. } => "derive it where that type is declared",
            Self::InvalidDerive { .. } => "write paths of traits, with commas between",
            Self::InvalidReplacement { .. } => "write the path of a type, as in `::my::Trade`",
            Self::ReplacedValue { .. } => {
                "leave the value out: how a type of yours is made is not known here"
            }
            Self::PackageReplacement { .. } => "all of its types come from another crate by `extern_package`",
            Self::ExternType { .. } => "choose it where that crate is generated",
            Self::NotOfLanguage { .. } => "leave it out",
            Self::InvalidPath { .. } => "write it as `::money_types`, or `crate::shared`",
        };
        help.to_owned()
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
