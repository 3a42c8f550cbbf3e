//! Durations as text: seconds, `1.5s`. Also read as the language writes them: `500ms`, `2h`.

const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// The units of the language, in nanoseconds.
const UNITS: [(&str, u64); 6] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", NANOSECONDS_PER_SECOND),
    ("m", 60 * NANOSECONDS_PER_SECOND),
    ("h", 3600 * NANOSECONDS_PER_SECOND),
];

/// Returns the text of a number of nanoseconds.
pub(super) fn encode(nanoseconds: u64) -> String {
    let (seconds, rest) = (nanoseconds / NANOSECONDS_PER_SECOND, nanoseconds % NANOSECONDS_PER_SECOND);
    if rest == 0 {
        return format!("{seconds}s");
    }
    let fraction = format!("{rest:09}");
    format!("{seconds}.{}s", fraction.trim_end_matches('0'))
}

/// Returns the nanoseconds of a text, or `None` if it is no duration, is of more than 64 bits, or is no whole number of nanoseconds.
pub(super) fn decode(text: &str) -> Option<u64> {
    let number = text.trim_end_matches(|char: char| char.is_ascii_lowercase());
    let unit = &text[number.len()..];
    let (_, nanoseconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(*nanoseconds)?;
    let fraction = fraction.trim_end_matches('0');
    let parts = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let numerator = if fraction.is_empty() { 0 } else { fraction.parse::<u128>().ok()? };
    let scaled = numerator.checked_mul(u128::from(*nanoseconds))?;
    if scaled % parts != 0 {
        return None;
    }
    whole.checked_add(u64::try_from(scaled / parts).ok()?)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn durations_return() {
        let texts = [
            (0, "0s"),
            (1, "0.000000001s"),
            (1_500_000_000, "1.5s"),
            (60_000_000_000, "60s"),
            (u64::MAX, "18446744073.709551615s"),
        ];
        for (nanoseconds, text) in texts {
            assert_eq!(encode(nanoseconds), text);
            assert_eq!(decode(text), Some(nanoseconds), "{text}");
        }
    }

    #[test]
    fn units_of_the_language_are_read() {
        let texts = [
            ("500ms", 500_000_000),
            ("2h", 7_200_000_000_000),
            ("1.5m", 90_000_000_000),
            ("7us", 7_000),
            ("3ns", 3),
        ];
        for (text, nanoseconds) in texts {
            assert_eq!(decode(text), Some(nanoseconds), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let texts = [
            "",
            "s",
            "1",
            "-1s",
            "+1s",
            "1.s",
            ".5s",
            "1 s",
            "1S",
            "1d",
            "1e3s",
            "1.5ns",
            "1.5.5s",
            "0.0000000001s",
            "18446744073.709551616s",
            "99999999999999999999s",
            "1.99999999999999999999999999999999999999999999s",
        ];
        for text in texts {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}
