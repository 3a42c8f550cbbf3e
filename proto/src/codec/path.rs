//! Paths such as `orders[2].limit.scale`: where in a value an error is.
//!
//! One format for values that can't be read and for those that break a bound. A path is made from the inside out once something
//! has failed. An error of serde is opaque text, so the path is put in front of that text and found again by its shape.
//! All of this is on the cold path.

use crate::text::cut;

/// Bytes of a path that are shown, not counting its outermost step.
const MAX_PATH_BYTES: usize = 160;

/// Bytes of a map's key that are shown: it is the peer's, and may be as long as the message.
const MAX_KEY_BYTES: usize = 40;

/// Adds one step to the front of the path in a text of [`DecodeError`](super::DecodeError).
pub(super) fn prefix(step: &str, text: &str) -> String {
    match split(text) {
        (Some(path), text) => format!("{}: {text}", join(step, path)),
        (None, text) => format!("{step}: {text}"),
    }
}

/// Returns the step to the element `index` of a list.
pub(super) fn index_step(index: usize) -> String {
    format!("[{index}]")
}

/// Returns the step to the value of `key` in a map.
pub(super) fn key_step(key: &str) -> String {
    let shown = cut(key, MAX_KEY_BYTES);
    if shown.len() < key.len() { format!("[{:?}]", format!("{shown}…")) } else { format!("[{key:?}]") }
}

/// Adds one step to the front of a path, which is cut if it is long, as in a linked list.
pub(super) fn join(step: &str, path: &str) -> String {
    let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
    let shown = cut(path, MAX_PATH_BYTES);
    let more = if shown.len() < path.len() { "…" } else { "" };
    format!("{step}{dot}{shown}{more}")
}

/// Splits a text that [`prefix`] has made into its path and the rest.
///
/// A path ends at the first `: ` and has no space outside a quoted key. The texts of serde, `rmp-serde` and this crate all have a
/// space before their first colon.
pub(super) fn split(text: &str) -> (Option<&str>, &str) {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b':' if at > 0 && text[at + 1..].starts_with(' ') => return (Some(&text[..at]), &text[at + 2..]),
            b' ' | b'`' => return (None, text),
            _ => {}
        }
    }
    (None, text)
}

#[cfg(test)]
mod tests {
    use super::{join, key_step, split};

    #[test]
    fn steps_join_with_dots_and_brackets() {
        assert_eq!(join("orders", "[2].limit"), "orders[2].limit");
        assert_eq!(join("limit", "scale"), "limit.scale");
        assert_eq!(join("[2]", "limit"), "[2].limit");
        assert_eq!(join("size", ""), "size");
        let long = (0..1000).fold(String::new(), |path, _| join("next", &path));
        assert!(long.len() < 200 && long.starts_with("next.next.next.") && long.ends_with('…'));
    }

    #[test]
    fn long_keys_are_cut() {
        assert_eq!(key_step("a"), "[\"a\"]");
        assert_eq!(key_step(&"ä".repeat(100)), format!("[\"{}…\"]", "ä".repeat(20)));
    }

    #[test]
    fn a_path_is_told_from_a_text() {
        assert_eq!(split("a.b[2]: too long"), (Some("a.b[2]"), "too long"));
        assert_eq!(split("m[\"x: \\\" y\"].z: bad"), (Some("m[\"x: \\\" y\"].z"), "bad"));
        assert_eq!(split("invalid type: string"), (None, "invalid type: string"));
        assert_eq!(split("field `a: b` is missing"), (None, "field `a: b` is missing"));
        assert_eq!(split("`a`: no"), (None, "`a`: no"));
        assert_eq!(split("unfinished:"), (None, "unfinished:"));
        assert_eq!(split("\"open: "), (None, "\"open: "));
    }
}
