//! Rules about constants. They never travel: the bounds and defaults that use them are reported at the uses.

use std::collections::BTreeMap;

use super::change::Change;
use super::notes::notes;
use super::relation::Place;
use super::{Comparison, Flow, shown};
use crate::diagnostic;
use crate::schema::{Constant, Package};

impl Comparison<'_> {
    pub(super) fn constants(&self, old: &Package, new: &Package, out: &mut Vec<Change>) {
        let known: BTreeMap<&str, &Constant> =
            old.constants.iter().map(|constant| (constant.name.as_str(), constant)).collect();
        let new_names: BTreeMap<&str, &Constant> =
            new.constants.iter().map(|constant| (constant.name.as_str(), constant)).collect();
        for after in &new.constants {
            match known.get(after.name.as_str()) {
                Some(before) => self.constant(before, after, out),
                None => out.push(added(after)),
            }
        }
        let gone = old.constants.iter().filter(|constant| !new_names.contains_key(constant.name.as_str()));
        out.extend(gone.map(removed));
    }

    fn constant(&self, before: &Constant, after: &Constant, out: &mut Vec<Change>) {
        let place = Place {
            what: format!("constant `{}`", after.name),
            old: before.type_span,
            new: after.type_span,
            flow: Flow::BOTH,
        };
        if self.old.resolved(&before.ty) != self.new.resolved(&after.ty) {
            out.push(self.constant_type(&place, before, after));
        } else if before.value != after.value {
            out.push(self.constant_value(before, after));
        }
        notes(&place.what, (before.span, &before.notes), (after.span, &after.notes), out);
    }

    fn constant_type(&self, place: &Place, before: &Constant, after: &Constant) -> Change {
        let (old, new) = shown::types((self.old, &before.ty), (self.new, &after.ty));
        Change::new(
            diagnostic::CONSTANT_TYPE_CHANGED,
            format!("{} was of type `{old}`, and is `{new}` now", place.what),
        )
        .was(place.old, format!("`{old}` here"))
        .is(place.new, format!("`{new}` here"))
        .source()
        .why("constants are not sent, but Rust code may use it")
        .help("leave it as it is, and declare another")
    }

    fn constant_value(&self, before: &Constant, after: &Constant) -> Change {
        let (old, new) = (shown::literal(self.old, &before.value), shown::literal(self.new, &after.value));
        Change::new(
            diagnostic::CONSTANT_CHANGED,
            format!("constant `{}` was `{old}`, and is `{new}` now", after.name),
        )
        .was(before.value_span, "the value before")
        .is(after.value_span, "the value now")
        .why("constants are not sent: each side has its own; a bound that uses it is reported where the bound is")
        .help("make sure that old and new programs may use different values of it")
    }
}

fn added(after: &Constant) -> Change {
    Change::new(diagnostic::CONSTANT_ADDED, format!("constant `{}` is new", after.name))
        .is(after.span, "new")
        .why("constants are not sent")
        .help("nothing needs to be done")
}

fn removed(before: &Constant) -> Change {
    Change::new(diagnostic::CONSTANT_REMOVED, format!("constant `{}` is gone", before.name))
        .was(before.span, "there before")
        .source()
        .why("constants are not sent, but Rust code may use it")
        .help("keep it, and say by `@deprecated` that it should not be used")
}
