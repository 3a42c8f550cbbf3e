//! The forms of optionals, lists, sets, maps and boxes.
//!
//! Generated code names them if a form inside is not [`Plain`](super::Plain). `Encode` and `Decode` of `Vec`, `BTreeSet` and `BTreeMap` use
//! them as well, so that an error names the element.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use super::decode::Reader;
use super::encode::Writer;
use super::error::{DecodeError, EncodeError};
use super::form::{Form, WriteForm};
use super::memory::ALLOCATION_BYTES;
use super::path::{index_step, key_step};
use super::validate::Violation;

/// Number of bytes that are reserved for a list by what its header announces, before any element was read.
const MAX_PREALLOCATED_BYTES: usize = 4096;

/// The form of an `Option` whose value has the form `F`; `None` is nil.
#[derive(Debug)]
pub struct Optional<F>(PhantomData<F>);

/// The form of a `Vec` whose elements have the form `F`.
#[derive(Debug)]
pub struct List<F>(PhantomData<F>);

/// The form of a `BTreeSet` whose elements have the form `F`. An element that is sent twice is an error.
#[derive(Debug)]
pub struct Set<F>(PhantomData<F>);

/// The form of a `BTreeMap` with keys of the form `K` and values of the form `V`. A key that is sent twice has its last value.
#[derive(Debug)]
pub struct Map<K, V>(PhantomData<(K, V)>);

/// The form of a `Box` of a value that has the form `F`.
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

/// A function that reads a value.
type Read<T> = fn(&mut Reader<'_>) -> Result<T, DecodeError>;

pub(super) fn read_list<T>(reader: &mut Reader<'_>, read: Read<T>) -> Result<Vec<T>, DecodeError> {
    let Some(length) = reader.array() else {
        let numbers = reader.bytes_as_list()?;
        let mut inner = Reader::over(&numbers);
        inner.memory = reader.memory;
        let list = read_list(&mut inner, read);
        reader.memory = inner.memory;
        return list;
    };
    reader.enter()?;
    // Each element takes a byte, so a header that announces more lies, and the error should say so.
    reader.memory.count(length.min(reader.rest.len()), size_of::<T>())?;
    reader.memory.count(usize::from(length > 0), ALLOCATION_BYTES)?;
    let affordable = MAX_PREALLOCATED_BYTES / size_of::<T>().max(1);
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

impl<F: WriteForm<T>, T> WriteForm<BTreeSet<T>> for Set<F> {
    fn encode(value: &BTreeSet<T>, out: &mut Writer) {
        write_set::<F, T>(value, out);
    }
}

impl<F: Form<T>, T: Ord> Form<BTreeSet<T>> for Set<F> {
    fn decode(reader: &mut Reader<'_>) -> Result<BTreeSet<T>, DecodeError> {
        read_set(reader, F::decode)
    }

    fn validate(value: &BTreeSet<T>) -> Result<(), Violation> {
        for (index, element) in value.iter().enumerate() {
            F::validate(element).map_err(|violation| violation.inside(&index_step(index)))?;
        }
        Ok(())
    }
}

pub(super) fn write_set<F: WriteForm<T>, T>(set: &BTreeSet<T>, out: &mut Writer) {
    out.array(set.len());
    for element in set {
        write_distinct::<F, T>(element, out);
    }
}

/// Writes an element of a set or a key of a map. Fails on one that another could equal on the wire: readers refuse a set with both,
/// and drop a value of a map with both.
fn write_distinct<F: WriteForm<T>, T>(value: &T, out: &mut Writer) {
    if !F::is_distinct(value) {
        out.fail(not_distinct::<F, T>(value));
    }
    F::encode(value, out);
}

#[cold]
fn not_distinct<F: WriteForm<T>, T>(value: &T) -> EncodeError {
    let mut out = Writer::new(Vec::new());
    F::encode(value, &mut out);
    let step = step_to_written(&out.finish().0);
    EncodeError::new(format!(
        "{step} in a set or as a key of a map is the number of a known value of `{}`: give that value instead of an unknown one",
        std::any::type_name::<T>()
    ))
}

pub(super) fn read_set<T: Ord>(reader: &mut Reader<'_>, read: Read<T>) -> Result<BTreeSet<T>, DecodeError> {
    let Some(length) = reader.array() else { return Err(reader.unexpected("a list without repeats")) };
    reader.enter()?;
    let mut set = BTreeSet::new();
    for index in 0..length {
        reader.memory.count_entry(set.len(), size_of::<T>())?;
        let element = read(reader).map_err(|error| error.inside(&index_step(index)))?;
        if !set.insert(element) {
            return Err(twice(index));
        }
    }
    reader.leave();
    Ok(set)
}

#[cold]
fn twice(index: usize) -> DecodeError {
    DecodeError::new(&"this element is in the set already").inside(&index_step(index))
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
        write_distinct::<K, A>(key, out);
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
        reader.memory.count_entry(map.len(), size_of::<A>() + size_of::<B>())?;
        let key = read_key(reader)?;
        match read_value(reader) {
            Ok(value) => map.insert(key, value),
            Err(error) => return Err(error.inside(&step_to::<K, A>(&key))),
        };
    }
    reader.leave();
    Ok(map)
}

/// Returns the step of a path to the value of a key, which may be of any type that keys have.
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
        reader.memory.allocate(size_of::<T>())?;
        F::decode(reader).map(Box::new)
    }

    #[inline]
    fn validate(value: &Box<T>) -> Result<(), Violation> {
        F::validate(value)
    }
}
