//! Single texts and numbers: what is no list, object or named type.

use rmpv::Value;
use uuid::Uuid;

use super::description::{Integer, Type};
use super::found::{quoted, unexpected};
use super::{base64, duration, options};
use crate::codec::decode::{Decode as _, Reader};
use crate::codec::encode::{Encode as _, Writer};
use crate::codec::error::DecodeError;
use crate::codec::timestamp::Timestamp;

/// Greatest integer that a reader with floats alone still tells from its neighbours: 2^53 - 1.
const MAX_SAFE: u64 = (1 << 53) - 1;

const TIMESTAMP: &str = "a point in time such as `2026-03-01T12:00:00Z`";
const DURATION: &str = "a duration such as `1.5s` or `500ms`";
const UUID: &str = "a uuid such as `67e55044-10b1-426f-9247-bb680e5fe0c8`";
const BYTES: &str = "bytes in base64";

/// Writes a scalar from its form on the wire.
pub(super) fn write(ty: &Type, value: Value) -> Result<Value, DecodeError> {
    let written = match (ty, &value) {
        (Type::Integer(integer), Value::Integer(_)) => Some(write_integer(*integer, &value)),
        // A user's type may write fewer bits than the schema declares; their shortest digits would be read as another number.
        (Type::F64, Value::F32(short)) => Some(write_float(f64::from(*short).into())),
        (Type::F32 | Type::F64, Value::F32(_) | Value::F64(_)) => Some(write_float(value.clone())),
        (Type::Bytes, Value::Binary(bytes)) => Some(text(base64::encode(bytes))),
        (Type::Timestamp, Value::Ext(..)) => timestamp_of(&value).map(|time| text(time.to_string())),
        (Type::Duration, _) => value.as_u64().map(|nanoseconds| text(duration::encode(nanoseconds))),
        (Type::Uuid, Value::Binary(bytes)) => Uuid::from_slice(bytes).ok().map(|id| text(id.to_string())),
        // What has one form everywhere, and what the type of a user writes in the place of another.
        _ => return Ok(value),
    };
    written.ok_or_else(|| unexpected(&value, "a value as the schema declares it"))
}

fn write_integer(integer: Integer, value: &Value) -> Value {
    let has_64_bits = integer.max >= i64::MAX.unsigned_abs();
    if has_64_bits && is_unsafe(value) { text(value.to_string()) } else { value.clone() }
}

/// Reports whether an integer is to be a string.
pub(super) fn is_unsafe(value: &Value) -> bool {
    let size = value.as_u64().or_else(|| value.as_i64().map(i64::unsigned_abs));
    options::has_safe_integers() && size.is_some_and(|size| size > MAX_SAFE)
}

/// Returns a float: a number, or one of three texts.
pub(super) fn write_float(value: Value) -> Value {
    match value.as_f64() {
        Some(float) if float.is_nan() => text("NaN".to_owned()),
        Some(f64::INFINITY) => text("Infinity".to_owned()),
        Some(f64::NEG_INFINITY) => text("-Infinity".to_owned()),
        _ => value,
    }
}

/// Reads a scalar into its form on the wire. A format that has bytes, or MessagePack's extensions, may hand them in as they are.
pub(super) fn read(ty: &Type, value: Value) -> Result<Value, DecodeError> {
    match ty {
        Type::Bytes | Type::Uuid if matches!(value, Value::Binary(_)) => Ok(value),
        Type::Timestamp if value.is_ext() => Ok(value),
        Type::Bool if value.is_bool() => Ok(value),
        Type::Bool => Err(unexpected(&value, "`true` or `false`")),
        Type::Integer(integer) => read_integer(*integer, &value),
        Type::F32 | Type::F64 => read_float(ty, &value),
        Type::String if value.is_str() => Ok(value),
        Type::String => Err(unexpected(&value, "a string")),
        Type::Bytes => read_text(&value, BYTES, |text| base64::decode(text).map(Value::Binary)),
        Type::Timestamp => {
            read_text(&value, TIMESTAMP, |text| text.parse().ok().and_then(|time| value_of(&time)))
        }
        Type::Duration => read_text(&value, DURATION, |text| duration::decode(text).map(Value::from)),
        Type::Uuid => read_text(&value, UUID, |text| {
            Uuid::parse_str(text).ok().map(|id| Value::from(&id.as_bytes()[..]))
        }),
        Type::Value | Type::List(_) | Type::Map(..) | Type::Optional(_) | Type::Named(_) => Ok(value),
    }
}

fn read_text(
    value: &Value,
    expected: &str,
    read: impl FnOnce(&str) -> Option<Value>,
) -> Result<Value, DecodeError> {
    value.as_str().and_then(read).ok_or_else(|| unexpected(value, expected))
}

fn read_integer(integer: Integer, value: &Value) -> Result<Value, DecodeError> {
    let expected = || format!("an integer of type `{}`", integer.name);
    let number = integer_of(value).ok_or_else(|| unexpected(value, &expected()))?;
    if number < i128::from(integer.min) || number > i128::from(integer.max) {
        let Integer { name, min, max } = integer;
        return Err(DecodeError::new(&format_args!("{number} is not in {min}..={max}, as `{name}` asks")));
    }
    // One of the two holds it, since the bounds do.
    let unsigned = u64::try_from(number).ok().map(Value::from);
    unsigned
        .or_else(|| i64::try_from(number).ok().map(Value::from))
        .ok_or_else(|| unexpected(value, &expected()))
}

/// Returns the integer that a number is, or that a string of digits is.
fn integer_of(value: &Value) -> Option<i128> {
    match value {
        Value::Integer(_) => value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from)),
        Value::F32(_) | Value::F64(_) => whole(value.as_f64()?),
        Value::String(text) => parse_integer(text.as_str()?),
        _ => None,
    }
}

/// Returns the integer that a float is, up to the size past which a float may stand for several.
fn whole(float: f64) -> Option<i128> {
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "below 2^53 both are exact"
    )]
    let (is_whole, integer) = (float.fract() == 0.0 && float.abs() <= MAX_SAFE as f64, float as i64);
    is_whole.then_some(integer.into())
}

/// Returns the integer of a text in decimal digits: `-12`, without leading zeros or `+`.
pub(super) fn parse_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|digit| digit.is_ascii_digit())
        && (digits.len() == 1 || !digits.starts_with('0'))
        && text != "-0"
        && digits.len() <= 20;
    if is_plain { text.parse().ok() } else { None }
}

fn read_float(ty: &Type, value: &Value) -> Result<Value, DecodeError> {
    const EXPECTED: &str = "a number, \"NaN\", \"Infinity\" or \"-Infinity\"";
    let float = match value.as_str() {
        Some("NaN") => Some(f64::NAN),
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some(_) => None,
        None => value.as_f64(),
    };
    let float = float.ok_or_else(|| unexpected(value, EXPECTED))?;
    if *ty == Type::F64 {
        return Ok(Value::F64(float));
    }
    #[allow(
        clippy::cast_possible_truncation,
        reason = "a float in a text is rounded to the nearest of its type"
    )]
    let short = float as f32;
    if short.is_infinite() && float.is_finite() {
        return Err(DecodeError::new(&format_args!("{float:?} is too large for `f32`")));
    }
    Ok(Value::F32(short))
}

/// Writes the key of a map as the text that it is in an object.
pub(super) fn write_key(value: Value) -> Result<Value, DecodeError> {
    match value {
        Value::String(_) => Ok(value),
        Value::Integer(_) | Value::Boolean(_) => Ok(text(value.to_string())),
        value => Err(unexpected(&value, "the key of a map")),
    }
}

/// Reads the key of a map from its text.
pub(super) fn read_key(ty: &Type, key: Value) -> Result<Value, DecodeError> {
    match (ty, key.as_str()) {
        (Type::Bool, Some("true")) => Ok(Value::from(true)),
        (Type::Bool, Some("false")) => Ok(Value::from(false)),
        // A string of digits is an integer, with or without a map around it.
        _ => read(ty, key),
    }
}

/// Returns the timestamp that a value is.
pub(super) fn timestamp_of(value: &Value) -> Option<Timestamp> {
    let mut out = Writer::new(Vec::new());
    value.encode(&mut out);
    Timestamp::decode(&mut Reader::over(&out.finish().0)).ok()
}

/// Returns the value that a timestamp is.
pub(super) fn value_of(time: &Timestamp) -> Option<Value> {
    let mut out = Writer::new(Vec::new());
    time.encode(&mut out);
    rmpv::decode::read_value(&mut &*out.finish().0).ok()
}

pub(super) fn text(text: String) -> Value {
    Value::String(text.into())
}

/// Returns the error of a key that an object has twice.
#[cold]
pub(super) fn twice(kind: &str, name: &str) -> DecodeError {
    DecodeError::new(&format_args!("{kind} {} is given twice", quoted(name)))
}
