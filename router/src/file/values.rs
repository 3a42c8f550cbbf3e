//! The values of a configuration file: texts, numbers, times, sizes, and lists of them. Each is told what is wrong with it at its place.

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::mistake::Mistakes;

pub(super) type Key<'t, 'i> = &'t Spanned<DeString<'i>>;
pub(super) type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

/// Units of time, and how many milliseconds each has.
const TIMES: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];
/// Units of size, and how many bytes each has.
const SIZES: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl Mistakes<'_> {
    /// Tells of a key that there is not.
    pub(super) fn unknown_key(&mut self, key: Key, known: &[&str]) {
        let name = key.get_ref().as_ref();
        let nearest = known.iter().map(|known| (distance(name, known), known)).min();
        let help = match nearest {
            Some((edits, known)) if edits <= 2 => format!("did you mean `{known}`?"),
            _ => format!("the keys here are {}", quoted(known)),
        };
        self.add(&key.span(), format!("there is no key `{name}`"), help);
    }

    fn wrong_type(&mut self, value: Value, wanted: &str, example: &str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "`true` or `false`",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.add(
            &value.span(),
            format!("{wanted} is needed here, and this is {found}"),
            format!("write {example}"),
        );
    }

    pub(super) fn text(&mut self, value: Value, example: &str) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if text.is_empty() => {
                self.add(&value.span(), "this text is empty", format!("write {example}"));
                None
            }
            DeValue::String(text) => Some(text.to_string()),
            _ => {
                self.wrong_type(value, "a text", example);
                None
            }
        }
    }

    pub(super) fn boolean(&mut self, value: Value) -> Option<bool> {
        let found = value.get_ref().as_bool();
        if found.is_none() {
            self.wrong_type(value, "`true` or `false`", "`true`");
        }
        found
    }

    /// Reads a number within bounds.
    pub(super) fn number(&mut self, value: Value, bounds: RangeInclusive<u64>) -> Option<u64> {
        let DeValue::Integer(written) = value.get_ref() else {
            self.wrong_type(value, "a number", "`100`");
            return None;
        };
        let number = u64::from_str_radix(written.as_str(), written.radix()).ok();
        let number = number.filter(|number| bounds.contains(number));
        if number.is_none() {
            let (least, most) = bounds.into_inner();
            self.add(
                &value.span(),
                format!("`{}` is out of bounds", written.as_str()),
                format!("write a number from {least} to {most}"),
            );
        }
        number
    }

    /// Reads a time: `"500ms"`, `"10s"`, `"5min"`, `"1h"`.
    pub(super) fn time(&mut self, value: Value, bounds: RangeInclusive<Duration>) -> Option<Duration> {
        let millis =
            self.with_unit(value, &TIMES, "a time", "`\"10s\"`, `\"500ms\"`, `\"5min\"` or `\"1h\"`")?;
        let time = Duration::from_millis(millis);
        if bounds.contains(&time) {
            return Some(time);
        }
        let (least, most) = bounds.into_inner();
        self.add(
            &value.span(),
            "this time is out of bounds",
            format!("write a time from {least:?} to {most:?}"),
        );
        None
    }

    /// Reads a size: `"64KiB"`, `"16MiB"`, `"1GiB"`, or a number of bytes.
    pub(super) fn size(&mut self, value: Value, bounds: RangeInclusive<u64>) -> Option<usize> {
        let bytes = if matches!(value.get_ref(), DeValue::Integer(_)) {
            return self.number(value, bounds).and_then(|bytes| usize::try_from(bytes).ok());
        } else {
            self.with_unit(
                value,
                &SIZES,
                "a size",
                "`\"64KiB\"`, `\"16MiB\"`, `\"1GiB\"` or a number of bytes",
            )?
        };
        if bounds.contains(&bytes) {
            return usize::try_from(bytes).ok();
        }
        let (least, most) = bounds.into_inner();
        self.add(
            &value.span(),
            "this size is out of bounds",
            format!("write a size from {least} to {most} bytes"),
        );
        None
    }

    fn with_unit(&mut self, value: Value, units: &[(&str, u64)], wanted: &str, example: &str) -> Option<u64> {
        let DeValue::String(text) = value.get_ref() else {
            self.wrong_type(value, wanted, example);
            return None;
        };
        let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let factor = units.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, factor)| *factor);
        let read = factor.and_then(|factor| number.parse::<u64>().ok()?.checked_mul(factor));
        if read.is_none() {
            self.add(&value.span(), format!("`{text}` is not {wanted}"), format!("write {example}"));
        }
        read
    }

    /// Reads a list of texts, with their places.
    pub(super) fn texts(&mut self, value: Value, example: &str) -> Vec<(String, Range<usize>)> {
        let Some(array) = value.get_ref().as_array() else {
            self.wrong_type(value, "a list of texts", example);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in array {
            texts.extend(self.text(item, example).map(|text| (text, item.span())));
        }
        texts
    }

    pub(super) fn table<'t, 'i>(&mut self, value: Value<'t, 'i>, example: &str) -> Option<&'t DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, "a table", example);
        }
        table
    }
}

/// Puts a number into its place, if it was read and fits.
pub(super) fn set<T: TryFrom<u64>>(place: &mut T, number: Option<u64>) {
    replace(place, number.and_then(|number| T::try_from(number).ok()));
}

/// Puts a value into its place, if it was read.
pub(super) fn replace<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

/// Returns names in backticks with commas.
pub(super) fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Returns how many characters have to be changed, added or removed to make one word of another (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    // A longer name is like none of the keys.
    for (index, character) in one.chars().take(64).enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], index + 1);
        for (at, known) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(*known != character);
            diagonal = row[at + 1];
            row[at + 1] = replaced.min(diagonal + 1).min(row[at] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn words_that_are_near_have_few_edits() {
        for (one, other, edits) in
            [("listen", "listen", 0), ("lisen", "listen", 1), ("limit", "limits", 1), ("", "abc", 3)]
        {
            assert_eq!(distance(one, other), edits, "{one} {other}");
        }
    }
}
