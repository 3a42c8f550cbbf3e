//! Values as the language writes them.

/// Returns a float, with a point or an exponent; `None` for those that are no numbers.
pub(crate) fn float(text: &str) -> Option<String> {
    let value: f64 = text.parse().ok()?;
    value.is_finite().then(|| format!("{value:?}"))
}

/// Returns a string in quotes.
pub(crate) fn string(text: &str) -> String {
    let mut quoted = String::from("\"");
    for char in text.chars() {
        match char {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            char if is_forbidden(char) => quoted.push_str(&char.escape_unicode().to_string()),
            char => quoted.push(char),
        }
    }
    quoted.push('"');
    quoted
}

/// Reports whether no file of the language may hold a character (`E0008`): it controls something other than a tab and a line's end do,
/// or changes the direction of text.
pub(crate) fn is_forbidden(char: char) -> bool {
    let changes_direction = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    changes_direction || (char.is_control() && !matches!(char, '\t' | '\n'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_as_the_language_writes_them() {
        assert_eq!(float("1").as_deref(), Some("1.0"));
        assert_eq!(float("1e300").as_deref(), Some("1e300"));
        assert_eq!(float("-0.5").as_deref(), Some("-0.5"));
        assert_eq!(float("inf"), None);
        assert_eq!(float("nan"), None);
        assert_eq!(string("a\"\\\n\u{1}é\u{202e}"), "\"a\\\"\\\\\\n\\u{1}é\\u{202e}\"");
    }
}
