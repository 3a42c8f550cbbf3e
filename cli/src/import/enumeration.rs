//! An enum.

use std::collections::BTreeSet;

use protox::prost_reflect::prost_types::{EnumDescriptorProto, EnumValueDescriptorProto};

use super::file::{File, Part, places};
use super::message::Reserved;
use super::names;

/// Tags of the parts of an enum, and of a value.
mod tag {
    pub(super) const NAME: i32 = 1;
    pub(super) const VALUE: i32 = 2;
    pub(super) const OPTIONS: i32 = 3;
    pub(super) const RESERVED_RANGE: i32 = 4;
    pub(super) const RESERVED_NAME: i32 = 5;
}

impl File<'_> {
    pub(crate) fn enumeration(
        &mut self,
        prefix: &str,
        resolved: &EnumDescriptorProto,
        written: &EnumDescriptorProto,
        part: &Part,
    ) {
        let full = format!("{prefix}.{}", resolved.name());
        let Some(known) = self.index.get(&full) else { return };
        let options = written.options.as_ref().map_or(&[][..], |options| &options.uninterpreted_option);
        let (body, said) = self.head_of(part, tag::NAME, tag::OPTIONS, options);
        let path = |tag| part.path.iter().copied().chain([tag]).collect::<Vec<i32>>();
        self.deprecated(said);
        self.draft.line(&format!("enum {} {{", names::last(&known.name)));
        let values = places(&path(tag::VALUE), resolved.value.len());
        let parts = self.parts(values.chain([path(tag::RESERVED_RANGE), path(tag::RESERVED_NAME)]), body);
        self.values(resolved, written, part, &parts);
        self.rest(&parts, body, part.span.end);
        self.draft.line("}");
    }

    fn values(
        &mut self,
        resolved: &EnumDescriptorProto,
        written: &EnumDescriptorProto,
        part: &Part,
        parts: &[Part],
    ) {
        let all = resolved.value.iter().map(EnumValueDescriptorProto::name);
        let (names, reserved) = names::values(resolved.name(), all, &resolved.reserved_name);
        let ranges = resolved.reserved_range.iter().map(|range| (range.start(), range.end()));
        let reserved = Reserved::new(ranges, reserved, names.iter().cloned().collect());
        let mut numbers = BTreeSet::new();
        for inner in parts {
            match inner.path[part.path.len()] {
                tag::RESERVED_RANGE => self.reserved_numbers(inner, &reserved.ranges, (i32::MIN, i32::MAX)),
                tag::RESERVED_NAME => self.reserved_names(inner, &reserved.names),
                _ => {
                    let at = inner.path.last().and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
                    let number = resolved.value[at].number();
                    if numbers.insert(number) {
                        self.value(written, at, &names[at], number, inner);
                    } else {
                        self.unsaid(inner, "a second name of an enum's value");
                    }
                }
            }
        }
    }

    fn value(&mut self, written: &EnumDescriptorProto, at: usize, name: &str, number: i32, part: &Part) {
        let options = written.value[at].options.as_ref();
        let options = options.map_or(&[][..], |options| &options.uninterpreted_option);
        let above = self.comments.above(part.from, part.span.start);
        self.draft.detached(&above);
        let said = self.options(&[&part.path[..], &[tag::OPTIONS]].concat(), options);
        let inside = self.comments.inside(part.span.clone());
        self.draft.comment(&inside);
        self.draft.docs(&above.docs);
        self.draft.docs(&part.behind);
        self.deprecated(said);
        self.draft.line(&format!("{name} = {number};"));
    }
}
