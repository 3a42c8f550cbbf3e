//! Bounds: `@len` and `@range` of a field, as generated code checks them.

use std::fmt::Display;

use zsvc_idl::schema::{Field, Literal, Range};
use zsvc_proto::codec::DecodeError;

/// What of a value a bound may be about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    /// Nothing: no bound is of such a value.
    Other,
    /// The number of characters, bytes, elements or entries.
    Length(usize),
    /// An integer.
    Integer(i128),
    /// A float of 32 bits.
    Short(f32),
    /// A float of 64 bits.
    Long(f64),
}

/// Checks the bounds of a field.
pub(crate) fn check(field: &Field, measure: Measure) -> Result<(), DecodeError> {
    let inside = |error: DecodeError| error.in_field(&field.name);
    if let (Some(range), Measure::Length(length)) = (&field.len, measure) {
        within("length ", i128::try_from(length).unwrap_or(i128::MAX), range, integer).map_err(inside)?;
    }
    let Some(range) = &field.range else { return Ok(()) };
    match measure {
        Measure::Integer(number) => within("", number, range, integer),
        Measure::Short(number) => within("", number, range, short),
        Measure::Long(number) => within("", number, range, long),
        Measure::Other | Measure::Length(_) => Ok(()),
    }
    .map_err(inside)
}

fn integer(literal: &Literal) -> Option<i128> {
    match literal {
        Literal::Integer(number) => Some(*number),
        _ => None,
    }
}

fn long(literal: &Literal) -> Option<f64> {
    match literal {
        Literal::Float(number) => Some(*number),
        #[allow(clippy::cast_precision_loss, reason = "rounded as a literal of a float in Rust is")]
        Literal::Integer(number) => Some(*number as f64),
        _ => None,
    }
}

#[allow(clippy::cast_possible_truncation, reason = "rounded as a literal of a float in Rust is")]
fn short(literal: &Literal) -> Option<f32> {
    long(literal).map(|number| number as f32)
}

/// Checks that a number is in a range. A NaN is in none.
fn within<T: PartialOrd + Display + Copy>(
    what: &str,
    number: T,
    range: &Range,
    read: fn(&Literal) -> Option<T>,
) -> Result<(), DecodeError> {
    let (min, max) = (range.min.as_ref().and_then(read), range.max.as_ref().and_then(read));
    let is_number = number.partial_cmp(&number).is_some();
    let is_enough = min.as_ref().is_none_or(|min| number >= *min);
    let is_most =
        max.as_ref().is_none_or(|max| if range.max_exclusive { number < *max } else { number <= *max });
    if is_number && is_enough && is_most {
        return Ok(());
    }
    let start = min.map(|min| min.to_string()).unwrap_or_default();
    let sign = if range.max_exclusive { "" } else { "=" };
    let end = max.map(|max| format!("{sign}{max}")).unwrap_or_default();
    Err(DecodeError::told(format_args!("{what}{number} is not in {start}..{end}")))
}
