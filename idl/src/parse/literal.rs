//! Parses the numbers, durations and strings that the grammar accepts as single tokens.
//!
//! The grammar takes them greedily, so that a slip inside one is reported as what it is. The functions are pure: a flaw
//! comes back as words, and [`super::build`] knows its position.

use std::time::Duration;

use crate::ast::ValueKind;

/// Why a token is not a valid value: what is wrong and what to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) message: String,
    pub(super) help: String,
}

const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// Parses `12`, `-1`, `0xff`, `1_000`, `1.5`, `2e-3` or `500ms`.
pub(super) fn number(text: &str) -> Result<ValueKind, Flaw> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    if let Some((radix, digits)) = radix(digits) {
        return integer(text, digits, radix, negative);
    }
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    if plain {
        return integer(text, digits, 10, negative);
    }
    match split_unit(digits) {
        Some((value, nanoseconds)) => duration(text, value, nanoseconds, negative),
        None => float(text),
    }
}

fn radix(digits: &str) -> Option<(u32, &str)> {
    let radix = match digits.get(..2)? {
        "0x" => 16,
        "0o" => 8,
        "0b" => 2,
        _ => return None,
    };
    Some((radix, &digits[2..]))
}

fn integer(text: &str, digits: &str, radix: u32, negative: bool) -> Result<ValueKind, Flaw> {
    let plain = digits.replace('_', "");
    if plain.is_empty() || !plain.chars().all(|digit| digit.is_digit(radix)) {
        return Err(no_number(text));
    }
    // A number that does not even fit here gets another message than what is not a number at all.
    match i128::from_str_radix(&plain, radix) {
        Ok(value) => Ok(ValueKind::Integer(if negative { -value } else { value })),
        Err(_) => Err(Flaw {
            message: format!("`{}` is too large for any type", shortened(text)),
            help: "the largest integer is 18446744073709551615, of a `u64`".to_owned(),
        }),
    }
}

/// Splits the digits from a unit of time, and returns the unit in nanoseconds.
fn split_unit(digits: &str) -> Option<(&str, u64)> {
    let start = digits.find(|character: char| character.is_ascii_alphabetic())?;
    let (value, unit) = digits.split_at(start);
    let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    Some((value, *nanoseconds))
}

fn duration(text: &str, value: &str, unit: u64, negative: bool) -> Result<ValueKind, Flaw> {
    if negative {
        return Err(Flaw {
            message: format!("`{}` is negative", shortened(text)),
            help: "a duration is zero or more".to_owned(),
        });
    }
    let value = value.replace('_', "");
    let (whole, fraction) = value.split_once('.').unwrap_or((&value, ""));
    let nanoseconds =
        whole.parse::<u64>().ok().and_then(|whole| whole.checked_mul(unit)).and_then(|nanoseconds| {
            let fraction = fraction_of(fraction, unit)?;
            nanoseconds.checked_add(fraction)
        });
    match nanoseconds {
        Some(nanoseconds) => Ok(ValueKind::Duration(Duration::from_nanos(nanoseconds))),
        None => Err(Flaw {
            message: format!("`{}` is no whole number of nanoseconds that fits in 64 bits", shortened(text)),
            help: "the longest duration is about 584 years, the shortest `1ns`".to_owned(),
        }),
    }
}

/// Returns `.digits` of a unit in nanoseconds, if that is a whole number.
fn fraction_of(digits: &str, unit: u64) -> Option<u64> {
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() {
        return Some(0);
    }
    let scale = 10_u128.checked_pow(u32::try_from(digits.len()).ok()?)?;
    let scaled = digits.parse::<u128>().ok()?.checked_mul(u128::from(unit))?;
    (scaled % scale == 0).then(|| u64::try_from(scaled / scale).ok())?
}

fn float(text: &str) -> Result<ValueKind, Flaw> {
    let plain = text.replace('_', "");
    let looks_right = plain.bytes().all(|byte| byte.is_ascii_digit() || b".eE+-".contains(&byte));
    match plain.parse::<f64>() {
        Ok(value) if looks_right && value.is_finite() => Ok(ValueKind::Float(value)),
        Ok(_) if looks_right => Err(Flaw {
            message: format!("`{}` is too large for any type", shortened(text)),
            help: "the largest float is about 1.8e308".to_owned(),
        }),
        _ => Err(no_number(text)),
    }
}

fn no_number(text: &str) -> Flaw {
    Flaw {
        message: format!("`{}` is no number", shortened(text)),
        help: "numbers look like `12`, `1_000`, `0xff`, `1.5` or `2e-3`, durations like `500ms`, with one of the units \
               `ns`, `us`, `ms`, `s`, `m`, `h`"
            .to_owned(),
    }
}

/// Returns `text`, truncated if it is too long for a message.
pub(crate) fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Returns a string without its quotes and with its escapes resolved, or the range of the first wrong escape in `text`
/// and its flaw.
pub(super) fn string(text: &str) -> Result<String, (usize, usize, Flaw)> {
    let inner = text.get(1..text.len().saturating_sub(1)).unwrap_or_default();
    let mut resolved = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        resolved.push_str(&rest[..at]);
        let start = 1 + inner.len() - rest.len() + at;
        let (character, length) =
            escape(&rest[at..]).map_err(|(length, flaw)| (start, start + length, flaw))?;
        resolved.push(character);
        rest = &rest[at + length..];
    }
    resolved.push_str(rest);
    Ok(resolved)
}

/// Returns bytes without `b` and quotes and with their escapes resolved, or as [`string`] what is wrong.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, (usize, usize, Flaw)> {
    let inner = text.get(2..text.len().saturating_sub(1)).unwrap_or_default();
    let mut resolved = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(first) = rest.chars().next() {
        let (byte, length) = byte(rest, first).map_err(|(length, flaw)| {
            let start = 2 + inner.len() - rest.len();
            (start, start + length, flaw)
        })?;
        resolved.push(byte);
        rest = &rest[length..];
    }
    Ok(resolved)
}

/// Returns the first byte that a text means, and the length of what means it; or the length of what is wrong.
fn byte(text: &str, first: char) -> Result<(u8, usize), (usize, Flaw)> {
    let no_byte = |wrong: &str| {
        Flaw {
        message: format!("`{}` is no byte", shortened(wrong)),
        help: "write ASCII, `\\n`, `\\r`, `\\t`, `\\0`, `\\\"`, `\\\\`, or any byte in two hexadecimal digits: `\\xff`".to_owned(),
    }
    };
    match (first, u8::try_from(first)) {
        ('\\', _) if text[1..].starts_with('x') => {
            let digits = text.get(2..4).filter(|it| it.bytes().all(|digit| digit.is_ascii_hexdigit()));
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            byte.map(|byte| (byte, 4)).ok_or_else(|| (2, no_byte(&text[..2])))
        }
        ('\\', _) => {
            let (character, length) = escape(text)?;
            let byte = u8::try_from(character).ok().filter(u8::is_ascii);
            byte.map(|byte| (byte, length)).ok_or_else(|| (length, no_byte(&text[..length])))
        }
        (_, Ok(byte)) if byte.is_ascii() => Ok((byte, 1)),
        _ => Err((first.len_utf8(), no_byte(&text[..first.len_utf8()]))),
    }
}

/// Returns the character that an escape means, and the length of the escape; or the length of what is wrong.
fn escape(text: &str) -> Result<(char, usize), (usize, Flaw)> {
    let Some(letter) = text[1..].chars().next() else { return Err((1, no_escape(text))) };
    let character = match letter {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        '"' | '\\' => letter,
        'u' => return unicode_escape(text),
        _ => {
            let length = 1 + letter.len_utf8();
            return Err((length, no_escape(&text[..length])));
        }
    };
    Ok((character, 2))
}

/// Parses `\u{1f600}`.
fn unicode_escape(text: &str) -> Result<(char, usize), (usize, Flaw)> {
    let end = text.find('}').map_or(2, |end| end + 1);
    let digits = text.strip_prefix("\\u{").and_then(|_| text.get(3..end.saturating_sub(1)));
    let is_hex = |digits: &&str| {
        (1..=6).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    let character = digits
        .filter(is_hex)
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .and_then(char::from_u32);
    character.map(|character| (character, end)).ok_or_else(|| (end, no_escape(&text[..end])))
}

fn no_escape(text: &str) -> Flaw {
    Flaw {
        message: format!("`{}` is no escape", shortened(text)),
        help: "the escapes are `\\n`, `\\r`, `\\t`, `\\0`, `\\\"`, `\\\\` and `\\u{1f600}`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_ascii_and_escapes() {
        assert_eq!(bytes("b\"a\\x00\\xfF\\n\\\"\"").ok(), Some(b"a\x00\xff\n\"".to_vec()));
        assert_eq!(bytes("b\"\"").ok(), Some(Vec::new()));
        for (text, start, end) in
            [("b\"a\\x0\"", 3, 5), ("b\"\u{e9}\"", 2, 4), ("b\"\\u{e9}\"", 2, 8), ("b\"\\q\"", 2, 4)]
        {
            let (from, to, _) = bytes(text).expect_err(text);
            assert_eq!((from, to), (start, end), "{text}");
        }
    }

    fn read(text: &str) -> String {
        match number(text) {
            Ok(kind) => format!("{kind:?}"),
            Err(flaw) => flaw.message,
        }
    }

    #[test]
    fn numbers() {
        for (text, expected) in [
            ("12", "Integer(12)"),
            ("-1", "Integer(-1)"),
            ("0xFF", "Integer(255)"),
            ("0b1_0", "Integer(2)"),
            ("1_000", "Integer(1000)"),
            ("1.5", "Float(1.5)"),
            ("2e-3", "Float(0.002)"),
            ("-1e3", "Float(-1000.0)"),
            ("500ms", "Duration(500ms)"),
            ("1.5s", "Duration(1.5s)"),
            ("1.5ns", "`1.5ns` is no whole number of nanoseconds that fits in 64 bits"),
            ("99999999999h", "`99999999999h` is no whole number of nanoseconds that fits in 64 bits"),
            ("-1s", "`-1s` is negative"),
            ("12moons", "`12moons` is no number"),
            ("0x", "`0x` is no number"),
            ("0b2", "`0b2` is no number"),
            ("1e999", "`1e999` is too large for any type"),
            ("1.5.5", "`1.5.5` is no number"),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
        assert_eq!(read(&"9".repeat(1000)), format!("`{}…` is too large for any type", "9".repeat(40)));
    }

    #[test]
    fn escapes() {
        assert_eq!(string(r#""a\n\t\"\\\u{4f60}""#), Ok("a\n\t\"\\\u{4f60}".to_owned()));
        for (text, wrong) in [
            (r#""ab\q""#, r"\q"),
            (r#""\u{}""#, r"\u{}"),
            (r#""\u{d800}""#, r"\u{d800}"),
            (r#""\u1""#, r"\u"),
            ("\"\\\u{4f60}\"", "\\\u{4f60}"),
        ] {
            let (start, end, _) = string(text).unwrap_err();
            assert_eq!(&text[start..end], wrong);
        }
    }
}
