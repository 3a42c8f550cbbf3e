//! What makes a struct an event, lowered.

use super::{Lowering, by_number};
use crate::ast::{self, Item};
use crate::schema::{Builtin, Event, Literal, Type};
use crate::source::FileId;
use crate::value;

impl Lowering<'_, '_> {
    pub(super) fn event(&mut self, file: FileId, item: &Item, fields: &ast::Fields) -> Option<Event> {
        let keys = by_number(fields).into_iter().enumerate();
        let keys = keys.filter(|(_, field)| field.preamble.find("key").is_some()).map(|(index, _)| index);
        let history = item.preamble.find("history").and_then(|attribute| attribute.arguments.first());
        let kept = match history {
            Some(value) => {
                let ty = Type::Builtin(Builtin::U32);
                match value::literal(self.model, file, &ty, value, &mut self.unread)? {
                    Literal::Integer(number) => u32::try_from(number).ok()?,
                    _ => return None,
                }
            }
            None => u32::from(item.preamble.find("latest").is_some()),
        };
        let (slow, access) = (value::slow(&item.preamble)?, value::access(&item.preamble)?);
        Some(Event { keys: keys.collect(), kept, slow, access })
    }
}
