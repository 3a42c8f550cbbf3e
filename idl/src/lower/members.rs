//! The order of fields.

use crate::ast;

/// Returns fields in ascending order of their numbers, which is the order on the wire.
pub(crate) fn by_number(fields: &ast::Fields) -> Vec<&ast::Field> {
    let mut sorted: Vec<&ast::Field> = fields.fields.iter().collect();
    sorted.sort_by_key(|field| field.number.value);
    sorted
}

/// Returns a variant's own fields in the order in which a message's indices count them.
pub(crate) fn own_fields(payload: &ast::Payload) -> Vec<&ast::Field> {
    match payload {
        ast::Payload::Fields(fields) => by_number(fields),
        ast::Payload::Nothing | ast::Payload::Type(_) => Vec::new(),
    }
}
