//! Rules about the errors that a method throws: they are told apart by their positions.

use super::change::{Change, Effects};
use super::{Comparison, Flow, shown};
use crate::diagnostic;
use crate::schema::{Method, Thrown, Type};

impl Comparison<'_> {
    pub(super) fn throws(&self, what: &str, before: &Method, after: &Method, out: &mut Vec<Change>) {
        match (before.throws.as_slice(), after.throws.as_slice()) {
            ([], []) => {}
            ([], [new, ..]) => out.push(given(what).was(before.span, "before").is(new.span, "now")),
            ([old, ..], []) => out.push(taken(what).was(old.span, "before").is(after.span, "now")),
            (old, new) => match self.moved_error(old, new) {
                Some((old, new)) => out.push(self.errors_moved(what, old, new)),
                None => self.errors(what, (before, old), (after, new), out),
            },
        }
    }

    /// Returns an error that is at another index now, on both sides.
    fn moved_error(&self, old: &[Thrown], new: &[Thrown]) -> Option<(Place, Place)> {
        let mut places = old.iter().enumerate().filter_map(|(index, before)| {
            let now = new.iter().position(|after| self.pairs.are_one(before.error, after.error))?;
            (now != index).then(|| (Place::of(index, *before), Place::of(now, new[now])))
        });
        places.next()
    }

    fn errors_moved(&self, what: &str, old: Place, new: Place) -> Change {
        let (name, from, to) = (&self.new.definition(new.thrown.error).name, old.position, new.position);
        let message = format!(
            "errors of {what} stand in another order: `{name}` was number {from}, and is number {to} now"
        );
        Change::new(diagnostic::THROWS_MOVED, message)
            .was(old.thrown.span, format!("number {from} here"))
            .is(new.thrown.span, format!("number {to} here"))
            .both(Flow::ANSWERS)
            .why("errors are told apart by position, so each side takes one error for the other")
            .help("keep their order, and add a new one after all others")
    }

    fn errors(
        &self,
        what: &str,
        (before, old): (&Method, &[Thrown]),
        (after, new): (&Method, &[Thrown]),
        out: &mut Vec<Change>,
    ) {
        for (old, new) in old.iter().zip(new) {
            if !self.pairs.are_one(old.error, new.error) {
                out.push(self.changed(what, *old, *new));
            }
        }
        for thrown in new.iter().skip(old.len()) {
            let name = &self.new.definition(thrown.error).name;
            out.push(added(what, name, new.len()).was(before.span, "not there yet").is(thrown.span, "new"));
        }
        for thrown in old.iter().skip(new.len()) {
            let name = &self.old.definition(thrown.error).name;
            out.push(dropped(what, name).was(thrown.span, "there before").is(after.span, "gone"));
        }
    }

    fn changed(&self, what: &str, old: Thrown, new: Thrown) -> Change {
        let (before, after) = (Type::Named(old.error), Type::Named(new.error));
        let relation = self.relate(&before, &after, Flow::ANSWERS);
        let (old_name, new_name) = shown::types((self.old, &before), (self.new, &after));
        let why = if relation.fails() {
            "bytes don't say which error they are, so a client refuses or misreads what a server of the other age throws"
        } else {
            "the variants are the same on the wire; but in Rust it is another type"
        };
        Change::new(
            diagnostic::THROWS_CHANGED,
            format!("{what} threw `{old_name}`, and throws `{new_name}` now"),
        )
        .was(old.span, "before")
        .is(new.span, "now")
        .effects(Effects { source: true, ..relation.effects(Flow::ANSWERS) })
        .why(why)
        .help("leave it as it is, and add the new error after all others")
    }
}

/// An error and its position among those of its method, from 1.
#[derive(Clone, Copy)]
struct Place {
    position: usize,
    thrown: Thrown,
}

impl Place {
    fn of(index: usize, thrown: Thrown) -> Self {
        Self { position: index + 1, thrown }
    }
}

fn given(what: &str) -> Change {
    Change::new(diagnostic::THROWS_GIVEN, format!("{what} throws now"))
        .source()
        .why("old clients have a declared error as `unknown`, with its text; but in Rust a call fails with another type")
        .help("nothing needs to be done but in the Rust code")
}

fn taken(what: &str) -> Change {
    Change::new(diagnostic::THROWS_REMOVED, format!("{what} no longer throws"))
        .source()
        .why("new clients have what old servers throw as `unknown`, with its text; but in Rust a call fails with another type")
        .help("keep it, even if the handler never throws")
}

/// Returns the change of an error behind those that were there. `count` is the number of errors now.
fn added(what: &str, name: &str, count: usize) -> Change {
    let why = if count == 2 {
        "old clients keep it as an unknown variant of the error that they know; but in Rust a call fails with another type, which is one of the two"
    } else {
        "old clients keep it as unknown, with its number; but a `match` in Rust has to name it"
    };
    Change::new(diagnostic::THROWS_ADDED, format!("{what} throws `{name}`, too"))
        .source()
        .why(why)
        .help("nothing needs to be done but in the Rust code")
}

fn dropped(what: &str, name: &str) -> Change {
    Change::new(diagnostic::THROWS_DROPPED, format!("{what} no longer throws `{name}`"))
        .source()
        .risk()
        .why("new clients keep it as unknown, with its number; but Rust code may use it; and its position is free, so that another error may take it")
        .help("keep it, even if the handler never throws it")
}
