//! [`Scope`]: Python identifiers, no two of which are the same.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Keywords. Soft ones (`match`, `case`, `type`, `_`) are identifiers everywhere else.
const KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// Most underscores that are appended to a name that is taken; after that a number is.
const MAX_UNDERSCORES: usize = 4;

/// Names of one namespace, each taken once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// Names of the module around it. Shared, since there is a scope for each type, and a package may have many.
    outer: Rc<BTreeSet<String>>,
    taken: BTreeSet<String>,
    numbers: BTreeMap<String, usize>,
}

impl Scope {
    /// Returns a scope in which some names are taken.
    pub(crate) fn without<N: AsRef<str>>(taken: impl IntoIterator<Item = N>) -> Self {
        let taken = taken.into_iter().map(|name| name.as_ref().to_owned()).collect();
        Self { taken, ..Self::default() }
    }

    /// Returns a scope inside of one that has `outer`, in which some more names are taken.
    pub(crate) fn within<N: AsRef<str>>(
        outer: &Rc<BTreeSet<String>>,
        taken: impl IntoIterator<Item = N>,
    ) -> Self {
        Self { outer: Rc::clone(outer), ..Self::without(taken) }
    }

    /// Returns identifiers for names of the schema. Those that can be kept are, whatever their order.
    pub(crate) fn declare<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        self.declare_as(names, spelled)
    }

    /// As [`Scope::declare`], for members of classes. There, one with an underscore at its start would be taken for private, and
    /// could hide what a module imports.
    pub(crate) fn declare_members<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Vec<String> {
        self.declare_as(
            names,
            |name| if name.starts_with('_') { format!("x{name}") } else { name.to_owned() },
        )
    }

    fn declare_as<'n>(
        &mut self,
        names: impl IntoIterator<Item = &'n str>,
        spell: fn(&str) -> String,
    ) -> Vec<String> {
        let kept = names.into_iter().map(|name| (spell(name), spell(name) == name && self.claim(name)));
        let kept: Vec<(String, bool)> = kept.collect();
        kept.into_iter().map(|(name, kept)| if kept { name } else { self.add(&name) }).collect()
    }

    /// Returns an identifier for a name, with underscores appended until it is free.
    pub(crate) fn add(&mut self, name: &str) -> String {
        let name = spelled(name);
        let mut candidate = name.clone();
        for _ in 0..=MAX_UNDERSCORES {
            if self.claim(&candidate) {
                return candidate;
            }
            candidate.push('_');
        }
        let mut number = self.numbers.get(&name).copied().unwrap_or_default();
        let free = loop {
            number += 1;
            let candidate = format!("{name}_{number}");
            if self.claim(&candidate) {
                break candidate;
            }
        };
        self.numbers.insert(name, number);
        free
    }

    /// Takes a name if it is free and no keyword. Reports whether it did.
    fn claim(&mut self, name: &str) -> bool {
        !KEYWORDS.contains(&name) && !self.outer.contains(name) && self.taken.insert(name.to_owned())
    }
}

/// Returns a name as it can be an identifier in any scope. Two underscores at the start mean something to Python: such names
/// are the interpreter's, or changed within classes.
fn spelled(name: &str) -> String {
    if name.starts_with("__") { format!("x{name}") } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(names: &[&str]) -> Vec<String> {
        Scope::default().declare(names.iter().copied())
    }

    #[test]
    fn keywords_get_an_underscore() {
        assert_eq!(declared(&["import", "match", "None", "_"]), ["import_", "match", "None_", "_"]);
    }

    #[test]
    fn a_name_that_fits_is_kept_though_another_was_renamed_before_it() {
        assert_eq!(declared(&["class", "class_"]), ["class__", "class_"]);
    }

    #[test]
    fn names_that_mean_something_to_the_interpreter_are_changed() {
        assert_eq!(declared(&["__init__", "__x", "_x"]), ["x__init__", "x__x", "_x"]);
    }

    #[test]
    fn members_do_not_start_with_an_underscore() {
        assert_eq!(
            Scope::default().declare_members(["_", "_x", "x_x", "__x"]),
            ["x_", "x_x_", "x_x", "x__x"]
        );
    }

    #[test]
    fn names_of_the_module_around_it_are_taken() {
        let outer = Rc::new(BTreeSet::from(["name".to_owned()]));
        let mut scope = Scope::within(&outer, ["self"]);
        assert_eq!(scope.declare_members(["name", "self", "other"]), ["name_", "self_", "other"]);
    }

    #[test]
    fn many_names_that_meet_stay_short() {
        let mut scope = Scope::default();
        let names: Vec<String> = (0..1_000).map(|_| scope.add("name")).collect();
        assert_eq!(names.iter().collect::<std::collections::BTreeSet<_>>().len(), 1_000);
        assert!(names.iter().all(|name| name.len() <= "name_1000".len()));
    }
}
