//! Types of a user's in the place of generated ones.
//!
//! Generated code gives each a form of its own (`implement_form!` in the runtime), which asks [`Replaced`] how the type is
//! written, read and checked. A type that implements [`Encode`] and [`Decode`], such as one that was generated in another
//! crate, is written straight; any other by its serde implementation. Rust chooses by the receiver of a method call: the traits
//! for `Replaced<T>` come before those for `&Replaced<T>`.

use std::any::type_name;
use std::marker::PhantomData;

use rmpv::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::decode::{Decode, Reader};
use super::encode::{Encode, Writer};
use super::error::{DecodeError, EncodeError};
use super::fields::Fields;
use super::form::{Form, Plain, WriteForm};
use super::numbered::Numbered;
use super::validate::{Validate, Violation};

/// Stands for a user's type in method calls.
#[derive(Debug)]
pub struct Replaced<T>(PhantomData<fn() -> T>);

impl<T> Replaced<T> {
    /// The only value.
    pub const NEW: Self = Self(PhantomData);
}

/// Shape that the schema gives a replaced type on the wire. What is written must have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any: an optional type, a `value`, or one of the types that have several shapes.
    Any,
    /// `true` or `false`.
    Bool,
    /// An integer: of a number's type, or of an enum.
    Integer,
    /// A float, for which an integer is read, too.
    Float,
    /// A string. Serde is told that the format is for people: an IP address, for instance, is text then.
    Text,
    /// Bytes.
    Bytes,
    /// A list.
    List,
    /// A map.
    Map,
    /// A struct that is an array of its fields, of which the numbers and names are here, in the order of the numbers.
    Fields(Names),
    /// A struct that is a map from the numbers of its fields, since these are far apart.
    Numbered(Names),
    /// A union: an array of a number and a value.
    Union,
}

/// The numbers and names of a struct's fields, in ascending order of the numbers.
pub type Names = &'static [(u16, &'static str)];

/// How a type is written and read that implements [`Encode`] and [`Decode`].
pub trait Direct<T> {
    /// Writes a value.
    fn write(&self, value: &T, out: &mut Writer, shape: Shape);
    /// Reads a value.
    ///
    /// # Errors
    /// The bytes are not such a value.
    fn read(&self, reader: &mut Reader<'_>, shape: Shape) -> Result<T, DecodeError>;
}

impl<T: Encode + Decode> Direct<T> for Replaced<T> {
    #[inline]
    fn write(&self, value: &T, out: &mut Writer, shape: Shape) {
        let start = out.position();
        value.encode(out);
        check::<T>(out, start, shape);
    }

    #[inline]
    fn read(&self, reader: &mut Reader<'_>, _: Shape) -> Result<T, DecodeError> {
        T::decode(reader)
    }
}

/// How any other type is written and read.
pub trait BySerde<T> {
    /// Writes a value.
    fn write(&self, value: &T, out: &mut Writer, shape: Shape);
    /// Reads a value.
    ///
    /// # Errors
    /// The bytes are not such a value.
    fn read(&self, reader: &mut Reader<'_>, shape: Shape) -> Result<T, DecodeError>;
}

impl<T: Serialize + DeserializeOwned> BySerde<T> for &Replaced<T> {
    fn write(&self, value: &T, out: &mut Writer, shape: Shape) {
        let start = out.position();
        match shape {
            Shape::Numbered(_) => out.via_serde_by_names(value),
            _ => out.via_serde(value, shape == Shape::Text),
        }
        check::<T>(out, start, shape);
        if matches!(shape, Shape::Numbered(_)) && out.byte_at(start).is_some_and(is_array) {
            // By place a peer would take most fields for others.
            out.fail(no_numbers::<T>());
        }
    }

    fn read(&self, reader: &mut Reader<'_>, shape: Shape) -> Result<T, DecodeError> {
        let is_numbered = || Numbered::is_next(reader);
        match shape {
            Shape::Text => reader.text_via_serde(),
            Shape::Fields(names) if is_numbered() => array_via_serde(reader, names),
            Shape::Numbered(names) if is_numbered() || reader.rest.first().copied().is_some_and(is_array) => {
                names_via_serde(reader, names)
            }
            _ => reader.via_serde(),
        }
    }
}

/// Reads a struct that comes as a map from numbers, and hands serde what a peer sends that has no fields far apart: the fields in
/// their places. Serde takes a number for a place, counted from zero.
#[cold]
fn array_via_serde<T: DeserializeOwned>(reader: &mut Reader<'_>, names: Names) -> Result<T, DecodeError> {
    let mut values = Vec::new();
    for (number, _, value) in present(reader, names)? {
        let holes = usize::from(number).saturating_sub(values.len() + 1);
        values.extend(std::iter::repeat_n(Value::Nil, holes));
        values.push(value);
    }
    let last = names.last().map_or(0, |(number, _)| usize::from(*number));
    values.resize(last, Value::Nil);
    rewritten_via_serde(&Value::Array(values))
}

/// Reads a struct whose fields are far apart, and hands serde those that are present by name: it counts places without holes.
#[cold]
fn names_via_serde<T: DeserializeOwned>(reader: &mut Reader<'_>, names: Names) -> Result<T, DecodeError> {
    let values = present(reader, names)?.into_iter().map(|(_, name, value)| (name.into(), value));
    rewritten_via_serde(&Value::Map(values.collect()))
}

/// Reads the fields that are present.
fn present(reader: &mut Reader<'_>, names: Names) -> Result<Vec<(u16, &'static str, Value)>, DecodeError> {
    let mut fields = Fields::sparse(reader, names)?;
    let mut present = Vec::new();
    for (number, name) in names {
        if let Some(value) = fields.optional::<Plain, Value>((*number).into())? {
            present.push((*number, *name, value));
        }
    }
    fields.end()?;
    Ok(present)
}

fn rewritten_via_serde<T: DeserializeOwned>(value: &Value) -> Result<T, DecodeError> {
    let mut out = Writer::new(Vec::new());
    value.encode(&mut out);
    Reader::over(&out.finish().0).via_serde()
}

#[cold]
fn no_numbers<T>() -> EncodeError {
    EncodeError::new(format!(
        "`{}` is written as an array, and the numbers of the schema's struct are too far apart for one: write a map from the names of its fields, as a derived implementation does",
        type_name::<T>()
    ))
}

/// Checks that what was written since a position has the shape that the schema says: peers would refuse it.
#[inline]
fn check<T>(out: &mut Writer, start: usize, shape: Shape) {
    if let Some(first) = out.byte_at(start).filter(|first| !shape.starts_with(*first)) {
        out.fail(wrong_shape::<T>(first, shape));
    }
}

#[cold]
fn wrong_shape<T>(first: u8, shape: Shape) -> EncodeError {
    let (found, expected) = (found(first), shape.expected());
    EncodeError::new(format!(
        "`{}` is written as {found}, and the schema has {expected} in its place",
        type_name::<T>()
    ))
}

/// How the bounds of a type are checked that has some.
pub trait Checked<T> {
    /// Checks the bounds inside a value.
    ///
    /// # Errors
    /// The first bound that is broken.
    fn check(&self, value: &T) -> Result<(), Violation>;
}

impl<T: Validate> Checked<T> for Replaced<T> {
    #[inline]
    fn check(&self, value: &T) -> Result<(), Violation> {
        value.validate()
    }
}

/// How any other type is checked: not at all, since nothing is known of its bounds.
pub trait Unchecked<T> {
    /// Checks nothing.
    ///
    /// # Errors
    /// None.
    fn check(&self, value: &T) -> Result<(), Violation>;
}

impl<T> Unchecked<T> for &Replaced<T> {
    #[inline]
    fn check(&self, _: &T) -> Result<(), Violation> {
        Ok(())
    }
}

/// Returns what a value of a user's type is to the schema: what is written is read again as the type that is declared. A bound
/// is checked on that, since nothing is known of the user's type.
///
/// # Errors
/// The value can't be written, or is written as something else.
pub fn declared<F: WriteForm<T>, T, G: Form<U>, U>(name: &str, value: &T) -> Result<U, Violation> {
    let written =
        super::encode_whole::<F, T>(value).map_err(|error| Violation::new(name, error.to_string()))?;
    super::decode::<G, U>(&written.into(), usize::MAX)
        .map_err(|error| Violation::new(name, error.to_string()))
}

impl Shape {
    /// Reports whether a value of this shape may start with a byte.
    #[inline]
    fn starts_with(self, first: u8) -> bool {
        let is_integer = matches!(first, 0x00..=0x7f | 0xcc..=0xd3 | 0xe0..=0xff);
        let is_array = is_array(first);
        let is_map = matches!(first, 0x80..=0x8f | 0xde | 0xdf);
        match self {
            Self::Any => true,
            Self::Bool => matches!(first, 0xc2 | 0xc3),
            Self::Integer => is_integer,
            Self::Float => is_integer || matches!(first, 0xca | 0xcb),
            Self::Text => matches!(first, 0xa0..=0xbf | 0xd9..=0xdb),
            Self::Bytes => matches!(first, 0xc4..=0xc6),
            Self::List | Self::Union => is_array,
            Self::Map => is_map,
            Self::Fields(_) | Self::Numbered(_) => is_array || is_map,
        }
    }

    fn expected(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Bool => "a bool",
            Self::Integer => "an integer",
            Self::Float => "a float",
            Self::Text => "a string",
            Self::Bytes => "bytes",
            Self::List => "a list",
            Self::Map => "a map",
            Self::Fields(_) | Self::Numbered(_) => {
                "a struct, which is an array of fields or a map from their numbers or names"
            }
            Self::Union => "a union, which is an array of a variant's number and its value",
        }
    }
}

fn is_array(first: u8) -> bool {
    matches!(first, 0x90..=0x9f | 0xdc | 0xdd)
}

/// Returns what starts with a byte.
fn found(first: u8) -> &'static str {
    let shapes = [
        (Shape::Bool, "a bool"),
        (Shape::Integer, "an integer"),
        (Shape::Float, "a float"),
        (Shape::Text, "a string"),
        (Shape::Bytes, "bytes"),
        (Shape::List, "an array"),
        (Shape::Map, "a map"),
    ];
    let known = shapes.iter().find(|(shape, _)| shape.starts_with(first));
    known.map_or(if first == 0xc0 { "nil" } else { "an extension" }, |(_, name)| name)
}
