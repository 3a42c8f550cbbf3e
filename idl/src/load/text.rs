//! Decodes bytes to text: finds invalid UTF-8, and characters that are invisible or misleading.
//!
//! Each such place is reported and replaced by ASCII that parses, so that it hides no other mistake. A file with too
//! many invalid bytes to be text is not parsed.

use std::ops::Range;

use super::other_language;
use crate::characters;
use crate::diagnostic::{self, Diagnostic, Report};
use crate::source::{FileId, MAX_FILE_BYTES, SourceMap, Span, offset};

/// Number of invalid bytes up to which a file always counts as text.
const MAX_IGNORED_INVALID_BYTES: usize = 32;

/// A file with more invalid bytes than that is not text if more than one byte in this number is invalid.
const MIN_BYTES_PER_INVALID_BYTE: usize = 20;

/// The part of a file that can be parsed.
pub(super) enum Text {
    /// All of the text.
    Unchanged,
    /// The text with each byte at its place; what was replaced is reported.
    Replaced(String),
    /// Nothing; already reported.
    Unreadable,
}

/// A sequence of bytes that is not UTF-8.
struct InvalidBytes {
    /// Range of the U+FFFD that stands for it in the text.
    place: Range<usize>,
    /// The first byte of the sequence.
    byte: u8,
    /// Offset of that byte in the file.
    at: usize,
}

/// Decodes the bytes of a file, and reports what is not text.
pub(super) fn take(
    path: &str,
    bytes: Vec<u8>,
    sources: &mut SourceMap,
    report: &mut Report,
) -> (FileId, Text) {
    if bytes.len() > MAX_FILE_BYTES {
        let id = sources.add(path, "");
        report.add(too_large(id));
        return (id, Text::Unreadable);
    }
    if let Some(encoding) = wide_encoding(&bytes) {
        let id = sources.add(path, "");
        report.add(not_utf8(id, encoding));
        return (id, Text::Unreadable);
    }
    let (text, invalid) = decoded(bytes);
    let file = sources.add(path, text);
    let text = sources.file(file).text();
    if let Some(diagnostic) = other_language::told(file, path, text) {
        report.add(diagnostic);
        return (file, Text::Unreadable);
    }
    let unseen = unseen(text);
    for problem in &invalid {
        report.add_with(file, diagnostic::NO_UTF8, |_| no_utf8(file, problem));
    }
    for (place, character) in &unseen {
        report.add_with(file, diagnostic::CONTROL_CHARACTER, |_| control_character(file, place, *character));
    }
    let invalid = invalid.into_iter().map(|problem| (problem.place, b'X'));
    let unseen = unseen.into_iter().map(|(place, _)| (place, b' '));
    (file, without(text, &invalid.chain(unseen).collect::<Vec<_>>()))
}

/// Number of bytes at the start of a file in which zeros tell that it is UTF-16.
const PROBE_BYTES: usize = 64;

/// Returns the encoding of a file whose characters have two or four bytes each: by its byte order mark, or by its first
/// characters if all of them are ASCII. What such a file says can't be shown, so nothing else is reported of it.
fn wide_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => return Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => return Some("UTF-16"),
        _ => {}
    }
    let probe = &bytes[..bytes.len().min(PROBE_BYTES)];
    let all = |first: usize, step: usize, is_zero: bool| {
        probe.iter().skip(first).step_by(step).all(|byte| (*byte == 0) == is_zero)
    };
    let is_wide =
        |low: usize, width: usize| probe.len() >= 4 * width && (0..width).all(|at| all(at, width, at != low));
    match () {
        () if is_wide(0, 2) || is_wide(1, 2) => Some("UTF-16"),
        () if is_wide(0, 4) || is_wide(3, 4) => Some("UTF-32"),
        () => None,
    }
}

/// Returns the text without a byte order mark, and the invalid sequences in it.
fn decoded(mut bytes: Vec<u8>) -> (String, Vec<InvalidBytes>) {
    let mark = if bytes.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    bytes.drain(..mark);
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return (text, Vec::new()),
        Err(error) => error.into_bytes(),
    };
    let (mut text, mut invalid, mut at) =
        (String::with_capacity(bytes.len()), Vec::<InvalidBytes>::new(), mark);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        at += chunk.valid().len();
        let Some(byte) = chunk.invalid().first() else { continue };
        let start = text.len();
        text.push(char::REPLACEMENT_CHARACTER);
        match invalid.last_mut() {
            Some(last) if last.place.end == start => last.place.end = text.len(),
            _ => invalid.push(InvalidBytes { place: start..text.len(), byte: *byte, at }),
        }
        at += chunk.invalid().len();
    }
    (text, invalid)
}

/// Replaces these places by ASCII of the same length: inside a word by a letter, else by the byte given with the place.
/// Only the parser sees the result; invalid UTF-8 was likely a letter.
fn without(text: &str, places: &[(Range<usize>, u8)]) -> Text {
    let wrong: usize = places.iter().map(|(place, _)| place.len()).sum();
    if wrong == 0 {
        return Text::Unchanged;
    }
    if wrong > MAX_IGNORED_INVALID_BYTES && wrong * MIN_BYTES_PER_INVALID_BYTE > text.len() {
        return Text::Unreadable;
    }
    let mut bytes = text.as_bytes().to_vec();
    for (place, instead) in places {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        let is_inside = place.start.checked_sub(1).is_some_and(|before| is_word(&bytes[before]));
        bytes[place.clone()].fill(if is_inside { b'x' } else { *instead });
    }
    // Only whole characters were replaced, and by ASCII, so this is valid text again.
    String::from_utf8(bytes).map_or(Text::Unreadable, Text::Replaced)
}

/// Returns characters that no editor shows, or that make text look different from what it is; adjacent ones of one kind
/// are grouped.
fn unseen(text: &str) -> Vec<(Range<usize>, char)> {
    let mut found: Vec<(Range<usize>, char)> = Vec::new();
    for (at, character) in text.char_indices() {
        let is_unseen = match character {
            '\t' | '\n' => false,
            '\r' => !text[at + 1..].starts_with('\n'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
            _ => character.is_control(),
        };
        let end = at + character.len_utf8();
        match found.last_mut() {
            _ if !is_unseen => {}
            Some((place, last)) if place.end == at && *last == character => place.end = end,
            _ => found.push((at..end, character)),
        }
    }
    found
}

fn span(file: FileId, place: &Range<usize>) -> Span {
    Span { file, start: offset(place.start), end: offset(place.end) }
}

fn too_large(file: FileId) -> Diagnostic {
    let limit = MAX_FILE_BYTES / 1024 / 1024;
    Diagnostic::new(diagnostic::FILE_TOO_LARGE, format!("this file has more than {limit} MiB"))
        .at(span(file, &(0..0)), "")
        .help("split it into several files that import each other's types")
}

fn not_utf8(file: FileId, encoding: &str) -> Diagnostic {
    Diagnostic::new(diagnostic::NO_UTF8, format!("this file is {encoding}, and must be UTF-8"))
        .at(span(file, &(0..0)), "")
        .help("save it as UTF-8; an editor names the encoding when it saves a file")
}

fn no_utf8(file: FileId, problem: &InvalidBytes) -> Diagnostic {
    let message = format!("this file is not UTF-8: byte {} is 0x{:02x}", problem.at, problem.byte);
    Diagnostic::new(diagnostic::NO_UTF8, message)
        .at(span(file, &problem.place), "not UTF-8")
        .help("save it as UTF-8")
}

fn control_character(file: FileId, place: &Range<usize>, character: char) -> Diagnostic {
    let name = match character {
        '\0' => "a NUL".to_owned(),
        '\r' => "a carriage return without a line feed".to_owned(),
        _ => match characters::described(character) {
            Some(described) => format!("the character {described}"),
            None => format!("the invisible character U+{:04X}", u32::from(character)),
        },
    };
    let help = match character {
        '\r' => "end lines with a line feed, with or without a carriage return before it",
        _ => "remove it; in a string write it as `\\0` or `\\u{…}`",
    };
    Diagnostic::new(diagnostic::CONTROL_CHARACTER, format!("this file holds {name}"))
        .at(span(file, place), "")
        .help(help)
}
