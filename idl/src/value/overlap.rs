//! The words that `@overlap` takes.
//!
//! Not here: that the attribute stands where it belongs and has one word, which is `crate::check`'s matter.

use crate::ast::{Preamble, ValueKind};
use crate::schema::Overlap;

const WORDS: [(&str, Overlap); 4] = [
    ("parallel", Overlap::Parallel),
    ("queue", Overlap::Queue),
    ("replace", Overlap::Replace),
    ("ignore", Overlap::Ignore),
];

/// The words in the order in which the language tells them.
pub(crate) fn overlap_words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

/// What a word means. Absent where it is none of them.
pub(crate) fn overlap_named(word: &str) -> Option<Overlap> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, overlap)| *overlap)
}

/// What a method says, or the default where it says nothing. Absent where it says what means nothing.
pub(crate) fn overlap(preamble: &Preamble) -> Option<Overlap> {
    match preamble.find("overlap").map(|attribute| attribute.arguments.as_slice()) {
        None => Some(Overlap::default()),
        Some([value]) => match &value.kind {
            ValueKind::Path(path) => overlap_named(&path.text()),
            _ => None,
        },
        Some(_) => None,
    }
}
