//! The words that `@overlap` takes.
//!
//! Not here: that the attribute is allowed in its place and has one word, which `crate::check` ensures.

use crate::ast::{Preamble, ValueKind};
use crate::schema::Overlap;

const WORDS: [(&str, Overlap); 4] = [
    ("parallel", Overlap::Parallel),
    ("queue", Overlap::Queue),
    ("replace", Overlap::Replace),
    ("ignore", Overlap::Ignore),
];

/// Returns the words in the order in which the language documents them.
pub(crate) fn overlap_words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().map(|(word, _)| *word)
}

/// Returns the meaning of a word, or `None` if it is not one of them.
pub(crate) fn overlap_named(word: &str) -> Option<Overlap> {
    WORDS.iter().find(|(known, _)| *known == word).map(|(_, overlap)| *overlap)
}

/// Returns a method's overlap, or the default if it has no such attribute. Returns `None` if its word is invalid.
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
