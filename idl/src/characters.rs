//! Characters that are easily taken for others: those that no editor shows, spaces that are not the plain one, and
//! signs that look like the ASCII signs of the language.

/// A character, its name, and what to write instead.
struct Character {
    value: char,
    name: &'static str,
    instead: Instead,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Instead {
    /// Nothing: the character has no width.
    Nothing,
    /// A plain space.
    Space,
    /// An ASCII sign.
    Sign(&'static str),
}

macro_rules! characters {
    ($($character:literal $name:literal $instead:expr;)*) => {
        &[$(Character { value: $character, name: $name, instead: $instead }),*]
    };
}

use Instead::{Nothing, Sign, Space};

#[rustfmt::skip]
const CHARACTERS: &[Character] = characters! {
    '\u{a0}' "no-break space" Space;
    '\u{ab}' "left-pointing double angle quotation mark" Sign("\"");
    '\u{ad}' "soft hyphen" Nothing;
    '\u{bb}' "right-pointing double angle quotation mark" Sign("\"");
    '\u{37e}' "Greek question mark" Sign(";");
    '\u{61c}' "Arabic letter mark" Nothing;
    '\u{1680}' "Ogham space mark" Space;
    '\u{180e}' "Mongolian vowel separator" Nothing;
    '\u{2000}' "en quad" Space;
    '\u{2001}' "em quad" Space;
    '\u{2002}' "en space" Space;
    '\u{2003}' "em space" Space;
    '\u{2004}' "three-per-em space" Space;
    '\u{2005}' "four-per-em space" Space;
    '\u{2006}' "six-per-em space" Space;
    '\u{2007}' "figure space" Space;
    '\u{2008}' "punctuation space" Space;
    '\u{2009}' "thin space" Space;
    '\u{200a}' "hair space" Space;
    '\u{200b}' "zero width space" Nothing;
    '\u{200c}' "zero width non-joiner" Nothing;
    '\u{200d}' "zero width joiner" Nothing;
    '\u{200e}' "left-to-right mark" Nothing;
    '\u{200f}' "right-to-left mark" Nothing;
    '\u{2010}' "hyphen" Sign("-");
    '\u{2011}' "non-breaking hyphen" Sign("-");
    '\u{2012}' "figure dash" Sign("-");
    '\u{2013}' "en dash" Sign("-");
    '\u{2014}' "em dash" Sign("-");
    '\u{2018}' "left single quotation mark" Sign("\"");
    '\u{2019}' "right single quotation mark" Sign("\"");
    '\u{201a}' "single low-9 quotation mark" Sign("\"");
    '\u{201c}' "left double quotation mark" Sign("\"");
    '\u{201d}' "right double quotation mark" Sign("\"");
    '\u{201e}' "double low-9 quotation mark" Sign("\"");
    '\u{2026}' "horizontal ellipsis" Sign("..");
    '\u{2028}' "line separator" Space;
    '\u{2029}' "paragraph separator" Space;
    '\u{202a}' "left-to-right embedding" Nothing;
    '\u{202b}' "right-to-left embedding" Nothing;
    '\u{202c}' "pop directional formatting" Nothing;
    '\u{202d}' "left-to-right override" Nothing;
    '\u{202e}' "right-to-left override" Nothing;
    '\u{202f}' "narrow no-break space" Space;
    '\u{205f}' "medium mathematical space" Space;
    '\u{2060}' "word joiner" Nothing;
    '\u{2066}' "left-to-right isolate" Nothing;
    '\u{2067}' "right-to-left isolate" Nothing;
    '\u{2068}' "first strong isolate" Nothing;
    '\u{2069}' "pop directional isolate" Nothing;
    '\u{2190}' "leftwards arrow" Sign("->");
    '\u{2192}' "rightwards arrow" Sign("->");
    '\u{21d2}' "rightwards double arrow" Sign("->");
    '\u{2212}' "minus sign" Sign("-");
    '\u{3000}' "ideographic space" Space;
    '\u{feff}' "byte order mark" Nothing;
    '\u{ff08}' "fullwidth left parenthesis" Sign("(");
    '\u{ff09}' "fullwidth right parenthesis" Sign(")");
    '\u{ff0c}' "fullwidth comma" Sign(",");
    '\u{ff1a}' "fullwidth colon" Sign(":");
    '\u{ff1b}' "fullwidth semicolon" Sign(";");
    '\u{ff1d}' "fullwidth equals sign" Sign("=");
    '\u{ff5b}' "fullwidth left curly bracket" Sign("{");
    '\u{ff5d}' "fullwidth right curly bracket" Sign("}");
};

fn entry(character: char) -> Option<&'static Character> {
    let found = CHARACTERS.binary_search_by_key(&character, |entry| entry.value);
    found.ok().map(|at| &CHARACTERS[at])
}

/// Returns the name of a character and its code point: ``no-break space (U+00A0)``.
pub(crate) fn described(character: char) -> Option<String> {
    entry(character).map(|entry| format!("{} (U+{:04X})", entry.name, u32::from(character)))
}

/// Returns the ASCII sign that a character looks like.
pub(crate) fn sign(character: char) -> Option<&'static str> {
    match entry(character)?.instead {
        Sign(sign) => Some(sign),
        Nothing | Space => None,
    }
}

/// Reports whether a character looks like a plain space.
pub(crate) fn is_space(character: char) -> bool {
    entry(character).is_some_and(|entry| entry.instead == Space)
}

/// Reports whether a character has no width.
pub(crate) fn is_invisible(character: char) -> bool {
    entry(character).is_some_and(|entry| entry.instead == Nothing)
}

/// Returns the first typographic quotation mark in a text.
pub(crate) fn quotation_mark(text: &str) -> Option<char> {
    text.chars().find(|character| sign(*character) == Some("\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_holds_no_ascii() {
        assert!(CHARACTERS.windows(2).all(|pair| pair[0].value < pair[1].value));
        assert!(CHARACTERS.iter().all(|entry| !entry.value.is_ascii()));
    }

    #[test]
    fn characters_are_told_by_name() {
        assert_eq!(described('\u{200b}').as_deref(), Some("zero width space (U+200B)"));
        assert_eq!((described('a'), sign('\u{201d}'), sign('a')), (None, Some("\""), None));
        assert!(is_space('\u{a0}') && is_invisible('\u{feff}') && !is_space('\u{feff}'));
    }
}
