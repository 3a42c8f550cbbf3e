//! [`Filter`]: which values of key fields a subscriber asks for, as it was sent; [`Wanted`]: the same, held to an event's fields.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use rmpv::Value;

use super::event_type::{EventType, KeyField, KeyKind};
use super::key::{Key, MAX_KEY_BYTES};
use crate::codec::{Decode, DecodeError, Encode, Reader, Writer};

/// Largest number of values of all fields that a filter may name.
pub const MAX_FILTER_VALUES: usize = 1024;
/// Largest size in bytes of these values, as encoded.
pub const MAX_FILTER_BYTES: usize = 64 * 1024;

/// Full keys by which a subscriber is found at once when an event is published. With more, its filter is looked at for each event.
const MAX_INDEXED_KEYS: usize = 64;
/// Largest size in bytes of these keys together: a short filter must not take much more memory than it has bytes.
const MAX_INDEXED_BYTES: usize = 8 * 1024;

/// Which values of key fields a subscriber asks for: a map from the field's number, or its name, to a value or a list of values.
///
/// An event passes if each field that is named has one of the values that stand there. An empty filter lets every event pass.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter(Vec<(Value, Value)>);

impl Filter {
    /// Asks for a value of the key field `number`, besides others of the same field.
    pub fn add(&mut self, number: u16, value: impl Into<Value>) {
        let (field, value) = (Value::from(number), value.into());
        match self.0.iter_mut().find(|(known, _)| *known == field) {
            Some((_, Value::Array(values))) => values.push(value),
            Some((_, other)) => *other = Value::Array(vec![std::mem::replace(other, Value::Nil), value]),
            None => self.0.push((field, Value::Array(vec![value]))),
        }
    }

    /// Reports whether every event passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what it asks for of the events of a type.
    ///
    /// # Errors
    /// The filter names a field that is no key of the event, or twice the same, values of another kind, or too many. What is not
    /// understood is never left out: the subscriber would get more than it asked for, or less.
    pub fn of(self, event: &'static EventType) -> Result<Wanted, BadFilter> {
        let mut fields = vec![None; event.key_fields().len()];
        let (mut count, mut bytes) = (0, 0);
        for (field, values) in self.0 {
            let place = place_of(event, &field)?;
            let key = &event.key_fields()[place];
            let values = encoded(key, values, &mut count, &mut bytes)?;
            if fields[place].replace(values).is_some() {
                return Err(BadFilter(format!("the filter names `{}` twice", key.name)));
            }
        }
        Ok(Wanted::new(fields))
    }
}

/// Returns the place of the key field that a filter names.
fn place_of(event: &EventType, field: &Value) -> Result<usize, BadFilter> {
    let keys = event.key_fields();
    let found = keys.iter().position(|key| match field {
        Value::String(name) => name.as_str() == Some(key.name),
        number => number.as_u64() == Some(key.number.into()),
    });
    found.ok_or_else(|| {
        let known: Vec<_> = keys.iter().map(|key| format!("`{}` ({})", key.name, key.number)).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
        let field: String = field.to_string().chars().take(64).collect();
        BadFilter(format!("`{}` has no key field {field}; its key fields: {known}", event.name()))
    })
}

/// Returns the values of one field in the form in which keys have them, in order and each once.
fn encoded(
    key: &KeyField,
    values: Value,
    count: &mut usize,
    bytes: &mut usize,
) -> Result<Vec<Box<[u8]>>, BadFilter> {
    let values = match values {
        Value::Array(values) => values,
        one => vec![one],
    };
    *count += values.len();
    if *count > MAX_FILTER_VALUES {
        return Err(BadFilter(format!("the filter has more than {MAX_FILTER_VALUES} values")));
    }
    let mut all = Vec::with_capacity(values.len());
    for value in values {
        let mut out = Vec::new();
        let is_written = is_of(key.kind, &value) && rmpv::encode::write_value(&mut out, &value).is_ok();
        if !is_written {
            let (name, what) = (key.name, key.kind.what());
            return Err(BadFilter(format!("the filter's values of `{name}`: each is {what}")));
        }
        *bytes += out.len();
        if *bytes > MAX_FILTER_BYTES {
            return Err(BadFilter(format!("the filter's values have more than {MAX_FILTER_BYTES} bytes")));
        }
        // No event has a longer value, so that none would ever match.
        if out.len() <= MAX_KEY_BYTES {
            all.push(out.into_boxed_slice());
        }
    }
    all.sort_unstable();
    all.dedup();
    Ok(all)
}

/// Reports whether a value is one of a key field of this kind.
pub(super) fn is_of(kind: KeyKind, value: &Value) -> bool {
    match (kind, value) {
        (KeyKind::Bool, Value::Boolean(_)) | (KeyKind::Integer, Value::Integer(_)) => true,
        (KeyKind::String, Value::String(text)) => text.as_str().is_some(),
        (KeyKind::Uuid, Value::Binary(bytes)) => bytes.len() == 16,
        _ => false,
    }
}

impl Encode for Filter {
    fn encode(&self, out: &mut Writer) {
        Value::Map(self.0.clone()).encode(out);
    }
}

impl Decode for Filter {
    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match Value::decode(reader)? {
            Value::Map(fields) => Ok(Self(fields)),
            Value::Nil => Ok(Self::default()),
            _ => Err(DecodeError::new(&"a filter is a map from key fields to values")),
        }
    }
}

/// What a subscriber asks for of the events of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The encoded values of each key field, in order; `None` if any will do.
    fields: Vec<Option<Vec<Box<[u8]>>>>,
    /// See [`Wanted::full_keys`].
    full_keys: Option<Vec<Arc<[u8]>>>,
}

impl Wanted {
    fn new(fields: Vec<Option<Vec<Box<[u8]>>>>) -> Self {
        let full_keys = full_keys(&fields);
        Self { fields, full_keys }
    }

    /// Reports whether every event passes.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.fields.iter().all(Option::is_none)
    }

    /// Reports whether an event with this key passes.
    #[must_use]
    pub fn passes(&self, key: &Key) -> bool {
        self.fields.iter().enumerate().all(|(place, values)| {
            let Some(values) = values else { return true };
            let value = key.value(place);
            values.binary_search_by(|known| known.as_ref().cmp(value)).is_ok()
        })
    }

    /// Returns the full keys that pass, as bytes, if they are few and short and no others pass.
    pub(super) fn full_keys(&self) -> Option<&[Arc<[u8]>]> {
        self.full_keys.as_deref()
    }
}

fn full_keys(fields: &[Option<Vec<Box<[u8]>>>]) -> Option<Vec<Arc<[u8]>>> {
    let (mut all, mut bytes) = (vec![Vec::new()], 0);
    if fields.is_empty() {
        return None;
    }
    for values in fields {
        let values = values.as_ref()?;
        bytes = bytes * values.len() + all.len() * values.iter().map(|value| value.len()).sum::<usize>();
        if all.len() * values.len() > MAX_INDEXED_KEYS || bytes > MAX_INDEXED_BYTES {
            return None;
        }
        all = all.iter().flat_map(|start| values.iter().map(|value| [start, &value[..]].concat())).collect();
    }
    Some(all.into_iter().map(Arc::from).collect())
}

/// What is wrong with a filter, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadFilter(String);

impl fmt::Display for BadFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BadFilter {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::method::{Method, MethodKind};

    const KEYS: &[KeyField] =
        &[KeyField::new(1, "market", KeyKind::String), KeyField::new(2, "symbol", KeyKind::String)];
    static PRICE: EventType =
        EventType::new("market.v1.Price", Method::new("market.v1.Price/subscribe", MethodKind::ServerStream))
            .keys(KEYS);

    fn wanted(values: &[(u16, String)]) -> Wanted {
        let mut filter = Filter::default();
        for (number, value) in values {
            filter.add(*number, value.as_str());
        }
        filter.of(&PRICE).unwrap()
    }

    #[test]
    fn values_that_no_key_can_have_are_not_held() {
        let wanted = wanted(&[(1, "x".repeat(60_000)), (1, "y".to_owned())]);
        assert_eq!(wanted.fields[0].as_ref().map(Vec::len), Some(1));
        assert!(!wanted.is_everything());
    }

    #[test]
    fn few_short_keys_are_indexed_and_long_ones_are_not() {
        let symbols = (10..26).map(|number| (2, number.to_string()));
        let of = |market: String| wanted(&symbols.clone().chain([(1, market)]).collect::<Vec<_>>());
        assert_eq!(of("x".to_owned()).full_keys().map(<[_]>::len), Some(16));
        assert_eq!(of("x".repeat(600)).full_keys(), None, "9,600 bytes of a filter of 700");
    }
}
