//! Lists the attributes for editors.

use super::places::{ATTRIBUTES, Place};
use crate::analysis::language::{Attribute, Site};

/// Returns the attributes that may stand at a place, or all of them.
pub(crate) fn all(site: Option<Site>) -> Vec<Attribute> {
    let places: Option<&[Place]> = site.map(|site| match site {
        Site::File => &[
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
        ][..],
        Site::Struct | Site::Variant => &[Place::Field],
        Site::Event => &[Place::EventField],
        Site::Enum => &[Place::Value, Place::Flag],
        Site::Union => &[Place::Variant],
        Site::Error => &[Place::ErrorVariant],
        Site::Service => &[Place::Rpc, Place::Oneway],
        Site::Parameters => &[Place::Parameter, Place::StreamParameter],
    });
    ATTRIBUTES
        .iter()
        .filter(|known| places.is_none_or(|places| known.places.iter().any(|place| places.contains(place))))
        .map(|known| Attribute { name: known.name, belongs: known.belongs, example: known.example })
        .collect()
}
