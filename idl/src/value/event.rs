//! The words that `@slow` takes, and the bound of `@history`.
//!
//! Not here: that the attributes are allowed in their place and have one argument, which `crate::check` ensures.

use crate::ast::{Preamble, ValueKind};
use crate::schema::Slow;

/// Largest number of events of each key that are kept.
pub(crate) const MAX_HISTORY: u32 = 1_000;

const WORDS: [(&str, Slow); 3] =
    [("drop_oldest", Slow::DropOldest), ("conflate", Slow::Conflate), ("disconnect", Slow::Disconnect)];

/// Returns the words in the order in which the language documents them.
pub(crate) fn slow_words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

/// Returns the meaning of a word, or `None` if it is not one of them.
pub(crate) fn slow_named(word: &str) -> Option<Slow> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, slow)| *slow)
}

/// Returns what happens to slow subscribers of an event, or the default if it has no such attribute. Returns `None` if its word is
/// invalid.
pub(crate) fn slow(preamble: &Preamble) -> Option<Slow> {
    match preamble.find("slow").map(|attribute| attribute.arguments.as_slice()) {
        None => Some(Slow::default()),
        Some([value]) => match &value.kind {
            ValueKind::Path(path) => slow_named(&path.text()),
            _ => None,
        },
        Some(_) => None,
    }
}
