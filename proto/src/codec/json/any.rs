//! A `value` of the language: anything that MessagePack can say, most of which JSON can.
//!
//! What it can't is an object with one name that starts with `$`. So is an object that would be taken for one of them.

use rmpv::Value;

use super::base64;
use super::found::Levels;
use super::scalars::{self, text};
use crate::codec::error::DecodeError;
use crate::codec::path::{index_step, key_step};

const BYTES: &str = "$bytes";
const EXTENSION: &str = "$ext";
const FLOAT: &str = "$float";
const INTEGER: &str = "$int";
const MAP: &str = "$map";
const TIMESTAMP: &str = "$timestamp";

const ESCAPES: [&str; 6] = [BYTES, EXTENSION, FLOAT, INTEGER, MAP, TIMESTAMP];

/// Writes a value of any kind.
pub(super) fn write(value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let written = match value {
        Value::Integer(_) if scalars::is_unsafe(&value) => escape_text(INTEGER, value.to_string(), levels)?,
        Value::Nil | Value::Boolean(_) | Value::Integer(_) => value,
        Value::F32(short) => write_float(f64::from(short), levels)?,
        Value::F64(float) => write_float(float, levels)?,
        Value::String(ref inner) if inner.is_str() => value,
        // Text that is not UTF-8 is no text to a reader.
        Value::String(inner) => escape_text(BYTES, base64::encode(inner.as_bytes()), levels)?,
        Value::Binary(bytes) => escape_text(BYTES, base64::encode(&bytes), levels)?,
        Value::Array(elements) => write_list(elements, levels.enter()?)?,
        Value::Map(entries) => write_map(entries, levels)?,
        Value::Ext(kind, ref data) => match scalars::timestamp_of(&value) {
            Some(time) => escape_text(TIMESTAMP, time.to_string(), levels)?,
            None => write_extension(kind, data, levels)?,
        },
    };
    Ok(written)
}

fn write_extension(kind: i8, data: &[u8], levels: Levels) -> Result<Value, DecodeError> {
    levels.enter()?.enter()?;
    Ok(escape(EXTENSION, Value::Array(vec![kind.into(), text(base64::encode(data))])))
}

/// Writes a float. One of 32 bits was widened before: its own shortest digits would be read as another number of 64 bits.
fn write_float(float: f64, levels: Levels) -> Result<Value, DecodeError> {
    match scalars::write_float(float.into()) {
        Value::String(name) => {
            levels.enter()?;
            Ok(escape(FLOAT, Value::String(name)))
        }
        float => Ok(float),
    }
}

fn write_list(elements: Vec<Value>, levels: Levels) -> Result<Value, DecodeError> {
    elements.into_iter().map(|element| write(element, levels)).collect::<Result<_, _>>().map(Value::Array)
}

fn write_map(entries: Vec<(Value, Value)>, levels: Levels) -> Result<Value, DecodeError> {
    let has_names = entries.iter().all(|(key, _)| key.as_str().is_some());
    if has_names && !has_repeats(&entries) && escaped(&entries).is_none() {
        let levels = levels.enter()?;
        let entries = entries.into_iter().map(|(key, value)| Ok((key, write(value, levels)?)));
        return entries.collect::<Result<_, _>>().map(Value::Map);
    }
    // The object, its list, and a pair.
    let levels = levels.enter()?.enter()?.enter()?;
    let pairs = entries.into_iter().map(|(key, value)| {
        let pair = vec![write(key, levels)?, write(value, levels)?];
        Ok(Value::Array(pair))
    });
    pairs.collect::<Result<_, _>>().map(|pairs| escape(MAP, Value::Array(pairs)))
}

/// Reports whether a key is there twice, which MessagePack allows and most readers of JSON do not.
fn has_repeats(entries: &[(Value, Value)]) -> bool {
    let mut keys: Vec<&str> = entries.iter().filter_map(|(key, _)| key.as_str()).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| pair[0] == pair[1])
}

/// Returns an object of one name, whose levels are counted by the caller.
fn escape(name: &str, value: Value) -> Value {
    Value::Map(vec![(name.into(), value)])
}

fn escape_text(name: &str, value: String, levels: Levels) -> Result<Value, DecodeError> {
    levels.enter()?;
    Ok(escape(name, text(value)))
}

/// Returns the name of the escape that an object is.
fn escaped(entries: &[(Value, Value)]) -> Option<&'static str> {
    let [(name, _)] = entries else { return None };
    ESCAPES.into_iter().find(|escape| name.as_str() == Some(escape))
}

/// Reads a value of any kind.
pub(super) fn read(value: Value, levels: Levels) -> Result<Value, DecodeError> {
    match value {
        Value::Array(elements) => read_list(elements, levels.enter()?),
        Value::Map(entries) => match escaped(&entries) {
            Some(name) => {
                let inner = entries.into_iter().next().map_or(Value::Nil, |(_, value)| value);
                read_escape(name, inner, levels.enter()?)
            }
            None => read_map(entries, levels.enter()?),
        },
        value => Ok(value),
    }
}

fn read_list(elements: Vec<Value>, levels: Levels) -> Result<Value, DecodeError> {
    let elements = elements
        .into_iter()
        .enumerate()
        .map(|(index, element)| read(element, levels).map_err(|error| error.inside(&index_step(index))));
    elements.collect::<Result<_, _>>().map(Value::Array)
}

fn read_map(entries: Vec<(Value, Value)>, levels: Levels) -> Result<Value, DecodeError> {
    let entries = entries.into_iter().map(|(key, value)| {
        let step = key.as_str().map(key_step).unwrap_or_default();
        Ok((key, read(value, levels).map_err(|error| error.inside(&step))?))
    });
    entries.collect::<Result<_, _>>().map(Value::Map)
}

/// Reads what stands for a value that JSON can't say.
fn read_escape(name: &str, value: Value, levels: Levels) -> Result<Value, DecodeError> {
    let broken =
        || DecodeError::new(&format_args!("the object has the name `{name}` alone, but not its value"));
    let text = value.as_str();
    let read = match name {
        BYTES => text.and_then(base64::decode).map(Value::Binary),
        FLOAT => match text {
            Some("NaN") => Some(f64::NAN.into()),
            Some("Infinity") => Some(f64::INFINITY.into()),
            Some("-Infinity") => Some(f64::NEG_INFINITY.into()),
            _ => None,
        },
        INTEGER => text.and_then(scalars::parse_integer).and_then(|number| {
            let unsigned = u64::try_from(number).ok().map(Value::from);
            unsigned.or_else(|| i64::try_from(number).ok().map(Value::from))
        }),
        TIMESTAMP => text.and_then(|text| text.parse().ok()).and_then(|time| scalars::value_of(&time)),
        EXTENSION => match value.as_array().map(Vec::as_slice) {
            Some([kind, data]) => {
                levels.enter()?;
                let kind = kind.as_i64().and_then(|kind| i8::try_from(kind).ok());
                kind.zip(data.as_str().and_then(base64::decode)).map(|(kind, data)| Value::Ext(kind, data))
            }
            _ => None,
        },
        _ => match value {
            Value::Array(pairs) => return read_pairs(pairs, levels.enter()?, &broken),
            _ => None,
        },
    };
    read.ok_or_else(broken)
}

fn read_pairs(
    pairs: Vec<Value>,
    levels: Levels,
    broken: &dyn Fn() -> DecodeError,
) -> Result<Value, DecodeError> {
    let pairs = pairs.into_iter().map(|pair| {
        let Value::Array(pair) = pair else { return Err(broken()) };
        let levels = levels.enter()?;
        let [key, value] = <[Value; 2]>::try_from(pair).map_err(|_| broken())?;
        Ok((read(key, levels)?, read(value, levels)?))
    });
    pairs.collect::<Result<_, _>>().map(Value::Map)
}
