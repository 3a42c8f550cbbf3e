//! Cuts texts that are shown or sent to a number of bytes.

/// Returns the longest prefix of `text` that has at most `max_bytes` bytes and ends between two characters.
///
/// [`str::floor_char_boundary`] would do, but needs Rust 1.91.
#[must_use]
pub fn cut(text: &str, max_bytes: usize) -> &str {
    let end = (0..=max_bytes.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_text_is_cut_between_two_characters() {
        assert_eq!(cut("aä€", 10), "aä€");
        assert_eq!([6, 5, 3, 2, 1, 0].map(|max| cut("aä€", max)), ["aä€", "aä", "aä", "a", "a", ""]);
    }
}
