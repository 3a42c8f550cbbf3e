//! A `oneof`: a union, and a field that holds it; or the whole message, if it has nothing else.

use protox::prost_reflect::prost_types::UninterpretedOption;

use super::file::{File, Part, places};
use super::message::{Message, tag};
use super::names::{self, Scope};
use super::service::EMPTY;

/// Greatest number of a variant.
const MAX_VARIANT: i32 = i32::MAX;

/// Tag of the options of a `oneof`, and of its name.
const OPTIONS: i32 = 2;
const NAME: i32 = 1;

impl File<'_> {
    /// Writes the field that holds a `oneof`, with the least number of its members.
    pub(crate) fn oneof_field(&mut self, message: &mut Message<'_>, place: usize, part: &Part) {
        let declared = message.resolved.oneof_decl[place].name();
        let least = message.oneofs.get(&place).copied().unwrap_or(0);
        let Some(number) = message.number(least) else {
            self.quoted(&format!("oneof {declared}"));
            let text = "the field of a `oneof` past the 65,535 that a struct may have has no counterpart, and is kept as a comment";
            return self.note(part.span.start, text.to_owned());
        };
        self.renumbered(part, declared, (least, number));
        let name = message.scope.add(&names::snake(message.resolved.oneof_decl[place].name()));
        let ty = self.short(self.index.oneof(&message.full, place));
        self.draft.line(&format!("{name}: {ty}? = {number};"));
    }

    /// Writes the union of a `oneof`.
    pub(crate) fn oneof(&mut self, message: &Message<'_>, place: usize, part: &Part) {
        let options = options_of(message, place);
        let (body, said) = self.head_of(part, NAME, OPTIONS, options);
        self.deprecated(said);
        let name = names::last(self.index.oneof(&message.full, place));
        self.draft.line(&format!("union {name} {{"));
        self.variants(message, place, part, body);
        self.draft.line("}");
    }

    /// Writes the members of a message that is a union.
    pub(crate) fn sole_oneof(&mut self, message: &Message<'_>, parts: &[Part]) {
        for part in parts {
            match part.path[message.path.len()] {
                tag::ONEOF => {
                    self.plain_head(part);
                    let options = options_of(message, 0);
                    self.options(&[&part.path[..], &[OPTIONS]].concat(), options);
                    let body = self.body(part, NAME);
                    self.variants(message, 0, part, body);
                }
                _ => self.statement(message, part, MAX_VARIANT),
            }
        }
    }

    /// Writes the comments above and at the head of a `oneof` that is not written itself.
    fn plain_head(&mut self, part: &Part) {
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        let body = self.body(part, NAME);
        let head = self.comments.behind(body);
        for lines in [&above.docs, &head, &part.behind] {
            self.draft.comment(lines);
        }
    }

    fn variants(&mut self, message: &Message<'_>, place: usize, part: &Part, body: usize) {
        let is_member = |path: &Vec<i32>| {
            let at = path.last().and_then(|at| usize::try_from(*at).ok());
            let field = at.and_then(|at| message.resolved.field.get(at));
            field.is_some_and(|field| field.oneof_index == i32::try_from(place).ok())
        };
        let paths = places(&message.path(tag::FIELD), message.resolved.field.len()).filter(is_member);
        let parts = self.parts(paths, body);
        let mut scope = Scope::default();
        for part in &parts {
            let at = part.path.last().and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
            let field = &message.resolved.field[at];
            let said = self.before_field(message, at, part);
            self.field_docs(part);
            self.deprecated(said);
            let name = scope.add(&names::pascal(field.name()));
            // A member that is there has a value, but for the message of nothing.
            let ty = match field.type_name() {
                EMPTY => String::new(),
                _ => format!(": {}", self.ty(field, part.span.start).trim_end_matches('?')),
            };
            self.draft.line(&format!("{name}{ty} = {};", field.number()));
        }
        self.rest(&parts, body, part.span.end);
    }
}

/// Returns the options of a `oneof`.
fn options_of<'m>(message: &Message<'m>, place: usize) -> &'m [UninterpretedOption] {
    let written = message.written.oneof_decl.get(place).and_then(|oneof| oneof.options.as_ref());
    written.map_or(&[], |options| &options.uninterpreted_option)
}
