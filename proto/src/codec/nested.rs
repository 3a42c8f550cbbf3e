//! The forms of what holds other values: optionals, lists, maps and boxes.
//!
//! They are for where a form inside is more than [`Plain`](super::Plain), or where an error should name the
//! element at fault; `Encode` and `Decode` of `Vec` and `BTreeMap` come here, too.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use super::decode::Reader;
use super::encode::Writer;
use super::error::DecodeError;
use super::form::{Form, WriteForm};
use super::path::{index_step, key_step};
use super::validate::Violation;

/// How many bytes are set aside for a list on the word of its header, before any element has been seen.
const MAX_PREALLOCATED: usize = 4096;

/// An `Option` whose value has the form `F`; `None` is nil.
#[derive(Debug)]
pub struct Optional<F>(PhantomData<F>);

/// A `Vec` whose elements have the form `F`.
#[derive(Debug)]
pub struct List<F>(PhantomData<F>);

/// A `BTreeMap` with keys of the form `K` and values of the form `V`. Of a key that is sent twice, the last value stays.
#[derive(Debug)]
pub struct Map<K, V>(PhantomData<(K, V)>);

/// A `Box` of what has the form `F`.
#[derive(Debug)]
pub struct Boxed<F>(PhantomData<F>);

impl<F: WriteForm<T>, T> WriteForm<Option<T>> for Optional<F> {
    fn encode(value: &Option<T>, out: &mut Writer) {
        match value {
            Some(value) => F::encode(value, out),
            None => out.nil(),
        }
    }
}

impl<F: Form<T>, T> Form<Option<T>> for Optional<F> {
    fn decode(reader: &mut Reader<'_>) -> Result<Option<T>, DecodeError> {
        if reader.nil() { Ok(None) } else { F::decode(reader).map(Some) }
    }

    #[inline]
    fn validate(value: &Option<T>) -> Result<(), Violation> {
        value.as_ref().map_or(Ok(()), F::validate)
    }
}

impl<F: WriteForm<T>, T> WriteForm<Vec<T>> for List<F> {
    fn encode(value: &Vec<T>, out: &mut Writer) {
        write_list::<F, T>(value, out);
    }
}

impl<F: Form<T>, T> Form<Vec<T>> for List<F> {
    fn decode(reader: &mut Reader<'_>) -> Result<Vec<T>, DecodeError> {
        read_list(reader, F::decode)
    }

    fn validate(value: &Vec<T>) -> Result<(), Violation> {
        for (index, element) in value.iter().enumerate() {
            F::validate(element).map_err(|violation| violation.inside(&index_step(index)))?;
        }
        Ok(())
    }
}

pub(super) fn write_list<F: WriteForm<T>, T>(list: &[T], out: &mut Writer) {
    out.array(list.len());
    for element in list {
        F::encode(element, out);
    }
}

/// How a value is read.
type Read<T> = fn(&mut Reader<'_>) -> Result<T, DecodeError>;

pub(super) fn read_list<T>(reader: &mut Reader<'_>, read: Read<T>) -> Result<Vec<T>, DecodeError> {
    let Some(length) = reader.array() else {
        let numbers = reader.bytes_as_list()?;
        return read_list(&mut Reader::over(&numbers), read);
    };
    reader.enter()?;
    let affordable = MAX_PREALLOCATED / size_of::<T>().max(1);
    let mut list = Vec::with_capacity(length.min(affordable));
    while list.len() < length {
        match read(reader) {
            Ok(element) => list.push(element),
            Err(error) => return Err(error.inside(&index_step(list.len()))),
        }
    }
    reader.leave();
    Ok(list)
}

impl<K: WriteForm<A>, V: WriteForm<B>, A, B> WriteForm<BTreeMap<A, B>> for Map<K, V> {
    fn encode(value: &BTreeMap<A, B>, out: &mut Writer) {
        write_map::<K, V, A, B>(value, out);
    }
}

impl<K: Form<A>, V: Form<B>, A: Ord, B> Form<BTreeMap<A, B>> for Map<K, V> {
    fn decode(reader: &mut Reader<'_>) -> Result<BTreeMap<A, B>, DecodeError> {
        read_map::<K, A, B>(reader, K::decode, V::decode)
    }

    fn validate(value: &BTreeMap<A, B>) -> Result<(), Violation> {
        for (key, value) in value {
            V::validate(value).map_err(|violation| violation.inside(&step_to::<K, A>(key)))?;
        }
        Ok(())
    }
}

pub(super) fn write_map<K: WriteForm<A>, V: WriteForm<B>, A, B>(map: &BTreeMap<A, B>, out: &mut Writer) {
    out.map(map.len());
    for (key, value) in map {
        K::encode(key, out);
        V::encode(value, out);
    }
}

pub(super) fn read_map<K: WriteForm<A>, A: Ord, B>(
    reader: &mut Reader<'_>,
    read_key: Read<A>,
    read_value: Read<B>,
) -> Result<BTreeMap<A, B>, DecodeError> {
    let Some(length) = reader.map() else { return Err(reader.unexpected("a map")) };
    reader.enter()?;
    let mut map = BTreeMap::new();
    for _ in 0..length {
        let key = read_key(reader)?;
        match read_value(reader) {
            Ok(value) => map.insert(key, value),
            Err(error) => return Err(error.inside(&step_to::<K, A>(&key))),
        };
    }
    reader.leave();
    Ok(map)
}

/// The step to the value of a key of any type that a key may have.
#[cold]
fn step_to<K: WriteForm<A>, A>(key: &A) -> String {
    let mut out = Writer::new(Vec::new());
    K::encode(key, &mut out);
    step_to_written(&out.finish().0)
}

fn step_to_written(key: &[u8]) -> String {
    match rmpv::decode::read_value(&mut &*key) {
        Ok(rmpv::Value::String(key)) => key_step(key.as_str().unwrap_or_default()),
        Ok(rmpv::Value::Binary(id)) => key_step(&uuid::Uuid::from_slice(&id).unwrap_or_default().to_string()),
        Ok(key) => format!("[{key}]"),
        Err(_) => "[]".to_owned(),
    }
}

impl<F: WriteForm<T>, T> WriteForm<Box<T>> for Boxed<F> {
    fn encode(value: &Box<T>, out: &mut Writer) {
        F::encode(value, out);
    }
}

impl<F: Form<T>, T> Form<Box<T>> for Boxed<F> {
    fn decode(reader: &mut Reader<'_>) -> Result<Box<T>, DecodeError> {
        F::decode(reader).map(Box::new)
    }

    #[inline]
    fn validate(value: &Box<T>) -> Result<(), Violation> {
        F::validate(value)
    }
}
