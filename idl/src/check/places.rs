//! Where attributes can stand, and which mean something where.

use super::walk;
use crate::ast::{ItemKind, Payload, Preamble};
use crate::resolve::Model;
use crate::source::FileId;

/// What an attribute may stand before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Const,
    Alias,
    Struct,
    Enum,
    Union,
    Error,
    Service,
    Field,
    Value,
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
            Self::Const => "a constant",
            Self::Alias => "an alias",
            Self::Struct => "a struct",
            Self::Enum => "an enum",
            Self::Union => "a union",
            Self::Error => "an error",
            Self::Service => "a service",
            Self::Field => "a field",
            Self::Value => "an enum's value",
            Self::Variant => "a union's variant",
            Self::ErrorVariant => "an error's variant",
            Self::Rpc => "an `rpc` method",
            Self::Oneway => "a `oneway` method",
            Self::Parameter => "a parameter",
            Self::StreamParameter => "a stream parameter",
        }
    }
}

/// What stands between an attribute's parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Takes {
    /// There are none.
    Nothing,
    /// One string.
    String,
    /// One word of the attribute's own.
    Word,
    /// One value, which the rules about values look at.
    Value,
}

/// An attribute of the language.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) places: &'static [Place],
    pub(super) belongs: &'static str,
    pub(super) takes: Takes,
    /// What it looks like in use.
    pub(super) example: &'static str,
}

const SLOTS: &[Place] = &[Place::Field, Place::Parameter];

pub(super) const ATTRIBUTES: [Known; 8] = [
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
            Place::Enum,
            Place::Union,
            Place::Error,
            Place::Service,
            Place::Field,
            Place::Value,
            Place::Variant,
            Place::ErrorVariant,
            Place::Rpc,
            Place::Oneway,
        ],
        belongs: "a declaration, a method, a field, a value or a variant",
        takes: Takes::String,
        example: "@deprecated(\"use `watch`\")",
    },
    Known {
        name: "idempotent",
        places: &[Place::Rpc],
        belongs: "an `rpc` method",
        takes: Takes::Nothing,
        example: "@idempotent",
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
        name: "overlap",
        places: &[Place::Rpc],
        belongs: "an `rpc` method",
        takes: Takes::Word,
        example: "@overlap(queue)",
    },
    Known {
        name: "range",
        places: SLOTS,
        belongs: "a field or parameter",
        takes: Takes::Value,
        example: "@range(1..=100)",
    },
];

pub(super) fn known(name: &str) -> Option<&'static Known> {
    ATTRIBUTES.iter().find(|known| known.name == name)
}

/// Everything that attributes stand before.
pub(super) fn preambles<'a>(model: &Model<'a>) -> Vec<(FileId, Place, &'a Preamble)> {
    let mut found = Vec::new();
    for (file, item) in model.items() {
        let mut add = |place, preamble: &'a Preamble| found.push((file, place, preamble));
        add(place_of(&item.kind), &item.preamble);
        match &item.kind {
            ItemKind::Struct(fields) => {
                fields.fields.iter().for_each(|field| add(Place::Field, &field.preamble));
            }
            ItemKind::Enum(values) => {
                values.values.iter().for_each(|value| add(Place::Value, &value.preamble));
            }
            ItemKind::Union(union) => {
                let place = if union.is_error { Place::ErrorVariant } else { Place::Variant };
                for variant in &union.variants {
                    add(place, &variant.preamble);
                    if let Payload::Fields(fields) = &variant.payload {
                        fields.fields.iter().for_each(|field| add(Place::Field, &field.preamble));
                    }
                }
            }
            ItemKind::Const { .. } | ItemKind::Alias(_) | ItemKind::Service(_) => {}
        }
    }
    for (file, method) in walk::methods(model) {
        found.push((
            file,
            if method.oneway.is_some() { Place::Oneway } else { Place::Rpc },
            &method.preamble,
        ));
        for parameter in &method.parameters {
            let place = if parameter.stream.is_some() { Place::StreamParameter } else { Place::Parameter };
            found.push((file, place, &parameter.preamble));
        }
    }
    found
}

fn place_of(kind: &ItemKind) -> Place {
    match kind {
        ItemKind::Const { .. } => Place::Const,
        ItemKind::Alias(_) => Place::Alias,
        ItemKind::Struct(_) => Place::Struct,
        ItemKind::Enum(_) => Place::Enum,
        ItemKind::Union(union) if union.is_error => Place::Error,
        ItemKind::Union(_) => Place::Union,
        ItemKind::Service(_) => Place::Service,
    }
}
