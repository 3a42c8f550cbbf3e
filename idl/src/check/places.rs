//! The places where attributes may be, and which attribute is allowed where.

use super::subjects::subjects;
use crate::ast::{ItemKind, Preamble};
use crate::resolve::Model;
use crate::source::FileId;

/// The kinds of things that an attribute may precede.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Package,
    Const,
    Alias,
    Struct,
    Event,
    Enum,
    Flags,
    Union,
    Error,
    Service,
    Field,
    EventField,
    Value,
    Flag,
    Variant,
    ErrorVariant,
    Rpc,
    Oneway,
    Parameter,
    StreamParameter,
}

impl Place {
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Package => "a package",
            Self::Const => "a constant",
            Self::Alias => "an alias",
            Self::Struct => "a struct",
            Self::Event => "an event",
            Self::Enum => "an enum",
            Self::Flags => "`flags`",
            Self::Union => "a union",
            Self::Error => "an error",
            Self::Service => "a service",
            Self::Field => "a field",
            Self::EventField => "a field of an event",
            Self::Value => "an enum's value",
            Self::Flag => "a flag",
            Self::Variant => "a union's variant",
            Self::ErrorVariant => "an error's variant",
            Self::Rpc => "an `rpc` method",
            Self::Oneway => "a `oneway` method",
            Self::Parameter => "a parameter",
            Self::StreamParameter => "a stream parameter",
        }
    }
}

/// The arguments that an attribute takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// No arguments.
    Nothing,
    /// One string.
    String,
    /// One or more strings.
    Strings,
    /// A key and a value, both strings.
    Pair,
    /// One of the attribute's words.
    Word,
    /// One or more words.
    Words,
    /// One value, which the rules about values check.
    Value,
}

/// An attribute of the language.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) places: &'static [Place],
    pub(super) belongs: &'static str,
    pub(super) takes: Takes,
    /// Example of its use.
    pub(super) example: &'static str,
}

const EVERYWHERE: &[Place] = &[
    Place::Package,
    Place::Const,
    Place::Alias,
    Place::Struct,
    Place::Event,
    Place::Enum,
    Place::Flags,
    Place::Union,
    Place::Error,
    Place::Service,
    Place::Field,
    Place::EventField,
    Place::Value,
    Place::Flag,
    Place::Variant,
    Place::ErrorVariant,
    Place::Rpc,
    Place::Oneway,
    Place::Parameter,
    Place::StreamParameter,
];

const SLOTS: &[Place] = &[Place::Field, Place::EventField, Place::Parameter];

const CALLABLE: &[Place] = &[Place::Event, Place::Service, Place::Rpc, Place::Oneway];

pub(super) const ATTRIBUTES: [Known; 18] = [
    Known {
        name: "allow",
        places: EVERYWHERE,
        belongs: "anything but an import",
        takes: Takes::Words,
        example: "@allow(missing_docs)",
    },
    Known {
        name: "blocking",
        places: &[Place::Rpc, Place::Oneway],
        belongs: "a method",
        takes: Takes::Nothing,
        example: "@blocking",
    },
    Known {
        name: "deadline",
        places: &[Place::Rpc],
        belongs: "an `rpc` method",
        takes: Takes::Value,
        example: "@deadline(500ms)",
    },
    Known {
        name: "default",
        places: SLOTS,
        belongs: "a field or parameter",
        takes: Takes::Value,
        example: "@default(1)",
    },
    Known {
        name: "deprecated",
        places: &[
            Place::Const,
            Place::Alias,
            Place::Struct,
            Place::Event,
            Place::Enum,
            Place::Flags,
            Place::Union,
            Place::Error,
            Place::Service,
            Place::Field,
            Place::EventField,
            Place::Value,
            Place::Flag,
            Place::Variant,
            Place::ErrorVariant,
            Place::Rpc,
            Place::Oneway,
        ],
        belongs: "a declaration, a method, a field, a value, a flag or a variant",
        takes: Takes::String,
        example: "@deprecated(\"use `watch`\")",
    },
    Known {
        name: "history",
        places: &[Place::Event],
        belongs: "an event",
        takes: Takes::Value,
        example: "@history(10)",
    },
    Known {
        name: "idempotent",
        places: &[Place::Rpc],
        belongs: "an `rpc` method",
        takes: Takes::Nothing,
        example: "@idempotent",
    },
    Known {
        name: "key",
        places: &[Place::EventField],
        belongs: "a field of an event",
        takes: Takes::Nothing,
        example: "@key",
    },
    Known {
        name: "latest",
        places: &[Place::Event],
        belongs: "an event",
        takes: Takes::Nothing,
        example: "@latest",
    },
    Known {
        name: "len",
        places: SLOTS,
        belongs: "a field or parameter",
        takes: Takes::Value,
        example: "@len(1..=12)",
    },
    Known {
        name: "message",
        places: &[Place::ErrorVariant],
        belongs: "a variant of an `error`",
        takes: Takes::String,
        example: "@message(\"no such symbol: {symbol}\")",
    },
    Known {
        name: "meta",
        places: EVERYWHERE,
        belongs: "anything but an import",
        takes: Takes::Pair,
        example: "@meta(\"owner\", \"trading\")",
    },
    Known {
        name: "overlap",
        places: &[Place::Rpc],
        belongs: "an `rpc` method",
        takes: Takes::Word,
        example: "@overlap(queue)",
    },
    Known {
        name: "public",
        places: CALLABLE,
        belongs: "a service, a method or an event",
        takes: Takes::Nothing,
        example: "@public",
    },
    Known {
        name: "range",
        places: SLOTS,
        belongs: "a field or parameter",
        takes: Takes::Value,
        example: "@range(1..=100)",
    },
    Known {
        name: "roles",
        places: CALLABLE,
        belongs: "a service, a method or an event",
        takes: Takes::Strings,
        example: "@roles(\"trader\", \"admin\")",
    },
    Known {
        name: "shard",
        places: &[Place::Rpc, Place::Oneway],
        belongs: "a method",
        takes: Takes::Word,
        example: "@shard(symbol)",
    },
    Known {
        name: "slow",
        places: &[Place::Event],
        belongs: "an event",
        takes: Takes::Word,
        example: "@slow(conflate)",
    },
];

pub(super) fn known(name: &str) -> Option<&'static Known> {
    ATTRIBUTES.iter().find(|known| known.name == name)
}

/// Returns every preamble with its file and place.
pub(super) fn preambles<'a>(model: &Model<'a>) -> impl Iterator<Item = (FileId, Place, &'a Preamble)> {
    subjects(model).into_iter().map(|subject| (subject.file, subject.place, subject.preamble))
}

pub(super) fn place_of(kind: &ItemKind) -> Place {
    match kind {
        ItemKind::Const { .. } => Place::Const,
        ItemKind::Alias(_) => Place::Alias,
        ItemKind::Struct(fields) if fields.is_event => Place::Event,
        ItemKind::Struct(_) => Place::Struct,
        ItemKind::Enum(values) if values.is_flags => Place::Flags,
        ItemKind::Enum(_) => Place::Enum,
        ItemKind::Union(union) if union.is_error => Place::Error,
        ItemKind::Union(_) => Place::Union,
        ItemKind::Service(_) => Place::Service,
    }
}
